//! `rules.toml` and the tests of the rules must agree.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use conformance::rules;

/// The tests in `tests/rfc*.rs`, by file.
fn tests() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("rfc") && name.ends_with(".rs") {
            out.insert(name, rules::tests_in(&fs::read_to_string(&path).unwrap()));
        }
    }
    out
}

#[test]
fn every_rule_has_its_tests_and_every_test_its_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules.toml");
    let rules = rules::read(&fs::read_to_string(path).unwrap()).unwrap();
    let tests = tests();
    assert!(tests.len() >= 12, "{:?}", tests.keys());
    for (rfc, counts) in rules::count(&rules) {
        let counts: Vec<_> = counts
            .iter()
            .map(|(status, n)| format!("{n} {status}"))
            .collect();
        println!("RFC {rfc}: {}", counts.join(", "));
    }
    let problems = rules::disagreements(&rules, &tests);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn listed() -> Vec<rules::Rule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules.toml");
    rules::read(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_page_of_the_rules_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/docs/rfc-support.md");
    let page = rules::page(&listed());
    if std::env::var_os("RBGPD_RENEW").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let line = stored
        .lines()
        .zip(page.lines())
        .find(|(one, two)| one != two);
    assert!(stored == page, "{line:?}\n\nhint: {}", rules::RENEW);
}

/// Nine of ten rules of what every speaker lives by.
#[test]
fn most_rules_of_the_main_documents_are_tested() {
    let counts = rules::count(&listed());
    for rfc in [4271, 4760, 6793, 2918, 4724, 7606, 7911, 8950, 4456, 8326] {
        let counts = &counts[&rfc];
        let all: usize = counts.values().sum();
        let tested = counts.get(&rules::Status::Tested).copied().unwrap_or(0);
        assert!(tested * 10 >= all * 9, "RFC {rfc}: {tested} of {all}");
    }
}

#[test]
fn tests_are_found_by_their_attribute() {
    let source = "fn helper() {}\n#[test]\nfn one() -> Outcome {\n    fn inner() {}\n}\n\n\
                  #[test]\n#[ignore]\nfn two() {}\n";
    assert_eq!(rules::tests_in(source), ["one", "two"]);
}

#[test]
fn disagreements_in_both_directions_are_found() {
    let rules = rules::read(
        "[[rule]]\nrfc = 1\nsection = \"1\"\ntext = \"x\"\nstatus = \"tested\"\n\
         tests = [\"there\", \"gone\"]\n",
    )
    .unwrap();
    let names = vec!["there".to_owned(), "stray".to_owned()];
    let tests = BTreeMap::from([("rfc1.rs".to_owned(), names)]);
    let found = rules::disagreements(&rules, &tests);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.iter().any(|text| text.contains("`gone`")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|text| text.contains("`stray`")),
        "{found:?}"
    );
}

#[test]
fn a_rule_without_test_or_reason_is_refused() {
    let rule = |tail: &str| {
        rules::read(&format!(
            "[[rule]]\nrfc = 1\nsection = \"1\"\ntext = \"x\"\n{tail}"
        ))
    };
    assert!(rule("status = \"tested\"").is_err());
    assert!(rule("status = \"todo\"").is_err());
    assert!(rule("status = \"exception\"\ntests = [\"a\"]").is_err());
    assert!(rule("status = \"perhaps\"").is_err());
    assert!(rule("status = \"todo\"\nreason = \"x\"\nnote = 1").is_err());
    assert!(rule("status = \"todo\"\nreason = \"x\"").is_ok());
}
