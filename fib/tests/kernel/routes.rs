//! Our routes: written, replaced, adopted and swept, put back, moved off a lost next hop.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fib::{Change, Entry, Event, Key, NextHop, Options, Route, RouteKey, RouteKind, Sweep};

use crate::entries::{ip, key, route, via};
use crate::namespace::{PATIENCE, enter_namespace, run, underlay, until};
use crate::thread::{Heard, is_installed, start, start_with};

#[test]
fn routes_are_added_replaced_and_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    let hop = || route([via("10.0.0.2", "ua")]);
    kernel.want(Entry::Route(key("10.9.0.0/16"), hop()));
    kernel.want(Entry::Route(
        key("10.8.0.0/16"),
        route([NextHop::gateway(ip("10.0.0.3"))]),
    ));
    kernel.want(Entry::Route(
        key("0.0.0.0/0"),
        route([via("10.0.1.2", "ub")]),
    ));
    kernel.want(Entry::Route(
        key("fd09::/32"),
        route([via("fd00::2", "ua")]),
    ));
    kernel.want(Entry::Route(
        key("10.7.0.0/16"),
        route([via("fd00::2", "ua")]),
    ));
    let blackhole = Route::refuse(RouteKind::Blackhole).metric(7);
    kernel.want(Entry::Route(key("10.6.0.0/16"), Arc::new(blackhole)));
    kernel.want(Entry::Route(
        key("fd06::/32"),
        Arc::new(Route::refuse(RouteKind::Unreachable)),
    ));
    let source = Route::via([via("10.0.0.2", "ua")]).source(ip("10.0.1.1"));
    kernel.want(Entry::Route(key("10.5.0.0/16"), Arc::new(source)));
    let other = RouteKey::new(1000, "10.4.0.0/16".parse().unwrap());
    kernel.want(Entry::Route(other, hop()));
    let link = route([NextHop::interface("ub")]);
    kernel.want(Entry::Route(key("10.3.0.0/16"), link));
    let onlink = route([via("192.0.2.1", "ua").onlink()]);
    kernel.want(Entry::Route(key("10.2.0.0/16"), onlink));
    kernel.flush().unwrap();
    let text = run("ip route; ip -6 route; ip route show table 1000");
    for line in [
        "10.9.0.0/16 nhid",
        "via 10.0.0.2 dev ua proto bgp metric 20",
        "10.8.0.0/16 via 10.0.0.3 dev ua proto bgp metric 20",
        "default nhid",
        "fd09::/32 nhid",
        "via inet6 fd00::2 dev ua",
        "blackhole 10.6.0.0/16 proto bgp metric 7",
        "unreachable fd06::/32",
        "src 10.0.1.1",
        "10.4.0.0/16 nhid",
        "10.3.0.0/16 nhid",
        "via 192.0.2.1 dev ua proto bgp metric 20 onlink",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    assert_eq!(kernel.verify().unwrap(), []);
    assert!(
        !heard.any(|event| matches!(event, Event::Failed { .. })),
        "{:?}",
        heard.events
    );

    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.1.2", "ub")]),
    ));
    let metric = Route::via([via("10.0.0.2", "ua")]).metric(30);
    kernel.want(Entry::Route(
        key("fd09::/32"),
        Arc::new(Route::refuse(RouteKind::Prohibit)),
    ));
    kernel.want(Entry::Route(key("10.5.0.0/16"), Arc::new(metric)));
    kernel.unwant(Key::Route(key("10.6.0.0/16")));
    kernel.flush().unwrap();
    assert!(run("ip route show 10.9.0.0/16").contains("via 10.0.1.2 dev ub"));
    assert!(run("ip -6 route").contains("prohibit fd09::/32"));
    let moved = run("ip route show 10.5.0.0/16");
    assert!(
        moved.contains("metric 30") && !moved.contains("metric 20"),
        "{moved}"
    );
    assert!(!run("ip route").contains("10.6.0.0/16"));
    assert_eq!(kernel.verify().unwrap(), []);

    kernel.stop(false);
    assert_eq!(
        run("ip route show proto bgp; ip -6 route show proto bgp"),
        ""
    );
    assert_eq!(run("ip nexthop"), "");
    assert!(run("ip route").contains("10.0.0.0/24 dev ua"));
}

