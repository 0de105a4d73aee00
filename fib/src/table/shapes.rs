//! Interned contents of routes: a million routes with the same way out share one.
//!
//! A [`RouteShape`] is what is compared between want and have. It is named by a small number, so
//! that a route costs a few bytes, and it holds the reference to its nexthop object.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::nexthops::NextHops;
use crate::links::Links;
use crate::state::{Interface, NextHop, Route, RouteKind};

/// A route's content as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteShape {
    /// Forward or refuse.
    pub kind: RouteKind,
    /// Priority.
    pub metric: u32,
    /// Preferred source.
    pub source: Option<IpAddr>,
    /// Ways out.
    pub via: Via,
    /// Ways out for when all of `via` is lost. The kernel is not told and never shows it; only a
    /// route by an object has any.
    pub spare: Vec<NextHop>,
}

/// How a route says where packets go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Nowhere: it refuses them.
    Nowhere,
    /// By a nexthop object.
    Object(u32),
    /// By itself.
    Hops(Vec<NextHop>),
}

impl RouteShape {
    /// The kernel may have filled in interfaces that were left open, and knows of nothing spare.
    pub(super) fn stands_for(&self, want: &Self) -> bool {
        let (Via::Hops(have), Via::Hops(hops)) = (&self.via, &want.via) else {
            return (self.kind, self.metric) == (want.kind, want.metric)
                && (self.source, &self.via) == (want.source, &want.via);
        };
        let open = |have: &NextHop, want: &NextHop| {
            let filled = want.interface.is_none() || have.interface == want.interface;
            filled
                && (have.gateway, have.onlink) == (want.gateway, want.onlink)
                && have.weight == want.weight
        };
        self.kind == want.kind
            && self.metric == want.metric
            && self.source == want.source
            && have.len() == hops.len()
            && hops
                .iter()
                .all(|want| have.iter().any(|have| open(have, want)))
    }
}

impl fmt::Display for RouteShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.via {
            Via::Nowhere => {}
            Via::Object(id) => write!(f, " nhid {id}")?,
            Via::Hops(hops) => {
                for hop in hops {
                    write!(f, " {hop}")?;
                }
            }
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        write!(f, " metric {}", self.metric)
    }
}

/// The number of an interned shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ShapeId(NonZeroU32);

struct Slot {
    shape: Arc<RouteShape>,
    references: usize,
    route: Option<(Arc<Route>, bool)>,
}

/// All shapes in use.
#[derive(Default)]
pub(super) struct Shapes {
    slots: Vec<Option<Slot>>,
    free: Vec<ShapeId>,
    by_shape: HashMap<Arc<RouteShape>, ShapeId, foldhash::fast::RandomState>,
    by_route: HashMap<(Arc<Route>, bool), ShapeId, foldhash::fast::RandomState>,
    last: Option<(Arc<Route>, bool, ShapeId)>,
    written: Option<ShapeId>,
}

impl Shapes {
    /// The shape of a wanted route. Holds one reference.
    pub(super) fn of_route(
        &mut self,
        route: &Arc<Route>,
        ipv6: bool,
        objects: &mut NextHops,
        links: &Links,
    ) -> ShapeId {
        if let Some((last, last_ipv6, id)) = &self.last
            && Arc::ptr_eq(last, route)
            && *last_ipv6 == ipv6
        {
            let id = *id;
            self.hold(id);
            return id;
        }
        let name = (route.clone(), ipv6);
        let known = self.by_route.get(&name).copied();
        let id = match known {
            Some(id) => {
                self.hold(id);
                id
            }
            None => {
                let shape = shape(route, ipv6, objects, links);
                let object = shape.object();
                let id = self.intern(shape, objects);
                // The shape holds the object; acquiring it for this route did so once more.
                if let Some(object) = object {
                    objects.release(object);
                }
                if let Some(slot) = self.slot_mut(id).filter(|slot| slot.route.is_none()) {
                    slot.route = Some(name.clone());
                    self.by_route.insert(name, id);
                }
                id
            }
        };
        self.last = Some((route.clone(), ipv6, id));
        id
    }

