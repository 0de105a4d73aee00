//! The decision process (RFC 4271 §9.1.2.2, RFC 4456 §9).
//!
//! Candidates are narrowed step by step, as the RFC writes it, and not compared in pairs: with
//! MEDs that only compare within one neighbouring AS a pairwise order is not transitive, and the
//! result would depend on the order of arrival. The step at which a path fell out is the reason
//! that `explain` prints; nothing is computed a second time for display.
//!
//! Age plays no part: the same paths give the same best path whatever came first. What operators
//! may choose about the steps are [`Rules`]; that paths are narrowed is none of it, so MEDs are
//! always compared deterministically.

use std::cmp::Ordering;
use std::fmt;
use std::net::Ipv4Addr;

use super::path::{Path, PeerId};
use crate::asn::Asn;
use crate::attributes::Origin;
use crate::family::PerFamily;
use crate::nlri::PathId;
use crate::scoped_addr::ScopedAddr;

/// LOCAL_PREF of a path that carries none (RFC 4271 §5.1.5: local policy; 100 as everywhere).
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// Weight of routes of this router: they go before what is learned, whatever its preference (FRR's
/// value). Learned routes have 0.
pub const LOCAL_WEIGHT: u32 = 32_768;

/// MED of routes of this router where nothing gives another one. Most compare a route without as if it
/// said so (RFC 4271 §9.1.2.2); those that have it for the worst take ours for the best all the same.
pub const OWN_MED: u32 = 0;

/// What the decision needs to know of who sent a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Another AS (eBGP), which no member of our confederation is (RFC 5065 §5.3).
    pub external: bool,
    /// Within this AS (iBGP); false for what this router originates itself.
    pub internal: bool,
    /// A client of this route reflector in these families (RFC 4456 §4).
    pub client: PerFamily<bool>,
    /// A client of this route server in these families (RFC 7947).
    pub server_client: PerFamily<bool>,
    /// Another table of this router.
    pub instance: bool,
    /// EVPN, or what another table has from there.
    pub overlay: bool,
    /// BGP identifier of the peer.
    pub router_id: Ipv4Addr,
    /// Address of the peer.
    pub address: ScopedAddr,
}

/// What the steps compare of who sent a path. Put together for each comparison, so it is no more
/// than that: a whole [`Source`] made a seventh of what a path from one of ten neighbours costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) external: bool,
    pub(super) router_id: Ipv4Addr,
    pub(super) address: ScopedAddr,
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

/// How paths compare where operators may choose, in all families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// MEDs compare between different neighbouring AS too.
    pub always_compare_med: bool,
    /// A missing MED is the highest value and not the lowest.
    pub missing_med_as_worst: bool,
    /// The length of the AS path is not looked at.
    pub as_path_ignore: bool,
    /// The numbers of a confederation in a path count for its length; RFC 5065 §5.3 has them
    /// "not be included".
    pub as_path_confed: bool,
    /// Paths from iBGP and from other members of the confederation share traffic with those from eBGP, where
    /// nothing else tells them apart and there is multipath.
    pub peer_type_relax: bool,
}

impl Rules {
    /// A step in an operator's words, with the keys of `[bestpath]` that had a say in it.
    pub fn describe(self, step: Step) -> String {
        let words = if step == Step::Med && self.always_compare_med {
            "higher MED"
        } else {
            step.describe()
        };
        let keys: Vec<&str> = self.about(step).collect();
        match keys.as_slice() {
            [] => words.to_owned(),
            keys => format!("{words} (bestpath: {})", keys.join(", ")),
        }
    }

