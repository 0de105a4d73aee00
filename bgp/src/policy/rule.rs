//! The text of a list's rule: `[seq N] permit|deny WHAT`.
//!
//! Splits off what prefix lists and community lists have in common, numbers the rules as FRR does
//! and holds the errors of both. What stands behind the action is read by the list itself.

use crate::policy::Action;
use crate::prefix::Prefix;

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Neither permit nor deny.
    #[error("`{0}` stands where `permit` or `deny` is expected")]
    Action(String),
    /// A sequence number that is none.
    #[error("sequence number `{0}` is not a number from 1 to 4294967295")]
    Seq(String),
    /// Nothing behind the action.
    #[error("the rule ends where {0} is expected")]
    Missing(&'static str),
    /// Not a prefix.
    #[error("`{0}` is not a prefix like 10.0.0.0/8 or `any`")]
    Prefix(String),
    /// A prefix with bits set beyond its length.
    #[error("prefix `{text}` has host bits set; the network is {masked}")]
    HostBits {
        /// As written.
        text: String,
        /// With the host bits cleared.
        masked: Prefix,
    },
    /// A bound that is no length of this IP version.
    #[error("`{bound} {text}` is not a prefix length from 0 to {max}")]
    Bound {
        /// `ge` or `le`.
        bound: &'static str,
        /// As written.
        text: String,
        /// 32 or 128.
        max: u8,
    },
    /// Bounds that no prefix can meet.
    #[error("range {ge} to {le} does not fit {prefix}: the prefix length ≤ ge ≤ le must hold")]
    Range {
        /// The prefix the bounds belong to.
        prefix: Prefix,
        /// Lower bound in effect.
        ge: u8,
        /// Upper bound in effect.
        le: u8,
    },
    /// Not a community.
    #[error("`{0}` is not a community like 65001:100 or graceful-shutdown")]
    Community(String),
    /// A word too many.
    #[error("`{0}` is not expected here")]
    Unexpected(String),
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

/// What precedes the subject of a rule.
pub(super) struct Head<'a> {
    /// Sequence number, 0 when not given.
    pub(super) seq: u32,
    /// Permit or deny.
    pub(super) action: Action,
    /// The words that follow.
    pub(super) rest: std::str::SplitWhitespace<'a>,
}

/// Reads `[seq N] permit|deny`.
pub(super) fn head(text: &str) -> Result<Head<'_>, RuleError> {
    let mut rest = text.split_whitespace();
    let mut word = rest.next();
    let mut seq = 0;
    if word == Some("seq") {
        let number = rest.next().ok_or(RuleError::Missing("a sequence number"))?;
        seq = number
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| RuleError::Seq(number.to_owned()))?;
        word = rest.next();
    }
    let action = match word {
        Some("permit") => Action::Permit,
        Some("deny") => Action::Deny,
        Some(other) => return Err(RuleError::Action(other.to_owned())),
        None => return Err(RuleError::Missing("`permit` or `deny`")),
    };
    Ok(Head { seq, action, rest })
}

/// A rule with a place in its list.
pub(super) trait Numbered {
    /// Sequence number, 0 when none was given.
    fn seq(&self) -> u32;
    /// Gives it one.
    fn number(&mut self, seq: u32);
}

/// Numbers the rules that have no number (the next multiple of five, as FRR does), sorts them and
/// refuses a number used twice.
pub(super) fn number<R: Numbered>(list: &str, rules: &mut [R]) -> Result<(), ListError> {
    let mut highest = 0_u32;
    for rule in rules.iter_mut() {
        if rule.seq() == 0 {
            rule.number((highest / 5).saturating_mul(5).saturating_add(5));
        }
        highest = highest.max(rule.seq());
    }
    rules.sort_by_key(Numbered::seq);
    let twice = rules
        .iter()
        .zip(rules.iter().skip(1))
        .find(|(one, two)| one.seq() == two.seq());
    match twice {
        Some((rule, _)) => Err(ListError {
            list: list.to_owned(),
            seq: rule.seq(),
        }),
        None => Ok(()),
    }
}
