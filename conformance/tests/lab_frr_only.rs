//! The lab proves itself: three sites, all on the machine's own FRR, over each underlay.
//!
//! ```text
//!   A ───── B      each: br100, br200, one VM on each bridge
//!    ╲     ╱
//!      C          underlay: WireGuard (an interface for each peer), a segment, a mesh of links
//! ```

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use conformance::lab::{
    Cloud, Error, Plan, Program, Release, Requirement, Underlay, scenario_beside_others,
};

const NEEDS: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::HostFrr,
];

fn three_frr(name: &str, underlay: Underlay) -> Result<(), Error> {
    scenario_beside_others(name, &NEEDS, |lab| {
        let plan = Plan::new(underlay, vec![Program::Frr(Release::Host); 3]);
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        cloud.converge()
    })
}

#[test]
fn three_frr_sites_work_over_wireguard() -> Result<(), Error> {
    three_frr("frr-wg", Underlay::WireGuard)
}

#[test]
fn three_frr_sites_work_over_a_segment() -> Result<(), Error> {
    three_frr("frr-lan", Underlay::Lan)
}

#[test]
fn three_frr_sites_work_over_a_mesh_of_links() -> Result<(), Error> {
    three_frr("frr-mesh", Underlay::Mesh)
}
