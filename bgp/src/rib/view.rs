//! Reading the tables: what `show` and `explain` print.
//!
//! Reasons are those the decision, import and export return when asked again with the same
//! input; nothing is decided by other code for display.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::time::Instant;

use super::change::Received;
use super::decision::Step;
use super::dependent::AggregateView;
use super::export::{GroupSettings, Withheld};
use super::family::{FamilyRib, Key};
use super::gate::Gate;
use super::group::Group;
use super::import::{Rejection, import};
use super::path::{Path, PeerId};
use super::several::Several;
use super::table::Entry;
use super::{Rib, View};
use crate::attributes::Attributes;
use crate::evpn_route::EvpnKey;
use crate::family::{Family, PerFamily};
use crate::nlri::{Nlri, PathId};
use crate::packed::Slot;
use crate::policy::Trace;
use crate::scoped_addr::ScopedAddr;

/// A key with its paths, best first.
#[derive(Debug, Clone)]
pub struct RouteView {
    /// The key.
    pub nlri: Nlri,
    /// Its paths.
    pub paths: Vec<PathView>,
}

/// A path as it stands in the table.
#[derive(Debug, Clone)]
pub struct PathView {
    /// Who sent it; [`PeerId::LOCAL`] for a route of this router.
    pub peer: PeerId,
    /// Its sender is in another AS.
    pub external: bool,
    /// Path identifier of RFC 7911.
    pub path_id: PathId,
    /// Attributes after import policy (as advertised in [`Select::Advertised`]).
    pub attributes: Attributes,
    /// Attributes as received.
    pub received: Attributes,
    /// It is the best path.
    pub best: bool,
    /// It forwards beside the best one.
    pub multipath: bool,
    /// Its peer is restarting.
    pub stale: bool,
    /// Why it takes no part in the decision.
    pub rejection: Option<Rejection>,
    /// Why it is not the best.
    pub lost: Option<Step>,
}

/// Which routes to visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// All with any path.
    All,
    /// Those a peer sent, as it sent them.
    Received(PeerId),
    /// Those a peer was told, as it was told.
    Advertised(PeerId),
}

/// A part of a family, in the order of its keys.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its routes.
    pub routes: Vec<RouteView>,
    /// Where the next part begins: behind this key. `None` at the end.
    pub next: Option<Nlri>,
}

/// A restart that holds selection back.
#[derive(Debug, Clone, Copy)]
pub struct Holding<'a> {
    /// Peers whose End-of-RIB is awaited; a family without any is free.
    pub peers: &'a PerFamily<BTreeSet<PeerId>>,
    /// When it ends at the latest.
    pub until: Instant,
}

/// Numbers of one peer.
pub type Counts = PerFamily<FamilyCounts>;

/// Numbers of one peer and family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyCounts {
    /// Paths received.
    pub received: usize,
    /// Of these, paths that passed the checks and policy.
    pub accepted: usize,
    /// Of the others, routes of this router or its AS that came back ([`Rejection::is_loop`]).
    pub looped: usize,
    /// Prefixes the peer has been told of; paths, where it takes several of a prefix.
    pub advertised: usize,
}

/// What whoever forwards said of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Nothing yet.
    Pending,
    /// He has it.
    There,
    /// He cannot have it.
    Refused,
}

/// Memory the tables take, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Prefixes and paths, and which of them each peer sent and was told.
    pub tables: usize,
    /// Attribute sets.
    pub attribute_sets: usize,
}

/// Why and what a peer is told of a route.
#[derive(Debug, Clone)]
pub struct Advertisement {
    /// The peer.
    pub peer: PeerId,
    /// What it is told, or why nothing.
    pub result: Result<Attributes, Withheld>,
    /// Steps of the export policy.
    pub trace: Trace,
}

