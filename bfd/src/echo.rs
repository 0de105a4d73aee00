//! The echo packet: what a system has its peer send back, RFC 5880 §6.4.
//!
//! What is in it is a matter of who sends it (RFC 5880 §5), so only our own are ever read. It begins
//! as FRR's does, because bfdd sends back as many octets as the second one says. The number and the
//! cookie are different in each packet: an old packet, and one of somebody who has not seen ours,
//! count for nothing.

use crate::packet::Discriminator;
use crate::read::{Reader, Truncated};

/// Octets of an echo packet of ours.
pub const ECHO_BYTES: u8 = 24;

const VERSION: u8 = 1;

/// An echo packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoPacket {
    /// Our name for the session.
    pub discriminator: Discriminator,
    /// Of this session, counted from 1.
    pub number: u64,
    /// Drawn for this packet.
    pub cookie: u64,
}

impl EchoPacket {
    /// Reads the payload of a UDP datagram. Octets after the packet's own length are ignored.
    ///
    /// ```
    /// assert_eq!(bfd::EchoPacket::decode(&[1, 24]), Err(bfd::EchoError::Truncated { have: 2 }));
    /// ```
    pub fn decode(payload: &[u8]) -> Result<Self, EchoError> {
        let truncated = |Truncated| EchoError::Truncated {
            have: payload.len(),
        };
        let mut reader = Reader::new(payload);
        let version = reader.u8().map_err(truncated)?;
        if version != VERSION {
            return Err(EchoError::Version(version));
        }
        let length = reader.u8().map_err(truncated)?;
        if length != ECHO_BYTES {
            return Err(EchoError::Length(length));
        }
        reader.take(2).map_err(truncated)?;
        let discriminator = Discriminator::new(reader.u32().map_err(truncated)?);
        let mut long = || {
            let high = reader.u32().map_err(truncated)?;
            let low = reader.u32().map_err(truncated)?;
            Ok(u64::from(high) << 32 | u64::from(low))
        };
        let (number, cookie) = (long()?, long()?);
        Ok(Self {
            discriminator: discriminator.ok_or(EchoError::Discriminator)?,
            number,
            cookie,
        })
    }

    /// Writes the packet.
    #[must_use]
    pub fn encode(&self) -> [u8; ECHO_BYTES as usize] {
        let mut octets = [0; ECHO_BYTES as usize];
        let parts = [VERSION, ECHO_BYTES, 0, 0]
            .into_iter()
            .chain(self.discriminator.get().to_be_bytes())
            .chain(self.number.to_be_bytes())
            .chain(self.cookie.to_be_bytes());
        for (place, octet) in octets.iter_mut().zip(parts) {
            *place = octet;
        }
        octets
    }
}

/// Why a datagram is no echo packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EchoError {
    /// It ends too soon.
    #[error("the datagram has {have} octets, but an echo packet has {ECHO_BYTES}")]
    Truncated {
        /// Octets in the datagram.
        have: usize,
    },
    /// Another version.
    #[error("version is {0}, but must be 1")]
    Version(u8),
    /// Another length.
    #[error("length is {0}, but must be {ECHO_BYTES}")]
    Length(u8),
    /// It names no session.
    #[error("discriminator is 0, but must be our name for a session")]
    Discriminator,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> EchoPacket {
        EchoPacket {
            discriminator: Discriminator::new(0x0102_0304).unwrap(),
            number: 5,
            cookie: 0x1122_3344_5566_7788,
        }
    }

    #[test]
    fn it_begins_as_bfdd_wants_it() {
        let octets = packet().encode();
        assert_eq!(octets[..8], [1, 24, 0, 0, 1, 2, 3, 4]);
        assert_eq!(octets[8..16], [0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(octets[16..], 0x1122_3344_5566_7788_u64.to_be_bytes());
    }

    #[test]
    fn each_wrong_field_is_named() {
        let with = |at: usize, octet: u8| {
            let mut octets = packet().encode();
            octets[at] = octet;
            EchoPacket::decode(&octets)
        };
        assert_eq!(with(0, 2), Err(EchoError::Version(2)));
        assert_eq!(with(1, 23), Err(EchoError::Length(23)));
        let mut nobody = packet().encode();
        nobody[4..8].fill(0);
        assert_eq!(EchoPacket::decode(&nobody), Err(EchoError::Discriminator));
        for have in 0..24 {
            let short = EchoPacket::decode(&packet().encode()[..have]);
            assert_eq!(short, Err(EchoError::Truncated { have }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in 1_u32.., number: u64, cookie: u64, more: Vec<u8>) {
            let packet = EchoPacket {
                discriminator: Discriminator::new(name).unwrap(),
                number,
                cookie,
            };
            let octets = [packet.encode().as_slice(), &more].concat();
            prop_assert_eq!(EchoPacket::decode(&octets), Ok(packet));
        }

        #[test]
        fn any_octets_are_a_packet_or_an_error(octets: Vec<u8>) {
            if let Ok(packet) = EchoPacket::decode(&octets) {
                prop_assert!(octets.len() >= packet.encode().len());
            }
        }
    }
}
