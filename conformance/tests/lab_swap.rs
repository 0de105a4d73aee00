//! One file for FRR and for rbgpd: the same is shown, the same is told, and a session of its lines
//! changes the same.
//!
//! ```text
//!  edge 1 ─ u ─┬─ u ─ edge 2      10.9.0.N/24, AS 6500N, one frr.conf each, whoever reads it
//!              └─ u ─ edge 3      FRR all the time: what it is told of 1 and 2 is compared
//! ```
//!
//! Edge 1 goes from FRR to rbgpd with its file, then edge 2, then both go back. Requests every
//! 10 ms between addresses that are reached by BGP alone lose nothing meanwhile, and edge 3 has the
//! same routes with the same attributes after each step.

#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use conformance::lab::{
    Edge, Error, Frr, Lab, Node, PingReport, Pinger, Program, Release, Requirement,
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

/// What stands in all files: the neighbours, and that forwarding goes on over a restart. On one segment
/// FRR tells others the next hop that it was told, and we stand in its place, unless it is said.
fn file(edge: u8, lines: &str, outside: &str) -> String {
    let others = [1, 2, 3].into_iter().filter(|it| *it != edge);
    let neighbors: String = others
        .map(|it| {
            format!(
                " neighbor 10.9.0.{it} remote-as 6500{it}\n neighbor 10.9.0.{it} timers connect 1\n"
            )
        })
        .collect();
    let own: String = [1, 2, 3]
        .into_iter()
        .filter(|it| *it != edge)
        .map(|it| format!("  neighbor 10.9.0.{it} next-hop-self\n"))
        .collect();
    format!(
        "frr defaults traditional\nhostname edge{edge}\nservice integrated-vtysh-config\n!\n\
         router bgp 6500{edge}\n bgp router-id 10.9.0.{edge}\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n{neighbors} \
         address-family ipv4 unicast\n{own} exit-address-family\n{lines}exit\n!\n{outside}"
    )
}

/// Files for edge 1, each of another kind of site; edge 2 has the first of them with its own numbers.
const SITES: [(&str, &str); 4] = [
    (
        " address-family ipv4 unicast\n  network 198.51.100.0/24\n  network 10.61.0.0/24 route-map MARK\n  \
         network 10.61.1.0/24\n  neighbor 10.9.0.3 route-map OUT out\n exit-address-family\n",
        "ip prefix-list ONE seq 5 permit 10.61.1.0/24\n!\nroute-map MARK permit 10\n set community 65001:7 65001:8\n \
         set metric 70\nexit\n!\nroute-map OUT permit 10\n match ip address prefix-list ONE\n \
         set as-path prepend 65001 65001\nexit\n!\nroute-map OUT permit 20\nexit\n!\n",
    ),
    (
        " neighbor SITES peer-group\n neighbor 10.9.0.2 peer-group SITES\n neighbor 10.9.0.3 peer-group SITES\n \
         address-family ipv4 unicast\n  network 198.51.100.0/24\n  network 10.61.2.0/25\n  network 10.61.2.128/25\n  \
         aggregate-address 10.61.2.0/24 summary-only\n  neighbor SITES prefix-list OURS out\n  \
         neighbor SITES route-map IN in\n exit-address-family\n",
        "ip prefix-list OURS seq 5 permit 198.51.100.0/24\nip prefix-list OURS seq 10 permit 10.61.0.0/16 le 24\n!\n\
         route-map IN permit 10\n set local-preference 150\nexit\n!\n",
    ),
    (
        " bgp bestpath as-path multipath-relax\n \
         address-family ipv4 unicast\n  network 198.51.100.0/24\n  redistribute static route-map STATICS\n  \
         neighbor 10.9.0.3 maximum-prefix 100\n exit-address-family\n",
        "ip route 10.61.5.0/24 blackhole\nip route 10.61.6.0/24 10.9.0.2\n!\nroute-map STATICS permit 10\n \
         set large-community 65001:1:2\n set origin incomplete\nexit\n!\n",
    ),
    (
        " bgp bestpath med missing-as-worst\n address-family ipv4 unicast\n  network 198.51.100.0/24\n  \
         neighbor 10.9.0.3 default-originate\n  neighbor 10.9.0.3 filter-list OWN out\n  \
         neighbor 10.9.0.2 soft-reconfiguration inbound\n  neighbor 10.9.0.2 weight 7\n exit-address-family\n",
        "bgp as-path access-list OWN seq 5 permit ^$\n!\n",
    ),
];

