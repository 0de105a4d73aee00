//! `explain`: why a route is as it is, in the words of those who decided.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use bgp::Vni;
use bgp::evpn_route::{EvpnKey, MacAddress};
use bgp::rib::Advertisement;

use super::routes::covering;
use super::*;
use crate::core::Learned;
use crate::own_routes::{self, Origin};

mod missing;

/// Of several paths so many are told apart; `show routes --advertised` has all.
const NAMED_MAX: usize = 16;

/// Packets that take the path are dropped.
fn drops(path: &PathView) -> bool {
    path.attributes.notes().blackhole
}

impl Core {
    /// Explains at once, or beside the loop where the kernel's side has to be asked what is there
    /// in place of what was refused: an entry that could not be replaced stays.
    pub(super) fn answer_explain(&mut self, target: &str, answer: oneshot::Sender<Answer>) {
        let mut explained = match self.explain(target) {
            Ok(explained) => explained,
            Err(error) => return drop(answer.send(Err(error))),
        };
        let refused = self.refused_of(&explained);
        let kernel = self.hands.kernel.clone().filter(|_| !refused.is_empty());
        let Some(kernel) = kernel else {
            return drop(answer.send(Ok(Reply::Explain(explained))));
        };
        self.hand_over_changes();
        self.hands.spawner.blocking(move || {
            let entries = explained.entries.iter_mut();
            for entry in entries.flat_map(|it| it.kernel.iter_mut()) {
                let key = refused.get(&entry.entry).cloned();
                let status = key.and_then(|key| kernel.status(key).ok());
                if let Some(status) = status.filter(|it| !it.installed) {
                    entry.have = status.have;
                }
            }
            // An asker that went away is no error.
            drop(answer.send(Ok(Reply::Explain(explained))));
        });
    }

    /// The entries among these that the kernel refused, by what they are called.
    fn refused_of(&self, explained: &reply::Explain) -> HashMap<String, fib::Key> {
        let entries = explained.entries.iter().flat_map(|it| &it.kernel);
        let open = entries.filter(|it| !it.installed && it.error.is_some());
        let open: HashSet<&str> = open.map(|it| it.entry.as_str()).collect();
        if open.is_empty() {
            return HashMap::new();
        }
        let named = self.failed.keys().map(|key| (key.to_string(), key));
        named
            .filter(|(name, _)| open.contains(name.as_str()))
            .map(|(name, key)| (name, key.clone()))
            .collect()
    }

    fn explain(&self, target: &str) -> Result<reply::Explain, ErrorReply> {
        let entries = if let Ok(mac) = target.parse::<MacAddress>() {
            let known = self.explain_mac(mac);
            match known.is_empty() {
                true => self.explain_unimported(mac),
                false => known,
            }
        } else if let Ok(prefix) = target.parse::<Prefix>() {
            let host = Some(prefix).filter(|it| *it == Prefix::host(it.addr()));
            let hosts = host.map(|it| self.explain_host(it.addr()));
            let mut entries = hosts.unwrap_or_default();
            entries.extend(self.explain_prefix(prefix));
            entries.extend(self.explain_unused(prefix));
            entries
        } else {
            self.explain_key(target)
        };
        if entries.is_empty() {
            let mut hint =
                "give a prefix, an IP address, a MAC, or a route as show evpn routes prints it"
                    .to_owned();
            if self.config.l3vni.is_some() && self.config.name.is_some() {
                hint += "; what EVPN has for this VRF, used or not, says `rbgpctl explain` without \
                         `--instance`";
            }
            return Err(
                ErrorReply::not_found(format!("nothing is known of `{target}`")).hint(hint),
            );
        }
        Ok(reply::Explain {
            target: target.to_owned(),
            entries,
        })
    }

