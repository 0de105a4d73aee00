//! Peers that are served by themselves: those that are told several paths of a prefix (RFC 7911),
//! and those that are told no more than so many prefixes.
//!
//! What such a peer holds is not one bit a prefix: each path has an identifier, by which it is
//! replaced and withdrawn. So there is a list for each prefix: whose path was told, under which
//! identifier, and a hash of what was said of it. A prefix in which anything changed is looked at
//! when the peer can take more; what is new or reads otherwise goes out, and what is no longer to
//! be told is withdrawn. An identifier is the smallest one that is free in its prefix, and stays
//! with its path for as long as that is told.
//!
//! Under a limit ([`super::ceiling`]) all that is marked is first held against it, and only then is
//! anything said: withdrawals before the rest, so that the peer never holds more than allowed.
//!
//! Nothing is shared between peers here: each is served by itself, in slices. For a table of many
//! paths and many such peers that is dearer than the groups ([`super::group`]), which tell one path.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::batch::{Batch, BatchBuilder};
use super::ceiling::Ceiling;
use super::decision;
use super::dependent::{Dependent, Terms};
use super::dump::{After, Dump};
use super::export::GroupSettings;
use super::family::{Key, Wait};
use super::path::{Path, PeerId};
use super::peer::PathsSent;
use super::slots::SlotSet;
use super::table::{Entry, Table};
use super::{Cx, Output, View};
use crate::asn::Asn;
use crate::attributes::Outgoing;
use crate::nlri::PathId;
use crate::packed::Slot;
use crate::policy::Difference;

/// Prefixes served at a time.
const SLICE: usize = 1024;

/// What is told of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Several paths, each under an identifier.
    Several(PathsSent),
    /// The best path, under none.
    Best,
}

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
pub(super) struct Several<K> {
    pub(super) peer: PeerId,
    pub(super) settings: GroupSettings,
    extent: Extent,
    ceiling: Option<Ceiling<K>>,
    /// What the owner was told last: that there is no room for all.
    full: bool,
    told: HashMap<Slot, Vec<Told>, FixedState>,
    paths: usize,
    dirty: SlotSet,
    /// Of what was marked, and held against a limit, what goes and what is to be looked at.
    leaving: SlotSet,
    due: SlotSet,
    /// Of these everything is said again, whatever the peer holds.
    repeated: SlotSet,
    dump: Dump,
}

impl<K: Key> Several<K> {
    pub(super) fn new(
        peer: PeerId,
        settings: GroupSettings,
        (extent, most): (Extent, Option<NonZeroU32>),
        dump: Dump,
        all: impl IntoIterator<Item = Slot>,
    ) -> Self {
        let mut it = Self {
            peer,
            settings,
            extent,
            ceiling: most.map(Ceiling::new),
            full: false,
            told: HashMap::default(),
            paths: 0,
            dirty: SlotSet::default(),
            leaving: SlotSet::default(),
            due: SlotSet::default(),
            repeated: SlotSet::default(),
            dump,
        };
        it.mark_all(all);
        it
    }

    /// Takes over what a peer has been told that was in a group: it is told again as far as it is
    /// still true, and else withdrawn. In `default` a default route of our own may have been told,
    /// whoever sent the table's best one.
    pub(super) fn take_over(&mut self, told: &SlotSet, default: Option<Slot>, table: &Table<K>) {
        for slot in told.iter() {
            let best = table.get(slot).and_then(|entry| entry.paths.best());
            let best = best.filter(|_| Some(slot) != default);
            let whose = best.map_or((PeerId::LOCAL, 0), |best| (best.peer, best.path_id));
            // What it sent itself was never said.
            if whose.0 != self.peer {
                let told = Told {
                    origin: whose.0,
                    received: whose.1,
                    id: 0,
                    hash: 0,
                };
                self.told.insert(slot, vec![told]);
                self.paths += 1;
            }
            self.mark(slot);
        }
    }

    /// What a group needs to go on with the peer: what it was told, and the marks still to be sent.
    pub(super) fn into_told(self) -> (SlotSet, Dump) {
        let mut told = SlotSet::default();
        self.told.keys().for_each(|slot| {
            told.insert(*slot);
        });
        (told, self.dump)
    }

    /// The limit, and how many prefixes find no room below it.
    pub(super) fn beyond(&self) -> Option<(NonZeroU32, usize)> {
        let ceiling = self.ceiling.as_ref()?;
        Some((ceiling.most(), ceiling.beyond()))
    }

