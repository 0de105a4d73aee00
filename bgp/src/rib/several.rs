//! Peers that are told several paths of a prefix (RFC 7911).
//!
//! What such a peer holds is not one bit a prefix: each path has an identifier, by which it is
//! replaced and withdrawn. So there is a list for each prefix: whose path was told, under which
//! identifier, and a hash of what was said of it. A prefix in which anything changed is looked at
//! when the peer can take more; what is new or reads otherwise goes out, and what is no longer to
//! be told is withdrawn. An identifier is the smallest one that is free in its prefix, and stays
//! with its path for as long as that is told.
//!
//! Nothing is shared between peers here: each is served by itself, in slices. For a table of many
//! paths and many such peers that is dearer than the groups ([`super::group`]), which tell one path.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::batch::{Batch, BatchBuilder};
use super::decision;
use super::dump::{After, Dump};
use super::export::GroupSettings;
use super::family::Key;
use super::path::{Path, PeerId};
use super::peer::PathsSent;
use super::slots::{Slot, SlotSet};
use super::table::{Entry, Table};
use super::{Cx, Output, View};
use crate::attributes::Outgoing;
use crate::nlri::PathId;
use crate::policy::Difference;

/// Prefixes served at a time.
const SLICE: usize = 1024;

/// A path that the peer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Whose path it is, with the identifier that it came with.
    pub(super) origin: PeerId,
    pub(super) received: PathId,
    /// The identifier it was told under.
    pub(super) id: PathId,
    /// Of what was said.
    hash: u64,
}

impl Told {
    /// Which path it is: lists are in this order, so that a prefix with thousands of paths is
    /// compared in a walk.
    pub(super) fn whose(&self) -> (PeerId, PathId) {
        (self.origin, self.received)
    }
}

/// One such peer.
#[derive(Debug)]
pub(super) struct Several {
    pub(super) peer: PeerId,
    pub(super) settings: GroupSettings,
    count: PathsSent,
    told: HashMap<Slot, Vec<Told>, FixedState>,
    paths: usize,
    dirty: SlotSet,
    /// Of these everything is said again, whatever the peer holds.
    repeated: SlotSet,
    dump: Dump,
}

impl Several {
    pub(super) fn new(
        peer: PeerId,
        settings: GroupSettings,
        count: PathsSent,
        all: impl IntoIterator<Item = Slot>,
    ) -> Self {
        let mut it = Self {
            peer,
            settings,
            count,
            told: HashMap::default(),
            paths: 0,
            dirty: SlotSet::default(),
            repeated: SlotSet::default(),
            dump: Dump::new(After::EndOfRib),
        };
        it.mark_all(all);
        it
    }

    /// A path of the prefix changed, came or went.
    pub(super) fn mark(&mut self, slot: Slot) {
        self.dirty.insert(slot);
    }

    pub(super) fn mark_all(&mut self, slots: impl IntoIterator<Item = Slot>) {
        slots.into_iter().for_each(|slot| self.mark(slot));
    }

    /// Other settings: everything is judged again, and only what reads otherwise is said.
    pub(super) fn reset(
        &mut self,
        settings: GroupSettings,
        count: PathsSent,
        all: impl IntoIterator<Item = Slot>,
    ) {
        (self.settings, self.count) = (settings, count);
        let told: Vec<Slot> = self.told.keys().copied().collect();
        self.mark_all(told);
        self.mark_all(all);
    }

    /// Of which routes the peer may be told something else under these settings, if it is told as
    /// many paths.
    pub(super) fn differing(&self, settings: &GroupSettings, count: PathsSent) -> Difference {
        match self.count == count && !settings.default_originate {
            true => self.settings.differing(settings),
            false => Difference::everywhere(),
        }
    }

    /// Other settings, which make a difference to these prefixes alone.
    pub(super) fn judge_again(
        &mut self,
        settings: GroupSettings,
        concerned: impl IntoIterator<Item = Slot>,
    ) {
        self.settings = settings;
        self.mark_all(concerned);
    }

    /// Says everything again.
    pub(super) fn repeat(&mut self, all: &[Slot], after: After) {
        if self.dump.repeat(after) {
            self.say_again(all.iter().copied());
        }
    }

    fn say_again(&mut self, slots: impl IntoIterator<Item = Slot>) {
        for slot in slots {
            self.dirty.insert(slot);
            self.repeated.insert(slot);
        }
    }

    pub(super) fn refers_to(&self, slot: Slot) -> bool {
        self.told.contains_key(&slot) || self.dirty.contains(slot)
    }