#[test]
fn several_next_hops_share_one_group() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let both = route([via("10.0.0.2", "ua"), via("10.0.1.2", "ub").weight(3)]);
    for number in 0..50 {
        kernel.want(Entry::Route(
            key(&format!("10.9.{number}.0/24")),
            both.clone(),
        ));
    }
    let six = route([via("fd00::2", "ua"), via("fd01::2", "ub")]);
    kernel.want(Entry::Route(key("fd09::/32"), six));
    kernel.flush().unwrap();
    let text = run("ip route show 10.9.7.0/24");
    assert!(
        text.contains("nexthop via 10.0.0.2 dev ua weight 1"),
        "{text}"
    );
    assert!(
        text.contains("nexthop via 10.0.1.2 dev ub weight 3"),
        "{text}"
    );
    let six = run("ip -6 route show fd09::/32");
    assert!(six.contains("fd00::2") && six.contains("fd01::2"), "{six}");
    assert_eq!(run("ip nexthop").lines().count(), 6);
    assert_eq!(kernel.verify().unwrap(), []);
    for number in 0..50 {
        kernel.want(Entry::Route(
            key(&format!("10.9.{number}.0/24")),
            route([via("10.0.1.2", "ub")]),
        ));
    }
    kernel.flush().unwrap();
    // The IPv6 group with its members, and the one IPv4 object that is left.
    assert_eq!(run("ip nexthop").lines().count(), 4);
    kernel.stop(false);
    assert_eq!(run("ip nexthop"), "");
}

#[test]
fn a_hundred_thousand_routes_go_in_batches() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let hop = route([via("10.0.0.2", "ua")]);
    let name = |number: u32| {
        let address = std::net::Ipv4Addr::from((20 << 24) + number);
        RouteKey::main(ipnetwork::IpNetwork::new(address.into(), 32).unwrap())
    };
    let count = 100_000;
    let begin = Instant::now();
    kernel.changes((0..count).map(|n| fib::Change::Set(Entry::Route(name(n), hop.clone()))));
    kernel.flush().unwrap();
    let took = begin.elapsed();
    eprintln!(
        "{count} routes in {took:?}: {:.0} k/s",
        f64::from(count) / took.as_secs_f64() / 1e3
    );
    assert_eq!(run("ip route show proto bgp | wc -l").trim(), "100000");
    let begin = Instant::now();
    assert_eq!(kernel.verify().unwrap(), []);
    eprintln!("verified in {:?}", begin.elapsed());
    let begin = Instant::now();
    let other = route([via("10.0.1.2", "ub")]);
    kernel.changes((0..count).map(|n| fib::Change::Set(Entry::Route(name(n), other.clone()))));
    kernel.flush().unwrap();
    eprintln!("replaced in {:?}", begin.elapsed());
    kernel.changes((0..count).map(|n| fib::Change::Unset(Key::Route(name(n)))));
    kernel.flush().unwrap();
    assert_eq!(run("ip route show proto bgp"), "");
}

