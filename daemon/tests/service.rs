//! The built `rbgpd` as an operator runs it: start, refusal, signals, log. The kernel is off and
//! nothing listens for BGP, so no test needs a right of its own.
//!
//! ```text
//! test ──spawn, signals──► rbgpd ──► log, state directory
//!   └───── rbgpctl ──unix socket──►──┘
//! ```

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
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

    /// Writes the file of a daemon.
    fn write(&self, name: &str, config: &str) -> PathBuf {
        let file = self.0.join(format!("{name}.toml"));
        let base = "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\n";
        let text = format!("{base}{config}\n[kernel]\nenabled = false\n");
        fs::write(&file, text).unwrap();
        file
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

impl Daemon {
    /// Status and body of the answer to a `POST`.
    fn post(&self, path: &str, body: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}"
        );
        write!(stream, "{head}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
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

/// A neighbour that nobody answers for: what waits for it waits.
const ABSENT: &str = "[[neighbor]]\naddress = \"127.0.0.77\"\nremote_as = 65002\nport = 9\n\
                      local_address = \"127.0.0.1\"\nipv4_unicast = {}";

#[test]
fn a_drain_at_the_stop_ends_with_it_and_one_that_was_ordered_stays() {
    let place = Place::new();
    let config = "[drain]\non_stop = true\ntimeout = \"1s\"";
    let mut daemon = place.running("first", config);
    daemon.stop();
    assert_eq!(daemon.lines("drain state changed").len(), 1);
    let mut daemon = place.running("second", config);
    assert_eq!(daemon.json(&["show", "drain", "--json"])["draining"], false);
    let ordered = daemon.rbgpctl(&["drain", "--force", "--reason", "new disk"]);
    assert_eq!(ordered.status.code(), Some(0), "{ordered:?}");
    daemon.stop();
    let daemon = place.running("third", config);
    let status = daemon.json(&["show", "drain", "--json"]);
    assert_eq!(status["draining"], true);
    assert_eq!(status["reason"], "new disk");
}

#[test]
fn a_reload_applies_level_and_drain_and_is_refused_where_a_restart_is_needed() {
    let place = Place::new();
    let mut daemon = place.running("rbgpd", "");
    daemon.signal(libc::SIGHUP);
    daemon.until("configuration reloaded, nothing is different");
    assert_eq!(
        daemon.json(&["reload", "--json"])["changes"],
        serde_json::json!([])
    );

    let refused = "[log]\nlevel = \"error\"\n[underlay]\ninterface = \"wg9\"";
    place.write("rbgpd", refused);
    let dry = daemon.rbgpctl(&["reload", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "{dry:?}");
    let said = String::from_utf8(dry.stdout).unwrap();
    assert!(
        said.contains("would be refused as a whole: one of"),
        "{said}"
    );
    assert_eq!(daemon.rbgpctl(&["reload"]).status.code(), Some(1));

    let applied = "[log]\nlevel = \"error\"\n[drain]\non_stop = true";
    place.write("rbgpd", applied);
    let dry = daemon.rbgpctl(&["reload", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");
    assert_eq!(daemon.rbgpctl(&["reload"]).status.code(), Some(0));
    // The level is set beside the core. An order that is given after that is not in the log.
    let mut number = 0;
    until(
        || {
            number += 1;
            let reason = format!("order-{number}");
            daemon.post(
                "/v1/drain",
                &format!("{{\"dry_run\": true, \"reason\": \"{reason}\"}}"),
            );
            daemon.lines(&reason).is_empty()
        },
        || daemon.log(),
    );
    // And back, to see the stop.
    place.write("rbgpd", "[drain]\non_stop = true");
    assert_eq!(daemon.rbgpctl(&["reload"]).status.code(), Some(0));
    until(
        || {
            number += 1;
            let reason = format!("order-{number}");
            daemon.post(
                "/v1/drain",
                &format!("{{\"dry_run\": true, \"reason\": \"{reason}\"}}"),
            );
            !daemon.lines(&reason).is_empty()
        },
        || daemon.log(),
    );
    daemon.stop();
    assert_eq!(
        daemon.lines("drain state changed").len(),
        1,
        "{}",
        daemon.log()
    );
}

#[test]
fn a_drain_that_is_ordered_again_keeps_why_and_until_when() {
    let place = Place::new();
    let daemon = place.running("rbgpd", "");
    let first = daemon.json(&[
        "drain", "--force", "--json", "--reason", "new disk", "--for", "2h",
    ]);
    let again = daemon.rbgpctl(&["drain", "--force"]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("note: kept: the reason, new disk"), "{said}");
    assert!(said.contains("note: kept: it ends by itself"), "{said}");
    let status = daemon.json(&["show", "drain", "--json"]);
    for key in ["since", "reason", "deadline"] {
        assert_eq!(status[key], first[key], "{key}");
    }
}

#[test]
fn a_time_that_a_clock_cannot_hold_is_refused_with_the_range() {
    let place = Place::new();
    let daemon = place.running("rbgpd", "");
    for wrong in ["18446744073709551615", "3153600001", "0"] {
        let answer = daemon.post(
            "/v1/drain",
            &format!("{{\"force\": true, \"for_s\": {wrong}}}"),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(&format!("{wrong} s")), "{answer}");
        assert!(answer.contains("from 1 to 3153600000 s"), "{answer}");
    }
    assert_eq!(daemon.json(&["show", "drain", "--json"])["draining"], false);
    let longest = daemon.post("/v1/drain", "{\"force\": true, \"for_s\": 3153600000}");
    assert!(longest.starts_with("HTTP/1.1 200 "), "{longest}");
}

#[test]
fn an_order_that_waits_is_one_line_in_the_log() {
    let place = Place::new();
    let daemon = place.running("rbgpd", ABSENT);
    daemon.rbgpctl(&["drain", "--force"]);
    let waited = daemon.rbgpctl(&["undrain", "--wait", "--timeout", "1s"]);
    assert_eq!(waited.status.code(), Some(3), "{waited:?}");
    assert_eq!(daemon.lines("Undrain").len(), 1, "{}", daemon.log());
    // Another process is another order.
    daemon.rbgpctl(&["undrain"]);
    assert_eq!(daemon.lines("Undrain").len(), 2, "{}", daemon.log());
}

#[test]
fn a_session_that_does_not_come_up_says_why_once() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.78:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!(
        "[[neighbor]]\naddress = \"127.0.0.78\"\nremote_as = 65002\nport = {port}\n\
         timers = {{ connect_retry = \"1s\" }}\nlocal_address = \"127.0.0.1\"\nipv4_unicast = {{}}"
    );
    let daemon = place.running("rbgpd", &config);
    // Garbage, three times.
    for _ in 0..3 {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0x47; 64]).unwrap();
        // Whatever it says before it hangs up.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let said = daemon.lines("session does not come up");
    assert_eq!(said.len(), 1, "{}", daemon.log());
    for expected in ["WARN", "127.0.0.78", "hint="] {
        assert!(said[0].contains(expected), "{said:?}");
    }
    // Another reason is another line.
    drop(listener);
    until(
        || daemon.lines("session does not come up").len() == 2,
        || daemon.log(),
    );
    let said = daemon.lines("session does not come up");
    assert!(said[1].contains("refused"), "{said:?}");
}
