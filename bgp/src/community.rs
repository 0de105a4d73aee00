//! Communities: standard (RFC 1997), extended (RFC 4360) and large (RFC 8092).
//!
//! Values are kept as they stand on the wire; the well-known ones and those that EVPN reads have
//! constructors and accessors. Nothing here decides what a community does.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::asn::Asn;
use crate::evpn_route::{MacAddress, ParseError};

/// A standard community (RFC 1997).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// Move traffic away from this path (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// Keep through a long restart (RFC 9494).
    pub const LLGR_STALE: Community = Community(0xffff_0006);
    /// Not for long restarts (RFC 9494).
    pub const NO_LLGR: Community = Community(0xffff_0007);
    /// Discard traffic (RFC 7999).
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    /// Not beyond this AS (RFC 1997).
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    /// To nobody (RFC 1997).
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
    /// Not beyond this confederation member (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);

    const NAMES: [(Community, &'static str); 7] = [
        (Community::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Community::LLGR_STALE, "llgr-stale"),
        (Community::NO_LLGR, "no-llgr"),
        (Community::BLACKHOLE, "blackhole"),
        (Community::NO_EXPORT, "no-export"),
        (Community::NO_ADVERTISE, "no-advertise"),
        (Community::NO_EXPORT_SUBCONFED, "local-AS"),
    ];
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Community::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

impl FromStr for Community {
    type Err = ParseError;

    /// `65001:100` or a well-known name such as `graceful-shutdown`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a community like 65001:100 or graceful-shutdown");
        if let Some((known, _)) = Community::NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*known);
        }
        let (high, low) = text.split_once(':').ok_or_else(error)?;
        let high: u16 = high.parse().map_err(|_| error())?;
        let low: u16 = low.parse().map_err(|_| error())?;
        Ok(Community(u32::from(high) << 16 | u32::from(low)))
    }
}

/// A large community (RFC 8092).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global administrator, an AS number.
    pub global: u32,
    /// First local part.
    pub local1: u32,
    /// Second local part.
    pub local2: u32,
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseError;

    /// `65001:1:2`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a large community like 65001:1:2");
        let mut parts = text
            .split(':')
            .map(|part| part.parse::<u32>().map_err(|_| error()));
        let mut next = || parts.next().unwrap_or_else(|| Err(error()));
        let community = LargeCommunity {
            global: next()?,
            local1: next()?,
            local2: next()?,
        };
        parts
            .next()
            .is_none()
            .then_some(community)
            .ok_or_else(error)
    }
}

