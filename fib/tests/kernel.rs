//! The kernel thread against the real kernel, each test in a network namespace of its own.
//!
//! Needs root. The thread of a test enters a new namespace, so everything it starts, `ip` and
//! `bridge` included, lives there, and everything is gone with the thread. Assertions on the
//! kernel's state go through `ip` and `bridge`, not through the code under test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use fib::{
    Change, Entry, Event, FdbKey, FloodKey, Kernel, KernelHandle, Key, Neighbour, NeighbourKey,
    NextHop, Options, Overlay, RemoteMac, Route, RouteKey, RouteKind, Sweep,
};
use nix::sched::{CloneFlags, unshare};

const PATIENCE: Duration = Duration::from_secs(20);

/// Enters a new namespace. False, after saying why, if that is not possible here.
fn enter_namespace() -> bool {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        eprintln!("skipped: cannot make a network namespace ({error})");
        return false;
    }
    if Command::new("ip")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("skipped: no `ip` command");
        return false;
    }
    run("ip link set lo up");
    true
}

fn run(command: &str) -> String {
    let (status, text) = try_run(command);
    assert!(status, "`{command}`: {text}");
    text
}

fn try_run(command: &str) -> (bool, String) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Waits until a command's output satisfies a condition.
fn until(command: &str, holds: impl Fn(&str) -> bool) -> String {
    until_within(PATIENCE, command, holds)
}

