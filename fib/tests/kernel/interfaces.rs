//! Addresses and state of the host's own devices, and whether the host forwards.

use std::sync::Arc;

use fib::{Addressing, Change, Entry, Event, Key, OwnAddress, Sweep};

use crate::entries::overlay;
use crate::namespace::{enter_namespace, run, underlay, until};
use crate::thread::{is_installed, start};

fn addressing(addresses: &[&str]) -> Addressing {
    let own = |text: &&str| {
        let address: ipnetwork::IpNetwork = text.parse().unwrap();
        OwnAddress::from(address)
    };
    Addressing {
        addresses: addresses.iter().map(own).collect(),
        up: None,
    }
}

fn interface(name: &str, addresses: &[&str]) -> Entry {
    Entry::Addressing(name.into(), Arc::new(addressing(addresses)))
}

fn key(name: &str) -> Key {
    Key::Addressing(name.into())
}

fn shown(name: &str) -> String {
    run(&format!("ip -d address show dev {name}"))
}

/// A pair of which one end is without address and down.
fn cable(name: &str) {
    run(&format!(
        "ip link add {name} type veth peer name {name}-peer && ip link set {name}-peer up"
    ));
}

#[test]
fn addresses_are_set_put_back_and_removed_if_they_are_ours() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    run("ip address add 10.0.0.9/24 dev eth0");
    let (kernel, heard) = start();
    let all = ["10.0.0.9/24", "10.1.0.1/24", "2001:db8::1/64"];
    kernel.want(interface("eth0", &all));
    heard.wait("addresses", |event| is_installed(event, &key("eth0")));
    let text = shown("eth0");
    for part in [
        "inet 10.1.0.1/24 brd 10.1.0.255",
        "inet 10.0.0.9/24",
        "inet6 2001:db8::1/64",
        ",UP",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(!text.contains("nodad"), "{text}");
    assert_eq!(kernel.verify().unwrap(), []);

    // Taken away by hand: named, and put back at once.
    let before = heard.count();
    run("ip address del 10.1.0.1/24 dev eth0; ip address del 2001:db8::1/64 dev eth0");
    until("ip address show dev eth0", |text| {
        text.contains("10.1.0.1/24") && text.contains("2001:db8::1/64")
    });
    heard.wait_from(before, "repairs", |event| {
        matches!(event, Event::Repaired(_))
    });
    assert_eq!(kernel.verify().unwrap(), []);

    // What the host has set itself stays, whoever wants it no longer.
    kernel.want(interface("eth0", &["10.1.0.1/24", "10.2.0.1/24"]));
    let text = until("ip address show dev eth0", |text| {
        text.contains("10.2.0.1/24") && !text.contains("2001:db8::1")
    });
    assert!(
        text.contains("10.0.0.9/24") && text.contains("10.1.0.1/24"),
        "{text}"
    );
    kernel.unwant(key("eth0"));
    let text = until("ip address show dev eth0", |text| {
        !text.contains("10.1.0.1/24") && !text.contains("10.2.0.1/24")
    });
    assert!(
        text.contains("10.0.0.9/24") && text.contains(",UP"),
        "{text}"
    );
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn a_new_run_knows_its_addresses_by_the_stamp() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    cable("eth1");
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &["10.1.0.1/24", "10.2.0.1/24"]));
    kernel.want(interface("eth1", &["10.3.0.1/24"]));
    for name in ["eth0", "eth1"] {
        heard.wait("addresses", |event| is_installed(event, &key(name)));
    }
    // An orderly end takes nothing from the host.
    kernel.stop(false);
    let left = format!("{}{}", shown("eth0"), shown("eth1"));
    for address in ["10.1.0.1/24", "10.2.0.1/24", "10.3.0.1/24"] {
        assert!(left.contains(address), "{left}");
    }
    run("ip address add 10.4.0.1/24 dev eth1");
    let watched = run("ip -o address show dev eth0 | grep 10.1.0.1");
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &["10.1.0.1/24"]));
    heard.wait("addresses", |event| is_installed(event, &key("eth0")));
    until("ip address show dev eth0", |text| {
        !text.contains("10.2.0.1")
    });
    assert_eq!(run("ip -o address show dev eth0 | grep 10.1.0.1"), watched);
    // Of a device that is named no more they go when all wishes are known.
    assert!(shown("eth1").contains("10.3.0.1/24"));
    kernel.sweep(Sweep::All);
    let text = until("ip address show dev eth1", |text| {
        !text.contains("10.3.0.1")
    });
    assert!(text.contains("10.4.0.1/24"), "{text}");
    kernel.flush().unwrap();
    assert!(shown("eth0").contains("10.1.0.1/24"));
}

