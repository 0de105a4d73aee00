//! Text and JSON of what shows, explains and compares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rbgpd::control::reply::{self, Families, Reply};
use rbgpd::control::{ErrorReply, Request};
use serde_json::json;

use crate::client::on_a_terminal;
use crate::daemon::Daemon;
use crate::replies::{route, site_b, summary};

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
            kind: reply::FailureKind::default(),
            notification: None,
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
                connection: None,
                router_id: Some("10.10.0.2".parse().unwrap()),
                internal: false,
                local_as: None,
                dual_as: false,
                relation: vec![],
                password: true,
                tcp_ao: vec![2, 1],
                ttl: 255,
                ttl_security: Some(1),
                hold_time_s: 30,
                keepalive_s: 10,
                configured: reply::ConfiguredTimers::default(),
                graceful: None,
                graceful_received: None,
                idle: reply::Idle::default(),
                received: reply::MessageCounts {
                    update: 3,
                    ..Default::default()
                },
                sent: reply::MessageCounts::default(),
                malformed_updates: 0,
                next_try_ms: None,
                host_received: None,
                host_sent: None,
                version_received: None,
                version_sent: None,
                capabilities: vec!["route refresh".to_owned()],
                established: 2,
                flaps: 1,
                kept_s: None,
                last_resort: false,
                last_down: Some(failure),
                last_error: None,
                wireguard_peer: Some(reply::WireguardPeer {
                    interface: "wg0".to_owned(),
                    public_key: "KEY".to_owned(),
                    endpoint: Some("198.51.100.2:51820".parse().unwrap()),
                    handshake_age_s: Some(75),
                    state: reply::TunnelState::Overdue,
                    overdue: Some("nothing comes back".to_owned()),
                    received_bytes: 1000,
                    sent_bytes: 2000,
                    allowed_ips: 3,
                }),
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
    assert_eq!(json["neighbors"][0]["wireguard"], "up");
    assert_eq!(
        json["neighbors"][0]["wireguard_peer"]["endpoint"],
        "198.51.100.2:51820"
    );
    assert_eq!(
        json["neighbors"][0]["details"]["ipv4_unicast"]["add_path"],
        json!({"receive": true, "send": "2", "receiving": false, "sending": true})
    );
    let text = daemon.rbgpctl(&["show", "neighbors"]).exits(0).out;
    for part in [
        "BGP neighbor is 10.10.0.2, remote AS 65002, external link",
        "  BGP state = Established, up for 00:00:12",
        "  WireGuard wg0, peer KEY, endpoint 198.51.100.2:51820\n    Last handshake 00:01:15 ago, 1000 \
         octets received, 2000 sent, 3 AllowedIPs\n    Handshake is overdue: nothing comes back\n",
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
                    port: None,
                    downstream_vni: Some(200),
                    sequence: 3,
                    sticky: false,
                    moves: 1,
                    since_s: Some(61),
                    reason: None,
                    conflict: None,
                    duplicate: true,
                    frozen: true,
                    installed: Some(true),
                }],
                next: None,
            }),
            Request::Arrived { vni, mac, ip } => Reply::Arrived(reply::Arrived {
                vni: vni.get(),
                mac: mac.to_string(),
                ip: *ip,
                learned: false,
                limit_s: Some(60),
                sequence: 1,
            }),
            Request::EvpnDuplicates { .. } | Request::ClearDuplicates { .. } => {
                Reply::EvpnDuplicates(reply::EvpnDuplicates {
                    detection: None,
                    duplicates: vec![reply::DuplicateAddress {
                        vni: 100,
                        address: "02:00:00:00:00:01".to_owned(),
                        between: "this site and 10.10.0.2".to_owned(),
                        moves: 6,
                        since_s: 61,
                        frozen: true,
                        left_s: None,
                    }],
                    conflicts: Vec::new(),
                })
            }
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
                    advertise_gateway: false,
                    advertise_svi: false,
                    problems: vec!["disabled".to_owned()],
                }],
                l3_vnis: Vec::new(),
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
                    vrfs: vec![reply::EvpnVrfImport {
                        vrf: "red".to_owned(),
                        l3_vni: 4001,
                        fault: Some("no router MAC".to_owned()),
                    }],
                    since_s: Some(61),
                }],
                next: None,
            }),
            Request::Bfd => Reply::Bfd(reply::Bfd {
                sessions: vec![reply::BfdSession {
                    peer: vtep.into(),
                    state: reply::BfdState::Up,
                    interval_ms: 300.0,
                    detect_ms: 900.0,
                    uptime_s: Some(9),
                    downtime_s: None,
                    local: None,
                    interface: Some("wg0".to_owned()),
                    vrf: None,
                    multihop: false,
                    passive: false,
                    authentication: Some("keyed SHA1".to_owned()),
                    multiplier: 3,
                    diagnostic: None,
                    remote_state: Some(reply::BfdState::Up),
                    remote_diagnostic: None,
                    control_plane_independent: false,
                    flaps: 0,
                    received: 40,
                    sent: 41,
                    refused: 2,
                    refusal: Some("the peer uses key 9, which is not configured here".to_owned()),
                    stalls: 0,
                    waiting: None,
                    watched_by: vec!["neighbor 10.10.0.2".to_owned()],
                    discriminator: Some(7),
                    remote_discriminator: Some(8),
                    transmit_ms: 300.0,
                    receive_ms: 300.0,
                    remote_transmit_ms: Some(300.0),
                    remote_receive_ms: Some(300.0),
                    remote_multiplier: Some(3),
                    echo: reply::BfdEcho::default(),
                }],
                thread: Some(reply::BfdThread {
                    realtime: false,
                    lateness_max_ms: 12.5,
                    refused: 3,
                    refused_last: None,
                    shielded: false,
                }),
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
    let text = daemon.rbgpctl(&["show", "evpn", "mac"]).exits(0).out;
    let line = "VNI 100 02:00:00:00:00:01: a duplicate, frozen where it is";
    assert!(text.contains(line), "{text}");
    let text = daemon.rbgpctl(&["show", "evpn", "duplicates"]).exits(0).out;
    let line = "100  02:00:00:00:00:01      6  00:01:01  frozen  -     this site and 10.10.0.2\n\
                Total: 1 duplicate, 1 frozen\n";
    assert!(text.ends_with(line), "{text}");
    let json = daemon
        .rbgpctl(&["show", "evpn", "duplicates", "--vni", "100", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["duplicates"][0]["left_s"], json!(null));
    let clear = [
        "evpn",
        "clear-duplicate",
        "--vni",
        "100",
        "02:00:00:00:00:01",
    ];
    assert_eq!(
        daemon.rbgpctl(&clear).exits(0).out,
        "VNI 100 02:00:00:00:00:01: no longer a duplicate\n"
    );
    daemon
        .rbgpctl(&["evpn", "clear-duplicate", "10.0.0.256"])
        .exits(2);
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
        text.contains("100(unused),4001(unused)") && text.contains("group address"),
        "{text}"
    );
    assert!(text.contains(" in VRF red: no router MAC\n"), "{text}");
    let text = daemon.rbgpctl(&["show", "bfd"]).exits(0).out;
    assert!(
        text.contains("10.10.0.2  -      wg0        up     up         300ms   900ms"),
        "{text}"
    );
    assert!(text.contains("the peer uses key 9"), "{text}");
    assert!(
        text.contains("hint: give the service CAP_SYS_NICE"),
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

#[test]
fn memory_and_version_are_shown() {
    let daemon = Daemon::new(|request| {
        Ok(match request {
            Request::Memory => Reply::Memory(reply::Memory {
                resident_bytes: 4096,
                ..reply::Memory::default()
            }),
            _ => Reply::Version(reply::Version {
                hostname: String::new(),
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
