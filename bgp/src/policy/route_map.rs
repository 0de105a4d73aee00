//! Route-maps with FRR's meaning.
//!
//! Entries are visited in the order of their numbers. The first entry whose conditions all hold
//! decides: `deny` refuses the route; `permit` applies the sets, then asks the called map (which
//! may refuse the route for good), and ends the map unless `on_match` says to go on. A later entry
//! sees what an earlier one has set. When the end is reached, the route passes if an entry has
//! permitted it on the way, otherwise it is refused.
//!
//! What can be known when the map is built is known then: what it asks of the prefix, whether it asks
//! for the neighbour, a fingerprint of its content, the depth of calls. Maps hold the maps they
//! call, so there are no cycles, and the depth is bounded, so that evaluation cannot exhaust the
//! stack.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::attributes::Attributes;
use crate::nlri::Nlri;
use crate::policy::answers::Questions;
use crate::policy::hits::Counter;
use crate::policy::party::Needs;
use crate::policy::route::Route;
use crate::policy::{Action, Answers, Leaving, Match, Outcome, Party, Set, Step, Trace, Verdict};
use crate::rpki::Validation;

/// A named list of entries.
///
/// A clone shares the entries and their counters.
#[derive(Clone)]
pub struct RouteMap {
    body: Arc<Body>,
    party: Option<Party>,
    /// What routes are validated by, where an entry asks for that.
    validation: Option<Arc<Validation>>,
}

