//! Messages: bytes come in, are decoded, judged by the table and acted on.
//!
//! This is the path of every route from a peer. A whole read is split and decoded at once; the
//! decoded UPDATEs leave together in [`Output::Updates`].

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::link::{self, Attempt, Burst, Established, Link};
use super::timers::{LinkTimer, PeerTimer};
use super::transition::{Event, Step, next};
use super::{ConnId, DownReason, Messages, Negotiated, Output, Place, ReleaseReason, Session};
use super::{OPEN_TIME, Side, State, any, graceful, negotiated, opposite};
use crate::asn::Asn;
use crate::family::{Family, PerFamily};
use crate::message::{Message, Notification, Open, RefreshKind, RouteRefresh, Update};
use crate::wire;

/// UPDATEs in one [`Output::Updates`]: enough to be worth a hand-over between threads, few enough
/// that whoever takes them can begin before a long read has been decoded.
const UPDATES_MAX: usize = 128;

impl Session {
    pub(super) fn received(&mut self, now: Instant, conn: ConnId, bytes: BytesMut) {
        let Some(link) = self.place(conn).and_then(|place| self.link_mut(place)) else {
            return;
        };
        link.fill(bytes);
        // Any message may end the connection or make it the established one.
        while let Some(place) = self.place(conn) {
            let frame = match self.link_mut(place).map(Link::frame) {
                Some(Ok(Some(frame))) => frame,
                Some(Ok(None)) | None => break,
                Some(Err(error)) => {
                    self.lose(
                        now,
                        place,
                        Event::Malformed,
                        wire::Error::from(error).into(),
                    );
                    break;
                }
            };
            self.frame(now, place, &frame);
        }
    }

    pub(super) fn frame(&mut self, now: Instant, place: Place, frame: &[u8]) {
        let state = self.state_at(place);
        let decoded = match (place, &self.established) {
            (Place::Established, Some(established)) => wire::decode(frame, &established.context),
            (Place::Established | Place::Attempt(_), _) => {
                // Before Established an UPDATE is wrong, whatever it says.
                if frame.get(TYPE_OFFSET) == Some(&UPDATE) {
                    let reason = DownReason::UnexpectedMessage {
                        state,
                        message_type: UPDATE,
                    };
                    self.lose(now, place, Event::Update, reason);
                    return;
                }
                wire::decode(frame, &opening_context())
            }
        };
        match decoded {
            Ok(message) => self.message(now, place, message),
            Err(wire::Error::Update(error)) => self.update_failed(now, place, error),
            Err(error) => self.lose(now, place, Event::Malformed, error.into()),
        }
    }

    pub(super) fn message(&mut self, now: Instant, place: Place, message: Message) {
        count(&mut self.record.counters.received, &message);
        self.record.last_received = Some(now);
        if matches!(message, Message::Update(_)) {
            self.record.last_update = Some(now);
        }
        let state = self.state_at(place);
        let event = Event::of(&message);
        match (next(state, event), place, message) {
            (Step::Answer, Place::Attempt(side), Message::Open(open)) => {
                self.answer(now, side, &open);
            }
            (Step::Establish, Place::Attempt(side), _) => self.establish(now, side),
            (Step::Deliver, Place::Established, message) => self.deliver(now, message),
            (Step::End, place, Message::Notification(received)) => {
                self.end(now, place, DownReason::NotificationReceived(received));
            }
            (Step::Unexpected, place, message) => {
                let message_type = message_type(&message);
                self.end(
                    now,
                    place,
                    DownReason::UnexpectedMessage {
                        state,
                        message_type,
                    },
                );
            }
            // The table asks for nothing else when a message arrives.
            (
                Step::Ignore
                | Step::Dial
                | Step::Retry
                | Step::Greet
                | Step::Answer
                | Step::Establish
                | Step::Deliver
                | Step::SendKeepalive
                | Step::End,
                _,
                _,
            ) => {}
        }
    }

