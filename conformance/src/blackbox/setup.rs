//! What a speaker under test is configured to be, in no product's language.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::Prefix;

/// Host number of the speaker under test.
pub(super) const SPEAKER: u8 = 1;
/// Host number of the session that is observed.
pub(super) const OBSERVER: u8 = 3;
/// Host number of the session that has nothing to do with the test.
pub(super) const BYSTANDER: u8 = 4;

/// A neighbour of the speaker under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    /// Its host number: the last octet of its address.
    pub host: u8,
    /// Its AS number.
    pub asn: u32,
    /// The speaker connects, instead of waiting for a connection.
    pub active: bool,
    /// An import and an export policy that accept everything.
    pub policy: bool,
    /// IPv6 unicast in place of IPv4 unicast.
    pub ipv6: bool,
    /// The session runs over IPv6, within a namespace of its own ([`alone`](super::alone)).
    pub over_ipv6: bool,
    /// IPv6 unicast and EVPN beside IPv4 unicast.
    pub all_families: bool,
    /// More keys of rbgpd's own configuration; a family among them replaces the usual one.
    pub keys: String,
}

impl Neighbor {
    /// One that connects to the speaker, for IPv4 unicast and without policies.
    pub fn new(host: u8, asn: u32) -> Self {
        Self {
            host,
            asn,
            active: false,
            policy: false,
            ipv6: false,
            over_ipv6: false,
            all_families: false,
            keys: String::new(),
        }
    }
}

/// The configuration of a speaker under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Its AS number.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// What it announces by itself.
    pub networks: Vec<Prefix>,
    /// Its neighbours, the two healthy ones included.
    pub neighbors: Vec<Neighbor>,
    /// More tables of rbgpd's own configuration.
    pub tables: String,
    /// More keys of its `[ipv4_unicast]`.
    pub unicast: String,
}

impl Setup {
    /// AS number of the speaker, unless another is set.
    pub const ASN: u32 = 65_001;
    /// AS number of the healthy session that is observed.
    pub const OBSERVER_AS: u32 = 65_003;
    /// AS number of the healthy session beside.
    pub const BYSTANDER_AS: u32 = 65_004;
    /// Announced by the speaker itself.
    pub const NETWORK: Prefix = Prefix {
        addr: Ipv4Addr::new(203, 0, 113, 0),
        len: 24,
    };

    /// A speaker of AS 65001 that announces one network and has the two healthy neighbours.
    pub fn new() -> Self {
        let setup = Self {
            asn: Self::ASN,
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            networks: vec![Self::NETWORK],
            neighbors: Vec::new(),
            tables: String::new(),
            unicast: String::new(),
        };
        setup
            .peer(OBSERVER, Self::OBSERVER_AS)
            .peer(BYSTANDER, Self::BYSTANDER_AS)
    }

    /// Adds a neighbour that connects to the speaker.
    pub fn peer(self, host: u8, asn: u32) -> Self {
        self.neighbor(Neighbor::new(host, asn))
    }

    /// Adds a neighbour whose session runs over IPv6; the test must be [`alone`](super::alone).
    pub fn peer_over_ipv6(self, host: u8, asn: u32) -> Self {
        self.peer(host, asn)
            .change(host, |neighbor| neighbor.over_ipv6 = true)
    }

    /// The session of this host number runs over IPv6.
    pub(super) fn is_over_ipv6(&self, host: u8) -> bool {
        self.neighbors
            .iter()
            .any(|neighbor| neighbor.host == host && neighbor.over_ipv6)
    }

    /// Adds neighbours of one AS.
    pub fn peers(self, hosts: impl IntoIterator<Item = u8>, asn: u32) -> Self {
        hosts
            .into_iter()
            .fold(self, |setup, host| setup.peer(host, asn))
    }

    /// Adds a neighbour.
    pub fn neighbor(mut self, neighbor: Neighbor) -> Self {
        self.neighbors.push(neighbor);
        self
    }

    /// Changes the neighbour of a host number.
    pub fn change(mut self, host: u8, change: impl Fn(&mut Neighbor)) -> Self {
        self.neighbors
            .iter_mut()
            .filter(|neighbor| neighbor.host == host)
            .for_each(change);
        self
    }

    /// Adds keys of rbgpd's configuration to the neighbour of a host number.
    pub fn keys(self, host: u8, keys: &str) -> Self {
        self.change(host, |neighbor| {
            neighbor.keys.push_str(keys);
            neighbor.keys.push('\n');
        })
    }

    /// Adds tables of rbgpd's configuration.
    pub fn tables(mut self, tables: &str) -> Self {
        self.tables.push_str(tables);
        self.tables.push('\n');
        self
    }

    /// Adds keys of rbgpd's `[ipv4_unicast]`.
    pub fn unicast(mut self, keys: &str) -> Self {
        self.unicast.push_str(keys);
        self.unicast.push('\n');
        self
    }

    /// Sets the AS number.
    pub fn asn(mut self, asn: u32) -> Self {
        self.asn = asn;
        self
    }

    /// Gives the two healthy neighbours all families.
    pub fn healthy_with_all_families(self) -> Self {
        self.change(OBSERVER, |neighbor| neighbor.all_families = true)
            .change(BYSTANDER, |neighbor| neighbor.all_families = true)
    }

    /// Gives the two healthy neighbours a policy that accepts everything.
    pub fn healthy_with_policy(self) -> Self {
        self.change(OBSERVER, |neighbor| neighbor.policy = true)
            .change(BYSTANDER, |neighbor| neighbor.policy = true)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// 256 local addresses that belong to one bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// First octet: 127, or another where the speaker takes no next hop on loopback.
    pub first: u8,
    /// Second octet.
    pub second: u8,
    /// Third octet.
    pub third: u8,
}

impl Network {
    /// Address of a host number.
    pub fn host(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.first, self.second, self.third, host)
    }

    /// Its address on sessions over IPv6: the same in every namespace.
    pub fn host_ipv6(host: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into())
    }

    /// The one of both that a neighbour's session runs over.
    pub(super) fn of(self, host: u8, over_ipv6: bool) -> IpAddr {
        match over_ipv6 {
            true => Self::host_ipv6(host).into(),
            false => self.host(host).into(),
        }
    }
}
