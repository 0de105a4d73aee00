//! Tables of the routes that a condition of the line lets through: a pattern, communities, a list.
//!
//! A table is asked for as a whole and looked through here. Patterns and lists mean what they mean in
//! policy, since the code of policy compares them; lists are those that are in force now.

use std::str::FromStr;

use bgp::attributes::{Segment, SegmentKind};
use bgp::policy::{Action, AsPathList, AsPathRule, Communities, Extent, Kind};
use bgp::{Asn, Community, Family, LargeCommunity, Prefix};

use super::{permitted, tables};
use crate::config::Config;
use crate::control::reply::{AsPathItem, Route};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::show::Answered;

/// Whether a path is shown.
pub(super) type Takes = Box<dyn Fn(&Route) -> bool + Send>;

/// `show ip bgp regexp _65001_`, `show bgp ipv4 community-list NAME` and the like.
pub(in crate::vtysh::show) async fn selected(said: &Said, asking: &Asking) -> Answered {
    let within = said.value(&["A.B.C.D/M", "X:X::X:X/M"]);
    let within = within.and_then(|text| text.parse::<Prefix>().ok());
    let family = match within {
        Some(Prefix::V4(_)) => Family::Ipv4Unicast,
        Some(Prefix::V6(_)) => Family::Ipv6Unicast,
        None => super::family(said),
    };
    let takes = match within {
        Some(within) => of_prefix(move |prefix| within.contains(prefix)),
        None => condition(said, asking).await?,
    };
    tables(said, asking, family, &takes).await
}

async fn condition(said: &Said, asking: &Asking) -> Result<Takes, Trouble> {
    let extent = match said.has("exact-match") {
        true => Extent::Exact,
        false => Extent::All,
    };
    if let Some(name) = said.value(&["MAP"]) {
        let config = asking.running().await?;
        let map = config.route_maps.iter().find(|it| it.name() == name);
        let map =
            map.ok_or_else(|| Trouble::Warning(format!("% {name} route-map not found\n")))?;
        return permitted::by(map);
    }
    if let Some(name) = said.value(&["LIST"]) {
        return of_list(said, name, extent, &asking.running().await?);
    }
    if let Some(text) = said.value(&["REGEX"]) {
        return regexp(text);
    }
    if said.has("self-originate") {
        return Ok(Box::new(|route| {
            route.neighbor.is_none() && !super::is_handed_over(route)
        }));
    }
    if said.has("rpki") {
        let states = [
            ("valid", "valid"),
            ("invalid", "invalid"),
            ("notfound", "not_found"),
        ];
        let wanted = states.iter().find(|(word, _)| said.has(word));
        let wanted = wanted.map(|(_, state)| *state);
        return Ok(Box::new(move |route| route.rpki.as_deref() == wanted));
    }
    if said.has("cidr-only") {
        return Ok(of_prefix(|prefix| !is_classful(prefix)));
    }
    if said.has("large-community") {
        let wanted = said.value(&["AA:BB:CC"]);
        return Ok(match wanted.and_then(read::<LargeCommunity>) {
            Some(wanted) => large_communities(Communities::Literal(vec![wanted]), extent),
            None => Box::new(|route| !route.large_communities.is_empty()),
        });
    }
    Ok(match said.value(&["AA:NN"]).and_then(read::<Community>) {
        Some(wanted) => communities(Communities::Literal(vec![wanted]), extent),
        None => Box::new(|route| !route.communities.is_empty()),
    })
}

