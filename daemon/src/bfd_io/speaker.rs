//! The loop of the BFD thread.
//!
//! One round: sleep until a datagram, a command or a deadline; read the datagrams, so that a peer
//! is heard before it is judged; obey commands; try sockets that could not be made; look where echo
//! packets go; run timers; send. Everything is owned by [`Speaker`], which lives on the thread's stack.
//!
//! A session as it is kept is an [`Entry`]; what concerns echo packets is in [`echoes`].

mod echoes;
mod entry;

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver as Queue, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use bfd::{
    AddError, Config, Discriminator, Domain, Hops, InterfaceIndex, Output, Sessions, State,
    StateChange, sessions,
};

use entry::{Entry, RETRY};

use super::echo::{self, Link, Way};
use super::histogram::Histogram;
use super::shield::{Change, Known, Watch};
use super::socket::{
    self, BATCH_MAX, Port, Reach, Receiver, Route, SOURCE_PORTS, Sender, SenderError, Serves,
};
use super::{Event, EventKind, Report, SessionKey, Settings};
use crate::debug;

/// An order to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Set(SessionKey, Settings),
    Remove(SessionKey),
    AdminDown(SessionKey, bool),
    Report(SyncSender<Report>),
    Stop,
}

/// Everything the thread owns.
pub(super) struct Speaker {
    sessions: Sessions,
    entries: BTreeMap<SessionKey, Entry>,
    keys: BTreeMap<Discriminator, SessionKey>,
    /// Those of port 3784 outside of VRFs first; others while a session needs them.
    receivers: Vec<Receiver>,
    /// Where IPv4 echo packets leave and come back, by interface.
    links: BTreeMap<InterfaceIndex, Link>,
    /// When to look where echo packets go; `None`: nobody wants any.
    look_at: Option<Instant>,
    /// Until when echo packets are left where they are: so many came at once.
    rest_until: Option<Instant>,
    /// The numbers of VRFs.
    domains: BTreeMap<String, Domain>,
    queue: Queue<Command>,
    wake: UnixStream,
    on_event: Box<dyn Fn(Event) + Send>,
    realtime: bool,
    lateness: Histogram,
    next_port: u16,
    /// Source ports of the sessions.
    ports: BTreeSet<u16>,
    /// The earliest `retry_at` of all entries.
    retry_at: Option<Instant>,
    shield: Watch,
    /// Sessions came or went, so that filters have to be made anew.
    others: bool,
    /// The earliest `leaves` of all entries.
    part_at: Option<Instant>,
    /// The thread ends when all peers know.
    ends: bool,
}

/// Which sockets have something to read.
#[derive(Default)]
struct Ready {
    receivers: Vec<bool>,
    links: Vec<bool>,
}

/// How long a peer is told at least and at most, if it does not say that it knows. In the least time
/// a second packet leaves, at the pace of sessions that are not up.
const FAREWELL: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3);

/// Sockets that are made in one round. Each takes some 50 µs, and a thousand of them in one go
/// would have peers of other sessions wait for our packets.
const CONNECTS_MAX: usize = 16;

enum Next {
    Continue,
    Stop,
}

impl Speaker {
    pub(super) fn new(
        receivers: Vec<Receiver>,
        queue: Queue<Command>,
        wake: UnixStream,
        on_event: Box<dyn Fn(Event) + Send>,
        now: Instant,
    ) -> Self {
        Self {
            sessions: Sessions::new(now),
            entries: BTreeMap::new(),
            keys: BTreeMap::new(),
            receivers,
            links: BTreeMap::new(),
            look_at: None,
            rest_until: None,
            domains: BTreeMap::new(),
            queue,
            wake,
            on_event,
            realtime: false,
            lateness: Histogram::of_lateness(),
            next_port: *SOURCE_PORTS.start(),
            ports: BTreeSet::new(),
            retry_at: None,
            shield: Watch::new(now),
            others: false,
            part_at: None,
            ends: false,
        }
    }

