//! RFC 6811 (origin validation): what policy is told of a route, by VRPs of a scripted cache.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{
    Attribute, Bench, Error, Outcome, Prefix, RtrCache, RtrEntry, RtrLink, RtrPdu, Session, Setup,
};

const VALID: u32 = 65_000 << 16 | 1;
const INVALID: u32 = 65_000 << 16 | 2;
const NOT_FOUND: u32 = 65_000 << 16 | 3;

/// Marks routes with their state.
const MARKS: &str = "[[route_map]]\nname = \"MARKS\"\nentry = [\n\
    { seq = 10, action = \"permit\", match = { rpki = \"valid\" }, set = { community = { add = [\"65000:1\"] } } },\n\
    { seq = 20, action = \"permit\", match = { rpki = \"invalid\" }, set = { community = { add = [\"65000:2\"] } } },\n\
    { seq = 30, action = \"permit\", match = { rpki = \"not_found\" }, set = { community = { add = [\"65000:3\"] } } },\n]\n";

const IMPORT: &str = "ipv4_unicast = { import = \"MARKS\" }";

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A speaker that marks what peer 2 sends, in step with a cache.
fn validating(entries: &[RtrEntry<'_>]) -> Result<(Bench, RtrLink, Session), Error> {
    let cache = RtrCache::new()?;
    let setup = Setup::new().peer(2, 65_002).keys(2, IMPORT);
    let bench = Bench::start(setup.tables(&cache.table("")?).tables(MARKS))?;
    let mut link = cache.accept()?;
    link.expect(RtrPdu::RESET_QUERY)?;
    link.answer(7, 1, entries)?;
    let session = bench.session(2)?;
    Ok((bench, link, session))
}

/// Waits for the state of a route.
fn until(bench: &mut Bench, route: &str, state: u32) -> Result<(), Error> {
    let route = prefix(route);
    bench
        .observer
        .until(&format!("{route} with mark {}", state & 3), |session| {
            let told = session.told(route);
            told.is_some_and(|told| told.communities() == [state])
        })
}

#[test]
fn a_state_follows_from_the_vrps_that_cover_a_route() -> Outcome {
    let entries = [
        (true, "192.0.2.0/24", 25, 65_002),
        (true, "172.30.0.0/24", 24, 65_009),
        // Any one of several is enough.
        (true, "10.8.0.0/16", 16, 65_009),
        (true, "10.0.0.0/8", 16, 65_002),
    ];
    let (mut bench, _link, mut session) = validating(&entries)?;
    let routes = [
        ("192.0.2.0/24", VALID),
        ("192.0.2.128/25", VALID),
        ("192.0.2.0/26", INVALID),
        ("172.30.0.0/24", INVALID),
        ("10.8.0.0/16", VALID),
        ("10.8.1.0/24", INVALID),
        ("11.0.0.0/8", NOT_FOUND),
        // A VRP within a route does not cover it.
        ("172.30.0.0/16", NOT_FOUND),
    ];
    for (route, state) in routes {
        session.update(&bench.announcement(2, &[prefix(route)]))?;
        until(&mut bench, route, state)?;
    }
    bench.untouched()
}

#[test]
fn a_path_that_ends_in_a_set_matches_no_vrp() -> Outcome {
    let (mut bench, _link, mut session) = validating(&[(true, "192.0.2.0/24", 24, 65_009)])?;
    // A sequence of the neighbour, and a set behind it.
    let path = |set: bool| {
        let kind = if set { 1 } else { 2 };
        let mut value = vec![2, 1];
        value.extend(65_002_u32.to_be_bytes());
        value.extend([kind, 1]);
        value.extend(65_009_u32.to_be_bytes());
        Attribute::new(0x40, 2, value)
    };
    for (route, set, state) in [
        ("192.0.2.0/24", false, VALID),
        ("192.0.2.0/24", true, INVALID),
        ("172.30.0.0/24", true, NOT_FOUND),
    ] {
        session.update(&bench.announcement(2, &[prefix(route)]).with(path(set)))?;
        until(&mut bench, route, state)?;
    }
    bench.untouched()
}

#[test]
fn a_vrp_of_as_0_makes_routes_invalid() -> Outcome {
    let (mut bench, _link, mut session) = validating(&[(true, "192.0.2.0/24", 32, 0)])?;
    session.update(&bench.announcement(2, &[prefix("192.0.2.0/24")]))?;
    until(&mut bench, "192.0.2.0/24", INVALID)?;
    bench.untouched()
}

#[test]
fn own_routes_have_the_own_as_for_origin() -> Outcome {
    let cache = RtrCache::new()?;
    let export = "ipv4_unicast = { export = \"MARKS\" }";
    let setup = Setup::new().peer(2, 65_002).keys(2, export);
    let mut bench = Bench::start(setup.tables(&cache.table("")?).tables(MARKS))?;
    let mut link = cache.accept()?;
    link.expect(RtrPdu::RESET_QUERY)?;
    let mut session = bench.session(2)?;
    let mut until = |state: u32| {
        session.until("another state of the own network", |session| {
            let told = session.told(Setup::NETWORK);
            told.is_some_and(|told| told.communities() == [state])
        })
    };
    until(NOT_FOUND)?;
    link.answer(7, 1, &[(true, "203.0.113.0/24", 24, Setup::ASN)])?;
    until(VALID)?;
    bench.untouched()
}

#[test]
fn routes_are_looked_at_again_when_vrps_come_and_go() -> Outcome {
    let (mut bench, mut link, mut session) = validating(&[(true, "192.0.2.0/24", 24, 65_002)])?;
    let (one, other) = ("192.0.2.0/24", "172.30.0.0/24");
    session.update(&bench.announcement(2, &[prefix(one), prefix(other)]))?;
    until(&mut bench, one, VALID)?;
    until(&mut bench, other, NOT_FOUND)?;
    link.notify(7, 2)?;
    link.expect(RtrPdu::SERIAL_QUERY)?;
    let changes = [(false, one, 24, 65_002), (true, other, 24, 65_009)];
    link.answer(7, 2, &changes)?;
    until(&mut bench, one, NOT_FOUND)?;
    until(&mut bench, other, INVALID)?;
    bench.untouched()
}

#[test]
fn without_policy_a_state_does_nothing() -> Outcome {
    let cache = RtrCache::new()?;
    let setup = Setup::new().peer(2, 65_002).tables(&cache.table("")?);
    let mut bench = Bench::start(setup)?;
    let mut link = cache.accept()?;
    link.expect(RtrPdu::RESET_QUERY)?;
    link.answer(7, 1, &[(true, "192.0.2.0/24", 24, 65_009)])?;
    link.notify(7, 2)?;
    // It has taken the answer: it asks for more.
    link.expect(RtrPdu::SERIAL_QUERY)?;
    let mut session = bench.session(2)?;
    session.update(&bench.announcement(2, &[prefix("192.0.2.0/24")]))?;
    let told = bench.observer.until_told(prefix("192.0.2.0/24"))?;
    assert_eq!(told.communities(), [0; 0]);
    bench.untouched()
}