/// `ip monitor`, which ends with the test, whatever comes of that: whoever waits for the end of the
/// test's output would wait for this one's.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // One that has ended needs none of it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Records what happens to routes, apart from the code under test.
struct Monitor {
    child: Ended,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Monitor {
    fn start() -> Self {
        use std::io::BufRead;
        let mut child = Command::new("ip")
            .args(["monitor", "route"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("ip monitor");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, into) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(out).lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        let child = Ended(child);
        let monitor = Self { child, lines };
        // It is listening when it reports one of these.
        monitor.mark(1);
        monitor
    }

    /// Adds routes until one is reported.
    fn mark(&self, series: u8) {
        let name = format!("198.51.{series}.");
        let start = Instant::now();
        for number in (0..=255).cycle() {
            run(&format!(
                "ip route replace {name}{number} dev lo metric 4711"
            ));
            if self
                .lines
                .lock()
                .unwrap()
                .iter()
                .any(|line| line.contains(&name))
            {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the monitor reports nothing");
        }
    }

    /// Everything up to now.
    fn lines(self) -> Vec<String> {
        self.mark(2);
        drop(self.child);
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

#[test]
fn a_restart_adopts_routes_without_a_flap_and_sweeps_the_rest() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let one = || route([via("10.0.0.2", "ua")]);
    let two = || route([via("10.0.0.2", "ua"), via("10.0.1.2", "ub")]);
    kernel.want(Entry::Route(key("10.9.0.0/16"), one()));
    kernel.want(Entry::Route(key("10.8.0.0/16"), two()));
    kernel.want(Entry::Route(key("10.7.0.0/16"), one()));
    kernel.want(Entry::Route(
        key("fd09::/32"),
        route([via("fd00::2", "ua")]),
    ));
    kernel.flush().unwrap();
    kernel.stop(true);
    // A route as FRR leaves it, and one of somebody else.
    run("ip route add 10.6.0.0/16 via 10.0.0.9 proto bgp metric 20");
    run("ip route add 10.5.0.0/16 via 10.0.0.9 proto static metric 20");
    let objects = run("ip nexthop");

    let monitor = Monitor::start();
    let (kernel, _) = start();
    kernel.want(Entry::Route(key("10.9.0.0/16"), one()));
    kernel.want(Entry::Route(key("10.8.0.0/16"), two()));
    kernel.want(Entry::Route(key("10.6.0.0/16"), one()));
    kernel.want(Entry::Route(
        key("fd09::/32"),
        route([via("fd00::2", "ua")]),
    ));
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!(run("ip nexthop"), objects, "objects are used again");
    assert!(
        run("ip route").contains("10.7.0.0/16"),
        "kept until the sweep"
    );
    assert!(run("ip route show 10.6.0.0/16").contains("via 10.0.0.2 dev ua"));
    let lines = monitor.lines();
    assert!(
        !lines.iter().any(|line| line.contains("Deleted")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("10.9.0.0/16")),
        "{lines:?}"
    );

    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    let text = run("ip route");
    assert!(!text.contains("10.7.0.0/16"), "{text}");
    assert!(
        text.contains("10.5.0.0/16 via 10.0.0.9 dev ua proto static"),
        "{text}"
    );
    assert!(text.contains("10.9.0.0/16"), "{text}");
    kernel.stop(false);
    let text = run("ip route");
    assert!(!text.contains("proto bgp"), "{text}");
    assert!(text.contains("10.5.0.0/16"), "{text}");
}

#[test]
fn two_owners_have_a_route_each_to_one_prefix_and_leftovers_of_their_own() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let claim = fib::Claim {
        tables: vec![RouteKey::MAIN],
        metrics: vec![30],
        beside: Vec::new(),
    };
    let two = fib::Share(1);
    let start = || {
        let (kernel, heard) = start_with(Options {
            audit: Duration::ZERO,
            claims: vec![(two, claim.clone())],
            ..Options::default()
        });
        let others = Arc::new(Heard::default());
        let listener = others.clone();
        let tell = move |event| {
            listener.events.lock().unwrap().push(event);
            listener.arrived.notify_all();
        };
        let second = kernel.join(two, claim.clone(), Box::new(tell));
        others.wait("ready", |event| *event == Event::Ready);
        (kernel, heard, second, others)
    };
    let of_first = |gateway| Arc::new(Route::via([via(gateway, "ua")]));
    let of_second = |gateway| Arc::new(Route::via([via(gateway, "ub")]).metric(30));
    let (one, other) = (key("10.9.0.0/16"), key("10.9.0.0/16").of(two));
    let (kernel, heard, second, others) = start();
    assert!(others.any(|event| matches!(event, Event::Link(link) if link.name.as_str() == "ub")));
    kernel.want(Entry::Route(one, of_first("10.0.0.2")));
    second.want(Entry::Route(other, of_second("10.0.1.2")));
    heard.wait("first", |event| is_installed(event, &Key::Route(one)));
    others.wait("second", |event| is_installed(event, &Key::Route(other)));
    assert!(!heard.any(|event| is_installed(event, &Key::Route(other))));
    assert!(!others.any(|event| is_installed(event, &Key::Route(one))));
    let both = run("ip route show 10.9.0.0/16");
    assert!(
        both.contains("via 10.0.0.2 dev ua") && both.contains("metric 20"),
        "{both}"
    );
    assert!(
        both.contains("via 10.0.1.2 dev ub") && both.contains("metric 30"),
        "{both}"
    );

    // One is lost: the other's stays, and neither compares with what is not its own.
    kernel.unwant(Key::Route(one));
    kernel.flush().unwrap();
    let text = run("ip route show 10.9.0.0/16");
    assert!(
        !text.contains("metric 20") && text.contains("metric 30"),
        "{text}"
    );
    run("ip route del 10.9.0.0/16 metric 30");
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!(second.verify().unwrap(), []);
    until("ip route show 10.9.0.0/16", |text| {
        text.contains("metric 30")
    });

    // A run that breaks off leaves both; each is its owner's to sweep.
    kernel.want(Entry::Route(one, of_first("10.0.0.2")));
    kernel.flush().unwrap();
    std::mem::forget(second);
    kernel.stop(true);
    let (kernel, _, second, _) = start();
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    let text = run("ip route show 10.9.0.0/16");
    assert!(
        !text.contains("metric 20") && text.contains("metric 30"),
        "{text}"
    );
    second.want(Entry::Route(
        key("10.8.0.0/16").of(two),
        of_second("10.0.1.2"),
    ));
    second.sweep(Sweep::All);
    second.flush().unwrap();
    let text = run("ip route");
    assert!(
        !text.contains("10.9.0.0/16") && text.contains("10.8.0.0/16"),
        "{text}"
    );

    // One that leaves takes its routes along, and nothing of others.
    kernel.want(Entry::Route(one, of_first("10.0.0.2")));
    drop(second);
    kernel.flush().unwrap();
    let text = run("ip route");
    assert!(
        text.contains("10.9.0.0/16") && !text.contains("10.8.0.0/16"),
        "{text}"
    );
    kernel.stop(false);
}

#[test]
fn a_route_removed_by_hand_is_put_back() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    for (prefix, gateway) in [("10.9.0.0/16", "10.0.0.2"), ("fd09::/32", "fd00::2")] {
        kernel.want(Entry::Route(key(prefix), route([via(gateway, "ua")])));
        kernel.flush().unwrap();
        let from = heard.count();
        run(&format!("ip route del {prefix}"));
        let name = Key::Route(key(prefix));
        let removed = Event::Removed { key: name.clone() };
        let from = heard.wait_from(from, "removed", |event| *event == removed);
        heard.wait_from(from, "installed", |event| is_installed(event, &name));
        assert_eq!(kernel.verify().unwrap(), []);
    }
    // Objects removed by hand take their routes along.
    run("ip nexthop flush proto 186");
    until("ip route; ip -6 route", |text| {
        text.contains("10.9.0.0/16 nhid") && text.contains("fd09::/32 nhid")
    });
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn a_link_that_flaps_gets_its_routes_back() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    let both = route([via("10.0.0.2", "ua"), via("10.0.1.2", "ub")]);
    kernel.want(Entry::Route(key("10.9.0.0/16"), both));
    kernel.want(Entry::Route(
        key("10.8.0.0/16"),
        route([via("10.0.0.2", "ua")]),
    ));
    kernel.want(Entry::Route(
        key("10.7.0.0/16"),
        route([NextHop::gateway(ip("10.0.0.2"))]),
    ));
    kernel.flush().unwrap();
    let from = heard.count();
    run("ip link set ua down");
    let name = Key::Route(key("10.8.0.0/16"));
    heard.wait_from(
        from,
        "refusal",
        |event| matches!(event, Event::Failed { key, .. } if *key == name),
    );
    // The other leg carries on.
    until("ip route show 10.9.0.0/16", |text| {
        text.contains("10.0.1.2") && !text.contains("dev ua")
    });
    assert!(!kernel.verify().unwrap().is_empty());
    run("ip link set ua up");
    until("ip route", |text| {
        ["10.9.0.0/16", "10.8.0.0/16", "10.7.0.0/16"]
            .iter()
            .all(|route| text.contains(route))
    });
    until("ip route show 10.9.0.0/16", |text| {
        text.contains("dev ua") && text.contains("dev ub")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);

    // A device that is made anew has another number.
    run("ip link del ua");
    until("ip route", |text| !text.contains("10.8.0.0/16"));
    run("ip link add x type veth peer name ua; ip address add 10.0.0.1/24 dev ua");
    run("ip link set x up; ip link set ua up");
    until("ip route", |text| {
        text.contains("10.8.0.0/16") && text.contains("10.7.0.0/16")
    });
    until("ip route show 10.9.0.0/16", |text| {
        text.contains("dev ua") && text.contains("dev ub")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
}

#[test]
fn a_route_waits_for_its_device() {
    if !enter_namespace() {
        return;
    }
    let (kernel, heard) = start();
    kernel.want(Entry::Route(
        key("10.9.0.0/16"),
        route([via("10.0.0.2", "ua")]),
    ));
    heard.wait("refusal", |event| {
        matches!(event, Event::Failed { error, .. } if error == "device `ua` does not exist")
    });
    underlay();
    until("ip route", |text| text.contains("10.9.0.0/16"));
}

/// Routes 10.64.0.0/24 and following, all alike.
fn many_routes(count: u32, route: &Arc<Route>) -> impl Iterator<Item = Change> + use<'_> {
    (0..count).map(move |number| {
        let bits = u32::from_be_bytes([10, 64, 0, 0]) + (number << 8);
        let prefix = format!("{}/24", std::net::Ipv4Addr::from(bits));
        Change::Set(Entry::Route(key(&prefix), Arc::clone(route)))
    })
}

/// How many of our routes `ip` shows through a device.
fn through(device: &str) -> usize {
    let text = run(&format!("ip route show proto bgp dev {device} | wc -l"));
    text.trim().parse().unwrap()
}

#[test]
fn a_lost_next_hop_moves_all_its_routes_with_one_message() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let hop = |gateway, device, fate| via(gateway, device).fate(fate);
    let first = hop("10.0.0.2", "ua", 1);
    let second = hop("10.0.1.2", "ub", 2);
    let both = Route::via([first.clone()]).spare([second.clone()]);
    let count = std::env::var("FIB_LOST_ROUTES").ok();
    let count = count.and_then(|it| it.parse().ok()).unwrap_or(20_000);
    kernel.changes(many_routes(count, &Arc::new(both)));
    kernel.flush().unwrap();
    let all = usize::try_from(count).unwrap();
    assert_eq!((through("ua"), through("ub")), (all, 0));
    let text = run("ip nexthop");
    assert_eq!(text.lines().count(), 1, "{text}");

    // The kernel's own count of messages about nexthop objects and routes. It tells of the routes over
    // an object by itself unless it is told not to; what is left is what was written.
    let compatible = |on: u8| run(&format!("sysctl -qw net.ipv4.nexthop_compat_mode={on}"));
    compatible(0);
    let mut monitor = Command::new("ip")
        .args(["-4", "monitor", "nexthop", "route"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(monitor.stdout.take().unwrap());
    let monitor = Ended(monitor);
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in std::io::BufRead::lines(lines) {
            let _ = tell.send(line.unwrap());
        }
    });
    // It hears what is made, once it listens.
    until("ip nexthop replace id 9 blackhole", |_| {
        told.try_recv().is_ok()
    });
    // Behind the last word of those nothing more comes.
    run("ip nexthop replace id 8 blackhole");
    while !told.recv_timeout(PATIENCE).unwrap().contains("id 8 ") {}
    let start = Instant::now();
    kernel.lose(1);
    let moved = told.recv_timeout(PATIENCE).unwrap();
    let took = start.elapsed();
    assert!(moved.contains("10.0.1.2"), "{moved}");
    println!("{count} routes moved after {took:?}");
    assert!(took < Duration::from_millis(100), "{took:?}");

    // What the owner decides, route by route, is there already.
    kernel.changes(many_routes(count, &Arc::new(Route::via([second.clone()]))));
    assert_eq!(kernel.verify().unwrap(), []);
    run("ip nexthop replace id 10 blackhole");
    let next = told.recv_timeout(PATIENCE).unwrap();
    assert!(
        next.contains("id 10"),
        "one message moved everything: {next}"
    );
    compatible(1);
    assert_eq!((through("ua"), through("ub")), (0, all));

    // The first one returns and both are used; a group loses its member the same way.
    kernel.changes(many_routes(count, &Arc::new(Route::via([first, second]))));
    assert_eq!(kernel.verify().unwrap(), []);
    let group = until("ip nexthop", |text| text.contains("group"));
    assert_eq!(group.matches("group").count(), 1, "{group}");
    kernel.lose(1);
    kernel.flush().unwrap();
    assert_eq!((through("ua"), through("ub")), (0, all));
    let second = hop("10.0.1.2", "ub", 2);
    kernel.changes(many_routes(count, &Arc::new(Route::via([second]))));
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!((through("ua"), through("ub")), (0, all));
    drop(monitor);
    reader.join().unwrap();
    kernel.stop(false);
    assert_eq!(through("ub"), 0);
}
