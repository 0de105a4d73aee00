//! Patterns over texts, as FRR writes them for AS paths and communities.
//!
//! A pattern is a regular expression (POSIX extended) in which `_` stands for a boundary: the
//! beginning, the end, or one of space, comma, braces and parentheses. It is compiled once, with a
//! limit on its size, and runs in time linear in the text. Texts are written into a [`Text`],
//! which lies on the stack unless it is long.
//!
//! Differences from FRR: `_` within brackets stands for the boundary characters, where FRR's
//! replacement makes nonsense of the brackets; a repetition without anything to repeat (`*`, `^*`)
//! is an error and not a literal star; and Perl's classes (`\d`) are known too.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};

/// A compiled pattern; equal to one with the same text.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

/// A pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{pattern}` is not a regular expression: {reason}")]
pub struct PatternError {
    /// As written, shortened.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl PatternError {
    /// What to write instead, where that is known.
    pub(super) fn hint(&self) -> Option<String> {
        let sign = self.reason.strip_prefix(NOTHING_TO_REPEAT)?;
        let sign = sign.trim_matches([' ', '`']);
        Some(format!(
            "write `\\{sign}` for the character itself, in a text between single quotes"
        ))
    }
}

const NOTHING_TO_REPEAT: &str = "there is nothing to repeat before";

/// Longest pattern. FRR's command lines end earlier.
const LENGTH_MAX: usize = 1024;

/// Octets that a compiled pattern may take, and those of the automaton that is built as it runs.
const SIZE_MAX: usize = 1 << 18;

impl Pattern {
    /// Compiles a pattern.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        let error = |reason: String| PatternError {
            pattern: source.chars().take(60).collect(),
            reason,
        };
        if source.len() > LENGTH_MAX {
            return Err(error(format!("it is longer than {LENGTH_MAX} characters")));
        }
        if let Some(sign) = repeats_nothing(source) {
            return Err(error(format!("{NOTHING_TO_REPEAT} `{sign}`")));
        }
        let regex = RegexBuilder::new(&translate(source))
            .unicode(false)
            .size_limit(SIZE_MAX)
            .dfa_size_limit(SIZE_MAX)
            .nest_limit(32)
            .build();
        match regex {
            Ok(regex) => Ok(Self {
                source: source.to_owned(),
                regex,
            }),
            Err(regex::Error::CompiledTooBig(_)) => Err(error(format!(
                "it takes more than {SIZE_MAX} octets when compiled"
            ))),
            Err(other) => {
                // The last line of a drawing that points at the place.
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default().trim();
                let reason = last.strip_prefix("error: ").unwrap_or(last);
                Err(error(reason.to_owned()))
            }
        }
    }

    /// The pattern as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True if it matches somewhere in the text.
    pub(super) fn is_match(&self, text: &Text) -> bool {
        self.regex.is_match(text.as_bytes())
    }
}

/// The sign of a repetition that stands behind an anchor, or where nothing stands before it. Behind
/// an anchor the engine would take it, and match what nobody means: `^{65001}$` the empty path.
fn repeats_nothing(source: &str) -> Option<char> {
    let mut nothing = true;
    let mut group = false;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // Perl's groups: `(?:`.
            '?' if group => nothing = false,
            '*' | '+' | '?' | '{' if nothing => return Some(c),
            '\\' => {
                chars.next();
                nothing = false;
            }
            '[' => {
                skip_brackets(&mut chars);
                nothing = false;
            }
            c => nothing = matches!(c, '^' | '$' | '(' | '|'),
        }
        group = c == '(';
    }
    None
}

/// Goes on behind the bracket that ends the characters to choose from.
fn skip_brackets(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    chars.next_if_eq(&'^');
    // A bracket that stands first is itself (POSIX).
    chars.next_if_eq(&']');
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' if chars.next_if_eq(&':').is_some() => {
                chars.by_ref().find(|inner| *inner == ']');
            }
            ']' => return,
            _ => {}
        }
    }
}

/// Writes `_` as what it stands for.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut in_brackets = false;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            '[' if !in_brackets => {
                in_brackets = true;
                out.push(c);
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                // A bracket that stands first is itself (POSIX).
                if chars.peek() == Some(&']') {
                    out.push_str("\\]");
                    chars.next();
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // `[:digit:]`, up to its own closing bracket.
                out.push(c);
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_brackets => {
                in_brackets = false;
                out.push(c);
            }
            '_' if in_brackets => out.push_str(",{}() "),
            '_' => out.push_str("(?:^|[,{}() ]|$)"),
            // Set operations of this engine mean nothing to POSIX.
            '&' | '~' if in_brackets => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A text to match against, on the stack as long as it is short.
pub(super) struct Text {
    short: [u8; SHORT],
    used: usize,
    // Holds all of it once `short` is too small.
    long: Vec<u8>,
}

/// An AS path of forty numbers, or as many communities.
const SHORT: usize = 256;

impl Text {
    pub(super) fn new() -> Self {
        Self {
            short: [0; SHORT],
            used: 0,
            long: Vec::new(),
        }
    }

    /// Values with a space between.
    pub(super) fn of<T: fmt::Display>(values: impl Iterator<Item = T>) -> Self {
        let mut text = Self::new();
        for (at, value) in values.enumerate() {
            if at > 0 {
                text.push(b" ");
            }
            // Writing to memory cannot fail.
            let _ = fmt::Write::write_fmt(&mut text, format_args!("{value}"));
        }
        text
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.short.get_mut(self.used..self.used + bytes.len());
        match room {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(bytes);
                self.used += bytes.len();
            }
            Some(_) | None => {
                if self.long.is_empty() {
                    self.long.extend(self.short.iter().take(self.used));
                }
                self.long.extend_from_slice(bytes);
            }
        }
    }

    /// A number in decimal.
    pub(super) fn push_number(&mut self, mut number: u32) {
        let mut digits = [0_u8; 10];
        let mut from = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            from = at;
            if number == 0 {
                break;
            }
        }
        self.push(digits.get(from..).unwrap_or_default());
    }

    fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() {
            self.short.get(..self.used).unwrap_or_default()
        } else {
            &self.long
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// What was written.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests;
