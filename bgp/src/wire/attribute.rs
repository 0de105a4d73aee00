//! Path attributes on the wire (RFC 4271 §4.3): the header all of them share, and the list.
//!
//! A [`Raw`] attribute is a slice of the message with its code and flags. What each value must
//! look like stands in the file of the attribute; which values a message needs, and what follows
//! from errors, is [`super::update`]'s business. [`canonical`] is the one place that writes the
//! attributes that tables keep.

pub(crate) mod aggregator;
pub(crate) mod aigp;
pub(crate) mod as_path;
pub(crate) mod communities;
pub(crate) mod fixed;
pub(crate) mod multiprotocol;
pub(crate) mod pmsi_tunnel;

use smallvec::SmallVec;
use std::borrow::Cow;

use crate::attributes::Canonical;
use crate::wire::error::UpdateError;
use crate::wire::read::{Reader, Short};

/// Attribute type codes.
pub(crate) mod code {
    pub(crate) const ORIGIN: u8 = 1;
    pub(crate) const AS_PATH: u8 = 2;
    pub(crate) const NEXT_HOP: u8 = 3;
    pub(crate) const MULTI_EXIT_DISC: u8 = 4;
    pub(crate) const LOCAL_PREF: u8 = 5;
    pub(crate) const ATOMIC_AGGREGATE: u8 = 6;
    pub(crate) const AGGREGATOR: u8 = 7;
    pub(crate) const COMMUNITIES: u8 = 8;
    pub(crate) const ORIGINATOR_ID: u8 = 9;
    pub(crate) const CLUSTER_LIST: u8 = 10;
    pub(crate) const MP_REACH_NLRI: u8 = 14;
    pub(crate) const MP_UNREACH_NLRI: u8 = 15;
    pub(crate) const EXTENDED_COMMUNITIES: u8 = 16;
    pub(crate) const AS4_PATH: u8 = 17;
    pub(crate) const AS4_AGGREGATOR: u8 = 18;
    pub(crate) const PMSI_TUNNEL: u8 = 22;
    pub(crate) const AIGP: u8 = 26;
    pub(crate) const LARGE_COMMUNITIES: u8 = 32;
    pub(crate) const ONLY_TO_CUSTOMER: u8 = 35;
}

pub(crate) const OPTIONAL: u8 = 0x80;
pub(crate) const TRANSITIVE: u8 = 0x40;
pub(crate) const PARTIAL: u8 = 0x20;
pub(crate) const EXTENDED_LENGTH: u8 = 0x10;

/// Optional and Transitive bits of an attribute this crate knows.
pub(crate) fn known_flags(code: u8) -> Option<u8> {
    match code {
        code::ORIGIN
        | code::AS_PATH
        | code::NEXT_HOP
        | code::LOCAL_PREF
        | code::ATOMIC_AGGREGATE => Some(TRANSITIVE),
        code::MULTI_EXIT_DISC
        | code::ORIGINATOR_ID
        | code::CLUSTER_LIST
        | code::AIGP
        | code::MP_REACH_NLRI
        | code::MP_UNREACH_NLRI => Some(OPTIONAL),
        code::AGGREGATOR
        | code::COMMUNITIES
        | code::EXTENDED_COMMUNITIES
        | code::AS4_PATH
        | code::AS4_AGGREGATOR
        | code::PMSI_TUNNEL
        | code::LARGE_COMMUNITIES
        | code::ONLY_TO_CUSTOMER => Some(OPTIONAL | TRANSITIVE),
        _ => None,
    }
}

/// Name of an attribute as its document spells it.
pub(crate) fn name(code: u8) -> &'static str {
    match code {
        code::ORIGIN => "ORIGIN",
        code::AS_PATH => "AS_PATH",
        code::NEXT_HOP => "NEXT_HOP",
        code::MULTI_EXIT_DISC => "MULTI_EXIT_DISC",
        code::LOCAL_PREF => "LOCAL_PREF",
        code::ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
        code::AGGREGATOR => "AGGREGATOR",
        code::COMMUNITIES => "COMMUNITIES",
        code::ORIGINATOR_ID => "ORIGINATOR_ID",
        code::CLUSTER_LIST => "CLUSTER_LIST",
        code::MP_REACH_NLRI => "MP_REACH_NLRI",
        code::MP_UNREACH_NLRI => "MP_UNREACH_NLRI",
        code::EXTENDED_COMMUNITIES => "EXTENDED COMMUNITIES",
        code::AS4_PATH => "AS4_PATH",
        code::AS4_AGGREGATOR => "AS4_AGGREGATOR",
        code::PMSI_TUNNEL => "PMSI_TUNNEL",
        code::AIGP => "AIGP",
        code::LARGE_COMMUNITIES => "LARGE_COMMUNITY",
        code::ONLY_TO_CUSTOMER => "OTC",
        _ => "unknown attribute",
    }
}

