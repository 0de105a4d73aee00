//! One instance: what it needs to start, and how it ends.
//!
//! A start has two steps, so that several begin together or not at all: [`Prepared`] has the
//! sockets open and knows what was drained, [`Prepared::launch`] starts the core. Only the system can
//! refuse the second, with a thread or a file of the state directory that cannot be had. An instance ends
//! with all others ([`Running::stop`]) or alone ([`Running::leave`]), and then takes what is its
//! own out of the kernel.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::bfd_share::{BfdShare, Hub};
use crate::config::{Config, ServiceSettings};
use crate::control::{Call, CoreHandle};
use crate::core::{Core, EVENTS_MAX, Hands, Inputs, KERNEL_EVENTS_MAX, Order, Place, claim};
use crate::exchange;
use crate::instances::in_words;
use crate::router::StartError;
use crate::snoop::SIGHTINGS_MAX;
use crate::sole_writer::SoleWriter;
use crate::state::{DrainState, StateDir};
use crate::tasks::{self, Listening, ORDERS_MAX, Registry, Senders, Spawner};
use crate::wireguard_io::WireguardHandle;

/// What instances have together.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) runtime: Handle,
    pub(crate) state: Option<StateDir>,
    pub(crate) bfd: Arc<Hub>,
    pub(crate) exchange: Arc<exchange::Hub>,
    /// Told when VXLAN devices that others make may have come or gone.
    pub(crate) vxlans: Arc<Notify>,
    /// Held and never asked: it goes after the kernel's thread.
    pub(crate) _sole_writer: Option<SoleWriter>,
}

/// A socket that connections are accepted on, by a task; both end with this.
#[derive(Debug)]
pub(crate) struct Open {
    /// As the configuration says it.
    address: SocketAddr,
    /// As the system does.
    bound: SocketAddr,
    socket: Listening,
    task: JoinHandle<()>,
}

