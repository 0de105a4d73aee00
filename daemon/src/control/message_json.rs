//! BGP messages as JSON, for `rbgpctl decode`, `show evpn routes` and logs.
//!
//! A message is one object with a `type`. What stands in the message is in the object and nothing
//! else: an attribute that is absent has no key. Numbers that have a name in `show routes` have
//! the same name and shape here. Withdrawn routes stand under `withdrawn` and nowhere else,
//! whether the message or an error in it withdraws them (RFC 7606 §2); `errors` tells which.
//!
//! Decoding is [`bgp::wire`]'s; what the values mean for a table is not looked at.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp::attributes::{
    Aggregator, NextHop, Origin, PmsiTunnel, Segment, SegmentKind, UnknownAttribute,
};
use bgp::message::{
    AddPathMode, Capability, GracefulRestart, Message, Notification, Open, RefreshKind, Role,
    RouteRefresh, Update,
};
use bgp::nlri::NlriList;
use bgp::wire::{self, UpdateError, Verdict};
use bgp::{AttributeSet, EvpnKey, EvpnTail, Family, PathId};
use serde_json::{Value, json};

use super::reply::AsPathItem;

/// A decoded message.
pub fn message(message: &Message) -> Value {
    match message {
        Message::Open(message) => open(message),
        Message::Update(message) => update(message),
        Message::Notification(message) => notification(message),
        Message::Keepalive => json!({"type": "keepalive"}),
        Message::RouteRefresh(message) => route_refresh(message),
    }
}

/// Why octets are not a message: `{"error": .., "notification": ..}`, the latter being what a
/// session would answer.
pub fn error(error: &wire::Error) -> Value {
    json!({
        "error": error.to_string(),
        "consequence": consequence(&error.verdict()),
        "notification": codes(&error.notification()),
    })
}

fn open(open: &Open) -> Value {
    let capabilities: Vec<Value> = open.capabilities.iter().map(capability).collect();
    json!({
        "type": "open",
        "version": 4,
        "asn": open.asn.0,
        "hold_time_s": open.hold_time,
        "router_id": open.router_id,
        "capabilities": capabilities,
    })
}

fn capability(capability: &Capability) -> Value {
    match capability {
        Capability::Multiprotocol(afi, safi) => {
            json!({"code": 1, "name": "multiprotocol", "afi": afi, "safi": safi,
                   "family": family_name(*afi, *safi)})
        }
        Capability::RouteRefresh => json!({"code": 2, "name": "route_refresh"}),
        Capability::ExtendedNextHop(triples) => {
            let families: Vec<Value> = triples
                .iter()
                .map(|(afi, safi, next_hop_afi)| {
                    json!({"afi": afi, "safi": safi, "next_hop_afi": next_hop_afi})
                })
                .collect();
            json!({"code": 5, "name": "extended_next_hop", "families": families})
        }
        Capability::ExtendedMessage => json!({"code": 6, "name": "extended_message"}),
        Capability::Role(role) => json!({"code": 9, "name": "role", "role": role_name(*role)}),
        Capability::GracefulRestart(restart) => graceful_restart(restart),
        Capability::FourOctetAs(asn) => {
            json!({"code": 65, "name": "four_octet_as", "asn": asn.0})
        }
        Capability::AddPath(families) => {
            let families: Vec<Value> = families
                .iter()
                .map(|(afi, safi, mode)| {
                    json!({"afi": afi, "safi": safi, "family": family_name(*afi, *safi),
                           "mode": add_path_mode(*mode)})
                })
                .collect();
            json!({"code": 69, "name": "add_path", "families": families})
        }
        Capability::EnhancedRouteRefresh => json!({"code": 70, "name": "enhanced_route_refresh"}),
        Capability::LongLived(families) => {
            let families: Vec<Value> = families
                .iter()
                .map(|it| {
                    json!({"afi": it.afi, "safi": it.safi, "family": family_name(it.afi, it.safi),
                           "forwarding_preserved": it.preserved, "time_s": it.time})
                })
                .collect();
            json!({"code": 71, "name": "long_lived_graceful_restart", "families": families})
        }
        Capability::Fqdn { hostname, domain } => {
            json!({"code": 73, "name": "fqdn", "hostname": hostname, "domain": domain})
        }
        Capability::SoftwareVersion { version, latest } => {
            json!({"code": 75, "name": "software_version", "version": version, "latest": latest})
        }
        Capability::Unknown { code, bytes } => json!({"code": code, "value": hex(bytes)}),
    }
}

