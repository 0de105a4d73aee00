//! The wire format (RFC 4271 §4): bytes to messages and back.
//!
//! Inbound: [`frame`] splits one message off the receive buffer, [`decode`] makes a
//! [`Message`] of it under the [`Context`] that the session negotiated. Decoding is total: any
//! octets give a message or an [`Error`], never a panic, and never more memory than a fixed
//! multiple of the input. What RFC 7606 lets survive is in the message already: routes that an
//! error withdraws stand among the withdrawn ones, with the error beside them.
//!
//! Outbound: one `encode_` function per message. Routes are packed into as few UPDATEs as
//! [`encode_announce`] and [`encode_withdraw`] can; the attributes are copied as the tables keep
//! them.
//!
//! Nothing here knows what a session or a table is, and nothing decides about a route beyond what
//! its octets say.
//!
//! EVPN routes of an unknown type are kept as [`crate::EvpnKey::Unknown`] although RFC 7606 §5.4
//! says to discard them: they can be shown and reflected, and whoever acts on routes skips them.

pub(crate) mod attribute;
mod capability;
mod error;
mod header;
mod keepalive;
mod nlri;
mod notification;
mod open;
pub(crate) mod read;
mod route_refresh;
mod unwanted;
mod update;

use crate::family::{Family, PerFamily};
use crate::message::Message;

pub use attribute::as_path::AsPathFault;
pub use error::{Error, UpdateError, Verdict};
pub use header::{EXTENDED_MESSAGE_LEN_MAX, HEADER_LEN, HeaderError, MESSAGE_LEN_MAX, frame};
pub use keepalive::encode_keepalive;
pub use nlri::{EvpnFault, NlriFault, WireNlri};
pub use notification::encode_notification;
pub use open::{OpenError, encode_open};
pub use route_refresh::{RouteRefreshError, encode_route_refresh};
pub use unwanted::{AttributeCodes, Unwanted};
pub use update::{
    EncodeContext, EncodeError, encode_announce, encode_announce_list, encode_end_of_rib,
    encode_withdraw, encode_withdraw_list,
};

/// What a session negotiated, as far as reading its messages depends on it.
///
/// The default suits a reader without a session, such as a tool: an internal peer with four-octet
/// AS numbers, every family, IPv6 next hops for IPv4 routes, no add-path and no extended messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Both sides have four-octet AS numbers (RFC 6793).
    pub as4: bool,
    /// Messages may have up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// Families whose routes arrive with a path identifier (RFC 7911).
    pub add_path: PerFamily<bool>,
    /// Families negotiated (RFC 4760 §8); routes of others are ignored.
    pub families: PerFamily<bool>,
    /// The peer is of another AS, and not of our confederation: it may not send LOCAL_PREF,
    /// ORIGINATOR_ID and CLUSTER_LIST (RFC 7606 §7.5, §7.9, §7.10), nor confederation segments
    /// (RFC 5065 §5).
    pub external: bool,
    /// IPv4 routes may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// AIGP is exchanged (RFC 7311 §3.3); ignored otherwise.
    pub aigp: bool,
    /// Attributes that the operator does not want from the peer.
    pub unwanted: Unwanted,
    /// Keys [`crate::Attributes::hash`], so that no peer can choose colliding attributes. One
    /// value for the life of the process, drawn at random by whoever may draw.
    pub hash_seed: u64,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            as4: true,
            extended_message: false,
            add_path: PerFamily::default(),
            families: PerFamily {
                ipv4_unicast: true,
                ipv6_unicast: true,
                evpn: true,
            },
            external: false,
            extended_next_hop: true,
            aigp: true,
            unwanted: Unwanted::default(),
            hash_seed: 0,
        }
    }
}

impl Context {
    /// The longest message the peer may send, for [`frame`].
    pub fn message_len_max(&self) -> usize {
        if self.extended_message {
            EXTENDED_MESSAGE_LEN_MAX
        } else {
            MESSAGE_LEN_MAX
        }
    }

    /// The family of a pair of numbers, if it was negotiated.
    fn negotiated(&self, afi: u16, safi: u8) -> Option<Family> {
        Family::from_numbers(afi, safi).filter(|family| *self.families.get(*family))
    }
}

/// Decodes one whole message, header included, as [`frame`] returns it.
pub fn decode(frame: &[u8], ctx: &Context) -> Result<Message, Error> {
    let (kind, body) = header::split(frame, ctx.message_len_max())?;
    Ok(match kind {
        header::Kind::Open => Message::Open(open::decode(body)?),
        header::Kind::Update => Message::Update(update::decode(body, ctx)?),
        header::Kind::Notification => {
            let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
            let notification = notification::decode(body);
            Message::Notification(notification.map_err(|_| HeaderError::Length(length))?)
        }
        header::Kind::Keepalive => Message::Keepalive,
        header::Kind::RouteRefresh => Message::RouteRefresh(route_refresh::decode(frame, body)?),
    })
}

#[cfg(test)]
mod tests;
