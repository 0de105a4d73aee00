//! What is said of neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bgp::ScopedAddr;
use serde::{Deserialize, Serialize};

use super::*;

/// A neighbour in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborSummary {
    /// Its address.
    pub address: ScopedAddr,
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
    /// State of the WireGuard tunnel to it; absent where it is not behind the interface of
    /// `[underlay]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<TunnelState>,
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

/// State of a WireGuard tunnel, as far as its handshakes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelState {
    /// There was a handshake, and no other is overdue.
    Up,
    /// A handshake is overdue: nothing passes, or soon nothing will.
    Overdue,
    /// There was no handshake so far.
    Never,
}

impl TunnelState {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            TunnelState::Up => "up",
            TunnelState::Overdue => "overdue",
            TunnelState::Never => "never",
        }
    }
}

/// The WireGuard peer that a neighbour is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardPeer {
    /// The interface.
    pub interface: String,
    /// Its public key.
    pub public_key: String,
    /// Where its packets go; `null` until that is known.
    pub endpoint: Option<SocketAddr>,
    /// Seconds since the last handshake; `null` if there was none.
    pub handshake_age_s: Option<u64>,
    /// State of the tunnel.
    pub state: TunnelState,
    /// How a handshake is overdue, and what follows.
    pub overdue: Option<String>,
    /// Octets received.
    pub received_bytes: u64,
    /// Octets sent.
    pub sent_bytes: u64,
    /// How many AllowedIPs it has, the operator's included.
    pub allowed_ips: u64,
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
    /// Its connection; `null` while there is no session.
    #[serde(default)]
    pub connection: Option<Connection>,
    /// Its BGP identifier, while Established.
    pub router_id: Option<Ipv4Addr>,
    /// True if it has our AS number.
    pub internal: bool,
    /// Our AS number on this session, where it is another than everywhere else.
    #[serde(default)]
    pub local_as: Option<u32>,
    /// It may know us by either of our AS numbers.
    #[serde(default)]
    pub dual_as: bool,
    /// What the configuration makes of it beside its AS number, one sentence each.
    #[serde(default)]
    pub relation: Vec<String>,
    /// A password is configured (RFC 2385); it is never told.
    #[serde(default)]
    pub password: bool,
    /// Numbers of the TCP-AO keys in what we send, the preferred one first; empty without any.
    #[serde(default)]
    pub tcp_ao: Vec<u8>,
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
    /// Timers as they are configured.
    #[serde(default)]
    pub configured: ConfiguredTimers,
    /// What we say of graceful restart; `null` where it is off.
    #[serde(default)]
    pub graceful: Option<Graceful>,
    /// What the neighbour says of it; `null` if nothing, or without a session.
    #[serde(default)]
    pub graceful_received: Option<Graceful>,
    /// How long nothing has passed.
    #[serde(default)]
    pub idle: Idle,
    /// Received messages by type.
    pub received: MessageCounts,
    /// Sent messages by type.
    pub sent: MessageCounts,
    /// Received UPDATEs with mistakes that did not end the session (RFC 7606).
    pub malformed_updates: u64,
    /// Milliseconds until we connect again; `null` where that is not about to happen.
    #[serde(default)]
    pub next_try_ms: Option<u64>,
    /// What both sides can do, in words, while Established.
    pub capabilities: Vec<String>,
    /// What it says it is called; `null` if it has not said so.
    #[serde(default)]
    pub host_received: Option<HostName>,
    /// What it is told that we are called.
    #[serde(default)]
    pub host_sent: Option<HostName>,
    /// Which program it says it is; `null` if it has not said so.
    #[serde(default)]
    pub version_received: Option<String>,
    /// Which program it is told that we are; `null` unless it is configured.
    #[serde(default)]
    pub version_sent: Option<String>,
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
    /// The WireGuard peer that it is behind; absent where `[underlay]` names no interface with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wireguard_peer: Option<WireguardPeer>,
    /// More about each activated family.
    pub details: Families<FamilyDetail>,
}

/// The connection of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// TCP ports, our own first.
    pub ports: [u16; 2],
    /// The neighbour is on a link of ours.
    pub on_link: bool,
    /// The IPv4 next hop that it is told where we stand in for a route.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 one, likewise.
    pub ipv6: Option<Ipv6Addr>,
    /// The link-local one beside it.
    pub link_local: Option<Ipv6Addr>,
}

