//! Which static routes are used, on which ground, and what follows when it changes.

use bgp::{Asn, ScopedAddr};
use fib::{ForeignRoute, Link, LinkKind};

use super::*;
use crate::install::tests::{PEERS, announce, connected, told, world};
use crate::reachability::Reachability;

/// Links 1 `near` with 10.0.0.0/24 and 2 `far` with 10.7.0.0/24, as [`world`] has them.
fn settled(routes: Vec<StaticRoute>) -> (Statics, Install, Rib) {
    let (mut install, rib) = world();
    let mut config = Config::new(Asn(64600), [10, 0, 0, 9].into());
    config.static_routes = routes;
    let mut statics = Statics::default();
    assert!(statics.set(&config));
    assert!(!statics.set(&config), "nothing new");
    statics.settle(&mut install, &rib);
    (statics, install, rib)
}

fn to(prefix: &str, distance: u8, way: StaticWay) -> StaticRoute {
    let prefix = prefix.parse().unwrap();
    let key = StaticKey {
        prefix,
        table: None,
        distance,
    };
    StaticRoute {
        key,
        way,
        tag: None,
        src: None,
    }
}

fn via(prefix: &str, address: &str) -> StaticRoute {
    to(prefix, 1, StaticWay::Via(vec![hop(Some(address), None)]))
}

fn hop(address: Option<&str>, interface: Option<&str>) -> StaticNextHop {
    StaticNextHop {
        address: address.map(|it| it.parse().unwrap()),
        interface: interface.map(str::to_owned),
        vrf: None,
        weight: 1,
        onlink: false,
        bfd: None,
    }
}

/// What the kernel should have for a prefix of the main table.
fn wanted(statics: &Statics, prefix: &str) -> Option<Route> {
    let place = (254, prefix.parse().unwrap());
    match statics.wish(place, Share::FIRST) {
        Change::Set(Entry::Route(key, route)) => {
            assert!(key.is_beside());
            Some(Route::clone(&route))
        }
        Change::Set(_) => panic!("no route"),
        Change::Unset(_) => None,
    }
}

fn out(gateway: [u8; 4], index: u32) -> NextHop {
    NextHop::gateway(gateway.into()).dev(index)
}

fn one_way(gateway: [u8; 4], index: u32) -> Option<Route> {
    Some(Route::via([out(gateway, index)]).metric(1))
}

fn down(install: &mut Install, index: u32, name: &str, up: bool) {
    let link = Link::new(index, name);
    install.ground.link(Link {
        running: up,
        ..link
    });
}

#[test]
fn a_next_hop_is_looked_up_until_interface_and_router_are_known() {
    let (statics, ..) = settled(vec![
        via("192.0.2.0/24", "10.0.0.1"),
        // By way of the one above, and of that one.
        via("198.51.100.0/24", "192.0.2.7"),
        via("203.0.113.0/24", "198.51.100.7"),
        via("203.0.114.0/24", "172.16.0.1"),
    ]);
    for prefix in ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"] {
        assert_eq!(
            wanted(&statics, prefix),
            one_way([10, 0, 0, 1], 1),
            "{prefix}"
        );
    }
    assert_eq!(wanted(&statics, "203.0.114.0/24"), None);
}

#[test]
fn a_router_in_another_vrf_is_on_a_network_of_an_interface_there() {
    let in_vrf = |vrf: &str| StaticNextHop {
        vrf: Some(vrf.to_owned()),
        ..hop(Some("10.0.0.1"), None)
    };
    let route = |prefix, vrf| to(prefix, 1, StaticWay::Via(vec![in_vrf(vrf)]));
    let (mut statics, mut install, rib) = settled(vec![
        route("192.0.2.0/24", "blue"),
        route("198.51.100.0/24", "default"),
    ]);
    let own = |index, address: &str| fib::Address {
        index,
        address: address.parse().unwrap(),
        peer: None,
        protocol: 0,
        usable: true,
        duplicate: false,
    };
    install.ground.address(own(1, "10.0.0.9/24"), false);
    statics.settle(&mut install, &rib);
    let main = wanted(&statics, "198.51.100.0/24");
    assert_eq!(main, one_way([10, 0, 0, 1], 1));
    assert_eq!(wanted(&statics, "192.0.2.0/24"), None);
    let whys = |statics: &Statics, install: &Install| -> Vec<Option<String>> {
        statics.all(install, &rib).map(|it| it.why).collect()
    };
    let why = "10.0.0.1 is on no network of an interface in VRF blue that is up";
    assert_eq!(whys(&statics, &install), [Some(why.to_owned()), None]);
    install.ground.link(Link {
        kind: LinkKind::Vrf { table: 100 },
        running: true,
        ..Link::new(70, "blue")
    });
    install.ground.link(Link {
        master: Some(70),
        running: true,
        ..Link::new(71, "b1")
    });
    install.ground.address(own(71, "10.0.0.2/24"), false);
    assert_eq!(statics.settle(&mut install, &rib).len(), 1);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), one_way([10, 0, 0, 1], 71));
    assert_eq!(wanted(&statics, "198.51.100.0/24"), main);
    down(&mut install, 71, "b1", false);
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), None);
}

