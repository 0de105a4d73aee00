//! Graceful restart, seen from the helper.

use super::*;
use crate::session::graceful::retain;
use crate::session::negotiated::negotiate;

fn kept(families: PerFamily<bool>) -> bool {
    families.ipv4_unicast && !families.ipv6_unicast && !families.evpn
}

/// RFC 4724 §4.2 and §5, RFC 8538 §4: reason, kept without the N bit, kept with it.
#[test]
fn what_is_kept_depends_on_why_the_session_ended() {
    let text = String::new;
    let notification =
        |code, subcode| DownReason::NotificationReceived(Notification::new(code, subcode, &[]));
    let cases = [
        (
            DownReason::ConnectionClosed {
                state: State::Established,
                error: None,
            },
            true,
            true,
        ),
        (DownReason::PeerReconnected, true, true),
        (
            DownReason::HoldTimerExpired {
                state: State::Established,
                after: secs(90),
            },
            false,
            true,
        ),
        (
            DownReason::SendHoldTimerExpired { after: secs(480) },
            false,
            true,
        ),
        (notification(6, 4), false, true),
        (notification(6, 2), false, true),
        (notification(4, 0), false, true),
        (notification(6, 9), false, false),
        (notification(6, 10), false, false),
        (DownReason::BfdDown, false, false),
        (
            DownReason::Stopped(StopReason::AdministrativeReset { text: text() }),
            false,
            true,
        ),
        (
            DownReason::Stopped(StopReason::OtherConfigurationChange),
            false,
            true,
        ),
        (
            DownReason::Stopped(StopReason::AdministrativeShutdown { text: text() }),
            false,
            false,
        ),
        (
            DownReason::Stopped(StopReason::HardReset { text: text() }),
            false,
            false,
        ),
        (
            DownReason::Stopped(StopReason::PeerDeconfigured),
            false,
            false,
        ),
        (
            DownReason::Malformed {
                notification: Notification::update(1),
                text: text(),
            },
            false,
            true,
        ),
    ];
    for n_bit in [false, true] {
        let open = graceful_open(|graceful| graceful.notification = n_bit);
        let negotiated = negotiate(&config(), &open).unwrap();
        for (reason, without, with) in &cases {
            let expected = if n_bit { *with } else { *without };
            let retain = retain(&config(), &negotiated, reason);
            assert_eq!(retain.is_some(), expected, "N {n_bit}: {reason}");
            if let Some(retain) = retain {
                assert!(kept(retain.families));
                assert_eq!(retain.restart_time, secs(120));
            }
        }
    }
}

#[test]
fn nothing_is_kept_where_graceful_restart_was_not_agreed_on() {
    let reason = DownReason::PeerReconnected;
    let plain = negotiate(&config(), &peer_open()).unwrap();
    assert_eq!(retain(&config(), &plain, &reason), None);
    let helper = graceful_open(|graceful| graceful.families.clear());
    let negotiated = negotiate(&config(), &helper).unwrap();
    assert_eq!(
        retain(&config(), &negotiated, &reason),
        None,
        "a helper keeps no state"
    );
    let brief = graceful_open(|graceful| graceful.restart_time = 0);
    let negotiated = negotiate(&config(), &brief).unwrap();
    assert_eq!(retain(&config(), &negotiated, &reason), None);
    let negotiated = negotiate(&config(), &graceful_open(|_| {})).unwrap();
    let deaf = config().graceful_helper(false);
    assert_eq!(retain(&deaf, &negotiated, &reason), None);
}

/// A session whose peer has gone away with its TCP connection.
fn away(config: Config) -> Bench {
    let (mut bench, conn) = Bench::established(config, &graceful_open(|_| {}));
    bench.pass_alive(secs(100), conn);
    let outputs = bench.close(conn);
    let Some((_, Some(retain))) = down(&outputs) else {
        panic!("kept: {outputs:?}");
    };
    assert!(kept(retain.families));
    bench
}

fn come_back(bench: &mut Bench, open: &Open) -> (ConnId, Vec<Output>) {
    let (conn, _) = bench.accept();
    let outputs = bench.shake_hands(conn, open);
    (conn, outputs)
}

