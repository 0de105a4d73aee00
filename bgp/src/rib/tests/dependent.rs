//! Aggregates, conditions, default routes and limits, as peers see them.

use std::num::NonZeroU32;

use super::*;
use crate::prefix::Prefix;

const FAMILY: Family = Family::Ipv4Unicast;

pub(super) fn list(name: &str, rule: &str) -> Match {
    let rules = vec![rule.parse().unwrap()];
    Match::PrefixList(Arc::new(PrefixList::new(name, rules).unwrap()))
}

/// A map that permits prefixes of one rule, and sets this MED.
pub(super) fn permits(rule: &str, med: Option<u32>) -> Arc<RouteMap> {
    let mut entry = Entry::new(10, Action::Permit).when(list("L", rule));
    if let Some(med) = med {
        entry = entry.set(Set::Metric(Number::Replace(med)));
    }
    Arc::new(RouteMap::new(format!("MAP-{rule}"), vec![entry]).unwrap())
}

fn aggregate(prefix: &str) -> Aggregate {
    Aggregate::new(prefix.parse().unwrap(), Asn(65001))
}

fn summary(prefix: &str) -> Aggregate {
    Aggregate {
        suppress: Suppress::All,
        ..aggregate(prefix)
    }
}

fn v4(text: &str) -> Prefix4 {
    match text.parse().unwrap() {
        Prefix::V4(prefix) => prefix,
        Prefix::V6(prefix) => panic!("{prefix}"),
    }
}

impl World {
    fn aggregates(&mut self, aggregates: &[Aggregate]) {
        self.input(Input::SetAggregates(aggregates.to_vec()));
    }

    fn told(&self, peer: u16) -> Vec<String> {
        self.belief(peer).keys().map(ToString::to_string).collect()
    }

    pub(super) fn why(&self, peer: u16, prefix: &str) -> Result<Attributes, Withheld> {
        let all = self.rib.advertisements(&Nlri::V4(v4(prefix)));
        all.into_iter()
            .find(|it| it.peer == PeerId(peer))
            .unwrap()
            .result
    }

    fn with_settings(&mut self, peer: u16, settings: PeerFamily) {
        let families = ipv4(settings);
        self.up_with(
            peer,
            PeerFacts {
                families,
                ..facts(peer)
            },
        );
    }

    fn reconfigure(&mut self, peer: u16, settings: PeerFamily) {
        self.input(Input::Configure(PeerId(peer), ipv4(settings)));
    }

    pub(super) fn announce(&mut self, peer: u16, numbers: &[u8]) {
        let prefixes: Vec<Prefix4> = numbers.iter().map(|it| prefix(*it)).collect();
        let host = u8::try_from(peer).unwrap();
        let set = path(&[65000 + u32::from(peer)], [10, 10, 0, host]);
        self.update(peer, announce(&prefixes, &set));
    }

    pub(super) fn withdraw(&mut self, peer: u16, numbers: &[u8]) {
        let prefixes: Vec<Prefix4> = numbers.iter().map(|it| prefix(*it)).collect();
        self.update(peer, withdraw(&prefixes));
    }
}

#[test]
fn an_aggregate_is_there_while_a_more_specific_route_is() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[aggregate("10.0.0.0/8")]);
    assert!(world.told(3).is_empty());
    world.announce(2, &[1, 2]);
    assert_eq!(world.told(3), ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"]);
    // The one who sent what it is made of is told as well.
    assert_eq!(world.told(2), ["10.0.0.0/8"]);
    let told = &world.belief(3)[&v4("10.0.0.0/8")];
    assert_eq!(asns(told), [65001]);
    assert!(told.atomic_aggregate);
    assert_eq!(told.aggregator.unwrap().asn, Asn(65001));
    world.withdraw(2, &[1]);
    assert!(world.told(3).contains(&"10.0.0.0/8".to_owned()));
    world.withdraw(2, &[2]);
    assert!(world.told(3).is_empty() && world.told(2).is_empty());
    assert!(
        world.best.is_empty(),
        "it is gone for those who forward too"
    );
    assert_eq!(world.rib.prefixes(FAMILY), 0);
}

