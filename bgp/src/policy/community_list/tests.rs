use proptest::prelude::*;

use super::*;

fn present<C: Kind>(text: &str) -> Vec<C> {
    let mut present: Vec<C> = communities(text).unwrap_or_default();
    present.sort();
    present
}

fn permits(rules: &[&str], route: &str, extent: Extent) -> bool {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let list = CommunityList::new("LIST", rules).unwrap();
    list.permits(present(route).into_iter(), extent)
}

fn expanded<C: Kind>(rules: &[&str], route: &str) -> bool {
    let rules = rules.iter().map(|rule| CommunityRule::expanded(rule));
    let list = List::new("LIST", rules.map(Result::unwrap).collect()).unwrap();
    assert!(list.is_expanded());
    list.permits(present::<C>(route).into_iter(), Extent::All)
}

#[test]
fn a_rule_asks_for_all_of_its_communities_and_rules_are_alternatives() {
    let rules = ["permit 1:1 1:2", "permit 2:1"];
    for (route, permitted) in [
        ("1:1 1:2", true),
        ("1:1 1:2 9:9", true),
        ("1:1", false),
        ("2:1", true),
        ("", false),
    ] {
        assert_eq!(permits(&rules, route, Extent::All), permitted, "{route}");
    }
}

#[test]
fn an_exact_match_allows_no_others() {
    let rules = ["permit 1:1 1:2"];
    for (route, permitted) in [("1:2 1:1", true), ("1:1 1:2 9:9", false), ("1:1", false)] {
        assert_eq!(permits(&rules, route, Extent::Exact), permitted, "{route}");
    }
}

#[test]
fn one_of_the_communities_is_enough_if_any_is_asked_for() {
    let rules = ["deny 3:3", "permit 1:1 1:2"];
    for (route, permitted) in [("1:2 9:9", true), ("9:9", false), ("1:1 3:3", false)] {
        assert_eq!(permits(&rules, route, Extent::Any), permitted, "{route}");
    }
}

#[test]
fn the_first_rule_that_matches_decides_and_no_match_is_deny() {
    let rules = ["deny no-export", "permit any"];
    assert!(!permits(&rules, "1:1 no-export", Extent::All));
    assert!(permits(&rules, "1:1", Extent::All));
    assert!(permits(&["permit any"], "", Extent::Exact));
    assert!(!permits(&["permit 1:1"], "1:2", Extent::All));
}

#[test]
fn a_pattern_sees_the_text_of_all_communities() {
    let rules = ["deny _65001:666_", "permit ^6500[12]:[0-9]+_"];
    for (route, permitted) in [
        ("65001:100", true),
        ("65003:1 65001:100", true),
        ("65001:100 65001:666", false),
        ("65003:1", false),
        ("", false),
    ] {
        assert_eq!(expanded::<Community>(&rules, route), permitted, "{route}");
    }
    assert!(expanded::<Community>(
        &["permit graceful-shutdown"],
        "graceful-shutdown"
    ));
    assert!(expanded::<LargeCommunity>(&["permit ^1:.*:3$"], "1:2:3"));
    assert!(!expanded::<LargeCommunity>(&["permit ^1:.*:3$"], "1:2:4"));
    assert!(expanded::<ExtendedCommunity>(
        &["permit RT:65000:1.*"],
        "rt 65000:100"
    ));
    assert!(expanded::<Community>(&["deny 9:9", "permit any"], ""));
}

#[test]
fn a_rule_is_shown_as_it_is_parsed() {
    for text in [
        "permit 65001:100 65001:200",
        "seq 5 deny any",
        "permit graceful-shutdown",
    ] {
        let rule: CommunityRule<Community> = text.parse().unwrap();
        assert_eq!(rule.to_string(), text);
    }
    let text = "seq 7 permit ^1:1 (2:2)?$";
    let rule: CommunityRule<Community> = CommunityRule::expanded(text).unwrap();
    assert_eq!(rule.to_string(), text);
    let text = "permit rt 65000:100 soo 10.0.0.1:7";
    let rule: CommunityRule<ExtendedCommunity> = text.parse().unwrap();
    assert_eq!(rule.to_string(), text);
}

#[test]
fn a_rule_that_cannot_be_read_says_value_and_expectation() {
    fn error<C: Kind>(text: &str) -> String {
        text.parse::<CommunityRule<C>>().unwrap_err().to_string()
    }
    for (text, expected) in [
        (
            "permit",
            "the rule ends where a community or `any` is expected",
        ),
        ("permit any 1:1", "`1:1` is not expected here"),
        (
            "permit 1:1 70000:1",
            "`70000:1` is not a community like 65001:100 or graceful-shutdown",
        ),
    ] {
        assert_eq!(error::<Community>(text), expected);
    }
    assert_eq!(
        error::<LargeCommunity>("permit 1:1"),
        "`1:1` is not a large community like 65001:1:2"
    );
    assert_eq!(
        error::<ExtendedCommunity>("permit rt"),
        "the rule ends where a value like 65000:100 is expected"
    );
    assert_eq!(
        error::<ExtendedCommunity>("permit rt x"),
        "`rt x` is not an extended community like rt 65000:100, soo 65000:1, color 01:100, nt 10.0.0.1:0 or 0x030c000000000008"
    );
    let error = CommunityRule::<Community>::expanded("permit (1").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("pattern `(1` is not a regular expression")
    );
}

#[test]
fn a_deletion_takes_the_communities_that_the_list_permits_one_by_one() {
    let rules = ["permit 1:1", "permit 1:2 1:3"].map(|rule| rule.parse().unwrap());
    let list = CommunityList::new("LIST", rules.to_vec()).unwrap();
    let named = Communities::List(Arc::new(list));
    assert!(named.contains(Community(0x0001_0001)));
    // One community alone is never both 1:2 and 1:3.
    assert!(!named.contains(Community(0x0001_0002)));
}

#[test]
fn a_rule_behind_any_or_behind_itself_is_shadowed() {
    let rules = ["permit 1:1", "deny 1:1", "permit any", "permit 2:2"];
    let rules = rules.map(|rule| rule.parse().unwrap());
    let list = CommunityList::new("LIST", rules.to_vec()).unwrap();
    assert_eq!(list.shadowed(), [(10, 5), (20, 15)]);
}

proptest! {
    #[test]
    fn every_extended_community_is_spelled_so_that_it_reads_back(octets in any::<[u8; 8]>(), kind in 0_u8..4, subtype in 1_u8..12) {
        let [.., a, b, c, d, e, f] = octets;
        for community in [
            ExtendedCommunity(octets),
            ExtendedCommunity([kind, subtype, a, b, c, d, e, f]),
            ExtendedCommunity([kind, subtype, 0, 0, c, d, e, f]),
        ] {
            prop_assert_eq!(communities(&community.spelled()), Ok(vec![community]));
        }
    }

    #[test]
    fn any_text_is_a_rule_or_an_error(text in ".{0,40}") {
        let _ = text.parse::<CommunityRule<Community>>();
        let _ = text.parse::<CommunityRule<ExtendedCommunity>>();
        let _ = CommunityRule::<LargeCommunity>::expanded(&text);
    }
}