fn graceful_restart(restart: &GracefulRestart) -> Value {
    let families: Vec<Value> = restart
        .families
        .iter()
        .map(|(afi, safi, preserved)| {
            json!({"afi": afi, "safi": safi, "family": family_name(*afi, *safi),
                   "forwarding_preserved": preserved})
        })
        .collect();
    json!({
        "code": 64,
        "name": "graceful_restart",
        "restarting": restart.restarting,
        "notification": restart.notification,
        "restart_time_s": restart.restart_time,
        "families": families,
    })
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::RouteServer => "route_server",
        Role::RouteServerClient => "route_server_client",
        Role::Customer => "customer",
        Role::Peer => "peer",
    }
}

fn add_path_mode(mode: AddPathMode) -> &'static str {
    match mode {
        AddPathMode::Receive => "receive",
        AddPathMode::Send => "send",
        AddPathMode::Both => "both",
    }
}

/// `null` for a pair of numbers without a name.
fn family_name(afi: u16, safi: u8) -> Option<&'static str> {
    Family::from_numbers(afi, safi).map(Family::name)
}

fn notification(message: &Notification) -> Value {
    let mut object = codes(message);
    set(&mut object, "type", "notification");
    set(&mut object, "data", hex(&message.data));
    if let Some(text) = message.text() {
        set(&mut object, "text", text);
    }
    object
}

fn codes(notification: &Notification) -> Value {
    json!({
        "code": notification.code,
        "subcode": notification.subcode,
        "name": notification.to_string(),
    })
}

fn route_refresh(refresh: &RouteRefresh) -> Value {
    let kind = match refresh.kind {
        RefreshKind::Request => json!("request"),
        RefreshKind::Begin => json!("begin"),
        RefreshKind::End => json!("end"),
        RefreshKind::Unknown(subtype) => json!(subtype),
    };
    json!({
        "type": "route_refresh",
        "afi": refresh.afi,
        "safi": refresh.safi,
        "family": family_name(refresh.afi, refresh.safi),
        "kind": kind,
    })
}

fn update(update: &Update) -> Value {
    let withdrawn: Vec<Value> = update.withdrawn.iter().flat_map(withdrawn_routes).collect();
    let announced: Vec<Value> = update
        .announced
        .iter()
        .flat_map(|(list, attributes)| {
            announced_routes(list, attributes.next_hop(), attributes.evpn())
        })
        .collect();
    let mut object = json!({
        "type": "update",
        "withdrawn": withdrawn,
        "announced": announced,
    });
    // One message has one set of attributes; lists differ in next hop and EVPN tail only, which
    // stand with the routes.
    if let Some((_, closed)) = update.announced.first() {
        set(&mut object, "attributes", attributes(&closed.thaw()));
    }
    if let Some(family) = update.end_of_rib {
        set(&mut object, "end_of_rib", family.name());
    }
    if !update.errors.is_empty() {
        let errors: Vec<Value> = update.errors.iter().map(update_error).collect();
        set(&mut object, "errors", errors);
    }
    object
}

fn update_error(error: &UpdateError) -> Value {
    json!({"error": error.to_string(), "consequence": consequence(&error.verdict())})
}

fn consequence(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::DiscardAttribute => "discard_attribute",
        Verdict::TreatAsWithdraw => "treat_as_withdraw",
        Verdict::DisableFamily(_) => "disable_family",
        Verdict::ResetSession(_) => "reset_session",
    }
}

