//! What both sides of a session have said that they can, and graceful restart, which is half of it.

use bgp::Family;
use serde_json::{Map, Value, json};

use crate::control::reply::Neighbor;
use crate::vtysh::show::summary::is_up;
use crate::vtysh::show::words::{family_key, family_name, hostname};

/// Who has said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Both,
    Here,
    There,
}

impl Said {
    fn by(here: bool, there: bool) -> Option<Self> {
        match (here, there) {
            (true, true) => Some(Said::Both),
            (true, false) => Some(Said::Here),
            (false, true) => Some(Said::There),
            (false, false) => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Said::Both => "advertisedAndReceived",
            Said::Here => "advertised",
            Said::There => "received",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Said::Both => "advertised and received",
            Said::Here => "advertised",
            Said::There => "received",
        }
    }
}

/// A capability with FRR's key, FRR's words, and who has said it.
type Spoken = (&'static str, &'static str, Said);

/// Those that are there or not, in FRR's order.
fn plain(neighbor: &Neighbor) -> Vec<Spoken> {
    let has = |words: &str| neighbor.capabilities.iter().any(|it| it.starts_with(words));
    let lasting = |it: &crate::control::reply::Graceful| it.long_lived_s.iter().next().is_some();
    let long_lived = neighbor.graceful.as_ref().is_some_and(lasting);
    let all = [
        ("four-octet AS", "4byteAs", "4 Byte AS", true),
        (
            "extended message",
            "extendedMessage",
            "Extended Message",
            true,
        ),
        (
            "long-lived graceful restart",
            "longLivedGracefulRestart",
            "Long-lived Graceful Restart",
            long_lived,
        ),
        ("route refresh", "routeRefresh", "Route refresh", true),
        (
            "enhanced route refresh",
            "enhancedRouteRefresh",
            "Enhanced Route Refresh",
            true,
        ),
        (
            "graceful restart",
            "gracefulRestart",
            "Graceful Restart Capability",
            neighbor.graceful.is_some(),
        ),
    ];
    let said = all.into_iter().filter_map(|(ours, key, words, offered)| {
        Some((key, words, Said::by(offered, has(ours))?))
    });
    said.collect()
}

/// Families with who has said them; the neighbour's own ones as well.
fn families(neighbor: &Neighbor) -> Vec<(Family, Said)> {
    let said = |family: &Family| {
        let words = format!("multiprotocol {family}");
        let here = neighbor.details.get(*family).is_some();
        Said::by(here, neighbor.capabilities.contains(&words))
    };
    let all = Family::ALL.into_iter();
    all.filter_map(|family| Some((family, said(&family)?)))
        .collect()
}