/// One attribute as it stands in a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) flags: u8,
    pub(crate) code: u8,
    pub(crate) value: &'a [u8],
    /// All its octets, the header included.
    pub(crate) octets: &'a [u8],
}

impl<'a> Raw<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, UpdateError> {
        let octets = reader.rest();
        let available = octets.len();
        let header = |_: Short| UpdateError::AttributeHeader { available };
        let flags = reader.u8().map_err(header)?;
        let code = reader.u8().map_err(header)?;
        let length = if flags & EXTENDED_LENGTH == 0 {
            reader.u8().map_err(header)?.into()
        } else {
            reader.u16().map_err(header)?
        };
        let value = reader.take(length.into());
        let value = value.map_err(|_| UpdateError::AttributeOverrun {
            code,
            length: length.into(),
            available: reader.len(),
        })?;
        let octets = octets.get(..available - reader.len()).unwrap_or(octets);
        Ok(Self {
            flags,
            code,
            value,
            octets,
        })
    }

    /// RFC 7606 §3 c: Optional and Transitive must be as the attribute's document says. Partial
    /// and the unused bits are not looked at.
    pub(crate) fn check_flags(&self) -> Result<(), UpdateError> {
        match known_flags(self.code) {
            Some(expected) if self.flags & (OPTIONAL | TRANSITIVE) != expected => {
                Err(UpdateError::Flags {
                    code: self.code,
                    flags: self.flags,
                    expected,
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The value, if it has exactly `N` octets.
    pub(crate) fn exactly<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<[u8; N], UpdateError> {
        self.value
            .try_into()
            .map_err(|_| self.length_error(expected))
    }

    /// RFC 7606 §7: the value must hold one or more entries of `size` octets.
    pub(crate) fn list_of(&self, size: usize, expected: &'static str) -> Result<(), UpdateError> {
        if self.value.is_empty() || !self.value.len().is_multiple_of(size) {
            return Err(self.length_error(expected));
        }
        Ok(())
    }

    pub(crate) fn length_error(&self, expected: &'static str) -> UpdateError {
        UpdateError::Length {
            code: self.code,
            length: self.value.len(),
            expected,
        }
    }

    /// The attribute's octets with a header as long as it needs to be.
    pub(crate) fn to_bytes(self) -> Box<[u8]> {
        let mut out = Vec::with_capacity(self.value.len() + 4);
        put(&mut out, self.flags, self.code, self.value);
        out.into()
    }
}

/// The attributes of well-formed octets; ends where they cease to be.
#[derive(Debug, Clone)]
pub(crate) struct List<'a>(Reader<'a>);

impl<'a> List<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// The value of the first attribute of a code.
    pub(crate) fn find(mut self, code: u8) -> Option<&'a [u8]> {
        self.find_map(|raw| (raw.code == code).then_some(raw.value))
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        if self.0.is_empty() {
            return None;
        }
        Raw::read(&mut self.0).ok()
    }
}

/// An attribute on its way into the canonical form.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) code: u8,
    octets: Octets<'a>,
}

