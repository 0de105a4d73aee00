//! The echo function of a session, RFC 5880 §6.4 and §6.8.9: when our packets leave, which come back,
//! and when too few do.
//!
//! Silence counts from the first packet that came back. A peer says what it could loop back, which
//! many do without forwarding anything; a session with such a peer lives by its control packets, and
//! [`Echo::works`] says so.
//!
//! A session that was lost so is held down for a while ([`Echo::fail`]), longer each time until a packet
//! comes back.

use std::collections::VecDeque;
use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use super::pace::{Detection, Jitter};
use crate::echo::EchoPacket;
use crate::packet::Discriminator;

/// Packets under way that are remembered: more than there are on a link with any sense.
const UNDER_WAY_MAX: usize = 64;

/// Round trips that are remembered, as FRR does.
const ROUND_TRIPS_MAX: usize = 8;

/// How long a session stays down that echo packets took down. Control packets would bring it up at once,
/// and it would be lost again, several times a second.
const HELD_MIN: Duration = Duration::from_secs(1);
const HELD_MAX: Duration = Duration::from_secs(16);

#[derive(Debug, Default)]
pub(super) struct Echo {
    /// `None`: none are sent now.
    interval: Option<Duration>,
    next: Option<Instant>,
    detection: Detection,
    works: bool,
    /// Failures since a packet last came back.
    failures: u32,
    number: u64,
    /// The oldest one first.
    under_way: VecDeque<(EchoPacket, Instant)>,
    round_trips: VecDeque<Duration>,
}

impl Echo {
    /// The interval that is to be kept from now on.
    pub(super) fn pace(&mut self, now: Instant, interval: Option<Duration>) {
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        self.next = interval.map(|_| now);
        self.detection = Detection::default();
        if interval.is_none() {
            self.under_way.clear();
        } else if self.works {
            self.detection.heard(now);
        }
    }

    /// Nobody wants echo packets any more, and what was found out about the peer is old.
    pub(super) fn forget(&mut self) {
        self.works = false;
        self.failures = 0;
        self.round_trips.clear();
    }

    /// The packet that is due.
    pub(super) fn transmit(
        &mut self,
        now: Instant,
        discriminator: Discriminator,
        jitter: &mut Jitter,
        multiplier: NonZeroU8,
    ) -> Option<EchoPacket> {
        let interval = self.interval?;
        self.next.filter(|at| *at <= now)?;
        self.next = Some(now + jitter.apply(interval, multiplier));
        self.number = self.number.wrapping_add(1);
        let packet = EchoPacket {
            discriminator,
            number: self.number,
            cookie: jitter.draw(),
        };
        if self.under_way.len() >= UNDER_WAY_MAX {
            self.under_way.pop_front();
        }
        self.under_way.push_back((packet, now));
        Some(packet)
    }

    /// True if it is one that is under way.
    pub(super) fn returned(&mut self, now: Instant, packet: EchoPacket) -> bool {
        let at = self.under_way.iter().position(|(it, _)| *it == packet);
        let Some((_, sent)) = at.and_then(|at| self.under_way.remove(at)) else {
            return false;
        };
        if self.round_trips.len() >= ROUND_TRIPS_MAX {
            self.round_trips.pop_front();
        }
        let took = now.saturating_duration_since(sent);
        self.round_trips.push_back(took);
        self.works = true;
        self.failures = 0;
        self.detection.heard(now);
        true
    }

    /// Silence after which the peer's forwarding is declared dead.
    fn detection_time(&self, multiplier: NonZeroU8) -> Duration {
        self.interval.unwrap_or_default() * u32::from(multiplier.get())
    }

    /// RFC 5880 §6.8.5.
    pub(super) fn has_failed(&self, now: Instant, multiplier: NonZeroU8) -> bool {
        let deadline = self.detection.deadline(self.detection_time(multiplier));
        self.interval.is_some() && deadline.is_some_and(|at| at <= now)
    }

    /// How long the session stays down after one more failure: a second, and twice as long each time.
    pub(super) fn fail(&mut self) -> Duration {
        let time = HELD_MIN * 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        time.min(HELD_MAX)
    }

    pub(super) fn deadline(&self, multiplier: NonZeroU8) -> Option<Instant> {
        let detection = self.detection.deadline(self.detection_time(multiplier));
        let detection = detection.filter(|_| self.interval.is_some());
        [self.next, detection].into_iter().flatten().min()
    }

    /// See [`super::Session::excuse`].
    pub(super) fn excuse(&mut self, now: Instant, by: Duration, multiplier: NonZeroU8) -> bool {
        let time = self.detection_time(multiplier);
        let interval = self.interval.unwrap_or_default();
        self.interval.is_some() && self.detection.excuse(now, by, time, interval)
    }

    pub(super) fn works(&self) -> bool {
        self.works
    }

    pub(super) fn round_trips(&self) -> impl Iterator<Item = Duration> {
        self.round_trips.iter().copied()
    }
}

#[cfg(test)]
mod tests;
