//! What we say because of other routes: aggregates, conditions of advertisement, a default route
//! that depends on others.
//!
//! Everything here follows from the best paths of one family. A best path that changes leaves a
//! mark ([`super::family`]); the marks are worked off here, before anybody is told, in two steps.
//! First each changed prefix is looked at for itself: it joins or leaves the sums of the
//! aggregates that cover it, and the sets of prefixes that the route-maps of conditions permit.
//! Then, when no mark is left, what follows is settled: aggregates come, change or go, and the
//! conditions that hold are compared with those that held. So a burst is settled once, and what
//! comes out depends on what is in the table and not on the way there.
//!
//! Nothing goes in a circle: aggregates are made of routes that are no aggregates, conditions look
//! at all best paths, and what is told depends on both and leaves the table as it is.
//!
//! Cost. A router without any of it pays one comparison for each best path that changes and two for
//! each route that is told. A changed prefix costs a look-up for each length that aggregates have
//! and one evaluation of each different route-map of a condition. Of each more specific route an
//! aggregate keeps about forty octets, a condition one bit, the route-map of a default route the
//! prefix. The table is walked when an aggregate or a condition is new, and the routes concerned
//! when one comes or goes; never for a change of one route.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::View;
use super::aggregate::{self, Aggregate, Idle, Sum, Suppress};
use super::decision::OWN_MED;
use super::export::{Changed, GroupSettings, Withheld};
use super::family::Key;
use super::gate;
use super::path::{Path, Paths, PeerId};
use super::peer::{AdvertiseIf, DefaultOriginate, Presence};
use super::slots::SlotSet;
use super::table::Entry;
use crate::attributes::{AttributeSet, Attributes, NextHop};
use crate::nlri::Nlri;
use crate::packed::Slot;
use crate::policy::{Party, RouteMap, Verdict};
use crate::rpki::Validation;

/// All of it for one family.
#[derive(Debug)]
pub(super) struct Dependent<K> {
    aggregates: Vec<Standing<K>>,
    by_key: HashMap<K, usize, FixedState>,
    /// Lengths that aggregates have.
    lengths: BTreeSet<u8>,
    /// Prefixes that an aggregate in force stands for.
    suppressed: SlotSet,
    /// Learned prefixes that are not forwarded ([`super::gate`]).
    pub(super) refused: SlotSet,
    watches: Vec<Watch>,
    defaults: Vec<Default<K>>,
    /// What route-maps that ask for it validate by (RFC 6811).
    validation: Option<Arc<Validation>>,
}

/// An aggregate and what it is made of.
#[derive(Debug)]
struct Standing<K> {
    spec: Aggregate,
    key: K,
    sum: Sum,
    parts: HashMap<Slot, Part, FixedState>,
    /// What stands in the table.
    made: Result<Attributes, Idle>,
    /// The sum changed since.
    dirty: bool,
}

/// A more specific route, as it was counted.
#[derive(Debug)]
struct Part {
    attributes: Attributes,
    suppressed: bool,
}

/// The prefixes whose best path a route-map permits.
#[derive(Debug)]
struct Watch {
    map: Arc<RouteMap>,
    matching: SlotSet,
    /// As conditions were settled last.
    holds: bool,
    /// Nobody was told anything because of it yet.
    fresh: bool,
}

/// A default route that depends on a route-map.
#[derive(Debug)]
struct Default<K> {
    map: Arc<RouteMap>,
    /// In their order, since the first one decides what the map sets.
    matching: BTreeSet<K>,
    made: Option<Changed>,
    dirty: bool,
}

/// An aggregate as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateView {
    /// As configured.
    pub aggregate: Aggregate,
    /// Number of more specific routes.
    pub routes: usize,
    /// Why it is not there, if it is not.
    pub idle: Option<Idle>,
}

