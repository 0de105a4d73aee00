//! EVPN and the overlay networks.

use std::net::IpAddr;

use bgp::community::ExtendedCommunity;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::{Prefix, Vni};
pub use evpn::{DuplicateAction, DuplicateDetection};
use ipnetwork::IpNetwork;

use super::Keyword;

/// EVPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evpn {
    /// Our tunnel endpoint.
    pub vtep: IpAddr,
    /// UDP port of the VXLAN devices.
    pub port: u16,
    /// How addresses that two hosts have are found.
    pub duplicates: Option<DuplicateDetection>,
}

impl Evpn {
    /// VXLAN's port (RFC 7348 §5).
    pub const PORT: u16 = 4789;
}

/// What happens to an address that two hosts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateWord {
    /// It is named.
    Warn,
    /// It stays where it is.
    Freeze,
}

impl Keyword for DuplicateWord {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Warn, "warn"), (Self::Freeze, "freeze")];
}

/// An overlay network with its devices.
#[derive(Debug, Clone, PartialEq)]
pub struct VniConfig {
    /// Its number.
    pub id: Vni,
    /// What people call it.
    pub name: String,
    /// Route distinguisher.
    pub rd: RouteDistinguisher,
    /// Targets of routes that are taken in.
    pub import_targets: RouteTargets,
    /// Targets of routes that are sent.
    pub export_targets: RouteTargets,
    /// Anycast gateway addresses on the bridge, with the length of their network.
    pub gateway: Vec<IpNetwork>,
    /// Networks that machines have addresses of where no gateway of ours says so.
    pub networks: Vec<Prefix>,
    /// MAC address of the gateway; `None` derives one that is the same at every site.
    pub gateway_mac: Option<MacAddress>,
    /// Others are told the gateway's addresses as those of a default gateway (RFC 7432 §10.1).
    pub advertise_gateway: bool,
    /// Others are told the addresses that this host alone has in the network.
    pub advertise_svi: bool,
    /// VRF device that its bridge is in, and its stations are routed in.
    pub vrf: Option<String>,
    /// Name of the bridge.
    pub bridge: String,
    /// Name of the VXLAN device.
    pub vxlan: String,
    /// Its VLAN where all VNIs share devices ([`super::Config::single_device`]); `bridge` is the VLAN device
    /// then, and `vxlan` the device of all.
    pub vlan: Option<u16>,
    /// MTU of both; `None` derives it from the underlay.
    pub mtu: Option<u32>,
    /// The kernel answers ARP and neighbour discovery for addresses it knows, here and elsewhere.
    pub suppress: bool,
    /// Sites get copies of frames to nobody in particular, and give us theirs.
    pub flooding: bool,
    /// Bridge and VXLAN device are made where they are not there; else they are waited for.
    pub create: bool,
}

impl VniConfig {
    /// Networks that machines have addresses of, those of gateways among them, in their order.
    pub fn all_networks(&self) -> Vec<Prefix> {
        let of_gateways = self.gateway.iter().map(|gateway| Prefix::from(*gateway));
        let mut networks: Vec<Prefix> = of_gateways.chain(self.networks.iter().copied()).collect();
        networks.sort_unstable();
        networks.dedup();
        networks
    }
}

/// One VXLAN device for all VNIs, as a port of one bridge on which each has a VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleDevice {
    /// Name of the VXLAN device.
    pub vxlan: String,
    /// Name of the bridge.
    pub bridge: String,
    /// MTU of both; `None` derives it from the underlay.
    pub mtu: Option<u32>,
}

impl SingleDevice {
    /// The VXLAN device where the table does not say.
    pub const VXLAN: &str = "vxlan0";
    /// The bridge where the table does not say.
    pub const BRIDGE: &str = "br-evpn";

    /// The VLAN device of a VNI that does not say.
    pub fn vlan_device(&self, vlan: u16) -> String {
        format!("{}.{vlan}", self.bridge)
    }
}

/// Route targets of a VNI in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RouteTargets {
    /// `asn:vni` for export; for import, any AS number with this VNI (RFC 8365 §5.1.2.1).
    #[default]
    Auto,
    /// These, never empty.
    Listed(Vec<ExtendedCommunity>),
}