    fn explain_prefix(&self, prefix: Prefix) -> Vec<reply::Explained> {
        let host = prefix == Prefix::host(prefix.addr());
        let routes = covering(prefix)
            .take(if host { usize::MAX } else { 1 })
            .filter_map(|prefix| self.rib.route(&Nlri::from(prefix)));
        let found = routes.take(1).next();
        // A static route to a longer prefix is what packets take.
        let length = found.as_ref().and_then(|route| route.nlri.prefix());
        let length = length.map_or(0, |prefix| prefix.len());
        let fixed = self.static_prefix(prefix);
        let fixed = fixed.filter(|it| found.is_none() || it.len() > length);
        if let Some(prefix) = fixed {
            let (kernel, notes) = self.explained_statics(prefix);
            return vec![reply::Explained {
                subject: prefix.to_string(),
                family: Nlri::from(prefix).family().name().to_owned(),
                paths: Vec::new(),
                kernel,
                told: Vec::new(),
                notes: notes.into_iter().chain(self.own_notes(prefix)).collect(),
            }];
        }
        if let Some(route) = found {
            return vec![self.explained(&route)];
        }
        // What was written and is not there is worth a word.
        let written = covering(prefix).take(if host { usize::MAX } else { 1 });
        let written = written.map(|prefix| (prefix, self.own_notes(prefix)));
        let idle = written.filter(|(_, notes)| !notes.is_empty()).take(1);
        idle.map(|(prefix, notes)| reply::Explained {
            subject: prefix.to_string(),
            family: Nlri::from(prefix).family().name().to_owned(),
            paths: Vec::new(),
            kernel: Vec::new(),
            told: Vec::new(),
            notes,
        })
        .collect()
    }

    /// What the configuration has for exactly this prefix, and is worth a word.
    fn own_notes(&self, prefix: Prefix) -> Vec<String> {
        let notes = [
            self.aggregate_note(prefix),
            self.network_note(prefix),
            self.backdoor_note(prefix),
        ];
        notes.into_iter().flatten().collect()
    }

    fn backdoor_note(&self, prefix: Prefix) -> Option<String> {
        let distance = self.config.kernel.distance.backdoor;
        self.install.is_backdoor(prefix).then(|| {
            format!(
                "one of `backdoors`: what neighbors tell of it has distance {distance} in the kernel, so that \
                 other ways to it go before"
            )
        })
    }

    /// What an aggregate of exactly this prefix is made of, or why it is not there.
    fn aggregate_note(&self, prefix: Prefix) -> Option<String> {
        let mut all = self.rib.aggregates();
        let known = all.find(|it| it.aggregate.prefix == prefix)?;
        let routes = counted(known.routes, "more specific route", "more specific routes");
        Some(match known.idle {
            None => format!("aggregate of {routes}"),
            Some(idle) => format!("aggregate of {routes}, not there: {idle}"),
        })
    }

    fn explain_key(&self, target: &str) -> Vec<reply::Explained> {
        let keys = self.rib.evpn_keys().filter(|key| reads(key, target));
        // What is shown of a key does not always tell it from others, and one may have no path left.
        let mut routes = keys.filter_map(|key| self.rib.route(&Nlri::Evpn(key.clone())));
        let found = routes.next();
        found.iter().map(|route| self.explained(route)).collect()
    }

    fn explained(&self, route: &RouteView) -> reply::Explained {
        let nlri = &route.nlri;
        let paths = route
            .paths
            .iter()
            .map(|path| self.explained_path(nlri, path))
            .collect();
        let kernel = nlri
            .prefix()
            .filter(|_| nlri.family() != Family::Evpn)
            .map(|prefix| self.kernel_entry(self.route_key(prefix), route))
            .into_iter();
        let unicast = nlri.prefix().filter(|_| nlri.family() != Family::Evpn);
        let fixed = unicast.map(|prefix| self.explained_statics(prefix));
        let (fixed, fixed_notes) = fixed.unwrap_or_default();
        let kernel = kernel.chain(fixed).collect();
        let told = self
            .rib
            .advertisements(nlri)
            .iter()
            .filter_map(|it| self.told(nlri, it))
            .collect();
        let notes = nlri
            .prefix()
            .filter(|_| nlri.family() != Family::Evpn)
            .and_then(|prefix| self.beaten(&self.route_key(prefix)));
        let import_note = match nlri {
            Nlri::Evpn(key) => self.import_note(key),
            Nlri::V4(_) | Nlri::V6(_) => None,
        };
        reply::Explained {
            subject: nlri.to_string(),
            family: nlri.family().name().to_owned(),
            paths,
            kernel,
            told,
            notes: notes
                .into_iter()
                .chain(fixed_notes)
                .chain(
                    unicast
                        .into_iter()
                        .flat_map(|prefix| self.own_notes(prefix)),
                )
                .chain(import_note)
                .chain(self.hold_line())
                .collect(),
        }
    }

