//! `interface`: addresses, state and description of the host's devices; and whether the host forwards.

use std::net::Ipv4Addr;

use ipnetwork::IpNetwork;

use super::Means::{Does, Opens, Refused};
use super::Node::{Interface, Top};
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Family, InterfaceAddress, Site, quote};

const HERE: &[Node] = &[Top];
const LINK: &[Node] = &[Interface];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        "interface IFNAME [vrf NAME]",
        Opens(Interface, interface),
    ),
    shape(
        LINK,
        "ip address A.B.C.D/M [label NAME] [peer A.B.C.D/M]",
        Does(address),
    ),
    shape(LINK, "ip address A.B.C.D peer A.B.C.D/M", Does(address)),
    shape(LINK, "(ip|ipv6) address X:X::X:X/M", Does(address)),
    shape(
        LINK,
        "ip address LINE",
        Refused(
            "expected is an IPv4 address with the length of its network, like 10.0.0.1/24; rbgpd asks \
             no DHCP server",
        ),
    ),
    shape(
        LINK,
        "ipv6 address LINE",
        Refused(
            "expected is an IPv6 address with the length of its network, like 2001:db8::1/64; what routers \
             advertise is the kernel's matter",
        ),
    ),
    shape(
        LINK,
        "description LINE",
        Does(|site, a| {
            site.interface().description = (!a.no()).then(|| a.put(quote(a.value("LINE"))));
            DONE
        }),
    ),
    shape(
        LINK,
        "shutdown",
        Does(|site, a| {
            a.switch(&mut site.interface().up);
            // The switch is that of the line.
            if let Some(up) = &mut site.interface().up {
                up.on = !up.on;
            }
            DONE
        }),
    ),
    shape(
        LINK,
        "link-detect",
        Does(|site, a| {
            site.interface().no_link_detect = a.no().then_some(a.spot);
            DONE
        }),
    ),
    shape(
        HERE,
        "(ip|ipv6) forwarding",
        Does(|site, a| {
            let family = match a.has("ipv6") {
                true => Family::Ipv6,
                false => Family::Ipv4,
            };
            a.switch(site.forwarding.of_mut(family));
            DONE
        }),
    ),
];

fn interface(site: &mut Site, a: &Args<'_>) -> Done {
    let name = a.value("IFNAME").to_owned();
    if a.no() {
        site.interfaces.remove(&name);
        return DONE;
    }
    site.here.interface = name;
    site.interface().spot.get_or_insert(a.spot);
    // Which VRF a device is in is the host's business in FRR, too: the line is about the device.
    DONE
}

fn address(site: &mut Site, a: &Args<'_>) -> Done {
    let Some(address) = own_address(a) else {
        return Err("expected is which address: `no ip address A.B.C.D/M`".to_owned());
    };
    let addresses = &mut site.interface().addresses;
    let known = addresses.iter().position(|it| it.is(&address));
    match (known, a.no()) {
        (Some(at), true) => drop(addresses.remove(at)),
        (Some(at), false) => {
            if let Some(known) = addresses.get_mut(at) {
                *known = address;
            }
        }
        (None, true) => {
            let what = "no line gives this device that address; one that the host or another program \
                        has set stays, and goes with `ip address del`";
            return Ok(Some(what.to_owned()));
        }
        (None, false) => addresses.push(address),
    }
    DONE
}

/// With a peer the length is that of the peer's network.
fn own_address(a: &Args<'_>) -> Option<InterfaceAddress> {
    let plain: Option<Ipv4Addr> = a.get("A.B.C.D").and_then(|it| it.parse().ok());
    let networks = a.all("A.B.C.D/M");
    let parsed = |text: &str| text.parse::<IpNetwork>().ok();
    let written = a.get("X:X::X:X/M").or(networks.first().copied());
    let other = match plain {
        Some(_) => networks.first().copied(),
        None => networks.get(1).copied(),
    };
    let (address, peer) = match (plain, other.and_then(parsed)) {
        (Some(own), Some(other)) => (
            IpNetwork::new(own.into(), other.prefix()).ok()?,
            Some(other),
        ),
        (None, Some(other)) => {
            let own = parsed(written?)?;
            (IpNetwork::new(own.ip(), other.prefix()).ok()?, Some(other))
        }
        (_, None) => (parsed(written?)?, None),
    };
    let peer = peer.and_then(|peer| match peer {
        IpNetwork::V4(peer) => Some(peer.ip()),
        IpNetwork::V6(_) => None,
    });
    Some(InterfaceAddress {
        address,
        peer,
        label: a.get("NAME").map(str::to_owned),
        spot: a.spot,
    })
}
