//! Next hops: which one is told, and those that lead nowhere.

use super::*;

#[test]
fn a_new_own_address_is_the_next_hop_from_then_on() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let new = Ipv4Addr::new(10, 10, 0, 99);
    let input = |ipv4| Input::Addresses {
        peer: PeerId(3),
        ipv4,
        ipv6: None,
        link_local: None,
    };
    world.input(input(Some(new)));
    assert_eq!(world.belief(3)[&prefix(1)].next_hop, NextHop::V4(new));
    world.input(input(None));
    assert!(world.belief(3).is_empty());
}

/// A table is not walked again for an address that is in none of its routes.
#[test]
fn an_own_ipv6_address_leaves_those_who_are_told_ipv4_next_hops_in_their_group() {
    let mut world = World::with_peers(&[2, 3]);
    let [global, link_local] = ["2001:db8::1", "fe80::1"].map(|it| it.parse().unwrap());
    world.input(Input::Addresses {
        peer: PeerId(3),
        ipv4: Some(Ipv4Addr::new(10, 10, 0, 1)),
        ipv6: Some(global),
        link_local: Some(link_local),
    });
    let groups = world.rib.update_groups(PeerId(3));
    assert_eq!(groups[0].1, [PeerId(2), PeerId(3)]);
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
        [2, 3, 4, 9, 5].map(|peer| Some(world.belief(peer).get(&prefix(number))?.next_hop))
    };
    let told = originate(1, set(taken, source));
    assert_eq!(
        told,
        [Some(ours), Some(taken), Some(taken), None, Some(taken)],
        "packets that go to 9 must not come back from there"
    );
    let far = gateway([192, 0, 2, 1]);
    assert_eq!(
        originate(2, set(far, source)),
        [ours, ours, ours, ours, far].map(Some)
    );
    // A network whose next hop a map has set is not taken over: as it always was.
    assert_eq!(
        originate(3, set(taken, None)),
        [ours, ours, taken, ours, taken].map(Some)
    );
    // The network is no longer shared, or is now.
    world.input(Input::SharedNetworks(PeerId(3), Vec::new()));
    assert_eq!(world.belief(3)[&prefix(1)].next_hop, ours);
    let shared = vec!["10.10.0.0/24".parse().unwrap()];
    world.input(Input::SharedNetworks(PeerId(2), shared));
    assert_eq!(world.belief(2)[&prefix(1)].next_hop, taken);
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

/// RFC 2545 §3: it would be looked for on another link, where somebody else may have it.
#[test]
fn a_link_local_next_hop_is_told_to_nobody_else() {
    let mut world = World::new();
    let address = "fe80::1%eth0".parse().unwrap();
    world.up_with(
        2,
        PeerFacts {
            address,
            ..facts(2)
        },
    );
    let internal = PeerFacts {
        remote_as: Asn(65001),
        ..facts(3)
    };
    world.up_with(3, internal);
    let unchanged = PeerFamily {
        next_hop: NextHopRule::Unchanged,
        ..settings()
    };
    world.up_with(4, facts(4).family(Family::Ipv4Unicast, unchanged));
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.next_hop = NextHop::V6("fe80::1".parse().unwrap());
    world.update(2, announce(&[prefix(1)], &set));
    let own = NextHop::V4([10, 10, 0, 1].into());
    for peer in [3, 4] {
        assert_eq!(world.belief(peer)[&prefix(1)].next_hop, own, "{peer}");
    }
    // One of a network goes on as it is.
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    for peer in [3, 4] {
        let told = world.belief(peer)[&prefix(1)].next_hop;
        assert_eq!(told, NextHop::V4([10, 10, 0, 2].into()), "{peer}");
    }
}

/// RFC 2545 §3: a link-local address stands beside the global one on a link that both share with the
/// next hop, and nowhere else.
#[test]
fn a_link_local_address_stands_beside_our_own_next_hop_on_a_shared_link_alone() {
    let mut world = World::new();
    let [global, link_local, theirs] =
        ["2001:db8::1", "fe80::1", "2001:db8::2"].map(|it| it.parse::<Ipv6Addr>().unwrap());
    let over_ipv6 = |peer, next_hop| {
        let family = PeerFamily {
            extended_next_hop: true,
            next_hop,
            ..settings()
        };
        PeerFacts {
            local_ipv6: Some(global),
            local_link: Some(link_local),
            ..facts(peer).family(Family::Ipv4Unicast, family)
        }
    };
    world.up_with(2, over_ipv6(2, NextHopRule::Auto));
    world.up_with(3, over_ipv6(3, NextHopRule::Auto));
    world.up_with(4, over_ipv6(4, NextHopRule::Unchanged));
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.next_hop = NextHop::V6LinkLocal {
        global: theirs,
        link_local: "fe80::2".parse().unwrap(),
    };
    world.update(2, announce(&[prefix(1)], &set));
    let told = |world: &World, peer| world.belief(peer)[&prefix(1)].next_hop;
    let pair = NextHop::V6LinkLocal { global, link_local };
    assert_eq!(told(&world, 3), pair);
    assert_eq!(told(&world, 4), NextHop::V6(theirs), "it is of their link");
    // The interface has none any more.
    world.input(Input::Addresses {
        peer: PeerId(3),
        ipv4: None,
        ipv6: Some(global),
        link_local: None,
    });
    assert_eq!(told(&world, 3), NextHop::V6(global));
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
            .map(|it| world.rib.next_hop(it.peer, &it.attributes))
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
