//! What notifications do not tell, read from the kernel.
//!
//! [`Stale`](super::Stale) says what: devices, nexthop objects, entries of layer 2, or
//! everything. What is read is taken in like notifications ([`super::hear`]); what is no longer
//! there is found by what the dump did not have. A dump that failed half-way counts for nothing,
//! since it would look like a kernel that lost the other half, and everything is read again soon.
//!
//! What follows from what was read is not decided here: that is the table's.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use ipnetwork::IpNetwork;

use super::Driver;
use crate::event::{Differences, Event};
use crate::kernel::KernelError;
use crate::links::Link;
use crate::netlink::dump::Dump;
use crate::netlink::notice::Notice;
use crate::netlink::sysctl;
use crate::state::{Interface, NextHop, RouteKind};
use crate::table::{AuditScope, Observation, is_our_next_hop};

impl Driver {
    /// Reads again what may have changed unseen, and devices before a step towards an overlay.
    pub(super) fn refresh(&mut self) {
        self.stale.layer2 |= self.table.take_unread_layer2();
        self.stale.links |= !self.links_current && self.table.has_device_steps();
        self.stale.all |= self.table.take_unread_routes();
        let stale = std::mem::take(&mut self.stale);
        let result = if stale.all {
            self.read_all().map(|found| {
                if !found.is_empty() {
                    self.events.push(Event::Repaired(found));
                }
            })
        } else {
            let links = if stale.links {
                self.read_links()
            } else {
                Ok(())
            };
            let hops = if stale.next_hops {
                self.read_next_hops()
            } else {
                Ok(())
            };
            let scope = AuditScope {
                routes: false,
                layer2: true,
            };
            let layer2 = if stale.layer2 {
                self.read_entries(scope).map(drop)
            } else {
                Ok(())
            };
            links.and(hops).and(layer2)
        };
        if let Err(error) = result {
            self.read_again_soon(&error);
        }
    }

    fn read_again_soon(&mut self, error: &KernelError) {
        tracing::error!(error = error as &dyn std::error::Error, "will read again");
        self.whole = false;
        // The audit reads everything; soon, but not in a tight circle.
        self.next_audit = Some(Instant::now() + Duration::from_secs(1));
    }

    /// After what is to be written: it has the kernel walk through all its routes, which traffic that
    /// has lost its way must not wait for.
    pub(super) fn look_for_withered(&mut self) {
        if !self.withered.is_empty()
            && let Err(error) = self.read_withered()
        {
            self.read_again_soon(&error);
        }
    }

    pub(super) fn read_all(&mut self) -> Result<Differences, KernelError> {
        self.read_links()?;
        self.read_next_hops()?;
        let found = self.read_entries(AuditScope {
            routes: true,
            layer2: true,
        })?;
        self.read_forwarding();
        self.whole = true;
        Ok(found)
    }

    /// Of which the kernel tells nobody.
    fn read_forwarding(&mut self) {
        let wanted: Vec<bool> = self.table.forwarding_wanted().collect();
        for ipv6 in wanted {
            let on = sysctl::forwards(ipv6);
            self.table.observe(Observation::Forwarding(ipv6, on));
        }
    }

    fn read_links(&mut self) -> Result<(), KernelError> {
        let dump = |what| move |source| KernelError::Dump { what, source };
        let links = self.dump.links().map_err(dump("devices"))?;
        let addresses = self.dump.addresses().map_err(dump("addresses"))?;
        let there: BTreeSet<u32> = links.iter().map(|link| link.index).collect();
        let known: Vec<u32> = self.table.links().iter().map(|link| link.index).collect();
        for index in known.into_iter().filter(|index| !there.contains(index)) {
            self.lose_link(index);
        }
        for link in links {
            self.see_link(link);
        }
        let known: Vec<_> = self.table.links().all_addresses().cloned().collect();
        let place = |address: &crate::Address| (address.index, address.address);
        let there: HashSet<_> = addresses.iter().map(place).collect();
        let before: HashMap<_, _> = known.iter().map(|it| (place(it), it)).collect();
        for address in &known {
            if !there.contains(&place(address)) {
                self.table
                    .observe(Observation::AddressRemoved(address.clone()));
                self.events.push(Event::Address {
                    address: address.clone(),
                    removed: true,
                });
            }
        }
        for address in addresses {
            if before.get(&place(&address)) != Some(&&address) {
                self.table.observe(Observation::Address(address.clone()));
                self.events.push(Event::Address {
                    address,
                    removed: false,
                });
            }
        }
        // Where nothing tells VLANs apart there is nothing to read.
        let apart = |link: &Link| link.is_vlan_aware() || link.has_vni_filter();
        if self.table.links().iter().any(apart) || self.table.has_segments() {
            let (vlans, filters) = self.dump.segments().map_err(dump("VLANs"))?;
            self.table.observe(Observation::Vlans(vlans));
            self.table.observe(Observation::VniFilters(filters));
        }
        self.relate_locals();
        self.links_current = true;
        self.table.links_read();
        Ok(())
    }

