//! Where packets to tunnel endpoints of other sites leave this host.
//!
//! A tunnel is worth what the underlay's route to its end is worth, and nothing in EVPN says so: an
//! endpoint whose route is gone keeps its routes, MAC addresses and entries in the kernel, and frames
//! to it are lost without a word. The way is worked out as that of any next hop ([`crate::install`]),
//! from routes of others and from our own best ones. Unlike a next hop's it may be the default
//! route, which the kernel takes as well; where that is the only one the underlay may have lost the
//! one that it should have.
//!
//! It is said (`show evpn vteps`, `show summary`, metrics, the log), and nothing follows: a site whose route is
//! lost for a second would otherwise take all its MAC addresses along.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp::rib::PeerId;
use bgp::{Nlri, Prefix};

use super::Core;
use crate::control::reply::{Underneath, UnderneathWay};
use crate::ground::prefixes_of;
use crate::metrics::TunnelNumbers;

/// How many endpoints a notice names.
const NAMED_MAX: usize = 3;

impl Core {
    /// How a tunnel endpoint is reached; `None` where there is no kernel to ask.
    pub(super) fn underneath(&self, vtep: IpAddr) -> Option<Underneath> {
        self.hands.kernel.as_ref()?;
        let ways = |ways: Vec<(Option<IpAddr>, fib::Device)>| {
            let way = |(gateway, device): (Option<IpAddr>, fib::Device)| UnderneathWay {
                // What is on the link itself is its own gateway.
                gateway: gateway.filter(|gateway| *gateway != vtep),
                interface: device.as_str().to_owned(),
            };
            ways.into_iter().map(way).collect()
        };
        let found = self.install.ways_to(vtep, &self.rib);
        if !found.is_empty() {
            return Some(Underneath::Route(ways(found)));
        }
        // A route that drops packets, or whose interface is down, is the one that the kernel takes.
        if self.is_covered(vtep) {
            return Some(Underneath::Nothing);
        }
        let by_default = self.install.ways_by_default(vtep, &self.rib);
        Some(match by_default.is_empty() {
            true => Underneath::Nothing,
            false => Underneath::Default(ways(by_default)),
        })
    }

    /// True if the kernel has a route to an address that is not the default one.
    fn is_covered(&self, addr: IpAddr) -> bool {
        let written = |prefix: Prefix| {
            let route = self.rib.route(&Nlri::from(prefix));
            let best = route.and_then(|route| route.paths.into_iter().find(|path| path.best));
            best.is_some_and(|best| {
                let notes = best.attributes.notes();
                let ours = best.peer != PeerId::LOCAL || notes.blackhole;
                ours && self.install.ground.is_here(notes)
            })
        };
        self.install.ground.longest_match(addr).is_some() || prefixes_of(addr).any(written)
    }

    /// Endpoints that frames or packets of ours go to.
    fn endpoints(&self) -> BTreeSet<IpAddr> {
        let flooded = self.evpn.vnis().into_iter().flat_map(|vni| vni.sites());
        let vrfs = self.evpn.vrfs().into_iter();
        let routers = vrfs.flat_map(|vrf| vrf.routers).map(|router| router.vtep);
        flooded.chain(routers).collect()
    }

    /// How each of them is reached; none where there is no kernel to ask.
    pub(in crate::core) fn endpoint_ways(&self) -> Vec<(IpAddr, Underneath)> {
        let endpoints = self.endpoints().into_iter();
        let way = |vtep| Some((vtep, self.underneath(vtep)?));
        endpoints.filter_map(way).collect()
    }

    /// Endpoints without a route, and those with nothing better than the default route.
    pub(super) fn tunnel_notices(&self) -> Vec<String> {
        let (mut nothing, mut by_default) = (Vec::new(), Vec::new());
        for (vtep, by) in self.endpoint_ways() {
            match by {
                Underneath::Nothing => nothing.push(vtep),
                Underneath::Default(_) => by_default.push(vtep),
                Underneath::Route(_) => {}
            }
        }
        let lost = "what machines here send there is lost";
        let unsure = "what machines here send there follows it, wherever it leads";
        let mut notices = Vec::new();
        for (vteps, how, what) in [
            (nothing, "no route leads", lost),
            (by_default, "only the default route leads", unsure),
        ] {
            if let Some(first) = vteps.first() {
                notices.push(format!(
                    "{how} to {}: {what}; look at the underlay (`ip route get {first}`, `rbgpctl show \
                     evpn vteps`)",
                    named(&vteps)
                ));
            }
        }
        notices
    }

    pub(super) fn tunnel_numbers(&self) -> Option<TunnelNumbers> {
        self.hands.kernel.as_ref()?;
        let mut numbers = TunnelNumbers::default();
        for (_, by) in self.endpoint_ways() {
            match by {
                Underneath::Route(_) => numbers.route += 1,
                Underneath::Default(_) => numbers.default += 1,
                Underneath::Nothing => numbers.nothing += 1,
            }
        }
        Some(numbers)
    }
}

/// The first few of them, and how many there are.
pub(in crate::core) fn named(vteps: &[IpAddr]) -> String {
    let first = vteps.iter().take(NAMED_MAX).map(ToString::to_string);
    let names = first.collect::<Vec<_>>().join(", ");
    match vteps.len() {
        1 => format!("the tunnel endpoint {names}"),
        number if number <= NAMED_MAX => format!("the tunnel endpoints {names}"),
        number => format!("{number} tunnel endpoints ({names}, ..)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_endpoints_are_named_and_many_are_counted() {
        let vteps: Vec<IpAddr> = (1..=5).map(|number| [10, 10, 0, number].into()).collect();
        assert_eq!(named(&vteps[..1]), "the tunnel endpoint 10.10.0.1");
        assert_eq!(
            named(&vteps[..2]),
            "the tunnel endpoints 10.10.0.1, 10.10.0.2"
        );
        assert_eq!(
            named(&vteps),
            "5 tunnel endpoints (10.10.0.1, 10.10.0.2, 10.10.0.3, ..)"
        );
    }
}
