//! Trying again: delays, rests, stopping and configuring.

use std::net::Ipv4Addr;

use super::*;

/// No BGP message.
const JUNK: [u8; 19] = [0; 19];

fn within(delay: Duration, full: Duration) -> bool {
    delay >= full * 3 / 4 && delay <= full
}

#[test]
fn refused_attempts_are_repeated_soon_and_ever_more_rarely() {
    let (mut bench, mut conn) = Bench::started(config().connect_retry(secs(1), secs(10)));
    for full in [1, 2, 4, 8, 10, 10] {
        bench.refuse(conn);
        assert_eq!(bench.session.state(), State::Active);
        let (delay, next) = bench.next_attempt();
        assert!(within(delay, secs(full)), "{delay:?} of {full} s");
        conn = next;
    }
    let status = bench.session.status();
    assert_eq!(status.why().as_deref(), Some("connection refused"));
}

#[test]
fn an_attempt_without_answer_is_given_up_and_made_anew() {
    let (mut bench, conn) = Bench::started(config());
    let outputs = bench.pass(secs(5));
    assert_eq!(closed(&outputs), [conn]);
    assert!(outputs.iter().any(|output| matches!(
        output,
        Output::AttemptFailed {
            reason: DownReason::ConnectFailed(ConnectError::TimedOut),
            ..
        }
    )));
    let (delay, next) = bench.next_attempt();
    assert!(
        delay <= millis(200),
        "the attempt itself was the wait: {delay:?}"
    );
    assert_ne!(conn, next);
}

#[test]
fn who_connects_to_a_stopped_session_hears_an_open_and_why() {
    let text = "moving to rack 7".to_owned();
    let (mut bench, _) = Bench::established(config(), &peer_open());
    bench.input(Input::Stop(StopReason::AdministrativeShutdown { text }));
    let (turned_away, outputs) = bench.accept();
    assert_eq!(closed(&outputs), [turned_away]);
    let first = outputs.iter().find_map(|output| {
        if let Output::Send { bytes, .. } = output {
            Some(bytes.clone())
        } else {
            None
        }
    });
    // The type octet of a message follows marker and length.
    assert_eq!(first.expect("an OPEN")[18], 1);
    let notification = notified(&outputs).expect("a NOTIFICATION");
    assert_eq!((notification.code, notification.subcode), (6, 2));
    assert_eq!(&notification.data[1..], b"moving to rack 7");
}

#[test]
fn repeated_failures_rest_longer_and_turn_the_peer_away() {
    let (mut bench, mut conn) = Bench::started(config());
    let wrong = Open {
        asn: Asn(65009),
        capabilities: Vec::new(),
        ..peer_open()
    };
    for full in [1, 2, 4, 8, 16, 30, 30] {
        bench.input(Input::Connected { conn });
        bench.say(conn, &wire::encode_open(&wrong));
        assert_eq!(bench.session.state(), State::Idle);
        if full > 1 {
            let (turned_away, outputs) = bench.accept();
            assert_eq!(closed(&outputs), [turned_away]);
            assert_eq!(codes(&outputs), Some((6, 5)));
        }
        let (delay, next) = bench.next_attempt();
        assert!(within(delay, secs(full)), "{delay:?} of {full} s");
        conn = next;
    }
    // An operator who has corrected something does not wait.
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&wrong));
    assert_eq!(bench.session.state(), State::Idle);
    let conn = dialled(&bench.input(Input::Start)).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&wrong));
    let (delay, _) = bench.next_attempt();
    assert!(within(delay, secs(1)), "and starts over: {delay:?}");
}

#[test]
fn a_peer_may_end_the_first_rest() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    bench.pass_alive(secs(100), conn);
    bench.say(conn, &JUNK);
    assert_eq!(bench.session.state(), State::Idle);
    let (conn, _) = bench.accept();
    bench.shake_hands(conn, &peer_open());
}

#[test]
fn a_peer_that_ends_every_session_is_called_ever_more_rarely() {
    let (mut bench, mut conn) = Bench::started(config().connect_retry(secs(1), secs(10)));
    let end = |bench: &mut Bench, conn| {
        bench.input(Input::Closed { conn, error: None });
        let (delay, next) = bench.next_attempt();
        (delay, next)
    };
    for full in [1, 2, 4, 8, 10, 10] {
        bench.input(Input::Connected { conn });
        bench.shake_hands(conn, &peer_open());
        let (delay, next) = end(&mut bench, conn);
        assert!(within(delay, secs(full)), "{delay:?} of {full} s");
        conn = next;
    }
    // One that has lasted is over.
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
    bench.pass_alive(secs(61), conn);
    let (delay, _) = end(&mut bench, conn);
    assert!(within(delay, secs(1)), "{delay:?}");
}