    pub(super) fn run(mut self) {
        match socket::request_realtime() {
            Ok(()) => self.realtime = true,
            Err(error) => tracing::warn!(
                %error,
                "BFD runs without real-time priority: on a busy host short detection times may \
                 give false alarms\n\nhint: give the service CAP_SYS_NICE or LimitRTPRIO=10"
            ),
        }
        loop {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "the BFD thread cannot wait for its sockets and ends");
                    return;
                }
            };
            let now = Instant::now();
            self.measure_lateness(now);
            self.receive(&ready);
            self.receive_echoes(&ready);
            if matches!(self.obey(), Next::Stop) && !self.ends {
                self.ends = true;
                self.leave_all();
            }
            self.retry(Instant::now());
            self.look(Instant::now());
            self.sessions
                .handle(Instant::now(), sessions::Input::Timeout);
            self.flush();
            self.part(Instant::now());
            self.guard(Instant::now());
            if self.ends && self.entries.is_empty() {
                return;
            }
        }
    }

    fn wait(&self) -> io::Result<Ready> {
        let deadline = [
            self.sessions.deadline(),
            self.retry_at,
            self.shield.deadline(),
            self.look_at,
            self.rest_until,
            self.part_at,
        ]
        .into_iter()
        .flatten()
        .min();
        let now = Instant::now();
        let timeout = deadline.map(|at| at.saturating_duration_since(now));
        let rests = self.rest_until.is_some();
        let heard = |port: Port| !rests || port != Port::Echo;
        let mut fds = vec![self.wake.as_fd()];
        let receivers = self.receivers.iter().filter(|it| heard(it.port()));
        fds.extend(receivers.map(Receiver::fd));
        let links = self.links.values().filter(|_| heard(Port::Echo));
        fds.extend(links.map(Link::fd));
        let ready = match socket::wait(&fds, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(Ready::default());
            }
            ready => ready?,
        };
        let mut ready = ready.into_iter().skip(1);
        let mut next = |asked: bool| asked && ready.next().unwrap_or(false);
        Ok(Ready {
            receivers: self
                .receivers
                .iter()
                .map(|it| next(heard(it.port())))
                .collect(),
            links: self
                .links
                .values()
                .map(|_| next(heard(Port::Echo)))
                .collect(),
        })
    }

    fn measure_lateness(&mut self, now: Instant) {
        if let Some(deadline) = self.sessions.deadline().filter(|at| *at <= now) {
            self.lateness.add(now.saturating_duration_since(deadline));
        }
    }

    fn receive(&mut self, ready: &Ready) {
        let all = self.receivers.iter_mut().zip(&ready.receivers);
        let control = all.filter(|(it, ready)| **ready && it.port() != Port::Echo);
        for (receiver, _) in control {
            for _ in 0..BATCH_MAX {
                let datagram = match receiver.receive() {
                    Ok(Some(datagram)) => datagram,
                    Ok(None) => continue,
                    // Empty, or an error of an earlier datagram which no one here waits for.
                    Err(_) => break,
                };
                let (from, unwelcome) = (datagram.remote, self.sessions.unwelcome());
                self.sessions
                    .handle(Instant::now(), sessions::Input::Received(datagram));
                if self.sessions.unwelcome() > unwelcome {
                    let why = self.sessions.refused();
                    tracing::debug!(target: debug::BFD_NETWORK, %from, ?why, "packet not taken");
                }
            }
        }
    }

    fn obey(&mut self) -> Next {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(1..)) {}
        loop {
            match self.queue.try_recv() {
                Ok(Command::Set(key, settings)) => {
                    tracing::debug!(target: debug::BFD_ZEBRA, ?key, ?settings, "session wanted");
                    self.set(key, settings);
                }
                Ok(Command::Remove(key)) => {
                    tracing::debug!(target: debug::BFD_ZEBRA, ?key, "session not wanted");
                    self.remove(&key);
                }
                Ok(Command::AdminDown(key, down)) => self.set_admin_down(&key, down),
                Ok(Command::Report(reply)) => {
                    // The asker may have given up; that is its right.
                    let _ = reply.try_send(self.report(Instant::now()));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) => return Next::Continue,
            }
        }
    }

    fn set(&mut self, key: SessionKey, settings: Settings) {
        let now = Instant::now();
        let Settings {
            parameters,
            authentication,
            admin_down,
        } = settings;
        // One that is on its way out would be in the way of the new one.
        let former: Vec<SessionKey> = self
            .entries
            .iter()
            .filter(|_| self.part_at.is_some())
            .filter(|(it, entry)| it.peer == key.peer && entry.leaves.is_some())
            .map(|(it, _)| it.clone())
            .collect();
        for former in former {
            self.forget(&former);
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry {
            parameters,
            authentication: None,
            admin_down,
            session: None,
            sender: None,
            port: None,
            retry_at: Some(now),
            waiting: None,
            send_errors: 0,
            way: Way::default(),
            leaves: None,
        });
        entry.parameters = parameters;
        entry.authentication.clone_from(&authentication);
        let (session, held) = (entry.session, entry.admin_down);
        let possible = entry.way.possible(parameters);
        self.retry_at = earlier(self.retry_at, entry.retry_at);
        if echo::wanted(&parameters) || entry.way != Way::default() {
            self.look_at = Some(now);
        }
        if let Some(session) = session {
            self.sessions.authenticate(now, session, authentication);
            self.tell(session, bfd::Input::Configure(possible));
            // The least TTL may be another one.
            self.others = true;
        }
        if held != admin_down {
            self.set_admin_down(&key, admin_down);
        }
    }

    fn remove(&mut self, key: &SessionKey) {
        self.leave(key);
        self.flush();
        self.part(Instant::now());
    }

    /// RFC 5880 §6.8.16: the peer learns that this is no failure, and SHOULD be told for at least a
    /// Detection Time. When it has said that it knows, that is enough.
    fn leave(&mut self, key: &SessionKey) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let session = entry.session.and_then(|it| self.sessions.get(it));
        let interval = session.and_then(bfd::Session::transmit_interval);
        let theirs = interval.unwrap_or_default() * u32::from(entry.parameters.multiplier());
        let time = theirs.clamp(*FAREWELL.start(), *FAREWELL.end());
        entry.leaves.get_or_insert(Instant::now() + time);
        self.part_at = earlier(self.part_at, entry.leaves);
        if let Some(session) = entry.session {
            self.tell(session, bfd::Input::AdminDown);
        }
    }

    fn leave_all(&mut self) {
        let all: Vec<SessionKey> = self.entries.keys().cloned().collect();
        for key in &all {
            self.leave(key);
        }
    }

    /// Forgets sessions whose peers know that they are over, or have been told for long enough.
    fn part(&mut self, now: Instant) {
        if self.part_at.is_none() {
            return;
        }
        let is_over = |entry: &Entry| {
            let Some(until) = entry.leaves else {
                return false;
            };
            let session = entry.session.and_then(|it| self.sessions.get(it));
            let knows = session.is_none_or(|session| match session.remote().state {
                State::AdminDown | State::Down => true,
                State::Init | State::Up => session.remote().discriminator.is_none(),
            });
            knows || until <= now || entry.sender.is_none()
        };
        let over = self.entries.iter().filter(|(_, entry)| is_over(entry));
        let over: Vec<SessionKey> = over.map(|(key, _)| key.clone()).collect();
        for key in &over {
            self.forget(key);
        }
        let left = self.entries.values();
        self.part_at = left.filter_map(|entry| entry.leaves).min();
    }

    fn forget(&mut self, key: &SessionKey) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        if let Some(session) = entry.session {
            self.sessions.remove(session);
            self.keys.remove(&session);
            self.others = true;
        }
        if let Some(port) = entry.port {
            self.ports.remove(&port);
        }
        self.close_receivers();
    }

    /// Closes what no session needs. Port 3784 outside of VRFs stays, so that nobody else takes it.
    fn close_receivers(&mut self) {
        let needed: Vec<(Port, Option<Domain>)> = self
            .entries
            .iter()
            .flat_map(|(key, entry)| {
                let domain = key.vrf.as_ref().map(|vrf| self.domains.get(vrf).copied());
                let domain = domain.unwrap_or(Some(Domain(0)));
                let echo = echo::wanted(&entry.parameters).then_some((Port::Echo, domain));
                [(Port::Control(key.hops()), domain)]
                    .into_iter()
                    .chain(echo)
            })
            .chain([(Port::Control(Hops::Single), Some(Domain(0)))])
            .collect();
        self.receivers.retain(|receiver| {
            needed.iter().any(|(port, domain)| {
                domain.is_some_and(|domain| receiver.receives(*port, domain))
            })
        });
    }

    /// Opens what a session receives from, if it is not open. A VRF device that was made anew has
    /// sockets that hear nothing any more: they are opened anew, too.
    fn open_receivers(&mut self, key: &SessionKey, port: Port) -> io::Result<Domain> {
        let next = u32::try_from(self.domains.len()).unwrap_or(u32::MAX);
        let domain = match &key.vrf {
            None => Domain(0),
            Some(vrf) => *self
                .domains
                .entry(vrf.clone())
                .or_insert(Domain(next.saturating_add(1))),
        };
        let reach = Reach {
            port,
            vrf: key.vrf.as_deref(),
            domain,
            beside_others: self.receivers.iter().any(|it| it.port() == port),
        };
        self.receivers
            .retain(|receiver| receiver.serves(reach) != Serves::Former);
        let mut all = self.receivers.iter();
        if !all.any(|receiver| receiver.serves(reach) == Serves::These) {
            self.share_ports(true)?;
            let opened = socket::receivers(reach);
            self.share_ports(false)?;
            self.receivers.extend(opened?);
        }
        Ok(domain)
    }

    fn share_ports(&self, share: bool) -> io::Result<()> {
        let mut all = self.receivers.iter();
        all.try_for_each(|receiver| receiver.share(share))
    }

    fn set_admin_down(&mut self, key: &SessionKey, admin_down: bool) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.admin_down = admin_down;
        if let Some(session) = entry.session {
            let input = if admin_down {
                bfd::Input::AdminDown
            } else {
                bfd::Input::Enable
            };
            self.tell(session, input);
        }
    }

    fn tell(&mut self, session: Discriminator, input: bfd::Input) {
        self.sessions
            .handle(Instant::now(), sessions::Input::Session { session, input });
    }

    /// Makes the sockets whose time has come.
    fn retry(&mut self, now: Instant) {
        if self.retry_at.is_none_or(|at| at > now) {
            return;
        }
        let due: Vec<SessionKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.retry_at.is_some_and(|at| at <= now))
            .filter(|(_, entry)| entry.leaves.is_none())
            .map(|(key, _)| key.clone())
            .take(CONNECTS_MAX)
            .collect();
        for key in due {
            let result = self.connect(&key, now);
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            // A hint that follows is for the log.
            let waiting = result.err().map(|error| error.to_string());
            let waiting = waiting.and_then(|it| it.lines().next().map(str::to_owned));
            entry.retry_at = waiting.as_ref().map(|_| now + RETRY);
            if waiting != entry.waiting {
                match &waiting {
                    Some(reason) => tracing::info!(peer = %key.peer, reason, "BFD session waits"),
                    None => tracing::debug!(
                        target: debug::BFD_NETWORK, peer = %key.peer, "BFD session has its socket"
                    ),
                }
                entry.waiting = waiting;
            }
        }
        self.retry_at = self
            .entries
            .values()
            .filter(|entry| entry.leaves.is_none())
            .filter_map(|entry| entry.retry_at)
            .min();
    }

    /// Makes the sending socket of an entry and, the first time, its session.
    fn connect(&mut self, key: &SessionKey, now: Instant) -> Result<(), ConnectError> {
        let domain = self.open_receivers(key, Port::Control(key.hops()))?;
        let kept = self.entries.get(key).and_then(|entry| entry.port);
        let (sender, port) = self.bind(key, kept)?;
        let Some(entry) = self.entries.get_mut(key) else {
            return Ok(());
        };
        if let Some(session) = entry.session {
            self.sessions
                .rebind(session, Some(sender.local), sender.interface)?;
        } else {
            let possible = entry.way.possible(entry.parameters);
            let mut config = Config::new(key.peer, possible)
                .local(sender.local)
                .domain(domain)
                .hops(key.hops())
                .authentication(entry.authentication.clone());
            if let Some(interface) = sender.interface {
                config = config.interface(interface);
            }
            let session = add(&mut self.sessions, config, now)?;
            self.keys.insert(session, key.clone());
            entry.session = Some(session);
            if entry.admin_down {
                let input = bfd::Input::AdminDown;
                self.sessions
                    .handle(now, sessions::Input::Session { session, input });
            }
        }
        entry.port = Some(port);
        entry.sender = Some(sender);
        self.ports.insert(port);
        self.others = true;
        Ok(())
    }

    /// RFC 5881 §4: the source port is unique among the sessions and stays the same.
    fn bind(&mut self, key: &SessionKey, kept: Option<u16>) -> Result<(Sender, u16), SenderError> {
        let interface = key.interface.as_deref();
        let route = Route {
            peer: key.peer,
            local: key.local,
            interface,
            vrf: key.vrf.as_deref(),
            hops: key.hops(),
        };
        if let Some(port) = kept {
            return Sender::bind(route, port).map(|sender| (sender, port));
        }
        let mut last_error = SenderError::PortInUse(self.next_port);
        for _ in SOURCE_PORTS {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*SOURCE_PORTS.start());
            if self.ports.contains(&port) {
                continue;
            }
            match Sender::bind(route, port) {
                Ok(sender) => return Ok((sender, port)),
                Err(error @ SenderError::PortInUse(_)) => last_error = error,
                Err(error) => return Err(error),
            }
        }
        Err(last_error)
    }

    /// Has the kernel drop what belongs to nobody while there is much of that.
    fn guard(&mut self, now: Instant) {
        let change = self.shield.look(now, self.sessions.unwelcome());
        match change {
            Some(Change::Raise(seen)) => tracing::warn!(
                datagrams = seen,
                "somebody floods BFD's ports: from now on the kernel drops what is of no session, and \
                 one in 64 of that is counted"
            ),
            Some(Change::Lower) => {
                tracing::info!("the flood of BFD's ports is over");
                self.each_receiver(Receiver::unshield);
            }
            None => {}
        }
        if self.shield.is_up() && (change.is_some() || self.others) {
            let sessions = &self.sessions;
            self.each_receiver(|receiver| {
                let all = sessions.iter();
                let all = all.map(|session| (session.my_discriminator(), session.config()));
                let kind = receiver.kind();
                kind.map_or(Ok(()), |kind| receiver.shield(&Known::of(all, kind)))
            });
        }
        self.others = false;
    }

    fn each_receiver(&self, change: impl Fn(&Receiver) -> io::Result<()>) {
        let control = self.receivers.iter().filter(|it| it.kind().is_some());
        for error in control.filter_map(|it| change(it).err()) {
            tracing::warn!(%error, "BFD's ports cannot be filtered, floods cost processor time");
        }
    }

    fn flush(&mut self) {
        while let Some((session, output)) = self.sessions.poll() {
            self.carry_out(session, output);
        }
    }

    fn carry_out(&mut self, session: Discriminator, output: Output) {
        let Some(key) = self.keys.get(&session) else {
            return;
        };
        match output {
            Output::StateChanged(change) => {
                tracing::debug!(target: debug::BFD_PEER, peer = %key.peer, old = %change.old,
                    new = %change.new, diagnostic = %change.diagnostic,
                    remote_diagnostic = %change.remote_diagnostic, "BFD state");
                if let Some(kind) = event_kind(&change) {
                    let (key, diagnostic) = (key.clone(), change.diagnostic);
                    (self.on_event)(Event {
                        key,
                        kind,
                        diagnostic,
                        remote_diagnostic: change.remote_diagnostic,
                        independent: self
                            .sessions
                            .get(session)
                            .is_some_and(|session| session.remote().control_plane_independent),
                        at: Instant::now(),
                    });
                }
            }
            Output::Send(packet) => {
                if let Some(entry) = self.entries.get_mut(key) {
                    entry.send(&packet.encode());
                    self.retry_at = earlier(self.retry_at, entry.retry_at);
                }
            }
            Output::SendEcho(packet) => {
                let key = key.clone();
                self.send_echo(&key, &packet.encode());
            }
        }
    }

    fn wanted(&self) -> impl Iterator<Item = (&SessionKey, &Entry)> {
        let all = self.entries.iter();
        all.filter(|(_, entry)| entry.leaves.is_none())
    }

    fn report(&self, now: Instant) -> Report {
        let status = |(key, entry): (&SessionKey, &Entry)| {
            let session = entry.session.and_then(|session| self.sessions.get(session));
            entry.status(key, session, now)
        };
        Report {
            sessions: self.wanted().map(status).collect(),
            realtime: self.realtime,
            lateness: self.lateness.clone(),
            gaps: self.sessions.gaps(),
            refused: self.sessions.refused(),
            shielded: self.shield.is_up(),
        }
    }
}

