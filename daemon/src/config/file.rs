//! The configuration as it stands in a file: every value with its place, checked by itself.
//!
//! [`read()`] walks the TOML document and fills a [`File`]; whatever is wrong is in the report and
//! missing from the `File`. Names are still names and absent keys still absent:
//! [`super::accept()`] makes the rest of it. Readers of other spellings can fill the same
//! [`File`] and go through the same checks.

mod neighbor;
mod rpki;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bgp::community::ExtendedCommunity;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::family::Family;
use bgp::{Asn, Prefix, SourceFilter, Vni};
use ipnetwork::IpNetwork;
use toml::de::{DeTable, DeValue};

use super::error::{At, Problem, Report, Span};
use super::policy;
use super::policy::PolicyKind;
use super::policy::file::PolicyTables;
use super::read::{
    self, Reading, Rejection, Table, Value, boolean, device, duration, keyword, name, number,
    socket_address, text,
};
use super::types::{BandwidthUse, EbgpRequiresPolicy, LogFormat, LogLevel, RequireRoute};
pub use neighbor::{
    AoKeyTable, BfdTable, FamilyTable, ListenRangeTable, LocalAsTable, MaximumTable,
    NeighborTable, PeerGroupTable, SettingsTable, UpdateSource,
};
pub use rpki::RpkiTable;

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct File {
    /// `name`, of an instance.
    pub name: Option<At<String>>,
    /// `vrf`, of an instance.
    pub vrf: Option<At<String>>,
    /// `[[instance]]`, each with what a file may have for one.
    pub instances: Vec<At<File>>,
    /// `asn`.
    pub asn: Option<At<Asn>>,
    /// `router_id`.
    pub router_id: Option<At<Ipv4Addr>>,
    /// `listen`.
    pub listen: Option<At<Vec<At<SocketAddr>>>>,
    /// `ebgp_requires_policy`.
    pub ebgp_requires_policy: Option<At<EbgpRequiresPolicy>>,
    /// `[router]`.
    pub router: RouterTable,
    /// `[underlay]`.
    pub underlay: Option<At<UnderlayTable>>,
    /// `[bestpath]`.
    pub bestpath: BestpathTable,
    /// `[ipv4_unicast]`.
    pub ipv4_unicast: Option<At<UnicastTable>>,
    /// `[ipv6_unicast]`.
    pub ipv6_unicast: Option<At<UnicastTable>>,
    /// `[evpn]`.
    pub evpn: Option<At<EvpnTable>>,
    /// `[[peer_group]]`.
    pub peer_groups: Vec<At<PeerGroupTable>>,
    /// `[[neighbor]]`.
    pub neighbors: Vec<At<NeighborTable>>,
    /// `[[listen_range]]`.
    pub listen_ranges: Vec<At<ListenRangeTable>>,
    /// `[[vni]]`.
    pub vnis: Vec<At<VniTable>>,
    /// `[[rpki]]`.
    pub rpki: Vec<At<RpkiTable>>,
    /// Lists and route-maps.
    pub policy: PolicyTables,
    /// `[kernel]`.
    pub kernel: KernelTable,
    /// `[graceful_restart]`.
    pub graceful_restart: GracefulRestartTable,
    /// `[metrics]`: `listen`.
    pub metrics: Option<At<SocketAddr>>,
    /// `[log]`: `level`.
    pub log_level: Option<At<LogLevel>>,
    /// `[log]`: `format`.
    pub log_format: Option<At<LogFormat>>,
    /// `[drain]`: `on_stop`.
    pub drain_on_stop: Option<At<bool>>,
    /// `[drain]`: `timeout`.
    pub drain_timeout: Option<At<Duration>>,
}

/// `[router]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouterTable {
    /// `cluster_id`.
    pub cluster_id: Option<At<Ipv4Addr>>,
    /// `client_to_client_reflection`.
    pub client_to_client_reflection: Option<At<bool>>,
    /// `confederation_id`.
    pub confederation_id: Option<At<Asn>>,
    /// `confederation_members`.
    pub confederation_members: Option<At<Vec<At<Asn>>>>,
}

/// `[underlay]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnderlayTable {
    /// `interface`.
    pub interface: Option<At<String>>,
    /// `sync_allowed_ips`.
    pub sync_allowed_ips: Option<At<bool>>,
    /// `wireguard_socket`.
    pub wireguard_socket: Option<At<PathBuf>>,
}

