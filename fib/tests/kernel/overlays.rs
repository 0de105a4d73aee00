//! Bridges and VXLAN devices: made, taken over, named with what is wrong, and given way to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fib::{Entry, Event, Key, Overlay, Sweep};

use crate::entries::{ip, one_of_each, overlay};
use crate::namespace::{enter_namespace, run, underlay, until, until_within};
use crate::thread::{Heard, is_installed, start};

#[test]
fn an_overlay_is_made_and_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    let wanted = overlay()
        .gateway("fd64::1/64".parse().unwrap())
        .gateway_mac("02:00:5e:00:01:64".parse().unwrap());
    kernel.want(Entry::Overlay(100, Arc::new(wanted.clone())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    let vxlan = run("ip -d link show vx100");
    for part in [
        "vxlan id 100 local 10.0.0.1",
        "dstport 4789",
        "nolearning",
        "mtu 1450",
        "master br100",
        "learning off",
        "neigh_suppress on",
        "addrgenmode none",
        "alias rbgpd",
        ",UP",
    ] {
        assert!(vxlan.contains(part), "no `{part}` in {vxlan}");
    }
    let bridge = run("ip -d link show br100; ip address show dev br100");
    for part in [
        "mtu 1450",
        "mcast_snooping 0",
        "addrgenmode none",
        "link/ether 02:00:5e:00:01:64",
        "alias rbgpd",
        "inet 10.100.0.1/24",
        "inet6 fd64::1/64 scope global nodad",
        "inet6 fe80::5eff:fe00:164/64 scope link nodad",
    ] {
        assert!(bridge.contains(part), "no `{part}` in {bridge}");
    }
    assert_eq!(kernel.verify().unwrap(), []);

    // Changed in place, because it is ours.
    run("ip link set vx100 mtu 1300; ip link set br100 down; \
         bridge link set dev vx100 learning on");
    run("ip link set vx100 type vxlan id 100 local 10.0.1.1");
    until("ip -d link show vx100; ip link show br100", |text| {
        text.matches("mtu 1450").count() == 2
            && text.contains("learning off")
            && text.contains("local 10.0.0.1")
            && text.matches(",UP").count() == 2
    });
    let mut loud = wanted.clone();
    loud.suppress = false;
    kernel.want(Entry::Overlay(100, Arc::new(loud)));
    kernel.flush().unwrap();
    until("ip -d link show vx100", |text| {
        text.contains("neigh_suppress off") && text.contains("learning off")
    });
    let mut other = wanted.clone();
    other.gateway = vec!["10.100.0.254/24".parse().unwrap()];
    other.gateway_mac = None;
    other.local = ip("10.0.1.1");
    kernel.want(Entry::Overlay(100, Arc::new(other)));
    kernel.flush().unwrap();
    let text = until("ip address show dev br100; ip -d link show vx100", |text| {
        text.contains("10.100.0.254/24") && text.contains("local 10.0.1.1")
    });
    assert!(
        !text.contains("10.100.0.1/24") && !text.contains("fd64::1"),
        "{text}"
    );
    // An underlay of the other family needs another device.
    let six = Overlay::new(100, ip("fd00::1"), 1430);
    kernel.want(Entry::Overlay(100, Arc::new(six)));
    until("ip -d link show vx100", |text| {
        text.contains("local fd00::1") && text.contains("1430")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);

    kernel.unwant(Key::Overlay(100));
    until("ip link", |text| {
        !text.contains("br100") && !text.contains("vx100")
    });
}

#[test]
fn the_kernels_own_routes_of_a_gateway_are_named_and_come_back() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    let wanted = overlay()
        .gateway("fd64::1/64".parse().unwrap())
        .gateway_mac("02:00:5e:00:01:64".parse().unwrap());
    kernel.want(Entry::Overlay(100, Arc::new(wanted)));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    let shown = "ip route show dev br100; ip -6 route show dev br100 | grep -v multicast";
    let before = until(shown, |text| {
        ["10.100.0.0/24", "fd64::/64", "fe80::/64"]
            .iter()
            .all(|route| text.contains(route))
    });
    assert_eq!(kernel.verify().unwrap(), []);
    for flushed in ["ip route flush dev br100", "ip -6 route flush dev br100"] {
        run(flushed);
        let found = kernel.verify().unwrap();
        let [difference] = &found[..] else {
            panic!("{flushed}: {found:#?}");
        };
        let said = difference.have.as_deref().unwrap_or_default();
        assert_eq!(difference.key, Key::Overlay(100));
        assert!(
            said.contains("the kernel's own route of it is gone"),
            "{said}"
        );
        assert_eq!(kernel.verify().unwrap(), [], "{flushed}");
        until(shown, |text| text == before);
    }
    // One that somebody else has in the same network would go with it.
    run("ip address add 10.100.0.9/24 dev br100; ip route flush dev br100");
    let said = kernel.verify().unwrap().pop().unwrap().have.unwrap();
    assert!(
        said.contains("ip address del 10.100.0.9/24 dev br100"),
        "{said}"
    );
    assert!(run("ip address show dev br100").contains("10.100.0.9/24"));
    run("ip address del 10.100.0.9/24 dev br100");
    kernel.verify().unwrap();
    until(shown, |text| text == before);
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn devices_deleted_by_hand_come_back_whole() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    let whole = |text: &str| {
        let [bridge, vxlan, ..] = text.lines().collect::<Vec<_>>()[..] else {
            return false;
        };
        let ours = |line: &str| {
            line.contains(",UP") && line.contains("mtu 1450") && line.contains("alias rbgpd")
        };
        ours(bridge)
            && ours(vxlan)
            && vxlan.contains("master br100")
            && text.contains("10.100.0.1/24")
            && text.contains("02:00:00:00:00:01 extern_learn master br100")
            && text.contains("02:00:00:00:00:01 dst 10.0.0.2 self extern_learn")
            && text.contains("00:00:00:00:00:00 dst 10.0.0.2 self permanent")
            && text.contains("10.100.0.7 lladdr 02:00:00:00:00:01 extern_learn")
    };
    let state = "ip -o link show br100; ip -o link show vx100; ip address show br100; \
                 bridge fdb show dev vx100; ip neigh show dev br100";
    until(state, whole);
    let delete = |command: &str| {
        for round in 0..20 {
            run(command);
            until_within(Duration::from_secs(1), state, whole);
            assert_eq!(kernel.verify().unwrap(), [], "{command}, round {round}");
        }
    };
    delete("ip link del br100");
    delete("ip link del vx100");
    delete("ip link del br100; ip link del vx100");
    run("ip link add p type veth peer name vm; ip link set p up; ip link set vm up");
    delete("ip link set p master br100; ip link del br100");
    delete("ip link set p master br100; ip link del vx100");
    let failed = |event: &Event| {
        matches!(
            event,
            Event::Failed {
                key: Key::Overlay(_),
                ..
            }
        )
    };
    assert!(!heard.any(failed), "{:?}", heard.events);
}

#[test]
fn a_restart_takes_over_its_devices_and_sweeps_others() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.want(Entry::Overlay(
        200,
        Arc::new(Overlay::new(200, ip("10.0.0.1"), 1450)),
    ));
    kernel.flush().unwrap();
    kernel.stop(true);
    let before = run("ip -o link show br100");
    run("ip link add br300 type bridge");
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    assert_eq!(run("ip -o link show br100"), before);
    assert!(run("ip link").contains("br200"));
    kernel.sweep(Sweep::All);
    until("ip link", |text| {
        !text.contains("br200") && !text.contains("vx200")
    });
    assert!(run("ip link").contains("br300"));
    kernel.stop(false);
    assert!(
        run("ip link").contains("br100"),
        "devices stay when the program stops"
    );
}

