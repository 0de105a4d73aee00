//! Peers that are told several paths of a prefix (RFC 7911).

use std::num::NonZeroU8;

use super::*;
use crate::evpn_route::{EvpnKey, MacAddress, RouteDistinguisher};
use crate::policy::{Communities, Extent};

/// The one that is told several.
const TOLD: u16 = 9;

fn told_facts(count: PathsSent) -> PeerFacts {
    let mut facts = facts(TOLD);
    if let Some(family) = &mut facts.families.ipv4_unicast {
        family.add_path_send = Some(count);
    }
    facts
}

fn world(senders: &[u16], count: PathsSent) -> World {
    let mut world = World::with_peers(senders);
    world.several.push(PeerId(TOLD));
    world.up_with(TOLD, told_facts(count));
    world
}

fn best(count: u8) -> PathsSent {
    PathsSent::Best(NonZeroU8::new(count).unwrap())
}

/// Paths of a prefix under identifiers, of this length each.
fn under(sender: u16, ids: &[PathId], number: u8, length: u8) -> Update {
    let list = ids.iter().map(|id| (*id, prefix(number))).collect();
    let set = of(sender, length).freeze_with(SEED);
    Update {
        announced: smallvec![(NlriList::V4(list), set)],
        ..Update::default()
    }
}

fn forget(ids: &[PathId], number: u8) -> Update {
    let list = ids.iter().map(|id| (*id, prefix(number))).collect();
    Update {
        withdrawn: vec![NlriList::V4(list)],
        ..Update::default()
    }
}

/// A path of a sender; the longer, the worse.
fn of(sender: u16, length: u8) -> AttributeSet {
    let asns = vec![65000 + u32::from(sender); usize::from(length)];
    let host = u8::try_from(sender).unwrap();
    path(&asns, [10, 10, 0, host])
}

impl World {
    /// Identifier and AS path of what is held of a prefix.
    fn holds(&self, prefix: Prefix4) -> Vec<(PathId, Vec<u32>)> {
        let held = &self.beliefs[&PeerId(TOLD)].several;
        let held = held.iter().filter(|((one, _), _)| *one == prefix);
        held.map(|((_, id), set)| (*id, asns(set))).collect()
    }

    fn refreshed(&mut self) {
        self.input(Input::Refresh {
            peer: PeerId(TOLD),
            family: Family::Ipv4Unicast,
            enhanced: true,
        });
    }

    fn counted(&mut self, count: PathsSent) {
        let families = told_facts(count).families;
        self.input(Input::Configure(PeerId(TOLD), families));
    }
}

#[test]
fn the_best_path_of_each_as_is_told_and_another_takes_its_place() {
    let mut world = world(&[2, 3], PathsSent::BestPerAs);
    let mut same_as = facts(4);
    same_as.remote_as = Asn(65002);
    world.up_with(4, same_as);
    let through = |asn: u32, length: usize, host| path(&vec![asn; length], [10, 10, 0, host]);
    for (sender, set) in [
        (2, through(65002, 3, 2)),
        (3, through(65003, 2, 3)),
        // Of the same AS as the first.
        (4, through(65002, 1, 4)),
    ] {
        world.update(sender, announce(&[prefix(1)], &set));
    }
    let told = |world: &World| {
        let held = world.holds(prefix(1)).into_iter();
        let mut told: Vec<_> = held.map(|(_, path)| (path[1], path.len() - 1)).collect();
        told.sort_unstable();
        told
    };
    assert_eq!(told(&world), [(65002, 1), (65003, 2)]);
    world.update(4, withdraw(&[prefix(1)]));
    assert_eq!(told(&world), [(65002, 3), (65003, 2)]);
    world.update(4, announce(&[prefix(1)], &through(65002, 1, 4)));
    world.counted(PathsSent::All);
    assert_eq!(told(&world), [(65002, 1), (65002, 3), (65003, 2)]);
    world.counted(PathsSent::BestPerAs);
    assert_eq!(told(&world), [(65002, 1), (65003, 2)]);
}

