//! What makes a path the best one, and which forward beside it.

use super::*;
use crate::community::ExtendedCommunity;
use crate::policy::{Bandwidth, BandwidthAmount, Number};

#[test]
fn a_route_marked_graceful_shutdown_is_the_last_choice() {
    let mut world = World::with_peers(&[2, 3]);
    let mut leaving = path(&[65002], [10, 10, 0, 2]);
    leaving.communities.push(Community::GRACEFUL_SHUTDOWN);
    world.update(2, announce(&[prefix(1)], &leaving));
    world.update(
        3,
        announce(&[prefix(1)], &path(&[65003, 1, 2, 3], [10, 10, 0, 3])),
    );
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(3)]);
}

#[test]
fn equal_paths_forward_together_as_far_as_allowed() {
    let mut world = World::with_peers(&[2, 3, 4]);
    for peer in [4u8, 3, 2] {
        let set = path(&[65000 + u32::from(peer)], [10, 10, 0, peer]);
        world.update(u16::from(peer), announce(&[prefix(1)], &set));
    }
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    let multipath = |paths, as_path_relax| PerFamily {
        ipv4_unicast: Multipath {
            paths,
            as_path_relax,
        },
        ..PerFamily::default()
    };
    world.input(Input::SetMultipath(multipath(8, false)));
    assert_eq!(
        world.best[&Nlri::V4(prefix(1))],
        [PeerId(2)],
        "other content of the AS path"
    );
    world.input(Input::SetMultipath(multipath(2, true)));
    assert_eq!(world.best[&Nlri::V4(prefix(1))].len(), 2);
    world.input(Input::SetMultipath(multipath(8, true)));
    assert_eq!(world.best[&Nlri::V4(prefix(1))].len(), 3);
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2), PeerId(4)]);
}

#[test]
fn rules_of_the_decision_take_effect_at_once_and_are_named() {
    let mut world = World::with_peers(&[2, 3, 4]);
    let offer = |asns: &[u32], peer: u8, med| {
        let mut set = path(asns, [10, 10, 0, peer]);
        set.med = med;
        announce(&[prefix(1)], &set)
    };
    let best = |world: &World| world.best[&Nlri::V4(prefix(1))][0].0;
    let lost = |world: &World, peer| {
        let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
        let path = route.paths.iter().find(|path| path.peer == PeerId(peer));
        path.unwrap().lost.unwrap()
    };
    world.update(2, offer(&[65002, 65009], 2, Some(20)));
    world.update(3, offer(&[65003, 65009], 3, Some(10)));
    world.update(4, offer(&[65004, 65008, 65009], 4, Some(5)));
    assert_eq!((best(&world), lost(&world, 3)), (2, Step::RouterId));
    let mut rules = Rules {
        always_compare_med: true,
        ..Rules::default()
    };
    world.input(Input::SetRules(rules));
    assert_eq!((best(&world), lost(&world, 2)), (3, Step::Med));
    assert_eq!(lost(&world, 4), Step::AsPathLength);
    let words = "higher MED (bestpath: always_compare_med)";
    assert_eq!(rules.describe(Step::Med), words);
    rules.as_path_ignore = true;
    world.input(Input::SetRules(rules));
    assert_eq!((best(&world), lost(&world, 3)), (4, Step::Med));
    world.update(2, offer(&[65002], 2, None));
    assert_eq!(best(&world), 2, "a missing MED is the lowest");
    rules.missing_med_as_worst = true;
    world.input(Input::SetRules(rules));
    assert_eq!((best(&world), lost(&world, 2)), (4, Step::Med));
    assert_eq!(
        world.belief(3)[&prefix(1)].next_hop.addr().to_string(),
        "10.10.0.1"
    );
    assert_eq!(
        asns(&world.belief(3)[&prefix(1)]),
        [65001, 65004, 65008, 65009]
    );
    world.input(Input::SetRules(Rules::default()));
    assert_eq!(best(&world), 2, "and back");
}

