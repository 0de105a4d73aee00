//! `show bgp statistics`: numbers of a table.

use std::collections::BTreeMap;

use bgp::{Family, Prefix};
use serde_json::{Map, Value, json};

use super::evpn::LENGTH;
use super::{View, is_handed_over, is_listed, views};
use crate::config::Config;
use crate::control::Select;
use crate::control::reply::{AsPathItem, Route};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::host::DEFAULT;
use crate::vtysh::show::words::{as_path_length, family_key, family_name};
use crate::vtysh::show::{Answer, Answered};

/// `show bgp ipv4 unicast statistics`, and `statistics-all`.
pub(in crate::vtysh::show) async fn statistics(said: &Said, asking: &Asking) -> Answered {
    let families = match said.has("statistics-all") {
        true => Family::ALL.to_vec(),
        false => vec![super::family(said)],
    };
    let config = asking.running().await?;
    let (mut text, mut object) = (String::new(), Map::new());
    for view in views(said, asking).await? {
        for family in &families {
            let mut routes = view.router.routes(*family, None, Select::All).await?;
            routes.retain(is_listed);
            let numbers = Numbers::of(&routes, &aggregates(&config, &view));
            text.push_str(&numbers.text(&view, *family));
            object.insert(
                family_key(*family).to_owned(),
                json!([numbers.json(&view, *family)]),
            );
        }
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(object)),
        false => Answer::Text(text),
    })
}

/// What a table comes to.
#[derive(Debug, Default, PartialEq)]
struct Numbers {
    paths: u32,
    prefixes: u32,
    lengths: u64,
    /// Prefixes within no other one, and those within one.
    alone: u32,
    within: u32,
    /// Taken over from the kernel, and made of others by us.
    redistributed: u32,
    aggregates: u32,
    /// How many there are of each length.
    by_length: BTreeMap<u32, u32>,
    /// Addresses within the prefixes.
    space: f64,
    with_path: u32,
    longest: usize,
    hops: u64,
    largest: usize,
    octets: u64,
    highest: u32,
}

impl Numbers {
    fn of(routes: &[Route], aggregates: &[String]) -> Self {
        let mut numbers = Self::default();
        let mut prefixes: BTreeMap<&str, Option<Prefix>> = BTreeMap::new();
        for route in routes {
            prefixes
                .entry(&route.prefix)
                .or_insert_with(|| route.prefix.parse().ok());
            numbers.path(route);
            let own = route.neighbor.is_none();
            let aggregate = own && aggregates.contains(&route.prefix);
            numbers.aggregates += u32::from(aggregate);
            let taken = own && !aggregate && route.source.is_some() && !is_handed_over(route);
            numbers.redistributed += u32::from(taken);
        }
        numbers.prefixes = u32::try_from(prefixes.len()).unwrap_or(u32::MAX);
        // FRR has one length for all routes of EVPN.
        let others = prefixes.values().filter(|it| it.is_none()).count();
        if let Ok(others @ 1..) = u32::try_from(others) {
            numbers.by_length.insert(LENGTH, others);
            numbers.lengths += u64::from(others) * u64::from(LENGTH);
            numbers.alone += others;
        }
        let mut sorted: Vec<Prefix> = prefixes.into_values().flatten().collect();
        // A prefix stands before those within it.
        sorted.sort();
        let mut around: Vec<Prefix> = Vec::new();
        for prefix in sorted {
            numbers.lengths += u64::from(prefix.len());
            *numbers.by_length.entry(prefix.len().into()).or_default() += 1;
            while around.last().is_some_and(|it| !it.contains(prefix)) {
                around.pop();
            }
            match around.is_empty() {
                true => {
                    numbers.alone += 1;
                    let bits = if matches!(prefix, Prefix::V4(_)) {
                        32
                    } else {
                        128
                    };
                    numbers.space += 2_f64.powi(bits - i32::from(prefix.len()));
                }
                false => numbers.within += 1,
            }
            around.push(prefix);
        }
        numbers
    }

    fn path(&mut self, route: &Route) {
        self.paths += 1;
        self.with_path += 1;
        let hops = as_path_length(&route.as_path);
        let octets = octets(&route.as_path);
        let number = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        self.longest = self.longest.max(hops);
        self.hops += number(hops);
        self.largest = self.largest.max(octets);
        self.octets += number(octets);
        let asns = route.as_path.iter().flat_map(asns);
        let highest = asns.filter(|asn| !is_private(*asn)).max();
        self.highest = self.highest.max(highest.unwrap_or(0));
    }

