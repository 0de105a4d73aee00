//! One neighbour's sockets: the task that runs a [`bgp::session::Session`].
//!
//! Bytes from at most two TCP connections go into the session, which decodes them here, in
//! parallel with other neighbours; what it says goes to the core in the order it was said. Batches
//! of encoded messages come from the core and leave by large vectored writes.
//!
//! Bounds: while the core's queue is full this task does not read its sockets, but goes on
//! writing and keeping time, so keepalives flow. From the core come at most [`bgp::rib::WINDOW`]
//! octets ahead of what was written, since each batch is reported when its last octet is with
//! the kernel. The task never waits for one thing alone.
//!
//! It does not know tables, and decides nothing about the protocol.

mod connection;
mod telling;
pub(crate) mod transport;

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bgp::ScopedAddr;
use bgp::family::{Family, PerFamily};
use bgp::message::{RefreshKind, Update};
use bgp::rib::{Batch, PeerId};
use bgp::session::{
    self, Bfd, ConnId, ConnectError, DownReason, Input, Negotiated, Output, ReleaseReason, Retain,
    Session, Side, Status, StopReason,
};
use bgp::wire::UpdateError;
use connection::{Connection, Progress};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use transport::Transport;

use crate::debug;
use crate::interface;
use crate::repeats::Repeats;

/// An attempt to connect is given up after this long: far beyond any round trip, short enough
/// that a silent address is noticed (the session tells it from a refusal).
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How often it is said why a session does not come up, while the reason stays the same.
const ATTEMPTS_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Octets waiting in a connection above which no further batch is taken.
const OUTGOING_MAX: usize = 256 * 1024;

/// What the core hears from a neighbour, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// The session is Established.
    Up {
        /// What both sides agreed on.
        negotiated: Arc<Negotiated>,
        /// Own address of the connection.
        local: IpAddr,
        /// TCP ports of the connection, our own first.
        ports: [u16; 2],
        /// Where batches for this session go; dropped by the core when it is down.
        batches: mpsc::UnboundedSender<Arc<Batch>>,
    },
    /// Messages of one read.
    Updates(Vec<Update>),
    /// The neighbour asks for, or brackets, a family.
    Refresh(Family, RefreshKind),
    /// The session is gone.
    Down {
        /// Why.
        reason: DownReason,
        /// What to keep.
        retain: Option<Retain>,
    },
    /// The last connection, one that was made or accepted, is gone, and nothing was ordered to
    /// stay down.
    Unconnected,
    /// The neighbour sends what cannot be read in a family: its routes there are gone.
    FamilyDisabled(Family, UpdateError),
    /// Kept routes are a last resort from now on (RFC 9494).
    LongLived(PerFamily<bool>, ReleaseReason),
    /// Kept routes are no longer to be believed.
    Release(PerFamily<bool>, ReleaseReason),
}

/// What the core and other tasks ask of a neighbour's task.
#[derive(Debug)]
pub(crate) enum Command {
    /// The neighbour has connected.
    Accepted(TcpStream),
    /// BFD changed its mind.
    Bfd(Bfd),
    /// Start, after a stop that stays.
    Start,
    /// Stop for a reason; the session may start again by itself, as the reason says.
    Stop(StopReason),
    /// The device that the neighbour is behind carries frames again.
    LinkIsBack,
    /// New settings.
    Configure(Box<session::Config>),
    /// Connect there from now on; a connection that stands is left alone.
    Port(u16),
    /// Make connections like this from now on; one on its way is made anew, one that stands is left
    /// alone, except for keys that can be changed on it.
    Transport(Box<Transport>),
    /// Ask the neighbour for a family again.
    RequestRefresh(Family),
    /// Stop and end the task.
    Quit(StopReason),
}

/// Where a neighbour is reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote {
    /// Its address; the number of its interface is looked up for each attempt.
    pub(crate) address: ScopedAddr,
    /// Its TCP port.
    pub(crate) port: u16,
}

/// What a neighbour's task is made of.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// Number in the tables.
    pub(crate) id: PeerId,
    /// Where to connect.
    pub(crate) remote: Remote,
    /// How connections are made.
    pub(crate) transport: Transport,
    /// Settings.
    pub(crate) config: session::Config,
    /// Bounded: a full core stops the reading here.
    pub(crate) core: mpsc::Sender<(PeerId, Event)>,
    /// Octets of batches written. One entry per batch, and batches are bounded by the window.
    pub(crate) written: mpsc::UnboundedSender<(PeerId, usize)>,
    /// Few and small: operators, BFD, incoming connections (bounded by the listener).
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    /// The session as `show` sees it.
    pub(crate) status: watch::Sender<Status>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<TcpStream, ConnectError>> + Send>>;