/// What follows for the table and for those who are told.
pub(super) enum Consequence<K> {
    /// This aggregate reads so now.
    Set(K, Attributes),
    /// This aggregate is gone.
    Unset(K),
    /// Everybody is told something else of these prefixes.
    Everybody(Vec<Slot>),
    /// Those with this condition are told something else of these prefixes.
    Condition(Arc<RouteMap>),
    /// Those with this default route are told another one, or none.
    Default(Arc<RouteMap>),
}

impl<K: Key> Dependent<K> {
    pub(super) fn new() -> Self {
        Self {
            aggregates: Vec::new(),
            by_key: HashMap::default(),
            lengths: BTreeSet::new(),
            suppressed: SlotSet::default(),
            refused: SlotSet::default(),
            watches: Vec::new(),
            defaults: Vec::new(),
            validation: None,
        }
    }

    /// Other VRPs. True if any route-map asks what they say.
    pub(super) fn validate_by(&mut self, validation: Option<&Arc<Validation>>) -> bool {
        self.validation = validation.cloned();
        let mut aggregates = false;
        for standing in &mut self.aggregates {
            let asks = |map: &Arc<RouteMap>| map.validates();
            let suppress = match &standing.spec.suppress {
                Suppress::None | Suppress::All => false,
                Suppress::Matching(map) => asks(map),
            };
            let itself = standing.spec.route_map.as_ref().is_some_and(asks);
            standing.dirty |= itself;
            aggregates |= suppress || itself;
        }
        let mut watches = self.watches.iter().map(|it| &it.map);
        let mut defaults = self.defaults.iter().map(|it| &it.map);
        aggregates || watches.any(|it| it.validates()) || defaults.any(|it| it.validates())
    }

    /// Nothing depends on any route.
    pub(super) fn is_empty(&self) -> bool {
        self.aggregates.is_empty() && self.watches.is_empty() && self.defaults.is_empty()
    }

    /// Nothing is still to follow from the prefixes that were looked at.
    pub(super) fn is_settled(&self) -> bool {
        let holds = |it: &Watch| it.holds != it.matching.is_empty();
        let aggregates = self.aggregates.iter().all(|it| !it.dirty);
        let defaults = self.defaults.iter().all(|it| !it.dirty);
        aggregates && defaults && self.watches.iter().all(holds)
    }

    /// Memory it takes, roughly.
    pub(super) fn octets(&self) -> usize {
        let part = size_of::<(Slot, Part)>() + 1;
        let parts = self.aggregates.iter().map(|it| it.parts.capacity() * part);
        let watches = self.watches.iter().map(|it| it.matching.octets());
        let defaults = self.defaults.iter();
        let defaults = defaults.map(|it| it.matching.len() * size_of::<K>());
        let sets = self.suppressed.octets() + self.refused.octets();
        sets + parts.chain(watches).chain(defaults).sum::<usize>()
    }

