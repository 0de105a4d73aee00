//! The kernel thread of a test, and the events it told.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use fib::{Event, Kernel, KernelHandle, Key, Options};

use crate::namespace::PATIENCE;

#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) arrived: Condvar,
}

impl Heard {
    /// Waits for an event. Events before `from` do not count. Returns the place after it.
    pub(crate) fn wait_from(
        &self,
        from: usize,
        what: &str,
        wanted: impl Fn(&Event) -> bool,
    ) -> usize {
        let start = Instant::now();
        let mut events = self.events.lock().unwrap();
        loop {
            if let Some(at) = events.iter().skip(from).position(&wanted) {
                return from + at + 1;
            }
            let left = PATIENCE.checked_sub(start.elapsed());
            let left = left.unwrap_or_else(|| panic!("no event: {what}; heard {events:#?}"));
            events = self.arrived.wait_timeout(events, left).unwrap().0;
        }
    }

    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        self.wait_from(0, what, wanted)
    }

    pub(crate) fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    /// Forgets what was heard.
    pub(crate) fn clear(&self) {
        self.events.lock().unwrap().clear();
    }

    /// Waits for a refusal and gives what it says.
    pub(crate) fn failure_of(&self, of: &Key) -> String {
        let failed = |event: &Event| matches!(event, Event::Failed { key, .. } if key == of);
        let at = self.wait("a refusal", failed);
        match self.events.lock().unwrap().get(at - 1) {
            Some(Event::Failed { error, .. }) => error.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Those that failed and have not come right since: what is taken away while it is written may fail.
    pub(crate) fn failures(&self) -> Vec<(Key, String)> {
        let mut standing: Vec<(Key, String)> = Vec::new();
        for event in self.events.lock().unwrap().iter() {
            match event {
                Event::Failed { key, error, .. } => standing.push((key.clone(), error.clone())),
                Event::Installed { keys } => standing.retain(|(key, _)| !keys.contains(key)),
                Event::Removed { key } => standing.retain(|(of, _)| of != key),
                _ => {}
            }
        }
        standing
    }

    pub(crate) fn any_from(&self, from: usize, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.lock().unwrap().iter().skip(from).any(wanted)
    }

    pub(crate) fn any(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.lock().unwrap().iter().any(wanted)
    }
}

/// The event says that this entry is in the kernel.
pub(crate) fn is_installed(event: &Event, key: &Key) -> bool {
    matches!(event, Event::Installed { keys } if keys.contains(key))
}

pub(crate) fn start() -> (KernelHandle, Arc<Heard>) {
    start_with(Options {
        audit: Duration::ZERO,
        ..Options::default()
    })
}

pub(crate) fn start_with(options: Options) -> (KernelHandle, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let tell = move |event| {
        listener.events.lock().unwrap().push(event);
        listener.arrived.notify_all();
    };
    (Kernel::spawn(options, Box::new(tell)).unwrap(), heard)
}
