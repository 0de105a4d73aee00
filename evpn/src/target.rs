//! Route targets and route distinguishers of a VNI, given or automatic.
//!
//! Automatic values are pure functions of the configured VNIs, never of the order in which they
//! were configured, so that a restart and a reload end with the same routes. [`ImportIndex`]
//! answers which VNIs and VRFs a route belongs to without looking at every one.
//!
//! What a route means for a VNI it belongs to is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use bgp::evpn_route::ParseError;
use bgp::{Asn, ExtendedCommunity, RouteDistinguisher, Vni};

/// Which routes a VNI takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportTarget {
    /// Routes with this route target. `65000:100` is the same target whether the sender wrote the
    /// AS number with two octets or with four.
    Exact(ExtendedCommunity),
    /// Routes with a target of any AS and this number (`*:100`).
    AnyAs(u32),
}

impl From<ExtendedCommunity> for ImportTarget {
    fn from(target: ExtendedCommunity) -> Self {
        ImportTarget::Exact(target)
    }
}

impl fmt::Display for ImportTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportTarget::Exact(target) => target.fmt(f),
            ImportTarget::AnyAs(number) => write!(f, "RT:*:{number}"),
        }
    }
}

impl FromStr for ImportTarget {
    type Err = ParseError;

    /// `65000:100`, `10.0.0.1:100` or `*:100`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.strip_prefix("*:").map(str::parse) {
            Some(Ok(number)) => Ok(ImportTarget::AnyAs(number)),
            Some(Err(_)) => Err(ParseError {
                text: text.to_owned(),
                expected: "a route target like 65000:100 or *:100",
            }),
            None => text.parse().map(ImportTarget::Exact),
        }
    }
}

/// RFC 8365 §5.1.2.1: A=0 (derived), type 1 (VXLAN), domain 0, then 24 bits of service identifier.
const DERIVED_VXLAN: u32 = 0x1000_0000;

/// What a VNI without configured import targets takes in: its number from any AS, as FRR writes it
/// (`AS:VNI`) and as RFC 8365 §5.1.2.1 derives it.
///
/// Sites with AS numbers of their own derive different targets from the same VNI; the wildcard is
/// what lets them meet.
pub(crate) fn automatic_imports(vni: Vni) -> Vec<ImportTarget> {
    vec![
        ImportTarget::AnyAs(vni.get()),
        ImportTarget::AnyAs(DERIVED_VXLAN | vni.get()),
    ]
}

/// The target of a VNI without configured export targets: the low 16 bits of the AS, then the VNI.
pub(crate) fn automatic_export(local_as: Asn, vni: Vni) -> ExtendedCommunity {
    let [_, _, a, b] = local_as.0.to_be_bytes();
    let [c, d, e, f] = vni.get().to_be_bytes();
    ExtendedCommunity([0x00, 0x02, a, b, c, d, e, f])
}

/// The distinguisher of each VNI, or the lower-numbered VNI that has it already.
///
/// Configured ones are kept. An automatic one is `router_id:number` (RFC 7432 §7.9), with the VNI
/// as number; a VNI beyond 16 bits starts at its low 16 bits and takes the next number that is
/// free. VNIs come, and are served, in ascending order, so that the outcome depends on the set alone.
pub fn distinguishers(
    router_id: Ipv4Addr,
    vnis: impl Iterator<Item = (Vni, Option<RouteDistinguisher>)> + Clone,
) -> BTreeMap<Vni, Result<RouteDistinguisher, Vni>> {
    let mut users: BTreeMap<RouteDistinguisher, Vni> = BTreeMap::new();
    let mut result = BTreeMap::new();
    let configured = vnis.clone().filter_map(|(vni, rd)| Some((vni, rd?)));
    for (vni, rd) in configured {
        let user = *users.entry(rd).or_insert(vni);
        result.insert(vni, if user == vni { Ok(rd) } else { Err(user) });
    }
    for (vni, _) in vnis.filter(|(_, rd)| rd.is_none()) {
        let [_, _, high, low] = vni.get().to_be_bytes();
        let start = u16::from_be_bytes([high, low]);
        let preferred = RouteDistinguisher::of_address(router_id, start);
        let free = (0..=u16::MAX)
            .map(|step| RouteDistinguisher::of_address(router_id, start.wrapping_add(step)))
            .find(|rd| !users.contains_key(rd));
        let rd = match free {
            Some(rd) => {
                users.insert(rd, vni);
                Ok(rd)
            }
            None => Err(users.get(&preferred).copied().unwrap_or(vni)),
        };
        result.insert(vni, rd);
    }
    result
}

/// Those who import, VNIs or VRFs, by what they import.
#[derive(Debug, Clone)]
pub(crate) struct ImportIndex<K> {
    exact: BTreeMap<ExtendedCommunity, BTreeSet<K>>,
    any_as: BTreeMap<u32, BTreeSet<K>>,
}

impl<K> Default for ImportIndex<K> {
    fn default() -> Self {
        Self {
            exact: BTreeMap::new(),
            any_as: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> ImportIndex<K> {
    pub(crate) fn new(importers: impl Iterator<Item = (K, Vec<ImportTarget>)>) -> Self {
        let mut index = Self::default();
        for (importer, targets) in importers {
            for target in targets {
                let of = match target {
                    ImportTarget::Exact(target) => {
                        index.exact.entry(canonical(target)).or_default()
                    }
                    ImportTarget::AnyAs(number) => index.any_as.entry(number).or_default(),
                };
                of.insert(importer.clone());
            }
        }
        index
    }

    /// Those that a route with these communities belongs to.
    pub(crate) fn importers(&self, communities: &[ExtendedCommunity]) -> BTreeSet<K> {
        let mut importers = BTreeSet::new();
        for community in communities.iter().filter(|target| target.is_route_target()) {
            let exact = self.exact.get(&canonical(*community));
            importers.extend(exact.into_iter().flatten().cloned());
            if let Some((_, number)) = community.route_target_of_as() {
                let any_as = self.any_as.get(&number);
                importers.extend(any_as.into_iter().flatten().cloned());
            }
        }
        importers
    }
}

/// One form for a target that has two: a small AS number in four octets is written in two.
fn canonical(target: ExtendedCommunity) -> ExtendedCommunity {
    target
        .route_target_of_as()
        .and_then(|(asn, number)| ExtendedCommunity::route_target(asn, number))
        .unwrap_or(target)
}

#[cfg(test)]
mod tests;
