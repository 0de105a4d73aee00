//! Addresses of this router: those that it alone has, and what others claim of them.

use std::collections::BTreeSet;

use super::*;
use crate::Concern;
use crate::duplicate::Address;
use crate::vrf::VrfConfig;

/// The gateway's, at every site.
const GATEWAY_MAC: MacAddress = MacAddress([2, 0, 0x5e, 0, 0, 100]);

fn with_gateway() -> Instance {
    let mut a = site(1);
    let config = VniConfig::new("production").gateway(Some(GATEWAY_MAC), vec![ip(1)]);
    set_vni(&mut a, VNI, config);
    drain(&mut a);
    a
}

fn svi(addresses: &[(u8, u8)]) -> Input {
    let addresses = addresses.iter().map(|(last, host)| (mac(*last), ip(*host)));
    Input::SetSvi {
        vni: vni(VNI),
        addresses: addresses.collect(),
    }
}

fn concerns(instance: &Instance) -> Vec<String> {
    let concerns = instance.concerns().into_iter();
    concerns.map(|it| it.to_string()).collect()
}

#[test]
fn own_addresses_are_told_as_a_stations_and_taken_back() {
    let mut a = with_gateway();
    a.handle(now(), svi(&[(0xa, 251)]));
    let key = "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:0a]:[32]:[10.100.0.251]";
    assert_eq!(text(&drain(&mut a)), [format!("+{key} seq 0")]);
    // Nothing new.
    a.handle(now(), svi(&[(0xa, 251)]));
    assert_eq!(drain(&mut a), []);
    a.handle(now(), svi(&[(0xb, 251)]));
    let other = "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:0b]:[32]:[10.100.0.251]";
    let lines = [format!("+{other} seq 0"), format!("-{key}")];
    assert_eq!(text(&drain(&mut a)), lines);
    a.handle(now(), svi(&[]));
    assert_eq!(text(&drain(&mut a)), [format!("-{other}")]);
}

#[test]
fn own_addresses_of_a_vni_come_before_it_or_after_it() {
    let mut early = site(1);
    early.handle(now(), svi(&[(0xa, 251)]));
    assert_eq!(drain(&mut early), []);
    set_vni(&mut early, VNI, VniConfig::new("production"));
    let mut late = site_with_vni(1);
    late.handle(now(), svi(&[(0xa, 251)]));
    let told = |instance: &Instance| -> BTreeSet<String> {
        let routes = instance.originated();
        routes.map(|(key, set)| format!("{key} {set:?}")).collect()
    };
    assert_eq!(told(&early), told(&late));
    assert_eq!(told(&early).len(), 2);
    // Another tunnel endpoint is in them, too.
    early.handle(now(), Input::SetVtep(Some(vtep(9))));
    assert_eq!(told(&early).len(), 2);
    assert!(told(&early).iter().all(|it| it.contains("10.10.0.9")));
}

#[test]
fn where_no_gateway_is_configured_own_addresses_may_be_told_as_the_gateway() {
    let community = |instance: &Instance| -> Vec<bool> {
        let routes = instance.originated();
        let own = routes.filter(|(key, _)| mac_of(key) == Some(mac(0xa)));
        own.map(|(_, set)| {
            let gateway = bgp::ExtendedCommunity::DEFAULT_GATEWAY;
            set.extended_communities.contains(&gateway)
        })
        .collect()
    };
    let mut a = site_with_vni(1);
    a.handle(now(), svi(&[(0xa, 251)]));
    assert_eq!(community(&a), [false]);
    let own = VniConfig::new("production").advertise_gateway(true);
    set_vni(&mut a, VNI, own);
    assert_eq!(community(&a), [true]);
    assert_eq!(a.vnis()[0].problems, []);
    // Beside a gateway they are those of a station.
    let beside = VniConfig::new("production")
        .gateway(Some(GATEWAY_MAC), vec![ip(1)])
        .advertise_gateway(true);
    set_vni(&mut a, VNI, beside);
    assert_eq!(community(&a), [false]);
}

