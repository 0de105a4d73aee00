//! Figures of all runs as a table for people and as JSON for programs.
//!
//! A cell is the median of the runs with the least in parentheses. Ratios compare the project's
//! median with the best peer's median, figure by figure: the peer that is best on CPU need not be
//! the one that is best on memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The figures of one run, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub struct Record {
    values: Vec<(&'static str, f64)>,
}

impl Record {
    /// Sets a figure.
    pub fn set(&mut self, name: &'static str, value: f64) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// All figures in one line.
    pub fn line(&self) -> String {
        let figures = self.values.iter();
        let figures = figures.map(|(name, value)| format!("{name} {}", number(*value)));
        figures.collect::<Vec<_>>().join(", ")
    }

    /// Takes over all figures of another record.
    pub fn extend(&mut self, other: Self) {
        for (name, value) in other.values {
            self.set(name, value);
        }
    }

    /// One figure.
    pub fn get(&self, name: &str) -> Option<f64> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}

/// What became of one daemon in one scenario.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Runs that ended.
    pub records: Vec<Record>,
    /// Why a run did not.
    pub failure: Option<String>,
}

/// One scenario with everybody's figures.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// `S1`
    pub scenario: &'static str,
    /// What happens in it.
    pub title: String,
    /// The daemons in the order in which they ran.
    pub rows: Vec<(&'static str, Outcome)>,
    /// Name of the project's own daemon.
    pub ours: &'static str,
}

/// A figure the project has set itself.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// At most this part of the best peer's.
    Ratio(f64),
    /// At most this much.
    Most(f64),
}

/// Figure by figure: scenarios (empty: all that have it), name, target.
const TARGETS: &[(&[&str], &str, Target)] = &[
    (
        &["S1", "S2", "S3", "S9", "S11", "S8"],
        "cpu_s",
        Target::Ratio(0.5),
    ),
    (
        &["S1", "S2", "S3", "S9", "S11", "S8"],
        "full_s",
        Target::Ratio(0.5),
    ),
    (&["S4"], "cpu_s", Target::Ratio(0.3)),
    (&["S4"], "full_s", Target::Ratio(0.3)),
    (&["S5"], "flap_s", Target::Ratio(0.5)),
    (&["S5"], "flap_cpu_s", Target::Ratio(0.5)),
    (&["S6"], "cpu_s", Target::Ratio(0.5)),
    (&["S6"], "full_s", Target::Ratio(0.3)),
    (&["SC"], "withdraw_ms", Target::Ratio(0.7)),
    (&["SC"], "announce_ms", Target::Ratio(0.7)),
    (&["SC"], "round_cpu_ms", Target::Ratio(0.7)),
    (&["S7"], "fib_full_s", Target::Ratio(0.6)),
    (&["S7"], "cpu_s", Target::Ratio(0.6)),
    (&["S7"], "fib_to_floor", Target::Most(1.25)),
    (&["S8"], "launch_to_full_s", Target::Ratio(0.5)),
    (&["S1"], "emptied_to_start", Target::Most(1.2)),
    (&["S6"], "bytes_per_path", Target::Ratio(0.8)),
    (
        &["S1", "S2", "S3", "S4", "S5", "SC", "S7", "S8", "S11"],
        "bytes_per_path",
        Target::Ratio(0.7),
    ),
    (&[], "peak_to_settled", Target::Most(1.1)),
    (&["S1", "S2", "S3", "S6"], "first_ms", Target::Most(5.0)),
    (&[], "up_ms", Target::Most(20.0)),
    (&["CTL", "BFD"], "ctl_max_ms", Target::Most(100.0)),
    (&["BFD"], "bfd_downs", Target::Most(0.0)),
    // A third of the hold time of 12 s, and what the timers of both ends add.
    (&["BFD"], "silence_s", Target::Most(5.0)),
    (&["EDIT"], "edit_in_ms", Target::Most(100.0)),
    (&["EDIT"], "edit_out_ms", Target::Most(100.0)),
];

