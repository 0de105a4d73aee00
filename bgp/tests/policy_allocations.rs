//! A route that policy does not change costs no allocation.

#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bgp::attributes::NextHop;
use bgp::policy::{
    Action, AsPathList, Communities, CommunityRule, Entry, Extent, Kind, List, Match, OnMatch,
    PrefixList, RouteMap, Verdict,
};
use bgp::{Asn, AttributeSet, Community, ExtendedCommunity, LargeCommunity, Nlri, Prefix};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: both calls go to the system's allocator as they come; the counter is a plain cell of
// this thread, needs no drop and is made without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the promises of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, and so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn of_kind<C: Kind>(rule: &str, expanded: bool) -> Communities<C> {
    let rule = match expanded {
        true => CommunityRule::expanded(rule).unwrap(),
        false => rule.parse().unwrap(),
    };
    Communities::List(Arc::new(List::new("LIST", vec![rule]).unwrap()))
}

#[test]
fn a_route_that_passes_unchanged_costs_no_allocation() {
    let rules = ["permit 10.0.0.0/8 le 24", "permit 192.0.2.0/24 ge 32"];
    let prefixes = rules.map(|rule| rule.parse().unwrap()).to_vec();
    let prefixes = Arc::new(PrefixList::new("P", prefixes).unwrap());
    let paths = ["deny _7_", "permit ^65001_(65002|65003)_"];
    let paths = paths.map(|rule| rule.parse().unwrap()).to_vec();
    let standard = of_kind::<Community>("permit _1:(1|2)_", true);
    let large = of_kind::<LargeCommunity>("permit 65001:1:2", false);
    let extended = of_kind::<ExtendedCommunity>("permit rt 65000:100", false);
    let extent = Extent::All;
    let conditions = [
        Match::PrefixList(prefixes.clone()),
        Match::NextHop(prefixes),
        Match::AsPath(Arc::new(AsPathList::new("A", paths).unwrap())),
        Match::AsPathLength { min: 1, max: 9 },
        Match::Community {
            communities: standard,
            extent,
        },
        Match::LargeCommunity {
            communities: large,
            extent,
        },
        Match::ExtendedCommunity {
            communities: extended,
            extent,
        },
    ];
    let inner = Arc::new(RouteMap::new("INNER", vec![Entry::new(10, Action::Permit)]).unwrap());
    let first = Entry::new(10, Action::Permit)
        .call(inner)
        .on_match(OnMatch::Next);
    let last = Entry::new(20, Action::Permit);
    let last = conditions.into_iter().fold(last, Entry::when);
    // The last entry is reached and matches: the first one alone would permit as well.
    let refuse = Entry::new(30, Action::Deny);
    let last = last.on_match(OnMatch::Exit);
    let map = RouteMap::new("MAP", vec![first, last, refuse]).unwrap();

    let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    set.prepend(Asn(65002), 1);
    set.prepend(Asn(65001), 1);
    set.communities = vec!["1:2".parse().unwrap()];
    set.large_communities = vec!["65001:1:2".parse().unwrap()];
    set.extended_communities = vec!["65000:100".parse().unwrap()];
    let attributes = set.freeze();
    let nlri = Nlri::from("10.1.0.0/16".parse::<Prefix>().unwrap());

    // A pattern sets up its working memory when it runs for the first time.
    assert_eq!(map.evaluate(&nlri, &attributes, None), Verdict::Accept);
    let count = allocations(|| {
        for _ in 0..100 {
            std::hint::black_box(map.evaluate(&nlri, &attributes, None));
        }
    });
    assert_eq!(count, 0);
    assert_eq!(
        map.hits().map(|(_, hits)| hits).collect::<Vec<_>>(),
        [101, 101, 0]
    );
    assert!(allocations(|| drop(attributes.thaw())) > 0);
}
