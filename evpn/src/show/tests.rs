//! Answers about sites that hear each other, each with networks of its own.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp::{EvpnKey, MacAddress, Vni};

use crate::{Config, Input, Instance, Output, VniConfig};

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn vtep(site: u8) -> IpAddr {
    [10, 10, 0, site].into()
}

fn site(now: Instant, number: u8, vnis: &[(u32, VniConfig)]) -> Instance {
    let mut instance = Instance::new(Config {
        local_as: bgp::Asn(65000 + u32::from(number)),
        router_id: [10, 10, 0, number].into(),
        vtep: Some(vtep(number)),
    });
    for (number, config) in vnis {
        let (vni, config) = (vni(*number), config.clone());
        instance.handle(now, Input::SetVni { vni, config });
    }
    instance
}

/// A machine at a site, with an address.
fn attach(site: &mut Instance, number: u32, machine: u8, ip: Option<IpAddr>) {
    let (vni, mac) = (vni(number), mac(machine));
    site.handle(
        Instant::now(),
        Input::LocalMac {
            vni,
            mac,
            present: true,
            sticky: false,
        },
    );
    if let Some(ip) = ip {
        site.handle(
            Instant::now(),
            Input::LocalNeighbour {
                vni,
                ip,
                mac,
                present: true,
            },
        );
    }
}

/// What one site advertises becomes known at another.
fn hear(from: &mut Instance, to: &mut Instance) {
    while let Some(output) = from.poll() {
        if let Output::Originate { key, attributes } = output {
            let attributes = Some(attributes.freeze());
            to.handle(Instant::now(), Input::Route { key, attributes });
        }
    }
}

#[test]
fn whoever_announces_a_number_is_known_before_it_is_configured() {
    let gateway = VniConfig::new("guests")
        .gateway(Some(mac(0xfe)), vec!["10.30.0.1".parse().unwrap()])
        .advertise_gateway(true);
    let mut one = site(
        Instant::now(),
        1,
        &[(300, gateway), (100, VniConfig::new("other"))],
    );
    attach(&mut one, 300, 1, Some("10.30.0.9".parse().unwrap()));
    attach(&mut one, 300, 2, None);
    attach(&mut one, 100, 3, Some("10.40.0.9".parse().unwrap()));
    // Another number for the same routes: they would be taken in all the same.
    let translated = VniConfig::new("theirs").export_target("65002:300".parse().unwrap());
    let mut two = site(Instant::now(), 2, &[(900, translated)]);
    let mut third = site(Instant::now(), 3, &[(100, VniConfig::new("other"))]);
    hear(&mut one, &mut third);
    hear(&mut two, &mut third);
    let known = third.announcers(vni(300));
    assert_eq!(known.len(), 2);
    assert_eq!(
        (known[0].vtep, known[0].macs, known[0].floods),
        (vtep(1), 2, true)
    );
    assert!(
        known[0]
            .gateways
            .iter()
            .eq(&["10.30.0.1".parse::<IpAddr>().unwrap()])
    );
    assert!(
        known[0]
            .ips
            .iter()
            .eq(&["10.30.0.9".parse::<IpAddr>().unwrap()])
    );
    assert_eq!(
        (known[1].vtep, known[1].macs, known[1].floods),
        (vtep(2), 0, true)
    );
    assert_eq!(third.announcers(vni(301)), []);
    // Our own routes are not others'.
    assert_eq!(one.announcers(vni(300)), []);
}

#[test]
fn addresses_are_shown_part_by_part_and_with_their_age() {
    let start = Instant::now();
    let later = start + Duration::from_secs(90);
    let production = || VniConfig::new("production");
    let mut here = site(start, 1, &[(100, production()), (300, production())]);
    let mut other = site(start, 2, &[(100, production()), (300, production())]);
    for machine in 1..=5 {
        let ip = Some([10, 100, 0, machine].into());
        attach(&mut other, 100 + 200 * u32::from(machine % 2), machine, ip);
    }
    while let Some(output) = other.poll() {
        if let Output::Originate { key, attributes } = output {
            let attributes = Some(attributes.freeze());
            here.handle(start, Input::Route { key, attributes });
        }
    }
    let all: Vec<_> = here
        .macs_behind(None, None)
        .map(|it| (it.vni, it.mac))
        .collect();
    assert_eq!(all.len(), 5);
    for at in 0..5 {
        let behind = here.macs_behind(None, Some(all[at]));
        assert!(
            behind
                .map(|it| (it.vni, it.mac))
                .eq(all[at + 1..].iter().copied())
        );
    }
    // Behind one that is not there, and of one VNI.
    let behind = |vni, after| {
        here.macs_behind(vni, after)
            .map(|it| it.mac)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        behind(None, Some((vni(200), mac(9)))),
        [mac(1), mac(3), mac(5)]
    );
    assert_eq!(behind(Some(vni(100)), None), [mac(2), mac(4)]);
    assert_eq!(behind(Some(vni(100)), Some((vni(100), mac(2)))), [mac(4)]);
    assert_eq!(
        behind(Some(vni(300)), Some((vni(100), mac(2)))),
        [mac(1), mac(3), mac(5)]
    );
    let ips = here.neighbours_behind(Some(vni(300)), Some((vni(300), [10, 100, 0, 1].into())));
    let ips: Vec<_> = ips.map(|it| (it.ip, it.mac, it.vtep, it.since)).collect();
    let remote = |machine: u8| {
        (
            [10, 100, 0, machine].into(),
            mac(machine),
            Some(vtep(2)),
            Some(start),
        )
    };
    assert_eq!(ips, [remote(3), remote(5)]);
    let sites = here.vteps();
    assert_eq!(sites.len(), 1);
    assert_eq!(
        (sites[0].macs, sites[0].routes, sites[0].since),
        (5, 12, Some(start))
    );
    assert_eq!(sites[0].vnis, [vni(100), vni(300)]);
    // One of them comes to us: its age is that of the move, the others' stay.
    here.handle(
        later,
        Input::LocalMac {
            vni: vni(100),
            mac: mac(2),
            present: true,
            sticky: false,
        },
    );
    let ages = [2, 4].map(|machine| here.mac_since(vni(100), mac(machine)));
    assert_eq!(ages, [Some(later), Some(start)]);
    let own = here.originated().map(|(key, _)| key.clone());
    let own = own.filter(|key| matches!(key, EvpnKey::MacIp { .. }));
    let own: Vec<_> = own.map(|key| here.route_since(&key)).collect();
    assert_eq!(own, [Some(later)]);
    let counted = here.vnis();
    assert_eq!((counted[0].local_macs, counted[0].remote_macs), (1, 1));
    assert_eq!((counted[1].local_macs, counted[1].remote_macs), (0, 3));
    // A site without routes is none.
    let keys: Vec<EvpnKey> = here.received().map(|it| it.route.key.clone()).collect();
    assert!(keys.iter().all(|key| here.route_since(key) == Some(start)));
    for key in keys {
        let attributes = None;
        here.handle(later, Input::Route { key, attributes });
    }
    assert_eq!(here.vteps(), []);
}