#[test]
fn a_peer_that_is_away_is_called_every_second() {
    let mut bench = away(config());
    let (mut attempts, mut conn) = (0, None);
    let end = bench.now + secs(60);
    while bench.now < end {
        let outputs = match conn.take() {
            Some(conn) => bench.refuse(conn),
            None => bench.pass(millis(50)),
        };
        conn = dialled(&outputs);
        attempts += usize::from(conn.is_some());
    }
    assert!((58..=80).contains(&attempts), "{attempts} attempts in 60 s");
}

#[test]
fn unanswered_calls_are_repeated_every_second_too() {
    let mut bench = away(config());
    let outputs = bench.pass(secs(60));
    let attempts = outputs
        .iter()
        .filter(|output| matches!(output, Output::Connect { .. }))
        .count();
    assert!((50..=80).contains(&attempts), "{attempts} attempts in 60 s");
}

#[test]
fn stale_routes_wait_for_end_of_rib() {
    let mut bench = away(config());
    bench.pass(secs(30));
    let (conn, outputs) = come_back(&mut bench, &graceful_open(|g| g.restarting = true));
    assert_eq!(released(&outputs), None);
    bench.say(conn, &end_of_rib(Family::Ipv4Unicast));
    let outputs = bench.pass_alive(secs(1_000), conn);
    assert_eq!(released(&outputs), None);
}

#[test]
fn stale_routes_do_not_wait_for_ever() {
    let mut bench = away(config().stale_time(secs(60)));
    let (conn, _) = come_back(&mut bench, &graceful_open(|g| g.restarting = true));
    let outputs = bench.pass_alive(secs(59), conn);
    assert_eq!(released(&outputs), None);
    let outputs = bench.pass_alive(secs(1), conn);
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::StaleTimeExpired);
    assert_eq!(released(&outputs), Some(expected));
}

/// RFC 4724 §4.2.
#[test]
fn a_peer_that_lost_its_forwarding_state_loses_its_routes() {
    let without_f = graceful_open(|graceful| graceful.families = vec![(1, 1, false)]);
    let without_family = graceful_open(|graceful| graceful.families.clear());
    for open in [without_f, without_family, peer_open()] {
        let mut bench = away(config());
        let (_, outputs) = come_back(&mut bench, &open);
        let expected = (vec![Family::Ipv4Unicast], ReleaseReason::NotPreserved);
        assert_eq!(released(&outputs), Some(expected));
        let established = outputs
            .iter()
            .position(|output| matches!(output, Output::Established { .. }));
        let release = outputs
            .iter()
            .position(|output| matches!(output, Output::Release { .. }));
        assert!(established < release);
    }
}

#[test]
fn a_peer_that_does_not_return_loses_its_routes() {
    let mut bench = away(config());
    let outputs = bench.pass(millis(119_999));
    assert_eq!(released(&outputs), None);
    assert!(bench.session.status().retained_until.is_some());
    let outputs = bench.pass(millis(1));
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::RestartTimeExpired);
    assert_eq!(released(&outputs), Some(expected));
    assert!(released(&bench.pass(secs(600))).is_none(), "once");
}

#[test]
fn stopping_lets_go_of_stale_routes() {
    let mut bench = away(config());
    let outputs = bench.input(Input::Stop(StopReason::PeerDeconfigured));
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::Stopped);
    assert_eq!(released(&outputs), Some(expected));
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn a_second_loss_before_end_of_rib_is_kept_again() {
    let mut bench = away(config());
    let (conn, _) = come_back(&mut bench, &graceful_open(|g| g.restarting = true));
    let outputs = bench.close(conn);
    assert!(matches!(down(&outputs), Some((_, Some(_)))));
    let outputs = bench.pass(secs(120));
    let (_, reason) = released(&outputs).expect("released");
    assert_eq!(reason, ReleaseReason::RestartTimeExpired);
}

