//! A whole BGP speaker for programs that bring their own sockets.
//!
//! A [`Speaker`] is the routing tables ([`crate::rib::Rib`]) and a [`crate::session::Session`] for
//! each peer in one value with the same three verbs: [`Speaker::handle`] takes what happens on
//! sockets, [`Speaker::poll`] says what to do, [`Speaker::deadline`] when to look again. What a
//! session says about routes goes straight to the tables, and what the tables have encoded for a
//! peer leaves as [`Output::Send`] on its Established connection.
//!
//! ```text
//! Received ─► Session ─ routes ─► Rib ─┬─► Best
//!                │                     └─► Send (to all who are to know)
//!                └─► Connect, Send, Close, Established, Down
//! ```
//!
//! Orders ([`Speaker::add_peer`], [`Speaker::originate`] and so on) need no time, so they are
//! noted and carried out with the next input, whatever it is; [`Input::Timeout`] always may be.
//! That is why a program's loop begins with `handle`. Inputs at hand should be handed in together
//! before polling: the tables then pack more routes into a message.
//!
//! It opens no socket and does not know which connection a peer's address stands for: the owner of
//! the listening socket does. There is no BFD, no drain and no graceful restart of its own here
//! (peers that restart are helped); who needs them puts sessions and tables together as the
//! daemon does.
//!
//! Two speakers with a wire that is a loop:
//!
//! ```
//! use std::time::Instant;
//! use bgp::session::{ConnId, HoldTime};
//! use bgp::speaker::{Input, Output, PeerConfig};
//! use bgp::Speaker;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::now();
//! let addresses = ["10.10.0.1".parse()?, "10.10.0.2".parse()?];
//! let mut a = Speaker::new(65001, "10.10.0.1".parse()?);
//! let mut b = Speaker::new(65002, "10.10.0.2".parse()?);
//! let to_b = PeerConfig::new(addresses[1], 65002).hold_time(HoldTime::secs(30)?);
//! let to_a = PeerConfig::new(addresses[0], 65001).passive(true);
//! // Each end of the wire has its own name for it.
//! let ends = [(a.add_peer(to_b)?, ConnId::Outgoing(0)), (b.add_peer(to_a)?, ConnId::Incoming(0))];
//! a.originate("10.100.0.0/16".parse()?);
//!
//! let mut learned = Vec::new();
//! let mut inputs = vec![(0, Input::Timeout), (1, Input::Timeout)];
//! while let Some((at, input)) = inputs.pop() {
//!     let speaker = if at == 0 { &mut a } else { &mut b };
//!     speaker.handle(now, input);
//!     while let Some(output) = speaker.poll() {
//!         let other = 1 - at;
//!         let (peer, conn) = ends[other];
//!         match output {
//!             Output::Connect { peer: to, conn: attempt, .. } => {
//!                 let local = addresses[at];
//!                 inputs.push((at, Input::Connected { peer: to, conn: attempt, local }));
//!                 inputs.push((other, Input::Accepted { peer, conn, local: addresses[other] }));
//!             }
//!             Output::Send { peer: to, conn: on, bytes } => {
//!                 let octets = bytes.len();
//!                 inputs.insert(0, (at, Input::Written { peer: to, conn: on, octets }));
//!                 let bytes = (&*bytes).into();
//!                 inputs.insert(0, (other, Input::Received { peer, conn, bytes }));
//!             }
//!             Output::Best(best) if at == 1 => {
//!                 for path in &best.paths {
//!                     let next_hop = path.attributes.next_hop().addr();
//!                     learned.push(format!("{} via {next_hop}", best.nlri));
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(learned, ["10.100.0.0/16 via 10.10.0.1"]);
//! # Ok(()) }
//! ```

mod config;
mod event;
mod peer;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

pub use config::PeerConfig;
pub use event::{Input, Output};

