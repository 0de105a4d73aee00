//! The vocabulary of desired kernel state: what can be asked for, and under which name.
//!
//! A caller says "this [`Entry`] should be in the kernel" or "nothing should be under this
//! [`Key`]". There are six kinds: routes, remote MAC addresses (FDB), flood lists, neighbours for
//! ARP/ND suppression, overlays (a bridge with its VXLAN device), and VRF devices. Entries are plain
//! values; this module does not know how they are written ([`crate::netlink`]) nor in which order
//! ([`crate::table`]).
//!
//! Devices are named, not numbered, because a wish may come before its device does.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnetwork::IpNetwork;

/// One thing that should be in the kernel, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A route. Equal routes to many prefixes should share one [`Arc`].
    Route(RouteKey, Arc<Route>),
    /// A MAC address behind a remote tunnel endpoint.
    Fdb(FdbKey, RemoteMac),
    /// A remote tunnel endpoint that gets copies of flooded frames.
    Flood(FloodKey),
    /// An IP address with a known MAC address behind the overlay (ARP/ND suppression).
    Neighbour(NeighbourKey, Neighbour),
    /// A bridge with a VXLAN device for this VNI.
    Overlay(u32, Arc<Overlay>),
    /// A VRF device, wanted by this owner whether or not an overlay stands in it. It goes when no
    /// owner and no overlay wants it any longer.
    Vrf(Share, Vrf),
}

impl Entry {
    /// The name under which this entry is kept.
    pub fn key(&self) -> Key {
        match self {
            Self::Route(key, _) => Key::Route(*key),
            Self::Fdb(key, _) => Key::Fdb(key.clone()),
            Self::Flood(key) => Key::Flood(key.clone()),
            Self::Neighbour(key, _) => Key::Neighbour(key.clone()),
            Self::Overlay(vni, _) => Key::Overlay(*vni),
            Self::Vrf(share, vrf) => Key::Vrf(*share, vrf.device.clone()),
        }
    }
}

/// The name of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A route's table and prefix.
    Route(RouteKey),
    /// A VXLAN device and a MAC address.
    Fdb(FdbKey),
    /// A VXLAN device and a remote tunnel endpoint.
    Flood(FloodKey),
    /// A bridge and an IP address.
    Neighbour(NeighbourKey),
    /// A VNI.
    Overlay(u32),
    /// A VRF device, and who wants it.
    Vrf(Share, Device),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(key) => key.fmt(f),
            Self::Fdb(key) => {
                write!(f, "fdb {} dev {}", key.mac, key.device)?;
                write_vni(f, key.segment)
            }
            Self::Flood(key) => {
                write!(f, "flood {} dev {}", key.vtep, key.device)?;
                write_vni(f, key.segment)
            }
            Self::Neighbour(key) => write!(f, "neighbour {} dev {}", key.ip, key.device),
            Self::Overlay(vni) => write!(f, "vni {vni}"),
            Self::Vrf(_, device) => write!(f, "vrf {device}"),
        }
    }
}

fn write_vni(f: &mut fmt::Formatter<'_>, segment: Option<Segment>) -> fmt::Result {
    segment.map_or(Ok(()), |segment| write!(f, " vni {}", segment.vni))
}

/// A change of what is wanted, as it travels from the caller to the kernel thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This should be in the kernel.
    Set(Entry),
    /// Nothing of ours should be under this name.
    Unset(Key),
}

impl Change {
    /// The name that changes.
    pub fn key(&self) -> Key {
        match self {
            Self::Set(entry) => entry.key(),
            Self::Unset(key) => key.clone(),
        }
    }
}

/// Who of several owners in one process wants a route ([`crate::KernelHandle::join`]).
///
/// Two owners may want the same prefix in the same table, with different metrics; the kernel then
/// holds both routes and uses the one with the lower metric. Numbers mean nothing to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share(pub u8);

impl Share {
    /// The owner that started the thread; whatever no other owner has claimed is its.
    pub const FIRST: Self = Self(0);
}

/// Routes that belong to an owner, whoever finds them in the kernel: those of one of these tables
/// with one of these metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The routing tables.
    pub tables: Vec<u32>,
    /// The metrics, none of which another owner has in these tables.
    pub metrics: Vec<u32>,
}

/// The name of a route: routing table, prefix without host bits, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteKey {
    table: u32,
    prefix: IpNetwork,
    share: Share,
}

impl RouteKey {
    /// The kernel's main table, `RT_TABLE_MAIN`.
    pub const MAIN: u32 = 254;

    /// Names a route. Host bits of the prefix are cleared.
    ///
    /// ```
    /// let key = fib::RouteKey::new(254, "10.0.0.5/24".parse().unwrap());
    /// assert_eq!(key.prefix().to_string(), "10.0.0.0/24");
    /// ```
    pub fn new(table: u32, prefix: IpNetwork) -> Self {
        let masked = IpNetwork::new(prefix.network(), prefix.prefix()).unwrap_or(prefix);
        Self {
            table,
            prefix: masked,
            share: Share::FIRST,
        }
    }

