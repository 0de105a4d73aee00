//! RFC 4760 (multiprotocol extensions) and RFC 5492 (capabilities).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use conformance::blackbox::message::{self, capability, code};
use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup, Update};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn capabilities_and_families_nobody_knows_are_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench
        .open(2)
        .with(capability::MULTIPROTOCOL, &[0x40, 0x04, 0, 72])
        .with(capability::MULTIPROTOCOL, &[0, 99, 0, 99])
        .with(250, &[1, 2, 3])
        .with(251, &[]);
    let mut session = bench.session_with(2, &open)?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn an_open_without_capabilities_is_a_session_of_ipv4_unicast() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut open = bench.open(2);
    open.capabilities.clear();
    let mut session = bench.session_with(2, &open)?;
    session.until_told(Setup::NETWORK)?;
    let route = prefix("192.0.2.0/24");
    let path = Attribute::as_path_2(&[65_002]);
    session.update(&bench.announcement(2, &[route]).with(path))?;
    bench.observer.until_told(route)?;
    bench.untouched()
}

#[test]
fn without_a_common_family_the_session_is_refused_with_the_missing_capability() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench
        .open(2)
        .without(capability::MULTIPROTOCOL)
        .with(capability::MULTIPROTOCOL, &[0, 2, 0, 1]);
    let mut connection = bench.connect(2)?;
    connection.send(&open.bytes())?;
    let got = connection.expect_notification(2, 7)?;
    // RFC 5492 §5: the capabilities that are missing, as in an OPEN.
    assert_eq!(got.data, [1, 4, 0, 1, 0, 1]);
    bench.untouched()
}

#[test]
fn the_reserved_octets_of_the_capability_and_of_mp_reach_are_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench
        .open(2)
        .without(capability::MULTIPROTOCOL)
        .with(capability::MULTIPROTOCOL, &[0, 1, 0xff, 1]);
    let mut session = bench.session_with(2, &open)?;
    let route = prefix("192.0.2.0/24");
    let next_hop = bench.host(2).octets();
    let value = [&[0, 1, 1, 4][..], &next_hop, &[0xff], &route.bytes()].concat();
    let update = bench
        .announcement(2, &[])
        .without(code::NEXT_HOP)
        .with(Attribute::new(
            message::NON_TRANSITIVE,
            code::MP_REACH,
            value,
        ));
    session.update(&update)?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.as_path(), Some(vec![65_001, 65_002]));
    let value = [&[0, 1, 1][..], &route.bytes()].concat();
    let gone = Attribute::new(message::NON_TRANSITIVE, code::MP_UNREACH, value);
    session.update(&Update::default().with(gone))?;
    bench.observer.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn next_hop_beside_mp_reach_alone_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, Setup::ASN))?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let route = prefix("192.0.2.0/24");
    let next_hop = bench.host(2).octets();
    let value = [&[0, 1, 1, 4][..], &next_hop, &[0], &route.bytes()].concat();
    let update = bench
        .announcement(2, &[])
        .with(Attribute::next_hop(bench.host(77)))
        .with(Attribute::new(
            message::NON_TRANSITIVE,
            code::MP_REACH,
            value,
        ));
    session.update(&update)?;
    // The own AS is told the next hop as it is.
    assert_eq!(internal.until_told(route)?.next_hop(), Some(bench.host(2)));
    bench.untouched()
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let mut value = vec![0, 2, 1, 16];
    value.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    value.extend([0, 32, 0x20, 1, 0xd, 0xb8]);
    let reach = Attribute::new(message::NON_TRANSITIVE, code::MP_REACH, value);
    session.update(
        &bench
            .announcement(2, &[])
            .without(code::NEXT_HOP)
            .with(reach),
    )?;
    // The IPv4 route beside it is taken.
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn nothing_of_a_family_is_sent_that_the_peer_did_not_announce() -> Outcome {
    let setup = Setup::new()
        .peer(2, 65_002)
        .change(2, |neighbor| neighbor.ipv6 = true);
    let mut bench = Bench::start(setup)?;
    let open = bench.open(2).with(capability::MULTIPROTOCOL, &[0, 2, 0, 1]);
    let mut session = bench.session_with(2, &open)?;
    // The speaker has IPv4 routes, and offers this peer IPv6 only: all that may come is the
    // End-of-RIB of IPv6.
    let offered: Vec<_> = session
        .open
        .capabilities
        .iter()
        .filter(|(code, _)| *code == capability::MULTIPROTOCOL)
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(offered, [[0, 2, 0, 1]]);
    let heard = session.connection().expect_message("End-of-RIB of IPv6")?;
    let end = Attribute::new(message::NON_TRANSITIVE, code::MP_UNREACH, [0, 2, 1]);
    assert_eq!(heard, message::Message::Update(Update::default().with(end)));
    bench.untouched()?;
    assert_eq!(session.told(Setup::NETWORK), None);
    Ok(())
}
