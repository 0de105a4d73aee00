use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::asn::Asn;
use crate::attributes::AttributeSet;
use crate::attributes::tests::{any_set, any_tail};
use crate::evpn_route::{EvpnKey, MacAddress, RouteDistinguisher};
use crate::message::{Message, Update};
use crate::prefix::{Prefix4, Prefix6};
use crate::wire::tests::{hex, message};
use crate::wire::{Context, decode, frame};

const PLAIN: EncodeContext = EncodeContext {
    as4: true,
    extended_message: false,
    add_path: false,
};

/// A receiver that negotiated the same.
fn receiver(ctx: &EncodeContext) -> Context {
    let mut receiver = Context {
        as4: ctx.as4,
        extended_message: ctx.extended_message,
        ..Context::default()
    };
    for family in Family::ALL {
        *receiver.add_path.get_mut(family) = ctx.add_path;
    }
    receiver
}

fn decode_all(bytes: &BytesMut, ctx: &EncodeContext) -> Vec<Update> {
    let mut buffer = bytes.clone();
    let receiver = receiver(ctx);
    let mut updates = Vec::new();
    while let Some(frame) = frame(&mut buffer, receiver.message_len_max()).unwrap() {
        let decoded = decode(&frame, &receiver).unwrap();
        let Message::Update(update) = decoded else {
            panic!("{decoded:?}");
        };
        updates.push(update);
    }
    assert!(buffer.is_empty());
    updates
}

fn set() -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4([10, 10, 0, 1].into()));
    set.prepend(Asn(65_001), 1);
    set.med = Some(100);
    set
}

fn prefix4(number: u32) -> Prefix4 {
    Prefix4::from_bits(number << 8, 24).unwrap()
}

#[test]
fn an_ipv4_announcement_uses_the_fields_of_rfc_4271() {
    let mut out = BytesMut::new();
    let routes = [
        (0, prefix4(0x0a_0102)),
        (0, Prefix4::from_bits(0, 0).unwrap()),
    ];
    let count = encode_announce(&set().freeze(), &routes, &PLAIN, &mut out);
    assert_eq!(count, Ok(1));
    let body = hex(
        "0000 001b 40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 0a0a0001 80 04 04 00000064
         18 0a0102 00",
    );
    assert_eq!(out, message(2, &body));
}

#[test]
fn an_ipv4_announcement_towards_ipv6_uses_mp_reach() {
    let mut set = set();
    set.med = None;
    set.next_hop = NextHop::V6("fe80::1".parse().unwrap());
    let mut out = BytesMut::new();
    encode_announce(&set.freeze(), &[(0, prefix4(0x0a_0102))], &PLAIN, &mut out).unwrap();
    let body = hex(
        "0000 002a 90 0e 0019 0001 01 10 fe800000000000000000000000000001 00 18 0a0102
         40 01 01 00 40 02 06 02 01 0000fde9",
    );
    assert_eq!(out, message(2, &body));
}

#[test]
fn an_ipv6_withdrawal_uses_mp_unreach() {
    let prefix = Prefix6::new("2001:db8::".parse().unwrap(), 32).unwrap();
    let mut out = BytesMut::new();
    assert_eq!(encode_withdraw(&[(0, prefix)], &PLAIN, &mut out), 1);
    let body = hex("0000 000c 90 0f 0008 0002 01 20 20010db8");
    assert_eq!(out, message(2, &body));
}

#[test]
fn an_ipv4_withdrawal_uses_the_withdrawn_routes() {
    let mut out = BytesMut::new();
    let ctx = EncodeContext {
        add_path: true,
        ..PLAIN
    };
    assert_eq!(
        encode_withdraw(&[(7, prefix4(0x0a_0102))], &ctx, &mut out),
        1
    );
    assert_eq!(out, message(2, &hex("0008 00000007 18 0a0102 0000")));
}

#[test]
fn the_end_of_rib_of_each_family_is_read_as_such() {
    for family in Family::ALL {
        let mut out = BytesMut::new();
        encode_end_of_rib(family, &mut out);
        let updates = decode_all(&out, &PLAIN);
        assert_eq!(updates[0].end_of_rib, Some(family));
    }
}