    /// The same route of this owner.
    pub fn of(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Whose it is.
    pub fn share(&self) -> Share {
        self.share
    }

    /// A route of the main table.
    pub fn main(prefix: IpNetwork) -> Self {
        Self::new(Self::MAIN, prefix)
    }

    /// The routing table's number.
    pub fn table(&self) -> u32 {
        self.table
    }

    /// The destination, host bits cleared.
    pub fn prefix(&self) -> IpNetwork {
        self.prefix
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}", self.prefix)?;
        if self.table != Self::MAIN {
            write!(f, " table {}", self.table)?;
        }
        Ok(())
    }
}

/// What a route says about packets to its prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Forward or refuse. Default unicast.
    pub kind: RouteKind,
    /// Where to send packets; more than one share the traffic by weight. Ignored unless unicast.
    pub next_hops: Vec<NextHop>,
    /// Where packets go from the moment on at which all next hops are lost together
    /// ([`crate::KernelHandle::lose`]) until the owner says something else. Nothing of it is in the
    /// kernel before. Needs known interfaces, as next hops do.
    pub spare: Vec<NextHop>,
    /// The kernel's priority, lower wins. Default [`Route::METRIC`].
    pub metric: u32,
    /// Source address for packets that this host itself sends.
    pub source: Option<IpAddr>,
}

impl Route {
    /// The metric FRR gives to BGP routes, kept so that a change of daemon replaces routes in
    /// place.
    pub const METRIC: u32 = 20;

    /// A route through these next hops.
    pub fn via(next_hops: impl IntoIterator<Item = NextHop>) -> Self {
        let next_hops = next_hops.into_iter().collect();
        Self {
            kind: RouteKind::Unicast,
            next_hops,
            spare: Vec::new(),
            metric: Self::METRIC,
            source: None,
        }
    }

    /// A route that drops packets, silently or with an ICMP error.
    pub fn refuse(kind: RouteKind) -> Self {
        Self {
            kind,
            next_hops: Vec::new(),
            spare: Vec::new(),
            metric: Self::METRIC,
            source: None,
        }
    }

    /// Sets the ways out for when all next hops are lost.
    pub fn spare(mut self, spare: impl IntoIterator<Item = NextHop>) -> Self {
        self.spare = spare.into_iter().collect();
        self
    }

    /// Sets the metric.
    pub fn metric(mut self, metric: u32) -> Self {
        self.metric = metric;
        self
    }

    /// Sets the preferred source address.
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }
}

/// The kernel's route types that make sense for learned routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    /// Forward to the next hops.
    Unicast,
    /// Drop silently.
    Blackhole,
    /// Drop, ICMP host unreachable.
    Unreachable,
    /// Drop, ICMP administratively prohibited.
    Prohibit,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unicast => "unicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        })
    }
}

/// One way out for a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHop {
    /// The router's address; `None` for destinations directly on the interface. An IPv6 gateway
    /// may carry IPv4 routes (RFC 8950), not the other way round.
    pub gateway: Option<IpAddr>,
    /// The way out. Without it the kernel resolves the gateway when the route is written, which
    /// costs the route its nexthop object.
    pub interface: Option<Interface>,
    /// The gateway is reachable on the interface although no subnet says so.
    pub onlink: bool,
    /// Share of the traffic, 1 to 256. Default 1.
    pub weight: u16,
    /// Next hops with the same number are lost together ([`crate::KernelHandle::lose`]): whoever
    /// named them is gone, or cannot be reached. Default 0, never lost.
    pub fate: u32,
}

impl NextHop {
    /// Through a gateway that the kernel finds itself.
    pub fn gateway(gateway: IpAddr) -> Self {
        Self {
            gateway: Some(gateway),
            interface: None,
            onlink: false,
            weight: 1,
            fate: 0,
        }
    }

    /// Directly on an interface.
    pub fn interface(interface: impl Into<Interface>) -> Self {
        Self {
            gateway: None,
            interface: Some(interface.into()),
            onlink: false,
            weight: 1,
            fate: 0,
        }
    }

    /// To a tunnel endpoint, through the bridge of an L3VNI ([`Overlay::layer3`]). No subnet there
    /// has the endpoint's address; the neighbour of that name on that bridge
    /// ([`Neighbour`], under [`tunnel_gateway`]) has the other router's MAC address, and the
    /// [`RemoteMac`] of the VXLAN device leads there.
    ///
    /// ```
    /// let hop = |ipv6| fib::NextHop::through("br4001", "10.0.0.2".parse().unwrap(), ipv6);
    /// assert_eq!(hop(false).to_string(), "via 10.0.0.2 dev br4001 onlink");
    /// assert_eq!(hop(true).to_string(), "via ::ffff:10.0.0.2 dev br4001 onlink");
    /// ```
    pub fn through(bridge: impl Into<Device>, vtep: IpAddr, ipv6_route: bool) -> Self {
        let gateway = tunnel_gateway(vtep, ipv6_route);
        Self::gateway(gateway).dev(bridge.into()).onlink()
    }

