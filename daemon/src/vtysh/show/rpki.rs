//! `show rpki cache-connection`: the caches that routes are validated by.

use serde_json::{Value, json};

use super::summary::instances;
use super::{Answer, Answered};
use crate::control::{Request, reply};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;

pub(super) async fn caches(said: &Said, asking: &Asking) -> Answered {
    let question = Request::Rpki {
        prefix: None,
        asn: None,
    };
    let (mut text, mut all, mut group) = (String::new(), Vec::new(), None);
    for router in instances(said, asking).await? {
        let rpki: reply::Rpki = router.ask(&question).await?;
        for cache in rpki.caches {
            let connected = cache.state == "synced";
            let word = if connected {
                "connected"
            } else {
                "disconnected"
            };
            let (host, port) = (cache.address.ip(), cache.address.port());
            let preference = cache.preference;
            if cache.in_use {
                group = group.or(Some(preference));
            }
            let mark = if connected { " (connected)" } else { "" };
            text.push_str(&format!(
                "rpki tcp cache {host} {port} pref {preference}{mark}\n"
            ));
            all.push(json!({
                "mode": "tcp", "host": host, "port": port.to_string(), "preference": preference,
                "state": word,
            }));
        }
    }
    Ok(match (said.has("json"), group) {
        (false, None) => Answer::Text(format!("Cannot find a connected group.\n{text}")),
        (false, Some(group)) => Answer::Text(format!("Connected to group {group}\n{text}")),
        (true, None) => Answer::Json(json!({"connections": all})),
        (true, Some(group)) => {
            Answer::Json(json!({"connectedGroup": group, "connections": Value::Array(all)}))
        }
    })
}
