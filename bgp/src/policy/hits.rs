//! How often a map was asked and its entries matched.
//!
//! Evaluation is a function of the map and the route; counting is the one thing it leaves behind,
//! beside the map and out of its equality. A counter in an evaluation context would have to be
//! carried through every table that evaluates, and a list of the entries hit would allocate. So
//! the numbers are atomic, since a map is shared, and loaded and stored apart, since one thread,
//! the owner of the tables, evaluates: where a second one did, a count could be lost and nothing
//! else. Evaluations with a trace are questions of an operator and are not counted.
//!
//! Tables keep results per attribute set where a map does not look at the prefix, so these are
//! numbers of evaluations and not of routes.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
