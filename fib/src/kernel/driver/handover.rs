//! What is left in the kernel for FRR, at a stop that leaves routes where they are.
//!
//! ```text
//! dump ──► routes of ours that are not as FRR's ──► same prefix, whoever made them ──► steps ──► kernel
//! ```
//!
//! FRR has one route to a prefix, with metric 20 whatever its distance. What it finds with that metric and
//! its number it takes for its own and replaces in place; a route of ours with another metric it does not
//! see again, and one with a lower metric would stay in front of its own for good. So of ours to a prefix
//! the one that packets take is left, with FRR's metric. It is written before the others go.
//!
//! Packets take the way they took before: where a route of somebody else's is in between, everything stays
//! as it is, unless it leads where ours leads.
//!
//! The next start of this program finds its routes by the same number, and gives them their metrics again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Driver;
use super::hear::shape_of;
use crate::kernel::KernelError;
use crate::netlink::notice::{Notice, RouteNotice};
use crate::state::{Route, RouteKey, Vrf};
use crate::table::Op;

/// FRR's number of routes that it has by BGP (`RTPROT_BGP`).
const FRRS_PROTOCOL: u8 = 186;

/// What is to be done about a prefix.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// Nothing: it is as FRR would have it.
    AsItIs,
    /// A route of somebody else's would come in front of ours, or ours in front of it.
    InTheWay,
    /// One is written, then the others are removed.
    Steps(Option<Op>, Vec<Op>),
}

impl Driver {
    /// Leaves one route to each prefix where FRR looks for it. Nothing is to be written afterwards.
    pub(super) fn hand_over(&mut self) {
        if self.options.protocol != FRRS_PROTOCOL {
            return;
        }
        match self.read_odd() {
            Ok(odd) => self.leave(&odd),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "routes with other metrics than FRR's stay");
            }
        }
    }

    fn leave(&mut self, odd: &BTreeMap<RouteKey, Vec<RouteNotice>>) {
        let (mut writes, mut removals) = (Vec::new(), Vec::new());
        let (mut done, mut stay) = (0_usize, Vec::new());
        for (key, same) in odd {
            match left(self.options.protocol, same) {
                Left::AsItIs => {}
                Left::InTheWay => stay.push(*key),
                Left::Steps(None, gone) => {
                    done += 1;
                    removals.extend(gone);
                }
                Left::Steps(Some(write), gone) => writes.push((*key, write, gone)),
            }
        }
        let ops: Vec<Op> = writes.iter().map(|(_, write, _)| write.clone()).collect();
        let results = self.writer.write(&ops, || self.table.links().free_group());
        for ((key, _, gone), result) in writes.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    done += 1;
                    removals.extend(gone);
                }
                Err(error) => {
                    tracing::debug!(%key, %error, "refused");
                    stay.push(key);
                }
            }
        }
        // One that is gone already needs no word.
        self.writer
            .write(&removals, || self.table.links().free_group());
        if done > 0 {
            tracing::info!(prefixes = done, "routes have FRR's metric now");
        }
        if let Some(first) = stay.first() {
            tracing::warn!(
                prefixes = stay.len(), %first,
                "routes keep their metrics, since others of somebody else's are beside them: FRR will \
                 not take them over"
            );
        }
    }

    /// The prefixes to which we have routes with other metrics than FRR's, with all routes to them.
    fn read_odd(&mut self) -> Result<BTreeMap<RouteKey, Vec<RouteNotice>>, KernelError> {
        let failed = |source| KernelError::Dump {
            what: "routes",
            source,
        };
        let protocol = self.options.protocol;
        let mut keys = BTreeSet::new();
        let find = |notice| {
            if let Notice::Route { route, .. } = notice
                && is_ours(protocol, &route)
                && route.metric != Route::METRIC
            {
                keys.insert(route.key);
            }
        };
        self.dump.routes_of(protocol, find).map_err(failed)?;
        let mut odd: BTreeMap<RouteKey, Vec<RouteNotice>> = BTreeMap::new();
        if keys.is_empty() {
            return Ok(odd);
        }
        let keep = |notice| {
            if let Notice::Route { route, .. } = notice
                && keys.contains(&route.key)
            {
                odd.entry(route.key).or_default().push(route);
            }
        };
        self.dump.routes(keep).map_err(failed)?;
        Ok(odd)
    }
}

/// What ends a VRF's table is no route that FRR would have.
fn is_ours(protocol: u8, route: &RouteNotice) -> bool {
    route.protocol == protocol && route.metric != Vrf::CLOSING_METRIC
}

/// What is to be done about a prefix with these routes.
fn left(protocol: u8, same: &[RouteNotice]) -> Left {
    let ours = || same.iter().filter(|it| is_ours(protocol, it));
    let Some(front) = ours().min_by_key(|it| it.metric) else {
        return Left::AsItIs;
    };
    let without = |metric: u32| {
        let gone = ours().filter(move |it| it.metric != metric);
        gone.map(|it| {
            let (key, shape) = shape_of(it.clone());
            let shape = Arc::new(shape);
            Op::UnsetRoute { key, shape }
        })
        .collect::<Vec<_>>()
    };
    if front.metric == Route::METRIC {
        return match without(Route::METRIC) {
            gone if gone.is_empty() => Left::AsItIs,
            gone => Left::Steps(None, gone),
        };
    }
    let between = front.metric.min(Route::METRIC)..=front.metric.max(Route::METRIC);
    let others = same.iter().filter(|it| !is_ours(protocol, it));
    let mut others = others.filter(|it| between.contains(&it.metric));
    match (others.next(), others.next()) {
        (None, _) => {}
        // What FRR has left itself, when we came.
        (Some(theirs), None)
            if front.metric < theirs.metric
                && theirs.metric == Route::METRIC
                && leads_alike(front, theirs) =>
        {
            return Left::Steps(None, without(Route::METRIC));
        }
        (Some(_), _) => return Left::InTheWay,
    }
    let replace = ours().any(|it| it.metric == Route::METRIC);
    let (key, mut shape) = shape_of(front.clone());
    shape.metric = Route::METRIC;
    let write = Op::SetRoute {
        key,
        shape: Arc::new(shape),
        replace,
    };
    Left::Steps(Some(write), without(Route::METRIC))
}

fn leads_alike(one: &RouteNotice, other: &RouteNotice) -> bool {
    let ways = |route: &RouteNotice| {
        let hops = route.hops.iter();
        let mut ways: Vec<_> = hops
            .map(|hop| (hop.gateway, hop.interface.clone(), hop.weight))
            .collect();
        ways.sort();
        ways
    };
    (one.kind, one.source) == (other.kind, other.source) && ways(one) == ways(other)
}
