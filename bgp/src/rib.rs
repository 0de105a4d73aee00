//! The routing tables: Adj-RIB-In, decision and what each peer is told.
//!
//! Flow: [`Input::Updates`] puts a peer's routes into the table of their family (attributes are
//! interned once per message); import policy and the loop checks give each path its standing;
//! the decision puts the best path first. What changed is marked, and [`Rib::poll`] works the
//! marks off: [`Output::Best`] for those who forward, [`Output::Send`] with encoded messages for
//! the peers. Nothing is sent before `poll` is called, so a caller that hands in all inputs at
//! hand and then polls gets packed messages without any timer.
//!
//! Output is state and not a queue: a peer whose window is full ([`WINDOW`]) stops receiving and
//! is later told what is then true, so a slow peer costs a few bits per prefix and never memory
//! per message.
//!
//! Here inputs are handed to the table of their family; what the tables share is in `context`, what
//! their keys are in `keys`, the routes themselves in `family`; how a peer comes, changes and goes in
//! `sessions`, and what another verdict of origin validation means in `validation`.
//!
//! There is one owner and no lock. The table knows nothing of sockets, timers of sessions,
//! kernels, or what an EVPN route means.

mod aggregate;
mod awaited;
mod batch;
mod ceiling;
mod change;
mod context;
mod decision;
mod dependent;
mod dump;
mod export;
mod family;
mod gate;
mod group;
mod handling;
mod import;
mod interner;
mod keys;
mod leak;
mod martian;
mod next_hops;
mod path;
mod peer;
mod sessions;
mod several;
mod slots;
mod table;
#[cfg(test)]
mod tests;
mod validation;
mod view;

use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use aggregate::{Aggregate, Idle, Suppress};
use awaited::Awaited;
pub use batch::Batch;
use context::{Cx, Peer, Peers, View};
use decision::Options;
pub use decision::{DEFAULT_LOCAL_PREF, LOCAL_WEIGHT, Multipath, OWN_MED, Rules, Source, Step};
pub use dependent::AggregateView;
pub use export::Withheld;
pub use family::News;
use family::{FamilyRib, Held, Key};
pub use handling::{Handling, OwnAs, PrivateAs};
pub use import::Rejection;
use interner::Interner;
use keys::TableOf;
pub use leak::Leak;
use next_hops::NextHops;
pub use path::PeerId;
pub use peer::{
    AdvertiseIf, Alias, DefaultOriginate, Drain, NextHopRule, PathsSent, PeerFacts, PeerFamily,
    Presence, Relation,
};
pub use view::{
    Advertisement, Counts, FamilyCounts, Forwarding, Holding, Memory, Page, PathView, RouteView,
    Select,
};

use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes};
use crate::evpn_route::EvpnKey;
use crate::family::{Family, PerFamily};
use crate::message::Update;
use crate::nlri::{Nlri, NlriList, PathId};
use crate::prefix::{Prefix, Prefix4, Prefix6};
use crate::rpki::Validation;
use crate::scoped_addr::ScopedAddr;

/// Octets handed out for a peer and not yet reported as written before it is left behind. Enough
/// to keep a socket busy while the owner of the table works on something else.
pub const WINDOW: usize = 1024 * 1024;

/// Settings of the whole table.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who this router is.
    pub identity: Identity,
    /// Multipath per family.
    pub multipath: PerFamily<Multipath>,
    /// LOCAL_PREF of paths that come without one, as policy and the decision see them and as our AS is
    /// told them; `None` is [`DEFAULT_LOCAL_PREF`].
    pub default_local_pref: Option<u32>,
    /// How paths compare.
    pub rules: Rules,
    /// Makes hashes unpredictable for peers; any random number.
    pub seed: u64,
    /// Families for which [`Output::Best`] is wanted; more can follow ([`Input::Track`]).
    pub track: PerFamily<bool>,
}

/// Who a router is to others, its AS number apart: that is said on each session
/// ([`PeerFacts::local_as`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Own BGP identifier.
    pub router_id: Ipv4Addr,
    /// Name of the cluster whose route reflector this router is (RFC 4456 §7); the own identifier
    /// unless several reflectors serve the same clients.
    pub cluster_id: Ipv4Addr,
    /// Routes of a client are reflected to other clients. Not needed where clients are connected to each
    /// other (RFC 4456 §6).
    pub client_to_client: bool,
    /// The confederation this AS is a member of, if it is (RFC 5065).
    pub confederation: Option<Confederation>,
}

