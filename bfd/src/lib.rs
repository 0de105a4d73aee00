//! Bidirectional Forwarding Detection: packets and sessions.
//!
//! BFD notices within a fraction of a second that a path no longer carries packets, by sending
//! small control packets both ways and missing them. This crate is the protocol alone: bytes and
//! time go in, packets to send and state changes come out. It owns no socket, clock, thread or
//! random generator, so the same code runs in a daemon, in a simulator with virtual time and under
//! a fuzzer.
//!
//! ```text
//! datagram ─► Sessions ─► Packet::decode ─► Session::handle ─┬─► Output::Send
//! timeout  ─► (finds the session,                            └─► Output::StateChanged
//!              keeps the timers)
//! ```
//!
//! [`Session`] is one session, [`Sessions`] is many of them behind one receiving socket. Both
//! follow the same three verbs: `handle(now, input)`, `poll()` until `None`, `deadline()`.
//!
//! ```
//! use std::time::Instant;
//! use bfd::{Config, Discriminator, Output, Parameters, Session};
//!
//! let now = Instant::now();
//! let config = Config::new("192.0.2.2".parse().unwrap(), Parameters::default());
//! let mut session = Session::new(config, Discriminator::new(1).unwrap(), 42, now);
//! session.handle(now, bfd::Input::Timeout);
//! let Some(Output::Send(packet)) = session.poll() else { panic!("it speaks first") };
//! assert_eq!(bfd::Packet::decode(&packet.encode()), Ok(packet));
//! assert!(session.deadline() > Some(now));
//! ```
//!
//! # Supported standards
//!
//! - RFC 5880: asynchronous mode, active and passive role, poll sequences, jitter, a peer in
//!   demand mode.
//! - RFC 5880 §6.4: the echo function, both ways; the path of its packets is the caller's part.
//! - RFC 5880 §6.7: authentication with a simple password, keyed and meticulous keyed MD5 and SHA1,
//!   several keys, and changes of all that while a session is up.
//! - RFC 5881: single hop over IPv4 and IPv6, including the hop limit check (§5). The ports are
//!   the caller's part.
//! - RFC 5883: several hops, with a least TTL that the operator chooses.
//! - RFC 5882 §3.2 and §4.2: [`StateChange::is_administrative`] tells a wish from a failure.
//!
//! # Deviations
//!
//! - RFC 5880 §6.6 (being in demand mode ourselves) is optional and not offered: asynchronous mode at
//!   10 ms and more detects as fast as a host needs.
//! - RFC 5880 §6.8.5 takes a session down when echo packets do not come back. Here that is so from the
//!   first one that did: FRR offers to send them back on every host, also where nothing is forwarded.
//!   A session that was lost so stays down for a second, then two, up to 16 while none come back.
//! - RFC 5880 §6.8.3 would have a system with active echo set its Required Min RX Interval to a second
//!   or more. Here, as in FRR, control packets keep the intervals that they are given.
//! - RFC 5880 §6.7.3 and §6.7.4 learn a peer's first sequence number before they look at the digest,
//!   and a stranger could choose it. Here only a packet with the right digest counts, for that and
//!   for the time after which a number is forgotten (§6.8.1). A first number is learned from a packet
//!   that names our discriminator, so that packets of before a restart cannot choose it either. The
//!   section must end with the packet.
//! - RFC 5880 §6.8.7 answers each poll. Here a second one within 5 ms is not answered, which no peer
//!   that keeps to its interval sends: a replayed poll would have us send as fast as it comes.
//! - RFC 5880 §6.8.6 selects a session by Your Discriminator alone. Here the packet must in
//!   addition come from the session's peer address and interface, so that another neighbour on the
//!   link which learned a discriminator cannot answer for the peer.
//! - RFC 5880 §6.8.4 knows no excuse for a late receiver. When this host itself was stalled the
//!   detection time is extended by the stall, at most three times in one silence
//!   ([`Input::Stalled`]).

#![forbid(unsafe_code)]

pub mod authentication;
mod echo;
pub mod packet;
mod read;
pub mod session;
pub mod sessions;
mod state;
mod timers;

pub use authentication::{Authentication, KeyError, Method, Refusal};
pub use echo::{ECHO_BYTES, EchoError, EchoPacket};
pub use packet::{Diagnostic, Discriminator, Interval, IntervalError, Packet, PacketError};
pub use session::{
    Config, Counters, Domain, Hops, Input, InterfaceIndex, Output, ParameterError, Parameters,
    Remote, Session, StateChange,
};
pub use sessions::{AddError, Datagram, Gaps, Refused, Sessions};
pub use state::State;
