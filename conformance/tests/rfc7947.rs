//! RFC 7947 (route servers): attributes that go through as they are.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use conformance::blackbox::message::{self, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Route, Setup};

const ROUTE: Prefix = Prefix {
    addr: std::net::Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

/// Clients 5 and 6 of AS 65005 and 65006.
fn served() -> Setup {
    let key = "route_server_client = true";
    let setup = Setup::new().peer(5, 65_005).peer(6, 65_006);
    setup.keys(5, key).keys(6, key)
}

/// What client 6 is told of client 5's route with these attributes.
fn through(bench: &mut Bench, attributes: &[Attribute]) -> Result<Option<Route>, Error> {
    let (mut one, mut other) = (bench.session(5)?, bench.session(6)?);
    let mut update = bench.announcement(5, &[ROUTE]);
    for attribute in attributes {
        update = update.with(attribute.clone());
    }
    one.update(&update)?;
    bench.pass(5, &mut one)?;
    Ok(other.refresh()?.remove(&ROUTE))
}

#[test]
fn the_next_hop_of_a_client_is_passed_on_to_the_others() -> Outcome {
    let mut bench = Bench::start(served())?;
    let told = through(&mut bench, &[])?.expect("a route");
    assert_eq!(told.next_hop(), Some(bench.host(5)));
    bench.untouched()
}

#[test]
fn a_route_server_puts_no_number_in_front_of_the_path() -> Outcome {
    let mut bench = Bench::start(served())?;
    let path = [Attribute::as_path(&[65_005, 65_070])];
    let told = through(&mut bench, &path)?.expect("a route");
    assert_eq!(told.as_path(), Some(vec![65_005, 65_070]));
    bench.untouched()
}

#[test]
fn a_route_server_passes_on_the_med() -> Outcome {
    let mut bench = Bench::start(served())?;
    let told = through(&mut bench, &[Attribute::med(9)])?.expect("a route");
    assert_eq!(told.number(code::MED), Some(9));
    bench.untouched()
}

#[test]
fn communities_go_through_unread() -> Outcome {
    let mut bench = Bench::start(served())?;
    let no_export = Attribute::communities(&[0xffff_ff01, 0xffff_ff02]);
    // Not transitive between AS numbers (RFC 4360 §3).
    let scoped = [0x40, 2, 0, 1, 0, 0, 0, 1];
    let extended = Attribute::new(message::TRANSITIVE, code::EXTENDED_COMMUNITIES, scoped);
    let told = through(&mut bench, &[no_export, extended.clone()])?.expect("a route");
    assert_eq!(told.communities(), [0xffff_ff01, 0xffff_ff02]);
    assert_eq!(told.attribute(code::EXTENDED_COMMUNITIES), Some(&extended));
    // The observer is no client.
    assert_eq!(bench.seen(ROUTE)?, None);
    bench.untouched()
}

#[test]
fn a_client_takes_paths_that_begin_with_another_number_when_told_so() -> Outcome {
    let setup = Setup::new().peer(5, 65_005).peer(6, 65_006).peer(7, 65_007);
    let setup = setup.keys(6, "enforce_first_as = false");
    let mut bench = Bench::start(setup.keys(7, "role = \"route_server_client\""))?;
    for (host, taken) in [(5, false), (6, true), (7, true)] {
        let mut session = bench.session(host)?;
        let update = bench.announcement(host, &[ROUTE]);
        session.update(&update.with(Attribute::as_path(&[65_070])))?;
        bench.pass(host, &mut session)?;
        assert_eq!(bench.seen(ROUTE)?.is_some(), taken, "{host}");
        session.update(&message::Update::withdraw(&[ROUTE]))?;
        bench.pass(host, &mut session)?;
    }
    bench.untouched()
}

/// §2.1: what a client announces is in its Adj-RIB-In, also where policy lets none of it through.
#[test]
fn all_that_a_client_says_is_kept_whatever_policy_makes_of_it() -> Outcome {
    let setup = served()
        .tables("[[route_map]]\nname = \"NONE\"\nentry = [{ seq = 10, action = \"deny\" }]\n");
    let setup = setup.keys(5, "ipv4_unicast = { import = \"NONE\" }");
    let mut bench = Bench::start(setup)?;
    let mut session = bench.session(5)?;
    session.update(&bench.announcement(5, &[ROUTE]))?;
    // A refresh ends behind what was said before.
    session.refresh()?;
    let client = bench.host(5);
    let held = || bench.speaker.routes(client, true);
    conformance::lab::wait_until("the route", conformance::blackbox::LIMIT, || {
        let held = held().map_err(|error| error.to_string())?;
        held.contains("192.0.2.0/24").then_some(()).ok_or(held)
    })?;
    assert_eq!(bench.seen(ROUTE)?, None);
    bench.untouched()
}