    /// In FRR's order: a key, words, and a value.
    fn rows(&self, family: Family) -> Vec<(&'static str, &'static str, Number)> {
        let share = |sum: u64, of: u32| match of {
            0 => 0.0,
            // Numbers of routes are far from where a float grows coarse.
            of => f64::from(u32::try_from(sum).unwrap_or(u32::MAX)) / f64::from(of),
        };
        let whole = |it: usize| Number::Whole(u32::try_from(it).unwrap_or(u32::MAX));
        let mut rows = vec![
            (
                "totalAdvertisements",
                "Total Advertisements",
                Number::Whole(self.paths),
            ),
            (
                "totalPrefixes",
                "Total Prefixes",
                Number::Whole(self.prefixes),
            ),
            (
                "averagePrefixLength",
                "Average prefix length",
                Number::Average(share(self.lengths, self.prefixes)),
            ),
            (
                "unaggregateablePrefixes",
                "Unaggregateable prefixes",
                Number::Whole(self.alone),
            ),
            (
                "maximumAggregateablePrefixes",
                "Maximum aggregateable prefixes",
                Number::Whole(self.within),
            ),
        ];
        rows.extend(self.space_rows(family));
        rows.extend([
            (
                "advertisementsWithPaths",
                "Advertisements with paths",
                Number::Whole(self.with_path),
            ),
            (
                "longestAsPath",
                "Longest AS-Path (hops)",
                whole(self.longest),
            ),
            (
                "averageAsPathLengthHops",
                "Average AS-Path length (hops)",
                Number::Average(share(self.hops, self.with_path)),
            ),
            (
                "largestAsPath",
                "Largest AS-Path (bytes)",
                whole(self.largest),
            ),
            (
                "averageAsPathSizeBytes",
                "Average AS-Path size (bytes)",
                Number::Average(share(self.octets, self.with_path)),
            ),
            (
                "highestPublicAsn",
                "Highest public ASN",
                Number::Whole(self.highest),
            ),
            (
                "totalRedistributed",
                "Redistributed routes",
                Number::Whole(self.redistributed),
            ),
            (
                "totalLocalAggregates",
                "Local aggregates",
                Number::Whole(self.aggregates),
            ),
        ]);
        rows
    }

    fn space_rows(&self, family: Family) -> Vec<(&'static str, &'static str, Number)> {
        let space = (
            "addressSpaceAdvertised",
            "Address space advertised",
            Number::Space(self.space),
        );
        let of = |bits: i32| Number::Share(self.space / 2_f64.powi(bits));
        match family {
            // FRR takes EVPN for IPv4 here; no prefix of it has a length in this table.
            Family::Ipv4Unicast | Family::Evpn => vec![
                space,
                (
                    "%announced",
                    "% announced",
                    Number::Share(self.space / 2_f64.powi(32) * 100.0),
                ),
                ("/8equivalent", "/8 equivalent", of(24)),
                ("/24equivalent", "/24 equivalent", of(8)),
            ],
            Family::Ipv6Unicast => vec![
                space,
                ("/32equivalent", "/32 equivalent", of(96)),
                ("/48equivalent", "/48 equivalent", of(80)),
            ],
        }
    }

    fn json(&self, view: &View, family: Family) -> Value {
        let mut object = Map::new();
        let instance = format!("VRF {}", view.router.vrf);
        object.insert("instance".to_owned(), json!(instance));
        for (key, _, number) in self.rows(family) {
            object.insert(key.to_owned(), number.json());
        }
        let lengths = self.by_length.iter();
        let lengths = lengths.map(|(length, count)| json!({length.to_string(): count}));
        object.insert("prefixLength".to_owned(), Value::Array(lengths.collect()));
        Value::Object(object)
    }

    fn text(&self, view: &View, family: Family) -> String {
        let (name, vrf) = (family_name(family), &view.router.vrf);
        let mut text = format!("BGP {name} RIB statistics (VRF {vrf})\n");
        let mut space = false;
        for (_, words, number) in self.rows(family) {
            let value = number.text();
            let is_share = matches!(number, Number::Share(_));
            // What is behind the shares stands apart.
            if space && !is_share {
                text.push('\n');
            }
            space = is_share;
            text.push_str(&match is_share {
                true => format!("{words:>29} : {value}\n"),
                false => format!("{words:<30}: {value}\n"),
            });
        }
        text
    }
}

