//! What goes into the kernel's tables, and what becomes of it.

use std::time::Duration;

use super::Keyword;

/// The kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Write to them at all.
    pub enabled: bool,
    /// Routing protocol number that our entries carry.
    pub protocol: u8,
    /// Routing table.
    pub table: u32,
    /// Priority of routes.
    pub distance: Distance,
    /// Pause between audits; zero is never.
    pub audit_interval: Duration,
    /// Routes stand on nexthop objects, where the kernel has them.
    pub nexthop_objects: bool,
    /// What becomes of our entries when the service is stopped.
    pub on_stop: OnStop,
    /// Whether the host forwards IPv4; `None` is as the host has it.
    pub ipv4_forwarding: Option<bool>,
    /// Whether the host forwards IPv6.
    pub ipv6_forwarding: Option<bool>,
}

/// What becomes of the kernel when the service is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStop {
    /// Neighbours hear of it, and our entries are taken out.
    #[default]
    Clean,
    /// Everything stays, and neighbours hear nothing: as after a crash, from which they and the next
    /// start recover by graceful restart.
    Keep,
}

impl Default for Kernel {
    /// Protocol `bgp` (186), the one that FRR's routes carry too, so that they are taken over.
    fn default() -> Self {
        Self {
            enabled: true,
            protocol: 186,
            table: 254,
            distance: Distance::default(),
            audit_interval: Duration::from_secs(60),
            nexthop_objects: true,
            on_stop: OnStop::Clean,
            ipv4_forwarding: None,
            ipv6_forwarding: None,
        }
    }
}

impl Keyword for OnStop {
    const WORDS: &'static [(Self, &'static str)] =
        &[(OnStop::Clean, "clean"), (OnStop::Keep, "keep")];
}

/// The kernel's priority of routes: of several programs' routes to one prefix the least wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance {
    /// Of what another AS told.
    pub external: u8,
    /// Of what our AS told.
    pub internal: u8,
    /// Of what neighbours tell of networks that we know otherwise (`backdoors`).
    pub backdoor: u8,
}

impl Distance {
    /// FRR gives this metric to all its BGP routes in the kernel.
    pub const USUAL: u8 = 20;
    /// As in FRR: more than that of interior protocols.
    pub const BACKDOOR: u8 = 200;
    /// A route with this one is not written.
    pub const NEVER: u8 = 255;
}

impl Default for Distance {
    fn default() -> Self {
        Self {
            external: Self::USUAL,
            internal: Self::USUAL,
            backdoor: Self::BACKDOOR,
        }
    }
}
