//! From TCP to Established, and what can go wrong between.

use super::*;
use crate::message::{RefreshKind, RouteRefresh};

#[test]
fn a_session_comes_up_on_a_connection_of_its_own() {
    let (mut bench, conn) = Bench::started(config());
    assert_eq!(bench.session.state(), State::Connect);
    let outputs = bench.input(Input::Connected { conn });
    let [(at, Message::Open(open))] = &sent(&outputs)[..] else {
        panic!("an OPEN: {outputs:?}");
    };
    assert_eq!((*at, open.asn, open.hold_time), (conn, LOCAL_AS, 90));
    assert_eq!(bench.session.state(), State::OpenSent);
    let outputs = bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(sent(&outputs), [(conn, Message::Keepalive)]);
    assert_eq!(bench.session.state(), State::OpenConfirm);
    let outputs = bench.say(conn, &wire::encode_keepalive());
    assert!(outputs.iter().any(|output| matches!(
        output,
        Output::Established { conn: at, negotiated }
            if *at == conn && negotiated.remote_as == PEER_AS
    )));
    assert!(outputs.iter().any(|output| matches!(
        output,
        Output::StateChanged {
            from: State::OpenConfirm,
            to: State::Established
        }
    )));
}

#[test]
fn a_session_comes_up_on_the_peers_connection() {
    let mut bench = Bench::new(config().passive(true));
    bench.input(Input::Start);
    assert_eq!(bench.session.state(), State::Active);
    let (conn, outputs) = bench.accept();
    assert!(matches!(sent(&outputs)[..], [(_, Message::Open(_))]));
    bench.shake_hands(conn, &peer_open());
}

#[test]
fn bytes_may_come_in_any_pieces() {
    let all = bytes_of(&[
        wire::encode_open(&peer_open()),
        wire::encode_keepalive(),
        wire::encode_route_refresh(&RouteRefresh {
            afi: 1,
            safi: 1,
            kind: RefreshKind::Request,
        }),
        wire::encode_keepalive(),
    ]);
    for size in [1, 2, 7, 19, 20, all.len()] {
        let (mut bench, conn) = Bench::started(config());
        bench.input(Input::Connected { conn });
        let mut outputs = Vec::new();
        for piece in all.chunks(size) {
            outputs.extend(bench.say(conn, piece));
        }
        assert_eq!(
            bench.session.state(),
            State::Established,
            "pieces of {size}"
        );
        assert!(outputs.iter().any(|output| matches!(
            output,
            Output::Refresh {
                family: Family::Ipv4Unicast,
                kind: RefreshKind::Request
            }
        )));
        let received = bench.session.status().counters.received;
        assert_eq!(
            (received.opens, received.keepalives, received.refreshes),
            (1, 2, 1)
        );
    }
}

#[test]
fn an_open_that_does_not_fit_is_answered_with_its_own_code() {
    let cases: Vec<(Config, Open, (u8, u8), &str)> = vec![
        (
            config(),
            Open {
                asn: Asn(65009),
                capabilities: Vec::new(),
                ..peer_open()
            },
            (2, 2),
            "the peer says it is AS 65009, the configuration expects AS 65002",
        ),
        (
            Config::new(LOCAL_AS, RemoteAs::Internal, [10, 0, 0, 2].into()),
            peer_open(),
            (2, 2),
            "the peer says it is AS 65002, the configuration expects our own AS",
        ),
        (
            Config::new(PEER_AS, RemoteAs::Internal, [10, 0, 0, 3].into()),
            peer_open(),
            (2, 3),
            "the peer's BGP identifier 10.0.0.3 is also ours, in the same AS",
        ),
        (
            config().minimum_hold_time(Some(Duration::from_secs(20))),
            Open {
                hold_time: 19,
                ..peer_open()
            },
            (2, 6),
            "the peer offers a hold time of 19 s, the configuration expects 20 s or more",
        ),
        (
            config().minimum_hold_time(Some(Duration::from_secs(1))),
            Open {
                hold_time: 0,
                ..peer_open()
            },
            (2, 6),
            "the peer offers a hold time of 0 s, the configuration expects 1 s or more",
        ),
        (
            config().role(Some(crate::message::Role::Customer), true),
            peer_open(),
            (2, 11),
            "our role is customer, and the peer did not say its own",
        ),
        (
            config(),
            Open {
                capabilities: vec![
                    Capability::Multiprotocol(2, 1),
                    Capability::FourOctetAs(PEER_AS),
                ],
                ..peer_open()
            },
            (2, 7),
            "no common address family: here ipv4_unicast; at the peer ipv6_unicast",
        ),
    ];
    for (config, open, expected, text) in cases {
        let (mut bench, conn) = Bench::started(config);
        bench.input(Input::Connected { conn });
        let outputs = bench.say(conn, &wire::encode_open(&open));
        assert_eq!(codes(&outputs), Some(expected), "{text}");
        assert_eq!(closed(&outputs), [conn]);
        assert_eq!(bench.session.state(), State::Idle);
        let status = bench.session.status();
        assert_eq!(status.why().as_deref(), Some(text));
        assert!(status.hint().is_some());
    }
}

