//! The accepted configuration: every value in range, every reference resolved, every default
//! filled in.
//!
//! Only plain values; what they do is documented with the keys in `docs/configuration.md`.
//! Lists are kept in the order of the file, since nothing depends on it and it is shown again.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bgp::attributes::Origin;
use bgp::community::ExtendedCommunity;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use bgp::policy::{
    AsPathList, CommunityList, ExtendedCommunityList, LargeCommunityList, MacList, PrefixList,
    RouteMap,
};
use bgp::{Asn, Prefix, Vni};
use ipnetwork::IpNetwork;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Where we accept BGP connections.
    pub listen: Vec<SocketAddr>,
    /// What an eBGP neighbour without a route-map gets and gives.
    pub ebgp_requires_policy: EbgpRequiresPolicy,
    /// The WireGuard interface beneath, if there is one.
    pub underlay: Option<Underlay>,
    /// IPv4 unicast.
    pub ipv4_unicast: Unicast,
    /// IPv6 unicast.
    pub ipv6_unicast: Unicast,
    /// EVPN; needed for VNIs.
    pub evpn: Option<Evpn>,
    /// Neighbours, no address twice.
    pub neighbors: Vec<Neighbor>,
    /// Overlay networks, no number twice.
    pub vnis: Vec<VniConfig>,
    /// Prefix lists, no name twice.
    pub prefix_lists: Vec<Arc<PrefixList>>,
    /// Community lists, no name twice.
    pub community_lists: Vec<Arc<CommunityList>>,
    /// Lists of large communities, no name twice.
    pub large_community_lists: Vec<Arc<LargeCommunityList>>,
    /// Lists of extended communities, no name twice.
    pub extended_community_lists: Vec<Arc<ExtendedCommunityList>>,
    /// AS path lists, no name twice.
    pub as_path_lists: Vec<Arc<AsPathList>>,
    /// Lists of MAC addresses, no name twice.
    pub mac_lists: Vec<Arc<MacList>>,
    /// Route-maps, no name twice. A neighbour's map is one of these.
    pub route_maps: Vec<Arc<RouteMap>>,
    /// The kernel.
    pub kernel: Kernel,
    /// Graceful restart as a whole.
    pub graceful_restart: GracefulRestart,
    /// Where metrics are served over HTTP, if they are.
    pub metrics: Option<SocketAddr>,
    /// Logging.
    pub log: Log,
    /// Draining.
    pub drain: Drain,
}

impl Config {
    /// A configuration of defaults.
    pub fn new(asn: Asn, router_id: Ipv4Addr) -> Self {
        Self {
            asn,
            router_id,
            listen: default_listen(),
            ebgp_requires_policy: EbgpRequiresPolicy::Auto,
            underlay: None,
            ipv4_unicast: Unicast::default(),
            ipv6_unicast: Unicast::default(),
            evpn: None,
            neighbors: Vec::new(),
            vnis: Vec::new(),
            prefix_lists: Vec::new(),
            community_lists: Vec::new(),
            large_community_lists: Vec::new(),
            extended_community_lists: Vec::new(),
            as_path_lists: Vec::new(),
            mac_lists: Vec::new(),
            route_maps: Vec::new(),
            kernel: Kernel::default(),
            graceful_restart: GracefulRestart::default(),
            metrics: None,
            log: Log::default(),
            drain: Drain::default(),
        }
    }

    /// Networks and multipath of a unicast family; `None` for EVPN.
    pub fn unicast(&self, family: Family) -> Option<&Unicast> {
        match family {
            Family::Ipv4Unicast => Some(&self.ipv4_unicast),
            Family::Ipv6Unicast => Some(&self.ipv6_unicast),
            Family::Evpn => None,
        }
    }

    /// Whether any neighbour has a password, for which the kernel must know TCP's MD5 signature.
    pub fn has_passwords(&self) -> bool {
        self.neighbors.iter().any(|it| it.password.is_some())
    }

    /// The neighbour with this address.
    pub fn neighbor(&self, address: IpAddr) -> Option<&Neighbor> {
        self.neighbors.iter().find(|n| n.address == address)
    }
}

/// The port of BGP (RFC 4271 §8.2.1).
pub const BGP_PORT: u16 = 179;

