//! NOTIFICATION codes by name.
//!
//! Builds the NOTIFICATIONs a session sends and turns received ones into words, with the text of
//! a shutdown communication where there is one. Which error leads to which code is decided where
//! the error is found.

use std::fmt;

use super::config::cut;
use crate::message::Notification;

/// OPEN Message Error (RFC 4271 §6.2).
pub(super) const OPEN: u8 = 2;
/// Hold Timer Expired (RFC 4271 §6.5).
const HOLD_TIMER_EXPIRED: u8 = 4;
/// Finite State Machine Error (RFC 4271 §6.6).
const FINITE_STATE_MACHINE: u8 = 5;
/// Cease (RFC 4271 §6.7).
pub(super) const CEASE: u8 = 6;
/// Send Hold Timer Expired (RFC 9687 §4).
const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

/// Subcodes of an OPEN Message Error.
pub(super) mod open {
    pub(in super::super) const BAD_PEER_AS: u8 = 2;
    pub(in super::super) const BAD_IDENTIFIER: u8 = 3;
    pub(in super::super) const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    pub(in super::super) const UNSUPPORTED_CAPABILITY: u8 = 7;
    pub(in super::super) const ROLE_MISMATCH: u8 = 11;
}

/// Subcodes of Cease.
pub(super) mod cease {
    pub(in super::super) const MAXIMUM_PREFIXES: u8 = 1;
    pub(in super::super) const ADMINISTRATIVE_SHUTDOWN: u8 = 2;
    pub(in super::super) const PEER_DECONFIGURED: u8 = 3;
    pub(in super::super) const ADMINISTRATIVE_RESET: u8 = 4;
    pub(in super::super) const CONNECTION_REJECTED: u8 = 5;
    pub(in super::super) const OTHER_CONFIGURATION_CHANGE: u8 = 6;
    pub(in super::super) const COLLISION: u8 = 7;
    pub(in super::super) const OUT_OF_RESOURCES: u8 = 8;
    pub(in super::super) const HARD_RESET: u8 = 9;
    pub(in super::super) const BFD_DOWN: u8 = 10;
}

fn bare(code: u8, subcode: u8) -> Notification {
    Notification {
        code,
        subcode,
        data: Box::default(),
    }
}

/// Cease without data.
pub(super) fn cease(subcode: u8) -> Notification {
    bare(CEASE, subcode)
}

/// The sender expects another AS number than our OPEN said.
pub(super) fn is_bad_peer_as(received: &Notification) -> bool {
    (received.code, received.subcode) == (OPEN, open::BAD_PEER_AS)
}

/// OPEN Message Error with data.
pub(super) fn open_error(subcode: u8, data: &[u8]) -> Notification {
    Notification {
        code: OPEN,
        subcode,
        data: data.into(),
    }
}

/// Hold Timer Expired.
pub(super) fn hold_timer_expired() -> Notification {
    bare(HOLD_TIMER_EXPIRED, 0)
}

/// Send Hold Timer Expired.
pub(super) fn send_hold_timer_expired() -> Notification {
    bare(SEND_HOLD_TIMER_EXPIRED, 0)
}

/// A message that does not belong into the state: RFC 6608 §3 has a subcode for each.
pub(super) fn unexpected_message(state_subcode: u8, message_type: u8) -> Notification {
    Notification {
        code: FINITE_STATE_MACHINE,
        subcode: state_subcode,
        data: [message_type].into(),
    }
}

/// Cease with a shutdown communication: a length octet and at most 255 octets (RFC 9003 §2).
pub(super) fn with_text(subcode: u8, text: &str) -> Notification {
    let text = cut(text, 255);
    let mut data = Vec::new();
    if let (false, Ok(length)) = (text.is_empty(), u8::try_from(text.len())) {
        data.push(length);
        data.extend_from_slice(text.as_bytes());
    }
    Notification {
        data: data.into(),
        ..cease(subcode)
    }
}

/// The NOTIFICATION as a Hard Reset, which forbids keeping routes (RFC 8538 §3).
pub(super) fn hard_reset(inner: &Notification) -> Notification {
    let mut data = vec![inner.code, inner.subcode];
    data.extend_from_slice(&inner.data);
    Notification {
        data: data.into(),
        ..cease(cease::HARD_RESET)
    }
}

