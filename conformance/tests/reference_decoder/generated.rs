//! Random attributes and routes of every kind, as our encoder writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp::attributes::{
    Aggregator, AttributeSet, NextHop, Origin, PmsiTunnel, Segment, SegmentKind, UnknownAttribute,
};
use bgp::community::{Community, ExtendedCommunity, LargeCommunity};
use bgp::evpn_route::{Esi, EvpnKey, EvpnTail, MacAddress, RouteDistinguisher};
use bgp::nlri::NlriList;
use bgp::wire::{EncodeContext, EncodeError, encode_announce_list, encode_withdraw_list};
use bgp::{Asn, Prefix, Prefix4, Prefix6};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{agree, ours};

/// A session with everything but add-path.
pub(super) const PLAIN: EncodeContext = EncodeContext {
    as4: true,
    extended_message: true,
    add_path: false,
};

/// Messages one after the other, cut at their length fields.
pub(super) fn messages(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while octets.len() >= 19 {
        let length = usize::from(u16::from_be_bytes([octets[16], octets[17]]));
        let (message, rest) = octets.split_at(length);
        all.push(message);
        octets = rest;
    }
    assert!(octets.is_empty(), "whole messages");
    all
}

/// What our decoder read is written by our encoder and read as the same.
pub(super) fn comes_back(message: &[u8], as4: bool) -> Result<(), String> {
    let update = ours::decode(message, as4)?;
    let mut octets = BytesMut::new();
    for (list, attributes) in &update.announced {
        encode_announce_list(attributes, list, &PLAIN, &mut octets)
            .map_err(|error| error.to_string())?;
    }
    let mut again = Vec::new();
    for message in messages(&octets) {
        again.extend(ours::decode(message, true)?.announced);
    }
    let same = again.len() == update.announced.len()
        && again
            .iter()
            .zip(&update.announced)
            .all(|(one, other)| one.0 == other.0 && one.1.thaw() == other.1.thaw());
    match same {
        true => Ok(()),
        false => Err(format!("{:?}\nbecame\n{again:?}", update.announced)),
    }
}

fn path() -> impl Strategy<Value = Vec<Segment>> {
    // Confederation segments: see `exceptions`.
    let kind = prop_oneof![Just(SegmentKind::Set), Just(SegmentKind::Sequence)];
    let asns = vec((1..=u32::MAX).prop_map(Asn), 1..6);
    vec(
        (kind, asns).prop_map(|(kind, asns)| Segment { kind, asns }),
        0..4,
    )
}

/// Kinds whose meaning is read, and any others.
fn extended() -> impl Strategy<Value = ExtendedCommunity> {
    prop_oneof![
        (1..u16::MAX, any::<u32>()).prop_filter_map("a target", |(asn, number)| {
            ExtendedCommunity::route_target(Asn(asn.into()), number)
        }),
        any::<(Ipv4Addr, u16)>()
            .prop_map(|(it, number)| ExtendedCommunity::route_target_of_address(it, number)),
        any::<(u32, bool)>()
            .prop_map(|(sequence, sticky)| ExtendedCommunity::mac_mobility(sequence, sticky)),
        any::<[u8; 6]>().prop_map(|mac| ExtendedCommunity::router_mac(MacAddress(mac))),
        any::<[u8; 6]>().prop_map(|mac| ExtendedCommunity::es_import(MacAddress(mac))),
        (any::<bool>(), 0..1_u32 << 24)
            .prop_map(|(single, label)| ExtendedCommunity::esi_label(single, label)),
        // VXLAN (RFC 9012), and what nobody has assigned.
        Just(ExtendedCommunity([3, 0x0c, 0, 0, 0, 0, 0, 8])),
        any::<[u8; 6]>()
            .prop_map(|[a, b, c, d, e, f]| { ExtendedCommunity([0x31, 0x77, a, b, c, d, e, f]) }),
    ]
}