/// `[bestpath]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BestpathTable {
    /// `always_compare_med`.
    pub always_compare_med: Option<At<bool>>,
    /// `missing_med_as_worst`.
    pub missing_med_as_worst: Option<At<bool>>,
    /// `as_path_ignore`.
    pub as_path_ignore: Option<At<bool>>,
    /// `bandwidth`.
    pub bandwidth: Option<At<BandwidthUse>>,
}

/// `[ipv4_unicast]` or `[ipv6_unicast]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnicastTable {
    /// `networks`.
    pub networks: Vec<At<NetworkItem>>,
    /// `import_check`.
    pub import_check: Option<At<bool>>,
    /// `redistribute`.
    pub redistribute: Vec<At<RedistributeItem>>,
    /// `aggregates`.
    pub aggregates: Vec<At<AggregateItem>>,
    /// `multipath`: `paths`.
    pub paths: Option<At<u16>>,
    /// `multipath`: `as_path_relax`.
    pub as_path_relax: Option<At<bool>>,
}

/// One of `networks`.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkItem {
    /// `prefix`, or the text itself.
    pub prefix: At<Prefix>,
    /// `require_route`.
    pub require_route: Option<At<RequireRoute>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
}

/// One of `redistribute`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RedistributeItem {
    /// `source`, or the text itself.
    pub source: Option<At<SourceFilter>>,
    /// `table`.
    pub table: Option<At<u32>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
    /// `metric`.
    pub metric: Option<At<u32>>,
}

/// One of `aggregates`.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateItem {
    /// `prefix`, or the text itself.
    pub prefix: At<Prefix>,
    /// `summary_only`.
    pub summary_only: Option<At<bool>>,
    /// `suppress`.
    pub suppress: Option<At<String>>,
    /// `as_set`.
    pub as_set: Option<At<bool>>,
    /// `match_med`.
    pub match_med: Option<At<bool>>,
    /// `blackhole`.
    pub blackhole: Option<At<bool>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
}

impl AggregateItem {
    fn alone(prefix: At<Prefix>) -> Self {
        Self {
            prefix,
            summary_only: None,
            suppress: None,
            as_set: None,
            match_med: None,
            blackhole: None,
            route_map: None,
        }
    }
}

/// `[evpn]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvpnTable {
    /// `vtep`.
    pub vtep: Option<At<IpAddr>>,
    /// `port`.
    pub port: Option<At<u16>>,
}

/// `[[vni]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VniTable {
    /// `id`.
    pub id: Option<At<Vni>>,
    /// `name`.
    pub name: Option<At<String>>,
    /// `rd`.
    pub rd: Option<At<RouteDistinguisher>>,
    /// `import_targets`.
    pub import_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `export_targets`.
    pub export_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `gateway`.
    pub gateway: Vec<At<IpNetwork>>,
    /// `gateway_mac`.
    pub gateway_mac: Option<At<MacAddress>>,
    /// `bridge`.
    pub bridge: Option<At<String>>,
    /// `vxlan`.
    pub vxlan: Option<At<String>>,
    /// `mtu`.
    pub mtu: Option<At<u32>>,
}

/// `[kernel]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KernelTable {
    /// `enabled`.
    pub enabled: Option<At<bool>>,
    /// `protocol`.
    pub protocol: Option<At<u8>>,
    /// `table`.
    pub table: Option<At<u32>>,
    /// `distance`: `external`.
    pub external: Option<At<u8>>,
    /// `distance`: `internal`.
    pub internal: Option<At<u8>>,
    /// `audit_interval`.
    pub audit_interval: Option<At<Duration>>,
}

/// `[graceful_restart]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GracefulRestartTable {
    /// `enabled`.
    pub enabled: Option<At<bool>>,
    /// `restart_time`.
    pub restart_time: Option<At<Duration>>,
    /// `long_lived_time`.
    pub long_lived_time: Option<At<Duration>>,
    /// `stale_time`.
    pub stale_time: Option<At<Duration>>,
    /// `deferral_time`.
    pub deferral_time: Option<At<Duration>>,
}

impl File {
    /// What sessions are, wherever it stands.
    pub fn settings(&self) -> impl Iterator<Item = &SettingsTable> {
        let groups = self.peer_groups.iter().map(|at| &at.value.settings);
        let neighbors = self.neighbors.iter().map(|at| &at.value.settings);
        let ranges = self.listen_ranges.iter().map(|at| &at.value.settings);
        groups.chain(neighbors).chain(ranges)
    }
}

