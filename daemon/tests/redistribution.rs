//! Routes of other programs in the kernel, announced by one built rbgpd and heard by another, and
//! what policy says about routes in the kernel; in namespaces.
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)      a's `inner`: 10.60.0.1/24
//! ```

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

struct Site {
    namespace: String,
    place: PathBuf,
    number: u8,
    daemon: Option<Child>,
}

impl Site {
    fn new(test: &str, number: u8) -> Self {
        let namespace = format!("rbgpd-{test}-{}-{number}", std::process::id());
        ip(&format!("netns add {namespace}"));
        let place = std::env::temp_dir().join(&namespace);
        std::fs::create_dir_all(&place).unwrap();
        Self {
            namespace,
            place,
            number,
            daemon: None,
        }
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.namespace));
    }

    /// What `ip` prints in the namespace.
    fn seen(&self, arguments: &str) -> String {
        let output = Command::new("ip")
            .args(["-n", &self.namespace])
            .args(arguments.split(' '))
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    fn write(&self, extra: &str) -> PathBuf {
        let (number, other) = (self.number, 3 - self.number);
        let config = self.place.join("rbgpd.toml");
        let text = format!(
            "asn = 6500{number}\nrouter_id = \"10.10.0.{number}\"\n\
             [[neighbor]]\naddress = \"10.10.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\n\
             ipv4_unicast = {{ import = \"IN\" }}\nipv6_unicast = {{}}\n{extra}\n"
        );
        let text = match extra.contains("\"IN\"") {
            true => text,
            false => {
                text + "[[route_map]]\nname = \"IN\"\nentry = [{ seq = 10, action = \"permit\" }]\n"
            }
        };
        std::fs::write(&config, text).unwrap();
        config
    }

    fn start(&mut self, extra: &str) {
        let config = self.write(extra);
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .arg(env!("CARGO_BIN_EXE_rbgpd"))
            .arg("--config")
            .arg(config)
            .arg("--socket")
            .arg(self.place.join("socket"))
            .arg("--state-dir")
            .arg(self.place.join("state"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.daemon = Some(child.unwrap());
    }

    fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    fn reload(&self, extra: &str) {
        self.write(extra);
        let answer = self.ask(&["reload"]);
        assert!(!answer.contains("error"), "{answer}");
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_rbgpctl"))
            .arg("--socket")
            .arg(self.place.join("socket"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }

    /// Prefixes that came from the neighbour, each with next hop and MED, and what else is
    /// shown: `10.60.0.0/24 10.10.0.1 0 ?`.
    fn heard(&self) -> Vec<String> {
        let text = self.ask(&["show", "routes", "--json"]);
        let Ok(shown) = serde_json::from_str::<Value>(&text) else {
            return vec![text];
        };
        let empty = Vec::new();
        let routes = shown["routes"].as_array().unwrap_or(&empty).iter();
        let from_neighbor = routes.filter(|it| it["neighbor"].is_string());
        let mut all: Vec<String> = from_neighbor
            .map(|it| {
                let origin = match it["origin"].as_str() {
                    Some("incomplete") => "?",
                    _ => "i",
                };
                format!(
                    "{} {} {} {origin}",
                    it["prefix"].as_str().unwrap(),
                    it["next_hops"][0].as_str().unwrap(),
                    it["med"]
                )
            })
            .collect();
        all.sort();
        all
    }

    #[track_caller]
    fn until_heard(&self, wanted: &[&str]) {
        until(&format!("{wanted:?}"), || {
            let heard = self.heard();
            (heard == wanted).then_some(()).ok_or(format!("{heard:#?}"))
        });
    }

    #[track_caller]
    fn until_seen(&self, arguments: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(arguments, || {
            let seen = self.seen(arguments);
            if wanted(&seen) { Ok(seen) } else { Err(seen) }
        })
    }

    #[track_caller]
    fn until_says(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        until(&arguments.join(" "), || {
            let says = self.ask(arguments);
            if wanted(&says) { Ok(says) } else { Err(says) }
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = Command::new("ip")
            .args(["netns", "del", &self.namespace])
            .status();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "{what}: {seen}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Two sites on a wire; a has a network behind it.
fn sites(test: &str) -> Option<(Site, Site)> {
    let probe = format!("rbgpd-{test}-{}p", std::process::id());
    let run = |verb| Command::new("ip").args(["netns", verb, &probe]).output();
    if !run("add").is_ok_and(|output| output.status.success()) {
        println!("skipped: no right to make namespaces");
        return None;
    }
    let _ = run("del");
    let (a, b) = (Site::new(test, 1), Site::new(test, 2));
    ip(&format!(
        "link add wire netns {} type veth peer name wire netns {}",
        a.namespace, b.namespace
    ));
    for site in [&a, &b] {
        site.ip("link set lo up");
        site.ip(&format!("addr add 10.10.0.{}/24 dev wire", site.number));
        site.ip(&format!("addr add fd10::{}/64 dev wire nodad", site.number));
        site.ip("link set wire up");
    }
    a.ip("link add inner type veth peer name inside");
    a.ip("link set inside up");
    a.ip("addr add 10.60.0.1/24 dev inner");
    a.ip("addr add fd60::1/64 dev inner nodad");
    a.ip("link set inner up");
    Some((a, b))
}

const ALL: &str = r#"
[ipv4_unicast]
redistribute = ["connected", { source = "static", metric = 7 }, { source = 188 }, { table = 100 }]
[ipv6_unicast]
redistribute = ["connected", "static"]
"#;

#[test]
fn the_neighbor_hears_of_each_change_in_the_kernel_at_once() {
    let Some((mut a, mut b)) = sites("redist") else {
        return;
    };
    a.ip("route add 10.70.0.0/16 via 10.60.0.9 proto static");
    a.ip("route add 10.71.0.0/16 via 10.10.0.77 proto 188 metric 33");
    a.ip("route add 10.72.0.0/16 via 10.10.0.2 proto 188 metric 33");
    a.ip("route add 10.73.0.0/16 via 10.60.0.9 proto bird");
    a.ip("route add 10.74.0.0/16 via 10.60.0.9 table 100");
    a.ip("route add blackhole 10.75.0.0/16 proto static");
    a.ip("route add fd70::/16 via fd60::9 proto static");
    a.start(ALL);
    b.start("");
    let connected = ["10.10.0.0/24 10.10.0.1 0 ?", "10.60.0.0/24 10.10.0.1 0 ?"];
    let others = [
        "10.70.0.0/16 10.10.0.1 7 ?",
        // The gateway is on the wire; that of the next one is the neighbour itself.
        "10.71.0.0/16 10.10.0.77 33 ?",
        "10.72.0.0/16 10.10.0.1 33 ?",
        "10.74.0.0/16 10.10.0.1 0 ?",
        "10.75.0.0/16 10.10.0.1 7 ?",
    ];
    let ipv6 = [
        "fd10::/64 fd10::1 0 ?",
        "fd60::/64 fd10::1 0 ?",
        "fd70::/16 fd10::1 1024 ?",
    ];
    b.until_heard(&[&connected[..], &others, &ipv6].concat());

    // Where they come from.
    for (prefix, place) in [
        (
            "10.60.0.0/24",
            "this router, redistributed from connected, dev inner",
        ),
        (
            "10.70.0.0/16",
            "this router, redistributed from static, via 10.60.0.9 dev inner",
        ),
        (
            "10.71.0.0/16",
            "this router, redistributed from ospf, via 10.10.0.77 dev wire",
        ),
        (
            "10.74.0.0/16",
            "redistributed from boot, table 100, via 10.60.0.9 dev inner",
        ),
        (
            "10.75.0.0/16",
            "this router, redistributed from static, blackhole",
        ),
    ] {
        let explained = a.ask(&["explain", prefix]);
        assert!(explained.contains(place), "{explained}");
    }
    let shown = a.ask(&["show", "routes"]);
    let row = |prefix: &str| shown.lines().find(|line| line.contains(prefix)).unwrap();
    assert!(row("10.71.0.0/16").contains(" ospf "), "{shown}");
    assert!(row("10.60.0.0/24").contains(" connected "), "{shown}");

    // Added, replaced, removed, flushed.
    a.ip("route add 10.76.0.0/16 via 10.60.0.9 proto static");
    a.ip("route replace 10.71.0.0/16 via 10.10.0.78 proto 188 metric 33");
    a.ip("route del 10.75.0.0/16");
    a.ip("route flush table 100");
    let others = [
        "10.70.0.0/16 10.10.0.1 7 ?",
        "10.71.0.0/16 10.10.0.78 33 ?",
        "10.72.0.0/16 10.10.0.1 33 ?",
        "10.76.0.0/16 10.10.0.1 7 ?",
    ];
    b.until_heard(&[&connected[..], &others, &ipv6].concat());

    // Of the interface that goes down the kernel drops routes without a word.
    a.ip("link set inner down");
    let left = [
        "10.10.0.0/24 10.10.0.1 0 ?",
        "10.71.0.0/16 10.10.0.78 33 ?",
        "10.72.0.0/16 10.10.0.1 33 ?",
        "fd10::/64 fd10::1 0 ?",
    ];
    b.until_heard(&left);
    a.ip("link set inner up");
    let connected6 = "fd10::/64 fd10::1 0 ?";
    b.until_heard(&[connected[0], connected[1], left[1], left[2], connected6]);
    // Without carrier it leads nowhere either, and the kernel keeps it.
    a.ip("link set inside down");
    b.until_heard(&[connected[0], left[1], left[2], connected6]);
    a.ip("link set inside up");
    b.until_heard(&[connected[0], connected[1], left[1], left[2], connected6]);

    // A reload changes what it is about.
    a.reload(
        r#"
[ipv4_unicast]
networks = ["10.71.0.0/16"]
redistribute = [{ source = "connected", route_map = "INNER" }, { table = 101 }]
[[route_map]]
name = "INNER"
entry = [{ seq = 10, action = "permit", match = { interface = "inner" }, set = { metric = 5 } }]
"#,
    );
    a.ip("route add 10.77.0.0/16 via 10.60.0.9 table 101 metric 9");
    b.until_heard(&[
        "10.60.0.0/24 10.10.0.1 5 ?",
        "10.71.0.0/16 10.10.0.1 null i",
        "10.77.0.0/16 10.10.0.1 9 ?",
    ]);
    // The interface changes its name.
    a.ip("link set inner down");
    a.ip("link set inner name other");
    a.ip("link set other up");
    b.until_heard(&["10.71.0.0/16 10.10.0.1 null i"]);
    a.reload("");
    b.until_heard(&[]);
}

#[test]
fn export_maps_tell_redistributed_routes_apart() {
    let Some((mut a, mut b)) = sites("match") else {
        return;
    };
    a.ip("route add 10.70.0.0/16 via 10.60.0.9 proto static");
    a.ip("route add 10.71.0.0/16 via 10.60.0.9 proto ospf");
    let config = |conditions: &str| {
        format!(
            "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\nredistribute = [\"any\"]\n\
             [[route_map]]\nname = \"OUT\"\nentry = [{{ seq = 10, action = \"permit\", match = {{ {conditions} }} }}]\n\
             [[route_map]]\nname = \"IN\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n"
        )
    };
    let with_export = |site: &Site, extra: &str| {
        let path = site.write(extra);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("import = \"IN\"", "import = \"IN\", export = \"OUT\"");
        std::fs::write(path, text).unwrap();
    };
    a.start(&config("source = \"static\""));
    with_export(&a, &config("source = \"static\""));
    a.until_says(&["reload"], |it| !it.contains("error"));
    b.start("");
    b.until_heard(&["10.70.0.0/16 10.10.0.1 0 ?"]);
    with_export(&a, &config("source = [\"connected\", 188]"));
    a.ask(&["reload"]);
    b.until_heard(&[
        "10.10.0.0/24 10.10.0.1 0 ?",
        "10.60.0.0/24 10.10.0.1 0 ?",
        "10.71.0.0/16 10.10.0.1 0 ?",
    ]);
    with_export(&a, &config("interface = \"wire\""));
    a.ask(&["reload"]);
    b.until_heard(&["10.10.0.0/24 10.10.0.1 0 ?"]);
}

#[test]
fn two_that_redistribute_at_each_other_do_not_keep_a_route_alive() {
    let Some((mut a, mut b)) = sites("loop") else {
        return;
    };
    let any = "[ipv4_unicast]\nredistribute = [\"any\"]\n";
    a.ip("route add 10.70.0.0/16 via 10.60.0.9 proto static");
    a.start(any);
    b.start(any);
    b.until_seen("route show 10.70.0.0/16", |it| {
        it.contains("via 10.10.0.1") && it.contains("proto bgp")
    });
    // b does not tell a its own route again, and what it has is not its own.
    let explained = b.ask(&["explain", "10.70.0.0/16"]);
    assert!(!explained.contains("this router"), "{explained}");
    assert!(a.heard().iter().all(|it| !it.starts_with("10.70.")));
    a.ip("route del 10.70.0.0/16");
    b.until_seen("route show 10.70.0.0/16", str::is_empty);
    assert!(!b.ask(&["show", "routes"]).contains("10.70.0.0/16"));
    assert!(!a.ask(&["show", "routes"]).contains("10.70.0.0/16"));
    // One that has the route from elsewhere announces it, and the other's goes.
    b.ip("route add 10.70.0.0/16 via 10.10.0.99 proto static");
    a.until_seen("route show 10.70.0.0/16", |it| {
        it.contains("via 10.10.0.99") && it.contains("proto bgp")
    });
    b.ip("route del 10.70.0.0/16");
    a.until_seen("route show 10.70.0.0/16", str::is_empty);
}

#[test]
fn policy_puts_routes_into_another_table_and_gives_them_a_source() {
    let Some((mut a, mut b)) = sites("table") else {
        return;
    };
    let map = |set: &str| {
        format!(
            "[graceful_restart]\ndeferral_time = \"5s\"\n\
             [[route_map]]\nname = \"IN\"\nentry = [{{ seq = 10, action = \"permit\", set = {{ {set} }} }}]\n"
        )
    };
    b.ip("link add dummy type veth peer name peer");
    b.ip("link set dummy up");
    b.ip("addr add 10.80.0.2/32 dev dummy");
    a.start("[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\", \"10.2.0.0/16\"]\n");
    b.start(&map("table = 100, src = \"10.80.0.2\""));
    let moved = "10.1.0.0/16 via 10.10.0.1 dev wire src 10.80.0.2 metric 20";
    let in_table = |table: &str| format!("route show table {table} proto bgp");
    let both = |seen: &str, wanted: &str| {
        let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        let without_object = words.replace("nhid ", "").replace(" onlink", "");
        ["10.1.0.0/16", "10.2.0.0/16"].iter().all(|prefix| {
            let wanted = wanted.replace("10.1.0.0/16", prefix);
            wanted.split(' ').all(|word| without_object.contains(word))
        }) && seen.lines().count() == 2
    };
    b.until_seen(&in_table("100"), |it| both(it, moved));
    b.until_seen(&in_table("main"), str::is_empty);
    let explained = b.until_says(&["explain", "10.1.0.0/16"], |it| it.contains("installed"));
    assert!(
        explained.contains("route 10.1.0.0/16 table 100: installed"),
        "{explained}"
    );
    let verified = b.ask(&["verify", "--json"]);
    assert!(verified.contains("\"equal\":true"), "{verified}");

    // Taken away by hand: put back.
    b.ip("route del 10.1.0.0/16 table 100");
    b.until_seen(&in_table("100"), |it| both(it, moved));

    // A crash leaves them; the next start takes them over, and moves them as its policy says.
    b.kill();
    assert!(both(&b.seen(&in_table("100")), moved));
    b.start(&map("table = 100, src = \"10.80.0.2\""));
    b.until_says(&["explain", "10.1.0.0/16"], |it| {
        it.contains("route 10.1.0.0/16 table 100: installed")
    });
    assert!(both(&b.seen(&in_table("100")), moved));
    b.reload(&map("table = 101"));
    let plain = "10.1.0.0/16 via 10.10.0.1 dev wire metric 20";
    b.until_seen(&in_table("101"), |it| {
        both(it, plain) && !it.contains("src")
    });
    b.until_seen(&in_table("100"), str::is_empty);
    b.reload(&map("tag = 1"));
    b.until_seen(&in_table("main"), |it| both(it, plain));
    b.until_seen(&in_table("101"), str::is_empty);
    // The address goes, and the kernel drops the routes of its main table with it; it comes again.
    b.reload(&map("src = \"10.80.0.2\""));
    b.until_seen(&in_table("main"), |it| both(it, moved));
    b.ip("addr del 10.80.0.2/32 dev dummy");
    b.until_seen(&in_table("main"), str::is_empty);
    b.until_says(&["explain", "10.1.0.0/16"], |it| {
        it.contains("NOT installed")
    });
    b.ip("addr add 10.80.0.2/32 dev dummy");
    b.until_seen(&in_table("main"), |it| both(it, moved));
    b.reload(&map("table = 102"));
    b.until_seen(&in_table("102"), |it| both(it, plain));
    a.reload("[ipv4_unicast]\nnetworks = [\"10.3.0.0/16\"]\n");
    b.until_seen(&in_table("102"), |it| {
        it.contains("10.3.0.0/16") && it.lines().count() == 1
    });
    b.until_seen(&in_table("main"), str::is_empty);
}
