//! One peer of a speaker: its session, its connections, and what waits to be written on them.
//!
//! Bytes leave through here so that one count serves three: the session learns that the peer
//! takes none (RFC 9687) and how many UPDATEs went out, the tables that the window moves on.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::config::PeerConfig;
use crate::rib::{Batch, PeerFacts, PeerId};
use crate::session::{self, ConnId, Negotiated, Session};

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) session: Session,
    /// At most one per side, and attempts among them.
    connections: Vec<Connection>,
    established: Option<Established>,
}

#[derive(Debug)]
struct Connection {
    conn: ConnId,
    /// Unknown while it is an attempt.
    local: Option<IpAddr>,
    waiting: VecDeque<Chunk>,
}

#[derive(Debug)]
struct Established {
    conn: ConnId,
    negotiated: Arc<Negotiated>,
}

/// Bytes that were handed out together.
#[derive(Debug, Default)]
struct Chunk {
    octets: usize,
    /// Empty but at the end of a batch.
    done: Done,
}

/// What is to be reported when a chunk is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    /// Octets to the tables, by their count.
    pub(super) window: usize,
    /// UPDATEs to the session.
    pub(super) updates: u32,
}

impl Peer {
    pub(super) fn new(config: PeerConfig, session: Session) -> Self {
        Self {
            config,
            session,
            connections: Vec::new(),
            established: None,
        }
    }

    /// An attempt begins or the peer has connected.
    pub(super) fn open(&mut self, conn: ConnId, local: Option<IpAddr>) {
        self.connections.push(Connection {
            conn,
            local,
            waiting: VecDeque::new(),
        });
    }

    /// An attempt got through; false if it was given up before.
    pub(super) fn connected(&mut self, conn: ConnId, local: IpAddr) -> bool {
        match self.connection_mut(conn) {
            Some(connection) => {
                connection.local = Some(local);
                true
            }
            None => false,
        }
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        self.connections
            .retain(|connection| connection.conn != conn);
    }

    /// Established on `conn`: what the tables need to know.
    pub(super) fn up(&mut self, conn: ConnId, negotiated: Arc<Negotiated>) -> Option<PeerFacts> {
        let local = self.connection_mut(conn)?.local?;
        // A listener on `::` shows IPv4 connections with mapped addresses.
        let facts = self.config.facts(&negotiated, local.to_canonical());
        self.established = Some(Established { conn, negotiated });
        Some(facts)
    }

    pub(super) fn down(&mut self) {
        self.established = None;
    }

    /// Settings of the running session under a changed configuration.
    pub(super) fn facts(&mut self) -> Option<PeerFacts> {
        let Established { conn, negotiated } = self.established.as_ref()?;
        let (conn, negotiated) = (*conn, Arc::clone(negotiated));
        self.up(conn, negotiated)
    }

    /// A message of the session was handed out.
    pub(super) fn sent(&mut self, now: Instant, conn: ConnId, octets: usize) {
        self.wait_for(
            now,
            conn,
            Chunk {
                octets,
                done: Done::default(),
            },
        );
    }

    /// The bytes of a batch for this peer, and where they go; `None` without a session.
    pub(super) fn batch(
        &mut self,
        now: Instant,
        peer: PeerId,
        batch: &Batch,
    ) -> Option<(ConnId, Vec<Bytes>)> {
        let conn = self.established.as_ref()?.conn;
        let pieces: Vec<Bytes> = batch.pieces(peer).collect();
        let octets = pieces.iter().map(Bytes::len).sum();
        if octets == 0 {
            return None;
        }
        let updates = u32::try_from(batch.messages(peer)).unwrap_or(u32::MAX);
        let done = Done {
            window: batch.len(),
            updates,
        };
        self.wait_for(now, conn, Chunk { octets, done });
        Some((conn, pieces))
    }

    fn wait_for(&mut self, now: Instant, conn: ConnId, chunk: Chunk) {
        if let Some(connection) = self.connection_mut(conn) {
            connection.waiting.push_back(chunk);
            // RFC 9687: the clock runs from the moment that something waits.
            self.session
                .handle(now, session::Input::WriteBlocked { conn });
        }
    }

    /// Octets are with the kernel.
    pub(super) fn written(&mut self, now: Instant, conn: ConnId, mut octets: usize) -> Done {
        let mut done = Done::default();
        let Some(connection) = self.connection_mut(conn).filter(|_| octets > 0) else {
            return done;
        };
        while let Some(chunk) = connection.waiting.front_mut() {
            let taken = octets.min(chunk.octets);
            chunk.octets -= taken;
            octets -= taken;
            if chunk.octets > 0 {
                break;
            }
            done.window += chunk.done.window;
            done.updates = done.updates.saturating_add(chunk.done.updates);
            connection.waiting.pop_front();
        }
        let waiting = !connection.waiting.is_empty();
        self.session
            .handle(now, session::Input::WriteProgress { conn, waiting });
        if done.updates > 0 {
            let updates = done.updates;
            self.session
                .handle(now, session::Input::Sent { conn, updates });
        }
        done
    }

    pub(super) fn enhanced_refresh(&self) -> bool {
        self.established
            .as_ref()
            .is_some_and(|it| it.negotiated.enhanced_refresh)
    }

    fn connection_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections
            .iter_mut()
            .find(|connection| connection.conn == conn)
    }
}
