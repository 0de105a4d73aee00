//! `show evpn ..`: long answers in pages, filters, totals.

use rbgpd::control::reply::{self, MacKind, Reply};
use rbgpd::control::{Answer, EvpnRoutes, Page, Request};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::replies::route;

/// Which of seven rows a page of three has, and where the next one begins.
fn part(page: &Page) -> (std::ops::Range<u8>, Option<String>) {
    let start = page.after.as_ref().map_or(0, |it| it.parse().unwrap());
    let end = (start + 3).min(7);
    (start..end, (end < 7).then(|| end.to_string()))
}

fn kind(number: u8) -> MacKind {
    match number {
        0..3 => MacKind::Local,
        _ => MacKind::Remote,
    }
}

fn answer(request: &Request) -> Answer {
    Ok(match request {
        Request::EvpnMac { page, .. } => {
            let (rows, next) = part(page);
            let mac = |number: u8| reply::Mac {
                vni: 100,
                mac: format!("02:00:00:00:00:0{number}"),
                ips: Vec::new(),
                kind: kind(number),
                vtep: None,
                port: None,
                downstream_vni: None,
                sequence: 0,
                sticky: false,
                moves: 0,
                since_s: Some(3_661),
                reason: None,
                conflict: None,
                duplicate: false,
                frozen: false,
                installed: None,
            };
            let macs = rows.map(mac).collect();
            Reply::EvpnMac(reply::EvpnMac { macs, next })
        }
        Request::EvpnNeighbors { page, .. } => {
            let (rows, next) = part(page);
            let neighbor = |number: u8| reply::EvpnNeighbor {
                vni: 100,
                ip: [10, 100, 0, number].into(),
                mac: "02:00:00:00:00:01".to_owned(),
                kind: kind(number),
                vtep: None,
                since_s: None,
                installed: Some(true),
                outside: false,
            };
            let neighbors = rows.map(neighbor).collect();
            Reply::EvpnNeighbors(reply::EvpnNeighbors { neighbors, next })
        }
        Request::EvpnRoutes(EvpnRoutes { page, .. }) => {
            // With a filter the first page may have nothing.
            let (rows, next) = part(page);
            let rows = rows.filter(|number| *number >= 3);
            let routes = rows.map(|number| reply::EvpnRoute {
                route: route(number.into()),
                evpn: json!({"type": 2}),
                vnis: Vec::new(),
                vrfs: Vec::new(),
                since_s: Some(61),
            });
            Reply::EvpnRoutes(reply::EvpnRoutes {
                routes: routes.collect(),
                next,
            })
        }
        Request::EvpnVteps => Reply::EvpnVteps(reply::EvpnVteps {
            vteps: vec![reply::Vtep {
                vtep: [10, 10, 0, 2].into(),
                neighbor: Some("10.10.0.2".parse().unwrap()),
                vnis: vec![100, 300],
                macs: 7,
                routes: 15,
                since_s: Some(90_061),
                underneath: Some(reply::Underneath::Default(vec![reply::UnderneathWay {
                    gateway: Some([192, 0, 2, 1].into()),
                    interface: "eth0".to_owned(),
                }])),
            }],
        }),
        Request::EvpnNextHops => Reply::EvpnNextHops(reply::EvpnNextHops {
            next_hops: vec![reply::EvpnNextHop {
                vrf: "red".to_owned(),
                l3_vni: 4001,
                next_hop: [10, 10, 0, 2].into(),
                mac: "02:00:00:00:0a:02".to_owned(),
                vtep: [10, 10, 0, 2].into(),
                downstream_vni: Some(4002),
                routes: 3,
            }],
        }),
        other => panic!("{other:?}"),
    })
}

