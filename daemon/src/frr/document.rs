//! A configuration in FRR's language as FRR shows it: what is in force, and nothing twice.
//!
//! ```text
//! files, edits ──read──► Site ──live──► which lines still count ─┐
//!        └──────spell──► lines as FRR writes them ───────────────┴─order──► text
//! ```
//!
//! So a file, and a file with lines given after it, come out as one text in which each line counts:
//! what was replaced or taken back with `no` is gone. Lines that mean nothing to rbgpd are kept
//! with the blocks they stand in, those for other daemons of FRR as they came. The text reads as the
//! same configuration; whoever relies on that compares ([`super::candidate`]). Comments are not
//! kept, as in FRR.

use std::collections::{HashMap, HashSet};

use super::live::{self, Live};
use super::model::Site;
use super::order::{self, Who};
use super::read::{self, Read, Said};
use super::shapes::{Means, Node};
use super::spell::Opener;
use super::{Source, Spot};

/// All files, one after the other, as one text.
pub(super) fn text(sources: &[Source]) -> String {
    let (site, lines) = read::read_spelled(sources);
    let mut document = Document::default();
    document.fill(&site, &lines);
    document.print(&site)
}

/// Blocks by the keys of their openers, from outside.
type Path = Vec<(Node, String)>;

#[derive(Debug, Default)]
struct Document {
    lines: Vec<Placed>,
    /// Where blocks begin that the site knows.
    begun: HashMap<Path, Spot>,
    /// What opens a block, which a later line may say anew.
    openers: HashMap<Path, String>,
    /// Lines that are kept for their text, by what there is one of.
    kept: HashMap<(Path, String), usize>,
}

#[derive(Debug)]
struct Placed {
    path: Vec<Opener>,
    /// `None` is the block itself.
    text: Option<String>,
    /// What it takes the place of, if it is kept for its text alone.
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    spot: Spot,
    /// Another line has come in its place.
    gone: bool,
}

impl Document {
    fn fill(&mut self, site: &Site, lines: &[Read]) {
        let (live, openers) = (Live::of(site), live::openers(site));
        let mut blocks: HashMap<Spot, Vec<Opener>> = HashMap::new();
        let mut v6only = HashSet::new();
        for line in lines {
            let Some(said) = &line.said else {
                continue;
            };
            if said.opens() && !said.no {
                self.openers.insert(keys(&said.path), said.text.clone());
            }
            if openers.contains(&line.spot) && said.opens() {
                blocks.insert(line.spot, said.path.clone());
                self.begun.insert(keys(&said.path), line.spot);
                self.lines.push(Placed {
                    path: said.path.clone(),
                    text: None,
                    kept: None,
                });
            } else if said.opens() {
                self.reopen(said, line.spot);
            } else if said.is_kept() {
                self.keep(said, line.spot);
            } else if live.has(line.spot) {
                let no = if said.no { "no " } else { "" };
                self.lines.push(Placed {
                    path: said.path.clone(),
                    text: Some(format!("{no}{}", said.text)),
                    kept: None,
                });
                v6only.extend(v6_only(&said.text));
            } else {
                v6only.extend(v6_only(&said.text));
            }
        }
        let opened = |spot: Option<Spot>| blocks.get(&spot?).cloned();
        let together = live::together(site, &opened, &v6only);
        self.lines
            .extend(together.into_iter().map(|(path, text)| Placed {
                path,
                text: Some(text),
                kept: None,
            }));
        self.drop_what_is_gone(site);
    }

    /// A line with or without `no` about a block that the site does not know of.
    fn reopen(&mut self, said: &Said, spot: Spot) {
        let path = keys(&said.path);
        if said.no {
            for line in &mut self.lines {
                if let Some(kept) = &mut line.kept {
                    kept.gone |= keys(&line.path).starts_with(&path);
                }
            }
            return;
        }
        let foreign = said.path.last().is_some_and(|it| it.node.is_taken());
        if foreign && !self.kept.contains_key(&(path.clone(), String::new())) {
            self.kept.insert((path, String::new()), self.lines.len());
            self.lines.push(Placed {
                path: said.path.clone(),
                text: None,
                kept: Some(Kept { spot, gone: false }),
            });
        }
    }

    /// A line that is known by its text: it stands once, and `no` takes it away.
    fn keep(&mut self, said: &Said, spot: Spot) {
        let path = keys(&said.path);
        // Lines of others may well stand twice, in blocks of theirs within.
        let others = said.shape.is_none();
        let taken_back = said.no && self.take_back(&path, &said.text, others);
        if said.no && (taken_back || !others) && !stays_denied(&said.text) {
            return;
        }
        let no = if said.no { "no " } else { "" };
        let placed = Placed {
            path: said.path.clone(),
            text: Some(format!("{no}{}", said.text)),
            kept: Some(Kept { spot, gone: false }),
        };
        if !others {
            let before = self.kept.insert((path, slot(said)), self.lines.len());
            let before = before.and_then(|at| self.lines.get_mut(at)?.kept.as_mut());
            if let Some(before) = before {
                before.gone = true;
            }
        }
        self.lines.push(placed);
    }