    /// Other aggregates. Those that are gone or count otherwise leave the table ([`Consequence`]);
    /// true if the table is to be walked for new ones.
    pub(super) fn set_aggregates<'t>(
        &mut self,
        specs: Vec<(K, Aggregate)>,
        key_of: impl Fn(Slot) -> Option<&'t K>,
        out: &mut Vec<Consequence<K>>,
    ) -> bool
    where
        K: 't,
    {
        let mut before: HashMap<K, Standing<K>, FixedState> = HashMap::default();
        for standing in self.aggregates.drain(..) {
            before.insert(standing.key.clone(), standing);
        }
        let mut walk = false;
        let mut touched: Vec<Slot> = Vec::new();
        for (key, spec) in specs {
            let known = before.remove(&key);
            let standing = match known {
                Some(mut known) if known.spec.counts_as(&spec) => {
                    known.dirty |= known.spec != spec;
                    known.spec = spec;
                    known
                }
                known => {
                    walk = true;
                    touched.extend(known.iter().flat_map(|it| it.parts.keys().copied()));
                    Standing {
                        sum: Sum::new(spec.as_set),
                        key,
                        spec,
                        parts: HashMap::default(),
                        // The one before stands until this one is settled.
                        made: known.map_or(Err(Idle::NoRoutes), |it| it.made),
                        dirty: true,
                    }
                }
            };
            self.aggregates.push(standing);
        }
        for (key, gone) in before {
            touched.extend(gone.parts.keys().copied());
            if gone.made.is_ok() {
                out.push(Consequence::Unset(key));
            }
        }
        let keys = self.aggregates.iter().map(|it| it.key.clone());
        self.by_key = keys.zip(0..).collect();
        self.lengths = self
            .aggregates
            .iter()
            .map(|it| it.spec.prefix.len())
            .collect();
        let toggled = touched.into_iter();
        let toggled =
            toggled.filter(|slot| key_of(*slot).is_some_and(|key| self.suppress(*slot, key)));
        out.push(Consequence::Everybody(toggled.collect()));
        walk
    }

    /// All aggregates are to be made anew, of what they are made of.
    pub(super) fn remake(&mut self) {
        for standing in &mut self.aggregates {
            standing.dirty = true;
        }
    }

    /// Follows the conditions of these settings, and of no others. True if the table is to be walked
    /// for new ones.
    pub(super) fn follow<'a>(
        &mut self,
        settings: impl Iterator<Item = &'a GroupSettings> + Clone,
    ) -> bool {
        let conditions = settings.clone().filter_map(|it| it.advertise_if.as_ref());
        let maps = conditions.flat_map(|it| [&it.routes, &it.condition]);
        let maps: Vec<&Arc<RouteMap>> = maps.collect();
        let defaults = settings.filter_map(|it| match it.default_originate.as_ref()? {
            DefaultOriginate::Always => None,
            DefaultOriginate::While(map) => Some(map),
        });
        let defaults: Vec<&Arc<RouteMap>> = defaults.collect();
        self.watches.retain(|known| maps.contains(&&known.map));
        self.defaults.retain(|known| defaults.contains(&&known.map));
        let mut walk = false;
        for map in maps {
            if !self.watches.iter().any(|known| known.map == *map) {
                walk = true;
                self.watches.push(Watch {
                    map: Arc::clone(map),
                    matching: SlotSet::default(),
                    holds: false,
                    fresh: true,
                });
            }
        }
        for map in defaults {
            if !self.defaults.iter().any(|known| known.map == *map) {
                walk = true;
                self.defaults.push(Default {
                    map: Arc::clone(map),
                    matching: BTreeSet::new(),
                    made: None,
                    dirty: true,
                });
            }
        }
        walk
    }

    /// Looks at the best path of a prefix, or forgets one that has none. True if an aggregate stands
    /// for it now and did not, or the other way around.
    pub(super) fn look(&mut self, view: View<'_>, slot: Slot, entry: &Entry<K>) -> bool {
        let validation = self.validation.clone();
        let sight = (view, validation.as_ref());
        let best = entry.paths.best();
        let nlri = entry.key.nlri();
        let counted = best.filter(|path| !is_aggregate(path));
        for at in covering(&self.by_key, &self.lengths, &entry.key) {
            if let Some(standing) = self.aggregates.get_mut(at) {
                standing.count(sight, slot, &nlri, counted);
            }
        }
        for watch in &mut self.watches {
            match best.is_some_and(|path| permits(sight, &watch.map, &nlri, path)) {
                true => watch.matching.insert(slot),
                false => watch.matching.remove(slot),
            };
        }
        for default in &mut self.defaults {
            let permits = best.is_some_and(|path| permits(sight, &default.map, &nlri, path));
            default.dirty |= match permits {
                true => {
                    default.matching.insert(entry.key.clone());
                    true
                }
                false => default.matching.remove(&entry.key),
            };
        }
        !self.aggregates.is_empty() && self.suppress(slot, &entry.key)
    }

    /// Whether aggregates in force stand for a prefix; true if that is news.
    fn suppress(&mut self, slot: Slot, key: &K) -> bool {
        let stands = self.suppressor(slot, key).is_some();
        match stands {
            true => self.suppressed.insert(slot),
            false => self.suppressed.remove(slot),
        }
    }

    /// The aggregate that stands for a prefix: the widest of several.
    fn suppressor(&self, slot: Slot, key: &K) -> Option<&Standing<K>> {
        let mut covering = covering(&self.by_key, &self.lengths, key);
        covering.find_map(|at| {
            let standing = self.aggregates.get(at)?;
            let part = standing.parts.get(&slot)?;
            (standing.made.is_ok() && part.suppressed).then_some(standing)
        })
    }

    /// Settles the aggregates after the last mark. False if nothing is to be done.
    pub(super) fn settle_aggregates<'t>(
        &mut self,
        view: View<'_>,
        key_of: impl Fn(Slot) -> Option<&'t K>,
        out: &mut Vec<Consequence<K>>,
    ) -> bool
    where
        K: 't,
    {
        let mut settled = false;
        let mut turned: Vec<Slot> = Vec::new();
        for standing in self.aggregates.iter_mut().filter(|it| it.dirty) {
            standing.dirty = false;
            settled = true;
            let made = standing.make((view, self.validation.as_ref()));
            match (&standing.made, &made) {
                (Ok(before), Ok(after)) if before == after => continue,
                (_, Ok(after)) => {
                    out.push(Consequence::Set(standing.key.clone(), after.clone()));
                }
                (Ok(_), Err(_)) => out.push(Consequence::Unset(standing.key.clone())),
                (Err(_), Err(_)) => {}
            }
            if standing.made.is_ok() != made.is_ok() {
                let parts = standing.parts.iter().filter(|(_, part)| part.suppressed);
                turned.extend(parts.map(|(slot, _)| *slot));
            }
            standing.made = made;
        }
        let toggled = turned.into_iter();
        let toggled =
            toggled.filter(|slot| key_of(*slot).is_some_and(|key| self.suppress(*slot, key)));
        let toggled: Vec<Slot> = toggled.collect();
        if !toggled.is_empty() {
            out.push(Consequence::Everybody(toggled));
        }
        settled
    }

    /// Compares the conditions that hold with those that held.
    pub(super) fn settle_conditions<'t>(
        &mut self,
        view: View<'_>,
        best_of: impl Fn(&K) -> Option<&'t Path>,
        out: &mut Vec<Consequence<K>>,
    ) {
        for watch in &mut self.watches {
            let holds = !watch.matching.is_empty();
            if std::mem::replace(&mut watch.holds, holds) != holds {
                out.push(Consequence::Condition(Arc::clone(&watch.map)));
            }
        }
        for default in self.defaults.iter_mut().filter(|it| it.dirty) {
            default.dirty = false;
            let first = default.matching.first();
            let first = first.and_then(|key| Some((key.nlri(), best_of(key)?)));
            let made = first.and_then(|(nlri, path)| {
                let map = bound((view, self.validation.as_ref()), &default.map, path);
                let own = default_attributes(K::FAMILY);
                match map.evaluate_onto(
                    &nlri,
                    &path.attributes,
                    &own.freeze_with(view.config.seed),
                ) {
                    Verdict::Reject => None,
                    Verdict::Accept => Some(Changed::new(own, false)),
                    Verdict::Change {
                        set,
                        next_hop_chosen,
                    } => Some(Changed::new(set, next_hop_chosen)),
                }
            });
            if default.made != made {
                default.made = made;
                out.push(Consequence::Default(Arc::clone(&default.map)));
            }
        }
    }

    /// Prefixes that a condition with this route-map for its routes is about.
    pub(super) fn routes_of(&self, condition: &AdvertiseIf) -> impl Iterator<Item = Slot> + '_ {
        let watch = self.watch(&condition.routes);
        watch.into_iter().flat_map(|it| it.matching.iter())
    }

    fn watch(&self, map: &Arc<RouteMap>) -> Option<&Watch> {
        self.watches.iter().find(|known| known.map == *map)
    }

    /// What holds for a group, to be asked of many prefixes.
    pub(super) fn terms<'a>(&'a self, settings: &'a GroupSettings) -> Terms<'a, K> {
        let withheld = !self.suppressed.is_empty() || !self.refused.is_empty();
        let withheld = withheld.then_some(self);
        let closed = settings.advertise_if.as_ref().filter(|it| !self.holds(it));
        let closed = closed.and_then(|it| self.watch(&it.routes));
        let default = match &settings.default_originate {
            None => None,
            Some(DefaultOriginate::Always) => Some(None),
            Some(DefaultOriginate::While(map)) => {
                let mut known = self.defaults.iter();
                let known = known.find(|it| it.map == *map);
                known.and_then(|it| it.made.as_ref()).map(Some)
            }
        };
        Terms {
            withheld,
            instance: settings.instance,
            unsuppress: settings.unsuppress.as_ref(),
            validation: self.validation.as_ref(),
            closed: closed.map(|it| &it.matching),
            presence: settings.advertise_if.as_ref().map(|it| it.presence),
            default: K::default_route().zip(default),
        }
    }

    /// The condition holds, so that its routes are told.
    fn holds(&self, condition: &AdvertiseIf) -> bool {
        let there = self.watch(&condition.condition).is_some_and(|it| it.holds);
        there == (condition.presence == Presence::Exist)
    }

    /// Conditions that were followed just now hold as they stand.
    pub(super) fn begin(&mut self) {
        for watch in self.watches.iter_mut().filter(|it| it.fresh) {
            watch.holds = !watch.matching.is_empty();
            watch.fresh = false;
        }
    }

    /// Aggregates as they are shown, in the order of the configuration.
    pub(super) fn aggregates(&self) -> impl Iterator<Item = AggregateView> + '_ {
        self.aggregates.iter().map(|it| AggregateView {
            aggregate: it.spec.clone(),
            routes: it.sum.routes(),
            idle: it.made.as_ref().err().copied(),
        })
    }
}

