//! What is said of devices that others made.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::links::{Bridge, Vlan, Vlans, Vxlan};

/// `br100` with `vx100`, as they must be, made by somebody else.
fn links() -> Links {
    let mut links = Links::default();
    let settings = Bridge {
        vlan_filtering: Some(false),
        spanning_tree: false,
        ageing: 180_000,
    };
    links.insert(Link {
        kind: LinkKind::Bridge,
        bridge: Some(settings),
        mtu: 1450,
        ..Link::new(3, "br100")
    });
    let port = BridgePort {
        neigh_suppress: true,
        ..BridgePort::default()
    };
    let vxlan = Vxlan {
        vni: 100,
        local: Some(IpAddr::from([10, 0, 0, 1])),
        port: 4789,
        ..Vxlan::default()
    };
    links.insert(Link {
        kind: LinkKind::Vxlan(vxlan),
        master: Some(3),
        port: Some(port),
        mtu: 1450,
        ..Link::new(4, "vx100")
    });
    links
}

fn changed(index: u32, change: impl FnOnce(&mut Link)) -> Links {
    let mut links = links();
    let mut link = links.get(index).unwrap().clone();
    change(&mut link);
    links.insert(link);
    links
}

fn vxlan(change: impl FnOnce(&mut Vxlan)) -> Links {
    changed(4, |link| {
        if let LinkKind::Vxlan(vxlan) = &mut link.kind {
            change(vxlan);
        }
    })
}

/// What is wrong; nothing may be done about it.
fn said(overlay: &Overlay, links: &Links) -> String {
    let steps = steps(100, overlay, links, &Owner::new(186));
    let others = |op: &&DeviceOp| !matches!(op, DeviceOp::AddAddress { .. });
    assert_eq!(
        steps.ops.iter().filter(others).count(),
        0,
        "{:?}",
        steps.ops
    );
    steps.wrong().unwrap_or_default()
}

/// Where nothing is written because of what is wrong.
fn barred(overlay: &Overlay, links: &Links) -> Vec<Barred> {
    let steps = steps(100, overlay, links, &Owner::new(186));
    let barred = steps.barred(100, overlay).into_iter();
    barred.map(|(place, _)| place).collect()
}

fn overlay() -> Overlay {
    Overlay::new(100, IpAddr::from([10, 0, 0, 1]), 1450)
}

/// A gateway's address of ours on `br100`, without the kernel's route of its network.
fn without_route() -> (Overlay, Links) {
    let mut links = links();
    for (address, protocol) in [("10.100.0.1/24", 186), ("fd00:100::1/64", 186)] {
        links.insert_address(crate::Address {
            index: 3,
            address: address.parse().unwrap(),
            peer: None,
            protocol,
            usable: true,
            duplicate: false,
        });
    }
    let connected = HashSet::from([(3, "fd00:100::/64".parse().unwrap())]);
    assert!(links.set_connected(&connected));
    assert!(!links.set_connected(&connected), "that is known");
    let gateway = |text: &str| text.parse().unwrap();
    let overlay = overlay()
        .gateway(gateway("10.100.0.1/24"))
        .gateway(gateway("fd00:100::1/64"));
    (overlay, links)
}

#[test]
fn an_address_without_the_kernels_route_is_set_anew() {
    let (overlay, mut links) = without_route();
    let owner = Owner::new(186);
    let taken = steps(100, &overlay, &links, &owner);
    let address = "10.100.0.1/24".parse().unwrap();
    let [op @ DeviceOp::RenewAddress { address: of, .. }] = &taken.ops[..] else {
        panic!("{:?}", taken.ops);
    };
    assert_eq!(*of, address);
    let line = "set 10.100.0.1/24 of `br100` anew, since the kernel's own route of it is gone";
    assert_eq!(op.to_string(), line);
    links.remove_address(3, address);
    let taken = steps(100, &overlay, &links, &owner);
    assert!(
        matches!(&taken.ops[..], [DeviceOp::AddAddress { address: of, .. }] if *of == address),
        "{:?}",
        taken.ops
    );
}

#[test]
fn an_address_of_others_is_not_taken_along() {
    let (overlay, mut links) = without_route();
    links.insert_address(crate::Address {
        index: 3,
        address: "10.100.0.7/24".parse().unwrap(),
        peer: None,
        protocol: 0,
        usable: true,
        duplicate: false,
    });
    let taken = steps(100, &overlay, &links, &Owner::new(186));
    assert_eq!(taken.ops, []);
    assert_eq!(
        taken.wrong().unwrap(),
        "the kernel's own route of 10.100.0.1/24 on `br100` is gone, and setting it anew would take \
         10.100.0.7/24 along: `ip address del 10.100.0.7/24 dev br100`, and add it again after that"
    );
}