    /// Takes away the lines that begin so, or of others the one that is the same.
    fn take_back(&mut self, path: &Path, text: &str, whole: bool) -> bool {
        let mut any = false;
        for line in &mut self.lines {
            let (Some(kept), Some(other)) = (&mut line.kept, &line.text) else {
                continue;
            };
            let rest = other.strip_prefix(text);
            let fits = rest.is_some_and(|rest| rest.is_empty() || !whole && rest.starts_with(' '));
            if fits && !kept.gone && keys(&line.path) == *path {
                kept.gone = true;
                any = true;
            }
        }
        any
    }

    /// Lines that are kept for their text go with their block, and with their neighbour.
    fn drop_what_is_gone(&mut self, site: &Site) {
        let begun = std::mem::take(&mut self.begun);
        self.lines.retain(|it| {
            let Some(kept) = &it.kept else {
                return true;
            };
            if kept.gone {
                return false;
            }
            let path = keys(&it.path);
            let blocks = (1..=path.len()).filter_map(|to| path.get(..to));
            let mut blocks =
                blocks.filter(|it| it.last().is_some_and(|(node, _)| is_known(*node)));
            let there =
                |block: &[(Node, String)]| begun.get(block).is_some_and(|spot| *spot <= kept.spot);
            blocks.all(there) && has_neighbor(site, it, kept.spot)
        });
        self.begun = begun;
    }

    fn print(mut self, site: &Site) -> String {
        let openers = std::mem::take(&mut self.openers);
        let groups = |path: &[Opener], name: &str| {
            let router = path.first().and_then(|it| it.key.strip_prefix("vrf "));
            let vrf = router.map(|it| Some(it.to_owned()).filter(|it| !it.is_empty()));
            let router = vrf.and_then(|vrf| site.routers.get(&vrf));
            let peer = router.and_then(|it| it.peers.get(name));
            peer.is_some_and(|it| it.is_group)
        };
        self.lines.sort_by_cached_key(|it| place(it, &groups));
        let mut text = Text::new(&openers);
        for line in &self.lines {
            text.enter(line);
            if let Some(line) = &line.text {
                text.line(line);
            }
        }
        text.finish()
    }
}

/// Where a line comes, as far as FRR has an order: one part for each block, and one within.
type Order = Vec<(usize, String, usize, Option<(usize, Who, usize)>)>;

fn place(line: &Placed, is_group: &dyn Fn(&[Opener], &str) -> bool) -> Order {
    let mut place: Order = Vec::new();
    for opener in &line.path {
        // Entries of route-maps by name and number, routers in their order, families by kind alone.
        let (begin, number) = opener.key.rsplit_once(' ').unwrap_or((&opener.key, ""));
        let number = number.parse().unwrap_or(0);
        let vni = matches!(opener.node, Node::Vni | Node::TopVni);
        let (name, seq) = if opener.node == Node::RouteMap {
            (begin, number)
        } else if vni {
            ("", number)
        } else if opener.node.is_family() || matches!(opener.node, Node::Bfd | Node::Line) {
            ("", 0)
        } else {
            (opener.key.as_str(), 0)
        };
        place.push((order::block(opener), name.to_owned(), seq, None));
    }
    let Some(text) = &line.text else {
        return place;
    };
    match line.path.last().map(|it| it.node) {
        None => place.push((order::top(text), String::new(), 0, None)),
        Some(Node::Router | Node::Ipv4 | Node::Ipv6 | Node::Evpn) => {
            let within = order::within(text, |name| is_group(&line.path, name));
            place.push((0, String::new(), 0, Some(within)));
        }
        Some(_) => place.push((0, String::new(), 0, None)),
    }
    place
}

/// The text as it grows, with the blocks that are open.
struct Text<'o> {
    text: String,
    open: Vec<Opener>,
    openers: &'o HashMap<Path, String>,
    group: Option<usize>,
}

impl<'o> Text<'o> {
    fn new(openers: &'o HashMap<Path, String>) -> Self {
        Self {
            text: String::new(),
            open: Vec::new(),
            openers,
            group: None,
        }
    }

    /// Closes the blocks that a line is not in, and opens those that it is in.
    fn enter(&mut self, line: &Placed) {
        let path = &line.path;
        let same =
            |(one, other): &(&Opener, &Opener)| (one.node, &one.key) == (other.node, &other.key);
        let shared = self.open.iter().zip(path).take_while(same).count();
        while self.open.len() > shared {
            self.leave();
        }
        if let (true, Some(text)) = (path.is_empty(), &line.text) {
            let group = order::group(order::top(text));
            if self.group.is_some_and(|before| before != group) {
                self.text.push_str("!\n");
            }
            self.group = Some(group);
            return;
        }
        if self.open.is_empty() && self.group.take().is_some() {
            self.text.push_str("!\n");
        }
        for opener in path.iter().skip(shared) {
            if opener.node.is_family() {
                self.indent();
                self.text.push_str("!\n");
            }
            let key: Path = self.open.iter().chain([opener]).map(key).collect();
            let text = self.openers.get(&key).unwrap_or(&opener.text).clone();
            self.line(&text);
            self.open.push(opener.clone());
        }
    }

