//! Numbers for Prometheus.
//!
//! The core fills a [`Snapshot`] when it is asked for one, [`Snapshot::render`] makes the text
//! of it. Nothing is counted here and nothing is kept between two scrapes, so a counter has one
//! owner and a neighbour that is gone leaves no series behind. Names, units and labels are
//! documented in `docs/metrics.md`.

mod bfd;

use std::net::SocketAddr;

use bgp::ScopedAddr;
use serde::{Deserialize, Serialize};

pub use bfd::{BfdNumbers, BfdSessionNumbers, Classes};
pub use tunnels::TunnelNumbers;
pub use wireguard::WireguardNumbers;

use crate::control::reply::{BfdState, Families, MessageCounts, RouteCounts, WireguardPeer};

mod tunnels;
mod wireguard;

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
    /// MAC addresses that changed their site, ever.
    #[serde(default)]
    pub mac_moves: u64,
    /// IP addresses that changed their MAC address, ever.
    #[serde(default)]
    pub ip_moves: u64,
    /// EVPN routes that no overlay network and no VRF imports.
    #[serde(default)]
    pub unimported_routes: u64,
    /// The WireGuard interface beneath the sessions.
    #[serde(default)]
    pub wireguard: Option<WireguardNumbers>,
    /// How tunnel endpoints in use are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnels: Option<TunnelNumbers>,
    /// Each cache of the RPKI.
    #[serde(default)]
    pub rpki_caches: Vec<CacheNumbers>,
    /// The BFD thread, if it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<BfdNumbers>,
    /// Each BFD session.
    #[serde(default)]
    pub bfd_sessions: Vec<BfdSessionNumbers>,
    /// Entries that wait, by name of the queue.
    pub queues: Vec<QueueDepth>,
    /// The instances beside the default one, by name; what is the process's own is not in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<(String, Snapshot)>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborNumbers {
    /// Its address.
    pub address: ScopedAddr,
    /// Its AS number.
    pub remote_as: Option<u32>,
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
    /// Prefixes that find no room, of each family with `maximum_prefixes_out`.
    #[serde(default)]
    pub not_told: Families<u64>,
    /// The WireGuard peer that it is behind.
    #[serde(default)]
    pub wireguard: Option<WireguardPeer>,
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
    /// MAC addresses that two hosts have.
    #[serde(default)]
    pub duplicate_macs: u64,
    /// IP addresses that two hosts have.
    #[serde(default)]
    pub duplicate_ips: u64,
}

/// A cache of the RPKI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheNumbers {
    /// Where it listens.
    pub address: SocketAddr,
    /// We are in step with it.
    pub synced: bool,
    /// Routes are validated by what it says.
    pub in_use: bool,
    /// Its VRPs about IPv4.
    pub vrps_ipv4: u64,
    /// Its VRPs about IPv6.
    pub vrps_ipv6: u64,
    /// Number of its data.
    pub serial: Option<u32>,
    /// Seconds since its last answer.
    pub age_s: Option<u64>,
    /// How often it was lost.
    pub losses: u64,
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

/// The media type of [`Snapshot::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// States of a session, in the order of RFC 4271 §8.2.2.
const STATES: [&str; 6] = [
    "Idle",
    "Connect",
    "Active",
    "OpenSent",
    "OpenConfirm",
    "Established",
];

