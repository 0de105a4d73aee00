//! RFC 9072 (extended optional parameters length of OPEN).

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Bench, Open, Outcome, Setup, message};

/// Message type of OPEN.
const OPEN: u8 = 1;
/// Parameter type of capabilities (RFC 5492 §4).
const CAPABILITIES: u8 = 2;
/// A capability that nobody knows.
const UNKNOWN: u8 = 254;

/// The OPEN with lengths of two octets: `short` stands where the one-octet length was, `excess`
/// is added to the length of all parameters.
fn extended(open: &Open, short: u8, excess: u16) -> Vec<u8> {
    let mut parameters = Vec::new();
    for (code, value) in &open.capabilities {
        let capability = [&[*code, u8::try_from(value.len()).unwrap()], &value[..]].concat();
        parameters.push(CAPABILITIES);
        parameters.extend(u16::try_from(capability.len()).unwrap().to_be_bytes());
        parameters.extend(capability);
    }
    let mut body = vec![open.version];
    body.extend(open.asn.to_be_bytes());
    body.extend(open.hold_time_s.to_be_bytes());
    body.extend(open.router_id.octets());
    body.extend([short, 255]);
    let length = u16::try_from(parameters.len()).unwrap() + excess;
    body.extend(length.to_be_bytes());
    body.extend(parameters);
    message::message(OPEN, &body)
}

/// Whether an OPEN in these octets makes a session.
fn accepted(open: &[u8]) -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut connection = bench.connect(2)?;
    connection.send(open)?;
    connection.expect_open()?;
    connection.expect_keepalive()?;
    connection.send(&message::keepalive())?;
    let shown = || bench.speaker.shown(bench.host(2)).unwrap();
    let up = || shown().contains("state = Established");
    conformance::lab::wait_until("Established", std::time::Duration::from_secs(20), up)
        .map_err(|timeout| conformance::blackbox::Error::rule("a session", timeout.to_string()))?;
    bench.untouched()
}

fn open() -> Open {
    Open::new(65_002, "10.0.0.2".parse().unwrap())
}

#[test]
fn an_open_with_long_lengths_is_understood() -> Outcome {
    // 255 is what senders write; any other value but 0 means the same.
    accepted(&extended(&open(), 255, 0))?;
    accepted(&extended(&open(), 7, 0))
}

#[test]
fn parameters_of_more_than_255_octets_are_understood() -> Outcome {
    let many = (0..4).fold(open(), |open, _| open.with(UNKNOWN, &[0; 200]));
    accepted(&extended(&many, 255, 0))
}

#[test]
fn wrong_long_lengths_are_refused() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut connection = bench.connect(2)?;
    connection.send(&extended(&open(), 255, 9))?;
    connection.expect_open()?;
    connection.expect_notification(2, 0)?;
    bench.untouched()
}

#[test]
fn our_own_open_has_short_lengths() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut connection = bench.connect(2)?;
    // The bench reads no other form.
    let open = connection.expect_open()?;
    assert!(open.capabilities.len() > 2, "{open:?}");
    bench.untouched()
}

/// §3: 255 is no type of a parameter elsewhere.
#[test]
fn type_255_behind_the_first_parameter_is_an_unknown_one() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut connection = bench.connect(2)?;
    let parameters = [2, 2, 2, 0, 255, 2, 0, 0];
    connection.send(&bench.open(2).bytes_with(&parameters))?;
    connection.expect_notification(2, 4)?;
    bench.untouched()
}
