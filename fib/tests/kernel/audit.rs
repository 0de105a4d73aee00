//! Want and kernel compared: what was right, what differs, and what is repaired.

use std::sync::Arc;
use std::time::Duration;

use fib::{Entry, Event, Key, Options, Route, RouteKind, Sweep};

use crate::entries::{ip, key, one_of_each, route, via};
use crate::namespace::{enter_namespace, run, underlay, until};
use crate::thread::{Heard, is_installed, start, start_with};

#[test]
fn what_was_right_already_is_told_as_installed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    kernel.stop(true);
    let before = run("ip route; ip -6 route; bridge fdb; ip neigh");
    let (kernel, heard) = start();
    for _ in 0..2 {
        let from = heard.count();
        kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
        kernel.flush().unwrap();
        for entry in one_of_each() {
            let key = entry.key();
            let events = heard.events.lock().unwrap();
            let told = events[from..].iter();
            let told = told.filter(|event| is_installed(event, &key));
            assert_eq!(told.count(), 1, "{key} in {events:#?}");
        }
    }
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!(run("ip route; ip -6 route; bridge fdb; ip neigh"), before);
}

#[test]
fn an_audit_of_what_nobody_touched_finds_nothing() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start_with(Options {
        audit: Duration::from_millis(50),
        ..Options::default()
    });
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    let from = heard.count();
    // Audits that find nothing cannot be waited for: time for several.
    std::thread::sleep(Duration::from_millis(300));
    let events = heard.events.lock().unwrap();
    assert!(
        !events[from..]
            .iter()
            .any(|event| matches!(event, Event::Repaired(_))),
        "{events:#?}"
    );
}

/// How much was told as repaired from an event on: missing, different.
fn repaired(heard: &Heard, from: usize) -> (usize, usize) {
    let events = heard.events.lock().unwrap();
    let found = events[from..].iter().filter_map(|event| match event {
        Event::Repaired(found) => Some((found.missing, found.different)),
        _ => None,
    });
    found.fold((0, 0), |sum, found| (sum.0 + found.0, sum.1 + found.1))
}

#[test]
fn what_is_taken_by_hand_is_told_as_repaired() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    // A changed wish is no repair.
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.1.2", "ub")]),
    ));
    kernel.unwant(Key::Route(key("10.8.0.0/16")));
    kernel.flush().unwrap();
    kernel.verify().unwrap();
    assert_eq!(repaired(&heard, 0), (0, 0));
    for (command, missing, different) in [
        ("ip route del 10.9.0.0/16", 1, 0),
        ("ip -6 route del fd09::/32", 1, 0),
        (
            "ip route change blackhole 10.9.0.0/16 proto bgp metric 20",
            0,
            1,
        ),
        ("ip neigh del 10.100.0.7 dev br100", 1, 0),
        (
            "bridge fdb del 00:00:00:00:00:00 dev vx100 dst 10.0.0.2",
            1,
            0,
        ),
        ("bridge fdb del 02:00:00:00:00:01 dev vx100 master", 0, 1),
        ("ip link set vx100 mtu 1300", 0, 1),
        ("ip nexthop flush proto 186", 2, 0),
    ] {
        let from = heard.count();
        run(command);
        heard.wait_from(from, command, |event| matches!(event, Event::Repaired(_)));
        assert_eq!(kernel.verify().unwrap(), [], "{command}");
        assert_eq!(repaired(&heard, from), (missing, different), "{command}");
    }
    // A device that is down takes its routes along; they wait, nobody took them.
    let from = heard.count();
    run("ip link set ub down");
    let name = Key::Route(key("10.9.0.0/16"));
    heard.wait_from(
        from,
        "failure",
        |event| matches!(event, Event::Failed { key, .. } if *key == name),
    );
    run("ip link set ub up");
    heard.wait_from(from, "route", |event| is_installed(event, &name));
    kernel.flush().unwrap();
    assert_eq!(repaired(&heard, from), (0, 0));
}

#[test]
fn verify_names_what_differs() {
    if !enter_namespace() {
        return;
    }
    let (kernel, _) = start();
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        Arc::new(Route::refuse(RouteKind::Blackhole)),
    ));
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.want(Entry::Route(
        key("10.8.0.0/16"),
        route([via("10.0.0.2", "nowhere")]),
    ));
    let found = kernel.verify().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "route 10.8.0.0/16: want unicast nhid 1912602624 metric 20, have nothing \
         (device `nowhere` does not exist)"
    );
}

#[test]
fn the_audit_repairs_what_was_not_noticed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let options = Options {
        audit: Duration::from_millis(50),
        ..Options::default()
    };
    let (kernel, heard) = start_with(options);
    // With a source address: the kernel removes it silently when the address goes.
    let source = Route::via([via("10.0.0.2", "ua")]).source(ip("10.0.1.1"));
    kernel.want(Entry::Route(key("10.9.0.0/16"), Arc::new(source)));
    kernel.flush().unwrap();
    run("ip address del 10.0.1.1/24 dev ub");
    let name = Key::Route(key("10.9.0.0/16"));
    heard.wait("loss", |event| {
        *event == Event::Removed { key: name.clone() }
    });
    run("ip address add 10.0.1.1/24 dev ub");
    until("ip route", |text| text.contains("src 10.0.1.1"));
}

#[test]
fn lost_notifications_are_made_up_for() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let options = Options {
        audit: Duration::ZERO,
        receive_buffer: 4096,
        ..Options::default()
    };
    let (kernel, heard) = start_with(options);
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.0.2", "ua")]),
    ));
    kernel.flush().unwrap();
    let batch: String = (0..2000)
        .map(|n| format!("route add 11.{}.{}.0/24 dev ua\n", n / 250, n % 250))
        .collect();
    std::fs::write(format!("/tmp/fib-batch-{}", std::process::id()), batch).unwrap();
    // The thread waits in its callback for as long as this is held.
    let from = heard.count();
    let held = heard.events.lock().unwrap();
    run("ip address add 10.77.0.1/24 dev ua");
    run(&format!("ip -batch /tmp/fib-batch-{}", std::process::id()));
    run("ip route del 10.9.0.0/16");
    drop(held);
    std::fs::remove_file(format!("/tmp/fib-batch-{}", std::process::id())).unwrap();
    heard.wait_from(from, "overrun", |event| *event == Event::Overrun);
    until("ip route show 10.9.0.0/16", |text| {
        text.contains("10.9.0.0/16")
    });
    let told = |number: usize| {
        let name = format!("11.{}.{}.0/24", number / 250, number % 250);
        heard.wait("route", |event| {
            matches!(event, Event::RouteChanged { route, .. }
                if route.key.prefix().to_string() == name)
        })
    };
    told(0);
    told(1999);
}
