//! What is configured on both sides, in no daemon's language.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Feature;

/// AS number of rbgpd.
pub(super) const OUR_AS: u32 = 65_001;
/// AS number of the other daemon.
pub(super) const THEIR_AS: u32 = 65_002;

/// Announced by rbgpd with the attributes of [`OUR_MARKS`].
pub(super) const OURS: &str = "10.71.0.0/24";
/// The same for IPv6.
pub(super) const OURS_IPV6: &str = "2001:db8:71::/48";
/// Announced by rbgpd with so many communities that it needs an extended message.
pub(super) const LONG: &str = "10.79.0.0/24";
/// Announced by the other daemon with the attributes of [`THEIR_MARKS`].
pub(super) const THEIRS: &str = "10.72.0.0/24";
/// The same for IPv6.
pub(super) const THEIRS_IPV6: &str = "2001:db8:72::/48";
/// Told to the other daemon by the second client, to be reflected.
pub(super) const THEY_REFLECT: &str = "10.73.0.0/24";
/// Told to the first client by the second one, to be reflected. One prefix for both would do if
/// all daemons preferred the shorter cluster list (RFC 4456 §9).
pub(super) const WE_REFLECT: &str = "10.74.0.0/24";

/// Announced by both clients: the neighbour knows several paths, and so does the first client.
pub(super) const MANY: &str = "10.75.0.0/24";

/// The password of [`Purpose::Md5`].
pub(super) const PASSWORD: &str = "one-word";

/// Communities of [`LONG`]: 4400 octets.
pub(super) const LONG_COMMUNITIES: u16 = 1100;

/// What a daemon spells in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The AS path consists of this one number.
    AsPath(u32),
    /// MULTI_EXIT_DISC.
    Med(u32),
    /// A community.
    Community(u16, u16),
    /// A large community.
    LargeCommunity(u32, u32, u32),
    /// NEXT_HOP.
    NextHop(IpAddr),
    /// ORIGINATOR_ID.
    Originator(IpAddr),
}

/// What rbgpd gives its networks.
pub(super) const OUR_MARKS: [Attribute; 3] = [
    Attribute::AsPath(OUR_AS),
    Attribute::Med(77),
    Attribute::Community(65001, 7),
];
/// And besides.
pub(super) const OUR_LARGE: Attribute = Attribute::LargeCommunity(65001, 7, 8);

/// What a session is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// IPv4 unicast with everything that both sides offer by themselves.
    Plain,
    /// IPv6 unicast.
    Ipv6,
    /// IPv4 unicast over IPv6.
    Ipv6NextHops,
    /// EVPN.
    Evpn,
    /// The same password on both sides.
    Md5,
    /// Different passwords.
    WrongPassword,
    /// TTL security.
    Gtsm,
    /// Several paths of a prefix.
    AddPath,
    /// The other daemon is the provider.
    Role,
    /// iBGP with the first client, which is a reflector too.
    FirstClient,
    /// iBGP with the second client.
    SecondClient,
}

/// The one family of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
    Evpn,
}

/// The value of a key in a short table.
pub(super) fn of<K: Copy + PartialEq, V: Copy>(table: &[(K, V)], key: K) -> Option<V> {
    let mut entries = table.iter();
    entries.find(|(it, _)| *it == key).map(|(_, value)| *value)
}

/// One session. Its number is part of both addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// What it is for.
    pub purpose: Purpose,
    number: u8,
}

impl Session {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        use Purpose::*;
        let purposes = [
            Plain,
            Ipv6,
            Ipv6NextHops,
            Evpn,
            Md5,
            WrongPassword,
            Gtsm,
            AddPath,
            Role,
            FirstClient,
            SecondClient,
        ];
        (1..)
            .zip(purposes)
            .map(|(number, purpose)| Self { purpose, number })
            .collect()
    }

    /// The session for a purpose.
    pub(super) fn of(purpose: Purpose) -> Self {
        let number = Self::all()
            .iter()
            .find(|session| session.purpose == purpose)
            .map_or(0, |session| session.number);
        Self { purpose, number }
    }

    /// Address of rbgpd.
    pub(super) fn left(&self) -> IpAddr {
        self.address(1)
    }

    /// Address of the other daemon.
    pub(super) fn right(&self) -> IpAddr {
        self.address(2)
    }

    fn address(&self, host: u8) -> IpAddr {
        match self.is_ipv6() {
            true => Ipv6Addr::new(
                0xfd09,
                u16::from(self.number),
                0,
                0,
                0,
                0,
                0,
                u16::from(host),
            )
            .into(),
            false => Ipv4Addr::new(10, 9, self.number, host).into(),
        }
    }

    fn is_ipv6(&self) -> bool {
        matches!(self.purpose, Purpose::Ipv6 | Purpose::Ipv6NextHops)
    }

    /// A name that every configuration language takes.
    pub(super) fn name(&self) -> String {
        format!("s{}", self.number)
    }

    /// AS number of rbgpd in it.
    pub(super) fn left_as(&self) -> u32 {
        match self.is_internal() {
            true => THEIR_AS,
            false => OUR_AS,
        }
    }

    /// Whether it is iBGP: the other daemon reflects what it hears.
    pub(super) fn is_internal(&self) -> bool {
        matches!(self.purpose, Purpose::FirstClient | Purpose::SecondClient)
    }

    /// What routes it carries.
    pub(super) fn family(&self) -> Family {
        let others = [(Purpose::Ipv6, Family::Ipv6), (Purpose::Evpn, Family::Evpn)];
        of(&others, self.purpose).unwrap_or(Family::Ipv4)
    }

    /// What the other daemon must have so that it can be configured.
    pub(super) fn needs(&self) -> Option<Feature> {
        let needs = [
            (Purpose::Ipv6, Feature::Ipv6),
            (Purpose::Ipv6NextHops, Feature::Ipv6NextHops),
            (Purpose::Evpn, Feature::Evpn),
            (Purpose::Md5, Feature::Md5),
            (Purpose::WrongPassword, Feature::Md5),
            (Purpose::Gtsm, Feature::Gtsm),
            (Purpose::AddPath, Feature::AddPathReceived),
            (Purpose::Role, Feature::Roles),
        ];
        of(&needs, self.purpose)
    }

    /// Password of the other daemon.
    pub(super) fn password(&self) -> Option<&'static str> {
        matches!(self.purpose, Purpose::Md5 | Purpose::WrongPassword).then_some(PASSWORD)
    }
}