#[test]
fn a_bridge_that_is_down_has_no_routes_and_misses_none() {
    let (overlay, mut links) = without_route();
    let down = Link {
        up: false,
        ..links.get(3).unwrap().clone()
    };
    links.insert(down);
    links.set_connected(&HashSet::new());
    let taken = steps(100, &overlay, &links, &Owner::new(186));
    assert!(
        !taken
            .ops
            .iter()
            .any(|op| matches!(op, DeviceOp::RenewAddress { .. })),
        "{:?}",
        taken.ops
    );
}

#[test]
fn devices_that_fit_are_used_as_they_are() {
    assert_eq!(said(&overlay(), &links()), "");
    // What does no harm.
    for other in [
        changed(3, |link| link.mtu = 1400),
        changed(4, |link| link.mtu = 1400),
        changed(4, |link| link.generates_addresses = true),
    ] {
        let other = &other;
        let narrow = other.get(4).unwrap().mtu;
        let bridge = other.get(3).unwrap().mtu;
        if narrow >= bridge {
            assert_eq!(said(&overlay(), other), "");
        }
    }
}

#[test]
fn what_does_not_fit_is_named_with_the_command_that_mends_it() {
    let replaced =
        |what: &str| format!("{what}: `ip link del vx100`, and it is made as it must be");
    let group = IpAddr::from([239, 1, 1, 1]);
    // With whether packets pass all the same.
    let (passes, stuck) = (true, false);
    let cases = [
        (
            passes,
            vxlan(|it| it.learning = true),
            "learning of `vx100` is on, but must be off: \
             `ip link set vx100 type vxlan id 100 nolearning`"
                .to_owned(),
        ),
        (
            stuck,
            vxlan(|it| it.local = Some(IpAddr::from([10, 0, 0, 9]))),
            "local of `vx100` is 10.0.0.9, but must be 10.0.0.1: \
             `ip link set vx100 type vxlan id 100 local 10.0.0.1`"
                .to_owned(),
        ),
        (
            stuck,
            vxlan(|it| it.port = 8472),
            replaced("dstport of `vx100` is 8472, but must be 4789"),
        ),
        (
            stuck,
            vxlan(|it| it.vni = 101),
            replaced("id of `vx100` is 101, but must be 100"),
        ),
        (
            stuck,
            vxlan(|it| it.remote = Some(group)),
            replaced("group of `vx100` is 239.1.1.1, but must be none"),
        ),
        (
            stuck,
            vxlan(|it| it.remote = Some(IpAddr::from([10, 0, 0, 2]))),
            replaced("remote of `vx100` is 10.0.0.2, but must be none"),
        ),
        (
            stuck,
            vxlan(|it| (it.external, it.vni) = (true, 0)),
            replaced("external of `vx100` is on, but must be off"),
        ),
        (
            stuck,
            vxlan(|it| it.proxy = true),
            replaced("proxy of `vx100` is on, but must be off"),
        ),
        (
            passes,
            changed(4, |link| link.port = Some(BridgePort::default())),
            "bridge port neigh_suppress of `vx100` is off, but must be on: \
             `bridge link set dev vx100 neigh_suppress on`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.port.as_mut().unwrap().learning = true),
            "bridge port learning of `vx100` is on, but must be off: \
             `bridge link set dev vx100 learning off`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.port.as_mut().unwrap().isolated = true),
            "bridge port isolated of `vx100` is on, but must be off: \
             `bridge link set dev vx100 isolated off`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.port.as_mut().unwrap().locked = true),
            "bridge port locked of `vx100` is on, but must be off: \
             `bridge link set dev vx100 locked off`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.port.as_mut().unwrap().hairpin = true),
            "bridge port hairpin of `vx100` is on, but must be off: \
             `bridge link set dev vx100 hairpin off`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.port.as_mut().unwrap().forwarding = false),
            "bridge port state of `vx100` is not forwarding, but must be forwarding: \
             `bridge link set dev vx100 state 3`"
                .to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.mtu = 9000),
            "mtu of `vx100` is 9000, but must be 1450: `ip link set vx100 mtu 1450`".to_owned(),
        ),
        (
            passes,
            changed(4, |link| link.up = false),
            "state of `vx100` is down, but must be up: `ip link set vx100 up`".to_owned(),
        ),
        (
            passes,
            changed(3, |link| link.bridge.as_mut().unwrap().ageing = 0),
            "ageing_time of `br100` is 0, but must be more: \
             `ip link set br100 type bridge ageing_time 30000`"
                .to_owned(),
        ),
        (
            passes,
            changed(3, |link| link.up = false),
            "state of `br100` is down, but must be up: `ip link set br100 up`".to_owned(),
        ),
        (
            passes,
            vxlan(|it| it.local = None),
            "local of `vx100` is none, but must be 10.0.0.1: \
             `ip link set vx100 type vxlan id 100 local 10.0.0.1`"
                .to_owned(),
        ),
        (
            stuck,
            vxlan(|it| it.local = Some("fd00::1".parse().unwrap())),
            replaced("local of `vx100` is fd00::1, but must be 10.0.0.1"),
        ),
        (
            stuck,
            changed(4, |link| link.kind = LinkKind::Other(String::new())),
            "type of `vx100` is hardware, but must be vxlan: choose a name that no other device has"
                .to_owned(),
        ),
    ];
    for (passes, links, wanted) in cases {
        assert_eq!(said(&overlay(), &links), wanted);
        let tunnel = [Barred::Device("vx100".into())];
        let places = if passes { &[][..] } else { &tunnel };
        assert_eq!(barred(&overlay(), &links), places, "{wanted}");
    }
}

