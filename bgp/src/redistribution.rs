//! Routes that are taken over from the host: who made them, and how policy asks for that.
//!
//! A route of another program enters the tables like one of our own ([`crate::rib::Input::Originate`])
//! with a note of where it comes from ([`crate::attributes::Notes`]), so that route-maps can tell
//! such routes apart. Programs are known by a number, as Linux keeps it with each route
//! (`rtm_protocol`); the names are those of iproute2 (`rt_protos`) and of FRR, whose daemons have a
//! number each. Nothing here reads a kernel, and nobody is ever told any of it.

use std::fmt;
use std::str::FromStr;

/// Who made a route of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteSource {
    /// The program's number.
    pub protocol: u8,
    /// A network that an interface of the host is on: the kernel made it of an address.
    pub connected: bool,
}

/// What the kernel itself makes.
const KERNEL: u8 = 2;

/// Names with the numbers that stand behind them. A number's own name comes before those of groups.
const NAMES: &[(&str, &[u8])] = &[
    ("boot", &[3]),
    // iproute2's number, and that of FRR's staticd.
    ("static", &[4, 196]),
    ("ra", &[9]),
    ("zebra", &[11]),
    ("bird", &[12]),
    ("dnrouted", &[13]),
    ("xorp", &[14]),
    ("ntk", &[15]),
    ("dhcp", &[16]),
    ("mrouted", &[17]),
    ("keepalived", &[18]),
    ("babel", &[42]),
    ("ovn", &[84]),
    ("openr", &[99]),
    ("bgp", &[186]),
    ("isis", &[187]),
    ("ospf", &[188]),
    ("ospf6", &[188]),
    ("rip", &[189]),
    ("ripng", &[190]),
    ("nhrp", &[191]),
    ("eigrp", &[192]),
    ("ldp", &[193]),
    ("sharp", &[194]),
    ("pbr", &[195]),
    ("openfabric", &[197]),
    ("srte", &[198]),
    ("connected", &[]),
    // What FRR takes for the kernel's: made by no routing program.
    ("kernel", &[KERNEL, 3, 4, 9, 16]),
    ("any", &[]),
];

/// As `ip route` says, with `connected` for networks of interfaces.
impl fmt::Display for RouteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.connected {
            return f.write_str("connected");
        }
        if self.protocol == KERNEL {
            return f.write_str("kernel");
        }
        let known = NAMES
            .iter()
            .find(|(_, numbers)| numbers.contains(&self.protocol));
        match known {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "protocol {}", self.protocol),
        }
    }
}

/// Which sources are meant: a name, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceFilter {
    /// One of [`SourceFilter::names`].
    Named(&'static str),
    /// Routes with this number, networks of interfaces not among them.
    Protocol(u8),
}

impl SourceFilter {
    /// Every source.
    pub const ANY: Self = Self::Named("any");

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// True if this source is among those meant.
    pub fn selects(self, source: RouteSource) -> bool {
        match self {
            Self::Named("any") => true,
            Self::Named("connected") => source.connected,
            Self::Named(name) => {
                let named = NAMES.iter().find(|(known, _)| *known == name);
                !source.connected && named.is_some_and(|(_, it)| it.contains(&source.protocol))
            }
            Self::Protocol(number) => !source.connected && source.protocol == number,
        }
    }

    /// True if routes with this number are all that is meant.
    pub fn is_only(self, protocol: u8) -> bool {
        match self {
            Self::Named(name) => {
                let named = NAMES.iter().find(|(known, _)| *known == name);
                named.is_some_and(|(_, numbers)| *numbers == [protocol])
            }
            Self::Protocol(number) => number == protocol,
        }
    }
}

/// As the configuration spells it.
impl fmt::Display for SourceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Protocol(number) => write!(f, "{number}"),
        }
    }
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no source of routes, expected a name like `connected` or a number from 1 to 255"
)]
pub struct UnknownSource(String);

impl FromStr for SourceFilter {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        if let Some((name, _)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Named(name));
        }
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self::Protocol(number)),
            Ok(_) | Err(_) => Err(UnknownSource(text.to_owned())),
        }
    }
}

/// The name of a network device, of up to 15 octets as Linux has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceName([u8; Self::OCTETS]);

impl InterfaceName {
    /// How long a name may be.
    pub const OCTETS: usize = 15;

    /// `None` for what no device can be called.
    pub fn new(name: &str) -> Option<Self> {
        let mut octets = [0; Self::OCTETS];
        let place = octets.get_mut(..name.len())?;
        place.copy_from_slice(name.as_bytes());
        (!name.is_empty() && !name.contains('\0')).then_some(Self(octets))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|octet| *octet == 0);
        let name = self.0.get(..end.unwrap_or(Self::OCTETS));
        // Made of a text.
        name.and_then(|name| str::from_utf8(name).ok())
            .unwrap_or_default()
    }

    pub(crate) fn octets(self) -> [u8; Self::OCTETS] {
        self.0
    }

    pub(crate) fn from_octets(octets: [u8; Self::OCTETS]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(protocol: u8) -> RouteSource {
        RouteSource {
            protocol,
            connected: false,
        }
    }

    const CONNECTED: RouteSource = RouteSource {
        protocol: KERNEL,
        connected: true,
    };

    #[test]
    fn a_name_stands_for_its_numbers() {
        let selects = |name: &str, source| name.parse::<SourceFilter>().unwrap().selects(source);
        for (name, number) in [
            ("boot", 3),
            ("static", 4),
            ("static", 196),
            ("ospf", 188),
            ("ospf6", 188),
            ("babel", 42),
            ("bird", 12),
            ("kernel", 2),
            ("kernel", 3),
            ("kernel", 16),
            ("188", 188),
            ("2", 2),
            ("any", 77),
        ] {
            assert!(selects(name, of(number)), "{name} {number}");
        }
        for (name, number) in [("static", 3), ("kernel", 188), ("kernel", 196), ("7", 70)] {
            assert!(!selects(name, of(number)), "{name} {number}");
        }
        assert!(selects("connected", CONNECTED) && selects("any", CONNECTED));
        for name in ["kernel", "2", "static"] {
            assert!(!selects(name, CONNECTED), "{name}");
        }
        assert!(!selects("connected", of(KERNEL)));
    }

    #[test]
    fn every_name_reads_back_and_says_what_it_means() {
        for name in SourceFilter::names() {
            assert_eq!(name.parse::<SourceFilter>().unwrap().to_string(), name);
        }
        assert_eq!("188".parse::<SourceFilter>().unwrap().to_string(), "188");
        for wrong in ["", "0", "256", "ospf7", "-1", "Static"] {
            assert!(wrong.parse::<SourceFilter>().is_err(), "{wrong}");
        }
        let shown = [CONNECTED, of(2), of(3), of(196), of(188), of(77)].map(|it| it.to_string());
        let expected = [
            "connected",
            "kernel",
            "boot",
            "static",
            "ospf",
            "protocol 77",
        ];
        assert_eq!(shown, expected);
        assert!(SourceFilter::Named("bgp").is_only(186) && !SourceFilter::ANY.is_only(186));
    }

    #[test]
    fn a_device_has_up_to_fifteen_octets() {
        for name in ["eth0", "a", "fifteen-octets1"] {
            assert_eq!(InterfaceName::new(name).unwrap().as_str(), name);
        }
        for wrong in ["", "sixteen-octets-1", "a\0b"] {
            assert_eq!(InterfaceName::new(wrong), None);
        }
    }
}
