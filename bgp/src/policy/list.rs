//! A named list of numbered rules, the first of which that matches decides.
//!
//! What all lists have in common: rules are numbered as FRR does it, sorted, and a number stands
//! once. What a rule looks at is the business of its type. [`crate::policy::PrefixList`] adds an
//! index, since prefix lists have thousands of rules; the other lists are walked.

use std::collections::HashMap;
use std::hash::Hash;

use crate::policy::Action;

/// A named list of rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct List<R> {
    name: String,
    description: Option<String>,
    rules: Vec<R>,
}

/// A list that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sequence number {seq} is used by two rules of `{list}`")]
pub struct ListError {
    /// Name of the list.
    pub list: String,
    /// The number used twice.
    pub seq: u32,
}

/// A rule with a place in its list.
pub trait Rule {
    /// Sequence number, 0 when none was given.
    fn seq(&self) -> u32;
    /// Gives it one.
    fn number(&mut self, seq: u32);
    /// What happens to what it matches.
    fn action(&self) -> Action;
}

impl<R: Rule> List<R> {
    /// A list of rules in order of their numbers. Rules without a number get the next multiple of
    /// five, as in FRR.
    pub fn new(name: impl Into<String>, mut rules: Vec<R>) -> Result<Self, ListError> {
        let name = name.into();
        number_rules(&mut rules);
        rules.sort_by_key(Rule::seq);
        let twice = rules
            .iter()
            .zip(rules.iter().skip(1))
            .find(|(one, two)| one.seq() == two.seq());
        match twice {
            Some((rule, _)) => Err(ListError {
                seq: rule.seq(),
                list: name,
            }),
            None => Ok(Self {
                name,
                description: None,
                rules,
            }),
        }
    }

    /// What people say the list is for. Default: nothing.
    pub fn describe(mut self, description: Option<String>) -> Self {
        self.description = description;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people say the list is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[R] {
        &self.rules
    }

    /// True if the first rule that `matches` permits; no match is deny.
    pub(super) fn permits_by(&self, matches: impl FnMut(&&R) -> bool) -> bool {
        self.rules
            .iter()
            .find(matches)
            .is_some_and(|rule| rule.action() == Action::Permit)
    }
}

/// Gives the rules that have no number the next multiple of five, in the order they are given.
pub fn number_rules<R: Rule>(rules: &mut [R]) {
    let mut highest = 0_u32;
    for rule in rules {
        if rule.seq() == 0 {
            rule.number((highest / 5).saturating_mul(5).saturating_add(5));
        }
        highest = highest.max(rule.seq());
    }
}

/// Pairs of a rule and the first earlier one that matches all that it matches, by their numbers.
///
/// `own` says what a rule matches, and `covering` what rules that match all of that would say.
/// Lists are generated and long, so rules are looked up and not compared with each other.
pub(super) fn shadowed<'r, R: Rule, K: Hash + Eq, I: IntoIterator<Item = K>>(
    rules: &'r [R],
    own: impl Fn(&'r R) -> K,
    covering: impl Fn(&'r R) -> I,
) -> Vec<(u32, u32)> {
    let mut first: HashMap<K, u32> = HashMap::new();
    let mut found = Vec::new();
    for rule in rules {
        let earlier = covering(rule)
            .into_iter()
            .filter_map(|one| first.get(&one).copied());
        found.extend(earlier.min().map(|earlier| (rule.seq(), earlier)));
        first.entry(own(rule)).or_insert(rule.seq());
    }
    found
}