impl Rib {
    /// Visits routes in no order until `visit` returns false.
    pub fn visit(&self, family: Family, select: Select, mut visit: impl FnMut(RouteView) -> bool) {
        let view = self.reading();
        match family {
            Family::Ipv4Unicast => self.v4.visit(view, select, &mut visit),
            Family::Ipv6Unicast => self.v6.visit(view, select, &mut visit),
            Family::Evpn => self.evpn.visit(view, select, &mut visit),
        }
    }

    /// The keys of EVPN routes in no order, to look for some of which more is known than what the table finds
    /// them by. A view of each route costs a hundred times as much.
    pub fn evpn_keys(&self) -> impl Iterator<Item = &EvpnKey> {
        self.evpn.table.iter().map(|(_, entry)| &entry.key)
    }

    /// Routes of a family in the order of their keys, those behind `after`, a key of this family.
    ///
    /// A page comes from about `size` keys: fewer routes come when some are in motion, and there
    /// may be more all the same. It costs one pass over the keys without sorting them, and the
    /// routes of the page themselves. Routes that come or go between two pages shift nothing.
    pub fn page(&self, family: Family, select: Select, after: Option<&Nlri>, size: usize) -> Page {
        let view = self.reading();
        match (family, after) {
            (Family::Ipv4Unicast, None) => self.v4.page(view, select, None, size),
            (Family::Ipv6Unicast, None) => self.v6.page(view, select, None, size),
            (Family::Evpn, None) => self.evpn.page(view, select, None, size),
            (Family::Ipv4Unicast, Some(Nlri::V4(key))) => {
                self.v4.page(view, select, Some(key), size)
            }
            (Family::Ipv6Unicast, Some(Nlri::V6(key))) => {
                self.v6.page(view, select, Some(key), size)
            }
            (Family::Evpn, Some(Nlri::Evpn(key))) => self.evpn.page(view, select, Some(key), size),
            // Nothing of a family is behind a key of another one.
            (_, Some(_)) => Page::default(),
        }
    }

    /// One route with all its paths.
    pub fn route(&self, nlri: &Nlri) -> Option<RouteView> {
        self.selected(nlri, Select::All)
    }

    /// One route, if it is among those selected.
    pub fn selected(&self, nlri: &Nlri, select: Select) -> Option<RouteView> {
        let view = self.reading();
        match nlri {
            Nlri::V4(key) => self.v4.route(view, select, key),
            Nlri::V6(key) => self.v6.route(view, select, key),
            Nlri::Evpn(key) => self.evpn.route(view, select, key),
        }
    }

    /// Steps of the import policy for a path of a route.
    pub fn import_trace(&self, nlri: &Nlri, path: &PathView) -> Trace {
        let mut trace = Trace::default();
        if let Some(from) = self.peers.settings(path.peer, nlri.family()) {
            let (view, trace) = (self.reading(), Some(&mut trace));
            // Only the steps are wanted; the verdict stands in the path already.
            drop(import(view, from, nlri, &path.received, trace));
        }
        trace
    }

    /// What every Established peer is told of a route, and why.
    pub fn advertisements(&self, nlri: &Nlri) -> Vec<Advertisement> {
        let view = self.reading();
        let family = nlri.family();
        let up = self
            .peers
            .ids()
            .filter(|peer| self.peers.get(*peer).is_some_and(|it| it.up));
        up.filter_map(|peer| {
            let (facts, settings) = self.peers.settings(peer, family)?;
            let settings = GroupSettings::of(view.config, facts, family, settings);
            let mut trace = Trace::default();
            let result = match nlri {
                Nlri::V4(key) => self.v4.told(view, &settings, peer, key, &mut trace),
                Nlri::V6(key) => self.v6.told(view, &settings, peer, key, &mut trace),
                Nlri::Evpn(key) => self.evpn.told(view, &settings, peer, key, &mut trace),
            };
            Some(Advertisement {
                peer,
                result,
                trace,
            })
        })
        .collect()
    }

