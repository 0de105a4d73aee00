//! The kernel thread: takes wishes, watches the kernel, applies plans, tells what happened.
//!
//! ```text
//!  KernelHandle::want ─► Pending ─┐               ┌─► Writer ─► kernel
//!                     (latest     ├─► Table::plan ─┤
//!  Watch ─► observations ─────────┘  per key wins)└─► Event ─► owner's callback
//! ```
//!
//! One thread owns the table and the sockets. It sleeps until a wish, a notification or a deadline
//! comes, takes at most [`BATCH`] wishes, reads notifications, and applies plans until there is
//! nothing left to do. Lost notifications, and every [`Options::audit`], have it read everything
//! and repair the differences.
//!
//! The only lock of the crate is [`Inbox`]'s mutex. It is there because the queue coalesces: the
//! sender has to look at what is already queued, which a channel does not allow. It is held for
//! one insertion or one drain, never while talking to the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::event::{Difference, Event};
use crate::links::LinkKind;
use crate::netlink::dump::Dump;
use crate::netlink::notice::Notice;
use crate::pending::Pending;
use crate::state::{Change, Claim, Entry, Key, Share};
use crate::table::{Status, Sweep};
use driver::Driver;

mod driver;
mod foreign;
mod locals;

/// How many wishes are taken, and operations planned, before notifications are looked at again.
/// Larger batches are not faster from 64 on; smaller ones keep the answer to a link failure quick.
pub const BATCH: usize = 256;

/// How a kernel is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The stamp on everything of ours. Default 186, `RTPROT_BGP`, so that a start takes over what
    /// FRR left.
    pub protocol: u8,
    /// How often want and kernel are compared without reason. Default 60 s, zero never.
    pub audit: Duration,
    /// Whether routes stand on nexthop objects, where the kernel has them. Default true.
    pub nexthop_objects: bool,
    /// Receive buffer of the watching socket. Default 16 MiB.
    pub receive_buffer: usize,
    /// What belongs to owners that will [join](KernelHandle::join), so that the first read knows it.
    pub claims: Vec<(Share, Claim)>,
    /// The routing tables in which owners want to hear of routes of others
    /// ([`Event::RouteChanged`]). Default all, as long as the first owner names none.
    pub foreign_tables: BTreeMap<Share, BTreeSet<u32>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocol: 186,
            audit: Duration::from_secs(60),
            nexthop_objects: true,
            receive_buffer: 16 << 20,
            claims: Vec::new(),
            foreign_tables: BTreeMap::new(),
        }
    }
}

/// Why the kernel cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A netlink socket could not be set up; needs CAP_NET_ADMIN.
    #[error("cannot open netlink")]
    Open(#[source] io::Error),
    /// The kernel's tables could not be read.
    #[error("cannot read the kernel's {what}")]
    Dump {
        /// Which table.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread could not be started.
    #[error("cannot start the kernel thread")]
    Thread(#[source] io::Error),
    /// The thread has ended.
    #[error("the kernel thread has stopped")]
    Stopped,
}

/// The kernel of the calling thread's network namespace.
pub struct Kernel;

impl Kernel {
    /// Reads the kernel's state and starts the thread that keeps it as wanted. Events of the first
    /// dump, [`Event::Ready`] the last of them, are delivered on that thread. The callback must
    /// not block for long: while it runs, nothing is written.
    ///
    /// # Errors
    ///
    /// When the sockets cannot be opened or the first dump fails.
    pub fn spawn(
        options: Options,
        on_event: Box<dyn FnMut(Event) + Send>,
    ) -> Result<KernelHandle, KernelError> {
        let (waker, wake) = UnixStream::pair().map_err(KernelError::Open)?;
        waker.set_nonblocking(true).map_err(KernelError::Open)?;
        wake.set_nonblocking(true).map_err(KernelError::Open)?;
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            waker,
        });
        let mut driver = Driver::open(options, shared.clone(), wake, on_event)?;
        let thread = std::thread::Builder::new()
            .name("fib".to_owned())
            .spawn(move || driver.run())
            .map_err(KernelError::Thread)?;
        Ok(KernelHandle {
            shared,
            share: Share::FIRST,
            thread: Some(thread),
        })
    }
}

/// How an owner hears what happened.
type OnEvent = Box<dyn FnMut(Event) + Send>;

/// What kind of device has this name; `None` if there is no such device.
///
/// # Errors
///
/// When netlink cannot be opened or the devices cannot be read.
pub fn device_kind(name: &str) -> Result<Option<LinkKind>, KernelError> {
    let mut dump = Dump::open().map_err(KernelError::Open)?;
    let links = dump.links().map_err(|source| KernelError::Dump {
        what: "devices",
        source,
    })?;
    let link = links.into_iter().find(|link| link.name.as_str() == name);
    Ok(link.map(|link| link.kind))
}

