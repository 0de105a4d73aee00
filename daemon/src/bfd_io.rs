//! The BFD thread: sockets and timers around [`bfd::Sessions`].
//!
//! ```text
//! BfdHandle ── commands (bounded queue + wake-up byte) ──► thread "bfd" ── on_event ──► core
//! UDP 3784, 4784 ──► Receiver ──► bfd::Sessions ──► one sending socket per session
//! echo: UDP 3785 ──► Receiver ──►               ──► back from there
//!       AF_PACKET ─► Link     ──►               ──► Link
//! ```
//!
//! BFD has its own thread with real-time priority, because routing work must not delay a 50 ms
//! timer; a thread of ordinary priority was seen to wake up to 80 ms late on a busy machine. The
//! thread owns the sessions and all sockets, shares nothing, and never waits for anything but its
//! poll call.
//!
//! A session may be asked for before its interface or address exists, or while another daemon still
//! has the port. The thread then tries again every half second without noise until the socket can be
//! made, and does the same when an interface goes away. [`Status::waiting`] says what is missing.
//!
//! What is not done here: the protocol (crate `bfd`), and what an event means for a routing
//! session.

mod echo;
mod histogram;
mod shield;
mod socket;
mod speaker;

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bfd::{Authentication, Diagnostic, Hops, Method, Parameters, Refusal, State};
use bgp::{InterfaceName, ScopedAddr};
pub use histogram::Histogram;

use socket::Reach;
use speaker::{Command, Speaker};

/// Starts the thread.
#[derive(Debug)]
pub struct BfdThread;

impl BfdThread {
    /// Binds UDP port 3784 in the network namespace of the calling thread and starts the BFD
    /// thread there. Where another daemon still has the port, sessions wait for it and say so.
    ///
    /// `on_event` is called on the BFD thread: it must hand the event over without blocking and
    /// must not call the handle.
    pub fn spawn(on_event: Box<dyn Fn(Event) + Send>) -> io::Result<BfdHandle> {
        let (commands, queue) = sync_channel(COMMANDS_MAX);
        let (waker, wake) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let receivers = socket::receivers(Reach::NEAR).unwrap_or_else(|error| {
            tracing::error!(%error, "BFD waits for its port");
            Vec::new()
        });
        let speaker = Speaker::new(receivers, queue, wake, on_event, Instant::now());
        let thread = std::thread::Builder::new()
            .name("bfd".into())
            .spawn(|| speaker.run())?;
        Ok(BfdHandle {
            commands,
            waker,
            thread: Some(thread),
        })
    }
}

/// Commands that wait for the thread. It takes them within microseconds, so this is full only when
/// a configuration with thousands of sessions is loaded; the sender then waits.
const COMMANDS_MAX: usize = 1024;

/// Longest wait for an answer of the thread.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Gives orders to the BFD thread. Dropping it stops the thread.
#[derive(Debug)]
pub struct BfdHandle {
    commands: SyncSender<Command>,
    waker: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl BfdHandle {
    /// Adds a session, or changes its settings without taking it down.
    pub fn set(&self, key: SessionKey, settings: impl Into<Settings>) {
        self.send(Command::Set(key, settings.into()));
    }

    /// Tells the peer that the session is administratively down, and forgets it. One last event,
    /// of kind [`EventKind::AdminDown`], follows if it was up.
    pub fn remove(&self, key: SessionKey) {
        self.send(Command::Remove(key));
    }

    /// Holds a session down, or lets it come up again.
    pub fn set_admin_down(&self, key: SessionKey, admin_down: bool) {
        self.send(Command::AdminDown(key, admin_down));
    }

    /// All sessions, in the order of their keys. Empty if the thread has ended.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        self.report().sessions
    }

    /// The sessions and the state of the thread itself.
    #[must_use]
    pub fn report(&self) -> Report {
        let (reply, answer) = sync_channel(1);
        self.send(Command::Report(reply));
        answer.recv_timeout(ANSWER_MAX).unwrap_or_default()
    }

    /// Tells all peers that their sessions are administratively down, and ends the thread. Returns
    /// when it has ended, after the last events: when each peer has said that it knows, or after the
    /// time in which it would notice by itself, three seconds at most.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.send(Command::Stop);
        if thread.join().is_err() {
            tracing::error!("the BFD thread had panicked; its sessions were not monitored since");
        }
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!("the BFD thread has ended, a command to it is lost");
            return;
        }
        // A full socket means that a wake-up is already on its way.
        if let Err(error) = (&self.waker).write(&[1])
            && error.kind() != io::ErrorKind::WouldBlock
        {
            tracing::error!(%error, "cannot wake the BFD thread");
        }
    }
}

impl Drop for BfdHandle {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a session runs; the default is 300 ms, multiplier 3, active.
pub type Params = Parameters;

/// How a session runs, with what is not for the protocol's timers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Intervals, role and TTL.
    pub parameters: Params,
    /// What packets are authenticated with.
    pub authentication: Option<Authentication>,
    /// Hold it down.
    pub admin_down: bool,
}

impl From<Params> for Settings {
    fn from(parameters: Params) -> Self {
        Self {
            parameters,
            ..Self::default()
        }
    }
}

/// Names a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The peer's address.
    pub peer: IpAddr,
    /// Our address; `None`: the one the kernel would use towards the peer.
    pub local: Option<IpAddr>,
    /// The interface to the peer; `None`: any. Needed for a link-local peer.
    pub interface: Option<String>,
    /// The VRF it is in.
    pub vrf: Option<String>,
    /// The peer is behind routers (RFC 5883).
    pub multihop: bool,
}

