//! The text of a configuration with one overlay network more, or one less.
//!
//! ```text
//! text ──toml_parser──► Document (where everything stands) ──► places to cut and to put ──► text
//! ```
//!
//! Nothing is written anew: an edit is octets put in at a place, or a range taken out, and all the
//! rest stays as it is by construction, comments, order, blank lines and line ends included. What
//! is put in follows the file: its line ends, the way it writes `[[vni]]` (with headers, as a list
//! of inline tables, in one line or several), its indentation and blank lines. What is taken out
//! goes with the comments that are its own: those within, those right above it, and those right
//! below it unless they stand right above something else.
//!
//! Overlay networks are named by their place among those of their instance, since the reader of
//! the file says what each is. Nothing here knows what a value means or whether the result is a
//! valid configuration: whoever edits reads the result again and compares.

use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::Range;
use std::vec;

use bgp::Vni;
use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

use super::print::{Fields, inline, lines, vni_fields};
use super::types::{Config, VniConfig};

/// The text of a configuration with an overlay network added behind the others of an instance;
/// `None` is the default one. `None` comes back where there is no place for it.
pub(crate) fn with_network(
    text: &str,
    config: &Config,
    instance: Option<&str>,
    network: &VniConfig,
) -> Option<String> {
    let (number, config) = find(config, instance)?;
    add(text, number, &vni_fields(network, config))
}

/// The text of a configuration without an overlay network.
pub(crate) fn without_network(
    text: &str,
    config: &Config,
    instance: Option<&str>,
    id: Vni,
) -> Option<String> {
    let (number, config) = find(config, instance)?;
    let at = config.vnis.iter().position(|network| network.id == id)?;
    remove(text, number, at)
}

/// An instance, and its number among those beside the default one.
fn find<'c>(config: &'c Config, name: Option<&str>) -> Option<(Option<usize>, &'c Config)> {
    if name.is_none() {
        return Some((None, config));
    }
    let mut instances = config.instances.iter().enumerate();
    let (number, instance) = instances.find(|(_, it)| it.name.as_deref() == name)?;
    Some((Some(number), instance))
}

/// The text with an overlay network added behind the others of the default instance, or of that
/// with this number among the others.
fn add(text: &str, instance: Option<usize>, fields: &Fields) -> Option<String> {
    let document = Document::read(text)?;
    let edits = match document.place(instance)? {
        Place::Blocks { header, blocks } => {
            vec![document.add_block(instance, header, &blocks, fields)?]
        }
        Place::List(list) => document.add_to_list(list, &inline(fields)),
        Place::Missing(list) => document.add_to_list(list, &format!("vni = [{}]", inline(fields))),
    };
    document.edited(edits)
}

/// The text without the overlay network that has this number among those of its instance.
fn remove(text: &str, instance: Option<usize>, at: usize) -> Option<String> {
    let document = Document::read(text)?;
    let edits = match document.place(instance)? {
        Place::Blocks { blocks, .. } => {
            let sections = blocks.get(at)?.iter();
            sections
                .map(|section| document.without(*section))
                .collect::<Option<_>>()?
        }
        Place::List(list) => vec![document.without_member(list, at)?],
        Place::Missing(_) => return None,
    };
    document.edited(edits)
}

/// A range of the text, and what takes its place.
#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: String,
}

impl Edit {
    fn put(at: usize, text: impl Into<String>) -> Self {
        Self {
            range: at..at,
            text: text.into(),
        }
    }

    fn cut(range: Range<usize>) -> Self {
        Self {
            range,
            text: String::new(),
        }
    }
}

/// Where everything stands in a text. Whatever is neither a key, a value nor a header is blank or
/// a comment.
#[derive(Debug)]
struct Document<'t> {
    text: &'t str,
    /// The first one has no header.
    sections: Vec<Section>,
}

/// A header and the keys beneath it.
#[derive(Debug)]
struct Section {
    /// Beginning of the header.
    start: usize,
    path: Vec<String>,
    /// `[[..]]`.
    is_array: bool,
    items: Vec<Item>,
    /// Behind the last value, or the header.
    end: usize,
}