/// Several paths of a prefix in a family: who can take them, and who sends them.
fn add_path(neighbor: &Neighbor, family: Family) -> [(&'static str, Option<Said>); 2] {
    let told = neighbor.capabilities.iter();
    let told = told.filter_map(|it| it.strip_prefix("add-path "));
    let of_family = |it: &str| it.strip_prefix(family.name()).map(str::to_owned);
    let mode = told.flat_map(|it| it.split("; ")).find_map(of_family);
    let mode = mode.unwrap_or_default();
    let ours = neighbor
        .details
        .get(family)
        .and_then(|it| it.add_path.as_ref());
    let (receive, send) = ours.map_or((false, false), |it| (it.receive, it.send.is_some()));
    [
        ("rx", Said::by(receive, mode.contains("receive"))),
        ("tx", Said::by(send, mode.contains("send"))),
    ]
}

/// What the neighbour says it can, and what we do.
pub(super) fn json(neighbor: &Neighbor) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    for (key, _, said) in plain(neighbor) {
        put(key, json!(said.word()));
    }
    if let Some(theirs) = &neighbor.graceful_received {
        let seconds = theirs.restart_time_s;
        put(
            "gracefulRestartRemoteTimerMsecs",
            json!(seconds.saturating_mul(1000)),
        );
        let families = theirs.families.iter().map(|(family, it)| {
            let preserved = it
                .forwarding_preserved
                .then(|| ("preserved".to_owned(), json!(true)));
            let object: Map<String, Value> = preserved.into_iter().collect();
            (family_key(family).to_owned(), Value::Object(object))
        });
        let families: Map<String, Value> = families.collect();
        put(
            "addressFamiliesByPeer",
            match families.is_empty() {
                true => json!("none"),
                false => Value::Object(families),
            },
        );
        let lasting = theirs.long_lived_s.iter();
        let lasting =
            lasting.map(|(family, _)| (family_key(family).to_owned(), json!("received")));
        put(
            "longLivedGracefulRestartByPeer",
            Value::Object(lasting.collect()),
        );
    }
    if neighbor
        .capabilities
        .iter()
        .any(|it| it == "extended next hop")
    {
        // We say so on sessions over IPv6, for IPv4.
        let over_ipv6 = neighbor.summary.address.ip().is_ipv6();
        let offered = over_ipv6 && neighbor.details.ipv4_unicast.is_some();
        let said = if offered { Said::Both } else { Said::There };
        put("extendedNexthop", json!(said.word()));
        let of_ipv4 = json!({"ipv4Unicast": "recieved"});
        // Both words as FRR spells them.
        put("extendedNexthopFamililesByPeer", of_ipv4);
    }
    let all = families(neighbor).into_iter();
    let all =
        all.map(|(family, said)| (family_key(family).to_owned(), json!({said.word(): true})));
    put("multiprotocolExtensions", Value::Object(all.collect()));
    let several: Map<String, Value> = Family::ALL
        .into_iter()
        .filter_map(|family| {
            let modes = add_path(neighbor, family).into_iter();
            let keys = modes.flat_map(|(way, said)| add_path_keys(way, said));
            let keys: Map<String, Value> = keys.map(|key| (key, json!(true))).collect();
            (!keys.is_empty()).then(|| (family_key(family).to_owned(), Value::Object(keys)))
        })
        .collect();
    if !several.is_empty() {
        put("addPath", Value::Object(several));
    }
    let mut names = match &neighbor.host_sent {
        Some(told) => json!({"advHostName": told.host, "advDomainName": domain(&told.domain)}),
        None => json!({}),
    };
    if let (Value::Object(names), Some((host, domain))) = (&mut names, hostname(neighbor)) {
        names.insert("rcvHostName".to_owned(), json!(host));
        names.insert("rcvDomainName".to_owned(), json!(self::domain(&domain)));
    }
    put("hostName", names);
    let mut versions = Map::new();
    for (key, version) in [
        ("advertisedSoftwareVersion", &neighbor.version_sent),
        ("receivedSoftwareVersion", &neighbor.version_received),
    ] {
        if let Some(version) = version {
            versions.insert(key.to_owned(), json!(version));
        }
    }
    put("softwareVersion", Value::Object(versions));
    Value::Object(object)
}

fn version(word: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{word} software version ({version})"),
        None => format!("not {word}"),
    }
}

/// As FRR has it where a host has none.
fn domain(name: &str) -> &str {
    if name.is_empty() { "n/a" } else { name }
}

/// One key stands for each side, and one for both.
fn add_path_keys(way: &str, said: Option<Said>) -> Vec<String> {
    let words: &[&str] = match said {
        None => &[],
        Some(Said::Here) => &["Advertised"],
        Some(Said::There) => &["Received"],
        Some(Said::Both) => &["Advertised", "AdvertisedAndReceived", "Received"],
    };
    words.iter().map(|word| format!("{way}{word}")).collect()
}

