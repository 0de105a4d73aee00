//! What is written for a path, and when a change of the ground counts.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use bgp::attributes::{self, AttributeSet, Segment, SegmentKind};
use bgp::family::PerFamily;
use bgp::message::Update;
use bgp::nlri::NlriList;
use bgp::policy::Policy;
use bgp::rib::{Input, Output, PeerFacts, PeerFamily};
use bgp::{Asn, Family};
use fib::ForeignRoute;
use ipnetwork::IpNetwork;

use super::*;
use crate::reachability::Reachability;

pub(crate) const PEERS: [PeerId; 2] = [PeerId(1), PeerId(2)];

/// Tables with two neighbours, 10.0.0.1 and 10.0.0.2, and the ground they stand on.
pub(crate) fn world() -> (Install, Rib) {
    let mut rib = Rib::new(bgp::rib::Config {
        identity: bgp::rib::Identity::new(Ipv4Addr::new(10, 0, 0, 9)),
        default_local_pref: None,
        multipath: PerFamily::default(),
        rules: bgp::rib::Rules::default(),
        seed: 1,
        track: PerFamily {
            ipv4_unicast: true,
            ..PerFamily::default()
        },
    });
    for peer in PEERS {
        let settings = PeerFamily {
            enforce_first_as: false,
            ..PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll)
        };
        let id = Ipv4Addr::new(10, 0, 0, u8::try_from(peer.0).unwrap());
        let own = (Asn(64600), IpAddr::from([10, 0, 0, 9]));
        let remote = (Asn(64512 + u32::from(peer.0)), id.into());
        let facts = PeerFacts::new(own, remote, id).family(Family::Ipv4Unicast, settings);
        let up = Input::PeerUp {
            peer,
            facts,
            restarting: false,
        };
        rib.handle(Instant::now(), up);
    }
    let mut install = Install::new(254, Share::FIRST);
    for (index, name) in [(1, "near"), (2, "far")] {
        install.ground.link(Link::new(index, name));
    }
    for (net, index) in [([10, 0, 0, 0], 1), ([10, 7, 0, 0], 2)] {
        let prefix = IpNetwork::new(IpAddr::from(net), 24).unwrap();
        install.ground.route(connected(prefix, index), false);
    }
    (install, rib)
}

pub(crate) fn connected(prefix: IpNetwork, index: u32) -> ForeignRoute {
    ForeignRoute {
        key: RouteKey::main(prefix),
        protocol: 2,
        metric: 0,
        kind: fib::RouteKind::Unicast,
        next_hops: [NextHop::interface(index)].into(),
    }
}

#[test]
fn an_address_of_our_own_leads_nowhere() {
    let (mut install, mut rib) = world();
    let mut reachability = Reachability::default();
    let [own, other]: [ScopedAddr; 2] =
        [[10, 0, 0, 9], [10, 0, 0, 8]].map(|ip| IpAddr::from(ip).into());
    assert!(reachability.leads(own, &install.ground, &rib));
    let address = fib::Address {
        index: 1,
        address: IpNetwork::new(own.ip(), 24).unwrap(),
        peer: None,
        protocol: 0,
        usable: true,
        duplicate: false,
    };
    install.ground.address(address, false);
    // Nor does a route to it.
    announce(&mut rib, PEERS[0], "10.0.0.0/24", [10, 0, 0, 1], 1);
    assert_eq!(reachability.changes(&install.ground, &rib), [(own, false)]);
    assert!(reachability.leads(other, &install.ground, &rib));
}

pub(crate) fn announce(
    rib: &mut Rib,
    peer: PeerId,
    prefix: &str,
    next_hop: [u8; 4],
    length: usize,
) {
    let Prefix::V4(prefix) = Prefix::from(prefix.parse::<IpNetwork>().unwrap()) else {
        panic!("not IPv4");
    };
    let mut set = AttributeSet::new(attributes::NextHop::V4(next_hop.into()));
    set.as_path.push(Segment {
        kind: SegmentKind::Sequence,
        asns: vec![Asn(64512 + u32::from(peer.0)); length],
    });
    let update = Update {
        announced: [(
            NlriList::V4([(0, prefix)].into_iter().collect()),
            set.freeze_with(1),
        )]
        .into_iter()
        .collect(),
        ..Update::default()
    };
    rib.handle(Instant::now(), Input::Updates(peer, vec![update]));
}

