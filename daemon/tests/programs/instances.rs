//! Two planes in one daemon, an instance each, against the real kernel.
//!
//! ```text
//!            ┌─ wa 10.1.0.1 ── 10.1.0.2 ─ left  (AS 65002): 10.9.0.0/16, 10.10.0.0/16
//!   daemon ──┤   the default instance, distance 20
//!            │   instance `plane-b`, distance 30
//!            └─ wb 10.2.0.1 ── 10.2.0.2 ─ right (AS 65003): 10.9.0.0/16, 10.11.0.0/16
//! ```
//!
//! Needs root: each of the three has a network namespace, which goes with its processes. What the
//! kernel has is asked of `ip`, what a neighbour was told is asked of the neighbour.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::daemon::{Daemon, Place, until_text};
use crate::skip;

const DEFAULT: &str = r#"
asn = 65001
router_id = "10.1.0.1"
listen = ["10.1.0.1:179"]
[ipv4_unicast]
networks = ["10.100.0.0/16"]
[[neighbor]]
address = "10.1.0.2"
remote_as = 65002
timers = { connect_retry = "1s" }
bfd = true
ipv4_unicast = { import = "IN" }
[[route_map]]
name = "IN"
entry = [{ seq = 10, action = "permit" }]
"#;

const PLANE_B: &str = r#"
[[instance]]
name = "plane-b"
asn = 65001
router_id = "10.2.0.1"
listen = ["10.2.0.1:179"]
[instance.kernel]
distance = { external = 30, internal = 30 }
[instance.ipv4_unicast]
networks = ["10.101.0.0/16"]
[[instance.neighbor]]
address = "10.2.0.2"
remote_as = 65003
timers = { connect_retry = "1s" }
bfd = true
ipv4_unicast = { import = "IN" }
"#;

/// A configuration of a neighbour.
fn peer(asn: u32, subnet: u8, own: &str) -> String {
    format!(
        "asn = {asn}\nrouter_id = \"10.{subnet}.0.2\"\n\
         [kernel]\nenabled = false\n\
         [ipv4_unicast]\nnetworks = [\"10.9.0.0/16\", \"{own}\"]\n\
         [[neighbor]]\naddress = \"10.{subnet}.0.1\"\nremote_as = 65001\nbfd = true\n\
         timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
    )
}

/// Enters a new network namespace with this thread, and with all that it starts.
fn enter_namespace() -> bool {
    // SAFETY: no memory is involved.
    let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
    if !entered || Command::new("ip").arg("-V").output().is_err() {
        skip::note(None, "needs a network namespace and `ip`");
        return false;
    }
    run("ip link set lo up");
    true
}

fn run(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "`{command}`: {output:?}");
    text
}

/// A neighbour in a namespace of its own, beside the test's.
fn elsewhere(place: &Place, name: &str, config: &str) -> Daemon {
    let folder = place.path().join(name);
    let start = || {
        assert!(enter_namespace());
        Daemon::running(&folder, "rbgpd", config)
    };
    std::thread::scope(|scope| scope.spawn(start).join().unwrap())
}

/// The daemon between its two neighbours.
struct Planes {
    daemon: Daemon,
    left: Daemon,
    right: Daemon,
    /// The folder of all, which goes last.
    place: Place,
}

impl Planes {
    /// `None`, after saying why, where there are no namespaces.
    fn up() -> Option<Self> {
        if !enter_namespace() {
            return None;
        }
        let place = Place::new("instances");
        let left = elsewhere(&place, "left", &peer(65002, 1, "10.10.0.0/16"));
        let right = elsewhere(&place, "right", &peer(65003, 2, "10.11.0.0/16"));
        for (name, subnet, other) in [("wa", 1, &left), ("wb", 2, &right)] {
            let pid = other.pid();
            run(&format!(
                "ip link add {name} type veth peer name peer netns {pid}"
            ));
            run(&format!("ip address add 10.{subnet}.0.1/24 dev {name}"));
            run(&format!("ip link set {name} up"));
            let there = format!("nsenter --net=/proc/{pid}/ns/net ip");
            run(&format!("{there} address add 10.{subnet}.0.2/24 dev peer"));
            run(&format!("{there} link set peer up"));
        }
        let daemon = Daemon::running(place.path(), "rbgpd", &format!("{DEFAULT}{PLANE_B}"));
        let planes = Self {
            place,
            daemon,
            left,
            right,
        };
        planes.routes(&[20, 30]);
        Some(planes)
    }

