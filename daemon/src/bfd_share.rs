//! One BFD thread for all instances, and one session for all who watch the same path.
//!
//! ```text
//!  a neighbour ─┐  watch(client, key, settings, listener)          ┌─► BfdThread
//!  [[bfd]]      ├─► Hub: sessions, each with those who watch it ───┤
//!  a route     ─┘◄──────────── listener(event) ◄───────────────────┘
//! ```
//!
//! UDP port 3784 can be had once, so the thread is one. It is started with the first session that
//! anybody wants and ends with the last [`BfdShare`]. Whoever wants to know about a path says so
//! with [`BfdShare::watch`], hears of each event and, when the session was there before, at once of
//! how it stands. A session lives as long as somebody watches it. When several do, it runs as the
//! first of them in the order of [`Client`] says: what is configured as `[[bfd]]` counts before
//! what a neighbour says, and that before a route. Who leaves an interface or our address open joins
//! a session that has one.
//!
//! What an event means is the client's business; for a neighbour that is
//! [`crate::tasks::Registry`]'s.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp::ScopedAddr;

use crate::bfd_io::{
    BfdHandle, BfdThread, Event, EventKind, Report, SessionKey, Settings, Status,
};
use crate::tasks::Registry;

/// Who watches a session. The order says whose settings count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    /// `[[bfd]]` of this path: the session is wanted for itself.
    Alone(SessionKey),
    /// The BGP session with this neighbour.
    Neighbor(ScopedAddr),
    /// Static routes by way of the router at the end of this path.
    Route(SessionKey),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone(_) => f.write_str("bfd"),
            Self::Neighbor(address) => write!(f, "neighbor {address}"),
            Self::Route(_) => f.write_str("static route"),
        }
    }
}

/// Called for each event, on the BFD thread or, for what happened before, on the caller's. It must
/// not block and must not call the share.
pub(crate) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// What all instances have together.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    // A lock because instances come and go at any time; held while a command is worked out and sent,
    // so that commands for one session come in the order in which they were decided. The BFD thread
    // never takes it.
    thread: Mutex<Option<Arc<BfdHandle>>>,
    watched: Watched,
}

