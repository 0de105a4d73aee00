//! The gateway's addresses on the device that has them, and the routes that the kernel makes of them.
//!
//! Addresses carry our protocol number; others' stay. With an address the kernel makes routes in the
//! table of the device: that of its network, and that by which it is our own. `ip route flush` takes
//! them out, and nobody puts them back: the network is out of reach then, though every device and
//! address is as it should be. A complete read ([`Links::set_connected`]) finds that, and the address
//! is set anew, since no single route that we could write is all that went. An IPv4 address takes
//! others of its network along, which is done to ours and not to those of others: then it is named.

use std::net::IpAddr;

use ipnetwork::{IpNetwork, Ipv6Network};

use super::fault::Fault;
use super::{DeviceOp, Owner, Steps};
use crate::links::{Address, Link, Links};
use crate::state::Overlay;

/// The addresses that belong on the bridge. Link-local addresses of an anycast gateway come from
/// its MAC address: forwarding needs one as the source of neighbour solicitations
/// (RFC 4861 §7.2.2), and the one made by the kernel would fail duplicate address detection
/// because every site has the same.
pub(crate) fn gateway_addresses(overlay: &Overlay) -> Vec<IpNetwork> {
    let mut addresses = overlay.gateway.clone();
    if let Some(mac) = overlay.gateway_mac
        && overlay.gateway.iter().any(IpNetwork::is_ipv6)
        && let Ok(network) = Ipv6Network::new(mac.link_local(), 64)
    {
        addresses.push(IpNetwork::V6(network));
    }
    addresses
}

/// An IPv6 gateway without an address of ours to derive from needs the kernel's link-local.
pub(super) fn generates_addresses(overlay: &Overlay) -> bool {
    overlay.gateway_mac.is_none() && overlay.gateway.iter().any(IpNetwork::is_ipv6)
}

/// Adds what is missing and removes what is ours and not wanted.
pub(super) fn address_steps(
    steps: &mut Steps,
    wanted: &[IpNetwork],
    link: &Link,
    links: &Links,
    owner: &Owner,
) {
    let protocol = owner.protocol;
    let (index, name) = (link.index, link.name.clone());
    for address in wanted {
        if !links
            .addresses(index)
            .any(|known| known.address == *address)
        {
            let address = *address;
            steps.ops.push(DeviceOp::AddAddress {
                index,
                name: name.clone(),
                address,
            });
        }
    }
    if link.up {
        routeless(steps, wanted, link, links, protocol);
    }
    for known in links.addresses(index) {
        let assigned = owner.is_assigned(link, known);
        if known.protocol == protocol && !wanted.contains(&known.address) && !assigned {
            let address = known.address;
            steps.ops.push(DeviceOp::RemoveAddress {
                index,
                name: name.clone(),
                address,
            });
        }
    }
}

/// Addresses that are there, and the kernel's routes of them are not.
fn routeless(steps: &mut Steps, wanted: &[IpNetwork], link: &Link, links: &Links, protocol: u8) {
    let ours = |known: &&Address| known.protocol == protocol && wanted.contains(&known.address);
    let (index, name) = (link.index, &link.name);
    for known in links.addresses(index).filter(ours) {
        let address = known.address;
        if !links.is_routeless(index, address) {
            continue;
        }
        let goes_along = |other: &&Address| {
            let same = network(other.address) == network(address);
            same && address.is_ipv4() && other.protocol != protocol
        };
        match links.addresses(index).find(goes_along) {
            Some(other) => {
                let what = format!(
                    "the kernel's own route of {address} on `{name}` is gone, and setting it anew \
                     would take {other} along: `ip address del {other} dev {name}`, and add it \
                     again after that",
                    other = other.address
                );
                steps.blame(Fault::Route, what);
            }
            None => steps.ops.push(DeviceOp::RenewAddress {
                index,
                name: name.clone(),
                address,
            }),
        }
    }
}

/// The network of an address: what the kernel makes a route to.
pub(crate) fn network(address: IpNetwork) -> (IpAddr, u8) {
    (address.network(), address.prefix())
}
