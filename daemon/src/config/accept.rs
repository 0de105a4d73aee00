//! Makes a [`Config`] of a [`File`]: resolves names, fills in defaults and checks what several
//! values mean together.
//!
//! Each part is accepted on its own and reports on its own, so that a mistake in one place does
//! not hide those in others. What is already reported as wrong is left out and not reported again
//! by those who refer to it.

mod bfd;
mod devices;
mod distinguishers;
mod imports;
mod instances;
mod interface;
mod neighbor;
mod overlay;
mod static_route;
mod tenant;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bgp::policy::{RouteMap, Set};
use bgp::rib::{Rules, Suppress};
use bgp::session::RemoteAs;
use bgp::{Asn, SourceFilter};

use super::duration;
use super::error::{At, Conflict, Problem, Report, Span};
use super::file::{AggregateItem, BestpathTable, DuplicatesTable, File, LogTable, UnicastTable};
use super::policy::resolve::Policies;
use super::types::*;
pub(crate) use overlay::not_of_hosts;
use overlay::{Overlays, check_single_device, single_device, targets, vnis};

/// Accepts a file, or reports why not. `None` if anything was reported, now or before.
///
/// Keys that must be there are the reader's business: it knows where they are missing.
pub fn accept(file: &File, report: &mut Report) -> Option<Config> {
    let mut overlays = Overlays::new(file);
    let mut config = speaker(file, file, &mut overlays, report);
    config.instances = instances::accept(file, &mut overlays, report);
    config.host_interfaces = interface::interfaces(file, report);
    instances::check(file, &config, report);
    imports::check(file, report);
    check_single_device(file, report);
    overlays.devices.check_interfaces(file, report);
    let complete = file.asn.is_some() && file.router_id.is_some();
    (complete && report.is_clean()).then_some(config)
}

