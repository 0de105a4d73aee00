//! Attributes whose value is one number or address: ORIGIN, NEXT_HOP, MULTI_EXIT_DISC,
//! LOCAL_PREF, ATOMIC_AGGREGATE (RFC 4271 §5.1), ORIGINATOR_ID (RFC 4456 §8), OTC (RFC 9234 §5).

use std::net::Ipv4Addr;

use crate::attributes::Origin;
use crate::wire::attribute::Raw;
use crate::wire::error::UpdateError;

/// RFC 7606 §7.1: length 1 and a value of 0, 1 or 2.
pub(crate) fn check_origin(raw: &Raw<'_>) -> Result<(), UpdateError> {
    let [value] = raw.exactly("1")?;
    Origin::from_code(value)
        .map(drop)
        .ok_or(UpdateError::Origin(value))
}

/// RFC 7606 §7.3: length 4; RFC 4271 §6.3: a valid IP host address.
pub(crate) fn next_hop(raw: &Raw<'_>) -> Result<Ipv4Addr, UpdateError> {
    let octets: [u8; 4] = raw.exactly("4")?;
    Ok(Ipv4Addr::from(octets))
}

/// RFC 7606 §7.4, §7.5, §7.9, RFC 9234 §5: length 4.
pub(crate) fn check_u32(raw: &Raw<'_>) -> Result<(), UpdateError> {
    raw.exactly::<4>("4").map(drop)
}

/// RFC 7606 §7.6: length 0.
pub(crate) fn check_atomic_aggregate(raw: &Raw<'_>) -> Result<(), UpdateError> {
    raw.exactly::<0>("0").map(drop)
}

impl Origin {
    /// The origin of a wire value.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Origin::Igp),
            1 => Some(Origin::Egp),
            2 => Some(Origin::Incomplete),
            _ => None,
        }
    }

    /// The wire value.
    pub(crate) fn code(self) -> u8 {
        match self {
            Origin::Igp => 0,
            Origin::Egp => 1,
            Origin::Incomplete => 2,
        }
    }
}
