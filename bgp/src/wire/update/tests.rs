use smallvec::smallvec;

use proptest::prelude::*;

use crate::asn::Asn;
use crate::attributes::{Aggregator, AttributeSet, Attributes, NextHop, Origin, SegmentKind};
use crate::family::Family;
use crate::message::{Message, Notification, Update};
use crate::nlri::NlriList;
use crate::wire::tests::{any_context, hex, message};
use crate::wire::{Context, Error, Unwanted, UpdateError, Verdict, decode};
use crate::{Community, EvpnKey, LargeCommunity, Prefix, Prefix4, Prefix6};

/// An attribute with a one-octet length.
fn attr(flags: u8, code: u8, value: &str) -> Vec<u8> {
    let value = hex(value);
    let mut out = vec![flags, code, u8::try_from(value.len()).unwrap()];
    out.extend(value);
    out
}

fn origin() -> Vec<u8> {
    attr(0x40, 1, "00")
}

fn as_path() -> Vec<u8> {
    attr(0x40, 2, "02 02 0000fdea 00011170")
}

fn next_hop() -> Vec<u8> {
    attr(0x40, 3, "0a0a0002")
}

/// 10.1.0.0/16 and 10.2.3.0/24.
const NLRI: &str = "10 0a01 18 0a0203";

