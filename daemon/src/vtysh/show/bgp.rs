//! `show bgp vrfs`: the instances.

use serde_json::{Map, Value, json};

use super::{Answer, Answered};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host};

pub(super) async fn vrfs(said: &Said, asking: &Asking) -> Answered {
    let host = Host::now(asking.version().await?.pid)?;
    let mut objects = Map::new();
    let mut text = format!(
        "{:<6}{:<7}{:<18}{:<11}{:<12}{:<37}\n",
        "Type", "Id", "routerId", "#PeersCfg", "#PeersEstb", "Name"
    );
    for router in asking.routers().await? {
        let instance = &router.instance;
        let kind = if router.vrf == DEFAULT { "DFLT" } else { "VRF" };
        let id = host.named(&router.vrf).map_or(0, |link| link.index);
        text.push_str(&format!(
            "{kind:<6}{id:<7}{:<18}{:<11}{:<12}{:<37}\n",
            instance.router_id.to_string(),
            instance.neighbors,
            instance.established,
            router.vrf
        ));
        objects.insert(
            router.vrf.clone(),
            json!({
                "type": kind, "vrfId": id, "routerId": instance.router_id,
                "numConfiguredPeers": instance.neighbors,
                "numEstablishedPeers": instance.established,
            }),
        );
    }
    let count = objects.len();
    text.push_str(&format!(
        "\nTotal number of VRFs (including default): {count}\n"
    ));
    Ok(match said.has("json") {
        true => Answer::Json(json!({"vrfs": Value::Object(objects), "totalVrfs": count})),
        false => Answer::Text(text),
    })
}
