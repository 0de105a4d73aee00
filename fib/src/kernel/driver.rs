//! What the kernel thread does between waking and sleeping.
//!
//! Notifications are read before anything is planned, so that a plan starts from what the kernel
//! last said. What notifications do not tell is read: nexthop objects (and routes that stand for
//! themselves) after a device went down or came up, because the kernel drops both silently;
//! everything after lost notifications. Devices are read before and after each step towards an
//! overlay, since a notification may be older than the step before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::foreign::Foreign;
use super::locals::{LocalMac, LocalNeighbour, Locals};
use super::{BATCH, Command, KernelError, OnEvent, Options, Shared};
use crate::event::{Differences, Event};
use crate::links::{Link, LinkKind};
use crate::netlink::device::LinkNotice;
use crate::netlink::dump::Dump;
use crate::netlink::encode::{
    NTF_EXT_LEARNED, NTF_ROUTER, NTF_STICKY, NUD_FAILED, NUD_INCOMPLETE, NUD_NOARP, NUD_PERMANENT,
};
use crate::netlink::notice::{FdbNotice, NeighbourNotice, Notice, RouteNotice};
use crate::netlink::watch::{Notification, Watch};
use crate::netlink::writer::Writer;
use crate::state::{Claim, FdbKey, FloodKey, Key, Mac, Neighbour, NeighbourKey, Share};
use crate::table::{
    AuditScope, Observation, Op, Place, RouteShape, Table, Theirs, Via, is_our_next_hop,
};

/// How many notifications are handled before wishes get their turn.
const NOTIFICATIONS: usize = 4096;

/// How many plans are made when somebody waits for the end. Each writes a batch or settles
/// something, so this is never reached; it bounds a kernel that contradicts itself.
const PLANS: usize = 1 << 20;

/// The kernel thread's belongings.
pub(super) struct Driver {
    options: Options,
    shared: Arc<Shared>,
    wake: UnixStream,
    owners: Vec<(Share, OnEvent)>,
    table: Table,
    writer: Writer,
    watch: Watch,
    dump: Dump,
    locals: Locals,
    foreign: Foreign,
    /// In which tables owners want to hear of routes of others; who has not said so takes what the
    /// others hear.
    observed: BTreeMap<Share, BTreeSet<u32>>,
    stale: Stale,
    withered: Withered,
    /// No notification about devices was heard since they were read.
    links_current: bool,
    events: Vec<Event>,
    next_audit: Option<Instant>,
    stop: Option<bool>,
}

/// What has to be read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stale {
    links: bool,
    next_hops: bool,
    layer2: bool,
    all: bool,
}

/// What may have taken routes of others with it, of which the kernel says nothing.
#[derive(Debug, Default)]
struct Withered {
    /// Devices that went down or came up (ways out of multipath routes die and revive), are gone or
    /// lost an address.
    devices: BTreeSet<u32>,
    /// Nexthop objects that are gone.
    objects: BTreeSet<u32>,
}

impl Withered {
    fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.objects.is_empty()
    }
}

impl Driver {
    /// Opens the sockets and reads everything. The watching socket comes first, so that nothing is
    /// missed in between.
    pub(super) fn open(
        options: Options,
        shared: Arc<Shared>,
        wake: UnixStream,
        tell: OnEvent,
    ) -> Result<Self, KernelError> {
        let writer = Writer::open(options.protocol).map_err(KernelError::Open)?;
        let watch =
            Watch::open(writer.port(), options.receive_buffer).map_err(KernelError::Open)?;
        let dump = Dump::open().map_err(KernelError::Open)?;
        let mut table = Table::new(options.protocol);
        for (share, claim) in &options.claims {
            table.join(*share, claim.clone());
        }
        let observed = options.foreign_tables.clone();
        let foreign = Foreign::of_tables(all_tables(&observed));
        let mut driver = Self {
            options,
            shared,
            wake,
            owners: vec![(Share::FIRST, tell)],
            table,
            writer,
            watch,
            dump,
            locals: Locals::default(),
            foreign,
            observed,
            stale: Stale::default(),
            withered: Withered::default(),
            links_current: false,
            events: Vec::new(),
            next_audit: None,
            stop: None,
        };
        driver.read_all()?;
        driver.events.push(Event::Ready);
        driver.schedule_audit();
        Ok(driver)
    }

