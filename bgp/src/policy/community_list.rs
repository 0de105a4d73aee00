//! Lists and literal sets of communities: standard, large and extended ones.
//!
//! A rule names communities that must all be on the route, or, in an expanded list, a pattern over
//! the text of all of them. Several rules are alternatives, the first that matches decides, and no
//! match is deny. `any` matches every route, also one without communities. How the communities of
//! a rule are compared ([`Extent`]) is said by who refers to the list, as in FRR.
//!
//! The text that patterns see is that of the communities in ascending order with a space between,
//! as `show routes` prints them.

use std::fmt;
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::str::{FromStr, SplitWhitespace};
use std::sync::Arc;

use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::policy::pattern::{Pattern, Text};
use crate::policy::rule::{self, Head, RuleError};
use crate::policy::{Action, List, Rule};

/// A list of rules about standard communities.
pub type CommunityList = List<CommunityRule<Community>>;
/// A list of rules about large communities.
pub type LargeCommunityList = List<CommunityRule<LargeCommunity>>;
/// A list of rules about extended communities.
pub type ExtendedCommunityList = List<CommunityRule<ExtendedCommunity>>;

/// One of the three kinds of community, with its spelling in rules.
pub trait Kind: Copy + Ord + Hash + fmt::Debug + fmt::Display {
    /// What a text should be.
    const EXPECTED: &'static str;

    /// Reads the next value; `None` at the end.
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Result<Self, RuleError>>;

    /// The value as [`Kind::read`] takes it.
    fn spelled(&self) -> String {
        self.to_string()
    }
}

impl Kind for Community {
    const EXPECTED: &'static str = "a community like 65001:100 or graceful-shutdown";

    fn read(words: &mut SplitWhitespace<'_>) -> Option<Result<Self, RuleError>> {
        words.next().map(value)
    }
}

impl Kind for LargeCommunity {
    const EXPECTED: &'static str = "a large community like 65001:1:2";

    fn read(words: &mut SplitWhitespace<'_>) -> Option<Result<Self, RuleError>> {
        words.next().map(value)
    }
}

fn value<C: Kind + FromStr>(word: &str) -> Result<C, RuleError> {
    word.parse().map_err(|_| not_a_value::<C>(word))
}

fn not_a_value<C: Kind>(text: &str) -> RuleError {
    RuleError::Value {
        text: text.to_owned(),
        expected: C::EXPECTED,
    }
}

/// Octet that makes a route target a site of origin.
const SITE_OF_ORIGIN: u8 = 0x03;

impl Kind for ExtendedCommunity {
    const EXPECTED: &'static str = "an extended community like rt 65000:100, soo 65000:1, color 01:100, nt 10.0.0.1:0 or \
         0x030c000000000008";

    fn read(words: &mut SplitWhitespace<'_>) -> Option<Result<Self, RuleError>> {
        let word = words.next()?;
        let digits = word.strip_prefix("0x").filter(|digits| digits.len() == 16);
        if let Some(digits) = digits {
            let number = u64::from_str_radix(digits, 16);
            return Some(match number {
                Ok(number) => Ok(ExtendedCommunity(number.to_be_bytes())),
                Err(_) => Err(not_a_value::<Self>(word)),
            });
        }
        let known = ["rt", "soo", "color", "nt"].contains(&word);
        let text = match words.next() {
            Some(text) if known => text,
            None if known => return Some(Err(RuleError::Missing("a value like 65000:100"))),
            Some(_) | None => return Some(Err(not_a_value::<Self>(word))),
        };
        let target = || text.parse::<ExtendedCommunity>().ok();
        let read = match word {
            "rt" => target(),
            "soo" => target().map(site_of_origin),
            "color" => color(text),
            _ => node_target(text),
        };
        Some(read.ok_or_else(|| not_a_value::<Self>(&format!("{word} {text}"))))
    }

