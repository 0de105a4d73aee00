//! `neighbor`, groups and listen ranges.
//!
//! A group stays a group. What FRR would do where neither a neighbour nor its group says anything
//! stands in the group, or in the neighbour that has none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Made, Whole, by_default};
use crate::frr::Spot;
use crate::frr::model::{Family, Filters, Keys, Peer, PeerFamily, Put, Router, Switch, quote};

impl Whole<'_> {
    pub(super) fn neighbors(&mut self, of: &str, router: &Router) {
        let spot = |peer: &Peer| peer.spot.unwrap_or_default();
        let (mut groups, mut hosts): (Vec<_>, Vec<_>) =
            router.peers.iter().partition(|(_, peer)| peer.is_group);
        groups.sort_by_key(|(_, peer)| spot(peer));
        hosts.sort_by_key(|(_, peer)| spot(peer));
        for (name, group) in groups {
            self.toml
                .header(spot(group), &format!("[[{of}peer_group]]"));
            self.toml
                .line(spot(group), &format!("name = {}", quote(name)));
            let group = &self.as_sorted(router, group, None);
            self.peer(router, (name, group), None);
            for family in Family::ALL {
                let active = carried(router, name, family);
                self.family((group, None), family, active, false, None);
            }
        }
        let drains = self.drains(router);
        for (name, peer) in hosts {
            self.toml.header(spot(peer), &format!("[[{of}neighbor]]"));
            let key = if peer.is_interface {
                "interface"
            } else {
                "address"
            };
            self.toml
                .line(spot(peer), &format!("{key} = {}", quote(name)));
            let group = self.member(router, peer.group.as_ref());
            let mut peer = self.as_sorted(router, peer, group);
            for family in [Family::Ipv4, Family::Ipv6] {
                if let Some(distance) = distance(router, family, name) {
                    let keys = &mut peer.families.of_mut(family).keys;
                    keys.insert("distance", distance.clone());
                }
            }
            let peer = &peer;
            self.peer(router, (name, peer), group);
            for family in Family::ALL {
                let inherits = peer
                    .group
                    .as_ref()
                    .is_some_and(|it| carried(router, &it.text, family));
                let drain = drains.get(name).filter(|_| family == Family::Evpn);
                self.family(
                    (peer, group),
                    family,
                    active(router, peer, group, family),
                    inherits,
                    drain,
                );
            }
        }
        for (prefix, (name, spot)) in &router.listen_ranges {
            self.toml.header(*spot, &format!("[[{of}listen_range]]"));
            self.toml
                .line(*spot, &format!("prefix = {}", quote(prefix)));
            if let Some(limit) = &router.listen_limit {
                self.toml.value("limit", limit);
            }
            let group = Put {
                text: name.clone(),
                spot: *spot,
            };
            let found = self.member(router, Some(&group));
            for family in [Family::Ipv4, Family::Ipv6] {
                let active = found.is_some_and(|group| active(router, group, None, family));
                if let Some(distance) = distance(router, family, prefix).filter(|_| active) {
                    let key = format!("{}.distance", family.key());
                    self.toml.value(&key, distance);
                }
            }
            for family in Family::ALL {
                let of_group = found.is_some_and(|group| active(router, group, None, family));
                if !of_group && carried(router, name, family) {
                    self.toml.line(*spot, &format!("{} = false", family.key()));
                }
            }
        }
        if let (Some(limit), true) = (&router.listen_limit, router.listen_ranges.is_empty()) {
            self.as_frr(
                limit.spot,
                "there is no `bgp listen range`, so the line has no effect, as in FRR",
            );
        }
        self.about_policy(router);
    }

    /// Writes which group somebody is in.
    fn member<'r>(&mut self, router: &'r Router, group: Option<&Put>) -> Option<&'r Peer> {
        let group = group?;
        self.toml
            .line(group.spot, &format!("peer_group = {}", quote(&group.text)));
        router.peers.get(&group.text).filter(|it| it.is_group)
    }

    /// A neighbor without what FRR does not take for one of another AS.
    fn as_sorted(&mut self, router: &Router, peer: &Peer, group: Option<&Peer>) -> Peer {
        let mut peer = peer.clone();
        let said = |key: &str| {
            let of_group = || group.and_then(|group| group.keys.get(key));
            peer.keys.get(key).or_else(of_group)
        };
        let own = router.asn.as_ref().map_or("", |asn| asn.text.as_str());
        if let (Some(local), Some(remote)) = (peer.keys.get("local_as"), said("remote_as")) {
            let bare = format!("{{ asn = {} }}", remote.text);
            let flags = local.text.strip_prefix(bare.trim_end_matches(" }"));
            let flagged = flags.is_some_and(|it| it.starts_with(", ") && !it.contains("dual_as"));
            if flagged {
                let spot = local.spot;
                let how = "within an AS nothing is put in front of paths, whatever the words behind the number";
                self.differs(spot, how);
                peer.keys.insert("local_as", Put { text: bare, spot });
                return peer;
            }
        }
        let external = said("remote_as").is_some_and(|put| match put.text.as_str() {
            "\"external\"" => true,
            number => number.parse::<u32>().is_ok() && number != own,
        });
        if !external || said("local_as").is_some() {
            return peer;
        }
        for family in Family::ALL {
            let keys = &mut peer.families.of_mut(family).keys;
            if let Some(put) = keys.remove("route_reflector_client") {
                let how = "the neighbor is of another AS, so the line has no effect, as in FRR";
                self.as_frr(put.spot, how);
            }
        }
        peer
    }

    /// Settings of the session.
    fn peer(&mut self, router: &Router, (name, peer): (&str, &Peer), group: Option<&Peer>) {
        let mut keys = peer.keys.clone();
        if let (Some(shutdown), false) = (&router.shutdown, keys.contains_key("shutdown")) {
            keys.insert("shutdown", shutdown.clone());
        }
        // What a group says its members need not.
        let off = router
            .enforce_first_as
            .filter(|it| !it.on && group.is_none());
        if let Some(Switch { spot, .. }) = off {
            let text = "false".to_owned();
            keys.entry("enforce_first_as").or_insert(Put { text, spot });
        }
        // Members of a group that says something have that.
        let said = |peer: &Peer| peer.keys.contains_key("software_version");
        if let Some(version) = &router.software_version
            && !said(peer)
            && !group.is_some_and(said)
        {
            keys.insert("software_version", version.clone());
        }
        let spot = peer.spot.unwrap_or_default();
        let (keepalive, hold) = if self.site.datacenter {
            (3, 9)
        } else {
            (60, 180)
        };
        let usual = router.timers.unwrap_or((keepalive, hold, spot));
        let timers = peer.timers.or((group.is_none()).then_some(usual));
        if let Some((keepalive, hold, spot)) = timers {
            self.times(&mut keys, keepalive, hold, spot);
        }
        let on = peer.bfd.is_some() || group.is_some_and(|group| group.bfd.is_some());
        let block = self.bfd_block(router, name, peer, group).filter(|_| on);
        let inherited = group.and_then(|group| group.bfd.as_ref());
        if let Some(bfd) = peer.bfd.as_ref().or(inherited)
            && (peer.bfd.is_some() || block.is_some())
        {
            self.neighbor_bfd(&mut keys, bfd, block.filter(|_| !peer.is_group));
            // FRR looks whether a neighbor of our own AS is on the link.
            let spot = bfd.spot.unwrap_or_default();
            if block.is_some_and(|(key, _)| key.multihop) && !is_far(peer, group) {
                let text = "true".to_owned();
                keys.insert("bfd.multihop", Put { text, spot });
            }
        }
        self.on_interfaces(name, peer, &mut keys);
        self.toml.keys("", &keys);
    }

    /// An interface is part of a link-local address. Any other has its way from the kernel, and a session
    /// between link-local addresses has its source from the interface.
    fn on_interfaces(&mut self, name: &str, peer: &Peer, keys: &mut Keys) {
        let address: Option<IpAddr> = name.parse().ok();
        let scoped = matches!(address, Some(IpAddr::V6(it)) if it.is_unicast_link_local());
        if let (Some(put), false) = (keys.get("interface").cloned(), scoped) {
            keys.remove("interface");
            let how = "the connection takes the way that the kernel has to the address, whichever \
                       interface that is through";
            self.differs(put.spot, how);
        }
        if let (Some(put), true) = (keys.get("update_source").cloned(), peer.is_interface) {
            keys.remove("update_source");
            let how = "the session is between the link-local addresses of the interface";
            self.differs(put.spot, how);
        }
        let told = self.site.advertisements.get(name);
        if let (Some(interval), true) =
            (told.and_then(|it| it.interval.as_ref()), peer.is_interface)
        {
            keys.insert("router_advertisement_interval", interval.clone());
        }
    }

    /// Lines about router advertisements, where they are not as FRR has them.
    pub(super) fn advertisements(&mut self) {
        let site = self.site;
        let neighbors = site.routers.values().flat_map(|it| &it.peers);
        let neighbors = neighbors.filter(|(_, peer)| peer.is_interface);
        let neighbors: BTreeSet<&str> = neighbors.map(|(name, _)| name.as_str()).collect();
        for (interface, told) in &site.advertisements {
            let off = told.suppressed.filter(|it| !it.on);
            match (neighbors.contains(interface.as_str()), told.suppressed) {
                (true, Some(Switch { on: true, spot })) => self.differs(
                    spot,
                    "advertisements are sent to the neighbor on the interface, and are no news for hosts",
                ),
                (false, _) => {
                    let interval = told.interval.as_ref().filter(|_| off.is_some());
                    let spots = off.map(|it| it.spot).into_iter();
                    for spot in spots.chain(interval.map(|it| it.spot)) {
                        self.differs(
                            spot,
                            "router advertisements go to neighbors by `neighbor IFNAME interface`, and \
                             to hosts by radvd or the like",
                        );
                    }
                }
                (true, _) => {}
            }
        }
    }

    /// FRR sends keepalives at least three times in a hold time.
    fn times(&mut self, keys: &mut Keys, keepalive: u64, hold: u64, spot: Spot) {
        let seconds = |time: u64| Put {
            text: quote(&format!("{time}s")),
            spot,
        };
        keys.insert("timers.hold", seconds(hold));
        match (keepalive, hold) {
            (_, 0..3) => {}
            (0, _) => self.differs(
                spot,
                "keepalives are sent all the same, so that the session stays",
            ),
            (_, _) => drop(keys.insert("timers.keepalive", seconds(keepalive.min(hold / 3)))),
        }
    }

    /// A family of a neighbour or a group; `inherits` tells whether the group has it, `drain` is the
    /// map of unicast that is for the overlay, too.
    fn family(
        &mut self,
        (peer, group): (&Peer, Option<&Peer>),
        family: Family,
        active: bool,
        inherits: bool,
        drain: Option<&Put>,
    ) {
        let own = peer.families.of(family);
        let spot = own
            .active
            .map(|it| it.spot)
            .or(peer.spot)
            .unwrap_or_default();
        let name = family.key();
        if !active {
            self.without_effect(own);
            if inherits {
                self.toml.line(spot, &format!("{name} = false"));
            }
            return;
        }
        let mut keys = own.keys.clone();
        // FRR takes several paths from whoever sends them.
        if family != Family::Evpn && group.is_none() {
            let text = "true".to_owned();
            keys.entry("add_path_receive").or_insert(Put { text, spot });
        }
        let of_group = group.map(|group| group.families.of(family));
        for (key, own, group) in [
            ("import", &own.import, of_group.map(|it| &it.import)),
            ("export", &own.export, of_group.map(|it| &it.export)),
        ] {
            if *own == Filters::default() {
                continue;
            }
            let filters = own.or(group.unwrap_or(&Filters::default()));
            if let Some(map) = self.filter(&filters, family) {
                keys.insert(key, map);
            }
        }
        if let Some(map) = drain {
            let text = quote(&map.text);
            let spot = map.spot;
            keys.insert("export", Put { text, spot });
            let how = "the map makes the path of everything longer, for all neighbors of the overlay: this is \
                       how a router is drained, so EVPN routes pass it, too; FRR leaves traffic of the \
                       overlay here. A `route-map` out in `address-family l2vpn evpn` says otherwise";
            self.differs(spot, how);
        }
        match (keys.is_empty(), inherits) {
            (true, true) => {}
            (true, false) => self.toml.line(spot, &format!("{name} = {{}}")),
            (false, _) => self.toml.keys(&format!("{name}."), &keys),
        }
    }

    /// FRR does nothing about a family that is not active, and says nothing.
    fn without_effect(&mut self, own: &PeerFamily) {
        let (import, export) = (&own.import, &own.export);
        let filters = [import, export].into_iter().flat_map(|it| {
            [
                &it.prefix_list,
                &it.access_list,
                &it.as_path_list,
                &it.route_map,
            ]
        });
        for put in filters.flatten().chain(own.keys.values()) {
            let how =
                "the family is not active for this neighbor, so the line has no effect, as in FRR";
            self.as_frr(put.spot, how);
        }
    }

    /// The route-maps by which a router is drained in FRR, by neighbour: every neighbour of the overlay
    /// is told unicast routes through one that makes all of them longer, and EVPN routes through none.
    /// With one neighbour less it is traffic engineering, and nobody's.
    fn drains(&self, router: &Router) -> BTreeMap<String, Put> {
        let mut drains = BTreeMap::new();
        for (name, peer) in router.peers.iter().filter(|(_, peer)| !peer.is_group) {
            let group = peer
                .group
                .as_ref()
                .and_then(|it| router.peers.get(&it.text));
            let group = group.filter(|it| it.is_group);
            let out = |family: Family| {
                let of_group = group.map(|it| it.families.of(family).export.clone());
                let own = &peer.families.of(family).export;
                own.or(&of_group.unwrap_or_default())
            };
            let of_overlay = active(router, peer, group, Family::Evpn);
            if !of_overlay || out(Family::Evpn) != Filters::default() {
                continue;
            }
            let unicast = [Family::Ipv4, Family::Ipv6].into_iter();
            let unicast = unicast.filter(|family| active(router, peer, group, *family));
            let mut maps = unicast.map(|family| self.lengthening(router, out(family)));
            match (maps.next(), maps.all(|map| map.is_some())) {
                (Some(Some(map)), true) => drains.insert(name.clone(), map),
                (_, _) => return BTreeMap::new(),
            };
        }
        drains
    }

    /// The route-map of these filters, if there is nothing else and it makes every path longer by our own
    /// AS number, and does nothing that another family would not understand.
    fn lengthening(&self, router: &Router, filters: Filters) -> Option<Put> {
        const ALSO: [&str; 3] = ["as_path_prepend", "metric", "community"];
        let map = filters.route_map.clone()?;
        let alone = Filters {
            route_map: Some(map.clone()),
            ..Filters::default()
        };
        let own = &router.asn.as_ref()?.text;
        // An entry without conditions is the last that is asked.
        let entry = self.site.maps.get(&map.text)?.values().next()?;
        let goes_on = ["call", "on_match"]
            .iter()
            .any(|key| entry.keys.contains_key(key));
        let plain = !entry.deny && entry.matches.is_empty() && !goes_on;
        let plain = plain && entry.sets.keys().all(|key| ALSO.contains(key));
        let prepend = &entry.sets.get("as_path_prepend")?.text;
        let mut prepended = prepend.trim_matches('"').split_whitespace();
        (filters == alone && plain && prepended.all(|asn| asn == own)).then_some(map)
    }

    /// The route-map of a direction: the neighbour's own, or one that stands for its filters, which
    /// come first.
    fn filter(&mut self, filters: &Filters, family: Family) -> Option<Put> {
        let v6 = family == Family::Ipv6;
        let Filters {
            prefix_list,
            access_list,
            as_path_list,
            route_map,
        } = filters;
        let first = [prefix_list, access_list, as_path_list, route_map];
        let spot = first.into_iter().flatten().next()?.spot;
        if let (None, None, None, Some(map)) = (prefix_list, access_list, as_path_list, route_map)
        {
            return Some(Put {
                text: quote(&map.text),
                spot: map.spot,
            });
        }
        if let (Some(list), Some(_)) = (access_list, prefix_list) {
            self.refuse(
                list.spot,
                "a neighbor has `prefix-list` or `distribute-list`, as in FRR",
            );
        }
        let mut words = Vec::new();
        let mut lines = Vec::new();
        let lists = [
            (prefix_list, "prefix-list", "match.prefix_list"),
            (access_list, "distribute-list", "match.prefix_list"),
            (as_path_list, "filter-list", "match.as_path_list"),
            (route_map, "route-map", "call"),
        ];
        for (put, word, key) in lists {
            let Some(put) = put else {
                continue;
            };
            let name = match word {
                "prefix-list" => self.list_name(&put.text, v6),
                "distribute-list" => crate::frr::shapes::access_name(&put.text, v6),
                _ => put.text.clone(),
            };
            words.push(format!("{word} {name}"));
            lines.push((put.spot, format!("{key} = {}", quote(&name))));
        }
        let whole = words.join(", ");
        let known = self.filters.contains_key(&whole);
        let name = self.name_filter(whole);
        if !known {
            let name = name.clone();
            let entries = vec![lines];
            self.made.push(Made {
                name,
                spot,
                entries,
            });
        }
        Some(Put {
            text: quote(&name),
            spot,
        })
    }

    /// Where FRR would exchange nothing and we do.
    fn about_policy(&mut self, router: &Router) {
        let asked = router.ebgp_requires_policy.is_some();
        if asked || self.site.datacenter || self.before((7, 4)) || router.peers.is_empty() {
            return;
        }
        self.remark_once(
            "without `bgp ebgp-requires-policy` a neighbor of another AS without route-maps is told \
             everything, and may tell everything, if both AS numbers are private; FRR would \
             exchange nothing. `bgp ebgp-requires-policy` forbids it here, too",
        );
    }
}