    /// A shape that was handed out before; routes of one batch mostly have the same. Holds one
    /// reference.
    pub(super) fn intern_again(
        &mut self,
        shape: &Arc<RouteShape>,
        objects: &mut NextHops,
    ) -> ShapeId {
        let same = |id: &ShapeId| self.get(*id).is_some_and(|known| Arc::ptr_eq(known, shape));
        let id = match self.written.filter(same) {
            Some(id) => {
                self.hold(id);
                id
            }
            None => self.intern(RouteShape::clone(shape), objects),
        };
        self.written = Some(id);
        id
    }

    /// A shape by content. Holds one reference.
    pub(super) fn intern(&mut self, shape: RouteShape, objects: &mut NextHops) -> ShapeId {
        if let Some(id) = self.by_shape.get(&shape).copied() {
            self.hold(id);
            return id;
        }
        if let Some(object) = shape.object() {
            objects.hold(object);
        }
        let shape = Arc::new(shape);
        let slot = Some(Slot {
            shape: shape.clone(),
            references: 1,
            route: None,
        });
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.slots.get_mut(id.place()) {
                    *place = slot;
                }
                id
            }
            None => {
                self.slots.push(slot);
                ShapeId::of_length(self.slots.len())
            }
        };
        self.by_shape.insert(shape, id);
        id
    }

    /// One more reference.
    pub(super) fn hold(&mut self, id: ShapeId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.references += 1;
        }
    }

    /// One reference less; the last one takes the shape along.
    pub(super) fn release(&mut self, id: ShapeId, objects: &mut NextHops) {
        let Some(slot) = self.slot_mut(id) else {
            return;
        };
        slot.references = slot.references.saturating_sub(1);
        if slot.references > 0 {
            return;
        }
        let Some(slot) = self.slots.get_mut(id.place()).and_then(Option::take) else {
            return;
        };
        self.by_shape.remove(&slot.shape);
        if let Some(route) = slot.route {
            self.by_route.remove(&route);
        }
        if self.last.as_ref().is_some_and(|(_, _, last)| *last == id) {
            self.last = None;
        }
        if let Some(object) = slot.shape.object() {
            objects.release(object);
        }
        self.free.push(id);
    }

    /// The content of a shape.
    pub(super) fn get(&self, id: ShapeId) -> Option<&Arc<RouteShape>> {
        self.slots.get(id.place())?.as_ref().map(|slot| &slot.shape)
    }

    /// Shapes of routes by this object, with the number of their holders.
    pub(super) fn on_object(&self, object: u32) -> Vec<(ShapeId, Arc<RouteShape>, usize)> {
        let named = self.slots.iter().enumerate().filter_map(|(place, slot)| {
            let slot = slot.as_ref()?;
            (slot.shape.object() == Some(object)).then(|| {
                let id = ShapeId::of_length(place + 1);
                (id, slot.shape.clone(), slot.references)
            })
        });
        named.collect()
    }

    /// The object means something else from now on: the same wish is another shape.
    pub(super) fn forget_routes(&mut self, object: u32) {
        self.last = None;
        for slot in self.slots.iter_mut().flatten() {
            if slot.shape.object() == Some(object)
                && let Some(route) = slot.route.take()
            {
                self.by_route.remove(&route);
            }
        }
    }

    /// Shapes by objects, each with what it is without; the same wish is another shape then.
    pub(super) fn without_objects(
        &mut self,
        objects: &mut NextHops,
        links: &Links,
    ) -> Vec<(ShapeId, RouteShape)> {
        self.last = None;
        self.by_route.clear();
        let mut others = Vec::new();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            if let Some((route, ipv6)) = slot.route.take()
                && slot.shape.object().is_some()
            {
                let other = shape(&route, ipv6, objects, links);
                others.push((ShapeId::of_length(place + 1), other));
            }
        }
        others
    }

    /// All shapes in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RouteShape> {
        self.slots.iter().flatten().map(|slot| &*slot.shape)
    }

    fn slot_mut(&mut self, id: ShapeId) -> Option<&mut Slot> {
        self.slots.get_mut(id.place())?.as_mut()
    }
}

