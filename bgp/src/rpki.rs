//! Origin validation (RFC 6811): may this AS originate this prefix?
//!
//! Caches that have checked the signatures of the RPKI hand out VRPs: a prefix, the longest prefix
//! within it that may be announced, an AS number. [`Vrps`] is a table of them and answers one
//! question, [`Vrps::state`]. Tables do not change: another one is made of one and a list of changes
//! ([`Vrps::with`]) or of several ([`Vrps::union`]), and [`Affected::between`] names the prefixes
//! within which two tables may answer differently, so that nobody has to look at other routes.
//!
//! The prefixes of a table stand sorted, each once, with the place of the next shorter one that
//! contains it: a question is a binary search and a walk as deep as VRPs nest. Beside them stand AS
//! numbers and lengths in lists of their own, so that half a million take some ten megabytes.
//!
//! Nothing here speaks to a cache, knows of routes beyond prefix and origin, or does anything about
//! an answer: policy asks for it ([`crate::policy::Match::Rpki`]), and an operator's map decides.

pub mod rtr;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

use crate::asn::Asn;
use crate::prefix::{Prefix, Prefix4, Prefix6};
use table::Table;

/// Whether an AS may originate a prefix (RFC 6811 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A VRP covers the prefix, allows its length and names the AS.
    Valid,
    /// VRPs cover the prefix, and none of them allows it.
    Invalid,
    /// No VRP covers the prefix.
    NotFound,
}

impl State {
    /// All of them.
    pub const ALL: [State; 3] = [State::Valid, State::Invalid, State::NotFound];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            State::Valid => "valid",
            State::Invalid => "invalid",
            State::NotFound => "not_found",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A validated ROA payload: this AS may originate this prefix and what lies in it, up to a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrp {
    prefix: Prefix,
    asn: Asn,
    max_len: u8,
}

impl Vrp {
    /// `None` unless the greatest length lies between that of the prefix and that of an address.
    /// AS 0 is nobody: such a VRP says that the prefix is not to be announced (RFC 6483 §4).
    pub fn new(prefix: Prefix, max_len: u8, asn: Asn) -> Option<Self> {
        let longest = Prefix::host(prefix.addr()).len();
        (prefix.len() <= max_len && max_len <= longest).then_some(Self {
            prefix,
            asn,
            max_len,
        })
    }

    /// The prefix.
    pub fn prefix(self) -> Prefix {
        self.prefix
    }

    /// The greatest length of a prefix within it that may be announced.
    pub fn max_len(self) -> u8 {
        self.max_len
    }

    /// The AS that may originate it.
    pub fn asn(self) -> Asn {
        self.asn
    }
}

/// `10.0.0.0/8-24 AS 65001`.
impl fmt::Display for Vrp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} AS {}", self.prefix, self.max_len, self.asn)
    }
}

/// What a cache says of a VRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Announce(Vrp),
    /// It is gone.
    Withdraw(Vrp),
}

impl Change {
    fn vrp(self) -> Vrp {
        match self {
            Change::Announce(vrp) | Change::Withdraw(vrp) => vrp,
        }
    }
}

/// A change that does not fit the table: its sender and we do not speak of the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Announced, and there already (RFC 8210 §12, code 7).
    #[error("{0} was announced a second time")]
    Duplicate(Vrp),
    /// Withdrawn, and not there (RFC 8210 §12, code 6).
    #[error("{0} was withdrawn and is not there")]
    Unknown(Vrp),
}

/// A table of VRPs. An empty one finds nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Vrps {
    v4: Table<Prefix4>,
    v6: Table<Prefix6>,
}

impl Vrps {
    /// A table of these, in whatever order; what is there twice counts once.
    pub fn new(vrps: impl IntoIterator<Item = Vrp>) -> Self {
        let mut sorted: Vec<Vrp> = vrps.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self::of_sorted(sorted.into_iter())
    }

