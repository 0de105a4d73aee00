//! `vtysh` of rbgpd and of FRR 10.3, asked the same in the same state: every key that FRR's JSON has is
//! in rbgpd's with the same type, or on the list of `daemon/docs/vtysh.md` with the reason.
//!
//! ```text
//!   host-a ── br100 ─ edge 1: rbgpd ──┐
//!   host-b ── br100 ─ edge 2: FRR 10 ─┼─ one segment ── edge 3: FRR of this machine ─ br100 ── host-c
//!                                     │
//!          both have one neighbor, edge 3: IPv4, EVPN, BFD, and the same lists and maps
//! ```
//!
//! Names that are values (addresses, prefixes, routes, devices) count as one, so the two need not have
//! the same ones. What scripts look at beside JSON (exit codes, error texts) is compared, too, and the
//! questions that the Prometheus exporter for FRR asks are answered as it reads them.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Host, Lab, Node, Output, Program, Release, Requirement, binary,
    scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

const VNI: u32 = 100;

/// What is asked with `json` behind; all of it has to be answered by both.
const QUESTIONS: &[&str] = &[
    "show bgp summary",
    "show ip bgp summary",
    "show bgp ipv4 unicast summary",
    "show bgp l2vpn evpn summary",
    "show bgp vrf all ipv4 unicast summary",
    "show bgp summary failed",
    "show bgp neighbors",
    "show bgp neighbors 10.9.0.3",
    "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes",
    "show bgp ipv4 unicast neighbors 10.9.0.3 received-routes",
    "show bgp ipv4 unicast neighbors 10.9.0.3 routes",
    "show bgp l2vpn evpn neighbors 10.9.0.3 advertised-routes",
    "show bgp l2vpn evpn neighbors 10.9.0.3 routes",
    "show bgp ipv4 unicast",
    "show bgp vrf all ipv4 unicast",
    "show bgp ipv4 unicast 10.203.0.0/16",
    "show bgp ipv4 unicast 10.203.7.7",
    "show bgp ipv4 unicast 192.0.2.1",
    "show bgp l2vpn evpn",
    "show bgp l2vpn evpn route",
    "show bgp l2vpn evpn route type multicast",
    "show bgp l2vpn evpn route vni 100",
    "show bgp l2vpn evpn route rd 10.255.0.3:100",
    "show bgp l2vpn evpn vni",
    "show bgp l2vpn evpn vni 100",
    "show bgp vrfs",
    "show evpn",
    "show evpn vni",
    "show evpn vni 100",
    "show evpn mac vni all",
    "show evpn mac vni 100",
    "show evpn arp-cache vni all",
    "show evpn arp-cache vni 100",
    "show evpn next-hops vni all",
    "show evpn rmac vni all",
    "show bfd peers",
    "show bfd peers brief",
    "show bfd peers counters",
    "show bfd peer 10.9.0.3",
    "show ip route",
    "show ip route bgp",
    "show ip route 10.203.0.0/16",
    "show ip route summary",
    "show ip route vrf all summary",
    "show ip nht",
    "show route-map",
    "show route-map OUT",
    "show ip prefix-list",
    "show ip prefix-list OWN",
    "show interface brief",
];

fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

fn rbgpd() -> String {
    let end = tunnel_end(1);
    format!(
        r#"asn = 65001
router_id = "{end}"
[evpn]
vtep = "{end}"
[ipv4_unicast]
networks = ["10.201.0.0/16"]
[[neighbor]]
address = "10.9.0.3"
remote_as = 65003
description = "third"
timers = {{ keepalive = "3s", hold = "9s", connect_retry = "1s" }}
bfd = true
ipv4_unicast = {{ import = "IN", export = "OUT" }}
evpn = {{ import = "IN", export = "IN" }}
[[vni]]
id = {VNI}
name = "net"
mtu = 1500
rd = "{end}:{VNI}"
import_targets = ["65000:{VNI}"]
export_targets = ["65000:{VNI}"]
gateway = ["10.100.0.1/24"]
[[prefix_list]]
name = "OWN"
rules = ["permit 10.0.0.0/8 le 24", "deny any"]
[[route_map]]
name = "IN"
entry = [{{ seq = 10, action = "permit" }}]
[[route_map]]
name = "OUT"
entry = [{{ seq = 10, action = "permit", match = {{ prefix_list = "OWN" }}, set = {{ metric = 100 }} }}]
"#
    )
}