impl ShapeId {
    /// The id of the last place in a vector of this length.
    fn of_length(length: usize) -> Self {
        let number = u32::try_from(length).ok().and_then(NonZeroU32::new);
        debug_assert!(number.is_some(), "four thousand million different routes");
        Self(number.unwrap_or(NonZeroU32::MAX))
    }

    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl RouteShape {
    /// The nexthop object, if it names one.
    pub(super) fn object(&self) -> Option<u32> {
        match self.via {
            Via::Object(id) => Some(id),
            Via::Nowhere | Via::Hops(_) => None,
        }
    }
}

/// Translates a wanted route. Holds a reference to the object it names.
fn shape(route: &Route, ipv6: bool, objects: &mut NextHops, links: &Links) -> RouteShape {
    let via = match route.kind {
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => Via::Nowhere,
        RouteKind::Unicast => via(&route.next_hops, ipv6, objects, links),
    };
    let metric = normal_metric(route.metric, ipv6);
    let spare = match via {
        Via::Object(_) => route.spare.clone(),
        Via::Nowhere | Via::Hops(_) => Vec::new(),
    };
    RouteShape {
        kind: route.kind,
        metric,
        source: route.source,
        via,
        spare,
    }
}

fn via(hops: &[NextHop], ipv6: bool, objects: &mut NextHops, links: &Links) -> Via {
    let all_known = !hops.is_empty() && hops.iter().all(|hop| hop.interface.is_some());
    if all_known && let Some(id) = objects.acquire(hops, ipv6, links) {
        return Via::Object(id);
    }
    let resolved = hops.iter().map(|hop| {
        let interface = hop
            .interface
            .as_ref()
            .map(|interface| match links.resolve(interface) {
                Some(index) => Interface::Index(index),
                None => interface.clone(),
            });
        NextHop {
            interface,
            onlink: hop.onlink && hop.gateway.is_some(),
            fate: 0,
            ..hop.clone()
        }
    });
    let mut hops: Vec<NextHop> = resolved.collect();
    hops.sort();
    Via::Hops(hops)
}

/// IPv6 has no metric 0; the kernel takes it as 1024 (`IP6_RT_PRIO_USER`).
pub(super) fn normal_metric(metric: u32, ipv6: bool) -> u32 {
    if ipv6 && metric == 0 { 1024 } else { metric }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_to_what_is_not_on_the_link_does_not_stand_for_one_that_says_it_is() {
        let shape = |hop: NextHop| RouteShape {
            kind: RouteKind::Unicast,
            metric: 20,
            source: None,
            via: Via::Hops(vec![hop]),
            spare: Vec::new(),
        };
        let plain = NextHop::gateway(IpAddr::from([10, 0, 0, 2])).dev(7);
        let onlink = plain.clone().onlink();
        assert!(shape(onlink.clone()).stands_for(&shape(onlink.clone())));
        assert!(!shape(plain.clone()).stands_for(&shape(onlink.clone())));
        assert!(!shape(onlink).stands_for(&shape(plain)));
        // Without a gateway the word means nothing, and the kernel never says it.
        let wish = Arc::new(Route::via([NextHop::interface(7).onlink()]));
        let (mut objects, links) = (NextHops::default(), Links::default());
        objects.give_up();
        let want = super::shape(&wish, false, &mut objects, &links);
        assert!(shape(NextHop::interface(7)).stands_for(&want));
    }
}