#[test]
fn messages_are_filled_to_the_brim() {
    let routes: Vec<_> = (0..5000).map(|number| (0, prefix4(number))).collect();
    let mut out = BytesMut::new();
    let count = encode_announce(&set().freeze(), &routes, &PLAIN, &mut out).unwrap();
    // 23 octets of header and lengths and 27 of attributes leave 4046 for 4 octets each.
    assert_eq!(count, routes.len().div_ceil(4046 / 4));
    assert_eq!(out.get(16..18), Some([0x0f, 0xfe].as_slice()));
    let ctx = EncodeContext {
        extended_message: true,
        ..PLAIN
    };
    let mut out = BytesMut::new();
    assert_eq!(
        encode_announce(&set().freeze(), &routes, &ctx, &mut out),
        Ok(1)
    );
}

#[test]
fn attributes_that_leave_no_room_are_an_error_and_write_nothing() {
    let mut set = set();
    set.communities = (0..1020).map(crate::Community).collect();
    let mut out = BytesMut::from(b"before".as_slice());
    let result = encode_announce(&set.freeze(), &[(0, prefix4(1))], &PLAIN, &mut out);
    assert_eq!(
        result,
        Err(EncodeError::TooLarge {
            attributes: 4 + 27 + 4 + 4080,
            route: 4,
            room: 4077
        })
    );
    assert_eq!(out, b"before".as_slice());
    let ctx = EncodeContext {
        extended_message: true,
        ..PLAIN
    };
    assert!(encode_announce(&set.freeze(), &[(0, prefix4(1))], &ctx, &mut out).is_ok());
}

#[test]
fn no_routes_make_no_message() {
    let mut out = BytesMut::new();
    let none: [(PathId, Prefix4); 0] = [];
    assert_eq!(
        encode_announce(&set().freeze(), &none, &PLAIN, &mut out),
        Ok(0)
    );
    assert_eq!(encode_withdraw(&none, &PLAIN, &mut out), 0);
    assert!(out.is_empty());
}

#[test]
fn borrowed_keys_are_written_as_owned_ones() {
    let key = EvpnKey::Unknown {
        route_type: 11,
        bytes: [1, 2].into(),
    };
    let (mut one, mut two) = (BytesMut::new(), BytesMut::new());
    encode_withdraw(&[(0, &key)], &PLAIN, &mut one);
    encode_withdraw(&[(0, key.clone())], &PLAIN, &mut two);
    assert_eq!(one, two);
}

fn any_context() -> impl Strategy<Value = EncodeContext> {
    any::<[bool; 3]>().prop_map(|[as4, extended_message, add_path]| EncodeContext {
        as4,
        extended_message,
        add_path,
    })
}

fn any_prefix4() -> impl Strategy<Value = Prefix4> {
    (any::<u32>(), 0..=32_u8).prop_map(|(bits, len)| Prefix4::from_bits(bits, len).unwrap())
}

fn any_prefix6() -> impl Strategy<Value = Prefix6> {
    (any::<u128>(), 0..=128_u8)
        .prop_map(|(bits, len)| Prefix6::new(Ipv6Addr::from(bits), len).unwrap())
}

fn any_key() -> impl Strategy<Value = EvpnKey> {
    let rd = any::<[u8; 8]>().prop_map(RouteDistinguisher);
    prop_oneof![
        (
            rd.clone(),
            any::<u32>(),
            any::<[u8; 6]>(),
            any::<Option<std::net::IpAddr>>()
        )
            .prop_map(|(rd, tag, mac, ip)| EvpnKey::MacIp {
                rd,
                tag,
                mac: MacAddress(mac),
                ip,
            }),
        (rd, any::<u32>(), any::<std::net::IpAddr>()).prop_map(|(rd, tag, originator)| {
            EvpnKey::InclusiveMulticast {
                rd,
                tag,
                originator,
            }
        }),
        proptest::collection::vec(any::<u8>(), 0..255).prop_map(|bytes| EvpnKey::Unknown {
            route_type: 200,
            bytes: bytes.into(),
        }),
    ]
}

/// Ids only where they are carried.
fn with_ids<K>(routes: Vec<(PathId, K)>, ctx: &EncodeContext) -> Vec<(PathId, K)> {
    let id = |id| if ctx.add_path { id } else { 0 };
    routes
        .into_iter()
        .map(|(one, key)| (id(one), key))
        .collect()
}

fn lists(updates: &[Update]) -> Vec<&NlriList> {
    updates
        .iter()
        .flat_map(|update| update.announced.iter().map(|(list, _)| list))
        .chain(updates.iter().flat_map(|update| &update.withdrawn))
        .collect()
}