    /// OPEN in OpenSent: check, resolve a collision, confirm.
    pub(super) fn answer(&mut self, now: Instant, side: Side, open: &Open) {
        let place = Place::Attempt(side);
        let local_as = self.said_as(side);
        let config = self.config.speaking_as(local_as);
        let negotiated = match negotiated::negotiate(&config, open) {
            Ok(negotiated) => negotiated,
            Err(error) => return self.end(now, place, DownReason::Open(error)),
        };
        if !self.survives_collision(now, side, open) {
            return self.end(now, place, DownReason::Collision);
        }
        let Attempt::OpenSent(mut link) = mem::take(self.attempt_mut(side)) else {
            return;
        };
        link.adopt(now, &negotiated);
        // Even where silence is never checked later, the peer must confirm.
        let hold_time = negotiated.hold_time.duration().unwrap_or(OPEN_TIME);
        link.timers.set_after(LinkTimer::Hold, now, Some(hold_time));
        let conn = link.conn;
        *self.attempt_mut(side) = Attempt::OpenConfirm {
            link,
            negotiated: Arc::new(negotiated),
        };
        self.send_keepalive(now, place, conn);
    }

    /// The AS number that our OPEN said on a connection.
    pub(super) fn said_as(&self, side: Side) -> Asn {
        let link = self.attempt(side).link();
        link.map_or(self.config.local_as, |link| link.local_as)
    }

    /// RFC 4271 §6.8, for an OPEN that has just come from `side`. Ends the other connection when
    /// this one is to stay.
    pub(super) fn survives_collision(&mut self, now: Instant, side: Side, open: &Open) -> bool {
        let opened = self.attempt(side).link().map_or(now, |link| link.opened);
        if let Some(established) = &self.established {
            // "Unless allowed via configuration, a connection collision with an existing BGP
            // connection that is in the Established state causes closing of the newly created
            // connection." RFC 4724 §4.2 is the exception.
            if graceful::reconnected(established, opened, open) {
                self.end(now, Place::Established, DownReason::PeerReconnected);
                return true;
            }
            return false;
        }
        let other = opposite(side);
        match self.attempt(other).state() {
            State::OpenConfirm => {
                let local = (self.config.router_id, self.said_as(side));
                let survives = link::collision(local, (open.router_id, open.asn)) == side;
                if survives {
                    self.end(now, Place::Attempt(other), DownReason::Collision);
                }
                survives
            }
            // Nothing is known about the other one yet: its own OPEN will decide.
            State::Idle
            | State::Active
            | State::Connect
            | State::OpenSent
            | State::Established => true,
        }
    }

    /// KEEPALIVE in OpenConfirm.
    pub(super) fn establish(&mut self, now: Instant, side: Side) {
        let Attempt::OpenConfirm {
            mut link,
            negotiated,
        } = mem::take(self.attempt_mut(side))
        else {
            return;
        };
        // The configuration may be another one since the OPEN.
        let negotiated = Arc::new(negotiated.retimed(&self.config));
        link.adopt(now, &negotiated);
        let conn = link.conn;
        self.established = Some(Established {
            link,
            context: negotiated.wire_context(self.config.hash_seed),
            negotiated: Arc::clone(&negotiated),
            since: now,
            burst: Burst::default(),
            awaited: PerFamily::default(),
            awaited_until: None,
            complete: PerFamily::default(),
            disabled: PerFamily::default(),
            read_paused: false,
        });
        self.schedule_keepalive(now, Place::Established);
        self.lose(
            now,
            Place::Attempt(opposite(side)),
            Event::Superseded,
            DownReason::Collision,
        );
        self.outgoing = Attempt::Idle;
        self.timers.clear(PeerTimer::ConnectRetry);
        self.record.last_error = None;
        self.record.established += 1;
        self.outputs.push_back(Output::Established {
            conn,
            negotiated: Arc::clone(&negotiated),
        });
        self.settle_retained(now, &negotiated);
        self.note_state(now);
    }