#[test]
fn with_summary_only_the_more_specific_routes_are_told_to_nobody() {
    let mut world = World::with_peers(&[2, 3]);
    world.announce(2, &[1, 2]);
    assert_eq!(world.told(3), ["10.1.0.0/16", "10.2.0.0/16"]);
    // On reload, with everything there already.
    world.aggregates(&[summary("10.0.0.0/8")]);
    assert_eq!(world.told(3), ["10.0.0.0/8"]);
    let by = Withheld::Aggregated("10.0.0.0/8".parse().unwrap());
    assert_eq!(world.why(3, "10.1.0.0/16").unwrap_err(), by);
    world.announce(2, &[3]);
    assert_eq!(world.told(3), ["10.0.0.0/8"]);
    world.up(4);
    assert_eq!(world.told(4), ["10.0.0.0/8"], "whoever comes later too");
    world.aggregates(&[aggregate("10.0.0.0/8")]);
    assert_eq!(world.told(3).len(), 4);
    world.aggregates(&[summary("10.0.0.0/8")]);
    assert_eq!(world.told(3), ["10.0.0.0/8"]);
    world.aggregates(&[]);
    assert_eq!(world.told(4), ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]);
    assert!(world.rib.v4.dependent.is_empty());
}

#[test]
fn an_aggregate_that_is_not_made_suppresses_nothing() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[summary("10.0.0.0/8")]);
    world.announce(2, &[1]);
    let mut other = path(&[65002], [10, 10, 0, 2]);
    other.med = Some(7);
    world.update(2, announce(&[prefix(2)], &other));
    assert_eq!(world.told(3), ["10.1.0.0/16", "10.2.0.0/16"]);
    let shown: Vec<_> = world.rib.aggregates().collect();
    assert_eq!(
        (shown[0].routes, shown[0].idle),
        (2, Some(Idle::DifferentMeds))
    );
    world.withdraw(2, &[1]);
    assert_eq!(world.told(3), ["10.0.0.0/8"]);
    let refused = Arc::new(RouteMap::new("NO", Vec::new()).unwrap());
    world.aggregates(&[Aggregate {
        route_map: Some(refused),
        ..summary("10.0.0.0/8")
    }]);
    assert_eq!(world.told(3), ["10.2.0.0/16"]);
    let shown: Vec<_> = world.rib.aggregates().collect();
    assert_eq!(shown[0].idle, Some(Idle::Policy));
}

#[test]
fn a_route_map_sets_what_the_aggregate_says() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[Aggregate {
        route_map: Some(permits("permit 10.0.0.0/8", Some(42))),
        ..aggregate("10.0.0.0/8")
    }]);
    world.announce(2, &[1]);
    assert_eq!(world.belief(3)[&v4("10.0.0.0/8")].med, Some(42));
}

#[test]
fn a_map_says_which_routes_the_aggregate_stands_for_and_another_who_hears_of_them() {
    let mut world = World::with_peers(&[2, 3]);
    world.with_settings(
        4,
        PeerFamily {
            unsuppress: Some(permits("permit 10.1.0.0/16", None)),
            ..settings()
        },
    );
    world.aggregates(&[Aggregate {
        suppress: Suppress::Matching(permits("permit 10.0.0.0/14 le 16", None)),
        ..aggregate("10.0.0.0/8")
    }]);
    world.announce(2, &[1, 2, 4]);
    assert_eq!(world.told(3), ["10.0.0.0/8", "10.4.0.0/16"]);
    assert_eq!(world.told(4), ["10.0.0.0/8", "10.1.0.0/16", "10.4.0.0/16"]);
    world.reconfigure(4, settings());
    assert_eq!(world.told(4), world.told(3));
    world.reconfigure(
        4,
        PeerFamily {
            unsuppress: Some(permits("permit 10.2.0.0/16", None)),
            ..settings()
        },
    );
    assert_eq!(world.told(4), ["10.0.0.0/8", "10.2.0.0/16", "10.4.0.0/16"]);
}

#[test]
fn an_aggregate_is_made_of_no_other_and_stands_for_none() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[summary("10.0.0.0/8"), summary("10.0.0.0/14")]);
    world.announce(2, &[1, 9]);
    assert_eq!(world.told(3), ["10.0.0.0/8", "10.0.0.0/14"]);
    let routes: Vec<usize> = world.rib.aggregates().map(|it| it.routes).collect();
    assert_eq!(routes, [2, 1]);
    world.aggregates(&[summary("10.0.0.0/14")]);
    assert_eq!(world.told(3), ["10.0.0.0/14", "10.9.0.0/16"]);
}