impl<K: Key> Standing<K> {
    /// Counts a more specific route as it is now.
    fn count(&mut self, sight: Sight<'_>, slot: Slot, nlri: &Nlri, best: Option<&Path>) {
        let Some(best) = best else {
            if let Some(old) = self.parts.remove(&slot) {
                self.sum.remove(&old.attributes);
                self.dirty = true;
            }
            return;
        };
        let suppressed = match &self.spec.suppress {
            Suppress::None => false,
            Suppress::All => true,
            Suppress::Matching(map) => permits(sight, map, nlri, best),
        };
        let part = Part {
            attributes: best.attributes.clone(),
            suppressed,
        };
        self.sum.add(&part.attributes);
        if let Some(old) = self.parts.insert(slot, part) {
            self.sum.remove(&old.attributes);
        }
        self.dirty = true;
    }

    /// As it should be.
    fn make(&self, (view, validation): Sight<'_>) -> Result<Attributes, Idle> {
        let set = self
            .sum
            .attributes(&self.spec, view.config.identity.router_id)?;
        let closed = set.freeze_with(view.config.seed);
        let Some(map) = &self.spec.route_map else {
            return Ok(closed);
        };
        let map = map.validated_by(validation);
        match map.evaluate(&self.key.nlri(), &closed, None) {
            Verdict::Reject => Err(Idle::Policy),
            Verdict::Accept => Ok(closed),
            Verdict::Change { set, .. } => Ok(set.freeze_with(view.config.seed)),
        }
    }
}