/// Every address of the host, both IP versions.
pub(super) fn default_listen() -> Vec<SocketAddr> {
    vec![
        SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), BGP_PORT),
        SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), BGP_PORT),
    ]
}

/// What an eBGP neighbour without a route-map gets and gives (RFC 8212).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EbgpRequiresPolicy {
    /// Everything between private AS numbers (RFC 6996), nothing otherwise.
    #[default]
    Auto,
    /// Nothing.
    Yes,
    /// Everything.
    No,
}

/// The WireGuard interface beneath the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underlay {
    /// Its name.
    pub interface: String,
    /// Keep WireGuard's AllowedIPs equal to the routes learned through each peer.
    pub sync_allowed_ips: bool,
    /// Socket of a userspace WireGuard; `None` is the place where they put it.
    pub wireguard_socket: Option<PathBuf>,
}

/// A unicast family.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unicast {
    /// Networks we announce.
    pub networks: Vec<Network>,
    /// Equal-cost paths.
    pub multipath: Multipath,
}

/// A network we announce.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The prefix.
    pub prefix: Prefix,
    /// When it is announced.
    pub require_route: RequireRoute,
    /// Changes its attributes, or holds it back, as it enters the table.
    pub route_map: Option<Arc<RouteMap>>,
}

/// When a network is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequireRoute {
    /// Always.
    #[default]
    No,
    /// While the kernel has a route to exactly this prefix that is not ours.
    Exact,
    /// While the kernel has a route, not ours, to this prefix or to one within it.
    OrMoreSpecific,
}

/// Equal-cost paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipath {
    /// How many paths a prefix may use, 1 to 256.
    pub paths: u16,
    /// Paths through different AS numbers may share (their lengths must be equal).
    pub as_path_relax: bool,
}

impl Default for Multipath {
    fn default() -> Self {
        Self {
            paths: 1,
            as_path_relax: false,
        }
    }
}

/// EVPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evpn {
    /// Our tunnel endpoint.
    pub vtep: IpAddr,
    /// UDP port of the VXLAN devices.
    pub port: u16,
}

impl Evpn {
    /// VXLAN's port (RFC 7348 §5).
    pub const PORT: u16 = 4789;
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub remote_as: Asn,
    /// What people call it.
    pub description: Option<String>,
    /// Its TCP port.
    pub port: u16,
    /// The address we connect from.
    pub local_address: Option<IpAddr>,
    /// The interface whose address we connect from; never together with `local_address`.
    pub source_interface: Option<String>,
    /// What the neighbour's packets may have travelled, in hops (RFC 5082).
    pub ttl_security: Option<u8>,
    /// TTL of our packets; `None` leaves it to [`Neighbor::ttl`].
    pub multihop: Option<u8>,
    /// Shared secret of TCP's MD5 signature (RFC 2385).
    pub password: Option<Password>,
    /// Wait for the neighbour to connect.
    pub passive: bool,
    /// Keep the session down.
    pub shutdown: bool,
    /// What we are to the neighbour (RFC 9234).
    pub role: Option<Role>,
    /// Timers.
    pub timers: Timers,
    /// BFD, if it is on.
    pub bfd: Option<Bfd>,
    /// Restart time we offer (RFC 4724); `None` turns graceful restart off on this session.
    pub graceful_restart: Option<Duration>,
    /// Families that are activated.
    pub families: PerFamily<Option<NeighborFamily>>,
}

impl Neighbor {
    /// A neighbour with the defaults of every key and no family.
    pub fn new(address: IpAddr, remote_as: Asn) -> Self {
        Self {
            address,
            remote_as,
            description: None,
            port: BGP_PORT,
            local_address: None,
            source_interface: None,
            ttl_security: None,
            multihop: None,
            password: None,
            passive: false,
            shutdown: false,
            role: None,
            timers: Timers::default(),
            bfd: None,
            graceful_restart: Some(GracefulRestart::default().restart_time),
            families: PerFamily::default(),
        }
    }

    /// TTL of what we send to the neighbour. An eBGP neighbour is one hop away unless the
    /// configuration says otherwise; RFC 5082 §3 sends 255 so that the other side can count.
    pub fn ttl(&self, asn: Asn) -> u8 {
        match (self.ttl_security, self.multihop) {
            (Some(_), _) => u8::MAX,
            (None, Some(ttl)) => ttl,
            (None, None) if self.remote_as == asn => u8::MAX,
            (None, None) => 1,
        }
    }

