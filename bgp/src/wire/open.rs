//! OPEN (RFC 4271 §4.2) with optional parameters in both lengths (RFC 9072).
//!
//! The only optional parameter is the list of capabilities (RFC 5492); their values are
//! [`super::capability`]'s business, what follows from them the session's.

use std::net::Ipv4Addr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::asn::Asn;
use crate::message::{Capability, Notification, Open};
use crate::wire::capability;
use crate::wire::header::{self, HEADER_LEN, Kind};
use crate::wire::read::{Reader, Short};

pub(super) fn decode(body: &[u8]) -> Result<Open, OpenError> {
    let mut reader = Reader::new(body);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(OpenError::Version(version));
    }
    let two_octet = reader.u16()?;
    let hold_time = reader.u16()?;
    let router_id = Ipv4Addr::from(reader.u32()?);
    let capabilities = decode_parameters(&mut reader)?;
    let asn = capabilities
        .iter()
        .find_map(four_octet_as)
        .unwrap_or(Asn(u32::from(two_octet)));
    // RFC 7607 §2: AS 0 must not open a session.
    if asn == Asn(0) {
        return Err(OpenError::ZeroAs);
    }
    // RFC 4271 §6.2: "An implementation MUST reject Hold Time values of one or two seconds."
    if matches!(hold_time, 1 | 2) {
        return Err(OpenError::HoldTime(hold_time));
    }
    // RFC 6286 §2.2: any identifier but zero.
    if router_id.is_unspecified() {
        return Err(OpenError::RouterId);
    }
    Ok(Open {
        asn,
        hold_time,
        router_id,
        capabilities,
    })
}

fn four_octet_as(capability: &Capability) -> Option<Asn> {
    if let Capability::FourOctetAs(asn) = capability {
        Some(*asn)
    } else {
        None
    }
}

fn decode_parameters(reader: &mut Reader<'_>) -> Result<Vec<Capability>, OpenError> {
    let length = reader.u8()?;
    let mut peek = *reader;
    // RFC 9072 §2: parameter type 255 right after the length says that the lengths have two
    // octets. "if the value of the 'Non-Ext OP Type' field is 255": the length before it should
    // be 255, but only 0 is told apart.
    let extended = length != 0 && peek.u8() == Ok(EXTENDED);
    let mut parameters = if extended {
        let length = peek.u16()?;
        *reader = peek;
        reader.sub(usize::from(length))?
    } else {
        reader.sub(usize::from(length))?
    };
    if !reader.is_empty() {
        return Err(OpenError::Malformed);
    }
    let mut capabilities = Vec::new();
    while !parameters.is_empty() {
        let kind = parameters.u8()?;
        let length = if extended {
            usize::from(parameters.u16()?)
        } else {
            usize::from(parameters.u8()?)
        };
        let value = parameters.sub(length)?;
        // RFC 4271 §6.2: any other parameter is refused.
        if kind != CAPABILITIES {
            return Err(OpenError::Parameter(kind));
        }
        capability::decode(value, &mut capabilities)?;
    }
    Ok(capabilities)
}

/// An OPEN message. The parameter lengths take two octets (RFC 9072) only where one is too few.
pub fn encode_open(open: &Open) -> Bytes {
    let mut capabilities = Vec::with_capacity(64);
    for capability in &open.capabilities {
        capability::encode(capability, &mut capabilities);
    }
    // The fixed part and the extended headers must fit 4096 octets as well; whole capabilities
    // beyond that were never going to reach the peer.
    capability::cut(
        &mut capabilities,
        header::MESSAGE_LEN_MAX - HEADER_LEN - 10 - 6,
    );
    let mut out = BytesMut::with_capacity(HEADER_LEN + 16 + capabilities.len());
    let at = header::start(&mut out, Kind::Open);
    out.put_u8(VERSION);
    out.put_u16(open.asn.two_octet());
    out.put_u16(open.hold_time);
    out.put_slice(&open.router_id.octets());
    put_parameters(&mut out, &capabilities);
    header::finish(&mut out, at);
    out.freeze()
}

fn put_parameters(out: &mut BytesMut, capabilities: &[u8]) {
    if capabilities.is_empty() {
        out.put_u8(0);
        return;
    }
    match u8::try_from(capabilities.len() + 2) {
        // 255 as the length with 255 as the type would read as RFC 9072; the type here is 2.
        Ok(total) => {
            out.put_slice(&[total, CAPABILITIES, total - 2]);
        }
        Err(_) => {
            let length = u16::try_from(capabilities.len()).unwrap_or(u16::MAX);
            out.put_slice(&[255, EXTENDED]);
            out.put_u16(length.saturating_add(3));
            out.put_u8(CAPABILITIES);
            out.put_u16(length);
        }
    }
    out.put_slice(capabilities);
}

const VERSION: u8 = 4;
/// Optional parameter type of RFC 5492.
const CAPABILITIES: u8 = 2;
/// Optional parameter type of RFC 9072.
const EXTENDED: u8 = 255;

/// What is wrong with an OPEN (RFC 4271 §6.2). Each ends the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A version other than 4.
    #[error("the version of the OPEN message is `{0}`, but must be 4")]
    Version(u8),
    /// AS number 0 (RFC 7607).
    #[error("the AS number of the OPEN message is `0`, but must not be 0 (RFC 7607)")]
    ZeroAs,
    /// BGP identifier 0 (RFC 6286).
    #[error("the BGP identifier of the OPEN message is `0.0.0.0`, but must not be 0 (RFC 6286)")]
    RouterId,
    /// Hold time of 1 or 2 seconds.
    #[error("the hold time of the OPEN message is `{0}`, but must be 0 or at least 3")]
    HoldTime(u16),
    /// An optional parameter other than capabilities.
    #[error("the optional parameter `{0}` of the OPEN message is not known, only 2 is")]
    Parameter(u8),
    /// A length that does not fit the message.
    #[error("the lengths of the optional parameters do not add up to the length of the OPEN")]
    Malformed,
}

impl From<Short> for OpenError {
    fn from(_: Short) -> Self {
        OpenError::Malformed
    }
}

impl OpenError {
    /// The NOTIFICATION to send (RFC 4271 §6.2).
    pub fn notification(&self) -> Notification {
        match self {
            // The data is the largest version that is supported.
            Self::Version(_) => Notification::new(2, 1, &[0, VERSION]),
            Self::ZeroAs => Notification::new(2, 2, &[]),
            Self::RouterId => Notification::new(2, 3, &[]),
            Self::Parameter(_) => Notification::new(2, 4, &[]),
            Self::HoldTime(_) => Notification::new(2, 6, &[]),
            Self::Malformed => Notification::new(2, 0, &[]),
        }
    }
}

#[cfg(test)]
mod tests;
