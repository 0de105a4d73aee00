//! The owner of the tables.
//!
//! One loop on one thread takes inputs from neighbours' tasks, the kernel thread, operators and
//! the clock, hands them to the pure tables ([`bgp::rib::Rib`], [`evpn::Instance`]) and passes on
//! what comes out: batches to neighbours, entries to the kernel, answers to operators. Nothing
//! here waits for anybody: neighbours' batches are bounded by their window, the kernel's entries
//! by one per key, and whatever takes long (comparing with the kernel) is answered elsewhere.
//!
//! Inputs at hand are taken together before the tables are asked what follows, so that messages
//! are packed under load and leave at once without it.
//!
//! The parts beside this page: `inputs` (what is read, and in what order), `neighbor` (one neighbour's settings and facts), `apply`
//! (configuration and its changes), `bfd` (BFD sessions), `limit` (how many prefixes a neighbour may send), `dynamic`
//! (neighbours from a range), `handover` (routes of other tables), `imports` (those of other
//! instances), `signing` (keys on the listening sockets), `kernel` (what the kernel says and should have), `refusals` (what of it is
//! logged), `statics` (static routes), `stations` (who is here), `svi` (this host's own addresses), `concerns` (what two claim),
//! `lost_tunnels` (ways to other sites that are gone), `drain`, `rpki` (origin validation), `answer` (requests).

mod answer;
mod apply;
mod bfd;
mod concerns;
mod drain;
mod duplicates;
mod dynamic;
mod handover;
mod host;
mod imports;
mod inputs;
mod installed;
mod kernel;
mod leftovers;
mod limit;
mod link_loss;
mod lost_tunnels;
mod max_med;
mod named;
mod neighbor;
#[cfg(test)]
mod order;
mod own_routes;
mod pace;
mod refusals;
mod rpki;
mod sequences;
mod signing;
mod statics;
mod stations;
mod svi;
mod telling;
mod unnumbered;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::evpn_route::MacAddress;
use bgp::family::PerFamily;
use bgp::message::{RefreshKind, Update};
use bgp::nlri::NlriList;
use bgp::rib::{self, Best, PeerId, Rib};
use bgp::session::StopReason;
use bgp::{Family, Nlri, ScopedAddr, Vni};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot, watch};

use crate::bfd_share::BfdShare;
use crate::config::{Config, ServiceSettings, VniConfig};
use crate::control::{Answer, Reply, Timestamp, reply};
use crate::debug;
use crate::exchange::Hub;
use crate::install::Install;
use crate::memory::{self, Freed, Tidy};
use crate::own_routes::Own;
use crate::peer_io::{Command, Event};
use crate::reachability::Reachability;
use crate::repeats::Repeats;
use crate::rpki_io::{CacheId, Report};
use crate::state::{DrainState, StateDir};
use crate::statics::Statics;
use crate::tasks::{Listening, Spawner};
use crate::wireguard_io::WireguardHandle;
pub(crate) use answer::NetworkFacts;
pub(crate) use apply::claim;
use inputs::Wake;
pub(crate) use inputs::{EVENTS_MAX, Inputs, KERNEL_EVENTS_MAX};
use installed::Installed;
use leftovers::Leftovers;
use neighbor::{Neighbor, SessionFacts};
use pace::Pace;

/// Inputs taken before the tables are asked what follows.
const INPUTS_MAX: usize = 64;

/// Outputs of the tables worked off before inputs are looked at again: a millisecond or two where
/// each is a route for the kernel.
const OUTPUTS_MAX: usize = 2048;

/// Wishes waiting for the kernel thread above which the tables keep theirs: some ten milliseconds of
/// the kernel's work. A wish in the queue costs a hundred times as much as a mark in the tables.
const WISHES_MAX: usize = 8192;

/// Changes that are handed to the kernel thread together: few enough that it does not run dry
/// meanwhile, enough that neither waits for the other's lock nor is woken for each.
const CHANGES_MAX: usize = 256;

/// When to look again whether the kernel thread has caught up: before it runs dry.
const WISHES_LOOK: Duration = Duration::from_millis(1);