/// Why a session cannot send yet.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error(transparent)]
    Sender(#[from] SenderError),
    #[error(transparent)]
    Add(#[from] AddError),
    #[error(transparent)]
    Receiver(#[from] io::Error),
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
}

/// Adds a session under a random discriminator, so that it cannot be guessed from outside.
fn add(sessions: &mut Sessions, config: Config, now: Instant) -> Result<Discriminator, AddError> {
    loop {
        let random = random();
        let [a, b, c, d, ..] = random.to_be_bytes();
        let Some(name) = Discriminator::new(u32::from_be_bytes([a, b, c, d])) else {
            continue;
        };
        match sessions.add(config.clone(), name, random, now) {
            Err(AddError::Discriminator(_)) => {}
            Ok(()) => return Ok(name),
            Err(error) => return Err(error),
        }
    }
}

/// The standard library seeds its hash keys from the system's random source.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What the routing sessions need to know: up, and the end of up. RFC 5882 §4.2 tells a failure
/// from a wish.
pub(super) fn event_kind(change: &StateChange) -> Option<EventKind> {
    match (change.old, change.new) {
        (_, State::Up) => Some(EventKind::Up),
        (State::Up, State::AdminDown | State::Down | State::Init) => {
            if change.is_administrative() {
                Some(EventKind::AdminDown)
            } else {
                Some(EventKind::Down)
            }
        }
        (State::AdminDown | State::Down | State::Init, _) => None,
    }
}
