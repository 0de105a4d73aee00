//! Update groups: peers that are told the same are told once.
//!
//! A group decides and encodes one time; its members share the bytes. What the group has been
//! told is one bit per prefix, and no route is ever copied. A member that cannot take more leaves
//! the common pace: it gets its own sets of what it was told and what changed since, and is
//! served from the table whenever it can take a slice, until nothing is left and it falls in
//! again. A new peer, a route refresh and a change of policy are the same thing with other
//! starting sets.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::BytesMut;
use hashbrown::HashTable;

use super::batch::{Batch, BatchBuilder};
use super::decision;
use super::dependent::{Dependent, Terms};
use super::dump::{After, Dump};
use super::export::GroupSettings;
use super::family::{Key, Wait};
use super::path::{Path, PeerId};
use super::peer::DefaultOriginate;
use super::slots::SlotSet;
use super::table::{Entry, Table};
use super::{Cx, Output, View};
use crate::attributes::Outgoing;
use crate::packed::Slot;
use crate::policy::Answers;

/// Slots served to one lagging member at a time.
const SLICE: usize = 4096;

/// Routes encoded from one scratch list.
const RUN: usize = 4096;

/// A member that is not at the common pace.
#[derive(Debug)]
pub(super) struct Lag {
    peer: PeerId,
    /// As for the group: also what all but this peer would have been told, since it is its own.
    told: SlotSet,
    /// What stands in `told` only because the peer itself sent it.
    own: SlotSet,
    dirty: SlotSet,
    dump: Dump,
}

impl Lag {
    /// A peer that was served elsewhere.
    pub(super) fn new(peer: PeerId, told: SlotSet, dump: Dump) -> Self {
        Self {
            peer,
            told,
            own: SlotSet::default(),
            dirty: SlotSet::default(),
            dump,
        }
    }

    /// What it was told, and the marks still to be sent, for whoever serves it from now on.
    pub(super) fn into_told(self) -> (SlotSet, Dump) {
        (self.told, self.dump)
    }

    fn octets(&self) -> usize {
        self.told.octets() + self.own.octets() + self.dirty.octets()
    }
}

/// Peers with equal settings.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) settings: GroupSettings,
    /// What the members in step have been told; without meaning while there are none.
    told: SlotSet,
    members: Vec<PeerId>,
    lagging: Vec<Lag>,
    /// To be judged again for this group alone: what is held back for it has changed, and not the
    /// best path.
    again: SlotSet,
}

impl Group {
    pub(super) fn new(settings: GroupSettings) -> Self {
        Self {
            settings,
            told: SlotSet::default(),
            members: Vec::new(),
            lagging: Vec::new(),
            again: SlotSet::default(),
        }
    }

    /// Marks a prefix to be judged again for this group.
    pub(super) fn judge_again(&mut self, slot: Slot) {
        self.again.insert(slot);
    }

    /// Marks a prefix for those who are not at the common pace: the others know it.
    pub(super) fn tell_lagging(&mut self, slot: Slot) {
        for lag in &mut self.lagging {
            lag.dirty.insert(slot);
        }
    }

    /// True while prefixes are marked so.
    pub(super) fn has_to_judge(&self) -> bool {
        !self.again.is_empty()
    }

    /// Tells the members some of what was marked; the prefixes, if there were any.
    pub(super) fn say_again<K: Key>(
        &mut self,
        cx: &mut Cx<'_>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        wait: &mut Option<Wait<'_>>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Vec<Slot>> {
        if self.again.is_empty() {
            return None;
        }
        let slots = self.again.take(SLICE);
        // The best path is the one before: its sender need not hear that it is gone.
        let sender = |slot: &Slot| Some(table.get(*slot)?.paths.best()?.peer);
        let mut slice: Vec<(Slot, Option<PeerId>)> =
            slots.iter().map(|slot| (*slot, sender(slot))).collect();
        if let Some(wait) = wait {
            slice.retain(|(slot, sender)| !wait.keeps(table, *slot, *sender));
        }
        self.advertise(cx, (table, dependent), &slice, outputs);
        Some(slots)
    }

    /// Memory that what was told and is to be told takes.
    pub(super) fn octets(&self) -> usize {
        let lagging = self.lagging.iter().map(Lag::octets);
        self.told.octets() + self.again.octets() + lagging.sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.lagging.is_empty()
    }

    /// All members.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        let lagging = self.lagging.iter().map(|lag| lag.peer);
        self.members.iter().copied().chain(lagging)
    }

