//! The only place that starts tasks and threads.
//!
//! | task | how many | owns | reads | writes | queue, bound, when full | stops |
//! |---|---|---|---|---|---|---|
//! | instances | 1 | which instances run | requests, orders | calls and orders to the cores | `CALLS_MAX`: busy error | `Stop`, after the cores |
//! | core (own thread) | 1 per instance | tables | all below | batches, kernel entries, answers | `EVENTS_MAX` of neighbours, each up to 128 UPDATEs: they stop reading | order `Stop`, then all sessions ended |
//! | neighbour | 1 each | session, sockets | its sockets, commands, batches | events to core | batches: `bgp::rib::WINDOW` octets, then the table keeps marks | `Quit`, after its last octets |
//! | listener | 1 per address of an instance | listening socket | connections | commands, orders about newcomers | the kernel's backlog; full orders: the newcomer is closed | aborted when its address goes, and at the end |
//! | control server | 1 | control socket | requests | calls to core | `CALLS_MAX`: busy error | aborted at the end |
//! | fib (own thread) | 0–1 | kernel state | netlink, entries | events to core | one entry per key; events `KERNEL_EVENTS_MAX`: reads netlink later | `stop` |
//! | advertisements | 0–1 per instance | ICMPv6 socket | router advertisements, interfaces | orders to core | full orders: heard again in ten seconds | its interfaces' sender dropped |
//! | snoop (own thread) | 0–1 per instance | packet sockets of bridge ports | ARP, neighbour discovery | sightings to core, questions to stations | `SIGHTINGS_MAX`: frames are dropped by the kernel, port by port | dropped with the core |
//! | bfd (own thread) | 0–1 | BFD sessions | UDP, commands | neighbours' commands | never waits for others | dropped |
//! | rpki | 1 per cache of an instance | connection, the cache's VRPs | the cache | orders to core | full orders: the cache is read later | aborted when deconfigured, and at the end |
//! | wireguard (own thread) | 0–1 per instance | AllowedIPs | prefixes | WireGuard's socket | one owner per prefix | dropped |
//! | log (own thread) | 1 | the system's log, the log file | lines, settings | both | `QUEUE_MAX`: the line is lost and counted | with the process, which waits a second for it |
//! | blocking calls | few | nothing | an answer of the kernel thread | an order to core | tokio's pool | by themselves |
//!
//! Threads of `fib`, `bfd_io`, `snoop`, `wireguard_io` and `log` are started by their own constructors, which are
//! called from here, from `router` and, the last one, before there is a runtime from `service`.
//!
//! Locks, each held for a look-up: `Registry` (who owns an address; BFD must reach a neighbour's task
//! without passing through a busy core), the inboxes of the kernel and WireGuard threads (the last
//! wish per key wins, so nobody waits and nothing grows), that of the snoop thread likewise, the packet meter, and of the BFD thread which
//! instance a session is of (`bfd_share`).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bgp::rib::PeerId;
use bgp::session::Bfd;
use bgp::{Prefix, ScopedAddr};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use crate::advertisements;
use crate::bfd_io;
use crate::config::{Config, RpkiCache, Signing};
use crate::control::server::{self, Listener};
use crate::control::{Call, CoreHandle};
use crate::core::{Core, Order};
use crate::instances::{self, Instances};
use crate::interface;
use crate::peer_io::{self, Command, Event, Wiring, transport};
use crate::repeats::Repeats;
use crate::rpki_io::{self, CacheId};
use crate::snoop::{Sighting, Snoop};

/// Connections the kernel holds for us while we are busy. A whole mesh that connects at once must
/// not run into TCP's one-second retransmission.
const BACKLOG: u32 = 1024;

/// How often it is said that somebody who is no neighbour goes on connecting.
const STRANGERS_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Orders of the daemon itself.
pub(crate) const ORDERS_MAX: usize = 64;

/// Who to tell about an address: neighbours' tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    // A lock because the BFD thread and the listeners look things up while the core is busy.
    known: Arc<Mutex<Known>>,
}

