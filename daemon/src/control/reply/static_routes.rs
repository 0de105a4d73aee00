//! What is said of static routes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The static routes of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StaticRoutes {
    /// False where the configuration switches the kernel off.
    pub kernel_enabled: bool,
    /// By table, prefix and distance.
    pub routes: Vec<StaticRoute>,
}

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// The destination.
    pub prefix: String,
    /// The kernel's table.
    pub table: u32,
    /// The kernel's metric.
    pub distance: u8,
    /// `unicast`, `blackhole`, `unreachable` or `prohibit`.
    pub kind: String,
    /// As they stand in the configuration: `via 10.0.0.1 dev eth0 weight 2 bfd`.
    pub next_hops: Vec<String>,
    /// `installed`; `pending` while the kernel is being told; `refused` by the kernel; `standby`
    /// while one with a lower distance is used; `unusable`; `unused` where the kernel is off.
    pub state: String,
    /// Where its packets leave.
    pub ways: Vec<String>,
    /// Why it is not in the kernel, or what BFD has against some of its next hops.
    pub why: Option<String>,
    /// A number for route-maps.
    pub tag: Option<u32>,
    /// Source address of what this host sends.
    pub src: Option<IpAddr>,
}