    /// Least TTL of packets that are taken as the neighbour's (RFC 5082 §3).
    pub fn min_ttl(&self) -> Option<u8> {
        self.ttl_security.map(|hops| u8::MAX - (hops - 1))
    }
}

/// A secret shared with a neighbour: 1 to [`Password::LENGTH_MAX`] octets, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What Linux takes as a key of TCP's MD5 signature.
    pub const LENGTH_MAX: usize = 80;

    /// What stands in place of every password that is written or shown. It is no password
    /// itself, so that a printed configuration is not taken for a complete one.
    pub const HIDDEN: &'static str = "<hidden>";

    /// A password, if the text can be one: neither empty nor too long, on one line, and not
    /// [`Password::HIDDEN`].
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let plain = !text.chars().any(char::is_control) && text != Self::HIDDEN;
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The octets, for the kernel.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

/// Timers of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Hold time offered: 0 (off) or 3 s to 65535 s, whole seconds (RFC 4271 §4.2).
    pub hold: Duration,
    /// Keepalive interval, shorter than the hold time. Applies as long as the hold time in
    /// effect is not shorter than the offered one; then it shrinks in proportion.
    pub keepalive: Duration,
    /// Pause between attempts to connect.
    pub connect_retry: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(90),
            keepalive: Duration::from_secs(30),
            connect_retry: Duration::from_secs(10),
        }
    }
}

/// BFD beside a session (RFC 5880).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bfd {
    /// Interval, in both directions.
    pub interval: Duration,
    /// Packets that may be lost in a row, plus one.
    pub multiplier: u8,
}

impl Default for Bfd {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(300),
            multiplier: 3,
        }
    }
}

/// A family activated with a neighbour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NeighborFamily {
    /// Route-map for what the neighbour tells us.
    pub import: Option<Arc<RouteMap>>,
    /// Route-map for what we tell the neighbour.
    pub export: Option<Arc<RouteMap>>,
    /// The next hop we tell the neighbour.
    pub next_hop: NextHopRule,
    /// Most prefixes that the neighbour may send.
    pub maximum_prefixes: Option<MaximumPrefixes>,
}

/// Most prefixes that a neighbour may send in a family, and what happens beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximumPrefixes {
    /// The limit; more than that is too many.
    pub limit: u32,
    /// Part of the limit, in percent, from which on there is a warning.
    pub warn_at: u8,
    /// What is counted.
    pub count: PrefixCount,
    /// What follows when there are more.
    pub action: MaximumAction,
}

impl MaximumPrefixes {
    /// Usual part of the limit from which on there is a warning.
    pub const WARN_AT: u8 = 75;

    /// A limit that ends the session for good.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            warn_at: Self::WARN_AT,
            count: PrefixCount::Received,
            action: MaximumAction::Stop,
        }
    }

    /// True if so many prefixes call for a warning.
    pub fn is_near(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        count.saturating_mul(100) > u64::from(self.limit) * u64::from(self.warn_at)
    }

    /// True if so many are too many.
    pub fn is_over(&self, count: usize) -> bool {
        u64::try_from(count).unwrap_or(u64::MAX) > u64::from(self.limit)
    }
}

/// Which prefixes count against the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrefixCount {
    /// All that the neighbour has sent and not withdrawn.
    #[default]
    Received,
    /// Those that policy lets in.
    Accepted,
}

/// What follows too many prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaximumAction {
    /// The session ends and stays down until an operator clears it.
    #[default]
    Stop,
    /// The session ends and comes back after this time.
    Restart(Duration),
    /// It is said, and nothing else.
    Warn,
}

/// The next hop in what a neighbour is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextHopRule {
    /// eBGP unicast: ourselves. iBGP and EVPN: unchanged (RFC 4271 §5.1.3).
    #[default]
    Auto,
    /// Ourselves.
    Myself,
    /// Unchanged.
    Unchanged,
}

