//! BFD beside the session.

use super::*;
use crate::session::path::{Verdict, verdict};

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

/// Every order of two things that BFD says, and what the second means.
#[test]
fn what_bfd_says_is_judged_by_what_it_said_before() {
    use Verdict::*;
    let before = [
        None,
        Some(Bfd::Up),
        Some(Bfd::Anew),
        Some(Bfd::Down),
        Some(Bfd::PathDown),
    ];
    let said = [Bfd::Up, Bfd::Anew, Bfd::Down, Bfd::PathDown];
    let expected = [
        [Works, Nothing, Nothing, Nothing],
        [Nothing, Begins, Dead, Dead],
        [Works, Nothing, StaysAway, StaysAway],
        [Works, Nothing, Nothing, Nothing],
        [Works, Nothing, Nothing, Nothing],
    ];
    assert_eq!(
        before.map(|before| said.map(|said| verdict(before, said))),
        expected
    );
}

/// Established, with BFD up that is insisted on.
fn strict_up() -> (Bench, ConnId) {
    let open = graceful_open(|graceful| graceful.notification = true);
    let mut bench = Bench::new(with_bfd(true));
    bench.input(Input::Start);
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &open);
    assert_eq!(bench.session.state(), State::Established);
    bench.pass_alive(secs(100), conn);
    (bench, conn)
}

#[test]
fn bfd_that_is_made_anew_and_comes_up_again_leaves_the_session_alone() {
    for (mut bench, conn) in [up(), strict_up()] {
        assert!(bench.input(Input::Bfd(Bfd::Anew)).is_empty());
        assert_eq!(closed(&bench.pass(millis(2_999))), []);
        assert!(bench.input(Input::Bfd(Bfd::Up)).is_empty());
        bench.pass_alive(secs(100), conn);
        assert_eq!(bench.session.state(), State::Established);
        let outputs = bench.input(Input::Bfd(Bfd::Down));
        assert!(matches!(down(&outputs), Some((DownReason::BfdDown, None))));
    }
}

#[test]
fn bfd_that_is_made_anew_and_stays_away_ends_the_session() {
    for (mut bench, conn) in [up(), strict_up()] {
        bench.input(Input::Bfd(Bfd::Anew));
        assert_eq!(closed(&bench.pass(millis(2_999))), []);
        let outputs = bench.pass(millis(1));
        assert!(matches!(down(&outputs), Some((DownReason::BfdDown, None))));
        assert_eq!(closed(&outputs), [conn]);
    }
}

/// The order in which FRR's BGP ends: its BFD is made anew before or after TCP ends, and comes back
/// with the program or after it.
#[test]
fn a_restart_keeps_its_routes_in_each_order_of_bfd_and_bgp() {
    for strict in [false, true] {
        for bfd_first in [false, true] {
            let (mut bench, conn) = if strict { strict_up() } else { up() };
            let mut outputs = Vec::new();
            if bfd_first {
                outputs.extend(bench.input(Input::Bfd(Bfd::Anew)));
                outputs.extend(bench.close(conn));
            } else {
                outputs.extend(bench.close(conn));
                outputs.extend(bench.input(Input::Bfd(Bfd::Anew)));
            }
            assert!(matches!(down(&outputs), Some((_, Some(_)))));
            // The program is away for longer than what was made anew may take. Its host answers.
            let end = bench.now + secs(10);
            while bench.now < end {
                let mut outputs = bench.pass(millis(100));
                if let Some(conn) = dialled(&outputs) {
                    outputs.extend(bench.refuse(conn));
                }
                assert_eq!(released(&outputs), None, "{strict} {bfd_first}");
            }
            let status = bench.session.status();
            assert_eq!(status.bfd, Some(Bfd::Down));
            assert!(status.retained_until.is_some());
            assert_eq!(status.waits_for_bfd, strict);
        }
    }
}

#[test]
fn a_session_younger_than_what_was_made_anew_is_not_ended_by_it() {
    let (mut bench, conn) = up();
    bench.input(Input::Bfd(Bfd::Anew));
    bench.close(conn);
    let (_, conn) = bench.next_attempt();
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
    assert_eq!(bench.session.status().bfd, Some(Bfd::Down));
    // Once it has been up, it says something of this session too.
    bench.input(Input::Bfd(Bfd::Up));
    let outputs = bench.input(Input::Bfd(Bfd::Down));
    assert!(matches!(down(&outputs), Some((DownReason::BfdDown, None))));
}

#[test]
fn what_is_on_its_way_goes_on_while_bfd_is_made_anew() {
    let mut bench = Bench::new(with_bfd(false));
    let outputs = bench.input(Input::Start);
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Bfd(Bfd::Up));
    bench.input(Input::Connected { conn });
    assert!(bench.input(Input::Bfd(Bfd::Anew)).is_empty());
    bench.pass(millis(1));
    bench.shake_hands(conn, &peer_open());
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
}

