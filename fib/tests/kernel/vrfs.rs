//! VRF devices, bridges in them, and routes of their tables to tunnel endpoints.
//!
//! Needs a kernel with VRFs: this machine's, or user-mode Linux.

use std::sync::Arc;
use std::time::Instant;

use fib::vrf::{VrfError, ensure};
use fib::{
    Entry, Event, FdbKey, KernelHandle, Key, Mac, Neighbour, NeighbourKey, NextHop, Overlay,
    RemoteMac, Route, RouteKey, Share, Sweep, Vrf, tunnel_gateway,
};

use crate::elsewhere;
use crate::entries::{ip, overlay};
use crate::namespace::{PATIENCE, enter_namespace, run, try_run, underlay, until};
use crate::thread::{is_installed, start};

/// A namespace with VRFs. False, after the test was run elsewhere or skipped, where there are none.
pub(crate) fn enter_with_vrfs() -> bool {
    if !enter_namespace() {
        return false;
    }
    let (has, _) = try_run("ip link add probe type vrf table 7 && ip link del probe");
    if !has {
        elsewhere::run_this_test("needs a kernel with VRFs (CONFIG_NET_VRF)");
    }
    has
}

fn red() -> Vrf {
    Vrf::new("red", 1001)
}

/// An overlay of the VRF with a gateway of both families.
fn routed() -> Overlay {
    overlay()
        .gateway("fd64::1/64".parse().unwrap())
        .gateway_mac("02:00:5e:00:01:64".parse().unwrap())
        .vrf(red())
}

const ADDRESSES: [&str; 3] = [
    "inet 10.100.0.1/24",
    "inet6 fd64::1/64 scope global nodad",
    "inet6 fe80::5eff:fe00:164/64 scope link nodad",
];

/// A host of the overlay behind a tunnel, and a route to what is behind that host.
fn behind() -> Vec<Entry> {
    let mac: Mac = "02:00:00:00:00:07".parse().unwrap();
    let neighbour = |text| {
        let key = NeighbourKey {
            device: "br100".into(),
            ip: ip(text),
        };
        Entry::Neighbour(key, Neighbour { mac, router: false })
    };
    let fdb = FdbKey::new("vx100", mac);
    let remote = RemoteMac {
        tunnel: ip("10.0.0.2").into(),
        sticky: false,
    };
    vec![
        Entry::Fdb(fdb, remote),
        neighbour("10.100.0.7"),
        neighbour("fd64::7"),
    ]
}

const STATE: &str = "ip -o -d link show; ip address show dev br100; ip neigh show dev br100; \
                     ip -6 neigh show dev br100; bridge fdb show dev vx100";

/// The overlay with its host is whole, and its bridge in this VRF, or in none.
fn is_whole(text: &str, vrf: Option<&str>) -> bool {
    let bridge = text.lines().find(|line| line.contains(" br100: "));
    let master = vrf.map(|vrf| format!(" master {vrf} "));
    let stands = |line: &str| match &master {
        Some(master) => line.contains(master.as_str()),
        None => !line.contains(" master "),
    };
    bridge.is_some_and(|line| stands(line) && line.contains(",UP"))
        && ADDRESSES.iter().all(|address| text.contains(address))
        && text.contains("10.100.0.7 lladdr 02:00:00:00:00:07 extern_learn")
        && text.contains("fd64::7 lladdr 02:00:00:00:00:07 extern_learn")
        && text.contains("02:00:00:00:00:07 dst 10.0.0.2 self extern_learn")
}

