//! Authentication of control packets, RFC 5880 §6.7: which packets of a peer are believed.
//!
//! ```text
//! Packet ──► Guard::sign ──► the packet with its section ──► wire
//! wire ──► Packet with a Section ──► Guard::admit ──► the session, or a Refusal
//! ```
//!
//! [`Authentication`] is what an operator configures: a method and keys, of which the first signs
//! and all are accepted. A key is changed without loss by adding the new one on both sides, putting
//! it first on both sides, and taking the old one out. `Guard` is what a session keeps of it:
//! sequence numbers, and the former authentication until the peer has followed a change.
//!
//! Where a section stands in a packet is the business of [`packet`](crate::packet). Keys are never
//! shown: `Debug` leaves them out.

use std::fmt;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use sha1::Sha1;

use crate::packet::Packet;

/// How packets are authenticated, with the numbers of RFC 5880 §4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A password in clear text. It keeps strangers' packets apart and stops nobody who listens.
    Simple,
    /// A digest by MD5; a packet can be replayed while its sequence number is recent.
    KeyedMd5,
    /// A digest by MD5 with a number of its own for each packet: no packet counts twice.
    MeticulousMd5,
    /// A digest by SHA-1; a packet can be replayed while its sequence number is recent.
    KeyedSha1,
    /// A digest by SHA-1 with a number of its own for each packet: no packet counts twice.
    MeticulousSha1,
}

impl Method {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Simple,
        Self::KeyedMd5,
        Self::MeticulousMd5,
        Self::KeyedSha1,
        Self::MeticulousSha1,
    ];

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.code() == code)
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Simple => 1,
            Self::KeyedMd5 => 2,
            Self::MeticulousMd5 => 3,
            Self::KeyedSha1 => 4,
            Self::MeticulousSha1 => 5,
        }
    }

    /// Octets that a key may have at most: those of the field that it takes the place of.
    #[must_use]
    pub fn key_octets_max(self) -> usize {
        match self {
            Self::Simple | Self::KeyedMd5 | Self::MeticulousMd5 => 16,
            Self::KeyedSha1 | Self::MeticulousSha1 => 20,
        }
    }

    /// Whether packets carry a sequence number.
    pub(crate) fn is_numbered(self) -> bool {
        self != Self::Simple
    }

    fn is_meticulous(self) -> bool {
        matches!(self, Self::MeticulousMd5 | Self::MeticulousSha1)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple password",
            Self::KeyedMd5 => "keyed MD5",
            Self::MeticulousMd5 => "meticulous keyed MD5",
            Self::KeyedSha1 => "keyed SHA1",
            Self::MeticulousSha1 => "meticulous keyed SHA1",
        })
    }
}

/// Octets of the longest value in a section: a digest by SHA-1.
pub(crate) const VALUE_MAX: usize = 20;

/// A password, a key or a digest: up to 20 octets, the rest zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    octets: [u8; VALUE_MAX],
    length: u8,
}

impl Value {
    pub(crate) fn new(octets: &[u8]) -> Option<Self> {
        let mut value = Self {
            octets: [0; VALUE_MAX],
            length: u8::try_from(octets.len()).ok()?,
        };
        value
            .octets
            .get_mut(..octets.len())?
            .copy_from_slice(octets);
        Some(value)
    }

    pub(crate) fn octets(&self) -> &[u8] {
        let length = usize::from(self.length);
        self.octets.get(..length).unwrap_or(&self.octets)
    }

    /// RFC 5880 §6.7.3, §6.7.4: a key that is shorter than its field is filled up with zeros.
    fn filled(self, method: Method) -> Self {
        let length = match method.is_numbered() {
            true => u8::try_from(method.key_octets_max()).unwrap_or(self.length),
            false => self.length,
        };
        Self { length, ..self }
    }

    /// Takes the same time for all values of a length, so that nobody learns a digest bit by bit.
    fn is(&self, other: &Self) -> bool {
        let differences = self
            .octets
            .iter()
            .zip(&other.octets)
            .fold(0, |all, (one, two)| all | (one ^ two));
        self.length == other.length && differences == 0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.length)
    }
}

/// The authentication section of a packet, RFC 5880 §4.2 to §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    pub(crate) method: Method,
    pub(crate) key_id: u8,
    /// Ignored, but part of what a digest is made of. Zero with a simple password.
    pub(crate) reserved: u8,
    /// Zero with a simple password.
    pub(crate) sequence: u32,
    pub(crate) value: Value,
}

impl Section {
    /// How the packet is authenticated.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The number of the key that was used.
    #[must_use]
    pub fn key_id(&self) -> u8 {
        self.key_id
    }
}

/// A secret that both sides know under a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    id: u8,
    secret: Value,
}

