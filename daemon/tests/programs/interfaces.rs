//! Addresses that the configuration gives to the host's devices, from an empty host on; in namespaces.
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)      a's `one` and `two`: 10.60.0.1/24 moves
//! ```

use serde_json::Value;

use crate::daemon::until;
use crate::site::{self, Site};

/// Two sites with a wire that is down and has no addresses, and devices behind the first.
fn empty(subject: &str) -> Option<(Site, Site)> {
    let [a, b] = site::namespaces(subject, 2)?.try_into().ok()?;
    a.wire("wire", &b, "wire");
    for name in ["one", "two"] {
        a.ip(&format!("link add {name} type veth peer name {name}-far"));
        a.ip(&format!("link set {name}-far up"));
    }
    for site in [&a, &b] {
        site.ip("link set lo down");
    }
    Some((a, b))
}

/// Both ends of the session have their addresses from the file, and so has what is announced.
fn config(site: &Site, listen: &str, extra: &str) -> String {
    let number = site.number;
    let rest = format!(
        "ipv4_unicast = {{}}\n[ipv4_unicast]\nredistribute = [\"connected\"]\n\
         [[interface]]\nname = \"wire\"\naddresses = [\"10.10.0.{number}/24\", \"fd10::{number}/64\"]\n\
         [[interface]]\nname = \"lo\"\naddresses = [\"192.0.2.{number}/32\"]\n{extra}"
    );
    format!("{listen}{}", site.config(&rest))
}

fn on(name: &str) -> String {
    format!("[[interface]]\nname = \"{name}\"\naddresses = [\"10.60.0.1/24\"]\n")
}