    /// Numbers of one peer.
    pub fn counts(&self, peer: PeerId) -> Counts {
        PerFamily {
            ipv4_unicast: self.v4.counts(peer),
            ipv6_unicast: self.v6.counts(peer),
            evpn: self.evpn.counts(peer),
        }
    }

    /// Received and accepted routes of one peer. Unlike [`Rib::counts`], which looks at each of
    /// them for what the peer is told, this takes no time.
    pub fn intake(&self, peer: PeerId, family: Family) -> (usize, usize) {
        match family {
            Family::Ipv4Unicast => self.v4.intake(peer),
            Family::Ipv6Unicast => self.v6.intake(peer),
            Family::Evpn => self.evpn.intake(peer),
        }
    }

    /// Whether a learned route is forwarded, where peers wait for that ([`super::Input::AwaitForwarding`]).
    pub fn forwarding(&self, nlri: &Nlri) -> Option<Forwarding> {
        match nlri {
            Nlri::V4(key) => self.v4.forwarding(key),
            Nlri::V6(key) => self.v6.forwarding(key),
            Nlri::Evpn(_) => None,
        }
    }

    /// Learned routes that are told to nobody, since they are not forwarded ([`super::Input::Forwards`]).
    pub fn not_forwarded(&self) -> usize {
        self.v4.dependent.refused.len() + self.v6.dependent.refused.len()
    }

    /// Next hops that are taken to lead nowhere.
    pub fn unreachable(&self) -> impl Iterator<Item = ScopedAddr> + '_ {
        self.next_hops.unreachable()
    }

    /// The next hop of a peer's route: a link-local one is on the link to that peer, and one of
    /// another table on a device of its choice.
    pub fn next_hop(&self, peer: PeerId, attributes: &Attributes) -> ScopedAddr {
        let facts = self.peers.get(peer).and_then(|peer| peer.facts.as_ref());
        match facts {
            Some(facts) => facts.leads_to(attributes),
            None => attributes.next_hop().addr().into(),
        }
    }

    /// Peers whose End-of-RIB of a family is awaited after a start ([`super::Input::Expect`]).
    pub fn awaited(&self, family: Family) -> impl Iterator<Item = PeerId> + '_ {
        let awaited = self.awaited.iter();
        awaited.flat_map(move |it| it.peers.get(family).iter().copied())
    }

    /// The most prefixes that a peer is told, and how many find no room.
    pub fn limit_out(&self, peer: PeerId, family: Family) -> Option<(NonZeroU32, usize)> {
        match family {
            Family::Ipv4Unicast => self.v4.several(peer)?.beyond(),
            Family::Ipv6Unicast => self.v6.several(peer)?.beyond(),
            Family::Evpn => self.evpn.several(peer)?.beyond(),
        }
    }

    /// Aggregates with what they are made of, in the order in which they were given.
    pub fn aggregates(&self) -> impl Iterator<Item = AggregateView> + '_ {
        let (v4, v6) = (&self.v4.dependent, &self.v6.dependent);
        v4.aggregates().chain(v6.aggregates())
    }

    /// True when everything a peer is to be told has been written to it.
    pub fn is_settled(&self, peer: PeerId) -> bool {
        let idle = self.v4.is_settled(peer) && self.v6.is_settled(peer);
        let written = self
            .peers
            .get(peer)
            .is_some_and(|peer| peer.up && peer.in_flight == 0);
        idle && self.evpn.is_settled(peer) && written
    }

    /// Number of a peer's routes that are kept over its restart.
    pub fn stale(&self, peer: PeerId, family: Family) -> usize {
        let mut count = 0;
        if self
            .peers
            .get(peer)
            .is_some_and(|peer| *peer.stale.get(family))
        {
            self.visit(family, Select::Received(peer), |route| {
                count += route.paths.iter().filter(|path| path.stale).count();
                true
            });
        }
        count
    }

    /// Number of prefixes with a path.
    pub fn prefixes(&self, family: Family) -> usize {
        match family {
            Family::Ipv4Unicast => self.v4.table.len(),
            Family::Ipv6Unicast => self.v6.table.len(),
            Family::Evpn => self.evpn.table.len(),
        }
    }

    /// Memory the tables take, in octets. Looks at every prefix and every attribute set: some
    /// milliseconds for each hundred thousand.
    pub fn memory(&self) -> Memory {
        Memory {
            tables: self.v4.octets() + self.v6.octets() + self.evpn.octets(),
            attribute_sets: self.interner.octets(),
        }
    }

    /// Who is told the same as a peer, itself among them, by family: its update groups. A peer that is told
    /// several paths of a prefix is in none.
    pub fn update_groups(&self, peer: PeerId) -> Vec<(Family, Vec<PeerId>)> {
        let families = [
            (Family::Ipv4Unicast, &self.v4.groups),
            (Family::Ipv6Unicast, &self.v6.groups),
            (Family::Evpn, &self.evpn.groups),
        ];
        let group = |(family, groups): (Family, &Vec<Group>)| {
            let mut groups = groups.iter();
            let group = groups.find(|group| group.peers().any(|it| it == peer))?;
            Some((family, group.peers().collect()))
        };
        families.into_iter().filter_map(group).collect()
    }

    /// Number of distinct attribute sets kept.
    pub fn attribute_sets(&self) -> usize {
        self.interner.len()
    }

    /// What selection is held back for after a restart, while it is.
    pub fn holding(&self) -> Option<Holding<'_>> {
        let awaited = self.awaited.as_ref().filter(|awaited| awaited.hold)?;
        Some(Holding {
            peers: &awaited.peers,
            until: awaited.until,
        })
    }

    fn reading(&self) -> View<'_> {
        View {
            peers: &self.peers,
            config: &self.config,
            next_hops: &self.next_hops,
        }
    }
}

