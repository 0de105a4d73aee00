use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn list(rules: &[&str]) -> PrefixList {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    PrefixList::new("LIST", rules).unwrap()
}

fn permits(rules: &[&str], prefix: &str) -> bool {
    list(rules).permits(prefix.parse().unwrap())
}

#[test]
fn bounds_mean_what_frr_means_by_them() {
    for (rule, prefix, permitted) in [
        ("permit 10.0.0.0/8", "10.0.0.0/8", true),
        ("permit 10.0.0.0/8", "10.1.0.0/16", false),
        ("permit 10.0.0.0/8 le 24", "10.0.0.0/8", true),
        ("permit 10.0.0.0/8 le 24", "10.1.2.0/24", true),
        ("permit 10.0.0.0/8 le 24", "10.1.2.0/25", false),
        ("permit 10.0.0.0/8 le 24", "11.0.0.0/24", false),
        ("permit 10.0.0.0/8 ge 9", "10.0.0.0/8", false),
        ("permit 10.0.0.0/8 ge 9", "10.0.0.1/32", true),
        ("permit 10.0.0.0/8 ge 9 le 24", "10.0.0.0/9", true),
        ("permit 10.0.0.0/8 le 24 ge 9", "10.0.0.0/25", false),
        ("permit 0.0.0.0/0 le 32", "2001:db8::/32", false),
        ("permit 0.0.0.0/0", "10.0.0.0/8", false),
        ("permit any", "10.0.0.0/8", true),
        ("permit any", "2001:db8::1/128", true),
        ("permit 2001:db8::/32 ge 48 le 64", "2001:db8:1::/48", true),
        ("permit 2001:db8::/32 ge 48 le 64", "2001:db8::/32", false),
        ("permit address 10.0.0.0/24", "10.0.0.0/8", true),
        ("permit address 10.0.0.0/24", "10.0.0.128/25", true),
        ("permit address 10.0.0.0/24", "10.0.1.0/25", false),
        ("permit address 10.0.1.0/24", "10.0.0.0/16", false),
        ("permit address 10.0.0.0/32", "10.0.0.0/8", true),
        ("permit address 10.0.0.0/32", "10.0.0.1/32", false),
        ("permit address 0.0.0.0/0", "0.0.0.0/0", true),
    ] {
        assert_eq!(permits(&[rule], prefix), permitted, "{rule}: {prefix}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = ["deny 10.1.0.0/16 le 32", "permit 10.0.0.0/8 le 32"];
    assert!(!permits(&rules, "10.1.2.0/24"));
    assert!(permits(&rules, "10.2.0.0/16"));
}

#[test]
fn no_match_is_deny() {
    assert!(!permits(&["permit 10.0.0.0/8"], "192.0.2.0/24"));
    assert!(!permits(&[], "192.0.2.0/24"));
}

#[test]
fn rules_are_ordered_and_numbered_like_frr_does_it() {
    let list = list(&[
        "seq 12 permit any",
        "deny 10.0.0.0/8",
        "seq 3 deny 11.0.0.0/8",
    ]);
    let shown: Vec<String> = list.rules().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "seq 3 deny 11.0.0.0/8",
            "seq 12 permit any",
            "seq 15 deny 10.0.0.0/8"
        ]
    );
}

#[test]
fn a_number_used_twice_is_refused() {
    let rules = ["seq 5 permit any", "seq 5 deny any"].map(|rule| rule.parse().unwrap());
    let error = PrefixList::new("L", rules.to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sequence number 5 is used by two rules of `L`"
    );
}

#[test]
fn a_rule_that_cannot_be_read_says_value_and_expectation() {
    for (text, error) in [
        ("", "the rule ends where `permit` or `deny` is expected"),
        (
            "allow any",
            "`allow` stands where `permit` or `deny` is expected",
        ),
        ("seq", "the rule ends where a sequence number is expected"),
        (
            "seq 0 permit any",
            "sequence number `0` is not a number from 1 to 4294967295",
        ),
        (
            "permit",
            "the rule ends where a prefix or `any` is expected",
        ),
        ("permit 10.0.0.0", "`10.0.0.0` has no prefix length"),
        (
            "permit 2001:db8:: le 48",
            "`2001:db8::` has no prefix length",
        ),
        (
            "permit ten",
            "`ten` is not a prefix like 10.0.0.0/8 or `any`",
        ),
        ("permit any le 24", "`le` is not expected here"),
        ("permit 10.0.0.0/8 to 24", "`to` is not expected here"),
        ("permit 10.0.0.0/8 le 9 le 24", "`le` is not expected here"),
        (
            "permit 10.0.0.0/8 le",
            "the rule ends where a prefix length is expected",
        ),
        (
            "permit 10.0.0.0/8 le 33",
            "`le 33` is not a prefix length from 0 to 32",
        ),
        (
            "permit ::/0 ge 129",
            "`ge 129` is not a prefix length from 0 to 128",
        ),
        (
            "permit 10.0.0.0/8 ge 25 le 24",
            "range 25 to 24 does not fit 10.0.0.0/8: the prefix length ≤ ge ≤ le must hold",
        ),
        (
            "permit 10.1.0.0/8",
            "prefix `10.1.0.0/8` has host bits set; the network is 10.0.0.0/8",
        ),
    ] {
        assert_eq!(text.parse::<PrefixRule>().unwrap_err().to_string(), error);
    }
}