/// A method and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    method: Method,
    first: Key,
    others: Vec<Key>,
}

impl Authentication {
    /// Authentication with a first key, which signs our packets.
    pub fn new(method: Method, id: u8, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            method,
            first: key(method, id, secret)?,
            others: Vec::new(),
        })
    }

    /// Accepts the peer's packets with another key as well.
    pub fn accept(mut self, id: u8, secret: &[u8]) -> Result<Self, KeyError> {
        if self.keys().any(|key| key.id == id) {
            return Err(KeyError::Twice(id));
        }
        self.others.push(key(self.method, id, secret)?);
        Ok(self)
    }

    /// How packets are authenticated.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The numbers of the keys, first the one that signs.
    pub fn key_ids(&self) -> impl Iterator<Item = u8> {
        self.keys().map(|key| key.id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn section(&self, sequence: u32) -> Section {
        Section {
            method: self.method,
            key_id: self.first.id,
            reserved: 0,
            sequence: if self.method.is_numbered() {
                sequence
            } else {
                0
            },
            value: self.first.secret.filled(self.method),
        }
    }

    /// Whether the packet was made by somebody who has one of the keys. `section` is the packet's.
    fn vouches(&self, packet: &Packet, section: Section) -> Result<(), Refusal> {
        if section.method != self.method {
            return Err(Refusal::Method {
                theirs: section.method,
                ours: self.method,
            });
        }
        let Some(key) = self.keys().find(|key| key.id == section.key_id) else {
            return Err(Refusal::KeyId(section.key_id));
        };
        let secret = key.secret.filled(self.method);
        let expected = digest(
            packet,
            Section {
                value: secret,
                ..section
            },
        );
        match expected.is(&section.value) {
            true => Ok(()),
            false => Err(Refusal::Secret { key: key.id }),
        }
    }
}

fn key(method: Method, id: u8, secret: &[u8]) -> Result<Key, KeyError> {
    let max = method.key_octets_max();
    let wrong = KeyError::Length {
        method,
        octets: secret.len(),
        max,
    };
    let fits = (1..=max).contains(&secret.len());
    let secret = Value::new(secret).filter(|_| fits).ok_or(wrong)?;
    Ok(Key { id, secret })
}

/// What stands in the last field of a section whose value is the key.
fn digest(packet: &Packet, section: Section) -> Value {
    let with_key = Packet {
        authentication: Some(section),
        ..*packet
    };
    // A value that is too long cannot come out of a digest; refusing everything is the safe way on.
    let digest = match section.method {
        Method::Simple => return section.value,
        Method::KeyedMd5 | Method::MeticulousMd5 => {
            Value::new(&Md5::digest(with_key.encode().as_ref()))
        }
        Method::KeyedSha1 | Method::MeticulousSha1 => {
            Value::new(&Sha1::digest(with_key.encode().as_ref()))
        }
    };
    digest.unwrap_or(section.value)
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Too long for its field, or empty.
    #[error("the key has {octets} octets, but must have 1 to {max} for {method} (RFC 5880 §4.2)")]
    Length {
        /// What it is for.
        method: Method,
        /// How long it is.
        octets: usize,
        /// How long it may be.
        max: usize,
    },
    /// Two keys have one number.
    #[error("two keys have the number {0}")]
    Twice(u8),
}

/// Why a packet is not believed. It is discarded without any other consequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer's packets carry no authentication.
    #[error("the peer uses no authentication, but {0} is configured here")]
    Missing(Method),
    /// The peer's packets carry authentication.
    #[error("the peer uses {0}, but no authentication is configured here")]
    NotConfigured(Method),
    /// The peer uses another method.
    #[error("the peer uses {theirs}, but {ours} is configured here")]
    Method {
        /// The peer's.
        theirs: Method,
        /// Ours.
        ours: Method,
    },
    /// The peer uses a key that is not configured.
    #[error("the peer uses key {0}, which is not configured here")]
    KeyId(u8),
    /// The secrets differ, or the packet was altered.
    #[error("the peer's secret for key {key} is not the one configured here")]
    Secret {
        /// The number of the key.
        key: u8,
    },
    /// A packet of earlier came again, or the peer has begun anew.
    #[error("sequence number {got} is outside of {from} to {to}: replayed, or the peer restarted")]
    Sequence {
        /// That of the packet.
        got: u32,
        /// The first that would have been taken.
        from: u32,
        /// The last that would have been taken.
        to: u32,
    },
}

