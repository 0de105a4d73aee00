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

/// How `daemon/docs/rfc-support.md` is written again.
pub const RENEW: &str = "RBGPD_RENEW=1 cargo test -p rbgpd-conformance --test rules";

/// What an RFC is about, in the words of the field.
fn title(rfc: u32) -> &'static str {
    match rfc {
        1997 => "communities",
        2385 => "passwords (TCP MD5)",
        2918 => "route refresh",
        4271 => "BGP-4",
        4360 => "extended communities",
        4456 => "route reflection",
        4724 => "graceful restart",
        4760 => "multiprotocol extensions",
        5065 => "confederations",
        5082 => "TTL security",
        5492 => "capabilities",
        5880 => "BFD",
        5881 => "BFD over one hop",
        5882 => "Uses of BFD",
        5925 => "TCP-AO",
        6793 => "four-octet AS numbers",
        6811 => "origin validation",
        7311 => "AIGP",
        7313 => "enhanced route refresh",
        7606 => "errors in UPDATEs",
        7607 => "AS 0",
        7911 => "several paths of a prefix",
        7947 => "route server",
        7999 => "BLACKHOLE",
        8092 => "large communities",
        8210 => "the RPKI-to-router protocol",
        8212 => "eBGP without policy",
        8326 => "graceful shutdown",
        8538 => "graceful restart over NOTIFICATIONs",
        8654 => "extended messages",
        8950 => "IPv4 over IPv6 next hops",
        9003 => "shutdown texts",
        9072 => "extended optional parameters",
        9234 => "roles",
        9494 => "long-lived graceful restart",
        9687 => "send hold timer",
        _ => "",
    }
}

/// `daemon/docs/rfc-support.md`.
pub fn page(rules: &[Rule]) -> String {
    let mut out = String::from(
        "# Rules of the RFCs\n\n\
         What the documents ask for with MUST, and what becomes of it here. `tested`: a test plays a neighbor over TCP and\n\
         sees that it is so (`conformance/tests/rfc*.rs`). `exception`: rbgpd does otherwise, for the reason given. `todo`:\n\
         there is no test yet. How FRR and BIRD fare with the same tests is in [rfc-others.md](rfc-others.md).\n\n\
         | RFC | about | tested | exception | todo |\n|---|---|---|---|---|\n",
    );
    let counts = count(rules);
    let number =
        |counts: &BTreeMap<Status, usize>, status| counts.get(&status).copied().unwrap_or(0);
    for (rfc, counts) in &counts {
        let cells = [Status::Tested, Status::Exception, Status::Todo].map(|it| number(counts, it));
        let [tested, exception, todo] = cells;
        let about = title(*rfc);
        out += &format!("| {rfc} | {about} | {tested} | {exception} | {todo} |\n");
    }
    out += "\n## Exceptions, and what has no test\n\n| rule | | why |\n|---|---|---|\n";
    for rule in rules.iter().filter(|rule| rule.reason.is_some()) {
        let (rfc, section, text, status) = (rule.rfc, &rule.section, &rule.text, rule.status);
        let why = rule.reason.as_deref().unwrap_or_default();
        out += &format!("| RFC {rfc} §{section}: {text} | {status} | {why} |\n");
    }
    for rfc in counts.keys() {
        out += &format!(
            "\n## RFC {rfc}: {}\n\n| § | rule | |\n|---|---|---|\n",
            title(*rfc)
        );
        for rule in rules.iter().filter(|rule| rule.rfc == *rfc) {
            let (section, text, status) = (&rule.section, &rule.text, rule.status);
            out += &format!("| {section} | {text} | {status} |\n");
        }
    }
    out += &format!("\nThis page is written by `{RENEW}`.\n");
    out
}
