use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::evpn_route::Esi;
use crate::redistribution::{InterfaceName, RouteSource};

fn v4(last: u8) -> NextHop {
    NextHop::V4(Ipv4Addr::new(10, 10, 0, last))
}

#[test]
fn prepending_extends_the_first_sequence() {
    let mut set = AttributeSet::new(v4(1));
    set.prepend(Asn(2), 1);
    set.prepend(Asn(1), 2);
    let numbers = vec![Asn(1), Asn(1), Asn(2)];
    assert_eq!(set.as_path, [segment(SegmentKind::Sequence, numbers)]);
    assert!(set.contains_as(Asn(2)) && !set.contains_as(Asn(3)));
}

#[test]
fn prepending_to_a_full_or_unordered_segment_starts_another() {
    let mut set = AttributeSet::new(v4(1));
    set.as_path = vec![segment(SegmentKind::Set, vec![Asn(9)])];
    set.prepend(Asn(1), 255);
    set.prepend(Asn(2), 1);
    let lengths: Vec<usize> = set.as_path.iter().map(|one| one.asns.len()).collect();
    assert_eq!(lengths, [1, 255, 1]);
    assert_eq!(set.as_path_length(), 257);
    set.prepend(Asn(3), 0);
    assert_eq!(set.as_path_length(), 257);
}

#[test]
fn a_confederation_is_entered_and_left() {
    let mut set = AttributeSet::new(v4(1));
    set.prepend(Asn(7), 1);
    set.prepend_confederation(Asn(65_001));
    assert_eq!(set.as_path.len(), 2);
    assert_eq!(set.freeze().as_path_length(), 1);
    set.remove_confederation();
    assert_eq!(set.as_path, [segment(SegmentKind::Sequence, vec![Asn(7)])]);
}

#[test]
fn communities_are_sorted_and_stand_once() {
    let mut set = AttributeSet::new(v4(1));
    set.communities = vec![Community(3), Community(1), Community(3)];
    let closed = set.freeze();
    let communities: Vec<Community> = closed.communities().collect();
    assert_eq!(communities, [Community(1), Community(3)]);
    assert!(closed.has_community(Community(3)) && !closed.has_community(Community(2)));
}

#[test]
fn only_optional_transitive_attributes_that_are_really_unknown_are_kept() {
    let mut set = AttributeSet::new(v4(1));
    let unknown = |flags, code| UnknownAttribute {
        flags,
        code,
        bytes: [1].into(),
    };
    set.unknown = vec![
        unknown(0xe0, 200),
        unknown(0xc0, 99),
        unknown(0x80, 98),
        unknown(0xc0, 8),
        unknown(0xc0, 200),
    ];
    let kept = set.freeze().thaw().unknown;
    assert_eq!(kept, [unknown(0xc0, 99), unknown(0xe0, 200)]);
}

#[test]
fn equality_looks_at_next_hop_tail_and_source() {
    let set = AttributeSet::new(v4(1));
    let plain = set.freeze();
    let mut other = set.clone();
    other.next_hop = v4(2);
    let mut tailed = set.clone();
    tailed.evpn = Some(EvpnTail {
        label: 100,
        ..EvpnTail::default()
    });
    let sourced = set.freeze().with_source(set.freeze());
    let values = [plain, other.freeze(), tailed.freeze(), sourced];
    for (at, one) in values.iter().enumerate() {
        for (other_at, other) in values.iter().enumerate() {
            assert_eq!(one == other, at == other_at);
            assert_eq!(one.hash() == other.hash(), at == other_at);
        }
    }
}

#[test]
fn a_source_given_twice_hashes_as_the_last_one() {
    let set = AttributeSet::new(v4(1));
    let mut other = set.clone();
    other.med = Some(1);
    let (one, two) = (set.freeze(), other.freeze());
    let replaced = set.freeze().with_source(one).with_source(two.clone());
    let direct = set.freeze().with_source(two);
    assert_eq!(replaced, direct);
    assert_eq!(replaced.hash(), direct.hash());
}

