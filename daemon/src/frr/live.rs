//! Which lines still count once all are read, and what several of them come to together.
//!
//! A value of the [`Site`] has the place of its line. A line that none of them is from has been
//! replaced or taken back, so it need not be written again. Where several lines make one value, or
//! one line several, they are put into words anew here: lists, groups, what is told of communities,
//! route targets and BFD of neighbours.

use std::collections::{BTreeMap, HashSet};

use super::Spot;
use super::model::{
    Bfd, Entry, Evpn, Family, Keys, List, ListKind, Peer, Put, Router, Site, Switch, Unicast,
};
use super::shapes::{Node, access_words};
use super::spell::Opener;

/// A line with the blocks it stands in.
pub(super) type Placed = (Vec<Opener>, String);

/// The lines that values are from.
pub(super) struct Live(HashSet<Spot>);

impl Live {
    pub(super) fn of(site: &Site) -> Self {
        let mut live = Self(HashSet::new());
        live.put(&site.router_id);
        live.keys(&site.of_all);
        for told in site.advertisements.values() {
            live.switch(&told.suppressed);
            live.put(&told.interval);
        }
        live.put(&site.hostname);
        live.put(&site.domainname);
        for router in site.routers.values() {
            live.router(router);
        }
        for vrf in site.vrfs.values() {
            live.put(&vrf.vni);
            live.0.extend(vrf.prefix_routes_only);
        }
        live.0.extend(site.aliases.values().map(|it| it.spot));
        live.0.extend(site.kernel_maps.values().map(|it| it.spot));
        for vni in site.top_vnis.values() {
            live.keys(&vni.keys);
        }
        for entry in site.maps.values().flat_map(BTreeMap::values) {
            live.keys(&entry.matches);
            live.keys(&entry.keys);
            let sets = entry.sets.iter().filter(|(key, _)| **key != EXTENDED);
            live.0.extend(sets.map(|(_, put)| put.spot));
        }
        for bfd in site.bfd_profiles.values().chain(site.bfd_peers.values()) {
            let puts = [
                &bfd.multiplier,
                &bfd.receive,
                &bfd.transmit,
                &bfd.profile,
                &bfd.min_ttl,
                &bfd.echo_transmit,
                &bfd.echo_receive,
            ];
            puts.into_iter().for_each(|put| live.put(put));
            live.0
                .extend([bfd.passive, bfd.shutdown, bfd.echo].into_iter().flatten());
        }
        for interface in site.interfaces.values() {
            live.put(&interface.description);
            live.switch(&interface.up);
            live.0.extend(interface.no_link_detect);
            live.0.extend(interface.addresses.iter().map(|it| it.spot));
        }
        for family in [Family::Ipv4, Family::Ipv6] {
            live.switch(site.forwarding.of(family));
        }
        live.put(&site.nexthop_objects);
        live.keys(&site.rpki.times);
        live.0.extend(site.rpki.caches.values().map(|it| it.spot));
        for route in site.static_routes.values() {
            live.0.extend(route.next_hops.values().map(|it| it.spot));
            live.put(&route.kind);
        }
        live
    }

    pub(super) fn has(&self, spot: Spot) -> bool {
        self.0.contains(&spot)
    }

    fn put(&mut self, put: &Option<Put>) {
        self.0.extend(put.as_ref().map(|put| put.spot));
    }

    fn keys(&mut self, keys: &Keys) {
        self.0.extend(keys.values().map(|put| put.spot));
    }

    fn switch(&mut self, switch: &Option<Switch>) {
        self.0.extend(switch.as_ref().map(|it| it.spot));
    }