    /// The keys that have a say in a step, as the configuration spells them.
    fn about(self, step: Step) -> impl Iterator<Item = &'static str> {
        let said = match step {
            Step::Med => [
                self.always_compare_med.then_some("always_compare_med"),
                self.missing_med_as_worst.then_some("missing_med_as_worst"),
            ],
            // Reached by paths of whatever length.
            Step::Origin => [self.as_path_ignore.then_some("as_path_ignore"), None],
            Step::AsPathLength => [self.as_path_confed.then_some("as_path_confed"), None],
            Step::Ineligible
            | Step::LongLivedStale
            | Step::Weight
            | Step::LocalPref
            | Step::Local
            | Step::Aigp
            | Step::External
            | Step::RouterId
            | Step::ClusterLength
            | Step::PeerAddress
            | Step::PathId => [None, None],
        };
        said.into_iter().flatten()
    }

    /// MED as it is compared; RFC 4271 §9.1.2.2 c takes a missing one for the lowest.
    fn med(self, path: &Path) -> u32 {
        let missing = match self.missing_med_as_worst {
            true => u32::MAX,
            false => 0,
        };
        path.attributes.med().unwrap_or(missing)
    }

    fn as_path_length(self, path: &Path) -> u16 {
        let attributes = &path.attributes;
        match (self.as_path_ignore, self.as_path_confed) {
            (true, _) => 0,
            (false, false) => attributes.as_path_length(),
            (false, true) => attributes
                .as_path_length()
                .saturating_add(attributes.confederation_length()),
        }
    }
}

/// All that the decision is told beside the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) multipath: Multipath,
    pub(super) rules: Rules,
}

/// The step at which a path lost to the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Rejected by policy or a loop check: not a candidate.
    Ineligible,
    /// Kept as a last resort, since its peer has been away for long (RFC 9494 §4.3).
    LongLivedStale,
    /// Lower weight, which policy gives and nobody is told.
    Weight,
    /// Lower LOCAL_PREF (RFC 4271 §9.1.1).
    LocalPref,
    /// Not originated here.
    Local,
    /// Higher AIGP, or none where the best has one (RFC 7311 §4.1).
    Aigp,
    /// Longer AS path (§9.1.2.2 a).
    AsPathLength,
    /// Higher origin (§9.1.2.2 b).
    Origin,
    /// Higher MED, from the same neighbouring AS unless [`Rules`] say otherwise (§9.1.2.2 c).
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
    /// In their order.
    const ALL: [Step; 14] = [
        Step::Ineligible,
        Step::LongLivedStale,
        Step::Weight,
        Step::LocalPref,
        Step::Local,
        Step::Aigp,
        Step::AsPathLength,
        Step::Origin,
        Step::Med,
        Step::External,
        Step::RouterId,
        Step::ClusterLength,
        Step::PeerAddress,
        Step::PathId,
    ];

    /// The step in an operator's words.
    pub fn describe(self) -> &'static str {
        match self {
            Step::Ineligible => "rejected before the decision",
            Step::LongLivedStale => "a last resort (llgr-stale)",
            Step::Weight => "lower weight",
            Step::LocalPref => "lower local preference",
            Step::Local => "not originated by this router",
            Step::Aigp => "higher AIGP, or none",
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
    source: impl Fn(PeerId) -> Sender,
    options: Options,
    mut lost: impl FnMut(usize, Step),
) -> Choice {
    if let [one, two] = paths
        && one.standing.takes_part()
        && two.standing.takes_part()
        && options.multipath.paths < 2
    {
        let (best, step) = of_two(one, two, source, options.rules);
        lost(1 - best, step);
        return Choice {
            best: Some(best),
            multipath: Vec::new(),
        };
    }
    narrow(paths, source, options, lost)
}