impl Open {
    fn all<'a>(
        shared: &Shared,
        (config, host): (&Config, &Config),
        addresses: impl IntoIterator<Item = &'a SocketAddr>,
        registry: &Registry,
        orders: &mpsc::Sender<Order>,
    ) -> Result<Vec<Self>, StartError> {
        let mut all = Vec::new();
        for address in addresses {
            let mut socket = Listening::default();
            let opened = tasks::listener(
                &shared.runtime,
                *address,
                (config, host),
                registry.clone(),
                orders.clone(),
                &mut socket,
            );
            let (bound, task) = opened.map_err(|source| StartError::Listen {
                address: *address,
                source,
            })?;
            all.push(Self {
                address: *address,
                bound,
                socket,
                task,
            });
        }
        Ok(all)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An instance with everything that may be refused in place, but not running.
pub(crate) struct Prepared {
    pub(crate) config: Config,
    number: u8,
    registry: Registry,
    sockets: Vec<Open>,
    orders: (mpsc::Sender<Order>, mpsc::Receiver<Order>),
    kernel_events: (mpsc::Sender<fib::Event>, mpsc::Receiver<fib::Event>),
    state: Option<StateDir>,
    drain: DrainState,
    restarting: bool,
}

impl Prepared {
    /// Opens the sockets of an instance. Its `number` is one that no other has, 0 that of the
    /// default one.
    ///
    /// `host` is the configuration of the default instance, which gives the host its addresses.
    pub(crate) fn new(
        shared: &Shared,
        host: &Config,
        config: Config,
        number: u8,
    ) -> Result<Self, StartError> {
        let registry = Registry::default();
        let orders = mpsc::channel(ORDERS_MAX);
        let addresses = &config.listen;
        let sockets = Open::all(shared, (&config, host), addresses, &registry, &orders.0)?;
        let state = shared.state.as_ref();
        let state = state.map(|dir| dir.of(config.name.as_deref()));
        let drain = match &state {
            Some(dir) => dir.drain().map_err(|source| StartError::State {
                path: dir.path().to_owned(),
                source,
            })?,
            None => DrainState::default(),
        };
        // RFC 4724 §4.1: where the kernel has nothing any more there is nothing to keep, for neighbours neither,
        // who are told so, and nothing to wait for.
        let writes = config.kernel.enabled;
        let broke_off = state.as_ref().is_some_and(|it| it.broke_off(writes));
        let restarting = broke_off || is_forwarded_for(&config);
        Ok(Self {
            config,
            number,
            registry,
            sockets,
            orders,
            kernel_events: mpsc::channel(KERNEL_EVENTS_MAX),
            state,
            drain,
            restarting,
        })
    }

    /// One that a reload adds takes up nothing: what an earlier run left of it was swept with the
    /// start of this one.
    pub(crate) fn anew(self) -> Self {
        Self {
            restarting: false,
            ..self
        }
    }

    /// Where connections are accepted, with the ports the system chose.
    pub(crate) fn listening(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|it| it.bound)
    }

    /// The number of the instance's share of the kernel.
    pub(crate) fn share(&self) -> fib::Share {
        fib::Share(self.number)
    }

    /// Hears what the kernel's thread tells this instance. A core that has ended reads no more; what
    /// the kernel says then is of no use.
    pub(crate) fn on_kernel_event(&self) -> Box<dyn FnMut(fib::Event) + Send> {
        let events = self.kernel_events.0.clone();
        Box::new(move |event| drop(events.blocking_send(event)))
    }

    /// Starts the core, with the handle of its share of the kernel. `settings` is what the program
    /// around the router follows.
    pub(crate) fn launch(
        self,
        shared: &Shared,
        kernel: Option<Arc<fib::KernelHandle>>,
        settings: watch::Sender<ServiceSettings>,
    ) -> Result<Running, StartError> {
        let (events, event_queue) = mpsc::channel(EVENTS_MAX);
        let (written, written_queue) = mpsc::unbounded_channel();
        let (core_handle, calls): (_, mpsc::Receiver<Call>) = CoreHandle::channel();
        let (config, (orders, order_queue)) = (self.config, self.orders);
        let span = tasks::span_of(&config);
        let _in_instance = span.enter();
        if !self.drain.is_empty() {
            tracing::warn!("draining, as before the restart; rbgpctl undrain takes traffic back");
        }
        let wireguard = kernel
            .as_ref()
            .and_then(|_| WireguardHandle::start(&config, self.state.clone()));
        let (sightings, sighting_queue) = mpsc::channel(SIGHTINGS_MAX);
        let senders = Senders {
            events,
            written,
            orders: orders.clone(),
            sightings,
        };
        let spawner = Spawner::new(
            shared.runtime.clone(),
            self.registry.clone(),
            senders,
            &config,
            Listening::of(self.sockets.iter().map(|it| &it.socket)),
        );
        let hands = Hands {
            kernel,
            bfd: BfdShare::new(&shared.bfd, self.number, self.registry.clone()),
            wireguard,
            advertisements: None,
            spawner,
            exchange: Arc::clone(&shared.exchange),
            vxlans: Arc::clone(&shared.vxlans),
        };
        let inputs = Inputs {
            events: event_queue,
            written: written_queue,
            kernel: self.kernel_events.1,
            sightings: sighting_queue,
            calls,
            orders: order_queue,
            inbox: shared.exchange.join(config.name.clone()),
        };
        // Last: a start that fails is no run that broke off.
        if let Some(dir) = &self.state {
            dir.begin().map_err(|source| StartError::State {
                path: dir.path().to_owned(),
                source,
            })?;
        }
        let place = Place {
            state: self.state.clone(),
            restarting: self.restarting,
            settings,
        };
        let core = Core::new(
            config.clone(),
            place,
            hands,
            inputs,
            random_seed(),
            self.drain,
        );
        let thread = tasks::core(core, tasks::span_of(&config)).map_err(|error| {
            if let Some(dir) = &self.state
                && let Err(error) = dir.end()
            {
                tracing::warn!(%error, "cannot take the mark of this start back");
            }
            StartError::Thread(error)
        })?;
        Ok(Running {
            config,
            number: self.number,
            core: core_handle,
            orders,
            thread,
            registry: self.registry,
            sockets: self.sockets,
        })
    }
}

/// An instance that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// As it was applied last.
    pub(crate) config: Config,
    pub(crate) number: u8,
    pub(crate) core: CoreHandle,
    pub(crate) orders: mpsc::Sender<Order>,
    thread: std::thread::JoinHandle<()>,
    registry: Registry,
    sockets: Vec<Open>,
}

impl Running {
    /// What operators call it.
    pub(crate) fn name(&self) -> &str {
        self.config.name.as_deref().unwrap_or("default")
    }

