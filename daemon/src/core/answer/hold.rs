//! The wait after a restart, for those who ask what is going on.
//!
//! The tables hold back what they would tell until neighbours have sent their routes; here that
//! gets words. It decides nothing.

use super::*;

impl Core {
    /// For whom routes are held back after a restart, and until when.
    pub(in crate::core) fn hold(&self) -> Option<reply::Hold> {
        let holding = self.rib.holding()?;
        let left = holding.until.saturating_duration_since(Instant::now());
        let mut waiting_for = Families::default();
        for (family, peers) in holding.peers.iter() {
            let addresses: Vec<ScopedAddr> = peers
                .iter()
                .filter_map(|peer| self.address_of(*peer))
                .collect();
            if !addresses.is_empty() {
                waiting_for.set(family, addresses);
            }
        }
        Some(reply::Hold {
            until: self.held_until?,
            left_s: left.as_secs(),
            waiting_for,
        })
    }

    /// The same in a line, which stays as it is while nothing changes: who waits says it once.
    pub(in crate::core) fn hold_line(&self) -> Option<String> {
        let hold = self.hold()?;
        let waiting: Vec<String> = hold
            .waiting_for
            .iter()
            .map(|(family, addresses)| {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                format!("{} ({family})", addresses.join(", "))
            })
            .collect();
        Some(format!(
            "restarted: routes are held back for End-of-RIB of {}, until {} at most; the kernel \
             forwards as before",
            waiting.join(" and "),
            hold.until,
        ))
    }
}
