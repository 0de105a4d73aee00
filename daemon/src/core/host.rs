//! The host itself: addresses and state of its devices, and whether it forwards.
//!
//! They belong to the network namespace and so to the default instance, whichever instances use them. What
//! hangs on an address (connected networks, sources of sessions, tunnel endpoints) follows from what the
//! kernel says of it, as with addresses that somebody else sets. At a stop all of it stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use fib::{Address, Addressing, Change, Device, Entry, Key};

use super::Core;
use crate::config::{Config, HostInterface};
use crate::control::words::counted;

/// Addresses named one by one; beyond this their number says enough.
const NAMED_MAX: usize = 10;

impl Core {
    /// Addresses of this host that another host on the link has too: all of them, or without those that
    /// are asked for here, which are differences of `verify`.
    pub(super) fn conflicts(&self, all: bool) -> Vec<String> {
        if self.config.name.is_some() {
            return Vec::new();
        }
        let is_wanted = |device: &Device, address: &Address| {
            let mut wanted = self.config.host_interfaces.iter();
            wanted.any(|it| {
                let mut addresses = it.addresses.iter();
                device.as_str() == it.name && addresses.any(|it| it.address == address.address)
            })
        };
        let why = |device: &Device, address: &Address| match is_wanted(device, address) {
            true if all => address.conflict(device, "and it is set again at once"),
            true => None,
            false => {
                let again = format!("then `ip address add {} dev {device}`", address.address);
                address.conflict(device, &again)
            }
        };
        let links = &self.install.ground.links;
        let found = links.iter().flat_map(|link| {
            let addresses = links.addresses(link.index);
            addresses.filter_map(|it| why(&link.name, it))
        });
        let mut conflicts: Vec<String> = found.collect();
        let more = conflicts.len().saturating_sub(NAMED_MAX);
        conflicts.truncate(NAMED_MAX);
        if more > 0 {
            let more = counted(more, "more address is one", "more addresses are some");
            conflicts.push(format!(
                "{more} of other hosts on the link, too: `ip address show dadfailed` names them"
            ));
        }
        conflicts
    }

    /// Has the kernel's thread do what differs from a former configuration, which is none at the start.
    pub(super) fn want_host(&mut self, old: Option<&Config>) {
        if self.config.name.is_some() {
            return;
        }
        let before = old.map(interfaces).unwrap_or_default();
        let after = interfaces(&self.config);
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let gone = gone.map(|name| Change::Unset(Key::Addressing(name.as_str().into())));
        let mut changes: Vec<Change> = gone.collect();
        for (name, wish) in after {
            if before.get(&name) != Some(&wish) {
                let device = name.as_str().into();
                changes.push(Change::Set(Entry::Addressing(device, Arc::new(wish))));
            }
        }
        let of = |config: &Config| [config.kernel.ipv4_forwarding, config.kernel.ipv6_forwarding];
        let (was, is) = (old.map(of).unwrap_or_default(), of(&self.config));
        for ((ipv6, was), is) in [false, true].into_iter().zip(was).zip(is) {
            match is {
                _ if was == is => {}
                Some(on) => changes.push(Change::Set(Entry::Forwarding { ipv6, on })),
                None => changes.push(Change::Unset(Key::Forwarding { ipv6 })),
            }
        }
        // Together: an address that moves to another device is there before it goes from the first.
        for change in changes {
            self.change(change);
        }
        self.hand_over_changes();
    }
}

/// What is wanted of devices, of those of which anything is.
fn interfaces(config: &Config) -> BTreeMap<String, Addressing> {
    let wished = |interface: &HostInterface| {
        let wish = interface.addressing()?;
        Some((interface.name.clone(), wish))
    };
    config.host_interfaces.iter().filter_map(wished).collect()
}
