//! Taking a lab away by its prefix, and looking for what remains.
//!
//! Everything is found by name or by the recorded process identities, never by memory, so a lab
//! whose program was killed can be swept by another program later.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::{host, output};
use super::process::identity;
use super::wait::wait_until;

/// How long processes may take to end after each signal.
const END: Duration = Duration::from_secs(5);

/// Removes every lab below `root` whose owner has ended.
pub(super) fn dead_labs(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let dir = entry.path();
        let Ok(owner) = fs::read_to_string(dir.join("owner")) else {
            continue;
        };
        // One that is just being opened has a file without a word in it for a moment.
        if dir.is_dir() && !owner.is_empty() && !runs(&owner) {
            let prefix = entry.file_name().to_string_lossy().into_owned();
            eprintln!("lab: removing {prefix}, whose program has ended");
            remove(&dir, &prefix);
        }
    }
}

/// Ends the lab's processes, then removes its containers, namespaces and state directory.
pub(super) fn remove(dir: &Path, prefix: &str) {
    for container in containers(prefix) {
        let _ = podman(&["rm", "-f", "-t", "0", &container]);
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in processes(dir, prefix) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
        let ended = wait_until("processes end", END, || processes(dir, prefix).is_empty());
        if ended.is_ok() {
            break;
        }
    }
    for namespace in namespaces(prefix) {
        let _ = host("ip", &["netns", "del", &namespace]);
    }
    let _ = fs::remove_dir_all(dir);
}

/// Everything that carries the prefix, in words.
pub(super) fn leftovers(root: &Path, prefix: &str) -> Vec<String> {
    let dir = root.join(prefix);
    let mut found = Vec::new();
    found.extend(
        processes(&dir, prefix)
            .iter()
            .map(|pid| format!("process {pid}")),
    );
    found.extend(
        namespaces(prefix)
            .iter()
            .map(|name| format!("namespace {name}")),
    );
    found.extend(
        containers(prefix)
            .iter()
            .map(|name| format!("container {name}")),
    );
    let links = host("ip", &["-br", "link"]).unwrap_or_default();
    let mine = links
        .split_whitespace()
        .filter(|word| word.starts_with(prefix));
    found.extend(mine.map(|name| format!("device {name}")));
    if dir.exists() {
        found.push(format!("directory {}", dir.display()));
    }
    found
}

/// Copies configurations and logs, and nothing that is not a file (sockets).
pub(super) fn copy_logs(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_logs(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The recorded processes that still run, and whatever lives in the lab's namespaces.
fn processes(dir: &Path, prefix: &str) -> BTreeSet<i32> {
    let ledger = fs::read_to_string(dir.join("processes")).unwrap_or_default();
    let recorded = ledger
        .lines()
        .filter(|line| runs(line))
        .filter_map(first_number);
    let mut found: BTreeSet<i32> = recorded.collect();
    for namespace in namespaces(prefix) {
        let inside = host("ip", &["netns", "pids", &namespace]).unwrap_or_default();
        found.extend(inside.lines().filter_map(first_number));
    }
    found
}

fn first_number(line: &str) -> Option<i32> {
    line.split_whitespace().next()?.parse().ok()
}

/// Whether the process with this identity ("pid start-time") still runs.
fn runs(recorded: &str) -> bool {
    let recorded = recorded.trim();
    let pid = recorded
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    pid.and_then(identity).is_some_and(|now| now == recorded)
}

fn namespaces(prefix: &str) -> Vec<String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| belongs(name, prefix)).collect()
}

fn containers(prefix: &str) -> Vec<String> {
    let listed = podman(&["ps", "-a", "--format", "{{.Names}}"]);
    let names = listed.lines().map(str::to_owned);
    names.filter(|name| belongs(name, prefix)).collect()
}

/// `rl12-a-s1` belongs to `rl12-a`, but not to `rl12-ab` and not to `rl1`.
fn belongs(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with('-'))
}

/// Nothing when podman is not there or has never been used by a lab: asking it costs half a
/// second.
fn podman(args: &[&str]) -> String {
    if !Path::new(super::frr::CONTAINERS_USED).exists() {
        return String::new();
    }
    output(std::process::Command::new("podman").args(args))
        .map(|o| o.stdout)
        .unwrap_or_default()
}

#[cfg(test)]
mod opening {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::dead_labs;

    #[test]
    fn a_lab_that_is_just_being_opened_stays() {
        let root = std::env::temp_dir().join(format!("rbgpd-sweep-{}", std::process::id()));
        let lab = root.join("rl0-opening");
        fs::create_dir_all(&lab).unwrap();
        fs::write(lab.join("owner"), "").unwrap();
        dead_labs(&root);
        let stays = lab.is_dir();
        fs::remove_dir_all(&root).unwrap();
        assert!(stays);
    }
}
