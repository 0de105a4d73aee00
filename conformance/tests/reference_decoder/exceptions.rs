//! Where the other decoder says something else, and why we do not follow.
//!
//! Each test shows both answers. When one fails because the other decoder has learned it, the
//! exception goes, together with its place in `generated`.

use netgauze_bgp_pkt::BgpMessage;

use super::{ours, theirs};

/// An UPDATE of these attributes and IPv4 routes.
fn update(attributes: &[u8], routes: &[u8]) -> Vec<u8> {
    let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap().to_be_bytes();
    let mut body = vec![0, 0];
    body.extend(length(attributes));
    body.extend(attributes);
    body.extend(routes);
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    message.push(2);
    message.extend(body);
    message
}

/// ORIGIN, this AS_PATH and NEXT_HOP.
fn attributes(path: &[u8]) -> Vec<u8> {
    let mut out = vec![0x40, 1, 1, 0, 0x40, 2, u8::try_from(path.len()).unwrap()];
    out.extend(path);
    out.extend([0x40, 3, 4, 192, 0, 2, 1]);
    out
}

#[test]
fn confederation_segments_are_part_of_an_as_path() {
    // RFC 5065 §3: "3 AS_CONFED_SEQUENCE", "4 AS_CONFED_SET".
    for kind in [3, 4] {
        let message = update(&attributes(&[kind, 1, 0, 0, 0xfd, 0xe9]), &[8, 10]);
        assert!(ours::decode(&message, true).is_ok());
        assert!(theirs::decode(&message, true).is_err());
    }
}

#[test]
fn a_prefix_of_multicast_addresses_is_a_prefix() {
    // RFC 4271 §6.3 asks whether an NLRI is syntactically correct, and §4.3 has nothing against
    // these bits. What to do with such a route is policy.
    for prefix in [&[4_u8, 224][..], &[32, 255, 255, 255, 255]] {
        let message = update(&attributes(&[]), prefix);
        let ours = ours::facts(&message, true).unwrap();
        assert_eq!(ours.announced.len(), 1, "{ours:?}");
        assert!(theirs::decode(&message, true).is_err());
    }
}

#[test]
fn only_to_customer_may_have_passed_a_router_that_did_not_know_it() {
    // RFC 9234 §5: optional and transitive. RFC 4271 §5: such an attribute is passed on by who
    // does not know it, with the Partial bit.
    for (flags, theirs_too) in [(0xc0, true), (0xe0, false)] {
        let mut attributes = attributes(&[]);
        attributes.extend([flags, 35, 4, 0, 0, 0xfd, 0xe9]);
        let message = update(&attributes, &[8, 10]);
        let ours = ours::facts(&message, true).unwrap();
        assert!(ours.attributes[&35].starts_with("65001"), "{ours:?}");
        assert_eq!(theirs::decode(&message, true).is_ok(), theirs_too);
    }
}

#[test]
fn as_0_aggregates_nothing() {
    // RFC 7607 §2: an UPDATE with AS 0 in AGGREGATOR is malformed, and RFC 7606 §7.7 leaves such an
    // AGGREGATOR out. Tables of 2002 have some.
    let mut attributes = attributes(&[]);
    attributes.extend([0xc0, 7, 8, 0, 0, 0, 0, 192, 0, 2, 1]);
    let message = update(&attributes, &[8, 10]);
    let update = ours::decode(&message, true).unwrap();
    assert_eq!(ours::left_out(&update), [7]);
    let (theirs, _) = theirs::facts(&message, true).unwrap();
    assert_eq!(theirs.attributes[&7], "0 192.0.2.1");
}

#[test]
fn a_message_without_exceptions_is_read_by_both() {
    let message = update(&attributes(&[2, 1, 0, 0, 0xfd, 0xe9]), &[8, 10]);
    assert!(ours::decode(&message, true).is_ok());
    let theirs = theirs::decode(&message, true);
    assert!(matches!(theirs, Ok(BgpMessage::Update(_))), "{theirs:?}");
}
