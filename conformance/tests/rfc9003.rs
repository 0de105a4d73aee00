//! RFC 9003 (shutdown communication).

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Bench, Error, Outcome, Setup, message};

/// Ends a session of peer 2 with this NOTIFICATION and returns what the operator is shown then.
fn shown_after(subcode: u8, data: &[u8]) -> Result<String, Error> {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.send(&message::notification(6, subcode, data))?;
    session.connection().expect_end()?;
    let shown = bench.speaker.shown(bench.host(2))?;
    bench.untouched()?;
    Ok(shown)
}

fn with_length(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

#[test]
fn the_text_of_a_shutdown_or_reset_is_shown_to_the_operator() -> Outcome {
    for subcode in [2, 4] {
        let text = "upgrade of core-7 until 04:00 UTC, call Zoë";
        let shown = shown_after(subcode, &with_length(text.as_bytes()))?;
        assert!(shown.contains(text), "{shown}");
    }
    Ok(())
}

#[test]
fn our_own_shutdown_says_why() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    bench.speaker.stop()?;
    // Neither wrapped nor without words: this peer has no N bit (RFC 8538 §3.1).
    let notification = session.expect_notification(6, 2)?;
    let text = with_length(b"the service stops");
    assert_eq!(notification.data, text);
    session.connection().expect_closed()?;
    Ok(())
}

#[test]
fn a_text_of_255_octets_is_shown_whole() -> Outcome {
    let text = "0123456789abcde".repeat(17);
    let shown = shown_after(2, &with_length(text.as_bytes()))?;
    assert!(shown.contains(&text), "{shown}");
    Ok(())
}

#[test]
fn malformed_texts_do_no_harm_and_control_characters_are_not_shown() -> Outcome {
    let shown = shown_after(2, &with_length(b"clear \x1b[2J\x07bell \xff\xfe end"))?;
    let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!shown.contains(bad), "{shown:?}");
    assert!(shown.contains("clear") && shown.contains("end"), "{shown}");
    // A length beyond the data, and none at all.
    for data in [&[200, b'x'][..], &[], &[0]] {
        let shown = shown_after(2, data)?;
        assert!(shown.contains("Administrative Shutdown"), "{shown}");
    }
    Ok(())
}
