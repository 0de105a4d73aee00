//! When a session sends, and when silence has lasted too long (RFC 5880 §6.8.2 to §6.8.4).
//!
//! Plain data that [`super::Session`] asks and tells; none of it knows a state or a packet.

use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use super::Parameters;
use crate::packet::Interval;
use crate::timers::TICK;

/// Our intervals: what packets say, and what is in use until the peer has confirmed it.
#[derive(Debug)]
pub(super) struct Intervals {
    pub(super) desired_min_tx: Interval,
    pub(super) required_min_rx: Interval,
    pub(super) tx_in_use: Interval,
    pub(super) rx_in_use: Interval,
}

impl Intervals {
    pub(super) fn configured(parameters: &Parameters) -> Self {
        Self {
            desired_min_tx: parameters.desired_min_tx,
            required_min_rx: parameters.required_min_rx,
            tx_in_use: parameters.desired_min_tx,
            rx_in_use: parameters.required_min_rx,
        }
    }

    /// RFC 5880 §6.8.3: while not Up, bfd.DesiredMinTxInterval MUST be at least one second.
    pub(super) fn slow(parameters: &Parameters) -> Self {
        let desired_min_tx = parameters
            .desired_min_tx
            .max(Interval::from_micros(1_000_000));
        Self {
            desired_min_tx,
            tx_in_use: desired_min_tx,
            ..Self::configured(parameters)
        }
    }

    /// Announces new intervals; true if they differ. RFC 5880 §6.8.3: on a session that is up,
    /// slower sending and shorter detection wait for the end of the poll sequence, because the
    /// peer still counts on the old values.
    pub(super) fn advertise(&mut self, wanted: Self, up: bool) -> bool {
        let changed = wanted.desired_min_tx != self.desired_min_tx
            || wanted.required_min_rx != self.required_min_rx;
        self.desired_min_tx = wanted.desired_min_tx;
        self.required_min_rx = wanted.required_min_rx;
        if !up || wanted.desired_min_tx < self.tx_in_use {
            self.tx_in_use = wanted.desired_min_tx;
        }
        if !up || wanted.required_min_rx > self.rx_in_use {
            self.rx_in_use = wanted.required_min_rx;
        }
        changed
    }

    pub(super) fn commit(&mut self) {
        self.tx_in_use = self.desired_min_tx;
        self.rx_in_use = self.required_min_rx;
    }
}

/// A poll sequence, RFC 5880 §6.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Poll {
    Idle,
    /// The next periodic packet carries the poll bit.
    Requested,
    /// At least one poll has been sent, the answer is awaited. `again`: values changed meanwhile,
    /// so the answer may be to the old ones and another sequence must follow.
    Sent {
        again: bool,
    },
}

impl Poll {
    pub(super) fn request(&mut self) {
        *self = match *self {
            Self::Idle | Self::Requested => Self::Requested,
            Self::Sent { .. } => Self::Sent { again: true },
        };
    }

    /// Whether the periodic packet that is being sent carries the poll bit.
    pub(super) fn transmit(&mut self) -> bool {
        match *self {
            Self::Idle => false,
            Self::Requested => {
                *self = Self::Sent { again: false };
                true
            }
            Self::Sent { .. } => true,
        }
    }

    /// Takes a final bit; true if the peer has now confirmed the advertised values.
    pub(super) fn answered(&mut self) -> bool {
        match *self {
            // An answer nobody asked for, or a late one.
            Self::Idle | Self::Requested => false,
            Self::Sent { again: true } => {
                *self = Self::Requested;
                false
            }
            Self::Sent { again: false } => {
                *self = Self::Idle;
                true
            }
        }
    }
}

/// The timer of periodic packets.
#[derive(Debug, Default)]
pub(super) struct Transmission {
    /// What `next` was computed from; `None`: nothing periodic.
    pub(super) interval: Option<Duration>,
    pub(super) last: Option<Instant>,
    pub(super) next: Option<Instant>,
}

/// The timer of the peer's silence.
#[derive(Debug, Default)]
pub(super) struct Detection {
    /// When the peer was last heard; `None`: the timer is off.
    pub(super) heard: Option<Instant>,
    /// Time added for stalls since then.
    pub(super) extension: Duration,
    pub(super) excuses: u8,
}

impl Detection {
    pub(super) fn heard(&mut self, now: Instant) {
        *self = Self {
            heard: Some(now),
            ..Self::default()
        };
    }

    pub(super) fn deadline(&self, detection_time: Duration) -> Option<Instant> {
        self.heard
            .map(|heard| heard + detection_time + self.extension)
    }

    /// Forgives a silence that may have been ours; true if there was one. A stall that is short
    /// against the detection time needs no excuse. At most three excuses in one silence, so that a
    /// host which is always late still notices a dead peer.
    pub(super) fn excuse(
        &mut self,
        now: Instant,
        by: Duration,
        detection_time: Duration,
        interval: Duration,
    ) -> bool {
        const EXCUSES_MAX: u8 = 3;
        let Some(deadline) = self.deadline(detection_time) else {
            return false;
        };
        if by < detection_time / 8 || self.excuses == EXCUSES_MAX {
            return false;
        }
        // At least one more packet gets its chance.
        let later = (deadline + by).max(now + interval);
        self.excuses += 1;
        self.extension += later.saturating_duration_since(deadline);
        true
    }
}

/// A packet due outside the periodic ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    None,
    /// The state changed.
    Changed,
    /// The peer polled; tells the state as well.
    Final,
}

/// RFC 5880 §6.8.7: periodic packets come at 75 to 100 % of the interval, with a multiplier of one
/// at 75 to 90 %. The upper end leaves one tick for the timer's rounding. A xorshift is random
/// enough to keep sessions apart.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        // Spreads neighbouring seeds; xorshift must not start from zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn apply(&mut self, interval: Duration, detect_multiplier: NonZeroU8) -> Duration {
        let percent_max = if detect_multiplier == NonZeroU8::MIN {
            90
        } else {
            100
        };
        let least = interval * 75 / 100;
        let most = (interval * percent_max / 100)
            .saturating_sub(TICK)
            .max(least);
        let room = u64::try_from((most - least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.draw() % room.saturating_add(1))
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