#[test]
fn each_path_has_an_identifier_of_its_own_for_as_long_as_it_is_told() {
    let mut world = world(&[2, 3, 4], PathsSent::All);
    for (sender, length) in [(2, 1), (3, 2), (4, 3)] {
        world.update(sender, announce(&[prefix(1)], &of(sender, length)));
    }
    let all = world.holds(prefix(1));
    let paths: Vec<_> = all.iter().map(|(_, path)| path.len()).collect();
    assert_eq!(paths, [2, 3, 4]);
    // The one in the middle goes; the others keep their identifiers.
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(world.holds(prefix(1)), [all[0].clone(), all[2].clone()]);
    // A change of one is news of that one alone.
    let before = world.beliefs[&PeerId(TOLD)].updates;
    world.update(4, announce(&[prefix(1)], &of(4, 5)));
    assert_eq!(world.beliefs[&PeerId(TOLD)].updates, before + 1);
    assert_eq!(world.holds(prefix(1))[1].0, all[2].0);
    assert_eq!(world.holds(prefix(1))[1].1.len(), 6);
    // What it says itself it is not told, and does not displace anything.
    world.update(TOLD, announce(&[prefix(1)], &of(TOLD, 1)));
    assert_eq!(world.holds(prefix(1)).len(), 2);
    world.down(2);
    world.down(4);
    assert_eq!(world.holds(prefix(1)), []);
    world.update(TOLD, withdraw(&[prefix(1)]));
    assert_eq!(world.rib.prefixes(Family::Ipv4Unicast), 0);
}

#[test]
fn the_best_so_many_are_told_and_a_change_of_their_number_tells_the_difference() {
    let mut world = world(&[2, 3, 4], best(2));
    for (sender, length) in [(4, 1), (3, 2), (2, 3)] {
        world.update(sender, announce(&[prefix(1)], &of(sender, length)));
    }
    let lengths = |world: &World| {
        let held = world.holds(prefix(1)).into_iter();
        let mut lengths: Vec<usize> = held.map(|(_, path)| path.len() - 1).collect();
        lengths.sort_unstable();
        lengths
    };
    assert_eq!(lengths(&world), [1, 2]);
    world.update(4, withdraw(&[prefix(1)]));
    assert_eq!(lengths(&world), [2, 3]);
    world.update(4, announce(&[prefix(1)], &of(4, 1)));
    let before = world.beliefs[&PeerId(TOLD)].updates;
    world.counted(PathsSent::All);
    assert_eq!(lengths(&world), [1, 2, 3]);
    assert_eq!(world.beliefs[&PeerId(TOLD)].updates, before + 1);
    world.counted(best(1));
    assert_eq!(lengths(&world), [1]);
}

#[test]
fn an_edited_policy_is_told_of_the_paths_it_is_about_whether_they_are_best_or_not() {
    let mut world = world(&[2, 3], PathsSent::All);
    for number in 0..50 {
        for sender in [2, 3] {
            world.update(sender, announce(&[prefix(number)], &of(sender, 2)));
        }
    }
    let mut marked = of(3, 4);
    marked.communities = vec!["65003:7".parse().unwrap()];
    world.update(3, announce(&[prefix(9)], &marked));
    let told = |world: &mut World, metric| {
        let condition = Match::Community {
            communities: Communities::Literal(vec!["65003:7".parse().unwrap()]),
            extent: Extent::All,
        };
        let first = Entry::new(10, Action::Permit).when(condition);
        let first = first.set(Set::Metric(Number::Replace(metric)));
        let mut families = told_facts(PathsSent::All).families;
        families.ipv4_unicast.as_mut().unwrap().export =
            map(vec![first, Entry::new(20, Action::Permit)]);
        let before = world.beliefs[&PeerId(TOLD)].updates;
        world.input(Input::Configure(PeerId(TOLD), families));
        world.beliefs[&PeerId(TOLD)].updates - before
    };
    assert_eq!(told(&mut world, 1), 1);
    assert_eq!(told(&mut world, 2), 1);
    assert_eq!(told(&mut world, 2), 0);
    let held = &world.beliefs[&PeerId(TOLD)].several;
    let meds = held.iter().filter(|((one, _), _)| *one == prefix(9));
    let meds: Vec<_> = meds.map(|(_, set)| set.med).collect();
    assert_eq!(meds, [None, Some(2)]);
    assert_eq!(held.values().filter(|set| set.med.is_some()).count(), 1);
}

