//! The text of a list's rule: `[seq N] permit|deny WHAT`.
//!
//! Splits off what the rules of all lists have in common and holds their errors. What stands
//! behind the action is read by the list itself.

use std::net::IpAddr;

use crate::policy::Action;
use crate::policy::pattern::PatternError;
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
    /// An address alone, which leaves open whether its host or its network is meant.
    #[error("`{0}` has no prefix length")]
    NoLength(IpAddr),
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
    /// Not a community, a large community, an extended community or a MAC address.
    #[error("`{text}` is not {expected}")]
    Value {
        /// As written.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A pattern that cannot be compiled.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A word too many.
    #[error("`{0}` is not expected here")]
    Unexpected(String),
}

impl RuleError {
    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            RuleError::NoLength(address) => {
                let length = if address.is_ipv4() { 32 } else { 128 };
                Some(format!("write \"{address}/{length}\""))
            }
            RuleError::Pattern(error) => error.hint(),
            RuleError::Action(_)
            | RuleError::Seq(_)
            | RuleError::Missing(_)
            | RuleError::Prefix(_)
            | RuleError::HostBits { .. }
            | RuleError::Bound { .. }
            | RuleError::Range { .. }
            | RuleError::Value { .. }
            | RuleError::Unexpected(_) => None,
        }
    }
}

/// What precedes the subject of a rule.
pub(super) struct Head<'a> {
    /// Sequence number, 0 when not given.
    pub(super) seq: u32,
    /// Permit or deny.
    pub(super) action: Action,
    /// What follows, without space around it.
    pub(super) rest: &'a str,
}

/// Reads `[seq N] permit|deny`.
pub(super) fn head(text: &str) -> Result<Head<'_>, RuleError> {
    let (mut word, mut rest) = split_word(text);
    let mut seq = 0;
    if word == "seq" {
        let (number, behind) = split_word(rest);
        if number.is_empty() {
            return Err(RuleError::Missing("a sequence number"));
        }
        seq = number
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| RuleError::Seq(number.to_owned()))?;
        (word, rest) = split_word(behind);
    }
    let action = match word {
        "permit" => Action::Permit,
        "deny" => Action::Deny,
        "" => return Err(RuleError::Missing("`permit` or `deny`")),
        other => return Err(RuleError::Action(other.to_owned())),
    };
    Ok(Head { seq, action, rest })
}

/// The first word, empty when there is none, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}
