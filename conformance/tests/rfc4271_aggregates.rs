//! RFC 4271 §9.2.2.2 (aggregation) and RFC 9774 (no AS_SET): what one route says that stands for many.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use conformance::blackbox::message::{self, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Route, Setup, Update};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// The aggregate that the observer is told of routes of neighbour 5 with these attributes, one each.
fn of(keys: &str, routes: &[&[Attribute]]) -> Result<Option<Route>, Error> {
    let aggregate = format!("aggregates = [{{ prefix = \"10.64.0.0/16\"{keys} }}]");
    let setup = Setup::new().peer(5, 65_005).unicast(&aggregate);
    let mut bench = Bench::start(setup)?;
    let mut session = bench.session(5)?;
    for (at, attributes) in (0_u8..).zip(routes) {
        let route = Prefix::new([10, 64, at, 0].into(), 24);
        let mut update = bench.announcement(5, &[route]);
        for attribute in *attributes {
            update = update.with(attribute.clone());
        }
        session.update(&update)?;
    }
    bench.pass(5, &mut session)?;
    let told = bench.seen(prefix("10.64.0.0/16"))?;
    bench.untouched()?;
    Ok(told)
}

fn path_of(told: &Route) -> Vec<u8> {
    told.attribute(code::AS_PATH).expect("a path").value.clone()
}

/// Our own number alone, in a sequence.
const OURS: [u8; 6] = [2, 1, 0, 0, 0xfd, 0xe9];

#[test]
fn the_origin_of_an_aggregate_is_the_worst_of_its_routes() -> Outcome {
    for (origins, worst) in [([0, 0], 0), ([0, 1], 1), ([1, 2], 2), ([2, 0], 2)] {
        let routes = origins.map(|origin| [Attribute::origin(origin)]);
        let routes = routes.each_ref().map(<[Attribute; 1]>::as_slice);
        let told = of("", &routes)?.expect("an aggregate");
        let origin = told.attribute(code::ORIGIN).expect("an origin");
        assert_eq!(origin.value, [worst], "{origins:?}");
    }
    Ok(())
}

#[test]
fn routes_with_different_meds_are_aggregated_only_when_told_so() -> Outcome {
    let [one, two] = [1, 2].map(|med| [Attribute::med(med)]);
    assert!(of("", &[&one, &two])?.is_none());
    assert!(of("", &[&one, &[]])?.is_none());
    assert!(of("", &[&two, &two])?.is_some());
    assert!(of(", match_med = false", &[&one, &two])?.is_some());
    Ok(())
}

#[test]
fn an_aggregate_has_the_next_hop_of_the_one_who_aggregates() -> Outcome {
    let aggregate = "aggregates = [\"10.64.0.0/16\"]";
    let setup = Setup::new().peer(5, 65_005).unicast(aggregate);
    let mut bench = Bench::start(setup)?;
    let mut session = bench.session(5)?;
    session.update(&bench.announcement(5, &[prefix("10.64.1.0/24")]))?;
    bench.pass(5, &mut session)?;
    let told = bench.seen(prefix("10.64.0.0/16"))?.expect("an aggregate");
    assert_eq!(told.next_hop(), Some(bench.address()));
    // The last of the routes takes it along.
    session.update(&Update::withdraw(&[prefix("10.64.1.0/24")]))?;
    bench.pass(5, &mut session)?;
    assert!(bench.seen(prefix("10.64.0.0/16"))?.is_none());
    bench.untouched()
}

#[test]
fn an_aggregate_whose_path_leaves_numbers_out_says_so() -> Outcome {
    let paths = [[65_005, 65_070], [65_005, 65_071]].map(|path| [Attribute::as_path(&path)]);
    let told = of("", &[&paths[0], &paths[1]])?.expect("an aggregate");
    assert!(told.attribute(code::ATOMIC_AGGREGATE).is_some());
    // Nothing is left out where there is a set of what differs.
    let told = of(", as_set = true", &[&paths[0], &paths[1]])?.expect("an aggregate");
    assert!(told.attribute(code::ATOMIC_AGGREGATE).is_none());
    Ok(())
}

#[test]
fn atomic_aggregate_of_one_route_stays() -> Outcome {
    let atomic = Attribute::new(message::WELL_KNOWN, code::ATOMIC_AGGREGATE, []);
    for keys in ["", ", as_set = true"] {
        let told = of(keys, &[&[], std::slice::from_ref(&atomic)])?.expect("an aggregate");
        assert!(told.attribute(code::ATOMIC_AGGREGATE).is_some(), "{keys}");
    }
    Ok(())
}

#[test]
fn the_aggregator_is_the_one_who_aggregates() -> Outcome {
    let other = [0, 0, 0xfe, 0x2e, 192, 0, 2, 1];
    let other = [Attribute::new(message::TRANSITIVE, code::AGGREGATOR, other)];
    let told = of("", &[&other])?.expect("an aggregate");
    let aggregator = told.attribute(code::AGGREGATOR).expect("an aggregator");
    assert_eq!(aggregator.value, [0, 0, 0xfd, 0xe9, 10, 0, 0, 1]);
    Ok(())
}

#[test]
fn a_set_is_made_when_told_so_of_what_the_paths_do_not_have_in_common() -> Outcome {
    let numbers =
        |path: &[u32]| -> Vec<u8> { path.iter().flat_map(|asn| asn.to_be_bytes()).collect() };
    let paths = [&[65_005, 65_070][..], &[65_005, 65_071, 65_005]];
    let [one, two] = paths.map(|path| [Attribute::as_path(path)]);
    let told = of(", as_set = true", &[&one, &two])?.expect("an aggregate");
    let sequence = [&[2, 2], &*numbers(&[65_001, 65_005])].concat();
    let set = [&[1, 2], &*numbers(&[65_070, 65_071])].concat();
    assert_eq!(path_of(&told), [sequence, set].concat());
    // Identical ones stay as they are.
    let told = of(", as_set = true", &[&one, &one])?.expect("an aggregate");
    assert_eq!(told.as_path(), Some(vec![65_001, 65_005, 65_070]));
    Ok(())
}

#[test]
fn an_aggregate_has_no_as_set_unless_told_so() -> Outcome {
    let paths = [[65_005, 65_070], [65_005, 65_071]].map(|path| [Attribute::as_path(&path)]);
    let told = of("", &[&paths[0], &paths[1]])?.expect("an aggregate");
    assert_eq!(path_of(&told), OURS);
    Ok(())
}
