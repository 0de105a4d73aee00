//! WireGuard's AllowedIPs follow the routes: the thread that talks to the device.
//!
//! ```text
//! core ──want, sweep, follow──► inbox ──► AllowedIps ──plan──► device
//!   ▲                                        ▲                    │
//!   └───────── view ◄──── Handshakes ◄───────┴──── read once a second
//! ```
//!
//! The core says which prefix leads to which next hop; the thread keeps the device that way. What
//! waits is at most the last word per prefix, and what comes within a few milliseconds is one request. The device
//! is read again and again, since it may appear after us, be made anew, lose its peers or be changed
//! by hand, and nothing tells of any of that. It is read once more before a prefix is added for the first
//! time: what somebody gave to a peer a moment ago is theirs. What was read is there for whoever asks
//! about a neighbour: endpoint, last handshake, octets.
//!
//! Before prefixes are added for the first time they are written down in the state directory, so
//! that the next run knows them from the operator's (`fib::wireguard::AllowedIps`). What an operator
//! is told of all that, and how often, is in [`telling`].
//!
//! It makes no interface, no peer and no key. With `sync_allowed_ips = "dry-run"` it changes
//! nothing, and says what it would.

mod telling;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use bgp::Prefix;
use fib::wireguard::{AllowedIps, Device, Handshakes, InKernel, Peer, Userspace, WireguardError};
use ipnetwork::IpNetwork;

use crate::config::{Config, SyncAllowedIps, Underlay};
use crate::state::StateDir;
use telling::Told;
pub(crate) use telling::{Difference, Numbers, PeerView, View, words};

/// How often the device is read, unless reading it takes long.
const LOOK: Duration = Duration::from_secs(1);

/// Reading takes one part in this many of a processor at most.
const LOOK_SHARE: u32 = 100;

/// The longest time between two looks.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// How often a device that does not answer is tried.
const RETRY: Duration = Duration::from_millis(500);

/// The same where AllowedIPs are not our business.
const RETRY_IDLE: Duration = Duration::from_secs(30);

/// From one change to the next: what comes in between is one request.
const PACE: Duration = Duration::from_millis(5);

/// Longest wait for an answer of the thread.
const ANSWER: Duration = Duration::from_secs(10);

/// The way to the thread. Ends it when dropped; the device stays as it is, for the next start.
#[derive(Debug)]
pub(crate) struct WireguardHandle {
    interface: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    // Locks because the core must not wait for the device, and a queue could grow.
    inbox: Mutex<Inbox>,
    changed: Condvar,
    view: Mutex<Arc<View>>,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Inbox {
    wishes: HashMap<Prefix, Option<IpAddr>>,
    settings: Option<Settings>,
    asks: Vec<mpsc::Sender<Vec<Difference>>>,
    sweep: bool,
    stop: bool,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.wishes.is_empty()
            && self.settings.is_none()
            && self.asks.is_empty()
            && !self.sweep
            && !self.stop
    }
}

/// What a reload changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings {
    sync: SyncAllowedIps,
    limit: usize,
}

