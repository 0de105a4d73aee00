//! A whole router in a library: everything that `rbgpd` does, on tokio.
//!
//! [`Router::start`] takes a configuration and starts the tasks; [`Router::ask`] is the same
//! interface that `rbgpctl` uses; [`Router::stop`] ends sessions with a Cease and hands the kernel
//! back. For a program with sockets of its own there is [`bgp::Speaker`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::{Config, ServiceSettings};
use crate::control::{Answer, CoreHandle, Request};
use crate::core::{Core, EVENTS_MAX, Hands, Inputs, KERNEL_EVENTS_MAX, Order, Place};
use crate::peer_io::transport;
use crate::state::{StateDir, StateError};
use crate::tasks::{self, Listening, ORDERS_MAX, Registry, Spawner};
use crate::wireguard_io::WireguardHandle;

/// How long sessions may take to say good-bye.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Where a router keeps things.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The file that [`Request::Reload`] reads. Default none: reload is refused.
    pub config_file: Option<PathBuf>,
    /// Drain state and the mark of an orderly stop live here. Default none: nothing is kept, and
    /// a start never counts as a graceful restart.
    pub state_dir: Option<PathBuf>,
}

/// A running router.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use rbgpd::{Options, Router};
/// let config = rbgpd::config::parse(&std::fs::read_to_string("site-a.toml")?, "site-a.toml")
///     .map_err(|errors| errors[0].to_string())?;
/// let router = Router::start(config, Options::default())?;
/// let summary = router.ask(rbgpd::control::Request::Summary).await?;
/// router.stop().await;
/// # Ok(()) }
/// ```
pub struct Router {
    core: CoreHandle,
    orders: mpsc::Sender<Order>,
    thread: std::thread::JoinHandle<()>,
    listeners: Vec<JoinHandle<()>>,
    listening: Vec<SocketAddr>,
    kernel: Option<Arc<fib::KernelHandle>>,
    /// Ours until the kernel was handed back.
    state: Option<StateDir>,
    settings: watch::Receiver<ServiceSettings>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("listening", &self.listening)
            .finish_non_exhaustive()
    }
}