/// Runs a neighbour until [`Command::Quit`].
pub(crate) async fn run(wiring: Wiring, start: bool) {
    let Wiring {
        id,
        remote,
        transport,
        config,
        core,
        written,
        commands,
        status,
    } = wiring;
    let mut task = PeerTask {
        id,
        remote,
        transport,
        session: Session::new(config),
        connections: Vec::new(),
        closing: Vec::new(),
        connecting: None,
        established: None,
        incoming_number: 0,
        events: VecDeque::new(),
        paused: false,
        connected: false,
        core,
        written,
        commands,
        status,
        quit: false,
        failures: Repeats::new(ATTEMPTS_PAUSE),
    };
    if start {
        task.input(Input::Start);
    }
    while !task.finished() {
        task.step().await;
    }
}

/// The Established session's connection and its batches.
struct Established {
    conn: ConnId,
    batches: mpsc::UnboundedReceiver<Arc<Batch>>,
}

struct PeerTask {
    id: PeerId,
    remote: Remote,
    transport: Transport,
    session: Session,
    /// At most one per side.
    connections: Vec<Connection>,
    /// Closed ones whose last octets are on their way.
    closing: Vec<Connection>,
    connecting: Option<(ConnId, Connecting)>,
    established: Option<Established>,
    incoming_number: u32,
    /// Not yet taken by the core; nothing is read while there are any.
    events: VecDeque<Event>,
    paused: bool,
    /// There was a connection whose end was not yet told.
    connected: bool,
    core: mpsc::Sender<(PeerId, Event)>,
    written: mpsc::UnboundedSender<(PeerId, usize)>,
    commands: mpsc::UnboundedReceiver<Command>,
    status: watch::Sender<Status>,
    quit: bool,
    /// What was said of failed attempts.
    failures: Repeats,
}

/// What the task woke up for.
enum Wake {
    Command(Option<Command>),
    Room(Result<(), ()>),
    Connected(Result<TcpStream, ConnectError>),
    Readable(usize),
    Writable(usize),
    Closing(usize),
    Batch(Option<Arc<Batch>>),
    Deadline,
}

impl PeerTask {
    fn finished(&self) -> bool {
        self.quit && self.closing.is_empty() && self.events.is_empty()
    }

    async fn step(&mut self) {
        self.tell_paused();
        match self.wait().await {
            Wake::Command(Some(command)) => self.command(command),
            // Whoever could command is gone: the daemon is going down.
            Wake::Command(None) => self.command(Command::Quit(StopReason::PeerDeconfigured)),
            Wake::Room(result) => self.deliver(result),
            Wake::Connected(result) => self.connected(result),
            Wake::Readable(at) => {
                self.read(at);
                // Others want to read, and to write what came of it.
                tokio::task::yield_now().await;
            }
            Wake::Writable(at) => self.write(at),
            Wake::Closing(at) => {
                if let Some(connection) = self.closing.get_mut(at)
                    && connection.finish(Instant::now())
                {
                    self.closing.swap_remove(at);
                }
            }
            Wake::Batch(Some(batch)) => self.queue(&batch),
            Wake::Batch(None) => self.established = None,
            Wake::Deadline => self.input(Input::Timeout),
        }
    }

    /// The session must not take silence for death while it is us who do not listen.
    fn tell_paused(&mut self) {
        let paused = !self.events.is_empty();
        if paused == std::mem::replace(&mut self.paused, paused) {
            return;
        }
        let conns: Vec<ConnId> = self.connections.iter().map(Connection::id).collect();
        for conn in conns {
            self.input(Input::ReadPaused { conn, paused });
        }
    }

