//! A host without a kernel, for tests: what would be written where, in whatever order it is asked for.
//!
//! ```text
//!  KernelHandle::want ─► wishes ─► the table and its plans ─► a model of the kernel
//!                  events of devices, addresses and entries ◄─┘
//! ```
//!
//! The plans are those of the kernel thread; what they are applied to is a model that refuses what
//! Linux refuses. Nothing happens by itself: [`Host::settle`] takes the wishes, applies plans until
//! there is nothing left to do, and returns what a kernel thread would have told. Devices that others
//! have come and go by [`Host::link`] and [`Host::unlink`]. A machine's addresses and neighbours are
//! no part of it: whoever tests those makes the events.

use std::io;
use std::time::Instant;

use crate::event::Event;
use crate::kernel::{KernelHandle, Wishes};
use crate::links::{Address, Link};
use crate::table::Table;
use crate::table::model::{Model, PROTOCOL, settle};

/// The host, with what it has in its kernel.
pub struct Host {
    wishes: Wishes,
    table: Table,
    kernel: Model,
    /// Devices and addresses, as they were told.
    links: Vec<Link>,
    addresses: Vec<Address>,
}

/// Devices of others have lower numbers than this, those that are made on request higher ones.
pub const OWN: u32 = 1 << 16;

impl Host {
    /// One without devices, and the way to it.
    ///
    /// # Errors
    ///
    /// When there is no pipe to be had.
    pub fn new() -> io::Result<(KernelHandle, Self)> {
        let (handle, wishes) = KernelHandle::unattended()?;
        let host = Self {
            wishes,
            table: Table::new(PROTOCOL),
            kernel: Model::giving_numbers_from(OWN),
            links: Vec::new(),
            addresses: Vec::new(),
        };
        Ok((handle, host))
    }

    /// A device of others is there, or is different.
    pub fn link(&mut self, link: Link) {
        self.kernel.add_link(link);
        self.kernel.tell(&mut self.table);
    }

    /// A device is gone, with what is on it.
    pub fn unlink(&mut self, name: &str) {
        self.kernel.remove_link(name);
        self.kernel.tell(&mut self.table);
    }

    /// Does what was asked for since the last time, and returns what is to be told of it.
    pub fn settle(&mut self) -> Vec<Event> {
        for change in self.wishes.changes() {
            self.table.apply(change);
        }
        let (sweeps, look) = self.wishes.sweeps();
        for (share, what) in sweeps {
            self.table.sweep(share, what);
        }
        settle(&mut self.table, &mut self.kernel, Instant::now());
        let mut events = self.device_events();
        events.extend(std::iter::from_fn(|| self.table.poll_event()));
        events.extend(look.then_some(Event::Looked));
        events
    }

    /// What became of devices and addresses.
    fn device_events(&mut self) -> Vec<Event> {
        let links: Vec<Link> = self.table.links().iter().cloned().collect();
        let addresses: Vec<Address> = self.table.links().all_addresses().cloned().collect();
        let mut events = Vec::new();
        for gone in self.addresses.iter().filter(|it| !addresses.contains(it)) {
            let (address, removed) = (gone.clone(), true);
            events.push(Event::Address { address, removed });
        }
        let there = |index: u32| links.iter().any(|link| link.index == index);
        for gone in self.links.iter().filter(|it| !there(it.index)) {
            let (index, name) = (gone.index, gone.name.clone());
            events.push(Event::LinkRemoved { index, name });
        }
        for new in links.iter().filter(|it| !self.links.contains(it)) {
            events.push(Event::Link(new.clone()));
        }
        for new in addresses.iter().filter(|it| !self.addresses.contains(it)) {
            let (address, removed) = (new.clone(), false);
            events.push(Event::Address { address, removed });
        }
        (self.links, self.addresses) = (links, addresses);
        events
    }

    /// Everything that is in the kernel, in words that do not depend on numbers given by chance.
    pub fn contents(&self) -> Vec<String> {
        self.kernel.contents()
    }

    /// What of it is not as it was asked for.
    pub fn differences(&self) -> Vec<crate::Difference> {
        self.table.verify()
    }
}
