//! The tables seen from outside: what peers believe after any order of events.

mod dependent;
mod long_lived;
mod policies;
mod preference;
mod relation;
mod restart;
mod rpki;
mod several;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use bytes::BytesMut;
use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::asn::Asn;
use crate::attributes::{NextHop, Segment, SegmentKind};
use crate::community::Community;
use crate::message::{Message, RefreshKind};
use crate::policy::{
    Action, Entry, Match, NextHopChange, Number, Policy, PrefixList, RouteMap, Set,
};
use crate::redistribution::RouteSource;
use crate::wire::Context;

const SEED: u64 = 7;

/// Not the router's identifier, so that the two are not taken for each other.
const CLUSTER: Ipv4Addr = Ipv4Addr::new(10, 10, 9, 9);

fn config() -> Config {
    Config {
        router_id: Ipv4Addr::new(10, 10, 0, 1),
        cluster_id: CLUSTER,
        client_to_client: true,
        confederation: None,
        multipath: PerFamily::default(),
        rules: Rules::default(),
        seed: SEED,
        track: PerFamily {
            ipv4_unicast: true,
            ipv6_unicast: true,
            evpn: true,
        },
    }
}

fn settings() -> PeerFamily {
    PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll)
}

fn facts(peer: u16) -> PeerFacts {
    let id = Ipv4Addr::new(10, 10, 0, u8::try_from(peer).unwrap());
    let own = (Asn(65001), IpAddr::from([10, 10, 0, 1]));
    let remote = (Asn(65000 + u32::from(peer)), id.into());
    PeerFacts::new(own, remote, id).family(Family::Ipv4Unicast, settings())
}

/// Awaited in the one family these peers have.
fn awaited(peers: &[u16]) -> PerFamily<BTreeSet<PeerId>> {
    let ipv4_unicast = peers.iter().copied().map(PeerId).collect();
    PerFamily {
        ipv4_unicast,
        ..PerFamily::default()
    }
}

fn prefix(number: u8) -> Prefix4 {
    Prefix4::new(Ipv4Addr::new(10, number, 0, 0), 16).unwrap()
}

fn path(asns: &[u32], next_hop: [u8; 4]) -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4(next_hop.into()));
    let asns = asns.iter().copied().map(Asn).collect();
    set.as_path.push(Segment {
        kind: SegmentKind::Sequence,
        asns,
    });
    set
}

fn announce(prefixes: &[Prefix4], set: &AttributeSet) -> Update {
    let list = prefixes.iter().map(|prefix| (0, *prefix)).collect();
    Update {
        announced: smallvec![(NlriList::V4(list), Arc::new(set.freeze_with(SEED)))],
        ..Update::default()
    }
}

fn withdraw(prefixes: &[Prefix4]) -> Update {
    let list = prefixes.iter().map(|prefix| (0, *prefix)).collect();
    Update {
        withdrawn: vec![NlriList::V4(list)],
        ..Update::default()
    }
}

fn end_of_rib() -> Update {
    Update {
        end_of_rib: Some(Family::Ipv4Unicast),
        ..Update::default()
    }
}

/// What a peer believes: the routes it was told, decoded from the octets it was sent.
#[derive(Default, Clone, PartialEq, Debug)]
struct Belief {
    routes: BTreeMap<Prefix4, AttributeSet>,
    /// In place of these, of peers that are told several paths.
    several: BTreeMap<(Prefix4, PathId), AttributeSet>,
    end_of_ribs: usize,
    updates: usize,
    /// Marks in the order they came, with the number of updates before each.
    marks: Vec<(&'static str, usize)>,
    unwritten: Vec<usize>,
}

/// A table with peers that decode what they are sent.
struct World {
    rib: Rib,
    beliefs: HashMap<PeerId, Belief>,
    best: BTreeMap<Nlri, Vec<PeerId>>,
    /// Who follows the best one.
    next_best: BTreeMap<Nlri, PeerId>,
    converged: Vec<Family>,
    /// Whether a limit of what is told was reached, each time that was news.
    limits: Vec<bool>,
    start: Instant,
    /// Peers that do not read.
    stuck: Vec<PeerId>,
    /// Peers that are told several paths of a prefix.
    several: Vec<PeerId>,
}

impl World {
    fn new() -> Self {
        Self {
            rib: Rib::new(config()),
            beliefs: HashMap::new(),
            best: BTreeMap::new(),
            next_best: BTreeMap::new(),
            converged: Vec::new(),
            limits: Vec::new(),
            start: Instant::now(),
            stuck: Vec::new(),
            several: Vec::new(),
        }
    }

    fn with_peers(peers: &[u16]) -> Self {
        let mut world = Self::new();
        peers.iter().for_each(|peer| world.up(*peer));
        world
    }

    /// Selection waits for the End-of-RIB of these peers, half a minute long.
    fn expect(&mut self, peers: &[u16]) {
        self.input(Input::Expect {
            peers: awaited(peers),
            time: Duration::from_secs(30),
            hold: true,
        });
    }

    fn up(&mut self, peer: u16) {
        self.up_with(peer, facts(peer));
    }

    fn up_with(&mut self, peer: u16, facts: PeerFacts) {
        self.beliefs.insert(PeerId(peer), Belief::default());
        self.input(Input::PeerUp {
            peer: PeerId(peer),
            facts,
            restarting: false,
        });
    }

    fn down(&mut self, peer: u16) {
        self.input(Input::PeerDown {
            peer: PeerId(peer),
            retain: PerFamily::default(),
        });
        self.beliefs.remove(&PeerId(peer));
    }

    fn retained(&mut self, peer: u16) {
        let retain = PerFamily {
            ipv4_unicast: true,
            ..PerFamily::default()
        };
        self.input(Input::PeerDown {
            peer: PeerId(peer),
            retain,
        });
        self.beliefs.remove(&PeerId(peer));
    }

