//! Address families.
//!
//! The pair of AFI and SAFI (RFC 4760) that a table, a negotiated capability and an UPDATE belong
//! to. Only the families this crate keeps routes for have a name; any other pair stays a pair of
//! numbers in capabilities.

use std::fmt;

/// A family this crate keeps routes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 unicast, AFI 1, SAFI 1.
    Ipv4Unicast,
    /// IPv6 unicast, AFI 2, SAFI 1.
    Ipv6Unicast,
    /// L2VPN EVPN, AFI 25, SAFI 70 (RFC 7432).
    Evpn,
}

impl Family {
    /// Every family, in the order they are shown.
    pub const ALL: [Family; 3] = [Family::Ipv4Unicast, Family::Ipv6Unicast, Family::Evpn];

    /// The family of a pair of numbers, if this crate knows it.
    pub fn from_numbers(afi: u16, safi: u8) -> Option<Family> {
        match (afi, safi) {
            (1, 1) => Some(Family::Ipv4Unicast),
            (2, 1) => Some(Family::Ipv6Unicast),
            (25, 70) => Some(Family::Evpn),
            _ => None,
        }
    }

    /// Address family identifier.
    pub fn afi(self) -> u16 {
        match self {
            Family::Ipv4Unicast => 1,
            Family::Ipv6Unicast => 2,
            Family::Evpn => 25,
        }
    }

    /// Subsequent address family identifier.
    pub fn safi(self) -> u8 {
        match self {
            Family::Ipv4Unicast | Family::Ipv6Unicast => 1,
            Family::Evpn => 70,
        }
    }

    /// Position in [`Family::ALL`], for arrays indexed by family.
    pub fn index(self) -> usize {
        match self {
            Family::Ipv4Unicast => 0,
            Family::Ipv6Unicast => 1,
            Family::Evpn => 2,
        }
    }

    /// Name in configuration and JSON: `ipv4_unicast`, `ipv6_unicast`, `evpn`.
    pub fn name(self) -> &'static str {
        match self {
            Family::Ipv4Unicast => "ipv4_unicast",
            Family::Ipv6Unicast => "ipv6_unicast",
            Family::Evpn => "evpn",
        }
    }

    /// The family of a configuration name.
    pub fn from_name(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value per family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerFamily<T> {
    /// Value of [`Family::Ipv4Unicast`].
    pub ipv4_unicast: T,
    /// Value of [`Family::Ipv6Unicast`].
    pub ipv6_unicast: T,
    /// Value of [`Family::Evpn`].
    pub evpn: T,
}

impl<T: Copy> PerFamily<T> {
    /// The same value for all.
    pub fn all(value: T) -> Self {
        Self {
            ipv4_unicast: value,
            ipv6_unicast: value,
            evpn: value,
        }
    }
}

impl<T> PerFamily<T> {
    /// The value of one family.
    pub fn get(&self, family: Family) -> &T {
        match family {
            Family::Ipv4Unicast => &self.ipv4_unicast,
            Family::Ipv6Unicast => &self.ipv6_unicast,
            Family::Evpn => &self.evpn,
        }
    }

    /// The value of one family, to change it.
    pub fn get_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4Unicast => &mut self.ipv4_unicast,
            Family::Ipv6Unicast => &mut self.ipv6_unicast,
            Family::Evpn => &mut self.evpn,
        }
    }

    /// Every family with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Family, &T)> {
        Family::ALL
            .into_iter()
            .map(|family| (family, self.get(family)))
    }
}