/// The better of two, by position, and the step at which the other one lost. The first step at
/// which they differ decides, so nothing needs to be kept; most decisions are between two, and
/// narrowing takes four times as many instructions.
fn of_two(
    one: &Path,
    two: &Path,
    source: impl Fn(PeerId) -> Sender,
    rules: Rules,
) -> (usize, Step) {
    let one_as = one.attributes.first_as() == two.attributes.first_as();
    let (a, b) = (one, two);
    let order = |step: Step| match step {
        Step::Ineligible => Ordering::Equal,
        Step::LongLivedStale => is_last_resort(a).cmp(&is_last_resort(b)),
        Step::Weight => lightness(a).cmp(&lightness(b)),
        Step::LocalPref => aversion(a).cmp(&aversion(b)),
        Step::Local => is_learned(a).cmp(&is_learned(b)),
        Step::Aigp => aigp(a).cmp(&aigp(b)),
        Step::AsPathLength => rules.as_path_length(a).cmp(&rules.as_path_length(b)),
        Step::Origin => a.attributes.origin().cmp(&b.attributes.origin()),
        Step::Med if one_as || rules.always_compare_med => rules.med(a).cmp(&rules.med(b)),
        Step::Med => Ordering::Equal,
        Step::External => (!source(a.peer).external).cmp(&!source(b.peer).external),
        Step::RouterId => router_id(a, &source).cmp(&router_id(b, &source)),
        Step::ClusterLength => (a.attributes.cluster_length()).cmp(&b.attributes.cluster_length()),
        Step::PeerAddress => source(a.peer).address.cmp(&source(b.peer).address),
        Step::PathId => (a.peer, a.path_id).cmp(&(b.peer, b.path_id)),
    };
    let mut steps = Step::ALL.into_iter().map(|step| (step, order(step)));
    match steps.find(|(_, order)| *order != Ordering::Equal) {
        Some((step, Ordering::Greater)) => (1, step),
        Some((step, _)) => (0, step),
        // One peer's two paths with one identifier do not stand beside each other.
        None => (0, Step::PathId),
    }
}

/// RFC 9494 §4.3: also where somebody else marked it.
fn is_last_resort(path: &Path) -> bool {
    path.attributes.is_llgr_stale()
}

/// Weight turned around: the least is the best.
fn lightness(path: &Path) -> u32 {
    let usual = match path.peer {
        PeerId::LOCAL => LOCAL_WEIGHT,
        _ => 0,
    };
    u32::MAX - path.attributes.weight().unwrap_or(usual)
}

/// LOCAL_PREF turned around: the least is the best.
fn aversion(path: &Path) -> u32 {
    u32::MAX - path.attributes.local_pref().unwrap_or(DEFAULT_LOCAL_PREF)
}

fn is_learned(path: &Path) -> bool {
    path.peer != PeerId::LOCAL
}

/// RFC 7311 §4.1: a path without AIGP goes behind those that have one. How far the next hop is
/// away is not known, and counts as nothing.
fn aigp(path: &Path) -> u64 {
    path.attributes.aigp().unwrap_or(u64::MAX)
}

/// RFC 4456 §9: the originator's, where there is one.
fn router_id(path: &Path, source: impl Fn(PeerId) -> Sender) -> Ipv4Addr {
    let originator = path.attributes.originator_id();
    originator.unwrap_or_else(|| source(path.peer).router_id)
}

/// The order of paths that are equal up to the tie breakers.
pub(super) fn order(
    path: &Path,
    source: impl Fn(PeerId) -> Sender,
) -> (Ipv4Addr, ScopedAddr, PathId) {
    let address = source(path.peer).address;
    (router_id(path, source), address, path.path_id)
}

fn narrow(
    paths: &[Path],
    source: impl Fn(PeerId) -> Sender,
    options: Options,
    mut lost: impl FnMut(usize, Step),
) -> Choice {
    let Options { multipath, rules } = options;
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
    field.keep_least(is_last_resort, Step::LongLivedStale, &mut lost);
    field.keep_least(lightness, Step::Weight, &mut lost);
    field.keep_least(aversion, Step::LocalPref, &mut lost);
    field.keep_least(is_learned, Step::Local, &mut lost);
    field.keep_least(aigp, Step::Aigp, &mut lost);
    field.keep_least(
        |path| rules.as_path_length(path),
        Step::AsPathLength,
        &mut lost,
    );
    field.keep_least(|path| path.attributes.origin(), Step::Origin, &mut lost);
    field.keep_least_med(rules, &mut lost);
    let several = multipath.paths > 1;
    let relaxed = (several && rules.peer_type_relax).then(|| field.left.clone());
    field.keep_least(
        |path| !source(path.peer).external,
        Step::External,
        &mut lost,
    );

    let equal = match (several, relaxed) {
        (_, Some(relaxed)) => relaxed,
        (true, None) => field.left.clone(),
        (false, None) => Vec::new(),
    };
    let router_id = |path: &Path| router_id(path, &source);
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
        beside(paths, best, equal, multipath, |path| order(path, &source))
    });
    Choice { best, multipath }
}

