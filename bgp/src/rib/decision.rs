//! The decision process (RFC 4271 §9.1.2.2, RFC 4456 §9).
//!
//! Candidates are narrowed step by step, as the RFC writes it, and not compared in pairs: with
//! MEDs that only compare within one neighbouring AS a pairwise order is not transitive, and the
//! result would depend on the order of arrival. The step at which a path fell out is the reason
//! that `explain` prints; nothing is computed a second time for display.
//!
//! Age plays no part: the same paths give the same best path whatever came first.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::path::{Path, PeerId};
use crate::asn::Asn;
use crate::attributes::Origin;

/// LOCAL_PREF of a path that carries none (RFC 4271 §5.1.5: local policy; 100 as everywhere).
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// What the decision needs to know of who sent a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Another AS (eBGP).
    pub external: bool,
    /// BGP identifier of the peer.
    pub router_id: Ipv4Addr,
    /// Address of the peer.
    pub address: IpAddr,
}

/// How many paths forward together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipath {
    /// At most this many, 1 switches multipath off.
    pub paths: usize,
    /// AS paths need the same length only, not the same content.
    pub as_path_relax: bool,
}

impl Default for Multipath {
    fn default() -> Self {
        Self {
            paths: 1,
            as_path_relax: false,
        }
    }
}

/// The step at which a path lost to the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Rejected by policy or a loop check: not a candidate.
    Ineligible,
    /// Lower LOCAL_PREF (RFC 4271 §9.1.1).
    LocalPref,
    /// Not originated here.
    Local,
    /// Longer AS path (§9.1.2.2 a).
    AsPathLength,
    /// Higher origin (§9.1.2.2 b).
    Origin,
    /// Higher MED from the same neighbouring AS (§9.1.2.2 c).
    Med,
    /// From iBGP where the best is from eBGP (§9.1.2.2 d).
    External,
    /// Higher router or originator identifier (§9.1.2.2 f, RFC 4456 §9).
    RouterId,
    /// Longer cluster list (RFC 4456 §9).
    ClusterLength,
    /// Higher peer address (§9.1.2.2 g).
    PeerAddress,
    /// Higher path identifier of the same peer.
    PathId,
}