impl Settings {
    fn of(underlay: &Underlay) -> Self {
        Self {
            sync: underlay.sync_allowed_ips,
            limit: usize::try_from(underlay.maximum_allowed_ips).unwrap_or(usize::MAX),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn publish(&self, view: View) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    fn count(&self, numbers: Numbers) {
        *self.numbers.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    }
}

impl WireguardHandle {
    /// Starts the thread if the configuration names an interface.
    pub(crate) fn start(config: &Config, state: Option<StateDir>) -> Option<Self> {
        let underlay = config.underlay.clone()?;
        let interface = underlay.interface.clone();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("wireguard".to_owned())
            .spawn(move || Follower::new(underlay, state).run(&theirs));
        match thread {
            Ok(thread) => Some(Self {
                interface,
                shared,
                thread: Some(thread),
            }),
            Err(error) => {
                tracing::error!(%error, "AllowedIPs will not follow routes: no thread");
                None
            }
        }
    }

    /// The name of the interface.
    pub(crate) fn interface(&self) -> &str {
        &self.interface
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

    /// A reload has changed what is done.
    pub(crate) fn follow(&self, underlay: &Underlay) {
        let settings = Settings::of(underlay);
        self.shared.tell(|inbox| inbox.settings = Some(settings));
    }

    /// The interface as it was read last.
    pub(crate) fn view(&self) -> Arc<View> {
        let view = self.shared.view.lock();
        Arc::clone(&view.unwrap_or_else(PoisonError::into_inner))
    }

    /// How AllowedIPs are at the moment.
    pub(crate) fn numbers(&self) -> Numbers {
        let numbers = self.shared.numbers.lock();
        *numbers.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the interface and says what differs, before it is put right. Waits in the returned
    /// function, and not here.
    pub(crate) fn differences(&self) -> impl FnOnce() -> Vec<Difference> + Send + 'static {
        let (answer, answers) = mpsc::channel();
        self.shared.tell(|inbox| inbox.asks.push(answer));
        let interface = self.interface.clone();
        move || {
            answers.recv_timeout(ANSWER).unwrap_or_else(|_| {
                vec![Difference {
                    prefix: None,
                    want: None,
                    have: None,
                    error: Some(format!("{interface} could not be read in time")),
                }]
            })
        }
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
    settings: Settings,
    state: Option<StateDir>,
    table: AllowedIps,
    handshakes: Handshakes,
    peers: Vec<Peer>,
    /// What the record has, and so more than what is ours.
    recorded: BTreeSet<IpNetwork>,
    told: Told,
    numbers: Numbers,
    /// Peers were read, so the plan means something.
    observed: bool,
}

impl Follower {
    fn new(underlay: Underlay, state: Option<StateDir>) -> Self {
        let record = state.as_ref().map(|it| it.allowed_ips(&underlay.interface));
        let recorded = record.transpose().unwrap_or_else(|error| {
            let interface = &underlay.interface;
            tracing::warn!(%interface, %error, "cannot read which AllowedIPs were added by the last \
                run: all that are there count as the operator's");
            None
        });
        let recorded = recorded.unwrap_or_default();
        let settings = Settings::of(&underlay);
        let mut table = AllowedIps::with_record(recorded.clone());
        table.set_limit(settings.limit);
        Self {
            told: Told::about(&underlay.interface),
            underlay,
            settings,
            state,
            table,
            handshakes: Handshakes::default(),
            peers: Vec::new(),
            recorded,
            numbers: Numbers::default(),
            observed: false,
        }
    }

    fn run(mut self, shared: &Shared) {
        let mut look_at = Instant::now();
        let mut not_before = Instant::now();
        loop {
            let inbox = wait(shared, look_at, not_before);
            // What is wanted no more goes first: an instance may end while others go on.
            if inbox.stop && inbox.wishes.is_empty() {
                return;
            }
            if let Some(settings) = inbox.settings {
                self.set(settings);
            }
            let begin = Instant::now();
            let mut look = look_at <= begin || !self.observed || !inbox.asks.is_empty();
            let mut result = self.device();
            if look {
                result = result.and_then(|mut device| self.look(device.as_mut()).map(|()| device));
            }
            // What was told in the meantime is about to be written, and no difference.
            for ask in inbox.asks {
                // Whoever gave up waiting needs no answer.
                drop(ask.send(self.differences(result.as_ref().err())));
            }
            for (prefix, next_hop) in inbox.wishes {
                self.table.set(prefix.into(), next_hop);
            }
            if inbox.sweep {
                // Without the device, what is left is known by the record, and goes once it is back.
                self.table.sweep();
            }
            let again = result.as_mut().map_or(Ok(false), |device| match look {
                true => Ok(false),
                false => self.look_before_new(device.as_mut()),
            });
            look |= matches!(again, Ok(true));
            let took = begin.elapsed();
            let result = again.and(result);
            let result = result.and_then(|mut device| self.change(device.as_mut()));
            if result.is_err() {
                self.table.doubt();
                self.observed = false;
            }
            let ok = result.is_ok();
            // Whoever only wants to look may name an interface of another kind.
            if self.settings.sync != SyncAllowedIps::No {
                self.told.complain(result.err().as_ref());
            }
            if look || !ok {
                self.report(shared);
                look_at = Instant::now() + self.next_look(ok, took);
            }
            shared.count(self.numbers);
            if inbox.stop {
                return;
            }
            // A device that refuses is not asked again for each route, and one that is long to read not
            // read for each without a pause.
            let pace = if look { PACE.max(took) } else { PACE };
            not_before = Instant::now() + if ok { pace } else { RETRY };
        }
    }

    fn next_look(&self, ok: bool, took: Duration) -> Duration {
        match (ok, self.settings.sync) {
            (true, _) => took.saturating_mul(LOOK_SHARE).clamp(LOOK, LOOK_MAX),
            (false, SyncAllowedIps::No) => RETRY_IDLE,
            (false, SyncAllowedIps::DryRun | SyncAllowedIps::Yes) => RETRY,
        }
    }

    fn set(&mut self, settings: Settings) {
        if self.settings == settings {
            return;
        }
        self.settings = settings;
        self.table.set_limit(settings.limit);
        self.told.forget();
    }

    /// Reads the device.
    fn look(&mut self, device: &mut dyn Device) -> Result<(), WireguardError> {
        self.peers = device.peers()?;
        let seen = self.table.observe(&self.peers);
        self.observed = true;
        let follows = self.settings.sync == SyncAllowedIps::Yes;
        if seen.lost > 0 && follows {
            self.numbers.repaired += count(seen.lost);
            let (interface, prefixes) = (&self.underlay.interface, seen.lost);
            tracing::warn!(%interface, prefixes, "AllowedIPs were changed by somebody else and are \
                put right");
        }
        let (now, clock) = (Instant::now(), SystemTime::now());
        for (key, overdue) in self.handshakes.look(now, clock, &self.peers) {
            let peer = self.peers.iter().find(|peer| peer.public_key == key);
            if let Some(peer) = peer {
                self.told.overdue(peer, overdue);
            }
        }
        Ok(())
    }

    /// Reads the device where a prefix is about to be added for the first time: since the last look
    /// somebody may have given it to a peer. Returns whether it was read.
    fn look_before_new(&mut self, device: &mut dyn Device) -> Result<bool, WireguardError> {
        let new = self.settings.sync == SyncAllowedIps::Yes && self.table.brings_new();
        if new {
            self.look(device)?;
        }
        Ok(new)
    }

    /// Makes the device as wanted.
    fn change(&mut self, device: &mut dyn Device) -> Result<(), WireguardError> {
        match self.settings.sync {
            SyncAllowedIps::No | SyncAllowedIps::DryRun => return Ok(()),
            SyncAllowedIps::Yes => {}
        }
        let plan = self.table.plan();
        if plan.is_empty() {
            return Ok(());
        }
        self.record(false);
        device.apply(&plan)?;
        self.table.applied(&plan);
        self.numbers.changes += count(plan.len());
        self.numbers.requests += 1;
        Ok(())
    }

    /// Writes down what is ours: before something is added, and with `shrink` after something went.
    fn record(&mut self, shrink: bool) {
        let Some(state) = &self.state else {
            return;
        };
        let ours = self.table.ours();
        let stale = match shrink {
            true => *ours != self.recorded,
            false => !ours.is_subset(&self.recorded),
        };
        if !stale {
            return;
        }
        let written = state.set_allowed_ips(&self.underlay.interface, ours);
        self.told.record(written.as_ref().err());
        if written.is_ok() {
            self.recorded = ours.clone();
        }
    }

    /// A userspace WireGuard where its socket is, else the kernel's.
    fn device(&self) -> Result<Box<dyn Device>, WireguardError> {
        let userspace = match &self.underlay.wireguard_socket {
            Some(path) => Userspace::at(path),
            None => Userspace::new(&self.underlay.interface),
        };
        if self.underlay.wireguard_socket.is_some() || userspace.is_served() {
            return Ok(Box::new(userspace));
        }
        Ok(Box::new(InKernel::open(&self.underlay.interface)?))
    }

    /// Tells whoever asks about the interface how it is.
    fn report(&mut self, shared: &Shared) {
        if self.settings.sync == SyncAllowedIps::Yes && self.observed {
            self.record(true);
        }
        let follows = self.settings.sync != SyncAllowedIps::No && self.observed;
        let unmet = match follows {
            true => self.table.unmet(),
            false => Vec::new(),
        };
        self.told.unmet(&unmet);
        let beyond = self.table.beyond().filter(|_| follows);
        self.told.beyond(self.settings.limit, beyond);
        let dry = follows && self.settings.sync == SyncAllowedIps::DryRun;
        self.told.would(dry.then(|| self.table.pending()).as_ref());
        self.numbers.installed = count(self.table.installed());
        self.numbers.unmet = count(unmet.len());
        let peers: &[Peer] = match self.observed {
            true => &self.peers,
            false => &[],
        };
        let base = self.table.base().to_vec();
        let view = View::new(base, peers, &self.handshakes, self.told.notices());
        shared.publish(view);
    }

    /// What is not as it should be, for whoever compares.
    fn differences(&self, error: Option<&WireguardError>) -> Vec<Difference> {
        match (self.settings.sync, error) {
            (SyncAllowedIps::No, _) => Vec::new(),
            (_, Some(error)) => vec![self.told.unread(error)],
            (sync, None) => telling::differences(&self.table, sync == SyncAllowedIps::DryRun),
        }
    }
}

/// Waits until there is something to do, and takes it. A change waits for its turn behind the one
/// before.
fn wait(shared: &Shared, look_at: Instant, not_before: Instant) -> Inbox {
    let mut inbox = shared.lock();
    loop {
        let until = match inbox.is_empty() {
            true => look_at,
            false if inbox.stop => break,
            false => not_before,
        };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            break;
        }
        let waited = shared.changed.wait_timeout(inbox, wait);
        inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    std::mem::take(&mut *inbox)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
