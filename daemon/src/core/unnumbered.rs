//! Neighbours that are known by their interface (BGP unnumbered).
//!
//! `advertisements` tells on which interface a router was heard, and with which link-local
//! address. With that it is a neighbour like any other; its routes have that address as next hop
//! (RFC 8950 for IPv4), which leads out of that interface whatever the routing table says of
//! link-local networks. One neighbour an interface: another address replaces it only while there
//! is no session.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use bgp::family::PerFamily;
use bgp::rib::{self, PeerId};
use bgp::{InterfaceName, ScopedAddr};

use super::Core;
use super::neighbor::Origin;
use crate::advertisements::Link;
use crate::config::{Config, InterfaceNeighbor};

impl Core {
    /// Says on which interfaces we are, and wants to hear who else is.
    pub(super) fn advertise(&mut self) {
        let interfaces = self.config.interfaces.iter();
        let links = interfaces.map(|it| (it.interface.clone(), it.advertisement_interval));
        let links: Vec<Link> = links.collect();
        if links.is_empty() && self.hands.advertisements.is_none() {
            return;
        }
        let sender = self
            .hands
            .advertisements
            .get_or_insert_with(|| self.hands.spawner.advertisements());
        sender.send_if_modified(|known| {
            let changed = *known != links;
            *known = links;
            changed
        });
    }

    /// A router was heard on an interface.
    pub(super) fn heard(&mut self, name: &str, ip: Ipv6Addr) {
        let wanted = self
            .config
            .interfaces
            .iter()
            .find(|it| it.interface == name);
        let Some(wanted) = wanted.cloned().filter(|_| self.stopping.is_none()) else {
            return;
        };
        let address = ScopedAddr::new(IpAddr::V6(ip), InterfaceName::new(name));
        if let Some((former, up)) = self.on_interface(name) {
            if up && former != address {
                // Said once: a router that has another address from now on says no more.
                self.heard_beside.insert(name.to_owned(), ip);
            } else {
                self.heard_beside.remove(name);
            }
            if former == address || up {
                return;
            }
            tracing::info!(%former, %address, "another router on the interface");
            self.remove_neighbor(former);
        }
        if self.by_address.contains_key(&address) {
            tracing::warn!(
                %address,
                "the router on the interface is a neighbor already, which the configuration names \
                 by its address: one of the two entries is enough"
            );
            return;
        }
        tracing::info!(neighbor = %address, "router heard");
        self.add_neighbor(wanted.neighbor(address), Origin::Interface);
    }

    /// The session on an interface is over: who was heard there meanwhile is next.
    pub(super) fn hear_next(&mut self, name: &str) {
        if let Some(ip) = self.heard_beside.remove(name) {
            self.heard(name, ip);
        }
    }

    /// After a run that broke off: the neighbours on interfaces are waited for like those with an
    /// address, so that what the kernel forwards to them stays until they have sent their routes.
    pub(super) fn reserve(&mut self, peers: &mut PerFamily<BTreeSet<PeerId>>) {
        let interfaces = self.config.interfaces.clone();
        for InterfaceNeighbor {
            interface,
            settings,
            ..
        } in interfaces.into_iter().filter(|it| !it.settings.shutdown)
        {
            let Some(id) = self.free_id() else { continue };
            for (family, active) in settings.families.iter() {
                if active.is_some() {
                    peers.get_mut(family).insert(id);
                }
            }
            self.reserved.insert(interface, id);
        }
    }

    /// The number that a neighbour was waited for with.
    pub(super) fn reserved_for(&mut self, address: ScopedAddr, origin: &Origin) -> Option<PeerId> {
        match origin {
            Origin::Interface => self.reserved.remove(address.zone()?),
            Origin::Address | Origin::Range(_) => None,
        }
    }

    /// The neighbour on an interface, and whether its session is up.
    fn on_interface(&self, name: &str) -> Option<(ScopedAddr, bool)> {
        let mut neighbors = self.neighbors.values();
        let found = neighbors.find(|it| it.interface() == Some(name))?;
        Some((found.address(), found.is_up()))
    }

    /// The interfaces of a new configuration.
    pub(super) fn apply_interfaces(&mut self, old: &Config, new: &Config) {
        let known: Vec<(PeerId, ScopedAddr)> = self
            .neighbors
            .iter()
            .filter(|(_, neighbor)| neighbor.interface().is_some())
            .map(|(id, neighbor)| (*id, neighbor.address()))
            .collect();
        for (id, address) in known {
            let mut wanted = new.interfaces.iter();
            match wanted.find(|it| Some(it.interface.as_str()) == address.zone()) {
                Some(wanted) => {
                    self.change_neighbor(id, wanted.neighbor(address), Origin::Interface, old);
                }
                None => self.remove_neighbor(address),
            }
        }
        let wanted = |name: &String| new.interfaces.iter().any(|it| it.interface == *name);
        let given_up: Vec<PeerId> = self
            .reserved
            .extract_if(|name, _| !wanted(name))
            .map(|(_, id)| id)
            .collect();
        for id in given_up {
            self.hand_in(rib::Input::PeerRemoved(id));
        }
        self.advertise();
    }

    /// Interfaces on which nobody was heard, with the next step.
    pub(super) fn interface_notices(&self) -> impl Iterator<Item = String> {
        let interfaces = self.config.interfaces.iter();
        let lonely = interfaces.filter(|it| self.on_interface(&it.interface).is_none());
        // Without the kernel no device is known.
        let ground = &self.install.ground;
        let unknown = ground.links.iter().next().is_none();
        lonely.map(move |it| {
            let there = unknown || ground.zone(&it.interface).is_some();
            notice(&it.interface, there)
        })
    }
}

/// Nobody was heard on an interface, which is there or is not.
fn notice(interface: &str, there: bool) -> String {
    match there {
        true => format!(
            "interface {interface}: no router was heard; check that it is up, has a link-local \
             address, and that the other side sends router advertisements"
        ),
        false => format!(
            "interface {interface}: there is no such device; check its name, or make it: the \
             neighbour is looked for as soon as it is there"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::notice;

    #[test]
    fn a_device_that_is_not_there_is_said_to_be_missing() {
        assert!(notice("eth1", true).starts_with("interface eth1: no router was heard; "));
        let missing = notice("notthere", false);
        assert!(
            missing.starts_with("interface notthere: there is no such device; "),
            "{missing}"
        );
    }
}