/// What is one BGP speaker: the top of a file, or an instance with the policies of that file.
fn speaker(top: &File, file: &File, overlays: &mut Overlays, report: &mut Report) -> Config {
    // Stand-ins let the rest be checked; a configuration without the real ones is not returned.
    let asn = or(file.asn, Asn(0));
    let policies = Policies::accept(&top.policy, asn, report);
    let profiles = bfd::Profiles::accept(top, report);
    let router_id = or(file.router_id, Ipv4Addr::UNSPECIFIED);
    let defaults = Config::new(asn, router_id);
    let restart = graceful_restart(file);
    let confederation = confederation(file, asn, report);
    let members = confederation.as_ref().map(|it| it.members.clone());
    let place = neighbor::Place::new(
        file,
        (asn, members.unwrap_or_default()),
        &restart,
        (&policies, &profiles),
        report,
    );
    let mut config = Config {
        name: file.name.as_ref().map(|at| at.value.clone()),
        vrf: file.vrf.as_ref().map(|at| at.value.clone()),
        vrf_table: file.vrf_table.map(|at| at.value),
        vrf_unreachable: or(file.vrf_unreachable, defaults.vrf_unreachable),
        without_link_detect: interface::without_link_detect(top),
        l3vni: tenant::l3vni((top, file), router_id, overlays, &policies, report),
        imports: imports::accept(top, file, &policies, report),
        default_local_preference: file
            .router
            .default_local_preference
            .map(|at| at.value)
            .filter(|value| *value != bgp::rib::DEFAULT_LOCAL_PREF),
        max_med: MaxMed {
            always: file.router.max_med.map(|at| at.value),
            on_startup: file.router.max_med_on_startup.as_ref().and_then(|at| {
                Some(StartupMed {
                    time: at.value.time?.value,
                    med: or(at.value.med, MaxMed::USUAL),
                })
            }),
        },
        shown_names: ShownNames {
            neighbors: or(file.router.show_hostname, false),
            next_hops: or(file.router.show_next_hop_hostname, false),
        },
        minimum_hold_time: file.router.minimum_hold_time.map(|at| at.value),
        show_attributes: or(file.router.show_attributes, false),
        graceful_shutdown: or(file.router.graceful_shutdown, defaults.graceful_shutdown),
        suppress_fib_pending: or(
            file.router.suppress_fib_pending,
            defaults.suppress_fib_pending,
        ),
        client_to_client_reflection: or(
            file.router.client_to_client_reflection,
            defaults.client_to_client_reflection,
        ),
        confederation,
        hostname: top.router.hostname.as_ref().map(|at| at.value.clone()),
        domainname: top.router.domainname.as_ref().map(|at| at.value.clone()),
        cluster_id: file.router.cluster_id.map(|at| at.value),
        listen: listen(file, report).unwrap_or(defaults.listen),
        ebgp_requires_policy: or(file.ebgp_requires_policy, defaults.ebgp_requires_policy),
        underlay: file.underlay.as_ref().and_then(|underlay| {
            let underlay = &underlay.value;
            Some(Underlay {
                interface: underlay.interface.as_ref()?.value.clone(),
                sync_allowed_ips: or(underlay.sync_allowed_ips, SyncAllowedIps::No),
                maximum_allowed_ips: or(
                    underlay.maximum_allowed_ips,
                    Underlay::MAXIMUM_ALLOWED_IPS,
                ),
                wireguard_socket: underlay
                    .wireguard_socket
                    .as_ref()
                    .map(|at| at.value.clone()),
            })
        }),
        bestpath: bestpath(&file.bestpath),
        bandwidth: or(file.bestpath.bandwidth, defaults.bandwidth),
        ipv4_unicast: unicast(file, file.ipv4_unicast.as_ref(), &policies, report),
        ipv6_unicast: unicast(file, file.ipv6_unicast.as_ref(), &policies, report),
        evpn: file.evpn.as_ref().and_then(|evpn| {
            Some(Evpn {
                vtep: evpn.value.vtep?.value,
                port: or(evpn.value.port, Evpn::PORT),
                duplicates: duplicates(evpn.value.duplicates.as_ref(), report),
            })
        }),
        neighbors: place.neighbors(report),
        listen_ranges: place.listen_ranges(report),
        interfaces: place.interfaces(report),
        single_device: None,
        bfd: profiles.peers(file, report),
        vnis: Vec::new(),
        rpki: rpki(top, report),
        kernel: Kernel {
            enabled: or(top.kernel.enabled, defaults.kernel.enabled),
            protocol: or(top.kernel.protocol, defaults.kernel.protocol),
            table: or(file.kernel.table, defaults.kernel.table),
            distance: Distance {
                external: or(file.kernel.external, defaults.kernel.distance.external),
                internal: or(file.kernel.internal, defaults.kernel.distance.internal),
                backdoor: or(file.kernel.backdoor, defaults.kernel.distance.backdoor),
            },
            audit_interval: or(top.kernel.audit_interval, defaults.kernel.audit_interval),
            nexthop_objects: or(top.kernel.nexthop_objects, defaults.kernel.nexthop_objects),
            on_stop: or(top.kernel.on_stop, defaults.kernel.on_stop),
            ipv4_forwarding: top.kernel.ipv4_forwarding.map(|at| at.value),
            ipv6_forwarding: top.kernel.ipv6_forwarding.map(|at| at.value),
        },
        graceful_restart: restart,
        metrics: file.metrics.map(|metrics| metrics.value),
        log: log(&file.log),
        drain: Drain {
            on_stop: or(file.drain_on_stop, defaults.drain.on_stop),
            timeout: or(file.drain_timeout, defaults.drain.timeout),
        },
        ..defaults
    };
    config.single_device = single_device(file, overlays, report);
    let single = config.single_device.as_ref();
    config.vnis = vnis(file, router_id, (overlays, single), report);
    policies.into(&mut config);
    config.static_routes = static_route::static_routes(file, &config, &profiles, report);
    config
}

