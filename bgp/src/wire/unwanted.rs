//! Path attributes that an operator does not want from a peer, by their type codes.
//!
//! What becomes of them is decided before they are read, so an attribute that nobody here knows, or one
//! that is malformed, is dealt with like any other.

use crate::wire::attribute::code;

/// A set of type codes of path attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AttributeCodes([u64; 4]);

impl AttributeCodes {
    /// Puts a code in; false if it was there already.
    pub fn insert(&mut self, code: u8) -> bool {
        let Some(word) = self.0.get_mut(usize::from(code >> 6)) else {
            return true;
        };
        let bit = 1_u64 << (code & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// True if the code is in it.
    pub fn contains(&self, code: u8) -> bool {
        let word = self.0.get(usize::from(code >> 6)).copied();
        word.unwrap_or(0) & 1_u64 << (code & 63) != 0
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The codes in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |code| self.contains(*code))
    }
}

impl FromIterator<u8> for AttributeCodes {
    fn from_iter<T: IntoIterator<Item = u8>>(codes: T) -> Self {
        let mut all = Self::default();
        for code in codes {
            all.insert(code);
        }
        all
    }
}

/// What an operator does not want from a peer (FRR's `path-attribute`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Unwanted {
    /// These attributes are left out, unread; the routes stay.
    pub discard: AttributeCodes,
    /// Routes with one of these are taken for withdrawn. An attribute that is in both sets is dealt
    /// with so.
    pub withdraw: AttributeCodes,
}

/// What becomes of an attribute that is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is left out.
    Discard,
    /// Its routes are withdrawn.
    Withdraw,
}

impl Unwanted {
    /// True for attributes that nobody can do without: a route is made of them, or what the decision
    /// and loop detection rest on.
    pub fn is_needed(code: u8) -> bool {
        matches!(
            code,
            code::ORIGIN
                | code::AS_PATH
                | code::NEXT_HOP
                | code::MULTI_EXIT_DISC
                | code::MP_REACH_NLRI
                | code::MP_UNREACH_NLRI
                | code::EXTENDED_COMMUNITIES
        )
    }

    /// What of it counts towards a peer. LOCAL_PREF and what finds loops of reflectors is needed within
    /// an AS.
    pub(crate) fn towards(self, external: bool) -> Self {
        let internal = [code::LOCAL_PREF, code::ORIGINATOR_ID, code::CLUSTER_LIST];
        let counts = |code: &u8| !Self::is_needed(*code) && (external || !internal.contains(code));
        Self {
            discard: self.discard.iter().filter(counts).collect(),
            withdraw: self.withdraw.iter().filter(counts).collect(),
        }
    }

    pub(crate) fn fate(&self, code: u8) -> Option<Fate> {
        if self.withdraw.contains(code) {
            return Some(Fate::Withdraw);
        }
        self.discard.contains(code).then_some(Fate::Discard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kept_whatever_they_are() {
        let codes = [0, 1, 63, 64, 127, 128, 255];
        let set: AttributeCodes = codes.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), codes);
        assert!((0..=u8::MAX).all(|code| set.contains(code) == codes.contains(&code)));
        assert!(AttributeCodes::default().is_empty() && !set.is_empty());
    }

    #[test]
    fn what_a_route_is_made_of_is_always_wanted() {
        let all: AttributeCodes = (0..=u8::MAX).collect();
        let unwanted = Unwanted {
            discard: all,
            withdraw: AttributeCodes::default(),
        };
        let left = |external: bool| {
            let towards = unwanted.towards(external);
            let kept = (0..=u8::MAX).filter(move |code| towards.fate(*code).is_none());
            kept.collect::<Vec<u8>>()
        };
        assert_eq!(left(true), [1, 2, 3, 4, 14, 15, 16]);
        assert_eq!(left(false), [1, 2, 3, 4, 5, 9, 10, 14, 15, 16]);
    }
}