#[test]
fn no_route_stands_on_itself_nor_two_on_each_other() {
    let (mut statics, mut install, rib) = settled(vec![
        via("192.0.2.0/24", "192.0.2.1"),
        via("198.51.100.0/24", "203.0.113.1"),
        via("203.0.113.0/24", "198.51.100.1"),
    ]);
    let none = |statics: &Statics| {
        ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
            .map(|it| wanted(statics, it).is_none())
    };
    assert_eq!(none(&statics), [true; 3]);
    // Another program leads to one of them, and takes that away again.
    let theirs = connected("203.0.113.0/25".parse().unwrap(), 2);
    install.ground.route(theirs.clone(), false);
    assert_eq!(statics.settle(&mut install, &rib).len(), 2);
    assert_eq!(none(&statics), [true, false, false]);
    assert_eq!(
        wanted(&statics, "203.0.113.0/24"),
        one_way([203, 0, 113, 1], 2)
    );
    install.ground.route(theirs, true);
    assert_eq!(statics.settle(&mut install, &rib).len(), 2);
    assert_eq!(none(&statics), [true; 3]);
}

#[test]
fn the_lowest_distance_that_can_be_used_is_and_the_next_one_takes_over() {
    let near = StaticWay::Via(vec![hop(Some("10.0.0.1"), Some("near"))]);
    let far = StaticWay::Via(vec![hop(Some("10.7.0.1"), Some("far"))]);
    let (mut statics, mut install, rib) = settled(vec![
        to("192.0.2.0/24", 250, StaticWay::Refuse(Refusal::Unreachable)),
        to("192.0.2.0/24", 5, far),
        to("192.0.2.0/24", 1, near),
    ]);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), one_way([10, 0, 0, 1], 1));
    down(&mut install, 1, "near", false);
    assert_eq!(statics.settle(&mut install, &rib).len(), 1);
    let second = Route::via([out([10, 7, 0, 1], 2)]).metric(5);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), Some(second));
    let whys: Vec<Option<String>> = statics.all(&install, &rib).map(|it| it.why).collect();
    assert_eq!(
        whys,
        [
            Some("interface near has no carrier".to_owned()),
            None,
            Some("the one with distance 5 is used".to_owned()),
        ]
    );
    install.ground.link_removed(2);
    statics.settle(&mut install, &rib);
    let last = Route::refuse(RouteKind::Unreachable).metric(250);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), Some(last));
    down(&mut install, 1, "near", true);
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), one_way([10, 0, 0, 1], 1));
    assert!(statics.settle(&mut install, &rib).is_empty(), "nothing new");
}

#[test]
fn ways_that_can_be_used_share_by_weight_and_one_way_twice_is_one() {
    let weighted = |hop: StaticNextHop, weight| StaticNextHop { weight, ..hop };
    let hops = vec![
        weighted(hop(Some("10.0.0.1"), None), 3),
        weighted(hop(Some("10.0.0.1"), Some("near")), 2),
        weighted(hop(Some("10.7.0.1"), None), 4),
        hop(None, Some("gone")),
        StaticNextHop {
            onlink: true,
            ..hop(Some("192.0.2.1"), Some("far"))
        },
    ];
    let (mut statics, mut install, rib) = settled(vec![StaticRoute {
        src: Some([10, 0, 0, 9].into()),
        ..to("198.51.100.0/24", 1, StaticWay::Via(hops))
    }]);
    let onlink = out([192, 0, 2, 1], 2).onlink();
    let all = [
        out([10, 0, 0, 1], 1).weight(5),
        out([10, 7, 0, 1], 2).weight(4),
        onlink,
    ];
    let expected = Route::via(all).metric(1).source([10, 0, 0, 9].into());
    assert_eq!(wanted(&statics, "198.51.100.0/24"), Some(expected));
    // Next hops that stand on it leave as it does.
    down(&mut install, 1, "near", false);
    install.ground.link(Link {
        up: false,
        ..Link::new(1, "near")
    });
    statics.settle(&mut install, &rib);
    let left = wanted(&statics, "198.51.100.0/24").unwrap().next_hops;
    assert_eq!(left, [out([10, 7, 0, 1], 2).weight(4), onlink_far()]);
}