fn frr(edge: u8, neighbors: &[u8]) -> String {
    let end = tunnel_end(edge);
    let mut text = format!(
        "ip prefix-list OWN seq 5 permit 10.0.0.0/8 le 24\nip prefix-list OWN seq 10 deny any\n\
         route-map IN permit 10\nexit\nroute-map OUT permit 10\n match ip address prefix-list OWN\n \
         set metric 100\nexit\n\
         router bgp 6500{edge}\n bgp router-id {end}\n no bgp network import-check\n"
    );
    for other in neighbors {
        text += &format!(
            " neighbor 10.9.0.{other} remote-as 6500{other}\n neighbor 10.9.0.{other} description third\n \
             neighbor 10.9.0.{other} timers 3 9\n neighbor 10.9.0.{other} timers connect 1\n \
             neighbor 10.9.0.{other} bfd\n"
        );
    }
    text += &format!(" address-family ipv4 unicast\n  network 10.20{edge}.0.0/16\n");
    for other in neighbors {
        text += &format!(
            "  neighbor 10.9.0.{other} soft-reconfiguration inbound\n  \
             neighbor 10.9.0.{other} route-map IN in\n  neighbor 10.9.0.{other} route-map OUT out\n"
        );
    }
    text += " exit-address-family\n address-family l2vpn evpn\n  advertise-all-vni\n";
    for other in neighbors {
        text += &format!(
            "  neighbor 10.9.0.{other} activate\n  neighbor 10.9.0.{other} route-map IN in\n  \
             neighbor 10.9.0.{other} route-map IN out\n"
        );
    }
    text + &format!(
        "  vni {VNI}\n   rd {end}:{VNI}\n   route-target import 65000:{VNI}\n   \
         route-target export 65000:{VNI}\n  exit-vni\n exit-address-family\n"
    )
}

/// The three edges with everything in place.
struct Twins {
    edges: Vec<Edge>,
    hosts: Vec<Host>,
}

impl Twins {
    fn build(lab: &Lab) -> Result<Self, Error> {
        let ten = Release::Suite("trixie".to_owned());
        let programs = [
            Program::Rbgpd,
            Program::Frr(ten),
            Program::Frr(Release::Host),
        ];
        let mut edges = Edge::build(lab, &programs)?;
        for edge in &mut edges {
            let id = edge.id();
            if id == 1 {
                edge.start(lab, &rbgpd())?;
                continue;
            }
            edge.overlay(VNI, tunnel_end(id).into(), "")?;
            edge.space().ip(&format!(
                "addr add 10.100.0.{}/24 dev br{VNI}",
                if id == 2 { 1 } else { 3 }
            ))?;
            let neighbors: &[u8] = if id == 2 { &[3] } else { &[1, 2] };
            edge.start(lab, &frr(id, neighbors))?;
        }
        lab.start_clock();
        let mut hosts = Vec::new();
        for (edge, (name, last)) in
            edges
                .iter()
                .zip([("host-a", 11), ("host-b", 12), ("host-c", 13)])
        {
            let address = format!("10.100.0.{last}/24");
            hosts.push(Host::plug(
                lab,
                edge,
                name,
                &format!("br{VNI}"),
                &[&address],
            )?);
        }
        Ok(Self { edges, hosts })
    }

    fn node(&self, at: usize) -> Result<&Node, Error> {
        match self.edges.get(at) {
            Some(edge) => Ok(edge.node()),
            None => wrong("three edges"),
        }
    }

    /// Waits until both have told the third what they have, and know of the third's host.
    fn settle(&self, lab: &Lab) -> Result<(), Error> {
        let third = self
            .hosts
            .get(2)
            .map(|host| host.mac().to_owned())
            .unwrap_or_default();
        let mac = format!("show evpn mac vni {VNI} json");
        for (at, name) in [(0, "rbgpd"), (1, "FRR")] {
            let node = self.node(at)?;
            for (question, texts) in [
                ("show bgp ipv4 unicast json", vec!["10.203.0.0/16"]),
                ("show bfd peers json", vec!["\"status\":\"up\""]),
                (
                    mac.as_str(),
                    vec![third.as_str(), "\"remote\"", "\"local\""],
                ),
                ("show ip route bgp json", vec!["10.203.0.0/16"]),
            ] {
                lab.until_shown(&format!("{name}: {question}"), &texts, || {
                    self.stir();
                    Ok(node.vtysh(&[question])?.stdout)
                })?;
            }
        }
        Ok(())
    }

    /// The hosts speak to each other and to their gateways, so that all addresses are known.
    fn stir(&self) {
        for host in &self.hosts {
            for other in &self.hosts {
                for to in other.addresses().iter().chain(host.gateways()) {
                    // An answer is not needed.
                    let _ = host.pings(*to);
                }
            }
        }
    }
}