    /// The paths of a prefix that the peer holds.
    pub(super) fn told(&self, slot: Slot) -> &[Told] {
        self.told.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Prefixes of which the peer holds a path.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.told.keys().copied()
    }

    /// How many paths the peer holds.
    pub(super) fn paths(&self) -> usize {
        self.paths
    }

    /// True when the peer has been told everything.
    pub(super) fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.dump.is_over()
    }

    /// Memory that what was told and is to be told takes.
    pub(super) fn octets(&self) -> usize {
        let lists = self.told.capacity() * (size_of::<(Slot, Vec<Told>)>() + 1);
        let sets = self.dirty.octets() + self.repeated.octets();
        lists + self.paths * size_of::<Told>() + sets
    }

    /// Serves a slice if the peer can take it; the prefixes it was told of.
    pub(super) fn catch_up<K: Key>(
        &mut self,
        cx: &mut Cx<'_>,
        table: &Table<K>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Vec<Slot>> {
        if self.is_settled() || !cx.peers.can_take(self.peer) {
            return None;
        }
        let family = self.settings.family;
        if let Some(mark) = self.dump.take_opening(family) {
            cx.send(self.peer, Arc::new(mark), outputs);
        }
        let slots = self.dirty.take(SLICE);
        let mut said = Said::new(cx.view());
        for slot in &slots {
            self.compare(&mut said, table, *slot);
        }
        for batch in said.encode(self) {
            cx.send(self.peer, Arc::new(batch), outputs);
        }
        if self.dirty.is_empty() {
            let (mark, again) = self.dump.take_closing(family);
            if let Some(mark) = mark {
                cx.send(self.peer, Arc::new(mark), outputs);
            }
            if again {
                let held: Vec<Slot> = self.slots().collect();
                self.say_again(held);
            }
        }
        Some(slots)
    }

    /// What differs between what the peer holds of a prefix and what it is to hold.
    fn compare<K: Key>(&mut self, said: &mut Said<'_, K>, table: &Table<K>, slot: Slot) {
        let again = self.repeated.remove(slot);
        let before = self.told.remove(&slot).unwrap_or_default();
        self.paths -= before.len();
        let Some(entry) = table.get(slot) else { return };
        let mut after = Vec::new();
        let mut free = FreeIds::beside(&before);
        for (origin, received, outgoing) in self.to_tell(said.view, entry) {
            let hash = said.hash(&outgoing);
            let known = find(&before, (origin, received));
            let id = known.map_or_else(|| free.take(), |told| told.id);
            if again || known.is_none_or(|told| told.hash != hash) {
                said.announce(outgoing, hash, slot, (id, entry.key.clone()));
            }
            after.push(Told {
                origin,
                received,
                id,
                hash,
            });
        }
        after.sort_unstable_by_key(Told::whose);
        let kept = |told: &Told| find(&after, told.whose()).is_some();
        let gone = before.iter().filter(|told| !kept(told));
        said.gone
            .extend(gone.map(|told| (told.id, entry.key.clone())));
        self.paths += after.len();
        if !after.is_empty() {
            self.told.insert(slot, after);
        }
    }

    /// What is to be told of a prefix: whose path, and how it reads.
    fn to_tell<K: Key>(
        &self,
        view: View<'_>,
        entry: &Entry<K>,
    ) -> Vec<(PeerId, PathId, Outgoing)> {
        let settings = &self.settings;
        if settings.originates(&entry.key) {
            let own = settings.default_route(view.source(PeerId::LOCAL)).ok();
            return own.map(|it| (PeerId::LOCAL, 0, it)).into_iter().collect();
        }
        let nlri = entry.key.nlri();
        let told = |path: Path| {
            let outgoing = settings.export(&nlri, &path, view.source(path.peer), None);
            Some((path.peer, path.path_id, outgoing.ok()?))
        };
        let paths = self.candidates(view, entry).into_iter();
        paths.filter_map(told).collect()
    }

    /// The paths of a prefix that policy is asked about, best first where they are counted.
    fn candidates<K>(&self, view: View<'_>, entry: &Entry<K>) -> Vec<Path> {
        let paths = entry.paths.as_slice().iter();
        let others = paths.filter(|path| path.standing.takes_part() && path.peer != self.peer);
        let mut left: Vec<Path> = others.cloned().collect();
        let PathsSent::Best(count) = self.count else {
            return left;
        };
        let options = decision::Options {
            rules: view.config.rules,
            ..decision::Options::default()
        };
        let mut chosen = Vec::new();
        while chosen.len() < usize::from(count.get())
            && let Some(best) =
                decision::choose(&left, |peer| view.source(peer), options, |_, _| {}).best
        {
            chosen.push(left.swap_remove(best));
        }
        chosen
    }

    /// A path that does not fit a message is not told.
    fn forget(&mut self, slot: Slot, id: PathId) {
        let Some(list) = self.told.get_mut(&slot) else {
            return;
        };
        let before = list.len();
        list.retain(|told| told.id != id);
        self.paths -= before - list.len();
        if list.is_empty() {
            self.told.remove(&slot);
        }
    }
}