/// What the tables tell, turned into routes; and whether others lead elsewhere because of it.
pub(crate) fn told(install: &mut Install, rib: &mut Rib) -> (Vec<Route>, bool) {
    let (mut routes, mut moved) = (Vec::new(), false);
    while let Some(output) = rib.poll() {
        let Output::Best(best) = output else { continue };
        if let Change::Set(Entry::Route(_, route)) = install.wish(&best, rib).unwrap().change {
            routes.push(Route::clone(&route));
        }
        moved |= install.decides(&best.nlri, rib);
    }
    (routes, moved)
}

fn out(gateway: [u8; 4], index: u32, fate: u32) -> NextHop {
    NextHop::gateway(IpAddr::from(gateway))
        .dev(index)
        .fate(fate)
}

#[test]
fn a_route_names_the_neighbour_it_is_lost_with_and_the_next_best_way_out() {
    let (mut install, mut rib) = world();
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
    announce(&mut rib, PEERS[1], "10.64.0.0/16", [10, 7, 0, 2], 2);
    let expected = Route::via([out([10, 0, 0, 1], 1, 1)]).spare([out([10, 7, 0, 2], 2, 2)]);
    assert_eq!(told(&mut install, &mut rib), (vec![expected], false));
}

#[test]
fn shares_follow_bandwidths_and_the_distance_is_the_metric() {
    let (mut install, mut rib) = world();
    let both = bgp::rib::Multipath {
        paths: 2,
        as_path_relax: true,
    };
    rib.handle(
        Instant::now(),
        Input::SetMultipath(PerFamily {
            ipv4_unicast: both,
            ..PerFamily::default()
        }),
    );
    let with = |mbit_s, notes| {
        let mut set = AttributeSet::new(attributes::NextHop::V4([10, 0, 0, 1].into()));
        set.extended_communities = bandwidth(mbit_s);
        set.notes = notes;
        set
    };
    let key: Prefix = "10.64.0.0/16".parse().unwrap();
    let routes = |install: &mut Install, rib: &mut Rib, sets: [AttributeSet; 2]| {
        for (peer, mut set) in PEERS.into_iter().zip(sets) {
            if peer == PEERS[1] {
                set.next_hop = attributes::NextHop::V4([10, 7, 0, 2].into());
            }
            let Prefix::V4(prefix) = key else {
                panic!("not IPv4")
            };
            let list = NlriList::V4(vec![(0, prefix)].into());
            let update = Update {
                announced: vec![(list, set.freeze_with(1))].into(),
                ..Update::default()
            };
            rib.handle(Instant::now(), Input::Updates(peer, vec![update]));
        }
        told(install, rib).0
    };
    let (near, far) = (out([10, 0, 0, 1], 1, 1), out([10, 7, 0, 2], 2, 2));
    let plain = Notes::default();
    let sets = [with(1000, plain), with(3000, plain)];
    let expected = Route::via([near.clone(), far.clone().weight(3)]);
    assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
    let sets = [with(1000, plain), with(0, plain)];
    let expected = Route::via([near.clone(), far]);
    assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
    let settings = Settings {
        bandwidth: BandwidthUse::SkipMissing,
        distance: Distance {
            external: 30,
            internal: 200,
            backdoor: 210,
        },
        ..Settings::default()
    };
    assert!(install.set(settings.clone()) && !install.set(settings.clone()));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    let expected = Route::via([near.clone()]).metric(30);
    assert_eq!(
        told(&mut install, &mut rib).0,
        std::slice::from_ref(&expected)
    );
    // A backdoor is this very network, and nothing around it or within.
    for (backdoor, metric) in [
        ("10.64.0.0/16", 210),
        ("10.64.0.0/15", 30),
        ("10.64.0.0/17", 30),
    ] {
        install.set(Settings {
            backdoors: [backdoor.parse().unwrap()].into(),
            ..settings.clone()
        });
        rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
        let expected = Route::via([near.clone()]).metric(metric);
        assert_eq!(told(&mut install, &mut rib).0, [expected], "{backdoor}");
    }
    install.set(settings);
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    assert_eq!(told(&mut install, &mut rib).0, [expected]);
    let near = Notes {
        distance: Some(7),
        blackhole: true,
        ..plain
    };
    let sets = [with(1, near), with(1, near)];
    let expected = Route::refuse(RouteKind::Blackhole).metric(7);
    assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
    let never = Notes {
        distance: Some(Distance::NEVER),
        ..plain
    };
    assert!(routes(&mut install, &mut rib, [with(1, never), with(1, never)]).is_empty());
}

