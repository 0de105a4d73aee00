//! RFC 5082 (the generalized TTL security mechanism), with neighbours on loopback, where the TTL
//! arrives as it was sent.

use std::time::Duration;

use conformance::blackbox::{Bench, Error, Heard, Outcome, Setup};

/// Long enough for any answer over loopback, the speaker's load included.
const SILENCE: Duration = Duration::from_secs(2);

fn bench(keys: &str) -> Result<Bench, Error> {
    Bench::start(Setup::new().peer(2, 65_002).keys(2, keys))
}

/// A session whose packets come with this TTL works.
fn is_taken(keys: &str, ttl: u8) -> Outcome {
    let mut bench = bench(keys)?;
    let connection = bench.connect_with_ttl(2, ttl)?;
    let mut session = connection.establish(&bench.open(2))?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn packets_from_afar_are_dropped_without_an_answer() -> Outcome {
    let mut bench = bench("ttl_security = 1")?;
    let mut connection = bench.connect_with_ttl(2, 255)?;
    // The speaker says its OPEN by itself; ours arrives from one hop too far.
    let open = connection.hear(SILENCE)?;
    assert!(matches!(open, Heard::Message(_)), "{open:?}");
    connection.send_with_ttl(254)?;
    connection.send(&bench.open(2).bytes())?;
    assert_eq!(connection.hear(SILENCE)?, Heard::Silence);
    bench.untouched()?;
    Ok(())
}

#[test]
fn a_connection_from_afar_is_turned_away() -> Outcome {
    let mut bench = bench("ttl_security = 2")?;
    let mut connection = bench.connect_with_ttl(2, 253)?;
    assert_eq!(connection.hear(SILENCE)?, Heard::Closed);
    bench.untouched()?;
    Ok(())
}

#[test]
fn packets_with_255_are_a_neighbours() -> Outcome {
    is_taken("ttl_security = 1", 255)
}

#[test]
fn hops_that_are_configured_are_allowed() -> Outcome {
    is_taken("ttl_security = 10", 246)
}