#[test]
fn a_stable_session_forgets_earlier_failures() {
    let (mut bench, mut conn) = Bench::established(config(), &peer_open());
    for expected in [1, 2, 4] {
        bench.say(conn, &JUNK);
        let (delay, next) = bench.next_attempt();
        assert!(within(delay, secs(expected)), "{delay:?} of {expected} s");
        conn = next;
        bench.input(Input::Connected { conn });
        bench.shake_hands(conn, &peer_open());
    }
    bench.pass_alive(secs(60), conn);
    bench.say(conn, &JUNK);
    let (delay, _) = bench.next_attempt();
    assert!(within(delay, secs(1)), "{delay:?}");
    assert_eq!(bench.session.status().flaps, 4);
}

#[test]
fn ends_that_nobody_is_to_blame_for_need_no_rest() {
    let wishes: [(u8, &[u8]); 4] = [(2, &[]), (4, &[]), (9, &[6, 4]), (10, &[])];
    let (mut bench, mut conn) = Bench::established(config(), &peer_open());
    for round in 0..20 {
        match wishes.get(round % 5) {
            Some((subcode, data)) => {
                let notification = Notification::new(6, *subcode, data);
                bench.say(conn, &wire::encode_notification(&notification, false));
            }
            None => {
                bench.close(conn);
            }
        }
        assert_eq!(bench.session.state(), State::Active);
        let (delay, next) = bench.next_attempt();
        assert!(within(delay, secs(1)), "{delay:?}");
        conn = next;
        bench.input(Input::Connected { conn });
        bench.shake_hands(conn, &peer_open());
        bench.pass_alive(secs(61), conn);
    }
    let too_many = Notification::new(6, 1, &[]);
    bench.say(conn, &wire::encode_notification(&too_many, false));
    assert_eq!(
        bench.session.state(),
        State::Idle,
        "it would send as many again"
    );
}

#[test]
fn a_peer_that_closes_before_its_open_is_tried_again_soon() {
    let (mut bench, mut conn) = Bench::started(config());
    for _ in 0..8 {
        bench.input(Input::Connected { conn });
        bench.close(conn);
        let (delay, next) = bench.next_attempt();
        assert!(delay <= secs(10));
        conn = next;
    }
    let hint = bench.session.status().hint().expect("a hint");
    assert!(
        hint.contains("no neighbor configured with our address"),
        "{hint}"
    );
}

#[test]
fn no_attempt_is_made_while_the_peers_is_under_way() {
    let (mut bench, conn) = Bench::started(config());
    bench.refuse(conn);
    let (incoming, _) = bench.accept();
    let outputs = bench.pass(secs(30));
    assert_eq!(dialled(&outputs), None);
    bench.shake_hands(incoming, &peer_open());
}

#[test]
fn a_shutdown_tells_the_peers_operator_and_stays() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let text = "maintenance until 14:00 — ask Jörg".to_owned();
    let outputs = bench.input(Input::Stop(StopReason::AdministrativeShutdown {
        text: text.clone(),
    }));
    let notification = notified(&outputs).expect("a NOTIFICATION");
    assert_eq!((notification.code, notification.subcode), (6, 2));
    assert_eq!(notification.text(), Some(text));
    assert_eq!(closed(&outputs), [conn]);
    assert!(matches!(
        down(&outputs),
        Some((DownReason::Stopped(_), None))
    ));
    assert!(bench.pass(secs(600)).is_empty());
    assert_eq!(bench.session.deadline(), None);
    let (turned_away, outputs) = bench.accept();
    assert_eq!(closed(&outputs), [turned_away]);
    assert_eq!(bench.session.state(), State::Idle);
    assert!(bench.session.status().stopped.is_some());
    assert!(dialled(&bench.input(Input::Start)).is_some());
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let (mut bench, _) = Bench::established(config(), &peer_open());
    let text = "ö".repeat(200);
    let outputs = bench.input(Input::Stop(StopReason::AdministrativeShutdown { text }));
    let notification = notified(&outputs).expect("a NOTIFICATION");
    assert_eq!(
        notification.data.len(),
        255,
        "length octet and 127 times two"
    );
    assert_eq!(notification.text(), Some("ö".repeat(127)));
}

#[test]
fn a_reset_comes_back_by_itself() {
    for reason in [
        StopReason::AdministrativeReset {
            text: String::new(),
        },
        StopReason::HardReset {
            text: String::new(),
        },
    ] {
        let (mut bench, _) = Bench::established(config(), &peer_open());
        let outputs = bench.input(Input::Stop(reason));
        assert_eq!(
            codes(&outputs),
            Some((6, 4)),
            "the peer does not know Hard Reset"
        );
        let (delay, conn) = bench.next_attempt();
        assert!(delay <= secs(1));
        bench.input(Input::Connected { conn });
        bench.shake_hands(conn, &peer_open());
    }
}