/// The sessions and who watches them. A lock because the thread looks them up while cores add to
/// them; held for one look-up or insertion, and while listeners are called, which do not block: so
/// each hears events in their order.
#[derive(Debug, Clone, Default)]
struct Watched(Arc<Mutex<BTreeMap<SessionKey, Session>>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session as those who watch it have it.
#[derive(Debug, Default)]
struct Session {
    /// By client and number of the instance.
    clients: BTreeMap<(Client, u8), Wish>,
    /// The last event, told to whoever joins.
    last: Option<Event>,
}

struct Wish {
    settings: Settings,
    listener: Listener,
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl Session {
    /// How it runs.
    fn settings(&self) -> Option<Settings> {
        let (_, first) = self.clients.first_key_value()?;
        Some(first.settings.clone())
    }
}

/// A session with those of an instance who watch it.
#[derive(Debug)]
pub(crate) struct WatchedStatus {
    /// The session.
    pub(crate) status: Status,
    /// Who watches it here, in order.
    pub(crate) clients: Vec<Client>,
}

/// An instance's part of the BFD thread.
#[derive(Debug, Clone)]
pub(crate) struct BfdShare {
    hub: Arc<Hub>,
    number: u8,
    registry: Registry,
}

impl BfdShare {
    /// The part of an instance, with a number of its own and its neighbours.
    pub(crate) fn new(hub: &Arc<Hub>, number: u8, registry: Registry) -> Self {
        Self {
            hub: Arc::clone(hub),
            number,
            registry,
        }
    }

    /// What tells a neighbour of this instance.
    pub(crate) fn to_neighbor(&self, address: ScopedAddr) -> Listener {
        let registry = self.registry.clone();
        Arc::new(move |event| registry.bfd_event(address, event))
    }

    /// Watches a path: with a session of its own, or with the one that is there. Asked again with
    /// other settings, the session is changed without being taken down. When it has been up before,
    /// the listener hears of it at once.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started: another BFD daemon may have the port.
    pub(crate) fn watch(
        &self,
        client: Client,
        key: &SessionKey,
        settings: Settings,
        listener: Listener,
    ) -> io::Result<()> {
        let mut slot = self.slot();
        let thread = self.start(&mut slot)?;
        let changed = {
            let mut watched = self.hub.watched.lock();
            let key = joined(&watched, key, &(client.clone(), self.number));
            let session = watched.entry(key.clone()).or_default();
            let before = session.settings();
            let wish = Wish { settings, listener };
            let told = session.clients.insert((client.clone(), self.number), wish);
            // Who hears for the first time has missed what was.
            if let (None, Some(event)) = (told, &session.last)
                && let Some(wish) = session.clients.get(&(client, self.number))
            {
                (wish.listener)(event);
            }
            let after = session.settings();
            after
                .filter(|it| Some(it) != before.as_ref())
                .map(|it| (key, it))
        };
        if let Some((key, settings)) = changed {
            thread.set(key, settings);
        }
        Ok(())
    }

    /// Ends what [`BfdShare::watch`] began. The session ends with the last who watches it.
    pub(crate) fn unwatch(&self, client: &Client, key: &SessionKey) {
        let slot = self.slot();
        let Some(thread) = &*slot else { return };
        let whose = (client.clone(), self.number);
        let mut watched = self.hub.watched.lock();
        let key = joined(&watched, key, &whose);
        let Some(session) = watched.get_mut(&key) else {
            return;
        };
        let before = session.settings();
        session.clients.remove(&whose);
        let after = session.settings();
        if after.is_none() {
            watched.remove(&key);
        }
        drop(watched);
        match after {
            None => thread.remove(key),
            Some(after) if Some(&after) != before.as_ref() => thread.set(key, after),
            Some(_) => {}
        }
    }

    /// The sessions that somebody of this instance watches.
    pub(crate) fn status(&self) -> Vec<WatchedStatus> {
        let sessions = self.report().sessions;
        let watched = self.hub.watched.lock();
        let here = |status: Status| {
            let clients = &watched.get(&status.key)?.clients;
            let clients = clients.keys().filter(|(_, number)| *number == self.number);
            let clients: Vec<Client> = clients.map(|(client, _)| client.clone()).collect();
            (!clients.is_empty()).then_some(WatchedStatus { status, clients })
        };
        sessions.into_iter().filter_map(here).collect()
    }

    /// The thread and the sessions of all instances.
    pub(crate) fn report(&self) -> Report {
        let running = self.slot().clone();
        running.map(|thread| thread.report()).unwrap_or_default()
    }

    fn start(&self, slot: &mut Option<Arc<BfdHandle>>) -> io::Result<Arc<BfdHandle>> {
        if let Some(thread) = slot {
            return Ok(Arc::clone(thread));
        }
        let watched = self.hub.watched.clone();
        let tell = move |event: Event| {
            tracing::info!(
                peer = %event.peer(),
                state = ?event.kind,
                diagnostic = %event.diagnostic,
                remote_diagnostic = %event.remote_diagnostic,
                "BFD"
            );
            if let Some(session) = watched.lock().get_mut(&event.key) {
                for wish in session.clients.values() {
                    (wish.listener)(&event);
                }
                // Somebody's wish says nothing of the path, now or later.
                match event.kind {
                    EventKind::Up | EventKind::Down => session.last = Some(event),
                    EventKind::AdminDown => session.last = None,
                }
            }
        };
        let started = Arc::new(BfdThread::spawn(Box::new(tell))?);
        *slot = Some(Arc::clone(&started));
        Ok(started)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<BfdHandle>>> {
        let thread = self.hub.thread.lock();
        thread.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of the session on that path, which may say more or less than the one that is asked for:
/// the one that this client watches already, then the one that says the same, then any.
fn joined(
    watched: &BTreeMap<SessionKey, Session>,
    key: &SessionKey,
    whose: &(Client, u8),
) -> SessionKey {
    let agrees = |one: &SessionKey| {
        let interface = one.interface.is_none() || key.interface.is_none();
        let local = one.local.is_none() || key.local.is_none();
        (one.peer, &one.vrf, one.multihop) == (key.peer, &key.vrf, key.multihop)
            && (interface || one.interface == key.interface)
            && (local || one.local == key.local)
    };
    let there = watched.iter().filter(|(one, _)| agrees(one));
    let best = there.min_by_key(|(one, session)| {
        let own = session.clients.contains_key(whose);
        (!own, *one != key)
    });
    best.map_or(key, |(one, _)| one).clone()
}

#[cfg(test)]
mod tests;
