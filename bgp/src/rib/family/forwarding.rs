//! What a table does where learned routes wait to be forwarded ([`crate::rib::gate`]).
//!
//! Changes of best paths pass here on their way to the groups, prefixes that a group or a peer alone is to
//! look at pass in [`Wait`], and answers come in by [`FamilyRib::forwards`]. Without a gate it is one look
//! a slice.

use super::marks::Marks;
use super::{FamilyRib, Key};
use crate::packed::Slot;
use crate::rib::gate::{self, Former, Gate};
use crate::rib::path::PeerId;
use crate::rib::table::{Entry, Table};
use crate::rib::view::Forwarding;

/// Best paths that changed, with the peer that the former one came from.
type Slice = Vec<(Slot, Option<PeerId>)>;

/// What those who are told ask before they look at a prefix.
pub(in crate::rib) struct Wait<'a> {
    gate: &'a mut Gate,
    marks: &'a Marks,
}

impl<'a> Wait<'a> {
    /// Nothing waits for another table of this router.
    pub(super) fn of(
        (gate, marks): (&'a mut Option<Gate>, &'a Marks),
        instance: bool,
    ) -> Option<Self> {
        let gate = gate.as_mut().filter(|_| !instance)?;
        Some(Self { gate, marks })
    }

    /// The prefix waits, and everybody is told of it then.
    pub(in crate::rib) fn keeps<K>(
        &mut self,
        table: &Table<K>,
        slot: Slot,
        former: Option<PeerId>,
    ) -> bool
    where
        K: Key,
    {
        let holds = self.holds(table, slot);
        if holds {
            self.gate.keep(slot, former);
        }
        holds
    }

    /// The prefix waits, and those who are served by themselves are told of it then.
    pub(in crate::rib) fn keeps_alone<K: Key>(&mut self, table: &Table<K>, slot: Slot) -> bool {
        let holds = self.holds(table, slot);
        if holds {
            self.gate.keep_alone(slot);
        }
        holds
    }

    /// Nobody is kept waiting.
    pub(in crate::rib) fn is_idle(&self) -> bool {
        self.gate.is_idle()
    }

    fn holds<K: Key>(&self, table: &Table<K>, slot: Slot) -> bool {
        let owed = self.marks.installs.contains(slot);
        let entry = table.get(slot);
        entry.is_some_and(|entry| self.gate.holds(slot, entry, owed))
    }
}

impl<K: Key> FamilyRib<K> {
    /// Learned routes wait from now on, or no longer.
    pub(in crate::rib) fn await_forwarding(&mut self, on: bool) {
        if on && self.gate.is_none() && self.marks.track {
            self.gate = Some(Gate::default());
            // What is there was asked for long ago: whoever forwards says once more whether he has it.
            self.repeat();
        }
        if on {
            return;
        }
        let Some(gate) = self.gate.take() else {
            return;
        };
        let refused = std::mem::take(&mut self.dependent.refused);
        let mut kept = gate.into_kept();
        for (slot, former) in &mut self.marks.changed {
            if let Some(Former::Of(first)) = kept.remove(slot) {
                *former = first;
                self.several.iter_mut().for_each(|it| it.mark(*slot));
            }
        }
        for (slot, former) in kept {
            self.release(slot, former);
        }
        for slot in refused.iter() {
            self.tell_all(slot);
        }
    }

    /// Whoever forwards has what he was told last of this prefix, or cannot have it.
    pub(in crate::rib) fn forwards(&mut self, key: &K, there: bool) {
        let (Some(gate), Some(slot)) = (&mut self.gate, self.table.find(key)) else {
            return;
        };
        let learned = self.table.get(slot).is_some_and(gate::is_learned);
        // About to be asked again: this is an answer to what is no longer so.
        if !learned || self.marks.installs.contains(slot) {
            return;
        }
        gate.answered(slot);
        let kept = match self.marks.in_changed.contains(slot) {
            // It is about to pass, and is kept until then for whom it came after.
            true => None,
            false => gate.take(slot),
        };
        let refused = &mut self.dependent.refused;
        let turned = match there {
            true => refused.remove(slot),
            false => refused.insert(slot),
        };
        match kept {
            Some(Former::Of(former)) => self.release(slot, Former::Of(former)),
            Some(Former::Same) | None if turned => self.tell_all(slot),
            Some(Former::Same) => self.release(slot, Former::Same),
            None => {}
        }
    }

    /// Of changes those that peers may hear of now; beside them all, if any has to wait.
    pub(super) fn let_through(&mut self, all: Slice) -> (Slice, Option<Slice>) {
        let Some(gate) = &mut self.gate else {
            return (all, None);
        };
        let (mut open, table) = (Vec::with_capacity(all.len()), &self.table);
        for (slot, former) in &all {
            let kept = gate.take(*slot);
            let former = match kept {
                Some(Former::Of(first)) => first,
                Some(Former::Same) | None => *former,
            };
            let owed = self.marks.installs.contains(*slot);
            let entry = table.get(*slot);
            if entry.is_some_and(|entry| gate.holds(*slot, entry, owed)) {
                gate.keep(*slot, former);
                continue;
            }
            open.push((*slot, former));
            if kept.is_some() {
                self.several.iter_mut().for_each(|it| it.mark(*slot));
            }
        }
        (open, Some(all))
    }

    /// Peers do not hear of this prefix yet.
    pub(in crate::rib) fn holds(&self, slot: Slot, entry: &Entry<K>) -> bool {
        let owed = self.marks.installs.contains(slot);
        let gate = self.gate.as_ref();
        gate.is_some_and(|gate| gate.holds(slot, entry, owed))
    }

    /// What is known of a learned prefix, where there is a gate.
    pub(in crate::rib) fn forwarding(&self, key: &K) -> Option<Forwarding> {
        let slot = self.gate.as_ref().and_then(|_| self.table.find(key))?;
        let entry = self.table.get(slot).filter(|it| gate::is_learned(it))?;
        let refused = self.dependent.refused.contains(slot);
        Some(match self.holds(slot, entry) {
            true => Forwarding::Pending,
            false if refused => Forwarding::Refused,
            false => Forwarding::There,
        })
    }

    /// The prefix is gone, and with it what was asked.
    pub(super) fn not_asked(&mut self, slot: Slot) {
        if let Some(gate) = &mut self.gate {
            gate.forget(slot);
            self.dependent.refused.remove(slot);
        }
    }

    /// Those who were kept waiting are told.
    fn release(&mut self, slot: Slot, former: Former) {
        match former {
            Former::Of(former) => {
                if self.marks.in_changed.insert(slot) {
                    self.marks.changed.push_back((slot, former));
                }
            }
            Former::Same => {
                let groups = self.groups.iter_mut();
                groups.for_each(|group| group.tell_lagging(slot));
            }
        }
        self.several.iter_mut().for_each(|it| it.mark(slot));
    }

    /// Everybody is told, or told no more, of a prefix whose best path is what it was.
    fn tell_all(&mut self, slot: Slot) {
        let best = self.table.get(slot).and_then(|entry| entry.paths.best());
        if let Some(former) = best.map(|best| best.peer) {
            self.release(slot, Former::Of(Some(former)));
        }
    }
}
