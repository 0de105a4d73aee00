//! A published recipe for FRR, pasted as it is: three sites, drained and restored by its own lines.
//!
//! ```text
//!              service 172.20.0.53                 second choice
//!   machines ─ br100, br200 ─ A rbgpd ──────────── B rbgpd ─ br100, br200 ─ machines
//!                              ╲   a WireGuard    ╱
//!                               ╲  tunnel each   ╱
//!                                    C rbgpd ─ br100, br200 ─ machines
//! ```
//!
//! The files (`recipe/site-*.frr.conf`) are what operators end up with: grown by `cat >>`, `router bgp`
//! twice, blocks of VNIs outside of everything, OSPF that nobody here runs, networks without a route,
//! neighbours without policy. FRR takes none of them so that traffic would pass. What is asked here is what their author meant. C
//! asks the service and machines of the overlay every 10 ms while A is drained and restored, line by
//! line; between two lines is traffic, which has to stay where it is until `end`.

#![allow(missing_docs)]

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use conformance::lab::{
    Cloud, Error, Lab, Output, PATIENCE, PingReport, Pinger, Plan, Program, Requirement, SERVICE,
    Site, Underlay, binary, command, kernel, scenario,
};
use serde_json::Value;

const NEEDS: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::Rbgpd,
];

const FILES: [&str; 3] = [
    include_str!("recipe/site-a.frr.conf"),
    include_str!("recipe/site-b.frr.conf"),
    include_str!("recipe/site-c.frr.conf"),
];

const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;
const VNIS: [u32; 2] = [100, 200];

/// Fed to vtysh before work on site A, and after.
const DRAIN: &[&str] = &[
    "configure terminal",
    "route-map DRAIN-OUT permit 10",
    " set as-path prepend 65001 65001 65001",
    "!",
    "router bgp 65001",
    " address-family ipv4 unicast",
    "  neighbor 10.10.0.2 route-map DRAIN-OUT out",
    "  neighbor 10.10.0.3 route-map DRAIN-OUT out",
    " exit-address-family",
    "!",
    "end",
    "clear bgp * soft out",
];
const RESTORE: &[&str] = &[
    "configure terminal",
    "no route-map DRAIN-OUT",
    "router bgp 65001",
    " address-family ipv4 unicast",
    "  neighbor 10.10.0.2 route-map SITE-B-OUT out",
    "  neighbor 10.10.0.3 route-map SITE-C-OUT out",
    " exit-address-family",
    "!",
    "end",
    "clear bgp * soft out",
];

/// A drained way as the others see it.
const LONG_WAY: &str = "65001 65001 65001 65001";

fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

/// The sites with the recipe's files and a machine in each network at each of them; what FRR's
/// operators make on the host themselves is made: gateways, and addresses of services.
fn build(lab: &Lab) -> Result<Cloud<'_>, Error> {
    let programs = [Program::Rbgpd, Program::Rbgpd, Program::Rbgpd];
    let plan = Plan::new(Underlay::WireGuard, programs).service(&[A, B]);
    let plan = [A, B, C].into_iter().fold(plan, Plan::separate_tunnels);
    let mut cloud = Cloud::build(lab, plan.vnis(&VNIS))?;
    for (site, address) in [(B, "172.24.0.1"), (C, "172.28.0.1"), (C, "10.30.0.1")] {
        let words = format!("addr add {address}/32 dev lo");
        cloud.at(site)?.space().ip(&words)?;
    }
    cloud.start_files(&FILES)?;
    for site in cloud.sites() {
        for vni in VNIS {
            let words = format!("addr add 10.{vni}.0.1/24 dev br{vni}");
            site.space().ip(&words)?;
        }
    }
    Ok(cloud)
}

