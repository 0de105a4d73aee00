//! Answers.
//!
//! Each type is the JSON of one answer: what the core fills, what the socket carries and what
//! `--json` prints. Names are those of the contract; a name that is here stays. What is absent
//! is `null`, a list that is empty is `[]`, so that a reader never has to ask whether a key exists.

mod configuration;
mod evpn;
mod neighbors;
mod network;
mod routes;
mod rpki;
mod static_routes;

use std::net::{IpAddr, Ipv4Addr};

use bgp::family::PerFamily;
use bgp::{Family, ScopedAddr};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use configuration::*;
pub use evpn::*;
pub use neighbors::*;
pub use network::*;
pub use routes::*;
pub use rpki::*;
pub use static_routes::*;

use super::Timestamp;
use crate::metrics::Snapshot;

/// The answer to a [`super::Request`]. Its JSON is that of the value inside.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Reply {
    /// To `Summary`.
    Summary(Summary),
    /// To `Neighbors`.
    Neighbors(Neighbors),
    /// To `Routes`.
    Routes(Routes),
    /// To `Explain`.
    Explain(Explain),
    /// To `EvpnVni`.
    EvpnVni(EvpnVni),
    /// To `EvpnMac`.
    EvpnMac(EvpnMac),
    /// To `EvpnNeighbors`.
    EvpnNeighbors(EvpnNeighbors),
    /// To `EvpnVteps`.
    EvpnVteps(EvpnVteps),
    /// To `EvpnNextHops`.
    EvpnNextHops(EvpnNextHops),
    /// To `EvpnDuplicates` and `ClearDuplicates`.
    EvpnDuplicates(EvpnDuplicates),
    /// To `EvpnRoutes`.
    EvpnRoutes(EvpnRoutes),
    /// To `Arrived`.
    Arrived(Arrived),
    /// To `Bfd`.
    Bfd(Bfd),
    /// To `Rpki`.
    Rpki(Rpki),
    /// To `StaticRoutes`.
    StaticRoutes(StaticRoutes),
    /// To `DrainStatus`, `Drain` and `Undrain`.
    Drain(Drain),
    /// To `Verify`.
    Verify(Verify),
    /// To `Reload`.
    Reload(Reload),
    /// To `Running`.
    Running(Running),
    /// To `Configure`.
    Configured(Configured),
    /// To `Write`.
    Written(Written),
    /// To `Debug` and `Debugging`.
    Debugging(Debugging),
    /// To `Clear`.
    Clear(Clear),
    /// To `RouteMaps`.
    RouteMaps(RouteMaps),
    /// To `PrefixLists`.
    PrefixLists(PrefixLists),
    /// To `Metrics`.
    Metrics(Box<Snapshot>),
    /// To `Memory`.
    Memory(Memory),
    /// To `Version`.
    Version(Version),
    /// To `Instances`.
    Instances(Instances),
    /// To `Networks`.
    Networks(Networks),
    /// To `NetworkCreate` and `NetworkDelete`.
    NetworkChange(NetworkChange),
}

/// One value for each family that is in use; the others have no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Families<T> {
    /// IPv4 unicast.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub ipv4_unicast: Option<T>,
    /// IPv6 unicast.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub ipv6_unicast: Option<T>,
    /// EVPN.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub evpn: Option<T>,
}

/// `Option::default` would ask for `T: Default`.
fn none<T>() -> Option<T> {
    None
}

impl<T> Families<T> {
    /// The value of a family.
    pub fn get(&self, family: Family) -> Option<&T> {
        match family {
            Family::Ipv4Unicast => self.ipv4_unicast.as_ref(),
            Family::Ipv6Unicast => self.ipv6_unicast.as_ref(),
            Family::Evpn => self.evpn.as_ref(),
        }
    }

    /// Sets the value of a family.
    pub fn set(&mut self, family: Family, value: T) {
        match family {
            Family::Ipv4Unicast => self.ipv4_unicast = Some(value),
            Family::Ipv6Unicast => self.ipv6_unicast = Some(value),
            Family::Evpn => self.evpn = Some(value),
        }
    }

    /// The families in use with their values.
    pub fn iter(&self) -> impl Iterator<Item = (Family, &T)> {
        Family::ALL
            .into_iter()
            .filter_map(|family| Some((family, self.get(family)?)))
    }
}

impl<T> Default for Families<T> {
    fn default() -> Self {
        Self {
            ipv4_unicast: None,
            ipv6_unicast: None,
            evpn: None,
        }
    }
}

impl<T> From<PerFamily<Option<T>>> for Families<T> {
    fn from(values: PerFamily<Option<T>>) -> Self {
        Self {
            ipv4_unicast: values.ipv4_unicast,
            ipv6_unicast: values.ipv6_unicast,
            evpn: values.evpn,
        }
    }
}