/// What says how something was done and not what it cost.
const NEUTRAL: &[&str] = &[
    "told_times",
    "updates_out",
    "tool_cpu_s",
    "prefixes",
    "paths",
    "asked",
    "rounds",
    "bfd_up",
    "floor_s",
    "floor_cpu_s",
];

impl Sheet {
    /// The names of all figures, in order.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        let records = self.rows.iter().flat_map(|(_, outcome)| &outcome.records);
        for (name, _) in records.flat_map(|record| &record.values) {
            if !columns.contains(name) {
                columns.push(*name);
            }
        }
        columns
    }

    /// The table, as Markdown.
    pub fn table(&self) -> String {
        let columns = self.columns();
        let mut out = format!("### {}: {}\n\n| daemon | runs |", self.scenario, self.title);
        for column in &columns {
            out.push_str(&format!(" {column} |"));
        }
        out.push_str("\n|---|---|");
        out.push_str(&"---|".repeat(columns.len()));
        out.push('\n');
        for (name, outcome) in &self.rows {
            let runs = outcome.records.len();
            out.push_str(&format!("| {name} | {runs} |"));
            for column in &columns {
                out.push_str(&format!(" {} |", cell(outcome, column)));
            }
            out.push('\n');
        }
        for (name, outcome) in &self.rows {
            if let Some(failure) = &outcome.failure {
                out.push_str(&format!("\n{name} FAILED: {failure}\n"));
            }
        }
        let ratios = self.ratios();
        if !ratios.is_empty() {
            out.push_str(
                "\n| figure | ours | best peer | ratio | target | |\n|---|---|---|---|---|---|\n",
            );
            for ratio in ratios {
                out.push_str(&ratio.row());
            }
        }
        out
    }

    /// Ours against the best peer for each figure.
    pub fn ratios(&self) -> Vec<Ratio> {
        let find = |name| self.rows.iter().find(|(row, _)| *row == name);
        let Some((_, ours)) = find(self.ours) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for column in self.columns() {
            let Some(our) = median(ours, column) else {
                continue;
            };
            let peers = self.rows.iter().filter(|(name, _)| *name != self.ours);
            let best = peers
                .filter_map(|(name, outcome)| Some((*name, median(outcome, column)?)))
                .min_by(|(_, a), (_, b)| a.total_cmp(b));
            let target = TARGETS.iter().find(|(scenarios, name, _)| {
                *name == column && (scenarios.is_empty() || scenarios.contains(&self.scenario))
            });
            // A figure that is no cost has no best.
            if NEUTRAL.contains(&column) {
                continue;
            }
            if best.is_some() || target.is_some() {
                all.push(Ratio {
                    scenario: self.scenario,
                    figure: column,
                    our,
                    best,
                    target: target.map(|(_, _, target)| *target),
                });
            }
        }
        all
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(name, outcome)| {
                let runs = outcome.records.iter().map(|record| {
                    let values = record.values.iter().copied();
                    json!(values.collect::<BTreeMap<_, _>>())
                });
                json!({
                    "daemon": name,
                    "runs": runs.collect::<Vec<_>>(),
                    "failure": outcome.failure,
                })
            })
            .collect();
        let ratios: Vec<Value> = self.ratios().iter().map(Ratio::json).collect();
        json!({
            "scenario": self.scenario,
            "title": self.title,
            "daemons": rows,
            "ratios": ratios,
        })
    }
}

/// One figure of ours against the best peer's.
#[derive(Debug, Clone)]
pub struct Ratio {
    scenario: &'static str,
    figure: &'static str,
    our: f64,
    best: Option<(&'static str, f64)>,
    target: Option<Target>,
}

impl Ratio {
    fn ratio(&self) -> Option<f64> {
        let (_, best) = self.best?;
        (best > 0.0).then(|| self.our / best)
    }