    /// Waits until the kernel has routes to the prefix of both with these metrics, and no others.
    fn routes(&self, metrics: &[u32]) {
        until_text("routes", shown, |text| {
            let of = |metric: u32| text.contains(&format!("metric {metric}"));
            [20, 30]
                .into_iter()
                .all(|it| of(it) == metrics.contains(&it))
        });
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.daemon.log());
        }
    }
}

/// The kernel's routes to the prefix that both neighbours announce.
fn shown() -> String {
    run("ip route show 10.9.0.0/16")
}

/// Prefixes that a neighbour has from the daemon.
fn told(peer: &Daemon) -> String {
    peer.said("show routes --received 10.1.0.1") + &peer.said("show routes --received 10.2.0.1")
}

/// Whether the daemon's network is on its way out at this neighbour.
fn is_drained(peer: &Daemon, address: &str) -> bool {
    let routes = peer.json(&format!("show routes --received {address}"));
    routes.to_string().contains("graceful-shutdown") || routes.to_string().contains("65535:0")
}

#[test]
fn two_planes_have_a_route_each_to_one_prefix_and_none_crosses() {
    let Some(mut planes) = Planes::up() else {
        return;
    };
    let Planes {
        daemon,
        left,
        right,
        ..
    } = &mut planes;
    let both = shown();
    let [a, b] = [("10.1.0.2", "wa", 20), ("10.2.0.2", "wb", 30)].map(|(via, device, metric)| {
        let line = both
            .lines()
            .find(|line| line.contains(&format!("metric {metric}")));
        line.is_some_and(|it| it.contains(device) || it.contains(via))
    });
    assert!(a && b, "{both}");
    assert!(run("ip route get 10.9.0.1").contains("dev wa"));
    assert_eq!(
        daemon.ctl("verify").status.code(),
        Some(0),
        "{}",
        daemon.said("verify")
    );

    // Each neighbour has the network of its plane and nothing of the other.
    until_text("left", || told(left), |text| text.contains("10.100.0.0/16"));
    until_text(
        "right",
        || told(right),
        |text| text.contains("10.101.0.0/16"),
    );
    assert!(!told(left).contains("10.11.") && !told(left).contains("10.101."));
    assert!(!told(right).contains("10.10.0") && !told(right).contains("10.100."));
    assert!(!daemon.said("show routes").contains("10.11."));
    let of_b = daemon.said("--instance plane-b show routes");
    assert!(
        of_b.contains("10.11.") && !of_b.contains("10.10.0"),
        "{of_b}"
    );

    // Who asks is told of both.
    let summary = daemon.json("show summary");
    assert_eq!(summary["router_id"], "10.1.0.1");
    assert_eq!(summary["instances"][0]["name"], "plane-b");
    assert!(
        daemon
            .said("show summary")
            .contains("plane-b (1 of 1 Established)")
    );
    let instances = daemon.json("show instances");
    assert_eq!(instances["instances"][0]["name"], "default");
    assert_eq!(instances["instances"][1]["router_id"], "10.2.0.1");
    assert_eq!(
        daemon.json("--instance plane-b show summary")["router_id"],
        "10.2.0.1"
    );
    assert_eq!(
        daemon.json("--instance default show summary")["router_id"],
        "10.1.0.1"
    );
    let unknown = daemon.said("--instance blue show summary");
    assert!(
        unknown.contains("no instance `blue`") && unknown.contains("plane-b"),
        "{unknown}"
    );
    let sessions = daemon.json("--instance plane-b show bfd");
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["peer"], "10.2.0.2");
    let numbers = daemon.exchange("GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n");
    for line in [
        "rbgpd_neighbor_up{neighbor=\"10.1.0.2\"} 1\n",
        "rbgpd_neighbor_up{instance=\"plane-b\",neighbor=\"10.2.0.2\"} 1\n",
    ] {
        assert!(numbers.contains(line), "{numbers}");
    }
    assert_eq!(numbers.matches("# TYPE rbgpd_neighbor_up gauge").count(), 1);
    let log = daemon.log();
    let of_b = log.lines().find(|line| line.contains("neighbor=10.2.0.2"));
    let of_b = of_b.map(|line| line.matches("instance{name=plane-b}").count());
    assert_eq!(of_b, Some(1), "{log}");

    // One plane is lost, and the other's route was there all along.
    let there = format!("nsenter --net=/proc/{}/ns/net ip link set peer", left.pid());
    run(&format!("{there} down"));
    planes.routes(&[30]);
    assert!(run("ip route get 10.9.0.1").contains("dev wb"));
    assert!(
        planes
            .daemon
            .said("show summary")
            .contains("plane-b (1 of 1 Established)")
    );
    run(&format!("{there} up"));
    planes.routes(&[20, 30]);
    planes.daemon.stop();
    assert!(!run("ip route").contains("proto bgp"));
}

