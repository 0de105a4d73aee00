//! RFC 9687 (send hold timer): neighbours that send and do not read.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Session, Setup, message};

/// Send hold time of the neighbour in question.
const SEND_HOLD: Duration = Duration::from_secs(4);

/// Long enough on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bench with such a neighbour, and its session.
fn with_peer() -> Result<(Bench, Session), Error> {
    let keys = "timers = { hold = \"3s\", send_hold = \"4s\" }";
    let bench = Bench::start(Setup::new().peer(2, 65_002).keys(2, keys))?;
    let session = bench.session(2)?;
    Ok((bench, session))
}

/// How many routes a flood has.
const ROUTES: u32 = 12_000;

fn route(number: u32) -> Prefix {
    let [_, _, high, low] = number.to_be_bytes();
    Prefix::new(std::net::Ipv4Addr::new(10, 77, high, low), 32)
}

/// More than two sockets hold: each route with many communities of its own. Meanwhile the peer
/// says that it lives, however long it takes on a busy machine.
fn flood(bench: &mut Bench, session: &mut Session) -> Outcome {
    for number in 0..ROUTES {
        if number.is_multiple_of(200) && session.send(&message::keepalive()).is_err() {
            // Given up already: the test will see why.
            return Ok(());
        }
        let prefix = route(number);
        let communities: Vec<u32> = (0..200).map(|one| number << 8 | one).collect();
        let update = bench.announcement(3, &[prefix]);
        let update = update.with(Attribute::communities(&communities));
        bench.observer.update(&update)?;
    }
    Ok(())
}

#[test]
fn a_peer_that_reads_nothing_is_given_up() -> Outcome {
    let (mut bench, mut session) = with_peer()?;
    let start = Instant::now();
    flood(&mut bench, &mut session)?;
    let expected = "the peer took in no octet";
    loop {
        // It lives, and says so.
        let alive = session.send(&message::keepalive());
        let shown = bench.speaker.shown(bench.host(2))?;
        if shown.contains("established 1, lost 1") {
            assert!(shown.contains("accepted no data for 4 s"), "{shown}");
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{expected}: {alive:?} {shown}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(start.elapsed() >= SEND_HOLD, "{:?}", start.elapsed());
    bench.untouched()
}

#[test]
fn a_peer_that_reads_slowly_is_kept() -> Outcome {
    let (mut bench, mut session) = with_peer()?;
    flood(&mut bench, &mut session)?;
    let start = Instant::now();
    while start.elapsed() < SEND_HOLD * 2 {
        session.send(&message::keepalive())?;
        // Some of what waits, every now and then: two thirds of it in the end. The kernel tells
        // of new room only when there is much of it.
        for _ in 0..300 {
            session.connection().hear(Duration::from_millis(100))?;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    let shown = bench.speaker.shown(bench.host(2))?;
    assert!(shown.contains("state = Established"), "{shown}");
    bench.untouched()
}