#[test]
fn a_learned_route_of_the_same_prefix_is_no_part_of_it_and_gives_way() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[aggregate("10.0.0.0/8")]);
    let far = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&[v4("10.0.0.0/8")], &far));
    assert_eq!(asns(&world.belief(3)[&v4("10.0.0.0/8")]), [65001, 65002]);
    world.announce(2, &[1]);
    assert_eq!(asns(&world.belief(3)[&v4("10.0.0.0/8")]), [65001]);
    // A network of ours goes before it.
    let mut own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    own.med = Some(5);
    world.input(Input::Originate(Nlri::V4(v4("10.0.0.0/8")), own));
    assert_eq!(world.belief(3)[&v4("10.0.0.0/8")].med, Some(5));
    world.input(Input::Retract(Nlri::V4(v4("10.0.0.0/8"))));
    assert!(world.belief(3)[&v4("10.0.0.0/8")].aggregator.is_some());
}

#[test]
fn a_change_of_one_route_costs_no_walk_over_the_others() {
    let mut world = World::with_peers(&[2, 3]);
    world.aggregates(&[summary("10.0.0.0/8")]);
    let many: Vec<Prefix4> = (0u32..5000)
        .map(|it| Prefix4::from_bits(0x0a00_0000 | it << 8, 24).unwrap())
        .collect();
    let set = path(&[65002], [10, 10, 0, 2]);
    for some in many.chunks(500) {
        world.update(2, announce(some, &set));
    }
    assert_eq!(world.told(3), ["10.0.0.0/8"]);
    let updates = world.beliefs[&PeerId(3)].updates;
    // Nothing is said, and the aggregate stays what it is.
    for prefix in &many[..4999] {
        world.update(2, withdraw(&[*prefix]));
    }
    assert_eq!(world.beliefs[&PeerId(3)].updates, updates);
    world.update(2, withdraw(&many[4999..]));
    assert!(world.told(3).is_empty());
}

fn originates(map: Arc<RouteMap>) -> PeerFamily {
    PeerFamily {
        default_originate: Some(DefaultOriginate::While(map)),
        ..settings()
    }
}

#[test]
fn a_default_route_is_told_while_a_route_passes_the_map() {
    let mut world = World::with_peers(&[2, 4]);
    world.with_settings(3, originates(permits("permit 10.0.0.0/14 le 16", Some(9))));
    assert!(world.told(3).is_empty());
    world.announce(2, &[7]);
    assert_eq!(world.told(3), ["10.7.0.0/16"]);
    world.announce(2, &[1]);
    assert_eq!(world.told(3), ["0.0.0.0/0", "10.1.0.0/16", "10.7.0.0/16"]);
    assert_eq!(world.belief(3)[&v4("0.0.0.0/0")].med, Some(9));
    assert_eq!(world.told(4), ["10.1.0.0/16", "10.7.0.0/16"]);
    let told = world.rib.counts(PeerId(3)).ipv4_unicast.advertised;
    assert_eq!(told, 3);
    world.withdraw(2, &[1]);
    assert_eq!(world.told(3), ["10.7.0.0/16"]);
    // The table's own one is told while there is none of ours.
    let far = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&[v4("0.0.0.0/0")], &far));
    assert_eq!(asns(&world.belief(3)[&v4("0.0.0.0/0")]), [65001, 65002]);
    world.announce(2, &[2]);
    assert_eq!(asns(&world.belief(3)[&v4("0.0.0.0/0")]), [65001]);
    world.reconfigure(3, settings());
    assert_eq!(asns(&world.belief(3)[&v4("0.0.0.0/0")]), [65001, 65002]);
    assert!(world.rib.v4.dependent.is_empty());
}