#[test]
fn the_highest_weight_goes_before_everything_and_nobody_is_told() {
    let mut world = World::with_peers(&[2, 3, 4]);
    let one = prefix(1);
    world.update(2, announce(&[one], &path(&[65002], [10, 10, 0, 2])));
    world.update(3, announce(&[one], &path(&[65003, 1, 2], [10, 10, 0, 3])));
    let best = |world: &World| world.best[&Nlri::V4(one)][0].0;
    let lost = |world: &World, peer| {
        let route = world.rib.route(&Nlri::V4(one)).unwrap();
        let path = route.paths.iter().find(|path| path.peer == PeerId(peer));
        path.unwrap().lost
    };
    assert_eq!(best(&world), 2);
    let weighted = |weight| PeerFamily {
        weight: Some(weight),
        ..settings()
    };
    world.input(Input::Configure(PeerId(3), ipv4(weighted(10))));
    assert_eq!((best(&world), lost(&world, 2)), (3, Some(Step::Weight)));
    assert_eq!(asns(&world.belief(4)[&one]), [65001, 65003, 1, 2]);
    let entry = Entry::new(10, Action::Permit).set(Set::Weight(5));
    let lighter = PeerFamily {
        import: map(vec![entry]),
        ..weighted(10)
    };
    world.input(Input::Configure(PeerId(3), ipv4(lighter)));
    world.input(Input::Configure(PeerId(2), ipv4(weighted(7))));
    assert_eq!(best(&world), 2, "policy has the last word");
    let own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(one), own));
    assert_eq!((best(&world), lost(&world, 2)), (0, Some(Step::Weight)));
    world.input(Input::Configure(
        PeerId(2),
        ipv4(weighted(LOCAL_WEIGHT + 1)),
    ));
    assert_eq!(best(&world), 2);
    world.input(Input::Configure(PeerId(2), ipv4(settings())));
    assert_eq!(best(&world), 0);
}

#[test]
fn the_lowest_aigp_goes_before_the_path_and_stays_where_it_is_exchanged() {
    let exchanging = |peer| PeerFacts {
        aigp: true,
        ..facts(peer)
    };
    let mut world = World::new();
    for peer in [2, 3, 4] {
        world.up_with(peer, exchanging(peer));
    }
    world.up(5);
    let one = prefix(1);
    let offer = |peer: u8, asns: &[u32], metric: Option<u64>| {
        let mut set = path(asns, [10, 10, 0, peer]);
        if let Some(metric) = metric {
            set.set_aigp_metric(metric);
        }
        announce(&[one], &set)
    };
    let best = |world: &World| world.best[&Nlri::V4(one)][0].0;
    world.update(2, offer(2, &[65002], None));
    world.update(3, offer(3, &[65003, 1, 2], Some(20)));
    assert_eq!(best(&world), 3, "RFC 7311 §4.1: none goes behind any");
    world.update(2, offer(2, &[65002, 1, 2, 3], Some(10)));
    let route = world.rib.route(&Nlri::V4(one)).unwrap();
    let lost = route.paths.iter().find(|path| path.peer == PeerId(3));
    assert_eq!((best(&world), lost.unwrap().lost), (2, Some(Step::Aigp)));
    assert_eq!(world.belief(4)[&one].aigp_metric(), Some(10));
    assert_eq!(world.belief(5)[&one].aigp_metric(), None, "§3.3");
    let dearer = PeerFamily {
        import: map(vec![Entry::new(10, Action::Permit).set(Set::Aigp(30))]),
        ..settings()
    };
    world.input(Input::Configure(PeerId(2), ipv4(dearer)));
    assert_eq!(best(&world), 3);
}

/// Peers 2 and 3 of other AS, 4 and 5 of our own, with routes with and without LOCAL_PREF.
fn with_default_local_pref(preference: Option<u32>) -> World {
    let mut world = World::new();
    world.rib = Rib::new(Config {
        default_local_pref: preference,
        ..config()
    });
    for peer in [2, 3, 4, 5] {
        let remote_as = match peer {
            4 | 5 => Asn(65001),
            _ => facts(peer).remote_as,
        };
        world.up_with(
            peer,
            PeerFacts {
                remote_as,
                ..facts(peer)
            },
        );
    }
    let mut inside = path(&[65007], [10, 10, 0, 4]);
    inside.local_pref = Some(150);
    world.update(4, announce(&[prefix(1)], &inside));
    world.update(
        2,
        announce(&[prefix(1)], &path(&[65002, 1, 2], [10, 10, 0, 2])),
    );
    let mut own = path(&[], [10, 10, 0, 1]);
    own.as_path.clear();
    world.input(Input::Originate(Nlri::V4(prefix(2)), own));
    world
}

#[test]
fn a_preference_that_does_not_come_with_a_route_is_what_the_table_says() {
    let world = with_default_local_pref(Some(200));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    for number in [1, 2] {
        assert_eq!(world.belief(5)[&prefix(number)].local_pref, Some(200));
        assert_eq!(world.belief(3)[&prefix(number)].local_pref, None);
    }
}

