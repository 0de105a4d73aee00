//! Origin validation (RFC 6811) in policy, and tables of VRPs that change.

use super::*;
use crate::prefix::Prefix;
use crate::rpki::{State, Validation, Vrp, Vrps};

/// Lets in, or out, what is in this state.
fn only(state: State) -> Policy {
    let entry = Entry::new(10, Action::Permit).when(Match::Rpki(state));
    Policy::Map(Arc::new(RouteMap::new("ONLY", vec![entry]).unwrap()))
}

/// Refuses what is invalid and prefers what is valid.
fn usual() -> Policy {
    let entries = vec![
        Entry::new(10, Action::Deny).when(Match::Rpki(State::Invalid)),
        Entry::new(20, Action::Permit)
            .when(Match::Rpki(State::Valid))
            .set(Set::LocalPref(Number::Replace(200))),
        Entry::new(30, Action::Permit),
    ];
    Policy::Map(Arc::new(RouteMap::new("USUAL", entries).unwrap()))
}

fn with(peer: u16, change: impl FnOnce(&mut PeerFamily)) -> PeerFacts {
    let mut facts = facts(peer);
    if let Some(family) = &mut facts.families.ipv4_unicast {
        change(family);
    }
    facts
}

/// `10.N.0.0/16` may be originated by these.
fn vrps(vrps: &[(u8, u32)]) -> Input {
    let vrps = vrps
        .iter()
        .map(|(number, asn)| Vrp::new(Prefix::V4(prefix(*number)), 24, Asn(*asn)).unwrap());
    Input::Validate(Some(Arc::new(Validation {
        vrps: Arc::new(vrps.collect()),
        own_as: Asn(65001),
    })))
}

fn evaluations(policy: &Policy) -> u64 {
    policy.map().unwrap().evaluations()
}

#[test]
fn what_import_refuses_as_invalid_comes_in_when_it_is_valid_and_nothing_else_is_looked_at() {
    let mut world = World::with_peers(&[3]);
    let import = usual();
    world.up_with(2, with(2, |family| family.import = import.clone()));
    world.input(vrps(&[(1, 65002), (2, 64999)]));
    let numbers: Vec<Prefix4> = (1..=9).map(prefix).collect();
    let route = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&numbers, &route));
    // Valid, invalid and, for all the others, not found; those share an answer.
    assert_eq!(evaluations(&import), 3);
    assert!(world.belief(3).contains_key(&prefix(1)));
    assert!(!world.belief(3).contains_key(&prefix(2)));
    assert!(world.belief(3).contains_key(&prefix(9)));
    let of = |world: &World, number| world.rib.route(&Nlri::V4(prefix(number))).unwrap();
    let local_pref = |world: &World, number| of(world, number).paths[0].attributes.local_pref();
    assert_eq!(local_pref(&world, 1), Some(200));
    assert_eq!(local_pref(&world, 9), None);
    assert_eq!(
        of(&world, 2).paths[0].rejection,
        Some(Rejection::Policy),
        "kept, and out"
    );
    // To say why a route is out, the map was asked again.
    let asked = evaluations(&import);
    let before = world.beliefs[&PeerId(3)].updates;

    world.input(vrps(&[(1, 65002), (2, 65002)]));
    assert_eq!(evaluations(&import), asked + 1, "of nine one was affected");
    assert!(world.belief(3).contains_key(&prefix(2)));
    assert_eq!(local_pref(&world, 2), Some(200));
    assert_eq!(world.beliefs[&PeerId(3)].updates, before + 1);

    // Everything is gone: nothing is invalid any more.
    world.input(Input::Validate(None));
    assert_eq!(local_pref(&world, 1), None);
    assert_eq!(world.belief(3).len(), 9);
}

