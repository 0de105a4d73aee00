//! Neighbours hear of a learned route once the kernel has it (`suppress_fib_pending`).
//!
//! ```text
//!   a (AS 65001) ── wire ── b (AS 65002) ── far ── c (AS 65003)
//!    10.1.0.0/16             10.2.0.0/16
//!    10.11.0.0/16
//! ```
//!
//! In the kernel of `b` another program has a route with the prefix and the metric of one that `a` tells, so
//! that `b` cannot write its own.
//!
//! Needs root and `ip`.

use serde_json::Value;

use crate::daemon::until;
use crate::site::{Site, namespaces};

const SUPPRESS: &str = "[router]\nsuppress_fib_pending = true\n";

/// Sites in a row, with addresses and nothing started.
fn row(subject: &str) -> Option<[Site; 3]> {
    let sites: [Site; 3] = namespaces(subject, 3)?.try_into().ok()?;
    let [a, b, c] = &sites;
    a.wire("wire", b, "wire");
    b.wire("far", c, "far");
    for (site, device, address) in [
        (a, "wire", "10.10.0.1"),
        (b, "wire", "10.10.0.2"),
        (b, "far", "10.20.0.2"),
        (c, "far", "10.20.0.3"),
    ] {
        site.ip(&format!("addr add {address}/24 dev {device}"));
        site.ip(&format!("link set {device} up"));
    }
    Some(sites)
}

fn config(site: &Site, more: &str, networks: &str, neighbors: &[(&str, u32)]) -> String {
    let number = site.number;
    let mut text = format!(
        "asn = 6500{number}\nrouter_id = \"10.255.0.{number}\"\n{more}\n[ipv4_unicast]\nnetworks = [{networks}]\n"
    );
    for (address, asn) in neighbors {
        text += &format!(
            "[[neighbor]]\naddress = \"{address}\"\nremote_as = {asn}\ntimers = {{ connect_retry = \"1s\" }}\n\
             ipv4_unicast = {{}}\n"
        );
    }
    text
}

fn middle(site: &Site, more: &str) -> String {
    let neighbors = [("10.10.0.1", 65001), ("10.20.0.3", 65003)];
    config(site, more, "\"10.2.0.0/16\"", &neighbors)
}

/// The middle with a source address that its kernel does not have, and refuses.
fn refused(site: &Site) -> String {
    let map = "[[route_map]]\nname = \"SOURCE\"\nentry = [\
               { seq = 10, action = \"permit\", set = { src = \"10.99.0.1\" } }]\n";
    let text = middle(site, SUPPRESS).replace(
        "[ipv4_unicast]\n",
        "[ipv4_unicast]\nkernel_route_map = \"SOURCE\"\n",
    );
    text + map
}

/// Starts all and waits until they can be asked.
fn start(sites: [(&mut Site, String); 3]) {
    for (site, config) in sites {
        site.start(&config);
        site.daemon().until_logged("rbgpd runs");
    }
}

/// Waits until a site has learned exactly these prefixes.
#[track_caller]
fn until_learned(site: &Site, wanted: &[&str]) {
    until(&format!("{wanted:?} are learned"), || {
        let said = site.daemon().json("show routes");
        let all = said["routes"].as_array().unwrap().iter();
        let learned =
            all.filter(|it| !it["neighbor"].is_null() && it["as_path"] != Value::Array(vec![]));
        let mut learned: Vec<&str> = learned.map(|it| it["prefix"].as_str().unwrap()).collect();
        learned.sort_unstable();
        (learned == wanted).then_some(()).ok_or(said.to_string())
    });
}

/// What `b` says of a prefix and its last neighbour.
fn why(b: &Site, prefix: &str) -> String {
    let said = b.daemon().json(&format!("explain {prefix}"));
    let told = said["entries"][0]["told"].as_array().unwrap().iter();
    let told = told.filter(|it| it["neighbor"] == "10.20.0.3");
    told.map(|it| it["why"].as_str().unwrap()).collect()
}

