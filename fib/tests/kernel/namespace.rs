//! A host of its own for the thread of a test: a network namespace, and commands in it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::skip;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Enters a new namespace. False, after saying why, if that is not possible here.
pub(crate) fn enter_namespace() -> bool {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        skip::note(None, &format!("cannot make a network namespace ({error})"));
        return false;
    }
    if Command::new("ip")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        skip::note(None, "no `ip` command");
        return false;
    }
    run("ip link set lo up");
    true
}

pub(crate) fn run(command: &str) -> String {
    let (status, text) = try_run(command);
    assert!(status, "`{command}`: {text}");
    text
}

pub(crate) fn try_run(command: &str) -> (bool, String) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Waits until a command's output satisfies a condition.
pub(crate) fn until(command: &str, holds: impl Fn(&str) -> bool) -> String {
    until_within(PATIENCE, command, holds)
}

pub(crate) fn until_within(
    patience: Duration,
    command: &str,
    holds: impl Fn(&str) -> bool,
) -> String {
    let start = Instant::now();
    loop {
        let (_, text) = try_run(command);
        if holds(&text) {
            return text;
        }
        assert!(start.elapsed() < patience, "`{command}` still says: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Two veth pairs with addresses: `ua` 10.0.0.1/24 and fd00::1/64, `ub` 10.0.1.1/24 and
/// fd01::1/64.
pub(crate) fn underlay() {
    for (number, name) in ["ua", "ub"].into_iter().enumerate() {
        run(&format!(
            "ip link add {name} type veth peer name {name}-peer"
        ));
        run(&format!("ip address add 10.0.{number}.1/24 dev {name}"));
        run(&format!(
            "ip address add fd0{number}::1/64 dev {name} nodad"
        ));
        run(&format!("ip link set {name} up"));
        run(&format!("ip link set {name}-peer up"));
    }
}