#[test]
fn what_export_keeps_back_is_told_when_its_state_changes_and_others_hear_nothing() {
    let mut world = World::with_peers(&[2]);
    let export = only(State::Valid);
    for peer in [3, 4] {
        world.up_with(peer, with(peer, |family| family.export = export.clone()));
    }
    world.up(5);
    let numbers: Vec<Prefix4> = (1..=9).map(prefix).collect();
    world.update(2, announce(&numbers, &path(&[65002], [10, 10, 0, 2])));
    assert_eq!(world.belief(3).len(), 0, "nothing is valid yet");
    assert_eq!(world.belief(5).len(), 9);

    let updates = |world: &World, peer| world.beliefs[&PeerId(peer)].updates;
    let before = [3, 4, 5].map(|peer| updates(&world, peer));
    world.input(vrps(&[(1, 65002), (2, 64999)]));
    for peer in [3, 4] {
        let told: Vec<_> = world.belief(peer).keys().copied().collect();
        assert_eq!(told, [prefix(1)]);
    }
    world.input(vrps(&[(1, 64999), (2, 65002)]));
    for peer in [3, 4] {
        let told: Vec<_> = world.belief(peer).keys().copied().collect();
        assert_eq!(told, [prefix(2)]);
    }
    // One more that names the same AS changes no state, and nobody hears of it.
    let told = updates(&world, 3);
    world.input(vrps(&[(1, 64999), (2, 65002), (2, 65009)]));
    assert_eq!(updates(&world, 3), told);
    let after = [3, 4, 5].map(|peer| updates(&world, peer));
    assert!(after[0] > before[0] && after[1] > before[1]);
    assert_eq!(after[2], before[2], "that one's policy does not ask");
}

#[test]
fn a_peer_that_takes_several_paths_is_told_those_that_are_valid() {
    let mut world = World::with_peers(&[2, 3]);
    world.several.push(PeerId(9));
    world.up_with(
        9,
        with(9, |family| {
            family.export = only(State::Valid);
            family.add_path_send = Some(PathsSent::All);
        }),
    );
    for peer in [2_u16, 3] {
        let asn = 65000 + u32::from(peer);
        let host = u8::try_from(peer).unwrap();
        let route = path(&[asn], [10, 10, 0, host]);
        world.update(peer, announce(&[prefix(1)], &route));
    }
    let origins = |world: &World| -> Vec<u32> {
        let held = world.beliefs[&PeerId(9)].several.values();
        held.map(|set| set.as_path[0].asns.last().unwrap().0)
            .collect()
    };
    assert_eq!(origins(&world), [0; 0]);
    world.input(vrps(&[(1, 65003)]));
    assert_eq!(origins(&world), [65003]);
    world.input(vrps(&[(1, 65003), (1, 65002)]));
    assert_eq!(origins(&world).len(), 2);
}

#[test]
fn maps_that_do_not_ask_are_not_asked() {
    let mut world = World::new();
    let map = |name: &str| {
        let entry = Entry::new(10, Action::Permit).when(Match::Metric(0));
        Policy::Map(Arc::new(RouteMap::new(name, vec![entry]).unwrap()))
    };
    let (import, export) = (map("IN"), map("OUT"));
    world.up_with(2, with(2, |family| family.import = import.clone()));
    world.up_with(3, with(3, |family| family.export = export.clone()));
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let asked = [&import, &export].map(evaluations);
    world.input(vrps(&[(1, 64999)]));
    assert_eq!([&import, &export].map(evaluations), asked);
    let nlri = Nlri::V4(prefix(1));
    let route = world.rib.route(&nlri).unwrap();
    let validity = world.rib.validity(&nlri, &route.paths[0].received).unwrap();
    assert_eq!(validity.state, State::Invalid, "shown all the same");
    assert_eq!(validity.to_string(), "invalid, origin AS 65002");
}

#[test]
fn a_route_of_our_own_has_our_as_for_origin() {
    let mut world = World::new();
    world.up_with(3, with(3, |family| family.export = only(State::Valid)));
    let set = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(1)), set));
    assert_eq!(world.belief(3).len(), 0);
    world.input(vrps(&[(1, 65001)]));
    assert_eq!(world.belief(3).len(), 1);
}

#[test]
fn a_path_that_ends_in_a_set_is_never_valid() {
    let mut world = World::with_peers(&[3]);
    world.up_with(2, with(2, |family| family.import = only(State::Invalid)));
    world.input(vrps(&[(1, 65005)]));
    let mut route = path(&[65002], [10, 10, 0, 2]);
    route.as_path.push(Segment {
        kind: SegmentKind::Set,
        asns: vec![Asn(65005)],
    });
    world.update(2, announce(&[prefix(1), prefix(2)], &route));
    let told: Vec<_> = world.belief(3).keys().copied().collect();
    assert_eq!(
        told,
        [prefix(1)],
        "covered is invalid, else it is not found"
    );
}

