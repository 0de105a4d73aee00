//! RFC 7311 (AIGP): who is told, what is malformed, and which path is better.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup, Update};

const AIGP: u8 = 26;
const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;

/// A TLV of another type and one with the metric.
fn aigp(flags: u8, metric: u64) -> Attribute {
    let mut value = vec![200, 0, 5, 1, 2, 1, 0, 11];
    value.extend(metric.to_be_bytes());
    Attribute::new(flags, AIGP, value)
}

fn route() -> Prefix {
    "192.0.2.0/24".parse().unwrap()
}

/// A neighbour of another AS that exchanges AIGP, and one of the own AS, which does by default.
fn setup() -> Setup {
    let setup = Setup::new().peer(2, 65_002).keys(2, "aigp = true");
    setup.peer(5, Setup::ASN)
}

#[test]
fn aigp_goes_on_as_it_came_where_it_is_exchanged_and_nowhere_else() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let update = bench.announcement(2, &[route()]);
    session.update(&update.with(aigp(OPTIONAL, 70)))?;
    let told = internal.until_told(route())?;
    let expected = aigp(OPTIONAL, 70);
    assert_eq!(told.attribute(AIGP), Some(&expected));
    let told = bench.observer.until_told(route())?;
    assert_eq!(told.attribute(AIGP), None);
    bench.untouched()
}

#[test]
fn aigp_from_where_it_is_not_exchanged_is_ignored() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, Setup::ASN))?;
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let update = bench.announcement(2, &[route()]);
    session.update(&update.with(aigp(OPTIONAL, 70)))?;
    let told = internal.until_told(route())?;
    assert_eq!(told.attribute(AIGP), None);
    bench.untouched()
}

#[test]
fn malformed_aigp_is_discarded_and_the_route_stays() -> Outcome {
    let short = Attribute::new(OPTIONAL, AIGP, [1, 0, 10, 0, 0, 0, 0, 0, 0, 1]);
    for malformed in [aigp(OPTIONAL | TRANSITIVE, 70), short] {
        let mut bench = Bench::start(setup())?;
        let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
        let update = bench.announcement(2, &[route()]);
        session.update(&update.with(malformed))?;
        let told = internal.until_told(route())?;
        assert_eq!(told.attribute(AIGP), None);
        bench.untouched()?;
    }
    Ok(())
}

#[test]
fn the_lower_aigp_is_better_than_the_shorter_path_and_none_is_worst() -> Outcome {
    let setup = setup().peer(6, 65_006).keys(6, "aigp = true");
    let mut bench = Bench::start(setup)?;
    let (mut long, mut short) = (bench.session(2)?, bench.session(6)?);
    let longer = |bench: &Bench, metric| {
        let path = [65_002, 65_070, 65_071];
        let update = Update::announce(&[route()], &path, bench.host(2));
        update.with(aigp(OPTIONAL, metric))
    };
    long.update(&longer(&bench, 70))?;
    short.update(&bench.announcement(6, &[route()]))?;
    bench.pass(2, &mut long)?;
    bench.pass(6, &mut short)?;
    let best = bench.seen(route())?.unwrap();
    assert_eq!(best.as_path(), Some(vec![65_001, 65_002, 65_070, 65_071]));
    let update = bench.announcement(6, &[route()]);
    short.update(&update.with(aigp(OPTIONAL, 60)))?;
    bench.pass(6, &mut short)?;
    let best = bench.seen(route())?.unwrap();
    assert_eq!(best.as_path(), Some(vec![65_001, 65_006]));
    bench.untouched()
}
