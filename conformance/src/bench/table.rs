//! Routing tables to load a daemon with: generated, or read from a file.
//!
//! A table is a list of prefixes in the order in which they are sent and a list of groups, each a
//! run of prefixes with the same attributes. [`Table::announcements`] gives them the shape in which
//! one neighbour says them.
//!
//! The generated one: 60 % /24 and the rest /16 to /23, half of the prefixes next to the one
//! before, seven prefixes to a set of attributes on average, AS paths of four to six, up to four
//! communities, some MED and large communities. It is the same on every run and every machine.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;

use super::wire::{self, Attributes, MacRoute, Prefix};

/// Routes to a set of attributes, on average.
pub const SHARE: u32 = 7;

/// A table of IPv4 routes.
#[derive(Debug, Clone)]
pub struct Table {
    prefixes: Vec<Prefix>,
    groups: Vec<Group>,
}

/// A run of prefixes with common attributes; the path without the sender.
#[derive(Debug, Clone)]
struct Group {
    routes: Range<usize>,
    attributes: Attributes,
}

/// Who says routes.
#[derive(Debug, Clone, Copy)]
pub struct Speaker {
    /// AS number.
    pub asn: u32,
    /// Address, and next hop.
    pub address: Ipv4Addr,
    /// How often its AS number stands in its paths beyond the first time.
    pub prepend: usize,
}

impl Table {
    /// `count` routes, [`SHARE`] to a set of attributes.
    pub fn generate(count: usize) -> Self {
        Self::sharing(count, SHARE)
    }

    /// `count` routes, so many to a set of attributes on average.
    pub fn sharing(count: usize, share: u32) -> Self {
        let mut numbers = Numbers::new();
        let prefixes = prefixes(count, &mut numbers);
        let mut groups = Vec::new();
        let mut start = 0;
        while start < prefixes.len() {
            // From one to as many beyond the average as one is below it.
            let size = usize::try_from(1 + numbers.below(2 * share - 1)).unwrap_or(1);
            let end = (start + size).min(prefixes.len());
            groups.push(Group {
                routes: start..end,
                attributes: attributes(&mut numbers),
            });
            start = end;
        }
        Self { prefixes, groups }
    }

    /// Routes as they came from elsewhere: neighbouring routes with the same attributes share.
    pub(super) fn collect(routes: impl Iterator<Item = (Prefix, Attributes)>) -> Self {
        let mut table = Self {
            prefixes: Vec::new(),
            groups: Vec::new(),
        };
        for (prefix, attributes) in routes {
            let at = table.prefixes.len();
            table.prefixes.push(prefix);
            match table.groups.last_mut() {
                Some(group) if group.attributes == attributes => group.routes.end = at + 1,
                _ => table.groups.push(Group {
                    routes: at..at + 1,
                    attributes,
                }),
            }
        }
        table
    }

    /// All prefixes, in the order in which they are sent.
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// How many sets of attributes there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The table cut into `count` parts of about the same size, at the edges of groups.
    pub fn parts(&self, count: usize) -> Vec<Range<usize>> {
        let each = self.groups.len().div_ceil(count.max(1)).max(1);
        let mut parts: Vec<Range<usize>> = (0..self.groups.len())
            .step_by(each)
            .map(|start| start..(start + each).min(self.groups.len()))
            .collect();
        parts.resize(count, self.groups.len()..self.groups.len());
        parts
    }

    /// The routes that these groups hold.
    pub fn routes(&self, groups: &Range<usize>) -> Range<usize> {
        let held = self.groups.get(groups.clone()).unwrap_or_default();
        let start = held.first().map_or(0, |group| group.routes.start);
        start..held.last().map_or(start, |group| group.routes.end)
    }

    /// What a speaker sends to announce these groups.
    pub fn announcements(
        &self,
        groups: impl Iterator<Item = usize>,
        speaker: Speaker,
    ) -> Arc<[u8]> {
        let mut out = Vec::new();
        for group in groups.filter_map(|at| self.groups.get(at)) {
            let mut attributes = group.attributes.clone();
            let own = std::iter::repeat_n(speaker.asn, speaker.prepend + 1);
            attributes.path.splice(0..0, own);
            wire::announce(
                &mut out,
                &attributes,
                speaker.address,
                self.held(&group.routes),
            );
        }
        out.into()
    }

    /// What anybody sends to withdraw these groups.
    pub fn withdrawals(&self, groups: impl Iterator<Item = usize>) -> Arc<[u8]> {
        let routes: Vec<Prefix> = groups
            .filter_map(|at| self.groups.get(at))
            .flat_map(|group| self.held(&group.routes))
            .copied()
            .collect();
        let mut out = Vec::new();
        wire::withdraw(&mut out, &routes);
        out.into()
    }

    /// How many routes these groups hold.
    pub fn count(&self, groups: impl Iterator<Item = usize>) -> usize {
        groups
            .filter_map(|at| self.groups.get(at))
            .map(|group| group.routes.len())
            .sum()
    }

    fn held(&self, routes: &Range<usize>) -> &[Prefix] {
        self.prefixes.get(routes.clone()).unwrap_or_default()
    }
}

/// The VNIs of the EVPN table.
pub(super) const FIRST_VNI: u32 = 1000;