#[test]
fn the_first_dump_ends_with_its_mark_and_a_refresh_stands_between_two() {
    let mut world = World::with_peers(&[2]);
    world.update(2, announce(&[prefix(1)], &of(2, 1)));
    world.several.push(PeerId(TOLD));
    world.up_with(TOLD, told_facts(PathsSent::All));
    assert_eq!(world.beliefs[&PeerId(TOLD)].marks, [("EoR", 1)]);
    world.refreshed();
    let marks = &world.beliefs[&PeerId(TOLD)].marks;
    assert_eq!(marks[1..], [("BoRR", 2), ("EoRR", 3)]);
    assert_eq!(world.holds(prefix(1)).len(), 1);
}

#[test]
fn a_path_that_came_with_an_identifier_is_one_of_several_of_its_sender() {
    let mut world = world(&[2], PathsSent::All);
    world.update(2, under(2, &[1], 1, 1));
    world.update(2, under(2, &[7], 1, 7));
    assert_eq!(world.holds(prefix(1)).len(), 2);
    let page = world.rib.page(
        Family::Ipv4Unicast,
        Select::Advertised(PeerId(TOLD)),
        None,
        10,
    );
    let shown: Vec<_> = page.routes[0]
        .paths
        .iter()
        .map(|path| path.path_id)
        .collect();
    let held: Vec<_> = world.holds(prefix(1)).iter().map(|(id, _)| *id).collect();
    assert_eq!(shown, held);
}

#[test]
fn any_identifier_is_taken_and_one_that_comes_twice_counts_once() {
    let mut world = world(&[2], PathsSent::All);
    world.update(2, under(2, &[0, u32::MAX, 5, u32::MAX, 5], 1, 1));
    assert_eq!(world.rib.counts(PeerId(2)).ipv4_unicast.received, 3);
    let told: Vec<PathId> = world.holds(prefix(1)).iter().map(|it| it.0).collect();
    assert_eq!(told, [1, 2, 3]);
    // RFC 7911 §5: only what has this identifier is replaced or goes.
    let before = world.holds(prefix(1));
    world.update(2, forget(&[6, u32::MAX - 1], 1));
    world.update(2, forget(&[5], 2));
    assert_eq!(world.holds(prefix(1)), before);
    world.update(2, forget(&[u32::MAX, u32::MAX, 0, 5], 1));
    assert_eq!(world.holds(prefix(1)), []);
    assert_eq!(world.rib.prefixes(Family::Ipv4Unicast), 0);
}

#[test]
fn a_restarted_neighbour_loses_the_paths_it_does_not_send_again() {
    let mut world = world(&[2, 3], PathsSent::All);
    world.update(2, under(2, &[1, 2, 3], 1, 1));
    world.update(3, announce(&[prefix(1)], &of(3, 4)));
    let before = world.holds(prefix(1));
    world.retained(2);
    assert_eq!(world.holds(prefix(1)), before);
    assert_eq!(world.rib.stale(PeerId(2), Family::Ipv4Unicast), 3);
    world.up(2);
    world.update(2, under(2, &[2], 1, 2));
    world.update(2, end_of_rib());
    let mut lengths: Vec<usize> = world.holds(prefix(1)).iter().map(|it| it.1.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [3, 5]);
    assert_eq!(world.rib.stale(PeerId(2), Family::Ipv4Unicast), 0);
    // What stayed kept the identifier it was told under.
    assert!(
        world
            .holds(prefix(1))
            .iter()
            .all(|it| before.iter().any(|old| old.0 == it.0))
    );
}

