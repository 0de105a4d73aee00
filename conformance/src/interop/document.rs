//! `daemon/docs/interop.md`: the table as it is kept, and whether it still agrees.
//!
//! The document is read back into the [`Matrix`] it was written from, so one daemon's column can
//! be compared, or renewed, where the others are not installed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Daemon, Feature, Outcome};
use crate::lab::Error;

/// How the document is renewed.
pub const RENEW: &str =
    "RBGPD_INTEROP_WRITE=1 cargo test -p rbgpd-conformance --test lab_interop, as root";

/// Set: columns are written instead of compared.
const WRITE: &str = "RBGPD_INTEROP_WRITE";

/// Above the table.
const HEAD: &str = "\
# Interoperability

What rbgpd does together with other daemons, found out with real processes: rbgpd on one side of a link, the other
daemon on the other, one session for each feature. `make test` makes the table again and compares.
";

/// Between table and notes.
const LEGEND: &str = "
`passed`: the session is up, routes with their attributes went both ways, and both sides say so themselves. `no`: the
other daemon does not have it. `not yet`: rbgpd does not have it. Numbers are notes.
";

/// Below everything.
const TAIL: &str = "
## What is checked

| row | check |
| --- | --- |
| IPv4, IPv6 unicast | one prefix each way, with AS path, MED, community and next hop |
| EVPN | tunnel endpoint (type 3) and MAC address (type 2) each way; from GoBGP types 1 to 5 |
| large communities | one each way |
| IPv4 over IPv6 next hops | one prefix each way on a link that has no IPv4 address |
| extended messages | a route with 1100 communities is announced by rbgpd and seen there |
| route refresh | either side asks, and the other one sends again |
| graceful restart | the other daemon is killed and started again, then rbgpd is: routes are kept meanwhile |
| passwords | a session with one password is up, a session with two different ones is not |
| TTL security | both sides demand TTL 255 |
| roles | rbgpd is the customer, the other daemon the provider |
| reflector's client | a route of one rbgpd reaches another one of the same AS through the other daemon |
| reflector | a route of one rbgpd reaches the other daemon through another rbgpd, with who originated it |
| several paths received | the other daemon has a path of two clients each, and rbgpd takes in both |
| several paths sent | rbgpd has a path of its own and one of a client, and the other daemon takes in both |
";

/// The table with its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// What each daemon calls itself.
    versions: BTreeMap<usize, String>,
    /// Cells by column and row.
    cells: BTreeMap<(usize, usize), Outcome>,
}

/// Where the document is.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/docs/interop.md")
}

/// Compares a column with the stored one, or stores it where the environment says so.
pub fn agree(daemon: Daemon, found: &[Outcome]) -> Result<(), Error> {
    let path = path();
    if std::env::var_os(WRITE).is_some() {
        return renew(&path, daemon, found);
    }
    let text = fs::read_to_string(&path).map_err(|e| Error::io(path.display(), e))?;
    let matrix = Matrix::parse(&text)?;
    let differences = matrix.differences(daemon, found);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{} of {} is not what {} says: {}\n\nhint: {RENEW}",
            daemon.name(),
            daemon.version(),
            path.display(),
            differences.join("; ")
        ))),
    }
}

/// Writes one column. Others may do so for theirs at the same time.
fn renew(path: &Path, daemon: Daemon, found: &[Outcome]) -> Result<(), Error> {
    let failed = |e| Error::io(path.display(), e);
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(failed)?;
    file.lock().map_err(failed)?;
    let text = fs::read_to_string(path).map_err(failed)?;
    let mut matrix = Matrix::parse(&text).unwrap_or_else(|_| Matrix::empty());
    matrix.put(daemon, daemon.version(), found);
    fs::write(path, matrix.render()).map_err(failed)
}

fn column(daemon: Daemon) -> usize {
    let mut all = Daemon::ALL.iter();
    all.position(|it| *it == daemon).unwrap_or(usize::MAX)
}

