//! EVPN routes as BGP carries them (RFC 7432, RFC 9136).
//!
//! A route's identity ([`EvpnKey`]) is apart from what may change under the same identity
//! ([`EvpnTail`]: ESI, labels, gateway; RFC 7432 §7.1–7.2). The tail is kept with the interned
//! attributes, since thousands of MACs share it. What the routes mean for a MAC table is the
//! `evpn` crate's business.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::asn::Asn;
use crate::prefix::Prefix;

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseError {
    /// What was read.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
}

impl ParseError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            expected,
        }
    }
}

impl FromStr for MacAddress {
    type Err = ParseError;

    /// `02:00:00:00:00:01`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a MAC address like 02:00:00:00:00:01");
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            *octet = parts.next().and_then(hex_octet).ok_or_else(error)?;
        }
        parts
            .next()
            .is_none()
            .then_some(MacAddress(octets))
            .ok_or_else(error)
    }
}

/// VXLAN network identifier, 24 bits, not 0 in configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(u32);

impl Vni {
    /// `None` beyond 24 bits.
    pub fn new(number: u32) -> Option<Self> {
        (number < 1 << 24).then_some(Vni(number))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Route distinguisher (RFC 4364 §4.2), eight octets as they stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteDistinguisher(pub [u8; 8]);

impl RouteDistinguisher {
    /// Type 1, `address:number`, the usual one of a VNI.
    pub fn of_address(address: Ipv4Addr, number: u16) -> Self {
        let [a, b, c, d] = address.octets();
        let [e, f] = number.to_be_bytes();
        Self([0, 1, a, b, c, d, e, f])
    }
}

impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [t0, t1, a, b, c, d, e, g] = self.0;
        match u16::from_be_bytes([t0, t1]) {
            0 => write!(
                f,
                "{}:{}",
                u16::from_be_bytes([a, b]),
                u32::from_be_bytes([c, d, e, g])
            ),
            1 => write!(
                f,
                "{}:{}",
                Ipv4Addr::new(a, b, c, d),
                u16::from_be_bytes([e, g])
            ),
            2 => write!(
                f,
                "{}:{}",
                u32::from_be_bytes([a, b, c, d]),
                u16::from_be_bytes([e, g])
            ),
            other => write!(f, "{other}/{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{g:02x}"),
        }
    }
}

impl FromStr for RouteDistinguisher {
    type Err = ParseError;

    /// `10.10.0.1:100`, `65000:100` or `4200000000:100`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a route distinguisher like 10.10.0.1:100");
        let (admin, number) = text.split_once(':').ok_or_else(error)?;
        if let Ok(address) = admin.parse::<Ipv4Addr>() {
            return Ok(Self::of_address(
                address,
                number.parse().map_err(|_| error())?,
            ));
        }
        let Asn(asn) = admin.parse().map_err(|_| error())?;
        let mut octets = [0; 8];
        if let Ok(short) = u16::try_from(asn) {
            let number: u32 = number.parse().map_err(|_| error())?;
            octets[2..4].copy_from_slice(&short.to_be_bytes());
            octets[4..8].copy_from_slice(&number.to_be_bytes());
        } else {
            let number: u16 = number.parse().map_err(|_| error())?;
            octets[1] = 2;
            octets[2..6].copy_from_slice(&asn.to_be_bytes());
            octets[6..8].copy_from_slice(&number.to_be_bytes());
        }
        Ok(Self(octets))
    }
}

/// Ethernet segment identifier (RFC 7432 §5); all zero for a single-homed site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Esi(pub [u8; 10]);

impl fmt::Display for Esi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Esi {
    type Err = ParseError;

    /// `00:11:22:33:44:55:66:77:88:99`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "an ESI of ten octets like 00:11:..:99");
        let mut octets = [0; 10];
        let mut parts = text.split(':');
        for octet in &mut octets {
            *octet = parts.next().and_then(hex_octet).ok_or_else(error)?;
        }
        parts
            .next()
            .is_none()
            .then_some(Esi(octets))
            .ok_or_else(error)
    }
}

/// Two hexadecimal digits.
fn hex_octet(text: &str) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

