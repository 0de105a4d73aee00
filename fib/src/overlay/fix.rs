//! One device beside what it should be: a step where it is ours, words where it is somebody else's.
//!
//! The words name the attribute, its value, the value it must have and the command that mends it.
//! Where another value of somebody else's device works as well, nothing is said. How bad a fault is
//! stands in [`super::fault`].

use std::fmt;

use super::fault::{Fault, Wrong};
use super::{DeviceOp, LinkChange, Steps, is_stamped};
use crate::links::{BridgePort, Link, Links};
use crate::state::Device;

impl Steps {
    /// Something is wrong that is not ours to change.
    pub(super) fn blame(&mut self, fault: Fault, what: String) {
        self.wrong.push(Wrong { fault, what });
    }

    /// Somebody else makes this device, and has not, or has removed it.
    pub(super) fn awaits(&mut self, device: &Device) {
        let what = format!("there is no device `{device}`: it is used as soon as it is made");
        self.blame(Fault::Missing, what);
    }

    fn mend_by_hand(
        &mut self,
        link: &Link,
        (fault, name): (Fault, &str),
        have: impl fmt::Display,
        (want, command): (impl fmt::Display, impl fmt::Display),
    ) {
        let device = &link.name;
        let what = format!("{name} of `{device}` is {have}, but must be {want}: `{command}`");
        self.blame(fault, what);
    }

    /// Another kind of device has the name. It may be one that the host lives on, so nothing that
    /// removes it is advised.
    pub(super) fn taken_by_another(&mut self, link: &Link, fault: Fault, want: impl fmt::Display) {
        let (device, have) = (&link.name, link.kind.name());
        let what = format!(
            "type of `{device}` is {have}, but must be {want}: choose a name that no other device has"
        );
        self.blame(fault, what);
    }

    /// The kernel does not change this attribute.
    pub(super) fn replace_by_hand(
        &mut self,
        link: &Link,
        (fault, name): (Fault, &str),
        have: impl fmt::Display,
        want: impl fmt::Display,
    ) {
        let device = &link.name;
        let what = format!(
            "{name} of `{device}` is {have}, but must be {want}: `ip link del {device}`, and it is \
             made as it must be"
        );
        self.blame(fault, what);
    }
}

/// Compares one device and collects what to change, or what to complain about.
pub(super) struct Fix<'a> {
    pub(super) steps: &'a mut Steps,
    pub(super) link: &'a Link,
    pub(super) ours: bool,
}

