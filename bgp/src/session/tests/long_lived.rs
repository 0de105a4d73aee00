//! Routes that stay as a last resort (RFC 9494), seen from the helper.

use super::*;
use crate::message::LongLived;

/// We speak it, and ask for an hour.
pub(super) fn ours() -> GracefulRestartConfig {
    let mut ours = GracefulRestartConfig::new(120);
    ours.long_lived_s = Some(3600);
    ours
}

/// The peer's OPEN, with so many seconds for IPv4 unicast behind its 120 of graceful restart.
pub(super) fn open(time: u32, change: impl FnOnce(&mut GracefulRestart)) -> Open {
    let mut open = graceful_open(change);
    open.capabilities
        .push(Capability::LongLived(vec![LongLived {
            afi: 1,
            safi: 1,
            preserved: true,
            time,
        }]));
    open
}

fn away(config: Config, open: &Open) -> Bench {
    let (mut bench, conn) = Bench::established(config, open);
    bench.pass_alive(secs(100), conn);
    let outputs = bench.close(conn);
    assert!(matches!(down(&outputs), Some((_, Some(_)))), "{outputs:?}");
    bench
}

fn helper() -> Config {
    config().graceful_restart(Some(ours()))
}

fn grown_old(outputs: &[Output]) -> Option<(Vec<Family>, ReleaseReason)> {
    outputs.iter().find_map(|output| {
        let Output::LongLived { families, reason } = output else {
            return None;
        };
        let old = families.iter().filter(|(_, old)| **old);
        Some((old.map(|(family, _)| family).collect(), *reason))
    })
}

#[test]
fn routes_stay_beyond_the_restart_time_and_not_for_ever() {
    let mut bench = away(helper(), &open(600, |_| {}));
    let outputs = bench.pass(secs(120));
    let only = vec![Family::Ipv4Unicast];
    let expected = (only.clone(), ReleaseReason::RestartTimeExpired);
    assert_eq!(grown_old(&outputs), Some(expected));
    assert_eq!(released(&outputs), None);
    let until = bench.session.status().retained_until;
    assert_eq!(until, Some(bench.now + secs(600)));
    assert_eq!(released(&bench.pass(millis(599_999))), None);
    let outputs = bench.pass(millis(1));
    let expected = (only, ReleaseReason::LongLivedExpired);
    assert_eq!(released(&outputs), Some(expected));
    assert_eq!(released(&bench.pass(secs(9_999))), None, "once");
}

#[test]
fn without_a_restart_time_they_are_a_last_resort_at_once() {
    let mut bench = away(helper(), &open(600, |graceful| graceful.restart_time = 0));
    let outputs = bench.pass(Duration::ZERO);
    assert!(grown_old(&outputs).is_some());
}

/// RFC 9494 §3: only where both say so, and only beside graceful restart.
#[test]
fn it_takes_two_and_graceful_restart() {
    let only = Some((vec![Family::Ipv4Unicast], ReleaseReason::RestartTimeExpired));
    let deaf = config();
    let mut bench = away(deaf, &open(600, |_| {}));
    assert_eq!(released(&bench.pass(secs(120))), only);
    let mut bench = away(helper(), &graceful_open(|_| {}));
    assert_eq!(released(&bench.pass(secs(120))), only);
    let mut bench = away(helper(), &open(0, |_| {}));
    assert_eq!(released(&bench.pass(secs(120))), only);
    let mut alone = open(600, |_| {});
    alone
        .capabilities
        .retain(|one| !matches!(one, Capability::GracefulRestart(_)));
    let (mut bench, conn) = Bench::established(helper(), &alone);
    assert!(matches!(down(&bench.close(conn)), Some((_, None))));
}

#[test]
fn a_peer_that_returns_has_what_is_left_of_the_time() {
    let mut bench = away(helper(), &open(200, |_| {}));
    bench.pass(secs(120 + 150));
    let (conn, _) = bench.accept();
    let outputs = bench.shake_hands(conn, &open(200, |graceful| graceful.restarting = true));
    assert_eq!(released(&outputs), None);
    assert_eq!(released(&bench.pass_alive(secs(49), conn)), None);
    let outputs = bench.pass_alive(secs(1), conn);
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::StaleTimeExpired);
    assert_eq!(released(&outputs), Some(expected));
}

/// RFC 9494 §4.2: its own F bit counts then.
#[test]
fn a_peer_that_returns_without_forwarding_state_loses_them() {
    let mut bench = away(helper(), &open(200, |_| {}));
    bench.pass(secs(130));
    let mut bare = open(200, |graceful| graceful.restarting = true);
    for capability in &mut bare.capabilities {
        if let Capability::LongLived(list) = capability {
            list[0].preserved = false;
        }
    }
    let (conn, _) = bench.accept();
    let outputs = bench.shake_hands(conn, &bare);
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::NotPreserved);
    assert_eq!(released(&outputs), Some(expected));
}

#[test]
fn stopping_lets_go_of_them() {
    let mut bench = away(helper(), &open(600, |_| {}));
    bench.pass(secs(130));
    let outputs = bench.input(Input::Stop(StopReason::PeerDeconfigured));
    let expected = (vec![Family::Ipv4Unicast], ReleaseReason::Stopped);
    assert_eq!(released(&outputs), Some(expected));
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn the_capability_survives_the_wire() {
    let sent = open(0x0012_3456, |_| {});
    let octets = wire::encode_open(&sent);
    let frame = wire::frame(&mut BytesMut::from(&octets[..]), 4096)
        .unwrap()
        .unwrap();
    let context = crate::wire::Context::default();
    assert_eq!(wire::decode(&frame, &context).unwrap(), Message::Open(sent));
}
