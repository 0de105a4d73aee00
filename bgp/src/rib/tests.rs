//! The tables seen from outside: what peers believe after any order of events.

mod dependent;
mod gate;
mod hops;
mod identity;
mod long_lived;
mod policies;
mod preference;
mod properties;
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

const IDENTITY: Identity = Identity {
    router_id: Ipv4Addr::new(10, 10, 0, 1),
    cluster_id: CLUSTER,
    client_to_client: true,
    confederation: None,
};

fn config() -> Config {
    Config {
        identity: IDENTITY,
        default_local_pref: None,
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
        announced: smallvec![(NlriList::V4(list), set.freeze_with(SEED))],
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
    /// Prefixes whose paths changed, for who watches.
    touched: Vec<Nlri>,
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
            touched: Vec::new(),
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
                Output::Touched(nlri) => self.touched.push(nlri),
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
    // RFC 8326 alone: paths are as long as before, and a MED of others stays away.
    for peer in [2, 3] {
        world.input(Input::Configure(
            PeerId(peer),
            families(Some(Drain::ANNOUNCED)),
        ));
    }
    let mut with_med = path(&[65002], [10, 10, 0, 2]);
    with_med.med = Some(50);
    world.update(2, announce(&[prefix(2)], &with_med));
    for number in [9, 1, 2] {
        let told = &world.belief(3)[&prefix(number)];
        assert!(told.communities.contains(&Community::GRACEFUL_SHUTDOWN));
        assert_eq!((told.med, told.local_pref), (None, None), "{number}");
    }
    assert_eq!(asns(&world.belief(3)[&prefix(9)]), [65001]);
    world.update(2, withdraw(&[prefix(2)]));
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
    // Nor with an empty path, as policy may have left it.
    let unenforced = PeerFamily {
        enforce_first_as: false,
        ..settings()
    };
    world.up_with(2, facts(2).family(Family::Ipv4Unicast, unenforced));
    set.as_path.clear();
    world.update(2, announce(&[prefix(1)], &set));
    assert_eq!(world.belief(3)[&prefix(1)].med, None);
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
