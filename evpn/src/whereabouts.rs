//! Questions of those who look for stations themselves: whose is an address as things stand, and
//! which number was told of it? And whether its entry is in the kernel, as whoever writes it has noted.
//!
//! The first is answered by the functions that decide ([`crate::resolve`]); nothing is kept for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp::{EvpnKey, MacAddress, Vni};

use crate::duplicate::Address;
use crate::instance::Instance;
use crate::resolve::ip_of;
use crate::station::Place;

impl Instance {
    /// Whether a MAC address is here: our own claim to it is the best.
    pub fn is_here(&self, vni: Vni, mac: MacAddress) -> bool {
        let owner = self.mac_owner(vni, mac);
        owner.is_some_and(|owner| owner.here)
    }

    /// Whether a MAC address is at another site, and static there.
    pub fn is_static_elsewhere(&self, vni: Vni, mac: MacAddress) -> bool {
        let owner = self.mac_owner(vni, mac);
        owner.is_some_and(|owner| owner.claim.sticky && !owner.here)
    }

    /// Sequence numbers above 0 of stations of this site, as they are told, and what is still known of
    /// an earlier run. Other sites may remember them longer than this one lives: a program that
    /// starts again while its routes are kept gives them back ([`crate::Input::SetSequences`]),
    /// since a lower number than before is an old claim to everybody else (RFC 7432 §15).
    pub fn sequences(&self) -> BTreeMap<(Vni, MacAddress), u32> {
        let mut sequences = self.sequences_before.clone();
        for (key, (vni, attributes)) in self.told.wanted() {
            let EvpnKey::MacIp { mac, ip: None, .. } = key else {
                continue;
            };
            let communities = attributes.extended_communities.iter();
            let numbers = communities.filter_map(|it| it.as_mac_mobility());
            for (sequence, _) in numbers.filter(|(sequence, _)| *sequence > 0) {
                let known = sequences.entry((*vni, *mac)).or_default();
                *known = sequence.max(*known);
            }
        }
        sequences
    }

    /// The MAC address of an IP address that is here.
    pub fn bound_here(&self, vni: Vni, ip: IpAddr) -> Option<MacAddress> {
        let owner = self.ip_owner(vni, ip)?;
        (owner.place == Place::Here).then_some(owner.mac)
    }

    /// IP addresses that other sites bind to a MAC address: a station that has come from there may
    /// have them still.
    pub fn bound_elsewhere(&self, vni: Vni, mac: MacAddress) -> BTreeSet<IpAddr> {
        let station = self.facts.stations.get(&(vni, mac));
        let slots = station.map_or(&[][..], |station| &station.remotes);
        let routes = self.facts.routes.of(slots);
        routes.filter_map(|route| ip_of(&route.key)).collect()
    }

    /// The entry of [`Output::SetMac`](crate::Output::SetMac) or
    /// [`Output::SetNeighbour`](crate::Output::SetNeighbour) is in the kernel, or is not: a mark that
    /// costs nothing and goes when the entry is no longer wanted. False if it is not wanted, or is a
    /// router's, which have no marks.
    pub fn mark(&mut self, vni: Vni, address: Address, there: bool) -> bool {
        self.facts.mark(vni, address, there)
    }

    /// Whether an address is marked.
    pub fn is_marked(&self, vni: Vni, address: Address) -> bool {
        self.facts.is_marked(vni, address)
    }

    /// How many addresses are marked.
    pub fn marked(&self) -> usize {
        self.facts.marked()
    }

    /// Whether an IP address should have a neighbour entry that leads to another site.
    pub fn has_neighbour(&self, vni: Vni, ip: IpAddr) -> bool {
        let host = self.facts.hosts.get(&(vni, ip));
        host.is_some_and(|host| host.neighbour().is_some())
            || self.vrfs.router_neighbours.is_wanted(&(vni, ip))
    }
}