/// An extended community (RFC 4360), eight octets as they stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// Tunnel encapsulation VXLAN (RFC 9012 §4.1, type 8).
    pub const ENCAPSULATION_VXLAN: ExtendedCommunity =
        ExtendedCommunity([0x03, 0x0c, 0, 0, 0, 0, 0, 8]);

    /// Route target of a two-octet AS (`65000:100`), a four-octet one where it does not fit.
    pub fn route_target(asn: Asn, number: u32) -> Option<Self> {
        let [c, d, e, f] = number.to_be_bytes();
        if let Ok(short) = u16::try_from(asn.0) {
            let [a, b] = short.to_be_bytes();
            return Some(Self([0x00, 0x02, a, b, c, d, e, f]));
        }
        let number = u16::try_from(number).ok()?;
        let [a, b, c, d] = asn.0.to_be_bytes();
        let [e, f] = number.to_be_bytes();
        Some(Self([0x02, 0x02, a, b, c, d, e, f]))
    }

    /// Route target of an address (`10.0.0.1:100`).
    pub fn route_target_of_address(address: Ipv4Addr, number: u16) -> Self {
        let [a, b, c, d] = address.octets();
        let [e, f] = number.to_be_bytes();
        Self([0x01, 0x02, a, b, c, d, e, f])
    }

    /// True for a route target of any of the three forms (RFC 4360 §4).
    pub fn is_route_target(self) -> bool {
        let [kind, subtype, ..] = self.0;
        matches!(kind & 0x3f, 0..=2) && kind & 0x40 == 0 && subtype == 0x02
    }

    /// Administrator and number of a route target of an AS, for matching across AS numbers.
    pub fn route_target_of_as(self) -> Option<(Asn, u32)> {
        match self.0 {
            [0x00, 0x02, a, b, c, d, e, f] => Some((
                Asn(u32::from(u16::from_be_bytes([a, b]))),
                u32::from_be_bytes([c, d, e, f]),
            )),
            [0x02, 0x02, a, b, c, d, e, f] => {
                let number = u16::from_be_bytes([e, f]);
                Some((Asn(u32::from_be_bytes([a, b, c, d])), u32::from(number)))
            }
            _ => None,
        }
    }

    /// MAC mobility (RFC 7432 §7.7): sequence number and the sticky bit.
    pub fn mac_mobility(sequence: u32, sticky: bool) -> Self {
        let [a, b, c, d] = sequence.to_be_bytes();
        Self([0x06, 0x00, u8::from(sticky), 0, a, b, c, d])
    }

    /// Sequence number and sticky bit, if this is MAC mobility.
    pub fn as_mac_mobility(self) -> Option<(u32, bool)> {
        match self.0 {
            [0x06, 0x00, flags, _, a, b, c, d] => {
                Some((u32::from_be_bytes([a, b, c, d]), flags & 1 == 1))
            }
            _ => None,
        }
    }

    /// EVPN router's MAC (RFC 9135 §8.1).
    pub fn router_mac(mac: MacAddress) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Self([0x06, 0x03, a, b, c, d, e, f])
    }

    /// The address, if this is EVPN router's MAC.
    pub fn as_router_mac(self) -> Option<MacAddress> {
        match self.0 {
            [0x06, 0x03, a, b, c, d, e, f] => Some(MacAddress([a, b, c, d, e, f])),
            _ => None,
        }
    }

    /// Link bandwidth in octets a second, for the AS or for others too
    /// (draft-ietf-idr-link-bandwidth).
    pub fn as_link_bandwidth(self) -> Option<f32> {
        match self.0 {
            [0x00 | 0x40, 0x04, _, _, a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d])),
            _ => None,
        }
    }

    /// A link bandwidth with a whole number where the draft has a float (FRR's
    /// `disable-link-bw-encoding-ieee`); others stay as they are.
    pub fn with_whole_bandwidth(self) -> Self {
        match (self.0, self.as_link_bandwidth()) {
            ([kind, subtype, x, y, ..], Some(bandwidth)) => {
                let [a, b, c, d] = whole(bandwidth).to_be_bytes();
                Self([kind, subtype, x, y, a, b, c, d])
            }
            (_, None) => self,
        }
    }

    /// The other way round.
    #[allow(clippy::cast_precision_loss)] // A float has no more of it.
    pub fn with_float_bandwidth(self) -> Self {
        match self.0 {
            [kind @ (0x00 | 0x40), 0x04, x, y, a, b, c, d] => {
                let bandwidth = u32::from_be_bytes([a, b, c, d]) as f32;
                let [a, b, c, d] = bandwidth.to_be_bytes();
                Self([kind, 0x04, x, y, a, b, c, d])
            }
            _ => self,
        }
    }

    /// ES-Import route target (RFC 7432 §7.6): six octets of an ESI.
    pub fn es_import(address: MacAddress) -> Self {
        let [a, b, c, d, e, f] = address.0;
        Self([0x06, 0x02, a, b, c, d, e, f])
    }

    /// The six octets, if this is an ES-Import route target.
    pub fn as_es_import(self) -> Option<MacAddress> {
        match self.0 {
            [0x06, 0x02, a, b, c, d, e, f] => Some(MacAddress([a, b, c, d, e, f])),
            _ => None,
        }
    }

    /// ESI label (RFC 7432 §7.5): single-active flag and the label's 24 bits.
    pub fn esi_label(single_active: bool, label: u32) -> Self {
        let [_, a, b, c] = label.to_be_bytes();
        Self([0x06, 0x01, u8::from(single_active), 0, 0, a, b, c])
    }

    /// Single-active flag and label, if this is an ESI label.
    pub fn as_esi_label(self) -> Option<(bool, u32)> {
        match self.0 {
            [0x06, 0x01, flags, _, _, a, b, c] => {
                Some((flags & 1 == 1, u32::from_be_bytes([0, a, b, c])))
            }
            _ => None,
        }
    }

    /// Default gateway (RFC 7432 §7.8).
    pub const DEFAULT_GATEWAY: ExtendedCommunity =
        ExtendedCommunity([0x03, 0x0d, 0, 0, 0, 0, 0, 0]);

    /// True if it may cross to another AS (RFC 4360 §3: bit 0x40 clear).
    pub fn is_transitive(self) -> bool {
        let [kind, ..] = self.0;
        kind & 0x40 == 0
    }
}

