//! The connections under a peer, each state with what belongs to it.
//!
//! An [`Attempt`] is a connection on its way; there is one per direction. When it gets through,
//! its [`Link`] moves into [`Established`], of which there is one. An attempt thus cannot reach
//! the data of the established connection, whatever goes wrong on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::event::{ConnId, Side};
use super::negotiated::Negotiated;
use super::status::State;
use super::timers::{LinkTimer, Timers};
use crate::asn::Asn;
use crate::family::PerFamily;
use crate::wire;

/// A connection with a reader of messages and timers.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) timers: Timers<LinkTimer>,
    /// When the connection stood.
    pub(super) opened: Instant,
    /// The AS number that our OPEN said.
    pub(super) local_as: Asn,
    buffer: BytesMut,
    max_len: usize,
}

impl Link {
    pub(super) fn new(conn: ConnId, opened: Instant, local_as: Asn) -> Self {
        let max_len = wire::MESSAGE_LEN_MAX;
        Self {
            conn,
            timers: Timers::new(),
            opened,
            local_as,
            buffer: BytesMut::new(),
            max_len,
        }
    }

    /// Adds bytes to what is left of the last ones; without a copy when nothing is left or when
    /// they follow each other in the same buffer.
    pub(super) fn fill(&mut self, bytes: BytesMut) {
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.unsplit(bytes);
        }
    }

    /// The next whole message.
    pub(super) fn frame(&mut self) -> Result<Option<Bytes>, wire::HeaderError> {
        let frame = wire::frame(&mut self.buffer, self.max_len)?;
        if self.buffer.is_empty() {
            // Lets go of the owner's memory, which it can then use again.
            self.buffer = BytesMut::new();
        }
        Ok(frame)
    }

    /// Restarts hold and keepalive timers as negotiated.
    pub(super) fn adopt(&mut self, now: Instant, negotiated: &Negotiated) {
        self.max_len = negotiated.max_message_len();
        self.timers
            .set_after(LinkTimer::Hold, now, negotiated.hold_time.duration());
    }
}

/// A connection on its way.
#[derive(Debug, Default)]
pub(super) enum Attempt {
    /// Nothing is planned.
    #[default]
    Idle,
    /// Waiting for the next try or for the peer's.
    Active,
    /// TCP is being set up.
    Connect {
        /// Name of the attempt.
        conn: ConnId,
        /// When it began.
        since: Instant,
    },
    /// Our OPEN is sent.
    OpenSent(Link),
    /// The peer's OPEN is accepted.
    OpenConfirm {
        /// The connection.
        link: Link,
        /// What was agreed on.
        negotiated: Arc<Negotiated>,
    },
}

impl Attempt {
    pub(super) fn state(&self) -> State {
        match self {
            Attempt::Idle => State::Idle,
            Attempt::Active => State::Active,
            Attempt::Connect { .. } => State::Connect,
            Attempt::OpenSent(_) => State::OpenSent,
            Attempt::OpenConfirm { .. } => State::OpenConfirm,
        }
    }

    /// The connection's name, once there is one.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Attempt::Idle | Attempt::Active => None,
            Attempt::Connect { conn, .. } => Some(*conn),
            Attempt::OpenSent(link) | Attempt::OpenConfirm { link, .. } => Some(link.conn),
        }
    }

    /// TCP stands or is being set up.
    pub(super) fn is_live(&self) -> bool {
        self.conn().is_some()
    }

    pub(super) fn link(&self) -> Option<&Link> {
        match self {
            Attempt::Idle | Attempt::Active | Attempt::Connect { .. } => None,
            Attempt::OpenSent(link) | Attempt::OpenConfirm { link, .. } => Some(link),
        }
    }

    pub(super) fn link_mut(&mut self) -> Option<&mut Link> {
        match self {
            Attempt::Idle | Attempt::Active | Attempt::Connect { .. } => None,
            Attempt::OpenSent(link) | Attempt::OpenConfirm { link, .. } => Some(link),
        }
    }
}

/// The connection that carries routes.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) link: Link,
    pub(super) negotiated: Arc<Negotiated>,
    pub(super) context: wire::Context,
    pub(super) since: Instant,
    pub(super) burst: Burst,
    /// Stale families whose End-of-RIB has not come yet.
    pub(super) awaited: PerFamily<bool>,
    /// Until when those may stay, also over further losses.
    pub(super) awaited_until: Option<Instant>,
    /// Families whose End-of-RIB has come.
    pub(super) complete: PerFamily<bool>,
    /// Families whose routes could not be read (RFC 7606 §2).
    pub(super) disabled: PerFamily<bool>,
    /// The owner does not read, so silence proves nothing.
    pub(super) read_paused: bool,
}

impl Established {
    /// Sign of life from the peer (RFC 4271 §8.2.2, events 26 and 27).
    pub(super) fn heard(&mut self, now: Instant) {
        if !self.read_paused {
            let hold_time = self.negotiated.hold_time.duration();
            self.link.timers.set_after(LinkTimer::Hold, now, hold_time);
        }
    }
}

/// UPDATEs sent without a pause.
#[derive(Debug, Default)]
pub(super) struct Burst {
    updates: u32,
    last: Option<Instant>,
}

impl Burst {
    /// A pause of this length ends a burst.
    const PAUSE: Duration = Duration::from_millis(500);
    /// A burst of more than this is followed by a KEEPALIVE: FRR 10 was seen to leave the end of
    /// bursts ten times as long unread in its own buffer until the next message.
    const LONG: u32 = 1_000;

    /// Counts `updates`; says when a KEEPALIVE is due, should nothing more follow.
    pub(super) fn sent(&mut self, now: Instant, updates: u32) -> Option<Instant> {
        let goes_on = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < Self::PAUSE);
        let before = if goes_on { self.updates } else { 0 };
        self.updates = before.saturating_add(updates);
        self.last = Some(now);
        if self.updates > Self::LONG {
            now.checked_add(Self::PAUSE)
        } else {
            None
        }
    }
}

/// Which of two connections stays: the one opened by the speaker with the higher BGP identifier
/// (RFC 4271 §6.8), or, between equal identifiers, with the higher AS number (RFC 6286 §2.3).
pub(super) fn collision(
    local: (std::net::Ipv4Addr, Asn),
    remote: (std::net::Ipv4Addr, Asn),
) -> Side {
    if local > remote {
        Side::Outgoing
    } else {
        Side::Incoming
    }
}