#[test]
fn a_device_that_comes_later_goes_and_comes_again_has_its_addresses() {
    if !enter_namespace() {
        return;
    }
    let (kernel, heard) = start();
    let own = ["10.1.0.1/24", "2001:db8::1/64"];
    kernel.want(interface("eth7", &own));
    let said = heard.failure_of(&key("eth7"));
    assert_eq!(said, "there is no device `eth7`");
    let found = kernel.verify().unwrap();
    let [difference] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(
        difference.to_string(),
        "interface eth7: want address 10.1.0.1/24, 2001:db8::1/64, have nothing (there is no device \
         `eth7`)"
    );
    for _ in 0..2 {
        let before = heard.count();
        cable("eth7");
        heard.wait_from(before, "addresses", |event| {
            is_installed(event, &key("eth7"))
        });
        until("ip address show dev eth7", |text| {
            own.iter().all(|address| text.contains(address)) && text.contains(",UP")
        });
        assert_eq!(kernel.verify().unwrap(), []);
        run("ip link del eth7");
        let gone =
            |event: &Event| matches!(event, Event::Failed { key: of, .. } if *of == key("eth7"));
        heard.wait_from(before, "its end", gone);
    }
}

#[test]
fn loopback_and_down_and_up() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    let (kernel, heard) = start();
    kernel.want(interface("lo", &["192.0.2.1/32", "2001:db8::1/128"]));
    kernel.want(interface("eth0", &["10.1.0.1/24", "2001:db8:1::1/64"]));
    for name in ["lo", "eth0"] {
        heard.wait("addresses", |event| is_installed(event, &key(name)));
    }
    assert!(shown("lo").contains("192.0.2.1/32"));
    assert_eq!(kernel.verify().unwrap(), []);

    // Somebody takes it down, which drops its IPv6 addresses: it stays down, and that is named.
    let before = heard.count();
    run("ip link set eth0 down");
    let said = |event: &Event| {
        matches!(event, Event::Failed { key: of, error, .. }
        if *of == key("eth0") && error.contains("was taken down"))
    };
    heard.wait_from(before, "what it waits for", said);
    let found = kernel.verify().unwrap();
    let [difference] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(difference.want.as_deref(), Some("address 2001:db8:1::1/64"));
    assert!(!shown("eth0").contains(",UP"));
    run("ip link set eth0 up");
    until("ip address show dev eth0", |text| {
        text.contains("2001:db8:1::1/64")
    });

    // Asked for up it is kept up, and down it is kept down, with its addresses: those that the kernel
    // takes away with that, too.
    let mut up = addressing(&["10.1.0.1/24", "2001:db8:2::1/64"]);
    up.up = Some(true);
    kernel.want(Entry::Addressing("eth0".into(), Arc::new(up.clone())));
    kernel.flush().unwrap();
    run("ip link set eth0 down");
    until("ip link show dev eth0", |text| text.contains(",UP"));
    up.up = Some(false);
    kernel.want(Entry::Addressing("eth0".into(), Arc::new(up.clone())));
    let down_with_all = |text: &str| {
        let all = ["10.1.0.1/24", "2001:db8:2::1/64"];
        !text.contains(",UP") && all.iter().all(|it| text.contains(it))
    };
    until("ip address show dev eth0", down_with_all);
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    run("ip link set eth0 up");
    until("ip address show dev eth0", down_with_all);

    // As on a device that is down when it is first heard of.
    cable("eth1");
    kernel.want(Entry::Addressing("eth1".into(), Arc::new(up)));
    until("ip address show dev eth1", down_with_all);
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn an_address_that_another_host_has_too_is_a_difference_until_it_is_free() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    // The other end keeps it whatever happens.
    run("ip address add 2001:db8::1/64 dev eth0-peer nodad");
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &["10.1.0.1/24", "2001:db8::1/64"]));
    let said = |event: &Event| {
        matches!(event, Event::Failed { key: of, error, .. }
        if *of == key("eth0") && error.contains("duplicate address detection"))
    };
    heard.wait("who has it too", said);
    let found = kernel.verify().unwrap();
    let [difference] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(difference.want.as_deref(), Some("address 2001:db8::1/64"));
    let error = difference.error.as_deref().unwrap();
    let remedy = "ip address del 2001:db8::1/64 dev eth0";
    for part in ["`eth0`", "2001:db8::1", remedy] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }

    // The next step, as it is said.
    let before = heard.count();
    run("ip address del 2001:db8::1/64 dev eth0-peer");
    run(remedy);
    heard.wait_from(before, "the address", |event| {
        is_installed(event, &key("eth0"))
    });
    until("ip address show dev eth0", |text| {
        text.contains("2001:db8::1/64") && !text.contains("dadfailed")
    });
    until("ip address show dev eth0", |text| {
        !text.contains("tentative")
    });
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn an_address_moves_from_one_device_to_another_and_is_never_gone() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    cable("eth1");
    let (kernel, heard) = start();
    kernel.want(interface("eth1", &["10.1.0.1/24", "10.2.0.1/24"]));
    kernel.want(interface("eth0", &["10.3.0.1/24"]));
    for name in ["eth0", "eth1"] {
        heard.wait("addresses", |event| is_installed(event, &key(name)));
    }
    let before = heard.count();
    // That which loses it comes first, by name and by order.
    let wishes = [
        interface("eth1", &["10.2.0.1/24"]),
        interface("eth0", &["10.3.0.1/24", "10.1.0.1/24"]),
    ];
    kernel.changes(wishes.map(Change::Set));
    kernel.flush().unwrap();
    let moves: Vec<bool> = {
        let events = heard.events.lock().unwrap();
        let of = |event: &Event| match event {
            Event::Address { address, removed } => {
                (address.address.to_string() == "10.1.0.1/24").then_some(*removed)
            }
            _ => None,
        };
        events.iter().skip(before).filter_map(of).collect()
    };
    // Told once by what was read after each step, and maybe again.
    assert!(moves.starts_with(&[false, true]), "{moves:?}");
    assert!(shown("eth0").contains("10.1.0.1/24"));
    assert!(!shown("eth1").contains("10.1.0.1/24"));
}

