//! Many sessions behind one receiving socket.
//!
//! A received datagram is decoded, its session found (RFC 5880 §6.8.6, RFC 5881 §3) and the packet
//! handed over; a timeout reaches every session that is due. Outputs carry the discriminator of
//! their session. Discriminators, seeds and sockets are the caller's.
//!
//! The table notices when this host was stalled: the caller promised to come back by
//! [`Sessions::deadline`]. Whoever comes much later did not read packets meanwhile and may have
//! lost some, so the peers are given more time ([`Input::Stalled`](session::Input::Stalled))
//! before any of them is judged. To keep that promise a caller that wakes up first hands in the
//! datagrams that wait in its socket and then [`Input::Timeout`].

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::authentication::Authentication;
use crate::echo::EchoPacket;
use crate::packet::{Discriminator, Packet, PacketError};
use crate::session::{self, Config, Domain, Hops, InterfaceIndex, Output, Session};
use crate::timers::Timers;

/// What happens to the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A datagram arrived on UDP port 3784 or 4784.
    Received(Datagram<'a>),
    /// The deadline has come.
    Timeout,
    /// Something for one session; nothing if it does not exist.
    Session {
        /// Whose input it is.
        session: Discriminator,
        /// What happens to it.
        input: session::Input,
    },
}

/// A datagram as the socket gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The source address.
    pub remote: IpAddr,
    /// The destination address.
    pub local: IpAddr,
    /// The interface it arrived on.
    pub interface: InterfaceIndex,
    /// The routing table that the interface belongs to.
    pub domain: Domain,
    /// One hop: it came to port 3784; several: to 4784.
    pub hops: Hops,
    /// The TTL or hop limit it arrived with.
    pub ttl: u8,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// The sessions of a system.
#[derive(Debug)]
pub struct Sessions {
    sessions: BTreeMap<Discriminator, Session>,
    by_peer: BTreeMap<Peer, Discriminator>,
    timers: Timers,
    outputs: VecDeque<(Discriminator, Output)>,
    refused: Refused,
    unwelcome: u64,
    gaps: Gaps,
    /// When the caller last came.
    came: Instant,
}

/// What names a session until the peer knows its discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    /// RFC 5881 §3: the peer on an interface.
    OnLink(Domain, IpAddr, Option<InterfaceIndex>),
    /// RFC 5883 §4: the peer and our address.
    Behind(Domain, IpAddr, Option<IpAddr>),
}

/// Lateness below this is ordinary scheduling.
const STALL_MIN: Duration = Duration::from_millis(10);

