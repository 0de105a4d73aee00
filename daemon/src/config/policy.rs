//! The policy in effect for a neighbour: its route-map, or what stands in for a missing one.

use std::fmt;
use std::sync::Arc;

use bgp::family::Family;
use bgp::policy::Policy;

use super::types::{Config, EbgpRequiresPolicy, Neighbor};

/// Which way routes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the neighbour to us.
    Import,
    /// From us to the neighbour.
    Export,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Import => "import",
            Direction::Export => "export",
        })
    }
}

impl Config {
    /// The policy in effect for one neighbour, family and direction.
    ///
    /// A route-map decides if there is one, and inside our AS everything passes. Between AS
    /// numbers, RFC 8212 §2.1 lets nothing pass without a policy; `ebgp_requires_policy` says
    /// whether that holds.
    pub fn effective_policy(
        &self,
        neighbor: &Neighbor,
        family: Family,
        direction: Direction,
    ) -> Policy {
        let map = neighbor
            .families
            .get(family)
            .as_ref()
            .and_then(|family| match direction {
                Direction::Import => family.import.as_ref(),
                Direction::Export => family.export.as_ref(),
            });
        if let Some(map) = map {
            return Policy::Map(map.clone());
        }
        let private = self.asn.is_private() && neighbor.remote_as.is_private();
        let open = self.asn == neighbor.remote_as
            || match self.ebgp_requires_policy {
                EbgpRequiresPolicy::Auto => private,
                EbgpRequiresPolicy::Yes => false,
                EbgpRequiresPolicy::No => true,
            };
        if open {
            return Policy::AcceptAll;
        }
        // The same words for every neighbour, so that those without policy stay one group.
        Policy::RejectAll(Arc::from(format!(
            "no {direction} policy (RFC 8212): set {direction} = \"ROUTE-MAP\" in the \
             neighbor's {family}, or ebgp_requires_policy = false"
        )))
    }
}

#[cfg(test)]
mod tests;
