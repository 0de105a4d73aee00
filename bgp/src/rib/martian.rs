//! Prefixes that nobody in another AS has, whatever it says (RFC 6890, RFC 4291 §2.4).
//!
//! Addresses of one host or one link, of groups, and of nobody: taken from another AS they would
//! draw packets that were never meant to leave. Private ones (RFC 1918, RFC 4193) and the reserved
//! 240.0.0.0/4 are not among them, since networks of one operator use them across AS; policy says
//! what is wanted there. A prefix that only covers such addresses, like the default route, is
//! none. Asked once a route, so the answer is a comparison or two.

use crate::evpn_route::EvpnKey;
use crate::prefix::{Prefix, Prefix4, Prefix6};

/// True for 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4 and 255.255.255.255, and what is within.
pub(super) fn is_martian4(prefix: Prefix4) -> bool {
    let first = prefix.bits() >> 24;
    match first {
        0 => prefix.len() >= 8,
        127 => prefix.len() >= 8,
        224..=239 => prefix.len() >= 4,
        255 => prefix.bits() == u32::MAX,
        _ => false,
    }
}

/// True for ::, ::1, mapped IPv4 addresses, fe80::/10 and ff00::/8, and what is within.
pub(super) fn is_martian6(prefix: Prefix6) -> bool {
    let addr = prefix.addr();
    let [first, ..] = addr.segments();
    match first {
        0 if prefix.len() >= 96 => {
            addr.is_unspecified() && prefix.len() >= 127
                || addr.is_loopback()
                || addr.to_ipv4_mapped().is_some()
        }
        0xfe80..=0xfebf => prefix.len() >= 10,
        0xff00..=0xffff => prefix.len() >= 8,
        _ => false,
    }
}

/// True for a type 5 route to such a prefix, which is a route of a VRF as others are (RFC 9136).
pub(super) fn is_martian_evpn(key: &EvpnKey) -> bool {
    match key {
        EvpnKey::IpPrefix {
            prefix: Prefix::V4(prefix),
            ..
        } => is_martian4(*prefix),
        EvpnKey::IpPrefix {
            prefix: Prefix::V6(prefix),
            ..
        } => is_martian6(*prefix),
        EvpnKey::EthernetAd { .. }
        | EvpnKey::MacIp { .. }
        | EvpnKey::InclusiveMulticast { .. }
        | EvpnKey::EthernetSegment { .. }
        | EvpnKey::Unknown { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evpn_route::RouteDistinguisher;

    #[test]
    fn what_is_of_one_host_one_link_a_group_or_nobody_is_a_martian() {
        let is_martian = |text: &str| {
            let prefix = text.parse::<Prefix>().unwrap();
            let is_martian = match prefix {
                Prefix::V4(prefix) => is_martian4(prefix),
                Prefix::V6(prefix) => is_martian6(prefix),
            };
            let (rd, tag) = (RouteDistinguisher([0; 8]), 0);
            let key = EvpnKey::IpPrefix { rd, tag, prefix };
            assert_eq!(is_martian_evpn(&key), is_martian, "{key}");
            is_martian
        };
        for martian in [
            "0.0.0.0/8",
            "0.1.0.0/16",
            "127.0.0.0/8",
            "127.0.0.1/32",
            "224.0.0.0/4",
            "232.1.0.0/16",
            "239.255.255.255/32",
            "255.255.255.255/32",
            "::/128",
            "::1/128",
            "::/127",
            "::ffff:0:0/96",
            "::ffff:192.0.2.0/120",
            "fe80::/10",
            "fe80:1::/64",
            "febf::/16",
            "ff00::/8",
            "ff02::1/128",
        ] {
            assert!(is_martian(martian), "{martian}");
        }
        for route in [
            "0.0.0.0/0",
            "0.0.0.0/7",
            "1.0.0.0/8",
            "126.0.0.0/7",
            "128.0.0.0/1",
            "192.0.2.0/24",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "192.168.0.0/16",
            "224.0.0.0/3",
            "240.0.0.0/4",
            "255.255.255.0/24",
            "::/0",
            "::/96",
            "2000::/3",
            "2001:db8::/32",
            "fc00::/7",
            "fe00::/9",
            "fec0::/10",
            "f000::/4",
            "64:ff9b::/96",
        ] {
            assert!(!is_martian(route), "{route}");
        }
    }
}
