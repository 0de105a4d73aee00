//! What lines refer to and no line defines.
//!
//! FRR takes such a line, and goes by what is not there: a list lets nothing through and holds nothing, a
//! route-map denies everything, `call` of none asks nobody, and a profile of BFD is one of defaults. So lists and
//! maps that do so are written in their place, and each line is told so. TOML itself takes none of that, nor does a
//! session that makes such a line or takes away what one names.
//!
//! What FRR does not go by in that way stays an error: route-maps of aggregates, of conditions and of
//! what goes into EVPN, which FRR passes over.

use std::collections::BTreeMap;

use super::Whole;
use super::peers::takes_part;
use crate::frr::Spot;
use crate::frr::model::{
    Entry, Family, Filters, Keys, ListKind, Peer, PeerFamily, Put, Router, quote,
};
use crate::frr::shapes::access_name;

/// Names that stand for nothing, with the first line that has them.
#[derive(Debug, Default)]
pub(super) struct Missing {
    lists: BTreeMap<(ListKind, String), Spot>,
    maps: BTreeMap<String, Spot>,
    pub(super) bfd_profiles: BTreeMap<String, Spot>,
}

impl Whole<'_> {
    /// Finds them all.
    pub(super) fn find_missing(&mut self) {
        let site = self.site;
        for entry in site.maps.values().flat_map(BTreeMap::values) {
            self.missing_of_entry(entry);
        }
        for router in site.routers.values() {
            self.missing_of_router(router);
        }
        for map in site.kernel_maps.values() {
            self.need_map(&plain(map));
        }
    }

    fn missing_of_entry(&mut self, entry: &Entry) {
        // An entry that denies does nothing else.
        let sets = entry.sets.iter().filter(|_| !entry.deny);
        for (key, put) in entry.matches.iter().chain(sets) {
            let kind = match *key {
                "prefix_list" | "next_hop" | "peer_list" => {
                    self.need_marked(put);
                    continue;
                }
                "alias" => {
                    if !self.site.aliases.contains_key(&put.text) {
                        self.need_list(
                            ListKind::Community,
                            &put.with(format!("alias {}", put.text)),
                        );
                    }
                    continue;
                }
                "as_path_list" | "as_path_exclude_list" => ListKind::AsPath,
                "community_list" | "community.delete_list" => ListKind::Community,
                "large_community_list" | "large_community.delete_list" => ListKind::Large,
                "extended_community_list" | "extended_community.delete_list" => ListKind::Extended,
                _ => continue,
            };
            self.need_list(kind, &plain(put));
        }
    }

    fn missing_of_router(&mut self, router: &Router) {
        for (name, peer) in &router.peers {
            self.missing_of_peer(name, router, peer);
        }
        for family in [Family::Ipv4, Family::Ipv6] {
            let unicast = router.families.of(family);
            let networks = unicast
                .networks
                .values()
                .filter_map(|(map, _)| map.as_ref());
            let taken = unicast.redistribute.values();
            let taken = taken.filter_map(|keys| keys.get("route_map"));
            for map in networks.chain(taken).chain(&unicast.import_map) {
                self.need_map(&plain(map));
            }
        }
    }

    fn missing_of_peer(&mut self, name: &str, router: &Router, peer: &Peer) {
        for family in Family::ALL {
            let (v6, of) = (family == Family::Ipv6, peer.families.of(family));
            // What stands in a family that is not active is looked at by nobody.
            if !takes_part(router, (name, peer), family) {
                continue;
            }
            let PeerFamily {
                import,
                export,
                keys,
                ..
            } = of;
            for filters in [import, export] {
                let Filters {
                    prefix_list,
                    access_list,
                    as_path_list,
                    route_map,
                } = filters;
                let (prefixes, access) = match v6 {
                    true => (ListKind::Prefix6, ListKind::Access6),
                    false => (ListKind::Prefix4, ListKind::Access4),
                };
                let lists = [
                    (prefix_list, prefixes),
                    (access_list, access),
                    (as_path_list, ListKind::AsPath),
                ];
                for (list, kind) in lists {
                    if let Some(list) = list {
                        self.need_list(kind, list);
                    }
                }
                if let Some(map) = route_map {
                    self.need_map(map);
                }
            }
            self.missing_of_keys(keys);
        }
    }

    fn missing_of_keys(&mut self, keys: &Keys) {
        if let Some(map) = keys.get("unsuppress") {
            self.need_map(&plain(map));
        }
        let default = keys.get("default_originate");
        let named = default.and_then(|put| {
            let name = put
                .text
                .strip_prefix("{ route_map = ")?
                .strip_suffix(" }")?;
            Some(Put {
                text: name.to_owned(),
                spot: put.spot,
            })
        });
        if let Some(map) = named {
            self.need_map(&plain(&map));
        }
    }

    /// A list of prefixes, as the reader of route-maps keeps its name.
    fn need_marked(&mut self, put: &Put) {
        let of = |kind: ListKind, name: &str| {
            (
                kind,
                Put {
                    text: name.to_owned(),
                    spot: put.spot,
                },
            )
        };
        let (mark, rest) = put.text.split_at_checked(1).unwrap_or_default();
        let (kind, list) = match mark {
            "4" => of(ListKind::Prefix4, rest),
            "6" => of(ListKind::Prefix6, rest),
            _ => {
                let name = plain(put).text;
                match (
                    name.strip_prefix("access-list "),
                    name.strip_prefix("ipv6 access-list "),
                ) {
                    (Some(name), _) => of(ListKind::Access4, name),
                    (None, Some(name)) => of(ListKind::Access6, name),
                    (None, None) => return,
                }
            }
        };
        self.need_list(kind, &list);
    }

    fn need_list(&mut self, kind: ListKind, put: &Put) {
        let there = |kind: ListKind| self.site.lists.contains_key(&(kind, put.text.clone()));
        // One of the other IP version permits nothing of this one.
        let there = match kind {
            ListKind::Prefix4 => there(kind) || there(ListKind::Prefix6),
            ListKind::Prefix6 => there(kind) || there(ListKind::Prefix4),
            ListKind::Access4
            | ListKind::Access6
            | ListKind::AsPath
            | ListKind::Community
            | ListKind::Large
            | ListKind::Extended => there(kind),
        };
        if there {
            return;
        }
        self.leads_nowhere(
            put.spot,
            format!(
                "there is no list `{}`: nothing matches it, as in FRR",
                put.text
            ),
        );
        let kind = if kind == ListKind::Prefix6 {
            ListKind::Prefix4
        } else {
            kind
        };
        self.missing
            .lists
            .entry((kind, put.text.clone()))
            .or_insert(put.spot);
    }

    fn need_map(&mut self, put: &Put) {
        if self.site.maps.contains_key(&put.text) {
            return;
        }
        self.leads_nowhere(
            put.spot,
            format!(
                "there is no route-map `{}`: it denies everything, as in FRR",
                put.text
            ),
        );
        self.missing
            .maps
            .entry(put.text.clone())
            .or_insert(put.spot);
    }

    /// Whether a map that is called is there.
    pub(super) fn is_callable(&mut self, call: &Put) -> bool {
        let name = plain(call).text;
        let there = self.site.maps.contains_key(&name);
        if !there {
            self.leads_nowhere(
                call.spot,
                format!("there is no route-map `{name}`: nothing is asked, as in FRR"),
            );
        }
        there
    }

    /// A profile that is named, whether it is there or not.
    pub(super) fn need_profile(&mut self, name: &str, spot: Spot) {
        if self.site.bfd_profiles.contains_key(name) {
            return;
        }
        self.leads_nowhere(
            spot,
            format!("there is no BFD profile `{name}`: its settings are the defaults, as in FRR"),
        );
        self.missing
            .bfd_profiles
            .entry(name.to_owned())
            .or_insert(spot);
    }

    /// A reference that FRR takes, and whoever types it is told.
    fn leads_nowhere(&mut self, spot: Spot, how: String) {
        self.nowhere.push((spot, how.clone()));
        self.as_frr(spot, how);
    }

    /// Lists that nothing is in.
    pub(super) fn missing_lists(&mut self) {
        for ((kind, name), spot) in std::mem::take(&mut self.missing.lists) {
            let (table, name, rule) = match kind {
                ListKind::Prefix4 | ListKind::Prefix6 => ("prefix_list", name, "deny any"),
                ListKind::Access4 => ("prefix_list", access_name(&name, false), "deny any"),
                ListKind::Access6 => ("prefix_list", access_name(&name, true), "deny any"),
                ListKind::AsPath => ("as_path_list", name, "deny .*"),
                ListKind::Community => ("community_list", name, "deny .*"),
                ListKind::Large => ("large_community_list", name, "deny .*"),
                ListKind::Extended => ("extended_community_list", name, "deny .*"),
            };
            self.toml.header(spot, &format!("[[{table}]]"));
            self.toml.line(spot, &format!("name = {}", quote(&name)));
            if matches!(
                kind,
                ListKind::Community | ListKind::Large | ListKind::Extended
            ) {
                self.toml.line(spot, "expanded = true");
            }
            self.toml.line(spot, &format!("rules = [\"seq 5 {rule}\"]"));
        }
    }

    /// Maps that deny everything.
    pub(super) fn missing_maps(&mut self) {
        for (name, spot) in std::mem::take(&mut self.missing.maps) {
            self.toml.header(spot, "[[route_map]]");
            self.toml.line(spot, &format!("name = {}", quote(&name)));
            self.toml
                .line(spot, "entry = [{ seq = 10, action = \"deny\" }]");
        }
    }
}

/// A name that stands as TOML has it, without its quotes.
fn plain(put: &Put) -> Put {
    let text = put
        .text
        .trim_matches('"')
        .replace("\\\"", "\"")
        .replace("\\\\", "\\");
    Put {
        text,
        spot: put.spot,
    }
}
