//! The neighbour a route-map is asked about.
//!
//! Most maps look at the route alone, and neighbours who share such a map are told the same. One
//! that asks for the neighbour is bound to it ([`crate::policy::RouteMap::bound`]) when it becomes
//! a policy, to as much as it asks for. So the tables never hand in a neighbour, and two
//! neighbours are told apart where their policies differ and nowhere else.

use std::net::IpAddr;

use crate::redistribution::InterfaceName;

/// Where routes come from, or where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// Import, from the neighbour with this address.
    From(IpAddr),
    /// Export, to the neighbour with this address; `None` where the map does not ask for it.
    To(Option<IpAddr>),
    /// Import, from the tables of this VRF on the same router; `None` is the default one.
    Vrf(Option<InterfaceName>),
}

/// What a map asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Needs {
    pub(super) peer: bool,
    pub(super) direction: bool,
    pub(super) vrf: bool,
}

impl Needs {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            peer: self.peer || other.peer,
            direction: self.direction || other.direction,
            vrf: self.vrf || other.vrf,
        }
    }

    /// As much of the neighbour as is asked for.
    pub(super) fn of(self, party: Party) -> Option<Party> {
        match party {
            Party::From(_) | Party::To(_) if self.peer => Some(party),
            Party::From(_) if self.direction => Some(party),
            Party::To(_) if self.direction => Some(Party::To(None)),
            Party::Vrf(_) if self.vrf => Some(party),
            Party::From(_) | Party::To(_) | Party::Vrf(_) => None,
        }
    }
}
