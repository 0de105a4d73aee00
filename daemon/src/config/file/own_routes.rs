//! What is announced of our own, as it stands in a file: `networks`, `redistribute` and
//! `aggregates`.
//!
//! All three are lists in which a text stands for a table with nothing but its first key, so texts
//! and tables may stand beside each other. A mistake in one entry is reported, and the others are
//! read on.
//!
//! Names of route-maps stay names here, and two entries for one prefix are not noticed:
//! [`accept()`](crate::config::accept()) sees to both.

use std::net::{IpAddr, Ipv4Addr};

use bgp::attributes::Origin;
use bgp::family::Family;
use bgp::{Prefix, SourceFilter};
use toml::de::DeValue;

use super::{prefix, reference};
use crate::config::error::{At, Span};
use crate::config::read::{self, Reading, Rejection, Table, boolean, keyword, number};
use crate::config::types::RequireRoute;

/// One of `networks`.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkItem {
    /// `prefix`, or the text itself.
    pub prefix: At<Prefix>,
    /// `require_route`.
    pub require_route: Option<At<RequireRoute>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
}

/// One of `redistribute`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RedistributeItem {
    /// `source`, or the text itself.
    pub source: Option<At<SourceFilter>>,
    /// `table`.
    pub table: Option<At<u32>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
    /// `metric`.
    pub metric: Option<At<u32>>,
}

/// One of `aggregates`.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateItem {
    /// `prefix`, or the text itself.
    pub prefix: At<Prefix>,
    /// `summary_only`.
    pub summary_only: Option<At<bool>>,
    /// `suppress`.
    pub suppress: Option<At<String>>,
    /// `as_set`.
    pub as_set: Option<At<bool>>,
    /// `origin`.
    pub origin: Option<At<Origin>>,
    /// `match_med`.
    pub match_med: Option<At<bool>>,
    /// `blackhole`.
    pub blackhole: Option<At<bool>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
}

impl AggregateItem {
    fn alone(prefix: At<Prefix>) -> Self {
        Self {
            prefix,
            summary_only: None,
            suppress: None,
            as_set: None,
            origin: None,
            match_med: None,
            blackhole: None,
            route_map: None,
        }
    }
}

/// Texts and tables may stand beside each other.
pub(super) fn networks(table: &mut Table<'_, '_>, family: Family) -> Vec<At<NetworkItem>> {
    let Some(value) = table.raw("networks") else {
        return Vec::new();
    };
    let report = table.report();
    let Some(items) = read::array(report, "networks", value) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            if item.get_ref().is_table() {
                let item = read::table(report, "networks", "the network", item, |table| {
                    network(table, family)
                })?;
                return item.value.map(|value| At::new(value, item.span));
            }
            let prefix = read::reading(report, "networks", item, |value| prefix(value, family))?;
            let item = NetworkItem {
                prefix,
                require_route: None,
                route_map: None,
            };
            Some(At::new(item, prefix.span))
        })
        .collect()
}

fn network(table: &mut Table<'_, '_>, family: Family) -> Option<NetworkItem> {
    let network = table.require("prefix", "the network", |value| prefix(value, family));
    let require_route = table.get("require_route", |value| {
        match (value.as_bool(), value.as_str()) {
            (Some(false), _) => Ok(RequireRoute::No),
            (Some(true), _) => Ok(RequireRoute::Exact),
            (None, Some("or_more_specific")) => Ok(RequireRoute::OrMoreSpecific),
            (None, _) => Err("true, false or \"or_more_specific\"".into()),
        }
    });
    let route_map = table.get("route_map", reference);
    network.map(|prefix| NetworkItem {
        prefix,
        require_route,
        route_map,
    })
}

/// Texts and tables may stand beside each other.
pub(super) fn redistribute(table: &mut Table<'_, '_>) -> Vec<At<RedistributeItem>> {
    const KEY: &str = "redistribute";
    table.tables_or_values(KEY, KEY, redistribute_item, source, |source| {
        RedistributeItem {
            source: Some(source),
            ..RedistributeItem::default()
        }
    })
}

