//! Command shapes, and which of them a line is.
//!
//! A [`Shape`] is written as FRR's manual writes commands: words, parameters in capitals, `(a|b)`
//! for one of several, `[a]` for what may be left out, `{a|b}` for any number of them in any order,
//! and `A...` for one or more. [`Grammar::read`] finds the shape of a line within a node as FRR's
//! own matcher does: word by word, a whole keyword goes before a number, address or prefix, that
//! before the beginning of a keyword, and that before a free word. What is still undecided between
//! two keywords is ambiguous.
//!
//! A line that begins with `no` is read as the shape behind it, and may end before its values do.
//!
//! What a shape does is in [`super::shapes`]; which node a line is read in, in [`super::read`].

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::shapes::{Node, Shape};
use super::text::Word;

/// All shapes, ready to be compared with lines.
pub(super) struct Grammar {
    shapes: Vec<(&'static Shape, Vec<Element>)>,
    // By node and the first letter, which no abbreviation leaves out.
    begins: HashMap<(Node, u8), Vec<usize>>,
}

/// Part of a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    Keyword(&'static str),
    Value(&'static str),
    /// One value or more.
    Values(&'static str),
    /// All that follows.
    Rest(&'static str),
    One(Vec<Vec<Element>>),
    Maybe(Vec<Element>),
    Any(Vec<Vec<Element>>),
}

/// What a line says, in the words of its shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Caught<'t> {
    /// The line begins with `no`.
    pub(super) no: bool,
    values: Vec<(&'static str, &'t str)>,
    keywords: Vec<&'static str>,
    ranks: Vec<u8>,
    cut: bool,
}

impl<'t> Caught<'t> {
    /// The first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'t str> {
        let mine = move |(of, _): &&(&'static str, &'t str)| *of == name;
        let found: Vec<&'t str> = self.values.iter().filter(mine).map(|(_, it)| *it).collect();
        found.into_iter()
    }

    /// Whether a keyword stands in the line, abbreviated or not.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.keywords.contains(&keyword)
    }

    /// Whether the first word is no abbreviation.
    pub(super) fn begins_whole(&self) -> bool {
        self.ranks.first() == Some(&KEYWORD)
    }

    /// The whole keywords of the line.
    pub(super) fn keywords(&self) -> &[&'static str] {
        &self.keywords
    }

    /// The line without `no` and with no word abbreviated.
    pub(super) fn spelled(&self) -> String {
        let mut keywords = self.keywords.iter().copied();
        let mut values = self.values.iter().map(|(_, text)| *text);
        let words = self.ranks.iter().filter_map(|rank| match *rank {
            KEYWORD | BEGINNING => keywords.next(),
            _ => values.next(),
        });
        words.collect::<Vec<&str>>().join(" ")
    }
}

/// Which shape a line is.
pub(super) enum Found<'t> {
    /// This one.
    Shape(&'static Shape, Caught<'t>),
    /// A word may be either keyword.
    Ambiguous(&'static str, &'static str),
    /// None of the node.
    Nothing,
}

/// Ways that are tried for one shape: far more than any line of FRR has.
const PATIENCE: u32 = 400;

const KEYWORD: u8 = 3;
const TYPED: u8 = 2;
const BEGINNING: u8 = 1;
const FREE: u8 = 0;

impl Grammar {
    /// Takes the shapes to pieces.
    pub(super) fn new(shapes: impl Iterator<Item = &'static Shape>) -> Self {
        let shapes: Vec<_> = shapes.map(|shape| (shape, elements(shape.words))).collect();
        let mut begins: HashMap<(Node, u8), Vec<usize>> = HashMap::new();
        for (at, (shape, _)) in shapes.iter().enumerate() {
            let firsts = first_letters(shape.words);
            for node in shape.nodes {
                for first in &firsts {
                    begins.entry((*node, *first)).or_default().push(at);
                }
            }
        }
        Self { shapes, begins }
    }

