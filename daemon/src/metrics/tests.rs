use std::collections::HashSet;

use super::*;

fn snapshot() -> Snapshot {
    let families = Families {
        evpn: Some(RouteCounts {
            received: 4,
            accepted: 3,
            looped: 1,
            advertised: 2,
        }),
        ..Families::default()
    };
    Snapshot {
        uptime_s: 12,
        neighbors: vec![NeighborNumbers {
            address: "10.10.0.2".parse().unwrap(),
            remote_as: Some(65002),
            description: Some("the \"new\" one\\\nhere".to_owned()),
            state: "Established".to_owned(),
            uptime_s: Some(5),
            established: 2,
            flaps: 1,
            received: MessageCounts {
                update: 7,
                ..MessageCounts::default()
            },
            sent: MessageCounts::default(),
            malformed_updates: 0,
            bfd: Some(BfdState::Init),
            families,
            not_told: Families {
                ipv6_unicast: Some(9),
                ..Families::default()
            },
            wireguard: Some(WireguardPeer {
                interface: "wg0".to_owned(),
                public_key: "k".to_owned(),
                endpoint: None,
                handshake_age_s: Some(33),
                state: crate::control::reply::TunnelState::Overdue,
                overdue: None,
                received_bytes: 1000,
                sent_bytes: 2000,
                allowed_ips: 11,
            }),
        }],
        wireguard: Some(WireguardNumbers {
            interface: "wg0".to_owned(),
            installed: 10,
            unmet: 1,
            changes_total: 12,
            requests_total: 3,
            repaired_total: 2,
        }),
        tunnels: Some(TunnelNumbers {
            route: 4,
            default: 2,
            nothing: 1,
        }),
        draining: true,
        vnis: vec![VniNumbers {
            vni: 100,
            name: "production".to_owned(),
            local_macs: 3,
            remote_macs: 5,
            remote_vteps: 2,
            duplicate_macs: 1,
            duplicate_ips: 0,
        }],
        mac_moves: 21,
        ip_moves: 2,
        unimported_routes: 6,
        rpki_caches: vec![CacheNumbers {
            address: "127.0.0.1:3323".parse().unwrap(),
            synced: false,
            in_use: true,
            vrps_ipv4: 400,
            vrps_ipv6: 100,
            serial: Some(7),
            age_s: Some(60),
            losses: 1,
        }],
        bfd: Some(BfdNumbers {
            realtime: true,
            shielded: false,
            lateness: Classes {
                at_most: vec![(250, 3), (1_000_000, 4)],
                count: 5,
                sum: 2_500_100,
            },
            gaps: Classes {
                at_most: vec![(34, 8), (100, 9)],
                count: 9,
                sum: 330,
            },
            refused: vec![("malformed".to_owned(), 2)],
        }),
        bfd_sessions: vec![BfdSessionNumbers {
            peer: "10.10.0.2".parse().unwrap(),
            vrf: Some("red".to_owned()),
            multihop: true,
            up: true,
            received: 50,
            sent: 60,
            refused: vec![("authentication".to_owned(), 3)],
            echo: vec![("returned".to_owned(), 6)],
            flaps: 1,
            stalls: 4,
            send_errors: 5,
        }],
        queues: vec![QueueDepth {
            queue: "calls".to_owned(),
            depth: 6,
        }],
        ..Snapshot::default()
    }
}

