//! One BFD session in asynchronous mode, RFC 5880 §6.8.
//!
//! A packet, the passing of a deadline or a wish of the operator goes in through
//! [`Session::handle`]; packets to send and state changes come out of [`Session::poll`]. The names
//! of the RFC's variables are kept (`bfd.DesiredMinTxInterval` is `desired_min_tx`). Finding the
//! session a packet belongs to is the work of [`Sessions`](crate::Sessions); encoding and sockets
//! are the caller's.

mod config;
mod echo;
mod pace;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::{Duration, Instant};

pub use config::{Config, Domain, Hops, InterfaceIndex, ParameterError, Parameters};
use echo::Echo;
use pace::{Detection, Intervals, Jitter, Poll, Reply, Transmission};

use crate::authentication::{Authentication, Guard, Refusal};
use crate::echo::EchoPacket;
use crate::packet::{Diagnostic, Discriminator, Interval, Packet};
use crate::state::{State, next_state};

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A valid packet for this session arrived with this TTL or hop limit.
    Received {
        /// The packet.
        packet: Packet,
        /// As the packet arrived; below [`Config::ttl_min`] it has crossed too many routers and is
        /// refused.
        ttl: u8,
    },
    /// An echo packet that names this session came back.
    EchoReturned(EchoPacket),
    /// The deadline has come.
    Timeout,
    /// New parameters; the session stays as it is (RFC 5880 §6.8.3).
    Configure(Parameters),
    /// Hold the session down (RFC 5880 §6.8.16).
    AdminDown,
    /// End [`Input::AdminDown`].
    Enable,
    /// This host did not run for so long; packets of that time may be lost.
    Stalled {
        /// How much later than its deadline the caller woke up.
        by: Duration,
    },
}

/// What a session wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send this to the peer with TTL 255, to UDP port 3784, or 4784 over several hops.
    Send(Packet),
    /// Send this so that it comes back: to UDP port 3785 with TTL 255, by way of the peer.
    SendEcho(EchoPacket),
    /// The session has a new state.
    StateChanged(StateChange),
}

/// A change of state and what is known about its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// The state before.
    pub old: State,
    /// The state now.
    pub new: State,
    /// Our reason.
    pub diagnostic: Diagnostic,
    /// What the peer last said its state was.
    pub remote_state: State,
    /// What the peer last gave as its reason.
    pub remote_diagnostic: Diagnostic,
}

impl StateChange {
    /// Someone wanted the session down: the path may be fine, and routes over it must not be
    /// dropped (RFC 5882 §3.2 and §4.2).
    #[must_use]
    pub fn is_administrative(&self) -> bool {
        match self.new {
            State::AdminDown => true,
            State::Down => {
                self.diagnostic == Diagnostic::NeighborSignaledDown
                    && self.remote_state == State::AdminDown
            }
            State::Init | State::Up => false,
        }
    }
}

