//! Questions and orders.
//!
//! One enum for the library, the socket and the command line. Values are checked before a request
//! exists: an address is an address here, a family is one we have.

use std::time::Duration;

use bgp::{Asn, Family, Prefix, ScopedAddr, Vni};
use evpn::Address;

/// A question to the daemon, or an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// The router and one line for each neighbour. Reply: `Summary`.
    Summary,
    /// Everything about one neighbour or all. Reply: `Neighbors`.
    Neighbors {
        /// Only this one; an unknown address is an error.
        address: Option<ScopedAddr>,
    },
    /// Routes, a page at a time. Reply: `Routes`.
    Routes(Routes),
    /// Why a route is as it is. Reply: `Explain`.
    Explain {
        /// A prefix or address, a MAC address, or an EVPN route as `show evpn routes` prints it.
        target: String,
    },
    /// The overlay networks. Reply: `EvpnVni`.
    EvpnVni,
    /// Where MAC addresses are. Reply: `EvpnMac`.
    EvpnMac {
        /// Only of this VNI.
        vni: Option<Vni>,
    },
    /// Addresses that move again and again. Reply: `EvpnDuplicates`.
    EvpnDuplicates {
        /// Only of this VNI.
        vni: Option<Vni>,
    },
    /// Let go of addresses that are duplicates. Reply: `EvpnDuplicates`, what they were.
    ClearDuplicates {
        /// Only of this VNI.
        vni: Option<Vni>,
        /// Only this one; it is an error if it is none.
        address: Option<Address>,
    },
    /// EVPN routes with every field, a page at a time. Reply: `EvpnRoutes`.
    EvpnRoutes(Page),
    /// BFD sessions. Reply: `Bfd`.
    Bfd,
    /// Caches of the RPKI, and what their VRPs say. Reply: `Rpki`.
    Rpki {
        /// About this prefix.
        prefix: Option<Prefix>,
        /// With this origin.
        asn: Option<Asn>,
    },
    /// How far a drain is. Reply: `Drain`.
    DrainStatus,
    /// Move traffic away. Reply: `Drain`.
    Drain(Drain),
    /// Take traffic back. Reply: `Drain`.
    Undrain {
        /// Only from this neighbour.
        neighbor: Option<ScopedAddr>,
        /// Whatever is not in place.
        force: bool,
    },
    /// Compare the kernel with what should be in it. Reply: `Verify`.
    Verify,
    /// Read the configuration file again. Reply: `Reload`.
    Reload {
        /// Only say what would change.
        dry_run: bool,
    },
    /// Start a session again, or exchange its routes again. Reply: `Clear`.
    Clear(Clear),
    /// Route-maps, with how often their entries matched. Reply: `RouteMaps`.
    RouteMaps {
        /// Only this one; an unknown name is an error.
        name: Option<String>,
    },
    /// Numbers for Prometheus. Reply: `Metrics`.
    Metrics,
    /// What the tables hold and how much memory they take. Reply: `Memory`.
    Memory,
    /// Who answers. Reply: `Version`.
    Version,
    /// All instances, a line each. Reply: `Instances`.
    Instances,
    /// The same of the instance with this name, `default` for the one at the top of the file.
    /// Without it most questions are for that one; `Drain`, `Undrain`, `DrainStatus` and `Verify` are
    /// for all.
    Of(String, Box<Request>),
}

impl Request {
    /// The same of one instance; `None` leaves it as it is.
    pub fn of(self, instance: Option<&str>) -> Self {
        match instance {
            Some(name) => Request::Of(name.to_owned(), Box::new(self)),
            None => self,
        }
    }

    /// Longest time the answer may take. A comparison with the kernel reads a million routes, a
    /// reload applies a whole configuration; everything else is answered from memory.
    pub fn patience(&self) -> Duration {
        match self {
            Request::Of(_, request) => request.patience(),
            Request::Verify | Request::Reload { .. } => Duration::from_secs(60),
            Request::Summary
            | Request::Neighbors { .. }
            | Request::Routes(_)
            | Request::Explain { .. }
            | Request::EvpnVni
            | Request::EvpnMac { .. }
            | Request::EvpnDuplicates { .. }
            | Request::ClearDuplicates { .. }
            | Request::EvpnRoutes(_)
            | Request::Bfd
            | Request::Rpki { .. }
            | Request::DrainStatus
            | Request::Drain(_)
            | Request::Undrain { .. }
            | Request::Clear(_)
            | Request::RouteMaps { .. }
            | Request::Metrics
            | Request::Memory
            | Request::Instances
            | Request::Version => Duration::from_secs(10),
        }
    }
}

/// Which routes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Only of this family; `None` is every family.
    pub family: Option<Family>,
    /// Only this prefix, or the longest match of a host address that has no route of its own.
    pub prefix: Option<Prefix>,
    /// From which table.
    pub select: Select,
    /// Which part of the answer.
    pub page: Page,
}

/// Which view of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Select {
    /// Every accepted path.
    #[default]
    All,
    /// What a neighbour told us, before our import policy.
    Received(ScopedAddr),
    /// What we tell a neighbour, after our export policy.
    Advertised(ScopedAddr),
}

/// A part of a long answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Most prefixes wanted, [`Page::MAX`] at most; `None` is [`Page::USUAL`].
    pub limit: Option<u32>,
    /// `next` of the page before; `None` is the beginning.
    pub after: Option<String>,
}

impl Page {
    /// Most prefixes in one page: a few megabytes of text.
    pub const MAX: u32 = 10_000;

    /// Prefixes in a page where a whole table is fetched. Of a table of a million, such a page
    /// takes the core some twenty milliseconds: five to look over the keys, the rest for the rows.
    pub const USUAL: u32 = 5_000;

    /// Most prefixes wanted, never zero and never over [`Page::MAX`].
    pub fn size(&self) -> usize {
        let size = self.limit.unwrap_or(Self::USUAL).clamp(1, Self::MAX);
        usize::try_from(size).unwrap_or(1)
    }
}

/// An order to drain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drain {
    /// Only away from this neighbour; `None` is the whole router.
    pub neighbor: Option<ScopedAddr>,
    /// Why, for those who look later.
    pub reason: Option<String>,
    /// Come back by itself after this time.
    pub duration: Option<Duration>,
    /// Drain even where something has no other way.
    pub force: bool,
    /// Only say what would happen.
    pub dry_run: bool,
}

impl Drain {
    /// Longest time for a drain: a hundred years, far from where adding to a clock overflows.
    pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);
}

/// An order to clear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clear {
    /// Only this neighbour; `None` is all.
    pub neighbor: Option<ScopedAddr>,
    /// With the session kept up.
    pub soft: SoftReset,
    /// No side keeps routes over it, whatever was agreed on (RFC 8538 §3).
    pub hard: bool,
    /// What the neighbour's operator is told (RFC 9003).
    pub reason: Option<String>,
}

/// Whether a clear keeps the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SoftReset {
    /// The session is closed and opened again.
    #[default]
    None,
    /// The neighbour is asked for its routes again (RFC 2918).
    In,
    /// Our routes are sent again.
    Out,
}

impl SoftReset {
    /// Word in paths and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            SoftReset::None => "none",
            SoftReset::In => "in",
            SoftReset::Out => "out",
        }
    }

    /// The value of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "none" => Some(SoftReset::None),
            "in" => Some(SoftReset::In),
            "out" => Some(SoftReset::Out),
            _ => None,
        }
    }
}