#[test]
fn a_device_in_another_bridge_is_named_with_that_one() {
    let mut links = changed(4, |link| link.master = Some(9));
    links.insert(Link {
        kind: LinkKind::Bridge,
        ..Link::new(9, "vmbr0")
    });
    assert_eq!(
        said(&overlay(), &links),
        "master of `vx100` is vmbr0, but must be br100: `ip link set vx100 master br100`"
    );
    assert_eq!(barred(&overlay(), &links), [Barred::Device("vx100".into())]);
}

#[test]
fn without_a_bridge_of_its_own_an_overlay_has_nothing_to_write_to() {
    let links = changed(3, |link| {
        (link.kind, link.bridge) = (LinkKind::Other("veth".to_owned()), None);
    });
    assert_eq!(
        said(&overlay(), &links),
        "type of `br100` is veth, but must be bridge: choose a name that no other device has"
    );
    let both = ["vx100", "br100"].map(|name| Barred::Device(name.into()));
    assert_eq!(barred(&overlay(), &links), both);
    let steps = steps(100, &overlay(), &links, &Owner::new(186));
    let [(_, cause), _] = &steps.barred(100, &overlay())[..] else {
        panic!("{steps:?}");
    };
    assert_eq!(
        cause,
        "`vx100` cannot carry the overlay as it stands, and is left alone: type of `br100` is \
         veth, but must be bridge: choose a name that no other device has"
    );
}

#[test]
fn what_a_device_of_ours_lacks_keeps_nothing_from_it() {
    for change in [
        |it: &mut Vxlan| it.vni = 101,
        |it: &mut Vxlan| it.local = None,
        |it: &mut Vxlan| it.learning = true,
    ] {
        let mut links = vxlan(change);
        let mut link = links.get(4).unwrap().clone();
        link.alias = Some(STAMP.to_owned());
        links.insert(link);
        let steps = steps(100, &overlay(), &links, &Owner::new(186));
        assert_ne!(steps.ops, []);
        assert_eq!(steps.barred(100, &overlay()), []);
    }
}

/// `br-evpn` with `vxlan0` and `br-evpn.10`, made by somebody else, with VLAN 10 for VNI 100.
fn shared_links() -> Links {
    let mut links = Links::default();
    let settings = Bridge {
        vlan_filtering: Some(true),
        spanning_tree: false,
        ageing: 30_000,
    };
    links.insert(Link {
        kind: LinkKind::Bridge,
        bridge: Some(settings),
        mtu: 1450,
        generates_addresses: false,
        ..Link::new(3, "br-evpn")
    });
    let vxlan = Vxlan {
        local: Some(IpAddr::from([10, 0, 0, 1])),
        port: 4789,
        external: true,
        vnifilter: true,
        ..Vxlan::default()
    };
    links.insert(Link {
        kind: LinkKind::Vxlan(vxlan),
        master: Some(3),
        port: Some(BridgePort {
            neigh_suppress: true,
            vlan_tunnel: true,
            ..BridgePort::default()
        }),
        mtu: 1450,
        generates_addresses: false,
        ..Link::new(4, "vxlan0")
    });
    links.insert(Link {
        kind: LinkKind::Vlan { id: 10 },
        parent: Some(3),
        mtu: 1450,
        generates_addresses: false,
        ..Link::new(5, "br-evpn.10")
    });
    set_mapping(&mut links, 10, 100);
    links
}