/// True if `path` has no say beside the `best` one of its prefix: it takes no part, or loses before
/// MEDs are compared. Up to there each step looks at one path alone, so what loses is out whatever
/// else there is, and its coming and going changes neither the best path nor those beside it.
pub(super) fn is_bystander(best: Option<&Path>, path: &Path, rules: Rules) -> bool {
    let rank = |path| rank(path, rules);
    !path.standing.takes_part() || best.is_some_and(|best| rank(path) > rank(best))
}

/// How a path that was not there stands to the best one of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// The best path stays.
    Behind,
    /// It is the best path now.
    Ahead,
    /// The other paths have a say.
    Unclear,
}

/// Where only one path is used, whether a new one is better can nearly always be said without a look
/// at the others: with ten paths of a prefix that look was a seventh of the work of the tables.
///
/// What loses at a step of [`rank`] is out whatever else there is, and what wins there wins against
/// all, since the best one has the least rank. From MED on a new path that loses against the best one
/// stays behind it, for it can only take others out, which lost anyway. One that wins is the best
/// unless a lower MED of its AS takes it out first, or its own MED took the best one out: then a
/// third may follow.
pub(super) fn newcomer(
    best: &Path,
    path: &Path,
    source: impl Fn(PeerId) -> Sender,
    rules: Rules,
) -> Newcomer {
    if !path.standing.takes_part() {
        return Newcomer::Behind;
    }
    match rank(path, rules).cmp(&rank(best, rules)) {
        Ordering::Less => return Newcomer::Ahead,
        Ordering::Equal => {}
        Ordering::Greater => return Newcomer::Behind,
    }
    let (med, best_med) = (rules.med(path), rules.med(best));
    let comparable =
        rules.always_compare_med || path.attributes.first_as() == best.attributes.first_as();
    let beats_med = match med.cmp(&best_med) {
        Ordering::Greater if comparable => return Newcomer::Behind,
        Ordering::Less if comparable && rules.always_compare_med => return Newcomer::Ahead,
        Ordering::Less if comparable => return Newcomer::Unclear,
        Ordering::Less | Ordering::Equal | Ordering::Greater => comparable || med == 0,
    };
    match of_two_after_med(path, best, source) {
        Ordering::Less if beats_med => Newcomer::Ahead,
        Ordering::Less => Newcomer::Unclear,
        Ordering::Equal | Ordering::Greater => Newcomer::Behind,
    }
}

/// The steps behind MED; less is better.
fn of_two_after_med(one: &Path, two: &Path, source: impl Fn(PeerId) -> Sender) -> Ordering {
    let (from_one, from_two) = (source(one.peer), source(two.peer));
    let router_id =
        |path: &Path, from: &Sender| path.attributes.originator_id().unwrap_or(from.router_id);
    let length = |path: &Path| path.attributes.cluster_length();
    let identity = |path: &Path| (path.peer, path.path_id);
    (!from_one.external)
        .cmp(&!from_two.external)
        .then_with(|| router_id(one, &from_one).cmp(&router_id(two, &from_two)))
        .then_with(|| length(one).cmp(&length(two)))
        .then_with(|| from_one.address.cmp(&from_two.address))
        .then_with(|| identity(one).cmp(&identity(two)))
}

