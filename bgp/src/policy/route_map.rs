//! Route-maps with FRR's meaning.
//!
//! Entries are visited in the order of their numbers. The first entry whose conditions all hold
//! decides: `deny` refuses the route; `permit` applies the sets, then asks the called map (which
//! may refuse the route for good), and ends the map unless `on_match` says to go on. A later entry
//! sees what an earlier one has set. When the end is reached, the route passes if an entry has
//! permitted it on the way, otherwise it is refused.
//!
//! What can be known when the map is built is known then: whether it looks at the prefix, a
//! fingerprint of its content, the depth of calls. Maps hold the maps they call, so there are no
//! cycles, and the depth is bounded, so that evaluation cannot exhaust the stack.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, NextHop, Origin};
use crate::community::{Community, LargeCommunity};
use crate::evpn_route::{EvpnKey, Vni};
use crate::family::Family;
use crate::nlri::Nlri;
use crate::policy::route::Route;
use crate::policy::{
    Action, Change, Check, Communities, Outcome, PrefixList, Step, Trace, Verdict,
};
use crate::prefix::Prefix;

/// A named list of entries.
#[derive(Debug, Clone)]
pub struct RouteMap {
    name: String,
    entries: Vec<Entry>,
    depends_on_nlri: bool,
    depth: usize,
    fingerprint: u64,
}

/// Maps that call maps that call maps: no more than this many in a row.
const DEPTH_MAX: usize = 16;