/// Sessions, BFD, routes and MAC addresses, each seen from everywhere, and packets both ways.
fn converge(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    lab.reach("BGP for both families", PATIENCE, || cloud.sessions_up())?;
    lab.reach("BFD", PATIENCE, || cloud.bfd_up())?;
    for (site, prefix, via) in [
        (A, "172.24.0.0/14", B),
        (A, "10.200.0.0/16", B),
        (A, "172.28.0.0/14", C),
        (A, "10.30.0.0/16", C),
        (B, "10.100.0.0/16", A),
        (B, "172.28.0.0/14", C),
        (C, "172.24.0.0/14", B),
        (C, "172.20.0.0/14", A),
        (C, "10.100.0.0/16", A),
    ] {
        let site = cloud.at(site)?;
        let what = format!("{}: {prefix}", site.name());
        lab.wait_until(&what, PATIENCE, || {
            let routes = kernel::learned(site.space(), prefix)?;
            match routes.iter().any(|it| it.leads_to(site.peer(via))) {
                true => Ok(()),
                false => wrong(format!("{routes:?}")),
            }
        })?;
    }
    lab.step("routes cross");
    lab.reach("flooding", PATIENCE, || cloud.flood_entries())?;
    lab.reach("machine to machine", PATIENCE, || cloud.vms_ping(false))?;
    lab.reach("MAC addresses cross", PATIENCE, || cloud.remote_macs())?;
    lab.reach("full packets", PATIENCE, || cloud.vms_ping(true))?;
    cloud.isolated()
}

/// Each line that does something else than in FRR is named once, with the reason, and nothing else; a line
/// that has no effect there either is a note.
fn differences(cloud: &Cloud<'_>) -> Result<(), Error> {
    let file = cloud.at(A)?.rbgpd()?.config();
    let checked = cloud
        .at(A)?
        .node()
        .ctl(&["check", &file.to_string_lossy()])?;
    if !checked.ok() {
        return wrong(checked.text());
    }
    let text = format!("{}\n{}", checked.stdout, checked.stderr);
    for (line, reason) in [
        ("`vni 100`", "FRR takes the line for the L3 VNI"),
        ("`vni 200`", "FRR takes the line for the L3 VNI"),
        ("`advertise ipv4 unicast`", "no L3 VNI"),
        ("`router ospf`", "ospfd"),
    ] {
        let named: Vec<&str> = text.lines().filter(|it| it.contains(line)).collect();
        let [once] = named.as_slice() else {
            return wrong(format!("{line} is named {} times:\n{text}", named.len()));
        };
        if !once.contains(reason) {
            return wrong(format!("{line} without `{reason}`: {once}"));
        }
    }
    for remark in [
        "is announced while the kernel has a route",
        "both AS numbers are private",
    ] {
        if text.matches(remark).count() != 1 {
            return wrong(format!("not once: {remark}\n{text}"));
        }
    }
    let differs = text.lines().filter(|it| it.starts_with("differs:")).count();
    match differs {
        2 => Ok(()),
        count => wrong(format!("{count} differences:\n{text}")),
    }
}

