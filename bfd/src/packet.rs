//! The BFD control packet, RFC 5880 §4.1.
//!
//! [`Packet::decode`] applies every rule of §6.8.6 that can be judged without knowing the session,
//! in the order of the RFC; what it returns is fit to be handed to a session. It is total: any
//! bytes give a packet or a [`PacketError`]. An authentication section (§4.2 ff.) is read and
//! written here; whether it is the right one is judged by the session that the packet is for.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use crate::authentication::{Method, Section, VALUE_MAX, Value};
use crate::read::{Reader, Truncated};
use crate::state::State;

/// Bytes of a control packet without authentication.
pub const PACKET_BYTES: u8 = 24;

const VERSION: u8 = 1;
const FLAG_POLL: u8 = 0b10_0000;
const FLAG_FINAL: u8 = 0b01_0000;
const FLAG_CONTROL_PLANE_INDEPENDENT: u8 = 0b00_1000;
const FLAG_AUTHENTICATION: u8 = 0b00_0100;
const FLAG_DEMAND: u8 = 0b00_0010;
const FLAG_MULTIPOINT: u8 = 0b00_0001;

/// A valid control packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender's state last changed.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// The sender asks for an answer with `is_final`.
    pub poll: bool,
    /// Answer to a poll.
    pub is_final: bool,
    /// The sender's BFD survives a restart of its control plane.
    pub control_plane_independent: bool,
    /// The sender is in demand mode: it wants no periodic packets while the session is up.
    pub demand: bool,
    /// How many of the sender's packets may be missed.
    pub detect_multiplier: NonZeroU8,
    /// The sender's name for the session.
    pub my_discriminator: Discriminator,
    /// The receiver's name for the session, once the sender has heard it.
    pub your_discriminator: Option<Discriminator>,
    /// The sender would like to send at this interval.
    pub desired_min_tx: Interval,
    /// The sender can receive at this interval; zero: wants no periodic packets.
    pub required_min_rx: Interval,
    /// The sender can receive echo packets at this interval; zero: does not support echo.
    pub required_min_echo_rx: Interval,
    /// What vouches for the packet.
    pub authentication: Option<Section>,
}

/// A packet as it is sent: up to 52 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    bytes: [u8; ENCODED_MAX],
    length: u8,
}

/// The longest packet: with a digest by SHA-1.
const ENCODED_MAX: usize = PACKET_BYTES as usize + DIGEST_HEADER + VALUE_MAX;
/// Type, length, key, a reserved octet and the sequence number.
const DIGEST_HEADER: usize = 8;
/// Type, length and key.
const PASSWORD_HEADER: usize = 3;

impl std::ops::Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let length = usize::from(self.length);
        self.bytes.get(..length).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Packet {
    /// Reads the payload of a UDP datagram. Bytes after the packet's own length are ignored.
    ///
    /// ```
    /// assert_eq!(bfd::Packet::decode(&[0x40]), Err(bfd::PacketError::Version(2)));
    /// ```
    pub fn decode(payload: &[u8]) -> Result<Self, PacketError> {
        let truncated = |Truncated| PacketError::Truncated {
            have: payload.len(),
        };
        let mut reader = Reader::new(payload);

        // RFC 5880 §6.8.6, in its order.
        let version_and_diagnostic = reader.u8().map_err(truncated)?;
        let version = version_and_diagnostic >> 5;
        if version != VERSION {
            return Err(PacketError::Version(version));
        }
        let state_and_flags = reader.u8().map_err(truncated)?;
        let state = State::from_bits(state_and_flags >> 6);
        let flag = |bit| state_and_flags & bit != 0;
        let detect_multiplier = reader.u8().map_err(truncated)?;
        let length = reader.u8().map_err(truncated)?;
        check_length(length, payload.len(), flag(FLAG_AUTHENTICATION))?;
        let Some(detect_multiplier) = NonZeroU8::new(detect_multiplier) else {
            return Err(PacketError::DetectMultiplierZero);
        };
        if flag(FLAG_MULTIPOINT) {
            return Err(PacketError::Multipoint);
        }
        let Some(my_discriminator) = Discriminator::new(reader.u32().map_err(truncated)?) else {
            return Err(PacketError::MyDiscriminatorZero);
        };
        let your_discriminator = Discriminator::new(reader.u32().map_err(truncated)?);
        if your_discriminator.is_none() && matches!(state, State::Init | State::Up) {
            return Err(PacketError::YourDiscriminatorZero { state });
        }
        let desired_min_tx = Interval(reader.u32().map_err(truncated)?);
        let required_min_rx = Interval(reader.u32().map_err(truncated)?);
        let required_min_echo_rx = Interval(reader.u32().map_err(truncated)?);
        let authentication = match flag(FLAG_AUTHENTICATION) {
            true => Some(section(&mut reader, length).map_err(|error| match error {
                SectionError::Truncated(gone) => truncated(gone),
                SectionError::Packet(error) => error,
            })?),
            false => None,
        };

        Ok(Self {
            diagnostic: Diagnostic::from_code(version_and_diagnostic),
            state,
            poll: flag(FLAG_POLL),
            is_final: flag(FLAG_FINAL),
            control_plane_independent: flag(FLAG_CONTROL_PLANE_INDEPENDENT),
            demand: flag(FLAG_DEMAND),
            detect_multiplier,
            my_discriminator,
            your_discriminator,
            desired_min_tx,
            required_min_rx,
            required_min_echo_rx,
            authentication,
        })
    }

    /// Writes the packet.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let flags = [
            (self.poll, FLAG_POLL),
            (self.is_final, FLAG_FINAL),
            (
                self.control_plane_independent,
                FLAG_CONTROL_PLANE_INDEPENDENT,
            ),
            (self.authentication.is_some(), FLAG_AUTHENTICATION),
            (self.demand, FLAG_DEMAND),
        ];
        let flags = flags
            .iter()
            .fold(0, |all, &(set, bit)| if set { all | bit } else { all });
        let yours = self.your_discriminator.map_or(0, Discriminator::get);
        let mut out = Encoded {
            bytes: [0; ENCODED_MAX],
            length: 0,
        };
        out.put(&[
            VERSION << 5 | self.diagnostic.code(),
            self.state.bits() << 6 | flags,
            self.detect_multiplier.get(),
            PACKET_BYTES,
        ]);
        out.put(&self.my_discriminator.get().to_be_bytes());
        out.put(&yours.to_be_bytes());
        out.put(&self.desired_min_tx.0.to_be_bytes());
        out.put(&self.required_min_rx.0.to_be_bytes());
        out.put(&self.required_min_echo_rx.0.to_be_bytes());
        if let Some(section) = &self.authentication {
            out.put_section(section);
        }
        out
    }
}