/// What `distance N PREFIX` says of a neighbor, or of a range of them: the longest prefix counts.
fn distance<'r>(router: &'r Router, family: Family, name: &str) -> Option<&'r Put> {
    let of: ipnetwork::IpNetwork = name.parse().ok()?;
    let of = bgp::Prefix::from(of);
    let all = router.families.of(family).distances.iter();
    let all = all.filter_map(|(prefix, put)| Some((prefix.parse::<bgp::Prefix>().ok()?, put)));
    let around = all.filter(|(prefix, _)| prefix.contains(of));
    let (_, put) = around.max_by_key(|(prefix, _)| prefix.len())?;
    Some(put)
}

/// Whether a neighbour or group has anything to do with a family.
pub(super) fn takes_part(router: &Router, (name, peer): (&str, &Peer), family: Family) -> bool {
    let group = peer.group.as_ref();
    let group = group.and_then(|it| router.peers.get(&it.text));
    match peer.is_group {
        true => carried(router, name, family),
        false => active(router, peer, group.filter(|it| it.is_group), family),
    }
}

/// Whether a neighbour carries a family: what it says, its group, or the router.
fn active(router: &Router, peer: &Peer, group: Option<&Peer>, family: Family) -> bool {
    let said = |peer: &Peer| peer.families.of(family).active.map(|it| it.on);
    said(peer)
        .or_else(|| said(group?))
        .unwrap_or_else(|| by_default(&router.default_active, family))
}

/// Whether a group has a family in TOML: it carries it itself, or somebody in it does.
fn carried(router: &Router, name: &str, family: Family) -> bool {
    let Some(group) = router.peers.get(name).filter(|it| it.is_group) else {
        return false;
    };
    let member = |peer: &&Peer| peer.group.as_ref().is_some_and(|it| it.text == name);
    active(router, group, None, family)
        || router
            .peers
            .values()
            .filter(member)
            .any(|peer| active(router, peer, Some(group), family))
}

/// Whether a neighbour is behind routers by what is written.
pub(super) fn is_far(peer: &Peer, group: Option<&Peer>) -> bool {
    let said = |key: &str| {
        let of_group = || group.and_then(|group| group.keys.get(key));
        peer.keys.get(key).or_else(of_group)
    };
    let hops = said("ttl_security").and_then(|put| put.text.parse::<u32>().ok());
    said("multihop").is_some() || hops.is_some_and(|hops| hops > 1)
}
