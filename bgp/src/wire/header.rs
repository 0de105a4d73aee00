//! The message header (RFC 4271 §4.1) and the splitting of a byte stream into messages.
//!
//! [`frame`] takes one whole message off a receive buffer; the header is checked before the body
//! has arrived, so a wrong length never makes the caller wait for octets that will not come.

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::Notification;
use crate::wire::read::{Reader, Short};

/// Octets of the header: marker, length and type.
pub const HEADER_LEN: usize = 19;
/// Longest message without the extended message capability (RFC 4271 §4.1).
pub const MESSAGE_LEN_MAX: usize = 4096;
/// Longest message with the extended message capability (RFC 8654 §3).
pub const EXTENDED_MESSAGE_LEN_MAX: usize = 65_535;

/// Splits the first message off `buffer`; `None` while it is not all there.
///
/// `max_len` is [`MESSAGE_LEN_MAX`] or [`EXTENDED_MESSAGE_LEN_MAX`] as negotiated. OPEN and
/// KEEPALIVE stay limited to 4096 octets (RFC 8654 §4).
pub fn frame(buffer: &mut BytesMut, max_len: usize) -> Result<Option<Bytes>, HeaderError> {
    let Ok(header) = Header::read(&mut Reader::new(buffer)) else {
        return Ok(None);
    };
    let (_, len) = header.check(max_len)?;
    if buffer.len() < len {
        return Ok(None);
    }
    Ok(Some(buffer.split_to(len).freeze()))
}

/// Checks the header of a whole message and returns its type and body.
pub(super) fn split(frame: &[u8], max_len: usize) -> Result<(Kind, &[u8]), HeaderError> {
    let mut reader = Reader::new(frame);
    let header = Header::read(&mut reader)
        .map_err(|_| HeaderError::Length(u16::try_from(frame.len()).unwrap_or(u16::MAX)))?;
    let (kind, len) = header.check(max_len)?;
    if len != frame.len() {
        return Err(HeaderError::Length(header.length));
    }
    Ok((kind, reader.rest()))
}

/// Starts a message in `out` and returns where it began; [`finish`] fills in its length.
pub(super) fn start(out: &mut BytesMut, kind: Kind) -> usize {
    let at = out.len();
    out.put_slice(&[0xff; 16]);
    out.put_u16(0);
    out.put_u8(kind as u8);
    at
}

/// Writes the length of the message that began at `at` and ends here.
pub(super) fn finish(out: &mut BytesMut, at: usize) {
    let len = u16::try_from(out.len() - at).unwrap_or(u16::MAX);
    patch(out, at + 16, len);
}

/// Overwrites the two octets at `at`.
pub(super) fn patch(out: &mut BytesMut, at: usize, value: u16) {
    debug_assert!(at + 2 <= out.len());
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// Message type codes (RFC 4271 §4.1, RFC 2918 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open = 1,
    Update = 2,
    Notification = 3,
    Keepalive = 4,
    RouteRefresh = 5,
}

impl Kind {
    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Kind::Open),
            2 => Some(Kind::Update),
            3 => Some(Kind::Notification),
            4 => Some(Kind::Keepalive),
            5 => Some(Kind::RouteRefresh),
            _ => None,
        }
    }

    /// RFC 4271 §6.1: the minimum length of each type; KEEPALIVE has exactly one.
    fn allows(self, len: usize, max_len: usize) -> bool {
        match self {
            Kind::Open => (29..=MESSAGE_LEN_MAX).contains(&len),
            Kind::Update | Kind::RouteRefresh => (23..=max_len).contains(&len),
            Kind::Notification => (21..=max_len).contains(&len),
            Kind::Keepalive => len == HEADER_LEN,
        }
    }
}

struct Header {
    marker: [u8; 16],
    length: u16,
    code: u8,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Short> {
        Ok(Self {
            marker: reader.array()?,
            length: reader.u16()?,
            code: reader.u8()?,
        })
    }

    fn check(&self, max_len: usize) -> Result<(Kind, usize), HeaderError> {
        if self.marker != [0xff; 16] {
            return Err(HeaderError::Marker);
        }
        let len = usize::from(self.length);
        if !(HEADER_LEN..=max_len).contains(&len) {
            return Err(HeaderError::Length(self.length));
        }
        let kind = Kind::from_code(self.code).ok_or(HeaderError::Type(self.code))?;
        if !kind.allows(len, max_len) {
            return Err(HeaderError::Length(self.length));
        }
        Ok((kind, len))
    }
}

/// What is wrong with a message header (RFC 4271 §6.1). Each ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The marker is not all ones.
    #[error("the marker of the message header is not all ones")]
    Marker,
    /// The length is outside what the message type allows.
    #[error("the message length is `{0}`, which its type does not allow")]
    Length(u16),
    /// The type is none of ours.
    #[error("the message type is `{0}`, but must be 1 to 5")]
    Type(u8),
}

impl HeaderError {
    /// The NOTIFICATION to send (RFC 4271 §6.1).
    pub fn notification(&self) -> Notification {
        match self {
            Self::Marker => Notification::new(1, 1, &[]),
            Self::Length(length) => Notification::new(1, 2, &length.to_be_bytes()),
            Self::Type(code) => Notification::new(1, 3, &[*code]),
        }
    }
}
