//! The built `rbgpd` as an operator runs it: start, refusal, signals, log. The kernel is off and
//! nothing listens for BGP, so no test needs a right of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;

use serde_json::Value;

use crate::daemon::{Daemon, Place, until};

fn config(rest: &str) -> String {
    format!(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\n{rest}\n[kernel]\nenabled = false\n"
    )
}

/// A daemon with a socket of its own, in the one state directory of the place.
fn running(place: &Place, name: &str, rest: &str) -> Daemon {
    Daemon::running(place.path(), name, &config(rest))
}

/// The answer to a `POST`.
fn post(daemon: &Daemon, path: &str, body: &str) -> String {
    let length = body.len();
    daemon.exchange(&format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn a_state_directory_is_had_by_one_daemon_until_it_ends_however() {
    let place = Place::new("service");
    let mut first = running(&place, "first", "");
    let mark = fs::read(place.state("running.json")).unwrap();

    let mut second = Daemon::start(place.path(), "second", &config(""));
    assert_eq!(second.ended().code(), Some(1));
    let refusal = second.log();
    let state = place.path().join("state");
    for expected in [
        format!("the state directory `{}` is in use", state.display()),
        format!("process {}", first.pid()),
        "hint: ".to_owned(),
    ] {
        assert!(refusal.contains(&expected), "no `{expected}` in {refusal}");
    }
    assert!(!refusal.contains("crash"), "{refusal}");
    assert_eq!(fs::read(place.state("running.json")).unwrap(), mark);
    assert_eq!(first.ctl("show version").status.code(), Some(0));

    first.signal(libc::SIGKILL);
    assert_eq!(first.ended().signal(), Some(libc::SIGKILL));
    let mut third = running(&place, "third", "");
    third.stop();
    assert!(!place.state("running.json").exists());
}

/// Where the C library is glibc; another one has no such stocks.
#[test]
#[cfg(target_env = "gnu")]
fn threads_keep_no_freed_blocks_and_the_process_is_the_one_that_was_started() {
    let place = Place::new("service");
    let mut daemon = running(&place, "rbgpd", "");
    let of = |file: &str| fs::read(format!("/proc/{}/{file}", daemon.pid())).unwrap();
    let environment = String::from_utf8_lossy(&of("environ")).into_owned();
    assert!(
        environment.contains("GLIBC_TUNABLES=glibc.malloc.tcache_count=0"),
        "{environment}"
    );
    assert_eq!(of("comm"), b"rbgpd\n");
    let arguments = of("cmdline");
    assert!(arguments.starts_with(env!("CARGO_BIN_EXE_rbgpd").as_bytes()));
    daemon.stop();
}

#[test]
fn a_drain_that_cannot_be_read_starts_the_daemon_drained_and_says_so() {
    let place = Place::new("service");
    let file = place.state("drain.json");
    fs::write(&file, "{\"router\":").unwrap();
    let mut daemon = running(&place, "rbgpd", "");
    let said = daemon.lines("ERROR");
    assert_eq!(said.len(), 1, "{}", daemon.log());
    assert!(said[0].contains(file.to_str().unwrap()), "{said:?}");
    assert!(said[0].contains("rbgpctl undrain"), "{said:?}");
    let status = daemon.json("show drain");
    assert_eq!(status["draining"], true);
    assert!(
        status["reason"].as_str().unwrap().contains("drain.json"),
        "{status}"
    );
    let undrain = daemon.ctl("undrain");
    assert_eq!(undrain.status.code(), Some(0), "{undrain:?}");
    assert!(!file.exists());
    daemon.stop();
    let daemon = running(&place, "again", "");
    assert_eq!(daemon.lines("ERROR"), Vec::<String>::new());
    assert_eq!(daemon.json("show drain")["draining"], false);
}

/// A neighbour that nobody answers for: what waits for it waits.
const ABSENT: &str = "[[neighbor]]\naddress = \"127.0.0.77\"\nremote_as = 65002\nport = 9\n\
                      local_address = \"127.0.0.1\"\nipv4_unicast = {}";

#[test]
fn a_drain_at_the_stop_ends_with_it_and_one_that_was_ordered_stays() {
    let place = Place::new("service");
    let config = "[drain]\non_stop = true\ntimeout = \"1s\"";
    let mut daemon = running(&place, "first", config);
    daemon.stop();
    assert_eq!(daemon.lines("drain state changed").len(), 1);
    let mut daemon = running(&place, "second", config);
    assert_eq!(daemon.json("show drain")["draining"], false);
    let ordered = daemon.rbgpctl(&["drain", "--force", "--reason", "new disk"]);
    assert_eq!(ordered.status.code(), Some(0), "{ordered:?}");
    daemon.stop();
    let daemon = running(&place, "third", config);
    let status = daemon.json("show drain");
    assert_eq!(status["draining"], true);
    assert_eq!(status["reason"], "new disk");
}

#[test]
fn a_reload_applies_level_and_drain_and_is_refused_where_a_restart_is_needed() {
    let place = Place::new("service");
    let mut daemon = running(&place, "rbgpd", "");
    daemon.signal(libc::SIGHUP);
    daemon.until_logged("configuration reloaded, nothing is different");
    assert_eq!(daemon.json("reload")["changes"], serde_json::json!([]));

    let refused = "[log]\nlevel = \"error\"\n[underlay]\ninterface = \"wg9\"";
    daemon.configure(&config(refused));
    let dry = daemon.ctl("reload --dry-run");
    assert_eq!(dry.status.code(), Some(1), "{dry:?}");
    let said = String::from_utf8(dry.stdout).unwrap();
    assert!(
        said.contains("would be refused as a whole: one of"),
        "{said}"
    );
    assert_eq!(daemon.ctl("reload").status.code(), Some(1));

    let applied = "[log]\nlevel = \"error\"\n[drain]\non_stop = true";
    daemon.configure(&config(applied));
    let dry = daemon.ctl("reload --dry-run");
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    // The level is set beside the core. An order that is given after that is not in the log.
    let mut number = 0;
    let mut until_logs = |orders: bool| {
        until("orders are in the log, or not", || {
            number += 1;
            let reason = format!("order-{number}");
            let order = format!("{{\"dry_run\": true, \"reason\": \"{reason}\"}}");
            post(&daemon, "/v1/drain", &order);
            let logged = !daemon.lines(&reason).is_empty();
            (logged == orders).then_some(()).ok_or_else(|| daemon.log())
        });
    };
    until_logs(false);
    // And back, to see the stop.
    daemon.configure(&config("[drain]\non_stop = true"));
    assert_eq!(daemon.ctl("reload").status.code(), Some(0));
    until_logs(true);
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
    let place = Place::new("service");
    let daemon = running(&place, "rbgpd", "");
    let order = ["drain", "--force", "--json", "--reason", "new disk"];
    let output = daemon.rbgpctl(&[&order[..], &["--for", "2h"]].concat());
    let first: Value = serde_json::from_slice(&output.stdout).unwrap();
    let again = daemon.ctl("drain --force");
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("note: kept: the reason, new disk"), "{said}");
    assert!(said.contains("note: kept: it ends by itself"), "{said}");
    let status = daemon.json("show drain");
    for key in ["since", "reason", "deadline"] {
        assert_eq!(status[key], first[key], "{key}");
    }
}

#[test]
fn a_drain_whose_time_is_over_says_what_keeps_it() {
    let place = Place::new("service");
    let daemon = running(&place, "rbgpd", ABSENT);
    daemon.ctl("drain --force --for 1s");
    let overdue = until("what keeps the drain is named", || {
        let status = daemon.json("show drain");
        let lines = status["overdue"].as_array().cloned().unwrap_or_default();
        (!lines.is_empty())
            .then_some(lines)
            .ok_or_else(|| status.to_string())
    });
    let session = overdue[0].as_str().unwrap_or_default();
    assert!(session.contains(": session is "), "{overdue:?}");
    let shown = String::from_utf8(daemon.ctl("show drain").stdout).unwrap();
    let line = format!("Its time is over, but traffic cannot return yet: {session}");
    assert!(shown.contains(&line), "{shown}");
}

#[test]
fn who_has_no_session_is_not_said_to_be_asked_again() {
    let place = Place::new("service");
    let daemon = running(&place, "rbgpd", ABSENT);
    for soft in ["in", "out"] {
        let all = daemon.ctl(&format!("clear all --soft {soft}"));
        assert_eq!(
            (all.status.code(), all.stdout.as_slice()),
            (Some(0), &b""[..])
        );
        let one = daemon.ctl(&format!("clear 127.0.0.77 --soft {soft}"));
        assert_eq!(one.status.code(), Some(1), "{one:?}");
        let said = String::from_utf8(one.stderr).unwrap();
        assert!(said.contains("there is no session to do it on"), "{said}");
    }
}

#[test]
fn a_time_that_a_clock_cannot_hold_is_refused_with_the_range() {
    let place = Place::new("service");
    let daemon = running(&place, "rbgpd", "");
    for wrong in ["18446744073709551615", "3153600001", "0"] {
        let answer = post(
            &daemon,
            "/v1/drain",
            &format!("{{\"force\": true, \"for_s\": {wrong}}}"),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(&format!("{wrong} s")), "{answer}");
        assert!(answer.contains("from 1 to 3153600000 s"), "{answer}");
    }
    assert_eq!(daemon.json("show drain")["draining"], false);
    let longest = post(
        &daemon,
        "/v1/drain",
        "{\"force\": true, \"for_s\": 3153600000}",
    );
    assert!(longest.starts_with("HTTP/1.1 200 "), "{longest}");
}

#[test]
fn an_order_that_waits_is_one_line_in_the_log() {
    let place = Place::new("service");
    let daemon = running(&place, "rbgpd", ABSENT);
    daemon.ctl("drain --force");
    let waited = daemon.ctl("undrain --wait --timeout 1s");
    assert_eq!(waited.status.code(), Some(3), "{waited:?}");
    assert_eq!(daemon.lines("Undrain").len(), 1, "{}", daemon.log());
    // Another process is another order.
    daemon.ctl("undrain");
    assert_eq!(daemon.lines("Undrain").len(), 2, "{}", daemon.log());
}

#[test]
fn a_session_that_does_not_come_up_says_why_once() {
    let place = Place::new("service");
    let listener = TcpListener::bind("127.0.0.78:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!(
        "[[neighbor]]\naddress = \"127.0.0.78\"\nremote_as = 65002\nport = {port}\n\
         timers = {{ connect_retry = \"1s\" }}\nlocal_address = \"127.0.0.1\"\nipv4_unicast = {{}}"
    );
    let daemon = running(&place, "rbgpd", &config);
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
    let said = until("another line", || {
        let said = daemon.lines("session does not come up");
        let another = (said.len() == 2).then_some(said);
        another.ok_or_else(|| daemon.log())
    });
    assert!(said[1].contains("refused"), "{said:?}");
}

#[test]
fn a_log_file_is_appended_to_opened_anew_by_a_reload_and_has_its_own_level() {
    let place = Place::new("log");
    let path = place.path().join("lines.log");
    let log = |level: &str| {
        config(&format!(
            "[log]\nlevel = \"error\"\nfile = \"{}\"\nfile_level = \"{level}\"\ntime_digits = 0\n",
            path.display()
        ))
    };
    fs::write(&path, "before\n").unwrap();
    let mut daemon = Daemon::start(place.path(), "rbgpd", &log("info"));
    let read = || fs::read_to_string(&path).unwrap_or_default();
    let has = |text: &str| {
        let found = || read().contains(text).then_some(()).ok_or_else(read);
        until(text, found);
    };
    has("rbgpd runs");
    let text = read();
    let line = text
        .lines()
        .find(|line| line.contains("rbgpd runs"))
        .unwrap();
    let time = line.split_whitespace().next().unwrap();
    assert!(time.ends_with('Z') && !time.contains('.'), "{line}");
    assert!(text.starts_with("before\n"), "{text}");
    // What goes to stderr is less.
    assert_eq!(daemon.lines("rbgpd runs"), Vec::<String>::new());

    // What logrotate does: the file goes, and a signal says so.
    let mut number = 0;
    let mut order = |daemon: &Daemon| {
        number += 1;
        let reason = format!("order-{number}");
        let body = format!("{{\"dry_run\": true, \"reason\": \"{reason}\"}}");
        post(daemon, "/v1/drain", &body);
        reason
    };
    for by_signal in [true, false] {
        let away = place.path().join("lines.log.1");
        fs::rename(&path, &away).unwrap();
        match by_signal {
            true => daemon.signal(libc::SIGHUP),
            false => assert_eq!(daemon.ctl("reload").status.code(), Some(0)),
        }
        until("the new file has an order", || {
            let reason = order(&daemon);
            let text = read();
            let there = text.contains(&reason);
            there
                .then_some(())
                .ok_or_else(|| format!("{reason}: {text}"))
        });
        assert!(!read().contains("rbgpd runs"));
        assert!(fs::read_to_string(&away).unwrap().contains("rbgpd"));
    }

    // The level is set beside the core, so an order may come before it. Lines stay in their order: what
    // is not there when a later one is, never was.
    until("an order is not in the file", || {
        daemon.configure(&log("error"));
        assert_eq!(daemon.ctl("reload").status.code(), Some(0));
        let quiet = order(&daemon);
        daemon.configure(&log("info"));
        assert_eq!(daemon.ctl("reload").status.code(), Some(0));
        until("a later order is", || {
            let reason = order(&daemon);
            read().contains(&reason).then_some(()).ok_or_else(read)
        });
        (!read().contains(&quiet)).then_some(()).ok_or_else(read)
    });
    daemon.stop();
}

#[test]
fn a_log_file_that_cannot_be_written_is_named_once_on_stderr_and_the_daemon_runs() {
    let place = Place::new("log");
    let path = place.path().join("sub/lines.log");
    let text = format!("[log]\nfile = \"{}\"\n", path.display());
    let mut daemon = running(&place, "rbgpd", &text);
    daemon.until_logged("log lines cannot be written");
    post(
        &daemon,
        "/v1/drain",
        "{\"dry_run\": true, \"reason\": \"one\"}",
    );
    daemon.until_logged("one");
    fs::create_dir(place.path().join("sub")).unwrap();
    post(
        &daemon,
        "/v1/drain",
        "{\"dry_run\": true, \"reason\": \"two\"}",
    );
    daemon.until_logged("log lines are written again");
    assert_eq!(
        daemon.lines("log lines cannot be written").len(),
        1,
        "{}",
        daemon.log()
    );
    assert!(fs::read_to_string(&path).unwrap().contains("two"));
    daemon.stop();
}