/// What the daemon itself asks of the core.
#[derive(Debug)]
pub(crate) enum Order {
    /// End all sessions with a Cease and come to an end; the kernel is handed back.
    Stop(oneshot::Sender<()>),
    /// The same of an instance that is in the configuration no more, while others go on: its routes,
    /// overlays and devices go as well.
    Leave(oneshot::Sender<()>),
    /// A comparison with the kernel is done.
    Verified(Vec<fib::Difference>),
    /// Take traffic back from a neighbour, or at all, now that the kernel was compared; by force
    /// whatever is missing.
    Undrain(
        Option<ScopedAddr>,
        bool,
        Vec<fib::Difference>,
        oneshot::Sender<Answer>,
    ),
    /// Move traffic away for the rest of this run.
    DrainBeforeStop(oneshot::Sender<()>),
    /// Somebody has connected who is no neighbour yet but may become one.
    Come(ScopedAddr, TcpStream),
    /// A router was heard on this interface.
    Heard(String, Ipv6Addr),
    /// A cache of the RPKI has something to say.
    Rpki(CacheId, Box<Report>),
    /// Apply a new configuration.
    Apply(Box<Config>, oneshot::Sender<()>),
    /// Apply a new configuration, or only say what that would change.
    Reload(Box<Config>, bool, oneshot::Sender<reply::Reload>),
    /// Connections are accepted on these sockets from now on.
    Listen(Listening),
    /// Say what is known of an overlay network that is to be made or taken away.
    LookAt(Box<VniConfig>, oneshot::Sender<NetworkFacts>),
}

/// Where things are and what was found at the start.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) state: Option<StateDir>,
    /// The last run broke off and the kernel still forwards for it.
    pub(crate) restarting: bool,
    /// What the program around us follows when the configuration changes.
    pub(crate) settings: watch::Sender<ServiceSettings>,
}

/// Handles of what runs beside the core.
pub(crate) struct Hands {
    pub(crate) kernel: Option<Arc<fib::KernelHandle>>,
    pub(crate) bfd: BfdShare,
    pub(crate) wireguard: Option<WireguardHandle>,
    /// Interfaces with a neighbour that has to be found, once there is one.
    pub(crate) advertisements: Option<watch::Sender<Vec<crate::advertisements::Link>>>,
    pub(crate) spawner: Spawner,
    /// To other instances.
    pub(crate) exchange: Arc<Hub>,
    /// Told when VXLAN devices that others make may have come or gone.
    pub(crate) vxlans: Arc<Notify>,
}