fn update_of(withdrawn: &str, attributes: &[Vec<u8>], nlri: &str) -> Vec<u8> {
    let withdrawn = hex(withdrawn);
    let attributes = attributes.concat();
    let mut body = u16::try_from(withdrawn.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    body.extend(withdrawn);
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(attributes);
    body.extend(hex(nlri));
    message(2, &body)
}

fn run(bytes: &[u8], ctx: &Context) -> Result<Update, UpdateError> {
    match decode(bytes, ctx) {
        Ok(Message::Update(update)) => Ok(update),
        Err(Error::Update(error)) => Err(error),
        other => panic!("not an UPDATE: {other:?}"),
    }
}

fn external() -> Context {
    Context {
        external: true,
        ..Context::default()
    }
}

/// Decodes from an external peer: the mandatory attributes with `extra`, and two IPv4 routes.
fn with(extra: &[Vec<u8>]) -> Result<Update, UpdateError> {
    let mut attributes = vec![origin(), as_path(), next_hop()];
    attributes.extend_from_slice(extra);
    run(&update_of("", &attributes, NLRI), &external())
}

fn prefix4(text: &str) -> Prefix4 {
    match text.parse() {
        Ok(Prefix::V4(prefix)) => prefix,
        other => panic!("{other:?}"),
    }
}

fn prefix6(text: &str) -> Prefix6 {
    match text.parse() {
        Ok(Prefix::V6(prefix)) => prefix,
        other => panic!("{other:?}"),
    }
}

fn two_routes() -> NlriList {
    NlriList::V4(smallvec![
        (0, prefix4("10.1.0.0/16")),
        (0, prefix4("10.2.3.0/24")),
    ])
}

/// The attributes of the only list announced.
#[track_caller]
fn attributes(update: &Update) -> &Attributes {
    match update.announced.as_slice() {
        [(_, attributes)] => attributes,
        other => panic!("one list expected: {other:?}"),
    }
}

#[track_caller]
fn assert_withdrawn(result: Result<Update, UpdateError>, error: UpdateError) {
    let update = result.expect("the session stays");
    assert_eq!(error.verdict(), Verdict::TreatAsWithdraw);
    assert_eq!(update.errors, [error]);
    assert_eq!(update.withdrawn.as_slice(), [two_routes()]);
    assert_eq!(update.announced.as_slice(), []);
}

/// The routes stay, the attribute of `code` does not.
#[track_caller]
fn assert_discarded(result: Result<Update, UpdateError>, code: u8, error: UpdateError) {
    let update = result.expect("the session stays");
    assert_eq!(error.verdict(), Verdict::DiscardAttribute);
    assert_eq!(update.errors, [error]);
    assert_eq!(update.withdrawn.as_slice(), []);
    assert_eq!(attributes(&update).attributes().find(code), None);
}

#[track_caller]
fn assert_reset(result: Result<Update, UpdateError>, notification: Notification) {
    let error = result.expect_err("the session ends");
    assert_eq!(error.verdict(), Verdict::ResetSession(notification));
}

fn length_error(code: u8, length: usize, expected: &'static str) -> UpdateError {
    UpdateError::Length {
        code,
        length,
        expected,
    }
}

#[test]
fn an_update_with_every_attribute_is_read() {
    let update = run(
        &update_of(
            "08 14",
            &[
                origin(),
                as_path(),
                next_hop(),
                attr(0x80, 4, "00000064"),
                attr(0x40, 5, "000000c8"),
                attr(0x40, 6, ""),
                attr(0xc0, 7, "00011170 0a0a0003"),
                attr(0xc0, 8, "ffff0000 fde90001"),
                attr(0x80, 9, "0a0a0004"),
                attr(0x80, 10, "0a0a0005 0a0a0006"),
                attr(0xc0, 16, "0002fde800000064"),
                attr(0xe0, 32, "0000fde9 00000001 00000002"),
                attr(0xc0, 35, "0000fde9"),
                attr(0xc0, 99, "0102"),
            ],
            NLRI,
        ),
        &Context::default(),
    )
    .unwrap();
    assert_eq!(
        update.withdrawn.as_slice(),
        [NlriList::V4(smallvec![(0, prefix4("20.0.0.0/8"))])]
    );
    assert_eq!(update.errors, []);
    assert_eq!(update.announced[0].0, two_routes());

    let mut set = AttributeSet::new(NextHop::V4("10.10.0.2".parse().unwrap()));
    set.prepend(Asn(70_000), 1);
    set.prepend(Asn(65_002), 1);
    set.med = Some(100);
    set.local_pref = Some(200);
    set.atomic_aggregate = true;
    set.aggregator = Some(Aggregator {
        asn: Asn(70_000),
        router_id: "10.10.0.3".parse().unwrap(),
    });
    set.communities = vec![Community(0xfde9_0001), Community::GRACEFUL_SHUTDOWN];
    set.originator_id = Some("10.10.0.4".parse().unwrap());
    set.cluster_list = vec!["10.10.0.5".parse().unwrap(), "10.10.0.6".parse().unwrap()];
    set.extended_communities = vec!["65000:100".parse().unwrap()];
    set.large_communities = vec!["65001:1:2".parse::<LargeCommunity>().unwrap()];
    set.partial.insert(32);
    set.only_to_customer = Some(Asn(65_001));
    set.unknown = vec![crate::attributes::UnknownAttribute {
        flags: 0xe0,
        code: 99,
        bytes: [1, 2].into(),
    }];
    let attributes = attributes(&update);
    assert_eq!(attributes.thaw(), set);
    assert_eq!(*attributes, set.freeze());
    assert_eq!(attributes.hash(), set.freeze().hash());
    assert!(attributes.is_graceful_shutdown() && !attributes.is_no_export());
    assert_eq!(attributes.as_path_length(), 2);
    assert_eq!(attributes.cluster_length(), 2);
    assert_eq!(attributes.first_as(), Asn(65_002));
    assert_eq!(attributes.origin_as(), Some(Asn(70_000)));
    assert_eq!(attributes.contains_asn(Asn(70_000)), 1);
}

#[test]
fn the_order_of_attributes_and_communities_makes_no_difference() {
    let one = with(&[
        attr(0xc0, 8, "00010001 00010002"),
        attr(0x80, 4, "00000001"),
    ])
    .unwrap();
    let mut shuffled = vec![attr(0x80, 4, "00000001"), next_hop(), as_path(), origin()];
    shuffled.insert(0, attr(0xc0, 8, "00010002 00010001 00010002"));
    let two = run(&update_of("", &shuffled, NLRI), &external()).unwrap();
    assert_eq!(attributes(&one), attributes(&two));
    assert_eq!(attributes(&one).hash(), attributes(&two).hash());
}

#[test]
fn the_hash_depends_on_the_seed() {
    let update = update_of("", &[origin(), as_path(), next_hop()], NLRI);
    let seeded = |hash_seed| Context {
        hash_seed,
        ..Context::default()
    };
    let one = run(&update, &seeded(1)).unwrap();
    let two = run(&update, &seeded(2)).unwrap();
    assert_eq!(attributes(&one), attributes(&two));
    assert_ne!(attributes(&one).hash(), attributes(&two).hash());
}

#[test]
fn ipv6_routes_come_with_both_next_hops() {
    let reach = attr(
        0x80,
        14,
        "0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
         20 20010db8 40 20010db800010000",
    );
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &Context::default(),
    )
    .unwrap();
    let routes = vec![
        (0, prefix6("2001:db8::/32")),
        (0, prefix6("2001:db8:1::/64")),
    ];
    assert_eq!(update.announced[0].0, NlriList::V6(routes));
    let next_hop = NextHop::V6LinkLocal {
        global: "2001:db8::1".parse().unwrap(),
        link_local: "fe80::1".parse().unwrap(),
    };
    assert_eq!(attributes(&update).next_hop(), next_hop);
}

#[test]
fn ipv4_routes_come_with_an_ipv6_next_hop_where_that_was_negotiated() {
    let reach = attr(
        0x80,
        14,
        "0001 01 10 fe800000000000000000000000000001 00 10 0a01",
    );
    let update = update_of("", &[reach, origin(), as_path()], "");
    let decoded = run(&update, &Context::default()).unwrap();
    assert_eq!(
        decoded.announced[0].0,
        NlriList::V4(smallvec![(0, prefix4("10.1.0.0/16"))])
    );
    let without = Context {
        extended_next_hop: false,
        ..Context::default()
    };
    assert_reset(run(&update, &without), Notification::update(9));
}

