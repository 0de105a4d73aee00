//! TCP: connections come, fail, stall and go.
//!
//! When to connect, whom to let in, and how long to wait. What is said on a connection is in
//! `exchange.rs`, what its end means in `ending.rs`.

use std::time::{Duration, Instant};

use super::link::{Attempt, Link};
use super::timers::{LinkTimer, PeerTimer};
use super::transition::{Event, Step, next};
use super::{ConnId, ConnectError, DownReason, Failure, Output, Phase, Place, Session, Side};
use super::{OPEN_TIME, RETAINED_CONNECT_TIME, negotiated};
use crate::wire;

/// How long a connection attempt may take. The kernel repeats a lost SYN after 1 and 3 s; after
/// that a fresh attempt is as good.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Shortest time between the failure of an attempt and the next one.
const RETRY_MIN: Duration = Duration::from_millis(100);

impl Session {
    /// Tries to connect now, or waits where that is not wanted.
    pub(super) fn dial(&mut self, now: Instant) {
        if !self.is_running() || self.established.is_some() || self.outgoing.is_live() {
            return;
        }
        self.outgoing = Attempt::Active;
        self.timers.clear(PeerTimer::ConnectRetry);
        if self.config.passive || self.waits_for_bfd() {
            return;
        }
        if self.incoming.is_live() {
            // The peer was first; a second connection would only collide with it.
            self.timers.set_after(
                PeerTimer::ConnectRetry,
                now,
                Some(self.config.connect_retry_max),
            );
            return;
        }
        let conn = ConnId::Outgoing(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        self.outgoing = Attempt::Connect { conn, since: now };
        self.timers
            .set_after(PeerTimer::ConnectRetry, now, Some(self.connect_time()));
        if let Some(retained) = &mut self.retained {
            retained.asked(now);
        }
        self.watch_silence();
        self.outputs.push_back(Output::Connect { conn });
    }

    pub(super) fn connect_time(&self) -> Duration {
        if self.is_waiting_for_restart() {
            RETAINED_CONNECT_TIME
        } else {
            CONNECT_TIME
        }
    }

    /// Arms the next attempt, counted from when the last one began.
    pub(super) fn wait_to_dial(&mut self, now: Instant, since: Instant) {
        self.outgoing = Attempt::Active;
        if self.config.passive {
            return;
        }
        let delay = if self.is_waiting_for_restart() {
            RETAINED_CONNECT_TIME
        } else {
            self.connect_backoff
                .delay(self.config.connect_retry, self.config.connect_retry_max)
        };
        let delay = self.jitter.apply(delay);
        let at = since.checked_add(delay).unwrap_or(now);
        let soonest = now.checked_add(RETRY_MIN).unwrap_or(now);
        self.timers.set(PeerTimer::ConnectRetry, at.max(soonest));
    }

    pub(super) fn connected(&mut self, now: Instant, conn: ConnId) {
        if self.outgoing.conn() == Some(conn)
            && next(self.outgoing.state(), Event::Connected) == Step::Greet
        {
            self.timers.clear(PeerTimer::ConnectRetry);
            self.answered();
            if self.waits_for_bfd() {
                // It was let run as evidence of whether the address answers.
                let place = Place::Attempt(Side::Outgoing);
                return self.end(now, place, DownReason::BfdNotUp);
            }
            self.greet(now, Side::Outgoing, conn);
        }
    }

    pub(super) fn connect_failed(&mut self, now: Instant, conn: ConnId, error: ConnectError) {
        if self.outgoing.conn() != Some(conn) {
            return;
        }
        if error == ConnectError::Refused {
            self.answered();
        }
        let place = Place::Attempt(Side::Outgoing);
        self.lose(
            now,
            place,
            Event::ConnectFailed,
            DownReason::ConnectFailed(error),
        );
    }

    pub(super) fn turned_away(&mut self, now: Instant, why: String) {
        if self.established.is_none() {
            self.record.last_error = Some(Failure {
                at: now,
                reason: DownReason::TurnedAway { why },
            });
        }
    }

    pub(super) fn accepted(&mut self, now: Instant, conn: ConnId) {
        if let Some(reason) = self.refusal() {
            self.turn_away(conn, reason);
            return;
        }
        self.answered();
        let side = Side::Incoming;
        // Two from the same side: the peer has forgotten the older one.
        self.lose(
            now,
            Place::Attempt(side),
            Event::Superseded,
            DownReason::Collision,
        );
        if let Some(established) = &self.established {
            // A peer that lost this session without our noticing answers the probe with a reset.
            let conn = established.link.conn;
            if self.keepalive_allowed_at(now) <= now {
                self.send_keepalive(now, Place::Established, conn);
            }
        }
        if matches!(self.phase, Phase::Holding) {
            self.phase = Phase::Running;
            self.timers.clear(PeerTimer::IdleHold);
        }
        if next(self.incoming.state(), Event::Accepted) == Step::Greet {
            self.greet(now, side, conn);
        }
        if self.established.is_none() && matches!(self.outgoing, Attempt::Idle) {
            self.wait_to_dial(now, now);
        }
    }

    /// Why an incoming connection is not welcome now.
    ///
    /// The first rest is over before a peer's program has restarted, so it may end early, and so
    /// may any while routes wait for a restarting peer. Later rests are what keeps two
    /// misconfigured speakers from shouting at each other.
    pub(super) fn refusal(&self) -> Option<DownReason> {
        let long_rest = self.idle_backoff.failures() > 1 && !self.is_waiting_for_restart();
        match self.phase {
            Phase::Stopped(_) => Some(DownReason::Rejected),
            Phase::Holding if long_rest => Some(DownReason::Rejected),
            Phase::Holding | Phase::Running => {
                self.waits_for_bfd().then_some(DownReason::BfdNotUp)
            }
        }
    }

    /// Says why before it closes. An OPEN goes first: without one, a peer in OpenSent takes any
    /// NOTIFICATION for a mistake and shows that instead (RFC 4271 §8.2.2, event 25).
    pub(super) fn turn_away(&mut self, conn: ConnId, reason: DownReason) {
        let said = match &self.phase {
            Phase::Stopped(Some(stop)) => Some(stop.notification()),
            Phase::Stopped(None) | Phase::Holding | Phase::Running => reason.notification(),
        };
        if let Some(notification) = said {
            self.record.counters.sent.opens += 1;
            self.send(conn, wire::encode_open(&negotiated::offer(&self.config)));
            self.send_notification(conn, &notification);
        }
        self.outputs.push_back(Output::CloseConnection { conn });
        self.outputs
            .push_back(Output::AttemptFailed { conn, reason });
    }

    pub(super) fn greet(&mut self, now: Instant, side: Side, conn: ConnId) {
        let mut link = Link::new(conn, now, self.config.local_as);
        link.timers.set_after(LinkTimer::Hold, now, Some(OPEN_TIME));
        *self.attempt_mut(side) = Attempt::OpenSent(link);
        self.record.counters.sent.opens += 1;
        self.send(conn, wire::encode_open(&negotiated::offer(&self.config)));
    }

    pub(super) fn closed(&mut self, now: Instant, conn: ConnId, error: Option<String>) {
        if let Some(place) = self.place(conn) {
            let reason = DownReason::ConnectionClosed {
                state: self.state_at(place),
                error,
            };
            self.lose(now, place, Event::Closed, reason);
        }
    }

    pub(super) fn read_paused(&mut self, now: Instant, conn: ConnId, paused: bool) {
        if let Some(established) = self.established_as(conn) {
            established.read_paused = paused;
            established.link.timers.clear(LinkTimer::Hold);
            established.heard(now);
        }
    }

    pub(super) fn write_blocked(&mut self, now: Instant, conn: ConnId) {
        if let Some(established) = self.established_as(conn) {
            let timers = &mut established.link.timers;
            if timers.get(LinkTimer::SendHold).is_none() {
                let after = established.negotiated.send_hold_time;
                timers.set_after(LinkTimer::SendHold, now, Some(after));
            }
        }
    }

    pub(super) fn write_progress(&mut self, now: Instant, conn: ConnId, waiting: bool) {
        if let Some(established) = self.established_as(conn) {
            let after = waiting.then_some(established.negotiated.send_hold_time);
            established
                .link
                .timers
                .set_after(LinkTimer::SendHold, now, after);
        }
    }

    pub(super) fn sent(&mut self, now: Instant, conn: ConnId, updates: u32) {
        let Some(established) = self.established_as(conn) else {
            return;
        };
        if let Some(at) = established.burst.sent(now, updates) {
            established.link.timers.set(LinkTimer::Burst, at);
        }
        self.record.counters.sent.updates += u64::from(updates);
        self.record.last_sent = Some(now);
    }
}