use crate::asn::Asn;
use crate::attributes::{AttributeSet, NextHop};
use crate::family::{Family, PerFamily};
use crate::message::{RefreshKind, Update};
use crate::nlri::Nlri;
use crate::policy::Policy;
use crate::prefix::Prefix;
use crate::rib::{self, Batch, Multipath, PeerId, Rib};
use crate::session::{self, ConnId, DownReason, Negotiated, Retain, Session, Status, StopReason};
use config::Router;
use peer::Peer;

/// A BGP speaker; see the module's page.
#[derive(Debug)]
pub struct Speaker {
    router: Router,
    rib: Rib,
    peers: BTreeMap<PeerId, Peer>,
    /// The number after the last one given away.
    next_id: u16,
    orders: VecDeque<Order>,
    /// When the last input came.
    now: Option<Instant>,
    outputs: VecDeque<Output>,
    /// To be said once the tables have nothing more to say.
    completed: VecDeque<(PeerId, Family)>,
}

/// What was asked for and waits for the next input.
#[derive(Debug)]
enum Order {
    Start(PeerId),
    Remove(PeerId),
    SetPolicies(PeerId, Policy, Policy),
    SetMultipath(PerFamily<Multipath>),
    Originate(Nlri, Box<AttributeSet>),
    Retract(Nlri),
}

/// There are 65,535 peers already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a speaker has at most 65535 peers")]
pub struct TooManyPeers;

impl Speaker {
    /// A speaker without peers, for programs whose peers mean well: see [`Speaker::with_seed`].
    pub fn new(asn: impl Into<Asn>, router_id: Ipv4Addr) -> Self {
        Self::with_seed(asn, router_id, 0)
    }

    /// A speaker without peers. `seed` is any random number; it makes the timers' jitter and the
    /// tables' hashes unpredictable. Default 0.
    pub fn with_seed(asn: impl Into<Asn>, router_id: Ipv4Addr, seed: u64) -> Self {
        let rib = Rib::new(rib::Config {
            identity: rib::Identity::new(router_id),
            default_local_pref: None,
            multipath: PerFamily::default(),
            rules: rib::Rules::default(),
            seed,
            track: PerFamily {
                ipv4_unicast: true,
                ipv6_unicast: true,
                evpn: true,
            },
        });
        Self {
            router: Router {
                asn: asn.into(),
                router_id,
                seed,
            },
            rib,
            peers: BTreeMap::new(),
            next_id: 1,
            orders: VecDeque::new(),
            now: None,
            outputs: VecDeque::new(),
            completed: VecDeque::new(),
        }
    }

    /// Takes a peer in and connects to it.
    ///
    /// # Errors
    ///
    /// All 65,535 numbers are in use.
    pub fn add_peer(&mut self, config: PeerConfig) -> Result<PeerId, TooManyPeers> {
        let peer = self.free_id().ok_or(TooManyPeers)?;
        self.next_id = peer.0.wrapping_add(1);
        let session = Session::new(config.session(&self.router, peer));
        self.peers.insert(peer, Peer::new(config, session));
        self.orders.push_back(Order::Start(peer));
        Ok(peer)
    }

    /// Ends the session with a peer, and forgets it and its routes.
    pub fn remove_peer(&mut self, peer: PeerId) {
        self.orders.push_back(Order::Remove(peer));
    }

    /// Changes the policies of a peer; its session stays, and its routes are judged again.
    pub fn set_policies(&mut self, peer: PeerId, import: Policy, export: Policy) {
        self.orders
            .push_back(Order::SetPolicies(peer, import, export));
    }

    /// How many paths of a prefix [`Output::Best`] may list; default one.
    pub fn set_multipath(&mut self, multipath: PerFamily<Multipath>) {
        self.orders.push_back(Order::SetMultipath(multipath));
    }

