//! Keys of JSON, by their way from the top: those of FRR are rbgpd's, too, or excused by the documentation;
//! and lines of text that scripts read by their columns.

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
        // What reads `300.0` as a whole number fails.
        Value::Number(number) if number.is_f64() => "fraction",
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
    const NAMES: [&str; 16] = [
        "IN", "OUT", "OWN", "OTHER", "ALL", "SIX", "PATHS", "FOUR", "BARE", "default", "u", "lo",
        "net", "e1", "e2", "red",
    ];
    const NUMBERED: [&str; 4] = ["br", "vxlan", "vx", "to"];
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let numbered = |it: &&str| key.strip_prefix(it).is_some_and(is_number);
    let digit = key.starts_with(|c: char| c.is_ascii_digit());
    let port = key.starts_with("p-");
    digit || port || key.contains(':') || NAMES.contains(&key) || NUMBERED.iter().any(numbered)
}

/// A key of FRR's that rbgpd does not have, or has otherwise, as the documentation says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Excuse {
    command: String,
    key: String,
}

impl Excuse {
    /// Those of the page's table beneath a heading.
    fn beneath(heading: &str) -> Result<Vec<Self>, Error> {
        // Within the program: there is no such file where a guest runs it.
        let page = include_str!("../../../daemon/docs/vtysh.md");
        let section = page.split_once(&format!("# {heading}\n"));
        let table = section.and_then(|(_, it)| it.split_once("| command | key | why |\n"));
        let Some((_, table)) = table else {
            let why = format!("no table of keys beneath `{heading}` in daemon/docs/vtysh.md");
            return wrong(why);
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
        // What is asked of one VRF, or of all, is what is asked of none.
        let question = question.replace(" vrf all", "").replace(" vrf red", "");
        key && (self.command == "all" || question.starts_with(&self.command))
    }
}

pub(crate) fn asked(node: &Node, question: &str) -> Result<Value, Error> {
    let output = node.vtysh(&[&format!("{question} json")])?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| Error::State(format!("`{question} json`: {error}: {}", output.text())))
}

/// What is excused wherever it is asked.
pub(crate) const EVERYWHERE: &str = "Keys of JSON";

/// Asks both, rbgpd first. Beside what is excused [`EVERYWHERE`] there is a table beneath `heading`; each
/// excuse there has to be needed.
pub(crate) fn compare_keys(
    lab: &Lab,
    [ours, theirs]: [&Node; 2],
    questions: &[&str],
    heading: &str,
) -> Result<(), Error> {
    let own = Excuse::beneath(heading)?;
    let everywhere = match heading {
        EVERYWHERE => Vec::new(),
        _ => Excuse::beneath(EVERYWHERE)?,
    };
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
            let mut excuses = everywhere.iter().chain(&own);
            let excuse = excuses.find(|it| it.covers(question, way));
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
    for excuse in &own {
        // What happened last to a session, or is about to, depends on how the two met.
        let of_the_moment = [
            "last",
            "TimerDueInMsecs",
            ".softwareVersion",
            "linkDown",
            "multipath",
        ];
        if !used.contains(excuse) && !of_the_moment.iter().any(|it| excuse.key.contains(it)) {
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

/// Lines of text answers that begin with these words: a head, which has no numbers, is the same to the
/// blank, and others have the same columns.
pub(crate) fn compare_lines(
    lab: &Lab,
    [ours, theirs]: [&Node; 2],
    questions: &[(&str, &[&str])],
) -> Result<(), Error> {
    let (mut faults, mut count) = (Vec::new(), 0);
    for (question, beginnings) in questions {
        let (ours, theirs) = (ours.vtysh(&[question])?, theirs.vtysh(&[question])?);
        for begins in *beginnings {
            let of = |text: &str| -> BTreeSet<String> {
                let lines = text.lines().filter(|it| it.starts_with(begins));
                lines.map(columns).collect()
            };
            let (have, want) = (of(&ours.stdout), of(&theirs.stdout));
            count += want.len();
            if want.is_empty() || have != want {
                faults.push(format!(
                    "{question}: `{begins}`: {have:#?}, FRR has {want:#?}\n{}\n{}",
                    ours.stdout, theirs.stdout
                ));
            }
        }
    }
    if !faults.is_empty() {
        return wrong(format!("{} faults:\n{}", faults.len(), faults.join("\n")));
    }
    lab.step(format!("{} texts: {count} kinds of lines", questions.len()));
    Ok(())
}

/// A line without what is a value. The age of a route, which the kernel does not keep, stands behind the
/// others.
fn columns(line: &str) -> String {
    let has_digit = |it: &str| it.contains(|c: char| c.is_ascii_digit());
    if !has_digit(line) {
        return line.trim_end().to_owned();
    }
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let is_route =
        words.first().is_some_and(|it| it.ends_with(">*")) || words.get(1) == Some(&"*");
    if is_route && words.last().is_some_and(|it| it.matches(':').count() == 2) {
        words.pop();
    }
    // Which device a route leads to is a value, too.
    const ROUTE: [&str; 7] = [
        "is",
        "directly",
        "connected",
        "via",
        "onlink",
        "weight",
        "unreachable",
    ];
    let words = words.iter().enumerate().map(|(at, it)| {
        let word = it.trim_end_matches(',');
        let value = has_digit(word) || is_route && at > 0 && !ROUTE.contains(&word);
        match word {
            // Whether a neighbour that is not there is being called or waited for is of the moment.
            "Connect" => "Active",
            _ if value => "#",
            word => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
