use proptest::prelude::*;

use super::*;
use crate::message::{AddPathMode, GracefulRestart, Message, Role};
use crate::wire::tests::{hex, message};
use crate::wire::{Context, Error, decode as decode_message};

fn decode_open(body: &[u8]) -> Result<Open, Error> {
    let decoded = decode_message(&message(1, body), &Context::default())?;
    let Message::Open(open) = decoded else {
        panic!("not an OPEN: {decoded:?}");
    };
    Ok(open)
}

fn notification_of(body: &[u8]) -> Notification {
    decode_open(body)
        .expect_err("this OPEN is in error")
        .notification()
}

/// An OPEN in the shape FRR gives it: one parameter for each capability.
fn from_frr() -> Vec<u8> {
    hex("04 fde9 00b4 0a0a0001 32
         02 06 01 04 0001 00 01
         02 06 01 04 0019 00 46
         02 02 80 00
         02 02 02 00
         02 02 46 00
         02 06 41 04 0000fde9
         02 06 45 04 0001 01 01
         02 04 40 02 c078")
}

#[test]
fn the_open_of_frr_is_read() {
    let open = decode_open(&from_frr()).unwrap();
    let expected = Open {
        asn: Asn(65_001),
        hold_time: 180,
        router_id: Ipv4Addr::new(10, 10, 0, 1),
        capabilities: vec![
            Capability::Multiprotocol(1, 1),
            Capability::Multiprotocol(25, 70),
            Capability::Unknown {
                code: 128,
                bytes: [].into(),
            },
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
            Capability::FourOctetAs(Asn(65_001)),
            Capability::AddPath(vec![(1, 1, AddPathMode::Receive)]),
            Capability::GracefulRestart(GracefulRestart {
                restarting: true,
                notification: true,
                restart_time: 120,
                families: vec![],
            }),
        ],
    };
    assert_eq!(open, expected);
}

#[test]
fn an_open_is_written_with_one_parameter() {
    let open = Open {
        asn: Asn(4_200_000_001),
        hold_time: 30,
        router_id: Ipv4Addr::new(10, 10, 0, 1),
        capabilities: vec![
            Capability::Multiprotocol(2, 1),
            Capability::FourOctetAs(Asn(4_200_000_001)),
            Capability::Role(Role::Customer),
        ],
    };
    let body = hex("04 5ba0 001e 0a0a0001 11 02 0f 0104 0002 00 01 4104 fa56ea01 0901 03");
    assert_eq!(encode_open(&open), message(1, &body));
}

#[test]
fn an_open_without_capabilities_has_no_parameters() {
    let body = hex("04 fde9 0000 0a0a0001 00");
    let open = decode_open(&body).unwrap();
    assert_eq!(open.capabilities, []);
    assert_eq!(encode_open(&open), message(1, &body));
}

#[test]
fn extended_parameter_lengths_are_read_as_rfc_9072_says() {
    let body = hex("04 fde9 00b4 0a0a0001 ff ff 0009 02 0006 0104 0001 00 01");
    let open = decode_open(&body).unwrap();
    assert_eq!(open.capabilities, [Capability::Multiprotocol(1, 1)]);
    // The length before type 255 need not be 255.
    let body = hex("04 fde9 00b4 0a0a0001 01 ff 0009 02 0006 0104 0001 00 01");
    assert_eq!(decode_open(&body).unwrap(), open);
}

#[test]
fn many_capabilities_need_extended_lengths() {
    let open = Open {
        asn: Asn(1),
        hold_time: 90,
        router_id: Ipv4Addr::new(1, 1, 1, 1),
        capabilities: vec![Capability::AddPath(vec![(1, 1, AddPathMode::Both); 63]); 3],
    };
    let bytes = encode_open(&open);
    assert_eq!(bytes.get(28..30), Some([255, 255].as_slice()));
    assert_eq!(decode_open(&bytes[19..]), Ok(open));
}

#[test]
fn capabilities_beyond_4096_octets_are_left_out_whole() {
    let open = Open {
        asn: Asn(1),
        hold_time: 90,
        router_id: Ipv4Addr::new(1, 1, 1, 1),
        capabilities: vec![
            Capability::Unknown {
                code: 200,
                bytes: vec![7; 255].into(),
            };
            40
        ],
    };
    let bytes = encode_open(&open);
    assert!(bytes.len() <= 4096);
    let decoded = decode_open(&bytes[19..]).unwrap();
    assert_eq!(decoded.capabilities, open.capabilities[..15]);
}

#[test]
fn another_version_is_answered_with_the_one_supported() {
    let body = hex("03 fde9 00b4 0a0a0001 00");
    assert_eq!(notification_of(&body), Notification::new(2, 1, &[0, 4]));
}

#[test]
fn as_0_is_a_bad_peer_as() {
    let body = hex("04 0000 00b4 0a0a0001 00");
    assert_eq!(notification_of(&body), Notification::new(2, 2, &[]));
    let body = hex("04 5ba0 00b4 0a0a0001 08 02 06 41 04 00000000");
    assert_eq!(notification_of(&body), Notification::new(2, 2, &[]));
}

#[test]
fn identifier_0_is_a_bad_identifier() {
    let body = hex("04 fde9 00b4 00000000 00");
    assert_eq!(notification_of(&body), Notification::new(2, 3, &[]));
}

#[test]
fn an_unknown_parameter_is_unsupported() {
    let body = hex("04 fde9 00b4 0a0a0001 03 01 01 00");
    assert_eq!(notification_of(&body), Notification::new(2, 4, &[]));
}

#[test]
fn a_hold_time_of_1_or_2_is_unacceptable() {
    for hold_time in ["0001", "0002"] {
        let body = hex(&format!("04 fde9 {hold_time} 0a0a0001 00"));
        assert_eq!(notification_of(&body), Notification::new(2, 6, &[]));
    }
    assert!(decode_open(&hex("04 fde9 0003 0a0a0001 00")).is_ok());
}

#[test]
fn lengths_that_do_not_add_up_are_an_unspecific_error() {
    for parameters in [
        "04 02 06 01 04",
        "02 02 02",
        "00 00",
        "03 02 01 01",
        "05 02 03 01 04 00",
    ] {
        let body = hex(&format!("04 fde9 00b4 0a0a0001 {parameters}"));
        let notification = notification_of(&body);
        assert_eq!(notification, Notification::new(2, 0, &[]), "{parameters}");
    }
}

#[test]
fn a_capability_of_the_wrong_length_counts_as_not_announced() {
    for capability in [
        "01 03 000100",
        "41 02 fde9",
        "09 01 05",
        "06 01 00",
        "45 03 000101",
    ] {
        let bytes = hex(capability);
        let length = bytes.len();
        let body = hex(&format!(
            "04 fde9 00b4 0a0a0001 {:02x} 02 {length:02x} {capability}",
            length + 2
        ));
        let open = decode_open(&body).unwrap();
        let unknown = Capability::Unknown {
            code: bytes[0],
            bytes: bytes[2..].into(),
        };
        assert_eq!(open.capabilities, [unknown], "{capability}");
    }
}

fn any_capability() -> impl Strategy<Value = Capability> {
    let mode = prop_oneof![
        Just(AddPathMode::Receive),
        Just(AddPathMode::Send),
        Just(AddPathMode::Both)
    ];
    let role = prop_oneof![
        Just(Role::Provider),
        Just(Role::RouteServer),
        Just(Role::RouteServerClient),
        Just(Role::Customer),
        Just(Role::Peer)
    ];
    let restart = (
        any::<(bool, bool)>(),
        0..4096_u16,
        any::<Vec<(u16, u8, bool)>>(),
    );
    prop_oneof![
        any::<(u16, u8)>().prop_map(|(afi, safi)| Capability::Multiprotocol(afi, safi)),
        Just(Capability::RouteRefresh),
        proptest::collection::vec(any::<(u16, u16, u16)>(), 0..42)
            .prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        role.prop_map(Capability::Role),
        restart.prop_map(|((restarting, notification), restart_time, mut families)| {
            families.truncate(63);
            Capability::GracefulRestart(GracefulRestart {
                restarting,
                notification,
                restart_time,
                families,
            })
        }),
        proptest::collection::vec((any::<u16>(), any::<u8>(), mode), 0..63)
            .prop_map(Capability::AddPath),
        Just(Capability::EnhancedRouteRefresh),
        ("[a-z]{0,64}", "[a-z.]{0,64}")
            .prop_map(|(hostname, domain)| Capability::Fqdn { hostname, domain }),
        ("[a-z]{1,64}", any::<bool>())
            .prop_map(|(version, latest)| Capability::SoftwareVersion { version, latest }),
        (76..=255_u8, any::<Vec<u8>>()).prop_map(|(code, mut bytes)| {
            bytes.truncate(255);
            Capability::Unknown {
                code,
                bytes: bytes.into(),
            }
        }),
    ]
}

/// The capability with this value, in an OPEN.
fn one_capability(code: u8, value: &[u8]) -> Capability {
    let length = u8::try_from(value.len()).unwrap();
    let mut body = hex("04 fde9 00b4 0a0a0001");
    body.extend([length + 4, 2, length + 2, code, length]);
    body.extend(value);
    let open = decode_open(&body).unwrap();
    open.capabilities.into_iter().next().unwrap()
}

#[test]
fn a_program_says_its_version_in_two_forms() {
    let said = |version: &str, latest| Capability::SoftwareVersion {
        version: version.to_owned(),
        latest,
    };
    // FRR 10.3, and 10.7.1 with `latest-encoding`.
    let old = one_capability(75, b"\x0eFRRouting/10.3");
    assert_eq!(old, said("FRRouting/10.3", false));
    let new = one_capability(75, b"FRRouting/10.7.1");
    assert_eq!(new, said("FRRouting/10.7.1", true));
    assert_eq!(one_capability(75, b""), said("", true));
    assert_eq!(one_capability(75, b"\0"), said("", false));
    // What is no text is kept and means nothing.
    for value in [&b"\x02\xff\xfe"[..], b"\xff"] {
        let bytes = value.into();
        assert_eq!(
            one_capability(75, value),
            Capability::Unknown { code: 75, bytes }
        );
    }
}

#[test]
fn names_that_are_none_mean_nothing_and_end_no_session() {
    for value in [&b"\x01\xff\x00"[..], b"\x05abc\x00", b"\x01a", b""] {
        let bytes = value.into();
        assert_eq!(
            one_capability(73, value),
            Capability::Unknown { code: 73, bytes }
        );
    }
    let empty = Capability::Fqdn {
        hostname: String::new(),
        domain: String::new(),
    };
    assert_eq!(one_capability(73, b"\0\0"), empty);
}

proptest! {
    #[test]
    fn an_open_survives_the_wire(
        asn in 1..=u32::MAX,
        hold_time in prop_oneof![Just(0), 3..=u16::MAX],
        router_id in 1..=u32::MAX,
        mut capabilities in proptest::collection::vec(any_capability(), 0..12),
    ) {
        capabilities.push(Capability::FourOctetAs(Asn(asn)));
        let open = Open {
            asn: Asn(asn),
            hold_time,
            router_id: router_id.into(),
            capabilities,
        };
        let bytes = encode_open(&open);
        prop_assert_eq!(
            decode_message(&bytes, &Context::default()),
            Ok(Message::Open(open))
        );
    }
}
