//! The routes of one family: what peers sent, what is best, what is still to be told.
//!
//! A change touches the table at once and leaves a mark on its slot; telling the kernel's side
//! ([`Output::Best`]) and the update groups happens later from the marks, so a prefix that
//! changes ten times in a burst is told once.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::BytesMut;

use super::aggregate::{self, Aggregate};
use super::change::{
    Before, ByPeer, Moved, decide, followed, forwarding, in_use, next_best, put, remove, replace,
};
use super::decision::{self, Step};
use super::dependent::{Consequence, Dependent};
use super::dump::{After, Dump};
use super::export::GroupSettings;
use super::group::{Group, Lag};
use super::import::import;
use super::next_hops;
use super::path::{Path, Paths, PeerId, Spare, Standing};
use super::peer::DefaultOriginate;
use super::several::{Extent, Several};
use super::slots::{Slot, SlotSet};
use super::table::{TOGETHER, Table};
use super::{Best, Cx, Output, PeerFacts, PeerFamily, View};
use crate::attributes::{Attributes, Outgoing};
use crate::community::Community;
use crate::family::Family;
use crate::nlri::{Nlri, NlriList, PathId};
use crate::policy::Difference;
use crate::rpki::{Affected, Validation};
use crate::wire::{EncodeContext, EncodeError};

/// Marks worked off in one call of poll: keeps a burst from holding up other inputs.
const SLICE: usize = 4096;

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
    /// See [`super::Rib::mark`].
    pub(super) marked: SlotSet,
}

