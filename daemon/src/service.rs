//! The service `rbgpd`: a [`Router`] fed from a file, with its control socket, signals and word
//! to systemd.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{self, Config, Debug, OnStop, ServiceSettings};
use crate::control::server::Listener;
use crate::control::{CoreHandle, Reply, Request};
use crate::log::Log;
use crate::memory;
use crate::peer_io::transport;
use crate::{Options, Router, ctl, frr, plain_file, tasks};

/// Routes, MAC addresses and devices of a site: BGP, BFD and EVPN in one daemon.
///
/// Reads its configuration, opens sessions with the neighbours and keeps the kernel's routes,
/// forwarding entries and overlay devices as the neighbours' routes say. SIGHUP reads the file
/// again and changes what differs; SIGTERM ends the sessions with a Cease, so that neighbours
/// move traffic at once, and takes the routes out of the kernel. To move traffic away before a
/// stop: `rbgpctl drain --wait`.
#[derive(Debug, Parser)]
#[command(name = "rbgpd", version)]
struct Arguments {
    /// The configuration: in TOML if it is named *.toml, otherwise in FRR's language.
    #[arg(long, value_name = "FILE", default_value = "/etc/rbgpd/rbgpd.toml")]
    config: PathBuf,
    /// Where rbgpctl finds the daemon.
    #[arg(
        long,
        value_name = "PATH",
        env = "RBGPD_SOCKET",
        default_value = "/run/rbgpd/control.sock"
    )]
    socket: PathBuf,
    /// Keeps the drain state and the mark of an orderly stop. One daemon a directory.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/rbgpd")]
    state_dir: PathBuf,
    /// Only check the configuration: every error at once, exit 0 or 2.
    #[arg(long)]
    check: bool,
}

/// Runs the service until it is stopped.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.check {
        return match ctl::check::check(&arguments.config, &mut std::io::stderr()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) | Err(_) => ExitCode::from(2),
        };
    }
    memory::share_heap();
    let (config, frr) = match read(&arguments.config) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let log = Log::start(&config.log);
    // Sessions decode in parallel; more than that is of no use, the tables are one thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)))
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments, config, frr, &log)),
        Err(error) => Err(Failure::new("cannot start the runtime", &error)),
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            ExitCode::FAILURE
        }
    };
    log.finish();
    code
}

