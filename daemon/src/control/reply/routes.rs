//! What is said of routes.

use std::net::Ipv6Addr;

use bgp::ScopedAddr;
use serde::{Deserialize, Serialize};

use super::*;

/// A page of routes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Routes {
    /// In the order of family and prefix; paths of one prefix stand together, the best first.
    pub routes: Vec<Route>,
    /// `after` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When a prefix was asked for that has no route: the longest one with a route that contains
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_by: Option<String>,
}

/// One path to one prefix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Name of the family.
    pub family: String,
    /// Prefix, or the EVPN route as `explain` takes it.
    pub prefix: String,
    /// Who told us; `null` for our own.
    pub neighbor: Option<ScopedAddr>,
    /// The chosen path.
    pub best: bool,
    /// Used beside the chosen path.
    pub multipath: bool,
    /// Where packets go.
    pub next_hops: Vec<ScopedAddr>,
    /// The link-local address that came beside a global IPv6 next hop (RFC 2545 §3); absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_local: Option<Ipv6Addr>,
    /// AS path, nearest first.
    pub as_path: Vec<AsPathItem>,
    /// ORIGIN: `igp`, `egp` or `incomplete`.
    pub origin: String,
    /// Communities: `65000:100`, well-known ones by name.
    pub communities: Vec<String>,
    /// Large communities (RFC 8092).
    #[serde(default)]
    pub large_communities: Vec<String>,
    /// Extended communities (RFC 4360).
    #[serde(default)]
    pub extended_communities: Vec<String>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// It is in the kernel.
    pub installed: bool,
    /// Of the chosen path, where neighbours hear of it once the kernel has it (`suppress_fib_pending`): `pending`,
    /// `installed` or `refused`; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited: Option<String>,
    /// Kept from a session that is down (RFC 4724 §4.2).
    #[serde(default)]
    pub stale: bool,
    /// Let in by the checks and our import policy; differs from `true` only among received routes.
    #[serde(default = "yes")]
    pub accepted: bool,
    /// What did not let it in: `policy`, `loop` (a route of this router or its AS that came back)
    /// or `next_hop` (it leads nowhere).
    #[serde(default)]
    pub rejected_by: Option<String>,
    /// Weight that policy gave; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Tag that policy gave; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u32>,
    /// Metric of AIGP (RFC 7311); absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aigp: Option<u64>,
    /// Packets are dropped and not forwarded; absent where they are not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub blackhole: bool,
    /// What origin validation says of it as it was received: `valid`, `invalid` or `not_found`; absent
    /// where no cache is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpki: Option<String>,
    /// Who made the kernel's route that it was taken over from: `connected`, `static`, `ospf`; absent
    /// for what was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Path identifier (RFC 7911), 0 without add-path: the one it came with, or among advertised
    /// routes the one under which the neighbour knows it.
    #[serde(default)]
    pub path_id: u32,
    /// Why it is chosen or not, in one line.
    #[serde(default)]
    pub reason: Option<String>,
}

// What serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// A step of an AS path: a number, or an object for what is not a plain sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AsPathItem {
    /// A number in a sequence.
    Asn(u32),
    /// Unordered numbers: `{"set": [..]}`.
    Set {
        /// The numbers.
        set: Vec<u32>,
    },
    /// Ordered members of a confederation (RFC 5065).
    ConfedSequence {
        /// The numbers.
        confed_sequence: Vec<u32>,
    },
    /// Unordered members of a confederation.
    ConfedSet {
        /// The numbers.
        confed_set: Vec<u32>,
    },
}

/// Why things are as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explain {
    /// What was asked about.
    pub target: String,
    /// What was found: one entry for each prefix, or each VNI that knows the MAC address.
    pub entries: Vec<Explained>,
}

/// One thing explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Prefix, MAC address with its VNI, or EVPN route.
    pub subject: String,
    /// Name of the family.
    pub family: String,
    /// Every path, best first, with what the decision said about it.
    pub paths: Vec<ExplainedPath>,
    /// Where it is in the kernel.
    pub kernel: Vec<KernelEntry>,
    /// Who is told, and who is not and why.
    pub told: Vec<Told>,
    /// Anything else worth knowing, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A path and its fate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainedPath {
    /// Who told us: a neighbour, `this router`, or where a MAC address was learned.
    pub from: String,
    /// The path; `null` where there is no route behind it (the kernel's own MAC entry).
    pub route: Option<Route>,
    /// It is used.
    pub chosen: bool,
    /// The rule that decided, in words.
    pub verdict: String,
    /// How the import policy came to its result, a line a step.
    #[serde(default)]
    pub policy: Vec<String>,
    /// Of a MAC address: the EVPN routes that make this claim.
    #[serde(default)]
    pub routes: Vec<String>,
}

/// An entry of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEntry {
    /// The entry: `10.20.0.0/16 table 254`, `02:.. dev vxlan100`.
    pub entry: String,
    /// What should be there.
    pub want: Option<String>,
    /// What is there.
    pub have: Option<String>,
    /// Both are equal.
    pub installed: bool,
    /// What the kernel said when it refused.
    #[serde(default)]
    pub error: Option<String>,
}

/// A neighbour that is told, or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its address.
    pub neighbor: ScopedAddr,
    /// It is told.
    pub advertised: bool,
    /// Why, or why not.
    pub why: String,
    /// How the export policy came to its result, a line a step.
    #[serde(default)]
    pub policy: Vec<String>,
}
