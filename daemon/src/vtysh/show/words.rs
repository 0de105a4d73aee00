//! Words that several answers have.

use std::time::{SystemTime, UNIX_EPOCH};

use bgp::Family;

use crate::control::Timestamp;
use crate::control::reply::{self, AsPathItem};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::DEFAULT;

/// How long something lasts, as FRR writes it: `01:02:03`, `1d02h03m`, `01w2d03h`.
pub(super) fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (weeks, years) = (days / 7, days / 365);
    match days {
        0 => format!("{hours:02}:{:02}:{:02}", minutes % 60, seconds % 60),
        1..7 => format!("{days}d{:02}h{:02}m", hours % 24, minutes % 60),
        7..365 => format!("{weeks:02}w{}d{:02}h", days % 7, hours % 24),
        _ => format!("{years:02}y{:02}w{}d", days % 365 / 7, days % 365 % 7),
    }
}

/// Seconds since 1970 of something that is some seconds old.
pub(super) fn epoch(age_s: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs()).saturating_sub(age_s)
}

/// Seconds since 1970 as FRR writes them, of UTC: `Mon Nov 23 06:05:01 2026`.
pub(super) fn date(epoch_s: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = Timestamp::from_unix_s(epoch_s).to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let mut numbers = date.splitn(3, '-');
    let (year, month) = (numbers.next().unwrap_or(""), numbers.next().unwrap_or(""));
    let day = numbers.next().unwrap_or("").trim_start_matches('0');
    let month = month.parse::<usize>().unwrap_or(1).saturating_sub(1);
    let weekday = usize::try_from(epoch_s / 86_400 % 7).unwrap_or(0);
    let of = |words: &[&'static str], at: usize| words.get(at).copied().unwrap_or_default();
    let time = time.trim_end_matches('Z');
    format!(
        "{} {} {day:>2} {time} {year}",
        of(&DAYS, weekday),
        of(&MONTHS, month)
    )
}

/// The families that a line names, or that FRR means by none.
pub(super) fn families(said: &Said) -> Vec<Family> {
    if said.has("evpn") {
        vec![Family::Evpn]
    } else if said.has("ipv6") {
        vec![Family::Ipv6Unicast]
    } else if said.has("ipv4") || said.has("ip") {
        vec![Family::Ipv4Unicast]
    } else {
        Family::ALL.to_vec()
    }
}

/// As a heading: `IPv4 Unicast`.
pub(super) fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "IPv4 Unicast",
        Family::Ipv6Unicast => "IPv6 Unicast",
        Family::Evpn => "L2VPN EVPN",
    }
}

/// As a key: `ipv4Unicast`.
pub(super) fn family_key(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ipv4Unicast",
        Family::Ipv6Unicast => "ipv6Unicast",
        Family::Evpn => "l2VpnEvpn",
    }
}

/// An AS path as FRR writes it: `65001 {65002,65003} (65010)`.
pub(super) fn as_path(items: &[AsPathItem]) -> String {
    let list = |asns: &[u32], between: &str| {
        let asns: Vec<String> = asns.iter().map(ToString::to_string).collect();
        asns.join(between)
    };
    let words = items.iter().map(|item| match item {
        AsPathItem::Asn(asn) => asn.to_string(),
        AsPathItem::Set { set } => format!("{{{}}}", list(set, ",")),
        AsPathItem::ConfedSequence { confed_sequence } => {
            format!("({})", list(confed_sequence, " "))
        }
        AsPathItem::ConfedSet { confed_set } => format!("[{}]", list(confed_set, ",")),
    });
    let words: Vec<String> = words.collect();
    words.join(" ")
}

/// How many steps an AS path counts as.
pub(super) fn as_path_length(items: &[AsPathItem]) -> usize {
    let counts = |item: &&AsPathItem| matches!(item, AsPathItem::Asn(_) | AsPathItem::Set { .. });
    items.iter().filter(counts).count()
}

/// Host and domain name of a neighbour, which it tells with a capability.
pub(super) fn hostname(neighbor: &reply::Neighbor) -> Option<(String, String)> {
    let name = neighbor.host_received.as_ref()?;
    Some((name.host.clone(), name.domain.clone()))
}

/// What a text calls a neighbour: by its name before its address, where the instance has it so.
pub(super) fn named(
    instance: &reply::Summary,
    neighbor: Option<&reply::Neighbor>,
    name: String,
) -> String {
    let host = neighbor.and_then(hostname);
    match host.filter(|_| instance.show_hostname) {
        Some((host, _)) => format!("{host}({name})"),
        None => name,
    }
}

/// FRR's number of a VRF: that of its device, and zero for the one that has none.
pub(super) fn vrf_id(vrf: &str) -> u32 {
    // Of the kernel itself: what is mounted at /sys may be of another network namespace.
    match vrf {
        DEFAULT => 0,
        vrf => crate::interface::index_of(vrf).unwrap_or(0),
    }
}

/// An amount of memory.
pub(super) fn memory(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_frr_writes_them() {
        for (seconds, text) in [
            (0, "00:00:00"),
            (3_723, "01:02:03"),
            (93_784, "1d02h03m"),
            (788_645, "01w2d03h"),
            (40_000_000, "01y13w6d"),
        ] {
            assert_eq!(uptime(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn dates_are_as_frr_writes_them() {
        assert_eq!(date(1_795_413_901), "Mon Nov 23 06:05:01 2026");
        assert_eq!(date(0), "Thu Jan  1 00:00:00 1970");
    }

    #[test]
    fn as_paths_are_as_frr_writes_them() {
        let path = [
            AsPathItem::ConfedSequence {
                confed_sequence: vec![65010, 65011],
            },
            AsPathItem::Asn(65001),
            AsPathItem::Set { set: vec![1, 2] },
        ];
        assert_eq!(as_path(&path), "(65010 65011) 65001 {1,2}");
        assert_eq!(as_path_length(&path), 2);
    }
}
