//! The loop of the BFD thread.
//!
//! One round: sleep until a datagram, a command or a deadline; read the datagrams, so that a peer
//! is heard before it is judged; obey commands; try sockets that could not be made; run timers;
//! send. Everything is owned by [`Speaker`], which lives on the thread's stack.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver as Queue, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use bfd::{
    AddError, Authentication, Config, Diagnostic, Discriminator, Domain, Hops, Output, Parameters,
    Sessions, State, StateChange, sessions,
};

use super::histogram::Histogram;
use super::shield::{Change, Known, Watch};
use super::socket::{
    self, BATCH_MAX, Reach, Receiver, Route, SOURCE_PORTS, Sender, SenderError, Serves,
};
use super::{Event, EventKind, Report, SessionKey, Settings, Status};

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
}

/// A wanted session.
struct Entry {
    parameters: Parameters,
    authentication: Option<Authentication>,
    admin_down: bool,
    /// Exists from the first time a socket could be made.
    session: Option<Discriminator>,
    sender: Option<Sender>,
    /// RFC 5881 §4: kept for the life of the session, even over a new socket.
    port: Option<u16>,
    retry_at: Option<Instant>,
    waiting: Option<String>,
    send_errors: u64,
}

/// How long to wait before trying again to make a socket: short against the seconds a session
/// needs to come up, long against the cost of trying.
const RETRY: Duration = Duration::from_millis(500);

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
            let next = self.obey();
            self.retry(Instant::now());
            self.sessions
                .handle(Instant::now(), sessions::Input::Timeout);
            self.flush();
            self.guard(Instant::now());
            if matches!(next, Next::Stop) {
                return;
            }
        }
    }

    /// Which of the receivers have something.
    fn wait(&self) -> io::Result<Vec<bool>> {
        let shield = self.shield.deadline();
        let deadline = [self.sessions.deadline(), self.retry_at, shield]
            .into_iter()
            .flatten()
            .min();
        let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let mut fds = vec![self.wake.as_fd()];
        fds.extend(self.receivers.iter().map(Receiver::fd));
        match socket::wait(&fds, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
            ready => Ok(ready?.split_off(1)),
        }
    }

    fn measure_lateness(&mut self, now: Instant) {
        if let Some(deadline) = self.sessions.deadline().filter(|at| *at <= now) {
            self.lateness.add(now.saturating_duration_since(deadline));
        }
    }

    fn receive(&mut self, ready: &[bool]) {
        let all = self.receivers.iter_mut().zip(ready);
        for (receiver, _) in all.filter(|(_, ready)| **ready) {
            for _ in 0..BATCH_MAX {
                let datagram = match receiver.receive() {
                    Ok(Some(datagram)) => datagram,
                    Ok(None) => continue,
                    // Empty, or an error of an earlier datagram which no one here waits for.
                    Err(_) => break,
                };
                self.sessions
                    .handle(Instant::now(), sessions::Input::Received(datagram));
            }
        }
    }

    fn obey(&mut self) -> Next {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(1..)) {}
        loop {
            match self.queue.try_recv() {
                Ok(Command::Set(key, settings)) => self.set(key, settings),
                Ok(Command::Remove(key)) => self.remove(&key),
                Ok(Command::AdminDown(key, down)) => self.set_admin_down(&key, down),
                Ok(Command::Report(reply)) => {
                    // The asker may have given up; that is its right.
                    let _ = reply.try_send(self.report(Instant::now()));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                    self.hold_all_down();
                    return Next::Stop;
                }
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
        });
        entry.parameters = parameters;
        entry.authentication.clone_from(&authentication);
        let (session, held) = (entry.session, entry.admin_down);
        self.retry_at = earlier(self.retry_at, entry.retry_at);
        if let Some(session) = session {
            self.sessions.authenticate(now, session, authentication);
            self.tell(session, bfd::Input::Configure(parameters));
            // The least TTL may be another one.
            self.others = true;
        }
        if held != admin_down {
            self.set_admin_down(&key, admin_down);
        }
    }

    fn remove(&mut self, key: &SessionKey) {
        if let Some(session) = self.entries.get(key).and_then(|entry| entry.session) {
            // RFC 5880 §6.8.16: the peer learns that this is no failure.
            self.tell(session, bfd::Input::AdminDown);
            self.flush();
            self.sessions.remove(session);
            self.keys.remove(&session);
            self.others = true;
        }
        let entry = self.entries.remove(key);
        if let Some(port) = entry.and_then(|entry| entry.port) {
            self.ports.remove(&port);
        }
        self.close_receivers();
    }

    /// Closes what no session needs. Port 3784 outside of VRFs stays, so that nobody else takes it.
    fn close_receivers(&mut self) {
        let needed: Vec<(Hops, Option<Domain>)> = self
            .entries
            .keys()
            .map(|key| {
                let domain = key.vrf.as_ref().map(|vrf| self.domains.get(vrf).copied());
                (key.hops(), domain.unwrap_or(Some(Domain(0))))
            })
            .chain([(Hops::Single, Some(Domain(0)))])
            .collect();
        self.receivers.retain(|receiver| {
            needed.iter().any(|(hops, domain)| {
                domain.is_some_and(|domain| receiver.receives(*hops, domain))
            })
        });
    }

    /// Opens what a session receives from, if it is not open. A VRF device that was made anew has
    /// sockets that hear nothing any more: they are opened anew, too.
    fn open_receivers(&mut self, key: &SessionKey) -> io::Result<Domain> {
        let next = u32::try_from(self.domains.len()).unwrap_or(u32::MAX);
        let domain = match &key.vrf {
            None => Domain(0),
            Some(vrf) => *self
                .domains
                .entry(vrf.clone())
                .or_insert(Domain(next.saturating_add(1))),
        };
        let reach = Reach {
            hops: key.hops(),
            vrf: key.vrf.as_deref(),
            domain,
            beside_others: self.receivers.iter().any(|it| it.is_for(key.hops())),
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

    fn hold_all_down(&mut self) {
        let all: Vec<Discriminator> = self.keys.keys().copied().collect();
        for session in all {
            self.tell(session, bfd::Input::AdminDown);
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
                    None => tracing::debug!(peer = %key.peer, "BFD session has its socket"),
                }
                entry.waiting = waiting;
            }
        }
        self.retry_at = self
            .entries
            .values()
            .filter_map(|entry| entry.retry_at)
            .min();
    }

    /// Makes the sending socket of an entry and, the first time, its session.
    fn connect(&mut self, key: &SessionKey, now: Instant) -> Result<(), ConnectError> {
        let domain = self.open_receivers(key)?;
        let kept = self.entries.get(key).and_then(|entry| entry.port);
        let (sender, port) = self.bind(key, kept)?;
        let Some(entry) = self.entries.get_mut(key) else {
            return Ok(());
        };
        if let Some(session) = entry.session {
            self.sessions
                .rebind(session, Some(sender.local), sender.interface)?;
        } else {
            let mut config = Config::new(key.peer, entry.parameters)
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
                receiver.shield(&Known::of(all, receiver.kind()))
            });
        }
        self.others = false;
    }

    fn each_receiver(&self, change: impl Fn(&Receiver) -> io::Result<()>) {
        for error in self.receivers.iter().filter_map(|it| change(it).err()) {
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
                tracing::debug!(peer = %key.peer, old = %change.old, new = %change.new,
                    diagnostic = %change.diagnostic, "BFD state");
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
        }
    }

    fn report(&self, now: Instant) -> Report {
        let status = |(key, entry): (&SessionKey, &Entry)| {
            let session = entry.session.and_then(|session| self.sessions.get(session));
            entry.status(key, session, now)
        };
        Report {
            sessions: self.entries.iter().map(status).collect(),
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

impl Entry {
    fn send(&mut self, bytes: &[u8]) {
        let Some(sender) = &self.sender else { return };
        let Err(error) = sender.send(bytes) else {
            return;
        };
        self.send_errors += 1;
        // A full queue, a filter or a peer whose port is closed say nothing about the socket.
        // Anything else may mean that the interface or address it is bound to has gone.
        let passing = [
            libc::EAGAIN,
            libc::ENOBUFS,
            libc::EPERM,
            libc::ECONNREFUSED,
            libc::EINTR,
        ];
        if error
            .raw_os_error()
            .is_none_or(|code| !passing.contains(&code))
        {
            self.sender = None;
            self.waiting = Some(format!("cannot send: {error}"));
            self.retry_at = Some(Instant::now() + RETRY);
        }
    }

    fn status(&self, key: &SessionKey, session: Option<&bfd::Session>, now: Instant) -> Status {
        let held = if self.admin_down {
            State::AdminDown
        } else {
            State::Down
        };
        Status {
            key: key.clone(),
            local: self.sender.as_ref().map(|sender| sender.local),
            waiting: self.waiting.clone(),
            parameters: self.parameters,
            authentication: self.authentication.as_ref().map(Authentication::method),
            refusal: session.and_then(bfd::Session::refusal),
            control_plane_independent: session
                .is_some_and(|session| session.remote().control_plane_independent),
            state: session.map_or(held, bfd::Session::state),
            diagnostic: session.map_or(Diagnostic::None, bfd::Session::diagnostic),
            remote_state: session.map_or(State::Down, |session| session.remote().state),
            remote_diagnostic: session
                .map_or(Diagnostic::None, |session| session.remote().diagnostic),
            interval: session.and_then(bfd::Session::transmit_interval),
            detection_time: session.map_or(Duration::ZERO, bfd::Session::detection_time),
            uptime: session
                .and_then(bfd::Session::up_since)
                .map(|since| now.saturating_duration_since(since)),
            counters: session.map(bfd::Session::counters).unwrap_or_default(),
            send_errors: self.send_errors,
            names: session.map(|session| (session.my_discriminator(), *session.remote())),
        }
    }
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