#[test]
fn a_map_decides_what_of_a_family_is_in_the_kernel_and_with_which_address() {
    let text = "asn = 1\nrouter_id = \"10.0.0.9\"\n[[prefix_list]]\nname = \"FAR\"\nrules = [\"permit 10.65.0.0/16\"]\n\
                [[route_map]]\nname = \"K\"\n[[route_map.entry]]\nseq = 10\naction = \"deny\"\nmatch.prefix_list = \"FAR\"\n\
                [[route_map.entry]]\nseq = 20\naction = \"permit\"\nset.src = \"10.0.0.9\"\nset.distance = 30\n\
                [ipv4_unicast]\nkernel_route_map = \"K\"\n";
    let config = crate::config::parse(text, "x.toml").unwrap();
    assert!(config.metrics().contains(&30));
    let map = config.ipv4_unicast.kernel_route_map.map(Policy::Map);
    let (mut install, mut rib) = world();
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
    announce(&mut rib, PEERS[0], "10.65.0.0/16", [10, 0, 0, 1], 1);
    assert_eq!(told(&mut install, &mut rib).0.len(), 2);
    let settings = Settings {
        maps: PerFamily {
            ipv4_unicast: map,
            ..PerFamily::default()
        },
        ..Settings::default()
    };
    assert!(install.set(settings.clone()) && !install.set(settings));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    let mut expected = Route::via([out([10, 0, 0, 1], 1, 1)]).metric(30);
    expected.source = Some([10, 0, 0, 9].into());
    assert_eq!(told(&mut install, &mut rib).0, [expected]);
    assert!(install.set(Settings::default()));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    assert_eq!(told(&mut install, &mut rib).0.len(), 2);
}

/// A route of others by `near` and `far`, with these weights.
fn weighted(prefix: &str, weights: [u16; 2]) -> ForeignRoute {
    let [near, far] = weights;
    ForeignRoute {
        protocol: 4,
        next_hops: [
            out([10, 0, 0, 5], 1, 0).weight(near),
            out([10, 7, 0, 5], 2, 0).weight(far),
        ]
        .into(),
        ..connected(prefix.parse().unwrap(), 1)
    }
}

#[test]
fn a_next_hop_by_weighted_ways_shares_by_their_weights() {
    let ways = |near, far| {
        [
            out([10, 0, 0, 5], 1, 1).weight(near),
            out([10, 7, 0, 5], 2, 1).weight(far),
        ]
    };
    for (given, expected) in [
        ([3, 1], [3, 1]),
        ([256, 64], [4, 1]),
        ([2, 2], [1, 1]),
        ([1, 1], [1, 1]),
        ([256, 1], [240, 1]),
    ] {
        let (mut install, mut rib) = world();
        install
            .ground
            .route(weighted("172.16.0.0/24", given), false);
        announce(&mut rib, PEERS[0], "10.64.0.0/16", [172, 16, 0, 1], 1);
        let [near, far] = expected;
        let expected = Route::via(ways(near, far));
        assert_eq!(told(&mut install, &mut rib).0, [expected], "{given:?}");
    }
    // Other weights of the kernel's are a change of the ground.
    let (mut install, mut rib) = world();
    install
        .ground
        .route(weighted("172.16.0.0/24", [3, 1]), false);
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [172, 16, 0, 1], 1);
    told(&mut install, &mut rib);
    install
        .ground
        .route(weighted("172.16.0.0/24", [1, 3]), false);
    assert!(install.ground_changed(&rib));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    assert_eq!(told(&mut install, &mut rib).0, [Route::via(ways(1, 3))]);
}

#[test]
fn a_path_by_weighted_ways_takes_no_more_than_its_part_beside_another() {
    let (mut install, mut rib) = world();
    let both = bgp::rib::Multipath {
        paths: 2,
        as_path_relax: true,
    };
    rib.handle(
        Instant::now(),
        Input::SetMultipath(PerFamily {
            ipv4_unicast: both,
            ..PerFamily::default()
        }),
    );
    install
        .ground
        .route(weighted("172.16.0.0/24", [3, 1]), false);
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
    announce(&mut rib, PEERS[1], "10.64.0.0/16", [172, 16, 0, 1], 1);
    let expected = Route::via([
        out([10, 0, 0, 1], 1, 1).weight(4),
        out([10, 0, 0, 5], 1, 2).weight(3),
        out([10, 7, 0, 5], 2, 2),
    ]);
    let (routes, _) = told(&mut install, &mut rib);
    assert_eq!(routes.last(), Some(&expected));
}

