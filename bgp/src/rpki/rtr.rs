//! The router's side of the RPKI-to-router protocol (RFC 8210, RFC 6810): octets in, questions and
//! answers out.
//!
//! A [`Session`] is one connection to a cache. [`Session::ask`] gives the octets of a question, for
//! everything or for what has changed; [`Session::take`] reads what arrives and says what there is
//! to do: another question ([`Said::Ask`]), the entries of a whole answer ([`Said::Answer`]), or that
//! the cache has something new ([`Said::Notify`]). What entries make of a table is
//! [`crate::rpki::Vrps::with`]; timers and sockets are the caller's.
//!
//! A cache is not trusted in what it sends: a PDU has at most [`PDU_MAX`] octets, an answer at most
//! as many entries as the session was given, and the first thing that may not be ends the session
//! with a [`Fault`]. Router keys (RFC 8210 §5.10) are stepped over. Version 2 is not spoken.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{Buf, BytesMut};

use super::{Change, ChangeError, Vrp};
use crate::asn::Asn;
use crate::prefix::{Prefix, Prefix4, Prefix6};
use crate::wire::read::{Reader, Short};

/// The newest version that is spoken.
pub const VERSION_MAX: u8 = 1;

/// The longest PDU that is read: an error with its text.
pub const PDU_MAX: usize = 65_535;

/// RFC 8210 §5.1: version, type, session number or error code, length.
const HEADER: usize = 8;

/// Of an error's text so much is repeated.
const TEXT_MAX: usize = 200;

/// Of a PDU with a fault so much is sent back.
const ERRONEOUS_MAX: usize = 64;

/// What a cache's data is a state of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial {
    /// The cache's session (RFC 8210 §5.1).
    pub session: u16,
    /// Number of the data within it.
    pub serial: u32,
}

/// The intervals that a cache asks for, in seconds (RFC 8210 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between questions.
    pub refresh_s: u32,
    /// After a question that failed.
    pub retry_s: u32,
    /// How long data is good.
    pub expire_s: u32,
}

impl Default for Timing {
    /// RFC 8210 §6, for caches of version 0, which say nothing.
    fn default() -> Self {
        Self {
            refresh_s: 3_600,
            retry_s: 600,
            expire_s: 7_200,
        }
    }
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Send these octets: the question is to be put in another way.
    Ask(Vec<u8>),
    /// Ask again: the cache has something new.
    Notify,
    /// A whole answer.
    Answer(Answer),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// It is everything the cache has, and not what has changed.
    pub reset: bool,
    /// Entries in their order.
    pub changes: Vec<Change>,
    /// What the data is now.
    pub serial: Serial,
    /// The intervals from now on.
    pub timing: Timing,
}

/// One connection to a cache.
#[derive(Debug)]
pub struct Session {
    version: u8,
    /// The cache has answered in this version.
    agreed: bool,
    known: Option<Serial>,
    entries_max: usize,
    phase: Phase,
    /// What the cache said to have while something else was awaited.
    noted: Option<Serial>,
    /// The beginning of the PDU that a fault is about.
    erroneous: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is awaited.
    Idle,
    /// A question was asked, for everything or for changes.
    Asked { reset: bool },
    /// Its answer has begun.
    Answer(Began),
}

#[derive(Debug)]
struct Began {
    reset: bool,
    session: u16,
    changes: Vec<Change>,
    /// With those that are stepped over.
    entries: usize,
}

impl Session {
    /// A new connection that begins with this version. What is known of the cache's data leads to a
    /// question for changes, otherwise for everything. An answer has at most so many entries.
    pub fn new(version: u8, known: Option<Serial>, entries_max: usize) -> Self {
        Self {
            version: version.min(VERSION_MAX),
            agreed: false,
            known,
            entries_max,
            phase: Phase::Idle,
            noted: None,
            erroneous: Vec::new(),
        }
    }

    /// The version spoken, or begun with.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The octets of a question.
    pub fn ask(&mut self) -> Vec<u8> {
        self.phase = Phase::Asked {
            reset: self.known.is_none(),
        };
        match self.known {
            Some(known) => {
                let mut octets = header(self.version, kind::SERIAL_QUERY, known.session, 12);
                octets.extend(known.serial.to_be_bytes());
                octets
            }
            None => header(self.version, kind::RESET_QUERY, 0, 8),
        }
    }

