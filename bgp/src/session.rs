//! One BGP session with one peer (RFC 4271 §8).
//!
//! A [`Session`] is told what happens on up to two TCP connections with its peer, and says what to
//! do: connect, send, close, and which routes came. Bytes go in with [`Input::Received`]; they are
//! split into messages and decoded by [`crate::wire`], judged by the state machine
//! (`transition.rs`, a table) and leave as [`Output::Update`]. UPDATEs to the peer do not pass
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

mod config;
mod event;
mod graceful;
mod link;
mod negotiated;
mod notification;
mod reason;
mod status;
mod timers;
mod transition;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

pub use config::{
    BfdConfig, Config, FamilyConfig, GracefulRestartConfig, HoldTime, HoldTimeError, RemoteAs,
    RestartNeeded,
};
pub use event::{
    Bfd, ConnId, ConnectError, Input, Output, ReleaseReason, Retain, Side, StopReason,
};
pub use negotiated::{Negotiated, NegotiatedFamily, OpenError, PeerRestart};
pub use reason::DownReason;
pub use status::{Counters, Failure, Messages, State, Status};

use crate::family::{Family, PerFamily};
use crate::message::{Message, Notification, Open, RefreshKind, RouteRefresh, Update};
use crate::wire;
use graceful::Retained;
use link::{Attempt, Burst, Established, Link};
use timers::{Backoff, Jitter, LinkTimer, PeerTimer, Timers};
use transition::{Event, Step, next};

/// How long a connection attempt may take. The kernel repeats a lost SYN after 1 and 3 s; after
/// that a fresh attempt is as good.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// The same, and the time between attempts, while stale routes wait for the peer.
const RETAINED_CONNECT_TIME: Duration = Duration::from_secs(1);
/// Shortest time between the failure of an attempt and the next one.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// How long the peer's OPEN may take. RFC 4271 §8.2.2 suggests four minutes; a program that needs
/// more than one does not get faster by being waited for.
const OPEN_TIME: Duration = Duration::from_secs(60);
/// First rest after a failure.
const IDLE_HOLD: Duration = Duration::from_secs(1);
/// A session that lasted this long ended for a new reason: the rests start over.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// The session with one peer; see the module's page.
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    outgoing: Attempt,
    incoming: Attempt,
    established: Option<Established>,
    retained: Option<Retained>,
    bfd: Option<BfdSeen>,
    timers: Timers<PeerTimer>,
    connect_backoff: Backoff,
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
            retained: None,
            bfd: None,
            timers: Timers::new(),
            connect_backoff: Backoff::default(),
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
            Input::Configure(config) => self.configure(now, *config),
            Input::Connected { conn } => self.connected(now, conn),
            Input::ConnectFailed { conn, error } => self.connect_failed(now, conn, error),
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
        let established = self.established.as_ref().map(|established| &established.link);
        let links = links.into_iter().chain([established]).flatten();
        links.filter_map(|link| link.timers.next()).chain(self.timers.next()).min()
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
        self.established.as_ref().map(|established| &established.negotiated)
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
            stopped,
            next_try: idle_hold.or(retry.filter(|_| matches!(self.outgoing, Attempt::Active))),
            passive: self.config.passive,
            waits_for_bfd: self.is_running() && self.waits_for_bfd(),
            bfd: self.bfd.map(|seen| seen.bfd),
            disabled: self.established.as_ref().map(|e| e.disabled).unwrap_or_default(),
            retained_until: self.timers.get(PeerTimer::Restart),
            last_down: self.record.last_down.clone(),
            last_error: self.record.last_error.clone(),
            established: self.record.established,
            flaps: self.record.flaps,
            counters: self.record.counters,
        }
    }
}

/// Operators: starting, stopping, configuring.
impl Session {
    fn start(&mut self, now: Instant) {
        match self.phase {
            Phase::Stopped(_) | Phase::Holding => self.run(now),
            Phase::Running => {
                if next(self.outgoing.state(), Event::Start) == Step::Dial {
                    self.dial(now);
                }
            }
        }
    }

    /// Leaves Stopped or Holding, with all delays forgotten.
    fn run(&mut self, now: Instant) {
        self.idle_backoff.reset();
        self.resume(now);
    }

    /// Leaves Stopped or Holding.
    fn resume(&mut self, now: Instant) {
        self.phase = Phase::Running;
        self.connect_backoff.reset();
        self.timers.clear(PeerTimer::IdleHold);
        self.dial(now);
    }

