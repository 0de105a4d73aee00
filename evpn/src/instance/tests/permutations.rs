//! Every order of the events of a small scenario ends in the same place: same routes, same
//! entries, same tables of VRFs, same answers.
//!
//! `order` has long random sequences; here are short ones, and all of them: what comes first when
//! a program starts is chance, and a start that goes wrong one time in a thousand is what nobody
//! ever finds. No address is claimed by two: the one order that counts (RFC 7432 §15) is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::vrf::{Via, VrfConfig};

/// What the world was told.
#[derive(Debug, Default, PartialEq)]
struct World {
    routes: BTreeMap<EvpnKey, AttributeSet>,
    macs: BTreeMap<(Vni, MacAddress), RemoteMac>,
    floods: BTreeSet<(Vni, Tunnel)>,
    neighbours: BTreeMap<(Vni, IpAddr), (MacAddress, IpAddr)>,
    imports: BTreeMap<(EvpnKey, String), Via>,
}

impl World {
    fn take(&mut self, instance: &mut Instance) {
        while let Some(output) = instance.poll() {
            match output {
                Output::Originate { key, attributes } => {
                    self.routes.insert(key, (*attributes).clone());
                }
                Output::Withdraw { key } => assert!(self.routes.remove(&key).is_some()),
                Output::SetMac { vni, mac, remote } => {
                    self.macs.insert((vni, mac), remote);
                }
                Output::RemoveMac { vni, mac } => {
                    assert!(self.macs.remove(&(vni, mac)).is_some());
                }
                Output::SetFlood { vni, tunnel } => assert!(self.floods.insert((vni, tunnel))),
                Output::RemoveFlood { vni, tunnel } => {
                    assert!(self.floods.remove(&(vni, tunnel)));
                }
                Output::SetNeighbour { vni, ip, mac, vtep } => {
                    self.neighbours.insert((vni, ip), (mac, vtep));
                }
                Output::RemoveNeighbour { vni, ip } => {
                    assert!(self.neighbours.remove(&(vni, ip)).is_some());
                }
                Output::Import { vrf, key, via, .. } => {
                    self.imports.insert((key, vrf.to_string()), via);
                }
                Output::Unimport { vrf, key } => {
                    assert!(self.imports.remove(&(key, vrf.to_string())).is_some());
                }
                Output::DuplicateFound(_) | Output::DuplicateOver { .. } => {
                    panic!("nothing moved")
                }
            }
        }
    }
}

/// Calls `each` with every order of these numbers (Heap's algorithm).
fn orders(numbers: &mut [usize], count: usize, each: &mut impl FnMut(&[usize])) {
    if count <= 1 {
        return each(numbers);
    }
    for at in 0..count {
        orders(numbers, count - 1, each);
        numbers.swap(if count.is_multiple_of(2) { at } else { 0 }, count - 1);
    }
}

fn start() -> Instance {
    let mut instance = site(1);
    instance.handle(now(), Input::SetVtep(None));
    instance
}

/// The state after these events, read after each one or only at the end.
fn after(events: &[Input], order: &[usize], each: bool) -> (World, Instance) {
    let (mut instance, mut world) = (start(), World::default());
    for number in order {
        instance.handle(now(), events[*number].clone());
        if each {
            world.take(&mut instance);
        }
    }
    world.take(&mut instance);
    (world, instance)
}

/// Every order, read after each event and at the end only, gives what the first order gives; that
/// is returned.
fn all_the_same(events: &[Input]) -> World {
    let mut numbers: Vec<usize> = (0..events.len()).collect();
    let (expected, instance) = after(events, &numbers, true);
    let shown = |instance: &Instance| (instance.vnis(), instance.macs(None));
    let answers = shown(&instance);
    let (count, mut tried) = (numbers.len(), 0usize);
    orders(&mut numbers, count, &mut |order| {
        for each in [true, false] {
            let (world, instance) = after(events, order, each);
            assert_eq!(world, expected, "order {order:?}, read after each: {each}");
            assert_eq!(shown(&instance), answers, "order {order:?}");
        }
        tried += 1;
    });
    assert_eq!(tried, (1..=events.len()).product());
    expected
}

fn route(remote: &Remote, key: EvpnKey) -> Input {
    let attributes = Some(remote.attributes().freeze());
    Input::Route { key, attributes }
}

fn flood(site: u8) -> Input {
    let remote = from(site);
    let mut set = remote.attributes();
    set.evpn = None;
    set.pmsi_tunnel = Some(bgp::attributes::PmsiTunnel {
        flags: 0,
        tunnel_type: 6,
        label: VNI,
        identifier: Box::new([10, 10, 0, site]),
    });
    Input::Route {
        key: EvpnKey::InclusiveMulticast {
            rd: format!("10.10.0.{site}:{VNI}").parse().unwrap(),
            tag: 0,
            originator: vtep(site),
        },
        attributes: Some(set.freeze()),
    }
}

fn local_mac(last: u8) -> Input {
    Input::LocalMac {
        vni: vni(VNI),
        mac: mac(last),
        present: true,
        sticky: false,
    }
}

fn local_neighbour(address: u8, last: u8) -> Input {
    Input::LocalNeighbour {
        vni: vni(VNI),
        ip: ip(address),
        mac: mac(last),
        present: true,
    }
}