#[test]
fn changing_the_next_hop_is_the_same_as_thawing_and_freezing() {
    let mut set = AttributeSet::new(v4(1));
    set.med = Some(7);
    let source = set.freeze_with(9);
    let changed = set
        .freeze_with(9)
        .with_source(source.clone())
        .with_next_hop(v4(2), 9);
    set.next_hop = v4(2);
    let expected = set.freeze_with(9).with_source(source);
    assert_eq!(changed, expected);
    assert_eq!(changed.hash(), expected.hash());
}

#[test]
fn lists_that_no_message_can_carry_are_cut_and_never_overflow() {
    let mut set = AttributeSet::new(v4(1));
    set.communities = (0..20_000).map(Community).collect();
    set.cluster_list = vec![Ipv4Addr::LOCALHOST; 20_000];
    let closed = set.freeze();
    assert_eq!(closed.communities().count(), 16_383);
    assert_eq!(closed.cluster_list().count(), 16_383);
    assert_eq!(closed.thaw().freeze(), closed);
}

#[test]
fn the_closed_form_is_small() {
    // Two octets more here are megabytes with a full table.
    assert!(size_of::<Attributes>() <= 96, "{}", size_of::<Attributes>());
}

fn segment(kind: SegmentKind, asns: Vec<Asn>) -> Segment {
    Segment { kind, asns }
}

fn any_path() -> impl Strategy<Value = Vec<Segment>> {
    let kind = prop_oneof![
        4 => Just(SegmentKind::Sequence),
        1 => Just(SegmentKind::Set),
    ];
    let asns = vec((1..=u32::MAX).prop_map(Asn), 1..6);
    vec(
        (kind, asns).prop_map(|(kind, asns)| segment(kind, asns)),
        0..4,
    )
}

pub(crate) fn any_next_hop() -> impl Strategy<Value = NextHop> {
    let v6 = |low: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low);
    let local = |low: u16| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, low);
    prop_oneof![
        (1..255_u8).prop_map(v4),
        any::<u16>().prop_map(move |low| NextHop::V6(v6(low))),
        any::<u16>().prop_map(move |low| NextHop::V6LinkLocal {
            global: v6(low),
            link_local: local(low),
        }),
    ]
}

/// Sets as they are after freezing and thawing: sorted, without an EVPN tail.
pub(crate) fn any_set() -> impl Strategy<Value = AttributeSet> {
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
    let unknown =
        (100..=255_u8, vec(any::<u8>(), 0..300)).prop_map(|(code, bytes)| UnknownAttribute {
            flags: 0xe0,
            code,
            bytes: bytes.into(),
        });
    let first = (
        origin,
        any_path(),
        any_next_hop(),
        any::<[Option<u32>; 2]>(),
        any::<bool>(),
        option::of(aggregator),
        vec(any::<u32>().prop_map(Community), 0..80),
        option::of(any::<Ipv4Addr>()),
        vec(any::<Ipv4Addr>(), 0..4),
    );
    let second = (
        vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..6),
        vec(large, 0..4),
        option::of(tunnel),
        option::of(any::<u32>().prop_map(Asn)),
        vec(unknown, 0..3),
        option::weighted(0.3, any::<u64>()),
    );
    (first, second).prop_map(|(first, second)| {
        let (origin, as_path, next_hop, [med, local_pref], atomic_aggregate, ..) = first;
        let (_, _, _, _, _, aggregator, communities, originator_id, cluster_list) = first;
        let (extended_communities, large_communities, pmsi_tunnel, otc, unknown, aigp) = second;
        let mut set = AttributeSet {
            origin,
            as_path,
            med,
            local_pref,
            atomic_aggregate,
            aggregator,
            communities,
            originator_id,
            cluster_list,
            extended_communities,
            large_communities,
            pmsi_tunnel,
            only_to_customer: otc,
            unknown,
            ..AttributeSet::new(next_hop)
        };
        if let Some(metric) = aigp {
            set.set_aigp_metric(metric);
        }
        sort(&mut set);
        set
    })
}