/// What was told of a path.
fn find(list: &[Told], whose: (PeerId, PathId)) -> Option<&Told> {
    let at = list.binary_search_by_key(&whose, Told::whose).ok()?;
    list.get(at)
}

/// Identifiers that are free in a prefix, in ascending order. Also not one that is given up just
/// now: its withdrawal stands in the same messages.
struct FreeIds<'a> {
    before: &'a [Told],
    /// Those of `before` in descending order; made for the first path that is new.
    taken: Option<Vec<PathId>>,
    next: PathId,
}

impl<'a> FreeIds<'a> {
    fn beside(before: &'a [Told]) -> Self {
        Self {
            before,
            taken: None,
            next: 1,
        }
    }

    fn take(&mut self) -> PathId {
        let taken = self.taken.get_or_insert_with(|| {
            let mut ids: Vec<PathId> = self.before.iter().map(|told| told.id).collect();
            ids.sort_unstable_by(|one, other| other.cmp(one));
            ids
        });
        while taken.pop_if(|id| *id == self.next).is_some() {
            self.next += 1;
        }
        let id = self.next;
        self.next += 1;
        id
    }
}

/// Paths that leave with the same attributes.
struct Alike<K> {
    attributes: Outgoing,
    slots: Vec<Slot>,
    keys: Vec<(PathId, K)>,
}

/// What is to be said to one peer.
struct Said<'a, K> {
    view: View<'a>,
    hasher: FixedState,
    alike: Vec<Alike<K>>,
    by_hash: HashMap<u64, usize, FixedState>,
    gone: Vec<(PathId, K)>,
}

impl<'a, K: Key> Said<'a, K> {
    fn new(view: View<'a>) -> Self {
        Self {
            view,
            hasher: FixedState::with_seed(view.config.seed),
            alike: Vec::new(),
            by_hash: HashMap::default(),
            gone: Vec::new(),
        }
    }

    fn hash(&self, outgoing: &Outgoing) -> u64 {
        self.hasher.hash_one(outgoing)
    }

    fn announce(&mut self, attributes: Outgoing, hash: u64, slot: Slot, key: (PathId, K)) {
        let known = self.by_hash.get(&hash).copied();
        let known = known.and_then(|at| self.alike.get_mut(at));
        if let Some(alike) = known.filter(|it| it.attributes == attributes) {
            alike.slots.push(slot);
            alike.keys.push(key);
            return;
        }
        self.by_hash.insert(hash, self.alike.len());
        self.alike.push(Alike {
            attributes,
            slots: vec![slot],
            keys: vec![key],
        });
    }

    /// Withdrawals first. What does not fit a message is withdrawn instead of announced.
    fn encode(self, peer: &mut Several) -> Vec<Batch> {
        let context = peer.settings.encode_context();
        let mut builder = BatchBuilder::default();
        let mut batches = Vec::new();
        let mut gone = self.gone;
        let mut unfit = Vec::new();
        if !gone.is_empty() {
            let messages = K::encode_withdraw(&gone, &context, &mut builder.bytes);
            builder.close_span(messages, None);
        }
        gone.clear();
        for alike in self.alike {
            let (keys, attributes) = (&alike.keys, &alike.attributes);
            match K::encode_announce(keys, attributes, &context, &mut builder.bytes) {
                Ok(messages) => builder.close_span(messages, None),
                Err(_) => unfit.push(alike),
            }
            if builder.is_full() {
                batches.extend(builder.take());
            }
        }
        for alike in unfit {
            for (slot, (id, key)) in alike.slots.into_iter().zip(alike.keys) {
                peer.forget(slot, id);
                gone.push((id, key));
            }
        }
        if !gone.is_empty() {
            let messages = K::encode_withdraw(&gone, &context, &mut builder.bytes);
            builder.close_span(messages, None);
        }
        batches.extend(builder.take());
        batches
    }
}
