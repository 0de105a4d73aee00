//! Operators' drills on rbgpd, watched by FRR and by rbgpd.
//!
//! ```text
//!   A rbgpd ───── B rbgpd     A and B announce 172.20.0.53/32; C asks it every 10 ms
//!        ╲         ╱
//!         C                  FRR of the host, which prefers A; or rbgpd
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Cloud, Drill, Error, Lab, Plan, Program, Release, Requirement, Underlay, scenario,
};

const NEEDS: [Requirement; 6] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::HostFrr,
    Requirement::Rbgpd,
];

/// The site that watches.
const C: u8 = 3;
const SECOND: Duration = Duration::from_secs(1);
const FRR: Program = Program::Frr(Release::Host);

/// A converged cloud with A and B on rbgpd, and one drill in it.
fn drill(
    name: &str,
    third: Program,
    graceful_restart: bool,
    play: impl FnOnce(&Lab, &mut Cloud<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut plan = plan(third);
    if graceful_restart {
        plan = plan.graceful_restart();
    }
    drill_in(name, plan, play)
}

fn plan(third: Program) -> Plan {
    let programs = [Program::Rbgpd, Program::Rbgpd, third];
    Plan::new(Underlay::WireGuard, programs).service(&[1, 2])
}

fn drill_in(
    name: &str,
    plan: Plan,
    play: impl FnOnce(&Lab, &mut Cloud<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    scenario(name, &NEEDS, |lab| {
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        cloud.converge()?;
        cloud.verified()?;
        play(lab, &mut cloud)
    })
}

fn lossless(lab: &Lab, what: &str, drill: &Drill) -> Result<(), Error> {
    loses_at_most(0, lab, what, drill)
}

fn loses_at_most(most: u64, lab: &Lab, what: &str, drill: &Drill) -> Result<(), Error> {
    lab.step(format!("{what}: {drill}"));
    match drill.traffic.lost {
        lost if lost <= most => Ok(()),
        lost => Err(Error::State(format!("{what} lost {lost} packets"))),
    }
}

fn at_once(lab: &Lab, what: &str, drill: &Drill) -> Result<(), Error> {
    lab.step(format!("{what}: {drill}"));
    match drill.moved_after < SECOND {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{what}: {} ms",
            drill.moved_after.as_millis()
        ))),
    }
}

/// Moves a machine of a VNI from one site to another, watched by the third.
fn moved(
    lab: &Lab,
    cloud: &mut Cloud<'_>,
    way: &str,
    (vni, from, to, watcher): (u32, u8, u8, u8),
) -> Result<(), Error> {
    let drill = cloud.move_drill(vni, from, to, watcher)?;
    at_once(lab, &format!("machine moved from {way}"), &drill)
}

const DRAIN: &str = "drained, stopped, started, undrained";

fn drain(lab: &Lab, cloud: &mut Cloud<'_>) -> Result<(), Error> {
    let carrier = cloud.carrier(C)?;
    lossless(lab, DRAIN, &cloud.drain_drill(carrier, C)?)
}

fn kill(lab: &Lab, cloud: &mut Cloud<'_>) -> Result<(), Error> {
    let carrier = cloud.carrier(C)?;
    let drill = cloud.kill_drill(carrier, C)?;
    lossless(lab, "killed and started", &drill)
}

fn stop(lab: &Lab, cloud: &mut Cloud<'_>) -> Result<(), Error> {
    let carrier = cloud.carrier(C)?;
    let drill = cloud.stop_drill(carrier, C)?;
    at_once(lab, "stopped in order", &drill)
}

fn cut(lab: &Lab, cloud: &mut Cloud<'_>) -> Result<(), Error> {
    let carrier = cloud.carrier(C)?;
    let drill = cloud.cut_drill(carrier, C)?;
    at_once(lab, "path cut", &drill)?;
    // What packets see is no longer than what the table shows, and not nothing.
    match drill.traffic.longest_gap {
        gap if gap > Duration::ZERO && gap < SECOND => Ok(()),
        gap => Err(Error::State(format!(
            "packets lost for {} ms",
            gap.as_millis()
        ))),
    }
}

#[test]
fn a_drain_loses_nothing_watched_by_frr() -> Result<(), Error> {
    drill("drain-frr", FRR, false, drain)
}