/// Types of keys, by their way from the top.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn shape(value: &Value, way: &str, shape_of: &mut Shape) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    shape_of.entry(way.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(values) => {
            for value in values {
                shape(value, &format!("{way}[]"), shape_of);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let key = if is_value(key) { "*" } else { key };
                let dot = if way.is_empty() { "" } else { "." };
                shape(value, &format!("{way}{dot}{key}"), shape_of);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A key that is a value: it has a digit in front, a colon, or is the name of something in this lab.
fn is_value(key: &str) -> bool {
    const NAMES: [&str; 12] = [
        "IN", "OUT", "OWN", "default", "u", "lo", "br100", "vx100", "vxlan100", "net", "e1", "e2",
    ];
    let digit = key.starts_with(|c: char| c.is_ascii_digit());
    digit || key.contains(':') || key.starts_with("p-") || NAMES.contains(&key)
}

/// A key of FRR's that rbgpd does not have, or has otherwise, as the documentation says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Excuse {
    command: String,
    key: String,
}

impl Excuse {
    /// Those of the page's table.
    fn all() -> Result<Vec<Self>, Error> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/docs/vtysh.md");
        let page = std::fs::read_to_string(&path).map_err(|e| Error::State(e.to_string()))?;
        let Some((_, table)) = page.split_once("| command | key | why |\n") else {
            return wrong("no table of keys in daemon/docs/vtysh.md");
        };
        let rows = table
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('|'));
        let mut all = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row
                .split(" | ")
                .map(|it| it.trim_matches(['|', ' ', '`']))
                .collect();
            let [command, keys, why] = cells.as_slice() else {
                return wrong(format!("not a row of keys: {row}"));
            };
            if why.is_empty() {
                return wrong(format!("no reason: {row}"));
            }
            for key in keys.split("`, `") {
                let (command, key) = ((*command).to_owned(), key.to_owned());
                all.push(Self { command, key });
            }
        }
        Ok(all)
    }

    /// A command's beginning stands for all that begin so; a `*` at an end of the key for anything.
    fn covers(&self, question: &str, way: &str) -> bool {
        let key = match (self.key.strip_prefix('*'), self.key.strip_suffix('*')) {
            (Some(_), Some(_)) => way.contains(self.key.trim_matches('*')),
            (Some(end), None) => way.ends_with(end),
            (None, Some(begin)) => way.starts_with(begin),
            (None, None) => way == self.key,
        };
        key && (self.command == "all" || question.starts_with(&self.command))
    }
}

fn asked(node: &Node, question: &str) -> Result<Value, Error> {
    let output = node.vtysh(&[&format!("{question} json")])?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| Error::State(format!("`{question} json`: {error}: {}", output.text())))
}

#[test]
fn keys_and_types_are_those_of_frr() -> Result<(), Error> {
    scenario_beside_others("vtysh", &NEEDS, |lab| {
        let twins = Twins::build(lab)?;
        twins.settle(lab)?;
        compare_keys(lab, &twins)?;
        compare_errors(lab, &twins)?;
        exporter(lab, &twins)?;
        streams(lab, &twins)
    })
}

fn compare_keys(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let excuses = Excuse::all()?;
    let mut used = BTreeSet::new();
    let (mut faults, mut keys) = (Vec::new(), 0);
    for question in QUESTIONS {
        let (mut ours, mut theirs) = (Shape::new(), Shape::new());
        shape(&asked(twins.node(0)?, question)?, "", &mut ours);
        shape(&asked(twins.node(1)?, question)?, "", &mut theirs);
        for (way, kinds) in &theirs {
            keys += 1;
            let same = ours.get(way).is_some_and(|it| !it.is_disjoint(kinds));
            let excuse = excuses.iter().find(|it| it.covers(question, way));
            match (same, excuse) {
                (true, _) => {}
                (false, Some(excuse)) => {
                    used.insert(excuse);
                }
                (false, None) => {
                    let have = ours.get(way);
                    faults.push(format!("{question}: `{way}` {kinds:?}, rbgpd has {have:?}"));
                }
            }
        }
    }
    for excuse in &excuses {
        // What was the last thing to happen to a session depends on how the two met.
        if !used.contains(excuse)
            && !excuse.key.contains("last")
            && excuse.key != "*.softwareVersion"
        {
            faults.push(format!("an excuse that nothing needs: {excuse:?}"));
        }
    }
    if !faults.is_empty() {
        return wrong(format!("{} faults:\n{}", faults.len(), faults.join("\n")));
    }
    let (questions, excused) = (QUESTIONS.len(), used.len());
    lab.step(format!(
        "{questions} questions: {keys} keys of FRR's, {excused} excuses used"
    ));
    Ok(())
}