#[test]
fn what_the_kernel_refuses_is_told_to_nobody_until_it_takes_it() {
    let Some([mut a, mut b, mut c]) = row("fib-pending") else {
        return;
    };
    b.ip("route add blackhole 10.11.0.0/16 metric 20");
    let own = "\"10.1.0.0/16\", \"10.11.0.0/16\"";
    let first = config(&a, "", own, &[("10.10.0.2", 65002)]);
    let second = middle(&b, SUPPRESS);
    let third = config(&c, "", "", &[("10.20.0.2", 65002)]);
    start([(&mut a, first), (&mut b, second), (&mut c, third)]);
    until_learned(&c, &["10.1.0.0/16", "10.2.0.0/16"]);
    // The End-of-RIB waited for the kernel, so nothing of the first table is still to come.
    until("c was told everything", || {
        let said = c.daemon().json("show neighbors 10.20.0.2");
        let heard = said.to_string().contains("\"end_of_rib_received\":true");
        heard.then_some(()).ok_or(said.to_string())
    });
    until_learned(&b, &["10.1.0.0/16", "10.11.0.0/16"]);
    assert!(why(&b, "10.1.0.0/16").starts_with("told "));
    assert_eq!(
        why(&b, "10.11.0.0/16"),
        "not told: the kernel does not have it (suppress_fib_pending)"
    );
    for (prefix, awaited) in [("10.1.0.0/16", "installed"), ("10.11.0.0/16", "refused")] {
        let said = b.daemon().json(&format!("show routes {prefix}"));
        assert_eq!(said["routes"][0]["awaited"], awaited, "{said}");
        let line = format!("show bgp ipv4 unicast {prefix} json");
        let said = b.daemon().rbgpctl(&["vtysh", "-c", &line]).stdout;
        let said: Value = serde_json::from_slice(&said).unwrap();
        let shown = said["paths"][0]["fibInstalled"] == true;
        assert_eq!(shown, awaited == "installed", "{said}");
    }
    b.daemon().until_said("show summary", |said| {
        said.contains("1 learned route that the kernel does not have is told to no neighbor (suppress_fib_pending)")
    });

    // The kernel takes it once the other one is gone.
    b.ip("route del blackhole 10.11.0.0/16 metric 20");
    until_learned(&c, &["10.1.0.0/16", "10.11.0.0/16", "10.2.0.0/16"]);
    c.until_seen("route show 10.11.0.0/16", |text| {
        text.contains("via 10.20.0.2")
    });
    assert!(b.seen("route show 10.11.0.0/16").contains("via 10.10.0.1"));

    // It follows when the route goes, and comes again.
    a.daemon()
        .configure(&config(&a, "", "\"10.11.0.0/16\"", &[("10.10.0.2", 65002)]));
    a.daemon().said("reload");
    until_learned(&c, &["10.11.0.0/16", "10.2.0.0/16"]);
    b.ip("route add blackhole 10.1.0.0/16 metric 20");
    a.daemon()
        .configure(&config(&a, "", own, &[("10.10.0.2", 65002)]));
    a.daemon().said("reload");
    until("b has it and says no", || {
        let why = why(&b, "10.1.0.0/16");
        why.contains("the kernel does not have it")
            .then_some(())
            .ok_or(why)
    });
    until_learned(&c, &["10.11.0.0/16", "10.2.0.0/16"]);

    // Off by a reload, and on again; the sessions stay.
    b.daemon().configure(&middle(&b, ""));
    let plan = b.daemon().said("reload --dry-run");
    assert!(
        plan.contains("router.suppress_fib_pending true -> default"),
        "{plan}"
    );
    b.daemon().said("reload");
    until_learned(&c, &["10.1.0.0/16", "10.11.0.0/16", "10.2.0.0/16"]);
    b.daemon().configure(&middle(&b, SUPPRESS));
    b.daemon().said("reload");
    until_learned(&c, &["10.11.0.0/16", "10.2.0.0/16"]);
    let said = c.daemon().json("show neighbors 10.20.0.2");
    assert_eq!(said["neighbors"][0]["established"], 1);
}

