//! `explain`: why a route is as it is, in the words of those who decided.

use bgp::evpn_route::MacAddress;
use bgp::rib::Advertisement;

use super::*;

impl Core {
    pub(super) fn explain(&self, target: &str) -> Result<reply::Explain, ErrorReply> {
        let entries = if let Ok(mac) = target.parse::<MacAddress>() {
            self.explain_mac(mac)
        } else if let Ok(prefix) = target.parse::<Prefix>() {
            self.explain_prefix(prefix)
        } else {
            self.explain_key(target)
        };
        if entries.is_empty() {
            return Err(
                ErrorReply::not_found(format!("nothing is known of `{target}`")).hint(
                    "give a prefix, an address, a MAC, or a route as show evpn routes prints it",
                ),
            );
        }
        Ok(reply::Explain {
            target: target.to_owned(),
            entries,
        })
    }

    fn explain_prefix(&self, prefix: Prefix) -> Vec<reply::Explained> {
        let host = prefix == Prefix::host(prefix.addr());
        let lens = (0..=prefix.len()).rev().take(if host { 129 } else { 1 });
        let covering = lens.filter_map(|len| Prefix::new(prefix.addr(), len));
        covering
            .filter_map(|prefix| self.rib.route(&Nlri::from(prefix)))
            .take(1)
            .map(|route| self.explained(&route))
            .collect()
    }

    fn explain_key(&self, target: &str) -> Vec<reply::Explained> {
        let mut found = None;
        self.rib.visit(Family::Evpn, rib::Select::All, |route| {
            let wanted = route.nlri.to_string() == target;
            if wanted {
                found = Some(route);
            }
            !wanted
        });
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
            .into_iter()
            .collect();
        let told = self
            .rib
            .advertisements(nlri)
            .iter()
            .filter_map(|it| self.told(it))
            .collect();
        reply::Explained {
            subject: nlri.to_string(),
            family: nlri.family().name().to_owned(),
            paths,
            kernel,
            told,
            notes: Vec::new(),
        }
    }

    fn explained_path(&self, nlri: &Nlri, path: &PathView) -> reply::ExplainedPath {
        let verdict = match (&path.rejection, path.lost) {
            (Some(rejection), _) => format!("not used: {rejection}"),
            (None, Some(step)) if path.multipath => {
                format!("used beside the best path; not the best: {step}")
            }
            (None, Some(step)) => format!("not the best: {step}"),
            (None, None) => "best path".to_owned(),
        };
        let from = self
            .address_of(path.peer)
            .map_or_else(|| "this router".to_owned(), |address| address.to_string());
        let policy = self.rib.import_trace(nlri, path).to_string();
        reply::ExplainedPath {
            from,
            route: Some(self.route_row(nlri, path, false)),
            chosen: path.best,
            verdict,
            policy: policy.lines().map(str::to_owned).collect(),
        }
    }

    fn kernel_entry(&self, key: fib::Key, route: &RouteView) -> reply::KernelEntry {
        let learned = route
            .paths
            .iter()
            .any(|path| path.best && path.peer != PeerId::LOCAL);
        let hops: Vec<String> = route
            .paths
            .iter()
            .filter(|path| path.best || path.multipath)
            .map(|path| format!("via {}", path.attributes.next_hop().addr()))
            .collect();
        let installed = self.installed.contains(&key);
        let error = match (self.failed.get(&key), learned && !installed) {
            (Some(error), _) => Some(error.clone()),
            (None, true) if self.hands.kernel.is_none() => {
                Some("the kernel is switched off in the configuration".to_owned())
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

    fn told(&self, due: &Advertisement) -> Option<reply::Told> {
        let why = match &due.result {
            Ok(attributes) => format!(
                "told with next hop {} and AS path length {}",
                attributes.next_hop().addr(),
                attributes.as_path_length()
            ),
            Err(withheld) => format!("not told: {withheld}"),
        };
        Some(reply::Told {
            neighbor: self.address_of(due.peer)?,
            advertised: due.result.is_ok(),
            why,
            policy: due.trace.to_string().lines().map(str::to_owned).collect(),
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

    fn explained_mac(&self, status: &evpn::MacStatus) -> reply::Explained {
        let paths = self
            .evpn
            .explain(status.vni, status.mac)
            .into_iter()
            .map(|candidate| {
                let route = candidate
                    .key
                    .map(Nlri::Evpn)
                    .and_then(|nlri| self.rib.route(&nlri));
                let row = route.as_ref().and_then(|route| {
                    let best = route.paths.iter().find(|path| path.best)?;
                    Some((
                        self.route_row(&route.nlri, best, false),
                        self.address_of(best.peer),
                    ))
                });
                let from = match (&row, candidate.vtep) {
                    (Some((_, Some(neighbor))), Some(vtep)) => {
                        format!("tunnel endpoint {vtep}, told by {neighbor}")
                    }
                    (_, Some(vtep)) => format!("tunnel endpoint {vtep}"),
                    (_, None) => "a port of this host".to_owned(),
                };
                reply::ExplainedPath {
                    from,
                    route: row.map(|(row, _)| row),
                    chosen: matches!(candidate.outcome, evpn::Outcome::Chosen(_)),
                    verdict: candidate.outcome.to_string(),
                    policy: vec![format!(
                        "sequence {}{}",
                        candidate.sequence,
                        if candidate.sticky { ", sticky" } else { "" }
                    )],
                }
            })
            .collect();
        let kernel = self
            .config
            .vnis
            .iter()
            .filter(|config| config.id == status.vni && status.kind == evpn::Kind::Remote)
            .map(|config| {
                let device = config.vxlan.as_str().into();
                let key = fib::Key::Fdb(fib::FdbKey {
                    device,
                    mac: fib::Mac(status.mac.0),
                });
                let installed = self.installed.contains(&key);
                let place = status.vtep.map(|vtep| format!("dst {vtep}"));
                reply::KernelEntry {
                    entry: key.to_string(),
                    want: place.clone(),
                    have: place.filter(|_| installed),
                    installed,
                    error: self.failed.get(&key).cloned(),
                }
            })
            .collect();
        reply::Explained {
            subject: format!("{} in VNI {}", status.mac, status.vni),
            family: Family::Evpn.name().to_owned(),
            paths,
            kernel,
            told: Vec::new(),
            notes: vec![format!("{}; moved {} times", status.reason, status.moves)],
        }
    }
}