    fn update(&mut self, peer: u16, update: Update) {
        self.input(Input::Updates(PeerId(peer), vec![update]));
    }

    fn input(&mut self, input: Input) {
        self.hand_in(input);
        self.settle();
    }

    fn hand_in(&mut self, input: Input) {
        self.rib.handle(self.start, input);
    }

    fn settle(&mut self) {
        while let Some(output) = self.rib.poll() {
            match output {
                Output::Send(peer, batch) => self.receive(peer, &batch),
                Output::Best(best) => {
                    match &best.next_best {
                        Some(next) => self.next_best.insert(best.nlri.clone(), next.peer),
                        None => self.next_best.remove(&best.nlri),
                    };
                    let peers = best.paths.iter().map(|path| path.peer).collect::<Vec<_>>();
                    if peers.is_empty() {
                        self.best.remove(&best.nlri);
                    } else {
                        self.best.insert(best.nlri, peers);
                    }
                }
                Output::Converged(family) => self.converged.push(family),
                Output::LimitOut { reached, .. } => self.limits.push(reached),
            }
        }
    }

    fn receive(&mut self, peer: PeerId, batch: &Batch) {
        let belief = self
            .beliefs
            .get_mut(&peer)
            .expect("sent to a peer that is down");
        let mut messages = 0;
        let several = self.several.contains(&peer);
        let context = Context {
            add_path: PerFamily {
                ipv4_unicast: several,
                ..PerFamily::default()
            },
            ..Context::default()
        };
        for piece in batch.pieces(peer) {
            let mut buffer = BytesMut::from(&piece[..]);
            while let Some(frame) = crate::wire::frame(&mut buffer, 4096).unwrap() {
                messages += 1;
                let message = crate::wire::decode(&frame, &context).unwrap();
                let update = match message {
                    Message::Update(update) => update,
                    Message::RouteRefresh(refresh) => {
                        let mark = match refresh.kind {
                            RefreshKind::Begin => "BoRR",
                            RefreshKind::End => "EoRR",
                            RefreshKind::Request | RefreshKind::Unknown(_) => "other",
                        };
                        belief.marks.push((mark, belief.updates));
                        continue;
                    }
                    Message::Open(_) | Message::Notification(_) | Message::Keepalive => continue,
                };
                if update.end_of_rib.is_some() {
                    belief.marks.push(("EoR", belief.updates));
                }
                belief.updates += 1;
                belief.end_of_ribs += usize::from(update.end_of_rib.is_some());
                assert!(update.errors.is_empty(), "{:?}", update.errors);
                for list in update.withdrawn {
                    let NlriList::V4(list) = list else {
                        panic!("{list:?}")
                    };
                    for (id, prefix) in list {
                        match several {
                            true => belief.several.remove(&(prefix, id)),
                            false => belief.routes.remove(&prefix),
                        };
                    }
                }
                for (list, attributes) in update.announced {
                    let NlriList::V4(list) = list else {
                        panic!("{list:?}")
                    };
                    for (id, prefix) in list {
                        let set = attributes.thaw();
                        match several {
                            true => belief.several.insert((prefix, id), set),
                            false => belief.routes.insert(prefix, set),
                        };
                    }
                }
            }
            assert!(buffer.is_empty());
        }
        assert_eq!(messages, batch.messages(peer));
        if self.stuck.contains(&peer) {
            belief.unwritten.push(batch.len());
        } else {
            self.rib
                .handle(self.start, Input::Written(peer, batch.len()));
        }
    }

    fn unstick(&mut self) {
        for peer in std::mem::take(&mut self.stuck) {
            if let Some(belief) = self.beliefs.get_mut(&peer) {
                for octets in std::mem::take(&mut belief.unwritten) {
                    self.rib.handle(self.start, Input::Written(peer, octets));
                }
            }
        }
        self.settle();
    }

    fn belief(&self, peer: u16) -> &BTreeMap<Prefix4, AttributeSet> {
        &self.beliefs[&PeerId(peer)].routes
    }
}

fn asns(set: &AttributeSet) -> Vec<u32> {
    set.as_path
        .iter()
        .flat_map(|segment| segment.asns.iter().map(|asn| asn.0))
        .collect()
}

#[test]
fn a_route_reaches_the_others_with_own_as_and_own_next_hop() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    assert!(world.belief(2).is_empty());
    let told = &world.belief(3)[&prefix(1)];
    assert_eq!(asns(told), [65001, 65002]);
    assert_eq!(told.next_hop, NextHop::V4(Ipv4Addr::new(10, 10, 0, 1)));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    world.update(2, withdraw(&[prefix(1)]));
    assert!(world.belief(3).is_empty());
    assert!(world.best.is_empty());
    assert_eq!(world.rib.prefixes(Family::Ipv4Unicast), 0);
}

#[test]
fn a_peer_that_joins_late_is_told_everything_and_then_end_of_rib() {
    let mut world = World::with_peers(&[2]);
    let prefixes: Vec<Prefix4> = (0..200).map(prefix).collect();
    world.update(2, announce(&prefixes, &path(&[65002], [10, 10, 0, 2])));
    world.up(3);
    assert_eq!(world.belief(3).len(), 200);
    assert_eq!(world.beliefs[&PeerId(3)].end_of_ribs, 1);
    // 200 prefixes of three octets fit one message.
    assert_eq!(world.beliefs[&PeerId(3)].updates, 2);
}

#[test]
fn when_the_best_path_becomes_a_peers_own_it_is_told_to_forget_the_other() {
    let mut world = World::with_peers(&[2, 3, 4]);
    world.update(
        2,
        announce(&[prefix(1)], &path(&[65002, 7, 8], [10, 10, 0, 2])),
    );
    assert_eq!(world.belief(3).len(), 1);
    world.update(3, announce(&[prefix(1)], &path(&[65003], [10, 10, 0, 3])));
    assert!(world.belief(3).is_empty());
    assert_eq!(asns(&world.belief(2)[&prefix(1)]), [65001, 65003]);
    assert_eq!(asns(&world.belief(4)[&prefix(1)]), [65001, 65003]);
    world.update(3, withdraw(&[prefix(1)]));
    assert!(world.belief(2).is_empty());
    assert_eq!(world.belief(3).len(), 1);
}

