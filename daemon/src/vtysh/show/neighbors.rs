//! `show bgp neighbors`: everything about neighbours.

use bgp::Family;
use serde_json::{Map, Value, json};

use super::ending::Ending;
use super::summary::{instances, is_too_many, is_up, peer_name, state};
use super::words::{epoch, family_key, family_name, hostname, uptime, vrf_id};
use super::{Answer, Answered};
use crate::control::Request;
use crate::control::reply::{self, BfdSession, BfdState, Neighbor};
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host;

pub(super) async fn neighbors(said: &Said, asking: &Asking) -> Answered {
    let every = said.value(&["NAME"]) == Some("all");
    let word = said.value(&["A.B.C.D", "X:X::X:X", "WORD"]);
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in instances(said, asking).await? {
        let view = View::of(&router).await?;
        let wanted = match word {
            Some(word) => match router.neighbor(word).await? {
                Some(address) => Some(address),
                None => return Ok(unknown(said)),
            },
            None => None,
        };
        let all = view.neighbors.iter();
        let shown = all.filter(|it| wanted.is_none_or(|wanted| it.summary.address == wanted));
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
    Ok(match (said.has("json"), every) {
        (false, _) => Answer::Text(text),
        (true, true) => Answer::Json(Value::Object(objects)),
        (true, false) => Answer::Json(objects.into_iter().next().map_or(json!({}), |(_, it)| it)),
    })
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
}

impl View {
    async fn of(router: &Router) -> Result<Self, Trouble> {
        let bfd: reply::Bfd = router.ask(&Request::Bfd).await?;
        Ok(Self {
            summary: router.summary().await?,
            neighbors: router.neighbors().await?,
            bfd: bfd.sessions,
        })
    }

    fn session(&self, neighbor: &Neighbor) -> Option<&BfdSession> {
        neighbor.summary.bfd?;
        self.bfd
            .iter()
            .find(|it| it.peer == neighbor.summary.address)
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
        if up {
            put(
                "neighborCapabilities",
                capabilities(neighbor, names.as_ref()),
            );
        }
        put("gracefulRestartInfo", graceful(neighbor));
        put("messageStats", messages(neighbor));
        put("minBtwnAdvertisementRunsTimerMsecs", json!(0));
        let families = neighbor.details.iter();
        let families = families.map(|(family, it)| {
            (
                family_key(family).to_owned(),
                family_json(neighbor, family, it),
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
            "BGP neighbor is {}, remote AS {}, local AS {}, {link} link\n",
            peer_name(summary),
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
        text.push_str(&format!(
            "  Hold time is {} seconds, keepalive interval is {} seconds\n",
            neighbor.hold_time_s, neighbor.keepalive_s
        ));
        if is_up(summary) {
            text.push_str("  Neighbor capabilities:\n");
            for capability in &neighbor.capabilities {
                text.push_str(&format!("    {capability}: received\n"));
            }
        } else if let Some(why) = &summary.why {
            text.push_str(&format!("  Not up: {why}\n"));
            if let Some(hint) = &summary.hint {
                text.push_str(&format!("  Hint: {hint}\n"));
            }
        }
        text.push_str(&message_lines(neighbor));
        for (family, detail) in neighbor.details.iter() {
            text.push_str(&family_lines(neighbor, family, detail));
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
        if let Some(local) = neighbor.local_address {
            text.push_str(&format!("Local host: {local}\n"));
        }
        text.push_str(&format!("Foreign host: {}\n", summary.address.ip()));
        if let Some(session) = self.session(neighbor) {
            text.push_str(&format!(
                "\n  BFD: Type: {}\n  Detect Multiplier: {}, Min Rx interval: {}, Min Tx interval: {}\n  \
                 Status: {}\n",
                hops(session),
                session.multiplier,
                session.receive_ms,
                session.transmit_ms,
                bfd_status(session)
            ));
        }
        text.push('\n');
        text
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

/// What the neighbour says it can; rbgpd says all of it, too, where it is listed so.
fn capabilities(neighbor: &Neighbor, names: Option<&(String, String)>) -> Value {
    const BOTH: &str = "advertisedAndReceived";
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    let has = |words: &str| neighbor.capabilities.iter().any(|it| it.starts_with(words));
    for (ours, key) in [
        ("four-octet AS", "4byteAs"),
        ("extended message", "extendedMessage"),
        ("route refresh", "routeRefresh"),
        ("enhanced route refresh", "enhancedRouteRefresh"),
        ("long-lived graceful restart", "longLivedGracefulRestart"),
        ("graceful restart", "gracefulRestart"),
    ] {
        put(key, json!(if has(ours) { BOTH } else { "advertised" }));
    }
    let seconds = neighbor.capabilities.iter().find_map(|it| {
        let words = it.strip_prefix("graceful restart ")?;
        words.split(' ').next()?.parse::<u64>().ok()
    });
    if let Some(seconds) = seconds {
        put(
            "gracefulRestartRemoteTimerMsecs",
            json!(seconds.saturating_mul(1000)),
        );
    }
    if has("extended next hop") {
        // We say so on sessions over IPv6, for IPv4.
        let over_ipv6 = neighbor.summary.address.ip().is_ipv6();
        let offered = over_ipv6 && neighbor.details.ipv4_unicast.is_some();
        put(
            "extendedNexthop",
            json!(if offered { BOTH } else { "received" }),
        );
        let of_ipv4 = json!({"ipv4Unicast": "recieved"});
        // Both words as FRR spells them.
        put("extendedNexthopFamililesByPeer", of_ipv4);
    }
    let theirs = Family::ALL.into_iter().filter(|family| {
        let has = has(&format!("multiprotocol {family}"));
        has && neighbor.details.get(*family).is_none()
    });
    let theirs = theirs.map(|family| (family_key(family).to_owned(), json!({"received": true})));
    let families = neighbor.details.iter().map(|(family, detail)| {
        let key = if detail.negotiated {
            BOTH
        } else {
            "advertised"
        };
        (family_key(family).to_owned(), json!({key: true}))
    });
    let families = families.chain(theirs);
    put("multiprotocolExtensions", Value::Object(families.collect()));
    let several = neighbor.details.iter().filter_map(|(family, detail)| {
        let it = detail.add_path.as_ref()?;
        let mut modes = Map::new();
        for (configured, agreed, word) in [
            (it.receive, it.receiving, "rx"),
            (it.send.is_some(), it.sending, "tx"),
        ] {
            if configured {
                modes.insert(format!("{word}Advertised"), json!(true));
            }
            if agreed {
                modes.insert(format!("{word}AdvertisedAndReceived"), json!(true));
                modes.insert(format!("{word}Received"), json!(true));
            }
        }
        Some((family_key(family).to_owned(), Value::Object(modes)))
    });
    let several: Map<String, Value> = several.collect();
    if !several.is_empty() {
        put("addPath", Value::Object(several));
    }
    if let Some((host, domain)) = names {
        let domain = if domain.is_empty() { "n/a" } else { domain };
        put(
            "hostName",
            json!({"advHostName": host::name(), "rcvHostName": host, "rcvDomainName": domain}),
        );
    }
    Value::Object(object)
}

fn graceful(neighbor: &Neighbor) -> Value {
    let mut object = Map::new();
    let (mut sent, mut received) = (Map::new(), Map::new());
    for (family, detail) in neighbor.details.iter() {
        let key = family_key(family).to_owned();
        if detail.end_of_rib_sent {
            sent.insert(key.clone(), json!(true));
        }
        if detail.end_of_rib_received {
            received.insert(key.clone(), json!(true));
        }
        if detail.negotiated && family != Family::Evpn {
            let status = json!({
                "endOfRibSend": detail.end_of_rib_sent, "endOfRibRecv": detail.end_of_rib_received,
            });
            object.insert(key, json!({"endOfRibStatus": status}));
        }
    }
    object.insert("endOfRibSend".to_owned(), Value::Object(sent));
    object.insert("endOfRibRecv".to_owned(), Value::Object(received));
    Value::Object(object)
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
        ("Total", sent.total(), received.total()),
    ] {
        text.push_str(&format!(
            "    {:<16}{sent:>9} {received:>10}\n",
            format!("{name}:")
        ));
    }
    text
}

fn family_json(neighbor: &Neighbor, family: Family, detail: &reply::FamilyDetail) -> Value {
    let counts = neighbor
        .summary
        .families
        .get(family)
        .copied()
        .unwrap_or_default();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("commAttriSentToNbr", json!("extendedAndStandard"));
    // Routes are kept as they came, so policy can be applied again without asking.
    put("inboundSoftConfigPermit", json!(true));
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

fn family_lines(neighbor: &Neighbor, family: Family, detail: &reply::FamilyDetail) -> String {
    let counts = neighbor
        .summary
        .families
        .get(family)
        .copied()
        .unwrap_or_default();
    let mut text = format!("\n For address family: {}\n", family_name(family));
    for (policy, way, other) in [
        (&detail.import, "incoming", "Inbound"),
        (&detail.export, "outgoing", "Outbound"),
    ] {
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
        "rxMinInterval": session.receive_ms.round(),
        "txMinInterval": session.transmit_ms.round(),
        "status": bfd_status(session),
    });
    if let (Value::Object(map), Some(age)) = (&mut object, session.uptime_s) {
        let days = age / 86_400;
        let rest = uptime(age % 86_400);
        map.insert("lastUpdate".to_owned(), json!(format!("{days}:{rest}")));
    }
    object
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