#[test]
fn the_least_hold_time_that_is_accepted_is_accepted() {
    let least = Duration::from_secs(20);
    let (mut bench, conn) = Bench::started(config().minimum_hold_time(Some(least)));
    bench.input(Input::Connected { conn });
    let open = Open {
        hold_time: 20,
        ..peer_open()
    };
    bench.say(conn, &wire::encode_open(&open));
    assert_eq!(bench.session.state(), State::OpenConfirm);
}

#[test]
fn a_missing_family_is_named_in_the_notification() {
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    let mut open = peer_open();
    open.capabilities = vec![Capability::Multiprotocol(25, 70)];
    let outputs = bench.say(conn, &wire::encode_open(&open_as(open)));
    let data = notified(&outputs).expect("a NOTIFICATION").data;
    assert_eq!(*data, [1, 4, 0, 1, 0, 1]);
}

fn open_as(mut open: Open) -> Open {
    open.capabilities.push(Capability::FourOctetAs(open.asn));
    open
}

#[test]
fn bytes_that_are_no_open_end_the_attempt() {
    let open = wire::encode_open(&peer_open());
    let changed = |at: usize, value: u8| {
        let mut bytes = open.to_vec();
        bytes[at] = value;
        bytes
    };
    let cases = [
        (changed(19, 3), (2, 1)),  // version
        (changed(23, 2), (2, 6)),  // hold time 2, low octet
        (changed(24, 0), (2, 3)),  // placeholder, made whole below
        (changed(0, 0), (1, 1)),   // marker
        (changed(17, 18), (1, 2)), // length
        (changed(18, 9), (1, 3)),  // type
    ];
    for (mut bytes, expected) in cases {
        if expected == (2, 6) {
            bytes[22] = 0;
        }
        if expected == (2, 3) {
            bytes[24..28].fill(0);
        }
        let (mut bench, conn) = Bench::started(config());
        bench.input(Input::Connected { conn });
        let outputs = bench.say(conn, &bytes);
        assert_eq!(codes(&outputs), Some(expected));
        assert_eq!(closed(&outputs), [conn]);
    }
}

/// RFC 6608 §3.
#[test]
fn a_message_out_of_place_says_in_which_state() {
    let update = end_of_rib(Family::Ipv4Unicast);
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    let outputs = bench.say(conn, &update);
    let notification = notified(&outputs).expect("a NOTIFICATION");
    assert_eq!((notification.code, notification.subcode), (5, 1));
    assert_eq!(*notification.data, [2], "type of the message");

    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(codes(&bench.say(conn, &update)), Some((5, 2)));

    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let outputs = bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(codes(&outputs), Some((5, 3)));
    assert!(down(&outputs).is_some());
}

#[test]
fn the_higher_identifier_keeps_its_connection() {
    // The peer's identifier, and which connection stays.
    for (peer, kept) in [
        ([10, 0, 0, 3], Side::Incoming),
        ([10, 0, 0, 1], Side::Outgoing),
    ] {
        for first in [Side::Outgoing, Side::Incoming] {
            let open = Open {
                router_id: peer.into(),
                ..peer_open()
            };
            let (mut bench, outgoing) = Bench::started(config());
            bench.input(Input::Connected { conn: outgoing });
            let (incoming, _) = bench.accept();
            let (one, two) = match first {
                Side::Outgoing => (outgoing, incoming),
                Side::Incoming => (incoming, outgoing),
            };
            let outputs = bench.say(one, &wire::encode_open(&open));
            assert_eq!(closed(&outputs), [], "one OPEN is no collision");
            let outputs = bench.say(two, &wire::encode_open(&open));
            let (kept, lost) = match kept {
                Side::Outgoing => (outgoing, incoming),
                Side::Incoming => (incoming, outgoing),
            };
            assert_eq!(closed(&outputs), [lost]);
            assert_eq!(codes(&outputs), Some((6, 7)));
            bench.say(kept, &wire::encode_keepalive());
            assert_eq!(bench.session.state(), State::Established);
        }
    }
}

