//! Lists and route-maps by name, each made once and shared by those who refer to it.
//!
//! Route-maps call each other by name in the file and hold each other afterwards, so a map is
//! made after those it calls; a circle is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp::Asn;
use bgp::policy::{
    Action, AsPathExclude, AsPathList, Bandwidth, Communities, CommunityChange, CommunityList,
    Entry, ExtendedCommunityList, LargeCommunityList, List, ListError, MacList, Match,
    NextHopChange, OnMatch, PrefixList, RouteMap, RouteMapError, Rule, Set,
};

use super::file::{
    EntryTable, ListSubject, ListTable, MatchItem, PolicyTables, RouteMapTable, SetItem,
};
use crate::config::accept::Once;
use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::read::nearest;

/// Everything that has a name to refer to. A value of `None` was reported and is not reported
/// again by those who refer to it.
pub(in crate::config) struct Policies {
    asn: Asn,
    prefix_lists: Named<PrefixList>,
    community_lists: Named<CommunityList>,
    large_community_lists: Named<LargeCommunityList>,
    extended_community_lists: Named<ExtendedCommunityList>,
    as_path_lists: Named<AsPathList>,
    mac_lists: Named<MacList>,
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
pub(in crate::config) fn undefined(
    what: &'static str,
    name: &str,
    span: Span,
    known: &[&str],
    report: &mut Report,
) {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("define it with [[{what}]]"),
        None => format!("{what}s defined here are {}", known.join(", ")),
    };
    let name = name.to_owned();
    report.error_with_hint(span, Problem::Undefined { what, name }, hint);
}

impl Policies {
    /// Makes all lists and maps. `asn` is our own AS number, which some changes put into routes.
    pub(in crate::config) fn accept(file: &PolicyTables, asn: Asn, report: &mut Report) -> Self {
        let mut policies = Self {
            asn,
            prefix_lists: lists(
                "prefix_list",
                &file.prefix_lists,
                report,
                |name, about, rules| Ok(PrefixList::new(name, rules)?.describe(about)),
            ),
            community_lists: lists("community_list", &file.community_lists, report, list),
            large_community_lists: lists(
                "large_community_list",
                &file.large_community_lists,
                report,
                list,
            ),
            extended_community_lists: lists(
                "extended_community_list",
                &file.extended_community_lists,
                report,
                list,
            ),
            as_path_lists: lists("as_path_list", &file.as_path_lists, report, list),
            mac_lists: lists("mac_list", &file.mac_lists, report, list),
            route_maps: Named::new("route_map"),
        };
        policies.accept_maps(&file.route_maps, report);
        policies
    }

    /// Puts what was made into a configuration.
    pub(in crate::config) fn into(self, config: &mut crate::config::Config) {
        config.prefix_lists = self.prefix_lists.all();
        config.community_lists = self.community_lists.all();
        config.large_community_lists = self.large_community_lists.all();
        config.extended_community_lists = self.extended_community_lists.all();
        config.as_path_lists = self.as_path_lists.all();
        config.mac_lists = self.mac_lists.all();
        config.route_maps = self.route_maps.all();
    }

    /// The route-map that a key names for import.
    pub(in crate::config) fn import_map(
        &self,
        name: Option<&At<String>>,
        report: &mut Report,
    ) -> Option<Arc<RouteMap>> {
        let map = self.route_map(name, report)?;
        if let Some(name) = name
            && let Some((to, hint)) = export_next_hop(&map)
        {
            let conflict = Conflict::ImportNextHop {
                map: name.value.clone(),
                to,
            };
            report.error_with_hint(name.span, conflict, hint);
        }
        Some(map)
    }