#[test]
fn another_default_preference_later_makes_of_the_table_what_it_is_after_a_start() {
    let all = [None, Some(200), Some(150), Some(0), Some(100)];
    for (before, after) in all.iter().flat_map(|one| all.map(|two| (*one, two))) {
        let mut world = with_default_local_pref(before);
        world.input(Input::SetDefaultLocalPref(after));
        let fresh = with_default_local_pref(after);
        assert_eq!(world.best, fresh.best, "{before:?} {after:?}");
        assert_eq!(world.next_best, fresh.next_best, "{before:?} {after:?}");
        for peer in [2, 3, 4, 5] {
            assert_eq!(
                world.belief(peer),
                fresh.belief(peer),
                "{before:?} {after:?}"
            );
        }
        for number in [1, 2] {
            let views = [&world, &fresh].map(|it| {
                let view = it.rib.route(&Nlri::V4(prefix(number))).unwrap();
                format!("{view:?}")
            });
            assert_eq!(views[0], views[1], "{before:?} {after:?}");
        }
    }
}

#[test]
fn another_default_preference_reaches_what_is_kept_for_a_peer_that_is_away() {
    let mut world = with_default_local_pref(None);
    let retain = PerFamily {
        ipv4_unicast: true,
        ..PerFamily::default()
    };
    world.input(Input::PeerDown {
        peer: PeerId(2),
        retain,
    });
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(4)]);
    world.input(Input::SetDefaultLocalPref(Some(200)));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    assert_eq!(world.belief(5)[&prefix(1)].local_pref, Some(200));
}

#[test]
fn a_max_med_stands_in_the_place_of_whatever_med_a_route_would_be_told_with() {
    let set_to_5 = || {
        map(vec![
            Entry::new(10, Action::Permit).set(Set::Metric(Number::Replace(5))),
        ])
    };
    let told_with = |max_med, export: Option<Policy>| {
        let mut families = settings();
        families.max_med = max_med;
        families.export = export.unwrap_or(families.export);
        families
    };
    let mut world = World::with_peers(&[2]);
    // Of another AS with and without a map, within our AS, and one that is spared.
    let peers: [(u16, bool); 4] = [(3, true), (4, false), (5, true), (6, false)];
    let configured = |peer: u16, mapped: bool, max_med| {
        let mut facts = match peer {
            5 => PeerFacts {
                remote_as: Asn(65001),
                ..facts(5)
            },
            other => facts(other),
        };
        let max_med = (peer != 6).then_some(max_med).flatten();
        facts.families.ipv4_unicast = Some(told_with(max_med, mapped.then(set_to_5)));
        facts
    };
    for (peer, mapped) in peers {
        world.up_with(peer, configured(peer, mapped, Some(77)));
    }
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.med = Some(9);
    world.update(2, announce(&[prefix(1)], &set));
    let mut own = path(&[], [10, 10, 0, 1]);
    own.as_path.clear();
    world.input(Input::Originate(Nlri::V4(prefix(2)), own));
    let meds = |world: &World| {
        peers.map(|(peer, _)| [1, 2].map(|number| world.belief(peer)[&prefix(number)].med))
    };
    let all = [Some(77); 2];
    let spared = [None, None];
    assert_eq!(meds(&world), [all, all, all, spared]);
    // It goes, and comes, without anything else.
    for max_med in [None, Some(78)] {
        for (peer, mapped) in peers {
            let families = configured(peer, mapped, max_med).families;
            world.input(Input::Configure(PeerId(peer), families));
        }
        let mapped = [Some(max_med.unwrap_or(5)); 2];
        let plain = [max_med; 2];
        assert_eq!(meds(&world), [mapped, plain, mapped, spared]);
    }
}

