//! Where two policies may come to different verdicts.
//!
//! An edit of a route-map is mostly about few routes, and the tables hold many. An entry that does
//! not match a route has no say about it, so of two maps only the entries that differ matter: a
//! route that meets the conditions of none of them is treated alike by both. Conditions about the
//! key are looked at for each route. Those about attributes are looked at once for each set, and
//! only where the set comes to the entry as it came to the map: behind entries that change it and
//! go on it is not known what the entry sees.
//!
//! It says where verdicts *may* differ. Whoever asks finds out there.

use std::collections::HashMap;

use crate::attributes::Attributes;
use crate::nlri::Nlri;
use crate::policy::answers::Key;
use crate::policy::route::Route;
use crate::policy::{Action, Entry, Match, OnMatch, Party, Policy, RouteMap};

/// Routes about which two policies may differ.
#[derive(Debug)]
pub(crate) struct Difference {
    /// `None` is every route.
    branches: Option<Vec<Branch>>,
    party: Option<Party>,
    /// Of sets of attributes that were looked at: of which branches the conditions hold.
    known: HashMap<*const Attributes, u64, foldhash::fast::FixedState>,
}

/// Conditions that all hold for a route about which the policies may differ.
#[derive(Debug, Default, PartialEq)]
struct Branch {
    key: Vec<Match>,
    attributes: Vec<Match>,
}

impl Branch {
    fn is_empty(&self) -> bool {
        self.key.is_empty() && self.attributes.is_empty()
    }
}

/// As many branches as a set of attributes has bits for; beyond that every route is asked about.
const BRANCHES_MAX: usize = 64;

impl Difference {
    /// Every route.
    pub(crate) fn everywhere() -> Self {
        Self::of(None, None)
    }

    pub(crate) fn between(one: &Policy, two: &Policy) -> Self {
        if one == two {
            return Self::of(Some(Vec::new()), None);
        }
        let (Policy::Map(one), Policy::Map(two)) = (one, two) else {
            return Self::everywhere();
        };
        let mut branches = Vec::new();
        let known = one.party() == two.party() && of_maps(one, two, None, &mut branches);
        let few = known && branches.len() <= BRANCHES_MAX;
        Self::of(few.then_some(branches), one.party())
    }

    fn of(branches: Option<Vec<Branch>>, party: Option<Party>) -> Self {
        Self {
            branches,
            party,
            known: HashMap::default(),
        }
    }

    /// True if the policies are the same to every route.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.branches.as_ref().is_some_and(Vec::is_empty)
    }

    /// True if there may be a difference to any route.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.branches.is_none()
    }

    /// True if the policies may differ about a route. Its key is asked for if that depends on it,
    /// and so are the attributes that the policies see; `None` if they see others than are at hand.
    pub(crate) fn concerns<'a>(
        &mut self,
        nlri: impl FnOnce() -> Nlri,
        attributes: impl FnOnce() -> Option<&'a Attributes>,
    ) -> bool {
        let Some(branches) = &self.branches else {
            return true;
        };
        if branches.is_empty() {
            return false;
        }
        let nlri = nlri();
        let holds = |condition: &Match| condition.holds_for(Key(&nlri)) != Some(false);
        let mut about_key = (0_u64..)
            .zip(branches)
            .filter(|(_, branch)| branch.key.iter().all(holds))
            .peekable();
        if about_key.peek().is_none() {
            return false;
        }
        let Some(attributes) = attributes() else {
            return true;
        };
        let party = self.party;
        let bits = *self.known.entry(attributes).or_insert_with(|| {
            let route = Route::new(&nlri, attributes, party);
            let holds = |branch: &Branch| branch.attributes.iter().all(|it| it.holds(&route));
            let bits = (0_u64..).zip(branches);
            bits.filter(|(_, branch)| holds(branch))
                .fold(0, |bits, (at, _)| bits | 1 << at)
        });
        about_key.any(|(at, _)| bits & (1 << at) != 0)
    }
}