    fn explained_path(&self, nlri: &Nlri, path: &PathView) -> reply::ExplainedPath {
        let verdict = match (&path.rejection, path.lost) {
            (Some(rejection), _) => format!("not used: {rejection}"),
            (None, Some(step)) if path.multipath => {
                let step = self.config.bestpath.describe(step);
                format!("used beside the best path; not the best: {step}")
            }
            (None, Some(step)) => {
                format!("not the best: {}", self.config.bestpath.describe(step))
            }
            (None, None) => "best path".to_owned(),
        };
        let from = self
            .address_of(path.peer)
            .map(|address| address.to_string())
            .or_else(|| self.handover.port(path.peer).map(ToString::to_string))
            .unwrap_or_else(|| self.own_place(nlri, path));
        let policy = self.rib.import_trace(nlri, path).to_string();
        reply::ExplainedPath {
            from,
            route: Some(self.route_row(nlri, path, false)),
            chosen: path.best,
            verdict,
            policy: policy.lines().map(str::to_owned).collect(),
            routes: Vec::new(),
        }
    }

    /// `this router, redistributed from connected, dev eth0`.
    fn own_place(&self, nlri: &Nlri, path: &PathView) -> String {
        const HERE: &str = "this router";
        let prefix = nlri.prefix().filter(|_| nlri.family() != Family::Evpn);
        let origin = prefix.and_then(|it| self.own.origin(it, &self.install.ground));
        let taken_over = path.attributes.notes().source.is_some();
        match origin {
            Some(Origin::Redistributed { table, route }) if taken_over => {
                let source = own_routes::source(route);
                let table = match table == self.config.kernel.table {
                    true => String::new(),
                    false => format!(", table {table}"),
                };
                let ways = self.ways(route);
                format!("{HERE}, redistributed from {source}{table}{ways}")
            }
            Some(Origin::Network) if !taken_over => format!("{HERE}, one of `networks`"),
            Some(_) | None => HERE.to_owned(),
        }
    }

    fn kernel_entry(&self, key: fib::Key, route: &RouteView) -> reply::KernelEntry {
        let learned = route
            .paths
            .iter()
            .any(|path| path.best && (path.peer != PeerId::LOCAL || drops(path)));
        let hops: Vec<String> = route
            .paths
            .iter()
            .filter(|path| path.best || path.multipath)
            .map(|path| match drops(path) {
                true => "blackhole".to_owned(),
                false => self.way(path),
            })
            .collect();
        let installed = self.installed.contains((&self.rib, &self.evpn), &key);
        let error = match (self.failed.get(&key), learned && !installed) {
            (Some(error), _) => Some(error.clone()),
            (None, true) if self.hands.kernel.is_none() => {
                Some("the kernel is switched off in the configuration".to_owned())
            }
            (None, true) if self.is_kept_out(route) => {
                Some("`kernel_route_map` keeps it out of the kernel".to_owned())
            }
            (None, true) => {
                Some("the next hop is not reachable, or the kernel is busy".to_owned())
            }
            (None, false) => None,
        };
        reply::KernelEntry {
            entry: key.to_string(),
            want: learned.then(|| hops.join(", ")),
            have: installed.then(|| hops.join(", ")),
            installed,
            error,
        }
    }

    /// The family's map lets none of it into the kernel.
    fn is_kept_out(&self, route: &RouteView) -> bool {
        let best = route.paths.iter().find(|path| path.best);
        best.is_some_and(|best| self.install.notes(&route.nlri, &best.attributes).is_none())
    }

    /// `via 10.0.0.1`, or `dev blue` where a device stands for another table.
    fn way(&self, path: &PathView) -> String {
        let next_hop = self.rib.next_hop(path.peer, &path.attributes);
        match next_hop.zone().filter(|_| next_hop.ip().is_unspecified()) {
            Some(device) => format!("dev {device}"),
            None => format!("via {}", next_hop.ip()),
        }
    }

