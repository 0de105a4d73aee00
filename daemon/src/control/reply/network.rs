//! What is said of overlay networks to those who make and take them away.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Overlay networks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Networks {
    /// By instance, in ascending order of their numbers.
    pub networks: Vec<Network>,
}

/// An overlay network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The instance that it is of, unless that is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its number.
    pub vni: u32,
    /// What people call it.
    pub name: String,
    /// The VRF device that its bridge is in.
    #[serde(default)]
    pub vrf: Option<String>,
    /// Its networks: those of the gateway, and those the file names.
    pub networks: Vec<String>,
    /// Anycast gateway addresses with the length of their network.
    pub gateway: Vec<String>,
    /// Bridge.
    pub bridge: String,
    /// VXLAN device.
    pub vxlan: String,
    /// Ports of the bridge beside the VXLAN device: what is attached here.
    pub ports: Vec<String>,
    /// MAC addresses that are here.
    pub local_macs: u64,
    /// MAC addresses at other sites.
    pub remote_macs: u64,
    /// Tunnel endpoints of the other sites that have it.
    pub sites: Vec<IpAddr>,
    /// Bridge, VXLAN device and gateway are in the kernel; `null` where the kernel is not written.
    pub ready: Option<bool>,
    /// What keeps it from working as configured, a line each.
    pub problems: Vec<String>,
}

/// A network that was made or taken away, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkChange {
    /// The instance that it is of, unless that is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its number.
    pub vni: u32,
    /// What people call it.
    pub name: String,
    /// The VRF device that its bridge is in.
    #[serde(default)]
    pub vrf: Option<String>,
    /// Its networks.
    pub networks: Vec<String>,
    /// Anycast gateway addresses with the length of their network.
    pub gateway: Vec<String>,
    /// Bridge.
    pub bridge: String,
    /// VXLAN device.
    pub vxlan: String,
    /// Anything is different at all: false where the network was there as it was asked for.
    pub changed: bool,
    /// Nothing was applied.
    pub dry_run: bool,
    /// The configuration file.
    pub file: String,
    /// The differences that were applied, a line each.
    pub changes: Vec<String>,
    /// What is to be known of it, a line each: other sites that have this number, machines that
    /// are cut off.
    pub warnings: Vec<String>,
}
