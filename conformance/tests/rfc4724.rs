//! RFC 4724 (graceful restart) and RFC 8538 (over NOTIFICATIONs), with the speaker as the helper.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use conformance::blackbox::message::{self, capability};
use conformance::blackbox::{Bench, Error, Open, Outcome, Prefix, Session, Setup, Update};

/// R bit of the capability: the sender has restarted.
const R: u8 = 8;
/// N bit of the capability: routes are kept over NOTIFICATIONs (RFC 8538 §2).
const N: u8 = 4;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A bench and a session of peer 2, whose two routes the observer is told.
fn restarting(open: impl Fn(Open) -> Open) -> Result<(Bench, Session, [Prefix; 2]), Error> {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let routes = [prefix("192.0.2.0/24"), prefix("192.0.3.0/24")];
    let mut session = bench.session_with(2, &open(bench.open(2)))?;
    session.update(&bench.announcement(2, &routes))?;
    session.update(&Update::default())?;
    for route in routes {
        bench.observer.until_told(route)?;
    }
    Ok((bench, session, routes))
}

/// A new session of peer 2 that says it has restarted, with these other bits, and whether it kept
/// forwarding.
fn restarted(bench: &Bench, bits: u8, forwarding: bool) -> Result<Session, Error> {
    let open = bench.open(2).graceful_restart(R | bits, 120, forwarding);
    bench.reconnect(2, &open)
}

/// A new session of peer 2 that has announced one of its routes again; the other one is still there.
fn half_back(bench: &mut Bench, again: Prefix, missing: Prefix) -> Result<Session, Error> {
    let mut session = restarted(bench, 0, true)?;
    session.update(&bench.announcement(2, &[again]))?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(missing)?.is_some(), "removed before End-of-RIB");
    Ok(session)
}

/// Waits until the observer has lost all of these routes.
fn until_withdrawn(bench: &mut Bench, routes: [Prefix; 2]) -> Outcome {
    for route in routes {
        bench.observer.until_withdrawn(route)?;
    }
    Ok(())
}

/// The observer was told each of these routes once, and nothing of them since.
fn assert_steady(bench: &Bench, routes: &[Prefix]) {
    for route in routes {
        assert_eq!(bench.observer.changes(*route), 1, "{route} flapped");
    }
}

#[test]
fn the_capability_is_offered_once_and_lists_families_it_has() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let session = bench.session(2)?;
    let all = &session.open.capabilities;
    let restarts: Vec<_> = all
        .iter()
        .filter(|(code, _)| *code == capability::GRACEFUL_RESTART)
        .collect();
    assert_eq!(restarts.len(), 1, "{all:?}");
    let value = &restarts.first().unwrap().1;
    assert!(
        value.len() >= 2 && (value.len() - 2) % 4 == 0,
        "{value:02x?}"
    );
    assert!(
        value
            .iter()
            .skip(2)
            .collect::<Vec<_>>()
            .chunks(4)
            .all(|one| *one[1] == 1)
    );
    // This is a first start: the R bit is not set.
    assert_eq!(value[0] & 0x80, 0, "{value:02x?}");
    bench.untouched()
}

#[test]
fn end_of_rib_follows_the_first_routes_of_a_session() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    // All routes came before it.
    assert!(session.told(Setup::NETWORK).is_some());
    assert!(session.told(prefix("198.51.100.0/24")).is_some());
    assert!(session.told(prefix("198.51.101.0/24")).is_some());
    bench.untouched()
}

#[test]
fn end_of_rib_is_sent_even_if_there_is_no_route_to_send() -> Outcome {
    // Between AS numbers that are not private nothing is told without a policy (RFC 8212).
    let setup = Setup::new()
        .asn(64_500)
        .healthy_with_policy()
        .peer(2, 64_502);
    let mut bench = Bench::start(setup)?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    assert!(session.refresh()?.is_empty());
    bench.untouched()
}

