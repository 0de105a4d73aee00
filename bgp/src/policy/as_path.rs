//! AS paths as policy sees them, and lists of patterns over them.
//!
//! An [`AsPath`] reads a path in place, whether it is open or closed. A rule of a list is a
//! pattern over its text (`65001 65002 {65003,65004}`), but the patterns that nearly all lists
//! consist of (`^$`, `^65001_`, `_65001_`, `_65001$`, `^65001 65002$`) are recognised when the
//! list is made and compared number by number. A property test holds the two to be the same. The
//! text is only written for other patterns, once for each list that is asked, on the stack.

use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use crate::asn::Asn;
use crate::attributes::{Segment, SegmentKind, SegmentView, Segments};
use crate::policy::pattern::{Pattern, Text};
use crate::policy::rule::{self, Head, RuleError};
use crate::policy::{Action, List, Rule};

/// A path, read where it lies.
#[derive(Clone)]
pub(super) enum AsPath<'a> {
    Open(&'a [Segment]),
    Closed(Segments<'a>),
}

/// A segment of it.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Open(&'a Segment),
    Closed(SegmentView<'a>),
}

impl Piece<'_> {
    fn kind(self) -> SegmentKind {
        match self {
            Piece::Open(segment) => segment.kind,
            Piece::Closed(view) => view.kind,
        }
    }
}

impl<'a> Piece<'a> {
    fn asns(self) -> impl DoubleEndedIterator<Item = Asn> + 'a {
        let (open, closed) = match self {
            Piece::Open(segment) => (Some(segment), None),
            Piece::Closed(view) => (None, Some(view)),
        };
        let open = open.into_iter().flat_map(|one| one.asns.iter().copied());
        open.chain(closed.into_iter().flat_map(SegmentView::asns))
    }
}

impl<'a> AsPath<'a> {
    fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let (open, closed) = match self {
            AsPath::Open(segments) => (*segments, None),
            AsPath::Closed(segments) => ([].as_slice(), Some(segments.clone())),
        };
        let open = open.iter().map(Piece::Open);
        open.chain(closed.into_iter().flatten().map(Piece::Closed))
    }

    /// Every number, of whatever segment, nearest first.
    pub(super) fn asns(&self) -> impl Iterator<Item = Asn> + use<'a> {
        self.pieces().flat_map(Piece::asns)
    }

    /// The leftmost number, unless the path begins with a set.
    pub(super) fn first(&self) -> Option<Asn> {
        let first = self.pieces().next()?;
        first.kind().is_ordered().then(|| first.asns().next())?
    }

    /// The AS that originates the route, if one does (RFC 6811 §2): the last number; our own AS where
    /// the path is empty or ends within our confederation; none where it ends in a set.
    pub(super) fn origin(&self, own_as: Asn) -> Option<Asn> {
        let Some(last) = self.pieces().last() else {
            return Some(own_as);
        };
        match last.kind() {
            SegmentKind::Sequence => last.asns().next_back(),
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => Some(own_as),
            SegmentKind::Set => None,
        }
    }

    /// Writes the path as it is shown: sets in braces, confederation segments in parentheses and
    /// brackets.
    pub(super) fn text(&self) -> Text {
        let mut text = Text::new();
        for (at, piece) in self.pieces().enumerate() {
            if at > 0 {
                text.push(b" ");
            }
            let (open, between, close): (&[u8], &[u8], &[u8]) = match piece.kind() {
                SegmentKind::Sequence => (b"", b" ", b""),
                SegmentKind::Set => (b"{", b",", b"}"),
                SegmentKind::ConfedSequence => (b"(", b" ", b")"),
                SegmentKind::ConfedSet => (b"[", b",", b"]"),
            };
            text.push(open);
            for (at, asn) in piece.asns().enumerate() {
                if at > 0 {
                    text.push(between);
                }
                text.push_number(asn.0);
            }
            text.push(close);
        }
        text
    }
}

/// A list of rules about AS paths.
pub type AsPathList = List<AsPathRule>;

impl AsPathList {
    /// True if the list lets through a route with this path.
    pub fn permits(&self, path: &[Segment]) -> bool {
        self.permits_path(&AsPath::Open(path))
    }

    pub(super) fn permits_path(&self, path: &AsPath<'_>) -> bool {
        let mut text = None;
        self.permits_by(|rule| rule.subject.matches(path, &mut text))
    }

