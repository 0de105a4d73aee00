//! One BGP session with one peer (RFC 4271 §8).
//!
//! A [`Session`] is told what happens on up to two TCP connections with its peer, and says what to
//! do: connect, send, close, and which routes came. Bytes go in with [`Input::Received`]; they are
//! split into messages and decoded by [`crate::wire`], judged by the state machine
//! (`transition.rs`, a table) and leave as [`Output::Updates`]. UPDATEs to the peer do not pass
//! through here: the tables encode them for many peers at once, and the owner of the socket only
//! reports how many it wrote ([`Input::Sent`]).
//!
//! Above the connections stands the peer: stopped, at rest after a failure, or running. While it
//! runs, there is at most one attempt in each direction (`link.rs`), of which the first to get
//! through becomes the established connection. A collision is resolved by one function.
//!
//! ```text
//!            Start                      failure              rest is over
//!  Stopped ─────────► Running ──────────────────► Holding ──────────────► Running
//!     ▲                │  outgoing: Idle Active Connect OpenSent OpenConfirm ┐
//!     └── Stop ────────┤  incoming: Idle                OpenSent OpenConfirm ┼─► Established
//! ```
//!
//! A session keeps no routes. Whether a lost peer's routes may stay for a graceful restart is
//! decided here (`graceful.rs`) and carried out by the tables. It does not know addresses,
//! passwords or interfaces either: those belong to the owner of the sockets.
//!
//! # Deviations
//!
//! - RFC 4271 §10 suggests 120 s between connection attempts; here it is 1 s, growing to 10 s.
//! - RFC 4271 §8.2.2 suggests four minutes for the peer's OPEN; here it is one.
//! - RFC 4271 §8.2.2 ignores a start in Active; here it connects at once.
//! - RFC 4271 §8.2.2 goes to Idle after every failure. Here only a disagreement (an error in
//!   OPEN, a malformed message) leads to a rest in Idle; the first one the peer may end by
//!   connecting. After anything else the session is in Active and tries again after a second.
//! - DelayOpen (RFC 4271 §8.1.1, optional) is not offered.
//! - A second connection while Established makes us send a KEEPALIVE on the first, so that one
//!   the peer has forgotten is reset by its TCP instead of lasting for the hold time.
//! - A second connection from the peer while the first one from it has not reached Established ends
//!   the first (Cease/7) before any OPEN is compared (RFC 4271 §6.8): a peer that connects twice
//!   has forgotten the first.
//! - While the owner does not read ([`Input::ReadPaused`]), the hold timer rests.
//!
//! ```
//! use std::time::Instant;
//! use bgp::session::{Config, Input, Output, RemoteAs, Session};
//!
//! let now = Instant::now();
//! let config = Config::new(65001.into(), RemoteAs::External, "10.10.0.1".parse().unwrap());
//! let mut session = Session::new(config);
//! session.handle(now, Input::Start);
//! let Some(Output::Connect { conn }) = session.poll() else { panic!("connects at once") };
//! session.handle(now, Input::Connected { conn });
//! while let Some(output) = session.poll() {
//!     if let Output::Send { bytes, .. } = output {
//!         assert_eq!(bytes[18], 1, "an OPEN");
//!     }
//! }
//! ```

mod clock;
mod command;
mod config;
mod ending;
mod event;
mod exchange;
mod graceful;
mod link;
mod negotiated;
mod notification;
mod path;
mod reason;
mod status;
mod tcp;
mod timers;
mod transition;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::{
    BfdConfig, Config, FamilyConfig, GracefulRestartConfig, HoldTime, HoldTimeError, RemoteAs,
    RestartNeeded,
};
pub use event::{
    Bfd, ConnId, ConnectError, Input, Output, ReleaseReason, Retain, Side, StopReason,
};
pub use negotiated::{Negotiated, NegotiatedFamily, OpenError, PeerRestart};
pub use reason::{DownReason, EndedBy};
pub use status::{Counters, Failure, Messages, State, Status};

use crate::family::PerFamily;
use graceful::Retained;
use link::{Attempt, Established, Link};
use timers::{Backoff, Jitter, PeerTimer, Timers};