impl Encoded {
    /// What is put in fits: the longest packet is what there is room for.
    fn put(&mut self, octets: &[u8]) {
        let room = self.bytes.iter_mut().skip(usize::from(self.length));
        for (place, octet) in room.zip(octets) {
            *place = *octet;
            self.length += 1;
        }
    }

    /// RFC 5880 §4.2 to §4.4, and the length of the whole.
    fn put_section(&mut self, section: &Section) {
        let start = self.length;
        self.put(&[section.method.code(), 0, section.key_id]);
        if section.method.is_numbered() {
            self.put(&[section.reserved]);
            self.put(&section.sequence.to_be_bytes());
        }
        self.put(section.value.octets());
        let lengths = [
            (LENGTH_AT, self.length),
            (usize::from(start) + 1, self.length.saturating_sub(start)),
        ];
        for (at, length) in lengths {
            if let Some(place) = self.bytes.get_mut(at) {
                *place = length;
            }
        }
    }
}

/// Where the length of a packet stands.
const LENGTH_AT: usize = 3;

enum SectionError {
    Truncated(Truncated),
    Packet(PacketError),
}

impl From<Truncated> for SectionError {
    fn from(truncated: Truncated) -> Self {
        Self::Truncated(truncated)
    }
}

/// RFC 5880 §4.2 to §4.4. `length` is that of the packet, which ends with the section: a digest is
/// made of the whole packet, so there is nothing else to make it of.
fn section(reader: &mut Reader<'_>, length: u8) -> Result<Section, SectionError> {
    let code = reader.u8()?;
    let Some(method) = Method::from_code(code) else {
        let error = PacketError::Authentication(AuthenticationType(code));
        return Err(SectionError::Packet(error));
    };
    let own = reader.u8()?;
    let (header, least) = match method.is_numbered() {
        true => (DIGEST_HEADER, method.key_octets_max()),
        false => (PASSWORD_HEADER, 1),
    };
    let octets = usize::from(own).checked_sub(header);
    let fits = |octets: &usize| (least..=method.key_octets_max()).contains(octets);
    let whole = length.checked_sub(PACKET_BYTES) == Some(own);
    let Some(octets) = octets.filter(fits).filter(|_| whole) else {
        return Err(SectionError::Packet(PacketError::SectionLength {
            method,
            length: own,
            left: length.saturating_sub(PACKET_BYTES),
        }));
    };
    let key_id = reader.u8()?;
    let (reserved, sequence) = match method.is_numbered() {
        true => (reader.u8()?, reader.u32()?),
        false => (0, 0),
    };
    let value = Value::new(reader.take(octets)?).ok_or(Truncated)?;
    Ok(Section {
        method,
        key_id,
        reserved,
        sequence,
        value,
    })
}

/// RFC 5880 §6.8.6: at least 24 bytes, 26 with authentication, and no more than the datagram has.
fn check_length(length: u8, payload: usize, authenticated: bool) -> Result<(), PacketError> {
    let least = if authenticated {
        PACKET_BYTES + 2
    } else {
        PACKET_BYTES
    };
    if length < least {
        return Err(PacketError::Length { length, least });
    }
    if usize::from(length) > payload {
        return Err(PacketError::LengthOverrun { length, payload });
    }
    Ok(())
}

