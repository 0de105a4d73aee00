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

/// Which neighbours are listed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    state: State,
    party: Party,
    terse: bool,
    wide: bool,
}

/// Neighbours by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    All,
    Established,
    Failed,
}

/// Neighbours by who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Party {
    All,
    /// The one with this address, or on this interface.
    Named(String),
    Of(u32),
    Internal,
    External,
}

impl Wanted {
    fn of(said: &Said) -> Self {
        let number = said.value(&["<1-4294967295>"]);
        let number = number.and_then(|it| it.parse().ok());
        let named = said.value(&["A.B.C.D", "X:X::X:X", "WORD"]);
        Self {
            state: match (said.has("established"), said.has("failed")) {
                (true, _) => State::Established,
                (false, true) => State::Failed,
                (false, false) => State::All,
            },
            party: match (number, named) {
                (Some(asn), _) => Party::Of(asn),
                (None, Some(word)) => Party::Named(word.to_owned()),
                (None, None) if said.has("internal") => Party::Internal,
                (None, None) if said.has("external") => Party::External,
                (None, None) => Party::All,
            },
            terse: said.has("terse"),
            wide: said.has("wide"),
        }
    }

    fn takes(&self, neighbor: &reply::Neighbor) -> bool {
        let summary = &neighbor.summary;
        let state = match self.state {
            State::All => true,
            State::Established => is_up(summary),
            State::Failed => !is_up(summary),
        };
        let party = match &self.party {
            Party::All => true,
            Party::Named(word) => peer_name(summary) == *word,
            Party::Of(asn) => summary.remote_as == Some(*asn),
            Party::Internal => neighbor.internal,
            Party::External => !neighbor.internal,
        };
        state && party
    }

    fn takes_all(&self) -> bool {
        self.state == State::All && self.party == Party::All
    }
}