    /// The route-map that a key names, if it names one.
    pub(in crate::config) fn route_map(
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
            description: table.description.as_ref().map(|at| at.value.clone()),
            action,
            matches,
            sets,
            call,
            on_match: table.on_match.map_or(OnMatch::Exit, |at| at.value),
        })
    }

    fn condition(&self, item: &MatchItem, span: Span, report: &mut Report) -> Option<Match> {
        let (subject, name, extent) = match item {
            MatchItem::Plain(condition) => return Some(condition.clone()),
            MatchItem::List {
                subject,
                name,
                extent,
            } => (subject, name, *extent),
        };
        Some(match subject {
            ListSubject::Prefix => Match::PrefixList(self.prefix_lists.get(name, span, report)?),
            ListSubject::NextHop => Match::NextHop(self.prefix_lists.get(name, span, report)?),
            ListSubject::Peer => Match::PeerList(self.prefix_lists.get(name, span, report)?),
            ListSubject::AsPath => Match::AsPath(self.as_path_lists.get(name, span, report)?),
            ListSubject::Mac => Match::MacList(self.mac_lists.get(name, span, report)?),
            ListSubject::Community => Match::Community {
                communities: Communities::List(self.community_lists.get(name, span, report)?),
                extent,
            },
            ListSubject::LargeCommunity => Match::LargeCommunity {
                communities: Communities::List(
                    self.large_community_lists.get(name, span, report)?,
                ),
                extent,
            },
            ListSubject::ExtendedCommunity => Match::ExtendedCommunity {
                communities: Communities::List(
                    self.extended_community_lists.get(name, span, report)?,
                ),
                extent,
            },
        })
    }

    fn change(&self, item: &SetItem, span: Span, report: &mut Report) -> Option<Set> {
        Some(match item {
            SetItem::Plain(set) => set.clone(),
            SetItem::DeleteList { subject, name } => match subject {
                ListSubject::LargeCommunity => {
                    let list = self.large_community_lists.get(name, span, report)?;
                    Set::LargeCommunity(CommunityChange::Delete(Communities::List(list)))
                }
                ListSubject::ExtendedCommunity => {
                    let list = self.extended_community_lists.get(name, span, report)?;
                    Set::ExtendedCommunity(CommunityChange::Delete(Communities::List(list)))
                }
                ListSubject::Community
                | ListSubject::Prefix
                | ListSubject::NextHop
                | ListSubject::Peer
                | ListSubject::AsPath
                | ListSubject::Mac => {
                    let list = self.community_lists.get(name, span, report)?;
                    Set::Community(CommunityChange::Delete(Communities::List(list)))
                }
            },
            SetItem::ExcludeList(name) => {
                let list = self.as_path_lists.get(name, span, report)?;
                Set::AsPathExclude(AsPathExclude::List(list))
            }
            SetItem::AsPathReplace { asns, with } => Set::AsPathReplace {
                asns: asns.clone(),
                with: with.unwrap_or(self.asn),
            },
            SetItem::Bandwidth { amount, transitive } => Set::Bandwidth(Bandwidth {
                asn: self.asn,
                amount: *amount,
                transitive: *transitive,
            }),
        })
    }
}

/// What the map, or one that it calls, makes of the next hop that means something on export alone,
/// and what to do instead.
fn export_next_hop(map: &RouteMap) -> Option<(&'static str, &'static str)> {
    map.entries().iter().find_map(|entry| {
        let itself = Set::NextHop(NextHopChange::Myself);
        let hint = "use it for export, or say \"peer_address\"";
        let here = entry.sets.contains(&itself).then_some(("self", hint));
        here.or_else(|| entry.call.as_deref().and_then(export_next_hop))
    })
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
        Match::NextHopAddress(_) => 2,
        Match::Peer(_) => 3,
        Match::AsPath(_) => 4,
        Match::AsPathContains(_) => 5,
        Match::AsPathLength { .. } => 6,
        Match::Community { communities, .. } => 7 + kind_rank(communities),
        Match::LargeCommunity { communities, .. } => 9 + kind_rank(communities),
        Match::ExtendedCommunity { communities, .. } => 11 + kind_rank(communities),
        Match::LocalPref(_) => 13,
        Match::Metric(_) => 14,
        Match::Tag(_) => 15,
        Match::Origin(_) => 16,
        Match::Family(_) => 17,
        Match::EvpnRouteType(_) => 18,
        Match::Vni(_) => 19,
        Match::Rd(_) => 20,
        Match::Mac(_) => 21,
        Match::MacList(_) => 22,
        Match::Rpki(_) => 23,
        Match::Local => 24,
        Match::Source(_) => 24,
        Match::Interface(_) => 25,
        Match::PrefixLength { v6: false, .. } => 26,
        Match::PrefixLength { v6: true, .. } => 27,
        Match::PeerList(_) => 28,
        Match::SourceVrf(_) => 29,
        Match::Sender(_) => 30,
    }
}