/// The recipe's commands for looking, at site A.
fn answers(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let node = cloud.at(A)?.node();
    let shown = |question: &str| {
        let output = node.vtysh(&[question])?;
        match output.ok() {
            true => Ok(output.stdout),
            false => wrong(format!("{question}: {}", output.text())),
        }
    };
    let machine = cloud.vm(100, C)?.mac();
    let own = cloud.vm(200, A)?.mac();
    for (question, texts) in [
        (
            "show bgp summary",
            vec![
                "IPv4 Unicast Summary",
                "L2VPN EVPN Summary",
                "10.10.0.2",
                "10.10.0.3",
                "Frankfurt",
            ],
        ),
        (
            "show bgp ipv4 unicast",
            vec![
                "10.100.0.0/16",
                "172.20.0.0/14",
                "172.24.0.0/14",
                "172.28.0.0/14",
                "65002 i",
            ],
        ),
        ("show ip ospf neighbor", vec!["ospfd"]),
        (
            "show bfd peers",
            vec!["peer 10.10.0.2", "peer 10.10.0.3", "Status: up"],
        ),
        (
            "show bgp l2vpn evpn summary",
            vec!["10.10.0.2", "10.10.0.3", "65003"],
        ),
        (
            "show bgp l2vpn evpn route",
            vec![
                "Route Distinguisher: 10.10.0.1:100",
                "Route Distinguisher: 10.10.0.3:200",
                &machine,
                "[3]:[0]:[32]:[10.10.0.2]",
            ],
        ),
        ("show evpn vni", vec!["100", "200", "vxlan100", "vxlan200"]),
        (
            "show evpn mac vni all",
            vec![&machine, "10.10.0.3", &own, "remote", "local"],
        ),
    ] {
        let text = shown(question)?;
        if let Some(lacks) = texts.iter().find(|it| !text.contains(**it)) {
            return wrong(format!("`{question}` lacks {lacks}:\n{text}"));
        }
        if question != "show ip ospf neighbor" && text.contains("Idle") {
            return wrong(text);
        }
    }
    let json = |question: &str| -> Result<Value, Error> {
        command::json(question, &shown(&format!("{question} json"))?)
    };
    let summary = json("show bgp summary")?;
    for (family, least) in [("ipv4Unicast", 2), ("l2VpnEvpn", 4)] {
        for peer in ["10.10.0.2", "10.10.0.3"] {
            let of = summary.pointer(&format!("/{family}/peers/{peer}"));
            let state = of.and_then(|it| it.get("state")).and_then(Value::as_str);
            let received = of.and_then(|it| it.get("pfxRcd")).and_then(Value::as_u64);
            if state != Some("Established") || received.is_none_or(|it| it < least) {
                return wrong(format!("{family} of {peer}: {of:?}"));
            }
        }
    }
    let vnis = json("show evpn vni")?;
    for vni in VNIS {
        let of = vnis.get(vni.to_string());
        let number = |key: &str| of.and_then(|it| it.get(key)).and_then(Value::as_u64);
        // Its own machine and those of both others.
        let macs = number("numMacs").is_some_and(|it| it >= 3);
        if number("numRemoteVteps") != Some(2) || !macs {
            return wrong(format!("VNI {vni}: {of:?}"));
        }
    }
    lab.step("the commands for looking show what is there");
    Ok(())
}

/// `vtysh` of site A through a shell, as scripts call it.
fn script(lab: &Lab, site: &Site, line: &str, input: &str) -> Result<Output, Error> {
    let folder = lab.folder("bin")?;
    let link = folder.join("vtysh");
    let Some(ctl) = binary("rbgpctl") else {
        return wrong("no program rbgpctl");
    };
    if !link.exists() {
        std::os::unix::fs::symlink(ctl, &link).map_err(|e| Error::io(link.display(), e))?;
    }
    let file = folder.join("input");
    std::fs::write(&file, input).map_err(|e| Error::io(file.display(), e))?;
    let line = format!(
        "exec < {}; PATH={}:$PATH; {line}",
        file.display(),
        folder.display()
    );
    let mut shell = site.space().command("sh");
    shell.args(["-c", &line]);
    shell.env("RBGPD_SOCKET", site.rbgpd()?.socket());
    command::output(&mut shell)
}

const STATUS: &str = "vtysh -c 'show bgp summary' 2>/dev/null || echo 'FRR not running'";

/// The status script says what is so, before and after a stop.
fn status(lab: &Lab, cloud: &mut Cloud<'_>) -> Result<(), Error> {
    let running = script(lab, cloud.at(C)?, STATUS, "")?;
    if !running.stdout.contains("10.10.0.1") || running.stdout.contains("not running") {
        return wrong(running.text());
    }
    cloud.at_mut(C)?.node_mut().stop()?;
    let stopped = script(lab, cloud.at(C)?, STATUS, "")?;
    if stopped.stdout != "FRR not running\n" {
        return wrong(stopped.text());
    }
    lab.step("the status script tells a daemon that runs from one that does not");
    cloud.at_mut(C)?.start_again(lab)
}

