//! Want and have of one kind of entry, and the queues of keys where they differ.
//!
//! The ledger neither knows what its values mean nor how they are written. A key with a wish that
//! differs from the kernel waits in the queue of sets; one without a wish that is in the kernel
//! waits in the queue of unsets. An entry that was there before anybody wished for it is
//! *adopted*: it stays until the sweep, or until the caller mentions its key.
//!
//! A refused set leaves the queue and is kept with its error and a time; it returns when the
//! caller changes its mind, when [`Ledger::retry`] says that circumstances changed, or when its
//! time has come. One whose place somebody else has, and who is watched ([`Ledger::block`]), has no
//! time and waits for [`Ledger::release`]; one that cannot be written where it belongs
//! ([`Ledger::wait`]) waits for [`Ledger::rouse`].

mod slots;

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::event::Differences;
use slots::Slots;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
const YIELD: Duration = Duration::from_secs(5);

/// Want and have of one kind of entry.
pub(super) struct Ledger<K, V> {
    entries: Slots<K, Slot<V>>,
    /// Places of entries. One that was given up may have been taken by another entry since, so
    /// what counts is the entry's own mark.
    sets: VecDeque<u32>,
    unsets: VecDeque<u32>,
    failures: Map<K, Failure>,
    /// Places of wishes that the kernel has come to satisfy, not told yet.
    satisfied: Vec<u32>,
    /// What others took or changed, and was put right at once.
    repaired: Differences,
    /// What differs is counted by the audit under way.
    auditing: bool,
}

struct Slot<V> {
    want: Option<V>,
    have: Option<V>,
    marks: u16,
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self {
            want: None,
            have: None,
            marks: 0,
        }
    }
}

/// In the queue of sets.
const SET: u16 = 1;
/// In the queue of unsets.
const UNSET: u16 = 2;
/// There before anybody wished for it.
const ADOPTED: u16 = 4;
/// Seen by the audit under way.
const SEEN: u16 = 8;
/// Has an entry in `failures` that keeps it out of the queue.
const FAILED: u16 = 16;
/// Handed out by `next_set` or `next_unset`, result not known yet.
const FLIGHT: u16 = 32;
/// Satisfied, and handed out by `take_satisfied` since the last wish or loss.
const TOLD: u16 = 64;
/// Was satisfied and is not there any longer; nothing was refused since.
const LOST: u16 = 128;
/// Was satisfied and has other content now; nothing was refused since.
const ALTERED: u16 = 256;

/// Why a set was refused, and when it is due again.
pub(super) struct Failure {
    pub(super) error: String,
    /// Somebody else's entry is in its place.
    pub(super) occupied: bool,
    /// The caller was given this time to decide: other circumstances do not shorten it.
    yielded: bool,
    /// Never by itself, if there is none.
    due: Option<Instant>,
    pause: Duration,
}

impl<K, V> Default for Ledger<K, V> {
    fn default() -> Self {
        Self {
            entries: Slots::default(),
            sets: VecDeque::new(),
            unsets: VecDeque::new(),
            failures: Map::default(),
            satisfied: Vec::new(),
            repaired: Differences::default(),
            auditing: false,
        }
    }
}

impl<K: Hash + Eq + Clone, V: Copy + Eq> Ledger<K, V> {
    /// What an entry costs beside its share of the index, four to ten octets.
    #[cfg(test)]
    pub(super) const ENTRY: usize = size_of::<Option<(K, Slot<V>)>>();

    /// Changes the wish, or repeats it to have it tried again. Returns the wish before.
    pub(super) fn set(&mut self, key: K, want: Option<V>) -> Option<V> {
        let at = self.entries.place(&key);
        let slot = self.entries.get_mut(at)?;
        let before = std::mem::replace(&mut slot.want, want);
        slot.marks &= !(ADOPTED | TOLD | LOST | ALTERED);
        if !self.failures.is_empty() {
            slot.marks &= !FAILED;
            self.failures.remove(&key);
        }
        self.settle(at);
        before
    }