impl Snapshot {
    /// The text of a scrape, in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        let mut text = Text::default();
        self.process(&mut text);
        self.instance(&mut text);
        for (name, numbers) in &self.instances {
            text.instance = Some(name.clone());
            numbers.instance(&mut text);
        }
        text.finish()
    }

    /// What each instance has.
    fn instance(&self, text: &mut Text) {
        self.sessions(text);
        self.messages(text);
        self.routes(text);
        self.kernel(text);
        self.drain(text);
        self.overlay(text);
        self.rpki(text);
        self.bfd(text);
        self.wireguard(text);
        self.tunnels(text);
    }

    fn process(&self, text: &mut Text) {
        text.family(
            "rbgpd_build_info",
            GAUGE,
            "Always 1; the version is a label.",
        )
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        text.family(
            "rbgpd_uptime_seconds",
            GAUGE,
            "Time since the daemon started.",
        )
        .sample(&[], self.uptime_s);
        text.family(
            "rbgpd_resident_memory_bytes",
            GAUGE,
            "Resident memory of the daemon.",
        )
        .sample(&[], self.resident_bytes);
        let mut queues = text.family("rbgpd_queue_depth", GAUGE, "Entries that wait in a queue.");
        for queue in &self.queues {
            queues.sample(&[("queue", &queue.queue)], queue.depth);
        }
    }

    fn sessions(&self, text: &mut Text) {
        let mut up = text.family(
            "rbgpd_neighbor_up",
            GAUGE,
            "1 while the session is Established.",
        );
        for neighbor in &self.neighbors {
            let established = neighbor.state == "Established";
            neighbor.with(|labels| up.sample(labels, u64::from(established)));
        }
        let help = "1 for the state the session is in, 0 for the others.";
        let mut states = text.family("rbgpd_neighbor_state", GAUGE, help);
        for neighbor in &self.neighbors {
            for state in STATES {
                let now = u64::from(neighbor.state == state);
                states.sample(&[("neighbor", &neighbor.name()), ("state", state)], now);
            }
        }
        let help = "Always 1; AS number and description are labels.";
        let mut names = text.family("rbgpd_neighbor_info", GAUGE, help);
        for neighbor in &self.neighbors {
            let description = neighbor.description.as_deref().unwrap_or("");
            let remote_as = neighbor
                .remote_as
                .map_or_else(String::new, |asn| asn.to_string());
            names.sample(
                &[
                    ("neighbor", &neighbor.name()),
                    ("remote_as", &remote_as),
                    ("description", description),
                ],
                1,
            );
        }
        let help = "Time since the session is Established; absent while it is not.";
        let mut uptimes = text.family("rbgpd_neighbor_uptime_seconds", GAUGE, help);
        for neighbor in &self.neighbors {
            if let Some(uptime_s) = neighbor.uptime_s {
                neighbor.with(|labels| uptimes.sample(labels, uptime_s));
            }
        }
        self.per_neighbor(
            text,
            (
                "rbgpd_neighbor_established_total",
                "Times the session became Established.",
            ),
            |neighbor| neighbor.established,
        );
        self.per_neighbor(
            text,
            (
                "rbgpd_neighbor_flaps_total",
                "Times the session was lost while Established.",
            ),
            |neighbor| neighbor.flaps,
        );
        let help = "1 while BFD is up, 0 while it is not; absent without BFD.";
        let mut bfd = text.family("rbgpd_neighbor_bfd_up", GAUGE, help);
        for neighbor in &self.neighbors {
            if let Some(state) = neighbor.bfd {
                let up = u64::from(state == BfdState::Up);
                neighbor.with(|labels| bfd.sample(labels, up));
            }
        }
    }

    /// A counter with one series for each neighbour.
    fn per_neighbor(
        &self,
        text: &mut Text,
        (name, help): (&str, &str),
        value: impl Fn(&NeighborNumbers) -> u64,
    ) {
        let mut family = text.family(name, COUNTER, help);
        for neighbor in &self.neighbors {
            neighbor.with(|labels| family.sample(labels, value(neighbor)));
        }
    }

    fn messages(&self, text: &mut Text) {
        let directions: [Column<NeighborNumbers, MessageCounts>; 2] = [
            (
                "rbgpd_neighbor_messages_received_total",
                "Messages from the neighbor.",
                |neighbor| neighbor.received,
            ),
            (
                "rbgpd_neighbor_messages_sent_total",
                "Messages to the neighbor.",
                |neighbor| neighbor.sent,
            ),
        ];
        for (name, help, counts) in directions {
            let mut family = text.family(name, COUNTER, help);
            for neighbor in &self.neighbors {
                for (kind, count) in by_type(&counts(neighbor)) {
                    family.sample(&[("neighbor", &neighbor.name()), ("type", kind)], count);
                }
            }
        }
        self.per_neighbor(
            text,
            (
                "rbgpd_neighbor_malformed_updates_total",
                "Received UPDATEs with mistakes that did not end the session.",
            ),
            |neighbor| neighbor.malformed_updates,
        );
    }

    fn routes(&self, text: &mut Text) {
        let counts: [Column<RouteCounts, u64>; 4] = [
            (
                "rbgpd_neighbor_routes_received",
                "Routes the neighbor told us and has not withdrawn.",
                |counts| counts.received,
            ),
            (
                "rbgpd_neighbor_routes_accepted",
                "Received routes that the checks and the import policy let in.",
                |counts| counts.accepted,
            ),
            (
                "rbgpd_neighbor_routes_looped",
                "Received routes of this router or its AS that came back, which are not let in.",
                |counts| counts.looped,
            ),
            (
                "rbgpd_neighbor_routes_advertised",
                "Routes we told the neighbor and have not withdrawn.",
                |counts| counts.advertised,
            ),
        ];
        for (name, help, count) in counts {
            let mut family = text.family(name, GAUGE, help);
            for neighbor in &self.neighbors {
                for (of, counts) in neighbor.families.iter() {
                    let labels = [("neighbor", &*neighbor.name()), ("family", of.name())];
                    family.sample(&labels, count(counts));
                }
            }
        }
        let mut not_told = text.family(
            "rbgpd_neighbor_prefixes_not_told",
            GAUGE,
            "Prefixes that policy lets out and maximum_prefixes_out holds back.",
        );
        for neighbor in &self.neighbors {
            for (of, count) in neighbor.not_told.iter() {
                let labels = [("neighbor", &*neighbor.name()), ("family", of.name())];
                not_told.sample(&labels, *count);
            }
        }
        let mut prefixes =
            text.family("rbgpd_prefixes", GAUGE, "Prefixes with at least one path.");
        for (family, count) in self.prefixes.iter() {
            prefixes.sample(&[("family", family.name())], *count);
        }
        let mut paths = text.family("rbgpd_paths", GAUGE, "Paths in the tables.");
        for (family, count) in self.paths.iter() {
            paths.sample(&[("family", family.name())], *count);
        }
        text.family(
            "rbgpd_attribute_sets",
            GAUGE,
            "Distinct sets of path attributes.",
        )
        .sample(&[], self.attribute_sets);
    }

    fn kernel(&self, text: &mut Text) {
        let numbers = &self.kernel;
        for (name, kind, help, value) in [
            (
                "rbgpd_kernel_installed_entries",
                GAUGE,
                "Kernel entries that are as they should be.",
                numbers.installed,
            ),
            (
                "rbgpd_kernel_failed_entries",
                GAUGE,
                "Kernel entries that the kernel refuses.",
                numbers.failed,
            ),
            (
                "rbgpd_kernel_pending_entries",
                GAUGE,
                "Kernel entries that wait to be written.",
                numbers.pending,
            ),
            (
                "rbgpd_kernel_repaired_entries_total",
                COUNTER,
                "Kernel entries changed by others and put right.",
                numbers.repaired_total,
            ),
            (
                "rbgpd_verify_differences",
                GAUGE,
                "Differences that the last comparison with the kernel found.",
                numbers.verify_differences,
            ),
            (
                "rbgpd_verify_runs_total",
                COUNTER,
                "Comparisons with the kernel.",
                numbers.verify_runs_total,
            ),
        ] {
            text.family(name, kind, help).sample(&[], value);
        }
    }

    fn drain(&self, text: &mut Text) {
        text.family(
            "rbgpd_draining",
            GAUGE,
            "1 while the router is drained or being drained.",
        )
        .sample(&[], u64::from(self.draining));
        text.family("rbgpd_drained", GAUGE, "1 while a drain is confirmed.")
            .sample(&[], u64::from(self.drained));
    }

    fn overlay(&self, text: &mut Text) {
        let help = "MAC addresses of an overlay network, here or at other sites.";
        let mut macs = text.family("rbgpd_vni_macs", GAUGE, help);
        for vni in &self.vnis {
            let number = vni.vni.to_string();
            for (kind, count) in [("local", vni.local_macs), ("remote", vni.remote_macs)] {
                macs.sample(
                    &[("vni", &number), ("name", &vni.name), ("kind", kind)],
                    count,
                );
            }
        }
        let help = "Other sites of an overlay network that get flooded frames.";
        let mut vteps = text.family("rbgpd_vni_remote_vteps", GAUGE, help);
        for vni in &self.vnis {
            let number = vni.vni.to_string();
            vteps.sample(&[("vni", &number), ("name", &vni.name)], vni.remote_vteps);
        }
        let help = "Addresses of an overlay network that move again and again, since two hosts have \
                    them.";
        let mut duplicates = text.family("rbgpd_vni_duplicates", GAUGE, help);
        for vni in &self.vnis {
            let number = vni.vni.to_string();
            for (kind, count) in [("mac", vni.duplicate_macs), ("ip", vni.duplicate_ips)] {
                duplicates.sample(
                    &[("vni", &number), ("name", &vni.name), ("kind", kind)],
                    count,
                );
            }
        }
        let help = "Moves of addresses: MAC addresses that changed their site, and IP addresses that \
                    changed their MAC address.";
        let mut moves = text.family("rbgpd_evpn_moves_total", COUNTER, help);
        if !self.vnis.is_empty() {
            for (kind, count) in [("mac", self.mac_moves), ("ip", self.ip_moves)] {
                moves.sample(&[("kind", kind)], count);
            }
        }
        let help = "EVPN routes of others that no overlay network and no VRF imports.";
        let mut unimported = text.family("rbgpd_evpn_unimported_routes", GAUGE, help);
        if !self.vnis.is_empty() {
            unimported.sample(&[], self.unimported_routes);
        }
    }
}