fn until_within(patience: Duration, command: &str, holds: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let (_, text) = try_run(command);
        if holds(&text) {
            return text;
        }
        assert!(start.elapsed() < patience, "`{command}` still says: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Default)]
struct Heard {
    events: Mutex<Vec<Event>>,
    arrived: Condvar,
}

impl Heard {
    /// Waits for an event. Events before `from` do not count. Returns the place after it.
    fn wait_from(&self, from: usize, what: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        let start = Instant::now();
        let mut events = self.events.lock().unwrap();
        loop {
            if let Some(at) = events.iter().skip(from).position(&wanted) {
                return from + at + 1;
            }
            let left = PATIENCE.checked_sub(start.elapsed());
            let left = left.unwrap_or_else(|| panic!("no event: {what}; heard {events:#?}"));
            events = self.arrived.wait_timeout(events, left).unwrap().0;
        }
    }

    fn wait(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        self.wait_from(0, what, wanted)
    }

    fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    fn any(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.lock().unwrap().iter().any(wanted)
    }
}

/// The event says that this entry is in the kernel.
fn is_installed(event: &Event, key: &Key) -> bool {
    matches!(event, Event::Installed { keys } if keys.contains(key))
}

fn start() -> (KernelHandle, Arc<Heard>) {
    start_with(Options {
        audit: Duration::ZERO,
        ..Options::default()
    })
}

fn start_with(options: Options) -> (KernelHandle, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let tell = move |event| {
        listener.events.lock().unwrap().push(event);
        listener.arrived.notify_all();
    };
    (Kernel::spawn(options, Box::new(tell)).unwrap(), heard)
}

/// Two veth pairs with addresses: `ua` 10.0.0.1/24 and fd00::1/64, `ub` 10.0.1.1/24 and
/// fd01::1/64.
fn underlay() {
    for (number, name) in ["ua", "ub"].into_iter().enumerate() {
        run(&format!(
            "ip link add {name} type veth peer name {name}-peer"
        ));
        run(&format!("ip address add 10.0.{number}.1/24 dev {name}"));
        run(&format!(
            "ip address add fd0{number}::1/64 dev {name} nodad"
        ));
        run(&format!("ip link set {name} up"));
        run(&format!("ip link set {name}-peer up"));
    }
}

fn key(prefix: &str) -> RouteKey {
    RouteKey::main(prefix.parse().unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn via(gateway: &str, device: &str) -> NextHop {
    NextHop::gateway(ip(gateway)).dev(device)
}

fn route(hops: impl IntoIterator<Item = NextHop>) -> Arc<Route> {
    Arc::new(Route::via(hops))
}

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

/// Records what happens to routes, apart from the code under test.
struct Monitor {
    child: std::process::Child,
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
    fn lines(mut self) -> Vec<String> {
        self.mark(2);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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
        table: RouteKey::MAIN,
        metrics: vec![30],
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

fn overlay() -> Overlay {
    Overlay::new(100, ip("10.0.0.1"), 1450).gateway("10.100.0.1/24".parse().unwrap())
}

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

/// One overlay with a remote host, and routes of both families.
fn one_of_each() -> Vec<Entry> {
    let mac = "02:00:00:00:00:01".parse().unwrap();
    let fdb = FdbKey {
        device: "vx100".into(),
        mac,
    };
    let flood = FloodKey {
        device: "vx100".into(),
        vtep: ip("10.0.0.2"),
    };
    let neighbour = NeighbourKey {
        device: "br100".into(),
        ip: ip("10.100.0.7"),
    };
    let remote = RemoteMac {
        vtep: ip("10.0.0.2"),
        sticky: false,
    };
    let blackhole = Arc::new(Route::refuse(RouteKind::Blackhole));
    vec![
        Entry::Overlay(100, Arc::new(overlay())),
        Entry::Fdb(fdb, remote),
        Entry::Flood(flood),
        Entry::Neighbour(neighbour, Neighbour { mac, router: false }),
        Entry::Route(key("10.9.0.0/16"), route([via("10.0.0.2", "ua")])),
        Entry::Route(key("10.8.0.0/16"), blackhole),
        Entry::Route(key("fd09::/32"), route([via("fd00::2", "ua")])),
    ]
}

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
            "`foo` has VNI 100 on port 4789 already; `ip link del foo` makes room",
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

#[test]
fn remote_hosts_are_written_as_frr_writes_them() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let device = fib::Device::from("vx100");
    let mac: fib::Mac = "02:00:00:00:00:01".parse().unwrap();
    let fdb = FdbKey {
        device: device.clone(),
        mac,
    };
    let flood = |vtep| FloodKey {
        device: device.clone(),
        vtep: ip(vtep),
    };
    let host = |text| NeighbourKey {
        device: "br100".into(),
        ip: ip(text),
    };
    // Entries before their device, on purpose.
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            vtep: ip("10.0.0.2"),
            sticky: false,
        },
    ));
    kernel.want(Entry::Flood(flood("10.0.0.2")));
    kernel.want(Entry::Flood(flood("10.0.0.3")));
    for address in ["10.100.0.7", "fd64::7"] {
        kernel.want(Entry::Neighbour(
            host(address),
            Neighbour { mac, router: false },
        ));
    }
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.flush().unwrap();
    until("bridge fdb show; ip neigh; ip -6 neigh", |text| {
        text.contains("02:00:00:00:00:01 dev vx100 extern_learn master br100")
            && text.contains("02:00:00:00:00:01 dev vx100 dst 10.0.0.2 self extern_learn")
            && text.contains("00:00:00:00:00:00 dev vx100 dst 10.0.0.2 self permanent")
            && text.contains("00:00:00:00:00:00 dev vx100 dst 10.0.0.3 self permanent")
            && text.contains("10.100.0.7 dev br100 lladdr 02:00:00:00:00:01 extern_learn NOARP")
            && text.contains("fd64::7 dev br100 lladdr 02:00:00:00:00:01 extern_learn NOARP")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);

    // It moves to another site.
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            vtep: ip("10.0.0.3"),
            sticky: false,
        },
    ));
    until("bridge fdb show dev vx100", |text| {
        text.contains("dst 10.0.0.3 self extern_learn")
            && !text.contains("02:00:00:00:00:01 dst 10.0.0.2")
    });
    // By hand.
    run("bridge fdb del 02:00:00:00:00:01 dev vx100 master");
    run("bridge fdb del 00:00:00:00:00:00 dev vx100 dst 10.0.0.2");
    run("ip neigh del 10.100.0.7 dev br100");
    until("bridge fdb show dev vx100; ip neigh", |text| {
        text.contains("02:00:00:00:00:01 extern_learn master br100")
            && text.contains("00:00:00:00:00:00 dst 10.0.0.2 self")
            && text.contains("10.100.0.7 dev br100 lladdr")
    });
    run("ip link set vx100 down");
    until("bridge fdb show dev vx100", |text| {
        text.contains("dst 10.0.0.3 self extern_learn")
    });

    // The next run takes everything over, keeps it, and sweeps what it does not want.
    kernel.flush().unwrap();
    kernel.stop(true);
    let (kernel, _) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.want(Entry::Flood(flood("10.0.0.2")));
    kernel.flush().unwrap();
    assert!(run("bridge fdb show dev vx100").contains("dst 10.0.0.3 self extern_learn"));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    until("bridge fdb show dev vx100; ip neigh", |text| {
        text.contains("00:00:00:00:00:00 dst 10.0.0.2 self permanent")
            && !text.contains("10.0.0.3")
            && !text.contains("02:00:00:00:00:01")
    });
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
    assert!(!run("bridge fdb show dev vx100").contains("10.0.0.2"));
}

