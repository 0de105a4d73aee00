//! The routes we tell others: keys and attributes.
//!
//! Pure construction from a VNI's settings. Which of them are told is decided in
//! [`crate::resolve`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bgp::attributes::{NextHop, PmsiTunnel};
use bgp::{AttributeSet, EvpnKey, EvpnTail, ExtendedCommunity, MacAddress};
use bgp::{Prefix, RouteDistinguisher, Vni};

use crate::config::VniConfig;
use crate::mobility::Claim;
use crate::path::INGRESS_REPLICATION;
use crate::subnets;
use crate::vrf::{Tenant, is_routable};

/// A VNI as configured, with what was worked out for it.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) vni: Vni,
    pub(crate) config: VniConfig,
    /// The distinguisher, or the VNI that has the same and comes first.
    pub(crate) rd: Result<RouteDistinguisher, Vni>,
    pub(crate) exports: Vec<ExtendedCommunity>,
    /// The VRF that its stations are routed in.
    pub(crate) tenant: Option<Tenant>,
    /// Addresses of this router alone, which are told ([`crate::Input::SetSvi`]).
    pub(crate) svi: BTreeSet<(MacAddress, IpAddr)>,
    /// Those of its gateways and of this router ([`crate::Input::SetSubnets`]).
    pub(crate) subnets: BTreeSet<Prefix>,
    /// Shared by all addresses that never moved, which is nearly all of them: first those that are
    /// not routed, then those that are.
    plain: [Option<(IpAddr, Arc<AttributeSet>)>; 2],
}

impl Network {
    pub(crate) fn new(
        vni: Vni,
        config: VniConfig,
        rd: Result<RouteDistinguisher, Vni>,
        exports: Vec<ExtendedCommunity>,
        tenant: Option<Tenant>,
    ) -> Self {
        Self {
            vni,
            config,
            rd,
            exports,
            tenant,
            svi: BTreeSet::new(),
            subnets: BTreeSet::new(),
            plain: [None, None],
        }
    }

    /// Of the gateway, or of this router alone: not up for claims.
    pub(crate) fn is_gateway_mac(&self, mac: MacAddress) -> bool {
        self.config.gateway_mac == Some(mac) || self.svi.iter().any(|(own, _)| *own == mac)
    }

    /// The same of an IP address.
    pub(crate) fn is_gateway_ip(&self, ip: IpAddr) -> bool {
        self.config.gateway_ips.contains(&ip) || self.svi.iter().any(|(_, own)| *own == ip)
    }

    /// All addresses that are not up for claims.
    pub(crate) fn own_addresses(&self) -> (BTreeSet<MacAddress>, BTreeSet<IpAddr>) {
        let macs = self.svi.iter().map(|(mac, _)| *mac);
        let ips = self.svi.iter().map(|(_, ip)| *ip);
        (
            macs.chain(self.config.gateway_mac).collect(),
            ips.chain(self.config.gateway_ips.iter().copied()).collect(),
        )
    }

    /// The VRF that others route an address in ([`crate::subnets`]); `None` where they do not.
    pub(crate) fn routed_in(&self, ip: IpAddr) -> Option<&Tenant> {
        let tenant = self.routes_stations().filter(|_| is_routable(ip))?;
        (!self.is_outside(ip)).then_some(tenant)
    }

    /// The VRF whose L3 VNI the addresses of stations are told with.
    fn routes_stations(&self) -> Option<&Tenant> {
        (self.tenant.as_ref()).filter(|tenant| !tenant.prefix_routes_only)
    }

    /// It lies in none of the subnets, and others do not route it for that reason alone.
    pub(crate) fn is_outside(&self, ip: IpAddr) -> bool {
        let told = self.routes_stations().is_some() && is_routable(ip);
        told && !subnets::may_have(&self.subnets, ip) && !self.is_gateway_ip(ip)
    }

    /// Key of a type 2 route; `None` when another VNI has our distinguisher.
    pub(crate) fn mac_key(&self, mac: MacAddress, ip: Option<IpAddr>) -> Option<EvpnKey> {
        let rd = self.rd.ok()?;
        Some(EvpnKey::MacIp {
            rd,
            tag: 0,
            mac,
            ip,
        })
    }