/// How long a connection attempt may take, and the time between attempts, while stale routes wait
/// for the peer.
const RETAINED_CONNECT_TIME: Duration = Duration::from_secs(1);
/// How long the peer's OPEN may take. RFC 4271 §8.2.2 suggests four minutes; a program that needs
/// more than one does not get faster by being waited for.
const OPEN_TIME: Duration = Duration::from_secs(60);

/// The session with one peer; see the module's page.
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    outgoing: Attempt,
    incoming: Attempt,
    established: Option<Established>,
    /// When the last KEEPALIVE went out, on whichever connection.
    keepalive_sent: Option<Instant>,
    retained: Option<Retained>,
    bfd: Option<BfdSeen>,
    timers: Timers<PeerTimer>,
    connect_backoff: Backoff,
    /// Sessions in a row that did not last.
    short_sessions: Backoff,
    idle_backoff: Backoff,
    jitter: Jitter,
    next_conn: u32,
    record: Record,
    outputs: VecDeque<Output>,
}

/// What the peer as a whole is at.
#[derive(Debug)]
enum Phase {
    /// Not wanted; the reason is missing before the first start.
    Stopped(Option<StopReason>),
    /// At rest after a failure.
    Holding,
    /// Connecting or connected.
    Running,
}

/// BFD's opinion and since when.
#[derive(Debug, Clone, Copy)]
struct BfdSeen {
    bfd: Bfd,
    since: Instant,
}

/// Where something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Attempt(Side),
    Established,
}

/// What is remembered for `show`.
#[derive(Debug, Default)]
struct Record {
    state: Option<(State, Instant)>,
    last_down: Option<Failure>,
    last_error: Option<Failure>,
    established: u64,
    flaps: u64,
    counters: Counters,
    last_received: Option<Instant>,
    last_update: Option<Instant>,
    last_sent: Option<Instant>,
}

