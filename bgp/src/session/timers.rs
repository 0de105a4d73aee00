//! Deadlines, jitter and growing delays.
//!
//! A set of timers is an enum with an array of deadlines; the earliest of all is what
//! [`super::Session::deadline`] reports. Nothing here reads a clock.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// The timers of one kind of thing.
pub(super) trait Timer: Copy + 'static {
    /// All of them, in the order of their declaration.
    const ALL: &'static [Self];
    /// Position in `ALL`.
    fn index(self) -> usize;
}

/// Timers of the peer as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerTimer {
    /// Rest after a failure (IdleHoldTimer).
    IdleHold,
    /// Next connection attempt, or the end of the one under way (ConnectRetryTimer).
    ConnectRetry,
    /// A restarting peer must be back (RFC 4724 §4.2).
    Restart,
    /// A restarted peer must have sent End-of-RIB (RFC 4724 §4.2).
    Stale,
    /// A restarting peer's address must have answered.
    Silence,
    /// The first of the families kept as a last resort goes (RFC 9494 §4.2).
    LongLived,
    /// BFD that the peer has made anew must be up.
    BfdAnew,
}

impl Timer for PeerTimer {
    const ALL: &'static [Self] = &[
        Self::IdleHold,
        Self::ConnectRetry,
        Self::Restart,
        Self::Stale,
        Self::Silence,
        Self::LongLived,
        Self::BfdAnew,
    ];

    fn index(self) -> usize {
        match self {
            Self::IdleHold => 0,
            Self::ConnectRetry => 1,
            Self::Restart => 2,
            Self::Stale => 3,
            Self::Silence => 4,
            Self::LongLived => 5,
            Self::BfdAnew => 6,
        }
    }
}

/// Timers of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkTimer {
    /// The peer must have said something.
    Hold,
    /// We must say something.
    Keepalive,
    /// The peer must have accepted bytes (RFC 9687).
    SendHold,
    /// A long burst of UPDATEs has ended: one KEEPALIVE follows.
    Burst,
}

impl Timer for LinkTimer {
    const ALL: &'static [Self] = &[Self::Hold, Self::Keepalive, Self::SendHold, Self::Burst];

    fn index(self) -> usize {
        match self {
            Self::Hold => 0,
            Self::Keepalive => 1,
            Self::SendHold => 2,
            Self::Burst => 3,
        }
    }
}

/// Deadlines of a set of at most seven timers.
#[derive(Debug)]
pub(super) struct Timers<T> {
    at: [Option<Instant>; 7],
    kind: PhantomData<T>,
}

impl<T: Timer> Timers<T> {
    pub(super) fn new() -> Self {
        Self {
            at: [None; 7],
            kind: PhantomData,
        }
    }

    pub(super) fn set(&mut self, timer: T, at: Instant) {
        self.put(timer, Some(at));
    }

    /// Sets the timer `after` from now, or clears it when there is no such time.
    pub(super) fn set_after(&mut self, timer: T, now: Instant, after: Option<Duration>) {
        self.put(timer, after.and_then(|after| now.checked_add(after)));
    }

    pub(super) fn clear(&mut self, timer: T) {
        self.put(timer, None);
    }

    /// Takes one timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        let due = T::ALL
            .iter()
            .copied()
            .find(|timer| self.get(*timer).is_some_and(|at| at <= now))?;
        self.clear(due);
        Some(due)
    }

    pub(super) fn get(&self, timer: T) -> Option<Instant> {
        self.at.get(timer.index()).copied().flatten()
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// Sets or clears the timer.
    pub(super) fn put(&mut self, timer: T, at: Option<Instant>) {
        if let Some(slot) = self.at.get_mut(timer.index()) {
            *slot = at;
        }
    }
}

/// Shortens durations by up to a quarter (RFC 4271 §10), from a seed (splitmix64).
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 75 to 100 % of `duration`.
    pub(super) fn apply(&mut self, duration: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // 0 to 1023 parts of 4096 are taken off.
        let off = u32::try_from(bits & 1023).unwrap_or(0);
        duration.saturating_sub(duration / 4096 * off)
    }
}

/// Counts failures in a row; each one doubles the delay.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// `first` after none or one failure, then twice as long each time, `max` at most.
    pub(super) fn delay(&self, first: Duration, max: Duration) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        first.saturating_mul(1 << doublings).min(max)
    }
}
