//! Why a connection or a session ended.
//!
//! One value serves the NOTIFICATION sent to the peer, the decision whether routes are kept, the
//! log, and the answer to "why is it not up and what can I do".

use std::fmt;
use std::time::Duration;

use super::event::{ConnectError, StopReason};
use super::negotiated::OpenError;
use super::notification::{self, cease};
use super::status::State;
use crate::message::Notification;
use crate::wire;

/// Why a connection or a session ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DownReason {
    /// We ended it on purpose.
    Stopped(StopReason),
    /// The peer ended it and said why.
    NotificationReceived(Notification),
    /// TCP could not be set up.
    ConnectFailed(ConnectError),
    /// TCP ended without a NOTIFICATION.
    ConnectionClosed {
        /// In which state.
        state: State,
        /// The kernel's error, `None` for an orderly end.
        error: Option<String>,
    },
    /// The peer was silent for too long (RFC 4271 §6.5).
    HoldTimerExpired {
        /// In which state.
        state: State,
        /// How long we waited.
        after: Duration,
    },
    /// The peer took no byte for too long (RFC 9687).
    SendHoldTimerExpired {
        /// How long we waited.
        after: Duration,
    },
    /// BFD says that the path is dead.
    BfdDown,
    /// BFD is not up, and the configuration insists on it.
    BfdNotUp,
    /// The peer's OPEN does not fit.
    Open(OpenError),
    /// The peer sent something that ends the session.
    Malformed {
        /// What was sent in return.
        notification: Notification,
        /// What was wrong.
        text: String,
    },
    /// A message that does not belong into the state (RFC 6608).
    UnexpectedMessage {
        /// In which state.
        state: State,
        /// Type octet of the message.
        message_type: u8,
    },
    /// The other of two connections was kept (RFC 4271 §6.8).
    Collision,
    /// A connection came while the session is at rest or stopped.
    Rejected,
    /// The peer has restarted and opened a new connection (RFC 4724 §4.2).
    PeerReconnected,
    /// The owner of the sockets did not take the peer's connection for the peer's.
    TurnedAway {
        /// Why not.
        why: String,
    },
}

/// Who ended a connection, or keeps one from coming about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// This side.
    Us,
    /// The peer.
    Peer,
    /// Neither: what lies between.
    Path,
}

impl DownReason {
    /// The NOTIFICATION to send, if any.
    pub fn notification(&self) -> Option<Notification> {
        match self {
            Self::Stopped(reason) => Some(reason.notification()),
            Self::NotificationReceived(_)
            | Self::ConnectFailed(_)
            | Self::ConnectionClosed { .. }
            | Self::TurnedAway { .. }
            // RFC 4724 §4.2: the old connection ends without a NOTIFICATION.
            | Self::PeerReconnected => None,
            Self::HoldTimerExpired { .. } => Some(notification::hold_timer_expired()),
            Self::SendHoldTimerExpired { .. } => Some(notification::send_hold_timer_expired()),
            // RFC 9384 §3.
            Self::BfdDown => Some(notification::cease(cease::BFD_DOWN)),
            Self::Open(error) => Some(error.notification()),
            Self::Malformed { notification, .. } => Some(notification.clone()),
            Self::UnexpectedMessage { state, message_type } => Some(
                notification::unexpected_message(fsm_subcode(*state), *message_type),
            ),
            Self::Collision => Some(notification::cease(cease::COLLISION)),
            Self::Rejected | Self::BfdNotUp => {
                Some(notification::cease(cease::CONNECTION_REJECTED))
            }
        }
    }

    /// True when no side may keep routes: the NOTIFICATION goes out as Hard Reset where the peer
    /// would otherwise keep them (RFC 8538 §3.1).
    pub fn is_hard(&self) -> bool {
        match self {
            Self::Stopped(reason) => reason.is_hard(),
            // The path is dead: keeping routes through it would be a black hole.
            Self::BfdDown => true,
            // The peer's BFD does not hear us: what we send there is lost.
            Self::NotificationReceived(notification) => {
                notification.is_hard_reset() || notification.is_bfd_down()
            }
            Self::ConnectFailed(_)
            | Self::ConnectionClosed { .. }
            | Self::HoldTimerExpired { .. }
            | Self::SendHoldTimerExpired { .. }
            | Self::BfdNotUp
            | Self::Open(_)
            | Self::Malformed { .. }
            | Self::UnexpectedMessage { .. }
            | Self::Collision
            | Self::Rejected
            | Self::TurnedAway { .. }
            | Self::PeerReconnected => false,
        }
    }

    /// True when TCP ended without a NOTIFICATION of either side, which is what RFC 4724 alone
    /// covers; the rest needs RFC 8538.
    pub(super) fn is_silent_end(&self) -> bool {
        match self {
            Self::ConnectionClosed { .. } | Self::PeerReconnected => true,
            Self::Stopped(_)
            | Self::NotificationReceived(_)
            | Self::ConnectFailed(_)
            | Self::HoldTimerExpired { .. }
            | Self::SendHoldTimerExpired { .. }
            | Self::BfdDown
            | Self::BfdNotUp
            | Self::Open(_)
            | Self::Malformed { .. }
            | Self::UnexpectedMessage { .. }
            | Self::Collision
            | Self::TurnedAway { .. }
            | Self::Rejected => false,
        }
    }

