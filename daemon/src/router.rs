//! A whole router in a library: everything that `rbgpd` does, on tokio.
//!
//! [`Router::start`] takes a configuration and starts the tasks; [`Router::ask`] is the same
//! interface that `rbgpctl` uses; [`Router::stop`] ends sessions with a Cease and hands the kernel
//! back. For a program with sockets of its own there is [`bgp::Speaker`].

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::{Bfd, Config, Debug, ServiceSettings};
use crate::control::{Answer, CoreHandle, Request};
use crate::core::claim;
use crate::exchange;
use crate::frr;
use crate::instances::debugging::Debugging;
use crate::instances::running::{self, Prepared, Shared};
use crate::instances::waiting::Waiting;
use crate::instances::{self, InEffect, Instances, Order, Split};
use crate::own_routes::Own;
use crate::peer_io::transport;
use crate::sole_writer::{SoleWriter, SoleWriterError};
use crate::state::{StateDir, StateError};
use crate::tasks::{self, ORDERS_MAX};

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
    instances: JoinHandle<()>,
    listening: Vec<SocketAddr>,
    settings: watch::Receiver<ServiceSettings>,
    debugging: watch::Receiver<BTreeSet<Debug>>,
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
    /// Another daemon writes to the kernel of this network namespace under the same number.
    #[error(
        "another rbgpd{} writes to the kernel of this network namespace with protocol number \
         {protocol}, and each would take the other's entries for its own\n\n\
         hint: stop that one (`systemctl stop rbgpd`); or give this one another `protocol` in [kernel], \
         a network namespace of its own, or `enabled = false` in [kernel]",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    KernelInUse {
        /// The number.
        protocol: u8,
        /// Its process, as far as it is known.
        pid: Option<i32>,
    },
    /// It cannot be found out whether another daemon writes to the kernel.
    #[error("cannot open a unix socket to keep other daemons from writing to the same kernel")]
    SoleWriter(#[source] io::Error),
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
    /// An instance cannot be bound to its VRF.
    #[error("`vrf` is \"{vrf}\", but must be a VRF device (`ip link add {vrf} type vrf table N`)")]
    Vrf {
        /// The device.
        vrf: String,
        /// What it is.
        #[source]
        source: io::Error,
    },
    /// Two instances have the same metric in the same routing table, that of their VRF devices.
    #[error(
        "instances `{one}` and `{two}` both write routes with distance {metric} to table {table}\n\n\
         hint: give one of them distances of its own"
    )]
    Metric {
        /// An instance.
        one: String,
        /// Another one.
        two: String,
        /// The table.
        table: u32,
        /// The metric.
        metric: u32,
    },
    /// More instances than there are numbers for.
    #[error("there are more than 255 instances")]
    Instances,
    /// One of the instances does not start.
    #[error("instance `{name}` does not start")]
    Instance {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<StartError>,
    },
}

impl StartError {
    /// Says which instance it is about, unless that is the default one.
    pub(crate) fn of(self, instance: Option<&str>) -> Self {
        match instance {
            Some(name) => StartError::Instance {
                name: name.to_owned(),
                source: Box::new(self),
            },
            None => self,
        }
    }
}

impl Router {
    /// Starts everything a configuration asks for. Must be called within a tokio runtime.
    pub fn start(config: Config, options: Options) -> Result<Self, StartError> {
        Self::start_read(config, None, options)
    }

