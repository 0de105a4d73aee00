//! `show bgp neighbors`: everything about neighbours. What was agreed on is in [`mod@agreed`].

mod agreed;

use std::net::Ipv6Addr;

use bgp::Family;
use serde_json::{Map, Value, json};

use super::bfd::whole;
use super::ending::Ending;
use super::groups::Membership;
use super::summary::{instances, is_too_many, is_up, peer_name, state};
use super::words::{epoch, family_key, family_name, hostname, uptime, vrf_id};
use super::{Answer, Answered};
use crate::control::Request;
use crate::control::reply::{self, BfdSession, BfdState, Neighbor};
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::configure;
use crate::vtysh::grammar::Said;

pub(super) async fn neighbors(said: &Said, asking: &Asking) -> Answered {
    let every = said.value(&["NAME"]) == Some("all");
    let running = configure::running(asking.client()).await?;
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in instances(said, asking).await? {
        let view = View::of(&router, &running).await?;
        let Some(shown) = view.shown(&router, said).await? else {
            return Ok(unknown(said));
        };
        let mut object = Map::new();
        if every {
            text.push_str(&format!("\nInstance {}:\n", router.vrf));
            object.insert("vrfId".to_owned(), json!(vrf_id(&router.vrf)));
            object.insert("vrfName".to_owned(), json!(router.vrf));
        }
        for neighbor in shown {
            object.insert(peer_name(&neighbor.summary), view.json(neighbor));
            text.push_str(&view.text(neighbor));
        }
        objects.insert(router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

const RESTARTS: &str = "
Codes: GR - Graceful Restart, * -  Inheriting Global GR Config,
       Restart - GR Mode-Restarting, Helper - GR Mode-Helper,
       Disable - GR Mode-Disable.

";

/// `show bgp neighbors graceful-restart`.
pub(super) async fn graceful_restart(said: &Said, asking: &Asking) -> Answered {
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in instances(said, asking).await? {
        let view = View::of(&router, "").await?;
        let Some(shown) = view.shown(&router, said).await? else {
            return Ok(unknown(said));
        };
        let restarts = view.neighbors.iter().any(|it| it.graceful.is_some());
        let mode = if restarts { "Restart" } else { "Disable" };
        text.push_str(&format!("{RESTARTS}Global BGP GR Mode :  {mode}\n"));
        let mut object = Map::new();
        for neighbor in shown {
            let name = peer_name(&neighbor.summary);
            let lines = agreed::mode_lines(neighbor);
            text.push_str(&format!("\nBGP neighbor is {name}\n{lines}\n"));
            object.insert(name, agreed::restart_json(neighbor));
        }
        objects.insert(router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

fn unknown(said: &Said) -> Answer {
    match said.has("json") {
        true => Answer::Json(json!({"bgpNoSuchNeighbor": true})),
        false => Answer::Text("% No such neighbor in this view/vrf\n".to_owned()),
    }
}

/// An instance with its neighbours.
struct View {
    summary: reply::Summary,
    neighbors: Vec<Neighbor>,
    bfd: Vec<BfdSession>,
    groups: Membership,
}

impl View {
    /// `running` is the configuration that has the groups.
    async fn of(router: &Router, running: &str) -> Result<Self, Trouble> {
        let bfd: reply::Bfd = router.ask(&Request::Bfd).await?;
        Ok(Self {
            summary: router.summary().await?,
            neighbors: router.neighbors().await?,
            bfd: bfd.sessions,
            groups: Membership::of(running, &router.vrf),
        })
    }

    /// The neighbours that a line is about; none if it names one that is not there.
    async fn shown(
        &self,
        router: &Router,
        said: &Said,
    ) -> Result<Option<Vec<&Neighbor>>, Trouble> {
        let Some(word) = said.value(&["A.B.C.D", "X:X::X:X", "WORD"]) else {
            return Ok(Some(self.neighbors.iter().collect()));
        };
        let wanted = router.neighbor(word).await?;
        let is_it = |it: &&Neighbor| Some(it.summary.address) == wanted;
        Ok(wanted.map(|_| self.neighbors.iter().filter(is_it).collect()))
    }

    fn session(&self, neighbor: &Neighbor) -> Option<&BfdSession> {
        neighbor.summary.bfd?;
        self.bfd
            .iter()
            .find(|it| it.peer == neighbor.summary.address)
    }

    /// Milliseconds for what has not happened yet: FRR counts from its own start, too.
    fn never(&self) -> u64 {
        self.summary.uptime_s.saturating_mul(1000)
    }

    fn json(&self, neighbor: &Neighbor) -> Value {
        let summary = &neighbor.summary;
        let up = is_up(summary);
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("remoteAs", json!(summary.remote_as.unwrap_or(0)));
        put(
            "localAs",
            json!(neighbor.local_as.unwrap_or(self.summary.asn)),
        );
        let link = if neighbor.internal {
            "nbrInternalLink"
        } else {
            "nbrExternalLink"
        };
        put(link, json!(true));
        let (local, remote) = roles(neighbor);
        put("localRole", json!(local));
        put("remoteRole", json!(remote));
        put("localAsReplaceAsDualAs", json!(neighbor.dual_as));
        if let Some(text) = &summary.description {
            put("nbrDesc", json!(text));
        }
        let names = hostname(neighbor);
        match &names {
            Some((host, domain)) => {
                put("hostname", json!(host));
                if !domain.is_empty() {
                    put("domainname", json!(domain));
                }
            }
            None => put("hostname", json!("Unknown")),
        }
        if summary.interface.is_some() {
            put("bgpNeighborAddr", json!(summary.address.ip()));
        }
        if state(summary) == "Idle (Admin)" {
            put("adminShutDown", json!(true));
        }
        let group = self.groups.group(summary);
        if let Some(group) = group {
            put("peerGroup", json!(group));
        }
        if let Some(range) = summary.listen_range.as_ref().filter(|_| group.is_some()) {
            put("peerSubnetRangeGroup", json!(range));
        }
        put("bgpVersion", json!(4));
        let id = neighbor
            .router_id
            .map_or("0.0.0.0".to_owned(), |id| id.to_string());
        put("remoteRouterId", json!(id));
        put("localRouterId", json!(self.summary.router_id));
        put("bgpState", json!(summary.state));
        if let Some(age) = summary.uptime_s {
            put("bgpTimerUpMsec", json!(age.saturating_mul(1000)));
            put("bgpTimerUpString", json!(uptime(age)));
            put("bgpTimerUpEstablishedEpoch", json!(epoch(age)));
        }
        put(
            "bgpTimerHoldTimeMsecs",
            json!(neighbor.hold_time_s.saturating_mul(1000)),
        );
        put(
            "bgpTimerKeepAliveIntervalMsecs",
            json!(neighbor.keepalive_s.saturating_mul(1000)),
        );
        let configured = &neighbor.configured;
        for (key, seconds) in [
            ("bgpTimerConfiguredHoldTimeMsecs", configured.hold_time_s),
            (
                "bgpTimerConfiguredKeepAliveIntervalMsecs",
                configured.keepalive_s,
            ),
        ] {
            put(key, json!(seconds.saturating_mul(1000)));
        }
        put("connectRetryTimer", json!(configured.connect_retry_s));
        for (key, milliseconds) in [
            ("bgpTimerLastRead", neighbor.idle.received_ms),
            ("bgpTimerLastWrite", neighbor.idle.sent_ms),
            ("bgpInUpdateElapsedTimeMsecs", neighbor.idle.update_ms),
        ] {
            put(key, json!(milliseconds.unwrap_or_else(|| self.never())));
        }
        // They are sent where an OPEN needs them, and nobody can ask for more.
        put("extendedOptionalParametersLength", json!(false));
        if up {
            put("neighborCapabilities", agreed::json(neighbor));
        }
        put("gracefulRestartInfo", agreed::graceful_json(neighbor));
        put("messageStats", messages(neighbor));
        put("minBtwnAdvertisementRunsTimerMsecs", json!(0));
        let families = neighbor.details.iter();
        let families = families.map(|(family, it)| {
            (
                family_key(family).to_owned(),
                family_json(neighbor, family, it, group),
            )
        });
        put("addressFamilyInfo", Value::Object(families.collect()));
        put("connectionsEstablished", json!(neighbor.established));
        put("connectionsDropped", json!(neighbor.flaps));
        match Ending::of(neighbor) {
            None => put("lastReset", json!("never")),
            Some(ending) => {
                put(
                    "lastResetTimerMsecs",
                    json!(ending.ago_s.saturating_mul(1000)),
                );
                object.extend(ending.json());
            }
        }
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        if summary.why.as_deref().is_some_and(is_too_many) {
            put("prefixesConfigExceedMax", json!(true));
        }
        let hops = match neighbor.internal {
            true => "internalBgpNbrMaxHopsAway",
            false => "externalBgpNbrMaxHopsAway",
        };
        put(hops, json!(neighbor.ttl_security.unwrap_or(neighbor.ttl)));
        const NOBODY: &str = "Unknown";
        let local = neighbor.local_address;
        put(
            "hostLocal",
            json!(local.map_or(NOBODY.to_owned(), |it| it.to_string())),
        );
        put(
            "nexthop",
            json!(local.map_or(NOBODY.to_owned(), |it| it.to_string())),
        );
        put("hostForeign", json!(summary.address.ip()));
        let connection = neighbor.connection.as_ref();
        for (key, at) in [("portLocal", 0), ("portForeign", 1)] {
            let port = connection.and_then(|it| it.ports.get(at));
            put(key, json!(port.map_or(-1, |port| i32::from(*port))));
        }
        let [ipv6, near] = next_hops(neighbor);
        put("nexthopGlobal", json!(ipv6.unwrap_or(NOBODY.to_owned())));
        put("nexthopLocal", json!(near.unwrap_or(NOBODY.to_owned())));
        put("bgpConnection", json!(shared(neighbor)[0]));
        if let Some(left) = neighbor.next_try_ms {
            put("nextConnectTimerDueInMsecs", json!(left));
        }
        if neighbor.password {
            put("authenticationEnabled", json!(1));
        }
        if let Some(session) = self.session(neighbor) {
            put("peerBfdInfo", bfd_json(session));
        }
        Value::Object(object)
    }

    fn text(&self, neighbor: &Neighbor) -> String {
        let summary = &neighbor.summary;
        let link = if neighbor.internal {
            "internal"
        } else {
            "external"
        };
        let mut text = format!(
            "BGP neighbor {}, remote AS {}, local AS {}, {link} link\n",
            match &summary.interface {
                Some(interface) => format!("on {interface}: {}", summary.address.ip()),
                None => format!("is {}", summary.address.ip()),
            },
            summary.remote_as.unwrap_or(0),
            neighbor.local_as.unwrap_or(self.summary.asn)
        );
        let (local, remote) = roles(neighbor);
        text.push_str(&format!("  Local Role: {local}\n  Remote Role: {remote}\n"));
        if let Some(words) = &summary.description {
            text.push_str(&format!(" Description: {words}\n"));
        }
        if let Some((host, _)) = hostname(neighbor) {
            text.push_str(&format!("Hostname: {host}\n"));
        }
        let group = self.groups.group(summary);
        if let Some(group) = group {
            let line = format!(" Member of peer-group {group} for session parameters\n");
            text.push_str(&line);
        }
        if let Some(range) = summary.listen_range.as_ref().filter(|_| group.is_some()) {
            text.push_str(&format!(" Belongs to the subnet range group: {range}\n"));
        }
        let id = neighbor
            .router_id
            .map_or("0.0.0.0".to_owned(), |id| id.to_string());
        text.push_str(&format!(
            "  BGP version 4, remote router ID {id}, local router ID {}\n  BGP state = {}",
            self.summary.router_id,
            state(summary)
        ));
        match summary.uptime_s {
            Some(age) => text.push_str(&format!(", up for {}\n", uptime(age))),
            None => text.push('\n'),
        }
        let ago = |milliseconds: Option<u64>| {
            uptime(milliseconds.unwrap_or_else(|| self.never()) / 1000)
        };
        text.push_str(&format!(
            "  Last read {}, Last write {}\n  \
             Hold time is {} seconds, keepalive interval is {} seconds\n  \
             Configured hold time is {} seconds, keepalive interval is {} seconds\n",
            ago(neighbor.idle.received_ms),
            ago(neighbor.idle.sent_ms),
            neighbor.hold_time_s,
            neighbor.keepalive_s,
            neighbor.configured.hold_time_s,
            neighbor.configured.keepalive_s
        ));
        if is_up(summary) {
            text.push_str(&agreed::lines(neighbor));
        } else if let Some(why) = &summary.why {
            text.push_str(&format!("  Not up: {why}\n"));
            if let Some(hint) = &summary.hint {
                text.push_str(&format!("  Hint: {hint}\n"));
            }
        }
        text.push_str(&agreed::graceful_lines(neighbor));
        text.push_str(&message_lines(neighbor));
        text.push_str("\n  Minimum time between advertisement runs is 0 seconds\n");
        for (family, detail) in neighbor.details.iter() {
            text.push_str(&family_lines(neighbor, family, detail, group));
        }
        text.push_str(&format!(
            "  Connections established {}; dropped {}\n",
            neighbor.established, neighbor.flaps
        ));
        text.push_str(&match Ending::of(neighbor) {
            None => "  Last reset never\n".to_owned(),
            Some(ending) => format!("  Last reset {}, {}\n", uptime(ending.ago_s), ending.text()),
        });
        let away = neighbor.ttl_security.unwrap_or(neighbor.ttl);
        let kind = if neighbor.internal {
            "Internal"
        } else {
            "External"
        };
        text.push_str(&format!(
            "  {kind} BGP neighbor may be up to {away} hops away.\n"
        ));
        let foreign = summary.address.ip();
        match (neighbor.local_address, &neighbor.connection) {
            (Some(local), Some(connection)) => {
                let [here, there] = connection.ports;
                text.push_str(&format!(
                    "Local host: {local}, Local port: {here}\n\
                     Foreign host: {foreign}, Foreign port: {there}\nNexthop: {local}\n"
                ));
                let [ipv6, near] = next_hops(neighbor);
                for (word, hop) in [("global", ipv6), ("local", near)] {
                    let hop = hop.unwrap_or_default();
                    text.push_str(&format!("Nexthop {word}: {hop}\n"));
                }
                let [_, words] = shared(neighbor);
                text.push_str(&format!("BGP connection: {words}\n"));
            }
            (_, _) => text.push_str(&format!("Foreign host: {foreign}\n")),
        }
        text.push_str(&format!(
            "BGP Connect Retry Timer in Seconds: {}\n",
            neighbor.configured.connect_retry_s
        ));
        if let Some(session) = self.session(neighbor) {
            text.push_str(&format!(
                "\n  BFD: Type: {}\n  Detect Multiplier: {}, Min Rx interval: {}, Min Tx interval: {}\n  \
                 Status: {}, Last update: {}\n",
                hops(session),
                session.multiplier,
                session.receive_ms,
                session.transmit_ms,
                bfd_status(session),
                bfd_update(session).unwrap_or_else(|| "never".to_owned())
            ));
        }
        text.push('\n');
        text
    }
}

/// Next hops of IPv6 that a neighbour is told where we stand in: the global one, and that of the link. FRR
/// has unspecified ones where there is none.
fn next_hops(neighbor: &Neighbor) -> [Option<String>; 2] {
    let connection = neighbor.connection.as_ref();
    let told = |hop: Option<Ipv6Addr>| hop.unwrap_or(Ipv6Addr::UNSPECIFIED).to_string();
    [
        connection.map(|it| told(it.ipv6)),
        connection.map(|it| told(it.link_local)),
    ]
}

/// Whether the neighbour is on a link of ours, as a key's value and in text.
fn shared(neighbor: &Neighbor) -> [&'static str; 2] {
    match &neighbor.connection {
        None => ["Unknown"; 2],
        Some(it) if it.on_link => ["sharedNetwork", "shared network"],
        Some(_) => ["nonSharedNetwork", "non shared network"],
    }
}

/// As RFC 9234 has them, from what the configuration makes of the neighbour.
fn roles(neighbor: &Neighbor) -> (String, String) {
    const ROLES: [(&str, &str); 5] = [
        ("provider", "provider"),
        ("customer", "customer"),
        ("routeserverclient", "rs-client"),
        ("routeserver", "rs-server"),
        ("peer", "peer"),
    ];
    let told = neighbor
        .capabilities
        .iter()
        .find_map(|it| it.strip_prefix("role "));
    let word = told.and_then(|told| {
        ROLES
            .iter()
            .find(|(ours, _)| *ours == told.replace(['_', '-', ' '], ""))
    });
    let remote = word.map_or("undefined", |(_, word)| word);
    // The two of a session are a pair; without the neighbour's there is none.
    let local = match remote {
        "provider" => "customer",
        "customer" => "provider",
        "rs-client" => "rs-server",
        "rs-server" => "rs-client",
        other => other,
    };
    (local.to_owned(), remote.to_owned())
}

fn messages(neighbor: &Neighbor) -> Value {
    let (sent, received) = (&neighbor.sent, &neighbor.received);
    json!({
        "opensSent": sent.open, "opensRecv": received.open,
        "notificationsSent": sent.notification, "notificationsRecv": received.notification,
        "updatesSent": sent.update, "updatesRecv": received.update,
        "keepalivesSent": sent.keepalive, "keepalivesRecv": received.keepalive,
        "routeRefreshSent": sent.route_refresh, "routeRefreshRecv": received.route_refresh,
        "capabilitySent": 0, "capabilityRecv": 0,
        "totalSent": sent.total(), "totalRecv": received.total(),
    })
}

fn message_lines(neighbor: &Neighbor) -> String {
    let (sent, received) = (&neighbor.sent, &neighbor.received);
    let mut text = format!(
        "  Message statistics:\n{:25}{:>4}{:>11}\n",
        "", "Sent", "Rcvd"
    );
    for (name, sent, received) in [
        ("Opens", sent.open, received.open),
        ("Notifications", sent.notification, received.notification),
        ("Updates", sent.update, received.update),
        ("Keepalives", sent.keepalive, received.keepalive),
        ("Route Refresh", sent.route_refresh, received.route_refresh),
        ("Capability", 0, 0),
        ("Total", sent.total(), received.total()),
    ] {
        text.push_str(&format!(
            "    {:<16}{sent:>9} {received:>10}\n",
            format!("{name}:")
        ));
    }
    text
}

fn family_json(
    neighbor: &Neighbor,
    family: Family,
    detail: &reply::FamilyDetail,
    group: Option<&str>,
) -> Value {
    let counts = neighbor
        .summary
        .families
        .get(family)
        .copied()
        .unwrap_or_default();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if let Some(group) = group {
        put("peerGroupMember", json!(group));
    }
    put("commAttriSentToNbr", json!("extendedAndStandard"));
    // Routes are kept as they came, so policy can be applied again without asking.
    put("inboundSoftConfigPermit", json!(true));
    if family == Family::Evpn {
        // Every VNI of the configuration is told to whom the family is told.
        put("advertiseAllVnis", json!(true));
    }
    if family == Family::Evpn && !neighbor.internal {
        put("unchangedNextHopPropogatedToNbr", json!(true));
    }
    for (policy, way, configured, name, missing) in [
        (
            &detail.import,
            "Inbound",
            "inboundPathPolicyConfig",
            "routeMapForIncomingAdvertisements",
            "inboundEbgpRequiresPolicy",
        ),
        (
            &detail.export,
            "Outbound",
            "outboundPathPolicyConfig",
            "routeMapForOutgoingAdvertisements",
            "outboundEbgpRequiresPolicy",
        ),
    ] {
        match Policy::of(policy.as_deref()) {
            Policy::Open => {}
            Policy::Map(map) => {
                put(configured, json!(true));
                put(name, json!(map));
            }
            Policy::Missing => {
                let words = format!("{way} updates discarded due to missing policy");
                put(missing, json!(words));
            }
        }
    }
    put("acceptedPrefixCounter", json!(counts.accepted));
    if is_up(&neighbor.summary) {
        put("sentPrefixCounter", json!(counts.advertised));
    }
    if let Some(maximum) = &detail.maximum {
        put("prefixAllowedMax", json!(maximum.limit));
        put("prefixAllowedWarningThresh", json!(maximum.warn_at));
    }
    Value::Object(object)
}

/// What is done with routes of a neighbour in a family, read from the words that [`bgp::policy::Policy`] has for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Policy<'a> {
    /// All pass.
    Open,
    /// A route-map decides.
    Map(&'a str),
    /// None passes: there has to be a route-map (RFC 8212).
    Missing,
}

impl<'a> Policy<'a> {
    pub(super) fn of(words: Option<&'a str>) -> Self {
        match words {
            Some(words) if words.starts_with("reject all") => Policy::Missing,
            Some(words) => match words.strip_prefix("route-map ") {
                Some(map) => Policy::Map(map),
                None => Policy::Open,
            },
            None => Policy::Open,
        }
    }
}

fn family_lines(
    neighbor: &Neighbor,
    family: Family,
    detail: &reply::FamilyDetail,
    group: Option<&str>,
) -> String {
    let counts = neighbor
        .summary
        .families
        .get(family)
        .copied()
        .unwrap_or_default();
    let mut text = format!("\n For address family: {}\n", family_name(family));
    if let Some(group) = group {
        text.push_str(&format!("  {group} peer-group member\n"));
    }
    text.push_str("  Inbound soft reconfiguration allowed\n");
    if family == Family::Evpn && !neighbor.internal {
        text.push_str("  NEXT_HOP is propagated unchanged to this neighbor\n");
    }
    text.push_str("  Community attribute sent to this neighbor(all)\n");
    if family == Family::Evpn {
        text.push_str("  advertise-all-vni\n");
    }
    let ways = [
        (&detail.import, "incoming", "Inbound"),
        (&detail.export, "outgoing", "Outbound"),
    ];
    for (policy, _, other) in ways {
        if matches!(Policy::of(policy.as_deref()), Policy::Map(_)) {
            text.push_str(&format!("  {other} path policy configured\n"));
        }
    }
    for (policy, way, other) in ways {
        text.push_str(&match Policy::of(policy.as_deref()) {
            Policy::Open => String::new(),
            Policy::Map(map) => format!("  Route map for {way} advertisements is *{map}\n"),
            Policy::Missing => format!("  {other} updates discarded due to missing policy\n"),
        });
    }
    if !detail.negotiated && is_up(&neighbor.summary) {
        text.push_str("  Not negotiated: the neighbor does not have this family\n");
    }
    text.push_str(&format!("  {} accepted prefixes\n\n", counts.accepted));
    text
}

fn hops(session: &BfdSession) -> &'static str {
    match session.multihop {
        true => "multi hop",
        false => "single hop",
    }
}

fn bfd_status(session: &BfdSession) -> &'static str {
    match session.state {
        BfdState::AdminDown => "Admin Down",
        BfdState::Down | BfdState::Init => "Down",
        BfdState::Up => "Up",
    }
}

fn bfd_json(session: &BfdSession) -> Value {
    let mut object = json!({
        "type": hops(session),
        "detectMultiplier": session.multiplier,
        "rxMinInterval": whole(session.receive_ms),
        "txMinInterval": whole(session.transmit_ms),
        "status": bfd_status(session),
    });
    if let (Value::Object(map), Some(text)) = (&mut object, bfd_update(session)) {
        map.insert("lastUpdate".to_owned(), json!(text));
    }
    object
}

/// When the session came up: days, and a time of day.
fn bfd_update(session: &BfdSession) -> Option<String> {
    let age = session.uptime_s?;
    let (days, rest) = (age / 86_400, uptime(age % 86_400));
    Some(format!("{days}:{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_is_read_from_the_words_that_the_daemon_has_for_it() {
        use ::bgp::policy::Policy as Told;
        let missing = Told::RejectAll("no import policy (RFC 8212)".into());
        for (told, read) in [
            (Told::AcceptAll.to_string(), Policy::Open),
            (missing.to_string(), Policy::Missing),
            ("route-map IN".to_owned(), Policy::Map("IN")),
        ] {
            assert_eq!(Policy::of(Some(&told)), read, "{told}");
        }
        assert_eq!(Policy::of(None), Policy::Open);
    }
}