/// How far a connection has come when BFD is not up any more.
#[derive(Debug, Clone, Copy)]
enum Way {
    Connect,
    OpenSent,
    OpenConfirm,
    Incoming,
}

/// A session that insists on BFD, which is up, with a connection on its way.
fn strict_on_its_way(way: Way) -> (Bench, ConnId) {
    let mut bench = Bench::new(with_bfd(true));
    bench.input(Input::Start);
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    let ours = dialled(&outputs).expect("connects at once");
    let conn = match way {
        Way::Incoming => bench.accept().0,
        Way::Connect => ours,
        Way::OpenSent | Way::OpenConfirm => {
            bench.input(Input::Connected { conn: ours });
            ours
        }
    };
    if matches!(way, Way::OpenConfirm) {
        bench.say(conn, &wire::encode_open(&peer_open()));
        assert_eq!(bench.session.state(), State::OpenConfirm);
    }
    (bench, conn)
}

#[test]
fn strict_mode_takes_nothing_to_established_while_bfd_is_not_up() {
    for not_up in [Bfd::Anew, Bfd::Down, Bfd::PathDown] {
        for way in [Way::Connect, Way::OpenSent, Way::OpenConfirm, Way::Incoming] {
            let (mut bench, conn) = strict_on_its_way(way);
            let mut outputs = bench.input(Input::Bfd(not_up));
            // A connection that is only being set up shows whether the address answers.
            if matches!(way, Way::Connect) {
                assert_eq!(closed(&outputs), [], "{not_up:?}");
                outputs = bench.input(Input::Connected { conn });
            }
            assert_eq!(closed(&outputs), [conn], "{not_up:?} {way:?}");
            // Neither side gets through before BFD does, however long that takes.
            for wait in [millis(0), secs(1), secs(100)] {
                assert_eq!(dialled(&bench.pass(wait)), None, "{not_up:?} {way:?}");
                let (conn, outputs) = bench.accept();
                assert_eq!(closed(&outputs), [conn], "{not_up:?} {way:?}");
            }
            assert!(bench.session.status().waits_for_bfd);
            establishes_with_bfd(&mut bench);
        }
    }
}

/// BFD comes up, and what waited for it is Established.
fn establishes_with_bfd(bench: &mut Bench) {
    let outputs = bench.input(Input::Bfd(Bfd::Up));
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    bench.shake_hands(conn, &peer_open());
    assert_eq!(bench.session.state(), State::Established);
}

/// FRR's BGP comes up, its BFD is made anew because of that, and FRR ends the session itself.
#[test]
fn strict_mode_waits_also_for_bfd_that_was_made_anew_under_the_last_session() {
    let (mut bench, conn) = strict_up();
    bench.input(Input::Bfd(Bfd::Anew));
    let bfd_down = Notification::new(6, 10, &[]);
    bench.say(conn, &wire::encode_notification(&bfd_down, false));
    assert_eq!(dialled(&bench.pass(secs(1))), None);
    let (conn, outputs) = bench.accept();
    assert_eq!(closed(&outputs), [conn]);
    establishes_with_bfd(&mut bench);
}

#[test]
fn strict_mode_that_is_switched_on_ends_what_is_on_its_way_and_leaves_what_stands() {
    let mut bench = Bench::new(with_bfd(false));
    let outputs = bench.input(Input::Start);
    let conn = dialled(&outputs).expect("connects at once");
    bench.input(Input::Connected { conn });
    let outputs = bench.input(Input::Configure(Box::new(with_bfd(true))));
    assert_eq!(closed(&outputs), [conn]);
    assert_eq!(dialled(&bench.pass(secs(100))), None);

    let (mut bench, conn) = Bench::established(with_bfd(false), &peer_open());
    let outputs = bench.input(Input::Configure(Box::new(with_bfd(true))));
    assert!(outputs.is_empty());
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn bfd_that_was_not_up_is_not_made_anew_but_down() {
    let (mut bench, conn) = Bench::established(with_bfd(false), &peer_open());
    for said in [Bfd::Anew, Bfd::Down, Bfd::Anew] {
        assert!(bench.input(Input::Bfd(said)).is_empty());
        assert_eq!(bench.session.status().bfd, Some(Bfd::Down));
    }
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn bfd_that_is_no_longer_configured_is_not_waited_for() {
    let (mut bench, conn) = up();
    bench.input(Input::Bfd(Bfd::Anew));
    bench.input(Input::Configure(Box::new(config())));
    bench.pass_alive(secs(100), conn);
    assert_eq!(bench.session.state(), State::Established);
}