    /// The limit, if the prefix finds no room below it.
    pub(super) fn withholds(&self, key: &K) -> Option<NonZeroU32> {
        let ceiling = self.ceiling.as_ref()?;
        (!ceiling.tells(key)).then(|| ceiling.most())
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
        (extent, most): (Extent, Option<NonZeroU32>),
        all: impl IntoIterator<Item = Slot>,
    ) {
        (self.settings, self.extent) = (settings, extent);
        if self.ceiling.as_ref().map(Ceiling::most) != most {
            self.ceiling = most.map(Ceiling::new);
        }
        let told: Vec<Slot> = self.told.keys().copied().collect();
        self.mark_all(told);
        self.mark_all(all);
    }

    /// Of which routes the peer may be told something else under these settings, if it is told as
    /// many paths and prefixes.
    pub(super) fn differing(
        &self,
        settings: &GroupSettings,
        (extent, most): (Extent, Option<NonZeroU32>),
    ) -> Difference {
        let same = self.extent == extent && self.ceiling.as_ref().map(Ceiling::most) == most;
        match same && settings.default_originate.is_none() {
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
        let marked = [&self.dirty, &self.leaving, &self.due];
        self.told.contains_key(&slot) || marked.iter().any(|it| it.contains(slot))
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
        !self.is_marked() && self.dump.is_over()
    }

    /// True while prefixes are to be looked at.
    fn is_marked(&self) -> bool {
        let marked = [&self.dirty, &self.leaving, &self.due];
        marked.iter().any(|it| !it.is_empty())
    }

    /// Memory that what was told and is to be told takes.
    pub(super) fn octets(&self) -> usize {
        let lists = self.told.capacity() * (size_of::<(Slot, Vec<Told>)>() + 1);
        let sets = [&self.dirty, &self.leaving, &self.due, &self.repeated];
        let sets: usize = sets.iter().map(|it| it.octets()).sum();
        let sets = sets + self.ceiling.as_ref().map_or(0, Ceiling::octets);
        lists + self.paths * size_of::<Told>() + sets
    }

    /// Serves a slice if the peer can take it; the prefixes it was told of. While anything waits to be
    /// forwarded the end of all is not said.
    pub(super) fn catch_up(
        &mut self,
        cx: &mut Cx<'_>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        wait: &mut Option<Wait<'_>>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Vec<Slot>> {
        let family = self.settings.family;
        if self.dirty.is_empty()
            && let Some(reached) = self.news_of_limit()
        {
            outputs.push_back(Output::LimitOut {
                peer: self.peer,
                family,
                reached,
            });
            return Some(Vec::new());
        }
        let waits = |wait: &Option<Wait<'_>>| wait.as_ref().is_some_and(|it| !it.is_idle());
        let nothing = self.is_settled() || waits(wait) && !self.is_marked();
        if nothing || !cx.peers.can_take(self.peer) {
            return None;
        }
        if let Some(mark) = self.dump.take_opening(family) {
            cx.send(self.peer, Arc::new(mark), outputs);
        }
        let view = cx.view();
        if self.ceiling.is_some() && !self.dirty.is_empty() {
            return Some(self.hold_against_limit(view, (table, dependent), wait));
        }
        let mut slots = match (self.leaving.is_empty(), self.due.is_empty()) {
            (false, _) => self.leaving.take(SLICE),
            (true, false) => self.due.take(SLICE),
            (true, true) => self.dirty.take(SLICE),
        };
        if let Some(wait) = wait {
            slots.retain(|slot| !wait.keeps_alone(table, *slot));
        }
        let mut said = Said::new(cx.view());
        for slot in &slots {
            self.compare(&mut said, (table, dependent), *slot);
        }
        for batch in said.encode(self) {
            cx.send(self.peer, Arc::new(batch), outputs);
        }
        if !self.is_marked() && !waits(wait) {
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

    /// Holds a slice of what is marked against the limit; the prefixes, if nothing is to be said of
    /// them. What may be told is found out a second time when it is said: nothing is kept, since
    /// under a limit there is much that is never said.
    fn hold_against_limit(
        &mut self,
        view: View<'_>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        wait: &mut Option<Wait<'_>>,
    ) -> Vec<Slot> {
        let mut slots = self.dirty.take(SLICE);
        if let Some(wait) = wait {
            slots.retain(|slot| !wait.keeps_alone(table, *slot));
        }
        let terms = dependent.terms(&self.settings);
        let mut moved = Vec::new();
        for slot in &slots {
            let Some(entry) = table.get(*slot) else {
                continue;
            };
            let told = self.to_tell(view, &terms, *slot, entry);
            let learned = told.first().map(|(origin, _, _)| *origin != PeerId::LOCAL);
            if let Some(ceiling) = &mut self.ceiling {
                moved.extend(ceiling.see(&entry.key, *slot, learned));
            }
        }
        drop(terms);
        let (mut nothing, held) = (Vec::new(), &self.told);
        for slot in moved.into_iter().chain(slots) {
            let key = table.get(slot).map(|entry| &entry.key);
            let ceiling = self.ceiling.as_ref();
            let tells = key.zip(ceiling).is_some_and(|(key, it)| it.tells(key));
            match (tells, held.contains_key(&slot)) {
                (true, _) => {
                    self.leaving.remove(slot);
                    self.due.insert(slot);
                }
                (false, true) => {
                    self.due.remove(slot);
                    self.leaving.insert(slot);
                }
                (false, false) => {
                    self.due.remove(slot);
                    self.leaving.remove(slot);
                    self.repeated.remove(slot);
                    nothing.push(slot);
                }
            }
        }
        nothing
    }

    /// Whether there is room for all, if that is news.
    fn news_of_limit(&mut self) -> Option<bool> {
        let full = self.beyond().is_some_and(|(_, beyond)| beyond > 0);
        (std::mem::replace(&mut self.full, full) != full).then_some(full)
    }

    /// What differs between what the peer holds of a prefix and what it is to hold.
    fn compare(
        &mut self,
        said: &mut Said<'_, K>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        slot: Slot,
    ) {
        let again = self.repeated.remove(slot);
        let before = self.told.remove(&slot).unwrap_or_default();
        self.paths -= before.len();
        let Some(entry) = table.get(slot) else { return };
        let mut after = Vec::new();
        let mut free = FreeIds::beside(&before);
        let to_tell = match self.withholds(&entry.key) {
            Some(_) => Vec::new(),
            None => {
                let terms = dependent.terms(&self.settings);
                self.to_tell(said.view, &terms, slot, entry)
            }
        };
        let identified = self.settings.add_path;
        for (origin, received, outgoing) in to_tell {
            let hash = said.hash(&outgoing);
            let known = find(&before, (origin, received));
            let id = match identified {
                true => known.map_or_else(|| free.take(), |told| told.id),
                false => 0,
            };
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
        // Without identifiers what is told takes the place of what was.
        let replaced = !identified && !after.is_empty();
        let kept = |told: &Told| replaced || find(&after, told.whose()).is_some();
        let gone = before.iter().filter(|told| !kept(told));
        said.gone
            .extend(gone.map(|told| (told.id, entry.key.clone())));
        self.paths += after.len();
        if !after.is_empty() {
            self.told.insert(slot, after);
        }
    }

    /// What is to be told of a prefix: whose path, and how it reads.
    fn to_tell(
        &self,
        view: View<'_>,
        terms: &Terms<'_, K>,
        slot: Slot,
        entry: &Entry<K>,
    ) -> Vec<(PeerId, PathId, Outgoing)> {
        let settings = &self.settings;
        if let Some(changed) = terms.default(&entry.key) {
            let source = view.source(PeerId::LOCAL);
            let own = settings.default_route(source, changed).ok();
            return own.map(|it| (PeerId::LOCAL, 0, it)).into_iter().collect();
        }
        if terms.withholds(view, slot, entry).is_some() {
            return Vec::new();
        }
        let nlri = entry.key.nlri();
        let told = |path: Path| {
            // Whoever is told several paths counts for itself.
            let source = (view.source(path.peer), None);
            let outgoing = settings.export(&nlri, &path, source, None);
            Some((path.peer, path.path_id, outgoing.ok()?))
        };
        let paths = self.candidates(view, entry).into_iter();
        paths.filter_map(told).collect()
    }

    /// The paths of a prefix that policy is asked about, best first where they are counted.
    fn candidates(&self, view: View<'_>, entry: &Entry<K>) -> Vec<Path> {
        let Extent::Several(count) = self.extent else {
            let best = entry.paths.best().filter(|best| best.peer != self.peer);
            return best.into_iter().cloned().collect();
        };
        let paths = entry.paths.as_slice().iter();
        let others = paths.filter(|path| path.standing.takes_part() && path.peer != self.peer);
        let mut left: Vec<Path> = others.cloned().collect();
        let most = match count {
            PathsSent::All => return left,
            PathsSent::Best(count) => usize::from(count.get()),
            PathsSent::BestPerAs => usize::MAX,
        };
        let options = decision::Options {
            rules: view.config.rules,
            ..decision::Options::default()
        };
        let mut chosen: Vec<Path> = Vec::new();
        while chosen.len() < most
            && let Some(best) =
                decision::choose(&left, |peer| view.sender(peer), options, |_, _| {}).best
        {
            let best = left.swap_remove(best);
            let first_as = best.attributes.first_as();
            if count == PathsSent::BestPerAs && first_as != Asn(0) {
                left.retain(|path| path.attributes.first_as() != first_as);
            }
            chosen.push(best);
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
    fn encode(self, peer: &mut Several<K>) -> Vec<Batch> {
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
