//! Who is told in common, and who by himself: peers come, go and get other settings.
//!
//! A peer belongs to the group of its settings ([`crate::rib::group`]), or is served alone where
//! it is told several paths of a prefix or no more than so many prefixes
//! ([`crate::rib::several`]). With other settings it moves, and takes along what it was told: it
//! starts in its new place with what may differ and nothing else. A group without members is
//! dropped.
//!
//! Nothing is told here: what a peer is to hear is left as sets of slots, and worked off when the
//! family's turn comes.

use std::num::NonZeroU32;

use super::{FamilyRib, Key};
use crate::packed::Slot;
use crate::rib::dump::{After, Dump};
use crate::rib::export::GroupSettings;
use crate::rib::group::{self, Group, Lag};
use crate::rib::path::PeerId;
use crate::rib::several::{Extent, Several};
use crate::rib::slots::SlotSet;
use crate::rib::{Cx, PeerFacts, PeerFamily, View};

impl<K: Key> FamilyRib<K> {
    /// Starts telling a peer everything.
    pub(in crate::rib) fn join(
        &mut self,
        view: View<'_>,
        peer: PeerId,
        facts: &PeerFacts,
        settings: &PeerFamily,
    ) {
        let mut all = self.in_use();
        if settings.default_originate.is_some() {
            all.extend(self.default_slot());
        }
        let alone = settings.alone();
        let settings = GroupSettings::of(view.config, facts, self.family, settings);
        match alone {
            Some(how) => {
                let dump = Dump::new(After::EndOfRib);
                let several = Several::new(peer, settings, how, dump, all);
                self.several.push(several);
            }
            None => {
                let group = self.group_of(settings);
                group.join(peer, SlotSet::default(), all, After::EndOfRib);
            }
        }
        self.follow_settings(view, None);
    }

    /// Forgets a peer's place among the groups.
    pub(in crate::rib) fn leave(&mut self, view: View<'_>, peer: PeerId) {
        for group in &mut self.groups {
            group.leave(peer);
        }
        self.groups.retain(|group| !group.is_empty());
        self.several.retain(|several| several.peer != peer);
        self.follow_settings(view, None);
        let dead: Vec<Slot> = self
            .table
            .iter()
            .filter(|(_, entry)| entry.paths.is_empty())
            .map(|(slot, _)| slot)
            .collect();
        for slot in dead {
            self.reap(slot);
        }
    }

    /// Tells a peer everything again (RFC 2918), with marks around it if `bracketed` (RFC 7313).
    pub(in crate::rib) fn refresh(&mut self, peer: PeerId, bracketed: bool) {
        let mut all = self.in_use();
        // Nothing for those who are not told one of our own.
        all.extend(K::default_route().and_then(|key| self.table.find(&key)));
        let after = if bracketed {
            After::EndOfRefresh
        } else {
            After::Nothing
        };
        for group in &mut self.groups {
            group.repeat(peer, &all, after);
        }
        let several = self.several.iter_mut().find(|it| it.peer == peer);
        if let Some(several) = several {
            several.repeat(&all, after);
        }
    }

    /// Moves a peer to the group of its new settings; only what differs will be told.
    pub(in crate::rib) fn regroup(
        &mut self,
        cx: &Cx<'_>,
        peer: PeerId,
        facts: &PeerFacts,
        settings: &PeerFamily,
    ) {
        let new = GroupSettings::of(cx.config, facts, self.family, settings);
        self.follow_settings(cx.view(), Some(&new));
        let several = self.several.iter().position(|it| it.peer == peer);
        match (several, settings.alone()) {
            (Some(at), Some(how)) => {
                if let Some(mut several) = self.take_several(at, &new) {
                    self.reset_several(&mut several, how, new);
                    self.several.push(several);
                }
            }
            (Some(at), None) => {
                if let Some(several) = self.take_several(at, &new) {
                    let mut all = self.in_use();
                    all.extend(self.default_slot());
                    let (told, dump) = several.into_told();
                    all.extend(told.iter());
                    self.group_of(new).rejoin(Lag::new(peer, told, dump), all);
                }
            }
            (None, Some(how)) => self.serve_alone(peer, how, new),
            (None, None) => self.regroup_member(cx, peer, new),
        }
        self.follow_settings(cx.view(), None);
    }