#[test]
fn evpn_routes_are_split_into_runs_of_equal_tails() {
    let route = |mac: &str, label: &str| {
        format!("02 21 00010a0a00010064 00000000000000000000 00000000 30 {mac} 00 {label}")
    };
    let routes = [
        route("020000000001", "000064"),
        route("020000000002", "000064"),
        route("020000000003", "000065"),
    ];
    let reach = attr(
        0x80,
        14,
        &format!("0019 46 04 0a0a0002 00 {}", routes.concat()),
    );
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &Context::default(),
    )
    .unwrap();
    let runs: Vec<(usize, Option<u32>)> = update
        .announced
        .iter()
        .map(|(list, attributes)| (list.len(), attributes.evpn().map(|tail| tail.label)))
        .collect();
    assert_eq!(runs, [(2, Some(100)), (1, Some(101))]);
}

#[test]
fn path_identifiers_are_read_where_add_path_was_negotiated() {
    let mut ctx = Context::default();
    ctx.add_path.ipv4_unicast = true;
    let update = update_of(
        "00000009 08 14",
        &[origin(), as_path(), next_hop()],
        "00000007 10 0a01",
    );
    let update = run(&update, &ctx).unwrap();
    assert_eq!(
        update.announced[0].0,
        NlriList::V4(smallvec![(7, prefix4("10.1.0.0/16"))])
    );
    assert_eq!(
        update.withdrawn.as_slice(),
        [NlriList::V4(smallvec![(9, prefix4("20.0.0.0/8"))])]
    );
}

#[test]
fn an_empty_update_is_the_end_of_the_ipv4_rib() {
    let update = run(&update_of("", &[], ""), &Context::default()).unwrap();
    assert_eq!(update.end_of_rib, Some(Family::Ipv4Unicast));
}

#[test]
fn an_empty_mp_unreach_alone_is_the_end_of_its_familys_rib() {
    let unreach = attr(0x80, 15, "0019 46");
    let update = run(
        &update_of("", std::slice::from_ref(&unreach), ""),
        &Context::default(),
    )
    .unwrap();
    assert_eq!(update.end_of_rib, Some(Family::Evpn));
    let update = run(
        &update_of("", &[unreach, origin()], ""),
        &Context::default(),
    )
    .unwrap();
    assert_eq!(update.end_of_rib, None);
}

#[test]
fn a_withdrawal_alone_is_no_end_of_rib() {
    let update = run(&update_of("08 14", &[], ""), &Context::default()).unwrap();
    assert_eq!(update.end_of_rib, None);
    assert_eq!(update.withdrawn.len(), 1);
}

// RFC 7606 §3.

#[test]
fn a_field_longer_than_the_message_resets_the_session() {
    let reset = Notification::update(1);
    for body in ["0005 0000", "0000 0005", "0002 08 14 00"] {
        assert_reset(
            run(&message(2, &hex(body)), &Context::default()),
            reset.clone(),
        );
    }
}

#[test]
fn wrong_optional_or_transitive_bits_withdraw_the_routes() {
    let cases = [
        (0xc0, 4, "00000001", 0x80),
        (0x80, 6, "", 0x40),
        (0x80, 8, "00010001", 0xc0),
        (0x40, 32, "0000fde9 00000001 00000002", 0xc0),
    ];
    for (flags, code, value, expected) in cases {
        let error = UpdateError::Flags {
            code,
            flags,
            expected,
        };
        assert_withdrawn(with(&[attr(flags, code, value)]), error);
    }
}

#[test]
fn unused_flag_bits_and_partial_are_not_looked_at() {
    let update = with(&[attr(0xaf, 4, "00000001")]);
    // 0x10 of 0xaf is clear, so the length has one octet.
    assert_eq!(attributes(&update.unwrap()).med(), Some(1));
}

#[test]
fn a_missing_mandatory_attribute_withdraws_the_routes() {
    let all = [origin(), as_path(), next_hop()];
    for (missing, code) in [(0, 1), (1, 2), (2, 3)] {
        let mut attributes = all.to_vec();
        attributes.remove(missing);
        let result = run(&update_of("", &attributes, NLRI), &external());
        assert_withdrawn(result, UpdateError::Missing { code });
    }
}

#[test]
fn next_hop_is_not_needed_beside_mp_reach_and_not_looked_at() {
    let reach = attr(0x80, 14, "0019 46 04 0a0a0002 00 0b 00");
    let broken = attr(0x40, 3, "00");
    let update = run(
        &update_of("", &[origin(), as_path(), broken, reach], ""),
        &external(),
    )
    .unwrap();
    assert_eq!(update.errors, []);
    assert_eq!(update.announced.len(), 1);
}

