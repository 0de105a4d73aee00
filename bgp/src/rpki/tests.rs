use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn vrp(text: &str, max_len: u8, asn: u32) -> Vrp {
    Vrp::new(prefix(text), max_len, Asn(asn)).unwrap()
}

fn table() -> Vrps {
    Vrps::new([
        vrp("10.0.0.0/8", 16, 1),
        vrp("10.1.0.0/16", 24, 2),
        vrp("10.1.0.0/16", 16, 3),
        vrp("192.0.2.0/24", 24, 0),
        vrp("2001:db8::/32", 48, 1),
    ])
}

#[test]
fn a_route_is_valid_when_one_vrp_covers_it_allows_its_length_and_names_its_origin() {
    let cases = [
        // No VRP covers it.
        ("11.0.0.0/8", Some(1), State::NotFound),
        ("0.0.0.0/0", Some(1), State::NotFound),
        ("10.0.0.0/7", Some(1), State::NotFound),
        // Exactly, and within up to the length.
        ("10.0.0.0/8", Some(1), State::Valid),
        ("10.2.0.0/16", Some(1), State::Valid),
        ("10.2.0.0/17", Some(1), State::Invalid),
        // Another origin.
        ("10.2.0.0/16", Some(2), State::Invalid),
        // Any of several VRPs, also one that lies further out.
        ("10.1.0.0/16", Some(1), State::Valid),
        ("10.1.0.0/16", Some(2), State::Valid),
        ("10.1.0.0/16", Some(3), State::Valid),
        ("10.1.1.0/24", Some(2), State::Valid),
        ("10.1.1.0/24", Some(3), State::Invalid),
        ("10.1.1.0/24", Some(1), State::Invalid),
        // A path that ends in a set has no origin.
        ("10.0.0.0/8", None, State::Invalid),
        ("11.0.0.0/8", None, State::NotFound),
        // AS 0 is nobody.
        ("192.0.2.0/24", Some(0), State::Invalid),
        ("192.0.2.0/24", Some(5), State::Invalid),
        // The other IP version.
        ("2001:db8:1::/48", Some(1), State::Valid),
        ("2001:db8:1::/49", Some(1), State::Invalid),
        ("2001:db9::/32", Some(1), State::NotFound),
    ];
    for (text, origin, state) in cases {
        let found = table().state(prefix(text), origin.map(Asn));
        assert_eq!(found, state, "{text} from {origin:?}");
    }
}

#[test]
fn the_covering_vrps_are_named_the_longest_first() {
    let names: Vec<String> = table()
        .covering(prefix("10.1.2.0/24"))
        .iter()
        .map(Vrp::to_string)
        .collect();
    let expected = [
        "10.1.0.0/16-24 AS 2",
        "10.1.0.0/16-16 AS 3",
        "10.0.0.0/8-16 AS 1",
    ];
    assert_eq!(names, expected);
    assert!(table().covering(prefix("11.0.0.0/8")).is_empty());
}

#[test]
fn a_greatest_length_outside_the_prefix_is_refused() {
    assert_eq!(Vrp::new(prefix("10.0.0.0/8"), 7, Asn(1)), None);
    assert_eq!(Vrp::new(prefix("10.0.0.0/8"), 33, Asn(1)), None);
    assert_eq!(Vrp::new(prefix("2001:db8::/32"), 129, Asn(1)), None);
    assert!(Vrp::new(prefix("0.0.0.0/0"), 0, Asn(1)).is_some());
}

#[test]
fn a_change_that_does_not_fit_is_refused_and_named() {
    let (known, unknown) = (vrp("10.0.0.0/8", 16, 1), vrp("10.0.0.0/8", 17, 1));
    let with = |changes: &[Change]| table().with(changes.to_vec());
    assert_eq!(
        with(&[Change::Announce(known)]),
        Err(ChangeError::Duplicate(known))
    );
    assert_eq!(
        with(&[Change::Withdraw(unknown)]),
        Err(ChangeError::Unknown(unknown))
    );
    // Of one VRP the order counts.
    let again = [Change::Withdraw(known), Change::Announce(known)];
    assert_eq!(with(&again), Ok(table()));
    let reversed = [Change::Announce(known), Change::Withdraw(known)];
    assert_eq!(with(&reversed), Err(ChangeError::Duplicate(known)));
}

