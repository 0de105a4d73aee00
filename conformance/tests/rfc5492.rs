//! RFC 5492 (capabilities): how they may be spread over an OPEN.

use conformance::blackbox::message;
use conformance::blackbox::{Bench, Open, Outcome, Setup};

/// A session with these optional parameters in the OPEN works.
fn works(parameters: impl Fn(&Open) -> Vec<u8>) -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench.open(2);
    let mut connection = bench.connect(2)?;
    connection.send(&open.bytes_with(&parameters(&open)))?;
    connection.expect_open()?;
    connection.expect_keepalive()?;
    connection.send(&message::keepalive())?;
    let route = "192.0.2.0/24"
        .parse()
        .map_err(conformance::blackbox::Error::Speaker)?;
    let update = bench.announcement(2, &[route]);
    connection.send(&update.bytes())?;
    bench.observer.until_told(route)?;
    // Four-octet AS numbers were agreed on: the path is the one that was sent.
    let path = bench.observer.told(route).and_then(|it| it.as_path());
    assert_eq!(path, Some(vec![Setup::ASN, 65_002]));
    bench.untouched()
}

fn one(code: u8, value: &[u8]) -> Vec<u8> {
    let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[code, len], value].concat()
}

#[test]
fn capabilities_may_stand_in_a_parameter_each() -> Outcome {
    works(|open| {
        let each = open.capabilities.iter();
        each.flat_map(|(code, value)| one(2, &one(*code, value)))
            .collect()
    })
}

#[test]
fn a_capability_that_stands_twice_counts_once() -> Outcome {
    works(|open| {
        let twice = open.capabilities.iter().chain(&open.capabilities);
        let list: Vec<u8> = twice.flat_map(|(code, value)| one(*code, value)).collect();
        one(2, &list)
    })
}
