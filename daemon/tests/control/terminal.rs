//! `rbgpctl vtysh` at a terminal: what is typed, key by key, and what stands there then.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rbgpd::control::{ErrorKind, ErrorReply, Reply, Request, reply};

use crate::client::{open_terminal, program};
use crate::daemon::Daemon;

const PATIENCE: Duration = Duration::from_secs(20);
const ABORT: &str = "\u{3}";
const END: &str = "\u{4}";
const UP: &str = "\u{1b}[A";
const OUT: &str = "\u{1a}";

/// Somebody at a terminal with a session in it.
struct Terminal {
    child: Child,
    keys: File,
    written: Receiver<Vec<u8>>,
    /// Everything since the last look, without what moves the cursor.
    seen: String,
    hostname: String,
}

impl Terminal {
    fn open(daemon: &Daemon) -> Self {
        let (keys, program_side) = open_terminal();
        let keys = File::from(keys);
        let mut screen = keys.try_clone().unwrap();
        let other = || program_side.try_clone().unwrap();
        let child = program()
            .arg("--socket")
            .arg(&daemon.socket)
            .arg("vtysh")
            .env("TERM", "xterm")
            .stdin(other())
            .stdout(other())
            .stderr(other())
            .spawn()
            .unwrap();
        let (send, written) = channel();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            // The end of a terminal whose other side is closed is an error.
            while let Ok(count @ 1..) = screen.read(&mut octets) {
                if send.send(octets[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let hostname = hostname.trim().to_owned();
        let mut terminal = Self {
            child,
            keys,
            written,
            seen: String::new(),
            hostname,
        };
        terminal.sees_prompt("");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text stands there, and forgets what is before it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let plain = plain(&self.seen);
            if let Some(at) = plain.find(text) {
                let (before, behind) = plain.split_at(at + text.len());
                let before = before.to_owned();
                self.seen = behind.to_owned();
                return before;
            }
            match self
                .written
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(octets) => self.seen.push_str(&String::from_utf8_lossy(&octets)),
                Err(error) => panic!("no `{text}` ({error}): {plain:?}"),
            }
        }
    }

    /// The prompt, with the place that it names.
    #[track_caller]
    fn sees_prompt(&mut self, place: &str) -> String {
        let prompt = format!("{}{place}# ", self.hostname);
        self.sees(&prompt)
    }

    /// Types a line; what is printed before the prompt comes again.
    #[track_caller]
    fn line(&mut self, line: &str, place: &str) -> String {
        self.types(&format!("{line}\r"));
        // What was typed ends where the program is back with another line.
        let typed = self.sees("\n");
        assert!(
            typed.ends_with(&format!("{line}\n")) || line.is_empty(),
            "{typed:?}"
        );
        self.sees_prompt(place)
    }

    /// The exit code, and what else was written.
    fn ends(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            match self.written.recv_timeout(Duration::from_millis(20)) {
                Ok(octets) => self.seen.push_str(&String::from_utf8_lossy(&octets)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            assert!(Instant::now() < until, "it does not end: {:?}", self.seen);
        };
        // Both other sides are closed, so this ends.
        while let Ok(octets) = self.written.recv_timeout(Duration::from_millis(100)) {
            self.seen.push_str(&String::from_utf8_lossy(&octets));
        }
        (status.code(), plain(&self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text without the sequences that move a cursor and erase, and without carriage returns. One that
/// has not arrived whole stays.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let body = sequence.strip_prefix("\u{1b}[").unwrap_or("");
        let Some(end) = body.find(|c: char| c.is_ascii_alphabetic()) else {
            plain.push_str(sequence);
            return plain.replace('\r', "");
        };
        rest = &body[end + 1..];
    }
    plain.push_str(rest);
    plain.replace('\r', "")
}

/// What runs.
const RUNNING: &str = "router bgp 65001\n neighbor 10.0.0.2 remote-as 65002\nexit\n";

fn daemon() -> Daemon {
    Daemon::new(|request| match request {
        Request::Version => Ok(Reply::Version(reply::Version {
            hostname: String::new(),
            version: "0.1.0".to_owned(),
            pid: 1,
            uptime_s: 7,
        })),
        Request::Running(_) => Ok(Reply::Running(reply::Running {
            language: "frr".to_owned(),
            file: None,
            text: RUNNING.to_owned(),
        })),
        Request::Configure { lines, .. } if lines.0.ends_with("DANGLING in") => Err(
            ErrorReply::new(ErrorKind::BadConfig, "1 error; all stays as it is"),
        ),
        Request::Configure { .. } => Ok(Reply::Configured(reply::Configured {
            reload: reply::Reload {
                dry_run: false,
                changed: true,
                changes: Vec::new(),
                restarts: Vec::new(),
                restart_required: Vec::new(),
                notes: Vec::new(),
            },
            lines: Vec::new(),
        })),
        other => panic!("{other:?}"),
    })
}

#[test]
fn tab_completes_and_a_question_mark_lists_what_may_stand_there() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.types("sh\tver\t");
    terminal.sees("show version ");
    terminal.types("\r");
    let shown = terminal.sees_prompt("");
    assert!(shown.contains("FRRouting 10.3"), "{shown}");
    assert!(shown.contains("rbgpd 0.1.0"), "{shown}");

    // Of two that begin alike, both are listed and the line stays.
    terminal.types("show b\t");
    let listed = terminal.sees("bgp");
    assert!(listed.contains("bfd"), "{listed}");
    terminal.sees("show b");
    terminal.types(ABORT);
    terminal.sees_prompt("");

    // It is no key of the line, which comes back as it was.
    terminal.types("show evpn ?");
    let listed = terminal.sees("<cr>");
    for word in ["arp-cache", "json", "mac", "next-hops", "rmac", "vni"] {
        assert!(listed.contains(&format!("\n  {word}")), "{word}: {listed}");
    }
    assert!(listed.contains("overlay networks"), "{listed}");
    terminal.sees_prompt("");
    terminal.sees("show evpn ");
    terminal.types(ABORT);
    terminal.sees_prompt("");
    terminal.types("nothing ?");
    terminal.sees("% There is no matched command.");
    terminal.sees("nothing ");
    terminal.types(ABORT);
    terminal.sees_prompt("");
    terminal.types(END);
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn words_may_be_abbreviated_and_a_line_that_fails_ends_nothing() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    assert!(terminal.line("sh ver", "").contains("FRRouting 10.3"));
    for (line, answer) in [
        ("foo", "% Unknown command: foo\n"),
        ("show b", "% Ambiguous command: show b\n"),
        ("show ip", "% Command incomplete: show ip\n"),
    ] {
        let shown = terminal.line(line, "");
        assert!(shown.starts_with(answer), "{line}: {shown:?}");
    }
    assert_eq!(terminal.line("", ""), format!("{}# ", terminal.hostname));
    terminal.types(UP);
    terminal.sees("show ip");
    terminal.types(UP);
    terminal.types(UP);
    terminal.types(UP);
    terminal.sees("sh ver");
    terminal.types("\r");
    assert!(terminal.sees_prompt("").contains("FRRouting 10.3"));
    terminal.types("quit\r");
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn a_line_may_be_dropped_and_the_end_of_the_input_leaves() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.types("nonsense");
    terminal.sees("nonsense");
    terminal.types(ABORT);
    let shown = terminal.sees_prompt("");
    assert!(!shown.contains('%'), "{shown}");
    assert!(terminal.line("show version", "").contains("FRRouting"));
    // Within a line it is no end.
    terminal.types("show ");
    terminal.types(END);
    terminal.types(ABORT);
    terminal.sees_prompt("");
    terminal.types(END);
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0));
    assert!(!shown.contains('%'), "{shown}");
}

/// A terminal that speaks another alphabet sends octets that are no text.
#[test]
fn keys_that_are_no_text_drop_their_line_and_not_what_was_typed_before() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.line("configure terminal", "(config)");
    terminal.line("route-map M permit 10", "(config-route-map)");
    terminal.keys.write_all(&[b'm', 0xe4, 0xff]).unwrap();
    terminal.sees("is no UTF-8");
    terminal.sees_prompt("(config-route-map)");
    // What is left of it is dropped as any line may be.
    terminal.types(ABORT);
    terminal.sees_prompt("(config-route-map)");
    terminal.types(OUT);
    terminal.sees_prompt("");
    assert_eq!(asked(&daemon), ["route-map M permit 10"]);
    terminal.types(END);
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn another_program_runs_until_it_ends_and_the_session_goes_on() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    // No host is called so, and it is no option either. Without the program that is said.
    let shown = terminal.line("ping -V", "");
    let done = ["-V", "Can't execute ping"];
    assert!(done.iter().any(|it| shown.contains(it)), "{shown}");
    assert!(!shown.contains('%'), "{shown}");
    let version = terminal.line("show version", "");
    assert!(version.contains("FRRouting"), "{version}");
    terminal.types(END);
    assert_eq!(terminal.ends().0, Some(0));
}