#[test]
fn a_route_that_is_kept_out_of_the_kernel_is_not_told() {
    let Some([mut a, mut b, mut c]) = row("fib-kept-out") else {
        return;
    };
    let own = "\"10.1.0.0/16\", \"10.11.0.0/16\"";
    let first = config(&a, "", own, &[("10.10.0.2", 65002)]);
    let text = middle(&b, SUPPRESS).replace(
        "[ipv4_unicast]\n",
        "[ipv4_unicast]\nkernel_route_map = \"SOME\"\n",
    );
    let map = "[[prefix_list]]\nname = \"OUT\"\nrules = [\"permit 10.11.0.0/16\"]\n\
               [[route_map]]\nname = \"SOME\"\nentry = [\
               { seq = 10, action = \"deny\", match = { prefix_list = \"OUT\" } }, { seq = 20, action = \"permit\" }]\n";
    let third = config(&c, "", "", &[("10.20.0.2", 65002)]);
    start([(&mut a, first), (&mut b, text + map), (&mut c, third)]);
    until_learned(&b, &["10.1.0.0/16", "10.11.0.0/16"]);
    until_learned(&c, &["10.1.0.0/16", "10.2.0.0/16"]);
    assert!(why(&b, "10.11.0.0/16").contains("the kernel does not have it"));
}

#[test]
fn what_stays_in_the_kernel_when_its_successor_is_refused_is_said_and_told_to_nobody() {
    let Some([mut a, mut b, mut c]) = row("fib-stays") else {
        return;
    };
    let first = config(&a, "", "\"10.1.0.0/16\"", &[("10.10.0.2", 65002)]);
    let third = config(&c, "", "", &[("10.20.0.2", 65002)]);
    let second = middle(&b, SUPPRESS);
    start([(&mut a, first), (&mut b, second), (&mut c, third)]);
    until_learned(&c, &["10.1.0.0/16", "10.2.0.0/16"]);

    b.daemon().configure(&refused(&b));
    b.daemon().said("reload");
    until_learned(&c, &["10.2.0.0/16"]);
    assert!(b.seen("route show 10.1.0.0/16").contains("via 10.10.0.1"));
    let said = b.daemon().json("explain 10.1.0.0/16");
    let entry = &said["entries"][0]["kernel"][0];
    assert_eq!(entry["installed"], false, "{said}");
    assert_eq!(
        entry["have"], "unicast via 10.10.0.1 dev wire metric 20",
        "{said}"
    );
    assert!(why(&b, "10.1.0.0/16").contains("the kernel does not have it"));

    // The neighbour takes it back: nothing of it stays.
    a.daemon()
        .configure(&config(&a, "", "", &[("10.10.0.2", 65002)]));
    a.daemon().said("reload");
    b.until_seen("route show 10.1.0.0/16", |text| text.is_empty());
    assert_eq!(b.daemon().json("verify")["equal"], true);
}

#[test]
fn traffic_returns_to_what_it_left_whatever_was_refused_before() {
    let Some([mut a, mut b, mut c]) = row("fib-drained") else {
        return;
    };
    let first = config(&a, "", "\"10.1.0.0/16\"", &[("10.10.0.2", 65002)]);
    let third = config(&c, "", "", &[("10.20.0.2", 65002)]);
    let second = refused(&b);
    start([(&mut a, first), (&mut b, second), (&mut c, third)]);
    until_learned(&c, &["10.2.0.0/16"]);
    until_learned(&b, &["10.1.0.0/16"]);
    b.daemon()
        .until_said("verify", |said| said.contains("refused"));

    // Nothing is worse than it was.
    let status = |site: &Site, line: &str| {
        let ran = site.daemon().ctl(line);
        let text = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, said) = status(&b, "drain --force");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = status(&b, "undrain --wait --timeout 20s");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = status(&b, "undrain");
    assert_eq!(code, Some(0), "{said}");

    // What the maintenance broke keeps it away, and is named.
    b.daemon().configure(&middle(&b, SUPPRESS));
    b.daemon().said("reload");
    until_learned(&c, &["10.1.0.0/16", "10.2.0.0/16"]);
    let (code, said) = status(&b, "drain --force");
    assert_eq!(code, Some(0), "{said}");
    b.daemon().configure(&refused(&b));
    b.daemon().said("reload");
    b.daemon()
        .until_said("verify", |said| said.contains("refused"));
    let (code, said) = status(&b, "undrain");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("kernel: route 10.1.0.0/16: want "), "{said}");
}