/// The whole part of a number that is not negative, the greatest one that fits for more.
fn whole(number: f32) -> u32 {
    if number.is_nan() || number < 1.0 {
        return 0;
    }
    // The value is that of 24 bits, shifted by an exponent that is 150 for one of itself.
    let bits = number.to_bits();
    let mantissa = u64::from(bits & 0x007f_ffff | 0x0080_0000);
    let exponent = bits >> 23;
    let whole = match exponent.checked_sub(150) {
        Some(up) => mantissa << up.min(32),
        None => mantissa >> (150 - exponent),
    };
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// `RT:65000:100`, `ET:8`, `MM:5`, `Rmac:..` as FRR shows them, other values as hex.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, a, b, c, d, e, g] = self.0;
        let label = match (kind & 0x3f, subtype) {
            (0..=2, 0x02) => "RT",
            (0..=2, 0x03) => "SoO",
            _ => "",
        };
        match (kind, subtype) {
            (0x00, 0x02 | 0x03) => {
                let number = u32::from_be_bytes([c, d, e, g]);
                write!(f, "{label}:{}:{number}", u16::from_be_bytes([a, b]))
            }
            (0x01, 0x02 | 0x03) => {
                let number = u16::from_be_bytes([e, g]);
                write!(f, "{label}:{}:{number}", Ipv4Addr::new(a, b, c, d))
            }
            (0x02, 0x02 | 0x03) => {
                let number = u16::from_be_bytes([e, g]);
                write!(f, "{label}:{}:{number}", u32::from_be_bytes([a, b, c, d]))
            }
            (0x03, 0x0c) => write!(f, "ET:{}", u16::from_be_bytes([e, g])),
            (0x03, 0x0d) => f.write_str("Default-Gateway"),
            (0x06, 0x00) => {
                let sticky = if a & 1 == 1 { ",sticky" } else { "" };
                write!(f, "MM:{}{sticky}", u32::from_be_bytes([c, d, e, g]))
            }
            (0x06, 0x01) => {
                let mode = if a & 1 == 1 { "SA" } else { "AA" };
                write!(f, "ESI-label-Rt:{mode}")
            }
            (0x06, 0x02) => write!(f, "ES-Import-Rt:{}", MacAddress([a, b, c, d, e, g])),
            (0x06, 0x03) => write!(f, "Rmac:{}", MacAddress([a, b, c, d, e, g])),
            _ => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

impl FromStr for ExtendedCommunity {
    type Err = ParseError;

    /// A route target: `65000:100`, `4200000000:100` or `10.0.0.1:100`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a route target like 65000:100");
        let (admin, number) = text.split_once(':').ok_or_else(error)?;
        if let Ok(address) = admin.parse::<Ipv4Addr>() {
            let number = number.parse().map_err(|_| error())?;
            return Ok(Self::route_target_of_address(address, number));
        }
        let asn = admin.parse().map_err(|_| error())?;
        let number = number.parse().map_err(|_| error())?;
        Self::route_target(asn, number).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests;
