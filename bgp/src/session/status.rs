//! What a session tells about itself.
//!
//! A [`Status`] is a snapshot for `show` and metrics. [`Status::why`] and [`Status::hint`] answer
//! in words why a peer is not up and what can be done.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Bfd, StopReason};
use super::negotiated::Negotiated;
use super::reason::DownReason;
use crate::family::PerFamily;

/// States of RFC 4271 §8.2.2; of a peer, the furthest of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Stopped or at rest after a failure.
    Idle,
    /// Waiting for the peer to connect, or for the next attempt.
    Active,
    /// TCP is being set up.
    Connect,
    /// Our OPEN is sent.
    OpenSent,
    /// The peer's OPEN is accepted.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Idle => "Idle",
            State::Active => "Active",
            State::Connect => "Connect",
            State::OpenSent => "OpenSent",
            State::OpenConfirm => "OpenConfirm",
            State::Established => "Established",
        })
    }
}

/// A snapshot of a session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Furthest of the connections.
    pub state: State,
    /// When `state` was entered; `None` before the first input.
    pub since: Option<Instant>,
    /// What was agreed on, while Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// Started and not stopped since.
    pub wanted: bool,
    /// Why it is stopped, once it has been.
    pub stopped: Option<StopReason>,
    /// When the next connection attempt is due.
    pub next_try: Option<Instant>,
    /// Waits for the peer to connect.
    pub passive: bool,
    /// No session before BFD is up, and it is not.
    pub waits_for_bfd: bool,
    /// BFD's opinion, where configured and known.
    pub bfd: Option<Bfd>,
    /// Families given up for this session, because their routes could not be read.
    pub disabled: PerFamily<bool>,
    /// Stale routes are kept for a restarting peer until then.
    pub retained_until: Option<Instant>,
    /// They have grown old and are a last resort (RFC 9494).
    pub retained_old: bool,
    /// The last end of an Established session.
    pub last_down: Option<Failure>,
    /// The last failure of anything, attempts included; `None` again once Established.
    pub last_error: Option<Failure>,
    /// How often Established was reached.
    pub established: u64,
    /// How often Established was lost.
    pub flaps: u64,
    /// Messages in and out.
    pub counters: Counters,
    /// When the last message came.
    pub last_received: Option<Instant>,
    /// When the last UPDATE came.
    pub last_update: Option<Instant>,
    /// When the last KEEPALIVE or UPDATE was sent.
    pub last_sent: Option<Instant>,
}

/// Something went wrong, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// When.
    pub at: Instant,
    /// What.
    pub reason: DownReason,
}

/// Messages by type and direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// From the peer.
    pub received: Messages,
    /// To the peer; UPDATEs as reported by [`super::Input::Sent`].
    pub sent: Messages,
    /// Received UPDATEs with mistakes that did not end the session.
    pub malformed_updates: u64,
}

/// Messages by type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Messages {
    /// OPEN.
    pub opens: u64,
    /// UPDATE.
    pub updates: u64,
    /// NOTIFICATION.
    pub notifications: u64,
    /// KEEPALIVE.
    pub keepalives: u64,
    /// ROUTE-REFRESH.
    pub refreshes: u64,
}

impl Messages {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.opens + self.updates + self.notifications + self.keepalives + self.refreshes
    }
}

impl Status {
    /// How long the session has been Established.
    pub fn uptime(&self, now: Instant) -> Option<Duration> {
        let since = self.since.filter(|_| self.state == State::Established)?;
        Some(now.saturating_duration_since(since))
    }

    /// Why the session is not up, in one line; `None` while it is.
    pub fn why(&self) -> Option<String> {
        if self.state == State::Established {
            return None;
        }
        if let Some(reason) = &self.stopped {
            return Some(format!("stopped here: {reason}"));
        }
        if !self.wanted {
            return Some("not started yet".to_owned());
        }
        if self.waits_for_bfd {
            return Some("waiting for BFD to come up".to_owned());
        }
        let text = match (self.error_in_force(), self.state) {
            (Some(error), _) => return Some(error.to_string()),
            (None, State::OpenSent) => "connected, and waiting for the peer's OPEN",
            (None, State::OpenConfirm) => "waiting for the peer to take our OPEN",
            (None, _) if self.passive => "waiting for the peer to connect",
            (None, _) => "connecting",
        };
        Some(text.to_owned())
    }

    /// What ended the last session or attempt, unless it is no longer what keeps the next one: a
    /// passive side makes no attempts, so none of its own fails any more, and one that was ordered
    /// to stay down and is wanted again waits for the peer alone.
    pub fn error_in_force(&self) -> Option<&DownReason> {
        let reason = &self.last_error.as_ref()?.reason;
        let over = match reason {
            DownReason::ConnectFailed(_) => true,
            DownReason::Stopped(stop) => stop.stays_down(),
            DownReason::NotificationReceived(_)
            | DownReason::ConnectionClosed { .. }
            | DownReason::HoldTimerExpired { .. }
            | DownReason::SendHoldTimerExpired { .. }
            | DownReason::BfdDown
            | DownReason::BfdNotUp
            | DownReason::Open(_)
            | DownReason::Malformed { .. }
            | DownReason::UnexpectedMessage { .. }
            | DownReason::Collision
            | DownReason::Rejected
            | DownReason::PeerReconnected
            | DownReason::TurnedAway { .. } => false,
        };
        (!self.passive || !over).then_some(reason)
    }

    /// What the operator can do, if there is something.
    pub fn hint(&self) -> Option<String> {
        if self.state == State::Established {
            return None;
        }
        if let Some(reason) = &self.stopped {
            return DownReason::Stopped(reason.clone()).remedy();
        }
        if !self.wanted {
            return None;
        }
        if self.waits_for_bfd {
            return DownReason::BfdNotUp.remedy();
        }
        self.error_in_force().and_then(DownReason::remedy)
    }
}