    fn router(&mut self, router: &Router) {
        self.keys(&router.keys);
        let switches = [
            &router.ebgp_requires_policy,
            &router.import_check,
            &router.relax,
            &router.enforce_first_as,
        ];
        switches.into_iter().for_each(|it| self.switch(it));
        for family in Family::ALL {
            self.switch(router.default_active.of(family));
        }
        self.put(&router.shutdown);
        self.put(&router.software_version);
        self.put(&router.listen_limit);
        self.0.extend(router.timers.map(|(_, _, spot)| spot));
        self.0
            .extend(router.listen_ranges.values().map(|(_, spot)| *spot));
        for peer in router.peers.values() {
            self.peer(peer);
        }
        for family in [Family::Ipv4, Family::Ipv6] {
            self.unicast(router.families.of(family));
        }
        self.evpn(&router.evpn);
    }

    fn peer(&mut self, peer: &Peer) {
        let own = |key: &str| !(peer.is_interface && key == "remote_as");
        let keys = peer.keys.iter().filter(|(key, _)| own(key));
        self.0.extend(keys.map(|(_, put)| put.spot));
        if !peer.is_interface {
            self.put(&peer.group);
        }
        self.0.extend(peer.timers.map(|(_, _, spot)| spot));
        self.0.extend(peer.bfd.as_ref().and_then(|bfd| bfd.strict));
        for family in Family::ALL {
            let of = peer.families.of(family);
            self.switch(&of.active);
            let keys = of.keys.iter().filter(|(key, _)| **key != COMMUNITIES);
            self.0.extend(keys.map(|(_, put)| put.spot));
            for filters in [&of.import, &of.export] {
                self.put(&filters.prefix_list);
                self.put(&filters.access_list);
                self.put(&filters.as_path_list);
                self.put(&filters.route_map);
            }
        }
    }

    fn unicast(&mut self, unicast: &Unicast) {
        self.0
            .extend(unicast.networks.values().map(|(_, spot)| *spot));
        self.0.extend(unicast.backdoors.values().copied());
        let tables = unicast
            .redistribute
            .values()
            .chain(unicast.aggregates.values());
        tables.for_each(|keys| self.keys(keys));
        self.put(&unicast.paths);
        self.put(&unicast.ibgp_paths);
        self.put(&unicast.import_map);
        self.0.extend(unicast.imports.values().copied());
        self.0
            .extend(unicast.distances.values().map(|put| put.spot));
    }

    fn evpn(&mut self, evpn: &Evpn) {
        let spots = [
            evpn.all_vnis,
            evpn.no_flooding,
            evpn.svi,
            evpn.gateway,
            evpn.duplicates_off,
        ];
        self.0.extend(spots.into_iter().flatten());
        self.put(&evpn.autort_as);
        self.keys(&evpn.duplicates);
        self.keys(&evpn.keys);
        let families = evpn
            .advertise
            .values()
            .chain(evpn.default_originate.values());
        self.0.extend(families.map(|put| put.spot));
        for family in [Family::Ipv4, Family::Ipv6] {
            self.put(evpn.advertise_maps.of(family));
        }
        for vni in evpn.vnis.values() {
            self.keys(&vni.keys);
        }
    }
}

/// The lines that begin blocks which are still there.
pub(super) fn openers(site: &Site) -> HashSet<Spot> {
    let routers = site.routers.values();
    let vnis = routers.clone().flat_map(|it| it.evpn.vnis.values());
    let vnis = vnis.chain(site.top_vnis.values());
    let bfd = site.bfd_peers.values().chain(site.bfd_profiles.values());
    let entries = site.maps.values().flat_map(BTreeMap::values);
    let spots = routers.map(|it| it.asn.as_ref().map(|asn| asn.spot));
    let spots = spots.chain(vnis.map(|it| it.spot));
    let spots = spots.chain(site.vrfs.values().map(|it| it.spot));
    let spots = spots.chain(bfd.map(|it| it.spot));
    let spots = spots.chain([site.rpki.spot]);
    spots.chain(entries.map(|it| it.spot)).flatten().collect()
}

/// Communities of one entry, which several lines may add.
const EXTENDED: &str = "extended_community.add";
/// What is told of communities, of which each line takes away some.
const COMMUNITIES: &str = "send_community";