    fn spelled(&self) -> String {
        let text = self.to_string();
        let spelled = match text.split_once(':') {
            Some(("RT", value)) => Some(format!("rt {value}")),
            Some(("SoO", value)) => Some(format!("soo {value}")),
            Some(_) | None => match self.0 {
                [0x03, 0x0b, flags, 0, a, b, c, d] => {
                    let (high, low) = (flags >> 7, (flags >> 6) & 1);
                    let color = u32::from_be_bytes([a, b, c, d]);
                    Some(format!("color {high}{low}:{color}"))
                }
                [0x01, 0x09, a, b, c, d, 0, 0] => {
                    Some(format!("nt {}:0", Ipv4Addr::new(a, b, c, d)))
                }
                _ => None,
            },
        };
        // Some values share their text with a shorter form, which they are not.
        let same = |text: &String| {
            let read = Self::read(&mut text.split_whitespace());
            read.is_some_and(|read| read == Ok(*self))
        };
        spelled
            .filter(same)
            .unwrap_or_else(|| format!("0x{:016x}", u64::from_be_bytes(self.0)))
    }
}

/// A color with its two CO bits (RFC 9012 §4.3, RFC 9256 §8.8.1): `01:100`.
fn color(text: &str) -> Option<ExtendedCommunity> {
    let (bits, color) = text.split_once(':')?;
    let flags = match bits {
        "00" => 0x00,
        "01" => 0x40,
        "10" => 0x80,
        "11" => 0xc0,
        _ => return None,
    };
    let [a, b, c, d] = color.parse::<u32>().ok()?.to_be_bytes();
    Some(ExtendedCommunity([0x03, 0x0b, flags, 0, a, b, c, d]))
}

/// A node for which a route is meant (draft-ietf-idr-node-target-ext-comm), and a number that nobody reads.
fn node_target(text: &str) -> Option<ExtendedCommunity> {
    let (address, number) = text.split_once(':')?;
    number.parse::<u16>().ok()?;
    let [a, b, c, d] = address.parse::<Ipv4Addr>().ok()?.octets();
    Some(ExtendedCommunity([0x01, 0x09, a, b, c, d, 0, 0]))
}

/// The site of origin (RFC 4360 §5) with the value of a route target.
pub(super) fn site_of_origin(target: ExtendedCommunity) -> ExtendedCommunity {
    let [kind, _, value @ ..] = target.0;
    let [a, b, c, d, e, f] = value;
    ExtendedCommunity([kind, SITE_OF_ORIGIN, a, b, c, d, e, f])
}

/// True for a site of origin of any of the three forms (RFC 4360 §5).
pub(super) fn is_site_of_origin(community: ExtendedCommunity) -> bool {
    let [kind, subtype, ..] = community.0;
    matches!(kind, 0..=2) && subtype == SITE_OF_ORIGIN
}

/// Reads values up to the end, at least one.
pub fn communities<C: Kind>(text: &str) -> Result<Vec<C>, RuleError> {
    let mut words = text.split_whitespace();
    let mut values = Vec::new();
    while let Some(value) = C::read(&mut words) {
        values.push(value?);
    }
    if values.is_empty() {
        return Err(RuleError::Missing(C::EXPECTED));
    }
    Ok(values)
}

/// How much of what is named must be on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Extent {
    /// All that is named; others may be there too.
    #[default]
    All,
    /// All that is named and no others.
    Exact,
    /// At least one that is named.
    Any,
}

impl Extent {
    fn holds<C: Kind>(self, wanted: &[C], present: impl Iterator<Item = C> + Clone) -> bool {
        let is_there = |one: &C| present.clone().any(|other| other == *one);
        match self {
            Extent::All => wanted.iter().all(is_there),
            Extent::Exact => {
                wanted.iter().all(is_there) && present.clone().all(|one| wanted.contains(&one))
            }
            Extent::Any => wanted.iter().any(is_there),
        }
    }
}

impl<C: Kind> List<CommunityRule<C>> {
    /// True if the list lets through a route with these communities, given in ascending order.
    pub fn permits(&self, present: impl Iterator<Item = C> + Clone, extent: Extent) -> bool {
        let mut text = None;
        self.permits_by(|rule| match &rule.subject {
            Subject::Any => true,
            Subject::These(wanted) => extent.holds(wanted, present.clone()),
            Subject::Pattern(pattern) => {
                pattern.is_match(text.get_or_insert_with(|| Text::of(present.clone())))
            }
        })
    }

    /// True if the rules are patterns.
    pub fn is_expanded(&self) -> bool {
        let mut rules = self.rules().iter();
        rules.any(|rule| matches!(rule.subject, Subject::Pattern(_)))
    }