    /// As [`Ledger::set`], with a wish that what is there stands for: both become this value, and
    /// nothing is to be written. Returns both as they were.
    pub(super) fn agree(&mut self, key: K, value: V) -> (Option<V>, Option<V>) {
        let at = self.entries.place(&key);
        let Some(slot) = self.entries.get_mut(at) else {
            return (None, None);
        };
        let want = slot.want.replace(value);
        let have = slot.have.replace(value);
        slot.marks &= !(ADOPTED | TOLD | LOST | ALTERED);
        if !self.failures.is_empty() {
            slot.marks &= !FAILED;
            self.failures.remove(&key);
        }
        self.settle(at);
        (want, have)
    }

    /// All wishes for one value become wishes for another, the next to be written. Returns how
    /// many, and whether there are entries of this value that nobody wished for.
    pub(super) fn redirect(&mut self, from: V, to: V) -> (usize, bool) {
        let (mut count, mut unwanted) = (0, false);
        for (at, _, slot) in self.entries.iter_mut() {
            if slot.want != Some(from) {
                unwanted |= slot.want.is_none() && slot.have == Some(from);
                continue;
            }
            count += 1;
            slot.want = Some(to);
            slot.marks &= !TOLD;
            if slot.have != Some(to) && slot.marks & (SET | FAILED | FLIGHT) == 0 {
                slot.marks |= SET;
                self.sets.push_front(at);
            }
        }
        (count, unwanted)
    }

    /// Takes what the kernel has. Returns what it was thought to have. `adopt` keeps an entry
    /// without a wish until the sweep.
    pub(super) fn observe(&mut self, key: K, have: Option<V>, adopt: bool) -> Option<V> {
        let at = match have {
            Some(_) => self.entries.place(&key),
            // Nothing is forgotten for what is not known.
            None => self.entries.find(&key)?,
        };
        let slot = self.entries.get_mut(at)?;
        let before = std::mem::replace(&mut slot.have, have);
        slot.marks = (slot.marks | SEEN) & !FLIGHT;
        if slot.marks & TOLD != 0 && !self.auditing {
            slot.marks |= match have {
                None => LOST,
                Some(_) if have != slot.want => ALTERED,
                Some(_) => 0,
            };
        }
        if have.is_none() {
            slot.marks &= !(ADOPTED | SEEN);
        } else if adopt && before.is_none() && slot.want.is_none() {
            slot.marks |= ADOPTED;
        }
        if have.is_some() && have == slot.want && !self.failures.is_empty() {
            slot.marks &= !FAILED;
            self.failures.remove(&key);
        }
        self.settle(at);
        before
    }

    /// Puts an entry in the queue it belongs to, or forgets it.
    fn settle(&mut self, at: u32) {
        let Some((key, slot)) = self.entries.entry_mut(at) else {
            return;
        };
        match (slot.want, slot.have) {
            (None, None) => {
                if !self.failures.is_empty() {
                    self.failures.remove(key);
                }
                self.entries.remove(at);
            }
            (None, Some(_)) => {
                if slot.marks & (UNSET | ADOPTED | FLIGHT) == 0 {
                    slot.marks |= UNSET;
                    self.unsets.push_back(at);
                }
            }
            (Some(want), have) => {
                if have == Some(want) {
                    self.repaired.missing += usize::from(slot.marks & LOST != 0);
                    let altered = slot.marks & (LOST | ALTERED) == ALTERED;
                    self.repaired.different += usize::from(altered);
                    slot.marks &= !(LOST | ALTERED);
                    if slot.marks & TOLD == 0 {
                        slot.marks |= TOLD;
                        self.satisfied.push(at);
                    }
                    return;
                }
                slot.marks &= !TOLD;
                if slot.marks & (SET | FAILED | FLIGHT) == 0 {
                    slot.marks |= SET;
                    self.sets.push_back(at);
                }
            }
        }
    }

    /// Wishes that have become satisfied since the last call, each once: by a write, or because
    /// the kernel had the entry already. What is no longer so is left out.
    pub(super) fn take_satisfied(&mut self) -> Vec<K> {
        let entries = &mut self.entries;
        let told = self.satisfied.drain(..).filter_map(|at| {
            let (key, slot) = entries.entry_mut(at)?;
            (slot.marks & TOLD != 0).then(|| key.clone())
        });
        told.collect()
    }

