use bgp::wire::{Context, decode, encode_open};
use bgp::{Asn, Community, ExtendedCommunity, LargeCommunity, MacAddress, RouteDistinguisher};

use super::*;

fn decoded(octets: &[u8]) -> Value {
    match decode(octets, &Context::default()) {
        Ok(decoded) => message(&decoded),
        Err(wrong) => error(&wrong),
    }
}

#[test]
fn an_open_shows_every_capability() {
    let open = Open {
        asn: Asn(4_200_000_001),
        hold_time: 90,
        router_id: "10.10.0.1".parse().unwrap(),
        capabilities: vec![
            Capability::Multiprotocol(1, 1),
            Capability::Multiprotocol(25, 70),
            Capability::RouteRefresh,
            Capability::ExtendedNextHop(vec![(1, 1, 2)]),
            Capability::ExtendedMessage,
            Capability::Role(Role::Customer),
            Capability::GracefulRestart(GracefulRestart {
                restarting: true,
                notification: false,
                restart_time: 120,
                families: vec![(1, 1, true)],
            }),
            Capability::FourOctetAs(Asn(4_200_000_001)),
            Capability::AddPath(vec![(1, 1, AddPathMode::Both)]),
            Capability::EnhancedRouteRefresh,
            Capability::Fqdn {
                hostname: "a".to_owned(),
                domain: "example".to_owned(),
            },
            Capability::Unknown {
                code: 200,
                bytes: [1, 255].into(),
            },
        ],
    };
    let value = decoded(&encode_open(&open));
    assert_eq!(value["type"], "open");
    assert_eq!(value["asn"], 4_200_000_001_u32);
    assert_eq!(value["hold_time_s"], 90);
    assert_eq!(value["router_id"], "10.10.0.1");
    let capabilities = value["capabilities"].as_array().unwrap();
    assert_eq!(capabilities.len(), 12, "{value}");
    assert_eq!(
        capabilities[1],
        json!({"code": 1, "name": "multiprotocol", "afi": 25, "safi": 70, "family": "evpn"})
    );
    assert_eq!(capabilities[5]["role"], "customer");
    assert_eq!(capabilities[6]["restart_time_s"], 120);
    assert_eq!(capabilities[8]["families"][0]["mode"], "both");
    assert_eq!(capabilities[11], json!({"code": 200, "value": "01ff"}));
}

#[test]
fn a_notification_is_named_and_its_text_is_read() {
    let octets = [&[0xff; 16][..], &[0, 24, 3, 6, 2, 2, b'h', b'i']].concat();
    assert_eq!(
        decoded(&octets),
        json!({
            "type": "notification", "code": 6, "subcode": 2, "data": "026869", "text": "hi",
            "name": "Cease/Administrative Shutdown: \"hi\"",
        })
    );
}

#[test]
fn a_route_refresh_names_its_family_where_it_has_a_name() {
    let refresh =
        |afi: u8, safi: u8| decoded(&[&[0xff; 16][..], &[0, 23, 5, 0, afi, 0, safi]].concat());
    assert_eq!(
        refresh(2, 1),
        json!({"type": "route_refresh", "afi": 2, "safi": 1, "family": "ipv6_unicast",
               "kind": "request"})
    );
    assert_eq!(refresh(1, 128)["family"], Value::Null);
}

#[test]
fn a_broken_header_says_what_the_session_would_answer() {
    let value = decoded(&[0; 19]);
    assert!(value["error"].is_string());
    assert_eq!(value["notification"]["code"], 1);
    assert_eq!(value["notification"]["subcode"], 1);
    assert_eq!(value["consequence"], "reset_session");
}

fn rd() -> RouteDistinguisher {
    "10.10.0.1:100".parse().unwrap()
}