fn withdrawn_routes(list: &NlriList) -> Vec<Value> {
    routes(list, None)
}

fn announced_routes(list: &NlriList, next_hop: NextHop, tail: Option<&EvpnTail>) -> Vec<Value> {
    let mut routes = routes(list, tail);
    for route in &mut routes {
        add_next_hop(route, next_hop);
    }
    routes
}

fn routes(list: &NlriList, tail: Option<&EvpnTail>) -> Vec<Value> {
    let plain = |id: &PathId, prefix: String| route(list.family(), *id, prefix);
    match list {
        NlriList::V4(list) => list
            .iter()
            .map(|(id, p)| plain(id, p.to_string()))
            .collect(),
        NlriList::V6(list) => list
            .iter()
            .map(|(id, p)| plain(id, p.to_string()))
            .collect(),
        NlriList::Evpn(list) => list
            .iter()
            .map(|(id, key)| {
                let mut object = plain(id, key.to_string());
                set(&mut object, "evpn", evpn_route(key, tail));
                object
            })
            .collect(),
    }
}

fn route(family: Family, path_id: PathId, prefix: String) -> Value {
    let mut object = json!({"family": family.name(), "prefix": prefix});
    if path_id != 0 {
        set(&mut object, "path_id", path_id);
    }
    object
}

fn add_next_hop(object: &mut Value, next_hop: NextHop) {
    set(object, "next_hop", json!(next_hop.addr()));
    if let NextHop::V6LinkLocal { link_local, .. } = next_hop {
        set(object, "next_hop_link_local", json!(link_local));
    }
}

/// An EVPN route with every field; those of the tail only where the route is announced.
pub fn evpn_route(key: &EvpnKey, tail: Option<&EvpnTail>) -> Value {
    let mut object = evpn_key(key);
    if let Some(rd) = key.rd() {
        set(&mut object, "rd", rd.to_string());
    }
    match (key, tail) {
        (_, None) | (EvpnKey::InclusiveMulticast { .. } | EvpnKey::EthernetSegment { .. }, _) => {}
        (EvpnKey::EthernetAd { .. } | EvpnKey::Unknown { .. }, Some(tail)) => {
            set(&mut object, "label", tail.label);
        }
        (EvpnKey::MacIp { .. }, Some(tail)) => {
            set(&mut object, "esi", tail.esi.to_string());
            set(&mut object, "label", tail.label);
            set(&mut object, "label2", json!(tail.label2));
        }
        (EvpnKey::IpPrefix { .. }, Some(tail)) => {
            set(&mut object, "esi", tail.esi.to_string());
            set(&mut object, "label", tail.label);
            set(&mut object, "gateway", json!(tail.gateway));
        }
    }
    object
}

fn evpn_key(key: &EvpnKey) -> Value {
    match key {
        EvpnKey::EthernetAd { esi, tag, .. } => json!({
            "route_type": 1, "name": "ethernet_ad", "esi": esi.to_string(), "ethernet_tag": tag,
        }),
        EvpnKey::MacIp { tag, mac, ip, .. } => json!({
            "route_type": 2, "name": "mac_ip", "ethernet_tag": tag, "mac": mac.to_string(),
            "ip": ip,
        }),
        EvpnKey::InclusiveMulticast {
            tag, originator, ..
        } => json!({
            "route_type": 3, "name": "inclusive_multicast", "ethernet_tag": tag,
            "originator": originator,
        }),
        EvpnKey::EthernetSegment {
            esi, originator, ..
        } => json!({
            "route_type": 4, "name": "ethernet_segment", "esi": esi.to_string(),
            "originator": originator,
        }),
        EvpnKey::IpPrefix { tag, prefix, .. } => json!({
            "route_type": 5, "name": "ip_prefix", "ethernet_tag": tag,
            "ip_prefix": prefix.to_string(),
        }),
        EvpnKey::Unknown { route_type, bytes } => json!({
            "route_type": route_type, "value": hex(bytes),
        }),
    }
}