fn site(number: usize) -> String {
    let (lines, outside) = SITES.get(number).copied().unwrap_or_default();
    file(1, lines, outside)
}

fn second() -> String {
    let lines = " address-family ipv4 unicast\n  network 203.0.113.0/24\n  network 10.62.0.0/24\n exit-address-family\n";
    file(2, lines, "")
}

fn third() -> String {
    let lines = " address-family ipv4 unicast\n  network 192.0.2.0/24\n exit-address-family\n";
    file(3, lines, "")
}

/// An edge with whoever reads its file at the time.
struct Site {
    edge: Edge,
    theirs: Frr,
    file: String,
}

impl Site {
    fn start_frr(&mut self, lab: &Lab) -> Result<(), Error> {
        self.theirs.start(lab, &self.file)
    }

    /// All at once: zebra would take out what bgpd has left, when that goes first.
    fn swap_in(&mut self, lab: &Lab) -> Result<(), Error> {
        self.theirs.freeze(true)?;
        self.theirs.kill9()?;
        self.start_rbgpd(lab)
    }

    fn start_rbgpd(&mut self, lab: &Lab) -> Result<(), Error> {
        match self.edge.node_mut() {
            Node::Rbgpd(ours) => ours.start_frr(lab, &self.file),
            Node::Frr(_) => Err(Error::State("no rbgpd".to_owned())),
        }
    }

    fn swap_back(&mut self, lab: &Lab) -> Result<(), Error> {
        self.edge.node_mut().kill9()?;
        self.start_frr(lab)
    }
}

fn world(lab: &Lab, release: &Release, first: String) -> Result<[Site; 3], Error> {
    release.prepare()?;
    let edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd, Program::Rbgpd])?;
    let mut sites = Vec::new();
    for (edge, file) in edges.into_iter().zip([first, second(), third()]) {
        let address = address(edge.id());
        edge.space().ip(&format!("addr add {address}/32 dev lo"))?;
        let folder = lab.folder(&format!("frr-{}", edge.id()))?;
        let theirs = Frr::new(release.clone(), edge.space().clone(), folder).keeping();
        sites.push(Site { edge, theirs, file });
    }
    let three = <[Site; 3]>::try_from(sites);
    three.map_err(|_| Error::State("three edges".to_owned()))
}

/// The one that is reached by BGP alone.
fn address(edge: u8) -> Ipv4Addr {
    match edge {
        1 => Ipv4Addr::new(198, 51, 100, 1),
        2 => Ipv4Addr::new(203, 0, 113, 1),
        _ => Ipv4Addr::new(192, 0, 2, 1),
    }
}

