//! The frame around a lab test: requirements, a lab of its own, logs when it fails, nothing left
//! behind. What needs another kernel is played in [`uml`].

use super::uml::{self, Machine};
use super::{Error, Lab, Requirement, missing, note_skip};

/// Runs a scenario in an exclusive lab and takes the lab down: for those with tight times.
///
/// Where the machine lacks something, the scenario is skipped and counted (see [`note_skip`]).
/// When it fails, the reason is printed with the place of the logs. Something left behind is a
/// failure too.
pub fn scenario(
    name: &str,
    requirements: &[Requirement],
    play: impl FnOnce(&Lab) -> Result<(), Error>,
) -> Result<(), Error> {
    run(name, requirements, Lab::exclusive, play)
}

/// As [`scenario`], beside others that allow for it: for those that wait most of their time.
pub fn scenario_beside_others(
    name: &str,
    requirements: &[Requirement],
    play: impl FnOnce(&Lab) -> Result<(), Error>,
) -> Result<(), Error> {
    run(name, requirements, Lab::beside_others, play)
}

fn run(
    name: &str,
    requirements: &[Requirement],
    open: fn(&str) -> Result<Lab, Error>,
    play: impl FnOnce(&Lab) -> Result<(), Error>,
) -> Result<(), Error> {
    let of_kernel = requirements.iter().filter(|it| it.may_move());
    let of_kernel: Vec<Requirement> = of_kernel.copied().collect();
    let others = requirements.iter().filter(|it| !it.may_move());
    let others: Vec<Requirement> = others.copied().collect();
    let lacks = missing(&of_kernel);
    let moves = lacks.is_some();
    let machine = match requirements.iter().any(|it| it.needs_a_machine()) {
        true => Machine::Emulated,
        false => Machine::UserMode,
    };
    let no_guest = lacks.and_then(|lacks| {
        let why = machine.absent()?;
        Some(format!("{lacks}, and {why}"))
    });
    if let Some(why) = missing(&others).or(no_guest) {
        note_skip(name, &why);
        return Ok(());
    }
    let lab = open(name)?;
    println!("{name}");
    let played = match moves {
        true => uml::run_this_test(machine, &lab),
        false => play(&lab),
    };
    if let Err(error) = &played {
        lab.step(format!("FAILED: {error}"));
        eprintln!("{name}: {error}");
        lab.keep_logs();
    }
    let left = lab.teardown();
    played?;
    match left.is_empty() {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{name} left behind: {}",
            left.join(", ")
        ))),
    }
}
