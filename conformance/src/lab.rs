//! A laboratory of network namespaces: routers, links, tunnels and virtual machines on one
//! machine.
//!
//! [`Lab`] owns a unique name prefix and a state directory. Everything made through it
//! (namespaces, processes, containers) is recorded there and taken away when the lab is dropped;
//! [`Lab::teardown`] does the same and says what was left behind, which must be nothing. A lab
//! whose program was killed is swept by the next one that starts.
//!
//! ```text
//! Lab ─► Namespace (netns, and for a site a mount namespace)
//!     ─► Fabric    (underlay: WireGuard, shared segment or a mesh of links)
//!     ─► Node      (rbgpd, or FRR from the host, a Debian suite or a container)
//!     ─► Vm        (a namespace behind a bridge of a site)
//!     ─► uml       (the whole test once more, in a kernel that has what this one lacks)
//! Cloud = the three-site topology made of these, with the questions the tests ask it
//! Pair  = rbgpd and one neighbour of any make on one link, configured by the test, and a third
//!         on another link for those who ask for it
//! Edge  = one of several routers of any make with hosts behind overlays that route, and a Tenant
//!         what all of them have of one VRF
//! ```
//!
//! What it does not do: it never touches the machine's own interfaces, routes or services, and it
//! never sleeps where it can wait for a condition.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use bird::Bird;
pub use cloud::{Cloud, Plan, Program, SERVICE, Site};
pub use command::Output;
pub use drill::Drill;
pub use edge::{Edge, Host};
pub use error::Error;
pub use exporter::{Exporter, Way};
pub use frr::{Frr, Release};
pub use interrupt::Interrupt;
pub use monitor::RouteMonitor;
pub use namespace::Namespace;
pub use node::{Family, Node};
pub use overlay::{PATIENCE, bridging_frr, overlay_head, overlay_head_with};
pub use pair::Pair;
pub use ping::{PingReport, Pinger};
pub use process::Process;
pub use rbgpd::Rbgpd;
pub use rbgpd::binary;
pub use require::{Requirement, missing, note_skip};
pub use rtr::RtrCache;
pub use scenario::{scenario, scenario_beside_others};
pub use sides::{bird_side, frr_side, toward};
pub use tenant::{Tenant, overlay_frr};
pub use underlay::{Fabric, Link, Underlay};
pub use vm::Vm;
pub use wait::{Seen, Timeout, wait_until};

mod bird;
mod checks;
mod cloud;
pub mod command;
mod config;
mod drill;
pub mod edge;
mod error;
mod exporter;
mod frr;
mod interrupt;
pub mod kernel;
mod monitor;
mod namespace;
mod node;
pub mod overlay;
mod pair;
mod ping;
mod process;
mod rbgpd;
mod require;
mod rootfs;
mod rtr;
mod scenario;
mod sides;
mod skip;
mod sweep;
mod tenant;
pub mod uml;
mod underlay;
mod vm;
mod wait;
pub mod wire;
mod wireguard;

/// Where every lab keeps its state while it runs.
const ROOT: &str = "/run/rbgpd-lab";

/// Longest wait for an answer of a router: connection attempts of the slowest peer included.
const ANSWER: Duration = Duration::from_secs(60);

/// How long a failed lab waits for somebody to look at it.
const HOLD: Duration = Duration::from_secs(3600);

/// One laboratory; dropping it removes everything that was made through it.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    dir: PathBuf,
    clock: Mutex<Instant>,
    interrupted: Mutex<Option<Arc<AtomicBool>>>,
    keep_logs: AtomicBool,
    torn_down: AtomicBool,
    /// Held for the life of an exclusive lab.
    _turn: Option<File>,
}