#[test]
fn memory_grows_with_prefixes_and_attribute_sets_and_goes_with_them() {
    let mut world = World::with_peers(&[2, 3]);
    let empty = world.rib.memory();
    let routes: Vec<_> = (0..100).map(prefix).collect();
    let [one, full] = [(2, 65002), (3, 65003)].map(|(peer, asn)| {
        world.update(
            peer,
            announce(
                &routes,
                &path(&[asn], [10, 10, 0, u8::try_from(peer).unwrap()]),
            ),
        );
        world.rib.memory()
    });
    // Two paths a prefix, each 16 octets, beside the prefix itself; two sets.
    assert!(
        full.tables >= empty.tables + 100 * 2 * 16,
        "{empty:?} {full:?}"
    );
    assert!(full.tables < 200_000, "{full:?}");
    assert!(full.attribute_sets > 2 * 64, "{full:?}");
    let second = full.attribute_sets - one.attribute_sets;
    assert!((64..500).contains(&second), "{one:?} {full:?}");
    // The index of sets takes its segments with the first.
    assert!(one.attribute_sets < 4000, "{one:?}");
    world.update(2, withdraw(&routes));
    world.update(3, withdraw(&routes));
    world.rib.sweep();
    let gone = world.rib.memory();
    assert!(
        gone.tables < full.tables - 100 * 2 * 16,
        "{gone:?} {full:?}"
    );
    assert!(gone.attribute_sets < full.attribute_sets, "{gone:?}");
}

#[test]
fn a_path_through_this_as_is_kept_but_not_used() {
    let mut world = World::with_peers(&[2]);
    world.update(
        2,
        announce(&[prefix(1)], &path(&[65002, 65001], [10, 10, 0, 2])),
    );
    assert!(world.best.is_empty());
    let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
    assert_eq!(
        route.paths[0].rejection,
        Some(Rejection::AsLoop(Asn(65001)))
    );
    assert_eq!(route.paths[0].lost, Some(Step::Ineligible));
    let counts = world.rib.counts(PeerId(2)).ipv4_unicast;
    assert_eq!((counts.received, counts.accepted), (1, 0));
    assert_eq!(counts.looped, 1);
    // Another path in its place, and none.
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let counts = world.rib.counts(PeerId(2)).ipv4_unicast;
    assert_eq!((counts.accepted, counts.looped), (1, 0));
    world.update(
        2,
        announce(&[prefix(1)], &path(&[65002, 65001], [10, 10, 0, 2])),
    );
    world.update(2, withdraw(&[prefix(1)]));
    let counts = world.rib.counts(PeerId(2)).ipv4_unicast;
    assert_eq!((counts.received, counts.looped), (0, 0));
}

#[test]
fn a_lost_session_takes_its_routes_along() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(
        2,
        announce(&[prefix(1), prefix(2)], &path(&[65002], [10, 10, 0, 2])),
    );
    world.down(2);
    assert!(world.belief(3).is_empty());
    assert_eq!(world.rib.prefixes(Family::Ipv4Unicast), 0);
}

#[test]
fn whoever_forwards_slowly_is_told_once_and_before_the_family_is_complete() {
    let mut world = World::new();
    world.input(Input::Expect {
        peers: awaited(&[2]),
        time: Duration::from_secs(60),
        hold: false,
    });
    world.up(2);
    world.up(3);
    world.converged.clear();
    world.rib.hold_best(true);
    let set = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&[prefix(1), prefix(2)], &set));
    world.update(2, withdraw(&[prefix(2)]));
    world.update(2, end_of_rib());
    assert_eq!(world.rib.owed(Family::Ipv4Unicast), 2);
    assert_eq!(world.belief(3).len(), 1);
    assert!(world.best.is_empty() && world.converged.is_empty());
    world.rib.hold_best(false);
    let first = world.rib.poll();
    assert!(matches!(first, Some(Output::Best(_))), "{first:?}");
    world.settle();
    assert_eq!(world.rib.owed(Family::Ipv4Unicast), 0);
    assert_eq!(world.converged, [Family::Ipv4Unicast]);
    assert!(world.rib.route(&Nlri::V4(prefix(2))).is_none());
    // What was gone before it was told leaves nothing behind.
    assert_eq!(world.rib.v4.table.iter().count(), 1);
}

#[test]
fn whoever_forwards_is_told_what_follows_the_best_path() {
    let mut world = World::with_peers(&[2, 3, 4, 5]);
    let key = Nlri::V4(prefix(1));
    let next = |world: &World| world.next_best.get(&Nlri::V4(prefix(1))).map(|it| it.0);
    let announce = |world: &mut World, peer: u16, length: usize| {
        let set = path(&vec![65000 + u32::from(peer); length], [10, 10, 0, 9]);
        world.update(peer, super::tests::announce(&[prefix(1)], &set));
    };
    announce(&mut world, 2, 1);
    assert_eq!(next(&world), None);
    // A longer AS path, a shorter one, one that loses by the router identifier alone.
    announce(&mut world, 5, 3);
    assert_eq!(next(&world), Some(5));
    announce(&mut world, 4, 2);
    assert_eq!(next(&world), Some(4));
    announce(&mut world, 3, 1);
    assert_eq!(next(&world), Some(3));
    assert_eq!(world.best[&key], [PeerId(2)]);
    // It leaves, by itself and with its session.
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(next(&world), Some(4));
    world.down(4);
    assert_eq!(next(&world), Some(5));
    world.down(2);
    assert_eq!(world.best[&key], [PeerId(5)]);
    assert_eq!(next(&world), None);
}

