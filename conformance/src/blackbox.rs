//! A scripted BGP peer, to put a speaker under test to the rules of the RFCs from outside.
//!
//! A [`Bench`] is one speaker under test ([`Speaker`], started as a process on loopback
//! addresses of its own) and two healthy sessions beside it. A test plays further peers: it opens
//! connections ([`Connection`]) or whole sessions ([`Session`]), sends what octets it likes and
//! says what must come back. The two healthy ones exchange routes through the speaker all the
//! while, and [`Bench::untouched`] says whether anything reached them that was not theirs: every
//! fault must leave others' state alone.
//!
//! ```text
//!   the test ── Connection/Session ──► .1 speaker under test ◄── Session ── observer  (.3)
//!   (.2, .5 and on)                                          ◄── Session ── bystander (.4)
//! ```
//!
//! Messages are built and read by [`message`] on purpose without the codec of rbgpd: a mistake
//! that encoder and decoder share would not be seen otherwise. Nothing here sleeps; every wait is
//! for a message, an end or a condition, and has a limit.
//!
//! What it does not do: it keeps no timers, so it sends a KEEPALIVE only when it is told to.
//! Sessions propose a long hold time unless the test is about time.

pub mod message;

mod alone;
mod bench;
mod connection;
mod error;
pub mod other;
mod random;
mod rbgpd;
mod rtr;
mod session;
mod setup;
mod speaker;

pub use alone::alone;
pub use bench::Bench;
pub use connection::{Connection, Heard, LIMIT};
pub use error::Error;
pub use message::{Attribute, Message, Notification, Open, Prefix, Update};
pub use random::Random;
pub use rtr::{RtrCache, RtrEntry, RtrLink, RtrPdu};
pub use session::{Route, Session};
pub use setup::{Neighbor, Setup};
pub use speaker::Speaker;

/// What a rule test returns: it fails with the error's text.
pub type Outcome = Result<(), Error>;
