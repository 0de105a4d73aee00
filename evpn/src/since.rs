//! Since when something is as it is, in four octets: whole seconds from the first input on.
//!
//! For people only. No decision looks at an age, or the order of events would begin to count.

use std::time::{Duration, Instant};

/// A moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u32);

/// The time of the last input.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    first: Option<Instant>,
    now: Stamp,
}

impl Clock {
    pub(crate) fn set(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        let seconds = now.saturating_duration_since(first).as_secs();
        self.now = Stamp(u32::try_from(seconds).unwrap_or(u32::MAX));
    }

    pub(crate) fn now(&self) -> Stamp {
        self.now
    }

    /// The moment of a stamp; `None` before the first input.
    pub(crate) fn instant(&self, Stamp(seconds): Stamp) -> Option<Instant> {
        self.first?.checked_add(Duration::from_secs(seconds.into()))
    }
}
