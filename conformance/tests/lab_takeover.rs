//! A change of daemon under traffic: from FRR to rbgpd and back, and rbgpd killed again and again.
//!
//! ```text
//!  h11 ── br100 ─ edge 1: FRR, then rbgpd, then FRR ── u ── edge 2: rbgpd ─ br100 ── h12
//!         198.51.100.1 on loopback                          192.0.2.1 on loopback
//! ```
//!
//! Requests go every 10 ms between the addresses on loopback, by routes that each side has from the
//! other by BGP, and between the hosts through the tunnel. None may be lost: edge 2 keeps what edge 1
//! announced while that changes (RFC 4724), and edge 1's kernel forwards by what the daemon before has
//! left, which the next one takes over as its own; static routes too, of which one is left to a network
//! in the end, whose daemon it is. Bridge and VXLAN device at edge 1 are made by hand,
//! as for FRR.

#![allow(missing_docs)]

use std::net::Ipv4Addr;
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Frr, Host, Lab, PingReport, Pinger, Program, Release, Requirement,
    scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(10);
const OURS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR_HOST: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 12);
const PREFIXES: u8 = 20;

/// Networks of an edge: that of its address on loopback, and some more.
fn networks(edge: u8) -> Vec<String> {
    let first = match edge {
        1 => "198.51.100.0/24",
        _ => "192.0.2.0/24",
    };
    let more = (0..PREFIXES).map(|n| format!("10.{}.{n}.0/24", 60 + edge));
    std::iter::once(first.to_owned()).chain(more).collect()
}

fn rbgpd(edge: u8, keys: &str) -> String {
    let (end, other) = (tunnel_end(edge), 3 - edge);
    let networks = networks(edge).join("\", \"");
    let devices = match edge {
        1 => "bridge = \"br100\"\nvxlan = \"vx100\"\n",
        _ => "",
    };
    format!(
        "asn = 6500{edge}\nrouter_id = \"{end}\"\n[ipv4_unicast]\nnetworks = [\"{networks}\"]\n\
         [graceful_restart]\ndeferral_time = \"20s\"\n[kernel]\n{keys}[evpn]\nvtep = \"{end}\"\n\
         [[neighbor]]\naddress = \"10.9.0.{other}\"\nremote_as = 6500{other}\nipv4_unicast = {{}}\n\
         evpn = {{}}\ntimers = {{ connect_retry = \"1s\" }}\n\
         [[vni]]\nid = 100\nname = \"net\"\nmtu = 1500\n{devices}"
    )
}

fn frr(edge: u8) -> String {
    let (end, other) = (tunnel_end(edge), 3 - edge);
    let networks: String = networks(edge)
        .iter()
        .map(|it| format!("  network {it}\n"))
        .collect();
    let neighbor = format!("neighbor 10.9.0.{other}");
    format!(
        "frr defaults traditional\nrouter bgp 6500{edge}\n bgp router-id {end}\n \
         no bgp ebgp-requires-policy\n no bgp network import-check\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n {neighbor} remote-as 6500{other}\n \
         {neighbor} timers connect 1\n address-family ipv4 unicast\n{networks} exit-address-family\n \
         address-family l2vpn evpn\n  {neighbor} activate\n  advertise-all-vni\n \
         exit-address-family\n"
    )
}

