//! What a stop leaves for FRR.

use std::sync::Arc;

use fib::{Claim, Entry, Key, NextHop, Options, Route, RouteKey, RouteKind};

use crate::entries::{key, route, via};
use crate::namespace::{enter_namespace, run, underlay};
use crate::thread::{start, start_with};

fn at(metric: u32, hop: NextHop) -> Arc<Route> {
    Arc::new(Route::via([hop]).metric(metric))
}

/// All routes of ours and of staticd's, without the numbers of nexthop objects.
fn left(family: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for protocol in ["bgp", "196"] {
        let text = run(&format!("ip {family} route show proto {protocol}"));
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let object = words.iter().position(|word| *word == "nhid");
            let keep = |place: usize| object.is_none_or(|at| place != at && place != at + 1);
            let words = words.iter().enumerate().filter(|(place, _)| keep(*place));
            let words: Vec<&str> = words.map(|(_, word)| *word).collect();
            lines.push(format!("{protocol}: {}", words.join(" ")));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_hand_over_leaves_the_route_that_packets_take_where_frr_looks_for_it() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    kernel.claim(Claim {
        tables: vec![RouteKey::MAIN],
        metrics: vec![20],
        beside: vec![(RouteKey::MAIN, 1), (RouteKey::MAIN, 250)],
    });
    let (near, far) = (|| via("10.0.0.2", "ua"), || via("10.0.1.2", "ub"));
    let beside = |prefix: &str| key(prefix).beside();
    // Alone, in front of a learned one, behind a learned one, and to nowhere.
    kernel.want(Entry::Route(beside("10.1.0.0/16"), at(1, near())));
    kernel.want(Entry::Route(beside("10.2.0.0/16"), at(1, near())));
    kernel.want(Entry::Route(key("10.2.0.0/16"), route([far()])));
    kernel.want(Entry::Route(beside("10.3.0.0/16"), at(250, near())));
    kernel.want(Entry::Route(key("10.3.0.0/16"), route([far()])));
    let nowhere = Route::refuse(RouteKind::Blackhole).metric(1);
    kernel.want(Entry::Route(beside("10.4.0.0/16"), Arc::new(nowhere)));
    kernel.want(Entry::Route(
        beside("fd09::/32"),
        at(1, via("fd00::2", "ua")),
    ));
    kernel.want(Entry::Route(
        key("fd09::/32"),
        route([via("fd01::2", "ub")]),
    ));
    // A learned one is as FRR's.
    kernel.want(Entry::Route(key("10.5.0.0/16"), route([far()])));
    kernel.flush().unwrap();
    kernel.hand_over().unwrap();
    assert_eq!(
        left("-4"),
        [
            "bgp: 10.1.0.0/16 via 10.0.0.2 dev ua metric 20",
            "bgp: 10.2.0.0/16 via 10.0.0.2 dev ua metric 20",
            "bgp: 10.3.0.0/16 via 10.0.1.2 dev ub metric 20",
            "bgp: 10.5.0.0/16 via 10.0.1.2 dev ub metric 20",
            "bgp: blackhole 10.4.0.0/16 metric 20",
        ]
    );
    let six = left("-6");
    assert_eq!(six.len(), 1, "{six:?}");
    let of_ours = "bgp: fd09::/32 via fd00::2 dev ua metric 20";
    assert!(six[0].starts_with(of_ours), "{six:?}");

    // The next start finds its own, and gives them their metrics again.
    let (kernel, _) = start();
    kernel.claim(Claim {
        tables: vec![RouteKey::MAIN],
        metrics: vec![20],
        beside: vec![(RouteKey::MAIN, 1)],
    });
    kernel.want(Entry::Route(beside("10.1.0.0/16"), at(1, near())));
    kernel.flush().unwrap();
    kernel.sweep(fib::Sweep::All);
    kernel.flush().unwrap();
    assert_eq!(
        left("-4"),
        ["bgp: 10.1.0.0/16 via 10.0.0.2 dev ua metric 1"]
    );
    kernel.unwant(Key::Route(beside("10.1.0.0/16")));
    kernel.stop(false);
}

#[test]
fn a_hand_over_moves_no_packet_and_nothing_of_others() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    // What staticd has left as we have it, and otherwise; and a route in between.
    run("ip route add 10.1.0.0/16 via 10.0.0.2 dev ua proto 196 metric 20");
    run("ip route add 10.2.0.0/16 via 10.0.1.2 dev ub proto 196 metric 20");
    run("ip route add 10.3.0.0/16 via 10.0.1.2 dev ub proto 196 metric 10");
    run("ip route add 10.4.0.0/16 via 10.0.1.2 dev ub proto 196 metric 100");
    let metrics = [1, 1, 1, 200];
    for (net, metric) in (1..).zip(metrics) {
        let key = key(&format!("10.{net}.0.0/16"));
        kernel.want(Entry::Route(key, at(metric, via("10.0.0.2", "ua"))));
    }
    kernel.flush().unwrap();
    kernel.hand_over().unwrap();
    assert_eq!(
        left("-4"),
        [
            "196: 10.1.0.0/16 via 10.0.0.2 dev ua metric 20",
            "196: 10.2.0.0/16 via 10.0.1.2 dev ub metric 20",
            "196: 10.3.0.0/16 via 10.0.1.2 dev ub metric 10",
            "196: 10.4.0.0/16 via 10.0.1.2 dev ub metric 100",
            "bgp: 10.2.0.0/16 via 10.0.0.2 dev ua metric 1",
            "bgp: 10.3.0.0/16 via 10.0.0.2 dev ua metric 1",
            "bgp: 10.4.0.0/16 via 10.0.0.2 dev ua metric 200",
        ]
    );
}

#[test]
fn a_hand_over_with_a_number_that_frr_does_not_know_changes_nothing() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start_with(Options {
        protocol: 99,
        ..Options::default()
    });
    kernel.want(Entry::Route(
        key("10.1.0.0/16"),
        at(1, via("10.0.0.2", "ua")),
    ));
    kernel.flush().unwrap();
    kernel.hand_over().unwrap();
    let text = run("ip route show proto 99");
    assert!(
        text.contains("metric 1") && !text.contains("metric 20"),
        "{text}"
    );
}
