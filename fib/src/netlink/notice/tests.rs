use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::netlink::encode;
use crate::netlink::message::messages;
use crate::state::{FdbKey, Interface, Neighbour, RemoteMac, Tunnel};
use crate::table::{RouteShape, Via};

fn notices(bytes: &[u8]) -> Vec<Notice> {
    messages(bytes)
        .filter_map(|message| read(&message))
        .collect()
}

fn route_key(table: u32, prefix: &str) -> RouteKey {
    RouteKey::new(table, prefix.parse().unwrap())
}

#[test]
fn a_route_is_read_as_it_is_written() {
    let hop = |gateway: &str, index: u32| NextHop::gateway(gateway.parse().unwrap()).dev(index);
    let cases = [
        (route_key(254, "10.0.0.0/8"), Via::Object(7)),
        (
            route_key(1000, "0.0.0.0/0"),
            Via::Hops(vec![hop("192.0.2.1", 3)]),
        ),
        (
            route_key(254, "10.0.0.0/8"),
            Via::Hops(vec![hop("fe80::1", 3).onlink()]),
        ),
        (
            route_key(254, "fd00::/16"),
            Via::Hops(vec![hop("fe80::1", 3), hop("fe80::2", 4).weight(256)]),
        ),
        (
            route_key(254, "10.0.0.0/8"),
            Via::Hops(vec![
                hop("192.0.2.1", 3).weight(2),
                hop("fe80::2", 4).onlink(),
            ]),
        ),
    ];
    for (key, via) in cases {
        let source = key.prefix().is_ipv4().then(|| IpAddr::from([192, 0, 2, 9]));
        let kind = RouteKind::Unicast;
        let shape = RouteShape {
            kind,
            metric: 20,
            source,
            via: via.clone(),
            spare: Vec::new(),
        };
        let mut bytes = Vec::new();
        encode::set_route(&mut bytes, 1, 186, key, &shape, true);
        let (object, hops) = match via {
            Via::Object(id) => (Some(id), Vec::new()),
            Via::Hops(hops) => (None, hops),
            Via::Nowhere => (None, Vec::new()),
        };
        let route = RouteNotice {
            key,
            protocol: 186,
            metric: 20,
            kind,
            source,
            object,
            hops,
            dead: Vec::new(),
        };
        let wanted = Notice::Route {
            route,
            removed: false,
            replaces: true,
        };
        assert_eq!(notices(&bytes), [wanted]);
    }
}

#[test]
fn objects_entries_and_neighbours_are_read_as_they_are_written() {
    let mut bytes = Vec::new();
    let gateway = Some("fe80::1".parse().unwrap());
    let single = Object::Single(Hop {
        ipv6: true,
        gateway,
        index: 5,
        onlink: true,
    });
    let group = Object::Group(vec![(7, 1), (8, 256)]);
    encode::set_next_hop(&mut bytes, 1, 186, 7, &single);
    encode::set_next_hop(&mut bytes, 2, 186, 9, &group);
    encode::unset_next_hop(&mut bytes, 3, 9);
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let vtep = IpAddr::from([192, 0, 2, 1]);
    let tunnel = Tunnel::from(vtep).towards(200, 100);
    let key = FdbKey::new("vx", mac);
    encode::set_fdb(
        &mut bytes,
        4,
        5,
        &key,
        RemoteMac {
            tunnel,
            sticky: true,
        },
    );
    let ip = "fd00::7".parse().unwrap();
    encode::set_neighbour(&mut bytes, 5, 186, 6, ip, Neighbour { mac, router: true });
    let next_hop = |id, protocol, object, removed| Notice::NextHop {
        id,
        protocol,
        object,
        removed,
    };
    let fdb = FdbNotice {
        index: 5,
        mac,
        state: 0x42,
        marks: 0x56,
        master: None,
        vtep: Some(vtep),
        vlan: None,
        vni: None,
        towards: Some(200),
    };
    let neighbour = NeighbourNotice {
        index: 6,
        ip,
        mac: Some(mac),
        state: 0x40,
        marks: 0x90,
    };
    assert_eq!(
        notices(&bytes),
        [
            next_hop(7, 186, Some(single), false),
            next_hop(9, 186, Some(group), false),
            next_hop(9, 0, None, true),
            Notice::Fdb {
                fdb,
                removed: false
            },
            Notice::Neighbour {
                neighbour,
                removed: false
            },
        ]
    );
}

#[test]
fn local_and_cached_routes_are_not_routes() {
    let shape = RouteShape {
        kind: RouteKind::Blackhole,
        metric: 20,
        source: None,
        via: Via::Nowhere,
        spare: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode::set_route(
        &mut bytes,
        1,
        2,
        route_key(255, "10.0.0.1/32"),
        &shape,
        false,
    );
    assert_eq!(notices(&bytes), []);
    bytes.clear();
    encode::set_route(
        &mut bytes,
        1,
        2,
        route_key(254, "10.0.0.1/32"),
        &shape,
        false,
    );
    assert_eq!(notices(&bytes).len(), 1);
    // `rtm_flags` with RTM_F_CLONED.
    bytes[16 + 9] |= 2;
    assert_eq!(notices(&bytes), []);
}

#[test]
fn a_hop_by_name_leaves_the_way_to_the_kernel() {
    let hop = NextHop {
        interface: Some(Interface::Name("gone".into())),
        ..NextHop::interface(1)
    };
    let via = Via::Hops(vec![hop]);
    let shape = Arc::new(RouteShape {
        kind: RouteKind::Unicast,
        metric: 1,
        source: None,
        via,
        spare: Vec::new(),
    });
    let mut bytes = Vec::new();
    encode::set_route(
        &mut bytes,
        1,
        2,
        route_key(254, "10.0.0.0/8"),
        &shape,
        false,
    );
    let [Notice::Route { route, .. }] = &notices(&bytes)[..] else {
        panic!("one route")
    };
    assert_eq!(route.hops, []);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(
        kind in prop_oneof![24u16..30, 104u16..106],
        mut body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Some(family) = body.first_mut() {
            *family = [2, 7, 10, *family][usize::from(*family) % 4];
        }
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(body.len() + 16).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(&body);
        let _ = notices(&bytes);
        let _ = notices(&body);
        let _ = crate::netlink::device::link(&body);
        let _ = crate::netlink::device::address(&body);
    }
}
