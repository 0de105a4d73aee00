//! Next hops that are lost together: what forwards over them is moved by their objects, at once.
//!
//! The owner learns that a neighbour is gone long before it has decided anew about each of half a
//! million routes. It says so first ([`KernelHandle::lose`](crate::KernelHandle::lose)): a group
//! loses the member, and an object that leads nowhere else is made to lead to the spare way out of
//! its routes. That is one message per object, whatever stands on it. The wishes that follow find
//! their routes on an object that leads to the right place already, so most of them write nothing.
//!
//! Routes on one object may have different spare ways out, or none. The most numerous of them go
//! with the object. The others are taken off it first, each to its own spare way out or to an
//! object that leads where this one did: nothing is ever sent to somebody who has no route for it.
//!
//! Not here: who is lost, and what is best then; both is the owner's to say.

use std::collections::HashMap;

use super::{RouteShape, ShapeId, Table, Via};
use crate::state::NextHop;

/// What is left to do when routes that go elsewhere have left their objects.
#[derive(Debug, Default)]
pub struct Parting {
    /// Routes to write before [`Table::switch`]; plans begin with them.
    pub routes: usize,
    switches: Vec<Switch>,
}

impl Parting {
    /// Number of objects that will lead elsewhere.
    pub fn objects(&self) -> usize {
        self.switches.len()
    }
}

#[derive(Debug)]
enum Switch {
    /// To those of its members that are left.
    Members(u32, Vec<(u32, u16)>),
    /// To the spare way out of its routes.
    Spare(u32, Vec<NextHop>),
}

impl Table {
    /// All next hops of this fate are lost. Routes that cannot go with their object are the first
    /// in the next plans; then [`Table::switch`] moves the others.
    pub fn part(&mut self, fate: u32) -> Parting {
        let mut parting = Parting::default();
        for (object, left) in self.objects.over(fate) {
            if left.is_empty() {
                self.part_object(object, fate, &mut parting);
            } else {
                parting.switches.push(Switch::Members(object, left));
            }
        }
        parting
    }

    /// All ways out of this object are lost.
    fn part_object(&mut self, object: u32, fate: u32, parting: &mut Parting) {
        let mut classes: HashMap<Vec<NextHop>, (usize, Vec<ShapeId>)> = HashMap::new();
        for (id, shape, holders) in self.shapes.on_object(object) {
            let usable = shape.spare.iter().all(|hop| hop.fate != fate)
                && self.objects.can_lead(object, &shape.spare);
            let spare = match usable {
                true => shape.spare.clone(),
                false => Vec::new(),
            };
            let class = classes.entry(spare).or_default();
            class.0 += holders;
            class.1.push(id);
        }
        let most = classes.iter().max_by_key(|(_, (holders, _))| *holders);
        let Some(most) = most.map(|(spare, _)| spare.clone()) else {
            return;
        };
        let others = classes.into_iter().filter(|(spare, _)| *spare != most);
        let mut unwanted = false;
        for (spare, (_, shapes)) in others {
            for shape in shapes {
                let (routes, stay) = self.move_off(object, shape, &spare);
                parting.routes += routes;
                unwanted |= stay;
            }
        }
        // What a previous run left is not known to have the same way out.
        if !most.is_empty() && !unwanted {
            parting.switches.push(Switch::Spare(object, most));
        }
    }

    /// Wishes for this shape are wishes for one that leads to its spare way out, or without one for
    /// one that leads where it does now. Returns how many routes that concerns, and whether there
    /// are others that nobody wished for.
    fn move_off(&mut self, object: u32, id: ShapeId, spare: &[NextHop]) -> (usize, bool) {
        let Some(shape) = self.shapes.get(id).cloned() else {
            return (0, false);
        };
        let target = match spare {
            [] => self.objects.twin(object, &self.links),
            hops => self.objects.acquire(hops, false, &self.links),
        };
        let Some(target) = target else {
            return (0, false);
        };
        let mut moved = shape.as_ref().clone();
        moved.via = Via::Object(target);
        moved.spare = Vec::new();
        let moved = self.rewish(id, moved);
        // The shape holds the object.
        self.objects.release(target);
        moved
    }

    /// Wishes for one shape become wishes for another. Returns as [`Ledger::redirect`] does.
    ///
    /// [`Ledger::redirect`]: super::ledger::Ledger::redirect
    fn rewish(&mut self, from: ShapeId, to: RouteShape) -> (usize, bool) {
        let to = self.shapes.intern(to, &mut self.objects);
        let (count, unwanted) = self.routes.redirect(from, to);
        for _ in 0..count {
            self.shapes.hold(to);
            self.shapes.release(from, &mut self.objects);
        }
        self.shapes.release(to, &mut self.objects);
        (count, unwanted)
    }

    /// The kernel knows no nexthop objects: routes name their next hops themselves.
    pub(super) fn give_up_objects(&mut self) {
        if self.do_without_objects() {
            tracing::warn!(
                "this kernel has no nexthop objects (Linux 5.3); a lost next hop moves routes one by one"
            );
        }
    }

    /// Routes name their next hops themselves from now on. False if that is no news.
    pub fn do_without_objects(&mut self) -> bool {
        if !self.objects.give_up() {
            return false;
        }
        for (id, shape) in self.shapes.without_objects(&mut self.objects, &self.links) {
            self.rewish(id, shape);
        }
        true
    }

    /// Lets objects lead elsewhere; the next plan writes them.
    pub fn switch(&mut self, parting: Parting) {
        for switch in parting.switches {
            let (object, namesake) = match switch {
                Switch::Members(object, left) => (object, self.objects.narrow(object, left)),
                Switch::Spare(object, hops) => {
                    (object, self.objects.lead(object, &hops, &self.links))
                }
            };
            for object in std::iter::once(object).chain(namesake) {
                self.shapes.forget_routes(object);
            }
        }
    }
}
