//! The overlay: its networks with their devices, VRFs, and what stands on the devices of others'
//! addresses.
//!
//! A network ([`Overlay`]) is a bridge with a VXLAN device, or a part of such devices ([`Lane`]). On
//! these are remote MAC addresses ([`FdbKey`]), flood lists ([`FloodKey`]) and neighbours
//! ([`NeighbourKey`]), each under the name of its device; several VNIs of one device are told apart
//! by the [`Segment`]. Values only, as the rest of [`super`].

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnetwork::IpNetwork;

use super::{Device, Mac, Share};

/// One VNI of a VXLAN device that carries several, and the VLAN that it is on the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Segment {
    /// The network identifier.
    pub vni: u32,
    /// The VLAN; zero if the device maps none to this VNI.
    pub vlan: u16,
}

/// The name of a remote MAC address: VXLAN device and address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FdbKey {
    /// The VXLAN device.
    pub device: Device,
    /// The address.
    pub mac: Mac,
    /// In which VNI, on a device that carries several.
    pub segment: Option<Segment>,
}

impl FdbKey {
    /// A MAC address on a device with one VNI.
    pub fn new(device: impl Into<Device>, mac: Mac) -> Self {
        Self {
            device: device.into(),
            mac,
            segment: None,
        }
    }

    /// The same address in this VNI of a device that carries several.
    pub fn within(mut self, segment: Option<Segment>) -> Self {
        self.segment = segment;
        self
    }
}

/// The far end of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tunnel {
    /// Its address.
    pub vtep: IpAddr,
    /// The VNI that frames go there with; `None` for that of the device, which the kernel does not
    /// spell out either, or of the [`Segment`].
    pub vni: Option<NonZeroU32>,
}

impl Tunnel {
    /// The same endpoint, which has another number for the network than the VNI `own` of this
    /// side.
    ///
    /// ```
    /// let tunnel = |vni| fib::Tunnel::from(std::net::IpAddr::from([10, 0, 0, 2])).towards(vni, 100);
    /// assert_eq!(tunnel(200).to_string(), "10.0.0.2 vni 200");
    /// assert_eq!(tunnel(100).to_string(), "10.0.0.2");
    /// ```
    pub fn towards(mut self, vni: u32, own: u32) -> Self {
        self.vni = NonZeroU32::new(vni).filter(|vni| vni.get() != own);
        self
    }
}

impl From<IpAddr> for Tunnel {
    fn from(vtep: IpAddr) -> Self {
        Self { vtep, vni: None }
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.vtep.fmt(f)?;
        self.vni.map_or(Ok(()), |vni| write!(f, " vni {vni}"))
    }
}

/// Where a remote MAC address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteMac {
    /// The tunnel to its site.
    pub tunnel: Tunnel,
    /// The bridge must not learn this address on another port. Linux 6.18 accepts this together
    /// with `extern_learn` but does not keep it, so it is written and not compared.
    pub sticky: bool,
}

/// The name of a flood list entry: VXLAN device and tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FloodKey {
    /// The VXLAN device.
    pub device: Device,
    /// The tunnel. An endpoint that has several VNIs of a network gets a copy in each.
    pub tunnel: Tunnel,
    /// Of which VNI, on a device that carries several.
    pub segment: Option<Segment>,
}

impl FloodKey {
    /// An endpoint of a device with one VNI.
    pub fn new(device: impl Into<Device>, tunnel: impl Into<Tunnel>) -> Self {
        Self {
            device: device.into(),
            tunnel: tunnel.into(),
            segment: None,
        }
    }

    /// The same endpoint in this VNI of a device that carries several.
    pub fn within(mut self, segment: Option<Segment>) -> Self {
        self.segment = segment;
        self
    }
}

/// The name of a neighbour: bridge and IP address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeighbourKey {
    /// The bridge.
    pub device: Device,
    /// The neighbour's address.
    pub ip: IpAddr,
}

/// What is known about a neighbour behind the overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Neighbour {
    /// Its MAC address.
    pub mac: Mac,
    /// It is an IPv6 router (the R flag of RFC 4861 §4.4), which suppressed replies repeat.
    pub router: bool,
}

/// A VRF: the routing table of one tenant, and the device by which packets get to it.
///
/// What [`crate::vrf`] says holds for it: who makes the device, who removes it, what does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vrf {
    /// Name of the device.
    pub device: Device,
    /// Number of the routing table. Those of the kernel itself (0 and 253 to 255) are refused.
    pub table: u32,
    /// What no route of the table leads to is unreachable, by a default route of the lowest
    /// preference. Without it the kernel looks for a way in the tables behind, which are those of
    /// everybody. On a device that we made only, where an owner says so. Default true.
    pub closed: bool,
}

impl Vrf {
    /// The metric of the route that closes a table: the one that the kernel's documentation of VRFs
    /// has, behind all that a routing daemon writes.
    pub const CLOSING_METRIC: u32 = 4_278_198_272;

    /// A VRF by name and table.
    pub fn new(device: impl Into<Device>, table: u32) -> Self {
        Self {
            device: device.into(),
            table,
            closed: true,
        }
    }

    /// Sets whether the table has an end.
    pub fn closed(mut self, closed: bool) -> Self {
        self.closed = closed;
        self
    }
}