/// The owner of the tables.
pub(crate) struct Core {
    config: Config,
    /// Where overlay networks stand in it: there may be thousands.
    vni_places: HashMap<Vni, usize>,
    place: Place,
    hands: Hands,
    inputs: Option<Inputs>,
    rib: Rib,
    evpn: evpn::Instance,
    install: Install,
    rpki: rpki::Caches,
    max_med: max_med::MaxMed,
    reachability: Reachability,
    own: Own,
    statics: Statics,
    handover: handover::Handover,
    neighbors: BTreeMap<PeerId, Neighbor>,
    by_address: HashMap<ScopedAddr, PeerId>,
    refused: dynamic::Refused,
    /// What stands on the listening sockets.
    signed: signing::Keys,
    /// Numbers of neighbours on interfaces that were not heard yet, but are waited for.
    reserved: HashMap<String, PeerId>,
    /// Routers that were heard on interfaces whose neighbour's session was up.
    heard_beside: HashMap<String, Ipv6Addr>,
    drain: DrainState,
    seed: u64,
    started: Instant,
    /// Families whose routes are complete after the start.
    converged: PerFamily<bool>,
    /// Until when routes are held back after a restart; the time of day as it was at the start.
    held_until: Option<Timestamp>,
    /// The kernel's first dump was read.
    kernel_ready: bool,
    /// The MTU that fits into the underlay, as overlays were last wished for with.
    overlay_mtu: Option<u32>,
    /// Overlay networks whose VRF is not there.
    without_vrf: BTreeSet<Vni>,
    /// Devices of the overlay networks as they are, also of one that is about to go.
    devices: HashMap<Vni, OverlayDevices>,
    leftovers: Leftovers,
    /// Sequence numbers of stations here, on the disk.
    kept: sequences::Kept,
    /// Families that became complete; leftovers go once all that came with them is wanted.
    completed: Vec<Family>,
    /// Where MAC addresses of this host were learned, for `explain`.
    learned: HashMap<(Vni, MacAddress), Learned>,
    /// Stations of this site.
    local: stations::Local,
    installed: Installed,
    /// Changes on their way to the kernel thread, which are handed over together.
    changes: Vec<fib::Change>,
    /// Overlays that go and come, all of a reload behind each other: a bridge that one has left and the
    /// next one takes stays, with its ports and what it has learned.
    overlay_changes: Vec<fib::Change>,
    failed: HashMap<fib::Key, String>,
    /// Those of `failed` that have an entry of somebody else's in their place.
    occupied: HashSet<fib::Key>,
    refusals: refusals::Refusals,
    /// What two machines or routers claim that only one can have.
    concerns: concerns::Concerns,
    /// Ways to other sites, as far as they were spoken of.
    tunnels: lost_tunnels::Tunnels,
    /// Addresses of this host in overlay networks, as EVPN was told.
    svi: svi::Svi,
    carrier: link_loss::Carrier,
    /// Addresses that two hosts have, as far as no line was written about them.
    duplicates: duplicates::News,
    repaired: u64,
    verify: VerifyRecord,
    /// Next hops may lead elsewhere: look at all routes again.
    ground_changed: bool,
    freed: Freed,
    /// The kernel thread has enough to do.
    kernel_full: bool,
    pace: Pace,
    /// When to try to end a drain whose time is over, and what was said of it.
    return_at: Option<Instant>,
    overdue: Repeats,
    stopping: Option<oneshot::Sender<()>>,
    /// Others go on without us: nothing of ours stays behind.
    leaving: bool,
}

/// The devices of an overlay network.
#[derive(Debug)]
struct OverlayDevices {
    bridge: fib::Device,
    vxlan: fib::Device,
    /// Where its entries are on a VXLAN device that it shares.
    segment: Option<fib::Segment>,
}

impl OverlayDevices {
    /// Those that no other overlay network has.
    fn own(&self) -> impl Iterator<Item = &fib::Device> {
        let vxlan = self.segment.is_none().then_some(&self.vxlan);
        vxlan.into_iter().chain([&self.bridge])
    }
}

/// Where and when the kernel learned a MAC address.
#[derive(Debug, Clone, Copy)]
struct Learned {
    /// Number of the bridge port.
    port: u32,
    /// A static entry.
    sticky: bool,
    since: Instant,
}

/// Result of the last comparison with the kernel.
#[derive(Debug, Default)]
struct VerifyRecord {
    runs: u64,
    differences: u64,
}

