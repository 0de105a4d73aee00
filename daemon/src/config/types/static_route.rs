//! Static routes: what the operator says of the kernel's tables without any protocol.

use std::fmt;
use std::net::IpAddr;

use bgp::Prefix;

use super::{Bfd, BfdPath, Keyword};

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRoute {
    /// Where it stands, which no other static route does.
    pub key: StaticKey,
    /// What happens to its packets.
    pub way: StaticWay,
    /// A number that route-maps can ask for when it is redistributed.
    pub tag: Option<u32>,
    /// Source address, in the kernel's route, of what this host itself sends.
    pub src: Option<IpAddr>,
}

/// What tells static routes apart. Of those to one prefix in one table that can be used the one with
/// the lowest distance is in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StaticKey {
    /// The destination.
    pub prefix: Prefix,
    /// The kernel's table; `None` is the one that all our routes go into.
    pub table: Option<u32>,
    /// The kernel's metric.
    pub distance: u8,
}

impl StaticKey {
    /// As FRR has it, and every other router.
    pub const DISTANCE: u8 = 1;
}

impl fmt::Display for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        if self.distance != Self::DISTANCE {
            write!(f, " distance {}", self.distance)?;
        }
        match self.table {
            Some(table) => write!(f, " table {table}"),
            None => Ok(()),
        }
    }
}

/// What happens to the packets of a static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaticWay {
    /// They share these ways out by weight; at least one.
    Via(Vec<StaticNextHop>),
    /// They go nowhere.
    Refuse(Refusal),
}

/// A way out of a static route; it has an address, an interface or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticNextHop {
    /// The router; without an interface it is looked up in the routing tables.
    pub address: Option<IpAddr>,
    /// The interface that packets leave through.
    pub interface: Option<String>,
    /// The VRF on whose networks the router is, if that is not the route's; `default` is that of none.
    pub vrf: Option<String>,
    /// Share of the traffic.
    pub weight: u16,
    /// The router needs no network on the interface.
    pub onlink: bool,
    /// It is used while this session with the router is up.
    pub bfd: Option<StaticBfd>,
}

impl StaticNextHop {
    /// What `vrf` calls the one that is no VRF.
    pub const DEFAULT_VRF: &str = "default";

    /// The path to the router that BFD watches, in the VRF of the instance.
    pub fn watched(&self, vrf: Option<&str>) -> Option<(BfdPath, &Bfd)> {
        let StaticBfd { local, settings } = self.bfd.as_ref()?;
        let path = BfdPath {
            peer: self.address?,
            local: *local,
            // Over several hops packets take whatever way there is.
            interface: self.interface.clone().filter(|_| !settings.multihop),
            vrf: match self.vrf.as_deref().or(vrf) {
                Some(Self::DEFAULT_VRF) | None => None,
                Some(name) => Some(name.to_owned()),
            },
            multihop: settings.multihop,
        };
        Some((path, settings))
    }
}

/// BFD with the router of a next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticBfd {
    /// Our address; `None`: the one the kernel would use.
    pub local: Option<IpAddr>,
    /// How the session runs.
    pub settings: Bfd,
}

/// What is said to who sent a packet that goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing.
    Blackhole,
    /// ICMP: unreachable.
    Unreachable,
    /// ICMP: prohibited.
    Prohibit,
}

impl Refusal {
    /// As it stands in a file, and in `ip route`.
    pub fn name(self) -> &'static str {
        self.word()
    }
}

impl Keyword for Refusal {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Refusal::Blackhole, "blackhole"),
        (Refusal::Unreachable, "unreachable"),
        (Refusal::Prohibit, "prohibit"),
    ];
}