impl Identity {
    /// Of no confederation, with a cluster of its own.
    pub fn new(router_id: Ipv4Addr) -> Self {
        Self {
            router_id,
            cluster_id: router_id,
            client_to_client: true,
            confederation: None,
        }
    }
}

/// A confederation of AS that is one to others (RFC 5065).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confederation {
    /// The AS number that others know it by.
    pub id: Asn,
    /// Our member AS.
    pub member: Asn,
    /// Another member has the number that others know the whole by: in the segments of the confederation it
    /// means that one.
    pub id_is_member: bool,
}

impl Config {
    fn options(&self, family: Family) -> Options {
        Options {
            multipath: *self.multipath.get(family),
            rules: self.rules,
        }
    }
}

/// What happens to the table.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Input {
    /// A session is Established.
    PeerUp {
        /// The peer; never [`PeerId::LOCAL`].
        peer: PeerId,
        /// What was negotiated and configured.
        facts: PeerFacts,
        /// The peer has restarted and waits for others (RFC 4724 §3, R bit).
        restarting: bool,
    },
    /// A session is gone. Routes of the families in `retain` stay, marked stale, until the peer
    /// sends them again, sends End-of-RIB or [`Input::Release`] (RFC 4724 §4.2). Where those that
    /// are still stale from a former restart may not, a `Release` comes before.
    PeerDown {
        /// The peer.
        peer: PeerId,
        /// Families that stay.
        retain: PerFamily<bool>,
    },
    /// Stale routes of a restarting peer are no longer to be believed.
    Release(PeerId, PerFamily<bool>),
    /// Stale routes of a peer that has been away for long: a last resort from now on, marked with
    /// LLGR_STALE, and gone where NO_LLGR asks for that (RFC 9494 §4.2).
    LongLived(PeerId, PerFamily<bool>),
    /// A peer is deconfigured: its routes go and its number may be used again.
    PeerRemoved(PeerId),
    /// UPDATEs in their order, End-of-RIB included.
    Updates(PeerId, Vec<Update>),
    /// A family is of no use for the rest of the session (RFC 7606 §2): its routes go, and
    /// nothing is sent in it any more.
    Disable(PeerId, Family),
    /// The peer asks for a family again (RFC 2918).
    Refresh {
        /// The peer.
        peer: PeerId,
        /// The family asked for.
        family: Family,
        /// Enhanced route refresh was negotiated (RFC 7313).
        enhanced: bool,
    },
    /// The peer repeats a family and has begun (RFC 7313 §4): what it does not repeat is to go.
    RefreshBegin(PeerId, Family),
    /// The peer has repeated everything.
    RefreshEnd(PeerId, Family),
    /// Octets of a peer's batches have been written.
    Written(PeerId, usize),
    /// Policy or drain of an Established peer changed.
    Configure(PeerId, PerFamily<Option<PeerFamily>>),
    /// What is known of an Established peer changed while its session stays: what it sent is judged
    /// again, and it is told what differs.
    Facts(PeerId, PeerFacts),
    /// Own addresses of an Established session changed: they are the next hop of what is told.
    Addresses {
        /// The peer.
        peer: PeerId,
        /// IPv4 next hop.
        ipv4: Option<Ipv4Addr>,
        /// IPv6 next hop.
        ipv6: Option<Ipv6Addr>,
        /// What stands beside that: [`PeerFacts::local_link`].
        link_local: Option<Ipv6Addr>,
    },
    /// Networks that an Established peer shares with this router: [`PeerFacts::shared_networks`].
    SharedNetworks(PeerId, Vec<Prefix>),
    /// Next hops of IP routes that lead somewhere (true) or nowhere, where that is news. Without a
    /// word one leads somewhere.
    NextHops(Vec<(ScopedAddr, bool)>),
    /// Routes are validated by another table of VRPs, or by none. Only those about which it says
    /// something else are judged again, and only where policy asks.
    Validate(Option<Arc<Validation>>),
    /// Multipath settings changed.
    SetMultipath(PerFamily<Multipath>),
    /// How paths compare changed.
    SetRules(Rules),
    /// Who this router is changed: loops are looked for anew, aggregates are made anew, and peers are told
    /// what differs. Sessions end by themselves where they said the former, and routes that this
    /// router originates are the caller's.
    SetIdentity(Identity),
    /// [`Config::default_local_pref`] changed: routes without one of their own are judged again and told
    /// again.
    SetDefaultLocalPref(Option<u32>),
    /// [`Output::Best`] is wanted from now on for a family for which it was not.
    Track(Family),
    /// What each best path means has changed for whoever forwards: [`Output::Best`] for all of them
    /// again, if it is wanted for this family at all, and [`Output::Touched`], if that is.
    Repeat(Family),
    /// [`Output::Touched`] is wanted in this family from now on, and for all prefixes that there are;
    /// or no longer.
    Watch(Family, bool),
    /// This router originates a route; an unspecified next hop stands for itself. One that was taken
    /// over from the host says so in its notes, and may have a next hop there.
    Originate(Nlri, AttributeSet),
    /// This router no longer originates a route.
    Retract(Nlri),
    /// Peers hear of a learned unicast route once whoever forwards has it ([`Input::Forwards`]), or as soon as
    /// it is the best. Of no effect in families for which [`Output::Best`] is not wanted.
    AwaitForwarding(bool),
    /// Whoever forwards has what the last [`Output::Best`] of this key said, or cannot have it.
    Forwards(Nlri, bool),
    /// These are all aggregates from now on, no prefix twice.
    SetAggregates(Vec<Aggregate>),
    /// This router has restarted: hold selection back until these peers have sent everything or
    /// the time is over (RFC 4724 §4.1). Without `hold`, only say when that is so.
    Expect {
        /// Peers whose End-of-RIB is awaited, per family.
        peers: PerFamily<BTreeSet<PeerId>>,
        /// For how long.
        time: Duration,
        /// Neither tell peers nor forward before.
        hold: bool,
    },
    /// The deadline has come.
    Timeout,
}

