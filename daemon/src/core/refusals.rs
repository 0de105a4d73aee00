//! Entries that the kernel refused, and took after all, as few lines in the log.
//!
//! What goes wrong for one route goes wrong for all that lead the same way: a link that flaps with
//! a full table on it would write a million lines. Entries are gathered for a moment and said by
//! their cause, with a number and the first of them. One that is taken within that moment, as a
//! device comes up just after its first entries, is not worth a line.
//!
//! Which entry failed and why is the core's own knowledge; here are only the keys that no line was
//! written about yet.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use fib::Key;

/// A line is written when nothing has come for this long..
const QUIET: Duration = Duration::from_secs(1);

/// ..and when something has been coming for this long.
const LATEST: Duration = Duration::from_secs(10);

/// Causes said one by one; the rest is a number.
const CAUSES_MAX: usize = 5;

/// Entries named in a line.
const NAMED_MAX: usize = 3;

/// What no line was written about yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    refused: HashSet<Key>,
    taken: Group,
    /// When the first and the last of these came.
    since: Option<(Instant, Instant)>,
}

/// Entries of one line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) entries: usize,
    first: Vec<Key>,
}

impl Group {
    fn add(&mut self, key: &Key) {
        self.entries += 1;
        let at = self.first.partition_point(|other| other < key);
        if at < NAMED_MAX {
            self.first.insert(at, key.clone());
            self.first.truncate(NAMED_MAX);
        }
    }

    /// The first of them, for people.
    pub(super) fn named(&self) -> String {
        let mut text = String::new();
        for key in &self.first {
            let comma = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{comma}{key}"));
        }
        if self.entries > self.first.len() {
            text.push_str(", ..");
        }
        text
    }
}

/// What is to be said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) refused: Vec<(String, Group)>,
    /// Refused for further causes.
    pub(super) others: Group,
    pub(super) taken: Group,
}

impl Refusals {
    pub(super) fn refused(&mut self, now: Instant, key: Key) {
        self.refused.insert(key);
        self.touch(now);
    }

    /// The kernel took it after all.
    pub(super) fn taken(&mut self, now: Instant, key: &Key) {
        if !self.refused.remove(key) {
            self.taken.add(key);
            self.touch(now);
        }
    }

    /// It is wanted no more.
    pub(super) fn gone(&mut self, key: &Key) {
        self.refused.remove(key);
    }

    fn touch(&mut self, now: Instant) {
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, now));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let (first, last) = self.since?;
        Some((last + QUIET).min(first + LATEST))
    }

    /// What is to be said now, by the causes as they are.
    pub(super) fn lines<'a>(
        &mut self,
        now: Instant,
        cause: impl Fn(&Key) -> Option<&'a str>,
    ) -> Option<Lines> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        let Self { refused, taken, .. } = std::mem::take(self);
        let mut causes: BTreeMap<&str, Group> = BTreeMap::new();
        for key in &refused {
            if let Some(cause) = cause(key) {
                causes.entry(cause).or_default().add(key);
            }
        }
        let mut causes: Vec<(&str, Group)> = causes.into_iter().collect();
        causes.sort_by_key(|(_, group)| std::cmp::Reverse(group.entries));
        let mut others = Group::default();
        for (_, group) in causes.split_off(causes.len().min(CAUSES_MAX)) {
            others.entries += group.entries;
            others.first.extend(group.first);
        }
        others.first.sort();
        others.first.truncate(NAMED_MAX);
        let refused = causes.into_iter();
        Some(Lines {
            refused: refused
                .map(|(cause, group)| (cause.to_owned(), group))
                .collect(),
            others,
            taken,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn key(number: u32) -> Key {
        Key::Overlay(number)
    }

    #[test]
    fn a_link_that_flaps_is_one_line_for_each_cause_and_one_for_the_way_back() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        let cause: HashMap<Key, &str> = (0..401)
            .map(|number| {
                (
                    key(number),
                    ["down", "unreachable"][usize::from(number == 7)],
                )
            })
            .collect();
        for number in 0..401 {
            refusals.refused(start, key(number));
        }
        let cause_of = |key: &Key| cause.get(key).copied();
        assert_eq!(refusals.lines(start, cause_of), None, "more may come");
        let end = start + QUIET;
        assert_eq!(refusals.deadline(), Some(end));
        let lines = refusals.lines(end, cause_of).unwrap();
        let (text, group) = &lines.refused[0];
        assert_eq!((text.as_str(), group.entries), ("down", 400));
        assert_eq!(group.named(), "vni 0, vni 1, vni 2, ..");
        assert_eq!(lines.refused[1].1.named(), "vni 7");
        assert_eq!((lines.others.entries, lines.taken.entries), (0, 0));
        assert_eq!(refusals.deadline(), None);

        for number in 0..401 {
            refusals.taken(end, &key(number));
        }
        let lines = refusals.lines(end + QUIET, cause_of).unwrap();
        assert_eq!(lines.refused, []);
        assert_eq!(lines.taken.entries, 401);
    }

    #[test]
    fn what_is_taken_or_gone_within_a_moment_is_not_said() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        refusals.refused(start, key(1));
        refusals.refused(start, key(2));
        refusals.taken(start, &key(1));
        refusals.gone(&key(2));
        let lines = refusals.lines(start + QUIET, |_| Some("no device"));
        assert_eq!(lines, Some(Lines::default()));
    }

    #[test]
    fn what_goes_on_is_said_all_the_same_and_causes_are_bounded() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        let causes: Vec<String> = (0..100).map(|number| format!("cause {number}")).collect();
        for number in 0..100 {
            let at = start + LATEST * number / 100;
            refusals.refused(at, key(number));
        }
        assert_eq!(refusals.deadline(), Some(start + LATEST));
        let of = |key: &Key| match key {
            Key::Overlay(number) => causes
                .get(usize::try_from(*number).unwrap())
                .map(String::as_str),
            Key::Route(_)
            | Key::Fdb(_)
            | Key::Flood(_)
            | Key::Neighbour(_)
            | Key::Vrf(..)
            | Key::Addressing(_)
            | Key::Forwarding { .. } => None,
        };
        let lines = refusals.lines(start + LATEST, of).unwrap();
        assert_eq!(lines.refused.len(), CAUSES_MAX);
        assert_eq!(lines.others.entries, 100 - CAUSES_MAX);
    }
}
