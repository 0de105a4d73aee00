//! What an evaluation did, step by step, for `explain`.
//!
//! Filled while the verdict is made, never computed afterwards. A called map's steps stand behind
//! the step of the entry that calls it, one level deeper. Only values that were looked at appear.

use std::fmt;
use std::sync::Arc;

use crate::policy::Action;

/// The steps of one evaluation, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    steps: Vec<Step>,
}

impl Trace {
    /// An empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// There is no route-map and everything passes.
    AcceptAll,
    /// There is no route-map and nothing passes.
    RejectAll(Arc<str>),
    /// An entry was visited.
    Entry {
        /// Name of the route-map.
        map: String,
        /// 0 in the neighbour's own map, one more in each map called.
        depth: usize,
        /// Sequence number of the entry.
        seq: u32,
        /// What the entry does with what it matches.
        action: Action,
        /// Its conditions up to the first that does not hold; empty when it has none.
        checks: Vec<Check>,
        /// What it changed.
        changes: Vec<Change>,
        /// What follows.
        outcome: Outcome,
    },
    /// A route-map came to its end.
    End {
        /// Name of the route-map.
        map: String,
        /// As in [`Step::Entry`].
        depth: usize,
        /// Permitted by an entry, or denied because none permitted it.
        action: Action,
    },
}

/// A condition, and what the route showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The condition, such as `prefix_list INTERNAL`.
    pub condition: String,
    /// The value compared, such as `10.1.0.0/16: seq 5 permit 10.0.0.0/8 le 24`.
    pub found: String,
    /// Whether it holds.
    pub holds: bool,
}

/// A change an entry made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What was set, such as `metric`.
    pub name: &'static str,
    /// Value before, `none` when there was none.
    pub before: String,
    /// Value after.
    pub after: String,
}

/// How an entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A condition does not hold; the next entry follows.
    NotMatched,
    /// The route is denied.
    Denied,
    /// The route is permitted and the map is done.
    Permitted,
    /// The route is permitted so far; the next entry follows.
    Next,
    /// The route is permitted so far; the first entry from this number on follows.
    Goto(u32),
    /// The sets are done and another map is called.
    Call,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::AcceptAll => f.write_str("no route-map: accepted"),
            Step::RejectAll(reason) => write!(f, "rejected: {reason}"),
            Step::Entry {
                map,
                depth,
                seq,
                action,
                checks,
                changes,
                outcome,
            } => {
                write!(f, "{:1$}{map} {action} {seq}: ", "", depth * 2)?;
                if checks.is_empty() {
                    f.write_str("matches every route; ")?;
                }
                for check in checks {
                    write!(f, "{check}; ")?;
                }
                for change in changes {
                    write!(f, "{change}; ")?;
                }
                outcome.fmt(f)
            }
            Step::End { map, depth, action } => {
                let (indent, reason) = (depth * 2, action);
                write!(f, "{:indent$}{map}: end of the map, ", "")?;
                f.write_str(match reason {
                    Action::Permit => "permitted",
                    Action::Deny => "no entry permits: denied",
                })
            }
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = if self.holds { "holds" } else { "does not hold" };
        write!(f, "{} {holds} ({})", self.condition, self.found)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.name, self.before, self.after)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::NotMatched => f.write_str("not matched"),
            Outcome::Denied => f.write_str("denied"),
            Outcome::Permitted => f.write_str("permitted"),
            Outcome::Next => f.write_str("permitted so far, next entry"),
            Outcome::Goto(seq) => write!(f, "permitted so far, on to entry {seq}"),
            Outcome::Call => f.write_str("calls another map"),
        }
    }
}
