//! What a policy's conditions say about a route's key alone.
//!
//! A verdict follows from the attributes and from what the conditions about the key answer: prefix
//! lists, EVPN route types, route distinguishers, MAC addresses. The answers are one bit each, so
//! two routes with equal attributes and equal answers get one verdict, and whoever holds many
//! routes with the same attributes asks for the answers of each and for the verdict once. With
//! twenty entries that takes a third of the time of a verdict for each route.
//!
//! What origin validation says follows from the path and from which VRPs cover the prefix; the
//! latter is part of the answers where a condition asks for it.

use crate::evpn_route::{EvpnKey, MacAddress};
use crate::nlri::Nlri;
use crate::policy::Match;
use crate::prefix::Prefix;

/// Answers of the conditions of one policy about one key; of no use beside those of another policy,
/// or of the same one beside another table of VRPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Answers {
    conditions: u64,
    /// Which VRPs cover the prefix, where that is asked.
    cover: u64,
}

/// The conditions of a map, and of the maps it calls, that look at the key alone.
#[derive(Debug, Default)]
pub(super) struct Questions {
    // `None` when there are more than fit the answers.
    conditions: Option<Vec<Match>>,
}

impl Questions {
    pub(super) fn new<'a>(conditions: impl Iterator<Item = &'a Match>) -> Self {
        let about_key = conditions.filter(|condition| condition.is_about_key());
        let mut distinct: Vec<Match> = Vec::new();
        for condition in about_key {
            if !distinct.contains(condition) {
                distinct.push(condition.clone());
            }
        }
        let fits = distinct.len() <= Answers::MAX;
        Self {
            conditions: fits.then_some(distinct),
        }
    }

    /// `None` when there are too many questions: each key has a verdict of its own.
    pub(super) fn ask(&self, nlri: impl FnOnce() -> Nlri) -> Option<Answers> {
        let conditions = self.conditions.as_deref()?;
        if conditions.is_empty() {
            return Some(Answers::default());
        }
        let nlri = nlri();
        let key = Key(&nlri);
        let bits = conditions.iter().fold(0, |bits, condition| {
            bits << 1 | u64::from(condition.holds_for(key).unwrap_or(false))
        });
        Some(Answers {
            conditions: bits,
            cover: 0,
        })
    }

    /// The conditions themselves, unless there are too many.
    pub(super) fn conditions(&self) -> Option<&[Match]> {
        self.conditions.as_deref()
    }
}

impl Answers {
    /// With which VRPs cover the prefix: beside the attributes, validation depends on that alone.
    pub(super) fn with_cover(self, cover: u64) -> Self {
        Self { cover, ..self }
    }

    const MAX: usize = 64;
}

/// A route's key, as conditions look at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a>(pub(super) &'a Nlri);

impl<'a> Key<'a> {
    /// The prefix a prefix list looks at.
    pub(super) fn prefix(self) -> Option<Prefix> {
        match self.0 {
            Nlri::Evpn(EvpnKey::MacIp { ip, .. }) => ip.map(Prefix::host),
            nlri @ (Nlri::Evpn(_) | Nlri::V4(_) | Nlri::V6(_)) => nlri.prefix(),
        }
    }

    /// The address of an EVPN type 2 route.
    pub(super) fn mac(self) -> Option<MacAddress> {
        match self.0 {
            Nlri::Evpn(EvpnKey::MacIp { mac, .. }) => Some(*mac),
            Nlri::Evpn(_) | Nlri::V4(_) | Nlri::V6(_) => None,
        }
    }

    pub(super) fn evpn(self) -> Option<&'a EvpnKey> {
        match self.0 {
            Nlri::Evpn(key) => Some(key),
            Nlri::V4(_) | Nlri::V6(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::attributes::{AttributeSet, NextHop};
    use crate::policy::{Action, Entry, Number, OnMatch, PrefixList, RouteMap, Set};

    fn condition() -> impl Strategy<Value = Match> {
        let rules = [
            "permit 10.0.0.0/8 le 16",
            "deny 10.1.0.0/16",
            "permit 0.0.0.0/0 le 9",
            "permit any",
        ];
        let list = prop::collection::vec(select(rules.to_vec()), 1..4).prop_map(|rules| {
            let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
            Match::PrefixList(Arc::new(PrefixList::new("L", rules).unwrap()))
        });
        prop_oneof![list, (0_u32..3).prop_map(Match::Metric)]
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let action = select(vec![Action::Permit, Action::Deny]);
        let on_match = select(vec![OnMatch::Exit, OnMatch::Next]);
        let condition = prop::option::of(condition());
        (action, on_match, condition).prop_map(|(action, on_match, condition)| {
            let add = Set::Metric(Number::Add(1));
            let mut entry = Entry::new(0, action).set(add).on_match(on_match);
            entry.matches.extend(condition);
            entry
        })
    }

    proptest! {
        #[test]
        fn equal_attributes_and_answers_give_one_verdict(
            inner in prop::collection::vec(entry(), 0..4),
            outer in prop::collection::vec(entry(), 1..6),
            metric in 0_u32..3,
        ) {
            let map = |mut entries: Vec<Entry>| {
                (1..).zip(&mut entries).for_each(|(seq, entry)| entry.seq = seq);
                RouteMap::new("MAP", entries).unwrap()
            };
            let mut outer = outer;
            outer[0].call = Some(Arc::new(map(inner)));
            let map = map(outer);
            let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
            set.med = Some(metric);
            let attributes = set.freeze();
            let keys = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "11.0.0.0/8", "0.0.0.0/0"];
            let keys = keys.map(|key| Nlri::from(key.parse::<Prefix>().unwrap()));
            for (one, two) in keys.iter().flat_map(|one| keys.iter().map(move |two| (one, two))) {
                let answers = [one, two].map(|key| map.answers(|| key.clone()));
                if answers[0] == answers[1] {
                    let verdicts = [one, two].map(|key| map.evaluate(key, &attributes, None));
                    prop_assert_eq!(&verdicts[0], &verdicts[1]);
                }
            }
        }
    }
}