impl RouteMap {
    /// A map of entries in order of their numbers.
    pub fn new(name: impl Into<String>, mut entries: Vec<Entry>) -> Result<Self, RouteMapError> {
        let name = name.into();
        entries.sort_by_key(|entry| entry.seq);
        for (entry, next) in entries.iter().zip(entries.iter().skip(1)) {
            if entry.seq == next.seq {
                return Err(RouteMapError::DuplicateSeq {
                    map: name,
                    seq: entry.seq,
                });
            }
        }
        for entry in &entries {
            if let OnMatch::Goto(target) = entry.on_match
                && target <= entry.seq
            {
                return Err(RouteMapError::GotoBackwards {
                    map: name,
                    seq: entry.seq,
                    target,
                });
            }
        }
        let called = || entries.iter().filter_map(|entry| entry.call.as_deref());
        let depth = 1 + called().map(|map| map.depth).max().unwrap_or(0);
        if depth > DEPTH_MAX {
            return Err(RouteMapError::TooDeep { map: name });
        }
        let mut hasher = DefaultHasher::new();
        (&name, &entries).hash(&mut hasher);
        Ok(Self {
            depends_on_nlri: entries
                .iter()
                .flat_map(|entry| &entry.matches)
                .any(Match::depends_on_nlri)
                || called().any(RouteMap::depends_on_nlri),
            depth,
            fingerprint: hasher.finish(),
            name,
            entries,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// True if two routes with equal attributes can get different verdicts, here or in a map that
    /// is called.
    pub fn depends_on_nlri(&self) -> bool {
        self.depends_on_nlri
    }

    /// Decides about one route; see [`crate::policy::Policy::evaluate`].
    pub fn evaluate(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        trace: Option<&mut Trace>,
    ) -> Verdict {
        let mut route = Route::new(attributes);
        match self.walk(nlri, &mut route, trace, 0) {
            Action::Permit => route.accept(),
            Action::Deny => Verdict::Reject,
        }
    }

    fn walk(
        &self,
        nlri: &Nlri,
        route: &mut Route<'_>,
        mut trace: Option<&mut Trace>,
        depth: usize,
    ) -> Action {
        let mut result = Action::Deny;
        let mut from = 0;
        for entry in &self.entries {
            if entry.seq < from {
                continue;
            }
            let outcome = self.visit(entry, nlri, route, trace.as_deref_mut(), depth);
            if let (Outcome::Call, Some(map)) = (outcome, &entry.call) {
                // FRR: a called map that denies ends the processing and denies the route,
                // whatever the entry's exit policy says.
                if map.walk(nlri, route, trace.as_deref_mut(), depth + 1) == Action::Deny {
                    return Action::Deny;
                }
            }
            match (outcome, entry.on_match) {
                (Outcome::NotMatched, _) => {}
                (Outcome::Denied, _) => return Action::Deny,
                (Outcome::Permitted, _) | (Outcome::Call, OnMatch::Exit) => return Action::Permit,
                (Outcome::Next, _) | (Outcome::Call, OnMatch::Next) => result = Action::Permit,
                (Outcome::Goto(seq), _) | (Outcome::Call, OnMatch::Goto(seq)) => {
                    result = Action::Permit;
                    from = seq;
                }
            }
        }
        if let Some(trace) = trace {
            trace.push(Step::End {
                map: self.name.clone(),
                depth,
                action: result,
            });
        }
        result
    }

    /// Checks and applies one entry, up to its call.
    fn visit(
        &self,
        entry: &Entry,
        nlri: &Nlri,
        route: &mut Route<'_>,
        trace: Option<&mut Trace>,
        depth: usize,
    ) -> Outcome {
        let Some(trace) = trace else {
            let matched = entry.matches.iter().all(|m| m.holds(nlri, route));
            if matched && entry.action == Action::Permit {
                entry.sets.iter().for_each(|set| set.apply(route));
            }
            return entry.outcome(matched);
        };
        let mut checks = Vec::new();
        for condition in &entry.matches {
            checks.push(condition.check(nlri, route));
            if checks.last().is_some_and(|check| !check.holds) {
                break;
            }
        }
        let matched = checks.iter().all(|check| check.holds);
        let mut changes = Vec::new();
        if matched && entry.action == Action::Permit {
            changes.extend(entry.sets.iter().map(|set| set.apply_traced(route)));
        }
        let outcome = entry.outcome(matched);
        trace.push(Step::Entry {
            map: self.name.clone(),
            depth,
            seq: entry.seq,
            action: entry.action,
            checks,
            changes,
            outcome,
        });
        outcome
    }
}

impl PartialEq for RouteMap {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            && self.name == other.name
            && self.entries == other.entries
    }
}

impl Eq for RouteMap {}

impl Hash for RouteMap {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

/// A route-map that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteMapError {
    /// Two entries with one number.
    #[error("sequence number {seq} is used by two entries of `{map}`")]
    DuplicateSeq {
        /// Name of the map.
        map: String,
        /// The number.
        seq: u32,
    },
    /// An entry that goes on at itself or before, which would never end.
    #[error("entry {seq} of `{map}` goes to {target}, which does not lie behind it")]
    GotoBackwards {
        /// Name of the map.
        map: String,
        /// Number of the entry.
        seq: u32,
        /// Where it wants to go.
        target: u32,
    },
    /// Too many maps call each other in a row.
    #[error("`{map}` calls route-maps more than {DEPTH_MAX} deep")]
    TooDeep {
        /// Name of the map.
        map: String,
    },
}

/// One entry of a [`RouteMap`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Place in the map.
    pub seq: u32,
    /// What happens to a route that matches.
    pub action: Action,
    /// All of them must hold; none means that every route matches.
    pub matches: Vec<Match>,
    /// Applied in order when a permit entry matches.
    pub sets: Vec<Set>,
    /// The map that is asked after the sets.
    pub call: Option<Arc<RouteMap>>,
    /// What follows a match of a permit entry.
    pub on_match: OnMatch,
}

impl Entry {
    /// An entry that matches every route, changes nothing and ends the map.
    pub fn new(seq: u32, action: Action) -> Self {
        Self {
            seq,
            action,
            matches: Vec::new(),
            sets: Vec::new(),
            call: None,
            on_match: OnMatch::Exit,
        }
    }