#[test]
fn of_a_repeated_attribute_the_first_one_counts() {
    let update = with(&[attr(0x80, 4, "00000001"), attr(0x80, 4, "00000002")]).unwrap();
    assert_eq!(update.errors, [UpdateError::Duplicate { code: 4 }]);
    assert_eq!(attributes(&update).med(), Some(1));
}

#[test]
fn a_repeated_multiprotocol_attribute_resets_the_session() {
    for (code, value) in [(14, "0019 46 04 0a0a0002 00 0b 00"), (15, "0019 46")] {
        let twice = [attr(0x80, code, value), attr(0x80, code, value)];
        assert_reset(with(&twice), Notification::update(1));
    }
}

#[test]
fn an_unknown_well_known_attribute_resets_the_session() {
    let unknown = attr(0x40, 99, "01");
    assert_reset(
        with(std::slice::from_ref(&unknown)),
        Notification::new(3, 2, &unknown),
    );
}

#[test]
fn an_unknown_optional_attribute_is_passed_on_with_partial_if_transitive() {
    let update = with(&[attr(0xc0, 98, "01"), attr(0x80, 99, "02")]).unwrap();
    assert_eq!(update.errors, []);
    let codes: Vec<(u8, u8)> = attributes(&update)
        .attributes()
        .map(|raw| (raw.flags, raw.code))
        .collect();
    assert_eq!(codes, [(0x40, 1), (0x40, 2), (0xe0, 98)]);
}

/// An external peer from which these attributes are not wanted.
fn choosy(discard: &[u8], withdraw: &[u8]) -> Context {
    let unwanted = Unwanted {
        discard: discard.iter().copied().collect(),
        withdraw: withdraw.iter().copied().collect(),
    };
    Context {
        unwanted,
        ..external()
    }
}

#[test]
fn an_attribute_to_be_discarded_is_left_out_unread() {
    // An unknown one, one that claims to be well-known, one of a length that it cannot have, and one that
    // would be an error of its own from such a peer.
    let sent = [
        origin(),
        as_path(),
        next_hop(),
        attr(0x40, 5, "00000064"),
        attr(0xc0, 8, "00"),
        attr(0xc0, 32, "0000fde9 00000001 00000002"),
        attr(0x40, 98, "01"),
        attr(0xc0, 99, "02"),
    ];
    let octets = update_of("", &sent, NLRI);
    let update = run(&octets, &choosy(&[5, 8, 98, 99], &[])).unwrap();
    assert_eq!(update.errors, []);
    let kept = attributes(&update).attributes().map(|raw| raw.code);
    assert_eq!(kept.collect::<Vec<u8>>(), [1, 2, 32]);
    assert!(run(&octets, &external()).is_err());
}

#[test]
fn routes_with_an_attribute_that_is_not_wanted_are_withdrawn_whatever_it_is() {
    // Known and unknown, transitive and not, malformed or not, and one that is to be discarded as well.
    for (flags, code, value) in [
        (0xc0, 8, "fde90001"),
        (0xc0, 8, "00"),
        (0xc0, 98, "01"),
        (0x80, 98, "01"),
        (0x40, 98, "01"),
        (0xc0, 99, "01"),
    ] {
        let attributes = [origin(), as_path(), next_hop(), attr(flags, code, value)];
        let octets = update_of("", &attributes, NLRI);
        let result = run(&octets, &choosy(&[99], &[8, 98, 99]));
        assert_withdrawn(result, UpdateError::Unwanted { code });
    }
}

#[test]
fn an_attribute_that_is_not_wanted_is_no_reason_to_end_a_session() {
    // RFC 7606 §5.2 is about damage.
    let octets = update_of(
        "",
        &[origin(), as_path(), next_hop(), attr(0xc0, 98, "01")],
        "",
    );
    let update = run(&octets, &choosy(&[], &[98])).unwrap();
    assert_eq!(update.errors, [UpdateError::Unwanted { code: 98 }]);
    assert_eq!((update.announced.len(), update.withdrawn.len()), (0, 0));
    let damaged = [origin(), attr(0xc0, 98, "01"), attr(0x80, 4, "00")];
    let octets = update_of("", &damaged, "");
    assert!(run(&octets, &choosy(&[], &[98])).is_err());
}

// RFC 7606 §4.

#[test]
fn an_attribute_longer_than_the_list_withdraws_the_routes_behind_it() {
    let mut long = attr(0xc0, 99, "01");
    long[2] = 2;
    let error = UpdateError::AttributeOverrun {
        code: 99,
        length: 2,
        available: 1,
    };
    assert_withdrawn(with(&[long]), error);
}

#[test]
fn too_few_octets_for_an_attribute_header_withdraw_the_routes() {
    for octets in ["40", "40 01", "50 01 00"] {
        let available = hex(octets).len();
        assert_withdrawn(
            with(&[hex(octets)]),
            UpdateError::AttributeHeader { available },
        );
    }
}

