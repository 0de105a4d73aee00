//! WireGuard's AllowedIPs follow the routes: the thread that talks to the device.
//!
//! The core says which prefix leads to which next hop; the thread keeps the device that way. What
//! waits is at most the last word per prefix. The device is looked at again from time to time,
//! since it may appear after us, lose its peers or be changed by hand; what cannot be reached is
//! said once and tried again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bgp::Prefix;
use fib::wireguard::{AllowedIps, Device, InKernel, Userspace, WireguardError};
use ipnetwork::IpNetwork;

use crate::config::{Config, Underlay};

/// How often the device is read without reason.
const LOOK: Duration = Duration::from_secs(30);

/// How often a device that does not answer is tried.
const RETRY: Duration = Duration::from_millis(500);

/// The way to the thread. Ends it when dropped; the device stays as it is, for the next start.
#[derive(Debug)]
pub(crate) struct WireguardHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    // A lock because the core must not wait for the device, and a queue could grow.
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    wishes: HashMap<Prefix, Option<IpAddr>>,
    sweep: bool,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }
}

impl WireguardHandle {
    /// Starts the thread if the configuration asks for it.
    pub(crate) fn start(config: &Config) -> Option<Self> {
        let underlay = config
            .underlay
            .clone()
            .filter(|underlay| underlay.sync_allowed_ips)?;
        let kept = config
            .neighbors
            .iter()
            .map(|neighbor| neighbor.address.ip().into())
            .collect();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("wireguard".to_owned())
            .spawn(move || Follower::new(underlay, kept).run(&theirs));
        match thread {
            Ok(thread) => Some(Self {
                shared,
                thread: Some(thread),
            }),
            Err(error) => {
                tracing::error!(%error, "AllowedIPs will not follow routes: no thread");
                None
            }
        }
    }

    /// Packets to the prefix go to the peer of this next hop; `None`: no longer.
    pub(crate) fn want(&self, prefix: Prefix, next_hop: Option<IpAddr>) {
        self.shared.tell(|inbox| {
            inbox.wishes.insert(prefix, next_hop);
        });
    }

    /// What a previous run left and nobody wanted since goes.
    pub(crate) fn sweep(&self) {
        self.shared.tell(|inbox| inbox.sweep = true);
    }
}

impl Drop for WireguardHandle {
    fn drop(&mut self) {
        self.shared.tell(|inbox| inbox.stop = true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the WireGuard thread ended by panic");
        }
    }
}

/// Keeps one device's AllowedIPs as wanted.
struct Follower {
    underlay: Underlay,
    table: AllowedIps,
    /// What was complained about last.
    complaint: Option<String>,
    /// Peers were read, so the plan means something.
    observed: bool,
}

impl Follower {
    fn new(underlay: Underlay, kept: Vec<IpNetwork>) -> Self {
        let mut table = AllowedIps::new();
        kept.into_iter().for_each(|prefix| table.keep(prefix));
        Self {
            underlay,
            table,
            complaint: None,
            observed: false,
        }
    }

    fn run(mut self, shared: &Shared) {
        let mut look_at = Instant::now();
        loop {
            let (wishes, sweep) = {
                let mut inbox = shared.lock();
                while inbox.wishes.is_empty() && !inbox.sweep && !inbox.stop {
                    let wait = look_at.saturating_duration_since(Instant::now());
                    if wait.is_zero() {
                        break;
                    }
                    let waited = shared.changed.wait_timeout(inbox, wait);
                    inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                // What is wanted no more goes first: an instance may end while others go on.
                if inbox.stop && inbox.wishes.is_empty() {
                    return;
                }
                (
                    std::mem::take(&mut inbox.wishes),
                    std::mem::take(&mut inbox.sweep),
                )
            };
            for (prefix, next_hop) in wishes {
                self.table.set(prefix.into(), next_hop);
            }
            let looked = look_at <= Instant::now() || !self.observed;
            let result = self.follow(looked, sweep);
            let ok = result.is_ok();
            self.complain(result.err());
            if sweep && !ok {
                shared.lock().sweep = true;
            }
            if looked || !ok {
                look_at = Instant::now() + if ok { LOOK } else { RETRY };
            }
        }
    }

    fn follow(&mut self, look: bool, sweep: bool) -> Result<(), WireguardError> {
        let mut device = self.device()?;
        if look {
            let peers = device.peers()?;
            self.table.observe(&peers);
            self.observed = true;
        }
        if sweep {
            self.table.sweep();
        }
        let plan = self.table.plan();
        for change in &plan {
            device.apply(change)?;
        }
        if !plan.is_empty() {
            // What the device made of it.
            let peers = device.peers()?;
            self.table.observe(&peers);
        }
        Ok(())
    }

    /// A userspace WireGuard where its socket is, else the kernel's.
    fn device(&self) -> Result<Box<dyn Device>, WireguardError> {
        let userspace = match &self.underlay.wireguard_socket {
            Some(path) => Userspace::at(path),
            None => Userspace::new(&self.underlay.interface),
        };
        if userspace.exists() || self.underlay.wireguard_socket.is_some() {
            return Ok(Box::new(userspace));
        }
        Ok(Box::new(InKernel::open(&self.underlay.interface)?))
    }

    fn complain(&mut self, error: Option<WireguardError>) {
        let complaint = error.map(|error| error.to_string());
        if complaint != self.complaint {
            let interface = &self.underlay.interface;
            match &complaint {
                Some(error) => {
                    tracing::warn!(%interface, %error, "AllowedIPs do not follow routes")
                }
                None => tracing::info!(%interface, "AllowedIPs follow routes again"),
            }
            self.complaint = complaint;
        }
    }
}
