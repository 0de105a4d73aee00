//! Answers.
//!
//! Each type is the JSON of one answer: what the core fills, what the socket carries and what
//! `--json` prints. Names are those of the contract; a name that is here stays. What is absent
//! is `null`, a list that is empty is `[]`, so that a reader never has to ask whether a key exists.

use std::net::{IpAddr, Ipv4Addr};

use bgp::Family;
use bgp::family::PerFamily;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// To `EvpnRoutes`.
    EvpnRoutes(EvpnRoutes),
    /// To `Bfd`.
    Bfd(Bfd),
    /// To `DrainStatus`, `Drain` and `Undrain`.
    Drain(Drain),
    /// To `Verify`.
    Verify(Verify),
    /// To `Reload`.
    Reload(Reload),
    /// To `Clear`.
    Clear(Clear),
    /// To `RouteMaps`.
    RouteMaps(RouteMaps),
    /// To `Metrics`.
    Metrics(Box<Snapshot>),
    /// To `Memory`.
    Memory(Memory),
    /// To `Version`.
    Version(Version),
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
    /// What does not work as it may have been meant, a line each, with consequence and remedy:
    /// `0 of 2 prefixes announced to 10.10.0.3: no export policy; ...`.
    #[serde(default)]
    pub notices: Vec<String>,
    /// While routes are held back after a restart: for whom, and until when.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// The neighbours, in the order of their addresses.
    pub neighbors: Vec<NeighborSummary>,
}

/// The wait for neighbours' routes after a restart (RFC 4724 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it ends at the latest.
    pub until: Timestamp,
    /// Seconds until then.
    pub left_s: u64,
    /// Neighbours whose End-of-RIB is awaited, per family.
    pub waiting_for: Families<Vec<IpAddr>>,
}

/// A neighbour in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborSummary {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number; `null` while any other than our own would do and it has not said it.
    pub remote_as: Option<u32>,
    /// What people call it.
    pub description: Option<String>,
    /// The interface on which it was heard; `null` for a neighbour with a configured address.
    #[serde(default)]
    pub interface: Option<String>,
    /// The listen range it has come from; `null` for a neighbour that is configured.
    #[serde(default)]
    pub listen_range: Option<String>,
    /// State of the session as RFC 4271 §8.2.2 names it: `Idle` to `Established`.
    pub state: String,
    /// Seconds since it is Established; `null` while it is not.
    pub uptime_s: Option<u64>,
    /// Seconds since Established was reached or lost; `null` if it was never reached.
    #[serde(default)]
    pub changed_s: Option<u64>,
    /// State of BFD; `null` where it is not configured.
    pub bfd: Option<BfdState>,
    /// True while traffic is moved away from this neighbour.
    #[serde(default)]
    pub draining: bool,
    /// Messages received.
    #[serde(default)]
    pub messages_received: u64,
    /// Messages sent.
    #[serde(default)]
    pub messages_sent: u64,
    /// Why the session is not up, in one line.
    #[serde(default)]
    pub why: Option<String>,
    /// From which side: `here`, `neighbor`, or `path` for what lies between.
    #[serde(default)]
    pub side: Option<String>,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// Routes per activated family.
    pub families: Families<RouteCounts>,
}

/// How many routes of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RouteCounts {
    /// Received and not withdrawn. Each path counts, where there are several of a prefix.
    pub received: u64,
    /// Of those, let in by the checks and policy.
    pub accepted: u64,
    /// Of the others, routes of this router or its AS that came back, which is as it should be.
    #[serde(default)]
    pub looped: u64,
    /// Told to the neighbour and not withdrawn. Each path counts, where there are several of a
    /// prefix.
    pub advertised: u64,
}

/// State of a BFD session (RFC 5880 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BfdState {
    /// Held down by an operator, here or there.
    AdminDown,
    /// No packets, or no agreement yet.
    Down,
    /// Packets arrive, the other side does not hear us yet.
    Init,
    /// Both sides hear each other.
    Up,
}

impl BfdState {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            BfdState::AdminDown => "admin_down",
            BfdState::Down => "down",
            BfdState::Init => "init",
            BfdState::Up => "up",
        }
    }
}

/// Neighbours in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbors {
    /// In the order of their addresses.
    pub neighbors: Vec<Neighbor>,
}

