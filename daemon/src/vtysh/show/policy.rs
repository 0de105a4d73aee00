//! `show route-map` and `show ip prefix-list`.
//!
//! What an entry of a route-map matches and sets is told in the words of rbgpd's configuration: FRR's
//! own are in `show running-config`.

use serde_json::{Map, Value, json};

use super::{Answer, Answered};
use crate::control::{Request, reply};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;

pub(super) async fn route_map(said: &Said, asking: &Asking) -> Answered {
    let name = said.value(&["NAME"]);
    let all: reply::RouteMaps = asking.ask(&Request::RouteMaps { name: None }).await?;
    let maps = all.route_maps.iter();
    let maps: Vec<&reply::RouteMap> = maps
        .filter(|it| name.is_none_or(|name| it.name == name))
        .collect();
    if said.has("json") {
        let maps = maps.iter().map(|map| (map.name.clone(), map_json(map)));
        let maps: Map<String, Value> = maps.collect();
        return Ok(Answer::Json(json!({"zebra": {}, "bgpd": maps})));
    }
    if let (Some(name), true) = (name, maps.is_empty()) {
        return Ok(Answer::Text(format!(
            "BGP:\nBGP: 'route-map {name}' not found\n"
        )));
    }
    let mut text = "BGP:\n".to_owned();
    for map in maps {
        text.push_str(&format!(
            "route-map: {} Invoked: {} ({}used)\n",
            map.name,
            map.evaluations,
            if map.used_by.is_empty() { "not " } else { "" }
        ));
        for entry in &map.entries {
            text.push_str(&entry_text(entry));
        }
    }
    Ok(Answer::Text(text))
}

fn map_json(map: &reply::RouteMap) -> Value {
    let rules = map.entries.iter().map(|entry| {
        json!({
            "sequenceNumber": entry.seq,
            "type": entry.action,
            "invoked": entry.hits,
            "matchClauses": entry.matches,
            "setClauses": entry.set,
            "action": on_match(entry),
        })
    });
    let rules: Vec<Value> = rules.collect();
    json!({"invoked": map.evaluations, "rules": rules})
}

fn on_match(entry: &reply::RouteMapEntry) -> String {
    match entry.on_match.as_str() {
        "exit" => "Exit routemap".to_owned(),
        "next" => "Continue to next entry".to_owned(),
        number => format!("Goto {number}"),
    }
}

fn entry_text(entry: &reply::RouteMapEntry) -> String {
    let mut text = format!(
        " {}, sequence {} Invoked {}\n",
        entry.action, entry.seq, entry.hits
    );
    if let Some(description) = &entry.description {
        text.push_str(&format!("  Description:\n    {description}\n"));
    }
    let lines =
        |lines: &[String]| -> String { lines.iter().map(|it| format!("    {it}\n")).collect() };
    text.push_str(&format!("  Match clauses:\n{}", lines(&entry.matches)));
    text.push_str(&format!("  Set clauses:\n{}", lines(&entry.set)));
    text.push_str("  Call clause:\n");
    if let Some(called) = &entry.call {
        text.push_str(&format!("    Call {called}\n"));
    }
    text.push_str(&format!("  Action:\n    {}\n", on_match(entry)));
    text
}

pub(super) async fn prefix_list(said: &Said, asking: &Asking) -> Answered {
    let name = said.value(&["NAME"]);
    let all: reply::PrefixLists = asking.ask(&Request::PrefixLists).await?;
    let ipv6 = said.has("ipv6");
    let wanted =
        |it: &&reply::PrefixList| is_ipv6(it) == ipv6 && name.is_none_or(|name| it.name == name);
    let lists: Vec<&reply::PrefixList> = all.prefix_lists.iter().filter(wanted).collect();
    let word = if ipv6 { "ipv6" } else { "ip" };
    if said.has("json") {
        let objects = lists
            .iter()
            .map(|list| (list.name.clone(), list_json(list, ipv6)));
        let objects: Map<String, Value> = objects.collect();
        return Ok(Answer::Json(json!({"zebra": {}, "bgpd": objects})));
    }
    if name.is_some() && lists.is_empty() {
        return Ok(Answer::Text(
            "% Can't find specified prefix-list\n".to_owned(),
        ));
    }
    let mut text = String::new();
    for list in lists {
        let count = list.rules.len();
        match said.has("detail") || said.has("summary") {
            true => {
                let first = list.rules.first().map_or(0, |it| it.seq);
                let last = list.rules.last().map_or(0, |it| it.seq);
                text.push_str(&format!(
                    "BGP: {word} prefix-list {}:\n   count: {count}, range entries: 0, sequences: {first} - {last}\n",
                    list.name
                ));
            }
            false => {
                text.push_str(&format!(
                    "BGP: {word} prefix-list {}: {count} entries\n",
                    list.name
                ));
            }
        }
        if !said.has("summary") {
            for rule in &list.rules {
                text.push_str(&format!("   {}\n", rule_text(rule)));
            }
        }
    }
    Ok(Answer::Text(text))
}

/// A list without any prefix is for either version, and stands with those for IPv4.
fn is_ipv6(list: &reply::PrefixList) -> bool {
    let mut prefixes = list.rules.iter().filter_map(|it| it.prefix.as_ref());
    prefixes.any(|prefix| prefix.contains(':'))
}

fn rule_text(rule: &reply::PrefixListRule) -> String {
    let mut text = format!(
        "seq {} {} {}",
        rule.seq,
        rule.action,
        rule.prefix.as_deref().unwrap_or("any")
    );
    for (word, bound) in [("ge", rule.ge), ("le", rule.le)] {
        if let Some(bound) = bound {
            text.push_str(&format!(" {word} {bound}"));
        }
    }
    text
}

fn list_json(list: &reply::PrefixList, ipv6: bool) -> Value {
    let rules = list.rules.iter().map(|rule| {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("sequenceNumber", json!(rule.seq));
        put("type", json!(rule.action));
        put("prefix", json!(rule.prefix.as_deref().unwrap_or("any")));
        if let Some(ge) = rule.ge {
            put("minimumPrefixLength", json!(ge));
        }
        if let Some(le) = rule.le {
            put("maximumPrefixLength", json!(le));
        }
        Value::Object(object)
    });
    let rules: Vec<Value> = rules.collect();
    json!({"addressFamily": if ipv6 { "IPv6" } else { "IPv4" }, "entries": rules})
}