#[test]
fn an_overlay_moves_in_and_out_of_a_vrf_with_its_addresses_and_neighbours() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    let out = Overlay {
        vrf: None,
        ..routed()
    };
    let blue = routed().vrf(Vrf::new("blue", 1002));
    kernel.changes(behind().into_iter().map(fib::Change::Set));
    for (overlay, vrf) in [
        (routed(), Some("red")),
        (out.clone(), None),
        (routed(), Some("red")),
        (blue, Some("blue")),
        (out, None),
    ] {
        let from = heard.count();
        kernel.want(Entry::Overlay(100, Arc::new(overlay)));
        heard.wait_from(from, "overlay", |event| {
            is_installed(event, &Key::Overlay(100))
        });
        kernel.flush().unwrap();
        let text = run(STATE);
        assert!(is_whole(&text, vrf), "{vrf:?}: {text}");
        assert_eq!(kernel.verify().unwrap(), [], "{vrf:?}");
        // Its routes are in the table of its VRF and in no other.
        for (table, holds) in [(1001, Some("red")), (1002, Some("blue")), (254, None)] {
            let (_, routes) = try_run(&format!(
                "ip route show table {table}; ip -6 route show table {table}"
            ));
            let held = ["10.100.0.0/24 dev br100", "fd64::/64 dev br100"]
                .map(|route| routes.contains(route));
            assert_eq!(held, [vrf == holds; 2], "{vrf:?}, table {table}: {routes}");
        }
        for name in ["red", "blue"] {
            let there = text.contains(&format!(" {name}: "));
            assert_eq!(there, vrf == Some(name), "{name}: {text}");
        }
    }
    let failed = |event: &Event| matches!(event, Event::Failed { .. });
    assert!(!heard.any(failed), "{:?}", heard.events);
}