#[test]
fn addresses_stand_beside_those_of_a_gateway() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.want(interface("br100", &["10.100.0.2/24"]));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    heard.wait("addresses", |event| is_installed(event, &key("br100")));
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    let both = shown("br100");
    assert!(
        both.contains("10.100.0.1/24") && both.contains("10.100.0.2/24"),
        "{both}"
    );
    kernel.unwant(key("br100"));
    let text = until("ip address show dev br100", |text| {
        !text.contains("10.100.0.2/24")
    });
    assert!(text.contains("10.100.0.1/24"), "{text}");
    kernel.want(interface("br100", &["10.100.0.2/24"]));
    let mut bare = overlay();
    bare.gateway.clear();
    kernel.want(Entry::Overlay(100, Arc::new(bare)));
    until("ip address show dev br100", |text| {
        !text.contains("10.100.0.1/24") && text.contains("10.100.0.2/24")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn a_peer_and_a_label_are_the_kernels() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    let (kernel, heard) = start();
    let mut want = addressing(&["10.1.0.1/32", "10.2.0.1/24"]);
    want.addresses[0].peer = Some([10, 1, 0, 2].into());
    want.addresses[1].label = Some("eth0:1".to_owned());
    kernel.want(Entry::Addressing("eth0".into(), Arc::new(want)));
    heard.wait("addresses", |event| is_installed(event, &key("eth0")));
    let text = shown("eth0");
    assert!(text.contains("inet 10.1.0.1 peer 10.1.0.2/32"), "{text}");
    assert!(
        text.contains("global eth0:1") || text.contains("eth0:1"),
        "{text}"
    );
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.unwant(key("eth0"));
    until("ip address show dev eth0", |text| {
        !text.contains("inet 10.")
    });
}

#[test]
fn what_the_kernel_refuses_is_named_and_keeps_nothing_else_back() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1");
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &["2001:db8::1/64", "10.1.0.1/24"]));
    let said = heard.failure_of(&key("eth0"));
    assert!(said.starts_with("add 2001:db8::1/64 to `eth0`: "), "{said}");
    assert!(shown("eth0").contains("10.1.0.1/24"));
    let found = kernel.verify().unwrap();
    let [difference] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(difference.want.as_deref(), Some("address 2001:db8::1/64"));
    assert_eq!(difference.error.as_deref(), Some(said.as_str()));
    // Nobody says so: the next comparison finds that it can be done.
    run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0");
    kernel.verify().unwrap();
    until("ip address show dev eth0", |text| {
        text.contains("2001:db8::1/64")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn the_start_sets_addresses_before_anything_else() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    let wanted = [
        ("eth0".into(), Arc::new(addressing(&["10.1.0.1/24"]))),
        ("eth7".into(), Arc::new(addressing(&["10.7.0.1/24"]))),
    ];
    fib::addressing::ensure(186, &wanted).unwrap();
    assert!(shown("eth0").contains("10.1.0.1/24"));
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &[]));
    heard.wait("addresses", |event| is_installed(event, &key("eth0")));
    until("ip address show dev eth0", |text| {
        !text.contains("10.1.0.1")
    });
}

