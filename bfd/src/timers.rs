//! Deadlines of many sessions, ordered.
//!
//! Each session has at most one entry, its next deadline. Deadlines are rounded up to ticks of 1
//! ms, so that sessions due at about the same time are served by one wake-up. The jitter of a
//! session leaves room for the rounding. Ordered sets instead of a binary heap: moving an entry
//! leaves no stale one behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::packet::Discriminator;

/// Length of a tick. A wake-up costs some 10 µs, so finer ticks would cost more than they give.
pub(crate) const TICK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Timers {
    /// Tick 0.
    epoch: Instant,
    queue: BTreeSet<(u64, Discriminator)>,
    ticks: BTreeMap<Discriminator, u64>,
}

impl Timers {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            queue: BTreeSet::new(),
            ticks: BTreeMap::new(),
        }
    }

    /// Replaces the deadline of a session; `None` removes it.
    pub(crate) fn set(&mut self, session: Discriminator, deadline: Option<Instant>) {
        let tick = deadline.map(|at| self.tick(at));
        let old = match tick {
            Some(tick) => self.ticks.insert(session, tick),
            None => self.ticks.remove(&session),
        };
        if old == tick {
            return;
        }
        if let Some(old) = old {
            self.queue.remove(&(old, session));
        }
        if let Some(tick) = tick {
            self.queue.insert((tick, session));
        }
    }

    /// Takes out one session whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Discriminator> {
        let &(tick, session) = self.queue.first()?;
        if self.instant(tick) > now {
            return None;
        }
        self.queue.pop_first();
        self.ticks.remove(&session);
        Some(session)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|&(tick, _)| self.instant(tick))
    }

    fn tick(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(nanos.div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
    }

    fn instant(&self, tick: u64) -> Instant {
        self.epoch + Duration::from_millis(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: u32) -> Discriminator {
        Discriminator::new(value).unwrap()
    }

    #[test]
    fn deadlines_are_rounded_up_to_a_tick() {
        let epoch = Instant::now();
        let mut timers = Timers::new(epoch);
        timers.set(key(1), Some(epoch + Duration::from_micros(1_001)));
        assert_eq!(timers.deadline(), Some(epoch + Duration::from_millis(2)));
        assert_eq!(timers.pop_due(epoch + Duration::from_micros(1_999)), None);
        assert_eq!(
            timers.pop_due(epoch + Duration::from_millis(2)),
            Some(key(1))
        );
        assert_eq!(timers.deadline(), None);
    }

    #[test]
    fn a_moved_deadline_leaves_no_old_one_behind() {
        let epoch = Instant::now();
        let mut timers = Timers::new(epoch);
        timers.set(key(1), Some(epoch + Duration::from_millis(5)));
        timers.set(key(1), Some(epoch + Duration::from_millis(9)));
        timers.set(key(2), Some(epoch + Duration::from_millis(7)));
        assert_eq!(
            timers.pop_due(epoch + Duration::from_millis(8)),
            Some(key(2))
        );
        assert_eq!(timers.pop_due(epoch + Duration::from_millis(8)), None);
        timers.set(key(1), None);
        assert_eq!(timers.deadline(), None);
    }
}
