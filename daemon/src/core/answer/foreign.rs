//! Routes of other programs, or static ones, that the kernel prefers to those that we learned.
//!
//! They are no difference: what we want is in the kernel. But packets take the other way, and the
//! operator who looks at our route does not see that.

use bgp::RouteSource;
use fib::{Interface, Key, NextHop, RouteKind};

use super::*;
use crate::ground::Foreign;

/// Notes named one by one in a comparison; beyond this their number says enough.
const NAMED_MAX: usize = 20;

impl Core {
    /// What the kernel uses instead of a route of ours.
    pub(super) fn beaten(&self, key: &Key) -> Option<String> {
        let Key::Route(route) = key else { return None };
        let other = self.install.ground.best_of(route)?;
        if !self.installed.contains((&self.rib, &self.evpn), key) {
            return None;
        }
        let known = self.rib.route(&Nlri::from(Prefix::from(route.prefix())))?;
        let best = known.paths.iter().find(|path| path.best)?;
        let notes = self.install.notes(&known.nlri, &best.attributes)?;
        let prefix = Prefix::from(route.prefix());
        let ours = self.install.metric(prefix, notes, best.external);
        let whose = match other.fixed {
            true => "the static route",
            false => "another program's route",
        };
        ours.is_some_and(|ours| other.metric < ours).then(|| {
            format!(
                "{whose} with metric {} wins in the kernel: {}",
                other.metric,
                self.described(other)
            )
        })
    }

    /// The same for every route of ours that is beaten.
    pub(super) fn beaten_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut more = 0_usize;
        for route in self.install.ground.foreign_keys() {
            let key = Key::Route(route);
            match self.beaten(&key) {
                Some(note) if notes.len() < NAMED_MAX => notes.push(format!("{key}: {note}")),
                Some(_) => more += 1,
                None => {}
            }
        }
        if more > 0 {
            let more = counted(more, "more route", "more routes");
            notes.push(format!("another program's route wins over {more}"));
        }
        notes
    }

    /// `static via 10.10.0.2 dev eth0`.
    fn described(&self, route: &Foreign) -> String {
        let source = RouteSource {
            protocol: route.protocol,
            connected: false,
        };
        let mut text = source.to_string();
        if route.kind != RouteKind::Unicast {
            text.push_str(&format!(" {}", route.kind));
        }
        for hop in route.next_hops.iter() {
            text.push_str(&format!(" {}", self.hop(hop)));
        }
        text
    }

    /// `, via 10.10.0.2 dev eth0`: where a route of others leads.
    pub(super) fn ways(&self, route: &Foreign) -> String {
        let hops = route.next_hops.iter();
        let mut text: String = hops.map(|hop| format!(", {}", self.hop(hop))).collect();
        if route.kind != RouteKind::Unicast {
            text.push_str(&format!(", {}", route.kind));
        }
        text
    }

    pub(super) fn hop(&self, hop: &NextHop) -> String {
        let gateway = hop.gateway.map(|gateway| format!("via {gateway}"));
        let device = hop.interface.as_ref().map(|interface| match interface {
            Interface::Name(name) => format!("dev {name}"),
            Interface::Index(index) => match self.install.ground.links.get(*index) {
                Some(link) => format!("dev {}", link.name),
                None => format!("dev #{index}"),
            },
        });
        let parts: Vec<String> = gateway.into_iter().chain(device).collect();
        parts.join(" ")
    }
}
