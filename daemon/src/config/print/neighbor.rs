//! Neighbours as they are written.

use std::time::Duration;

use bgp::attributes::Omitted;
use bgp::family::{Family, PerFamily};
use bgp::policy::Kind;
use bgp::rib::{DefaultOriginate, Handling, OwnAs, PathsSent, Presence, PrivateAs};
use bgp::session::RemoteAs;

use super::{Fields, inline, list, quote, quote_duration};
use crate::config::types::*;

pub(in crate::config) fn neighbor_fields(neighbor: &Neighbor, restart: GracefulRestart) -> Fields {
    let mut fields = Fields::default();
    fields.add("address", quote(neighbor.address));
    fields.add_unless_default("port", neighbor.port, BGP_PORT);
    if let Some(local) = neighbor.local_address {
        fields.add("local_address", quote(local));
    }
    if let Some(interface) = &neighbor.source_interface {
        fields.add("update_source", quote(interface));
    }
    fields.add_unless_default("passive", neighbor.passive, false);
    settings(&mut fields, neighbor, restart);
    fields
}

pub(in crate::config) fn interface_fields(
    neighbor: &InterfaceNeighbor,
    restart: GracefulRestart,
) -> Fields {
    let mut fields = Fields::default();
    fields.add("interface", quote(&neighbor.interface));
    let (interval, usual) = (
        neighbor.advertisement_interval,
        InterfaceNeighbor::ADVERTISEMENT_INTERVAL,
    );
    if interval != usual {
        fields.add("router_advertisement_interval", quote_duration(interval));
    }
    fields.add_unless_default("port", neighbor.settings.port, BGP_PORT);
    fields.add_unless_default("passive", neighbor.settings.passive, false);
    settings(&mut fields, &neighbor.settings, restart);
    fields
}

pub(in crate::config) fn range_fields(range: &ListenRange, restart: GracefulRestart) -> Fields {
    let mut fields = Fields::default();
    fields.add("prefix", quote(range.prefix));
    fields.add_unless_default("limit", range.limit, ListenRange::LIMIT);
    settings(&mut fields, &range.settings, restart);
    fields
}

