//! RFC 2918 (route refresh) and RFC 7313 (enhanced route refresh).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use conformance::blackbox::message::{self, capability, route_refresh};
use conformance::blackbox::{Bench, Outcome, Prefix, Session, Setup, Update};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn both_capabilities_are_offered() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let session = bench.session(2)?;
    for code in [
        capability::ROUTE_REFRESH,
        capability::ENHANCED_ROUTE_REFRESH,
    ] {
        assert_eq!(session.open.capability(code), Some([].as_slice()), "{code}");
    }
    bench.untouched()
}

#[test]
fn a_refresh_is_answered_with_all_routes_between_borr_and_eorr() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    let told = session.refresh()?;
    for route in [
        Setup::NETWORK,
        prefix("198.51.100.0/24"),
        prefix("198.51.101.0/24"),
    ] {
        assert!(told.contains_key(&route), "{route} is missing in {told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    bench.untouched()
}

#[test]
fn a_refresh_is_answered_without_marks_to_a_peer_that_does_not_know_them() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench.open(2).without(capability::ENHANCED_ROUTE_REFRESH);
    let mut session = bench.session_with(2, &open)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    assert_eq!(session.changes(Setup::NETWORK), 1);
    session.send(&route_refresh(1, 0, 1))?;
    session.until("the route again", |session| {
        session.changes(Setup::NETWORK) == 2
    })?;
    bench.pass(2, &mut session)?;
    assert!(!session.has_refresh_mark());
    bench.untouched()
}

#[test]
fn a_refresh_of_a_family_that_was_not_negotiated_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    for (afi, safi) in [(2, 1), (25, 70), (99, 99)] {
        session.send(&route_refresh(afi, 0, safi))?;
    }
    // The answer to this one is the only one.
    assert_eq!(session.refresh()?.len(), 3);
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn a_subtype_nobody_knows_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    session.send(&route_refresh(1, 77, 1))?;
    bench.pass(2, &mut session)?;
    session.listen(std::time::Duration::from_millis(100))?;
    assert_eq!(session.changes(Setup::NETWORK), 1);
    bench.untouched()
}

#[test]
fn at_eorr_routes_that_did_not_come_again_are_removed() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let (again, gone) = (prefix("192.0.2.0/24"), prefix("192.0.3.0/24"));
    session.update(&bench.announcement(2, &[again, gone]))?;
    bench.observer.until_told(again)?;
    bench.observer.until_told(gone)?;
    session.send(&route_refresh(1, 1, 1))?;
    session.update(&bench.announcement(2, &[again]))?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(gone)?.is_some(), "removed before EoRR");
    session.send(&route_refresh(1, 2, 1))?;
    bench.observer.until_withdrawn(gone)?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(again)?.is_some());
    assert_eq!(bench.observer.changes(again), 1, "{again} flapped");
    bench.untouched()
}

#[test]
fn an_eorr_without_a_borr_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    session.send(&route_refresh(1, 2, 1))?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(route)?.is_some());
    assert_eq!(bench.observer.changes(route), 1);
    bench.untouched()
}

#[test]
fn a_mark_of_the_wrong_length_is_an_invalid_message_length() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    for (host, subtype) in [(2, 1), (5, 2)] {
        let mut session = bench.session(host)?;
        let bad = message::message(message::ROUTE_REFRESH, &[0, 1, subtype, 1, 0xaa]);
        session.send(&bad)?;
        let got = session.expect_notification(7, 1)?;
        // RFC 7313 §5: the data is the complete message.
        assert_eq!(got.data, bad);
    }
    bench.untouched()
}

/// The peer has said that it can restart: until its End-of-RIB it is told nothing by a refresh that
/// nobody asked for, and its own BoRR is not listened to.
#[test]
fn before_end_of_rib_of_a_peer_that_can_restart_borr_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let route: Prefix = "192.0.2.0/24".parse().unwrap();
    let open = bench.open(2).graceful_restart(0, 120, true);
    let mut session = bench.session_with(2, &open)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    assert!(!session.has_refresh_mark());
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    for subtype in [1, 2] {
        session.send(&message::route_refresh(1, subtype, 1))?;
    }
    bench.pass(2, &mut session)?;
    assert!(bench.seen(route)?.is_some());
    // Behind it they count.
    session.update(&Update::default())?;
    for subtype in [1, 2] {
        session.send(&message::route_refresh(1, subtype, 1))?;
    }
    bench.observer.until_withdrawn(route)?;
    bench.untouched()
}