/// Routes of an FRR with what was told of them, without what may change: times, versions, flags of
/// the moment. A metric of zero is as good as none: FRR tells it with networks, we do not; and FRR
/// marks each aggregate as one that has lost a part of its path, we do where it has.
fn told(frr: &Frr) -> Result<BTreeSet<String>, Error> {
    let json = |command: &str| -> Result<Value, Error> {
        let text = frr.vtysh(&[command])?.stdout;
        serde_json::from_str(&text).map_err(|error| Error::State(format!("{command}: {error}")))
    };
    let table = json("show bgp ipv4 unicast json")?;
    let routes = table.get("routes").and_then(Value::as_object).cloned();
    let mut told = BTreeSet::new();
    for prefix in routes.unwrap_or_default().keys() {
        let route = json(&format!("show bgp ipv4 unicast {prefix} json"))?;
        let paths = route.get("paths").and_then(Value::as_array).cloned();
        for path in paths.unwrap_or_default() {
            let part = |pointer: &str| {
                path.pointer(pointer)
                    .map_or_else(String::new, Value::to_string)
            };
            let parts = [
                "/aspath/string",
                "/origin",
                "/metric",
                "/locPrf",
                "/weight",
                "/community/string",
                "/largeCommunity/string",
                "/extendedCommunity/string",
                "/aggregatorAs",
                "/nexthops/0/ip",
                "/bestpath/overall",
                "/peer/peerId",
            ];
            let parts = parts.into_iter().map(part);
            let parts: Vec<String> = parts
                .filter(|it| !matches!(it.as_str(), "" | "0"))
                .collect();
            let stale = path.get("stale").and_then(Value::as_bool) == Some(true);
            let stale = if stale { " stale" } else { "" };
            told.insert(format!("{prefix}: {}{stale}", parts.join(" ")));
        }
    }
    Ok(told)
}

/// Once edge 3 knows `count` routes at least, of each neighbour some, and holds none of them for a
/// restart.
fn settled(lab: &Lab, what: &str, three: &Frr) -> Result<BTreeSet<String>, Error> {
    lab.reach(what, PATIENCE, || {
        let told = told(three)?;
        let of = |peer: &str| told.iter().any(|it| it.contains(peer));
        let stale = told.iter().any(|it| it.ends_with(" stale"));
        match of("10.9.0.1") && of("10.9.0.2") && !stale {
            true => Ok(()),
            false => Err(Error::State(format!("{told:#?}"))),
        }
    })?;
    told(three)
}

fn same(lab: &Lab, what: &str, three: &Frr, before: &BTreeSet<String>) -> Result<(), Error> {
    lab.reach(what, PATIENCE, || {
        let now = told(three)?;
        let gone: Vec<_> = before.difference(&now).collect();
        let new: Vec<_> = now.difference(before).collect();
        match gone.is_empty() && new.is_empty() {
            true => Ok(()),
            false => Err(Error::State(format!("gone {gone:#?}\nnew {new:#?}"))),
        }
    })
    .map(drop)
}

/// A second of traffic more.
fn a_while(lab: &Lab, streams: &[Pinger]) -> Result<(), Error> {
    let before: Vec<u64> = streams.iter().map(Pinger::received).collect();
    lab.reach("a second of traffic", PATIENCE, || {
        let more = streams.iter().zip(&before);
        match more.map(|(it, before)| it.received() - before).min() {
            Some(100..) => Ok(()),
            more => Err(Error::State(format!("{more:?} answers"))),
        }
    })
    .map(drop)
}

fn none_lost(lab: &Lab, streams: Vec<Pinger>) -> Result<(), Error> {
    let reports: Result<Vec<PingReport>, Error> = streams.into_iter().map(Pinger::stop).collect();
    let mut lost = 0;
    for report in reports? {
        lab.step(&report);
        lost += report.lost;
    }
    match lost {
        0 => Ok(()),
        lost => Err(Error::State(format!("{lost} requests lost"))),
    }
}

fn swapped(name: &str, release: Release, number: usize) -> Result<(), Error> {
    scenario_beside_others(name, &NEEDS, |lab| {
        let [mut one, mut two, mut three] = world(lab, &release, site(number))?;
        for site in [&mut one, &mut two, &mut three] {
            site.start_frr(lab)?;
        }
        let before = settled(lab, "edge 3 has everything", &three.theirs)?;
        let streams = vec![
            Pinger::start_from(three.edge.space(), address(3), address(1), INTERVAL)?,
            Pinger::start_from(three.edge.space(), address(3), address(2), INTERVAL)?,
        ];
        a_while(lab, &streams)?;
        one.swap_in(lab)?;
        same(lab, "edge 1 runs rbgpd", &three.theirs, &before)?;
        a_while(lab, &streams)?;
        two.swap_in(lab)?;
        same(lab, "edge 2 runs rbgpd, too", &three.theirs, &before)?;
        a_while(lab, &streams)?;
        two.swap_back(lab)?;
        same(lab, "edge 2 runs FRR again", &three.theirs, &before)?;
        one.swap_back(lab)?;
        same(lab, "edge 1 runs FRR again", &three.theirs, &before)?;
        a_while(lab, &streams)?;
        none_lost(lab, streams)
    })
}

