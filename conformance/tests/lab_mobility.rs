//! Machines that move between sites, without a gateway address anywhere.
//!
//! ```text
//!   edge 1 rbgpd ──┐
//!                  ├── one segment        the machine moves between edges 1 and 2;
//!   edge 2 ────────┤                      the watcher behind edge 3 asks it every 10 ms
//!     rbgpd or FRR │
//!   edge 3 rbgpd ──┘
//! ```
//!
//! Nobody but the machine, or its hypervisor in its name, says that it has moved.

// A key that is missing in an answer is `null`.
#![allow(missing_docs, clippy::indexing_slicing)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::{BRIDGING, BRIDGING_FRR};
use conformance::lab::{
    Edge, Error, Family, Host, Lab, PATIENCE, Pinger, Program, Release, bridging_frr, kernel,
    overlay_head, scenario, scenario_beside_others, wire,
};
use serde_json::Value;

/// A move may cost this much traffic.
const MOVE: Duration = Duration::from_millis(500);
const MOVES: usize = 20;
const VNI: u32 = 100;
const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 20);

fn rbgpd(edge: u8) -> String {
    overlay_head(edge, 3) + &format!("[[vni]]\nid = {VNI}\nname = \"net\"\nmtu = 1500\n")
}

fn edges(lab: &Lab, second: Program) -> Result<Vec<Edge>, Error> {
    let programs = [Program::Rbgpd, second, Program::Rbgpd];
    let mut edges = Edge::build(lab, &programs)?;
    for edge in &mut edges {
        let id = edge.id();
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(id))?;
        } else {
            edge.overlay(VNI, tunnel_end(id).into(), "")?;
            edge.start(lab, &bridging_frr(id, 3, ""))?;
        }
    }
    lab.start_clock();
    Ok(edges)
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

/// `show evpn mac` of an edge: where a MAC address is, its number and IP addresses.
fn told(edge: &Edge, mac: &str) -> Result<Value, Error> {
    let output = edge.node().ctl(&["show", "evpn", "mac", "--json"])?;
    let shown: Value = serde_json::from_str(&output.stdout)
        .map_err(|error| Error::State(format!("{error}: {}", output.text())))?;
    let macs = shown.get("macs").and_then(Value::as_array);
    let found = macs.into_iter().flatten().find(|it| it["mac"] == mac);
    found
        .cloned()
        .ok_or_else(|| Error::State(format!("edge {} knows no {mac}", edge.id())))
}

/// Whether the bridge sends to a MAC address through the VXLAN device.
fn behind_tunnel(edge: &Edge, mac: &str) -> bool {
    let shown = edge.space().run(&["bridge", "fdb", "show", "br", "br100"]);
    let of_bridge = |line: &&str| line.starts_with(mac) && line.contains("master br100");
    let shown = shown.unwrap_or_default();
    let device = format!("dev vx{VNI}");
    shown
        .lines()
        .filter(of_bridge)
        .any(|line| line.contains(&device))
}

/// Every edge has the machine where it is: the kernel's forwarding and what is told of it; the
/// numbers agree. An address that is given has to be there, too, with its neighbour entries.
fn number(edges: &[Edge], at: u8, mac: &str, ip: Option<Ipv4Addr>) -> Result<u64, Error> {
    let end = tunnel_end(at).to_string();
    let mut numbers = Vec::new();
    for edge in edges {
        let (id, ours) = (edge.id(), edge.node().is_rbgpd());
        let known = kernel::remote_macs(edge.space(), VNI)?.remove(mac);
        // FRR leaves an entry on the VXLAN device when the bridge has the machine on another port.
        let remote = known.filter(|_| ours || behind_tunnel(edge, mac));
        let expected = (id != at).then(|| end.clone());
        if remote != expected {
            return wrong(format!(
                "edge {id}: {mac} is at {remote:?}, not {expected:?}"
            ));
        }
        let neighbours = edge.space().run(&["ip", "neigh", "show", "dev", "br100"])?;
        let entry = |ip: Ipv4Addr| {
            let mut lines = neighbours.lines().map(str::to_owned);
            lines.find(|line| line.starts_with(&format!("{ip} ")))
        };
        if !ours {
            continue;
        }
        let shown = told(edge, mac)?;
        let kind = if id == at { "local" } else { "remote" };
        if shown["kind"] != kind {
            return wrong(format!("edge {id}: {shown}"));
        }
        numbers.push(shown["sequence"].as_u64());
        if let Some(ip) = ip {
            let bound = shown["ips"]
                .as_array()
                .is_some_and(|ips| ips.contains(&ip.to_string().into()));
            let entry = entry(ip).unwrap_or_default();
            if !bound || !entry.contains(mac) {
                return wrong(format!("edge {id}: {shown}, neighbour entry `{entry}`"));
            }
        }
    }
    numbers.dedup();
    match numbers.as_slice() {
        [Some(number)] => Ok(*number),
        _ => wrong(format!("different sequence numbers: {numbers:?}")),
    }
}

