//! A VRF, and a router that tells its routes with several VNIs.

use std::collections::BTreeMap;
use std::time::Instant;

use bgp::{AttributeSet, EvpnTail, ExtendedCommunity, MacAddress};

use super::*;
use crate::path::Fault;
use crate::vrf::VrfConfig;
use crate::{Config, Input, Instance, Output};

const OWN: u32 = 4001;

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

/// A router with a VRF that takes in what has one route target, whatever its VNI.
fn router() -> Instance {
    let mut instance = Instance::new(Config {
        local_as: bgp::Asn(65001),
        router_id: [10, 10, 0, 1].into(),
        vtep: Some([10, 10, 0, 1].into()),
    });
    let shared: ExtendedCommunity = "64512:1".parse().unwrap();
    let config = VrfConfig::new(vni(OWN), MacAddress([2, 0x5e, 10, 10, 0, 1]));
    let config = config.import_target(shared.into());
    let name = "red".into();
    instance.handle(Instant::now(), Input::SetVrf { name, config });
    instance
}

/// Prefix number `at` of router 2, told with this VNI; `None` takes it back.
fn tell(instance: &mut Instance, at: u8, label: Option<u32>) {
    let key = EvpnKey::IpPrefix {
        rd: "10.10.0.2:1".parse().unwrap(),
        tag: 0,
        prefix: bgp::Prefix::new([10, at, 0, 0].into(), 16).unwrap(),
    };
    let attributes = label.map(|label| {
        let mut set = AttributeSet::new(IpAddr::from([10, 10, 0, 2]).into());
        set.extended_communities = vec![
            "64512:1".parse().unwrap(),
            ExtendedCommunity::ENCAPSULATION_VXLAN,
            ExtendedCommunity::router_mac(MacAddress([2, 0x5e, 10, 10, 0, 2])),
        ];
        let gateway = (label == 0).then(|| [10, 9, 9, 9].into());
        set.evpn = Some(EvpnTail {
            label,
            gateway,
            ..EvpnTail::default()
        });
        set.freeze()
    });
    instance.handle(Instant::now(), Input::Route { key, attributes });
}

/// The prefixes that are used, and with which VNI their router is reached.
#[derive(Debug, Default, PartialEq)]
struct World {
    prefixes: BTreeSet<String>,
    tunnels: BTreeMap<MacAddress, Tunnel>,
}

fn take(instance: &mut Instance, world: &mut World) {
    while let Some(output) = instance.poll() {
        match output {
            Output::Import { key, .. } => drop(world.prefixes.insert(key.to_string())),
            Output::Unimport { key, .. } => assert!(world.prefixes.remove(&key.to_string())),
            Output::SetMac { mac, remote, .. } => {
                world.tunnels.insert(mac, remote.tunnel);
            }
            Output::RemoveMac { mac, .. } => {
                world.tunnels.remove(&mac).unwrap();
            }
            Output::Originate { .. }
            | Output::Withdraw { .. }
            | Output::SetFlood { .. }
            | Output::RemoveFlood { .. }
            | Output::SetNeighbour { .. }
            | Output::RemoveNeighbour { .. }
            | Output::DuplicateFound(_)
            | Output::DuplicateOver { .. } => {}
        }
    }
}

fn shown(at: u8) -> String {
    format!("[5]:[10.10.0.2:1]:[0]:[16]:[10.{at}.0.0]")
}

#[test]
fn a_router_is_reached_with_the_vni_that_it_tells() {
    let (mut one, mut world) = (router(), World::default());
    tell(&mut one, 1, Some(4002));
    take(&mut one, &mut world);
    assert_eq!(world.prefixes, BTreeSet::from([shown(1)]));
    let tunnel = *world.tunnels.values().next().unwrap();
    assert_eq!(
        (tunnel.vni, tunnel.downstream(vni(OWN))),
        (vni(4002), Some(vni(4002)))
    );
    assert_eq!(one.vrfs()[0].routers[0].downstream_vni, Some(4002));
}