/// The lines that were given to it, session by session.
fn asked(daemon: &Daemon) -> Vec<String> {
    let lines = |request: Request| match request {
        Request::Configure { lines, .. } => Some(lines.0),
        _ => None,
    };
    daemon.asked().into_iter().filter_map(lines).collect()
}

#[test]
fn the_prompt_says_where_a_line_stands_and_end_puts_lines_into_force() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    for (line, place) in [
        ("conf t", "(config)"),
        ("router bgp 65001", "(config-router)"),
        ("address-family l2vpn evpn", "(config-router-af)"),
        ("vni 100", "(config-router-af-vni)"),
        ("exit", "(config-router-af)"),
        ("exit-address-family", "(config-router)"),
        ("do show version", "(config-router)"),
        ("exit", "(config)"),
        ("route-map A permit 10", "(config-route-map)"),
    ] {
        let shown = terminal.line(line, place);
        assert_eq!(
            shown.contains("FRRouting"),
            line.starts_with("do"),
            "{shown}"
        );
    }
    assert_eq!(
        asked(&daemon),
        Vec::<String>::new(),
        "nothing before the end"
    );
    terminal.line("end", "");
    let lines = "router bgp 65001\naddress-family l2vpn evpn\nvni 100\nexit\n\
                 exit-address-family\nexit\nroute-map A permit 10";
    assert_eq!(asked(&daemon), [lines]);

    // Left without it, nothing is said to the daemon.
    terminal.line("configure terminal", "(config)");
    terminal.line("no router bgp 65001", "(config)");
    terminal.types(END);
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("% left without `end`: nothing was changed"),
        "{shown}"
    );
    assert_eq!(asked(&daemon).len(), 1);
}

