//! One file for FRR and for rbgpd: the same is told, the same packets pass, and the same is shown.
//!
//! ```text
//!  edge 1 ─ u ─┬─ u ─ edge 2      10.9.0.N/24, one frr.conf each, whoever reads it
//!              └─ u ─ edge 3      FRR all the time: what it is told of 1 and 2 is compared
//! ```
//!
//! Edge 1 goes from FRR to rbgpd with its file, then edge 2, then both go back. Requests every
//! 10 ms between addresses that are reached by BGP alone lose nothing meanwhile, and edge 3 has the
//! same routes with the same attributes after each step, and the kernel those of BGP that it had
//! where rbgpd runs. Three files name why FRR loses some where it
//! comes back; what is lost there counts unless FRR loses some in its own place as well, in the same lab.
//! FRR keeps no EVPN routes of a neighbour that starts again, so hosts of an overlay lose some: only where
//! edge 3 has taken entries out, while rbgpd takes none out of the tunnel's device when it comes. What FRR
//! shows of its file and what rbgpd shows are the same lines, but for a few with a reason. Half of the
//! [`CASES`] are played with FRR 8.4, half with 10.3; what they are about stands at the top of each file in
//! `swap/`.

#![allow(missing_docs)]

#[path = "swap/case.rs"]
mod case;
#[path = "swap/kernel.rs"]
mod kernel;
#[path = "swap/shown.rs"]
mod shown;
#[path = "swap/site.rs"]
mod site;
#[path = "swap/told.rs"]
mod told;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::ROUTING;
use conformance::lab::{
    Edge, Error, Host, Lab, Namespace, PingReport, Pinger, Program, Requirement, RouteMonitor,
    scenario_beside_others,
};

use case::{Case, Ground, address, address6};
use kernel::in_the_kernel;
use shown::shown_alike;
use site::Site;
use told::{is_stale, told};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(10);
/// How often FRR comes in its own place at most; of five times it lost something four times at least.
const TRIES: usize = 8;

/// A test for each case: FRR of a Debian suite, or of the machine, and how many paths edge 3 has.
macro_rules! cases {
    ($($test:ident: $name:literal, $suite:expr, $ground:ident, $paths:literal;)+) => {
        const CASES: &[Case] = &[$(Case {
            name: $name,
            text: include_str!(concat!("swap/", $name, ".conf")),
            suite: $suite,
            ground: Ground::$ground,
            paths: $paths,
        }),+];

        $(#[test]
        fn $test() -> Result<(), Error> {
            play($name)
        })+
    };
}

const TRIXIE: Option<&str> = Some("trixie");

