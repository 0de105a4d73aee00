//! What the operator says: the router's identity and each VNI.
//!
//! Values only; automatic ones are worked out in [`crate::target`].

use std::net::{IpAddr, Ipv4Addr};

use bgp::{Asn, ExtendedCommunity, MacAddress, RouteDistinguisher, Vni};

use crate::target::{ImportTarget, automatic_export, automatic_imports};
use crate::vrf::VrfName;

/// Who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Our AS, part of automatic route targets.
    pub local_as: Asn,
    /// Our router identifier, part of automatic route distinguishers.
    pub router_id: Ipv4Addr,
    /// Our tunnel address, if it is known already ([`crate::Input::SetVtep`] changes it).
    pub vtep: Option<IpAddr>,
}

/// One overlay network.
///
/// ```
/// let config = evpn::VniConfig::new("production")
///     .rd("10.10.0.1:100".parse()?)
///     .import_target("65000:100".parse()?)
///     .export_target("65000:100".parse()?)
///     .gateway(Some("02:00:00:00:00:fe".parse()?), vec!["10.100.0.1".parse()?]);
/// # let _ = config;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VniConfig {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) rd: Option<RouteDistinguisher>,
    pub(crate) import_targets: Vec<ImportTarget>,
    pub(crate) export_targets: Vec<ExtendedCommunity>,
    pub(crate) gateway_mac: Option<MacAddress>,
    pub(crate) gateway_ips: Vec<IpAddr>,
    pub(crate) advertise_gateway: bool,
    pub(crate) vrf: Option<VrfName>,
    pub(crate) flooding: bool,
}

impl VniConfig {
    /// An enabled VNI where everything is automatic.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            enabled: true,
            rd: None,
            import_targets: Vec::new(),
            export_targets: Vec::new(),
            gateway_mac: None,
            gateway_ips: Vec::new(),
            advertise_gateway: false,
            vrf: None,
            flooding: true,
        }
    }

    /// A VNI that is not enabled originates nothing and installs nothing. Default: enabled.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Route distinguisher. Default: `router_id:VNI` (RFC 7432 §7.9).
    pub fn rd(mut self, rd: RouteDistinguisher) -> Self {
        self.rd = Some(rd);
        self
    }

    /// Adds a target to import. Default while there is none: the VNI's number from any AS.
    pub fn import_target(mut self, target: ImportTarget) -> Self {
        self.import_targets.push(target);
        self
    }

    /// Adds a target to export. Default while there is none: `AS:VNI`.
    pub fn export_target(mut self, target: ExtendedCommunity) -> Self {
        self.export_targets.push(target);
        self
    }

    /// The addresses the bridge itself answers to, the same at every site (anycast). They are
    /// never taken from a remote route. Default: none.
    pub fn gateway(mut self, mac: Option<MacAddress>, ips: Vec<IpAddr>) -> Self {
        self.gateway_mac = mac;
        self.gateway_ips = ips;
        self
    }

    /// Advertises the gateway's MAC and addresses with the Default Gateway community (RFC 7432
    /// §10.1), which needs a gateway MAC; without any gateway's address, those of this router
    /// ([`crate::Input::SetSvi`]). Default: false.
    pub fn advertise_gateway(mut self, advertise: bool) -> Self {
        self.advertise_gateway = advertise;
        self
    }

    /// The VRF that the stations of this VNI are routed in: their IP addresses are told with its L3
    /// VNI, too ([`crate::Input::SetVrf`]). Default: none.
    pub fn vrf(mut self, name: VrfName) -> Self {
        self.vrf = Some(name);
        self
    }

    /// Gives and takes copies of frames to nobody in particular (RFC 7432 §11). Without, no type 3
    /// route is sent and the flood list is empty: what is for an unknown address stays here.
    /// Default: true.
    pub fn flooding(mut self, flooding: bool) -> Self {
        self.flooding = flooding;
        self
    }

    /// Import targets as they apply.
    pub(crate) fn imports(&self, vni: Vni) -> Vec<ImportTarget> {
        if self.import_targets.is_empty() {
            automatic_imports(vni)
        } else {
            self.import_targets.clone()
        }
    }

    /// Export targets as they apply.
    pub(crate) fn exports(&self, local_as: Asn, vni: Vni) -> Vec<ExtendedCommunity> {
        if self.export_targets.is_empty() {
            vec![automatic_export(local_as, vni)]
        } else {
            self.export_targets.clone()
        }
    }
}