#[test]
fn a_reset_while_waiting_connects_at_once() {
    let (mut bench, conn) = Bench::started(config());
    bench.refuse(conn);
    let text = String::new();
    let outputs = bench.input(Input::Stop(StopReason::AdministrativeReset { text }));
    assert!(dialled(&outputs).is_some());
}

#[test]
fn a_link_that_is_back_ends_the_wait_and_starts_nothing_that_is_not_wanted() {
    let (mut bench, mut conn) = Bench::started(config().connect_retry(secs(1), secs(600)));
    for _ in 0..8 {
        bench.refuse(conn);
        (_, conn) = bench.next_attempt();
    }
    bench.refuse(conn);
    let outputs = bench.input(Input::LinkIsBack);
    assert!(dialled(&outputs).is_some());
    let again = bench.input(Input::LinkIsBack);
    assert_eq!(dialled(&again), None, "one is under way");

    bench.input(Input::Stop(StopReason::PeerDeconfigured));
    let outputs = bench.input(Input::LinkIsBack);
    assert_eq!(dialled(&outputs), None);
}

#[test]
fn too_many_prefixes_are_said_with_family_and_limit() {
    let (mut bench, _) = Bench::established(config(), &peer_open());
    let (family, limit) = (Family::Ipv4Unicast, 1000);
    let restart_after = None;
    let outputs = bench.input(Input::Stop(StopReason::MaximumPrefixes {
        family,
        limit,
        restart_after,
    }));
    let notification = notified(&outputs).expect("a NOTIFICATION");
    assert_eq!((notification.code, notification.subcode), (6, 1));
    assert_eq!(*notification.data, [0, 1, 1, 0, 0, 3, 232]);
    assert!(
        bench
            .session
            .status()
            .why()
            .expect("a reason")
            .contains("1000")
    );
}

#[test]
fn after_too_many_prefixes_the_session_rests_as_long_as_it_was_told() {
    for rest in [None, Some(secs(900))] {
        let (mut bench, _) = Bench::established(config(), &peer_open());
        bench.input(Input::Stop(StopReason::MaximumPrefixes {
            family: Family::Ipv4Unicast,
            limit: 1,
            restart_after: rest,
        }));
        let status = bench.session.status();
        assert!(status.next_try.is_some() == rest.is_some());
        assert!(
            status
                .hint()
                .is_some_and(|hint| hint.contains("rbgpctl clear"))
        );
        assert_eq!(dialled(&bench.pass(secs(899))), None);
        assert_eq!(dialled(&bench.pass(secs(2))).is_some(), rest.is_some());
        let outputs = bench.input(Input::Start);
        assert_eq!(dialled(&outputs).is_some(), rest.is_none());
    }
}

#[test]
fn only_a_change_of_something_negotiated_bounces_the_session() {
    let calm = config()
        .passive(true)
        .keepalive(secs(5))
        .connect_retry(secs(2), secs(4))
        .graceful_restart(None);
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    assert_eq!(config().needs_restart(&calm), None);
    let outputs = bench.input(Input::Configure(Box::new(calm.clone())));
    assert!(outputs.is_empty(), "{outputs:?}");
    let sent = keepalives(&bench.pass_alive(secs(60), conn));
    assert!(
        (12..=17).contains(&sent),
        "the new keepalive time counts: {sent}"
    );

    let bouncing = calm.hold_time(HoldTime::secs(30).unwrap()).passive(false);
    let needed = config().needs_restart(&bouncing).expect("a restart");
    assert_eq!(needed.0, ["hold_time"]);
    let outputs = bench.input(Input::Configure(Box::new(bouncing)));
    assert_eq!(codes(&outputs), Some((6, 6)));
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
    let negotiated = bench.session.negotiated().expect("negotiated");
    assert_eq!(negotiated.hold_time.as_secs(), 30);
}