/// Whether the kernel has routes with this protocol number that somebody with this claim would take
/// for its own: a program that wrote them is gone, or has stopped without taking them along.
///
/// # Errors
///
/// When netlink cannot be opened or the routes cannot be read.
pub fn left_behind(protocol: u8, claim: &Claim) -> Result<bool, KernelError> {
    let mut dump = Dump::open().map_err(KernelError::Open)?;
    let mut found = false;
    let read = dump.routes_of(protocol, |notice| {
        let Notice::Route { route, .. } = notice else {
            return;
        };
        found |= route.protocol == protocol && claim.covers(route.key.table(), route.metric);
    });
    read.map_err(|source| KernelError::Dump {
        what: "routes",
        source,
    })?;
    Ok(found)
}

/// What waits for the kernel thread.
#[derive(Default)]
struct Inbox {
    pending: Pending,
    /// Fates that are lost; they come before everything else.
    lost: Vec<u32>,
    commands: Vec<Command>,
}

enum Command {
    Join(Share, Claim, OnEvent),
    Claim(Share, Claim),
    Leave(Share),
    Sweep(Share, Sweep),
    Verify(Share, mpsc::Sender<Vec<Difference>>),
    Status(Key, mpsc::Sender<Status>),
    Flush(mpsc::Sender<()>),
    Look(Share),
    ForeignTables(Share, BTreeSet<u32>),
    Stop { keep: bool },
    HandOver(mpsc::Sender<()>),
}

struct Shared {
    inbox: Mutex<Inbox>,
    waker: UnixStream,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // A panic elsewhere leaves the queue itself whole.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // A full pipe means that the thread has been woken already.
        let _ = io::Write::write(&mut &self.waker, &[1]);
    }
}

/// What was asked of a kernel thread that does not run.
#[cfg(feature = "model")]
pub(crate) struct Wishes {
    shared: Arc<Shared>,
    /// A pipe that nobody reads is full in the end, and one that is closed ends the program.
    _wake: UnixStream,
}

#[cfg(feature = "model")]
impl Wishes {
    /// All changes since the last time.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.shared.inbox().pending.drain(usize::MAX)
    }

    /// The leftovers that may go, and whether somebody asks for a look.
    pub(crate) fn sweeps(&self) -> (Vec<(Share, Sweep)>, bool) {
        let commands = std::mem::take(&mut self.shared.inbox().commands);
        let (mut sweeps, mut look) = (Vec::new(), false);
        for command in commands {
            match command {
                Command::Sweep(share, what) => sweeps.push((share, what)),
                Command::Look(_) => look = true,
                Command::Join(..)
                | Command::Claim(..)
                | Command::Leave(_)
                | Command::Verify(..)
                | Command::Status(..)
                | Command::Flush(_)
                | Command::ForeignTables(..)
                | Command::Stop { .. }
                | Command::HandOver(_) => {}
            }
        }
        (sweeps, look)
    }
}

/// The way to the kernel thread. Usable from any thread; nothing here waits for the kernel except
/// where it says so.
pub struct KernelHandle {
    shared: Arc<Shared>,
    share: Share,
    /// With the first owner.
    thread: Option<JoinHandle<()>>,
}

