//! `[[static_route]]`: what a route may not have in common with others, and what its values mean
//! together.
//!
//! In the kernel a route is known by table, prefix and metric, so a static route has a distance of
//! its own among those to its prefix, and none that learned routes of its table have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::bfd::Profiles;
use super::{Once, or};
use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::file::{File, StaticBfdTable, StaticNextHopItem, StaticRouteTable};
use crate::config::types::{
    Bfd, BfdPath, Config, StaticBfd, StaticKey, StaticNextHop, StaticRoute, StaticWay,
};

/// The static routes of the top of a file or of an instance, whose other settings are in `config`.
pub(super) fn static_routes(
    file: &File,
    config: &Config,
    profiles: &Profiles<'_>,
    report: &mut Report,
) -> Vec<StaticRoute> {
    let mut watches = Watches {
        profiles,
        paths: BTreeMap::new(),
    };
    let (tables, metrics) = (config.tables(), config.metrics());
    let mut seen = Once::new("static_route");
    let mut routes = Vec::new();
    for At { value: table, span } in &file.static_routes {
        let Some(prefix) = table.prefix else { continue };
        let key = StaticKey {
            prefix: prefix.value,
            table: table.table.map(|at| at.value),
            distance: or(table.distance, StaticKey::DISTANCE),
        };
        if let (Some(table), Some(vrf)) = (table.table, &file.vrf) {
            let conflict = Conflict::Together {
                one: "table",
                two: "vrf",
                first: report.place(vrf.span),
            };
            let hint = "leave it out: the routing table is that of the VRF device";
            report.error_with_hint(table.span, conflict, hint);
        }
        let named = StaticKey {
            table: Some(config.table_of(key)),
            ..key
        };
        seen.see(named, *span, report);
        let (its_table, metric) = (config.table_of(key), u32::from(key.distance));
        if tables.contains(&its_table) && metrics.contains(&metric) {
            let at = table.distance.map_or(prefix.span, |at| at.span);
            let conflict = Conflict::StaticDistance {
                distance: key.distance,
                table: its_table,
            };
            let hint = "take a lower one to go before learned routes, or a higher one to stand \
                        behind them";
            report.error_with_hint(at, conflict, hint);
        }
        if let Some(src) = table.src
            && src.value.is_ipv4() != prefix.value.addr().is_ipv4()
        {
            let problem = Problem::value(
                "src",
                src.value.to_string(),
                of_version(prefix.value.addr()),
            );
            report.error(src.span, problem);
        }
        routes.extend(
            way(table, prefix.value.addr(), &mut watches, report).map(|way| StaticRoute {
                key,
                way,
                tag: table.tag.map(|at| at.value),
                src: table.src.map(|at| at.value),
            }),
        );
    }
    routes
}

fn of_version(addr: IpAddr) -> &'static str {
    match addr {
        IpAddr::V4(_) => "an IPv4 address, as `prefix` is",
        IpAddr::V6(_) => "an IPv6 address, as `prefix` is",
    }
}

/// Where its packets go; `None` if that was reported.
fn way(
    table: &StaticRouteTable,
    prefix: IpAddr,
    watches: &mut Watches<'_>,
    report: &mut Report,
) -> Option<StaticWay> {
    let Some(hops) = &table.next_hops else {
        if let (Some(bfd), Some(_)) = (&table.bfd, table.kind) {
            let conflict = Conflict::NoEffect {
                key: "bfd",
                because: "beside `kind`, which has no router to ask",
            };
            report.error(bfd.span, conflict);
        }
        return table.kind.map(|kind| StaticWay::Refuse(kind.value));
    };
    if let Some(kind) = table.kind {
        let conflict = Conflict::Together {
            one: "kind",
            two: "next_hops",
            first: report.place(hops.span),
        };
        report.error_with_hint(kind.span, conflict, "keep the one that is meant");
    }
    let shared = table.bfd.as_ref().map(|bfd| watches.fill(bfd, report));
    let mut seen = Once::new("next hop");
    let mut ways = Vec::new();
    for At { value: item, span } in &hops.value {
        seen.see(name_of(item), *span, report);
        if let Some(address) = item.address
            && address.value.is_ipv4()
            && prefix.is_ipv6()
        {
            let expected = "an IPv6 address: Linux forwards IPv4 by way of IPv6 routers, and not \
                            the other way round";
            let problem = Problem::value("address", address.value.to_string(), expected);
            report.error(address.span, problem);
        }
        let own = item.bfd.as_ref().map(|bfd| watches.fill(bfd, report));
        let bfd = own.or_else(|| shared.clone()).flatten();
        let hop = StaticNextHop {
            address: item.address.map(|at| at.value),
            interface: item.interface.as_ref().map(|at| at.value.clone()),
            vrf: item.vrf.as_ref().map(|at| at.value.clone()),
            weight: or(item.weight, 1),
            onlink: or(item.onlink, false),
            bfd,
        };
        if let Some(said) = item.bfd.as_ref().or(table.bfd.as_ref()) {
            watches.check(&hop, said, report);
        }
        ways.push(hop);
    }
    Some(StaticWay::Via(ways))
}

/// BFD with the routers of static routes.
struct Watches<'a> {
    profiles: &'a Profiles<'a>,
    /// How the session of each path runs, and where that is said.
    paths: BTreeMap<BfdPath, (Bfd, Span)>,
}

impl Watches<'_> {
    /// What a table says, with its profile; `None` where it says no.
    fn fill(&self, bfd: &At<StaticBfdTable>, report: &mut Report) -> Option<StaticBfd> {
        let table = &bfd.value;
        if !table.settings.enabled {
            return None;
        }
        Some(StaticBfd {
            local: table.local.map(|at| at.value),
            settings: self.profiles.settings(&table.settings, false, report),
        })
    }

    /// There is a router to ask, and all routes by way of it ask in the same way: they have one
    /// session.
    fn check(&mut self, hop: &StaticNextHop, said: &At<StaticBfdTable>, report: &mut Report) {
        let Some(bfd) = &hop.bfd else { return };
        let Some(address) = hop.address else {
            let conflict = Conflict::NoEffect {
                key: "bfd",
                because: "with a next hop that is an interface alone",
            };
            let hint = "give it the `address` of the router, or `bfd = false`";
            return report.error_with_hint(said.span, conflict, hint);
        };
        if let (Some(local), Some(at)) = (bfd.local, said.value.local)
            && local.is_ipv4() != address.is_ipv4()
        {
            let problem = Problem::value("local", local, "an address of the router's kind");
            report.error(at.span, problem);
        }
        let Some((path, settings)) = hop.watched(None) else {
            return;
        };
        let (first, place) = self
            .paths
            .entry(path)
            .or_insert_with(|| (settings.clone(), said.span));
        if first != settings {
            let conflict = Conflict::StaticBfd {
                router: address,
                first: report.place(*place),
            };
            let hint =
                "routes by way of one router share its session: give both the same `profile`";
            report.error_with_hint(said.span, conflict, hint);
        }
    }
}

/// `10.0.0.1 dev eth0`.
fn name_of(item: &StaticNextHopItem) -> String {
    let address = item.address.map(|at| at.value.to_string());
    let device = item
        .interface
        .as_ref()
        .map(|at| format!("dev {}", at.value));
    let vrf = item.vrf.as_ref().map(|at| format!("vrf {}", at.value));
    let parts: Vec<String> = address.into_iter().chain(device).chain(vrf).collect();
    parts.join(" ")
}
