//! RFC 5925 (TCP-AO), seen by a neighbour that has no key.
//!
//! Two ends with the same keys, with different ones, and changes of them under a session are in
//! `lab_tcp_ao.rs`. What is signed and how is the kernel's.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use conformance::blackbox::{Bench, Outcome, Setup};
use conformance::lab::{Requirement, missing, note_skip};
use socket2::{Domain, Socket, Type};

/// Much longer than an answer over loopback takes, and short of a second retransmission.
const SILENCE: Duration = Duration::from_millis(1500);

const KEYS: &str = "tcp_ao = [{ id = 1, secret = \"a shared word\" }]";

/// False, after saying so, where the kernel has no TCP-AO.
fn can_sign(name: &str) -> bool {
    let absent = missing(&[Requirement::TcpAo]);
    if let Some(absent) = &absent {
        note_skip(name, absent);
    }
    absent.is_none()
}

#[test]
fn a_segment_without_the_option_is_dropped_without_an_answer() -> Outcome {
    if !can_sign("rfc5925-silence") {
        return Ok(());
    }
    let setup = Setup::new().peer(2, 65_002).peer(5, 65_005);
    let mut bench = Bench::start(setup.keys(2, KEYS))?;
    let answered = |host: u8| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from = SocketAddr::from((bench.host(host), 0));
        socket.bind(&from.into()).unwrap();
        let to = SocketAddr::from((bench.address(), 1790));
        socket.connect_timeout(&to.into(), SILENCE).is_ok()
    };
    assert!(!answered(2), "SYN without TCP-AO was answered");
    assert!(answered(5), "a neighbour without keys");
    let shown = bench.speaker.shown(bench.host(2))?;
    assert!(shown.contains("TCP-AO"), "{shown}");
    assert!(!shown.contains("a shared word"), "{shown}");
    bench.untouched()?;
    Ok(())
}

#[test]
fn keys_of_one_neighbour_with_one_number_are_refused() -> Outcome {
    for (one, other) in [
        ("id = 1", "id = 1"),
        ("id = 1, recv_id = 7", "id = 2, recv_id = 7"),
    ] {
        let keys =
            format!("tcp_ao = [{{ {one}, secret = \"x\" }}, {{ {other}, secret = \"y\" }}]");
        let started = Bench::start(Setup::new().peer(2, 65_002).keys(2, &keys));
        let error = started.err().unwrap().to_string();
        assert!(error.contains("TCP-AO key"), "{error}");
    }
    Ok(())
}