fn attributes() -> impl Strategy<Value = AttributeSet> {
    let origin = prop_oneof![
        Just(Origin::Igp),
        Just(Origin::Egp),
        Just(Origin::Incomplete)
    ];
    let aggregator = (1..=u32::MAX, any::<Ipv4Addr>()).prop_map(|(asn, router_id)| Aggregator {
        asn: Asn(asn),
        router_id,
    });
    let large = any::<(u32, u32, u32)>().prop_map(|(global, local1, local2)| LargeCommunity {
        global,
        local1,
        local2,
    });
    let tunnel =
        (any::<u8>(), 0..1_u32 << 24, any::<[u8; 4]>()).prop_map(|(flags, label, identifier)| {
            PmsiTunnel {
                flags,
                tunnel_type: 6,
                label,
                identifier: identifier.into(),
            }
        });
    let unknown = (129..=250_u8, any::<bool>(), vec(any::<u8>(), 0..300)).prop_map(
        |(code, partial, bytes)| UnknownAttribute {
            flags: if partial { 0xe0 } else { 0xc0 },
            code,
            bytes: bytes.into(),
        },
    );
    let first = (
        origin,
        path(),
        any::<[Option<u32>; 2]>(),
        any::<bool>(),
        option::of(aggregator),
        vec(any::<u32>().prop_map(Community), 0..80),
        option::of(any::<Ipv4Addr>()),
        vec(any::<Ipv4Addr>(), 0..4),
    );
    let second = (
        vec(extended(), 0..6),
        vec(large, 0..4),
        option::of(tunnel),
        option::of((1..=u32::MAX).prop_map(Asn)),
        option::of(unknown),
        // AGGREGATOR and communities may have passed a router that did not know them. OTC: see
        // `exceptions`.
        vec(prop_oneof![Just(7_u8), Just(8), Just(16), Just(32)], 0..3),
    );
    (first, second).prop_map(|(first, second)| {
        let (origin, as_path, [med, local_pref], atomic_aggregate, aggregator, ..) = first;
        let (.., communities, originator_id, cluster_list) = first;
        let (extended_communities, large_communities, pmsi_tunnel, otc, unknown, partial) = second;
        let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::LOCALHOST));
        set.origin = origin;
        set.as_path = as_path;
        set.med = med;
        set.local_pref = local_pref;
        set.atomic_aggregate = atomic_aggregate;
        set.aggregator = aggregator;
        set.communities = communities;
        set.originator_id = originator_id;
        set.cluster_list = cluster_list;
        set.extended_communities = extended_communities;
        set.large_communities = large_communities;
        set.pmsi_tunnel = pmsi_tunnel;
        set.only_to_customer = otc;
        set.unknown = unknown.into_iter().collect();
        for code in partial {
            set.partial.insert(code);
        }
        set
    })
}

/// 2000::/3.
fn global() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from(bits >> 3 | 1 << 125))
}

fn link_local() -> impl Strategy<Value = Ipv6Addr> {
    any::<u64>().prop_map(|bits| Ipv6Addr::from(0xfe80_u128 << 112 | u128::from(bits)))
}

fn next_hop4() -> impl Strategy<Value = NextHop> {
    (1..224_u32 << 24).prop_map(|bits| NextHop::V4(Ipv4Addr::from(bits)))
}

fn next_hop6() -> impl Strategy<Value = NextHop> {
    prop_oneof![
        global().prop_map(NextHop::V6),
        (global(), link_local())
            .prop_map(|(global, link_local)| NextHop::V6LinkLocal { global, link_local }),
    ]
}

fn prefix4() -> impl Strategy<Value = Prefix4> {
    // Class D and 255.255.255.255: see `exceptions`.
    (1..224_u32 << 24, 0..=32_u8)
        .prop_filter_map("a prefix", |(bits, len)| Prefix4::from_bits(bits, len))
}

fn prefix6() -> impl Strategy<Value = Prefix6> {
    (global(), 3..=128_u8).prop_filter_map("a prefix", |(addr, len)| Prefix6::new(addr, len))
}

/// The three kinds of RFC 4364 §4.2.
fn rd() -> impl Strategy<Value = RouteDistinguisher> {
    (0..3_u8, any::<[u8; 6]>())
        .prop_map(|(kind, [a, b, c, d, e, f])| RouteDistinguisher([0, kind, a, b, c, d, e, f]))
}

fn esi() -> impl Strategy<Value = Esi> {
    any::<[u8; 10]>().prop_map(Esi)
}

