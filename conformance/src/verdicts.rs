//! What the tests of the rules say about FRR and BIRD, and the page made of it.
//!
//! `rbgpd-rules` runs the tests with another speaker ([`crate::blackbox::other`]) and hands their
//! output to [`read`]; [`render`] joins it with the rules. It judges nobody: a rule counts as kept
//! when all its tests that could be put to the speaker passed, and what a failed one saw stands
//! beside it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::blackbox::other::NOT_COMPARABLE;
use crate::rules::{Rule, Status};

/// How the page is renewed.
pub const RENEW: &str = "cargo run -p rbgpd-conformance --bin rbgpd-rules";

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Kept,
    /// It failed; what it expected and saw.
    Broken(String),
    /// It cannot be put to this speaker.
    NotAsked,
}

/// A speaker and its tests.
#[derive(Debug)]
pub struct Speaker {
    /// Head of its column.
    pub name: String,
    /// By name of the test.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// The longest piece of an error that is kept.
const SEEN_MAX: usize = 160;

/// Reads what the test runner prints.
pub fn read(output: &str) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut failing: Option<&str> = None;
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line
            .strip_prefix("test ")
            .and_then(|it| it.split_once(" ... "))
        {
            let verdict = match end {
                "ok" => Verdict::Kept,
                "FAILED" => Verdict::Broken("without a word".to_owned()),
                _ => Verdict::NotAsked,
            };
            verdicts.insert(name.to_owned(), verdict);
        } else if let Some(name) = line.strip_prefix("---- ") {
            failing = name.strip_suffix(" stdout ----");
        } else if let Some(name) = failing {
            let verdict = match line.contains("panicked at ") {
                // The assertion and its two sides.
                true => {
                    let words: Vec<&str> = lines
                        .clone()
                        .take_while(|it| !it.is_empty() && !it.starts_with("note: "))
                        .map(str::trim)
                        .take(3)
                        .collect();
                    Some(judged(&words.join(" ")))
                }
                false => line.strip_prefix("Error: ").map(judged),
            };
            if let Some(verdict) = verdict {
                verdicts.insert(name.to_owned(), verdict);
                failing = None;
            }
        }
    }
    verdicts
}

/// Of two runs: what passed once was not broken.
pub fn merge(
    first: BTreeMap<String, Verdict>,
    second: &BTreeMap<String, Verdict>,
) -> BTreeMap<String, Verdict> {
    let better = |(name, verdict): (String, Verdict)| match second.get(&name) {
        Some(Verdict::Kept) => (name, Verdict::Kept),
        _ => (name, verdict),
    };
    first.into_iter().map(better).collect()
}

/// What an error says about the speaker.
fn judged(error: &str) -> Verdict {
    // Whatever keeps the speaker from being tested says nothing about it.
    if error.contains(NOT_COMPARABLE) || error.contains("the speaker under test: ") {
        return Verdict::NotAsked;
    }
    Verdict::Broken(shortened(error))
}

/// The first words of an error, fit for a cell of a table.
fn shortened(error: &str) -> String {
    let seen = error.split("; heard ").next().unwrap_or(error);
    let mut short: String = seen.chars().take(SEEN_MAX).collect();
    if short.len() < seen.len() {
        short.push_str(" ..");
    }
    short.replace('|', "/")
}

/// What all tests of a rule say together.
fn of_rule(rule: &Rule, verdicts: &BTreeMap<String, Verdict>) -> Option<bool> {
    let mine: Vec<&Verdict> = rule
        .tests
        .iter()
        .filter_map(|it| verdicts.get(it))
        .collect();
    let broken = mine.iter().any(|it| matches!(it, Verdict::Broken(_)));
    let kept = mine.iter().any(|it| **it == Verdict::Kept);
    match (broken, kept) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}

fn word(kept: Option<bool>) -> &'static str {
    match kept {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "-",
    }
}

