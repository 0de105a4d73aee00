//! Lists and route-maps as they stand in a file: each value checked by itself, names still names.
//!
//! What others know under the same words and rbgpd does not do yet is refused by name, with what
//! to write instead: a key that were read and forgotten would be a policy that is not there.

mod matches;
mod sets;

use std::ops::RangeInclusive;
use std::str::FromStr;

use bgp::Asn;
use bgp::community::{Community, ExtendedCommunity, LargeCommunity};
use bgp::policy::{
    Action, AsPathRule, BandwidthAmount, CommunityRule, Extent, Kind, MacRule, Match, OnMatch,
    PrefixRule, RuleError, Set,
};
use toml::de::DeValue;

use matches::matches;
use sets::sets;

use crate::config::error::{At, Problem, Report};
use crate::config::file::reference;
use crate::config::read::{self, Reading, Table, Value, boolean, name, number};

/// Everything that has a name to refer to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyTables {
    /// `[[prefix_list]]`.
    pub prefix_lists: Vec<At<ListTable<PrefixRule>>>,
    /// `[[community_list]]`.
    pub community_lists: Vec<At<ListTable<CommunityRule<Community>>>>,
    /// `[[large_community_list]]`.
    pub large_community_lists: Vec<At<ListTable<CommunityRule<LargeCommunity>>>>,
    /// `[[extended_community_list]]`.
    pub extended_community_lists: Vec<At<ListTable<CommunityRule<ExtendedCommunity>>>>,
    /// `[[as_path_list]]`.
    pub as_path_lists: Vec<At<ListTable<AsPathRule>>>,
    /// `[[mac_list]]`.
    pub mac_lists: Vec<At<ListTable<MacRule>>>,
    /// `[[route_map]]`.
    pub route_maps: Vec<At<RouteMapTable>>,
}

/// A list of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTable<R> {
    /// `name`.
    pub name: Option<At<String>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `rules`.
    pub rules: Vec<At<R>>,
}

/// `[[route_map]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteMapTable {
    /// `name`.
    pub name: Option<At<String>>,
    /// `entry`.
    pub entries: Vec<At<EntryTable>>,
}

/// `entry` of a route-map.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryTable {
    /// `seq`.
    pub seq: Option<At<u32>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `action`.
    pub action: Option<At<Action>>,
    /// `match`.
    pub matches: Vec<At<MatchItem>>,
    /// `set`.
    pub sets: Vec<At<SetItem>>,
    /// `call`.
    pub call: Option<At<String>>,
    /// `on_match`.
    pub on_match: Option<At<OnMatch>>,
}

/// A condition that may name a list.
#[derive(Debug, Clone, PartialEq)]
pub enum MatchItem {
    /// Complete as it is.
    Plain(Match),
    /// The list permits what the condition is about.
    List {
        /// What it is about.
        subject: ListSubject,
        /// Name of the list.
        name: String,
        /// How much of its communities must be there.
        extent: Extent,
    },
}

/// What a named list is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSubject {
    /// `prefix_list`.
    Prefix,
    /// `next_hop`.
    NextHop,
    /// `peer_list`.
    Peer,
    /// `as_path_list`.
    AsPath,
    /// `community_list`.
    Community,
    /// `large_community_list`.
    LargeCommunity,
    /// `extended_community_list`.
    ExtendedCommunity,
    /// `mac_list`.
    Mac,
}

/// A change that may name a list, or ask for our own AS number.
#[derive(Debug, Clone, PartialEq)]
pub enum SetItem {
    /// Complete as it is.
    Plain(Set),
    /// `delete_list` of communities of a kind.
    DeleteList {
        /// Which kind.
        subject: ListSubject,
        /// Name of the list.
        name: String,
    },
    /// `as_path_exclude_list`.
    ExcludeList(String),
    /// `as_path_replace`.
    AsPathReplace {
        /// `asns`; `None` is any.
        asns: Option<Vec<Asn>>,
        /// `with`; our own AS number without it.
        with: Option<Asn>,
    },
    /// `bandwidth`.
    Bandwidth {
        /// `bandwidth`.
        amount: BandwidthAmount,
        /// `bandwidth_transitive`.
        transitive: bool,
    },
}

/// Reads all lists and route-maps of a file.
pub(in crate::config) fn read(top: &mut Table<'_, '_>) -> PolicyTables {
    PolicyTables {
        prefix_lists: top.tables("prefix_list", "[[prefix_list]]", |table| {
            list(table, PREFIX, str::parse)
        }),
        community_lists: top.tables("community_list", "[[community_list]]", |table| {
            community_list(table, "permit 65001:100")
        }),
        large_community_lists: top.tables(
            "large_community_list",
            "[[large_community_list]]",
            |table| community_list(table, "permit 65001:1:2"),
        ),
        extended_community_lists: top.tables(
            "extended_community_list",
            "[[extended_community_list]]",
            |table| community_list(table, "permit rt 65000:100"),
        ),
        as_path_lists: top.tables("as_path_list", "[[as_path_list]]", |table| {
            list(table, "permit ^65001_", str::parse)
        }),
        mac_lists: top.tables("mac_list", "[[mac_list]]", |table| {
            list(table, "permit 02:00:00:00:00:01", str::parse)
        }),
        route_maps: top.tables("route_map", "[[route_map]]", route_map),
    }
}

const PREFIX: &str = "permit 10.0.0.0/8 le 24";

/// Longest description of a list or an entry.
const DESCRIPTION: usize = 200;