/// The value, or the default.
fn log(table: &LogTable) -> Log {
    let defaults = Log::default();
    let file = table.file.as_ref().map(|path| LogFile {
        path: path.value.clone(),
        level: or(table.file_level, LogLevel::default()),
    });
    Log {
        level: or(table.level, defaults.level),
        stdout: or(table.stdout, defaults.stdout),
        format: or(table.format, defaults.format),
        syslog: table.syslog.map(|at| at.value),
        facility: or(table.facility, defaults.facility),
        file,
        time_digits: or(table.time_digits, defaults.time_digits),
        debug: table
            .debug
            .iter()
            .flat_map(|all| &all.value)
            .map(|at| at.value.clone())
            .collect(),
    }
}

fn or<T: Copy>(value: Option<At<T>>, default: T) -> T {
    value.map_or(default, |at| at.value)
}

/// Members need the number of the whole, which is of no neighbour outside.
fn confederation(file: &File, asn: Asn, report: &mut Report) -> Option<Confederation> {
    let members = file.router.confederation_members.as_ref();
    let Some(id) = file.router.confederation_id else {
        if let Some(At { span, .. }) = members {
            let conflict = Conflict::NoEffect {
                key: "confederation_members",
                because: "without `confederation_id`",
            };
            report.error(*span, conflict);
        }
        return None;
    };
    let members = members.map(|at| at.value.as_slice()).unwrap_or_default();
    let groups = file.peer_groups.iter().map(|at| &at.value.settings);
    let neighbors = file.neighbors.iter().map(|at| &at.value.settings);
    let ranges = file.listen_ranges.iter().map(|at| &at.value.settings);
    let others = groups.chain(neighbors).chain(ranges);
    let others = others.filter_map(|it| match it.remote_as?.value {
        RemoteAs::Exact(asn) => Some(asn),
        RemoteAs::External | RemoteAs::Internal | RemoteAs::Auto => None,
    });
    let inside = |of: Asn| of == asn || members.iter().any(|at| at.value == of);
    if others
        .filter(|asn| !inside(*asn))
        .any(|asn| asn == id.value)
    {
        let hint = "it is the number that others know all members by";
        let conflict = Conflict::ConfederationId(id.value.0);
        report.error_with_hint(id.span, conflict, hint);
    }
    let mut members: Vec<Asn> = members.iter().map(|at| at.value).collect();
    members.retain(|member| *member != asn);
    members.sort_unstable();
    members.dedup();
    Some(Confederation {
        id: id.value,
        members,
    })
}

fn listen(file: &File, report: &mut Report) -> Option<Vec<std::net::SocketAddr>> {
    let listen = &file.listen.as_ref()?.value;
    let mut seen = Once::new("listen");
    for address in listen {
        seen.see(address.value, address.span, report);
    }
    Some(listen.iter().map(|address| address.value).collect())
}

fn graceful_restart(file: &File) -> GracefulRestart {
    let (table, defaults) = (&file.graceful_restart, GracefulRestart::default());
    GracefulRestart {
        enabled: or(table.enabled, defaults.enabled),
        restart_time: or(table.restart_time, defaults.restart_time),
        long_lived_time: table.long_lived_time.map(|it| it.value),
        stale_time: or(table.stale_time, defaults.stale_time),
        deferral_time: or(table.deferral_time, defaults.deferral_time),
    }
}

/// RFC 7432 §15.1. Nothing is frozen unless somebody asks for it.
fn duplicates(table: Option<&DuplicatesTable>, report: &mut Report) -> Option<DuplicateDetection> {
    let default = DuplicateDetection::default();
    let Some(table) = table else {
        return Some(default);
    };
    let freezes = table
        .action
        .is_some_and(|it| it.value == DuplicateWord::Freeze);
    if let Some(time) = table.freeze_time.filter(|_| !freezes) {
        let freeze_time = duration::format(time.value);
        let hint = "add action = \"freeze\", or take freeze_time out";
        report.error_with_hint(time.span, Conflict::FreezeTime { freeze_time }, hint);
    }
    let time = table.freeze_time.map(|it| it.value);
    table.enabled.then_some(DuplicateDetection {
        moves: or(table.moves, default.moves),
        window: or(table.window, default.window),
        action: match freezes {
            true => DuplicateAction::Freeze(time),
            false => DuplicateAction::Warn,
        },
    })
}