/// The same, for those who wait for it.
fn settled(edges: &[Edge], at: u8, mac: &str, ip: Option<Ipv4Addr>) -> Result<(), Error> {
    number(edges, at, mac, ip).map(drop)
}

/// The machine's address where rbgpd listens; FRR without a gateway does not tell addresses.
fn address_at(edges: &[Edge], at: u8) -> Option<Ipv4Addr> {
    let edge = edges.iter().find(|edge| edge.id() == at)?;
    edge.node().is_rbgpd().then_some(MACHINE)
}

/// The machine moves back and forth under traffic from edge 3.
fn moves(lab: &Lab, second: Program) -> Result<(), Error> {
    let edges = edges(lab, second)?;
    let [one, two, three] = edges.as_slice() else {
        return wrong("three edges");
    };
    let watcher = Host::plug(lab, three, "watcher", "br100", &["10.100.0.30/24"])?;
    let machine = Host::plug(lab, one, "machine", "br100", &[&format!("{MACHINE}/24")])?;
    lab.reach("the watcher reaches the machine", PATIENCE, || {
        watcher.pings(MACHINE.into())
    })?;
    let mac = machine.mac();
    // A move before all edges know each other waits for a session and not for the move.
    for edge in &edges {
        let what = format!("edge {} floods to both others", edge.id());
        lab.wait_until(&what, PATIENCE, || {
            match kernel::flood_list(edge.space(), VNI)?.len() {
                2 => Ok(()),
                count => wrong(format!("to {count}")),
            }
        })?;
    }
    // A word from before the edge listened is said again, as stations do.
    lab.wait_until("all know the machine", PATIENCE, || {
        wire::send(
            machine.space(),
            "eth0",
            &wire::gratuitous_arp(mac, MACHINE)?,
        )?;
        settled(&edges, 1, mac, Some(MACHINE))
    })?;
    let (mut longest, mut lost) = (Duration::ZERO, 0);
    for turn in 0..MOVES {
        let (from, to) = if turn % 2 == 0 {
            (one, two)
        } else {
            (two, one)
        };
        let pinger = Pinger::start(watcher.space(), MACHINE, Duration::from_millis(10))?;
        lab.wait_until("the stream runs", PATIENCE, || match pinger.received() {
            20.. => Ok(()),
            few => wrong(format!("{few} answers")),
        })?;
        machine.migrate(from, to, "br100")?;
        // Every second time it is the hypervisor that speaks for the machine.
        let word = match turn % 4 {
            0 | 1 => wire::gratuitous_arp(mac, MACHINE)?,
            _ => wire::reverse_request(mac)?,
        };
        wire::send(machine.space(), "eth0", &word)?;
        let before = pinger.received();
        lab.wait_until("the stream goes on", PATIENCE, || match pinger.received() {
            more if more >= before + 20 => Ok(()),
            _ => wrong("no answers"),
        })?;
        let report = pinger.stop()?;
        longest = longest.max(report.longest_gap);
        lost += report.lost;
        lab.wait_until(&format!("move {turn} is settled"), PATIENCE, || {
            settled(&edges, to.id(), mac, address_at(&edges, to.id()))
        })?;
    }
    let at_end = if MOVES.is_multiple_of(2) { 1 } else { 2 };
    let last = number(&edges, at_end, mac, None)?;
    lab.step(format!(
        "{MOVES} moves, sequence number {last}: {lost} packets lost, longest gap {} ms",
        longest.as_millis()
    ));
    verified(&edges)?;
    match longest < MOVE {
        true => Ok(()),
        false => wrong(format!("a move took {} ms", longest.as_millis())),
    }
}

fn verified(edges: &[Edge]) -> Result<(), Error> {
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let output = edge.node().ctl(&["verify"])?;
        if !output.ok() {
            return wrong(format!("edge {}: {}", edge.id(), output.text()));
        }
    }
    Ok(())
}

/// Nothing comes from a host from now on unless it is asked, or made to: a machine that is paused.
fn hush(host: &Host) -> Result<(), Error> {
    let words = "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6";
    host.space().run(&["sh", "-c", words]).map(drop)
}