    /// How much was taken or changed by others and put right since the last call. What could not
    /// be put right at once, because the circumstances did not allow it, is not a repair.
    pub(super) fn take_repaired(&mut self) -> Differences {
        std::mem::take(&mut self.repaired)
    }

    /// The next entry to write: key, wish, and what is there.
    pub(super) fn next_set(&mut self) -> Option<(K, V, Option<V>)> {
        while let Some(at) = self.sets.pop_front() {
            let Some((key, slot)) = self.entries.entry_mut(at) else {
                continue;
            };
            let waits = slot.marks & (SET | FAILED | FLIGHT) == SET;
            slot.marks &= !SET;
            match slot.want {
                Some(want) if waits && slot.have != Some(want) => {
                    slot.marks |= FLIGHT;
                    return Some((key.clone(), want, slot.have));
                }
                Some(_) | None => {}
            }
        }
        None
    }

    /// The next entry to remove: key and what is there.
    pub(super) fn next_unset(&mut self) -> Option<(K, V)> {
        while let Some(at) = self.unsets.pop_front() {
            let Some((key, slot)) = self.entries.entry_mut(at) else {
                continue;
            };
            let waits = slot.marks & (UNSET | ADOPTED | FLIGHT) == UNSET;
            slot.marks &= !UNSET;
            match (slot.want, slot.have) {
                (None, Some(have)) if waits => {
                    slot.marks |= FLIGHT;
                    return Some((key.clone(), have));
                }
                (Some(_), _) | (None, _) => {}
            }
        }
        None
    }

    /// Nothing is wanted and nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many keys something is wanted or there for.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Values get other names, different ones different names.
    pub(super) fn rewrite(&mut self, mut name: impl FnMut(V) -> V) {
        for (_, _, slot) in self.entries.iter_mut() {
            slot.want = slot.want.map(&mut name);
            slot.have = slot.have.map(&mut name);
        }
    }

    /// Something may wait in either queue.
    pub(super) fn has_work(&self) -> bool {
        !self.sets.is_empty() || !self.unsets.is_empty()
    }

    /// A set or unset was refused. An entry that cannot be removed is left until it is seen again.
    pub(super) fn fail(&mut self, key: K, error: String, now: Instant) {
        self.fail_for(key, error, Some(now), RETRY_FIRST);
    }

    /// As [`Ledger::fail`]: somebody else's entry is in the place.
    pub(super) fn fail_occupied(&mut self, key: K, error: String, now: Instant) {
        self.fail_for(key.clone(), error, Some(now), RETRY_FIRST);
        self.mark_occupied(&key);
    }

    /// Somebody else's entry is in the place. The caller says when it goes.
    pub(super) fn block(&mut self, key: K, error: String) {
        self.fail_for(key.clone(), error, None, RETRY_FIRST);
        self.mark_occupied(&key);
    }

    /// It cannot be written as things are. The caller says when they are otherwise.
    pub(super) fn wait(&mut self, key: K, error: String) {
        self.fail_for(key, error, None, RETRY_FIRST);
    }

    /// What was handed out to be removed stays, until the caller says that things are otherwise.
    pub(super) fn leave(&mut self, key: &K) {
        if let Some(slot) = self.slot_mut(key) {
            slot.marks &= !FLIGHT;
        }
    }

    /// Things are otherwise for these keys: what waits or was left is looked at again, and what is
    /// satisfied told again.
    pub(super) fn rouse(&mut self, mut applies: impl FnMut(&K) -> bool) {
        let mut places = Vec::new();
        for (at, key, slot) in self.entries.iter_mut() {
            if !applies(key) {
                continue;
            }
            let waits = |failure: &Failure| failure.due.is_none() && !failure.occupied;
            if slot.marks & FAILED != 0 && self.failures.get(key).is_some_and(waits) {
                self.failures.remove(key);
                slot.marks &= !FAILED;
            }
            slot.marks &= !TOLD;
            places.push(at);
        }
        for at in places {
            self.settle(at);
        }
    }