    /// Adds a condition.
    pub fn when(mut self, condition: Match) -> Self {
        self.matches.push(condition);
        self
    }

    /// Adds a change.
    pub fn set(mut self, set: Set) -> Self {
        self.sets.push(set);
        self
    }

    /// Asks another map after the sets. Default: none.
    pub fn call(mut self, map: Arc<RouteMap>) -> Self {
        self.call = Some(map);
        self
    }

    /// What follows a match. Default: the map ends.
    pub fn on_match(mut self, on_match: OnMatch) -> Self {
        self.on_match = on_match;
        self
    }

    fn outcome(&self, matched: bool) -> Outcome {
        match (matched, self.action, &self.call, self.on_match) {
            (false, ..) => Outcome::NotMatched,
            (true, Action::Deny, ..) => Outcome::Denied,
            (true, Action::Permit, Some(_), _) => Outcome::Call,
            (true, Action::Permit, None, OnMatch::Exit) => Outcome::Permitted,
            (true, Action::Permit, None, OnMatch::Next) => Outcome::Next,
            (true, Action::Permit, None, OnMatch::Goto(seq)) => Outcome::Goto(seq),
        }
    }
}

/// What follows when a permit entry has matched (FRR: `on-match`, `continue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnMatch {
    /// The map ends and the route passes.
    #[default]
    Exit,
    /// The next entry is visited too.
    Next,
    /// The first entry with this number or a higher one is visited.
    Goto(u32),
}

/// A condition of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Match {
    /// The list permits the route's prefix: that of a unicast route or of an EVPN type 5 route,
    /// or the host of an EVPN type 2 route with an IP address. Routes without one do not match.
    PrefixList(Arc<PrefixList>),
    /// The list permits the next hop as a host prefix.
    NextHop(Arc<PrefixList>),
    /// The communities are there.
    Community {
        /// Which.
        communities: Communities,
        /// And no others.
        exact: bool,
    },
    /// All of these large communities are there.
    LargeCommunity(Vec<LargeCommunity>),
    /// The AS number stands somewhere in the path.
    AsPathContains(Asn),
    /// LOCAL_PREF is this; a missing one counts as 100.
    LocalPref(u32),
    /// MULTI_EXIT_DISC is this; a missing one counts as 0.
    Metric(u32),
    /// ORIGIN is this.
    Origin(Origin),
    /// The route is of this family.
    Family(Family),
    /// The route is an EVPN route of this type.
    EvpnRouteType(u8),
    /// The EVPN route carries this VNI as a label or in its PMSI tunnel.
    Vni(Vni),
}

impl Match {
    fn depends_on_nlri(&self) -> bool {
        match self {
            Match::PrefixList(_) | Match::Family(_) | Match::EvpnRouteType(_) => true,
            Match::NextHop(_)
            | Match::Community { .. }
            | Match::LargeCommunity(_)
            | Match::AsPathContains(_)
            | Match::LocalPref(_)
            | Match::Metric(_)
            | Match::Origin(_)
            | Match::Vni(_) => false,
        }
    }

    fn holds(&self, nlri: &Nlri, route: &Route<'_>) -> bool {
        match self {
            Match::PrefixList(list) => prefix_of(nlri).is_some_and(|prefix| list.permits(prefix)),
            Match::NextHop(list) => list.permits(Prefix::host(route.next_hop().addr())),
            Match::Community { communities, exact } => {
                communities.matches(route.communities(), *exact)
            }
            Match::LargeCommunity(wanted) => wanted
                .iter()
                .all(|community| route.large_communities().any(|other| other == *community)),
            Match::AsPathContains(asn) => route.as_path().any(|other| other == *asn),
            Match::LocalPref(value) => route.local_pref() == *value,
            Match::Metric(value) => route.metric() == *value,
            Match::Origin(origin) => route.origin() == *origin,
            Match::Family(family) => nlri.family() == *family,
            Match::EvpnRouteType(wanted) => match nlri {
                Nlri::Evpn(key) => key.route_type() == *wanted,
                Nlri::V4(_) | Nlri::V6(_) => false,
            },
            Match::Vni(vni) => route.vnis().contains(&Some(vni.get())),
        }
    }