/// Reads a file in TOML. `None` when it is not TOML; other errors leave gaps in the [`File`].
pub fn read(toml: &str, report: &mut Report) -> Option<File> {
    let (document, errors) = DeTable::parse_recoverable(toml);
    for error in &errors {
        let span = error.span().map(Span::from).unwrap_or_default();
        report.error(span, Problem::Syntax(error.message().replace('\n', ", ")));
    }
    if !errors.is_empty() {
        return None;
    }
    let start = Span::default();
    let mut top = Table::new(document.get_ref(), "the file", start, report);
    let file = read_file(&mut top);
    top.finish();
    Some(file)
}

fn read_file(top: &mut Table<'_, '_>) -> File {
    let mut file = speaker(top);
    file.rpki = top.tables("rpki", "[[rpki]]", rpki::rpki);
    file.policy = policy::file::read(top);
    file.instances = top.tables("instance", "[[instance]]", instance);
    top.table("kernel", "[kernel]", |table| file.kernel = kernel(table));
    top.table("metrics", "[metrics]", |table| {
        file.metrics = table.require("listen", "an address with a port", socket_address);
    });
    top.table("log", "[log]", |table| {
        file.log_level = table.get("level", keyword);
        file.log_format = table.get("format", keyword);
    });
    top.table("drain", "[drain]", |table| {
        file.drain_on_stop = table.get("on_stop", boolean);
        file.drain_timeout = table.get("timeout", duration(SECOND..=HOUR));
    });
    file
}

/// An instance beside the default one: what is the program's own stands at the top only, and so do
/// lists and route-maps, which all may use.
fn instance(table: &mut Table<'_, '_>) -> File {
    for key in ["rpki", "metrics", "log", "drain"] {
        let because = "it is one for the whole daemon";
        table.unsupported(key, because, "set it at the top of the file");
    }
    for kind in PolicyKind::ALL {
        let because = "lists and route-maps are defined once for all instances";
        table.unsupported(kind.word(), because, "define it at the top of the file");
    }
    let routes = "routes of one instance do not go to another";
    let hint = "announce the networks in both instances";
    table.unsupported("import", routes, hint);
    let name = table.require("name", INSTANCE_NAME, instance_name);
    let vrf = table.get("vrf", device);
    let mut file = File {
        name,
        vrf,
        ..speaker(table)
    };
    table.table("kernel", "[instance.kernel]", |table| {
        for key in ["enabled", "protocol", "audit_interval"] {
            let because = "it is one for the whole daemon";
            table.unsupported(key, because, "set it in [kernel] at the top of the file");
        }
        file.kernel = instance_kernel(table);
    });
    file
}

const INSTANCE_NAME: &str = "a name of up to 32 letters a to z, digits and hyphens";

/// It is part of file names, labels and commands. `default` is that of the top level.
fn instance_name(value: &DeValue<'_>) -> Reading<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = text(INSTANCE_NAME, |text| {
        let usable = (1..=32).contains(&text.len()) && text.chars().all(plain);
        usable.then(|| text.to_owned())
    })(value)?;
    match name.as_str() {
        "default" => Err(Rejection::from(
            "another name: that is the instance at the top",
        )),
        _ => Ok(name),
    }
}

