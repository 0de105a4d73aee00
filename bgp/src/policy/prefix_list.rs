//! Prefix lists with FRR's meaning: the first rule that matches decides, no match is deny.
//!
//! One list holds rules of both IP versions; a rule never matches a prefix of the other version.
//! A rule without bounds matches its prefix exactly; `le` widens it to longer prefixes, `ge` sets
//! the shortest length and, alone, reaches to the longest there is. A rule about an `address` matches
//! whatever length, shorter ones included: FRR's access lists with wildcards ask for the address alone.
//!
//! Rules are found through an [`Index`], so that a list of ten thousand rules costs a binary
//! search and not a walk.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use index::Index;
use ipnetwork::IpNetwork;

use crate::policy::rule::{self, Head, RuleError};
use crate::policy::{Action, List, ListError, Rule};
use crate::prefix::Prefix;

mod index;

/// A named list of rules about prefixes.
#[derive(Debug, Clone)]
pub struct PrefixList {
    list: List<PrefixRule>,
    index: Index,
}

impl PrefixList {
    /// A list of rules in order of their numbers; rules without a number get the next multiple of
    /// five.
    pub fn new(name: impl Into<String>, rules: Vec<PrefixRule>) -> Result<Self, ListError> {
        let list = List::new(name, rules)?;
        Ok(Self {
            index: Index::new(list.rules()),
            list,
        })
    }

    /// What people say the list is for. Default: nothing.
    pub fn describe(mut self, description: Option<String>) -> Self {
        self.list = self.list.describe(description);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.list.name()
    }

    /// What people say the list is for.
    pub fn description(&self) -> Option<&str> {
        self.list.description()
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[PrefixRule] {
        self.list.rules()
    }

    /// The rule that decides about a prefix; `None` means deny.
    pub fn lookup(&self, prefix: Prefix) -> Option<&PrefixRule> {
        self.rules().get(self.index.first(self.rules(), prefix)?)
    }

    /// True if the list lets the prefix through.
    pub fn permits(&self, prefix: Prefix) -> bool {
        self.lookup(prefix)
            .is_some_and(|rule| rule.action == Action::Permit)
    }

    /// For each rule, the number of an earlier rule that matches all that it matches: a rule with
    /// such a number never decides anything.
    pub fn shadowed(&self) -> Vec<(u32, u32)> {
        let rules = self.rules().iter().enumerate();
        rules
            .filter_map(|(at, rule)| {
                let earlier = self.index.covering(self.rules(), at)?;
                Some((rule.seq, self.rules().get(earlier)?.seq))
            })
            .collect()
    }
}

/// The index follows from the rules.
impl PartialEq for PrefixList {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for PrefixList {}

impl Hash for PrefixList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.list.hash(state);
    }
}

/// One rule of a [`PrefixList`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixRule {
    seq: u32,
    action: Action,
    // `None` is `any`: every prefix of either version.
    prefix: Option<Prefix>,
    ge: Option<u8>,
    le: Option<u8>,
}

impl PrefixRule {
    /// A rule about `prefix` and, with bounds, the longer prefixes within it. `seq` 0 asks the
    /// list for a number.
    pub fn new(
        seq: u32,
        action: Action,
        prefix: Prefix,
        ge: Option<u8>,
        le: Option<u8>,
    ) -> Result<Self, RuleError> {
        let rule = Self {
            seq,
            action,
            prefix: Some(prefix),
            ge,
            le,
        };
        let (ge, le) = rule.range(prefix);
        if prefix.len() <= ge && ge <= le && le <= max_len(prefix) {
            Ok(rule)
        } else {
            Err(RuleError::Range { prefix, ge, le })
        }
    }

    /// A rule about every prefix of either IP version.
    pub fn any(seq: u32, action: Action) -> Self {
        Self {
            seq,
            action,
            prefix: None,
            ge: None,
            le: None,
        }
    }

    /// A rule about every prefix, of whatever length, whose own address lies within `prefix`.
    pub fn address(seq: u32, action: Action, prefix: Prefix) -> Self {
        // Prefixes with addresses within the one of length zero all lie within it.
        let (ge, le) = match prefix.len() {
            0 => (None, Some(max_len(prefix))),
            _ => (Some(0), None),
        };
        Self {
            seq,
            action,
            prefix: Some(prefix),
            ge,
            le,
        }
    }

    /// True if prefixes match that are shorter than the rule's: it looks at the address alone.
    pub fn is_about_address(&self) -> bool {
        self.prefix
            .is_some_and(|prefix| self.range(prefix).0 < prefix.len())
    }

    /// Sequence number; 0 until a list has given one.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Permit or deny.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The prefix; `None` for `any`.
    pub fn prefix(&self) -> Option<Prefix> {
        self.prefix
    }