#[test]
fn a_drain_is_of_all_instances_or_of_the_one_that_is_named() {
    let Some(planes) = Planes::up() else { return };
    let Planes {
        daemon,
        left,
        right,
        ..
    } = &planes;
    until_text(
        "right",
        || told(right),
        |text| text.contains("10.101.0.0/16"),
    );
    until_text("left", || told(left), |text| text.contains("10.100.0.0/16"));
    let drained = || (is_drained(left, "10.1.0.1"), is_drained(right, "10.2.0.1"));
    let seen = |what, wanted| {
        until_text(
            what,
            || format!("{:?}", drained()),
            |now| now == format!("{wanted:?}"),
        );
    };
    let state = |name: &str| daemon.state(name).exists();

    let alone = daemon.ctl("--instance plane-b drain --force --timeout 20s");
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    seen("one", (false, true));
    assert!(state("drain-plane-b.json") && !state("drain.json"));
    let status = daemon.json("show drain");
    assert_eq!(status["only"], serde_json::json!(["plane-b"]));
    assert_eq!(
        daemon.json("show instances")["instances"][1]["draining"],
        true
    );
    let back = daemon.ctl("undrain --wait");
    assert_eq!(back.status.code(), Some(0), "{back:?}");
    seen("none", (false, false));

    let all = daemon.ctl("drain --force --timeout 20s");
    assert_eq!(all.status.code(), Some(0), "{all:?}");
    seen("all", (true, true));
    assert!(state("drain-plane-b.json") && state("drain.json"));
    assert_eq!(daemon.ctl("undrain --wait").status.code(), Some(0));
    seen("none", (false, false));
    assert!(!state("drain-plane-b.json") && !state("drain.json"));

    // A neighbour is found in whichever instance it is of.
    let single = daemon.ctl("drain --neighbor 10.2.0.2 --force --timeout 20s");
    assert_eq!(single.status.code(), Some(0), "{single:?}");
    seen("a neighbour", (false, true));
}

