//! What is said of origin validation.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::super::Timestamp;

/// Caches, and what they say of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rpki {
    /// In the order of the configuration; empty where nothing is validated.
    pub caches: Vec<RpkiCache>,
    /// VRPs that routes are validated by.
    pub vrps: RpkiVrps,
    /// The prefix that was asked about.
    #[serde(default)]
    pub lookup: Option<RpkiLookup>,
}

/// Numbers of VRPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RpkiVrps {
    /// About IPv4 prefixes.
    pub ipv4: u64,
    /// About IPv6 prefixes.
    pub ipv6: u64,
    /// Memory of the table.
    pub bytes: u64,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpkiCache {
    /// Where it listens.
    pub address: SocketAddr,
    /// The lowest one with data is used.
    pub preference: u8,
    /// `connecting` before its first answer, `synced`, or `lost`.
    pub state: String,
    /// Routes are validated by what it says.
    pub in_use: bool,
    /// Version of the protocol; `null` before the first answer, as what follows.
    pub version: Option<u8>,
    /// Number of its session.
    pub session: Option<u16>,
    /// Number of its data.
    pub serial: Option<u32>,
    /// Its VRPs.
    pub vrps: RpkiVrps,
    /// When it was last in step.
    pub updated: Option<Timestamp>,
    /// Seconds since then.
    pub age_s: Option<u64>,
    /// Seconds until its data is of no use, unless it answers again.
    pub expires_in_s: Option<u64>,
    /// The intervals in effect.
    pub timers: Option<RpkiTimers>,
    /// How often it was lost.
    pub losses: u64,
    /// Why it is lost.
    pub error: Option<String>,
}

/// Intervals (RFC 8210 §6), in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpkiTimers {
    /// Between questions.
    pub refresh_s: u64,
    /// After a question that failed.
    pub retry_s: u64,
    /// How long data is good.
    pub expire_s: u64,
}

/// What the VRPs in use say of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpkiLookup {
    /// The prefix.
    pub prefix: String,
    /// The AS that was asked about.
    pub asn: Option<u32>,
    /// `valid`, `invalid` or `not_found`; `null` where it depends on the AS.
    pub state: Option<String>,
    /// The VRPs that cover the prefix, the longest first.
    pub covering: Vec<Vrp>,
}

/// A VRP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vrp {
    /// Its prefix.
    pub prefix: String,
    /// The longest prefix within it that may be announced.
    pub max_length: u8,
    /// The AS that may originate it.
    pub asn: u32,
}
