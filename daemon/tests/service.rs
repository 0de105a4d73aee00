//! The built `rbgpd` as an operator runs it: start, refusal, signals, log. The kernel is off and
//! nothing listens for BGP, so no test needs a right of its own.
//!
//! ```text
//! test ──spawn, signals──► rbgpd ──► log, state directory
//!   └───── rbgpctl ──unix socket──►──┘
//! ```

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A folder of its own for each test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbgpd-service-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("state")).unwrap();
        Self(path)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.0.join("state").join(name)
    }

    /// Runs a daemon with a socket of its own, in the one state directory of this place.
    fn start(&self, name: &str, config: &str) -> Daemon {
        let file = self.0.join(format!("{name}.toml"));
        let base = "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\n";
        fs::write(
            &file,
            format!("{base}{config}\n[kernel]\nenabled = false\n"),
        )
        .unwrap();
        let (log, socket) = (self.0.join(format!("{name}.log")), self.0.join(name));
        let child = Command::new(env!("CARGO_BIN_EXE_rbgpd"))
            .arg("--config")
            .arg(&file)
            .arg("--socket")
            .arg(&socket)
            .arg("--state-dir")
            .arg(self.0.join("state"))
            .env_remove("RBGPD_LOG")
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Daemon { child, log, socket }
    }

    fn running(&self, name: &str, config: &str) -> Daemon {
        let daemon = self.start(name, config);
        daemon.until("rbgpd runs");
        daemon
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Daemon {
    child: Child,

    log: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Lines of the log with a text in it.
    fn lines(&self, with: &str) -> Vec<String> {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains(with))
            .map(str::to_owned)
            .collect()
    }

    /// Waits until the log has a text.
    fn until(&self, text: &str) {
        until(
            || self.log().contains(text),
            || format!("no `{text}` in the log:\n{}", self.log()),
        );
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: no memory is involved; the child has not been waited for, so the number is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits for the end by itself or after a signal.
    fn ended(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        until(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || "the daemon goes on running".to_owned(),
        );
        status.unwrap()
    }

    fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.ended().code(), Some(0), "{}", self.log());
    }

    fn rbgpctl(&self, arguments: &[&str]) -> Output {
        rbgpctl(&self.socket, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.rbgpctl(arguments);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{output:?}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rbgpctl(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rbgpctl"))
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .output()
        .unwrap()
}

fn until(mut done: impl FnMut() -> bool, what: impl Fn() -> String) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{}", what());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_state_directory_is_had_by_one_daemon_until_it_ends_however() {
    let place = Place::new();
    let mut first = place.running("first", "");
    let mark = fs::read(place.state("running.json")).unwrap();

    let mut second = place.start("second", "");
    assert_eq!(second.ended().code(), Some(1));
    let refusal = second.log();
    let state = place.0.join("state");
    for expected in [
        format!("the state directory `{}` is in use", state.display()),
        format!("process {}", first.child.id()),
        "hint: ".to_owned(),
    ] {
        assert!(refusal.contains(&expected), "no `{expected}` in {refusal}");
    }
    assert!(!refusal.contains("crash"), "{refusal}");
    assert_eq!(fs::read(place.state("running.json")).unwrap(), mark);
    assert_eq!(first.rbgpctl(&["show", "version"]).status.code(), Some(0));

    first.signal(libc::SIGKILL);
    assert_eq!(first.ended().signal(), Some(libc::SIGKILL));
    let mut third = place.running("third", "");
    third.stop();
    assert!(!place.state("running.json").exists());
}

#[test]
fn a_drain_that_cannot_be_read_starts_the_daemon_drained_and_says_so() {
    let place = Place::new();
    let file = place.state("drain.json");
    fs::write(&file, "{\"router\":").unwrap();
    let mut daemon = place.running("rbgpd", "");
    let said = daemon.lines("ERROR");
    assert_eq!(said.len(), 1, "{}", daemon.log());
    assert!(said[0].contains(file.to_str().unwrap()), "{said:?}");
    assert!(said[0].contains("rbgpctl undrain"), "{said:?}");
    let status = daemon.json(&["show", "drain", "--json"]);
    assert_eq!(status["draining"], true);
    assert!(
        status["reason"].as_str().unwrap().contains("drain.json"),
        "{status}"
    );
    let undrain = daemon.rbgpctl(&["undrain"]);
    assert_eq!(undrain.status.code(), Some(0), "{undrain:?}");
    assert!(!file.exists());
    daemon.stop();
    let daemon = place.running("again", "");
    assert_eq!(daemon.lines("ERROR"), Vec::<String>::new());
    assert_eq!(daemon.json(&["show", "drain", "--json"])["draining"], false);
}
