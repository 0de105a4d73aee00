//! Which instances run, and which of them a request is for.
//!
//! ```text
//! CoreHandle ─► Instances ─┬─► the default instance's core
//!   (calls)      │ ▲       └─► cores of the others          each a thread with tables of its own
//!                │ └── orders: apply, drain before a stop, stop
//!                └─► together: one answer out of several
//! ```
//!
//! Each instance has its tables, neighbours, sockets, drain and state files for itself
//! ([`running`]); what they have together is the kernel's thread, the BFD thread and this task.
//! It owns the list of instances and the configuration in effect, hands requests on to the core
//! they are for, and asks all cores where an answer is about all ([`together`]). It reads the file on
//! reload: what is new is compared, and opens its sockets, before anything is changed, so that a file
//! with an error or an address that is taken changes nothing. What the system refuses after that, a
//! thread or a file, is told with the instance that does not run.
//!
//! An overlay network is made and taken away by an edit of that file ([`network`]). Lines of FRR's
//! language change what runs without the file, until it is written ([`configure`]).
//!
//! Not here: anything about routes.

mod configure;
pub(crate) mod debugging;
mod network;
pub(crate) mod running;
mod together;
mod vxlans;
pub(crate) mod waiting;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::config::{self, Config};
use crate::control::words::counted;
use crate::control::{Call, ErrorKind, ErrorReply, Reply, Request, reply};
use crate::core;
use crate::peer_io::transport;
use crate::router::StartError;
use crate::{frr, plain_file, tasks};
use debugging::Debugging;
use running::{Leaving, Open, Prepared, Running, Shared, find_table, join};
use waiting::Waiting;

/// How long sessions may take to say good-bye.
pub(crate) const STOP_TIME: Duration = Duration::from_secs(5);

/// What the router orders.
#[derive(Debug)]
pub(crate) enum Order {
    /// Apply a new configuration.
    Apply(Box<Config>, oneshot::Sender<()>),
    /// Move traffic away for the rest of this run.
    DrainBeforeStop(oneshot::Sender<()>),
    /// Leave the kernel's routes as another daemon takes them over; nothing is written any more.
    HandOver(oneshot::Sender<()>),
    /// End everything; the kernel is handed back before the answer.
    Stop(oneshot::Sender<()>),
}

/// The configuration of all instances together, as it was read.
#[derive(Debug)]
pub(crate) struct InEffect {
    pub(crate) config: Config,
    /// Where it was read from FRR's language: what was read.
    pub(crate) frr: Option<Vec<frr::Source>>,
}

/// All instances.
pub(crate) struct Instances {
    pub(crate) shared: Shared,
    /// `None` where the kernel is not written.
    pub(crate) kernel: Option<Arc<fib::KernelHandle>>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) in_effect: InEffect,
    pub(crate) debugging: Debugging,
    pub(crate) default: Running,
    /// Beside the default one, in the order of the file.
    pub(crate) others: Vec<Running>,
    /// Removed ones that are not at their end.
    pub(crate) leaving: Vec<Leaving>,
    /// Those whose VRF device is not there.
    pub(crate) waiting: Vec<Waiting>,
    /// VNIs whose devices somebody else has made in this run.
    pub(crate) adopted: BTreeSet<u32>,
}