#[test]
fn a_drain_changes_every_path_and_takes_it_back_under_the_same_identifiers() {
    let mut world = world(&[2, 3], PathsSent::All);
    world.update(2, under(2, &[1, u32::MAX], 1, 1));
    world.update(3, announce(&[prefix(1)], &of(3, 2)));
    let before = world.holds(prefix(1));
    let configured = |world: &mut World, drain: Option<Drain>| {
        let mut families = told_facts(PathsSent::All).families;
        families.ipv4_unicast.as_mut().unwrap().drain = drain;
        world.hand_in(Input::Configure(PeerId(TOLD), families));
        assert!(!world.rib.is_settled(PeerId(TOLD)));
        world.settle();
        assert!(world.rib.is_settled(PeerId(TOLD)));
    };
    configured(&mut world, Some(Drain::default()));
    let drained = world.holds(prefix(1));
    assert_eq!(drained.len(), before.len());
    for ((id, path), (id_before, path_before)) in drained.iter().zip(&before) {
        assert_eq!(id, id_before);
        assert_eq!(path.len(), path_before.len() + Drain::default().prepend);
    }
    configured(&mut world, None);
    assert_eq!(world.holds(prefix(1)), before);
}

#[test]
fn an_evpn_route_under_two_identifiers_has_the_better_path_until_that_goes() {
    let mut world = World::new();
    let mut evpn = facts(2);
    evpn.families.ipv4_unicast = None;
    evpn.families.evpn = Some(PeerFamily {
        add_path_receive: true,
        ..settings()
    });
    world.up_with(2, evpn);
    let key = EvpnKey::MacIp {
        rd: RouteDistinguisher::of_address(Ipv4Addr::new(10, 10, 0, 2), 100),
        tag: 0,
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        ip: None,
    };
    let nlri = Nlri::Evpn(key.clone());
    let list = |id| NlriList::Evpn(vec![(id, key.clone())]);
    for (id, length) in [(9, 2), (u32::MAX, 1)] {
        let set = of(2, length).freeze_with(SEED);
        let announced = smallvec![(list(id), set)];
        world.update(
            2,
            Update {
                announced,
                ..Update::default()
            },
        );
    }
    let best = |world: &World| {
        let route = world.rib.route(&nlri).unwrap();
        let best = route.paths.iter().find(|path| path.best).unwrap();
        (route.paths.len(), best.path_id)
    };
    assert_eq!(best(&world), (2, u32::MAX));
    let withdrawn = |id| Update {
        withdrawn: vec![list(id)],
        ..Update::default()
    };
    world.update(2, withdrawn(u32::MAX));
    assert_eq!(best(&world), (1, 9));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
    world.update(2, withdrawn(u32::MAX));
    world.update(2, withdrawn(9));
    assert_eq!(world.best.get(&nlri), None);
    assert_eq!(world.rib.prefixes(Family::Evpn), 0);
}

#[test]
fn when_a_neighbour_is_lost_none_of_its_paths_takes_over() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, under(2, &[1, 2], 1, 1));
    assert_eq!(world.next_best.get(&Nlri::V4(prefix(1))), None);
    world.update(3, announce(&[prefix(1)], &of(3, 4)));
    // The second path of the first one is better, and goes with it.
    assert_eq!(world.next_best[&Nlri::V4(prefix(1))], PeerId(3));
    world.update(2, under(2, &[9], 1, 2));
    assert_eq!(world.next_best[&Nlri::V4(prefix(1))], PeerId(3));
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(world.next_best.get(&Nlri::V4(prefix(1))), None);
}

