//! `rbgpd-demo`: the main job on one machine, in front of your eyes.
//!
//! Builds a cloud of three sites out of network namespaces, A and B on rbgpd and C on the
//! machine's own FRRouting, joined by WireGuard, and goes through a working day: everything comes
//! up, a host is drained for maintenance under traffic, a daemon is killed under traffic. Each
//! line is a step with the seconds since the daemons started and its figure. A step that fails is
//! named, its logs are kept, and the exit code is 1. Nothing is left behind in any case, also
//! after Ctrl-C.

use std::process::ExitCode;

use conformance::lab::{
    Cloud, Drill, Error, Interrupt, Lab, Plan, Program, Release, Requirement, SERVICE, Underlay,
    missing,
};

const NEEDS: [Requirement; 7] = [
    Requirement::Root,
    Requirement::Tun,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::HostFrr,
    Requirement::Rbgpd,
];

/// Sites by number.
const A: u8 = 1;
const C: u8 = 3;

fn main() -> ExitCode {
    if let Some(why) = missing(&NEEDS) {
        eprintln!("error: the demo cannot run: {why}\n\nhint: make setup, as root");
        return ExitCode::from(2);
    }
    // Before the first thread: see `Interrupt::install`.
    let lab = Interrupt::install().and_then(|interrupt| {
        let lab = Lab::new("demo")?;
        lab.interrupt_by(&interrupt);
        Ok(lab)
    });
    match lab {
        Ok(lab) => run(lab),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(lab: Lab) -> ExitCode {
    println!("three sites: A and B on rbgpd, C on FRR; WireGuard; VNIs 100 and 200");
    let played = play(&lab);
    match &played {
        Ok(()) => {}
        Err(Error::Interrupted) => lab.step("interrupted"),
        Err(error) => {
            lab.step(format!("FAILED: {error}"));
            lab.keep_logs();
        }
    }
    let left = lab.teardown();
    match left.is_empty() {
        true => println!("            taken down, nothing left behind"),
        false => println!("FAILED: left behind: {}", left.join(", ")),
    }
    match played.is_ok() && left.is_empty() {
        true => {
            println!("DEMO OK");
            ExitCode::SUCCESS
        }
        false => ExitCode::FAILURE,
    }
}

fn play(lab: &Lab) -> Result<(), Error> {
    let programs = [Program::Rbgpd, Program::Rbgpd, Program::Frr(Release::Host)];
    let plan = Plan::new(Underlay::WireGuard, programs)
        .service(&[A, 2])
        .graceful_restart();
    let mut cloud = Cloud::build(lab, plan)?;
    cloud.start()?;
    lab.step("daemons started");
    cloud.converge()?;
    cloud.verified()?;
    lab.step("rbgpctl verify at A and B: kernel and tables agree");

    println!("--- maintenance at A: drain, stop, start, undrain; C asks {SERVICE} every 10 ms");
    let drain = cloud.drain_drill(A, C)?;
    lossless(lab, "drain", &drain)?;

    println!("--- kill -9 of rbgpd at A; the same traffic");
    let kill = cloud.kill_drill(A, C)?;
    lossless(lab, "kill -9", &kill)?;
    cloud.verified()?;
    lab.step("rbgpctl verify at A and B: kernel and tables agree");
    Ok(())
}

fn lossless(lab: &Lab, what: &str, drill: &Drill) -> Result<(), Error> {
    lab.step(format!("{what}: {}", drill.traffic));
    match drill.traffic.lost {
        0 => Ok(()),
        lost => Err(Error::State(format!("{what} lost {lost} packets"))),
    }
}