/// A selection, with what it is read from.
enum Chosen<'a, K> {
    All,
    Received(PeerId, &'a Received),
    Advertised(PeerId, &'a Group),
    /// The same, to one that is told several paths of a prefix.
    Several(&'a Several<K>),
}

/// A path as a peer was told of it.
fn told_view(
    view: View<'_>,
    peer: PeerId,
    path_id: PathId,
    attributes: Attributes,
    best: bool,
) -> PathView {
    PathView {
        peer,
        external: view.source(peer).external,
        path_id,
        received: attributes.clone(),
        attributes,
        best,
        multipath: false,
        stale: false,
        rejection: None,
        lost: None,
    }
}

impl<K: Key> FamilyRib<K> {
    fn visit(&self, view: View<'_>, select: Select, visit: &mut impl FnMut(RouteView) -> bool) {
        let Some(chosen) = self.chosen(select) else {
            return;
        };
        self.each(&chosen, |_, entry| {
            self.seen(view, &chosen, entry).is_none_or(&mut *visit)
        });
    }

    fn page(&self, view: View<'_>, select: Select, after: Option<&K>, size: usize) -> Page {
        let Some(chosen) = self.chosen(select) else {
            return Page::default();
        };
        let mut lowest = Lowest::new(size);
        self.each(&chosen, |slot, entry| {
            if after.is_none_or(|after| entry.key > *after) {
                lowest.offer(&entry.key, slot);
            }
            true
        });
        let (slots, more) = lowest.ascending();
        let entries = slots.iter().filter_map(|slot| self.table.get(*slot));
        Page {
            next: entries
                .clone()
                .next_back()
                .filter(|_| more)
                .map(|it| it.key.nlri()),
            routes: entries
                .filter_map(|entry| self.seen(view, &chosen, entry))
                .collect(),
        }
    }

    /// `None` when a selection can have no routes.
    fn chosen(&self, select: Select) -> Option<Chosen<'_, K>> {
        match select {
            Select::All => Some(Chosen::All),
            Select::Received(peer) => Some(Chosen::Received(peer, self.received.get(&peer)?)),
            Select::Advertised(peer) => {
                if let Some(several) = self.several(peer) {
                    return Some(Chosen::Several(several));
                }
                let mut groups = self.groups.iter();
                let group = groups.find(|group| group.told_count(peer).is_some())?;
                Some(Chosen::Advertised(peer, group))
            }
        }
    }

    /// The entries of a selection, in no order, until `each` returns false.
    fn each<'a>(
        &'a self,
        chosen: &Chosen<'a, K>,
        mut each: impl FnMut(Slot, &'a Entry<K>) -> bool,
    ) {
        let filled = |(_, entry): &(Slot, &Entry<K>)| !entry.paths.is_empty();
        match chosen {
            Chosen::All => {
                self.table
                    .iter()
                    .filter(filled)
                    .all(|(slot, entry)| each(slot, entry));
            }
            Chosen::Received(_, received) => {
                received
                    .slots
                    .iter()
                    .filter_map(|slot| Some((slot, self.table.get(slot)?)))
                    .all(|(slot, entry)| each(slot, entry));
            }
            Chosen::Advertised(peer, group) => {
                let terms = self.dependent.terms(&group.settings);
                self.table
                    .iter()
                    .filter(|(slot, _)| group.told(*peer, *slot) == Some(true))
                    // What the peer itself sent stands among what its group was told.
                    .filter(|(_, it)| {
                        let best = it.paths.best();
                        best.is_some_and(|best| best.peer != *peer)
                            || terms.default(&it.key).is_some()
                    })
                    .all(|(slot, entry)| each(slot, entry));
            }
            Chosen::Several(several) => {
                several
                    .slots()
                    .filter_map(|slot| Some((slot, self.table.get(slot)?)))
                    .all(|(slot, entry)| each(slot, entry));
            }
        }
    }

    fn several(&self, peer: PeerId) -> Option<&Several<K>> {
        self.several.iter().find(|several| several.peer == peer)
    }

    /// The default route of our own is told in place of any other one.
    fn own_default(&self, settings: &GroupSettings, key: &K) -> bool {
        self.dependent.terms(settings).default(key).is_some()
    }

    /// An entry as a selection shows it; `None` where it shows nothing.
    fn seen(&self, view: View<'_>, chosen: &Chosen<'_, K>, entry: &Entry<K>) -> Option<RouteView> {
        let route = match chosen {
            Chosen::All => self.view_of(view, entry, |_| true),
            Chosen::Received(peer, _) => self.view_of(view, entry, |path| path.peer == *peer),
            Chosen::Advertised(peer, group) => self.advertised_view(view, *peer, group, entry)?,
            Chosen::Several(several) => self.several_view(view, several, entry)?,
        };
        (!route.paths.is_empty()).then_some(route)
    }

    fn advertised_view(
        &self,
        view: View<'_>,
        peer: PeerId,
        group: &Group,
        entry: &Entry<K>,
    ) -> Option<RouteView> {
        let mut trace = Trace::default();
        let told = self.told(view, &group.settings, peer, &entry.key, &mut trace);
        let attributes = told.ok()?;
        let from = match self.own_default(&group.settings, &entry.key) {
            true => PeerId::LOCAL,
            false => entry.paths.best()?.peer,
        };
        Some(RouteView {
            nlri: entry.key.nlri(),
            paths: vec![told_view(view, from, 0, attributes, true)],
        })
    }

    /// The paths that a peer holds, under the identifiers by which it knows them.
    fn several_view(
        &self,
        view: View<'_>,
        several: &Several<K>,
        entry: &Entry<K>,
    ) -> Option<RouteView> {
        let nlri = entry.key.nlri();
        let slot = self.table.find(&entry.key)?;
        let mut paths = Vec::new();
        let terms = self.dependent.terms(&several.settings);
        if let Some(changed) = terms.default(&entry.key) {
            let source = view.source(PeerId::LOCAL);
            let outgoing = several.settings.default_route(source, changed).ok()?;
            let attributes = outgoing.attributes(view.config.seed);
            let id = several.told(slot).first()?.id;
            paths.push(told_view(view, PeerId::LOCAL, id, attributes, true));
            return Some(RouteView { nlri, paths });
        }
        // Both lists may be long, and only one is in order.
        let known = entry.paths.as_slice().iter().enumerate();
        let known: HashMap<_, _> = known
            .map(|(at, path)| ((path.peer, path.path_id), (at, path)))
            .collect();
        for told in several.told(slot) {
            let Some(&(at, path)) = known.get(&told.whose()) else {
                continue;
            };
            let source = (view.source(path.peer), None);
            if let Ok(outgoing) = several.settings.export(&nlri, path, source, None) {
                let attributes = outgoing.attributes(view.config.seed);
                paths.push(told_view(view, path.peer, told.id, attributes, at == 0));
            }
        }
        Some(RouteView { nlri, paths })
    }

    fn route(&self, view: View<'_>, select: Select, key: &K) -> Option<RouteView> {
        let chosen = self.chosen(select)?;
        let slot = self.table.find(key)?;
        let told = match &chosen {
            Chosen::Advertised(peer, group) => group.told(*peer, slot) == Some(true),
            Chosen::Several(several) => !several.told(slot).is_empty(),
            Chosen::All | Chosen::Received(..) => true,
        };
        if !told {
            return None;
        }
        self.seen(view, &chosen, self.table.get(slot)?)
    }

    fn view_of(
        &self,
        view: View<'_>,
        entry: &Entry<K>,
        wanted: impl Fn(&Path) -> bool,
    ) -> RouteView {
        let nlri = entry.key.nlri();
        let steps = self.reasons(view, &entry.paths);
        let best = entry.paths.best().is_some();
        let paths = entry.paths.as_slice().iter().zip(steps).enumerate();
        let paths = paths.filter(|(_, (path, _))| wanted(path));
        let paths = paths
            .map(|(at, (path, lost))| PathView {
                peer: path.peer,
                external: view.source(path.peer).external,
                // What tells our own apart is no identifier of RFC 7911.
                path_id: match path.peer {
                    PeerId::LOCAL => 0,
                    _ => path.path_id,
                },
                attributes: path.attributes.clone(),
                received: path.received().clone(),
                best: best && at == 0,
                multipath: path.multipath,
                stale: path.standing.is_stale(),
                rejection: (!path.standing.takes_part())
                    .then(|| self.rejection(view, &nlri, path))
                    .flatten(),
                lost,
            })
            .collect();
        RouteView { nlri, paths }
    }

    fn rejection(&self, view: View<'_>, nlri: &Nlri, path: &Path) -> Option<Rejection> {
        let from = view.peers.settings(path.peer, self.family)?;
        import(view, from, nlri, path.received(), None).err()
    }

    fn told(
        &self,
        view: View<'_>,
        settings: &GroupSettings,
        peer: PeerId,
        key: &K,
        trace: &mut Trace,
    ) -> Result<Attributes, Withheld> {
        let limit = || {
            let limit = self.several(peer).and_then(|it| it.withholds(key));
            limit.map_or(Ok(()), |limit| Err(Withheld::Limit(limit.get())))
        };
        let terms = self.dependent.terms(settings);
        if let Some(changed) = terms.default(key) {
            let told = settings.default_route(view.source(PeerId::LOCAL), changed)?;
            limit()?;
            return Ok(told.attributes(view.config.seed));
        }
        let slot = self.table.find(key);
        let entry = slot.and_then(|slot| self.table.get(slot));
        let paths = entry.map_or(&[][..], |entry| entry.paths.as_slice());
        let mut usable = paths.iter().filter(|path| path.standing.takes_part());
        let best = match settings.add_path {
            // The others are told beside a path of its own.
            true => usable.clone().find(|path| path.peer != peer),
            false => None,
        };
        let best = best.or_else(|| usable.next()).ok_or(Withheld::NoPath)?;
        if best.peer == peer {
            return Err(Withheld::FromThisPeer);
        }
        let held = slot.zip(entry);
        if let Some(held) = held.and_then(|(slot, entry)| terms.withholds(view, slot, entry)) {
            return Err(held);
        }
        if held.is_some_and(|(slot, entry)| !settings.instance && self.holds(slot, entry)) {
            return Err(Withheld::NotYetForwarded);
        }
        let together = entry.filter(|_| !settings.add_path);
        let together = together.and_then(|entry| settings.together(&entry.paths));
        let source = (view.source(best.peer), together);
        let told = settings.export(&key.nlri(), best, source, Some(trace))?;
        limit()?;
        Ok(told.attributes(view.config.seed))
    }

    /// What the peer's group was told, less what the peer itself sent.
    fn advertised(&self, peer: PeerId) -> usize {
        if let Some(several) = self.several(peer) {
            return several.paths();
        }
        let Some((group, told)) = self
            .groups
            .iter()
            .find_map(|group| Some((group, group.told_count(peer)?)))
        else {
            return 0;
        };
        let slots = self
            .received
            .get(&peer)
            .into_iter()
            .flat_map(|it| it.slots.iter());
        let terms = self.dependent.terms(&group.settings);
        let own = slots.filter(|slot| {
            let best = self.table.get(*slot).and_then(|entry| entry.paths.best());
            let default = self.table.get(*slot);
            let default = default.is_some_and(|entry| terms.default(&entry.key).is_some());
            best.is_some_and(|best| best.peer == peer)
                && group.told(peer, *slot) == Some(true)
                && !default
        });
        told - own.count()
    }

    fn is_settled(&self, peer: PeerId) -> bool {
        let told = self.several(peer).is_none_or(Several::is_settled);
        told && !self.has_changes() && !self.groups.iter().any(|group| group.is_lagging(peer))
    }

    fn counts(&self, peer: PeerId) -> FamilyCounts {
        let (received, accepted) = self.intake(peer);
        FamilyCounts {
            received,
            accepted,
            looped: self.received.get(&peer).map_or(0, |it| it.looped),
            advertised: self.advertised(peer),
        }
    }

    fn octets(&self) -> usize {
        let received = self.received.values().map(|it| it.slots.octets());
        let groups = self.groups.iter().map(Group::octets);
        let several = self.several.iter().map(Several::octets);
        let gate = self.gate.as_ref().map_or(0, Gate::octets);
        let beside = self.marked.octets() + self.dependent.octets() + gate;
        self.table.octets()
            + beside
            + received.sum::<usize>()
            + groups.chain(several).sum::<usize>()
    }

    fn intake(&self, peer: PeerId) -> (usize, usize) {
        let received = self.received.get(&peer);
        received.map_or((0, 0), |it| (it.paths, it.paths - it.rejected))
    }
}

/// The lowest keys of those offered, in any order: never more than twice as many are kept, and
/// most of a long row is refused after one comparison.
struct Lowest<'a, K> {
    size: usize,
    kept: Vec<(&'a K, Slot)>,
    /// Keys above this one are not among the lowest.
    bound: Option<&'a K>,
}

impl<'a, K: Ord> Lowest<'a, K> {
    fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            kept: Vec::new(),
            bound: None,
        }
    }

    fn offer(&mut self, key: &'a K, slot: Slot) {
        if self.bound.is_some_and(|bound| key > bound) {
            return;
        }
        self.kept.push((key, slot));
        if self.kept.len() >= self.size.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.size {
            let (_, highest, _) = self.kept.select_nth_unstable(self.size - 1);
            self.bound = Some(highest.0);
            self.kept.truncate(self.size);
        }
    }

    /// The lowest in their order, and whether there were more.
    fn ascending(mut self) -> (Vec<Slot>, bool) {
        self.cut();
        self.kept.sort_unstable();
        let slots = self.kept.into_iter().map(|(_, slot)| slot).collect();
        (slots, self.bound.is_some())
    }
}