    /// The same with what was looked at, in words.
    fn check(&self, nlri: &Nlri, route: &Route<'_>) -> Check {
        let found = match self {
            Match::PrefixList(list) => found_in(list, prefix_of(nlri)),
            Match::NextHop(list) => found_in(list, Some(Prefix::host(route.next_hop().addr()))),
            Match::Community { .. } => list_of(route.communities()),
            Match::LargeCommunity(_) => list_of(route.large_communities()),
            Match::AsPathContains(_) => list_of(route.as_path()),
            Match::LocalPref(_) => route.local_pref().to_string(),
            Match::Metric(_) => route.metric().to_string(),
            Match::Origin(_) => origin_name(route.origin()).to_owned(),
            Match::Family(_) => nlri.family().to_string(),
            Match::EvpnRouteType(_) => match nlri {
                Nlri::Evpn(key) => format!("type {}", key.route_type()),
                Nlri::V4(_) | Nlri::V6(_) => "not an EVPN route".to_owned(),
            },
            Match::Vni(_) => list_of(route.vnis().into_iter().flatten()),
        };
        Check {
            condition: self.to_string(),
            found,
            holds: self.holds(nlri, route),
        }
    }
}

/// The condition as the configuration spells it.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::PrefixList(list) => write!(f, "prefix_list {}", list.name()),
            Match::NextHop(list) => write!(f, "next_hop {}", list.name()),
            Match::Community { communities, exact } => {
                let exact = if *exact { " exact" } else { "" };
                write!(f, "community {communities}{exact}")
            }
            Match::LargeCommunity(wanted) => {
                write!(f, "large_community {}", list_of(wanted.iter()))
            }
            Match::AsPathContains(asn) => write!(f, "as_path_contains {asn}"),
            Match::LocalPref(value) => write!(f, "local_preference {value}"),
            Match::Metric(value) => write!(f, "metric {value}"),
            Match::Origin(origin) => write!(f, "origin {}", origin_name(*origin)),
            Match::Family(family) => write!(f, "family {family}"),
            Match::EvpnRouteType(number) => write!(f, "evpn_route_type {number}"),
            Match::Vni(vni) => write!(f, "vni {vni}"),
        }
    }
}

/// The prefix a prefix list looks at.
fn prefix_of(nlri: &Nlri) -> Option<Prefix> {
    match nlri {
        Nlri::Evpn(EvpnKey::MacIp { ip, .. }) => ip.map(Prefix::host),
        Nlri::Evpn(_) | Nlri::V4(_) | Nlri::V6(_) => nlri.prefix(),
    }
}

fn found_in(list: &PrefixList, prefix: Option<Prefix>) -> String {
    match prefix.map(|prefix| (prefix, list.lookup(prefix))) {
        None => "the route has no prefix".to_owned(),
        Some((prefix, Some(rule))) => format!("{prefix}: {rule}"),
        Some((prefix, None)) => format!("{prefix}: no rule"),
    }
}

/// Values with spaces between, `none` for no value.
fn list_of<T: ToString>(values: impl Iterator<Item = T>) -> String {
    let words: Vec<String> = values.map(|value| value.to_string()).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" ")
    }
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

/// A change an entry makes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Set {
    /// MULTI_EXIT_DISC; a missing one counts as 0.
    Metric(Number),
    /// LOCAL_PREF; a missing one counts as 100.
    LocalPref(Number),
    /// Puts these numbers in front of the path, the first one leftmost.
    AsPathPrepend(Vec<Asn>),
    /// Communities.
    Community(CommunityChange),
    /// Replaces all large communities.
    LargeCommunity(Vec<LargeCommunity>),
    /// Adds large communities.
    LargeCommunityAdd(Vec<LargeCommunity>),
    /// ORIGIN.
    Origin(Origin),
    /// Next hop, for routes whose next hop is of the same IP version; others keep theirs.
    NextHop(IpAddr),
}

