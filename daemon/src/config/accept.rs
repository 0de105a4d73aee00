//! Makes a [`Config`] of a [`File`]: resolves names, fills in defaults and checks what several
//! values mean together.
//!
//! Each part is accepted on its own and reports on its own, so that a mistake in one place does
//! not hide those in others. What is already reported as wrong is left out and not reported again
//! by those who refer to it.

mod bfd;
mod distinguishers;
mod imports;
mod instances;
mod neighbor;
mod static_route;
mod tenant;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bgp::policy::{RouteMap, Set};
use bgp::rib::{Rules, Suppress};
use bgp::session::RemoteAs;
use bgp::{Asn, Prefix, SourceFilter, Vni};
use ipnetwork::IpNetwork;

use super::duration;
use super::error::{At, Conflict, Problem, Report, Span};
use super::file::{AggregateItem, BestpathTable, DuplicatesTable, File, UnicastTable, VniTable};
use super::policy::resolve::Policies;
use super::types::*;
use distinguishers::Distinguishers;

/// Accepts a file, or reports why not. `None` if anything was reported, now or before.
///
/// Keys that must be there are the reader's business: it knows where they are missing.
pub fn accept(file: &File, report: &mut Report) -> Option<Config> {
    let mut overlays = Overlays::new(file);
    let mut config = speaker(file, file, &mut overlays, report);
    config.instances = instances::accept(file, &mut overlays, report);
    instances::check(file, &config, report);
    imports::check(file, report);
    check_single_device(file, report);
    overlays.devices.check_interfaces(file, report);
    let complete = file.asn.is_some() && file.router_id.is_some();
    (complete && report.is_clean()).then_some(config)
}

/// The L3 VNI of a VRF has a VXLAN device of its own, on the UDP port of all others; Linux gives a
/// port to devices with one VNI, or to one with several.
fn check_single_device(file: &File, report: &mut Report) {
    let single = file
        .evpn
        .as_ref()
        .and_then(|evpn| evpn.value.single_device.as_ref());
    let Some(single) = single else {
        return;
    };
    let of_instances = file.instances.iter();
    let tenants = of_instances.filter_map(|it| it.value.l3vni.as_ref());
    for l3vni in tenants.chain(&file.l3vni) {
        let first = report.place(single.span);
        let hint = "leave single_device out: each VNI has devices of its own then";
        report.error_with_hint(l3vni.span, Conflict::L3VniBesideSingle { first }, hint);
    }
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
        l3vni: tenant::l3vni((top, file), router_id, overlays, &policies, report),
        imports: imports::accept(file, &policies, report),
        default_local_preference: file
            .router
            .default_local_preference
            .map(|at| at.value)
            .filter(|value| *value != bgp::rib::DEFAULT_LOCAL_PREF),
        client_to_client_reflection: or(
            file.router.client_to_client_reflection,
            defaults.client_to_client_reflection,
        ),
        confederation,
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
            },
            audit_interval: or(top.kernel.audit_interval, defaults.kernel.audit_interval),
            on_stop: or(top.kernel.on_stop, defaults.kernel.on_stop),
        },
        graceful_restart: restart,
        metrics: file.metrics.map(|metrics| metrics.value),
        log: Log {
            level: or(file.log_level, defaults.log.level),
            format: or(file.log_format, defaults.log.format),
        },
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
fn or<T: Copy>(value: Option<At<T>>, default: T) -> T {
    value.map_or(default, |at| at.value)
}