/// Why a router does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("cannot use the state directory `{}`", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another daemon uses the state directory.
    #[error(
        "the state directory `{}` is in use by another rbgpd{}\n\n\
         hint: stop that one (`systemctl stop rbgpd`), or give this one its own `--state-dir`",
        path.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    StateInUse {
        /// The directory.
        path: PathBuf,
        /// Its process, as far as it is known.
        pid: Option<u32>,
    },
    /// A listening socket cannot be opened.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A neighbour has a password, and the kernel cannot use it.
    #[error("cannot use `password` of a neighbor (TCP MD5 signatures, RFC 2385)")]
    Password(#[source] io::Error),
    /// A neighbour has TCP-AO keys, and the kernel cannot use them.
    #[error("cannot use `tcp_ao` of a neighbor (RFC 5925)")]
    TcpAo(#[source] io::Error),
    /// The kernel cannot be programmed.
    #[error("cannot program the kernel (needs CAP_NET_ADMIN, or `[kernel] enabled = false`)")]
    Kernel(#[from] fib::KernelError),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl Router {
    /// Starts everything a configuration asks for. Must be called within a tokio runtime.
    pub fn start(config: Config, options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::current();
        let (settings, follow) = watch::channel(config.service_settings());
        let (place, drain) = open_place(options, settings)?;
        let registry = Registry::default();
        let (events, event_queue) = mpsc::channel(EVENTS_MAX);
        let (written, written_queue) = mpsc::unbounded_channel();
        let (kernel_events, kernel_queue) = mpsc::channel(KERNEL_EVENTS_MAX);
        let (orders, order_queue) = mpsc::channel(ORDERS_MAX);
        let (core_handle, calls) = CoreHandle::channel();

        let mut listeners = Vec::new();
        let mut listening = Vec::new();
        let mut sockets = Listening::default();
        if config.has_passwords() {
            transport::md5_works().map_err(StartError::Password)?;
        }
        for algorithm in config.ao_algorithms() {
            transport::ao_works(algorithm).map_err(StartError::TcpAo)?;
        }
        for address in &config.listen {
            let opened = tasks::listener(
                &runtime,
                *address,
                registry.clone(),
                orders.clone(),
                &mut sockets,
            );
            let (bound, task) = opened.map_err(|source| StartError::Listen {
                address: *address,
                source,
            })?;
            listeners.push(task);
            listening.push(bound);
        }
        let kernel = config
            .kernel
            .enabled
            .then(|| start_kernel(&config, kernel_events));
        let kernel = kernel.transpose()?.map(Arc::new);
        let wireguard = kernel
            .as_ref()
            .and_then(|_| WireguardHandle::start(&config));
        let underlay = config
            .underlay
            .as_ref()
            .map(|underlay| underlay.interface.clone());
        let spawner = Spawner::new(
            runtime,
            registry,
            events,
            written,
            orders.clone(),
            underlay,
            sockets,
        );
        let hands = Hands {
            kernel: kernel.clone(),
            bfd: None,
            wireguard,
            advertisements: None,
            spawner,
        };
        let inputs = Inputs {
            events: event_queue,
            written: written_queue,
            kernel: kernel_queue,
            calls,
            orders: order_queue,
        };
        // Last: a start that fails is no run that broke off.
        if let Some(dir) = &place.state {
            dir.begin().map_err(|source| StartError::State {
                path: dir.path().to_owned(),
                source,
            })?;
        }
        let state = place.state.clone();
        let core = Core::new(config, place, hands, inputs, random_seed(), drain);
        let thread = tasks::core(core).map_err(StartError::Thread)?;
        Ok(Self {
            core: core_handle,
            orders,
            thread,
            listeners,
            listening,
            kernel,
            state,
            settings: follow,
        })
    }

    /// How long to wait before [`Router::start`] after a run that broke off: until neighbours'
    /// BFD has noticed. They keep our routes over that (RFC 5882 §4.3, RFC 4724), but take a BFD
    /// session that goes down under a new BGP session for a dead path.
    pub fn restart_pause(config: &Config, state_dir: &Path) -> Option<Duration> {
        let broke_off = StateDir::left_broken(state_dir);
        let bfd = config.neighbors.iter().filter_map(|neighbor| neighbor.bfd);
        let detect = bfd
            .map(|bfd| bfd.interval * u32::from(bfd.multiplier))
            .max()?;
        broke_off.then_some(detect + detect / 5)
    }

    /// Asks a question or gives an order.
    ///
    /// # Errors
    ///
    /// What went wrong, with the next step.
    pub async fn ask(&self, request: Request) -> Answer {
        self.core.ask(request).await
    }

    /// What of the configuration in effect the program around the router has to follow.
    pub(crate) fn settings(&self) -> watch::Receiver<ServiceSettings> {
        self.settings.clone()
    }

    /// The way for others to ask.
    pub fn handle(&self) -> CoreHandle {
        self.core.clone()
    }

    /// Where connections are accepted, with the ports the system chose.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Puts another configuration to work, only changing what differs.
    pub async fn apply(&self, config: Config) {
        let (done, applied) = oneshot::channel();
        if self
            .orders
            .send(Order::Apply(Box::new(config), done))
            .await
            .is_ok()
        {
            // An end without a word means that the router is stopping.
            drop(applied.await);
        }
    }

    /// Starts to move traffic away ahead of [`Router::stop`]. Unlike [`Request::Drain`] it is not
    /// kept: the next start is not draining, unless an operator had ordered it.
    pub async fn drain_before_stop(&self) {
        let (done, ordered) = oneshot::channel();
        let order = Order::DrainBeforeStop(done);
        if self.orders.send(order).await.is_ok() {
            drop(ordered.await);
        }
    }

    /// True once the core has come to an end, which it does only when stopped.
    pub fn is_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends all sessions with a Cease, so that neighbours move traffic at once, and takes routes
    /// and addresses of other sites out of the kernel. Devices stay: machines are attached.
    pub async fn stop(self) {
        for listener in &self.listeners {
            listener.abort();
        }
        let (done, stopped) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).await.is_ok() {
            match tokio::time::timeout(STOP_TIME, stopped).await {
                Ok(_) => {}
                Err(_) => tracing::warn!("sessions did not end in time"),
            }
        }
        drop(self.core);
        drop(self.orders);
        let (kernel, state) = (self.kernel, self.state);
        let ended = tokio::task::spawn_blocking(move || {
            if self.thread.join().is_err() {
                tracing::error!("the core ended by panic");
            }
            // The core held the other reference.
            match kernel.map(Arc::try_unwrap) {
                Some(Ok(kernel)) => kernel.stop(false),
                Some(Err(_)) => tracing::warn!("the kernel is still in use, its entries stay"),
                None => {}
            }
            // Only now: the next one must not find its own entries taken away.
            drop(state);
        });
        if ended.await.is_err() {
            tracing::error!("the end of the router was cut short");
        }
    }
}

fn open_place(
    options: Options,
    settings: watch::Sender<ServiceSettings>,
) -> Result<(Place, crate::state::DrainState), StartError> {
    let Some(path) = options.state_dir else {
        let place = Place {
            config_file: options.config_file,
            state: None,
            restarting: false,
            settings,
        };
        return Ok((place, crate::state::DrainState::default()));
    };
    let unusable = |source| StartError::State {
        path: path.clone(),
        source,
    };
    let dir = StateDir::open(&path).map_err(|error| match error {
        StateError::InUse { pid } => StartError::StateInUse {
            path: path.clone(),
            pid,
        },
        StateError::Io(source) => unusable(source),
    })?;
    let drain = dir.drain().map_err(unusable)?;
    let restarting = dir.broke_off();
    if !drain.is_empty() {
        tracing::warn!("draining, as before the restart; rbgpctl undrain takes traffic back");
    }
    Ok((
        Place {
            config_file: options.config_file,
            state: Some(dir),
            restarting,
            settings,
        },
        drain,
    ))
}

fn start_kernel(
    config: &Config,
    events: mpsc::Sender<fib::Event>,
) -> Result<fib::KernelHandle, fib::KernelError> {
    let options = fib::Options {
        protocol: config.kernel.protocol,
        audit: config.kernel.audit_interval,
        ..fib::Options::default()
    };
    fib::Kernel::spawn(
        options,
        Box::new(move |event| {
            // A core that has ended reads no more; what the kernel says then is of no use.
            drop(events.blocking_send(event));
        }),
    )
}

/// From the system, through the standard library's hasher: no crate for one number.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