/// What is wrong in one of its values is no entry.
fn redistribute_item(table: &mut Table<'_, '_>) -> Option<RedistributeItem> {
    let before = table.report().count();
    let item = RedistributeItem {
        source: table.get("source", source),
        table: table.get("table", routing_table),
        route_map: table.get("route_map", reference),
        metric: table.get("metric", number(0..=0xffff_ffff)),
    };
    let clean = table.report().count() == before;
    if clean && item.source.is_none() && item.table.is_none() {
        table.missing("source", "the program whose routes are meant, or `table`");
    }
    (table.report().count() == before).then_some(item)
}

/// A program that makes routes: a name, or its number in the kernel.
pub(in crate::config) fn source(value: &DeValue<'_>) -> Reading<SourceFilter> {
    let read = match read::integer(value) {
        Some(number) => number.to_string().parse().ok(),
        None => value.as_str().and_then(|text| text.parse().ok()),
    };
    read.ok_or_else(|| {
        let expected = "a source like \"connected\", \"static\", \"kernel\", \"ospf\", or a number \
                        from 1 to 255";
        let names: Vec<&str> = SourceFilter::names().collect();
        let near = value.as_str().and_then(|text| read::nearest(text, &names));
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("names are {}", names.join(", ")),
        };
        Rejection::from(expected).hint(hint)
    })
}

/// A routing table of the kernel that others than the kernel write to.
pub(in crate::config) fn routing_table(value: &DeValue<'_>) -> Reading<u32> {
    number(1..=0xffff_ffff)(value)
        .ok()
        .filter(|table| *table != 255)
        .ok_or_else(|| {
            "a table from 1 to 4294967295, not 255, which is the kernel's own (local)".into()
        })
}

/// Texts and tables, as with `networks`.
pub(super) fn aggregates(table: &mut Table<'_, '_>, family: Family) -> Vec<At<AggregateItem>> {
    let Some(value) = table.raw("aggregates") else {
        return Vec::new();
    };
    let report = table.report();
    let Some(items) = read::array(report, "aggregates", value) else {
        return Vec::new();
    };
    let read = items.iter().filter_map(|item| {
        if item.get_ref().is_table() {
            let item = read::table(report, "aggregates", "the aggregate", item, |table| {
                aggregate(table, family)
            })?;
            return item.value.map(|value| At::new(value, item.span));
        }
        let read = |value: &DeValue<'_>| wide_prefix(value, family);
        let prefix = read::reading(report, "aggregates", item, read)?;
        Some(At::new(AggregateItem::alone(prefix), prefix.span))
    });
    read.collect()
}

fn aggregate(table: &mut Table<'_, '_>, family: Family) -> Option<AggregateItem> {
    let prefix = table.require("prefix", "the network", |value| wide_prefix(value, family));
    let read = AggregateItem {
        summary_only: table.get("summary_only", boolean),
        suppress: table.get("suppress", reference),
        as_set: table.get("as_set", boolean),
        origin: table.get("origin", keyword),
        match_med: table.get("match_med", boolean),
        blackhole: table.get("blackhole", boolean),
        route_map: table.get("route_map", reference),
        // Keys are read although the prefix is missing, so that all errors are reported.
        ..AggregateItem::alone(prefix.unwrap_or(At::new(Prefix::host(NOWHERE), Span::default())))
    };
    prefix.map(|_| read)
}

/// Stands where an address is missing.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A network that others can lie within, and that is not all of them.
fn wide_prefix(value: &DeValue<'_>, family: Family) -> Reading<Prefix> {
    let prefix = prefix(value, family)?;
    if prefix.len() == 0 {
        let expected = "a network with a length of at least 1";
        return Err(Rejection::from(expected).hint(
            "for a default route that depends on others set default_originate = { route_map = \
             \"MAP\" } for the neighbor",
        ));
    }
    if prefix == Prefix::host(prefix.addr()) {
        let expected = "a network that has more specific ones";
        return Err(Rejection::from(expected).hint("a single address belongs in `networks`"));
    }
    Ok(prefix)
}