/// What the top of a file and an instance have in common.
fn speaker(top: &mut Table<'_, '_>) -> File {
    let mut file = File {
        asn: top.require("asn", "our AS number", asn),
        router_id: top.require("router_id", "our BGP identifier", router_id),
        listen: top.list("listen", socket_address),
        ebgp_requires_policy: top.get("ebgp_requires_policy", ebgp_requires_policy),
        underlay: top.table("underlay", "[underlay]", underlay),
        ipv4_unicast: top.table("ipv4_unicast", "[ipv4_unicast]", |table| {
            unicast(table, Family::Ipv4Unicast)
        }),
        ipv6_unicast: top.table("ipv6_unicast", "[ipv6_unicast]", |table| {
            unicast(table, Family::Ipv6Unicast)
        }),
        evpn: top.table("evpn", "[evpn]", evpn),
        peer_groups: top.tables("peer_group", "[[peer_group]]", neighbor::peer_group),
        neighbors: top.tables("neighbor", "[[neighbor]]", neighbor::neighbor),
        listen_ranges: top.tables("listen_range", "[[listen_range]]", neighbor::listen_range),
        vnis: top.tables("vni", "[[vni]]", vni),
        ..File::default()
    };
    top.table("bestpath", "[bestpath]", |table| {
        file.bestpath = bestpath(table);
    });
    top.table("router", "[router]", |table| file.router = router(table));
    top.table("graceful_restart", "[graceful_restart]", |table| {
        file.graceful_restart = graceful_restart(table);
    });
    file
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// RFC 7607: 0 is never used. RFC 7300: the last numbers of both sizes are reserved. RFC 6793 §9:
/// 23456 stands for others.
pub(super) fn asn(value: &DeValue<'_>) -> Reading<Asn> {
    read::integer(value)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| !matches!(*number, 0 | 23_456 | 65_535 | u32::MAX))
        .map(Asn)
        .ok_or_else(|| {
            let expected = "an AS number from 1 to 4294967294 that is not reserved";
            match value.as_str().and_then(|text| text.parse::<Asn>().ok()) {
                Some(asn) => Rejection::from(expected).hint(format!("write {asn} without quotes")),
                None => expected.into(),
            }
        })
}

fn router(table: &mut Table<'_, '_>) -> RouterTable {
    RouterTable {
        cluster_id: table.get("cluster_id", router_id),
        client_to_client_reflection: table.get("client_to_client_reflection", boolean),
        confederation_id: table.get("confederation_id", asn),
        confederation_members: table.list("confederation_members", asn),
    }
}

fn router_id(value: &DeValue<'_>) -> Reading<Ipv4Addr> {
    let parse = |text: &str| {
        text.parse()
            .ok()
            .filter(|id: &Ipv4Addr| !id.is_unspecified())
    };
    text(
        "a dotted number like \"10.10.0.1\", not 0.0.0.0 (RFC 6286)",
        parse,
    )(value)
}

fn ebgp_requires_policy(value: &DeValue<'_>) -> Reading<EbgpRequiresPolicy> {
    match (value.as_str(), value.as_bool()) {
        (Some("auto"), _) => Ok(EbgpRequiresPolicy::Auto),
        (_, Some(true)) => Ok(EbgpRequiresPolicy::Yes),
        (_, Some(false)) => Ok(EbgpRequiresPolicy::No),
        (_, None) => Err("\"auto\", true or false".into()),
    }
}

fn underlay(table: &mut Table<'_, '_>) -> UnderlayTable {
    UnderlayTable {
        interface: table.require("interface", "the name of the WireGuard interface", device),
        sync_allowed_ips: table.get("sync_allowed_ips", boolean),
        wireguard_socket: table.get("wireguard_socket", absolute_path),
    }
}

fn absolute_path(value: &DeValue<'_>) -> Reading<PathBuf> {
    text("an absolute path", |text| {
        Some(PathBuf::from(text)).filter(|path| path.is_absolute())
    })(value)
}

/// What others switch on and is always so here is refused by name.
fn bestpath(table: &mut Table<'_, '_>) -> BestpathTable {
    for (key, because) in [
        (
            "compare_router_id",
            "identifiers are always compared: age plays no part",
        ),
        (
            "deterministic_med",
            "MEDs are always compared deterministically",
        ),
        (
            "as_path_relax",
            "each family has its own `multipath = { as_path_relax = true }`",
        ),
    ] {
        table.unsupported(key, because, "leave it out");
    }
    BestpathTable {
        always_compare_med: table.get("always_compare_med", boolean),
        missing_med_as_worst: table.get("missing_med_as_worst", boolean),
        as_path_ignore: table.get("as_path_ignore", boolean),
        bandwidth: table.get("bandwidth", keyword),
    }
}

fn unicast(table: &mut Table<'_, '_>, family: Family) -> UnicastTable {
    let networks = networks(table, family);
    let aggregates = aggregates(table, family);
    let mut unicast = UnicastTable {
        networks,
        import_check: table.get("import_check", boolean),
        redistribute: redistribute(table),
        aggregates,
        ..UnicastTable::default()
    };
    table.table("multipath", "multipath", |table| {
        unicast.paths = table.get("paths", number(1..=256));
        unicast.as_path_relax = table.get("as_path_relax", boolean);
    });
    unicast
}