/// Members need the number of the whole, which is none of theirs and of no neighbour's.
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
    let own = members.iter().map(|at| at.value).chain([asn]);
    let groups = file.peer_groups.iter().map(|at| &at.value.settings);
    let neighbors = file.neighbors.iter().map(|at| &at.value.settings);
    let ranges = file.listen_ranges.iter().map(|at| &at.value.settings);
    let others = groups.chain(neighbors).chain(ranges);
    let others = others.filter_map(|it| match it.remote_as?.value {
        RemoteAs::Exact(asn) => Some(asn),
        RemoteAs::External | RemoteAs::Internal => None,
    });
    if own.chain(others).any(|asn| asn == id.value) {
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
    let mut seen = Once::new("aggregate");
    let aggregates = table.aggregates.iter().map(|At { value: item, .. }| {
        seen.see(item.prefix.value, item.prefix.span, report);
        aggregate(item, policies, report)
    });
    let aggregates = aggregates.collect();
    let default = Multipath::default();
    Unicast {
        networks,
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
        match_med: or(item.match_med, default.match_med),
        blackhole: or(item.blackhole, default.blackhole),
        route_map: policies.route_map(item.route_map.as_ref(), report),
        ..default
    }
}

/// What is there once on the host, whatever instance it is of.
struct Overlays {
    distinguishers: Distinguishers,
    ids: Once<Vni>,
    names: Once<String>,
    vlans: Once<u16>,
    devices: Devices,
    /// By the VRF that they are in.
    addresses: BTreeMap<Option<String>, Vec<Addresses>>,
}

/// Addresses that an overlay has.
#[derive(Clone, Copy)]
struct Addresses {
    /// The number of the overlay in the file.
    overlay: usize,
    at: At<IpNetwork>,
    /// `gateway` or `network`.
    kind: &'static str,
}

impl Addresses {
    /// A gateway lies in a network of its own overlay.
    fn exclude(&self, other: &Self) -> bool {
        let (one, two) = (Prefix::from(self.at.value), Prefix::from(other.at.value));
        let overlap = one.contains(two) || two.contains(one);
        overlap && (self.overlay != other.overlay || self.kind == other.kind)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.at.value)
    }
}

impl Overlays {
    fn new(top: &File) -> Self {
        Self {
            distinguishers: Distinguishers::of(top),
            ids: Once::new("vni"),
            names: Once::new("vni name"),
            vlans: Once::new("vlan"),
            devices: Devices::default(),
            addresses: BTreeMap::new(),
        }
    }
}

fn vnis(
    file: &File,
    router_id: Ipv4Addr,
    (overlays, single): (&mut Overlays, Option<&SingleDevice>),
    report: &mut Report,
) -> Vec<VniConfig> {
    let Overlays {
        distinguishers,
        ids,
        names,
        vlans,
        devices,
        addresses,
    } = overlays;
    // Each instance has a bridge of its own.
    *vlans = Once::new("vlan");
    let mut rds = Once::new("rd");
    let mut no_vtep = false;
    let mut vnis = Vec::new();
    for At { value: table, .. } in &file.vnis {
        if let Some(name) = &table.name {
            names.see(format!("\"{}\"", name.value), name.span, report);
        }
        let vrf = table.vrf.as_ref().map(|vrf| vrf.value.clone());
        own_addresses(table, addresses.entry(vrf).or_default(), report);
        let import_targets = targets(table.import_targets.as_ref(), report);
        let export_targets = targets(table.export_targets.as_ref(), report);
        let Some(id) = table.id else {
            continue;
        };
        let is_new = ids.see(id.value, id.span, report);
        // Once is enough: all VNIs share the endpoint.
        if file.evpn.is_none() && !std::mem::replace(&mut no_vtep, true) {
            let hint = "add [evpn] with vtep = \"OUR ADDRESS ON THE UNDERLAY\"";
            report.error_with_hint(id.span, Conflict::NoVtep(id.value.get()), hint);
        }
        let rd = distinguishers.get(table.rd, id, router_id, report);
        if is_new || table.rd.is_some() {
            rds.see(rd, table.rd.map_or(id.span, |rd| rd.span), report);
        }
        let (bridge, vxlan) = match single {
            Some(single) => {
                let bridge = lane(table, id, single, (vlans, devices), report);
                (bridge, single.vxlan.clone())
            }
            None => {
                if let Some(vlan) = table.vlan {
                    let hint = "add single_device = {} to [evpn], or leave vlan out";
                    report.error_with_hint(vlan.span, Conflict::VlanAlone(id.value.get()), hint);
                }
                let bridge = devices.name(table.bridge.as_ref(), "br", id, report);
                let vxlan = devices.name(table.vxlan.as_ref(), "vxlan", id, report);
                (bridge, vxlan)
            }
        };
        let Some(name) = &table.name else {
            continue;
        };
        vnis.push(VniConfig {
            id: id.value,
            name: name.value.clone(),
            rd,
            import_targets,
            export_targets,
            gateway: table.gateway.iter().map(|gateway| gateway.value).collect(),
            networks: table.networks.iter().map(|network| network.value).collect(),
            gateway_mac: table.gateway_mac.map(|mac| mac.value),
            advertise_gateway: advertise_gateway(table, report),
            advertise_svi: or(table.advertise_svi, false),
            vrf: table.vrf.as_ref().map(|vrf| vrf.value.clone()),
            bridge,
            vxlan,
            vlan: table
                .vlan
                .map(|vlan| vlan.value)
                .filter(|_| single.is_some()),
            mtu: table.mtu.map(|mtu| mtu.value),
            suppress: or(table.suppress, true),
            flooding: or(table.flooding, true),
        });
    }
    vnis
}