impl Instances {
    /// Works until it is told to stop, or nobody is left to tell it.
    pub(crate) async fn run(
        mut self,
        mut calls: mpsc::Receiver<Call>,
        orders: mpsc::Receiver<Order>,
    ) {
        let mut orders = orders;
        let mut look = waiting::times_to_look();
        let vxlans = Arc::clone(&self.shared.vxlans);
        let mut settled = None;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Apply(config, done)) => {
                        self.apply(*config).await;
                        let _ = done.send(());
                    }
                    Some(Order::DrainBeforeStop(done)) => {
                        self.drain_before_stop().await;
                        let _ = done.send(());
                    }
                    Some(Order::HandOver(done)) => {
                        self.hand_over().await;
                        let _ = done.send(());
                    }
                    Some(Order::Stop(done)) => {
                        self.stop().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                Some(call) = calls.recv() => self.call(call).await,
                () = vxlans.notified(), if settled.is_none() => {
                    settled = Some(Instant::now() + vxlans::SETTLE);
                }
                () = vxlans::until(settled), if settled.is_some() => {
                    settled = None;
                    self.look_for_vxlans().await;
                }
                _ = look.tick(), if !self.waiting.is_empty() => self.look_for_devices(),
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Running> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// Hands a request to the core it is for, or answers for all.
    async fn call(&mut self, (request, answer): Call) {
        match request {
            Request::Of(name, request)
                if matches!(
                    *request,
                    Request::NetworkCreate(_) | Request::NetworkDelete(_)
                ) =>
            {
                drop(answer.send(self.network(Some(name), *request).await));
            }
            Request::Of(name, request) => self.call_one(&name, *request, answer),
            Request::NetworkCreate(_) | Request::NetworkDelete(_) => {
                drop(answer.send(self.network(None, request).await));
            }
            Request::Reload { dry_run } => {
                let reload = self.reload(dry_run).await;
                // An asker that went away is no error.
                drop(answer.send(reload.map(Reply::Reload)));
            }
            Request::Running(language) => drop(answer.send(self.running(language))),
            Request::Configure { lines, dry_run } => {
                let done = self.configure(&lines.0, dry_run).await;
                drop(answer.send(done.map(Reply::Configured)));
            }
            Request::Debug { words, on } => {
                drop(answer.send(self.debug(&words, on).map(Reply::Debugging)));
            }
            Request::Debugging => drop(answer.send(Ok(Reply::Debugging(self.debugs())))),
            Request::Write => {
                let done = self.write().await;
                drop(answer.send(done.map(Reply::Written)));
            }
            Request::Instances => self.together(Request::Instances, answer),
            Request::Summary
            | Request::DrainStatus
            | Request::Drain(_)
            | Request::Undrain { .. }
            | Request::Verify
            | Request::Networks
            | Request::Metrics
            | Request::Version
                if !self.others.is_empty() || !self.waiting.is_empty() =>
            {
                self.together(request, answer);
            }
            Request::Summary
            | Request::Neighbors { .. }
            | Request::Routes(_)
            | Request::Explain { .. }
            | Request::EvpnVni
            | Request::EvpnMac { .. }
            | Request::EvpnNeighbors { .. }
            | Request::EvpnVteps
            | Request::EvpnNextHops
            | Request::EvpnDuplicates { .. }
            | Request::ClearDuplicates { .. }
            | Request::Arrived { .. }
            | Request::EvpnRoutes(_)
            | Request::Bfd
            | Request::Rpki { .. }
            | Request::StaticRoutes
            | Request::DrainStatus
            | Request::Drain(_)
            | Request::Undrain { .. }
            | Request::Verify
            | Request::Clear(_)
            | Request::RouteMaps { .. }
            | Request::PrefixLists
            | Request::Networks
            | Request::Metrics
            | Request::Memory
            | Request::Version => self.pass(&self.default, request, answer),
        }
    }

    /// Hands a request to one core. About a neighbour that it does not have, others are asked.
    fn pass(
        &self,
        to: &Running,
        request: Request,
        answer: oneshot::Sender<crate::control::Answer>,
    ) {
        let about = if let Request::Neighbors { address } = &request {
            *address
        } else if let Request::Clear(order) = &request {
            order.neighbor
        } else {
            None
        };
        let Some(address) = about.filter(|_| !self.others.is_empty()) else {
            to.core.pass((request, answer));
            return;
        };
        let (members, name) = (self.members(), to.config.name.clone());
        tasks::beside(&self.shared.runtime, async move {
            drop(answer.send(together::ask_one(&members, name, request, address).await));
        });
    }

    fn call_one(
        &self,
        name: &str,
        request: Request,
        answer: oneshot::Sender<crate::control::Answer>,
    ) {
        let Some(instance) = self.all().find(|it| it.name() == name) else {
            drop(answer.send(Err(self.no_instance(name))));
            return;
        };
        match request {
            Request::Reload { .. }
            | Request::Running(_)
            | Request::Configure { .. }
            | Request::Debug { .. }
            | Request::Debugging
            | Request::Write
            | Request::Instances
            | Request::NetworkCreate(_)
            | Request::NetworkDelete(_)
            | Request::Of(..) => {
                let error = ErrorReply::bad_request("this is for all instances together")
                    .hint("leave the name of the instance out");
                drop(answer.send(Err(error)));
            }
            Request::Summary
            | Request::Neighbors { .. }
            | Request::Routes(_)
            | Request::Explain { .. }
            | Request::EvpnVni
            | Request::EvpnMac { .. }
            | Request::EvpnNeighbors { .. }
            | Request::EvpnVteps
            | Request::EvpnNextHops
            | Request::EvpnDuplicates { .. }
            | Request::ClearDuplicates { .. }
            | Request::Arrived { .. }
            | Request::EvpnRoutes(_)
            | Request::Bfd
            | Request::Rpki { .. }
            | Request::StaticRoutes
            | Request::DrainStatus
            | Request::Drain(_)
            | Request::Undrain { .. }
            | Request::Verify
            | Request::Clear(_)
            | Request::RouteMaps { .. }
            | Request::PrefixLists
            | Request::Networks
            | Request::Metrics
            | Request::Memory
            | Request::Version => self.pass(instance, request, answer),
        }
    }

    fn no_instance(&self, name: &str) -> ErrorReply {
        if let Some(waiting) = self.waiting.iter().find(|it| it.name() == name) {
            return waiting.refuses();
        }
        let names: Vec<&str> = self.all().map(Running::name).collect();
        ErrorReply::not_found(format!("there is no instance `{name}`"))
            .hint(format!("the instances are {}", names.join(", ")))
    }

    fn members(&self) -> Vec<together::Member> {
        let members = self.all().map(|it| together::Member {
            name: it.config.name.clone(),
            vrf: it.config.vrf.clone(),
            table: it.config.kernel.table,
            core: it.core.clone(),
        });
        members.collect()
    }

    /// Asks all cores beside this task, which goes on.
    fn together(&self, request: Request, answer: oneshot::Sender<crate::control::Answer>) {
        let members = self.members();
        let waiting: Vec<_> = self.waiting.iter().map(Waiting::line).collect();
        tasks::beside(&self.shared.runtime, async move {
            drop(answer.send(together::ask(&members, waiting, request).await));
        });
    }

    /// Reads the configuration file again. With errors in it nothing changes.
    async fn reload(&mut self, dry_run: bool) -> Result<reply::Reload, ErrorReply> {
        let (file, text) = self.text()?;
        let (new, frr) = self.understand(&text, &file.display().to_string())?;
        let reload = self.take(new, dry_run).await?;
        if !dry_run {
            self.in_effect.frr = frr;
        }
        Ok(reload)
    }

    /// Applies a configuration that was read from the file, or only says what that would change.
    async fn take(&mut self, new: Config, dry_run: bool) -> Result<reply::Reload, ErrorReply> {
        if new.has_passwords()
            && let Err(error) = transport::md5_works()
        {
            return Err(ErrorReply::new(
                ErrorKind::BadConfig,
                format!("`password` of a neighbor cannot be used: {error}"),
            )
            .hint("the running configuration stays; take the passwords out of the file"));
        }
        let whole = new.clone();
        let split = split(new).map_err(|error| cannot_start(&error))?;
        let would = self.tell(&split, true).await?;
        if dry_run {
            return Ok(would);
        }
        if !would.restart_required.is_empty() {
            return Err(ErrorReply::new(
                ErrorKind::BadConfig,
                "some changes need a new start of the service; nothing was changed",
            )
            .details(would.restart_required)
            .hint("take them back, or: rbgpctl drain --wait && systemctl restart rbgpd"));
        }
        let added = self.prepare(&split.new);
        let added = added.map_err(|error| cannot_start(&error))?;
        let opened = self.open(&split.new);
        let opened = opened.map_err(|error| cannot_start(&error))?;
        self.listen(&split.new, opened).await;
        let done = self.tell(&split, false).await?;
        let Split { new, waiting } = split;
        self.debugging.configure(&self.in_effect.config, &whole);
        self.in_effect.config = whole;
        self.remove(&new).await;
        self.waiting = waiting.into_iter().map(Waiting::new).collect();
        let failed = self.launch(added);
        self.sort(&new);
        if failed.is_empty() {
            return Ok(done);
        }
        let text = format!(
            "the file is applied, but {} not started",
            match failed.len() {
                1 => "one instance is".to_owned(),
                many => format!("{many} instances are"),
            }
        );
        Err(ErrorReply::failed(text)
            .details(failed)
            .hint("mend that, and `rbgpctl reload` tries again"))
    }

    /// What is in the configuration file.
    fn text(&self) -> Result<(PathBuf, String), ErrorReply> {
        let Some(file) = &self.config_file else {
            return Err(ErrorReply::failed("this router was started without a file")
                .hint("give the new configuration to the program that started it"));
        };
        let name = file.display().to_string();
        let unreadable = |why: String| {
            ErrorReply::new(ErrorKind::BadConfig, format!("cannot read `{name}`: {why}")).hint(
                format!("the running configuration stays; rbgpctl check {name}"),
            )
        };
        let octets = plain_file::read(file).map_err(|error| unreadable(error.to_string()))?;
        if frr::is_frr(file) {
            // It may have octets that are no text, and other files beside it.
            return Ok((file.clone(), String::new()));
        }
        let text = config::text(octets, &name).map_err(|error| refused(&name, &[*error]))?;
        Ok((file.clone(), text))
    }

    /// What a file in FRR's language leaves to the host.
    fn host(&self) -> frr::Host {
        let mut host = frr::Host::now();
        host.adopted.clone_from(&self.adopted);
        match &self.in_effect.frr {
            Some(sources) if !frr::names_router_id(sources) => {
                host.running_as(self.in_effect.config.router_id)
            }
            // One that was written down goes with its line.
            Some(_) | None => host,
        }
    }

    /// What a file says, and what was read where it is in FRR's language.
    fn understand(
        &self,
        text: &str,
        name: &str,
    ) -> Result<(Config, Option<Vec<frr::Source>>), ErrorReply> {
        let path = Path::new(name);
        let mut frr = None;
        let read = match frr::is_frr(path) {
            false => config::parse_here(text, name, transport::ao_works),
            true => {
                let sources = frr::sources(path).map_err(|error| {
                    let error = format!("cannot read `{name}`: {error}");
                    ErrorReply::new(ErrorKind::BadConfig, error)
                })?;
                let (_, read) = frr::parse(&sources, &self.host(), transport::ao_works);
                frr = Some(sources);
                read
            }
        };
        let read = read.map(|(config, _)| (config, frr));
        read.map_err(|errors| refused(name, &errors))
    }

    /// Has the cores apply what is new to them, or only say what would change.
    async fn tell(
        &mut self,
        Split { new, waiting }: &Split,
        dry_run: bool,
    ) -> Result<reply::Reload, ErrorReply> {
        let mut whole = together::nothing(dry_run);
        let running = std::iter::once(&mut self.default).chain(&mut self.others);
        for instance in running {
            let Some(config) = new.iter().find(|it| it.name == instance.config.name) else {
                together::add_line(&mut whole, instance.name(), "removed");
                continue;
            };
            let (done, told) = oneshot::channel();
            let order = core::Order::Reload(Box::new(config.clone()), dry_run, done);
            let stopping = || ErrorReply::failed("the daemon is stopping");
            instance.orders.send(order).await.map_err(|_| stopping())?;
            let reload = told.await.map_err(|_| stopping())?;
            if !dry_run {
                instance.config = config.clone();
            }
            together::add(&mut whole, instance.config.name.as_deref(), reload);
        }
        for config in new {
            let name = config.name.as_deref().unwrap_or("default");
            if self.find(config).is_none() {
                together::add_line(&mut whole, name, "added");
            }
            whole
                .restart_required
                .extend(self.taken_from_others(config));
        }
        for config in waiting {
            let name = config.name.as_deref().unwrap_or_default();
            if !self.waiting.iter().any(|it| it.name() == name) {
                together::add_line(&mut whole, name, "waits for its VRF device");
            }
        }
        whole.changed |= !whole.changes.is_empty();
        Ok(whole)
    }

    /// What one reload cannot hand from one instance to another: the kernel's thread would see the
    /// new owner's wish and the old one's end in any order.
    fn taken_from_others(&self, new: &Config) -> Vec<String> {
        let name = new.name.as_deref().unwrap_or("default");
        let mut taken = Vec::new();
        for other in self.all().filter(|it| it.config.name != new.name) {
            let vnis: BTreeSet<_> = other.config.vnis.iter().map(|vni| vni.id).collect();
            let vnis = new.vnis.iter().filter(|vni| vnis.contains(&vni.id));
            taken.extend(vnis.map(|vni| {
                format!(
                    "vni {} goes from instance {} to {name}",
                    vni.id,
                    other.name()
                )
            }));
            let own = self.find(new).map_or(&[][..], |it| &it.config.listen);
            let opened = new.listen.iter().filter(|it| !own.contains(it));
            taken.extend(
                opened
                    .filter(|it| other.config.occupies(**it, new))
                    .map(|it| {
                        format!("listen {it} goes from instance {} to {name}", other.name())
                    }),
            );
            if let Some((table, metric)) = new.clash(&other.config) {
                taken.push(format!(
                    "instance {name}: distance {metric} in table {table} was that of instance {}",
                    other.name()
                ));
            }
        }
        taken
    }

    fn find(&self, config: &Config) -> Option<&Running> {
        self.all().find(|it| it.config.name == config.name)
    }

    /// Opens the sockets of instances that do not run yet.
    fn prepare(&mut self, new: &[Config]) -> Result<Vec<Prepared>, StartError> {
        self.leaving.retain(|it| !it.is_over());
        let mut numbers: BTreeSet<u8> = self.all().map(|it| it.number).collect();
        numbers.extend(self.leaving.iter().map(|it| it.number));
        let mut added = Vec::new();
        for config in new.iter().filter(|config| self.find(config).is_none()) {
            let number = (1..=u8::MAX).find(|number| numbers.insert(*number));
            let number = number.ok_or(StartError::Instances)?;
            let host = new.first().unwrap_or(config);
            added.push(prepared(&self.shared, host, config.clone(), number)?.anew());
        }
        Ok(added)
    }

    /// Opens what those that run listen on in addition, in their order. With one address that is taken, none
    /// is opened.
    fn open(&self, new: &[Config]) -> Result<Vec<Vec<Open>>, StartError> {
        let sockets = self.all().map(|instance| {
            let of = new.iter().find(|it| it.name == instance.config.name);
            match (of, new.first()) {
                (Some(config), Some(host)) => instance.open_beside(&self.shared, host, config),
                (_, _) => Ok(Vec::new()),
            }
        });
        sockets.collect()
    }

    /// Has those that run accept connections on what was opened for them, and where they did only as far
    /// as they are to.
    async fn listen(&mut self, new: &[Config], opened: Vec<Vec<Open>>) {
        let running = std::iter::once(&mut self.default).chain(&mut self.others);
        for (instance, opened) in running.zip(opened) {
            if let Some(config) = new.iter().find(|it| it.name == instance.config.name) {
                instance.listen(config, opened).await;
            }
        }
    }

    /// Starts what was prepared. Returns why others do not run: the system refused a thread, or a
    /// file in the state directory.
    fn launch(&mut self, added: Vec<Prepared>) -> Vec<String> {
        let mut failed = Vec::new();
        for instance in added {
            let name = instance.config.name.clone().unwrap_or_default();
            let kernel = self.kernel.as_ref().map(|kernel| join(kernel, &instance));
            let settings = watch::Sender::new(instance.config.service_settings());
            match instance.launch(&self.shared, kernel, settings) {
                Ok(running) => {
                    tracing::info!(instance = %name, "instance added");
                    self.others.push(running);
                }
                Err(error) => {
                    let error = in_words(&error.of(Some(&name)));
                    tracing::error!("{error}");
                    failed.push(error);
                }
            }
        }
        failed
    }

    /// Ends instances that are in the configuration no more.
    async fn remove(&mut self, new: &[Config]) {
        let stays = |it: &Running| new.iter().any(|config| config.name == it.config.name);
        let (stay, go) = std::mem::take(&mut self.others)
            .into_iter()
            .partition(stays);
        self.others = stay;
        for instance in go {
            self.leaving.extend(instance.leave().await);
        }
    }

    fn sort(&mut self, new: &[Config]) {
        let place = |it: &Running| new.iter().position(|config| config.name == it.config.name);
        self.others.sort_by_key(place);
    }

    /// Applies a configuration that the program around the router has made.
    async fn apply(&mut self, config: Config) {
        let whole = config.clone();
        let Split { new, waiting } = match split(config) {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(%error, "the running configuration stays");
                return;
            }
        };
        let added = match self.prepare(&new) {
            Ok(added) => added,
            Err(error) => {
                tracing::error!(%error, "the running configuration stays");
                return;
            }
        };
        let opened = match self.open(&new) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, "the running configuration stays");
                return;
            }
        };
        self.listen(&new, opened).await;
        self.debugging.configure(&self.in_effect.config, &whole);
        self.in_effect = InEffect {
            config: whole,
            frr: None,
        };
        self.remove(&new).await;
        self.waiting = waiting.into_iter().map(Waiting::new).collect();
        let running = std::iter::once(&mut self.default).chain(&mut self.others);
        for instance in running {
            let Some(config) = new.iter().find(|it| it.name == instance.config.name) else {
                continue;
            };
            instance.config = config.clone();
            let (done, applied) = oneshot::channel();
            let order = core::Order::Apply(Box::new(config.clone()), done);
            if instance.orders.send(order).await.is_ok() {
                // An end without a word means that the router is stopping.
                drop(applied.await);
            }
        }
        // What does not start is in the log.
        self.launch(added);
        self.sort(&new);
    }

    async fn drain_before_stop(&self) {
        for instance in self.all() {
            let (done, ordered) = oneshot::channel();
            let order = core::Order::DrainBeforeStop(done);
            if instance.orders.send(order).await.is_ok() {
                drop(ordered.await);
            }
        }
    }

    /// See [`fib::KernelHandle::hand_over`].
    async fn hand_over(&self) {
        let Some(kernel) = self.kernel.clone() else {
            return;
        };
        match tokio::task::spawn_blocking(move || kernel.hand_over()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "routes stay as they are"),
            Err(_) => tracing::error!("the hand-over of routes was cut short"),
        }
    }

    pub(crate) async fn stop(self) {
        let mut ending = Vec::new();
        for instance in std::iter::once(self.default).chain(self.others) {
            ending.push(instance.stop(core::Order::Stop).await);
        }
        let until = tokio::time::Instant::now() + STOP_TIME;
        let mut threads = Vec::new();
        for (stopped, thread) in ending {
            if tokio::time::timeout_at(until, stopped).await.is_err() {
                tracing::warn!("sessions did not end in time");
            }
            threads.push(thread);
        }
        let (kernel, shared) = (self.kernel, self.shared);
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("the core ended by panic");
                }
            }
            // The core held the other reference.
            match kernel.map(Arc::try_unwrap) {
                Some(Ok(kernel)) => kernel.stop(false),
                Some(Err(_)) => tracing::warn!("the kernel is still in use, its entries stay"),
                None => {}
            }
            // Only now: the next one must not find its own entries taken away.
            drop(shared);
        });
        if ended.await.is_err() {
            tracing::error!("the end of the router was cut short");
        }
    }
}

