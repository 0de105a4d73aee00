//! Routes, and the nexthop objects they stand on: what is wished for and what the kernel shows.
//!
//! The kernel may hold several routes of ours for a prefix, with different metrics. Of those that
//! belong to one owner ([`super::shares`]) one is the entry; the others are *strays*, which nobody
//! wants. A route's content is a shape that is kept
//! once, and a shape holds its nexthop object; whoever takes a shape out of a ledger releases it.
//!
//! Not here: in which order anything is written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Hop, Object, OpError, RouteShape, ShapeId, Table, Via};
use crate::event::Event;
use crate::state::{Interface, Key, NextHop, RouteKey};

impl Table {
    pub(super) fn want_route(&mut self, key: RouteKey, want: Option<ShapeId>) {
        if let Some(want) = want
            && self.serves(&key, want)
        {
            // Both hold what they name.
            self.shapes.hold(want);
            let before = self.routes.agree(key, want);
            for id in <[_; 2]>::from(before).into_iter().flatten() {
                self.shapes.release(id, &mut self.objects);
            }
            return;
        }
        if let Some(before) = self.routes.set(key, want) {
            self.shapes.release(before, &mut self.objects);
            if want.is_none() && self.routes.have(&key).is_none() {
                self.tell_given_up(Key::Route(key));
            }
        }
        let Some(wanted) = want.and_then(|id| self.shapes.get(id)).cloned() else {
            return;
        };
        // A leftover with the wanted metric is the one to replace.
        if let Some(stray) = self.strays.have(&(key, wanted.metric)) {
            self.shapes.hold(stray);
            self.place(key, stray);
            self.drop_stray(key, wanted.metric);
        }
        // So may one of those that is the same but for what the kernel filled in.
        if let Some(want) = want
            && self.serves(&key, want)
        {
            self.shapes.hold(want);
            self.place(key, want);
        }
    }

    /// What the kernel has is another shape, and stands for this one: with interfaces filled in,
    /// or without what is spare.
    fn serves(&self, key: &RouteKey, want: ShapeId) -> bool {
        let Some(have) = self.routes.have(key).filter(|have| *have != want) else {
            return false;
        };
        let (have, want) = (self.shapes.get(have), self.shapes.get(want));
        have.zip(want)
            .is_some_and(|(have, want)| have.stands_for(want))
    }

    /// Sets what the kernel has, whose reference is passed in.
    pub(super) fn place(&mut self, key: RouteKey, id: ShapeId) {
        let adopt = !self.shares.route_swept(&key);
        let before = self.routes.observe(key, Some(id), adopt);
        let Some(before) = before else { return };
        let metric = |id| self.shapes.get(id).map(|shape| shape.metric);
        match (metric(before), metric(id)) {
            (Some(old), new) if Some(old) != new => {
                // A route with another metric is not replaced by this one, it is still there.
                let known = self.strays.observe((key, old), Some(before), false);
                if let Some(known) = known {
                    self.shapes.release(known, &mut self.objects);
                }
            }
            _ => self.shapes.release(before, &mut self.objects),
        }
    }

    pub(super) fn drop_stray(&mut self, key: RouteKey, metric: u32) {
        if let Some(gone) = self.strays.observe((key, metric), None, false) {
            self.shapes.release(gone, &mut self.objects);
        }
    }

    pub(super) fn observe_route(&mut self, key: RouteKey, shape: RouteShape) {
        let wanted = self
            .routes
            .want(&key)
            .and_then(|id| Some((id, self.shapes.get(id)?.clone())));
        let metric = shape.metric;
        let id = match &wanted {
            Some((id, want)) if shape.stands_for(want) => {
                self.shapes.hold(*id);
                *id
            }
            Some(_) | None => self.shapes.intern(shape, &mut self.objects),
        };
        if !self.is_in_front(key, id) {
            self.shapes.release(id, &mut self.objects);
            return;
        }
        let have = self.routes.have(&key);
        let have_metric = have
            .and_then(|id| self.shapes.get(id))
            .map(|shape| shape.metric);
        let primary = match (&wanted, have_metric) {
            (Some((_, want)), _) if want.metric == metric => true,
            (_, Some(have_metric)) => have_metric == metric,
            (_, None) => true,
        };
        if primary {
            self.note_observed(
                wanted.as_ref().map(|(id, _)| *id) == Some(id),
                have == Some(id),
            );
            self.place(key, id);
        } else {
            let adopt = !self.shares.route_swept(&key) && wanted.is_none();
            if let Some(known) = self.strays.observe((key, metric), Some(id), adopt) {
                self.shapes.release(known, &mut self.objects);
            } else {
                self.note_observed(false, false);
            }
        }
    }