#[test]
fn a_run_that_breaks_off_leaves_the_routes_of_both_to_the_next() {
    let Some(mut planes) = Planes::up() else {
        return;
    };
    // The session must have agreed on graceful restart, and its routes be complete.
    for instance in ["default", "plane-b"] {
        until_text(
            "End-of-RIB",
            || planes.daemon.said(&format!("--instance {instance} verify")),
            |text| text.starts_with("Equal"),
        );
    }
    let file = planes.place.path().join("monitor");
    let monitor = Command::new("ip")
        .args(["monitor", "route"])
        .stdout(File::create(&file).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let marks = ["running.json", "running-plane-b.json"];
    let marks = marks.map(|name| planes.daemon.state(name));
    planes.daemon.breaks_off();
    assert!(marks.iter().all(|mark| mark.exists()));
    planes.routes(&[20, 30]);
    planes.daemon.again();
    until_text(
        "both instances have all routes",
        || planes.daemon.log(),
        |log| {
            let complete =
                |line: &&str| line.contains("routes are complete") && line.contains("ipv4");
            let lines: Vec<&str> = log.lines().filter(complete).collect();
            let of_b = lines.iter().filter(|line| line.contains("plane-b")).count();
            lines.len() == 2 && of_b == 1
        },
    );
    planes
        .daemon
        .until_said("verify", |text| text.starts_with("Equal"));
    planes.routes(&[20, 30]);
    let mut monitor = monitor;
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let heard = fs::read_to_string(file).unwrap();
    let lost = |line: &&str| line.starts_with("Deleted") && line.contains("10.9.0.0/16");
    assert_eq!(heard.lines().find(lost), None, "{heard}");
    planes.daemon.stop();
    assert!(!marks.iter().any(|mark| mark.exists()));
}

#[test]
fn a_reload_adds_and_removes_an_instance_or_changes_nothing() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    let flaps = || daemon.json("show neighbors 10.1.0.2")["neighbors"][0]["flaps"].clone();
    let neighbor = || planes.right.said("show neighbors 10.2.0.1");

    // Without it: its routes and its session go, the other's stay.
    daemon.configure(DEFAULT);
    let would = daemon.said("reload --dry-run");
    assert!(would.contains("instance plane-b: removed"), "{would}");
    planes.routes(&[20, 30]);
    let did = daemon.ctl("reload");
    assert_eq!(did.status.code(), Some(0), "{did:?}");
    planes.routes(&[20]);
    until_text("the session ends", neighbor, |text| {
        !text.contains("Established")
    });
    assert_eq!(
        daemon.json("show instances")["instances"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(daemon.json("show summary").get("instances").is_none());

    // One that cannot start: nothing of the file is applied, of the default instance either.
    let other = DEFAULT.replace("10.100.0.0/16", "10.102.0.0/16");
    let elsewhere = PLANE_B.replace("10.2.0.1:179", "192.0.2.1:179");
    daemon.configure(&format!("{other}{elsewhere}"));
    let refused = daemon.said("reload");
    assert!(
        refused.contains("instance `plane-b` does not start") && refused.contains("192.0.2.1:179"),
        "{refused}"
    );
    let own = daemon.said("show routes");
    assert!(
        own.contains("10.100.0.0/16") && !own.contains("10.102."),
        "{own}"
    );

    // Two that the kernel could not tell apart: named with both lines.
    let alike = PLANE_B.replace("external = 30, internal = 30", "external = 20");
    daemon.configure(&format!("{DEFAULT}{alike}"));
    let refused = daemon.said("reload");
    assert!(
        refused.contains("`distance` 20 in routing table 254"),
        "{refused}"
    );

    // And back.
    daemon.configure(&format!("{DEFAULT}{PLANE_B}"));
    let back = daemon.said("reload");
    assert!(back.contains("instance plane-b: added"), "{back}");
    planes.routes(&[20, 30]);
    until_text("the session is back", neighbor, |text| {
        text.contains("Established")
    });

    // A change within it is told with its name, and takes effect there.
    let more = PLANE_B.replace("10.101.0.0/16", "10.103.0.0/16");
    daemon.configure(&format!("{DEFAULT}{more}"));
    let change = daemon.said("reload");
    assert!(
        change.contains("instance plane-b: network 10.103.0.0/16: added"),
        "{change}"
    );
    until_text(
        "the neighbour is told",
        || told(&planes.right),
        |text| text.contains("10.103.") && !text.contains("10.101."),
    );
    let lower = more.replace("external = 30", "external = 10");
    daemon.configure(&format!("{DEFAULT}{lower}"));
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_text("the other plane is preferred", shown, |text| {
        text.contains("metric 10") && text.contains("metric 20") && !text.contains("metric 30")
    });
    daemon.until_said("verify", |text| text.starts_with("Equal"));
    assert_eq!(flaps(), 0, "the default instance's session was left alone");
}

#[test]
fn a_neighbour_that_moves_to_another_instance_has_its_bfd_there() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    let up = |instance: &str| {
        let bfd = format!("--instance {instance} show bfd");
        let neighbor = format!("--instance {instance} show neighbors 10.2.0.2");
        let state = || {
            let bfd = daemon.json(&bfd);
            let sessions = bfd["sessions"].as_array().unwrap();
            let session = sessions.iter().find(|it| it["peer"] == "10.2.0.2");
            let bfd = session.map_or(Value::Null, |it| it["state"].clone());
            format!("{bfd} {}", daemon.json(&neighbor)["neighbors"][0]["state"])
        };
        until_text("session and BFD", state, |now| {
            now == "\"up\" \"Established\""
        });
    };
    up("plane-b");
    let (head, neighbor) = PLANE_B.split_once("[[instance.neighbor]]").unwrap();
    let (default, map) = DEFAULT.split_once("[[route_map]]").unwrap();
    daemon.configure(&format!(
        "{default}[[neighbor]]{neighbor}[[route_map]]{map}{head}"
    ));
    let did = daemon.ctl("reload");
    assert_eq!(did.status.code(), Some(0), "{did:?}");
    up("default");
    // Faster than its hold time of 90 s.
    let there = planes.right.pid();
    run(&format!(
        "nsenter --net=/proc/{there}/ns/net ip link set peer down"
    ));
    until_text(
        "BFD takes the session down",
        || daemon.json("show neighbors 10.2.0.2")["neighbors"][0]["state"].to_string(),
        |now| now != "\"Established\"",
    );
}

#[test]
fn an_instance_with_a_table_of_its_own_writes_there_and_resolves_as_the_host_does() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    daemon.configure(DEFAULT);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    planes.routes(&[20]);
    // The same distance, in another table.
    let own = PLANE_B.replace("distance = { external = 30, internal = 30 }", "table = 100");
    daemon.configure(&format!("{DEFAULT}{own}"));
    assert_eq!(
        daemon.ctl("reload").status.code(),
        Some(0),
        "{}",
        daemon.said("reload")
    );
    let table = || run("ip route show table 100 2>/dev/null || true");
    until_text("routes of the table", table, |text| {
        text.contains("10.9.0.0/16") && text.contains("10.11.0.0/16") && text.contains("dev wb")
    });
    assert!(!table().contains("10.10.0.0"), "{}", table());
    planes.routes(&[20]);
    daemon.until_said("verify", |text| text.starts_with("Equal"));
    // Taken by hand, it is put back by its owner.
    run("ip route del 10.9.0.0/16 table 100");
    until_text("repair", table, |text| text.contains("10.9.0.0/16"));
    daemon.configure(DEFAULT);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_text("an empty table", table, |text| !text.contains("proto bgp"));
    planes.routes(&[20]);
}

