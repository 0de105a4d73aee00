//! Whose handshake is overdue.
//!
//! A tunnel says nothing when it stops working: packets go out and none comes back until BFD or the
//! hold time ends the session. Its counters tell earlier, and tell a tunnel that is broken from a router
//! that is. WireGuard asks for a handshake in two cases, and each has an answer that is overdue:
//!
//! - **Nothing comes back.** Whoever gets data and has nothing to send answers with an empty packet
//!   after ten seconds (KEEPALIVE-TIMEOUT); five later (REKEY-TIMEOUT) the sender begins a
//!   handshake. When five more seconds brought nothing, [`Overdue::Silent`].
//! - **Keys are old.** After 120 seconds (REKEY-AFTER-TIME) the next data begins a handshake, while
//!   the old keys work for 60 more (REJECT-AFTER-TIME). When data went out and there is no handshake 25
//!   seconds later, which is an empty packet's ten and three attempts, [`Overdue::OldKeys`]: all is
//!   well still, and will not be for long.
//!
//! Nobody has to send. A tunnel without traffic has no handshake, and empty packets that keep a NAT
//! open (`PersistentKeepalive`) are answered by nobody; so what counts as data is what goes beyond
//! those. It is fed with what the interface shows, at any interval, and reads no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use super::{NOBODY, Peer, PublicKey};

/// After this time without an answer to data a handshake was tried and not answered.
const SILENCE: Duration = Duration::from_secs(20);

/// WireGuard's REKEY-AFTER-TIME.
const REKEY_AFTER: Duration = Duration::from_secs(120);

/// From the first data after that to the warning.
const REKEY_PATIENCE: Duration = Duration::from_secs(25);

/// An empty packet: header and authentication tag.
const KEEPALIVE_OCTETS: u64 = 32;

/// What the peers of one interface have shown so far.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    peers: BTreeMap<PublicKey, Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    received: u64,
    sent: u64,
    last: Option<SystemTime>,
    /// When data was first seen to go out after the last that came in.
    unanswered: Option<Instant>,
    /// When data was first seen to go out with keys that are due.
    due: Option<Instant>,
    overdue: Option<Overdue>,
}

/// How a handshake is overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Data goes out and nothing comes back.
    Silent,
    /// The keys are about to expire and are not renewed.
    OldKeys,
}

impl Handshakes {
    /// Takes what the interface shows; the peers for which something has changed, with what it is
    /// now.
    pub fn look(
        &mut self,
        now: Instant,
        clock: SystemTime,
        peers: &[Peer],
    ) -> Vec<(PublicKey, Option<Overdue>)> {
        let there = |key: &PublicKey| peers.iter().any(|peer| peer.public_key == *key);
        self.peers.retain(|key, _| there(key));
        let mut changes = Vec::new();
        for peer in peers.iter().filter(|peer| peer.public_key != NOBODY) {
            let Some(seen) = self.peers.get_mut(&peer.public_key) else {
                self.peers.insert(peer.public_key, Seen::new(now, peer));
                continue;
            };
            let before = seen.overdue;
            seen.look(now, clock, peer);
            if before != seen.overdue {
                changes.push((peer.public_key, seen.overdue));
            }
        }
        changes
    }

    /// How a peer's handshake is overdue, if it is.
    pub fn overdue(&self, key: PublicKey) -> Option<Overdue> {
        self.peers.get(&key)?.overdue
    }
}

impl Seen {
    fn new(now: Instant, peer: &Peer) -> Self {
        Self {
            at: now,
            received: peer.received,
            sent: peer.sent,
            last: peer.last_handshake,
            unanswered: None,
            due: None,
            overdue: None,
        }
    }

    fn look(&mut self, now: Instant, clock: SystemTime, peer: &Peer) {
        let since = now.saturating_duration_since(self.at);
        // Counters that went back are those of an interface that was made anew.
        if peer.received < self.received || peer.sent < self.sent {
            *self = Self::new(now, peer);
            return;
        }
        let data = peer.sent - self.sent > empty_packets(since, peer.keepalive);
        if peer.received != self.received {
            self.unanswered = None;
        }
        if data {
            // Of what went out after something came in nothing is known until the next look.
            let quiet = peer.received == self.received;
            self.unanswered = self.unanswered.or(quiet.then_some(now));
        }
        if peer.last_handshake != self.last {
            self.due = None;
        }
        let age = peer
            .last_handshake
            .and_then(|at| clock.duration_since(at).ok());
        if data && age.is_some_and(|age| age > REKEY_AFTER) {
            self.due = self.due.or(Some(now));
        }
        (self.at, self.received, self.sent) = (now, peer.received, peer.sent);
        self.last = peer.last_handshake;
        let longer = |begin: Option<Instant>, patience| {
            begin.is_some_and(|begin| now.saturating_duration_since(begin) >= patience)
        };
        self.overdue = if longer(self.unanswered, SILENCE) {
            Some(Overdue::Silent)
        } else if longer(self.due, REKEY_PATIENCE) {
            Some(Overdue::OldKeys)
        } else {
            None
        };
    }
}

/// At most this many octets of empty packets go out in that time: one in answer to data, and those
/// that keep a NAT open.
fn empty_packets(time: Duration, keepalive: Option<Duration>) -> u64 {
    let kept = keepalive.map_or(0, |every| {
        time.as_millis()
            .checked_div(every.as_millis())
            .map_or(0, |count| u64::try_from(count).unwrap_or(u64::MAX))
    });
    kept.saturating_add(1).saturating_mul(KEEPALIVE_OCTETS)
}

#[cfg(test)]
mod tests;