/// Two machines share a MAC address and an IP address, as the routers of VRRP (RFC 9568) do; the
/// one that announces them has them.
fn shared(lab: &Lab, second: Program) -> Result<(), Error> {
    let edges = edges(lab, second)?;
    let [one, two, _] = edges.as_slice() else {
        return wrong("three edges");
    };
    // Their hardware addresses are made of the last three letters.
    let masters = [
        (one, Host::plug(lab, one, "a-vip", "br100", &[])?),
        (two, Host::plug(lab, two, "b-vip", "br100", &[])?),
    ];
    for (_, master) in &masters {
        hush(master)?;
    }
    let mut slowest = Duration::ZERO;
    for turn in 0..=MOVES {
        let (edge, master) = match masters.get(turn % 2) {
            Some(master) => master,
            None => return wrong("two masters"),
        };
        let mac = master.mac();
        let word = wire::gratuitous_arp(mac, MACHINE)?;
        let start = Instant::now();
        wire::send(master.space(), "eth0", &word)?;
        lab.wait_until(&format!("turn {turn}"), PATIENCE, || {
            if turn == 0 {
                // Perhaps nobody listened yet.
                wire::send(master.space(), "eth0", &word)?;
            }
            settled(&edges, edge.id(), mac, address_at(&edges, edge.id()))
        })?;
        // The first one waits for the sessions, too.
        if turn > 0 {
            slowest = slowest.max(start.elapsed());
        }
    }
    lab.step(format!(
        "{MOVES} changes of the master followed, the slowest by all in {} ms",
        slowest.as_millis()
    ));
    verified(&edges)
}

/// The daemon of the site that has a shared address is killed, and the address moves on. FRR remembers
/// the highest number it has heard longer than routes, and goes by it.
fn killed(lab: &Lab) -> Result<(), Error> {
    let mut edges = edges(lab, host_frr())?;
    let mut masters = Vec::new();
    for (edge, name) in edges.iter().zip(["a-vip", "b-vip", "c-vip"]) {
        let master = Host::plug(lab, edge, name, "br100", &[])?;
        hush(&master)?;
        masters.push(master);
    }
    let [first, second, third] = masters.as_slice() else {
        return wrong("three masters");
    };
    let mac = first.mac();
    let word = wire::gratuitous_arp(mac, MACHINE)?;
    let speaks = |master: &Host| wire::send(master.space(), "eth0", &word);
    lab.wait_until("edge 2 has it", PATIENCE, || {
        speaks(second)?;
        settled(&edges, 2, mac, None)
    })?;
    speaks(first)?;
    lab.wait_until("it has come to edge 1", PATIENCE, || {
        settled(&edges, 1, mac, Some(MACHINE))
    })?;
    let before = number(&edges, 1, mac, None)?;
    if before == 0 {
        return wrong("the move has no number");
    }
    let Some(edge) = edges.first_mut() else {
        return wrong("three edges");
    };
    edge.node_mut().kill9()?;
    edge.start(lab, &rbgpd(1))?;
    lab.reach("edge 1 is back", PATIENCE, || {
        let mut others = [2, 3]
            .map(|other| Ipv4Addr::new(10, 9, 0, other))
            .into_iter();
        let edge = edges.first().map(Edge::node);
        others
            .try_for_each(|peer| edge.map_or(Ok(()), |edge| edge.established(peer, Family::Evpn)))
    })?;
    lab.wait_until("and tells the number again", PATIENCE, || {
        match number(&edges, 1, mac, None)? {
            now if now == before => Ok(()),
            now => wrong(format!("{now}, not {before}")),
        }
    })?;
    speaks(third)?;
    lab.wait_until("it has moved on to edge 3", PATIENCE, || {
        settled(&edges, 3, mac, Some(MACHINE))
    })?;
    let last = number(&edges, 3, mac, None)?;
    lab.step(format!(
        "number {before} before and after the kill, {last} at the next edge"
    ));
    verified(&edges)
}

