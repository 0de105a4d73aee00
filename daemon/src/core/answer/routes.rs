//! Routes for `show routes`, a page at a time in the order of their keys.

use super::*;
use crate::control::{Page, Routes};

impl Core {
    pub(super) fn routes_reply(&self, request: &Routes) -> Result<reply::Routes, ErrorReply> {
        let select = self.selection(request.select)?;
        let families: Vec<Family> = match (request.family, request.prefix) {
            (Some(family), _) => vec![family],
            (None, Some(Prefix::V4(_))) => vec![Family::Ipv4Unicast],
            (None, Some(Prefix::V6(_))) => vec![Family::Ipv6Unicast],
            (None, None) => Family::ALL.to_vec(),
        };
        let mut routes = Vec::new();
        if let Some(prefix) = request.prefix {
            for family in families {
                routes.extend(self.matching(family, select, prefix));
            }
            return Ok(self.page(routes, &Page::default(), select));
        }
        for family in families {
            self.rib.visit(family, select, |route| {
                routes.push(route);
                true
            });
        }
        Ok(self.page(routes, &request.page, select))
    }

    fn selection(&self, select: Select) -> Result<rib::Select, ErrorReply> {
        let peer = |address| {
            self.by_address
                .get(&address)
                .copied()
                .ok_or_else(|| unknown_neighbor(address))
        };
        Ok(match select {
            Select::All => rib::Select::All,
            Select::Received(address) => rib::Select::Received(peer(address)?),
            Select::Advertised(address) => rib::Select::Advertised(peer(address)?),
        })
    }

    /// The route of a prefix; for a host address without one, the longest match.
    fn matching(&self, family: Family, select: rib::Select, prefix: Prefix) -> Option<RouteView> {
        let host = prefix == Prefix::host(prefix.addr());
        let mut found: Option<(u8, RouteView)> = None;
        self.rib.visit(family, select, |route| {
            let Some(candidate) = route.nlri.prefix() else {
                return true;
            };
            if candidate == prefix {
                found = Some((u8::MAX, route));
                return false;
            }
            let better = found.as_ref().is_none_or(|(len, _)| *len < candidate.len());
            if host && candidate.contains(prefix) && better {
                found = Some((candidate.len(), route));
            }
            true
        });
        found.map(|(_, route)| route)
    }

    fn page(&self, mut routes: Vec<RouteView>, page: &Page, select: rib::Select) -> reply::Routes {
        routes.sort_by(|one, two| one.nlri.cmp(&two.nlri));
        let start = match page.after.as_deref() {
            None => 0,
            Some(after) => after.parse::<usize>().unwrap_or(usize::MAX),
        };
        let size = page.size();
        let more = routes.len() > start.saturating_add(size);
        let received = matches!(select, rib::Select::Received(_));
        let routes = routes
            .iter()
            .skip(start)
            .take(size)
            .flat_map(|route| {
                route
                    .paths
                    .iter()
                    .map(move |path| self.route_row(&route.nlri, path, received))
            })
            .collect();
        reply::Routes {
            routes,
            next: more.then(|| start.saturating_add(size).to_string()),
        }
    }

    pub(super) fn route_row(
        &self,
        nlri: &Nlri,
        path: &PathView,
        as_received: bool,
    ) -> reply::Route {
        let attributes = if as_received {
            &path.received
        } else {
            &path.attributes
        };
        let installed = nlri.prefix().is_some_and(|prefix| {
            (path.best || path.multipath) && self.installed.contains(&self.route_key(prefix))
        });
        let reason = match (&path.rejection, path.lost) {
            (Some(rejection), _) => Some(rejection.to_string()),
            (None, Some(step)) => Some(step.to_string()),
            (None, None) => None,
        };
        reply::Route {
            family: nlri.family().name().to_owned(),
            prefix: nlri.to_string(),
            neighbor: self.address_of(path.peer),
            best: path.best,
            multipath: path.multipath,
            next_hops: vec![attributes.next_hop().addr()],
            as_path: as_path(attributes),
            origin: origin(attributes.origin()).to_owned(),
            communities: attributes.communities().map(|it| it.to_string()).collect(),
            large_communities: attributes
                .large_communities()
                .map(|it| it.to_string())
                .collect(),
            extended_communities: attributes
                .extended_communities()
                .map(|it| it.to_string())
                .collect(),
            local_pref: attributes.local_pref(),
            med: attributes.med(),
            installed,
            stale: path.stale,
            accepted: path.rejection.is_none(),
            path_id: path.path_id,
            reason,
        }
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

fn as_path(attributes: &Attributes) -> Vec<AsPathItem> {
    attributes
        .as_path()
        .flat_map(|segment| {
            let asns: Vec<u32> = segment.asns().map(|asn| asn.0).collect();
            match segment.kind {
                SegmentKind::Sequence => asns.into_iter().map(AsPathItem::Asn).collect(),
                SegmentKind::Set => vec![AsPathItem::Set { set: asns }],
                SegmentKind::ConfedSequence => {
                    vec![AsPathItem::ConfedSequence {
                        confed_sequence: asns,
                    }]
                }
                SegmentKind::ConfedSet => vec![AsPathItem::ConfedSet { confed_set: asns }],
            }
        })
        .collect()
}