// RFC 7606 §5.

#[test]
fn an_error_without_any_announced_route_resets_the_session() {
    let result = run(&update_of("08 14", &[attr(0x40, 1, "07")], ""), &external());
    assert_reset(result, Notification::update(6));
}

#[test]
fn a_discarded_attribute_without_any_announced_route_does_not() {
    let result = run(&update_of("08 14", &[attr(0x40, 6, "07")], ""), &external());
    assert_eq!(result.unwrap().errors, [length_error(6, 1, "0")]);
}

#[test]
fn a_prefix_that_cannot_be_read_resets_the_session() {
    let attributes = [origin(), as_path(), next_hop()];
    let reset = Notification::update(10);
    for nlri in ["21 0a01020304", "18 0a01", "10 0a01 08"] {
        assert_reset(
            run(&update_of("", &attributes, nlri), &external()),
            reset.clone(),
        );
        assert_reset(run(&update_of(nlri, &[], ""), &external()), reset.clone());
    }
}

#[test]
fn multiprotocol_routes_that_cannot_be_read_disable_the_family() {
    let attributes = |reach: &str| [attr(0x80, 14, reach), origin(), as_path()];
    // An IPv6 prefix of 129 bits; an EVPN type 2 of 1 octet; an EVPN route that overruns.
    let cases = [
        (
            "0002 01 10 20010db8000000000000000000000001 00 81 20010db800000000000000000000000100",
            Family::Ipv6Unicast,
        ),
        ("0019 46 04 0a0a0002 00 02 01 00", Family::Evpn),
        ("0019 46 04 0a0a0002 00 02 21 00", Family::Evpn),
    ];
    for (reach, family) in cases {
        let error = run(&update_of("", &attributes(reach), ""), &external()).unwrap_err();
        assert_eq!(error.verdict(), Verdict::DisableFamily(family));
        assert_eq!(error.notification(), Notification::update(9));
        // With routes of another family in the message, more would be lost than the family.
        let result = run(&update_of("08 14", &attributes(reach), ""), &external());
        assert_reset(result, Notification::update(9));
    }
}

#[test]
fn multiprotocol_attributes_that_are_too_short_or_flagged_wrong_reset_the_session() {
    for (flags, code, value, subcode) in [
        (0x80, 14, "0019 46 04 0a0a", 9),
        (0x80, 14, "0019", 9),
        (0x80, 15, "0019", 9),
        (0xc0, 15, "0019 46", 4),
        (0x40, 14, "0019 46 04 0a0a0002 00", 4),
    ] {
        let attribute = attr(flags, code, value);
        assert_reset(
            run(
                &update_of("", std::slice::from_ref(&attribute), ""),
                &external(),
            ),
            Notification::new(3, subcode, &attribute),
        );
    }
}

#[test]
fn a_next_hop_length_that_the_family_does_not_have_resets_the_session() {
    for reach in [
        "0002 01 04 0a0a0002 00 00",
        "0019 46 05 0a0a000200 00 0b 00",
    ] {
        let attributes = [attr(0x80, 14, reach), origin(), as_path()];
        let result = run(&update_of("", &attributes, ""), &external());
        assert_reset(result, Notification::update(9));
    }
}

#[test]
fn an_unknown_evpn_type_disturbs_no_other_route() {
    let reach = attr(
        0x80,
        14,
        "0019 46 04 0a0a0002 00 63 02 0102 03 11 00010a0a00010064 00000000 20 0a0a0001",
    );
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &external(),
    )
    .unwrap();
    let NlriList::Evpn(routes) = &update.announced[0].0 else {
        panic!("{update:?}");
    };
    let types: Vec<u8> = routes.iter().map(|(_, key)| key.route_type()).collect();
    assert_eq!(types, [99, 3]);
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_ignored() {
    let mut ctx = external();
    ctx.families.evpn = false;
    ctx.families.ipv4_unicast = false;
    let reach = attr(0x80, 14, "0019 46 04 0a0a0002 00 0b 00");
    let unreach = attr(0x80, 15, "0001 80 00");
    let attributes = [reach, unreach, origin(), as_path(), next_hop()];
    let update = run(&update_of("08 14", &attributes, NLRI), &ctx).unwrap();
    assert_eq!((update.announced.len(), update.withdrawn.len()), (0, 0));
    let pairs: Vec<(u16, u8)> = update
        .errors
        .iter()
        .map(|error| {
            let UpdateError::NotNegotiated { afi, safi } = error else {
                panic!("{error}");
            };
            (*afi, *safi)
        })
        .collect();
    assert_eq!(pairs, [(1, 1), (1, 1), (1, 128), (25, 70)]);
}

// RFC 7606 §7 and the documents after it, attribute by attribute.

