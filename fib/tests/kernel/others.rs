//! Routes of other programs: left alone, told, and told as gone.

use std::time::Duration;

use fib::{Entry, Event, Key};

use crate::entries::{ip, key, route, via};
use crate::namespace::{enter_namespace, run, underlay, until_within};
use crate::thread::start;

#[test]
fn a_route_of_another_program_is_neither_replaced_nor_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip route add 10.9.0.0/16 via 10.0.0.9 proto static metric 20");
    run("ip -6 route add fd09::/32 via fd00::9 proto static metric 20");
    let (kernel, heard) = start();
    for prefix in ["10.9.0.0/16", "fd09::/32"] {
        let gateway = if prefix.contains(':') {
            "fd00::2"
        } else {
            "10.0.0.2"
        };
        kernel.want(Entry::Route(key(prefix), route([via(gateway, "ua")])));
        let name = Key::Route(key(prefix));
        heard.wait("refusal", |event| {
            matches!(event, Event::Failed { key, error, occupied: true }
                if *key == name && error.contains("another program"))
        });
    }
    let text = run("ip route; ip -6 route");
    assert!(
        text.contains("10.9.0.0/16 via 10.0.0.9 dev ua proto static"),
        "{text}"
    );
    assert!(
        text.contains("fd09::/32 via fd00::9 dev ua proto static"),
        "{text}"
    );
    assert_eq!(kernel.verify().unwrap().len(), 2);
    // When it goes, ours takes the place.
    run("ip route del 10.9.0.0/16 proto static");
    until_within(
        Duration::from_millis(500),
        "ip route show 10.9.0.0/16",
        |text| text.contains("proto bgp"),
    );
    kernel.unwant(Key::Route(key("fd09::/32")));
    kernel.stop(false);
    assert!(run("ip -6 route").contains("fd09::/32 via fd00::9 dev ua proto static"));
}

#[test]
fn routes_of_others_are_told() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip route add 10.9.0.0/16 via 10.0.0.9 proto static");
    let (_kernel, heard) = start();
    let wanted = |prefix: &'static str, is_removed: bool| {
        move |event: &Event| {
            matches!(event, Event::RouteChanged { route, removed }
                if route.key == key(prefix) && *removed == is_removed)
        }
    };
    let ready = heard.wait("ready", |event| *event == Event::Ready);
    for prefix in ["10.0.0.0/24", "10.9.0.0/16", "fd00::/64"] {
        assert!(
            heard.wait("known route", wanted(prefix, false)) < ready,
            "{prefix}"
        );
    }
    run("ip route del 10.9.0.0/16");
    heard.wait_from(ready, "removed", wanted("10.9.0.0/16", true));
    run("ip route add 10.8.0.0/16 via 10.0.0.9");
    heard.wait_from(ready, "added", wanted("10.8.0.0/16", false));
    run("ip route replace 10.8.0.0/16 via 10.0.1.9");
    heard.wait_from(ready, "replaced", |event| {
        matches!(event, Event::RouteChanged { route, removed: false }
            if route.next_hops.iter().any(|hop| hop.gateway == Some(ip("10.0.1.9"))))
    });
    run("ip address add 10.77.0.1/24 dev ua");
    heard.wait_from(ready, "address", |event| {
        matches!(event, Event::Address { address, removed: false }
            if address.address.to_string() == "10.77.0.1/24" && address.usable)
    });
}

