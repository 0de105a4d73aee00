use proptest::prelude::*;

use super::*;
use crate::attributes::{AttributeSet, NextHop};

fn segment(kind: SegmentKind, asns: &[u32]) -> Segment {
    Segment {
        kind,
        asns: asns.iter().copied().map(Asn).collect(),
    }
}

fn sequence(asns: &[u32]) -> Segment {
    segment(SegmentKind::Sequence, asns)
}

fn permits(rules: &[&str], path: &[Segment]) -> bool {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    AsPathList::new("PATHS", rules).unwrap().permits(path)
}

#[test]
fn a_path_is_written_as_it_is_shown() {
    let path = [
        segment(SegmentKind::ConfedSequence, &[1, 2]),
        segment(SegmentKind::ConfedSet, &[3, 4]),
        sequence(&[5, 4_294_967_295]),
        segment(SegmentKind::Set, &[6, 0]),
    ];
    let text = AsPath::Open(&path).text().to_string();
    assert_eq!(text, "(1 2) [3,4] 5 4294967295 {6,0}");
    assert_eq!(AsPath::Open(&[]).text().to_string(), "");
}

#[test]
fn patterns_mean_what_frr_means_by_them() {
    let path = [
        sequence(&[65001, 65002]),
        segment(SegmentKind::Set, &[65007, 65008]),
    ];
    for (pattern, holds) in [
        ("^65001_", true),
        ("^65002_", false),
        ("_65002_", true),
        ("_65008_", true),
        ("_6500_", false),
        // A set comes last, so the path does not end with a number.
        ("_65008$", false),
        ("_65008}$", true),
        ("65001 65002", true),
        ("5001", true),
        ("^65001(_6500[0-9])+", true),
        ("^65001_65002$", false),
        ("^$", false),
        (".*", true),
        ("any", true),
    ] {
        assert_eq!(
            permits(&[&format!("permit {pattern}")], &path),
            holds,
            "{pattern}"
        );
    }
    assert!(permits(&["permit ^$"], &[]));
    assert!(permits(&["permit ^1_2$"], &[sequence(&[1, 2])]));
    assert!(permits(
        &["permit ^1_2$"],
        &[sequence(&[1]), sequence(&[2])]
    ));
}

#[test]
fn the_first_rule_that_matches_decides_and_no_match_is_deny() {
    let rules = ["deny _2_", "permit ^1_"];
    assert!(permits(&rules, &[sequence(&[1, 3])]));
    assert!(!permits(&rules, &[sequence(&[1, 2])]));
    assert!(!permits(&rules, &[sequence(&[3])]));
}

#[test]
fn a_rule_is_shown_as_it_is_parsed_and_wrong_ones_say_why() {
    for text in ["permit ^65001 (65002|65003)$", "seq 5 deny any"] {
        assert_eq!(text.parse::<AsPathRule>().unwrap().to_string(), text);
    }
    assert_eq!(
        "permit".parse::<AsPathRule>().unwrap_err().to_string(),
        "the rule ends where a pattern or `any` is expected"
    );
    assert_eq!(
        "permit (65001"
            .parse::<AsPathRule>()
            .unwrap_err()
            .to_string(),
        "pattern `(65001` is not a regular expression: unclosed group"
    );
}

#[test]
fn rules_behind_the_same_one_or_behind_any_are_shadowed() {
    let rules = ["permit ^1_", "deny ^1_", "permit .*", "deny _7_"];
    let rules = rules.map(|rule| rule.parse().unwrap()).to_vec();
    let list = AsPathList::new("PATHS", rules).unwrap();
    assert_eq!(list.shadowed(), [(10, 5), (20, 15)]);
}

fn path() -> impl Strategy<Value = Vec<Segment>> {
    // FRR's boundaries leave out the brackets of confederation sets, so they are not in here.
    let kind = prop_oneof![
        4 => Just(SegmentKind::Sequence),
        1 => Just(SegmentKind::Set),
        1 => Just(SegmentKind::ConfedSequence),
    ];
    let asns = prop::collection::vec(prop_oneof![1_u32..4, 10_u32..14], 1..4);
    prop::collection::vec(
        (kind, asns).prop_map(|(kind, asns)| segment(kind, &asns)),
        0..4,
    )
}

proptest! {
    /// What is recognised means what the pattern means.
    #[test]
    fn a_plain_pattern_agrees_with_its_regular_expression(
        path in path(),
        numbers in prop::collection::vec(prop_oneof![1_u32..4, 10_u32..14], 1..4),
        shape in 0..7,
    ) {
        let one = numbers[0];
        let many: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let source = match shape {
            0 => "^$".to_owned(),
            1 => format!("^{one}_"),
            2 => format!("_{one}$"),
            3 => format!("_{one}_"),
            4 => format!("^{}$", many.join("_")),
            5 => format!("^{}$", many.join(" ")),
            _ => ".*".to_owned(),
        };
        let plain = Subject::plain(&source);
        prop_assert!(plain.is_some(), "{}", source);
        let path = AsPath::Open(&path);
        let regular = Subject::Pattern(Pattern::new(&source).unwrap());
        prop_assert_eq!(
            plain.unwrap().matches(&path, &mut None),
            regular.matches(&path, &mut None),
            "{} on {}", source, path.text()
        );
    }

    #[test]
    fn an_open_and_a_closed_path_read_the_same(path in path()) {
        let mut set = AttributeSet::new(NextHop::V4([10, 0, 0, 1].into()));
        set.as_path = path.clone();
        let closed = set.freeze();
        let (open, closed) = (AsPath::Open(&path), AsPath::Closed(closed.as_path()));
        prop_assert_eq!(open.text().to_string(), closed.text().to_string());
        prop_assert_eq!(open.first(), closed.first());
        prop_assert!(open.asns().eq(closed.asns()));
    }
}
