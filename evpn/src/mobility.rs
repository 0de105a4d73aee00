//! Who has a MAC address: RFC 7432 §15.
//!
//! Every site that sees an address makes a [`Claim`]. Claims are totally ordered, so all sites
//! that know the same claims agree on the owner, and a site that loses takes its claim back. What
//! makes a claim newer is the sequence number: a site that learns an address while it knows
//! claims of others goes one above the highest of them. Those others are remembered as
//! [`Witnesses`], because the number must outlive the claims it answered: the loser withdraws,
//! and falling back to 0 then would invite it to return.
//!
//! Nothing here knows VNIs' state; it compares and remembers.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use bgp::ExtendedCommunity;

use crate::path::Path;

/// That an address is at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) sticky: bool,
    pub(crate) sequence: u32,
    pub(crate) vtep: IpAddr,
}

impl Claim {
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            sticky: path.sticky,
            sequence: path.sequence,
            vtep: path.vtep,
        }
    }

    /// How this claim stands against `other`, and the rule that told them apart.
    pub(crate) fn against(&self, other: &Self) -> (Ordering, Rule) {
        // RFC 7432 §15.2: a static address is not moved by learning it elsewhere.
        let sticky = self.sticky.cmp(&other.sticky);
        // RFC 7432 §15: the higher sequence wins.
        let sequence = self.sequence.cmp(&other.sequence);
        // RFC 7432 §15: with equal sequence numbers the lowest IP address wins.
        let vtep = other.vtep.cmp(&self.vtep);
        match (sticky, sequence) {
            (Ordering::Equal, Ordering::Equal) => (vtep, Rule::LowerVtep),
            (Ordering::Equal, decided) => (decided, Rule::HigherSequence),
            (decided, _) => (decided, Rule::Sticky),
        }
    }

    /// The rule by which this claim is preferred to `other`.
    pub(crate) fn preferred_by(&self, other: &Self) -> Rule {
        match self.against(other) {
            (Ordering::Less, _) => Rule::Frozen,
            (Ordering::Equal | Ordering::Greater, rule) => rule,
        }
    }
}

/// The better claim is the greater one.
impl Ord for Claim {
    fn cmp(&self, other: &Self) -> Ordering {
        self.against(other).0
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What decided between the two best claims of different sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Nobody else claims the address.
    OnlyClaim,
    /// Static wins over learned (RFC 7432 §15.2).
    Sticky,
    /// The higher sequence number (RFC 7432 §15).
    HigherSequence,
    /// Equal sequence numbers, the lower tunnel address (RFC 7432 §15).
    LowerVtep,
    /// A duplicate that is left where it is, though this claim is not the best.
    Frozen,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::OnlyClaim => "nobody else claims it",
            Rule::Sticky => "it is static there (RFC 7432 §15.2)",
            Rule::HigherSequence => "higher sequence number (RFC 7432 §15)",
            Rule::LowerVtep => "equal sequence numbers, lower tunnel address (RFC 7432 §15)",
            Rule::Frozen => "frozen there as a duplicate (RFC 7432 §15.1)",
        })
    }
}

/// Claims of others that were known when an address was learned here: per set of route targets the
/// highest sequence number.
///
/// They are kept by route target and not by VNI, so that it makes no difference whether the VNI
/// was configured before or after. The list is bounded by the target sets seen with one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Witnesses(Vec<(Box<[ExtendedCommunity]>, u32)>);

impl Witnesses {
    pub(crate) fn add(&mut self, path: &Path) {
        if !path.vxlan {
            return;
        }
        let same = |(targets, _): &&mut (Box<[ExtendedCommunity]>, u32)| *targets == path.targets;
        match self.0.iter_mut().find(same) {
            Some((_, sequence)) => *sequence = path.sequence.max(*sequence),
            None => self.0.push((path.targets.clone(), path.sequence)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One above the highest that `imported` picks, 0 without any. At the end of the number space
    /// it stays there, and the lower tunnel address decides.
    pub(crate) fn sequence(&self, imported: impl Fn(&[ExtendedCommunity]) -> bool) -> u32 {
        self.0
            .iter()
            .filter(|(targets, _)| imported(targets))
            .map(|(_, sequence)| sequence.saturating_add(1))
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