    /// What is there under these keys is not ours: without a wish, or whatever is wished for.
    /// Returns what it was.
    pub(super) fn disown(
        &mut self,
        mut applies: impl FnMut(&K) -> bool,
        wished_for: bool,
    ) -> Vec<(K, V)> {
        self.take(|key, _, slot| (wished_for || slot.want.is_none()) && applies(key))
    }

    /// Those of these keys that are satisfied.
    pub(super) fn satisfied(&self, mut applies: impl FnMut(&K) -> bool) -> Vec<K> {
        let there = |slot: &Slot<V>| slot.want.is_some() && slot.want == slot.have;
        let all = self.entries.iter();
        let satisfied = all.filter(|(key, slot)| there(slot) && applies(key));
        satisfied.map(|(key, _)| key.clone()).collect()
    }

    fn mark_occupied(&mut self, key: &K) {
        if let Some(failure) = self.failures.get_mut(key) {
            failure.occupied = true;
        }
    }

    /// What was refused under this key is tried again.
    pub(super) fn release(&mut self, key: K) {
        if self.failures.remove(&key).is_some() {
            self.again(key);
        }
    }

    /// As [`Ledger::fail`], with a longer first pause: somebody else took the entry's place, and
    /// the caller should have the time to decide what that means.
    pub(super) fn yield_place(&mut self, key: K, error: String, now: Instant) {
        self.fail_for(key.clone(), error, Some(now), YIELD);
        if let Some(failure) = self.failures.get_mut(&key) {
            failure.yielded = true;
        }
    }

    fn fail_for(&mut self, key: K, error: String, now: Option<Instant>, first: Duration) {
        let Some(slot) = self.slot_mut(&key) else {
            return;
        };
        slot.marks &= !(FLIGHT | LOST | ALTERED);
        if slot.want.is_none() {
            return;
        }
        slot.marks |= FAILED;
        let pause = match self.failures.get(&key) {
            Some(failure) => (failure.pause * 2).min(RETRY_LAST),
            None => first,
        };
        self.failures.insert(
            key,
            Failure {
                error,
                occupied: false,
                yielded: false,
                due: now.map(|now| now + pause),
                pause,
            },
        );
    }

    /// Circumstances changed: everything that failed is tried again.
    pub(super) fn retry(&mut self) {
        let waits = |failure: &Failure| failure.due.is_none() || failure.yielded;
        let failed = self.failures.iter().filter(|(_, it)| !waits(it));
        let failed: Vec<K> = failed.map(|(key, _)| key.clone()).collect();
        for key in failed {
            self.failures.remove(&key);
            self.again(key);
        }
    }