impl Step {
    /// The step in an operator's words.
    pub fn describe(self) -> &'static str {
        match self {
            Step::Ineligible => "rejected before the decision",
            Step::LocalPref => "lower local preference",
            Step::Local => "not originated by this router",
            Step::AsPathLength => "longer AS path",
            Step::Origin => "higher origin",
            Step::Med => "higher MED from the same neighbouring AS",
            Step::External => "learned from iBGP, the best from eBGP",
            Step::RouterId => "higher router identifier",
            Step::ClusterLength => "longer cluster list",
            Step::PeerAddress => "higher neighbour address",
            Step::PathId => "higher path identifier",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// Result of a decision over the paths of one prefix, by their positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// The best path, if any takes part.
    pub(super) best: Option<usize>,
    /// Paths that forward beside the best one, in order of preference.
    pub(super) multipath: Vec<usize>,
}

/// Chooses among `paths`. `lost(position, step)` is told of every path but the best.
pub(super) fn choose(
    paths: &[Path],
    source: impl Fn(PeerId) -> Source,
    options: Multipath,
    mut lost: impl FnMut(usize, Step),
) -> Choice {
    let mut field = Field {
        paths,
        left: Vec::with_capacity(paths.len()),
    };
    for (at, path) in paths.iter().enumerate() {
        if path.standing.takes_part() {
            field.left.push(at);
        } else {
            lost(at, Step::Ineligible);
        }
    }
    let local_pref = |path: &Path| path.attributes.local_pref().unwrap_or(DEFAULT_LOCAL_PREF);
    field.keep_least(
        |path| u32::MAX - local_pref(path),
        Step::LocalPref,
        &mut lost,
    );
    field.keep_least(|path| path.peer != PeerId::LOCAL, Step::Local, &mut lost);
    field.keep_least(
        |path| path.attributes.as_path_length(),
        Step::AsPathLength,
        &mut lost,
    );
    field.keep_least(|path| path.attributes.origin(), Step::Origin, &mut lost);
    field.keep_least_med(&mut lost);
    field.keep_least(
        |path| !source(path.peer).external,
        Step::External,
        &mut lost,
    );

    let equal = match options.paths {
        0 | 1 => Vec::new(),
        _ => field.left.clone(),
    };
    let router_id = |path: &Path| {
        path.attributes
            .originator_id()
            .unwrap_or_else(|| source(path.peer).router_id)
    };
    field.keep_least(router_id, Step::RouterId, &mut lost);
    field.keep_least(
        |path| path.attributes.cluster_length(),
        Step::ClusterLength,
        &mut lost,
    );
    field.keep_least(
        |path| source(path.peer).address,
        Step::PeerAddress,
        &mut lost,
    );
    field.keep_least(|path| (path.peer, path.path_id), Step::PathId, &mut lost);

    let best = field.left.first().copied();
    let multipath = best.map_or_else(Vec::new, |best| {
        let order = |path: &Path| (router_id(path), source(path.peer).address, path.path_id);
        beside(paths, best, equal, options, order)
    });
    Choice { best, multipath }
}

/// True if `path` has no say beside the `best` one of its prefix: it takes no part, or loses before
/// MEDs are compared. Up to there each step looks at one path alone, so what loses is out whatever
/// else there is, and its coming and going changes neither the best path nor those beside it.
pub(super) fn is_bystander(best: Option<&Path>, path: &Path) -> bool {
    !path.standing.takes_part() || best.is_some_and(|best| rank(path) > rank(best))
}

/// The steps that look at one path alone, in their order; the least is the best.
fn rank(path: &Path) -> (u32, bool, u16, Origin) {
    let attributes = &path.attributes;
    (
        u32::MAX - attributes.local_pref().unwrap_or(DEFAULT_LOCAL_PREF),
        path.peer != PeerId::LOCAL,
        attributes.as_path_length(),
        attributes.origin(),
    )
}

/// The paths that are equal to the best one up to the tie breakers.
fn beside<O: Ord>(
    paths: &[Path],
    best: usize,
    mut equal: Vec<usize>,
    options: Multipath,
    order: impl Fn(&Path) -> O,
) -> Vec<usize> {
    let Some(chosen) = paths.get(best) else {
        return Vec::new();
    };
    if options.paths < 2 || equal.len() < 2 || chosen.peer == PeerId::LOCAL {
        return Vec::new();
    }
    equal.retain(|at| {
        *at != best
            && paths.get(*at).is_some_and(|path| {
                options.as_path_relax || path.attributes.as_path().eq(chosen.attributes.as_path())
            })
    });
    equal.sort_by_key(|at| paths.get(*at).map(&order));
    equal.truncate(options.paths - 1);
    equal
}

/// The candidates that are left.
struct Field<'a> {
    paths: &'a [Path],
    left: Vec<usize>,
}

impl Field<'_> {
    /// Keeps those with the least `key`.
    fn keep_least<K: Ord>(
        &mut self,
        key: impl Fn(&Path) -> K,
        step: Step,
        lost: &mut impl FnMut(usize, Step),
    ) {
        if self.left.len() < 2 {
            return;
        }
        let paths = self.paths;
        let least = self
            .left
            .iter()
            .filter_map(|at| paths.get(*at))
            .map(&key)
            .min();
        self.left.retain(|at| {
            let keep = paths.get(*at).map(&key) == least;
            if !keep {
                lost(*at, step);
            }
            keep
        });
    }

    /// RFC 4271 §9.1.2.2 c: MEDs compare only among paths of one neighbouring AS; a missing MED is
    /// the lowest value.
    fn keep_least_med(&mut self, lost: &mut impl FnMut(usize, Step)) {
        if self.left.len() < 2 {
            return;
        }
        let med = |at: &usize| self.paths.get(*at).and_then(|path| path.attributes.med());
        if self.left.iter().all(|at| med(at).is_none()) {
            return;
        }
        let med_of = |at: usize| -> Option<(Asn, u32)> {
            let path = self.paths.get(at)?;
            Some((
                path.attributes.first_as(),
                path.attributes.med().unwrap_or(0),
            ))
        };
        let all: Vec<(Asn, u32)> = self.left.iter().filter_map(|at| med_of(*at)).collect();
        self.left.retain(|at| {
            let beaten = med_of(*at).is_some_and(|(asn, med)| {
                all.iter()
                    .any(|(other_as, other_med)| *other_as == asn && *other_med < med)
            });
            if beaten {
                lost(*at, Step::Med);
            }
            !beaten
        });
    }
}