#[test]
fn own_addresses_carry_the_l3_vni_of_the_vrf_that_the_bridge_is_in() {
    let mut a = site(1);
    a.handle(
        now(),
        Input::SetVrf {
            name: "red".into(),
            config: VrfConfig::new(vni(4001), mac(0xee)),
        },
    );
    set_vni(&mut a, VNI, VniConfig::new("tenant").vrf("red".into()));
    a.handle(now(), svi(&[(0xa, 251)]));
    let (_, attributes) = a
        .originated()
        .find(|(key, _)| mac_of(key) == Some(mac(0xa)))
        .unwrap();
    assert_eq!(attributes.evpn.unwrap().label2, Some(4001));
}

#[test]
fn nobody_takes_an_own_address_over() {
    let mut a = with_gateway();
    from(2).sequence(7).announces(&mut a, mac(0xa), Some(ip(9)));
    from(2).announces(&mut a, mac(3), Some(ip(251)));
    let before = text(&drain(&mut a));
    assert!(
        before
            .iter()
            .any(|it| it.starts_with("+mac 100 02:00:00:00:00:0a 10.10.0.2"))
    );
    a.handle(now(), svi(&[(0xa, 251)]));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:0a]:[32]:[10.100.0.251] seq 0",
            "-neighbour 100 10.100.0.9",
            "-neighbour 100 10.100.0.251",
            "-mac 100 02:00:00:00:00:0a",
        ]
    );
    assert_eq!(
        concerns(&a),
        [
            "VNI 100: 02:00:00:00:00:0a is this router's, and 10.10.0.2 has a machine that uses it, \
             too; frames for that machine do not leave this site",
            "VNI 100: 10.100.0.251 is this router's, and the machine 02:00:00:00:00:03 at 10.10.0.2 \
             uses it, too; its neighbors there may take it for their gateway",
        ]
    );
    // It is theirs again when it is not ours any more.
    a.handle(now(), svi(&[]));
    let after = text(&drain(&mut a));
    assert!(after.contains(&"+mac 100 02:00:00:00:00:0a 10.10.0.2 seq 7".to_owned()));
    assert_eq!(concerns(&a), Vec::<String>::new());
}

#[test]
fn a_machine_elsewhere_that_uses_the_gateways_address_is_named() {
    let mut a = with_gateway();
    from(2).announces(&mut a, mac(3), Some(ip(1)));
    from(3).announces(&mut a, GATEWAY_MAC, None);
    from(3).announces(&mut a, mac(4), Some(ip(40)));
    let named = a.concerns();
    let address = |address, mac, site| Concern::OwnAddress {
        vni: vni(VNI),
        address,
        mac,
        vtep: vtep(site),
    };
    let wanted = [
        address(Address::Mac(GATEWAY_MAC), GATEWAY_MAC, 3),
        address(Address::Ip(ip(1)), mac(3), 2),
    ];
    assert_eq!(named, BTreeSet::from(wanted));
    from(2).withdraws(&mut a, mac(3), Some(ip(1)));
    from(3).withdraws(&mut a, GATEWAY_MAC, None);
    assert!(a.concerns().is_empty());
}

#[test]
fn the_same_gateway_at_another_site_is_as_it_should_be() {
    let mut a = with_gateway();
    let mut gateway = from(2);
    gateway.extra.push(ExtendedCommunity::DEFAULT_GATEWAY);
    gateway.announces(&mut a, GATEWAY_MAC, Some(ip(1)));
    // A gateway with a MAC address of its own stands beside ours.
    gateway.announces(&mut a, mac(7), Some(ip(1)));
    assert!(a.concerns().is_empty());
}

#[test]
fn a_router_with_our_tunnel_endpoint_is_named_as_long_as_it_has_routes() {
    let mut a = site_with_vni(1);
    let mut twin = from(1);
    twin.vni = 7;
    twin.announces(&mut a, mac(3), None);
    let own = vtep(1);
    assert_eq!(
        a.concerns(),
        BTreeSet::from([Concern::OwnVtep { vtep: own }])
    );
    twin.withdraws(&mut a, mac(3), None);
    assert!(a.concerns().is_empty());
}
