//! `show bgp neighbors X prefix-counts`: how many routes a neighbour has told us, and what became of them.

use bgp::{Family, ScopedAddr};
use serde_json::{Map, Value, json};

use super::{View, is_listed};
use crate::control::Select;
use crate::control::reply::Route;
use crate::vtysh::ask::Trouble;
use crate::vtysh::show::Answer;
use crate::vtysh::show::words::{family_key, family_name, hostname};

pub(super) async fn counts(
    view: &View,
    family: Family,
    address: ScopedAddr,
    as_json: bool,
) -> Result<Answer, Trouble> {
    let told = Select::Received(address);
    let told = view.router.routes(family, None, told).await?.len();
    let mut listed = view.router.routes(family, None, Select::All).await?;
    listed.retain(|it| it.neighbor == Some(address) && is_listed(it));
    let count = |of: fn(&Route) -> bool| listed.iter().filter(|it| of(it)).count();
    let all = listed.len();
    // No route is damped, kept when it is withdrawn, or waits for the decision.
    let rows = [
        ("Adj-in", told),
        ("Damped", 0),
        ("Removed", 0),
        ("History", 0),
        ("Stale", count(|it| it.stale)),
        ("Valid", count(|it| it.accepted)),
        ("All RIB", all),
        ("PfxCt counted", all),
        ("PfxCt Best Selected", count(|it| it.best)),
        ("Useable", count(|it| it.accepted)),
        ("Unsorted", 0),
    ];
    let name = address.ip();
    if as_json {
        let rows = rows.map(|(name, count)| (name.to_owned(), json!(count)));
        let rows: Map<String, Value> = rows.into_iter().collect();
        return Ok(Answer::Json(json!({
            "prefixCountsFor": name,
            "multiProtocol": family_key(family),
            "pfxCounter": all,
            "ribTableWalkCounters": rows,
        })));
    }
    let rows = rows.map(|(name, count)| format!("{name:>20}: {count:<10}\n"));
    let host = view.neighbors.get(&address).and_then(hostname);
    let name = match host.filter(|_| view.summary.show_hostname) {
        Some((host, _)) => format!("{host}/{name}"),
        None => name.to_string(),
    };
    Ok(Answer::Text(format!(
        "Prefix counts for {name}, {}\nPfxCt: {all}\n\nCounts from RIB table walk:\n\n{}",
        family_name(family),
        rows.concat()
    )))
}
