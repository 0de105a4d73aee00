//! Which command a line is, and which words may come next.
//!
//! Commands are written as in FRR's manual: words, values in capitals or `<1-9>`, `(a|b)` for one of
//! several, `[a]` for what may be left out. [`Grammar`] keeps all of them as one tree of words, so a
//! line, its completion and the list behind `?` are answered by the same walk.
//!
//! As in FRR a whole word goes before a number or address, that before the beginning of a word, and
//! that before a free word; where two words that begin alike both lead on, the line is ambiguous.
//!
//! What a command does is not known here.

use std::cmp::Ordering;
use std::net::{Ipv4Addr, Ipv6Addr};

use bgp::{Community, LargeCommunity, MacAddress};
use ipnetwork::IpNetwork;

/// All commands as a tree of words.
#[derive(Debug)]
pub(super) struct Grammar {
    words: Vec<Node>,
    firsts: Vec<usize>,
}

/// A word of a command, with what may follow it.
#[derive(Debug)]
struct Node {
    token: Token,
    next: Vec<usize>,
    /// The command that may end here, by its place in the table.
    ends: Option<usize>,
}

/// What a word may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This word, or its beginning.
    Keyword(&'static str),
    /// A value of this kind.
    Value(&'static str),
}

impl Token {
    fn of(text: &'static str) -> Self {
        let capital = |c: char| c.is_ascii_uppercase() || c == '<';
        match text.starts_with(capital) {
            true => Token::Value(text),
            false => Token::Keyword(text),
        }
    }

    /// As a list of words has it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Token::Keyword(text) | Token::Value(text) => text,
        }
    }

    /// How well a word fits; none if it does not.
    fn fits(self, word: &str) -> Option<Fit> {
        match self {
            Token::Keyword(keyword) if keyword == word => Some(Fit::Whole),
            Token::Keyword(keyword) => keyword.starts_with(word).then_some(Fit::Beginning),
            Token::Value(kind) => value_fits(kind, word),
        }
    }

    /// Whether a word may still become it.
    fn may_become(self, word: &str) -> bool {
        match self {
            Token::Keyword(keyword) => keyword.starts_with(word),
            Token::Value(_) => word.is_empty() || self.fits(word).is_some(),
        }
    }
}

/// How well a word fits, the better the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Free,
    Beginning,
    Typed,
    Whole,
}

/// What a line says, in the words of its command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    keywords: Vec<&'static str>,
    values: Vec<(&'static str, String)>,
}

impl Said {
    /// Whether a word stands in the line, abbreviated or not.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.keywords.contains(&keyword)
    }

    /// The words of the command behind one of them, values apart.
    pub(super) fn words_behind(&self, keyword: &str) -> Vec<&str> {
        let behind = self.keywords.iter().skip_while(|it| **it != keyword);
        behind.skip(1).copied().collect()
    }

    /// The first value of one of these kinds.
    pub(super) fn value(&self, kinds: &[&str]) -> Option<&str> {
        let found = self.values.iter().find(|(kind, _)| kinds.contains(kind));
        found.map(|(_, text)| text.as_str())
    }
}

/// Which command a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The one at this place in the table.
    Command(usize, Said),
    /// Two words begin like one of the line.
    Ambiguous,
    /// It is the beginning of commands and none yet.
    Incomplete,
    /// No command.
    Unknown,
}

/// A way through the tree.
#[derive(Debug, Clone, Default)]
struct Way {
    fits: Vec<Fit>,
    said: Said,
}

/// The way that fits best, and whether another one fits as well.
#[derive(Debug, Default)]
struct Best {
    found: Option<(Option<usize>, Way)>,
    tie: bool,
}

impl Best {
    fn offer(&mut self, place: Option<usize>, way: &Way) {
        let order = self.found.as_ref().map(|(_, it)| way.fits.cmp(&it.fits));
        match order {
            Some(Ordering::Less) => {}
            Some(Ordering::Equal) => self.tie = true,
            Some(Ordering::Greater) | None => {
                self.found = Some((place, way.clone()));
                self.tie = false;
            }
        }
    }
}

