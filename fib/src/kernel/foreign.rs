//! Routes of others, as told to the owner.
//!
//! A host may have half a million of them, and nearly all look alike, so a route costs a name and a
//! pointer: the ways out are kept once. Reading everything again needs no second copy: what is as
//! it was is marked, and only what differs is kept beside until the end.
//!
//! The kernel says nothing of routes that it drops because a device went down or a nexthop object
//! is gone (IPv4, all releases so far). [`Foreign::through`] and [`Foreign::object_gone`] are told
//! so by whoever has noticed, and find what went with it. Where objects lead is in [`objects`].

mod objects;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use objects::Objects;

use crate::event::{Event, ForeignRoute};
use crate::netlink::notice::RouteNotice;
use crate::state::{Interface, NextHop, RouteKey, RouteKind};

/// Whose route: prefix, metric, protocol. The kernel may hold several for a prefix.
type Name = (RouteKey, u32, u8);

/// Different ways out above which unused ones are looked for.
const WAYS_MIN: usize = 256;

/// All routes that are not ours, in the tables that somebody asks for.
#[derive(Default)]
pub(super) struct Foreign {
    routes: HashMap<Name, Known, RandomState>,
    ways: HashSet<Arc<Way>, RandomState>,
    ways_max: usize,
    objects: Objects,
    /// Which tables; `None` is all of them.
    tables: Option<BTreeSet<u32>>,
    /// While everything is read again: routes that are not as they were.
    fresh: Option<HashMap<Name, Known, RandomState>>,
    /// Changes with each reading: which of the routes were seen in this one.
    round: bool,
}

/// What is known of a route beside its name.
#[derive(Clone, Debug)]
struct Known {
    way: Arc<Way>,
    kind: RouteKind,
    /// The reading in which it was seen last.
    round: bool,
}

impl Known {
    fn is_as(&self, other: &Self) -> bool {
        self.kind == other.kind && (Arc::ptr_eq(&self.way, &other.way) || self.way == other.way)
    }
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Way {
    hops: Arc<[NextHop]>,
    /// The nexthop object that stands for them; 0 is none.
    object: u32,
    source: Option<IpAddr>,
}

impl Foreign {
    /// With routes of these tables only, or of all.
    pub(super) fn of_tables(tables: Option<BTreeSet<u32>>) -> Self {
        Self {
            tables,
            ..Self::default()
        }
    }

    /// From now on these tables count. Returns whether that is more than before, so that the kernel
    /// has to be read.
    pub(super) fn observe_tables(&mut self, tables: BTreeSet<u32>, out: &mut Vec<Event>) -> bool {
        let more = match &self.tables {
            Some(before) => !tables.is_subset(before),
            None => false,
        };
        let gone = self
            .routes
            .keys()
            .filter(|(key, ..)| !tables.contains(&key.table()));
        let gone: Vec<Name> = gone.copied().collect();
        for name in gone {
            self.drop_route(name, out);
        }
        self.tables = Some(tables);
        self.tidy();
        more
    }

    fn is_observed(&self, table: u32) -> bool {
        self.tables.as_ref().is_none_or(|it| it.contains(&table))
    }

    /// A route is there as shown, or gone.
    pub(super) fn observe(
        &mut self,
        notice: RouteNotice,
        removed: bool,
        replaces: bool,
        out: &mut Vec<Event>,
    ) {
        if !self.is_observed(notice.key.table()) {
            return;
        }
        let name = (notice.key, notice.metric, notice.protocol);
        let seen = self.known(notice);
        if self.fresh.is_some() {
            self.see(name, seen);
            return;
        }
        if removed {
            self.remove(name, &seen, out);
            return;
        }
        if replaces {
            // Whoever had this prefix and metric before is gone.
            let protocols = (0..=u8::MAX).filter(|protocol| *protocol != name.2);
            let others = protocols.map(|protocol| (name.0, name.1, protocol));
            let others: Vec<Name> = others.filter(|it| self.routes.contains_key(it)).collect();
            for other in others {
                self.drop_route(other, out);
            }
        }
        self.insert(name, seen, out);
    }