    /// Takes a peer that is served by itself out, unless it is about to be told of paths in another
    /// way: then its session ends, and what it was told with it.
    fn take_several(&mut self, at: usize, new: &GroupSettings) -> Option<Several<K>> {
        let several = self.several.get(at)?;
        (several.settings.add_path == new.add_path).then(|| self.several.swap_remove(at))
    }

    fn reset_several(
        &mut self,
        several: &mut Several<K>,
        how: (Extent, Option<NonZeroU32>),
        new: GroupSettings,
    ) {
        let mut differing = several.differing(&new, how);
        if !differing.is_everywhere() {
            let concerned = self.table.iter().filter(|(_, entry)| {
                let mut paths = entry.paths.as_slice().iter();
                paths.any(|it| differing.concerns(|| entry.key.nlri(), || Some(&it.attributes)))
            });
            several.judge_again(new, concerned.map(|(slot, _)| slot));
            return;
        }
        let mut all = self.in_use();
        let default = new.default_originate.is_some();
        all.extend(default.then(|| self.default_slot()).flatten());
        several.reset(new, how, all);
    }

    /// Takes a peer out of its group to serve it by itself.
    fn serve_alone(
        &mut self,
        peer: PeerId,
        how: (Extent, Option<NonZeroU32>),
        new: GroupSettings,
    ) {
        let mut groups = self.groups.iter_mut();
        let lag = groups.find_map(|group| match group.settings.add_path == new.add_path {
            true => {
                let default = group.settings.default_originate.is_some();
                group.take(peer).map(|lag| (lag, default))
            }
            false => None,
        });
        let Some((lag, default)) = lag else { return };
        self.groups.retain(|group| !group.is_empty());
        let mut all = self.in_use();
        all.extend(self.default_slot());
        let (told, dump) = lag.into_told();
        let mut several = Several::new(peer, new, how, dump, all);
        let default = default.then(|| self.default_slot()).flatten();
        several.take_over(&told, default, &self.table);
        self.several.push(several);
    }

    fn regroup_member(&mut self, cx: &Cx<'_>, peer: PeerId, new: GroupSettings) {
        let stays = |group: &Group| group.settings == new && group.has(peer);
        if self.groups.iter().any(stays) {
            return;
        }
        let Some((old, lag)) = self.groups.iter_mut().find_map(|group| {
            let lag = group.take(peer)?;
            Some((group.settings.clone(), lag))
        }) else {
            return;
        };
        self.groups.retain(|group| !group.is_empty());
        let known = (&self.table, &self.dependent);
        let mut differing = group::differing(cx.view(), known, &old, &new);
        if old.default_originate.is_some() || new.default_originate.is_some() {
            differing.extend(self.default_slot());
        }
        self.group_of(new).rejoin(lag, differing);
    }

    fn group_of(&mut self, settings: GroupSettings) -> &mut Group {
        let at = match self
            .groups
            .iter()
            .position(|group| group.settings == settings)
        {
            Some(at) => at,
            None => {
                // It is told all there is; what counts from now on is noted from now on.
                self.marks.count |= settings.export.counts_paths();
                self.groups.push(Group::new(settings));
                self.groups.len() - 1
            }
        };
        // Pushed or found just above.
        #[allow(clippy::indexing_slicing)]
        &mut self.groups[at]
    }

    /// Slots of what is in use.
    fn in_use(&self) -> Vec<Slot> {
        let used = self.table.iter();
        let used = used.filter(|(_, entry)| entry.paths.best().is_some());
        used.map(|(slot, _)| slot).collect()
    }

    /// The slot of the default route, made if nobody has sent one: a peer may be told one all the
    /// same.
    pub(super) fn default_slot(&mut self) -> Option<Slot> {
        K::default_route().map(|key| self.table.find_or_insert(&key))
    }
}
