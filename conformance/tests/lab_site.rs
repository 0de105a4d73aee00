//! Neighbors of one site, and how far what a neighbor tells counts in the kernel, beside real neighbors.
//!
//! ```text
//! right: FRR 10.9.0.2 ───── left: rbgpd AS 65001 ───── third: BIRD 10.8.0.3
//!                           10.9.0.1, 10.8.0.1
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, bird_side, frr_side, scenario_beside_others, toward,
};

const BOTH: [Requirement; 4] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// rbgpd's configuration, with keys of the family of FRR and of BIRD.
fn ours(frr: &str, bird: &str) -> String {
    let family = |keys: &str| format!("ipv4_unicast = {{ {keys} }}");
    format!(
        "ebgp_requires_policy = false\n{}{}",
        toward("10.9.0.2", 65002, &family(frr)),
        toward("10.8.0.3", 65003, &family(bird)),
    )
}

#[test]
fn a_site_is_marked_hears_nothing_of_itself_and_may_be_far() -> Result<(), Error> {
    scenario_beside_others("site", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        let site = "site_of_origin = \"65000:7\"";
        pair.start_forwarding(&ours("", &format!("{site}, distance = 150")))?;
        let network = "network 192.0.2.0/24";
        // FRR has the same of its own neighbor, which tells what it hears of the site to nobody there.
        let frr = pair.frr(Release::Host, &frr_side(65002, "", network))?;
        let own = "protocol static own { ipv4; route 198.51.100.0/24 blackhole; }\n";
        let mut bird = pair.third(&(bird_side(65003, "", "where proto = \"own\"") + own))?;
        // FRR reads the mark as one.
        frr.until_shown(lab, "198.51.100.0/24", &["SoO:65000:7"])?;
        bird.until_shown(lab, "192.0.2.0/24", &["BGP.as_path: 65001 65002"])?;
        lab.reach("the kernel has both with their distances", PATIENCE, || {
            let seen = pair.left.ip("route show proto bgp")?;
            let line = |prefix: &str, metric: &str| {
                let mut lines = seen.lines();
                lines.any(|it| it.starts_with(prefix) && it.contains(metric))
            };
            match line("198.51.100.0/24", "metric 150") && line("192.0.2.0/24", "metric 20") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })?;

        // Both are of one site: neither is told of the other.
        pair.reload_forwarding(&ours(site, site))?;
        pair.until_explained("198.51.100.0/24", &["the neighbour's own site"])?;
        pair.until_explained("192.0.2.0/24", &["the neighbour's own site"])?;
        lab.reach("BIRD has lost the route", PATIENCE, || {
            let seen = bird.ask("show route for 192.0.2.0/24")?.text();
            match seen.contains("10.8.0.1") {
                false => Ok(()),
                true => Err(Error::State(seen)),
            }
        })?;
        lab.reach("and the distance is the usual one", PATIENCE, || {
            let seen = pair.left.ip("route show proto bgp 198.51.100.0/24")?;
            match seen.contains("metric 20") && !seen.contains("metric 150") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })?;
        bird.stop()
    })
}

/// rbgpd that uses several paths and tells FRR how many there are, with keys of its session with FRR.
fn counting(frr: &str) -> String {
    format!(
        "ebgp_requires_policy = false\n\
         [ipv4_unicast]\nmultipath = {{ paths = 8, as_path_relax = true }}\n\
         [[route_map]]\nname = \"COUNT\"\nentry = [{{ seq = 10, action = \"permit\", \
         set = {{ extended_community = {{ bandwidth = \"paths\" }} }} }}]\n{}{}",
        toward("10.9.0.2", 65002, frr),
        toward("10.8.0.3", 65003, "ipv4_unicast = {}"),
    )
}

#[test]
fn a_neighbor_is_told_how_many_paths_there_are_with_capabilities_and_without() -> Result<(), Error>
{
    const FAMILY: &str = "ipv4_unicast = { export = \"COUNT\" }";
    scenario_beside_others("counted", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&counting(FAMILY))?;
        let frr = pair.frr(Release::Host, &frr_side(65002, "", ""))?;
        let own = "protocol static own { ipv4; route 198.51.100.0/24 blackhole; }\n";
        let mut bird = pair.third(&(bird_side(65003, "", "where proto = \"own\"") + own))?;
        frr.until_shown(lab, "198.51.100.0/24", &["LB:65001:125000"])?;
        // FRR has the prefix, too: a second path, behind that of BIRD with the lower identifier.
        let announce = |no: &str| {
            let line = format!("{no}network 198.51.100.0/24");
            frr.configure(&["router bgp 65002", "address-family ipv4 unicast", &line])
        };
        announce("")?;
        frr.until_shown(lab, "198.51.100.0/24", &["LB:65001:250000"])?;
        announce("no ")?;
        frr.until_shown(lab, "198.51.100.0/24", &["LB:65001:125000"])?;

        // Without capabilities the session comes up anew and exchanges the same.
        let before = pair.sessions("10.9.0.2")?;
        pair.reload(&counting(&format!("capabilities = false\n{FAMILY}")))?;
        lab.reach("another session", PATIENCE, || {
            match pair.sessions("10.9.0.2")? > before {
                true => Ok(()),
                false => Err(Error::State("the session before".to_owned())),
            }
        })?;
        let seen = frr.until_shown(lab, "198.51.100.0/24", &["LB:65001:125000"])?;
        assert!(seen.contains("65001 65003"), "{seen}");
        let shown = frr.vtysh(&["show bgp neighbors 10.9.0.1 json"])?.text();
        assert!(!shown.contains("advertisedAndReceived"), "{shown}");
        bird.stop()
    })
}