#[test]
fn a_port_of_ours_that_was_closed_by_hand_is_opened() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    let shown = "bridge -d link show dev vx100";
    for (closed, open) in [
        ("state 0", "state forwarding"),
        ("state 4", "state forwarding"),
        ("isolated on", "isolated off"),
        ("locked on", "locked off"),
        ("hairpin on", "hairpin off"),
        ("flood off", " flood on"),
        ("mcast_flood off", "mcast_flood on"),
        ("bcast_flood off", "bcast_flood on"),
        ("learning on", "learning off"),
        ("neigh_suppress off", "neigh_suppress on"),
    ] {
        let before = run(shown);
        assert!(before.contains(open), "no `{open}` in {before}");
        run(&format!("bridge link set dev vx100 {closed}"));
        until(shown, |text| text.contains(open));
        assert_eq!(kernel.verify().unwrap(), [], "after `{closed}`");
    }

    // A spanning tree has its reasons.
    run("ip link set br100 type bridge stp_state 1 forward_delay 3000");
    run("ip link set vx100 nomaster; ip link set vx100 master br100");
    until(shown, |text| text.contains("neigh_suppress on"));
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    assert!(!run(shown).contains("state forwarding"));
    run("ip link set br100 type bridge stp_state 0");
    until(shown, |text| text.contains("state forwarding"));
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn devices_of_others_are_adopted_or_refused_by_name() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip link add br100 mtu 1400 type bridge");
    run("ip link add vx100 mtu 1450 type vxlan id 100 local 10.0.0.1 dstport 4789 nolearning");
    run("ip link set vx100 master br100 addrgenmode none");
    run("ip link set br100 addrgenmode none; ip link set vx100 up; ip link set br100 up");
    run("bridge link set dev vx100 learning off neigh_suppress on");
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    assert!(run("ip address show dev br100").contains("10.100.0.1/24"));
    assert!(!run("ip link show br100").contains("alias"));

    let from = heard.count();
    let mut other = overlay();
    other.local = ip("10.0.1.1");
    kernel.want(Entry::Overlay(100, Arc::new(other)));
    heard.wait_from(from, "refusal", |event| {
        matches!(event, Event::Failed { key: Key::Overlay(100), error, .. }
            if error == "local of `vx100` is 10.0.0.1, but must be 10.0.1.1: \
                         `ip link set vx100 type vxlan id 100 local 10.0.1.1`")
    });
    assert!(run("ip -d link show vx100").contains("local 10.0.0.1"));
    assert_eq!(kernel.verify().unwrap().len(), 1);
    kernel.unwant(Key::Overlay(100));
    kernel.flush().unwrap();
    until("ip address show dev br100", |text| {
        !text.contains("10.100.0.1/24")
    });
    assert!(run("ip link").contains("vx100"), "not ours to remove");
}

