//! `rbgpctl` and the control socket against a core that is only a table of answers.
//!
//! ```text
//! rbgpctl (the built program) ──unix socket──► server ──CoreHandle──► fake core
//! ```
//!
//! Everything but the core is what is shipped. Texts that are asserted literally are those that
//! scripts rely on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::field_reassign_with_default
)]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rbgpd::control::reply::{self, Families, Reply, RouteCounts};
use rbgpd::control::server::{BODY_MAX, CONNECTIONS_MAX, Listener, serve};
use rbgpd::control::{Answer, CoreHandle, Drain, ErrorKind, ErrorReply, Request, Timestamp};
use rbgpd::metrics::Snapshot;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// What a test's core answers.
type Core = Box<dyn FnMut(&Request) -> Answer + Send>;

/// A server with a fake core, in a thread of its own; ends when dropped.
struct Daemon {
    directory: PathBuf,
    socket: PathBuf,
    metrics: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn fresh_directory() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("rbgpd-control-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).unwrap();
    directory
}

impl Daemon {
    fn new(mut core: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::boxed(Box::new(move |request| core(request)))
    }

    fn boxed(mut core: Core) -> Self {
        let directory = fresh_directory();
        let socket = directory.join("control.sock");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (path, log) = (socket.clone(), asked.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let (handle, mut calls) = CoreHandle::channel();
                let control = Listener::control(&path).unwrap();
                let metrics = Listener::metrics("127.0.0.1:0".parse().unwrap())
                    .await
                    .unwrap();
                ready.send(metrics.address().unwrap()).unwrap();
                let answers = async {
                    while let Some((request, answer)) = calls.recv().await {
                        log.lock().unwrap().push(request.clone());
                        // An asker that went away is no error.
                        let _ = answer.send(core(&request));
                    }
                };
                tokio::select! {
                    _ = serve(control, handle.clone()) => {}
                    _ = serve(metrics, handle) => {}
                    () = answers => {}
                    _ = stopped => {}
                }
            });
        });
        let metrics = is_ready.recv().unwrap();
        let (stop, thread) = (Some(stop), Some(thread));
        Self {
            directory,
            socket,
            metrics,
            asked,
            stop,
            thread,
        }
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    fn rbgpctl(&self, arguments: &[&str]) -> Ran {
        rbgpctl(&self.socket, arguments)
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends octets, and reads until the server closes the connection.
    fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may close before it has read everything.
        let _ = stream.write_all(octets);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> (u16, String) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        status_and_body(&self.exchange(request.as_bytes()))
    }

    fn post(&self, target: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        status_and_body(&self.exchange(request.as_bytes()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap();
            }
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn status_and_body(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    (status, body.to_owned())
}

struct Ran {
    code: i32,
    out: String,
    talk: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.out, self.talk
        );
        self
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbgpctl"));
    command.env_remove("RBGPD_SOCKET").stdin(Stdio::null());
    command
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

fn rbgpctl(socket: &Path, arguments: &[&str]) -> Ran {
    ran(program()
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .output()
        .unwrap())
}

/// `rbgpctl` without a daemon, fed with `input`.
fn rbgpctl_with(input: &[u8], arguments: &[&str]) -> Ran {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    ran(child.wait_with_output().unwrap())
}

fn counts(received: u64, accepted: u64, advertised: u64) -> RouteCounts {
    RouteCounts {
        received,
        accepted,
        looped: 0,
        advertised,
    }
}

fn site_b() -> reply::NeighborSummary {
    reply::NeighborSummary {
        address: "10.10.0.2".parse().unwrap(),
        remote_as: Some(65002),
        description: Some("Site-B-Frankfurt".to_owned()),
        state: "Established".to_owned(),
        uptime_s: Some(12),
        changed_s: Some(12),
        bfd: Some(reply::BfdState::Up),
        interface: None,
        listen_range: None,
        draining: false,
        messages_received: 7,
        messages_sent: 8,
        why: None,
        side: None,
        hint: None,
        families: Families {
            ipv4_unicast: Some(counts(2, 2, 2)),
            ipv6_unicast: None,
            evpn: Some(counts(4, 3, 4)),
        },
    }
}

fn site_c() -> reply::NeighborSummary {
    reply::NeighborSummary {
        address: "10.10.0.3".parse().unwrap(),
        remote_as: Some(65003),
        description: None,
        state: "Active".to_owned(),
        uptime_s: None,
        changed_s: None,
        bfd: Some(reply::BfdState::Down),
        why: Some("connection refused".to_owned()),
        side: Some("neighbor".to_owned()),
        hint: Some("is BGP running there?".to_owned()),
        ..site_b()
    }
}

fn summary() -> reply::Summary {
    let mut prefixes = Families::default();
    prefixes.ipv4_unicast = Some(5);
    reply::Summary {
        instances: Vec::new(),
        asn: 65001,
        router_id: "10.10.0.1".parse().unwrap(),
        draining: false,
        uptime_s: 100,
        prefixes,
        notices: vec!["0 of 2 prefixes announced to 10.10.0.3: no export policy".to_owned()],
        hold: None,
        neighbors: vec![site_b(), site_c()],
    }
}

fn route(number: u32) -> reply::Route {
    reply::Route {
        family: "ipv4_unicast".to_owned(),
        prefix: format!("10.{}.{}.0/24", number / 256, number % 256),
        neighbor: Some("10.10.0.2".parse().unwrap()),
        best: true,
        multipath: false,
        next_hops: vec!["10.10.0.2".parse().unwrap()],
        as_path: vec![
            reply::AsPathItem::Asn(65002),
            reply::AsPathItem::Set { set: vec![1, 2] },
        ],
        origin: "igp".to_owned(),
        communities: vec!["65000:100".to_owned()],
        large_communities: Vec::new(),
        extended_communities: Vec::new(),
        local_pref: Some(100),
        med: None,
        installed: true,
        stale: false,
        accepted: true,
        rejected_by: None,
        weight: None,
        tag: None,
        aigp: None,
        blackhole: false,
        rpki: None,
        source: None,
        path_id: 0,
        reason: None,
    }
}

/// A table of this many routes, in pages of three whatever is asked for.
fn paged(request: &Request, table: u32) -> Answer {
    let Request::Routes(routes) = request else {
        panic!("{request:?}");
    };
    let start = routes
        .page
        .after
        .as_ref()
        .map_or(0, |after| after.parse().unwrap());
    let end = table.min(start + 3);
    Ok(Reply::Routes(reply::Routes {
        routes: (start..end).map(route).collect(),
        next: (end < table).then(|| end.to_string()),
        covered_by: None,
    }))
}

// Text and JSON of each command.

#[test]
fn summary_has_the_keys_of_the_contract() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let json = daemon
        .rbgpctl(&["show", "summary", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["asn"], 65001);
    assert_eq!(json["router_id"], "10.10.0.1");
    assert_eq!(json["draining"], false);
    let neighbor = &json["neighbors"][0];
    assert_eq!(neighbor["address"], "10.10.0.2");
    assert_eq!(neighbor["remote_as"], 65002);
    assert_eq!(neighbor["description"], "Site-B-Frankfurt");
    assert_eq!(neighbor["state"], "Established");
    assert_eq!(neighbor["uptime_s"], 12);
    assert_eq!(neighbor["bfd"], "up");
    assert_eq!(
        neighbor["families"],
        json!({"ipv4_unicast": {"received": 2, "accepted": 2, "looped": 0, "advertised": 2},
               "evpn": {"received": 4, "accepted": 3, "looped": 0, "advertised": 4}})
    );
    assert_eq!(daemon.asked(), [Request::Summary]);
}

#[test]
fn summary_is_the_table_operators_know() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let ran = daemon.rbgpctl(&["show", "summary"]).exits(0);
    let expected = "\
BGP router identifier 10.10.0.1, local AS number 65001, up 00:01:40

IPv4 Unicast Summary: 5 prefixes
Neighbor   V     AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  Desc
10.10.0.2  4  65002        7        8  00:00:12             2       2  Site-B-Frankfurt
10.10.0.3  4  65003        7        8     never        Active       -  -

L2VPN EVPN Summary: 0 prefixes
Neighbor   V     AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxSnt  Desc
10.10.0.2  4  65002        7        8  00:00:12             3       4  Site-B-Frankfurt
10.10.0.3  4  65003        7        8     never        Active       -  -

Total number of neighbors 2

0 of 2 prefixes announced to 10.10.0.3: no export policy
10.10.0.2: 1 of 4 evpn routes not accepted; `rbgpctl show routes --received 10.10.0.2` marks them
10.10.0.3 is Active: connection refused; is BGP running there?
10.10.0.3: BFD is down
10.10.0.3: 1 of 4 evpn routes not accepted; `rbgpctl show routes --received 10.10.0.3` marks them
";
    assert_eq!(ran.out, expected);
    assert_eq!(ran.talk, "");
}

#[test]
fn neighbors_shows_one_or_all() {
    let daemon = Daemon::new(|request| {
        if let Request::Neighbors {
            address: Some(address),
        } = request
            && address.to_string() != "10.10.0.2"
        {
            return Err(
                ErrorReply::not_found(format!("no neighbor has address {address}"))
                    .hint("`rbgpctl show neighbors` lists them"),
            );
        }
        let failure = reply::Failure {
            reason: "hold timer expired".to_owned(),
            ago_s: 60,
        };
        let mut details = Families::default();
        details.ipv4_unicast = Some(reply::FamilyDetail {
            negotiated: true,
            import: Some("ACCEPT-ALL".to_owned()),
            add_path: Some(reply::AddPath {
                receive: true,
                send: Some("2".to_owned()),
                receiving: false,
                sending: true,
            }),
            ..reply::FamilyDetail::default()
        });
        Ok(Reply::Neighbors(reply::Neighbors {
            neighbors: vec![reply::Neighbor {
                summary: site_b(),
                local_address: Some("10.10.0.1".parse().unwrap()),
                router_id: Some("10.10.0.2".parse().unwrap()),
                internal: false,
                local_as: None,
                relation: vec![],
                password: true,
                tcp_ao: vec![2, 1],
                ttl: 255,
                ttl_security: Some(1),
                hold_time_s: 30,
                keepalive_s: 10,
                received: reply::MessageCounts {
                    update: 3,
                    ..Default::default()
                },
                sent: reply::MessageCounts::default(),
                malformed_updates: 0,
                capabilities: vec!["route refresh".to_owned()],
                established: 2,
                flaps: 1,
                kept_s: None,
                last_resort: false,
                last_down: Some(failure),
                last_error: None,
                details,
            }],
        }))
    });
    let json = daemon
        .rbgpctl(&["show", "neighbors", "10.10.0.2", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        json["neighbors"][0]["address"], "10.10.0.2",
        "the summary's keys are beside"
    );
    assert_eq!(json["neighbors"][0]["hold_time_s"], 30);
    assert_eq!(
        json["neighbors"][0]["details"]["ipv4_unicast"]["add_path"],
        json!({"receive": true, "send": "2", "receiving": false, "sending": true})
    );
    let text = daemon.rbgpctl(&["show", "neighbors"]).exits(0).out;
    for part in [
        "BGP neighbor is 10.10.0.2, remote AS 65002, external link",
        "  BGP state = Established, up for 00:00:12",
        "  Last loss 00:01:00 ago: hold timer expired",
        "ACCEPT-ALL",
        "  ipv4_unicast: several paths of a prefix (RFC 7911): sent, the best 2\n",
        "  ipv4_unicast: several paths of a prefix are configured (add_path_receive), but the \
         neighbor does not send them; turn that on there\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let refused = daemon.rbgpctl(&["show", "neighbors", "10.10.0.9"]).exits(1);
    assert_eq!(refused.out, "");
    assert_eq!(
        refused.talk,
        "error: no neighbor has address 10.10.0.9\n\nhint: `rbgpctl show neighbors` lists them\n"
    );
}

#[test]
fn routes_are_fetched_in_pages_and_printed_as_one() {
    let daemon = Daemon::new(|request| paged(request, 7));
    let json = daemon
        .rbgpctl(&["show", "--json", "routes"])
        .exits(0)
        .json();
    let routes = json["routes"].as_array().unwrap();
    assert_eq!(routes.len(), 7);
    assert_eq!(daemon.asked().len(), 3);
    for key in [
        "prefix",
        "neighbor",
        "best",
        "multipath",
        "next_hops",
        "as_path",
        "communities",
        "local_pref",
        "med",
        "installed",
    ] {
        assert!(routes[0].get(key).is_some(), "{key}");
    }
    assert_eq!(routes[6]["prefix"], "10.0.6.0/24");
    assert_eq!(routes[0]["as_path"], json!([65002, {"set": [1, 2]}]));
    let text = daemon.rbgpctl(&["show", "routes"]).exits(0).out;
    assert_eq!(
        text.lines().filter(|line| line.starts_with("*>")).count(),
        7,
        "{text}"
    );
    assert_eq!(text.matches("Network").count(), 1, "{text}");
    let row = "*>  10.0.0.0/24  10.10.0.2  10.10.0.2       -     100  yes     65002 {1,2} i";
    assert!(text.contains(row), "{text}");
}

#[test]
fn paths_of_one_prefix_are_told_apart_by_their_identifiers() {
    let daemon = Daemon::new(|request| {
        let Reply::Routes(mut page) = paged(request, 2)? else {
            panic!("{request:?}");
        };
        for (route, id) in page.routes.iter_mut().zip([7, u32::MAX]) {
            route.path_id = id;
        }
        Ok(Reply::Routes(page))
    });
    let text = daemon.rbgpctl(&["show", "routes"]).exits(0).out;
    for part in [
        "10.10.0.2#7 ",
        "10.10.0.2#4294967295 ",
        "#N path identifier",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let json = daemon
        .rbgpctl(&["show", "routes", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["routes"][1]["path_id"], u32::MAX);
    assert_eq!(json["routes"][1]["neighbor"], "10.10.0.2");
}

#[test]
fn own_routes_that_come_back_have_a_mark_and_raise_no_attention() {
    let daemon = Daemon::new(|request| {
        Ok(match request {
            Request::Summary => {
                let mut summary = summary();
                summary.notices.clear();
                summary.neighbors.truncate(1);
                let looped = RouteCounts {
                    looped: 2,
                    ..counts(5, 3, 2)
                };
                summary.neighbors[0].families = Families {
                    ipv4_unicast: Some(looped),
                    ipv6_unicast: Some(counts(5, 4, 2)),
                    ..Families::default()
                };
                Reply::Summary(summary)
            }
            _ => {
                let rejected = |number, by: &str| reply::Route {
                    accepted: false,
                    best: false,
                    rejected_by: Some(by.to_owned()),
                    ..route(number)
                };
                Reply::Routes(reply::Routes {
                    routes: vec![
                        rejected(1, "loop"),
                        rejected(2, "policy"),
                        rejected(3, "next_hop"),
                    ],
                    next: None,
                    covered_by: None,
                })
            }
        })
    });
    let text = daemon.rbgpctl(&["show", "summary"]).exits(0).out;
    assert!(!text.contains("ipv4_unicast routes not accepted"), "{text}");
    assert!(
        text.contains("1 of 5 ipv6_unicast routes not accepted"),
        "{text}"
    );
    let text = daemon
        .rbgpctl(&["show", "routes", "--received", "10.10.0.2"])
        .exits(0)
        .out;
    let marks: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("10.0."))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(marks, ["l", "x", "n"], "{text}");
}

#[test]
fn an_empty_table_is_empty_json_all_the_same() {
    let daemon = Daemon::new(|request| paged(request, 0));
    let ran = daemon.rbgpctl(&["show", "routes", "--json"]).exits(0);
    assert_eq!(ran.json(), json!({"routes": []}));
}

#[test]
fn a_prefix_without_a_route_is_a_failure_that_names_what_contains_it() {
    let daemon = Daemon::new(|request| {
        let Request::Routes(routes) = request else {
            panic!("{request:?}");
        };
        let covered = routes.prefix.is_some_and(|prefix| prefix.len() > 8);
        Ok(Reply::Routes(reply::Routes {
            covered_by: covered.then(|| "10.0.0.0/8".to_owned()),
            ..reply::Routes::default()
        }))
    });
    let ran = daemon.rbgpctl(&["show", "routes", "10.9.0.0/16"]).exits(1);
    assert_eq!(ran.out, "");
    assert_eq!(
        ran.talk,
        "error: no route to `10.9.0.0/16` in the table\n\n\
         hint: `10.0.0.0/8` contains it: rbgpctl show routes 10.0.0.0/8\n"
    );
    let alone = ["show", "routes", "8.0.0.0/8", "--received", "10.10.0.2"];
    let ran = daemon.rbgpctl(&alone).exits(1);
    assert_eq!(
        ran.talk,
        "error: no route to `8.0.0.0/8` among those received from 10.10.0.2\n\n\
         hint: nothing there contains it, not even a default route\n"
    );
    let ran = daemon
        .rbgpctl(&["show", "routes", "8.0.0.0/8", "--json"])
        .exits(1);
    assert_eq!(ran.json(), json!({"routes": []}));
    daemon.rbgpctl(&["show", "routes"]).exits(0);
}

#[test]
fn routes_can_be_narrowed_down() {
    let daemon = Daemon::new(|request| paged(request, 1));
    for arguments in [
        &["show", "routes", "10.0.0.0/8", "--family", "ipv4_unicast"][..],
        &["show", "routes", "--received", "10.10.0.2"],
        &["show", "routes", "--advertised", "2001:db8::2"],
    ] {
        daemon.rbgpctl(arguments).exits(0);
    }
    let asked = format!("{:?}", daemon.asked());
    for part in [
        "Ipv4Unicast",
        "Received(10.10.0.2)",
        "Advertised(2001:db8::2)",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let daemon = Daemon::new(|request| paged(request, 3000));
    let mut child = program()
        .arg("--socket")
        .arg(&daemon.socket)
        .args(["show", "routes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut [0; 10])
        .unwrap();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
}

#[test]
fn explain_says_why_where_and_to_whom() {
    let daemon = Daemon::new(|request| {
        let Request::Explain { target } = request else {
            panic!("{request:?}");
        };
        Ok(Reply::Explain(reply::Explain {
            target: target.clone(),
            entries: vec![reply::Explained {
                subject: "10.0.0.0/24".to_owned(),
                family: "ipv4_unicast".to_owned(),
                paths: vec![reply::ExplainedPath {
                    from: "10.10.0.2".to_owned(),
                    route: Some(route(0)),
                    chosen: true,
                    verdict: "only path".to_owned(),
                    policy: vec!["ACCEPT-ALL 10 permit".to_owned()],
                    routes: Vec::new(),
                }],
                kernel: vec![reply::KernelEntry {
                    entry: "10.0.0.0/24 table 254".to_owned(),
                    want: Some("via 10.10.0.2".to_owned()),
                    have: None,
                    installed: false,
                    error: Some("no route to host".to_owned()),
                }],
                told: vec![reply::Told {
                    neighbor: "10.10.0.3".parse().unwrap(),
                    advertised: false,
                    why: "no export policy".to_owned(),
                    policy: Vec::new(),
                }],
                notes: Vec::new(),
            }],
        }))
    });
    let text = daemon.rbgpctl(&["explain", "10.0.0.5"]).exits(0).out;
    assert_eq!(
        text,
        "\
10.0.0.0/24 (ipv4_unicast)
  paths:
  > from 10.10.0.2: only path
      next hop 10.10.0.2, AS path 65002 {1,2}, origin igp, local pref 100, MED -, communities 65000:100
      policy: ACCEPT-ALL 10 permit
  kernel:
    10.0.0.0/24 table 254: NOT installed
      want: via 10.10.0.2
      have: -
      refused: no route to host
  told:
    10.10.0.3: no: no export policy
"
    );
    let json = daemon
        .rbgpctl(&["explain", "--json", "[2]:[10.10.0.1:100]:[0]"])
        .exits(0)
        .json();
    assert_eq!(json["target"], "[2]:[10.10.0.1:100]:[0]");
    assert_eq!(json["entries"][0]["told"][0]["advertised"], false);
}

#[test]
fn evpn_and_bfd_have_the_keys_of_the_contract() {
    let daemon = Daemon::new(|request| {
        let vtep = "10.10.0.2".parse().unwrap();
        Ok(match request {
            Request::EvpnMac { .. } => Reply::EvpnMac(reply::EvpnMac {
                macs: vec![reply::Mac {
                    vni: 100,
                    mac: "02:00:00:00:00:01".to_owned(),
                    ips: vec!["10.100.0.5".parse().unwrap()],
                    kind: reply::MacKind::Remote,
                    vtep: Some(vtep),
                    sequence: 3,
                    sticky: false,
                    moves: 1,
                    reason: None,
                    conflict: None,
                    installed: Some(true),
                }],
            }),
            Request::EvpnVni => Reply::EvpnVni(reply::EvpnVni {
                vnis: vec![reply::Vni {
                    vni: 100,
                    name: "production".to_owned(),
                    rd: Some("10.10.0.1:100".to_owned()),
                    import_targets: vec!["65000:100".to_owned()],
                    export_targets: vec!["65000:100".to_owned()],
                    local_macs: 1,
                    remote_macs: 2,
                    remote_vteps: vec![vtep],
                    vtep: Some("10.10.0.1".parse().unwrap()),
                    bridge: Some("br100".to_owned()),
                    vxlan: Some("vxlan100".to_owned()),
                    mtu: Some(1370),
                    gateway: Vec::new(),
                    problems: vec!["disabled".to_owned()],
                }],
            }),
            Request::EvpnRoutes(_) => Reply::EvpnRoutes(reply::EvpnRoutes {
                routes: vec![reply::EvpnRoute {
                    route: reply::Route {
                        family: "evpn".to_owned(),
                        ..route(0)
                    },
                    evpn: json!({"route_type": 2}),
                    vnis: vec![reply::EvpnImport {
                        vni: 100,
                        fault: Some("group address".to_owned()),
                    }],
                }],
                next: None,
            }),
            Request::Bfd => Reply::Bfd(reply::Bfd {
                sessions: vec![reply::BfdSession {
                    peer: vtep,
                    state: reply::BfdState::Up,
                    interval_ms: 300.0,
                    detect_ms: 900.0,
                    uptime_s: Some(9),
                    local: None,
                    interface: Some("wg0".to_owned()),
                    multiplier: 3,
                    diagnostic: None,
                    remote_state: Some(reply::BfdState::Up),
                    flaps: 0,
                    waiting: None,
                }],
            }),
            other => panic!("{other:?}"),
        })
    });
    let mac = daemon
        .rbgpctl(&["show", "evpn", "mac", "--vni", "100", "--json"])
        .exits(0)
        .json();
    let mac = &mac["macs"][0];
    for (key, value) in [
        ("vni", json!(100)),
        ("mac", json!("02:00:00:00:00:01")),
        ("ips", json!(["10.100.0.5"])),
        ("kind", json!("remote")),
        ("vtep", json!("10.10.0.2")),
        ("sequence", json!(3)),
        ("sticky", json!(false)),
    ] {
        assert_eq!(mac[key], value, "{key}");
    }
    let bfd = daemon.rbgpctl(&["show", "bfd", "--json"]).exits(0).json();
    let bfd = &bfd["sessions"][0];
    assert_eq!(
        (&bfd["peer"], &bfd["state"]),
        (&json!("10.10.0.2"), &json!("up"))
    );
    assert_eq!(
        (bfd["interval_ms"].as_f64(), bfd["detect_ms"].as_f64()),
        (Some(300.0), Some(900.0))
    );
    assert_eq!(bfd["uptime_s"], 9);
    let routes = daemon
        .rbgpctl(&["show", "evpn", "routes", "--json"])
        .exits(0)
        .json();
    assert_eq!(routes["routes"][0]["evpn"]["route_type"], 2);
    assert_eq!(
        routes["routes"][0]["best"], true,
        "the route's keys are beside"
    );
    let vni = daemon
        .rbgpctl(&["show", "evpn", "vni", "--json"])
        .exits(0)
        .json();
    assert_eq!(vni["vnis"][0]["vni"], 100);

    let text = daemon.rbgpctl(&["show", "evpn", "mac"]).exits(0).out;
    assert!(
        text.contains("100  02:00:00:00:00:01  remote  10.10.0.2"),
        "{text}"
    );
    let text = daemon.rbgpctl(&["show", "evpn", "vni"]).exits(0).out;
    assert!(text.contains("VNI 100: disabled"), "{text}");
    let text = daemon.rbgpctl(&["show", "evpn", "routes"]).exits(0).out;
    assert!(
        text.contains("100(unused)") && text.contains("group address"),
        "{text}"
    );
    let text = daemon.rbgpctl(&["show", "bfd"]).exits(0).out;
    assert!(
        text.contains("10.10.0.2  -      wg0        up     up         300ms   900ms"),
        "{text}"
    );
}

#[test]
fn verify_exits_by_what_it_finds() {
    let verify = |missing| reply::Verify {
        equal: missing == 0,
        checked: 5,
        pending: 0,
        missing,
        different: 0,
        unexpected: 0,
        differences: vec![
            reply::Difference {
                entry: "10.0.0.0/24 table 254".to_owned(),
                want: Some("via 10.10.0.2".to_owned()),
                have: None,
                error: None,
            };
            usize::try_from(missing).unwrap()
        ],
        kernel_enabled: true,
        notes: Vec::new(),
    };
    let left = Arc::new(AtomicUsize::new(0));
    let counter = left.clone();
    let daemon = Daemon::new(move |_| {
        let missing = counter.load(Ordering::Relaxed);
        counter.store(missing.saturating_sub(1), Ordering::Relaxed);
        Ok(Reply::Verify(verify(u64::try_from(missing).unwrap())))
    });
    let equal = daemon.rbgpctl(&["verify"]).exits(0);
    assert_eq!(equal.out, "Equal: 5 kernel entries are as they should be\n");
    left.store(1, Ordering::Relaxed);
    let text = daemon.rbgpctl(&["verify"]).exits(1).out;
    assert!(
        text.contains("10.0.0.0/24 table 254\n  want: via 10.10.0.2\n  have: -"),
        "{text}"
    );
    left.store(1, Ordering::Relaxed);
    let json = daemon.rbgpctl(&["verify", "--json"]).exits(1).json();
    assert_eq!(
        (&json["equal"], &json["missing"]),
        (&json!(false), &json!(1))
    );
    left.store(2, Ordering::Relaxed);
    daemon.rbgpctl(&["verify", "--wait"]).exits(0);
    left.store(1_000_000, Ordering::Relaxed);
    daemon
        .rbgpctl(&["verify", "--wait", "--timeout", "300ms"])
        .exits(3);
}

fn drain_status(draining: bool, complete: bool) -> reply::Drain {
    let mut families = Families::default();
    families.ipv4_unicast = Some(reply::FamilyDrain {
        told: complete,
        still_preferred: vec!["10.100.0.0/16".to_owned()],
        still_preferred_total: 1,
    });
    reply::Drain {
        draining,
        since: Some(Timestamp::from_unix_s(1_709_251_199)),
        reason: Some("new disk".to_owned()),
        complete,
        pending: if complete {
            Vec::new()
        } else {
            vec!["10.10.0.2 is not told".to_owned()]
        },
        neighbors: vec![reply::NeighborDrain {
            instance: None,
            address: "10.10.0.2".parse().unwrap(),
            description: None,
            draining,
            complete,
            families,
        }],
        ..reply::Drain::default()
    }
}

#[test]
fn drain_waits_until_it_is_confirmed() {
    let mut questions = 0;
    let daemon = Daemon::new(move |request| {
        questions += usize::from(*request == Request::DrainStatus);
        Ok(Reply::Drain(drain_status(true, questions >= 2)))
    });
    let ran = daemon
        .rbgpctl(&[
            "drain",
            "--wait",
            "--timeout",
            "30s",
            "--for",
            "30m",
            "--reason",
            "new disk",
            "--json",
        ])
        .exits(0);
    let json = ran.json();
    for (key, value) in [
        ("draining", json!(true)),
        ("complete", json!(true)),
        ("since", json!("2024-02-29T23:59:59Z")),
        ("reason", json!("new disk")),
        ("deadline", Value::Null),
        ("packets_per_second", Value::Null),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    let family = &json["neighbors"][0]["families"]["ipv4_unicast"];
    assert_eq!(family["told"], true);
    assert_eq!(family["still_preferred"], json!(["10.100.0.0/16"]));
    assert_eq!(ran.talk, "waiting: 10.10.0.2 is not told\n");
    assert_eq!(
        daemon.asked(),
        [
            Request::Drain(Drain {
                reason: Some("new disk".to_owned()),
                duration: Some(Duration::from_secs(1800)),
                ..Drain::default()
            }),
            Request::DrainStatus,
            Request::DrainStatus,
        ]
    );
}

#[test]
fn drain_that_is_not_confirmed_in_time_says_what_is_missing() {
    let daemon = Daemon::new(|_| Ok(Reply::Drain(drain_status(true, false))));
    let ran = daemon
        .rbgpctl(&["drain", "--wait", "--timeout", "300ms"])
        .exits(3);
    assert!(
        ran.out.starts_with("This router is draining\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.talk
            .contains("error: not confirmed in time:\n  10.10.0.2 is not told"),
        "{}",
        ran.talk
    );
    assert!(
        ran.talk.contains("`rbgpctl undrain` ends it"),
        "{}",
        ran.talk
    );
    // Without --wait nothing is waited for.
    daemon.rbgpctl(&["drain"]).exits(0);
}

#[test]
fn drain_that_somebody_ends_is_a_failure() {
    let daemon = Daemon::new(|request| {
        Ok(Reply::Drain(drain_status(
            *request != Request::DrainStatus,
            false,
        )))
    });
    let ran = daemon.rbgpctl(&["drain", "--wait"]).exits(1);
    assert!(ran.talk.contains("ended by another order"), "{}", ran.talk);
}

#[test]
fn drain_that_is_not_safe_changes_nothing_and_exits_3() {
    let risk = || "10.100.0.0/16 has no other way";
    let daemon = Daemon::new(move |request| {
        let Request::Drain(drain) = request else {
            panic!("{request:?}");
        };
        let mut status = drain_status(drain.force, true);
        status.dry_run = drain.dry_run;
        status.risks = vec![risk().to_owned()];
        if drain.force {
            return Ok(Reply::Drain(status));
        }
        Err(
            ErrorReply::new(ErrorKind::NotSafe, "draining would cut something off")
                .details([risk().to_owned()])
                .hint("--force drains all the same"),
        )
    });
    let ran = daemon.rbgpctl(&["drain", "--wait"]).exits(3);
    assert_eq!(ran.out, "");
    assert_eq!(
        ran.talk,
        "error: draining would cut something off\n  10.100.0.0/16 has no other way\n\n\
         hint: --force drains all the same\n"
    );
    let ran = daemon.rbgpctl(&["drain", "--dry-run"]).exits(3);
    assert_eq!(ran.out, "");
    let ran = daemon.rbgpctl(&["drain", "--dry-run", "--force"]).exits(0);
    assert!(
        ran.out.starts_with("Dry run: nothing was changed\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("While away: 10.100.0.0/16"), "{}", ran.out);
    let ran = daemon.rbgpctl(&["drain", "--force", "--wait"]).exits(0);
    assert!(ran.talk.contains("warning: 10.100.0.0/16"), "{}", ran.talk);
}

#[test]
fn a_dry_run_exits_by_what_it_finds() {
    let daemon = Daemon::new(|request| {
        let Request::Drain(drain) = request else {
            panic!("{request:?}");
        };
        let mut status = drain_status(false, true);
        status.dry_run = drain.dry_run;
        if drain.neighbor.is_none() {
            status.risks = vec!["10.100.0.0/16 has no other way".to_owned()];
        }
        Ok(Reply::Drain(status))
    });
    for (arguments, code) in [
        (vec!["drain", "--dry-run"], 3),
        (vec!["drain", "--dry-run", "--json"], 3),
        (vec!["drain", "--dry-run", "--force"], 0),
        (vec!["drain", "--dry-run", "--neighbor", "10.10.0.2"], 0),
    ] {
        let ran = daemon.rbgpctl(&arguments).exits(code);
        assert!(!ran.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn undrain_waits_for_the_return() {
    let mut questions = 0;
    let daemon = Daemon::new(move |request| {
        questions += usize::from(*request == Request::DrainStatus);
        Ok(Reply::Drain(drain_status(false, questions >= 1)))
    });
    let ran = daemon
        .rbgpctl(&["undrain", "--neighbor", "10.10.0.2", "--wait"])
        .exits(0);
    assert!(ran.out.starts_with("Not draining\n"), "{}", ran.out);
    let neighbor = Some("10.10.0.2".parse().unwrap());
    let force = false;
    assert_eq!(daemon.asked()[0], Request::Undrain { neighbor, force });
}

#[test]
fn undrain_waits_until_the_daemon_is_ready() {
    let mut orders = 0;
    let daemon = Daemon::new(move |request| {
        if matches!(request, Request::Undrain { force: false, .. }) {
            orders += 1;
            if orders < 3 {
                return Err(ErrorReply::new(ErrorKind::NotSafe, "not ready")
                    .details(["10.10.0.2: BFD is Down".to_owned()]));
            }
        }
        Ok(Reply::Drain(drain_status(false, true)))
    });
    let ran = daemon.rbgpctl(&["undrain"]).exits(3);
    assert!(ran.talk.contains("BFD is Down"), "{}", ran.talk);
    let ran = daemon.rbgpctl(&["undrain", "--wait"]).exits(0);
    assert!(
        ran.talk.contains("waiting: 10.10.0.2: BFD is Down"),
        "{}",
        ran.talk
    );
    daemon.rbgpctl(&["undrain", "--force"]).exits(0);
}

#[test]
fn drain_status_is_shown_by_neighbor_and_family() {
    let daemon = Daemon::new(|_| Ok(Reply::Drain(drain_status(true, false))));
    let text = daemon.rbgpctl(&["show", "drain"]).exits(0).out;
    assert_eq!(
        text,
        "\
This router is draining
Since 2024-02-29T23:59:59Z
Reason: new disk
Not confirmed: 10.10.0.2 is not told

Neighbor   Draining  Confirmed  Family        Told  Still via us  Desc
10.10.0.2  yes       no         ipv4_unicast  no               1  -
"
    );
}

#[test]
fn reload_and_clear_say_what_they_reach() {
    let neighbor = "10.10.0.2".parse().unwrap();
    let daemon = Daemon::new(move |request| match request {
        Request::Reload { dry_run: true } => Ok(Reply::Reload(reply::Reload {
            dry_run: true,
            changed: true,
            changes: vec!["neighbor 10.10.0.2: hold 30s -> 90s".to_owned()],
            restarts: vec![neighbor],
            restart_required: Vec::new(),
            notes: vec!["restarted: routes are held back".to_owned()],
        })),
        Request::Reload { dry_run: false } => Err(ErrorReply::new(
            ErrorKind::BadConfig,
            "the configuration has 1 error",
        )
        .details(["rbgpd.toml:1:1: wrong".to_owned()])),
        _ => Ok(Reply::Clear(reply::Clear {
            cleared: vec![neighbor],
        })),
    });
    let text = daemon.rbgpctl(&["reload", "--dry-run"]).exits(0).out;
    assert_eq!(
        text,
        "neighbor 10.10.0.2: hold 30s -> 90s\n\
         The session with 10.10.0.2 would restart\n\
         note: restarted: routes are held back\n\
         Dry run: nothing was changed\n"
    );
    let daemon_that_refuses = Daemon::new(|_| {
        let change = "asn 65001 -> 65009";
        Ok(Reply::Reload(reply::Reload {
            dry_run: true,
            changed: true,
            changes: vec![format!("{change} (needs a restart of rbgpd)")],
            restarts: Vec::new(),
            restart_required: vec![change.to_owned()],
            notes: Vec::new(),
        }))
    });
    let text = daemon_that_refuses.rbgpctl(&["reload", "--dry-run"]);
    assert_eq!(
        text.exits(1).out,
        "asn 65001 -> 65009 (needs a restart of rbgpd)\n\
         A reload would be refused as a whole: one of the changes needs a restart of rbgpd\n\
         Dry run: nothing was changed\n"
    );
    let ran = daemon.rbgpctl(&["reload"]).exits(1);
    assert_eq!(
        ran.talk,
        "error: the configuration has 1 error\n  rbgpd.toml:1:1: wrong\n"
    );
    let text = daemon
        .rbgpctl(&["clear", "10.10.0.2", "--soft", "in"])
        .exits(0)
        .out;
    assert_eq!(text, "10.10.0.2: asked for its routes again\n");
    let text = daemon.rbgpctl(&["clear", "all"]).exits(0).out;
    assert_eq!(text, "10.10.0.2: session restarted\n");
}

#[test]
fn memory_and_version_are_shown() {
    let daemon = Daemon::new(|request| {
        Ok(match request {
            Request::Memory => Reply::Memory(reply::Memory {
                resident_bytes: 4096,
                ..reply::Memory::default()
            }),
            _ => Reply::Version(reply::Version {
                version: "9.9.9".to_owned(),
                pid: 7,
                uptime_s: 61,
            }),
        })
    });
    let text = daemon.rbgpctl(&["show", "version"]).exits(0).out;
    assert!(
        text.starts_with("rbgpd 9.9.9, process 7, up 00:01:01\nrbgpctl "),
        "{text}"
    );
    let text = daemon.rbgpctl(&["show", "memory"]).exits(0).out;
    assert!(
        text.contains("process, resident") && text.contains("4096"),
        "{text}"
    );
}

// Wrong usage and missing daemons.

#[test]
fn wrong_usage_exits_2_and_asks_nobody() {
    let daemon = Daemon::new(|request| panic!("{request:?}"));
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["show"],
        &["show", "evpn"],
        &["show", "routes", "10.0.0.0/33"],
        &["show", "routes", "--family", "ipv5"],
        &[
            "show",
            "routes",
            "--received",
            "10.0.0.1",
            "--advertised",
            "10.0.0.1",
        ],
        &["show", "neighbors", "site-b"],
        &["show", "evpn", "mac", "--vni", "16777216"],
        &["drain", "--for", "30"],
        &["drain", "--timeout", "soon"],
        &["drain", "--dry-run", "--wait"],
        &["clear"],
        &["clear", "everything"],
        &["clear", "all", "--soft", "none"],
        &["explain"],
        &["plan", "x.toml"],
        &["rollback"],
        &["vtysh", "-c", "show bgp summary"],
    ] {
        let ran = daemon.rbgpctl(arguments).exits(2);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(!ran.talk.is_empty(), "{arguments:?}");
    }
    assert!(daemon.asked().is_empty());
}

#[test]
fn help_says_what_a_drain_does_and_how_to_undo_it() {
    let help = ran(program().args(["drain", "--help"]).output().unwrap())
        .exits(0)
        .out;
    let effect = help.find("Moves traffic away").expect("what it does");
    let traffic = help
        .find("forwarding stay up")
        .expect("what it does to traffic");
    let undo = help.find("rbgpctl undrain").expect("how to undo it");
    assert!(effect < traffic && traffic < undo, "{help}");
    let help = ran(program().arg("--help").output().unwrap()).exits(0).out;
    assert!(
        help.contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not safe"),
        "{help}"
    );
}

#[test]
fn a_missing_daemon_is_an_error_with_a_remedy() {
    let directory = fresh_directory();
    let socket = directory.join("control.sock");
    let missing = rbgpctl(&socket, &["show", "summary"]).exits(1);
    assert!(
        missing.talk.contains("cannot reach the daemon at"),
        "{}",
        missing.talk
    );
    assert!(
        missing.talk.contains("\n\nhint: is rbgpd running?"),
        "{}",
        missing.talk
    );
    assert_eq!(missing.out, "");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let dead = rbgpctl(&socket, &["show", "routes", "--json"]).exits(1);
    assert!(
        dead.talk.contains("left from a daemon that is gone"),
        "{}",
        dead.talk
    );
    assert_eq!(dead.out, "");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_socket_may_come_from_the_environment() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let output = program()
        .env("RBGPD_SOCKET", &daemon.socket)
        .args(["show", "summary", "--json"])
        .output()
        .unwrap();
    ran(output).exits(0);
}

// HTTP as others speak it.

#[test]
fn the_socket_speaks_http_to_anybody() {
    let daemon = Daemon::new(|request| match request {
        Request::Summary => Ok(Reply::Summary(summary())),
        Request::Metrics => Ok(Reply::Metrics(Box::new(Snapshot {
            uptime_s: 77,
            ..Snapshot::default()
        }))),
        _ => paged(request, 10),
    });
    let (status, body) = daemon.get("/v1/summary");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["asn"], 65001);
    let (status, body) = daemon.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("\nrbgpd_uptime_seconds 77\n"), "{body}");
    let (status, body) = daemon.get("/v1/routes?limit=2");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["next"], "3");
}

#[test]
fn a_whole_table_comes_in_chunks_as_one_object() {
    let daemon = Daemon::new(|request| paged(request, 10));
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    let (status, body) = status_and_body(&daemon.exchange(b"GET /v1/routes HTTP/1.0\r\n\r\n"));
    assert_eq!(status, 200);
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["routes"].as_array().unwrap().len(), 10);
    assert_eq!(daemon.asked().len(), 4);
}

#[test]
fn a_table_that_breaks_off_does_not_look_whole() {
    let daemon = Daemon::new(|request| match request {
        Request::Routes(routes) if routes.page.after.is_some() => Err(ErrorReply::failed("gone")),
        _ => paged(request, 10),
    });
    let answer =
        daemon.exchange(b"GET /v1/routes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("10.0.2.0/24"), "{answer}");
    assert!(
        !answer.ends_with("0\r\n\r\n"),
        "the last chunk would say that it is whole: {answer}"
    );
    let ran = daemon.rbgpctl(&["show", "routes", "--json"]).exits(1);
    assert!(
        serde_json::from_str::<Value>(&ran.out).is_err(),
        "{}",
        ran.out
    );
}

#[test]
fn bad_requests_get_json_and_a_fitting_status() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    for (target, status) in [
        ("/", 404),
        ("/v1/nothing", 404),
        ("/v1/routes?prefx=1", 400),
        ("/v1/reload", 405),
    ] {
        let (got, body) = daemon.get(target);
        assert_eq!(got, status, "{target}");
        let json: Value = serde_json::from_str(&body).unwrap();
        assert!(json["error"].is_string(), "{body}");
    }
    assert_eq!(daemon.post("/v1/drain", "{\"fro\": 1}").0, 400);
    assert_eq!(daemon.post("/v1/drain", "not json").0, 400);
    assert_eq!(daemon.post("/v1/summary", "").0, 405);
    for (method, path, allowed) in [
        ("DELETE", "/v1/drain", "GET, POST"),
        ("DELETE", "/v1/routes", "GET"),
        ("POST", "/v1/routes", "GET"),
        ("PUT", "/v1/reload", "POST"),
        ("GET", "/v1/clear", "POST"),
        ("PATCH", "/metrics", "GET"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = daemon.exchange(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        assert!(
            answer.contains(&format!("\r\nallow: {allowed}\r\n")),
            "{answer}"
        );
        let words = allowed.replace(", ", " and ");
        let error = format!("`{path}` takes {words}, but was asked with {method}");
        assert!(answer.contains(&error), "{answer}");
    }
    let unknown = b"DELETE /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(status_and_body(&daemon.exchange(unknown)).0, 404);
    for limit in ["0", "10001", "-1", "ten", "99999999999"] {
        let (status, body) = daemon.get(&format!("/v1/routes?limit={limit}"));
        let error = format!("`limit` is `{limit}`, but must be a number from 1 to 10000");
        assert_eq!(status, 400);
        assert!(body.contains(&error), "{body}");
    }
    assert!(daemon.asked().is_empty(), "none of it reached the core");
    // And the server is still well.
    assert_eq!(daemon.get("/v1/summary").0, 200);
}

#[test]
fn oversized_and_broken_http_is_refused() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let (status, body) = daemon.post("/v1/drain", &" ".repeat(BODY_MAX + 1));
    assert_eq!(status, 413, "{body}");
    // Without a length the limit holds as well.
    let mut chunked = b"POST /v1/drain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..=BODY_MAX / 4096 {
        chunked.extend(b"1000\r\n");
        chunked.extend([b' '; 4096]);
        chunked.extend(b"\r\n");
    }
    assert_eq!(status_and_body(&daemon.exchange(&chunked)).0, 413);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    for octets in [
        &b"\x00\xff\xfe garbage\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/drain HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        long.as_bytes(),
    ] {
        let answer = daemon.exchange(octets);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    // Half a request, and gone.
    let mut half = daemon.connect();
    half.write_all(b"POST /v1/drain HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
        .unwrap();
    half.shutdown(Shutdown::Both).unwrap();
    assert!(daemon.asked().is_empty(), "none of it reached the core");
    assert_eq!(daemon.get("/v1/summary").0, 200);
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let daemon = Daemon::new(|request| match request {
        Request::Summary => Ok(Reply::Summary(summary())),
        _ => paged(request, 1_000_000),
    });
    let mut deaf = daemon.connect();
    deaf.write_all(b"GET /v1/routes HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        daemon.rbgpctl(&["show", "summary"]).exits(0);
    }
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    // What was asked of the core stops when the socket's buffers are full.
    let pages = daemon
        .asked()
        .iter()
        .filter(|r| matches!(r, Request::Routes(_)))
        .count();
    assert!(
        pages < 10_000,
        "{pages} pages were fetched for somebody who reads none"
    );
}

#[test]
fn idle_connections_are_closed_so_that_others_get_in() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let idle: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| daemon.connect()).collect();
    for mut stream in idle.iter().step_by(2) {
        // Idle after a question is idle, too.
        stream
            .write_all(b"GET /v1/summary HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
    }
    // All places are taken; this one waits until the idle ones have been given up.
    assert_eq!(daemon.get("/v1/summary").0, 200);
    for mut stream in idle {
        let mut rest = Vec::new();
        stream
            .read_to_end(&mut rest)
            .expect("closed, perhaps with a word");
    }
}

#[test]
fn tcp_serves_metrics_and_nothing_else() {
    let daemon = Daemon::new(|request| match request {
        Request::Metrics => Ok(Reply::Metrics(Box::default())),
        other => panic!("{other:?}"),
    });
    let get = |target: &str, method: &str| {
        let mut stream = std::net::TcpStream::connect(daemon.metrics).unwrap();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = get("/metrics", "GET");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(answer.contains("rbgpd_build_info{version="), "{answer}");
    assert!(get("/v1/summary", "GET").starts_with("HTTP/1.1 404"));
    assert!(get("/v1/drain", "POST").starts_with("HTTP/1.1 404"));
    assert_eq!(daemon.asked(), [Request::Metrics]);
}

// Commands without a daemon.

#[test]
fn check_reports_errors_with_their_place() {
    let directory = fresh_directory();
    let good = directory.join("good.toml");
    std::fs::write(&good, "asn = 65001\nrouter_id = \"10.10.0.1\"\n").unwrap();
    let ran = rbgpctl_with(b"", &["check", good.to_str().unwrap()]).exits(0);
    assert_eq!(ran.out, "");
    let bad = directory.join("bad.toml");
    std::fs::write(
        &bad,
        "asn = 65001\nrouter_id = \"10.10.0.1\"\nasm = 1\nlisten = 5\n",
    )
    .unwrap();
    let ran = rbgpctl_with(b"", &["check", bad.to_str().unwrap()]).exits(2);
    assert!(ran.talk.contains("bad.toml:3:1: "), "{}", ran.talk);
    assert!(ran.talk.contains("bad.toml:4:"), "{}", ran.talk);
    let missing = directory.join("missing.toml");
    let ran = rbgpctl_with(b"", &["check", missing.to_str().unwrap()]).exits(2);
    assert!(
        ran.talk.contains("missing.toml` does not exist\n\nhint: "),
        "{}",
        ran.talk
    );
    let other = directory.join("frr.conf");
    std::fs::write(&other, "").unwrap();
    let octets = directory.join("octets.toml");
    std::fs::write(&octets, b"asn\xff").unwrap();
    let folder = directory.join("folder.toml");
    std::fs::create_dir(&folder).unwrap();
    for (file, why) in [
        (&other, "is not named *.toml\n\nhint: "),
        (&octets, "is not text: octet 4 is not UTF-8\n\nhint: "),
        (&folder, "is a directory, but must be a TOML file\n\nhint: "),
    ] {
        let ran = rbgpctl_with(b"", &["check", file.to_str().unwrap()]).exits(2);
        assert!(ran.talk.contains(why), "{}", ran.talk);
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn decode_prints_one_object_a_message() {
    let keepalive = b"# a keepalive\nffffffffffffffffffffffffffffffff001304\n\nnot hex\n";
    let ran = rbgpctl_with(keepalive, &["decode"]).exits(0);
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], json!({"type": "keepalive"}));
    assert!(lines[1]["error"].is_string());
    let mut framed = vec![0, 0, 0, 19];
    framed.extend([0xff; 16]);
    framed.extend([0, 19, 4]);
    let directory = fresh_directory();
    let file = directory.join("messages");
    std::fs::write(&file, &framed).unwrap();
    let ran = rbgpctl_with(b"", &["decode", "--framed", file.to_str().unwrap()]).exits(0);
    assert_eq!(ran.out, "{\"type\":\"keepalive\"}\n");
    let ran = rbgpctl_with(b"", &["decode", directory.to_str().unwrap()]).exits(1);
    assert!(
        ran.talk.contains(directory.to_str().unwrap()),
        "{}",
        ran.talk
    );
    let ran = rbgpctl_with(b"", &["decode", "/nowhere"]).exits(1);
    assert!(ran.talk.starts_with("error: `/nowhere`: "), "{}", ran.talk);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let directory = fresh_directory();
    let pipe = directory.join("rbgpd.toml");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let path = pipe.to_str().unwrap();
    for arguments in [&["--check", "--config", path][..], &["--config", path]] {
        let daemon = Command::new(env!("CARGO_BIN_EXE_rbgpd"))
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        let ran = ran(daemon.unwrap()).exits(2);
        assert!(
            ran.talk.contains("is a named pipe, but must be a file"),
            "{}",
            ran.talk
        );
        assert!(ran.talk.contains("hint: "), "{}", ran.talk);
    }
    rbgpctl(Path::new("/nonexistent"), &["check", path]).exits(2);
    std::fs::remove_dir_all(directory).unwrap();
}

/// What `rbgpctl` writes on a terminal of 80 columns.
fn on_a_terminal(socket: &Path, arguments: &[&str]) -> String {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: both descriptors are places to write to, no name and no settings are passed, and
    // `size` is read only.
    let opened = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(opened, 0);
    // SAFETY: both were opened just now and belong to nobody else.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        // The end of a terminal whose other side is closed is an error.
        let _ = std::fs::File::from(master).read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    });
    let mut command = program();
    let status = command
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(slave)
        .status();
    assert!(status.unwrap().success(), "{arguments:?}");
    // With it goes the last descriptor of the other side.
    drop(command);
    reader.join().unwrap().replace('\r', "")
}

#[test]
fn tables_fit_a_terminal_and_say_what_they_leave_out() {
    let daemon = Daemon::new(|request| {
        Ok(match request {
            Request::Summary => {
                let mut summary = summary();
                summary.notices.clear();
                for neighbor in &mut summary.neighbors {
                    neighbor.remote_as = Some(4_200_000_001);
                    neighbor.address = "2001:db8:0:1::2".parse().unwrap();
                    (neighbor.why, neighbor.hint) = (None, None);
                }
                Reply::Summary(summary)
            }
            _ => {
                let mut wide = route(1);
                wide.prefix = "2001:db8:100::/48".to_owned();
                wide.next_hops = vec!["2001:db8:0:1::2".parse().unwrap()];
                wide.neighbor = Some("2001:db8:0:1::2".parse().unwrap());
                wide.as_path = vec![reply::AsPathItem::Asn(4_200_000_001); 6];
                Reply::Routes(reply::Routes {
                    routes: vec![wide],
                    next: None,
                    covered_by: None,
                })
            }
        })
    });
    for (arguments, needed) in [
        (&["show", "summary"][..], "Desc"),
        (&["show", "routes"], "4200000001 42000000.."),
    ] {
        let text = on_a_terminal(&daemon.socket, arguments);
        // Remarks below the tables are sentences, which a terminal may wrap.
        let tables = text.lines().take_while(|line| !line.starts_with("Total"));
        let widest = tables.map(|line| line.chars().count()).max();
        assert!(widest.unwrap() <= 80, "{text}");
        assert!(text.contains("(to fit: without "), "{text}");
        assert!(text.contains(needed), "{text}");
        let whole = daemon.rbgpctl(arguments).exits(0).out;
        assert!(
            whole.lines().any(|line| line.chars().count() > 80),
            "{whole}"
        );
        assert!(!whole.contains("(to fit"), "{whole}");
    }
}