fn bestpath(table: &BestpathTable) -> Rules {
    let default = Rules::default();
    Rules {
        always_compare_med: or(table.always_compare_med, default.always_compare_med),
        missing_med_as_worst: or(table.missing_med_as_worst, default.missing_med_as_worst),
        as_path_ignore: or(table.as_path_ignore, default.as_path_ignore),
        as_path_confed: or(table.as_path_confed, default.as_path_confed),
        peer_type_relax: or(table.peer_type_relax, default.peer_type_relax),
    }
}

fn unicast(
    file: &File,
    table: Option<&At<UnicastTable>>,
    policies: &Policies,
    report: &mut Report,
) -> Unicast {
    let Some(At { value: table, .. }) = table else {
        return Unicast::default();
    };
    let check = match table.import_check {
        Some(At { value: true, .. }) => RequireRoute::Exact,
        Some(_) | None => RequireRoute::No,
    };
    let mut seen = Once::new("network");
    let networks = table.networks.iter().map(|At { value: item, .. }| {
        seen.see(item.prefix.value, item.prefix.span, report);
        Network {
            prefix: item.prefix.value,
            require_route: or(item.require_route, check),
            route_map: policies.route_map(item.route_map.as_ref(), report),
        }
    });
    let networks = networks.collect();
    let backdoors = table.backdoors.iter().flat_map(|list| &list.value);
    let backdoors = backdoors.map(|at| {
        // One network is announced or somebody else's.
        seen.see(at.value, at.span, report);
        at.value
    });
    let backdoors = backdoors.collect();
    let mut seen = Once::new("aggregate");
    let aggregates = table.aggregates.iter().map(|At { value: item, .. }| {
        seen.see(item.prefix.value, item.prefix.span, report);
        aggregate(item, policies, report)
    });
    let aggregates = aggregates.collect();
    let default = Multipath::default();
    Unicast {
        networks,
        backdoors,
        redistribute: redistribute(file, table, policies, report),
        aggregates,
        multipath: Multipath {
            paths: or(table.paths, default.paths),
            as_path_relax: or(table.as_path_relax, default.as_path_relax),
        },
        kernel_route_map: kernel_route_map(table.kernel_route_map.as_ref(), policies, report),
    }
}

/// The kernel's routes have nothing but a source address and a distance that a map could set.
fn kernel_route_map(
    name: Option<&At<String>>,
    policies: &Policies,
    report: &mut Report,
) -> Option<Arc<RouteMap>> {
    let map = policies.route_map(name, report)?;
    let mut maps = vec![Arc::clone(&map)];
    while let Some(map) = maps.pop() {
        let of_kernel = |set: &Set| matches!(set, Set::Src(_) | Set::Distance(_));
        let wrong = map.entries().iter();
        let mut wrong = wrong.filter(|entry| !entry.sets.iter().all(of_kernel));
        if let (Some(entry), Some(name)) = (wrong.next(), name) {
            let (map, entry) = (map.name().to_owned(), entry.seq);
            let hint = "set the rest where routes are taken in: `import` of the neighbors";
            report.error_with_hint(name.span, Conflict::KernelMap { map, entry }, hint);
            return None;
        }
        maps.extend(map.entries().iter().filter_map(|entry| entry.call.clone()));
    }
    Some(map)
}