    /// Works until told to stop.
    pub(super) fn run(&mut self) {
        loop {
            self.deliver();
            if let Some(keep) = self.stop {
                if !keep {
                    self.table.withdraw();
                    self.settle();
                    self.deliver();
                }
                return;
            }
            self.sleep();
            self.step();
        }
    }

    fn step(&mut self) {
        self.take_losses();
        self.listen();
        self.take_wishes();
        let now = Instant::now();
        self.table.retry_due(now);
        if self.next_audit.is_some_and(|due| due <= now) {
            self.audit();
        }
        self.apply_plan();
        self.look_for_withered();
    }

    /// Waits for a wish, a notification or a deadline.
    fn sleep(&mut self) {
        let unread = self.stale != Stale::default() || !self.withered.is_empty();
        let timeout = if self.table.has_work() || unread {
            Some(Duration::ZERO)
        } else {
            let deadlines = [self.table.deadline(), self.next_audit];
            let next = deadlines.into_iter().flatten().min();
            next.map(|due| due.saturating_duration_since(Instant::now()))
        };
        wait(&[self.watch.fd(), self.wake.as_raw_fd()], timeout);
    }

    /// Reads notifications.
    fn listen(&mut self) {
        let mut heard = Vec::new();
        let mut more = true;
        while more && heard.len() < NOTIFICATIONS {
            more = match self.watch.read(|notification| heard.push(notification)) {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(%error, "cannot read notifications, reading everything");
                    self.stale.all = true;
                    false
                }
            };
        }
        for notification in heard {
            self.hear(notification);
        }
    }

    fn hear(&mut self, notification: Notification) {
        self.links_current &= !matches!(
            notification,
            Notification::Link { .. } | Notification::Address { .. }
        );
        match notification {
            Notification::Link {
                notice: LinkNotice::Link(link),
                removed,
            } => self.hear_link(link, removed),
            Notification::Link {
                notice: LinkNotice::Port(_),
                ..
            } => self.stale.links = true,
            Notification::Address { address, removed } => {
                let observation = match removed {
                    true => Observation::AddressRemoved(address.clone()),
                    false => Observation::Address(address.clone()),
                };
                // Routes with a source or without an object may have gone with it, silently.
                self.stale.all |= removed && self.table.has_routes_by_themselves();
                if removed {
                    self.address_gone(&address);
                }
                self.table.observe(observation);
                self.events.push(Event::Address { address, removed });
            }
            Notification::Other(notice) => self.see(notice),
            Notification::Overrun => {
                tracing::warn!("notifications were lost, reading everything");
                self.events.push(Event::Overrun);
                self.stale.all = true;
            }
        }
    }

    /// We change an overlay's devices ourselves, so news of them may be older than what was read
    /// after that: they are only a reason to read again.
    fn hear_link(&mut self, link: Link, removed: bool) {
        let known = self.table.links().get(link.index);
        let holder = self.table.links().named(&link.name);
        let of_overlay = [known, holder]
            .into_iter()
            .flatten()
            .any(|known| self.table.is_overlay_device(&known.name));
        if of_overlay {
            self.stale.links |= removed || known != Some(&link);
        } else if removed {
            self.lose_link(link.index);
        } else {
            self.see_link(link);
        }
    }

    fn see_link(&mut self, link: Link) {
        let before = self.table.links().get(link.index).cloned();
        if before.as_ref() == Some(&link) {
            return;
        }
        let ran = before.as_ref().is_some_and(|before| before.running);
        if before.as_ref().is_some_and(|before| before.up != link.up) {
            self.withered.devices.insert(link.index);
        }
        if ran != link.running || before.is_some_and(|before| before.up != link.up) {
            self.stale.next_hops = true;
            self.stale.all |= self.table.has_routes_by_themselves();
        }
        self.table.observe(Observation::Link(link.clone()));
        self.events.push(Event::Link(link));
        self.locals.relate(self.table.links(), &mut self.events);
    }

    fn lose_link(&mut self, index: u32) {
        let Some(link) = self.table.links().get(index).cloned() else {
            return;
        };
        self.stale.next_hops = true;
        self.withered.devices.insert(index);
        self.stale.all |= self.table.has_routes_by_themselves();
        self.table.observe(Observation::LinkRemoved(index));
        self.locals.relate(self.table.links(), &mut self.events);
        self.events.push(Event::LinkRemoved {
            index,
            name: link.name,
        });
    }

    /// The kernel drops routes whose source an address was, and all of a device that has lost its
    /// last one.
    fn address_gone(&mut self, address: &crate::Address) {
        self.withered.devices.insert(address.index);
        let from = self.foreign.devices_from(address.address.ip());
        self.withered.devices.extend(from);
    }

    fn see(&mut self, notice: Notice) {
        match notice {
            Notice::Route {
                route,
                removed,
                replaces,
            } => self.see_route(route, removed, replaces),
            Notice::NextHop { id, .. } if is_our_next_hop(id) => self.stale.next_hops = true,
            Notice::NextHop { id, removed, .. } => {
                if removed {
                    self.withered.objects.insert(id);
                } else if self.withered.objects.remove(&id) {
                    // It is there again: what used the one before is gone, what comes now is not.
                    self.foreign
                        .objects_gone(&BTreeSet::from([id]), &mut self.events);
                }
            }
            Notice::Fdb { fdb, removed } => self.see_fdb(fdb, removed),
            Notice::Neighbour { neighbour, removed } => self.see_neighbour(neighbour, removed),
        }
    }

    fn see_route(&mut self, route: RouteNotice, removed: bool, replaces: bool) {
        let metric = route.metric;
        let key = self.table.sharing(route.key, metric);
        if route.protocol != self.options.protocol {
            if replaces {
                // It took the place of whatever had this prefix and metric, perhaps ours.
                self.table.observe(Observation::RouteRemoved(key, metric));
            }
            if removed {
                self.table.observe(Observation::RouteVacated(key));
            }
            self.foreign
                .observe(route, removed, replaces, &mut self.events);
        } else if removed {
            self.table.observe(Observation::RouteRemoved(key, metric));
        } else {
            let RouteNotice {
                kind,
                source,
                object,
                hops,
                ..
            } = route;
            let via = match object {
                Some(id) => Via::Object(id),
                None if hops.is_empty() => Via::Nowhere,
                None => Via::Hops(hops),
            };
            self.table.observe(Observation::Route(
                key,
                RouteShape {
                    kind,
                    metric,
                    source,
                    via,
                    spare: Vec::new(),
                },
            ));
        }
    }

    fn see_fdb(&mut self, fdb: FdbNotice, removed: bool) {
        let FdbNotice {
            index,
            mac,
            state,
            marks,
            ..
        } = fdb;
        let Some(port) = self.table.links().current(index) else {
            return;
        };
        let device = port.name.clone();
        let is_vxlan = matches!(port.kind, LinkKind::Vxlan(_));
        let stamped = marks & NTF_EXT_LEARNED != 0;
        match (fdb.master, fdb.vtep) {
            (Some(bridge), _) if is_vxlan => {
                // With VLAN filtering in the kernel an entry shows again for each VLAN. Late news
                // of a bridge that the device has left say nothing about the one it is in.
                if fdb.vlan.is_none() && port.master == Some(bridge) {
                    let key = FdbKey { device, mac };
                    // Static by hand, made so over ours perhaps, which leaves the stamp.
                    let theirs = !removed && state & NUD_NOARP != 0;
                    let there = stamped && !removed && !theirs;
                    let theirs = theirs.then_some(Theirs::Port);
                    let place = Place::Bridge(key.clone());
                    self.table.observe(Observation::FdbBridge(key, there));
                    self.table.observe(Observation::Occupied(place, theirs));
                }
                self.locals.mac(bridge, mac, None, &mut self.events);
            }
            (Some(bridge), _) => {
                // PERMANENT are the port's own addresses.
                let learned = !removed && !stamped && state & NUD_PERMANENT == 0;
                let sticky = marks & NTF_STICKY != 0 || state & NUD_NOARP != 0;
                let local = learned.then_some(LocalMac {
                    port: index,
                    sticky,
                });
                let remote = self.table.links().vni_of_bridge(bridge);
                let vxlan = remote.and_then(|(_, vxlan)| self.table.links().get(vxlan));
                if let Some(device) = vxlan.filter(|_| learned).map(|vxlan| vxlan.name.clone()) {
                    self.table.fdb_moved(FdbKey { device, mac }, Instant::now());
                }
                self.locals.mac(bridge, mac, local, &mut self.events);
            }
            (None, Some(vtep)) if mac == Mac::ZERO => {
                self.table
                    .observe(Observation::Flood(FloodKey { device, vtep }, !removed));
            }
            (None, vtep) if is_vxlan && mac != Mac::ZERO => {
                let key = FdbKey { device, mac };
                let fixed = !stamped && !removed && state & (NUD_NOARP | NUD_PERMANENT) != 0;
                let place = Place::Tunnel(key.clone());
                let theirs = fixed.then_some(Theirs::Remote(vtep));
                let vtep = vtep.filter(|_| stamped && !removed);
                self.table.observe(Observation::FdbTunnel(key, vtep));
                self.table.observe(Observation::Occupied(place, theirs));
            }
            (None, _) => {}
        }
    }

    fn see_neighbour(&mut self, neighbour: NeighbourNotice, removed: bool) {
        let NeighbourNotice {
            index,
            ip,
            mac,
            state,
            marks,
        } = neighbour;
        let Some(link) = self.table.links().current(index) else {
            return;
        };
        if link.kind != LinkKind::Bridge || ip.is_multicast() {
            return;
        }
        let (key, router) = (
            NeighbourKey {
                device: link.name.clone(),
                ip,
            },
            marks & NTF_ROUTER != 0,
        );
        let stamped = marks & NTF_EXT_LEARNED != 0;
        let valid = mac.filter(|_| !removed && state & (NUD_INCOMPLETE | NUD_FAILED) == 0);
        let ours = valid
            .filter(|_| stamped)
            .map(|mac| Neighbour { mac, router });
        let place = Place::Neighbour(key.clone());
        self.table.observe(Observation::Neighbour(key, ours));
        let fixed = !stamped && state & (NUD_PERMANENT | NUD_NOARP) != 0;
        // The kernel has entries of its own for broadcast addresses.
        let theirs = valid.filter(|mac| fixed && mac.0[0] & 1 == 0);
        self.table
            .observe(Observation::Occupied(place, theirs.map(Theirs::Lladdr)));
        // NOARP without the stamp is multicast or somebody's static entry for a tunnel.
        let learned = valid.filter(|_| !stamped && state & NUD_NOARP == 0);
        let local = learned.map(|mac| LocalNeighbour { mac, router });
        self.locals.neighbour(index, ip, local, &mut self.events);
    }

    /// Reads again what may have changed unseen, and devices before a step towards an overlay.
    fn refresh(&mut self) {
        self.stale.layer2 |= self.table.take_unread_layer2();
        self.stale.links |= !self.links_current && self.table.has_device_steps();
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
        // The audit reads everything; soon, but not in a tight circle.
        self.next_audit = Some(Instant::now() + Duration::from_secs(1));
    }

    /// After what is to be written: it has the kernel walk through all its routes, which traffic that
    /// has lost its way must not wait for.
    fn look_for_withered(&mut self) {
        if !self.withered.is_empty()
            && let Err(error) = self.read_withered()
        {
            self.read_again_soon(&error);
        }
    }

    fn read_all(&mut self) -> Result<Differences, KernelError> {
        self.read_links()?;
        self.read_next_hops()?;
        self.read_entries(AuditScope {
            routes: true,
            layer2: true,
        })
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
        for address in &known {
            let same =
                |a: &crate::Address| a.index == address.index && a.address == address.address;
            if !addresses.iter().any(same) {
                self.table
                    .observe(Observation::AddressRemoved(address.clone()));
                self.events.push(Event::Address {
                    address: address.clone(),
                    removed: true,
                });
            }
        }
        for address in addresses {
            if !known.contains(&address) {
                self.table.observe(Observation::Address(address.clone()));
                self.events.push(Event::Address {
                    address,
                    removed: false,
                });
            }
        }
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
        let mut seen = HashMap::new();
        for notice in self.dump.next_hops().map_err(dump)? {
            if let Notice::NextHop {
                id,
                protocol,
                object: Some(object),
                removed: false,
            } = notice
                && protocol == self.options.protocol
                && is_our_next_hop(id)
            {
                seen.insert(id, object);
            }
        }
        self.table.observe(Observation::NextHops(seen));
        Ok(())
    }

    fn read_entries(&mut self, scope: AuditScope) -> Result<Differences, KernelError> {
        self.table.begin_audit(scope);
        self.locals.begin();
        let mut failed = None;
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
            if let Err(source) = dump.routes(|notice| self.see(notice)) {
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
        self.foreign.end(&mut self.events);
        self.locals.end(&mut self.events);
        Ok(self.table.end_audit(scope))
    }

    /// Moves what forwards over lost next hops. Routes that cannot go with their object come first.
    fn take_losses(&mut self) {
        let lost = std::mem::take(&mut self.shared.inbox().lost);
        for fate in lost {
            let start = Instant::now();
            let parting = self.table.part(fate);
            let (objects, routes) = (parting.objects(), parting.routes);
            if routes > 0 {
                // Two for new objects, singles and groups.
                for _ in 0..routes.div_ceil(BATCH) + 2 {
                    self.apply_plan();
                }
            }
            self.table.switch(parting);
            for _ in 0..=objects.div_ceil(BATCH) {
                self.apply_plan();
            }
            if objects + routes > 0 {
                let took = start.elapsed();
                tracing::info!(objects, routes, ?took, "lost next hops are out of use");
            }
        }
    }

    /// Takes wishes: a batch, or all of them when somebody waits for an answer.
    fn take_wishes(&mut self) {
        let mut drain = [0; 64];
        while self.wake.read(&mut drain).is_ok_and(|count| count > 0) {}
        let mut inbox = self.shared.inbox();
        let commands = std::mem::take(&mut inbox.commands);
        let count = if commands.is_empty() {
            BATCH
        } else {
            usize::MAX
        };
        let changes = inbox.pending.drain(count);
        let more = !inbox.pending.is_empty();
        drop(inbox);
        if more {
            // The sender only wakes for the first of many.
            self.shared.wake();
        }
        for change in changes {
            self.table.apply(change);
        }
        for command in commands {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Join(share, claim, on_event) => self.join(share, claim, on_event),
            // What it has in the kernel it knows by itself; this is for what is read from now on.
            Command::Claim(share, claim) => {
                self.table.join(share, claim);
            }
            Command::Leave(share) => {
                self.table.leave(share);
                self.owners.retain(|(owner, _)| *owner != share);
                if self.observed.remove(&share).is_some() {
                    self.observe_tables();
                }
            }
            Command::Sweep(share, what) => self.table.sweep(share, what),
            Command::Flush(answer) => {
                self.settle();
                // Nobody waiting any longer is no error.
                let _ = answer.send(());
            }
            Command::ForeignTables(share, tables) => {
                self.observe_foreign(share, tables);
            }
            Command::Status(key, answer) => {
                let _ = answer.send(self.table.status(&key));
            }
            Command::Verify(share, answer) => {
                self.settle();
                let read = self.read_all();
                let mut differences = self.table.verify();
                differences.retain(|it| self.owner_of(&it.key) == share);
                if let Err(error) = read {
                    tracing::error!(error = &error as &dyn std::error::Error, "verify");
                }
                self.settle();
                let _ = answer.send(differences);
            }
            Command::Stop { keep } => {
                self.settle();
                self.stop = Some(keep);
            }
        }
    }

    /// Applies plans until nothing is left that can be done now.
    fn settle(&mut self) {
        for _ in 0..PLANS {
            self.take_losses();
            let unread = self.stale != Stale::default() || !self.withered.is_empty();
            if !self.apply_plan() && !unread {
                break;
            }
        }
        self.deliver();
    }

    /// Applies one plan, made from what is current. Returns whether it had anything to do.
    fn apply_plan(&mut self) -> bool {
        self.refresh();
        let ops = self.table.plan(BATCH, Instant::now());
        if ops.is_empty() {
            self.table.shrink();
            return false;
        }
        let results = self.writer.write(&ops);
        let now = Instant::now();
        for (op, result) in ops.iter().zip(results) {
            if let Err(error) = &result {
                tracing::debug!(?op, %error, "refused");
            }
            self.stale.links |= matches!(op, Op::Device(..));
            self.stale.all |= !self.table.done(op, result, now);
        }
        if self.stale.links {
            // Before anything else is heard: a device that was made is known by its number then.
            self.refresh();
        }
        true
    }

    fn audit(&mut self) {
        self.schedule_audit();
        match self.read_all() {
            Ok(found) if found.is_empty() => tracing::debug!("the kernel is as it should be"),
            Ok(found) => {
                tracing::warn!(
                    missing = found.missing,
                    different = found.different,
                    unexpected = found.unexpected,
                    "the kernel was not as it should be, repairing"
                );
                self.events.push(Event::Repaired(found));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "audit");
            }
        }
    }

    fn schedule_audit(&mut self) {
        let period = self.options.audit;
        self.next_audit = (!period.is_zero()).then(|| Instant::now() + period);
    }

    /// All tables that any of the owners asks for, once the first has asked for some.
    fn observe_tables(&mut self) {
        if let Some(tables) = all_tables(&self.observed) {
            self.stale.all |= self.foreign.observe_tables(tables, &mut self.events);
        }
    }

    /// An owner asks for these tables. What others have asked for before is told again.
    fn observe_foreign(&mut self, share: Share, tables: BTreeSet<u32>) {
        self.deliver();
        let before = self.observed.insert(share, tables.clone());
        let before = before.unwrap_or_default();
        let new: BTreeSet<u32> = tables.difference(&before).copied().collect();
        let mut known = Vec::new();
        self.foreign
            .repeat(|table| new.contains(&table), &mut known);
        known
            .into_iter()
            .for_each(|event| self.tell_one(share, event));
        self.observe_tables();
    }

    /// Tells a new owner what is there. What was to be told so far is part of that.
    fn join(&mut self, share: Share, claim: Claim, mut on_event: OnEvent) {
        self.deliver();
        self.stale.all |= self.table.join(share, claim);
        let links = self.table.links();
        let mut there: Vec<Event> = links.iter().cloned().map(Event::Link).collect();
        there.extend(
            links
                .all_addresses()
                .cloned()
                .map(|address| Event::Address {
                    address,
                    removed: false,
                }),
        );
        self.foreign.repeat(|_| true, &mut there);
        self.locals.repeat(&mut there);
        there.push(Event::Ready);
        there.into_iter().for_each(&mut on_event);
        self.owners.push((share, on_event));
    }

    /// Tells the owners what happened.
    fn deliver(&mut self) {
        for event in std::mem::take(&mut self.events) {
            self.tell(event);
        }
        while let Some(event) = self.table.poll_event() {
            self.tell(event);
        }
        // Told when the last of a batch of repairs is done.
        if !self.table.has_work() {
            let repaired = self.table.take_repaired();
            if !repaired.is_empty() {
                self.tell(Event::Repaired(repaired));
            }
        }
    }

    /// Tells those whom an event concerns.
    fn tell(&mut self, event: Event) {
        if let [(_, only)] = self.owners.as_mut_slice() {
            return only(event);
        }
        match event {
            Event::Installed { keys } => {
                let mut parts: BTreeMap<Share, Vec<Key>> = BTreeMap::new();
                for key in keys {
                    parts.entry(self.owner_of(&key)).or_default().push(key);
                }
                for (share, keys) in parts {
                    self.tell_one(share, Event::Installed { keys });
                }
            }
            Event::Failed { ref key, .. } => self.tell_one(self.owner_of(key), event),
            Event::Removed { ref key } => match self.table.share_of(key) {
                Some(share) => self.tell_one(share, event),
                // Its overlay is gone: whoever had it takes note.
                None => self.tell_all(&event),
            },
            Event::Overrun | Event::Repaired(_) | Event::Ready => {
                self.tell_one(Share::FIRST, event);
            }
            Event::Link(_)
            | Event::LinkRemoved { .. }
            | Event::Address { .. }
            | Event::LocalMac { .. }
            | Event::LocalNeighbour { .. }
            | Event::RouteChanged { .. } => self.tell_all(&event),
        }
    }

    fn owner_of(&self, key: &Key) -> Share {
        self.table.share_of(key).unwrap_or(Share::FIRST)
    }

    fn tell_one(&mut self, share: Share, event: Event) {
        let owner = self.owners.iter_mut().find(|(owner, _)| *owner == share);
        if let Some((_, tell)) = owner {
            tell(event);
        }
    }

    fn tell_all(&mut self, event: &Event) {
        for (_, tell) in &mut self.owners {
            tell(event.clone());
        }
    }
}

/// All tables that any of the owners asks for; `None` while the first asks for none in particular.
fn all_tables(observed: &BTreeMap<Share, BTreeSet<u32>>) -> Option<BTreeSet<u32>> {
    let all = || observed.values().flatten().copied().collect();
    observed.contains_key(&Share::FIRST).then(all)
}

/// Waits until one of the descriptors can be read, or the time is up.
fn wait(fds: &[RawFd; 2], timeout: Option<Duration>) {
    let mut polls = fds.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    // Rounded up: waking a moment early would spin.
    let millis = timeout.map(|timeout| timeout.as_micros().div_ceil(1000));
    let millis = millis.map_or(-1, |ms| {
        libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX)
    });
    // SAFETY: `polls` is an array of that many live `pollfd`, of descriptors owned by the caller.
    let result = unsafe { libc::poll(polls.as_mut_ptr(), 2, millis) };
    if result < 0 {
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            tracing::error!(%error, "poll");
        }
    }
}
