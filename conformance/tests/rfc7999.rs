//! RFC 7999 (the BLACKHOLE community): who is told. What the kernel does with such a route is seen
//! in `lab_decision.rs`.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup};

const BLACKHOLE: u32 = 0xffff_029a;
const NO_EXPORT: u32 = 0xffff_ff01;

#[test]
fn a_route_with_blackhole_is_like_any_other_unless_the_operator_says_so() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let route: Prefix = "192.0.2.1/32".parse().unwrap();
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(Attribute::communities(&[BLACKHOLE])))?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.communities(), [BLACKHOLE]);
    bench.untouched()
}

#[test]
fn a_route_whose_blackhole_is_honored_stays_in_the_as() -> Outcome {
    let honoring = "ipv4_unicast = { honor_blackhole = true }";
    let setup = Setup::new().peer(2, 65_002).keys(2, honoring);
    let mut bench = Bench::start(setup.peer(5, Setup::ASN))?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let route: Prefix = "192.0.2.1/32".parse().unwrap();
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(Attribute::communities(&[BLACKHOLE])))?;
    let told = internal.until_told(route)?;
    assert_eq!(told.communities(), [BLACKHOLE, NO_EXPORT]);
    bench.pass(2, &mut session)?;
    assert!(bench.seen(route)?.is_none());
    // Without the community it goes everywhere again.
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    bench.untouched()
}
