//! Questions and orders.
//!
//! One enum for the library, the socket and the command line. Values are checked before a request
//! exists: an address is an address here, a family is one we have.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bgp::{Asn, Family, MacAddress, Prefix, RouteDistinguisher, ScopedAddr, Vni};
use evpn::Address;
use ipnetwork::IpNetwork;

use super::words::counted;

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
    /// Where MAC addresses are, a page at a time. Reply: `EvpnMac`.
    EvpnMac {
        /// Only of this VNI.
        vni: Option<Vni>,
        /// Which part of the answer.
        page: Page,
    },
    /// Which MAC addresses IP addresses have, a page at a time. Reply: `EvpnNeighbors`.
    EvpnNeighbors {
        /// Only of this VNI.
        vni: Option<Vni>,
        /// Which part of the answer.
        page: Page,
    },
    /// The other tunnel endpoints. Reply: `EvpnVteps`.
    EvpnVteps,
    /// Where routes of VRFs lead. Reply: `EvpnNextHops`.
    EvpnNextHops,
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
    /// A machine is here from now on, says its hypervisor. Reply: `Arrived`.
    Arrived {
        /// In this VNI.
        vni: Vni,
        /// With this MAC address.
        mac: MacAddress,
        /// And this IP address.
        ip: Option<IpAddr>,
    },
    /// EVPN routes with every field, a page at a time. Reply: `EvpnRoutes`.
    EvpnRoutes(EvpnRoutes),
    /// BFD sessions. Reply: `Bfd`.
    Bfd,
    /// Caches of the RPKI, and what their VRPs say. Reply: `Rpki`.
    Rpki {
        /// About this prefix.
        prefix: Option<Prefix>,
        /// With this origin.
        asn: Option<Asn>,
    },
    /// Static routes, and how they stand. Reply: `StaticRoutes`.
    StaticRoutes,
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
    /// The configuration that runs. Reply: `Running`.
    Running(Language),
    /// Give lines of FRR's language to what runs, as one transaction. Reply: `Configured`.
    Configure {
        /// The lines, as they stand behind `configure terminal`.
        lines: Lines,
        /// Only say what would change.
        dry_run: bool,
    },
    /// Ask for debug messages until the next start, or for no more of them. Reply: `Debugging`.
    Debug {
        /// The words behind `debug` of FRR's line.
        words: String,
        /// Ask for them.
        on: bool,
    },
    /// Which debug messages are asked for. Reply: `Debugging`.
    Debugging,
    /// Put what runs into the configuration file. Reply: `Written`.
    Write,
    /// Start a session again, or exchange its routes again. Reply: `Clear`.
    Clear(Clear),
    /// Route-maps, with how often their entries matched. Reply: `RouteMaps`.
    RouteMaps {
        /// Only this one; an unknown name is an error.
        name: Option<String>,
    },
    /// Prefix lists with their rules. Reply: `PrefixLists`.
    PrefixLists,
    /// Numbers for Prometheus. Reply: `Metrics`.
    Metrics,
    /// What the tables hold and how much memory they take. Reply: `Memory`.
    Memory,
    /// Who answers. Reply: `Version`.
    Version,
    /// All instances, a line each. Reply: `Instances`.
    Instances,
    /// Overlay networks as operators see them. Reply: `Networks`.
    Networks,
    /// Put an overlay network into the configuration file and have it. Reply: `NetworkChange`.
    NetworkCreate(NetworkCreate),
    /// Take an overlay network out of the configuration file and away. Reply: `NetworkChange`.
    NetworkDelete(NetworkDelete),
    /// The same of the instance with this name, `default` for the one at the top of the file.
    /// Without it most questions are for that one; `Drain`, `Undrain`, `DrainStatus`, `Verify` and
    /// `Networks` are for all, and `NetworkDelete` for whoever has the network.
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
            Request::Verify
            | Request::Reload { .. }
            | Request::Running(_)
            | Request::Configure { .. }
            | Request::Write
            | Request::NetworkCreate(_)
            | Request::NetworkDelete(_) => Duration::from_secs(60),
            Request::Summary
            | Request::Neighbors { .. }
            | Request::Routes(_)
            | Request::Explain { .. }
            | Request::EvpnVni
            | Request::EvpnMac { .. }
            | Request::EvpnNeighbors { .. }
            | Request::EvpnVteps
            | Request::EvpnNextHops
            | Request::EvpnDuplicates { .. }
            | Request::ClearDuplicates { .. }
            | Request::Arrived { .. }
            | Request::EvpnRoutes(_)
            | Request::Bfd
            | Request::Rpki { .. }
            | Request::StaticRoutes
            | Request::DrainStatus
            | Request::Drain(_)
            | Request::Undrain { .. }
            | Request::Clear(_)
            | Request::Debug { .. }
            | Request::Debugging
            | Request::RouteMaps { .. }
            | Request::PrefixLists
            | Request::Metrics
            | Request::Memory
            | Request::Instances
            | Request::Networks
            | Request::Version => Duration::from_secs(10),
        }
    }
}