#[test]
fn a_malformed_origin_withdraws_the_routes() {
    let result = |value| {
        let attributes = [attr(0x40, 1, value), as_path(), next_hop()];
        run(&update_of("", &attributes, NLRI), &external())
    };
    assert_withdrawn(result("03"), UpdateError::Origin(3));
    assert_withdrawn(result("0000"), length_error(1, 2, "1"));
}

#[test]
fn a_malformed_as_path_withdraws_the_routes() {
    for value in [
        "02 00",
        "02 01 0000",
        "05 01 00000001",
        "02 01 00000001 02",
        "02 01 00000000",
    ] {
        let attributes = [origin(), attr(0x40, 2, value), next_hop()];
        let update = run(&update_of("", &attributes, NLRI), &external()).unwrap();
        assert_eq!(update.withdrawn.as_slice(), [two_routes()], "{value}");
        assert!(matches!(
            update.errors.as_slice(),
            [UpdateError::AsPath { code: 2, .. }]
        ));
    }
}

#[test]
fn confederation_segments_withdraw_the_routes_of_an_outside_peer_only() {
    let attributes = [origin(), attr(0x40, 2, "03 01 0000fde9"), next_hop()];
    let bytes = update_of("", &attributes, NLRI);
    assert_eq!(
        run(&bytes, &external()).unwrap().withdrawn.as_slice(),
        [two_routes()]
    );
    assert_eq!(
        run(&bytes, &Context::default())
            .unwrap()
            .withdrawn
            .as_slice(),
        []
    );
}

#[test]
fn a_malformed_next_hop_withdraws_the_routes() {
    let result = |value| {
        let attributes = [origin(), as_path(), attr(0x40, 3, value)];
        run(&update_of("", &attributes, NLRI), &external())
    };
    assert_withdrawn(result("0a0a00"), length_error(3, 3, "4"));
    for addr in ["00000000", "e0000001", "ffffffff"] {
        let octets: [u8; 4] = hex(addr).try_into().unwrap();
        assert_withdrawn(result(addr), UpdateError::NextHop(octets.into()));
    }
}

#[test]
fn a_multicast_next_hop_in_mp_reach_withdraws_the_routes() {
    let reach = attr(0x80, 14, "0019 46 04 e0000001 00 0b 00");
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &external(),
    )
    .unwrap();
    assert_eq!(update.announced.as_slice(), []);
    assert_eq!(update.withdrawn.len(), 1);
}

#[test]
fn lengths_that_withdraw_the_routes() {
    for (flags, code, value, expected) in [
        (0x80, 4, "000001", "4"),
        (0xc0, 8, "", "a non-zero multiple of 4"),
        (0xc0, 8, "0001000100", "a non-zero multiple of 4"),
        (0xc0, 16, "", "a non-zero multiple of 8"),
        (0xc0, 16, "00020001", "a non-zero multiple of 8"),
        (0xc0, 32, "", "a non-zero multiple of 12"),
        (0xc0, 32, "0000fde900000001", "a non-zero multiple of 12"),
        (0xc0, 22, "00060000", "at least 5"),
        (
            0xc0,
            22,
            "00060000640a0a",
            "9 or 21 with ingress replication",
        ),
        (0xc0, 35, "0000", "4"),
    ] {
        let length = hex(value).len();
        let error = length_error(code, length, expected);
        assert_withdrawn(with(&[attr(flags, code, value)]), error);
    }
}

#[test]
fn lengths_that_withdraw_the_routes_of_an_internal_peer() {
    for (flags, code, value, expected) in [
        (0x40, 5, "000001", "4"),
        (0x80, 9, "0a0a00", "4"),
        (0x80, 10, "", "a non-zero multiple of 4"),
        (0x80, 10, "0a0a00", "a non-zero multiple of 4"),
    ] {
        let attributes = [origin(), as_path(), next_hop(), attr(flags, code, value)];
        let result = run(&update_of("", &attributes, NLRI), &Context::default());
        assert_withdrawn(result, length_error(code, hex(value).len(), expected));
    }
}

#[test]
fn internal_attributes_of_an_external_peer_are_discarded_whatever_they_hold() {
    for (flags, code, value) in [
        (0x40, 5, "000000c8"),
        (0xc0, 9, "0a"),
        (0x80, 10, "0a0a0001"),
    ] {
        let error = UpdateError::FromExternal { code };
        assert_discarded(with(&[attr(flags, code, value)]), code, error);
    }
}

#[test]
fn lengths_that_discard_the_attribute() {
    assert_discarded(with(&[attr(0x40, 6, "00")]), 6, length_error(6, 1, "0"));
    let short = attr(0xc0, 7, "fde9 0a0a0001");
    assert_discarded(with(&[short]), 7, length_error(7, 6, "8"));
    let zero = attr(0xc0, 7, "00000000 0a0a0001");
    assert_discarded(with(&[zero]), 7, UpdateError::ZeroAs { code: 7 });
}