    fn leave(&mut self) {
        let Some(opener) = self.open.pop() else {
            return;
        };
        let word = if opener.node.is_family() {
            "exit-address-family"
        } else if opener.node == Node::Vrf {
            "exit-vrf"
        } else if opener.node == Node::Vni {
            "exit-vni"
        } else {
            "exit"
        };
        self.line(word);
        if matches!(opener.node, Node::BfdPeer | Node::BfdProfile) {
            self.line("!");
        }
        if self.open.is_empty() {
            self.text.push_str("!\n");
        }
    }

    fn indent(&mut self) {
        self.open.iter().for_each(|_| self.text.push(' '));
    }

    fn line(&mut self, text: &str) {
        self.indent();
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.leave();
        }
        if self.group.is_some() {
            self.text.push_str("!\n");
        }
        self.text
    }
}

fn key(opener: &Opener) -> (Node, String) {
    (opener.node, opener.key.clone())
}

fn keys(path: &[Opener]) -> Path {
    path.iter().map(key).collect()
}

/// Blocks of which the site says whether they are there.
fn is_known(node: Node) -> bool {
    matches!(
        node,
        Node::Router
            | Node::RouteMap
            | Node::Vni
            | Node::TopVni
            | Node::BfdPeer
            | Node::BfdProfile
            | Node::Rpki
    )
}

fn v6_only(text: &str) -> Option<String> {
    let rest = text.strip_prefix("neighbor ")?;
    let (name, rest) = rest.split_once(' ')?;
    rest.starts_with("interface v6only")
        .then(|| name.to_owned())
}

/// A line about a neighbour needs one, and not one that has come after it.
fn has_neighbor(site: &Site, line: &Placed, spot: Spot) -> bool {
    let text = line.text.as_deref().unwrap_or("");
    let text = text.strip_prefix("no ").unwrap_or(text);
    let name = text
        .strip_prefix("neighbor ")
        .and_then(|it| it.split(' ').next());
    let router = line.path.first().filter(|it| it.node == Node::Router);
    let (Some(name), Some(router)) = (name, router) else {
        return true;
    };
    let vrf = router.key.strip_prefix("vrf ").unwrap_or("").to_owned();
    let router = site.routers.get(&Some(vrf).filter(|it| !it.is_empty()));
    let peer = router.and_then(|it| it.peers.get(name));
    peer.is_some_and(|it| it.spot.is_none_or(|first| first <= spot))
}

impl Said {
    fn opens(&self) -> bool {
        self.shape.is_some_and(|shape| {
            matches!(
                shape.means,
                Means::Opens(..) | Means::OpensElsewhere(_) | Means::OpensRefused(_)
            )
        })
    }

    /// Whether the site knows nothing of it, so that it is kept for its text.
    fn is_kept(&self) -> bool {
        let Some(shape) = self.shape else {
            return true;
        };
        let on_interface = self
            .path
            .last()
            .is_some_and(|it| it.node == Node::Interface);
        let unseen = ["log ", "frr "]
            .iter()
            .any(|it| shape.words.starts_with(it));
        let control_plane = shape.words.ends_with("bfd check-control-plane-failure");
        let any_asn = self.text.starts_with("route-target") && self.text.contains(" *:");
        let nothing = matches!(
            shape.means,
            Means::Always(_)
                | Means::Moot(_)
                | Means::Never(_)
                | Means::Needless(_)
                | Means::Elsewhere(_)
                | Means::Refused(_)
        );
        let done = matches!(shape.means, Means::Does(_));
        nothing || on_interface && !done || unseen || control_plane || any_asn
    }
}

/// `no` of these is shown by FRR, which has them on.
fn stays_denied(text: &str) -> bool {
    const ON: [&str; 3] = [
        "link-detect",
        "service cputime-stats",
        "capability extended-nexthop",
    ];
    ON.iter()
        .any(|it| text == *it || text.starts_with("neighbor ") && text.ends_with(it))
}

/// What there is one of: a line with another number or name takes its place.
fn slot(said: &Said) -> String {
    const ONE: [(&str, usize); 9] = [
        ("frr version", 2),
        ("frr defaults", 2),
        ("hostname", 1),
        ("domainname", 1),
        ("password", 1),
        ("enable password", 2),
        ("description", 1),
        ("log timestamp", 2),
        ("log facility", 2),
    ];
    let words = |count: usize| {
        let words: Vec<&str> = said.text.split_whitespace().take(count).collect();
        words.join(" ")
    };
    if said.shape.is_none() {
        return said.text.clone();
    }
    let one = ONE.iter().find(|(begin, _)| said.text.starts_with(begin));
    if let Some((_, count)) = one {
        return words(*count);
    }
    if said.text.starts_with("log ") {
        return words(if said.text.starts_with("log file") {
            3
        } else {
            2
        });
    }
    let number = |word: &&str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
    let all: Vec<&str> = said.text.split_whitespace().collect();
    let numbers = all.iter().rev().take_while(|it| number(it)).count();
    words((all.len() - numbers).max(1))
}