impl KernelHandle {
    /// One that nobody reads, with where its wishes come together.
    #[cfg(feature = "model")]
    pub(crate) fn unattended() -> io::Result<(Self, Wishes)> {
        let (waker, wake) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            waker,
        });
        let wishes = Wishes {
            shared: shared.clone(),
            _wake: wake,
        };
        let (share, thread) = (Share::FIRST, None);
        let handle = Self {
            shared,
            share,
            thread,
        };
        Ok((handle, wishes))
    }

    /// Another owner beside this one, with a number and a claim that no other has. It is told what
    /// is there, [`Event::Ready`] last, and from then on what concerns all or itself: repairs and
    /// lost notifications are told to the first owner alone. Dropping the handle takes the
    /// owner's routes out of the kernel; its overlays it gives up itself before that.
    pub fn join(
        &self,
        share: Share,
        claim: Claim,
        on_event: Box<dyn FnMut(Event) + Send>,
    ) -> KernelHandle {
        self.command(Command::Join(share, claim, on_event));
        KernelHandle {
            shared: self.shared.clone(),
            share,
            thread: None,
        }
    }

    /// Other routes are this owner's from now on. What it wished for under its former claim it has to
    /// wish for anew, after this.
    pub fn claim(&self, claim: Claim) {
        self.command(Command::Claim(self.share, claim));
    }

    /// The number of this owner, which the names of its routes carry ([`crate::RouteKey::of`]).
    pub fn share(&self) -> Share {
        self.share
    }

    /// This should be in the kernel. Never blocks; the latest wish per key wins.
    pub fn want(&self, entry: Entry) {
        self.change(Change::Set(entry));
    }

    /// Nothing of ours should be under this key.
    pub fn unwant(&self, key: Key) {
        self.change(Change::Unset(key));
    }

    /// Queues one change.
    pub fn change(&self, change: Change) {
        self.changes([change]);
    }

    /// Queues many changes under one lock.
    pub fn changes(&self, changes: impl IntoIterator<Item = Change>) {
        let mut inbox = self.shared.inbox();
        let idle = inbox.pending.is_empty();
        for change in changes {
            inbox.pending.push(change);
        }
        let wake = idle && !inbox.pending.is_empty();
        drop(inbox);
        if wake {
            self.shared.wake();
        }
    }

    /// All next hops of this [fate](crate::NextHop::fate) are gone: routes that have others, or
    /// [spare](crate::Route::spare) ones, use those at once, and the owner's wishes follow when it
    /// has decided. One message per nexthop object, ahead of all wishes in the queue.
    pub fn lose(&self, fate: u32) {
        self.shared.inbox().lost.push(fate);
        self.shared.wake();
    }

    /// From now on this owner wants to hear of routes of others in these tables: those that are
    /// there are told when a table is new, and their end when nobody wants to hear of it any more.
    /// Owners hear of each other's tables too.
    pub fn observe_foreign(&self, tables: BTreeSet<u32>) {
        self.command(Command::ForeignTables(self.share, tables));
    }

    /// Number of keys whose change the thread has not taken yet.
    pub fn backlog(&self) -> usize {
        self.shared.inbox().pending.len()
    }

    /// Has the devices of the overlays looked at that were asked for so far: [`Event::Looked`] comes
    /// behind all that is told of what is there. Does not wait.
    pub fn look(&self) {
        self.command(Command::Look(self.share));
    }

    /// Leftovers of a previous run that nobody wanted since are removed, after the wishes queued
    /// so far were taken: this owner's routes; what else there is once all owners have said so.
    pub fn sweep(&self, what: Sweep) {
        self.command(Command::Sweep(self.share, what));
    }

    /// Compares the kernel with what this owner wants, and repairs it. Waits for the wishes queued so far
    /// and for the comparison.
    ///
    /// # Errors
    ///
    /// When the thread has stopped.
    pub fn verify(&self) -> Result<Vec<Difference>, KernelError> {
        self.ask(|answer| Command::Verify(self.share, answer))
    }

    /// How one entry stands. Waits for the answer.
    ///
    /// # Errors
    ///
    /// When the thread has stopped.
    pub fn status(&self, key: Key) -> Result<Status, KernelError> {
        self.ask(|answer| Command::Status(key, answer))
    }

    /// Waits until everything queued so far was taken and written or refused.
    ///
    /// # Errors
    ///
    /// When the thread has stopped.
    pub fn flush(&self) -> Result<(), KernelError> {
        self.ask(Command::Flush)
    }

    /// Leaves everything in the kernel for another daemon and ends the thread; waits until that is done.
    /// Of the routes to a prefix the one that packets take stays, with [`crate::Route::METRIC`], by which FRR
    /// finds it and replaces it in place: beside one with another metric it would put its own. Only with
    /// FRR's protocol number ([`Options::protocol`]), and only where no packet takes another way for it. What
    /// is wished for afterwards is not heard.
    ///
    /// # Errors
    ///
    /// When the thread has stopped.
    pub fn hand_over(&self) -> Result<(), KernelError> {
        self.ask(Command::HandOver)
    }

    /// Ends the thread and waits for it. With `keep` the kernel stays as it is, for the next start
    /// to adopt; without, routes, FDB entries, flood lists and neighbours of ours are removed
    /// first. Devices go when their overlay is no longer wanted, not here. Of an owner that joined
    /// this is [`KernelHandle::join`]'s end, whatever `keep` says.
    pub fn stop(mut self, keep: bool) {
        self.end(keep);
    }

    fn end(&mut self, keep: bool) {
        let Some(thread) = self.thread.take() else {
            if self.share != Share::FIRST {
                self.command(Command::Leave(self.share));
            }
            return;
        };
        self.command(Command::Stop { keep });
        if thread.join().is_err() {
            tracing::error!("the kernel thread ended by panic");
        }
    }

    fn command(&self, command: Command) {
        self.shared.inbox().commands.push(command);
        self.shared.wake();
    }

    fn ask<T>(&self, command: impl FnOnce(mpsc::Sender<T>) -> Command) -> Result<T, KernelError> {
        let (answer, question) = mpsc::channel();
        self.command(command(answer));
        question.recv().map_err(|_| KernelError::Stopped)
    }
}

impl Drop for KernelHandle {
    /// As [`KernelHandle::stop`] with `keep`; an owner that joined leaves.
    fn drop(&mut self) {
        self.end(true);
    }
}
