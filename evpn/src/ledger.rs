//! Wanted state against told state.
//!
//! The rest of the crate says what it wants per key, as often as it likes; the differences to what
//! was handed out before are handed out here. Wanting something and taking it back before anybody
//! asked is nothing at all. Settings come before removals, so that a reader who applies them in
//! order never tears down the old before the new stands.
//!
//! [`Differences`] keeps nothing of a key whose value was told, so that a hundred thousand of them
//! cost nothing: who changes a value says what it was. [`Ledger`] is for those who keep what they
//! want nowhere else. Neither knows what the keys mean.

use std::collections::BTreeMap;

/// What is wanted and was not told yet, per key.
#[derive(Debug, Clone)]
pub(crate) struct Differences<K, V> {
    /// What is to be set, behind what was told before.
    settings: BTreeMap<K, (Option<V>, V)>,
    /// What was told and is to be removed.
    removals: BTreeMap<K, V>,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Differences<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            settings: BTreeMap::new(),
            removals: BTreeMap::new(),
        }
    }

    /// What was wanted for `key` becomes what is wanted from now on.
    pub(crate) fn changed(&mut self, key: K, before: Option<V>, now: Option<V>) {
        if before == now {
            return;
        }
        // What is in neither list was told as it was wanted.
        let told = match self.settings.remove(&key) {
            Some((told, _)) => told,
            None => self.removals.remove(&key).or(before),
        };
        match (now, told) {
            (Some(now), told) if told.as_ref() == Some(&now) => {}
            (Some(now), told) => {
                self.settings.insert(key, (told, now));
            }
            (None, Some(told)) => {
                self.removals.insert(key, told);
            }
            (None, None) => {}
        }
    }

    /// What was told for `key` no longer holds: tell it once more if it is still wanted.
    pub(crate) fn retell(&mut self, key: K, wanted: Option<V>) {
        let Some(wanted) = wanted else { return };
        let (told, _) = self.settings.entry(key).or_insert((None, wanted));
        *told = None;
    }

    /// The next value to set.
    pub(crate) fn next_setting(&mut self) -> Option<(K, V)> {
        let (key, (_, wanted)) = self.settings.pop_first()?;
        Some((key, wanted))
    }

    /// The next key to remove, once there is nothing left to set.
    pub(crate) fn next_removal(&mut self) -> Option<K> {
        self.removals.pop_first().map(|(key, _)| key)
    }
}

/// What is wanted, per key, and how that differs from what was told.
#[derive(Debug, Clone)]
pub(crate) struct Ledger<K, V> {
    wanted: BTreeMap<K, V>,
    differences: Differences<K, V>,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Ledger<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            wanted: BTreeMap::new(),
            differences: Differences::new(),
        }
    }

    /// From now on `value` is what should be there for `key`.
    pub(crate) fn want(&mut self, key: K, value: Option<V>) {
        if self.wanted.get(&key) == value.as_ref() {
            return;
        }
        let before = match value.clone() {
            Some(value) => self.wanted.insert(key.clone(), value),
            None => self.wanted.remove(&key),
        };
        self.differences.changed(key, before, value);
    }

    /// Takes back everything that `select` picks.
    pub(crate) fn forget(&mut self, select: impl Fn(&K, &V) -> bool) {
        let picked = self.wanted.iter().filter(|(key, value)| select(key, value));
        let keys: Vec<K> = picked.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.want(key, None);
        }
    }

    /// The next value to set.
    pub(crate) fn next_setting(&mut self) -> Option<(K, V)> {
        self.differences.next_setting()
    }

    /// The next key to remove, once there is nothing left to set.
    pub(crate) fn next_removal(&mut self) -> Option<K> {
        self.differences.next_removal()
    }

    /// What is wanted for `key`, told or not.
    pub(crate) fn wish(&self, key: &K) -> Option<&V> {
        self.wanted.get(key)
    }

    /// Everything wanted from `key` on, in key order.
    pub(crate) fn wanted_from(&self, key: &K) -> impl Iterator<Item = (&K, &V)> {
        self.wanted.range(key.clone()..)
    }

    /// Whether anything is wanted for `key`.
    pub(crate) fn is_wanted(&self, key: &K) -> bool {
        self.wanted.contains_key(key)
    }

    /// Everything wanted, in key order, told or not.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&K, &V)> {
        self.wanted.iter()
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
        let mut told = Differences::new();
        told.changed(1, None, Some(10));
        told.retell(1, Some(10));
        assert_eq!(told.next_setting(), Some((1, 10)));
        told.retell(1, Some(10));
        told.retell(2, None);
        assert_eq!(told.next_setting(), Some((1, 10)));
        assert_eq!(told.next_setting(), None);
        told.changed(1, Some(10), None);
        told.retell(1, None);
        assert_eq!(told.next_setting(), None);
        assert_eq!(told.next_removal(), Some(1));
        assert_eq!(told.next_removal(), None);
        // Undone and no longer wanted: there is nothing to remove.
        told.changed(3, None, Some(30));
        assert_eq!(told.next_setting(), Some((3, 30)));
        told.retell(3, Some(30));
        told.changed(3, Some(30), None);
        assert_eq!(told.next_setting(), None);
        assert_eq!(told.next_removal(), None);
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
