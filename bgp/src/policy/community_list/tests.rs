use super::*;

fn communities(text: &str) -> Vec<Community> {
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

fn permits(rules: &[&str], route: &str, exact: bool) -> bool {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let list = CommunityList::new("LIST", rules).unwrap();
    list.permits(communities(route).into_iter(), exact)
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
        assert_eq!(permits(&rules, route, false), permitted, "{route}");
    }
}

#[test]
fn an_exact_match_allows_no_others() {
    for (route, permitted) in [("1:2 1:1", true), ("1:1 1:2 9:9", false), ("1:1", false)] {
        assert_eq!(
            permits(&["permit 1:1 1:2"], route, true),
            permitted,
            "{route}"
        );
    }
}

#[test]
fn the_first_rule_that_matches_decides_and_no_match_is_deny() {
    assert!(!permits(
        &["deny no-export", "permit any"],
        "1:1 no-export",
        false
    ));
    assert!(permits(&["deny no-export", "permit any"], "1:1", false));
    assert!(permits(&["permit any"], "", true));
    assert!(!permits(&["permit 1:1"], "1:2", false));
}

#[test]
fn a_rule_is_shown_as_it_is_parsed() {
    for text in [
        "permit 65001:100 65001:200",
        "seq 5 deny any",
        "permit graceful-shutdown",
    ] {
        assert_eq!(text.parse::<CommunityRule>().unwrap().to_string(), text);
    }
}

#[test]
fn a_rule_that_cannot_be_read_says_value_and_expectation() {
    for (text, error) in [
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
        assert_eq!(
            text.parse::<CommunityRule>().unwrap_err().to_string(),
            error
        );
    }
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