/// What the table wants done.
#[derive(Debug)]
pub enum Output {
    /// Write [`Batch::pieces`] to the peer, then report [`Batch::len`] by [`Input::Written`].
    Send(PeerId, Arc<Batch>),
    /// The paths in use for a key changed, or what follows them.
    Best(Best),
    /// Paths of a prefix came, went or changed, the best one or any other ([`Input::Watch`]). What is
    /// held back after a restart is told of, too.
    Touched(Nlri),
    /// All awaited peers have sent everything of a family, or the time is over.
    Converged(Family),
    /// A peer is told no more prefixes than allowed, and there are more; or there is room for all
    /// again.
    LimitOut {
        /// The peer.
        peer: PeerId,
        /// In which family.
        family: Family,
        /// There are more.
        reached: bool,
    },
}

/// The paths in use for a key, best first; none when it is gone.
#[derive(Debug, Clone)]
pub struct Best {
    /// The key.
    pub nlri: Nlri,
    /// Best path and those that forward beside it.
    pub paths: Vec<BestPath>,
    /// The path that is best when the only one in use goes with its peer.
    pub next_best: Option<BestPath>,
}

/// A path in use.
#[derive(Debug, Clone)]
pub struct BestPath {
    /// Who sent it.
    pub peer: PeerId,
    /// Attributes after import policy.
    pub attributes: Attributes,
    /// From another AS.
    pub external: bool,
}

/// The tables of one router.
#[derive(Debug)]
pub struct Rib {
    config: Config,
    peers: Peers,
    interner: Interner,
    next_hops: NextHops,
    /// What policies that ask for it are bound to; each holds it, too.
    validation: Option<Arc<Validation>>,
    v4: FamilyRib<Prefix4>,
    v6: FamilyRib<Prefix6>,
    evpn: FamilyRib<EvpnKey>,
    awaited: Option<Awaited>,
    /// Families to report as converged once what was held back is out.
    converged: Vec<Family>,
    /// Whoever forwards does not keep up.
    forwarding_held: bool,
    /// Peers hear nothing yet.
    peers_held: PerFamily<bool>,
    outputs: VecDeque<Output>,
}

/// Runs the same expression on the table of a family.
macro_rules! on_family {
    ($rib:expr, $family:expr, |$table:ident, $cx:ident| $body:expr) => {{
        let $cx = &mut Cx {
            peers: &mut $rib.peers,
            interner: &mut $rib.interner,
            config: &$rib.config,
            next_hops: &$rib.next_hops,
        };
        match $family {
            Family::Ipv4Unicast => {
                let $table = &mut $rib.v4;
                $body
            }
            Family::Ipv6Unicast => {
                let $table = &mut $rib.v6;
                $body
            }
            Family::Evpn => {
                let $table = &mut $rib.evpn;
                $body
            }
        }
    }};
}

use on_family;

