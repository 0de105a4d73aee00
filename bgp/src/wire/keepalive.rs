//! KEEPALIVE (RFC 4271 §4.4): a header and nothing else.

use bytes::Bytes;

/// A KEEPALIVE message.
pub fn encode_keepalive() -> Bytes {
    const KEEPALIVE: [u8; 19] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0, 19, 4,
    ];
    Bytes::from_static(&KEEPALIVE)
}
