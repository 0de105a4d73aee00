//! Routes of our own enter the tables, and leave them, as the configuration and the kernel say.

use bgp::rib::PeerId;
use bgp::{Family, Prefix};

use super::Core;
use crate::own_routes::Own;

impl Core {
    /// The configuration says this now.
    pub(super) fn announce_own(&mut self, own: Own) {
        let own = own.validated_by(self.rpki.used.clone());
        let before = std::mem::replace(&mut self.own, own);
        if before.tables() != self.own.tables()
            && let Some(kernel) = &self.hands.kernel
        {
            kernel.observe_foreign(self.own.tables().clone());
        }
        let concerned = self
            .own
            .concerned_by_settings(&before, &self.install.ground);
        // What is still told of others is another instance's, and would not be told again.
        self.install.ground.keep_tables(self.own.tables());
        self.announce(concerned);
        self.refresh_shared_networks();
    }

    /// Other VRPs are in use: route-maps may say something else.
    pub(super) fn validate_own(&mut self) {
        self.own.set_validation(self.rpki.used.clone());
        self.announce(self.own.concerned_by_validation(&self.install.ground));
    }

    /// A route of others changed.
    pub(super) fn foreign_changed(&mut self, table: u32, prefix: Prefix) {
        self.ground_changed |= self.install.ground.leads_by(table);
        self.announce(self.own.concerned_by_route(table, prefix));
        self.offer_local(prefix);
    }

    /// A device changed in what it is called, or whether it can send.
    pub(super) fn device_changed(&mut self, index: u32) {
        self.announce(self.own.concerned_by_link(index, &self.install.ground));
    }

    /// Addresses of a device may be there, or in another table, that were not.
    pub(super) fn hosts_changed(&mut self, index: u32) {
        for (table, prefix) in self.install.ground.settle_hosts(index) {
            if self.own.tables().contains(&table) {
                self.announce(self.own.concerned_by_route(table, prefix));
                self.offer_local(prefix);
            }
        }
    }

    pub(super) fn announce(&mut self, prefixes: impl IntoIterator<Item = Prefix>) {
        for prefix in prefixes {
            let input = self.own.input(prefix, &self.install.ground);
            self.hand_in(input);
        }
    }

    /// Networks that a neighbour and we are both on, where next hops of others may be told.
    pub(super) fn shared_networks(&self, peer: PeerId) -> Vec<Prefix> {
        let told = |family| self.own.has_gateways(family);
        let Some(neighbor) = self.neighbors.get(&peer) else {
            return Vec::new();
        };
        match told(Family::Ipv4Unicast) || told(Family::Ipv6Unicast) {
            true => self.install.ground.networks_of(neighbor.address().ip()),
            false => Vec::new(),
        }
    }

    /// Own addresses or the configuration changed.
    pub(super) fn refresh_shared_networks(&mut self) {
        let up = self.neighbors.iter();
        let up = up.filter(|(_, neighbor)| neighbor.local().is_some());
        let up: Vec<PeerId> = up.map(|(id, _)| *id).collect();
        for peer in up {
            let networks = self.shared_networks(peer);
            self.hand_in(bgp::rib::Input::SharedNetworks(peer, networks));
        }
    }
}