/// The page: where speakers differ, what was seen, and how many rules each was asked.
pub fn render(rules: &[Rule], speakers: &[Speaker]) -> String {
    let mut out = "\
# The same rules, put to other daemons

The black-box tests of the RFCs' rules (`conformance/rules.toml`) play neighbours of rbgpd; here they play neighbours of
FRR and BIRD. `yes`: all tests of the rule passed. `no`: one did not, for a reason that stands below; it may lie in
what the test expects beyond the rule, such as an answer within 15 seconds. `-`: the test needs settings or output of
rbgpd. Each daemon runs with its own defaults, and as next hop of what it tells other AS; a test that passes in one of two runs has passed.
FRR 8 knows no marks of a refresh (RFC 7313), by which many tests see what a neighbour is told: where only `BoRR and EoRR`
is what did not come, that and
not the rule is why.
"
    .to_owned();
    let heads: Vec<&str> = speakers.iter().map(|it| it.name.as_str()).collect();
    let line = " --- |".repeat(heads.len() + 1);
    let tested = || rules.iter().filter(|rule| !rule.tests.is_empty());
    let _ = write!(
        out,
        "\n|  | rbgpd | {} |\n| --- |{line}\n",
        heads.join(" | ")
    );
    for (word, kept) in [
        ("kept", Some(true)),
        ("not kept", Some(false)),
        ("not asked", None),
    ] {
        let ours = tested().filter(|rule| ours(rule) == kept).count();
        let _ = write!(out, "| rules {word} | {ours} |");
        for speaker in speakers {
            let count = tested().filter(|rule| of_rule(rule, &speaker.verdicts) == kept);
            let _ = write!(out, " {} |", count.count());
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "\n## Where they differ\n\n| rule | rbgpd | {} |\n| --- |{line}\n",
        heads.join(" | ")
    );
    for rule in tested() {
        let all: Vec<Option<bool>> = speakers
            .iter()
            .map(|speaker| of_rule(rule, &speaker.verdicts))
            .collect();
        if ours(rule) != Some(false) && !all.contains(&Some(false)) {
            continue;
        }
        let text = rule.text.replace('|', "/");
        let _ = write!(out, "| RFC {} §{}: {text} |", rule.rfc, rule.section);
        for kept in std::iter::once(ours(rule)).chain(all) {
            let _ = write!(out, " {} |", word(kept));
        }
        out.push('\n');
    }
    out += "\n## What was seen\n\n| test | daemon | seen |\n| --- | --- | --- |\n";
    for speaker in speakers {
        for (test, verdict) in &speaker.verdicts {
            if let Verdict::Broken(seen) = verdict {
                let test = test.replace('_', " ");
                let _ = writeln!(out, "| {test} | {} | {seen} |", speaker.name);
            }
        }
    }
    let _ = write!(out, "\nThis page is written by `{RENEW}`, as root.\n");
    out
}

/// Ours are tested with every change; an exception is broken on purpose.
fn ours(rule: &Rule) -> Option<bool> {
    match rule.status {
        Status::Tested => Some(true),
        Status::Exception => Some(false),
        Status::Todo => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test one ... ok
test two ... FAILED
test three ... FAILED
test four ... FAILED

failures:

---- two stdout ----
Error: a case: expected a withdrawal of 192.0.2.0/24, but it did not come within 15000 ms; heard Keepalive

---- three stdout ----
Error: the speaker under test: not comparable: settings of rbgpd: role

---- four stdout ----

thread 'four' (12) panicked at x.rs:1:1:
assertion `left == right` failed
  left: 1
 right: 2

failures:
    two
";

    fn rules() -> Vec<Rule> {
        crate::rules::read(
            "[[rule]]\nrfc = 1\nsection = \"1\"\ntext = \"x\"\nstatus = \"tested\"\n\
             tests = [\"one\", \"three\"]\n\
             [[rule]]\nrfc = 1\nsection = \"2\"\ntext = \"y\"\nstatus = \"tested\"\n\
             tests = [\"one\", \"two\"]\n\
             [[rule]]\nrfc = 1\nsection = \"3\"\ntext = \"z\"\nstatus = \"tested\"\n\
             tests = [\"three\"]\n",
        )
        .unwrap()
    }

    #[test]
    fn the_output_of_the_test_runner_is_read() {
        let verdicts = read(OUTPUT);
        let seen = "a case: expected a withdrawal of 192.0.2.0/24, but it did not come within \
                    15000 ms";
        assert_eq!(verdicts["one"], Verdict::Kept);
        assert_eq!(verdicts["two"], Verdict::Broken(seen.to_owned()));
        assert_eq!(verdicts["three"], Verdict::NotAsked);
        assert_eq!(
            verdicts["four"],
            Verdict::Broken("assertion `left == right` failed left: 1 right: 2".to_owned())
        );
        let again = BTreeMap::from([("two".to_owned(), Verdict::Kept)]);
        let both = merge(verdicts, &again);
        assert_eq!(both["two"], Verdict::Kept);
        assert!(matches!(both["four"], Verdict::Broken(_)));
    }

    #[test]
    fn a_rule_is_kept_when_nothing_that_was_asked_broke_it() {
        let verdicts = read(OUTPUT);
        let rules = rules();
        let of = |number: usize| of_rule(&rules[number], &verdicts);
        assert_eq!((of(0), of(1), of(2)), (Some(true), Some(false), None));
    }

    #[test]
    fn the_page_lists_what_differs_and_why() {
        let speakers = [Speaker {
            name: "FRR".to_owned(),
            verdicts: read(OUTPUT),
        }];
        let page = render(&rules(), &speakers);
        assert!(page.contains("| RFC 1 §2: y | yes | **no** |"), "{page}");
        assert!(!page.contains("RFC 1 §1"), "{page}");
        assert!(page.contains("| rules kept | 3 | 1 |"), "{page}");
        assert!(page.contains("| two | FRR | a case: expected"), "{page}");
    }
}