    /// Tries again what is due. The pause is kept, so that the next one is longer.
    pub(super) fn retry_due(&mut self, now: Instant) {
        let due = self
            .failures
            .iter()
            .filter(|(_, failure)| failure.due.is_some_and(|due| due <= now));
        let due: Vec<K> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            if let Some(failure) = self.failures.get_mut(&key) {
                failure.due = Some(now + failure.pause);
            }
            self.again(key);
        }
    }

    fn again(&mut self, key: K) {
        let Some(at) = self.entries.find(&key) else {
            return;
        };
        if let Some(slot) = self.entries.get_mut(at) {
            slot.marks &= !FAILED;
        }
        self.settle(at);
    }

    /// When the next failure is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.failures
            .values()
            .filter_map(|failure| failure.due)
            .min()
    }

    /// Everything adopted under these keys and not wished for since is to be removed.
    pub(super) fn sweep(&mut self, mut applies: impl FnMut(&K) -> bool) {
        let adopted = |(_, _, slot): &(u32, &K, &mut Slot<V>)| slot.marks & ADOPTED != 0;
        let mut swept = Vec::new();
        for (at, key, slot) in self.entries.iter_mut().filter(adopted) {
            if applies(key) {
                slot.marks &= !ADOPTED;
                swept.push(at);
            }
        }
        for at in swept {
            self.settle(at);
        }
    }

    /// Starts an audit: nothing is seen yet.
    pub(super) fn begin_audit(&mut self) {
        self.auditing = true;
        for (_, _, slot) in self.entries.iter_mut() {
            slot.marks &= !SEEN;
        }
    }

    /// Ends an audit without a result.
    pub(super) fn abandon_audit(&mut self) {
        self.auditing = false;
    }

    /// Ends an audit over these keys: what was not seen is not there. Returns it.
    pub(super) fn end_audit(&mut self, mut applies: impl FnMut(&K) -> bool) -> Vec<(K, V)> {
        let lost = self.take(|key, _, slot| slot.marks & SEEN == 0 && applies(key));
        self.auditing = false;
        lost
    }

    /// What is there under these keys is gone. Returns it.
    pub(super) fn lose(&mut self, mut applies: impl FnMut(&K, V) -> bool) -> Vec<(K, V)> {
        self.take(|key, have, _| applies(key, have))
    }

    fn take(&mut self, mut applies: impl FnMut(&K, V, &Slot<V>) -> bool) -> Vec<(K, V)> {
        let (mut lost, mut places) = (Vec::new(), Vec::new());
        for (at, key, slot) in self.entries.iter_mut() {
            if let Some(have) = slot.have
                && applies(key, have, slot)
            {
                slot.have = None;
                slot.marks &= !ADOPTED;
                if slot.marks & TOLD != 0 && !self.auditing {
                    slot.marks |= LOST;
                }
                lost.push((key.clone(), have));
                places.push(at);
            }
        }
        for at in places {
            self.settle(at);
        }
        lost
    }

    /// The wish under this key.
    pub(super) fn want(&self, key: &K) -> Option<V> {
        self.slot(key).and_then(|slot| slot.want)
    }

    /// What the kernel has under this key.
    pub(super) fn have(&self, key: &K) -> Option<V> {
        self.slot(key).and_then(|slot| slot.have)
    }

    /// The audit under way has seen this key, and the kernel has it.
    pub(super) fn seen(&self, key: &K) -> bool {
        let slot = self.slot(key).filter(|_| self.auditing);
        slot.is_some_and(|slot| slot.have.is_some() && slot.marks & SEEN != 0)
    }

    /// Entries whose want and have differ, adopted ones left out: key, want, have, failure.
    pub(super) fn differences(
        &self,
    ) -> impl Iterator<Item = (&K, Option<V>, Option<V>, Option<&Failure>)> {
        let differs =
            |(_, slot): &(&K, &Slot<V>)| slot.want != slot.have && slot.marks & ADOPTED == 0;
        self.entries
            .iter()
            .filter(differs)
            .map(|(key, slot)| (key, slot.want, slot.have, self.failures.get(key)))
    }

    /// The error under this key.
    pub(super) fn error(&self, key: &K) -> Option<&str> {
        self.failures.get(key).map(|failure| failure.error.as_str())
    }

    /// Drops wishes. Used when everything of an owner's is to leave the kernel. Adopted entries
    /// are its own, so they go as well.
    pub(super) fn clear_wants(&mut self, applies: impl Fn(&K) -> bool) -> Vec<V> {
        let (mut wants, mut places) = (Vec::new(), Vec::new());
        for (at, key, slot) in self.entries.iter_mut() {
            if !applies(key) {
                continue;
            }
            wants.extend(slot.want.take());
            slot.marks &= !ADOPTED;
            places.push(at);
        }
        for at in places {
            self.settle(at);
        }
        wants
    }

    /// Memory of empty queues and given up places goes back after a burst.
    pub(super) fn shrink(&mut self) {
        if self.sets.is_empty() {
            self.sets.shrink_to(1024);
        }
        if self.unsets.is_empty() {
            self.unsets.shrink_to(1024);
        }
        if !self.has_work() && self.satisfied.is_empty() {
            self.entries.shrink();
        }
    }

    fn slot(&self, key: &K) -> Option<&Slot<V>> {
        self.entries.get(self.entries.find(key)?)
    }

    fn slot_mut(&mut self, key: &K) -> Option<&mut Slot<V>> {
        let at = self.entries.find(key)?;
        self.entries.get_mut(at)
    }
}
