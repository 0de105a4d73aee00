//! `show bgp summary`: a line for each neighbour.

use bgp::Family;
use serde_json::{Map, Value, json};

use super::ending::Ending;
use super::neighbors::Policy;
use super::words::{self, epoch, families, family_key, family_name, uptime};
use super::{Answer, Answered};
use crate::control::reply::{self, NeighborSummary};
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::grammar::Said;

/// Which neighbours are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Established,
    Failed,
}

pub(super) async fn summary(said: &Said, asking: &Asking) -> Answered {
    let wanted = match (said.has("established"), said.has("failed")) {
        (true, _) => Wanted::Established,
        (false, true) => Wanted::Failed,
        (false, false) => Wanted::All,
    };
    let families = families(said);
    // A family stands alone where the line names all of it.
    let alone = said.has("unicast") || said.has("evpn");
    let every = said.value(&["NAME"]) == Some("all");
    let routers = instances(said, asking).await?;
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in &routers {
        let view = View::of(router).await?;
        let mut object = Map::new();
        for family in &families {
            if view.neighbors(*family).next().is_none() {
                continue;
            }
            object.insert(family_key(*family).to_owned(), view.json(*family, wanted));
            if !alone {
                text.push_str(&format!("\n{} Summary:\n", family_name(*family)));
            }
            text.push_str(&view.text(*family, wanted));
        }
        if object.is_empty() {
            text.push_str(&format!("% No BGP neighbors found in VRF {}\n", router.vrf));
        }
        let object = match alone {
            true => object
                .into_iter()
                .next()
                .map_or(json!({}), |(_, only)| only),
            false => Value::Object(object),
        };
        objects.insert(router.vrf.clone(), object);
    }
    Ok(match (said.has("json"), every) {
        (false, _) => Answer::Text(text),
        (true, true) => Answer::Json(Value::Object(objects)),
        (true, false) => Answer::Json(objects.into_iter().next().map_or(json!({}), |(_, it)| it)),
    })
}

/// The instances that a line is about: that of its VRF, or all of them.
pub(super) async fn instances(said: &Said, asking: &Asking) -> Result<Vec<Router>, Trouble> {
    let vrf = said.value(&["NAME"]);
    let routers: Vec<Router> = match vrf {
        Some("all") => asking.routers().await?,
        vrf => asking.router(vrf).await?.into_iter().collect(),
    };
    match routers.is_empty() {
        true if said.has("json") => Err(Trouble::Warning("{}\n".to_owned())),
        true => Err(Trouble::Warning("% BGP instance not found\n".to_owned())),
        false => Ok(routers),
    }
}

/// What is known of an instance.
struct View {
    summary: reply::Summary,
    neighbors: Vec<reply::Neighbor>,
    memory: reply::Memory,
    vrf: String,
}

impl View {
    async fn of(router: &Router) -> Result<Self, Trouble> {
        Ok(Self {
            summary: router.summary().await?,
            neighbors: router.neighbors().await?,
            memory: router.memory().await?,
            vrf: router.vrf.clone(),
        })
    }

    /// The neighbours with a family.
    fn neighbors(&self, family: Family) -> impl Iterator<Item = &reply::Neighbor> {
        let mine = move |it: &&reply::Neighbor| it.summary.families.get(family).is_some();
        self.neighbors.iter().filter(mine)
    }

    fn json(&self, family: Family, wanted: Wanted) -> Value {
        let all: Vec<&reply::Neighbor> = self.neighbors(family).collect();
        let failed = all.iter().filter(|it| !is_up(&it.summary)).count();
        let dynamic = all.iter().filter(|it| is_dynamic(&it.summary)).count();
        if wanted == Wanted::Failed && failed == 0 {
            return json!({
                "failedPeersCount": 0, "dynamicPeers": dynamic, "totalPeers": all.len(),
            });
        }
        let shown = all.iter().filter(|it| wanted.takes(&it.summary));
        let peers = shown.map(|it| {
            let object = match wanted {
                Wanted::Failed => failed_json(it),
                Wanted::All | Wanted::Established => self.peer(it, family),
            };
            (peer_name(&it.summary), object)
        });
        let peers: Map<String, Value> = peers.collect();
        let entries = self.summary.prefixes.get(family).copied().unwrap_or(0);
        json!({
            "routerId": self.summary.router_id,
            "as": self.summary.asn,
            "vrfId": words::vrf_id(&self.vrf),
            "vrfName": self.vrf,
            "bestPath": {
                "multiPathRelax": match self.summary.as_path_relax.get(family) {
                    Some(true) => "true",
                    Some(false) | None => "false",
                },
            },
            "ribCount": entries,
            "ribMemory": self.rib_memory(family),
            "peerCount": all.len(),
            "failedPeers": failed,
            "displayedPeers": peers.len(),
            "totalPeers": all.len(),
            "dynamicPeers": dynamic,
            "peers": peers,
        })
    }