#[test]
fn every_number_of_the_snapshot_is_in_the_text() {
    let text = snapshot().render();
    for line in [
        "rbgpd_uptime_seconds 12",
        "rbgpd_neighbor_up{neighbor=\"10.10.0.2\"} 1",
        "rbgpd_neighbor_state{neighbor=\"10.10.0.2\",state=\"Established\"} 1",
        "rbgpd_neighbor_state{neighbor=\"10.10.0.2\",state=\"Idle\"} 0",
        "rbgpd_neighbor_uptime_seconds{neighbor=\"10.10.0.2\"} 5",
        "rbgpd_neighbor_established_total{neighbor=\"10.10.0.2\"} 2",
        "rbgpd_neighbor_flaps_total{neighbor=\"10.10.0.2\"} 1",
        "rbgpd_neighbor_messages_received_total{neighbor=\"10.10.0.2\",type=\"update\"} 7",
        "rbgpd_neighbor_bfd_up{neighbor=\"10.10.0.2\"} 0",
        "rbgpd_bfd_up{peer=\"10.10.0.2\",vrf=\"red\",hops=\"multi\"} 1",
        "rbgpd_bfd_stalls_total{peer=\"10.10.0.2\",vrf=\"red\",hops=\"multi\"} 4",
        "rbgpd_bfd_refused_total{peer=\"10.10.0.2\",vrf=\"red\",hops=\"multi\",reason=\"authentication\"} 3",
        "rbgpd_bfd_echo_packets_total{peer=\"10.10.0.2\",vrf=\"red\",hops=\"multi\",packets=\"returned\"} 6",
        "rbgpd_bfd_realtime 1",
        "rbgpd_bfd_lateness_seconds_bucket{le=\"0.00025\"} 3",
        "rbgpd_bfd_lateness_seconds_bucket{le=\"1\"} 4",
        "rbgpd_bfd_lateness_seconds_bucket{le=\"+Inf\"} 5",
        "rbgpd_bfd_lateness_seconds_sum 2.5001",
        "rbgpd_bfd_gap_ratio_bucket{le=\"0.34\"} 8",
        "rbgpd_bfd_gap_ratio_sum 3.3",
        "rbgpd_bfd_gap_ratio_count 9",
        "rbgpd_bfd_unclaimed_total{reason=\"malformed\"} 2",
        "rbgpd_neighbor_routes_accepted{neighbor=\"10.10.0.2\",family=\"evpn\"} 3",
        "rbgpd_neighbor_prefixes_not_told{neighbor=\"10.10.0.2\",family=\"ipv6_unicast\"} 9",
        "rbgpd_neighbor_routes_looped{neighbor=\"10.10.0.2\",family=\"evpn\"} 1",
        "rbgpd_draining 1",
        "rbgpd_drained 0",
        "rbgpd_vni_macs{vni=\"100\",name=\"production\",kind=\"remote\"} 5",
        "rbgpd_vni_remote_vteps{vni=\"100\",name=\"production\"} 2",
        "rbgpd_evpn_vteps{by=\"route\"} 4",
        "rbgpd_evpn_vteps{by=\"default\"} 2",
        "rbgpd_evpn_vteps{by=\"nothing\"} 1",
        "rbgpd_vni_duplicates{vni=\"100\",name=\"production\",kind=\"mac\"} 1",
        "rbgpd_vni_duplicates{vni=\"100\",name=\"production\",kind=\"ip\"} 0",
        "rbgpd_evpn_moves_total{kind=\"mac\"} 21",
        "rbgpd_evpn_moves_total{kind=\"ip\"} 2",
        "rbgpd_evpn_unimported_routes 6",
        "rbgpd_rpki_cache_up{cache=\"127.0.0.1:3323\"} 0",
        "rbgpd_rpki_cache_in_use{cache=\"127.0.0.1:3323\"} 1",
        "rbgpd_rpki_cache_serial{cache=\"127.0.0.1:3323\"} 7",
        "rbgpd_rpki_cache_age_seconds{cache=\"127.0.0.1:3323\"} 60",
        "rbgpd_rpki_cache_lost_total{cache=\"127.0.0.1:3323\"} 1",
        "rbgpd_rpki_cache_vrps{cache=\"127.0.0.1:3323\",ip_version=\"6\"} 100",
        "rbgpd_queue_depth{queue=\"calls\"} 6",
    ] {
        assert!(
            text.lines().any(|have| have == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn quotes_and_line_feeds_of_a_description_are_escaped() {
    let text = snapshot().render();
    assert!(
        text.contains(r#"description="the \"new\" one\\\nhere"} 1"#),
        "{text}"
    );
}

#[test]
fn no_series_is_there_twice_and_every_metric_is_introduced_once() {
    let text = snapshot().render();
    let (mut series, mut families) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(rest.split(' ').next().unwrap()), "{line}");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(series.insert(name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = name.split('{').next().unwrap();
            // Parts of a histogram.
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part));
            let known = whole.is_some_and(|name| families.contains(name));
            assert!(known || families.contains(name), "{line}");
        }
    }
}

#[test]
fn every_metric_is_documented() {
    let documented = include_str!("../../docs/metrics.md");
    for line in snapshot().render().lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }
}

#[test]
fn this_process_has_memory() {
    assert!(resident_bytes() > 100_000);
}

#[test]
fn an_instance_has_a_label_and_its_samples_stand_with_the_others() {
    let mut whole = snapshot();
    whole.instances = vec![("plane-b".to_owned(), snapshot())];
    let text = whole.render();
    let up: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("rbgpd_neighbor_up ") || line.contains("rbgpd_neighbor_up{"))
        .collect();
    assert_eq!(
        up,
        [
            "# HELP rbgpd_neighbor_up 1 while the session is Established.",
            "# TYPE rbgpd_neighbor_up gauge",
            "rbgpd_neighbor_up{neighbor=\"10.10.0.2\"} 1",
            "rbgpd_neighbor_up{instance=\"plane-b\",neighbor=\"10.10.0.2\"} 1",
        ]
    );
    assert!(
        text.contains("\nrbgpd_draining{instance=\"plane-b\"} 1\n"),
        "{text}"
    );
    assert_eq!(
        text.matches("rbgpd_uptime_seconds").count(),
        3,
        "of the process alone"
    );
}
