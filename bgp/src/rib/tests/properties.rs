//! What holds whatever happens in whatever order: peers believe what they should, and how their
//! inputs mix makes no difference.

use super::*;

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
        let choice = decision::choose(paths, |peer| view.sender(peer), options, |_, _| {});
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
