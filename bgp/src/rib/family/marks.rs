//! Slots that others are still to hear of, and how many of them are news.
//!
//! A change leaves its slot with up to four, each of which has it once: for those who are
//! told, for what depends on best paths, for those who forward, and for who hands paths to other
//! tables, best or not. The family takes them out in
//! slices ([`super::FamilyRib::work`]) and looks at the table then, so a mark says that something
//! changed and never what.

use std::collections::VecDeque;

use crate::packed::Slot;
use crate::rib::change::Moved;
use crate::rib::path::PeerId;
use crate::rib::slots::{Rota, SlotSet};

/// Slots that others are still to hear of.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Slots whose best path changed, with the peer the former one came from.
    pub(super) changed: VecDeque<(Slot, Option<PeerId>)>,
    pub(super) in_changed: SlotSet,
    /// Slots whose forwarding paths changed.
    pub(super) installs: Rota,
    /// Slots whose best path changed, for what depends on it.
    pub(super) depended: Rota,
    /// Slots with other paths beside the best one, for who asks for that.
    pub(super) counted: SlotSet,
    /// Slots with other paths than before.
    pub(super) touched: Rota,
    /// Emit [`super::Output::Touched`].
    pub(super) watch: bool,
    /// Something depends on best paths.
    pub(super) follow: bool,
    /// Somebody is told of the paths beside the best one.
    pub(super) count: bool,
    /// Emit [`super::Output::Best`].
    pub(super) track: bool,
    /// Whose turn it is to be told.
    pub(super) peers_first: bool,
    pub(super) news: News,
}

impl Marks {
    /// Remembers a slot for those who are to be told.
    pub(super) fn note(&mut self, noted: Option<(Slot, Moved)>) {
        let Some((slot, moved)) = noted else { return };
        if moved.best && self.in_changed.insert(slot) {
            self.news.count(moved.replaced);
            self.changed.push_back((slot, moved.old));
        }
        if self.follow && moved.best {
            self.depended.insert(slot);
        }
        if self.count && moved.forwarding && !moved.best {
            self.counted.insert(slot);
        }
        if self.track && moved.forwarding {
            self.installs.insert(slot);
        }
    }
}

impl Marks {
    /// Remembers a slot for who watches all paths.
    pub(super) fn touch(&mut self, slot: Slot) {
        if self.watch {
            self.touched.insert(slot);
        }
    }
}

/// Prefixes with another best path than others were told of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// There was none before, or there is none now.
    pub fresh: usize,
    /// One has taken the place of another.
    pub replaced: usize,
}

impl std::ops::Add for News {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            fresh: self.fresh + other.fresh,
            replaced: self.replaced + other.replaced,
        }
    }
}

impl News {
    fn count(&mut self, replaced: bool) {
        self.replaced += usize::from(replaced);
        self.fresh += usize::from(!replaced);
    }
}
