//! RFC 8326 (graceful shutdown), the receiving side.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup, Update};

const GRACEFUL_SHUTDOWN: u32 = 0xffff_0000;

#[test]
fn a_route_with_graceful_shutdown_is_the_last_choice() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, 65_005))?;
    let (mut short, mut long) = (bench.session(2)?, bench.session(5)?);
    let route: Prefix = "192.0.2.0/24".parse().unwrap();
    short.update(&bench.announcement(2, &[route]))?;
    long.update(&Update::announce(
        &[route],
        &[65_005, 65_070, 65_071],
        bench.host(5),
    ))?;
    bench.pass(2, &mut short)?;
    bench.pass(5, &mut long)?;
    let best = bench.seen(route)?.unwrap();
    assert_eq!(best.as_path(), Some(vec![65_001, 65_002]));
    // §4: the same route again, about to go.
    let leaving = bench.announcement(2, &[route]);
    short.update(&leaving.with(Attribute::communities(&[GRACEFUL_SHUTDOWN])))?;
    bench.pass(2, &mut short)?;
    let best = bench.seen(route)?.unwrap();
    assert_eq!(best.as_path(), Some(vec![65_001, 65_005, 65_070, 65_071]));
    assert!(best.communities().is_empty());
    // And back.
    short.update(&bench.announcement(2, &[route]))?;
    bench.pass(2, &mut short)?;
    let best = bench.seen(route)?.unwrap();
    assert_eq!(best.as_path(), Some(vec![65_001, 65_002]));
    bench.untouched()
}

#[test]
fn a_route_with_graceful_shutdown_stays_in_use_while_it_is_the_only_one() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, Setup::ASN))?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let route: Prefix = "192.0.2.0/24".parse().unwrap();
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(Attribute::communities(&[GRACEFUL_SHUTDOWN])))?;
    // The community is passed on, so that routers behind us understand it too.
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.communities(), [GRACEFUL_SHUTDOWN]);
    let told = internal.until_told(route)?;
    assert_eq!(
        told.number(conformance::blackbox::message::code::LOCAL_PREF),
        Some(0)
    );
    bench.untouched()
}

#[test]
fn a_router_that_is_drained_tags_all_it_tells_and_prefers_nothing_it_hears() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let route: Prefix = "192.0.2.0/24".parse().unwrap();
    let mut session = bench.session(2)?;
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    bench.speaker.drain()?;
    for prefix in [route, Setup::NETWORK] {
        bench.observer.until("the community", |observer| {
            let told = observer.told(prefix);
            told.is_some_and(|told| told.communities().contains(&GRACEFUL_SHUTDOWN))
        })?;
    }
    // The sessions stay up, and the routes in use.
    bench.pass(2, &mut session)?;
    bench.speaker.must_live()
}
