//! Writes a configuration as TOML, and the parts of it as keys with values.
//!
//! Only what differs from the default is written. The same keys and values are what
//! [`super::diff()`] compares, so a difference is shown in the words in which it is configured.

mod bfd;
mod import;
mod interface;
mod neighbor;
mod static_route;
mod tenant;

use std::fmt::{Display, Write};
use std::time::Duration;

use bgp::{Asn, SourceFilter};

use bgp::rib::{Rules, Suppress};

use super::duration::format as duration;
use super::policy::print::{policies, source};
use super::types::*;
pub(super) use bfd::peer_fields as bfd_fields;
pub(super) use import::import_fields;
pub(super) use interface::host_interface_fields;
pub(super) use neighbor::{interface_fields, neighbor_fields, range_fields};
pub(super) use static_route::static_route_fields;

/// The configuration as TOML; parsing it gives an equal configuration.
pub fn print(config: &Config) -> String {
    let mut text = String::new();
    lines(&mut text, &top(config));
    speaker(&mut text, config, "");
    for instance in &config.instances {
        section(&mut text, "[[instance]]", &top(instance));
        speaker(&mut text, instance, "instance.");
    }
    for interface in &config.host_interfaces {
        let fields = host_interface_fields(interface);
        section(&mut text, "[[interface]]", &fields);
    }
    for cache in &config.rpki {
        section(&mut text, "[[rpki]]", &rpki_fields(cache));
    }
    for policy in policies(config) {
        let header = format!("[[{}]]", policy.kind.word());
        section(&mut text, &header, &policy.fields);
    }
    text
}

/// Tables of one instance, each beneath its own.
fn speaker(text: &mut String, config: &Config, of: &str) {
    for (name, fields) in sections(config) {
        if !fields.is_empty() {
            section(text, &format!("[{of}{name}]"), &fields);
        }
    }
    for import in &config.imports {
        section(text, &format!("[[{of}import]]"), &import_fields(import));
    }
    let neighbor = format!("[[{of}neighbor]]");
    for it in &config.neighbors {
        section(
            text,
            &neighbor,
            &neighbor_fields(it, config.graceful_restart),
        );
    }
    for it in &config.bfd {
        let fields = bfd_fields(it, config.vrf.as_deref());
        section(text, &format!("[[{of}bfd]]"), &fields);
    }
    for it in &config.interfaces {
        section(
            text,
            &neighbor,
            &interface_fields(it, config.graceful_restart),
        );
    }
    for range in &config.listen_ranges {
        let fields = range_fields(range, config.graceful_restart);
        section(text, &format!("[[{of}listen_range]]"), &fields);
    }
    for vni in &config.vnis {
        section(text, &format!("[[{of}vni]]"), &vni_fields(vni, config));
    }
    for route in &config.static_routes {
        let header = format!("[[{of}static_route]]");
        section(text, &header, &static_route_fields(route));
    }
}

/// A key and its value as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) value: String,
}

/// Keys of a table, in the order they are written.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    pub(super) fn add(&mut self, key: &'static str, value: impl Display) {
        let value = value.to_string();
        self.0.push(Field { key, value });
    }

    pub(super) fn add_unless_default<T: PartialEq + Display>(
        &mut self,
        key: &'static str,
        value: T,
        default: T,
    ) {
        if value != default {
            self.add(key, value);
        }
    }

    /// A table on one line, if it has keys.
    pub(super) fn add_table(&mut self, key: &'static str, table: &Fields) {
        if !table.is_empty() {
            self.add(key, inline(table));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }
}

fn section(text: &mut String, header: &str, fields: &Fields) {
    text.push('\n');
    text.push_str(header);
    text.push('\n');
    lines(text, fields);
}

pub(super) fn lines(text: &mut String, fields: &Fields) {
    for Field { key, value } in fields.iter() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key} = {value}");
    }
}