#[test]
fn routes_of_a_peer_with_graceful_restart_outlive_its_connection() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open.graceful_restart(0, 120, true))?;
    drop(session);
    let mut session = restarted(&bench, 0, true)?;
    bench.pass(2, &mut session)?;
    for route in routes {
        assert!(bench.seen(route)?.is_some(), "{route}");
    }
    assert_steady(&bench, &routes);
    bench.untouched()
}

#[test]
fn stale_routes_are_removed_at_end_of_rib_unless_they_came_again() -> Outcome {
    let (mut bench, session, [again, gone]) = restarting(|o| o.graceful_restart(0, 120, true))?;
    drop(session);
    let mut session = half_back(&mut bench, again, gone)?;
    session.update(&Update::default())?;
    bench.observer.until_withdrawn(gone)?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(again)?.is_some());
    assert_steady(&bench, &[again]);
    bench.untouched()
}

#[test]
fn routes_of_a_peer_without_graceful_restart_end_with_its_connection() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open)?;
    drop(session);
    until_withdrawn(&mut bench, routes)?;
    bench.untouched()
}

#[test]
fn stale_routes_go_at_once_if_forwarding_was_not_preserved() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open.graceful_restart(0, 120, true))?;
    drop(session);
    let mut session = restarted(&bench, 0, false)?;
    until_withdrawn(&mut bench, routes)?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn stale_routes_go_at_once_if_the_capability_is_missing_afterwards() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open.graceful_restart(0, 120, true))?;
    drop(session);
    let mut session = bench.reconnect(2, &bench.open(2))?;
    until_withdrawn(&mut bench, routes)?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn stale_routes_go_when_the_peer_is_not_back_within_its_restart_time() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open.graceful_restart(0, 2, true))?;
    let lost = Instant::now();
    drop(session);
    until_withdrawn(&mut bench, routes)?;
    let waited = lost.elapsed();
    assert!(waited >= Duration::from_millis(1_900), "after {waited:?}");
    bench.untouched()
}

#[test]
fn a_notification_ends_the_routes_of_a_peer_without_the_n_bit() -> Outcome {
    let (mut bench, mut session, routes) = restarting(|o| o.graceful_restart(0, 120, true))?;
    session.send(&message::notification(6, 4, &[]))?;
    until_withdrawn(&mut bench, routes)?;
    bench.untouched()
}

#[test]
fn with_the_n_bit_routes_outlive_a_notification() -> Outcome {
    let (mut bench, mut session, routes) = restarting(|o| o.graceful_restart(N, 120, true))?;
    session.send(&message::notification(6, 4, &[]))?;
    session.connection().expect_end()?;
    let mut session = restarted(&bench, N, true)?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &routes);
    bench.untouched()
}

#[test]
fn the_n_bit_is_offered() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let session = bench.session(2)?;
    let value = session.open.capability(capability::GRACEFUL_RESTART);
    assert_eq!(value.expect("graceful restart")[0] & 0x40, 0x40);
    bench.untouched()
}

#[test]
fn our_shutdown_is_a_hard_reset_for_a_peer_with_the_n_bit() -> Outcome {
    let (mut bench, mut session, _) = restarting(|open| open.graceful_restart(N, 60, true))?;
    bench.speaker.stop()?;
    let notification = session.expect_notification(6, 9)?;
    let text = b"the service stops";
    let length = u8::try_from(text.len()).unwrap();
    assert_eq!(notification.data, [&[6, 2, length], &text[..]].concat());
    Ok(())
}

#[test]
fn a_hard_reset_ends_the_routes_also_with_the_n_bit() -> Outcome {
    let (mut bench, mut session, routes) = restarting(|o| o.graceful_restart(N, 120, true))?;
    session.send(&message::notification(6, 9, &[6, 2]))?;
    until_withdrawn(&mut bench, routes)?;
    bench.untouched()
}

