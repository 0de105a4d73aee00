//! RFC 9494 (long-lived graceful restart), with the speaker as the helper.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conformance::blackbox::message::capability;
use conformance::blackbox::{
    Attribute, Bench, Error, Open, Outcome, Prefix, Session, Setup, Update,
};

const LONG_LIVED: u8 = 71;
const LLGR_STALE: u32 = 0xffff_0006;
const NO_LLGR: u32 = 0xffff_0007;

/// IPv4 unicast, forwarding preserved, so many seconds.
fn value(seconds: u8) -> [u8; 7] {
    [0, 1, 1, 0x80, 0, 0, seconds]
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Peer 2 restarts, peer 5 speaks long-lived graceful restart, and the observer does not.
fn setup() -> Setup {
    Setup::new()
        .peer(2, 65_002)
        .peer(5, 65_005)
        .tables("[graceful_restart]\nlong_lived_time = \"1h\"\n")
}

/// One second as they are, and so many as a last resort.
fn restarting(open: Open, seconds: u8) -> Open {
    open.graceful_restart(0, 1, true)
        .with(LONG_LIVED, &value(seconds))
}

/// Two routes of peer 2, the second with NO_LLGR, which all have been told; then peer 2 goes.
fn left_alone(open: impl Fn(Open) -> Open) -> Result<(Bench, Session, [Prefix; 2]), Error> {
    let mut bench = Bench::start(setup())?;
    let routes = [prefix("192.0.2.0/24"), prefix("192.0.3.0/24")];
    let [route, unwilling] = routes;
    let mut versed = bench.session_with(5, &restarting(bench.open(5), 100))?;
    let mut session = bench.session_with(2, &open(bench.open(2)))?;
    session.update(&bench.announcement(2, &[route]))?;
    let update = bench.announcement(2, &[unwilling]);
    session.update(&update.with(Attribute::communities(&[NO_LLGR])))?;
    session.update(&Update::default())?;
    for route in routes {
        bench.observer.until_told(route)?;
        versed.until_told(route)?;
    }
    drop(session);
    Ok((bench, versed, routes))
}

fn marked(session: &Session, route: Prefix) -> bool {
    let told = session.told(route);
    told.is_some_and(|told| told.communities().contains(&LLGR_STALE))
}

#[test]
fn the_capability_comes_with_that_of_graceful_restart() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let session = bench.session(2)?;
    let ours = session.open.capability(LONG_LIVED).unwrap();
    assert_eq!(ours, [0, 1, 1, 0, 0, 0x0e, 0x10]);
    assert!(
        session
            .open
            .capability(capability::GRACEFUL_RESTART)
            .is_some()
    );
    bench.untouched()
}

#[test]
fn without_a_setting_it_is_not_offered() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let session = bench.session(2)?;
    assert!(session.open.capability(LONG_LIVED).is_none());
    bench.untouched()
}

#[test]
fn a_last_resort_is_told_marked_and_only_to_those_who_know() -> Outcome {
    let (mut bench, mut versed, [route, unwilling]) = left_alone(|open| restarting(open, 100))?;
    versed.until("the mark", |session| marked(session, route))?;
    bench.observer.until_withdrawn(route)?;
    versed.until_withdrawn(unwilling)?;
    bench.observer.until_withdrawn(unwilling)?;
    bench.untouched()
}

#[test]
fn a_last_resort_leaves_on_time() -> Outcome {
    let (mut bench, mut versed, [route, _]) = left_alone(|open| restarting(open, 2))?;
    versed.until("the mark", |session| marked(session, route))?;
    versed.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn what_comes_again_is_young_again_and_the_rest_leaves_at_end_of_rib() -> Outcome {
    let (mut bench, mut versed, [route, _]) = left_alone(|open| restarting(open, 100))?;
    versed.until("the mark", |session| marked(session, route))?;
    let open = restarting(bench.open(2), 100);
    let mut session = bench.reconnect(2, &open)?;
    session.update(&bench.announcement(2, &[route]))?;
    versed.until("no mark", |session| {
        session.told(route).is_some() && !marked(session, route)
    })?;
    bench.observer.until_told(route)?;
    session.update(&Update::default())?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(route)?.is_some());
    bench.untouched()
}

#[test]
fn without_graceful_restart_the_capability_is_ignored() -> Outcome {
    let (mut bench, mut versed, [route, _]) = left_alone(|open| {
        open.without(capability::GRACEFUL_RESTART)
            .with(LONG_LIVED, &value(100))
    })?;
    bench.observer.until_withdrawn(route)?;
    versed.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn a_marked_route_loses_against_any_other_whoever_marked_it() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let route = prefix("192.0.2.0/24");
    let (mut marking, mut other) = (bench.session(2)?, bench.session(5)?);
    let update = bench.announcement(2, &[route]);
    marking.update(&update.with(Attribute::communities(&[LLGR_STALE])))?;
    bench.pass(2, &mut marking)?;
    let longer = Update::announce(&[route], &[65_005, 64_999, 64_998], bench.host(5));
    other.update(&longer)?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.as_path().unwrap().get(1), Some(&65_005));
    // It is not told in place of a better one that goes: the observer does not know the mark.
    other.update(&Update::withdraw(&[route]))?;
    bench.observer.until_withdrawn(route)?;
    bench.observer.listen(Duration::from_millis(50))?;
    assert!(bench.seen(route)?.is_none());
    bench.untouched()
}

/// §4.2: the time of the first loss goes on, and what is marked stays marked until it is over.
#[test]
fn a_last_resort_outlives_further_losses_but_not_its_time() -> Outcome {
    let (mut bench, mut versed, [route, _]) = left_alone(|open| restarting(open, 4))?;
    versed.until("the mark", |session| marked(session, route))?;
    let open = restarting(bench.open(2), 4);
    let session = bench.reconnect(2, &open)?;
    drop(session);
    bench.settle()?;
    versed.listen(Duration::from_millis(50))?;
    assert!(marked(&versed, route), "gone with the second loss");
    versed.until_withdrawn(route)?;
    bench.untouched()
}

/// §4.2: a new session says that the family was not forwarded for, or does not name it.
#[test]
fn a_last_resort_leaves_with_a_session_that_says_so() -> Outcome {
    type Again = fn(Open) -> Open;
    let cases: [(&str, Again); 3] = [
        ("F is not set", |open| {
            open.graceful_restart(8, 1, true)
                .with(LONG_LIVED, &[0, 1, 1, 0, 0, 0, 100])
        }),
        ("no family", |open| {
            open.graceful_restart(8, 1, true).with(LONG_LIVED, &[])
        }),
        ("no capability", |open| open),
    ];
    for (case, again) in cases {
        let run = || {
            let (mut bench, mut versed, [route, _]) = left_alone(|open| restarting(open, 100))?;
            versed.until("the mark", |session| marked(session, route))?;
            let open = again(bench.open(2));
            let _session = bench.reconnect(2, &open)?;
            versed.until_withdrawn(route)?;
            bench.untouched()
        };
        run().map_err(|error| error.case(case))?;
    }
    Ok(())
}

/// §4.3: whoever takes a marked route passes the mark on.
#[test]
fn a_mark_is_passed_on() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let route = prefix("192.0.2.0/24");
    let mut versed = bench.session_with(5, &restarting(bench.open(5), 100))?;
    let mut session = bench.session_with(2, &restarting(bench.open(2), 100))?;
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(Attribute::communities(&[LLGR_STALE])))?;
    versed.until("the mark", |session| marked(session, route))?;
    bench.untouched()
}
