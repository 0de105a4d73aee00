//! The route under evaluation: closed attributes until something changes, open ones after.
//!
//! Conditions read through this view, so that an entry sees what earlier entries have set and a
//! route that nobody changes is never opened.

use std::net::IpAddr;

use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, NextHop, Notes, Origin};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::EvpnTail;
use crate::nlri::Nlri;
use crate::policy::answers::Key;
use crate::policy::as_path::AsPath;
use crate::policy::{Leaving, Party, Together, Verdict};
use crate::redistribution::InterfaceName;
use crate::rpki::{Validation, Validity};
use crate::wire::attribute::code;

/// What the default VRF is called.
const DEFAULT_VRF: &str = "default";

/// LOCAL_PREF of a route that carries none: what the decision process takes it for.
const LOCAL_PREF_DEFAULT: u32 = 100;

pub(super) struct Route<'a> {
    nlri: &'a Nlri,
    closed: &'a Attributes,
    open: Option<AttributeSet>,
    party: Option<Party>,
    validation: Option<&'a Validation>,
    leaving: Leaving,
    next_hop_chosen: bool,
}

impl<'a> Route<'a> {
    pub(super) fn new(nlri: &'a Nlri, closed: &'a Attributes, party: Option<Party>) -> Self {
        Self {
            nlri,
            closed,
            open: None,
            party,
            validation: None,
            leaving: Leaving::default(),
            next_hop_chosen: false,
        }
    }

    /// The same, validated by a table.
    pub(super) fn validated_by(self, validation: Option<&'a Validation>) -> Self {
        Self { validation, ..self }
    }

    /// The same on its way out.
    pub(super) fn leaving(self, leaving: Leaving) -> Self {
        Self { leaving, ..self }
    }

    /// The paths that forward together, where that is known.
    pub(super) fn together(&self) -> Option<Together> {
        self.leaving.together
    }

    /// The attributes, opened to be changed.
    pub(super) fn open(&mut self) -> &mut AttributeSet {
        self.open.get_or_insert_with(|| self.closed.thaw())
    }

    /// Sets the next hop, for good.
    pub(super) fn choose_next_hop(&mut self, next_hop: NextHop) {
        self.open().next_hop = next_hop;
        self.next_hop_chosen = true;
    }

    /// The verdict about a route that was permitted.
    pub(super) fn accept(self) -> Verdict {
        match self.open {
            None => Verdict::Accept,
            Some(set) => Verdict::Change {
                set,
                next_hop_chosen: self.next_hop_chosen,
            },
        }
    }