#[test]
fn a_host_route_names_the_vni_of_its_vrf_second() {
    let (mut one, mut world) = (router(), World::default());
    let key = EvpnKey::MacIp {
        rd: "10.10.0.2:200".parse().unwrap(),
        tag: 0,
        mac: MacAddress([2, 0, 0, 0, 0, 7]),
        ip: Some([10, 1, 0, 7].into()),
    };
    let mut set = AttributeSet::new(IpAddr::from([10, 10, 0, 2]).into());
    set.extended_communities = vec![
        "64512:1".parse().unwrap(),
        ExtendedCommunity::router_mac(MacAddress([2, 0x5e, 10, 10, 0, 2])),
    ];
    set.evpn = Some(EvpnTail {
        label: 200,
        label2: Some(4002),
        ..EvpnTail::default()
    });
    let attributes = Some(set.freeze());
    one.handle(Instant::now(), Input::Route { key, attributes });
    take(&mut one, &mut world);
    let tunnels: Vec<Vni> = world.tunnels.values().map(|tunnel| tunnel.vni).collect();
    assert_eq!(tunnels, [vni(4002)]);
}

/// Our own number counts before others, and of others the lowest: whatever came first, and however
/// it came to be so. The rest is named.
#[test]
fn of_several_vnis_of_one_router_one_is_used_in_every_order() {
    // What is told at last, with what was told before in the same place.
    let scenario = [
        (1, None, 4003),
        (2, Some(4001), 4002),
        (3, Some(4002), 4003),
        (4, Some(0), 4004),
        (5, None, 4002),
    ];
    let mut orders = Vec::new();
    permute(&mut vec![0, 1, 2, 3, 4], 0, &mut orders);
    assert_eq!(orders.len(), 120);
    for own in [false, true] {
        for order in &orders {
            for early in [true, false] {
                let (mut one, mut world) = (router(), World::default());
                if own && early {
                    tell(&mut one, 9, Some(OWN));
                }
                for at in order {
                    let (prefix, before, label) = scenario[*at];
                    if let Some(before) = before {
                        tell(&mut one, prefix, Some(before));
                        take(&mut one, &mut world);
                    }
                    tell(&mut one, prefix, Some(label));
                    take(&mut one, &mut world);
                }
                if own && !early {
                    tell(&mut one, 9, Some(OWN));
                    take(&mut one, &mut world);
                }
                let (prefixes, label) = match own {
                    true => (BTreeSet::from([shown(9)]), OWN),
                    false => (BTreeSet::from([shown(2), shown(5)]), 4002),
                };
                assert_eq!(world.prefixes, prefixes, "{order:?}");
                let used: Vec<Vni> = world.tunnels.values().map(|it| it.vni).collect();
                assert_eq!(used, [vni(label)], "{order:?}");
                let faults: Vec<_> = one.received().filter_map(|it| it.vrfs[0].1).collect();
                let refused = scenario.len() + usize::from(own) - prefixes.len();
                assert_eq!(faults, vec![Fault::RouterVni(vni(label)); refused]);

                // Those with the number that counts go, and the next have their turn.
                tell(&mut one, 9, None);
                tell(&mut one, 2, None);
                tell(&mut one, 5, None);
                take(&mut one, &mut world);
                let next = BTreeSet::from([shown(1), shown(3)]);
                assert_eq!(world.prefixes, next, "{order:?}");
                for prefix in [1, 3, 4] {
                    tell(&mut one, prefix, None);
                }
                take(&mut one, &mut world);
                assert_eq!(world, World::default());
                assert!(one.vrfs.labels.of_routes.is_empty());
                assert!(one.vrfs.labels.by_vtep.is_empty());
            }
        }
    }
}

#[test]
fn a_vrf_that_goes_leaves_nothing_behind() {
    let mut one = router();
    tell(&mut one, 1, Some(4002));
    tell(&mut one, 2, Some(4003));
    let mut world = World::default();
    take(&mut one, &mut world);
    one.handle(Instant::now(), Input::RemoveVrf("red".into()));
    take(&mut one, &mut world);
    assert_eq!(world, World::default());
    assert!(one.vrfs.labels.of_routes.is_empty() && one.vrfs.labels.by_vtep.is_empty());
}

fn permute(numbers: &mut Vec<usize>, from: usize, all: &mut Vec<Vec<usize>>) {
    if from == numbers.len() {
        all.push(numbers.clone());
    }
    for at in from..numbers.len() {
        numbers.swap(from, at);
        permute(numbers, from + 1, all);
        numbers.swap(from, at);
    }
}
