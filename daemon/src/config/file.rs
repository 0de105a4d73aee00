//! The configuration as it stands in a file: every value with its place, checked by itself.
//!
//! [`read()`] walks the TOML document and fills a [`File`]; whatever is wrong is in the report and
//! missing from the `File`. Names are still names and absent keys still absent:
//! [`super::accept()`] makes the rest of it. Readers of other spellings can fill the same
//! [`File`] and go through the same checks.
//!
//! Tables with much in them have files of their own: neighbours, groups and ranges (`neighbor`),
//! BFD (`bfd`), what is announced of our own (`own_routes`), static routes (`static_route`), the host's
//! devices (`interface`), overlays (`vni`) and caches of the RPKI (`rpki`);
//! lists and route-maps are read in `policy::file`. Here is the rest of what an instance has, and
//! what the daemon has once.

mod bfd;
mod duplicates;
mod import;
mod interface;
mod log;
mod neighbor;
mod own_routes;
mod rpki;
mod static_route;
mod tenant;
mod vni;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bgp::family::Family;
use bgp::{Asn, Prefix};
use ipnetwork::IpNetwork;
use toml::de::{DeTable, DeValue};

use super::error::{At, Problem, Report, Span};
use super::policy;
use super::policy::PolicyKind;
use super::policy::file::PolicyTables;
use super::read::{
    self, Reading, Rejection, Table, boolean, device, duration, keyword, number, socket_address,
    text,
};
use super::types::{BandwidthUse, EbgpRequiresPolicy, OnStop, SyncAllowedIps};
pub use bfd::{
    BfdAuthenticationTable, BfdKeyTable, BfdPeerTable, BfdProfileTable, BfdTable, StaticBfdTable,
};
pub use duplicates::DuplicatesTable;
pub use import::ImportTable;
pub use interface::InterfaceTable;
pub use log::LogTable;
pub use neighbor::{
    AoKeyTable, FamilyTable, ListenRangeTable, LocalAsTable, MaximumTable, NeighborTable,
    PeerGroupTable, SettingsTable, UpdateSource,
};
pub use own_routes::{AggregateItem, NetworkItem, RedistributeItem};
use own_routes::{aggregates, networks, redistribute};
pub(super) use own_routes::{routing_table, source};
pub use rpki::RpkiTable;
pub use static_route::{StaticNextHopItem, StaticRouteTable};
pub use tenant::L3VniTable;
pub use vni::{SingleDeviceTable, VniTable};

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct File {
    /// `name`, of an instance.
    pub name: Option<At<String>>,
    /// `vrf`, of an instance.
    pub vrf: Option<At<String>>,
    /// `vrf_table`, of an instance.
    pub vrf_table: Option<At<u32>>,
    /// `[[import]]`.
    pub imports: Vec<At<ImportTable>>,
    /// `vrf_unreachable`, of an instance.
    pub vrf_unreachable: Option<At<bool>>,
    /// `[l3vni]`, `[instance.l3vni]`.
    pub l3vni: Option<At<L3VniTable>>,
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
    /// `[[bfd]]`.
    pub bfd: Vec<At<BfdPeerTable>>,
    /// `[[bfd_profile]]`.
    pub bfd_profiles: Vec<At<BfdProfileTable>>,
    /// `[[vni]]`.
    pub vnis: Vec<At<VniTable>>,
    /// `[[interface]]`.
    pub interfaces: Vec<At<InterfaceTable>>,
    /// `[[static_route]]`.
    pub static_routes: Vec<At<StaticRouteTable>>,
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
    /// `[log]`.
    pub log: LogTable,
    /// `[drain]`: `on_stop`.
    pub drain_on_stop: Option<At<bool>>,
    /// `[drain]`: `timeout`.
    pub drain_timeout: Option<At<Duration>>,
}