    /// Finds out which routes of others went with a device, an address or a nexthop object.
    fn read_withered(&mut self) -> Result<(), KernelError> {
        let objects = std::mem::take(&mut self.withered.objects);
        if !objects.is_empty() {
            self.foreign.objects_gone(&objects, &mut self.events);
        }
        while let Some(index) = self.withered.devices.pop_first() {
            // Through one that is gone nothing comes back.
            if self.table.links().get(index).is_none() && !self.foreign.uses(index) {
                continue;
            }
            let mut left = Vec::new();
            let protocol = self.options.protocol;
            let result = self.dump.routes_through(index, |notice| {
                if let Notice::Route { route, .. } = notice
                    && route.protocol != protocol
                {
                    left.push(route);
                }
            });
            if let Err(source) = result {
                self.withered.devices.insert(index);
                let what = "routes";
                return Err(KernelError::Dump { what, source });
            }
            self.foreign.through(index, left, &mut self.events);
        }
        Ok(())
    }

    fn read_next_hops(&mut self) -> Result<(), KernelError> {
        let dump = |source| KernelError::Dump {
            what: "nexthop objects",
            source,
        };
        let (mut seen, mut of_others) = (HashMap::new(), HashMap::new());
        for notice in self.dump.next_hops().map_err(dump)? {
            let Notice::NextHop {
                id,
                protocol,
                object: Some(object),
                removed: false,
            } = notice
            else {
                continue;
            };
            if !is_our_next_hop(id) {
                of_others.insert(id, object);
            } else if protocol == self.options.protocol {
                seen.insert(id, object);
            }
        }
        self.foreign.set_objects(of_others, &mut self.events);
        self.table.observe(Observation::NextHops(seen));
        Ok(())
    }

    fn read_entries(&mut self, scope: AuditScope) -> Result<Differences, KernelError> {
        self.table.begin_audit(scope);
        self.locals.begin();
        let mut failed = None;
        let mut connected = HashSet::new();
        let mut notices = Vec::new();
        if let Err(source) = self.dump.neighbours(|notice| notices.push(notice)) {
            failed = Some(KernelError::Dump {
                what: "neighbours",
                source,
            });
        }
        notices.into_iter().for_each(|notice| self.see(notice));
        if scope.routes {
            self.foreign.begin();
            // Routes are handled as they come, there may be too many to keep.
            let spare = Dump::open().map_err(KernelError::Open)?;
            let mut dump = std::mem::replace(&mut self.dump, spare);
            let read = dump.routes(|notice| {
                connected.extend(connected_by(&notice));
                self.see(notice);
            });
            if let Err(source) = read {
                failed = Some(KernelError::Dump {
                    what: "routes",
                    source,
                });
            }
            self.dump = dump;
        }
        if let Some(error) = failed {
            // Half a dump would look like a kernel that lost the other half.
            self.table.abandon_audit();
            self.foreign.abandon();
            self.locals.abandon();
            return Err(error);
        }
        if scope.routes {
            self.table.connected_read(&connected);
        }
        self.foreign.end(&mut self.events);
        self.locals.end(&mut self.events);
        Ok(self.table.end_audit(scope))
    }
}

/// The protocol number of routes that the kernel makes by itself.
const RTPROT_KERNEL: u8 = 2;

/// The network that a route of the kernel's own leads to, and the device that it is on.
fn connected_by(notice: &Notice) -> Option<(u32, IpNetwork)> {
    let Notice::Route { route, .. } = notice else {
        return None;
    };
    let own = route.protocol == RTPROT_KERNEL && route.kind == RouteKind::Unicast;
    match route.hops.as_slice() {
        [
            NextHop {
                gateway: None,
                interface: Some(Interface::Index(index)),
                ..
            },
        ] if own => Some((*index, route.key.prefix())),
        _ => None,
    }
}
