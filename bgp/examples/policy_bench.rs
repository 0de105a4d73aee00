//! What policy costs: nanoseconds for one look into a prefix list, and for one evaluation of a
//! route-map of twenty entries.
//!
//! ```sh
//! cargo run --release -p rbgpd-bgp --example policy_bench
//! ```
//!
//! The routes differ in prefix and path, so that neither the processor nor a list can learn them
//! by heart. What is changed is counted too, since opening attributes is most of the price.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use bgp::attributes::NextHop;
use bgp::policy::{
    Action, AsPathList, Communities, CommunityList, Entry, Extent, Match, Number, OnMatch,
    PrefixList, PrefixRule, RouteMap, Set, Trace,
};
use bgp::{Asn, AttributeSet, Attributes, Community, Nlri, Prefix};

const ROUTES: u32 = 4096;

fn main() {
    for rules in [10, 100, 1_000, 10_000, 100_000] {
        let list = prefix_list(rules);
        let candidates: Vec<Prefix> = (0..ROUTES).map(prefix).collect();
        let hits = candidates.iter().filter(|one| list.permits(**one)).count();
        let ns = time(&candidates, |prefix| list.permits(*prefix));
        println!("prefix list of {rules:>6} rules, {hits:>4} of {ROUTES} match: {ns:>6.1} ns");
    }
    let routes: Vec<(Nlri, Attributes)> = (0..ROUTES).map(route).collect();
    for (what, rule) in [
        ("recognised", "permit _64000_"),
        (
            "regular expression",
            "permit ^[0-9]+_(64000|64001)(_[0-9]+)*$",
        ),
    ] {
        let list = Arc::new(AsPathList::new("PATHS", vec![rule.parse().unwrap()]).unwrap());
        let entry = Entry::new(10, Action::Permit).when(Match::AsPath(list));
        let map = RouteMap::new("PATH", vec![entry]).unwrap();
        let ns = time(&routes, |(nlri, set)| map.evaluate(nlri, set, None));
        println!("path list, {what}: {ns:.1} ns");
    }
    let nothing = Entry::new(10, Action::Permit);
    let nothing = RouteMap::new("NOTHING", vec![nothing]).unwrap();
    let ns = time(&routes, |(nlri, set)| nothing.evaluate(nlri, set, None));
    println!("route-map of one entry that permits: {ns:.1} ns");
    for (what, changes) in [("passes unchanged", false), ("changes the metric", true)] {
        let map = twenty_entries(changes);
        let ns = time(&routes, |(nlri, set)| map.evaluate(nlri, set, None));
        println!("route-map of 20 entries, the last one {what}: {ns:.1} ns");
        let ns = time(&routes, |(nlri, set)| {
            map.evaluate(nlri, set, Some(&mut Trace::new()))
        });
        println!("  with a trace: {ns:.1} ns");
    }
}

/// Nanoseconds for one of the inputs, the least of several rounds.
fn time<I, O>(inputs: &[I], mut work: impl FnMut(&I) -> O) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for input in inputs {
            black_box(work(black_box(input)));
        }
        let each = start.elapsed().as_secs_f64() / f64::from(ROUTES);
        best = best.min(each * 1e9);
    }
    best
}

/// Pairs of /16 and /24, as lists of customers have them, and /20 to nest in between.
fn prefix_list(rules: u32) -> PrefixList {
    let rule = |number: u32| {
        let length = match number % 4 {
            0 => 16,
            1 => 20,
            _ => 24,
        };
        let address = Ipv4Addr::from(number.wrapping_mul(0x9e37_79b1));
        let prefix = Prefix::new(address.into(), length).unwrap();
        PrefixRule::new(0, Action::Permit, prefix, None, Some(24)).unwrap()
    };
    PrefixList::new("PREFIXES", (0..rules).map(rule).collect()).unwrap()
}

fn prefix(number: u32) -> Prefix {
    let address = Ipv4Addr::from(number.wrapping_mul(0x85eb_ca6b));
    Prefix::new(address.into(), 24).unwrap()
}

fn route(number: u32) -> (Nlri, Attributes) {
    let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    for hop in [number % 700, number % 13, 7] {
        set.prepend(Asn(65_000 + hop), 1);
    }
    set.communities = vec![Community(number % 256), Community(0xfde9_0001)];
    set.med = Some(number);
    (prefix(number).into(), set.freeze())
}

/// What a transit has: bogons, long prefixes, paths, communities of actions; each refuses few.
fn twenty_entries(changes: bool) -> RouteMap {
    let communities = |number: u32| {
        let rule = format!("permit 65001:{number}").parse().unwrap();
        let list = CommunityList::new("C", vec![rule]).unwrap();
        Match::Community {
            communities: Communities::List(Arc::new(list)),
            extent: Extent::All,
        }
    };
    let paths = |number: u32| {
        let rule = format!("permit _{number}_").parse().unwrap();
        Match::AsPath(Arc::new(AsPathList::new("A", vec![rule]).unwrap()))
    };
    let mut entries = Vec::new();
    for seq in 1..20_u32 {
        let condition = match seq % 4 {
            0 => Match::PrefixList(Arc::new(prefix_list(100))),
            1 => communities(60_000 + seq),
            2 => paths(64_000 + seq),
            _ => Match::LocalPref(seq),
        };
        entries.push(Entry::new(seq, Action::Deny).when(condition));
    }
    let mut last = Entry::new(20, Action::Permit).on_match(OnMatch::Exit);
    if changes {
        last = last.set(Set::Metric(Number::Add(10)));
    }
    entries.push(last);
    RouteMap::new("TRANSIT", entries).unwrap()
}