#[test]
fn a_default_route_of_ours_is_taken_back_from_a_neighbor_that_sends_one_too() {
    let default = v4("0.0.0.0/0");
    let far = path(&[65003], [10, 10, 0, 3]);
    let mut world = World::with_peers(&[2]);
    let map = permits("permit 10.0.0.0/14 le 16", None);
    for peer in [3, 5] {
        world.with_settings(peer, originates(Arc::clone(&map)));
    }
    world.announce(2, &[1]);
    world.update(3, announce(&[default], &far));
    for peer in [3, 5] {
        assert_eq!(asns(&world.belief(peer)[&default]), [65001]);
    }
    world.withdraw(2, &[1]);
    assert!(!world.belief(3).contains_key(&default));
    assert_eq!(asns(&world.belief(5)[&default]), [65001, 65003]);
    // Its own is what the map asks for, and goes.
    for peer in [3, 5] {
        world.reconfigure(peer, originates(permits("permit 0.0.0.0/0", None)));
        assert_eq!(asns(&world.belief(peer)[&default]), [65001]);
    }
    world.update(3, withdraw(&[default]));
    for peer in [3, 5] {
        assert!(!world.belief(peer).contains_key(&default), "{peer}");
    }
}

#[test]
fn a_default_route_of_ours_is_taken_back_from_a_neighbor_that_leaves_its_group() {
    let default = v4("0.0.0.0/0");
    let far = path(&[65003], [10, 10, 0, 3]);
    for ours in [
        DefaultOriginate::Always,
        DefaultOriginate::While(permits("permit 10.0.0.0/14 le 16", None)),
    ] {
        let mut world = World::with_peers(&[2]);
        for peer in [3, 5] {
            let settings = PeerFamily {
                default_originate: Some(ours.clone()),
                ..settings()
            };
            world.with_settings(peer, settings);
        }
        world.announce(2, &[1]);
        world.update(3, announce(&[default], &far));
        for peer in [3, 5] {
            assert_eq!(asns(&world.belief(peer)[&default]), [65001]);
            world.reconfigure(
                peer,
                PeerFamily {
                    maximum_prefixes_out: NonZeroU32::new(9),
                    ..settings()
                },
            );
        }
        // The table's own goes to everybody but to whom sent it.
        assert!(!world.belief(3).contains_key(&default), "{ours:?}");
        assert_eq!(asns(&world.belief(5)[&default]), [65001, 65003]);
        world.update(3, withdraw(&[default]));
        assert!(!world.belief(5).contains_key(&default), "{ours:?}");
        for peer in [3, 5] {
            assert_eq!(world.told(peer), ["10.1.0.0/16"]);
            let counts = world.rib.counts(PeerId(peer));
            assert_eq!(counts.ipv4_unicast.advertised, 1, "{peer}");
        }
    }
}

#[test]
fn the_first_route_in_order_says_what_the_default_route_carries() {
    let entry = |seq, rule: &str, med| {
        let permit = Entry::new(seq, Action::Permit).when(list("L", rule));
        permit.set(Set::Metric(Number::Replace(med)))
    };
    let entries = vec![
        entry(10, "permit 10.5.0.0/16", 50),
        entry(20, "permit 10.3.0.0/16", 30),
    ];
    let map = Arc::new(RouteMap::new("BOTH", entries).unwrap());
    for order in [[3, 5], [5, 3]] {
        let mut world = World::with_peers(&[2]);
        world.with_settings(3, originates(Arc::clone(&map)));
        for number in order {
            world.announce(2, &[number]);
        }
        assert_eq!(world.belief(3)[&v4("0.0.0.0/0")].med, Some(30));
        world.withdraw(2, &[3]);
        assert_eq!(world.belief(3)[&v4("0.0.0.0/0")].med, Some(50));
    }
}

fn condition(presence: Presence, rule: &str) -> PeerFamily {
    PeerFamily {
        advertise_if: Some(AdvertiseIf {
            routes: permits("permit 10.0.0.0/14 le 16", None),
            presence,
            condition: permits(rule, None),
        }),
        ..settings()
    }
}