/// Neighbours' tasks, and networks from which more may come.
#[derive(Debug, Default)]
struct Known {
    neighbors: HashMap<ScopedAddr, mpsc::UnboundedSender<Command>>,
    /// None before the neighbours are started.
    ranges: Option<Vec<Prefix>>,
}

/// What is done about a connection from an address that no neighbour has.
#[derive(Debug, PartialEq, Eq)]
enum Newcomer {
    /// The neighbours are not started yet, this may be one of them: it is closed, as before there
    /// was a socket, and comes again.
    TooEarly,
    /// It is in a range of neighbours.
    Welcome,
    /// It is nobody.
    Stranger,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the command back if there is no such neighbour.
    fn tell(&self, address: ScopedAddr, command: Command) -> Result<(), Command> {
        match self.lock().neighbors.get(&address) {
            Some(neighbor) => neighbor.send(command).map_err(|unsent| unsent.0),
            None => Err(command),
        }
    }

    /// Who an address is that no neighbour has.
    fn newcomer(&self, address: ScopedAddr) -> Newcomer {
        let host = Prefix::host(address.ip());
        match &self.lock().ranges {
            None => Newcomer::TooEarly,
            Some(ranges) if ranges.iter().any(|range| range.contains(host)) => Newcomer::Welcome,
            Some(_) => Newcomer::Stranger,
        }
    }

    /// What the BFD thread calls, by way of [`crate::bfd_share`].
    pub(crate) fn bfd_event(&self, neighbor: ScopedAddr, event: &bfd_io::Event) {
        let command = match event.kind {
            bfd_io::EventKind::Up => Command::Bfd(Bfd::Up),
            // RFC 5882 §3.2: a peer that takes BFD down on purpose says nothing of the path.
            bfd_io::EventKind::AdminDown => return,
            bfd_io::EventKind::Down if event.is_made_anew() => Command::Bfd(Bfd::Anew),
            bfd_io::EventKind::Down if event.is_path() => Command::Bfd(Bfd::PathDown),
            bfd_io::EventKind::Down => Command::Bfd(Bfd::Down),
        };
        // A neighbour that is gone has no use for it.
        let _ = self.tell(neighbor, command);
    }
}

/// The listening sockets, on which keys stand. Weak, since a listener that ends must take
/// its socket with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listening(Vec<(SocketAddr, Weak<TcpListener>)>);

impl Listening {
    /// Several as one.
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(all.into_iter().flat_map(|it| it.0.clone()).collect())
    }

    /// Those that are not among others.
    pub(crate) fn beside(&self, others: &Self) -> Self {
        let known = |socket: &Weak<TcpListener>| {
            let mut others = others.0.iter();
            others.any(|(_, other)| other.ptr_eq(socket))
        };
        let new = self.0.iter().filter(|(_, socket)| !known(socket));
        Self(new.cloned().collect())
    }

    /// Changes what signs connections from a host or network.
    pub(crate) fn sign(
        &self,
        peer: Prefix,
        before: Option<&Signing>,
        after: Option<&Signing>,
    ) -> io::Result<()> {
        for (address, socket) in &self.0 {
            if address.is_ipv4() == peer.addr().is_ipv4()
                && let Some(socket) = socket.upgrade()
            {
                transport::sign(&*socket, peer, before, after)?;
            }
        }
        Ok(())
    }
}

/// The ways to a core, for those that it starts.
#[derive(Debug, Clone)]
pub(crate) struct Senders {
    pub(crate) events: mpsc::Sender<(PeerId, Event)>,
    pub(crate) written: mpsc::UnboundedSender<(PeerId, usize)>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) sightings: mpsc::Sender<Vec<Sighting>>,
}

/// Starts what the core needs started.
#[derive(Debug, Clone)]
pub(crate) struct Spawner {
    runtime: Handle,
    registry: Registry,
    events: mpsc::Sender<(PeerId, Event)>,
    written: mpsc::UnboundedSender<(PeerId, usize)>,
    orders: mpsc::Sender<Order>,
    sightings: mpsc::Sender<Vec<Sighting>>,
    packets: PacketMeter,
    /// Which instance log lines are of.
    span: Span,
    pub(crate) listening: Listening,
}