fn failed_overlay(heard: &Heard, from: usize) -> String {
    let at = heard.wait_from(from, "refusal", |event| {
        matches!(
            event,
            Event::Failed {
                key: Key::Overlay(100),
                occupied: false,
                ..
            }
        )
    });
    match &heard.events.lock().unwrap()[at - 1] {
        Event::Failed { error, .. } => error.clone(),
        other => panic!("{other:?}"),
    }
}

fn installed_within(patience: Duration, heard: &Heard, from: usize) {
    let start = Instant::now();
    heard.wait_from(from, "overlay", |event| {
        is_installed(event, &Key::Overlay(100))
    });
    assert!(start.elapsed() < patience, "{:?}", start.elapsed());
}

#[test]
fn everything_that_is_wrong_with_a_device_of_others_is_named_with_what_mends_it() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip link add br100 address 02:00:00:00:00:77 mtu 1500 type bridge");
    run("ip link add vx100 mtu 1500 type vxlan id 100 local 10.0.1.1 dstport 4789");
    run("ip link set vx100 master br100");
    let (kernel, heard) = start();
    let wanted = overlay().gateway_mac("02:00:5e:00:01:64".parse().unwrap());
    kernel.want(Entry::Overlay(100, Arc::new(wanted)));
    let error = failed_overlay(&heard, 0);
    let commands: Vec<&str> = error
        .split('`')
        .filter(|part| part.starts_with("ip ") || part.starts_with("bridge "))
        .collect();
    assert_eq!(
        commands,
        [
            "ip link set br100 mtu 1450",
            "ip link set br100 address 02:00:5e:00:01:64",
            "ip link set br100 up",
            "ip link set vx100 type vxlan id 100 local 10.0.0.1",
            "ip link set vx100 type vxlan id 100 nolearning",
            "ip link set vx100 mtu 1450",
            "bridge link set dev vx100 learning off",
            "bridge link set dev vx100 neigh_suppress on",
            "ip link set vx100 up",
        ],
        "{error}"
    );
    let from = heard.count();
    for command in commands {
        run(command);
    }
    installed_within(Duration::from_secs(1), &heard, from);
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn an_overlay_takes_its_place_when_a_device_of_others_makes_room() {
    if !enter_namespace() {
        return;
    }
    underlay();
    for (before, said, after) in [
        (
            "ip link add foo type vxlan id 100 dstport 4789 local 10.0.0.1",
            "`foo` has VNI 100 on port 4789 already; `ip link del foo` makes room, \
             or `vxlan = \"foo\"` of the VNI takes it over",
            "ip link del foo",
        ),
        (
            "ip link add br100 type veth peer name other",
            "type of `br100` is veth, but must be bridge",
            "ip link set br100 name elsewhere",
        ),
        (
            "ip link add vx100 type vxlan id 101 dstport 4789 local 10.0.0.1",
            "id of `vx100` is 101, but must be 100",
            "ip link set vx100 name elsewhere-too",
        ),
        (
            "ip link add vx100 mtu 1450 type vxlan id 100 dstport 4789 local 10.0.1.1 nolearning",
            "local of `vx100` is 10.0.1.1, but must be 10.0.0.1",
            "ip link del vx100",
        ),
    ] {
        run(before);
        let (kernel, heard) = start();
        kernel.want(Entry::Overlay(100, Arc::new(overlay())));
        let error = failed_overlay(&heard, 0);
        assert!(error.contains(said), "{error}");
        kernel.flush().unwrap();
        assert_eq!(kernel.verify().unwrap().len(), 1);
        let from = heard.count();
        run(after);
        installed_within(Duration::from_secs(1), &heard, from);
        assert_eq!(kernel.verify().unwrap(), [], "{after}");
        kernel.unwant(Key::Overlay(100));
        kernel.flush().unwrap();
        assert!(!run("ip link").contains("alias rbgpd"));
    }
}