    /// The peer is back: what it preserved stays stale until End-of-RIB, the rest goes.
    pub(super) fn settle_retained(&mut self, now: Instant, negotiated: &Negotiated) {
        let old_until = self.timers.get(PeerTimer::LongLived);
        self.timers.clear(PeerTimer::Restart);
        self.timers.clear(PeerTimer::Silence);
        self.timers.clear(PeerTimer::LongLived);
        let (Some(retained), Some(established)) = (self.retained.take(), &mut self.established)
        else {
            return;
        };
        let preserved = graceful::preserved(&retained, negotiated);
        established.awaited = preserved;
        if any(&preserved) {
            // RFC 9494 §4.2: the time as a last resort does not start anew.
            let until = now.checked_add(self.config.stale_time);
            let until = until.into_iter().chain(old_until).min();
            self.timers.put(PeerTimer::Stale, until);
            established.awaited_until = old_until.or(until);
        }
        let families = negotiated::per_family(|family| {
            *retained.families.get(family) && !*preserved.get(family)
        });
        if any(&families) {
            let reason = ReleaseReason::NotPreserved;
            self.outputs.push_back(Output::Release { families, reason });
        }
    }

    pub(super) fn deliver(&mut self, now: Instant, message: Message) {
        let Some(established) = &mut self.established else {
            return;
        };
        match message {
            Message::Update(update) => {
                established.heard(now);
                self.deliver_update(update);
            }
            Message::Keepalive => established.heard(now),
            Message::RouteRefresh(refresh) => self.deliver_refresh(refresh),
            Message::Open(_) | Message::Notification(_) => {}
        }
    }

    pub(super) fn deliver_update(&mut self, mut update: Update) {
        let Some(established) = &mut self.established else {
            return;
        };
        if !update.errors.is_empty() {
            self.record.counters.malformed_updates += 1;
        }
        if any(&established.disabled) {
            let disabled = established.disabled;
            update.withdrawn.retain(|list| !disabled.get(list.family()));
            update
                .announced
                .retain(|(list, _)| !disabled.get(list.family()));
            update.end_of_rib = update.end_of_rib.filter(|family| !disabled.get(*family));
        }
        if let Some(family) = update.end_of_rib {
            *established.complete.get_mut(family) = true;
            *established.awaited.get_mut(family) = false;
            if !any(&established.awaited) {
                self.timers.clear(PeerTimer::Stale);
            }
        }
        match self.outputs.back_mut() {
            Some(Output::Updates(together)) if together.len() < UPDATES_MAX => {
                together.push(update);
            }
            Some(_) | None => self.outputs.push_back(Output::Updates(vec![update])),
        }
    }

    /// RFC 2918 §4: a family that was not negotiated is ignored, and so is a subtype that is not
    /// known (RFC 7313 §5).
    pub(super) fn deliver_refresh(&mut self, refresh: RouteRefresh) {
        let Some(established) = &self.established else {
            return;
        };
        let Some(family) = Family::from_numbers(refresh.afi, refresh.safi) else {
            return;
        };
        if established.negotiated.families.get(family).is_none() {
            return;
        }
        let kind = refresh.kind;
        // RFC 7313 §4: from a peer that can restart, marks count behind its End-of-RIB only.
        let early = established.negotiated.graceful.is_some() && !established.complete.get(family);
        match kind {
            RefreshKind::Begin | RefreshKind::End if early => {}
            RefreshKind::Unknown(_) => {}
            RefreshKind::Begin | RefreshKind::End if !established.negotiated.enhanced_refresh => {}
            RefreshKind::Request | RefreshKind::Begin | RefreshKind::End => {
                self.outputs.push_back(Output::Refresh { family, kind });
            }
        }
    }

    /// An UPDATE whose routes cannot be read: one family ends, or the session.
    pub(super) fn update_failed(&mut self, now: Instant, place: Place, error: wire::UpdateError) {
        self.record.counters.received.updates += 1;
        self.record.counters.malformed_updates += 1;
        if let (wire::Verdict::DisableFamily(family), Some(established)) =
            (error.verdict(), &mut self.established)
        {
            let others = established
                .negotiated
                .families
                .iter()
                .any(|(other, agreed)| {
                    agreed.is_some() && other != family && !established.disabled.get(other)
                });
            if others {
                established.heard(now);
                *established.awaited.get_mut(family) = false;
                let before = mem::replace(established.disabled.get_mut(family), true);
                if !before {
                    self.outputs
                        .push_back(Output::FamilyDisabled { family, error });
                }
                return;
            }
        }
        self.lose(
            now,
            place,
            Event::Malformed,
            wire::Error::Update(error).into(),
        );
    }

