use super::*;
use crate::wire::tests::hex;

fn rd() -> RouteDistinguisher {
    "10.10.0.1:100".parse().unwrap()
}

fn mac() -> MacAddress {
    "02:00:00:00:00:01".parse().unwrap()
}

const ESI: Esi = Esi([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

/// Octets, key and tail of each type in each of its lengths.
fn vectors() -> Vec<(&'static str, EvpnKey, EvpnTail)> {
    let none = EvpnTail::default();
    let vni = |label| EvpnTail { label, ..none };
    let mac_ip = |ip: Option<&str>| EvpnKey::MacIp {
        rd: rd(),
        tag: 0,
        mac: mac(),
        ip: ip.map(|ip| ip.parse().unwrap()),
    };
    let ip_prefix = |prefix: &str| EvpnKey::IpPrefix {
        rd: rd(),
        tag: 0,
        prefix: prefix.parse().unwrap(),
    };
    vec![
        (
            "01 19 00010a0a00010064 00010203040506070809 ffffffff 000000",
            EvpnKey::EthernetAd {
                rd: rd(),
                esi: ESI,
                tag: u32::MAX,
            },
            none,
        ),
        (
            "02 21 00010a0a00010064 00000000000000000000 00000000 30 020000000001 00 000064",
            mac_ip(None),
            vni(100),
        ),
        (
            "02 25 00010a0a00010064 00010203040506070809 00000000 30 020000000001
             20 0a640005 000064",
            mac_ip(Some("10.100.0.5")),
            EvpnTail {
                esi: ESI,
                ..vni(100)
            },
        ),
        (
            "02 28 00010a0a00010064 00000000000000000000 00000000 30 020000000001
             20 0a640005 000064 00c350",
            mac_ip(Some("10.100.0.5")),
            EvpnTail {
                label2: Some(50_000),
                ..vni(100)
            },
        ),
        (
            "02 31 00010a0a00010064 00000000000000000000 00000000 30 020000000001
             80 20010db8000000000000000000000005 000064",
            mac_ip(Some("2001:db8::5")),
            vni(100),
        ),
        (
            "03 11 00010a0a00010064 00000000 20 0a0a0001",
            EvpnKey::InclusiveMulticast {
                rd: rd(),
                tag: 0,
                originator: "10.10.0.1".parse().unwrap(),
            },
            none,
        ),
        (
            "03 1d 00010a0a00010064 00000007 80 fd000000000000000000000000000001",
            EvpnKey::InclusiveMulticast {
                rd: rd(),
                tag: 7,
                originator: "fd00::1".parse().unwrap(),
            },
            none,
        ),
        (
            "04 17 00010a0a00010064 00010203040506070809 20 0a0a0001",
            EvpnKey::EthernetSegment {
                rd: rd(),
                esi: ESI,
                originator: "10.10.0.1".parse().unwrap(),
            },
            none,
        ),
        (
            "05 22 00010a0a00010064 00000000000000000000 00000000 18 0a640100 00000000 00c350",
            ip_prefix("10.100.1.0/24"),
            vni(50_000),
        ),
        (
            "05 22 00010a0a00010064 00000000000000000000 00000000 18 0a640100 0a640005 000000",
            ip_prefix("10.100.1.0/24"),
            EvpnTail {
                gateway: Some("10.100.0.5".parse().unwrap()),
                ..none
            },
        ),
        (
            "05 3a 00010a0a00010064 00000000000000000000 00000000
             40 20010db8000100000000000000000000 00000000000000000000000000000000 00c350",
            ip_prefix("2001:db8:1::/64"),
            vni(50_000),
        ),
        (
            "0b 03 010203",
            EvpnKey::Unknown {
                route_type: 11,
                bytes: [1, 2, 3].into(),
            },
            none,
        ),
    ]
}

/// What a route of a known type is refused for.
fn fault(decoded: Result<(PathId, EvpnKey, EvpnTail), NlriFault>) -> EvpnFault {
    match decoded {
        Err(NlriFault::Evpn(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_is_read_and_written() {
    for (octets, key, tail) in vectors() {
        let octets = hex(octets);
        let decoded = decode(&mut Reader::new(&octets), false);
        assert_eq!(decoded, Ok((0, key.clone(), tail)));
        let mut out = BytesMut::new();
        key.put(&tail, &mut out);
        assert_eq!(out, octets, "{key}");
        assert_eq!(key.wire_len(&tail), octets.len(), "{key}");
    }
}

#[test]
fn a_path_identifier_stands_before_the_type() {
    let octets = hex("00000007 03 11 00010a0a00010064 00000000 20 0a0a0001");
    let (id, key, _) = decode(&mut Reader::new(&octets), true).unwrap();
    assert_eq!((id, key.route_type()), (7, 3));
}

#[test]
fn a_known_type_cut_or_extended_by_an_octet_is_malformed() {
    for (octets, key, _) in vectors() {
        let octets = hex(octets);
        let mut cut = octets.clone();
        cut.pop();
        cut[1] -= 1;
        let mut longer = octets;
        longer.push(0);
        longer[1] += 1;
        for octets in [cut, longer] {
            let decoded = decode(&mut Reader::new(&octets), false);
            if let EvpnKey::Unknown { .. } = key {
                assert!(decoded.is_ok());
            } else {
                let fault = fault(decoded);
                let length = (fault.route_type, fault.field, fault.value);
                assert_eq!(length, (octets[0], "the length", octets[1]), "{key}");
            }
        }
    }
}

#[test]
fn a_route_longer_than_its_attribute_overruns() {
    let octets = hex("03 11 00010a0a00010064 00000000 20 0a0a00");
    let decoded = decode(&mut Reader::new(&octets), false);
    assert_eq!(decoded, Err(NlriFault::Overrun));
}

#[test]
fn lengths_within_a_route_must_be_the_ones_the_type_has() {
    let routes = [
        (
            "02 21 00010a0a00010064 00000000000000000000 00000000 2f 020000000001 00 000064",
            "the length of the MAC address of the EVPN type `2` route is `47`, but must be 48",
        ),
        (
            "02 25 00010a0a00010064 00000000000000000000 00000000 30 020000000001 21 0a640005 000064",
            "the length of the IP address of the EVPN type `2` route is `33`, but must be 0, 32 or 128",
        ),
        (
            "03 11 00010a0a00010064 00000000 00 0a0a0001",
            "the length of the originating router's address of the EVPN type `3` route is `0`, but must be \
             32 or 128",
        ),
        (
            "05 22 00010a0a00010064 00000000000000000000 00000000 21 0a640100 00000000 00c350",
            "the length of the prefix of the EVPN type `5` route is `33`, but must be 0 to 32",
        ),
        (
            "05 23 00010a0a00010064 00000000000000000000 00000000 18 0a640100 00000000 00c35000",
            "the length of the EVPN type `5` route is `35`, but must be 34 or 58",
        ),
    ];
    for (route, said) in routes {
        let decoded = decode(&mut Reader::new(&hex(route)), false);
        assert_eq!(decoded.unwrap_err().to_string(), said, "{route}");
    }
}

#[test]
fn every_length_of_an_address_or_prefix_that_a_type_does_not_have_is_malformed() {
    let read = |octets: &[u8]| decode(&mut Reader::new(octets), false);
    // Where the length in bits stands, and which ones the type has.
    let places = [
        (
            "02 25 00010a0a00010064 00000000000000000000 00000000 30 020000000001 20 0a640005 000064",
            24,
            &[48][..],
        ),
        (
            "02 25 00010a0a00010064 00000000000000000000 00000000 30 020000000001 20 0a640005 000064",
            31,
            &[32],
        ),
        (
            "02 31 00010a0a00010064 00000000000000000000 00000000 30 020000000001
          80 20010db8000000000000000000000005 000064",
            31,
            &[128],
        ),
        ("03 11 00010a0a00010064 00000000 20 0a0a0001", 14, &[32]),
        (
            "04 17 00010a0a00010064 00010203040506070809 20 0a0a0001",
            20,
            &[32],
        ),
    ];
    for (route, at, has) in places {
        let mut octets = hex(route);
        assert!(has.contains(&octets[at]), "{route}: {:02x}", octets[at]);
        for bits in 0..=u8::MAX {
            octets[at] = bits;
            let route_type = octets[0];
            match has.contains(&bits) {
                true => assert!(read(&octets).is_ok(), "{route}: {bits}"),
                false => {
                    let found = fault(read(&octets));
                    assert_eq!(found.route_type, route_type, "{route}: {bits}");
                    // Of a length that other routes of the type have, the route's own does not fit.
                    let of_field = found.field != "the length";
                    assert!(!of_field || found.value == bits, "{route}: {found:?}");
                }
            }
        }
    }
    // A prefix may be as long as its address; the gateway is of its version by the route's length.
    for (route, most) in [
        (
            "05 22 00010a0a00010064 00000000000000000000 00000000 18 0a640100 00000000 00c350",
            32,
        ),
        (
            "05 3a 00010a0a00010064 00000000000000000000 00000000
          40 20010db8000100000000000000000000 00000000000000000000000000000000 00c350",
            128,
        ),
    ] {
        let mut octets = hex(route);
        for bits in 0..=u8::MAX {
            octets[24] = bits;
            assert_eq!(read(&octets).is_ok(), bits <= most, "{route}: {bits}");
        }
        for length in (0..=u8::MAX).filter(|length| *length != octets[1]) {
            let mut octets = hex(route);
            octets.resize(2 + usize::from(length), 0);
            octets[1] = length;
            // The other version's length reads other fields, and may make sense.
            let other = matches!(length, 34 | 58);
            let malformed =
                matches!(read(&octets), Err(NlriFault::Evpn(it)) if it.route_type == 5);
            assert!(malformed || other, "{route}: {length}");
        }
    }
}

#[test]
fn host_bits_of_a_prefix_are_not_a_part_of_it() {
    let route = "05 22 00010a0a00010064 00000000000000000000 00000000 18 0a6401ff 00000000 00c350";
    let (_, key, tail) = decode(&mut Reader::new(&hex(route)), false).unwrap();
    let (_, clean, _) = decode(
        &mut Reader::new(&hex(&route.replace("01ff", "0100"))),
        false,
    )
    .unwrap();
    assert_eq!(key, clean, "one route, whatever stands behind its length");
    let mut out = BytesMut::new();
    key.put(&tail, &mut out);
    assert_eq!(out, hex(&route.replace("01ff", "0100")));
}

#[test]
fn a_gateway_of_the_other_ip_version_is_written_as_none() {
    let key = EvpnKey::IpPrefix {
        rd: rd(),
        tag: 0,
        prefix: "10.0.0.0/8".parse().unwrap(),
    };
    let tail = EvpnTail {
        gateway: Some("fd00::1".parse().unwrap()),
        ..EvpnTail::default()
    };
    let mut out = BytesMut::new();
    key.put(&tail, &mut out);
    let (_, _, decoded) = decode(&mut Reader::new(&out), false).unwrap();
    assert_eq!(decoded.gateway, None);
}