fn set_mapping(links: &mut Links, vlan: u16, vni: u32) {
    let member = |tunnel| Vlan {
        pvid: false,
        untagged: false,
        tunnel,
    };
    let port = Vlans::from([(vlan, member(Some(vni)))]);
    let own = Vlans::from([(10, member(None))]);
    links.set_vlans(HashMap::from([(3, own), (4, port)]));
    links.set_vni_filters(HashMap::from([(4, BTreeSet::from([vni]))]));
}

fn shared_overlay() -> Overlay {
    let lane = crate::state::Lane {
        bridge: "br-evpn".into(),
        vlan: 10,
        mtu: 1450,
    };
    overlay().on("vxlan0", lane)
}

/// `shared_links` with one device changed.
fn shared(index: u32, change: impl FnOnce(&mut Link)) -> Links {
    let mut links = shared_links();
    let mut link = links.get(index).unwrap().clone();
    change(&mut link);
    links.insert(link);
    links
}

fn shared_vxlan(change: impl FnOnce(&mut Vxlan)) -> Links {
    shared(4, |link| {
        if let LinkKind::Vxlan(vxlan) = &mut link.kind {
            change(vxlan);
        }
    })
}

#[test]
fn a_shared_device_that_does_not_fit_gets_neither_entries_nor_parts() {
    assert_eq!(said(&shared_overlay(), &shared_links()), "");
    assert_eq!(barred(&shared_overlay(), &shared_links()), []);
    let device = |name: &str| Barred::Device(name.into());
    let tunnel = || vec![device("vxlan0")];
    let mapped = |vlan, vni| {
        let mut links = shared_links();
        set_mapping(&mut links, vlan, vni);
        links
    };
    let no_bridge = shared(3, |link| {
        (link.kind, link.bridge) = (LinkKind::Other(String::new()), None);
    });
    let cases = [
        (
            "type",
            shared(4, |link| link.kind = LinkKind::Wireguard),
            tunnel(),
        ),
        ("external", shared_vxlan(|it| it.external = false), tunnel()),
        (
            "vnifilter",
            shared_vxlan(|it| it.vnifilter = false),
            tunnel(),
        ),
        ("dstport", shared_vxlan(|it| it.port = 8472), tunnel()),
        ("proxy", shared_vxlan(|it| it.proxy = true), tunnel()),
        (
            "local",
            shared_vxlan(|it| it.local = Some("fd00::1".parse().unwrap())),
            tunnel(),
        ),
        (
            "local",
            shared_vxlan(|it| it.local = Some(IpAddr::from([10, 0, 0, 9]))),
            tunnel(),
        ),
        ("local", shared_vxlan(|it| it.local = None), vec![]),
        ("learning", shared_vxlan(|it| it.learning = true), vec![]),
        ("mtu", shared(4, |link| link.mtu = 9000), vec![]),
        ("master", shared(4, |link| link.master = None), tunnel()),
        (
            "bridge port vlan_tunnel",
            shared(4, |link| link.port.as_mut().unwrap().vlan_tunnel = false),
            tunnel(),
        ),
        (
            "vlan_filtering",
            shared(3, |link| {
                link.bridge.as_mut().unwrap().vlan_filtering = Some(false)
            }),
            tunnel(),
        ),
        (
            "`br-evpn` cannot tell VLANs apart",
            shared(3, |link| {
                link.bridge.as_mut().unwrap().vlan_filtering = None
            }),
            tunnel(),
        ),
        (
            "type",
            no_bridge,
            vec![device("vxlan0"), device("br-evpn.10")],
        ),
        (
            "type",
            shared(5, |link| link.kind = LinkKind::Vlan { id: 11 }),
            vec![device("br-evpn.10")],
        ),
        (
            "VLAN 10 of `vxlan0` is mapped to VNI 101",
            mapped(10, 101),
            vec![Barred::Network("vxlan0".into(), 100)],
        ),
        (
            "VLAN 11 of `vxlan0` is mapped to VNI 100",
            mapped(11, 100),
            vec![Barred::Network("vxlan0".into(), 100)],
        ),
    ];
    for (what, links, places) in cases {
        let said = said(&shared_overlay(), &links);
        assert!(said.starts_with(what), "{what}: {said}");
        assert_eq!(barred(&shared_overlay(), &links), places, "{said}");
    }
    // Neighbours are not written to what is not the VLAN device, whatever else is wrong.
    let mut both = shared_vxlan(|it| it.port = 8472);
    both.insert(Link {
        kind: LinkKind::Other("dummy".to_owned()),
        ..Link::new(5, "br-evpn.10")
    });
    let places = vec![device("vxlan0"), device("br-evpn.10")];
    assert_eq!(barred(&shared_overlay(), &both), places);
}