#[test]
fn equal_tables_affect_nothing_and_a_changed_prefix_what_lies_in_it() {
    let one = table();
    assert!(Affected::between(&one, &one.clone()).is_empty());
    let inner = vrp("10.1.0.0/16", 16, 3);
    let other = one
        .with(vec![
            Change::Withdraw(inner),
            Change::Withdraw(vrp("2001:db8::/32", 48, 1)),
            Change::Announce(vrp("10.1.9.0/24", 24, 7)),
        ])
        .unwrap();
    let affected = Affected::between(&one, &other);
    // That of 10.1.9.0/24 lies within.
    let expected = [prefix("10.1.0.0/16"), prefix("2001:db8::/32")];
    assert_eq!(affected.prefixes(), expected);
    assert!(affected.covers(prefix("10.1.0.0/16")));
    assert!(affected.covers(prefix("10.1.200.0/24")));
    assert!(!affected.covers(prefix("10.0.0.0/8")));
    assert!(!affected.covers(prefix("10.2.0.0/16")));
    assert!(affected.covers(prefix("2001:db8:1::/48")));
}

/// RFC 6811 §2, word for word.
fn naive(vrps: &[Vrp], route: Prefix, origin: Option<Asn>) -> State {
    let covering = |vrp: &&Vrp| vrp.prefix().contains(route);
    let matching = |vrp: &Vrp| {
        route.len() <= vrp.max_len() && origin == Some(vrp.asn()) && vrp.asn() != Asn(0)
    };
    match vrps.iter().find(covering) {
        None => State::NotFound,
        Some(_) if vrps.iter().filter(covering).any(matching) => State::Valid,
        Some(_) => State::Invalid,
    }
}

/// Prefixes that nest: few bits, at either end of the address.
fn prefixes() -> impl Strategy<Value = Prefix> {
    let v4 = (0_u8..32, 0_u8..=6).prop_map(|(bits, len)| {
        let addr = std::net::Ipv4Addr::new(bits << 3, 0, 0, 0);
        Prefix::new(addr.into(), len).unwrap()
    });
    let v6 = (0_u16..32, 0_u8..=6).prop_map(|(bits, len)| {
        let addr = std::net::Ipv6Addr::new(bits << 11, 0, 0, 0, 0, 0, 0, 0);
        Prefix::new(addr.into(), len).unwrap()
    });
    prop_oneof![3 => v4, 1 => v6]
}

fn vrps() -> impl Strategy<Value = Vrp> {
    (prefixes(), 0_u8..4, 0_u32..4)
        .prop_map(|(prefix, more, asn)| Vrp::new(prefix, prefix.len() + more, Asn(asn)).unwrap())
}

proptest! {
    #[test]
    fn the_table_says_what_the_document_says(
        vrps in prop::collection::vec(vrps(), 0..60),
        routes in prop::collection::vec((prefixes(), prop::option::of(0_u32..4)), 1..40),
    ) {
        let table = Vrps::new(vrps.clone());
        for (route, origin) in routes {
            let origin = origin.map(Asn);
            let state = naive(&vrps, route, origin);
            prop_assert_eq!(table.state(route, origin), state, "{} {:?}", route, origin);
            prop_assert_eq!(table.cover(route) == 0, state == State::NotFound);
        }
        let mut distinct = vrps;
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(table.len(), distinct.len());
        prop_assert_eq!(table.iter().collect::<Vec<_>>(), distinct);
    }

    #[test]
    fn prefixes_with_one_cover_are_answered_alike(
        vrps in prop::collection::vec(vrps(), 0..40),
        routes in prop::collection::vec(prefixes(), 2..30),
    ) {
        let table = Vrps::new(vrps);
        for (one, two) in routes.iter().zip(routes.iter().skip(1)) {
            let versions = matches!(
                (one, two),
                (Prefix::V4(_), Prefix::V4(_)) | (Prefix::V6(_), Prefix::V6(_))
            );
            if versions && table.cover(*one) == table.cover(*two) {
                for origin in [None, Some(Asn(0)), Some(Asn(1)), Some(Asn(2)), Some(Asn(3))] {
                    prop_assert_eq!(table.state(*one, origin), table.state(*two, origin));
                }
            }
        }
    }

    #[test]
    fn outside_of_what_is_affected_two_tables_agree(
        one in prop::collection::vec(vrps(), 0..40),
        two in prop::collection::vec(vrps(), 0..40),
        routes in prop::collection::vec((prefixes(), prop::option::of(0_u32..4)), 1..40),
    ) {
        let (one, two) = (Vrps::new(one), Vrps::new(two));
        let affected = Affected::between(&one, &two);
        prop_assert_eq!(affected.is_empty(), one == two);
        for (route, origin) in routes {
            let origin = origin.map(Asn);
            if !affected.covers(route) {
                prop_assert_eq!(one.state(route, origin), two.state(route, origin));
            }
        }
        for (at, prefix) in affected.prefixes().iter().enumerate() {
            let others = affected.prefixes().iter().enumerate().filter(|(it, _)| *it != at);
            prop_assert!(others.into_iter().all(|(_, other)| !other.contains(*prefix)));
        }
    }

    #[test]
    fn changes_lead_from_one_table_to_another(
        one in prop::collection::vec(vrps(), 0..40),
        two in prop::collection::vec(vrps(), 0..40),
    ) {
        let (one, two) = (Arc::new(Vrps::new(one)), Arc::new(Vrps::new(two)));
        let gone = one.iter().filter(|vrp| !two.contains(*vrp)).map(Change::Withdraw);
        let new = two.iter().filter(|vrp| !one.contains(*vrp)).map(Change::Announce);
        prop_assert_eq!(one.with(new.chain(gone).collect()), Ok((*two).clone()));
        let both = Vrps::union([&one, &two]);
        prop_assert_eq!((*both).clone(), one.iter().chain(two.iter()).collect());
        prop_assert_eq!(Vrps::union([&one]), one);
    }
}

