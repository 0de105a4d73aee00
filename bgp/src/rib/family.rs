//! The routes of one family: what peers sent, what is best, what is still to be told.
//!
//! A change touches the table at once and leaves a mark on its slot; telling the kernel's side
//! ([`Output::Best`]) and the update groups happens later from the marks, so a prefix that
//! changes ten times in a burst is told once.
//!
//! Here routes come and go and marks are worked off. What judges again the routes that are there is
//! in [`mod@judge`], what follows from other routes in [`follow`], who is told with whom in
//! [`members`], and the queues of what is still to be told in [`marks`]. What a change does to one
//! prefix is found out in [`super::change`].

mod follow;
mod forwarding;
mod judge;
mod marks;
mod members;

use std::collections::VecDeque;
use std::hash::Hash;

use bytes::BytesMut;
pub(super) use forwarding::Wait;
use judge::judge;
use marks::Marks;
pub use marks::News;

use super::change::{
    Before, ByPeer, Moved, decide, followed, forwarding, in_use, next_best, put, remove,
};
use super::decision::{self, Step};
use super::dependent::Dependent;
use super::gate::Gate;
use super::group::Group;
use super::path::{Path, Paths, PeerId, Spare, Standing};
use super::several::Several;
use super::slots::SlotSet;
use super::table::{TOGETHER, Table};
use super::{Best, Cx, Output, View};
use crate::attributes::{Attributes, Outgoing};
use crate::family::Family;
use crate::nlri::{Nlri, NlriList, PathId};
use crate::packed::Slot;
use crate::wire::{EncodeContext, EncodeError};

/// Marks worked off in one call of poll: keeps a burst from holding up other inputs.
const SLICE: usize = 4096;

/// Who is told nothing for now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// Whoever forwards.
    pub(super) best: bool,
    /// All peers.
    pub(super) peers: bool,
}

/// A key of a table.
pub(super) trait Key: Clone + Eq + Hash + Ord {
    const FAMILY: Family;
    /// The key of the default route, in families that have one.
    fn default_route() -> Option<Self>;
    /// The network of this length that it lies within, if it is longer itself.
    fn wider(&self, length: u8) -> Option<Self>;
    /// Nobody in another AS has it.
    fn is_martian(&self) -> bool;
    /// The routes of a list, if it is one of this family.
    fn of(list: &NlriList) -> &[(PathId, Self)];
    fn nlri(&self) -> Nlri;
    /// Appends messages that announce the keys; returns their number.
    fn encode_announce(
        keys: &[(PathId, Self)],
        attributes: &Outgoing,
        context: &EncodeContext,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError>;
    /// Appends messages that withdraw the keys; returns their number.
    fn encode_withdraw(
        keys: &[(PathId, Self)],
        context: &EncodeContext,
        out: &mut BytesMut,
    ) -> usize;
}

#[derive(Debug)]
pub(super) struct FamilyRib<K> {
    pub(super) family: Family,
    pub(super) table: Table<K>,
    pub(super) received: ByPeer,
    pub(super) groups: Vec<Group>,
    /// Those who are told several paths of a prefix.
    pub(super) several: Vec<Several<K>>,
    /// What we say because of other routes.
    pub(super) dependent: Dependent<K>,
    marks: Marks,
    /// Learned routes are told once they are forwarded.
    pub(super) gate: Option<Gate>,
    /// See [`super::Rib::mark`].
    pub(super) marked: SlotSet,
}

impl<K: Key> FamilyRib<K> {
    pub(super) fn new(family: Family, seed: u64, track: bool) -> Self {
        Self {
            family,
            table: Table::new(seed),
            received: ByPeer::default(),
            groups: Vec::new(),
            several: Vec::new(),
            dependent: Dependent::new(),
            marks: Marks {
                track,
                ..Marks::default()
            },
            gate: None,
            marked: SlotSet::default(),
        }
    }

