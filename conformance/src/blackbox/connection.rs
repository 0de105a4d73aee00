//! One TCP connection with a speaker under test, message by message.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::message::{self, HEADER_LEN, Message, Notification, Open};
use super::{Error, Session};

/// How long something that must come may take. Far beyond what a busy machine needs; a test that
/// passes never waits for it.
pub const LIMIT: Duration = Duration::from_secs(15);

/// Messages remembered for a report.
const REMEMBERED: usize = 8;

/// What came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// The end of the connection.
    Closed,
    /// Nothing within the time.
    Silence,
}

/// Errors of a read that only say that nothing has come.
const NOTHING: [ErrorKind; 3] = [
    ErrorKind::WouldBlock,
    ErrorKind::TimedOut,
    ErrorKind::Interrupted,
];

/// What reading brought.
enum Fill {
    Octets,
    Nothing,
    End,
}

/// A TCP connection; dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    heard: VecDeque<String>,
    /// The speaker puts path identifiers in front of IPv4 prefixes (RFC 7911 §3).
    pub(super) numbered: bool,
}

impl Connection {
    /// Connects from a loopback address.
    pub fn open(from: IpAddr, to: SocketAddr) -> Result<Self, Error> {
        Self::open_with_ttl(from, to, None)
    }

    /// The same with packets of this TTL.
    pub(super) fn open_with_ttl(
        from: IpAddr,
        to: SocketAddr,
        ttl: Option<u8>,
    ) -> Result<Self, Error> {
        let what = || format!("connect from {from} to {to}");
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None);
        let socket = socket.map_err(|e| Error::io(what(), e))?;
        let bound = socket.bind(&SocketAddr::from((from, 0)).into());
        bound.map_err(|e| Error::io(what(), e))?;
        if let Some(ttl) = ttl {
            let set = socket.set_ttl_v4(ttl.into());
            set.map_err(|e| Error::io("set the TTL", e))?;
        }
        let connected = socket.connect_timeout(&to.into(), LIMIT);
        connected.map_err(|e| Error::io(what(), e))?;
        Self::new(socket.into())
    }

    /// Sends with another TTL from now on.
    pub fn send_with_ttl(&self, ttl: u8) -> Result<(), Error> {
        let set = self.stream.set_ttl(ttl.into());
        set.map_err(|e| Error::io("set the TTL", e))
    }

    /// Takes over a connection that the speaker opened.
    pub fn new(stream: TcpStream) -> Result<Self, Error> {
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_write_timeout(Some(LIMIT)));
        set.map_err(|e| Error::io("set up a connection", e))?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            heard: VecDeque::new(),
            numbered: false,
        })
    }

    /// Sends octets.
    pub fn send(&mut self, octets: &[u8]) -> Result<(), Error> {
        let sent = self.stream.write_all(octets);
        sent.map_err(|e| Error::io(format!("send {} octets", octets.len()), e))
    }

    /// Sends nothing more, but goes on reading.
    pub fn half_close(&mut self) -> Result<(), Error> {
        let closed = self.stream.shutdown(Shutdown::Write);
        closed.map_err(|e| Error::io("end the sending side", e))
    }

    /// The next message, the end, or silence for `limit`; without a limit, what has arrived.
    pub fn hear(&mut self, limit: Duration) -> Result<Heard, Error> {
        let until = Instant::now() + limit;
        loop {
            if let Some(message) = self.take_message()? {
                if self.heard.len() == REMEMBERED {
                    self.heard.pop_front();
                }
                self.heard.push_back(format!("{message:?}"));
                return Ok(Heard::Message(message));
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.fill(left)? {
                Fill::Octets => {}
                Fill::Nothing if left.is_zero() => return Ok(Heard::Silence),
                Fill::Nothing => {}
                Fill::End => return Ok(Heard::Closed),
            }
        }
    }

    /// Reads what has arrived, or arrives within `limit`.
    fn fill(&mut self, limit: Duration) -> Result<Fill, Error> {
        let mut octets = [0; 65_536];
        let set = self.stream.set_nonblocking(limit.is_zero()).and_then(|()| {
            let limit = Some(limit).filter(|limit| !limit.is_zero());
            self.stream.set_read_timeout(limit)
        });
        set.map_err(|e| Error::io("set a time limit", e))?;
        let read = self.stream.read(&mut octets);
        let set = self.stream.set_nonblocking(false);
        set.map_err(|e| Error::io("set a time limit", e))?;
        match read {
            Ok(0) => Ok(Fill::End),
            Ok(count) => {
                self.buffer.extend(octets.iter().take(count));
                Ok(Fill::Octets)
            }
            Err(error) if NOTHING.contains(&error.kind()) => Ok(Fill::Nothing),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Fill::End),
            Err(error) => Err(Error::io("read", error)),
        }
    }

    fn take_message(&mut self) -> Result<Option<Message>, Error> {
        let Some([high, low]) = self.buffer.get(16..18) else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if len < HEADER_LEN {
            let octets = self.buffer.get(..HEADER_LEN).unwrap_or_default();
            return Err(Error::rule("a message", format!("got {octets:02x?}")));
        }
        if self.buffer.len() < len {
            return Ok(None);
        }
        let octets: Vec<u8> = self.buffer.drain(..len).collect();
        let message = Message::read_with(&octets, self.numbered);
        let error = || Error::rule("a well-formed message", format!("got {octets:02x?}"));
        message.ok_or_else(error).map(Some)
    }

    /// What was heard last, for a report.
    pub fn history(&self) -> String {
        if self.heard.is_empty() {
            return "nothing".to_owned();
        }
        Vec::from_iter(self.heard.iter().map(String::as_str)).join(", ")
    }

    pub(super) fn late(&self, expected: &str, limit: Duration) -> Error {
        Error::Late {
            expected: expected.to_owned(),
            limit_ms: limit.as_millis(),
            heard: self.history(),
        }
    }

    /// The next message, which must come.
    pub fn expect_message(&mut self, expected: &str) -> Result<Message, Error> {
        match self.hear(LIMIT)? {
            Heard::Message(message) => Ok(message),
            Heard::Closed => Err(Error::rule(
                expected,
                format!("the connection ended after {}", self.history()),
            )),
            Heard::Silence => Err(self.late(expected, LIMIT)),
        }
    }

    /// The speaker's OPEN.
    pub fn expect_open(&mut self) -> Result<Open, Error> {
        let message = self.expect_message("an OPEN")?;
        let got = format!("got {message:?}");
        if let Message::Open(open) = message {
            return Ok(open);
        }
        Err(Error::rule("an OPEN", got))
    }

    /// A KEEPALIVE as the next message.
    pub fn expect_keepalive(&mut self) -> Result<(), Error> {
        let message = self.expect_message("a KEEPALIVE")?;
        if message == Message::Keepalive {
            return Ok(());
        }
        Err(Error::rule("a KEEPALIVE", format!("got {message:?}")))
    }

    /// A NOTIFICATION with these codes, whatever else comes before it, and then the end.
    pub fn expect_notification(&mut self, code: u8, subcode: u8) -> Result<Notification, Error> {
        let expected = format!("NOTIFICATION {code}/{subcode}");
        let notification = loop {
            if let Message::Notification(notification) = self.expect_message(&expected)? {
                break notification;
            }
        };
        if (notification.code, notification.subcode) != (code, subcode) {
            return Err(Error::rule(expected, format!("got {notification:?}")));
        }
        self.expect_closed()?;
        Ok(notification)
    }

    /// The end of the connection without a further message.
    pub fn expect_closed(&mut self) -> Result<(), Error> {
        let expected = "the end of the connection";
        match self.hear(LIMIT)? {
            Heard::Closed => Ok(()),
            Heard::Message(message) => Err(Error::rule(expected, format!("got {message:?}"))),
            Heard::Silence => Err(self.late(expected, LIMIT)),
        }
    }

    /// The end of the connection, whatever comes before it but a NOTIFICATION.
    pub fn expect_end(&mut self) -> Result<(), Error> {
        let expected = "the end of the connection without a NOTIFICATION";
        loop {
            match self.hear(LIMIT)? {
                Heard::Closed => return Ok(()),
                Heard::Message(Message::Notification(notification)) => {
                    return Err(Error::rule(expected, format!("got {notification:?}")));
                }
                Heard::Message(_) => {}
                Heard::Silence => return Err(self.late(expected, LIMIT)),
            }
        }
    }

    /// Brings a session up with this OPEN.
    pub fn establish(mut self, open: &Open) -> Result<Session, Error> {
        self.send(&open.bytes())?;
        let theirs = self.expect_open()?;
        self.expect_keepalive()?;
        self.send(&message::keepalive())?;
        Ok(Session::new(self, open, theirs))
    }
}