    /// A new member that has been told `told` and is to be told `dirty`.
    pub(super) fn join(
        &mut self,
        peer: PeerId,
        told: SlotSet,
        dirty: impl IntoIterator<Item = Slot>,
        after: After,
    ) {
        let mut lag = Lag::new(peer, told, Dump::new(after));
        dirty.into_iter().for_each(|slot| {
            lag.dirty.insert(slot);
        });
        self.lagging.push(lag);
    }

    /// A member of another group that is to be told what differs here.
    pub(super) fn rejoin(&mut self, mut lag: Lag, differing: Vec<Slot>) {
        for slot in differing {
            lag.dirty.insert(slot);
        }
        self.lagging.push(lag);
    }

    pub(super) fn leave(&mut self, peer: PeerId) {
        drop(self.take(peer));
    }

    /// Takes a member out with what it has been told.
    pub(super) fn take(&mut self, peer: PeerId) -> Option<Lag> {
        self.fall_behind(peer);
        let at = self.lagging.iter().position(|lag| lag.peer == peer)?;
        let mut lag = self.lagging.swap_remove(at);
        for slot in self.again.iter() {
            lag.dirty.insert(slot);
        }
        Some(lag)
    }

    /// A member leaves the common pace.
    fn fall_behind(&mut self, peer: PeerId) {
        let Some(at) = self.members.iter().position(|member| *member == peer) else {
            return;
        };
        self.members.swap_remove(at);
        let told = if self.members.is_empty() {
            std::mem::take(&mut self.told)
        } else {
            self.told.clone()
        };
        // Which of these the peer sent itself is not known any more; at worst it is told to forget
        // a route that it never heard of.
        self.join(peer, told, [], After::Nothing);
    }

    /// Tells all members of these prefixes, of which they were told something else.
    pub(super) fn tell(&mut self, slots: &[Slot]) {
        if slots.is_empty() {
            return;
        }
        for peer in self.members.clone() {
            self.fall_behind(peer);
        }
        for lag in &mut self.lagging {
            for slot in slots {
                lag.dirty.insert(*slot);
            }
        }
    }

    /// Tells a member `all` again.
    pub(super) fn repeat(&mut self, peer: PeerId, all: &[Slot], after: After) {
        self.fall_behind(peer);
        let Some(lag) = self.lagging.iter_mut().find(|lag| lag.peer == peer) else {
            return;
        };
        if lag.dump.repeat(after) {
            for slot in all {
                lag.dirty.insert(*slot);
            }
        }
    }

    /// True if a member still has to hear of the slot, or a lagging one was told of it.
    pub(super) fn refers_to(&self, slot: Slot) -> bool {
        (!self.members.is_empty() && self.told.contains(slot))
            || self.again.contains(slot)
            || self
                .lagging
                .iter()
                .any(|lag| lag.told.contains(slot) || lag.dirty.contains(slot))
    }

    /// True if the peer is a member, in step or not.
    pub(super) fn has(&self, peer: PeerId) -> bool {
        self.members.contains(&peer) || self.is_lagging(peer)
    }

    /// True if the peer was told of the slot.
    pub(super) fn told(&self, peer: PeerId, slot: Slot) -> Option<bool> {
        if self.members.contains(&peer) {
            return Some(self.told.contains(slot));
        }
        self.lagging
            .iter()
            .find(|lag| lag.peer == peer)
            .map(|lag| lag.told.contains(slot))
    }

    /// True while a member has something to catch up with.
    pub(super) fn is_lagging(&self, peer: PeerId) -> bool {
        self.lagging.iter().any(|lag| lag.peer == peer)
    }

    /// Number of prefixes a member has been told of.
    pub(super) fn told_count(&self, peer: PeerId) -> Option<usize> {
        if self.members.contains(&peer) {
            return Some(self.told.len());
        }
        self.lagging
            .iter()
            .find(|lag| lag.peer == peer)
            .map(|lag| lag.told.len())
    }

