//! What two routers or machines claim that only one can have: somebody has to look.
//!
//! Nothing of it changes what is decided: routes that claim an address of ours are left out
//! ([`crate::Fault`]), and of two routers with one MAC address the lower tunnel endpoint counts
//! ([`crate::vrf`]). But whoever sent the route believes in it, and traffic goes astray there. So it
//! is not left to whoever asks for that one route: [`Instance::concerns`] has all of them, at the
//! cost of a look-up for each address of our own, and for each static address that somebody else claims,
//! too, which are noted as they are decided.
//!
//! Not here: addresses that move between two places ([`crate::duplicate`]), and two sites beside this
//! one with the same tunnel endpoint: a pair of switches may have one in common, and where a machine
//! of theirs is does not show in the routes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use bgp::{MacAddress, Vni};

use crate::duplicate::{Address, is_virtual};
use crate::instance::Instance;
use crate::mobility::Claim;
use crate::path::Route;
use crate::resolve::{MacOwner, mac_of};

/// Something that two have and only one can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Concern {
    /// A route of another site gives an address of this router, the gateway's or its own, to a
    /// machine. It is not used.
    OwnAddress {
        /// In this VNI.
        vni: Vni,
        /// Which.
        address: Address,
        /// The MAC address of the machine.
        mac: MacAddress,
        /// Where it is.
        vtep: IpAddr,
    },
    /// Another router has our tunnel endpoint. Its routes are not used.
    OwnVtep {
        /// The address.
        vtep: IpAddr,
    },
    /// Two routers have one MAC address for routed packets (RFC 9135 §8.1).
    RouterMac {
        /// In this L3 VNI.
        vni: Vni,
        /// The address.
        mac: MacAddress,
        /// Their tunnel endpoints, our own first if we are one of them.
        vteps: (IpAddr, IpAddr),
    },
    /// A MAC address is static at one site, and another one claims it (RFC 7432 §15.2).
    Static {
        /// In this VNI.
        vni: Vni,
        /// The address.
        mac: MacAddress,
        /// The tunnel endpoints of the site that has it and of the other one.
        vteps: (IpAddr, IpAddr),
        /// It is static at the other one as well.
        both: bool,
    },
    /// Machines here have addresses in none of the subnets of their VNI, which routers of other sites
    /// are not told ([`NeighbourStatus::outside`](crate::NeighbourStatus)).
    Outside {
        /// This VNI.
        vni: Vni,
    },
}

impl Concern {
    /// The VNI that it is about; `None` for all.
    pub fn vni(&self) -> Option<Vni> {
        match self {
            Concern::OwnAddress { vni, .. }
            | Concern::RouterMac { vni, .. }
            | Concern::Static { vni, .. }
            | Concern::Outside { vni } => Some(*vni),
            Concern::OwnVtep { .. } => None,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Concern::OwnAddress { .. } => "give that machine another address",
            Concern::OwnVtep { .. } => "give one of the two another `vtep` in [evpn]",
            Concern::RouterMac { .. } => {
                "set another `router_mac` of [instance.l3vni] at one of the two"
            }
            Concern::Static { .. } => {
                "take the static entry out where the machine is not, or give one of two machines \
                 another address; if it has moved to where it is static, `rbgpctl evpn \
                 clear-duplicate` ends this line"
            }
            Concern::Outside { .. } => {
                "`rbgpctl show evpn neighbors` names them; give those machines other addresses, or \
                 the VNI a gateway in their subnet"
            }
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concern::OwnAddress {
                vni,
                address: Address::Mac(own),
                vtep,
                ..
            } => write!(
                f,
                "VNI {vni}: {own} is this router's, and {vtep} has a machine that uses it, too; \
                 frames for that machine do not leave this site"
            ),
            Concern::OwnAddress {
                vni,
                address: Address::Ip(own),
                mac,
                vtep,
            } => write!(
                f,
                "VNI {vni}: {own} is this router's, and the machine {mac} at {vtep} uses it, too; \
                 its neighbors there may take it for their gateway"
            ),
            Concern::OwnVtep { vtep } => write!(
                f,
                "another router has our tunnel endpoint {vtep}; its routes are not used, and \
                 packets for one of the two go to the other"
            ),
            Concern::RouterMac { vni, mac, vteps } => write!(
                f,
                "L3 VNI {vni}: the routers {} and {} have the same router MAC {mac}; routed packets \
                 reach only one of them",
                vteps.0, vteps.1
            ),
            Concern::Static {
                vni,
                mac,
                vteps: (here, there),
                both: true,
            } => write!(
                f,
                "VNI {vni}: {mac} is static at {here} and at {there}; frames go to {here}"
            ),
            Concern::Static {
                vni,
                mac,
                vteps: (here, there),
                both: false,
            } => write!(
                f,
                "VNI {vni}: {mac} is static at {here}, and {there} has learned it; frames go to \
                 {here}"
            ),
            Concern::Outside { vni } => write!(
                f,
                "VNI {vni}: machines here have addresses that lie in none of its subnets; other sites \
                 are not told to route those here"
            ),
        }
    }
}

