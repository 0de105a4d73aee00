//! A cache of the RPKI whose part a test plays (RFC 8210), on loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::lab::wait_until;

use super::{Error, LIMIT, Prefix};

/// A cache that the speaker connects to.
#[derive(Debug)]
pub struct RtrCache {
    listener: TcpListener,
}

/// One connection of the speaker to it.
#[derive(Debug)]
pub struct RtrLink(TcpStream);

/// A PDU of the speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtrPdu {
    /// Version of the protocol.
    pub version: u8,
    /// Type.
    pub kind: u8,
    /// Session or error code.
    pub number: u16,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl RtrPdu {
    /// Serial query.
    pub const SERIAL_QUERY: u8 = 1;
    /// Reset query.
    pub const RESET_QUERY: u8 = 2;
    /// Error report.
    pub const ERROR: u8 = 10;
}

/// An entry of an answer: announced or withdrawn, prefix, greatest length, AS.
pub type RtrEntry<'a> = (bool, &'a str, u8, u32);

impl RtrCache {
    /// A cache that listens.
    pub fn new() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|e| Error::io("a cache listens", e))?;
        Ok(Self { listener })
    }

    /// `[[rpki]]` of rbgpd's configuration, with more keys.
    pub fn table(&self, keys: &str) -> Result<String, Error> {
        let address = self.listener.local_addr();
        let address = address.map_err(|e| Error::io("address of a cache", e))?;
        Ok(format!("[[rpki]]\naddress = \"{address}\"\n{keys}\n"))
    }

    /// The next connection.
    pub fn accept(&self) -> Result<RtrLink, Error> {
        let failed = |e| Error::io("a connection to the cache", e);
        self.listener.set_nonblocking(true).map_err(failed)?;
        let mut accepted = None;
        wait_until("a connection to the cache", LIMIT, || {
            accepted = self.listener.accept().ok();
            accepted.is_some()
        })?;
        let (stream, _) = accepted.ok_or_else(|| failed(ErrorKind::NotConnected.into()))?;
        stream.set_nonblocking(false).map_err(failed)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        Ok(RtrLink(stream))
    }
}

impl RtrLink {
    /// The next PDU.
    pub fn hear(&mut self) -> Result<RtrPdu, Error> {
        let failed = |e| Error::io("a PDU of the speaker", e);
        let mut header = [0; 8];
        self.0.read_exact(&mut header).map_err(failed)?;
        let [version, kind, high, low, length @ ..] = header;
        let length = u32::from_be_bytes(length).saturating_sub(8).min(1 << 16);
        let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read_exact(&mut body).map_err(failed)?;
        Ok(RtrPdu {
            version,
            kind,
            number: u16::from_be_bytes([high, low]),
            body,
        })
    }

    /// The next PDU, which must be of this type.
    pub fn expect(&mut self, kind: u8) -> Result<RtrPdu, Error> {
        let heard = self.hear()?;
        match heard.kind == kind {
            true => Ok(heard),
            false => Err(Error::rule(
                format!("a PDU of type {kind}"),
                format!("{heard:?}"),
            )),
        }
    }

    /// Sends octets as they are.
    pub fn say_raw(&mut self, octets: &[u8]) -> Result<(), Error> {
        let written = self.0.write_all(octets);
        written.map_err(|e| Error::io("the cache speaks", e))
    }

    /// Sends a PDU.
    pub fn say(&mut self, version: u8, kind: u8, number: u16, body: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(8 + body.len()).unwrap_or(u32::MAX);
        let mut pdu = vec![version, kind];
        pdu.extend(number.to_be_bytes());
        pdu.extend(length.to_be_bytes());
        pdu.extend(body);
        self.say_raw(&pdu)
    }

    /// A whole answer of version 1.
    pub fn answer(
        &mut self,
        session: u16,
        serial: u32,
        entries: &[RtrEntry<'_>],
    ) -> Result<(), Error> {
        self.begin(1, session, entries)?;
        let mut end = serial.to_be_bytes().to_vec();
        for seconds in [3600_u32, 1, 7200] {
            end.extend(seconds.to_be_bytes());
        }
        self.say(1, 7, session, &end)
    }

    /// An answer without its end.
    pub fn begin(
        &mut self,
        version: u8,
        session: u16,
        entries: &[RtrEntry<'_>],
    ) -> Result<(), Error> {
        self.say(version, 3, session, &[])?;
        for (announced, prefix, max_len, asn) in entries {
            let prefix: Prefix = prefix
                .parse()
                .map_err(|_| Error::rule("a prefix", prefix))?;
            let mut body = vec![u8::from(*announced), prefix.len, *max_len, 0];
            body.extend(prefix.addr.octets());
            body.extend(asn.to_be_bytes());
            self.say(version, 4, 0, &body)?;
        }
        Ok(())
    }

    /// Says that there is something new.
    pub fn notify(&mut self, session: u16, serial: u32) -> Result<(), Error> {
        self.say(1, 0, session, &serial.to_be_bytes())
    }
}
