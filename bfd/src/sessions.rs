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

use crate::packet::{Discriminator, Packet, PacketError};
use crate::session::{self, Config, InterfaceIndex, Output, Session};
use crate::timers::Timers;

/// What happens to the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A datagram arrived on UDP port 3784.
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
    /// The interface it arrived on.
    pub interface: InterfaceIndex,
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
}

/// What names a session until the peer knows its discriminator, RFC 5881 §3.
type Peer = (IpAddr, Option<InterfaceIndex>);

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
                peer: peer.0,
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
        let new = (old.0, interface);
        if let Some(&other) = self.by_peer.get(&new).filter(|&&other| other != session) {
            return Err(AddError::Peer {
                peer: new.0,
                session: other,
            });
        }
        moved.rebind(local, interface);
        self.by_peer.remove(&old);
        self.by_peer.insert(new, session);
        Ok(())
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.notice_stall(now);
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

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        let packet = match Packet::decode(datagram.payload) {
            Ok(packet) => packet,
            Err(error) => {
                self.refused.malformed += 1;
                self.refused.last_error = Some(error);
                return;
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
            return;
        };
        let other_interface = config
            .interface_index()
            .is_some_and(|interface| interface != datagram.interface);
        if config.remote_address() != datagram.remote || other_interface {
            self.refused.wrong_source += 1;
            return;
        }
        self.pass_on(
            now,
            session,
            session::Input::Received {
                packet,
                ttl: datagram.ttl,
            },
        );
    }

    /// RFC 5881 §3: the first packets are matched by source address and interface.
    fn by_address(&self, datagram: &Datagram<'_>) -> Option<(Discriminator, &Config)> {
        let exact = self
            .by_peer
            .get(&(datagram.remote, Some(datagram.interface)));
        let session = exact.or_else(|| self.by_peer.get(&(datagram.remote, None)))?;
        self.sessions
            .get(session)
            .map(|found| (*session, found.config()))
    }

    fn notice_stall(&mut self, now: Instant) {
        let Some(deadline) = self.timers.deadline() else {
            return;
        };
        let by = now.saturating_duration_since(deadline);
        if by < STALL_MIN {
            return;
        }
        // This also runs what is due, so the same lateness is not seen again.
        let all: Vec<Discriminator> = self.sessions.keys().copied().collect();
        for session in all {
            self.pass_on(now, session, session::Input::Stalled { by });
        }
    }

    fn pass_on(&mut self, now: Instant, key: Discriminator, input: session::Input) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.handle(now, input);
        while let Some(output) = session.poll() {
            self.outputs.push_back((key, output));
        }
        self.timers.set(key, session.deadline());
    }
}

fn peer(config: &Config) -> Peer {
    (config.remote_address(), config.interface_index())
}

/// Why a session is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The discriminator is taken.
    #[error("discriminator {0} names another session already")]
    Discriminator(Discriminator),
    /// RFC 5881 §3: one session for a peer on an interface.
    #[error("session {session} with `{peer}` exists already on that interface")]
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
    /// The session has another peer address or interface.
    pub wrong_source: u64,
}

#[cfg(test)]
mod tests;