/// What one speaker sends of the EVPN table: `count` MAC/IP routes from number `first` on, spread
/// over so many VNIs, seven to a message.
pub(super) fn macs(first: u32, count: u32, vnis: u32, speaker: Speaker) -> Arc<[u8]> {
    let mut out = Vec::new();
    let routes = mac_routes(first, count, vnis, speaker);
    for these in routes.chunk_by(|a, b| a.vni == b.vni) {
        let Some(route) = these.first() else { continue };
        let [_, high, middle, low] = route.vni.to_be_bytes();
        // Two-octet AS 65000 and the VNI (RFC 4360 §4).
        let target = [0, 2, 0xfd, 0xe8, 0, high, middle, low];
        let attributes = Attributes {
            path: vec![speaker.asn],
            // Route target 65000:VNI, and the encapsulation VXLAN (RFC 9012 §4.1).
            extended: vec![target, [3, 0x0c, 0, 0, 0, 0, 0, 8]],
            ..Attributes::default()
        };
        wire::announce_macs(&mut out, &attributes, these);
    }
    out.into()
}

/// What it sends to withdraw them.
pub(super) fn mac_withdrawals(first: u32, count: u32, vnis: u32, speaker: Speaker) -> Arc<[u8]> {
    let mut out = Vec::new();
    wire::withdraw_macs(&mut out, &mac_routes(first, count, vnis, speaker));
    out.into()
}

fn mac_routes(first: u32, count: u32, vnis: u32, speaker: Speaker) -> Vec<MacRoute> {
    let ids = first..first.saturating_add(count);
    ids.map(|id| MacRoute {
        id,
        vni: vni(id, vnis),
        sender: speaker.address,
    })
    .collect()
}

/// The VNI of an EVPN route: runs of seven, so that a message holds one VNI.
fn vni(id: u32, vnis: u32) -> u32 {
    FIRST_VNI + id / 7 % vnis.max(1)
}

/// The same for routes in fifty VNIs.
pub(super) fn vni_of_50(id: u32) -> u32 {
    vni(id, 50)
}

/// The same for routes in a hundred.
pub(super) fn vni_of_100(id: u32) -> u32 {
    vni(id, 100)
}

/// The same numbers on every run (xorshift; Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound)).unwrap_or(0)
    }
}

/// Whether a prefix may be sent: unicast, and not where the benchmark's own addresses are.
pub(super) fn usable(prefix: Prefix) -> bool {
    let first = prefix.bits >> 24;
    prefix.len >= 8 && (1..224).contains(&first) && !matches!(first, 10 | 127)
}

fn prefixes(count: usize, numbers: &mut Numbers) -> Vec<Prefix> {
    let mut seen = HashSet::with_capacity(count);
    let mut all = Vec::with_capacity(count);
    let mut last = Prefix::new(0x0100_0000, 24);
    while all.len() < count {
        let step = 1u32 << (32 - u32::from(last.len));
        let next = last
            .bits
            .checked_add(step)
            .filter(|_| numbers.below(2) == 0);
        last = match next {
            Some(bits) => Prefix::new(bits, last.len),
            None => {
                let len = match numbers.below(10) {
                    0..6 => 24,
                    _ => 16 + numbers.below(8),
                };
                Prefix::new(numbers.below(u32::MAX), u8::try_from(len).unwrap_or(24))
            }
        };
        if usable(last) && seen.insert(last.key()) {
            all.push(last);
        }
    }
    all
}

fn attributes(numbers: &mut Numbers) -> Attributes {
    // The sender's own number comes first: four to six in all.
    let path = (0..3 + numbers.below(3)).map(|_| 1 + numbers.below(59_000));
    let path = path.collect();
    let communities = (0..numbers.below(5)).map(|_| 1 + numbers.below(0xfffe_0000));
    let communities = communities.collect();
    let med = (numbers.below(4) == 0).then(|| numbers.below(1000));
    let large = match numbers.below(8) {
        0 => vec![[
            1 + numbers.below(59_000),
            numbers.below(1000),
            numbers.below(1000),
        ]],
        _ => Vec::new(),
    };
    Attributes {
        path,
        med,
        communities,
        large,
        extended: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_table_has_the_described_mix() {
        let table = Table::generate(100_000);
        let distinct: HashSet<u64> = table.prefixes().iter().map(|p| p.key()).collect();
        assert_eq!(distinct.len(), 100_000);
        let long = table.prefixes().iter().filter(|p| p.len == 24).count();
        assert!((57_000..63_000).contains(&long), "{long}");
        assert!(
            (14_000..14_600).contains(&table.groups()),
            "{}",
            table.groups()
        );
        assert!(table.prefixes().iter().all(|p| usable(*p)));
        let again = Table::generate(100_000);
        assert_eq!(again.prefixes(), table.prefixes());
        let of_three = Table::sharing(100_000, 3);
        assert!((33_000..33_700).contains(&of_three.groups()));
        assert_eq!(Table::sharing(1_000, 1).groups(), 1_000);
    }

    #[test]
    fn parts_cover_every_route_once() {
        let table = Table::generate(10_000);
        for count in [1, 3, 10, 50] {
            let parts = table.parts(count);
            assert_eq!(parts.len(), count);
            let mut next = 0;
            for part in &parts {
                let routes = table.routes(part);
                assert!(routes.is_empty() || routes.start == next);
                next = next.max(routes.end);
            }
            assert_eq!(next, 10_000);
        }
    }
}
