//! RFC 8092 (large communities).

use conformance::blackbox::message::{TRANSITIVE, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Route, Setup};

const ROUTE: Prefix = Prefix {
    addr: std::net::Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

fn large(values: &[[u32; 3]]) -> Attribute {
    let octets: Vec<u8> = values
        .iter()
        .flatten()
        .flat_map(|it| it.to_be_bytes())
        .collect();
    Attribute::new(TRANSITIVE, code::LARGE_COMMUNITIES, octets)
}

/// What the observer is told of a route with these.
fn told(bench: &mut Bench, values: &[[u32; 3]]) -> Result<Route, Error> {
    let mut session = bench.session(2)?;
    session.update(&bench.announcement(2, &[ROUTE]).with(large(values)))?;
    bench.observer.until_told(ROUTE).cloned()
}

#[test]
fn large_communities_that_stand_twice_are_kept_and_told_once() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let (one, other) = ([65_002, 1, 2], [65_002, 1, 3]);
    let told = told(&mut bench, &[other, one, other, one, one])?;
    let value = told.attribute(code::LARGE_COMMUNITIES).map(|it| &it.value);
    assert_eq!(value.map(|it| it.len()), Some(24), "{value:?}");
    for expected in [large(&[one]), large(&[other])] {
        let parts = value.iter().flat_map(|it| it.chunks(12));
        assert_eq!(parts.filter(|it| *it == expected.value).count(), 1);
    }
    bench.untouched()
}

#[test]
fn any_number_may_administer_a_large_community() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let values = [[0, 0, 0], [23_456, 1, 1], [65_535, 1, 1], [u32::MAX, 1, 1]];
    let told = told(&mut bench, &values)?;
    let value = told.attribute(code::LARGE_COMMUNITIES).map(|it| &it.value);
    assert_eq!(value, Some(&large(&values).value));
    bench.untouched()
}
