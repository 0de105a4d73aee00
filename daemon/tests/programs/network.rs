//! Overlay networks made and taken away by `rbgpctl network`, in the file and in the kernel.
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)      needs root and `ip`
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, until};
use crate::site::{Site, namespaces, sites};

/// The end of a site's file, with what an edit must leave alone.
const REST: &str = "\
evpn = {}
# Where frames go.
[evpn]
vtep = \"10.10.0.SITE\" # on the wire

# ---- Overlays ----

[[vni]]            # the first one
id = 100
name = \"production\"
gateway = [ '10.100.0.1/24' ]
# Ask Eva before this goes.

# ---- Policy ----

[[prefix_list]]
name = \"ALL\"
rules = [\"permit 0.0.0.0/0 le 32\"]

[[route_map]]
name = \"OUT\"
entry = [{ seq = 10, action = \"permit\", match = { prefix_list = \"ALL\" }, set = { metric = 7 } }]
";

const GUESTS: &str = "\n[[vni]]\nid = 300\nname = \"guests\"\ngateway = [\"10.30.0.1/24\"]\n";

fn start(site: &mut Site) -> String {
    let config = site.config(&REST.replace("SITE", &site.number.to_string()));
    site.start(&config);
    site.daemon().until_logged("rbgpd runs");
    config
}

/// What a command says, which must end with this code.
#[track_caller]
fn ends(daemon: &Daemon, code: i32, line: &str) -> String {
    said(daemon, code, daemon.ctl(line), line)
}

#[track_caller]
fn said(daemon: &Daemon, code: i32, output: Output, line: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{line}: {text}\n{}",
        daemon.log()
    );
    text.into_owned()
}

#[test]
fn a_network_comes_with_its_devices_and_goes_without_a_trace() {
    let Some((mut a, _b)) = sites("net-life") else {
        return;
    };
    let config = start(&mut a);
    let daemon = a.daemon();
    let before = a.until_seen("-o link show", |links| links.contains("vxlan100"));
    let dry = ends(
        daemon,
        0,
        "network create 300 guests 10.30.0.0/24 --dry-run",
    );
    assert!(
        dry.contains("vni 300: added") && dry.contains("Dry run"),
        "{dry}"
    );
    assert_eq!(daemon.configuration(), config);
    let text = ends(
        daemon,
        0,
        "network create 300 guests 10.30.0.0/24 2001:db8:30::/64",
    );
    assert!(
        text.contains("gateway 10.30.0.1 and 2001:db8:30::1"),
        "{text}"
    );
    assert!(
        text.ends_with("ready: br300 and vxlan300 are up\n"),
        "{text}"
    );
    // Who attaches a machine next finds the bridge.
    for address in ["10.30.0.1/24", "2001:db8:30::1/64"] {
        let shown = a.seen("address show dev br300");
        assert!(shown.contains(address), "{shown}");
    }
    ends(daemon, 0, "network delete 300");
    assert_eq!(daemon.configuration(), config);
    ends(daemon, 0, "network create 300 guests 10.30.0.0/24");
    let edited = config.replace(
        "before this goes.\n",
        &format!("before this goes.\n{GUESTS}"),
    );
    assert_eq!(daemon.configuration(), edited);
    let again = ends(daemon, 0, "network create 300 guests 10.30.0.0/24");
    assert!(again.contains("is already there"), "{again}");
    for (line, why) in [
        (
            "network create 300 guests 10.31.0.0/24",
            "VNI 300 is in use: \"guests\", 10.30.0.0/24",
        ),
        (
            "network create 300 others 10.30.0.0/24",
            "VNI 300 is in use",
        ),
        (
            "network create 301 guests 10.31.0.0/24",
            "the name \"guests\" is that of VNI 300",
        ),
        (
            "network create 301 others 10.30.0.128/25",
            "overlaps with 10.30.0.0/24 of VNI 300",
        ),
        ("network delete 301", "there is no network with VNI 301"),
        (
            "--instance red network create 301 o 10.31.0.0/24",
            "there is no instance `red`",
        ),
    ] {
        let text = ends(daemon, 1, line);
        assert!(text.contains(why), "{line}: {text}");
    }
    let unsafe_one = ends(daemon, 3, "network create 301 others 10.10.0.0/16");
    assert!(
        unsafe_one.contains("our tunnel endpoint 10.10.0.1 is in"),
        "{unsafe_one}"
    );
    assert_eq!(daemon.configuration(), edited);
    let list = daemon.json("network list");
    assert_eq!(list["networks"][1]["networks"][0], "10.30.0.0/24");
    assert_eq!(list["networks"][1]["ready"], true, "{list}");
    a.ip("link add vnet0 type veth peer name vm0");
    a.ip("link set vnet0 master br300");
    let attached = until("the port is seen", || {
        let text = daemon.said("network list --json");
        if text.contains("vnet0") {
            Ok(text)
        } else {
            Err(text)
        }
    });
    assert!(attached.contains("\"ports\":[\"vnet0\"]"), "{attached}");
    let refused = ends(daemon, 3, "network delete 300");
    assert!(refused.contains("vnet0 is a port of br300"), "{refused}");
    assert_eq!(daemon.configuration(), edited);
    ends(daemon, 0, "network delete 300 --force");
    a.ip("link del vnet0");
    assert_eq!(daemon.configuration(), config);
    a.until_seen("-o link show", |links| names(links) == names(&before));
    ends(daemon, 1, "network delete 300");
    // What was taken out by the edit is what a restart would not have either.
    let reload = ends(daemon, 0, "reload --dry-run");
    assert!(reload.contains("Nothing is different"), "{reload}");
}

/// Names of the devices in what `ip -o link` prints.
fn names(links: &str) -> Vec<&str> {
    let lines = links.lines().filter_map(|line| line.split(' ').nth(1));
    let names = lines.filter_map(|name| name.split(['@', ':']).next());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file_that_is_not_what_runs_is_left_alone() {
    let Some((mut a, _b)) = sites("net-file") else {
        return;
    };
    let config = start(&mut a);
    let daemon = a.daemon();
    let create = "network create 300 guests 10.30.0.0/24";
    let by_hand = config.replace("'10.100.0.1/24'", "'10.100.0.254/24'");
    for (text, why) in [
        (by_hand.as_str(), "has changes that are not applied"),
        ("asn = \n", "1 error in"),
    ] {
        daemon.configure(text);
        let said = ends(daemon, 1, create);
        assert!(said.contains(why), "{said}");
        assert_eq!(daemon.configuration(), text);
    }
    daemon.configure(&by_hand);
    ends(daemon, 0, "reload");
    let file = daemon.file("toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let said = ends(daemon, 1, create);
    assert!(
        said.contains("its mode is 0444, which is read-only"),
        "{said}"
    );
    assert_eq!(daemon.configuration(), by_hand);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    ends(daemon, 0, create);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    // A spelling that nobody expects is edited as well, and by nobody else's rules.
    let inline = "asn = 65001\nrouter_id = \"10.10.0.1\"\nevpn = { vtep = \"10.10.0.1\" }\n\
                  vni = [\n  { id = 100, name = \"a\" }, # first\n]\n";
    daemon.configure(inline);
    ends(daemon, 0, "reload");
    ends(daemon, 0, create);
    ends(daemon, 0, "network delete 100");
    assert!(
        daemon
            .configuration()
            .contains("vni = [\n  { id = 300, name = \"guests\"")
    );
}

#[test]
fn who_else_has_the_number_is_said() {
    let Some((mut a, mut b)) = sites("net-other") else {
        return;
    };
    start(&mut a);
    start(&mut b);
    ends(a.daemon(), 0, "network create 300 guests 10.30.0.0/24");
    let heard = |daemon: &Daemon, text: &str| daemon.said("show evpn routes").contains(text);
    until("the route of a's network", || {
        let routes = b.daemon().said("show evpn routes");
        if heard(b.daemon(), "10.10.0.1:300") {
            Ok(())
        } else {
            Err(routes)
        }
    });
    // A machine at a, whose address is of another network.
    a.ip("link add vnet0 type veth peer name vm0");
    for line in [
        "link set vm0 address 02:00:00:00:00:09",
        "link set vnet0 up master br300",
        "link set vm0 up",
        "neigh replace 10.40.0.9 lladdr 02:00:00:00:00:09 dev br300 nud reachable",
    ] {
        a.ip(line);
    }
    a.run("bridge fdb replace 02:00:00:00:00:09 dev vnet0 master static");
    until("the machine's route", || {
        let routes = b.daemon().said("show evpn routes");
        if heard(b.daemon(), "10.40.0.9") {
            Ok(())
        } else {
            Err(routes)
        }
    });
    let create = "network create 300 guests 10.30.0.0/24";
    let refused = ends(b.daemon(), 3, create);
    assert!(
        refused.contains("10.10.0.1 announces 10.40.0.9 in VNI 300, which is in none"),
        "{refused}"
    );
    let forced = ends(b.daemon(), 0, &format!("{create} --force"));
    assert!(
        forced.contains("warning: 10.10.0.1 announces VNI 300 already: 1 MAC address"),
        "{forced}"
    );
    until("both sites have it", || {
        let list = b.daemon().json("network list");
        let network = &list["networks"][1];
        if network["sites"][0] == "10.10.0.1" && network["remote_macs"] == 1 {
            Ok(())
        } else {
            Err(list.to_string())
        }
    });
    let daemon = b.daemon();
    // What was installed is marked as soon as the kernel says so.
    let neighbors = until("the neighbor in the kernel", || {
        let neighbors = daemon.json("show evpn neighbors --vni 300");
        let installed = neighbors["neighbors"][0]["installed"] == true;
        if installed {
            Ok(neighbors)
        } else {
            Err(neighbors.to_string())
        }
    });
    let neighbor = &neighbors["neighbors"][0];
    assert_eq!(
        (&neighbor["ip"], &neighbor["kind"]),
        (&"10.40.0.9".into(), &"remote".into())
    );
    let vteps = daemon.json("show evpn vteps");
    let vtep = &vteps["vteps"][0];
    assert_eq!(vtep["vtep"], "10.10.0.1", "{vteps}");
    assert_eq!(vtep["neighbor"], "10.10.0.1", "{vteps}");
    assert_eq!(vtep["vnis"], serde_json::json!([100, 300]), "{vteps}");
    for (filter, count) in [
        ("--type 3", 4),
        ("--vni 300", 4),
        ("--vni 300 --type 2", 2),
        ("--rd 10.10.0.1:300 --type 3", 1),
        ("--rd 10.10.0.9:300", 0),
    ] {
        let routes = daemon.json(&format!("show evpn routes {filter}"));
        let rows = routes["routes"].as_array().unwrap();
        assert_eq!(rows.len(), count, "{filter}: {routes}");
        let received = |row: &&serde_json::Value| !row["neighbor"].is_null();
        assert!(
            rows.iter()
                .filter(received)
                .all(|row| row["since_s"].is_u64()),
            "{routes}"
        );
    }
    let macs = daemon.json("show evpn mac --vni 300");
    assert!(macs["macs"][0]["since_s"].is_u64(), "{macs}");
}

#[test]
fn orders_that_come_at_once_are_carried_out_one_after_the_other() {
    let Some((mut a, _b)) = sites("net-order") else {
        return;
    };
    let config = start(&mut a);
    let daemon = a.daemon();
    let at_once = |lines: Vec<String>| -> Vec<Option<i32>> {
        std::thread::scope(|scope| {
            let run = |line: String| scope.spawn(move || daemon.ctl(&line).status.code());
            let running: Vec<_> = lines.into_iter().map(run).collect();
            running.into_iter().map(|it| it.join().unwrap()).collect()
        })
    };
    let different = (1..9).map(|it| format!("network create 30{it} n{it} 10.3{it}.0.0/24"));
    assert_eq!(at_once(different.collect()), [Some(0); 8]);
    let same = (1..9).map(|it| format!("network create 400 n4{it} 10.40.0.0/24"));
    let codes = at_once(same.collect());
    let done = codes.iter().filter(|code| **code == Some(0)).count();
    let refused = codes.iter().filter(|code| **code == Some(1)).count();
    assert_eq!((done, refused), (1, 7), "{codes:?}");
    assert_eq!(
        daemon.json("network list")["networks"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let ids = (1..9).map(|it| 300 + it).chain([400]);
    assert_eq!(
        at_once(ids.map(|id| format!("network delete {id}")).collect()),
        [Some(0); 9]
    );
    assert_eq!(daemon.configuration(), config);
}

#[test]
fn a_daemon_that_breaks_off_leaves_the_old_file_or_the_new_one() {
    let Some((mut a, _b)) = sites("net-kill") else {
        return;
    };
    // The file is what this is about; a kernel in the middle of making a device is another matter.
    let rest = REST.replace("SITE", "1");
    let old = a.config(&format!("{rest}\n[kernel]\nenabled = false\n"));
    a.start(&old);
    a.daemon().until_logged("rbgpd runs");
    let new = old.replace(
        "before this goes.\n",
        &format!("before this goes.\n{GUESTS}"),
    );
    let mut seen = [0, 0];
    for step in 0..24_u32 {
        let daemon = a.daemon();
        let (file, pid) = (daemon.file("toml"), daemon.pid());
        let beside = file.with_file_name(".rbgpd.toml.new");
        // It is there for as long as it takes to write to the disk.
        let is_begun = || beside.exists() || fs::read_to_string(&file).unwrap() != old;
        std::thread::scope(|scope| {
            // Whether it was carried out is read from the file.
            scope.spawn(|| drop(daemon.ctl("network create 300 guests 10.30.0.0/24")));
            let end = Instant::now() + Duration::from_secs(10);
            while !is_begun() {
                assert!(Instant::now() < end, "{}", daemon.log());
            }
            let moment = Instant::now() + Duration::from_micros(u64::from(step) * 750);
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            // SAFETY: no memory is involved; the child has not been waited for.
            unsafe { libc::kill(libc::pid_t::try_from(pid).unwrap(), libc::SIGKILL) };
        });
        a.daemon_mut().breaks_off();
        let text = fs::read_to_string(&file).unwrap();
        let which = [&old, &new].iter().position(|it| **it == text);
        let which = which.unwrap_or_else(|| panic!("torn: {text}"));
        seen[which] += 1;
        // Either is one to start with, and what was written beside is in nobody's way.
        a.daemon_mut().again();
        let list = a.daemon().json("network list");
        assert_eq!(
            list["networks"].as_array().unwrap().len(),
            1 + which,
            "{list}"
        );
        if which == 1 {
            ends(a.daemon(), 0, "network delete 300");
        }
        assert_eq!(a.daemon().configuration(), old);
    }
    println!("old {}, new {}", seen[0], seen[1]);
    ends(a.daemon(), 0, "network create 300 guests 10.30.0.0/24");
    assert_eq!(a.daemon().configuration(), new);
}

#[test]
fn each_instance_has_networks_of_its_own() {
    let Some(sites) = namespaces("net-planes", 1) else {
        return;
    };
    let mut site = sites.into_iter().next().unwrap();
    site.ip("addr add 10.10.0.1/32 dev lo");
    let plane = "\n[[instance]] # the other plane\nname = \"red\"\nasn = 65009\n\
                 router_id = \"10.11.0.1\"\nlisten = [\"10.10.0.1:1179\"]\n\
                 evpn = { vtep = \"10.10.0.1\" }\n\
                 kernel = { distance = { external = 30, internal = 30 } }\n";
    let config = format!(
        "asn = 65001\nrouter_id = \"10.10.0.1\"\nlisten = [\"10.10.0.1:179\"]\n\
         [kernel]\nenabled = false\n{plane}"
    );
    site.start(&config);
    let daemon = site.daemon();
    daemon.until_logged("rbgpd runs");
    let refused = ends(daemon, 1, "network create 300 guests 10.30.0.0/24");
    assert!(
        refused.contains("this router has no tunnel endpoint"),
        "{refused}"
    );
    let text = ends(
        daemon,
        0,
        "--instance red network create 300 guests 10.30.0.0/24 --no-gateway",
    );
    assert!(text.contains("(VNI 300) in instance red"), "{text}");
    let block = "\n[[instance.vni]]\nid = 300\nname = \"guests\"\nnetworks = [\"10.30.0.0/24\"]\n";
    assert_eq!(daemon.configuration(), format!("{config}{block}"));
    let list = daemon.json("network list");
    assert_eq!(list["networks"][0]["instance"], "red", "{list}");
    assert_eq!(
        list["networks"][0]["ready"],
        serde_json::Value::Null,
        "{list}"
    );
    let refused = ends(daemon, 1, "--instance default network delete 300");
    assert!(refused.contains("instance red has it"), "{refused}");
    ends(daemon, 0, "network delete 300");
    assert_eq!(daemon.configuration(), config);
}
