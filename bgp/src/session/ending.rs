//! Ends: of an attempt, of the session, of what was kept for a graceful restart.
//!
//! Everything that can end a connection comes through [`Session::lose`], which asks the table, and
//! leaves by [`Session::go_on`], which decides what follows for the peer.

use std::mem;
use std::time::{Duration, Instant};

use super::graceful::Retained;
use super::link::Attempt;
use super::negotiated::OpenError;
use super::timers::PeerTimer;
use super::transition::{Event, Step, next};
use super::{DownReason, Failure, Output, Phase, Place, ReleaseReason, Session, Side};
use super::{RETAINED_CONNECT_TIME, any, graceful, notification};
use crate::asn::Asn;

/// First rest after a failure.
const IDLE_HOLD: Duration = Duration::from_secs(1);
/// A session that lasted this long ended for a new reason: the rests start over.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// How long a disagreement is the reason that is shown while the peer only says that it would not
/// have us: twice its longest rest, as long as it is of our kind.
const DISAGREEMENT_TIME: Duration = Duration::from_secs(60);

impl Session {
    /// Something that ends a connection in some states has happened to one.
    pub(super) fn lose(&mut self, now: Instant, place: Place, event: Event, reason: DownReason) {
        match next(self.state_at(place), event) {
            Step::End | Step::Retry | Step::Unexpected => self.end(now, place, reason),
            Step::Ignore
            | Step::Dial
            | Step::Greet
            | Step::Answer
            | Step::Establish
            | Step::Deliver
            | Step::SendKeepalive => {}
        }
    }

    pub(super) fn end(&mut self, now: Instant, place: Place, reason: DownReason) {
        match place {
            Place::Attempt(side) => self.end_attempt(now, side, reason),
            Place::Established => self.end_established(now, reason),
        }
        self.note_state(now);
    }

