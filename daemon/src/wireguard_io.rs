//! WireGuard's AllowedIPs follow the routes: the thread that talks to the device.

use std::net::IpAddr;

use bgp::Prefix;

use crate::config::Config;

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct WireguardHandle {}

impl WireguardHandle {
    pub(crate) fn start(_config: &Config) -> Option<Self> {
        None
    }

    pub(crate) fn want(&self, _prefix: Prefix, _gateway: Option<IpAddr>) {}

    pub(crate) fn sweep(&self) {}
}