/// Somebody makes a static entry where ours is. It stays as it is, whatever we wish, and ours is
/// back when it goes by the command that the error names.
#[test]
fn static_entries_of_others_are_neither_changed_nor_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (mut kernel, mut heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    for (replace, shown, theirs, ours, place) in [
        (
            "bridge fdb replace 02:00:00:00:00:01 dev vx100 dst 10.9.9.9 self static",
            "bridge fdb show dev vx100",
            "02:00:00:00:00:01 dst 10.9.9.9 self static",
            "02:00:00:00:00:01 dst 10.0.0.2 self extern_learn",
            1,
        ),
        (
            "bridge fdb replace 02:00:00:00:00:01 dev vx100 master static",
            "bridge fdb show dev vx100 | grep master",
            "static",
            "02:00:00:00:00:01 extern_learn master br100",
            1,
        ),
        (
            "ip neigh replace 10.100.0.7 lladdr 02:00:00:00:00:99 dev br100 nud permanent",
            "ip neigh show dev br100",
            "10.100.0.7 lladdr 02:00:00:00:00:99 PERMANENT",
            "10.100.0.7 lladdr 02:00:00:00:00:01 extern_learn",
            3,
        ),
    ] {
        let entry = one_of_each().swap_remove(place);
        let from = heard.count();
        run(replace);
        let refusal = |heard: &Heard, from| {
            let name = entry.key();
            heard.wait_from(
                from,
                replace,
                |event| matches!(event, Event::Failed { key, occupied: true, .. } if *key == name),
            )
        };
        let from = refusal(&heard, from);
        let stands = || {
            let text = run(shown);
            assert!(text.contains(theirs), "{replace}: {text}");
        };
        let found = kernel.verify().unwrap();
        let [difference] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(difference.occupied && difference.key == entry.key());
        stands();
        // Told once, and not again when other circumstances change.
        run("ip link add dm type veth peer name dn; ip link set dm up; ip link del dm");
        kernel.flush().unwrap();
        let name = entry.key();
        let events = heard.events.lock().unwrap();
        let again = |event: &&Event| matches!(event, Event::Failed { key, .. } if *key == name);
        assert_eq!(events[from..].iter().filter(again).count(), 0);
        drop(events);
        // Neither a wish taken back nor a restart touches it.
        kernel.unwant(entry.key());
        kernel.flush().unwrap();
        stands();
        kernel.stop(false);
        stands();
        (kernel, heard) = start();
        kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
        kernel.sweep(Sweep::All);
        kernel.flush().unwrap();
        refusal(&heard, 0);
        stands();

        let error = kernel.status(entry.key()).unwrap().error.unwrap();
        let command = error.split('`').nth(1).unwrap();
        run(command);
        until_within(Duration::from_millis(500), shown, |text| {
            text.contains(ours)
        });
        assert_eq!(kernel.verify().unwrap(), [], "{replace}");
    }
}

