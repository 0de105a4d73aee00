//! RFC 7606 by brute force: thousands of malformed messages from hundreds of sessions, while the
//! speaker must stay up, must not grow, and must leave the healthy sessions alone.
//!
//! The seed is printed; `RULES_SEED=number` runs one again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use conformance::blackbox::message::{self, HEADER_LEN, capability, code};
use conformance::blackbox::{
    Attribute, Bench, Connection, Error, Heard, LIMIT, Message, Open, Outcome, Prefix, Random,
    Setup, Update,
};

/// Neighbours of another AS, and after them some of the speaker's own. Each plays one session, so
/// that the rest after an error does not keep the next one out.
const EXTERNAL: RangeInclusive<u8> = 10..=199;
const INTERNAL: RangeInclusive<u8> = 200..=249;
/// Messages of one session, if it lives that long.
const MESSAGES: usize = 100;
/// Messages between two looks at what came back.
const BURST: usize = 10;
/// What the speaker may have grown by at the end, when all those routes are gone again.
const GROWTH_MAX_KIB: u64 = 48 * 1024;

fn prefix(random: &mut Random) -> Prefix {
    let addr = Ipv4Addr::new(100, random.u8(), random.u8(), 0);
    Prefix::new(addr, random.pick(&[16, 20, 24, 24, 24]))
}

/// A session that misbehaves.
#[derive(Clone, Copy)]
struct Rogue {
    host: u8,
    /// AS numbers have four octets.
    four_octet: bool,
    /// Also does what must end the session; the others mostly stay within what must not.
    wild: bool,
}

/// An announcement as it should be, with a bit of everything.
fn healthy(random: &mut Random, bench: &Bench, rogue: Rogue) -> Update {
    let host = rogue.host;
    let prefixes: Vec<Prefix> = (0..=random.below(4)).map(|_| prefix(random)).collect();
    let mut update = bench.announcement(host, &prefixes);
    if !rogue.four_octet && EXTERNAL.contains(&host) {
        update = update.with(Attribute::as_path_2(&[65_002]));
    }
    if random.one_in(2) {
        update = update.with(Attribute::med(u32::from(random.u8())));
    }
    if random.one_in(2) {
        let list: Vec<u32> = (0..=random.below(5))
            .map(|_| u32::from(random.u8()) << 16)
            .collect();
        update = update.with(Attribute::communities(&list));
    }
    if random.one_in(4) {
        update.withdrawn = vec![prefix(random)];
    }
    update
}

/// An attribute that may be anything.
fn attribute(random: &mut Random, wild: bool) -> Attribute {
    const CODES: [u8; 18] = [
        code::ORIGIN,
        code::AS_PATH,
        code::NEXT_HOP,
        code::MED,
        code::LOCAL_PREF,
        code::ATOMIC_AGGREGATE,
        code::AGGREGATOR,
        code::COMMUNITIES,
        code::ORIGINATOR_ID,
        code::CLUSTER_LIST,
        code::EXTENDED_COMMUNITIES,
        code::AS4_PATH,
        code::AS4_AGGREGATOR,
        code::LARGE_COMMUNITIES,
        22,
        35,
        128,
        200,
    ];
    let code = match random.below(12) {
        0 if wild => random.u8(),
        1 if wild => random.pick(&[code::MP_REACH, code::MP_UNREACH]),
        _ => random.pick(&CODES),
    };
    // An unknown attribute that is well-known ends the session.
    let flags = if code >= 100 && !wild {
        random.pick(&[0x80, 0xc0, 0xe0, 0x90, 0xd0])
    } else {
        random.pick(&[0x40, 0x40, 0x80, 0xc0, 0xc0, 0xe0, 0x50, 0x90, 0xd0, 0xc7])
    };
    let value = match code {
        code::AS_PATH | code::AS4_PATH => {
            let mut value = vec![
                random.pick(&[0, 1, 2, 2, 3, 4, 5]),
                random.pick(&[0, 1, 2, 3]),
            ];
            value.extend(random.octets(16));
            value
        }
        code::MP_REACH | code::MP_UNREACH => {
            let mut value = vec![
                0,
                random.pick(&[1, 1, 2, 25, 99]),
                random.pick(&[1, 1, 2, 70]),
            ];
            if code == code::MP_REACH {
                value.extend([4, 127, 0, 0, 9, 0]);
            }
            value.extend(random.octets(24));
            value
        }
        _ => random.octets(14),
    };
    Attribute::new(flags, code, value)
}

/// Octets changed from a place on.
fn changed(random: &mut Random, mut octets: Vec<u8>, from: usize) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = from + random.below(octets.len() - from);
        octets[at] = random.u8();
    }
    octets
}