/// What scripts go by: the exit code, and the first line of what is said.
fn compare_errors(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    for line in [
        "show version",
        "sh ip bgp sum",
        "show foo",
        "foo",
        "show ip",
        "show bgp 10.0.0.0/33",
        "show bgp summary extra",
        "show bgp vrf nosuch summary",
        "show bgp summary | exclude x",
        "show b",
        "show bgp neighbors 10.9.0.99",
        "show bgp ipv4 unicast 192.0.2.1",
        "show evpn vni 999",
        "show route-map NOSUCH",
        "clear bgp 10.9.0.99",
        "clear bgp * soft out",
        "clear bgp 10.9.0.3 soft in",
        "clear bgp vrf nosuch *",
        "do show version",
        "terminal length 0",
    ] {
        let (ours, theirs) = (
            twins.node(0)?.vtysh(&[line])?,
            twins.node(1)?.vtysh(&[line])?,
        );
        let of = |output: &Output| (output.code, error_line(output));
        if of(&ours) != of(&theirs) {
            return wrong(format!(
                "`{line}`: {:?}, FRR has {:?}",
                of(&ours),
                of(&theirs)
            ));
        }
    }
    // The first that fails is the last.
    for (lines, code) in [
        (["show version", "foo"], Some(1)),
        (["foo", "clear bgp *"], Some(1)),
    ] {
        for at in [0, 1] {
            let output = twins.node(at)?.vtysh(&lines)?;
            if output.code != code {
                return wrong(format!("{lines:?} at {at}: {:?}", output.code));
            }
        }
    }
    lab.step("exit codes and errors are those of FRR");
    Ok(())
}

/// The first line that begins with a percent sign.
fn error_line(output: &Output) -> Option<String> {
    let mut lines = output.stdout.lines().chain(output.stderr.lines());
    lines.find(|line| line.starts_with('%')).map(str::to_owned)
}

/// What the Prometheus exporter for FRR (tynany/frr_exporter) asks, and reads with these types.
fn exporter(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let node = twins.node(0)?;
    let mut metrics = 0;
    for (family, unicast) in [("ipv4", "unicast"), ("ipv6", "unicast"), ("l2vpn", "evpn")] {
        let answer = asked(
            node,
            &format!("show bgp vrf all {family} {unicast} summary"),
        )?;
        let Some(default) = answer.get("default").and_then(Value::as_object) else {
            return wrong(format!("{family}: {answer}"));
        };
        if family == "ipv6" {
            if !default.is_empty() {
                return wrong(format!("no neighbor has IPv6: {default:?}"));
            }
            continue;
        }
        for key in ["as", "ribCount", "ribMemory", "peerCount"] {
            number(default.get(key), key)?;
            metrics += 1;
        }
        let peer = default.get("peers").and_then(|it| it.get("10.9.0.3"));
        for key in [
            "remoteAs",
            "msgRcvd",
            "msgSent",
            "peerUptimeMsec",
            "pfxRcd",
            "pfxSnt",
        ] {
            if number(peer.and_then(|it| it.get(key)), key)? < 1.0 {
                return wrong(format!("{family}: {key} is nothing: {peer:?}"));
            }
            metrics += 1;
        }
        if peer.and_then(|it| it.get("state")).and_then(Value::as_str) != Some("Established") {
            return wrong(format!("{family}: {peer:?}"));
        }
    }
    let neighbors = asked(node, "show bgp neighbors")?;
    if neighbors
        .pointer("/10.9.0.3/nbrDesc")
        .and_then(Value::as_str)
        != Some("third")
    {
        return wrong(format!("nbrDesc: {neighbors}"));
    }
    let told = asked(
        node,
        "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes",
    )?;
    number(told.get("totalPrefixCounter"), "totalPrefixCounter")?;
    let vnis = asked(node, "show evpn vni")?;
    let vni = vnis.get(VNI.to_string());
    for key in ["vni", "numMacs", "numArpNd", "numRemoteVteps"] {
        if number(vni.and_then(|it| it.get(key)), key)? < 1.0 {
            return wrong(format!("{key} is nothing: {vni:?}"));
        }
        metrics += 1;
    }
    let sessions = asked(node, "show bfd peers")?;
    let session = sessions.as_array().and_then(|all| all.first());
    number(session.and_then(|it| it.get("uptime")), "uptime")?;
    for (key, text) in [
        ("status", "up"),
        ("peer", "10.9.0.3"),
        ("local", "10.9.0.1"),
    ] {
        if session.and_then(|it| it.get(key)).and_then(Value::as_str) != Some(text) {
            return wrong(format!("{key} is not {text}: {session:?}"));
        }
        metrics += 1;
    }
    for version in ["ip", "ipv6"] {
        let routes = asked(node, &format!("show {version} route vrf all summary"))?;
        for key in ["routesTotal", "routesTotalFib"] {
            number(routes.pointer(&format!("/default/{key}")), key)?;
            metrics += 1;
        }
    }
    let version = node.vtysh(&["show version"])?.stdout;
    let first = version.lines().next().unwrap_or_default();
    let named = first
        .strip_prefix("FRRouting ")
        .and_then(|it| it.split_once(" on "));
    if !named.is_some_and(|(_, system)| system.ends_with('.')) {
        return wrong(format!("show version: {first}"));
    }
    lab.step(format!(
        "the exporter's questions: {metrics} numbers and words"
    ));
    Ok(())
}

