//! Learned routes wait for whoever forwards: a neighbour that is told of one sends packets at once.
//!
//! Without a gate ([`super::Input::AwaitForwarding`]) peers hear of a best path as soon as it is one. With
//! it a learned one is told when its forwarding is confirmed ([`super::Input::Forwards`]): until then what was
//! told before stands, and where it is refused the prefix is told to nobody
//! ([`super::Withheld::NotForwarded`], kept in [`super::dependent`] with what else withholds). Nothing waits that
//! this router has of its own, that is gone, or that goes to another table of this router, which forwards
//! by itself and waits for that.
//!
//! Every [`super::Output::Best`] is a question, and there is one answer: yes, or no. A question that was put
//! since makes an answer worthless; one that is still on its way while the next question is put is taken for
//! the next one's, and put right by that one's own. So a path that takes the place of another may be told
//! the moment between the two too early, while packets go the way of the former one.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::path::PeerId;
use super::slots::SlotSet;
use super::table::Entry;
use crate::packed::Slot;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Whoever forwards was asked, and has not answered.
    asked: SlotSet,
    waiting: HashMap<Slot, Former, FixedState>,
}

/// Who is to hear of a prefix once it is forwarded, and what stands meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// Everybody: the best path came after one of this peer, if there was one.
    Of(Option<PeerId>),
    /// Those who are served by themselves. The others know it.
    Same,
}

impl Gate {
    /// Whoever forwards is told of this best path; true if an answer is wanted.
    pub(super) fn ask<K>(&mut self, slot: Slot, entry: &Entry<K>) -> bool {
        let learned = is_learned(entry);
        match learned {
            true => self.asked.insert(slot),
            false => self.asked.remove(slot),
        };
        learned
    }

    /// Whoever forwards has answered.
    pub(super) fn answered(&mut self, slot: Slot) {
        self.asked.remove(slot);
    }

    /// A learned prefix waits; `owed` while the question is still to be put.
    pub(super) fn holds<K>(&self, slot: Slot, entry: &Entry<K>, owed: bool) -> bool {
        (owed || self.asked.contains(slot)) && is_learned(entry)
    }

    /// Keeps a prefix for everybody; who heard of it first counts.
    pub(super) fn keep(&mut self, slot: Slot, former: Option<PeerId>) {
        let kept = self.waiting.entry(slot).or_insert(Former::Of(former));
        if *kept == Former::Same {
            *kept = Former::Of(former);
        }
    }

    /// Keeps a prefix for those who are served by themselves.
    pub(super) fn keep_alone(&mut self, slot: Slot) {
        self.waiting.entry(slot).or_insert(Former::Same);
    }

    /// What was kept of a prefix, which waits no more.
    pub(super) fn take(&mut self, slot: Slot) -> Option<Former> {
        self.waiting.remove(&slot)
    }

    /// All that was kept.
    pub(super) fn into_kept(self) -> HashMap<Slot, Former, FixedState> {
        self.waiting
    }

    pub(super) fn keeps(&self, slot: Slot) -> bool {
        self.waiting.contains_key(&slot)
    }

    /// Nobody is kept waiting.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The prefix is gone.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.asked.remove(slot);
    }

    /// Memory it takes.
    pub(super) fn octets(&self) -> usize {
        self.asked.octets() + self.waiting.capacity() * (size_of::<(Slot, Former)>() + 1)
    }
}

/// The best path came from a peer.
pub(super) fn is_learned<K>(entry: &Entry<K>) -> bool {
    let best = entry.paths.best();
    best.is_some_and(|best| best.peer != PeerId::LOCAL)
}