/// The next message of a session that misbehaves.
fn message(random: &mut Random, bench: &Bench, rogue: Rogue) -> Vec<u8> {
    let mut update = healthy(random, bench, rogue);
    match random.below(20) {
        // Attributes that may be anything.
        0..=8 => {
            for _ in 0..=random.below(3) {
                let attribute = attribute(random, rogue.wild);
                update = if random.one_in(3) {
                    update.and(attribute)
                } else {
                    update.with(attribute)
                };
            }
            update.bytes()
        }
        // Attributes cut off, or continued by something.
        9..=11 => {
            let mut attributes = update.attribute_bytes();
            attributes.truncate(random.below(attributes.len() + 1));
            if random.one_in(2) {
                attributes.extend(random.octets(6));
            }
            update.bytes_with(&attributes)
        }
        12..=13 => message::route_refresh(1, random.pick(&[0, 1, 2, 9]), random.pick(&[1, 2, 70])),
        14 => message::keepalive(),
        // From here on what ends most sessions: anything behind the header, the header, all.
        15..=16 if rogue.wild => changed(random, update.bytes(), HEADER_LEN),
        17 if rogue.wild => changed(random, update.bytes(), 0),
        18 if rogue.wild => random.octets(200),
        19 if rogue.wild => {
            let kind = random.u8();
            message::message(kind, &random.octets(60))
        }
        _ => update.bytes(),
    }
}

/// An OPEN, that of a wild session sometimes with octets changed.
fn open(random: &mut Random, bench: &Bench, rogue: Rogue) -> Vec<u8> {
    let mut open: Open = bench.open(rogue.host);
    if !rogue.four_octet {
        open = open.without(capability::FOUR_OCTET_AS);
    }
    if random.one_in(4) {
        open = open.with(capability::EXTENDED_MESSAGE, &[]);
    }
    if random.one_in(4) {
        open = open.graceful_restart(random.pick(&[0, 4, 8, 12]), 1, true);
    }
    let octets = open.bytes();
    if rogue.wild && random.one_in(4) {
        return changed(random, octets, HEADER_LEN);
    }
    octets
}

/// What became of a session so far.
#[derive(Default)]
struct Count {
    sessions: usize,
    sent: usize,
    ended: usize,
}

/// Reads what comes within `limit`, or has come; false when the speaker ended the session.
fn read(connection: &mut Connection, limit: Duration) -> Result<bool, Error> {
    loop {
        match connection.hear(limit)? {
            Heard::Message(Message::Notification(_)) => return Ok(false),
            Heard::Message(_) => {}
            Heard::Closed => return Ok(true),
            Heard::Silence if limit.is_zero() => return Ok(true),
            Heard::Silence => return Err(Error::rule("an end", "nothing came")),
        }
    }
}

fn misbehave(random: &mut Random, bench: &mut Bench, host: u8, count: &mut Count) -> Outcome {
    let rogue = Rogue {
        host,
        four_octet: !random.one_in(4),
        wild: random.one_in(3),
    };
    let mut connection = bench.connect(host)?;
    // The other end may close at any time, so a failed send is an end like any other.
    let opened = connection.send(&open(random, bench, rogue)).is_ok()
        && connection.send(&message::keepalive()).is_ok();
    count.sessions += 1;
    if !opened {
        return Ok(());
    }
    for _ in 0..MESSAGES / BURST {
        let burst: Vec<u8> = (0..BURST)
            .flat_map(|_| message(random, bench, rogue))
            .collect();
        count.sent += BURST;
        if connection.send(&burst).is_err() || !read(&mut connection, Duration::ZERO)? {
            count.ended += 1;
            return Ok(());
        }
        bench.observer.listen(Duration::ZERO)?;
    }
    // The speaker closes its side when it has read everything.
    if connection.half_close().is_err() || !read(&mut connection, LIMIT)? {
        count.ended += 1;
    }
    Ok(())
}

#[test]
fn thousands_of_random_messages_harm_neither_the_speaker_nor_the_other_sessions() -> Outcome {
    let seed = Random::seed_of_run()?;
    let random = &mut Random::new(seed);
    let setup = Setup::new()
        .peers(EXTERNAL, 65_002)
        .peers(INTERNAL, Setup::ASN);
    let mut bench = Bench::start(setup)?;
    let before = bench.speaker.resident_kib()?;
    let mut count = Count::default();
    for host in EXTERNAL.chain(INTERNAL) {
        misbehave(random, &mut bench, host, &mut count)
            .and_then(|()| bench.speaker.must_live())
            .map_err(|error| error.case(format!("RULES_SEED={seed}, host {host}")))?;
    }
    bench
        .untouched()
        .map_err(|error| error.case(format!("RULES_SEED={seed}")))?;
    let after = bench.speaker.resident_kib()?;
    println!(
        "{} sessions, {} messages, {} sessions ended by the speaker, {before} to {after} KiB",
        count.sessions, count.sent, count.ended
    );
    assert!(count.sent > 3000, "only {} messages were sent", count.sent);
    // Errors that must leave a session up and errors that must end it both happened.
    assert!(count.ended > 20, "{} sessions were ended", count.ended);
    assert!(
        count.sessions - count.ended > 5,
        "{} sessions were ended",
        count.ended
    );
    assert!(
        after < before + GROWTH_MAX_KIB,
        "from {before} to {after} KiB"
    );
    Ok(())
}