#[test]
fn a_tunnel_of_another_type_has_any_identifier() {
    let update = with(&[attr(0xc0, 22, "00 03 000064 010203")]).unwrap();
    let tunnel = attributes(&update).thaw().pmsi_tunnel.unwrap();
    assert_eq!((tunnel.tunnel_type, tunnel.label), (3, 100));
}

#[test]
fn as4_attributes_of_a_four_octet_peer_are_discarded() {
    for (code, value) in [(17, "02 01 00011170"), (18, "00011170 0a0a0001")] {
        let error = UpdateError::FromNewSpeaker { code };
        assert_discarded(with(&[attr(0xc0, code, value)]), code, error);
    }
}

fn from_two_octet_peer(extra: &[Vec<u8>]) -> Update {
    let mut attributes = vec![origin(), attr(0x40, 2, "02 02 fdea 5ba0"), next_hop()];
    attributes.extend_from_slice(extra);
    let ctx = Context {
        as4: false,
        ..external()
    };
    run(&update_of("", &attributes, NLRI), &ctx).unwrap()
}

fn path_of(update: &Update) -> Vec<u32> {
    attributes(update)
        .as_path()
        .flat_map(|segment| segment.asns().map(|asn| asn.0))
        .collect()
}

#[test]
fn as4_path_completes_the_path_of_a_two_octet_peer() {
    let update = from_two_octet_peer(&[
        attr(0xc0, 7, "5ba0 0a0a0001"),
        attr(0xe0, 17, "02 01 00011170"),
        attr(0xc0, 18, "00011170 0a0a0001"),
    ]);
    assert_eq!(path_of(&update), [65_002, 70_000]);
    let aggregator = attributes(&update).thaw().aggregator.unwrap();
    assert_eq!(aggregator.asn, Asn(70_000));
    assert_eq!(update.errors, []);
}

#[test]
fn as4_attributes_are_ignored_when_somebody_aggregated_without_them() {
    let update = from_two_octet_peer(&[
        attr(0xc0, 7, "fdea 0a0a0001"),
        attr(0xe0, 17, "02 01 00011170"),
        attr(0xc0, 18, "00011170 0a0a0001"),
    ]);
    assert_eq!(path_of(&update), [65_002, 23_456]);
    let aggregator = attributes(&update).thaw().aggregator.unwrap();
    assert_eq!(aggregator.asn, Asn(65_002));
}

#[test]
fn malformed_as4_attributes_are_discarded() {
    let update = from_two_octet_peer(&[attr(0xc0, 17, "02 02 00011170")]);
    assert_eq!(path_of(&update), [65_002, 23_456]);
    assert!(matches!(
        update.errors.as_slice(),
        [UpdateError::AsPath { code: 17, .. }]
    ));
    let update = from_two_octet_peer(&[attr(0xc0, 18, "00011170")]);
    assert_eq!(update.errors, [length_error(18, 4, "8")]);
}

#[test]
fn type_5_routes_that_lead_nowhere_or_to_two_places_are_withdrawn() {
    let routes = [
        // An ESI and a gateway; neither of them nor a label; a label.
        "05 22 00010a0a00010064 00010203040506070809 00000000 08 0a000000 0a0a0009 000000",
        "05 22 00010a0a00010064 00000000000000000000 00000000 08 0b000000 00000000 000000",
        "05 22 00010a0a00010064 00000000000000000000 00000000 08 0c000000 00000000 000064",
    ];
    let reach = attr(
        0x80,
        14,
        &format!("0019 46 04 0a0a0002 00 {}", routes.concat()),
    );
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &external(),
    )
    .unwrap();
    assert_eq!(update.announced.len(), 1);
    let withdrawn: Vec<String> = update
        .withdrawn
        .iter()
        .flat_map(|list| {
            let NlriList::Evpn(list) = list else {
                panic!("{list:?}");
            };
            list.iter().map(|(_, key)| key.to_string())
        })
        .collect();
    assert_eq!(
        withdrawn,
        [
            "[5]:[10.10.0.1:100]:[0]:[8]:[10.0.0.0]",
            "[5]:[10.10.0.1:100]:[0]:[8]:[11.0.0.0]"
        ]
    );
    assert!(matches!(
        update.errors.as_slice(),
        [UpdateError::Type5(_), UpdateError::Type5(_)]
    ));
}

#[test]
fn an_error_withdraws_the_routes_of_every_family_in_the_message() {
    let reach = attr(0x80, 14, "0019 46 04 0a0a0002 00 0b 00");
    let update = with(&[attr(0x80, 4, "00"), reach]).unwrap();
    let families: Vec<Family> = update.withdrawn.iter().map(NlriList::family).collect();
    assert_eq!(families, [Family::Ipv4Unicast, Family::Evpn]);
    assert_eq!(update.announced.as_slice(), []);
}