impl Rib {
    /// Empty tables.
    pub fn new(config: Config) -> Self {
        let table = |family| (family, config.seed, *config.track.get(family));
        let (v4, v6, evpn) = (
            table(Family::Ipv4Unicast),
            table(Family::Ipv6Unicast),
            table(Family::Evpn),
        );
        Self {
            v4: FamilyRib::new(v4.0, v4.1, v4.2),
            v6: FamilyRib::new(v6.0, v6.1, v6.2),
            evpn: FamilyRib::new(evpn.0, evpn.1, evpn.2),
            config,
            peers: Peers::default(),
            interner: Interner::default(),
            next_hops: NextHops::default(),
            validation: None,
            awaited: None,
            converged: Vec::new(),
            forwarding_held: false,
            peers_held: PerFamily::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input; what follows from it comes out of [`Rib::poll`].
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::PeerUp {
                peer,
                facts,
                restarting,
            } => {
                self.peer_up(now, peer, facts, restarting);
            }
            Input::PeerDown { peer, retain } => self.peer_down(peer, retain),
            Input::Release(peer, families) => {
                for (family, _) in families.iter().filter(|(_, release)| **release) {
                    self.drop_stale(peer, family);
                }
            }
            Input::LongLived(peer, families) => {
                for (family, _) in families.iter().filter(|(_, old)| **old) {
                    if let Some(peer) = self.peers.get_mut(peer) {
                        *peer.old.get_mut(family) = true;
                    }
                    on_family!(self, family, |table, cx| table.grow_old(cx, peer));
                }
            }
            Input::PeerRemoved(peer) => {
                self.peer_down(peer, PerFamily::default());
                for family in Family::ALL {
                    self.arrived(peer, family);
                }
                if let Some(peer) = self.peers.get_mut(peer) {
                    *peer = Peer::default();
                }
            }
            Input::Updates(peer, updates) => self.updates(peer, updates),
            Input::Disable(peer, family) => {
                on_family!(self, family, |table, cx| {
                    table.leave(cx.view(), peer);
                    table.purge(cx, peer, false);
                });
                self.arrived(peer, family);
            }
            Input::Refresh {
                peer,
                family,
                enhanced,
            } => {
                on_family!(self, family, |table, _cx| table.refresh(peer, enhanced));
            }
            Input::RefreshBegin(peer, family) => {
                self.mark_stale(peer, family);
            }
            Input::RefreshEnd(peer, family) => self.drop_stale(peer, family),
            Input::Written(peer, octets) => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.in_flight = peer.in_flight.saturating_sub(octets);
                }
            }
            Input::Configure(peer, families) => self.configure(peer, families),
            Input::Facts(peer, facts) => self.set_facts(peer, facts),
            Input::Addresses {
                peer,
                ipv4,
                ipv6,
                link_local,
            } => self.set_addresses(peer, ipv4, ipv6, link_local),
            Input::SharedNetworks(peer, networks) => self.set_shared_networks(peer, networks),
            Input::NextHops(known) => {
                let changed = self.next_hops.learn(known);
                if !changed.is_empty() {
                    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                        on_family!(self, family, |table, cx| table
                            .next_hops_changed(cx, &changed));
                    }
                }
            }
            Input::Validate(validation) => self.validate(validation),
            Input::SetMultipath(multipath) => {
                self.config.multipath = multipath;
                self.redecide();
            }
            Input::SetRules(rules) => {
                self.config.rules = rules;
                self.redecide();
            }
            Input::SetIdentity(identity) => self.set_identity(identity),
            Input::SetDefaultLocalPref(preference) => self.set_default_local_pref(preference),
            Input::Track(family) => on_family!(self, family, |table, _cx| table.track()),
            Input::Repeat(family) => on_family!(self, family, |table, _cx| table.repeat()),
            Input::Originate(nlri, set) => self.originate(nlri, set),
            Input::Retract(nlri) => self.withdraw(PeerId::LOCAL, 0, &nlri),
            Input::Watch(family, on) => on_family!(self, family, |table, _cx| table.watch(on)),
            Input::AwaitForwarding(on) => {
                self.v4.await_forwarding(on);
                self.v6.await_forwarding(on);
            }
            Input::Forwards(nlri, there) => match nlri {
                Nlri::V4(key) => self.v4.forwards(&key, there),
                Nlri::V6(key) => self.v6.forwards(&key, there),
                // Never asked for.
                Nlri::Evpn(_) => {}
            },
            Input::SetAggregates(aggregates) => self.set_aggregates(aggregates),
            Input::Expect { peers, time, hold } => self.expect(now, peers, time, hold),
            Input::Timeout => self.timeout(now),
        }
    }

    /// Sets or clears the caller's own mark on a prefix, such as that it is in the kernel: a bit
    /// here, twelve octets in a set of the caller's. False if the table does not have the prefix.
    /// The mark goes with the prefix.
    pub fn mark(&mut self, nlri: &Nlri, marked: bool) -> bool {
        match nlri {
            Nlri::V4(key) => self.v4.mark(key, marked),
            Nlri::V6(key) => self.v6.mark(key, marked),
            Nlri::Evpn(key) => self.evpn.mark(key, marked),
        }
    }

    /// True if the prefix has the mark.
    pub fn is_marked(&self, nlri: &Nlri) -> bool {
        match nlri {
            Nlri::V4(key) => self.v4.is_marked(key),
            Nlri::V6(key) => self.v6.is_marked(key),
            Nlri::Evpn(key) => self.evpn.is_marked(key),
        }
    }

    /// Number of prefixes with the mark.
    pub fn marked(&self) -> usize {
        self.v4.marked.len() + self.v6.marked.len() + self.evpn.marked.len()
    }

    /// What changed since this was asked last, for a caller that wants to take more before it polls.
    pub fn take_news(&mut self) -> News {
        self.v4.take_news() + self.v6.take_news() + self.evpn.take_news()
    }

    /// The next thing to do; call until `None` after inputs.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if !self.work() {
                // After the routes that the end of the wait set free, so that whoever removes
                // leftovers has seen them.
                let whole = |family: &Family| self.owed(*family) == 0;
                let at = self.converged.iter().rposition(whole)?;
                return Some(Output::Converged(self.converged.remove(at)));
            }
        }
    }

    /// Whoever forwards unicast packets does not keep up, or does so again: [`Output::Best`] waits
    /// as one mark a prefix, and a prefix that changes meanwhile is told once. Peers are told all
    /// the same.
    pub fn hold_best(&mut self, hold: bool) {
        self.forwarding_held = hold;
    }

    /// What this router has of its own in a family is not whole after a start, or is from now on: no
    /// peer is told anything meanwhile, so that the End-of-RIB stands behind all of it. A peer that
    /// kept our routes over the restart would drop what is missing (RFC 4724 §4.2).
    pub fn hold_peers(&mut self, family: Family, hold: bool) {
        *self.peers_held.get_mut(family) = hold;
    }

    /// Keys of a family for which [`Output::Best`] is still to come.
    pub fn owed(&self, family: Family) -> usize {
        match family {
            Family::Ipv4Unicast => self.v4.owed(),
            Family::Ipv6Unicast => self.v6.owed(),
            Family::Evpn => self.evpn.owed(),
        }
    }

    /// When [`Input::Timeout`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let awaited = self.awaited.as_ref()?;
        awaited
            .restarting
            .values()
            .copied()
            .chain([awaited.until])
            .min()
    }

    /// Gives back memory of queues that were long; worth a call after a burst.
    pub fn shrink(&mut self) {
        self.v4.shrink();
        self.v6.shrink();
        self.evpn.shrink();
        self.outputs.shrink_to_fit();
    }

    /// The same, and that of attribute sets no longer in use: reads all of them, so it is worth a
    /// call after a large withdrawal.
    pub fn sweep(&mut self) {
        self.shrink();
        // Twice, since a set made by policy holds the one it was made of.
        self.interner.sweep();
        self.interner.sweep();
        let named = self.interner.iter().map(|set| set.next_hop().addr());
        self.next_hops.keep(&named.collect());
    }

    fn work(&mut self) -> bool {
        let outputs = &mut self.outputs;
        if self.v4.emit_touched(outputs)
            || self.v6.emit_touched(outputs)
            || self.evpn.emit_touched(outputs)
        {
            return true;
        }
        for family in Family::ALL {
            let held = self
                .awaited
                .as_ref()
                .is_some_and(|awaited| awaited.hold && !awaited.peers.get(family).is_empty());
            if held {
                continue;
            }
            let held = Held {
                best: self.forwarding_held && family != Family::Evpn,
                peers: *self.peers_held.get(family),
            };
            let outputs = &mut self.outputs;
            let cx = &mut Cx {
                peers: &mut self.peers,
                interner: &mut self.interner,
                config: &self.config,
                next_hops: &self.next_hops,
            };
            let worked = match family {
                Family::Ipv4Unicast => self.v4.work(cx, held, outputs),
                Family::Ipv6Unicast => self.v6.work(cx, held, outputs),
                Family::Evpn => self.evpn.work(cx, held, outputs),
            };
            if worked {
                return true;
            }
        }
        false
    }

    fn redecide(&mut self) {
        for family in Family::ALL {
            on_family!(self, family, |table, cx| table.redecide(cx));
        }
    }

    fn updates(&mut self, peer: PeerId, updates: Vec<Update>) {
        if !self.peers.get(peer).is_some_and(|peer| peer.up) {
            return;
        }
        let mut updates = updates.into_iter();
        while !updates.as_slice().is_empty() {
            let count = self.touch(updates.as_slice());
            for update in updates.by_ref().take(count) {
                self.update(peer, update);
            }
        }
    }

    /// Has the tables read what they know of the routes in the first few of these messages, as many
    /// as are read together; returns how many messages, one at least. A list that is longer by
    /// itself is left to those who go through it.
    fn touch(&self, updates: &[Update]) -> usize {
        let mut routes = 0;
        let fits = |update: &&Update| {
            routes += update.len();
            routes <= table::TOGETHER
        };
        let count = updates.iter().take_while(fits).count();
        let near = updates.get(..count).unwrap_or_default();
        let sets = near.iter().flat_map(|update| &update.announced);
        self.interner.touch(sets.map(|(_, set)| set));
        let lists = || near.iter().flat_map(Update::lists);
        self.v4
            .table
            .touch(lists().flat_map(Prefix4::of).map(|(_, key)| key));
        self.v6
            .table
            .touch(lists().flat_map(Prefix6::of).map(|(_, key)| key));
        self.evpn
            .table
            .touch(lists().flat_map(EvpnKey::of).map(|(_, key)| key));
        count.max(1)
    }

    fn update(&mut self, peer: PeerId, update: Update) {
        for list in update.withdrawn {
            match list {
                NlriList::V4(list) => self.withdraw_all(peer, &list),
                NlriList::V6(list) => self.withdraw_all(peer, &list),
                NlriList::Evpn(list) => self.withdraw_all(peer, &list),
            }
        }
        for (list, attributes) in update.announced {
            let cx = &mut Cx {
                peers: &mut self.peers,
                interner: &mut self.interner,
                config: &self.config,
                next_hops: &self.next_hops,
            };
            match list {
                NlriList::V4(list) => self.v4.announce(cx, peer, &list, attributes),
                NlriList::V6(list) => self.v6.announce(cx, peer, &list, attributes),
                NlriList::Evpn(list) => self.evpn.announce(cx, peer, &list, attributes),
            }
        }
        if let Some(family) = update.end_of_rib {
            self.drop_stale(peer, family);
            self.arrived(peer, family);
        }
    }

    fn withdraw_all<K: Key>(&mut self, peer: PeerId, list: &[(PathId, K)])
    where
        Self: TableOf<K>,
    {
        let (table, cx) = self.table_of();
        table.withdraw(&cx, peer, list);
    }

    fn withdraw(&mut self, peer: PeerId, path_id: PathId, nlri: &Nlri) {
        match nlri {
            Nlri::V4(key) => self.withdraw_all(peer, &[(path_id, *key)]),
            Nlri::V6(key) => self.withdraw_all(peer, &[(path_id, *key)]),
            Nlri::Evpn(key) => self.withdraw_all(peer, &[(path_id, key.clone())]),
        }
    }

    fn originate(&mut self, nlri: Nlri, set: AttributeSet) {
        let attributes = set.freeze_with(self.config.seed);
        let cx = &mut Cx {
            peers: &mut self.peers,
            interner: &mut self.interner,
            config: &self.config,
            next_hops: &self.next_hops,
        };
        match nlri {
            Nlri::V4(key) => self.v4.originate(cx, (0, key), attributes),
            Nlri::V6(key) => self.v6.originate(cx, (0, key), attributes),
            Nlri::Evpn(key) => self.evpn.originate(cx, (0, key), attributes),
        }
    }

    fn set_aggregates(&mut self, aggregates: Vec<Aggregate>) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for aggregate in aggregates {
            match aggregate.prefix {
                Prefix::V4(key) => v4.push((key, aggregate)),
                Prefix::V6(key) => v6.push((key, aggregate)),
            }
        }
        let cx = &mut Cx {
            peers: &mut self.peers,
            interner: &mut self.interner,
            config: &self.config,
            next_hops: &self.next_hops,
        };
        self.v4.set_aggregates(cx, v4);
        self.v6.set_aggregates(cx, v6);
    }
}