/// The steps that look at one path alone, in their order; the least is the best.
fn rank(path: &Path, rules: Rules) -> (bool, u32, u32, bool, u64, u16, Origin) {
    (
        is_last_resort(path),
        lightness(path),
        aversion(path),
        is_learned(path),
        aigp(path),
        rules.as_path_length(path),
        path.attributes.origin(),
    )
}

/// The paths that are equal to the best one up to the tie breakers.
fn beside<O: Ord>(
    paths: &[Path],
    best: usize,
    mut equal: Vec<usize>,
    multipath: Multipath,
    order: impl Fn(&Path) -> O,
) -> Vec<usize> {
    let Some(chosen) = paths.get(best) else {
        return Vec::new();
    };
    if multipath.paths < 2 || equal.len() < 2 || chosen.peer == PeerId::LOCAL {
        return Vec::new();
    }
    equal.retain(|at| {
        *at != best
            && paths.get(*at).is_some_and(|path| {
                multipath.as_path_relax
                    || path.attributes.as_path().eq(chosen.attributes.as_path())
            })
    });
    equal.sort_by_key(|at| paths.get(*at).map(&order));
    equal.truncate(multipath.paths - 1);
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

    /// RFC 4271 §9.1.2.2 c: MEDs compare only among paths of one neighbouring AS, unless the rules
    /// say that they always do.
    fn keep_least_med(&mut self, rules: Rules, lost: &mut impl FnMut(usize, Step)) {
        if self.left.len() < 2 {
            return;
        }
        if rules.always_compare_med {
            return self.keep_least(|path| rules.med(path), Step::Med, lost);
        }
        let med = |at: &usize| self.paths.get(*at).and_then(|path| path.attributes.med());
        if self.left.iter().all(|at| med(at).is_none()) {
            return;
        }
        let med_of = |at: usize| -> Option<(Asn, u32)> {
            let path = self.paths.get(at)?;
            Some((path.attributes.first_as(), rules.med(path)))
        };
        // The lowest of each AS, in the order of AS numbers: with many paths of one prefix, holding
        // each against each would take the table's time.
        let mut lowest: Vec<(Asn, u32)> = self.left.iter().filter_map(|at| med_of(*at)).collect();
        lowest.sort_unstable();
        lowest.dedup_by_key(|(asn, _)| *asn);
        self.left.retain(|at| {
            let beaten = med_of(*at).is_some_and(|(asn, med)| {
                let of_as = lowest.binary_search_by_key(&asn, |(asn, _)| *asn).ok();
                let least = of_as.and_then(|at| lowest.get(at));
                least.is_some_and(|(_, least)| *least < med)
            });
            if beaten {
                lost(*at, Step::Med);
            }
            !beaten
        });
    }
}

#[cfg(test)]
pub(super) mod tests {

    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::attributes::{AttributeSet, NextHop};
    use crate::rib::path::Standing;