fn kind_rank<C>(communities: &Communities<C>) -> u8 {
    match communities {
        Communities::List(_) => 0,
        Communities::Literal(_) => 1,
    }
}

/// Changes of different attributes do not depend on their order. Of one attribute: replace,
/// delete, add; of the path: what is taken out, replaced, and put in front, the neighbour's number
/// before ours.
fn set_rank(set: &Set) -> u8 {
    match set {
        Set::Metric(_) | Set::MetricOfAigp => 0,
        Set::LocalPref(_) => 1,
        Set::Weight(_) => 2,
        Set::Tag(_) => 3,
        Set::Distance(_) => 4,
        Set::Blackhole => 5,
        Set::Origin(_) => 6,
        Set::AsPathExclude(AsPathExclude::List(_)) => 7,
        Set::AsPathExclude(AsPathExclude::All | AsPathExclude::These(_)) => 8,
        Set::AsPathReplace { .. } => 9,
        Set::AsPathPrependLast(_) => 10,
        Set::AsPathPrepend(_) => 11,
        Set::NextHop(_) => 12,
        Set::Community(change) => 13 + change_rank(change),
        Set::LargeCommunity(change) => 17 + change_rank(change),
        Set::ExtendedCommunity(CommunityChange::Add(_)) => 28,
        Set::ExtendedCommunity(change) => 21 + change_rank(change),
        Set::RouteTargets(_) => 25,
        Set::SitesOfOrigin(_) => 26,
        Set::Bandwidth(_) => 27,
        Set::Aggregator(_) => 29,
        Set::AtomicAggregate => 30,
        Set::OriginatorId(_) => 31,
        Set::Aigp(_) | Set::AigpOfMetric => 32,
        Set::Table(_) => 33,
        Set::Src(_) => 34,
    }
}

fn change_rank<C>(change: &CommunityChange<C>) -> u8 {
    match change {
        CommunityChange::Replace(_) | CommunityChange::Clear => 0,
        CommunityChange::Delete(Communities::List(_)) => 1,
        CommunityChange::Delete(Communities::Literal(_)) => 2,
        CommunityChange::Add(_) => 3,
    }
}

fn list<R: Rule>(
    name: String,
    description: Option<String>,
    rules: Vec<R>,
) -> Result<List<R>, ListError> {
    Ok(List::new(name, rules)?.describe(description))
}

/// Makes lists of any kind.
fn lists<R: Rule + Clone, L>(
    what: &'static str,
    tables: &[At<ListTable<R>>],
    report: &mut Report,
    make: impl Fn(String, Option<String>, Vec<R>) -> Result<L, ListError>,
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
        for At { value: rule, span } in table.rules.iter().filter(|rule| rule.value.seq() > 0) {
            numbers.see(rule.seq(), *span, report);
        }
        if report.count() > before {
            named.insert(&name.value, None);
            continue;
        }
        let rules = table.rules.iter().map(|rule| rule.value.clone()).collect();
        let description = table.description.as_ref().map(|at| at.value.clone());
        let list = make(name.value.clone(), description, rules)
            .map_err(|error| report.error(name.span, error))
            .ok();
        named.insert(&name.value, list.map(Arc::new));
    }
    named
}
