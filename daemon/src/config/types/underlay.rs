//! What lies beneath the sessions: a WireGuard interface, and what is done to it.

use std::path::PathBuf;

/// The WireGuard interface beneath the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underlay {
    /// Its name.
    pub interface: String,
    /// Whether AllowedIPs follow the routes.
    pub sync_allowed_ips: SyncAllowedIps,
    /// No peer gets more AllowedIPs than this, its own included.
    pub maximum_allowed_ips: u32,
    /// Socket of a userspace WireGuard; `None` is the place where they put it.
    pub wireguard_socket: Option<PathBuf>,
}

impl Underlay {
    /// Default of [`Underlay::maximum_allowed_ips`]: far more than a cloud has prefixes, and few enough
    /// for a kernel when somebody sends a full table by mistake.
    pub const MAXIMUM_ALLOWED_IPS: u32 = 100_000;
}

/// Whether WireGuard's AllowedIPs are kept equal to the routes learned through each peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncAllowedIps {
    /// They are left alone.
    #[default]
    No,
    /// What would change is said, and nothing is changed.
    DryRun,
    /// They are.
    Yes,
}
