//! Writes a site as TOML that means the same, each line with the line of FRR's that it is from.
//!
//! What stands in no line is decided here: where FRR's default differs from ours, FRR's is written.
//! Where FRR would do what nobody means, the [remarks](super::Translation::remarks) say so. Whether
//! values are right, and whether they go together, is seen when the TOML is read.

mod bfd;
mod evpn;
mod imports;
mod interface;
mod missing;
mod peers;
mod policy;
mod rpki;
mod static_route;

use std::collections::BTreeMap;

use super::Spot;
use super::host::{self, Host};
use super::model::{Families, Family, Keys, Put, Router, Site, Switch, Unicast, quote};
use crate::config::Config;

/// Lines of TOML with where they are from.
#[derive(Debug, Default)]
pub(super) struct Toml {
    pub(super) text: String,
    pub(super) spots: Vec<Spot>,
}

impl Toml {
    pub(super) fn line(&mut self, spot: Spot, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.spots.push(spot);
    }

    fn header(&mut self, spot: Spot, header: &str) {
        self.line(spot, "");
        self.line(spot, header);
    }

    fn value(&mut self, key: &str, put: &Put) {
        self.line(put.spot, &format!("{key} = {}", put.text));
    }

    /// Keys beneath a prefix. One that is a table does not stand as a plain value, too.
    fn keys(&mut self, prefix: &str, keys: &Keys) {
        for (key, put) in keys {
            let inner = format!("{key}.");
            let filled = keys.keys().any(|other| other.starts_with(&inner));
            let off = |key: &str| keys.get(key).is_some_and(|put| put.text == "false");
            let within = key.split_once('.').map(|(table, _)| table);
            let dropped = filled && put.text != "false" || within.is_some_and(off);
            if !dropped {
                self.value(&format!("{prefix}{key}"), put);
            }
        }
    }

    /// A list, an item a line.
    fn list(&mut self, key: &str, items: &[Put]) {
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return;
        };
        self.line(first.spot, &format!("{key} = ["));
        for item in items {
            self.line(item.spot, &format!("    {},", item.text));
        }
        self.line(last.spot, "]");
    }
}

/// What is to be said about a line once the whole is known.
#[derive(Debug, Clone)]
pub(super) enum Note {
    /// It does what it does in FRR.
    AsFrr(String),
    /// It does something else.
    Differs(String),
    /// It cannot be.
    Refused(String),
}

/// A route-map that no line is the head of.
struct Made {
    name: String,
    spot: Spot,
    /// Each permits.
    entries: Vec<Vec<(Spot, String)>>,
}

/// What is known once the whole is read.
pub(super) struct Whole<'s> {
    pub(super) site: &'s Site,
    pub(super) host: &'s Host,
    pub(super) toml: Toml,
    /// About the file as a whole.
    pub(super) remarks: Vec<String>,
    /// About lines.
    pub(super) notes: Vec<(Spot, Note)>,
    /// Route-maps that stand for the filters of neighbours, by what they do.
    filters: BTreeMap<String, String>,
    made: Vec<Made>,
    missing: missing::Missing,
    /// Lines that refer to what is not there, with what becomes of that.
    pub(super) nowhere: Vec<(Spot, String)>,
}

/// Writes the whole.
pub(super) fn write<'s>(site: &'s Site, host: &'s Host) -> Whole<'s> {
    let mut whole = Whole {
        site,
        host,
        toml: Toml::default(),
        remarks: site.remarks.clone(),
        notes: (site.as_frr.iter())
            .map(|(spot, how)| (*spot, Note::AsFrr(how.clone())))
            .collect(),
        filters: BTreeMap::new(),
        made: Vec::new(),
        missing: missing::Missing::default(),
        nowhere: Vec::new(),
    };
    whole.find_missing();
    let overlay = evpn::Overlay::of(&mut whole);
    whole.top(&overlay);
    let vrfs = whole.vrfs();
    for vrf in &vrfs {
        whole.instance(vrf, &overlay);
    }
    whole.lists();
    whole.route_maps();
    whole.bfd();
    whole.rpki();
    whole.interfaces();
    whole.advertisements();
    whole
}