fn settings(fields: &mut Fields, neighbor: &Neighbor, restart: GracefulRestart) {
    match neighbor.remote_as {
        RemoteAs::Exact(asn) => fields.add("remote_as", asn),
        RemoteAs::External => fields.add("remote_as", quote("external")),
        RemoteAs::Internal => fields.add("remote_as", quote("internal")),
        RemoteAs::Auto => fields.add("remote_as", quote("auto")),
    }
    if let Some(local_as) = neighbor.local_as {
        let mut table = Fields::default();
        table.add("asn", local_as.asn);
        table.add_unless_default("no_prepend", !local_as.prepend, false);
        table.add_unless_default("replace_as", local_as.replace, false);
        table.add_unless_default("dual_as", local_as.dual, false);
        match local_as.prepend && !local_as.replace && !local_as.dual {
            true => fields.add("local_as", local_as.asn),
            false => fields.add_table("local_as", &table),
        }
    }
    if let Some(description) = &neighbor.description {
        fields.add("description", quote(description));
    }
    if let Some(hops) = neighbor.ttl_security {
        fields.add("ttl_security", hops);
    }
    if let Some(ttl) = neighbor.multihop {
        fields.add("multihop", ttl);
    }
    match &neighbor.signing {
        Some(Signing::Md5(_)) => fields.add("password", quote(Password::HIDDEN)),
        Some(Signing::Ao(keys)) => fields.add("tcp_ao", tcp_ao(keys)),
        None => {}
    }
    match &neighbor.shutdown_text {
        Some(text) => fields.add("shutdown", quote(text)),
        None => fields.add_unless_default("shutdown", neighbor.shutdown, false),
    }
    if let Some(role) = neighbor.role {
        fields.add("role", quote(role.word()));
    }
    let relation = neighbor.relation;
    fields.add_unless_default("route_server_client", relation.route_server_client, false);
    if let Some(enforce) = neighbor.enforce_first_as {
        fields.add("enforce_first_as", enforce);
    }
    fields.add_unless_default(
        "link_bandwidth_as_integer",
        neighbor.whole_bandwidths,
        false,
    );
    fields.add_unless_default("graceful_shutdown", neighbor.graceful_shutdown, false);
    if let Some(aigp) = neighbor.aigp {
        fields.add("aigp", aigp);
    }
    for (key, codes) in [
        ("discard_attributes", neighbor.unwanted.discard),
        ("withdraw_attributes", neighbor.unwanted.withdraw),
    ] {
        if !codes.is_empty() {
            let codes: Vec<String> = codes.iter().map(|code| code.to_string()).collect();
            fields.add(key, format!("[{}]", codes.join(", ")));
        }
    }
    fields.add_unless_default("fqdn", neighbor.fqdn, true);
    fields.add_unless_default("capabilities", neighbor.capabilities, true);
    fields.add_unless_default(
        "software_version",
        quote(neighbor.software_version.word()),
        quote(SoftwareVersion::default().word()),
    );
    fields.add_unless_default("role_strict", relation.role_strict, false);
    fields.add_unless_default(
        "route_reflector_client",
        relation.route_reflector_client,
        false,
    );
    fields.add_table("timers", &timers(neighbor.timers));
    if let Some(bfd) = &neighbor.bfd {
        let far = Bfd::is_far(neighbor.ttl_security, neighbor.multihop);
        let table = super::bfd::settings(bfd, far);
        match table.is_empty() {
            true => fields.add("bfd", true),
            false => fields.add_table("bfd", &table),
        }
    }
    match neighbor.graceful_restart {
        None if restart.enabled => fields.add("graceful_restart", false),
        None => {}
        Some(RestartTimes {
            restart: time,
            long_lived,
        }) if time != restart.restart_time || long_lived != restart.long_lived_time => {
            let mut table = Fields::default();
            let default = quote_duration(restart.restart_time);
            table.add_unless_default("restart_time", quote_duration(time), default);
            if let Some(long_lived) = long_lived.filter(|_| long_lived != restart.long_lived_time)
            {
                table.add("long_lived_time", quote_duration(long_lived));
            }
            fields.add_table("graceful_restart", &table);
        }
        Some(_) if !restart.enabled => fields.add("graceful_restart", true),
        Some(_) => {}
    }
    families(fields, &neighbor.families);
}

/// The keys without their secrets.
fn tcp_ao(keys: &TcpAo) -> String {
    let keys = keys.keys().iter().map(|key| {
        let mut table = Fields::default();
        table.add("id", key.id);
        table.add_unless_default("recv_id", key.recv_id, key.id);
        table.add("secret", quote(Password::HIDDEN));
        let usual = AoAlgorithm::default();
        table.add_unless_default(
            "algorithm",
            quote(key.algorithm.word()),
            quote(usual.word()),
        );
        inline(&table)
    });
    format!("[{}]", keys.collect::<Vec<_>>().join(", "))
}

fn timers(timers: Timers) -> Fields {
    let (mut fields, default) = (Fields::default(), Timers::default());
    let third = Duration::from_secs(timers.hold.as_secs() / 3);
    fields.add_unless_default(
        "keepalive",
        quote_duration(timers.keepalive),
        quote_duration(third),
    );
    fields.add_unless_default(
        "hold",
        quote_duration(timers.hold),
        quote_duration(default.hold),
    );
    if let Some(send_hold) = timers.send_hold {
        fields.add("send_hold", quote_duration(send_hold));
    }
    let connect_retry = quote_duration(timers.connect_retry);
    let default = quote_duration(default.connect_retry);
    fields.add_unless_default("connect_retry", connect_retry, default);
    fields
}