/// Why the service ended.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    /// With all causes.
    fn new(what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The configuration, and what was read where it is in FRR's language.
fn read(path: &Path) -> Result<(Config, Option<Vec<frr::Source>>), ExitCode> {
    let check = || match ctl::check::check(path, &mut std::io::stderr()) {
        Ok(_) | Err(_) => ExitCode::from(2),
    };
    if frr::is_frr(path) {
        let sources = frr::sources(path).map_err(|_| check())?;
        let (_, read) = frr::parse(&sources, &frr::Host::now(), transport::ao_works);
        let read = read.map(|(config, _)| (config, Some(sources)));
        return read.map_err(|_| check());
    }
    let octets = plain_file::read(path).map_err(|_| check())?;
    let text = config::text(octets, &path.display().to_string()).map_err(|_| check())?;
    config::parse_here(&text, &path.display().to_string(), transport::ao_works)
        .map(|(config, _)| (config, None))
        .map_err(|_| check())
}

async fn run(
    arguments: Arguments,
    config: Config,
    frr: Option<Vec<frr::Source>>,
    log: &Log,
) -> Result<(), Failure> {
    let catch = |kind| signal(kind).map_err(|error| Failure::new("cannot catch signals", &error));
    let mut signals = Signals {
        terminate: catch(SignalKind::terminate())?,
        interrupt: catch(SignalKind::interrupt())?,
        hangup: catch(SignalKind::hangup())?,
    };
    // First, so that a second daemon ends before it touches anything.
    let control = Listener::control(&arguments.socket)
        .map_err(|error| Failure::new("cannot open the control socket", &error))?;
    let metrics = match config.metrics {
        Some(address) => Some(
            Listener::metrics(address)
                .await
                .map_err(|error| Failure::new("cannot serve metrics", &error))?,
        ),
        None => None,
    };
    if let Some(pause) = Router::restart_pause(&config, &arguments.state_dir) {
        tracing::info!(
            pause_ms = pause.as_millis(),
            "waiting for neighbours' BFD to notice the crash"
        );
        tokio::time::sleep(pause).await;
    }
    let options = Options {
        config_file: Some(arguments.config),
        state_dir: Some(arguments.state_dir),
    };
    let router = Router::start_read(config, frr, options)
        .map_err(|error| Failure::new("cannot start", &error))?;
    let mut servers = vec![tasks::serve(control, router.handle())];
    servers.extend(metrics.map(|listener| tasks::serve(listener, router.handle())));
    notify(&[NotifyState::Ready]);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "rbgpd runs");

    let (mut settings, debugging) = (router.settings(), router.debugging());
    let ended = attend(&mut signals, &router, (&mut settings, debugging), log).await;
    notify(&[NotifyState::Stopping]);
    let ServiceSettings { drain, on_stop, .. } = settings.borrow().clone();
    if ended.is_ok() && drain.on_stop {
        drain_first(&router, drain.timeout).await;
    }
    for server in &servers {
        server.abort();
    }
    if ended.is_ok() && on_stop == OnStop::Keep {
        router.hand_over().await;
        tracing::info!("rbgpd stops and leaves routes, devices and neighbours as they are");
        log.finish();
        // Whatever came to an end in order would say so to neighbours and to the next start, or take
        // its entries along.
        std::process::exit(0);
    }
    router.stop().await;
    tracing::info!("rbgpd has stopped");
    ended
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Until a signal ends the service or the core ends by itself.
async fn attend(
    signals: &mut Signals,
    router: &Router,
    (settings, mut debugging): (
        &mut watch::Receiver<ServiceSettings>,
        watch::Receiver<BTreeSet<Debug>>,
    ),
    log: &Log,
) -> Result<(), Failure> {
    // Half the time systemd allows, as it recommends; without a watchdog, often enough to
    // notice a dead core.
    let mut beat = tokio::time::interval(watchdog().unwrap_or(Duration::from_secs(5)) / 2);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hangup.recv() => {
                reload(&router.handle()).await;
                // The file may have been put away, whatever has changed.
                log.change(&settings.borrow_and_update().log, &debugging.borrow_and_update());
            }
            // Without the core nothing changes any more; the beat below notices.
            Ok(()) = settings.changed() => {
                log.change(&settings.borrow_and_update().log, &debugging.borrow_and_update());
            }
            Ok(()) = debugging.changed() => {
                log.select(&settings.borrow().log, &debugging.borrow_and_update());
            }
            _ = beat.tick() => {
                if router.is_stopped() {
                    return Err(Failure("the core has ended".to_owned()));
                }
                // Alive is who answers.
                if router.ask(Request::Version).await.is_ok() {
                    notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }
}

fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify systemd");
    }
}

async fn reload(core: &CoreHandle) {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
    match core.ask(Request::Reload { dry_run: false }).await {
        Ok(Reply::Reload(reload)) => {
            for change in &reload.changes {
                tracing::info!(%change, "reload");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "reload refused, the running configuration stays"),
    }
    notify(&[NotifyState::Ready]);
}

/// Moves traffic away before the stop, for as long as configured.
async fn drain_first(router: &Router, patience: Duration) {
    router.drain_before_stop().await;
    let core = router.handle();
    let moved = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            match core.ask(Request::DrainStatus).await {
                Ok(Reply::Drain(status)) if !status.complete => {}
                Ok(_) | Err(_) => return,
            }
        }
    };
    if tokio::time::timeout(patience, moved).await.is_err() {
        tracing::warn!("stopping although traffic has not been seen to move");
    }
}
