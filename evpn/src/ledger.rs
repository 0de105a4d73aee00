//! Wanted state against told state.
//!
//! The rest of the crate says what it wants per key, as often as it likes; [`Ledger::poll`] hands
//! out the differences to what was handed out before. Wanting something and taking it back before
//! anybody asked is nothing at all. Settings come before removals, so that a reader who applies
//! them in order never tears down the old before the new stands.
//!
//! A ledger holds one entry per key that is wanted or told; it does not know what the keys mean.

use std::collections::{BTreeMap, BTreeSet};

/// What is wanted and what was told, per key.
#[derive(Debug, Clone)]
pub(crate) struct Ledger<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    settings: BTreeSet<K>,
    removals: BTreeSet<K>,
}

#[derive(Debug, Clone)]
struct Entry<V> {
    wanted: Option<V>,
    told: Option<V>,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Ledger<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            settings: BTreeSet::new(),
            removals: BTreeSet::new(),
        }
    }

    /// From now on `value` is what should be there for `key`.
    pub(crate) fn want(&mut self, key: K, value: Option<V>) {
        let entry = match self.entries.get_mut(&key) {
            Some(entry) => entry,
            None if value.is_none() => return,
            None => self.entries.entry(key.clone()).or_insert(Entry {
                wanted: None,
                told: None,
            }),
        };
        entry.wanted = value;
        self.settings.remove(&key);
        self.removals.remove(&key);
        match (&entry.wanted, &entry.told) {
            (None, None) => {
                self.entries.remove(&key);
            }
            (Some(wanted), Some(told)) if wanted == told => {}
            (Some(_), _) => {
                self.settings.insert(key);
            }
            (None, Some(_)) => {
                self.removals.insert(key);
            }
        }
    }

    /// What was told for `key` no longer holds: tell it once more if it is still wanted.
    pub(crate) fn retell(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.wanted.is_some()
            && entry.told.take().is_some()
        {
            self.settings.insert(key.clone());
        }
    }

    /// Takes back everything that `select` picks.
    pub(crate) fn forget(&mut self, select: impl Fn(&K, &V) -> bool) {
        let keys: Vec<K> = self
            .wanted()
            .filter(|(key, value)| select(key, value))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.want(key, None);
        }
    }

    /// The next difference: the value to set, or `None` to remove. Settings first.
    pub(crate) fn next_setting(&mut self) -> Option<(K, V)> {
        while let Some(key) = self.settings.pop_first() {
            if let Some(entry) = self.entries.get_mut(&key)
                && let Some(wanted) = &entry.wanted
            {
                entry.told = Some(wanted.clone());
                return Some((key, wanted.clone()));
            }
        }
        None
    }

    /// The next key to remove, once there is nothing left to set.
    pub(crate) fn next_removal(&mut self) -> Option<K> {
        let key = self.removals.pop_first()?;
        self.entries.remove(&key);
        Some(key)
    }

    /// What is wanted for `key`, told or not.
    pub(crate) fn wish(&self, key: &K) -> Option<&V> {
        self.entries.get(key)?.wanted.as_ref()
    }

    /// Everything wanted from `key` on, in key order.
    pub(crate) fn wanted_from(&self, key: &K) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .range(key.clone()..)
            .filter_map(|(key, entry)| Some((key, entry.wanted.as_ref()?)))
    }

    /// Whether anything is wanted for `key`.
    pub(crate) fn is_wanted(&self, key: &K) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.wanted.is_some())
    }

    /// Everything wanted, in key order, told or not.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .iter()
            .filter_map(|(key, entry)| Some((key, entry.wanted.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(ledger: &mut Ledger<u8, u8>) -> Vec<(u8, Option<u8>)> {
        let mut list = Vec::new();
        while let Some((key, value)) = ledger.next_setting() {
            list.push((key, Some(value)));
        }
        while let Some(key) = ledger.next_removal() {
            list.push((key, None));
        }
        list
    }

    #[test]
    fn only_differences_are_told_and_settings_come_first() {
        let mut ledger = Ledger::new();
        ledger.want(1, Some(10));
        ledger.want(2, Some(20));
        assert_eq!(differences(&mut ledger), [(1, Some(10)), (2, Some(20))]);
        ledger.want(1, None);
        ledger.want(2, Some(20));
        ledger.want(3, Some(30));
        assert_eq!(differences(&mut ledger), [(3, Some(30)), (1, None)]);
        assert_eq!(differences(&mut ledger), []);
    }

    #[test]
    fn a_wish_taken_back_in_time_is_never_told() {
        let mut ledger = Ledger::new();
        ledger.want(1, Some(10));
        ledger.want(1, None);
        assert_eq!(differences(&mut ledger), []);
        ledger.want(1, Some(10));
        assert_eq!(differences(&mut ledger), [(1, Some(10))]);
        ledger.want(1, None);
        ledger.want(1, Some(10));
        assert_eq!(differences(&mut ledger), []);
    }

    #[test]
    fn what_was_undone_is_told_once_more() {
        let mut ledger = Ledger::new();
        ledger.want(1, Some(10));
        ledger.retell(&1);
        assert_eq!(differences(&mut ledger), [(1, Some(10))]);
        ledger.retell(&1);
        ledger.retell(&2);
        assert_eq!(differences(&mut ledger), [(1, Some(10))]);
        ledger.want(1, None);
        ledger.retell(&1);
        assert_eq!(differences(&mut ledger), [(1, None)]);
    }

    #[test]
    fn forgetting_removes_what_was_told_and_only_what_was_picked() {
        let mut ledger = Ledger::new();
        ledger.want(1, Some(10));
        ledger.want(2, Some(20));
        differences(&mut ledger);
        ledger.forget(|_, value| *value == 20);
        assert_eq!(differences(&mut ledger), [(2, None)]);
        assert_eq!(ledger.wanted().count(), 1);
    }
}
