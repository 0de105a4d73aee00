//! Lists and route-maps.

use super::{Made, Whole};
use crate::frr::Spot;
use crate::frr::model::{Entry, Keys, List, ListKind, Peer, Put, quote, quote_all};
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
        self.missing_lists();
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
        self.missing_maps();
        for made in std::mem::take(&mut self.made) {
            let Made {
                name,
                spot,
                entries,
            } = made;
            self.toml.header(spot, "[[route_map]]");
            self.toml.line(spot, &format!("name = {}", quote(&name)));
            for (seq, lines) in (1..).zip(entries) {
                self.toml.line(spot, "[[route_map.entry]]");
                self.toml.line(spot, &format!("seq = {}", seq * 10));
                self.toml.line(spot, "action = \"permit\"");
                for (spot, line) in lines {
                    self.toml.line(spot, &line);
                }
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
                self.as_frr(
                    put.spot,
                    "an entry that denies does nothing else, as in FRR",
                );
            }
            keys.clear();
            keys.extend(description);
        }
        let call = keys.get("call").cloned();
        if call.is_some_and(|call| !self.is_callable(&call)) {
            keys.remove("call");
        }
        self.toml.keys("", &keys);
        let mut matches = Keys::new();
        for (key, put) in &entry.matches {
            let mut put = put.clone();
            if *key == "alias" {
                let (key, put) = self.alias(&put);
                matches.insert(key, put);
                continue;
            }
            let of_group = [("peer_group", "peer"), ("sender_group", "sender")];
            if let Some((_, key)) = of_group.into_iter().find(|(group, _)| group == key) {
                put = self.members(&put);
                matches.insert(key, put);
                continue;
            }
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
            let sets = self.with_lists(entry);
            self.toml.keys("set.", &sets);
        }
    }
}

impl Whole<'_> {
    /// The community that an alias stands for; one that stands for none is nowhere.
    fn alias(&self, put: &Put) -> (&'static str, Put) {
        let Some(community) = self.site.aliases.get(&put.text) else {
            // It is among those that are missing.
            let name = format!("alias {}", put.text);
            return ("community_list", put.with(quote(&name)));
        };
        let key = match community.text.matches(':').count() {
            2 => "large_community",
            _ => "community",
        };
        (key, put.with(quote(&community.text)))
    }

    /// The addresses of those who are in a group.
    fn members(&mut self, put: &Put) -> Put {
        let routers = self.site.routers.values();
        let groups = routers.filter(|it| it.peers.get(&put.text).is_some_and(|it| it.is_group));
        let mut all: Vec<&str> = Vec::new();
        let mut open = false;
        for router in groups {
            let of = |it: &&Peer| it.group.as_ref().is_some_and(|it| it.text == put.text);
            let members = router.peers.iter().filter(|(_, peer)| of(peer));
            open |= router
                .listen_ranges
                .values()
                .any(|(name, _)| *name == put.text);
            for (name, peer) in members {
                open |= peer.is_interface;
                all.push(name);
            }
        }
        if open || all.is_empty() {
            let why = "the neighbors that are meant have to be known by their addresses: a group without \
                       `bgp listen range` and without neighbors on interfaces";
            self.refuse(put.spot, why);
        }
        put.with(quote_all(&all))
    }

    /// What an entry sets, with the communities of lists that are added or put in the place of others.
    fn with_lists(&mut self, entry: &Entry) -> Keys {
        let mut sets = entry.sets.clone();
        for (list, add) in [("comm_list_replace", false), ("comm_list_add", true)] {
            let Some(put) = sets.remove(list) else {
                continue;
            };
            let rules = self
                .site
                .lists
                .get(&(ListKind::Community, put.text.clone()));
            let rules = rules.filter(|it| !it.expanded).map(|it| it.rules.values());
            let permitted = rules.into_iter().flatten();
            let words = permitted.filter_map(|rule| rule.text.strip_prefix("permit "));
            let mut all: Vec<&str> = words.flat_map(str::split_whitespace).collect();
            let (key, other) = match add {
                true => ("community.add", "community.replace"),
                false => ("community.replace", "community.add"),
            };
            let before = sets.get(key).map(|it| it.text.clone()).unwrap_or_default();
            all.extend(before.split('"').skip(1).step_by(2));
            let clash = !add && (sets.contains_key(other) || sets.contains_key("community"));
            if clash {
                self.refuse(
                    put.spot,
                    "the entry says what the communities become elsewhere, too",
                );
            }
            match (all.is_empty(), add) {
                (false, _) => drop(sets.insert(key, put.with(quote_all(&all)))),
                (true, false) => drop(sets.insert("community", put.with(quote("none")))),
                (true, true) => {}
            }
        }
        sets
    }
}

fn is_list(key: &str) -> bool {
    matches!(key, "prefix_list" | "next_hop" | "peer_list")
}