    /// Routes a peer announced under one set of attributes.
    pub(super) fn announce(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        list: &[(PathId, K)],
        attributes: Attributes,
    ) {
        let Cx {
            peers,
            interner,
            config,
            next_hops,
        } = cx;
        let view = View {
            peers,
            config,
            next_hops,
        };
        let Some(from) = view.peers.settings(peer, self.family) else {
            return;
        };
        let received = interner.intern(attributes);
        let mut last = None;
        let follow = self.follows();
        let sent = self.received.entry(peer).or_default();
        let long = list.len() > TOGETHER;
        for (at, (path_id, key)) in list.iter().enumerate() {
            if long && at % TOGETHER == 0 {
                let next = list.iter().skip(at).take(TOGETHER);
                self.table.touch(next.map(|(_, key)| key));
            }
            let answers = from.1.import.answers(|| key.nlri());
            let asked = (answers, key.is_martian());
            let (of, judged) = last
                .take_if(|(of, _)| answers.is_some() && *of == asked)
                .unwrap_or_else(|| (asked, judge(interner, view, from, &key.nlri(), &received)));
            let (_, (attributes, standing)) = last.insert((of, judged));
            let path = Path {
                attributes: attributes.clone(),
                path_id: *path_id,
                peer,
                standing: *standing,
                multipath: false,
            };
            let slot = self.table.find_or_insert(key);
            let noted = put(&mut self.table, sent, view, follow, slot, path);
            self.marks.note(noted);
            self.marks.touch(slot);
            for several in &mut self.several {
                several.mark(slot);
            }
        }
    }

    /// Routes this router originates, under an identifier of their kind.
    pub(super) fn originate(
        &mut self,
        cx: &mut Cx<'_>,
        (path_id, key): (PathId, K),
        attributes: Attributes,
    ) {
        let attributes = cx.interner.intern(attributes);
        let path = Path {
            attributes,
            path_id,
            peer: PeerId::LOCAL,
            standing: Standing::Valid,
            multipath: false,
        };
        let slot = self.table.find_or_insert(&key);
        let (view, follow) = (cx.view(), self.follows());
        let noted = put(
            &mut self.table,
            self.received.entry(PeerId::LOCAL).or_default(),
            view,
            follow,
            slot,
            path,
        );
        self.marks.note(noted);
        self.mark_several(slot);
    }

    /// Any change of a prefix's paths is news for those who are told several, and who watches.
    fn mark_several(&mut self, slot: Slot) {
        self.marks.touch(slot);
        for several in &mut self.several {
            several.mark(slot);
        }
    }

    /// Takes a peer's routes out.
    pub(super) fn withdraw(&mut self, cx: &Cx<'_>, peer: PeerId, list: &[(PathId, K)]) {
        for next in list.chunks(TOGETHER) {
            if list.len() > TOGETHER {
                self.table.touch(next.iter().map(|(_, key)| key));
            }
            for (path_id, key) in next {
                if let Some(slot) = self.table.seek(key) {
                    self.take(cx, peer, slot, |path| path.is(peer, *path_id));
                }
            }
        }
    }

    /// Takes out all routes of a peer, or only those it has not sent again since it restarted.
    pub(super) fn purge(&mut self, cx: &Cx<'_>, peer: PeerId, only_stale: bool) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        let slots: Vec<Slot> = received.slots.iter().collect();
        for slot in slots {
            self.take(cx, peer, slot, |path| {
                path.peer == peer && (!only_stale || path.standing.is_stale())
            });
        }
    }

    /// Keeps a restarting peer's routes, marked (RFC 4724 §4.2).
    pub(super) fn mark_stale(&mut self, peer: PeerId) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        for slot in received.slots.iter() {
            let Some(entry) = self.table.get_mut(slot) else {
                continue;
            };
            for path in entry
                .paths
                .as_mut_slice()
                .iter_mut()
                .filter(|path| path.peer == peer)
            {
                path.standing = path.standing.to_stale();
            }
        }
    }

    /// Takes paths of a peer out of a slot.
    fn take(&mut self, cx: &Cx<'_>, peer: PeerId, slot: Slot, gone: impl Fn(&Path) -> bool) {
        let follow = self.follows();
        let Some((entry, spare)) = self.table.edit(slot) else {
            return;
        };
        let best = entry.paths.best();
        let mut leaving = entry.paths.as_slice().iter().filter(|path| gone(path));
        if best.is_some()
            && leaving.all(|path| decision::is_bystander(best, path, cx.config.rules))
        {
            let before = followed(&entry.paths, cx.view(), follow);
            remove(
                (&mut entry.paths, spare),
                &mut self.received,
                peer,
                slot,
                gone,
            );
            if before != followed(&entry.paths, cx.view(), follow) {
                self.marks.note(Some((slot, Moved::BEHIND)));
            }
            self.mark_several(slot);
            return;
        }
        self.edit(cx, slot, |paths, received| {
            remove(paths, received, peer, slot, gone);
        });
    }