/// The router and its neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Our AS number.
    pub asn: u32,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// True while the whole router is drained or being drained.
    pub draining: bool,
    /// Seconds since the daemon started.
    #[serde(default)]
    pub uptime_s: u64,
    /// Prefixes with a path, per family.
    #[serde(default)]
    pub prefixes: Families<u64>,
    /// Unicast families in which paths through different AS numbers may share traffic.
    #[serde(default)]
    pub as_path_relax: Families<bool>,
    /// `show_hostname` of the configuration: texts of `vtysh` have names of neighbours before their addresses.
    #[serde(default)]
    pub show_hostname: bool,
    /// The same of next hops.
    #[serde(default)]
    pub show_next_hop_hostname: bool,
    /// What neighbours are told in the place of MEDs (`max_med`, `max_med_on_startup`).
    #[serde(default)]
    pub max_med: Option<MaxMed>,
    /// `show_attributes` of the configuration: `show ip route` of `vtysh` has attributes of BGP's routes.
    #[serde(default)]
    pub show_attributes: bool,
    /// What does not work as it may have been meant, a line each, with consequence and remedy:
    /// `0 of 2 prefixes announced to 10.10.0.3: no export policy; ...`.
    #[serde(default)]
    pub notices: Vec<String>,
    /// While routes are held back after a restart: for whom, and until when.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// The neighbours, in the order of their addresses.
    pub neighbors: Vec<NeighborSummary>,
    /// Instances beside the default one, where there are any and no single one was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
}

/// A MED that neighbours are told with every route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxMed {
    /// The MED.
    pub med: u32,
    /// The configuration has it for all times.
    pub always: bool,
    /// Seconds of the time after the start that are left.
    pub startup_left_s: Option<u64>,
}

/// All instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// The default one first.
    pub instances: Vec<Instance>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, `default` for the one at the top of the file.
    pub name: String,
    /// The VRF device that it is bound to.
    pub vrf: Option<String>,
    /// Its AS number.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// The kernel's routing table that it writes to.
    pub table: u32,
    /// It is drained or being drained.
    pub draining: bool,
    /// How many neighbours it has.
    pub neighbors: u64,
    /// Of how many the session is Established.
    pub established: u64,
    /// It does not run: its VRF device is not there.
    #[serde(default)]
    pub waiting: bool,
}

/// The wait for neighbours' routes after a restart (RFC 4724 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it ends at the latest.
    pub until: Timestamp,
    /// Seconds until then.
    pub left_s: u64,
    /// Neighbours whose End-of-RIB is awaited, per family.
    pub waiting_for: Families<Vec<ScopedAddr>>,
}

/// BFD sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bfd {
    /// In the order of peers.
    pub sessions: Vec<BfdSession>,
    /// The thread that all sessions have together; `null` without a session.
    #[serde(default)]
    pub thread: Option<BfdThread>,
}

/// The thread that runs BFD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BfdThread {
    /// Real-time priority was granted.
    pub realtime: bool,
    /// The latest that it ever came for a timer.
    pub lateness_max_ms: f64,
    /// Packets that no session took, ever.
    pub refused: u64,
    /// What was wrong with the last of those that were no valid packet.
    pub refused_last: Option<String>,
    /// The ports are flooded: the kernel drops what is of no session, and one in 64 of that counts.
    pub shielded: bool,
}