    fn stop(&mut self, now: Instant, reason: StopReason) {
        let stays_down = reason.stays_down();
        if stays_down {
            self.phase = Phase::Stopped(Some(reason.clone()));
            self.timers.clear(PeerTimer::IdleHold);
        }
        self.end_all(now, DownReason::Stopped(reason));
        match self.phase {
            Phase::Stopped(_) => {}
            // An operator who resets a peer does not want to wait for the end of its rest.
            Phase::Holding => self.run(now),
            Phase::Running => {
                if matches!(self.outgoing, Attempt::Idle) {
                    self.dial(now);
                }
            }
        }
    }

    fn configure(&mut self, now: Instant, config: Config) {
        let restart = self.config.needs_restart(&config).is_some();
        self.config = config;
        if self.config.bfd.is_none() {
            self.bfd = None;
        }
        self.watch_silence();
        match self.phase {
            Phase::Stopped(_) => {}
            Phase::Holding if restart => self.run(now),
            Phase::Holding => {}
            Phase::Running if restart => {
                self.end_all(now, DownReason::Stopped(StopReason::OtherConfigurationChange));
                if self.is_running() {
                    self.run(now);
                }
            }
            Phase::Running => {
                // `passive` and `bfd.strict` change what an idle direction does.
                if matches!(self.outgoing, Attempt::Active) {
                    self.dial(now);
                }
            }
        }
    }

    /// Ends every connection for one reason.
    fn end_all(&mut self, now: Instant, reason: DownReason) {
        if reason.is_hard() {
            self.release(ReleaseReason::Stopped);
        }
        for side in [Side::Outgoing, Side::Incoming] {
            self.lose(now, Place::Attempt(side), Event::Stop, reason.clone());
        }
        self.lose(now, Place::Established, Event::Stop, reason);
    }
}