/// A key and its value.
#[derive(Debug)]
struct Item {
    key: Vec<String>,
    value: Node,
}

#[derive(Debug)]
enum Node {
    Scalar,
    Array(List<Node>),
    Table(List<Item>),
}

/// What stands between brackets or braces.
#[derive(Debug)]
struct List<T> {
    /// Behind the opening bracket.
    open: usize,
    members: Vec<Member<T>>,
}

#[derive(Debug)]
struct Member<T> {
    range: Range<usize>,
    /// Where the comma behind it stands.
    comma: Option<usize>,
    what: T,
}

/// Where the overlay networks of an instance stand.
enum Place<'d> {
    /// Under headers of this path, each with the sections that it has.
    Blocks {
        header: &'static str,
        blocks: Vec<Vec<usize>>,
    },
    /// `vni = [..]`.
    List(&'d List<Node>),
    /// Nowhere yet, in an instance that is an inline table.
    Missing(&'d List<Item>),
}

impl<'t> Document<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let (mut events, mut errors) = (Vec::new(), Vec::new());
        let mut receiver = |event: Event| events.push(event);
        let mut receiver = RecursionGuard::new(&mut receiver, DEPTH_MAX);
        parse_document(&tokens, &mut receiver, &mut errors);
        if !errors.is_empty() {
            return None;
        }
        let is_silent = |event: &Event| {
            matches!(
                event.kind(),
                EventKind::Whitespace | EventKind::Comment | EventKind::Newline
            )
        };
        events.retain(|event| !is_silent(event));
        let mut reader = Reader {
            source,
            events: events.into_iter().peekable(),
        };
        let sections = reader.sections()?;
        Some(Self { text, sections })
    }

    /// Sections of an instance, and how long the path is that all their headers begin with.
    fn sections_of(&self, instance: Option<usize>) -> Option<(Range<usize>, usize)> {
        let Some(instance) = instance else {
            return Some((0..self.sections.len(), 0));
        };
        let heads = |section: &Section| section.is_array && section.path == ["instance"];
        let numbered = self.sections.iter().enumerate();
        let mut starts = numbered
            .filter(|(_, section)| heads(section))
            .map(|(at, _)| at);
        let start = starts.nth(instance)?;
        Some((start..starts.next().unwrap_or(self.sections.len()), 1))
    }

    fn place(&self, instance: Option<usize>) -> Option<Place<'_>> {
        if let Some(number) = instance
            && let Some(Node::Array(instances)) =
                value_of(&self.sections.first()?.items, "instance")
        {
            let Node::Table(table) = &instances.members.get(number)?.what else {
                return None;
            };
            let items = table.members.iter().map(|member| &member.what);
            return Some(match value_in(items, "vni") {
                Some(Node::Array(list)) => Place::List(list),
                Some(_) => return None,
                None => Place::Missing(table),
            });
        }
        let (range, depth) = self.sections_of(instance)?;
        match value_of(&self.sections.get(range.start)?.items, "vni") {
            Some(Node::Array(list)) => return Some(Place::List(list)),
            Some(_) => return None,
            None => {}
        }
        let parent = ["instance"].get(..depth)?;
        let mut blocks: Vec<Vec<usize>> = Vec::new();
        for at in range {
            let section = self.sections.get(at)?;
            let inner = section.path.get(depth..).unwrap_or_default();
            let parent_of_it = section.path.get(..depth).unwrap_or_default();
            match inner {
                _ if parent_of_it != parent => {}
                [key] if key == "vni" && section.is_array => blocks.push(vec![at]),
                [key, ..] if key == "vni" => blocks.last_mut()?.push(at),
                _ => {}
            }
        }
        let header = if depth == 0 { "vni" } else { "instance.vni" };
        Some(Place::Blocks { header, blocks })
    }

    /// A block behind the others, or where the first one belongs.
    fn add_block(
        &self,
        instance: Option<usize>,
        header: &str,
        blocks: &[Vec<usize>],
        fields: &Fields,
    ) -> Option<Edit> {
        let mut block = format!("[[{header}]]\n");
        lines(&mut block, fields);
        let model = blocks.last().and_then(|block| block.first());
        if let Some(model) = model.and_then(|at| self.sections.get(*at)) {
            block = indented(&block, self.indentation(model.start));
        }
        let (at, blank_above, blank_below) = if let Some(last) = blocks.last() {
            let first = self.start_of(*blocks.first()?.first()?)?;
            let last = *last.last()?;
            let end = self.end_of(last)?;
            // A comment that would stand right above the new one would be taken for its own.
            let behind_comment = end > self.content_end(last)?;
            (end, self.is_after_blank(first) || behind_comment, false)
        } else if instance.is_some() {
            let (range, _) = self.sections_of(instance)?;
            let own = |at: &usize| {
                let section = self.sections.get(*at);
                section.is_some_and(|it| it.path.first().is_some_and(|key| key == "instance"))
            };
            (self.end_of(range.rev().find(own)?)?, true, false)
        } else {
            // Before the first instance, where what is the default one's ends.
            let of_instance =
                |section: &Section| section.path.first()?.eq("instance").then_some(());
            let first = self
                .sections
                .iter()
                .position(|it| of_instance(it).is_some());
            match first {
                Some(first) => {
                    let at = self.start_of(first)?;
                    (at, !self.is_after_blank(at), true)
                }
                None => (
                    self.end_of(self.sections.len().checked_sub(1)?)?,
                    true,
                    false,
                ),
            }
        };
        if blank_below {
            block.push('\n');
        }
        let before = self.text.get(..at)?;
        if blank_above && !before.is_empty() {
            block.insert(0, '\n');
        }
        if !before.is_empty() && !before.ends_with('\n') {
            block.insert(0, '\n');
        }
        Some(Edit::put(at, block.replace('\n', self.line_end())))
    }

    /// A member behind the others of a list.
    fn add_to_list<T>(&self, list: &List<T>, member: &str) -> Vec<Edit> {
        let Some(last) = list.members.last() else {
            return vec![Edit::put(list.open, member)];
        };
        let indentation = self.indentation(last.range.start);
        let own_line = self.starts_line(last.range.start);
        let behind = last.comma.map_or(last.range.end, |comma| comma + 1);
        let line_end = self.text.get(behind..).and_then(rest_of_line);
        match (own_line, line_end) {
            // Each member has a line of its own: so has the new one.
            (true, Some(length)) => {
                let line = self.line_end();
                let at = behind + length;
                let put = match last.comma {
                    Some(_) => format!("{line}{indentation}{member},"),
                    None => format!("{line}{indentation}{member}"),
                };
                let comma = last.comma.is_none();
                let comma = comma.then(|| Edit::put(last.range.end, ","));
                comma.into_iter().chain([Edit::put(at, put)]).collect()
            }
            _ if last.comma.is_some() => vec![Edit::put(behind, format!(" {member},"))],
            _ => vec![Edit::put(behind, format!(", {member}"))],
        }
    }

    /// A section with its own comments, and the blank lines that set it apart.
    fn without(&self, section: usize) -> Option<Edit> {
        let (start, end) = (self.start_of(section)?, self.end_of(section)?);
        let below = self.text.get(end..)?;
        let line_below = below.split('\n').next().unwrap_or_default();
        let set_apart = line_below.trim().is_empty();
        let mut from = start;
        while set_apart && from > 0 {
            let line = self.start_of_line(from.checked_sub(1)?);
            if !self.text.get(line..from)?.trim().is_empty() {
                break;
            }
            from = line;
        }
        Some(Edit::cut(from..end))
    }

    /// A member of a list with its comma, and with its lines and comments where these are its own.
    fn without_member<T>(&self, list: &List<T>, at: usize) -> Option<Edit> {
        let member = list.members.get(at)?;
        let (start, behind) = (
            member.range.start,
            member.comma.map_or(member.range.end, |comma| comma + 1),
        );
        let rest = self.text.get(behind..).and_then(rest_of_line);
        if let Some(length) = rest.filter(|_| self.starts_line(start)) {
            let end = self.behind_line_end(behind + length);
            let mut from = self.start_of_line(start);
            let floor = match at
                .checked_sub(1)
                .and_then(|before| list.members.get(before))
            {
                Some(before) => self.behind_line_end(before.range.end),
                None => self.behind_line_end(list.open),
            };
            while from > floor {
                let line = self.start_of_line(from.checked_sub(1)?);
                if !self.text.get(line..from)?.trim_start().starts_with('#') {
                    break;
                }
                from = line;
            }
            return Some(Edit::cut(from.min(start)..end));
        }
        if member.comma.is_some() {
            let blank = self.text.get(behind..)?;
            let blank = blank.len() - blank.trim_start_matches([' ', '\t']).len();
            return Some(Edit::cut(start..behind + blank));
        }
        let before = at
            .checked_sub(1)
            .and_then(|before| list.members.get(before));
        let from = before.map_or(start, |before| before.range.end);
        // Comments between the two are kept: with the comma they are valid.
        let between = self.text.get(from..start)?;
        let from = match between.contains('#') {
            true => start,
            false => from,
        };
        Some(Edit::cut(from..member.range.end))
    }

    /// Where a section begins, with the comments that stand right above it.
    fn start_of(&self, section: usize) -> Option<usize> {
        let header = self.start_of_line(self.sections.get(section)?.start);
        let floor = match section.checked_sub(1) {
            Some(before) => self.content_end(before)?,
            None => 0,
        };
        let mut start = header.max(floor);
        while start > floor {
            let line = self.start_of_line(start.checked_sub(1)?);
            if !self.text.get(line..start)?.trim_start().starts_with('#') {
                break;
            }
            start = line;
        }
        Some(start)
    }

    /// Where a section ends, with the comments right below that are not right above the next one.
    fn end_of(&self, section: usize) -> Option<usize> {
        let end = self.content_end(section)?;
        let next = section + 1;
        let ceiling = match next < self.sections.len() {
            true => self.start_of(next)?,
            false => self.text.len(),
        };
        let mut at = end;
        while at < ceiling {
            let line = self.behind_line_end(at);
            if !self.text.get(at..line)?.trim_start().starts_with('#') {
                break;
            }
            at = line;
        }
        Some(at)
    }

    /// Behind the last line of a section that has a value or header in it.
    fn content_end(&self, section: usize) -> Option<usize> {
        Some(match self.sections.get(section)?.end {
            // Nothing stands before the first header.
            0 => 0,
            end => self.behind_line_end(end),
        })
    }

    fn start_of_line(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn behind_line_end(&self, at: usize) -> usize {
        let behind = self.text.get(at..).unwrap_or_default();
        behind
            .find('\n')
            .map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// Nothing but blanks is before it in its line.
    fn starts_line(&self, at: usize) -> bool {
        let before = self.text.get(self.start_of_line(at)..at);
        before.is_some_and(|before| before.trim().is_empty())
    }

    /// The blanks that a line begins with, if nothing else stands before this place.
    fn indentation(&self, at: usize) -> &str {
        let before = self.text.get(self.start_of_line(at)..at);
        before
            .filter(|before| before.trim().is_empty())
            .unwrap_or_default()
    }

    fn is_after_blank(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        let mut lines = before.lines().rev();
        lines.next().is_none_or(|line| line.trim().is_empty())
    }

    /// That of the first line.
    fn line_end(&self) -> &'static str {
        match self.text.split_once('\n') {
            Some((line, _)) if line.ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    fn edited(&self, mut edits: Vec<Edit>) -> Option<String> {
        edits.sort_by_key(|edit| edit.range.start);
        let (mut text, mut at) = (String::new(), 0);
        for edit in edits {
            text.push_str(self.text.get(at..edit.range.start)?);
            text.push_str(&edit.text);
            at = edit.range.end;
        }
        text.push_str(self.text.get(at..)?);
        Some(text)
    }
}

/// As deep as the reader of the configuration goes.
const DEPTH_MAX: u32 = 80;

/// How far it is to the end of the line, if there is nothing but blanks and a comment before it.
fn rest_of_line(text: &str) -> Option<usize> {
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let rest = line.trim_start_matches([' ', '\t']);
    // Behind the last line there is no next one.
    let ends = line.len() < text.len();
    (ends && (rest.is_empty() || rest.starts_with('#'))).then_some(line.len())
}

fn indented(block: &str, indentation: &str) -> String {
    let lines = block.lines().map(|line| format!("{indentation}{line}\n"));
    lines.collect()
}

fn value_of<'i>(items: &'i [Item], key: &str) -> Option<&'i Node> {
    value_in(items.iter(), key)
}

