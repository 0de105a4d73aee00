//! Memory that is no longer used goes back to the system.
//!
//! The C library keeps freed memory for itself; after a large withdrawal that would be most of
//! the table. So once many routes have gone and nothing went for a moment, the tables drop what
//! they kept for the next burst, and the library gives back what it holds.

use std::time::{Duration, Instant};

/// Fewer routes than this are not worth it.
const ROUTES_MIN: usize = 50_000;

/// How long nothing has to go: a large withdrawal is cleaned up after once, at its end.
const QUIET: Duration = Duration::from_secs(1);

/// Routes that went away since memory was last given back.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    routes: usize,
    due: Option<Instant>,
}

impl Freed {
    /// So many more routes went.
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