/// A BFD session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BfdSession {
    /// The other side.
    pub peer: ScopedAddr,
    /// State.
    pub state: BfdState,
    /// Interval at which we send now.
    pub interval_ms: f64,
    /// Silence after which the session goes down.
    pub detect_ms: f64,
    /// Seconds since it is up; `null` while it is not.
    pub uptime_s: Option<u64>,
    /// Seconds since it is down, or tries to come up for the first time; `null` in other states.
    #[serde(default)]
    pub downtime_s: Option<u64>,
    /// Our address.
    #[serde(default)]
    pub local: Option<IpAddr>,
    /// Interface, where the session is bound to one.
    #[serde(default)]
    pub interface: Option<String>,
    /// The VRF it is in.
    #[serde(default)]
    pub vrf: Option<String>,
    /// The other side is behind routers.
    #[serde(default)]
    pub multihop: bool,
    /// We wait for the other side to speak first.
    #[serde(default)]
    pub passive: bool,
    /// What packets are authenticated with.
    #[serde(default)]
    pub authentication: Option<String>,
    /// Detection multiplier.
    #[serde(default)]
    pub multiplier: u8,
    /// Why it went down the last time (RFC 5880 §4.1).
    #[serde(default)]
    pub diagnostic: Option<String>,
    /// What the other side says about itself.
    #[serde(default)]
    pub remote_state: Option<BfdState>,
    /// Why its state changed, as the other side says.
    #[serde(default)]
    pub remote_diagnostic: Option<String>,
    /// The other side's BFD does not depend on its control plane (the C bit).
    #[serde(default)]
    pub control_plane_independent: bool,
    /// How often it was up and went down.
    #[serde(default)]
    pub flaps: u64,
    /// Packets taken in.
    #[serde(default)]
    pub received: u64,
    /// Packets sent.
    #[serde(default)]
    pub sent: u64,
    /// Packets of the other side that were refused.
    #[serde(default)]
    pub refused: u64,
    /// Why the last one that was not believed was not; `null` once one is.
    #[serde(default)]
    pub refusal: Option<String>,
    /// How often this host was stalled and the other side was given more time.
    #[serde(default)]
    pub stalls: u64,
    /// Who watches the session: `bfd`, or `neighbor` with an address.
    #[serde(default)]
    pub watched_by: Vec<String>,
    /// What is missing before packets can be sent: an interface, an address.
    #[serde(default)]
    pub waiting: Option<String>,
    /// Our number for the session, in every packet; `null` while it cannot begin.
    #[serde(default)]
    pub discriminator: Option<u32>,
    /// The other side's number for it; `null` while it is not heard.
    #[serde(default)]
    pub remote_discriminator: Option<u32>,
    /// The interval at which we want to send, as configured.
    #[serde(default)]
    pub transmit_ms: f64,
    /// The interval at which we can receive, as configured.
    #[serde(default)]
    pub receive_ms: f64,
    /// The interval at which the other side wants to send; `null` while it is not heard, as the
    /// others of the other side.
    #[serde(default)]
    pub remote_transmit_ms: Option<f64>,
    /// The interval at which the other side can receive.
    #[serde(default)]
    pub remote_receive_ms: Option<f64>,
    /// The other side's detection multiplier.
    #[serde(default)]
    pub remote_multiplier: Option<u8>,
    /// The echo function (RFC 5880 §6.4).
    #[serde(default)]
    pub echo: BfdEcho,
}

/// The echo function of a BFD session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BfdEcho {
    /// The interval of our packets, as configured; `null`: none are to be sent.
    pub transmit_ms: Option<f64>,
    /// The interval at which packets leave now; `null`: none do.
    pub interval_ms: Option<f64>,
    /// A packet has come back, so that their absence takes the session down.
    pub works: bool,
    /// The interval at which the other side may have packets sent back, as it is told now; `null`: never.
    pub receive_ms: Option<f64>,
    /// The interval at which the other side sends packets back; `null` while it is not heard, 0: never.
    pub remote_receive_ms: Option<f64>,
    /// Packets of ours.
    pub sent: u64,
    /// Those that came back.
    pub returned: u64,
    /// Packets of the other side that were sent back by us. Those that the kernel forwards are not among
    /// them.
    pub looped_back: u64,
    /// The shortest of the last eight round trips, in microseconds.
    pub round_trip_min_us: Option<u64>,
    /// Their mean.
    pub round_trip_mean_us: Option<u64>,
    /// The longest of them.
    pub round_trip_max_us: Option<u64>,
    /// What of it does not work, and why.
    pub problem: Option<String>,
}

/// How far a drain is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Drain {
    /// True while the whole router is drained or being drained.
    pub draining: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why, as the operator said.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub deadline: Option<Timestamp>,
    /// What keeps a drain whose time is over from ending, a line each.
    #[serde(default)]
    pub overdue: Vec<String>,
    /// What was asked for last is confirmed: drained, or back to normal.
    pub complete: bool,
    /// What is not confirmed yet, a line each, naming the neighbour.
    pub pending: Vec<String>,
    /// Packets that still pass through us; `null` while not measured.
    pub packets_per_second: Option<f64>,
    /// What would lose its only way, or speaks against draining now; a line each.
    pub risks: Vec<String>,
    /// True for the answer to a dry run: nothing was changed.
    pub dry_run: bool,
    /// What else is to be known of the order, a line each: what it keeps of an earlier one.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Each neighbour.
    pub neighbors: Vec<NeighborDrain>,
    /// The instances that are drained, where others are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
}

/// How far a drain is at one neighbour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborDrain {
    /// Its address.
    pub address: ScopedAddr,
    /// The instance that it is of, unless that is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Traffic is moved away from this neighbour, for itself or with the whole router.
    pub draining: bool,
    /// The route-map by which the configuration moves traffic away from it: everything that it is told,
    /// in every family, gets a longer path. No order ends that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_route_map: Option<String>,
    /// What was asked for last is confirmed at this neighbour.
    pub complete: bool,
    /// Each family in use.
    pub families: Families<FamilyDrain>,
}