#[test]
fn the_host_forwards_as_it_is_asked_to() {
    if !enter_namespace() {
        return;
    }
    const SHOWN: &str = "sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding";
    run("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=1");
    let (kernel, heard) = start();
    for (ipv6, on) in [(false, true), (true, false)] {
        kernel.want(Entry::Forwarding { ipv6, on });
        heard.wait("forwarding", |event| {
            is_installed(event, &Key::Forwarding { ipv6 })
        });
    }
    assert_eq!(run(SHOWN), "1\n0\n");
    assert_eq!(kernel.verify().unwrap(), []);
    run("sysctl -qw net.ipv4.ip_forward=0");
    let found = kernel.verify().unwrap();
    let [difference] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(difference.to_string(), "ipv4 forwarding: want on, have off");
    kernel.flush().unwrap();
    assert_eq!(run(SHOWN), "1\n0\n");
    // Nobody's wish any longer, it stays as it is.
    kernel.unwant(Key::Forwarding { ipv6: false });
    kernel.flush().unwrap();
    run("sysctl -qw net.ipv4.ip_forward=0");
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
    assert_eq!(run(SHOWN), "0\n0\n");
}

#[test]
fn an_address_of_others_is_not_dropped_with_one_of_ours() {
    if !enter_namespace() {
        return;
    }
    cable("eth0");
    run("sysctl -qw net.ipv4.conf.eth0.promote_secondaries=0");
    let (kernel, heard) = start();
    kernel.want(interface("eth0", &["10.1.0.1/24", "10.2.0.1/24"]));
    heard.wait("addresses", |event| is_installed(event, &key("eth0")));
    run("ip address add 10.1.0.9/24 dev eth0");
    kernel.want(interface("eth0", &["10.2.0.1/24"]));
    let says = |found: &[fib::Difference]| {
        let [difference] = found else {
            panic!("{found:#?}");
        };
        let said = difference.to_string();
        let begin = "interface eth0: want nothing, have address 10.1.0.1/24 (the kernel would drop \
                     10.1.0.9/24 with it";
        assert!(said.starts_with(begin) && difference.occupied, "{said}");
    };
    says(&kernel.verify().unwrap());
    // Nor where nobody wants anything of the device.
    kernel.unwant(key("eth0"));
    kernel.flush().unwrap();
    until("ip address show dev eth0", |text| {
        !text.contains("10.2.0.1")
    });
    says(&kernel.verify().unwrap());
    assert!(shown("eth0").contains("10.1.0.9/24"));
    run("sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1");
    kernel.verify().unwrap();
    let text = until("ip address show dev eth0", |text| {
        !text.contains("10.1.0.1/24")
    });
    assert!(text.contains("10.1.0.9/24"), "{text}");
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
}