    fn told(&self, nlri: &Nlri, due: &Advertisement) -> Option<reply::Told> {
        let several = self.told_several(nlri, due.peer);
        let advertised = several.is_some() || due.result.is_ok();
        let why = match (several, &due.result) {
            (Some(several), _) => several,
            (None, Ok(attributes)) => format!("told {}", in_short(attributes)),
            (None, Err(withheld)) => format!("not told: {withheld}"),
        };
        Some(reply::Told {
            neighbor: self.address_of(due.peer)?,
            advertised,
            why,
            policy: due.trace.to_string().lines().map(str::to_owned).collect(),
        })
    }

    /// What a neighbour is told that takes several paths of a prefix: policy may refuse the best
    /// one and let others pass.
    fn told_several(&self, nlri: &Nlri, peer: PeerId) -> Option<String> {
        let neighbor = self.neighbors.get(&peer)?;
        let agreed = neighbor
            .negotiated()?
            .families
            .get(nlri.family())
            .as_ref()?;
        if !agreed.add_path_send {
            return None;
        }
        let told = self.rib.selected(nlri, rib::Select::Advertised(peer))?;
        let each = told.paths.iter().take(NAMED_MAX).map(|path| {
            let from = self.address_of(path.peer);
            let from = from.map_or_else(|| "this router".to_owned(), |it| it.to_string());
            let how = in_short(&path.attributes);
            format!("{} from {from} {how}", path.path_id)
        });
        let each: Vec<String> = each.collect();
        let more = match told.paths.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (!each.is_empty()).then(|| {
            format!(
                "told {} under identifiers: {}{more}",
                counted(told.paths.len(), "path", "paths"),
                each.join("; ")
            )
        })
    }

    /// An IP address in the overlay networks that have it: which MAC address, where, by which route.
    fn explain_host(&self, ip: IpAddr) -> Vec<reply::Explained> {
        let hosts = self.evpn.neighbours_of(ip);
        hosts.map(|host| self.explained_host(&host)).collect()
    }

    fn explained_host(&self, host: &evpn::NeighbourStatus) -> reply::Explained {
        let evpn::NeighbourStatus { vni, ip, mac, .. } = *host;
        let binds =
            |key: &EvpnKey| matches!(key, EvpnKey::MacIp { ip: Some(of), .. } if *of == ip);
        let status = self.evpn.mac(vni, mac);
        let own = status.as_ref().map(|status| self.own_keys(status));
        let own: Vec<EvpnKey> = own.into_iter().flatten().filter(binds).collect();
        let mut used: Vec<EvpnKey> = Vec::new();
        let mut paths = Vec::new();
        for candidate in self.evpn.explain(vni, mac) {
            let keys = match candidate.key.clone() {
                Some(key) => vec![key],
                None => own.clone(),
            };
            let here = candidate.key.is_none() && host.kind == evpn::Kind::Local;
            if !here && !keys.iter().any(binds) {
                continue;
            }
            if matches!(candidate.outcome, evpn::Outcome::Chosen(_)) {
                used.extend(keys.iter().cloned());
            }
            paths.extend(status.as_ref().map(|it| self.claim(it, &candidate, &keys)));
        }
        let place = match host.vtep {
            Some(vtep) => format!("behind {vtep}"),
            None => "at this site".to_owned(),
        };
        reply::Explained {
            subject: format!("{ip} in VNI {vni}"),
            family: Family::Evpn.name().to_owned(),
            paths,
            kernel: self.host_in_kernel(host).into_iter().collect(),
            told: self.told_of_all(&used),
            notes: vec![format!(
                "it is {mac}, {place}; `rbgpctl explain {mac}` says why there"
            )],
        }
    }

    /// A remote host's neighbour entry, which stands there for us.
    fn host_in_kernel(&self, host: &evpn::NeighbourStatus) -> Option<reply::KernelEntry> {
        let remote = host.kind == evpn::Kind::Remote && self.hands.kernel.is_some();
        let devices = self.devices.get(&host.vni).filter(|_| remote)?;
        let (device, ip) = (devices.bridge.clone(), host.ip);
        let key = fib::Key::Neighbour(fib::NeighbourKey { device, ip });
        let installed = self.installed.contains((&self.rib, &self.evpn), &key);
        let place = Some(format!("lladdr {}", host.mac));
        Some(reply::KernelEntry {
            entry: key.to_string(),
            want: place.clone(),
            have: place.filter(|_| installed),
            installed,
            error: self.failed.get(&key).cloned(),
        })
    }

