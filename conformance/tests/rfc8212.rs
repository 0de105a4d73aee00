//! RFC 8212 (default eBGP route propagation without policies), as rbgpd's default `auto` has it.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Bench, Error, Outcome, Session, Setup};

/// Sessions of two other AS numbers that are not private: the first has no policy, the second has.
fn without_and_with() -> Result<(Bench, Session, Session), Error> {
    let setup = Setup::new()
        .asn(64_500)
        .healthy_with_policy()
        .peer(2, 64_502)
        .peer(5, 64_505);
    let bench = Bench::start(setup.change(5, |neighbor| neighbor.policy = true))?;
    let (without, with) = (bench.session(2)?, bench.session(5)?);
    Ok((bench, without, with))
}

/// A session of peer 2 over which routes pass both ways.
fn passes(setup: Setup) -> Outcome {
    let mut bench = Bench::start(setup)?;
    let mut session = bench.session(2)?;
    session.until_told(Setup::NETWORK)?;
    let route = "192.0.2.0/24".parse().unwrap();
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    bench.untouched()
}

#[test]
fn without_an_import_policy_no_route_of_another_as_is_used() -> Outcome {
    let (mut bench, mut without, mut with) = without_and_with()?;
    let (out, taken) = (
        "192.0.2.0/24".parse().unwrap(),
        "192.0.3.0/24".parse().unwrap(),
    );
    without.update(&bench.announcement(2, &[out]))?;
    // Its answer shows that the route before it was dealt with.
    without.refresh()?;
    with.update(&bench.announcement(5, &[taken]))?;
    bench.observer.until_told(taken)?;
    bench.pass(5, &mut with)?;
    assert_eq!(bench.seen(out)?, None);
    bench.untouched()
}

#[test]
fn without_an_export_policy_no_route_is_told_to_another_as() -> Outcome {
    let (mut bench, mut without, mut with) = without_and_with()?;
    without.until("End-of-RIB", Session::has_end_of_rib)?;
    assert!(without.refresh()?.is_empty());
    assert_eq!(without.changes(Setup::NETWORK), 0);
    with.until_told(Setup::NETWORK)?;
    bench.untouched()
}

#[test]
fn within_the_own_as_no_policy_is_needed() -> Outcome {
    let setup = Setup::new().asn(64_500).healthy_with_policy();
    passes(setup.peer(2, 64_500))
}

#[test]
fn between_private_as_numbers_auto_lets_routes_pass() -> Outcome {
    passes(Setup::new().peer(2, 65_002))
}
