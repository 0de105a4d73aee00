//! Operators' drills on FRR alone: what the lab must be able to show before rbgpd is measured with
//! it.
//!
//! ```text
//!   A ───── B     A and B announce 172.20.0.53/32; C asks it every 10 ms and prefers A
//!    ╲     ╱
//!      C          underlay: WireGuard, an interface for each peer
//! ```

#![allow(missing_docs)]

use std::time::Duration;

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

/// Far below the hold time of 9 s, so only BFD explains it; not tighter, because it is not FRR
/// that is on trial here.
const PROMPT: Duration = Duration::from_secs(3);

fn plan() -> Plan {
    Plan::new(Underlay::WireGuard, vec![Program::Frr(Release::Host); 3]).service(&[1, 2])
}

fn promptly(what: &str, moved: Duration) -> Result<(), Error> {
    match moved < PROMPT {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{what} took {} ms",
            moved.as_millis()
        ))),
    }
}

#[test]
fn frr_moves_traffic_off_a_cut_path_and_a_stopped_site() -> Result<(), Error> {
    scenario_beside_others("frr-cut", &NEEDS, |lab| {
        let mut cloud = Cloud::build(lab, plan())?;
        cloud.start()?;
        cloud.converge()?;
        let moved = cloud.move_drill(100, 1, 2, 3)?;
        lab.step(format!("machine moved from A to B: {moved}"));
        let cut = cloud.cut_drill(1, 3)?;
        lab.step(format!("path A to C cut: {cut}"));
        // Without graceful restart only: with it, a bgpd that is told to end keeps silent about
        // it, so that its neighbors keep its routes.
        let stop = cloud.stop_drill(1, 3)?;
        lab.step(format!("A stopped: {stop}"));
        promptly("the stop", stop.moved_after)?;
        promptly("the machine's move", moved.moved_after)?;
        promptly("the cut", cut.moved_after)
    })
}

#[test]
fn frr_drains_and_is_killed_without_loss_to_its_neighbor() -> Result<(), Error> {
    scenario_beside_others("frr-drills", &NEEDS, |lab| {
        let mut cloud = Cloud::build(lab, plan().graceful_restart())?;
        cloud.start()?;
        cloud.converge()?;
        let drain = cloud.drain_drill(1, 3)?;
        lab.step(format!("A drained, stopped, started: {drain}"));
        let kill = cloud.kill_drill(1, 3)?;
        lab.step(format!("A killed and started: {kill}"));
        match drain.traffic.lost + kill.traffic.lost {
            0 => Ok(()),
            _ => Err(Error::State(
                "the drain or the restart lost packets".to_owned(),
            )),
        }
    })
}

#[test]
fn frr_takes_the_detour_when_the_direct_path_is_cut() -> Result<(), Error> {
    scenario_beside_others("frr-detour", &NEEDS, |lab| {
        let programs = vec![Program::Frr(Release::Host); 3];
        let mut cloud = Cloud::build(lab, Plan::new(Underlay::Mesh, programs))?;
        cloud.start()?;
        cloud.converge()?;
        let detour = cloud.detour_drill(1, 2, 3)?;
        lab.step(format!("path A to B cut, traffic over C: {detour}"));
        promptly("the detour", detour.moved_after)
    })
}