cases! {
    a_site_with_policy_goes_from_frr_to_rbgpd_and_back: "policy", None, Segment, 11;
    a_site_with_groups_goes_from_frr_to_rbgpd_and_back: "groups", TRIXIE, Segment, 7;
    a_site_with_static_routes_goes_from_frr_to_rbgpd_and_back: "statics", None, Segment, 11;
    a_site_with_a_default_route_goes_from_frr_to_rbgpd_and_back: "default", TRIXIE, Segment, 6;
    a_route_reflector_goes_from_frr_to_rbgpd_and_back: "reflector", None, Segment, 5;
    a_site_with_both_families_goes_from_frr_to_rbgpd_and_back: "families", TRIXIE, Segment, 12;
    a_site_with_sessions_over_ipv6_goes_from_frr_to_rbgpd_and_back: "sessions6", None, Segment, 12;
    a_site_without_addresses_goes_from_frr_to_rbgpd_and_back: "unnumbered", TRIXIE, Links, 14;
    a_site_with_sessions_of_loopbacks_goes_from_frr_to_rbgpd_and_back: "loopbacks", TRIXIE, Segment, 7;
    a_site_with_aggregates_goes_from_frr_to_rbgpd_and_back: "aggregates", None, Segment, 21;
    a_site_with_a_condition_goes_from_frr_to_rbgpd_and_back: "condition", None, Segment, 7;
    a_site_that_redistributes_goes_from_frr_to_rbgpd_and_back: "redistribute", TRIXIE, Segment, 15;
    a_site_with_an_alias_goes_from_frr_to_rbgpd_and_back: "alias", None, Segment, 9;
    two_sites_of_one_as_go_from_frr_to_rbgpd_and_back: "two-sites", TRIXIE, Segment, 5;
    a_confederation_goes_from_frr_to_rbgpd_and_back: "confederation", None, Segment, 7;
    a_site_that_listens_goes_from_frr_to_rbgpd_and_back: "listen", TRIXIE, Segment, 7;
    a_site_with_signed_sessions_goes_from_frr_to_rbgpd_and_back: "secured", None, Segment, 7;
    a_site_with_bfd_goes_from_frr_to_rbgpd_and_back: "bfd", None, Segment, 7;
    two_sites_of_one_network_go_from_frr_to_rbgpd_and_back: "multipath", TRIXIE, Segment, 6;
    a_site_that_tells_all_paths_goes_from_frr_to_rbgpd_and_back: "add-path", TRIXIE, Segment, 5;
    a_site_with_communities_goes_from_frr_to_rbgpd_and_back: "communities", TRIXIE, Segment, 12;
    a_dual_homed_site_goes_from_frr_to_rbgpd_and_back: "dual-homed", None, Segment, 7;
    a_vrf_goes_from_frr_to_rbgpd_and_back: "vrf", None, Vrf, 6;
    an_overlay_goes_from_frr_to_rbgpd_and_back: "overlay", TRIXIE, Overlay, 20;
}

fn play(name: &str) -> Result<(), Error> {
    let case = CASES.iter().find(|it| it.name == name);
    let case = case.ok_or_else(|| Error::State(format!("there is no case {name}")))?;
    // Here, where there is a network to fetch it from.
    case.release().prepare()?;
    let needs: &[Requirement] = match case.ground {
        Ground::Segment | Ground::Links | Ground::Overlay => &NEEDS,
        Ground::Vrf => &ROUTING,
    };
    scenario_beside_others(&format!("swap-{name}"), needs, |lab| swapped(lab, case))
}

/// The edges with all that FRR's operators make beforehand.
struct World {
    sites: [Site; 3],
    hosts: Vec<Host>,
}

impl World {
    fn build(lab: &Lab, case: &Case) -> Result<Self, Error> {
        let edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd, Program::Rbgpd])?;
        for edge in &edges {
            let id = edge.id();
            edge.space()
                .ip(&format!("addr add {}/32 dev lo", address(id)))?;
            if case.has_ipv6() {
                edge.space()
                    .ip(&format!("addr add {}/128 dev lo", address6(id)))?;
            }
        }
        let hosts = prepare(lab, &edges, case.ground)?;
        let mut sites = Vec::new();
        for edge in edges {
            let file = case.file(edge.id())?;
            sites.push(Site::new(lab, edge, &case.release(), file)?);
        }
        let sites = <[Site; 3]>::try_from(sites);
        Ok(Self {
            sites: sites.map_err(|_| Error::State("three edges".to_owned()))?,
            hosts,
        })
    }

    /// From edge 3, or the host there, to the two others.
    fn streams(&self, case: &Case) -> Result<Vec<Pinger>, Error> {
        let [_, _, three] = &self.sites;
        let from = three.edge.space();
        let mut streams = Vec::new();
        let mut start = |space: &Namespace, from: IpAddr, to: IpAddr| {
            streams.push(Pinger::start_from(space, from, to, INTERVAL)?);
            Ok::<_, Error>(())
        };
        for edge in [1, 2] {
            if case.ground != Ground::Vrf {
                start(from, address(3).into(), address(edge).into())?;
            }
            if case.has_ipv6() {
                start(from, address6(3).into(), address6(edge).into())?;
            }
        }
        if let [others @ .., host] = self.hosts.as_slice() {
            let to = others.iter().flat_map(|it| it.addresses());
            for to in to.filter(|it| it.is_ipv4()) {
                start(host.space(), Ipv4Addr::UNSPECIFIED.into(), *to)?;
            }
        }
        Ok(streams)
    }
}

