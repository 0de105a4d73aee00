//! Static routes as they stand: for `show static`, and for `explain`.

use super::*;
use crate::config::{StaticNextHop, StaticWay};
use crate::statics::{Standing, Statics};

impl Core {
    pub(super) fn static_routes(&self) -> reply::StaticRoutes {
        let all = self.statics.all(&self.install, &self.rib);
        let routes = all.map(|standing| self.static_route(&standing));
        reply::StaticRoutes {
            kernel_enabled: self.hands.kernel.is_some(),
            routes: routes.collect(),
        }
    }

    /// What FRR has left, or sets beside us, is not ours to remove.
    pub(super) fn static_notice(&self) -> Option<String> {
        let mut behind = self.statics.before_frrs(&self.install.ground);
        let first = behind.next()?;
        let count = counted(
            behind.count().saturating_add(1),
            "route of FRR's staticd stands",
            "routes of FRR's staticd stand",
        );
        Some(format!(
            "{count} behind static routes of ours, the first to {first}: take `ip route` lines out of FRR's \
             file; what an FRR that is no more has left goes with `ip route flush proto 196` (`ip -6`)"
        ))
    }

    fn static_route(&self, standing: &Standing<'_>) -> reply::StaticRoute {
        let route = standing.route;
        let key = self.static_key(standing);
        let (state, why) = match standing.used {
            Some(_) if self.installed.contains((&self.rib, &self.evpn), &key) => {
                ("installed", standing.why.clone())
            }
            Some(_) => match self.failed.get(&key) {
                Some(error) => ("refused", Some(error.clone())),
                None => ("pending", None),
            },
            None if self.hands.kernel.is_none() => ("unused", Some(NO_KERNEL.to_owned())),
            None if self.is_used(standing) => ("standby", standing.why.clone()),
            None => ("unusable", standing.why.clone()),
        };
        let (kind, next_hops) = match &route.way {
            StaticWay::Via(hops) => ("unicast", hops.iter().map(configured).collect()),
            StaticWay::Refuse(refusal) => (refusal.name(), Vec::new()),
        };
        let ways = standing.used.map(|it| it.next_hops.as_slice());
        let ways = ways
            .unwrap_or_default()
            .iter()
            .map(|hop| self.leads_where(hop));
        reply::StaticRoute {
            prefix: route.key.prefix.to_string(),
            table: standing.table,
            distance: route.key.distance,
            kind: kind.to_owned(),
            next_hops,
            state: state.to_owned(),
            ways: ways.collect(),
            why,
            tag: route.tag,
            src: route.src,
        }
    }

    /// One of the routes to its prefix in its table is in use.
    fn is_used(&self, standing: &Standing<'_>) -> bool {
        let prefix = standing.route.key.prefix;
        self.install.ground.fixed(standing.table, prefix).is_some()
    }

    fn static_key(&self, standing: &Standing<'_>) -> fib::Key {
        let share = self.hands.kernel.as_ref().map(|kernel| kernel.share());
        let place = (standing.table, standing.route.key.prefix);
        Statics::key(place, share.unwrap_or_default())
    }

    /// `via 10.0.0.1 dev eth0 weight 2`.
    fn leads_where(&self, hop: &fib::NextHop) -> String {
        let mut text = self.hop(hop);
        if hop.weight > 1 {
            text.push_str(&format!(" weight {}", hop.weight));
        }
        if hop.onlink {
            text.push_str(" onlink");
        }
        text
    }

    /// The longest prefix around a target that a static route leads to.
    pub(super) fn static_prefix(&self, target: Prefix) -> Option<Prefix> {
        match target == Prefix::host(target.addr()) {
            true => self.statics.longest(target),
            false => self.statics.longest(target).filter(|it| *it == target),
        }
    }

    /// What the kernel has for the static routes to a prefix, and what is to be said of them.
    pub(super) fn explained_statics(
        &self,
        prefix: Prefix,
    ) -> (Vec<reply::KernelEntry>, Vec<String>) {
        let (mut entries, mut notes) = (Vec::new(), Vec::new());
        for standing in self.statics.to(prefix, &self.install, &self.rib) {
            let known = self.static_route(&standing);
            let name = standing.route.key;
            let text = match known.kind.as_str() {
                "unicast" => known.ways.join(", "),
                kind => kind.to_owned(),
            };
            let key = self.static_key(&standing);
            if standing.used.is_some() {
                let installed = known.state == "installed";
                entries.push(reply::KernelEntry {
                    entry: format!("{key} metric {}", name.distance),
                    want: Some(text.clone()),
                    have: installed.then_some(text),
                    installed,
                    error: known.why.clone().filter(|_| !installed),
                });
            }
            let why = known.why.map(|why| format!(": {why}")).unwrap_or_default();
            notes.push(format!("static route {name}: {}{why}", known.state));
        }
        (entries, notes)
    }
}

const NO_KERNEL: &str = "the kernel is switched off in the configuration";

/// As it stands in the configuration.
fn configured(hop: &StaticNextHop) -> String {
    let address = hop.address.map(|address| format!("via {address}"));
    let device = hop.interface.as_ref().map(|name| format!("dev {name}"));
    let weight = (hop.weight > 1).then(|| format!("weight {}", hop.weight));
    let onlink = hop.onlink.then(|| "onlink".to_owned());
    let bfd = hop.bfd.as_ref().map(|_| "bfd".to_owned());
    let parts = [address, device, weight, onlink, bfd];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" ")
}