impl Grammar {
    /// The tree of these commands.
    pub(super) fn new(commands: impl Iterator<Item = &'static str>) -> Self {
        let mut grammar = Self {
            words: Vec::new(),
            firsts: Vec::new(),
        };
        for (place, words) in commands.enumerate() {
            for line in alternatives(words) {
                grammar.insert(&line, place);
            }
        }
        grammar
    }

    fn insert(&mut self, line: &[Token], place: usize) {
        let mut at: Option<usize> = None;
        for token in line {
            let known = self.after(at).iter().copied();
            let known = known
                .into_iter()
                .find(|next| self.words.get(*next).is_some_and(|it| it.token == *token));
            at = Some(known.unwrap_or_else(|| {
                let new = self.words.len();
                self.words.push(Node {
                    token: *token,
                    next: Vec::new(),
                    ends: None,
                });
                match at.and_then(|at| self.words.get_mut(at)) {
                    Some(node) => node.next.push(new),
                    None => self.firsts.push(new),
                }
                new
            }));
        }
        if let Some(node) = at.and_then(|at| self.words.get_mut(at)) {
            // Of two that are written alike the first is meant.
            node.ends.get_or_insert(place);
        }
    }

    fn after(&self, at: Option<usize>) -> &[usize] {
        match at {
            None => &self.firsts,
            Some(at) => self.words.get(at).map_or(&[], |node| &node.next),
        }
    }

    /// The command that a line is.
    pub(super) fn read(&self, line: &str) -> Found {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut best = Best::default();
        self.walk(None, &words, &Way::default(), &mut |end, way| {
            best.offer(end, way)
        });
        match best.found {
            Some(_) if best.tie => Found::Ambiguous,
            Some((Some(place), way)) => Found::Command(place, way.said),
            Some((None, _)) => Found::Incomplete,
            None => Found::Unknown,
        }
    }

    /// Calls `each` for every way that takes all words, with the command that may end there.
    fn walk(
        &self,
        at: Option<usize>,
        words: &[&str],
        way: &Way,
        each: &mut impl FnMut(Option<usize>, &Way),
    ) {
        let Some((word, rest)) = words.split_first() else {
            let ends = at.and_then(|at| self.words.get(at)?.ends);
            return each(ends, way);
        };
        for next in self.after(at) {
            let Some(node) = self.words.get(*next) else {
                continue;
            };
            if node.token == Token::Value("LINE") {
                let mut way = way.clone();
                way.fits.push(Fit::Free);
                way.said.values.push(("LINE", words.join(" ")));
                each(node.ends, &way);
                continue;
            }
            let Some(fit) = node.token.fits(word) else {
                continue;
            };
            let mut way = way.clone();
            way.fits.push(fit);
            match node.token {
                Token::Keyword(keyword) => way.said.keywords.push(keyword),
                Token::Value(kind) => way.said.values.push((kind, (*word).to_owned())),
            }
            self.walk(Some(*next), rest, &way, each);
        }
    }

    /// What may stand in place of the last word of a line, which is the empty one behind a blank, and
    /// whether the line may end before it.
    pub(super) fn next(&self, line: &str) -> (Vec<Token>, bool) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let last = match line.ends_with(char::is_whitespace) {
            true => "",
            false => words.pop().unwrap_or(""),
        };
        let mut places: Vec<Option<usize>> = vec![None];
        for word in words {
            let next = places.iter().flat_map(|at| self.after(*at).iter().copied());
            let fits = next.filter_map(|at| Some((self.words.get(at)?.token.fits(word)?, at)));
            let fits: Vec<(Fit, usize)> = fits.collect();
            let whole = fits.iter().any(|(fit, _)| *fit == Fit::Whole);
            let fits = fits
                .into_iter()
                .filter(|(fit, _)| !whole || *fit == Fit::Whole);
            places = fits.map(|(_, at)| Some(at)).collect();
        }
        let ends = last.is_empty()
            && places.iter().any(|at| {
                at.is_some_and(|at| self.words.get(at).is_some_and(|it| it.ends.is_some()))
            });
        let next = places.iter().flat_map(|at| self.after(*at).iter().copied());
        let tokens = next.filter_map(|at| self.words.get(at).map(|node| node.token));
        let mut tokens: Vec<Token> = tokens.filter(|token| token.may_become(last)).collect();
        tokens.sort_by_key(|token| token.text());
        tokens.dedup();
        (tokens, ends)
    }
}