impl Snapshot {
    fn rpki(&self, text: &mut Text) {
        let gauges: [Column<CacheNumbers, Option<u64>>; 4] = [
            (
                "rbgpd_rpki_cache_up",
                "1 while we are in step with the RPKI cache.",
                |cache| Some(u64::from(cache.synced)),
            ),
            (
                "rbgpd_rpki_cache_in_use",
                "1 while routes are validated by what the RPKI cache says.",
                |cache| Some(u64::from(cache.in_use)),
            ),
            (
                "rbgpd_rpki_cache_serial",
                "Serial number of the RPKI cache's data; absent without data.",
                |cache| cache.serial.map(u64::from),
            ),
            (
                "rbgpd_rpki_cache_age_seconds",
                "Time since the RPKI cache's last answer; absent without data.",
                |cache| cache.age_s,
            ),
        ];
        for (name, help, value) in gauges {
            let mut family = text.family(name, GAUGE, help);
            for cache in &self.rpki_caches {
                if let Some(value) = value(cache) {
                    family.sample(&[("cache", &cache.address.to_string())], value);
                }
            }
        }
        let help = "Times the RPKI cache was lost.";
        let mut losses = text.family("rbgpd_rpki_cache_lost_total", COUNTER, help);
        for cache in &self.rpki_caches {
            losses.sample(&[("cache", &cache.address.to_string())], cache.losses);
        }
        let help = "VRPs that the RPKI cache says; 0 once they have expired.";
        let mut vrps = text.family("rbgpd_rpki_cache_vrps", GAUGE, help);
        for cache in &self.rpki_caches {
            let address = cache.address.to_string();
            for (version, count) in [("4", cache.vrps_ipv4), ("6", cache.vrps_ipv6)] {
                vrps.sample(&[("cache", &address), ("ip_version", version)], count);
            }
        }
    }
}

