//! Answers about sites that hear each other, each with networks of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp::{MacAddress, Vni};

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

fn site(number: u8, vnis: &[(u32, VniConfig)]) -> Instance {
    let mut instance = Instance::new(Config {
        local_as: bgp::Asn(65000 + u32::from(number)),
        router_id: [10, 10, 0, number].into(),
        vtep: Some(vtep(number)),
    });
    for (number, config) in vnis {
        let (vni, config) = (vni(*number), config.clone());
        instance.handle(Instant::now(), Input::SetVni { vni, config });
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
            let attributes = Some(Arc::new(attributes.freeze()));
            to.handle(Instant::now(), Input::Route { key, attributes });
        }
    }
}

#[test]
fn whoever_announces_a_number_is_known_before_it_is_configured() {
    let gateway = VniConfig::new("guests")
        .gateway(Some(mac(0xfe)), vec!["10.30.0.1".parse().unwrap()])
        .advertise_gateway(true);
    let mut one = site(1, &[(300, gateway), (100, VniConfig::new("other"))]);
    attach(&mut one, 300, 1, Some("10.30.0.9".parse().unwrap()));
    attach(&mut one, 300, 2, None);
    attach(&mut one, 100, 3, Some("10.40.0.9".parse().unwrap()));
    // Another number for the same routes: they would be taken in all the same.
    let translated = VniConfig::new("theirs").export_target("65002:300".parse().unwrap());
    let mut two = site(2, &[(900, translated)]);
    let mut third = site(3, &[(100, VniConfig::new("other"))]);
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