    /// Few values for everything, so that steps are often equal.
    fn path() -> impl Strategy<Value = Path> {
        let attributes = (
            option::of(99_u32..102),
            (1_u32..3, 1_usize..3),
            select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]),
            option::of(0_u32..3),
            option::of(1_u8..3),
            0_usize..2,
            option::of(0_u32..2),
            option::of(0_u64..2),
        );
        let of = (attributes, 0_u16..4, 0_u32..2);
        of.prop_map(|(attributes, peer, path_id)| {
            let (local_pref, (asn, times), origin, med, originator, clusters, weight, aigp) =
                attributes;
            let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
            let mut set = AttributeSet::new(next_hop);
            set.local_pref = local_pref;
            set.prepend(Asn(asn), times);
            set.origin = origin;
            set.med = med;
            set.notes.weight = weight;
            if let Some(metric) = aigp {
                set.set_aigp_metric(metric);
            }
            set.originator_id = originator.map(|last| Ipv4Addr::new(10, 0, 0, last));
            set.cluster_list = vec![Ipv4Addr::new(10, 0, 0, 9); clusters];
            Path {
                attributes: set.freeze(),
                path_id,
                peer: PeerId(peer),
                standing: Standing::Valid,
                multipath: false,
            }
        })
    }

    fn source(peer: PeerId) -> Sender {
        let [_, number] = peer.0.to_be_bytes();
        Sender {
            external: peer.0.is_multiple_of(2),
            router_id: Ipv4Addr::new(10, 0, 0, number % 2),
            address: std::net::IpAddr::from([10, 0, 1, number]).into(),
        }
    }

    pub(crate) fn rules() -> impl Strategy<Value = Rules> {
        any::<[bool; 5]>().prop_map(|[med, worst, ignore, confed, relax]| Rules {
            always_compare_med: med,
            missing_med_as_worst: worst,
            as_path_ignore: ignore,
            as_path_confed: confed,
            peer_type_relax: relax,
        })
    }

    /// A path of AS 7 from an external peer, whose number is even, or an internal one.
    fn from(peer: u16, length: usize) -> Path {
        let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
        set.prepend(Asn(7), length);
        Path {
            attributes: set.freeze(),
            path_id: 0,
            peer: PeerId(peer),
            standing: Standing::Valid,
            multipath: false,
        }
    }

    #[test]
    fn paths_of_both_kinds_of_sessions_share_traffic_where_that_is_asked_for() {
        let paths = [from(1, 1), from(2, 1), from(3, 2), from(4, 1)];
        let chosen = |peer_type_relax, paths_max| {
            let rules = Rules {
                peer_type_relax,
                ..Rules::default()
            };
            let multipath = Multipath {
                paths: paths_max,
                as_path_relax: false,
            };
            let mut why = None;
            let lost = |at, step| why = why.or((at == 0).then_some(step));
            let choice = choose(&paths, source, Options { multipath, rules }, lost);
            assert_eq!(why, Some(Step::External));
            (
                choice.best,
                choice.multipath.len(),
                choice.multipath.contains(&0),
            )
        };
        // The best one is from another AS in any case.
        assert_eq!(chosen(false, 8), (Some(1), 1, false));
        assert_eq!(chosen(true, 8), (Some(1), 2, true));
        assert_eq!(chosen(true, 1), (Some(1), 0, false));
    }

    proptest! {
        #[test]
        fn between_two_the_first_difference_says_what_narrowing_says(
            one in path(),
            two in path(),
            rules in rules(),
        ) {
            prop_assume!(!one.is(two.peer, two.path_id));
            let mut steps = Vec::new();
            let lost = |at, step| steps.push((at, step));
            let options = Options { rules, ..Options::default() };
            let choice = narrow(&[one.clone(), two.clone()], source, options, lost);
            let (best, step) = of_two(&one, &two, source, rules);
            prop_assert_eq!(choice.best, Some(best));
            prop_assert_eq!(steps, vec![(1 - best, step)]);
        }

        /// Many paths and few values, so that each step is reached and third paths have a say.
        #[test]
        fn what_is_said_of_a_newcomer_is_what_the_decision_among_all_says(
            paths in prop::collection::vec(path(), 2..6),
            rules in rules(),
        ) {
            let mut paths: Vec<Path> = paths;
            for (at, path) in paths.iter_mut().enumerate() {
                path.path_id = u32::try_from(at).unwrap();
            }
            let options = Options { rules, ..Options::default() };
            let (new, before) = paths.split_last().unwrap();
            let Some(best) = choose(before, source, options, |_, _| {}).best else {
                return Ok(());
            };
            let after = choose(&paths, source, options, |_, _| {}).best;
            match newcomer(&before[best], new, source, rules) {
                Newcomer::Behind => prop_assert_eq!(after, Some(best)),
                Newcomer::Ahead => prop_assert_eq!(after, Some(before.len())),
                // Never without any MED.
                Newcomer::Unclear => prop_assert!(
                    !rules.always_compare_med && rules.med(new).max(rules.med(&before[best])) > 0
                ),
            }
        }
    }
}