/// Waits until everything is as wanted.
fn until_equal(kernel: &KernelHandle, what: &str) {
    let start = Instant::now();
    loop {
        kernel.flush().unwrap();
        let found = kernel.verify().unwrap();
        if found.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {found:#?}");
    }
}

/// Devices without what the kernel says of them later, when it has seen that the carrier is there.
fn settled(shown: &str) -> Vec<String> {
    let plain = |line: &str| {
        let mut before = "";
        let words = line.split_whitespace().filter(|word| {
            let of_carrier =
                word.starts_with('<') || std::mem::replace(&mut before, word) == "state";
            !of_carrier
        });
        words.collect::<Vec<_>>().join(" ")
    };
    shown.lines().map(plain).collect()
}

#[test]
fn a_vrf_that_is_removed_or_renamed_by_hand_comes_back_with_what_was_in_it() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(routed())));
    kernel.changes(behind().into_iter().map(fib::Change::Set));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    kernel.flush().unwrap();
    let vrf = run("ip -d link show red");
    for part in ["vrf table 1001", "alias rbgpd", ",UP"] {
        assert!(vrf.contains(part), "no `{part}` in {vrf}");
    }
    let number = |name: &str| {
        let text = run(&format!("ip -o link show {name}"));
        text.split(':').next().unwrap().to_owned()
    };
    let before = number("br100");
    for command in [
        "ip link del red",
        "ip link set red down",
        "ip link set br100 nomaster",
        "ip link set red name other",
        "ip link add violet type vrf table 1003; ip link set violet up; \
         ip link set br100 master violet",
        "ip link del red; ip link del br100",
    ] {
        run(command);
        until(STATE, |text| {
            let red = text.lines().find(|line| line.contains(" red: "));
            red.is_some_and(|line| line.contains(",UP")) && is_whole(text, Some("red"))
        });
        // What was made of it by hand may go after what was in it is back.
        until_equal(&kernel, command);
        if !command.contains("del br100") {
            assert_eq!(number("br100"), before, "{command}: another bridge");
        }
    }
    assert_eq!(heard.failures(), []);

    // The next start finds everything as it must be, and touches none of it.
    kernel.stop(true);
    let (kernel, heard) = start();
    let shown = || {
        settled(&run(
            "ip -o link show red; ip -o link show br100; ip address show dev br100",
        ))
    };
    let before = shown();
    kernel.want(Entry::Overlay(100, Arc::new(routed())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    kernel.changes(behind().into_iter().map(fib::Change::Set));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    assert_eq!(shown(), before);
    // A port of others keeps the VRF, as long as it is in it.
    run("ip link set ub master red");
    kernel.unwant(Key::Overlay(100));
    until("ip link", |text| !text.contains("br100"));
    kernel.flush().unwrap();
    assert!(run("ip link").contains(" red: "));
    run("ip link set ub nomaster");
    until("ip link", |text| !text.contains(" red: "));
    assert!(run("ip link").contains(" violet: "), "not ours to remove");
}

#[test]
fn what_does_not_fit_a_vrf_is_named_and_left_as_it_is() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    for (before, said, after) in [
        (
            "ip link add red type vrf table 10; ip link set red up",
            "`red` is a VRF of table 10, but must be a VRF of table 1001: `ip link del red`, and it \
             is made as it must be",
            "ip link del red",
        ),
        (
            "ip link add red type bridge",
            "`red` is a bridge, but must be a VRF of table 1001",
            "ip link del red",
        ),
        (
            "ip link add red type vrf table 1001",
            "state of `red` is down, but must be up: `ip link set red up`",
            "ip link set red up",
        ),
        (
            "ip link del red; ip link add old type vrf table 1001; ip link set old up",
            "VRF `old` has table 1001 already, which `red` needs",
            "ip link set old down; ip link set old name red; ip link set red up",
        ),
        (
            "ip link add blue type vrf table 1002; ip link set blue up; \
             ip link add br100 address 02:00:5e:00:01:64 mtu 1450 type bridge; \
             ip link set br100 addrgenmode none master blue up",
            "master of `br100` is blue, but must be red: `ip link set br100 master red`",
            "ip link set br100 master red",
        ),
    ] {
        run(before);
        let shown = || run("ip -o link show | grep -v 'br100\\|vx100'");
        let devices = shown();
        let (kernel, heard) = start();
        kernel.want(Entry::Overlay(100, Arc::new(routed())));
        heard.wait(said, |event| {
            matches!(event, Event::Failed { key: Key::Overlay(100), error, .. }
                if error.contains(said))
        });
        kernel.flush().unwrap();
        let (_, addresses) = try_run("ip address show dev br100");
        let inside = said.contains("state of");
        assert_eq!(addresses.contains("10.100.0.1/24"), inside, "{addresses}");
        assert_eq!(shown(), devices, "{before}");
        assert_eq!(kernel.verify().unwrap().len(), 1);
        let from = heard.count();
        run(after);
        heard.wait_from(from, after, |event| is_installed(event, &Key::Overlay(100)));
        kernel.flush().unwrap();
        assert_eq!(kernel.verify().unwrap(), [], "{after}");
        let addresses = run("ip address show dev br100");
        assert!(
            ADDRESSES.iter().all(|it| addresses.contains(it)),
            "{addresses}"
        );
        kernel.unwant(Key::Overlay(100));
        kernel.flush().unwrap();
        until("ip link", |text| !text.contains("alias rbgpd"));
    }
}

