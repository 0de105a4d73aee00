//! RFC 8654 (extended messages).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use conformance::blackbox::message::{self, capability};
use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup, Update};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// An announcement of more than 4096 octets.
fn large(bench: &Bench, host: u8, route: Prefix) -> Update {
    let communities: Vec<u32> = (0..1500).map(|low| 65_002 << 16 | low).collect();
    let update = bench.announcement(host, &[route]);
    let update = update.with(Attribute::communities(&communities));
    assert!(update.bytes().len() > 4096);
    update
}

#[test]
fn a_long_message_is_taken_if_both_sides_announced_the_capability() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    let extended = |host: u8| bench.open(host).with(capability::EXTENDED_MESSAGE, &[]);
    let mut from = bench.session_with(2, &extended(2))?;
    assert_eq!(
        from.open.capability(capability::EXTENDED_MESSAGE),
        Some([].as_slice())
    );
    let mut to = bench.session_with(5, &extended(5))?;
    let route = prefix("192.0.2.0/24");
    from.update(&large(&bench, 2, route))?;
    // It goes on to those who can read it, and to nobody else.
    assert_eq!(to.until_told(route)?.communities().len(), 1500);
    bench.pass(2, &mut from)?;
    assert_eq!(bench.seen(route)?, None);
    bench.untouched()
}

#[test]
fn a_route_that_grew_too_large_for_a_peer_is_withdrawn_from_it() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench.open(2).with(capability::EXTENDED_MESSAGE, &[]);
    let mut session = bench.session_with(2, &open)?;
    let route = prefix("192.0.2.0/24");
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    session.update(&large(&bench, 2, route))?;
    bench.observer.until_withdrawn(route)?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn a_long_message_without_the_capability_is_a_bad_message_length() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let octets = large(&bench, 2, prefix("192.0.2.0/24")).bytes();
    session.send(&octets)?;
    let got = session.expect_notification(1, 2)?;
    assert_eq!(got.data, u16::try_from(octets.len()).unwrap().to_be_bytes());
    bench.untouched()
}

#[test]
fn open_and_keepalive_stay_limited_to_4096_octets() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    // An OPEN of 4101 octets with extended parameters (RFC 9072).
    let open = bench.open(2).bytes_with(&[]);
    let mut body = open.get(message::HEADER_LEN..).unwrap().to_vec();
    body.pop();
    body.extend([255, 255, 0x0f, 0xe8, 2, 0x0f, 0xe5]);
    body.resize(4101 - message::HEADER_LEN, 0);
    let mut connection = bench.connect(2)?;
    connection.send(&message::message(message::OPEN, &body))?;
    let got = connection.expect_notification(1, 2)?;
    assert_eq!(got.data, 4101_u16.to_be_bytes());

    let open = bench.open(5).with(capability::EXTENDED_MESSAGE, &[]);
    let mut session = bench.session_with(5, &open)?;
    session.send(&message::message(message::KEEPALIVE, &[0; 5000]))?;
    session.expect_notification(1, 2)?;
    bench.untouched()
}