/// Slots that others are still to hear of.
#[derive(Debug, Default)]
struct Marks {
    /// Slots whose best path changed, with the peer the former one came from.
    changed: VecDeque<(Slot, Option<PeerId>)>,
    in_changed: SlotSet,
    /// Slots whose forwarding paths changed.
    installs: VecDeque<Slot>,
    in_installs: SlotSet,
    /// Slots whose best path changed, for what depends on it.
    depended: VecDeque<Slot>,
    in_depended: SlotSet,
    /// Something depends on best paths.
    follow: bool,
    /// Emit [`Output::Best`].
    track: bool,
    /// Whose turn it is to be told.
    peers_first: bool,
    news: News,
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
            marked: SlotSet::default(),
        }
    }

    /// Routes a peer announced under one set of attributes.
    pub(super) fn announce(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        list: &[(PathId, K)],
        attributes: Arc<Attributes>,
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
                attributes: Arc::clone(attributes),
                path_id: *path_id,
                peer,
                standing: *standing,
                multipath: false,
            };
            let slot = self.table.find_or_insert(key);
            let noted = put(&mut self.table, sent, view, follow, slot, path);
            self.marks.note(noted);
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
        attributes: Arc<Attributes>,
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

    /// Any change of a prefix's paths is news for those who are told several.
    fn mark_several(&mut self, slot: Slot) {
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
                if let Some(slot) = self.table.find(key) {
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

    /// Stale routes of a peer become a last resort (RFC 9494 §4.2): paths that take part are marked,
    /// which the decision looks at first, and those that may not be kept so go.
    pub(super) fn grow_old(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        let slots: Vec<Slot> = received.slots.iter().collect();
        for slot in slots {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            let paths = entry.paths.as_slice().iter();
            let stale = paths.filter(|path| path.peer == peer && path.standing.is_stale());
            let (gone, old): (Vec<Path>, Vec<Path>) = stale
                .cloned()
                .partition(|path| path.received().is_no_llgr());
            let (view, interner) = cx.split();
            let seed = view.config.seed;
            let old = old.into_iter().filter(|path| path.standing.takes_part());
            let old: Vec<Path> = old.map(|path| last_resort(interner, seed, path)).collect();
            self.edit(cx, slot, |(paths, spare), received| {
                let gone = |path: &Path| gone.iter().any(|it| it.is(path.peer, path.path_id));
                remove((&mut *paths, &mut *spare), received, peer, slot, gone);
                let received = received.entry(peer).or_default();
                for path in old {
                    replace((&mut *paths, &mut *spare), received, slot, path);
                }
            });
        }
    }

    /// Applies a changed import policy to what the peer has sent, where it may make a difference.
    pub(super) fn reimport(&mut self, cx: &mut Cx<'_>, peer: PeerId, differing: &mut Difference) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        if differing.is_nowhere() {
            return;
        }
        let settings = cx.peers.settings(peer, self.family);
        let as_received =
            settings.is_some_and(|(facts, family)| family.shows_policy_what_came(facts));
        let concerned = received.slots.iter().filter(|slot| {
            let Some(entry) = self.table.get(*slot) else {
                return false;
            };
            let mut own = entry.paths.as_slice().iter().filter(|it| it.peer == peer);
            own.any(|path| {
                let seen = || as_received.then(|| &**path.received());
                differing.concerns(|| entry.key.nlri(), seen)
            })
        });
        let slots: Vec<Slot> = concerned.collect();
        for slot in slots {
            self.judge_again(cx, peer, slot);
        }
    }

    /// Gives aggregates, conditions and what frees from them another table; true if any asks it.
    pub(super) fn validate_dependent(&mut self, validation: Option<&Arc<Validation>>) -> bool {
        let dependent = self.dependent.validate_by(validation);
        let groups = self.groups.iter().map(|it| &it.settings);
        let several = self.several.iter().map(|it| &it.settings);
        let mut freed = groups.chain(several).flat_map(|it| &it.unsuppress);
        dependent || freed.any(|map| map.validates())
    }

    /// Gives policies that validate another table, and judges again what it may say something else
    /// about: at import for the peers whose policy asks, at export for the groups whose does.
    pub(super) fn validate(
        &mut self,
        cx: &mut Cx<'_>,
        validation: Option<&Arc<Validation>>,
        affected: &Affected,
    ) {
        let asks = |peer: &PeerId| {
            let settings = cx.peers.settings(*peer, self.family);
            settings.is_some_and(|(_, family)| family.import.validates())
        };
        let importers: BTreeSet<PeerId> = self.received.keys().copied().filter(asks).collect();
        let dependent = self.validate_dependent(validation);
        let mut exporters: Vec<(&mut Group, GroupSettings)> = Vec::new();
        for group in &mut self.groups {
            if group.settings.export.validates() {
                let before = group.settings.clone();
                group.settings.export.validate_by(validation);
                exporters.push((group, before));
            }
        }
        let several = self.several.iter_mut();
        let mut several: Vec<&mut Several<K>> = several
            .filter(|it| it.settings.export.validates())
            .collect();
        for it in &mut several {
            it.settings.export.validate_by(validation);
        }
        let nobody = importers.is_empty() && exporters.is_empty() && several.is_empty();
        let nobody = nobody && !dependent;
        if nobody || affected.is_empty() || self.family == Family::Evpn {
            return;
        }
        let concerned = self.table.iter().filter(|(_, entry)| {
            let prefix = entry.key.nlri().prefix();
            prefix.is_some_and(|prefix| affected.covers(prefix))
        });
        let slots: Vec<Slot> = concerned.map(|(slot, _)| slot).collect();
        for (group, before) in exporters {
            let entries = slots.iter().copied();
            let entries = entries.filter_map(|slot| Some((slot, self.table.get(slot)?)));
            let settings = (&before, &group.settings);
            let (view, dependent) = (cx.view(), &self.dependent);
            let differing = super::group::differing_among(view, dependent, settings, entries);
            group.tell(&differing);
        }
        for it in several {
            it.mark_all(slots.iter().copied());
        }
        if dependent {
            self.depend_again(&slots);
        }
        for slot in slots {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            let paths = entry.paths.as_slice().iter();
            let concerned: BTreeSet<PeerId> = paths
                .map(|path| path.peer)
                .filter(|peer| importers.contains(peer))
                .collect();
            for peer in concerned {
                self.judge_again(cx, peer, slot);
            }
        }
    }

    /// Applies import policy and checks again where these next hops have come or gone.
    pub(super) fn next_hops_changed(&mut self, cx: &mut Cx<'_>, changed: &HashSet<IpAddr>) {
        let mut concerned: Vec<(Slot, PeerId)> = Vec::new();
        let mut of_slot: BTreeSet<PeerId> = BTreeSet::new();
        for (slot, entry) in self.table.iter() {
            for path in entry.paths.as_slice() {
                let settings = cx.peers.settings(path.peer, self.family);
                let has_map = settings.is_some_and(|(_, it)| it.import.map().is_some());
                if next_hops::concerns(changed, path, has_map) {
                    of_slot.insert(path.peer);
                }
            }
            // Once a peer, however many paths it sent and in which order they stand.
            let peers = std::mem::take(&mut of_slot).into_iter();
            concerned.extend(peers.map(|peer| (slot, peer)));
        }
        for (slot, peer) in concerned {
            self.judge_again(cx, peer, slot);
        }
    }

    /// Applies import policy and checks to what a peer has sent for one prefix.
    fn judge_again(&mut self, cx: &mut Cx<'_>, peer: PeerId, slot: Slot) {
        let Some(entry) = self.table.get(slot) else {
            return;
        };
        let nlri = entry.key.nlri();
        let known = entry.paths.as_slice().iter();
        let again: Vec<Path> = known.filter(|path| path.peer == peer).cloned().collect();
        let (view, interner) = cx.split();
        let Some(from) = view.peers.settings(peer, self.family) else {
            return;
        };
        let mut judged = Vec::with_capacity(again.len());
        for path in again {
            let received = path.received();
            let (attributes, standing) = judge(interner, view, from, &nlri, received);
            let standing = match path.standing.is_stale() {
                true => standing.to_stale(),
                false => standing,
            };
            let again = Path {
                attributes,
                standing,
                multipath: false,
                ..path.clone()
            };
            let old = standing.is_stale() && view.peers.is_old(peer, self.family);
            judged.push(match old && standing.takes_part() {
                true => last_resort(interner, view.config.seed, again),
                false => again,
            });
        }
        self.edit(cx, slot, |(paths, spare), received| {
            let received = received.entry(peer).or_default();
            for path in judged {
                replace((&mut *paths, &mut *spare), received, slot, path);
            }
        });
    }

    /// Decides every prefix again, after a change of the decision's own settings.
    pub(super) fn redecide(&mut self, cx: &Cx<'_>) {
        let slots: Vec<Slot> = self.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.edit(cx, slot, |_, _| {});
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
        hold_best: bool,
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        // Before anybody hears of anything, so that nobody hears what is not true a moment later.
        // Marks may be left from when something last depended on them.
        if (self.marks.follow || !self.marks.depended.is_empty()) && self.follow(cx) {
            return true;
        }
        // They take turns, so that neither waits for the end of a burst.
        self.marks.peers_first ^= true;
        if self.marks.peers_first && self.advertise(cx, outputs) {
            return true;
        }
        if !hold_best && self.emit_best(cx, outputs) {
            return true;
        }
        if self.advertise(cx, outputs) {
            return true;
        }
        for at in 0..self.groups.len() {
            let Some(group) = self.groups.get_mut(at) else {
                continue;
            };
            let known = (&self.table, &self.dependent);
            let told = group.say_again(cx, known, outputs);
            if let Some(told) = told.or_else(|| group.catch_up(cx, known, outputs)) {
                for slot in told {
                    self.reap(slot);
                }
                return true;
            }
        }
        for at in 0..self.several.len() {
            let several = self.several.get_mut(at);
            let known = (&self.table, &self.dependent);
            if let Some(told) = several.and_then(|it| it.catch_up(cx, known, outputs)) {
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
        let count = self.marks.changed.len().min(SLICE);
        if count == 0 {
            return false;
        }
        let slice: Vec<(Slot, Option<PeerId>)> = self.marks.changed.drain(..count).collect();
        for (slot, _) in &slice {
            self.marks.in_changed.remove(*slot);
        }
        for group in &mut self.groups {
            group.advertise(cx, (&self.table, &self.dependent), &slice, outputs);
        }
        for (slot, _) in slice {
            self.reap(slot);
        }
        true
    }

    /// Looks at what depends on the best paths that changed; true if something was done.
    fn follow(&mut self, cx: &mut Cx<'_>) -> bool {
        let count = self.marks.depended.len().min(SLICE);
        let slots: Vec<Slot> = self.marks.depended.drain(..count).collect();
        let mut toggled = Vec::new();
        for slot in &slots {
            self.marks.in_depended.remove(*slot);
            if let Some(entry) = self.table.get(*slot)
                && self.dependent.look(cx.view(), *slot, entry)
            {
                toggled.push(*slot);
            }
            self.reap(*slot);
        }
        if !slots.is_empty() {
            // Of most of them everybody is to hear in any case, since the best path changed.
            self.judge_by_all(cx.view(), &toggled);
            return true;
        }
        let (table, mut out) = (&self.table, Vec::new());
        let key_of = |slot| table.get(slot).map(|entry| &entry.key);
        let dependent = &mut self.dependent;
        let aggregated = dependent.settle_aggregates(cx.view(), key_of, &mut out);
        if !aggregated {
            let entry_of = |key: &K| table.find(key).and_then(|slot| table.get(slot));
            let best_of = |key: &K| entry_of(key)?.paths.best();
            dependent.settle_conditions(cx.view(), best_of, &mut out);
        }
        let done = aggregated || !out.is_empty();
        for consequence in out {
            self.take_in(cx, consequence);
        }
        done
    }

    /// Conditions may say something else of these prefixes, whose best paths are what they were.
    fn depend_again(&mut self, slots: &[Slot]) {
        for slot in slots {
            if self.marks.in_depended.insert(*slot) {
                self.marks.depended.push_back(*slot);
            }
            for group in &mut self.groups {
                group.judge_again(*slot);
            }
        }
        for several in &mut self.several {
            several.mark_all(slots.iter().copied());
        }
    }

    fn take_in(&mut self, cx: &mut Cx<'_>, consequence: Consequence<K>) {
        match consequence {
            Consequence::Set(key, attributes) => {
                self.originate(cx, (aggregate::PATH_ID, key), attributes);
            }
            Consequence::Unset(key) => {
                self.withdraw(cx, PeerId::LOCAL, &[(aggregate::PATH_ID, key)]);
            }
            Consequence::Everybody(slots) => self.judge_by_all(cx.view(), &slots),
            Consequence::Condition(map) => {
                let about = |settings: &GroupSettings| {
                    let condition = settings.advertise_if.clone();
                    condition.filter(|it| it.condition == map)
                };
                for group in &mut self.groups {
                    let condition = about(&group.settings);
                    for slot in condition.iter().flat_map(|it| self.dependent.routes_of(it)) {
                        group.judge_again(slot);
                    }
                }
                for several in &mut self.several {
                    let condition = about(&several.settings);
                    let slots = condition.iter().flat_map(|it| self.dependent.routes_of(it));
                    several.mark_all(slots);
                }
            }
            Consequence::Default(map) => {
                let Some(slot) = self.default_slot() else {
                    return;
                };
                let map = Some(DefaultOriginate::While(map));
                for group in &mut self.groups {
                    if group.settings.default_originate == map {
                        group.judge_again(slot);
                    }
                }
                for several in &mut self.several {
                    if several.settings.default_originate == map {
                        several.mark(slot);
                    }
                }
                self.reap(slot);
            }
        }
    }

    /// An aggregate stands for these prefixes now, or does so no more: who is told of them may be told
    /// otherwise.
    fn judge_by_all(&mut self, view: View<'_>, slots: &[Slot]) {
        for group in &mut self.groups {
            let mut concerned = Vec::new();
            let terms = self.dependent.terms(&group.settings);
            for slot in slots {
                let Some(entry) = self.table.get(*slot) else {
                    continue;
                };
                let marked = self.marks.in_changed.contains(*slot);
                if !marked && !terms.unsuppresses(view, &entry.key.nlri(), &entry.paths) {
                    concerned.push(*slot);
                }
            }
            concerned
                .into_iter()
                .for_each(|slot| group.judge_again(slot));
        }
        for several in &mut self.several {
            several.mark_all(slots.iter().copied());
        }
    }

    /// Other aggregates are configured.
    pub(super) fn set_aggregates(&mut self, cx: &mut Cx<'_>, specs: Vec<(K, Aggregate)>) {
        let mut out = Vec::new();
        let table = &self.table;
        let key_of = |slot| table.get(slot).map(|entry| &entry.key);
        if self.dependent.set_aggregates(specs, key_of, &mut out) {
            out.push(Consequence::Everybody(self.look_at_all(cx.view())));
        }
        self.marks.follow = !self.dependent.is_empty();
        for consequence in out {
            self.take_in(cx, consequence);
        }
    }

    /// Follows what those who are told, and one more, make depend on other routes.
    fn follow_settings(&mut self, view: View<'_>, more: Option<&GroupSettings>) {
        let groups = self.groups.iter().map(|group| &group.settings);
        let several = self.several.iter().map(|several| &several.settings);
        if self.dependent.follow(groups.chain(several).chain(more)) {
            self.look_at_all(view);
            self.dependent.begin();
        }
        self.marks.follow = !self.dependent.is_empty();
    }

    /// Walks the table for what is new to follow; prefixes for which an aggregate stands now and did
    /// not, or the other way around.
    fn look_at_all(&mut self, view: View<'_>) -> Vec<Slot> {
        let table = self.table.iter();
        let looked = table.filter(|(slot, entry)| self.dependent.look(view, *slot, entry));
        looked.map(|(slot, _)| slot).collect()
    }

    /// True while peers are still to hear of something.
    pub(super) fn has_changes(&self) -> bool {
        !self.marks.changed.is_empty()
            || !self.marks.depended.is_empty()
            || !self.dependent.is_settled()
            || self.groups.iter().any(Group::has_to_judge)
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

    /// Tells all best paths again to those who forward.
    pub(super) fn repeat(&mut self) {
        let used = self
            .table
            .iter()
            .filter(|(_, entry)| entry.paths.best().is_some());
        for (slot, _) in used.filter(|_| self.marks.track) {
            if self.marks.in_installs.insert(slot) {
                self.marks.installs.push_back(slot);
            }
        }
    }

    /// Gives back memory of queues that were long.
    pub(super) fn shrink(&mut self) {
        self.marks.changed.shrink_to_fit();
        self.marks.installs.shrink_to_fit();
        self.marks.depended.shrink_to_fit();
        self.table.shrink();
    }

    /// [`Best::next_best`] is of use: packets are forwarded to next hops, not to MAC addresses.
    fn follows(&self) -> bool {
        self.marks.track && self.family != Family::Evpn
    }

    fn emit_best(&mut self, cx: &Cx<'_>, outputs: &mut VecDeque<Output>) -> bool {
        let follow = self.follows();
        let count = self.marks.installs.len().min(SLICE);
        let slots: Vec<Slot> = self.marks.installs.drain(..count).collect();
        for slot in slots {
            self.marks.in_installs.remove(slot);
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
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
        count > 0
    }

    /// Gives a slot back once nothing refers to it.
    fn reap(&mut self, slot: Slot) {
        let empty = self
            .table
            .get(slot)
            .is_some_and(|entry| entry.paths.is_empty());
        let awaited = self.marks.in_changed.contains(slot)
            || self.marks.in_depended.contains(slot)
            || self.marks.in_installs.contains(slot)
            || self.groups.iter().any(|group| group.refers_to(slot))
            || self.several.iter().any(|peer| peer.refers_to(slot));
        if empty && !awaited {
            self.table.remove(slot);
            self.marked.remove(slot);
        }
    }

    /// Starts telling a peer everything.
    pub(super) fn join(
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

    /// Slots of what is in use.
    fn in_use(&self) -> Vec<Slot> {
        let used = self.table.iter();
        let used = used.filter(|(_, entry)| entry.paths.best().is_some());
        used.map(|(slot, _)| slot).collect()
    }

    /// The slot of the default route, made if nobody has sent one: a peer may be told one all the
    /// same.
    fn default_slot(&mut self) -> Option<Slot> {
        K::default_route().map(|key| self.table.find_or_insert(&key))
    }

    /// Forgets a peer's place among the groups.
    pub(super) fn leave(&mut self, view: View<'_>, peer: PeerId) {
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
    pub(super) fn refresh(&mut self, peer: PeerId, bracketed: bool) {
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
    pub(super) fn regroup(
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
            true => group.take(peer),
            false => None,
        });
        let Some(lag) = lag else { return };
        self.groups.retain(|group| !group.is_empty());
        let mut all = self.in_use();
        all.extend(self.default_slot());
        let (told, dump) = lag.into_told();
        let mut several = Several::new(peer, new, how, dump, all);
        several.take_over(&told, &self.table);
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
        let mut differing = super::group::differing(cx.view(), known, &old, &new);
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
                self.groups.push(Group::new(settings));
                self.groups.len() - 1
            }
        };
        // Pushed or found just above.
        #[allow(clippy::indexing_slicing)]
        &mut self.groups[at]
    }

    /// The decision's reasons for one prefix, by position in its paths.
    pub(super) fn reasons(&self, view: View<'_>, paths: &Paths) -> Vec<Option<Step>> {
        let mut steps = vec![None; paths.as_slice().len()];
        let options = view.config.options(self.family);
        decision::choose(
            paths.as_slice(),
            |peer| view.source(peer),
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

/// The path as a last resort: marked with LLGR_STALE, beside what was received.
fn last_resort(interner: &mut super::interner::Interner, seed: u64, path: Path) -> Path {
    let mut set = path.attributes.thaw();
    set.communities.push(Community::LLGR_STALE);
    let received = Arc::clone(path.received());
    let marked = set.freeze_with(seed).with_source(received);
    Path {
        attributes: interner.intern(Arc::new(marked)),
        ..path
    }
}

/// Import with the result interned.
fn judge(
    interner: &mut super::interner::Interner,
    view: View<'_>,
    from: (&PeerFacts, &PeerFamily),
    nlri: &Nlri,
    received: &Arc<Attributes>,
) -> (Arc<Attributes>, Standing) {
    match import(view, from, nlri, received, None) {
        Ok(attributes) if Arc::ptr_eq(&attributes, received) => (attributes, Standing::Valid),
        Ok(attributes) => (interner.intern(attributes), Standing::Valid),
        Err(rejection) if rejection.is_loop() => (Arc::clone(received), Standing::Looped),
        Err(_) => (Arc::clone(received), Standing::Rejected),
    }
}

impl Marks {
    /// Remembers a slot for those who are to be told.
    fn note(&mut self, noted: Option<(Slot, Moved)>) {
        let Some((slot, moved)) = noted else { return };
        if moved.best && self.in_changed.insert(slot) {
            self.news.count(moved.replaced);
            self.changed.push_back((slot, moved.old));
        }
        if self.follow && moved.best && self.in_depended.insert(slot) {
            self.depended.push_back(slot);
        }
        if self.track && moved.forwarding && self.in_installs.insert(slot) {
            self.installs.push_back(slot);
        }
    }
}