    pub(super) fn request_refresh(&mut self, family: Family) {
        let Some(established) = &self.established else {
            return;
        };
        let negotiated = &established.negotiated;
        if negotiated.route_refresh && negotiated.families.get(family).is_some() {
            let conn = established.link.conn;
            let (afi, safi, kind) = (family.afi(), family.safi(), RefreshKind::Request);
            self.record.counters.sent.refreshes += 1;
            self.send(
                conn,
                wire::encode_route_refresh(&RouteRefresh { afi, safi, kind }),
            );
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.outputs.push_back(Output::Send { conn, bytes });
    }

    pub(super) fn send_notification(&mut self, conn: ConnId, notification: &Notification) {
        self.record.counters.sent.notifications += 1;
        self.send(conn, wire::encode_notification(notification, false));
    }

    pub(super) fn send_keepalive(&mut self, now: Instant, place: Place, conn: ConnId) {
        self.record.counters.sent.keepalives += 1;
        self.record.last_sent = Some(now);
        self.keepalive_sent = Some(now);
        self.send(conn, wire::encode_keepalive());
        self.schedule_keepalive(now, place);
    }

    /// RFC 4271 §4.4: when the next KEEPALIVE may go out, whatever asks for it.
    pub(super) fn keepalive_allowed_at(&self, now: Instant) -> Instant {
        let next = self
            .keepalive_sent
            .and_then(|at| at.checked_add(KEEPALIVE_MIN));
        next.unwrap_or(now)
    }

    pub(super) fn schedule_keepalive(&mut self, now: Instant, place: Place) {
        let interval = match (place, self.attempt_at(place), &self.established) {
            (_, Some(Attempt::OpenConfirm { negotiated, .. }), _) => negotiated.keepalive,
            (Place::Established, _, Some(established)) => established.negotiated.keepalive,
            (Place::Established | Place::Attempt(_), _, _) => None,
        };
        // RFC 4271 §4.4: no more than one a second, jitter included.
        let after = interval.map(|interval| self.jitter.apply(interval).max(KEEPALIVE_MIN));
        if let Some(link) = self.link_mut(place) {
            link.timers.set_after(LinkTimer::Keepalive, now, after);
        }
    }
}

/// RFC 4271 §4.4: "KEEPALIVE messages MUST NOT be sent more frequently than one per second."
pub(super) const KEEPALIVE_MIN: Duration = Duration::from_secs(1);

/// Where the type of a message stands (RFC 4271 §4.1).
const TYPE_OFFSET: usize = 18;
/// Type of an UPDATE.
const UPDATE: u8 = 2;

/// How to decode before anything is agreed on.
fn opening_context() -> wire::Context {
    wire::Context {
        as4: false,
        extended_message: false,
        add_path: PerFamily::default(),
        families: PerFamily::default(),
        external: false,
        extended_next_hop: false,
        aigp: false,
        unwanted: wire::Unwanted::default(),
        hash_seed: 0,
    }
}

/// Type octet of a message (RFC 4271 §4.1, RFC 2918 §3).
fn message_type(message: &Message) -> u8 {
    match message {
        Message::Open(_) => 1,
        Message::Update(_) => UPDATE,
        Message::Notification(_) => 3,
        Message::Keepalive => 4,
        Message::RouteRefresh(_) => 5,
    }
}

fn count(messages: &mut Messages, message: &Message) {
    let counter = match message {
        Message::Open(_) => &mut messages.opens,
        Message::Update(_) => &mut messages.updates,
        Message::Notification(_) => &mut messages.notifications,
        Message::Keepalive => &mut messages.keepalives,
        Message::RouteRefresh(_) => &mut messages.refreshes,
    };
    *counter += 1;
}
