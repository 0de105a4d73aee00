//! What an aggregate says, from what it is made of.

use proptest::prelude::*;

use super::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);

fn aggregate() -> Aggregate {
    Aggregate::new("10.0.0.0/8".parse().unwrap(), Asn(65001))
}

fn with_set() -> Aggregate {
    Aggregate {
        as_set: true,
        ..aggregate()
    }
}

/// A route with this path: a negative number stands in a set with its neighbours.
fn route(path: &[i64]) -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let tuples: Vec<Tuple> = path
        .iter()
        .map(|number| {
            let kind = match *number < 0 {
                true => SegmentKind::Set,
                false => SegmentKind::Sequence,
            };
            (kind, Asn(u32::try_from(number.abs()).unwrap()))
        })
        .collect();
    set.as_path = segments(&tuples);
    set
}

fn sum(aggregate: &Aggregate, routes: &[AttributeSet]) -> Result<AttributeSet, Idle> {
    let mut sum = Sum::new(aggregate.as_set);
    routes.iter().for_each(|route| sum.add(&route.freeze()));
    sum.attributes(aggregate, ROUTER)
}

fn path(set: &AttributeSet) -> Vec<i64> {
    let numbers = set.as_path.iter().flat_map(|segment| {
        let sign = match segment.kind {
            SegmentKind::Set => -1,
            SegmentKind::Sequence | SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 1,
        };
        segment.asns.iter().map(move |asn| sign * i64::from(asn.0))
    });
    numbers.collect()
}

#[test]
fn without_routes_there_is_no_aggregate() {
    assert_eq!(sum(&aggregate(), &[]), Err(Idle::NoRoutes));
}

#[test]
fn the_origin_is_the_worst_of_all() {
    for (origins, worst) in [
        (&[Origin::Igp][..], Origin::Igp),
        (&[Origin::Igp, Origin::Egp], Origin::Egp),
        (
            &[Origin::Egp, Origin::Incomplete, Origin::Igp],
            Origin::Incomplete,
        ),
    ] {
        let routes = origins.iter().map(|origin| AttributeSet {
            origin: *origin,
            ..route(&[2])
        });
        let made = sum(&aggregate(), &routes.collect::<Vec<_>>()).unwrap();
        assert_eq!(made.origin, worst);
    }
    let ours = Aggregate {
        origin: Some(Origin::Igp),
        ..aggregate()
    };
    let routes = [AttributeSet {
        origin: Origin::Incomplete,
        ..route(&[2])
    }];
    assert_eq!(sum(&ours, &routes).unwrap().origin, Origin::Igp);
}

#[test]
fn routes_with_different_meds_are_not_aggregated_unless_told() {
    let med = |med| AttributeSet { med, ..route(&[2]) };
    let lax = Aggregate {
        match_med: false,
        ..aggregate()
    };
    for meds in [[Some(1), Some(2)], [Some(1), None]] {
        let routes = meds.map(med);
        assert_eq!(sum(&aggregate(), &routes), Err(Idle::DifferentMeds));
        assert_eq!(sum(&lax, &routes).unwrap().med, Some(0));
    }
    for meds in [[Some(1), Some(1)], [Some(0), None]] {
        let same = sum(&aggregate(), &meds.map(med)).unwrap();
        assert_eq!(same.med, Some(0), "it is a route of ours");
    }
}

#[test]
fn the_aggregator_is_this_router_and_nobody_else() {
    let mut other = route(&[2]);
    other.aggregator = Some(Aggregator {
        asn: Asn(2),
        router_id: Ipv4Addr::new(2, 2, 2, 2),
    });
    let made = sum(&aggregate(), &[other]).unwrap();
    let ours = Aggregator {
        asn: Asn(65001),
        router_id: ROUTER,
    };
    assert_eq!(made.aggregator, Some(ours));
    assert!(made.next_hop.addr().is_unspecified());
    assert!(made.notes.blackhole);
}

#[test]
fn atomic_aggregate_says_that_numbers_may_be_left_out() {
    let own = route(&[]);
    let mut atomic = route(&[]);
    atomic.atomic_aggregate = true;
    for (spec, routes, expected) in [
        (aggregate(), vec![own.clone()], true),
        (with_set(), vec![own.clone()], false),
        (aggregate(), vec![own.clone(), route(&[2])], true),
        (with_set(), vec![own.clone(), route(&[2])], false),
        (aggregate(), vec![own.clone(), atomic.clone()], true),
        (with_set(), vec![own, atomic], true),
    ] {
        assert_eq!(sum(&spec, &routes).unwrap().atomic_aggregate, expected);
    }
}