fn row(feature: Feature) -> usize {
    let mut all = Feature::ALL.iter();
    all.position(|it| *it == feature).unwrap_or(usize::MAX)
}

impl Matrix {
    /// A table of which nothing is known yet.
    fn empty() -> Self {
        Self {
            versions: BTreeMap::new(),
            cells: BTreeMap::new(),
        }
    }

    /// A cell; `None` where it is missing.
    pub fn cell(&self, daemon: Daemon, feature: Feature) -> Option<&Outcome> {
        self.cells.get(&(column(daemon), row(feature)))
    }

    /// Where a column is not what was found, in words.
    fn differences(&self, daemon: Daemon, found: &[Outcome]) -> Vec<String> {
        let mut differences = Vec::new();
        for (feature, now) in Feature::ALL.into_iter().zip(found) {
            match self.cell(daemon, feature) {
                Some(stored) if stored == now => {}
                Some(stored) => differences.push(format!("{feature}: `{stored}`, now `{now}`")),
                None => differences.push(format!("{feature}: nothing, now `{now}`")),
            }
        }
        differences
    }

    fn put(&mut self, daemon: Daemon, version: String, outcomes: &[Outcome]) {
        let column = column(daemon);
        self.versions.insert(column, version);
        for (row, outcome) in outcomes.iter().enumerate() {
            self.cells.insert((column, row), outcome.clone());
        }
    }

    /// The document. Sentences that several cells share have one number.
    pub fn render(&self) -> String {
        let mut notes: Vec<&str> = Vec::new();
        let mut out = format!("{HEAD}\n|  |");
        for daemon in Daemon::ALL {
            let _ = write!(out, " {} |", daemon.name());
        }
        out += "\n| --- |";
        out += &" --- |".repeat(Daemon::ALL.len());
        out.push('\n');
        for feature in Feature::ALL {
            let _ = write!(out, "| {feature} |");
            for daemon in Daemon::ALL {
                let Some(outcome) = self.cell(daemon, feature) else {
                    out += " - |";
                    continue;
                };
                let _ = write!(out, " {}", outcome.word());
                if let Some(why) = outcome.why() {
                    let known = notes.iter().position(|it| *it == why);
                    let number = known.unwrap_or_else(|| {
                        notes.push(why);
                        notes.len() - 1
                    });
                    let _ = write!(out, " ({})", number + 1);
                }
                out += " |";
            }
            out.push('\n');
        }
        out += LEGEND;
        out.push('\n');
        for (number, note) in (1..).zip(&notes) {
            let _ = writeln!(out, "{number}. {note}");
        }
        out += "\n## Versions\n\n| daemon | calls itself |\n| --- | --- |\n";
        for daemon in Daemon::ALL {
            let version = self.versions.get(&column(daemon));
            let version = version.map_or("-", String::as_str);
            let _ = writeln!(out, "| {} | {version} |", daemon.name());
        }
        out += TAIL;
        let _ = write!(out, "\nThis page is written by `{RENEW}`.\n");
        out
    }

    /// Reads what [`Matrix::render`] wrote.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut matrix = Self::empty();
        let notes: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once(". "))
            .filter(|(number, _)| number.parse::<usize>().is_ok())
            .collect();
        let rows = || {
            let lines = text.lines().filter_map(|line| line.strip_prefix("| "));
            lines.map(|line| line.trim_end_matches(" |").split(" | ").collect::<Vec<_>>())
        };
        for feature in Feature::ALL {
            let name = feature.to_string();
            let cells = rows().find(|cells| cells.first() == Some(&name.as_str()));
            let cells = cells.unwrap_or_default();
            for (daemon, cell) in Daemon::ALL.into_iter().zip(cells.into_iter().skip(1)) {
                if cell == "-" {
                    continue;
                }
                let outcome = outcome(cell, &notes)?;
                matrix.cells.insert((column(daemon), row(feature)), outcome);
            }
        }
        for daemon in Daemon::ALL {
            let found =
                rows().find(|cells| cells.len() == 2 && cells.first() == Some(&daemon.name()));
            let version = found.and_then(|cells| cells.get(1).copied());
            if let Some(version) = version.filter(|version| *version != "-") {
                matrix.versions.insert(column(daemon), version.to_owned());
            }
        }
        Ok(matrix)
    }
}