    /// Reads what has arrived, up to the first PDU after which there is something to do; `None` when
    /// more has to arrive first. What is left in `octets` then is the beginning of one PDU.
    ///
    /// # Errors
    ///
    /// What may not be; the connection is of no use any more.
    pub fn take(&mut self, octets: &mut BytesMut) -> Result<Option<Said>, Fault> {
        if let (Phase::Idle, Some(noted), Some(known)) = (&self.phase, self.noted, self.known) {
            self.noted = None;
            if noted.session == known.session && noted.serial != known.serial {
                return Ok(Some(Said::Notify));
            }
        }
        while let Some(length) = whole(octets)? {
            let pdu = octets.get(..length).unwrap_or_default();
            let said = self.pdu(pdu);
            if said.is_err() {
                self.erroneous = pdu.iter().take(ERRONEOUS_MAX).copied().collect();
            }
            octets.advance(length);
            if let Some(said) = said? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// The octets that tell the cache of a fault, unless it told us (RFC 8210 §5.11).
    pub fn report(&self, fault: &Fault) -> Option<Vec<u8>> {
        let code = fault.code()?;
        let text = fault.to_string();
        let length = HEADER + 4 + self.erroneous.len() + 4 + text.len();
        let mut octets = header(self.version, kind::ERROR, code, number(length));
        octets.extend(number(self.erroneous.len()).to_be_bytes());
        octets.extend(&self.erroneous);
        octets.extend(number(text.len()).to_be_bytes());
        octets.extend(text.as_bytes());
        Some(octets)
    }

    fn pdu(&mut self, pdu: &[u8]) -> Result<Option<Said>, Fault> {
        let mut reader = Reader::new(pdu);
        let (version, kind) = (reader.u8()?, reader.u8()?);
        let number = reader.u16()?;
        reader.u32()?;
        let body = reader;
        if kind == kind::ERROR {
            return self.error(version, number, body);
        }
        let awaited = !matches!(self.phase, Phase::Idle);
        if kind == kind::SERIAL_NOTIFY && awaited {
            // RFC 8210 §5.2, §7: it crossed our question, whose answer may have what is new.
            let mut body = body;
            self.noted = body.u32().ok().map(|serial| Serial {
                session: number,
                serial,
            });
            return Ok(None);
        }
        if version > self.version || self.agreed && version != self.version {
            return Err(Fault::Version(version));
        }
        match (kind, &mut self.phase) {
            (kind::SERIAL_NOTIFY, Phase::Idle) => {
                length(body, 4)?;
                self.in_session(number)?;
                Ok(Some(Said::Notify))
            }
            (kind::CACHE_RESPONSE, Phase::Asked { reset }) => {
                length(body, 0)?;
                let reset = *reset;
                (self.version, self.agreed) = (version, true);
                if !reset {
                    self.in_session(number)?;
                }
                self.phase = Phase::Answer(Began {
                    reset,
                    session: number,
                    changes: Vec::new(),
                    entries: 0,
                });
                Ok(None)
            }
            (kind::CACHE_RESET, Phase::Asked { reset: false }) => {
                length(body, 0)?;
                (self.version, self.agreed) = (version, true);
                self.known = None;
                Ok(Some(Said::Ask(self.ask())))
            }
            (kind::IPV4_PREFIX | kind::IPV6_PREFIX | kind::ROUTER_KEY, Phase::Answer(began)) => {
                began.entries += 1;
                if began.entries > self.entries_max {
                    return Err(Fault::TooMany(self.entries_max));
                }
                match kind {
                    kind::IPV4_PREFIX => began.changes.push(ipv4(body)?),
                    kind::IPV6_PREFIX => began.changes.push(ipv6(body)?),
                    // RFC 6810 has none.
                    _ if version == 0 => return Err(Fault::Unexpected { kind, version }),
                    _ => {}
                }
                Ok(None)
            }
            (kind::END_OF_DATA, Phase::Answer(began)) => {
                let answer = end(version, number, body, began)?;
                self.known = Some(answer.serial);
                self.phase = Phase::Idle;
                Ok(Some(Said::Answer(answer)))
            }
            (_, Phase::Idle | Phase::Asked { .. } | Phase::Answer(_)) => {
                Err(Fault::Unexpected { kind, version })
            }
        }
    }

    /// RFC 8210 §7: a cache that does not speak our version names the one it speaks.
    fn error(&mut self, version: u8, code: u16, body: Reader<'_>) -> Result<Option<Said>, Fault> {
        let asked = matches!(self.phase, Phase::Asked { .. });
        if code == code::UNSUPPORTED_VERSION && asked && !self.agreed && version < self.version {
            self.version = version;
            return Ok(Some(Said::Ask(self.ask())));
        }
        let text = error_text(body).unwrap_or_default();
        // RFC 8210 §5.1: that is how a cache says that it is in another session now.
        let of_changes = matches!(self.phase, Phase::Asked { reset: false });
        Err(match code {
            code::CORRUPT if of_changes => Fault::Desynchronized(text),
            code => Fault::Told { code, text },
        })
    }

    fn in_session(&self, found: u16) -> Result<(), Fault> {
        match self.known {
            Some(Serial { session, .. }) if session != found => Err(Fault::Session {
                expected: session,
                found,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// What is wrong with what a cache sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No PDU can have this length.
    Length(u32),
    /// A PDU ends before its fields do, or behind them.
    Fields,
    /// A prefix or a length that is none (RFC 8210 §5.6).
    Entry,
    /// A version that was not agreed on.
    Version(u8),
    /// A PDU that may not come here.
    Unexpected {
        /// Its type.
        kind: u8,
        /// Its version.
        version: u8,
    },
    /// The number of another session than the one we are in.
    Session {
        /// Ours.
        expected: u16,
        /// The one found.
        found: u16,
    },
    /// More entries in one answer than are taken.
    TooMany(usize),
    /// The entries do not fit the table.
    Change(ChangeError),
    /// The cache was asked for changes and is in another session, it says.
    Desynchronized(String),
    /// The cache says what is wrong.
    Told {
        /// Its code (RFC 8210 §12).
        code: u16,
        /// Its words, without control characters.
        text: String,
    },
}

impl Fault {
    /// RFC 8210 §12; none for what the cache said itself (§5.11).
    fn code(&self) -> Option<u16> {
        Some(match self {
            Fault::Length(_) | Fault::Fields | Fault::Entry | Fault::Session { .. } => {
                code::CORRUPT
            }
            Fault::Version(_) => code::UNEXPECTED_VERSION,
            Fault::Unexpected { .. } => code::UNSUPPORTED_PDU,
            Fault::TooMany(_) => code::INTERNAL,
            Fault::Change(ChangeError::Duplicate(_)) => code::DUPLICATE,
            Fault::Change(ChangeError::Unknown(_)) => code::UNKNOWN_WITHDRAWAL,
            Fault::Desynchronized(_) | Fault::Told { .. } => return None,
        })
    }

    /// RFC 8210 §5.1: what was learned in another session is to be dropped.
    pub fn flushes(&self) -> bool {
        matches!(self, Fault::Session { .. })
    }

    /// What is known of the cache's data is of no use for another question: everything is to be
    /// asked for.
    pub fn forgets(&self) -> bool {
        self.is_lasting() || self.flushes() || matches!(self, Fault::Desynchronized(_))
    }

    /// The same question would lead to the same fault. Not when the cache has no data yet.
    pub fn is_lasting(&self) -> bool {
        match self {
            Fault::Told { code, .. } => *code != code::NO_DATA,
            Fault::Session { .. } | Fault::Desynchronized(_) => false,
            Fault::Length(_)
            | Fault::Fields
            | Fault::Entry
            | Fault::Version(_)
            | Fault::Unexpected { .. }
            | Fault::TooMany(_)
            | Fault::Change(_) => true,
        }
    }
}

impl From<Short> for Fault {
    fn from(_: Short) -> Self {
        Fault::Fields
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Length(length) => write!(
                f,
                "a PDU of {length} octets, but they have {HEADER} to {PDU_MAX}"
            ),
            Fault::Fields => f.write_str("a PDU that is shorter or longer than its fields"),
            Fault::Entry => f.write_str("a prefix with a length that it cannot have"),
            Fault::Version(version) => {
                write!(
                    f,
                    "version {version}, which was not agreed on (RFC 8210 §7)"
                )
            }
            Fault::Unexpected { kind, version } => {
                write!(
                    f,
                    "a PDU of type {kind}, version {version}, that may not come here"
                )
            }
            Fault::Session { expected, found } => write!(
                f,
                "session {found} in place of {expected}: what was said in that one is dropped"
            ),
            Fault::TooMany(most) => write!(f, "more than {most} entries in one answer"),
            Fault::Change(error) => error.fmt(f),
            Fault::Desynchronized(text) => {
                write!(f, "the cache does not know our session any more: {text}")
            }
            Fault::Told { code, text } => {
                write!(f, "the cache reports error {code}, {}", code::name(*code))?;
                match text.is_empty() {
                    true => Ok(()),
                    false => write!(f, ": {text}"),
                }
            }
        }
    }
}

impl std::error::Error for Fault {}

/// The length of the PDU at the front, once all of it is there.
fn whole(octets: &[u8]) -> Result<Option<usize>, Fault> {
    let Some([_, _, _, _, length @ ..]) = octets.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let said = u32::from_be_bytes(*length);
    let length = usize::try_from(said).unwrap_or(usize::MAX);
    match (HEADER..=PDU_MAX).contains(&length) {
        true => Ok((octets.len() >= length).then_some(length)),
        false => Err(Fault::Length(said)),
    }
}

fn length(body: Reader<'_>, wanted: usize) -> Result<(), Fault> {
    match body.len() == wanted {
        true => Ok(()),
        false => Err(Fault::Fields),
    }
}

/// RFC 8210 §5.6.
fn ipv4(mut body: Reader<'_>) -> Result<Change, Fault> {
    length(body, 12)?;
    let (flags, len, max_len) = (body.u8()?, body.u8()?, body.u8()?);
    body.u8()?;
    let prefix = Prefix4::new(Ipv4Addr::from(body.u32()?), len).map(Prefix::V4);
    change(flags, prefix, max_len, Asn(body.u32()?))
}

/// RFC 8210 §5.7.
fn ipv6(mut body: Reader<'_>) -> Result<Change, Fault> {
    length(body, 24)?;
    let (flags, len, max_len) = (body.u8()?, body.u8()?, body.u8()?);
    body.u8()?;
    let prefix = Prefix6::new(Ipv6Addr::from(body.array::<16>()?), len).map(Prefix::V6);
    change(flags, prefix, max_len, Asn(body.u32()?))
}

fn change(flags: u8, prefix: Option<Prefix>, max_len: u8, asn: Asn) -> Result<Change, Fault> {
    let vrp = prefix.and_then(|prefix| Vrp::new(prefix, max_len, asn));
    let vrp = vrp.ok_or(Fault::Entry)?;
    Ok(match flags & 1 {
        1 => Change::Announce(vrp),
        _ => Change::Withdraw(vrp),
    })
}

/// RFC 8210 §5.8; RFC 6810 §5.8 has no intervals.
fn end(
    version: u8,
    session: u16,
    mut body: Reader<'_>,
    began: &mut Began,
) -> Result<Answer, Fault> {
    length(body, if version == 0 { 4 } else { 16 })?;
    if session != began.session {
        return Err(Fault::Session {
            expected: began.session,
            found: session,
        });
    }
    let serial = body.u32()?;
    let timing = match version {
        0 => Timing::default(),
        _ => Timing {
            refresh_s: body.u32()?,
            retry_s: body.u32()?,
            expire_s: body.u32()?,
        },
    };
    Ok(Answer {
        reset: began.reset,
        changes: std::mem::take(&mut began.changes),
        serial: Serial { session, serial },
        timing,
    })
}

/// The text of an error report, behind the PDU it is about (RFC 8210 §5.11).
fn error_text(mut body: Reader<'_>) -> Option<String> {
    let about = usize::try_from(body.u32().ok()?).ok()?;
    body.take(about).ok()?;
    let length = usize::try_from(body.u32().ok()?).ok()?;
    let text = String::from_utf8_lossy(body.take(length).ok()?);
    let shown = text.chars().filter(|it| !it.is_control());
    Some(shown.take(TEXT_MAX).collect())
}

fn header(version: u8, kind: u8, number: u16, length: u32) -> Vec<u8> {
    let mut octets = vec![version, kind];
    octets.extend(number.to_be_bytes());
    octets.extend(length.to_be_bytes());
    octets
}

/// Lengths of what is made here, which is small.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// RFC 8210 §5.
mod kind {
    pub(super) const SERIAL_NOTIFY: u8 = 0;
    pub(super) const SERIAL_QUERY: u8 = 1;
    pub(super) const RESET_QUERY: u8 = 2;
    pub(super) const CACHE_RESPONSE: u8 = 3;
    pub(super) const IPV4_PREFIX: u8 = 4;
    pub(super) const IPV6_PREFIX: u8 = 6;
    pub(super) const END_OF_DATA: u8 = 7;
    pub(super) const CACHE_RESET: u8 = 8;
    pub(super) const ROUTER_KEY: u8 = 9;
    pub(super) const ERROR: u8 = 10;
}

/// RFC 8210 §12.
mod code {
    pub(super) const CORRUPT: u16 = 0;
    pub(super) const INTERNAL: u16 = 1;
    pub(super) const NO_DATA: u16 = 2;
    pub(super) const UNSUPPORTED_VERSION: u16 = 4;
    pub(super) const UNSUPPORTED_PDU: u16 = 5;
    pub(super) const UNKNOWN_WITHDRAWAL: u16 = 6;
    pub(super) const DUPLICATE: u16 = 7;
    pub(super) const UNEXPECTED_VERSION: u16 = 8;

    pub(super) fn name(code: u16) -> &'static str {
        match code {
            CORRUPT => "corrupt data",
            INTERNAL => "internal error",
            NO_DATA => "no data available",
            3 => "invalid request",
            UNSUPPORTED_VERSION => "unsupported protocol version",
            UNSUPPORTED_PDU => "unsupported PDU type",
            UNKNOWN_WITHDRAWAL => "withdrawal of an unknown record",
            DUPLICATE => "duplicate announcement",
            UNEXPECTED_VERSION => "unexpected protocol version",
            _ => "of unknown meaning",
        }
    }
}