#[test]
fn half_a_million_take_some_ten_megabytes() {
    // As they are in the wild: most prefixes have one VRP, a fifth are IPv6.
    let v4 = (0_u32..400_000).map(|at| {
        let addr = std::net::Ipv4Addr::from(at.wrapping_mul(0x9E37_79B1) & 0xFFFF_FF00);
        Vrp::new(
            Prefix::new(addr.into(), 24).unwrap(),
            24,
            Asn(at % 70_000 + 1),
        )
        .unwrap()
    });
    let v6 = (0_u32..100_000).map(|at| {
        let bits = u128::from(at.wrapping_mul(0x9E37_79B1)) << 80 | 0x2000 << 112;
        let addr = std::net::Ipv6Addr::from(bits);
        Vrp::new(
            Prefix::new(addr.into(), 48).unwrap(),
            48,
            Asn(at % 70_000 + 1),
        )
        .unwrap()
    });
    let table = Vrps::new(v4.chain(v6));
    assert!(table.len() > 490_000, "{}", table.len());
    assert!(table.octets() < 12_000_000, "{}", table.octets());
}

#[test]
fn a_large_table_says_the_same_as_all_of_its_vrps() {
    // Many prefixes under few first octets, some without any, and some that reach over several.
    let prefixes = (0_u32..20_000).map(|at| {
        let addr = std::net::Ipv4Addr::from((at % 7) << 24 | (at.wrapping_mul(0x9E37_79B1) >> 8));
        Prefix::new(addr.into(), 8 + u8::try_from(at % 17).unwrap()).unwrap()
    });
    let wide = ["0.0.0.0/0", "4.0.0.0/6", "255.0.0.0/8"].map(prefix);
    let vrps = prefixes
        .chain(wide)
        .map(|it| Vrp::new(it, it.len(), Asn(7)).unwrap());
    let vrps: Vec<Vrp> = vrps.collect();
    let v6 = (0_u128..20_000).map(|at| {
        let addr = std::net::Ipv6Addr::from(0x2001_u128 << 112 | at << 90);
        Vrp::new(Prefix::new(addr.into(), 40).unwrap(), 40, Asn(7)).unwrap()
    });
    let table = Vrps::new(vrps.iter().copied().chain(v6));
    for at in 0_u32..300 {
        let addr = std::net::Ipv4Addr::from(at.wrapping_mul(0x85EB_CA6B));
        let route = Prefix::new(addr.into(), u8::try_from(at % 33).unwrap()).unwrap();
        let found = table.covering(route);
        let expected = vrps.iter().filter(|it| it.prefix().contains(route));
        let mut expected: Vec<Vrp> = expected.copied().collect();
        expected.sort_unstable_by_key(|it| std::cmp::Reverse(it.prefix().len()));
        expected.dedup();
        assert_eq!(found, expected, "{route}");
    }
    let inner = "2001:1:2::/48";
    assert_eq!(table.state(prefix(inner), Some(Asn(7))), State::Invalid);
    assert_eq!(
        table.state(prefix("2002::/48"), Some(Asn(7))),
        State::NotFound
    );
}