/// Routes of other programs. Our own are not among them: two routers that announced what they have
/// from each other would keep it alive for ever.
fn redistribute(
    file: &File,
    table: &UnicastTable,
    policies: &Policies,
    report: &mut Report,
) -> Vec<Redistribution> {
    let defaults = Kernel::default();
    let own = or(file.kernel.protocol, defaults.protocol);
    let own_table = or(file.kernel.table, defaults.table);
    let mut seen = Once::new("redistribute");
    let mut all = Vec::new();
    for At { value: item, span } in &table.redistribute {
        let source = item.source.map_or(SourceFilter::ANY, |at| at.value);
        if let Some(At { value, span }) = item.source
            && value.is_only(own)
        {
            let hint = "give our routes another number with `protocol` in [kernel], if these are \
                        routes of another daemon";
            report.error_with_hint(span, Conflict::OwnRoutes(own), hint);
        }
        let table = or(item.table, own_table);
        let name = format!("{source} of table {table}");
        seen.see(name, *span, report);
        all.push(Redistribution {
            source,
            table: item.table.map(|at| at.value),
            route_map: policies.route_map(item.route_map.as_ref(), report),
            metric: item.metric.map(|at| at.value),
        });
    }
    all
}

fn aggregate(item: &AggregateItem, policies: &Policies, report: &mut Report) -> Aggregate {
    let default = Aggregate::new(item.prefix.value);
    let all = or(item.summary_only, false);
    if let Some(suppress) = item.suppress.as_ref().filter(|_| all) {
        let conflict = Conflict::NoEffect {
            key: "suppress",
            because: "beside `summary_only`, which suppresses all more specific routes",
        };
        report.error_with_hint(suppress.span, conflict, "keep the one that is meant");
    }
    let suppress = policies.route_map(item.suppress.as_ref(), report);
    Aggregate {
        suppress: match (all, suppress) {
            (true, _) => Suppress::All,
            (false, Some(map)) => Suppress::Matching(map),
            (false, None) => Suppress::None,
        },
        as_set: or(item.as_set, default.as_set),
        origin: item.origin.map(|at| at.value),
        match_med: or(item.match_med, default.match_med),
        blackhole: or(item.blackhole, default.blackhole),
        route_map: policies.route_map(item.route_map.as_ref(), report),
        ..default
    }
}

/// Caches, and timers of which the last one must be the longest (RFC 8210 §6).
fn rpki(file: &File, report: &mut Report) -> Vec<RpkiCache> {
    let mut addresses = Once::new("rpki cache");
    let mut caches = Vec::new();
    for At { value: table, .. } in &file.rpki {
        for (key, other) in [("refresh", table.refresh), ("retry", table.retry)] {
            if let (Some(expire), Some(other)) = (table.expire, other)
                && expire.value <= other.value
            {
                let conflict = Conflict::RpkiExpire {
                    expire: duration::format(expire.value),
                    key,
                    value: duration::format(other.value),
                };
                let hint = "data would expire before the cache is asked again";
                report.error_with_hint(expire.span, conflict, hint);
            }
        }
        let Some(address) = table.address else {
            continue;
        };
        addresses.see(address.value, address.span, report);
        caches.push(RpkiCache {
            address: address.value,
            preference: or(table.preference, RpkiCache::PREFERENCE),
            refresh: table.refresh.map(|at| at.value),
            retry: table.retry.map(|at| at.value),
            expire: table.expire.map(|at| at.value),
        });
    }
    caches
}

/// Reports values that are there a second time.
pub(super) struct Once<T> {
    what: &'static str,
    seen: BTreeMap<T, Span>,
}

impl<T: Ord + ToString> Once<T> {
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            seen: BTreeMap::new(),
        }
    }

    /// True if the value is there for the first time.
    pub(super) fn see(&mut self, value: T, span: Span, report: &mut Report) -> bool {
        if let Some(first) = self.seen.get(&value) {
            let problem = Problem::Duplicate {
                what: self.what,
                name: value.to_string(),
                first: report.place(*first),
            };
            report.error(span, problem);
            return false;
        }
        self.seen.insert(value, span);
        true
    }
}

#[cfg(test)]
mod tests;
