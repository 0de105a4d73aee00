//! The path to the peer: what BFD and the peer's address say about it.

use std::time::Instant;

use super::link::Attempt;
use super::timers::PeerTimer;
use super::transition::Event;
use super::{Bfd, BfdSeen, DownReason, PLACES, Phase, RETAINED_CONNECT_TIME, Session};

impl Session {
    pub(super) fn bfd(&mut self, now: Instant, bfd: Bfd) {
        let before = self.bfd.map(|seen| seen.bfd);
        if self.config.bfd.is_none() || before == Some(bfd) {
            return;
        }
        self.bfd = Some(BfdSeen { bfd, since: now });
        match (before, bfd) {
            (Some(Bfd::Up), Bfd::Down | Bfd::PathDown) => {
                for place in PLACES {
                    self.lose(now, place, Event::BfdDown, DownReason::BfdDown);
                }
            }
            // RFC 5882 §4.2: a BFD session that has not been up yet says nothing.
            (None | Some(Bfd::Down | Bfd::PathDown), Bfd::Down | Bfd::PathDown) => {}
            (None | Some(Bfd::Up | Bfd::Down | Bfd::PathDown), Bfd::Up) => self.path_is_back(now),
        }
        self.watch_silence();
    }

    /// Connects at once instead of at the end of a delay that the dead path has caused.
    pub(super) fn path_is_back(&mut self, now: Instant) {
        match self.phase {
            Phase::Stopped(_) => {}
            Phase::Holding if self.idle_backoff.failures() > 1 => {}
            Phase::Holding => self.resume(now),
            Phase::Running => {
                let stuck = match self.outgoing {
                    Attempt::Connect { since, .. } => {
                        now.saturating_duration_since(since) >= RETAINED_CONNECT_TIME
                    }
                    Attempt::Idle
                    | Attempt::Active
                    | Attempt::OpenSent(_)
                    | Attempt::OpenConfirm { .. } => false,
                };
                if stuck {
                    self.connect_timed_out(now);
                }
                self.dial(now);
            }
        }
    }

    pub(super) fn waits_for_bfd(&self) -> bool {
        let up = self.bfd.is_some_and(|seen| seen.bfd == Bfd::Up);
        self.config.bfd.is_some_and(|config| config.strict) && !up
    }

    /// The peer's address has answered a connection attempt, or made one.
    pub(super) fn answered(&mut self) {
        if let Some(retained) = &mut self.retained {
            retained.answered();
        }
        self.watch_silence();
    }

    pub(super) fn watch_silence(&mut self) {
        let at = match (&self.retained, self.bfd, self.config.bfd) {
            // RFC 5882 §4.3: with the C bit set, BFD that fails during a restart is a forwarding
            // plane that has failed. A last resort is kept for dead hosts too.
            (
                Some(retained),
                Some(BfdSeen {
                    bfd: Bfd::PathDown,
                    since,
                }),
                Some(_),
            ) => retained.old_until.is_none().then_some(since),
            (
                Some(retained),
                Some(BfdSeen {
                    bfd: Bfd::Down,
                    since,
                }),
                Some(config),
            ) => retained.silent_at(since, config.detect_time),
            (None | Some(_), None | Some(_), None | Some(_)) => None,
        };
        self.timers.put(PeerTimer::Silence, at);
    }
}