fn onlink_far() -> NextHop {
    out([192, 0, 2, 1], 2).onlink()
}

#[test]
fn a_learned_route_is_ground_where_no_other_is_and_learned_ones_stand_on_static_ones() {
    let (mut statics, mut install, mut rib) = settled(vec![
        via("192.0.2.0/24", "172.16.0.1"),
        via("198.51.100.0/24", "10.0.0.1"),
    ]);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), None);
    assert!(statics.depends_on("172.16.0.0/16".parse().unwrap()));
    announce(&mut rib, PEERS[1], "172.16.0.0/16", [10, 7, 0, 2], 1);
    told(&mut install, &mut rib);
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), one_way([10, 7, 0, 2], 2));
    // A longer one, itself by way of a static route.
    announce(&mut rib, PEERS[0], "172.16.0.1/32", [198, 51, 100, 7], 1);
    let (routes, _) = told(&mut install, &mut rib);
    assert_eq!(routes[0].next_hops, [out([10, 0, 0, 1], 1).fate(1)]);
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), one_way([10, 0, 0, 1], 1));
    let mut reachability = Reachability::default();
    let by_static = ScopedAddr::from(IpAddr::from([192, 0, 2, 9]));
    assert!(reachability.leads(by_static, &install.ground, &rib));
    down(&mut install, 1, "near", false);
    install.ground.link(Link {
        up: false,
        ..Link::new(1, "near")
    });
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "198.51.100.0/24"), None);
}

#[test]
fn what_is_dropped_leads_nobody_anywhere() {
    let drop = StaticWay::Refuse(Refusal::Blackhole);
    let (statics, install, rib) = settled(vec![
        to("192.0.2.0/24", 1, drop),
        via("198.51.100.0/24", "192.0.2.1"),
    ]);
    assert_eq!(wanted(&statics, "198.51.100.0/24"), None);
    let mut reachability = Reachability::default();
    let behind = ScopedAddr::from(IpAddr::from([192, 0, 2, 9]));
    assert!(!reachability.leads(behind, &install.ground, &rib));
    let found = statics.longest("198.51.100.9/32".parse().unwrap());
    assert_eq!(found, Some("198.51.100.0/24".parse().unwrap()));
    assert_eq!(statics.longest("10.9.0.0/16".parse().unwrap()), None);
}

#[test]
fn of_a_route_of_others_and_a_static_one_to_a_prefix_the_lower_metric_is_ground() {
    let (_, mut install, _) = settled(vec![to(
        "192.0.2.0/24",
        10,
        StaticWay::Via(vec![hop(Some("10.0.0.1"), None)]),
    )]);
    let addr = IpAddr::from([192, 0, 2, 9]);
    let fixed = |install: &Install| install.ground.longest_match(addr).unwrap().1.fixed;
    for (metric, expected) in [(20, true), (10, false), (5, false)] {
        let theirs = ForeignRoute {
            metric,
            protocol: 11,
            ..connected("192.0.2.0/24".parse().unwrap(), 2)
        };
        install.ground.route(theirs.clone(), false);
        assert_eq!(fixed(&install), expected, "{metric}");
        let all: Vec<bool> = install
            .ground
            .announceable(254)
            .filter(|(it, _)| it.len() == 24)
            .filter(|(it, _)| it.contains_addr(addr))
            .map(|(_, it)| it.fixed)
            .collect();
        assert_eq!(all, [expected], "{metric}");
        install.ground.route(theirs, true);
    }
    assert!(fixed(&install));
}