    async fn wait(&mut self) -> Wake {
        let closing = self.closing.iter().map(Connection::give_up_at).min();
        let deadline = self.session.deadline().into_iter().chain(closing).min();
        let reading = self.events.is_empty();
        let room = !reading;
        let quit = self.quit;
        let takes_batches = self.takes_batches();
        let Self {
            connections,
            closing,
            connecting,
            established,
            core,
            commands,
            events,
            id,
            ..
        } = self;
        tokio::select! {
            biased;
            command = commands.recv(), if !quit => Wake::Command(command),
            result = core.reserve(), if room => {
                // The permit is used here: given back, it would go to the next who waits, and with
                // several neighbours waiting nobody would ever come to send.
                Wake::Room(match (result, events.pop_front()) {
                    (Ok(permit), Some(event)) => {
                        permit.send((*id, event));
                        Ok(())
                    }
                    (Ok(_), None) => Ok(()),
                    (Err(_), _) => Err(()),
                })
            }
            result = poll_connecting(connecting) => Wake::Connected(result),
            wake = poll_connections(connections, closing, reading) => wake,
            batch = poll_batch(established), if takes_batches => Wake::Batch(batch),
            () = sleep_until(deadline) => Wake::Deadline,
        }
    }

    fn takes_batches(&self) -> bool {
        self.established.as_ref().is_some_and(|established| {
            self.connections
                .iter()
                .find(|connection| connection.id() == established.conn)
                .is_some_and(|connection| connection.waiting() < OUTGOING_MAX)
        })
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Accepted(stream) => {
                self.connected = true;
                if let Err(error) = self.transport.adopt(&stream, self.remote.address.ip()) {
                    let why = error.to_string();
                    if let Some(more) = self.failures.say(Instant::now(), &why) {
                        tracing::warn!(
                            neighbor = %self.remote.address,
                            %error,
                            alike_since_the_last_line = more,
                            "connection turned away"
                        );
                    }
                    return self.input(Input::TurnedAway { why });
                }
                self.incoming_number = self.incoming_number.wrapping_add(1);
                let conn = ConnId::Incoming(self.incoming_number);
                self.connections.push(Connection::new(conn, stream));
                self.input(Input::Accepted { conn });
            }
            Command::Bfd(state) => {
                tracing::debug!(
                    target: debug::BGP_BFD, neighbor = %self.remote.address, ?state, "BFD says"
                );
                self.input(Input::Bfd(state));
            }
            Command::Start => self.input(Input::Start),
            Command::Stop(reason) => self.input(Input::Stop(reason)),
            Command::LinkIsBack => self.input(Input::LinkIsBack),
            Command::Configure(config) => self.input(Input::Configure(config)),
            Command::Port(port) => self.remote.port = port,
            Command::Transport(transport) => self.change_transport(*transport),
            Command::RequestRefresh(family) => self.input(Input::RequestRefresh { family }),
            Command::Quit(reason) => {
                self.quit = true;
                self.input(Input::Stop(reason));
                self.connecting = None;
                while let Some(connection) = self.connections.pop() {
                    self.close(connection);
                }
            }
        }
    }

    /// Connections are made like this from now on. One that stands gets other keys where that is
    /// possible; else the core makes the session anew.
    fn change_transport(&mut self, next: Transport) {
        let former = std::mem::replace(&mut self.transport, next);
        // A dial under way would end in a connection with the former keys, which nobody knows of.
        if !former.connects_like(&self.transport)
            && let Some((conn, _)) = self.connecting.take()
        {
            self.connect(conn);
        }
        if former.signing == self.transport.signing || !former.carries_over(&self.transport) {
            return;
        }
        let remote = self.remote.address;
        for connection in &self.connections {
            let side = connection.id().side();
            match former.roll_over(connection.socket(), side, remote.ip(), &self.transport) {
                Ok(()) => tracing::info!(neighbor = %remote, "keys changed, the session stays"),
                Err(error) => tracing::error!(
                    neighbor = %remote,
                    %error,
                    "keys of this connection not changed; the next one has them"
                ),
            }
        }
    }

    /// The core has room, or is gone.
    fn deliver(&mut self, room: Result<(), ()>) {
        if room.is_err() {
            self.events.clear();
            return;
        }
        while let Some(event) = self.events.pop_front() {
            if let Err(error) = self.core.try_send((self.id, event)) {
                match error {
                    mpsc::error::TrySendError::Full((_, event)) => self.events.push_front(event),
                    mpsc::error::TrySendError::Closed(_) => self.events.clear(),
                }
                return;
            }
        }
    }

    fn connected(&mut self, result: Result<TcpStream, ConnectError>) {
        let Some((conn, _)) = self.connecting.take() else {
            return;
        };
        match result {
            Ok(stream) => {
                self.connections.push(Connection::new(conn, stream));
                self.input(Input::Connected { conn });
            }
            Err(error) => self.input(Input::ConnectFailed { conn, error }),
        }
    }

    fn read(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at) else {
            return;
        };
        let conn = connection.id();
        match connection.read() {
            Ok(Some(bytes)) if bytes.is_empty() => self.closed(conn, None),
            Ok(Some(bytes)) => self.input(Input::Received { conn, bytes }),
            Ok(None) => {}
            Err(error) => self.closed(conn, Some(error.to_string())),
        }
    }

    fn closed(&mut self, conn: ConnId, error: Option<String>) {
        self.connections
            .retain(|connection| connection.id() != conn);
        self.input(Input::Closed { conn, error });
    }

    fn write(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at) else {
            return;
        };
        let conn = connection.id();
        let Progress {
            octets,
            batches,
            error,
        } = connection.write();
        let waiting = connection.waiting() > 0;
        let mut updates = 0u32;
        for (octets, messages) in batches {
            // The receiver is gone only when the daemon is.
            let _ = self.written.send((self.id, octets));
            updates = updates.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
        }
        if let Some(error) = error {
            self.closed(conn, Some(error.to_string()));
            return;
        }
        if octets > 0 {
            self.input(Input::WriteProgress { conn, waiting });
        } else if waiting {
            self.input(Input::WriteBlocked { conn });
        }
        if updates > 0 {
            self.input(Input::Sent { conn, updates });
        }
    }

    fn queue(&mut self, batch: &Batch) {
        let Some(established) = &self.established else {
            return;
        };
        let conn = established.conn;
        let id = self.id;
        let at = self
            .connections
            .iter()
            .position(|connection| connection.id() == conn);
        if at.is_some() {
            self.tell_batch(batch);
        }
        if let Some(at) = at
            && let Some(connection) = self.connections.get_mut(at)
        {
            connection.push_batch(batch.pieces(id), batch.len(), batch.messages(id));
            self.write(at);
        }
    }

    /// Gives the session an input and carries out what it says.
    fn input(&mut self, input: Input) {
        self.session.handle(Instant::now(), input);
        while let Some(output) = self.session.poll() {
            self.output(output);
        }
        let status = self.session.status();
        let neighbor = self.remote.address;
        telling::messages(neighbor, &self.status.borrow().counters, &status.counters);
        self.status.send_replace(status);
        self.tell_unconnected();
        self.deliver(Ok(()));
    }

    /// Says once that there is no connection any more, when the session could have one.
    fn tell_unconnected(&mut self) {
        self.connected |= !self.connections.is_empty();
        if self.connected && self.connections.is_empty() && self.status.borrow().stopped.is_none()
        {
            self.connected = false;
            self.events.push_back(Event::Unconnected);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Connect { conn } => self.connect(conn),
            Output::CloseConnection { conn } => {
                self.connecting
                    .take_if(|(connecting, _)| *connecting == conn);
                if let Some(at) = self
                    .connections
                    .iter()
                    .position(|connection| connection.id() == conn)
                {
                    let connection = self.connections.swap_remove(at);
                    self.close(connection);
                }
            }
            Output::Send { conn, bytes } => {
                if let Some(connection) = self
                    .connections
                    .iter_mut()
                    .find(|connection| connection.id() == conn)
                {
                    connection.push(bytes);
                }
            }
            Output::Established { conn, negotiated } => self.up(conn, negotiated),
            Output::Updates(updates) => {
                telling::received(self.remote.address, &updates);
                self.events.push_back(Event::Updates(updates));
            }
            Output::Refresh { family, kind } => {
                self.events.push_back(Event::Refresh(family, kind));
            }
            Output::FamilyDisabled { family, error } => {
                self.events.push_back(Event::FamilyDisabled(family, error));
            }
            Output::Down { reason, retain } => {
                self.established = None;
                self.events.push_back(Event::Down { reason, retain });
            }
            Output::LongLived { families, reason } => {
                self.events.push_back(Event::LongLived(families, reason));
            }
            Output::Release { families, reason } => {
                self.events.push_back(Event::Release(families, reason));
            }
            Output::AttemptFailed { conn, reason } => {
                let side = match conn.side() {
                    Side::Outgoing => "outgoing",
                    Side::Incoming => "incoming",
                };
                tracing::debug!(
                    target: debug::BGP_NEIGHBOR_EVENTS,
                    neighbor = %self.remote.address, side, %reason, "attempt failed"
                );
                self.say_why(side, &reason);
            }
            Output::StateChanged { from, to } => {
                tracing::debug!(
                    target: debug::BGP_NEIGHBOR_EVENTS,
                    neighbor = %self.remote.address, %from, %to, "session state"
                );
            }
        }
    }

    /// Why the session does not come up, once for each reason and now and then while it stays.
    fn say_why(&mut self, side: &str, reason: &DownReason) {
        let ours = matches!(
            reason,
            DownReason::Stopped(_) | DownReason::Collision | DownReason::Rejected
        );
        if ours || self.established.is_some() {
            return;
        }
        if let Some(more) = self.failures.say(Instant::now(), &reason.to_string()) {
            tracing::warn!(
                neighbor = %self.remote.address,
                side,
                %reason,
                hint = reason.remedy(),
                alike_since_the_last_line = more,
                "session does not come up"
            );
        }
    }

    fn up(&mut self, conn: ConnId, negotiated: Arc<Negotiated>) {
        tracing::debug!(
            target: debug::BGP_NEIGHBOR_EVENTS,
            neighbor = %self.remote.address,
            remote_as = %negotiated.remote_as,
            router_id = %negotiated.router_id,
            hold_time = ?negotiated.hold_time,
            capabilities = ?negotiated.capabilities,
            "OPEN agreed on"
        );
        self.failures.forget();
        let ends = self
            .connections
            .iter()
            .find(|connection| connection.id() == conn)
            .and_then(Connection::ends);
        // Without addresses the connection is gone; its end follows.
        let Some([local, remote]) = ends else { return };
        let (sender, batches) = mpsc::unbounded_channel();
        self.established = Some(Established { conn, batches });
        self.events.push_back(Event::Up {
            negotiated,
            local: local.ip().to_canonical(),
            ports: [local.port(), remote.port()],
            batches: sender,
        });
    }

    fn close(&mut self, mut connection: Connection) {
        connection.write();
        if !connection.start_closing(Instant::now()) {
            self.closing.push(connection);
        }
    }

    fn connect(&mut self, conn: ConnId) {
        let attempt = connect(self.remote, self.transport.clone());
        self.connecting = Some((conn, Box::pin(attempt)));
    }
}

