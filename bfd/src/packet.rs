//! The BFD control packet, RFC 5880 §4.1.
//!
//! [`Packet::decode`] applies every rule of §6.8.6 that can be judged without knowing the session,
//! in the order of the RFC; what it returns is fit to be handed to a session. It is total: any
//! bytes give a packet or a [`PacketError`]. Authentication sections (§4.2 ff.) are recognised and
//! refused.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

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

/// A valid control packet without authentication.
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
        if flag(FLAG_AUTHENTICATION) {
            let code = reader.u8().map_err(truncated)?;
            return Err(PacketError::Authentication(AuthenticationType(code)));
        }

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
        })
    }

    /// Writes the packet.
    #[must_use]
    pub fn encode(&self) -> [u8; PACKET_BYTES as usize] {
        let flags = [
            (self.poll, FLAG_POLL),
            (self.is_final, FLAG_FINAL),
            (
                self.control_plane_independent,
                FLAG_CONTROL_PLANE_INDEPENDENT,
            ),
            (self.demand, FLAG_DEMAND),
        ];
        let flags = flags
            .iter()
            .fold(0, |all, &(set, bit)| if set { all | bit } else { all });
        let [m0, m1, m2, m3] = self.my_discriminator.get().to_be_bytes();
        let yours = self.your_discriminator.map_or(0, Discriminator::get);
        let [y0, y1, y2, y3] = yours.to_be_bytes();
        let [t0, t1, t2, t3] = self.desired_min_tx.0.to_be_bytes();
        let [r0, r1, r2, r3] = self.required_min_rx.0.to_be_bytes();
        let [e0, e1, e2, e3] = self.required_min_echo_rx.0.to_be_bytes();
        #[rustfmt::skip]
        let bytes = [
            VERSION << 5 | self.diagnostic.code(),
            self.state.bits() << 6 | flags,
            self.detect_multiplier.get(),
            PACKET_BYTES,
            m0, m1, m2, m3,
            y0, y1, y2, y3,
            t0, t1, t2, t3,
            r0, r1, r2, r3,
            e0, e1, e2, e3,
        ];
        bytes
    }
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
    /// The packet is authenticated, which is not configured on this side.
    #[error("authentication `{0}` is used by the peer, but none is configured here")]
    Authentication(AuthenticationType),
}

/// Authentication type, RFC 5880 §4.1 and the IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticationType(pub u8);

impl fmt::Display for AuthenticationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("simple password"),
            2 => f.write_str("keyed MD5"),
            3 => f.write_str("meticulous keyed MD5"),
            4 => f.write_str("keyed SHA1"),
            5 => f.write_str("meticulous keyed SHA1"),
            code => write!(f, "type {code}"),
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