/// TCP: connections come, fail and go.
impl Session {
    /// Tries to connect now, or waits where that is not wanted.
    fn dial(&mut self, now: Instant) {
        if !self.is_running() || self.established.is_some() || self.outgoing.is_live() {
            return;
        }
        self.outgoing = Attempt::Active;
        self.timers.clear(PeerTimer::ConnectRetry);
        if self.config.passive || self.waits_for_bfd() {
            return;
        }
        if self.incoming.is_live() {
            // The peer was first; a second connection would only collide with it.
            self.timers.set_after(PeerTimer::ConnectRetry, now, Some(self.config.connect_retry_max));
            return;
        }
        let conn = ConnId::Outgoing(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        self.outgoing = Attempt::Connect { conn, since: now };
        self.timers.set_after(PeerTimer::ConnectRetry, now, Some(self.connect_time()));
        if let Some(retained) = &mut self.retained {
            retained.asked(now);
        }
        self.watch_silence();
        self.outputs.push_back(Output::Connect { conn });
    }

    fn connect_time(&self) -> Duration {
        if self.is_waiting_for_restart() { RETAINED_CONNECT_TIME } else { CONNECT_TIME }
    }

    /// Arms the next attempt, counted from when the last one began.
    fn wait_to_dial(&mut self, now: Instant, since: Instant) {
        self.outgoing = Attempt::Active;
        if self.config.passive {
            return;
        }
        let delay = if self.is_waiting_for_restart() {
            RETAINED_CONNECT_TIME
        } else {
            self.connect_backoff.delay(self.config.connect_retry, self.config.connect_retry_max)
        };
        let delay = self.jitter.apply(delay);
        let at = since.checked_add(delay).unwrap_or(now);
        let soonest = now.checked_add(RETRY_MIN).unwrap_or(now);
        self.timers.set(PeerTimer::ConnectRetry, at.max(soonest));
    }

    fn connected(&mut self, now: Instant, conn: ConnId) {
        if self.outgoing.conn() == Some(conn)
            && next(self.outgoing.state(), Event::Connected) == Step::Greet
        {
            self.timers.clear(PeerTimer::ConnectRetry);
            self.answered();
            self.greet(now, Side::Outgoing, conn);
        }
    }

    fn connect_failed(&mut self, now: Instant, conn: ConnId, error: ConnectError) {
        if self.outgoing.conn() != Some(conn) {
            return;
        }
        if error == ConnectError::Refused {
            self.answered();
        }
        let place = Place::Attempt(Side::Outgoing);
        self.lose(now, place, Event::ConnectFailed, DownReason::ConnectFailed(error));
    }

    fn accepted(&mut self, now: Instant, conn: ConnId) {
        if let Some(reason) = self.refusal() {
            self.turn_away(conn, reason);
            return;
        }
        self.answered();
        let side = Side::Incoming;
        // Two from the same side: the peer has forgotten the older one.
        self.lose(now, Place::Attempt(side), Event::Superseded, DownReason::Collision);
        if let Some(established) = &self.established {
            // A peer that lost this session without our noticing answers the probe with a reset.
            let conn = established.link.conn;
            self.send_keepalive(now, Place::Established, conn);
        }
        if matches!(self.phase, Phase::Holding) {
            self.phase = Phase::Running;
            self.timers.clear(PeerTimer::IdleHold);
        }
        if next(self.incoming.state(), Event::Accepted) == Step::Greet {
            self.greet(now, side, conn);
        }
        if self.established.is_none() && matches!(self.outgoing, Attempt::Idle) {
            self.wait_to_dial(now, now);
        }
    }

    /// Why an incoming connection is not welcome now.
    ///
    /// The first rest is over before a peer's program has restarted, so it may end early; later
    /// rests are what keeps two misconfigured speakers from shouting at each other.
    fn refusal(&self) -> Option<DownReason> {
        match self.phase {
            Phase::Stopped(_) => Some(DownReason::Rejected),
            Phase::Holding if self.idle_backoff.failures() > 1 => Some(DownReason::Rejected),
            Phase::Holding | Phase::Running => {
                self.waits_for_bfd().then_some(DownReason::BfdNotUp)
            }
        }
    }

    fn turn_away(&mut self, conn: ConnId, reason: DownReason) {
        if let Some(notification) = reason.notification() {
            self.send_notification(conn, &notification);
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        self.outputs.push_back(Output::AttemptFailed { conn, reason });
    }

    fn greet(&mut self, now: Instant, side: Side, conn: ConnId) {
        let mut link = Link::new(conn, now);
        link.timers.set_after(LinkTimer::Hold, now, Some(OPEN_TIME));
        *self.attempt_mut(side) = Attempt::OpenSent(link);
        self.record.counters.sent.opens += 1;
        self.send(conn, wire::encode_open(&negotiated::offer(&self.config)));
    }

    fn closed(&mut self, now: Instant, conn: ConnId, error: Option<String>) {
        if let Some(place) = self.place(conn) {
            let reason = DownReason::ConnectionClosed { state: self.state_at(place), error };
            self.lose(now, place, Event::Closed, reason);
        }
    }

    fn read_paused(&mut self, now: Instant, conn: ConnId, paused: bool) {
        if let Some(established) = self.established_as(conn) {
            established.read_paused = paused;
            established.link.timers.clear(LinkTimer::Hold);
            established.heard(now);
        }
    }

    fn write_blocked(&mut self, now: Instant, conn: ConnId) {
        if let Some(established) = self.established_as(conn) {
            let timers = &mut established.link.timers;
            if timers.get(LinkTimer::SendHold).is_none() {
                let after = established.negotiated.send_hold_time;
                timers.set_after(LinkTimer::SendHold, now, Some(after));
            }
        }
    }

    fn write_progress(&mut self, now: Instant, conn: ConnId, waiting: bool) {
        if let Some(established) = self.established_as(conn) {
            let after = waiting.then_some(established.negotiated.send_hold_time);
            established.link.timers.set_after(LinkTimer::SendHold, now, after);
        }
    }

    fn sent(&mut self, now: Instant, conn: ConnId, updates: u32) {
        let Some(established) = self.established_as(conn) else {
            return;
        };
        if let Some(at) = established.burst.sent(now, updates) {
            established.link.timers.set(LinkTimer::Burst, at);
        }
        self.record.counters.sent.updates += u64::from(updates);
    }
}

/// Messages.
impl Session {
    fn received(&mut self, now: Instant, conn: ConnId, bytes: BytesMut) {
        let Some(link) = self.place(conn).and_then(|place| self.link_mut(place)) else {
            return;
        };
        link.fill(bytes);
        // Any message may end the connection or make it the established one.
        while let Some(place) = self.place(conn) {
            let frame = match self.link_mut(place).map(Link::frame) {
                Some(Ok(Some(frame))) => frame,
                Some(Ok(None)) | None => break,
                Some(Err(error)) => {
                    self.lose(now, place, Event::Malformed, wire::Error::from(error).into());
                    break;
                }
            };
            self.frame(now, place, &frame);
        }
    }

    fn frame(&mut self, now: Instant, place: Place, frame: &[u8]) {
        let state = self.state_at(place);
        let decoded = match (place, &self.established) {
            (Place::Established, Some(established)) => wire::decode(frame, &established.context),
            (Place::Established | Place::Attempt(_), _) => {
                // Before Established an UPDATE is wrong, whatever it says.
                if frame.get(TYPE_OFFSET) == Some(&UPDATE) {
                    let reason = DownReason::UnexpectedMessage { state, message_type: UPDATE };
                    self.lose(now, place, Event::Update, reason);
                    return;
                }
                wire::decode(frame, &opening_context())
            }
        };
        match decoded {
            Ok(message) => self.message(now, place, message),
            Err(wire::Error::Update(error)) => self.update_failed(now, place, error),
            Err(error) => self.lose(now, place, Event::Malformed, error.into()),
        }
    }

    fn message(&mut self, now: Instant, place: Place, message: Message) {
        count(&mut self.record.counters.received, &message);
        let state = self.state_at(place);
        let event = Event::of(&message);
        match (next(state, event), place, message) {
            (Step::Answer, Place::Attempt(side), Message::Open(open)) => {
                self.answer(now, side, &open);
            }
            (Step::Establish, Place::Attempt(side), _) => self.establish(now, side),
            (Step::Deliver, Place::Established, message) => self.deliver(now, message),
            (Step::End, place, Message::Notification(received)) => {
                self.end(now, place, DownReason::NotificationReceived(received));
            }
            (Step::Unexpected, place, message) => {
                let message_type = message_type(&message);
                self.end(now, place, DownReason::UnexpectedMessage { state, message_type });
            }
            // The table asks for nothing else when a message arrives.
            (
                Step::Ignore
                | Step::Dial
                | Step::Retry
                | Step::Greet
                | Step::Answer
                | Step::Establish
                | Step::Deliver
                | Step::SendKeepalive
                | Step::End,
                _,
                _,
            ) => {}
        }
    }

    /// OPEN in OpenSent: check, resolve a collision, confirm.
    fn answer(&mut self, now: Instant, side: Side, open: &Open) {
        let place = Place::Attempt(side);
        let negotiated = match negotiated::negotiate(&self.config, open) {
            Ok(negotiated) => negotiated,
            Err(error) => return self.end(now, place, DownReason::Open(error)),
        };
        if !self.survives_collision(now, side, open) {
            return self.end(now, place, DownReason::Collision);
        }
        let Attempt::OpenSent(mut link) = mem::take(self.attempt_mut(side)) else {
            return;
        };
        link.adopt(now, &negotiated);
        let conn = link.conn;
        *self.attempt_mut(side) = Attempt::OpenConfirm { link, negotiated: Arc::new(negotiated) };
        self.send_keepalive(now, place, conn);
    }

    /// RFC 4271 §6.8, for an OPEN that has just come from `side`. Ends the other connection when
    /// this one is to stay.
    fn survives_collision(&mut self, now: Instant, side: Side, open: &Open) -> bool {
        let opened = self.attempt(side).link().map_or(now, |link| link.opened);
        if let Some(established) = &self.established {
            // "Unless allowed via configuration, a connection collision with an existing BGP
            // connection that is in the Established state causes closing of the newly created
            // connection." RFC 4724 §4.2 is the exception.
            if graceful::reconnected(established, opened, open) {
                self.end(now, Place::Established, DownReason::PeerReconnected);
                return true;
            }
            return false;
        }
        let other = opposite(side);
        match self.attempt(other).state() {
            State::OpenConfirm => {
                let local = (self.config.router_id, self.config.local_as);
                let survives = link::collision(local, (open.router_id, open.asn)) == side;
                if survives {
                    self.end(now, Place::Attempt(other), DownReason::Collision);
                }
                survives
            }
            // Nothing is known about the other one yet: its own OPEN will decide.
            State::Idle
            | State::Active
            | State::Connect
            | State::OpenSent
            | State::Established => true,
        }
    }

    /// KEEPALIVE in OpenConfirm.
    fn establish(&mut self, now: Instant, side: Side) {
        let Attempt::OpenConfirm { mut link, negotiated } = mem::take(self.attempt_mut(side))
        else {
            return;
        };
        link.adopt(now, &negotiated);
        let conn = link.conn;
        self.established = Some(Established {
            link,
            context: negotiated.wire_context(self.config.hash_seed),
            negotiated: Arc::clone(&negotiated),
            since: now,
            burst: Burst::default(),
            awaited: PerFamily::default(),
            disabled: PerFamily::default(),
            read_paused: false,
        });
        self.schedule_keepalive(now, Place::Established);
        self.lose(now, Place::Attempt(opposite(side)), Event::Superseded, DownReason::Collision);
        self.outgoing = Attempt::Idle;
        self.timers.clear(PeerTimer::ConnectRetry);
        self.connect_backoff.reset();
        self.record.last_error = None;
        self.record.established += 1;
        self.outputs.push_back(Output::Established { conn, negotiated: Arc::clone(&negotiated) });
        self.settle_retained(now, &negotiated);
        self.note_state(now);
    }

    /// The peer is back: what it preserved stays stale until End-of-RIB, the rest goes.
    fn settle_retained(&mut self, now: Instant, negotiated: &Negotiated) {
        self.timers.clear(PeerTimer::Restart);
        self.timers.clear(PeerTimer::Silence);
        let (Some(retained), Some(established)) = (self.retained.take(), &mut self.established)
        else {
            return;
        };
        let preserved = graceful::preserved(&retained.families, negotiated);
        established.awaited = preserved;
        if any(&preserved) {
            self.timers.set_after(PeerTimer::Stale, now, Some(self.config.stale_time));
        }
        let families = negotiated::per_family(|family| {
            *retained.families.get(family) && !*preserved.get(family)
        });
        if any(&families) {
            let reason = ReleaseReason::NotPreserved;
            self.outputs.push_back(Output::Release { families, reason });
        }
    }

    fn deliver(&mut self, now: Instant, message: Message) {
        let Some(established) = &mut self.established else {
            return;
        };
        match message {
            Message::Update(update) => {
                established.heard(now);
                self.deliver_update(update);
            }
            Message::Keepalive => established.heard(now),
            Message::RouteRefresh(refresh) => self.deliver_refresh(refresh),
            Message::Open(_) | Message::Notification(_) => {}
        }
    }

    fn deliver_update(&mut self, mut update: Update) {
        let Some(established) = &mut self.established else {
            return;
        };
        if !update.errors.is_empty() {
            self.record.counters.malformed_updates += 1;
        }
        if any(&established.disabled) {
            let disabled = established.disabled;
            update.withdrawn.retain(|list| !disabled.get(list.family()));
            update.announced.retain(|(list, _)| !disabled.get(list.family()));
            update.end_of_rib = update.end_of_rib.filter(|family| !disabled.get(*family));
        }
        if let Some(family) = update.end_of_rib {
            *established.awaited.get_mut(family) = false;
            if !any(&established.awaited) {
                self.timers.clear(PeerTimer::Stale);
            }
        }
        self.outputs.push_back(Output::Update(update));
    }

    /// RFC 2918 §4: a family that was not negotiated is ignored, and so is a subtype that is not
    /// known (RFC 7313 §5).
    fn deliver_refresh(&mut self, refresh: RouteRefresh) {
        let Some(established) = &self.established else {
            return;
        };
        let Some(family) = Family::from_numbers(refresh.afi, refresh.safi) else {
            return;
        };
        if established.negotiated.families.get(family).is_none() {
            return;
        }
        let kind = refresh.kind;
        match kind {
            RefreshKind::Unknown(_) => {}
            RefreshKind::Begin | RefreshKind::End if !established.negotiated.enhanced_refresh => {}
            RefreshKind::Request | RefreshKind::Begin | RefreshKind::End => {
                self.outputs.push_back(Output::Refresh { family, kind });
            }
        }
    }

    /// An UPDATE whose routes cannot be read: one family ends, or the session.
    fn update_failed(&mut self, now: Instant, place: Place, error: wire::UpdateError) {
        self.record.counters.received.updates += 1;
        self.record.counters.malformed_updates += 1;
        if let (wire::Verdict::DisableFamily(family), Some(established)) =
            (error.verdict(), &mut self.established)
        {
            let others = established.negotiated.families.iter().any(|(other, agreed)| {
                agreed.is_some() && other != family && !established.disabled.get(other)
            });
            if others {
                established.heard(now);
                let before = mem::replace(established.disabled.get_mut(family), true);
                if !before {
                    self.outputs.push_back(Output::FamilyDisabled { family, error });
                }
                return;
            }
        }
        self.lose(now, place, Event::Malformed, wire::Error::Update(error).into());
    }

    fn request_refresh(&mut self, family: Family) {
        let Some(established) = &self.established else {
            return;
        };
        let negotiated = &established.negotiated;
        if negotiated.route_refresh && negotiated.families.get(family).is_some() {
            let conn = established.link.conn;
            let (afi, safi, kind) = (family.afi(), family.safi(), RefreshKind::Request);
            self.record.counters.sent.refreshes += 1;
            self.send(conn, wire::encode_route_refresh(&RouteRefresh { afi, safi, kind }));
        }
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.outputs.push_back(Output::Send { conn, bytes });
    }

    fn send_notification(&mut self, conn: ConnId, notification: &Notification) {
        self.record.counters.sent.notifications += 1;
        self.send(conn, wire::encode_notification(notification, false));
    }

    fn send_keepalive(&mut self, now: Instant, place: Place, conn: ConnId) {
        self.record.counters.sent.keepalives += 1;
        self.send(conn, wire::encode_keepalive());
        self.schedule_keepalive(now, place);
    }

    fn schedule_keepalive(&mut self, now: Instant, place: Place) {
        let interval = match (place, self.attempt_at(place), &self.established) {
            (_, Some(Attempt::OpenConfirm { negotiated, .. }), _) => negotiated.keepalive,
            (Place::Established, _, Some(established)) => established.negotiated.keepalive,
            (Place::Established | Place::Attempt(_), _, _) => None,
        };
        // RFC 4271 §4.4: no more than one a second, jitter included.
        let after = interval.map(|interval| self.jitter.apply(interval).max(KEEPALIVE_MIN));
        if let Some(link) = self.link_mut(place) {
            link.timers.set_after(LinkTimer::Keepalive, now, after);
        }
    }
}

/// Ends: of an attempt, of the session, of what was kept.
impl Session {
    /// Something that ends a connection in some states has happened to one.
    fn lose(&mut self, now: Instant, place: Place, event: Event, reason: DownReason) {
        match next(self.state_at(place), event) {
            Step::End | Step::Retry | Step::Unexpected => self.end(now, place, reason),
            Step::Ignore
            | Step::Dial
            | Step::Greet
            | Step::Answer
            | Step::Establish
            | Step::Deliver
            | Step::SendKeepalive => {}
        }
    }

    fn end(&mut self, now: Instant, place: Place, reason: DownReason) {
        match place {
            Place::Attempt(side) => self.end_attempt(now, side, reason),
            Place::Established => self.end_established(now, reason),
        }
        self.note_state(now);
    }

    fn end_attempt(&mut self, now: Instant, side: Side, reason: DownReason) {
        let attempt = mem::take(self.attempt_mut(side));
        if side == Side::Outgoing {
            self.timers.clear(PeerTimer::ConnectRetry);
        }
        let Some(conn) = attempt.conn() else {
            return;
        };
        if let Some(notification) = reason.notification().filter(|_| attempt.link().is_some()) {
            self.send_notification(conn, &notification);
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        self.outputs.push_back(Output::AttemptFailed { conn, reason: reason.clone() });
        if reason != DownReason::Collision {
            self.record.last_error = Some(Failure { at: now, reason: reason.clone() });
        }
        let since = match attempt {
            Attempt::Connect { since, .. } => since,
            Attempt::Idle
            | Attempt::Active
            | Attempt::OpenSent(_)
            | Attempt::OpenConfirm { .. } => now,
        };
        self.go_on(now, since, &reason);
    }

    fn end_established(&mut self, now: Instant, reason: DownReason) {
        let Some(established) = self.established.take() else {
            return;
        };
        let conn = established.link.conn;
        if let Some(notification) = reason.notification() {
            let hard = reason.is_hard() && established.negotiated.graceful_notification;
            let wrapped = hard.then(|| notification::hard_reset(&notification));
            self.send_notification(conn, &wrapped.unwrap_or(notification));
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        let retain = graceful::retain(&self.config, &established.negotiated, &reason);
        self.timers.clear(PeerTimer::Stale);
        self.retained = retain.map(|retain| Retained::new(retain.families));
        let restart_time = retain.map(|retain| retain.restart_time);
        self.timers.set_after(PeerTimer::Restart, now, restart_time);
        if now.saturating_duration_since(established.since) >= STABLE_AFTER {
            self.idle_backoff.reset();
        }
        self.record.flaps += 1;
        let failure = Failure { at: now, reason: reason.clone() };
        self.record.last_down = Some(failure.clone());
        self.record.last_error = Some(failure);
        self.outputs.push_back(Output::Down { reason: reason.clone(), retain });
        self.go_on(now, now, &reason);
    }

    /// What follows the end of a connection: nothing, the next attempt, or a rest.
    fn go_on(&mut self, now: Instant, since: Instant, reason: &DownReason) {
        if !self.is_running() || self.established.is_some() {
            return;
        }
        let others = self.outgoing.is_live() || self.incoming.is_live();
        if !others && !reason.is_transient() {
            self.idle_backoff.failed();
            self.hold(now);
            return;
        }
        self.connect_backoff.failed();
        if matches!(self.outgoing, Attempt::Idle) {
            self.wait_to_dial(now, since);
        }
    }

    /// Rests.
    fn hold(&mut self, now: Instant) {
        self.phase = Phase::Holding;
        self.outgoing = Attempt::Idle;
        self.timers.clear(PeerTimer::ConnectRetry);
        let max = if self.is_waiting_for_restart() {
            RETAINED_CONNECT_TIME
        } else {
            self.config.idle_hold_max
        };
        let delay = self.jitter.apply(self.idle_backoff.delay(IDLE_HOLD, max));
        self.timers.set_after(PeerTimer::IdleHold, now, Some(delay));
    }

    /// Stale routes of a peer that is away are not kept any longer.
    fn release(&mut self, reason: ReleaseReason) {
        self.timers.clear(PeerTimer::Restart);
        self.timers.clear(PeerTimer::Silence);
        if let Some(retained) = self.retained.take() {
            self.outputs.push_back(Output::Release { families: retained.families, reason });
        }
    }

    /// Stale routes of a peer that is back are not kept any longer.
    fn stale_expired(&mut self) {
        if let Some(established) = &mut self.established {
            let families = mem::take(&mut established.awaited);
            let reason = ReleaseReason::StaleTimeExpired;
            self.outputs.push_back(Output::Release { families, reason });
        }
    }
}

/// BFD.
impl Session {
    fn bfd(&mut self, now: Instant, bfd: Bfd) {
        let before = self.bfd.map(|seen| seen.bfd);
        if self.config.bfd.is_none() || before == Some(bfd) {
            return;
        }
        self.bfd = Some(BfdSeen { bfd, since: now });
        match (before, bfd) {
            (Some(Bfd::Up), Bfd::Down) => {
                for place in PLACES {
                    self.lose(now, place, Event::BfdDown, DownReason::BfdDown);
                }
            }
            // RFC 5882 §4.2: a BFD session that has not been up yet says nothing.
            (None | Some(Bfd::Down), Bfd::Down) => {}
            (None | Some(Bfd::Up | Bfd::Down), Bfd::Up) => self.path_is_back(now),
        }
        self.watch_silence();
    }

    /// Connects at once instead of at the end of a delay that the dead path has caused.
    fn path_is_back(&mut self, now: Instant) {
        match self.phase {
            Phase::Stopped(_) => {}
            Phase::Holding if self.idle_backoff.failures() > 1 => {}
            Phase::Holding => self.resume(now),
            Phase::Running => {
                let stuck = match self.outgoing {
                    Attempt::Connect { since, .. } => {
                        now.saturating_duration_since(since) >= RETAINED_CONNECT_TIME
                    }
                    Attempt::Idle
                    | Attempt::Active
                    | Attempt::OpenSent(_)
                    | Attempt::OpenConfirm { .. } => false,
                };
                if stuck {
                    self.connect_timed_out(now);
                }
                self.dial(now);
            }
        }
    }

    fn waits_for_bfd(&self) -> bool {
        let up = self.bfd.is_some_and(|seen| seen.bfd == Bfd::Up);
        self.config.bfd.is_some_and(|config| config.strict) && !up
    }

    /// The peer's address has answered a connection attempt, or made one.
    fn answered(&mut self) {
        if let Some(retained) = &mut self.retained {
            retained.answered();
        }
        self.watch_silence();
    }

    fn watch_silence(&mut self) {
        let at = match (&self.retained, self.bfd, self.config.bfd) {
            (Some(retained), Some(BfdSeen { bfd: Bfd::Down, since }), Some(config)) => {
                retained.silent_at(since, config.detect_time)
            }
            (None | Some(_), None | Some(_), None | Some(_)) => None,
        };
        self.timers.put(PeerTimer::Silence, at);
    }
}

/// Time.
impl Session {
    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            self.peer_timer(now, timer);
        }
        for place in PLACES {
            while let Some(timer) = self.link_mut(place).and_then(|link| link.timers.take_due(now))
            {
                self.link_timer(now, place, timer);
            }
        }
    }

    fn peer_timer(&mut self, now: Instant, timer: PeerTimer) {
        match timer {
            PeerTimer::IdleHold => self.resume(now),
            PeerTimer::ConnectRetry => {
                match next(self.outgoing.state(), Event::ConnectRetryExpired) {
                    Step::Dial => self.dial(now),
                    Step::Retry => self.connect_timed_out(now),
                    Step::Ignore
                    | Step::Greet
                    | Step::Answer
                    | Step::Establish
                    | Step::Deliver
                    | Step::SendKeepalive
                    | Step::Unexpected
                    | Step::End => {}
                }
            }
            PeerTimer::Restart => self.release(ReleaseReason::RestartTimeExpired),
            PeerTimer::Stale => self.stale_expired(),
            PeerTimer::Silence => self.release(ReleaseReason::PeerSilent),
        }
    }

    fn connect_timed_out(&mut self, now: Instant) {
        let reason = DownReason::ConnectFailed(ConnectError::TimedOut);
        self.end(now, Place::Attempt(Side::Outgoing), reason);
    }

    fn link_timer(&mut self, now: Instant, place: Place, timer: LinkTimer) {
        let state = self.state_at(place);
        match timer {
            LinkTimer::Hold => {
                let after = self.hold_time_at(place);
                let reason = DownReason::HoldTimerExpired { state, after };
                self.lose(now, place, Event::HoldExpired, reason);
            }
            LinkTimer::SendHold => {
                let negotiated = self.negotiated();
                let after = negotiated.map(|n| n.send_hold_time).unwrap_or_default();
                let reason = DownReason::SendHoldTimerExpired { after };
                self.lose(now, place, Event::SendHoldExpired, reason);
            }
            LinkTimer::Keepalive => {
                if next(state, Event::KeepaliveExpired) == Step::SendKeepalive {
                    self.keepalive_at(now, place);
                }
            }
            LinkTimer::Burst => {
                if let Some(established) = &mut self.established {
                    established.burst.ended();
                    self.keepalive_at(now, place);
                }
            }
        }
    }

    fn keepalive_at(&mut self, now: Instant, place: Place) {
        if let Some(conn) = self.link_mut(place).map(|link| link.conn) {
            self.send_keepalive(now, place, conn);
        }
    }

    /// The hold time that runs in the state of a connection.
    fn hold_time_at(&self, place: Place) -> Duration {
        let negotiated = match (self.attempt_at(place), &self.established) {
            (Some(Attempt::OpenConfirm { negotiated, .. }), _) => Some(negotiated),
            (Some(Attempt::Idle | Attempt::Active), _)
            | (Some(Attempt::Connect { .. } | Attempt::OpenSent(_)), _) => None,
            (None, established) => established.as_ref().map(|e| &e.negotiated),
        };
        negotiated.and_then(|negotiated| negotiated.hold_time.duration()).unwrap_or(OPEN_TIME)
    }
}

/// Looking things up.
impl Session {
    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    fn is_waiting_for_restart(&self) -> bool {
        self.retained.is_some() && self.established.is_none()
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
        self.established.as_mut().filter(|established| established.link.conn == conn)
    }

    /// Where a connection stands; `None` for one that is gone.
    fn place(&self, conn: ConnId) -> Option<Place> {
        if self.established.as_ref().is_some_and(|e| e.link.conn == conn) {
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

/// RFC 4271 §4.4: "KEEPALIVE messages MUST NOT be sent more frequently than one per second."
const KEEPALIVE_MIN: Duration = Duration::from_secs(1);

/// Where the type of a message stands (RFC 4271 §4.1).
const TYPE_OFFSET: usize = 18;
/// Type of an UPDATE.
const UPDATE: u8 = 2;

fn opposite(side: Side) -> Side {
    match side {
        Side::Outgoing => Side::Incoming,
        Side::Incoming => Side::Outgoing,
    }
}

fn any(families: &PerFamily<bool>) -> bool {
    families.iter().any(|(_, set)| *set)
}

/// How to decode before anything is agreed on.
fn opening_context() -> wire::Context {
    wire::Context {
        as4: false,
        extended_message: false,
        add_path: PerFamily::default(),
        families: PerFamily::default(),
        external: false,
        extended_next_hop: false,
        hash_seed: 0,
    }
}

/// Type octet of a message (RFC 4271 §4.1, RFC 2918 §3).
fn message_type(message: &Message) -> u8 {
    match message {
        Message::Open(_) => 1,
        Message::Update(_) => UPDATE,
        Message::Notification(_) => 3,
        Message::Keepalive => 4,
        Message::RouteRefresh(_) => 5,
    }
}

fn count(messages: &mut Messages, message: &Message) {
    let counter = match message {
        Message::Open(_) => &mut messages.opens,
        Message::Update(_) => &mut messages.updates,
        Message::Notification(_) => &mut messages.notifications,
        Message::Keepalive => &mut messages.keepalives,
        Message::RouteRefresh(_) => &mut messages.refreshes,
    };
    *counter += 1;
}

#[cfg(test)]
mod tests;