    /// Opens the sockets that a new configuration has beside those that are open.
    pub(crate) fn open_beside(
        &self,
        shared: &Shared,
        host: &Config,
        new: &Config,
    ) -> Result<Vec<Open>, StartError> {
        let known = |address: &&SocketAddr| self.sockets.iter().any(|it| it.address == **address);
        let missing = new.listen.iter().filter(|address| !known(address));
        let opened = Open::all(shared, (new, host), missing, &self.registry, &self.orders);
        opened.map_err(|error| error.of(self.config.name.as_deref()))
    }

    /// Accepts connections where a new configuration says, on what was opened for it and on what stays.
    pub(crate) async fn listen(&mut self, new: &Config, opened: Vec<Open>) {
        let before = self.sockets.len();
        let there = |it: &Open| new.listen.contains(&it.address);
        self.sockets.retain(there);
        if self.sockets.len() == before && opened.is_empty() {
            return;
        }
        self.sockets.extend(opened);
        let sockets = Listening::of(self.sockets.iter().map(|it| &it.socket));
        // A core that has ended accepts nothing.
        drop(self.orders.send(Order::Listen(sockets)).await);
    }

    /// Begins the end of all sessions. The answer comes when they have ended; the thread, which is
    /// returned, may take a moment longer.
    pub(crate) async fn stop(
        self,
        order: impl FnOnce(oneshot::Sender<()>) -> Order,
    ) -> (oneshot::Receiver<()>, std::thread::JoinHandle<()>) {
        drop(self.sockets);
        let (done, stopped) = oneshot::channel();
        // A core that has ended needs no order.
        drop(self.orders.send(order(done)).await);
        (stopped, self.thread)
    }

    /// Ends this instance alone, and waits for that. Returns what is left when a neighbour does not
    /// let go of its session in time.
    pub(crate) async fn leave(self) -> Option<Leaving> {
        let (name, number) = (self.name().to_owned(), self.number);
        let (stopped, thread) = self.stop(Order::Leave).await;
        let in_time = tokio::time::timeout(super::STOP_TIME, stopped).await;
        if in_time.is_err() {
            tracing::warn!(instance = %name, "sessions did not end in time");
            return Some(Leaving { number, thread });
        }
        match tokio::task::spawn_blocking(move || thread.join()).await {
            Ok(Ok(())) => tracing::info!(instance = %name, "instance removed"),
            Ok(Err(_)) | Err(_) => tracing::error!(instance = %name, "the core ended by panic"),
        }
        None
    }
}

/// An instance whose last session has not ended yet. It still has its number.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) number: u8,
    thread: std::thread::JoinHandle<()>,
}

impl Leaving {
    pub(crate) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

/// The kernel has routes that we would have written, of a daemon that is not there any more, and so
/// it forwards: FRR's, or of a run of ours whose mark is gone. Neighbours that kept their routes to
/// us over the change may go on doing so (RFC 4724 §4.1).
pub(crate) fn is_forwarded_for(config: &Config) -> bool {
    if !config.kernel.enabled || !config.graceful_restart.enabled {
        return false;
    }
    match fib::left_behind(config.kernel.protocol, &claim(config)) {
        Ok(left) => left,
        Err(error) => {
            // The kernel's thread will say more.
            tracing::debug!(%error, "cannot look for routes of an earlier run");
            false
        }
    }
}

/// Joins a kernel's thread for an instance beside the default one.
pub(crate) fn join(kernel: &fib::KernelHandle, prepared: &Prepared) -> Arc<fib::KernelHandle> {
    let (share, claim) = (prepared.share(), claim(&prepared.config));
    Arc::new(kernel.join(share, claim, prepared.on_kernel_event()))
}

/// A VRF instance writes to the VRF's table. Returns false where the device is not there, nor to be
/// made by us.
pub(crate) fn find_table(config: &mut Config) -> Result<bool, StartError> {
    let Some(vrf) = &config.vrf else {
        return Ok(true);
    };
    let refused = |source| StartError::Vrf {
        vrf: vrf.clone(),
        source,
    };
    if let Some(table) = config.vrf_table {
        fib::vrf::ensure(&fib::Vrf::new(vrf.as_str(), table))
            .map_err(|error| refused(io::Error::other(in_words(&error))))?;
    }
    match fib::device_kind(vrf)? {
        Some(fib::LinkKind::Vrf { table }) => {
            config.kernel.table = table;
            Ok(true)
        }
        Some(_) => Err(refused(io::Error::other("the device is no VRF"))),
        None => Ok(false),
    }
}

/// From the system, through the standard library's hasher: no crate for one number.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