/// As lists have it, beneath `Neighbor capabilities:`.
pub(super) fn lines(neighbor: &Neighbor) -> String {
    let mut text = "  Neighbor capabilities:\n".to_owned();
    let (graceful, others): (Vec<Spoken>, Vec<Spoken>) = plain(neighbor)
        .into_iter()
        .partition(|(key, ..)| *key == "gracefulRestart");
    for (_, words, said) in others {
        text.push_str(&format!("    {words}: {}\n", said.text()));
    }
    let several = Family::ALL.into_iter().flat_map(|family| {
        let modes = add_path(neighbor, family).into_iter();
        modes.filter_map(move |(way, said)| Some((family, way, said?)))
    });
    for (at, (family, way, said)) in several.enumerate() {
        if at == 0 {
            text.push_str("    AddPath:\n");
        }
        let (family, way) = (family_name(family), way.to_uppercase());
        text.push_str(&format!("      {family}: {way} {}\n", said.text()));
    }
    for (family, said) in families(neighbor) {
        let family = family_name(family);
        text.push_str(&format!("    Address Family {family}: {}\n", said.text()));
    }
    let theirs = hostname(neighbor).map(|(host, domain)| {
        format!(
            "received (name: {host},domain name: {})",
            self::domain(&domain)
        )
    });
    let ours = neighbor.host_sent.as_ref().map(|told| {
        let domain = domain(&told.domain);
        format!("advertised (name: {},domain name: {domain})", told.host)
    });
    text.push_str(&format!(
        "    Hostname Capability: {} {}\n    Version Capability: {} {}\n",
        ours.unwrap_or_else(|| "not advertised".to_owned()),
        theirs.unwrap_or_else(|| "not received".to_owned()),
        version("advertised", neighbor.version_sent.as_deref()),
        version("received", neighbor.version_received.as_deref())
    ));
    for (_, words, said) in graceful {
        text.push_str(&format!("    {words}: {}\n", said.text()));
    }
    if let Some(theirs) = &neighbor.graceful_received {
        let seconds = theirs.restart_time_s;
        text.push_str(&format!(
            "      Remote Restart timer is {seconds} seconds\n      Address families by peer:\n        "
        ));
        let families = theirs.families.iter().map(|(family, it)| {
            let preserved = match it.forwarding_preserved {
                true => "preserved",
                false => "not preserved",
            };
            format!("{}({preserved})", family_name(family))
        });
        let families: Vec<String> = families.collect();
        text.push_str(&match families.is_empty() {
            true => "none\n".to_owned(),
            false => format!("{}\n", families.join(", ")),
        });
    }
    text
}

/// FRR's modes of graceful restart. Who restarts gracefully helps others, too.
fn modes(neighbor: &Neighbor) -> [&'static str; 2] {
    let here = match &neighbor.graceful {
        Some(_) => "Restart",
        None => "Disable",
    };
    let there = match &neighbor.graceful_received {
        _ if !is_up(&neighbor.summary) => "NotApplicable",
        None => "Disable",
        Some(theirs) if theirs.families.iter().next().is_none() => "Helper",
        Some(_) => "Restart",
    };
    [here, there]
}

/// The families that a session is about, without EVPN, whose routes FRR does not keep over a restart.
fn restarting(neighbor: &Neighbor) -> impl Iterator<Item = Family> {
    let agreed = |family: &Family| {
        neighbor
            .details
            .get(*family)
            .is_some_and(|it| it.negotiated)
    };
    let all = Family::ALL.into_iter();
    all.filter(move |family| *family != Family::Evpn && agreed(family))
}

/// Seconds: our restart time, the neighbour's, and how long our routes may stay as a last resort.
fn times(neighbor: &Neighbor) -> [u64; 3] {
    let (ours, theirs) = (&neighbor.graceful, &neighbor.graceful_received);
    let lasting = ours.as_ref().into_iter();
    let lasting = lasting.flat_map(|it| it.long_lived_s.iter().map(|(_, seconds)| *seconds));
    [
        ours.as_ref().map_or(0, |it| it.restart_time_s),
        theirs.as_ref().map_or(0, |it| it.restart_time_s),
        lasting.max().unwrap_or(0),
    ]
}

/// Of a family: whether the neighbour has gone on forwarding, and for how long it lets its routes stay.
fn kept(neighbor: &Neighbor, family: Family) -> (bool, u64) {
    let theirs = neighbor.graceful_received.as_ref();
    let of = theirs.and_then(|it| it.families.get(family));
    let lasting = theirs.and_then(|it| it.long_lived_s.get(family));
    (
        of.is_some_and(|it| it.forwarding_preserved),
        lasting.copied().unwrap_or(0),
    )
}