impl Spawner {
    pub(crate) fn new(
        runtime: Handle,
        registry: Registry,
        senders: Senders,
        config: &Config,
        listening: Listening,
    ) -> Self {
        let Senders {
            events,
            written,
            orders,
            sightings,
        } = senders;
        let underlay = config.underlay.as_ref();
        let underlay = underlay.map(|underlay| underlay.interface.clone());
        Self {
            span: span_of(config),
            listening,
            runtime,
            registry,
            events,
            written,
            orders,
            sightings,
            packets: PacketMeter::new(underlay),
        }
    }

    pub(crate) fn events(&self) -> mpsc::Sender<(PeerId, Event)> {
        self.events.clone()
    }

    pub(crate) fn written(&self) -> mpsc::UnboundedSender<(PeerId, usize)> {
        self.written.clone()
    }

    pub(crate) fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Starts a neighbour's task.
    pub(crate) fn neighbor(
        &self,
        address: ScopedAddr,
        commands: mpsc::UnboundedSender<Command>,
        wiring: Wiring,
        start: bool,
    ) {
        self.registry.lock().neighbors.insert(address, commands);
        let task = peer_io::run(wiring, start).instrument(self.span.clone());
        self.runtime.spawn(task);
    }

    /// A neighbour is deconfigured.
    pub(crate) fn forget(&self, address: ScopedAddr) {
        self.registry.lock().neighbors.remove(&address);
    }

    /// The networks from which neighbours may come, from now on.
    pub(crate) fn admit(&self, ranges: Vec<Prefix>) {
        self.registry.lock().ranges = Some(ranges);
    }

    /// Starts to send and hear router advertisements on the interfaces that are told.
    pub(crate) fn advertisements(&self) -> watch::Sender<Vec<advertisements::Link>> {
        let (sender, interfaces) = watch::channel(Vec::new());
        let orders = self.orders.clone();
        let task = advertisements::run(interfaces, orders).instrument(self.span.clone());
        self.runtime.spawn(task);
        sender
    }

    /// Starts to listen on bridge ports, once some are named.
    pub(crate) fn snoop(&self) -> io::Result<Snoop> {
        Snoop::start(self.sightings.clone(), self.span.clone())
    }

    /// Starts to ask a cache of the RPKI.
    pub(crate) fn rpki(&self, cache: RpkiCache, id: CacheId) -> CacheTask {
        let orders = self.orders.clone();
        let task = rpki_io::run(cache, id, orders).instrument(self.span.clone());
        CacheTask(self.runtime.spawn(task))
    }

    /// Runs what waits for another thread.
    pub(crate) fn blocking(&self, work: impl FnOnce() + Send + 'static) {
        let span = self.span.clone();
        self.runtime.spawn_blocking(move || span.in_scope(work));
    }

    /// Packets a second through the underlay since the last call.
    pub(crate) fn packet_rate(&self) -> Option<f64> {
        self.packets.rate()
    }
}

/// A cache's task, which ends with this.
#[derive(Debug)]
pub(crate) struct CacheTask(JoinHandle<()>);

impl Drop for CacheTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does what takes long aside of the tasks; `None` if it broke off.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Counts packets on the underlay interface.
#[derive(Debug, Clone)]
struct PacketMeter {
    interface: Option<String>,
    // Shared by the clones of a spawner; only the core asks.
    last: Arc<Mutex<Option<(Instant, u64)>>>,
}

impl PacketMeter {
    fn new(interface: Option<String>) -> Self {
        let meter = Self {
            interface,
            last: Arc::default(),
        };
        meter.rate();
        meter
    }

    fn rate(&self) -> Option<f64> {
        let now = (Instant::now(), self.count()?);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, count) = last.replace(now)?;
        let seconds = at.elapsed().as_secs_f64();
        let packets = u32::try_from(now.1.saturating_sub(count)).unwrap_or(u32::MAX);
        (seconds > 0.0).then(|| f64::from(packets) / seconds)
    }

    fn count(&self) -> Option<u64> {
        let interface = self.interface.as_ref()?;
        let of = |name: &str| -> Option<u64> {
            let path = format!("/sys/class/net/{interface}/statistics/{name}");
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        Some(of("rx_packets")?.saturating_add(of("tx_packets")?))
    }
}