    fn explain_mac(&self, mac: MacAddress) -> Vec<reply::Explained> {
        let known: Vec<evpn::MacStatus> = self
            .evpn
            .macs(None)
            .into_iter()
            .filter(|status| status.mac == mac)
            .collect();
        known
            .into_iter()
            .map(|status| self.explained_mac(&status))
            .collect()
    }

    /// The kernel learned a MAC address on a port, or forgot it.
    pub(in crate::core) fn note_learned(
        &mut self,
        vni: Vni,
        mac: MacAddress,
        port: Option<u32>,
        sticky: bool,
    ) {
        match port {
            None => {
                self.learned.remove(&(vni, mac));
            }
            Some(port) => {
                let since = Instant::now();
                let known = self.learned.entry((vni, mac));
                let known = known.or_insert(Learned {
                    port,
                    sticky,
                    since,
                });
                if known.port != port {
                    *known = Learned {
                        port,
                        sticky,
                        since,
                    };
                }
                known.sticky = sticky;
            }
        }
    }

    /// `port vm0 of bridge br100, learned 12 s ago`.
    fn place_of(&self, vni: Vni, mac: MacAddress) -> String {
        let bridge = self.config.vnis.iter().find(|config| config.id == vni);
        let bridge = bridge.map_or_else(String::new, |it| format!(" of bridge {}", it.bridge));
        let Some(learned) = self.learned.get(&(vni, mac)) else {
            return format!("this host{bridge}");
        };
        let link = self.install.ground.links.get(learned.port);
        let port = link.map_or_else(
            || format!("#{}", learned.port),
            |link| link.name.to_string(),
        );
        let ago = learned.since.elapsed().as_secs();
        format!("port {port}{bridge}, learned {ago} s ago")
    }

    fn explained_mac(&self, status: &evpn::MacStatus) -> reply::Explained {
        let own = self.own_keys(status);
        let mut paths: Vec<reply::ExplainedPath> = Vec::new();
        let mut used: Vec<EvpnKey> = Vec::new();
        for candidate in self.evpn.explain(status.vni, status.mac) {
            let chosen = matches!(candidate.outcome, evpn::Outcome::Chosen(_));
            let keys = match candidate.key.clone() {
                Some(key) => vec![key],
                None => own.clone(),
            };
            if chosen {
                used.extend(keys.iter().cloned());
            }
            let path = self.claim(status, &candidate, &keys);
            // A site announces a MAC address alone and with each of its IP addresses: one claim.
            let same = paths
                .iter_mut()
                .find(|other| (&other.from, &other.verdict) == (&path.from, &path.verdict));
            match same {
                Some(known) => known.routes.extend(path.routes),
                None => paths.push(path),
            }
        }
        let mut notes = vec![format!(
            "{}; moved {}",
            status.reason,
            counted(status.moves, "time", "times")
        )];
        notes.extend(status.conflict.map(|conflict| conflict.to_string()));
        reply::Explained {
            subject: format!("{} in VNI {}", status.mac, status.vni),
            family: Family::Evpn.name().to_owned(),
            paths,
            kernel: self.mac_in_kernel(status),
            told: self.told_of_all(&used),
            notes,
        }
    }

    /// Keys of the routes by which we announce a MAC address.
    fn own_keys(&self, status: &evpn::MacStatus) -> Vec<EvpnKey> {
        let vnis = self.evpn.vnis();
        let vni = vnis.iter().find(|vni| vni.vni == status.vni);
        let Some(rd) = vni.and_then(|vni| vni.rd) else {
            return Vec::new();
        };
        let addresses = status.ips.iter().copied().map(Some);
        std::iter::once(None)
            .chain(addresses)
            .map(|ip| EvpnKey::MacIp {
                rd,
                tag: 0,
                mac: status.mac,
                ip,
            })
            .filter(|key| {
                let route = self.rib.route(&Nlri::Evpn(key.clone()));
                route
                    .is_some_and(|route| route.paths.iter().any(|path| path.peer == PeerId::LOCAL))
            })
            .collect()
    }

