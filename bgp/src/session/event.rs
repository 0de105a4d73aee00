//! What goes into a session and what comes out.
//!
//! The owner of the sockets turns TCP, BFD and operators into [`Input`]s and carries out
//! [`Output`]s in the order they come. Connections have names ([`ConnId`]) so that a late word
//! about a connection that is already gone is recognised and ignored.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::config::{Config, cut};
use super::negotiated::Negotiated;
use super::notification::{self, cease};
use super::reason::DownReason;
use super::status::State;
use crate::family::{Family, PerFamily};
use crate::message::{Notification, RefreshKind, Update};
use crate::wire::UpdateError;

/// One TCP connection of a peer: who opened it, and a number that is never used again.
///
/// Outgoing numbers are chosen by the session ([`Output::Connect`]), incoming ones by the owner
/// of the listening socket ([`Input::Accepted`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnId {
    /// We connected.
    Outgoing(u32),
    /// The peer connected.
    Incoming(u32),
}

impl ConnId {
    /// Who opened it.
    pub fn side(self) -> Side {
        match self {
            ConnId::Outgoing(_) => Side::Outgoing,
            ConnId::Incoming(_) => Side::Incoming,
        }
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnId::Outgoing(number) => write!(f, "outgoing connection {number}"),
            ConnId::Incoming(number) => write!(f, "incoming connection {number}"),
        }
    }
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// We did.
    Outgoing,
    /// The peer did.
    Incoming,
}

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// Bring the session up, and again whenever it goes down.
    Start,
    /// End the session. Reasons that are administrative keep it down until [`Input::Start`]; a
    /// reset comes back by itself, see [`StopReason::stays_down`].
    Stop(StopReason),
    /// The device that the peer is behind carries frames again: a session that is wanted connects at
    /// once, not when the delay is over that grew meanwhile.
    LinkIsBack,
    /// The configuration has changed. Bounces the session if [`Config::needs_restart`] says so.
    Configure(Box<Config>),
    /// An outgoing connection stands.
    Connected {
        /// Which one.
        conn: ConnId,
    },
    /// An outgoing connection did not come about.
    ConnectFailed {
        /// Which one.
        conn: ConnId,
        /// What the kernel said.
        error: ConnectError,
    },
    /// The peer has connected, or somebody in its name, and the owner of the sockets has closed the
    /// connection. It is only remembered.
    TurnedAway {
        /// Why.
        why: String,
    },
    /// The peer has connected. `conn` is an [`ConnId::Incoming`] with a fresh number.
    Accepted {
        /// The name the owner gives it.
        conn: ConnId,
    },
    /// Bytes arrived. Splitting the owner's read buffer and handing the filled part over costs
    /// no copy.
    Received {
        /// Where.
        conn: ConnId,
        /// What was read: any number of messages and fragments.
        bytes: BytesMut,
    },
    /// The connection ended, without or with an error. To be told after all bytes were handed in.
    Closed {
        /// Which one.
        conn: ConnId,
        /// Text of the error, `None` for an orderly end.
        error: Option<String>,
    },
    /// The owner stops or resumes reading, because the tables are behind. Silence proves nothing
    /// meanwhile, so the hold timer rests.
    ReadPaused {
        /// Which one.
        conn: ConnId,
        /// Stopped, as against resumed.
        paused: bool,
    },
    /// Bytes wait, and the kernel takes none: the send hold timer runs (RFC 9687).
    WriteBlocked {
        /// Which one.
        conn: ConnId,
    },
    /// The kernel took bytes.
    WriteProgress {
        /// Which one.
        conn: ConnId,
        /// More bytes are waiting.
        waiting: bool,
    },
    /// UPDATEs made elsewhere were written to the established connection.
    Sent {
        /// Which one.
        conn: ConnId,
        /// How many messages.
        updates: u32,
    },
    /// BFD's opinion of the path. To be told once at the beginning too, and when it changes.
    Bfd(Bfd),
    /// Ask the peer for all routes of a family again (RFC 2918). Ignored when it cannot.
    RequestRefresh {
        /// Which.
        family: Family,
    },
    /// [`super::Session::deadline`] has come. Hand in what was received first: after a stall of
    /// the owner, the peer's sign of life may lie unread beside an expired hold timer.
    Timeout,
}

