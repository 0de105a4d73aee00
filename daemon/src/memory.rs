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

/// Routes that came and went since memory was last given back.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    came: usize,
    went: usize,
    due: Option<Instant>,
}

/// What there is to tidy up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tidy {
    /// What messages took.
    Messages,
    /// That, and what the tables kept of routes that are gone; looking for it reads all of them.
    Tables,
}

impl Freed {
    /// So many more routes came and went.
    pub(crate) fn add(&mut self, now: Instant, came: usize, went: usize) {
        if came + went > 0 {
            self.came += came;
            self.went += went;
            self.due = (self.came + self.went >= ROUTES_MIN).then_some(now + QUIET);
        }
    }

    /// When to call [`Freed::take_due`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be done now, once.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Tidy> {
        self.due.filter(|due| *due <= now)?;
        let Self { went, .. } = std::mem::take(self);
        Some(match went >= ROUTES_MIN {
            true => Tidy::Tables,
            false => Tidy::Messages,
        })
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
    fn is_due_once_when_many_have_come_or_gone_and_it_is_quiet() {
        let start = Instant::now();
        let mut freed = Freed::default();
        freed.add(start, 0, ROUTES_MIN - 1);
        assert_eq!(freed.deadline(), None);
        freed.add(start, 0, 1);
        let later = start + QUIET / 2;
        freed.add(later, 1, 0);
        assert_eq!(freed.take_due(start + QUIET), None);
        assert_eq!(freed.deadline(), Some(later + QUIET));
        assert_eq!(freed.take_due(later + QUIET), Some(Tidy::Tables));
        assert_eq!(freed.take_due(later + QUIET * 2), None);
        assert_eq!(freed.deadline(), None);
        freed.add(start, ROUTES_MIN, 0);
        assert_eq!(freed.take_due(start + QUIET), Some(Tidy::Messages));
    }
}