fn of_list(said: &Said, name: &str, extent: Extent, config: &Config) -> Result<Takes, Trouble> {
    let missing = |kind: &str| Trouble::Warning(format!("% {name} {kind} not found\n"));
    if said.has("prefix-list") {
        // Of two lists with one name the second one has its version in front.
        let other = format!("ipv6 prefix-list {name}");
        let v6 = super::family(said) == Family::Ipv6Unicast;
        let mut lists = config.prefix_lists.iter();
        let second = lists.find(|it| v6 && it.name() == other);
        let list = second.or_else(|| config.prefix_lists.iter().find(|it| it.name() == name));
        let list = list.ok_or_else(|| missing("prefix-list"))?.clone();
        return Ok(of_prefix(move |prefix| list.permits(prefix)));
    }
    if said.has("access-list") {
        let v6 = super::family(said) == Family::Ipv6Unicast;
        let own = if v6 {
            "ipv6 access-list"
        } else {
            "access-list"
        };
        let mut lists = config.prefix_lists.iter();
        let list = lists.find(|it| it.name().strip_prefix(own).map(str::trim_start) == Some(name));
        let list = list.ok_or_else(|| missing("access-list"))?.clone();
        return Ok(of_prefix(move |prefix| list.permits(prefix)));
    }
    if said.has("filter-list") {
        let list = config.as_path_lists.iter().find(|it| it.name() == name);
        let list = list.ok_or_else(|| missing("AS-path access-list"))?.clone();
        return Ok(Box::new(move |route| {
            list.permits(&segments(&route.as_path))
        }));
    }
    if said.has("large-community-list") {
        let mut lists = config.large_community_lists.iter();
        let list = lists.find(|it| it.name() == name);
        let list = list.ok_or_else(|| {
            let text = format!("% {name} is not a valid large-community-list name\n");
            Trouble::Warning(text)
        })?;
        return Ok(large_communities(Communities::List(list.clone()), extent));
    }
    let list = config.community_lists.iter().find(|it| it.name() == name);
    let list = list.ok_or_else(|| missing("community-list"))?;
    Ok(communities(Communities::List(list.clone()), extent))
}

fn of_prefix(takes: impl Fn(Prefix) -> bool + Send + 'static) -> Takes {
    Box::new(move |route| route.prefix.parse().is_ok_and(&takes))
}

/// Whether a prefix is as long as its class of old says.
fn is_classful(prefix: Prefix) -> bool {
    let Prefix::V4(prefix) = prefix else {
        return false;
    };
    let [first, ..] = prefix.addr().octets();
    prefix.len()
        == match first {
            0..128 => 8,
            128..192 => 16,
            192..224 => 24,
            224.. => return false,
        }
}

/// A list with the pattern as its only rule.
fn regexp(text: &str) -> Result<Takes, Trouble> {
    let bad = |why: String| Trouble::Warning(format!("Can't compile regexp {text}: {why}\n"));
    let rule = AsPathRule::new(0, Action::Permit, text).map_err(|error| bad(error.to_string()))?;
    let list = AsPathList::new("regexp", vec![rule]).map_err(|error| bad(error.to_string()))?;
    Ok(Box::new(move |route| {
        list.permits(&segments(&route.as_path))
    }))
}

fn communities(wanted: Communities<Community>, extent: Extent) -> Takes {
    Box::new(move |route| matches(&wanted, &route.communities, extent))
}

fn large_communities(wanted: Communities<LargeCommunity>, extent: Extent) -> Takes {
    Box::new(move |route| matches(&wanted, &route.large_communities, extent))
}

fn matches<C: Kind + Ord + FromStr>(
    wanted: &Communities<C>,
    texts: &[String],
    extent: Extent,
) -> bool {
    let mut present: Vec<C> = texts.iter().filter_map(|text| read(text)).collect();
    present.sort_unstable();
    wanted.matches(present.iter().copied(), extent)
}

/// A value as it is shown.
fn read<C: FromStr>(text: &str) -> Option<C> {
    text.parse().ok()
}

/// The path as policy takes it.
pub(super) fn segments(items: &[AsPathItem]) -> Vec<Segment> {
    let numbers = |asns: &[u32]| asns.iter().copied().map(Asn).collect::<Vec<Asn>>();
    let mut segments: Vec<Segment> = Vec::new();
    for item in items {
        let (kind, asns) = match item {
            AsPathItem::Asn(asn) => {
                if let Some(last) = segments.last_mut()
                    && last.kind == SegmentKind::Sequence
                {
                    last.asns.push(Asn(*asn));
                    continue;
                }
                (SegmentKind::Sequence, vec![Asn(*asn)])
            }
            AsPathItem::Set { set } => (SegmentKind::Set, numbers(set)),
            AsPathItem::ConfedSequence { confed_sequence } => {
                (SegmentKind::ConfedSequence, numbers(confed_sequence))
            }
            AsPathItem::ConfedSet { confed_set } => (SegmentKind::ConfedSet, numbers(confed_set)),
        };
        segments.push(Segment { kind, asns });
    }
    segments
}