#[test]
fn every_order_of_an_overlay_coming_up() {
    let config = VniConfig::new("production").gateway(Some(mac(0xfe)), vec![ip(1)]);
    let world = all_the_same(&[
        Input::SetVtep(Some(vtep(1))),
        Input::SetVni {
            vni: vni(VNI),
            config: config.advertise_gateway(true),
        },
        local_mac(1),
        local_neighbour(5, 1),
        route(&from(2), from(2).key(mac(2), Some(ip(6)))),
        flood(2),
        // Another VNI with the same low sixteen bits: distinguishers depend on each other.
        Input::SetVni {
            vni: vni(VNI + 65_536),
            config: VniConfig::new("other"),
        },
    ]);
    assert_eq!(world.routes.len(), 5, "{:?}", world.routes.keys());
    assert_eq!(world.macs.len(), 1);
    assert_eq!(world.neighbours.len(), 1);
    assert_eq!(world.floods.len(), 1);
}

#[test]
fn every_order_of_a_tenant_coming_up() {
    let with_router = |site: u8| {
        let mut remote = from(site);
        remote.extra = vec![
            format!("{}:4001", 65000 + u32::from(site)).parse().unwrap(),
            ExtendedCommunity::router_mac(MacAddress([2, 0, 0, 0, 9, site])),
        ];
        remote
    };
    let mut set = with_router(2).attributes();
    set.evpn = Some(bgp::EvpnTail {
        label: 4001,
        ..Default::default()
    });
    let prefix = Input::Route {
        key: EvpnKey::IpPrefix {
            rd: "10.10.0.2:4001".parse().unwrap(),
            tag: 0,
            prefix: "10.200.0.0/16".parse().unwrap(),
        },
        attributes: Some(set.freeze()),
    };
    let mut set = with_router(2).attributes();
    set.evpn = Some(bgp::EvpnTail {
        label: VNI,
        label2: Some(4001),
        ..Default::default()
    });
    let host = Input::Route {
        key: from(2).key(mac(2), Some(ip(6))),
        attributes: Some(set.freeze()),
    };
    let own = bgp::AttributeSet::new(vtep(1).into());
    let coming_up = [
        Input::SetVtep(Some(vtep(1))),
        Input::SetVrf {
            name: "red".into(),
            config: VrfConfig::new(vni(4001), MacAddress([2, 0, 0, 0, 9, 1])),
        },
        Input::SetVni {
            vni: vni(VNI),
            config: VniConfig::new("production").vrf("red".into()),
        },
        prefix,
    ];
    let own = Input::LocalPrefix {
        vrf: "red".into(),
        prefix: "10.201.0.0/16".parse().unwrap(),
        attributes: Some(Arc::new(own)),
    };
    let there = [coming_up.to_vec(), vec![own, host.clone()]].concat();
    let world = all_the_same(&there);
    assert_eq!(world.imports.len(), 2, "{:?}", world.imports);
    assert_eq!(world.routes.len(), 2, "{:?}", world.routes.keys());
    assert_eq!(world.macs.len(), 2, "the host, and its router");
    assert_eq!(world.neighbours.len(), 2);

    // And with a host here that the tenant's other sites are told of.
    let here = vec![local_mac(1), local_neighbour(5, 1), host];
    let world = all_the_same(&[coming_up.to_vec(), here].concat());
    let told = world.routes.keys().map(ToString::to_string);
    assert_eq!(told.count(), 3, "{:?}", world.routes.keys());
    let labels: Vec<_> = world
        .routes
        .values()
        .map(|it| it.evpn.and_then(|tail| tail.label2))
        .collect();
    assert!(labels.contains(&Some(4001)), "{labels:?}");
}

#[test]
fn every_order_of_a_site_going_away_leaves_what_stays() {
    // What goes was there before; what stays comes meanwhile.
    let config = VniConfig::new("production");
    let mut events = vec![
        Input::RemoveVni(vni(200)),
        local_mac(1),
        local_neighbour(5, 1),
        Input::LocalMac {
            vni: vni(VNI),
            mac: mac(3),
            present: false,
            sticky: false,
        },
        route(&from(3), from(3).key(mac(4), Some(ip(8)))),
    ];
    for key in [from(2).key(mac(2), Some(ip(6))), from(2).key(mac(2), None)] {
        let attributes = None;
        events.push(Input::Route { key, attributes });
    }
    let before = || {
        let (mut instance, mut world) = (start(), World::default());
        instance.handle(now(), Input::SetVtep(Some(vtep(1))));
        for number in [VNI, 200] {
            set_vni(&mut instance, number, config.clone());
        }
        learns(&mut instance, 3);
        from(2).announces(&mut instance, mac(2), Some(ip(6)));
        from(2).announces(&mut instance, mac(2), None);
        world.take(&mut instance);
        (instance, world)
    };
    let mut seen = BTreeSet::new();
    let mut numbers: Vec<usize> = (0..events.len()).collect();
    let count = numbers.len();
    orders(&mut numbers, count, &mut |order| {
        let (mut instance, mut world) = before();
        for number in order {
            instance.handle(now(), events[*number].clone());
            world.take(&mut instance);
        }
        seen.insert(format!("{world:?} {:?}", instance.macs(None)));
    });
    assert_eq!(seen.len(), 1);
    let end = seen.first().unwrap();
    assert!(
        !end.contains("10.10.0.2") && end.contains("10.10.0.3"),
        "{end}"
    );
}