    /// Through this interface.
    pub fn dev(mut self, interface: impl Into<Interface>) -> Self {
        self.interface = Some(interface.into());
        self
    }

    /// The gateway needs no subnet on the interface.
    pub fn onlink(mut self) -> Self {
        self.onlink = true;
        self
    }

    /// Lost together with all others of this number.
    pub fn fate(mut self, fate: u32) -> Self {
        self.fate = fate;
        self
    }

    /// Share of the traffic; clamped to 1..=256.
    pub fn weight(mut self, weight: u16) -> Self {
        self.weight = weight.clamp(1, 256);
        self
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(gateway) = self.gateway {
            write!(f, "via {gateway}")?;
            gap = " ";
        }
        if let Some(interface) = &self.interface {
            write!(f, "{gap}dev {interface}")?;
        }
        if self.weight > 1 {
            write!(f, " weight {}", self.weight)?;
        }
        if self.onlink {
            f.write_str(" onlink")
        } else {
            Ok(())
        }
    }
}

/// A device, by number when it is known, by name when it should be found again later.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interface {
    /// The kernel's index. Gone for good when the device is.
    Index(u32),
    /// The name; follows a device that is removed and created again.
    Name(Device),
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl From<Device> for Interface {
    fn from(name: Device) -> Self {
        Self::Name(name)
    }
}

impl From<&str> for Interface {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "if{index}"),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A device name, cheap to copy around.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device(Arc<str>);

impl Device {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Device {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Device {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The all-zero address, under which VXLAN keeps its flood list.
    pub const ZERO: Self = Self([0; 6]);

    /// The modified EUI-64 link-local address of a device with this MAC (RFC 4291 §2.5.1).
    pub fn link_local(&self) -> std::net::Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let bytes = [
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            a ^ 2,
            b,
            c,
            0xff,
            0xfe,
            d,
            e,
            f,
        ];
        std::net::Ipv6Addr::from(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let error = || MacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(error)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(Self(bytes))
        }
    }
}

/// A text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MAC address, expected `aa:bb:cc:dd:ee:ff`")]
pub struct MacError(String);

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

/// Where a remote MAC address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteMac {
    /// The tunnel endpoint.
    pub vtep: IpAddr,
    /// The bridge must not learn this address on another port. Linux 6.18 accepts this together
    /// with `extern_learn` but does not keep it, so it is written and not compared.
    pub sticky: bool,
}

/// The name of a flood list entry: VXLAN device and tunnel endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FloodKey {
    /// The VXLAN device.
    pub device: Device,
    /// The tunnel endpoint.
    pub vtep: IpAddr,
    /// Of which VNI, on a device that carries several.
    pub segment: Option<Segment>,
}

impl FloodKey {
    /// An endpoint of a device with one VNI.
    pub fn new(device: impl Into<Device>, vtep: IpAddr) -> Self {
        Self {
            device: device.into(),
            vtep,
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
}

impl Vrf {
    /// A VRF by name and table.
    pub fn new(device: impl Into<Device>, table: u32) -> Self {
        let device = device.into();
        Self { device, table }
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
            lane: None,
            share: Share::FIRST,
        }
    }

    /// The overlay that joins a VRF with its other sites: a bridge without ports but its VXLAN
    /// device, with the router's MAC address and no other address. Routes of the VRF lead to other
    /// sites through it, see [`NextHop::through`].
    pub fn layer3(vni: u32, local: IpAddr, mtu: u32, vrf: Vrf, router_mac: Mac) -> Self {
        Self {
            gateway_mac: Some(router_mac),
            vrf: Some(vrf),
            suppress: false,
            ..Self::new(vni, local, mtu)
        }
    }

    /// It has no hosts and joins a VRF with its other sites.
    pub fn is_layer3(&self) -> bool {
        self.gateway.is_empty() && self.gateway_mac.is_some() && self.vrf.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_is_printed_as_it_is_parsed() {
        let text = "02:00:5e:10:00:ff";
        assert_eq!(text.parse::<Mac>().unwrap().to_string(), text);
        for wrong in [
            "",
            "02:00",
            "02:00:5e:10:00:ff:00",
            "02:00:5e:10:00:f",
            "0x:00:5e:10:00:ff",
        ] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mac_address_gives_its_link_local_address() {
        let mac: Mac = "02:00:5e:10:00:01".parse().unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::5eff:fe10:1");
    }
}