#[test]
fn addresses_come_in_pages_and_are_counted() {
    let daemon = Daemon::new(answer);
    for (what, key, total) in [
        ("mac", "macs", "Total: 7 MAC addresses, 3 local, 4 remote\n"),
        (
            "neighbors",
            "neighbors",
            "Total: 7 IP addresses, 3 local, 4 remote\n",
        ),
    ] {
        let text = daemon.rbgpctl(&["show", "evpn", what]).exits(0).out;
        assert!(text.ends_with(total), "{text}");
        assert_eq!(text.lines().count(), 9, "{text}");
        let json = daemon
            .rbgpctl(&["show", "evpn", what, "--json"])
            .exits(0)
            .json();
        assert_eq!(json[key].as_array().unwrap().len(), 7);
        assert_eq!(json.as_object().unwrap().len(), 1);
        // Whoever asks over HTTP gets the whole, or the pages that are asked for.
        let (status, body) = daemon.get(&format!("/v1/evpn/{what}?vni=100"));
        assert_eq!(status, 200);
        assert!(body.contains(&format!("{{\"{key}\":[")), "{body}");
        assert_eq!(body.matches("\"vni\":100").count(), 7, "{body}");
        let (_, body) = daemon.get(&format!("/v1/evpn/{what}?limit=3&after=3"));
        let page: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (page[key].as_array().unwrap().len(), &page["next"]),
            (3, &json!("6"))
        );
    }
    let text = daemon.rbgpctl(&["show", "evpn", "mac"]).exits(0).out;
    assert!(text.contains("01:01:01"), "{text}");
}

#[test]
fn routes_are_filtered_by_the_daemon() {
    let daemon = Daemon::new(answer);
    let filter = [
        "show",
        "evpn",
        "routes",
        "--type",
        "2",
        "--vni",
        "100",
        "--rd",
        "10.10.0.1:100",
    ];
    let text = daemon.rbgpctl(&filter).exits(0).out;
    assert!(
        text.ends_with("Total: 4 routes in 4 paths, 4 of type 2\n"),
        "{text}"
    );
    let Request::EvpnRoutes(asked) = &daemon.asked()[0] else {
        panic!();
    };
    assert_eq!(asked.route_type, Some(2));
    assert_eq!(asked.vni.map(|vni| vni.get()), Some(100));
    assert_eq!(
        asked.rd.map(|rd| rd.to_string()).as_deref(),
        Some("10.10.0.1:100")
    );
    // An empty page before others leaves no comma.
    let (_, body) = daemon.get("/v1/evpn/routes?type=2");
    let start = body.find("{\"routes\"").unwrap();
    assert!(body[start..].starts_with("{\"routes\":["), "{body}");
    assert!(!body.contains("[,"), "{body}");
    assert_eq!(body.matches("\"since_s\":61").count(), 4, "{body}");
    for wrong in [["--type", "6"], ["--rd", "100"], ["--vni", "x"]] {
        daemon
            .rbgpctl(&[&["show", "evpn", "routes"], &wrong[..]].concat())
            .exits(2);
    }
}

#[test]
fn sites_and_next_hops_are_lines_with_a_total() {
    let daemon = Daemon::new(answer);
    assert_eq!(
        daemon.rbgpctl(&["show", "evpn", "vteps"]).exits(0).out,
        "\
VTEP       Neighbor   Since     Routes  MACs  Way                                   VNIs
10.10.0.2  10.10.0.2  1d01h01m      15     7  default route via 192.0.2.1 dev eth0  100,300
Total: 1 site, 15 routes, 7 MAC addresses
"
    );
    assert_eq!(
        daemon.rbgpctl(&["show", "evpn", "next-hops"]).exits(0).out,
        "\
VRF  L3 VNI  Next Hop   Router MAC         VTEP                  Routes
red    4001  10.10.0.2  02:00:00:00:0a:02  10.10.0.2 (VNI 4002)       3
Total: 1 next hop, 3 routes
"
    );
    let json = daemon
        .rbgpctl(&["show", "evpn", "vteps", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["vteps"][0]["vnis"], json!([100, 300]));
    let ways = json!([{"gateway": "192.0.2.1", "interface": "eth0"}]);
    let underneath = json!({"by": "default", "ways": ways});
    assert_eq!(json["vteps"][0]["underneath"], underneath);
    let json = daemon
        .rbgpctl(&["show", "evpn", "next-hops", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["next_hops"][0]["l3_vni"], 4001);
}