/// What several lines come to. `opened` knows the blocks by the lines that have opened them.
pub(super) fn together(
    site: &Site,
    opened: &dyn Fn(Option<Spot>) -> Option<Vec<Opener>>,
    v6only: &HashSet<String>,
) -> Vec<Placed> {
    let mut lines = Vec::new();
    let debug = site.debug.keys();
    lines.extend(debug.map(|it| (Vec::new(), format!("debug {it}"))));
    for ((kind, name), list) in &site.lists {
        lines.extend(of_list(*kind, name, list).map(|text| (Vec::new(), text)));
    }
    for router in site.routers.values() {
        let Some(path) = opened(router.asn.as_ref().map(|asn| asn.spot)) else {
            continue;
        };
        if !router.confederation_members.is_empty() {
            let members = router.confederation_members.iter();
            let members: Vec<&str> = members.map(|it| it.text.as_str()).collect();
            let text = format!("bgp confederation peers {}", members.join(" "));
            lines.push((path.clone(), text));
        }
        for (name, peer) in &router.peers {
            of_peer(&path, name, peer, v6only, &mut lines);
        }
        let evpn = [path.as_slice(), &[Opener::family(Node::Evpn)]].concat();
        targets(
            &evpn,
            &router.evpn.import_targets,
            &router.evpn.export_targets,
            &mut lines,
        );
    }
    let vnis = site.routers.values().flat_map(|it| it.evpn.vnis.values());
    for vni in vnis.chain(site.top_vnis.values()) {
        if let Some(path) = opened(vni.spot) {
            targets(&path, &vni.import_targets, &vni.export_targets, &mut lines);
        }
    }
    for entry in site.maps.values().flat_map(BTreeMap::values) {
        if let Some(path) = opened(entry.spot) {
            let communities = extended(entry).into_iter();
            lines.extend(communities.map(|text| (path.clone(), text)));
        }
    }
    lines
}

fn of_peer(
    path: &[Opener],
    name: &str,
    peer: &Peer,
    v6only: &HashSet<String>,
    lines: &mut Vec<Placed>,
) {
    let mut add = |text: String| lines.push((path.to_vec(), format!("neighbor {name} {text}")));
    if peer.is_group {
        add("peer-group".to_owned());
    }
    if peer.is_interface {
        let only = if v6only.contains(name) { " v6only" } else { "" };
        let remote = peer.keys.get("remote_as");
        let remote = remote.map(|put| format!("remote-as {}", put.text.trim_matches('"')));
        match (&peer.group, remote) {
            (Some(group), remote) => {
                add(format!("interface{only} peer-group {}", group.text));
                remote.into_iter().for_each(&mut add);
            }
            (None, Some(remote)) => add(format!("interface{only} {remote}")),
            (None, None) => add(format!("interface{only}")),
        }
    }
    if let Some(bfd) = &peer.bfd {
        of_bfd(bfd).into_iter().for_each(&mut add);
    }
    for family in Family::ALL {
        let Some(sent) = peer.families.of(family).keys.get(COMMUNITIES) else {
            continue;
        };
        let node = match family {
            Family::Ipv4 => Node::Ipv4,
            Family::Ipv6 => Node::Ipv6,
            Family::Evpn => Node::Evpn,
        };
        let path = [path, &[Opener::family(node)]].concat();
        let kinds = ["standard", "extended", "large"];
        let missing = kinds.into_iter().filter(|kind| !sent.text.contains(kind));
        let missing: Vec<&str> = missing.collect();
        let missing = if missing.len() == kinds.len() {
            vec!["all"]
        } else {
            missing
        };
        for kind in missing {
            let text = format!("no neighbor {name} send-community {kind}");
            lines.push((path.clone(), text));
        }
    }
}