#[test]
fn a_vrf_is_there_before_anything_runs_and_as_long_as_it_is_wanted() {
    if !enter_with_vrfs() {
        return;
    }
    for _ in 0..2 {
        ensure(&red()).unwrap();
        let made = run("ip -d link show red");
        for part in ["vrf table 1001", "alias rbgpd", ",UP"] {
            assert!(made.contains(part), "no `{part}` in {made}");
        }
    }
    run("ip link set red down");
    ensure(&red()).unwrap();
    assert!(run("ip link show red").contains(",UP"));
    let refusal = |vrf: Vrf| match ensure(&vrf) {
        Err(VrfError::Misfit(text)) => text,
        other => panic!("{other:?}"),
    };
    run("ip link add theirs type vrf table 10; ip link add br0 type bridge");
    for (vrf, said) in [
        (Vrf::new("theirs", 11), "`theirs` is a VRF of table 10, but"),
        (
            Vrf::new("theirs", 10),
            "state of `theirs` is down, but must",
        ),
        (Vrf::new("br0", 12), "`br0` is a bridge, but must be a VRF"),
        (Vrf::new("main", 254), "table 254 is the kernel's own"),
        (Vrf::new("new", 10), "VRF `theirs` has table 10 already"),
    ] {
        let text = refusal(vrf);
        assert!(text.starts_with(said), "{text}");
    }
    run("ip link set theirs up");
    ensure(&Vrf::new("theirs", 10)).unwrap();
    let text = ensure(&Vrf::new("a-name-of-20-letters", 20)).unwrap_err();
    assert!(matches!(text, VrfError::Refused { .. }), "{text:?}");

    // One that was left by a previous run and is wanted stays, one that is not goes.
    ensure(&Vrf::new("left", 1009)).unwrap();
    let (kernel, heard) = start();
    let wish = Key::Vrf(Share::FIRST, "red".into());
    kernel.want(Entry::Vrf(Share::FIRST, red()));
    heard.wait("vrf", |event| is_installed(event, &wish));
    kernel.sweep(Sweep::All);
    until("ip link", |text| !text.contains(" left: "));
    assert!(run("ip link").contains(" red: "));
    // One that is made while the thread runs waits for its wish.
    ensure(&Vrf::new("green", 1003)).unwrap();
    run("ip link add dm type veth peer name dn; ip link set dm up; ip link del dm");
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    assert!(run("ip link").contains(" green: "));
    let green = Key::Vrf(Share::FIRST, "green".into());
    kernel.want(Entry::Vrf(Share::FIRST, Vrf::new("green", 1003)));
    kernel.flush().unwrap();
    assert!(kernel.status(green.clone()).unwrap().installed);
    kernel.unwant(green);
    kernel.unwant(wish);
    until("ip link", |text| {
        !text.contains(" green: ") && !text.contains(" red: ")
    });
    assert!(run("ip link").contains(" theirs: "));
    kernel.stop(false);
}

/// What one site has of the L3VNI to another.
fn to_site(vtep: &str, router: &str) -> Vec<Entry> {
    let mac: Mac = router.parse().unwrap();
    let fdb = FdbKey::new("vx4001", mac);
    let remote = RemoteMac {
        tunnel: ip(vtep).into(),
        sticky: false,
    };
    let gateways = [false, true].map(|ipv6| {
        let key = NeighbourKey {
            device: "br4001".into(),
            ip: tunnel_gateway(ip(vtep), ipv6),
        };
        Entry::Neighbour(key, Neighbour { mac, router: true })
    });
    [Entry::Fdb(fdb, remote)]
        .into_iter()
        .chain(gateways)
        .collect()
}

fn in_red(prefix: &str, vteps: &[&str]) -> Entry {
    let key = RouteKey::new(1001, prefix.parse().unwrap());
    let ipv6 = key.prefix().is_ipv6();
    let hops = vteps
        .iter()
        .map(|vtep| NextHop::through("br4001", ip(vtep), ipv6));
    Entry::Route(key, Arc::new(Route::via(hops)))
}

