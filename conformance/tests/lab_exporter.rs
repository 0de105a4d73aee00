//! The Prometheus exporter for FRR, asking rbgpd and FRR 10.3 in the same state: each metric that it has of FRR
//! it has of rbgpd, with the same labels and, where the state is the same, the same value.
//!
//! The routers are those of `vtysh/twins.rs`. FRR is asked by the sockets of its daemons, as the exporter does
//! unless it is told otherwise, and rbgpd by `--frr.vtysh` and a link `vtysh`.

#![allow(missing_docs)]

#[path = "vtysh/twins.rs"]
mod twins;

use std::collections::BTreeMap;

use conformance::lab::{
    Error, Exporter, Lab, Node, PATIENCE, Requirement, Way, binary, scenario_beside_others,
};
use twins::{Twins, wrong};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

/// Beginnings of metrics whose value is the router's own, and why: that they are there is compared.
const OWN: [(&str, &str); 11] = [
    ("frr_bfd_peer_uptime", "a session's own"),
    ("frr_bgp_peer_uptime_seconds", "a session's own"),
    ("frr_bgp_peer_message_", "a session's own"),
    (
        "frr_bgp_peer_prefixes_advertised_count_total",
        "FRR tells a neighbor what it has from it, too",
    ),
    (
        "frr_bgp_peer_prefixes_received_count_total{afi=\"l2vpn\"",
        "each has the other's routes, which are not as many",
    ),
    (
        "frr_bgp_peer_prefixes_filtered_count_total{afi=\"l2vpn\"",
        "the same, since FRR tells of no accepted ones there",
    ),
    (
        "frr_bgp_peers_memory_bytes",
        "memory is not counted for each neighbor",
    ),
    ("frr_bgp_rib_memory_bytes", "a path has another size"),
    (
        "frr_bgp_rib_count_total",
        "FRR counts nodes of its tree, which are more",
    ),
    (
        "frr_route_",
        "FRR makes connected routes of a host's addresses and of link-local networks",
    ),
    (
        "frr_collector_up{collector=\"",
        "FRR's daemons of other protocols do not run; here they have nothing to tell",
    ),
];

/// Metrics of the exporter itself.
const OF_THE_EXPORTER: [&str; 3] = ["frr_scrape", "frr_exporter", "frr_scrapes"];

/// Without what is said otherwise of the same: our AS number, the names of devices, the version.
fn plain(metrics: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let of_router = |(name, _): &(String, f64)| {
        let own = OF_THE_EXPORTER.iter().any(|it| name.starts_with(it));
        name.starts_with("frr_") && !own
    };
    let alike = |(name, value): (String, f64)| {
        let mut name = name;
        for (one, other) in [
            ("local_as=\"65001\"", "local_as=\"AS\""),
            ("local_as=\"65002\"", "local_as=\"AS\""),
            ("vxlanIf=\"vx100\"", "vxlanIf=\"DEVICE\""),
            ("vxlanIf=\"vxlan100\"", "vxlanIf=\"DEVICE\""),
            ("local=\"10.9.0.1\"", "local=\"ADDRESS\""),
            ("local=\"10.9.0.2\"", "local=\"ADDRESS\""),
        ] {
            name = name.replace(one, other);
        }
        (name, value)
    };
    metrics.into_iter().filter(of_router).map(alike).collect()
}

#[test]
fn the_exporter_reads_of_rbgpd_what_it_reads_of_frr() -> Result<(), Error> {
    scenario_beside_others("exporter", &NEEDS, |lab| {
        let twins = Twins::build(lab)?;
        twins.settle(lab)?;
        compare(lab, &twins)
    })
}

fn compare(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let [ours, theirs, ..] = twins.edges.as_slice() else {
        return wrong("three edges");
    };
    let (Node::Rbgpd(rbgpd), Some(ctl)) = (ours.node(), binary("rbgpctl")) else {
        return wrong("no rbgpd");
    };
    let link = lab.folder("e1")?.join("vtysh");
    std::os::unix::fs::symlink(ctl, &link).map_err(|e| Error::io(link.display(), e))?;
    let prefixes = lab.dir().join("prefixes");
    let text = "10.203.0.0/16\n10.201.0.0/16\n192.0.2.0/24\n";
    std::fs::write(&prefixes, text).map_err(|e| Error::io(prefixes.display(), e))?;
    let socket = rbgpd.socket();
    let start = |edge: &conformance::lab::Edge, way: Way<'_>| {
        let folder = lab.folder(&format!("e{}", edge.id()))?;
        Exporter::start(lab, edge.space(), &folder, way, &[])
    };
    let mut of_ours = start(ours, Way::Vtysh(&link, &socket))?;
    let folder = lab.folder("e2")?;
    let mut of_theirs = start(theirs, Way::Sockets(&folder))?;
    let up = of_ours.metrics()?;
    let down = up.iter().find(|(name, value)| {
        name.starts_with("frr_collector_up") && !name.contains("vrrp") && **value != 1.0
    });
    if let Some((name, _)) = down {
        return wrong(format!("{name} is not 1"));
    }
    // Numbers of routes and addresses come to rest a moment after the sessions.
    let mut count = 0;
    lab.reach("the same metrics", PATIENCE, || {
        let (ours, theirs) = (plain(of_ours.metrics()?), plain(of_theirs.metrics()?));
        count = theirs.len();
        let faults = faults(&ours, &theirs);
        match faults.is_empty() {
            true => Ok(()),
            false => wrong(format!("{} faults:\n{}", faults.len(), faults.join("\n"))),
        }
    })?;
    lab.step(format!("{count} metrics of FRR"));
    match count {
        // All collectors that have something to tell.
        40.. => Ok(()),
        count => wrong(format!("{count} metrics of FRR are too few to compare")),
    }
}

/// What is missing, or has another value.
fn faults(ours: &BTreeMap<String, f64>, theirs: &BTreeMap<String, f64>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in theirs {
        let own = OWN.iter().any(|(it, _)| name.starts_with(it));
        match ours.get(name) {
            None => faults.push(format!("FRR has {name} {value}, rbgpd has none")),
            Some(it) if it != value && !own => {
                faults.push(format!("{name}: {it}, FRR has {value}"));
            }
            Some(_) => {}
        }
    }
    let more = ours.keys().filter(|name| !theirs.contains_key(*name));
    faults.extend(more.map(|name| format!("only rbgpd has {name}")));
    faults
}
