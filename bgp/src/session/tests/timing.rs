//! Timers of a connection.

use proptest::prelude::*;

use super::*;
use crate::session::timers::Jitter;

fn hold(secs: u16) -> Config {
    config().hold_time(HoldTime::secs(secs).unwrap())
}

#[test]
fn silence_for_the_hold_time_ends_the_session() {
    let (mut bench, conn) = Bench::established(hold(9), &peer_open());
    bench.pass(millis(8_999));
    assert_eq!(bench.session.state(), State::Established);
    let outputs = bench.pass(millis(1));
    assert_eq!(codes(&outputs), Some((4, 0)));
    assert_eq!(closed(&outputs), [conn]);
    let Some((reason, None)) = down(&outputs) else {
        panic!("down: {outputs:?}");
    };
    assert_eq!(
        reason.to_string(),
        "no message from the peer for 9 s in Established"
    );
}

#[test]
fn the_peers_lower_hold_time_counts() {
    let open = Open {
        hold_time: 3,
        ..peer_open()
    };
    let (mut bench, _) = Bench::established(config(), &open);
    assert!(down(&bench.pass(secs(3))).is_some());
}

#[test]
fn updates_and_keepalives_keep_the_session_up() {
    let (mut bench, conn) = Bench::established(hold(9), &peer_open());
    for _ in 0..10 {
        bench.pass(secs(8));
        bench.say(conn, &end_of_rib(Family::Ipv4Unicast));
        bench.pass(secs(8));
        bench.say(conn, &wire::encode_keepalive());
    }
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn half_a_message_is_no_sign_of_life() {
    let (mut bench, conn) = Bench::established(hold(9), &peer_open());
    for byte in wire::encode_keepalive().iter().take(18) {
        bench.pass(millis(400));
        bench.say(conn, &[*byte]);
    }
    assert!(down(&bench.pass(secs(2))).is_some());
}

#[test]
fn keepalives_come_in_time_and_not_in_step() {
    let (mut bench, conn) = Bench::established(config().jitter_seed(7), &peer_open());
    let mut last = bench.now;
    let mut gaps = Vec::new();
    for _ in 0..2_000 {
        let outputs = bench.pass(millis(500));
        if keepalives(&outputs) > 0 {
            gaps.push(bench.now - last);
            last = bench.now;
        }
        bench.say(conn, &wire::encode_keepalive());
    }
    assert!(
        gaps.iter()
            .all(|gap| *gap >= secs(22) && *gap <= millis(30_500))
    );
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "jitter");
}

#[test]
fn the_shortest_hold_time_sends_one_keepalive_a_second() {
    let (mut bench, conn) = Bench::established(hold(3), &peer_open());
    let mut sent = 0;
    for _ in 0..100 {
        sent += keepalives(&bench.pass(secs(1)));
        bench.say(conn, &wire::encode_keepalive());
    }
    assert!((99..=100).contains(&sent), "RFC 4271 §4.4: {sent}");
}

#[test]
fn hold_time_zero_means_no_timers() {
    let (mut bench, _) = Bench::established(hold(0), &peer_open());
    assert!(bench.pass(secs(86_400)).is_empty());
    assert_eq!(bench.session.state(), State::Established);
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn a_peer_that_never_opens_is_left() {
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    let outputs = bench.pass(secs(60));
    assert_eq!(codes(&outputs), Some((4, 0)));
    let hint = bench.session.status().hint().expect("a hint");
    assert!(hint.contains("sent no OPEN"), "{hint}");
}

#[test]
fn a_peer_that_never_confirms_is_left_even_without_hold_time() {
    let (mut bench, conn) = Bench::started(hold(0));
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(codes(&bench.pass(secs(60))), Some((4, 0)));
}

#[test]
fn keepalives_are_sent_while_waiting_for_confirmation() {
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&peer_open()));
    assert!(keepalives(&bench.pass(secs(61))) >= 2);
}

/// RFC 9687 §3.
#[test]
fn a_peer_that_does_not_read_is_cut() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    bench.input(Input::WriteBlocked { conn });
    bench.pass_alive(secs(470), conn);
    bench.input(Input::WriteBlocked { conn });
    bench.pass_alive(millis(9_999), conn);
    assert_eq!(bench.session.state(), State::Established);
    let outputs = bench.pass_alive(millis(1), conn);
    assert_eq!(codes(&outputs), Some((8, 0)));
    assert!(matches!(
        down(&outputs),
        Some((DownReason::SendHoldTimerExpired { .. }, None))
    ));
}

#[test]
fn a_peer_that_reads_slowly_is_not_cut() {
    let (mut bench, conn) = Bench::established(config().send_hold_time(secs(60)), &peer_open());
    for _ in 0..10 {
        bench.input(Input::WriteBlocked { conn });
        bench.pass_alive(secs(50), conn);
        bench.input(Input::WriteProgress {
            conn,
            waiting: true,
        });
    }
    bench.pass_alive(secs(50), conn);
    bench.input(Input::WriteProgress {
        conn,
        waiting: false,
    });
    bench.pass_alive(secs(600), conn);
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn silence_proves_nothing_while_we_do_not_read() {
    let (mut bench, conn) = Bench::established(hold(9), &peer_open());
    bench.input(Input::ReadPaused { conn, paused: true });
    bench.say(conn, &wire::encode_keepalive());
    assert!(keepalives(&bench.pass(secs(100))) > 20, "ours still flow");
    assert_eq!(bench.session.state(), State::Established);
    bench.input(Input::ReadPaused {
        conn,
        paused: false,
    });
    bench.pass(millis(8_999));
    assert_eq!(bench.session.state(), State::Established);
    assert!(down(&bench.pass(millis(1))).is_some());
}

#[test]
fn a_long_burst_is_followed_by_one_keepalive() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    for _ in 0..30 {
        bench.input(Input::Sent { conn, updates: 100 });
        assert_eq!(
            keepalives(&bench.pass(millis(100))),
            0,
            "not within the burst"
        );
    }
    assert_eq!(keepalives(&bench.pass(secs(1))), 1);
    bench.input(Input::Sent { conn, updates: 900 });
    assert_eq!(keepalives(&bench.pass(secs(1))), 0, "a short one");
    assert_eq!(bench.session.status().counters.sent.updates, 3_900);
}

proptest! {
    #[test]
    fn jitter_takes_off_a_quarter_at_most(seed: u64, millis in 0u64..100_000_000) {
        let full = Duration::from_millis(millis);
        let mut jitter = Jitter::new(seed);
        for _ in 0..16 {
            let applied = jitter.apply(full);
            prop_assert!(applied <= full && applied >= full.mul_f64(0.75));
        }
    }
}
