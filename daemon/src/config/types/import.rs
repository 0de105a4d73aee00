//! What an instance takes from the tables of another.

use std::sync::Arc;

use bgp::Family;
use bgp::family::PerFamily;
use bgp::policy::RouteMap;

/// `[[import]]` of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Name of the other instance; `default` is the one at the top of the file.
    pub from: String,
    /// Its VRF, unless that is the default one.
    pub vrf: Option<String>,
    /// Policy; without one everything is taken.
    pub route_map: Option<Arc<RouteMap>>,
    /// Families whose routes are taken.
    pub families: PerFamily<bool>,
}

impl Import {
    /// Families unless others are named: both that VRFs have.
    pub const FAMILIES: PerFamily<bool> = PerFamily {
        ipv4_unicast: true,
        ipv6_unicast: true,
        evpn: false,
    };

    /// The families in the order of the file.
    pub fn named(&self) -> impl Iterator<Item = Family> + '_ {
        let all = Family::ALL.into_iter();
        all.filter(|family| *self.families.get(*family))
    }
}