#[test]
fn a_next_hop_that_bfd_watches_is_used_while_the_session_is_up() {
    use crate::bfd_io::{Event, EventKind, SessionKey};
    use crate::config::StaticBfd;

    let watched = |address, interface| StaticNextHop {
        bfd: Some(StaticBfd {
            local: None,
            settings: Bfd::default(),
        }),
        ..hop(Some(address), Some(interface))
    };
    let hops = vec![watched("10.0.0.1", "near"), watched("10.7.0.1", "far")];
    let last = to("192.0.2.0/24", 250, StaticWay::Refuse(Refusal::Blackhole));
    let (mut statics, mut install, rib) =
        settled(vec![to("192.0.2.0/24", 1, StaticWay::Via(hops)), last]);
    let (gone, new) = statics.rewatch();
    assert_eq!((gone.len(), new.len()), (0, 2));
    let mut says = |statics: &mut Statics, at: usize, kind| {
        let (path, _) = &new[at];
        let event = Event {
            key: SessionKey::new(path.peer),
            kind,
            diagnostic: bfd::Diagnostic::DetectionTimeExpired,
            remote_diagnostic: bfd::Diagnostic::None,
            independent: false,
            at: std::time::Instant::now(),
        };
        statics.paths().listener(path.clone())(&event);
        statics.settle(&mut install, &rib);
        let why = statics
            .all(&install, &rib)
            .map(|it| it.why.unwrap_or_default());
        (
            wanted(statics, "192.0.2.0/24").unwrap(),
            why.collect::<Vec<_>>().join(" / "),
        )
    };
    let (route, why) = says(&mut statics, 0, EventKind::AdminDown);
    assert_eq!(route.kind, RouteKind::Blackhole, "nothing is up yet: {why}");
    assert!(why.contains("BFD with 10.7.0.1 has not come up"), "{why}");
    let (route, _) = says(&mut statics, 0, EventKind::Up);
    assert_eq!(route.next_hops.len(), 1);
    let (route, why) = says(&mut statics, 1, EventKind::Up);
    assert_eq!(route.next_hops.len(), 2, "{why}");
    let (route, why) = says(&mut statics, 0, EventKind::Down);
    assert_eq!(route.next_hops.len(), 1);
    assert!(why.contains("BFD with 10.0.0.1 is down"), "{why}");
    let (route, _) = says(&mut statics, 1, EventKind::AdminDown);
    assert_eq!(route.next_hops.len(), 1, "a wish is no failure");
    let (route, _) = says(&mut statics, 1, EventKind::Down);
    assert_eq!(route.kind, RouteKind::Blackhole);
}

#[test]
fn what_a_crash_left_is_not_replaced_before_bfd_has_spoken() {
    use crate::config::StaticBfd;

    let watched = StaticNextHop {
        bfd: Some(StaticBfd {
            local: None,
            settings: Bfd::default(),
        }),
        ..hop(Some("10.0.0.1"), Some("near"))
    };
    let last = to("192.0.2.0/24", 250, StaticWay::Refuse(Refusal::Blackhole));
    let first = to("192.0.2.0/24", 1, StaticWay::Via(vec![watched]));
    let (mut statics, mut install, rib) = settled(vec![first, last]);
    statics.rewatch();
    statics.wait_for_paths(true);
    statics.settle(&mut install, &rib);
    assert_eq!(wanted(&statics, "192.0.2.0/24"), None, "neither, for now");
    assert!(statics.awaits_paths());
    statics.wait_for_paths(false);
    statics.settle(&mut install, &rib);
    let route = wanted(&statics, "192.0.2.0/24").unwrap();
    assert_eq!(route.kind, RouteKind::Blackhole);
}

#[test]
fn a_route_of_frrs_behind_ours_is_known_and_no_other() {
    let other = |prefix: &str, protocol, metric| ForeignRoute {
        key: RouteKey::main(prefix.parse().unwrap()),
        protocol,
        metric,
        kind: RouteKind::Unicast,
        next_hops: [out([10, 0, 0, 1], 1)].into(),
    };
    let prefixes = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"];
    let routes = prefixes.map(|it| via(it, "10.0.0.1")).to_vec();
    let (statics, mut install, _) = settled(routes);
    // One of staticd's, one of an operator's, one in front of ours, and one of staticd's alone.
    install.ground.route(other("10.1.0.0/16", 196, 20), false);
    install.ground.route(other("10.2.0.0/16", 4, 20), false);
    install.ground.route(other("10.3.0.0/16", 196, 0), false);
    install.ground.route(other("10.9.0.0/16", 196, 20), false);
    let found: Vec<Prefix> = statics.before_frrs(&install.ground).collect();
    assert_eq!(found, ["10.1.0.0/16".parse().unwrap()]);
}
