//! What cores answer: two neighbours, a summary of them, and tables of routes.

use rbgpd::control::reply::{self, Families, Reply, RouteCounts};
use rbgpd::control::{Answer, Request};

pub(crate) fn counts(received: u64, accepted: u64, advertised: u64) -> RouteCounts {
    RouteCounts {
        received,
        accepted,
        looped: 0,
        advertised,
    }
}

pub(crate) fn site_b() -> reply::NeighborSummary {
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
        wireguard: Some(reply::TunnelState::Up),
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

pub(crate) fn site_c() -> reply::NeighborSummary {
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

pub(crate) fn summary() -> reply::Summary {
    let mut prefixes = Families::default();
    prefixes.ipv4_unicast = Some(5);
    reply::Summary {
        instances: Vec::new(),
        asn: 65001,
        router_id: "10.10.0.1".parse().unwrap(),
        draining: false,
        uptime_s: 100,
        prefixes,
        show_hostname: true,
        show_next_hop_hostname: false,
        show_attributes: false,
        as_path_relax: Families::default(),
        notices: vec!["0 of 2 prefixes announced to 10.10.0.3: no export policy".to_owned()],
        max_med: None,
        hold: None,
        neighbors: vec![site_b(), site_c()],
    }
}

pub(crate) fn route(number: u32) -> reply::Route {
    reply::Route {
        family: "ipv4_unicast".to_owned(),
        prefix: format!("10.{}.{}.0/24", number / 256, number % 256),
        neighbor: Some("10.10.0.2".parse().unwrap()),
        best: true,
        multipath: false,
        next_hops: vec!["10.10.0.2".parse().unwrap()],
        link_local: None,
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
        awaited: None,
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
pub(crate) fn paged(request: &Request, table: u32) -> Answer {
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