impl Core {
    pub(crate) fn new(
        config: Config,
        place: Place,
        hands: Hands,
        inputs: Inputs,
        seed: u64,
        drain: DrainState,
    ) -> Self {
        let kernel = hands.kernel.is_some();
        let share = hands.kernel.as_ref().map(|kernel| kernel.share());
        let rib = Rib::new(rib::Config {
            identity: apply::identity(&config),
            default_local_pref: config.default_local_preference,
            multipath: apply::multipath(&config),
            rules: config.bestpath,
            seed,
            track: PerFamily {
                ipv4_unicast: kernel,
                ipv6_unicast: kernel,
                evpn: apply::uses_evpn(&config),
            },
        });
        let identity = evpn::Config {
            local_as: config.asn,
            router_id: config.router_id,
            vtep: config.evpn.map(|evpn| evpn.vtep),
        };
        let evpn = evpn::Instance::seeded(identity, seed);
        let table = config.kernel.table;
        let mut install = Install::new(table, share.unwrap_or_default());
        install.ground.in_vrf = config.vrf.is_some();
        install.set(apply::forwarding(&config));
        // Instances come up one by one; the first has the devices of all.
        let tenants = config.name.is_none().then(|| hands.exchange.at_start());
        let leftovers = Leftovers::awaiting(tenants.cloned().unwrap_or_default());
        Self {
            vni_places: apply::vni_places(&config),
            install,
            rpki: rpki::Caches::default(),
            max_med: max_med::MaxMed::default(),
            reachability: Reachability::default(),
            own: Own::default(),
            statics: Statics::default(),
            handover: handover::Handover::default(),
            config,
            place,
            hands,
            inputs: Some(inputs),
            rib,
            evpn,
            neighbors: BTreeMap::new(),
            by_address: HashMap::new(),
            refused: dynamic::Refused::new(),
            signed: signing::Keys::new(),
            reserved: HashMap::new(),
            heard_beside: HashMap::new(),
            drain,
            seed,
            started: Instant::now(),
            converged: PerFamily::default(),
            held_until: None,
            kernel_ready: false,
            overlay_mtu: None,
            without_vrf: BTreeSet::new(),
            devices: HashMap::new(),
            leftovers,
            kept: sequences::Kept::default(),
            completed: Vec::new(),
            learned: HashMap::new(),
            local: stations::Local::new(),
            installed: Installed::new(table),
            changes: Vec::new(),
            overlay_changes: Vec::new(),
            failed: HashMap::new(),
            occupied: HashSet::new(),
            refusals: refusals::Refusals::default(),
            concerns: concerns::Concerns::default(),
            tunnels: lost_tunnels::Tunnels::default(),
            svi: svi::Svi::default(),
            carrier: link_loss::Carrier::default(),
            duplicates: duplicates::News::default(),
            repaired: 0,
            verify: VerifyRecord::default(),
            ground_changed: false,
            freed: Freed::default(),
            kernel_full: false,
            pace: Pace::default(),
            return_at: None,
            overdue: Repeats::new(drain::OVERDUE_PAUSE),
            stopping: None,
            leaving: false,
        }
    }

    /// Runs until everything has come to an end.
    pub(crate) async fn run(mut self) {
        let Some(mut inputs) = self.inputs.take() else {
            return;
        };
        self.begin();
        let mut paths = self.statics.paths().news();
        let mut more = true;
        let mut wait = None;
        while !self.finished() {
            let deadline = self.deadline().into_iter().chain(wait).min();
            let wake = inputs.next(&mut paths, deadline, more).await;
            if matches!(wake, Wake::End) {
                break;
            }
            self.take(wake);
            if more {
                self.pace.behind();
            }
            let full = self.take_ready(&mut inputs);
            wait = self.pace.until(full, self.rib.take_news(), Instant::now());
            if more || wait.is_none() {
                more = self.work();
            }
            if !more && wait.is_none() {
                self.pace.told(Instant::now());
            }
        }
        if self.leaving {
            while self.work() {}
        }
        self.end();
    }

    /// Takes inputs that are already there; true if it was enough before they were at an end.
    fn take_ready(&mut self, inputs: &mut Inputs) -> bool {
        for _ in 0..INPUTS_MAX {
            if self.pace.is_full() {
                break;
            }
            let Some(wake) = inputs.ready() else {
                return false;
            };
            self.take(wake);
        }
        true
    }

