//! Lists and route-maps.
//!
//! In FRR a prefix list is of one IP version. Lists that were made of FRR's access lists, and of a
//! second list of one name, have names that say so ([`crate::frr::shapes::access_name`]).

use toml::Value;

use super::keys::{Keys, Say};
use super::{Block, Page};
use crate::frr::shapes::access_words;

/// What a prefix list is in FRR, by its name and rules.
fn head(name: &str, v6: bool) -> String {
    if name.starts_with("access-list ") || name.starts_with("ipv6 access-list ") {
        return name.to_owned();
    }
    match (name.strip_prefix("ipv6 prefix-list "), v6) {
        (Some(name), _) => format!("ipv6 prefix-list {name}"),
        (None, true) => format!("ipv6 prefix-list {name}"),
        (None, false) => format!("ip prefix-list {name}"),
    }
}

const LISTS: [(&str, &str); 4] = [
    ("community_list", "bgp community-list"),
    ("large_community_list", "bgp large-community-list"),
    ("extended_community_list", "bgp extcommunity-list"),
    ("as_path_list", "bgp as-path access-list"),
];

const MATCHES: &[(&str, Say)] = &[
    (
        "ipv4_prefix_length",
        Say::Value("match ip address prefix-len {}"),
    ),
    (
        "ipv6_prefix_length",
        Say::Value("match ipv6 address prefix-len {}"),
    ),
    ("as_path_list", Say::Value("match as-path {}")),
    ("metric", Say::Value("match metric {}")),
    ("tag", Say::Value("match tag {}")),
    ("local", Say::On("match peer local")),
    ("source_vrf", Say::Value("match source-vrf {}")),
    ("local_preference", Say::Value("match local-preference {}")),
    ("origin", Say::Value("match origin {}")),
    ("interface", Say::Value("match interface {}")),
    ("source", Say::Value("match source-protocol {}")),
    ("evpn_route_type", Say::Value("match evpn route-type {}")),
    ("vni", Say::Value("match evpn vni {}")),
    ("rd", Say::Value("match evpn rd {}")),
];

const SETS: &[(&str, Say)] = &[
    ("metric", Say::Value("set metric {}")),
    ("local_preference", Say::Value("set local-preference {}")),
    ("weight", Say::Value("set weight {}")),
    ("tag", Say::Value("set tag {}")),
    ("distance", Say::Value("set distance {}")),
    ("table", Say::Value("set table {}")),
    ("src", Say::Value("set src {}")),
    ("origin", Say::Value("set origin {}")),
    ("as_path_prepend", Say::Value("set as-path prepend {}")),
    (
        "as_path_prepend_last",
        Say::Value("set as-path prepend last-as {}"),
    ),
    ("as_path_exclude", Say::Value("set as-path exclude {}")),
    (
        "as_path_exclude_list",
        Say::Value("set as-path exclude as-path-access-list {}"),
    ),
    ("atomic_aggregate", Say::On("set atomic-aggregate")),
    ("originator_id", Say::Value("set originator-id {}")),
    ("aigp", Say::Value("set aigp-metric {}")),
];

