//! The routes of one family: what peers sent, what is best, what is still to be told.
//!
//! A change touches the table at once and leaves a mark on its slot; telling the kernel's side
//! ([`Output::Best`]) and the update groups happens later from the marks, so a prefix that
//! changes ten times in a burst is told once.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;

use super::change::{
    Before, ByPeer, Moved, decide, followed, forwarding, in_use, next_best, put, remove, replace,
};
use super::decision::{self, Step};
use super::dump::After;
use super::export::GroupSettings;
use super::group::Group;
use super::import::import;
use super::next_hops;
use super::path::{Path, Paths, PeerId, Spare, Standing};
use super::several::Several;
use super::slots::{Slot, SlotSet};
use super::table::{TOGETHER, Table};
use super::{Best, Config, Cx, Output, PeerFacts, PeerFamily, View};
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
    pub(super) several: Vec<Several>,
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

    /// Routes this router originates.
    pub(super) fn originate(&mut self, cx: &mut Cx<'_>, key: K, attributes: Arc<Attributes>) {
        let attributes = cx.interner.intern(attributes);
        let path = Path {
            attributes,
            path_id: 0,
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
        let mut exporters: Vec<(&mut Group, GroupSettings)> = Vec::new();
        for group in &mut self.groups {
            if group.settings.export.validates() {
                let before = group.settings.clone();
                group.settings.export.validate_by(validation);
                exporters.push((group, before));
            }
        }
        let several = self.several.iter_mut();
        let mut several: Vec<&mut Several> = several
            .filter(|it| it.settings.export.validates())
            .collect();
        for it in &mut several {
            it.settings.export.validate_by(validation);
        }
        let nobody = importers.is_empty() && exporters.is_empty() && several.is_empty();
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
            let differing =
                super::group::differing_among(cx.view(), &before, &group.settings, entries);
            group.tell(&differing);
        }
        for it in several {
            it.mark_all(slots.iter().copied());
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
            if let Some(told) = group.catch_up(cx, &self.table, outputs) {
                for slot in told {
                    self.reap(slot);
                }
                return true;
            }
        }
        for at in 0..self.several.len() {
            let several = self.several.get_mut(at);
            if let Some(told) = several.and_then(|it| it.catch_up(cx, &self.table, outputs)) {
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
            group.advertise(cx, &self.table, &slice, outputs);
        }
        for (slot, _) in slice {
            self.reap(slot);
        }
        true
    }

    /// True while peers are still to hear of something.
    pub(super) fn has_changes(&self) -> bool {
        !self.marks.changed.is_empty()
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
        config: &Config,
        peer: PeerId,
        facts: &PeerFacts,
        settings: &PeerFamily,
    ) {
        let mut all = self.in_use();
        if settings.default_originate {
            all.extend(self.default_slot());
        }
        if let Some(count) = settings.add_path_send {
            let settings = GroupSettings::of(config, facts, self.family, settings);
            self.several.push(Several::new(peer, settings, count, all));
            return;
        }
        let group = self.group_of(config, facts, settings);
        group.join(peer, SlotSet::default(), all, After::EndOfRib);
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
    pub(super) fn leave(&mut self, peer: PeerId) {
        for group in &mut self.groups {
            group.leave(peer);
        }
        self.groups.retain(|group| !group.is_empty());
        self.several.retain(|several| several.peer != peer);
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
        if let Some(count) = settings.add_path_send {
            let known = self.several.iter_mut().find(|it| it.peer == peer);
            if let Some(several) = known
                && let mut differing = several.differing(&new, count)
                && !differing.is_everywhere()
            {
                let concerned = self.table.iter().filter(|(_, entry)| {
                    let mut paths = entry.paths.as_slice().iter();
                    paths
                        .any(|it| differing.concerns(|| entry.key.nlri(), || Some(&it.attributes)))
                });
                several.judge_again(new, concerned.map(|(slot, _)| slot));
                return;
            }
            let mut all = self.in_use();
            all.extend(new.default_originate.then(|| self.default_slot()).flatten());
            if let Some(several) = self.several.iter_mut().find(|it| it.peer == peer) {
                several.reset(new, count, all);
            }
            return;
        }
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
        let mut differing = super::group::differing(cx.view(), &self.table, &old, &new);
        if old.default_originate || new.default_originate {
            differing.extend(self.default_slot());
        }
        let group = self.group_of(cx.config, facts, settings);
        group.rejoin(peer, lag, differing);
    }

    fn group_of(
        &mut self,
        config: &Config,
        facts: &PeerFacts,
        settings: &PeerFamily,
    ) -> &mut Group {
        let settings = GroupSettings::of(config, facts, self.family, settings);
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
        if self.track && moved.forwarding && self.in_installs.insert(slot) {
            self.installs.push_back(slot);
        }
    }
}