    pub(super) fn nlri(&self) -> &'a Nlri {
        self.nlri
    }

    pub(super) fn party(&self) -> Option<Party> {
        self.party
    }

    /// What origin validation says of a unicast route. Without a table nothing is found.
    pub(super) fn validity(&self) -> Option<Validity> {
        let (Nlri::V4(_) | Nlri::V6(_)) = self.nlri else {
            return None;
        };
        let prefix = self.nlri.prefix()?;
        let Some(validation) = self.validation else {
            return Some(Validity::NOT_FOUND);
        };
        let origin = self.path().origin(validation.own_as);
        Some(validation.validity(prefix, origin))
    }

    /// The neighbour's address, if it is known.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self.party? {
            Party::From(address) => Some(address),
            Party::To(address) => address,
            Party::Vrf(_) => None,
        }
    }

    /// The address of the neighbour that sent the route, if one has and it is known.
    pub(super) fn sender(&self) -> Option<IpAddr> {
        match self.party {
            Some(Party::From(address)) => Some(address),
            Some(Party::To(_)) | None => self.leaving.sender,
            Some(Party::Vrf(_)) => None,
        }
    }

    /// The VRF of the tables that the route comes from, as FRR calls it, if it is from others here.
    pub(super) fn source_vrf(&self) -> Option<&str> {
        match self.party.as_ref()? {
            Party::Vrf(vrf) => Some(vrf.as_ref().map_or(DEFAULT_VRF, InterfaceName::as_str)),
            Party::From(_) | Party::To(_) => None,
        }
    }

    /// What identifies the route.
    pub(super) fn key(&self) -> Key<'a> {
        Key(self.nlri)
    }

    pub(super) fn med(&self) -> Option<u32> {
        match &self.open {
            Some(open) => open.med,
            None => self.closed.med(),
        }
    }

    /// MED as compared: a missing one is the lowest (RFC 4271 §9.1.2.2 c).
    pub(super) fn metric(&self) -> u32 {
        self.med().unwrap_or(0)
    }

    pub(super) fn local_pref(&self) -> u32 {
        let local_pref = match &self.open {
            Some(open) => open.local_pref,
            None => self.closed.local_pref(),
        };
        local_pref.unwrap_or(LOCAL_PREF_DEFAULT)
    }

    /// What this router notes for itself.
    pub(super) fn notes(&self) -> Notes {
        match &self.open {
            Some(open) => open.notes,
            None => self.closed.notes(),
        }
    }

    pub(super) fn origin(&self) -> Origin {
        match &self.open {
            Some(open) => open.origin,
            None => self.closed.origin(),
        }
    }

    pub(super) fn next_hop(&self) -> NextHop {
        match &self.open {
            Some(open) => open.next_hop,
            None => self.closed.next_hop(),
        }
    }

    fn evpn(&self) -> Option<&EvpnTail> {
        match &self.open {
            Some(open) => open.evpn.as_ref(),
            None => self.closed.evpn(),
        }
    }

    /// The labels that stand for a VNI with VXLAN: those of the route, or the one of its PMSI
    /// tunnel (type 3; RFC 8365 §9).
    pub(super) fn vnis(&self) -> [Option<u32>; 2] {
        let pmsi = match &self.open {
            Some(open) => open.pmsi_tunnel.as_ref().map(|tunnel| tunnel.label),
            None => match self.closed.attributes().find(code::PMSI_TUNNEL) {
                Some([_flags, _kind, a, b, c, ..]) => Some(u32::from_be_bytes([0, *a, *b, *c])),
                Some(_) | None => None,
            },
        };
        match (pmsi, self.evpn()) {
            (Some(label), _) => [Some(label), None],
            (None, Some(tail)) => [Some(tail.label), tail.label2],
            (None, None) => [None, None],
        }
    }

    pub(super) fn communities(&self) -> impl Iterator<Item = Community> + Clone {
        let (open, closed) = self.either();
        let open = open.into_iter().flat_map(|set| set.communities.iter());
        let closed = closed.into_iter().flat_map(Attributes::communities);
        open.copied().chain(closed)
    }

    pub(super) fn large_communities(&self) -> impl Iterator<Item = LargeCommunity> + Clone {
        let (open, closed) = self.either();
        let open = open
            .into_iter()
            .flat_map(|set| set.large_communities.iter());
        let closed = closed.into_iter().flat_map(Attributes::large_communities);
        open.copied().chain(closed)
    }

    pub(super) fn extended_communities(&self) -> impl Iterator<Item = ExtendedCommunity> + Clone {
        let (open, closed) = self.either();
        let open = open
            .into_iter()
            .flat_map(|set| set.extended_communities.iter());
        let closed = closed
            .into_iter()
            .flat_map(Attributes::extended_communities);
        open.copied().chain(closed)
    }

    pub(super) fn path(&self) -> AsPath<'_> {
        match &self.open {
            Some(open) => AsPath::Open(&open.as_path),
            None => AsPath::Closed(self.closed.as_path()),
        }
    }

    /// Length as the decision process counts.
    pub(super) fn path_length(&self) -> u16 {
        match &self.open {
            Some(open) => u16::try_from(open.as_path_length()).unwrap_or(u16::MAX),
            None => self.closed.as_path_length(),
        }
    }

    /// The leftmost number of the path.
    pub(super) fn first_as(&self) -> Option<Asn> {
        self.path().first()
    }

    /// The form that holds, and nothing for the other.
    fn either(&self) -> (Option<&AttributeSet>, Option<&'a Attributes>) {
        let closed = self.open.is_none().then_some(self.closed);
        (self.open.as_ref(), closed)
    }
}
