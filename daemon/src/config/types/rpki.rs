//! Caches of the RPKI.

use std::net::SocketAddr;
use std::time::Duration;

/// A cache that tells us which AS may originate which prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpkiCache {
    /// Where it listens.
    pub address: SocketAddr,
    /// The lowest one that has data is used.
    pub preference: u8,
    /// Pause between questions; `None` is what the cache says.
    pub refresh: Option<Duration>,
    /// Pause after a question that failed; `None` is what the cache says.
    pub retry: Option<Duration>,
    /// How long its data is good without a new answer; `None` is what the cache says.
    pub expire: Option<Duration>,
}

impl RpkiCache {
    /// That of a cache of which nothing is said.
    pub const PREFERENCE: u8 = 1;
}
