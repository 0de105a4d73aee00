//! Goes through the lines, keeps track of the block each is in, and notes what becomes of it.
//!
//! A line is looked for in the node of its block, then in those around it, as vtysh does when it
//! reads a file; where it fits, the block is from there on. So neither indentation nor `exit` is
//! needed. In a file a line that fits nowhere outside goes on with the block that a line of no block has
//! ended, such as `bgp route-map delay-timer` within `router bgp`. Within a block of another daemon, and
//! one that is refused, lines are taken as they come: up to one that is not indented and begins
//! something that is known.
//!
//! Whoever wants to write the lines again ([`super::document`]) has them [spelled](Said), too.

use std::sync::Arc;

use super::candidate::LINES;
use super::grammar::{Caught, Found, Grammar, Next};
use super::model::{Args, Site};
use super::shapes::{self, Done, Means, Node, Shape};
use super::spell::{Opener, spell};
use super::text::{self, Line};
use super::{LineReport, Outcome, Source, Spot};

/// What became of a line.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) spot: Spot,
    pub(super) text: String,
    pub(super) outcome: Outcome,
    /// Where it was asked for, and of lines that do not just end a block.
    pub(super) said: Option<Said>,
}

/// A line as FRR would write it.
#[derive(Clone)]
pub(super) struct Said {
    /// The blocks it stands in, from outside; of a line that opens one, that one is the last.
    pub(super) path: Vec<Opener>,
    /// `None` within a block of another daemon, and for what is not known.
    pub(super) shape: Option<&'static Shape>,
    pub(super) no: bool,
    /// Without `no`.
    pub(super) text: String,
}

/// Reads all files into one site.
pub(super) fn read(sources: &[Source]) -> (Site, Vec<Read>) {
    read_all(sources, false)
}

/// The same with each line as FRR would write it.
pub(super) fn read_spelled(sources: &[Source]) -> (Site, Vec<Read>) {
    read_all(sources, true)
}

fn read_all(sources: &[Source], spelled: bool) -> (Site, Vec<Read>) {
    let grammar = Grammar::new(shapes::all());
    let mut site = Site::default();
    let mut all = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let mut reader = Reader {
            grammar: &grammar,
            site: &mut site,
            node: Node::Top,
            found: Node::Top,
            block: None,
            file,
            left: None,
            returns: true,
            open: spelled.then(Vec::new),
            said: None,
        };
        for line in text::lines(&source.text) {
            all.extend(reader.line(&line));
        }
    }
    (site, all)
}

/// Goes along with a session, line by line: in which block the next line stands, what may stand there,
/// and what becomes of a line as far as lines before it decide. References to what is not there are
/// found out when all lines are.
pub struct Walk {
    grammar: Arc<Grammar>,
    site: Site,
    node: Node,
    block: Option<Outcome>,
    /// Lines that were taken.
    taken: usize,
}

impl Walk {
    /// Outside all blocks.
    pub fn new() -> Self {
        Self {
            grammar: Arc::new(Grammar::new(shapes::all())),
            site: Site::default(),
            node: Node::Top,
            block: None,
            taken: 0,
        }
    }

    /// Outside all blocks, behind what runs: so each line comes to what it comes to when it is
    /// [given](super::configure) to that.
    pub fn behind(running: &str) -> Self {
        let mut walk = Self::new();
        let mut reader = walk.reader(0);
        for line in text::lines(running) {
            reader.line(&line);
        }
        walk
    }

    /// Takes the next line, whatever becomes of it. Returns how many blocks it has left by standing in
    /// one around them.
    ///
    /// # Errors
    ///
    /// A line that is refused or not understood, with what the end of the session would say of it.
    pub fn line(&mut self, text: &str) -> Result<usize, LineReport> {
        let before = self.node.depth();
        let (mut found, mut refused) = (before, None);
        let taken = self.taken;
        let mut reader = self.reader(1);
        for mut line in text::lines(text) {
            line.number += taken;
            refused = refused.or(reader.line(&line).filter(is_refused));
            found = reader.found.depth();
        }
        (self.node, self.block) = (reader.node, reader.block);
        self.taken += 1;
        match refused {
            None => Ok(before.saturating_sub(found)),
            Some(line) => Err(LineReport {
                file: LINES.to_owned(),
                place: line.spot.in_file().1,
                text: line.text,
                outcome: line.outcome,
            }),
        }
    }