/// Name and help of a metric, and where its value is.
type Column<T, V> = (&'static str, &'static str, fn(&T) -> V);

impl NeighborNumbers {
    fn name(&self) -> String {
        self.address.to_string()
    }

    /// Calls with the label that says which neighbour this is.
    fn with(&self, sample: impl FnOnce(&[(&str, &str)])) {
        sample(&[("neighbor", &self.name())]);
    }
}

fn by_type(counts: &MessageCounts) -> [(&'static str, u64); 5] {
    [
        ("open", counts.open),
        ("update", counts.update),
        ("notification", counts.notification),
        ("keepalive", counts.keepalive),
        ("route_refresh", counts.route_refresh),
    ]
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// The text being written.
#[derive(Default)]
struct Text {
    /// Metrics in the order in which they began, each with its samples.
    families: Vec<(String, String)>,
    /// Whose samples follow; the default instance has no label.
    instance: Option<String>,
}

impl Text {
    /// Begins a metric, or goes on with it; its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) -> Samples<'_> {
        let known = self.families.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
            self.families.push((name.to_owned(), head));
            self.families.len() - 1
        });
        Samples {
            instance: self.instance.as_deref(),
            family: self.families.get_mut(at),
        }
    }

    fn finish(self) -> String {
        self.families.into_iter().map(|(_, text)| text).collect()
    }
}

/// The samples of one metric, which must stand together.
struct Samples<'a> {
    instance: Option<&'a str>,
    family: Option<&'a mut (String, String)>,
}

impl Samples<'_> {
    fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.part("", labels, &value.to_string());
    }

    /// One of several numbers that make up a sample.
    fn part(&mut self, part: &str, labels: &[(&str, &str)], value: &str) {
        let Some((name, text)) = &mut self.family else {
            return;
        };
        text.push_str(name);
        text.push_str(part);
        let instance = self.instance.map(|name| ("instance", name));
        let mut open = false;
        for (key, value) in instance.iter().chain(labels) {
            text.push(if open { ',' } else { '{' });
            open = true;
            text.push_str(key);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
        }
        text.push_str(if open { "} " } else { " " });
        text.push_str(value);
        text.push('\n');
    }
}

/// The format escapes backslash, quote and line feed in a label's value.
fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
