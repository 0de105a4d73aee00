//! Routes of other programs in the kernel, announced by one built rbgpd and heard by another, and
//! what policy says about routes in the kernel; in namespaces.
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)      a's `inner`: 10.60.0.1/24
//! ```

use serde_json::Value;

use crate::daemon::until;
use crate::site::{self, Site};

/// Two sites on a wire; a has a network behind it.
fn sites(subject: &str) -> Option<(Site, Site)> {
    let (a, b) = site::sites(subject)?;
    for site in [&a, &b] {
        site.ip(&format!("addr add fd10::{}/64 dev wire nodad", site.number));
    }
    a.ip("link add inner type veth peer name inside");
    a.ip("link set inside up");
    a.ip("addr add 10.60.0.1/24 dev inner");
    a.ip("addr add fd60::1/64 dev inner nodad");
    a.ip("link set inner up");
    Some((a, b))
}

/// A session over which all is taken, unless `extra` has a map of that name.
fn config(site: &Site, extra: &str) -> String {
    let map = match extra.contains("\"IN\"") {
        true => "",
        false => "[[route_map]]\nname = \"IN\"\nentry = [{ seq = 10, action = \"permit\" }]\n",
    };
    site.config(&format!(
        "ipv4_unicast = {{ import = \"IN\" }}\nipv6_unicast = {{}}\n{extra}\n{map}"
    ))
}

fn start(site: &mut Site, extra: &str) {
    site.start(&config(site, extra));
}

fn reload(site: &Site, extra: &str) {
    site.daemon().configure(&config(site, extra));
    let answer = site.daemon().said("reload");
    assert!(!answer.contains("error"), "{answer}");
}

/// Prefixes that came from the neighbour, each with next hop and MED, and what else is
/// shown: `10.60.0.0/24 10.10.0.1 0 ?`.
fn heard(site: &Site) -> Vec<String> {
    let text = site.daemon().said("show routes --json");
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
fn until_heard(site: &Site, wanted: &[&str]) {
    until(&format!("{wanted:?}"), || {
        let heard = heard(site);
        (heard == wanted).then_some(()).ok_or(format!("{heard:#?}"))
    });
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
    start(&mut a, ALL);
    start(&mut b, "");
    let connected = ["10.10.0.0/24 10.10.0.1 0 ?", "10.60.0.0/24 10.10.0.1 0 ?"];
    let others = [
        "10.70.0.0/16 10.10.0.1 7 ?",
        // The gateway is on the wire; that of 10.72.0.0/16 is the neighbour itself, who is not told.
        "10.71.0.0/16 10.10.0.77 33 ?",
        "10.74.0.0/16 10.10.0.1 0 ?",
        "10.75.0.0/16 10.10.0.1 7 ?",
    ];
    let ipv6 = [
        "fd10::/64 fd10::1 0 ?",
        "fd60::/64 fd10::1 0 ?",
        "fd70::/16 fd10::1 1024 ?",
    ];
    until_heard(&b, &[&connected[..], &others, &ipv6].concat());

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
        let explained = a.daemon().said(&format!("explain {prefix}"));
        assert!(explained.contains(place), "{explained}");
    }
    let shown = a.daemon().said("show routes");
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
        "10.76.0.0/16 10.10.0.1 7 ?",
    ];
    until_heard(&b, &[&connected[..], &others, &ipv6].concat());

    // Of the interface that goes down the kernel drops routes without a word.
    a.ip("link set inner down");
    let left = [
        "10.10.0.0/24 10.10.0.1 0 ?",
        "10.71.0.0/16 10.10.0.78 33 ?",
        "fd10::/64 fd10::1 0 ?",
    ];
    until_heard(&b, &left);
    a.ip("link set inner up");
    until_heard(&b, &[connected[0], connected[1], left[1], left[2]]);
    // Without carrier it leads nowhere either, and the kernel keeps it.
    a.ip("link set inside down");
    until_heard(&b, &[connected[0], left[1], left[2]]);
    a.ip("link set inside up");
    until_heard(&b, &[connected[0], connected[1], left[1], left[2]]);

    // A reload changes what it is about.
    reload(
        &a,
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
    until_heard(
        &b,
        &[
            "10.60.0.0/24 10.10.0.1 5 ?",
            "10.71.0.0/16 10.10.0.1 0 i",
            "10.77.0.0/16 10.10.0.1 9 ?",
        ],
    );
    // The interface changes its name.
    a.ip("link set inner down");
    a.ip("link set inner name other");
    a.ip("link set other up");
    until_heard(&b, &["10.71.0.0/16 10.10.0.1 0 i"]);
    reload(&a, "");
    until_heard(&b, &[]);
}