fn value_in<'i>(mut items: impl Iterator<Item = &'i Item>, key: &str) -> Option<&'i Node> {
    let is_it = |item: &&Item| matches!(item.key.as_slice(), [only] if only == key);
    items.find(is_it).map(|item| &item.value)
}

/// Puts events together. `None` is for what the parser would have refused.
struct Reader<'t> {
    source: Source<'t>,
    events: Peekable<vec::IntoIter<Event>>,
}

impl Reader<'_> {
    fn sections(&mut self) -> Option<Vec<Section>> {
        let mut sections = Vec::new();
        let mut section = Section {
            start: 0,
            path: Vec::new(),
            is_array: false,
            items: Vec::new(),
            end: 0,
        };
        while let Some(event) = self.events.peek() {
            let (start, kind) = (event.span().start(), event.kind());
            let is_array = kind == EventKind::ArrayTableOpen;
            if !is_array && kind != EventKind::StdTableOpen {
                let item = self.item()?;
                section.end = item.range.end;
                section.items.push(item.what);
                continue;
            }
            self.events.next();
            let path = self.key()?.1;
            let close = self.events.next()?;
            let header = Section {
                start,
                path,
                is_array,
                items: Vec::new(),
                end: close.span().end(),
            };
            sections.push(std::mem::replace(&mut section, header));
        }
        sections.push(section);
        Some(sections)
    }

    /// A key, and where it begins.
    fn key(&mut self) -> Option<(usize, Vec<String>)> {
        let (mut start, mut path) = (None, Vec::new());
        loop {
            let event = self.events.next()?;
            if event.kind() != EventKind::SimpleKey {
                return None;
            }
            start.get_or_insert(event.span().start());
            let mut key = Cow::Borrowed("");
            let raw = self.source.get(event)?;
            raw.decode_key(&mut key, &mut ());
            path.push(key.into_owned());
            let more = |event: &Event| event.kind() == EventKind::KeySep;
            if self.events.next_if(more).is_none() {
                return Some((start?, path));
            }
        }
    }

    fn item(&mut self) -> Option<Member<Item>> {
        let (start, key) = self.key()?;
        let separator = self.events.next()?;
        if separator.kind() != EventKind::KeyValSep {
            return None;
        }
        let value = self.value()?;
        Some(Member {
            range: start..value.range.end,
            comma: None,
            what: Item {
                key,
                value: value.what,
            },
        })
    }

    fn value(&mut self) -> Option<Member<Node>> {
        let event = self.events.next()?;
        let (start, end) = (event.span().start(), event.span().end());
        let kind = event.kind();
        let (what, end) = if kind == EventKind::Scalar {
            (Node::Scalar, end)
        } else if kind == EventKind::ArrayOpen {
            let (members, close) = self.members(EventKind::ArrayClose, Self::value)?;
            (Node::Array(List { open: end, members }), close)
        } else if kind == EventKind::InlineTableOpen {
            let (members, close) = self.members(EventKind::InlineTableClose, Self::item)?;
            (Node::Table(List { open: end, members }), close)
        } else {
            return None;
        };
        Some(Member {
            range: start..end,
            comma: None,
            what,
        })
    }

    /// Members up to the closing bracket, and where that ends.
    fn members<T>(
        &mut self,
        close: EventKind,
        read: impl Fn(&mut Self) -> Option<Member<T>>,
    ) -> Option<(Vec<Member<T>>, usize)> {
        let mut members: Vec<Member<T>> = Vec::new();
        loop {
            let event = *self.events.peek()?;
            if event.kind() == close {
                self.events.next();
                return Some((members, event.span().end()));
            }
            if event.kind() == EventKind::ValueSep {
                self.events.next();
                members.last_mut()?.comma = Some(event.span().start());
                continue;
            }
            members.push(read(self)?);
        }
    }
}

#[cfg(test)]
mod tests;