impl Fix<'_> {
    /// An attribute that `ip link set` changes under its own name.
    pub(super) fn check(
        &mut self,
        (fault, fits): (Fault, bool),
        change: LinkChange,
        have: impl fmt::Display,
        want: impl fmt::Display,
    ) {
        if !fits {
            let name = change.name();
            let command = format!("ip link set {} {name} {want}", self.link.name);
            self.named((fault, name), change, have, (want, command));
        }
    }

    pub(super) fn named(
        &mut self,
        name: (Fault, &str),
        change: LinkChange,
        have: impl fmt::Display,
        want: (impl fmt::Display, String),
    ) {
        match self.ours {
            true => self.change(change),
            false => self.steps.mend_by_hand(self.link, name, have, want),
        }
    }

    /// To a device of ours.
    pub(super) fn change(&mut self, change: LinkChange) {
        let (index, name) = (self.link.index, self.link.name.clone());
        self.steps.ops.push(DeviceOp::Change {
            index,
            name,
            change,
        });
    }

    pub(super) fn stamp(&mut self) {
        if self.ours && (self.link.nascent || !is_stamped(self.link)) {
            self.change(LinkChange::Stamp);
        }
    }

    /// Others may have chosen a smaller MTU; it works. A larger one makes a bridge send what the
    /// tunnel drops, and a tunnel send what the underlay drops.
    pub(super) fn mtu(&mut self, mtu: u32) {
        let fits = self.link.mtu == mtu || (!self.ours && self.link.mtu < mtu);
        self.check((Fault::Mtu, fits), LinkChange::Mtu(mtu), self.link.mtu, mtu);
    }

    pub(super) fn addrgenmode(&mut self, generates: bool) {
        let word = |on| if on { "eui64" } else { "none" };
        let have = self.link.generates_addresses;
        // A link-local address too many does no harm on a device that somebody else made.
        let fits = have == generates || (!self.ours && have);
        self.check(
            (Fault::LinkLocal, fits),
            LinkChange::GenerateAddresses(generates),
            word(have),
            word(generates),
        );
    }

    /// A bridge that forgets what it learns at once has nothing to announce.
    pub(super) fn ageing(&mut self) {
        if self.link.bridge.is_some_and(|bridge| bridge.ageing == 0) {
            let usual = 30_000;
            let command = format!(
                "ip link set {} type bridge ageing_time {usual}",
                self.link.name
            );
            let change = LinkChange::Ageing;
            let name = (Fault::Ageing, "ageing_time");
            self.named(name, change, 0, ("more", command));
        }
    }

    /// Settings of a bridge port, all set by one change.
    pub(super) fn port(&mut self, want: BridgePort, change: LinkChange) {
        let have = self.link.port.unwrap_or(want);
        // Suppression that nobody asked for does no harm on a device that somebody else made, and
        // mapping none without VLANs that are mapped.
        let suppress = have.neigh_suppress == want.neigh_suppress;
        let suppress = suppress || (!self.ours && have.neigh_suppress);
        let mapped = have.vlan_tunnel || !want.vlan_tunnel;
        let learning = have.learning == want.learning;
        let settings = [
            (
                (Fault::Learning, "learning"),
                have.learning,
                want.learning,
                learning,
            ),
            (
                (Fault::Suppression, "neigh_suppress"),
                have.neigh_suppress,
                want.neigh_suppress,
                suppress,
            ),
            (
                (Fault::NoMapping, "vlan_tunnel"),
                have.vlan_tunnel,
                want.vlan_tunnel,
                mapped,
            ),
        ];
        let word = |on| if on { "on" } else { "off" };
        for ((fault, name), have, want, fits) in settings {
            if fits {
                continue;
            }
            let (have, want) = (word(have), word(want));
            let command = format!("bridge link set dev {} {name} {want}", self.link.name);
            let name = format!("bridge port {name}");
            self.named((fault, &name), change.clone(), have, (want, command));
            if self.ours {
                return;
            }
        }
    }

    /// Whether frames pass the port at all, and where they may go.
    pub(super) fn passage(&mut self, bridge: &Link) {
        let Some(have) = self.link.port else {
            return;
        };
        let want = BridgePort::default();
        let settings = [
            ("isolated", have.isolated, want.isolated),
            ("locked", have.locked, want.locked),
            ("hairpin", have.hairpin, want.hairpin),
            ("flood", have.flood, want.flood),
            ("mcast_flood", have.mcast_flood, want.mcast_flood),
            ("bcast_flood", have.bcast_flood, want.bcast_flood),
        ];
        let word = |on| if on { "on" } else { "off" };
        for (name, have, want) in settings {
            // Whoever made the device may flood nothing: what is known passes.
            if have == want || (want && !self.ours) {
                continue;
            }
            let (have, want) = (word(have), word(want));
            let command = format!("bridge link set dev {} {name} {want}", self.link.name);
            let name = format!("bridge port {name}");
            let name = (Fault::Passage, name.as_str());
            self.named(name, LinkChange::Passage, have, (want, command));
            if self.ours {
                break;
            }
        }
        // While one of the two is down the port is, too, and the kernel opens it by itself. A
        // spanning tree closes a port for a reason.
        let tree = bridge.bridge.is_some_and(|it| it.spanning_tree);
        if !have.forwarding && bridge.up && self.link.running && !tree {
            let command = format!("bridge link set dev {} state 3", self.link.name);
            let name = (Fault::Closed, "bridge port state");
            let want = ("forwarding", command);
            self.named(name, LinkChange::Forwarding, "not forwarding", want);
        }
    }

    pub(super) fn master(&mut self, master: &Link, links: &Links) {
        let have = self.link.master.map_or("none".to_owned(), |index| {
            let name = links.get(index).map(|link| link.name.to_string());
            name.unwrap_or_else(|| format!("if{index}"))
        });
        let fits = self.link.master == Some(master.index);
        let change = LinkChange::Master(master.index);
        self.check((Fault::Master, fits), change, have, &master.name);
    }

    /// Out of use, if that is ours to say.
    pub(super) fn down(&mut self) {
        if self.link.up && self.ours {
            self.change(LinkChange::Down);
        }
    }

    pub(super) fn up(&mut self) {
        if !self.link.up {
            let command = format!("ip link set {} up", self.link.name);
            let name = (Fault::Down, "state");
            self.named(name, LinkChange::Up, "down", ("up", command));
        }
    }
}
