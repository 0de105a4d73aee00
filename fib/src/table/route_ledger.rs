//! The [`Ledger`] of routes, small where most of them are.
//!
//! Nearly all routes are IPv4 and in a table with a small number; such a key is eight octets, where
//! [`RouteKey`] is 28. Two ledgers behind one face: what is asked of it is asked of the one that has
//! the key, or of both. With half a million routes that halves what one of them costs.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::time::Instant;

use ipnetwork::{IpNetwork, Ipv4Network};

use super::ShapeId;
use super::ledger::{Failure, Ledger};
use crate::event::Differences;
use crate::state::{RouteKey, Share};

/// Want and have of all routes.
#[derive(Default)]
pub(super) struct RouteLedger {
    narrow: Ledger<Narrow, ShapeId>,
    wide: Ledger<RouteKey, ShapeId>,
    /// Who is asked first for work; they take turns.
    wide_first: bool,
}

/// An IPv4 prefix in a table with a number of two octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Narrow {
    addr: [u8; 4],
    table: [u8; 2],
    /// The owner's number; the highest bit is that of a route beside others.
    share: u8,
    /// One more than the length of the prefix, so that a place without a key costs nothing.
    len: NonZeroU8,
}

/// Names the ledger that has the key, and its key there.
macro_rules! of_key {
    ($routes:expr, $key:expr, |$ledger:ident, $its:ident| $body:expr) => {
        match Narrow::of(&$key) {
            Some($its) => {
                let $ledger = &mut $routes.narrow;
                $body
            }
            None => {
                let ($ledger, $its) = (&mut $routes.wide, $key);
                $body
            }
        }
    };
}

impl RouteLedger {
    pub(super) fn set(&mut self, key: RouteKey, want: Option<ShapeId>) -> Option<ShapeId> {
        of_key!(self, key, |ledger, key| ledger.set(key, want))
    }

    pub(super) fn agree(
        &mut self,
        key: RouteKey,
        value: ShapeId,
    ) -> (Option<ShapeId>, Option<ShapeId>) {
        of_key!(self, key, |ledger, key| ledger.agree(key, value))
    }

    pub(super) fn observe(
        &mut self,
        key: RouteKey,
        have: Option<ShapeId>,
        adopt: bool,
    ) -> Option<ShapeId> {
        of_key!(self, key, |ledger, key| ledger.observe(key, have, adopt))
    }

    pub(super) fn fail(&mut self, key: RouteKey, error: String, now: Instant) {
        of_key!(self, key, |ledger, key| ledger.fail(key, error, now));
    }

    pub(super) fn fail_occupied(&mut self, key: RouteKey, error: String, now: Instant) {
        of_key!(self, key, |ledger, key| ledger
            .fail_occupied(key, error, now));
    }

    pub(super) fn release(&mut self, key: RouteKey) {
        of_key!(self, key, |ledger, key| ledger.release(key));
    }

    pub(super) fn redirect(&mut self, from: ShapeId, to: ShapeId) -> (usize, bool) {
        let (narrow, wide) = (self.narrow.redirect(from, to), self.wide.redirect(from, to));
        (narrow.0 + wide.0, narrow.1 || wide.1)
    }

    pub(super) fn next_set(&mut self) -> Option<(RouteKey, ShapeId, Option<ShapeId>)> {
        self.wide_first ^= true;
        let Self { narrow, wide, .. } = self;
        let mut narrow = || {
            narrow
                .next_set()
                .map(|(key, id, have)| (key.into(), id, have))
        };
        match self.wide_first {
            true => wide.next_set().or_else(narrow),
            false => narrow().or_else(|| wide.next_set()),
        }
    }

