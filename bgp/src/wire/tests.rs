//! Helpers shared by the tests of the codec, and the tests of framing.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::message::Notification;

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

fn frame_of(bytes: &[u8], max_len: usize) -> Result<Option<usize>, HeaderError> {
    let frame = frame(&mut BytesMut::from(bytes), max_len)?;
    Ok(frame.map(|frame| frame.len()))
}

/// A header that claims a length.
fn header_of(kind: u8, length: u16) -> Vec<u8> {
    let mut header = message(kind, &[]);
    header[16..18].copy_from_slice(&length.to_be_bytes());
    header
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

#[test]
fn a_marker_that_is_not_all_ones_means_lost_synchronisation() {
    let mut bytes = message(4, &[]);
    bytes[15] = 0xfe;
    let error = frame_of(&bytes, MESSAGE_LEN_MAX).unwrap_err();
    assert_eq!(error, HeaderError::Marker);
    assert_eq!(error.notification(), Notification::new(1, 1, &[]));
}

#[test]
fn a_length_that_the_type_does_not_allow_is_refused_before_the_body_arrives() {
    // Type, length, whether it is allowed without and with extended messages.
    let cases = [
        (1, 28, false, false),
        (1, 29, true, true),
        (1, 4096, true, true),
        (1, 4097, false, false),
        (2, 22, false, false),
        (2, 23, true, true),
        (2, 4096, true, true),
        (2, 4097, false, true),
        (2, 65_535, false, true),
        (3, 20, false, false),
        (3, 21, true, true),
        (3, 4097, false, true),
        (4, 18, false, false),
        (4, 19, true, true),
        (4, 20, false, false),
        (5, 22, false, false),
        (5, 23, true, true),
    ];
    for (kind, length, allowed, extended) in cases {
        let header = header_of(kind, length);
        for (max_len, allowed) in [
            (MESSAGE_LEN_MAX, allowed),
            (EXTENDED_MESSAGE_LEN_MAX, extended),
        ] {
            let framed = frame_of(&header, max_len);
            assert_eq!(
                framed.is_ok(),
                allowed,
                "type {kind}, length {length}, {max_len}"
            );
        }
    }
    let error = frame_of(&header_of(2, 22), MESSAGE_LEN_MAX).unwrap_err();
    assert_eq!(error.notification(), Notification::new(1, 2, &[0, 22]));
}

#[test]
fn an_unknown_type_is_refused() {
    let error = frame_of(&message(6, &[]), MESSAGE_LEN_MAX).unwrap_err();
    assert_eq!(error.notification(), Notification::new(1, 3, &[6]));
}

#[test]
fn a_frame_whose_length_field_is_not_its_length_is_refused() {
    let mut bytes = message(4, &[]);
    bytes.push(0);
    let error = decode(&bytes, &Context::default()).unwrap_err();
    assert_eq!(error, Error::Header(HeaderError::Length(19)));
    assert!(decode(&bytes[..10], &Context::default()).is_err());
}

#[test]
fn a_notification_is_read_and_written() {
    let notification = Notification::new(6, 2, b"\x04bye!");
    let bytes = encode_notification(&notification, false);
    assert_eq!(bytes, message(3, b"\x06\x02\x04bye!"));
    let decoded = decode(&bytes, &Context::default());
    assert_eq!(decoded, Ok(Message::Notification(notification)));
}

#[test]
fn notification_data_is_cut_where_the_message_must_end() {
    let notification = Notification::new(3, 9, &[7; 65_535]);
    assert_eq!(encode_notification(&notification, false).len(), 4096);
    assert_eq!(encode_notification(&notification, true).len(), 65_535);
}

#[test]
fn a_keepalive_is_a_header() {
    assert_eq!(encode_keepalive(), message(4, &[]));
    let decoded = decode(&encode_keepalive(), &Context::default());
    assert_eq!(decoded, Ok(Message::Keepalive));
}

pub(super) fn any_context() -> impl Strategy<Value = Context> {
    let families = any::<[bool; 3]>().prop_map(|[ipv4_unicast, ipv6_unicast, evpn]| PerFamily {
        ipv4_unicast,
        ipv6_unicast,
        evpn,
    });
    (any::<[bool; 4]>(), families.clone(), families, any::<u64>()).prop_map(
        |([as4, extended_message, external, extended_next_hop], add_path, families, hash_seed)| {
            Context {
                as4,
                extended_message,
                add_path,
                families,
                external,
                extended_next_hop,
                aigp: !external,
                unwanted: Unwanted::default(),
                hash_seed,
            }
        },
    )
}

proptest! {
    #[test]
    fn any_octets_are_framed_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        marker in any::<bool>(),
    ) {
        let mut buffer = BytesMut::new();
        if marker {
            buffer.extend([0xff; 16]);
        }
        buffer.extend(bytes);
        let _ = frame(&mut buffer, MESSAGE_LEN_MAX);
    }

    #[test]
    fn any_body_is_decoded_without_panic(
        kind in 0..=6_u8,
        body in proptest::collection::vec(any::<u8>(), 0..600),
        ctx in any_context(),
    ) {
        let _ = decode(&message(kind, &body), &ctx);
    }
}