/// BFD's opinion of the path to the peer. Administratively down is no opinion (RFC 5882 §4.2):
/// do not report it as `Down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bfd {
    /// Packets arrive.
    Up,
    /// The peer has begun its BFD session again, as a program does that has lost its state: that is not
    /// up, and says nothing of the path (RFC 5882 §3.3). It counts as [`Bfd::Down`] when it is not up
    /// again soon, and where it was not up before.
    Anew,
    /// None arrive.
    Down,
    /// None arrive from a peer whose BFD does not depend on its control plane: that is the path,
    /// whatever the peer's programs do (RFC 5882 §4.3).
    PathDown,
}

/// Something is to be done or known.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Output {
    /// Connect to the peer; answer with [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect {
        /// Name of the attempt.
        conn: ConnId,
    },
    /// Close the connection or give up the attempt, after what was sent before has been written
    /// (for a second at most). Said exactly once of every connection, also of one that the owner
    /// has reported closed or failed; nothing needs to be reported back.
    CloseConnection {
        /// Which one.
        conn: ConnId,
    },
    /// Write these bytes.
    Send {
        /// Where.
        conn: ConnId,
        /// A whole message.
        bytes: Bytes,
    },
    /// Routes may flow. Comes before the first [`Output::Updates`] of a session.
    Established {
        /// The connection UPDATEs go to.
        conn: ConnId,
        /// What both sides agreed on.
        negotiated: Arc<Negotiated>,
    },
    /// UPDATEs and End-of-RIB in their order, as many as came together. Mistakes in one that did
    /// not end the session are in [`Update::errors`].
    Updates(Vec<Update>),
    /// The peer asks for routes of a negotiated family or brackets its own (RFC 7313).
    Refresh {
        /// Which.
        family: Family,
        /// What is asked or marked; never [`RefreshKind::Unknown`].
        kind: RefreshKind,
    },
    /// The peer sent routes of a family that cannot be read. The family is dead for the rest of
    /// the session, and its routes are gone; the others live on (RFC 7606 §2, AFI/SAFI disable).
    FamilyDisabled {
        /// Which.
        family: Family,
        /// What was wrong.
        error: UpdateError,
    },
    /// The session ended. Routes of families not in `retain` are gone, the others become stale
    /// (RFC 4724 §4.2). Where those that are still stale from an earlier restart may not stay, an
    /// [`Output::Release`] came before.
    Down {
        /// Why.
        reason: DownReason,
        /// What to keep for a graceful restart.
        retain: Option<Retain>,
    },
    /// Routes that are still stale in these families are a last resort from now on: the peer has
    /// been away for longer than its restart time (RFC 9494 §4.2).
    LongLived {
        /// Families whose stale routes have grown old.
        families: PerFamily<bool>,
        /// What they waited for until now.
        reason: ReleaseReason,
    },
    /// Routes that are still stale in these families are gone: what they waited for did not come.
    Release {
        /// Families whose stale routes to drop.
        families: PerFamily<bool>,
        /// Why.
        reason: ReleaseReason,
    },
    /// A connection attempt came to nothing, or a second connection was turned away; the session
    /// goes on as it was. For logs; a session's own end is [`Output::Down`].
    AttemptFailed {
        /// Which connection.
        conn: ConnId,
        /// Why.
        reason: DownReason,
    },
    /// The state of the peer as shown has changed.
    StateChanged {
        /// Before.
        from: State,
        /// Now.
        to: State,
    },
}