/// What an attribute adds to the canonical form.
#[derive(Debug)]
enum Octets<'a> {
    /// As it stands in the message, header and all.
    AsTheyAre(&'a [u8]),
    /// A value that needs a header, with its flags.
    Value(u8, Cow<'a, [u8]>),
    /// The same, of entries that are to be in order.
    Unsorted(u8, &'a [u8], fn(&[u8]) -> Canonical),
}

impl<'a> Piece<'a> {
    /// Canonical flags: those of the attribute's document, with Partial as it arrived where the
    /// attribute is optional transitive (RFC 4271 §5: Partial, once set, stays).
    pub(crate) fn new(code: u8, flags: u8, value: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            code,
            octets: Octets::Value(canonical_flags(code, flags), value.into()),
        }
    }

    /// A list whose entries `sorted` puts in order.
    pub(crate) fn unsorted(raw: &Raw<'a>, sorted: fn(&[u8]) -> Canonical) -> Self {
        let flags = canonical_flags(raw.code, raw.flags);
        Self {
            code: raw.code,
            octets: Octets::Unsorted(flags, raw.value, sorted),
        }
    }

    /// An attribute whose value is canonical. Nearly all others send headers that are, too, and then
    /// the octets are copied once and not put together from their parts.
    pub(crate) fn of(raw: &Raw<'a>) -> Self {
        let long = raw.value.len() > usize::from(u8::MAX);
        let flags = canonical_flags(raw.code, raw.flags);
        let wanted = if long { flags | EXTENDED_LENGTH } else { flags };
        let octets = match raw.flags == wanted {
            true => Octets::AsTheyAre(raw.octets),
            false => Octets::Value(flags, raw.value.into()),
        };
        Self {
            code: raw.code,
            octets,
        }
    }

    /// The same attribute with what `change` makes of its value.
    pub(crate) fn change(&mut self, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        let (flags, value) = match &self.octets {
            Octets::AsTheyAre(octets) => {
                let Some(raw) = List::new(octets).next() else {
                    return;
                };
                (raw.flags & !EXTENDED_LENGTH, change(raw.value))
            }
            Octets::Value(flags, value) => (*flags, change(value)),
            Octets::Unsorted(flags, value, _) => (*flags, change(value)),
        };
        self.octets = Octets::Value(flags, value.into());
    }

    fn put(&self, out: &mut Canonical) {
        match &self.octets {
            Octets::AsTheyAre(octets) => out.extend_from_slice(octets),
            Octets::Value(flags, value) => self.put_framed(*flags, value, out),
            Octets::Unsorted(flags, value, sorted) => {
                self.put_framed(*flags, &sorted(value), out);
            }
        }
    }

    fn put_framed(&self, flags: u8, value: &[u8], out: &mut Canonical) {
        let (header, value) = framed(flags, self.code, value);
        out.extend_from_slice(header.as_slice());
        out.extend_from_slice(value);
    }
}

fn canonical_flags(code: u8, flags: u8) -> u8 {
    let known = known_flags(code).unwrap_or(OPTIONAL | TRANSITIVE);
    let partial = match known == OPTIONAL | TRANSITIVE {
        true => flags & PARTIAL,
        false => 0,
    };
    known | partial
}

/// The attributes of one message. Few have more than eight, and those here need no heap, which is
/// what several threads that decode would wait for.
pub(crate) type Pieces<'a> = SmallVec<[Piece<'a>; 8]>;

/// Canonical octets: ascending type codes, each in the shorter of the two headers.
pub(crate) fn canonical(pieces: &mut Pieces<'_>) -> Canonical {
    if !pieces.is_sorted_by_key(|piece| piece.code) {
        pieces.sort_by_key(|piece| piece.code);
    }
    let mut octets = Canonical::new();
    for piece in pieces.iter() {
        piece.put(&mut octets);
    }
    octets
}

/// Appends an attribute. A value has at most 65535 octets; callers cut longer ones.
pub(crate) fn put(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    let (header, value) = framed(flags, code, value);
    out.extend_from_slice(header.as_slice());
    out.extend_from_slice(value);
}

/// The header of an attribute, in the shorter of its two forms.
enum AttributeHeader {
    Short([u8; 3]),
    Long([u8; 4]),
}

impl AttributeHeader {
    fn as_slice(&self) -> &[u8] {
        match self {
            AttributeHeader::Short(octets) => octets,
            AttributeHeader::Long(octets) => octets,
        }
    }
}

/// Header and value, which is cut at 65535 octets.
fn framed(flags: u8, code: u8, value: &[u8]) -> (AttributeHeader, &[u8]) {
    if let Ok(length) = u8::try_from(value.len()) {
        let header = [flags & !EXTENDED_LENGTH, code, length];
        return (AttributeHeader::Short(header), value);
    }
    debug_assert!(value.len() <= usize::from(u16::MAX));
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let header = [flags | EXTENDED_LENGTH, code, high, low];
    let value = value.get(..usize::from(length)).unwrap_or(value);
    (AttributeHeader::Long(header), value)
}
