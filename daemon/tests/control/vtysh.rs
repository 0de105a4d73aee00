//! `rbgpctl vtysh` as scripts call it: files of lines, its options, and `clear`.

use std::io::Write as _;
use std::process::Stdio;

use rbgpd::control::{ErrorKind, ErrorReply, Reply, Request, SoftReset, reply};

use crate::client::{Ran, program, ran};
use crate::daemon::{Daemon, fresh_directory};
use crate::replies::summary;

fn configured(dry_run: bool) -> Reply {
    Reply::Configured(reply::Configured {
        reload: reply::Reload {
            dry_run,
            changed: true,
            changes: Vec::new(),
            restarts: Vec::new(),
            restart_required: Vec::new(),
            notes: vec!["of the whole".to_owned()],
        },
        lines: vec!["configure terminal:2:1: `hostname x`: it differs".to_owned()],
    })
}

/// What is asked, of whichever instance.
fn of_any(request: &Request) -> &Request {
    match request {
        Request::Of(_, request) => request,
        request => request,
    }
}

/// A daemon that refuses lines with `nonsense` in them, and has a neighbour that is up and one that is
/// not.
fn daemon() -> Daemon {
    Daemon::new(|request| match of_any(request) {
        Request::Version => Ok(Reply::Version(reply::Version {
            version: "0.1.0".to_owned(),
            pid: 1,
            uptime_s: 7,
        })),
        Request::Configure { lines, dry_run } => {
            match lines.0.lines().position(|line| line.contains("nonsense")) {
                None => Ok(configured(*dry_run)),
                Some(at) => Err(ErrorReply::new(ErrorKind::BadConfig, "1 error").details([
                    format!("error: configure terminal:{}:2: `nonsense`: no", at + 1),
                    "error: running-config:7:1: `configure terminal: x`: no".to_owned(),
                ])),
            }
        }
        Request::Instances => Ok(Reply::Instances(reply::Instances {
            instances: vec![reply::Instance {
                name: "default".to_owned(),
                vrf: None,
                asn: 65001,
                router_id: "10.10.0.1".parse().unwrap(),
                table: 254,
                draining: false,
                neighbors: 2,
                established: 1,
                waiting: false,
            }],
        })),
        Request::Running(_) => Ok(Reply::Running(reply::Running {
            language: "frr".to_owned(),
            file: None,
            text: "router bgp 65001\nexit\n".to_owned(),
        })),
        Request::Summary => Ok(Reply::Summary(summary())),
        Request::Clear(clear) => {
            let neighbor = clear.neighbor.unwrap();
            match (clear.soft, neighbor.to_string().as_str()) {
                (SoftReset::In | SoftReset::Out, "10.10.0.3") => Err(ErrorReply::failed(
                    "10.10.0.3 is Active: there is no session to do it on",
                )),
                // Up, and refused all the same.
                (SoftReset::In, _) => Err(ErrorReply::failed("the queue is full")),
                _ => Ok(Reply::Clear(reply::Clear {
                    cleared: vec![neighbor],
                })),
            }
        }
        other => panic!("{other:?}"),
    })
}

impl Daemon {
    fn vtysh(&self, arguments: &[&str]) -> Ran {
        let mut all = vec!["vtysh"];
        all.extend(arguments);
        self.rbgpctl(&all)
    }

    /// The lines that were given to it, and whether only to be checked.
    fn given(&self) -> Vec<(String, bool)> {
        let given = |request: Request| match request {
            Request::Configure { lines, dry_run } => Some((lines.0, dry_run)),
            _ => None,
        };
        self.asked().into_iter().filter_map(given).collect()
    }

    fn cleared(&self) -> Vec<(String, SoftReset)> {
        let cleared = |request: Request| match of_any(&request) {
            Request::Clear(clear) => Some((clear.neighbor.unwrap().to_string(), clear.soft)),
            _ => None,
        };
        self.asked().into_iter().filter_map(cleared).collect()
    }
}

/// A file `frr.conf` in a folder of its own; both go when dropped.
struct File {
    directory: String,
    path: String,
}