    /// The same where the configuration was read from FRR's language.
    pub(crate) fn start_read(
        config: Config,
        frr: Option<Vec<frr::Source>>,
        options: Options,
    ) -> Result<Self, StartError> {
        let in_effect = InEffect {
            config: config.clone(),
            frr,
        };
        let runtime = Handle::current();
        let (settings, follow) = watch::channel(config.service_settings());
        let debugging = Debugging::of(&config);
        let follow_debugging = debugging.follow();
        let state = options.state_dir.as_deref().map(open_state).transpose()?;
        let kernel = &config.kernel;
        let sole_writer = kernel.enabled.then(|| sole_writer(kernel.protocol));
        let sole_writer = sole_writer.transpose()?;
        if config.has_passwords() {
            transport::md5_works().map_err(StartError::Password)?;
        }
        for algorithm in config.ao_algorithms() {
            transport::ao_works(algorithm).map_err(StartError::TcpAo)?;
        }
        let shared = Shared {
            runtime: runtime.clone(),
            state,
            bfd: Arc::default(),
            exchange: Arc::new(exchange::Hub::new(config.tenants().collect())),
            vxlans: Arc::default(),
            _sole_writer: sole_writer,
        };
        // Sockets may be bound to them.
        set_addresses(&config);
        let mut prepared = Vec::new();
        let host = config.clone();
        let Split { new, waiting } = instances::split(config)?;
        for (config, number) in new.into_iter().zip(0..=u8::MAX) {
            prepared.push(instances::prepared(&shared, &host, config, number)?);
        }
        let waiting: Vec<_> = waiting.into_iter().map(Waiting::new).collect();
        let names = prepared.iter().map(|it| &it.config);
        let names = names.chain(waiting.iter().map(|it| &it.config));
        let names: Vec<_> = names.map(|it| it.name.clone()).collect();
        let listening = prepared.iter().flat_map(Prepared::listening);
        let listening = listening.collect();
        let kernel = start_kernel(&prepared)?.map(Arc::new);
        let mut prepared = prepared.into_iter();
        // A configuration has a default instance.
        let first = prepared.next().ok_or(StartError::Instances)?;
        let default = first.launch(&shared, kernel.clone(), settings)?;
        let (mut others, mut failed) = (Vec::new(), None);
        for instance in prepared {
            let name = instance.config.name.clone();
            let kernel = kernel
                .as_ref()
                .map(|kernel| running::join(kernel, &instance));
            let settings = watch::Sender::new(instance.config.service_settings());
            match instance.launch(&shared, kernel, settings) {
                Ok(running) => others.push(running),
                Err(error) => {
                    failed = Some(error.of(name.as_deref()));
                    break;
                }
            }
        }
        let (orders, order_queue) = mpsc::channel(ORDERS_MAX);
        let (core, calls) = CoreHandle::channel();
        let instances = Instances {
            shared,
            kernel,
            config_file: options.config_file,
            in_effect,
            debugging,
            default,
            others,
            leaving: Vec::new(),
            waiting,
            adopted: Default::default(),
        };
        if let Some(error) = failed {
            take_back(&runtime, instances, &names);
            return Err(error);
        }
        if let Some(state) = &instances.shared.state
            && let Err(error) = state.forget_others(&names)
        {
            tracing::warn!(%error, "cannot remove marks of instances that are no more");
        }
        Ok(Self {
            core,
            orders,
            instances: tasks::instances(&runtime, instances, calls, order_queue),
            listening,
            settings: follow,
            debugging: follow_debugging,
        })
    }

    /// How long to wait before [`Router::start`] after a run that broke off: until neighbours'
    /// BFD has noticed. They keep our routes over that (RFC 5882 §4.3, RFC 4724), but take a BFD
    /// session that goes down under a new BGP session for a dead path.
    pub fn restart_pause(config: &Config, state_dir: &Path) -> Option<Duration> {
        let broke_off =
            |it: &&Config| StateDir::left_broken(state_dir, it.name.as_deref(), it.kernel.enabled);
        let neighbors = config.all().filter(broke_off).flat_map(|it| &it.neighbors);
        let bfd = neighbors.filter_map(|neighbor| neighbor.bfd.as_ref());
        let detect = bfd.map(Bfd::detection_time).max()?;
        Some(detect + detect / 5)
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

    /// Which debug messages are asked for.
    pub(crate) fn debugging(&self) -> watch::Receiver<BTreeSet<Debug>> {
        self.debugging.clone()
    }

    /// The way for others to ask.
    pub fn handle(&self) -> CoreHandle {
        self.core.clone()
    }

    /// Where connections were accepted at the start, with the ports the system chose.
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

    /// Leaves the kernel's routes as another daemon takes them over, ahead of an end without a word: from now
    /// on nothing is written to the kernel.
    pub(crate) async fn hand_over(&self) {
        let (done, handed_over) = oneshot::channel();
        if self.orders.send(Order::HandOver(done)).await.is_ok() {
            drop(handed_over.await);
        }
    }

    /// True once the core of the default instance has come to an end, which it does only when
    /// stopped.
    pub fn is_stopped(&self) -> bool {
        // It has the other end.
        self.settings.has_changed().is_err()
    }

    /// Ends all sessions with a Cease, so that neighbours move traffic at once, and takes routes
    /// and addresses of other sites out of the kernel. Devices stay: machines are attached.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        drop(self.core);
        if self.orders.send(Order::Stop(done)).await.is_ok() {
            // Without an answer it has come to an end all the same.
            drop(stopped.await);
        }
        if self.instances.await.is_err() {
            tracing::error!("the end of the router was cut short");
        }
    }
}