/// A route of each type with what stands beside its key.
fn evpn() -> impl Strategy<Value = (EvpnKey, EvpnTail)> {
    let label = || 0..1_u32 << 24;
    let tail = |esi, label, label2, gateway| EvpnTail {
        esi,
        label,
        label2,
        gateway,
    };
    let none = Esi::default();
    let gateway = |v6: bool, bits: u128| -> Option<IpAddr> {
        let v4 = u32::try_from(bits & 0xffff_ffff).unwrap_or(1);
        let gateway = match v6 {
            true => IpAddr::V6(bits.into()),
            false => IpAddr::V4(v4.into()),
        };
        Some(gateway).filter(|gateway| !gateway.is_unspecified())
    };
    let prefix = prop_oneof![
        prefix4().prop_map(Prefix::V4),
        prefix6().prop_map(Prefix::V6)
    ];
    prop_oneof![
        (rd(), esi(), any::<u32>(), label()).prop_map(move |(rd, esi, tag, label)| {
            let key = EvpnKey::EthernetAd { rd, esi, tag };
            (key, tail(none, label, None, None))
        }),
        (
            (rd(), esi(), any::<u32>(), any::<[u8; 6]>()),
            any::<Option<IpAddr>>(),
            label(),
            option::of(label())
        )
            .prop_map(move |((rd, esi, tag, mac), ip, label, label2)| {
                let mac = MacAddress(mac);
                let key = EvpnKey::MacIp { rd, tag, mac, ip };
                (key, tail(esi, label, label2, None))
            }),
        (rd(), any::<u32>(), any::<IpAddr>()).prop_map(move |(rd, tag, originator)| {
            let key = EvpnKey::InclusiveMulticast {
                rd,
                tag,
                originator,
            };
            (key, EvpnTail::default())
        }),
        (rd(), esi(), any::<IpAddr>()).prop_map(move |(rd, esi, originator)| {
            let key = EvpnKey::EthernetSegment {
                rd,
                esi,
                originator,
            };
            (key, EvpnTail::default())
        }),
        (
            (rd(), esi(), any::<u32>()),
            prefix,
            option::of(any::<u128>()),
            label()
        )
            .prop_map(move |((rd, esi, tag), prefix, bits, label)| {
                // RFC 9136 §3.1: not both.
                let esi = if bits.is_some() { none } else { esi };
                let v6 = matches!(prefix, Prefix::V6(_));
                let key = EvpnKey::IpPrefix { rd, tag, prefix };
                (
                    key,
                    tail(esi, label, None, bits.and_then(|bits| gateway(v6, bits))),
                )
            }),
        vec(any::<u8>(), 1..60).prop_map(|bytes| {
            let bytes = bytes.into();
            let route_type = 200;
            (EvpnKey::Unknown { route_type, bytes }, EvpnTail::default())
        }),
    ]
}

fn check(set: &AttributeSet, routes: &NlriList) -> Result<(), TestCaseError> {
    let mut octets = BytesMut::new();
    match encode_announce_list(&set.freeze(), routes, &PLAIN, &mut octets) {
        Err(EncodeError::TooLarge { .. }) => return Ok(()),
        other => prop_assert!(other.is_ok(), "{other:?}"),
    }
    for message in messages(&octets) {
        agree(message, true).map_err(TestCaseError::fail)?;
        comes_back(message, true).map_err(TestCaseError::fail)?;
    }
    let mut octets = BytesMut::new();
    encode_withdraw_list(routes, &PLAIN, &mut octets);
    for message in messages(&octets) {
        agree(message, true).map_err(TestCaseError::fail)?;
    }
    Ok(())
}

fn numbered<K>(routes: Vec<K>) -> Vec<(u32, K)> {
    routes.into_iter().map(|route| (0, route)).collect()
}

proptest! {
    #[test]
    fn ipv4_routes_are_read_alike(
        set in attributes(),
        next_hop in prop_oneof![next_hop4(), next_hop6()],
        routes in vec(prefix4(), 1..40),
    ) {
        let set = AttributeSet { next_hop, ..set };
        check(&set, &NlriList::V4(numbered(routes).into()))?;
    }

    #[test]
    fn ipv6_routes_are_read_alike(
        set in attributes(),
        next_hop in next_hop6(),
        routes in vec(prefix6(), 1..40),
    ) {
        let set = AttributeSet { next_hop, ..set };
        check(&set, &NlriList::V6(numbered(routes)))?;
    }

    #[test]
    fn evpn_routes_of_every_type_are_read_alike(
        set in attributes(),
        next_hop in prop_oneof![next_hop4(), global().prop_map(NextHop::V6)],
        (key, tail) in evpn(),
    ) {
        let set = AttributeSet { next_hop, evpn: Some(tail), ..set };
        check(&set, &NlriList::Evpn(numbered(vec![key])))?;
    }
}