/// RFC 6286 §2.3.
#[test]
fn between_equal_identifiers_the_higher_as_decides() {
    let (mut bench, outgoing) = Bench::started(config());
    bench.input(Input::Connected { conn: outgoing });
    let (incoming, _) = bench.accept();
    let open = Open {
        router_id: [10, 0, 0, 2].into(),
        ..peer_open()
    };
    bench.say(outgoing, &wire::encode_open(&open));
    let outputs = bench.say(incoming, &wire::encode_open(&open));
    assert_eq!(closed(&outputs), [outgoing], "65002 is higher");
}

#[test]
fn the_slower_connection_is_closed_when_the_other_gets_through() {
    let (mut bench, outgoing) = Bench::started(config());
    let (incoming, _) = bench.accept();
    let outputs = bench.shake_hands(incoming, &peer_open());
    assert_eq!(closed(&outputs), [outgoing], "still in TCP's hands");
    assert_eq!(notified(&outputs), None);
    let outputs = bench.input(Input::Connected { conn: outgoing });
    assert!(
        outputs.is_empty(),
        "a late word about it is ignored: {outputs:?}"
    );
}

#[test]
fn nothing_on_a_second_connection_hurts_the_established_one() {
    let open = wire::encode_open(&peer_open());
    let junk = [0u8; 64];
    let notification = wire::encode_notification(&Notification::new(6, 2, &[]), false);
    let said: [&[u8]; 4] = [&open, &junk, &notification, &wire::encode_keepalive()];
    for bytes in said {
        let (mut bench, conn) = Bench::established(config(), &peer_open());
        bench.pass_alive(secs(20), conn);
        let (second, outputs) = bench.accept();
        assert_eq!(keepalives(&outputs), 1, "the old one is probed");
        let outputs = bench.say(second, bytes);
        assert_eq!(closed(&outputs), [second]);
        assert!(down(&outputs).is_none());
        let (third, _) = bench.accept();
        let outputs = bench.close(third);
        assert!(down(&outputs).is_none());
        let outputs = bench.pass_alive(secs(300), conn);
        assert!(down(&outputs).is_none());
        assert!(dialled(&outputs).is_none());
        assert_eq!(bench.session.state(), State::Established);
        assert_eq!(bench.session.status().flaps, 0);
    }
}

#[test]
fn many_connections_are_no_reason_for_many_keepalives() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    bench.pass_alive(secs(20), conn);
    let sent: usize = (0..20).map(|_| keepalives(&bench.accept().1)).sum();
    assert_eq!(sent, 1, "RFC 4271 §4.4: at most one a second");
    bench.pass_alive(secs(1), conn);
    assert_eq!(keepalives(&bench.accept().1), 1);
}

#[test]
fn a_connection_right_behind_a_keepalive_is_no_reason_for_another_one() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    assert_eq!(keepalives(&bench.accept().1), 0, "the handshake had one");
    let mut sent = 0;
    while sent == 0 {
        sent = keepalives(&bench.pass_alive(millis(100), conn));
    }
    assert_eq!(keepalives(&bench.accept().1), 0);
    bench.pass_alive(secs(1), conn);
    assert_eq!(keepalives(&bench.accept().1), 1);
}

#[test]
fn a_second_open_is_turned_away_as_a_collision() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    bench.pass_alive(secs(20), conn);
    let (second, _) = bench.accept();
    let outputs = bench.say(second, &wire::encode_open(&peer_open()));
    assert_eq!(codes(&outputs), Some((6, 7)));
    assert_eq!(closed(&outputs), [second]);
}

#[test]
fn the_peers_newer_connection_replaces_its_older_one() {
    let mut bench = Bench::new(config().passive(true));
    bench.input(Input::Start);
    let (first, _) = bench.accept();
    let (second, outputs) = bench.accept();
    assert_eq!(closed(&outputs), [first]);
    bench.shake_hands(second, &peer_open());
}

#[test]
fn without_capabilities_none_is_said_and_none_of_the_peers_counts() {
    let (mut bench, conn) = Bench::started(config().plain(true));
    let outputs = bench.input(Input::Connected { conn });
    let [(_, Message::Open(open))] = &sent(&outputs)[..] else {
        panic!("an OPEN: {outputs:?}");
    };
    assert!(open.capabilities.is_empty());
    bench.say(conn, &wire::encode_open(&peer_open()));
    let outputs = bench.say(conn, &wire::encode_keepalive());
    let up = |output: &&Output| matches!(output, Output::Established { .. });
    let Some(Output::Established { negotiated, .. }) = outputs.iter().find(up) else {
        panic!("a session: {outputs:?}");
    };
    assert!(!negotiated.as4 && !negotiated.route_refresh);
    let families = &negotiated.families;
    assert!(families.ipv4_unicast.is_some() && families.ipv6_unicast.is_none());
    // It takes another session to say some.
    assert!(config().needs_restart(&config().plain(true)).is_some());
}
