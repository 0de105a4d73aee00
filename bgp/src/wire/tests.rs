//! Helpers shared by the tests of the codec, and the tests of framing.

use bytes::BytesMut;

use super::*;

/// Octets written as hex, blanks ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|one| one.to_digit(16)).collect();
    assert_eq!(digits.len() % 2, 0, "odd number of digits in {text}");
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
        .collect()
}

/// A message of a type with a body.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

#[test]
fn a_message_is_split_off_once_it_is_whole() {
    let keepalive = encode_keepalive();
    let mut buffer = BytesMut::new();
    for octet in &keepalive {
        assert_eq!(frame(&mut buffer, MESSAGE_LEN_MAX), Ok(None));
        buffer.extend([*octet]);
    }
    buffer.extend(&keepalive[..5]);
    assert_eq!(frame(&mut buffer, MESSAGE_LEN_MAX), Ok(Some(keepalive)));
    assert_eq!(buffer.len(), 5);
    assert_eq!(frame(&mut buffer, MESSAGE_LEN_MAX), Ok(None));
}