    fn peer(&self, neighbor: &reply::Neighbor, family: Family) -> Value {
        let summary = &neighbor.summary;
        let counts = summary.families.get(family).copied().unwrap_or_default();
        let mut object = json!({
            "remoteAs": summary.remote_as.unwrap_or(0),
            "localAs": neighbor.local_as.unwrap_or(self.summary.asn),
            // No neighbour is asked for it.
            "softwareVersion": "n/a",
            "version": 4,
            "msgRcvd": summary.messages_received,
            "msgSent": summary.messages_sent,
            "pfxRcd": counts.accepted,
            "pfxSnt": counts.advertised,
            "state": state(summary),
            "peerState": peer_state(neighbor),
            "connectionsEstablished": neighbor.established,
            "connectionsDropped": neighbor.flaps,
            "idType": id_type(summary),
        });
        let Value::Object(map) = &mut object else {
            return object;
        };
        let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
        match summary.changed_s {
            Some(age) => {
                put("peerUptime", json!(uptime(age)));
                put("peerUptimeMsec", json!(age.saturating_mul(1000)));
                put("peerUptimeEstablishedEpoch", json!(epoch(age)));
            }
            None => {
                put("peerUptime", json!("never"));
                put("peerUptimeMsec", json!(0));
            }
        }
        if let Some(host) = words::hostname(neighbor) {
            put("hostname", json!(host.0));
            if !host.1.is_empty() {
                put("domainname", json!(host.1));
            }
        }
        if let Some(text) = &summary.description {
            put("desc", json!(text));
        }
        if is_dynamic(summary) {
            put("dynamicPeer", json!(true));
        }
        object
    }

    /// The part of the tables' memory that goes by the number of prefixes.
    fn rib_memory(&self, family: Family) -> u64 {
        let all: u64 = self.memory.prefixes.iter().map(|(_, count)| *count).sum();
        let mine = self.memory.prefixes.get(family).copied().unwrap_or(0);
        self.memory.table_bytes.saturating_mul(mine) / all.max(1)
    }

    fn text(&self, family: Family, wanted: Wanted) -> String {
        let all: Vec<&reply::Neighbor> = self.neighbors(family).collect();
        let rows = all.iter().filter(|it| wanted.takes(&it.summary));
        let rows: Vec<&reply::Neighbor> = rows.copied().collect();
        if wanted == Wanted::Failed && rows.is_empty() {
            return "% No failed BGP neighbors found\n".to_owned();
        }
        let mut text = format!(
            "BGP router identifier {}, local AS number {} VRF {} vrf-id {}\n\
             BGP table version 0\nRIB entries {}, using {} of memory\nPeers {}\n",
            self.summary.router_id,
            self.summary.asn,
            self.vrf,
            words::vrf_id(&self.vrf),
            self.summary.prefixes.get(family).copied().unwrap_or(0),
            words::memory(self.rib_memory(family)),
            all.len()
        );
        let total = format!("\nTotal number of neighbors {}\n", all.len());
        if rows.is_empty() {
            return text + "\n% No matching neighbor\n" + &total;
        }
        let names: Vec<String> = rows.iter().map(|it| listed_name(&it.summary)).collect();
        let width = names.iter().map(|it| it.chars().count()).max().unwrap_or(0);
        let width = width.max(15);
        let columns = match wanted {
            Wanted::Failed => " EstdCnt DropCnt ResetTime Reason",
            Wanted::All | Wanted::Established => {
                " V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc"
            }
        };
        text.push_str(&format!("\n{:width$}{columns}\n", "Neighbor"));
        for (row, name) in rows.iter().zip(names) {
            let rest = match wanted {
                Wanted::Failed => failed_line(row),
                Wanted::All | Wanted::Established => line(row, family),
            };
            text.push_str(&format!("{name:width$} {rest}\n"));
        }
        match wanted {
            Wanted::All => {}
            Wanted::Established | Wanted::Failed => {
                text.push_str(&format!("\nDisplayed neighbors {}", rows.len()));
            }
        }
        text.push_str(&total);
        let dynamic = all.iter().filter(|it| is_dynamic(&it.summary)).count();
        if dynamic > 0 {
            text.push_str(&format!(
                "* - dynamic neighbor\n{dynamic} dynamic neighbor(s)\n"
            ));
        }
        text
    }
}

impl Wanted {
    fn takes(self, neighbor: &NeighborSummary) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Established => is_up(neighbor),
            Wanted::Failed => !is_up(neighbor),
        }
    }
}