impl Session {
    /// A session that waits for [`Input::Start`].
    pub fn new(config: Config) -> Self {
        Self {
            jitter: Jitter::new(config.jitter_seed),
            config,
            phase: Phase::Stopped(None),
            outgoing: Attempt::Idle,
            incoming: Attempt::Idle,
            established: None,
            keepalive_sent: None,
            retained: None,
            bfd: None,
            timers: Timers::new(),
            connect_backoff: Backoff::default(),
            short_sessions: Backoff::default(),
            idle_backoff: Backoff::default(),
            next_conn: 0,
            record: Record::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes note of `input`. Then call [`Session::poll`] until it returns `None`.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Stop(reason) => self.stop(now, reason),
            Input::LinkIsBack => self.path_is_back(now),
            Input::Configure(config) => self.configure(now, *config),
            Input::Connected { conn } => self.connected(now, conn),
            Input::ConnectFailed { conn, error } => self.connect_failed(now, conn, error),
            Input::TurnedAway { why } => self.turned_away(now, why),
            Input::Accepted { conn } => self.accepted(now, conn),
            Input::Received { conn, bytes } => self.received(now, conn, bytes),
            Input::Closed { conn, error } => self.closed(now, conn, error),
            Input::ReadPaused { conn, paused } => self.read_paused(now, conn, paused),
            Input::WriteBlocked { conn } => self.write_blocked(now, conn),
            Input::WriteProgress { conn, waiting } => self.write_progress(now, conn, waiting),
            Input::Sent { conn, updates } => self.sent(now, conn, updates),
            Input::Bfd(bfd) => self.bfd(now, bfd),
            Input::RequestRefresh { family } => self.request_refresh(family),
            Input::Timeout => self.timeout(now),
        }
        self.note_state(now);
    }

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`], at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let links = [self.outgoing.link(), self.incoming.link()];
        let established = self
            .established
            .as_ref()
            .map(|established| &established.link);
        let links = links.into_iter().chain([established]).flatten();
        links
            .filter_map(|link| link.timers.next())
            .chain(self.timers.next())
            .min()
    }

    /// The state of the peer: the furthest of its connections.
    pub fn state(&self) -> State {
        match (&self.phase, &self.established) {
            (Phase::Stopped(_) | Phase::Holding | Phase::Running, Some(_)) => State::Established,
            (Phase::Stopped(_) | Phase::Holding, None) => State::Idle,
            (Phase::Running, None) => self.outgoing.state().max(self.incoming.state()),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was agreed on, while Established.
    pub fn negotiated(&self) -> Option<&Arc<Negotiated>> {
        self.established
            .as_ref()
            .map(|established| &established.negotiated)
    }

    /// A snapshot for `show`.
    pub fn status(&self) -> Status {
        let stopped = match &self.phase {
            Phase::Stopped(reason) => reason.clone(),
            Phase::Holding | Phase::Running => None,
        };
        let idle_hold = self.timers.get(PeerTimer::IdleHold);
        let retry = self.timers.get(PeerTimer::ConnectRetry);
        Status {
            state: self.state(),
            since: self.record.state.map(|(_, since)| since),
            negotiated: self.negotiated().cloned(),
            wanted: !matches!(self.phase, Phase::Stopped(_)),
            stopped,
            next_try: idle_hold.or(retry.filter(|_| matches!(self.outgoing, Attempt::Active))),
            passive: self.config.passive,
            waits_for_bfd: self.is_running() && self.established.is_none() && self.waits_for_bfd(),
            bfd: self.bfd.map(|seen| seen.bfd),
            disabled: self
                .established
                .as_ref()
                .map(|e| e.disabled)
                .unwrap_or_default(),
            retained_until: (self.timers.get(PeerTimer::Restart))
                .or_else(|| self.timers.get(PeerTimer::LongLived)),
            retained_old: (self.retained.as_ref()).is_some_and(|it| it.old_until.is_some()),
            last_down: self.record.last_down.clone(),
            last_error: self.record.last_error.clone(),
            established: self.record.established,
            flaps: self.record.flaps,
            counters: self.record.counters,
            last_received: self.record.last_received,
            last_update: self.record.last_update,
            last_sent: self.record.last_sent,
        }
    }
}

/// Looking things up.
impl Session {
    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    fn is_waiting_for_restart(&self) -> bool {
        let retained = self.retained.as_ref();
        retained.is_some_and(|it| it.old_until.is_none()) && self.established.is_none()
    }

    fn attempt(&self, side: Side) -> &Attempt {
        match side {
            Side::Outgoing => &self.outgoing,
            Side::Incoming => &self.incoming,
        }
    }

    fn attempt_mut(&mut self, side: Side) -> &mut Attempt {
        match side {
            Side::Outgoing => &mut self.outgoing,
            Side::Incoming => &mut self.incoming,
        }
    }

    fn attempt_at(&self, place: Place) -> Option<&Attempt> {
        match place {
            Place::Attempt(side) => Some(self.attempt(side)),
            Place::Established => None,
        }
    }

    fn link_mut(&mut self, place: Place) -> Option<&mut Link> {
        match place {
            Place::Attempt(side) => self.attempt_mut(side).link_mut(),
            Place::Established => self.established.as_mut().map(|e| &mut e.link),
        }
    }

    /// The established connection, if that is its name.
    fn established_as(&mut self, conn: ConnId) -> Option<&mut Established> {
        self.established
            .as_mut()
            .filter(|established| established.link.conn == conn)
    }

    /// Where a connection stands; `None` for one that is gone.
    fn place(&self, conn: ConnId) -> Option<Place> {
        if self
            .established
            .as_ref()
            .is_some_and(|e| e.link.conn == conn)
        {
            return Some(Place::Established);
        }
        let side = conn.side();
        (self.attempt(side).conn() == Some(conn)).then_some(Place::Attempt(side))
    }

    fn state_at(&self, place: Place) -> State {
        match (self.attempt_at(place), &self.established) {
            (Some(attempt), _) => attempt.state(),
            (None, Some(_)) => State::Established,
            (None, None) => State::Idle,
        }
    }

    fn note_state(&mut self, now: Instant) {
        let to = self.state();
        let from = self.record.state.map_or(State::Idle, |(state, _)| state);
        if from != to {
            self.outputs.push_back(Output::StateChanged { from, to });
        }
        if from != to || self.record.state.is_none() {
            self.record.state = Some((to, now));
        }
    }
}

/// The established connection first: what ends it must not depend on the others.
const PLACES: [Place; 3] = [
    Place::Established,
    Place::Attempt(Side::Outgoing),
    Place::Attempt(Side::Incoming),
];

fn opposite(side: Side) -> Side {
    match side {
        Side::Outgoing => Side::Incoming,
        Side::Incoming => Side::Outgoing,
    }
}

fn any(families: &PerFamily<bool>) -> bool {
    families.iter().any(|(_, set)| *set)
}

#[cfg(test)]
mod tests;