#[test]
fn draining_tells_everybody_to_look_elsewhere_and_undraining_takes_it_back() {
    let mut world = World::with_peers(&[2, 3]);
    let local = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(9)), local));
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let normal = world.belief(3).clone();
    let families = |drain| PerFamily {
        ipv4_unicast: Some(PeerFamily {
            drain,
            ..settings()
        }),
        ..PerFamily::default()
    };
    for peer in [2, 3] {
        world.input(Input::Configure(
            PeerId(peer),
            families(Some(Drain::default())),
        ));
    }
    let told = &world.belief(3)[&prefix(9)];
    assert_eq!(asns(told), [65001; 4]);
    assert_eq!(told.med, Some(4_294_967_294));
    assert!(told.communities.contains(&Community::GRACEFUL_SHUTDOWN));
    let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
    assert_eq!(route.paths[0].attributes.local_pref(), Some(0));
    assert_eq!(route.paths[0].received.local_pref(), None);
    for peer in [2, 3] {
        world.input(Input::Configure(PeerId(peer), families(None)));
    }
    assert_eq!(*world.belief(3), normal);
}

#[test]
fn a_med_of_another_as_does_not_go_on_to_a_third() {
    let mut world = World::with_peers(&[2, 3]);
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.med = Some(50);
    set.local_pref = Some(200);
    world.update(2, announce(&[prefix(1)], &set));
    let told = &world.belief(3)[&prefix(1)];
    assert_eq!((told.med, told.local_pref), (None, None));
}

#[test]
fn no_export_and_no_advertise_stay_here() {
    let mut world = World::with_peers(&[2, 3]);
    for (number, community) in [(1, Community::NO_EXPORT), (2, Community::NO_ADVERTISE)] {
        let mut set = path(&[65002], [10, 10, 0, 2]);
        set.communities.push(community);
        world.update(2, announce(&[prefix(number)], &set));
    }
    assert!(world.belief(3).is_empty());
    assert_eq!(world.best.len(), 2);
}

#[test]
fn internal_routes_are_not_passed_on_to_internal_peers() {
    let internal = |peer| PeerFacts {
        remote_as: Asn(65001),
        ..facts(peer)
    };
    let mut world = World::with_peers(&[4]);
    world.up_with(2, internal(2));
    world.up_with(3, internal(3));
    world.update(2, announce(&[prefix(1)], &path(&[7], [10, 10, 0, 2])));
    assert!(world.belief(3).is_empty());
    assert_eq!(asns(&world.belief(4)[&prefix(1)]), [65001, 7]);
    world.update(4, announce(&[prefix(2)], &path(&[65004], [10, 10, 0, 4])));
    let told = &world.belief(3)[&prefix(2)];
    assert_eq!(
        told.next_hop,
        NextHop::V4(Ipv4Addr::new(10, 10, 0, 4)),
        "unchanged to iBGP"
    );
    assert_eq!((asns(told), told.local_pref), (vec![65004], Some(100)));
}

#[test]
fn a_number_for_one_session_stands_in_paths_as_it_is_asked_for() {
    let aliased = |prepend, replace| PeerFacts {
        local_as: Asn(64999),
        alias: Some(super::Alias {
            own_as: Asn(65001),
            prepend,
            replace,
        }),
        ..facts(2)
    };
    for prepend in [true, false] {
        for replace in [true, false] {
            let mut world = World::with_peers(&[4]);
            world.up_with(2, aliased(prepend, replace));
            world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
            world.update(4, announce(&[prefix(2)], &path(&[65004], [10, 10, 0, 4])));
            let received = match prepend {
                true => vec![65001, 64999, 65002],
                false => vec![65001, 65002],
            };
            assert_eq!(asns(&world.belief(4)[&prefix(1)]), received);
            let told = match replace {
                true => vec![64999, 65004],
                false => vec![64999, 65001, 65004],
            };
            assert_eq!(asns(&world.belief(2)[&prefix(2)]), told);
            // Either number is ours.
            for (number, own) in [(3, 65001), (4, 64999)] {
                let set = path(&[65002, own], [10, 10, 0, 2]);
                world.update(2, announce(&[prefix(number)], &set));
                assert!(!world.belief(4).contains_key(&prefix(number)), "{own}");
            }
        }
    }
}

fn map(entries: Vec<Entry>) -> Policy {
    Policy::Map(Arc::new(RouteMap::new("MAP", entries).unwrap()))
}

fn ipv4(settings: PeerFamily) -> PerFamily<Option<PeerFamily>> {
    PerFamily {
        ipv4_unicast: Some(settings),
        ..PerFamily::default()
    }
}

#[test]
fn blackhole_is_honored_where_that_was_asked_for_and_stays_in_the_as() {
    let mut world = World::with_peers(&[2, 3]);
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.communities = vec![Community::BLACKHOLE];
    world.update(2, announce(&[prefix(1)], &set));
    let dropped = |world: &World| {
        let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
        route.paths[0].attributes.notes().blackhole
    };
    assert!(
        !dropped(&world),
        "RFC 7999 §3.4: not without a word of the operator"
    );
    assert_eq!(world.belief(3).len(), 1);
    let honoring = PeerFamily {
        honor_blackhole: true,
        ..settings()
    };
    world.input(Input::Configure(PeerId(2), ipv4(honoring)));
    assert!(dropped(&world));
    assert!(world.belief(3).is_empty(), "RFC 7999 §3.2");
    let nowhere = IpAddr::from([10, 10, 0, 2]);
    world.input(Input::NextHops(vec![(nowhere.into(), false)]));
    assert!(dropped(&world) && world.best.contains_key(&Nlri::V4(prefix(1))));
    set.communities.clear();
    world.update(2, announce(&[prefix(1)], &set));
    assert!(
        world.best.is_empty(),
        "one that is forwarded needs a next hop"
    );
}