/// Devices, and hosts in the order of the edges.
fn prepare(lab: &Lab, edges: &[Edge], ground: Ground) -> Result<Vec<Host>, Error> {
    match ground {
        Ground::Segment => Ok(Vec::new()),
        Ground::Links => links(edges, |_, _| Ok(())).map(|()| Vec::new()),
        Ground::Overlay => {
            for edge in edges {
                edge.overlay(100, tunnel_end(edge.id()).into(), "")?;
                let gateway = format!("addr add {}/24 dev br100", gateway(edge.id()));
                edge.space().ip(&gateway)?;
            }
            let hosts = plug(lab, edges, "br100", |id| format!("10.100.0.{id}0/24"))?;
            for (edge, host) in edges.iter().zip(&hosts) {
                // FRR tells the addresses that its kernel has asked for, or was asked by. With IPv6 the
                // bridge has none, so those of links are known to rbgpd alone, which listens.
                host.space().ip("-6 addr flush dev eth0")?;
                let what = format!("the host of edge {} speaks", edge.id());
                let gateway = gateway(edge.id()).into();
                lab.wait_until(&what, PATIENCE, || host.pings(gateway))?;
            }
            Ok(hosts)
        }
        Ground::Vrf => {
            for edge in edges {
                let (id, space) = (edge.id(), edge.space());
                edge.vrf("red", 1001)?;
                space.ip("link add site type bridge stp_state 0 mcast_snooping 0")?;
                space.ip("link set site master red addrgenmode none up")?;
                space.ip(&format!("addr add 10.7{id}.0.1/24 dev site"))?;
            }
            links(edges, |edge, other| {
                let (id, space) = (edge.id(), edge.space());
                let (low, high) = (id.min(other), id.max(other));
                space.ip(&format!("link set to{other} master red"))?;
                let words = format!("addr add 10.8.{low}{high}.{id}/24 dev to{other}");
                space.ip(&words).map(drop)
            })?;
            plug(lab, edges, "site", |id| format!("10.7{id}.0.10/24"))
        }
    }
}

/// The address of an edge in the overlay.
fn gateway(edge: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 100, 0, edge)
}

fn plug(
    lab: &Lab,
    edges: &[Edge],
    bridge: &str,
    network: impl Fn(u8) -> String,
) -> Result<Vec<Host>, Error> {
    let plug = |edge: &Edge| {
        let (name, network) = (format!("host{}", edge.id()), network(edge.id()));
        Host::plug(lab, edge, &name, bridge, &[&network])
    };
    edges.iter().map(plug).collect()
}

/// A link between each two edges, called `toN` at both ends.
fn links(edges: &[Edge], dress: impl Fn(&Edge, u8) -> Result<(), Error>) -> Result<(), Error> {
    for (at, one) in edges.iter().enumerate() {
        for two in edges.iter().skip(at + 1) {
            let (here, there) = (one.id(), two.id());
            let (near, far) = (one.space().name(), two.space().name());
            one.space().ip(&format!(
                "link add to{there} netns {near} type veth peer name to{here} netns {far}"
            ))?;
            for (edge, other) in [(one, there), (two, here)] {
                dress(edge, other)?;
                edge.space().ip(&format!("link set to{other} up"))?;
            }
        }
    }
    Ok(())
}

/// What FRR everywhere makes of the files.
struct Before {
    /// What edge 3 is told.
    told: BTreeSet<String>,
    /// What the kernels of the edges have.
    kernels: Vec<BTreeSet<String>>,
}

/// Edge 3 has all that it is told, and none of it is only kept for a restart.
fn settled(lab: &Lab, case: &Case, sites: &[Site; 3]) -> Result<Before, Error> {
    let [_, _, three] = sites;
    let tables = case.tables();
    lab.reach("edge 3 has everything", PATIENCE, || {
        up(case, sites)?;
        let told = told(&three.theirs, &tables)?;
        match told.len() == case.paths && !is_stale(&told) {
            true => Ok(()),
            false => Err(Error::State(format!("{} paths: {told:#?}", told.len()))),
        }
    })?;
    Ok(Before {
        told: told(&three.theirs, &tables)?,
        kernels: Vec::new(),
    })
}

