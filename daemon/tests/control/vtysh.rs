//! `rbgpctl vtysh` as scripts call it: files of lines, its options, `clear`, and tables of routes by a
//! condition.

use std::io::Write as _;
use std::process::Stdio;

use rbgpd::control::{ErrorKind, ErrorReply, Language, Reply, Request, Select, SoftReset, reply};

use crate::client::{Ran, program, ran};
use crate::daemon::{Daemon, fresh_directory};
use crate::replies::{route, summary};

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

fn version() -> Reply {
    Reply::Version(reply::Version {
        hostname: String::new(),
        version: "0.1.0".to_owned(),
        pid: 1,
        uptime_s: 7,
    })
}

fn instance() -> reply::Instance {
    reply::Instance {
        name: "default".to_owned(),
        vrf: None,
        asn: 65001,
        router_id: "10.10.0.1".parse().unwrap(),
        table: 254,
        draining: false,
        neighbors: 2,
        established: 1,
        waiting: false,
    }
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
        Request::Version => Ok(version()),
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
            instances: vec![instance()],
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

/// Three routes of a neighbour and one of it that policy has refused, and lists about them.
fn with_routes() -> Daemon {
    let known = [
        ("10.1.0.0/24", vec![65002], vec!["65002:666"], vec![]),
        (
            "10.1.1.0/24",
            vec![65002, 65077],
            vec!["65002:666", "no-export"],
            vec!["65002:1:1"],
        ),
        ("10.2.0.0/16", vec![65002, 65002], vec![], vec!["65002:1:2"]),
        ("172.16.0.0/16", vec![65003], vec!["65002:7"], vec![]),
    ];
    let routes = known.map(|(prefix, path, communities, large)| reply::Route {
        prefix: prefix.to_owned(),
        as_path: path.into_iter().map(reply::AsPathItem::Asn).collect(),
        communities: communities.into_iter().map(str::to_owned).collect(),
        large_communities: large.into_iter().map(str::to_owned).collect(),
        ..route(0)
    });
    let beaten = reply::Route {
        best: false,
        as_path: vec![reply::AsPathItem::Asn(65003)],
        communities: Vec::new(),
        reason: Some("longer AS path".to_owned()),
        ..routes[0].clone()
    };
    let [first, others @ ..] = routes;
    let listed: Vec<reply::Route> = [first, beaten].into_iter().chain(others).collect();
    let refused = reply::Route {
        prefix: "10.66.1.0/24".to_owned(),
        accepted: false,
        best: false,
        rejected_by: Some("policy".to_owned()),
        ..route(0)
    };
    let text = "asn = 65001\nrouter_id = \"10.10.0.1\"\n\
        [[prefix_list]]\nname = \"TEN\"\nrules = [\"permit 10.0.0.0/8 le 24\"]\n\
        [[as_path_list]]\nname = \"AP\"\nrules = [\"deny _65077_\", \"permit ^65002\"]\n\
        [[community_list]]\nname = \"CL\"\nrules = [\"permit 65002:666\"]\n\
        [[large_community_list]]\nname = \"LL\"\nrules = [\"permit 65002:1:1\"]\n";
    Daemon::new(move |request| match of_any(request) {
        Request::Version => Ok(version()),
        Request::Instances => Ok(Reply::Instances(reply::Instances {
            instances: vec![instance()],
        })),
        Request::Running(Language::Toml) => Ok(Reply::Running(reply::Running {
            language: "toml".to_owned(),
            file: None,
            text: text.to_owned(),
        })),
        Request::Summary => Ok(Reply::Summary(summary())),
        Request::Neighbors { .. } => Ok(Reply::Neighbors(reply::Neighbors {
            neighbors: Vec::new(),
        })),
        Request::Routes(asked) => Ok(Reply::Routes(reply::Routes {
            routes: match asked.select {
                Select::All => listed.clone(),
                Select::Received(_) => [listed.clone(), vec![refused.clone()]].concat(),
                Select::Advertised(_) => panic!("{asked:?}"),
            },
            next: None,
            covered_by: None,
        })),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_table_is_shown_as_far_as_a_condition_lets_it_through() {
    let daemon = with_routes();
    for (condition, prefixes) in [
        ("regexp _65077_", &["10.1.1.0/24"][..]),
        ("regexp ^65002$", &["10.1.0.0/24"]),
        // A path that is not the best of its prefix stands alone.
        ("regexp ^65003$", &["10.1.0.0/24", "172.16.0.0/16"]),
        (
            "community",
            &["10.1.0.0/24", "10.1.1.0/24", "172.16.0.0/16"],
        ),
        ("community 65002:666", &["10.1.0.0/24", "10.1.1.0/24"]),
        ("community 65002:666 exact-match", &["10.1.0.0/24"]),
        ("community no-export", &["10.1.1.0/24"]),
        ("large-community", &["10.1.1.0/24", "10.2.0.0/16"]),
        ("large-community 65002:1:2", &["10.2.0.0/16"]),
        ("community-list CL", &["10.1.0.0/24", "10.1.1.0/24"]),
        ("community-list CL exact-match", &["10.1.0.0/24"]),
        ("large-community-list LL", &["10.1.1.0/24"]),
        ("filter-list AP", &["10.1.0.0/24", "10.2.0.0/16"]),
        (
            "prefix-list TEN",
            &["10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/16"],
        ),
        (
            "10.1.0.0/16 longer-prefixes",
            &["10.1.0.0/24", "10.1.1.0/24"],
        ),
        ("10.2.0.0/16 longer-prefixes", &["10.2.0.0/16"]),
        ("cidr-only", &["10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/16"]),
        ("regexp _1_", &[]),
    ] {
        let command = format!("show ip bgp {condition}");
        let text = daemon.vtysh(&["-c", &command]).exits(0).out;
        let first = |line: &str| Some(line.get(5..)?.split_whitespace().next()?.to_owned());
        let lines = text.lines().filter(|line| line.starts_with(" *"));
        let shown: Vec<String> = lines.filter_map(first).collect();
        let mut wanted = prefixes.to_vec();
        if matches!(
            condition,
            "prefix-list TEN" | "10.1.0.0/16 longer-prefixes" | "cidr-only"
        ) {
            // The second path of the first prefix begins with its next hop.
            wanted.insert(1, "10.10.0.2");
        }
        assert_eq!(shown, wanted, "{condition}: {text}");
        let last = match prefixes.len() {
            0 => None,
            count => Some(format!("Displayed {count} routes and 5 total paths")),
        };
        assert_eq!(text.lines().last(), last.as_deref(), "{condition}");

        let text = daemon
            .vtysh(&["-c", &format!("{command} json")])
            .exits(0)
            .out;
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = object["routes"].as_object().unwrap().keys().collect();
        assert_eq!(keys, prefixes, "{condition}");
        assert_eq!(object["totalPaths"], 5);
    }
}

#[test]
fn a_condition_that_means_nothing_is_told() {
    let daemon = with_routes();
    for (condition, said) in [
        ("prefix-list NO", "% NO prefix-list not found\n"),
        ("filter-list NO", "% NO AS-path access-list not found\n"),
        ("community-list NO", "% NO community-list not found\n"),
        (
            "large-community-list NO",
            "% NO is not a valid large-community-list name\n",
        ),
    ] {
        let shown = daemon.vtysh(&["-c", &format!("show ip bgp {condition}")]);
        assert_eq!(shown.exits(0).out, said);
    }
    let shown = daemon.vtysh(&["-c", "show ip bgp regexp (65001"]).exits(0);
    assert!(
        shown.out.starts_with("Can't compile regexp (65001: "),
        "{}",
        shown.out
    );
}

#[test]
fn what_import_policy_refused_of_a_neighbor_is_shown_alone() {
    let daemon = with_routes();
    let command = "show ip bgp neighbors 10.10.0.2 filtered-routes";
    let text = daemon.vtysh(&["-c", command]).exits(0).out;
    assert!(text.contains(" 10.66.1.0/24"), "{text}");
    assert!(!text.contains("10.1.0.0/24"), "{text}");
    assert!(text.ends_with("\nTotal number of prefixes 1\n"), "{text}");
    let text = daemon
        .vtysh(&["-c", &format!("{command} json")])
        .exits(0)
        .out;
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&String> = object["receivedRoutes"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(keys, ["10.66.1.0/24"]);
    assert_eq!(object["totalPrefixCounter"], 1);
}

#[test]
fn routes_of_a_neighbor_are_counted() {
    let daemon = with_routes();
    let command = "show ip bgp neighbors 10.10.0.2 prefix-counts";
    let text = daemon.vtysh(&["-c", command]).exits(0).out;
    for line in [
        "Prefix counts for 10.10.0.2, IPv4 Unicast",
        "PfxCt: 5",
        "              Adj-in: 6         ",
        "             All RIB: 5         ",
        " PfxCt Best Selected: 4         ",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    let text = daemon
        .vtysh(&["-c", &format!("{command} json")])
        .exits(0)
        .out;
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["pfxCounter"], 5);
    assert_eq!(object["ribTableWalkCounters"]["Adj-in"], 6);
}
