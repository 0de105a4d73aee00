//! Keys of JSON, by their way from the top: those of FRR are rbgpd's, too, or excused by the documentation.

use std::collections::{BTreeMap, BTreeSet};

use conformance::lab::{Error, Lab, Node};
use serde_json::Value;

pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

/// Types of keys, by their way from the top.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn shape(value: &Value, way: &str, shape_of: &mut Shape) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    shape_of.entry(way.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(values) => {
            for value in values {
                shape(value, &format!("{way}[]"), shape_of);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let key = if is_value(key) { "*" } else { key };
                let dot = if way.is_empty() { "" } else { "." };
                shape(value, &format!("{way}{dot}{key}"), shape_of);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A key that is a value: it has a digit in front, a colon, or is the name of something in this lab.
fn is_value(key: &str) -> bool {
    const NAMES: [&str; 12] = [
        "IN", "OUT", "OWN", "default", "u", "lo", "br100", "vx100", "vxlan100", "net", "e1", "e2",
    ];
    let digit = key.starts_with(|c: char| c.is_ascii_digit());
    digit || key.contains(':') || key.starts_with("p-") || NAMES.contains(&key)
}

/// A key of FRR's that rbgpd does not have, or has otherwise, as the documentation says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Excuse {
    command: String,
    key: String,
}

impl Excuse {
    /// Those of the page's table.
    fn all() -> Result<Vec<Self>, Error> {
        // Within the program: there is no such file where a guest runs it.
        let page = include_str!("../../../daemon/docs/vtysh.md");
        let Some((_, table)) = page.split_once("| command | key | why |\n") else {
            return wrong("no table of keys in daemon/docs/vtysh.md");
        };
        let rows = table
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('|'));
        let mut all = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row
                .split(" | ")
                .map(|it| it.trim_matches(['|', ' ', '`']))
                .collect();
            let [command, keys, why] = cells.as_slice() else {
                return wrong(format!("not a row of keys: {row}"));
            };
            if why.is_empty() {
                return wrong(format!("no reason: {row}"));
            }
            for key in keys.split("`, `") {
                let (command, key) = ((*command).to_owned(), key.to_owned());
                all.push(Self { command, key });
            }
        }
        Ok(all)
    }

    /// A command's beginning stands for all that begin so; a `*` at an end of the key for anything.
    fn covers(&self, question: &str, way: &str) -> bool {
        let key = match (self.key.strip_prefix('*'), self.key.strip_suffix('*')) {
            (Some(_), Some(_)) => way.contains(self.key.trim_matches('*')),
            (Some(end), None) => way.ends_with(end),
            (None, Some(begin)) => way.starts_with(begin),
            (None, None) => way == self.key,
        };
        // What is asked of all VRFs is what is asked of one.
        let question = question.replace(" vrf all", "");
        key && (self.command == "all" || question.starts_with(&self.command))
    }
}

pub(crate) fn asked(node: &Node, question: &str) -> Result<Value, Error> {
    let output = node.vtysh(&[&format!("{question} json")])?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| Error::State(format!("`{question} json`: {error}: {}", output.text())))
}

/// Asks both, rbgpd first. Each excuse has to be needed.
pub(crate) fn compare_keys(
    lab: &Lab,
    [ours, theirs]: [&Node; 2],
    questions: &[&str],
) -> Result<(), Error> {
    let excuses = Excuse::all()?;
    let mut used = BTreeSet::new();
    let (mut faults, mut keys) = (Vec::new(), 0);
    for question in questions {
        let asked_of = |node: &Node| -> Result<Shape, Error> {
            let mut found = Shape::new();
            shape(&asked(node, question)?, "", &mut found);
            Ok(found)
        };
        let (ours, theirs) = (asked_of(ours)?, asked_of(theirs)?);
        for (way, kinds) in &theirs {
            keys += 1;
            let same = ours.get(way).is_some_and(|it| !it.is_disjoint(kinds));
            let excuse = excuses.iter().find(|it| it.covers(question, way));
            match (same, excuse) {
                (true, _) => {}
                (false, Some(excuse)) => {
                    used.insert(excuse);
                }
                (false, None) => {
                    let have = ours.get(way);
                    faults.push(format!("{question}: `{way}` {kinds:?}, rbgpd has {have:?}"));
                }
            }
        }
    }
    for excuse in &excuses {
        // What was the last thing to happen to a session depends on how the two met.
        if !used.contains(excuse)
            && !excuse.key.contains("last")
            && excuse.key != "*.softwareVersion"
        {
            faults.push(format!("an excuse that nothing needs: {excuse:?}"));
        }
    }
    if !faults.is_empty() {
        return wrong(format!("{} faults:\n{}", faults.len(), faults.join("\n")));
    }
    let (questions, excused) = (questions.len(), used.len());
    lab.step(format!(
        "{questions} questions: {keys} keys of FRR's, {excused} excuses used"
    ));
    Ok(())
}