impl Sessions {
    /// An empty table.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            timers: Timers::new(now),
            outputs: VecDeque::new(),
            refused: Refused::default(),
            unwelcome: 0,
            gaps: Gaps::default(),
            came: now,
        }
    }

    /// Adds a session, see [`Session::new`].
    pub fn add(
        &mut self,
        config: Config,
        my_discriminator: Discriminator,
        seed: u64,
        now: Instant,
    ) -> Result<(), AddError> {
        let peer = peer(&config);
        if self.sessions.contains_key(&my_discriminator) {
            return Err(AddError::Discriminator(my_discriminator));
        }
        if let Some(&session) = self.by_peer.get(&peer) {
            return Err(AddError::Peer {
                peer: config.remote_address(),
                session,
            });
        }
        self.by_peer.insert(peer, my_discriminator);
        let session = Session::new(config, my_discriminator, seed, now);
        self.timers.set(my_discriminator, session.deadline());
        self.sessions.insert(my_discriminator, session);
        Ok(())
    }

    /// Removes a session at once. To tell the peer that this is wanted, hand in
    /// [`AdminDown`](session::Input::AdminDown) and send the outputs before.
    pub fn remove(&mut self, session: Discriminator) -> Option<Session> {
        let removed = self.sessions.remove(&session)?;
        self.by_peer.remove(&peer(removed.config()));
        self.timers.set(session, None);
        self.outputs.retain(|(owner, _)| *owner != session);
        Some(removed)
    }

    /// Moves a session to another local address or interface, for an interface that was made anew.
    /// The session keeps its state. An interface on which another session has the same peer is
    /// refused.
    pub fn rebind(
        &mut self,
        session: Discriminator,
        local: Option<IpAddr>,
        interface: Option<InterfaceIndex>,
    ) -> Result<(), AddError> {
        let Some(moved) = self.sessions.get_mut(&session) else {
            return Ok(());
        };
        let old = peer(moved.config());
        let new = match old {
            Peer::OnLink(domain, remote, _) => Peer::OnLink(domain, remote, interface),
            Peer::Behind(domain, remote, _) => Peer::Behind(domain, remote, local),
        };
        if let Some(&other) = self.by_peer.get(&new).filter(|&&other| other != session) {
            return Err(AddError::Peer {
                peer: moved.config().remote_address(),
                session: other,
            });
        }
        moved.rebind(local, interface);
        self.by_peer.remove(&old);
        self.by_peer.insert(new, session);
        Ok(())
    }

    /// See [`Session::authenticate`].
    pub fn authenticate(
        &mut self,
        now: Instant,
        session: Discriminator,
        authentication: Option<Authentication>,
    ) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.authenticate(now, authentication);
        }
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.notice_stall(now);
        self.came = now;
        match input {
            Input::Received(datagram) => self.receive(now, datagram),
            Input::Timeout => {
                while let Some(session) = self.timers.pop_due(now) {
                    self.pass_on(now, session, session::Input::Timeout);
                }
            }
            Input::Session { session, input } => self.pass_on(now, session, input),
        }
    }

    /// Takes in a datagram of UDP port 3785. True: it is one that the session's peer wants back, and its
    /// payload is to be sent from where it went to where it came from, with a TTL of 254. With that
    /// TTL it is not sent back again by anybody who does the same.
    ///
    /// Only peers of sessions that are up and offer it have packets sent back, so that nobody is an
    /// echo for strangers.
    pub fn echo(&mut self, now: Instant, datagram: Datagram<'_>) -> bool {
        let taken = match datagram.ttl {
            u8::MAX => {
                let found = self.by_address(&datagram).map(|(session, _)| session);
                let session = found.and_then(|session| self.sessions.get_mut(&session));
                session.is_some_and(Session::loop_back)
            }
            _ => self.echo_returned(now, &datagram),
        };
        self.refused.echo += u64::from(!taken);
        taken && datagram.ttl == u8::MAX
    }

    /// True if a session had sent it.
    fn echo_returned(&mut self, now: Instant, datagram: &Datagram<'_>) -> bool {
        let Ok(packet) = EchoPacket::decode(datagram.payload) else {
            return false;
        };
        let name = packet.discriminator;
        let returned = |sessions: &Self| {
            let session = sessions.sessions.get(&name)?;
            Some(session.counters().echo_returned)
        };
        let before = returned(self);
        let input = session::Input::EchoReturned(packet);
        self.handle(
            now,
            Input::Session {
                session: name,
                input,
            },
        );
        returned(self) != before
    }

    /// The next thing to do and whose it is; call until `None` after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<(Discriminator, Output)> {
        self.outputs.pop_front()
    }

    /// Latest time for [`Input::Timeout`], a whole tick of 1 ms.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// One session.
    #[must_use]
    pub fn get(&self, session: Discriminator) -> Option<&Session> {
        self.sessions.get(&session)
    }

    /// All sessions in the order of their discriminators.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// Datagrams that no session took.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.refused
    }

    /// Datagrams that no session took or believed, of whatever reason.
    #[must_use]
    pub fn unwelcome(&self) -> u64 {
        self.unwelcome
    }

    /// How near sessions that are up came to being given up.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        if !self.take_in(now, datagram) {
            self.unwelcome += 1;
        }
    }

    /// True if a session believed it.
    fn take_in(&mut self, now: Instant, datagram: Datagram<'_>) -> bool {
        let packet = match Packet::decode(datagram.payload) {
            Ok(packet) => packet,
            Err(error) => {
                self.refused.malformed += 1;
                self.refused.last_error = Some(error);
                return false;
            }
        };
        let found = match packet.your_discriminator {
            Some(yours) => self
                .sessions
                .get(&yours)
                .map(|session| (yours, session.config())),
            None => self.by_address(&datagram),
        };
        let Some((session, config)) = found else {
            self.refused.no_session += 1;
            return false;
        };
        if !is_from(config, &datagram) {
            self.refused.wrong_source += 1;
            return false;
        }
        let before = self.taken_in(session);
        self.pass_on(
            now,
            session,
            session::Input::Received {
                packet,
                ttl: datagram.ttl,
            },
        );
        let believed = self.taken_in(session) != before;
        if let Some(session) = self.sessions.get_mut(&session).filter(|_| believed) {
            session.set_heard_on(datagram.interface);
        }
        believed
    }

    fn taken_in(&self, session: Discriminator) -> Option<u64> {
        let session = self.sessions.get(&session)?;
        Some(session.counters().received)
    }

    /// RFC 5881 §3, RFC 5883 §4: the first packets are matched by their addresses.
    fn by_address(&self, datagram: &Datagram<'_>) -> Option<(Discriminator, &Config)> {
        let (domain, remote) = (datagram.domain, datagram.remote);
        let [exact, any] = match datagram.hops {
            Hops::Single => [Some(datagram.interface), None]
                .map(|interface| Peer::OnLink(domain, remote, interface)),
            Hops::Multi => {
                [Some(datagram.local), None].map(|local| Peer::Behind(domain, remote, local))
            }
        };
        let exact = self.by_peer.get(&exact);
        let session = exact.or_else(|| self.by_peer.get(&any))?;
        self.sessions
            .get(session)
            .map(|found| (*session, found.config()))
    }

    fn notice_stall(&mut self, now: Instant) {
        let Some(deadline) = self.timers.deadline() else {
            return;
        };
        // Counted from when the caller last came, so that the same lateness is not seen again while
        // it hands in what waits in its socket.
        let by = now.saturating_duration_since(deadline.max(self.came));
        if by < STALL_MIN {
            return;
        }
        // Nobody is judged here: packets of that time may wait to be handed in.
        for (key, session) in &mut self.sessions {
            session.excuse(now, by);
            self.timers.set(*key, session.deadline());
        }
    }

    fn pass_on(&mut self, now: Instant, key: Discriminator, input: session::Input) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.handle(now, input);
        if let Some(percent) = session.take_gap() {
            self.gaps.add(percent);
        }
        while let Some(output) = session.poll() {
            self.outputs.push_back((key, output));
        }
        self.timers.set(key, session.deadline());
    }
}

