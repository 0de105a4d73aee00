//! Policy: which routes a neighbour gives and gets, and what is changed on the way.
//!
//! A [`Policy`] stands for one neighbour, family and direction. It lets everything through,
//! refuses everything with a reason, or asks a [`RouteMap`]: a list of entries with FRR's meaning
//! (sequence, match, set, call, on-match). The route comes in as its key and its closed
//! [`Attributes`]; a [`Verdict`] comes out. The attributes are opened only when an entry changes
//! them, so that a route that passes untouched costs no allocation. On request a [`Trace`] is
//! filled with each entry visited and why it matched or not.
//!
//! A route-map owns what it refers to (`Arc`), so there is nothing to look up and nothing that can
//! be missing during evaluation. One that asks for the neighbour is bound to it beforehand
//! ([`Party`]); one that asks for origin validation carries the table ([`RouteMap::validated_by`]),
//! which the routing tables hand in. Lists and maps are compared by content: a reload that builds the same tree again
//! has changed nothing. What is counted stands beside the content ([`RouteMap::hits`]).
//!
//! Nothing here reads text except the one-line rules of lists, nothing logs, and nothing knows of
//! sessions: what every route of a neighbour undergoes (next hop, RFC 9234, RFC 8326) is the
//! business of [`crate::rib`].

use std::fmt;
use std::sync::Arc;

use crate::attributes::{AttributeSet, Attributes};
use crate::nlri::Nlri;
use crate::rpki::{Validation, Validity};

mod answers;
mod as_path;
mod change;
mod community_list;
mod condition;
mod difference;
mod hits;
mod list;
mod mac_list;
mod party;
mod pattern;
mod prefix_list;
mod route;
mod route_map;
mod rule;
mod trace;

pub use answers::Answers;
pub use as_path::{AsPathList, AsPathRule};
pub use change::{
    AsPathExclude, Bandwidth, BandwidthAmount, CommunityChange, Leaving, NextHopChange, Number,
    Set, Together,
};
pub use community_list::{
    Communities, CommunityList, CommunityRule, ExtendedCommunityList, Extent, Kind,
    LargeCommunityList, Subject, communities,
};
pub use condition::Match;
pub(crate) use difference::Difference;
pub use list::{List, ListError, Rule, number_rules};
pub use mac_list::{MacList, MacRule};
pub use party::Party;
pub use pattern::{Pattern, PatternError};
pub use prefix_list::{PrefixList, PrefixRule};
pub use route_map::{Entry, OnMatch, RouteMap, RouteMapError};
pub use rule::RuleError;
pub use trace::{Change, Check, Outcome, Step, Trace};

/// What applies to the routes of one neighbour, family and direction.
///
/// Equality is by content and cheap (pointer, then fingerprint, first), and so is the hash: a
/// policy can be the key that groups neighbours who are told the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Every route passes unchanged.
    AcceptAll,
    /// No route passes, for the reason given (for example RFC 8212).
    RejectAll(Arc<str>),
    /// A route-map decides.
    Map(Arc<RouteMap>),
}

impl Policy {
    /// Decides about one route.
    ///
    /// Does not allocate unless the route is changed or `trace` is given.
    pub fn evaluate(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        trace: Option<&mut Trace>,
    ) -> Verdict {
        self.evaluate_leaving(nlri, attributes, Leaving::default(), trace)
    }

    /// The same for a path on its way out.
    pub fn evaluate_leaving(
        &self,
        nlri: &Nlri,
        attributes: &Attributes,
        leaving: Leaving,
        trace: Option<&mut Trace>,
    ) -> Verdict {
        match self {
            Policy::AcceptAll => {
                if let Some(trace) = trace {
                    trace.push(Step::AcceptAll);
                }
                Verdict::Accept
            }
            Policy::RejectAll(reason) => {
                if let Some(trace) = trace {
                    trace.push(Step::RejectAll(reason.clone()));
                }
                Verdict::Reject
            }
            Policy::Map(map) => map.evaluate_leaving(nlri, attributes, leaving, trace),
        }
    }

    /// What the conditions about a route's key alone say. Routes of one family with equal
    /// attributes and equal answers get one verdict; `None` when there are too many conditions to
    /// say so. The key is asked for only if something depends on it.
    pub fn answers(&self, nlri: impl FnOnce() -> Nlri) -> Option<Answers> {
        match self {
            Policy::AcceptAll | Policy::RejectAll(_) => Some(Answers::default()),
            Policy::Map(map) => map.answers(nlri),
        }
    }

    /// True if no route can pass. Such a policy is not asked, so its hits are not counted.
    pub fn rejects_all(&self) -> bool {
        match self {
            Policy::AcceptAll => false,
            Policy::RejectAll(_) => true,
            Policy::Map(map) => map.rejects_all(),
        }
    }

    /// True if a route-map decides that asks what origin validation says.
    pub fn validates(&self) -> bool {
        self.map().is_some_and(|map| map.validates())
    }

    /// True if a route-map decides that asks for the paths that forward together.
    pub(crate) fn counts_paths(&self) -> bool {
        self.map().is_some_and(|map| map.counts_paths())
    }

    /// Gives a route-map that asks for it the table by which it validates.
    pub(crate) fn validate_by(&mut self, validation: Option<&Arc<Validation>>) {
        if let Policy::Map(map) = self
            && map.validates()
        {
            *map = Arc::new(map.validated_by(validation));
        }
    }

    /// The route-map, if one decides.
    pub fn map(&self) -> Option<&Arc<RouteMap>> {
        match self {
            Policy::AcceptAll | Policy::RejectAll(_) => None,
            Policy::Map(map) => Some(map),
        }
    }
}

/// What origin validation says of a unicast route with these attributes.
pub(crate) fn validity(
    nlri: &Nlri,
    attributes: &Attributes,
    validation: &Validation,
) -> Option<Validity> {
    route::Route::new(nlri, attributes, None)
        .validated_by(Some(validation))
        .validity()
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::AcceptAll => f.write_str("accept all"),
            Policy::RejectAll(reason) => write!(f, "reject all: {reason}"),
            Policy::Map(map) => write!(f, "route-map {}", map.name()),
        }
    }
}

/// What policy makes of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
// Passed by value from the evaluation to the one place that freezes it; a box would only add an
// allocation to the path that already has several.
#[allow(clippy::large_enum_variant)]
pub enum Verdict {
    /// The route does not pass.
    Reject,
    /// The route passes as it is.
    Accept,
    /// The route passes with other attributes.
    Change {
        /// These.
        set: AttributeSet,
        /// Policy chose the next hop in `set`, and whoever sends the route keeps it: also one that
        /// is what was learned. An unspecified one is filled in by the sender.
        next_hop_chosen: bool,
    },
}

impl Verdict {
    /// True unless the route is refused.
    pub fn is_accepted(&self) -> bool {
        match self {
            Verdict::Reject => false,
            Verdict::Accept | Verdict::Change { .. } => true,
        }
    }
}

/// Permit or deny: of a list's rule and of a route-map's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Lets through what matches.
    Permit,
    /// Refuses what matches.
    Deny,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Permit => "permit",
            Action::Deny => "deny",
        })
    }
}

#[cfg(test)]
mod tests;