    /// Announces a prefix with this speaker as the next hop.
    pub fn originate(&mut self, prefix: Prefix) {
        let itself = match prefix {
            Prefix::V4(_) => NextHop::V4(Ipv4Addr::UNSPECIFIED),
            Prefix::V6(_) => NextHop::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.originate_with(prefix, AttributeSet::new(itself));
    }

    /// Announces a route; an unspecified next hop stands for this speaker. The same key again
    /// replaces the attributes.
    pub fn originate_with(&mut self, nlri: impl Into<Nlri>, attributes: AttributeSet) {
        self.orders
            .push_back(Order::Originate(nlri.into(), Box::new(attributes)));
    }

    /// Announces a route no longer.
    pub fn retract(&mut self, nlri: impl Into<Nlri>) {
        self.orders.push_back(Order::Retract(nlri.into()));
    }

    /// Carries out what was ordered, and takes note of `input`. Then call [`Speaker::poll`]
    /// until it returns `None`. Inputs about peers or connections that are gone are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = Some(now);
        while let Some(order) = self.orders.pop_front() {
            self.order(now, order);
        }
        self.input(now, input);
    }

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let Some(output) = self.rib.poll() else {
                let (peer, family) = self.completed.pop_front()?;
                return Some(Output::EndOfRib { peer, family });
            };
            self.rib_output(output);
        }
    }

    /// When to hand in [`Input::Timeout`], at the latest; in the past when an order waits. Before
    /// the first input there is no time and thus no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        let ordered = self.now.filter(|_| !self.orders.is_empty());
        let sessions = self
            .peers
            .values()
            .filter_map(|peer| peer.session.deadline());
        sessions.chain(self.rib.deadline()).chain(ordered).min()
    }

    /// The tables, to look things up.
    pub fn rib(&self) -> &Rib {
        &self.rib
    }

    /// Every peer with its settings.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &PeerConfig)> {
        self.peers.iter().map(|(id, peer)| (*id, &peer.config))
    }

    /// How the session with a peer is.
    pub fn status(&self, peer: PeerId) -> Option<Status> {
        self.peers.get(&peer).map(|peer| peer.session.status())
    }

    /// A number that was not in use lately, so that a late word about a removed peer does not hit
    /// another one.
    fn free_id(&self) -> Option<PeerId> {
        let numbers = (self.next_id..=u16::MAX).chain(0..self.next_id).map(PeerId);
        numbers
            .filter(|id| *id != PeerId::LOCAL)
            .find(|id| !self.peers.contains_key(id))
    }
}

