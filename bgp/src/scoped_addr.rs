//! IP addresses that mean something on one link only.
//!
//! An IPv6 link-local address names a host together with its link, which RFC 4007 calls the zone:
//! `fe80::1%eth0` and `fe80::1%eth1` are two hosts. A [`ScopedAddr`] is what a neighbour is known
//! by, and what its next hops are; only link-local addresses have a zone in it, so that one
//! host has one name. A neighbour's next hop is meant where the neighbour is:
//! [`ScopedAddr::names`]. The one exception are next hops that another table of this router names:
//! they are on a device of its choice and on no other, whatever kind of address they are
//! ([`ScopedAddr::on_link`]).
//!
//! The zone is the name of an interface and not its number, which is another one when the
//! interface is made anew. Nothing here asks a kernel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::redistribution::InterfaceName;

/// An IP address; a link-local one with its zone, where that is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopedAddr {
    ip: IpAddr,
    zone: Option<InterfaceName>,
}

impl ScopedAddr {
    /// An address in a zone, which counts for link-local addresses only.
    pub fn new(ip: IpAddr, zone: Option<InterfaceName>) -> Self {
        Self {
            ip,
            zone: zone.filter(|_| is_link_local(ip)),
        }
    }

    /// A next hop on this device, which no route has to lead to: the other end of a tunnel.
    pub fn on_link(ip: IpAddr, link: InterfaceName) -> Self {
        Self {
            ip,
            zone: Some(link),
        }
    }

    /// The address.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The interface that a link-local address belongs to, or a next hop is on.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_ref().map(InterfaceName::as_str)
    }

    /// True for an address that means something on one link only.
    pub fn is_link_local(self) -> bool {
        is_link_local(self.ip)
    }

    /// True for IPv4.
    pub fn is_ipv4(self) -> bool {
        self.ip.is_ipv4()
    }

    /// What a neighbour with this address means by another one: a link-local address is one on the
    /// link to that neighbour.
    pub fn names(self, ip: IpAddr) -> Self {
        Self::new(ip, self.zone)
    }

    /// True if `self` is `other`, or would be with a zone.
    pub fn means(self, other: Self) -> bool {
        self == other || self.zone.is_none() && self.ip == other.ip
    }
}

impl From<IpAddr> for ScopedAddr {
    fn from(ip: IpAddr) -> Self {
        Self { ip, zone: None }
    }
}

impl From<Ipv4Addr> for ScopedAddr {
    fn from(ip: Ipv4Addr) -> Self {
        IpAddr::V4(ip).into()
    }
}

impl From<Ipv6Addr> for ScopedAddr {
    fn from(ip: Ipv6Addr) -> Self {
        IpAddr::V6(ip).into()
    }
}

/// As RFC 4007 §11 writes it: `fe80::1%eth0`.
impl fmt::Display for ScopedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone() {
            Some(zone) => f.pad(&format!("{}%{zone}", self.ip)),
            None => self.ip.fmt(f),
        }
    }
}

impl fmt::Debug for ScopedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no IP address, expected one like `10.10.0.2` or `fe80::1%eth0`")]
pub struct NoAddress(String);

impl ScopedAddr {
    /// What [`fmt::Display`] has written: a next hop on a link among other things.
    fn written(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress(text.to_owned());
        let (ip, zone) = match text.split_once('%') {
            Some((ip, zone)) => {
                let zone = zone.parse::<Zone>().map_err(|()| wrong())?;
                (ip, Some(zone.0))
            }
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        Ok(Self { ip, zone })
    }
}

impl FromStr for ScopedAddr {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let read = Self::written(text)?;
        // RFC 4007 §11: an address of global scope has no zone to name.
        match read.zone.is_some() && !read.is_link_local() {
            true => Err(NoAddress(text.to_owned())),
            false => Ok(read),
        }
    }
}

/// The name of a device that there can be (Linux, `dev_valid_name`).
struct Zone(InterfaceName);

impl FromStr for Zone {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let strange = |c: char| c == '/' || c == ':' || c == '%' || c.is_whitespace();
        let fits = !text.contains(strange) && text != "." && text != "..";
        let name = InterfaceName::new(text).filter(|_| fits);
        name.map(Self).ok_or(())
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ScopedAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ScopedAddr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::written(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ScopedAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_next_hop_on_a_link_is_read_where_it_was_written_and_not_elsewhere() {
        let link = InterfaceName::new("br4001").unwrap();
        let next_hop = ScopedAddr::on_link([10, 255, 0, 2].into(), link);
        let text = next_hop.to_string();
        assert_eq!(text, "10.255.0.2%br4001");
        assert_eq!(ScopedAddr::written(&text), Ok(next_hop));
        assert!(text.parse::<ScopedAddr>().is_err());
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["10.10.0.2", "2001:db8::1", "fe80::1", "fe80::1%eth0"] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("fe80::1%eth0").zone(), Some("eth0"));
        assert_eq!(format!("{:>14}|", read("fe80::1%eth0")), "  fe80::1%eth0|");
    }

    #[test]
    fn a_zone_belongs_to_link_local_addresses_and_is_a_device_that_can_be() {
        for text in [
            "10.10.0.2%eth0",
            "2001:db8::1%eth0",
            "fe80::1%",
            "fe80::1%eth0%eth1",
            "fe80::1%a name",
            "fe80::1%name-of-16-chars",
            "fe80::1%..",
            "%eth0",
            "eth0",
        ] {
            assert_eq!(
                text.parse::<ScopedAddr>(),
                Err(NoAddress(text.to_owned())),
                "{text}"
            );
        }
        let global = IpAddr::from([10, 10, 0, 2]);
        assert_eq!(
            ScopedAddr::new(global, InterfaceName::new("eth0")),
            global.into()
        );
    }

    #[test]
    fn the_same_address_on_two_links_is_two_hosts() {
        let (one, two) = (read("fe80::1%eth0"), read("fe80::1%eth1"));
        assert!(one < two);
        assert!(read("fe80::1").means(one) && read("fe80::1").means(two));
        assert!(one.means(one) && !one.means(two) && !one.means(read("fe80::1")));
        assert_eq!(one.names("fe80::9".parse().unwrap()), read("fe80::9%eth0"));
        let global = read("2001:db8::9");
        assert_eq!(one.names(global.ip()), global);
        assert_eq!(global.names("fe80::9".parse().unwrap()), read("fe80::9"));
    }
}
