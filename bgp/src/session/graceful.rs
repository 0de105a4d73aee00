//! When routes outlive a session (RFC 4724, RFC 8538).
//!
//! Pure decisions; the routes themselves are in the tables, which are told by
//! [`super::Output::Down`] and [`super::Output::Release`].
//!
//! A helper must tell two absences apart. A peer whose *program* restarts has a host that still
//! answers: connection attempts are refused, or accepted soon. Its routes are kept for the
//! restart time it asked for, even when BFD goes down after the session, because its BFD may run
//! in the same program. A peer whose *address* is silent, with BFD down and attempts unanswered
//! for the detection time and a second, is a dead host or path, and keeping its routes is a
//! black hole. So is one whose BFD says that it lives apart from the program (the C bit of RFC 5880)
//! and goes down: there is no need to wait for proof. And when BFD goes down first, the path died under a living session, and nothing is
//! kept at all. A passive session makes no attempts and has no such evidence: there only the
//! restart time counts.

use std::time::{Duration, Instant};

use super::config::Config;
use super::event::Retain;
use super::link::Established;
use super::negotiated::{Negotiated, per_family};
use super::reason::DownReason;
use crate::family::PerFamily;
use crate::message::{Capability, Open};

/// Beyond BFD's detection time, how long an address may leave connection attempts unanswered: one
/// retransmission of a lost SYN.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// A connection that came this long after Established was opened by a peer that no longer has
/// that session; sooner, it may be the second one of a collision, still on its way.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Routes kept for a peer that is away.
#[derive(Debug)]
pub(super) struct Retained {
    pub(super) families: PerFamily<bool>,
    /// How much longer some of them may stay (RFC 9494).
    pub(super) long_lived: PerFamily<Option<Duration>>,
    /// Until when they do, once they have grown old.
    pub(super) old_until: Option<PerFamily<Option<Instant>>>,
    /// Until when those may stay at most that an earlier loss has left stale.
    carried_until: PerFamily<Option<Instant>>,
    /// First connection attempt since the address last answered.
    unanswered_since: Option<Instant>,
}

impl Retained {
    pub(super) fn new(retain: &Retain, carried: &Carried) -> Self {
        Self {
            families: retain.families,
            long_lived: retain.long_lived,
            old_until: None,
            carried_until: per_family(|family| {
                carried.until.filter(|_| *carried.stays.get(family))
            }),
            unanswered_since: None,
        }
    }

    /// The peer's restart time is over: what of this may stay, and what goes.
    pub(super) fn grow_old(self, now: Instant) -> (Option<Self>, PerFamily<bool>) {
        let until = per_family(|family| {
            let time = self
                .long_lived
                .get(family)
                .filter(|_| *self.families.get(family));
            // RFC 9494 §4.2: a time that runs is not started anew.
            let carried = *self.carried_until.get(family);
            now.checked_add(time?).into_iter().chain(carried).min()
        });
        let stays = per_family(|family| until.get(family).is_some());
        let goes = per_family(|family| *self.families.get(family) && !*stays.get(family));
        let old = stays.iter().any(|(_, stays)| *stays).then_some(Self {
            families: stays,
            old_until: Some(until),
            ..self
        });
        (old, goes)
    }

    /// Takes out the families whose time as a last resort is over.
    pub(super) fn take_expired(&mut self, now: Instant) -> PerFamily<bool> {
        let until = self.old_until.unwrap_or(self.carried_until);
        let expired = per_family(|family| until.get(family).is_some_and(|at| at <= now));
        for (family, expired) in expired.iter().filter(|(_, expired)| **expired) {
            *self.families.get_mut(family) &= !*expired;
            if let Some(until) = &mut self.old_until {
                *until.get_mut(family) = None;
            }
            *self.carried_until.get_mut(family) = None;
        }
        expired
    }