    /// The table after some changes, each about the table as those before it have left it.
    ///
    /// # Errors
    ///
    /// The first VRP, in the order of the table, that a change does not fit.
    pub fn with(&self, mut changes: Vec<Change>) -> Result<Self, ChangeError> {
        // Stable: changes of one VRP stay in their order.
        changes.sort_by_key(|change| change.vrp());
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for same in changes.chunk_by(|one, two| one.vrp() == two.vrp()) {
            let Some(vrp) = same.first().map(|change| change.vrp()) else {
                continue;
            };
            let before = self.contains(vrp);
            let mut there = before;
            for change in same {
                there = match (change, there) {
                    (Change::Announce(_), false) => true,
                    (Change::Withdraw(_), true) => false,
                    (Change::Announce(_), true) => return Err(ChangeError::Duplicate(vrp)),
                    (Change::Withdraw(_), false) => return Err(ChangeError::Unknown(vrp)),
                };
            }
            match (before, there) {
                (false, true) => added.push(vrp),
                (true, false) => removed.push(vrp),
                (true, true) | (false, false) => {}
            }
        }
        let mut removed = removed.into_iter().peekable();
        let kept = self.iter().filter(|vrp| removed.next_if_eq(vrp).is_none());
        Ok(Self::of_sorted(Merge::of(kept, added.into_iter())))
    }

    /// What any of these has.
    pub fn union<'a>(tables: impl IntoIterator<Item = &'a Arc<Vrps>>) -> Arc<Self> {
        let mut tables = tables.into_iter();
        let first = tables.next().cloned().unwrap_or_default();
        tables.fold(first, |all, table| {
            Arc::new(Self::of_sorted(Merge::of(all.iter(), table.iter())))
        })
    }

    fn of_sorted(vrps: impl Iterator<Item = Vrp>) -> Self {
        let mut all = Self::default();
        for vrp in vrps {
            match vrp.prefix {
                Prefix::V4(prefix) => all.v4.push(prefix, vrp.asn, vrp.max_len),
                Prefix::V6(prefix) => all.v6.push(prefix, vrp.asn, vrp.max_len),
            }
        }
        all.v4.finish();
        all.v6.finish();
        all
    }

    /// Number of VRPs.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of these, those about IPv4 and about IPv6.
    pub fn by_version(&self) -> [usize; 2] {
        [self.v4.len(), self.v6.len()]
    }

    /// Memory it takes.
    pub fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets()
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Vrp> + '_ {
        let v4 = self.v4.iter().map(|it| vrp(Prefix::V4, it));
        v4.chain(self.v6.iter().map(|it| vrp(Prefix::V6, it)))
    }

    fn contains(&self, vrp: Vrp) -> bool {
        match vrp.prefix {
            Prefix::V4(prefix) => self.v4.contains(prefix, vrp.asn, vrp.max_len),
            Prefix::V6(prefix) => self.v6.contains(prefix, vrp.asn, vrp.max_len),
        }
    }

    /// RFC 6811 §2. An origin of `None` is that of a path that ends in a set: it matches no VRP, as
    /// AS 0 does not.
    pub fn state(&self, prefix: Prefix, origin: Option<Asn>) -> State {
        match prefix {
            Prefix::V4(prefix) => self.v4.state(prefix, origin),
            Prefix::V6(prefix) => self.v6.state(prefix, origin),
        }
    }

    /// The VRPs that cover a prefix, the longest first.
    pub fn covering(&self, prefix: Prefix) -> Vec<Vrp> {
        match prefix {
            Prefix::V4(prefix) => {
                let covering = self.v4.covering(prefix);
                covering.map(|it| vrp(Prefix::V4, it)).collect()
            }
            Prefix::V6(prefix) => {
                let covering = self.v6.covering(prefix);
                covering.map(|it| vrp(Prefix::V6, it)).collect()
            }
        }
    }

    /// A number that is the same for prefixes about which the table says the same, whatever their
    /// origin: those of one length that the same VRPs cover. 0 where none does.
    pub(crate) fn cover(&self, prefix: Prefix) -> u64 {
        match prefix {
            Prefix::V4(prefix) => self.v4.cover(prefix),
            Prefix::V6(prefix) => self.v6.cover(prefix),
        }
    }
}