/// Texts and tables may stand beside each other.
fn networks(table: &mut Table<'_, '_>, family: Family) -> Vec<At<NetworkItem>> {
    let Some(value) = table.raw("networks") else {
        return Vec::new();
    };
    let report = table.report();
    let Some(items) = read::array(report, "networks", value) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            if item.get_ref().is_table() {
                let item = read::table(report, "networks", "the network", item, |table| {
                    network(table, family)
                })?;
                return item.value.map(|value| At::new(value, item.span));
            }
            let prefix = read::reading(report, "networks", item, |value| prefix(value, family))?;
            let item = NetworkItem {
                prefix,
                require_route: None,
                route_map: None,
            };
            Some(At::new(item, prefix.span))
        })
        .collect()
}

/// Texts and tables may stand beside each other.
fn redistribute(table: &mut Table<'_, '_>) -> Vec<At<RedistributeItem>> {
    const KEY: &str = "redistribute";
    let Some(value) = table.raw(KEY) else {
        return Vec::new();
    };
    let report = table.report();
    let Some(items) = read::array(report, KEY, value) else {
        return Vec::new();
    };
    let read = |item: &Value<'_>| {
        if item.get_ref().is_table() {
            let item = read::table(report, KEY, KEY, item, redistribute_item)?;
            return item.value.map(|value| At::new(value, item.span));
        }
        let source = read::reading(report, KEY, item, source)?;
        let item = RedistributeItem {
            source: Some(source),
            ..RedistributeItem::default()
        };
        Some(At::new(item, source.span))
    };
    items.iter().filter_map(read).collect()
}

/// What is wrong in one of its values is no entry.
fn redistribute_item(table: &mut Table<'_, '_>) -> Option<RedistributeItem> {
    let before = table.report().count();
    let item = RedistributeItem {
        source: table.get("source", source),
        table: table.get("table", routing_table),
        route_map: table.get("route_map", reference),
        metric: table.get("metric", number(0..=0xffff_ffff)),
    };
    let clean = table.report().count() == before;
    if clean && item.source.is_none() && item.table.is_none() {
        table.missing("source", "the program whose routes are meant, or `table`");
    }
    (table.report().count() == before).then_some(item)
}

/// A program that makes routes: a name, or its number in the kernel.
pub(super) fn source(value: &DeValue<'_>) -> Reading<SourceFilter> {
    let read = match read::integer(value) {
        Some(number) => number.to_string().parse().ok(),
        None => value.as_str().and_then(|text| text.parse().ok()),
    };
    read.ok_or_else(|| {
        let expected = "a source like \"connected\", \"static\", \"kernel\", \"ospf\", or a number \
                        from 1 to 255";
        let names: Vec<&str> = SourceFilter::names().collect();
        let near = value.as_str().and_then(|text| read::nearest(text, &names));
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("names are {}", names.join(", ")),
        };
        Rejection::from(expected).hint(hint)
    })
}

/// A routing table of the kernel that others than the kernel write to.
pub(super) fn routing_table(value: &DeValue<'_>) -> Reading<u32> {
    number(1..=0xffff_ffff)(value)
        .ok()
        .filter(|table| *table != 255)
        .ok_or_else(|| {
            "a table from 1 to 4294967295, not 255, which is the kernel's own (local)".into()
        })
}

fn network(table: &mut Table<'_, '_>, family: Family) -> Option<NetworkItem> {
    let network = table.require("prefix", "the network", |value| prefix(value, family));
    let require_route = table.get("require_route", |value| {
        match (value.as_bool(), value.as_str()) {
            (Some(false), _) => Ok(RequireRoute::No),
            (Some(true), _) => Ok(RequireRoute::Exact),
            (None, Some("or_more_specific")) => Ok(RequireRoute::OrMoreSpecific),
            (None, _) => Err("true, false or \"or_more_specific\"".into()),
        }
    });
    let route_map = table.get("route_map", reference);
    network.map(|prefix| NetworkItem {
        prefix,
        require_route,
        route_map,
    })
}