    /// Changes a slot's paths and notes what that did to the best one.
    fn edit(
        &mut self,
        cx: &Cx<'_>,
        slot: Slot,
        change: impl FnOnce((&mut Paths, &mut Spare), &mut ByPeer),
    ) {
        let follow = self.follows();
        let Some((entry, spare)) = self.table.edit(slot) else {
            return;
        };
        let before = Before::of(&entry.paths, cx.view(), follow);
        change((&mut entry.paths, spare), &mut self.received);
        let moved = decide(cx.view(), self.family, follow, &mut entry.paths, &before);
        self.marks.note(Some((slot, moved)));
        self.mark_several(slot);
        // A prefix without paths and without marks has nobody left to tell.
        if self
            .table
            .get(slot)
            .is_some_and(|entry| entry.paths.is_empty())
        {
            self.reap(slot);
        }
    }

    /// Sets or clears the mark of a prefix; false if there is no such prefix.
    pub(super) fn mark(&mut self, key: &K, marked: bool) -> bool {
        let Some(slot) = self.table.find(key) else {
            return false;
        };
        match marked {
            true => self.marked.insert(slot),
            false => self.marked.remove(slot),
        };
        true
    }

    pub(super) fn is_marked(&self, key: &K) -> bool {
        let slot = self.table.find(key);
        slot.is_some_and(|slot| self.marked.contains(slot))
    }