    /// True when trying again soon does no harm: the end was somebody's wish, or took long by
    /// itself, or lies in the network. Otherwise the two sides disagree, would do so again at
    /// once, and need a rest that grows (RFC 4271 §8.1.1, DampPeerOscillations).
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::ConnectFailed(_)
            | Self::ConnectionClosed { .. }
            | Self::HoldTimerExpired { .. }
            | Self::SendHoldTimerExpired { .. }
            | Self::Collision
            | Self::Rejected
            | Self::TurnedAway { .. }
            | Self::BfdNotUp
            | Self::BfdDown
            | Self::PeerReconnected => true,
            Self::NotificationReceived(notification) => notification.is_wish(),
            Self::Stopped(reason) => !reason.stays_down(),
            Self::Open(_) | Self::Malformed { .. } | Self::UnexpectedMessage { .. } => false,
        }
    }

    /// True when it says that the peer would not have us at this moment, and not why. One that
    /// rests after a disagreement does that, and the disagreement is what matters.
    pub(super) fn is_vague(&self) -> bool {
        match self {
            Self::NotificationReceived(received) => {
                (received.code, received.subcode)
                    == (notification::CEASE, cease::CONNECTION_REJECTED)
            }
            Self::ConnectionClosed { state, .. } => *state == State::OpenSent,
            Self::Stopped(_)
            | Self::ConnectFailed(_)
            | Self::HoldTimerExpired { .. }
            | Self::SendHoldTimerExpired { .. }
            | Self::BfdDown
            | Self::BfdNotUp
            | Self::Open(_)
            | Self::Malformed { .. }
            | Self::UnexpectedMessage { .. }
            | Self::Collision
            | Self::Rejected
            | Self::PeerReconnected
            | Self::TurnedAway { .. } => false,
        }
    }

    /// Whose doing it is.
    pub fn ended_by(&self) -> EndedBy {
        match self {
            Self::Stopped(_)
            | Self::HoldTimerExpired { .. }
            | Self::SendHoldTimerExpired { .. }
            | Self::BfdDown
            | Self::BfdNotUp
            | Self::Open(_)
            | Self::Malformed { .. }
            | Self::UnexpectedMessage { .. }
            | Self::Collision
            | Self::Rejected
            | Self::TurnedAway { .. } => EndedBy::Us,
            // Before its OPEN: the peer did not take the connection, or closed it with our OPEN
            // unread, which the kernel tells as a reset.
            Self::ConnectionClosed {
                state: State::OpenSent,
                ..
            } => EndedBy::Peer,
            Self::NotificationReceived(_)
            | Self::ConnectFailed(ConnectError::Refused)
            | Self::ConnectionClosed { error: None, .. }
            | Self::PeerReconnected => EndedBy::Peer,
            Self::ConnectFailed(
                ConnectError::TimedOut | ConnectError::Unreachable | ConnectError::Other(_),
            )
            | Self::ConnectionClosed { error: Some(_), .. } => EndedBy::Path,
            // What has to be changed is here.
            Self::ConnectFailed(ConnectError::NoRoute | ConnectError::Here(_)) => EndedBy::Us,
        }
    }

    /// What the operator can do about it, if there is something.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Stopped(StopReason::MaximumPrefixes { .. }) => {
                "raise `maximum_prefixes`, or filter at the peer and `rbgpctl clear` it"
            }
            Self::Stopped(_) => return None,
            Self::NotificationReceived(received) => return received_remedy(received),
            Self::ConnectFailed(error) => match error {
                ConnectError::Refused => {
                    "the host answers, but nothing listens: start BGP there, and check that it \
                     listens on this address and port and that no firewall rejects the connection"
                }
                ConnectError::TimedOut => {
                    "check that the address is reachable (`ping`), that the tunnel or link is up, \
                     and that no firewall drops TCP port 179; a password that only one side has \
                     looks the same"
                }
                ConnectError::Unreachable => {
                    "nobody answers for the address on its link, or a router on the way says so: \
                     check that the peer is up and has this address"
                }
                ConnectError::NoRoute => {
                    "this host has no route to the peer: check the interface, its address and \
                     `ip route get`"
                }
                ConnectError::Here(_) => {
                    "what the neighbor's `local_address`, `update_source`, `interface` or `vrf` names \
                     must be on this host: compare them with `ip address`"
                }
                ConnectError::Other(_) => return None,
            },
            Self::ConnectionClosed {
                state: State::OpenSent,
                ..
            } => {
                "the peer closed without a word before its OPEN: usually it has no neighbor \
                 configured with our address, has shut it down, expects another password, or counts \
                 hops (`ttl_security` there, and then here too)"
            }
            Self::ConnectionClosed { .. } => {
                "the peer's program or host went away, or something between cut the connection"
            }
            Self::HoldTimerExpired {
                state: State::OpenSent,
                ..
            } => {
                "the peer accepted the connection and sent no OPEN: its BGP program hangs, or the \
                 path drops large packets (MTU)"
            }
            Self::HoldTimerExpired { .. } => {
                "nothing came from the peer: check the path (MTU, loss) and the peer's load"
            }
            Self::SendHoldTimerExpired { .. } => {
                "the peer does not read: its BGP program hangs, or the path drops large packets \
                 (MTU)"
            }
            Self::BfdDown => "check the path to the peer; the session returns with BFD",
            Self::BfdNotUp => {
                "configure BFD at the peer too, or do not insist on it with `strict` here"
            }
            Self::Open(error) => return Some(error.remedy()),
            Self::Malformed { .. } | Self::UnexpectedMessage { .. } => {
                "the peer does not follow the protocol: see whether newer software helps there"
            }
            Self::TurnedAway { .. } => {
                "the peer is farther away than `ttl_security` says, or does not send with TTL \
                 255: set it there too (RFC 5082)"
            }
            Self::Collision | Self::Rejected | Self::PeerReconnected => return None,
        };
        Some(text.to_owned())
    }
}