/// `[router]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouterTable {
    /// `hostname`.
    pub hostname: Option<At<String>>,
    /// `domainname`.
    pub domainname: Option<At<String>>,
    /// `cluster_id`.
    pub cluster_id: Option<At<Ipv4Addr>>,
    /// `default_local_preference`.
    pub default_local_preference: Option<At<u32>>,
    /// `max_med`.
    pub max_med: Option<At<u32>>,
    /// `max_med_on_startup`.
    pub max_med_on_startup: Option<At<StartupMedTable>>,
    /// `show_hostname`.
    pub show_hostname: Option<At<bool>>,
    /// `minimum_hold_time`.
    pub minimum_hold_time: Option<At<Duration>>,
    /// `show_attributes`.
    pub show_attributes: Option<At<bool>>,
    /// `show_next_hop_hostname`.
    pub show_next_hop_hostname: Option<At<bool>>,
    /// `graceful_shutdown`.
    pub graceful_shutdown: Option<At<bool>>,
    /// `suppress_fib_pending`.
    pub suppress_fib_pending: Option<At<bool>>,
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
    pub sync_allowed_ips: Option<At<SyncAllowedIps>>,
    /// `maximum_allowed_ips`.
    pub maximum_allowed_ips: Option<At<u32>>,
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
    /// `as_path_confed`.
    pub as_path_confed: Option<At<bool>>,
    /// `peer_type_relax`.
    pub peer_type_relax: Option<At<bool>>,
    /// `bandwidth`.
    pub bandwidth: Option<At<BandwidthUse>>,
}

/// `max_med_on_startup` of `[router]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartupMedTable {
    /// `time`.
    pub time: Option<At<Duration>>,
    /// `med`.
    pub med: Option<At<u32>>,
}

/// `[ipv4_unicast]` or `[ipv6_unicast]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnicastTable {
    /// `backdoors`.
    pub backdoors: Option<At<Vec<At<Prefix>>>>,
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
    /// `kernel_route_map`.
    pub kernel_route_map: Option<At<String>>,
}

/// `[evpn]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvpnTable {
    /// `vtep`.
    pub vtep: Option<At<IpAddr>>,
    /// `port`.
    pub port: Option<At<u16>>,
    /// `duplicate_detection`.
    pub duplicates: Option<DuplicatesTable>,
    /// `single_device`.
    pub single_device: Option<At<SingleDeviceTable>>,
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
    /// `distance`: `backdoor`.
    pub backdoor: Option<At<u8>>,
    /// `distance`: `internal`.
    pub internal: Option<At<u8>>,
    /// `audit_interval`.
    pub audit_interval: Option<At<Duration>>,
    /// `nexthop_objects`.
    pub nexthop_objects: Option<At<bool>>,
    /// `on_stop`.
    pub on_stop: Option<At<OnStop>>,
    /// `ipv4_forwarding`.
    pub ipv4_forwarding: Option<At<bool>>,
    /// `ipv6_forwarding`.
    pub ipv6_forwarding: Option<At<bool>>,
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
    file.interfaces = top.tables("interface", "[[interface]]", interface::interface);
    file.rpki = top.tables("rpki", "[[rpki]]", rpki::rpki);
    file.bfd_profiles = top.tables("bfd_profile", "[[bfd_profile]]", bfd::profile);
    file.policy = policy::file::read(top);
    file.l3vni = top.table("l3vni", "[l3vni]", tenant::l3vni);
    for key in ["vrf_table", "vrf_unreachable"] {
        let because = "the default instance is in no VRF";
        top.unsupported(key, because, "set it in an [[instance]] with `vrf`");
    }
    file.instances = top.tables("instance", "[[instance]]", instance);
    top.table("kernel", "[kernel]", |table| file.kernel = kernel(table));
    top.table("metrics", "[metrics]", |table| {
        file.metrics = table.require("listen", "an address with a port", socket_address);
    });
    top.table("log", "[log]", |table| file.log = log::log(table));
    top.table("drain", "[drain]", |table| {
        file.drain_on_stop = table.get("on_stop", boolean);
        file.drain_timeout = table.get("timeout", duration(SECOND..=HOUR));
    });
    file
}