fn number(value: Option<&Value>, key: &str) -> Result<f64, Error> {
    match value.and_then(Value::as_f64) {
        Some(number) => Ok(number),
        None => wrong(format!("{key} is no number: {value:?}")),
    }
}

/// Commands on standard input and by the link; garbage ends with an error and changes nothing.
fn streams(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let Some(edge) = twins.edges.first() else {
        return wrong("three edges");
    };
    let Node::Rbgpd(rbgpd) = edge.node() else {
        return wrong("edge 1 is rbgpd");
    };
    let link = lab.dir().join("vtysh");
    let Some(ctl) = binary("rbgpctl") else {
        return wrong("no program rbgpctl");
    };
    std::os::unix::fs::symlink(ctl, &link).map_err(|e| Error::State(e.to_string()))?;
    let run = |words: &[&str], input: &[u8]| -> Result<Output, Error> {
        let mut command = edge.space().command(&link.display().to_string());
        command.args(words).env("RBGPD_SOCKET", rbgpd.socket());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |e: std::io::Error| Error::State(format!("vtysh: {e}"));
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, input) = (child.stdin.take(), input.to_vec());
        // Beside reading, or both sides wait for each other.
        let writer = std::thread::spawn(move || {
            // A session that has ended does not read on.
            stdin.map(|mut stdin| stdin.write_all(&input).is_ok())
        });
        let output = child.wait_with_output().map_err(failed)?;
        drop(writer.join());
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    };
    let piped = run(&[], b"! a comment\nshow bgp vrfs json\n\nshow version\n")?;
    if piped.code != Some(0) || !piped.stdout.contains("FRRouting") {
        return wrong(format!("stdin: {piped:?}"));
    }
    let before = run(&["-c", "show bgp neighbors json"], b"")?.stdout;
    let mut garbage: Vec<Vec<u8>> = vec![
        (0..=255u8).cycle().take(100_000).collect(),
        b"nonsense\nclear bgp *\n".to_vec(),
        b"configure terminal\nrouter bgp 65001\n no neighbor 10.9.0.3\n nonsense\n".to_vec(),
        vec![b'a'; 1_000_000],
        b"show ".repeat(50_000),
    ];
    garbage.push([b"show bgp ".as_slice(), &[0xff; 300], b"\n"].concat());
    for input in &garbage {
        let output = run(&[], input)?;
        if output.code != Some(1) || !output.stdout.starts_with('%') {
            let begin: String = output.text().chars().take(300).collect();
            return wrong(format!("garbage ended with {:?}: {begin}", output.code));
        }
    }
    let flaps = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        value
            .pointer("/10.9.0.3/connectionsDropped")
            .and_then(Value::as_u64)
    };
    let after = run(&["-c", "show bgp neighbors json"], b"")?.stdout;
    if flaps(&before).is_none() || flaps(&before) != flaps(&after) {
        return wrong(format!(
            "garbage had an effect: {:?} {:?}",
            flaps(&before),
            flaps(&after)
        ));
    }
    let gone = run(
        &["--socket", "/run/nothing.sock", "-c", "show version"],
        b"",
    )?;
    if gone.code != Some(1) || !gone.stderr.starts_with("failed to connect to any daemons.") {
        return wrong(format!("without a daemon: {gone:?}"));
    }
    lab.step(format!(
        "standard input, the link, {} sessions fed garbage",
        garbage.len()
    ));
    Ok(())
}