#[test]
fn routes_are_told_only_while_others_exist() {
    let mut world = World::with_peers(&[2, 5]);
    world.with_settings(3, condition(Presence::Exist, "permit 10.9.0.0/16"));
    world.announce(2, &[1, 2, 7]);
    assert_eq!(world.told(3), ["10.7.0.0/16"]);
    assert_eq!(
        world.why(3, "10.1.0.0/16").unwrap_err(),
        Withheld::NothingExists
    );
    let before = world.beliefs[&PeerId(5)].updates;
    world.announce(2, &[9]);
    assert_eq!(world.told(3).len(), 4);
    assert_eq!(
        world.beliefs[&PeerId(5)].updates,
        before + 1,
        "others hear of it alone"
    );
    world.withdraw(2, &[9]);
    assert_eq!(world.told(3), ["10.7.0.0/16"]);
    // The same through reload, in both directions.
    world.reconfigure(3, condition(Presence::Absent, "permit 10.9.0.0/16"));
    assert_eq!(world.told(3), ["10.1.0.0/16", "10.2.0.0/16", "10.7.0.0/16"]);
    world.announce(2, &[9]);
    assert_eq!(world.told(3), ["10.7.0.0/16", "10.9.0.0/16"]);
    assert_eq!(
        world.why(3, "10.1.0.0/16").unwrap_err(),
        Withheld::NotAbsent
    );
    world.reconfigure(3, settings());
    assert_eq!(world.told(3).len(), 4);
    assert!(world.rib.v4.dependent.is_empty());
}

#[test]
fn an_aggregate_counts_where_a_condition_looks_for_it() {
    let mut world = World::with_peers(&[2]);
    world.with_settings(3, condition(Presence::Exist, "permit 10.0.0.0/8"));
    world.announce(2, &[1]);
    assert!(world.told(3).is_empty());
    world.aggregates(&[aggregate("10.0.0.0/8")]);
    assert_eq!(world.told(3), ["10.0.0.0/8", "10.1.0.0/16"]);
}

fn limited(most: u32) -> PeerFamily {
    PeerFamily {
        maximum_prefixes_out: NonZeroU32::new(most),
        ..settings()
    }
}

#[test]
fn of_more_than_allowed_our_own_and_the_lowest_are_told() {
    let mut world = World::with_peers(&[2]);
    world.with_settings(3, limited(2));
    world.announce(2, &[5, 6]);
    assert_eq!(world.told(3), ["10.5.0.0/16", "10.6.0.0/16"]);
    assert!(world.limits.is_empty());
    world.announce(2, &[4]);
    assert_eq!(world.told(3), ["10.4.0.0/16", "10.5.0.0/16"]);
    assert_eq!(world.limits, [true]);
    assert_eq!(world.why(3, "10.6.0.0/16").unwrap_err(), Withheld::Limit(2));
    world.announce(2, &[9]);
    assert_eq!(world.limits, [true], "it is said once");
    let most = NonZeroU32::new(2).unwrap();
    assert_eq!(world.rib.limit_out(PeerId(3), FAMILY), Some((most, 2)));
    let own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(8)), own));
    assert_eq!(world.told(3), ["10.4.0.0/16", "10.8.0.0/16"]);
    assert_eq!(world.rib.counts(PeerId(3)).ipv4_unicast.advertised, 2);
    world.withdraw(2, &[4, 5]);
    assert_eq!(world.told(3), ["10.6.0.0/16", "10.8.0.0/16"]);
    world.withdraw(2, &[9]);
    assert_eq!(world.limits, [true, false]);
    // Other limits, and none, and one again.
    world.announce(2, &[1, 2, 3]);
    world.reconfigure(3, limited(4));
    assert_eq!(
        world.told(3),
        ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.8.0.0/16"]
    );
    world.reconfigure(3, settings());
    assert_eq!(world.told(3).len(), 5);
    assert_eq!(world.rib.counts(PeerId(3)).ipv4_unicast.advertised, 5);
    let updates = world.beliefs[&PeerId(3)].updates;
    world.reconfigure(3, limited(1));
    assert_eq!(world.told(3), ["10.8.0.0/16"]);
    assert!(world.beliefs[&PeerId(3)].updates > updates);
}

