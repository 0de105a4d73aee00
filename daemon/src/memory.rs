//! Memory that is no longer used goes back to the system.
//!
//! The C library keeps freed memory for itself; after a large withdrawal that would be most of
//! the table, and after a large load the messages it came in. So once many routes have come or gone
//! and nothing did for a moment, the tables drop what they kept for the next burst, and the library
//! gives back what it holds.

use std::time::{Duration, Instant};

/// Fewer routes than this are not worth it.
const ROUTES_MIN: usize = 50_000;

/// How long nothing has to move: a large withdrawal is cleaned up after once, at its end.
const QUIET: Duration = Duration::from_secs(1);

/// Routes that came or went since memory was last given back.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    routes: usize,
    due: Option<Instant>,
}

impl Freed {
    /// So many more routes came or went.
    pub(crate) fn add(&mut self, now: Instant, routes: usize) {
        if routes > 0 {
            self.routes += routes;
            self.due = (self.routes >= ROUTES_MIN).then_some(now + QUIET);
        }
    }

    /// When to call [`Freed::take_due`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// True once when it is time to give back.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            *self = Self::default();
        }
        due
    }
}

/// Has all threads share one heap. With one for each, what the tables keep stands between the
/// messages that other threads have long freed, and after a million routes came and went a daemon
/// of 8 MB kept 15 to 25; with one it keeps 9. Threads have small stocks of their own all the
/// same, so it costs no time that could be measured. To be called before there are threads.
pub(crate) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` has no precondition; it sets a limit for arenas to come.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives back what the allocator holds without need. Takes some milliseconds per hundred
/// megabytes, so only after something large went away.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` has no precondition; it locks the allocator's arenas itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_once_when_many_have_gone_and_it_is_quiet() {
        let start = Instant::now();
        let mut freed = Freed::default();
        freed.add(start, ROUTES_MIN - 1);
        assert_eq!(freed.deadline(), None);
        freed.add(start, 1);
        let later = start + QUIET / 2;
        freed.add(later, 1);
        assert!(!freed.take_due(start + QUIET));
        assert_eq!(freed.deadline(), Some(later + QUIET));
        assert!(freed.take_due(later + QUIET));
        assert!(!freed.take_due(later + QUIET * 2));
        assert_eq!(freed.deadline(), None);
    }
}
