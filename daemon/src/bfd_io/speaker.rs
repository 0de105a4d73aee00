//! The loop of the BFD thread.
//!
//! One round: sleep until a datagram, a command or a deadline; read the datagrams, so that a peer
//! is heard before it is judged; obey commands; try sockets that could not be made; run timers;
//! send. Everything is owned by [`Speaker`], which lives on the thread's stack.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver as Queue, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use bfd::{
    AddError, Config, Datagram, Diagnostic, Discriminator, Output, Parameters, Sessions, State,
    StateChange, sessions,
};

use super::socket::{self, Receiver, Route, SOURCE_PORTS, Sender, SenderError};
use super::{Event, EventKind, Report, SessionKey, Status};

/// An order to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Set(SessionKey, Parameters),
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
    receivers: Vec<Receiver>,
    queue: Queue<Command>,
    wake: UnixStream,
    on_event: Box<dyn Fn(Event) + Send>,
    realtime: bool,
    lateness_max: Duration,
    next_port: u16,
    /// The earliest `retry_at` of all entries.
    retry_at: Option<Instant>,
}

/// A wanted session.
struct Entry {
    parameters: Parameters,
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

/// Datagrams read from a socket in one round, so that a flood cannot keep the timers from running.
const BATCH_MAX: usize = 512;

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
            queue,
            wake,
            on_event,
            realtime: false,
            lateness_max: Duration::ZERO,
            next_port: *SOURCE_PORTS.start(),
            retry_at: None,
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
            if let Err(error) = self.wait() {
                tracing::error!(%error, "the BFD thread cannot wait for its sockets and ends");
                return;
            }
            let now = Instant::now();
            self.measure_lateness(now);
            self.receive();
            let next = self.obey();
            self.retry(Instant::now());
            self.sessions
                .handle(Instant::now(), sessions::Input::Timeout);
            self.flush();
            if matches!(next, Next::Stop) {
                return;
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let deadline = [self.sessions.deadline(), self.retry_at]
            .into_iter()
            .flatten()
            .min();
        let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let mut fds = vec![self.wake.as_fd()];
        fds.extend(self.receivers.iter().map(Receiver::fd));
        match socket::wait(&fds, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn measure_lateness(&mut self, now: Instant) {
        if let Some(deadline) = self.sessions.deadline() {
            self.lateness_max = self
                .lateness_max
                .max(now.saturating_duration_since(deadline));
        }
    }

    fn receive(&mut self) {
        for receiver in &mut self.receivers {
            for _ in 0..BATCH_MAX {
                let received = match receiver.receive() {
                    Ok(Some(received)) => received,
                    Ok(None) => continue,
                    // Empty, or an error of an earlier datagram which no one here waits for.
                    Err(_) => break,
                };
                let datagram = Datagram {
                    remote: received.remote,
                    interface: received.interface,
                    ttl: received.ttl,
                    payload: received.payload,
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
                Ok(Command::Set(key, parameters)) => self.set(key, parameters),
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

    fn set(&mut self, key: SessionKey, parameters: Parameters) {
        let now = Instant::now();
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            parameters,
            admin_down: false,
            session: None,
            sender: None,
            port: None,
            retry_at: Some(now),
            waiting: None,
            send_errors: 0,
        });
        entry.parameters = parameters;
        let session = entry.session;
        self.retry_at = earlier(self.retry_at, entry.retry_at);
        if let Some(session) = session {
            self.tell(session, bfd::Input::Configure(parameters));
        }
    }

    fn remove(&mut self, key: &SessionKey) {
        let Some(session) = self.entries.get(key).and_then(|entry| entry.session) else {
            self.entries.remove(key);
            return;
        };
        // RFC 5880 §6.8.16: the peer learns that this is no failure.
        self.tell(session, bfd::Input::AdminDown);
        self.flush();
        self.sessions.remove(session);
        self.keys.remove(&session);
        self.entries.remove(key);
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
            .collect();
        for key in due {
            let result = self.connect(&key, now);
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            let waiting = result.err().map(|error| error.to_string());
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
        let kept = self.entries.get(key).and_then(|entry| entry.port);
        let (sender, port) = self.bind(key, kept)?;
        let Some(entry) = self.entries.get_mut(key) else {
            return Ok(());
        };
        if let Some(session) = entry.session {
            self.sessions
                .rebind(session, Some(sender.local), sender.interface)?;
        } else {
            let mut config = Config::new(key.peer, entry.parameters).local(sender.local);
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
        Ok(())
    }

    /// RFC 5881 §4: the source port is unique among the sessions and stays the same.
    fn bind(&mut self, key: &SessionKey, kept: Option<u16>) -> Result<(Sender, u16), SenderError> {
        let interface = key.interface.as_deref();
        let route = Route {
            peer: key.peer,
            local: key.local,
            interface,
        };
        if let Some(port) = kept {
            return Sender::bind(route, port).map(|sender| (sender, port));
        }
        let used: std::collections::BTreeSet<u16> = self
            .entries
            .values()
            .filter_map(|entry| entry.port)
            .collect();
        let mut last_error = SenderError::PortInUse(self.next_port);
        for _ in SOURCE_PORTS {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*SOURCE_PORTS.start());
            if used.contains(&port) {
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
            lateness_max: self.lateness_max,
            refused: self.sessions.refused(),
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
