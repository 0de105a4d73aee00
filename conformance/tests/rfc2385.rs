//! RFC 2385 (TCP MD5 signatures), seen by a neighbour that has no password.
//!
//! Two ends with the same password, with different ones, and a change of it are in
//! `daemon/tests/routers/transport.rs`; an FRR at the other end in `lab_sessions.rs`.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use conformance::blackbox::{Bench, Outcome, Setup};
use socket2::{Domain, Socket, Type};

/// Much longer than an answer over loopback takes, and short of a second retransmission.
const SILENCE: Duration = Duration::from_millis(1500);

/// Tries to connect from a host number; true if there was an answer.
fn answered(bench: &Bench, host: u8, port: u16) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((bench.host(host), 0));
    socket.bind(&from.into()).unwrap();
    let to = SocketAddr::from((bench.address(), port));
    socket.connect_timeout(&to.into(), SILENCE).is_ok()
}

#[test]
fn a_segment_without_signature_is_dropped_without_an_answer() -> Outcome {
    let setup = Setup::new().peer(2, 65_002).peer(5, 65_005);
    let mut bench = Bench::start(setup.keys(2, "password = \"a shared word\""))?;
    let port = 1790;
    assert!(
        !answered(&bench, 2, port),
        "SYN without signature was answered"
    );
    assert!(answered(&bench, 5, port), "a neighbour without password");
    let shown = bench.speaker.shown(bench.host(2))?;
    assert!(shown.contains("Password is set"), "{shown}");
    assert!(!shown.contains("a shared word"), "{shown}");
    bench.untouched()?;
    Ok(())
}