    /// Tells the members in step of changed slots and marks them for the others.
    pub(super) fn advertise<K: Key>(
        &mut self,
        cx: &mut Cx<'_>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        slice: &[(Slot, Option<PeerId>)],
        outputs: &mut VecDeque<Output>,
    ) {
        let slow: Vec<PeerId> = self
            .members
            .iter()
            .copied()
            .filter(|peer| !cx.peers.can_take(*peer))
            .collect();
        for peer in slow {
            self.fall_behind(peer);
        }
        for lag in &mut self.lagging {
            for (slot, _) in slice {
                lag.dirty.insert(*slot);
            }
        }
        if self.members.is_empty() || self.settings.tells_nothing() && self.told.is_empty() {
            return;
        }
        let terms = dependent.terms(&self.settings);
        let mut writer = Writer::new(cx.view(), table, (&self.settings, terms));
        // Members that were told of a prefix whose best path is now their own.
        let mut own: HashMap<PeerId, Vec<K>> = HashMap::new();
        // What they were told there may have been ours, whoever sent the table's best path: then its
        // sender holds it too.
        let ours = match &self.settings.default_originate {
            Some(DefaultOriginate::While(_)) => {
                K::default_route().and_then(|key| table.find(&key))
            }
            Some(DefaultOriginate::Always) | None => None,
        };
        for (slot, old) in slice {
            let old = old.filter(|_| Some(*slot) != ours);
            match writer.export(*slot) {
                Some((bucket, origin)) => {
                    let was_told = !self.told.insert(*slot);
                    if was_told && old != Some(origin) && self.members.contains(&origin) {
                        own.entry(origin).or_default().extend(writer.key(*slot));
                    }
                    writer.reach.push((bucket, *slot));
                }
                None if self.told.remove(*slot) => writer.unreach.push((old, *slot)),
                None => {}
            }
        }
        let members = &self.members;
        let mut batches = Vec::new();
        writer.write(&mut self.told, |batch| batches.push(Arc::new(batch)));
        let context = self.settings.encode_context();
        for batch in batches {
            for peer in members {
                cx.send(*peer, Arc::clone(&batch), outputs);
            }
        }
        for (peer, keys) in own {
            let mut bytes = BytesMut::new();
            let keys: Vec<_> = keys.into_iter().map(|key| (0, key)).collect();
            let messages = K::encode_withdraw(&keys, &context, &mut bytes);
            cx.send(
                peer,
                Arc::new(Batch::plain(bytes.freeze(), messages)),
                outputs,
            );
        }
    }

    /// Serves one slice to one lagging member that can take it; the slots it was told of. While
    /// anything waits to be forwarded it stays behind: the end of all comes after that.
    pub(super) fn catch_up<K: Key>(
        &mut self,
        cx: &mut Cx<'_>,
        (table, dependent): (&Table<K>, &Dependent<K>),
        wait: &mut Option<Wait<'_>>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Vec<Slot>> {
        let waits = wait.as_ref().is_some_and(|wait| !wait.is_idle());
        let at = self
            .lagging
            .iter()
            .position(|lag| cx.peers.can_take(lag.peer) && !(waits && lag.dirty.is_empty()))?;
        let lag = self.lagging.get_mut(at)?;
        let peer = lag.peer;
        let family = self.settings.family;
        if let Some(mark) = lag.dump.take_opening(family) {
            cx.send(peer, Arc::new(mark), outputs);
        }
        let mut slots = lag.dirty.take(SLICE);
        if let Some(wait) = wait {
            slots.retain(|slot| !wait.keeps_alone(table, *slot));
        }
        let terms = dependent.terms(&self.settings);
        let mut writer = Writer::new(cx.view(), table, (&self.settings, terms));
        for slot in &slots {
            let exported = writer.export(*slot);
            let was_own = lag.own.remove(*slot);
            let forget = match exported {
                Some((bucket, origin)) if origin != peer => {
                    lag.told.insert(*slot);
                    writer.reach.push((bucket, *slot));
                    false
                }
                Some(_) => {
                    lag.own.insert(*slot);
                    !lag.told.insert(*slot)
                }
                None => lag.told.remove(*slot),
            };
            if forget && !was_own {
                writer.unreach.push((None, *slot));
            }
        }
        let mut batches = Vec::new();
        writer.write(&mut lag.told, |batch| batches.push(batch));
        for batch in batches {
            cx.send(peer, Arc::new(batch), outputs);
        }
        let waits = wait.as_ref().is_some_and(|wait| !wait.is_idle());
        if lag.dirty.is_empty() && !waits {
            self.fall_in(at, cx, outputs);
        }
        Some(slots)
    }

    /// A member that has been told everything joins the common pace.
    fn fall_in(&mut self, at: usize, cx: &mut Cx<'_>, outputs: &mut VecDeque<Output>) {
        let family = self.settings.family;
        let mut lag = self.lagging.swap_remove(at);
        let (mark, again) = lag.dump.take_closing(family);
        if let Some(mark) = mark {
            cx.send(lag.peer, Arc::new(mark), outputs);
        }
        if again {
            lag.dirty = lag.told.clone();
            self.lagging.push(lag);
            return;
        }
        if self.members.is_empty() {
            self.told = lag.told;
        }
        self.members.push(lag.peer);
    }
}

