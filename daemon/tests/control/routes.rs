//! `show routes`: pages, marks, narrowing, and a table that is empty.

use std::io::Read;
use std::process::Stdio;

use rbgpd::control::Request;
use rbgpd::control::reply::{self, Families, Reply, RouteCounts};
use serde_json::json;

use crate::client::{program, ran};
use crate::daemon::Daemon;
use crate::replies::{counts, paged, route, summary};

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