#[test]
fn a_new_own_address_is_the_next_hop_from_then_on() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let new = Ipv4Addr::new(10, 10, 0, 99);
    let input = |ipv4| Input::Addresses {
        peer: PeerId(3),
        ipv4,
        ipv6: None,
    };
    world.input(input(Some(new)));
    assert_eq!(world.belief(3)[&prefix(1)].next_hop, NextHop::V4(new));
    world.input(input(None));
    assert!(world.belief(3).is_empty());
}

/// RFC 8950 §5: over IPv6 it is the IPv6 address, where the peer takes one.
#[test]
fn of_two_own_addresses_the_one_of_the_sessions_protocol_is_the_next_hop() {
    let mut world = World::with_peers(&[2]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let ipv6 = "fd00::1".parse().unwrap();
    for (peer, takes_it) in [(3, true), (4, false)] {
        let mut facts = facts(peer);
        facts.local_ipv6 = Some(ipv6);
        facts.families.ipv4_unicast = Some(PeerFamily {
            extended_next_hop: takes_it,
            ..settings()
        });
        world.up_with(peer, facts);
        let expected = match takes_it {
            true => NextHop::V6(ipv6),
            false => NextHop::V4(Ipv4Addr::new(10, 10, 0, 1)),
        };
        assert_eq!(world.belief(peer)[&prefix(1)].next_hop, expected);
    }
}

#[test]
fn the_next_hop_of_a_route_taken_over_is_told_on_its_network_and_to_nobody_else() {
    let mut world = World::new();
    let internal = |peer| PeerFacts {
        remote_as: Asn(65001),
        ..facts(peer)
    };
    let on_network = |facts: PeerFacts| PeerFacts {
        shared_networks: vec!["10.10.0.0/24".parse().unwrap()],
        ..facts
    };
    for (peer, facts) in [
        (2, facts(2)),
        (3, on_network(facts(3))),
        (4, on_network(internal(4))),
        (9, on_network(facts(9))),
    ] {
        world.up_with(peer, facts);
    }
    let unchanged = |settings| PeerFamily {
        next_hop: NextHopRule::Unchanged,
        ..settings
    };
    let families = PerFamily {
        ipv4_unicast: Some(unchanged(settings())),
        ..PerFamily::default()
    };
    world.up_with(
        5,
        PeerFacts {
            families,
            ..facts(5)
        },
    );
    let gateway = |octets: [u8; 4]| NextHop::V4(octets.into());
    let set = |next_hop, source: Option<RouteSource>| {
        let mut set = AttributeSet::new(next_hop);
        set.notes.source = source;
        set
    };
    let source = Some(RouteSource {
        protocol: 4,
        connected: false,
    });
    let ours = gateway([10, 10, 0, 1]);
    let taken = gateway([10, 10, 0, 9]);
    let mut originate = |number, set| {
        world.input(Input::Originate(Nlri::V4(prefix(number)), set));
        [2, 3, 4, 9, 5].map(|peer| world.belief(peer)[&prefix(number)].next_hop)
    };
    let told = originate(1, set(taken, source));
    assert_eq!(
        told,
        [ours, taken, taken, ours, taken],
        "nobody is told itself"
    );
    let far = gateway([192, 0, 2, 1]);
    assert_eq!(
        originate(2, set(far, source)),
        [ours, ours, ours, ours, far]
    );
    // A network whose next hop a map has set is not taken over: as it always was.
    assert_eq!(
        originate(3, set(taken, None)),
        [ours, ours, taken, ours, taken]
    );
    // The network is no longer shared, or is now.
    world.input(Input::SharedNetworks(PeerId(3), Vec::new()));
    assert_eq!(world.belief(3)[&prefix(1)].next_hop, ours);
    let shared = vec!["10.10.0.0/24".parse().unwrap()];
    world.input(Input::SharedNetworks(PeerId(2), shared));
    assert_eq!(world.belief(2)[&prefix(1)].next_hop, taken);
}

#[test]
fn a_refresh_repeats_everything() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.beliefs.get_mut(&PeerId(3)).unwrap().routes.clear();
    let family = Family::Ipv4Unicast;
    world.input(Input::Refresh {
        peer: PeerId(3),
        family,
        enhanced: true,
    });
    assert_eq!(world.belief(3).len(), 1);
}