#[test]
fn a_peer_never_holds_more_than_it_is_to_be_told() {
    let mut world = World::with_peers(&[2]);
    world.with_settings(3, limited(3));
    let mut most = 0;
    for number in (0..60).rev() {
        let update = announce(&[prefix(number)], &path(&[65002], [10, 10, 0, 2]));
        world.hand_in(Input::Updates(PeerId(2), vec![update]));
        while let Some(output) = world.rib.poll() {
            if let Output::Send(peer, batch) = output {
                // Message for message.
                let pieces: Vec<_> = batch.pieces(peer).collect();
                let mut buffer = BytesMut::from(&pieces.concat()[..]);
                let belief = world.beliefs.get_mut(&peer).unwrap();
                while let Some(frame) = crate::wire::frame(&mut buffer, 4096).unwrap() {
                    let decoded = crate::wire::decode(&frame, &Context::default()).unwrap();
                    let Message::Update(update) = decoded else {
                        continue;
                    };
                    for list in &update.withdrawn {
                        let NlriList::V4(list) = list else { continue };
                        list.iter()
                            .for_each(|(_, it)| drop(belief.routes.remove(it)));
                    }
                    for (list, set) in &update.announced {
                        let NlriList::V4(list) = list else { continue };
                        for (_, prefix) in list {
                            belief.routes.insert(*prefix, set.thaw());
                        }
                    }
                    most = most.max(belief.routes.len());
                }
                world
                    .rib
                    .handle(world.start, Input::Written(peer, batch.len()));
            }
        }
    }
    assert_eq!(most, 3);
    assert_eq!(world.told(3), ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]);
}

#[test]
fn a_limit_counts_prefixes_where_several_paths_are_told() {
    let mut world = World::with_peers(&[2, 4]);
    let mut both = limited(1);
    both.add_path_send = Some(PathsSent::All);
    world.several.push(PeerId(3));
    world.with_settings(3, both);
    world.announce(2, &[2, 3]);
    world.announce(4, &[2, 3]);
    let held = &world.beliefs[&PeerId(3)].several;
    let prefixes: BTreeSet<Prefix4> = held.keys().map(|(prefix, _)| *prefix).collect();
    assert_eq!((prefixes.len(), held.len()), (1, 2));
    assert!(prefixes.contains(&prefix(2)));
}

/// What the tables hold back or add for a peer, for tests that mix everything.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    default: Option<bool>,
    condition: Option<bool>,
    unsuppress: bool,
    limit: Option<u32>,
}

pub(super) fn terms() -> impl Strategy<Value = Terms> {
    let fields = (
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.5, any::<bool>()),
        prop::bool::weighted(0.3),
        prop::option::weighted(0.3, 1u32..6),
    );
    fields.prop_map(|(default, condition, unsuppress, limit)| Terms {
        default,
        condition,
        unsuppress,
        limit,
    })
}

impl Terms {
    pub(super) fn put(&self, settings: &mut PeerFamily) {
        settings.default_originate = self.default.map(|always| match always {
            true => DefaultOriginate::Always,
            false => DefaultOriginate::While(permits("permit 10.2.0.0/15 le 16", Some(4))),
        });
        settings.advertise_if = self.condition.map(|exist| AdvertiseIf {
            routes: permits("permit 10.0.0.0/13 le 16", None),
            presence: match exist {
                true => Presence::Exist,
                false => Presence::Absent,
            },
            condition: permits("permit 10.8.0.0/14 le 16", None),
        });
        let map = permits("permit 10.4.0.0/14 ge 16", None);
        settings.unsuppress = self.unsuppress.then_some(map);
        settings.maximum_prefixes_out = self.limit.and_then(NonZeroU32::new);
    }
}

pub(super) fn some_aggregates() -> impl Strategy<Value = Vec<Aggregate>> {
    let one = (any::<bool>(), any::<bool>(), 0u8..3).prop_map(|(as_set, match_med, how)| {
        let suppress = match how {
            0 => Suppress::None,
            1 => Suppress::All,
            _ => Suppress::Matching(permits("permit 10.2.0.0/15 le 16", None)),
        };
        (as_set, match_med, suppress)
    });
    prop::collection::vec(prop::option::weighted(0.6, one), 3).prop_map(|chosen| {
        let prefixes = ["10.0.0.0/8", "10.0.0.0/14", "10.8.0.0/14"];
        let chosen = prefixes.into_iter().zip(chosen);
        let chosen = chosen.filter_map(|(prefix, it)| {
            let (as_set, match_med, suppress) = it?;
            Some(Aggregate {
                as_set,
                match_med,
                suppress,
                ..aggregate(prefix)
            })
        });
        chosen.collect()
    })
}

/// Prefixes that these tests speak of beside the numbered ones.
pub(super) fn wide() -> Vec<Prefix4> {
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/14", "10.8.0.0/14"]
        .map(v4)
        .into()
}