    /// The same, and an error leaves all as it was before the line.
    pub fn accept(&mut self, text: &str) -> Result<(), LineReport> {
        let before = (self.site.clone(), self.node, self.block.clone(), self.taken);
        let line = self.line(text);
        if line.is_err() {
            (self.site, self.node, self.block, self.taken) = before;
        }
        line.map(drop)
    }

    fn reader(&mut self, file: usize) -> Reader<'_> {
        Reader {
            grammar: &self.grammar,
            site: &mut self.site,
            node: self.node,
            found: self.node,
            block: self.block.take(),
            file,
            left: None,
            returns: false,
            open: None,
            said: None,
        }
    }

    /// Where the next line stands, as FRR's prompt has it: `config-router`.
    pub fn prompt(&self) -> &'static str {
        self.node.prompt()
    }

    /// An `exit` leaves no block, but the session.
    pub fn is_outside(&self) -> bool {
        self.node == Node::Top && self.block.is_none()
    }

    /// The place where the next line stands, for whoever completes it.
    pub fn here(&self) -> Here {
        Here {
            grammar: Arc::clone(&self.grammar),
            node: self.node,
        }
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

fn is_refused(line: &Read) -> bool {
    match line.outcome {
        Outcome::Refused(_) | Outcome::Within(_) | Outcome::Unknown { .. } => true,
        Outcome::Honoured | Outcome::Noted(_) | Outcome::Differs(_) | Outcome::Elsewhere(_) => {
            false
        }
    }
}

/// A place in a session.
#[derive(Clone)]
pub struct Here {
    grammar: Arc<Grammar>,
    node: Node,
}

impl Here {
    /// What may stand in place of the last word of a line, which is the empty one behind a blank, and
    /// whether the line may end before it: in the block itself, or in the nearest one around it in
    /// which the line could go on.
    pub fn next(&self, line: &str) -> (Vec<Next>, bool) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let last = match line.ends_with(char::is_whitespace) {
            true => "",
            false => words.pop().unwrap_or(""),
        };
        let mut node = Some(self.node);
        while let Some(at) = node {
            let (next, ends) = self.grammar.next(at, &words, last);
            if ends || !next.is_empty() {
                return (next, ends);
            }
            node = at.parent();
        }
        (Vec::new(), false)
    }
}

/// More than any line needs that a message of BGP could carry out.
const WORDS: usize = 4096;