    /// Counts a difference for the audit under way.
    pub(super) fn note_observed(&mut self, as_wanted: bool, as_known: bool) {
        if let Some(audit) = &mut self.audit
            && !as_wanted
            && !as_known
        {
            audit.found.different += 1;
        }
    }

    pub(super) fn observe_route_removed(&mut self, key: RouteKey, metric: u32) {
        let have = self.routes.have(&key);
        let have_metric = have
            .and_then(|id| self.shapes.get(id))
            .map(|shape| shape.metric);
        if have_metric == Some(metric) {
            if let Some(gone) = self.routes.observe(key, None, false) {
                self.shapes.release(gone, &mut self.objects);
            }
            self.events.push_back(Event::Removed {
                key: Key::Route(key),
            });
        } else {
            self.drop_stray(key, metric);
        }
    }

    pub(super) fn observe_next_hops(&mut self, seen: HashMap<u32, Object>) {
        let lost = self.objects.observe_all(seen);
        if lost.is_empty() {
            return;
        }
        let shapes = &self.shapes;
        let over_lost = |id: ShapeId| {
            shapes
                .get(id)
                .and_then(|shape| shape.object())
                .is_some_and(|id| lost.contains(&id))
        };
        let gone = self.routes.lose(over_lost);
        let strays = self.strays.lose(|_, id| over_lost(id));
        for (key, id) in gone {
            self.shapes.release(id, &mut self.objects);
            self.events.push_back(Event::Removed {
                key: Key::Route(key),
            });
        }
        for (_, id) in strays {
            self.shapes.release(id, &mut self.objects);
        }
    }

    pub(super) fn done_route(
        &mut self,
        key: RouteKey,
        shape: &Arc<RouteShape>,
        result: Result<(), OpError>,
        now: Instant,
    ) -> bool {
        match result {
            Ok(()) => {
                let id = self.shapes.intern_again(shape, &mut self.objects);
                self.place(key, id);
                true
            }
            Err(error) => {
                let known = self.routes.error(&key).map(str::to_owned);
                if error.errno == libc::EEXIST && known.is_none() {
                    // Perhaps ours, put back by somebody before we noticed that it was gone.
                    self.routes
                        .fail(key, "there is such a route already".to_owned(), now);
                    return false;
                }
                if error.errno == libc::EEXIST {
                    let text =
                        "another program has a route with this prefix and metric".to_owned();
                    let told = known.as_ref() == Some(&text);
                    self.routes.fail_occupied(key, text.clone(), now);
                    if !told {
                        self.tell_occupied(Key::Route(key), text);
                    }
                } else {
                    let text = error.to_string();
                    let told = known.as_ref() == Some(&text);
                    self.routes.fail(key, text.clone(), now);
                    self.tell_failure(Key::Route(key), text, told);
                }
                // The object of the route may have gone unseen.
                known.is_some() || shape.object().is_none()
            }
        }
    }

    /// Some routes of ours stand without a nexthop object, or with a source address: the kernel
    /// removes those silently when a device or address goes.
    pub fn has_routes_by_themselves(&self) -> bool {
        self.shapes
            .iter()
            .any(|shape| matches!(shape.via, Via::Hops(_)) || shape.source.is_some())
    }

    /// A route's content in words, its nexthop object spelled out.
    pub(super) fn describe(&self, shape: &RouteShape) -> String {
        let object = shape.object().and_then(|id| self.objects.have(id));
        let hops = match (object, &shape.via) {
            (Some(object), _) => self.hops_of(object),
            (None, Via::Hops(hops)) => hops.iter().map(|hop| self.named(hop)).collect(),
            (None, Via::Object(_) | Via::Nowhere) => return shape.to_string(),
        };
        let spelled = RouteShape {
            via: Via::Hops(hops),
            ..shape.clone()
        };
        spelled.to_string()
    }

    /// The same next hop, its interface by name.
    fn named(&self, hop: &NextHop) -> NextHop {
        let link = match hop.interface {
            Some(Interface::Index(index)) => self.links.get(index),
            Some(Interface::Name(_)) | None => None,
        };
        match link {
            Some(link) => hop.clone().dev(link.name.clone()),
            None => hop.clone(),
        }
    }

    pub(super) fn hops_of(&self, object: &Object) -> Vec<NextHop> {
        let single = |hop: &Hop, weight| NextHop {
            gateway: hop.gateway,
            interface: Some(match self.links.get(hop.index) {
                Some(link) => link.name.clone().into(),
                None => hop.index.into(),
            }),
            onlink: hop.onlink,
            weight,
            fate: 0,
        };
        match object {
            Object::Single(hop) => vec![single(hop, 1)],
            Object::Group(members) => members
                .iter()
                .filter_map(|(id, weight)| match self.objects.have(*id)? {
                    Object::Single(hop) => Some(single(hop, *weight)),
                    Object::Group(_) => None,
                })
                .collect(),
        }
    }
}
