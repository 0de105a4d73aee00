//! Routes of others, as told to the owner.

use std::collections::HashMap;

use crate::event::{Event, ForeignRoute};
use crate::netlink::notice::RouteNotice;
use crate::state::RouteKey;

/// Whose route: prefix, metric, protocol. The kernel may hold several for a prefix.
type Name = (RouteKey, u32, u8);

/// All routes that are not ours.
#[derive(Default)]
pub(super) struct Foreign {
    routes: HashMap<Name, ForeignRoute, foldhash::fast::RandomState>,
    /// Filled while everything is read again.
    fresh: Option<HashMap<Name, ForeignRoute, foldhash::fast::RandomState>>,
}

impl Foreign {
    /// A route is there as shown, or gone.
    pub(super) fn observe(
        &mut self,
        notice: RouteNotice,
        removed: bool,
        replaces: bool,
        out: &mut Vec<Event>,
    ) {
        let name = (notice.key, notice.metric, notice.protocol);
        let mut route = ForeignRoute {
            key: notice.key,
            protocol: notice.protocol,
            metric: notice.metric,
            kind: notice.kind,
            next_hops: notice.hops,
        };
        if let Some(fresh) = &mut self.fresh {
            match fresh.get_mut(&name) {
                // IPv6 dumps the legs of a multipath route one by one.
                Some(known) => {
                    route.next_hops.retain(|hop| !known.next_hops.contains(hop));
                    known.next_hops.append(&mut route.next_hops);
                }
                None => {
                    fresh.insert(name, route);
                }
            }
            return;
        }
        if removed {
            self.remove(name, &route, out);
            return;
        }
        if replaces {
            // Whoever had this prefix and metric before is gone.
            let other =
                |known: &&Name| (known.0, known.1) == (name.0, name.1) && known.2 != name.2;
            let protocols = (0..=u8::MAX).map(|protocol| (name.0, name.1, protocol));
            let others: Vec<Name> = protocols
                .filter(|name| other(&name) && self.routes.contains_key(name))
                .collect();
            for other in others {
                if let Some(route) = self.routes.remove(&other) {
                    out.push(Event::RouteChanged {
                        route,
                        removed: true,
                    });
                }
            }
        }
        self.insert(name, route, out);
    }

    fn insert(&mut self, name: Name, route: ForeignRoute, out: &mut Vec<Event>) {
        if self.routes.insert(name, route.clone()).as_ref() != Some(&route) {
            out.push(Event::RouteChanged {
                route,
                removed: false,
            });
        }
    }

    /// A notice of removal may be about one leg of an IPv6 multipath route.
    fn remove(&mut self, name: Name, gone: &ForeignRoute, out: &mut Vec<Event>) {
        let Some(known) = self.routes.get_mut(&name) else {
            return;
        };
        let before = known.next_hops.len();
        known.next_hops.retain(|hop| {
            let same = |gone: &crate::NextHop| {
                gone.gateway == hop.gateway && gone.interface == hop.interface
            };
            !gone.next_hops.iter().any(same)
        });
        if !known.next_hops.is_empty() && known.next_hops.len() < before {
            out.push(Event::RouteChanged {
                route: known.clone(),
                removed: false,
            });
        } else if let Some(route) = self.routes.remove(&name) {
            out.push(Event::RouteChanged {
                route,
                removed: true,
            });
        }
    }

    /// Tells all that is known, to somebody new.
    pub(super) fn repeat(&self, out: &mut Vec<Event>) {
        out.extend(self.routes.values().map(|route| Event::RouteChanged {
            route: route.clone(),
            removed: false,
        }));
    }

    /// What is reported from here to [`Foreign::end`] is all there is.
    pub(super) fn begin(&mut self) {
        self.fresh = Some(HashMap::default());
    }

    /// The reports since [`Self::begin`] are incomplete.
    pub(super) fn abandon(&mut self) {
        self.fresh = None;
    }

    /// Tells the differences between what was known and what was reported.
    pub(super) fn end(&mut self, out: &mut Vec<Event>) {
        let Some(fresh) = self.fresh.take() else {
            return;
        };
        let gone: Vec<_> = self
            .routes
            .keys()
            .filter(|k| !fresh.contains_key(k))
            .copied()
            .collect();
        for name in gone {
            if let Some(route) = self.routes.remove(&name) {
                out.push(Event::RouteChanged {
                    route,
                    removed: true,
                });
            }
        }
        for (name, route) in fresh {
            self.insert(name, route, out);
        }
    }
}