/// A session that somebody types, a line at a time.
struct Typed {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Typed {
    fn open(site: &Site) -> Result<Self, Error> {
        let failed = |e| Error::io("rbgpctl vtysh", e);
        let Some(ctl) = binary("rbgpctl") else {
            return wrong("no program rbgpctl");
        };
        let mut command = site.space().command(&ctl.display().to_string());
        // Each line is printed once it has been read.
        command.arg("--socket").arg(site.rbgpd()?.socket());
        command.args(["vtysh", "-E"]).stdin(Stdio::piped());
        command.stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(keys), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return wrong("vtysh has no streams");
        };
        let seen = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut octets) {
                let text = String::from_utf8_lossy(octets.get(..count).unwrap_or_default());
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
            }
        });
        Ok(Self {
            child,
            keys,
            seen,
            reader,
        })
    }

    /// Types a line, and waits until it was read; one that changes something has done so then.
    fn line(&mut self, lab: &Lab, line: &str) -> Result<(), Error> {
        let before = self.seen().matches("# ").count();
        writeln!(self.keys, "{line}").map_err(|e| Error::io("keys", e))?;
        lab.wait_until(&format!("`{line}` is read"), PATIENCE, || {
            let seen = self.seen();
            match seen.matches("# ").count() > before && seen.contains(line.trim()) {
                true => Ok(()),
                false => wrong(seen),
            }
        })
        .map(drop)
    }

    fn seen(&self) -> String {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The end of the input; the exit code and all that was printed.
    fn end(mut self) -> Result<(Option<i32>, String), Error> {
        drop(self.keys);
        let status = self.child.wait().map_err(|e| Error::io("vtysh", e))?;
        let failed = self.reader.join().is_err();
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match failed {
            true => wrong("the reader of vtysh failed"),
            false => Ok((status.code(), seen)),
        }
    }
}

/// What C asks meanwhile: the service, and A's machines in both networks.
fn streams(cloud: &Cloud<'_>) -> Result<Vec<Pinger>, Error> {
    let every = Duration::from_millis(10);
    let mut all = vec![Pinger::start(cloud.at(C)?.space(), SERVICE, every)?];
    for vni in VNIS {
        let to = cloud.vm(vni, A)?.address();
        all.push(Pinger::start(cloud.vm(vni, C)?.space(), to, every)?);
    }
    Ok(all)
}

/// Some answers more on each.
fn a_while(lab: &Lab, streams: &[Pinger], count: u64) -> Result<(), Error> {
    let before: Vec<u64> = streams.iter().map(Pinger::received).collect();
    lab.wait_until("traffic", PATIENCE, || {
        let more = streams.iter().zip(&before);
        let least = more.map(|(it, before)| it.received() - before).min();
        match least.is_some_and(|it| it >= count) {
            true => Ok(()),
            false => wrong(format!("{least:?} answers more")),
        }
    })
    .map(drop)
}

fn none_lost(lab: &Lab, what: &str, streams: Vec<Pinger>) -> Result<(), Error> {
    let reports: Result<Vec<PingReport>, Error> = streams.into_iter().map(Pinger::stop).collect();
    let reports = reports?;
    for (report, of) in reports
        .iter()
        .zip(["service", "machine in 100", "machine in 200"])
    {
        lab.step(format!("{what}, {of}: {report}"));
    }
    match reports.iter().map(|it| it.lost).sum() {
        0 => Ok(()),
        lost => wrong(format!("{what}: {lost} packets lost")),
    }
}