/// A neighbour in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbor {
    /// What the summary says.
    #[serde(flatten)]
    pub summary: NeighborSummary,
    /// Our side of the connection.
    pub local_address: Option<IpAddr>,
    /// Its BGP identifier, while Established.
    pub router_id: Option<Ipv4Addr>,
    /// True if it has our AS number.
    pub internal: bool,
    /// Our AS number on this session, where it is another than everywhere else.
    #[serde(default)]
    pub local_as: Option<u32>,
    /// What the configuration makes of it beside its AS number, one sentence each.
    #[serde(default)]
    pub relation: Vec<String>,
    /// A password is configured (RFC 2385); it is never told.
    #[serde(default)]
    pub password: bool,
    /// TTL of our packets.
    #[serde(default)]
    pub ttl: u8,
    /// How many hops the neighbour's packets may have travelled (RFC 5082); `null`: any number.
    #[serde(default)]
    pub ttl_security: Option<u8>,
    /// Hold time in effect, or the one we offer.
    pub hold_time_s: u64,
    /// Keepalive interval in effect, or the configured one.
    pub keepalive_s: u64,
    /// Received messages by type.
    pub received: MessageCounts,
    /// Sent messages by type.
    pub sent: MessageCounts,
    /// Received UPDATEs with mistakes that did not end the session (RFC 7606).
    pub malformed_updates: u64,
    /// What both sides can do, in words, while Established.
    pub capabilities: Vec<String>,
    /// How often Established was reached.
    pub established: u64,
    /// How often Established was lost.
    pub flaps: u64,
    /// Why Established was lost the last time.
    pub last_down: Option<Failure>,
    /// Seconds for which its routes are kept still, while it is away (RFC 4724, RFC 9494).
    #[serde(default)]
    pub kept_s: Option<u64>,
    /// They are a last resort by now (RFC 9494).
    #[serde(default)]
    pub last_resort: bool,
    /// The last failure of anything; `null` again once Established.
    pub last_error: Option<Failure>,
    /// More about each activated family.
    pub details: Families<FamilyDetail>,
}

/// Messages by type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessageCounts {
    /// OPEN.
    pub open: u64,
    /// UPDATE.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl MessageCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }
}

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What.
    pub reason: String,
    /// Seconds ago.
    pub ago_s: u64,
}

/// A family of a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FamilyDetail {
    /// Both sides agreed on it.
    pub negotiated: bool,
    /// Name of the import route-map.
    pub import: Option<String>,
    /// Name of the export route-map.
    pub export: Option<String>,
    /// The neighbour has sent all its routes (End-of-RIB, RFC 4724 §2).
    pub end_of_rib_received: bool,
    /// All our routes are sent.
    pub end_of_rib_sent: bool,
    /// Routes kept although the session went (RFC 4724 §4.2).
    pub stale: u64,
    /// Most prefixes that the neighbour may send; `null`: any number.
    #[serde(default)]
    pub maximum: Option<MaximumPrefixes>,
    /// Several paths of a prefix; absent where they are not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_path: Option<AddPath>,
}

/// Several paths of a prefix in a family (RFC 7911): what is configured, and what the neighbour
/// agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddPath {
    /// Configured: several are taken from the neighbour.
    pub receive: bool,
    /// Configured: how many the neighbour is sent, `all` or a number; `null`: one.
    pub send: Option<String>,
    /// The neighbour sends several.
    pub receiving: bool,
    /// The neighbour takes several.
    pub sending: bool,
}

impl AddPath {
    /// What is configured and the neighbour did not agree to, a sentence each.
    pub fn not_agreed(&self) -> Vec<String> {
        let configured = "several paths of a prefix are configured";
        let taken = (self.receive && !self.receiving)
            .then_some("(add_path_receive), but the neighbor does not send them");
        let sent = (self.send.is_some() && !self.sending)
            .then_some("(add_path_send), but the neighbor does not take them");
        let all = taken.into_iter().chain(sent);
        all.map(|what| format!("{configured} {what}; turn that on there"))
            .collect()
    }
}

/// Most prefixes that a neighbour may send in a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaximumPrefixes {
    /// The limit.
    pub limit: u32,
    /// Part of it, in percent, beyond which there is a warning.
    pub warn_at: u8,
    /// What counts: `received` or `accepted`.
    pub count: String,
    /// What follows more than that: `stop`, `restart` or `warn`.
    pub action: String,
    /// With `restart`: after how many seconds.
    pub restart_after_s: Option<u64>,
}

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
    pub neighbor: Option<IpAddr>,
    /// The chosen path.
    pub best: bool,
    /// Used beside the chosen path.
    pub multipath: bool,
    /// Where packets go.
    pub next_hops: Vec<IpAddr>,
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

fn yes() -> bool {
    true
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
    pub neighbor: IpAddr,
    /// It is told.
    pub advertised: bool,
    /// Why, or why not.
    pub why: String,
    /// How the export policy came to its result, a line a step.
    #[serde(default)]
    pub policy: Vec<String>,
}

