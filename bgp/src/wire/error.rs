//! What can be wrong with a message, and what follows.
//!
//! Every error says value, expectation and place, and carries its consequence: [`Verdict`] for an
//! UPDATE (RFC 7606), a NOTIFICATION for everything else. Errors that leave the session up are
//! recorded in the decoded [`crate::message::Update`]; the others are what decoding returns.

use std::net::IpAddr;

use crate::family::Family;
use crate::message::Notification;
use crate::wire::attribute::as_path::AsPathFault;
use crate::wire::attribute::{code, name};
use crate::wire::header::HeaderError;
use crate::wire::nlri::NlriFault;
use crate::wire::open::OpenError;
use crate::wire::route_refresh::RouteRefreshError;

/// Why a message could not be decoded. The connection, or a family on it, ends.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// An OPEN.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An UPDATE.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A ROUTE-REFRESH.
    #[error(transparent)]
    RouteRefresh(#[from] RouteRefreshError),
}

impl Error {
    /// The NOTIFICATION that ends the session.
    pub fn notification(&self) -> Notification {
        match self {
            Self::Header(error) => error.notification(),
            Self::Open(error) => error.notification(),
            Self::Update(error) => error.notification(),
            Self::RouteRefresh(error) => error.notification(),
        }
    }

    /// The family to disable instead of ending the session, where that is allowed.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Update(error) => error.verdict(),
            Self::Header(_) | Self::Open(_) | Self::RouteRefresh(_) => {
                Verdict::ResetSession(self.notification())
            }
        }
    }
}

/// What an error in an UPDATE leads to (RFC 7606 §2), mildest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The attribute is left out, the routes stay.
    DiscardAttribute,
    /// The routes of the message are withdrawn.
    TreatAsWithdraw,
    /// Routes of the family are no longer to be taken from this session; a receiver that cannot
    /// do that resets the session with [`UpdateError::notification`]. The message has no routes
    /// of another family, so nothing else is lost.
    DisableFamily(Family),
    /// The session ends with this NOTIFICATION.
    ResetSession(Notification),
}