/// What C has from A: the path of the service's prefix, and those of all EVPN routes.
fn paths(cloud: &Cloud<'_>) -> Result<(bool, bool), Error> {
    let asked = |question: &str| Ok::<_, Error>(cloud.at(C)?.node().vtysh(&[question])?.stdout);
    let unicast = asked("show bgp ipv4 unicast 172.20.0.0/14 json")?.contains(LONG_WAY);
    let overlay = asked("show bgp l2vpn evpn route rd 10.10.0.1:100 json")?;
    let other = asked("show bgp l2vpn evpn route rd 10.10.0.1:200 json")?;
    let long = |text: &str| {
        let paths = text.matches("65001").count();
        (paths > 0).then(|| text.contains(LONG_WAY))
    };
    match (long(&overlay), long(&other)) {
        (Some(one), Some(two)) if one == two => Ok((unicast, one)),
        (one, two) => wrong(format!("EVPN routes of A: {one:?}, {two:?}\n{overlay}")),
    }
}

/// All is as it was: what runs, who carries the service, how long the paths are.
fn untouched(cloud: &Cloud<'_>, before: &State) -> Result<(), Error> {
    let now = State::of(cloud)?;
    match now == *before {
        true => Ok(()),
        false => wrong(format!("{before:?} became {now:?}")),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    running: String,
    carrier: u8,
    long: (bool, bool),
}

impl State {
    fn of(cloud: &Cloud<'_>) -> Result<Self, Error> {
        let node = cloud.at(A)?.node();
        Ok(Self {
            running: node.ctl(&["show", "running-config", "--frr"])?.stdout,
            carrier: cloud.carrier(C)?,
            long: paths(cloud)?,
        })
    }
}

/// Types lines with traffic between them. Before `end` nothing may change, and with it everything does.
fn type_slowly(
    lab: &Lab,
    cloud: &Cloud<'_>,
    what: &str,
    lines: &[&str],
    then: (u8, bool),
) -> Result<String, Error> {
    let streams = streams(cloud)?;
    a_while(lab, &streams, 50)?;
    let before = State::of(cloud)?;
    let mut session = Typed::open(cloud.at(A)?)?;
    let mut changed = false;
    for line in lines {
        session.line(lab, line)?;
        changed |= *line == "end";
        // 1.5 s without a change are more than a route takes to C and back.
        if !changed {
            a_while(lab, &streams, 150)?;
            untouched(cloud, &before)?;
        }
    }
    let (carrier, long) = then;
    lab.reach(&format!("{what}: all has moved"), PATIENCE, || {
        let now = State::of(cloud)?;
        match now.carrier == carrier && now.long == (long, long) {
            true => Ok(()),
            false => wrong(format!("carrier {}, longer: {:?}", now.carrier, now.long)),
        }
    })?;
    let (code, seen) = session.end()?;
    if code != Some(0) || seen.contains('%') {
        return wrong(format!("{what}: {code:?}\n{seen}"));
    }
    a_while(lab, &streams, 100)?;
    none_lost(lab, what, streams)?;
    Ok(seen)
}

fn drain_shown(cloud: &Cloud<'_>) -> Result<String, Error> {
    Ok(cloud.at(A)?.node().ctl(&["show", "drain"])?.stdout)
}

/// The recipe's DRAIN: unicast and overlay move, nothing is lost, and it is said.
fn drain(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let seen = type_slowly(lab, cloud, "DRAIN", DRAIN, (B, true))?;
    if seen.matches("note: ").count() != 2 || seen.matches("EVPN routes pass it, too").count() != 2
    {
        return wrong(format!("two lines with a difference:\n{seen}"));
    }
    lab.until_shown(
        "show drain",
        &[
            "This router is drained by its configuration",
            "Route-map DRAIN-OUT",
            "10.10.0.2, 10.10.0.3",
        ],
        || drain_shown(cloud),
    )?;
    let status = cloud.at(A)?.node().ctl(&["show", "drain", "--json"])?;
    let status = command::json("show drain", &status.stdout)?;
    let neighbors = status.get("neighbors").and_then(Value::as_array);
    for neighbor in neighbors.into_iter().flatten() {
        for family in ["ipv4_unicast", "evpn"] {
            if neighbor.pointer(&format!("/families/{family}/told")) != Some(&Value::Bool(true)) {
                return wrong(format!("{family} is not told: {neighbor}"));
            }
        }
    }
    Ok(())
}

/// The recipe's RESTORE, with a pause behind each line, of which FRR withdraws everything behind the
/// second.
fn restore(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    type_slowly(lab, cloud, "RESTORE", RESTORE, (A, false))?;
    lab.until_shown("show drain", &["Not draining"], || drain_shown(cloud))
        .map(drop)
}

/// A line that means nothing refuses the whole session and is named; a session that nobody ends does
/// what it says at the end of its input.
fn refused(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let streams = streams(cloud)?;
    let before = State::of(cloud)?;
    let mut lines: Vec<&str> = DRAIN.to_vec();
    lines.insert(6, "  neighbour 10.10.0.2 route-map DRAIN-OUT out");
    let text = lines.join("\n") + "\n";
    let output = script(lab, cloud.at(A)?, "vtysh", &text)?;
    // The first of its lines stands behind `configure terminal`.
    let named = "configure terminal:6:1: `neighbour 10.10.0.2 route-map DRAIN-OUT out`";
    if output.code != Some(1) || !output.stdout.contains(named) {
        return wrong(format!(
            "not `{named}`: {:?} {}",
            output.code,
            output.text()
        ));
    }
    let dangling = "configure terminal\nno route-map SITE-B-OUT\nend\n";
    let output = script(lab, cloud.at(A)?, "vtysh", dangling)?;
    if output.code != Some(1) || !output.stdout.contains("SITE-B-OUT") {
        return wrong(format!("a map in use: {:?} {}", output.code, output.text()));
    }
    a_while(lab, &streams, 150)?;
    untouched(cloud, &before)?;
    none_lost(lab, "refused sessions", streams)
}

/// The whole at once, as the recipe's here-document does it, and the file again as a reload of FRR's
/// service does.
fn pasted(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let streams = streams(cloud)?;
    a_while(lab, &streams, 50)?;
    let here = |lines: &[&str]| format!("vtysh <<'END'\n{}\nEND\n", lines.join("\n"));
    let steps = [
        (here(DRAIN), B, true),
        (here(RESTORE), A, false),
        (here(DRAIN), B, true),
    ];
    for (line, carrier, long) in steps {
        let output = script(lab, cloud.at(A)?, &line, "")?;
        if !output.ok() {
            return wrong(output.text());
        }
        lab.reach(
            &format!("pasted: site {carrier} has the service"),
            PATIENCE,
            || match State::of(cloud)? {
                now if now.carrier == carrier && now.long == (long, long) => Ok(()),
                now => wrong(format!("carrier {}, longer: {:?}", now.carrier, now.long)),
            },
        )?;
        a_while(lab, &streams, 50)?;
    }
    cloud.at(A)?.node().reload(str::to_owned)?;
    lab.reach(
        "a reload takes back what is not in the file",
        PATIENCE,
        || match State::of(cloud)? {
            now if now.carrier == A && now.long == (false, false) => Ok(()),
            now => wrong(format!("carrier {}, longer: {:?}", now.carrier, now.long)),
        },
    )?;
    a_while(lab, &streams, 50)?;
    none_lost(lab, "pasted", streams)
}

#[test]
fn the_recipe_works_as_its_author_meant() -> Result<(), Error> {
    scenario("recipe", &NEEDS, |lab| {
        let mut cloud = build(lab)?;
        converge(lab, &cloud)?;
        differences(&cloud)?;
        lab.step("each difference is named once");
        answers(lab, &cloud)?;
        drain(lab, &cloud)?;
        restore(lab, &cloud)?;
        refused(lab, &cloud)?;
        pasted(lab, &cloud)?;
        status(lab, &mut cloud)?;
        converge(lab, &cloud)?;
        lab.reach("verify", PATIENCE, || cloud.verified()).map(drop)
    })
}
