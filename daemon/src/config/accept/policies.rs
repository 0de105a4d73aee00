//! Lists and route-maps by name, each made once and shared by those who refer to it.
//!
//! Route-maps call each other by name in the file and hold each other afterwards, so a map is
//! made after those it calls; a circle is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp::policy::{
    Action, Communities, CommunityChange, CommunityList, CommunityRule, Entry, ListError, Match,
    OnMatch, PrefixList, PrefixRule, RouteMap, RouteMapError, Set,
};

use super::Once;
use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::file::{EntryTable, File, ListTable, MatchItem, RouteMapTable, SetItem};
use crate::config::read::nearest;

/// Everything that has a name to refer to. A value of `None` was reported and is not reported
/// again by those who refer to it.
pub(super) struct Policies {
    prefix_lists: Named<PrefixList>,
    community_lists: Named<CommunityList>,
    route_maps: Named<RouteMap>,
}

/// Values by name, and the names in the order of the file.
struct Named<T> {
    what: &'static str,
    order: Vec<String>,
    values: BTreeMap<String, Option<Arc<T>>>,
}

impl<T> Named<T> {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            order: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    fn insert(&mut self, name: &str, value: Option<Arc<T>>) {
        self.order.push(name.to_owned());
        self.values.insert(name.to_owned(), value);
    }

    /// What a name stands for; a name that stands for nothing is reported.
    fn get(&self, name: &str, span: Span, report: &mut Report) -> Option<Arc<T>> {
        match self.values.get(name) {
            Some(value) => value.clone(),
            None => {
                let known: Vec<&str> = self.order.iter().map(String::as_str).collect();
                undefined(self.what, name, span, &known, report);
                None
            }
        }
    }

    fn all(&self) -> Vec<Arc<T>> {
        let values = self.order.iter().filter_map(|name| self.values.get(name));
        values.flatten().cloned().collect()
    }
}

/// Reports a name that stands for nothing.
fn undefined(what: &'static str, name: &str, span: Span, known: &[&str], report: &mut Report) {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("define it with [[{what}]]"),
        None => format!("{what}s defined here are {}", known.join(", ")),
    };
    let name = name.to_owned();
    report.error_with_hint(span, Problem::Undefined { what, name }, hint);
}

impl Policies {
    pub(super) fn accept(file: &File, report: &mut Report) -> Self {
        let prefix_lists = lists(
            "prefix_list",
            &file.prefix_lists,
            report,
            PrefixRule::seq,
            PrefixList::new,
        );
        let community_lists = lists(
            "community_list",
            &file.community_lists,
            report,
            CommunityRule::seq,
            CommunityList::new,
        );
        let mut policies = Self {
            prefix_lists,
            community_lists,
            route_maps: Named::new("route_map"),
        };
        policies.accept_maps(&file.route_maps, report);
        policies
    }

    pub(super) fn prefix_lists(&self) -> Vec<Arc<PrefixList>> {
        self.prefix_lists.all()
    }

    pub(super) fn community_lists(&self) -> Vec<Arc<CommunityList>> {
        self.community_lists.all()
    }

    pub(super) fn route_maps(&self) -> Vec<Arc<RouteMap>> {
        self.route_maps.all()
    }

    /// The route-map that a key names, if it names one.
    pub(super) fn route_map(
        &self,
        name: Option<&At<String>>,
        report: &mut Report,
    ) -> Option<Arc<RouteMap>> {
        let name = name?;
        self.route_maps.get(&name.value, name.span, report)
    }

    fn accept_maps(&mut self, tables: &[At<RouteMapTable>], report: &mut Report) {
        let mut seen = Once::new("route_map");
        let mut by_name = BTreeMap::new();
        let mut order = Vec::new();
        for At { value: table, .. } in tables {
            if let Some(name) = &table.name {
                seen.see(name.value.clone(), name.span, report);
                if !by_name.contains_key(name.value.as_str()) {
                    by_name.insert(name.value.as_str(), table);
                    order.push(name.value.clone());
                }
            } else {
                // Its entries are checked all the same.
                self.entries(table, &[], report);
            }
        }
        for name in &order {
            self.accept_map(name, &by_name, &mut Vec::new(), report);
        }
        self.route_maps.order = order;
    }

