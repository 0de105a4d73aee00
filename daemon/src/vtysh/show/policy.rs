//! `show route-map` and `show ip prefix-list`.
//!
//! What an entry of a route-map matches and sets is told in the words of rbgpd's configuration: FRR's
//! own are in `show running-config`.

use bgp::Prefix;
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
    let wanted = |it: &&reply::PrefixList| {
        is_ipv6(it) == ipv6 && name.is_none_or(|name| listed_name(it) == name)
    };
    let lists = all.prefix_lists.iter().filter(|it| !is_access_list(it));
    let mut lists: Vec<&reply::PrefixList> = lists.filter(wanted).collect();
    lists.sort_by_key(|it| listed_name(it));
    if said.has("json") {
        let objects = lists.iter().map(|list| {
            let object = list_json(list, said, ipv6);
            (listed_name(list).to_owned(), object)
        });
        let objects: Map<String, Value> = objects.collect();
        return Ok(Answer::Json(json!({"zebra": {}, "bgpd": objects})));
    }
    if name.is_some() && lists.is_empty() {
        return Ok(Answer::Text(
            "% Can't find specified prefix-list\n".to_owned(),
        ));
    }
    if let Some(prefix) = said.value(&["A.B.C.D/M", "X:X::X:X/M"]) {
        let about = |list: &&reply::PrefixList| about_prefix(list, prefix, said);
        return Ok(Answer::Text(lists.iter().map(about).collect()));
    }
    let word = if ipv6 { "ipv6" } else { "ip" };
    let texts = lists.iter().map(|list| list_text(list, said, word));
    Ok(Answer::Text(texts.collect()))
}

fn list_text(list: &reply::PrefixList, said: &Said, word: &str) -> String {
    if said.value(&["SEQ"]).is_some() {
        let rules = list.rules.iter().filter(|it| is_wanted(it, said));
        return rules
            .map(|it| format!("BGP:    {}\n", rule_text(it)))
            .collect();
    }
    let (name, count) = (listed_name(list), list.rules.len());
    let described = list.description.as_ref();
    let described = described.map_or(String::new(), |it| format!("   Description: {it}\n"));
    let mut text = match said.has("detail") || said.has("summary") {
        true => {
            let [first, last] = ends(list);
            format!(
                "BGP: {word} prefix-list {name}:\n{described}   count: {count}, range entries: 0, \
                 sequences: {first} - {last}\n"
            )
        }
        false => format!("BGP: {word} prefix-list {name}: {count} entries\n{described}"),
    };
    if !said.has("summary") {
        let rules = list.rules.iter();
        rules.for_each(|rule| text.push_str(&format!("   {}\n", rule_text(rule))));
    }
    text
}

/// Whether a line is about a rule: about all of them, or the one with this number.
fn is_wanted(rule: &reply::PrefixListRule, said: &Said) -> bool {
    let seq = said.value(&["SEQ"]);
    seq.is_none_or(|seq| seq.parse() == Ok(rule.seq))
}

/// The first number and the last one.
fn ends(list: &reply::PrefixList) -> [u32; 2] {
    [list.rules.first(), list.rules.last()].map(|rule| rule.map_or(0, |it| it.seq))
}

/// The rules whose prefix has this one within, the first of them, or the rules that it has within. Lengths
/// do not matter to FRR here.
fn about_prefix(list: &reply::PrefixList, prefix: &str, said: &Said) -> String {
    let Ok(wanted) = prefix.parse::<Prefix>() else {
        return String::new();
    };
    let own = |it: &reply::PrefixListRule| it.prefix.as_ref()?.parse::<Prefix>().ok();
    let fits = |it: &&reply::PrefixListRule| match (own(it), said.has("longer")) {
        // `any` of either version.
        (None, longer) => !longer,
        (Some(own), true) => wanted.contains(own),
        (Some(own), false) => own.contains(wanted),
    };
    let rules = list.rules.iter().filter(fits);
    let rules = rules.take(if said.has("first-match") {
        1
    } else {
        usize::MAX
    });
    rules.map(|it| format!("   {}\n", rule_text(it))).collect()
}

/// Lists that were made of FRR's access lists have names that say so.
fn is_access_list(list: &reply::PrefixList) -> bool {
    ["access-list ", "ipv6 access-list "]
        .iter()
        .any(|it| list.name.starts_with(it))
}

/// A second list of one name has the version in front, and stands under its own name in FRR.
fn listed_name(list: &reply::PrefixList) -> &str {
    let name = &list.name;
    name.strip_prefix("ipv6 prefix-list ").unwrap_or(name)
}

/// A list without any prefix is for either version, and stands with those for IPv4.
fn is_ipv6(list: &reply::PrefixList) -> bool {
    let mut prefixes = list.rules.iter().filter_map(|it| it.prefix.as_ref());
    prefixes.any(|prefix| prefix.contains(':'))
}

fn rule_text(rule: &reply::PrefixListRule) -> String {
    let everything = [("0.0.0.0/0", 32), ("::/0", 128)];
    let whole = |(prefix, longest): &(&str, u8)| {
        rule.prefix.as_deref() == Some(prefix) && rule.ge.is_none() && rule.le == Some(*longest)
    };
    if everything.iter().any(whole) {
        return format!("seq {} {} any", rule.seq, rule.action);
    }
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

fn list_json(list: &reply::PrefixList, said: &Said, ipv6: bool) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    let rules = list.rules.iter().filter(|it| is_wanted(it, said));
    let rules = rules.map(|it| rule_json(it, ipv6));
    let rules = Value::Array(rules.collect());
    if said.value(&["SEQ"]).is_some() {
        put("entries", rules);
        return Value::Object(object);
    }
    put("addressFamily", json!(if ipv6 { "IPv6" } else { "IPv4" }));
    if let Some(text) = &list.description {
        put("description", json!(text));
    }
    let short = said.has("summary");
    if short || said.has("detail") {
        let [first, last] = ends(list);
        put("count", json!(list.rules.len()));
        // FRR has never counted another number.
        put("rangeEntries", json!(0));
        put("sequenceStart", json!(first));
        put("sequenceEnd", json!(last));
    }
    if !short {
        put("entries", rules);
    }
    Value::Object(object)
}

/// `any` is the prefix of length zero to FRR, with whatever is longer.
fn rule_json(rule: &reply::PrefixListRule, ipv6: bool) -> Value {
    let (everything, longest) = if ipv6 {
        ("::/0", 128)
    } else {
        ("0.0.0.0/0", 32)
    };
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("sequenceNumber", json!(rule.seq));
    put("type", json!(rule.action));
    put(
        "prefix",
        json!(rule.prefix.as_deref().unwrap_or(everything)),
    );
    if let Some(ge) = rule.ge {
        put("minimumPrefixLength", json!(ge));
    }
    if let Some(le) = rule.le.or(rule.prefix.is_none().then_some(longest)) {
        put("maximumPrefixLength", json!(le));
    }
    Value::Object(object)
}
