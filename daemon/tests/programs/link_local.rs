//! Two neighbours with one link-local address, each on a link of its own, against the real kernel.
//!
//! ```text
//!                       ┌─ eth0 fe80::2 ── fe80::1 ─ left  (AS 65002): 10.2.0.0/16
//!   hub (AS 65001) ─────┤
//!                       └─ eth1 fe80::2 ── fe80::1 ─ right (AS 65003): 10.3.0.0/16
//! ```
//!
//! Both announce 10.9.0.0/16 as well, and an IPv6 network each. Needs root and `ip`.

use serde_json::Value;

use crate::daemon::{until, until_text};
use crate::site::{Site, namespaces};

/// What is the same for all neighbours.
const SESSION: &str = "timers = { connect_retry = \"1s\" }\nbfd = true\n\
                       ipv4_unicast = {}\nipv6_unicast = {}\n";

const BOTH: [&str; 2] = ["fe80::1%eth0", "fe80::1%eth1"];

/// How neighbours know each other.
#[derive(Clone, Copy)]
enum Known {
    ByAddress,
    ByInterface,
}

struct Fabric {
    hub: Site,
    spokes: [Site; 2],
}

impl Fabric {
    /// Links and daemons, which know each other in one way and say `keys` of their neighbours.
    fn start(subject: &str, known: Known, keys: [&str; 2]) -> Option<Self> {
        let [mut hub_site, left, right] = namespaces(subject, 3)?.try_into().ok()?;
        let mut spokes = [left, right];
        for (at, spoke) in spokes.iter_mut().enumerate() {
            hub_site.wire(&format!("eth{at}"), spoke, "eth0");
            spoke.on_link("eth0", "fe80::1");
            hub_site.on_link(&format!("eth{at}"), "fe80::2");
            let number = 2 + at;
            let who = match known {
                Known::ByAddress => "address = \"fe80::2%eth0\"",
                Known::ByInterface => "interface = \"eth0\"",
            };
            spoke.start(&format!(
                "asn = 6500{number}\nrouter_id = \"10.0.0.{number}\"\n\
                 [ipv4_unicast]\nnetworks = [\"10.{number}.0.0/16\", \"10.9.0.0/16\"]\n\
                 [ipv6_unicast]\nnetworks = [\"2001:db8:{number}::/48\"]\n\
                 [[neighbor]]\n{who}\nremote_as = 65001\n{}{SESSION}",
                keys[at]
            ));
        }
        hub_site.start(&hub(known, keys));
        hub_site.daemon().until_logged("rbgpd runs");
        Some(Self {
            hub: hub_site,
            spokes,
        })
    }

    /// Routes in the hub's kernel, on one line each.
    fn routes(&self, prefix: &str) -> String {
        let v6 = if prefix.contains(':') { "-6 " } else { "" };
        self.hub.seen(&format!("{v6}-o route show {prefix}"))
    }

    #[track_caller]
    fn until_routed(&self, prefix: &str, interfaces: &[&str]) {
        until_text(
            prefix,
            || self.routes(prefix),
            |routes| {
                let leaves = |name: &str| {
                    let by = |v6| routes.contains(&format!("via {v6}fe80::1 dev {name} "));
                    by("") || by("inet6 ")
                };
                ["eth0", "eth1"]
                    .iter()
                    .all(|name| leaves(name) == interfaces.contains(name))
            },
        );
    }

    /// Everything leads where it should when both sessions are up.
    #[track_caller]
    fn until_whole(&self) {
        let hub = self.hub.daemon();
        until("both are Established with BFD", || {
            let summary = hub.json("show summary");
            let all = summary["neighbors"].as_array().unwrap();
            let up = |it: &&Value| it["state"] == "Established" && it["bfd"] == "up";
            let up = all.iter().filter(up).map(|it| it["address"].clone());
            let mut up: Vec<Value> = up.collect();
            up.sort_by_key(ToString::to_string);
            (up == BOTH).then_some(()).ok_or(summary.to_string())
        });
        for (prefix, interfaces) in [
            ("10.2.0.0/16", &["eth0"][..]),
            ("10.3.0.0/16", &["eth1"]),
            ("10.9.0.0/16", &["eth0", "eth1"]),
            ("2001:db8:2::/48", &["eth0"]),
            ("2001:db8:3::/48", &["eth1"]),
        ] {
            self.until_routed(prefix, interfaces);
        }
        for spoke in &self.spokes {
            spoke.until_seen("-o route show 10.1.0.0/16", |routes| {
                routes.contains("via inet6 fe80::2 dev eth0 ")
            });
        }
    }

    fn established(&self, address: &str) -> u64 {
        let answer = self.hub.daemon().json(&format!("show neighbors {address}"));
        assert_eq!(answer["neighbors"][0]["address"], address);
        answer["neighbors"][0]["established"].as_u64().unwrap()
    }
}