/// RFC 4724 §4.2; RFC 8538 §4.1 with the N bit, where a bound counts from the first return.
#[test]
fn what_was_stale_before_a_second_loss_goes_unless_the_n_bit_keeps_it_for_a_while() {
    let mut bench = away(config());
    let (conn, _) = come_back(&mut bench, &graceful_open(|g| g.restarting = true));
    let outputs = bench.close(conn);
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::RestartedAgain);
    assert_eq!(released(&outputs), Some(expected));

    let open = graceful_open(|graceful| {
        graceful.restarting = true;
        graceful.notification = true;
    });
    let mut bench = away(config().stale_time(secs(60)));
    let mut kept_s = 0;
    let reason = loop {
        let (conn, outputs) = come_back(&mut bench, &open);
        assert_eq!(released(&outputs), None);
        assert_eq!(released(&bench.close(conn)), None);
        if let Some((_, reason)) = released(&bench.pass(secs(10))) {
            break reason;
        }
        kept_s += 10;
        assert!(kept_s < 60, "kept for {kept_s} s");
    };
    assert_eq!(reason, ReleaseReason::StaleTimeExpired);
}

#[test]
fn a_second_return_does_not_inherit_the_first_ones_deadline() {
    let mut bench = away(config().stale_time(secs(60)));
    let (conn, _) = come_back(&mut bench, &graceful_open(|g| g.restarting = true));
    bench.close(conn);
    let (conn, outputs) = come_back(&mut bench, &peer_open());
    let (_, reason) = released(&outputs).expect("released");
    assert_eq!(reason, ReleaseReason::NotPreserved);
    assert_eq!(released(&bench.pass_alive(secs(120), conn)), None);
}

/// RFC 4724 §4.2: the old connection may not know yet that its peer has restarted.
#[test]
fn a_restarted_peer_may_be_back_before_its_old_connection_is_gone() {
    let (mut bench, old) = Bench::established(config(), &graceful_open(|_| {}));
    bench.pass_alive(secs(20), old);
    let (conn, _) = bench.accept();
    let open = graceful_open(|graceful| graceful.restarting = true);
    let outputs = bench.say(conn, &wire::encode_open(&open));
    assert!(matches!(
        down(&outputs),
        Some((DownReason::PeerReconnected, Some(_)))
    ));
    assert_eq!(notified(&outputs), None);
    assert_eq!(closed(&outputs), [old]);
    let outputs = bench.say(conn, &wire::encode_keepalive());
    assert_eq!(bench.session.state(), State::Established);
    assert_eq!(released(&outputs), None);
}

#[test]
fn only_a_restarted_peer_may_replace_its_connection() {
    let (mut bench, old) = Bench::established(config(), &graceful_open(|_| {}));
    let restarting = graceful_open(|graceful| graceful.restarting = true);
    // So soon it may be the second connection of a collision.
    let (conn, _) = bench.accept();
    let outputs = bench.say(conn, &wire::encode_open(&restarting));
    assert_eq!(closed(&outputs), [conn]);
    bench.pass_alive(secs(20), old);
    // Somebody else.
    let other = Open {
        router_id: [10, 0, 0, 9].into(),
        ..restarting
    };
    for open in [other, graceful_open(|_| {}), peer_open()] {
        let (conn, _) = bench.accept();
        let outputs = bench.say(conn, &wire::encode_open(&open));
        assert_eq!(closed(&outputs), [conn]);
        assert_eq!(bench.session.state(), State::Established);
    }
}

/// RFC 8538 §3.1.
#[test]
fn an_end_for_good_is_a_hard_reset_where_the_peer_would_keep_routes() {
    let open = graceful_open(|graceful| graceful.notification = true);
    let text = || "bye".to_owned();
    let cases = [
        (
            StopReason::AdministrativeShutdown { text: text() },
            Some((6, 2)),
        ),
        (StopReason::HardReset { text: text() }, Some((6, 4))),
        (StopReason::PeerDeconfigured, Some((6, 3))),
        (StopReason::AdministrativeReset { text: text() }, None),
    ];
    for (reason, wrapped) in cases {
        let (mut bench, _) = Bench::established(config(), &open);
        let outputs = bench.input(Input::Stop(reason.clone()));
        let notification = notified(&outputs).expect("a NOTIFICATION");
        assert_eq!(notification.is_hard_reset(), wrapped.is_some(), "{reason}");
        let inner = notification
            .inner()
            .map(|inner| (inner.code, inner.subcode));
        assert_eq!(inner, wrapped);
    }
}