impl Instance {
    /// Everything that somebody should look at, by VNI and address.
    pub fn concerns(&self) -> BTreeSet<Concern> {
        let mut concerns = BTreeSet::new();
        let Some(own) = self.vtep else {
            return concerns;
        };
        if self.facts.routes.sites().contains_key(&own) {
            concerns.insert(Concern::OwnVtep { vtep: own });
        }
        for vni in self.networks.keys() {
            self.claims_of_ours(*vni, &mut concerns);
        }
        for ((_, name), (mac, vtep)) in &self.vrfs.mirrored {
            concerns.extend(self.vrfs.tables.get(name).map(|vrf| Concern::RouterMac {
                vni: vrf.config.vni,
                mac: *mac,
                vteps: (own, *vtep),
            }));
        }
        for ((vni, mac), vteps) in self.vrfs.router_mac_owners() {
            let mut vteps = vteps.into_iter();
            if let (Some(first), Some(second)) = (vteps.next(), vteps.next()) {
                concerns.insert(Concern::RouterMac {
                    vni,
                    mac,
                    vteps: (first, second),
                });
            }
        }
        let contested = self.contested.iter();
        concerns.extend(contested.filter_map(|(vni, mac)| self.contest(*vni, *mac)));
        let outside = self.outside.iter();
        concerns.extend(outside.map(|(vni, _)| Concern::Outside { vni: *vni }));
        concerns
    }

    /// Notes whether somebody else claims an address that is static where it is.
    pub(crate) fn note_contested(&mut self, vni: Vni, mac: MacAddress, owner: Option<MacOwner>) {
        let owner = owner.filter(|owner| owner.claim.sticky);
        self.note_displaced(vni, mac, owner.as_ref());
        match owner.and_then(|owner| self.rival_of(vni, mac, &owner)) {
            Some(_) => self.contested.insert((vni, mac)),
            None => !self.contested.is_empty() && self.contested.remove(&(vni, mac)),
        };
    }

    /// Notes whether a machine of this site has to give way. The kernel forgets it as soon as the
    /// other site's entry is there, so it counts until that site gives the address up, or somebody
    /// says that the machine has only moved.
    fn note_displaced(&mut self, vni: Vni, mac: MacAddress, owner: Option<&MacOwner>) {
        let there = owner.filter(|owner| !owner.here && !is_virtual(mac));
        let there = there.map(|owner| owner.claim.vtep);
        let station = self.facts.stations.get(&(vni, mac));
        let here = station.is_some_and(|station| station.local().is_some());
        match there {
            Some(vtep) if here => drop(self.displaced.insert((vni, mac), vtep)),
            Some(vtep) if self.displaced.get(&(vni, mac)) == Some(&vtep) => {}
            Some(_) | None if self.displaced.is_empty() => {}
            Some(_) | None => drop(self.displaced.remove(&(vni, mac))),
        }
    }

