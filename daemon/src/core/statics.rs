//! Static routes on their way to the kernel, and into what we announce.

use bgp::Prefix;
use tracing::Level;

use super::Core;
use crate::debug;

impl Core {
    /// Works out which static routes can be used, and passes on what differs.
    pub(super) fn settle_statics(&mut self) {
        let Some(kernel) = &self.hands.kernel else {
            return;
        };
        let share = kernel.share();
        let changed = self.statics.settle(&mut self.install, &self.rib);
        for (table, prefix) in changed {
            let change = self.statics.wish((table, prefix), share);
            tracing::debug!(target: debug::STATIC_ROUTE, %prefix, table, ?change, "static route");
            self.tell_standing(prefix);
            if let fib::Change::Unset(key) = &change {
                self.installed.remove((&mut self.rib, &mut self.evpn), key);
            }
            self.change(change);
            self.announce(self.own.concerned_by_route(table, prefix));
            self.offer_local(prefix);
        }
    }

    /// Tells why static routes to a prefix are used or not.
    fn tell_standing(&self, prefix: Prefix) {
        if !tracing::enabled!(target: debug::STATIC_EVENTS, Level::DEBUG) {
            return;
        }
        for standing in self.statics.to(prefix, &self.install, &self.rib) {
            let distance = standing.route.key.distance;
            let (used, why) = (standing.used.is_some(), standing.why);
            tracing::debug!(target: debug::STATIC_EVENTS, %prefix, distance, used, why, "static route");
        }
    }
}