#[test]
fn hosts_on_this_side_are_told() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.flush().unwrap();
    run("ip link add p type veth peer name vm; ip link set p master br100 up; ip link set vm up");
    // The kernel opens a port a moment after its carrier came.
    until("bridge link show dev p", |text| {
        text.contains("state forwarding")
    });
    run("bridge fdb add 02:00:00:00:00:02 dev p master dynamic");
    run("bridge fdb add 02:00:00:00:00:03 dev p master static");
    let mac = |text: &str, is_present: bool, is_sticky: bool| {
        let wanted: fib::Mac = text.parse().unwrap();
        move |event: &Event| {
            matches!(event, Event::LocalMac { vni: 100, mac, present, sticky, .. }
                if *mac == wanted && *present == is_present && *sticky == is_sticky)
        }
    };
    heard.wait("learned", mac("02:00:00:00:00:02", true, false));
    heard.wait("pinned", mac("02:00:00:00:00:03", true, true));
    run("bridge fdb del 02:00:00:00:00:02 dev p master");
    heard.wait("forgotten", mac("02:00:00:00:00:02", false, false));
    run("ip neigh add 10.100.0.9 lladdr 02:00:00:00:00:02 dev br100");
    let neighbour = |is_present: bool| {
        move |event: &Event| {
            matches!(event, Event::LocalNeighbour { vni: 100, ip: host, present, .. }
                if *host == ip("10.100.0.9") && *present == is_present)
        }
    };
    let from = heard.wait("neighbour", neighbour(true));
    run("ip neigh del 10.100.0.9 dev br100");
    heard.wait_from(from, "no neighbour", neighbour(false));

    // Our own entries are not local.
    let remote: fib::Mac = "02:00:00:00:00:04".parse().unwrap();
    let fdb = FdbKey {
        device: "vx100".into(),
        mac: remote,
    };
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            vtep: ip("10.0.0.2"),
            sticky: false,
        },
    ));
    kernel.flush().unwrap();
    let is_remote = |event: &Event| matches!(event, Event::LocalMac { mac, .. } if *mac == remote);
    assert!(!heard.any(is_remote));
    // The host moves here: told at once, and not taken back before the owner had its say.
    let from = heard.count();
    run("ip link set vm down; ip link set vm address 02:00:00:00:00:04; ip link set vm up");
    heard.wait_from(from, "moved", mac("02:00:00:00:00:04", true, false));
    assert!(run("bridge fdb show dev p").contains("02:00:00:00:00:04"));
    kernel.unwant(Key::Fdb(fdb));
    kernel.flush().unwrap();
    assert!(run("bridge fdb show dev p").contains("02:00:00:00:00:04"));
    assert!(!run("bridge fdb show dev vx100").contains("02:00:00:00:00:04"));

    // Somebody who starts later hears it as well.
    kernel.stop(true);
    let (_kernel, heard) = start();
    let ready = heard.wait("ready", |event| *event == Event::Ready);
    assert!(heard.wait("known", mac("02:00:00:00:00:04", true, false)) < ready);
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
    let count = 20_000;
    kernel.changes(many_routes(count, &Arc::new(both)));
    kernel.flush().unwrap();
    let all = usize::try_from(count).unwrap();
    assert_eq!((through("ua"), through("ub")), (all, 0));
    let text = run("ip nexthop");
    assert_eq!(text.lines().count(), 1, "{text}");

    // The kernel's own count of messages about nexthop objects.
    let mut monitor = Command::new("ip")
        .args(["monitor", "nexthop"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(monitor.stdout.take().unwrap());
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
    while told.try_recv().is_ok() {}
    kernel.lose(1);
    let moved = told.recv_timeout(PATIENCE).unwrap();
    assert!(moved.contains("10.0.1.2"), "{moved}");
    assert_eq!((through("ua"), through("ub")), (0, all));

    // What the owner decides, route by route, is there already.
    kernel.changes(many_routes(count, &Arc::new(Route::via([second.clone()]))));
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!((through("ua"), through("ub")), (0, all));
    run("ip nexthop replace id 10 blackhole");
    let next = told.recv_timeout(PATIENCE).unwrap();
    assert!(
        next.contains("id 10"),
        "one message moved everything: {next}"
    );

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
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    reader.join().unwrap();
    kernel.stop(false);
    assert_eq!(through("ub"), 0);
}