/// RFC 6608 §3.
fn fsm_subcode(state: State) -> u8 {
    match state {
        State::Idle | State::Connect | State::Active => 0,
        State::OpenSent => 1,
        State::OpenConfirm => 2,
        State::Established => 3,
    }
}

fn received_remedy(received: &Notification) -> Option<String> {
    let text = match (received.code, received.subcode) {
        (2, 2) => {
            "the peer expects another AS number than ours: compare `asn` here with the \
                   peer's configured remote AS"
        }
        (2, 3) => "give the two routers different router IDs",
        (2, 5) => "compare the passwords of both sides",
        (2, 6) => "the peer finds our hold time too short: raise `timers.hold`",
        (2, 7) => "activate the same address families on both sides",
        (2, 11) => "compare `role` on both sides (provider with customer, peer with peer)",
        (2, _) => "compare the configuration of both sides",
        (3, _) => "the peer could not digest a route of ours: see its log, and report it",
        (4, _) => {
            "the peer heard nothing from us in time: check the path (MTU, loss) and our load"
        }
        (6, 1) => {
            "we send more prefixes than the peer allows: filter on export, or raise its limit"
        }
        (6, 2) => "the peer's operator has shut the session down: ask there",
        (6, 3) => "the peer has no neighbor configured with our address",
        (6, 5) => {
            "the peer takes no connection from us now: it has no neighbor configured with our \
             address, or rests after a failure that its log names"
        }
        (6, 7) => {
            "both sides connected at once, and the peer kept the other connection; when that \
             goes on, the sides disagree about which to keep: set `passive = true` on one of them"
        }
        (6, 9) => {
            return received
                .inner()
                .filter(|i| !i.is_hard_reset())
                .as_ref()
                .and_then(received_remedy);
        }
        (6, 10) => "BFD at the peer lost our packets: check the path",
        (8, _) => "we did not read fast enough for the peer: see our load",
        _ => return None,
    };
    Some(text.to_owned())
}

impl From<wire::Error> for DownReason {
    fn from(error: wire::Error) -> Self {
        Self::Malformed {
            notification: error.notification(),
            text: error.to_string(),
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(reason) => write!(f, "stopped here: {reason}"),
            Self::NotificationReceived(received) => write!(f, "the peer closed: {received}"),
            Self::ConnectFailed(error) => error.fmt(f),
            Self::ConnectionClosed {
                state,
                error: Some(error),
            } => {
                write!(f, "the connection broke in {state}: {error}")
            }
            Self::ConnectionClosed { state, error: None } => {
                write!(
                    f,
                    "the peer closed the connection in {state} without a NOTIFICATION"
                )
            }
            Self::HoldTimerExpired { state, after } => {
                write!(
                    f,
                    "no message from the peer for {} s in {state}",
                    after.as_secs()
                )
            }
            Self::SendHoldTimerExpired { after } => {
                write!(f, "the peer accepted no data for {} s", after.as_secs())
            }
            Self::BfdDown => f.write_str("BFD is down: the path to the peer is dead"),
            Self::BfdNotUp => f.write_str("BFD is not up yet"),
            Self::Open(error) => error.fmt(f),
            Self::Malformed { notification, text } => write!(f, "{text} (sent {notification})"),
            Self::UnexpectedMessage {
                state,
                message_type,
            } => {
                let name = match message_type {
                    1 => "OPEN",
                    2 => "UPDATE",
                    3 => "NOTIFICATION",
                    4 => "KEEPALIVE",
                    5 => "ROUTE-REFRESH",
                    _ => "a message",
                };
                write!(
                    f,
                    "the peer sent {name}, which does not belong into {state}"
                )
            }
            Self::Collision => f.write_str("the other connection with this peer was kept"),
            Self::TurnedAway { why } => {
                write!(f, "a connection of the peer was turned away: {why}")
            }
            Self::Rejected => f.write_str("connection turned away: the session is at rest"),
            Self::PeerReconnected => f.write_str("the peer restarted and connected anew"),
        }
    }
}
