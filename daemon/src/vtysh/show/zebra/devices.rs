//! Devices with their addresses, and VRFs.

use std::collections::BTreeMap;

use fib::Address;
use serde_json::{Map, Value, json};

use super::{is_link_local, no_vrf};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host, vrf_table};
use crate::vtysh::show::{Answer, Answered};

pub(in crate::vtysh::show) async fn interface_brief(said: &Said, asking: &Asking) -> Answered {
    let host = Host::now(asking.version().await?.pid)?;
    let wanted = said.value(&["NAME"]).unwrap_or(DEFAULT);
    let mut vrfs: BTreeMap<String, Vec<&fib::Link>> = BTreeMap::new();
    for link in &host.links {
        let vrf = match vrf_table(link) {
            Some(_) => Some(link),
            None => host.vrf_of(link),
        };
        let vrf = vrf.map_or(DEFAULT.to_owned(), |vrf| vrf.name.to_string());
        if wanted == "all" || wanted == vrf {
            vrfs.entry(vrf).or_default().push(link);
        }
    }
    if vrfs.is_empty() && !said.has("json") {
        return Err(no_vrf(wanted));
    }
    let (mut text, mut objects) = (String::new(), Map::new());
    for (vrf, mut links) in vrfs {
        links.sort_by_key(|link| link.name.to_string());
        text.push_str(&format!(
            "{:<15} {:<7} {:<15} {}\n",
            "Interface", "Status", "VRF", "Addresses"
        ));
        text.push_str(&format!(
            "{:<15} {:<7} {:<15} {}\n",
            "---------", "------", "---", "---------"
        ));
        for link in links {
            let status = if link.up { "up" } else { "down" };
            let addresses = host.addresses_of(link.index).into_iter();
            let addresses: Vec<&Address> = addresses
                .filter(|it| !it.address.ip().is_loopback())
                .collect();
            let listed = listed(&addresses);
            let first = listed.first().cloned().unwrap_or_default();
            text.push_str(&format!(
                "{:<15} {status:<7} {vrf:<15} {first}\n",
                link.name.as_str()
            ));
            for more in listed.iter().skip(1) {
                text.push_str(&format!("{:40}{more}\n", ""));
            }
            let addresses: Vec<String> =
                addresses.iter().map(|it| it.address.to_string()).collect();
            objects.insert(
                link.name.to_string(),
                json!({"status": status, "vrfName": vrf, "addresses": addresses}),
            );
        }
        text.push('\n');
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(objects)),
        false => Answer::Text(text),
    })
}

/// Addresses as a list of devices has them: of IPv6 one, the global one, with a mark where there are more.
fn listed(addresses: &[&Address]) -> Vec<String> {
    let (ipv4, ipv6): (Vec<&Address>, Vec<&Address>) =
        addresses.iter().partition(|it| it.address.is_ipv4());
    let mut listed: Vec<String> = ipv4.iter().map(|it| it.address.to_string()).collect();
    let global = ipv6.iter().find(|it| !is_link_local(it.address.ip()));
    if let Some(one) = global.or(ipv6.first()) {
        let mark = if ipv6.len() > 1 { "+ " } else { "" };
        listed.push(format!("{mark}{}", one.address));
    }
    listed
}

pub(in crate::vtysh::show) async fn vrf(asking: &Asking) -> Answered {
    let host = Host::now(asking.version().await?.pid)?;
    let routers = asking.routers().await?;
    let mut text = String::new();
    for (link, table) in host.vrfs() {
        let ours = routers.iter().any(|it| it.vrf == link.name.as_str());
        let configured = if ours { " (configured)" } else { "" };
        text.push_str(&format!(
            "vrf {} id {} table {table}{configured}\n",
            link.name, link.index
        ));
    }
    Ok(Answer::Text(text))
}
