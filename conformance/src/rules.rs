//! The rules of the RFCs as a list, and whether list and tests agree.
//!
//! `rules.toml` names for each rule the tests that check it, or says why there is none. [`read`]
//! parses it, [`tests_in`] finds the tests in a source file, and [`disagreements`] compares both:
//! nothing is claimed to be tested that is not, and no test checks a rule nobody can look up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::{Table, Value};

/// How it stands with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Tests check it.
    Tested,
    /// It is broken on purpose.
    Exception,
    /// There is no test yet.
    Todo,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Tested => "tested",
            Status::Exception => "exception",
            Status::Todo => "todo",
        })
    }
}

/// A rule of an RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Number of the RFC.
    pub rfc: u32,
    /// Section of it.
    pub section: String,
    /// What it says.
    pub text: String,
    /// How it stands with it.
    pub status: Status,
    /// Names of tests.
    pub tests: Vec<String>,
    /// Why it is not simply tested.
    pub reason: Option<String>,
}

/// Why `rules.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// It is not TOML.
    #[error("the rules are not TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// An entry is not what it must be.
    #[error("rule {number}: {problem}")]
    Rule {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads the list.
pub fn read(text: &str) -> Result<Vec<Rule>, RulesError> {
    let file: Table = text.parse()?;
    let rules = file.get("rule").and_then(Value::as_array);
    let rules = rules.map(Vec::as_slice).unwrap_or_default();
    let numbered = rules.iter().zip(1..);
    numbered
        .map(|(rule, number)| {
            read_rule(rule).map_err(|problem| RulesError::Rule { number, problem })
        })
        .collect()
}

const KEYS: [&str; 6] = ["rfc", "section", "text", "status", "tests", "reason"];

fn read_rule(value: &Value) -> Result<Rule, String> {
    let table = value.as_table().ok_or("is not a table")?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("`{key}` is none of {KEYS:?}"));
    }
    let text = |key: &str| {
        let found = table
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        found.map(str::to_owned)
    };
    let required = |key: &str| text(key).ok_or(format!("`{key}` must be a text"));
    let rfc = table.get("rfc").and_then(Value::as_integer);
    let tests = table.get("tests").and_then(Value::as_array);
    let tests = tests.map(Vec::as_slice).unwrap_or_default();
    let rule = Rule {
        rfc: rfc
            .and_then(|rfc| u32::try_from(rfc).ok())
            .ok_or("`rfc` must be a number")?,
        section: required("section")?,
        text: required("text")?,
        status: match required("status")?.as_str() {
            "tested" => Status::Tested,
            "exception" => Status::Exception,
            "todo" => Status::Todo,
            other => return Err(format!("`status` is `{other}`")),
        },
        tests: tests
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        reason: text("reason"),
    };
    match (rule.status, rule.tests.is_empty(), &rule.reason) {
        (Status::Tested, true, _) => Err("is tested, but names no test".to_owned()),
        (Status::Todo, false, _) => Err("is to be done, but names a test".to_owned()),
        (Status::Exception | Status::Todo, _, None) => Err("needs a reason".to_owned()),
        (Status::Tested | Status::Exception | Status::Todo, _, _) => Ok(rule),
    }
}

/// Names of the test functions in a source file: those that follow a `#[test]`.
pub fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        let name = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split_once('('));
        match name {
            Some((name, _)) if marked => names.push(name.to_owned()),
            Some(_) | None => {}
        }
        marked = line == "#[test]" || (marked && (line.starts_with("#[") || line.is_empty()));
    }
    names
}

/// Where rules and tests do not agree, in words; `tests` are names by file.
pub fn disagreements(rules: &[Rule], tests: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let named: BTreeSet<&str> = rules
        .iter()
        .flat_map(|rule| &rule.tests)
        .map(String::as_str)
        .collect();
    let mut there = BTreeSet::new();
    let mut out = Vec::new();
    for (file, names) in tests {
        for name in names {
            if !there.insert(name.as_str()) {
                out.push(format!("{file}: a second test of the name `{name}`"));
            }
            if !named.contains(name.as_str()) {
                out.push(format!("{file}: the test `{name}` belongs to no rule"));
            }
        }
    }
    for rule in rules {
        for name in rule
            .tests
            .iter()
            .filter(|name| !there.contains(name.as_str()))
        {
            let (rfc, section) = (rule.rfc, &rule.section);
            out.push(format!("RFC {rfc} §{section}: there is no test `{name}`"));
        }
    }
    out
}

/// Rules by RFC and status, for a summary.
pub fn count(rules: &[Rule]) -> BTreeMap<u32, BTreeMap<Status, usize>> {
    let mut out: BTreeMap<u32, BTreeMap<Status, usize>> = BTreeMap::new();
    for rule in rules {
        *out.entry(rule.rfc)
            .or_default()
            .entry(rule.status)
            .or_default() += 1;
    }
    out
}