#[test]
fn a_bridge_with_vlans_fits_where_the_device_is_untagged_in_that_of_the_gateway() {
    let vlan = |pvid, untagged| Vlan {
        pvid,
        untagged,
        tunnel: None,
    };
    let with = |own: u16, port: &[(u16, Vlan)]| {
        let mut links = changed(3, |link| {
            link.bridge.as_mut().unwrap().vlan_filtering = Some(true);
        });
        let own = Vlans::from([(own, vlan(true, true))]);
        let port = port.iter().copied().collect();
        links.set_vlans(HashMap::from([(3, own), (4, port)]));
        links
    };
    let routed = overlay().gateway("10.1.0.1/24".parse().unwrap());
    // A VLAN-aware network of Proxmox: all of it in VLAN 1.
    assert_eq!(said(&routed, &with(1, &[(1, vlan(true, true))])), "");
    // `bridge-access 100` of ifupdown2.
    let access = with(1, &[(100, vlan(true, true))]);
    assert_eq!(said(&overlay(), &access), "");
    assert_eq!(access.member(3, 100).map(|it| it.vni), Some(100));
    assert_eq!(
        said(&routed, &access),
        "`vx100` is in VLAN 100 of `br100`, and `br100` itself, with the gateway, in VLAN 1: \
         `bridge vlan add dev br100 vid 100 pvid untagged self`"
    );
    assert_eq!(
        said(&routed, &with(1, &[(1, vlan(true, false))])),
        "VLAN 1 of `vx100` is tagged on the way out, but must not be: \
         `bridge vlan add dev vx100 vid 1 pvid untagged`"
    );
    assert_eq!(
        said(&overlay(), &with(1, &[(100, vlan(false, false))])),
        "`br100` tells VLANs apart, and `vx100` is in none of them untagged: \
         `bridge vlan add dev vx100 vid 1 pvid untagged`"
    );
    let tunnel = [Barred::Device("vx100".into())];
    assert_eq!(
        barred(&overlay(), &with(1, &[(100, vlan(false, false))])),
        tunnel
    );
    // Hosts reach each other, if not the gateway.
    assert_eq!(barred(&routed, &access), []);
    assert_eq!(barred(&routed, &with(1, &[(1, vlan(true, false))])), []);
}

#[test]
fn a_port_closed_by_a_spanning_tree_or_a_choice_of_its_maker_is_left_alone() {
    let closed = |link: &mut Link| link.port.as_mut().unwrap().forwarding = false;
    let mut tree = changed(4, closed);
    let mut bridge = tree.get(3).unwrap().clone();
    bridge.bridge.as_mut().unwrap().spanning_tree = true;
    tree.insert(bridge);
    assert_eq!(said(&overlay(), &tree), "");
    let quiet = changed(4, |link| {
        let port = link.port.as_mut().unwrap();
        (port.flood, port.mcast_flood, port.bcast_flood) = (false, false, false);
    });
    assert_eq!(said(&overlay(), &quiet), "");
}

#[test]
fn devices_that_others_make_are_waited_for() {
    let mut awaited = overlay();
    awaited.create = false;
    assert_eq!(
        said(&awaited, &Links::default()),
        "there is no device `br100`: it is used as soon as it is made; there is no device `vx100`: \
         it is used as soon as it is made"
    );
    let mut bare = links();
    bare.remove(4);
    assert_eq!(
        said(&awaited, &bare),
        "there is no device `vx100`: it is used as soon as it is made"
    );
    assert_eq!(said(&awaited, &links()), "");
}