/// Orders and inputs.
impl Speaker {
    fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Start(peer) => self.tell(now, peer, session::Input::Start),
            Order::Remove(peer) => {
                let reason = StopReason::PeerDeconfigured;
                self.tell(now, peer, session::Input::Stop(reason));
                self.peers.remove(&peer);
                self.rib.handle(now, rib::Input::PeerRemoved(peer));
                self.rib.sweep();
            }
            Order::SetPolicies(peer, import, export) => {
                let Some(it) = self.peers.get_mut(&peer) else {
                    return;
                };
                it.config.set_policies(import, export);
                if let Some(facts) = it.facts() {
                    self.rib
                        .handle(now, rib::Input::Configure(peer, facts.families));
                }
            }
            Order::SetMultipath(multipath) => {
                self.rib.handle(now, rib::Input::SetMultipath(multipath));
            }
            Order::Originate(nlri, attributes) => {
                self.rib
                    .handle(now, rib::Input::Originate(nlri, *attributes));
            }
            Order::Retract(nlri) => self.rib.handle(now, rib::Input::Retract(nlri)),
        }
    }

    fn input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Connected { peer, conn, local } => {
                let known = self
                    .peers
                    .get_mut(&peer)
                    .is_some_and(|it| it.connected(conn, local));
                // An attempt that was given up has been closed already.
                if known {
                    self.tell(now, peer, session::Input::Connected { conn });
                }
            }
            Input::ConnectFailed { peer, conn, error } => {
                self.tell(now, peer, session::Input::ConnectFailed { conn, error });
            }
            Input::Accepted { peer, conn, local } => match (self.peers.get_mut(&peer), conn) {
                (Some(it), ConnId::Incoming(_)) => {
                    it.open(conn, Some(local));
                    self.tell(now, peer, session::Input::Accepted { conn });
                }
                (None, _) | (Some(_), ConnId::Outgoing(_)) => {
                    self.outputs.push_back(Output::Close { peer, conn });
                }
            },
            Input::Received { peer, conn, bytes } => {
                self.tell(now, peer, session::Input::Received { conn, bytes });
            }
            Input::Closed { peer, conn, error } => {
                self.tell(now, peer, session::Input::Closed { conn, error });
            }
            Input::Written { peer, conn, octets } => {
                let Some(it) = self.peers.get_mut(&peer) else {
                    return;
                };
                let done = it.written(now, conn, octets);
                if done.window > 0 {
                    self.rib.handle(now, rib::Input::Written(peer, done.window));
                }
                self.follow(now, peer);
            }
            Input::Start { peer } => self.tell(now, peer, session::Input::Start),
            Input::Stop { peer, reason } => self.tell(now, peer, session::Input::Stop(reason)),
            Input::RequestRefresh { peer, family } => {
                self.tell(now, peer, session::Input::RequestRefresh { family });
            }
            Input::Timeout => self.timeout(now),
        }
    }

    fn timeout(&mut self, now: Instant) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let late = self
            .peers
            .iter()
            .filter(|(_, peer)| due(peer.session.deadline()));
        let late: Vec<PeerId> = late.map(|(id, _)| *id).collect();
        for peer in late {
            self.tell(now, peer, session::Input::Timeout);
        }
        if due(self.rib.deadline()) {
            self.rib.handle(now, rib::Input::Timeout);
        }
    }

    /// Hands an input to a session and follows what it says.
    fn tell(&mut self, now: Instant, peer: PeerId, input: session::Input) {
        if let Some(it) = self.peers.get_mut(&peer) {
            it.session.handle(now, input);
            self.follow(now, peer);
        }
    }

    fn follow(&mut self, now: Instant, peer: PeerId) {
        while let Some(output) = self.peers.get_mut(&peer).and_then(|it| it.session.poll()) {
            self.session_output(now, peer, output);
        }
    }
}

/// From sessions to tables and back.
impl Speaker {
    fn session_output(&mut self, now: Instant, peer: PeerId, output: session::Output) {
        match output {
            session::Output::Connect { conn } => {
                let Some(it) = self.peers.get_mut(&peer) else {
                    return;
                };
                it.open(conn, None);
                let addr = it.config.socket_address();
                self.outputs.push_back(Output::Connect { peer, conn, addr });
            }
            session::Output::CloseConnection { conn } => {
                if let Some(it) = self.peers.get_mut(&peer) {
                    it.close(conn);
                }
                self.outputs.push_back(Output::Close { peer, conn });
            }
            session::Output::Send { conn, bytes } => {
                if let Some(it) = self.peers.get_mut(&peer) {
                    it.sent(now, conn, bytes.len());
                }
                self.outputs.push_back(Output::Send { peer, conn, bytes });
            }
            session::Output::Established { conn, negotiated } => {
                self.up(now, peer, conn, negotiated);
            }
            session::Output::Updates(updates) => self.updates(now, peer, updates),
            session::Output::Refresh { family, kind } => self.refresh(now, peer, family, kind),
            session::Output::FamilyDisabled { family, error } => {
                self.rib.handle(now, rib::Input::Disable(peer, family));
                self.outputs.push_back(Output::FamilyDisabled {
                    peer,
                    family,
                    error,
                });
            }
            session::Output::Down { reason, retain } => self.down(now, peer, reason, retain),
            session::Output::LongLived {
                families,
                reason: _,
            } => {
                self.rib.handle(now, rib::Input::LongLived(peer, families));
            }
            session::Output::Release {
                families,
                reason: _,
            } => {
                self.rib.handle(now, rib::Input::Release(peer, families));
            }
            session::Output::AttemptFailed { conn, reason } => {
                self.outputs
                    .push_back(Output::AttemptFailed { peer, conn, reason });
            }
            // Whoever wants to show it asks for the status.
            session::Output::StateChanged { .. } => {}
        }
    }