/// A hypervisor says that a machine arrives which has not sent anything.
fn arrives(lab: &Lab) -> Result<(), Error> {
    let edges = edges(lab, Program::Rbgpd)?;
    let [one, two, _] = edges.as_slice() else {
        return wrong("three edges");
    };
    let machine = Host::plug(lab, one, "machine", "br100", &[&format!("{MACHINE}/24")])?;
    let mac = machine.mac();
    hush(&machine)?;
    lab.reach("the machine is at edge 1", PATIENCE, || {
        wire::send(
            machine.space(),
            "eth0",
            &wire::gratuitous_arp(mac, MACHINE)?,
        )?;
        settled(&edges, 1, mac, Some(MACHINE))
    })?;
    let arrived = |words: &[&str]| two.node().ctl(&[&["evpn", "arrived"], words].concat());
    let ip = MACHINE.to_string();
    let answer = arrived(&["100", mac, &ip, "--json"])?;
    let told: Value = serde_json::from_str(&answer.stdout)
        .map_err(|error| Error::State(format!("{error}: {}", answer.text())))?;
    if told["sequence"] != 1 || told["learned"] != false || told["limit_s"] != 60 {
        return wrong(told.to_string());
    }
    lab.reach(
        "it counts as at edge 2 before it has sent anything",
        PATIENCE,
        || settled(&edges, 2, mac, Some(MACHINE)),
    )?;
    machine.migrate(one, two, "br100")?;
    wire::send(machine.space(), "eth0", &wire::reverse_request(mac)?)?;
    lab.reach("the bridge of edge 2 sees it", PATIENCE, || {
        let shown = two.node().ctl(&["evpn", "arrived", "100", mac])?;
        match shown.stdout.contains("the bridge has seen it") {
            true => Ok(()),
            false => wrong(shown.text()),
        }
    })?;
    settled(&edges, 2, mac, Some(MACHINE))?;
    let shown = two.space().ip("-o link show br100")?;
    let bridge = shown
        .split_once("link/ether ")
        .and_then(|it| it.1.split(' ').next());
    let (end, other) = (tunnel_end(2).to_string(), tunnel_end(1).to_string());
    let refused: [(&[&str], _, _); 8] = [
        (&["200", mac], 1, "no VNI `200`"),
        (&["100", "01:00:5e:00:00:01"], 1, "is a group"),
        (&["100", "00:00:00:00:00:00"], 1, "no address"),
        (&["100", "nonsense"], 2, "nonsense"),
        (
            &["100", bridge.unwrap_or_default()],
            1,
            "is the bridge of vni 100 itself",
        ),
        (&["100", mac, &end], 1, "is our tunnel endpoint"),
        (
            &["100", mac, &other],
            1,
            "is the tunnel endpoint of another site",
        ),
        (&["100", mac, "10.9.0.1"], 1, "is a BGP neighbor"),
    ];
    for (words, code, text) in refused {
        let output = arrived(words)?;
        if output.code != Some(code) || !output.text().contains(text) {
            return wrong(format!("{words:?}: {output:?}"));
        }
    }
    lab.step("what cannot be is refused by name");
    let fdb = two.space().run(&["bridge", "fdb", "show", "br", "br100"])?;
    let line = fdb.lines().find(|line| line.starts_with(mac));
    let port = line
        .and_then(|line| line.split(' ').nth(2))
        .unwrap_or_default();
    let said = two.node().vtysh(&["show evpn mac vni 100"])?.text();
    let local = format!("{mac} local        {port} ");
    if port.is_empty() || !said.contains(&local) {
        return wrong(format!("no `{local}` in {said}\n{fdb}"));
    }
    let at = |edge: &Edge| Ok::<_, Error>(edge.node().ctl(&["explain", &ip])?.text());
    let (here, there) = (at(two)?, at(one)?);
    for (text, words) in [
        (
            &here,
            [
                format!("{ip} in VNI 100"),
                format!("it is {mac}, at this site"),
                "bridge br100".to_owned(),
            ],
        ),
        (
            &there,
            [
                format!("{ip} in VNI 100"),
                format!("it is {mac}, behind {end}"),
                format!("lladdr {mac}"),
            ],
        ),
    ] {
        if let Some(missing) = words.iter().find(|it| !text.contains(*it)) {
            return wrong(format!("no `{missing}` in {text}"));
        }
    }
    lab.step("an IP address is explained, and where a local address is");
    verified(&edges)
}

fn host_frr() -> Program {
    Program::Frr(Release::Host)
}

#[test]
fn a_machine_moves_between_rbgpds_under_traffic() -> Result<(), Error> {
    scenario("mobility", &BRIDGING, |lab| moves(lab, Program::Rbgpd))
}

#[test]
fn a_machine_moves_between_rbgpd_and_frr_under_traffic() -> Result<(), Error> {
    scenario("mobility-frr", &BRIDGING_FRR, |lab| moves(lab, host_frr()))
}

#[test]
fn a_shared_address_moves_on_from_a_daemon_that_was_killed() -> Result<(), Error> {
    scenario_beside_others("mobility-killed", &BRIDGING_FRR, killed)
}

#[test]
fn a_shared_address_is_followed_every_time_it_returns() -> Result<(), Error> {
    scenario_beside_others("mobility-shared", &BRIDGING, |lab| {
        shared(lab, Program::Rbgpd)
    })
}

#[test]
fn a_shared_address_is_followed_between_rbgpd_and_frr() -> Result<(), Error> {
    scenario_beside_others("mobility-shared-frr", &BRIDGING_FRR, |lab| {
        shared(lab, host_frr())
    })
}

#[test]
fn a_hypervisor_says_that_a_machine_has_arrived() -> Result<(), Error> {
    scenario_beside_others("mobility-arrived", &BRIDGING, arrives)
}