#[test]
fn a_route_map_of_an_instance_puts_its_routes_into_another_table() {
    let Some(mut planes) = Planes::up() else {
        return;
    };
    let there = PLANE_B.replace("import = \"IN\"", "import = \"THERE\"");
    let there = format!(
        "{DEFAULT}{there}[[prefix_list]]\nname = \"ELEVEN\"\nrules = [\"permit 10.11.0.0/16\"]\n\
         [[route_map]]\nname = \"THERE\"\nentry = [\
         {{ seq = 10, action = \"permit\", match = {{ prefix_list = \"ELEVEN\" }}, \
         set = {{ table = 500 }} }},\n{{ seq = 20, action = \"permit\" }}]\n"
    );
    let table = || run("ip route show table 500 2>/dev/null || true");
    let is_there = |text: &str| text.contains("10.11.0.0/16") && text.contains("metric 30");
    let daemon = &mut planes.daemon;
    daemon.configure(&there);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_text("the other table", table, is_there);
    until_text(
        "the main table",
        || run("ip route show"),
        |text| !text.contains("10.11.0.0/16"),
    );
    // Its owner knows it again: by hand, after a crash, and in its end.
    run("ip route del 10.11.0.0/16 table 500");
    until_text("repair", table, is_there);
    daemon.breaks_off();
    assert!(is_there(&table()));
    daemon.again();
    daemon.until_said("verify", |text| text.starts_with("Equal"));
    assert!(is_there(&table()));
    // The same table and distance in two instances.
    let both = there.replace(
        "[ipv4_unicast]\nnetworks = [\"10.100.0.0/16\"]",
        "kernel = { distance = { external = 30, internal = 20 }, table = 500 }\n\
         [ipv4_unicast]\nnetworks = [\"10.100.0.0/16\"]",
    );
    daemon.configure(&both);
    let said = daemon.said("reload --dry-run");
    assert!(
        said.contains("`distance` 30 in routing table 500"),
        "{said}"
    );
    daemon.configure(DEFAULT);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_text("an empty table", table, |text| !text.contains("proto bgp"));
    planes.routes(&[20]);
}