fn up(case: &Case, sites: &[Site; 3]) -> Result<(), Error> {
    sites.iter().try_for_each(|it| it.is_up(case.neighbors()))
}

/// All sessions are up, edge 3 has what it had, and so have the kernels.
fn same(case: &Case, sites: &[Site; 3], before: &Before) -> Result<(), Error> {
    let [_, _, three] = sites;
    up(case, sites)?;
    let now = told(&three.theirs, &case.tables())?;
    alike("edge 3", &before.told, &now)?;
    let now = kernels(sites)?;
    for ((site, now), before) in sites.iter().zip(now).zip(&before.kernels) {
        // Which of equal paths FRR takes depends on who was there first.
        if site.runs_rbgpd() {
            alike(
                &format!("the kernel of edge {}", site.edge.id()),
                before,
                &now,
            )?;
        }
        sources(case, &site.edge)?;
    }
    Ok(())
}

fn kernels(sites: &[Site; 3]) -> Result<Vec<BTreeSet<String>>, Error> {
    let edges = sites.each_ref().map(|it| &it.edge);
    edges.iter().map(|it| in_the_kernel(it, &edges)).collect()
}

fn alike(what: &str, before: &BTreeSet<String>, now: &BTreeSet<String>) -> Result<(), Error> {
    let gone: Vec<_> = before.difference(now).collect();
    let new: Vec<_> = now.difference(before).collect();
    match gone.is_empty() && new.is_empty() {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{what}: gone {gone:#?}\nnew {new:#?}"
        ))),
    }
}

/// Where a map between BGP and the kernel sets the edge's address as source, all routes have it.
fn sources(case: &Case, edge: &Edge) -> Result<(), Error> {
    let id = edge.id();
    if !case.file(id)?.contains("ip protocol bgp route-map") {
        return Ok(());
    }
    let routes = edge.space().ip("route show proto bgp")?;
    let source = format!(" src {} ", address(id));
    // Static routes are rbgpd's, too, with another metric.
    let learned = routes.lines().filter(|line| line.contains(" metric 20"));
    let (with, without): (Vec<_>, Vec<_>) = learned.partition(|line| line.contains(&source));
    match (with.is_empty(), without.is_empty()) {
        (false, true) => Ok(()),
        (_, _) => Err(Error::State(format!("edge {id}: {routes}"))),
    }
}

/// A moment of traffic more.
fn a_while(lab: &Lab, streams: &[Pinger]) -> Result<(), Error> {
    let before: Vec<u64> = streams.iter().map(Pinger::received).collect();
    lab.reach("traffic", PATIENCE, || {
        let more = streams.iter().zip(&before);
        match more.map(|(it, before)| it.received() - before).min() {
            Some(30..) => Ok(()),
            more => Err(Error::State(format!("{more:?} answers"))),
        }
    })
    .map(drop)
}

/// Requests without an answer.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    /// Of those that routes carry.
    routed: u64,
    /// Of those between the hosts of an overlay.
    bridged: u64,
}

impl Lost {
    /// What those lost that are done, in the order of [`World::streams`].
    fn of(lab: &Lab, case: &Case, streams: Vec<Pinger>) -> Result<Self, Error> {
        let reports: Result<Vec<PingReport>, Error> =
            streams.into_iter().map(Pinger::stop).collect();
        let mut lost = Self::default();
        let reports = reports?;
        let bridged = if case.ground == Ground::Overlay { 2 } else { 0 };
        let routed = reports.len().saturating_sub(bridged);
        for (at, report) in reports.iter().enumerate() {
            lab.step(report);
            match at < routed {
                true => lost.routed += report.lost,
                false => lost.bridged += report.lost,
            }
        }
        Ok(lost)
    }
}

/// Who comes in whose place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// rbgpd in FRR's.
    In,
    /// FRR in rbgpd's.
    Back,
    /// FRR in its own, to know what it loses by itself.
    Again,
}

