//! BFD: how a session runs, beside a neighbour or on its own.

use std::net::IpAddr;
use std::time::Duration;

use bfd::{Authentication, Method};

use super::Keyword;

/// How a BFD session runs (RFC 5880). Profiles are in there already: what a session says itself
/// counts, then its profile, then the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bfd {
    /// How often we want to send.
    pub transmit_interval: Duration,
    /// How often the peer may send.
    pub receive_interval: Duration,
    /// Packets that may be lost in a row, plus one.
    pub multiplier: u8,
    /// The peer is behind routers (RFC 5883), not on the same link (RFC 5881).
    pub multihop: bool,
    /// The lowest TTL that packets from several hops away may arrive with.
    pub min_ttl: u8,
    /// Wait for the peer to speak first.
    pub passive: bool,
    /// Hold the session down.
    pub shutdown: bool,
    /// What packets are authenticated with.
    pub authentication: Option<Authentication>,
    /// How often we have the peer send a packet back (RFC 5880 §6.4), if at all.
    pub echo: Option<Duration>,
    /// How often the peer may have us send one back, if at all.
    pub echo_receive: Option<Duration>,
    /// No BGP session while this one is not up. Of neighbours only.
    pub strict: bool,
}

impl Bfd {
    /// Any number of routers on the way.
    pub const MIN_TTL: u8 = 1;

    /// How often echo packets are sent where nothing else is said.
    pub const ECHO: Duration = Duration::from_millis(50);

    /// Whether the settings of a neighbour's connection say that it is behind a router.
    pub fn is_far(ttl_security: Option<u8>, multihop: Option<u8>) -> bool {
        ttl_security.or(multihop).is_some_and(|hops| hops > 1)
    }

    /// How long silence lasts before it counts, if the peer is not slower.
    pub fn detection_time(&self) -> Duration {
        self.receive_interval * u32::from(self.multiplier)
    }
}

impl Default for Bfd {
    fn default() -> Self {
        Self {
            transmit_interval: Duration::from_millis(300),
            receive_interval: Duration::from_millis(300),
            multiplier: 3,
            multihop: false,
            min_ttl: Self::MIN_TTL,
            passive: false,
            shutdown: false,
            authentication: None,
            echo: None,
            echo_receive: None,
            strict: false,
        }
    }
}

/// `[[bfd]]`: a session that no neighbour has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BfdPeer {
    /// Whom with.
    pub path: BfdPath,
    /// How it runs.
    pub settings: Bfd,
}

/// Between whom a session of its own runs. The peer, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BfdPath {
    /// The peer's address.
    pub peer: IpAddr,
    /// Our address; `None`: the one the kernel would use.
    pub local: Option<IpAddr>,
    /// The interface to the peer; `None`: any.
    pub interface: Option<String>,
    /// The VRF it is in.
    pub vrf: Option<String>,
    /// Several hops away: another session than one with the same address on the link.
    pub multihop: bool,
}

impl std::fmt::Display for BfdPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.peer.fmt(f)?;
        if let Some(interface) = &self.interface {
            write!(f, "%{interface}")?;
        }
        if self.multihop {
            f.write_str(" (multihop)")?;
        }
        if let Some(vrf) = &self.vrf {
            write!(f, " in vrf {vrf}")?;
        }
        Ok(())
    }
}

impl Keyword for Method {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Method::Simple, "simple"),
        (Method::KeyedMd5, "keyed-md5"),
        (Method::MeticulousMd5, "meticulous-md5"),
        (Method::KeyedSha1, "keyed-sha1"),
        (Method::MeticulousSha1, "meticulous-sha1"),
    ];
}