#[test]
fn export_maps_tell_redistributed_routes_apart() {
    let Some((mut a, mut b)) = sites("match") else {
        return;
    };
    a.ip("route add 10.70.0.0/16 via 10.60.0.9 proto static");
    a.ip("route add 10.71.0.0/16 via 10.60.0.9 proto ospf");
    let announced = |conditions: &str| {
        format!(
            "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\nredistribute = [\"any\"]\n\
             [[route_map]]\nname = \"OUT\"\nentry = [{{ seq = 10, action = \"permit\", match = {{ {conditions} }} }}]\n\
             [[route_map]]\nname = \"IN\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n"
        )
    };
    let with_export = |site: &Site, extra: &str| {
        let text = config(site, extra);
        let text = text.replace("import = \"IN\"", "import = \"IN\", export = \"OUT\"");
        site.daemon().configure(&text);
    };
    start(&mut a, &announced("source = \"static\""));
    with_export(&a, &announced("source = \"static\""));
    a.daemon().until_said("reload", |it| !it.contains("error"));
    start(&mut b, "");
    until_heard(&b, &["10.70.0.0/16 10.10.0.1 0 ?"]);
    with_export(&a, &announced("source = [\"connected\", 188]"));
    a.daemon().said("reload");
    until_heard(
        &b,
        &[
            "10.10.0.0/24 10.10.0.1 0 ?",
            "10.60.0.0/24 10.10.0.1 0 ?",
            "10.71.0.0/16 10.10.0.1 0 ?",
        ],
    );
    with_export(&a, &announced("interface = \"wire\""));
    a.daemon().said("reload");
    until_heard(&b, &["10.10.0.0/24 10.10.0.1 0 ?"]);
}

#[test]
fn two_that_redistribute_at_each_other_do_not_keep_a_route_alive() {
    let Some((mut a, mut b)) = sites("loop") else {
        return;
    };
    let any = "[ipv4_unicast]\nredistribute = [\"any\"]\n";
    a.ip("route add 10.70.0.0/16 via 10.60.0.9 proto static");
    start(&mut a, any);
    start(&mut b, any);
    b.until_seen("route show 10.70.0.0/16", |it| {
        it.contains("via 10.10.0.1") && it.contains("proto bgp")
    });
    // b does not tell a its own route again, and what it has is not its own.
    let explained = b.daemon().said("explain 10.70.0.0/16");
    assert!(!explained.contains("this router"), "{explained}");
    assert!(heard(&a).iter().all(|it| !it.starts_with("10.70.")));
    a.ip("route del 10.70.0.0/16");
    b.until_seen("route show 10.70.0.0/16", str::is_empty);
    assert!(!b.daemon().said("show routes").contains("10.70.0.0/16"));
    assert!(!a.daemon().said("show routes").contains("10.70.0.0/16"));
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
    start(
        &mut a,
        "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\", \"10.2.0.0/16\"]\n",
    );
    start(&mut b, &map("table = 100, src = \"10.80.0.2\""));
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
    let explained = b
        .daemon()
        .until_said("explain 10.1.0.0/16", |it| it.contains("installed"));
    assert!(
        explained.contains("route 10.1.0.0/16 table 100: installed"),
        "{explained}"
    );
    let verified = b.daemon().said("verify --json");
    assert!(verified.contains("\"equal\":true"), "{verified}");

    // Taken away by hand: put back.
    b.ip("route del 10.1.0.0/16 table 100");
    b.until_seen(&in_table("100"), |it| both(it, moved));

    // A crash leaves them; the next start takes them over, and moves them as its policy says.
    b.kill();
    assert!(both(&b.seen(&in_table("100")), moved));
    start(&mut b, &map("table = 100, src = \"10.80.0.2\""));
    b.daemon().until_said("explain 10.1.0.0/16", |it| {
        it.contains("route 10.1.0.0/16 table 100: installed")
    });
    assert!(both(&b.seen(&in_table("100")), moved));
    reload(&b, &map("table = 101"));
    let plain = "10.1.0.0/16 via 10.10.0.1 dev wire metric 20";
    b.until_seen(&in_table("101"), |it| {
        both(it, plain) && !it.contains("src")
    });
    b.until_seen(&in_table("100"), str::is_empty);
    reload(&b, &map("tag = 1"));
    b.until_seen(&in_table("main"), |it| both(it, plain));
    b.until_seen(&in_table("101"), str::is_empty);
    // The address goes, and the kernel drops the routes of its main table with it; it comes again.
    reload(&b, &map("src = \"10.80.0.2\""));
    b.until_seen(&in_table("main"), |it| both(it, moved));
    b.ip("addr del 10.80.0.2/32 dev dummy");
    b.until_seen(&in_table("main"), str::is_empty);
    b.daemon()
        .until_said("explain 10.1.0.0/16", |it| it.contains("NOT installed"));
    b.ip("addr add 10.80.0.2/32 dev dummy");
    b.until_seen(&in_table("main"), |it| both(it, moved));
    reload(&b, &map("table = 102"));
    b.until_seen(&in_table("102"), |it| both(it, plain));
    reload(&a, "[ipv4_unicast]\nnetworks = [\"10.3.0.0/16\"]\n");
    b.until_seen(&in_table("102"), |it| {
        it.contains("10.3.0.0/16") && it.lines().count() == 1
    });
    b.until_seen(&in_table("main"), str::is_empty);
}