#[test]
fn every_type_of_evpn_route_shows_all_its_fields() {
    let tail = EvpnTail {
        label: 100,
        label2: Some(5000),
        gateway: Some("10.100.0.9".parse().unwrap()),
        ..EvpnTail::default()
    };
    let esi = "00:00:00:00:00:00:00:00:00:00";
    for (key, with_tail) in [
        (
            EvpnKey::EthernetAd {
                rd: rd(),
                esi: Default::default(),
                tag: 7,
            },
            json!({"route_type": 1, "name": "ethernet_ad", "rd": "10.10.0.1:100", "esi": esi,
                   "ethernet_tag": 7, "label": 100}),
        ),
        (
            EvpnKey::MacIp {
                rd: rd(),
                tag: 0,
                mac: MacAddress([2, 0, 0, 0, 0, 1]),
                ip: Some("10.100.0.5".parse().unwrap()),
            },
            json!({"route_type": 2, "name": "mac_ip", "rd": "10.10.0.1:100", "ethernet_tag": 0,
                   "mac": "02:00:00:00:00:01", "ip": "10.100.0.5", "esi": esi, "label": 100,
                   "label2": 5000}),
        ),
        (
            EvpnKey::InclusiveMulticast {
                rd: rd(),
                tag: 0,
                originator: "10.10.0.1".parse().unwrap(),
            },
            json!({"route_type": 3, "name": "inclusive_multicast", "rd": "10.10.0.1:100",
                   "ethernet_tag": 0, "originator": "10.10.0.1"}),
        ),
        (
            EvpnKey::EthernetSegment {
                rd: rd(),
                esi: Default::default(),
                originator: "2001:db8::1".parse().unwrap(),
            },
            json!({"route_type": 4, "name": "ethernet_segment", "rd": "10.10.0.1:100",
                   "esi": esi, "originator": "2001:db8::1"}),
        ),
        (
            EvpnKey::IpPrefix {
                rd: rd(),
                tag: 0,
                prefix: "10.100.0.0/24".parse().unwrap(),
            },
            json!({"route_type": 5, "name": "ip_prefix", "rd": "10.10.0.1:100",
                   "ethernet_tag": 0, "ip_prefix": "10.100.0.0/24", "esi": esi, "label": 100,
                   "gateway": "10.100.0.9"}),
        ),
    ] {
        assert_eq!(evpn_route(&key, Some(&tail)), with_tail);
        let without = evpn_route(&key, None);
        assert_eq!(
            without.get("label"),
            None,
            "a withdrawal has no label to tell"
        );
        assert_eq!(without["route_type"], key.route_type());
    }
    let key = EvpnKey::Unknown {
        route_type: 9,
        bytes: [0xab].into(),
    };
    assert_eq!(
        evpn_route(&key, None),
        json!({"route_type": 9, "value": "ab"})
    );
}

#[test]
fn every_attribute_has_its_key_and_absent_ones_have_none() {
    let mut set_of = AttributeSet::new(NextHop::V6LinkLocal {
        global: "2001:db8::2".parse().unwrap(),
        link_local: "fe80::2".parse().unwrap(),
    });
    assert_eq!(
        attributes(&set_of),
        json!({"origin": "igp", "as_path": [], "next_hop": "2001:db8::2",
               "next_hop_link_local": "fe80::2"})
    );
    let segment = |kind, numbers: &[u32]| Segment {
        kind,
        asns: numbers.iter().map(|asn| Asn(*asn)).collect(),
    };
    set_of.origin = Origin::Incomplete;
    set_of.as_path = vec![
        segment(SegmentKind::ConfedSequence, &[64512]),
        segment(SegmentKind::Sequence, &[65001, 65002]),
        segment(SegmentKind::Set, &[1, 2]),
    ];
    set_of.med = Some(5);
    set_of.local_pref = Some(200);
    set_of.atomic_aggregate = true;
    set_of.aggregator = Some(Aggregator {
        asn: Asn(65001),
        router_id: "10.0.0.1".parse().unwrap(),
    });
    set_of.communities = vec![Community::GRACEFUL_SHUTDOWN, Community(65_001 << 16 | 7)];
    set_of.extended_communities = vec![ExtendedCommunity::mac_mobility(3, true)];
    set_of.large_communities = vec![LargeCommunity {
        global: 1,
        local1: 2,
        local2: 3,
    }];
    set_of.originator_id = Some("10.0.0.9".parse().unwrap());
    set_of.cluster_list = vec!["10.0.0.8".parse().unwrap()];
    set_of.pmsi_tunnel = Some(PmsiTunnel {
        flags: 0,
        tunnel_type: 6,
        label: 100,
        identifier: [10, 10, 0, 1].into(),
    });
    set_of.only_to_customer = Some(Asn(65009));
    set_of.unknown = vec![UnknownAttribute {
        flags: 0xe0,
        code: 99,
        bytes: [0xde].into(),
    }];
    assert_eq!(
        attributes(&set_of),
        json!({
            "origin": "incomplete",
            "as_path": [{"confed_sequence": [64512]}, 65001, 65002, {"set": [1, 2]}],
            "next_hop": "2001:db8::2",
            "next_hop_link_local": "fe80::2",
            "med": 5,
            "local_pref": 200,
            "atomic_aggregate": true,
            "aggregator": {"asn": 65001, "router_id": "10.0.0.1"},
            "communities": ["graceful-shutdown", "65001:7"],
            "extended_communities": ["MM:3,sticky"],
            "large_communities": ["1:2:3"],
            "originator_id": "10.0.0.9",
            "cluster_list": ["10.0.0.8"],
            "pmsi_tunnel": {"flags": 0, "tunnel_type": 6, "label": 100,
                            "identifier": "10.10.0.1"},
            "only_to_customer": 65009,
            "unknown": [{"code": 99, "flags": 224, "value": "de"}],
        })
    );
}

#[test]
fn an_end_of_rib_names_its_family() {
    let octets = [&[0xff; 16][..], &[0, 23, 2, 0, 0, 0, 0]].concat();
    let value = decoded(&octets);
    assert_eq!(value["end_of_rib"], "ipv4_unicast");
    assert_eq!(value["announced"], json!([]));
    assert_eq!(value.get("attributes"), None);
}