#[test]
fn a_drain_loses_nothing_watched_by_rbgpd() -> Result<(), Error> {
    let plan = plan(Program::Rbgpd).separate_tunnels(C);
    drill_in("drain-rbgpd", plan, drain)
}

/// Within one WireGuard interface an address has one owner at a time: the answer that is in flight
/// from the old owner when the address moves is refused by WireGuard, and nothing else.
#[test]
fn a_drain_within_one_tunnel_interface_loses_what_is_in_flight_at_most() -> Result<(), Error> {
    drill("drain-one-wg", Program::Rbgpd, false, |lab, cloud| {
        let carrier = cloud.carrier(C)?;
        loses_at_most(2, lab, DRAIN, &cloud.drain_drill(carrier, C)?)
    })
}

#[test]
fn a_killed_daemon_loses_nothing_watched_by_frr() -> Result<(), Error> {
    drill("kill-frr", FRR, true, kill)
}

#[test]
fn a_killed_daemon_loses_nothing_watched_by_rbgpd() -> Result<(), Error> {
    drill("kill-rbgpd", Program::Rbgpd, true, kill)
}

#[test]
fn an_orderly_stop_moves_traffic_at_once_although_frr_would_wait_for_a_restart()
-> Result<(), Error> {
    drill("stop-frr", FRR, true, stop)
}

#[test]
fn an_orderly_stop_moves_traffic_at_once_on_rbgpd() -> Result<(), Error> {
    drill("stop-rbgpd", Program::Rbgpd, true, stop)
}

#[test]
fn a_cut_path_is_left_within_a_second_by_frr() -> Result<(), Error> {
    drill("cut-frr", FRR, false, cut)
}

#[test]
fn a_cut_path_is_left_within_a_second_by_rbgpd() -> Result<(), Error> {
    drill("cut-rbgpd", Program::Rbgpd, false, cut)
}

#[test]
fn a_moved_machine_is_followed_within_a_second_by_frr() -> Result<(), Error> {
    drill("move-frr", FRR, false, |lab, cloud| {
        moved(lab, cloud, "A to B", (100, 1, 2, C))?;
        moved(lab, cloud, "C to A", (100, C, 1, 2))
    })
}

#[test]
fn a_moved_machine_is_followed_within_a_second_by_rbgpd() -> Result<(), Error> {
    drill("move-rbgpd", Program::Rbgpd, false, |lab, cloud| {
        moved(lab, cloud, "A to B", (100, 1, 2, C))?;
        moved(lab, cloud, "B to C", (200, 2, C, 1))
    })
}

#[test]
fn a_helping_peer_believes_bfd_once_the_address_stops_answering() -> Result<(), Error> {
    drill("vanish-rbgpd", Program::Rbgpd, true, |lab, cloud| {
        let carrier = cloud.carrier(C)?;
        let drill = cloud.vanish_drill(carrier, C)?;
        lab.step(format!("killed, then off the net: {drill}"));
        // A second without answer to the attempts to connect, on top of what BFD takes.
        match drill.moved_after < 5 * SECOND {
            true => Ok(()),
            false => Err(Error::State(format!("kept for {:?}", drill.moved_after))),
        }
    })
}

/// ```text
///   A ──╳── B     a link for each pair; packets between A and B vanish, A reaches B over C
///    ╲     ╱
///      C
/// ```
#[test]
fn traffic_takes_the_detour_over_frr_when_the_direct_path_is_cut() -> Result<(), Error> {
    detour("detour-frr", FRR)
}

#[test]
fn traffic_takes_the_detour_over_rbgpd_when_the_direct_path_is_cut() -> Result<(), Error> {
    detour("detour-rbgpd", Program::Rbgpd)
}

fn detour(name: &str, third: Program) -> Result<(), Error> {
    scenario(name, &NEEDS, |lab| {
        let programs = [Program::Rbgpd, Program::Rbgpd, third];
        let mut cloud = Cloud::build(lab, Plan::new(Underlay::Mesh, programs))?;
        cloud.start()?;
        cloud.converge()?;
        at_once(
            lab,
            "path A to B cut, traffic over C",
            &cloud.detour_drill(1, 2, C)?,
        )
    })
}