    /// A route in a reading of everything.
    fn see(&mut self, name: Name, seen: Known) {
        let round = self.round;
        let Some(fresh) = &mut self.fresh else { return };
        let before = fresh.get(&name).cloned().or_else(|| {
            let known = self.routes.get(&name)?;
            (known.round == round).then(|| known.clone())
        });
        let seen = match before {
            // IPv6 dumps the legs of a multipath route one by one.
            Some(before) => {
                let more = seen
                    .way
                    .hops
                    .iter()
                    .filter(|it| !before.way.hops.contains(it));
                let hops: Vec<NextHop> = before.way.hops.iter().chain(more).cloned().collect();
                let way = Way {
                    hops: hops.into(),
                    ..Way::clone(&before.way)
                };
                Known {
                    way: shared(&mut self.ways, way),
                    ..before
                }
            }
            None => seen,
        };
        match self.routes.get_mut(&name) {
            Some(known) if known.is_as(&seen) => {
                known.round = round;
                fresh.remove(&name);
            }
            Some(_) | None => {
                fresh.insert(name, seen);
            }
        }
    }

    fn insert(&mut self, name: Name, route: Known, out: &mut Vec<Event>) {
        let news = self.routes.get(&name).is_none_or(|it| !it.is_as(&route));
        if news {
            out.push(told(name, &route, false));
        }
        self.routes.insert(name, route);
        self.tidy();
    }

    fn drop_route(&mut self, name: Name, out: &mut Vec<Event>) {
        if let Some(route) = self.routes.remove(&name) {
            out.push(told(name, &route, true));
        }
        if self.routes.len() < self.routes.capacity() / 8 {
            self.routes.shrink_to(2 * self.routes.len());
        }
    }

    /// A notice of removal may be about one leg of an IPv6 multipath route.
    fn remove(&mut self, name: Name, gone: &Known, out: &mut Vec<Event>) {
        let Some(known) = self.routes.get(&name) else {
            return;
        };
        let is_gone = |hop: &NextHop| {
            let same =
                |gone: &NextHop| gone.gateway == hop.gateway && gone.interface == hop.interface;
            gone.way.hops.iter().any(same)
        };
        self.keep_hops(name, known.clone(), |hop| !is_gone(hop), out);
    }

    /// A route goes, or goes on with those of its ways out that stay.
    fn keep_hops(
        &mut self,
        name: Name,
        known: Known,
        stays: impl Fn(&NextHop) -> bool,
        out: &mut Vec<Event>,
    ) {
        let left: Vec<NextHop> = known
            .way
            .hops
            .iter()
            .filter(|it| stays(it))
            .cloned()
            .collect();
        if left.is_empty() || left.len() == known.way.hops.len() {
            self.drop_route(name, out);
            return;
        }
        let way = Way {
            hops: left.into(),
            ..Way::clone(&known.way)
        };
        let way = shared(&mut self.ways, way);
        self.insert(name, Known { way, ..known }, out);
    }

    /// A device went down, came up or is gone: `left` are the routes that the kernel still has through it.
    pub(super) fn through(&mut self, index: u32, left: Vec<RouteNotice>, out: &mut Vec<Event>) {
        let mut there: HashMap<Name, Known> = HashMap::new();
        for notice in left {
            let name = (notice.key, notice.metric, notice.protocol);
            if self.is_observed(name.0.table()) {
                let seen = self.known(notice);
                there.insert(name, seen);
            }
        }
        let by_it = |hop: &NextHop| hop.interface == Some(Interface::Index(index));
        let ways = self.ways_with(|way| way.hops.iter().any(by_it));
        for (name, known) in self.of_ways(&ways) {
            match there.remove(&name) {
                Some(seen) => self.insert(name, seen, out),
                None if known.way.hops.iter().all(by_it) => self.drop_route(name, out),
                None => self.keep_hops(name, known, |hop| !by_it(hop), out),
            }
        }
        // Those that have it back as one of their ways out.
        for (name, seen) in there {
            self.insert(name, seen, out);
        }
    }

    /// Whether any of them leads through a device, as far as known.
    pub(super) fn uses(&self, index: u32) -> bool {
        let by_it = |hop: &NextHop| hop.interface == Some(Interface::Index(index));
        let mut used = self.ways.iter().filter(|way| Arc::strong_count(way) > 1);
        used.any(|way| way.hops.iter().any(by_it))
    }