/// Path attributes; those that are absent have no key.
pub fn attributes(set_of: &AttributeSet) -> Value {
    let mut object = json!({
        "origin": origin(set_of.origin),
        "as_path": as_path(&set_of.as_path),
    });
    add_next_hop(&mut object, set_of.next_hop);
    let add = &mut object;
    set_some(add, "med", set_of.med);
    set_some(add, "local_pref", set_of.local_pref);
    if set_of.atomic_aggregate {
        set(add, "atomic_aggregate", true);
    }
    set_some(
        add,
        "aggregator",
        set_of.aggregator.as_ref().map(aggregator),
    );
    set_list(add, "communities", &set_of.communities, ToString::to_string);
    set_list(
        add,
        "extended_communities",
        &set_of.extended_communities,
        ToString::to_string,
    );
    set_list(
        add,
        "large_communities",
        &set_of.large_communities,
        ToString::to_string,
    );
    set_some(
        add,
        "originator_id",
        set_of.originator_id.map(|id| id.to_string()),
    );
    set_list(
        add,
        "cluster_list",
        &set_of.cluster_list,
        ToString::to_string,
    );
    set_some(
        add,
        "pmsi_tunnel",
        set_of.pmsi_tunnel.as_ref().map(pmsi_tunnel),
    );
    set_some(
        add,
        "only_to_customer",
        set_of.only_to_customer.map(|asn| asn.0),
    );
    set_some(add, "aigp", set_of.aigp_metric());
    set_list(add, "unknown", &set_of.unknown, unknown_attribute);
    object
}

fn unknown_attribute(attribute: &UnknownAttribute) -> Value {
    json!({
        "code": attribute.code,
        "flags": attribute.flags,
        "value": hex(&attribute.bytes),
    })
}

/// The word for an ORIGIN, as in `show routes`.
pub fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

/// An AS path, as in `show routes`.
pub fn as_path(segments: &[Segment]) -> Vec<AsPathItem> {
    segments.iter().flat_map(as_path_segment).collect()
}

fn as_path_segment(segment: &Segment) -> Vec<AsPathItem> {
    let numbers = segment.asns.iter().map(|asn| asn.0);
    match segment.kind {
        SegmentKind::Sequence => numbers.map(AsPathItem::Asn).collect(),
        SegmentKind::Set => vec![AsPathItem::Set {
            set: numbers.collect(),
        }],
        SegmentKind::ConfedSequence => vec![AsPathItem::ConfedSequence {
            confed_sequence: numbers.collect(),
        }],
        SegmentKind::ConfedSet => vec![AsPathItem::ConfedSet {
            confed_set: numbers.collect(),
        }],
    }
}

fn aggregator(aggregator: &Aggregator) -> Value {
    json!({"asn": aggregator.asn.0, "router_id": aggregator.router_id})
}

/// RFC 6514 §5: type 6 is ingress replication, whose identifier is an address.
pub(crate) fn pmsi_tunnel(tunnel: &PmsiTunnel) -> Value {
    let address = (tunnel.tunnel_type == 6)
        .then(|| address(&tunnel.identifier))
        .flatten();
    json!({
        "flags": tunnel.flags,
        "tunnel_type": tunnel.tunnel_type,
        "label": tunnel.label,
        "identifier": address.map_or_else(|| hex(&tunnel.identifier), |ip| ip.to_string()),
    })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into());
    v4().or_else(|_| v6()).ok()
}

/// Octets in lower-case hex, without separators.
pub fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(map) = object {
        map.insert(key.to_owned(), value.into());
    }
}

fn set_some(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        set(object, key, value);
    }
}

fn set_list<T, V: Into<Value>>(object: &mut Value, key: &str, list: &[T], show: impl Fn(&T) -> V) {
    if !list.is_empty() {
        let list: Vec<Value> = list.iter().map(|item| show(item).into()).collect();
        set(object, key, list);
    }
}

#[cfg(test)]
mod tests;