/// An overlay network on this host: one bridge, one VXLAN device as its port; or, with a [`Lane`],
/// one VLAN of a bridge and one VNI of a VXLAN device that others share.
///
/// One with hosts on it (an L2VNI) has other ports beside, and gateway addresses where it is routed.
/// One that only joins the VRFs of two sites (an L3VNI, RFC 9135 §4) has neither: it is
/// [`Overlay::layer3`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Name of the bridge. Default `br<vni>`. With a lane: of the VLAN device on the bridge, where
    /// gateway and neighbours are then.
    pub bridge: Device,
    /// Name of the VXLAN device. Default `vx<vni>`.
    pub vxlan: Device,
    /// Our tunnel endpoint; the family decides the underlay's family.
    pub local: IpAddr,
    /// UDP port. Default 4789 (RFC 7348 §5).
    pub port: u16,
    /// MTU of both devices, see [`overlay_mtu`].
    pub mtu: u32,
    /// Addresses on the bridge. IPv6 ones are written without duplicate address detection,
    /// because an anycast gateway is a duplicate on purpose.
    pub gateway: Vec<IpNetwork>,
    /// MAC address of the bridge. `None` leaves the kernel's choice.
    pub gateway_mac: Option<Mac>,
    /// The VRF that the bridge belongs to; its device is made if it is not there. Without it the
    /// bridge has no addresses, and one of ours is down. `None`: a bridge of ours is in no VRF.
    pub vrf: Option<Vrf>,
    /// The VXLAN port answers ARP and neighbour solicitations from the neighbour table. Default
    /// true.
    pub suppress: bool,
    /// Its devices are made where they are not there. Without it they are used when somebody else
    /// makes them, and waited for. Default true; those of a [`Lane`] are made in any case.
    pub create: bool,
    /// Its place on shared devices; `None` if it has a bridge and a VXLAN device of its own. On a
    /// shared device neighbours are suppressed for all or none, so they are for all.
    pub lane: Option<Lane>,
    /// Whose it is, and whose the entries on its devices are.
    pub share: Share,
}

/// The place of an overlay on a VLAN-aware bridge, whose one VXLAN device carries many VNIs
/// (`external vnifilter`). All overlays on a device agree on it, on the endpoint and the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Name of the bridge.
    pub bridge: Device,
    /// The VLAN, 1 to 4094; each belongs to one VNI.
    pub vlan: u16,
    /// MTU of the bridge and the VXLAN device; that of the overlay is of the VLAN device alone.
    pub mtu: u32,
}

impl Overlay {
    /// The UDP port of VXLAN (RFC 7348 §5).
    pub const PORT: u16 = 4789;

    /// An overlay with default names and port and no gateway.
    pub fn new(vni: u32, local: IpAddr, mtu: u32) -> Self {
        Self {
            bridge: format!("br{vni}").into(),
            vxlan: format!("vx{vni}").into(),
            local,
            port: Self::PORT,
            mtu,
            gateway: Vec::new(),
            gateway_mac: None,
            vrf: None,
            suppress: true,
            create: true,
            lane: None,
            share: Share::FIRST,
        }
    }

    /// The overlay that joins a VRF, or with none the main table, with its other sites: a bridge
    /// without ports but its VXLAN device, with the router's MAC address and no other address. Routes
    /// of the table lead to other sites through it, see [`NextHop::through`](super::NextHop::through).
    pub fn layer3(
        vni: u32,
        local: IpAddr,
        mtu: u32,
        vrf: impl Into<Option<Vrf>>,
        router_mac: Mac,
    ) -> Self {
        Self {
            gateway_mac: Some(router_mac),
            vrf: vrf.into(),
            suppress: false,
            ..Self::new(vni, local, mtu)
        }
    }

    /// It has no hosts and joins a routing table with its other sites.
    pub fn is_layer3(&self) -> bool {
        self.gateway.is_empty() && self.gateway_mac.is_some()
    }

    /// Puts the bridge into a VRF.
    pub fn vrf(mut self, vrf: Vrf) -> Self {
        self.vrf = Some(vrf);
        self
    }

    /// Puts it on shared devices; the VLAN device takes the names of the bridge and the VLAN.
    pub fn on(mut self, vxlan: &str, lane: Lane) -> Self {
        self.bridge = format!("{}.{}", lane.bridge, lane.vlan).into();
        self.vxlan = vxlan.into();
        self.lane = Some(lane);
        self
    }

    /// The devices that it has a say in: what the gateway is on, the VXLAN device, and the bridge if
    /// that is another.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Device> {
        let shared = self.lane.iter().map(|lane| &lane.bridge);
        [&self.bridge, &self.vxlan].into_iter().chain(shared)
    }

    /// Adds an address to the bridge.
    pub fn gateway(mut self, address: IpNetwork) -> Self {
        self.gateway.push(address);
        self
    }

    /// Sets the MAC address of the bridge.
    pub fn gateway_mac(mut self, mac: Mac) -> Self {
        self.gateway_mac = Some(mac);
        self
    }
}

/// The gateway of routes to a tunnel endpoint, and the address of its neighbour entry: the
/// endpoint's own, except that an IPv6 route over an IPv4 endpoint has the IPv4-mapped one
/// (RFC 4291 §2.5.5.2), as FRR writes it.
pub fn tunnel_gateway(vtep: IpAddr, ipv6_route: bool) -> IpAddr {
    match vtep {
        IpAddr::V4(vtep) if ipv6_route => vtep.to_ipv6_mapped().into(),
        IpAddr::V4(_) | IpAddr::V6(_) => vtep,
    }
}

/// The MTU of an overlay on an underlay link: the outer headers are 50 bytes over IPv4 and 70 over
/// IPv6 (RFC 7348 §5: inner Ethernet 14, VXLAN 8, UDP 8, IP 20 or 40).
///
/// ```
/// assert_eq!(fib::overlay_mtu(1420, "10.10.0.1".parse().unwrap()), 1370);
/// assert_eq!(fib::overlay_mtu(1500, "fd00::1".parse().unwrap()), 1430);
/// ```
pub fn overlay_mtu(link_mtu: u32, local: IpAddr) -> u32 {
    link_mtu.saturating_sub(if local.is_ipv4() { 50 } else { 70 })
}