/// Slots that two settings would tell differently.
pub(super) fn differing<K: Key>(
    view: View<'_>,
    (table, dependent): (&Table<K>, &Dependent<K>),
    old: &GroupSettings,
    new: &GroupSettings,
) -> Vec<Slot> {
    let mut differing = old.differing(new);
    let concerned = table.iter().filter(|(_, entry)| {
        let best = entry.paths.best();
        best.is_some_and(|best| differing.concerns(|| entry.key.nlri(), || Some(&best.attributes)))
    });
    differing_among(view, dependent, (old, new), concerned)
}

/// Those of these slots that two settings would tell differently.
pub(super) fn differing_among<'a, K: Key + 'a>(
    view: View<'_>,
    dependent: &Dependent<K>,
    (old, new): (&GroupSettings, &GroupSettings),
    entries: impl Iterator<Item = (Slot, &'a Entry<K>)>,
) -> Vec<Slot> {
    let terms = [old, new].map(|it| dependent.terms(it));
    let mut same: HashMap<(Source, Answers, Answers), bool> = HashMap::new();
    let mut slots = Vec::new();
    for (slot, entry) in entries {
        let Some(best) = entry.paths.best() else {
            continue;
        };
        let compare = || {
            let nlri = entry.key.nlri();
            let told = |it: &GroupSettings| {
                let source = (view.source(best.peer), it.together(&entry.paths));
                it.export(&nlri, best, source, None)
            };
            told(old) == told(new)
        };
        let held = |terms: &Terms<'_, K>| terms.withholds(view, slot, entry).is_some();
        match [held(&terms[0]), held(&terms[1])] {
            [true, true] => continue,
            [false, false] => {}
            [true, false] | [false, true] => {
                slots.push(slot);
                continue;
            }
        }
        let answers = |settings: &GroupSettings| of_key(settings, entry);
        let equal = match (answers(old), answers(new)) {
            (Some(one), Some(two)) => *same
                .entry((source_of(best), one, two))
                .or_insert_with(compare),
            _ => compare(),
        };
        if !equal {
            slots.push(slot);
        }
    }
    slots
}

/// Routes with equal exported attributes and one origin: they share messages.
struct Bucket {
    attributes: Outgoing,
    origin: PeerId,
}

/// Attributes of a table and who sent them: what policy depends on, beside what it asks of the key.
type Source = (usize, PeerId);

fn source_of(path: &Path) -> Source {
    (path.attributes.address(), path.peer)
}

/// What policy asks of a key, unless it asks for more than the key and the best path.
fn of_key<K: Key>(settings: &GroupSettings, entry: &Entry<K>) -> Option<Answers> {
    let alone = !settings.export.counts_paths();
    alone.then(|| settings.export.answers(|| entry.key.nlri()))?
}

/// Turns slots into messages.
struct Writer<'a, K> {
    table: &'a Table<K>,
    settings: &'a GroupSettings,
    terms: Terms<'a, K>,
    view: View<'a>,
    buckets: Vec<Bucket>,
    /// Buckets of attributes that policy changed: of different ones it may make the same.
    by_content: HashTable<u32>,
    /// What policy made of attributes with some answers about the key; without answers those that
    /// it left as they are.
    by_source: HashMap<(Source, Option<Answers>), Option<u32>, foldhash::fast::FixedState>,
    reach: Vec<(u32, Slot)>,
    unreach: Vec<(Option<PeerId>, Slot)>,
}

impl<'a, K: Key> Writer<'a, K> {
    fn new(
        view: View<'a>,
        table: &'a Table<K>,
        (settings, terms): (&'a GroupSettings, Terms<'a, K>),
    ) -> Self {
        Self {
            table,
            settings,
            terms,
            view,
            buckets: Vec::new(),
            by_content: HashTable::new(),
            by_source: HashMap::default(),
            reach: Vec::new(),
            unreach: Vec::new(),
        }
    }

    fn source(&self, path: &Path) -> decision::Source {
        self.view.source(path.peer)
    }

    fn key(&self, slot: Slot) -> Option<K> {
        self.table.get(slot).map(|entry| entry.key.clone())
    }