/// What a group is told beside or against the table, policy apart.
pub(super) struct Terms<'a, K> {
    /// Prefixes are held back, for an aggregate or since they are not forwarded.
    withheld: Option<&'a Dependent<K>>,
    /// Told to another table of this router, which forwards by itself.
    instance: bool,
    unsuppress: Option<&'a Arc<RouteMap>>,
    validation: Option<&'a Arc<Validation>>,
    closed: Option<&'a SlotSet>,
    presence: Option<Presence>,
    /// The default route of our own, with what a route-map made of it.
    default: Option<(K, Option<&'a Changed>)>,
}

impl<'a, K: Key> Terms<'a, K> {
    /// What the default route of our own is made of, for that prefix and those who are told one.
    #[inline]
    pub(super) fn default(&self, key: &K) -> Option<Option<&'a Changed>> {
        let (prefix, changed) = self.default.as_ref()?;
        (prefix == key).then_some(*changed)
    }

    /// Why a prefix is held back, if it is.
    #[inline]
    pub(super) fn withholds(
        &self,
        view: View<'_>,
        slot: Slot,
        entry: &Entry<K>,
    ) -> Option<Withheld> {
        if self.withheld.is_none() && self.closed.is_none() {
            return None;
        }
        self.looked_at(view, slot, entry)
    }

    fn looked_at(&self, view: View<'_>, slot: Slot, entry: &Entry<K>) -> Option<Withheld> {
        if let Some(dependent) = self.withheld
            && dependent.refused.contains(slot)
            && !self.instance
            && gate::is_learned(entry)
        {
            return Some(Withheld::NotForwarded);
        }
        if let Some(dependent) = self.withheld
            && dependent.suppressed.contains(slot)
            && !self.unsuppresses(view, &entry.key.nlri(), &entry.paths)
        {
            let by = dependent.suppressor(slot, &entry.key)?;
            return Some(Withheld::Aggregated(by.spec.prefix));
        }
        if self.closed.is_some_and(|routes| routes.contains(slot)) {
            return Some(match self.presence? {
                Presence::Exist => Withheld::NothingExists,
                Presence::Absent => Withheld::NotAbsent,
            });
        }
        None
    }

    /// A suppressed prefix is told all the same.
    pub(super) fn unsuppresses(&self, view: View<'_>, nlri: &Nlri, paths: &Paths) -> bool {
        let best = self.unsuppress.zip(paths.best());
        best.is_some_and(|(map, best)| permits((view, self.validation), map, nlri, best))
    }
}

