//! The frame around a lab test: requirements, a lab of its own, logs when it fails, nothing left
//! behind.

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
    if let Some(why) = missing(requirements) {
        note_skip(name, &why);
        return Ok(());
    }
    let lab = open(name)?;
    println!("{name}");
    let played = play(&lab);
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
