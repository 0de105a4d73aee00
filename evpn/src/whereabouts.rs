//! Questions of those who look for stations themselves: whose is an address as things stand?
//!
//! Answered by the functions that decide ([`crate::resolve`]); nothing is kept for it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp::{MacAddress, Vni};

use crate::instance::Instance;
use crate::resolve::ip_of;
use crate::station::Place;

impl Instance {
    /// Whether a MAC address is here: our own claim to it is the best.
    pub fn is_here(&self, vni: Vni, mac: MacAddress) -> bool {
        let owner = self.mac_owner(vni, mac);
        owner.is_some_and(|owner| owner.place == Place::Here)
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
        let routes = station.map_or(&[][..], |station| &station.remotes);
        routes
            .iter()
            .filter_map(|route| ip_of(&route.key))
            .collect()
    }

    /// Whether an IP address should have a neighbour entry that leads to another site.
    pub fn has_neighbour(&self, vni: Vni, ip: IpAddr) -> bool {
        self.neighbours.is_wanted(&(vni, ip))
    }
}