/// One cell: a word, and perhaps the number of a note.
fn outcome(cell: &str, notes: &BTreeMap<&str, &str>) -> Result<Outcome, Error> {
    let (word, number) = match cell.trim_end_matches(')').split_once(" (") {
        Some((word, number)) => (word, Some(number)),
        None => (cell, None),
    };
    let note = match number {
        Some(number) => {
            let note = notes.get(number).copied().map(str::to_owned);
            Some(note.ok_or_else(|| unreadable(cell, "a number that has a note"))?)
        }
        None => None,
    };
    match (word, note) {
        ("passed", note) => Ok(Outcome::Passed(note)),
        ("no", Some(why)) => Ok(Outcome::No(why)),
        ("not yet", Some(why)) => Ok(Outcome::NotYet(why)),
        _ => Err(unreadable(cell, "`passed`, `no (N)` or `not yet (N)`")),
    }
}

fn unreadable(cell: &str, expected: &str) -> Error {
    Error::State(format!(
        "`{cell}` in daemon/docs/interop.md, expected {expected}\n\nhint: {RENEW}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Matrix {
        let mut matrix = Matrix::empty();
        for (number, daemon) in Daemon::ALL.into_iter().enumerate() {
            let mut column = vec![Outcome::Passed(None); Feature::ALL.len()];
            column[number] = Outcome::No(format!("{} has it not", daemon.name()));
            column[number + 1] = Outcome::NotYet("rbgpd has it not".to_owned());
            column[number + 2] = Outcome::Passed(Some("one way only".to_owned()));
            matrix.put(daemon, format!("version {number}"), &column);
        }
        matrix
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut matrix = matrix();
        assert_eq!(Matrix::parse(&matrix.render()).unwrap(), matrix);
        // The same of a table that is not complete yet.
        matrix.cells.retain(|(column, _), _| column % 2 == 0);
        matrix.versions.remove(&3);
        assert_eq!(Matrix::parse(&matrix.render()).unwrap(), matrix);
    }

    #[test]
    fn a_cell_that_has_changed_is_named_with_both() {
        let mut matrix = matrix();
        let mut found = vec![Outcome::Passed(None); Feature::ALL.len()];
        matrix.put(Daemon::Gobgp, "4".to_owned(), &found);
        assert_eq!(
            matrix.differences(Daemon::Gobgp, &found),
            Vec::<String>::new()
        );
        found[1] = Outcome::No("it went".to_owned());
        assert_eq!(
            matrix.differences(Daemon::Gobgp, &found),
            ["IPv6 unicast: `passed`, now `no: it went`"]
        );
    }

    #[test]
    fn sentences_that_cells_share_stand_once() {
        let text = matrix().render();
        assert_eq!(text.matches("rbgpd has it not").count(), 1);
        assert_eq!(text.matches("one way only").count(), 1);
    }

    #[test]
    fn a_cell_without_its_note_is_an_error() {
        let text = matrix().render().replace("no (1)", "no (99)");
        let error = Matrix::parse(&text).unwrap_err().to_string();
        assert!(
            error.contains("`no (99)`") && error.contains("hint:"),
            "{error}"
        );
    }

    #[test]
    fn the_stored_document_has_every_cell_and_reads_as_it_is_written() {
        let text = fs::read_to_string(path()).unwrap();
        let matrix = Matrix::parse(&text).unwrap();
        for daemon in Daemon::ALL {
            for feature in Feature::ALL {
                let cell = matrix.cell(daemon, feature);
                assert!(cell.is_some(), "{}: {feature}", daemon.name());
            }
        }
        assert_eq!(matrix.render(), text, "hint: {RENEW}");
    }
}
