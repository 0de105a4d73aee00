//! Time: what happens when a timer runs out.

use std::time::{Duration, Instant};

use super::link::Attempt;
use super::timers::{LinkTimer, PeerTimer};
use super::transition::{Event, Step, next};
use super::{
    Bfd, ConnectError, DownReason, OPEN_TIME, PLACES, Place, ReleaseReason, Session, Side,
};

impl Session {
    pub(super) fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            self.peer_timer(now, timer);
        }
        for place in PLACES {
            while let Some(timer) = self
                .link_mut(place)
                .and_then(|link| link.timers.take_due(now))
            {
                self.link_timer(now, place, timer);
            }
        }
    }

    pub(super) fn peer_timer(&mut self, now: Instant, timer: PeerTimer) {
        match timer {
            PeerTimer::IdleHold => self.resume(now),
            PeerTimer::ConnectRetry => {
                match next(self.outgoing.state(), Event::ConnectRetryExpired) {
                    Step::Dial => self.dial(now),
                    Step::Retry => self.connect_timed_out(now),
                    Step::Ignore
                    | Step::Greet
                    | Step::Answer
                    | Step::Establish
                    | Step::Deliver
                    | Step::SendKeepalive
                    | Step::Unexpected
                    | Step::End => {}
                }
            }
            PeerTimer::Restart => self.grow_old(now, ReleaseReason::RestartTimeExpired),
            PeerTimer::Stale => self.stale_expired(),
            PeerTimer::Silence => self.grow_old(now, ReleaseReason::PeerSilent),
            PeerTimer::LongLived => self.long_lived_expired(now),
            PeerTimer::BfdAnew => self.bfd(now, Bfd::Down),
        }
    }

    pub(super) fn connect_timed_out(&mut self, now: Instant) {
        let reason = DownReason::ConnectFailed(ConnectError::TimedOut);
        self.end(now, Place::Attempt(Side::Outgoing), reason);
    }

    pub(super) fn link_timer(&mut self, now: Instant, place: Place, timer: LinkTimer) {
        let state = self.state_at(place);
        match timer {
            LinkTimer::Hold => {
                let after = self.hold_time_at(place);
                let reason = DownReason::HoldTimerExpired { state, after };
                self.lose(now, place, Event::HoldExpired, reason);
            }
            LinkTimer::SendHold => {
                let negotiated = self.negotiated();
                let after = negotiated.map(|n| n.send_hold_time).unwrap_or_default();
                let reason = DownReason::SendHoldTimerExpired { after };
                self.lose(now, place, Event::SendHoldExpired, reason);
            }
            LinkTimer::Keepalive => {
                if next(state, Event::KeepaliveExpired) == Step::SendKeepalive {
                    self.keepalive_at(now, place);
                }
            }
            LinkTimer::Burst => {
                let at = self.keepalive_allowed_at(now);
                if at <= now {
                    self.keepalive_at(now, place);
                } else if let Some(link) = self.link_mut(place) {
                    link.timers.set(LinkTimer::Burst, at);
                }
            }
        }
    }

    pub(super) fn keepalive_at(&mut self, now: Instant, place: Place) {
        if let Some(conn) = self.link_mut(place).map(|link| link.conn) {
            self.send_keepalive(now, place, conn);
        }
    }

    /// The hold time that runs in the state of a connection.
    pub(super) fn hold_time_at(&self, place: Place) -> Duration {
        let negotiated = match (self.attempt_at(place), &self.established) {
            (Some(Attempt::OpenConfirm { negotiated, .. }), _) => Some(negotiated),
            (Some(Attempt::Idle | Attempt::Active), _)
            | (Some(Attempt::Connect { .. } | Attempt::OpenSent(_)), _) => None,
            (None, established) => established.as_ref().map(|e| &e.negotiated),
        };
        negotiated
            .and_then(|negotiated| negotiated.hold_time.duration())
            .unwrap_or(OPEN_TIME)
    }
}