pub(super) async fn summary(said: &Said, asking: &Asking) -> Answered {
    let wanted = Wanted::of(said);
    let families = families(said);
    // A family stands alone where the line names all of it.
    let alone = said.has("unicast") || said.has("evpn");
    let routers = instances(said, asking).await?;
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in &routers {
        let view = View::of(router).await?;
        let known = |word: &str| {
            view.neighbors
                .iter()
                .any(|it| peer_name(&it.summary) == word)
        };
        if let Party::Named(word) = &wanted.party
            && !known(word)
        {
            let why = "No such neighbor in this view/vrf\n".to_owned();
            return match said.has("json") {
                true => Ok(Answer::Json(json!({"warning": why.trim_end()}))),
                false => Err(Trouble::Warning(why)),
            };
        }
        let mut object = Map::new();
        for family in &families {
            if view.neighbors(*family).next().is_none() {
                continue;
            }
            object.insert(family_key(*family).to_owned(), view.json(*family, &wanted));
            if !alone {
                text.push_str(&format!("\n{} Summary:\n", family_name(*family)));
            }
            text.push_str(&view.text(*family, &wanted));
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
    Ok(Answer::of_instances(said, text, objects))
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

    fn json(&self, family: Family, wanted: &Wanted) -> Value {
        let all: Vec<&reply::Neighbor> = self.neighbors(family).collect();
        let failed = all.iter().filter(|it| !is_up(&it.summary)).count();
        let dynamic = all.iter().filter(|it| is_dynamic(&it.summary)).count();
        if wanted.state == State::Failed && failed == 0 {
            return json!({
                "failedPeersCount": 0, "dynamicPeers": dynamic, "totalPeers": all.len(),
            });
        }
        let shown = all.iter().filter(|it| wanted.takes(it));
        let peers = shown.map(|it| {
            let object = match wanted.state {
                State::Failed => failed_json(it),
                State::All | State::Established => self.peer(it, family),
            };
            (peer_name(&it.summary), object)
        });
        let peers: Map<String, Value> = peers.collect();
        let entries = self.summary.prefixes.get(family).copied().unwrap_or(0);
        let mut object = json!({
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
        });
        if let (Value::Object(map), Some(max_med)) = (&mut object, self.summary.max_med) {
            if max_med.startup_left_s.is_some() {
                map.insert("maxMedOnStartup".to_owned(), json!(true));
            }
            if max_med.always {
                map.insert("maxMedAdministrative".to_owned(), json!(true));
            }
        }
        object
    }

    fn peer(&self, neighbor: &reply::Neighbor, family: Family) -> Value {
        let summary = &neighbor.summary;
        let counts = summary.families.get(family).copied().unwrap_or_default();
        let mut object = json!({
            "remoteAs": summary.remote_as.unwrap_or(0),
            "localAs": neighbor.local_as.unwrap_or(self.summary.asn),
            "softwareVersion": neighbor.version_received.as_deref().unwrap_or("n/a"),
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

    fn listed_name(&self, neighbor: &reply::Neighbor) -> String {
        let summary = &neighbor.summary;
        let mark = if is_dynamic(summary) { "*" } else { "" };
        let name = words::named(&self.summary, Some(neighbor), peer_name(summary));
        format!("{mark}{name}")
    }

    /// The part of the tables' memory that goes by the number of prefixes.
    fn rib_memory(&self, family: Family) -> u64 {
        let all: u64 = self.memory.prefixes.iter().map(|(_, count)| *count).sum();
        let mine = self.memory.prefixes.get(family).copied().unwrap_or(0);
        self.memory.table_bytes.saturating_mul(mine) / all.max(1)
    }

    fn text(&self, family: Family, wanted: &Wanted) -> String {
        let all: Vec<&reply::Neighbor> = self.neighbors(family).collect();
        let rows = all.iter().filter(|it| wanted.takes(it));
        let rows: Vec<&reply::Neighbor> = rows.copied().collect();
        if wanted.state == State::Failed && rows.is_empty() {
            return "% No failed BGP neighbors found\n".to_owned();
        }
        let mut text = format!(
            "BGP router identifier {}, local AS number {} VRF {} vrf-id {}\n",
            self.summary.router_id,
            self.summary.asn,
            self.vrf,
            words::vrf_id(&self.vrf)
        );
        if !wanted.terse {
            if let Some(max_med) = self.summary.max_med {
                // The time after a start may pass beneath a MED of all times.
                if max_med.startup_left_s.is_some() {
                    text.push_str("Max-med on-startup active\n");
                }
                if max_med.always {
                    text.push_str("Max-med administrative active\n");
                }
            }
            text.push_str(&format!(
                "BGP table version 0\nRIB entries {}, using {} of memory\nPeers {}\n",
                self.summary.prefixes.get(family).copied().unwrap_or(0),
                words::memory(self.rib_memory(family)),
                all.len()
            ));
        }
        let total = format!("\nTotal number of neighbors {}\n", all.len());
        if rows.is_empty() {
            // FRR counts no others where somebody was asked for.
            let total = if wanted.party == Party::All {
                &total
            } else {
                ""
            };
            return text + "\n% No matching neighbor\n" + total;
        }
        let names: Vec<String> = rows.iter().map(|it| self.listed_name(it)).collect();
        let width = names.iter().map(|it| it.chars().count()).max().unwrap_or(0);
        let width = width.max(15);
        let columns = match (wanted.state, wanted.wide) {
            (State::Failed, _) => " EstdCnt DropCnt ResetTime Reason",
            (State::All | State::Established, false) => {
                " V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc"
            }
            (State::All | State::Established, true) => {
                " V         AS    LocalAS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc"
            }
        };
        text.push_str(&format!("\n{:width$}{columns}\n", "Neighbor"));
        for (row, name) in rows.iter().zip(names) {
            let local_as = row.local_as.unwrap_or(self.summary.asn);
            let rest = match wanted.state {
                State::Failed => failed_line(row),
                State::All | State::Established => {
                    line(row, family, wanted.wide.then_some(local_as))
                }
            };
            text.push_str(&format!("{name:width$} {rest}\n"));
        }
        if !wanted.takes_all() {
            text.push_str(&format!("\nDisplayed neighbors {}", rows.len()));
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

/// Behind the name. Table versions and queues are columns of FRR's that rbgpd has no values for. Wide
/// lines have our AS number, too, and more of the description.
fn line(neighbor: &reply::Neighbor, family: Family, local_as: Option<u32>) -> String {
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
        "4 {:>10}{} {:>9} {:>9} {:>8} {:>4} {:>4} {:>8} {received:>12} {sent:>8} {}",
        summary.remote_as.unwrap_or(0),
        local_as.map_or(String::new(), |asn| format!(" {asn:>10}")),
        summary.messages_received,
        summary.messages_sent,
        0,
        0,
        0,
        summary.changed_s.map_or("never".to_owned(), uptime),
        short(
            summary.description.as_deref(),
            if local_as.is_some() { 64 } else { 20 }
        )
    )
}

fn short(description: Option<&str>, most: usize) -> String {
    description.map_or("N/A".to_owned(), |text| text.chars().take(most).collect())
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