#[test]
fn a_new_connection_of_a_restarted_peer_replaces_the_old_one() -> Outcome {
    let (mut bench, mut old, routes) = restarting(|open| open.graceful_restart(0, 120, true))?;
    // A second connection within the first second of a session may be a collision under way.
    old.listen(Duration::from_millis(1_100))?;
    let open = bench.open(2).graceful_restart(R, 120, true);
    let mut session = bench.session_with(2, &open)?;
    // §4.2: "the previous TCP session MUST be closed ... the NOTIFICATION is not sent".
    old.connection().expect_end()?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &routes);
    bench.untouched()
}

#[test]
fn a_route_still_stale_when_the_peer_restarts_again_is_deleted() -> Outcome {
    let (mut bench, session, [again, gone]) = restarting(|o| o.graceful_restart(0, 120, true))?;
    drop(session);
    let session = half_back(&mut bench, again, gone)?;
    drop(session);
    bench.observer.until_withdrawn(gone)?;
    let mut session = restarted(&bench, 0, true)?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &[again]);
    bench.untouched()
}

#[test]
fn of_several_capabilities_the_last_one_counts() -> Outcome {
    for (flags, kept) in [([0, 0x80], true), ([0x80, 0], false)] {
        let (mut bench, session, routes) = restarting(|open| {
            flags.iter().fold(open, |open, flags| {
                // Without a family nothing is kept.
                let value = [0, 120, 0, 1, 1, *flags];
                let len = if *flags == 0 { 2 } else { 6 };
                open.with(capability::GRACEFUL_RESTART, &value[..len])
            })
        })?;
        drop(session);
        if kept {
            bench.settle()?;
            assert_eq!(bench.observer.changes(routes[0]), 1);
        } else {
            bench.observer.until_withdrawn(routes[0])?;
        }
        bench.untouched()?;
    }
    Ok(())
}

#[test]
fn the_reserved_bits_of_the_capability_are_not_looked_at() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| {
        let value = [0x30, 120, 0, 1, 1, 0xff];
        open.with(capability::GRACEFUL_RESTART, &value)
    })?;
    drop(session);
    bench.settle()?;
    let again = [0xb0, 120, 0, 1, 1, 0xff];
    let open = bench.open(2).with(capability::GRACEFUL_RESTART, &again);
    let mut session = bench.reconnect(2, &open)?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &routes);
    bench.untouched()
}

/// §3: the peer that restarted is told our routes without its End-of-RIB, and §4.2: our own OPEN
/// does not claim that we restarted.
#[test]
fn a_peer_that_restarted_is_told_routes_before_its_end_of_rib() -> Outcome {
    let (mut bench, session, _) = restarting(|open| open.graceful_restart(0, 120, true))?;
    drop(session);
    let mut session = restarted(&bench, 0, true)?;
    session.until_told(Setup::NETWORK)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    let value = session.open.capability(capability::GRACEFUL_RESTART);
    assert_eq!(value.expect("graceful restart")[0] & 0x80, 0);
    bench.untouched()
}

/// RFC 8538 §4: silence for the hold time is like a NOTIFICATION.
#[test]
fn with_the_n_bit_routes_outlive_the_hold_time() -> Outcome {
    let (mut bench, mut session, routes) =
        restarting(|open| open.graceful_restart(N, 120, true).hold_time_s(3))?;
    session.expect_notification(4, 0)?;
    bench.settle()?;
    let mut session = restarted(&bench, N, true)?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &routes);
    bench.untouched()
}

/// RFC 8538 §4.1: the rule of RFC 4724 about consecutive restarts is for peers without the N bit.
#[test]
fn with_the_n_bit_a_route_stays_over_consecutive_restarts() -> Outcome {
    let (mut bench, session, routes) = restarting(|open| open.graceful_restart(N, 120, true))?;
    drop(session);
    for _ in 0..2 {
        let mut session = restarted(&bench, N, true)?;
        bench.pass(2, &mut session)?;
        drop(session);
        bench.settle()?;
    }
    let mut session = restarted(&bench, N, true)?;
    bench.pass(2, &mut session)?;
    assert_steady(&bench, &routes);
    bench.untouched()
}