/// The authentication of a session, with what RFC 5880 §6.8.1 has it remember.
#[derive(Debug)]
pub(crate) struct Guard {
    current: Option<Authentication>,
    /// Accepted as well until the peer uses the current one (§6.7.1).
    former: Option<Former>,
    /// `bfd.XmitAuthSeq`.
    sent: u32,
    /// `bfd.RcvAuthSeq` and when it was; `None`: `bfd.AuthSeqKnown` is 0.
    heard: Option<(u32, Instant)>,
}

#[derive(Debug)]
struct Former {
    authentication: Option<Authentication>,
    /// From the first packet on that comes this late it is history.
    until: Instant,
}

impl Guard {
    /// `sequence` is where our numbers begin; anything will do.
    pub(crate) fn new(current: Option<Authentication>, sequence: u32) -> Self {
        Self {
            current,
            former: None,
            sent: sequence,
            heard: None,
        }
    }

    /// RFC 5880 §6.7.1: signs by the new one at once, and takes packets by the former one for as
    /// long as the session lives without hearing the new one. The order of an operator allows one
    /// change; no packet does.
    pub(crate) fn change(
        &mut self,
        now: Instant,
        new: Option<Authentication>,
        detection_time: Duration,
    ) {
        if new == self.current {
            return;
        }
        let authentication = std::mem::replace(&mut self.current, new);
        self.former = Some(Former {
            authentication,
            until: now + detection_time,
        });
    }

    pub(crate) fn current(&self) -> Option<&Authentication> {
        self.current.as_ref()
    }

    /// The packet with its section. Numbers go up with each packet, which the methods that are
    /// not meticulous allow (§6.7.3: "MAY").
    pub(crate) fn sign(&mut self, packet: Packet) -> Packet {
        let Some(authentication) = &self.current else {
            return packet;
        };
        if authentication.method.is_numbered() {
            self.sent = self.sent.wrapping_add(1);
        }
        let section = authentication.section(self.sent);
        let value = digest(&packet, section);
        Packet {
            authentication: Some(Section { value, ..section }),
            ..packet
        }
    }

    /// Whether a packet of the peer is believed.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        packet: &Packet,
        detection_time: Duration,
    ) -> Result<(), Refusal> {
        // §6.8.1: "MUST be set to zero after no packets have been received on this session for at
        // least twice the Detection Time". A discarded packet was not received, or somebody who
        // replays one could keep a restarted peer out for ever.
        self.heard
            .take_if(|(_, at)| now.saturating_duration_since(*at) >= 2 * detection_time);
        self.former.take_if(|former| former.until <= now);
        // Before any digest is made, so that a flood of replays costs little.
        self.window(packet)?;
        match (by(self.current.as_ref(), packet), &self.former) {
            (Ok(()), _) => self.former = None,
            (Err(_), Some(former)) if by(former.authentication.as_ref(), packet).is_ok() => {}
            (Err(refusal), _) => return Err(refusal),
        }
        self.believed(now, packet);
        Ok(())
    }

    /// §6.7.3, §6.7.4: the next 3 × Detect Mult numbers, and the last one again unless meticulous.
    fn window(&self, packet: &Packet) -> Result<(), Refusal> {
        let Some(section) = packet.authentication.filter(|it| it.method.is_numbered()) else {
            return Ok(());
        };
        let Some((last, _)) = self.heard else {
            return Ok(());
        };
        let from = last.wrapping_add(u32::from(section.method.is_meticulous()));
        let to = last.wrapping_add(3 * u32::from(packet.detect_multiplier.get()));
        if section.sequence.wrapping_sub(from) > to.wrapping_sub(from) {
            return Err(Refusal::Sequence {
                got: section.sequence,
                from,
                to,
            });
        }
        Ok(())
    }

    /// Only a packet with the right digest moves the window: the RFC learns a first number before
    /// it looks at the digest, and a stranger could then choose it. A first number is learned from
    /// a packet that names our discriminator, which was drawn for this session: what was recorded
    /// before a restart does not, and replaying it would otherwise keep the peer's own packets out
    /// of the window.
    fn believed(&mut self, now: Instant, packet: &Packet) {
        let section = packet.authentication.filter(|it| it.method.is_numbered());
        let learns = self.heard.is_some() || packet.your_discriminator.is_some();
        if let Some(section) = section.filter(|_| learns) {
            self.heard = Some((section.sequence, now));
        }
    }
}

/// RFC 5880 §6.8.6: a section must be there if, and only if, authentication is in use.
fn by(authentication: Option<&Authentication>, packet: &Packet) -> Result<(), Refusal> {
    match (authentication, packet.authentication) {
        (None, None) => Ok(()),
        (None, Some(section)) => Err(Refusal::NotConfigured(section.method)),
        (Some(authentication), None) => Err(Refusal::Missing(authentication.method)),
        (Some(authentication), Some(section)) => authentication.vouches(packet, section),
    }
}

#[cfg(test)]
mod tests;