/// Identity of an EVPN route within its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvpnKey {
    /// Type 1, Ethernet auto-discovery (RFC 7432 §7.1).
    EthernetAd {
        /// Route distinguisher.
        rd: RouteDistinguisher,
        /// Ethernet segment.
        esi: Esi,
        /// Ethernet tag; 0xffffffff is the per-segment route.
        tag: u32,
    },
    /// Type 2, MAC/IP advertisement (RFC 7432 §7.2).
    MacIp {
        /// Route distinguisher.
        rd: RouteDistinguisher,
        /// Ethernet tag, 0 for VLAN-based service.
        tag: u32,
        /// The address advertised.
        mac: MacAddress,
        /// The IP address bound to it, if any.
        ip: Option<IpAddr>,
    },
    /// Type 3, inclusive multicast Ethernet tag (RFC 7432 §7.3).
    InclusiveMulticast {
        /// Route distinguisher.
        rd: RouteDistinguisher,
        /// Ethernet tag, 0 for VLAN-based service.
        tag: u32,
        /// Address of the router that wants the flooded traffic.
        originator: IpAddr,
    },
    /// Type 4, Ethernet segment (RFC 7432 §7.4).
    EthernetSegment {
        /// Route distinguisher.
        rd: RouteDistinguisher,
        /// Ethernet segment.
        esi: Esi,
        /// Address of the router on the segment.
        originator: IpAddr,
    },
    /// Type 5, IP prefix (RFC 9136).
    IpPrefix {
        /// Route distinguisher.
        rd: RouteDistinguisher,
        /// Ethernet tag.
        tag: u32,
        /// The prefix.
        prefix: Prefix,
    },
    /// Any other type, kept to be shown and passed on.
    Unknown {
        /// Route type.
        route_type: u8,
        /// The route as it stood after type and length.
        bytes: Box<[u8]>,
    },
}

impl EvpnKey {
    /// Route type number.
    pub fn route_type(&self) -> u8 {
        match self {
            EvpnKey::EthernetAd { .. } => 1,
            EvpnKey::MacIp { .. } => 2,
            EvpnKey::InclusiveMulticast { .. } => 3,
            EvpnKey::EthernetSegment { .. } => 4,
            EvpnKey::IpPrefix { .. } => 5,
            EvpnKey::Unknown { route_type, .. } => *route_type,
        }
    }

    /// Route distinguisher, if the type is known.
    pub fn rd(&self) -> Option<RouteDistinguisher> {
        match self {
            EvpnKey::EthernetAd { rd, .. }
            | EvpnKey::MacIp { rd, .. }
            | EvpnKey::InclusiveMulticast { rd, .. }
            | EvpnKey::EthernetSegment { rd, .. }
            | EvpnKey::IpPrefix { rd, .. } => Some(*rd),
            EvpnKey::Unknown { .. } => None,
        }
    }
}

/// In the bracket form operators know: `[2]:[rd]:[tag]:[48]:[mac]:[32]:[ip]`.
impl fmt::Display for EvpnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = |ip: &IpAddr| if ip.is_ipv4() { 32 } else { 128 };
        match self {
            EvpnKey::EthernetAd { rd, esi, tag } => write!(f, "[1]:[{rd}]:[{tag}]:[{esi}]"),
            EvpnKey::MacIp {
                rd,
                tag,
                mac,
                ip: None,
            } => {
                write!(f, "[2]:[{rd}]:[{tag}]:[48]:[{mac}]")
            }
            EvpnKey::MacIp {
                rd,
                tag,
                mac,
                ip: Some(ip),
            } => {
                write!(f, "[2]:[{rd}]:[{tag}]:[48]:[{mac}]:[{}]:[{ip}]", bits(ip))
            }
            EvpnKey::InclusiveMulticast {
                rd,
                tag,
                originator,
            } => {
                write!(
                    f,
                    "[3]:[{rd}]:[{tag}]:[{}]:[{originator}]",
                    bits(originator)
                )
            }
            EvpnKey::EthernetSegment {
                rd,
                esi,
                originator,
            } => {
                write!(
                    f,
                    "[4]:[{rd}]:[{esi}]:[{}]:[{originator}]",
                    bits(originator)
                )
            }
            EvpnKey::IpPrefix { rd, tag, prefix } => {
                write!(
                    f,
                    "[5]:[{rd}]:[{tag}]:[{}]:[{}]",
                    prefix.len(),
                    prefix.addr()
                )
            }
            EvpnKey::Unknown { route_type, bytes } => {
                write!(f, "[{route_type}]:[{} octets]", bytes.len())
            }
        }
    }
}

/// What an EVPN route carries beside its key; kept with the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EvpnTail {
    /// Ethernet segment (types 2 and 5); in types 1 and 4 it is part of the key and zero here.
    pub esi: Esi,
    /// First label field, 24 bits as they stand: the VNI with VXLAN (RFC 8365 §5.1.3).
    pub label: u32,
    /// Second label field of type 2: the L3 VNI.
    pub label2: Option<u32>,
    /// Gateway address of type 5; `None` when it is zero.
    pub gateway: Option<IpAddr>,
}

#[cfg(test)]
mod tests;
