//! What ties an instance to the overlay.

use std::sync::Arc;

use bgp::Vni;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::family::PerFamily;
use bgp::policy::RouteMap;

use super::RouteTargets;

/// The L3 VNI of an instance's VRF: its prefixes are type 5 routes of the default instance, and
/// those of other routers come into its tables (RFC 9136).
#[derive(Debug, Clone, PartialEq)]
pub struct L3Vni {
    /// Its number.
    pub id: Vni,
    /// Route distinguisher.
    pub rd: RouteDistinguisher,
    /// Targets of routes that are taken in.
    pub import_targets: RouteTargets,
    /// Targets of routes that are sent.
    pub export_targets: RouteTargets,
    /// Where others send routed packets to; `None` derives it from our tunnel endpoint.
    pub router_mac: Option<MacAddress>,
    /// Name of the bridge.
    pub bridge: String,
    /// Name of the VXLAN device.
    pub vxlan: String,
    /// MTU of both; `None` derives it from the underlay.
    pub mtu: Option<u32>,
    /// Policy for what comes from EVPN; without one everything does.
    pub import: Option<Arc<RouteMap>>,
    /// Policy for what goes there; without one everything does.
    pub export: Option<Arc<RouteMap>>,
    /// Families whose routes are advertised.
    pub advertise: PerFamily<bool>,
    /// Families in which a default route is advertised, whatever the tables have.
    pub default_originate: PerFamily<bool>,
    /// Routes with a next hop of their own are advertised with it as overlay index (RFC 9136 §4.1).
    pub gateway_ip: bool,
    /// Addresses of hosts are told without the L3 VNI.
    pub prefix_routes_only: bool,
}

impl L3Vni {
    /// Its route-maps, to be put in place.
    pub(in crate::config) fn maps_mut(&mut self) -> impl Iterator<Item = &mut Arc<RouteMap>> {
        self.import.iter_mut().chain(&mut self.export)
    }
}
