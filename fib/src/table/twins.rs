//! Several routes with one prefix and metric, of which the kernel uses the one in front.
//!
//! Nobody who asks the kernel for a route as usual gets there: it refuses a second one. `ip route
//! prepend` and `append` do not ask. A second one of ours, a *twin*, is removed by its content,
//! wherever it stands, so that the wanted one is never missing. One of another program behind ours
//! takes nothing from us. In front of ours it has the place: ours is removed, since every change of
//! it would change theirs, and waits as it would had theirs been first.
//!
//! Only a complete read says what stands in front, by the order of what it tells. A notification
//! that speaks of one route where another is known is a reason for such a read.
//!
//! Not here: routes that differ in their metric ([`super::routes`]).

use std::collections::VecDeque;
use std::sync::Arc;

use super::op::refused;
use super::{Op, OpError, RouteShape, ShapeId, Table};
use crate::state::RouteKey;

/// What is known of routes in one place.
#[derive(Default)]
pub(super) struct Twins {
    /// To be removed, whatever else is wanted there.
    unsets: VecDeque<(RouteKey, Arc<RouteShape>)>,
    /// A notification did not fit what was known.
    unread: bool,
}

impl Table {
    /// A complete read tells a route of ours. Returns false if it is one that goes, and is not what
    /// stands for this name.
    pub(super) fn is_in_front(&mut self, key: RouteKey, id: ShapeId) -> bool {
        let Some(audit) = &mut self.audit else {
            return true;
        };
        let Some(shape) = self.shapes.get(id) else {
            return true;
        };
        if audit.ahead == Some((key, shape.metric)) {
            self.twins.unsets.push_back((key, shape.clone()));
            return false;
        }
        let known = self.routes.have(&key).filter(|_| self.routes.seen(&key));
        let known = known.and_then(|known| Some((known, self.shapes.get(known)?)));
        match known {
            Some((known, first)) if first.metric == shape.metric && known != id => {
                // Of two the one that is wanted stays.
                let stays = self.routes.want(&key) == Some(id);
                let goes = if stays { first } else { shape };
                self.twins.unsets.push_back((key, goes.clone()));
                audit.found.unexpected += 1;
                stays
            }
            Some(_) | None => true,
        }
    }

    /// A complete read tells a route of another program, in front of what it tells next.
    pub(super) fn others_ahead(&mut self, key: RouteKey, metric: u32) {
        match &mut self.audit {
            Some(audit) => audit.ahead = Some((key, metric)),
            // A notification: where it stands in the kernel's list is not told.
            None => self.twins.unread |= self.metric_there(&key) == Some(metric),
        }
    }

    /// A notification tells of a route of ours, there or gone. Returns false if another one with
    /// this metric is known to be there.
    pub(super) fn is_the_known(&mut self, key: &RouteKey, shape: &RouteShape) -> bool {
        let have = self.routes.have(key).and_then(|id| self.shapes.get(id));
        let have = have.filter(|have| have.metric == shape.metric);
        let Some(have) = have.filter(|_| self.audit.is_none()) else {
            return true;
        };
        let known = **have == *shape || shape.stands_for(have);
        self.twins.unread |= !known;
        known
    }

    fn metric_there(&self, key: &RouteKey) -> Option<u32> {
        let have = self.routes.have(key).and_then(|id| self.shapes.get(id));
        have.map(|shape| shape.metric)
    }

    /// Whether routes have to be read again, once.
    pub fn take_unread_routes(&mut self) -> bool {
        std::mem::take(&mut self.twins.unread)
    }

    /// Routes have to be read again.
    pub fn has_unread_routes(&self) -> bool {
        self.twins.unread
    }

    pub(super) fn has_twins(&self) -> bool {
        !self.twins.unsets.is_empty()
    }

    pub(super) fn plan_twins(&mut self, ops: &mut Vec<Op>, max: usize) {
        let some = self.twins.unsets.len().min(max);
        let unsets = self.twins.unsets.drain(..some);
        ops.extend(unsets.map(|(key, shape)| Op::UnsetTwin { key, shape }));
    }

    /// The result of a removal. IPv6 may have taken the wanted one for it, so that routes are read
    /// again. Refused, or gone before, it is left to the next read.
    pub(super) fn done_twin(&self, result: &Result<(), OpError>) -> bool {
        let gone_before = result.as_ref().is_err_and(OpError::is_absent);
        gone_before || refused(result).is_some()
    }
}
