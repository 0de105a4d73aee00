//! The rows of the table, and what may stand in a cell.

use std::fmt;

use super::plan::of;

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// IPv4 unicast, with attributes.
    Ipv4,
    /// IPv6 unicast, with attributes.
    Ipv6,
    /// EVPN.
    Evpn,
    /// Large communities.
    LargeCommunities,
    /// IPv4 routes with IPv6 next hops.
    Ipv6NextHops,
    /// Messages of more than 4096 octets.
    ExtendedMessages,
    /// Routes are asked for again, from either side.
    RouteRefresh,
    /// Routes survive a crash of either side.
    GracefulRestart,
    /// Signed segments.
    Md5,
    /// TTL security.
    Gtsm,
    /// Roles.
    Roles,
    /// rbgpd is the client of the neighbour, which reflects.
    Client,
    /// rbgpd reflects.
    Reflector,
    /// rbgpd takes in several paths of a prefix.
    AddPathReceived,
    /// rbgpd sends several paths of a prefix.
    AddPathSent,
}

impl Feature {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 15] = [
        Self::Ipv4,
        Self::Ipv6,
        Self::Evpn,
        Self::LargeCommunities,
        Self::Ipv6NextHops,
        Self::ExtendedMessages,
        Self::RouteRefresh,
        Self::GracefulRestart,
        Self::Md5,
        Self::Gtsm,
        Self::Roles,
        Self::Client,
        Self::Reflector,
        Self::AddPathReceived,
        Self::AddPathSent,
    ];

    /// What rbgpd does not do yet.
    pub fn not_yet(self) -> Option<&'static str> {
        of(NOT_YET, self)
    }
}

/// Rows that wait for rbgpd, each with what is missing. With the line gone, the check runs.
const NOT_YET: &[(Feature, &str)] = &[];

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4 unicast",
            Self::Ipv6 => "IPv6 unicast",
            Self::Evpn => "EVPN (RFC 7432)",
            Self::LargeCommunities => "large communities (RFC 8092)",
            Self::Ipv6NextHops => "IPv4 over IPv6 next hops (RFC 8950)",
            Self::ExtendedMessages => "extended messages (RFC 8654)",
            Self::RouteRefresh => "route refresh (RFC 2918)",
            Self::GracefulRestart => "graceful restart (RFC 4724)",
            Self::Md5 => "passwords, TCP MD5 (RFC 2385)",
            Self::Gtsm => "TTL security (RFC 5082)",
            Self::Roles => "roles (RFC 9234)",
            Self::Client => "reflector's client (RFC 4456)",
            Self::Reflector => "reflector (RFC 4456)",
            Self::AddPathReceived => "several paths received (RFC 7911)",
            Self::AddPathSent => "several paths sent (RFC 7911)",
        })
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The check passed; with what it could not see, if there is such a thing.
    Passed(Option<String>),
    /// The other daemon does not have it.
    No(String),
    /// rbgpd does not have it yet.
    NotYet(String),
    /// The check failed.
    Failed(String),
}

impl Outcome {
    /// The word in the table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::No(_) => "no",
            Self::NotYet(_) => "not yet",
            Self::Failed(_) => "FAILED",
        }
    }

    /// The sentence below the table.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Passed(note) => note.as_deref(),
            Self::No(why) | Self::NotYet(why) | Self::Failed(why) => Some(why),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            Some(why) => write!(f, "{}: {why}", self.word()),
            None => f.write_str(self.word()),
        }
    }
}