fn file(text: &str) -> File {
    let directory = fresh_directory();
    let path = directory.join("frr.conf");
    std::fs::write(&path, text).unwrap();
    File {
        directory: directory.display().to_string(),
        path: path.display().to_string(),
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // One that is gone is no error.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const GOOD: &str =
    "! a site\nhostname x\nrouter bgp 65001\n neighbor 10.0.0.2 remote-as 65002\nend\n";
const BAD: &str = "router bgp 65001\n nonsense\n";

#[test]
fn a_file_is_lines_of_configuration_and_one_transaction() {
    let daemon = daemon();
    let File { directory, path } = &file(GOOD);
    let done = daemon.vtysh(&["-f", path]).exits(0);
    assert_eq!(
        done.out,
        format!("note: {path}:2:1: `hostname x`: it differs\nnote: of the whole\n")
    );
    assert_eq!(daemon.given(), [(GOOD.to_owned(), false)]);
    // What a boot reads, and a check that changes nothing.
    daemon.vtysh(&["-b", "--config_dir", directory]).exits(0);
    daemon.vtysh(&["-C", "--config_dir", directory]).exits(0);
    daemon.vtysh(&["-C", "-f", path]).exits(0);
    let how: Vec<bool> = daemon
        .given()
        .into_iter()
        .map(|(_, dry_run)| dry_run)
        .collect();
    assert_eq!(how, [false, false, true, true]);

    // Nothing is asked where nothing is said.
    let File { path: empty, .. } = &file("!\n\n # x\n");
    daemon.vtysh(&["-f", empty]).exits(0);
    assert_eq!(daemon.given().len(), 4);
}

#[test]
fn an_error_in_a_file_names_it_with_the_line() {
    let daemon = daemon();
    let File { path, .. } = &file(BAD);
    for arguments in [&["-f", path][..], &["-C", "-f", path]] {
        let failed = daemon.vtysh(arguments).exits(2);
        assert_eq!(failed.out, "");
        let said = format!("error: {path}:2:2: `nonsense`: no\n");
        assert!(failed.talk.contains(&said), "{}", failed.talk);
        // Words of a line are no place.
        let other = "error: running-config:7:1: `configure terminal: x`: no";
        assert!(failed.talk.contains(other), "{}", failed.talk);
    }
    let none = daemon.vtysh(&["-f", "/nonexistent"]).exits(11);
    assert!(
        none.talk.contains("cannot read `/nonexistent`"),
        "{}",
        none.talk
    );
}

#[test]
fn lines_of_a_file_come_from_a_pipe_as_well() {
    let daemon = daemon();
    for name in ["-", "/dev/stdin"] {
        let mut child = program()
            .arg("--socket")
            .arg(&daemon.socket)
            .args(["vtysh", "-f", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(GOOD.as_bytes())
            .unwrap();
        ran(child.wait_with_output().unwrap()).exits(0);
    }
    let given = (GOOD.to_owned(), false);
    assert_eq!(daemon.given(), [given.clone(), given]);
}

#[test]
fn without_a_daemon_lines_are_checked_one_by_one() {
    let File { directory, path } = &file(BAD);
    let vtysh = |arguments: &[&str]| {
        let mut command = program();
        command.args(["--socket", &format!("{directory}/nobody"), "vtysh"]);
        ran(command.args(arguments).output().unwrap())
    };
    let failed = vtysh(&["-C", "-f", path]).exits(2);
    let said = format!("error: {path}:2:2: `nonsense`: the line is not known in `router bgp`\n");
    assert!(failed.talk.contains(&said), "{}", failed.talk);
    assert!(failed.talk.contains("no daemon answers"), "{}", failed.talk);
    let File { path: good, .. } = &file(GOOD);
    vtysh(&["-C", "-f", good]).exits(0);

    let failed = vtysh(&["-f", good]).exits(1);
    assert!(failed.talk.contains("failed to connect to any daemons."));
    vtysh(&["-n", "-f", good]).exits(0);
}

#[test]
fn a_marked_file_has_an_exit_behind_each_block() {
    let File { path, .. } = &file(
        "router bgp 65001\n address-family ipv4 unicast\n  network 10.1.0.0/16\n\
         \x20address-family l2vpn evpn\n vni 5\n  rd 1:1\nroute-map A permit 10\n\
         !\nroute-map A permit 20\nip route 1.2.3.0/24 blackhole\n",
    );
    let marked = ran(program()
        .args(["vtysh", "-m", "-f", path])
        .output()
        .unwrap())
    .exits(0);
    // As FRR 8.4.4 prints it.
    assert_eq!(
        marked.out,
        "router bgp 65001\n address-family ipv4 unicast\n  network 10.1.0.0/16\nexit\n\
         \x20address-family l2vpn evpn\n vni 5\n  rd 1:1\nexit\nexit\nexit\nroute-map A permit 10\n\
         !\nexit\nroute-map A permit 20\nexit\nip route 1.2.3.0/24 blackhole\n\nend\n"
    );
    let File { path: bad, .. } = &file(BAD);
    let failed = ran(program().args(["vtysh", "-m", "-f", bad]).output().unwrap()).exits(2);
    assert_eq!(failed.talk, "line 2: % Unknown command: nonsense\n");
}

#[test]
fn what_runs_is_shown_without_what_stands_before_it() {
    let daemon = daemon();
    let shown = daemon.vtysh(&["-c", "show run no-header"]).exits(0);
    assert_eq!(shown.out, "router bgp 65001\nexit\n");
    let shown = daemon.vtysh(&["-c", "show run"]).exits(0);
    assert!(
        shown.out.starts_with("Building configuration...\n"),
        "{}",
        shown.out
    );
}

#[test]
fn options_that_mean_another_daemon_are_refused_by_name() {
    let daemon = daemon();
    for (arguments, said) in [
        (&["--vty_socket", "/run/frr"][..], "--vty_socket /run/frr"),
        (&["-N", "blue"], "-N blue"),
        (&["-t"], "-t"),
        (&["-d", "ospfd"], "`ospfd`"),
    ] {
        let mut all = arguments.to_vec();
        all.extend(["-c", "show version"]);
        let refused = daemon.vtysh(&all).exits(1);
        assert!(refused.talk.contains(said), "{}", refused.talk);
        assert!(refused.talk.contains("hint: "), "{}", refused.talk);
    }
    assert!(daemon.asked().is_empty());
    for arguments in [&["-d", "bgpd"][..], &["-H", "/dev/null"], &["-n"], &["-u"]] {
        let mut all = arguments.to_vec();
        all.extend(["-e", "show version"]);
        let shown = daemon.vtysh(&all).exits(0);
        assert!(shown.out.contains("FRRouting"), "{}", shown.out);
    }
}

#[test]
fn whoever_may_only_look_changes_nothing() {
    let daemon = daemon();
    for command in [
        "configure terminal",
        "clear bgp *",
        "write",
        "show running-config",
    ] {
        let refused = daemon.vtysh(&["-u", "-c", command]).exits(1);
        assert_eq!(refused.out, format!("% Unknown command: {command}\n"));
    }
    let File { path, .. } = &file(GOOD);
    daemon.vtysh(&["-u", "-f", path]).exits(2);
    assert!(daemon.given().is_empty() && daemon.cleared().is_empty());
}

#[test]
fn a_neighbor_that_is_down_has_nothing_to_send_again() {
    use SoftReset::{None, Out};
    let (up, down) = ("10.10.0.2".to_owned(), "10.10.0.3".to_owned());
    for (command, cleared) in [
        ("clear bgp * soft out", vec![(&up, Out)]),
        ("clear bgp ipv4 unicast * out", vec![(&up, Out)]),
        ("clear bgp external soft out", vec![(&up, Out)]),
        ("clear ip bgp 10.10.0.3 soft out", vec![]),
        ("clear bgp 65003 in", vec![]),
        ("clear bgp *", vec![(&up, None), (&down, None)]),
    ] {
        let daemon = daemon();
        let done = daemon.vtysh(&["-c", command]).exits(0);
        assert_eq!(
            (done.out, done.talk),
            (String::new(), String::new()),
            "{command}"
        );
        let asked = daemon.cleared();
        let asked: Vec<(&String, SoftReset)> = asked.iter().map(|(to, how)| (to, *how)).collect();
        assert_eq!(asked, cleared, "{command}");
    }
    // What another reason prevents is told.
    let failed = daemon().vtysh(&["-c", "clear bgp 10.10.0.2 in"]).exits(1);
    assert_eq!(failed.out, "% the queue is full\n");
}