/// An instance beside the default one: what is the program's own stands at the top only, and so do
/// lists and route-maps, which all may use.
fn instance(table: &mut Table<'_, '_>) -> File {
    for key in [
        "interface",
        "rpki",
        "bfd_profile",
        "metrics",
        "log",
        "drain",
    ] {
        let because = "it is one for the whole daemon";
        table.unsupported(key, because, "set it at the top of the file");
    }
    for kind in PolicyKind::ALL {
        let because = "lists and route-maps are defined once for all instances";
        table.unsupported(kind.word(), because, "define it at the top of the file");
    }
    let name = table.require("name", INSTANCE_NAME, instance_name);
    let vrf = table.get("vrf", device);
    let vrf_table = table.get("vrf_table", routing_table);
    let vrf_unreachable = table.get("vrf_unreachable", boolean);
    let l3vni = table.table("l3vni", "[instance.l3vni]", tenant::l3vni);
    let mut file = File {
        name,
        vrf,
        vrf_table,
        vrf_unreachable,
        l3vni,
        ..speaker(table)
    };
    table.table("kernel", "[instance.kernel]", |table| {
        for key in [
            "enabled",
            "protocol",
            "audit_interval",
            "nexthop_objects",
            "on_stop",
            "ipv4_forwarding",
            "ipv6_forwarding",
        ] {
            let because = "it is one for the whole daemon";
            table.unsupported(key, because, "set it in [kernel] at the top of the file");
        }
        file.kernel = instance_kernel(table);
    });
    file
}

const INSTANCE_NAME: &str =
    "a name of up to 32 letters a to z, digits and hyphens that does not begin with a hyphen";

/// It is part of file names, labels and commands. `default` is that of the top level.
fn instance_name(value: &DeValue<'_>) -> Reading<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = text(INSTANCE_NAME, |text| {
        // A word that begins with a hyphen is an option where a command names the instance.
        let usable = (1..=32).contains(&text.len()) && !text.starts_with('-');
        let usable = usable && text.chars().all(plain);
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
        imports: top.tables("import", "[[import]]", import::import),
        peer_groups: top.tables("peer_group", "[[peer_group]]", neighbor::peer_group),
        neighbors: top.tables("neighbor", "[[neighbor]]", neighbor::neighbor),
        listen_ranges: top.tables("listen_range", "[[listen_range]]", neighbor::listen_range),
        bfd: top.tables("bfd", "[[bfd]]", bfd::peer),
        vnis: top.tables("vni", "[[vni]]", vni::vni),
        static_routes: top.tables(
            "static_route",
            "[[static_route]]",
            static_route::static_route,
        ),
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
pub(crate) fn is_reserved(asn: Asn) -> bool {
    matches!(asn.0, 0 | 23_456 | 65_535 | u32::MAX)
}

/// A number that an AS can have.
pub(super) fn asn(value: &DeValue<'_>) -> Reading<Asn> {
    read::integer(value)
        .and_then(|number| u32::try_from(number).ok())
        .map(Asn)
        .filter(|asn| !is_reserved(*asn))
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
        hostname: table.get("hostname", host_name),
        domainname: table.get("domainname", host_name),
        cluster_id: table.get("cluster_id", router_id),
        default_local_preference: table
            .get("default_local_preference", number(0..=i64::from(u32::MAX))),
        max_med: table.get("max_med", number(0..=i64::from(u32::MAX))),
        max_med_on_startup: table.table("max_med_on_startup", "max_med_on_startup", |table| {
            StartupMedTable {
                time: table.require("time", "for how long", |value| {
                    whole_seconds(value, 5..=86_400, "")
                }),
                med: table.get("med", number(0..=i64::from(u32::MAX))),
            }
        }),
        show_hostname: table.get("show_hostname", boolean),
        minimum_hold_time: table.get(
            "minimum_hold_time",
            duration(SECOND..=Duration::from_secs(65_535)),
        ),
        show_attributes: table.get("show_attributes", boolean),
        show_next_hop_hostname: table.get("show_next_hop_hostname", boolean),
        graceful_shutdown: table.get("graceful_shutdown", boolean),
        suppress_fib_pending: table.get("suppress_fib_pending", boolean),
        client_to_client_reflection: table.get("client_to_client_reflection", boolean),
        confederation_id: table.get("confederation_id", asn),
        confederation_members: table.list("confederation_members", asn),
    }
}