/// What a helper keeps while its peer restarts (RFC 4724 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retain {
    /// Families whose routes stay, marked stale.
    pub families: PerFamily<bool>,
    /// For how long the peer asked. The session keeps the timer and says [`Output::LongLived`] or
    /// [`Output::Release`].
    pub restart_time: Duration,
    /// Families that stay longer, as a last resort, and for how long (RFC 9494).
    pub long_lived: PerFamily<Option<Duration>>,
}

/// Why stale routes are no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseReason {
    /// The peer was not back within its restart time.
    RestartTimeExpired,
    /// Nor within the time for which its routes may stay as a last resort (RFC 9494).
    LongLivedExpired,
    /// The peer's address itself stopped answering: BFD is down and connection attempts got
    /// neither an acceptance nor a refusal. Not a restarting program but a dead host or path.
    PeerSilent,
    /// The peer is back, but does not list the family or did not keep its forwarding state.
    NotPreserved,
    /// The peer is back, but did not send End-of-RIB within the stale time.
    StaleTimeExpired,
    /// The peer restarted again before it had sent everything (RFC 4724 §4.2).
    RestartedAgain,
    /// The session was stopped here.
    Stopped,
}

impl fmt::Display for ReleaseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReleaseReason::RestartTimeExpired => "the peer did not return within its restart time",
            ReleaseReason::LongLivedExpired => {
                "the peer did not return within its long-lived stale time"
            }
            ReleaseReason::PeerSilent => "BFD is down and the peer's address does not answer",
            ReleaseReason::NotPreserved => "the peer returned without its forwarding state",
            ReleaseReason::StaleTimeExpired => "the peer did not send End-of-RIB in time",
            ReleaseReason::RestartedAgain => "the peer restarted again before End-of-RIB",
            ReleaseReason::Stopped => "the session was stopped",
        })
    }
}

/// Why a connection attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// The address answered: nothing listens there.
    Refused,
    /// No answer.
    TimedOut,
    /// No route, or a router said so.
    Unreachable,
    /// This host does not know a way there (ENETUNREACH).
    NoRoute,
    /// The connection could not be made ready: this host has no such address or interface, or does
    /// not take the password.
    Here(String),
    /// Anything else, as the kernel put it.
    Other(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Refused => f.write_str("connection refused"),
            ConnectError::TimedOut => f.write_str("no answer to the connection attempt"),
            ConnectError::Unreachable => f.write_str("address unreachable"),
            ConnectError::NoRoute => f.write_str("no route to the address"),
            ConnectError::Here(text) => write!(f, "cannot connect from here: {text}"),
            ConnectError::Other(text) => write!(f, "connecting failed: {text}"),
        }
    }
}

/// Why we end a session ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The operator wants it down. The text reaches the peer's operator (RFC 9003).
    AdministrativeShutdown {
        /// At most 255 octets are sent.
        text: String,
    },
    /// The operator wants it to start afresh. Routes survive where both sides keep them over a
    /// NOTIFICATION (RFC 8538).
    AdministrativeReset {
        /// At most 255 octets are sent.
        text: String,
    },
    /// The same, and no side may keep routes (RFC 8538 §3).
    HardReset {
        /// At most 255 octets are sent.
        text: String,
    },
    /// The peer has been removed from the configuration.
    PeerDeconfigured,
    /// Something negotiated has changed in the configuration.
    OtherConfigurationChange,
    /// The peer sent more routes than allowed (RFC 4486 §4).
    MaximumPrefixes {
        /// Of this family.
        family: Family,
        /// The limit.
        limit: u32,
        /// When to start again by ourselves; `None`: not before [`Input::Start`].
        restart_after: Option<Duration>,
    },
    /// We are out of memory or the like (RFC 4486 §4).
    OutOfResources,
    /// The device that the peer is behind went down or away: nothing gets through, and a
    /// connection that waits for its hold time keeps the peer's next one out.
    LinkDown {
        /// The device.
        interface: String,
    },
}