/// How a number changes; the result stays within 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Becomes this.
    Replace(u32),
    /// Grows by this.
    Add(u32),
    /// Shrinks by this.
    Sub(u32),
}

impl Number {
    fn of(self, before: u32) -> u32 {
        match self {
            Number::Replace(value) => value,
            Number::Add(value) => before.saturating_add(value),
            Number::Sub(value) => before.saturating_sub(value),
        }
    }
}

/// `100`, `+10` or `-10`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Replace(value) => write!(f, "{value}"),
            Number::Add(value) => write!(f, "+{value}"),
            Number::Sub(value) => write!(f, "-{value}"),
        }
    }
}

/// How the communities change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CommunityChange {
    /// They become these.
    Replace(Vec<Community>),
    /// These are added.
    Add(Vec<Community>),
    /// These are removed.
    Delete(Communities),
    /// All are removed.
    Clear,
}

impl Set {
    fn apply(&self, route: &mut Route<'_>) {
        let (metric, local_pref) = (route.metric(), route.local_pref());
        let set = route.open();
        match self {
            Set::Metric(number) => set.med = Some(number.of(metric)),
            Set::LocalPref(number) => set.local_pref = Some(number.of(local_pref)),
            Set::AsPathPrepend(asns) => {
                asns.iter().rev().for_each(|asn| set.prepend(*asn, 1));
            }
            Set::Community(change) => change.apply(set),
            Set::LargeCommunity(communities) => {
                set.large_communities.clear();
                unite(&mut set.large_communities, communities);
            }
            Set::LargeCommunityAdd(communities) => unite(&mut set.large_communities, communities),
            Set::Origin(origin) => set.origin = *origin,
            Set::NextHop(addr) => {
                if set.next_hop.addr().is_ipv4() == addr.is_ipv4() {
                    set.next_hop = NextHop::from(*addr);
                }
            }
        }
    }

    fn apply_traced(&self, route: &mut Route<'_>) -> Change {
        let (name, before) = self.value(route);
        self.apply(route);
        let (_, after) = self.value(route);
        Change {
            name,
            before,
            after,
        }
    }

    /// What it changes, with the value as it stands.
    fn value(&self, route: &Route<'_>) -> (&'static str, String) {
        match self {
            Set::Metric(_) => ("metric", list_of(route.med().into_iter())),
            Set::LocalPref(_) => ("local_preference", route.local_pref().to_string()),
            Set::AsPathPrepend(_) => ("as_path", list_of(route.as_path())),
            Set::Community(_) => ("community", list_of(route.communities())),
            Set::LargeCommunity(_) | Set::LargeCommunityAdd(_) => {
                ("large_community", list_of(route.large_communities()))
            }
            Set::Origin(_) => ("origin", origin_name(route.origin()).to_owned()),
            Set::NextHop(_) => ("next_hop", route.next_hop().addr().to_string()),
        }
    }
}

impl CommunityChange {
    fn apply(&self, set: &mut AttributeSet) {
        let communities = &mut set.communities;
        match self {
            CommunityChange::Replace(new) => {
                communities.clear();
                unite(communities, new);
            }
            CommunityChange::Add(new) => unite(communities, new),
            CommunityChange::Delete(named) => communities.retain(|c| !named.contains(*c)),
            CommunityChange::Clear => communities.clear(),
        }
    }
}

/// Adds what is missing and keeps the order that a frozen set has.
fn unite<T: Copy + Ord>(into: &mut Vec<T>, more: &[T]) {
    into.extend_from_slice(more);
    into.sort();
    into.dedup();
}

#[cfg(test)]
mod tests;