/// The devices that all VNIs of an instance share.
fn single_device(
    file: &File,
    overlays: &mut Overlays,
    report: &mut Report,
) -> Option<SingleDevice> {
    overlays.devices.underlay(file, report);
    let At { value, span } = file.evpn.as_ref()?.value.single_device.as_ref()?;
    let devices = &mut overlays.devices;
    let mut name = |given: Option<&At<String>>, usual: &str| {
        let (name, span) = given.map_or((usual, *span), |at| (at.value.as_str(), at.span));
        devices.see(name.to_owned(), (span, true), report);
        name.to_owned()
    };
    let vxlan = name(value.vxlan.as_ref(), SingleDevice::VXLAN);
    let bridge = name(value.bridge.as_ref(), SingleDevice::BRIDGE);
    devices.vxlans.insert(vxlan.clone());
    Some(SingleDevice {
        vxlan,
        bridge,
        mtu: value.mtu.map(|mtu| mtu.value),
    })
}

/// The place of a VNI on shared devices. Gives the name of its VLAN device.
fn lane(
    table: &VniTable,
    id: At<Vni>,
    single: &SingleDevice,
    (vlans, devices): (&mut Once<u16>, &mut Devices),
    report: &mut Report,
) -> String {
    let vni = id.value.get();
    if let Some(vxlan) = &table.vxlan {
        let hint = "leave it out: all VNIs of [evpn] with single_device share that device";
        report.error_with_hint(vxlan.span, Conflict::VxlanBesideSingle(vni), hint);
    }
    if let (Some(mtu), Some(below)) = (table.mtu, single.mtu)
        && mtu.value > below
    {
        let mtu_of = mtu.value;
        let conflict = Conflict::MtuAboveSingle { mtu: mtu_of, below };
        report.error(mtu.span, conflict);
    }
    let Some(vlan) = table.vlan else {
        if !table.has_vlan {
            let hint = "set vlan, 1 to 4094, different for each VNI";
            report.error_with_hint(id.span, Conflict::NoVlan(vni), hint);
        }
        return String::new();
    };
    let is_new = vlans.see(vlan.value, vlan.span, report);
    let usual = single.vlan_device(vlan.value);
    if table.bridge.is_none() && usual.len() > 15 {
        let name = usual.clone();
        let hint = "set bridge of the VNI, or a shorter one in single_device";
        report.error_with_hint(vlan.span, Conflict::LongVlanDevice { vni, name }, hint);
    }
    let given = table.bridge.as_ref();
    let (name, span) = given.map_or((usual, vlan.span), |at| (at.value.clone(), at.span));
    if is_new || given.is_some() {
        devices.see(name.clone(), (span, given.is_some()), report);
    }
    name
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

fn targets(
    targets: Option<&At<Vec<At<bgp::ExtendedCommunity>>>>,
    report: &mut Report,
) -> RouteTargets {
    let Some(At { value, .. }) = targets else {
        return RouteTargets::Auto;
    };
    let mut seen = Once::new("route target");
    for target in value {
        seen.see(target.value, target.span, report);
    }
    RouteTargets::Listed(value.iter().map(|target| target.value).collect())
}

/// No two overlays have the same addresses, and gateways are addresses that a host can have.
fn own_addresses(table: &VniTable, others: &mut Vec<Addresses>, report: &mut Report) {
    let overlay = others.last().map_or(0, |other| other.overlay + 1);
    for gateway in &table.gateway {
        let address = gateway.value.to_string();
        if let Some(what) = not_of_hosts(Prefix::host(gateway.value.ip())) {
            let kind = "gateway";
            report.error(
                gateway.span,
                Conflict::NotOfHosts {
                    kind,
                    address,
                    what,
                },
            );
        } else if let Some(what) = unusable(gateway.value) {
            report.error(gateway.span, Conflict::GatewayAddress { address, what });
        }
    }
    for network in &table.networks {
        if let Some(what) = not_of_hosts(network.value) {
            let (kind, address) = ("network", network.value.to_string());
            report.error(
                network.span,
                Conflict::NotOfHosts {
                    kind,
                    address,
                    what,
                },
            );
        }
    }
    let gateways = table.gateway.iter().map(|at| (*at, "gateway"));
    let network = |at: &At<Prefix>| (At::new(IpNetwork::from(at.value), at.span), "network");
    for (at, kind) in gateways.chain(table.networks.iter().map(network)) {
        let one = Addresses { overlay, at, kind };
        if let Some(two) = others.iter().find(|other| one.exclude(other)) {
            let conflict = Conflict::Gateway {
                one: one.to_string(),
                two: two.to_string(),
                first: report.place(two.at.span),
            };
            report.error(at.span, conflict);
        }
        others.push(one);
    }
}

/// Nothing can be told of a gateway that is not there.
fn advertise_gateway(table: &VniTable, report: &mut Report) -> bool {
    let Some(wanted) = table.advertise_gateway.filter(|at| at.value) else {
        return false;
    };
    if table.gateway.is_empty() {
        let key = "advertise_gateway";
        let because = "the overlay network has no `gateway`";
        let hint = "add gateway = [\"ADDRESS/LENGTH\"], or leave it out";
        report.error_with_hint(wanted.span, Problem::Unsupported { key, because }, hint);
    }
    true
}

/// What a network has in place of addresses that a machine can have.
pub(crate) fn not_of_hosts(network: Prefix) -> Option<&'static str> {
    if network.len() == 0 {
        return Some("all");
    }
    match network.addr() {
        first if first.is_loopback() => Some("loopback"),
        first if first.is_multicast() => Some("multicast"),
        IpAddr::V4(first) if first.octets().first() == Some(&0) => Some("this host's own"),
        IpAddr::V4(first) if first.octets().first() >= Some(&240) => Some("reserved"),
        // RFC 4291 §2.5.2, §2.5.5.
        IpAddr::V6(first) if first.is_unspecified() => Some("unspecified"),
        IpAddr::V6(first) if first.to_ipv4_mapped().is_some() => Some("IPv4-mapped"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// What an address is if not one of a host: the first or, in IPv4, the last of its network.
/// Networks of one or two addresses have neither (RFC 3021, RFC 6164).
fn unusable(address: IpNetwork) -> Option<&'static str> {
    let host_bits = if address.is_ipv4() { 32 } else { 128 } - address.prefix();
    if host_bits < 2 {
        return None;
    }
    let broadcast = address.is_ipv4() && address.ip() == address.broadcast();
    match address.ip() == address.network() {
        true => Some("network"),
        false => broadcast.then_some("broadcast"),
    }
}

/// Names of devices, each for one device.
#[derive(Default)]
struct Devices {
    // Where each name stands, and whether it was given there or is the usual one.
    seen: BTreeMap<String, (Span, bool)>,
    // Those of them that are to be VXLAN devices.
    vxlans: BTreeSet<String>,
}

impl Devices {
    /// The interface beneath an instance, which is of that one alone.
    fn underlay(&mut self, file: &File, report: &mut Report) {
        let underlay = file.underlay.as_ref();
        let Some(name) = underlay.and_then(|underlay| underlay.value.interface.as_ref()) else {
            return;
        };
        match self.seen.get(&name.value) {
            Some((first, _)) => {
                let first = report.place(*first);
                let name_of = name.value.clone();
                let conflict = Conflict::Device {
                    name: name_of,
                    first,
                };
                let hint = "one [underlay] interface for each instance: its AllowedIPs follow one";
                report.error_with_hint(name.span, conflict, hint);
            }
            None => {
                self.seen.insert(name.value.clone(), (name.span, true));
            }
        }
    }

    /// What an overlay makes or takes over is no interface of something else in the file. Whether the
    /// host has a device of that name, only the running daemon knows.
    fn check_interfaces(&self, file: &File, report: &mut Report) {
        let instances = file.instances.iter().map(|at| &at.value);
        for file in std::iter::once(file).chain(instances) {
            let neighbors = file.neighbors.iter().filter_map(|at| {
                let neighbor = &at.value;
                let zone = neighbor
                    .address
                    .and_then(|at| Some((at.value.zone()?.to_string(), at.span)));
                let interface = neighbor.interface.as_ref();
                interface.map(|at| (at.value.clone(), at.span)).or(zone)
            });
            let hint = "a VXLAN device is a port of its bridge and has no addresses: name the interface \
                        towards the neighbor, and another `vxlan`";
            for (name, span) in neighbors.filter(|(name, _)| self.vxlans.contains(name)) {
                self.twice(name, span, hint, report);
            }
            let vrf = file.vrf.as_ref().map(|at| (at.value.clone(), at.span));
            let hint = "the device of a VRF is neither a bridge nor a VXLAN device";
            if let Some((name, span)) = vrf.filter(|(name, _)| self.seen.contains_key(name)) {
                self.twice(name, span, hint, report);
            }
        }
    }

    fn twice(&self, name: String, span: Span, hint: &str, report: &mut Report) {
        if let Some((first, _)) = self.seen.get(&name) {
            let first = report.place(*first);
            report.error_with_hint(span, Conflict::Device { name, first }, hint);
        }
    }

    /// The name given, or the kind and the VNI.
    fn name(
        &mut self,
        given: Option<&At<String>>,
        kind: &str,
        id: At<Vni>,
        report: &mut Report,
    ) -> String {
        let (name, span) = match given {
            Some(at) => (at.value.clone(), at.span),
            None => (format!("{kind}{}", id.value), id.span),
        };
        self.see(name.clone(), (span, given.is_some()), report);
        if kind == "vxlan" {
            self.vxlans.insert(name.clone());
        }
        name
    }

    /// A device has this name, given here or the usual one.
    fn see(&mut self, name: String, (span, given): (Span, bool), report: &mut Report) {
        match self.seen.get(&name) {
            // The usual name twice is the same VNI twice, which is reported as such.
            Some((_, false)) if !given => {}
            Some((first, _)) => {
                let first = report.place(*first);
                report.error(span, Conflict::Device { name, first });
            }
            None => {
                self.seen.insert(name, (span, given));
            }
        }
    }
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