fn check_round_trip(
    set: &AttributeSet,
    routes: &NlriList,
    ctx: &EncodeContext,
) -> Result<(), TestCaseError> {
    let closed = set.freeze();
    let mut out = BytesMut::new();
    match encode_announce_list(&closed, routes, ctx, &mut out) {
        Err(EncodeError::TooLarge { .. }) => prop_assert!(!ctx.extended_message),
        Ok(count) => {
            let updates = decode_all(&out, ctx);
            prop_assert_eq!(updates.len(), count);
            for (_, attributes) in updates.iter().flat_map(|update| &update.announced) {
                prop_assert_eq!(attributes, &closed);
            }
            prop_assert_eq!(&join(&lists(&updates)), &join(&[routes]));
            prop_assert!(updates.iter().all(|update| update.errors.is_empty()));
        }
    }
    let mut out = BytesMut::new();
    let count = encode_withdraw_list(routes, ctx, &mut out);
    let updates = decode_all(&out, ctx);
    prop_assert_eq!(updates.len(), count);
    prop_assert_eq!(&join(&lists(&updates)), &join(&[routes]));
    Ok(())
}

fn join(lists: &[&NlriList]) -> Vec<(PathId, crate::Nlri)> {
    let mut all = Vec::new();
    for list in lists {
        match list {
            NlriList::V4(list) => {
                all.extend(list.iter().map(|(id, key)| (*id, crate::Nlri::V4(*key))));
            }
            NlriList::V6(list) => {
                all.extend(list.iter().map(|(id, key)| (*id, crate::Nlri::V6(*key))));
            }
            NlriList::Evpn(list) => all.extend(
                list.iter()
                    .map(|(id, key)| (*id, crate::Nlri::Evpn(key.clone()))),
            ),
        }
    }
    all
}

/// What a peer without four-octet numbers cannot be told apart: adjacent sequences join.
fn for_peer(mut set: AttributeSet, ctx: &EncodeContext) -> AttributeSet {
    if !ctx.as4 {
        let mut kinds = BTreeSet::new();
        set.as_path.retain(|segment| kinds.insert(segment.kind));
    }
    set
}

proptest! {
    #[test]
    fn ipv4_routes_survive_the_wire(
        set in any_set(),
        routes in proptest::collection::vec((any::<u32>(), any_prefix4()), 1..2000),
        ctx in any_context(),
    ) {
        let routes = NlriList::V4(with_ids(routes, &ctx).into());
        check_round_trip(&for_peer(set, &ctx), &routes, &ctx)?;
    }

    #[test]
    fn ipv6_routes_survive_the_wire(
        set in any_set(),
        routes in proptest::collection::vec((any::<u32>(), any_prefix6()), 1..500),
        ctx in any_context(),
    ) {
        let mut set = for_peer(set, &ctx);
        if let NextHop::V4(addr) = set.next_hop {
            set.next_hop = NextHop::V6(addr.to_ipv6_mapped());
        }
        check_round_trip(&set, &NlriList::V6(with_ids(routes, &ctx)), &ctx)?;
    }

    #[test]
    fn evpn_routes_survive_the_wire(
        set in any_set(),
        tail in any_tail(),
        routes in proptest::collection::vec((any::<u32>(), any_key()), 1..300),
        ctx in any_context(),
    ) {
        let mut set = for_peer(set, &ctx);
        if let NextHop::V6LinkLocal { global, .. } = set.next_hop {
            set.next_hop = NextHop::V6(global);
        }
        // Only type 2 carries a tail.
        let mut routes = with_ids(routes, &ctx);
        routes.retain(|(_, key)| key.route_type() == 2);
        set.evpn = Some(tail);
        check_round_trip(&set, &NlriList::Evpn(routes), &ctx)?;
    }

    #[test]
    fn evpn_routes_without_a_tail_survive_the_wire(
        set in any_set(),
        routes in proptest::collection::vec((any::<u32>(), any_key()), 1..300),
        ctx in any_context(),
    ) {
        let mut set = for_peer(set, &ctx);
        if let NextHop::V6LinkLocal { global, .. } = set.next_hop {
            set.next_hop = NextHop::V6(global);
        }
        set.evpn = Some(EvpnTail::default());
        check_round_trip(&set, &NlriList::Evpn(with_ids(routes, &ctx)), &ctx)?;
    }
}
