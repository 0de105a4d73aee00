//! Whether the host forwards, where somebody asks for one or the other.
//!
//! The kernel tells nobody of a change, so what is there is known from complete reads. What nobody asks
//! for any longer stays as it is.

use super::{Op, OpError, Table};
use crate::event::{Difference, Event};
use crate::state::Key;

/// Forwarding of one IP version.
#[derive(Default)]
pub(super) struct ForwardingSlot {
    want: Option<bool>,
    /// As it was read or written last.
    have: Option<bool>,
    /// It was tried since it was read.
    tried: bool,
    /// Why it is not so, as told.
    error: Option<String>,
    installed: bool,
}

impl Table {
    pub(super) fn want_forwarding(&mut self, ipv6: bool, on: bool) {
        let slot = self.forwarding_mut(ipv6);
        let again = slot.want == Some(on) && slot.installed;
        if slot.want != Some(on) {
            (slot.want, slot.tried, slot.installed) = (Some(on), false, false);
        }
        if again {
            let keys = vec![Key::Forwarding { ipv6 }];
            self.events.push_back(Event::Installed { keys });
        }
    }

    pub(super) fn unwant_forwarding(&mut self, ipv6: bool) {
        let slot = self.forwarding_mut(ipv6);
        let installed = slot.installed;
        let have = slot.have;
        *slot = ForwardingSlot {
            have,
            ..ForwardingSlot::default()
        };
        if installed {
            let key = Key::Forwarding { ipv6 };
            self.events.push_back(Event::Removed { key });
        }
    }

    /// The IP versions that somebody asks for.
    pub fn forwarding_wanted(&self) -> impl Iterator<Item = bool> {
        let wanted = move |ipv6: &bool| self.forwarding(*ipv6).want.is_some();
        [false, true].into_iter().filter(wanted)
    }

    /// What a read has found; `None` where the host does not say. True if it was thought otherwise.
    pub(super) fn observe_forwarding(&mut self, ipv6: bool, on: Option<bool>) -> bool {
        let slot = self.forwarding_mut(ipv6);
        slot.tried = false;
        let before = std::mem::replace(&mut slot.have, on);
        slot.installed && before != on
    }

    pub(super) fn plan_forwarding(&mut self, ops: &mut Vec<Op>) {
        for ipv6 in [false, true] {
            let slot = self.forwarding_mut(ipv6);
            let Some(on) = slot.want.filter(|_| slot.is_due()) else {
                continue;
            };
            slot.tried = true;
            ops.push(Op::SetForwarding { ipv6, on });
        }
    }

    pub(super) fn has_forwarding_work(&self) -> bool {
        self.forwarding.iter().any(ForwardingSlot::is_due)
    }

    pub(super) fn done_forwarding(&mut self, ipv6: bool, on: bool, result: Result<(), OpError>) {
        let slot = self.forwarding_mut(ipv6);
        if slot.want != Some(on) {
            return;
        }
        let error = result.err().map(|error| error.to_string());
        let installed = error.is_none();
        if installed {
            slot.have = Some(on);
        }
        let known = slot.installed == installed && slot.error == error;
        (slot.installed, slot.error) = (installed, error.clone());
        if known {
            return;
        }
        let key = Key::Forwarding { ipv6 };
        self.events.push_back(Event::standing(key, error));
    }

    pub(super) fn forwarding_differences(&self, found: &mut Vec<Difference>) {
        for ipv6 in [false, true] {
            let slot = self.forwarding(ipv6);
            let Some(want) = slot.want.filter(|want| slot.have != Some(*want)) else {
                continue;
            };
            let word = |on| if on { "on" } else { "off" }.to_owned();
            found.push(Difference {
                key: Key::Forwarding { ipv6 },
                want: Some(word(want)),
                have: slot.have.map(word),
                error: slot.error.clone(),
                occupied: false,
            });
        }
    }

    /// Whether it is asked for, so, and why not.
    pub(super) fn forwarding_status(&self, ipv6: bool) -> Option<(bool, Option<&str>)> {
        let slot = self.forwarding(ipv6);
        slot.want?;
        Some((slot.installed, slot.error.as_deref()))
    }

    fn forwarding(&self, ipv6: bool) -> &ForwardingSlot {
        let [ipv4, other] = &self.forwarding;
        if ipv6 { other } else { ipv4 }
    }

    fn forwarding_mut(&mut self, ipv6: bool) -> &mut ForwardingSlot {
        let [ipv4, other] = &mut self.forwarding;
        if ipv6 { other } else { ipv4 }
    }
}

impl ForwardingSlot {
    fn is_due(&self) -> bool {
        let differs = |want| self.have != Some(want) || !self.installed;
        !self.tried && self.want.is_some_and(differs)
    }
}