#[test]
fn overlays_are_their_instances_and_go_with_it() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    let with_vni = format!(
        "{PLANE_B}[instance.evpn]\nvtep = \"10.2.0.1\"\n\
         [[instance.vni]]\nid = 200\nname = \"of-b\"\n"
    );
    daemon.configure(&format!("{DEFAULT}{with_vni}"));
    let added = daemon.said("reload");
    assert!(
        added.contains("instance plane-b: vni 200: added"),
        "{added}"
    );
    let devices = || run("ip -o link");
    until_text("devices", devices, |text| {
        text.contains("vxlan200") && text.contains("br200")
    });
    daemon.until_said("verify", |text| text.starts_with("Equal"));

    // A host that is learned on the bridge is that instance's alone.
    run("ip link add host type veth peer name port");
    run("ip link set host address 02:00:00:00:00:07 up");
    run("ip link set port master br200 up");
    run("bridge fdb replace 02:00:00:00:00:07 dev port master static");
    let macs = |instance: &str| daemon.said(&format!("--instance {instance} show evpn mac"));
    until_text(
        "the host",
        || macs("plane-b"),
        |text| text.contains("02:00:00:00:00:07"),
    );
    assert!(!macs("default").contains("02:00:00"), "{}", macs("default"));
    assert_eq!(
        daemon.json("show evpn vni")["vnis"]
            .as_array()
            .unwrap()
            .len(),
        0
    );

    // What the other instance wants is no difference of this one's.
    run("ip link set vxlan200 down");
    until_text(
        "repair",
        || run("ip -o link show vxlan200"),
        |text| text.contains(",UP"),
    );
    assert_eq!(
        daemon.ctl("--instance default verify").status.code(),
        Some(0)
    );

    // One VNI does not go from one to the other at once.
    let moved = format!(
        "{}[evpn]\nvtep = \"10.1.0.1\"\n[[vni]]\nid = 200\nname = \"of-a\"\n{PLANE_B}",
        DEFAULT
    );
    daemon.configure(&moved);
    let refused = daemon.said("reload");
    assert!(
        refused.contains("vni 200 goes from instance plane-b to default"),
        "{refused}"
    );
    assert!(devices().contains("vxlan200"));

    daemon.configure(DEFAULT);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_text("no devices", devices, |text| {
        !text.contains("vxlan200") && !text.contains("br200")
    });
    daemon.until_said("verify", |text| text.starts_with("Equal"));
}