/// Prefixes that came from the neighbour.
fn heard(site: &Site) -> Vec<String> {
    let text = site.daemon().said("show routes --json");
    let Ok(shown) = serde_json::from_str::<Value>(&text) else {
        return vec![text];
    };
    let empty = Vec::new();
    let routes = shown["routes"].as_array().unwrap_or(&empty).iter();
    let learned = routes.filter(|it| it["neighbor"].is_string());
    let prefixes = learned.map(|it| it["prefix"].as_str().unwrap().to_owned());
    let mut all: Vec<String> = prefixes.collect();
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

fn reload(site: &Site, config: &str) -> String {
    site.daemon().configure(config);
    let answer = site.daemon().said("reload");
    assert!(!answer.contains("error"), "{answer}");
    answer
}

/// How often the session came up.
fn sessions(site: &Site) -> u64 {
    let other = format!("10.10.0.{}", 3 - site.number);
    let answer = site.daemon().json(&format!("show neighbors {other}"));
    answer["neighbors"][0]["established"].as_u64().unwrap()
}

#[test]
fn an_empty_host_has_what_the_file_says_and_keeps_it_over_a_crash() {
    let Some((mut a, mut b)) = empty("addresses") else {
        return;
    };
    // Sockets are bound to addresses that nobody has yet, and one is examined for duplicates first.
    let listen = "listen = [\"10.10.0.1:179\", \"[fd10::1]:179\"]\n";
    let first = config(&a, listen, &on("one"));
    a.start(&first);
    let other = config(&b, "", "");
    b.start(&other);
    let all = ["10.10.0.0/24", "10.60.0.0/24", "192.0.2.1/32"];
    until_heard(&b, &all);
    assert_eq!(a.daemon().ctl("verify").status.code(), Some(0));
    let plan = {
        a.daemon().configure(&config(&a, listen, &on("two")));
        a.daemon().said("reload --dry-run")
    };
    assert!(plan.contains("interface one: removed"), "{plan}");
    assert!(plan.contains("interface two: added"), "{plan}");

    // It moves to another device; the session and what it stands on are not touched.
    let monitor = a.monitor();
    assert_eq!(sessions(&b), 1);
    reload(&a, &config(&a, listen, &on("two")));
    a.until_seen("address show dev one", |text| !text.contains("10.60.0.1"));
    a.until_seen("address show dev two", |text| text.contains("10.60.0.1/24"));
    until_heard(&b, &all);
    assert_eq!(sessions(&b), 1);
    let lines = a.heard(&monitor);
    let gone: Vec<&String> = lines.iter().filter(|it| it.contains("Deleted")).collect();
    assert!(gone.iter().all(|it| !it.contains("10.10.0.1")), "{gone:#?}");
    assert!(gone.iter().any(|it| it.contains("10.60.0.1")), "{lines:#?}");

    // A crash and a new start: nothing of it ever goes.
    drop(monitor);
    let monitor = a.monitor();
    a.daemon_mut().breaks_off();
    assert!(a.seen("address").contains("10.60.0.1/24"));
    a.daemon_mut().again();
    until_heard(&b, &all);
    assert_eq!(a.daemon().ctl("verify --wait").status.code(), Some(0));
    let lines = a.heard(&monitor);
    let addresses = ["10.10.0.1", "10.60.0.1"];
    let touched = |line: &&String| addresses.iter().any(|it| line.contains(it));
    let gone: Vec<&String> = lines.iter().filter(touched).collect();
    assert_eq!(gone, Vec::<&String>::new());

    // A stop takes nothing away; a line that has gone by the next start is found by the stamp.
    a.daemon_mut().stop();
    assert!(a.seen("address show dev two").contains("10.60.0.1/24"));
    a.daemon().configure(&config(&a, listen, ""));
    a.daemon_mut().again();
    a.until_seen("address show dev two", |text| !text.contains("10.60.0.1"));
    until_heard(&b, &["10.10.0.0/24", "192.0.2.1/32"]);
}

#[test]
fn what_is_missing_is_named_and_put_back() {
    let Some((mut a, mut b)) = empty("missing") else {
        return;
    };
    let nine = "[[interface]]\nname = \"nine\"\naddresses = [\"10.90.0.1/24\"]\n";
    let both = format!(
        "kernel = {{ ipv4_forwarding = true }}\n{}",
        config(&a, "", nine)
    );
    a.start(&both);
    let other = config(&b, "", "");
    b.start(&other);
    until_heard(&b, &["10.10.0.0/24", "192.0.2.1/32"]);
    assert_eq!(a.run("sysctl -n net.ipv4.ip_forward").stdout, b"1\n");
    let verify = a.daemon().ctl("verify");
    let said = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert_eq!(verify.status.code(), Some(1), "{said}");
    assert!(said.contains("interface nine"), "{said}");
    assert!(said.contains("there is no device `nine`"), "{said}");
    // It comes, and what hangs on its address with it.
    a.ip("link add nine type veth peer name nine-far");
    a.ip("link set nine-far up");
    until_heard(&b, &["10.10.0.0/24", "10.90.0.0/24", "192.0.2.1/32"]);
    assert_eq!(a.daemon().ctl("verify").status.code(), Some(0));
    // By hand.
    a.ip("address del 10.90.0.1/24 dev nine");
    a.until_seen("address show dev nine", |text| {
        text.contains("10.90.0.1/24")
    });
    a.run("sysctl -qw net.ipv4.ip_forward=0");
    let said = a.daemon().said("verify");
    assert!(said.contains("ipv4 forwarding"), "{said}");
    assert_eq!(a.daemon().ctl("verify").status.code(), Some(0));
    assert_eq!(a.run("sysctl -n net.ipv4.ip_forward").stdout, b"1\n");
}

#[test]
fn an_instance_listens_at_an_address_that_comes_with_the_same_reload() {
    let Some((mut a, _b)) = empty("later-instance") else {
        return;
    };
    let listen = "listen = [\"10.10.0.1:179\"]\n";
    a.start(&config(&a, listen, ""));
    until("the daemon answers", || {
        let answer = a.daemon().ctl("show summary");
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        answer.status.success().then_some(()).ok_or(said)
    });
    let instance = "[[instance]]\nname = \"later\"\nasn = 65001\nrouter_id = \"10.60.0.1\"\n\
                    listen = [\"10.60.0.1:179\", \"[fd60::1]:179\"]\n\
                    [instance.kernel]\ndistance = { external = 30, internal = 30 }\n";
    let both = on("one").replace("\"10.60.0.1/24\"", "\"10.60.0.1/24\", \"fd60::1/64\"");
    reload(&a, &config(&a, listen, &format!("{both}{instance}")));
    let shown = a.daemon().json("show instances");
    assert_eq!(shown["instances"][1]["name"], "later", "{shown}");
    a.until_seen("address show dev one", |text| {
        text.contains("10.60.0.1/24") && text.contains("fd60::1/64") && !text.contains("tentative")
    });
    // Somebody else's address is still refused, by the name of who asks for it.
    let renamed = instance.replace("later", "wrong").replace("= 30", "= 40");
    let ours = "\"10.60.0.1:179\", \"[fd60::1]:179\"";
    let wrong = renamed.replace(ours, "\"192.0.2.99:179\"");
    let refused = |rest: &str| {
        a.daemon().configure(&config(&a, listen, rest));
        let output = a.daemon().ctl("reload");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&format!("{both}{instance}{wrong}"));
    assert!(
        said.contains("instance `wrong` does not start") && said.contains("192.0.2.99:179"),
        "{said}"
    );
    // One that another instance lets go of by the same reload is not free yet.
    let said = refused(&format!("{both}{renamed}"));
    let goes = "listen 10.60.0.1:179 goes from instance later to wrong";
    assert!(said.contains(goes), "{said}");
}
