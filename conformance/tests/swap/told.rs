//! What an FRR has been told, as it shows it in JSON, without what changes by itself.

use std::collections::BTreeSet;

use conformance::lab::{Error, Frr};
use serde_json::{Deserializer, Map, Value};

/// Times, counters, work that waits, and which name or number somebody gave: nothing of a route. The reason why a path
/// is the best speaks of the others' age, and FRR tells its neighbours the name of the host.
const OF_THE_MOMENT: [&str; 11] = [
    "version",
    "processScheduled",
    "lastUpdate",
    "selectionReason",
    "hostname",
    "advertisedTo",
    "addpathRxId",
    "addpathTxId",
    "addpathTxIdAll",
    "addpathTxIdBestPerAS",
    "addpathTxIdBestSelected",
];

/// The paths of these tables, each with its prefix and all of its attributes.
pub(super) fn told(frr: &Frr, tables: &[&str]) -> Result<BTreeSet<String>, Error> {
    let mut told = BTreeSet::new();
    for table in tables {
        if table.ends_with("evpn") {
            let shown = ask(frr, &[format!("{table} route detail json")])?;
            shown.iter().for_each(|it| overlay(it, &mut told));
            continue;
        }
        let shown = ask(frr, &[format!("{table} json")])?;
        unicast(frr, table, &shown, &mut told)?;
    }
    Ok(told)
}

/// Answers to several questions, one JSON document behind the other.
fn ask(frr: &Frr, questions: &[String]) -> Result<Vec<Value>, Error> {
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    let text = frr.vtysh(&questions)?.stdout;
    let documents = Deserializer::from_str(&text).into_iter::<Value>();
    let documents: Result<Vec<Value>, _> = documents.collect();
    documents.map_err(|error| Error::State(format!("{questions:?}: {error}: {text}")))
}

/// The table names the prefixes, and each has its attributes where it is asked for alone.
fn unicast(
    frr: &Frr,
    table: &str,
    shown: &[Value],
    told: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let routes = shown.iter().filter_map(|it| it.get("routes")?.as_object());
    let prefixes: Vec<&String> = routes.flat_map(|it| it.keys()).collect();
    let questions: Vec<String> = prefixes
        .iter()
        .map(|prefix| format!("{table} {prefix} json"))
        .collect();
    if questions.is_empty() {
        return Ok(());
    }
    for (prefix, route) in prefixes.iter().zip(ask(frr, &questions)?) {
        for path in route
            .get("paths")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            told.insert(format!("{prefix}: {}", lasting(path)));
        }
    }
    Ok(())
}

/// Routes beneath their distinguishers, each with its paths in lists.
fn overlay(shown: &Value, told: &mut BTreeSet<String>) {
    let distinguishers = shown.as_object().into_iter().flatten();
    for (rd, routes) in distinguishers {
        let routes = routes.as_object().into_iter().flatten();
        for (name, route) in routes.filter(|(name, _)| name.starts_with('[')) {
            let paths = route.get("paths").and_then(Value::as_array);
            let paths = paths.into_iter().flatten().filter_map(Value::as_array);
            let said = paths.flatten().map(|it| match is_passed_on(it) {
                true => lasting(it).to_string().replace(ENCAPSULATION, ""),
                false => lasting(it).to_string(),
            });
            told.extend(said.map(|path| format!("{rd} {name}: {path}")));
        }
    }
}

/// FRR 10.3 takes it off what it passes on; it is transitive (RFC 9012 §4.1), and rbgpd and FRR 8.4 leave it.
const ENCAPSULATION: &str = " ET:8";

/// Whether who has told it has it from somebody else.
fn is_passed_on(path: &Value) -> bool {
    let length = path.pointer("/aspath/length").and_then(Value::as_u64);
    length.is_some_and(|it| it > 1)
}

/// A path without what is of the moment.
fn lasting(path: &Value) -> Value {
    match path {
        Value::Object(fields) => {
            let link_local = is_link_local(fields);
            let kept = fields.iter().filter(|(key, _)| {
                !OF_THE_MOMENT.contains(&key.as_str()) && (!link_local || *key == "ip")
            });
            kept.map(|(key, value)| (key.clone(), lasting(value)))
                .collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(lasting).collect();
            items.dedup();
            items.into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => path.clone(),
    }
}

/// What counts of a next hop that is a link-local address is the address. Without a global one FRR names
/// it twice, as both, and rbgpd once, which FRR shows as a global one; both are used alike.
fn is_link_local(fields: &Map<String, Value>) -> bool {
    let ip = fields.get("ip").and_then(Value::as_str);
    ip.is_some_and(|ip| ip.starts_with("fe80:"))
}

/// Whether one of them is only kept until its sender is back.
pub(super) fn is_stale(told: &BTreeSet<String>) -> bool {
    told.iter().any(|it| it.contains("\"stale\":true"))
}

/// The states of all neighbours in an answer about them.
pub(super) fn states(shown: &Value, states: &mut Vec<String>) {
    let Some(fields) = shown.as_object() else {
        return;
    };
    if let (Some(state), true) = (fields.get("state"), fields.contains_key("remoteAs")) {
        states.push(state.as_str().unwrap_or_default().to_owned());
    }
    fields.values().for_each(|it| self::states(it, states));
}