#[test]
fn thousands_of_paths_of_one_prefix_are_told_each_under_its_own_identifier() {
    const PATHS: u32 = 5000;
    let mut world = world(&[2], PathsSent::All);
    let ids: Vec<PathId> = (0..PATHS).map(|number| u32::MAX - number).collect();
    for ids in ids.chunks(500) {
        world.update(2, under(2, ids, 1, 1));
    }
    let told: Vec<PathId> = world.holds(prefix(1)).iter().map(|it| it.0).collect();
    assert!(told.into_iter().eq(1..=PATHS));
    // Those that are free again are given anew, after the withdrawal was said.
    world.update(2, forget(&[u32::MAX - 3, u32::MAX - 7], 1));
    world.update(2, under(2, &[1, 2, 3], 1, 1));
    let told: Vec<PathId> = world.holds(prefix(1)).iter().map(|it| it.0).collect();
    assert!(told.into_iter().eq(1..=PATHS + 1));
}

#[derive(Debug, Clone)]
enum Act {
    Say(u16, PathId, u8, u8),
    Forget(u16, PathId, u8),
    Flap(u16),
    Stick,
    Unstick,
    Refresh,
    Count(Option<u8>),
}

fn act() -> impl Strategy<Value = Act> {
    let sender = prop::sample::select(vec![2_u16, 3, 4, TOLD]);
    let prefix = 0_u8..4;
    let id = prop::sample::select(vec![0, 1, u32::MAX]);
    prop_oneof![
        8 => (sender.clone(), id.clone(), prefix.clone(), 1_u8..5)
            .prop_map(|(s, i, p, l)| Act::Say(s, i, p, l)),
        4 => (sender, id, prefix).prop_map(|(s, i, p)| Act::Forget(s, i, p)),
        1 => (2_u16..5).prop_map(Act::Flap),
        1 => Just(Act::Stick),
        1 => Just(Act::Unstick),
        1 => Just(Act::Refresh),
        1 => prop::option::of(1_u8..4).prop_map(Act::Count),
    ]
}

proptest! {
    /// Whatever happened in whatever order: held are the paths of all others, or the shortest ones
    /// of them, each once.
    #[test]
    fn what_is_held_is_what_the_table_says(acts in prop::collection::vec(act(), 0..60)) {
        let mut world = world(&[2, 3, 4], PathsSent::All);
        let mut model: BTreeMap<(u8, u16, PathId), u8> = BTreeMap::new();
        let mut count = None;
        for act in acts {
            match act {
                Act::Say(sender, id, number, length) => {
                    world.update(sender, under(sender, &[id], number, length));
                    model.insert((number, sender, id), length);
                }
                Act::Forget(sender, id, number) => {
                    world.update(sender, forget(&[id], number));
                    model.remove(&(number, sender, id));
                }
                Act::Flap(sender) => {
                    world.down(sender);
                    world.up(sender);
                    model.retain(|(_, one, _), _| *one != sender);
                }
                Act::Stick => world.stuck.push(PeerId(TOLD)),
                Act::Unstick => world.unstick(),
                Act::Refresh => world.refreshed(),
                Act::Count(wanted) => {
                    count = wanted;
                    world.counted(wanted.map_or(PathsSent::All, best));
                }
            }
        }
        world.unstick();
        let mut held_in_all = 0;
        for number in 0..4 {
            let others = model.iter().filter(|((one, who, _), _)| *one == number && *who != TOLD);
            let mut expected: Vec<u8> = others.map(|(_, length)| *length).collect();
            expected.sort_unstable();
            expected.truncate(count.map_or(usize::MAX, usize::from));
            let held = world.holds(prefix(number)).into_iter();
            // Ours stands before each of them.
            let mut held: Vec<u8> = held.map(|(_, path)| u8::try_from(path.len() - 1).unwrap()).collect();
            held.sort_unstable();
            held_in_all += held.len();
            prop_assert_eq!(held, expected);
        }
        let counts = world.rib.counts(PeerId(TOLD));
        prop_assert_eq!(counts.ipv4_unicast.advertised, held_in_all);
        prop_assert!(world.rib.is_settled(PeerId(TOLD)));
    }
}
