//! The path to the peer: what BFD and the peer's address say about it.
//!
//! What BFD says is an input like any other. It means one thing to a session that stands and another to
//! one that is on its way:
//!
//! | BFD                         | Established          | on its way, `strict` | on its way, else |
//! |-----------------------------|----------------------|----------------------|------------------|
//! | has not been up yet         | stays (RFC 5882 §4.2) | waits               | goes on          |
//! | comes up                    | stays                | connects at once     | connects at once |
//! | was up and is made anew     | stays (RFC 5882 §3.3) | ends and waits      | goes on          |
//! | made anew, not up after 3 s | ends, unless it is younger than that | waits | goes on         |
//! | was up and goes down        | ends                 | ends and waits       | ends             |
//! | is taken down on purpose    | nothing is said of that, all is as before (RFC 5882 §3.2, §4.1) | | |
//!
//! To *wait* is to dial nobody, to turn the peer's connections away, and to close one of ours that
//! comes about before an OPEN is said on it: with `strict`, no session comes to Established while BFD is
//! anything but up. One that is Established has been seen by BFD and ends with the path alone. The peer
//! is not told: the capability of draft-ietf-idr-bgp-bfd-strict-mode, by which both sides wait
//! in OpenConfirm, is not offered.
//!
//! *Made anew* is what a peer does whose BFD has lost its state or was told to begin again. FRR's does
//! when its BGP ends, and when its BGP comes up by an address that its BFD was not told before; then FRR
//! itself ends the BGP session because of its BFD, whatever this side does, and what it tries next has
//! to wait here too. BFD that is made anew has not been up yet: of a session younger than that, it says
//! as little as at the beginning.
//!
//! Whether routes are kept over the end of a session is decided in `graceful.rs`. BFD that is made anew
//! is no evidence against the path, and after its time no more than silence is: it takes an address that
//! does not answer besides.

use std::time::{Duration, Instant};

use super::link::Attempt;
use super::timers::PeerTimer;
use super::transition::Event;
use super::{
    Bfd, BfdSeen, DownReason, PLACES, Phase, Place, RETAINED_CONNECT_TIME, Session, Side,
};

/// How long BFD that was made anew may take to come up: it starts with packets a second apart
/// (RFC 5880 §6.8.3).
const ANEW_TIME: Duration = Duration::from_secs(3);

/// What follows for the BGP session from what BFD says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Nothing,
    /// The path works: connect at once.
    Works,
    /// BFD begins again, and has some time for it.
    Begins,
    /// BFD began again and did not come up.
    StaysAway,
    /// The path is dead.
    Dead,
}

/// Judges what BFD says by what it said before.
pub(super) fn verdict(before: Option<Bfd>, said: Bfd) -> Verdict {
    match (before, said) {
        (Some(Bfd::Up), Bfd::Up) => Verdict::Nothing,
        (None | Some(Bfd::Anew | Bfd::Down | Bfd::PathDown), Bfd::Up) => Verdict::Works,
        (Some(Bfd::Up), Bfd::Anew) => Verdict::Begins,
        (Some(Bfd::Anew), Bfd::Anew) => Verdict::Nothing,
        (Some(Bfd::Up), Bfd::Down | Bfd::PathDown) => Verdict::Dead,
        (Some(Bfd::Anew), Bfd::Down | Bfd::PathDown) => Verdict::StaysAway,
        // RFC 5882 §4.2: a BFD session that has not been up yet says nothing.
        (None | Some(Bfd::Down | Bfd::PathDown), Bfd::Anew | Bfd::Down | Bfd::PathDown) => {
            Verdict::Nothing
        }
    }
}

impl Session {
    pub(super) fn bfd(&mut self, now: Instant, said: Bfd) {
        let before = self.bfd;
        let state = before.map(|seen| seen.bfd);
        let bfd = match (state, said) {
            // Nothing was there that could begin again.
            (None | Some(Bfd::Down | Bfd::PathDown), Bfd::Anew) => Bfd::Down,
            (Some(Bfd::Up | Bfd::Anew), Bfd::Anew)
            | (None | Some(_), Bfd::Up | Bfd::Down | Bfd::PathDown) => said,
        };
        if self.config.bfd.is_none() || state == Some(bfd) {
            return;
        }
        self.bfd = Some(BfdSeen { bfd, since: now });
        self.timers.clear(PeerTimer::BfdAnew);
        match verdict(state, bfd) {
            Verdict::Nothing => {}
            Verdict::Works => self.path_is_back(now),
            Verdict::Begins => {
                self.timers
                    .set_after(PeerTimer::BfdAnew, now, Some(ANEW_TIME));
                self.insist_on_bfd(now);
            }
            Verdict::StaysAway => {
                let younger = self.established.as_ref().is_some_and(|established| {
                    before.is_some_and(|anew| established.since > anew.since)
                });
                if !younger {
                    self.lose(now, Place::Established, Event::BfdDown, DownReason::BfdDown);
                }
            }
            Verdict::Dead => {
                for place in PLACES {
                    self.lose(now, place, Event::BfdDown, DownReason::BfdDown);
                }
            }
        }
        self.watch_silence();
    }

    /// Ends what is on its way, where the configuration insists on BFD and that is not up.
    pub(super) fn insist_on_bfd(&mut self, now: Instant) {
        if self.waits_for_bfd() {
            for side in [Side::Outgoing, Side::Incoming] {
                let place = Place::Attempt(side);
                self.lose(now, place, Event::BfdDown, DownReason::BfdNotUp);
            }
        }
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