/// Lines of a configuration with `\n` between. The log has their number and not their passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Lines(pub String);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", counted(self.0.lines().count(), "line", "lines"))
    }
}

/// In which the configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Our own.
    #[default]
    Toml,
    /// FRR's.
    Frr,
}

impl Language {
    /// Word in paths and answers.
    pub fn word(self) -> &'static str {
        match self {
            Language::Toml => "toml",
            Language::Frr => "frr",
        }
    }

    /// The value of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "toml" => Some(Language::Toml),
            "frr" => Some(Language::Frr),
            _ => None,
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

/// Which EVPN routes. Of several conditions all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvpnRoutes {
    /// Only of this type: 1 to 5.
    pub route_type: Option<u8>,
    /// Only those that name this VNI, or that it takes in.
    pub vni: Option<Vni>,
    /// Only with this route distinguisher.
    pub rd: Option<RouteDistinguisher>,
    /// Only those that packets to this prefix may go by: of types 2 and 5.
    pub prefix: Option<Prefix>,
    /// Which part of the answer. With a condition a page may have fewer routes than it has room for,
    /// and even none, and still not be the last one.
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

/// An order for an overlay network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkCreate {
    /// Its number, not zero.
    pub vni: Vni,
    /// What people call it, as [`NetworkCreate::read_name`] takes it.
    pub name: String,
    /// Its networks, at least one, none within another.
    pub networks: Vec<Prefix>,
    /// Which addresses its bridge has.
    pub gateway: Gateways,
    /// The VRF device that its bridge is in, and its machines are routed in.
    pub vrf: Option<String>,
    /// Although other sites have something else under this number, or a device of this host is in
    /// one of the networks.
    pub force: bool,
    /// Only say what would change.
    pub dry_run: bool,
}

/// Addresses of the anycast gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gateways {
    /// The first usable address of each network.
    #[default]
    First,
    /// These, in networks of their own.
    These(Vec<IpAddr>),
    /// None.
    None,
}

impl NetworkCreate {
    /// Longest name.
    pub const NAME_MAX: usize = 63;

    /// A number that an overlay network can have.
    pub fn read_vni(text: &str) -> Option<Vni> {
        let vni: u32 = text.parse().ok()?;
        Vni::new(vni).filter(|_| vni > 0)
    }

    /// A name that an overlay network can have.
    pub fn read_name(text: &str) -> Result<String, String> {
        let fits = (1..=Self::NAME_MAX).contains(&text.chars().count());
        let fits = fits && !text.chars().any(char::is_control);
        let text = fits.then(|| text.to_owned());
        text.ok_or_else(|| format!("expected 1 to {} characters on one line", Self::NAME_MAX))
    }

    /// A network as an operator means it: with a length and without host bits.
    pub fn read_network(text: &str) -> Result<Prefix, String> {
        let network = Some(text).filter(|text| text.contains('/'));
        let network = network.and_then(|text| text.parse::<IpNetwork>().ok());
        let network = network
            .ok_or("expected a network like 10.30.0.0/24 or 2001:db8:30::/64".to_owned())?;
        let prefix = Prefix::from(network);
        if network.ip() != prefix.addr() {
            return Err(format!(
                "expected a network without host bits: {prefix}, with --gateway {} if that is what \
                 the address is",
                network.ip()
            ));
        }
        Ok(prefix)
    }
}

/// An order to take an overlay network away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkDelete {
    /// Its number.
    pub vni: Vni,
    /// Although machines are attached.
    pub force: bool,
    /// Only say what would change.
    pub dry_run: bool,
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