#[test]
fn routes_of_a_vrf_lead_to_tunnel_endpoints_of_either_family() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    for (local, two, three) in [
        ("10.0.0.1", "10.0.0.2", "10.0.0.3"),
        ("fd00::1", "fd00::2", "fd00::3"),
    ] {
        let (kernel, heard) = start();
        let router: Mac = "02:00:00:00:40:01".parse().unwrap();
        let l3 = Overlay::layer3(4001, ip(local), 1430, red(), router);
        let (of_two, of_three) = ("02:00:00:00:40:02", "02:00:00:00:40:03");
        // Entries before their devices, on purpose.
        let mut entries = to_site(two, of_two);
        entries.extend(to_site(three, of_three));
        for prefix in ["10.2.0.0/24", "fd02::/64"] {
            entries.push(in_red(prefix, &[two]));
        }
        for prefix in ["10.3.0.7/32", "fd03::7/128", "0.0.0.0/0", "::/0"] {
            entries.push(in_red(prefix, &[two, three]));
        }
        let keys: Vec<Key> = entries.iter().map(Entry::key).collect();
        kernel.changes(entries.into_iter().map(fib::Change::Set));
        kernel.flush().unwrap();
        kernel.want(Entry::Overlay(4001, Arc::new(l3)));
        heard.wait("overlay", |event| is_installed(event, &Key::Overlay(4001)));
        kernel.flush().unwrap();
        let missing = || {
            let missing = keys.iter().filter(|key| {
                let status = kernel.status((*key).clone()).unwrap();
                !status.installed
            });
            missing.map(ToString::to_string).collect::<Vec<_>>()
        };
        until("true", |_| missing().is_empty());
        let bridge = run("ip -d link show br4001; ip address show dev br4001");
        for part in [
            "link/ether 02:00:00:00:40:01",
            "master red",
            "addrgenmode none",
            ",UP",
        ] {
            assert!(bridge.contains(part), "no `{part}` in {bridge}");
        }
        assert!(!bridge.contains("inet"), "{bridge}");
        let port = run("ip -d link show vx4001");
        assert!(port.contains("neigh_suppress off") && port.contains("learning off"));

        let gateway = |vtep: &str, ipv6| tunnel_gateway(ip(vtep), ipv6).to_string();
        let via = |vtep: &str, ipv6: bool| {
            let other_family = if !ipv6 && vtep.contains(':') {
                "inet6 "
            } else {
                ""
            };
            let gateway = gateway(vtep, ipv6);
            format!("via {other_family}{gateway} dev br4001 ")
        };
        for (family, ipv6, prefixes) in [
            ("", false, ["10.2.0.0/24", "10.3.0.7", "default"]),
            ("-6", true, ["fd02::/64", "fd03::7", "default"]),
        ] {
            let routes = run(&format!("ip -o {family} route show table 1001 proto bgp"));
            for prefix in prefixes {
                let line = routes
                    .lines()
                    .find(|line| line.starts_with(&format!("{prefix} ")))
                    .unwrap_or_else(|| panic!("no {prefix} in {routes}"));
                let single = prefix.ends_with("/24") || prefix.ends_with("/64");
                assert!(line.contains(&via(two, ipv6)), "{line}");
                assert_eq!(line.contains(&via(three, ipv6)), !single, "{line}");
                let count = line.matches("onlink").count();
                assert_eq!(count, if single { 1 } else { 2 }, "{line}");
            }
            let hosts = run(&format!("ip {family} neigh show dev br4001"));
            for (vtep, mac) in [(two, of_two), (three, of_three)] {
                let line = format!("{} lladdr {mac} ", gateway(vtep, ipv6));
                assert!(hosts.contains(&line), "no `{line}` in {hosts}");
            }
        }
        let fdb = run("bridge fdb show dev vx4001");
        assert!(
            fdb.contains(&format!("{of_two} dst {two} self extern_learn")),
            "{fdb}"
        );
        // The kernel finds the way by the VRF's table, down to the frame's address.
        let way = run("ip route get 10.2.0.9 vrf red; ip -6 route get fd02::9 vrf red");
        assert!(
            way.contains(&via(two, false)) && way.contains(&via(two, true)),
            "{way}"
        );
        assert_eq!(kernel.verify().unwrap(), []);

        // A route of ours without an object is not the one that is wanted.
        for (family, ipv6, prefix) in [("", false, "10.2.0.0/24"), ("-6", true, "fd02::/64")] {
            let hop = via(two, ipv6);
            run(&format!(
                "ip {family} route replace {prefix} {hop} onlink table 1001 proto bgp metric 20"
            ));
            until(
                &format!("ip -o {family} route show table 1001 {prefix}"),
                |text| text.contains("nhid") && text.contains("onlink"),
            );
        }
        // The bridge goes down and comes back: so does what stands on it.
        for command in [
            "ip link set br4001 down",
            "ip link set vx4001 down",
            "ip link del red",
            "ip link del vx4001",
            "ip link del br4001",
        ] {
            run(command);
            until("true", |_| {
                kernel.flush().unwrap();
                missing().is_empty() && kernel.verify().unwrap().is_empty()
            });
            let routes = run("ip -o route show table 1001; ip -o -6 route show table 1001");
            assert_eq!(
                routes.matches("proto bgp").count(),
                6,
                "{command}: {routes}"
            );
        }
        keys.into_iter().for_each(|key| kernel.unwant(key));
        kernel.unwant(Key::Overlay(4001));
        until(
            "ip link; ip route show table all proto bgp; ip nexthop",
            |text| {
                !["4001", "red", "proto bgp"]
                    .iter()
                    .any(|it| text.contains(it))
            },
        );
        kernel.stop(false);
    }
}