    /// Whether the target holds; `None` without one, or without a peer to compare with.
    pub fn holds(&self) -> Option<bool> {
        match self.target? {
            Target::Most(most) => Some(self.our <= most),
            Target::Ratio(most) => self.ratio().map(|ratio| ratio <= most),
        }
    }

    /// In one line, for the summary.
    pub fn line(&self) -> String {
        let best = self.best.map_or_else(String::new, |(name, value)| {
            format!(" against {} ({name})", number(value))
        });
        let target = self.target_text();
        format!(
            "{} {}: {}{best}, target {target}",
            self.scenario,
            self.figure,
            number(self.our)
        )
    }

    fn target_text(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::Ratio(most)) => format!("≤ {most} of it"),
            Some(Target::Most(most)) => format!("≤ {most}"),
        }
    }

    fn row(&self) -> String {
        let best = self.best.map_or_else(
            || "-".to_owned(),
            |(name, value)| format!("{} ({name})", number(value)),
        );
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), number);
        let verdict = match self.holds() {
            None => "",
            Some(true) => "holds",
            Some(false) => "MISSED",
        };
        format!(
            "| {} | {} | {best} | {ratio} | {} | {verdict} |\n",
            self.figure,
            number(self.our),
            self.target_text()
        )
    }

    fn json(&self) -> Value {
        json!({
            "figure": self.figure,
            "ours": self.our,
            "best_peer": self.best.map(|(name, _)| name),
            "best": self.best.map(|(_, value)| value),
            "ratio": self.ratio(),
            "target": self.target_text(),
            "holds": self.holds(),
        })
    }
}

fn sorted(outcome: &Outcome, column: &str) -> Vec<f64> {
    let mut values: Vec<f64> = outcome
        .records
        .iter()
        .filter_map(|record| record.get(column))
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle value; of an even number, the lower one of both in the middle.
fn median(outcome: &Outcome, column: &str) -> Option<f64> {
    let values = sorted(outcome, column);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn cell(outcome: &Outcome, column: &str) -> String {
    let values = sorted(outcome, column);
    match (median(outcome, column), values.first()) {
        (Some(median), Some(least)) if values.len() > 1 => {
            format!("{} ({})", number(median), number(*least))
        }
        (Some(median), _) => number(median),
        (None, _) => "-".to_owned(),
    }
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(values: &[f64]) -> Outcome {
        let record = |value: &f64| {
            let mut record = Record::default();
            record.set("cpu_s", *value);
            record
        };
        Outcome {
            records: values.iter().map(record).collect(),
            failure: None,
        }
    }

    #[test]
    fn the_median_is_compared_with_the_best_peers_median() {
        let sheet = Sheet {
            scenario: "S1",
            title: "test".to_owned(),
            rows: vec![
                ("rbgpd", outcome(&[0.6, 0.9, 0.5])),
                ("slow", outcome(&[9.0, 0.1, 8.0])),
                ("quick", outcome(&[2.0, 1.0, 1.5])),
            ],
            ours: "rbgpd",
        };
        let ratios = sheet.ratios();
        let [ratio] = ratios.as_slice() else {
            unreachable!("one figure, one ratio: {ratios:?}");
        };
        assert_eq!(ratio.best, Some(("quick", 1.5)));
        assert_eq!(ratio.holds(), Some(true));
        assert!(sheet.table().contains("| rbgpd | 3 | 0.600 (0.500) |"));
        assert!(sheet.table().contains("0.400"));
    }

    #[test]
    fn without_a_peer_a_ratio_neither_holds_nor_fails() {
        let sheet = Sheet {
            scenario: "S1",
            title: "test".to_owned(),
            rows: vec![("rbgpd", outcome(&[0.6]))],
            ours: "rbgpd",
        };
        assert!(sheet.ratios().iter().all(|ratio| ratio.holds().is_none()));
    }
}