/// Opens the sockets of an instance; what goes wrong names it.
pub(crate) fn prepared(
    shared: &Shared,
    host: &Config,
    config: Config,
    number: u8,
) -> Result<Prepared, StartError> {
    let name = config.name.clone();
    Prepared::new(shared, host, config, number).map_err(|error| error.of(name.as_deref()))
}

/// A configuration for each instance.
pub(crate) struct Split {
    /// The default one first, with the tables of VRFs.
    pub(crate) new: Vec<Config>,
    /// Those whose VRF device is not there.
    pub(crate) waiting: Vec<Config>,
}

/// Takes a configuration apart.
pub(crate) fn split(mut config: Config) -> Result<Split, StartError> {
    let instances = std::mem::take(&mut config.instances);
    let (mut new, mut waiting) = (vec![config], Vec::new());
    for mut instance in instances {
        let name = instance.name.clone();
        if !find_table(&mut instance).map_err(|error| error.of(name.as_deref()))? {
            waiting.push(instance);
            continue;
        }
        no_clash(&instance, &new)?;
        new.push(instance);
    }
    Ok(Split { new, waiting })
}

/// No two write the same metric to the same table.
fn no_clash<'c>(
    instance: &Config,
    others: impl IntoIterator<Item = &'c Config>,
) -> Result<(), StartError> {
    for other in others {
        if let Some((table, metric)) = instance.clash(other) {
            let name = |config: &Config| config.name.clone().unwrap_or("default".to_owned());
            return Err(StartError::Metric {
                one: name(instance),
                two: name(other),
                table,
                metric,
            });
        }
    }
    Ok(())
}

/// A file with errors changes nothing.
fn refused(name: &str, errors: &[config::ConfigError]) -> ErrorReply {
    let count = counted(errors.len(), "error", "errors");
    let error = format!("{count} in `{name}`; the running configuration stays");
    ErrorReply::new(ErrorKind::BadConfig, error)
        .details(errors.iter().map(ToString::to_string))
        .hint(format!("rbgpctl check {name}"))
}

fn cannot_start(error: &StartError) -> ErrorReply {
    ErrorReply::new(ErrorKind::BadConfig, in_words(error))
        .hint("the running configuration stays as it is")
}

/// With all causes.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