impl StopReason {
    /// True when the session stays down until [`Input::Start`], or for a time that the reason
    /// names.
    pub fn stays_down(&self) -> bool {
        match self {
            StopReason::AdministrativeShutdown { .. }
            | StopReason::PeerDeconfigured
            | StopReason::MaximumPrefixes { .. }
            | StopReason::OutOfResources => true,
            StopReason::AdministrativeReset { .. }
            | StopReason::HardReset { .. }
            | StopReason::OtherConfigurationChange
            | StopReason::LinkDown { .. } => false,
        }
    }

    /// When a session that this reason keeps down starts again by itself.
    pub(super) fn restart_after(&self) -> Option<Duration> {
        match self {
            StopReason::MaximumPrefixes { restart_after, .. } => *restart_after,
            StopReason::AdministrativeShutdown { .. }
            | StopReason::AdministrativeReset { .. }
            | StopReason::HardReset { .. }
            | StopReason::PeerDeconfigured
            | StopReason::OtherConfigurationChange
            | StopReason::OutOfResources
            | StopReason::LinkDown { .. } => None,
        }
    }

    /// True when routes must not outlive the session on either side (RFC 8538 §3.1).
    pub fn is_hard(&self) -> bool {
        match self {
            StopReason::AdministrativeReset { .. }
            | StopReason::OtherConfigurationChange
            | StopReason::OutOfResources => false,
            StopReason::AdministrativeShutdown { .. }
            | StopReason::HardReset { .. }
            | StopReason::PeerDeconfigured
            | StopReason::MaximumPrefixes { .. }
            | StopReason::LinkDown { .. } => true,
        }
    }

    /// The NOTIFICATION for the peer, before any wrapping as Hard Reset.
    pub(super) fn notification(&self) -> Notification {
        match self {
            StopReason::AdministrativeShutdown { text } => {
                notification::with_text(cease::ADMINISTRATIVE_SHUTDOWN, text)
            }
            StopReason::AdministrativeReset { text } | StopReason::HardReset { text } => {
                notification::with_text(cease::ADMINISTRATIVE_RESET, text)
            }
            StopReason::PeerDeconfigured => notification::cease(cease::PEER_DECONFIGURED),
            // No number says so; it hardly arrives.
            StopReason::OtherConfigurationChange | StopReason::LinkDown { .. } => {
                notification::cease(cease::OTHER_CONFIGURATION_CHANGE)
            }
            StopReason::MaximumPrefixes { family, limit, .. } => {
                // RFC 4486 §4: AFI, SAFI and the bound.
                let mut data = family.afi().to_be_bytes().to_vec();
                data.push(family.safi());
                data.extend_from_slice(&limit.to_be_bytes());
                Notification {
                    data: data.into(),
                    ..notification::cease(cease::MAXIMUM_PREFIXES)
                }
            }
            StopReason::OutOfResources => notification::cease(cease::OUT_OF_RESOURCES),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_text = |f: &mut fmt::Formatter<'_>, what: &str, text: &str| match text {
            "" => f.write_str(what),
            text => write!(f, "{what}: {}", cut(text, 255)),
        };
        match self {
            StopReason::AdministrativeShutdown { text } => {
                with_text(f, "administrative shutdown", text)
            }
            StopReason::AdministrativeReset { text } => with_text(f, "administrative reset", text),
            StopReason::HardReset { text } => with_text(f, "hard reset", text),
            StopReason::PeerDeconfigured => f.write_str("peer removed from the configuration"),
            StopReason::OtherConfigurationChange => f.write_str("configuration changed"),
            StopReason::MaximumPrefixes { family, limit, .. } => {
                write!(f, "more than {limit} {family} prefixes received")
            }
            StopReason::OutOfResources => f.write_str("out of resources"),
            StopReason::LinkDown { interface } => write!(f, "interface {interface} went down"),
        }
    }
}