#[test]
fn a_site_with_policy_goes_from_frr_8_4_to_rbgpd_and_back() -> Result<(), Error> {
    swapped("swap-policy", Release::Host, 0)
}

#[test]
fn a_site_with_groups_and_aggregates_goes_from_frr_10_3_to_rbgpd_and_back() -> Result<(), Error> {
    swapped("swap-groups", Release::Suite("trixie".to_owned()), 1)
}

#[test]
fn a_site_with_static_routes_goes_from_frr_8_4_to_rbgpd_and_back() -> Result<(), Error> {
    swapped("swap-statics", Release::Host, 2)
}

#[test]
fn a_site_with_a_default_route_goes_from_frr_10_3_to_rbgpd_and_back() -> Result<(), Error> {
    swapped("swap-default", Release::Suite("trixie".to_owned()), 3)
}

/// Lines with the blocks they stand in, as indentation and `exit` tell.
fn blocks(text: &str) -> BTreeSet<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        let is_end = line.starts_with("exit") || line == "end" || line.starts_with('!');
        let talk = line.starts_with("Building") || line.starts_with("Current");
        if line.is_empty() || is_end || talk {
            continue;
        }
        open.truncate(depth);
        all.insert(format!("{} / {line}", open.join(" / ")));
        open.push(line);
    }
    all
}

/// What one shows and the other does not, and why; the rest is the same.
const SHOWN_OTHERWISE: &[(&str, &str)] = &[
    (" / frr version", "rbgpd is no FRR"),
    (" / log ", "the lab's own"),
    (" / hostname", "FRR shows the host's own"),
    (
        " / service integrated-vtysh-config",
        "8.4 does not show it here",
    ),
    (" / no ip forwarding", "zebra shows what the kernel does"),
    (" / no ipv6 forwarding", "zebra shows what the kernel does"),
];

fn shown_alike(name: &str, release: Release) -> Result<(), Error> {
    scenario_beside_others(name, &NEEDS, |lab| {
        let mut wrong = Vec::new();
        let [mut one, ..] = world(lab, &release, String::new())?;
        // Each file for itself, since FRR keeps what it has.
        for number in 0..SITES.len() {
            one.file = site(number);
            one.start_frr(lab)?;
            let theirs = blocks(&one.theirs.vtysh(&["show running-config"])?.stdout);
            one.theirs.kill9()?;
            one.start_rbgpd(lab)?;
            let Node::Rbgpd(ours) = one.edge.node_mut() else {
                return Err(Error::State("no rbgpd".to_owned()));
            };
            let shown = ours.ctl(&["show", "running-config", "--frr"])?.stdout;
            ours.stop()?;
            let ours = blocks(&shown);
            let named =
                |line: &&String| !SHOWN_OTHERWISE.iter().any(|(it, _)| line.starts_with(it));
            let only: Vec<_> = theirs.difference(&ours).filter(named).collect();
            let more: Vec<_> = ours.difference(&theirs).filter(named).collect();
            lab.step(format!("site {number}: {} lines of FRR", theirs.len()));
            if !only.is_empty() || !more.is_empty() {
                wrong.push(format!(
                    "site {number}: only FRR {only:#?}\nonly rbgpd {more:#?}"
                ));
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::State(wrong.join("\n"))),
        }
    })
}

#[test]
fn frr_8_4_and_rbgpd_show_the_same_of_one_file() -> Result<(), Error> {
    shown_alike("alike", Release::Host)
}

#[test]
fn frr_10_3_and_rbgpd_show_the_same_of_one_file() -> Result<(), Error> {
    shown_alike("alike-10", Release::Suite("trixie".to_owned()))
}