    /// Nexthop objects are gone, and with them what used them.
    pub(super) fn objects_gone(&mut self, objects: &BTreeSet<u32>, out: &mut Vec<Event>) {
        let ways = self.ways_with(|way| objects.contains(&way.object));
        for (name, _) in self.of_ways(&ways) {
            self.drop_route(name, out);
        }
    }

    /// Devices of routes whose source is this address, which is gone: the kernel drops such routes.
    pub(super) fn devices_from(&self, source: IpAddr) -> BTreeSet<u32> {
        let ways = self.ways.iter().filter(|way| way.source == Some(source));
        let hops = ways.flat_map(|way| way.hops.iter());
        hops.filter_map(|hop| match hop.interface {
            Some(Interface::Index(index)) => Some(index),
            Some(Interface::Name(_)) | None => None,
        })
        .collect()
    }

    /// Ways in use that are so.
    fn ways_with(&self, is: impl Fn(&Way) -> bool) -> HashSet<*const Way> {
        let used = self.ways.iter().filter(|way| Arc::strong_count(way) > 1);
        used.filter(|way| is(way)).map(Arc::as_ptr).collect()
    }

    fn of_ways(&self, ways: &HashSet<*const Way>) -> Vec<(Name, Known)> {
        if ways.is_empty() {
            return Vec::new();
        }
        let all = self.routes.iter();
        all.filter(|(_, known)| ways.contains(&Arc::as_ptr(&known.way)))
            .map(|(name, known)| (*name, known.clone()))
            .collect()
    }

    fn known(&mut self, notice: RouteNotice) -> Known {
        let mut hops = notice.hops;
        if let Some(object) = notice.object.filter(|_| hops.is_empty()) {
            hops = self.objects.ways(object);
        }
        hops.retain(|hop| !notice.dead.contains(hop));
        let way = Way {
            hops: hops.into(),
            object: notice.object.unwrap_or(0),
            source: notice.source,
        };
        Known {
            way: shared(&mut self.ways, way),
            kind: notice.kind,
            round: self.round,
        }
    }

    /// Forgets ways that no route takes any more.
    fn tidy(&mut self) {
        if self.ways.len() > self.ways_max.max(WAYS_MIN) {
            self.ways.retain(|way| Arc::strong_count(way) > 1);
            self.ways_max = 2 * self.ways.len();
        }
    }

    /// Tells all that is known of some tables, to somebody new.
    pub(super) fn repeat(&self, of: impl Fn(u32) -> bool, out: &mut Vec<Event>) {
        let routes = self.routes.iter().filter(|(name, _)| of(name.0.table()));
        out.extend(routes.map(|(name, route)| told(*name, route, false)));
    }

    /// What is reported from here to [`Foreign::end`] is all there is.
    pub(super) fn begin(&mut self) {
        self.round = !self.round;
        self.fresh = Some(HashMap::default());
    }

    /// The reports since [`Self::begin`] are incomplete.
    pub(super) fn abandon(&mut self) {
        if self.fresh.take().is_some() {
            // All are of one round again, so that the next reading tells them apart.
            let round = self.round;
            self.routes
                .values_mut()
                .for_each(|known| known.round = round);
        }
    }

    /// Tells the differences between what was known and what was reported.
    pub(super) fn end(&mut self, out: &mut Vec<Event>) {
        let Some(fresh) = self.fresh.take() else {
            return;
        };
        let round = self.round;
        let gone = |(name, known): (&Name, &Known)| {
            (known.round != round && !fresh.contains_key(name)).then_some(*name)
        };
        let gone: Vec<Name> = self.routes.iter().filter_map(gone).collect();
        for name in gone {
            self.drop_route(name, out);
        }
        for (name, route) in fresh {
            self.insert(name, route, out);
        }
    }
}

fn told((key, metric, protocol): Name, route: &Known, removed: bool) -> Event {
    Event::RouteChanged {
        route: ForeignRoute {
            key,
            protocol,
            metric,
            kind: route.kind,
            next_hops: Arc::clone(&route.way.hops),
        },
        removed,
    }
}

/// The one of its kind.
fn shared(ways: &mut HashSet<Arc<Way>, RandomState>, way: Way) -> Arc<Way> {
    if let Some(known) = ways.get(&way) {
        return Arc::clone(known);
    }
    let way = Arc::new(way);
    ways.insert(Arc::clone(&way));
    way
}

#[cfg(test)]
mod tests;