impl Page<'_> {
    pub(super) fn policies(&mut self, keys: &mut Keys) {
        for mut list in keys.tables("prefix_list") {
            self.prefix_list(&mut list);
            list.finish(&mut self.unsaid);
        }
        for (key, words) in LISTS {
            for mut list in keys.tables(key) {
                self.list(words, &mut list);
                list.finish(&mut self.unsaid);
            }
        }
        for mut map in keys.tables("route_map") {
            let name = map.text("name").unwrap_or_default();
            let entries = map.items("entry", "");
            // What stands for filters of neighbours is written with them.
            if !name.contains(' ') {
                for entry in entries {
                    self.entry(&name, entry);
                }
            } else if !is_made(&name) {
                self.unsaid
                    .push(format!("route_map {name}: a name of several words"));
            }
            map.finish(&mut self.unsaid);
        }
    }

    fn prefix_list(&mut self, list: &mut Keys) {
        let name = list.text("name").unwrap_or_default();
        let rules = list.list("rules");
        let v6 = name.starts_with("ipv6 ") || self.is_v6(&name);
        let head = head(&name, v6);
        let access = head.contains("access-list ");
        if let Some(text) = list.text("description") {
            let word = if access { "remark" } else { "description" };
            self.line(Block::Top, format!("{head} {word} {text}"));
        }
        let mut seq = 0;
        for rule in rules {
            let (number, rule) = numbered(&rule, &mut seq);
            let (action, what) = rule.split_once(' ').unwrap_or((rule, ""));
            let other = what != "any" && what.contains(':') != v6;
            // No command of FRR asks a prefix list or an IPv6 access list for addresses alone.
            if what.starts_with("address ") && (v6 || !access) {
                let why = "asks for addresses of whatever length, as in FRR only access lists do";
                self.unsaid
                    .push(format!("prefix_list {name}: rule \"{rule}\" {why}"));
                continue;
            }
            if other || what == "any" && !access {
                let why = if other {
                    "is of the other IP version"
                } else {
                    "is of one IP version in FRR"
                };
                self.unsaid
                    .push(format!("prefix_list {name}: rule \"{rule}\" {why}"));
            }
            if other {
                continue;
            }
            let what = match access {
                true => access_words(what, v6),
                false => what.to_owned(),
            };
            self.line(Block::Top, format!("{head} seq {number} {action} {what}"));
        }
    }

    /// A list is of the version of most of its prefixes.
    fn is_v6(&self, name: &str) -> bool {
        let mut lists = self.whole.prefix_lists.iter();
        let rules = lists.find(|it| it.name() == name).map(|it| it.rules());
        let rules = rules.into_iter().flatten().map(ToString::to_string);
        let (v6, v4): (Vec<_>, Vec<_>) = rules
            .filter(|rule| rule.contains('/'))
            .partition(|rule| rule.contains(':'));
        v6.len() > v4.len()
    }

    fn list(&mut self, words: &str, list: &mut Keys) {
        let name = list.text("name").unwrap_or_default();
        let expanded = list.take_if("expanded", &Value::Boolean(true));
        let kind = match (
            words.contains("community"),
            name.parse::<u32>().is_ok(),
            expanded,
        ) {
            (false, _, _) | (true, true, _) => "",
            (true, false, true) => "expanded ",
            (true, false, false) => "standard ",
        };
        let mut seq = 0;
        for rule in list.list("rules") {
            let (number, rule) = numbered(&rule, &mut seq);
            let rule = match rule.split_once(' ') {
                Some((action, "any")) if words == "bgp community-list" && !expanded => {
                    format!("{action} internet")
                }
                _ => rule.to_owned(),
            };
            self.line(
                Block::Top,
                format!("{words} {kind}{name} seq {number} {rule}"),
            );
        }
    }

    fn entry(&mut self, map: &str, mut entry: Keys) {
        let seq = entry.text("seq").unwrap_or_default();
        let action = entry.text("action").unwrap_or_default();
        let head = format!("route-map {map} {action} {seq}");
        let block = Block::Map(head.clone());
        self.line(Block::Top, head);
        const ENTRY: &[(&str, Say)] = &[
            ("description", Say::Value("description {}")),
            ("call", Say::Value("call {}")),
        ];
        self.say(&block, "", &mut entry, ENTRY);
        if let Some(on_match) = entry.text("on_match") {
            let line = match on_match.as_str() {
                "next" => "on-match next".to_owned(),
                seq => format!("on-match goto {seq}"),
            };
            self.line(block.clone(), line);
        }
        if let Some(mut matches) = entry.table("match") {
            self.matches(&block, &mut matches);
            matches.finish(&mut self.unsaid);
        }
        if let Some(mut sets) = entry.table("set") {
            self.sets(&block, &mut sets);
            sets.finish(&mut self.unsaid);
        }
        entry.finish(&mut self.unsaid);
    }

    fn matches(&mut self, block: &Block, keys: &mut Keys) {
        for (key, word) in [
            ("prefix_list", "address"),
            ("next_hop", "next-hop"),
            ("peer_list", "route-source"),
        ] {
            if let Some(name) = keys.text(key) {
                let v6 = self.is_v6(&name);
                let list = head(&name, v6);
                let line = match list.split_once("-list ").unwrap_or((&list, "")) {
                    ("access", name) => format!("match ip {word} {name}"),
                    ("ipv6 access", name) => format!("match ipv6 {word} {name}"),
                    ("ipv6 prefix", name) => format!("match ipv6 {word} prefix-list {name}"),
                    (_, name) => format!("match ip {word} prefix-list {name}"),
                };
                self.line(block.clone(), line);
            }
        }
        for (key, word) in [
            ("next_hop_address", "next-hop address"),
            ("peer", "peer"),
            ("sender", "src-peer"),
        ] {
            if let [address] = keys
                .peek(key)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice)
                && let Some(address) = address.as_str().map(str::to_owned)
            {
                keys.drop(key);
                let version = match (word, address.contains(':')) {
                    ("peer" | "src-peer", _) => "",
                    (_, true) => "ipv6 ",
                    (_, false) => "ip ",
                };
                self.line(block.clone(), format!("match {version}{word} {address}"));
            }
        }
        let kinds = [
            ("community", "community"),
            ("large_community", "large-community"),
            ("extended_community", "extcommunity"),
        ];
        for (key, word) in kinds {
            let list = format!("{key}_list");
            // A literal one beside the list has no line, and then neither has the rest.
            if keys.peek(key).is_some() {
                continue;
            }
            let Some(name) = keys.text(&list) else {
                continue;
            };
            let on = Value::Boolean(true);
            let extent = match (
                keys.take_if(&format!("{key}_exact"), &on),
                keys.take_if(&format!("{key}_any"), &on),
            ) {
                (true, _) => " exact-match",
                (_, true) => " any",
                (false, false) => "",
            };
            self.line(block.clone(), format!("match {word} {name}{extent}"));
        }
        if let Some(state) = keys.text("rpki") {
            let state = state.replace('_', "");
            self.line(block.clone(), format!("match rpki {state}"));
        }
        if keys.take_if("tag", &Value::Integer(0)) {
            self.line(block.clone(), "match tag untagged".to_owned());
        }
        self.say(block, "", keys, MATCHES);
    }

    fn sets(&mut self, block: &Block, keys: &mut Keys) {
        if keys.take_if("tag", &Value::Integer(0)) {
            self.line(block.clone(), "set tag untagged".to_owned());
        }
        if keys.take_if("aigp", &Value::String("metric".to_owned())) {
            self.line(block.clone(), "set aigp-metric igp-metric".to_owned());
        }
        self.say(block, "", keys, SETS);
        let next_hop = keys
            .peek("next_hop")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let line = next_hop.and_then(|it| match it.as_str() {
            "self" => None,
            "peer_address" => Some("set ip next-hop peer-address".to_owned()),
            "unchanged" => Some("set ip next-hop unchanged".to_owned()),
            v6 if v6.contains(':') => Some(format!("set ipv6 next-hop global {v6}")),
            v4 => Some(format!("set ip next-hop {v4}")),
        });
        if let Some(line) = line {
            keys.drop("next_hop");
            self.line(block.clone(), line);
        }
        for (key, word, list) in [
            ("community", "community", "comm-list"),
            ("large_community", "large-community", "large-comm-list"),
            ("extended_community", "extcommunity", "extended-comm-list"),
        ] {
            self.communities(block, keys, (key, word, list));
        }
        if let Some(mut aggregator) = keys.table("aggregator") {
            let parts = [("asn", " {}"), ("address", " {}")];
            let line = aggregator.words("set aggregator as", &parts);
            self.line(block.clone(), line);
        }
        if let Some(mut replace) = keys.table("as_path_replace") {
            // FRR replaces one number, or any.
            let several = replace
                .peek("asns")
                .and_then(Value::as_str)
                .is_some_and(|it| it.contains(' '));
            if several {
                replace.finish(&mut self.unsaid);
            } else {
                let line =
                    replace.words("set as-path replace", &[("asns", " {}"), ("with", " {}")]);
                self.line(block.clone(), line);
                replace.finish(&mut self.unsaid);
            }
        }
    }

    fn communities(
        &mut self,
        block: &Block,
        keys: &mut Keys,
        (key, word, list): (&str, &str, &str),
    ) {
        let spelled = |items: Vec<String>| items.join(" ");
        if keys.take_if(key, &Value::String("none".to_owned())) {
            self.line(block.clone(), format!("set {word} none"));
            return;
        }
        let extended = key == "extended_community";
        if matches!(keys.peek(key), Some(Value::Array(_))) && !extended {
            let all = spelled(keys.list(key));
            self.line(block.clone(), format!("set {word} {all}"));
            return;
        }
        let Some(mut table) = keys.table(key) else {
            return;
        };
        if let Some(name) = table.text("delete_list") {
            self.line(block.clone(), format!("set {list} {name} delete"));
        }
        let add = table.list("add");
        if !add.is_empty() && !extended {
            let all = spelled(add);
            self.line(block.clone(), format!("set {word} {all} additive"));
        } else {
            for community in add {
                match community.split_once(' ') {
                    Some((kind @ ("rt" | "soo" | "nt" | "color"), value)) => {
                        self.line(block.clone(), format!("set {word} {kind} {value}"));
                    }
                    _ => self
                        .unsaid
                        .push(format!("{}add = {community}", table.place())),
                }
            }
        }
        if table.peek("replace").is_some() && !extended {
            let all = spelled(table.list("replace"));
            self.line(block.clone(), format!("set {word} {all}"));
        }
        if let Some(bandwidth) = table.text("bandwidth") {
            let local = table.take_if("bandwidth_transitive", &Value::Boolean(false));
            let local = if local { " non-transitive" } else { "" };
            let bandwidth = match bandwidth.as_str() {
                "paths" => "num-multipaths",
                "sum" => "cumulative",
                number => number,
            };
            self.line(
                block.clone(),
                format!("set {word} bandwidth {bandwidth}{local}"),
            );
        }
        table.finish(&mut self.unsaid);
    }
}

/// Whether a route-map stands for filters of neighbours.
fn is_made(name: &str) -> bool {
    const WORDS: [&str; 3] = ["prefix-list ", "distribute-list ", "filter-list "];
    WORDS.iter().any(|word| name.starts_with(word))
}

/// The number of a rule, and the rule. One without a number comes after the one before.
fn numbered<'r>(rule: &'r str, last: &mut u32) -> (u32, &'r str) {
    let written = rule.strip_prefix("seq ").and_then(|it| it.split_once(' '));
    let written = written.and_then(|(seq, rule)| Some((seq.parse().ok()?, rule)));
    let (seq, rule) = written.unwrap_or((*last / 5 * 5 + 5, rule));
    *last = seq;
    (seq, rule)
}
