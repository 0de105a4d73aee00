//! Static routes on their way to the kernel, and into what we announce.

use super::Core;

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
            if let fib::Change::Unset(key) = &change {
                self.installed.remove((&mut self.rib, &mut self.evpn), key);
            }
            self.change(change);
            self.announce(self.own.concerned_by_route(table, prefix));
            self.offer_local(prefix);
        }
    }
}
