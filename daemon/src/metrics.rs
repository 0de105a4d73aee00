//! Numbers for Prometheus.
//!
//! The core fills a [`Snapshot`] when it is asked for one, [`Snapshot::render`] makes the text
//! of it. Nothing is counted here and nothing is kept between two scrapes, so a counter has one
//! owner and a neighbour that is gone leaves no series behind. Names, units and labels are
//! documented in `docs/metrics.md`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::control::reply::{BfdState, Families, MessageCounts, RouteCounts};

/// Everything that is measured, at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// Resident memory; [`resident_bytes`] reads it.
    pub resident_bytes: u64,
    /// Each neighbour.
    pub neighbors: Vec<NeighborNumbers>,
    /// Prefixes with a path.
    pub prefixes: Families<u64>,
    /// Paths.
    pub paths: Families<u64>,
    /// Distinct attribute sets.
    pub attribute_sets: u64,
    /// The kernel.
    pub kernel: KernelNumbers,
    /// The router is drained or being drained.
    pub draining: bool,
    /// The drain is confirmed.
    pub drained: bool,
    /// Each overlay network.
    pub vnis: Vec<VniNumbers>,
    /// Entries that wait, by name of the queue.
    pub queues: Vec<QueueDepth>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborNumbers {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub remote_as: u32,
    /// What people call it.
    pub description: Option<String>,
    /// State of the session, `Idle` to `Established`.
    pub state: String,
    /// Seconds since it is Established.
    pub uptime_s: Option<u64>,
    /// How often Established was reached.
    pub established: u64,
    /// How often Established was lost.
    pub flaps: u64,
    /// Received messages.
    pub received: MessageCounts,
    /// Sent messages.
    pub sent: MessageCounts,
    /// Received UPDATEs with mistakes that did not end the session.
    pub malformed_updates: u64,
    /// State of BFD, where configured.
    pub bfd: Option<BfdState>,
    /// Routes of each activated family.
    pub families: Families<RouteCounts>,
}

/// The kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KernelNumbers {
    /// Entries that are there as they should be.
    pub installed: u64,
    /// Entries the kernel refuses at the moment.
    pub failed: u64,
    /// Entries that wait to be written.
    pub pending: u64,
    /// Entries that were changed behind our back and put right, ever.
    pub repaired_total: u64,
    /// Differences the last comparison found.
    pub verify_differences: u64,
    /// Comparisons made, ever.
    pub verify_runs_total: u64,
}

/// An overlay network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VniNumbers {
    /// Its number.
    pub vni: u32,
    /// Its name.
    pub name: String,
    /// MAC addresses that are here.
    pub local_macs: u64,
    /// MAC addresses at other sites.
    pub remote_macs: u64,
    /// Sites that get flooded frames.
    pub remote_vteps: u64,
}

/// Entries that wait in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDepth {
    /// Name of the queue, as in the task map of `tasks.rs`.
    pub queue: String,
    /// Entries that wait.
    pub depth: u64,
}

/// Resident memory of this process, 0 where `/proc` cannot be read.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    statm
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib.saturating_mul(1024))
}
