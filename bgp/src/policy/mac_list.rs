//! Lists of MAC addresses, for EVPN routes.
//!
//! A rule is about one address, about those that begin with the same bits, or about every one.
//! The first rule that matches decides, and no match is deny.

use std::fmt;
use std::str::FromStr;

use crate::evpn_route::MacAddress;
use crate::policy::rule::{self, Head, RuleError};
use crate::policy::{Action, List, Rule};

/// A list of rules about MAC addresses.
pub type MacList = List<MacRule>;

impl MacList {
    /// True if the list lets the address through.
    pub fn permits(&self, mac: MacAddress) -> bool {
        self.permits_by(|rule| rule.matches(mac))
    }

    /// For each rule, the number of an earlier rule that matches all that it matches.
    pub fn shadowed(&self) -> Vec<(u32, u32)> {
        let first = |rule: &MacRule, bits| (first_bits(rule.mac, bits), bits);
        super::list::shadowed(
            self.rules(),
            |rule| first(rule, rule.bits),
            |rule| (0..=rule.bits).map(move |bits| first(rule, bits)),
        )
    }
}

/// One rule of a [`MacList`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacRule {
    seq: u32,
    action: Action,
    // Bits beyond `bits` are zero.
    mac: MacAddress,
    bits: u8,
}

/// Bits of an address.
const ALL: u8 = 48;

impl MacRule {
    /// A rule about the addresses whose first `bits` (48 at most) are those of `mac`; 0 is every
    /// address. `seq` 0 asks the list for a number.
    pub fn new(seq: u32, action: Action, mac: MacAddress, bits: u8) -> Self {
        let bits = bits.min(ALL);
        Self {
            seq,
            action,
            mac: first_bits(mac, bits),
            bits,
        }
    }

    fn matches(&self, mac: MacAddress) -> bool {
        first_bits(mac, self.bits) == self.mac
    }
}

/// The address with all but its first `bits` cleared.
fn first_bits(mac: MacAddress, bits: u8) -> MacAddress {
    let [a, b, c, d, e, f] = mac.0;
    let mask = u64::MAX << ALL.saturating_sub(bits);
    let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) & mask;
    let [_, _, octets @ ..] = number.to_be_bytes();
    MacAddress(octets)
}

impl Rule for MacRule {
    fn seq(&self) -> u32 {
        self.seq
    }

    fn number(&mut self, seq: u32) {
        self.seq = seq;
    }

    fn action(&self) -> Action {
        self.action
    }
}

impl FromStr for MacRule {
    type Err = RuleError;

    /// `permit 02:00:00:00:00:01`, `deny 00:00:5e:00:00:00/24`, `seq 5 permit any`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let Head { seq, action, rest } = rule::head(text)?;
        let error = || RuleError::Value {
            text: rest.to_owned(),
            expected: "a MAC address like 02:00:00:00:00:01 or 00:00:5e:00:00:00/24",
        };
        if rest.is_empty() {
            return Err(RuleError::Missing("a MAC address or `any`"));
        }
        if rest == "any" {
            return Ok(Self::new(seq, action, MacAddress([0; 6]), 0));
        }
        let (mac, bits) = match rest.split_once('/') {
            Some((mac, bits)) => (mac, bits.parse().map_err(|_| error())?),
            None => (rest, ALL),
        };
        let mac = mac.parse().map_err(|_| error())?;
        let rule = Self::new(seq, action, mac, bits);
        if rule.mac == mac && bits <= ALL {
            Ok(rule)
        } else {
            Err(error())
        }
    }
}

/// As it is parsed, with the sequence number once there is one.
impl fmt::Display for MacRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq > 0 {
            write!(f, "seq {} ", self.seq)?;
        }
        match self.bits {
            0 => write!(f, "{} any", self.action),
            ALL => write!(f, "{} {}", self.action, self.mac),
            bits => write!(f, "{} {}/{bits}", self.action, self.mac),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rules: &[&str]) -> MacList {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        MacList::new("MACS", rules).unwrap()
    }

    #[test]
    fn an_address_or_its_first_bits_match() {
        let list = list(&["deny 02:00:00:00:00:01", "permit 02:00:00:00:00:00/23"]);
        for (mac, permitted) in [
            ("02:00:00:00:00:01", false),
            ("02:00:00:00:00:02", true),
            ("02:00:01:ff:00:02", true),
            ("02:00:02:00:00:02", false),
        ] {
            assert_eq!(list.permits(mac.parse().unwrap()), permitted, "{mac}");
        }
    }

    #[test]
    fn a_rule_is_shown_as_it_is_parsed() {
        for text in [
            "permit 02:00:00:00:00:01",
            "seq 5 deny 00:00:5e:00:00:00/24",
            "permit any",
        ] {
            assert_eq!(text.parse::<MacRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_says_so() {
        for text in [
            "permit",
            "permit x",
            "permit 02:00:00:00:00:01/24",
            "permit 02:00:00:00:00:00/49",
        ] {
            assert!(text.parse::<MacRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_within_an_earlier_one_is_shadowed() {
        let list = list(&[
            "permit 02:00:00:00:00:00/8",
            "deny 02:00:00:00:00:01",
            "deny any",
        ]);
        assert_eq!(list.shadowed(), [(10, 5)]);
    }
}