/// How well a word is a value of a kind.
fn value_fits(kind: &str, word: &str) -> Option<Fit> {
    if let Some((low, high)) = range(kind) {
        let digits = !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
        let number = word.parse::<u64>().ok().filter(|_| digits)?;
        return (low..=high).contains(&number).then_some(Fit::Typed);
    }
    let fits = match kind {
        "SEQ" => word.parse::<u32>().is_ok_and(|number| number > 0),
        "A.B.C.D" => word.parse::<Ipv4Addr>().is_ok(),
        "X:X::X:X" => word.parse::<Ipv6Addr>().is_ok(),
        "A.B.C.D/M" => is_prefix(word, false),
        "X:X::X:X/M" => is_prefix(word, true),
        "AA:NN" => word.parse::<Community>().is_ok(),
        "AA:BB:CC" => word.parse::<LargeCommunity>().is_ok(),
        "X:X:X:X:X:X" => word.parse::<MacAddress>().is_ok(),
        _ => return Some(Fit::Free),
    };
    fits.then_some(Fit::Typed)
}

fn range(kind: &str) -> Option<(u64, u64)> {
    let (low, high) = kind.strip_prefix('<')?.strip_suffix('>')?.split_once('-')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

fn is_prefix(word: &str, ipv6: bool) -> bool {
    let network = word.parse::<IpNetwork>().ok();
    word.contains('/') && network.is_some_and(|network| network.is_ipv6() == ipv6)
}

/// Every line that a command may be.
fn alternatives(words: &'static str) -> Vec<Vec<Token>> {
    let mut pieces = pieces(words).into_iter().peekable();
    one_of(&mut pieces)
}

type Pieces = std::iter::Peekable<std::vec::IntoIter<&'static str>>;

/// Ways with `|` between, up to a closing bracket.
fn one_of(pieces: &mut Pieces) -> Vec<Vec<Token>> {
    let mut all = sequence(pieces);
    while pieces.next_if_eq(&"|").is_some() {
        all.extend(sequence(pieces));
    }
    all
}

fn sequence(pieces: &mut Pieces) -> Vec<Vec<Token>> {
    let mut lines: Vec<Vec<Token>> = vec![Vec::new()];
    while let Some(piece) = pieces.next_if(|piece| !matches!(*piece, ")" | "]" | "|")) {
        let ways = match piece {
            "(" | "[" => {
                let mut ways = one_of(pieces);
                if piece == "[" {
                    ways.push(Vec::new());
                }
                pieces.next();
                ways
            }
            word => vec![vec![Token::of(word)]],
        };
        let longer = lines.iter().flat_map(|line| {
            let join = |way: &Vec<Token>| line.iter().chain(way).copied().collect();
            ways.iter().map(join).collect::<Vec<Vec<Token>>>()
        });
        lines = longer.collect();
    }
    lines
}

fn pieces(words: &'static str) -> Vec<&'static str> {
    let mut pieces = Vec::new();
    for word in words.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let mark = |c: char| "()[]|".contains(c);
            let end = match rest.find(mark) {
                Some(0) => 1,
                Some(at) => at,
                None => rest.len(),
            };
            let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            pieces.push(piece);
            rest = after;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar() -> Grammar {
        Grammar::new(
            [
                "show [ip] bgp [vrf NAME] [(ipv4|ipv6) [unicast]] summary [json]",
                "show bgp [(ipv4|ipv6) [unicast]] (A.B.C.D|X:X::X:X) [json]",
                "show bfd peers [json]",
                "show interface [IFNAME]",
                "show ip route [vrf NAME]",
                "clear bgp (*|A.B.C.D) [soft] [(in|out)]",
                "find LINE",
            ]
            .into_iter(),
        )
    }

    fn place(line: &str) -> Option<usize> {
        match grammar().read(line) {
            Found::Command(place, _) => Some(place),
            Found::Ambiguous | Found::Incomplete | Found::Unknown => None,
        }
    }

    #[test]
    fn abbreviations_are_the_command_that_only_one_word_makes() {
        assert_eq!(place("sh ip bgp sum"), Some(0));
        assert_eq!(place("show bgp vrf red ipv4 uni su js"), Some(0));
        assert_eq!(place("show bgp ipv4 10.0.0.1"), Some(1));
        assert_eq!(place("sh bg 2001:db8::1 json"), Some(1));
        assert_eq!(place("cl bgp * s o"), Some(5));
        assert_eq!(place("sh bfd p"), Some(2));
    }

    #[test]
    fn ambiguous_incomplete_and_unknown_lines_are_told_apart() {
        let grammar = grammar();
        assert_eq!(grammar.read("show ip"), Found::Incomplete);
        assert_eq!(grammar.read("show b"), Found::Ambiguous);
        assert_eq!(grammar.read("show bf"), Found::Incomplete);
        assert_eq!(grammar.read("show i r x"), Found::Unknown);
        assert_eq!(grammar.read("sh bgp 10.0.0.256"), Found::Unknown);
        assert_eq!(grammar.read("bgp"), Found::Unknown);
        let two = Grammar::new(["show route", "show rofl"].into_iter());
        assert_eq!(two.read("show ro"), Found::Ambiguous);
        assert_eq!(
            two.read("show route"),
            Found::Command(
                0,
                Said {
                    keywords: vec!["show", "route"],
                    values: Vec::new(),
                }
            )
        );
    }

    #[test]
    fn values_are_kept_under_their_kind() {
        let Found::Command(_, said) = grammar().read("show bgp vrf red ipv6 summary") else {
            panic!("not read");
        };
        assert_eq!(said.value(&["NAME"]), Some("red"));
        assert!(said.has("ipv6") && !said.has("json"));
        let Found::Command(_, said) = grammar().read("find  a  b") else {
            panic!("not read");
        };
        assert_eq!(said.value(&["LINE"]), Some("a b"));
    }

    #[test]
    fn what_may_follow_is_what_the_commands_have() {
        let grammar = grammar();
        let next = |line: &str| -> (Vec<&'static str>, bool) {
            let (tokens, ends) = grammar.next(line);
            (tokens.into_iter().map(Token::text).collect(), ends)
        };
        assert_eq!(next("sh"), (vec!["show"], false));
        assert_eq!(next("show i"), (vec!["interface", "ip"], false));
        assert_eq!(next("show bgp sum"), (vec!["summary"], false));
        assert_eq!(next("show bfd peers "), (vec!["json"], true));
        assert_eq!(next("show interface "), (vec!["IFNAME"], true));
        assert_eq!(next("nothing "), (vec![], false));
        assert_eq!(next("clear bgp "), (vec!["*", "A.B.C.D"], false));
    }

    #[test]
    fn any_text_is_read_without_harm() {
        let grammar = grammar();
        for line in [
            "",
            " ",
            "\u{0}",
            "é ü",
            "show \u{1f600}",
            "((( ]]] |||",
            "-",
            "show bgp <1-2>",
        ] {
            drop(grammar.read(line));
            drop(grammar.next(line));
        }
        assert_eq!(grammar.read(&"show ".repeat(10_000)), Found::Unknown);
    }
}