/// Collects what the differing entries of two maps ask for, each together with what the entries
/// above ask of the key that call them. False if one of them asks for nothing that is known.
fn of_maps(
    one: &RouteMap,
    two: &RouteMap,
    above: Option<&[Match]>,
    branches: &mut Vec<Branch>,
) -> bool {
    let numbers = |map: &RouteMap| map.entries().iter().map(|entry| entry.seq).collect();
    let mut seqs: Vec<u32> = numbers(one);
    seqs.extend::<Vec<u32>>(numbers(two));
    seqs.sort_unstable();
    seqs.dedup();
    // What calls a map may have changed the attributes before.
    let mut untouched = above.is_none();
    let above = above.unwrap_or_default();
    seqs.into_iter().all(|seq| {
        let [one, two] = [one, two].map(|map| entry(map, seq));
        let before = untouched;
        untouched &= one.iter().chain(&two).all(|entry| !passes_changed(entry));
        if one == two {
            return true;
        }
        if let (Some(one), Some(two)) = (&one, &two)
            && let (Some(inner), Some(other)) = (&one.call, &two.call)
            && *one
                == (Entry {
                    call: one.call.clone(),
                    ..two.clone()
                })
        {
            let asked = asked(above, one, false).key;
            return of_maps(inner, other, Some(&asked), branches);
        }
        one.iter().chain(&two).all(|entry| {
            let branch = asked(above, entry, before);
            let some = !branch.is_empty();
            if some && !branches.contains(&branch) {
                branches.push(branch);
            }
            some
        })
    })
}

/// An entry without what people say it is for, which makes no difference.
fn entry(map: &RouteMap, seq: u32) -> Option<Entry> {
    let at = map.entries().binary_search_by_key(&seq, |entry| entry.seq);
    Some(Entry {
        description: None,
        ..map.entries().get(at.ok()?)?.clone()
    })
}

/// A route may go on to later entries with attributes that this one has changed.
fn passes_changed(entry: &Entry) -> bool {
    let ends = entry.action == Action::Deny || entry.on_match == OnMatch::Exit;
    !ends && (!entry.sets.is_empty() || entry.call.is_some())
}

