//! IP prefixes as the tables and the wire format see them.
//!
//! A prefix here is valid by construction: the length fits the address and all host bits are
//! zero, so equality is identity of the network. Text goes through `ipnetwork`, which also takes
//! bare addresses.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

/// An IPv4 network; host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix4 {
    addr: u32,
    len: u8,
}

impl Prefix4 {
    /// Masks the host bits away; `None` when `len` is over 32.
    pub fn new(addr: Ipv4Addr, len: u8) -> Option<Self> {
        Self::from_bits(u32::from(addr), len)
    }

    /// As [`Prefix4::new`], from the address as a number.
    pub fn from_bits(addr: u32, len: u8) -> Option<Self> {
        (len <= 32).then(|| Self {
            addr: addr & Self::mask(len),
            len,
        })
    }

    fn mask(len: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
    }

    /// The network address.
    pub fn addr(self) -> Ipv4Addr {
        Ipv4Addr::from(self.addr)
    }

    /// The network address as a number.
    pub fn bits(self) -> u32 {
        self.addr
    }

    /// Length in bits, 0 to 32.
    // A prefix has a length; there is no empty one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u8 {
        self.len
    }

    /// True if `other` lies within this network (or equals it).
    pub fn contains(self, other: Self) -> bool {
        self.len <= other.len && other.addr & Self::mask(self.len) == self.addr
    }
}

impl Hash for Prefix4 {
    /// One number and not a field after the other: a table hashes each key of each message.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.addr) << 8 | u64::from(self.len));
    }
}

/// An IPv6 network; host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix6 {
    // Octets and not a u128: alignment 1 keeps table entries small.
    addr: [u8; 16],
    len: u8,
}

impl Prefix6 {
    /// Masks the host bits away; `None` when `len` is over 128.
    pub fn new(addr: Ipv6Addr, len: u8) -> Option<Self> {
        (len <= 128).then(|| Self {
            addr: (u128::from(addr) & Self::mask(len)).to_be_bytes(),
            len,
        })
    }

    fn mask(len: u8) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
    }

    /// The network address.
    pub fn addr(self) -> Ipv6Addr {
        Ipv6Addr::from(self.addr)
    }

    /// The network address as octets.
    pub fn octets(self) -> [u8; 16] {
        self.addr
    }

    /// Length in bits, 0 to 128.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u8 {
        self.len
    }

    /// True if `other` lies within this network (or equals it).
    pub fn contains(self, other: Self) -> bool {
        self.len <= other.len
            && u128::from_be_bytes(other.addr) & Self::mask(self.len)
                == u128::from_be_bytes(self.addr)
    }
}

impl Hash for Prefix6 {
    /// As that of [`Prefix4`].
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_be_bytes(self.addr));
        state.write_u8(self.len);
    }
}

/// A network of either IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// IPv4.
    V4(Prefix4),
    /// IPv6.
    V6(Prefix6),
}

impl Prefix {
    /// Masks the host bits away; `None` when `len` does not fit the address.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        match addr {
            IpAddr::V4(addr) => Prefix4::new(addr, len).map(Prefix::V4),
            IpAddr::V6(addr) => Prefix6::new(addr, len).map(Prefix::V6),
        }
    }

    /// The prefix of a single address.
    pub fn host(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => Prefix::V4(Prefix4 {
                addr: u32::from(addr),
                len: 32,
            }),
            IpAddr::V6(addr) => Prefix::V6(Prefix6 {
                addr: addr.octets(),
                len: 128,
            }),
        }
    }

    /// The network address.
    pub fn addr(self) -> IpAddr {
        match self {
            Prefix::V4(prefix) => IpAddr::V4(prefix.addr()),
            Prefix::V6(prefix) => IpAddr::V6(prefix.addr()),
        }
    }

    /// Length in bits.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u8 {
        match self {
            Prefix::V4(prefix) => prefix.len(),
            Prefix::V6(prefix) => prefix.len(),
        }
    }

    /// True if `other` is of the same IP version and lies within this network.
    pub fn contains(self, other: Self) -> bool {
        match (self, other) {
            (Prefix::V4(outer), Prefix::V4(inner)) => outer.contains(inner),
            (Prefix::V6(outer), Prefix::V6(inner)) => outer.contains(inner),
            (Prefix::V4(_), Prefix::V6(_)) | (Prefix::V6(_), Prefix::V4(_)) => false,
        }
    }

    /// True if the address lies within this network.
    pub fn contains_addr(self, addr: IpAddr) -> bool {
        self.contains(Prefix::host(addr))
    }
}

impl From<IpNetwork> for Prefix {
    fn from(network: IpNetwork) -> Self {
        match network {
            IpNetwork::V4(network) => Prefix::V4(network.into()),
            IpNetwork::V6(network) => Prefix::V6(network.into()),
        }
    }
}

impl From<Ipv4Network> for Prefix4 {
    fn from(network: Ipv4Network) -> Self {
        let len = network.prefix();
        Prefix4 {
            addr: u32::from(network.ip()) & Prefix4::mask(len),
            len,
        }
    }
}

impl From<Ipv6Network> for Prefix6 {
    fn from(network: Ipv6Network) -> Self {
        let len = network.prefix();
        Prefix6 {
            addr: (u128::from(network.ip()) & Prefix6::mask(len)).to_be_bytes(),
            len,
        }
    }
}

impl From<Prefix> for IpNetwork {
    fn from(prefix: Prefix) -> Self {
        // The lengths are valid by construction; the fallback is the host itself.
        IpNetwork::new(prefix.addr(), prefix.len()).unwrap_or_else(|_| prefix.addr().into())
    }
}

impl FromStr for Prefix {
    type Err = ipnetwork::IpNetworkError;

    /// `10.0.0.0/8`, `10.0.0.1` (a host) or `10.0.0.0/255.0.0.0`; host bits are masked away.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<IpNetwork>().map(Prefix::from)
    }
}

impl fmt::Display for Prefix4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len)
    }
}

impl fmt::Display for Prefix6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prefix::V4(prefix) => prefix.fmt(f),
            Prefix::V6(prefix) => prefix.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_masked_away() {
        let prefix: Prefix = "10.1.2.3/8".parse().unwrap();
        assert_eq!(prefix.to_string(), "10.0.0.0/8");
        let prefix: Prefix = "2001:db8::1/32".parse().unwrap();
        assert_eq!(prefix.to_string(), "2001:db8::/32");
    }

    #[test]
    fn the_default_route_contains_everything_of_its_version() {
        let default: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(default.contains("10.0.0.1/32".parse().unwrap()));
        assert!(!default.contains("::/0".parse().unwrap()));
        assert!(!"10.0.0.0/8".parse::<Prefix>().unwrap().contains(default));
    }

    #[test]
    fn a_length_beyond_the_address_is_refused() {
        assert_eq!(Prefix4::from_bits(0, 33), None);
        assert_eq!(Prefix6::new(Ipv6Addr::UNSPECIFIED, 129), None);
    }
}