/// FRR starts again in its own place at edge 1; how many requests are lost.
fn again(lab: &Lab, case: &Case, world: &mut World, before: &Before) -> Result<Lost, Error> {
    let lost = step(lab, case, world, before, (1, Way::Again), &mut Vec::new())?;
    lab.step(format!("FRR in its own place: {lost:?}"));
    Ok(lost)
}

/// What was lost on the way back is FRR's: it loses some in its own place, too, which depends on who of
/// its neighbours is there first.
fn loses_by_itself(
    lab: &Lab,
    case: &Case,
    world: &mut World,
    before: &Before,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        if again(lab, case, world, before)?.routed > 0 {
            return Ok(());
        }
    }
    let why = format!("FRR came {TRIES} times in its own place and lost nothing");
    Err(Error::State(why))
}

/// One edge gets another daemon under traffic; how many requests are lost.
fn step(
    lab: &Lab,
    case: &Case,
    world: &mut World,
    before: &Before,
    (edge, way): (u8, Way),
    shown: &mut Vec<String>,
) -> Result<Lost, Error> {
    let streams = world.streams(case)?;
    a_while(lab, &streams)?;
    let sites = &mut world.sites;
    let [one, two, three] = &mut *sites;
    let onlooker = RouteMonitor::start(lab, three.edge.space())?;
    let site = if edge == 1 { one } else { two };
    let mut monitor = None;
    match way {
        Way::In => {
            shown.push(site.running_config()?);
            monitor = Some(RouteMonitor::start(lab, site.edge.space())?);
            site.swap_in(lab)?;
            shown.push(site.running_config()?);
        }
        Way::Back => site.swap_back(lab)?,
        Way::Again => site.again(lab)?,
    }
    let program = if way == Way::In { "rbgpd" } else { "FRR" };
    let what = format!("edge {edge} runs {program}, and edge 3 has what it had");
    lab.reach(&what, PATIENCE, || same(case, sites, before))?;
    a_while(lab, &streams)?;
    // Nothing is taken back later.
    same(case, sites, before)?;
    let tunnel = ["vx100".to_owned()];
    let deleted = match monitor {
        Some(monitor) => monitor.deleted(&[], &tunnel)?,
        None => Vec::new(),
    };
    if !deleted.is_empty() {
        return Err(Error::State(format!("{what}, and took out {deleted:#?}")));
    }
    let forgotten = onlooker.deleted(&[], &tunnel)?;
    let lost = Lost::of(lab, case, streams)?;
    if lost.bridged > 0 && forgotten.is_empty() {
        let why = format!("{lost:?}, and edge 3 has taken nothing out: {what}");
        return Err(Error::State(why));
    }
    Ok(lost)
}

fn swapped(lab: &Lab, case: &Case) -> Result<(), Error> {
    let mut world = World::build(lab, case)?;
    for site in &mut world.sites {
        site.start_frr(lab)?;
    }
    let mut before = settled(lab, case, &world.sites)?;
    // What edge 3 has told the others is in their kernels a moment later: these requests do not count.
    let first = world.streams(case)?;
    a_while(lab, &first)?;
    Lost::of(lab, case, first)?;
    before.kernels = kernels(&world.sites)?;
    let mut shown = Vec::new();
    for (edge, way) in [(1, Way::In), (2, Way::In), (2, Way::Back), (1, Way::Back)] {
        let lost = step(lab, case, &mut world, &before, (edge, way), &mut shown)?;
        match (lost.routed, way, case.loses_by_itself()) {
            (0, _, _) => {}
            (lost, Way::Back, Some(why)) => {
                lab.step(format!("{lost} requests lost: {why}"));
                loses_by_itself(lab, case, &mut world, &before)?;
            }
            (lost, _, _) => {
                return Err(Error::State(format!("{lost} requests lost: edge {edge}")));
            }
        }
    }
    for pair in shown.chunks_exact(2) {
        if let [theirs, ours] = pair {
            shown_alike(theirs, ours)?;
        }
    }
    Ok(())
}