/// An overlay network with its devices.
#[derive(Debug, Clone, PartialEq)]
pub struct VniConfig {
    /// Its number.
    pub id: Vni,
    /// What people call it.
    pub name: String,
    /// Route distinguisher.
    pub rd: RouteDistinguisher,
    /// Targets of routes that are taken in.
    pub import_targets: RouteTargets,
    /// Targets of routes that are sent.
    pub export_targets: RouteTargets,
    /// Anycast gateway addresses on the bridge, with the length of their network.
    pub gateway: Vec<IpNetwork>,
    /// MAC address of the gateway; `None` derives one that is the same at every site.
    pub gateway_mac: Option<MacAddress>,
    /// Name of the bridge.
    pub bridge: String,
    /// Name of the VXLAN device.
    pub vxlan: String,
    /// MTU of both; `None` derives it from the underlay.
    pub mtu: Option<u32>,
}

/// Route targets of a VNI in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RouteTargets {
    /// `asn:vni` for export; for import, any AS number with this VNI (RFC 8365 §5.1.2.1).
    #[default]
    Auto,
    /// These, never empty.
    Listed(Vec<ExtendedCommunity>),
}

/// The kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Write to them at all.
    pub enabled: bool,
    /// Routing protocol number that our entries carry.
    pub protocol: u8,
    /// Routing table.
    pub table: u32,
    /// Pause between audits; zero is never.
    pub audit_interval: Duration,
}

impl Default for Kernel {
    /// Protocol `bgp` (186), the one that FRR's routes carry too, so that they are taken over.
    fn default() -> Self {
        Self {
            enabled: true,
            protocol: 186,
            table: 254,
            audit_interval: Duration::from_secs(60),
        }
    }
}

/// Graceful restart (RFC 4724) for all neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// Offer it to neighbours that do not say otherwise.
    pub enabled: bool,
    /// Time we ask neighbours to wait for us, up to 4095 s.
    pub restart_time: Duration,
    /// Longest time stale routes of a restarting neighbour are kept.
    pub stale_time: Duration,
    /// Longest time we wait for End-of-RIB after a start before routes are chosen.
    pub deferral_time: Duration,
}

impl Default for GracefulRestart {
    fn default() -> Self {
        Self {
            enabled: true,
            restart_time: Duration::from_secs(120),
            stale_time: Duration::from_secs(360),
            deferral_time: Duration::from_secs(30),
        }
    }
}

/// Logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

/// The least important message that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something may not work.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Drain before the service stops.
    pub on_stop: bool,
    /// Longest time the stop waits for the traffic to move.
    pub timeout: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            on_stop: false,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Words of the configuration that stand for one of several values.
pub(super) trait Keyword: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The value of a word.
    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(value, _)| *value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("", |(_, word)| word)
    }
}

impl Keyword for LogLevel {
    const WORDS: &'static [(Self, &'static str)] = &[
        (LogLevel::Error, "error"),
        (LogLevel::Warn, "warn"),
        (LogLevel::Info, "info"),
        (LogLevel::Debug, "debug"),
        (LogLevel::Trace, "trace"),
    ];
}

impl Keyword for LogFormat {
    const WORDS: &'static [(Self, &'static str)] =
        &[(LogFormat::Text, "text"), (LogFormat::Json, "json")];
}

impl Keyword for NextHopRule {
    const WORDS: &'static [(Self, &'static str)] = &[
        (NextHopRule::Auto, "auto"),
        (NextHopRule::Myself, "self"),
        (NextHopRule::Unchanged, "unchanged"),
    ];
}

impl Keyword for PrefixCount {
    const WORDS: &'static [(Self, &'static str)] = &[
        (PrefixCount::Received, "received"),
        (PrefixCount::Accepted, "accepted"),
    ];
}

impl Keyword for Role {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Role::Provider, "provider"),
        (Role::RouteServer, "route_server"),
        (Role::RouteServerClient, "route_server_client"),
        (Role::Customer, "customer"),
        (Role::Peer, "peer"),
    ];
}

impl Keyword for Origin {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Origin::Igp, "igp"),
        (Origin::Egp, "egp"),
        (Origin::Incomplete, "incomplete"),
    ];
}

impl Keyword for Family {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Family::Ipv4Unicast, "ipv4_unicast"),
        (Family::Ipv6Unicast, "ipv6_unicast"),
        (Family::Evpn, "evpn"),
    ];
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