async fn connect(remote: Remote, transport: Transport) -> Result<TcpStream, ConnectError> {
    let here = |error: std::io::Error| ConnectError::Here(error.to_string());
    let (socket, remote) = prepare(remote, &transport).map_err(here)?;
    match tokio::time::timeout(CONNECT_TIME, socket.connect(remote)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(connect_error(&error)),
        Err(_) => Err(ConnectError::TimedOut),
    }
}

/// A socket that is ready to connect, and where to.
fn prepare(remote: Remote, transport: &Transport) -> std::io::Result<(TcpSocket, SocketAddr)> {
    let remote = interface::socket_addr(remote.address, remote.port)?;
    let socket = if remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = transport.prepare(&socket, remote.ip())? {
        socket.bind(local)?;
    }
    Ok((socket, remote))
}

fn connect_error(error: &std::io::Error) -> ConnectError {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => ConnectError::Refused,
        Some(libc::ETIMEDOUT) => ConnectError::TimedOut,
        Some(libc::EHOSTUNREACH | libc::EHOSTDOWN) => ConnectError::Unreachable,
        Some(libc::ENETUNREACH | libc::ENETDOWN) => ConnectError::NoRoute,
        _ => ConnectError::Other(error.to_string()),
    }
}

async fn poll_connecting(
    connecting: &mut Option<(ConnId, Connecting)>,
) -> Result<TcpStream, ConnectError> {
    match connecting {
        Some((_, attempt)) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn poll_batch(established: &mut Option<Established>) -> Option<Arc<Batch>> {
    match established {
        Some(established) => established.batches.recv().await,
        None => std::future::pending().await,
    }
}

/// The first connection that can go on.
async fn poll_connections(
    connections: &[Connection],
    closing: &[Connection],
    reading: bool,
) -> Wake {
    std::future::poll_fn(|cx| {
        for (at, connection) in connections.iter().enumerate() {
            if connection.waiting() > 0 && connection.poll_write_ready(cx).is_ready() {
                return Poll::Ready(Wake::Writable(at));
            }
            if reading && connection.poll_read_ready(cx).is_ready() {
                return Poll::Ready(Wake::Readable(at));
            }
        }
        for (at, connection) in closing.iter().enumerate() {
            let writable = connection.waiting() > 0 && connection.poll_write_ready(cx).is_ready();
            let over = connection.give_up_at() <= Instant::now();
            if writable || over || connection.poll_read_ready(cx).is_ready() {
                return Poll::Ready(Wake::Closing(at));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