    /// One site's claim to a MAC address.
    fn claim(
        &self,
        status: &evpn::MacStatus,
        candidate: &evpn::Candidate,
        keys: &[EvpnKey],
    ) -> reply::ExplainedPath {
        let local = candidate.key.is_none();
        let best = keys.iter().find_map(|key| {
            let route = self.rib.route(&Nlri::Evpn(key.clone()))?;
            let best = route.paths.into_iter().find(|path| path.best)?;
            Some((route.nlri, best))
        });
        let neighbor = best
            .as_ref()
            .and_then(|(_, best)| self.address_of(best.peer));
        let from = match (local, candidate.vtep, neighbor) {
            (true, ..) => self.place_of(status.vni, status.mac),
            (false, Some(vtep), Some(neighbor)) => {
                format!("tunnel endpoint {vtep}, told by {neighbor}")
            }
            (false, Some(vtep), None) => format!("tunnel endpoint {vtep}"),
            (false, None, _) => "an unknown tunnel endpoint".to_owned(),
        };
        reply::ExplainedPath {
            from,
            route: best.map(|(nlri, best)| self.route_row(&nlri, &best, false)),
            chosen: matches!(candidate.outcome, evpn::Outcome::Chosen(_)),
            verdict: format!(
                "{} (sequence {}{})",
                candidate.outcome,
                candidate.sequence,
                if candidate.sticky { ", static" } else { "" }
            ),
            policy: Vec::new(),
            routes: keys.iter().map(ToString::to_string).collect(),
        }
    }

    /// A remote address stands there for us, a local one because the bridge learned it.
    fn mac_in_kernel(&self, status: &evpn::MacStatus) -> Vec<reply::KernelEntry> {
        let Some(config) = self.config.vnis.iter().find(|it| it.id == status.vni) else {
            return Vec::new();
        };
        if status.kind == evpn::Kind::Local {
            let learned = self.learned.get(&(status.vni, status.mac));
            let link = learned.and_then(|it| self.install.ground.links.get(it.port));
            return link
                .map(|link| {
                    let place = Some(format!("learned by bridge {}", config.bridge));
                    reply::KernelEntry {
                        entry: format!("fdb {} dev {}", status.mac, link.name),
                        want: place.clone(),
                        have: place,
                        installed: true,
                        error: None,
                    }
                })
                .into_iter()
                .collect();
        }
        let key = Self::fdb_key(config, status.mac);
        let installed = self.installed.contains((&self.rib, &self.evpn), &key);
        let place = status.vtep.map(|vtep| format!("dst {vtep}"));
        vec![reply::KernelEntry {
            entry: key.to_string(),
            want: place.clone(),
            have: place.filter(|_| installed),
            installed,
            error: self.failed.get(&key).cloned(),
        }]
    }

    /// Who is told of these routes: a line for each neighbour and answer, which names the routes
    /// where not all have the same.
    fn told_of_all(&self, keys: &[EvpnKey]) -> Vec<reply::Told> {
        let mut all: Vec<(reply::Told, Vec<String>)> = Vec::new();
        for key in keys {
            let nlri = Nlri::Evpn(key.clone());
            for told in self
                .rib
                .advertisements(&nlri)
                .iter()
                .filter_map(|it| self.told(&nlri, it))
            {
                match all.iter_mut().find(|(known, _)| *known == told) {
                    Some((_, routes)) => routes.push(nlri.to_string()),
                    None => all.push((told, vec![nlri.to_string()])),
                }
            }
        }
        all.sort_by_key(|(told, _)| told.neighbor);
        all.into_iter()
            .map(|(mut told, routes)| {
                if routes.len() < keys.len() {
                    told.why.push_str(&format!(": {}", routes.join(", ")));
                }
                told
            })
            .collect()
    }
}

/// A key is shown like this. It is compared while it is written, and most are given up after a few octets.
fn reads(key: &EvpnKey, text: &str) -> bool {
    struct Rest<'a>(&'a str);
    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    write!(rest, "{key}").is_ok() && rest.0.is_empty()
}

fn in_short(attributes: &Attributes) -> String {
    format!(
        "with next hop {} and AS path length {}",
        attributes.next_hop().addr(),
        attributes.as_path_length()
    )
}
