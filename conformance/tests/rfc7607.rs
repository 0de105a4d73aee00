//! RFC 7607 (AS 0).

#![allow(clippy::unwrap_used)]

use conformance::blackbox::message::{self, code};
use conformance::blackbox::{Attribute, Bench, Open, Outcome, Setup, Update};

#[test]
fn an_open_of_as_0_is_refused_as_bad_peer_as() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    let mut connection = bench.connect(2)?;
    connection.send(&Open::new(0, bench.host(2)).bytes())?;
    connection.expect_notification(2, 2)?;
    // Also where it stands in the four-octet capability alone.
    let mut open = Open::new(0, bench.host(5));
    open.asn = 65_002;
    let mut connection = bench.connect(5)?;
    connection.send(&open.bytes())?;
    connection.expect_notification(2, 2)?;
    bench.untouched()
}

#[test]
fn an_as_path_with_as_0_is_treated_as_withdraw() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let route = "192.0.2.0/24".parse().unwrap();
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    session.update(&Update::announce(
        &[route],
        &[65_002, 0, 65_070],
        bench.host(2),
    ))?;
    bench.observer.until_withdrawn(route)?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn an_aggregator_of_as_0_is_discarded() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let route = "192.0.2.0/24".parse().unwrap();
    let value = [0, 0, 0, 0, 192, 0, 2, 1];
    let aggregator = Attribute::new(message::TRANSITIVE, code::AGGREGATOR, value);
    session.update(&bench.announcement(2, &[route]).with(aggregator))?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.attribute(code::AGGREGATOR), None);
    bench.untouched()
}