    /// The shape of a line within a node.
    pub(super) fn read<'t>(&self, node: Node, words: &[Word<'t>]) -> Found<'t> {
        let found = self.read_as(node, words, false);
        match (&found, words) {
            (Found::Nothing, [no, rest @ ..]) if no.text == "no" => self.read_as(node, rest, true),
            _ => found,
        }
    }

    fn read_as<'t>(&self, node: Node, words: &[Word<'t>], no: bool) -> Found<'t> {
        let letter = words.first().and_then(|word| word.text.bytes().next());
        let letter = letter.map_or(0, |letter| letter.to_ascii_lowercase());
        let candidates = self.begins.get(&(node, letter)).into_iter().flatten();
        let mut best: Option<(&'static Shape, Caught<'t>)> = None;
        let mut other: Option<Caught<'t>> = None;
        for (shape, elements) in candidates.filter_map(|at| self.shapes.get(*at)) {
            let shape: &'static Shape = shape;
            let (mut found, mut patience) = (None, PATIENCE);
            let caught = Caught {
                no,
                ..Caught::default()
            };
            go(
                &Todo::new(elements),
                words,
                caught,
                &mut found,
                &mut patience,
            );
            let Some(found) = found else {
                continue;
            };
            match &best {
                Some((_, before)) if (&before.ranks, !before.cut) > (&found.ranks, !found.cut) => {
                }
                Some((_, before)) if before.ranks == found.ranks && before.cut == found.cut => {
                    other = other.or(Some(found));
                }
                Some(_) | None => (best, other) = (Some((shape, found)), None),
            }
        }
        let Some((shape, caught)) = best else {
            return Found::Nothing;
        };
        let other = other.as_ref().map_or(&[][..], |other| &other.keywords);
        let pairs = caught.keywords.iter().zip(other);
        match pairs.into_iter().find(|(one, two)| one != two) {
            // Two shapes that differ in their values alone: the first one is meant.
            Some((one, two)) if caught.ranks.contains(&BEGINNING) => Found::Ambiguous(one, two),
            Some(_) | None => Found::Shape(shape, caught),
        }
    }
}