/// Why a packet is discarded. Discarding it is the only consequence (RFC 5880 §6.8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The header itself is incomplete.
    #[error("the datagram has {have} bytes, but a control packet has at least {PACKET_BYTES}")]
    Truncated {
        /// Bytes in the datagram.
        have: usize,
    },
    /// Not BFD version 1.
    #[error("version is {0}, but must be 1")]
    Version(u8),
    /// The length field is too small.
    #[error("length is {length}, but must be at least {least}")]
    Length {
        /// The length field.
        length: u8,
        /// 24, or 26 with authentication.
        least: u8,
    },
    /// The length field exceeds the datagram.
    #[error("length is {length}, but the datagram has only {payload} bytes")]
    LengthOverrun {
        /// The length field.
        length: u8,
        /// Bytes in the datagram.
        payload: usize,
    },
    /// The detect multiplier is zero.
    #[error("detect multiplier is 0, but must be at least 1")]
    DetectMultiplierZero,
    /// The multipoint bit is set.
    #[error("the multipoint bit is set, but must be clear")]
    Multipoint,
    /// My Discriminator is zero.
    #[error("my discriminator is 0, but must be the sender's name for the session")]
    MyDiscriminatorZero,
    /// Your Discriminator is zero although the sender claims to have heard us.
    #[error("your discriminator is 0, but must not be in state `{state}`")]
    YourDiscriminatorZero {
        /// The sender's state.
        state: State,
    },
    /// The packet is authenticated in a way that nobody has defined.
    #[error("authentication is of {0}, but must be of a type from 1 to 5")]
    Authentication(AuthenticationType),
    /// The authentication section is too short, too long, or not the end of the packet.
    #[error(
        "the section of {method} has length {length} with {left} octets to the end of the packet"
    )]
    SectionLength {
        /// What it claims to be.
        method: Method,
        /// Its own length field.
        length: u8,
        /// What the length of the packet leaves for it.
        left: u8,
    },
}

/// Authentication type, RFC 5880 §4.1 and the IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticationType(pub u8);

impl fmt::Display for AuthenticationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Method::from_code(self.0) {
            Some(method) => method.fmt(f),
            None => write!(f, "type {}", self.0),
        }
    }
}

/// Name of a session within one system; never zero (RFC 5880 §6.8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Discriminator(NonZeroU32);

impl Discriminator {
    /// `None` for zero, which stands for "not known".
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The number on the wire.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Discriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time as packets carry it: microseconds in 32 bits, so up to about 71 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval(u32);

impl Interval {
    /// No time; its meaning depends on the field.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    #[must_use]
    pub const fn from_micros(micros: u32) -> Self {
        Self(micros)
    }

    /// In microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0 as u64)
    }
}

impl TryFrom<Duration> for Interval {
    type Error = IntervalError;

    fn try_from(duration: Duration) -> Result<Self, IntervalError> {
        u32::try_from(duration.as_micros())
            .map(Self)
            .map_err(|_| IntervalError { duration })
    }
}

/// The duration does not fit into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "interval is {duration:?}, but must be at most 4294s (RFC 5880 §4.1: 32 bits of microseconds)"
)]
pub struct IntervalError {
    duration: Duration,
}

/// Why a session last changed its state, RFC 5880 §4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Diagnostic {
    /// Nothing to report.
    None,
    /// No packet within the detection time.
    DetectionTimeExpired,
    /// The echo function failed.
    EchoFailed,
    /// The peer said it is down.
    NeighborSignaledDown,
    /// The forwarding plane was reset.
    ForwardingPlaneReset,
    /// The path below is known to be down.
    PathDown,
    /// A path concatenated with this one is down.
    ConcatenatedPathDown,
    /// Held down by an operator.
    AdministrativelyDown,
    /// A reversely concatenated path is down.
    ReverseConcatenatedPathDown,
    /// A code this version does not know; 9 to 31.
    Unknown(u8),
}

impl Diagnostic {
    /// From the low five bits of the first byte.
    fn from_code(byte: u8) -> Self {
        match byte & 0b1_1111 {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            code => Self::Unknown(code),
        }
    }

    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Unknown(code) => code & 0b1_1111,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::DetectionTimeExpired => "control detection time expired",
            Self::EchoFailed => "echo function failed",
            Self::NeighborSignaledDown => "neighbor signaled session down",
            Self::ForwardingPlaneReset => "forwarding plane reset",
            Self::PathDown => "path down",
            Self::ConcatenatedPathDown => "concatenated path down",
            Self::AdministrativelyDown => "administratively down",
            Self::ReverseConcatenatedPathDown => "reverse concatenated path down",
            Self::Unknown(code) => return write!(f, "code {code}"),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