fn vrp<K>(prefix: impl Fn(K) -> Prefix, (key, asn, max_len): (K, Asn, u8)) -> Vrp {
    Vrp {
        prefix: prefix(key),
        asn,
        max_len,
    }
}

/// How many there are; half a million would be no help.
impl fmt::Debug for Vrps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vrps").field("len", &self.len()).finish()
    }
}

impl FromIterator<Vrp> for Vrps {
    fn from_iter<I: IntoIterator<Item = Vrp>>(vrps: I) -> Self {
        Self::new(vrps)
    }
}

/// What routes are validated by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The table.
    pub vrps: Arc<Vrps>,
    /// The AS that others know us by: the origin of what our AS, or our confederation, has not
    /// received from others (RFC 6811 §2).
    pub own_as: Asn,
}

impl Validation {
    /// What the table says of a route with this origin.
    pub fn validity(&self, prefix: Prefix, origin: Option<Asn>) -> Validity {
        Validity {
            state: self.vrps.state(prefix, origin),
            origin,
        }
    }
}

/// What validation came to, and about which origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The state.
    pub state: State,
    /// The origin; none where the path ends in a set, or nothing is validated.
    pub origin: Option<Asn>,
}

impl Validity {
    /// That of a route that no table is asked about.
    pub(crate) const NOT_FOUND: Self = Self {
        state: State::NotFound,
        origin: None,
    };
}

/// `invalid, origin AS 65001`.
impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Some(origin) => write!(f, "{}, origin AS {origin}", self.state),
            // No table was asked, or it has nothing for the prefix whatever the origin is.
            None if self.state == State::NotFound => self.state.fmt(f),
            None => write!(f, "{}, no origin AS", self.state),
        }
    }
}

/// Prefixes within which two tables may answer differently. None of them lies in another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affected {
    // In ascending order.
    prefixes: Vec<Prefix>,
}

impl Affected {
    /// Of two tables.
    pub fn between(one: &Vrps, two: &Vrps) -> Self {
        let mut prefixes: Vec<Prefix> = Vec::new();
        let mut found = |prefix: Prefix| {
            // What contains a prefix stands before it, and before what else that contains.
            if prefixes.last().is_none_or(|last| !last.contains(prefix)) {
                prefixes.push(prefix);
            }
        };
        one.v4.differing(&two.v4, |it| found(Prefix::V4(it)));
        one.v6.differing(&two.v6, |it| found(Prefix::V6(it)));
        Self { prefixes }
    }

    /// True if the tables are equal.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The prefixes, in ascending order.
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// True if the answer about a prefix may be another one.
    pub fn covers(&self, prefix: Prefix) -> bool {
        let behind = self.prefixes.partition_point(|it| *it <= prefix);
        let nearest = behind.checked_sub(1).and_then(|at| self.prefixes.get(at));
        nearest.is_some_and(|it| it.contains(prefix))
    }
}

/// Two ascending lists as one; what is in both comes once.
struct Merge<A: Iterator<Item = Vrp>, B: Iterator<Item = Vrp>> {
    one: Peekable<A>,
    two: Peekable<B>,
}

impl<A: Iterator<Item = Vrp>, B: Iterator<Item = Vrp>> Merge<A, B> {
    fn of(one: A, two: B) -> Self {
        Self {
            one: one.peekable(),
            two: two.peekable(),
        }
    }
}

impl<A: Iterator<Item = Vrp>, B: Iterator<Item = Vrp>> Iterator for Merge<A, B> {
    type Item = Vrp;

    fn next(&mut self) -> Option<Vrp> {
        match (self.one.peek(), self.two.peek()) {
            (Some(one), Some(two)) if one == two => {
                self.two.next();
                self.one.next()
            }
            (Some(one), Some(two)) if one < two => self.one.next(),
            (_, Some(_)) => self.two.next(),
            (_, None) => self.one.next(),
        }
    }
}