/// A word that may come next in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// This word.
    Keyword(&'static str),
    /// A value of this name.
    Value(&'static str),
}

impl Next {
    fn may_be(self, word: &str) -> bool {
        match self {
            Next::Keyword(keyword) => keyword_rank(keyword, word).is_some(),
            Next::Value(_) if word.is_empty() => true,
            // Part of a number or an address may be one when it is whole.
            Next::Value(name) => {
                let part = |c: char| c.is_ascii_hexdigit() || ".:/".contains(c);
                value_rank(name, word).is_some() || word.chars().all(part)
            }
        }
    }
}

impl Grammar {
    /// What may stand in a node behind these words in place of one that begins so, of lines that do
    /// something; and whether a line may end there.
    pub(super) fn next(&self, node: Node, words: &[&str], last: &str) -> (Vec<Next>, bool) {
        let (mut next, mut ends) = self.next_as(node, words, last, false);
        if let Some((&"no", words)) = words.split_first() {
            let (more, more_ends) = self.next_as(node, words, last, true);
            next.extend(more);
            ends |= more_ends;
        } else if words.is_empty() && node != Node::Foreign && "no".starts_with(last) {
            next.push(Next::Keyword("no"));
        }
        next.sort_unstable();
        next.dedup();
        (next, ends)
    }

    fn next_as(&self, node: Node, words: &[&str], last: &str, no: bool) -> (Vec<Next>, bool) {
        let mut ways: Vec<NextWay> = Vec::new();
        for (shape, elements) in &self.shapes {
            if shape.nodes.contains(&node) && shape.means.is_done() {
                let mut patience = PATIENCE;
                let todo = Todo::new(elements);
                follow(&todo, words, NextWay::new(no), &mut ways, &mut patience);
            }
        }
        // As where lines are read: a whole keyword is meant.
        for at in 0..words.len() {
            let whole = |way: &NextWay| way.ranks.get(at) == Some(&KEYWORD);
            if ways.iter().any(whole) {
                ways.retain(whole);
            }
        }
        let ends = last.is_empty() && !words.is_empty() && ways.iter().any(|it| it.next.is_none());
        let next = ways.into_iter().filter_map(|it| it.next);
        (next.filter(|it| it.may_be(last)).collect(), ends)
    }
}

/// A way through a shape up to the word that may come next; none where the line may end.
#[derive(Debug, Clone)]
struct NextWay {
    no: bool,
    ranks: Vec<u8>,
    next: Option<Next>,
}

impl NextWay {
    fn new(no: bool) -> Self {
        Self {
            no,
            ranks: Vec::new(),
            next: None,
        }
    }

    fn leads_to(&self, next: Next) -> Self {
        Self {
            next: Some(next),
            ..self.clone()
        }
    }

    fn with(&self, rank: u8) -> Self {
        let mut way = self.clone();
        way.ranks.push(rank);
        way
    }
}

/// Tries all ways, and goes one word further than the words do. `patience` bounds the ways.
fn follow(
    todo: &Todo<'_>,
    words: &[&str],
    way: NextWay,
    ways: &mut Vec<NextWay>,
    patience: &mut u32,
) {
    let Some(left) = patience.checked_sub(1) else {
        return;
    };
    *patience = left;
    let Some((element, here)) = todo.here.split_first() else {
        match todo.then {
            Some(then) => follow(then, words, way, ways, patience),
            None if words.is_empty() => ways.push(way),
            None => {}
        }
        return;
    };
    if words.is_empty() && way.no && !way.ranks.is_empty() && todo.is_values() {
        ways.push(way.clone());
    }
    let rest = Todo {
        here,
        then: todo.then,
    };
    match element {
        Element::Keyword(keyword) => match words.split_first() {
            None => ways.push(way.leads_to(Next::Keyword(keyword))),
            Some((word, words)) => {
                if let Some(rank) = keyword_rank(keyword, word) {
                    follow(&rest, words, way.with(rank), ways, patience);
                }
            }
        },
        Element::Value(name) | Element::Values(name) => match words.split_first() {
            None => ways.push(way.leads_to(Next::Value(name))),
            Some((word, words)) => {
                if let Some(rank) = value_rank(name, word) {
                    let way = way.with(rank);
                    if let Element::Values(_) = element {
                        follow(todo, words, way.clone(), ways, patience);
                    }
                    follow(&rest, words, way, ways, patience);
                }
            }
        },
        Element::Rest(name) => match words.is_empty() {
            true => ways.push(way.leads_to(Next::Value(name))),
            false => {
                let way = words.iter().fold(way, |way, _| way.with(FREE));
                ways.push(way.leads_to(Next::Value(name)));
                ways.push(way);
            }
        },
        Element::One(inner) => {
            for inner in inner {
                let todo = Todo {
                    here: inner,
                    then: Some(&rest),
                };
                follow(&todo, words, way.clone(), ways, patience);
            }
        }
        Element::Maybe(inner) => {
            let todo = Todo {
                here: inner,
                then: Some(&rest),
            };
            follow(&todo, words, way.clone(), ways, patience);
            follow(&rest, words, way, ways, patience);
        }
        Element::Any(inner) => {
            for inner in inner {
                let todo = Todo {
                    here: inner,
                    then: Some(todo),
                };
                follow(&todo, words, way.clone(), ways, patience);
            }
            follow(&rest, words, way, ways, patience);
        }
    }
}

fn first_letters(words: &'static str) -> Vec<u8> {
    let mut letters = Vec::new();
    let (first, rest) = words.split_at_checked(1).unwrap_or(("", ""));
    match first {
        "(" => {
            let inner = rest.split(')').next().unwrap_or("");
            letters.extend(inner.split('|').filter_map(|word| word.bytes().next()));
        }
        _ => letters.extend(first.bytes()),
    }
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// What of a shape is still to come.
struct Todo<'e> {
    here: &'e [Element],
    then: Option<&'e Todo<'e>>,
}

impl<'e> Todo<'e> {
    fn new(here: &'e [Element]) -> Self {
        Self { here, then: None }
    }

    /// Values may be left out behind `no`, keywords may not.
    fn is_values(&self) -> bool {
        let keyword = |element: &Element| matches!(element, Element::Keyword(_));
        !self.here.iter().any(keyword) && self.then.is_none_or(Todo::is_values)
    }
}

/// Tries all ways, since a later word may decide; keeps the one that fits best. `patience` bounds
/// the ways.
fn go<'t>(
    todo: &Todo<'_>,
    words: &[Word<'t>],
    caught: Caught<'t>,
    best: &mut Option<Caught<'t>>,
    patience: &mut u32,
) {
    let Some(left) = patience.checked_sub(1) else {
        return;
    };
    *patience = left;
    let Some((element, here)) = todo.here.split_first() else {
        match todo.then {
            Some(then) => go(then, words, caught, best, patience),
            None if words.is_empty() => keep(caught, best),
            None => {}
        }
        return;
    };
    if words.is_empty() && caught.no && todo.is_values() {
        let caught = Caught {
            cut: true,
            ..caught
        };
        return keep(caught, best);
    }
    let rest = Todo {
        here,
        then: todo.then,
    };
    match element {
        Element::Keyword(keyword) => {
            if let Some((word, words)) = words.split_first()
                && let Some(rank) = keyword_rank(keyword, word.text)
            {
                let mut caught = caught;
                caught.keywords.push(keyword);
                caught.ranks.push(rank);
                go(&rest, words, caught, best, patience);
            }
        }
        Element::Value(name) => {
            if let Some((word, words)) = words.split_first()
                && let Some(rank) = value_rank(name, word.text)
            {
                let mut caught = caught;
                caught.values.push((name, word.text));
                caught.ranks.push(rank);
                go(&rest, words, caught, best, patience);
            }
        }
        Element::Values(name) => {
            let mut caught = caught;
            let mut words = words;
            while let Some((word, after)) = words.split_first()
                && let Some(rank) = value_rank(name, word.text)
            {
                caught.values.push((name, word.text));
                caught.ranks.push(rank);
                words = after;
                go(&rest, words, caught.clone(), best, patience);
            }
        }
        Element::Rest(name) => {
            if let Some(word) = words.first() {
                let mut caught = caught;
                caught.values.push((name, word.rest));
                caught.ranks.push(FREE);
                go(&rest, &[], caught, best, patience);
            }
        }
        Element::One(ways) => {
            for way in ways.iter().filter(|way| may_begin(way, words)) {
                let todo = Todo {
                    here: way,
                    then: Some(&rest),
                };
                go(&todo, words, caught.clone(), best, patience);
            }
        }
        Element::Maybe(inner) => {
            let todo = Todo {
                here: inner,
                then: Some(&rest),
            };
            go(&todo, words, caught.clone(), best, patience);
            go(&rest, words, caught, best, patience);
        }
        Element::Any(ways) => {
            if !words.is_empty() {
                for way in ways.iter().filter(|way| may_begin(way, words)) {
                    let todo = Todo {
                        here: way,
                        then: Some(todo),
                    };
                    go(&todo, words, caught.clone(), best, patience);
                }
            }
            go(&rest, words, caught, best, patience);
        }
    }
}

/// False where a keyword comes first that the line does not have: most ways of most lines.
fn may_begin(way: &[Element], words: &[Word<'_>]) -> bool {
    let Some(Element::Keyword(keyword)) = way.first() else {
        return true;
    };
    let fits = |word: &Word<'_>| keyword_rank(keyword, word.text).is_some();
    words.first().is_some_and(fits)
}

fn keep<'t>(caught: Caught<'t>, best: &mut Option<Caught<'t>>) {
    let better = best
        .as_ref()
        .is_none_or(|before| (&before.ranks, !before.cut) < (&caught.ranks, !caught.cut));
    if better {
        *best = Some(caught);
    }
}

fn keyword_rank(keyword: &str, word: &str) -> Option<u8> {
    if keyword.eq_ignore_ascii_case(word) {
        return Some(KEYWORD);
    }
    let begins = keyword.get(..word.len());
    begins
        .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
        .then_some(BEGINNING)
}

/// How well a word is a value of a parameter; parameters are known by their names.
fn value_rank(name: &str, word: &str) -> Option<u8> {
    let typed = |fits: bool| fits.then_some(TYPED);
    if let Some((low, high)) = name.strip_prefix('<').and_then(|name| {
        let (low, high) = name.strip_suffix('>')?.split_once('-')?;
        Some((low.parse::<u64>().ok()?, high.parse::<u64>().ok()?))
    }) {
        let number = whole(word);
        return typed(number.is_some_and(|number| (low..=high).contains(&number)));
    }
    match name {
        "N" | "M" | "SEQ" | "GE" | "LE" => typed(whole(word).is_some_and(|it| it <= 0xffff_ffff)),
        "ASN" => typed(asn(word).is_some()),
        "A.B.C.D" | "MASK" | "HOST" | "FROM" | "WILDCARD" | "REST" => {
            typed(word.parse::<Ipv4Addr>().is_ok())
        }
        "X:X::X:X" => typed(word.parse::<Ipv6Addr>().is_ok()),
        "ADDR" | "LOCAL" => typed(word.parse::<std::net::IpAddr>().is_ok()),
        "A.B.C.D/M" => typed(is_prefix(word, false)),
        "X:X::X:X/M" => typed(is_prefix(word, true)),
        "PREFIX" => typed(is_prefix(word, false) || is_prefix(word, true)),
        _ => Some(FREE),
    }
}

fn whole(word: &str) -> Option<u64> {
    let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

/// A number, or two of sixteen bits with a dot between.
pub(super) fn asn(word: &str) -> Option<u32> {
    if let Some((high, low)) = word.split_once('.') {
        let part = |text: &str| {
            whole(text)
                .and_then(|it| u16::try_from(it).ok())
                .map(u32::from)
        };
        return Some(part(high)? << 16 | part(low)?);
    }
    whole(word).and_then(|number| u32::try_from(number).ok())
}

fn is_prefix(word: &str, v6: bool) -> bool {
    let network = word.parse::<ipnetwork::IpNetwork>().ok();
    word.contains('/') && network.is_some_and(|network| network.is_ipv6() == v6)
}

fn elements(words: &'static str) -> Vec<Element> {
    let mut tokens = tokens(words).into_iter().peekable();
    sequence(&mut tokens)
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<&'static str>>;

fn sequence(tokens: &mut Tokens) -> Vec<Element> {
    let mut elements = Vec::new();
    while let Some(token) = tokens.peek().copied() {
        match token {
            ")" | "]" | "}" | "|" => break,
            "(" | "[" | "{" => {
                tokens.next();
                let mut ways = vec![sequence(tokens)];
                while tokens.next() == Some("|") {
                    ways.push(sequence(tokens));
                }
                elements.push(match token {
                    "(" => Element::One(ways),
                    "{" => Element::Any(ways),
                    _ => Element::Maybe(match ways.len() {
                        1 => ways.pop().unwrap_or_default(),
                        _ => vec![Element::One(ways)],
                    }),
                });
            }
            _ => {
                tokens.next();
                elements.push(element(token));
            }
        }
    }
    elements
}

fn element(token: &'static str) -> Element {
    let value = token.starts_with('<') || token.starts_with(|c: char| c.is_ascii_uppercase());
    // Words of FRR that have capitals themselves.
    let keyword = matches!(token, "remove-private-AS" | "replace-AS" | "MED-only");
    match token.strip_suffix("...") {
        Some(name) => Element::Values(name),
        None if token == "LINE" => Element::Rest(token),
        None if value && !keyword => Element::Value(token),
        None => Element::Keyword(token),
    }
}

fn tokens(words: &'static str) -> Vec<&'static str> {
    let mut tokens = Vec::new();
    for word in words.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let mark = |c: char| "()[]{}|".contains(c);
            let end = match rest.find(mark) {
                Some(0) => 1,
                Some(at) => at,
                None => rest.len(),
            };
            let (token, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            tokens.push(token);
            rest = after;
        }
    }
    tokens
}

/// A line of a shape with a value for each parameter, for the tests and as an example.
#[cfg(test)]
pub(super) fn examples(words: &'static str, value: &dyn Fn(&str) -> String) -> Vec<String> {
    fn write(elements: &[Element], value: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut lines = vec![String::new()];
        for element in elements {
            let ways: Vec<String> = match element {
                Element::Keyword(keyword) => vec![(*keyword).to_owned()],
                Element::Value(name) | Element::Values(name) | Element::Rest(name) => {
                    vec![value(name)]
                }
                Element::One(ways) => ways.iter().flat_map(|way| write(way, value)).collect(),
                Element::Maybe(way) => {
                    let mut ways = write(way, value);
                    ways.push(String::new());
                    ways
                }
                Element::Any(ways) => {
                    let ways = ways.iter().flat_map(|way| write(way, value));
                    ways.chain([String::new()]).collect()
                }
            };
            lines = lines
                .iter()
                .flat_map(|line| ways.iter().map(move |way| format!("{line} {way}")))
                .map(|line| line.trim().to_owned())
                .collect();
        }
        lines
    }
    write(&elements(words), value)
}

#[cfg(test)]
mod tests;
