//! Lists and route-maps.

use super::{Made, Whole};
use crate::frr::Spot;
use crate::frr::model::{Entry, Keys, List, ListKind, Put, quote};
use crate::frr::shapes::access_name;

impl Whole<'_> {
    /// What a prefix list is called: one of the other IP version may have the same name in FRR.
    pub(super) fn list_name(&self, name: &str, v6: bool) -> String {
        let both = [ListKind::Prefix4, ListKind::Prefix6]
            .into_iter()
            .all(|kind| self.site.lists.contains_key(&(kind, name.to_owned())));
        match both && v6 {
            true => format!("ipv6 prefix-list {name}"),
            false => name.to_owned(),
        }
    }

    pub(super) fn lists(&mut self) {
        let site = self.site;
        for ((kind, name), list) in &site.lists {
            let (table, name) = match kind {
                ListKind::Prefix4 => ("prefix_list", name.clone()),
                ListKind::Prefix6 => ("prefix_list", self.list_name(name, true)),
                ListKind::Access4 => ("prefix_list", access_name(name, false)),
                ListKind::Access6 => ("prefix_list", access_name(name, true)),
                ListKind::AsPath => ("as_path_list", name.clone()),
                ListKind::Community => ("community_list", name.clone()),
                ListKind::Large => ("large_community_list", name.clone()),
                ListKind::Extended => ("extended_community_list", name.clone()),
            };
            self.list(table, &name, list);
        }
    }

    fn list(&mut self, table: &str, name: &str, list: &List) {
        let first = list.rules.values().next().or(list.description.as_ref());
        let spot = first.map_or(Spot::default(), |it| it.spot);
        self.toml.header(spot, &format!("[[{table}]]"));
        self.toml.line(spot, &format!("name = {}", quote(name)));
        if let Some(description) = &list.description {
            self.toml.value("description", description);
        }
        if list.expanded {
            self.toml.line(spot, "expanded = true");
        }
        let rules = list.rules.iter().map(|(seq, rule)| Put {
            text: quote(&format!("seq {seq} {}", rule.text)),
            spot: rule.spot,
        });
        let mut rules: Vec<Put> = rules.collect();
        if rules.is_empty() {
            // FRR lets everything through a list without rules.
            let text = quote("permit any");
            rules.push(Put { text, spot });
        }
        self.toml.list("rules", &rules);
    }

    pub(super) fn route_maps(&mut self) {
        let site = self.site;
        for (name, entries) in &site.maps {
            let first = entries.values().next().and_then(|entry| entry.spot);
            let spot = first.unwrap_or_default();
            self.toml.header(spot, "[[route_map]]");
            self.toml.line(spot, &format!("name = {}", quote(name)));
            for (seq, entry) in entries {
                self.entry(*seq, entry);
            }
        }
        for Made { name, spot, lines } in std::mem::take(&mut self.made) {
            self.toml.header(spot, "[[route_map]]");
            self.toml.line(spot, &format!("name = {}", quote(&name)));
            self.toml.line(spot, "[[route_map.entry]]");
            self.toml.line(spot, "seq = 10");
            self.toml.line(spot, "action = \"permit\"");
            for (spot, line) in lines {
                self.toml.line(spot, &line);
            }
        }
    }

    fn entry(&mut self, seq: u32, entry: &Entry) {
        let spot = entry.spot.unwrap_or_default();
        self.toml.line(spot, "[[route_map.entry]]");
        self.toml.line(spot, &format!("seq = {seq}"));
        let action = if entry.deny { "deny" } else { "permit" };
        self.toml.line(spot, &format!("action = \"{action}\""));
        let mut keys = entry.keys.clone();
        if entry.deny {
            let description = keys.remove_entry("description");
            for put in entry.sets.values().chain(keys.values()) {
                self.differs(
                    put.spot,
                    "an entry that denies does nothing else, as in FRR",
                );
            }
            keys.clear();
            keys.extend(description);
        }
        self.toml.keys("", &keys);
        let mut matches = Keys::new();
        for (key, put) in &entry.matches {
            let mut put = put.clone();
            // A prefix list is kept with its IP version until all are known.
            if let Some(name) = put.text.strip_prefix('4').filter(|_| is_list(key)) {
                put.text = quote(&self.list_name(name, false));
            } else if let Some(name) = put.text.strip_prefix('6').filter(|_| is_list(key)) {
                put.text = quote(&self.list_name(name, true));
            }
            matches.insert(key, put);
        }
        self.toml.keys("match.", &matches);
        if !entry.deny {
            self.toml.keys("set.", &entry.sets);
        }
    }
}

fn is_list(key: &str) -> bool {
    matches!(key, "prefix_list" | "next_hop" | "peer_list")
}