    fn up(&mut self, now: Instant, peer: PeerId, conn: ConnId, negotiated: Arc<Negotiated>) {
        // What the tables still hold for the last session must not go out on this one.
        while let Some(output) = self.rib.poll() {
            self.rib_output(output);
        }
        let restarting = negotiated.graceful.as_ref().is_some_and(|it| it.restarting);
        let it = self.peers.get_mut(&peer);
        let facts = it.and_then(|it| it.up(conn, Arc::clone(&negotiated)));
        debug_assert!(facts.is_some(), "an Established connection is open");
        if let Some(facts) = facts {
            self.rib.handle(
                now,
                rib::Input::PeerUp {
                    peer,
                    facts,
                    restarting,
                },
            );
        }
        self.outputs
            .push_back(Output::Established { peer, negotiated });
    }

    fn down(&mut self, now: Instant, peer: PeerId, reason: DownReason, retain: Option<Retain>) {
        if let Some(it) = self.peers.get_mut(&peer) {
            it.down();
        }
        self.completed.retain(|(who, _)| *who != peer);
        let retain = retain.map(|retain| retain.families).unwrap_or_default();
        self.rib.handle(now, rib::Input::PeerDown { peer, retain });
        self.rib.sweep();
        self.outputs.push_back(Output::Down {
            peer,
            reason,
            retained: retain,
        });
    }

    fn updates(&mut self, now: Instant, peer: PeerId, mut updates: Vec<Update>) {
        for update in &mut updates {
            let errors = mem::take(&mut update.errors).into_iter();
            let malformed = errors.map(|error| Output::Malformed { peer, error });
            self.outputs.extend(malformed);
            self.completed
                .extend(update.end_of_rib.map(|family| (peer, family)));
        }
        self.rib.handle(now, rib::Input::Updates(peer, updates));
    }

    fn refresh(&mut self, now: Instant, peer: PeerId, family: Family, kind: RefreshKind) {
        let enhanced = self.peers.get(&peer).is_some_and(Peer::enhanced_refresh);
        match kind {
            RefreshKind::Request => {
                self.rib.handle(
                    now,
                    rib::Input::Refresh {
                        peer,
                        family,
                        enhanced,
                    },
                );
            }
            RefreshKind::Begin => self.rib.handle(now, rib::Input::RefreshBegin(peer, family)),
            RefreshKind::End => self.rib.handle(now, rib::Input::RefreshEnd(peer, family)),
            // RFC 7313 §5: an unknown subtype is ignored.
            RefreshKind::Unknown(_) => {}
        }
    }

    fn rib_output(&mut self, output: rib::Output) {
        match output {
            rib::Output::Send(peer, batch) => self.send(peer, &batch),
            rib::Output::Best(best) => self.outputs.push_back(Output::Best(best)),
            // Nothing is awaited: a speaker does not restart gracefully.
            rib::Output::Touched(_) | rib::Output::Converged(_) | rib::Output::LimitOut { .. } => {
            }
        }
    }

    fn send(&mut self, peer: PeerId, batch: &Batch) {
        // The tables say nothing before the first input.
        let Some(now) = self.now else { return };
        let to = self
            .peers
            .get_mut(&peer)
            .and_then(|it| it.batch(now, peer, batch));
        match to {
            Some((conn, pieces)) => {
                let sends = pieces
                    .into_iter()
                    .map(|bytes| Output::Send { peer, conn, bytes });
                self.outputs.extend(sends);
            }
            // Nothing in it for this peer, or the session is over: no window to wait for.
            None => self.rib.handle(now, rib::Input::Written(peer, batch.len())),
        }
    }
}

#[cfg(test)]
mod tests;
