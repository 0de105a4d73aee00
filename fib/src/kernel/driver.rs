//! What the kernel thread does between waking and sleeping.
//!
//! Notifications are read before anything is planned, so that a plan starts from what the kernel
//! last said. What notifications do not tell is read: nexthop objects (and routes that stand for
//! themselves) after a device went down or came up, because the kernel drops both silently;
//! everything after lost notifications. Devices are read before and after each step towards an
//! overlay, since a notification may be older than the step before it.
//!
//! Here is the order of these steps. What the kernel said is understood in [`hear`], what it did not
//! say is found out in [`read`], and who is told of it is in [`owners`]. What is to be written is
//! decided by [`Table`]; what it should not have been is mended in [`contested`], and
//! what is left to another daemon in [`handover`].

mod contested;
mod handover;
mod hear;
mod owners;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use contested::Contested;
use owners::all_tables;

use super::foreign::Foreign;
use super::locals::Locals;
use super::{BATCH, Command, KernelError, OnEvent, Options, Shared};
use crate::debug;
use crate::event::Event;
use crate::netlink::dump::Dump;
use crate::netlink::watch::Watch;
use crate::netlink::writer::Writer;
use crate::state::{Change, Entry, Key, Share};
use crate::table::{Op, OpError, Table};

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
    /// Who asked for a look at overlays' devices.
    lookers: Vec<Share>,
    /// What was read last was read to its end.
    whole: bool,
    withered: Withered,
    contested: Contested,
    /// Devices that we have removed, as long as news of them may come.
    removed: BTreeSet<u32>,
    /// No notification about devices was heard since they were read.
    links_current: bool,
    /// Devices were heard of since it was worked out whose hosts are in which VNI.
    unrelated: bool,
    events: Vec<Event>,
    next_audit: Option<Instant>,
    stop: Option<End>,
}

/// What becomes of the kernel's entries at the end.
enum End {
    /// They stay.
    Keep,
    /// They go.
    Clean,
    /// They stay, and routes are left as FRR takes them over.
    HandOver(mpsc::Sender<()>),
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
        if !options.nexthop_objects {
            table.do_without_objects();
        }
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
            lookers: Vec::new(),
            whole: false,
            withered: Withered::default(),
            contested: Contested::default(),
            removed: BTreeSet::new(),
            links_current: false,
            unrelated: false,
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
            match self.stop.take() {
                None => {}
                Some(End::Keep) => return,
                Some(End::Clean) => {
                    self.table.withdraw();
                    self.settle();
                    self.deliver();
                    return;
                }
                Some(End::HandOver(answer)) => {
                    self.hand_over();
                    // Nobody waiting any longer is no error.
                    let _ = answer.send(());
                    return;
                }
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
        let unread = self.has_unread() || !self.withered.is_empty();
        let timeout = if self.table.has_work() || unread {
            Some(Duration::ZERO)
        } else {
            let deadlines = [self.table.deadline(), self.next_audit];
            let next = deadlines.into_iter().flatten().min();
            next.map(|due| due.saturating_duration_since(Instant::now()))
        };
        wait(&[self.watch.fd(), self.wake.as_raw_fd()], timeout);
    }

    /// Something is to be read again before the next plan.
    fn has_unread(&self) -> bool {
        self.stale != Stale::default()
            || self.table.has_unread_layer2()
            || self.table.has_unread_routes()
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
        if !more {
            self.contested.forget();
        }
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
        self.table.expect_more(more);
        if more {
            // The sender only wakes for the first of many.
            self.shared.wake();
        }
        for change in changes {
            tell_wish(&change);
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
            Command::Look(share) => {
                // Behind changes that want the entries of a device read, which is done first.
                self.refresh();
                self.lookers.push(share);
                self.deliver();
            }
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
                self.stop = Some(match keep {
                    true => End::Keep,
                    false => End::Clean,
                });
            }
            Command::HandOver(answer) => {
                self.settle();
                self.stop = Some(End::HandOver(answer));
            }
        }
    }

    /// Applies plans until nothing is left that can be done now.
    fn settle(&mut self) {
        for _ in 0..PLANS {
            self.take_losses();
            let unread = self.has_unread();
            let planned = self.apply_plan();
            self.look_for_withered();
            // A plan may have found that a device is of interest now.
            if !planned && !unread && !self.table.has_unread_layer2() {
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
        let results = self.writer.write(&ops, || self.table.links().free_group());
        let now = Instant::now();
        for (op, result) in ops.iter().zip(results) {
            tell_write(op, &result);
            self.contested.wrote(op);
            let gone = op.deletes().filter(|_| result.is_ok());
            self.stale.links |= matches!(op, Op::Device(..)) && gone.is_none();
            self.stale.all |= !self.table.done(op, result, now);
            // What was removed need not be looked for.
            if let Some(index) = gone {
                self.lose_link(index);
                self.removed.insert(index);
                self.unrelated = true;
            }
        }
        if self.stale.links {
            // Before anything else is heard: a device that was made is known by its number then.
            self.refresh();
        }
        if self.contested.is_full() {
            self.listen();
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
}

/// Says what should be in the kernel now, under the target of its kind.
fn tell_wish(change: &Change) {
    match change {
        Change::Set(Entry::Route(key, route)) => {
            tracing::debug!(target: debug::ROUTES, prefix = %key.prefix(), %key, ?route, "route wanted");
        }
        Change::Unset(Key::Route(key)) => {
            tracing::debug!(target: debug::ROUTES, prefix = %key.prefix(), %key, "route not wanted");
        }
        Change::Set(entry) => tracing::debug!(target: debug::OVERLAY, ?entry, "entry wanted"),
        Change::Unset(key) => tracing::debug!(target: debug::OVERLAY, %key, "entry not wanted"),
    }
}

/// Says what was written, or why it was not.
fn tell_write(op: &Op, result: &Result<(), OpError>) {
    match (op.is_of_next_hop(), result) {
        (true, Ok(())) => tracing::debug!(target: debug::NEXT_HOPS, ?op, "written"),
        (true, Err(error)) => tracing::debug!(target: debug::NEXT_HOPS, ?op, %error, "refused"),
        (false, Ok(())) => tracing::debug!(target: debug::WRITES, ?op, "written"),
        (false, Err(error)) => tracing::debug!(target: debug::WRITES, ?op, %error, "refused"),
    }
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

#[cfg(test)]
mod tests;
