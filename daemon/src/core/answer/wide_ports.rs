//! Ports of an overlay's bridge that take larger packets than fit through its tunnel.
//!
//! A bridge drops what is too large for the port it leaves by, without a word to whoever sent it:
//! machines of one host understand each other, and small packets cross, but a copy between sites hangs.

use super::Core;
use crate::config::VniConfig;

/// That many ports are named.
const NAMED_MAX: usize = 3;

impl Core {
    /// What does not fit, and what to do; `None` if all does.
    pub(super) fn wide_ports(&self, vni: &VniConfig) -> Option<String> {
        let links = &self.install.ground.links;
        let bridge = links.named(&vni.bridge.as_str().into())?.index;
        let vxlan = links.named(&vni.vxlan.as_str().into())?;
        let wide = |link: &&fib::Link| {
            let port = link.master == Some(bridge) && link.index != vxlan.index;
            port && link.mtu > vxlan.mtu
        };
        let mut wide: Vec<(String, u32)> = links
            .iter()
            .filter(wide)
            .map(|link| (link.name.to_string(), link.mtu))
            .collect();
        wide.sort_unstable();
        let (first, _) = wide.first()?;
        let named = wide.iter().take(NAMED_MAX);
        let named: Vec<String> = named
            .map(|(name, mtu)| format!("{name} with {mtu}"))
            .collect();
        let more = match wide.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (bridge, fits) = (&vni.bridge, vxlan.mtu);
        Some(format!(
            "ports of {bridge} take larger packets than the {fits} octets that fit through the tunnel: \
             {}{more}; larger ones are lost between sites: `ip link set {first} mtu {fits}`, and \
             the same in the machine behind it",
            named.join(", ")
        ))
    }
}