#[test]
fn a_set_holds_what_the_paths_do_not_have_in_common() {
    for (paths, expected) in [
        (&[&[2, 3][..], &[2, 3]][..], &[2, 3][..]),
        (&[&[2, 3], &[2, 4]], &[2, -3, -4]),
        (&[&[2, 3], &[3, 2]], &[-2, -3]),
        (&[&[2], &[2, 3, 3]], &[2, -3]),
        (&[&[], &[2]], &[-2]),
        // A number that is in front is not in the set as well.
        (&[&[2, 3, 2], &[2, 4]], &[2, -3, -4]),
        // What was a set stays one, unless all have it.
        (&[&[2, -4, -3]], &[2, -3, -4]),
        (&[&[2, -3, -4], &[2, -3, -4]], &[2, -3, -4]),
        (&[&[2, -3], &[2, -3, -4]], &[2, -3, -4]),
    ] {
        let routes: Vec<_> = paths.iter().map(|it| route(it)).collect();
        let made = sum(&with_set(), &routes).unwrap();
        assert_eq!(path(&made), expected, "{paths:?}");
        let plain = sum(&aggregate(), &routes).unwrap();
        assert_eq!(path(&plain), [] as [i64; 0]);
    }
}

#[test]
fn confederation_segments_are_left_out() {
    let mut inside = route(&[2]);
    inside.prepend_confederation(Asn(65099));
    let made = sum(&with_set(), &[inside, route(&[2])]).unwrap();
    assert_eq!(path(&made), [2]);
}

#[test]
fn communities_go_with_the_set_but_for_those_of_one_route() {
    let with = |text: &str| AttributeSet {
        communities: vec![text.parse().unwrap()],
        ..route(&[2])
    };
    let leaving = AttributeSet {
        communities: vec![Community::GRACEFUL_SHUTDOWN, Community::NO_EXPORT],
        ..route(&[2])
    };
    let routes = [with("65001:1"), with("65001:2"), with("65001:1"), leaving];
    let made = sum(&with_set(), &routes).unwrap();
    let all: Vec<Community> = ["65001:1", "65001:2"].map(|it| it.parse().unwrap()).into();
    assert_eq!(made.communities, [all, vec![Community::NO_EXPORT]].concat());
    assert!(sum(&aggregate(), &routes).unwrap().communities.is_empty());
}

fn any_route() -> impl Strategy<Value = AttributeSet> {
    let path = prop::collection::vec(prop_oneof![1i64..5, -4i64..-1], 0..4);
    let origin = prop::sample::select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]);
    let med = prop::option::of(0u32..2);
    (path, origin, med, any::<bool>(), 0u16..3).prop_map(|(path, origin, med, atomic, tag)| {
        let communities = (0..tag).map(|it| format!("1:{it}").parse().unwrap());
        AttributeSet {
            origin,
            med,
            atomic_aggregate: atomic,
            communities: communities.collect(),
            ..route(&path)
        }
    })
}

proptest! {
    /// What came and went again leaves nothing behind, and the order is of no consequence.
    #[test]
    fn what_is_made_follows_from_what_is_there(
        there in prop::collection::vec(any_route(), 0..6),
        gone in prop::collection::vec(any_route(), 0..6),
        as_set in any::<bool>(),
        match_med in any::<bool>(),
    ) {
        let spec = Aggregate { as_set, match_med, ..aggregate() };
        let mut mixed = Sum::new(as_set);
        for route in gone.iter().chain(&there) {
            mixed.add(&route.freeze());
        }
        for route in gone.iter().rev() {
            mixed.remove(&route.freeze());
        }
        prop_assert_eq!(mixed.routes(), there.len());
        let made = mixed.attributes(&spec, ROUTER);
        prop_assert_eq!(&made, &sum(&spec, &there));
        let Ok(made) = made else { return Ok(()) };
        // RFC 4271 §9.2.2.2, the four rules about AS_PATH.
        let all = |set: &AttributeSet| path(set);
        let lead: Vec<i64> = path(&made).into_iter().filter(|it| *it > 0).collect();
        let set: Vec<i64> = path(&made).into_iter().filter(|it| *it < 0).map(i64::abs).collect();
        if as_set && there.windows(2).any(|pair| path(&pair[0]) != path(&pair[1])) {
            for route in &there {
                prop_assert!(all(route).starts_with(&lead), "in front of every path");
            }
            for asn in &set {
                let mut paths = there.iter();
                prop_assert!(paths.any(|route| all(route).iter().any(|it| it.abs() == *asn)));
                prop_assert!(!lead.contains(asn));
            }
            for asn in there.iter().flat_map(all) {
                prop_assert!(lead.contains(&asn.abs()) || set.contains(&asn.abs()));
            }
        }
    }
}