fn families(fields: &mut Fields, families: &PerFamily<Option<NeighborFamily>>) {
    for (family, value) in families.iter() {
        let Some(value) = value else { continue };
        let mut table = Fields::default();
        if let Some(map) = &value.import {
            table.add("import", quote(map.name()));
        }
        if let Some(map) = &value.export {
            table.add("export", quote(map.name()));
        }
        if value.next_hop != NextHopRule::Auto {
            table.add("next_hop", quote(value.next_hop.word()));
        }
        dependent(&mut table, value);
        handling(&mut table, &value.handling);
        if let Some(weight) = value.weight {
            table.add("weight", weight);
        }
        table.add_unless_default("honor_blackhole", value.honor_blackhole, false);
        table.add_unless_default("add_path_receive", value.add_path.receive, false);
        match value.add_path.send {
            Some(PathsSent::All) => table.add("add_path_send", quote("all")),
            Some(PathsSent::Best(count)) => table.add("add_path_send", count),
            Some(PathsSent::BestPerAs) => table.add("add_path_send", quote("best_per_as")),
            None => {}
        }
        if let Some(maximum) = &value.maximum_prefixes {
            table.add("maximum_prefixes", maximum_prefixes(maximum));
        }
        for (key, client) in [
            ("route_reflector_client", value.route_reflector_client),
            ("route_server_client", value.route_server_client),
        ] {
            if let Some(client) = client {
                table.add(key, client);
            }
        }
        if let Some(most) = value.maximum_prefixes_out {
            table.add("maximum_prefixes_out", most);
        }
        fields.add(Family::name(family), inline(&table));
    }
}

/// What depends on other routes.
fn dependent(table: &mut Fields, value: &NeighborFamily) {
    match &value.default_originate {
        None => {}
        Some(DefaultOriginate::Always) => table.add("default_originate", true),
        Some(DefaultOriginate::While(map)) => {
            let mut condition = Fields::default();
            condition.add("route_map", quote(map.name()));
            table.add_table("default_originate", &condition);
        }
    }
    if let Some(it) = &value.advertise_if {
        let mut condition = Fields::default();
        condition.add("routes", quote(it.routes.name()));
        let key = match it.presence {
            Presence::Exist => "exist",
            Presence::Absent => "absent",
        };
        condition.add(key, quote(it.condition.name()));
        table.add_table("advertise_if", &condition);
    }
    if let Some(map) = &value.unsuppress {
        table.add("unsuppress", quote(map.name()));
    }
}

fn handling(table: &mut Fields, handling: &Handling) {
    match handling.own_as {
        OwnAs::Times(0) => {}
        OwnAs::Times(times) => table.add("allowas_in", times),
        OwnAs::Origin => table.add("allowas_in", quote("origin")),
    }
    table.add_unless_default("as_override", handling.as_override, false);
    table.add_unless_default("as_path_unchanged", handling.as_path_unchanged, false);
    table.add_unless_default("med_unchanged", handling.med_unchanged, false);
    if let Some(site) = handling.site_of_origin {
        let text = site.spelled();
        let value = text.strip_prefix("soo ").unwrap_or(&text);
        table.add("site_of_origin", quote(value));
    }
    if let Some(distance) = handling.distance {
        table.add("distance", distance);
    }
    if handling.private_as != PrivateAs::Keep {
        table.add("remove_private_as", quote(handling.private_as.word()));
    }
    if handling.omitted != Omitted::default() {
        let sent = [
            (!handling.omitted.standard, CommunityForm::Standard),
            (!handling.omitted.extended, CommunityForm::Extended),
            (!handling.omitted.large, CommunityForm::Large),
        ];
        let sent = sent.into_iter().filter(|(sent, _)| *sent);
        let words = list(sent.map(|(_, form)| form.word()));
        table.add("send_community", words);
    }
}

/// A number where that says everything, else a table.
fn maximum_prefixes(maximum: &MaximumPrefixes) -> String {
    let default = MaximumPrefixes::new(maximum.limit);
    if *maximum == default {
        return maximum.limit.to_string();
    }
    let mut table = Fields::default();
    table.add("limit", maximum.limit);
    table.add_unless_default("warn_at", maximum.warn_at, default.warn_at);
    let count = [maximum.count, default.count].map(|count| quote(count.word()));
    let [count, default] = count;
    table.add_unless_default("count", count, default);
    match maximum.action {
        MaximumAction::Stop => {}
        MaximumAction::Restart(time) => table.add("restart_after", quote_duration(time)),
        MaximumAction::Warn => table.add("warning_only", true),
    }
    inline(&table)
}