/// A BFD session with one peer.
#[derive(Debug)]
pub struct Session {
    config: Config,
    my_discriminator: Discriminator,
    state: State,
    diagnostic: Diagnostic,
    /// It is in its state.
    since: Instant,
    remote: Remote,
    own: Intervals,
    poll: Poll,
    transmission: Transmission,
    detection: Detection,
    echo: Echo,
    /// Until when the session stays down, see [`Echo::fail`].
    held_until: Option<Instant>,
    reply: Reply,
    /// When a poll was last answered.
    answered: Option<Instant>,
    jitter: Jitter,
    guard: Guard,
    refusal: Option<Refusal>,
    /// See [`Self::take_gap`].
    gap: Option<u64>,
    heard_on: Option<InterfaceIndex>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Session {
    /// A session in state Down whose first packet is due at once (unless passive).
    ///
    /// `my_discriminator` must be unique among this system's sessions and not guessable. `seed`
    /// feeds the jitter and the first sequence number.
    #[must_use]
    pub fn new(
        mut config: Config,
        my_discriminator: Discriminator,
        seed: u64,
        now: Instant,
    ) -> Self {
        let [.., a, b, c, d] = seed.to_be_bytes();
        let guard = Guard::new(
            config.authentication.take(),
            u32::from_be_bytes([a, b, c, d]),
        );
        let mut session = Self {
            own: Intervals::slow(&config.parameters),
            config,
            my_discriminator,
            state: State::Down,
            diagnostic: Diagnostic::None,
            since: now,
            remote: Remote::unknown(),
            poll: Poll::Idle,
            transmission: Transmission::default(),
            detection: Detection::default(),
            echo: Echo::default(),
            held_until: None,
            reply: Reply::None,
            answered: None,
            jitter: Jitter::new(seed),
            guard,
            refusal: None,
            gap: None,
            heard_on: None,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        };
        session.schedule(now);
        session
    }

    /// Takes in what happened at `now`, and everything that is due by then.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { packet, ttl } => self.receive(now, packet, ttl),
            Input::EchoReturned(packet) => {
                if self.echo.returned(now, packet) {
                    self.counters.echo_returned += 1;
                }
            }
            Input::Timeout => {}
            Input::Configure(parameters) => self.configure(parameters),
            Input::AdminDown => {
                self.change_state(now, State::AdminDown, Diagnostic::AdministrativelyDown);
            }
            Input::Enable => {
                if self.state == State::AdminDown {
                    self.change_state(now, State::Down, self.diagnostic);
                }
            }
            Input::Stalled { by } => self.excuse(now, by),
        }
        self.detect(now);
        self.transmit(now);
    }

    /// Authenticates packets with something else from now on. Packets of the peer by the former
    /// authentication are taken until one by the new comes, at most for the detection time, so
    /// that two systems which change within that time do not lose the session (RFC 5880 §6.7.1).
    pub fn authenticate(&mut self, now: Instant, authentication: Option<Authentication>) {
        let detection_time = self.detection_time();
        self.guard.change(now, authentication, detection_time);
    }

    /// The next thing to do; call until `None` after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Latest time for [`Input::Timeout`]; always after the last `now` that was handled.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let detection = self.detection.deadline(self.detection_time());
        let echo = self.echo.deadline(self.multiplier());
        [self.transmission.next, detection, echo]
            .into_iter()
            .flatten()
            .min()
    }

    /// What the session was made from, with the parameters as last configured.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What packets are authenticated with.
    #[must_use]
    pub fn authentication(&self) -> Option<&Authentication> {
        self.guard.current()
    }

    /// Why the last packet that was not believed was not; `None` once one is.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Our name for the session.
    #[must_use]
    pub fn my_discriminator(&self) -> Discriminator {
        self.my_discriminator
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the state last changed.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// Since when the session is up.
    #[must_use]
    pub fn up_since(&self) -> Option<Instant> {
        (self.state == State::Up).then_some(self.since)
    }

    /// Since when it is down; a session that was never up, since it is there.
    #[must_use]
    pub fn down_since(&self) -> Option<Instant> {
        (self.state == State::Down).then_some(self.since)
    }

    /// What the peer last said.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What was counted since the session was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Interval of our periodic packets before jitter: RFC 5880 §6.8.7, the larger of what we want
    /// and what the peer can take. `None`: no periodic packets are due.
    #[must_use]
    pub fn transmit_interval(&self) -> Option<Duration> {
        // RFC 5880 §6.8.7: a passive system MUST NOT send before it has heard the peer.
        let waits_for_peer = self.config.parameters.passive && self.remote.discriminator.is_none();
        // RFC 5880 §6.8.7: nothing periodic to a peer that can take nothing, ...
        let unwanted = self.remote.required_min_rx == Interval::ZERO;
        // ... nor to one in demand mode, unless a poll sequence runs.
        let on_demand = self.remote_demand_active() && self.poll == Poll::Idle;
        let silent = waits_for_peer || unwanted || on_demand;
        (!silent).then(|| {
            self.own
                .tx_in_use
                .max(self.remote.required_min_rx)
                .duration()
        })
    }

    /// Interval of our echo packets before jitter. RFC 5880 §6.8.9: only while the session is up and the
    /// peer can send them back, and not faster than it says. `None`: none are sent.
    #[must_use]
    pub fn echo_interval(&self) -> Option<Duration> {
        let wanted = self.config.parameters.echo?;
        let theirs = self.remote.required_min_echo_rx;
        // RFC 5883 §3: not over several hops.
        let near = self.config.hops == Hops::Single;
        let possible = self.state == State::Up && near && theirs != Interval::ZERO;
        possible.then(|| wanted.max(theirs).duration())
    }

    /// An echo packet has come back since they were asked for, so that their absence is a failure.
    #[must_use]
    pub fn echo_works(&self) -> bool {
        self.echo.works()
    }

    /// How long the last echo packets that came back took, eight at most.
    pub fn echo_round_trips(&self) -> impl Iterator<Item = Duration> {
        self.echo.round_trips()
    }

    /// How often we say that the peer may have packets sent back, RFC 5880 §6.8.1.
    fn required_min_echo_rx(&self) -> Interval {
        match self.config.hops {
            Hops::Single => self.config.parameters.required_min_echo_rx,
            // RFC 5883 §3: not over several hops.
            Hops::Multi => Interval::ZERO,
        }
    }

    /// The peer may have packets sent back now; counts one.
    pub(crate) fn loop_back(&mut self) -> bool {
        let loops = self.state == State::Up && self.required_min_echo_rx() != Interval::ZERO;
        self.counters.echo_looped_back += u64::from(loops);
        loops
    }

    /// The interface that the last packet which was believed came in on.
    #[must_use]
    pub fn heard_on(&self) -> Option<InterfaceIndex> {
        self.heard_on
    }

    pub(crate) fn set_heard_on(&mut self, interface: InterfaceIndex) {
        self.heard_on = Some(interface);
    }

    fn multiplier(&self) -> NonZeroU8 {
        self.config.parameters.detect_multiplier
    }

    /// Silence after which the peer is declared dead: RFC 5880 §6.8.4, the peer's multiplier times
    /// the larger of what we can take and what it wants to send. Zero until the peer is heard.
    #[must_use]
    pub fn detection_time(&self) -> Duration {
        self.remote_interval() * u32::from(self.remote.detect_multiplier)
    }

    /// The interval at which the peer sends.
    fn remote_interval(&self) -> Duration {
        self.own
            .rx_in_use
            .max(self.remote.desired_min_tx)
            .duration()
    }

    /// RFC 5880 §6.8.6: demand mode is active on the remote system.
    fn remote_demand_active(&self) -> bool {
        self.remote.demand && self.state == State::Up && self.remote.state == State::Up
    }

    /// RFC 5880 §6.8.6, from "Set bfd.RemoteDiscr" on; what comes before is `Packet::decode`'s and
    /// the demultiplexer's part.
    fn receive(&mut self, now: Instant, packet: Packet, ttl: u8) {
        // RFC 5881 §5: packets that have crossed a router MUST be discarded.
        if ttl < self.config.ttl_min() {
            self.counters.refused_ttl += 1;
            return;
        }
        if packet
            .your_discriminator
            .is_some_and(|yours| yours != self.my_discriminator)
        {
            self.counters.refused_discriminator += 1;
            return;
        }
        if let Err(refusal) = self.guard.admit(now, &packet, self.detection_time()) {
            self.counters.refused_authentication += 1;
            self.refusal = Some(refusal);
            return;
        }
        self.refusal = None;
        self.counters.received += 1;
        self.remote = Remote::from_packet(&packet);
        if packet.is_final && self.poll.answered() {
            self.own.commit();
        }
        if self.state == State::AdminDown {
            return;
        }
        self.held_until = self.held_until.filter(|until| *until > now);
        let new = match (self.held_until, self.state) {
            (Some(_), State::Down) => State::Down,
            (_, state) => next_state(state, packet.state),
        };
        let diagnostic = match new {
            State::Down => Diagnostic::NeighborSignaledDown,
            State::Up => Diagnostic::None,
            // Init still says why the session was lost.
            State::Init | State::AdminDown => self.diagnostic,
        };
        self.change_state(now, new, diagnostic);
        if packet.poll && self.may_answer(now) {
            self.answered = Some(now);
            self.reply = Reply::Final;
        }
        if self.state == State::Up {
            self.gap = self.silence_percent(now);
        }
        self.detection.heard(now);
    }

    /// A poll that comes sooner after another than any peer sends was replayed, and answering would
    /// have us send as fast as somebody likes. A peer that gets no answer asks again (RFC 5880 §6.5).
    fn may_answer(&self, now: Instant) -> bool {
        let since = |last| now.saturating_duration_since(last);
        self.answered.is_none_or(|last| since(last) >= ANSWER_MIN)
    }

    /// How much of the detection time has passed without a packet.
    fn silence_percent(&self, now: Instant) -> Option<u64> {
        let silence = now.saturating_duration_since(self.detection.heard?);
        let percent = silence.as_micros() * 100 / self.detection_time().as_micros().max(1);
        u64::try_from(percent).ok()
    }

    /// How much of the detection time had passed when the last packet came, in percent; once.
    pub(crate) fn take_gap(&mut self) -> Option<u64> {
        self.gap.take()
    }

    fn configure(&mut self, parameters: Parameters) {
        if parameters.echo.is_none() {
            self.echo.forget();
            self.held_until = None;
        }
        self.config.parameters = parameters;
        self.update_intervals();
    }

    fn change_state(&mut self, now: Instant, new: State, diagnostic: Diagnostic) {
        if new == self.state {
            return;
        }
        let old = std::mem::replace(&mut self.state, new);
        self.diagnostic = diagnostic;
        self.since = now;
        self.update_intervals();
        self.reply = Reply::Changed;
        if old == State::Up {
            self.counters.losses += 1;
        }
        self.outputs.push_back(Output::StateChanged(StateChange {
            old,
            new,
            diagnostic,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diagnostic,
        }));
    }

    /// RFC 5880 §6.8.3: each change of the advertised intervals starts a poll sequence.
    fn update_intervals(&mut self) {
        let up = self.state == State::Up;
        let wanted = match up {
            true => Intervals::configured(&self.config.parameters),
            false => Intervals::slow(&self.config.parameters),
        };
        if self.own.advertise(wanted, up) {
            self.poll.request();
        }
    }

    /// Forgives the peer a silence that may have been ours, see [`Detection::excuse`].
    pub(crate) fn excuse(&mut self, now: Instant, by: Duration) {
        let (time, interval) = (self.detection_time(), self.remote_interval());
        let control = self.detection.excuse(now, by, time, interval);
        let echo = self.echo.excuse(now, by, self.multiplier());
        self.counters.stalls += u64::from(control || echo);
    }

    /// RFC 5880 §6.8.4 and, for the discriminator, §6.8.1.
    fn detect(&mut self, now: Instant) {
        // RFC 5880 §6.8.5.
        if self.state == State::Up && self.echo.has_failed(now, self.multiplier()) {
            self.held_until = Some(now + self.echo.fail());
            self.change_state(now, State::Down, Diagnostic::EchoFailed);
        }
        let deadline = self.detection.deadline(self.detection_time());
        if deadline.is_none_or(|at| at > now) {
            return;
        }
        self.detection = Detection::default();
        self.remote.discriminator = None;
        if matches!(self.state, State::Init | State::Up) {
            self.change_state(now, State::Down, Diagnostic::DetectionTimeExpired);
        }
    }

    /// Sends what is due: the periodic packet, an answer to a poll, the news of a changed state.
    fn transmit(&mut self, now: Instant) {
        self.schedule(now);
        match std::mem::replace(&mut self.reply, Reply::None) {
            Reply::None => {}
            // RFC 5880 §6.8.6: independent of any periodic packet.
            Reply::Final => self.send(false, true),
            // RFC 5880 §6.8.7: a changed state SHOULD be told at once. §6.5 wants polls on the
            // periodic packets only.
            Reply::Changed => {
                let passive = self.config.parameters.passive;
                if !passive || self.remote.discriminator.is_some() {
                    self.send(false, false);
                }
            }
        }
        if self.transmission.next.is_some_and(|at| at <= now) {
            let poll = self.poll.transmit();
            self.send(poll, false);
            self.transmission.last = Some(now);
            self.transmission.next = self.transmission.interval.map(|interval| {
                now + self
                    .jitter
                    .apply(interval, self.config.parameters.detect_multiplier)
            });
        }
        let (name, multiplier) = (self.my_discriminator, self.multiplier());
        let echo = self.echo.transmit(now, name, &mut self.jitter, multiplier);
        if let Some(packet) = echo {
            self.counters.echo_sent += 1;
            self.outputs.push_back(Output::SendEcho(packet));
        }
    }

    /// RFC 5880 §6.8.3 and §6.8.7: a changed interval counts from the last periodic packet.
    fn schedule(&mut self, now: Instant) {
        self.echo.pace(now, self.echo_interval());
        let interval = self.transmit_interval();
        if interval == self.transmission.interval {
            return;
        }
        self.transmission.interval = interval;
        self.transmission.next = interval.map(|interval| match self.transmission.last {
            Some(last) => {
                let multiplier = self.config.parameters.detect_multiplier;
                now.max(last + self.jitter.apply(interval, multiplier))
            }
            None => now,
        });
    }

    fn send(&mut self, poll: bool, is_final: bool) {
        self.counters.sent += 1;
        let packet = Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll,
            is_final,
            control_plane_independent: self.config.parameters.control_plane_independent,
            demand: false,
            detect_multiplier: self.config.parameters.detect_multiplier,
            my_discriminator: self.my_discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: self.own.desired_min_tx,
            required_min_rx: self.own.required_min_rx,
            required_min_echo_rx: self.required_min_echo_rx(),
            authentication: None,
        };
        let signed = self.guard.sign(packet);
        self.outputs.push_back(Output::Send(signed));
    }

    pub(crate) fn rebind(&mut self, local: Option<IpAddr>, interface: Option<InterfaceIndex>) {
        self.config.local = local;
        self.config.interface = interface;
    }
}