/// The aggregates that are configured in an instance.
fn aggregates(config: &Config, view: &View) -> Vec<String> {
    let name = view.router.instance.name.as_str();
    let mine = config
        .all()
        .find(|it| it.name.as_deref().unwrap_or(DEFAULT) == name);
    let all = mine.into_iter().flat_map(Config::aggregates);
    all.map(|it| it.prefix.to_string()).collect()
}

/// A number, by how FRR writes it.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(u32),
    Average(f64),
    /// Addresses.
    Space(f64),
    Share(f64),
}

impl Number {
    fn text(self) -> String {
        match self {
            Number::Whole(it) => format!("{it:>12}"),
            Number::Average(it) => format!("{it:>12.2}"),
            Number::Space(it) => format!("{:>12}", short(it)),
            Number::Share(it) => format!("{it:>12.2}"),
        }
    }

    fn json(self) -> Value {
        match self {
            Number::Whole(it) => json!(it),
            Number::Average(it) | Number::Space(it) | Number::Share(it) => json!(it),
        }
    }
}

/// Six digits, as `%g` of C has them.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor();
    if (-4.0..6.0).contains(&power) {
        let places = (0..=10).find(|places| power + 1.0 + f64::from(*places) >= 6.0);
        let places = usize::try_from(places.unwrap_or(10)).unwrap_or(0);
        let text = format!("{value:.places$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    let text = format!("{value:.5e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// What a path takes in a message: two octets a segment and four an AS.
fn octets(path: &[AsPathItem]) -> usize {
    let mut octets = 0;
    let mut in_sequence = false;
    for item in path {
        let single = matches!(item, AsPathItem::Asn(_));
        if !(single && in_sequence) {
            octets += 2;
        }
        in_sequence = single;
        octets += 4 * asns(item).len();
    }
    octets
}

fn asns(item: &AsPathItem) -> Vec<u32> {
    match item {
        AsPathItem::Asn(asn) => vec![*asn],
        AsPathItem::Set { set } => set.clone(),
        AsPathItem::ConfedSequence { confed_sequence } => confed_sequence.clone(),
        AsPathItem::ConfedSet { confed_set } => confed_set.clone(),
    }
}

/// RFC 6996.
fn is_private(asn: u32) -> bool {
    matches!(asn, 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefix: &str, path: &[u32]) -> Route {
        let text = json!({
            "family": "ipv4_unicast", "prefix": prefix, "neighbor": null, "best": true,
            "multipath": false, "next_hops": [], "as_path": path, "origin": "igp",
            "communities": [], "local_pref": null, "med": null, "installed": true,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn prefixes_within_others_take_no_space_of_their_own() {
        let routes = [
            route("10.0.0.0/8", &[65001]),
            route("10.1.0.0/16", &[65001, 3356]),
            route("10.1.0.0/16", &[65002]),
            route("11.0.0.0/24", &[]),
        ];
        let numbers = Numbers::of(&routes, &[]);
        assert_eq!((numbers.paths, numbers.prefixes), (4, 3));
        assert_eq!((numbers.alone, numbers.within), (2, 1));
        assert_eq!(numbers.space, 16_777_216.0 + 256.0);
        assert_eq!((numbers.longest, numbers.largest), (2, 10));
        assert_eq!(numbers.highest, 3356);
        assert_eq!(numbers.lengths, 8 + 16 + 24);
        assert_eq!((numbers.redistributed, numbers.aggregates), (0, 0));
        let aggregates = Numbers::of(&routes, &["10.0.0.0/8".to_owned()]).aggregates;
        assert_eq!(aggregates, 1);
    }

    #[test]
    fn an_empty_table_divides_by_nothing() {
        let numbers = Numbers::of(&[], &[]);
        let rows = numbers.rows(Family::Ipv4Unicast);
        assert!(
            rows.iter()
                .all(|(.., number)| number.text().trim().starts_with('0'))
        );
    }

    #[test]
    fn numbers_are_short_as_in_c() {
        for (value, text) in [
            (0.0, "0"),
            (65_536.0, "65536"),
            (16_777_472.0, "1.67775e+07"),
            (0.00457, "0.00457"),
            (0.000_004_57, "4.57e-06"),
            (1.5, "1.5"),
            (123_456.7, "123457"),
            (4_294_967_296.0, "4.29497e+09"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
