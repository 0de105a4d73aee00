//! Numbers of the WireGuard interface beneath the sessions, and of the peers that neighbours are
//! behind.

use super::*;
use crate::control::reply::TunnelState;

/// AllowedIPs of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardNumbers {
    /// Its name.
    pub interface: String,
    /// Prefixes on it that follow routes.
    pub installed: u64,
    /// Prefixes with a route through it that cannot be there.
    pub unmet: u64,
    /// Prefixes that were added, moved or removed, ever.
    pub changes_total: u64,
    /// In so many requests.
    pub requests_total: u64,
    /// Prefixes that somebody else had changed and that were put right, ever.
    pub repaired_total: u64,
}

impl Snapshot {
    pub(super) fn wireguard(&self, text: &mut Text) {
        if let Some(numbers) = &self.wireguard {
            interface(numbers, text);
        }
        let peers = || {
            let all = self.neighbors.iter();
            all.filter_map(|neighbor| Some((neighbor, neighbor.wireguard.as_ref()?)))
        };
        let help = "Time since the last WireGuard handshake; absent before the first.";
        let mut ages = text.family("rbgpd_wireguard_handshake_age_seconds", GAUGE, help);
        for (neighbor, peer) in peers() {
            if let Some(age) = peer.handshake_age_s {
                neighbor.with(|labels| ages.sample(labels, age));
            }
        }
        let help = "1 while a WireGuard handshake is overdue.";
        let mut overdue = text.family("rbgpd_wireguard_handshake_overdue", GAUGE, help);
        for (neighbor, peer) in peers() {
            let late = u64::from(peer.state == TunnelState::Overdue);
            neighbor.with(|labels| overdue.sample(labels, late));
        }
        let help = "AllowedIPs of the peer, the operator's included.";
        let mut prefixes = text.family("rbgpd_wireguard_peer_allowed_ips", GAUGE, help);
        for (neighbor, peer) in peers() {
            neighbor.with(|labels| prefixes.sample(labels, peer.allowed_ips));
        }
        let help = "Octets received from the peer, as WireGuard counts.";
        let mut received = text.family("rbgpd_wireguard_received_bytes_total", COUNTER, help);
        for (neighbor, peer) in peers() {
            neighbor.with(|labels| received.sample(labels, peer.received_bytes));
        }
        let help = "Octets sent to the peer, as WireGuard counts.";
        let mut sent = text.family("rbgpd_wireguard_sent_bytes_total", COUNTER, help);
        for (neighbor, peer) in peers() {
            neighbor.with(|labels| sent.sample(labels, peer.sent_bytes));
        }
    }
}

fn interface(numbers: &WireguardNumbers, text: &mut Text) {
    for (name, kind, help, value) in [
        (
            "rbgpd_allowed_ips",
            GAUGE,
            "AllowedIPs that follow routes.",
            numbers.installed,
        ),
        (
            "rbgpd_allowed_ips_unmet",
            GAUGE,
            "Prefixes with a route through the interface that no AllowedIPs have.",
            numbers.unmet,
        ),
        (
            "rbgpd_allowed_ips_changes_total",
            COUNTER,
            "AllowedIPs added, moved or removed.",
            numbers.changes_total,
        ),
        (
            "rbgpd_allowed_ips_requests_total",
            COUNTER,
            "Requests to WireGuard that changed AllowedIPs.",
            numbers.requests_total,
        ),
        (
            "rbgpd_allowed_ips_repaired_total",
            COUNTER,
            "AllowedIPs changed by others and put right.",
            numbers.repaired_total,
        ),
    ] {
        let labels = [("interface", numbers.interface.as_str())];
        text.family(name, kind, help).sample(&labels, value);
    }
}