#[test]
fn a_map_towards_a_peer_may_ask_who_has_sent_the_route() {
    let asked = |of: u8| {
        let of = Match::Sender(vec![[10, 10, 0, of].into()]);
        let mut families = settings();
        families.export = map(vec![Entry::new(10, Action::Permit).when(of)]);
        families
    };
    let mut world = World::with_peers(&[2, 3]);
    for peer in [5, 6] {
        let mut facts = facts(peer);
        facts.families.ipv4_unicast = Some(asked(2));
        world.up_with(peer, facts);
    }
    // Of equal attributes, but for who sent them; and of our own.
    let set = path(&[65000], [10, 10, 0, 9]);
    let mut facts_without = |peer| {
        let mut facts = facts(peer);
        if let Some(family) = &mut facts.families.ipv4_unicast {
            family.enforce_first_as = false;
        }
        world.input(Input::Configure(PeerId(peer), facts.families));
    };
    facts_without(2);
    facts_without(3);
    world.update(2, announce(&[prefix(1)], &set));
    world.update(3, announce(&[prefix(2)], &set));
    let mut own = path(&[], [10, 10, 0, 1]);
    own.as_path.clear();
    world.input(Input::Originate(Nlri::V4(prefix(3)), own));
    let told = |world: &World, peer| world.belief(peer).keys().copied().collect::<Vec<_>>();
    for peer in [5, 6] {
        assert_eq!(told(&world, peer), [prefix(1)]);
    }
    // Another map tells what differs, and a better path of somebody else takes it back.
    world.input(Input::Configure(PeerId(5), ipv4(asked(3))));
    assert_eq!(told(&world, 5), [prefix(2)]);
    let better = AttributeSet {
        med: Some(0),
        ..path(&[65000], [10, 10, 0, 9])
    };
    let worse = path(&[65000, 65000], [10, 10, 0, 9]);
    world.update(3, announce(&[prefix(1)], &better));
    world.update(2, announce(&[prefix(1)], &worse));
    assert_eq!(told(&world, 5), [prefix(1), prefix(2)]);
    assert_eq!(told(&world, 6), []);
    for shown in world.rib.advertisements(&Nlri::V4(prefix(1))) {
        let is_told = shown.result.is_ok();
        assert_eq!(
            is_told,
            shown.peer == PeerId(5) || shown.peer == PeerId(2),
            "{:?}",
            shown.peer
        );
    }
}

#[test]
fn a_bandwidth_follows_the_paths_that_forward_together() {
    let community = |mbit_s: f32| {
        let [a, b, c, d] = (mbit_s * 125_000.0).to_be_bytes();
        ExtendedCommunity([0x00, 0x04, 0xfd, 0xe9, a, b, c, d])
    };
    let asked = |peer, amount| {
        let bandwidth = Bandwidth {
            asn: Asn(65001),
            amount,
            transitive: true,
        };
        let inner = RouteMap::new(
            "INNER",
            vec![Entry::new(10, Action::Permit).set(Set::Bandwidth(bandwidth))],
        );
        // Also where only a map that is called asks.
        let entry = Entry::new(10, Action::Permit).call(Arc::new(inner.unwrap()));
        let mut facts = facts(peer);
        facts.families.ipv4_unicast = Some(PeerFamily {
            export: map(vec![entry]),
            ..settings()
        });
        facts
    };
    let mut world = World::with_peers(&[2, 3, 4, 7]);
    world.up_with(5, asked(5, BandwidthAmount::Paths));
    world.up_with(6, asked(6, BandwidthAmount::Sum));
    world.input(Input::SetMultipath(PerFamily {
        ipv4_unicast: Multipath {
            paths: 8,
            as_path_relax: true,
        },
        ..PerFamily::default()
    }));
    let told = |world: &World, peer| {
        let told = &world.belief(peer)[&prefix(1)];
        told.extended_communities.clone()
    };
    let offer = |peer: u8, mbit_s: Option<f32>| {
        let mut set = path(&[65000 + u32::from(peer)], [10, 10, 0, peer]);
        set.extended_communities = mbit_s.map(community).into_iter().collect();
        announce(&[prefix(1)], &set)
    };
    world.update(2, offer(2, None));
    assert_eq!(told(&world, 5), [community(1.0)]);
    assert_eq!(told(&world, 6), []);
    let others = world.beliefs[&PeerId(7)].updates;
    // The best path stays, and so does what others are told.
    world.update(3, offer(3, Some(10.0)));
    assert_eq!(told(&world, 5), [community(2.0)]);
    assert_eq!(told(&world, 6), [community(10.0)]);
    world.update(4, offer(4, Some(5.0)));
    assert_eq!(told(&world, 5), [community(3.0)]);
    assert_eq!(told(&world, 6), [community(15.0)]);
    world.update(4, offer(4, Some(7.0)));
    assert_eq!(told(&world, 6), [community(17.0)]);
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(told(&world, 5), [community(2.0)]);
    assert_eq!(told(&world, 6), [community(7.0)]);
    assert_eq!(world.beliefs[&PeerId(7)].updates, others);
    // Who comes later is told the same.
    world.up_with(8, asked(8, BandwidthAmount::Paths));
    assert_eq!(told(&world, 8), [community(2.0)]);
    // What is told is what is shown.
    for shown in world.rib.advertisements(&Nlri::V4(prefix(1))) {
        let peer = shown.peer.0;
        let Ok(shown) = shown.result else {
            continue;
        };
        let shown: Vec<_> = shown.extended_communities().collect();
        assert_eq!(shown, told(&world, peer), "{peer}");
    }
    world.update(2, withdraw(&[prefix(1)]));
    assert_eq!(told(&world, 5), [community(1.0)]);
}