    /// The bucket of a slot's best path and who sent it; `None` if it is not to be told.
    fn export(&mut self, slot: Slot) -> Option<(u32, PeerId)> {
        if self.settings.tells_nothing() {
            return None;
        }
        let entry = self.table.get(slot)?;
        if let Some(changed) = self.terms.default(&entry.key) {
            let source = self.view.source(PeerId::LOCAL);
            let told = self.settings.default_route(source, changed).ok()?;
            return Some((self.open(told, PeerId::LOCAL), PeerId::LOCAL));
        }
        if self.terms.withholds(self.view, slot, entry).is_some() {
            return None;
        }
        let best = entry.paths.best()?;
        let of = source_of(best);
        let answers = of_key(self.settings, entry);
        if answers.is_some()
            && let Some(known) = self.by_source.get(&(of, answers))
        {
            return known.map(|bucket| (bucket, best.peer));
        }
        let nlri = entry.key.nlri();
        let source = (self.source(best), self.settings.together(&entry.paths));
        let judged = self.settings.judge(&nlri, best, source, None);
        let bucket = match judged {
            Err(_) => None,
            Ok(None) => self.unchanged(of, best),
            Ok(changed) => {
                let told = self
                    .settings
                    .outgoing(best, self.source(best), changed)
                    .ok();
                told.map(|told| self.shared(told, best.peer))
            }
        };
        if answers.is_some() {
            self.by_source.insert((of, answers), bucket);
        }
        bucket.map(|bucket| (bucket, best.peer))
    }

    /// The bucket of attributes that policy left as they are.
    fn unchanged(&mut self, of: Source, best: &Path) -> Option<u32> {
        if let Some(known) = self.by_source.get(&(of, None)) {
            return *known;
        }
        let told = self.settings.outgoing(best, self.source(best), None).ok();
        let bucket = told.map(|told| self.open(told, best.peer));
        self.by_source.insert((of, None), bucket);
        bucket
    }

    /// The bucket of what policy made.
    fn shared(&mut self, attributes: Outgoing, origin: PeerId) -> u32 {
        let seed = foldhash::fast::FixedState::with_seed(self.view.config.seed);
        let hash = seed.hash_one((&attributes, origin));
        let known = self.by_content.find(hash, |at| {
            let bucket = self.buckets.get(*at as usize);
            bucket.is_some_and(|known| known.origin == origin && known.attributes == attributes)
        });
        if let Some(at) = known {
            return *at;
        }
        let at = self.open(attributes, origin);
        let buckets = &self.buckets;
        self.by_content.insert_unique(hash, at, |at| {
            let bucket = buckets.get(*at as usize);
            bucket.map_or(0, |known| seed.hash_one((&known.attributes, known.origin)))
        });
        at
    }

    fn open(&mut self, attributes: Outgoing, origin: PeerId) -> u32 {
        self.buckets.push(Bucket { attributes, origin });
        u32::try_from(self.buckets.len() - 1).unwrap_or(u32::MAX)
    }

    /// Encodes all that was collected. What does not fit a message is withdrawn instead.
    fn write(mut self, told: &mut SlotSet, mut emit: impl FnMut(Batch)) {
        let context = self.settings.encode_context();
        let mut builder = BatchBuilder::default();
        if !self.reach.is_sorted_by_key(|(bucket, _)| *bucket) {
            // Stable, so that prefixes leave in the order they came.
            self.reach.sort_by_key(|(bucket, _)| *bucket);
        }
        let mut keys: Vec<(u32, K)> = Vec::new();
        let reach = std::mem::take(&mut self.reach);
        for same in reach.chunk_by(|one, two| one.0 == two.0) {
            let Some(bucket) = same
                .first()
                .and_then(|(at, _)| self.buckets.get(*at as usize))
            else {
                continue;
            };
            for run in same.chunks(RUN) {
                keys.clear();
                keys.extend(
                    run.iter()
                        .filter_map(|(_, slot)| Some((0, self.key(*slot)?))),
                );
                let bytes = &mut builder.bytes;
                match K::encode_announce(&keys, &bucket.attributes, &context, bytes) {
                    Ok(messages) => builder.close_span(messages, Some(bucket.origin)),
                    Err(_) => {
                        for (_, slot) in run {
                            told.remove(*slot);
                            self.unreach.push((None, *slot));
                        }
                    }
                }
                if builder.is_full() {
                    builder.take().into_iter().for_each(&mut emit);
                }
            }
        }
        self.unreach.sort_by_key(|(origin, _)| *origin);
        for same in self.unreach.chunk_by(|one, two| one.0 == two.0) {
            for run in same.chunks(RUN) {
                keys.clear();
                keys.extend(
                    run.iter()
                        .filter_map(|(_, slot)| Some((0, self.key(*slot)?))),
                );
                let messages = K::encode_withdraw(&keys, &context, &mut builder.bytes);
                builder.close_span(messages, run.first().and_then(|(origin, _)| *origin));
                if builder.is_full() {
                    builder.take().into_iter().for_each(&mut emit);
                }
            }
        }
        builder.take().into_iter().for_each(&mut emit);
    }
}