pub(crate) fn any_notes() -> impl Strategy<Value = Notes> {
    let number = || option::of(any::<u32>());
    let source = (any::<u8>(), any::<bool>()).prop_map(|(protocol, connected)| RouteSource {
        protocol,
        connected,
    });
    let interface = "[a-z]{1,15}".prop_map(|name| InterfaceName::new(&name).unwrap());
    let of_policy = (number(), number(), option::of(any::<u8>()), any::<bool>());
    let of_kernel = (number(), option::of(any::<IpAddr>()));
    let of_host = (option::of(source), option::of(interface));
    (of_policy, of_kernel, of_host).prop_map(
        |((weight, tag, distance, blackhole), (table, src), (source, interface))| Notes {
            weight,
            tag,
            distance,
            blackhole,
            table,
            src,
            source,
            interface,
        },
    )
}

fn sort(set: &mut AttributeSet) {
    set.communities.sort();
    set.communities.dedup();
    set.extended_communities.sort();
    set.extended_communities.dedup();
    set.large_communities.sort();
    set.large_communities.dedup();
    set.unknown.sort_by_key(|one| one.code);
    set.unknown.dedup_by_key(|one| one.code);
}

pub(crate) fn any_tail() -> impl Strategy<Value = EvpnTail> {
    (
        any::<[u8; 10]>(),
        0..1_u32 << 24,
        option::of(0..1_u32 << 24),
    )
        .prop_map(|(esi, label, label2)| EvpnTail {
            esi: Esi(esi),
            label,
            label2,
            gateway: None,
        })
}

proptest! {
    #[test]
    fn freezing_and_thawing_gives_the_set(
        set in any_set(),
        tail in option::of(any_tail()),
        notes in option::of(any_notes()),
    ) {
        let mut set = set;
        set.evpn = tail;
        set.notes = notes.unwrap_or_default();
        let closed = set.freeze();
        prop_assert_eq!(closed.thaw(), set);
    }

    #[test]
    fn notes_tell_sets_apart_and_are_in_no_message(set in any_set(), notes in any_notes()) {
        let noted = AttributeSet { notes, ..set.clone() }.freeze();
        let plain = AttributeSet { notes: Notes::default(), ..set }.freeze();
        prop_assert_eq!(noted.notes(), notes);
        prop_assert_eq!(noted.weight(), notes.weight);
        prop_assert_eq!(noted.wire(), plain.wire());
        prop_assert_eq!(noted == plain, notes.is_empty());
        prop_assert_eq!(noted.with_next_hop(NextHop::V4(Ipv4Addr::LOCALHOST), 0).notes(), notes);
    }

    #[test]
    fn the_header_agrees_with_the_set(set in any_set()) {
        let closed = set.freeze();
        prop_assert_eq!(closed.origin(), set.origin);
        prop_assert_eq!(closed.next_hop(), set.next_hop);
        prop_assert_eq!(closed.med(), set.med);
        prop_assert_eq!(closed.local_pref(), set.local_pref);
        prop_assert_eq!(closed.originator_id(), set.originator_id);
        prop_assert_eq!(usize::from(closed.as_path_length()), set.as_path_length());
        prop_assert_eq!(usize::from(closed.cluster_length()), set.cluster_list.len());
        prop_assert_eq!(closed.only_to_customer(), set.only_to_customer);
        prop_assert_eq!(closed.aigp(), set.aigp_metric());
        prop_assert!(closed.communities().eq(set.communities.iter().copied()));
        prop_assert!(closed.large_communities().eq(set.large_communities.iter().copied()));
        prop_assert!(
            closed.extended_communities().eq(set.extended_communities.iter().copied())
        );
    }
}