    /// For each rule, the number of an earlier rule that matches all that it matches.
    pub fn shadowed(&self) -> Vec<(u32, u32)> {
        // Whatever the extent, the same communities match the same routes; fewer match more only
        // where all are asked for, which the list does not know.
        super::list::shadowed(self.rules(), CommunityRule::not_any, |rule| {
            [None, rule.not_any()]
        })
    }
}

/// One rule of a list of communities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommunityRule<C> {
    seq: u32,
    action: Action,
    subject: Subject<C>,
}

/// What a [`CommunityRule`] is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject<C> {
    /// Every route.
    Any,
    /// Routes with these communities; sorted, without duplicates, never empty.
    These(Vec<C>),
    /// Routes whose communities, as a text, match.
    Pattern(Pattern),
}

impl<C: Kind> CommunityRule<C> {
    /// A rule about routes with these communities; none at all means every route. `seq` 0 asks
    /// the list for a number.
    pub fn new(seq: u32, action: Action, mut communities: Vec<C>) -> Self {
        communities.sort();
        communities.dedup();
        let subject = if communities.is_empty() {
            Subject::Any
        } else {
            Subject::These(communities)
        };
        Self {
            seq,
            action,
            subject,
        }
    }

    /// Reads a rule of an expanded list: `permit 65001:.*`, `deny any`.
    pub fn expanded(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        let subject = match rest {
            "" => return Err(RuleError::Missing("a pattern or `any`")),
            "any" => Subject::Any,
            pattern => Subject::Pattern(Pattern::new(pattern)?),
        };
        Ok(Self {
            seq,
            action,
            subject,
        })
    }

    /// What it is about, unless that is every route.
    fn not_any(&self) -> Option<&Subject<C>> {
        Some(&self.subject).filter(|subject| **subject != Subject::Any)
    }

    /// What it is about.
    pub fn subject(&self) -> &Subject<C> {
        &self.subject
    }
}

impl<C> Rule for CommunityRule<C> {
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

impl<C: Kind> FromStr for CommunityRule<C> {
    type Err = RuleError;

    /// `permit 65001:100 65001:200`, `deny any`, `seq 5 permit graceful-shutdown`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        let mut words = rest.split_whitespace();
        match (words.next(), words.next()) {
            (None, _) => Err(RuleError::Missing("a community or `any`")),
            (Some("any"), None) => Ok(Self::new(seq, action, Vec::new())),
            (Some("any"), Some(word)) => Err(RuleError::Unexpected(word.to_owned())),
            (Some(_), _) => Ok(Self::new(seq, action, communities(rest)?)),
        }
    }
}

/// As it is parsed, with the sequence number once there is one.
impl<C: Kind> fmt::Display for CommunityRule<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq > 0 {
            write!(f, "seq {} ", self.seq)?;
        }
        write!(f, "{}", self.action)?;
        match &self.subject {
            Subject::Any => f.write_str(" any"),
            Subject::Pattern(pattern) => write!(f, " {pattern}"),
            Subject::These(communities) => communities
                .iter()
                .try_for_each(|community| write!(f, " {}", community.spelled())),
        }
    }
}

/// Communities named by a list or one by one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Communities<C> {
    /// Those that a list permits.
    List(Arc<List<CommunityRule<C>>>),
    /// These.
    Literal(Vec<C>),
}

impl<C: Kind> Communities<C> {
    /// True if a route with the communities `present`, given in ascending order, is meant:
    /// permitted by the list, or carrying the literal ones to the extent asked for.
    pub fn matches(&self, present: impl Iterator<Item = C> + Clone, extent: Extent) -> bool {
        match self {
            Communities::List(list) => list.permits(present, extent),
            Communities::Literal(wanted) => extent.holds(wanted, present),
        }
    }

    /// True if this single community is one of those named: what a deletion removes.
    pub fn contains(&self, community: C) -> bool {
        match self {
            Communities::List(list) => list.permits(std::iter::once(community), Extent::All),
            Communities::Literal(named) => named.contains(&community),
        }
    }
}

impl<C: Kind> fmt::Display for Communities<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Communities::List(list) => f.write_str(list.name()),
            Communities::Literal(communities) => {
                for (at, community) in communities.iter().enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    write!(f, "{space}{}", community.spelled())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
