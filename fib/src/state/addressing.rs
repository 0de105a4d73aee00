//! What a device of the host is to have: its addresses, and whether it is up.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// What is wanted of a device that somebody else makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addressing {
    /// Its addresses. They carry our stamp where we have added them, and only those are ever removed; one
    /// that is there already is as good.
    pub addresses: Vec<OwnAddress>,
    /// Whether it is up; `None` leaves that to the host, except that a device which is to have
    /// addresses is set up once for them. One that is to be down has its addresses all the same.
    pub up: Option<bool>,
}

/// An address of a device, as `ip address add` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnAddress {
    /// The address, with the length of its network; with a peer that is the length of the peer's.
    pub address: IpNetwork,
    /// The other end of a link between two.
    pub peer: Option<IpAddr>,
    /// The label of an IPv4 address: up to fifteen octets. It is written and not compared.
    pub label: Option<String>,
}

impl OwnAddress {
    /// The longest label.
    pub const LABEL_MAX: usize = 15;
}

impl From<IpNetwork> for OwnAddress {
    fn from(address: IpNetwork) -> Self {
        Self {
            address,
            peer: None,
            label: None,
        }
    }
}

impl fmt::Display for OwnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(
                f,
                "{} peer {peer}/{}",
                self.address.ip(),
                self.address.prefix()
            ),
            None => self.address.fmt(f),
        }
    }
}