struct Body {
    name: String,
    entries: Vec<Entry>,
    about_key: Questions,
    needs: Needs,
    validates: bool,
    counts_paths: bool,
    depth: usize,
    fingerprint: u64,
    evaluations: Counter,
    // One for each entry.
    hits: Vec<Counter>,
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
        let depth = 1 + called().map(|map| map.body.depth).max().unwrap_or(0);
        if depth > DEPTH_MAX {
            return Err(RouteMapError::TooDeep { map: name });
        }
        let mut hasher = DefaultHasher::new();
        (&name, &entries).hash(&mut hasher);
        let matches = || entries.iter().flat_map(|entry| &entry.matches);
        let local = matches().any(|condition| matches!(condition, Match::Local));
        let own_needs = Needs {
            peer: matches()
                .any(|condition| matches!(condition, Match::Peer(_) | Match::PeerList(_))),
            // Who sent a route is who it comes from, or known beside it.
            direction: local
                || matches().any(|condition| matches!(condition, Match::Sender(_)))
                || entries
                    .iter()
                    .flat_map(|entry| &entry.sets)
                    .any(Set::depends_on_direction),
            vrf: local || matches().any(|condition| matches!(condition, Match::SourceVrf(_))),
        };
        let validates = matches().any(|condition| matches!(condition, Match::Rpki(_)))
            || called().any(RouteMap::validates);
        let counts_paths = entries
            .iter()
            .flat_map(|entry| &entry.sets)
            .any(Set::counts_paths)
            || called().any(RouteMap::counts_paths);
        let about_key = match called().all(|map| map.body.about_key.conditions().is_some()) {
            true => Questions::new(matches().chain(called().flat_map(RouteMap::about_key))),
            false => Questions::default(),
        };
        let body = Body {
            about_key,
            needs: called().fold(own_needs, |needs, map| needs.and(map.body.needs)),
            validates,
            counts_paths,
            depth,
            fingerprint: hasher.finish(),
            evaluations: Counter::default(),
            hits: entries.iter().map(|_| Counter::default()).collect(),
            name,
            entries,
        };
        Ok(Self {
            body: Arc::new(body),
            party: None,
            validation: None,
        })
    }

    /// The map as it applies to the routes from or to one neighbour. Equal to the map itself, and
    /// so to that of other neighbours, if it does not ask who that is.
    pub fn bound(&self, party: Party) -> Self {
        Self {
            body: self.body.clone(),
            party: self.body.needs.of(party),
            validation: self.validation.clone(),
        }
    }

    /// True if an entry, here or in a map that is called, asks what origin validation says.
    pub fn validates(&self) -> bool {
        self.body.validates
    }

    /// True if an entry, here or in a map that is called, asks for the paths that forward together.
    pub fn counts_paths(&self) -> bool {
        self.body.counts_paths
    }

    /// The map with the table by which it validates; without one it finds nothing. Equal to the
    /// map with another table: which one is in use is no setting of a neighbour.
    pub fn validated_by(&self, validation: Option<&Arc<Validation>>) -> Self {
        Self {
            validation: validation.filter(|_| self.validates()).cloned(),
            ..self.clone()
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// What the map is bound to.
    pub(super) fn party(&self) -> Option<Party> {
        self.party
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.body.entries
    }

    /// True if the first entry denies everything, or there is none.
    pub fn rejects_all(&self) -> bool {
        let denies = |entry: &Entry| entry.action == Action::Deny && entry.matches.is_empty();
        self.entries().first().is_none_or(denies)
    }

    /// What the conditions about a route's key say, here and in maps that are called; see
    /// [`crate::policy::Policy::answers`].
    pub fn answers(&self, nlri: impl FnOnce() -> Nlri) -> Option<Answers> {
        let Some(validation) = &self.validation else {
            return self.body.about_key.ask(nlri);
        };
        let nlri = nlri();
        let cover = nlri.prefix().map_or(0, |it| validation.vrps.cover(it));
        let answers = self.body.about_key.ask(|| nlri)?;
        Some(answers.with_cover(cover))
    }

    fn about_key(&self) -> &[Match] {
        self.body.about_key.conditions().unwrap_or_default()
    }

    /// How often the map was evaluated, not counting evaluations with a trace. Tables keep one
    /// result for routes that come together with equal attributes and equal [`Answers`].
    pub fn evaluations(&self) -> u64 {
        self.body.evaluations.get()
    }

    /// The entries in order, each with how often it matched, counted as
    /// [`RouteMap::evaluations`] are.
    pub fn hits(&self) -> impl Iterator<Item = (&Entry, u64)> {
        let hits = self.body.hits.iter().map(Counter::get);
        self.body.entries.iter().zip(hits)
    }

    /// Decides about one route; see [`crate::policy::Policy::evaluate`].
    pub fn evaluate(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        trace: Option<&mut Trace>,
    ) -> Verdict {
        self.evaluate_leaving(nlri, attributes, Leaving::default(), trace)
    }

    /// The same for a path on its way out; see [`crate::policy::Policy::evaluate_leaving`].
    pub fn evaluate_leaving(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        leaving: Leaving,
        trace: Option<&mut Trace>,
    ) -> Verdict {
        let mut route = Route::new(nlri, attributes, self.party);
        route = route
            .validated_by(self.validation.as_deref())
            .leaving(leaving);
        match self.body.walk(&mut route, trace, 0) {
            Action::Permit => route.accept(),
            Action::Deny => Verdict::Reject,
        }
    }

    /// Decides about a route, and changes another one: what passes is `onto` as the entries that let
    /// the route through would change it.
    pub fn evaluate_onto(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        onto: &Attributes,
    ) -> Verdict {
        let seen = Route::new(nlri, attributes, self.party);
        let seen = seen.validated_by(self.validation.as_deref());
        let mut changed = Route::new(nlri, onto, self.party);
        match self.body.walk_onto(&seen, &mut changed) {
            Action::Permit => changed.accept(),
            Action::Deny => Verdict::Reject,
        }
    }
}

impl Body {
    fn walk_onto(&self, seen: &Route<'_>, onto: &mut Route<'_>) -> Action {
        let mut result = Action::Deny;
        let mut from = 0;
        for entry in &self.entries {
            if entry.seq < from || !entry.matches.iter().all(|it| it.holds(seen)) {
                continue;
            }
            if entry.action == Action::Deny {
                return Action::Deny;
            }
            entry.sets.iter().for_each(|set| set.apply(onto));
            let called = entry.call.as_ref();
            if called.is_some_and(|map| map.body.walk_onto(seen, onto) == Action::Deny) {
                return Action::Deny;
            }
            result = Action::Permit;
            match entry.on_match {
                OnMatch::Exit => return result,
                OnMatch::Next => {}
                OnMatch::Goto(seq) => from = seq,
            }
        }
        result
    }

    fn walk(&self, route: &mut Route<'_>, mut trace: Option<&mut Trace>, depth: usize) -> Action {
        let mut result = Action::Deny;
        let mut from = 0;
        if trace.is_none() {
            self.evaluations.count();
        }
        for (entry, hits) in self.entries.iter().zip(&self.hits) {
            if entry.seq < from {
                continue;
            }
            let outcome = match trace.as_deref_mut() {
                None => entry.visit(route, hits),
                Some(trace) => self.visit_traced(entry, route, trace, depth),
            };
            if let (Outcome::Call, Some(map)) = (outcome, &entry.call) {
                // FRR: a called map that denies ends the processing and denies the route,
                // whatever the entry's exit policy says.
                if map.body.walk(route, trace.as_deref_mut(), depth + 1) == Action::Deny {
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

    /// Checks and applies one entry, up to its call, and says what was found.
    fn visit_traced(
        &self,
        entry: &Entry,
        route: &mut Route<'_>,
        trace: &mut Trace,
        depth: usize,
    ) -> Outcome {
        let mut checks = Vec::new();
        for condition in &entry.matches {
            checks.push(condition.check(route));
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
        let (one, two) = (&self.body, &other.body);
        self.party == other.party
            && (Arc::ptr_eq(one, two)
                || one.fingerprint == two.fingerprint
                    && one.name == two.name
                    && one.entries == two.entries)
    }
}

impl Eq for RouteMap {}

impl Hash for RouteMap {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.body.fingerprint.hash(state);
        self.party.hash(state);
    }
}

impl fmt::Debug for RouteMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteMap")
            .field("name", &self.body.name)
            .field("entries", &self.body.entries)
            .field("party", &self.party)
            .finish_non_exhaustive()
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
    /// What people say it is for.
    pub description: Option<String>,
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
            description: None,
            action,
            matches: Vec::new(),
            sets: Vec::new(),
            call: None,
            on_match: OnMatch::Exit,
        }
    }

    /// Says what it is for. Default: nothing.
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
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

    /// Checks and applies the entry, up to its call.
    fn visit(&self, route: &mut Route<'_>, hits: &Counter) -> Outcome {
        let matched = self.matches.iter().all(|condition| condition.holds(route));
        if matched {
            hits.count();
            if self.action == Action::Permit {
                self.sets.iter().for_each(|set| set.apply(route));
            }
        }
        self.outcome(matched)
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

#[cfg(test)]
mod tests;
