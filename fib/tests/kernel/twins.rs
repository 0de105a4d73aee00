//! A second route with prefix and metric of one of ours, as `ip route prepend` and `append` make it.

use std::sync::Arc;
use std::time::Duration;

use fib::{Entry, Event, KernelHandle, Key};

use crate::entries::{key, route, via};
use crate::namespace::{enter_namespace, run, underlay, until, until_within};
use crate::thread::{Heard, is_installed, start};

/// Prefix, how it is shown, our next hop, theirs.
const FAMILIES: [(&str, &str, &str, &str); 2] = [
    (
        "10.9.0.0/16",
        "ip route show 10.9.0.0/16",
        "10.0.0.2",
        "10.0.1.9",
    ),
    (
        "fd09::/32",
        "ip -6 route show fd09::/32",
        "fd00::2",
        "fd01::9",
    ),
];

fn name() -> Key {
    Key::Route(key("10.9.0.0/16"))
}

/// A kernel thread with a route to 10.9.0.0/16 by 10.0.0.2.
fn one_route() -> (KernelHandle, Arc<Heard>) {
    let (kernel, heard) = start();
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.0.2", "ua")]),
    ));
    heard.wait("installed", |event| is_installed(event, &name()));
    (kernel, heard)
}

#[test]
fn a_second_one_of_ours_goes_and_ours_stays() {
    if !enter_namespace() {
        return;
    }
    underlay();

    let (kernel, heard) = start();
    for (prefix, show, ours, theirs) in FAMILIES {
        let name = Key::Route(key(prefix));
        kernel.want(Entry::Route(key(prefix), route([via(ours, "ua")])));
        heard.wait("installed", |event| is_installed(event, &name));
        let alone = |text: &str| {
            text.matches("proto bgp").count() == 1 && text.contains(&format!("via {ours} dev ua"))
        };
        for how in ["prepend", "append"] {
            for content in [
                format!("via {theirs} dev ub"),
                format!("via {ours} dev ua mtu 1400"),
            ] {
                run(&format!(
                    "ip route {how} {prefix} {content} proto bgp metric 20"
                ));
                let text = until(show, alone);
                assert!(alone(&text), "{how} {content}: {text}");
                assert_eq!(kernel.verify().unwrap(), [], "{how} {content}");
            }
        }
        // Without our having seen it come: `verify` finds it as well.
        run(&format!(
            "ip route {} {prefix} via {theirs} dev ub proto bgp metric 20",
            "append"
        ));
        assert_eq!(kernel.verify().unwrap(), []);
        assert!(alone(&run(show)), "{}", run(show));
    }
    run("ip route prepend blackhole 10.9.0.0/16 proto bgp metric 20");
    until(FAMILIES[0].1, |text| !text.contains("blackhole"));
    kernel.stop(false);
    assert_eq!(run(FAMILIES[0].1), "");
}

#[test]
fn one_of_another_program_in_front_has_the_place() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = one_route();
    let show = "ip route show 10.9.0.0/16";
    run("ip route prepend 10.9.0.0/16 via 10.0.1.9 proto static metric 20");
    let refused = heard.wait("refusal", |event| {
        matches!(event, Event::Failed { key, error, occupied: true }
            if *key == name() && error.contains("another program"))
    });
    let text = run(show);
    assert!(
        text.contains("proto static") && !text.contains("bgp"),
        "{text}"
    );
    let [difference] = <[_; 1]>::try_from(kernel.verify().unwrap()).unwrap();
    assert!(difference.occupied, "{difference:?}");
    // It goes, and ours is back.
    run("ip route del 10.9.0.0/16 proto static");
    until_within(Duration::from_millis(500), show, |text| {
        text.contains("via 10.0.0.2 dev ua proto bgp")
    });
    heard.wait_from(refused, "installed again", |event| {
        is_installed(event, &name())
    });
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn one_of_another_program_behind_ours_is_left_alone() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = one_route();
    let show = "ip route show 10.9.0.0/16";
    run("ip route append 10.9.0.0/16 via 10.0.1.9 proto static metric 20");
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.0.3", "ua")]),
    ));
    let text = until(show, |text| text.contains("10.0.0.3"));
    let (ours, theirs) = (text.find("10.0.0.3"), text.find("10.0.1.9"));
    assert!(ours.is_some() && ours < theirs, "{text}");
    assert!(!text.contains("10.0.0.2"), "{text}");
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
    let text = run(show);
    assert!(
        text.contains("proto static") && !text.contains("bgp"),
        "{text}"
    );
}

#[test]
fn one_for_some_packets_only_stands_in_nobodys_place() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = one_route();
    run("ip route add 10.9.0.0/16 tos 0x10 via 10.0.1.9 proto bgp metric 20");
    assert_eq!(kernel.verify().unwrap(), []);
    run("ip route del 10.9.0.0/16 tos 0x10");
    assert_eq!(kernel.verify().unwrap(), []);
    let text = run("ip route show 10.9.0.0/16");
    assert!(text.contains("via 10.0.0.2 dev ua proto bgp"), "{text}");
}