/// What an entry asks for, and what is asked above.
fn asked(above: &[Match], entry: &Entry, untouched: bool) -> Branch {
    let (key, other): (Vec<Match>, Vec<Match>) =
        entry.matches.iter().cloned().partition(Match::is_about_key);
    // Export takes a MED away before policy sees the rest. What validation says is no matter of the
    // attributes alone, nor is who sent them.
    let other = other
        .into_iter()
        .filter(|it| !matches!(it, Match::Metric(_) | Match::Rpki(_) | Match::Sender(_)));
    Branch {
        key: above.iter().cloned().chain(key).collect(),
        attributes: other.filter(|_| untouched).collect(),
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
    use crate::policy::{Communities, CommunityChange, Extent, Number, PrefixList, Set};
    use crate::prefix::Prefix;

    fn condition() -> impl Strategy<Value = Match> {
        let rules = [
            "permit 10.0.0.0/8 le 16",
            "permit 10.1.0.0/16",
            "permit any",
        ];
        let list = select(rules.to_vec()).prop_map(|rule| {
            let rules = vec![rule.parse().unwrap()];
            Match::PrefixList(Arc::new(PrefixList::new("L", rules).unwrap()))
        });
        let community = (1_u16..4).prop_map(|number| Match::Community {
            communities: Communities::Literal(vec![format!("1:{number}").parse().unwrap()]),
            extent: Extent::All,
        });
        let number = 0_u32..3;
        prop_oneof![
            2 => list,
            2 => community,
            1 => number.clone().prop_map(Match::Metric),
            1 => number.prop_map(Match::LocalPref),
        ]
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let action = select(vec![Action::Permit, Action::Permit, Action::Deny]);
        let on_match = select(vec![OnMatch::Exit, OnMatch::Next, OnMatch::Goto(4)]);
        let conditions = prop::collection::vec(condition(), 0..3);
        let set = prop_oneof![
            (0_u32..3).prop_map(|number| Set::Metric(Number::Replace(number))),
            (0_u32..3).prop_map(|number| Set::LocalPref(Number::Replace(number))),
            (1_u16..4).prop_map(|number| {
                let added = vec![format!("1:{number}").parse().unwrap()];
                Set::Community(CommunityChange::Add(added))
            }),
        ];
        let sets = prop::collection::vec(set, 0..2);
        (action, on_match, conditions, sets).prop_map(|(action, on_match, matches, sets)| Entry {
            matches,
            sets,
            ..Entry::new(0, action).on_match(on_match)
        })
    }

    fn numbered(name: &str, mut entries: Vec<Entry>) -> RouteMap {
        for (seq, entry) in (1..).zip(&mut entries) {
            entry.seq = seq;
            if matches!(entry.on_match, OnMatch::Goto(target) if target <= seq) {
                entry.on_match = OnMatch::Next;
            }
        }
        RouteMap::new(name, entries).unwrap()
    }

    /// A map of these entries, one of which calls another map.
    fn map(inner: Vec<Entry>, mut outer: Vec<Entry>, caller: usize) -> Policy {
        let at = caller % outer.len();
        outer[at].call = Some(Arc::new(numbered("INNER", inner)));
        Policy::Map(Arc::new(numbered("OUTER", outer)))
    }

    fn routes() -> Vec<(Nlri, Attributes)> {
        let keys = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "11.0.0.0/8"];
        let mut routes = Vec::new();
        for (metric, local_pref, communities) in [
            (None, None, &[][..]),
            (Some(1), Some(1), &["1:1"]),
            (Some(2), Some(2), &["1:2", "1:3"]),
            (Some(0), Some(2), &["1:1", "1:2"]),
        ] {
            let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
            (set.med, set.local_pref) = (metric, local_pref);
            set.communities = communities.iter().map(|it| it.parse().unwrap()).collect();
            let keys = keys
                .iter()
                .map(|key| Nlri::from(key.parse::<Prefix>().unwrap()));
            routes.extend(keys.map(|key| (key, set.freeze())));
        }
        routes
    }

    proptest! {
        #[test]
        fn where_two_maps_are_said_to_agree_they_do(
            inner in prop::collection::vec(entry(), 1..3),
            outer in prop::collection::vec(entry(), 1..6),
            other in entry(),
            (at, caller, inside) in (0_usize..6, 0_usize..6, any::<bool>()),
            removed in any::<bool>(),
        ) {
            let one = map(inner.clone(), outer.clone(), caller);
            let (mut new_inner, mut new_outer) = (inner, outer);
            let edited = if inside { &mut new_inner } else { &mut new_outer };
            let at = at % edited.len();
            if removed && edited.len() > 1 {
                // Numbers behind it move too.
                edited.remove(at);
            } else {
                edited[at] = other;
            }
            let two = map(new_inner, new_outer, caller);
            let routes = routes();
            let mut by_set = Difference::between(&one, &two);
            let mut by_key = Difference::between(&one, &two);
            for (key, attributes) in &routes {
                let known = by_set.concerns(|| key.clone(), || Some(attributes));
                let unknown = by_key.concerns(|| key.clone(), || None);
                prop_assert!(unknown || !known, "what is not known leaves nothing out");
                if !known {
                    let verdicts = [&one, &two].map(|it| it.evaluate(key, attributes, None));
                    prop_assert_eq!(&verdicts[0], &verdicts[1], "{:?}", key);
                }
            }
        }
    }

    #[test]
    fn an_edit_of_one_entry_is_about_the_routes_that_meet_it() {
        let with = |metric, community: &str| {
            let named = Communities::Literal(vec![community.parse().unwrap()]);
            let condition = Match::Community {
                communities: named,
                extent: Extent::All,
            };
            let first = Entry::new(10, Action::Permit)
                .when(condition)
                .set(Set::Metric(Number::Replace(metric)));
            let last = Entry::new(20, Action::Permit);
            Policy::Map(Arc::new(RouteMap::new("MAP", vec![first, last]).unwrap()))
        };
        let concerned = |one: &Policy, two: &Policy| {
            let mut difference = Difference::between(one, two);
            let routes = routes();
            let concerned = routes.iter().filter(|(key, attributes)| {
                difference.concerns(|| key.clone(), || Some(attributes))
            });
            concerned.count()
        };
        let one = with(1, "1:1");
        assert_eq!(concerned(&one, &with(1, "1:1")), 0);
        assert_eq!(concerned(&one, &with(2, "1:1")), 8, "two of four sets");
        assert_eq!(concerned(&one, &with(1, "1:3")), 12, "either");
        assert_eq!(concerned(&one, &Policy::AcceptAll), 16);
    }
}
