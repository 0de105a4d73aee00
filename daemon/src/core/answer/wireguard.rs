//! What the WireGuard interface beneath the sessions has to say: the peer of a neighbour, what is
//! out of order, numbers.
//!
//! The thread that reads the interface leaves what it saw; nothing here asks the interface.

use bgp::ScopedAddr;

use super::{Core, number};
use crate::control::reply::{self, TunnelState};
use crate::core::neighbor::Neighbor;
use crate::metrics::WireguardNumbers;
use crate::wireguard_io::{Difference, PeerView, View, words};

impl Core {
    /// The peer that a neighbour is behind, if it is behind the interface.
    pub(super) fn wireguard_peer(&self, neighbor: &Neighbor) -> Option<reply::WireguardPeer> {
        let wireguard = self.hands.wireguard.as_ref()?;
        let view = wireguard.view();
        let peer = self.peer_in(&view, neighbor.address())?;
        let age = peer.last_handshake.and_then(|at| at.elapsed().ok());
        Some(reply::WireguardPeer {
            interface: wireguard.interface().to_owned(),
            public_key: peer.public_key.to_string(),
            endpoint: peer.endpoint,
            handshake_age_s: age.map(|age| age.as_secs()),
            state: state(peer),
            overdue: peer.overdue.map(|overdue| words(overdue).to_owned()),
            received_bytes: peer.received,
            sent_bytes: peer.sent,
            allowed_ips: number(peer.allowed_ips),
        })
    }

    fn peer_in<'v>(&self, view: &'v View, neighbor: ScopedAddr) -> Option<&'v PeerView> {
        let device = self.install.ground.device_of(neighbor)?;
        let peer = view.peer_of(neighbor.ip())?;
        self.is_underlay(device).then_some(peer)
    }

    /// Overdue handshakes, and AllowedIPs that are not as they should be.
    pub(super) fn wireguard_notices(&self) -> Vec<String> {
        let Some(wireguard) = &self.hands.wireguard else {
            return Vec::new();
        };
        let view = wireguard.view();
        let overdue = self.neighbors.values().filter_map(|neighbor| {
            let peer = self.peer_in(&view, neighbor.address())?;
            let words = words(peer.overdue?);
            Some(format!(
                "{}: WireGuard handshake is overdue: {words}",
                neighbor.address()
            ))
        });
        overdue.chain(view.notices.iter().cloned()).collect()
    }

    pub(super) fn wireguard_numbers(&self) -> Option<WireguardNumbers> {
        let wireguard = self.hands.wireguard.as_ref()?;
        let numbers = wireguard.numbers();
        Some(WireguardNumbers {
            interface: wireguard.interface().to_owned(),
            installed: numbers.installed,
            unmet: numbers.unmet,
            changes_total: numbers.changes,
            requests_total: numbers.requests,
            repaired_total: numbers.repaired,
        })
    }
}

fn state(peer: &PeerView) -> TunnelState {
    match (peer.overdue, peer.last_handshake) {
        (Some(_), _) => TunnelState::Overdue,
        (None, Some(_)) => TunnelState::Up,
        (None, None) => TunnelState::Never,
    }
}

/// A prefix that is not where it should be, as any other entry.
pub(super) fn difference(interface: &str, difference: &Difference) -> reply::Difference {
    let entry = match difference.prefix {
        Some(prefix) => format!("AllowedIPs of {interface}: {prefix}"),
        None => format!("AllowedIPs of {interface}"),
    };
    reply::Difference {
        entry,
        want: difference.want.clone(),
        have: difference.have.clone(),
        error: difference.error.clone(),
    }
}