    /// What is new since this was asked last.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.marks.news)
    }

    /// Works off marks; true if something was done.
    pub(super) fn work(
        &mut self,
        cx: &mut Cx<'_>,
        held: Held,
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        // Before anybody hears of anything, so that nobody hears what is not true a moment later.
        // Marks may be left from when something last depended on them.
        if (self.marks.follow || !self.marks.depended.is_empty()) && self.follow(cx) {
            return true;
        }
        // They take turns, so that neither waits for the end of a burst.
        self.marks.peers_first ^= true;
        if self.marks.peers_first && !held.peers && self.advertise(cx, outputs) {
            return true;
        }
        if !held.best && self.emit_best(cx, outputs) {
            return true;
        }
        if held.peers {
            return false;
        }
        if self.advertise(cx, outputs) {
            return true;
        }
        for at in 0..self.groups.len() {
            let Some(group) = self.groups.get_mut(at) else {
                continue;
            };
            let known = (&self.table, &self.dependent);
            let instance = group.settings.instance;
            let mut wait = Wait::of((&mut self.gate, &self.marks), instance);
            let told = group.say_again(cx, known, &mut wait, outputs);
            if let Some(told) = told.or_else(|| group.catch_up(cx, known, &mut wait, outputs)) {
                for slot in told {
                    self.reap(slot);
                }
                return true;
            }
        }
        for at in 0..self.several.len() {
            let Some(several) = self.several.get_mut(at) else {
                continue;
            };
            let known = (&self.table, &self.dependent);
            let instance = several.settings.instance;
            let mut wait = Wait::of((&mut self.gate, &self.marks), instance);
            if let Some(told) = several.catch_up(cx, known, &mut wait, outputs) {
                for slot in told {
                    self.reap(slot);
                }
                return true;
            }
        }
        false
    }

    /// Tells the groups some of what changed; true if anything did.
    fn advertise(&mut self, cx: &mut Cx<'_>, outputs: &mut VecDeque<Output>) -> bool {
        let counted = match self.marks.counted.is_empty() {
            true => Vec::new(),
            false => self.marks.counted.take(SLICE),
        };
        for slot in counted {
            let groups = self.groups.iter_mut();
            let asks = |group: &&mut Group| group.settings.export.counts_paths();
            groups.filter(asks).for_each(|it| it.judge_again(slot));
            self.reap(slot);
        }
        let count = self.marks.changed.len().min(SLICE);
        if count == 0 {
            return false;
        }
        let slice: Vec<(Slot, Option<PeerId>)> = self.marks.changed.drain(..count).collect();
        for (slot, _) in &slice {
            self.marks.in_changed.remove(*slot);
        }
        let (open, all) = self.let_through(slice);
        let known = (&self.table, &self.dependent);
        for group in &mut self.groups {
            let slice = match &all {
                Some(all) if group.settings.instance => all,
                Some(_) | None => &open,
            };
            group.advertise(cx, known, slice, outputs);
        }
        for (slot, _) in all.unwrap_or(open) {
            self.reap(slot);
        }
        true
    }

    /// True while peers are still to hear of something.
    pub(super) fn has_changes(&self) -> bool {
        !self.marks.changed.is_empty()
            || !self.marks.counted.is_empty()
            || !self.marks.depended.is_empty()
            || !self.dependent.is_settled()
            || self.groups.iter().any(Group::has_to_judge)
            || self.gate.as_ref().is_some_and(|gate| !gate.is_idle())
    }

    /// Of how many keys those who forward are still to hear.
    pub(super) fn owed(&self) -> usize {
        self.marks.installs.len()
    }

    /// From now on [`Output::Best`] is wanted, and all of it to begin with.
    pub(super) fn track(&mut self) {
        if !std::mem::replace(&mut self.marks.track, true) {
            self.repeat();
        }
    }

    /// From now on [`Output::Touched`] is wanted, and all of it to begin with; or no longer.
    pub(super) fn watch(&mut self, on: bool) {
        self.marks.watch = on;
        if on {
            self.touch_all();
            return;
        }
        for slot in self.marks.touched.take(usize::MAX) {
            self.reap(slot);
        }
    }

    fn touch_all(&mut self) {
        if self.marks.watch {
            let slots = self.table.iter().map(|(slot, _)| slot);
            slots.for_each(|slot| self.marks.touch(slot));
        }
    }

    /// Names prefixes whose paths are others now; true if there were any.
    pub(super) fn emit_touched(&mut self, outputs: &mut VecDeque<Output>) -> bool {
        let slots = self.marks.touched.take(SLICE);
        let any = !slots.is_empty();
        for slot in slots {
            if let Some(entry) = self.table.get(slot) {
                outputs.push_back(Output::Touched(entry.key.nlri()));
            }
            self.reap(slot);
        }
        any
    }

    /// Tells all best paths again to those who forward.
    pub(super) fn repeat(&mut self) {
        self.touch_all();
        let used = self
            .table
            .iter()
            .filter(|(_, entry)| entry.paths.best().is_some());
        for (slot, _) in used.filter(|_| self.marks.track) {
            self.marks.installs.insert(slot);
        }
    }

    /// Gives back memory of queues that were long.
    pub(super) fn shrink(&mut self) {
        self.marks.changed.shrink_to_fit();
        self.table.shrink();
    }

    /// [`Best::next_best`] is of use: packets are forwarded to next hops, not to MAC addresses.
    fn follows(&self) -> bool {
        self.marks.track && self.family != Family::Evpn
    }

    fn emit_best(&mut self, cx: &Cx<'_>, outputs: &mut VecDeque<Output>) -> bool {
        let follow = self.follows();
        let slots = self.marks.installs.take(SLICE);
        let any = !slots.is_empty();
        for slot in slots {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            if let Some(gate) = &mut self.gate
                && !gate.ask(slot, entry)
            {
                self.dependent.refused.remove(slot);
            }
            outputs.push_back(Output::Best(Best {
                nlri: entry.key.nlri(),
                paths: forwarding(&entry.paths, cx.view()),
                next_best: follow
                    .then(|| next_best(&entry.paths, cx.view()))
                    .flatten()
                    .map(|path| in_use(path, cx.view())),
            }));
            self.reap(slot);
        }
        any
    }

    /// Gives a slot back once nothing refers to it.
    fn reap(&mut self, slot: Slot) {
        let empty = self
            .table
            .get(slot)
            .is_some_and(|entry| entry.paths.is_empty());
        let awaited = self.marks.in_changed.contains(slot)
            || self.marks.depended.contains(slot)
            || self.marks.installs.contains(slot)
            || self.marks.counted.contains(slot)
            || self.marks.touched.contains(slot)
            || self.groups.iter().any(|group| group.refers_to(slot))
            || self.several.iter().any(|peer| peer.refers_to(slot))
            || self.gate.as_ref().is_some_and(|gate| gate.keeps(slot));
        if empty && !awaited {
            self.table.remove(slot);
            self.marked.remove(slot);
            self.not_asked(slot);
        }
    }

    /// The decision's reasons for one prefix, by position in its paths.
    pub(super) fn reasons(&self, view: View<'_>, paths: &Paths) -> Vec<Option<Step>> {
        let mut steps = vec![None; paths.as_slice().len()];
        let options = view.config.options(self.family);
        decision::choose(
            paths.as_slice(),
            |peer| view.sender(peer),
            options,
            |at, step| {
                if let Some(place) = steps.get_mut(at) {
                    *place = Some(step);
                }
            },
        );
        steps
    }
}