    /// Attributes of a type 2 route (RFC 7432 §10, RFC 8365 §5.1.3), with its IP address if it has
    /// one.
    pub(crate) fn mac_attributes(
        &mut self,
        claim: Claim,
        ip: Option<IpAddr>,
    ) -> Arc<AttributeSet> {
        let plain = claim.sequence == 0 && !claim.sticky;
        let tenant = ip.and_then(|ip| self.routed_in(ip));
        let is_routed = tenant.is_some();
        let [unrouted, routed] = &self.plain;
        let known = match tenant {
            Some(_) => routed,
            None => unrouted,
        };
        if let Some((vtep, attributes)) = known
            && plain
            && *vtep == claim.vtep
        {
            return attributes.clone();
        }
        // RFC 7432 §15: a route without the community has sequence number 0.
        let mobility = ExtendedCommunity::mac_mobility(claim.sequence, claim.sticky);
        let mut attributes = self.attributes(claim.vtep, (!plain).then_some(mobility));
        if let Some(tenant) = tenant {
            tenant.mark(&mut attributes);
        }
        let attributes = Arc::new(attributes);
        if plain {
            let known = Some((claim.vtep, attributes.clone()));
            let [unrouted, routed] = &mut self.plain;
            match is_routed {
                true => *routed = known,
                false => *unrouted = known,
            }
        }
        attributes
    }

    /// Routes of the gateway's own addresses (RFC 7432 §10.1).
    pub(crate) fn gateway_routes(&self, vtep: IpAddr) -> Vec<(EvpnKey, Arc<AttributeSet>)> {
        let mac = self
            .config
            .gateway_mac
            .filter(|_| self.config.advertise_gateway);
        let Some(mac) = mac else {
            return Vec::new();
        };
        let attributes = self.attributes(vtep, Some(ExtendedCommunity::DEFAULT_GATEWAY));
        let attributes = Arc::new(attributes);
        self.config
            .gateway_ips
            .iter()
            .filter_map(|ip| Some((self.mac_key(mac, Some(*ip))?, attributes.clone())))
            .collect()
    }

    /// Routes of addresses of this router alone: those of a station that never moves.
    pub(crate) fn svi_routes(&mut self, vtep: IpAddr) -> Vec<(EvpnKey, Arc<AttributeSet>)> {
        let claim = Claim {
            sticky: false,
            sequence: 0,
            vtep,
        };
        let own = self.svi.clone().into_iter();
        own.filter_map(|(mac, ip)| {
            let key = self.mac_key(mac, Some(ip))?;
            let attributes = match self.has_own_gateway() {
                true => self.own_gateway_attributes(vtep, ip),
                false => self.mac_attributes(claim, Some(ip)),
            };
            Some((key, attributes))
        })
        .collect()
    }

    /// What this router has itself is the gateway, since none is configured.
    fn has_own_gateway(&self) -> bool {
        self.config.advertise_gateway && self.config.gateway_ips.is_empty()
    }

    /// Attributes of an address of this router that is the gateway of machines (RFC 7432 §10.1).
    fn own_gateway_attributes(&self, vtep: IpAddr, ip: IpAddr) -> Arc<AttributeSet> {
        let mut attributes = self.attributes(vtep, Some(ExtendedCommunity::DEFAULT_GATEWAY));
        if let Some(tenant) = self.routed_in(ip) {
            tenant.mark(&mut attributes);
        }
        Arc::new(attributes)
    }

    /// The type 3 route: send us what is flooded (RFC 7432 §11, RFC 8365 §9).
    pub(crate) fn flood_route(&self, vtep: IpAddr) -> Option<(EvpnKey, Arc<AttributeSet>)> {
        let rd = self.rd.ok().filter(|_| self.config.flooding)?;
        let key = EvpnKey::InclusiveMulticast {
            rd,
            tag: 0,
            originator: vtep,
        };
        let identifier: Box<[u8]> = match vtep {
            IpAddr::V4(address) => Box::new(address.octets()),
            IpAddr::V6(address) => Box::new(address.octets()),
        };
        let mut attributes = self.attributes(vtep, None);
        attributes.evpn = None;
        attributes.pmsi_tunnel = Some(PmsiTunnel {
            flags: 0,
            tunnel_type: INGRESS_REPLICATION,
            label: self.vni.get(),
            identifier,
        });
        Some((key, Arc::new(attributes)))
    }

    fn attributes(&self, vtep: IpAddr, extra: Option<ExtendedCommunity>) -> AttributeSet {
        let mut attributes = AttributeSet::new(NextHop::from(vtep));
        let mut communities = self.exports.clone();
        communities.push(ExtendedCommunity::ENCAPSULATION_VXLAN);
        communities.extend(extra);
        communities.sort_unstable();
        communities.dedup();
        attributes.extended_communities = communities;
        attributes.evpn = Some(EvpnTail {
            label: self.vni.get(),
            ..EvpnTail::default()
        });
        attributes
    }
}
