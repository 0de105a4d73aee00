//! The vocabulary of desired kernel state: what can be asked for, and under which name.
//!
//! A caller says "this [`Entry`] should be in the kernel" or "nothing should be under this
//! [`Key`]". There are eight kinds: routes, remote MAC addresses (FDB), flood lists, neighbours for
//! ARP/ND suppression, overlays (a bridge with its VXLAN device), VRF devices, addresses of the host's
//! own devices, and whether the host forwards. Entries are plain
//! values; this module does not know how they are written ([`crate::netlink`]) nor in which order
//! ([`crate::table`]). What a route is stands in [`route`], what an overlay has in [`overlay`]; here is
//! what all kinds have in common.
//!
//! Devices are named, not numbered, because a wish may come before its device does.

mod addressing;
mod overlay;
mod route;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use addressing::{Addressing, OwnAddress};
pub use overlay::{
    FdbKey, FloodKey, Lane, Neighbour, NeighbourKey, Overlay, RemoteMac, Segment, Tunnel, Vrf,
    overlay_mtu, tunnel_gateway,
};
pub use route::{Claim, Interface, NextHop, Route, RouteKey, RouteKind, Share};

/// One thing that should be in the kernel, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A route. Equal routes to many prefixes should share one [`Arc`].
    Route(RouteKey, Arc<Route>),
    /// A MAC address behind a remote tunnel endpoint.
    Fdb(FdbKey, RemoteMac),
    /// A remote tunnel endpoint that gets copies of flooded frames.
    Flood(FloodKey),
    /// An IP address with a known MAC address behind the overlay (ARP/ND suppression).
    Neighbour(NeighbourKey, Neighbour),
    /// A bridge with a VXLAN device for this VNI.
    Overlay(u32, Arc<Overlay>),
    /// A VRF device, wanted by this owner whether or not an overlay stands in it. It goes when no
    /// owner and no overlay wants it any longer.
    Vrf(Share, Vrf),
    /// Addresses and state of a device of the host, whoever makes it.
    Addressing(Device, Arc<Addressing>),
    /// Whether the host forwards packets of an IP version.
    Forwarding {
        /// IPv6, or IPv4.
        ipv6: bool,
        /// It does.
        on: bool,
    },
}

impl Entry {
    /// The name under which this entry is kept.
    pub fn key(&self) -> Key {
        match self {
            Self::Route(key, _) => Key::Route(*key),
            Self::Fdb(key, _) => Key::Fdb(key.clone()),
            Self::Flood(key) => Key::Flood(key.clone()),
            Self::Neighbour(key, _) => Key::Neighbour(key.clone()),
            Self::Overlay(vni, _) => Key::Overlay(*vni),
            Self::Vrf(share, vrf) => Key::Vrf(*share, vrf.device.clone()),
            Self::Addressing(device, _) => Key::Addressing(device.clone()),
            Self::Forwarding { ipv6, .. } => Key::Forwarding { ipv6: *ipv6 },
        }
    }
}

/// The name of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A route's table and prefix.
    Route(RouteKey),
    /// A VXLAN device and a MAC address.
    Fdb(FdbKey),
    /// A VXLAN device and a tunnel.
    Flood(FloodKey),
    /// A bridge and an IP address.
    Neighbour(NeighbourKey),
    /// A VNI.
    Overlay(u32),
    /// A VRF device, and who wants it.
    Vrf(Share, Device),
    /// A device of the host.
    Addressing(Device),
    /// Forwarding of an IP version.
    Forwarding {
        /// IPv6, or IPv4.
        ipv6: bool,
    },
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(key) => key.fmt(f),
            Self::Fdb(key) => {
                write!(f, "fdb {} dev {}", key.mac, key.device)?;
                write_vni(f, key.segment)
            }
            Self::Flood(key) => {
                write!(f, "flood {} dev {}", key.tunnel, key.device)?;
                write_vni(f, key.segment)
            }
            Self::Neighbour(key) => write!(f, "neighbour {} dev {}", key.ip, key.device),
            Self::Overlay(vni) => write!(f, "vni {vni}"),
            Self::Vrf(_, device) => write!(f, "vrf {device}"),
            Self::Addressing(device) => write!(f, "interface {device}"),
            Self::Forwarding { ipv6: false } => f.write_str("ipv4 forwarding"),
            Self::Forwarding { ipv6: true } => f.write_str("ipv6 forwarding"),
        }
    }
}

