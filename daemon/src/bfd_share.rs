//! One BFD thread for all instances: who asked for which session, and who hears of it.
//!
//! UDP port 3784 can be had once, so the thread is one. It is started with the first session that
//! any instance wants and ends with the last [`BfdShare`]. A session belongs to the instance that
//! asked for it: that one's neighbour is told, straight from the thread, and that one alone can
//! change the session, remove it or see how it stands.
//!
//! What an event means for a neighbour is the business of [`crate::tasks::Registry`].

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bfd_io::{BfdHandle, BfdThread, Params, SessionKey, Status};
use crate::tasks::Registry;

/// What all instances have together.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    // A lock because instances come and go at any time; held to start the thread or to take a
    // reference to it.
    thread: Mutex<Option<Arc<BfdHandle>>>,
    owners: Owners,
}

/// Whose session is whose. A lock because the thread looks it up while cores add to it; held for one
/// look-up or insertion.
#[derive(Debug, Clone, Default)]
struct Owners(Arc<Mutex<HashMap<SessionKey, (u8, Registry)>>>);

impl Owners {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, (u8, Registry)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// Adds a session, or changes its parameters without taking it down. One of another instance,
    /// whose neighbour moved here, begins anew: a session that is up already would tell nobody so.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started: another BFD daemon may have the port.
    pub(crate) fn set(&self, key: SessionKey, parameters: Params) -> io::Result<()> {
        let thread = self.start()?;
        let owner = (self.number, self.registry.clone());
        let before = self.hub.owners.lock().insert(key.clone(), owner);
        if before.is_some_and(|(number, _)| number != self.number) {
            thread.remove(key.clone());
        }
        thread.set(key, parameters);
        Ok(())
    }

    /// Forgets a session of this instance, which hears no more of it.
    pub(crate) fn remove(&self, key: SessionKey) {
        if self.owns(&key)
            && let Some(thread) = self.running()
        {
            self.hub.owners.lock().remove(&key);
            thread.remove(key);
        }
    }

    /// This instance's sessions.
    pub(crate) fn status(&self) -> Vec<Status> {
        let Some(thread) = self.running() else {
            return Vec::new();
        };
        let mut sessions = thread.status();
        sessions.retain(|session| self.owns(&session.key));
        sessions
    }

    fn owns(&self, key: &SessionKey) -> bool {
        let owners = self.hub.owners.lock();
        owners
            .get(key)
            .is_some_and(|(number, _)| *number == self.number)
    }

    fn running(&self) -> Option<Arc<BfdHandle>> {
        self.thread().clone()
    }

    fn start(&self) -> io::Result<Arc<BfdHandle>> {
        let mut thread = self.thread();
        if let Some(thread) = &*thread {
            return Ok(Arc::clone(thread));
        }
        let owners = self.hub.owners.clone();
        let tell = move |event: crate::bfd_io::Event| {
            let owner = owners
                .lock()
                .get(&event.key)
                .map(|(_, registry)| registry.clone());
            if let Some(registry) = owner {
                registry.bfd_event(&event);
            }
        };
        let started = Arc::new(BfdThread::spawn(Box::new(tell))?);
        *thread = Some(Arc::clone(&started));
        Ok(started)
    }

    fn thread(&self) -> MutexGuard<'_, Option<Arc<BfdHandle>>> {
        let thread = self.hub.thread.lock();
        thread.unwrap_or_else(PoisonError::into_inner)
    }
}