    /// Shortest length, if given.
    pub fn ge(&self) -> Option<u8> {
        self.ge
    }

    /// Longest length, if given.
    pub fn le(&self) -> Option<u8> {
        self.le
    }

    /// True if the rule is about this prefix.
    pub fn matches(&self, candidate: Prefix) -> bool {
        let Some(prefix) = self.prefix else {
            return true;
        };
        let (ge, le) = self.range(prefix);
        (ge..=le).contains(&candidate.len()) && prefix.contains(address(candidate))
    }

    /// True if every prefix that `other` matches is matched by this one too.
    fn covers(&self, other: &Self) -> bool {
        match (self.prefix, other.prefix) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(outer), Some(inner)) => {
                let (ge, le) = self.range(outer);
                let (other_ge, other_le) = other.range(inner);
                outer.contains(inner) && ge <= other_ge && other_le <= le
            }
        }
    }

    /// Shortest and longest length in effect.
    fn range(&self, prefix: Prefix) -> (u8, u8) {
        match (self.ge, self.le) {
            (None, None) => (prefix.len(), prefix.len()),
            (Some(ge), None) => (ge, max_len(prefix)),
            (None, Some(le)) => (prefix.len(), le),
            (Some(ge), Some(le)) => (ge, le),
        }
    }
}

/// The address of a prefix, as a prefix of its own. Where that one lies, all of the prefix lies that is
/// long enough.
fn address(prefix: Prefix) -> Prefix {
    Prefix::host(prefix.addr())
}

fn max_len(prefix: Prefix) -> u8 {
    match prefix {
        Prefix::V4(_) => 32,
        Prefix::V6(_) => 128,
    }
}

impl Rule for PrefixRule {
    fn seq(&self) -> u32 {
        self.seq
    }

    fn number(&mut self, seq: u32) {
        self.seq = seq;
    }

    fn action(&self) -> Action {
        self.action
    }
}

impl FromStr for PrefixRule {
    type Err = RuleError;

    /// `permit 10.0.0.0/8 le 24`, `deny any`, `seq 5 permit 10.0.0.0/8 ge 9 le 24`,
    /// `permit address 10.0.0.0/24`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        let mut rest = rest.split_whitespace();
        let subject = rest.next().ok_or(RuleError::Missing("a prefix or `any`"))?;
        if subject == "any" {
            return match rest.next() {
                None => Ok(Self::any(seq, action)),
                Some(word) => Err(RuleError::Unexpected(word.to_owned())),
            };
        }
        if subject == "address" {
            let prefix = rest.next().ok_or(RuleError::Missing("a prefix"))?;
            let rule = Self::address(seq, action, strict_prefix(prefix)?);
            return match rest.next() {
                None => Ok(rule),
                Some(word) => Err(RuleError::Unexpected(word.to_owned())),
            };
        }
        let prefix = strict_prefix(subject)?;
        let (mut ge, mut le) = (None, None);
        while let Some(word) = rest.next() {
            let (bound, slot) = match word {
                "ge" if ge.is_none() => ("ge", &mut ge),
                "le" if le.is_none() => ("le", &mut le),
                other => return Err(RuleError::Unexpected(other.to_owned())),
            };
            let text = rest.next().ok_or(RuleError::Missing("a prefix length"))?;
            let max = max_len(prefix);
            let length = text.parse().ok().filter(|length| *length <= max);
            *slot = Some(length.ok_or_else(|| RuleError::Bound {
                bound,
                text: text.to_owned(),
                max,
            })?);
        }
        Self::new(seq, action, prefix, ge, le)
    }
}

/// A prefix with its length, whose host bits are zero as written.
fn strict_prefix(text: &str) -> Result<Prefix, RuleError> {
    if let Ok(address) = text.parse() {
        return Err(RuleError::NoLength(address));
    }
    let network: IpNetwork = text
        .parse()
        .map_err(|_| RuleError::Prefix(text.to_owned()))?;
    if network.ip() == network.network() {
        Ok(Prefix::from(network))
    } else {
        Err(RuleError::HostBits {
            text: text.to_owned(),
            masked: Prefix::from(network),
        })
    }
}

/// As it is parsed, with the sequence number once there is one.
impl fmt::Display for PrefixRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq > 0 {
            write!(f, "seq {} ", self.seq)?;
        }
        match self.prefix {
            Some(prefix) if self.is_about_address() => {
                return write!(f, "{} address {prefix}", self.action);
            }
            Some(prefix) => write!(f, "{} {prefix}", self.action)?,
            None => write!(f, "{} any", self.action)?,
        }
        if let Some(ge) = self.ge {
            write!(f, " ge {ge}")?;
        }
        if let Some(le) = self.le {
            write!(f, " le {le}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
