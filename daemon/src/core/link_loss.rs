//! A device that is gone takes the sessions of those behind it along.
//!
//! Nothing gets through any longer, and waiting for the hold time would leave the neighbour's next
//! connection without an answer for as long: a device that is made anew has another number, so the
//! old connection never recovers (FRR: `bgp fast-external-failover`, which is its default, too).
//! That holds for neighbours on a link of ours; the others may have another way.
//!
//! Which device that is gets noted when the session comes up, since addresses leave before their
//! device does. When it is back, under whatever number, the neighbours are called at once. Routes
//! through the device are not dealt with here: the ground has changed.

use bgp::rib::PeerId;

use super::Core;
use crate::peer_io::Command;

impl Core {
    /// The device that a neighbour on a link of ours is behind.
    pub(super) fn device_of(&self, peer: PeerId) -> Option<u32> {
        let config = &self.neighbors.get(&peer)?.config;
        let on_link = config.is_on_link(self.config.asn);
        on_link.then(|| self.install.ground.device_of(config.address))?
    }

    /// What the kernel says of a device, before it is noted.
    pub(super) fn look_for_loss(&mut self, link: &fib::Link) {
        let before = self.install.ground.links.get(link.index);
        if before.is_some_and(|before| before.running) && !link.running {
            self.link_lost(link.index);
        }
    }

    /// A device is down, or about to be forgotten.
    pub(super) fn link_lost(&mut self, index: u32) {
        let Some(link) = self.install.ground.links.get(index) else {
            return;
        };
        let interface = link.name.to_string();
        let behind = self.neighbors.values_mut();
        for neighbor in behind.filter(|it| it.device() == Some(index)) {
            neighbor.lose_link(interface.clone());
        }
    }

    /// A device carries frames again, or has another address to connect from: neighbours that were
    /// lost with it are called at once, whatever their attempts have come to meanwhile.
    pub(super) fn link_is_back(&self, index: u32) {
        let ground = &self.install.ground;
        if !ground.links.get(index).is_some_and(|link| link.running) {
            return;
        }
        let lost = self.neighbors.values().filter(|it| it.has_lost_link());
        for neighbor in lost.filter(|it| ground.device_of(it.address()) == Some(index)) {
            neighbor.command(Command::LinkIsBack);
        }
    }
}
