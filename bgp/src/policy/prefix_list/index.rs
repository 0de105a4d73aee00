//! Finds the rules of a prefix list that can be about a prefix.
//!
//! The distinct prefixes of the rules stand sorted, each with the place of the next shorter one
//! that contains it. The rules about a candidate are those of the longest prefix that contains it
//! and of the ones that contain that: a binary search, then a walk as deep as prefixes nest.
//! Most prefixes begin with an octet that no rule begins with, and are not looked for at all.

use super::PrefixRule;
use crate::prefix::Prefix;

#[derive(Debug, Clone)]
pub(super) struct Index {
    // In ascending order.
    nodes: Vec<Node>,
    // Places of rules, those of one node beside each other and in the order of the list.
    rules: Vec<u32>,
    // The first rule about every prefix.
    any: Option<u32>,
    begins: Begins,
    // A rule is about addresses, so prefixes that are longer than the candidate count, too.
    addresses: bool,
}

/// First octets of addresses within the rules' prefixes, of IPv4 and IPv6.
#[derive(Debug, Clone, Copy, Default)]
struct Begins([[u64; 4]; 2]);

#[derive(Debug, Clone, Copy)]
struct Node {
    prefix: Prefix,
    // The longest shorter prefix that contains this one; `NONE` for none.
    parent: u32,
    first: u32,
    end: u32,
}

const NONE: u32 = u32::MAX;

impl Index {
    pub(super) fn new(rules: &[PrefixRule]) -> Self {
        let numbered = || (0_u32..).zip(rules);
        let any = numbered().find(|(_, rule)| rule.prefix.is_none());
        let mut sorted: Vec<(Prefix, u32)> = numbered()
            .filter_map(|(at, rule)| Some((rule.prefix?, at)))
            .collect();
        sorted.sort();
        let mut nodes: Vec<Node> = Vec::new();
        let mut begins = Begins::default();
        let mut first = 0_u32;
        for same in sorted.chunk_by(|one, two| one.0 == two.0) {
            let Some((prefix, _)) = same.first().copied() else {
                continue;
            };
            let end = first.saturating_add(u32::try_from(same.len()).unwrap_or(u32::MAX));
            let parent = longest(&nodes, prefix).unwrap_or(NONE);
            begins.add(prefix);
            nodes.push(Node {
                prefix,
                parent,
                first,
                end,
            });
            first = end;
        }
        Self {
            nodes,
            rules: sorted.into_iter().map(|(_, at)| at).collect(),
            any: any.map(|(at, _)| at),
            begins,
            addresses: rules.iter().any(PrefixRule::is_about_address),
        }
    }

    /// The place of the first rule that matches.
    pub(super) fn first(&self, rules: &[PrefixRule], candidate: Prefix) -> Option<usize> {
        let within = match self.addresses {
            true => super::address(candidate),
            false => candidate,
        };
        self.first_of(within, |at| {
            rules
                .get(place(at))
                .is_some_and(|rule| rule.matches(candidate))
        })
    }

    /// The place of the first rule that matches all that the rule at `of` matches, if it stands
    /// before that one.
    pub(super) fn covering(&self, rules: &[PrefixRule], of: usize) -> Option<usize> {
        let rule = rules.get(of)?;
        let covers = |at: u32| rules.get(place(at)).is_some_and(|one| one.covers(rule));
        let found = match rule.prefix {
            Some(prefix) => self.first_of(prefix, covers),
            None => self.any.map(place),
        };
        found.filter(|found| *found < of)
    }

    /// The least place that holds among the rules whose prefix contains `prefix`.
    fn first_of(&self, prefix: Prefix, holds: impl Fn(u32) -> bool) -> Option<usize> {
        let mut found = self.any.unwrap_or(NONE);
        let mut next = match self.begins.contains(prefix) {
            true => longest(&self.nodes, prefix),
            false => None,
        };
        while let Some(node) = next.and_then(|at| self.nodes.get(place(at))) {
            let of_node = self.rules.get(place(node.first)..place(node.end));
            let mut of_node = of_node.unwrap_or_default().iter().copied();
            if let Some(at) = of_node.find(|at| *at >= found || holds(*at)) {
                found = found.min(at);
            }
            next = Some(node.parent);
        }
        (found != NONE).then_some(place(found))
    }
}

impl Begins {
    fn add(&mut self, prefix: Prefix) {
        let (version, first) = begin(prefix);
        let free = 8_u8.saturating_sub(prefix.len());
        let last = first | u8::MAX.checked_shr(u32::from(8 - free)).unwrap_or(0);
        for octet in first..=last {
            if let Some(word) = self.word(version, octet) {
                *word |= 1 << (octet % 64);
            }
        }
    }

    /// False if no prefix that was added contains this one: one that does has its first octet.
    fn contains(mut self, prefix: Prefix) -> bool {
        let (version, octet) = begin(prefix);
        self.word(version, octet)
            .is_some_and(|word| *word & 1 << (octet % 64) != 0)
    }

    fn word(&mut self, version: usize, octet: u8) -> Option<&mut u64> {
        self.0.get_mut(version)?.get_mut(usize::from(octet / 64))
    }
}

/// 0 for IPv4 and 1 for IPv6, and the first octet.
fn begin(prefix: Prefix) -> (usize, u8) {
    match prefix {
        Prefix::V4(prefix) => (0, prefix.addr().octets()[0]),
        Prefix::V6(prefix) => (1, prefix.octets()[0]),
    }
}

/// The longest of the prefixes that contains this one. A prefix that contains it stands before it,
/// and the nearest one before it is that prefix or lies within it.
fn longest(nodes: &[Node], prefix: Prefix) -> Option<u32> {
    let before = nodes.partition_point(|node| node.prefix <= prefix);
    let mut at = u32::try_from(before.checked_sub(1)?).ok()?;
    loop {
        let node = nodes.get(place(at))?;
        if node.prefix.contains(prefix) {
            return Some(at);
        }
        at = node.parent;
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