#[test]
fn another_identity_ends_the_session_and_is_told_by_the_next_open() {
    let (mut bench, _) = Bench::established(config(), &peer_open());
    let (asn, router_id) = (Asn(65011), Ipv4Addr::new(10, 0, 0, 7));
    let other = Config::new(asn, RemoteAs::Exact(PEER_AS), router_id);
    let needed = config().needs_restart(&other).expect("a restart");
    assert_eq!(needed.0, ["local_as", "router_id"]);
    let outputs = bench.input(Input::Configure(Box::new(other)));
    // Cease, Other Configuration Change (RFC 4486 §4).
    assert_eq!(codes(&outputs), Some((6, 6)));
    let conn = dialled(&outputs).expect("connects at once");
    let opens = sent(&bench.input(Input::Connected { conn }));
    let Some((_, Message::Open(open))) = opens.first() else {
        panic!("{opens:?}");
    };
    assert_eq!((open.asn, open.router_id), (asn, router_id));
    bench.shake_hands(conn, &peer_open());
    let negotiated = bench.session.negotiated().expect("negotiated");
    assert_eq!(negotiated.local_as, asn);
    // A member of the confederation is sent what others are not.
    let member = config().confederation_member(true);
    assert!(config().needs_restart(&member).is_some());
}

#[test]
fn the_end_of_selection_deferral_bounces_nothing() {
    let mut graceful = GracefulRestartConfig::new(120);
    graceful.restarting = true;
    let before = config().graceful_restart(Some(graceful));
    graceful.restarting = false;
    let after = config().graceful_restart(Some(graceful));
    assert_eq!(before.needs_restart(&after), None);
    let longer = config().graceful_restart(Some(GracefulRestartConfig::new(240)));
    assert!(after.needs_restart(&longer).is_some());
}

#[test]
fn another_name_bounces_nothing_and_is_told_by_the_next_open() {
    let (before, after) = (
        config().hostname("a", ""),
        config().hostname("b", "example.net"),
    );
    assert_eq!(before.needs_restart(&after), None);
    assert_eq!(before.needs_restart(&config()), None);
}

#[test]
fn a_corrected_configuration_ends_the_rest() {
    let wrong = Config::new(LOCAL_AS, RemoteAs::Exact(Asn(65009)), [10, 0, 0, 2].into());
    let (mut bench, conn) = Bench::started(wrong);
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(bench.session.state(), State::Idle);
    let outputs = bench.input(Input::Configure(Box::new(config())));
    assert!(dialled(&outputs).is_some());
}

#[test]
fn hold_times_of_one_and_two_seconds_cannot_be_made() {
    assert!(HoldTime::secs(1).is_err() && HoldTime::secs(2).is_err());
    for valid in [0, 3, 90, 65535] {
        assert_eq!(HoldTime::secs(valid).map(HoldTime::as_secs), Ok(valid));
    }
}

/// A peer that rests after a disagreement only says that it would not have us; for the operator the
/// disagreement is what counts.
#[test]
fn a_disagreement_stays_the_reason_while_the_peer_only_turns_us_away() {
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    bench.say(
        conn,
        &wire::encode_notification(&notification::open_error(2, &[]), false),
    );
    let rejected = notification::cease(notification::cease::CONNECTION_REJECTED);
    let why = |bench: &Bench| bench.session.status().why().unwrap_or_default();
    for _ in 0..3 {
        assert!(why(&bench).contains("Bad Peer AS"), "{}", why(&bench));
        let (_, conn) = bench.next_attempt();
        bench.input(Input::Connected { conn });
        bench.say(conn, &wire::encode_notification(&rejected, false));
    }
    bench.pass(secs(60));
    let (_, conn) = bench.next_attempt();
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_notification(&rejected, false));
    assert!(
        why(&bench).contains("Connection Rejected"),
        "{}",
        why(&bench)
    );
}

/// Two connections that both say the refused number turn once; a refusal of the other one turns
/// back; a configuration that only repeats the pair changes nothing.
#[test]
fn a_peer_that_refuses_one_of_two_as_numbers_hears_the_other() {
    let dual = || config().or_as(Some(Asn(64999)));
    let (mut bench, conn) = Bench::started(dual());
    let refused = wire::encode_notification(&notification::open_error(2, &[]), false);
    let said = |outputs: &[Output]| {
        outputs.iter().find_map(|output| {
            // The two octets behind marker, length, type and version.
            if let Output::Send { bytes, .. } = output
                && bytes[18] == 1
            {
                Some(u32::from(u16::from_be_bytes([bytes[20], bytes[21]])))
            } else {
                None
            }
        })
    };
    let first = said(&bench.input(Input::Connected { conn }));
    let (incoming, outputs) = bench.accept();
    assert_eq!(said(&outputs), first);
    bench.say(conn, &refused);
    bench.say(incoming, &refused);
    bench.input(Input::Configure(Box::new(dual())));
    let (_, conn) = bench.next_attempt();
    assert_eq!(said(&bench.input(Input::Connected { conn })), Some(64999));
    bench.say(conn, &refused);
    let (_, conn) = bench.next_attempt();
    assert_eq!(said(&bench.input(Input::Connected { conn })), first);
}
