//! BFD beside the session.

use super::*;

fn with_bfd(strict: bool) -> Config {
    config().bfd(Some(BfdConfig {
        strict,
        detect_time: millis(900),
    }))
}

/// Established, with BFD up.
fn up() -> (Bench, ConnId) {
    let open = graceful_open(|graceful| graceful.notification = true);
    let (mut bench, conn) = Bench::established(with_bfd(false), &open);
    bench.input(Input::Bfd(Bfd::Up));
    bench.pass_alive(secs(100), conn);
    (bench, conn)
}

#[test]
fn a_dead_path_ends_the_session_at_once_and_keeps_nothing() {
    let (mut bench, conn) = up();
    let outputs = bench.input(Input::Bfd(Bfd::Down));
    assert!(matches!(down(&outputs), Some((DownReason::BfdDown, None))));
    assert_eq!(closed(&outputs), [conn]);
    let notification = notified(&outputs).expect("a NOTIFICATION");
    let inner = notification.inner().expect("a hard reset");
    assert_eq!((inner.code, inner.subcode), (6, 10), "RFC 9384");
}

#[test]
fn without_graceful_restart_the_cease_is_plain() {
    let (mut bench, _) = Bench::established(with_bfd(false), &peer_open());
    bench.input(Input::Bfd(Bfd::Up));
    let outputs = bench.input(Input::Bfd(Bfd::Down));
    assert_eq!(codes(&outputs), Some((6, 10)));
}

#[test]
fn the_session_returns_with_bfd_and_not_at_the_end_of_a_delay() {
    let (mut bench, _) = up();
    bench.input(Input::Bfd(Bfd::Down));
    // Attempts into a dead path: one fails, the next waits.
    for _ in 0..6 {
        let (_, conn) = bench.next_attempt();
        let error = ConnectError::Unreachable;
        bench.input(Input::ConnectFailed { conn, error });
    }
    assert_eq!(bench.session.state(), State::Active);
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
}

#[test]
fn an_attempt_stuck_in_the_dead_path_is_made_anew() {
    let (mut bench, _) = up();
    bench.input(Input::Bfd(Bfd::Down));
    let (_, stuck) = bench.next_attempt();
    bench.pass(secs(2));
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    assert_eq!(closed(&outputs), [stuck]);
    assert!(dialled(&outputs).is_some());
}

#[test]
fn bfd_that_was_never_up_says_nothing() {
    let (mut bench, conn) = Bench::established(with_bfd(false), &peer_open());
    let outputs = bench.input(Input::Bfd(Bfd::Down));
    assert!(outputs.is_empty());
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn bfd_that_is_not_configured_is_ignored() {
    let (mut bench, _) = Bench::established(config(), &peer_open());
    bench.input(Input::Bfd(Bfd::Up));
    assert!(bench.input(Input::Bfd(Bfd::Down)).is_empty());
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn strict_mode_waits_for_bfd() {
    let mut bench = Bench::new(with_bfd(true));
    assert_eq!(dialled(&bench.input(Input::Start)), None);
    bench.input(Input::Bfd(Bfd::Down));
    let (conn, outputs) = bench.accept();
    assert_eq!(closed(&outputs), [conn]);
    assert_eq!(dialled(&bench.pass(secs(100))), None);
    assert_eq!(
        bench.session.status().why().as_deref(),
        Some("waiting for BFD to come up")
    );
    assert!(bench.session.status().hint().is_some());
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
}

/// The peer's program died, its BFD with it; the host answers.
#[test]
fn a_restart_that_takes_bfd_along_keeps_its_routes() {
    let (mut bench, conn) = up();
    let outputs = bench.close(conn);
    assert!(matches!(down(&outputs), Some((_, Some(_)))));
    bench.pass(millis(900));
    bench.input(Input::Bfd(Bfd::Down));
    let end = bench.now + secs(100);
    while bench.now < end {
        let (_, conn) = bench.next_attempt();
        let outputs = bench.refuse(conn);
        assert_eq!(released(&outputs), None);
    }
    assert!(bench.session.status().retained_until.is_some());
}

/// The peer's program died; its BFD lives apart from that, and goes down too.
#[test]
fn a_path_that_fails_during_a_restart_takes_its_routes_along() {
    let (mut bench, conn) = up();
    let outputs = bench.close(conn);
    assert!(matches!(down(&outputs), Some((_, Some(_)))));
    bench.pass(millis(900));
    let mut outputs = bench.input(Input::Bfd(Bfd::PathDown));
    outputs.extend(bench.pass(millis(0)));
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::PeerSilent);
    assert_eq!(released(&outputs), Some(expected));
}

#[test]
fn a_dead_path_ends_the_session_whatever_lives_apart() {
    let (mut bench, conn) = up();
    let outputs = bench.input(Input::Bfd(Bfd::PathDown));
    assert!(matches!(down(&outputs), Some((DownReason::BfdDown, None))));
    assert_eq!(closed(&outputs), [conn]);
}

/// The peer's host died after its program.
#[test]
fn an_address_that_stops_answering_loses_its_routes() {
    let (mut bench, conn) = up();
    bench.close(conn);
    let (_, conn) = bench.next_attempt();
    bench.refuse(conn);
    bench.pass(millis(500));
    bench.input(Input::Bfd(Bfd::Down));
    let (_, _) = bench.next_attempt();
    let asked = bench.now;
    let mut outputs = Vec::new();
    while released(&outputs).is_none() {
        let at = bench.session.deadline().expect("a deadline");
        outputs = bench.pass(at - bench.now);
    }
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::PeerSilent);
    assert_eq!(released(&outputs), Some(expected));
    assert_eq!(
        bench.now - asked,
        millis(1_900),
        "detection time and a second"
    );
}

#[test]
fn silence_without_bfd_down_waits_for_the_restart_time() {
    let (mut bench, conn) = up();
    bench.close(conn);
    let outputs = bench.pass(secs(119));
    assert_eq!(released(&outputs), None);
    let (_, reason) = released(&bench.pass(secs(1))).expect("released");
    assert_eq!(reason, ReleaseReason::RestartTimeExpired);
}

#[test]
fn silence_counts_from_when_bfd_went_down() {
    let (mut bench, conn) = up();
    bench.close(conn);
    // Attempts are lost, while BFD still gets through.
    assert_eq!(released(&bench.pass(secs(10))), None);
    bench.input(Input::Bfd(Bfd::Down));
    assert_eq!(released(&bench.pass(millis(1_899))), None);
    let (_, reason) = released(&bench.pass(millis(1))).expect("released");
    assert_eq!(reason, ReleaseReason::PeerSilent);
}

#[test]
fn an_unreachable_address_is_silent_too() {
    let (mut bench, conn) = up();
    bench.close(conn);
    bench.input(Input::Bfd(Bfd::Down));
    let mut outputs = Vec::new();
    let since = bench.now;
    while released(&outputs).is_none() {
        let at = bench.session.deadline().expect("a deadline");
        outputs = bench.pass(at - bench.now);
        if let Some(conn) = dialled(&outputs) {
            let error = ConnectError::Unreachable;
            bench.input(Input::ConnectFailed { conn, error });
        }
    }
    assert!(bench.now - since <= secs(3));
    let (_, reason) = released(&outputs).expect("released");
    assert_eq!(reason, ReleaseReason::PeerSilent);
}