/// How far a drain is at one neighbour in one family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FamilyDrain {
    /// Every changed route is written to the neighbour's connection.
    pub told: bool,
    /// Prefixes of ours that the neighbour still routes through us as far as its own
    /// advertisements show; the first hundred.
    pub still_preferred: Vec<String>,
    /// How many there are.
    pub still_preferred_total: u64,
}

/// The kernel compared with what should be in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// Nothing differs, and routes are not held back after a restart.
    pub equal: bool,
    /// Entries that should be there.
    pub checked: u64,
    /// Entries that wait to be written.
    pub pending: u64,
    /// Entries that are not there.
    pub missing: u64,
    /// Entries that are there with other values.
    pub different: u64,
    /// Entries that carry our mark and should not be there.
    pub unexpected: u64,
    /// The first thousand differences.
    pub differences: Vec<Difference>,
    /// False where `[kernel] enabled = false`: there is nothing to compare.
    #[serde(default = "yes")]
    pub kernel_enabled: bool,
    /// What is no difference but worth knowing, a line each: routes of other programs that the
    /// kernel prefers to ours.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// An entry that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The entry.
    pub entry: String,
    /// What should be there; `null` for nothing.
    pub want: Option<String>,
    /// What is there; `null` for nothing.
    pub have: Option<String>,
    /// What the kernel said when it refused.
    #[serde(default)]
    pub error: Option<String>,
}

/// What a reload changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// Nothing was applied.
    pub dry_run: bool,
    /// Anything is different at all.
    pub changed: bool,
    /// The differences, a line each.
    pub changes: Vec<String>,
    /// Neighbours whose session restarts for it.
    pub restarts: Vec<ScopedAddr>,
    /// Those of the differences that need a new start of the service: while there is one, a
    /// reload is refused as a whole. Only in the answer to a dry run.
    #[serde(default)]
    pub restart_required: Vec<String>,
    /// What else is to be known, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What a clear reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clear {
    /// The neighbours.
    pub cleared: Vec<ScopedAddr>,
}

/// Route-maps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMaps {
    /// In the order of the configuration.
    pub route_maps: Vec<RouteMap>,
}

/// A route-map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMap {
    /// Its name.
    pub name: String,
    /// How often it was asked since it is as it is. Not a number of routes: routes that share
    /// attributes share an answer where the map does not look at the prefix.
    pub evaluations: u64,
    /// Where it applies, directly or through a map that calls it: `10.10.0.2 ipv4_unicast import`,
    /// `network 10.0.0.0/8`.
    pub used_by: Vec<String>,
    /// In the order of their numbers.
    pub entries: Vec<RouteMapEntry>,
}

/// An entry of a route-map, in the words of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMapEntry {
    /// Its number.
    pub seq: u32,
    /// `permit` or `deny`.
    pub action: String,
    /// What people say it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Its conditions: `prefix_list = "INTERNAL"`.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// Its changes: `metric = 100`.
    pub set: Vec<String>,
    /// The map that it calls.
    #[serde(default)]
    pub call: Option<String>,
    /// What follows a match: `exit`, `next` or a number.
    pub on_match: String,
    /// How often it matched, counted as `evaluations` are.
    pub hits: u64,
}

/// Prefix lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrefixLists {
    /// In the order of the configuration.
    pub prefix_lists: Vec<PrefixList>,
}

/// A prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixList {
    /// Its name.
    pub name: String,
    /// What people say it is for.
    pub description: Option<String>,
    /// In the order of their numbers.
    pub rules: Vec<PrefixListRule>,
}

/// A rule of a prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListRule {
    /// Its number.
    pub seq: u32,
    /// `permit` or `deny`.
    pub action: String,
    /// `null` for any of either version.
    pub prefix: Option<String>,
    /// Shortest length of what it is about, where that is not the prefix itself.
    pub ge: Option<u8>,
    /// Longest length.
    pub le: Option<u8>,
}

/// What the tables hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident memory of the process.
    pub resident_bytes: u64,
    /// Prefixes with a path, per family.
    pub prefixes: Families<u64>,
    /// Paths, per family.
    pub paths: Families<u64>,
    /// Distinct attribute sets.
    pub attribute_sets: u64,
    /// Bytes of the attribute sets.
    pub attribute_bytes: u64,
    /// Bytes of the tables.
    pub table_bytes: u64,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Version of the daemon.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// What neighbours are told that the host is called.
    #[serde(default)]
    pub hostname: String,
}

fn yes() -> bool {
    true
}
