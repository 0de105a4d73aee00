//! Answers to commands, in FRR's words and keys.
//!
//! Each file has the answers about one thing, as text and as JSON side by side, so that what one of
//! them says is not forgotten in the other. Keys and types are those of FRR 10; what rbgpd has no value for
//! is left out and listed in `docs/vtysh.md`, never made up.

mod bfd;
mod bgp;
mod clear;
mod debugging;
mod ending;
mod evpn;
mod groups;
mod interface;
mod lists;
mod neighbors;
mod policy;
mod routes;
mod rpki;
mod summary;
mod system;
mod words;
mod zebra;

use serde_json::{Map, Value};

use super::ask::{Asking, Trouble};
use super::grammar::Said;
use super::host;
use super::table::Ask;

/// What a command prints.
#[derive(Debug)]
pub(super) enum Answer {
    Text(String),
    Json(Value),
}

impl Answer {
    /// What several instances were asked: their texts one behind the other, or an object that has each
    /// by its VRF, where all were meant, and the one itself where it was one.
    fn of_instances(said: &Said, text: String, objects: Map<String, Value>) -> Self {
        let every = said.value(&["NAME"]) == Some("all");
        match (said.has("json"), every) {
            (false, _) => Answer::Text(text),
            (true, true) => Answer::Json(Value::Object(objects)),
            (true, false) => {
                let only = objects.into_iter().next();
                Answer::Json(only.map_or_else(|| Value::Object(Map::new()), |(_, it)| it))
            }
        }
    }
}

type Answered = Result<Answer, Trouble>;

/// Answers a command.
pub(super) async fn answer(ask: Ask, said: &Said, asking: &Asking) -> Answered {
    match ask {
        Ask::Version => version(asking).await,
        Ask::Summary => summary::summary(said, asking).await,
        Ask::Neighbors => neighbors::neighbors(said, asking).await,
        Ask::GracefulRestart => neighbors::graceful_restart(said, asking).await,
        Ask::NeighborRoutes => routes::of_neighbor(said, asking).await,
        Ask::Prefix => routes::prefix(said, asking).await,
        Ask::Detail => routes::detailed(said, asking, false).await,
        Ask::Selected => routes::selected(said, asking).await,
        Ask::Table => routes::table(said, asking).await,
        Ask::Tables => routes::every_family(said, asking).await,
        Ask::BgpRouter => bgp::router(said, asking).await,
        Ask::Vrfs => bgp::vrfs(said, asking).await,
        Ask::EvpnRoutes => routes::evpn(said, asking).await,
        Ask::BgpVni => evpn::bgp_vni(said, asking).await,
        Ask::EvpnTargets => evpn::import_targets(said, asking).await,
        Ask::Evpn => evpn::numbers(said, asking).await,
        Ask::EvpnVni => evpn::vni(said, asking).await,
        Ask::EvpnMac => evpn::mac(said, asking).await,
        Ask::EvpnArp => evpn::arp(said, asking).await,
        Ask::EvpnNextHops => evpn::next_hops(said, asking).await,
        Ask::EvpnRmac => evpn::rmac(said, asking).await,
        Ask::BfdPeers => bfd::peers(said, asking).await,
        Ask::BfdBrief => bfd::brief(said, asking).await,
        Ask::BfdCounters => bfd::counters(said, asking).await,
        Ask::Route => zebra::route(said, asking).await,
        Ask::RouteSummary => zebra::route_summary(said, asking).await,
        Ask::NextHops => zebra::next_hops(said, asking).await,
        Ask::BgpNextHops => zebra::bgp_next_hops(said, asking).await,
        Ask::RpkiCaches => rpki::caches(said, asking).await,
        Ask::RouteMap => policy::route_map(said, asking).await,
        Ask::PrefixList => policy::prefix_list(said, asking).await,
        Ask::InterfaceBrief => zebra::interface_brief(said, asking).await,
        Ask::Interface => interface::interface(said, asking).await,
        Ask::InterfaceDescriptions => interface::descriptions(said, asking).await,
        Ask::AccessList => lists::access_list(said, asking).await,
        Ask::CommunityLists => lists::communities(said, asking).await,
        Ask::AsPathLists => lists::as_paths(said, asking).await,
        Ask::PeerGroups => groups::peer_groups(said, asking).await,
        Ask::Statistics => routes::statistics(said, asking).await,
        Ask::Memory => system::memory(asking).await,
        Ask::Forwarding => system::forwarding(said),
        Ask::Daemons => Ok(system::daemons()),
        Ask::Logging => system::logging(asking).await,
        Ask::StartupConfig => system::startup_config(asking).await,
        Ask::VrfVnis => evpn::of_vrfs(said, asking).await,
        Ask::Vrf => zebra::vrf(asking).await,
        Ask::Clear => clear::bgp(said, asking).await,
        Ask::Debug => debugging::order(said, asking).await,
        Ask::Debugging => debugging::shown(asking).await,
        Ask::ClearDuplicates => clear::duplicates(said, asking).await,
        Ask::Elsewhere(daemon) => Ok(elsewhere(daemon, said)),
        Ask::NotHere(why) => Ok(not_here(why, said)),
        Ask::NoneOf(text, json) => Ok(none_of(text, json, said)),
        Ask::Taken(why) => Ok(Answer::Text(format!("note: {why}\n"))),
    }
}

/// FRR's form of the line, which exporters read, with what really runs behind.
async fn version(asking: &Asking) -> Answered {
    let version = asking.version().await?;
    let system = host::system();
    let name = match version.hostname.is_empty() {
        true => host::name(),
        false => version.hostname.clone(),
    };
    Ok(Answer::Text(format!(
        "FRRouting {FRR} ({name}) on {system}.\n\
         Answered by rbgpd {} for FRR's commands, process {}, up {}\n",
        version.version,
        version.pid,
        words::uptime(version.uptime_s)
    )))
}

/// The version whose commands and JSON are answered.
const FRR: &str = "10.3";

/// What another daemon of FRR would answer. A script that looks at it goes on.
fn elsewhere(daemon: &str, said: &Said) -> Answer {
    nothing(said, || {
        format!(
            "rbgpd does not run {daemon}'s protocol: nothing to show\n\
             hint: FRR's {daemon} can run beside rbgpd, and FRR's own vtysh answers for it\n"
        )
    })
}

/// What only FRR has.
fn not_here(why: &str, said: &Said) -> Answer {
    nothing(said, || {
        format!("rbgpd has nothing to show here\nhint: {why}\n")
    })
}

/// What FRR prints where there is none of it.
fn none_of(text: &str, json: &str, said: &Said) -> Answer {
    match said.has("json") {
        true => Answer::Json(serde_json::from_str(json).unwrap_or_default()),
        false => Answer::Text(text.to_owned()),
    }
}

fn nothing(said: &Said, text: impl Fn() -> String) -> Answer {
    let line = said.value(&["LINE"]).unwrap_or_default();
    match said.has("json") || line.split(' ').next_back() == Some("json") {
        true => Answer::Json(Value::Object(serde_json::Map::new())),
        false => Answer::Text(text()),
    }
}
