//! Routes that make no sense, among others that do: nothing panics, what is not used says why, and
//! the others are as if nothing had come.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::vrf::{Via, VrfConfig};

/// What the world was told of what the good ones know.
#[derive(Debug, Default, PartialEq)]
struct Told {
    macs: BTreeMap<MacAddress, RemoteMac>,
    neighbours: BTreeMap<IpAddr, (MacAddress, IpAddr)>,
    floods: BTreeSet<Tunnel>,
    imports: BTreeMap<EvpnKey, Via>,
    routes: BTreeMap<EvpnKey, AttributeSet>,
}

fn start() -> Instance {
    let mut instance = site(1);
    let router_mac = MacAddress([2, 0, 0, 0, 9, 1]);
    let red = VrfConfig::new(vni(4001), router_mac);
    for input in [
        Input::SetVrf {
            name: "red".into(),
            config: red,
        },
        Input::SetVni {
            vni: vni(VNI),
            config: VniConfig::new("production").vrf("red".into()),
        },
    ] {
        instance.handle(now(), input);
    }
    learns(&mut instance, 1);
    resolves(&mut instance, 5, 1, true);
    instance
}

/// What two honest sites say: a host each, one of them with a router behind it, and a network.
fn honest() -> Vec<(EvpnKey, AttributeSet)> {
    let mut routes = Vec::new();
    for number in [2, 3] {
        let mut set = from(number).attributes();
        let target = format!("{}:4001", 65000 + u32::from(number));
        set.extended_communities.extend([
            target.parse().unwrap(),
            ExtendedCommunity::router_mac(MacAddress([2, 0, 0, 0, 9, number])),
        ]);
        set.evpn = Some(bgp::EvpnTail {
            label: VNI,
            label2: (number == 3).then_some(4001),
            ..Default::default()
        });
        let address = Some(ip(10 + number));
        routes.push((from(number).key(mac(10 + number), address), set.clone()));
        set.evpn = Some(bgp::EvpnTail {
            label: 4001,
            ..Default::default()
        });
        let key = EvpnKey::IpPrefix {
            rd: format!("10.10.0.{number}:4001").parse().unwrap(),
            tag: 0,
            prefix: format!("10.20{number}.0.0/16").parse().unwrap(),
        };
        routes.push((key, set));
    }
    routes
}

/// Who is honest, by the addresses that only honest routes have.
fn is_honest(key: &EvpnKey) -> bool {
    honest().iter().any(|(of, _)| of == key)
}

fn say(instance: &mut Instance, routes: Vec<(EvpnKey, AttributeSet)>) {
    for (key, set) in routes {
        let attributes = Some(set.freeze());
        instance.handle(now(), Input::Route { key, attributes });
    }
}

fn told(instance: &mut Instance) -> Told {
    let mut told = Told::default();
    while let Some(output) = instance.poll() {
        match output {
            Output::SetMac { mac, remote, .. } => drop(told.macs.insert(mac, remote)),
            Output::RemoveMac { mac, .. } => drop(told.macs.remove(&mac)),
            Output::SetNeighbour { ip, mac, vtep, .. } => {
                told.neighbours.insert(ip, (mac, vtep));
            }
            Output::RemoveNeighbour { ip, .. } => drop(told.neighbours.remove(&ip)),
            Output::SetFlood { tunnel, .. } => drop(told.floods.insert(tunnel)),
            Output::RemoveFlood { tunnel, .. } => drop(told.floods.remove(&tunnel)),
            Output::Import { key, via, .. } => drop(told.imports.insert(key, via)),
            Output::Unimport { key, .. } => drop(told.imports.remove(&key)),
            Output::Originate { key, attributes } => {
                told.routes.insert(key, (*attributes).clone());
            }
            Output::Withdraw { key } => drop(told.routes.remove(&key)),
            Output::DuplicateFound(_) | Output::DuplicateOver { .. } => {}
        }
    }
    told
}

/// Octets that are mostly the ones that mean something.
fn odd_octet() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0), 1 => Just(0xff), 1 => any::<u8>()]
}