/// `{ key = value, key = value }`.
pub(super) fn inline(fields: &Fields) -> String {
    if fields.is_empty() {
        return "{}".to_owned();
    }
    let pairs: Vec<String> = fields
        .iter()
        .map(|Field { key, value }| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A basic string (TOML 1.0).
pub(super) fn quote(text: impl Display) -> String {
    let mut quoted = String::from("\"");
    for c in text.to_string().chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn quote_duration(value: Duration) -> String {
    quote(duration(value))
}

/// `["a", "b"]`.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(quote).collect();
    format!("[{}]", items.join(", "))
}

/// One item a line, for lists that grow long.
pub(super) fn tall_list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    match items.as_slice() {
        [] => "[]".to_owned(),
        [item] => format!("[{item}]"),
        items => format!("[\n    {},\n]", items.join(",\n    ")),
    }
}

/// Keys outside any table.
pub(super) fn top(config: &Config) -> Fields {
    let mut fields = Fields::default();
    if let Some(name) = &config.name {
        fields.add("name", quote(name));
    }
    if let Some(vrf) = &config.vrf {
        fields.add("vrf", quote(vrf));
    }
    if let Some(table) = config.vrf_table {
        fields.add("vrf_table", table);
        fields.add_unless_default("vrf_unreachable", config.vrf_unreachable, true);
    }
    fields.add("asn", config.asn);
    fields.add("router_id", quote(config.router_id));
    fields.add_unless_default("listen", list(&config.listen), list(default_listen()));
    match config.ebgp_requires_policy {
        EbgpRequiresPolicy::Auto => {}
        EbgpRequiresPolicy::Yes => fields.add("ebgp_requires_policy", true),
        EbgpRequiresPolicy::No => fields.add("ebgp_requires_policy", false),
    }
    fields
}

/// Tables that are there at most once, with their keys; the networks are apart from the rest.
pub(super) fn sections(config: &Config) -> [(&'static str, Fields); 12] {
    [
        ("l3vni", tenant::l3vni_fields(config)),
        ("router", router(config)),
        ("underlay", underlay(config.underlay.as_ref())),
        ("bestpath", bestpath(config.bestpath, config.bandwidth)),
        ("ipv4_unicast", unicast(&config.ipv4_unicast)),
        ("ipv6_unicast", unicast(&config.ipv6_unicast)),
        ("evpn", evpn(config)),
        ("kernel", kernel(config)),
        (
            "graceful_restart",
            graceful_restart(&config.graceful_restart),
        ),
        ("metrics", metrics(config)),
        ("log", log(&config.log)),
        ("drain", drain(config.drain)),
    ]
}

fn router(config: &Config) -> Fields {
    let mut fields = Fields::default();
    // One for all, and at the top of the file.
    if config.name.is_none() {
        if let Some(name) = &config.hostname {
            fields.add("hostname", quote(name));
        }
        if let Some(name) = &config.domainname {
            fields.add("domainname", quote(name));
        }
    }
    if let Some(id) = config.cluster_id {
        fields.add("cluster_id", quote(id));
    }
    if let Some(preference) = config.default_local_preference {
        fields.add("default_local_preference", preference);
    }
    if let Some(med) = config.max_med.always {
        fields.add("max_med", med);
    }
    if let Some(startup) = config.max_med.on_startup {
        let mut table = Fields::default();
        table.add("time", quote_duration(startup.time));
        table.add_unless_default("med", startup.med, MaxMed::USUAL);
        fields.add_table("max_med_on_startup", &table);
    }
    let shown = config.shown_names;
    if let Some(least) = config.minimum_hold_time {
        fields.add("minimum_hold_time", quote_duration(least));
    }
    fields.add_unless_default("show_attributes", config.show_attributes, false);
    fields.add_unless_default("show_hostname", shown.neighbors, false);
    fields.add_unless_default("show_next_hop_hostname", shown.next_hops, false);
    fields.add_unless_default("graceful_shutdown", config.graceful_shutdown, false);
    fields.add_unless_default("suppress_fib_pending", config.suppress_fib_pending, false);
    fields.add_unless_default(
        "client_to_client_reflection",
        config.client_to_client_reflection,
        true,
    );
    if let Some(confederation) = &config.confederation {
        fields.add("confederation_id", confederation.id);
        let members: Vec<String> = confederation.members.iter().map(Asn::to_string).collect();
        if !members.is_empty() {
            fields.add("confederation_members", format!("[{}]", members.join(", ")));
        }
    }
    fields
}

fn underlay(underlay: Option<&Underlay>) -> Fields {
    let mut fields = Fields::default();
    if let Some(underlay) = underlay {
        fields.add("interface", quote(&underlay.interface));
        match underlay.sync_allowed_ips {
            SyncAllowedIps::No => {}
            SyncAllowedIps::DryRun => fields.add("sync_allowed_ips", quote("dry-run")),
            SyncAllowedIps::Yes => fields.add("sync_allowed_ips", true),
        }
        let (most, usual) = (underlay.maximum_allowed_ips, Underlay::MAXIMUM_ALLOWED_IPS);
        fields.add_unless_default("maximum_allowed_ips", most, usual);
        if let Some(path) = &underlay.wireguard_socket {
            fields.add("wireguard_socket", quote(path.display()));
        }
    }
    fields
}

fn bestpath(rules: Rules, bandwidth: BandwidthUse) -> Fields {
    let (mut fields, default) = (Fields::default(), Rules::default());
    for (key, value, default) in [
        (
            "always_compare_med",
            rules.always_compare_med,
            default.always_compare_med,
        ),
        (
            "missing_med_as_worst",
            rules.missing_med_as_worst,
            default.missing_med_as_worst,
        ),
        (
            "as_path_ignore",
            rules.as_path_ignore,
            default.as_path_ignore,
        ),
        (
            "as_path_confed",
            rules.as_path_confed,
            default.as_path_confed,
        ),
        (
            "peer_type_relax",
            rules.peer_type_relax,
            default.peer_type_relax,
        ),
    ] {
        fields.add_unless_default(key, value, default);
    }
    let usual = BandwidthUse::default();
    fields.add_unless_default("bandwidth", quote(bandwidth.word()), quote(usual.word()));
    fields
}

fn unicast(unicast: &Unicast) -> Fields {
    let mut fields = Fields::default();
    if !unicast.networks.is_empty() {
        fields.add("networks", tall_list(unicast.networks.iter().map(network)));
    }
    if !unicast.backdoors.is_empty() {
        fields.add("backdoors", tall_list(unicast.backdoors.iter().map(quote)));
    }
    if !unicast.redistribute.is_empty() {
        let items = unicast.redistribute.iter().map(redistribution);
        fields.add("redistribute", tall_list(items));
    }
    if !unicast.aggregates.is_empty() {
        let aggregates = unicast.aggregates.iter().map(aggregate);
        fields.add("aggregates", tall_list(aggregates));
    }
    let (multipath, default) = (unicast.multipath, Multipath::default());
    let mut table = Fields::default();
    table.add_unless_default("paths", multipath.paths, default.paths);
    table.add_unless_default(
        "as_path_relax",
        multipath.as_path_relax,
        default.as_path_relax,
    );
    fields.add_table("multipath", &table);
    if let Some(map) = &unicast.kernel_route_map {
        fields.add("kernel_route_map", quote(map.name()));
    }
    fields
}

/// A text where that says everything, else a table.
pub(super) fn network(network: &Network) -> String {
    let mut fields = Fields::default();
    fields.add("prefix", quote(network.prefix));
    match network.require_route {
        RequireRoute::No if network.route_map.is_none() => return quote(network.prefix),
        RequireRoute::No => {}
        RequireRoute::Exact => fields.add("require_route", true),
        RequireRoute::OrMoreSpecific => fields.add("require_route", quote("or_more_specific")),
    }
    if let Some(map) = &network.route_map {
        fields.add("route_map", quote(map.name()));
    }
    inline(&fields)
}

/// A text where that says everything, else a table.
fn redistribution(item: &Redistribution) -> String {
    let name = source(item.source);
    let plain = item.table.is_none() && item.route_map.is_none() && item.metric.is_none();
    if plain {
        return name;
    }
    let mut fields = Fields::default();
    if item.source != SourceFilter::ANY || item.table.is_none() {
        fields.add("source", name);
    }
    if let Some(table) = item.table {
        fields.add("table", table);
    }
    if let Some(map) = &item.route_map {
        fields.add("route_map", quote(map.name()));
    }
    if let Some(metric) = item.metric {
        fields.add("metric", metric);
    }
    inline(&fields)
}

/// A text where that says everything, else a table.
pub(super) fn aggregate(aggregate: &Aggregate) -> String {
    let default = Aggregate::new(aggregate.prefix);
    if *aggregate == default {
        return quote(aggregate.prefix);
    }
    let mut fields = Fields::default();
    fields.add("prefix", quote(aggregate.prefix));
    match &aggregate.suppress {
        Suppress::None => {}
        Suppress::All => fields.add("summary_only", true),
        Suppress::Matching(map) => fields.add("suppress", quote(map.name())),
    }
    if let Some(origin) = aggregate.origin {
        fields.add("origin", quote(origin.word()));
    }
    for (key, value, default) in [
        ("as_set", aggregate.as_set, default.as_set),
        ("match_med", aggregate.match_med, default.match_med),
        ("blackhole", aggregate.blackhole, default.blackhole),
    ] {
        fields.add_unless_default(key, value, default);
    }
    if let Some(map) = &aggregate.route_map {
        fields.add("route_map", quote(map.name()));
    }
    inline(&fields)
}

fn evpn(config: &Config) -> Fields {
    let mut fields = Fields::default();
    if let Some(evpn) = &config.evpn {
        fields.add("vtep", quote(evpn.vtep));
        fields.add_unless_default("port", evpn.port, Evpn::PORT);
        if evpn.duplicates != Some(DuplicateDetection::default()) {
            fields.add("duplicate_detection", duplicates(evpn.duplicates.as_ref()));
        }
        if let Some(single) = &config.single_device {
            fields.add("single_device", single_device(single));
        }
    }
    fields
}

/// Both names, which people look for.
fn single_device(single: &SingleDevice) -> String {
    let mut fields = Fields::default();
    fields.add("vxlan", quote(&single.vxlan));
    fields.add("bridge", quote(&single.bridge));
    if let Some(mtu) = single.mtu {
        fields.add("mtu", mtu);
    }
    inline(&fields)
}

/// Only what is not the default.
fn duplicates(detection: Option<&DuplicateDetection>) -> String {
    let Some(detection) = detection else {
        return false.to_string();
    };
    let (mut fields, default) = (Fields::default(), DuplicateDetection::default());
    fields.add_unless_default("moves", detection.moves, default.moves);
    if detection.window != default.window {
        fields.add("window", quote(duration(detection.window)));
    }
    if let DuplicateAction::Freeze(time) = detection.action {
        fields.add("action", quote(DuplicateWord::Freeze.word()));
        if let Some(time) = time {
            fields.add("freeze_time", quote(duration(time)));
        }
    }
    inline(&fields)
}

fn kernel(config: &Config) -> Fields {
    let kernel = &config.kernel;
    let (mut fields, default) = (Fields::default(), Kernel::default());
    let whole = config.name.is_none();
    if whole {
        fields.add_unless_default("enabled", kernel.enabled, default.enabled);
        fields.add_unless_default("protocol", kernel.protocol, default.protocol);
    }
    fields.add_unless_default("table", kernel.table, default.table);
    let (distance, usual) = (kernel.distance, default.distance);
    let mut table = Fields::default();
    table.add_unless_default("external", distance.external, usual.external);
    table.add_unless_default("internal", distance.internal, usual.internal);
    table.add_unless_default("backdoor", distance.backdoor, usual.backdoor);
    fields.add_table("distance", &table);
    let interval = [kernel.audit_interval, default.audit_interval].map(quote_duration);
    let [interval, default] = interval;
    if !whole {
        return fields;
    }
    fields.add_unless_default("audit_interval", interval, default);
    fields.add_unless_default("nexthop_objects", kernel.nexthop_objects, true);
    if kernel.on_stop != OnStop::default() {
        fields.add("on_stop", quote(kernel.on_stop.word()));
    }
    for (key, on) in [
        ("ipv4_forwarding", kernel.ipv4_forwarding),
        ("ipv6_forwarding", kernel.ipv6_forwarding),
    ] {
        if let Some(on) = on {
            fields.add(key, on);
        }
    }
    fields
}

fn graceful_restart(restart: &GracefulRestart) -> Fields {
    let (mut fields, default) = (Fields::default(), GracefulRestart::default());
    fields.add_unless_default("enabled", restart.enabled, default.enabled);
    for (key, value, default) in [
        ("restart_time", restart.restart_time, default.restart_time),
        ("stale_time", restart.stale_time, default.stale_time),
        (
            "deferral_time",
            restart.deferral_time,
            default.deferral_time,
        ),
    ] {
        fields.add_unless_default(key, quote_duration(value), quote_duration(default));
    }
    if let Some(time) = restart.long_lived_time {
        fields.add("long_lived_time", quote_duration(time));
    }
    fields
}

fn metrics(config: &Config) -> Fields {
    let mut fields = Fields::default();
    if let Some(listen) = config.metrics {
        fields.add("listen", quote(listen));
    }
    fields
}

fn log(log: &Log) -> Fields {
    let (mut fields, default) = (Fields::default(), Log::default());
    fields.add_unless_default(
        "level",
        quote(log.level.word()),
        quote(default.level.word()),
    );
    fields.add_unless_default("stdout", log.stdout, default.stdout);
    fields.add_unless_default(
        "format",
        quote(log.format.word()),
        quote(default.format.word()),
    );
    if let Some(level) = log.syslog {
        fields.add("syslog", quote(level.word()));
    }
    fields.add_unless_default(
        "facility",
        quote(log.facility.word()),
        quote(default.facility.word()),
    );
    if let Some(file) = &log.file {
        fields.add("file", quote(file.path.display()));
        let level = LogLevel::default();
        fields.add_unless_default("file_level", quote(file.level.word()), quote(level.word()));
    }
    fields.add_unless_default("time_digits", log.time_digits, default.time_digits);
    if !log.debug.is_empty() {
        let all: Vec<String> = log.debug.iter().map(quote).collect();
        fields.add("debug", format!("[{}]", all.join(", ")));
    }
    fields
}

fn drain(drain: Drain) -> Fields {
    let (mut fields, default) = (Fields::default(), Drain::default());
    fields.add_unless_default("on_stop", drain.on_stop, default.on_stop);
    let timeout = quote_duration(drain.timeout);
    fields.add_unless_default("timeout", timeout, quote_duration(default.timeout));
    fields
}

pub(super) fn vni_fields(vni: &VniConfig, config: &Config) -> Fields {
    let mut fields = Fields::default();
    fields.add("id", vni.id);
    fields.add("name", quote(&vni.name));
    let automatic = u16::try_from(vni.id.get())
        .map(|id| bgp::RouteDistinguisher::of_address(config.router_id, id));
    if automatic != Ok(vni.rd) {
        fields.add("rd", quote(vni.rd));
    }
    for (key, targets) in [
        ("import_targets", &vni.import_targets),
        ("export_targets", &vni.export_targets),
    ] {
        if let RouteTargets::Listed(targets) = targets {
            fields.add(key, list(targets.iter().map(target)));
        }
    }
    if !vni.gateway.is_empty() {
        fields.add("gateway", list(&vni.gateway));
    }
    if !vni.networks.is_empty() {
        fields.add("networks", list(&vni.networks));
    }
    if let Some(mac) = vni.gateway_mac {
        fields.add("gateway_mac", quote(mac));
    }
    fields.add_unless_default("advertise_gateway", vni.advertise_gateway, false);
    fields.add_unless_default("advertise_svi", vni.advertise_svi, false);
    if let Some(vrf) = &vni.vrf {
        fields.add("vrf", quote(vrf));
    }
    if let (Some(single), Some(vlan)) = (&config.single_device, vni.vlan) {
        fields.add("vlan", vlan);
        let usual = quote(single.vlan_device(vlan));
        fields.add_unless_default("bridge", quote(&vni.bridge), usual);
    } else {
        for (key, name, kind) in [
            ("bridge", &vni.bridge, "br"),
            ("vxlan", &vni.vxlan, "vxlan"),
        ] {
            fields.add_unless_default(key, quote(name), quote(format!("{kind}{}", vni.id)));
        }
    }
    if let Some(mtu) = vni.mtu {
        fields.add("mtu", mtu);
    }
    fields.add_unless_default("suppress", vni.suppress, true);
    fields.add_unless_default("flooding", vni.flooding, true);
    fields.add_unless_default("create", vni.create, true);
    fields
}

pub(super) fn rpki_fields(cache: &RpkiCache) -> Fields {
    let mut fields = Fields::default();
    fields.add("address", quote(cache.address));
    fields.add_unless_default("preference", cache.preference, RpkiCache::PREFERENCE);
    for (key, value) in [
        ("refresh", cache.refresh),
        ("retry", cache.retry),
        ("expire", cache.expire),
    ] {
        if let Some(value) = value {
            fields.add(key, quote_duration(value));
        }
    }
    fields
}

/// `65000:100`: as it is shown elsewhere, without the kind.
fn target(target: &bgp::ExtendedCommunity) -> String {
    let text = target.to_string();
    text.strip_prefix("RT:").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