/// Starts the core on a thread of its own.
pub(crate) fn core(core: Core, span: Span) -> io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name("core".to_owned())
        .spawn(move || span.in_scope(|| runtime.block_on(core.run())))
}

/// What log lines of an instance carry: its name, unless it is the default one.
pub(crate) fn span_of(config: &Config) -> Span {
    match &config.name {
        Some(name) => tracing::error_span!(parent: None, "instance", %name),
        None => Span::none(),
    }
}

/// Starts the task that owns the instances.
pub(crate) fn instances(
    runtime: &Handle,
    instances: Instances,
    calls: mpsc::Receiver<Call>,
    orders: mpsc::Receiver<instances::Order>,
) -> JoinHandle<()> {
    runtime.spawn(instances.run(calls, orders))
}

/// Runs what asks several cores and waits for them.
pub(crate) fn beside(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    runtime.spawn(work);
}

/// Opens a listening socket and starts to accept.
pub(crate) fn listener(
    runtime: &Handle,
    address: SocketAddr,
    (config, host): (&Config, &Config),
    registry: Registry,
    orders: mpsc::Sender<Order>,
    listening: &mut Listening,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let guard = runtime.enter();
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        socket2::SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.set_reuseaddr(true)?;
    if let Some(vrf) = &config.vrf {
        socket2::SockRef::from(&socket).bind_device(Some(vrf.as_bytes()))?;
    }
    // RFC 5082 §3: a neighbour that counts hops counts those of the answer to its first packet
    // too, which comes from this socket.
    transport::set_ttl(&socket, address.is_ipv4(), u8::MAX)?;
    transport::keep_first_packets(&socket)?;
    if host.assigns(address.ip()) {
        // It is on its way: by this same reload, to a device that is not there yet, or an IPv6 one that is
        // still examined.
        let socket = socket2::SockRef::from(&socket);
        match address.is_ipv4() {
            true => socket.set_freebind_v4(true)?,
            false => socket.set_freebind_v6(true)?,
        }
    }
    socket.bind(address)?;
    let listener = Arc::new(socket.listen(BACKLOG)?);
    drop(guard);
    let bound = listener.local_addr()?;
    listening.0.push((bound, Arc::downgrade(&listener)));
    let task = accept(listener, registry, orders).instrument(span_of(config));
    Ok((bound, runtime.spawn(task)))
}

/// Serves questions and orders, or metrics.
pub(crate) fn serve(listener: Listener, core: CoreHandle) -> JoinHandle<()> {
    tokio::spawn(async move { match server::serve(listener, core).await {} })
}

async fn accept(listener: Arc<TcpListener>, registry: Registry, orders: mpsc::Sender<Order>) {
    let mut strangers = Repeats::new(STRANGERS_PAUSE);
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let address = interface::sender(from);
                let Err(Command::Accepted(stream)) =
                    registry.tell(address, Command::Accepted(stream))
                else {
                    continue;
                };
                match registry.newcomer(address) {
                    Newcomer::TooEarly => {
                        tracing::debug!(%address, "connection before the neighbours, closed");
                    }
                    Newcomer::Welcome => {
                        if orders.try_send(Order::Come(address, stream)).is_err() {
                            tracing::debug!(%address, "too many connections at once, closed");
                        }
                    }
                    Newcomer::Stranger => {
                        if let Some(more) = strangers.say(Instant::now(), &address.to_string()) {
                            tracing::warn!(
                                %address,
                                hint = "if it is to be one, add it as [[neighbor]] with this \
                                        address; else it has this host as its neighbor by mistake",
                                alike_since_the_last_line = more,
                                "connection from an address that is no neighbor, closed"
                            );
                        }
                    }
                }
            }
            Err(error) => {
                // Out of descriptors or memory: others may free some. Do not spin meanwhile.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