#[test]
fn routes_of_others_lead_where_their_objects_do() {
    for compat_mode in [1, 0] {
        if !enter_namespace() {
            return;
        }
        underlay();
        run(&format!(
            "echo {compat_mode} > /proc/sys/net/ipv4/nexthop_compat_mode"
        ));
        for command in [
            "ip nexthop add id 7 via 10.0.0.9 dev ua",
            "ip nexthop add id 8 via 10.0.1.9 dev ub",
            "ip nexthop add id 9 group 7/8",
            "ip -6 nexthop add id 17 via fd00::9 dev ua",
            "ip route add 10.12.0.0/16 nhid 7",
            "ip route add 10.15.0.0/16 nhid 9",
            "ip -6 route add 2001:db8:7::/48 nhid 17",
        ] {
            run(command);
        }
        let (kernel, heard) = start();
        let by = |prefix: &'static str, gateways: &'static [&'static str]| {
            move |event: &Event| {
                matches!(event, Event::RouteChanged { route, removed: false }
                if route.key.prefix().to_string() == prefix
                    && route.next_hops.len() == gateways.len()
                    && gateways.iter().all(|gateway| {
                        route.next_hops.iter().any(|it| it.gateway == Some(ip(gateway)))
                    }))
            }
        };
        let gone = |prefix: &'static str| {
            move |event: &Event| {
                matches!(event, Event::RouteChanged { route, removed: true }
                    if route.key.prefix().to_string() == prefix)
            }
        };
        let ready = heard.wait("ready", |event| *event == Event::Ready);
        for known in [
            by("10.12.0.0/16", &["10.0.0.9"]),
            by("10.15.0.0/16", &["10.0.0.9", "10.0.1.9"]),
            by("2001:db8:7::/48", &["fd00::9"]),
        ] {
            assert!(heard.wait("known route", known) < ready, "{compat_mode}");
        }
        run("ip route add 10.16.0.0/16 nhid 7");
        heard.wait_from(ready, "a new one", by("10.16.0.0/16", &["10.0.0.9"]));
        run("ip nexthop replace id 7 via 10.0.0.8 dev ua");
        for elsewhere in [
            by("10.12.0.0/16", &["10.0.0.8"]),
            by("10.15.0.0/16", &["10.0.0.8", "10.0.1.9"]),
        ] {
            heard.wait_from(ready, "another gateway", elsewhere);
        }
        run("ip nexthop del id 8");
        heard.wait_from(ready, "one way less", by("10.15.0.0/16", &["10.0.0.8"]));
        run("ip nexthop del id 17");
        heard.wait_from(ready, "no object", gone("2001:db8:7::/48"));
        let before = heard.count();
        run("ip link set ua down");
        for prefix in ["10.12.0.0/16", "10.15.0.0/16", "10.16.0.0/16"] {
            heard.wait_from(before, "no device", gone(prefix));
        }
        kernel.stop(false);
    }
}

#[test]
fn routes_of_others_that_the_kernel_drops_without_a_word_are_told_as_gone() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip nexthop add id 7 via 10.0.1.9 dev ub");
    for route in [
        "10.9.0.0/16 via 10.0.0.9",
        "10.10.0.0/16 via 10.0.1.9",
        "10.11.0.0/16 proto static nexthop via 10.0.0.9 nexthop via 10.0.1.9",
        "10.12.0.0/16 nhid 7",
        "10.13.0.0/16 via 10.0.1.9 src 10.0.0.7",
        "10.14.0.0/16 via 10.0.0.9 table 100",
    ] {
        if route.contains("src") {
            run("ip address add 10.0.0.7/32 dev lo");
        }
        run(&format!("ip route add {route}"));
    }
    let (kernel, heard) = start();
    let told = |prefix: &'static str, is_removed: bool| {
        move |event: &Event| {
            matches!(event, Event::RouteChanged { route, removed }
                if route.key.prefix().to_string() == prefix && *removed == is_removed)
        }
    };
    let ready = heard.wait("ready", |event| *event == Event::Ready);
    run("ip address del 10.0.0.7/32 dev lo");
    heard.wait_from(ready, "source", told("10.13.0.0/16", true));
    run("ip nexthop del id 7");
    heard.wait_from(ready, "object", told("10.12.0.0/16", true));
    let before = heard.count();
    run("ip link set ua down");
    for prefix in ["10.9.0.0/16", "10.14.0.0/16"] {
        heard.wait_from(before, "device", told(prefix, true));
    }
    // One of two ways out is dead, and revives with its device.
    let ways = |count: usize| {
        move |event: &Event| {
            matches!(event, Event::RouteChanged { route, removed: false }
                if route.key == key("10.11.0.0/16") && route.next_hops.len() == count)
        }
    };
    assert!(run("ip route show 10.11.0.0/16").contains("dead"));
    let before = heard.wait_from(before, "one way", ways(1));
    run("ip link set ua up");
    let before = heard.wait_from(before, "two ways", ways(2));
    run("ip link set ua down");
    let before = heard.wait_from(before, "one way again", ways(1));
    run("ip link del ub");
    heard.wait_from(before, "last device", told("10.10.0.0/16", true));
    heard.wait_from(before, "both devices", told("10.11.0.0/16", true));
    let only_main = std::collections::BTreeSet::from([254]);
    run("ip link set ua up");
    run("ip route add 10.15.0.0/16 via 10.0.0.9 table 100");
    let before = heard.wait_from(before, "table 100", told("10.15.0.0/16", false));
    kernel.observe_foreign(only_main.clone());
    let before = heard.wait_from(before, "not asked for", told("10.15.0.0/16", true));
    kernel.observe_foreign([100].into_iter().chain(only_main).collect());
    heard.wait_from(before, "asked for again", told("10.15.0.0/16", false));
}