#[test]
fn a_rule_is_shadowed_by_one_earlier_rule_that_matches_all_of_it() {
    let list = list(&[
        "permit 10.0.0.0/8 le 24",
        "deny 10.1.0.0/16",
        "permit 10.2.0.0/16 le 25",
        "permit 10.0.0.0/8 le 24",
        "deny any",
        "permit 192.0.2.0/24",
        "deny any",
    ]);
    assert_eq!(list.shadowed(), [(10, 5), (20, 5), (30, 25), (35, 25)]);
}

fn prefix() -> impl Strategy<Value = Prefix> {
    // Few bits, so that prefixes often lie within each other.
    let v4 = (0_u32..16, 0_u8..33)
        .prop_map(|(bits, len)| Prefix::new(Ipv4Addr::from(bits << 26).into(), len).unwrap());
    let v6 = (0_u128..16, 0_u8..129)
        .prop_map(|(bits, len)| Prefix::new(Ipv6Addr::from(bits << 122).into(), len).unwrap());
    prop_oneof![3 => v4, 1 => v6]
}

fn rule() -> impl Strategy<Value = PrefixRule> {
    let bound = || prop::option::of(0_u8..129);
    let action = prop_oneof![Just(Action::Permit), Just(Action::Deny)];
    let of_prefix = (action.clone(), prefix(), bound(), bound())
        .prop_filter_map("no such range", |(action, prefix, ge, le)| {
            PrefixRule::new(0, action, prefix, ge, le).ok()
        });
    let of_address = (action.clone(), prefix())
        .prop_map(|(action, prefix)| PrefixRule::address(0, action, prefix));
    prop_oneof![8 => of_prefix, 2 => of_address, 1 => action.prop_map(|action| PrefixRule::any(0, action))]
}

/// What the rule means, bit by bit.
fn naive(rule: &PrefixRule, candidate: Prefix) -> bool {
    let bits = |prefix: Prefix| match prefix.addr() {
        std::net::IpAddr::V4(addr) => format!("{:032b}", u32::from(addr)),
        std::net::IpAddr::V6(addr) => format!("{:0128b}", u128::from(addr)),
    };
    let Some(prefix) = rule.prefix() else {
        return true;
    };
    let (one, two) = (bits(prefix), bits(candidate));
    let length = usize::from(prefix.len());
    let exact = rule.ge().is_none() && rule.le().is_none();
    one.len() == two.len()
        && (candidate.len() >= prefix.len() || rule.is_about_address())
        && one[..length] == two[..length]
        && (!exact || candidate.len() == prefix.len())
        && rule.ge().is_none_or(|ge| candidate.len() >= ge)
        && rule.le().is_none_or(|le| candidate.len() <= le)
}

proptest! {
    #[test]
    fn a_list_agrees_with_a_naive_one(
        rules in prop::collection::vec(rule(), 0..30),
        candidate in prefix(),
    ) {
        let expected = rules
            .iter()
            .find(|rule| naive(rule, candidate))
            .is_some_and(|rule| rule.action() == Action::Permit);
        let list = PrefixList::new("LIST", rules).unwrap();
        prop_assert_eq!(list.permits(candidate), expected);
    }

    #[test]
    fn a_shadowed_rule_decides_nothing_and_the_one_before_it_is_about_the_same(
        rules in prop::collection::vec(rule(), 0..30),
        candidates in prop::collection::vec(prefix(), 20),
    ) {
        let list = PrefixList::new("LIST", rules).unwrap();
        let by_seq = |seq| list.rules().iter().find(|rule| rule.seq() == seq).unwrap();
        for (seq, earlier) in list.shadowed() {
            prop_assert!(earlier < seq);
            for candidate in &candidates {
                prop_assert_ne!(list.lookup(*candidate).map(PrefixRule::seq), Some(seq));
                prop_assert!(
                    !by_seq(seq).matches(*candidate) || by_seq(earlier).matches(*candidate)
                );
            }
        }
    }

    #[test]
    fn a_rule_that_is_shown_parses_to_itself(rule in rule()) {
        prop_assert_eq!(rule.to_string().parse::<PrefixRule>(), Ok(rule));
    }

    #[test]
    fn any_text_is_a_rule_or_an_error(text in ".{0,40}") {
        let _ = text.parse::<PrefixRule>();
    }
}