impl SessionKey {
    /// The session with a peer over any interface.
    #[must_use]
    pub fn new(peer: IpAddr) -> Self {
        Self {
            peer,
            local: None,
            interface: None,
            vrf: None,
            multihop: false,
        }
    }

    pub(crate) fn hops(&self) -> Hops {
        match self.multihop {
            true => Hops::Multi,
            false => Hops::Single,
        }
    }

    /// The neighbour at the other end.
    #[must_use]
    pub fn neighbor(&self) -> ScopedAddr {
        let zone = self.interface.as_deref().and_then(InterfaceName::new);
        ScopedAddr::new(self.peer, zone)
    }
}

/// News of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Which session.
    pub key: SessionKey,
    /// What happened.
    pub kind: EventKind,
    /// Why, as far as this side knows.
    pub diagnostic: Diagnostic,
    /// Why, as the peer last said.
    pub remote_diagnostic: Diagnostic,
    /// The peer's BFD does not depend on its control plane, so that silence is that of the path
    /// (RFC 5882 §4.3).
    pub independent: bool,
    /// When the thread noticed.
    pub at: Instant,
}

impl Event {
    /// The peer's address.
    #[must_use]
    pub fn peer(&self) -> ScopedAddr {
        self.key.neighbor()
    }

    /// The peer has made its session anew. One that lost the path says so (RFC 5880 §6.8.1), and FRR
    /// begins again when BGP comes up and when its BGP ends: with no reason, or with the one that its
    /// session had before, which says nothing of a path.
    #[must_use]
    pub fn is_made_anew(&self) -> bool {
        let reason = self.remote_diagnostic;
        self.diagnostic == Diagnostic::NeighborSignaledDown
            && match reason {
                Diagnostic::None
                | Diagnostic::NeighborSignaledDown
                | Diagnostic::AdministrativelyDown => true,
                Diagnostic::DetectionTimeExpired
                | Diagnostic::EchoFailed
                | Diagnostic::ForwardingPlaneReset
                | Diagnostic::PathDown
                | Diagnostic::ConcatenatedPathDown
                | Diagnostic::ReverseConcatenatedPathDown
                | Diagnostic::Unknown(_) => false,
            }
    }

    /// The path is dead, whatever the peer's programs do (RFC 5882 §4.3). IPv4 echo packets are sent
    /// back by the peer's kernel.
    #[must_use]
    pub fn is_path(&self) -> bool {
        match self.diagnostic {
            Diagnostic::DetectionTimeExpired => self.independent,
            Diagnostic::EchoFailed => self.independent || self.key.peer.is_ipv4(),
            Diagnostic::None
            | Diagnostic::NeighborSignaledDown
            | Diagnostic::ForwardingPlaneReset
            | Diagnostic::PathDown
            | Diagnostic::ConcatenatedPathDown
            | Diagnostic::AdministrativelyDown
            | Diagnostic::ReverseConcatenatedPathDown
            | Diagnostic::Unknown(_) => false,
        }
    }
}

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The path works both ways.
    Up,
    /// The path was working and failed.
    Down,
    /// The session was up and someone took it down on purpose; the path may be fine, and routes
    /// over it stay (RFC 5882 §3.2).
    AdminDown,
}

/// A session as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Which session.
    pub key: SessionKey,
    /// Our address, once the socket is made.
    pub local: Option<IpAddr>,
    /// What the session still needs before it can send, in words.
    pub waiting: Option<String>,
    /// How it is configured.
    pub parameters: Params,
    /// What packets are authenticated with.
    pub authentication: Option<Method>,
    /// Why the last packet that was not believed was not; `None` once one is.
    pub refusal: Option<Refusal>,
    /// The peer's BFD does not depend on its control plane.
    pub control_plane_independent: bool,
    /// Our state.
    pub state: State,
    /// Why it last changed.
    pub diagnostic: Diagnostic,
    /// The peer's state.
    pub remote_state: State,
    /// The peer's reason for it.
    pub remote_diagnostic: Diagnostic,
    /// Our interval in use, before jitter; `None`: nothing is sent periodically.
    pub interval: Option<Duration>,
    /// Silence after which the peer is declared dead; zero until it is heard.
    pub detection_time: Duration,
    /// How long the session has been up.
    pub uptime: Option<Duration>,
    /// How long it has been down.
    pub downtime: Option<Duration>,
    /// The echo function.
    pub echo: Echo,
    /// Totals, with refused packets and stalls of this host.
    pub counters: bfd::Counters,
    /// Packets the kernel did not take.
    pub send_errors: u64,
    /// Our name for the session, and what the peer last said.
    pub names: Option<(bfd::Discriminator, bfd::Remote)>,
}

/// The echo function of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Echo {
    /// The interval of our packets in use; `None`: none are sent.
    pub interval: Option<Duration>,
    /// The interval at which the peer may have packets sent back, as it is told; `None`: never.
    pub offered: Option<Duration>,
    /// A packet of ours has come back, so that their absence takes the session down.
    pub works: bool,
    /// What does not work of what is configured, and why.
    pub problem: Option<String>,
    /// The shortest, the mean and the longest of the last eight round trips.
    pub round_trips: Option<[Duration; 3]>,
}

/// What the thread knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// All sessions, in the order of their keys.
    pub sessions: Vec<Status>,
    /// Whether real-time priority was granted.
    pub realtime: bool,
    /// How late the thread came for its timers.
    pub lateness: Histogram,
    /// How much of the detection time had passed when a packet came, of all sessions that are up.
    pub gaps: bfd::Gaps,
    /// Datagrams that no session took.
    pub refused: bfd::Refused,
    /// Somebody floods the ports: the kernel drops what is of no session, and one in 64 of that is
    /// counted.
    pub shielded: bool,
}

#[cfg(test)]
mod tests;