struct Reader<'g> {
    grammar: &'g Grammar,
    site: &'g mut Site,
    node: Node,
    /// The block in which the last line was found.
    found: Node,
    /// Of another daemon, or refused: what becomes of the lines within.
    block: Option<Outcome>,
    file: usize,
    /// The block that a line outside of all has ended, with the blocks that were open then, and the place
    /// of that line.
    left: Option<(Node, Option<Vec<Opener>>, usize)>,
    /// Lines may go on with that block: those of a file, not those of a session.
    returns: bool,
    /// The lines that have opened the blocks around, where lines are spelled.
    open: Option<Vec<Opener>>,
    said: Option<Said>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line<'_>) -> Option<Read> {
        let first = line.words.first()?;
        let spot = Spot {
            file: self.file,
            line: line.number,
            column: first.column,
        };
        self.said = None;
        self.found = self.node;
        let outcome = self.outcome(line, spot);
        Some(Read {
            spot,
            text: first.rest.to_owned(),
            outcome,
            said: self.said.take(),
        })
    }

    /// Notes a line as it stands, of which nothing more is known.
    fn say_raw(&mut self, line: &Line<'_>) {
        let no = line.words.first().is_some_and(|word| word.text == "no") && line.words.len() > 1;
        let first = line.words.get(usize::from(no));
        if let (Some(open), Some(first)) = (&self.open, first) {
            self.said = Some(Said {
                path: open.clone(),
                shape: None,
                no,
                text: first.rest.to_owned(),
            });
        }
    }

    /// Forgets the blocks that the node is not in.
    fn close(&mut self) {
        if let Some(open) = &mut self.open {
            let around = open.iter().rposition(|it| it.node == self.node);
            open.truncate(around.map_or(0, |at| at + 1));
        }
    }

    /// Notes a line as FRR writes it, and which blocks are open from here on.
    fn say(&mut self, shape: &'static Shape, caught: &Caught<'_>) {
        self.close();
        let Some(open) = &mut self.open else {
            return;
        };
        if let Means::Closes = shape.means {
            return;
        }
        let mut path = open.clone();
        let text = spell(self.node, shape, caught, &mut path);
        let opens = match shape.means {
            Means::Opens(node, _) => Some(node),
            Means::OpensElsewhere(_) | Means::OpensRefused(_) => {
                Some(self.node.taken_as_it_comes())
            }
            Means::Does(_)
            | Means::Differs(..)
            | Means::Always(_)
            | Means::Moot(_)
            | Means::Never(_)
            | Means::Needless(_)
            | Means::Closes
            | Means::Elsewhere(_)
            | Means::Refused(_) => None,
        };
        if let Some(node) = opens {
            let opener = Opener::new(node, text.clone(), caught);
            path.push(opener);
            if !caught.no {
                open.clone_from(&path);
            }
        }
        self.said = Some(Said {
            path,
            shape: Some(shape),
            no: caught.no,
            text,
        });
    }

    fn outcome(&mut self, line: &Line<'_>, spot: Spot) -> Outcome {
        if line.words.len() > WORDS {
            let count = line.words.len();
            return Outcome::Unknown {
                why: format!("the line has {count} words, more than {WORDS}"),
                ours: self.node.is_ours() || is_ours(line),
            };
        }
        if let Some(block) = self.block.clone() {
            if !self.leaves(line) {
                self.say_raw(line);
                return block;
            }
            self.block = None;
        }
        // An abbreviation here may be a whole word in a block around.
        let mut abbreviated = None;
        let mut node = Some(self.node);
        while let Some(at) = node {
            match self.grammar.read(at, &line.words) {
                Found::Shape(shape, caught) if caught.begins_whole() => {
                    self.goes_out(at, spot);
                    return self.apply(shape, &caught, spot);
                }
                Found::Shape(shape, caught) => {
                    abbreviated = abbreviated.or(Some((at, shape, caught)));
                }
                Found::Ambiguous(one, two) => {
                    let why = format!("a word may be `{one}` or `{two}`; write more of it");
                    return Outcome::Unknown {
                        why,
                        ours: at.is_ours() || is_ours(line),
                    };
                }
                Found::Nothing => {}
            }
            node = at.parent();
        }
        if let Some((at, shape, caught)) = abbreviated {
            self.goes_out(at, spot);
            return self.apply(shape, &caught, spot);
        }
        if let Some(outcome) = self.back_in(line, spot) {
            return outcome;
        }
        self.say_raw(line);
        Outcome::Unknown {
            why: format!("the line is not known in `{}`", self.node.name()),
            ours: self.node.is_ours() || is_ours(line),
        }
    }

    /// The line is of this node, which the block is in.
    fn goes_out(&mut self, at: Node, spot: Spot) {
        if at == Node::Top && self.node != Node::Top && self.returns {
            self.left = Some((self.node, self.open.clone(), spot.line));
        }
        self.node = at;
    }

    /// What fits nowhere outside all blocks may go on with the one before.
    fn back_in(&mut self, line: &Line<'_>, spot: Spot) -> Option<Outcome> {
        let (left, _, ended) = self.left.as_ref().filter(|_| self.node == Node::Top)?;
        let within = std::iter::successors(Some(*left), |node| node.parent());
        let mut within = within.filter(|node| *node != Node::Top);
        let (at, shape, caught) =
            within.find_map(|at| match self.grammar.read(at, &line.words) {
                Found::Shape(shape, caught) => Some((at, shape, caught)),
                Found::Ambiguous(..) | Found::Nothing => None,
            })?;
        let said = format!(
            "line {ended} is of no block, so FRR does not know line {} behind it; it is taken for one \
             of the block before",
            spot.line
        );
        self.site.remarks.push(said);
        self.open = self.left.take().and_then(|(_, open, _)| open);
        self.node = at;
        Some(self.apply(shape, &caught, spot))
    }

    /// Whether a line ends the block that is taken as it comes.
    fn leaves(&mut self, line: &Line<'_>) -> bool {
        let word = line.words.first().map_or("", |word| word.text);
        let around = self.node.parent().unwrap_or(Node::Top);
        if word == "end" {
            return true;
        }
        if self.node == Node::OtherFamily {
            let opens = matches!(word, "exit-address-family" | "address-family" | "exit");
            return opens || !line.indented && self.is_known(Node::Top, line);
        }
        !line.indented && (word == "exit" || self.is_known(around, line))
    }

    fn is_known(&self, node: Node, line: &Line<'_>) -> bool {
        !matches!(self.grammar.read(node, &line.words), Found::Nothing)
    }

    fn apply(&mut self, shape: &'static Shape, caught: &Caught<'_>, spot: Spot) -> Outcome {
        let args = Args {
            caught,
            node: self.node,
            spot,
        };
        let no = caught.no;
        self.found = self.node;
        self.say(shape, caught);
        match shape.means {
            Means::Does(handler) => outcome(handler(self.site, &args), None),
            Means::Differs(handler, how) => outcome(handler(self.site, &args), Some(how)),
            Means::Always(why) if no => {
                Outcome::Differs(format!("this cannot be turned off: {why}"))
            }
            Means::Always(_) => Outcome::Honoured,
            Means::Needless(why) => Outcome::Noted(format!("nothing depends on it: {why}")),
            Means::Never(_) if no => Outcome::Honoured,
            Means::Moot(how) | Means::Never(how) => Outcome::Differs(how.to_owned()),
            Means::Opens(node, handler) => {
                self.left = None;
                let done = outcome(handler(self.site, &args), None);
                self.enter(node, &done, no);
                done
            }
            Means::Closes => {
                self.left = None;
                self.node = match caught.has("end") || caught.has("configure") {
                    true => Node::Top,
                    false => self.node.parent().unwrap_or(Node::Top),
                };
                self.close();
                Outcome::Honoured
            }
            Means::Elsewhere(daemon) => Outcome::Elsewhere(daemon),
            Means::OpensElsewhere(daemon) if no => Outcome::Elsewhere(daemon),
            Means::OpensElsewhere(daemon) => {
                self.take_as_it_comes(Outcome::Elsewhere(daemon));
                Outcome::Elsewhere(daemon)
            }
            Means::Refused(_) | Means::OpensRefused(_) if no => Outcome::Honoured,
            Means::Refused(why) => Outcome::Refused(why.to_owned()),
            Means::OpensRefused(why) => {
                self.take_as_it_comes(Outcome::Within(spot.line));
                Outcome::Refused(why.to_owned())
            }
        }
    }

    /// A block that cannot be entered is taken as it comes, so that one mistake is one error.
    fn enter(&mut self, node: Node, done: &Outcome, no: bool) {
        if no {
            return;
        }
        self.node = node;
        if let Outcome::Refused(_) = done {
            self.node = Node::Foreign;
            self.block = Some(Outcome::Honoured);
        }
    }

    fn take_as_it_comes(&mut self, lines: Outcome) {
        self.left = None;
        self.node = self.node.taken_as_it_comes();
        self.block = Some(lines);
    }
}

fn outcome(done: Done, how: Option<&str>) -> Outcome {
    match (done, how) {
        (Err(why), _) => Outcome::Refused(why),
        (Ok(None), None) => Outcome::Honoured,
        (Ok(None), Some(how)) => Outcome::Differs(how.to_owned()),
        (Ok(Some(note)), _) => Outcome::Differs(note),
    }
}

/// Whether a line outside all blocks speaks of what rbgpd does.
fn is_ours(line: &Line<'_>) -> bool {
    let mut words = line.words.iter().map(|word| word.text);
    let mut first = words.next().unwrap_or("");
    if first == "no" {
        first = words.next().unwrap_or("");
    }
    let second = words.next().unwrap_or("");
    match first {
        "bgp" | "route-map" | "access-list" | "bfd" | "vrf" | "interface" | "neighbor" | "vni"
        | "address-family" | "match" | "network" | "advertise-all-vni" => true,
        "router" => second == "bgp",
        "ip" | "ipv6" => matches!(
            second,
            "prefix-list"
                | "access-list"
                | "community-list"
                | "large-community-list"
                | "extcommunity-list"
                | "as-path"
                | "route"
                | "protocol"
        ),
        _ => false,
    }
}