    /// Makes one map, those it calls first. `path` holds the maps on the way here.
    fn accept_map<'f>(
        &mut self,
        name: &'f str,
        tables: &BTreeMap<&'f str, &'f RouteMapTable>,
        path: &mut Vec<&'f str>,
        report: &mut Report,
    ) {
        // The recursion ends far beyond the depth that a route-map accepts.
        const PATH_MAX: usize = 64;
        let Some(table) = tables
            .get(name)
            .filter(|_| !self.route_maps.values.contains_key(name))
        else {
            return;
        };
        path.push(name);
        for At { value: entry, .. } in &table.entries {
            let Some(call) = &entry.call else { continue };
            if let Some(from) = path.iter().position(|on_path| *on_path == call.value) {
                let circle = path.iter().skip(from).chain(path.get(from));
                let conflict = Conflict::CallLoop {
                    name: call.value.clone(),
                    path: circle.copied().collect::<Vec<_>>().join(" -> "),
                };
                report.error(call.span, conflict);
                self.route_maps.values.insert(call.value.clone(), None);
            } else if path.len() > PATH_MAX {
                let map = name.to_owned();
                report.error(call.span, Problem::RouteMap(RouteMapError::TooDeep { map }));
                self.route_maps.values.insert(call.value.clone(), None);
            } else {
                self.accept_map(&call.value, tables, path, report);
            }
        }
        path.pop();
        let known: Vec<&str> = tables.keys().copied().collect();
        let entries = self.entries(table, &known, report);
        let broken = self.route_maps.values.contains_key(name);
        let map = entries.filter(|_| !broken).and_then(|entries| {
            RouteMap::new(name, entries)
                .map_err(|error| {
                    let span = table.name.as_ref().map(|name| name.span);
                    report.error(span.unwrap_or_default(), Problem::RouteMap(error));
                })
                .ok()
        });
        self.route_maps
            .values
            .insert(name.to_owned(), map.map(Arc::new));
    }

    /// The entries of a map, `None` if any of them is wrong.
    fn entries(
        &self,
        table: &RouteMapTable,
        known: &[&str],
        report: &mut Report,
    ) -> Option<Vec<Entry>> {
        let mut seen = Once::new("entry");
        let mut entries = Vec::new();
        let mut complete = true;
        for At { value: entry, .. } in &table.entries {
            let before = report.count();
            if let Some(seq) = entry.seq {
                seen.see(seq.value, seq.span, report);
            }
            let entry = self.entry(entry, known, report);
            complete &= report.count() == before && entry.is_some();
            entries.extend(entry);
        }
        complete.then_some(entries)
    }

    fn entry(&self, table: &EntryTable, known: &[&str], report: &mut Report) -> Option<Entry> {
        let mut matches: Vec<Match> = Vec::new();
        for At { value, span } in &table.matches {
            matches.extend(self.condition(value, *span, report));
        }
        matches.sort_by_key(match_rank);
        let mut sets: Vec<Set> = Vec::new();
        for At { value, span } in &table.sets {
            sets.extend(self.change(value, *span, report));
        }
        sets.sort_by_key(set_rank);
        let call = match &table.call {
            None => None,
            Some(name) if !known.contains(&name.value.as_str()) => {
                undefined("route_map", &name.value, name.span, known, report);
                return None;
            }
            // Not there or `None` when it is wrong itself, which has been reported.
            Some(name) => Some(self.route_maps.values.get(&name.value)?.clone()?),
        };
        let (seq, action) = (table.seq?.value, table.action?.value);
        if action == Action::Deny {
            deny(table, report);
        } else if let Some(At {
            value: OnMatch::Goto(target),
            span,
        }) = table.on_match
            && target <= seq
        {
            let expected = format!("a number greater than this entry's, {seq}");
            report.error(span, Problem::value("on_match", target, expected));
        }
        Some(Entry {
            seq,
            action,
            matches,
            sets,
            call,
            on_match: table.on_match.map_or(OnMatch::Exit, |at| at.value),
        })
    }

    fn condition(&self, item: &MatchItem, span: Span, report: &mut Report) -> Option<Match> {
        Some(match item {
            MatchItem::Plain(condition) => condition.clone(),
            MatchItem::PrefixList(name) => {
                Match::PrefixList(self.prefix_lists.get(name, span, report)?)
            }
            MatchItem::NextHop(name) => Match::NextHop(self.prefix_lists.get(name, span, report)?),
            MatchItem::CommunityList { name, exact } => Match::Community {
                communities: Communities::List(self.community_lists.get(name, span, report)?),
                exact: *exact,
            },
        })
    }

    fn change(&self, item: &SetItem, span: Span, report: &mut Report) -> Option<Set> {
        Some(match item {
            SetItem::Plain(set) => set.clone(),
            SetItem::DeleteCommunityList(name) => {
                let list = self.community_lists.get(name, span, report)?;
                Set::Community(CommunityChange::Delete(Communities::List(list)))
            }
        })
    }
}

