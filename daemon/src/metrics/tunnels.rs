//! What leads to the tunnel endpoints of other sites.

use super::*;

/// Tunnel endpoints that frames or packets go to, by what leads there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TunnelNumbers {
    /// A route.
    pub route: u64,
    /// Only the default route.
    pub default: u64,
    /// Nothing.
    pub nothing: u64,
}

impl Snapshot {
    pub(super) fn tunnels(&self, text: &mut Text) {
        let Some(numbers) = self.tunnels else {
            return;
        };
        let help = "Other sites' tunnel endpoints in use, by what leads to them.";
        let mut vteps = text.family("rbgpd_evpn_vteps", GAUGE, help);
        for (by, count) in [
            ("route", numbers.route),
            ("default", numbers.default),
            ("nothing", numbers.nothing),
        ] {
            vteps.sample(&[("by", by)], count);
        }
    }
}