    fn finished(&self) -> bool {
        self.stopping.is_some() && self.neighbors.values().all(Neighbor::is_down)
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Event(peer, event) => self.peer_event(peer, event),
            Wake::Written(peer, octets) => self.hand_in(rib::Input::Written(peer, octets)),
            Wake::Kernel(event) => self.kernel_event(event),
            Wake::Exchange(mail) => self.receive(mail),
            Wake::Sighted(sightings) => {
                self.pace.urgent();
                self.sighted(sightings);
            }
            Wake::Call((request, answer)) => {
                self.pace.urgent();
                self.answer(request, answer);
            }
            Wake::Order(order) => self.order(order),
            Wake::Path => {
                self.pace.urgent();
                self.ground_changed = true;
            }
            Wake::Deadline => self.timeout(),
            Wake::More | Wake::End => {}
        }
    }

    fn order(&mut self, order: Order) {
        self.pace.urgent();
        match order {
            Order::Stop(done) => {
                let text = "the service stops".to_owned();
                self.stop(done, &StopReason::AdministrativeShutdown { text });
            }
            Order::Leave(done) => self.leave_service(done),
            Order::Reload(config, dry_run, answer) => {
                let reload = self.reload(*config, dry_run);
                drop(answer.send(reload));
            }
            Order::Listen(sockets) => self.listen_on(sockets),
            Order::LookAt(network, answer) => {
                drop(answer.send(self.network_facts(&network)));
            }
            Order::Verified(differences) => {
                self.verify.runs += 1;
                self.verify.differences = u64::try_from(differences.len()).unwrap_or(u64::MAX);
                let fine = differences.iter().all(|it| self.bears_return(it));
                self.verified_for_return(fine);
            }
            Order::Undrain(neighbor, force, differences, answer) => {
                let result = self.undrain_order(neighbor, force, &differences);
                drop(answer.send(result.map(Reply::Drain)));
            }
            Order::DrainBeforeStop(done) => {
                self.drain_before_stop();
                let _ = done.send(());
            }
            Order::Come(address, stream) => self.come(address, stream),
            Order::Heard(interface, from) => self.heard(&interface, from),
            Order::Rpki(id, report) => self.rpki_report(id, *report),
            Order::Apply(config, done) => {
                self.apply(*config);
                // Nobody waiting any more is no error.
                let _ = done.send(());
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.rib
            .deadline()
            .into_iter()
            .chain(self.drain_deadline())
            .chain(self.freed.deadline())
            .chain(self.refusals.deadline())
            .chain(self.evpn.deadline())
            .chain(self.local.deadline())
            .chain(self.duplicates.deadline())
            .chain(self.concerns.deadline())
            .chain(self.tunnels.deadline())
            .chain(self.kept.deadline())
            .chain(self.handover.deadline())
            .chain(self.paths_deadline())
            .chain(self.rpki.deadline())
            .chain(self.max_med_deadline())
            .chain(self.kernel_full.then(|| Instant::now() + WISHES_LOOK))
            .min()
    }

    fn timeout(&mut self) {
        let now = Instant::now();
        if self.rib.deadline().is_some_and(|deadline| deadline <= now) {
            self.hand_in(rib::Input::Timeout);
        }
        self.drain_timeout(now);
        self.log_refusals(now);
        self.duplicates_timeout(now);
        self.concerns_timeout(now);
        self.tunnels_timeout(now);
        self.sequences_timeout(now);
        self.stations_timeout(now);
        self.rpki_timeout(now);
        self.max_med_timeout(now);
        self.handover_timeout(now);
        self.paths_timeout(now);
        if let Some(tidy) = self.freed.take_due(now) {
            match tidy {
                Tidy::Tables => self.rib.sweep(),
                Tidy::Messages => self.rib.shrink(),
            }
            memory::give_back();
        }
    }

    fn hand_in(&mut self, input: rib::Input) {
        self.rib.handle(Instant::now(), input);
    }

    /// Passes on what the tables say; true if they have more.
    fn work(&mut self) -> bool {
        let kernel = self.hands.kernel.as_ref();
        // One that leaves says all that is left: nobody comes back for what is held here.
        self.kernel_full =
            !self.leaving && kernel.is_some_and(|kernel| kernel.backlog() >= WISHES_MAX);
        if self.kernel_full {
            // A burst leaves something behind in the allocator as well.
            self.freed.add(Instant::now(), WISHES_MAX, 0);
        }
        self.rib.hold_best(self.kernel_full);
        for _ in 0..OUTPUTS_MAX {
            if let Some(output) = self.rib.poll() {
                self.rib_output(output);
            } else if let Some(output) = self.evpn.poll() {
                self.evpn_output(output);
            } else if std::mem::take(&mut self.ground_changed) {
                self.reinstall();
            } else if self.settle_svi() || self.settle_stations() {
                // EVPN may have something to say now.
            } else if let Some(family) = self.completed.pop() {
                // Leftovers go last: all of the above may want some of them.
                self.family_converged(family);
            } else if self.sweep_devices() {
                // Nothing is left that may want some of them.
            } else {
                self.hand_over_changes();
                self.flush_handover();
                self.complete_importers();
                return false;
            }
        }
        self.hand_over_changes();
        self.flush_handover();
        true
    }

    fn rib_output(&mut self, output: rib::Output) {
        match output {
            rib::Output::Send(peer, batch) => {
                let octets = batch.len();
                if self.handover.has(peer) {
                    self.hand_over(peer, &batch);
                    self.hand_in(rib::Input::Written(peer, octets));
                    return;
                }
                let sent = self.neighbors.get(&peer).is_some_and(|it| it.send(batch));
                if !sent {
                    // The session is ending; its window no longer matters.
                    self.hand_in(rib::Input::Written(peer, octets));
                }
            }
            rib::Output::Best(best) => self.best(&best),
            rib::Output::Touched(nlri) => self.touched(&nlri),
            rib::Output::Converged(family) => self.completed.push(family),
            rib::Output::LimitOut {
                peer,
                family,
                reached,
            } => self.limit_out(peer, family, reached),
        }
    }

    fn best(&mut self, best: &Best) {
        tracing::debug!(
            target: debug::BGP_BESTPATH,
            prefix = %best.nlri,
            decision = %self.decision(&best.nlri),
            "best path"
        );
        if let Nlri::Evpn(key) = &best.nlri {
            let remote = best.paths.first().filter(|path| path.peer != PeerId::LOCAL);
            self.tell_evpn(evpn::Input::Route {
                key: key.clone(),
                attributes: remote.map(|path| path.attributes.clone()),
            });
            return;
        }
        // Those that a neighbour named were looked at before its routes; policy may choose others.
        self.check_next_hops(best.paths.iter().filter_map(|path| {
            let learned = path.peer != PeerId::LOCAL;
            learned.then_some((path.peer, &path.attributes))
        }));
        self.install_best(best);
        let prefix = best.nlri.prefix();
        if prefix.is_some_and(|prefix| self.tunnels.depends_on(prefix)) {
            self.tunnels.look(Instant::now());
        }
        self.ground_changed |= prefix.is_some_and(|prefix| {
            self.reachability.depends_on(prefix) || self.statics.depends_on(prefix)
        });
        self.ground_changed |= self.install.decides(&best.nlri, &self.rib);
    }

    fn peer_event(&mut self, peer: PeerId, event: Event) {
        if !matches!(event, Event::Updates(_)) {
            self.pace.urgent();
        }
        match event {
            Event::Up {
                negotiated,
                local,
                ports,
                batches,
            } => {
                let restarting = negotiated.graceful.as_ref().is_some_and(|it| it.restarting);
                let device = self.device_of(peer);
                // Ahead of what this one is told.
                self.begin_max_med();
                let Some(neighbor) = self.neighbors.get_mut(&peer) else {
                    return;
                };
                neighbor.up(SessionFacts {
                    negotiated: Arc::clone(&negotiated),
                    local,
                    ports,
                    batches,
                    device,
                });
                tracing::info!(
                    neighbor = %neighbor.address(),
                    remote_as = %negotiated.remote_as,
                    %local,
                    "session Established"
                );
                tracing::debug!(
                    target: debug::BGP_GRACEFUL_RESTART,
                    neighbor = %neighbor.address(),
                    graceful = ?negotiated.graceful,
                    "what the neighbor says of its restart"
                );
                if let Some(facts) = self.facts(peer) {
                    self.hand_in(rib::Input::PeerUp {
                        peer,
                        facts,
                        restarting,
                    });
                    self.tell_groups(peer);
                }
            }
            Event::Updates(updates) => {
                if self.neighbors.get(&peer).is_none_or(|it| it.limits.ending) {
                    return;
                }
                let routes: usize = updates.iter().map(Update::len).sum();
                let withdrawn = updates.iter().flat_map(|update| &update.withdrawn);
                let withdrawn: usize = withdrawn.map(NlriList::len).sum();
                let now = Instant::now();
                self.freed.add(now, routes - withdrawn, withdrawn);
                self.pace.routes(routes);
                if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                    updates.iter().for_each(|update| neighbor.note(update));
                }
                let announced = updates.iter().flat_map(|update| &update.announced);
                let routed = announced.filter(|(list, _)| list.family() != Family::Evpn);
                self.check_next_hops(routed.map(|(_, set)| (peer, set)));
                self.hand_in(rib::Input::Updates(peer, updates));
                self.check_limits(peer);
            }
            Event::Refresh(family, kind) => self.refresh(peer, family, kind),
            Event::Down { reason, retain } => {
                self.hand_over_changes();
                let Some(neighbor) = self.neighbors.get_mut(&peer) else {
                    return;
                };
                neighbor.down();
                let heard_on = neighbor.interface().map(str::to_owned);
                let retain = retain.map(|retain| retain.families).unwrap_or_default();
                tracing::debug!(
                    target: debug::BGP_GRACEFUL_RESTART,
                    neighbor = %neighbor.address(),
                    ?retain,
                    "families whose routes stay over the end of the session"
                );
                if let Some(kernel) = &self.hands.kernel
                    && !retain.iter().any(|(_, keep)| *keep)
                {
                    // Ahead of the tables, which take their time with many routes.
                    kernel.lose(self.install.fate(peer));
                }
                tracing::warn!(
                    neighbor = %neighbor.address(),
                    %reason,
                    routes_kept = retain.iter().any(|(_, keep)| *keep),
                    "session down"
                );
                let counts = self.rib.counts(peer);
                let lost = counts.iter().map(|(_, counts)| counts.received).sum();
                self.freed.add(Instant::now(), 0, lost);
                self.hand_in(rib::Input::PeerDown { peer, retain });
                if let Some(interface) = heard_on {
                    self.hear_next(&interface);
                }
            }
            Event::FamilyDisabled(family, error) => {
                if let Some(neighbor) = self.neighbors.get(&peer) {
                    tracing::error!(
                        neighbor = %neighbor.address(),
                        %family,
                        %error,
                        "family disabled until the session is made anew (RFC 7606 §2)"
                    );
                }
                self.hand_in(rib::Input::Disable(peer, family));
            }
            Event::Unconnected => self.leave(peer),
            Event::LongLived(families, reason) => {
                if let Some(neighbor) = self.neighbors.get(&peer) {
                    tracing::info!(
                        neighbor = %neighbor.address(), %reason,
                        "kept routes are a last resort now (llgr-stale)"
                    );
                }
                self.hand_in(rib::Input::LongLived(peer, families));
            }
            Event::Release(families, reason) => {
                if let Some(neighbor) = self.neighbors.get(&peer) {
                    tracing::info!(neighbor = %neighbor.address(), %reason, "kept routes released");
                }
                self.hand_in(rib::Input::Release(peer, families));
                self.leave(peer);
            }
        }
    }

    fn refresh(&mut self, peer: PeerId, family: Family, kind: RefreshKind) {
        let enhanced = self
            .neighbors
            .get(&peer)
            .is_some_and(Neighbor::enhanced_refresh);
        match kind {
            RefreshKind::Request => {
                self.hand_in(rib::Input::Refresh {
                    peer,
                    family,
                    enhanced,
                });
            }
            RefreshKind::Begin => self.hand_in(rib::Input::RefreshBegin(peer, family)),
            RefreshKind::End => self.hand_in(rib::Input::RefreshEnd(peer, family)),
            // RFC 7313 §5: an unknown subtype is ignored.
            RefreshKind::Unknown(_) => {}
        }
    }

    fn stop(&mut self, done: oneshot::Sender<()>, reason: &StopReason) {
        for neighbor in self.neighbors.values() {
            neighbor.command(Command::Quit(reason.clone()));
        }
        self.stopping = Some(done);
    }

    fn end(mut self) {
        self.hand_over_changes();
        self.end_sequences();
        self.end_handover();
        if let Some(state) = &self.place.state
            && let Err(error) = state.end()
        {
            tracing::warn!(%error, "cannot note the orderly stop");
        }
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }
}