/// See [`Session::may_answer`]. Polls come with periodic packets, three quarters of 10 ms apart or more.
const ANSWER_MIN: Duration = Duration::from_millis(5);

/// What the peer last said, RFC 5880 §6.8.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// The peer's name for the session; `None`: not heard within the detection time.
    pub discriminator: Option<Discriminator>,
    /// The peer's state.
    pub state: State,
    /// The peer's reason for it.
    pub diagnostic: Diagnostic,
    /// How often the peer wants to send.
    pub desired_min_tx: Interval,
    /// How often the peer can receive.
    pub required_min_rx: Interval,
    /// How often the peer can send echo packets back; zero: it does not.
    pub required_min_echo_rx: Interval,
    /// How many packets of the peer may be missed; 0: nothing heard yet.
    pub detect_multiplier: u8,
    /// The peer wants no periodic packets while the session is up.
    pub demand: bool,
    /// The peer's BFD survives a restart of its control plane.
    pub control_plane_independent: bool,
}

impl Remote {
    /// RFC 5880 §6.8.1: the initial values.
    fn unknown() -> Self {
        Self {
            discriminator: None,
            state: State::Down,
            diagnostic: Diagnostic::None,
            desired_min_tx: Interval::ZERO,
            required_min_rx: Interval::from_micros(1),
            required_min_echo_rx: Interval::ZERO,
            detect_multiplier: 0,
            demand: false,
            control_plane_independent: false,
        }
    }

    fn from_packet(packet: &Packet) -> Self {
        Self {
            discriminator: Some(packet.my_discriminator),
            state: packet.state,
            diagnostic: packet.diagnostic,
            desired_min_tx: packet.desired_min_tx,
            required_min_rx: packet.required_min_rx,
            required_min_echo_rx: packet.required_min_echo_rx,
            detect_multiplier: packet.detect_multiplier.get(),
            demand: packet.demand,
            control_plane_independent: packet.control_plane_independent,
        }
    }
}

/// Totals of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Packets taken in.
    pub received: u64,
    /// Packets given out.
    pub sent: u64,
    /// Packets refused because they have crossed a router.
    pub refused_ttl: u64,
    /// Packets that were not believed, see [`Session::refusal`].
    pub refused_authentication: u64,
    /// Packets refused because they name another session.
    pub refused_discriminator: u64,
    /// Echo packets given out.
    pub echo_sent: u64,
    /// Those of them that came back.
    pub echo_returned: u64,
    /// Echo packets of the peer that the caller was told to send back.
    pub echo_looped_back: u64,
    /// How often the session left Up.
    pub losses: u64,
    /// How often a stall of this host extended the detection time.
    pub stalls: u64,
}

#[cfg(test)]
mod tests;