/// Texts and tables, as with `networks`.
fn aggregates(table: &mut Table<'_, '_>, family: Family) -> Vec<At<AggregateItem>> {
    let Some(value) = table.raw("aggregates") else {
        return Vec::new();
    };
    let report = table.report();
    let Some(items) = read::array(report, "aggregates", value) else {
        return Vec::new();
    };
    let read = items.iter().filter_map(|item| {
        if item.get_ref().is_table() {
            let item = read::table(report, "aggregates", "the aggregate", item, |table| {
                aggregate(table, family)
            })?;
            return item.value.map(|value| At::new(value, item.span));
        }
        let read = |value: &DeValue<'_>| wide_prefix(value, family);
        let prefix = read::reading(report, "aggregates", item, read)?;
        Some(At::new(AggregateItem::alone(prefix), prefix.span))
    });
    read.collect()
}

fn aggregate(table: &mut Table<'_, '_>, family: Family) -> Option<AggregateItem> {
    let prefix = table.require("prefix", "the network", |value| wide_prefix(value, family));
    let read = AggregateItem {
        summary_only: table.get("summary_only", boolean),
        suppress: table.get("suppress", reference),
        as_set: table.get("as_set", boolean),
        match_med: table.get("match_med", boolean),
        blackhole: table.get("blackhole", boolean),
        route_map: table.get("route_map", reference),
        // Keys are read although the prefix is missing, so that all errors are reported.
        ..AggregateItem::alone(prefix.unwrap_or(At::new(Prefix::host(NOWHERE), Span::default())))
    };
    prefix.map(|_| read)
}

/// Stands where an address is missing.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A network that others can lie within, and that is not all of them.
fn wide_prefix(value: &DeValue<'_>, family: Family) -> Reading<Prefix> {
    let prefix = prefix(value, family)?;
    if prefix.len() == 0 {
        let expected = "a network with a length of at least 1";
        return Err(Rejection::from(expected).hint(
            "for a default route that depends on others set default_originate = { route_map = \
             \"MAP\" } for the neighbor",
        ));
    }
    if prefix == Prefix::host(prefix.addr()) {
        let expected = "a network that has more specific ones";
        return Err(Rejection::from(expected).hint("a single address belongs in `networks`"));
    }
    Ok(prefix)
}

/// A network of the family, as an operator means it: with a length and without host bits.
fn prefix(value: &DeValue<'_>, family: Family) -> Reading<Prefix> {
    let v4 = family == Family::Ipv4Unicast;
    let expected = if v4 {
        "an IPv4 network like \"10.100.0.0/16\""
    } else {
        "an IPv6 network like \"2001:db8::/32\""
    };
    let network = value
        .as_str()
        .filter(|text| text.contains('/'))
        .and_then(|text| text.parse::<IpNetwork>().ok())
        .filter(|network| network.is_ipv4() == v4)
        .ok_or_else(|| Rejection::from(expected))?;
    let prefix = Prefix::from(network);
    if network.ip() == prefix.addr() {
        return Ok(prefix);
    }
    Err(Rejection::from("a network without host bits").hint(format!("write \"{prefix}\"")))
}

fn evpn(table: &mut Table<'_, '_>) -> EvpnTable {
    EvpnTable {
        vtep: table.require("vtep", "our tunnel endpoint", unicast_address),
        port: table.get("port", number(1..=65_535)),
    }
}

/// An address that one host can have.
pub(super) fn unicast_address(value: &DeValue<'_>) -> Reading<IpAddr> {
    let address: IpAddr =
        text("an IP address like \"10.10.0.2\"", |text| text.parse().ok())(value)?;
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err("the address of one host".into());
    }
    if let IpAddr::V6(address) = address
        && address.is_unicast_link_local()
    {
        let expected = Rejection::from("an address that is valid beyond one link");
        return Err(expected.hint("give the neighbors addresses of the tunnel's own network"));
    }
    Ok(address)
}

/// A duration that goes into a field of whole seconds.
fn whole_seconds(
    value: &DeValue<'_>,
    range: std::ops::RangeInclusive<u64>,
    or: &str,
) -> Reading<Duration> {
    let (low, high) = (*range.start(), *range.end());
    duration(Duration::from_secs(low)..=Duration::from_secs(high))(value)
        .ok()
        .filter(|duration| duration.subsec_nanos() == 0)
        .ok_or_else(|| format!("{or}whole seconds from {low}s to {high}s").into())
}

/// RFC 4724 §3: twelve bits of seconds.
fn restart_time(value: &DeValue<'_>) -> Reading<Duration> {
    whole_seconds(value, 1..=4095, "")
}