/// Milliseconds since something passed; `null` if it never did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Idle {
    /// Since a message came.
    pub received_ms: Option<u64>,
    /// Since a KEEPALIVE or an UPDATE was sent.
    pub sent_ms: Option<u64>,
    /// Since an UPDATE came.
    pub update_ms: Option<u64>,
}

/// Timers as they are configured, whatever was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfiguredTimers {
    /// Hold time that we offer.
    pub hold_time_s: u64,
    /// Keepalive interval.
    pub keepalive_s: u64,
    /// Longest pause between attempts to connect.
    pub connect_retry_s: u64,
    /// For how long its routes are kept at most when it restarts.
    pub stale_s: u64,
}

/// What one side says of graceful restart (RFC 4724 §3, RFC 8538 §2, RFC 9494 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Graceful {
    /// It has restarted (R bit).
    pub restarting: bool,
    /// It keeps routes over a NOTIFICATION, too (N bit).
    pub notification: bool,
    /// Seconds for which its routes may be kept until it is back.
    pub restart_time_s: u64,
    /// Families that it keeps forwarding in over a restart; none of who only helps others.
    pub families: Families<GracefulFamily>,
    /// Seconds for which its routes may be kept beyond that, as a last resort.
    pub long_lived_s: Families<u64>,
}

/// A family in [`Graceful`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GracefulFamily {
    /// Forwarding went on over the last restart (F bit).
    pub forwarding_preserved: bool,
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
    /// What kind of an end it was, for programs.
    #[serde(default)]
    pub kind: FailureKind,
    /// The NOTIFICATION that said so, ours or the neighbour's; `null` where none did.
    #[serde(default)]
    pub notification: Option<Notification>,
}

/// How a session ended, or what kept it from coming about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// We shut it down.
    Shutdown,
    /// We let it start afresh (`clear`).
    Reset,
    /// The neighbour sent more routes than it may.
    MaximumPrefixes,
    /// The device that it is behind went down.
    LinkDown,
    /// We ended it because of the configuration, or for want of resources.
    Stopped,
    /// The neighbour ended it with a NOTIFICATION.
    NotificationReceived,
    /// The neighbour was silent, or did what ends a session.
    NotificationSent,
    /// BFD says that the path is dead.
    BfdDown,
    /// The connection ended without a word.
    Closed,
    /// There was no connection.
    #[default]
    Connection,
}

/// A NOTIFICATION (RFC 4271 §4.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Error code; with a Hard Reset (RFC 8538) that of what is inside.
    pub code: u8,
    /// Error subcode, likewise.
    pub subcode: u8,
    /// Both in words.
    pub name: String,
    /// It came as a Hard Reset.
    pub hard_reset: bool,
    /// What the neighbour's operator wrote (RFC 9003).
    pub text: Option<String>,
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
    /// Most prefixes that the neighbour is told; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_out: Option<MaximumPrefixesOut>,
    /// Several paths of a prefix; absent where they are not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_path: Option<AddPath>,
}

/// Most prefixes that a neighbour is told in a family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MaximumPrefixesOut {
    /// The limit.
    pub limit: u32,
    /// Prefixes that policy lets out and that find no room.
    pub not_told: u64,
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
        let taken = (self.receive && !self.receiving)
            .then_some("(add_path_receive), but the neighbor does not send them");
        let taken = taken.map(not_agreed);
        taken.into_iter().chain(self.not_sent()).collect()
    }

    /// The neighbour should be sent several, and does not take them. That it sends none itself is no
    /// such matter: to take them is an offer, which files of FRR make to everybody.
    pub fn not_sent(&self) -> Option<String> {
        let sent = self.send.is_some() && !self.sending;
        sent.then(|| not_agreed("(add_path_send), but the neighbor does not take them"))
    }
}

fn not_agreed(what: &str) -> String {
    format!("several paths of a prefix are configured {what}; turn that on there")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_paths_that_a_neighbour_does_not_send_are_no_matter_and_those_it_refuses_are() {
        let mut several = AddPath {
            receive: true,
            ..AddPath::default()
        };
        assert_eq!(several.not_sent(), None);
        assert_eq!(several.not_agreed().len(), 1);
        several.send = Some("all".to_owned());
        let sent = several.not_sent().unwrap();
        assert!(sent.contains("(add_path_send)"), "{sent}");
        assert_eq!(several.not_agreed().get(1), Some(&sent));
        several.sending = true;
        assert_eq!(several.not_sent(), None);
    }
}

/// What a host is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostName {
    /// Its name.
    pub host: String,
    /// Its domain, which may be empty.
    pub domain: String,
}