/// What no route of a VRF takes would be looked up in the main table.
#[test]
fn packets_that_no_route_of_a_vrf_takes_do_not_leave_it() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    run("ip route add default via 10.0.0.2; ip -6 route add default via fd00::2");
    let (kernel, heard) = start();
    kernel.want(Entry::Vrf(Share::FIRST, red().closed(false)));
    heard.wait("open", |event| {
        is_installed(event, &Key::Vrf(Share::FIRST, "red".into()))
    });
    let way = |family: &str, to: &str| try_run(&format!("ip {family} route get {to} vrf red"));
    assert!(
        way("-4", "192.0.2.9").1.contains("dev ua"),
        "{:?}",
        way("-4", "192.0.2.9")
    );
    kernel.want(Entry::Vrf(Share::FIRST, red()));
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    for (family, to) in [("-4", "192.0.2.9"), ("-6", "2001:db8::9")] {
        let (_, said) = way(family, to);
        let nowhere = said.contains("unreachable") || said.contains("No route to host");
        assert!(nowhere, "{said}");
        let shown = run(&format!("ip {family} route show table 1001"));
        assert!(
            shown.contains("unreachable default") && shown.contains("4278198272"),
            "{shown}"
        );
    }
    // It stays with the device, and the next run, which wants none, takes it away with it.
    kernel.stop(false);
    assert!(run("ip route show table 1001").contains("unreachable default"));
    let (kernel, _) = start();
    kernel.want(Entry::Vrf(Share::FIRST, red()));
    kernel.flush().unwrap();
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    assert!(run("ip route show table 1001").contains("unreachable default"));
    kernel.unwant(Key::Vrf(Share::FIRST, "red".into()));
    kernel.flush().unwrap();
    until(
        "ip -br link; ip route show table 1001; ip -6 route show table 1001",
        |text| !text.contains("red") && !text.contains("unreachable"),
    );
}

/// With its routes a VRF's table loses the addresses of its gateways, which are in it, too.
#[test]
fn a_table_that_was_flushed_has_the_gateways_again() {
    if !enter_with_vrfs() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(routed())));
    heard.wait("overlay", |event| is_installed(event, &Key::Overlay(100)));
    let shown = "ip route show table 1001 dev br100; ip -6 route show table 1001 dev br100";
    let whole = |text: &str| {
        [
            "local 10.100.0.1",
            "10.100.0.0/24",
            "fd64::/64",
            "local fd64::1",
        ]
        .iter()
        .all(|route| text.contains(route))
    };
    until(shown, whole);
    assert_eq!(kernel.verify().unwrap(), []);
    run("ip route flush table 1001; ip -6 route flush table 1001");
    assert!(!run(shown).contains("10.100.0"));
    let found = kernel.verify().unwrap();
    assert!(
        found.iter().any(|it| it.key == Key::Overlay(100)),
        "{found:#?}"
    );
    until(shown, whole);
    assert_eq!(kernel.verify().unwrap(), []);
}