#[test]
fn a_mistyped_line_is_told_at_once_and_the_others_stay() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.line("conf t", "(config)");
    terminal.line("router bgp 65001", "(config-router)");
    for (line, said) in [
        (
            "nieghbor 10.0.0.3 remote-as 65003",
            "% Unknown command: nieghbor 10.0.0.3 remote-as 65003\n\
             the line is not known in `router bgp`\n",
        ),
        ("frobnicate", "% Unknown command: frobnicate\n"),
        ("address-family ipv4 vpn", "% rbgpd has no L3VPN"),
        // What runs has a word in it.
        ("router bgp 65009", "% "),
    ] {
        let shown = terminal.line(line, "(config-router)");
        assert!(shown.starts_with(said), "{line}: {shown:?}");
    }
    // Of a neighbor that only runs so far.
    let shown = terminal.line("neighbor 10.0.0.2 description B", "(config-router)");
    assert!(!shown.contains('%'), "{shown}");
    assert!(asked(&daemon).is_empty(), "nothing before the end");
    let shown = terminal.line("end", "");
    assert!(!shown.contains('%'), "{shown}");
    let lines = "router bgp 65001\nneighbor 10.0.0.2 description B";
    assert_eq!(asked(&daemon), [lines]);
    terminal.types(END);
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn what_was_typed_is_kept_where_its_end_is_refused() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    for (line, place) in [
        ("conf t", "(config)"),
        ("router bgp 65001", "(config-router)"),
        ("neighbor 10.0.0.2 route-map DANGLING in", "(config-router)"),
    ] {
        terminal.line(line, place);
    }
    let shown = terminal.line("end", "(config)");
    assert!(
        shown.starts_with("% 1 error; all stays as it is\n"),
        "{shown}"
    );
    assert!(shown.contains("hint: what was typed is kept"), "{shown}");
    terminal.line("route-map DANGLING permit 10", "(config-route-map)");
    terminal.line("end", "");
    let first = "router bgp 65001\nneighbor 10.0.0.2 route-map DANGLING in";
    let second = format!("{first}\nend\nroute-map DANGLING permit 10");
    assert_eq!(asked(&daemon), [first, second.as_str()]);

    // Or it is dropped.
    terminal.line("conf t", "(config)");
    terminal.line("route-map X permit 10", "(config-route-map)");
    terminal.line("abort", "");
    assert_eq!(asked(&daemon).len(), 2);
    terminal.types(END);
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0));
    assert!(!shown.contains('%'), "{shown}");
}

#[test]
fn lines_of_the_configuration_are_completed_and_listed() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.line("conf t", "(config)");
    terminal.types("router b\t");
    terminal.sees("router bgp ");
    terminal.types("65001\r");
    terminal.sees_prompt("(config-router)");
    terminal.types("neighbor 10.0.0.2 ?");
    let listed = terminal.sees("weight");
    for word in ["activate", "bfd", "description", "remote-as", "route-map"] {
        assert!(listed.contains(&format!("\n  {word}")), "{word}: {listed}");
    }
    terminal.sees_prompt("(config-router)");
    terminal.sees("neighbor 10.0.0.2 ");
    terminal.types("remote-as ?");
    let listed = terminal.sees_prompt("(config-router)");
    for word in ["ASN", "external", "internal"] {
        assert!(listed.contains(&format!("\n  {word}")), "{word}: {listed}");
    }
    terminal.sees("remote-as ");
    terminal.types("65002 ?");
    terminal.sees("<cr>");
    terminal.sees_prompt("(config-router)");
    terminal.sees("remote-as 65002 ");
    terminal.types(ABORT);
    terminal.sees_prompt("(config-router)");
    // What stands in the block around, and commands behind `do`.
    terminal.types("route-m\t");
    terminal.sees("route-map ");
    terminal.types(ABORT);
    terminal.sees_prompt("(config-router)");
    terminal.types("do sh\tver\t");
    terminal.sees("do show version ");
    terminal.types(ABORT);
    terminal.sees_prompt("(config-router)");
    terminal.types("frobnicate ?");
    terminal.sees("% There is no matched command.");
    terminal.sees("frobnicate ");
    // Ctrl-Z is `end`, and drops what stands in the line.
    terminal.types(OUT);
    terminal.sees_prompt("");
    assert_eq!(asked(&daemon), ["router bgp 65001"]);
    terminal.types(OUT);
    terminal.sees_prompt("");
    terminal.types(END);
    assert_eq!(terminal.ends().0, Some(0));
}