fn write_vni(f: &mut fmt::Formatter<'_>, segment: Option<Segment>) -> fmt::Result {
    segment.map_or(Ok(()), |segment| write!(f, " vni {}", segment.vni))
}

/// A change of what is wanted, as it travels from the caller to the kernel thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This should be in the kernel.
    Set(Entry),
    /// Nothing of ours should be under this name.
    Unset(Key),
}

impl Change {
    /// The name that changes.
    pub fn key(&self) -> Key {
        match self {
            Self::Set(entry) => entry.key(),
            Self::Unset(key) => key.clone(),
        }
    }

    /// The same, to look at.
    pub(crate) fn name(&self) -> Name<'_> {
        match self {
            Self::Set(Entry::Route(key, _)) | Self::Unset(Key::Route(key)) => Name::Route(key),
            Self::Set(Entry::Fdb(key, _)) | Self::Unset(Key::Fdb(key)) => Name::Fdb(key),
            Self::Set(Entry::Flood(key)) | Self::Unset(Key::Flood(key)) => Name::Flood(key),
            Self::Set(Entry::Neighbour(key, _)) | Self::Unset(Key::Neighbour(key)) => {
                Name::Neighbour(key)
            }
            Self::Set(Entry::Overlay(vni, _)) | Self::Unset(Key::Overlay(vni)) => {
                Name::Overlay(*vni)
            }
            Self::Set(Entry::Vrf(share, Vrf { device, .. }))
            | Self::Unset(Key::Vrf(share, device)) => Name::Vrf(*share, device),
            Self::Set(Entry::Addressing(device, _)) | Self::Unset(Key::Addressing(device)) => {
                Name::Addressing(device)
            }
            Self::Set(Entry::Forwarding { ipv6, .. }) | Self::Unset(Key::Forwarding { ipv6 }) => {
                Name::Forwarding(*ipv6)
            }
        }
    }
}

/// A [`Key`] that belongs to somebody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Name<'a> {
    Route(&'a RouteKey),
    Fdb(&'a FdbKey),
    Flood(&'a FloodKey),
    Neighbour(&'a NeighbourKey),
    Overlay(u32),
    Vrf(Share, &'a Device),
    Addressing(&'a Device),
    Forwarding(bool),
}

/// A device name, cheap to copy around.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device(Arc<str>);

impl Device {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Device {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Device {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The all-zero address, under which VXLAN keeps its flood list.
    pub const ZERO: Self = Self([0; 6]);

    /// The modified EUI-64 link-local address of a device with this MAC (RFC 4291 §2.5.1).
    pub fn link_local(&self) -> std::net::Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let bytes = [
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            a ^ 2,
            b,
            c,
            0xff,
            0xfe,
            d,
            e,
            f,
        ];
        std::net::Ipv6Addr::from(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let error = || MacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(error)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(Self(bytes))
        }
    }
}

/// A text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MAC address, expected `aa:bb:cc:dd:ee:ff`")]
pub struct MacError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_is_printed_as_it_is_parsed() {
        let text = "02:00:5e:10:00:ff";
        assert_eq!(text.parse::<Mac>().unwrap().to_string(), text);
        for wrong in [
            "",
            "02:00",
            "02:00:5e:10:00:ff:00",
            "02:00:5e:10:00:f",
            "0x:00:5e:10:00:ff",
        ] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mac_address_gives_its_link_local_address() {
        let mac: Mac = "02:00:5e:10:00:01".parse().unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::5eff:fe10:1");
    }
}