/// Behind the name. Table versions and queues are columns of FRR's that rbgpd has no values for.
fn line(neighbor: &reply::Neighbor, family: Family) -> String {
    let summary = &neighbor.summary;
    let up = is_up(summary);
    let detail = neighbor.details.get(family);
    let negotiated = detail.is_some_and(|it| it.negotiated);
    let counts = summary.families.get(family).copied().unwrap_or_default();
    let (received, sent) = match (up, negotiated) {
        (true, true) => {
            // Nothing passes without a policy (RFC 8212).
            let told =
                |policy: Option<&String>, count: u64| match Policy::of(policy.map(String::as_str))
                {
                    Policy::Missing => "(Policy)".to_owned(),
                    Policy::Open | Policy::Map(_) => count.to_string(),
                };
            let (import, export) = (
                detail.and_then(|it| it.import.as_ref()),
                detail.and_then(|it| it.export.as_ref()),
            );
            (
                told(import, counts.accepted),
                told(export, counts.advertised),
            )
        }
        (true, false) => ("NoNeg".to_owned(), "NoNeg".to_owned()),
        (false, _) => (state(summary), "0".to_owned()),
    };
    format!(
        "4 {:>10} {:>9} {:>9} {:>8} {:>4} {:>4} {:>8} {received:>12} {sent:>8} {}",
        summary.remote_as.unwrap_or(0),
        summary.messages_received,
        summary.messages_sent,
        0,
        0,
        0,
        summary.changed_s.map_or("never".to_owned(), uptime),
        short(summary.description.as_deref())
    )
}

fn short(description: Option<&str>) -> String {
    description.map_or("N/A".to_owned(), |text| text.chars().take(20).collect())
}

fn failed_line(neighbor: &reply::Neighbor) -> String {
    let changed = neighbor.summary.changed_s;
    format!(
        "{:>7} {:>7} {:>9}{}",
        neighbor.established,
        neighbor.flaps,
        changed.map_or("never".to_owned(), uptime),
        ending(neighbor).text()
    )
}

fn failed_json(neighbor: &reply::Neighbor) -> Value {
    let summary = &neighbor.summary;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if is_dynamic(summary) {
        put("dynamicPeer", json!(true));
    }
    put("connectionsEstablished", json!(neighbor.established));
    put("connectionsDropped", json!(neighbor.flaps));
    put(
        "peerUptime",
        json!(summary.changed_s.map_or("never".to_owned(), uptime)),
    );
    let age = summary.changed_s.unwrap_or(0);
    put("peerUptimeMsec", json!(age.saturating_mul(1000)));
    if summary.changed_s.is_some() {
        put("peerUptimeEstablishedEpoch", json!(epoch(age)));
    }
    put("idType", json!(id_type(summary)));
    object.extend(ending(neighbor).json());
    Value::Object(object)
}

/// Why a session is down.
fn ending(neighbor: &reply::Neighbor) -> Ending {
    Ending::of(neighbor).unwrap_or_else(Ending::waiting)
}

pub(super) fn is_up(neighbor: &NeighborSummary) -> bool {
    neighbor.state == "Established"
}

fn is_dynamic(neighbor: &NeighborSummary) -> bool {
    neighbor.listen_range.is_some()
}

/// As FRR's lists have it: an address, or the interface of one that was heard there.
pub(super) fn peer_name(neighbor: &NeighborSummary) -> String {
    let address = || neighbor.address.ip().to_string();
    neighbor.interface.clone().unwrap_or_else(address)
}

fn listed_name(neighbor: &NeighborSummary) -> String {
    let mark = if is_dynamic(neighbor) { "*" } else { "" };
    format!("{mark}{}", peer_name(neighbor))
}

fn id_type(neighbor: &NeighborSummary) -> &'static str {
    match (&neighbor.interface, neighbor.address.ip().is_ipv4()) {
        (Some(_), _) => "interface",
        (None, true) => "ipv4",
        (None, false) => "ipv6",
    }
}

/// The state of the session, with FRR's words where something holds it down.
pub(super) fn state(neighbor: &NeighborSummary) -> String {
    let why = neighbor.why.as_deref().unwrap_or_default();
    match neighbor.state.as_str() {
        "Idle" if why.starts_with(SHUTDOWN) => "Idle (Admin)".to_owned(),
        "Idle" if is_too_many(why) => "Idle (PfxCt)".to_owned(),
        state => state.to_owned(),
    }
}

/// Whether a session is held down because too many prefixes came.
pub(super) fn is_too_many(why: &str) -> bool {
    why.starts_with(TOO_MANY)
}

// As `bgp::session::StopReason` is written.
const SHUTDOWN: &str = "administrative shutdown";
const TOO_MANY: &str = "more than ";

fn peer_state(neighbor: &reply::Neighbor) -> &'static str {
    match state(&neighbor.summary).as_str() {
        "Idle (Admin)" => "Admin",
        "Idle (PfxCt)" => "PfxCt",
        _ if neighbor.kept_s.is_some() => "NSF passive",
        _ => "OK",
    }
}