    /// When the first of them is over.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let until = self.old_until.as_ref().unwrap_or(&self.carried_until);
        until.iter().filter_map(|(_, at)| *at).min()
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
    }

    pub(super) fn answered(&mut self) {
        self.unanswered_since = None;
    }

    /// When the silence becomes proof, BFD having been down since `bfd_down`.
    pub(super) fn silent_at(&self, bfd_down: Instant, detect_time: Duration) -> Option<Instant> {
        if self.old_until.is_some() {
            // A last resort is kept for dead hosts too.
            return None;
        }
        let since = self.unanswered_since?.max(bfd_down);
        since.checked_add(detect_time)?.checked_add(ANSWER_TIME)
    }
}

/// What to keep of the peer's routes when its session ends (RFC 4724 §4.2, RFC 8538 §4).
pub(super) fn retain(
    config: &Config,
    negotiated: &Negotiated,
    reason: &DownReason,
) -> Option<Retain> {
    let graceful = negotiated
        .graceful
        .as_ref()
        .filter(|_| config.graceful_helper)?;
    // RFC 4724 covers the loss of TCP, RFC 8538 everything else but a Hard Reset.
    if reason.is_hard() || !(reason.is_silent_end() || negotiated.graceful_notification) {
        return None;
    }
    let agreed = |family| negotiated.families.get(family).as_ref();
    let long_lived = per_family(|family| {
        let time = agreed(family)?.peer_long_lived?.time;
        (!time.is_zero()).then_some(time)
    });
    // RFC 9494 §4.2: a family that only one of the capabilities names has no time by the other.
    let restarts = |family| {
        let named = agreed(family).is_some_and(|agreed| agreed.peer_restart.is_some());
        named && graceful.restart_time > 0
    };
    let families = per_family(|family| restarts(family) || long_lived.get(family).is_some());
    let any = families.iter().any(|(_, kept)| *kept);
    any.then(|| Retain {
        families,
        restart_time: Duration::from_secs(graceful.restart_time.into()),
        long_lived,
    })
}

/// What an earlier loss has left stale, when the session is lost again before End-of-RIB.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Families in which it stays.
    pub(super) stays: PerFamily<bool>,
    /// Families in which it goes.
    pub(super) goes: PerFamily<bool>,
    /// Until when it stays.
    until: Option<Instant>,
}

/// RFC 4724 §4.2: "a route (from the peer) previously marked as stale MUST be deleted"; RFC 8538
/// §4.1: not where the N bit was exchanged; RFC 9494 §4.2: nor before its long-lived stale time.
pub(super) fn carried(retain: &Retain, established: &Established) -> Carried {
    let stale = |family| *retain.families.get(family) && *established.awaited.get(family);
    let stays = |family| {
        let long_lived = retain.long_lived.get(family).is_some();
        stale(family) && (established.negotiated.graceful_notification || long_lived)
    };
    Carried {
        stays: per_family(stays),
        goes: per_family(|family| stale(family) && !stays(family)),
        until: established.awaited_until,
    }
}

/// Which of the retained families lived through the restart (RFC 4724 §4.2: without the F bit,
/// the family or the capability, stale routes go at once).
pub(super) fn preserved(retained: &Retained, negotiated: &Negotiated) -> PerFamily<bool> {
    per_family(|family| {
        let Some(agreed) = negotiated.families.get(family) else {
            return false;
        };
        let restart = agreed.peer_restart.map(|it| it.forwarding_preserved);
        let long_lived = agreed.peer_long_lived.map(|it| it.forwarding_preserved);
        let preserved = match retained.old_until {
            // RFC 9494 §4.2: then the F bit of its own capability counts.
            Some(_) => long_lived,
            None => restart.or(long_lived),
        };
        *retained.families.get(family) && preserved == Some(true)
    })
}

/// True when an OPEN on a second connection shows that the peer has restarted and the established
/// connection is only the memory of one (RFC 4724 §4.2).
pub(super) fn reconnected(established: &Established, opened: Instant, open: &Open) -> bool {
    let restarting = open.capabilities.iter().any(|capability| {
        matches!(capability, Capability::GracefulRestart(graceful) if graceful.restarting)
    });
    restarting
        && established.negotiated.graceful.is_some()
        && established.negotiated.router_id == open.router_id
        && opened.saturating_duration_since(established.since) >= RECONNECT_AFTER
}