    /// A machine here uses an address that the kernel has elsewhere.
    pub(crate) fn note_heard(&mut self, vni: Vni, mac: MacAddress) {
        let owner = self.mac_owner(vni, mac).filter(|_| !is_virtual(mac));
        if let Some(owner) = owner.filter(|owner| owner.claim.sticky && !owner.here) {
            self.displaced.insert((vni, mac), owner.claim.vtep);
            self.note_contested(vni, mac, Some(owner));
        }
    }

    /// The claim that the kernel would have for a machine here that had to give way.
    pub(crate) fn displaced_claim(&self, vni: Vni, mac: MacAddress, own: IpAddr) -> Option<Claim> {
        self.displaced.contains_key(&(vni, mac)).then_some(Claim {
            sticky: false,
            sequence: 0,
            vtep: own,
        })
    }

    /// Notes whether the address of a machine here lies in no subnet.
    pub(crate) fn note_outside(&mut self, vni: Vni, ip: IpAddr, here: bool) {
        let network = self.networks.get(&vni).filter(|_| here);
        match network.is_some_and(|network| network.is_outside(ip)) {
            true => self.outside.insert((vni, ip)),
            false => !self.outside.is_empty() && self.outside.remove(&(vni, ip)),
        };
    }

    fn contest(&self, vni: Vni, mac: MacAddress) -> Option<Concern> {
        let owner = self.mac_owner(vni, mac).filter(|it| it.claim.sticky)?;
        let rival = self.rival_of(vni, mac, &owner)?;
        Some(Concern::Static {
            vni,
            mac,
            vteps: (owner.claim.vtep, rival.vtep),
            both: rival.sticky,
        })
    }

    /// The best claim of another site than the one that has an address. Those of virtual routers and
    /// of gateways that say so are at several sites on purpose.
    fn rival_of(&self, vni: Vni, mac: MacAddress, owner: &MacOwner) -> Option<Claim> {
        let (network, own) = self.active(vni)?;
        let station = self.facts.stations.get(&(vni, mac))?;
        let remotes = self.facts.routes.of(&station.remotes);
        let usable = remotes.filter(|it| self.fault(network, own, it).is_none());
        let usable = usable.filter(|it| !it.path.default_gateway);
        let claims = usable.map(|it| Claim::of(&it.path));
        let here = self.local_claim(vni, station, own);
        let here = here.or_else(|| self.displaced_claim(vni, mac, own));
        let all = claims.chain(here);
        all.filter(|claim| claim.vtep != owner.claim.vtep && !is_virtual(mac))
            .max()
    }

    fn claims_of_ours(&self, vni: Vni, concerns: &mut BTreeSet<Concern>) {
        let Some((network, own)) = self.active(vni) else {
            return;
        };
        let (macs, ips) = network.own_addresses();
        // A gateway that says so is the same one at another site, or stands beside it.
        let machine = |route: &&Route| {
            let fault = route.path.fault(&route.key, vni, own);
            fault.is_none() && !route.path.default_gateway
        };
        for mac in &macs {
            let station = self.facts.stations.get(&(vni, *mac));
            let claims = station
                .iter()
                .flat_map(|it| self.facts.routes.of(&it.remotes));
            let claims = claims.filter(machine);
            concerns.extend(claims.map(|route| Concern::OwnAddress {
                vni,
                address: Address::Mac(*mac),
                mac: *mac,
                vtep: route.path.vtep,
            }));
        }
        for ip in &ips {
            let host = self.facts.hosts.get(&(vni, *ip));
            let claims = host.iter().flat_map(|it| self.facts.routes.of(&it.remotes));
            let claims = claims.filter(machine);
            for route in claims {
                let Some(mac) = mac_of(&route.key).filter(|mac| !macs.contains(mac)) else {
                    continue;
                };
                concerns.insert(Concern::OwnAddress {
                    vni,
                    address: Address::Ip(*ip),
                    mac,
                    vtep: route.path.vtep,
                });
            }
        }
    }
}
