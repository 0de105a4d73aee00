//! Addresses and state of the host's own devices: the next steps, and those of a start.
//!
//! A device that is not there is waited for. One that is to have addresses is set up first, once:
//! who takes it down afterwards is right, unless it was asked for up ([`Addressing::up`]). An address
//! is missing when the device has it from nobody; one of ours that nobody wants any longer goes, one
//! of others' stays. So does one of ours with which the kernel would drop one of others', and that is said. Adds come before removals, over all devices, so that an address may move from one
//! to another and never be gone.
//!
//! A device of an overlay is set up by the overlay, and its gateway's addresses are the
//! overlay's (`overlay.rs`); others may be wanted beside them.

use std::io;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use crate::links::{Address, Link, Links};
use crate::netlink::dump::Dump;
use crate::netlink::writer::Writer;
use crate::overlay::{self, DeviceOp, LinkChange};
use crate::state::{Addressing, Device, OwnAddress};
use crate::table::Op;

/// What is next for a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// To be done first.
    pub(crate) adds: Vec<DeviceOp>,
    /// To be done when nothing is left to add anywhere.
    pub(crate) removals: Vec<DeviceOp>,
    /// What is to go and stays for now, with the reason.
    pub(crate) kept: Vec<(OwnAddress, String)>,
    /// Why something that is missing has to wait.
    pub(crate) waits: Option<String>,
}

/// What is known of the device beside what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// The number of the device that has been up since these addresses were asked for.
    pub(crate) was_up: Option<u32>,
    /// An overlay has its gateway there, and removes what nobody wants.
    pub(crate) of_overlay: bool,
}

/// The next steps towards what is wanted of this device.
pub(crate) fn steps(
    device: &Device,
    want: &Addressing,
    past: Past,
    links: &Links,
    protocol: u8,
) -> Steps {
    let mut steps = Steps::default();
    let Some(link) = links.named(device) else {
        steps.waits = Some(format!("there is no device `{device}`"));
        return steps;
    };
    if !past.of_overlay {
        (steps.removals, steps.kept) = unwanted(want, link, links, protocol);
    }
    let change = |change| DeviceOp::Change {
        index: link.index,
        name: device.clone(),
        change,
    };
    if want.up == Some(false) && link.up {
        steps.adds.push(change(LinkChange::Down));
        return steps;
    }
    let missing: Vec<&OwnAddress> = missing(want, link, links).collect();
    // A device that is to be down has its addresses all the same, as it has after `ip link set down`. The
    // kernel takes IPv6 addresses away with that, and they are set again.
    if link.up || want.up == Some(false) {
        let assign = |address: &OwnAddress| DeviceOp::Assign {
            index: link.index,
            name: device.clone(),
            address: address.clone(),
        };
        steps.adds.extend(missing.into_iter().map(assign));
        steps.waits = duplicates(want, link, links).next().map(|(_, why)| why);
        return steps;
    }
    let first = !want.addresses.is_empty() && past.was_up != Some(link.index);
    if overlay::is_ours(link) {
        steps.waits = Some(format!("`{device}` is not up yet"));
    } else if want.up == Some(true) || first {
        steps.adds.push(change(LinkChange::Up));
    } else if !missing.is_empty() {
        steps.waits = Some(format!(
            "`{device}` was taken down; `ip link set {device} up`, and its addresses are set"
        ));
    }
    steps
}

/// The addresses that a device is to have and has not.
pub(crate) fn missing<'a>(
    want: &'a Addressing,
    link: &'a Link,
    links: &'a Links,
) -> impl Iterator<Item = &'a OwnAddress> {
    let there = |it: &&OwnAddress| links.addresses(link.index).any(|known| is(known, it));
    want.addresses.iter().filter(move |it| !there(it))
}

/// The addresses that a device is to have, and that another host on its link has too; with what to do.
pub(crate) fn duplicates<'a>(
    want: &'a Addressing,
    link: &'a Link,
    links: &'a Links,
) -> impl Iterator<Item = (&'a OwnAddress, String)> {
    want.addresses.iter().filter_map(|wanted| {
        let mut all = links.addresses(link.index);
        let known = all.find(|known| is(known, wanted))?;
        let why = known.conflict(&link.name, "and it is set again at once")?;
        Some((wanted, why))
    })
}

/// Addresses of ours that are on a device and not wanted there: those that go, and those that have to
/// stay for the reason that is said.
pub(crate) fn unwanted(
    want: &Addressing,
    link: &Link,
    links: &Links,
    protocol: u8,
) -> (Vec<DeviceOp>, Vec<(OwnAddress, String)>) {
    let (mut removals, mut kept) = (Vec::new(), Vec::new());
    let ours = |known: &&Address| known.protocol == protocol;
    for known in links.addresses(link.index).filter(ours) {
        if want.addresses.iter().any(|it| is(known, it)) {
            continue;
        }
        let address = OwnAddress {
            address: known.address,
            peer: known.peer,
            label: None,
        };
        match goes_along(known, link, links, protocol) {
            Some(other) => {
                let (name, other) = (&link.name, other.address);
                let why = format!(
                    "the kernel would drop {other} with it, which is not ours; `sysctl -w \
                     net.ipv4.conf.{name}.promote_secondaries=1` lets it go alone"
                );
                kept.push((address, why));
            }
            None => removals.push(DeviceOp::Unassign {
                index: link.index,
                name: link.name.clone(),
                address,
            }),
        }
    }
    (removals, kept)
}

/// An address of others in the same IPv4 network, which may go with this one.
fn goes_along<'a>(
    known: &Address,
    link: &Link,
    links: &'a Links,
    protocol: u8,
) -> Option<&'a Address> {
    if link.promotes_secondaries || known.address.is_ipv6() {
        return None;
    }
    let network = |it: &Address| {
        let far = it.peer.unwrap_or(it.address.ip());
        let network = IpNetwork::new(far, it.address.prefix()).ok()?;
        Some((network.network(), network.prefix()))
    };
    let mut others = links.addresses(link.index);
    others.find(|other| other.protocol != protocol && network(other) == network(known))
}

/// Whether this is that address, whoever has added it.
pub(crate) fn is(known: &Address, wanted: &OwnAddress) -> bool {
    (known.address, known.peer) == (wanted.address, wanted.peer)
}

/// Sets up devices and adds their addresses, at once and as far as that is possible now. For a start: sockets
/// that are opened next may be bound to them. Nothing is removed, what is refused is not said, and what
/// cannot be done yet is for [`Entry::Addressing`](crate::Entry::Addressing), which does all that.
///
/// # Errors
///
/// When netlink cannot be opened or the devices cannot be read.
pub fn ensure(protocol: u8, wanted: &[(Device, Arc<Addressing>)]) -> io::Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let (mut dump, mut writer) = (Dump::open()?, Writer::open(protocol)?);
    // Up, and then the addresses.
    for _ in 0..2 {
        let mut links = Links::default();
        for link in dump.links()? {
            links.insert(link);
        }
        for address in dump.addresses()? {
            links.insert_address(address);
        }
        let next = |(device, want): &(Device, Arc<Addressing>)| {
            let steps = steps(device, want, Past::default(), &links, protocol);
            steps.adds.into_iter().map(|op| Op::Device(None, op))
        };
        let ops: Vec<Op> = wanted.iter().flat_map(next).collect();
        for (op, result) in ops.iter().zip(writer.write(&ops, || 0)) {
            if let Err(error) = result {
                tracing::debug!(?op, %error, "refused");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