fn hub(known: Known, keys: [&str; 2]) -> String {
    let mut text = "asn = 65001\nrouter_id = \"10.0.0.1\"\n\
                    [ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\n\
                    multipath = { paths = 2, as_path_relax = true }\n"
        .to_owned();
    for (at, keys) in keys.into_iter().enumerate() {
        let who = match (known, at) {
            (Known::ByInterface, _) => format!("interface = \"eth{at}\""),
            (Known::ByAddress, 0) => "address = \"fe80::1%eth0\"".to_owned(),
            (Known::ByAddress, _) => format!("address = \"fe80::1\"\ninterface = \"eth{at}\""),
        };
        text += &format!(
            "[[neighbor]]\n{who}\nremote_as = 6500{}\n{keys}{SESSION}",
            at + 2
        );
    }
    text
}

#[test]
fn two_neighbours_with_one_link_local_address_are_two() {
    whole_life("ll-address", Known::ByAddress);
}

#[test]
fn two_routers_heard_with_one_link_local_address_are_two() {
    whole_life("ll-interface", Known::ByInterface);
}

fn whole_life(subject: &str, known: Known) {
    let Some(mut fabric) = Fabric::start(subject, known, ["", ""]) else {
        return;
    };
    fabric.until_whole();
    let daemon = fabric.hub.daemon();

    // Who is asked for, or ordered about.
    for line in [
        "show neighbors fe80::1",
        "show routes --received fe80::1",
        "clear fe80::1",
        "drain --neighbor fe80::1 --dry-run",
    ] {
        let said = daemon.said(line);
        let both = "several neighbours: `fe80::1%eth0` and `fe80::1%eth1`";
        assert!(said.contains(both), "{line}: {said}");
    }
    let received = daemon.json("show routes --received fe80::1%eth1");
    let received: Vec<&Value> = received["routes"].as_array().unwrap().iter().collect();
    assert_eq!(received.len(), 3, "{received:?}");
    for route in received {
        assert_eq!(route["neighbor"], "fe80::1%eth1");
        assert_eq!(route["next_hops"], serde_json::json!(["fe80::1%eth1"]));
    }
    let explained = daemon.said("explain 10.3.0.0/16");
    assert!(explained.contains("fe80::1%eth1"), "{explained}");
    let metrics = daemon.exchange("GET /metrics HTTP/1.0\r\n\r\n");
    for address in BOTH {
        let label = format!("neighbor=\"{address}\"");
        assert!(metrics.contains(&label), "{metrics}");
    }

    // One session is made anew, and only that one. Two connections at once may have cost a session
    // before.
    let before = BOTH.map(|address| fabric.established(address));
    assert!(daemon.ctl("clear fe80::1%eth1").status.success());
    until("the cleared one is back", || {
        match fabric.established(BOTH[1]) {
            times if times == before[1] + 1 => Ok(()),
            times => Err(times.to_string()),
        }
    });
    fabric.until_whole();
    assert_eq!(fabric.established(BOTH[0]), before[0]);

    // A crash and a start leave routes in place.
    fabric.hub.kill();
    assert!(fabric.routes("10.2.0.0/16").contains("dev eth0"));
    fabric.hub.start(&hub(known, ["", ""]));
    fabric.hub.daemon().until_logged("rbgpd runs");
    fabric.until_whole();
    let daemon = fabric.hub.daemon();
    daemon.until_said("verify", |said| said.starts_with("Equal"));

    // One goes down, and only its routes go.
    let other = fabric.established(BOTH[1]);
    fabric.spokes[0].ip("link set eth0 down");
    fabric.until_routed("10.2.0.0/16", &[]);
    fabric.until_routed("2001:db8:2::/48", &[]);
    fabric.until_routed("10.9.0.0/16", &["eth1"]);
    fabric.until_routed("10.3.0.0/16", &["eth1"]);
    assert_eq!(fabric.established(BOTH[1]), other);
    fabric.spokes[0].ip("link set eth0 up");
    fabric.spokes[0].on_link("eth0", "fe80::1");
    fabric.until_whole();
}

#[test]
fn neighbours_with_one_link_local_address_may_have_keys_of_their_own() {
    let keys = ["password = \"one-word\"\n", "password = \"another\"\n"];
    for (subject, known) in [
        ("ll-keys", Known::ByAddress),
        ("ll-keys-heard", Known::ByInterface),
    ] {
        let Some(fabric) = Fabric::start(subject, known, keys) else {
            return;
        };
        fabric.until_whole();
        let log = fabric.hub.daemon().lines("different keys");
        assert!(!log.is_empty(), "{subject}");
    }
}