impl<'s> Whole<'s> {
    fn differs(&mut self, spot: Spot, how: impl Into<String>) {
        self.notes.push((spot, Note::Differs(how.into())));
    }

    /// So does FRR, though somebody may have meant something else.
    fn as_frr(&mut self, spot: Spot, how: impl Into<String>) {
        self.notes.push((spot, Note::AsFrr(how.into())));
    }

    fn refuse(&mut self, spot: Spot, why: impl Into<String>) {
        self.notes.push((spot, Note::Refused(why.into())));
    }

    /// VRFs with BGP, with static routes, with an L3 VNI or with importers, for which FRR makes a router
    /// by itself.
    fn vrfs(&self) -> Vec<String> {
        let site = self.site;
        let routers = site.routers.keys().flatten().cloned();
        let both = |it: &'s Router| [it.families.of(Family::Ipv4), it.families.of(Family::Ipv6)];
        let imported = site.routers.values().flat_map(both);
        let l3vnis = site.vrfs.iter().filter(|(_, vrf)| vrf.vni.is_some());
        let mut all: Vec<String> = routers
            .chain(l3vnis.map(|(name, _)| name.clone()))
            .chain(imported.flat_map(|it| it.imports.keys().flatten().cloned()))
            .chain(site.static_routes.keys().filter_map(|key| key.vrf.clone()))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn top(&mut self, overlay: &evpn::Overlay) {
        let empty = Router::default();
        let site = self.site;
        let any = site.routers.values().next();
        let router = site.routers.get(&None);
        let none = Spot::default();
        match router.or(any).and_then(|router| router.asn.as_ref()) {
            Some(asn) => self.toml.value("asn", asn),
            None => {
                self.remarks.push(
                    "there is no `router bgp`: rbgpd speaks with nobody until there is one"
                        .to_owned(),
                );
                self.toml.line(none, &format!("asn = {}", Config::NO_ASN));
            }
        }
        let id = self.router_id(router.unwrap_or(&empty));
        self.toml.value("router_id", &id);
        if router.is_none() {
            self.toml.line(none, "listen = []");
        }
        for (key, value) in [
            ("hostname", &site.hostname),
            ("domainname", &site.domainname),
        ] {
            if let Some(value) = value {
                self.toml.value(&format!("router.{key}"), value);
            }
        }
        for (key, value) in &site.log {
            self.toml.value(&format!("log.{key}"), value);
        }
        if let Some(spot) = site.debug.values().next() {
            let all: Vec<String> = site.debug.keys().map(|it| quote(&it.to_string())).collect();
            let value = format!("[{}]", all.join(", "));
            self.toml.value(
                "log.debug",
                &Put {
                    text: value,
                    spot: *spot,
                },
            );
        }
        self.forwarding();
        let router = router.unwrap_or(&empty);
        self.settings(router, None);
        self.evpn(overlay);
        match &overlay.main {
            Some(l3vni) => self.l3vni(l3vni, router, overlay),
            None => self.evpn_without_l3vni(router),
        }
        self.neighbors("", router);
        self.imports("", router);
        self.static_routes("", None);
        self.vnis(overlay);
    }

    fn instance(&mut self, vrf: &str, overlay: &evpn::Overlay) {
        let site = self.site;
        let empty = Router::default();
        let key = Some(vrf.to_owned());
        let (router, default) = (site.routers.get(&key), site.routers.get(&None));
        let spot = router.and_then(|it| it.asn.as_ref()).map(|it| it.spot);
        let l3vni = site.vrfs.get(vrf).and_then(|it| it.vni.as_ref());
        let routed = site
            .static_routes
            .iter()
            .find(|(key, _)| key.vrf == Some(vrf.to_owned()));
        let routed = routed.and_then(|(_, route)| static_route::first(route));
        let spot = spot
            .or(l3vni.map(|it| it.spot))
            .or(routed)
            .unwrap_or_default();
        self.toml.header(spot, "[[instance]]");
        let name = self.instance_name(vrf, spot);
        self.toml.line(spot, &format!("name = {}", quote(&name)));
        match router.is_some_and(|it| it.view) {
            true => self.view(vrf, spot),
            false => self.toml.line(spot, &format!("vrf = {}", quote(vrf))),
        }
        let any = site.routers.values().next();
        let own = router.or(default).or(any).and_then(|it| it.asn.as_ref());
        match own {
            Some(asn) => self.toml.value("asn", asn),
            None => self.toml.line(spot, "asn = 64512"),
        }
        let router = router.unwrap_or(&empty);
        let id = match (router.keys.get("router_id"), default) {
            (Some(id), _) => id.clone(),
            (None, Some(default)) => self.router_id(default),
            (None, None) => self.router_id(&empty),
        };
        self.toml.value("router_id", &id);
        self.settings(router, Some(vrf));
        match l3vni {
            Some(l3vni) => self.l3vni(l3vni, router, overlay),
            None => self.evpn_without_l3vni(router),
        }
        let only = site.vrfs.get(vrf).and_then(|it| it.prefix_routes_only);
        if let (Some(_), Some(spot)) = (l3vni, only) {
            self.toml.line(spot, "l3vni.prefix_routes_only = true");
        }
        self.evpn_of_a_vrf(router);
        self.neighbors("instance.", router);
        self.imports("instance.", router);
        self.static_routes("instance.", Some(vrf));
    }

    /// What a view is: nothing of its tables is in the kernel. One instance listens outside of VRFs.
    fn view(&mut self, name: &str, spot: Spot) {
        let distance = "kernel.distance = { external = 255, internal = 255 }";
        self.toml.line(spot, distance);
        let routers = &self.site.routers;
        let mut views = routers.iter().filter(|(_, it)| it.view);
        let first = views.next().and_then(|(key, _)| key.as_deref());
        if routers.contains_key(&None) || first != Some(name) {
            self.toml.line(spot, "listen = []");
            let how = "another router listens outside of VRFs: the neighbors of this one are connected to from here, \
                       and have to listen";
            self.differs(spot, how);
        }
    }

    /// Instances have names that commands and files can have.
    fn instance_name(&mut self, vrf: &str, spot: Spot) -> String {
        let name = name_of(vrf);
        if name != vrf {
            self.as_frr(spot, format!("the instance of VRF {vrf} is called {name}"));
        }
        name
    }

    fn router_id(&mut self, router: &Router) -> Put {
        if let Some(id) = router
            .keys
            .get("router_id")
            .or(self.site.router_id.as_ref())
        {
            return id.clone();
        }
        let spot = router.asn.as_ref().map_or(Spot::default(), |asn| asn.spot);
        if let Some(running) = self.host.identifier {
            return Put {
                text: quote(&running.to_string()),
                spot,
            };
        }
        // Those of the file are the host's when it runs, though they may not be there yet; others come
        // and go, so they count where the file has none.
        let (of_file, of_host) = (self.site.addresses(), &self.host.addresses);
        let of_file: Vec<_> = of_file.collect();
        let both = [of_file.as_slice(), of_host].concat();
        let loopback = host::identifier(&both).filter(|(device, _)| device == "lo");
        let found = loopback.or_else(|| host::identifier(&of_file));
        let found = found.or_else(|| host::identifier(of_host));
        let text = found.map_or("0.0.0.0".to_owned(), |(_, address)| address.to_string());
        if let (Some((device, address)), false) = (found, router.asn.is_none()) {
            let said = format!(
                "no `bgp router-id` is written: {address} of {device} is taken, as FRR would; write \
                 it down so that it stays"
            );
            if !self.remarks.contains(&said) {
                self.remarks.push(said);
            }
        }
        // Without BGP nobody sees it.
        let text = match (text.as_str(), router.asn.is_none()) {
            ("0.0.0.0", true) => "127.0.0.1".to_owned(),
            (_, _) => text,
        };
        Put {
            text: quote(&text),
            spot,
        }
    }

    /// Everything but neighbours.
    fn settings(&mut self, router: &Router, vrf: Option<&str>) {
        let mut keys = router.keys.clone();
        keys.remove("router_id");
        for (key, put) in self.site.of_all.iter().filter(|_| router.asn.is_some()) {
            keys.entry(*key).or_insert_with(|| put.clone());
        }
        match router.ebgp_requires_policy {
            Some(switch) => {
                let put = Put {
                    text: switch.on.to_string(),
                    spot: switch.spot,
                };
                keys.insert("ebgp_requires_policy", put);
            }
            None => {
                // FRR asks for policy since 7.4, but not with these defaults.
                let spot = router.asn.as_ref().map(|asn| asn.spot);
                if let Some(spot) = spot.filter(|_| self.site.datacenter || self.before((7, 4))) {
                    let text = "false".to_owned();
                    keys.insert("ebgp_requires_policy", Put { text, spot });
                }
            }
        }
        if let (true, Some(asn)) = (self.site.datacenter, &router.asn) {
            for key in super::shapes::SHOWN_NAMES {
                keys.entry(key).or_insert_with(|| asn.with("true"));
            }
        }
        if let [.., last] = router.confederation_members.as_slice() {
            let all = router
                .confederation_members
                .iter()
                .map(|it| it.text.as_str());
            let text = format!("[{}]", all.collect::<Vec<_>>().join(", "));
            let spot = last.spot;
            keys.insert("router.confederation_members", Put { text, spot });
        }
        self.toml.keys("", &keys);
        if router.asn.is_some() {
            for family in [Family::Ipv4, Family::Ipv6] {
                self.unicast(family, router, vrf);
            }
        }
    }

    /// Whether the file is of an FRR that is older; one without a version is taken to be new.
    fn before(&self, version: (u32, u32)) -> bool {
        self.site.version.is_some_and(|of| of < version)
    }

    fn unicast(&mut self, family: Family, router: &Router, vrf: Option<&str>) {
        let unicast: &Unicast = router.families.of(family);
        let key = family.key();
        let spot = router.asn.as_ref().map_or(Spot::default(), |asn| asn.spot);
        // FRR uses as many paths as it was built for, unless a line says otherwise.
        let paths = unicast.paths.as_ref().or(unicast.ibgp_paths.as_ref());
        if let (Some(one), Some(ibgp)) = (&unicast.paths, &unicast.ibgp_paths)
            && one.text != ibgp.text
        {
            let how = format!("one number is for all paths: {}", one.text);
            self.differs(ibgp.spot, how);
        }
        match paths {
            Some(paths) => self.toml.value(&format!("{key}.multipath.paths"), paths),
            None => self
                .toml
                .line(spot, &format!("{key}.multipath.paths = 256")),
        }
        if let Some(relax) = router.relax.filter(|relax| relax.on) {
            self.toml
                .line(relax.spot, &format!("{key}.multipath.as_path_relax = true"));
        }
        let kernel_map = (vrf.map(str::to_owned), family);
        if let Some(map) = self.site.kernel_maps.get(&kernel_map) {
            self.toml.value(&format!("{key}.kernel_route_map"), map);
        }
        let exact = router.import_check.is_some_and(|it| it.on);
        let unchecked = router.import_check.is_some_and(|it| !it.on) || self.before((7, 4));
        let mut networks = Vec::new();
        for (prefix, (map, spot)) in &unicast.networks {
            let mut text = format!("{{ prefix = {}", quote(prefix));
            match (exact, unchecked) {
                (true, _) => text.push_str(", require_route = true"),
                (false, true) => {}
                (false, false) => text.push_str(", require_route = \"or_more_specific\""),
            }
            if let Some(map) = map {
                text.push_str(&format!(", route_map = {}", map.text));
            }
            text.push_str(" }");
            networks.push(Put { text, spot: *spot });
        }
        if !networks.is_empty() && !exact && !unchecked {
            let said = "`network P` is announced while the kernel has a route to P or to a prefix within; \
                        FRR wants exactly P (`bgp network import-check` says so here, too)";
            self.remark_once(said);
        }
        self.toml.list(&format!("{key}.networks"), &networks);
        let backdoors = unicast.backdoors.iter().map(|(prefix, spot)| Put {
            text: quote(prefix),
            spot: *spot,
        });
        let backdoors: Vec<Put> = backdoors.collect();
        self.toml.list(&format!("{key}.backdoors"), &backdoors);
        let redistribute = unicast.redistribute.values().map(with_metric);
        let redistribute: Vec<Put> = redistribute.filter_map(|it| inline(&it)).collect();
        self.toml
            .list(&format!("{key}.redistribute"), &redistribute);
        let aggregates: Vec<Put> = unicast.aggregates.values().filter_map(inline).collect();
        self.toml.list(&format!("{key}.aggregates"), &aggregates);
    }

    /// One map of those that two families have: where they differ, each is called for its own.
    fn by_family(&mut self, what: &str, maps: [(Family, Option<&Put>); 2]) -> Option<Put> {
        let [(_, one), (_, two)] = maps;
        let spot = one.or(two)?.spot;
        let text = |put: Option<&Put>| put.map(|it| it.text.clone());
        if text(one) == text(two) {
            return one.cloned();
        }
        let mut name = what.to_owned();
        let mut entries = Vec::new();
        for (family, map) in maps {
            let spot = map.map_or(spot, |it| it.spot);
            let mut lines = vec![(spot, format!("match.family = \"{}\"", family.key()))];
            if let Some(map) = map {
                name.push_str(&format!(" {}", map.text.trim_matches('"')));
                lines.push((spot, format!("call = {}", map.text)));
            }
            entries.push(lines);
        }
        let name = self.name_filter(name);
        if !self.made.iter().any(|it| it.name == name) {
            let name = name.clone();
            self.made.push(Made {
                name,
                spot,
                entries,
            });
        }
        let text = quote(&name);
        Some(Put { text, spot })
    }

    /// A name for a map by what it does, where that is not too long for one.
    fn name_filter(&mut self, whole: String) -> String {
        let count = self.filters.len();
        let name = match (self.filters.get(&whole), whole.chars().count()) {
            (Some(name), _) => name.clone(),
            (None, ..64) => whole.clone(),
            (None, _) => format!("filters {count}"),
        };
        self.filters.insert(whole, name.clone());
        name
    }

    fn remark_once(&mut self, said: &str) {
        if !self.remarks.iter().any(|it| it == said) {
            self.remarks.push(said.to_owned());
        }
    }
}

/// What the instance of a VRF is called: what commands and files can have as a name.
pub(super) fn name_of(vrf: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let name: String = vrf.chars().map(plain).collect();
    let name: String = name.trim_start_matches('-').chars().take(32).collect();
    match name.as_str() {
        "" | "default" => format!("vrf-{name}"),
        _ => name,
    }
}

/// FRR's own routes have no metric but a distance, and what the kernel has of them says nothing.
fn with_metric(keys: &Keys) -> Keys {
    let mut keys = keys.clone();
    let source = keys.get("source").cloned();
    let plain = source.filter(|it| matches!(it.text.as_str(), "\"connected\"" | "\"static\""));
    if let Some(Put { spot, .. }) = plain {
        let text = "0".to_owned();
        keys.entry("metric").or_insert(Put { text, spot });
    }
    keys
}

/// Keys as a table on one line.
fn inline(keys: &Keys) -> Option<Put> {
    let spot = keys.values().next()?.spot;
    let pairs: Vec<String> = keys
        .iter()
        .map(|(key, put)| format!("{key} = {}", put.text))
        .collect();
    let text = format!("{{ {} }}", pairs.join(", "));
    Some(Put { text, spot })
}

/// Whether a family is active where neither neighbour nor group says so.
fn by_default(default: &Families<Option<Switch>>, family: Family) -> bool {
    let said = default.of(family).map(|it| it.on);
    said.unwrap_or(family == Family::Ipv4)
}
