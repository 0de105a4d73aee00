//! NOTIFICATION (RFC 4271 §4.5).
//!
//! Code, subcode and data are carried as they stand; the shutdown communication (RFC 9003) in
//! the data is text for whoever shows it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::Notification;
use crate::wire::header::{self, EXTENDED_MESSAGE_LEN_MAX, HEADER_LEN, Kind, MESSAGE_LEN_MAX};
use crate::wire::read::{Reader, Short};

pub(super) fn decode(body: &[u8]) -> Result<Notification, Short> {
    let mut reader = Reader::new(body);
    Ok(Notification {
        code: reader.u8()?,
        subcode: reader.u8()?,
        data: reader.rest().into(),
    })
}

/// A NOTIFICATION message. Data that does not fit 4096 octets is cut, or 65535 where both sides
/// announced extended messages.
pub fn encode_notification(notification: &Notification, extended_message: bool) -> Bytes {
    let max_len = if extended_message {
        EXTENDED_MESSAGE_LEN_MAX
    } else {
        MESSAGE_LEN_MAX
    };
    let room = max_len - HEADER_LEN - 2;
    let data = notification.data.get(..room).unwrap_or(&notification.data);
    let mut out = BytesMut::with_capacity(HEADER_LEN + 2 + data.len());
    let at = header::start(&mut out, Kind::Notification);
    out.put_u8(notification.code);
    out.put_u8(notification.subcode);
    out.put_slice(data);
    header::finish(&mut out, at);
    out.freeze()
}

impl Notification {
    /// A NOTIFICATION with data.
    pub fn new(code: u8, subcode: u8, data: &[u8]) -> Self {
        Self {
            code,
            subcode,
            data: data.into(),
        }
    }

    /// UPDATE message error (RFC 4271 §6.3) without data.
    pub fn update(subcode: u8) -> Self {
        Self::new(3, subcode, &[])
    }
}