/// RFC 9494 §3: 24 bits of seconds.
fn long_lived_time(value: &DeValue<'_>) -> Reading<Duration> {
    whole_seconds(value, 0..=0xff_ffff, "")
}

/// The name of something defined elsewhere in the file.
pub(super) fn reference(value: &DeValue<'_>) -> Reading<String> {
    text("a name", |text| Some(text.to_owned()))(value)
}

fn vni(table: &mut Table<'_, '_>) -> VniTable {
    let expected_id = "a number from 1 to 16777215";
    VniTable {
        id: table.require("id", expected_id, |value| {
            number(1..=0xff_ffff)(value)
                .ok()
                .and_then(Vni::new)
                .ok_or_else(|| expected_id.into())
        }),
        name: table.require("name", "a name for people", name(63)),
        rd: table.get(
            "rd",
            text("a route distinguisher like \"10.10.0.1:100\"", |text| {
                text.parse().ok()
            }),
        ),
        import_targets: targets(table, "import_targets"),
        export_targets: targets(table, "export_targets"),
        gateway: table
            .list("gateway", gateway)
            .map_or(Vec::new(), |list| list.value),
        gateway_mac: table.get("gateway_mac", |value| {
            let parse = |text: &str| text.parse().ok().filter(is_unicast);
            text("a unicast MAC address like \"02:00:00:00:01:00\"", parse)(value)
        }),
        bridge: table.get("bridge", device),
        vxlan: table.get("vxlan", device),
        mtu: table.get("mtu", number(1280..=65_535)),
    }
}

/// The group bit is clear and the address is not zero.
fn is_unicast(mac: &MacAddress) -> bool {
    let [first, ..] = mac.0;
    first & 1 == 0 && mac.0 != [0; 6]
}

fn targets(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<At<Vec<At<ExtendedCommunity>>>> {
    let span = table.raw(key).map(|value| value.span().into());
    let empty = table.raw(key).and_then(|value| value.get_ref().as_array());
    if let (Some(span), Some([])) = (span, empty.map(|list| list.iter().as_slice())) {
        let problem = Problem::value(key, "an empty list", "at least one route target");
        let report = table.report();
        report.error_with_hint(span, problem, "leave it out for automatic ones");
        return None;
    }
    table.list(key, route_target)
}

fn route_target(value: &DeValue<'_>) -> Reading<ExtendedCommunity> {
    text("a route target like \"65000:100\"", |text| {
        text.parse().ok()
    })(value)
}

fn gateway(value: &DeValue<'_>) -> Reading<IpNetwork> {
    text(
        "an address with the length of its network like \"10.100.0.1/24\"",
        |text| Some(text).filter(|text| text.contains('/'))?.parse().ok(),
    )(value)
}

fn kernel(table: &mut Table<'_, '_>) -> KernelTable {
    KernelTable {
        enabled: table.get("enabled", boolean),
        // 0 to 4 mean the kernel itself, redirects, start-up and the administrator
        // (rtnetlink(7)); we would delete theirs.
        protocol: table.get("protocol", number(5..=255)),
        audit_interval: table.get("audit_interval", |value| match value.as_str() {
            Some("0s") => Ok(Duration::ZERO),
            _ => duration(SECOND..=DAY)(value).map_err(|rejection| Rejection {
                expected: format!("0s or {}", rejection.expected),
                hint: rejection.hint,
            }),
        }),
        ..instance_kernel(table)
    }
}

/// Where routes of one instance go.
fn instance_kernel(table: &mut Table<'_, '_>) -> KernelTable {
    let (mut external, mut internal) = (None, None);
    table.table("distance", "distance", |table| {
        external = table.get("external", number(1..=255));
        internal = table.get("internal", number(1..=255));
    });
    KernelTable {
        external,
        internal,
        table: table.get("table", number(1..=i64::from(u32::MAX))),
        ..KernelTable::default()
    }
}

fn graceful_restart(table: &mut Table<'_, '_>) -> GracefulRestartTable {
    GracefulRestartTable {
        enabled: table.get("enabled", boolean),
        restart_time: table.get("restart_time", restart_time),
        long_lived_time: table.get("long_lived_time", long_lived_time),
        stale_time: table.get("stale_time", duration(SECOND..=DAY)),
        deferral_time: table.get("deferral_time", duration(SECOND..=HOUR)),
    }
}
