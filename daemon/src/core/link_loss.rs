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
//!
//! A device without carrier is as good as one that is down, unless nobody wants to know of its carrier
//! (`link_detect = false`): then it counts as up, here and in all that asks the ground.

use std::collections::BTreeSet;

use bgp::rib::PeerId;
use fib::{Link, Links};

use super::Core;
use crate::config::Config;
use crate::peer_io::Command;

/// Which devices are without carrier.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    without: BTreeSet<u32>,
}

impl Carrier {
    /// A device as it counts: without carrier it is down, but for those of which nobody wants to know.
    pub(super) fn seen(&mut self, link: Link, unasked: &BTreeSet<String>) -> Link {
        let without = link.up && !link.running;
        match without {
            true => self.without.insert(link.index),
            false => self.without.remove(&link.index),
        };
        let counts = without && unasked.contains(link.name.as_str());
        Link {
            running: link.running || counts,
            ..link
        }
    }

    pub(super) fn gone(&mut self, index: u32) {
        self.without.remove(&index);
    }

    /// As the kernel has them: those that count otherwise than before.
    fn changed(&self, [before, after]: [&BTreeSet<String>; 2], links: &Links) -> Vec<Link> {
        let differs = |link: &&Link| {
            before.contains(link.name.as_str()) != after.contains(link.name.as_str())
        };
        let without = self.without.iter().filter_map(|index| links.get(*index));
        let raw = |link: &Link| Link {
            running: false,
            ..link.clone()
        };
        without.filter(differs).map(raw).collect()
    }
}

impl Core {
    /// The device that a neighbour on a link of ours is behind.
    pub(super) fn device_of(&self, peer: PeerId) -> Option<u32> {
        let config = &self.neighbors.get(&peer)?.config;
        let on_link = config.is_on_link(self.config.asn);
        on_link.then(|| self.install.ground.device_of(config.address))?
    }

    /// Devices without carrier that count otherwise than by a former configuration.
    pub(super) fn change_link_detect(&mut self, old: &Config) {
        let unasked = [&old.without_link_detect, &self.config.without_link_detect];
        let changed = self.carrier.changed(unasked, &self.install.ground.links);
        for link in changed {
            self.kernel_event(fib::Event::Link(link));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn without_carrier(index: u32, name: &str) -> Link {
        Link {
            running: false,
            ..Link::new(index, name)
        }
    }

    #[test]
    fn a_device_whose_carrier_nobody_asks_for_counts_as_up_without_one() {
        let unasked: BTreeSet<String> = ["eth1".to_owned()].into();
        let mut carrier = Carrier::default();
        let mut counts = |link: Link| carrier.seen(link, &unasked).running;
        assert!(!counts(without_carrier(1, "eth0")));
        assert!(counts(without_carrier(2, "eth1")));
        // One that is down has nothing to count by.
        let down = Link {
            up: false,
            ..without_carrier(2, "eth1")
        };
        assert!(!counts(down));
        assert!(counts(Link::new(1, "eth0")));
    }

    #[test]
    fn what_counts_otherwise_from_now_on_is_said_as_the_kernel_has_it() {
        let (none, one): (BTreeSet<String>, _) = (BTreeSet::new(), ["eth1".to_owned()].into());
        let (mut carrier, mut links) = (Carrier::default(), Links::default());
        for link in [
            without_carrier(1, "eth0"),
            without_carrier(2, "eth1"),
            without_carrier(3, "eth2"),
        ] {
            links.insert(carrier.seen(link, &none));
        }
        assert_eq!(carrier.changed([&none, &none], &links), []);
        let changed = carrier.changed([&none, &one], &links);
        assert_eq!(changed, [without_carrier(2, "eth1")]);
        links.insert(carrier.seen(without_carrier(2, "eth1"), &one));
        let changed = carrier.changed([&one, &none], &links);
        assert_eq!(changed, [without_carrier(2, "eth1")]);
        carrier.seen(Link::new(2, "eth1"), &one);
        assert_eq!(carrier.changed([&one, &none], &links), []);
        carrier.seen(without_carrier(2, "eth1"), &one);
        carrier.gone(2);
        assert_eq!(carrier.changed([&one, &none], &links), []);
    }
}