pub(super) fn graceful_json(neighbor: &Neighbor) -> Value {
    let mut object = Map::new();
    let (mut sent, mut received) = (Map::new(), Map::new());
    for (family, detail) in neighbor.details.iter() {
        let key = family_key(family).to_owned();
        if detail.end_of_rib_sent {
            sent.insert(key.clone(), json!(true));
        }
        if detail.end_of_rib_received {
            received.insert(key, json!(true));
        }
    }
    for family in restarting(neighbor) {
        let Some(detail) = neighbor.details.get(family) else {
            continue;
        };
        let (forwarding, lasting) = kept(neighbor, family);
        let of_family = json!({
            "fBit": forwarding,
            "endOfRibStatus": {
                "endOfRibSend": detail.end_of_rib_sent, "endOfRibRecv": detail.end_of_rib_received,
            },
            "timers": {
                "stalePathTimer": neighbor.configured.stale_s, "llgrStaleTime": lasting,
            },
        });
        object.insert(family_key(family).to_owned(), of_family);
    }
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("endOfRibSend", Value::Object(sent));
    put("endOfRibRecv", Value::Object(received));
    let [here, there] = modes(neighbor);
    put("localGrMode", json!(here));
    put("remoteGrMode", json!(there));
    let theirs = neighbor.graceful_received.unwrap_or_default();
    put("rBit", json!(theirs.restarting));
    put("nBit", json!(theirs.notification));
    let [ours, theirs, lasting] = times(neighbor);
    put(
        "timers",
        json!({
            "configuredRestartTimer": ours, "receivedRestartTimer": theirs,
            "configuredLlgrStaleTime": lasting,
        }),
    );
    Value::Object(object)
}

/// The same alone: End-of-RIB stands with each family.
pub(super) fn restart_json(neighbor: &Neighbor) -> Value {
    let mut object = graceful_json(neighbor);
    if let Value::Object(map) = &mut object {
        map.remove("endOfRibSend");
        map.remove("endOfRibRecv");
        let address = neighbor.summary.address.ip();
        map.insert("neighborAddr".to_owned(), json!(address));
    }
    object
}

pub(super) fn graceful_lines(neighbor: &Neighbor) -> String {
    let mut text = "  Graceful restart information:\n".to_owned();
    if is_up(&neighbor.summary) {
        let names = |wanted: fn(&crate::control::reply::FamilyDetail) -> bool| {
            let all = neighbor.details.iter().filter(|(_, it)| wanted(it));
            let all: Vec<&str> = all.map(|(family, _)| family_name(family)).collect();
            all.join(", ")
        };
        text.push_str(&format!(
            "    End-of-RIB send: {}\n    End-of-RIB received: {}\n",
            names(|it| it.end_of_rib_sent),
            names(|it| it.end_of_rib_received)
        ));
    }
    text.push_str(&mode_lines(neighbor));
    text
}

/// How both sides restart, and what was said of each family.
pub(super) fn mode_lines(neighbor: &Neighbor) -> String {
    let word = |it: bool| if it { "True" } else { "False" };
    let yes = |it: bool| if it { "Yes" } else { "No" };
    let ([here, there], [ours, received, lasting]) = (modes(neighbor), times(neighbor));
    let theirs = neighbor.graceful_received.unwrap_or_default();
    let mut text = format!(
        "    Local GR Mode: {here}\n    Remote GR Mode: {there}\n    R bit: {}\n    N bit: {}\n    Timers:\n      \
         Configured Restart Time(sec): {ours}\n      Received Restart Time(sec): {received}\n      \
         Configured LLGR Stale Path Time(sec): {lasting}\n",
        word(theirs.restarting),
        word(theirs.notification)
    );
    for family in restarting(neighbor) {
        let Some(detail) = neighbor.details.get(family) else {
            continue;
        };
        let (forwarding, lasting) = kept(neighbor, family);
        text.push_str(&format!(
            "    {}:\n      F bit: {}\n      End-of-RIB sent: {}\n      End-of-RIB received: {}\n      Timers:\n        \
             Configured Stale Path Time(sec): {}\n        LLGR Stale Path Time(sec): {lasting}\n",
            family_name(family),
            word(forwarding),
            yes(detail.end_of_rib_sent),
            yes(detail.end_of_rib_received),
            neighbor.configured.stale_s
        ));
    }
    text
}