fn list<R>(
    table: &mut Table<'_, '_>,
    example: &'static str,
    parse: impl Fn(&str) -> Result<R, RuleError>,
) -> ListTable<R> {
    let name = table.require("name", "a name", name(63));
    let description = table.get("description", read::name(DESCRIPTION));
    let mut rules = Vec::new();
    if let Some(value) = table.raw("rules") {
        let report = table.report();
        let items = read::array(report, "rules", value);
        if items.is_some_and(|items| items.is_empty()) {
            let problem = Problem::value("rules", "an empty list", "at least one rule");
            report.error(value.span().into(), problem);
        }
        for item in items.into_iter().flatten() {
            rules.extend(rule(report, item, example, &parse));
        }
    } else {
        table.missing("rules", &format!("a list of rules like \"{example}\""));
    }
    ListTable {
        name,
        description,
        rules,
    }
}

fn community_list<C>(
    table: &mut Table<'_, '_>,
    example: &'static str,
) -> ListTable<CommunityRule<C>>
where
    C: Kind,
{
    match table.get("expanded", boolean) {
        Some(At { value: true, .. }) => list(table, "permit ^65001:.*$", CommunityRule::expanded),
        Some(_) | None => list(table, example, str::parse),
    }
}

fn rule<R>(
    report: &mut Report,
    item: &Value<'_>,
    example: &'static str,
    parse: impl Fn(&str) -> Result<R, RuleError>,
) -> Option<At<R>> {
    let text = read::reading(report, "rules", item, |value| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("a text like \"{example}\"").into())
    })?;
    match parse(&text.value) {
        Ok(rule) => Some(At::new(rule, text.span)),
        Err(error) => {
            match error.hint() {
                Some(hint) => report.error_with_hint(text.span, error, hint),
                None => report.error(text.span, error),
            }
            None
        }
    }
}

fn route_map(table: &mut Table<'_, '_>) -> RouteMapTable {
    let route_map = RouteMapTable {
        name: table.require("name", "a name", name(63)),
        entries: table.tables("entry", "entry", entry),
    };
    if route_map.entries.is_empty() && table.raw("entry").is_none() {
        table.missing(
            "entry",
            "a list of entries; without any it refuses every route",
        );
    }
    route_map
}

fn entry(table: &mut Table<'_, '_>) -> EntryTable {
    let seq = table.require("seq", "a sequence number", number(1..=U32_MAX));
    let action = table.require("action", "\"permit\" or \"deny\"", |value| {
        match value.as_str() {
            Some("permit") => Ok(Action::Permit),
            Some("deny") => Ok(Action::Deny),
            _ => Err("\"permit\" or \"deny\"".into()),
        }
    });
    EntryTable {
        seq,
        description: table.get("description", name(DESCRIPTION)),
        action,
        matches: table
            .table("match", "match", matches)
            .map_or(Vec::new(), |list| list.value),
        sets: table
            .table("set", "set", sets)
            .map_or(Vec::new(), |list| list.value),
        call: table.get("call", reference),
        on_match: table.get("on_match", |value| match value.as_str() {
            Some("next") => Ok(OnMatch::Next),
            Some("exit") => Ok(OnMatch::Exit),
            _ => number(1..=U32_MAX)(value)
                .map(OnMatch::Goto)
                .map_err(|_| "\"next\", \"exit\" or the number of a later entry".into()),
        }),
    }
}

const U32_MAX: i64 = 0xffff_ffff;
const U32: RangeInclusive<i64> = 0..=U32_MAX;

/// The text itself, or the texts of a list.
fn texts<'v>(value: &'v DeValue<'_>) -> Option<Vec<&'v str>> {
    match (value.as_str(), value.as_array()) {
        (Some(text), _) => Some(vec![text]),
        (None, Some(items)) => items.iter().map(|item| item.get_ref().as_str()).collect(),
        (None, None) => None,
    }
}

/// Communities in one text or in a list of texts; at least one.
fn communities<C: Kind>(value: &DeValue<'_>, expected: &'static str) -> Reading<Vec<C>> {
    let read = |texts: Vec<&str>| -> Option<Vec<C>> {
        let values = texts.into_iter().map(bgp::policy::communities);
        Some(values.collect::<Result<Vec<_>, _>>().ok()?.concat())
    };
    texts(value)
        .and_then(read)
        .filter(|communities| !communities.is_empty())
        .ok_or_else(|| expected.into())
}

/// Words in one text or in a list of texts; at least one.
fn list_of<T: FromStr>(value: &DeValue<'_>, expected: &'static str) -> Reading<Vec<T>> {
    let words = texts(value).unwrap_or_default();
    let words = words.into_iter().flat_map(str::split_whitespace);
    let values: Option<Vec<T>> = words.map(|word| word.parse().ok()).collect();
    values
        .filter(|values| !values.is_empty())
        .ok_or_else(|| expected.into())
}

/// The keys of one kind of community.
struct Keys {
    subject: ListSubject,
    list: &'static str,
    literal: &'static str,
    exact: &'static str,
    any: &'static str,
    because: &'static str,
    expected: &'static str,
}

const STANDARD: Keys = Keys {
    subject: ListSubject::Community,
    list: "community_list",
    literal: "community",
    exact: "community_exact",
    any: "community_any",
    because: "without `community` or `community_list`",
    expected: "a community or a list of them, like [\"65001:100\"]",
};

const LARGE: Keys = Keys {
    subject: ListSubject::LargeCommunity,
    list: "large_community_list",
    literal: "large_community",
    exact: "large_community_exact",
    any: "large_community_any",
    because: "without `large_community` or `large_community_list`",
    expected: "a large community or a list of them, like [\"65001:1:2\"]",
};

const EXTENDED: Keys = Keys {
    subject: ListSubject::ExtendedCommunity,
    list: "extended_community_list",
    literal: "extended_community",
    exact: "extended_community_exact",
    any: "extended_community_any",
    because: "without `extended_community` or `extended_community_list`",
    expected: "an extended community or a list of them, like [\"rt 65000:100\"]",
};