#[test]
fn errors_name_value_expectation_and_place() {
    let text = |error: UpdateError| error.to_string();
    assert_eq!(
        text(length_error(4, 3, "4")),
        "the length of MULTI_EXIT_DISC is `3`, but must be 4"
    );
    assert_eq!(
        text(UpdateError::Flags {
            code: 8,
            flags: 0x80,
            expected: 0xc0
        }),
        "the flags of COMMUNITIES are `0x80`, but must be `0xc0`"
    );
    assert_eq!(
        text(UpdateError::Duplicate { code: 99 }),
        "attribute `99` appears more than once"
    );
}

#[test]
fn many_tails_in_one_message_share_the_attributes() {
    let mut routes = String::new();
    for label in 0..50_u32 {
        routes += &format!(
            "02 21 00010a0a00010064 00000000000000000000 00000000 30 02000000{label:04x} 00
             {label:06x}"
        );
    }
    let routes = hex(&format!("0019 46 04 0a0a0002 00 {routes}"));
    let mut reach = vec![0x90, 14];
    reach.extend(u16::try_from(routes.len()).unwrap().to_be_bytes());
    reach.extend(routes);
    let update = run(
        &update_of("", &[reach, origin(), as_path()], ""),
        &external(),
    )
    .unwrap();
    assert_eq!(update.announced.len(), 50);
    let first = update.announced[0].1.wire().as_ptr();
    assert!(
        update
            .announced
            .iter()
            .all(|(_, attributes)| std::ptr::eq(attributes.wire().as_ptr(), first))
    );
}

/// Octets that are likely to be taken for attributes.
fn almost_attributes() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![
        Just(0x40),
        Just(0x80),
        Just(0xc0),
        Just(0xe0),
        Just(0x50),
        any::<u8>()
    ];
    let code = prop_oneof![
        1..=10_u8,
        14..=18_u8,
        Just(22),
        Just(32),
        Just(35),
        any::<u8>()
    ];
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::collection::vec(0..3_u8, 0..24),
        Just(hex("02 01 0000fde9")),
        Just(hex("0001 01 04 0a000001 00 08 0a")),
        Just(hex(
            "0019 46 04 0a000001 00 03 11 00010a0a00010064 00000000 20 0a0a0001"
        )),
    ];
    let attribute = (flags, code, value).prop_map(|(flags, code, value)| {
        let mut out = vec![flags, code, u8::try_from(value.len()).unwrap()];
        out.extend(value);
        out
    });
    proptest::collection::vec(attribute, 0..12).prop_map(|list| list.concat())
}

proptest! {
    #[test]
    fn almost_valid_updates_never_panic_and_give_canonical_attributes(
        attributes in almost_attributes(),
        nlri in prop_oneof![Just(hex(NLRI)), proptest::collection::vec(any::<u8>(), 0..20)],
        ctx in any_context(),
    ) {
        let mut body = vec![0, 0];
        body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        body.extend(attributes);
        body.extend(nlri);
        if let Ok(Message::Update(update)) = decode(&message(2, &body), &ctx) {
            for (_, attributes) in &update.announced {
                let again = attributes.thaw().freeze_with(ctx.hash_seed);
                prop_assert_eq!(attributes, &again);
                prop_assert_eq!(attributes.hash(), again.hash());
            }
            for error in &update.errors {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn the_origin_is_read_in_place() {
    let attributes_of = |value| {
        let attributes = [attr(0x40, 1, value), as_path(), next_hop()];
        let update = run(&update_of("", &attributes, NLRI), &external()).unwrap();
        attributes_clone(&update)
    };
    assert_eq!(attributes_of("01").origin(), Origin::Egp);
    assert_eq!(attributes_of("02").origin(), Origin::Incomplete);
}

fn attributes_clone(update: &Update) -> Attributes {
    attributes(update).clone()
}

#[test]
fn an_unknown_evpn_key_keeps_its_octets() {
    let unreach = attr(0x80, 15, "0019 46 0b 02 0102");
    let update = run(&update_of("", &[unreach], ""), &external()).unwrap();
    let key = EvpnKey::Unknown {
        route_type: 11,
        bytes: [1, 2].into(),
    };
    assert_eq!(
        update.withdrawn.as_slice(),
        [NlriList::Evpn(vec![(0, key)])]
    );
}

#[test]
fn the_first_as_skips_confederation_segments_and_sets_have_none() {
    let path = |value| {
        let attributes = [origin(), attr(0x40, 2, value), next_hop()];
        attributes_clone(&run(&update_of("", &attributes, NLRI), &Context::default()).unwrap())
    };
    assert_eq!(path("03 01 0000fde9 02 01 00000007").first_as(), Asn(7));
    let set = path("01 02 00000007 00000008");
    assert_eq!(set.first_as(), Asn(0));
    assert_eq!(set.as_path_length(), 1);
    let kinds: Vec<SegmentKind> = set.as_path().map(|segment| segment.kind).collect();
    assert_eq!(kinds, [SegmentKind::Set]);
}