/// Routes by BGP without the numbers of nexthop objects, FDB entries and neighbours of the tunnel.
fn kernel(edge: &Edge) -> Result<Vec<String>, Error> {
    let space = edge.space();
    let list = |value: Value| value.as_array().cloned().unwrap_or_default();
    let said = |value: &Value, keys: &[&str]| {
        let parts = keys
            .iter()
            .filter_map(|key| Some(value.get(*key)?.to_string()));
        parts.collect::<Vec<_>>().join(" ")
    };
    let mut found = Vec::new();
    for route in list(space.json("ip", "-4 route show proto bgp")?) {
        found.push(said(
            &route,
            &["dst", "gateway", "dev", "metric", "nexthops"],
        ));
    }
    for entry in list(space.json("bridge", "fdb show dev vx100")?) {
        let text = entry.to_string();
        if text.contains("dst") {
            found.push(format!("fdb {}", said(&entry, &["mac", "dst"])));
        }
    }
    for entry in list(space.json("ip", "neigh show dev br100")?) {
        // Of machines here, and of what hosts chose for their link, they come and go.
        let far = entry.get("dst").and_then(Value::as_str) == Some("10.100.0.12");
        if far && entry.to_string().contains("extern_learn") {
            found.push(format!("neigh {}", said(&entry, &["dst", "lladdr"])));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Both edges with the devices, hosts and addresses; edge 2 runs.
struct World {
    one: Edge,
    two: Edge,
    near: Host,
    far: Host,
}

impl World {
    fn build(lab: &Lab) -> Result<Self, Error> {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        let (Some(mut two), Some(one)) = (edges.pop(), edges.pop()) else {
            return Err(Error::State("two edges".to_owned()));
        };
        for (edge, address) in [(&one, OURS), (&two, THEIRS)] {
            edge.space().ip(&format!("addr add {address}/32 dev lo"))?;
        }
        one.overlay(100, tunnel_end(1).into(), "up")?;
        two.start(lab, &rbgpd(2, ""))?;
        Ok(Self {
            near: Host::plug(lab, &one, "h11", "br100", &["10.100.0.11/24"])?,
            far: Host::plug(lab, &two, "h12", "br100", &["10.100.0.12/24"])?,
            one,
            two,
        })
    }

    /// Edge 1's kernel once everything of edge 2 is in it, and the hosts reach each other.
    fn whole(&self, lab: &Lab, what: &str) -> Result<Vec<String>, Error> {
        lab.reach(what, PATIENCE, || {
            self.near.pings(FAR_HOST.into())?;
            let seen = kernel(&self.one)?;
            let routes = seen.iter().filter(|it| it.contains("10.9.0.2")).count();
            let mac = format!("\"{}\"", self.far.mac());
            let tunnel = seen
                .iter()
                .any(|it| it.starts_with("fdb") && it.contains(&mac));
            let host = seen.iter().any(|it| it.starts_with("neigh"));
            match routes == usize::from(PREFIXES) + 1 && tunnel && host {
                true => Ok(()),
                false => Err(Error::State(format!("{seen:#?}"))),
            }
        })?;
        kernel(&self.one)
    }

    /// The other side has all of ours, and holds none of it for a restart.
    fn known(&self, lab: &Lab, what: &str) -> Result<(), Error> {
        lab.reach(what, PATIENCE, || {
            let text = self
                .two
                .node()
                .ctl(&["show", "neighbors", "10.9.0.1", "--json"])?;
            let shown: Value = serde_json::from_str(&text.stdout).unwrap_or_default();
            let one = shown.pointer("/neighbors/0").cloned().unwrap_or_default();
            let up = one.get("state").and_then(Value::as_str) == Some("Established");
            let number = |part: &str, key: &str| {
                let path = format!("/{part}/ipv4_unicast/{key}");
                one.pointer(&path).and_then(Value::as_u64)
            };
            // FRR announces ours back to us, which is not accepted.
            let accepted = number("families", "accepted");
            let all = accepted == Some(u64::from(PREFIXES) + 1);
            let all = all && number("details", "stale") == Some(0);
            match up && all {
                true => Ok(()),
                false => Err(Error::State(one.to_string())),
            }
        })
        .map(drop)
    }

    fn streams(&self) -> Result<[Pinger; 2], Error> {
        Ok([
            Pinger::start_from(self.one.space(), OURS, THEIRS, INTERVAL)?,
            Pinger::start(self.near.space(), FAR_HOST, INTERVAL)?,
        ])
    }
}

/// A second of traffic more.
fn a_while(lab: &Lab, streams: &[Pinger; 2]) -> Result<(), Error> {
    let before: Vec<u64> = streams.iter().map(Pinger::received).collect();
    lab.reach("a second of traffic", PATIENCE, || {
        let more = streams
            .iter()
            .zip(&before)
            .map(|(it, before)| it.received() - before);
        match more.min() {
            Some(100..) => Ok(()),
            more => Err(Error::State(format!("{more:?} answers"))),
        }
    })
    .map(drop)
}

fn none_lost(lab: &Lab, streams: [Pinger; 2]) -> Result<(), Error> {
    let reports: Vec<PingReport> = streams
        .into_iter()
        .map(Pinger::stop)
        .collect::<Result<_, _>>()?;
    reports.iter().for_each(|report| lab.step(report));
    let lost: u64 = reports.iter().map(|it| it.lost).sum();
    match lost {
        0 => Ok(()),
        lost => Err(Error::State(format!("{lost} requests lost"))),
    }
}

fn verified(lab: &Lab, edge: &Edge) -> Result<(), Error> {
    lab.reach("verify finds no difference", PATIENCE, || {
        let output = edge.node().ctl(&["verify"])?;
        match output.ok() {
            true => Ok(()),
            false => Err(Error::State(output.text())),
        }
    })
    .map(drop)
}

/// FRR's daemons go without a word; rbgpd's stop is `on_stop = "keep"`.
fn there_and_back(name: &str, release: Release) -> Result<(), Error> {
    scenario_beside_others(name, &NEEDS, |lab| {
        release.prepare()?;
        let mut world = World::build(lab)?;
        let folder = lab.folder("frr-1")?;
        let first = world.one.space().clone();
        let mut theirs = Frr::new(release.clone(), first, folder).keeping();
        theirs.start(lab, &frr(1))?;
        let before = world.whole(lab, "FRR has everything")?;
        world.known(lab, "edge 2 has everything of FRR's")?;

        let streams = world.streams()?;
        a_while(lab, &streams)?;
        // All at once: zebra would take out what bgpd has left, when that goes first.
        theirs.freeze(true)?;
        theirs.kill9()?;
        a_while(lab, &streams)?;
        world.one.start(lab, &rbgpd(1, "on_stop = \"keep\"\n"))?;
        world.known(lab, "edge 2 has everything of rbgpd's")?;
        verified(lab, &world.one)?;
        a_while(lab, &streams)?;
        assert_eq!(world.whole(lab, "rbgpd has everything")?, before);
        none_lost(lab, streams)?;

        let streams = world.streams()?;
        a_while(lab, &streams)?;
        world.one.node_mut().stop()?;
        assert_eq!(kernel(&world.one)?, before, "everything has stayed");
        theirs.start(lab, &frr(1))?;
        world.known(lab, "edge 2 has everything of FRR's again")?;
        a_while(lab, &streams)?;
        assert_eq!(world.whole(lab, "FRR has everything again")?, before);
        none_lost(lab, streams)
    })
}

#[test]
fn frr_8_4_hands_over_to_rbgpd_and_back_without_a_lost_packet() -> Result<(), Error> {
    there_and_back("takeover", Release::Host)
}

#[test]
fn frr_10_3_hands_over_to_rbgpd_and_back_without_a_lost_packet() -> Result<(), Error> {
    there_and_back("takeover-10", Release::Suite("trixie".to_owned()))
}

/// Networks behind edge 2 that edge 1 reaches by static routes alone: one that FRR has from the start, and
/// one that is new with rbgpd.
const FIRST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 129);

/// The 25 bits of those.
fn network(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{a}.{b}.{c}.{}/25", d & 0x80)
}

/// Protocol and metric of each route to a static network.
fn of_statics(edge: &Edge) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for address in [FIRST, SECOND] {
        let network = network(address);
        let routes = edge
            .space()
            .json("ip", &format!("-N -4 route show {network}"))?;
        for route in routes.as_array().into_iter().flatten() {
            let said = |key: &str| route.get(key).cloned().unwrap_or_default();
            let (protocol, metric) = (said("protocol"), said("metric"));
            let protocol = protocol.as_str().unwrap_or_default().to_owned();
            found.push(format!("{network} {protocol} {metric}"));
        }
    }
    Ok(found)
}

/// Every static network has one route, FRR's.
fn frrs(lab: &Lab, edge: &Edge, networks: &[Ipv4Addr]) -> Result<(), Error> {
    let wanted: Vec<String> = networks
        .iter()
        .map(|it| format!("{} 196 20", network(*it)))
        .collect();
    lab.reach("one route of FRR's to each network", PATIENCE, || {
        let found = of_statics(edge)?;
        match found == wanted {
            true => Ok(()),
            false => Err(Error::State(format!("{found:#?}"))),
        }
    })
    .map(drop)
}

/// FRR's static routes go to rbgpd and back, and those that rbgpd had alone go to FRR.
fn static_routes_there_and_back(name: &str, release: Release) -> Result<(), Error> {
    scenario_beside_others(name, &NEEDS, |lab| {
        release.prepare()?;
        let mut world = World::build(lab)?;
        for address in [FIRST, SECOND] {
            world
                .two
                .space()
                .ip(&format!("addr add {address}/32 dev lo"))?;
        }
        let lines = |addresses: &[Ipv4Addr]| -> String {
            let line = |it: &Ipv4Addr| format!("ip route {} 10.9.0.2\n", network(*it));
            addresses.iter().map(line).collect()
        };
        let folder = lab.folder("frr-1")?;
        let first = world.one.space().clone();
        let mut theirs = Frr::new(release.clone(), first, folder).keeping();
        theirs.start(lab, &(frr(1) + &lines(&[FIRST])))?;
        world.known(lab, "edge 2 has everything of FRR's")?;
        frrs(lab, &world.one, &[FIRST])?;

        let stream = |to| Pinger::start_from(world.one.space(), OURS, to, INTERVAL);
        let to_first = stream(FIRST)?;
        more(lab, &to_first)?;
        theirs.freeze(true)?;
        theirs.kill9()?;
        let statics: String = [FIRST, SECOND]
            .iter()
            .map(|it| {
                let network = network(*it);
                format!("[[static_route]]\nprefix = \"{network}\"\nnext_hops = [\"10.9.0.2\"]\n")
            })
            .collect();
        let config = rbgpd(1, "on_stop = \"keep\"\n") + &statics;
        world.one.start(lab, &config)?;
        world.known(lab, "edge 2 has everything of rbgpd's")?;
        verified(lab, &world.one)?;
        let ours = |address| format!("{} 186 1", network(address));
        let found = of_statics(&world.one)?;
        assert!(
            found.contains(&ours(FIRST)) && found.contains(&ours(SECOND)),
            "{found:#?}"
        );
        // What FRR has left is not ours to remove.
        let summary = world.one.node().ctl(&["show", "summary"])?;
        let named = format!(
            "staticd stands behind static routes of ours, the first to {}",
            network(FIRST)
        );
        assert!(summary.text().contains(&named), "{}", summary.text());
        let to_second = Pinger::start_from(world.one.space(), OURS, SECOND, INTERVAL)?;
        more(lab, &to_first)?;
        more(lab, &to_second)?;

        world.one.node_mut().stop()?;
        let found = of_statics(&world.one)?;
        assert_eq!(found.len(), 2, "one each is left: {found:#?}");
        theirs.start(lab, &(frr(1) + &lines(&[FIRST, SECOND])))?;
        world.known(lab, "edge 2 has everything of FRR's again")?;
        frrs(lab, &world.one, &[FIRST, SECOND])?;
        more(lab, &to_first)?;
        more(lab, &to_second)?;
        none_lost(lab, [to_first, to_second])?;
        // What is taken out of FRR is out.
        let line = format!("no ip route {} 10.9.0.2", network(FIRST));
        theirs.configure(&[&line])?;
        frrs(lab, &world.one, &[SECOND])
    })
}

/// Some traffic more.
fn more(lab: &Lab, stream: &Pinger) -> Result<(), Error> {
    let before = stream.received();
    lab.reach("traffic", PATIENCE, || match stream.received() - before {
        50.. => Ok(()),
        more => Err(Error::State(format!("{more} answers"))),
    })
    .map(drop)
}

#[test]
fn static_routes_go_from_frr_8_4_to_rbgpd_and_back_without_a_lost_packet() -> Result<(), Error> {
    static_routes_there_and_back("statics-over", Release::Host)
}

#[test]
fn static_routes_go_from_frr_10_3_to_rbgpd_and_back_without_a_lost_packet() -> Result<(), Error> {
    static_routes_there_and_back("statics-over-10", Release::Suite("trixie".to_owned()))
}

#[test]
fn a_daemon_that_is_killed_again_and_again_loses_nothing() -> Result<(), Error> {
    scenario_beside_others("killed", &NEEDS, |lab| {
        let mut world = World::build(lab)?;
        let config = rbgpd(1, "");
        world.one.start(lab, &config)?;
        let before = world.whole(lab, "rbgpd has everything")?;
        world.known(lab, "edge 2 has everything")?;
        let times = std::env::var("RBGPD_KILLS").ok();
        let times: u32 = times.and_then(|it| it.parse().ok()).unwrap_or(5);
        let streams = world.streams()?;
        for _ in 0..times {
            a_while(lab, &streams)?;
            world.one.node_mut().kill9()?;
            world.one.start(lab, &config)?;
            world.known(lab, "edge 2 has everything again")?;
            verified(lab, &world.one)?;
            assert_eq!(world.whole(lab, "rbgpd has everything again")?, before);
        }
        none_lost(lab, streams)
    })
}
