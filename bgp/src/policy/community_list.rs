//! Community lists (FRR's standard ones) and literal sets of communities.
//!
//! A rule names communities that must all be on the route; several rules are alternatives, the
//! first that matches decides, and no match is deny. `any` matches every route, also one without
//! communities. An exact match asks that the route carries these communities and no others.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::community::Community;
use crate::policy::Action;
use crate::policy::rule::{self, Head, ListError, Numbered, RuleError};

/// A named list of rules about communities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommunityList {
    name: String,
    rules: Vec<CommunityRule>,
}

impl CommunityList {
    /// A list of rules in order of their numbers; rules without a number get the next multiple of
    /// five.
    pub fn new(name: impl Into<String>, mut rules: Vec<CommunityRule>) -> Result<Self, ListError> {
        let name = name.into();
        rule::number(&name, &mut rules)?;
        Ok(Self { name, rules })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[CommunityRule] {
        &self.rules
    }

    /// True if the list lets through a route with these communities.
    pub fn permits<I>(&self, communities: I, exact: bool) -> bool
    where
        I: Iterator<Item = Community> + Clone,
    {
        self.rules
            .iter()
            .find(|rule| rule.matches(communities.clone(), exact))
            .is_some_and(|rule| rule.action == Action::Permit)
    }
}

/// One rule of a [`CommunityList`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommunityRule {
    seq: u32,
    action: Action,
    // Sorted, without duplicates; empty is `any`.
    communities: Vec<Community>,
}

impl CommunityRule {
    /// A rule about routes that carry all of `communities`; none at all means every route. `seq`
    /// 0 asks the list for a number.
    pub fn new(seq: u32, action: Action, mut communities: Vec<Community>) -> Self {
        communities.sort();
        communities.dedup();
        Self {
            seq,
            action,
            communities,
        }
    }

    /// Sequence number; 0 until a list has given one.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Permit or deny.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The communities that must be there, sorted; empty for `any`.
    pub fn communities(&self) -> &[Community] {
        &self.communities
    }

    fn matches<I>(&self, communities: I, exact: bool) -> bool
    where
        I: Iterator<Item = Community> + Clone,
    {
        self.communities.is_empty() || includes(communities, &self.communities, exact)
    }
}

/// True if `present` has all of `wanted` and, when `exact`, nothing else.
fn includes<I>(present: I, wanted: &[Community], exact: bool) -> bool
where
    I: Iterator<Item = Community> + Clone,
{
    wanted
        .iter()
        .all(|community| present.clone().any(|other| other == *community))
        && (!exact || present.clone().all(|other| wanted.contains(&other)))
}

impl Numbered for CommunityRule {
    fn seq(&self) -> u32 {
        self.seq
    }

    fn number(&mut self, seq: u32) {
        self.seq = seq;
    }
}

impl FromStr for CommunityRule {
    type Err = RuleError;

    /// `permit 65001:100 65001:200`, `deny any`, `seq 5 permit graceful-shutdown`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        let mut words = rest.peekable();
        match words.peek() {
            None => return Err(RuleError::Missing("a community or `any`")),
            Some(&"any") => {
                return match words.nth(1) {
                    None => Ok(Self::new(seq, action, Vec::new())),
                    Some(word) => Err(RuleError::Unexpected(word.to_owned())),
                };
            }
            Some(_) => {}
        }
        let communities = words
            .map(|word| {
                word.parse()
                    .map_err(|_| RuleError::Community(word.to_owned()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self::new(seq, action, communities))
    }
}

/// As it is parsed, with the sequence number once there is one.
impl fmt::Display for CommunityRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq > 0 {
            write!(f, "seq {} ", self.seq)?;
        }
        write!(f, "{}", self.action)?;
        if self.communities.is_empty() {
            return f.write_str(" any");
        }
        for community in &self.communities {
            write!(f, " {community}")?;
        }
        Ok(())
    }
}

/// Communities named by a list or one by one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Communities {
    /// Those that a list permits.
    List(Arc<CommunityList>),
    /// These.
    Literal(Vec<Community>),
}

impl Communities {
    /// True if a route with the communities `present` is meant: permitted by the list, or
    /// carrying all of the literal ones (and, when `exact`, no others).
    pub fn matches<I>(&self, present: I, exact: bool) -> bool
    where
        I: Iterator<Item = Community> + Clone,
    {
        match self {
            Communities::List(list) => list.permits(present, exact),
            Communities::Literal(wanted) => includes(present, wanted, exact),
        }
    }

    /// True if this single community is one of those named: what a deletion removes.
    pub fn contains(&self, community: Community) -> bool {
        match self {
            Communities::List(list) => list.permits(std::iter::once(community), false),
            Communities::Literal(named) => named.contains(&community),
        }
    }
}

impl fmt::Display for Communities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Communities::List(list) => f.write_str(list.name()),
            Communities::Literal(communities) => {
                for (at, community) in communities.iter().enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    write!(f, "{space}{community}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