#[test]
fn instances_that_come_and_go_leave_nothing_behind() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    let of_process = |what: &str| {
        let path = format!("/proc/{}/{what}", daemon.pid());
        fs::read_dir(path).unwrap().count()
    };
    let without = || {
        daemon.configure(DEFAULT);
        assert_eq!(
            daemon.ctl("reload").status.code(),
            Some(0),
            "{}",
            daemon.log()
        );
        planes.routes(&[20]);
    };
    without();
    let before = (of_process("task"), of_process("fd"));
    for round in 0..20 {
        daemon.configure(&format!("{DEFAULT}{PLANE_B}"));
        let added = daemon.said("reload");
        assert!(
            added.contains("instance plane-b: added"),
            "{round}: {added}"
        );
        // Every second one goes before its session is up.
        if round % 2 == 0 {
            planes.routes(&[20, 30]);
        }
        without();
    }
    // Threads of the runtime that wait for blocking work end after a while by themselves.
    let now = || (of_process("task"), of_process("fd"));
    until_text(
        "as before",
        || format!("{:?}", now()),
        |_| now().0 <= before.0 && now().1 <= before.1,
    );
}

#[test]
fn an_instance_that_was_drained_and_removed_is_drained_when_it_is_there_again() {
    let Some(planes) = Planes::up() else { return };
    let daemon = &planes.daemon;
    let drained = || daemon.json("show instances")["instances"][1]["draining"].clone();
    let said = daemon.said("--instance plane-b drain --reason maintenance");
    assert_eq!(drained(), true, "{said}");
    for (config, count) in [(DEFAULT.to_owned(), 1), (format!("{DEFAULT}{PLANE_B}"), 2)] {
        daemon.configure(&config);
        assert_eq!(daemon.ctl("reload").status.code(), Some(0));
        let all = daemon.json("show instances");
        assert_eq!(all["instances"].as_array().unwrap().len(), count);
    }
    assert_eq!(drained(), true);
    until_text(
        "the neighbour hears of it",
        || is_drained(&planes.right, "10.2.0.1").to_string(),
        |is_drained| is_drained == "true",
    );
    let said = daemon.said("--instance plane-b undrain --force");
    assert_eq!(drained(), false, "{said}");
}

#[test]
fn an_instance_in_a_vrf_that_is_none_is_refused_by_name() {
    if !enter_namespace() {
        return;
    }
    let place = Place::new("instances-vrf");
    run("ip link add dummy0 type veth peer name dummy1");
    run("ip address replace 10.1.0.1/24 dev lo");
    let mut daemon = Daemon::start(place.path(), "rbgpd", &in_vrf("dummy0"));
    assert_eq!(daemon.ended().code(), Some(1));
    let log = daemon.log();
    let named = log.contains("instance `plane-b`") && log.contains("\"dummy0\"");
    assert!(named && log.contains("the device is no VRF"), "{log}");
}

fn in_vrf(device: &str) -> String {
    let vrf = PLANE_B.replace("asn", &format!("vrf = \"{device}\"\nasn"));
    format!("{DEFAULT}{}", vrf.replace("bfd = true\n", ""))
}

#[test]
fn an_instance_whose_vrf_is_not_there_waits_and_the_others_run() {
    if !enter_namespace() {
        return;
    }
    let place = Place::new("instances-waiting");
    run("ip address replace 10.1.0.1/24 dev lo");
    let daemon = Daemon::start(place.path(), "rbgpd", &in_vrf("blue"));
    daemon.until_logged("there is no VRF device `blue`");
    let all = daemon.json("show instances");
    let waiting = |at: usize| all["instances"][at]["waiting"].clone();
    assert_eq!((waiting(0), waiting(1)), (false.into(), true.into()));
    let summary = daemon.said("show summary");
    assert!(
        summary.contains("plane-b (there is no VRF device blue)"),
        "{summary}"
    );
    let refused = daemon.said("--instance plane-b show summary");
    assert!(
        refused.contains("instance `plane-b` does not run: there is no VRF device `blue`"),
        "{refused}"
    );
    // What is there instead is no VRF, and so it goes on waiting.
    run("ip link add blue type veth peer name dummy1");
    daemon.until_logged("the device is no VRF");
    run("ip link del blue");
    // Without the instance nothing waits.
    daemon.configure(DEFAULT);
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    let all = daemon.json("show instances");
    assert_eq!(all["instances"].as_array().unwrap().len(), 1);
    daemon.configure(&in_vrf("blue"));
    let said = daemon.said("reload");
    assert!(said.contains("waits for its VRF device"), "{said}");
}