fn of_bfd(bfd: &Bfd) -> Vec<String> {
    let text = |put: &Option<Put>| put.as_ref().map(|it| it.text.clone());
    let times = (
        text(&bfd.multiplier),
        text(&bfd.receive),
        text(&bfd.transmit),
    );
    let mut lines = vec![match times {
        (Some(multiplier), Some(receive), Some(transmit)) => {
            format!("bfd {multiplier} {receive} {transmit}")
        }
        _ => "bfd".to_owned(),
    }];
    lines.extend(text(&bfd.profile).map(|name| format!("bfd profile {name}")));
    lines
}

fn targets(path: &[Opener], import: &[Put], export: &[Put], lines: &mut Vec<Placed>) {
    for (word, targets) in [("import", import), ("export", export)] {
        let texts = targets.iter().map(|put| put.text.trim_matches('"'));
        lines.extend(texts.map(|it| (path.to_vec(), format!("route-target {word} {it}"))));
    }
}

fn extended(entry: &Entry) -> Vec<String> {
    let all = entry.sets.get(EXTENDED).map_or("", |put| put.text.as_str());
    let all: Vec<&str> = all.split('"').skip(1).step_by(2).collect();
    let of = |kind: &str| {
        let mine = all.iter().filter_map(|it| it.strip_prefix(kind));
        let mine: String = mine.collect();
        (!mine.is_empty()).then(|| format!("set extcommunity {}{mine}", kind.trim_end()))
    };
    // Each keeps the space in front of it.
    let kinds = ["rt", "soo", "color", "nt"].into_iter();
    kinds.filter_map(of).collect()
}

fn of_list(kind: ListKind, name: &str, list: &List) -> impl Iterator<Item = String> {
    let numbered = name.parse::<u32>().is_ok();
    let word = match (numbered, list.expanded) {
        (true, _) => "",
        (false, true) => "expanded ",
        (false, false) => "standard ",
    };
    let head = match kind {
        ListKind::Prefix4 => format!("ip prefix-list {name}"),
        ListKind::Prefix6 => format!("ipv6 prefix-list {name}"),
        ListKind::Access4 => format!("access-list {name}"),
        ListKind::Access6 => format!("ipv6 access-list {name}"),
        ListKind::AsPath => format!("bgp as-path access-list {name}"),
        ListKind::Community => format!("bgp community-list {word}{name}"),
        ListKind::Large => format!("bgp large-community-list {word}{name}"),
        ListKind::Extended => format!("bgp extcommunity-list {word}{name}"),
    };
    let remark = match kind.is_access() {
        true => "remark",
        false => "description",
    };
    let description = list.description.as_ref();
    let description = description.map(|it| format!("{head} {remark} {}", unquote(&it.text)));
    let rules = list.rules.iter().map(|(seq, rule)| {
        let rule = rule_text(kind, list.expanded, &rule.text);
        format!("{head} seq {seq} {rule}")
    });
    let rules: Vec<String> = rules.collect();
    description.into_iter().chain(rules)
}

/// A rule in FRR's words, of which TOML has others.
fn rule_text(kind: ListKind, expanded: bool, rule: &str) -> String {
    let (action, what) = rule.split_once(' ').unwrap_or((rule, ""));
    let v6 = matches!(kind, ListKind::Prefix6 | ListKind::Access6);
    let everything = if v6 { "::/0 le 128" } else { "0.0.0.0/0 le 32" };
    let of_prefixes = kind.is_access() || matches!(kind, ListKind::Prefix4 | ListKind::Prefix6);
    let what = if of_prefixes && what == everything {
        "any".to_owned()
    } else if kind.is_access() {
        access_words(what, v6)
    } else if kind == ListKind::Community && what == "any" && !expanded {
        "internet".to_owned()
    } else {
        what.to_owned()
    };
    format!("{action} {what}")
}

/// A text that TOML quotes.
pub(super) fn unquote(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let mut plain = String::new();
    let mut rest = inner.unwrap_or(text).chars();
    while let Some(c) = rest.next() {
        // Control characters, which have numbers, are in no line.
        plain.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    plain
}