/// Overlay networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnVni {
    /// In ascending order.
    pub vnis: Vec<Vni>,
}

/// An overlay network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vni {
    /// Its number.
    pub vni: u32,
    /// What people call it.
    pub name: String,
    /// Route distinguisher; `null` if another VNI has it.
    pub rd: Option<String>,
    /// Route targets taken in.
    pub import_targets: Vec<String>,
    /// Route targets sent.
    pub export_targets: Vec<String>,
    /// MAC addresses that are here.
    pub local_macs: u64,
    /// MAC addresses at other sites.
    pub remote_macs: u64,
    /// Sites that get flooded frames.
    pub remote_vteps: Vec<IpAddr>,
    /// Our tunnel endpoint.
    pub vtep: Option<IpAddr>,
    /// Bridge.
    pub bridge: Option<String>,
    /// VXLAN device.
    pub vxlan: Option<String>,
    /// MTU of the devices.
    pub mtu: Option<u32>,
    /// Anycast gateway addresses.
    pub gateway: Vec<String>,
    /// What keeps it from working as configured, a line each.
    pub problems: Vec<String>,
}

/// MAC addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnMac {
    /// In the order of VNI and address.
    pub macs: Vec<Mac>,
}

/// Where a MAC address is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mac {
    /// VNI.
    pub vni: u32,
    /// Address.
    pub mac: String,
    /// IP addresses bound to it.
    pub ips: Vec<IpAddr>,
    /// Where it is.
    pub kind: MacKind,
    /// The other site's tunnel endpoint; `null` for local ones.
    pub vtep: Option<IpAddr>,
    /// Mobility sequence number (RFC 7432 §15).
    pub sequence: u32,
    /// Static (RFC 7432 §15.2).
    pub sticky: bool,
    /// How often it changed place.
    #[serde(default)]
    pub moves: u32,
    /// Why it is where it is.
    #[serde(default)]
    pub reason: Option<String>,
    /// A static address that somebody else claims, too.
    #[serde(default)]
    pub conflict: Option<String>,
    /// It is in the kernel; `null` where the kernel is not written.
    #[serde(default)]
    pub installed: Option<bool>,
}

/// Here or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MacKind {
    /// On a local port.
    Local,
    /// Behind another site's tunnel.
    Remote,
}

impl MacKind {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            MacKind::Local => "local",
            MacKind::Remote => "remote",
        }
    }
}

/// A page of EVPN routes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnRoutes {
    /// In key order.
    pub routes: Vec<EvpnRoute>,
    /// `after` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An EVPN route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnRoute {
    /// The path.
    #[serde(flatten)]
    pub route: Route,
    /// Every field of the route, as [`super::message_json::evpn_route`] makes it.
    pub evpn: Value,
    /// VNIs that import it.
    pub vnis: Vec<EvpnImport>,
}

/// A VNI that imports a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnImport {
    /// The VNI.
    pub vni: u32,
    /// What keeps the route from being used there.
    pub fault: Option<String>,
}

/// BFD sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bfd {
    /// In the order of peers.
    pub sessions: Vec<BfdSession>,
}

/// A BFD session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BfdSession {
    /// The other side.
    pub peer: IpAddr,
    /// State.
    pub state: BfdState,
    /// Interval at which we send now.
    pub interval_ms: f64,
    /// Silence after which the session goes down.
    pub detect_ms: f64,
    /// Seconds since it is up; `null` while it is not.
    pub uptime_s: Option<u64>,
    /// Our address.
    #[serde(default)]
    pub local: Option<IpAddr>,
    /// Interface, where the session is bound to one.
    #[serde(default)]
    pub interface: Option<String>,
    /// Detection multiplier.
    #[serde(default)]
    pub multiplier: u8,
    /// Why it went down the last time (RFC 5880 §4.1).
    #[serde(default)]
    pub diagnostic: Option<String>,
    /// What the other side says about itself.
    #[serde(default)]
    pub remote_state: Option<BfdState>,
    /// How often it was up and went down.
    #[serde(default)]
    pub flaps: u64,
    /// What is missing before packets can be sent: an interface, an address.
    #[serde(default)]
    pub waiting: Option<String>,
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
}

/// How far a drain is at one neighbour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborDrain {
    /// Its address.
    pub address: IpAddr,
    /// What people call it.
    pub description: Option<String>,
    /// Traffic is moved away from this neighbour, for itself or with the whole router.
    pub draining: bool,
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
    pub restarts: Vec<IpAddr>,
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
    pub cleared: Vec<IpAddr>,
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
}
