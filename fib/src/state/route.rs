//! Routes: their names, whose they are, and where they lead.
//!
//! Values only, as the rest of [`super`]; which of several routes of one prefix the kernel uses is
//! the kernel's business, and how they are written that of [`crate::netlink`].

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{Device, tunnel_gateway};

/// Who of several owners in one process wants a route ([`crate::KernelHandle::join`]).
///
/// Two owners may want the same prefix in the same table, with different metrics; the kernel then
/// holds both routes and uses the one with the lower metric. Numbers mean nothing to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share(pub u8);

impl Share {
    /// The owner that started the thread; whatever no other owner has claimed is its.
    pub const FIRST: Self = Self(0);

    /// What this crate itself wants in the tables of VRFs ([`Vrf::closed`]).
    pub(crate) const VRFS: Self = Self(u8::MAX);
}

/// Routes that belong to an owner, whoever finds them in the kernel: those of one of these tables
/// with one of these metrics, and those beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The routing tables.
    pub tables: Vec<u32>,
    /// The metrics, none of which another owner has in these tables.
    pub metrics: Vec<u32>,
    /// Tables and metrics of routes that stand [beside](RouteKey::beside) others of the owner; none
    /// of them is one of the above.
    pub beside: Vec<(u32, u32)>,
}

impl Claim {
    /// Whether a route of this table with this metric belongs to the owner.
    pub fn covers(&self, table: u32, metric: u32) -> bool {
        let usual = self.tables.contains(&table) && self.metrics.contains(&metric);
        usual || self.beside.contains(&(table, metric))
    }
}

/// The name of a route: routing table, prefix without host bits, and whose it is. An owner may have
/// two of a prefix in a table, one [beside](RouteKey::beside) the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteKey {
    table: u32,
    prefix: IpNetwork,
    share: Share,
    beside: bool,
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
            beside: false,
        }
    }

    /// The second route of the owner to this prefix in this table, which is there for itself: its
    /// metrics are others ([`Claim::beside`]), and the kernel uses the one with the lower.
    pub fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// Whether it stands beside another of its owner.
    pub fn is_beside(&self) -> bool {
        self.beside
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

    /// To a tunnel endpoint, through the bridge of an L3VNI ([`crate::Overlay::layer3`]). No subnet there
    /// has the endpoint's address; the neighbour of that name on that bridge
    /// ([`crate::Neighbour`], under [`tunnel_gateway`]) has the other router's MAC address, and the
    /// [`crate::RemoteMac`] of the VXLAN device leads there.
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