/// Ends what was started before an instance did not, as [`Router::stop`] does. The kernel is handed
/// back for all, so no mark of an earlier run stays either.
fn take_back(runtime: &Handle, instances: Instances, names: &[Option<String>]) {
    let state = instances.shared.state.clone();
    let ended = instances.stop();
    if runtime.runtime_flavor() == RuntimeFlavor::MultiThread {
        tokio::task::block_in_place(|| runtime.block_on(ended));
    } else {
        // Its only thread is the one that sessions need for their good-bye.
        tasks::beside(runtime, ended);
    }
    for name in names {
        let state = state.as_ref().map(|it| it.of(name.as_deref()));
        if let Some(Err(error)) = state.map(|it| it.end()) {
            tracing::warn!(%error, "cannot note the orderly stop");
        }
    }
}

fn open_state(path: &Path) -> Result<StateDir, StartError> {
    let path = path.to_owned();
    StateDir::open(&path).map_err(|error| match error {
        StateError::InUse { pid } => StartError::StateInUse { path, pid },
        StateError::Io(source) => StartError::State { path, source },
    })
}

fn sole_writer(protocol: u8) -> Result<SoleWriter, StartError> {
    SoleWriter::take(protocol).map_err(|error| match error {
        SoleWriterError::InUse { pid } => StartError::KernelInUse { protocol, pid },
        SoleWriterError::Io(source) => StartError::SoleWriter(source),
    })
}

/// Gives the host's devices their addresses, before sockets are opened and anything is read. What is refused is
/// said by the kernel's thread, which does the same again.
fn set_addresses(config: &Config) {
    if !config.kernel.enabled {
        return;
    }
    let wished = config.host_interfaces.iter().filter_map(|it| {
        let wish = it.addressing()?;
        Some((it.name.as_str().into(), Arc::new(wish)))
    });
    let wished: Vec<_> = wished.collect();
    if let Err(error) = fib::addressing::ensure(config.kernel.protocol, &wished) {
        tracing::warn!(%error, "addresses are not set before the sockets are opened");
    }
}

/// One thread for all instances, which know of each other's routes from the first read on.
fn start_kernel(instances: &[Prepared]) -> Result<Option<fib::KernelHandle>, fib::KernelError> {
    let Some(first) = instances.first() else {
        return Ok(None);
    };
    let kernel = &first.config.kernel;
    if !kernel.enabled {
        return Ok(None);
    }
    let tables = instances
        .iter()
        .map(|it| (it.share(), Own::of(&it.config).tables().clone()));
    let claims = instances.iter().map(|it| (it.share(), claim(&it.config)));
    let options = fib::Options {
        protocol: kernel.protocol,
        audit: kernel.audit_interval,
        nexthop_objects: kernel.nexthop_objects,
        claims: claims.collect(),
        foreign_tables: tables.collect(),
        ..fib::Options::default()
    };
    fib::Kernel::spawn(options, first.on_kernel_event()).map(Some)
}