fn peer(config: &Config) -> Peer {
    let (domain, remote) = (config.domain_number(), config.remote_address());
    match config.distance() {
        Hops::Single => Peer::OnLink(domain, remote, config.interface_index()),
        Hops::Multi => Peer::Behind(domain, remote, config.local_address()),
    }
}

/// Whether the session's peer may have sent this, whatever discriminator it names.
fn is_from(config: &Config, datagram: &Datagram<'_>) -> bool {
    let here = config
        .interface_index()
        .is_none_or(|interface| interface == datagram.interface);
    let ours = match config.distance() {
        Hops::Single => true,
        Hops::Multi => config
            .local_address()
            .is_none_or(|local| local == datagram.local),
    };
    let same_kind =
        config.distance() == datagram.hops && config.domain_number() == datagram.domain;
    config.remote_address() == datagram.remote && here && ours && same_kind
}

/// Why a session is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The discriminator is taken.
    #[error("discriminator {0} names another session already")]
    Discriminator(Discriminator),
    /// RFC 5881 §3, RFC 5883 §4: one session for a peer on an interface, or with one address of
    /// ours.
    #[error("session {session} with `{peer}` exists already on that interface or address")]
    Peer {
        /// The peer's address.
        peer: IpAddr,
        /// The session it has.
        session: Discriminator,
    },
}

/// Totals of datagrams that no session took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Refused {
    /// Not a valid packet.
    pub malformed: u64,
    /// What was wrong with the last of those.
    pub last_error: Option<PacketError>,
    /// No session has that discriminator or peer.
    pub no_session: u64,
    /// The session has another peer address, interface or distance.
    pub wrong_source: u64,
    /// To the port of echo packets: of no peer that may have them sent back, and none of ours.
    pub echo: u64,
}

/// How much of its detection time had passed when a session that is up heard its peer again: the
/// jitter of peers, of the path and of this host, in the measure that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Those in each class.
    classes: [u64; GAP_CLASSES.len()],
    longer: u64,
    sum_percent: u64,
}

/// In percent. A third is what a peer with multiplier 3 keeps to.
const GAP_CLASSES: [u64; 8] = [25, 34, 50, 60, 70, 80, 90, 100];

impl Gaps {
    fn add(&mut self, percent: u64) {
        let mut classes = GAP_CLASSES.iter().zip(&mut self.classes);
        match classes.find(|(end, _)| percent <= **end) {
            Some((_, count)) => *count += 1,
            None => self.longer += 1,
        }
        self.sum_percent += percent;
    }

    /// The upper end of each class in percent, and how many gaps were not longer.
    pub fn at_most(&self) -> impl Iterator<Item = (u64, u64)> {
        let classes = GAP_CLASSES.into_iter().zip(self.classes);
        classes.scan(0, |all, (end, count)| {
            *all += count;
            Some((end, *all))
        })
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().sum::<u64>() + self.longer
    }

    /// All of them together, in percent.
    #[must_use]
    pub fn sum_percent(&self) -> u64 {
        self.sum_percent
    }
}

#[cfg(test)]
mod tests;