#[test]
fn what_we_originate_is_judged_again_when_others_know_us_by_another_number() {
    let mut world = World::new();
    world.up_with(2, with(2, |family| family.export = only(State::Valid)));
    let own = path(&[], [10, 10, 0, 1]);
    for number in [1, 2] {
        world.input(Input::Originate(Nlri::V4(prefix(number)), own.clone()));
    }
    let vrp = |number: u8, asn| Vrp::new(Prefix::V4(prefix(number)), 24, Asn(asn)).unwrap();
    let vrps: Arc<Vrps> = Arc::new([vrp(1, 65001), vrp(2, 100)].into_iter().collect());
    for (own_as, number) in [(65001, 1), (100, 2), (65001, 1)] {
        let known_as = Validation {
            vrps: Arc::clone(&vrps),
            own_as: Asn(own_as),
        };
        world.input(Input::Validate(Some(Arc::new(known_as))));
        let told: Vec<Prefix4> = world.belief(2).keys().copied().collect();
        assert_eq!(told, [prefix(number)], "{own_as}");
    }
}

#[test]
fn what_a_confederation_originates_has_the_number_that_others_know_it_by() {
    let mut world = World::new();
    world.up_with(2, with(2, |family| family.import = only(State::Valid)));
    let known_as = Validation {
        vrps: Arc::new(
            [Vrp::new(Prefix::V4(prefix(1)), 16, Asn(100)).unwrap()]
                .into_iter()
                .collect(),
        ),
        own_as: Asn(100),
    };
    world.input(Input::Validate(Some(Arc::new(known_as))));
    let nlri = Nlri::V4(prefix(1));
    for kind in [SegmentKind::ConfedSequence, SegmentKind::ConfedSet] {
        let mut set = path(&[65002], [10, 10, 0, 2]);
        set.as_path[0].kind = kind;
        let validity = world.rib.validity(&nlri, &set.freeze_with(SEED)).unwrap();
        assert_eq!(validity.state, State::Valid, "{kind:?}");
    }
}

proptest! {
    /// Whatever came first and however often it changed: in the end the tables are as if the last
    /// VRPs had been there from the start.
    #[test]
    fn tables_end_up_as_if_the_last_vrps_had_been_there_first(
        routes in prop::collection::vec((2_u16..5, 1_u8..8, 0_u32..3, any::<bool>()), 1..30),
        changes in prop::collection::vec(
            (0_usize..30, prop::collection::vec((1_u8..8, 65002_u32..65006), 0..8)),
            1..5,
        ),
    ) {
        let world = || {
            let mut world = World::new();
            world.up_with(2, with(2, |family| family.import = usual()));
            world.up_with(3, with(3, |family| family.import = only(State::Valid)));
            world.up_with(4, with(4, |family| family.export = only(State::NotFound)));
            world.up_with(5, with(5, |family| family.export = usual()));
            world.up(6);
            world
        };
        let updates: Vec<(u16, Update)> = routes
            .iter()
            .map(|(peer, number, behind, announced)| {
                let own = 65000 + u32::from(*peer);
                let host = u8::try_from(*peer).unwrap();
                let route = path(&[own, 65003 + behind], [10, 10, 0, host]);
                let update = match announced {
                    true => announce(&[prefix(*number)], &route),
                    false => withdraw(&[prefix(*number)]),
                };
                (*peer, update)
            })
            .collect();
        let mut changing = world();
        for (at, (peer, update)) in updates.iter().enumerate() {
            for (when, list) in &changes {
                if *when == at {
                    changing.input(vrps(list));
                }
            }
            changing.update(*peer, update.clone());
        }
        let last = &changes.last().unwrap().1;
        changing.input(vrps(last));
        let mut fresh = world();
        fresh.input(vrps(last));
        for (peer, update) in updates {
            fresh.update(peer, update);
        }
        for peer in [2, 3, 4, 5, 6] {
            prop_assert_eq!(changing.belief(peer), fresh.belief(peer), "peer {}", peer);
        }
        prop_assert_eq!(&changing.best, &fresh.best);
    }
}
