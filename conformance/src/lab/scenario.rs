//! The frame around a lab test: requirements, a lab of its own, logs when it fails, nothing left behind.

use std::fs;
use std::time::Duration;

use super::{Error, Lab, Requirement, missing, note_skip, wait_until};

/// How long a failed lab waits for somebody to look at it.
const HOLD: Duration = Duration::from_secs(3600);

/// Runs a scenario in an exclusive lab and takes the lab down.
///
/// Where the machine lacks something, the scenario is skipped and counted (see [`note_skip`]). When it
/// fails, the reason is printed with the place of the logs. Something left behind is a failure too.
///
/// With `RBGPD_LAB_HOLD` set, a failed lab stays up, for looking into it with `ip netns exec` and
/// vtysh, until the file named in its last line is removed.
pub fn scenario(
    name: &str,
    requirements: &[Requirement],
    play: impl FnOnce(&Lab) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(why) = missing(requirements) {
        note_skip(name, &why);
        return Ok(());
    }
    let lab = Lab::exclusive(name)?;
    println!("{name}");
    let played = play(&lab);
    if let Err(error) = &played {
        lab.step(format!("FAILED: {error}"));
        eprintln!("{name}: {error}");
        lab.keep_logs();
        hold(&lab);
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

fn hold(lab: &Lab) {
    if std::env::var_os("RBGPD_LAB_HOLD").is_none() {
        return;
    }
    let file = lab.dir().join("hold");
    if fs::write(&file, "").is_ok() {
        eprintln!("lab: held until {} is removed", file.display());
        // However the wait ends, the lab is taken down next.
        let _ = wait_until("hold", HOLD, || !file.exists());
    }
}