    /// For each rule, the number of an earlier rule that matches all that it matches, as far as
    /// that can be seen: the same pattern, or one that matches every path.
    pub fn shadowed(&self) -> Vec<(u32, u32)> {
        super::list::shadowed(self.rules(), AsPathRule::not_any, |rule| {
            [None, rule.not_any()]
        })
    }
}

/// One rule of an [`AsPathList`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AsPathRule {
    seq: u32,
    action: Action,
    source: String,
    subject: Subject,
}

/// What a pattern means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Any,
    /// One sequence of these; no numbers, no segment.
    Exactly(Vec<Asn>),
    /// A sequence that starts with this one comes first.
    From(Asn),
    /// A sequence that ends with this one comes last.
    To(Asn),
    Through(Asn),
    Pattern(Pattern),
}

impl Subject {
    fn of(source: &str) -> Result<Self, RuleError> {
        match Self::plain(source) {
            Some(plain) => Ok(plain),
            None => Ok(Subject::Pattern(Pattern::new(source)?)),
        }
    }

    /// What can be told without the text of the path.
    fn plain(source: &str) -> Option<Self> {
        if matches!(source, "any" | ".*") {
            return Some(Subject::Any);
        }
        if let Some(inner) = source.strip_prefix('^') {
            return match inner.strip_suffix('$') {
                Some("") => Some(Subject::Exactly(Vec::new())),
                Some(inner) => {
                    let numbers = inner.split(['_', ' ']).map(number);
                    numbers.collect::<Option<_>>().map(Subject::Exactly)
                }
                None => inner.strip_suffix('_').and_then(number).map(Subject::From),
            };
        }
        let inner = source.strip_prefix('_')?;
        match inner.strip_suffix('$') {
            Some(inner) => number(inner).map(Subject::To),
            None => inner
                .strip_suffix('_')
                .and_then(number)
                .map(Subject::Through),
        }
    }

    fn matches(&self, path: &AsPath<'_>, text: &mut Option<Text>) -> bool {
        match self {
            Subject::Any => true,
            Subject::Exactly(asns) => {
                path.pieces().all(|one| one.kind() == SegmentKind::Sequence)
                    && path.asns().eq(asns.iter().copied())
            }
            Subject::From(asn) => {
                let first = path.pieces().next();
                let first = first.filter(|one| one.kind() == SegmentKind::Sequence);
                first.and_then(|one| one.asns().next()) == Some(*asn)
            }
            Subject::To(asn) => {
                let last = path.pieces().last();
                let last = last.filter(|one| one.kind() == SegmentKind::Sequence);
                last.and_then(|one| one.asns().next_back()) == Some(*asn)
            }
            Subject::Through(asn) => path.asns().any(|other| other == *asn),
            Subject::Pattern(pattern) => pattern.is_match(text.get_or_insert_with(|| path.text())),
        }
    }
}

/// An AS number as a path shows it.
fn number(text: &str) -> Option<Asn> {
    let asn: Asn = text.parse().ok()?;
    (asn.to_string() == text).then_some(asn)
}

impl AsPathRule {
    /// A rule about paths whose text matches a pattern; `any` is every path. `seq` 0 asks the list
    /// for a number.
    pub fn new(seq: u32, action: Action, pattern: &str) -> Result<Self, RuleError> {
        Ok(Self {
            seq,
            action,
            subject: Subject::of(pattern)?,
            source: pattern.to_owned(),
        })
    }

    /// What it is about, unless that is every path.
    fn not_any(&self) -> Option<&Subject> {
        Some(&self.subject).filter(|subject| **subject != Subject::Any)
    }

    /// The pattern as written.
    pub fn pattern(&self) -> &str {
        &self.source
    }
}

impl Rule for AsPathRule {
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

impl FromStr for AsPathRule {
    type Err = RuleError;

    /// `permit ^65001_`, `seq 5 deny _65002_`, `permit any`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        match rest {
            "" => Err(RuleError::Missing("a pattern or `any`")),
            pattern => Self::new(seq, action, pattern),
        }
    }
}

/// As it is parsed, with the sequence number once there is one.
impl fmt::Display for AsPathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq > 0 {
            write!(f, "seq {} ", self.seq)?;
        }
        write!(f, "{} {}", self.action, self.source)
    }
}

#[cfg(test)]
mod tests;
