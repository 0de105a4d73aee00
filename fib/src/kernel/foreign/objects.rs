//! Nexthop objects of others, and where they lead.
//!
//! With `net.ipv4.nexthop_compat_mode` at 0 a route that uses an object says its number and nothing
//! else, and the kernel says nothing of routes whose object leads elsewhere now. In either mode it
//! says nothing of those whose group has lost a member. So the objects are kept, a route's ways out
//! are looked up here where it does not name them, and an object that changes is news of all routes
//! that use it or a group with it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Foreign, Known, Way, shared};
use crate::event::Event;
use crate::state::{Interface, NextHop};
use crate::table::Object;

/// What is known of objects by their number.
#[derive(Default)]
pub(super) struct Objects(HashMap<u32, Object>);

impl Objects {
    /// The ways out of an object; none of one that is not known, or that leads nowhere.
    pub(super) fn ways(&self, id: u32) -> Vec<NextHop> {
        match self.0.get(&id) {
            Some(Object::Single(_)) => self.way(id, 1).into_iter().collect(),
            Some(Object::Group(members)) => {
                let ways = members.iter();
                ways.filter_map(|(id, weight)| self.way(*id, *weight))
                    .collect()
            }
            None => Vec::new(),
        }
    }

    fn way(&self, id: u32, weight: u16) -> Option<NextHop> {
        let Some(Object::Single(hop)) = self.0.get(&id) else {
            return None;
        };
        Some(NextHop {
            gateway: hop.gateway,
            interface: Some(Interface::Index(hop.index)),
            onlink: hop.onlink,
            weight,
            fate: 0,
        })
    }

    /// These objects, and the groups that they are in.
    fn with_groups(&self, changed: &BTreeSet<u32>) -> BTreeSet<u32> {
        let in_it = |object: &Object| match object {
            Object::Single(_) => false,
            Object::Group(members) => members.iter().any(|(id, _)| changed.contains(id)),
        };
        let groups = self.0.iter().filter(|(_, object)| in_it(object));
        changed
            .iter()
            .copied()
            .chain(groups.map(|(id, _)| *id))
            .collect()
    }
}

impl Foreign {
    /// An object is there as shown, `None` for one that leads nowhere.
    pub(in crate::kernel) fn object(
        &mut self,
        id: u32,
        object: Option<Object>,
        out: &mut Vec<Event>,
    ) {
        let before = match object.clone() {
            Some(object) => self.objects.0.insert(id, object),
            None => self.objects.0.remove(&id),
        };
        if before != object {
            self.led_elsewhere(&BTreeSet::from([id]), out);
        }
    }

    /// An object is gone. What used it is found by [`Foreign::objects_gone`].
    pub(in crate::kernel) fn forget_object(&mut self, id: u32) {
        self.objects.0.remove(&id);
    }

    /// All objects there are. The kernel says nothing of those that went with a device.
    pub(in crate::kernel) fn set_objects(
        &mut self,
        objects: HashMap<u32, Object>,
        out: &mut Vec<Event>,
    ) {
        let before = std::mem::replace(&mut self.objects.0, objects);
        let now = &self.objects.0;
        let gone = before.keys().filter(|id| !now.contains_key(id));
        let gone: BTreeSet<u32> = gone.copied().collect();
        let changed = now
            .iter()
            .filter(|(id, object)| before.get(id) != Some(object));
        let changed: BTreeSet<u32> = changed.map(|(id, _)| *id).collect();
        if !gone.is_empty() {
            self.objects_gone(&gone, out);
        }
        if !changed.is_empty() {
            self.led_elsewhere(&changed, out);
        }
    }

    /// Tells of routes that lead elsewhere since their objects do.
    fn led_elsewhere(&mut self, changed: &BTreeSet<u32>, out: &mut Vec<Event>) {
        let concerned = self.objects.with_groups(changed);
        let ways = self.ways_with(|way| concerned.contains(&way.object));
        for (name, known) in self.of_ways(&ways) {
            let hops = self.objects.ways(known.way.object);
            let same = hops.len() == known.way.hops.len()
                && hops.iter().all(|hop| known.way.hops.contains(hop));
            if same || hops.is_empty() {
                continue;
            }
            let way = Way {
                hops: hops.into(),
                ..Way::clone(&known.way)
            };
            let way: Arc<Way> = shared(&mut self.ways, way);
            self.insert(name, Known { way, ..known }, out);
        }
    }
}