    pub(super) fn next_unset(&mut self) -> Option<(RouteKey, ShapeId)> {
        self.wide_first ^= true;
        let Self { narrow, wide, .. } = self;
        let mut narrow = || narrow.next_unset().map(|(key, have)| (key.into(), have));
        match self.wide_first {
            true => wide.next_unset().or_else(narrow),
            false => narrow().or_else(|| wide.next_unset()),
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.narrow.has_work() || self.wide.has_work()
    }

    pub(super) fn take_satisfied(&mut self) -> Vec<RouteKey> {
        let mut keys = self.wide.take_satisfied();
        let narrow = self.narrow.take_satisfied();
        keys.extend(narrow.into_iter().map(RouteKey::from));
        keys
    }

    pub(super) fn take_repaired(&mut self) -> Differences {
        let mut repaired = self.narrow.take_repaired();
        repaired.add(self.wide.take_repaired());
        repaired
    }

    pub(super) fn retry(&mut self) {
        self.narrow.retry();
        self.wide.retry();
    }

    pub(super) fn retry_due(&mut self, now: Instant) {
        self.narrow.retry_due(now);
        self.wide.retry_due(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.narrow.deadline(), self.wide.deadline()];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn sweep(&mut self, mut applies: impl FnMut(&RouteKey) -> bool) {
        self.narrow.sweep(|key| applies(&RouteKey::from(*key)));
        self.wide.sweep(applies);
    }

    pub(super) fn begin_audit(&mut self) {
        self.narrow.begin_audit();
        self.wide.begin_audit();
    }

    pub(super) fn abandon_audit(&mut self) {
        self.narrow.abandon_audit();
        self.wide.abandon_audit();
    }

    pub(super) fn end_audit(&mut self) -> Vec<(RouteKey, ShapeId)> {
        let mut lost = self.wide.end_audit(|_| true);
        lost.extend(widened(self.narrow.end_audit(|_| true)));
        lost
    }

    pub(super) fn lose(&mut self, applies: impl Fn(ShapeId) -> bool) -> Vec<(RouteKey, ShapeId)> {
        let mut lost = self.wide.lose(|_, id| applies(id));
        lost.extend(widened(self.narrow.lose(|_, id| applies(id))));
        lost
    }

    pub(super) fn clear_wants(&mut self, applies: impl Fn(&RouteKey) -> bool) -> Vec<ShapeId> {
        let mut wants = self
            .narrow
            .clear_wants(|key| applies(&RouteKey::from(*key)));
        wants.extend(self.wide.clear_wants(applies));
        wants
    }

    pub(super) fn shrink(&mut self) {
        self.narrow.shrink();
        self.wide.shrink();
    }

    pub(super) fn want(&self, key: &RouteKey) -> Option<ShapeId> {
        match Narrow::of(key) {
            Some(key) => self.narrow.want(&key),
            None => self.wide.want(key),
        }
    }

    pub(super) fn have(&self, key: &RouteKey) -> Option<ShapeId> {
        match Narrow::of(key) {
            Some(key) => self.narrow.have(&key),
            None => self.wide.have(key),
        }
    }

    pub(super) fn seen(&self, key: &RouteKey) -> bool {
        match Narrow::of(key) {
            Some(key) => self.narrow.seen(&key),
            None => self.wide.seen(key),
        }
    }

    pub(super) fn error(&self, key: &RouteKey) -> Option<&str> {
        match Narrow::of(key) {
            Some(key) => self.narrow.error(&key),
            None => self.wide.error(key),
        }
    }

    #[allow(clippy::type_complexity)]
    pub(super) fn differences(
        &self,
    ) -> impl Iterator<Item = (RouteKey, Option<ShapeId>, Option<ShapeId>, Option<&Failure>)> {
        let narrow = self.narrow.differences();
        let narrow = narrow.map(|(key, want, have, why)| (RouteKey::from(*key), want, have, why));
        let wide = self.wide.differences();
        narrow.chain(wide.map(|(key, want, have, why)| (*key, want, have, why)))
    }
}

fn widened(lost: Vec<(Narrow, ShapeId)>) -> impl Iterator<Item = (RouteKey, ShapeId)> {
    lost.into_iter().map(|(key, id)| (key.into(), id))
}

impl Narrow {
    const BESIDE: u8 = 0x80;

    fn of(key: &RouteKey) -> Option<Self> {
        let [0, 0, table @ ..] = key.table().to_be_bytes() else {
            return None;
        };
        let IpNetwork::V4(prefix) = key.prefix() else {
            return None;
        };
        let Share(share @ 0..Self::BESIDE) = key.share() else {
            return None;
        };
        let beside = if key.is_beside() { Self::BESIDE } else { 0 };
        Some(Self {
            addr: prefix.network().octets(),
            table,
            share: share | beside,
            len: NonZeroU8::new(prefix.prefix().checked_add(1)?)?,
        })
    }
}

impl From<Narrow> for RouteKey {
    fn from(key: Narrow) -> Self {
        let table = u16::from_be_bytes(key.table).into();
        let addr = Ipv4Addr::from(key.addr);
        let prefix = match Ipv4Network::new(addr, key.len.get() - 1) {
            Ok(prefix) => IpNetwork::V4(prefix),
            // A length that came from a prefix fits one.
            Err(_) => IpNetwork::from(IpAddr::V4(addr)),
        };
        let route = RouteKey::new(table, prefix).of(Share(key.share & !Narrow::BESIDE));
        match key.share & Narrow::BESIDE {
            0 => route,
            _ => route.beside(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_route_costs_twenty_octets() {
        assert_eq!(size_of::<Narrow>(), 8);
        assert_eq!(Ledger::<Narrow, ShapeId>::ENTRY, 20);
    }

    proptest! {
        #[test]
        fn a_narrow_key_is_the_same_route(
            addr: u32,
            len in 0u8..=32,
            table in prop_oneof![any::<u32>(), 0..u32::from(u16::MAX)],
            share: u8,
            beside: bool,
        ) {
            let prefix = Ipv4Network::new(addr.into(), len).unwrap();
            let key = RouteKey::new(table, IpNetwork::V4(prefix)).of(Share(share));
            let key = if beside { key.beside() } else { key };
            match Narrow::of(&key) {
                Some(narrow) => prop_assert_eq!(RouteKey::from(narrow), key),
                None => prop_assert!(table >= 1 << 16 || share >= Narrow::BESIDE),
            }
        }
    }
}