/// Positions of the aggregates that cover a key and are not the key itself, the widest first.
fn covering<K: Key>(
    by_key: &HashMap<K, usize, FixedState>,
    lengths: &BTreeSet<u8>,
    key: &K,
) -> impl Iterator<Item = usize> {
    let wider = lengths.iter().filter_map(|length| key.wider(*length));
    wider.filter_map(|wider| by_key.get(&wider).copied())
}

fn is_aggregate(path: &Path) -> bool {
    path.is(PeerId::LOCAL, aggregate::PATH_ID)
}

/// What is known of peers, and what routes are validated by.
type Sight<'a> = (View<'a>, Option<&'a Arc<Validation>>);

/// The map as it applies to a path: the neighbour that it may ask for is the one who sent it.
fn bound(view: Sight<'_>, map: &RouteMap, path: &Path) -> RouteMap {
    let from: Option<IpAddr> =
        (path.peer != PeerId::LOCAL).then(|| view.0.source(path.peer).address.ip());
    let map = match from {
        Some(address) => map.bound(Party::From(address)),
        None => map.clone(),
    };
    match map.validates() {
        true => map.validated_by(view.1),
        false => map,
    }
}

fn permits(view: Sight<'_>, map: &RouteMap, nlri: &Nlri, path: &Path) -> bool {
    let map = bound(view, map, path);
    map.evaluate(nlri, &path.attributes, None).is_accepted()
}

/// What a default route of our own starts from.
pub(super) fn default_attributes(family: crate::Family) -> AttributeSet {
    let mut set = AttributeSet::new(match family {
        crate::Family::Ipv6Unicast => NextHop::V6(std::net::Ipv6Addr::UNSPECIFIED),
        crate::Family::Ipv4Unicast | crate::Family::Evpn => {
            NextHop::V4(std::net::Ipv4Addr::UNSPECIFIED)
        }
    });
    set.med = Some(OWN_MED);
    set
}