/// As the capability for it takes one.
fn host_name(value: &DeValue<'_>) -> Reading<String> {
    text(
        "a name of 1 to 64 letters, digits and signs without a space",
        |name| {
            let fits =
                (1..=64).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_graphic());
            fits.then(|| name.to_owned())
        },
    )(value)
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
        sync_allowed_ips: table.get("sync_allowed_ips", sync_allowed_ips),
        maximum_allowed_ips: table.get("maximum_allowed_ips", number(1..=1_000_000)),
        wireguard_socket: table.get("wireguard_socket", absolute_path),
    }
}

fn sync_allowed_ips(value: &DeValue<'_>) -> Reading<SyncAllowedIps> {
    match (value.as_str(), value.as_bool()) {
        (Some("dry-run"), _) => Ok(SyncAllowedIps::DryRun),
        (_, Some(true)) => Ok(SyncAllowedIps::Yes),
        (_, Some(false)) => Ok(SyncAllowedIps::No),
        (_, None) => Err("true, false or \"dry-run\"".into()),
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
        as_path_confed: table.get("as_path_confed", boolean),
        peer_type_relax: table.get("peer_type_relax", boolean),
        bandwidth: table.get("bandwidth", keyword),
    }
}

fn unicast(table: &mut Table<'_, '_>, family: Family) -> UnicastTable {
    let networks = networks(table, family);
    let aggregates = aggregates(table, family);
    let mut unicast = UnicastTable {
        backdoors: table.list("backdoors", |value| prefix(value, family)),
        networks,
        import_check: table.get("import_check", boolean),
        redistribute: redistribute(table),
        aggregates,
        kernel_route_map: table.get("kernel_route_map", reference),
        ..UnicastTable::default()
    };
    table.table("multipath", "multipath", |table| {
        unicast.paths = table.get("paths", number(1..=1024));
        unicast.as_path_relax = table.get("as_path_relax", boolean);
    });
    unicast
}

fn evpn(table: &mut Table<'_, '_>) -> EvpnTable {
    EvpnTable {
        vtep: table.require("vtep", "our tunnel endpoint", unicast_address),
        port: table.get("port", number(1..=65_535)),
        duplicates: duplicates::duplicates(table),
        single_device: table.table("single_device", "single_device", vni::single_device),
    }
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
    // Another spelling of an IPv4 address would be a second host here, and the same one outside.
    if address.to_canonical() != address {
        let expected = Rejection::from("an address as it stands in packets");
        return Err(expected.hint(format!("write \"{}\"", address.to_canonical())));
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

/// RFC 4724 §3: twelve bits of seconds. None at all leaves everything to the long-lived time.
fn restart_time(value: &DeValue<'_>) -> Reading<Duration> {
    whole_seconds(value, 0..=4095, "")
}

/// RFC 9494 §3: 24 bits of seconds.
fn long_lived_time(value: &DeValue<'_>) -> Reading<Duration> {
    whole_seconds(value, 0..=0xff_ffff, "")
}

/// The name of something defined elsewhere in the file.
pub(super) fn reference(value: &DeValue<'_>) -> Reading<String> {
    text("a name", |text| Some(text.to_owned()))(value)
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
        nexthop_objects: table.get("nexthop_objects", boolean),
        on_stop: table.get("on_stop", keyword),
        ipv4_forwarding: table.get("ipv4_forwarding", boolean),
        ipv6_forwarding: table.get("ipv6_forwarding", boolean),
        ..instance_kernel(table)
    }
}

/// Where routes of one instance go.
fn instance_kernel(table: &mut Table<'_, '_>) -> KernelTable {
    let (mut external, mut internal, mut backdoor) = (None, None, None);
    table.table("distance", "distance", |table| {
        external = table.get("external", number(1..=255));
        internal = table.get("internal", number(1..=255));
        backdoor = table.get("backdoor", number(1..=255));
    });
    KernelTable {
        external,
        internal,
        backdoor,
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