fn bandwidth(mbit_s: u16) -> Vec<bgp::ExtendedCommunity> {
    let [a, b, c, d] = (f32::from(mbit_s) * 125_000.0).to_be_bytes();
    match mbit_s {
        0 => Vec::new(),
        _ => vec![bgp::ExtendedCommunity([0x40, 4, 0xfd, 0xe9, a, b, c, d])],
    }
}

#[test]
fn a_change_of_the_ground_counts_when_a_next_hop_in_use_leads_elsewhere() {
    let (mut install, mut rib) = world();
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
    told(&mut install, &mut rib);
    install.ground.link(Link::new(3, "new"));
    let elsewhere = connected("10.8.0.0/24".parse().unwrap(), 3);
    install.ground.route(elsewhere, false);
    assert!(!install.ground_changed(&rib));
    let host = connected("10.0.0.1/32".parse().unwrap(), 3);
    install.ground.route(host, false);
    assert!(install.ground_changed(&rib));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    let (routes, _) = told(&mut install, &mut rib);
    assert_eq!(routes, [Route::via([out([10, 0, 0, 1], 3, 1)])]);
    assert!(!install.ground_changed(&rib));
    // Not reachable any longer, and again.
    install.ground.link(Link {
        up: false,
        ..Link::new(3, "new")
    });
    assert!(install.ground_changed(&rib));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    assert_eq!(told(&mut install, &mut rib), (vec![], false));
    install.ground.link(Link::new(3, "new"));
    assert!(install.ground_changed(&rib));
}

#[test]
fn a_route_of_our_own_decides_where_next_hops_behind_it_lead_but_not_about_its_own() {
    let (mut install, mut rib) = world();
    // Reachable through nothing but the second route.
    announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 9, 9, 9], 1);
    assert_eq!(told(&mut install, &mut rib), (vec![], false));
    announce(&mut rib, PEERS[1], "10.9.9.0/24", [10, 7, 0, 2], 1);
    let (routes, moved) = told(&mut install, &mut rib);
    assert_eq!(routes, [Route::via([out([10, 7, 0, 2], 2, 2)])]);
    assert!(moved && install.ground_changed(&rib));
    rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
    let (routes, moved) = told(&mut install, &mut rib);
    assert!(
        routes.contains(&Route::via([out([10, 7, 0, 2], 2, 1)])),
        "{routes:?}"
    );
    assert!(!moved, "told again, it changes nothing");
    // Its next hop lies within it, and on a connected network that is less specific.
    announce(&mut rib, PEERS[0], "10.0.0.0/25", [10, 0, 0, 1], 1);
    let (routes, _) = told(&mut install, &mut rib);
    assert_eq!(routes, [Route::via([out([10, 0, 0, 1], 1, 1)])]);
}

#[test]
fn an_aggregate_drops_what_no_more_specific_route_takes_unless_told_otherwise() {
    let prefix: Prefix = "10.64.0.0/10".parse().unwrap();
    for blackhole in [true, false] {
        let (mut install, mut rib) = world();
        let aggregate = bgp::rib::Aggregate {
            blackhole,
            ..bgp::rib::Aggregate::new(prefix, Asn(65009))
        };
        let now = Instant::now();
        rib.handle(now, Input::SetAggregates(vec![aggregate]));
        let own = AttributeSet::new(attributes::NextHop::V4(Ipv4Addr::UNSPECIFIED));
        let within: Prefix = "10.65.0.0/16".parse().unwrap();
        rib.handle(now, Input::Originate(Nlri::from(within), own));
        let mut routes = BTreeMap::new();
        while let Some(output) = rib.poll() {
            if let Output::Best(best) = output {
                let wish = install.wish(&best, &rib).unwrap();
                routes.insert(best.nlri.clone(), wish.change);
            }
        }
        let dropped = |route: &Route| route.kind == RouteKind::Blackhole;
        let change = &routes[&Nlri::from(prefix)];
        let written = matches!(change, Change::Set(Entry::Route(_, it)) if dropped(it));
        assert_eq!(written, blackhole);
        // A network of ours is not written.
        assert!(matches!(&routes[&Nlri::from(within)], Change::Unset(_)));
    }
}
