//! The octets are those of the RFCs, checked against examples written out by hand.

use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

#[test]
fn an_open_has_the_octets_of_rfc_4271() {
    let open = Open {
        capabilities: vec![(2, vec![])],
        ..Open::new(65_002, Ipv4Addr::new(10, 0, 0, 2))
    };
    let mut expected = vec![0xff; 16];
    expected.extend([0, 33, 1, 4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2, 4, 2, 2, 2, 0]);
    assert_eq!(open.bytes(), expected);
    assert_eq!(Message::read(&expected), Some(Message::Open(open)));
}

#[test]
fn an_update_has_the_octets_of_rfc_4271() {
    let next_hop = Ipv4Addr::new(10, 0, 0, 2);
    let update = Update::announce(&[prefix("10.128.0.0/9")], &[65_002], next_hop);
    let mut expected = vec![0xff; 16];
    expected.extend([
        0, 46, 2, 0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea,
    ]);
    expected.extend([0x40, 3, 4, 10, 0, 0, 2, 9, 10, 128]);
    assert_eq!(update.bytes(), expected);
    assert_eq!(Message::read(&expected), Some(Message::Update(update)));
}

#[test]
fn path_identifiers_have_the_octets_of_rfc_7911() {
    let next_hop = Ipv4Addr::new(10, 0, 0, 2);
    let mut update = Update::announce(&[prefix("10.128.0.0/9")], &[65_002], next_hop);
    update.withdrawn.push(prefix("10.0.0.0/8"));
    let update = update.under(&[7, u32::MAX]);
    let mut expected = vec![0xff; 16];
    expected.extend([0, 56, 2, 0, 6, 0, 0, 0, 7, 8, 10, 0, 20]);
    expected.extend([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea]);
    expected.extend([0x40, 3, 4, 10, 0, 0, 2, 255, 255, 255, 255, 9, 10, 128]);
    assert_eq!(update.bytes(), expected);
    assert_eq!(
        Message::read_with(&expected, true),
        Some(Message::Update(update))
    );
    let open = Open::new(65_002, next_hop).add_path(3);
    assert_eq!(open.capability(69), Some([0, 1, 1, 3].as_slice()));
    assert_eq!(open.add_path_direction(), 3);
}

#[test]
fn graceful_restart_has_the_octets_of_rfc_4724() {
    let open = Open::new(65_002, Ipv4Addr::new(10, 0, 0, 2)).graceful_restart(0xc, 120, true);
    let expected = [0xc0, 120, 0, 1, 1, 0x80];
    assert_eq!(open.capability(64), Some(expected.as_slice()));
}

#[test]
fn malformed_octets_are_no_message() {
    assert_eq!(
        Message::read(&raw_message([0; 16], 19, KEEPALIVE, &[])),
        None
    );
    assert_eq!(Message::read(&message(KEEPALIVE, &[0])), None);
    assert_eq!(
        Message::read(&message(UPDATE, &[0, 0, 0, 0, 33, 1, 2, 3, 4, 5])),
        None
    );
    let twice = [0, 0, 0, 8, 0x40, 1, 1, 0, 0x40, 1, 1, 0];
    assert_eq!(Message::read(&message(UPDATE, &twice)), None);
}

#[test]
fn numbers_of_a_path_are_read_in_both_sizes() {
    assert_eq!(path_numbers(&[2, 2, 0, 1, 0, 2], false), Some(vec![1, 2]));
    assert_eq!(path_numbers(&[2, 1, 0, 1, 0, 2], true), Some(vec![65_538]));
    assert_eq!(path_numbers(&[2, 2, 0, 1], false), None);
}