#[test]
fn a_device_renamed_by_hand_gets_its_name_back() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    run("ip link add p type veth peer name vm; ip link set p master br100");
    let numbers = || {
        let text = run("ip -o link show br100; ip -o link show vx100");
        let number = |line: &str| line.split(':').next().unwrap().to_owned();
        text.lines().map(number).collect::<Vec<_>>()
    };
    let before = numbers();
    for command in [
        "ip link set vx100 name foo",
        "ip link set br100 name foo",
        "ip link set vx100 name foo; ip link set br100 name bar",
    ] {
        run(command);
        let state = "ip -o link show; bridge fdb show dev vx100; ip neigh show dev br100";
        until_within(Duration::from_secs(1), state, |text| {
            let up = |name: &str| {
                let name = format!(": {name}: ");
                text.lines()
                    .any(|it| it.contains(&name) && it.contains(",UP"))
            };
            up("br100")
                && up("vx100")
                && !text.contains(" foo:")
                && !text.contains(" bar:")
                && text.contains("02:00:00:00:00:01 extern_learn master br100")
                && text.contains("02:00:00:00:00:01 dst 10.0.0.2 self extern_learn")
                && text.contains("10.100.0.7 lladdr 02:00:00:00:00:01 extern_learn")
        });
        assert_eq!(numbers(), before, "the same devices");
        assert!(run("ip link show p").contains("master br100"));
        assert_eq!(kernel.verify().unwrap(), [], "{command}");
    }
    let failed = |event: &Event| matches!(event, Event::Failed { .. });
    assert!(!heard.any(failed), "{:?}", heard.events);
}

/// A daemon is killed after it has made its devices and before they have its alias. They are not
/// somebody else's for ever then.
#[test]
fn devices_of_a_run_that_broke_off_before_their_alias_are_finished_or_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    for (bridge, vxlan, vni, address) in [
        ("br100", "vx100", 100, "10.0.0.1"),
        ("br7", "vx7", 7, "10.0.0.1"),
    ] {
        run(&format!(
            "ip link add {bridge} group 1919051632 type bridge; ip link add {vxlan} group \
             1919051632 type vxlan id {vni} local {address} dstport 4789 nolearning"
        ));
    }
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.sweep(Sweep::All);
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    let shown = until("ip -d link show vx100; ip -d link show br100", |text| {
        text.matches("alias rbgpd").count() == 2 && text.matches(",UP").count() == 2
    });
    assert_eq!(shown.matches("group default").count(), 2, "{shown}");
    until("ip -brief link", |text| {
        !text.contains("br7") && !text.contains("vx7")
    });
    assert_eq!(kernel.verify().unwrap(), []);
}
