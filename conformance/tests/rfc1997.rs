//! RFC 1997 (communities): the well-known ones, and passing on.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup};

const NO_EXPORT: u32 = 0xffff_ff01;
const NO_ADVERTISE: u32 = 0xffff_ff02;
const NO_EXPORT_SUBCONFED: u32 = 0xffff_ff03;

/// Announces a route with a community and checks whether the own AS (peer 5) and other ASes are
/// told it.
fn reaches(community: u32, own_as: bool, other_as: bool) -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, Setup::ASN))?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let route: Prefix = "192.0.2.0/24".parse().unwrap();
    // A route that may go out and must not any more is withdrawn.
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    internal.until_told(route)?;
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(Attribute::communities(&[65_002 << 16 | 7, community])))?;
    bench.pass(2, &mut session)?;
    let seen = bench.seen(route)?;
    assert_eq!(seen.is_some(), other_as, "to another AS");
    let told = internal.refresh()?.remove(&route);
    assert_eq!(told.is_some(), own_as, "within the own AS");
    for told in [seen, told].into_iter().flatten() {
        assert_eq!(told.communities(), [65_002 << 16 | 7, community]);
    }
    bench.untouched()
}

#[test]
fn no_export_stays_within_the_own_as() -> Outcome {
    reaches(NO_EXPORT, true, false)
}

#[test]
fn no_advertise_goes_nowhere() -> Outcome {
    reaches(NO_ADVERTISE, false, false)
}

#[test]
fn no_export_subconfed_stays_within_the_own_as() -> Outcome {
    reaches(NO_EXPORT_SUBCONFED, true, false)
}

#[test]
fn any_other_community_goes_everywhere_unchanged() -> Outcome {
    reaches(65_070 << 16 | 99, true, true)
}