/// An entry that denies changes nothing and ends the map.
fn deny(table: &EntryTable, report: &mut Report) {
    let set = table.sets.first().map(|set| ("set", set.span));
    let call = table.call.as_ref().map(|call| ("call", call.span));
    let on_match = table.on_match.map(|on_match| ("on_match", on_match.span));
    for (key, span) in [set, call, on_match].into_iter().flatten() {
        let because = "in an entry that denies";
        report.error(span, Conflict::NoEffect { key, because });
    }
}

/// Conditions do not depend on their order; one order makes equal entries equal.
fn match_rank(condition: &Match) -> u8 {
    match condition {
        Match::PrefixList(_) => 0,
        Match::NextHop(_) => 1,
        Match::Community { communities, .. } => match communities {
            Communities::List(_) => 2,
            Communities::Literal(_) => 3,
        },
        Match::LargeCommunity(_) => 4,
        Match::AsPathContains(_) => 5,
        Match::LocalPref(_) => 6,
        Match::Metric(_) => 7,
        Match::Origin(_) => 8,
        Match::Family(_) => 9,
        Match::EvpnRouteType(_) => 10,
        Match::Vni(_) => 11,
    }
}

/// Changes of different attributes do not depend on their order. Of one attribute: replace,
/// delete, add.
fn set_rank(set: &Set) -> u8 {
    match set {
        Set::Metric(_) => 0,
        Set::LocalPref(_) => 1,
        Set::AsPathPrepend(_) => 2,
        Set::Origin(_) => 3,
        Set::NextHop(_) => 4,
        Set::Community(change) => match change {
            CommunityChange::Replace(_) | CommunityChange::Clear => 5,
            CommunityChange::Delete(Communities::List(_)) => 6,
            CommunityChange::Delete(Communities::Literal(_)) => 7,
            CommunityChange::Add(_) => 8,
        },
        Set::LargeCommunity(_) => 9,
        Set::LargeCommunityAdd(_) => 10,
    }
}

/// Makes lists of either kind.
fn lists<R: Clone, L>(
    what: &'static str,
    tables: &[At<ListTable<R>>],
    report: &mut Report,
    seq: impl Fn(&R) -> u32,
    make: impl Fn(String, Vec<R>) -> Result<L, ListError>,
) -> Named<L> {
    let mut seen = Once::new(what);
    let mut named = Named::new(what);
    for At { value: table, .. } in tables {
        let Some(name) = &table.name else { continue };
        seen.see(name.value.clone(), name.span, report);
        if named.values.contains_key(&name.value) {
            continue;
        }
        let before = report.count();
        let mut numbers = Once::new("rule");
        for rule in table.rules.iter().filter(|rule| seq(&rule.value) > 0) {
            numbers.see(seq(&rule.value), rule.span, report);
        }
        let rules = table.rules.iter().map(|rule| rule.value.clone()).collect();
        if report.count() > before {
            named.insert(&name.value, None);
            continue;
        }
        let list = make(name.value.clone(), rules)
            .map_err(|error| report.error(name.span, error))
            .ok();
        named.insert(&name.value, list.map(Arc::new));
    }
    named
}
