use super::*;

#[test]
fn communities_are_shown_as_they_are_read() {
    for text in [
        "65001:100",
        "0:0",
        "graceful-shutdown",
        "local-AS",
        "blackhole",
    ] {
        let community: Community = text.parse().unwrap();
        assert_eq!(community.to_string(), text);
    }
    for text in ["65536:1", "1", "1:2:3", "", "no_export"] {
        assert!(text.parse::<Community>().is_err(), "{text}");
    }
}

#[test]
fn large_communities_are_shown_as_they_are_read() {
    let community: LargeCommunity = "4200000000:1:2".parse().unwrap();
    assert_eq!(community.to_string(), "4200000000:1:2");
    for text in ["1:2", "1:2:3:4", "4294967296:1:1", ""] {
        assert!(text.parse::<LargeCommunity>().is_err(), "{text}");
    }
}

#[test]
fn route_targets_take_the_form_their_administrator_needs() {
    for (text, octets) in [
        ("65000:100", [0x00, 0x02, 0xfd, 0xe8, 0, 0, 0, 100]),
        (
            "4200000000:100",
            [0x02, 0x02, 0xfa, 0x56, 0xea, 0x00, 0, 100],
        ),
        ("10.0.0.1:100", [0x01, 0x02, 10, 0, 0, 1, 0, 100]),
    ] {
        let target: ExtendedCommunity = text.parse().unwrap();
        assert_eq!(target, ExtendedCommunity(octets));
        assert!(target.is_route_target());
        assert_eq!(target.to_string(), format!("RT:{text}"));
    }
    assert!("4200000000:65536".parse::<ExtendedCommunity>().is_err());
}

#[test]
fn evpn_communities_are_read_as_they_are_made() {
    let mac: MacAddress = "02:00:00:00:00:01".parse().unwrap();
    let mobility = ExtendedCommunity::mac_mobility(5, true);
    assert_eq!(mobility.as_mac_mobility(), Some((5, true)));
    assert_eq!(mobility.to_string(), "MM:5,sticky");
    let router = ExtendedCommunity::router_mac(mac);
    assert_eq!(router.as_router_mac(), Some(mac));
    assert_eq!(router.to_string(), "Rmac:02:00:00:00:00:01");
    let import = ExtendedCommunity::es_import(mac);
    assert_eq!(import.as_es_import(), Some(mac));
    assert_eq!(import.to_string(), "ES-Import-Rt:02:00:00:00:00:01");
    let label = ExtendedCommunity::esi_label(true, 100);
    assert_eq!(label.as_esi_label(), Some((true, 100)));
    assert_eq!(label.to_string(), "ESI-label-Rt:SA");
    assert_eq!(ExtendedCommunity::ENCAPSULATION_VXLAN.to_string(), "ET:8");
    for community in [mobility, router, import, label] {
        assert!(community.is_transitive() && !community.is_route_target());
    }
}
