//! What goes into a speaker and what comes out.
//!
//! The inputs are what happens on sockets, the outputs what is to be done with them, each with
//! the peer it belongs to. Connections carry the session's names ([`ConnId`]), so that a late
//! word about a connection that is gone is recognised and ignored.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::family::{Family, PerFamily};
use crate::rib::{Best, PeerId};
use crate::session::{ConnId, ConnectError, DownReason, Negotiated, StopReason};
use crate::wire::UpdateError;

/// Something happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A connection asked for by [`Output::Connect`] stands.
    Connected {
        /// With whom.
        peer: PeerId,
        /// Which one.
        conn: ConnId,
        /// Own address of the connection: the next hop of what is advertised.
        local: IpAddr,
    },
    /// A connection asked for by [`Output::Connect`] did not come about.
    ConnectFailed {
        /// With whom.
        peer: PeerId,
        /// Which one.
        conn: ConnId,
        /// What the kernel said.
        error: ConnectError,
    },
    /// The peer has connected. Finding the peer by its address is the listener's part.
    Accepted {
        /// Who.
        peer: PeerId,
        /// A [`ConnId::Incoming`] with a number never used before for this peer. Any other name
        /// is answered with [`Output::Close`].
        conn: ConnId,
        /// Own address of the connection.
        local: IpAddr,
    },
    /// Bytes arrived: any number of messages and fragments.
    Received {
        /// From whom.
        peer: PeerId,
        /// Where.
        conn: ConnId,
        /// What was read.
        bytes: BytesMut,
    },
    /// A connection ended. To be told after everything received on it.
    Closed {
        /// With whom.
        peer: PeerId,
        /// Which one.
        conn: ConnId,
        /// Text of the error, `None` for an orderly end.
        error: Option<String>,
    },
    /// The kernel took octets of [`Output::Send`]. Not telling stops the flow of routes after
    /// [`crate::rib::WINDOW`] octets, and ends the session after the send hold time (RFC 9687).
    Written {
        /// To whom.
        peer: PeerId,
        /// Where.
        conn: ConnId,
        /// How many more.
        octets: usize,
    },
    /// Bring a stopped session up again.
    Start {
        /// With whom.
        peer: PeerId,
    },
    /// End a session; the peer stays configured. [`StopReason::stays_down`] tells which reasons
    /// keep it down.
    Stop {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: StopReason,
    },
    /// Ask the peer for all routes of a family again (RFC 2918). Ignored when it cannot.
    RequestRefresh {
        /// Whom.
        peer: PeerId,
        /// Which.
        family: Family,
    },
    /// [`super::Speaker::deadline`] has come. Never wrong, also before the deadline.
    Timeout,
}

/// Something is to be done or known.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Connect to the peer; answer with [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect {
        /// To whom.
        peer: PeerId,
        /// Name of the attempt.
        conn: ConnId,
        /// Where.
        addr: SocketAddr,
    },
    /// Write these bytes: whole messages, in the order they come. Answer with
    /// [`Input::Written`].
    Send {
        /// To whom.
        peer: PeerId,
        /// Where.
        conn: ConnId,
        /// Never empty.
        bytes: Bytes,
    },
    /// Close the connection or give up the attempt, once what was sent before is written. Said
    /// exactly once of every connection, also of one reported closed or failed.
    Close {
        /// With whom.
        peer: PeerId,
        /// Which one.
        conn: ConnId,
    },
    /// Routes flow.
    Established {
        /// With whom.
        peer: PeerId,
        /// What both sides agreed on.
        negotiated: Arc<Negotiated>,
    },
    /// An Established session ended.
    Down {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: DownReason,
        /// Families whose routes stay for a graceful restart (RFC 4724 §4.2).
        retained: PerFamily<bool>,
    },
    /// A connection came to nothing, or a second one was turned away; the session goes on as it
    /// was. For logs.
    AttemptFailed {
        /// With whom.
        peer: PeerId,
        /// Which one.
        conn: ConnId,
        /// Why.
        reason: DownReason,
    },
    /// The paths in use for a route changed. Comes for own routes too, from
    /// [`PeerId::LOCAL`].
    Best(Best),
    /// The peer has sent all it has of a family (RFC 4724 §2). What follows from its routes was
    /// said before.
    EndOfRib {
        /// Who.
        peer: PeerId,
        /// Of which family.
        family: Family,
    },
    /// A mistake in an UPDATE that the session survived (RFC 7606). For logs.
    Malformed {
        /// Whose.
        peer: PeerId,
        /// What was wrong and what became of it.
        error: UpdateError,
    },
    /// The peer sent routes that cannot be read: those of the family are gone until the session
    /// is made anew (RFC 7606 §2).
    FamilyDisabled {
        /// Whose.
        peer: PeerId,
        /// Which.
        family: Family,
        /// What was wrong.
        error: UpdateError,
    },
}