/// What is wrong with an UPDATE (RFC 4271 §6.3 as revised by RFC 7606).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// Withdrawn routes or attributes are longer than the message.
    #[error("the {field} length of the UPDATE is `{length}`, but `{available}` octets follow")]
    FieldOverrun {
        /// Which length field.
        field: &'static str,
        /// Its value.
        length: usize,
        /// Octets left.
        available: usize,
    },
    /// Too few octets for an attribute's header.
    #[error("the path attributes end with `{available}` octets, too few for another attribute")]
    AttributeHeader {
        /// Octets left.
        available: usize,
    },
    /// An attribute longer than the list it stands in.
    #[error("the length of {} is `{length}`, but `{available}` octets follow", name_of(*code))]
    AttributeOverrun {
        /// Type code.
        code: u8,
        /// Length field.
        length: usize,
        /// Octets left.
        available: usize,
    },
    /// Optional or Transitive are not as the attribute's document says.
    #[error("the flags of {} are `{flags:#04x}`, but must be `{expected:#04x}`", name_of(*code))]
    Flags {
        /// Type code.
        code: u8,
        /// Flags octet.
        flags: u8,
        /// Expected Optional and Transitive bits.
        expected: u8,
    },
    /// Flags of MP_REACH_NLRI or MP_UNREACH_NLRI.
    #[error("the flags of {} are not `0x80`", name_of(*code))]
    MultiprotocolFlags {
        /// Type code.
        code: u8,
        /// The attribute.
        attribute: Box<[u8]>,
    },
    /// An attribute marked well-known that is not.
    #[error("the attribute `{code}` claims to be well-known, but is not known")]
    UnrecognizedWellKnown {
        /// Type code.
        code: u8,
        /// The attribute.
        attribute: Box<[u8]>,
    },
    /// A mandatory attribute is not there.
    #[error("{} is missing, but the UPDATE announces routes", name_of(*code))]
    Missing {
        /// Type code.
        code: u8,
    },
    /// An attribute for the second time; the first one counts.
    #[error("{} appears more than once", name_of(*code))]
    Duplicate {
        /// Type code.
        code: u8,
    },
    /// MP_REACH_NLRI or MP_UNREACH_NLRI for the second time.
    #[error("{} appears more than once", name_of(*code))]
    DuplicateMultiprotocol {
        /// Type code.
        code: u8,
    },
    /// A length that the attribute cannot have.
    #[error("the length of {} is `{length}`, but must be {expected}", name_of(*code))]
    Length {
        /// Type code.
        code: u8,
        /// Length field.
        length: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// An undefined ORIGIN.
    #[error("ORIGIN is `{0}`, but must be 0, 1 or 2")]
    Origin(u8),
    /// An AS_PATH or AS4_PATH that cannot be read.
    #[error("{} is malformed: {fault}", name_of(*code))]
    AsPath {
        /// Type code.
        code: u8,
        /// What is wrong.
        fault: AsPathFault,
    },
    /// AS 0 in AGGREGATOR or AS4_AGGREGATOR.
    #[error("{} contains AS `0`, but must not (RFC 7607)", name_of(*code))]
    ZeroAs {
        /// Type code.
        code: u8,
    },
    /// An attribute that only internal peers may send.
    #[error("{} comes from an external peer, but only internal ones send it", name_of(*code))]
    FromExternal {
        /// Type code.
        code: u8,
    },
    /// AS4_PATH or AS4_AGGREGATOR from a peer with four-octet numbers.
    #[error("{} comes from a peer that has four-octet AS numbers", name_of(*code))]
    FromNewSpeaker {
        /// Type code.
        code: u8,
    },
    /// An attribute that the operator does not want. It is no mistake of the peer's.
    #[error("routes with {} are taken for withdrawn, as configured", name_of(*code))]
    Unwanted {
        /// Type code.
        code: u8,
    },
    /// A next hop that cannot be one.
    #[error("the next hop is `{0}`, but must be the address of a host")]
    NextHop(IpAddr),
    /// A next hop whose length the family does not have.
    #[error("the next hop length of {family} in MP_REACH_NLRI is `{length}`, which it cannot be")]
    NextHopLength {
        /// The family.
        family: Family,
        /// Length field.
        length: usize,
    },
    /// MP_REACH_NLRI or MP_UNREACH_NLRI too short for its fixed fields.
    #[error("{} ends before its routes begin", name_of(*code))]
    MultiprotocolLength {
        /// Type code.
        code: u8,
        /// The attribute.
        attribute: Box<[u8]>,
    },
    /// Routes of a family that was not negotiated; they are ignored.
    #[error("routes of AFI `{afi}`, SAFI `{safi}` arrived, which was not negotiated")]
    NotNegotiated {
        /// AFI.
        afi: u16,
        /// SAFI.
        safi: u8,
    },
    /// Routes in the fields of RFC 4271 that cannot be read.
    #[error("a route in the {field} field is malformed: {fault}")]
    NetworkField {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        fault: NlriFault,
    },
    /// Routes in a multiprotocol attribute that cannot be read.
    #[error("a route of {family} in {} is malformed: {fault}", name_of(*code))]
    Routes {
        /// Type code.
        code: u8,
        /// The family.
        family: Family,
        /// What is wrong.
        fault: NlriFault,
        /// True when the message has routes of this family only.
        alone: bool,
    },
    /// An EVPN type 5 route that leads nowhere or to two places (RFC 9136 §3.1).
    #[error("an EVPN type 5 route {0}")]
    Type5(&'static str),
    /// An error that would withdraw routes in a message that seems to have none.
    #[error("{0}; and the UPDATE has attributes without a route they belong to")]
    NoRoutes(Box<UpdateError>),
}

fn name_of(code: u8) -> String {
    match name(code) {
        "unknown attribute" => format!("attribute `{code}`"),
        known => known.to_owned(),
    }
}

impl UpdateError {
    /// What follows from the error.
    pub fn verdict(&self) -> Verdict {
        match self {
            // RFC 7606 §3 g.
            Self::Duplicate { .. } => Verdict::DiscardAttribute,
            // RFC 7606 §7.5, §7.9, §7.10; RFC 6793 §6.
            Self::FromExternal { .. } | Self::FromNewSpeaker { .. } => Verdict::DiscardAttribute,
            // RFC 7311 §3.2.
            Self::Flags { code, .. } if *code == code::AIGP => Verdict::DiscardAttribute,
            // RFC 4760 §8: both speakers must have announced the family.
            Self::NotNegotiated { .. } => Verdict::DiscardAttribute,
            // RFC 7606 §7.6, §7.7; RFC 6793 §6; RFC 7311 §3.2.
            Self::Length { code, .. } | Self::AsPath { code, .. } if is_discarded(*code) => {
                Verdict::DiscardAttribute
            }
            // RFC 7607 §2 by way of RFC 7606 §7.7.
            Self::ZeroAs { .. } => Verdict::DiscardAttribute,
            // RFC 7606 §3 c, §3 d, §4, §7.1 to §7.4, §7.8 to §7.10, §7.14; RFC 8092 §5;
            // RFC 9234 §5; RFC 6514 §5; RFC 9136 §3.1; RFC 4271 §6.3 by way of RFC 7606 §3 e.
            Self::Flags { .. }
            | Self::Missing { .. }
            | Self::AttributeHeader { .. }
            | Self::AttributeOverrun { .. }
            | Self::Origin(_)
            | Self::Length { .. }
            | Self::AsPath { .. }
            | Self::NextHop(_)
            | Self::Unwanted { .. }
            | Self::Type5(_) => Verdict::TreatAsWithdraw,
            // RFC 7606 §3 j and §5.3 leave the choice; see Verdict::DisableFamily.
            Self::Routes {
                family,
                alone: true,
                ..
            } => Verdict::DisableFamily(*family),
            // RFC 7606 §3 a, §3 g, §3 j, §5.2, §5.3, §7.11; RFC 4271 §6.3.
            Self::FieldOverrun { .. }
            | Self::MultiprotocolFlags { .. }
            | Self::UnrecognizedWellKnown { .. }
            | Self::DuplicateMultiprotocol { .. }
            | Self::NextHopLength { .. }
            | Self::MultiprotocolLength { .. }
            | Self::NetworkField { .. }
            | Self::Routes { alone: false, .. }
            | Self::NoRoutes(_) => Verdict::ResetSession(self.notification()),
        }
    }

    /// The NOTIFICATION of RFC 4271 §6.3 that belongs to the error.
    pub fn notification(&self) -> Notification {
        match self {
            Self::FieldOverrun { .. }
            | Self::AttributeHeader { .. }
            | Self::Duplicate { .. }
            | Self::DuplicateMultiprotocol { .. }
            | Self::FromExternal { .. }
            | Self::FromNewSpeaker { .. } => Notification::update(1),
            Self::UnrecognizedWellKnown { attribute, .. } => Notification::new(3, 2, attribute),
            Self::Missing { code } => Notification::new(3, 3, &[*code]),
            Self::Flags { .. } => Notification::update(4),
            Self::MultiprotocolFlags { attribute, .. } => Notification::new(3, 4, attribute),
            Self::AttributeOverrun { .. } | Self::Length { .. } => Notification::update(5),
            Self::Origin(_) => Notification::update(6),
            Self::NextHop(_) => Notification::update(8),
            Self::MultiprotocolLength { attribute, .. } => Notification::new(3, 9, attribute),
            Self::NextHopLength { .. }
            | Self::NotNegotiated { .. }
            | Self::Routes { .. }
            | Self::ZeroAs { .. }
            | Self::Unwanted { .. }
            | Self::Type5(_) => Notification::update(9),
            Self::NetworkField { .. } => Notification::update(10),
            Self::AsPath { .. } => Notification::update(11),
            Self::NoRoutes(error) => error.notification(),
        }
    }
}

/// Attributes whose errors leave the routes alone.
fn is_discarded(code: u8) -> bool {
    matches!(
        code,
        code::ATOMIC_AGGREGATE
            | code::AGGREGATOR
            | code::AS4_PATH
            | code::AS4_AGGREGATOR
            | code::AIGP
    )
}