/// RFC 7313 §4: BoRR not before the End-of-RIB, and EoRR behind everything.
#[test]
fn a_refresh_during_the_first_dump_follows_it() {
    let mut world = World::with_peers(&[2]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.beliefs.insert(PeerId(3), Belief::default());
    world.hand_in(Input::PeerUp {
        peer: PeerId(3),
        facts: facts(3),
        restarting: false,
    });
    let family = Family::Ipv4Unicast;
    world.input(Input::Refresh {
        peer: PeerId(3),
        family,
        enhanced: true,
    });
    let marks = &world.beliefs[&PeerId(3)].marks;
    assert_eq!(*marks, [("EoR", 1), ("BoRR", 2), ("EoRR", 3)]);
}

/// RFC 4271 §9.1.2: a path whose next hop cannot be resolved is none to choose.
#[test]
fn a_path_whose_next_hop_leads_nowhere_gives_way_until_it_leads_somewhere() {
    let mut world = World::with_peers(&[2, 3, 4]);
    let nlri = Nlri::V4(prefix(1));
    let nowhere = IpAddr::from([192, 0, 2, 9]);
    world.input(Input::NextHops(vec![(nowhere.into(), false)]));
    world.update(
        3,
        announce(&[prefix(1)], &path(&[65003, 1], [10, 10, 0, 3])),
    );
    world.update(2, announce(&[prefix(1)], &path(&[65002], [192, 0, 2, 9])));
    assert_eq!(world.best[&nlri], [PeerId(3)]);
    assert_eq!(asns(&world.belief(4)[&prefix(1)]), [65001, 65003, 1]);
    let route = world.rib.route(&nlri).unwrap();
    let refused = route.paths.iter().find(|path| path.peer == PeerId(2));
    let rejection = refused.and_then(|path| path.rejection.clone());
    assert_eq!(
        rejection,
        Some(Rejection::NextHopUnreachable(nowhere.into()))
    );
    drop(route);
    world.input(Input::NextHops(vec![(nowhere.into(), true)]));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
    assert_eq!(asns(&world.belief(4)[&prefix(1)]), [65001, 65002]);
    world.input(Input::NextHops(vec![(nowhere.into(), false)]));
    assert_eq!(world.best[&nlri], [PeerId(3)]);
    // Forgotten once no route names it, so that a peer cannot fill memory with names.
    world.down(2);
    world.rib.sweep();
    assert_eq!(world.rib.unreachable().count(), 0);
}

/// RFC 4007 §6: the same link-local address on two links names two hosts.
#[test]
fn a_link_local_next_hop_is_one_on_the_link_to_the_peer_that_named_it() {
    let mut world = World::new();
    let zoned = |link| -> ScopedAddr { format!("fe80::1%{link}").parse().unwrap() };
    for (peer, link) in [(2, "eth0"), (3, "eth1")] {
        let address = zoned(link);
        world.up_with(
            peer,
            PeerFacts {
                address,
                ..facts(peer)
            },
        );
    }
    for peer in [2, 3] {
        let mut set = path(&[65000 + u32::from(peer)], [10, 10, 0, 2]);
        set.next_hop = NextHop::V6("fe80::1".parse().unwrap());
        world.update(peer, announce(&[prefix(1)], &set));
    }
    let nlri = Nlri::V4(prefix(1));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
    let named = |world: &World| {
        let route = world.rib.route(&nlri).unwrap();
        let paths = route.paths.iter();
        let mut named: Vec<_> = paths
            .map(|it| world.rib.next_hop(it.peer, it.attributes.next_hop()))
            .collect();
        named.sort_unstable();
        named
    };
    assert_eq!(named(&world), [zoned("eth0"), zoned("eth1")]);
    world.input(Input::NextHops(vec![(zoned("eth0"), false)]));
    assert_eq!(world.best[&nlri], [PeerId(3)]);
    world.input(Input::NextHops(vec![(zoned("eth1"), false)]));
    assert!(!world.best.contains_key(&nlri));
    world.input(Input::NextHops(vec![(zoned("eth0"), true)]));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
}

/// What counts is the next hop that policy leaves.
#[test]
fn a_next_hop_that_policy_chooses_is_looked_at_and_not_the_one_that_came() {
    let (came, chosen) = ([192, 0, 2, 9], [192, 0, 2, 1]);
    let change = NextHopChange::Address(IpAddr::from(chosen));
    let entry = Entry::new(10, Action::Permit).set(Set::NextHop(change));
    let map = RouteMap::new("IN", vec![entry]).unwrap();
    let mut facts = facts(2);
    facts.families.ipv4_unicast = Some(PeerFamily {
        import: Policy::Map(Arc::new(map)),
        ..settings()
    });
    let mut world = World::new();
    world.up_with(2, facts);
    world.input(Input::NextHops(vec![(IpAddr::from(came).into(), false)]));
    world.update(2, announce(&[prefix(1)], &path(&[65002], came)));
    let nlri = Nlri::V4(prefix(1));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
    let chosen = IpAddr::from(chosen);
    world.input(Input::NextHops(vec![(chosen.into(), false)]));
    assert!(!world.best.contains_key(&nlri));
    world.input(Input::NextHops(vec![(chosen.into(), true)]));
    assert_eq!(world.best[&nlri], [PeerId(2)]);
}

#[test]
fn attribute_sets_are_given_back() {
    let mut world = World::with_peers(&[2]);
    for number in 0..=255u8 {
        let set = path(&[65002, u32::from(number) + 1], [10, 10, 0, 2]);
        world.update(2, announce(&[prefix(number)], &set));
    }
    assert_eq!(world.rib.attribute_sets(), 256);
    world.down(2);
    world.rib.sweep();
    assert_eq!(world.rib.attribute_sets(), 0);
}

#[derive(Debug, Clone)]
enum Event {
    Announce {
        peer: u16,
        number: u8,
        tail: u8,
        med: Option<u8>,
    },
    Withdraw {
        peer: u16,
        number: u8,
    },
    Down(u16),
    Up(u16),
    Stick(u16),
    Unstick,
    Settle,
    Policy {
        peer: u16,
        drain: bool,
        closed: bool,
        terms: dependent::Terms,
    },
    Aggregates(Vec<Aggregate>),
    Refresh(u16),
    NextHop {
        peer: u16,
        leads: bool,
    },
    Rules(Rules),
}

fn event() -> impl Strategy<Value = Event> {
    let peer = 2u16..6;
    prop_oneof![
        8 => (peer.clone(), 0u8..12, 0u8..3, prop::option::of(0u8..3))
            .prop_map(|(peer, number, tail, med)| Event::Announce { peer, number, tail, med }),
        4 => (peer.clone(), 0u8..12).prop_map(|(peer, number)| Event::Withdraw { peer, number }),
        1 => peer.clone().prop_map(Event::Down),
        1 => peer.clone().prop_map(Event::Up),
        1 => peer.clone().prop_map(Event::Stick),
        1 => Just(Event::Unstick),
        3 => Just(Event::Settle),
        2 => (peer.clone(), any::<bool>(), prop::bool::weighted(0.3), dependent::terms())
            .prop_map(|(peer, drain, closed, terms)| Event::Policy { peer, drain, closed, terms }),
        2 => dependent::some_aggregates().prop_map(Event::Aggregates),
        1 => peer.clone().prop_map(Event::Refresh),
        1 => (peer, any::<bool>()).prop_map(|(peer, leads)| Event::NextHop { peer, leads }),
        1 => decision::tests::rules().prop_map(Event::Rules),
    ]
}

fn apply(world: &mut World, event: Event) {
    let up = |world: &World, peer| world.beliefs.contains_key(&PeerId(peer));
    match event {
        Event::Announce {
            peer,
            number,
            tail,
            med,
        } if up(world, peer) => {
            let set = offer(peer, tail, med);
            world.hand_in(Input::Updates(
                PeerId(peer),
                vec![announce(&[prefix(number)], &set)],
            ));
        }
        Event::Withdraw { peer, number } => {
            let update = withdraw(&[prefix(number)]);
            world.hand_in(Input::Updates(PeerId(peer), vec![update]));
        }
        Event::Down(peer) if up(world, peer) => {
            // What is under way to a peer is lost with it.
            world.settle();
            world.down(peer);
        }
        Event::Up(peer) if !up(world, peer) => world.up(peer),
        Event::Stick(peer) => world.stuck.push(PeerId(peer)),
        Event::Unstick => world.unstick(),
        Event::Settle => world.settle(),
        Event::Policy {
            peer,
            drain,
            closed,
            terms,
        } if up(world, peer) => {
            let export = if closed {
                Policy::RejectAll("test".into())
            } else {
                Policy::AcceptAll
            };
            let drain = drain.then(Drain::default);
            let mut settings = PeerFamily {
                export,
                drain,
                ..settings()
            };
            terms.put(&mut settings);
            world.hand_in(Input::Configure(PeerId(peer), ipv4(settings)));
        }
        Event::Refresh(peer) => {
            let family = Family::Ipv4Unicast;
            world.hand_in(Input::Refresh {
                peer: PeerId(peer),
                family,
                enhanced: false,
            });
        }
        Event::NextHop { peer, leads } => {
            let addr = IpAddr::from([10, 10, 0, u8::try_from(peer).unwrap()]);
            world.hand_in(Input::NextHops(vec![(addr.into(), leads)]));
        }
        Event::Aggregates(aggregates) => world.hand_in(Input::SetAggregates(aggregates)),
        Event::Rules(rules) => world.hand_in(Input::SetRules(rules)),
        Event::Announce { .. } | Event::Down(_) | Event::Up(_) | Event::Policy { .. } => {}
    }
}

/// What a peer announces. Two peers each are in one AS, so that their MEDs compare.
fn offer(peer: u16, tail: u8, med: Option<u8>) -> AttributeSet {
    let mut asns = vec![65000 + u32::from(peer / 2)];
    asns.extend((1..=tail).map(u32::from));
    let mut set = path(&asns, [10, 10, 0, u8::try_from(peer).unwrap()]);
    set.med = med.map(u32::from);
    set
}

/// A prefix whose paths do not stand as a decision over all of them would put them.
fn undecided(rib: &Rib) -> Option<Prefix4> {
    let view = View {
        peers: &rib.peers,
        config: &rib.config,
        next_hops: &rib.next_hops,
    };
    let stands = |paths: &[path::Path]| {
        let options = rib.config.options(Family::Ipv4Unicast);
        let choice = decision::choose(paths, |peer| view.source(peer), options, |_, _| {});
        let best = paths.first().filter(|path| path.standing.takes_part());
        choice.best == best.map(|_| 0)
            && (0..)
                .zip(paths)
                .all(|(at, path)| path.multipath == choice.multipath.contains(&at))
    };
    let mut entries = rib.v4.table.iter().map(|(_, entry)| entry);
    entries
        .find(|entry| !stands(entry.paths.as_slice()))
        .map(|entry| entry.key)
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// Whatever happened in whatever order, and however slow a peer was: in the end each peer
    /// believes what the table says it should be told, and the best paths are those that a table
    /// filled from scratch would choose.
    #[test]
    fn every_peer_ends_up_believing_what_it_should(
        events in prop::collection::vec(event(), 0..120),
        multipath in any::<bool>(),
    ) {
        let mut world = World::with_peers(&[2, 3, 4, 5]);
        let multipath = PerFamily {
            ipv4_unicast: Multipath { paths: if multipath { 3 } else { 1 }, as_path_relax: true },
            ..PerFamily::default()
        };
        world.input(Input::SetMultipath(multipath));
        for event in events {
            apply(&mut world, event);
            prop_assert_eq!(undecided(&world.rib), None);
        }
        world.settle();
        world.unstick();
        for peer in 2u16..6 {
            if !world.beliefs.contains_key(&PeerId(peer)) {
                continue;
            }
            let told = world.rib.counts(PeerId(peer)).ipv4_unicast.advertised;
            prop_assert_eq!(told, world.belief(peer).len());
            for prefix in (0..12).map(prefix).chain(dependent::wide()) {
                let nlri = Nlri::V4(prefix);
                let due = world
                    .rib
                    .advertisements(&nlri)
                    .into_iter()
                    .find(|due| due.peer == PeerId(peer))
                    .and_then(|due| due.result.ok())
                    .map(|attributes| attributes.thaw());
                prop_assert_eq!(world.belief(peer).get(&prefix), due.as_ref());
            }
        }
        let mut again = World::new();
        again.input(Input::SetMultipath(multipath));
        again.input(Input::SetRules(world.rib.config.rules));
        let aggregates = world.rib.aggregates().map(|it| it.aggregate).collect();
        again.input(Input::SetAggregates(aggregates));
        let nowhere = world.rib.unreachable().map(|addr| (addr, false)).collect();
        again.input(Input::NextHops(nowhere));
        for peer in 2u16..6 {
            if world.beliefs.contains_key(&PeerId(peer)) {
                let mut facts = facts(peer);
                let settings = world.rib.peers.settings(PeerId(peer), Family::Ipv4Unicast);
                facts.families.ipv4_unicast = settings.map(|(_, settings)| settings.clone());
                again.up_with(peer, facts);
            }
        }
        let mut received = Vec::new();
        for peer in 2u16..6 {
            world.rib.visit(Family::Ipv4Unicast, Select::Received(PeerId(peer)), |route| {
                for path in route.paths {
                    received.push((peer, route.nlri.clone(), path.received.thaw()));
                }
                true
            });
        }
        for (peer, nlri, set) in received.into_iter().rev() {
            let Nlri::V4(prefix) = nlri else { continue };
            again.update(peer, announce(&[prefix], &set));
        }
        prop_assert_eq!(&world.best, &again.best);
        prop_assert_eq!(&world.next_best, &again.next_best);
        for (peer, belief) in &again.beliefs {
            prop_assert_eq!(world.belief(peer.0), &belief.routes, "peer {:?}", peer);
        }
    }

    /// The same inputs, each peer's in its own order and those of different peers mixed in any way
    /// with pauses anywhere, end in the same best paths and the same advertisements.
    #[test]
    fn how_peers_inputs_mix_makes_no_difference(
        inputs in prop::collection::vec(
            (
                2u16..8,
                0u8..4,
                prop::option::weighted(
                    0.8,
                    (0u8..3, prop::option::of(0u8..3), prop::option::weighted(0.2, 0u64..2)),
                ),
            ),
            0..60,
        ),
        weights in prop::array::uniform6(prop::option::weighted(0.2, 0u32..2)),
        mixes in prop::array::uniform2(prop::collection::vec((any::<u8>(), any::<bool>()), 60)),
        rules in decision::tests::rules(),
        paths in 1usize..4,
        aggregates in dependent::some_aggregates(),
        terms in prop::array::uniform2(dependent::terms()),
    ) {
        let ends = mixes.map(|mix| {
            let mut world = World::new();
            for (peer, weight) in (2..).zip(weights.into_iter().chain([None])) {
                let mut settings = PeerFamily { weight, ..settings() };
                if let Some(terms) = terms.get(usize::from(peer) % 4) {
                    terms.put(&mut settings);
                }
                let families = ipv4(settings);
                world.up_with(peer, PeerFacts { families, aigp: true, ..facts(peer) });
            }
            let multipath = Multipath { paths, as_path_relax: paths == 3 };
            world.input(Input::SetMultipath(PerFamily {
                ipv4_unicast: multipath,
                ..PerFamily::default()
            }));
            world.input(Input::SetRules(rules));
            world.input(Input::SetAggregates(aggregates.clone()));
            let mut waiting: BTreeMap<u16, VecDeque<_>> = BTreeMap::new();
            for (peer, number, what) in &inputs {
                waiting.entry(*peer).or_default().push_back((*number, *what));
            }
            for (turn, pause) in mix {
                let Some(peer) = waiting.keys().copied().nth(usize::from(turn) % waiting.len().max(1))
                else {
                    break;
                };
                let queue = waiting.get_mut(&peer).unwrap();
                let (number, what) = queue.pop_front().unwrap();
                if queue.is_empty() {
                    waiting.remove(&peer);
                }
                let prefixes = [prefix(number)];
                let update = match what {
                    Some((tail, med, aigp)) => {
                        let mut set = offer(peer, tail, med);
                        aigp.into_iter().for_each(|metric| set.set_aigp_metric(metric));
                        announce(&prefixes, &set)
                    }
                    None => withdraw(&prefixes),
                };
                world.hand_in(Input::Updates(PeerId(peer), vec![update]));
                if pause {
                    world.settle();
                }
            }
            world.settle();
            world
        });
        let [one, two] = &ends;
        prop_assert_eq!(&one.best, &two.best);
        prop_assert_eq!(&one.next_best, &two.next_best);
        for peer in 2..=8 {
            prop_assert_eq!(one.belief(peer), two.belief(peer), "peer {}", peer);
        }
    }

    #[test]
    fn pages_in_a_row_are_the_whole_in_order(
        numbers in prop::collection::btree_set(0u8..=255, 0..60),
        size in 1usize..20,
        gone in 0u8..=255,
    ) {
        let mut world = World::new();
        world.up(2);
        world.up(3);
        // Inserted in another order than that of the keys.
        let mut shuffled: Vec<u8> = numbers.iter().copied().collect();
        shuffled.sort_by_key(|number| number.reverse_bits());
        for number in shuffled {
            world.update(2, announce(&[prefix(number)], &path(&[65002], [10, 10, 0, 2])));
        }
        for select in [Select::All, Select::Received(PeerId(2)), Select::Advertised(PeerId(3))] {
            let (mut got, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = world.rib.page(Family::Ipv4Unicast, select, after.as_ref(), size);
                prop_assert!(page.routes.len() <= size);
                got.extend(page.routes.into_iter().map(|route| route.nlri));
                pages += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let whole: Vec<Nlri> = numbers.iter().map(|number| Nlri::V4(prefix(*number))).collect();
            prop_assert_eq!(&got, &whole);
            prop_assert_eq!(pages, whole.len().div_ceil(size).max(1));
        }
        // A key that is gone is a place all the same.
        let behind = world.rib.page(
            Family::Ipv4Unicast,
            Select::All,
            Some(&Nlri::V4(prefix(gone))),
            300,
        );
        let want: Vec<Nlri> = numbers
            .range((std::ops::Bound::Excluded(gone), std::ops::Bound::Unbounded))
            .map(|number| Nlri::V4(prefix(*number)))
            .collect();
        prop_assert_eq!(behind.routes.into_iter().map(|it| it.nlri).collect::<Vec<_>>(), want);
        for select in [Select::Received(PeerId(3)), Select::Advertised(PeerId(2))] {
            let none = world.rib.page(Family::Ipv4Unicast, select, None, size);
            prop_assert!(none.routes.is_empty() && none.next.is_none());
        }
    }
}
