use super::*;

const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn attributes(vtep: &str) -> AttributeSet {
    AttributeSet::new(vtep.parse::<IpAddr>().unwrap().into())
}

fn mac_key(tag: u32, mac: &str) -> EvpnKey {
    EvpnKey::MacIp {
        rd: "10.0.0.2:1".parse().unwrap(),
        tag,
        mac: mac.parse().unwrap(),
        ip: None,
    }
}

fn flood_key() -> EvpnKey {
    EvpnKey::InclusiveMulticast {
        rd: "10.0.0.2:1".parse().unwrap(),
        tag: 0,
        originator: [10, 0, 0, 2].into(),
    }
}

fn fault(key: &EvpnKey, attributes: &AttributeSet) -> Option<Fault> {
    Path::from(attributes).fault(key, Vni::new(100).unwrap(), OWN)
}

#[test]
fn vxlan_among_several_encapsulations_or_none_at_all_is_usable() {
    let nvgre = ExtendedCommunity([3, 0x0c, 0, 0, 0, 0, 0, 9]);
    let key = mac_key(0, "02:00:00:00:00:01");
    let mut set = attributes("10.0.0.2");
    assert_eq!(fault(&key, &set), None);
    set.extended_communities = vec![nvgre];
    assert_eq!(fault(&key, &set), Some(Fault::Encapsulation));
    set.extended_communities = vec![nvgre, ExtendedCommunity::ENCAPSULATION_VXLAN];
    assert_eq!(fault(&key, &set), None);
    set.extended_communities = vec![ExtendedCommunity::ENCAPSULATION_VXLAN];
    assert_eq!(fault(&key, &set), None);
}

#[test]
fn next_hops_that_no_tunnel_can_end_at_are_named() {
    let key = mac_key(0, "02:00:00:00:00:01");
    let of = |vtep: &str| fault(&key, &attributes(vtep));
    assert_eq!(of("10.0.0.1"), Some(Fault::OwnVtep));
    assert!(matches!(of("2001:db8::1"), Some(Fault::AddressFamily(_))));
    assert!(matches!(of("0.0.0.0"), Some(Fault::Vtep(_))));
    assert!(matches!(of("239.0.0.1"), Some(Fault::Vtep(_))));
    assert!(matches!(of("127.0.0.1"), Some(Fault::Vtep(_))));
    assert!(matches!(of("255.255.255.255"), Some(Fault::Vtep(_))));
    assert_eq!(of("10.0.0.2"), None);
}

#[test]
fn a_group_or_zero_address_cannot_take_over_the_flood_list() {
    for mac in [
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
    ] {
        let fault = fault(&mac_key(0, mac), &attributes("10.0.0.2"));
        assert!(matches!(fault, Some(Fault::NotAStation(_))), "{mac}");
    }
}

#[test]
fn the_ethernet_tag_is_zero_or_the_vni() {
    let of = |tag| fault(&mac_key(tag, "02:00:00:00:00:01"), &attributes("10.0.0.2"));
    assert_eq!(of(0), None);
    assert_eq!(of(100), None);
    assert_eq!(of(7), Some(Fault::EthernetTag(7)));
}

#[test]
fn only_ingress_replication_makes_a_flood_entry() {
    let mut set = attributes("10.0.0.2");
    assert_eq!(fault(&flood_key(), &set), Some(Fault::Tunnel(None)));
    let mut tunnel = bgp::attributes::PmsiTunnel {
        flags: 0,
        tunnel_type: 3,
        label: 100,
        identifier: Box::new([10, 0, 0, 2]),
    };
    set.pmsi_tunnel = Some(tunnel.clone());
    assert_eq!(fault(&flood_key(), &set), Some(Fault::Tunnel(Some(3))));
    tunnel.tunnel_type = INGRESS_REPLICATION;
    set.pmsi_tunnel = Some(tunnel);
    assert_eq!(fault(&flood_key(), &set), None);
    assert_eq!(Path::from(&set).tunnel_label, Some(100));
}

#[test]
fn mobility_and_router_mac_are_read() {
    let mut set = attributes("10.0.0.2");
    let mac = MacAddress([2, 0, 0, 0, 0, 9]);
    set.extended_communities = vec![
        "65000:100".parse().unwrap(),
        ExtendedCommunity::mac_mobility(7, true),
        ExtendedCommunity::router_mac(mac),
        ExtendedCommunity::DEFAULT_GATEWAY,
    ];
    let path = Path::from(&set);
    assert_eq!((path.sequence, path.sticky), (7, true));
    assert_eq!(path.router_mac, Some(mac));
    assert!(path.default_gateway);
    assert_eq!(path.targets.len(), 1);
}