fn odd_mac() -> impl Strategy<Value = MacAddress> {
    prop_oneof![
        Just(MacAddress([0; 6])),
        Just(MacAddress([0xff; 6])),
        Just(MacAddress([0, 0, 0x5e, 0, 1, 7])),
        Just(MacAddress([2, 0, 0, 0, 9, 1])),
        (0x40..0x44u8).prop_map(mac),
    ]
}

fn odd_ip() -> impl Strategy<Value = IpAddr> {
    let texts = [
        "0.0.0.0",
        "255.255.255.255",
        "127.0.0.1",
        "224.0.0.1",
        "169.254.1.1",
        "10.10.0.1",
        "10.100.0.200",
        "10.66.0.1",
        "::",
        "::1",
        "ff02::1",
        "fe80::1",
        "2001:db8::66",
        "::ffff:10.10.0.2",
    ];
    prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn odd_key() -> impl Strategy<Value = EvpnKey> {
    let rd = prop::array::uniform8(odd_octet()).prop_map(bgp::RouteDistinguisher);
    let esi = prop::array::uniform10(odd_octet()).prop_map(bgp::Esi);
    let tag = prop_oneof![2 => Just(0), 1 => Just(VNI), 1 => any::<u32>()];
    let prefix = prop::sample::select(vec![
        "0.0.0.0/0",
        "10.66.0.0/16",
        "224.0.0.0/4",
        "127.0.0.0/8",
        "10.10.0.2/32",
        "::/0",
        "fe80::/10",
        "2001:db8:66::/48",
    ]);
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    (
        (0..7u8, rd, esi, tag),
        (
            odd_mac(),
            prop::option::of(odd_ip()),
            odd_ip(),
            prefix,
            octets,
        ),
    )
        .prop_map(
            |((kind, rd, esi, tag), (mac, ip, originator, prefix, octets))| match kind {
                0 => EvpnKey::EthernetAd { rd, esi, tag },
                1 => EvpnKey::EthernetSegment {
                    rd,
                    esi,
                    originator,
                },
                2 => EvpnKey::InclusiveMulticast {
                    rd,
                    tag,
                    originator,
                },
                3 => EvpnKey::IpPrefix {
                    rd,
                    tag,
                    prefix: prefix.parse().unwrap(),
                },
                4 => EvpnKey::Unknown {
                    route_type: 9,
                    bytes: octets.into(),
                },
                _ => EvpnKey::MacIp { rd, tag, mac, ip },
            },
        )
}

fn odd_set() -> impl Strategy<Value = AttributeSet> {
    let community = prop_oneof![
        Just("65066:100".parse().unwrap()),
        Just("65066:4001".parse().unwrap()),
        Just(ExtendedCommunity::ENCAPSULATION_VXLAN),
        Just(ExtendedCommunity([3, 0x0c, 0, 0, 0, 0, 0, 9])),
        Just(ExtendedCommunity::DEFAULT_GATEWAY),
        Just(ExtendedCommunity::mac_mobility(u32::MAX, true)),
        odd_mac().prop_map(ExtendedCommunity::router_mac),
        prop::array::uniform8(odd_octet()).prop_map(ExtendedCommunity),
    ];
    let label = || prop_oneof![Just(0), Just(VNI), Just(4001), Just(0x00ff_ffff)];
    let esi = prop::array::uniform10(odd_octet()).prop_map(bgp::Esi);
    let tail = (
        esi,
        label(),
        prop::option::of(label()),
        prop::option::of(odd_ip()),
    );
    let tunnel = prop::option::of((0..8u8, label(), prop::collection::vec(any::<u8>(), 0..20)));
    (
        odd_ip(),
        prop::collection::vec(community, 0..8),
        prop::option::of(tail),
        tunnel,
    )
        .prop_map(|(next_hop, communities, tail, tunnel)| {
            let mut set = AttributeSet::new(next_hop.into());
            set.extended_communities = communities;
            set.evpn = tail.map(|(esi, label, label2, gateway)| bgp::EvpnTail {
                esi,
                label,
                label2,
                gateway,
            });
            set.pmsi_tunnel =
                tunnel.map(
                    |(tunnel_type, label, identifier)| bgp::attributes::PmsiTunnel {
                        flags: 0xff,
                        tunnel_type,
                        label,
                        identifier: identifier.into(),
                    },
                );
            set
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nonsense_disturbs_nobody_and_is_gone_without_a_trace(
        odd in prop::collection::vec((odd_key(), odd_set()), 0..30),
        before in any::<bool>(),
    ) {
        let mut alone = start();
        say(&mut alone, honest());
        let expected = told(&mut alone);
        prop_assert_eq!(expected.imports.len(), 3);

        let mut instance = start();
        let keys: Vec<EvpnKey> = odd.iter().map(|(key, _)| key.clone()).collect();
        if before {
            say(&mut instance, odd.clone());
        }
        say(&mut instance, honest());
        if !before {
            say(&mut instance, odd);
        }
        let all = told(&mut instance);
        for (mac, remote) in &expected.macs {
            prop_assert_eq!(all.macs.get(mac), Some(remote), "{}", mac);
        }
        for (ip, neighbour) in &expected.neighbours {
            prop_assert_eq!(all.neighbours.get(ip), Some(neighbour), "{}", ip);
        }
        for (key, via) in &expected.imports {
            prop_assert_eq!(all.imports.get(key), Some(via), "{}", key);
        }
        prop_assert_eq!(&all.routes, &expected.routes);
        check_odd(&instance, &all)?;

        // Questions about all of it have answers.
        let _ = (instance.vnis(), instance.macs(None), instance.duplicates().count());
        for status in instance.macs(None) {
            prop_assert!(!instance.explain(status.vni, status.mac).is_empty());
        }
        for key in keys {
            let attributes = None;
            instance.handle(now(), Input::Route { key, attributes });
        }
        told(&mut instance);
        prop_assert_eq!(instance.received().count(), honest().len());
        let stations: Vec<_> = instance.facts.stations.after(None, None).map(|(key, _)| key).collect();
        let wanted: Vec<_> = alone.facts.stations.after(None, None).map(|(key, _)| key).collect();
        prop_assert_eq!(stations, wanted);
    }
}

/// What is installed makes sense, and what a VNI takes in and does not use says why.
fn check_odd(instance: &Instance, all: &Told) -> Result<(), TestCaseError> {
    for (mac, remote) in &all.macs {
        prop_assert!(!is_group_or_zero(*mac), "{}", mac);
        let vtep = remote.tunnel.vtep;
        prop_assert!(usable(vtep), "{} behind {}", mac, vtep);
    }
    for tunnel in &all.floods {
        prop_assert!(usable(tunnel.vtep), "flooded to {}", tunnel);
    }
    for (ip, (mac, _)) in &all.neighbours {
        let broadcast = *ip == IpAddr::from([255; 4]);
        let sensible =
            !broadcast && !ip.is_multicast() && !ip.is_unspecified() && !ip.is_loopback();
        prop_assert!(sensible && !is_group_or_zero(*mac), "{} at {}", ip, mac);
    }
    for received in instance.received().filter(|it| !is_honest(&it.route.key)) {
        for (of, fault) in received.vnis {
            let EvpnKey::MacIp { mac, .. } = received.route.key else {
                continue;
            };
            let installed = all.macs.contains_key(&mac)
                || instance.macs(Some(of)).iter().any(|it| it.mac == mac);
            prop_assert!(
                installed || fault.is_some(),
                "{} is not used and does not say why",
                received.route.key
            );
            if let Some(fault) = fault {
                prop_assert!(fault.to_string().starts_with("not used: "));
            }
        }
    }
    Ok(())
}

fn is_group_or_zero(mac: MacAddress) -> bool {
    crate::path::is_group_or_zero(mac)
}

fn usable(vtep: IpAddr) -> bool {
    let IpAddr::V4(v4) = vtep else {
        return false;
    };
    let nowhere = v4.is_unspecified() || v4.is_multicast() || v4.is_loopback();
    !nowhere && !v4.is_broadcast() && vtep != super::vtep(1)
}
