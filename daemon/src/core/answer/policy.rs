//! Route-maps, with what they have counted, and prefix lists.

use bgp::policy::{PrefixRule, RouteMap};

use super::Core;
use crate::config::policy::words;
use crate::config::{PolicyKind, diff};
use crate::control::{ErrorReply, reply};

impl Core {
    pub(super) fn route_maps(&self, name: Option<&str>) -> Result<reply::RouteMaps, ErrorReply> {
        let maps = self.config.route_maps.iter();
        let wanted = maps.filter(|map| name.is_none_or(|name| map.name() == name));
        let route_maps: Vec<_> = wanted.map(|map| self.route_map(map)).collect();
        match name.filter(|_| route_maps.is_empty()) {
            Some(name) => Err(ErrorReply::not_found(format!(
                "there is no route-map `{name}`"
            ))),
            None => Ok(reply::RouteMaps { route_maps }),
        }
    }

    pub(super) fn prefix_lists(&self) -> reply::PrefixLists {
        let rule = |rule: &PrefixRule| reply::PrefixListRule {
            seq: rule.seq(),
            action: rule.action().to_string(),
            prefix: rule.prefix().map(|prefix| prefix.to_string()),
            ge: rule.ge(),
            le: rule.le(),
        };
        let lists = self
            .config
            .prefix_lists
            .iter()
            .map(|list| reply::PrefixList {
                name: list.name().to_owned(),
                description: list.description().map(str::to_owned),
                rules: list.rules().iter().map(rule).collect(),
            });
        reply::PrefixLists {
            prefix_lists: lists.collect(),
        }
    }

    fn route_map(&self, map: &RouteMap) -> reply::RouteMap {
        let used_by = diff::uses(&self.config, PolicyKind::RouteMap, map.name());
        let entries = map.hits().map(|(entry, hits)| reply::RouteMapEntry {
            seq: entry.seq,
            action: entry.action.to_string(),
            description: entry.description.clone(),
            matches: words::conditions(entry),
            set: words::changes(entry),
            call: entry.call.as_ref().map(|called| called.name().to_owned()),
            on_match: words::on_match(entry.on_match),
            hits,
        });
        reply::RouteMap {
            name: map.name().to_owned(),
            evaluations: map.evaluations(),
            used_by: used_by.iter().map(ToString::to_string).collect(),
            entries: entries.collect(),
        }
    }
}
