//! What depends on other routes, kept in step with the table.
//!
//! A best path that changed leaves a mark. From the marks [`super::Dependent`] is shown the
//! prefixes, and when none is left it says what follows ([`Consequence`]): an aggregate comes or
//! goes, which is a route of our own like any other, or groups are to judge again what a condition,
//! an aggregate or a default route makes them say.
//!
//! What the aggregates are made of and which conditions hold is not known here but in
//! [`crate::rib::dependent`].

use std::sync::Arc;

use super::{FamilyRib, Key, SLICE};
use crate::packed::Slot;
use crate::rib::aggregate::{self, Aggregate};
use crate::rib::dependent::Consequence;
use crate::rib::export::GroupSettings;
use crate::rib::path::PeerId;
use crate::rib::peer::DefaultOriginate;
use crate::rib::{Cx, View};
use crate::rpki::Validation;

impl<K: Key> FamilyRib<K> {
    /// Looks at what depends on the best paths that changed; true if something was done.
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>) -> bool {
        let slots = self.marks.depended.take(SLICE);
        let mut toggled = Vec::new();
        for slot in &slots {
            if let Some(entry) = self.table.get(*slot)
                && self.dependent.look(cx.view(), *slot, entry)
            {
                toggled.push(*slot);
            }
            self.reap(*slot);
        }
        if !slots.is_empty() {
            // Of most of them everybody is to hear in any case, since the best path changed.
            self.judge_by_all(cx.view(), &toggled);
            return true;
        }
        let (table, mut out) = (&self.table, Vec::new());
        let key_of = |slot| table.get(slot).map(|entry| &entry.key);
        let dependent = &mut self.dependent;
        let aggregated = dependent.settle_aggregates(cx.view(), key_of, &mut out);
        if !aggregated {
            let entry_of = |key: &K| table.find(key).and_then(|slot| table.get(slot));
            let best_of = |key: &K| entry_of(key)?.paths.best();
            dependent.settle_conditions(cx.view(), best_of, &mut out);
        }
        let done = aggregated || !out.is_empty();
        for consequence in out {
            self.take_in(cx, consequence);
        }
        done
    }

    /// Gives aggregates, conditions and what frees from them another table; true if any asks it.
    pub(in crate::rib) fn validate_dependent(
        &mut self,
        validation: Option<&Arc<Validation>>,
    ) -> bool {
        let dependent = self.dependent.validate_by(validation);
        let groups = self.groups.iter().map(|it| &it.settings);
        let several = self.several.iter().map(|it| &it.settings);
        let mut freed = groups.chain(several).flat_map(|it| &it.unsuppress);
        dependent || freed.any(|map| map.validates())
    }

    /// Conditions may say something else of these prefixes, whose best paths are what they were.
    pub(super) fn depend_again(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.marks.depended.insert(*slot);
            for group in &mut self.groups {
                group.judge_again(*slot);
            }
        }
        for several in &mut self.several {
            several.mark_all(slots.iter().copied());
        }
    }

    fn take_in(&mut self, cx: &mut Cx<'_>, consequence: Consequence<K>) {
        match consequence {
            Consequence::Set(key, attributes) => {
                self.originate(cx, (aggregate::PATH_ID, key), attributes);
            }
            Consequence::Unset(key) => {
                self.withdraw(cx, PeerId::LOCAL, &[(aggregate::PATH_ID, key)]);
            }
            Consequence::Everybody(slots) => self.judge_by_all(cx.view(), &slots),
            Consequence::Condition(map) => {
                let about = |settings: &GroupSettings| {
                    let condition = settings.advertise_if.clone();
                    condition.filter(|it| it.condition == map)
                };
                for group in &mut self.groups {
                    let condition = about(&group.settings);
                    for slot in condition.iter().flat_map(|it| self.dependent.routes_of(it)) {
                        group.judge_again(slot);
                    }
                }
                for several in &mut self.several {
                    let condition = about(&several.settings);
                    let slots = condition.iter().flat_map(|it| self.dependent.routes_of(it));
                    several.mark_all(slots);
                }
            }
            Consequence::Default(map) => {
                let Some(slot) = self.default_slot() else {
                    return;
                };
                let map = Some(DefaultOriginate::While(map));
                for group in &mut self.groups {
                    if group.settings.default_originate == map {
                        group.judge_again(slot);
                    }
                }
                for several in &mut self.several {
                    if several.settings.default_originate == map {
                        several.mark(slot);
                    }
                }
                self.reap(slot);
            }
        }
    }

    /// An aggregate stands for these prefixes now, or does so no more: who is told of them may be told
    /// otherwise.
    fn judge_by_all(&mut self, view: View<'_>, slots: &[Slot]) {
        for group in &mut self.groups {
            let mut concerned = Vec::new();
            let terms = self.dependent.terms(&group.settings);
            for slot in slots {
                let Some(entry) = self.table.get(*slot) else {
                    continue;
                };
                let marked = self.marks.in_changed.contains(*slot);
                if !marked && !terms.unsuppresses(view, &entry.key.nlri(), &entry.paths) {
                    concerned.push(*slot);
                }
            }
            concerned
                .into_iter()
                .for_each(|slot| group.judge_again(slot));
        }
        for several in &mut self.several {
            several.mark_all(slots.iter().copied());
        }
    }

    /// Other aggregates are configured.
    pub(in crate::rib) fn set_aggregates(&mut self, cx: &mut Cx<'_>, specs: Vec<(K, Aggregate)>) {
        let mut out = Vec::new();
        let table = &self.table;
        let key_of = |slot| table.get(slot).map(|entry| &entry.key);
        if self.dependent.set_aggregates(specs, key_of, &mut out) {
            out.push(Consequence::Everybody(self.look_at_all(cx.view())));
        }
        self.marks.follow = !self.dependent.is_empty();
        for consequence in out {
            self.take_in(cx, consequence);
        }
    }

    /// Follows what those who are told, and one more, make depend on other routes.
    pub(super) fn follow_settings(&mut self, view: View<'_>, more: Option<&GroupSettings>) {
        let groups = self.groups.iter().map(|group| &group.settings);
        let several = self.several.iter().map(|several| &several.settings);
        if self.dependent.follow(groups.chain(several).chain(more)) {
            self.look_at_all(view);
            self.dependent.begin();
        }
        self.marks.follow = !self.dependent.is_empty();
    }

    /// Walks the table for what is new to follow; prefixes for which an aggregate stands now and did
    /// not, or the other way around.
    fn look_at_all(&mut self, view: View<'_>) -> Vec<Slot> {
        let table = self.table.iter();
        let looked = table.filter(|(slot, entry)| self.dependent.look(view, *slot, entry));
        looked.map(|(slot, _)| slot).collect()
    }
}
