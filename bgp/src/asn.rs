//! Autonomous system numbers.
//!
//! A four-octet number (RFC 6793) with the ranges that change a decision elsewhere: private
//! numbers open a session without policy, `AS_TRANS` stands for what two octets cannot hold.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A four-octet autonomous system number (RFC 6793), shown in asplain (RFC 5396).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Asn(pub u32);

impl Asn {
    /// Stands for a number that does not fit two octets (RFC 6793 §9).
    pub const TRANS: Asn = Asn(23456);

    /// Reserved for private use (RFC 6996): 64512–65534 and 4200000000–4294967294.
    pub fn is_private(self) -> bool {
        (64_512..=65_534).contains(&self.0) || (4_200_000_000..=4_294_967_294).contains(&self.0)
    }

    /// Two-octet form for a peer without four-octet support: itself or [`Asn::TRANS`].
    pub fn two_octet(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u32> for Asn {
    fn from(number: u32) -> Self {
        Asn(number)
    }
}

impl FromStr for Asn {
    type Err = ParseIntError;

    /// Asplain (`65001`) only.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Asn)
    }
}