impl Lab {
    /// Opens a lab. `name` becomes a part of every namespace name; several labs may run side by
    /// side.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::open(name, None)
    }

    /// Opens a lab when no other exclusive lab runs on this machine, and waits for that as long as
    /// it takes: tests with tight times use this so that they do not take the processor from each
    /// other.
    pub fn exclusive(name: &str) -> Result<Self, Error> {
        Self::in_turn(name, File::lock)
    }

    /// Opens a lab when no exclusive one runs, beside others like it.
    pub fn beside_others(name: &str) -> Result<Self, Error> {
        Self::in_turn(name, File::lock_shared)
    }

    fn in_turn(name: &str, lock: fn(&File) -> io::Result<()>) -> Result<Self, Error> {
        make_root()?;
        let path = Path::new(ROOT).join("turn.lock");
        let turn = File::create(&path).map_err(|e| Error::io(path.display(), e))?;
        lock(&turn).map_err(|e| Error::io(path.display(), e))?;
        Self::open(name, Some(turn))
    }

    fn open(name: &str, turn: Option<File>) -> Result<Self, Error> {
        make_root()?;
        sweep::dead_labs(Path::new(ROOT));
        let (prefix, dir) = claim(name)?;
        let owner = dir.join("owner");
        let text = process::identity(std::process::id()).unwrap_or_default();
        fs::write(&owner, text).map_err(|e| Error::io(owner.display(), e))?;
        Ok(Self {
            prefix,
            dir,
            clock: Mutex::new(Instant::now()),
            interrupted: Mutex::new(None),
            keep_logs: AtomicBool::new(false),
            torn_down: AtomicBool::new(false),
            _turn: turn,
        })
    }

    /// The prefix of every name this lab makes.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The state directory: configurations, sockets and logs, one folder for each site.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder inside the state directory, made if it is not there.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).map_err(|e| Error::io(path.display(), e))?;
        Ok(path)
    }

    /// Makes a network namespace that forwards packets.
    pub fn namespace(&self, name: &str) -> Result<Namespace, Error> {
        Namespace::create(&format!("{}-{name}", self.prefix))
    }

    /// Starts a program and records it, so that even a program killed half-way leaves a trace to
    /// sweep. Its output goes to the file `log`.
    pub fn spawn(
        &self,
        name: &str,
        command: std::process::Command,
        log: &Path,
    ) -> Result<Process, Error> {
        let process = Process::spawn(name, command, log)?;
        let path = self.dir.join("processes");
        let line = process::identity(process.pid()).unwrap_or_default();
        let mut ledger = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| Error::io(path.display(), e))?;
        writeln!(ledger, "{line}").map_err(|e| Error::io(path.display(), e))?;
        Ok(process)
    }

    /// Makes every later wait end with [`Error::Interrupted`] once the signal has come.
    pub fn interrupt_by(&self, interrupt: &Interrupt) {
        *lock(&self.interrupted) = Some(interrupt.flag());
    }

    /// Sets the zero of the times that [`Lab::step`] prints.
    pub fn start_clock(&self) {
        *lock(&self.clock) = Instant::now();
    }

    /// Time since [`Lab::start_clock`], or since the lab was opened.
    pub fn elapsed(&self) -> Duration {
        lock(&self.clock).elapsed()
    }

    /// Prints one line: the time and what was reached, with its figure.
    pub fn step(&self, what: impl std::fmt::Display) {
        println!("{:8.2} s  {what}", self.elapsed().as_secs_f64());
    }

    /// [`wait_until`], with an end to it when a signal came.
    ///
    /// With `RBGPD_LAB_HOLD` set, a lab whose condition did not come true stays up, for looking
    /// into it with `ip netns exec` and vtysh, until the file that it names is removed.
    pub fn wait_until<S: Seen>(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut() -> S,
    ) -> Result<Duration, Error> {
        let flag = lock(&self.interrupted).clone();
        let stopped = || flag.as_ref().is_some_and(|f| f.load(Ordering::Relaxed));
        let waited = wait_until(what, limit, || {
            if stopped() {
                Ok(())
            } else {
                condition().seen()
            }
        });
        if let Err(timeout) = &waited {
            self.hold(timeout);
        }
        let waited = waited?;
        if stopped() {
            return Err(Error::Interrupted);
        }
        Ok(waited)
    }

    /// As [`Lab::wait_until`], and prints the step.
    pub fn reach<S: Seen>(
        &self,
        what: &str,
        limit: Duration,
        condition: impl FnMut() -> S,
    ) -> Result<Duration, Error> {
        let waited = self.wait_until(what, limit, condition)?;
        self.step(what);
        Ok(waited)
    }

    /// Asks until the answer contains all of these texts, prints the step and returns the answer.
    /// White space counts as one blank, so that a text is found wherever a line was broken.
    pub fn until_shown(
        &self,
        what: &str,
        texts: &[&str],
        ask: impl Fn() -> Result<String, Error>,
    ) -> Result<String, Error> {
        let mut last = String::new();
        let what = format!("{what} with {}", texts.join(", "));
        self.reach(&what, ANSWER, || {
            let words = ask()?;
            last = words.split_whitespace().collect::<Vec<_>>().join(" ");
            match texts.iter().all(|text| last.contains(text)) {
                true => Ok(()),
                false => Err(Error::State(last.clone())),
            }
        })?;
        Ok(last)
    }

    /// Keeps configurations and logs when the lab goes away, and returns where they will be.
    pub fn keep_logs(&self) -> PathBuf {
        self.keep_logs.store(true, Ordering::Relaxed);
        self.kept()
    }

    /// Takes everything away and returns what is still there afterwards: nothing, if all is well.
    pub fn teardown(self) -> Vec<String> {
        self.take_down();
        Self::leftovers(&self.prefix)
    }

    /// Namespaces, processes, devices, containers and directories that carry this lab's prefix.
    pub fn leftovers(prefix: &str) -> Vec<String> {
        sweep::leftovers(Path::new(ROOT), prefix)
    }

    fn hold(&self, timeout: &Timeout) {
        if std::env::var_os("RBGPD_LAB_HOLD").is_none() {
            return;
        }
        let file = self.dir.join("hold");
        if fs::write(&file, "").is_ok() {
            eprintln!(
                "lab: {timeout}\nlab: held until {} is removed",
                file.display()
            );
            // However this wait ends, the failure is reported next.
            let _ = wait_until("hold", HOLD, || !file.exists());
        }
    }

    fn kept(&self) -> PathBuf {
        std::env::temp_dir()
            .join("rbgpd-lab-logs")
            .join(&self.prefix)
    }

    fn take_down(&self) {
        if self.torn_down.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.keep_logs.load(Ordering::Relaxed) || std::thread::panicking() {
            let kept = self.kept();
            match sweep::copy_logs(&self.dir, &kept) {
                Ok(()) => eprintln!("lab: logs kept in {}", kept.display()),
                Err(error) => eprintln!("lab: logs could not be kept: {error}"),
            }
        }
        sweep::remove(&self.dir, &self.prefix);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.take_down();
    }
}

fn make_root() -> Result<(), Error> {
    fs::create_dir_all(ROOT).map_err(|e| Error::io(ROOT, e))
}

/// Takes the first free name: making a directory is what decides between two labs.
fn claim(name: &str) -> Result<(String, PathBuf), Error> {
    // A hyphen ends the prefix in the names of what the lab makes: a lab `a` must not take the
    // namespace `left` of a lab `a-b` for its own.
    let stem = format!("rl{}-{}", std::process::id(), name.replace('-', "_"));
    for number in 1..100 {
        let prefix = if number == 1 {
            stem.clone()
        } else {
            format!("{stem}{number}")
        };
        let dir = Path::new(ROOT).join(&prefix);
        match fs::create_dir(&dir) {
            Ok(()) => return Ok((prefix, dir)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io(dir.display(), e)),
        }
    }
    Err(Error::State(format!("no free lab name like `{stem}`")))
}

/// A poisoned lock only means that another thread failed; what it guards here is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