impl Notification {
    /// Name of the error code.
    pub fn code_name(&self) -> &'static str {
        match self.code {
            1 => "Message Header Error",
            2 => "OPEN Message Error",
            3 => "UPDATE Message Error",
            4 => "Hold Timer Expired",
            5 => "Finite State Machine Error",
            6 => "Cease",
            7 => "ROUTE-REFRESH Message Error",
            8 => "Send Hold Timer Expired",
            _ => "Unknown Error",
        }
    }

    /// Name of the error subcode, `None` for 0 or an unknown one.
    pub fn subcode_name(&self) -> Option<&'static str> {
        let name = match (self.code, self.subcode) {
            (1, 1) => "Connection Not Synchronized",
            (1, 2) => "Bad Message Length",
            (1, 3) => "Bad Message Type",
            (2, 1) => "Unsupported Version Number",
            (2, 2) => "Bad Peer AS",
            (2, 3) => "Bad BGP Identifier",
            (2, 4) => "Unsupported Optional Parameter",
            (2, 5) => "Authentication Failure",
            (2, 6) => "Unacceptable Hold Time",
            (2, 7) => "Unsupported Capability",
            (2, 11) => "Role Mismatch",
            (3, 1) => "Malformed Attribute List",
            (3, 2) => "Unrecognized Well-known Attribute",
            (3, 3) => "Missing Well-known Attribute",
            (3, 4) => "Attribute Flags Error",
            (3, 5) => "Attribute Length Error",
            (3, 6) => "Invalid ORIGIN Attribute",
            (3, 7) => "AS Routing Loop",
            (3, 8) => "Invalid NEXT_HOP Attribute",
            (3, 9) => "Optional Attribute Error",
            (3, 10) => "Invalid Network Field",
            (3, 11) => "Malformed AS_PATH",
            (5, 1) => "Unexpected Message in OpenSent",
            (5, 2) => "Unexpected Message in OpenConfirm",
            (5, 3) => "Unexpected Message in Established",
            (6, 1) => "Maximum Number of Prefixes Reached",
            (6, 2) => "Administrative Shutdown",
            (6, 3) => "Peer De-configured",
            (6, 4) => "Administrative Reset",
            (6, 5) => "Connection Rejected",
            (6, 6) => "Other Configuration Change",
            (6, 7) => "Connection Collision Resolution",
            (6, 8) => "Out of Resources",
            (6, 9) => "Hard Reset",
            (6, 10) => "BFD Down",
            (7, 1) => "Invalid Message Length",
            _ => return None,
        };
        Some(name)
    }

    /// True for a Hard Reset (RFC 8538 §3).
    pub fn is_hard_reset(&self) -> bool {
        self.code == CEASE && self.subcode == cease::HARD_RESET
    }

    /// True when the sender merely wanted the connection to end, and not because of something
    /// the receiver did or would do again.
    pub(super) fn is_wish(&self) -> bool {
        match self.inner().filter(|inner| !inner.is_hard_reset()) {
            Some(inner) => inner.is_wish(),
            None => self.code == CEASE && self.subcode != cease::MAXIMUM_PREFIXES,
        }
    }

    /// True when the peer's BFD says that the path is dead (RFC 9384 §3).
    pub fn is_bfd_down(&self) -> bool {
        self.code == CEASE && self.subcode == cease::BFD_DOWN
    }

    /// What a Hard Reset wraps.
    pub fn inner(&self) -> Option<Notification> {
        match (self.is_hard_reset(), &*self.data) {
            (true, [code, subcode, data @ ..]) => Some(Notification {
                code: *code,
                subcode: *subcode,
                data: data.into(),
            }),
            (true | false, _) => None,
        }
    }

    /// Shutdown communication of the peer's operator (RFC 9003 §2), without control characters.
    pub fn text(&self) -> Option<String> {
        if let Some(inner) = self.inner() {
            // A Hard Reset in a Hard Reset has no meaning and is not followed.
            return if inner.is_hard_reset() {
                None
            } else {
                inner.text()
            };
        }
        let carries_text = self.code == CEASE
            && matches!(
                self.subcode,
                cease::ADMINISTRATIVE_SHUTDOWN | cease::ADMINISTRATIVE_RESET
            );
        let (length, rest) = self.data.split_first().filter(|_| carries_text)?;
        let text = rest
            .get(..usize::from(*length))
            .filter(|text| !text.is_empty())?;
        let text = String::from_utf8_lossy(text);
        Some(
            text.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        )
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code_name())?;
        match self.subcode_name() {
            Some(name) => write!(f, "/{name}")?,
            None if self.subcode != 0 || self.code_name().starts_with("Unknown") => {
                write!(f, " (code {}, subcode {})", self.code, self.subcode)?;
            }
            None => {}
        }
        if let Some(inner) = self.inner().filter(|inner| !inner.is_hard_reset()) {
            return write!(f, ", {inner}");
        }
        match self.text() {
            Some(text) => write!(f, ": \"{text}\""),
            None => Ok(()),
        }
    }
}