    pub(super) fn end_attempt(&mut self, now: Instant, side: Side, reason: DownReason) {
        let said = self.said_as(side);
        let attempt = mem::take(self.attempt_mut(side));
        if side == Side::Outgoing {
            self.timers.clear(PeerTimer::ConnectRetry);
        }
        let Some(conn) = attempt.conn() else {
            return;
        };
        if let Some(notification) = reason.notification().filter(|_| attempt.link().is_some()) {
            self.send_notification(conn, &notification);
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        self.outputs.push_back(Output::AttemptFailed {
            conn,
            reason: reason.clone(),
        });
        if reason != DownReason::Collision {
            self.note_failure(Failure {
                at: now,
                reason: reason.clone(),
            });
        }
        self.turn(said, &reason);
        let since = match attempt {
            Attempt::Connect { since, .. } => since,
            Attempt::Idle
            | Attempt::Active
            | Attempt::OpenSent(_)
            | Attempt::OpenConfirm { .. } => now,
        };
        self.go_on(now, since, &reason);
    }

    /// The peer does not take us for the AS that we said: the next OPEN says the other of two. A
    /// second connection that was opened with the same number changes nothing again.
    fn turn(&mut self, said: Asn, reason: &DownReason) {
        let Some(other) = self
            .config
            .other_as
            .filter(|_| said == self.config.local_as)
        else {
            return;
        };
        let refused = match reason {
            DownReason::NotificationReceived(received) => notification::is_bad_peer_as(received),
            DownReason::Open(OpenError::WrongAs { got, .. }) => {
                self.config.remote_as.admits(other, *got)
            }
            DownReason::Open(_)
            | DownReason::Stopped(_)
            | DownReason::ConnectFailed(_)
            | DownReason::ConnectionClosed { .. }
            | DownReason::HoldTimerExpired { .. }
            | DownReason::SendHoldTimerExpired { .. }
            | DownReason::BfdDown
            | DownReason::BfdNotUp
            | DownReason::Malformed { .. }
            | DownReason::UnexpectedMessage { .. }
            | DownReason::Collision
            | DownReason::Rejected
            | DownReason::PeerReconnected
            | DownReason::TurnedAway { .. } => false,
        };
        if refused {
            self.config = self.config.clone().turned();
        }
    }

    /// What is shown as the reason, unless it says less than the one before.
    fn note_failure(&mut self, failure: Failure) {
        let before = self.record.last_error.as_ref();
        let said = before.is_some_and(|before| {
            let age = failure.at.saturating_duration_since(before.at);
            age < DISAGREEMENT_TIME && !before.reason.is_vague() && !before.reason.is_transient()
        });
        if !said || !failure.reason.is_vague() {
            self.record.last_error = Some(failure);
        }
    }

    pub(super) fn end_established(&mut self, now: Instant, reason: DownReason) {
        let Some(established) = self.established.take() else {
            return;
        };
        let conn = established.link.conn;
        if let Some(notification) = reason.notification() {
            let hard = reason.is_hard() && established.negotiated.graceful_notification;
            let wrapped = hard.then(|| notification::hard_reset(&notification));
            self.send_notification(conn, &wrapped.unwrap_or(notification));
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        let retain = graceful::retain(&self.config, &established.negotiated, &reason);
        self.timers.clear(PeerTimer::Stale);
        let carried = retain.map(|retain| graceful::carried(&retain, &established));
        let carried = carried.unwrap_or_default();
        if any(&carried.goes) {
            self.outputs.push_back(Output::Release {
                families: carried.goes,
                reason: ReleaseReason::RestartedAgain,
            });
        }
        self.retained = retain.map(|retain| Retained::new(&retain, &carried));
        let carried_until = self.retained.as_ref().and_then(Retained::next_expiry);
        self.timers.put(PeerTimer::LongLived, carried_until);
        let restart_time = retain.map(|retain| retain.restart_time);
        self.timers.set_after(PeerTimer::Restart, now, restart_time);
        // A peer that takes every session and ends it at once is called ever more rarely, too.
        if now.saturating_duration_since(established.since) >= STABLE_AFTER {
            self.idle_backoff.reset();
            self.short_sessions.reset();
        }
        self.connect_backoff = self.short_sessions;
        self.short_sessions.failed();
        self.record.flaps += 1;
        let failure = Failure {
            at: now,
            reason: reason.clone(),
        };
        self.record.last_down = Some(failure.clone());
        self.record.last_error = Some(failure);
        self.outputs.push_back(Output::Down {
            reason: reason.clone(),
            retain,
        });
        self.go_on(now, now, &reason);
    }

    /// What follows the end of a connection: nothing, the next attempt, or a rest.
    pub(super) fn go_on(&mut self, now: Instant, since: Instant, reason: &DownReason) {
        if !self.is_running() || self.established.is_some() {
            return;
        }
        let others = self.outgoing.is_live() || self.incoming.is_live();
        if !others && !reason.is_transient() {
            self.idle_backoff.failed();
            self.hold(now);
            return;
        }
        self.connect_backoff.failed();
        if matches!(self.outgoing, Attempt::Idle) {
            self.wait_to_dial(now, since);
        }
    }

    /// Rests.
    pub(super) fn hold(&mut self, now: Instant) {
        self.phase = Phase::Holding;
        self.outgoing = Attempt::Idle;
        self.timers.clear(PeerTimer::ConnectRetry);
        let max = if self.is_waiting_for_restart() {
            RETAINED_CONNECT_TIME
        } else {
            self.config.idle_hold_max
        };
        let delay = self.jitter.apply(self.idle_backoff.delay(IDLE_HOLD, max));
        self.timers.set_after(PeerTimer::IdleHold, now, Some(delay));
    }

    /// The peer's restart time is over: its stale routes go, or stay as a last resort.
    pub(super) fn grow_old(&mut self, now: Instant, reason: ReleaseReason) {
        self.timers.clear(PeerTimer::Restart);
        self.timers.clear(PeerTimer::Silence);
        let Some(retained) = self.retained.take() else {
            return;
        };
        let (old, goes) = retained.grow_old(now);
        if any(&goes) {
            let families = goes;
            self.outputs.push_back(Output::Release { families, reason });
        }
        if let Some(old) = old {
            let families = old.families;
            self.outputs
                .push_back(Output::LongLived { families, reason });
            self.timers.put(PeerTimer::LongLived, old.next_expiry());
            self.retained = Some(old);
        }
    }

    /// The time of some families as a last resort is over.
    pub(super) fn long_lived_expired(&mut self, now: Instant) {
        let Some(mut retained) = self.retained.take() else {
            return;
        };
        let families = retained.take_expired(now);
        let reason = match retained.old_until {
            Some(_) => ReleaseReason::LongLivedExpired,
            None => ReleaseReason::StaleTimeExpired,
        };
        self.outputs.push_back(Output::Release { families, reason });
        self.timers
            .put(PeerTimer::LongLived, retained.next_expiry());
        self.retained = Some(retained).filter(|retained| any(&retained.families));
    }

    /// Stale routes of a peer that is away are not kept any longer.
    pub(super) fn release(&mut self, reason: ReleaseReason) {
        self.timers.clear(PeerTimer::Restart);
        self.timers.clear(PeerTimer::Silence);
        self.timers.clear(PeerTimer::LongLived);
        if let Some(retained) = self.retained.take() {
            self.outputs.push_back(Output::Release {
                families: retained.families,
                reason,
            });
        }
    }

    /// Stale routes of a peer that is back are not kept any longer.
    pub(super) fn stale_expired(&mut self) {
        if let Some(established) = &mut self.established {
            let families = mem::take(&mut established.awaited);
            let reason = ReleaseReason::StaleTimeExpired;
            self.outputs.push_back(Output::Release { families, reason });
        }
    }
}
