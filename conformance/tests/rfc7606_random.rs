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
use std::time::{Duration, SystemTime};

use conformance::blackbox::message::{self, HEADER_LEN, capability, code};
use conformance::blackbox::{
    Attribute, Bench, Connection, Error, Heard, Message, Open, Outcome, Prefix, Setup, Update,
};

/// Neighbours of another AS, and after them some of the speaker's own. Each plays one session, so
/// that the rest after an error does not keep the next one out.
const EXTERNAL: RangeInclusive<u8> = 10..=199;
const INTERNAL: RangeInclusive<u8> = 200..=249;
/// Messages of one session, if it lives that long.
const MESSAGES: usize = 60;
/// Messages between two looks at what came back.
const BURST: usize = 10;
/// What the speaker may have grown by at the end, when all those routes are gone again.
const GROWTH_MAX_KIB: u64 = 48 * 1024;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn u8(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn octets(&mut self, max: usize) -> Vec<u8> {
        let count = self.below(max + 1);
        (0..count).map(|_| self.u8()).collect()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.get(self.below(from.len())).unwrap()
    }
}

fn prefix(random: &mut Random) -> Prefix {
    let addr = Ipv4Addr::new(100, random.u8(), random.u8(), 0);
    Prefix::new(addr, random.pick(&[16, 20, 24, 24, 24]))
}

/// An announcement as it should be, with a bit of everything.
fn healthy(random: &mut Random, bench: &Bench, host: u8) -> Update {
    let prefixes: Vec<Prefix> = (0..=random.below(4)).map(|_| prefix(random)).collect();
    let mut update = bench.announcement(host, &prefixes);
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
fn attribute(random: &mut Random) -> Attribute {
    const CODES: [u8; 20] = [
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
        code::MP_REACH,
        code::MP_UNREACH,
        code::EXTENDED_COMMUNITIES,
        code::AS4_PATH,
        code::AS4_AGGREGATOR,
        code::LARGE_COMMUNITIES,
        22,
        35,
        128,
        200,
    ];
    let flags = random.pick(&[0x40, 0x40, 0x80, 0xc0, 0xc0, 0xe0, 0x50, 0x90, 0xd0, 0xc7]);
    let code = if random.one_in(10) {
        random.u8()
    } else {
        random.pick(&CODES)
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

/// The next message of a session that misbehaves.
fn message(random: &mut Random, bench: &Bench, host: u8) -> Vec<u8> {
    let mut update = healthy(random, bench, host);
    match random.below(20) {
        // Attributes that may be anything.
        0..=8 => {
            for _ in 0..=random.below(3) {
                let attribute = attribute(random);
                update = if random.one_in(3) {
                    update.add(attribute)
                } else {
                    update.with(attribute)
                };
            }
            update.bytes()
        }
        // Attributes cut off, or continued by something.
        9..=10 => {
            let mut attributes = update.attribute_bytes();
            attributes.truncate(random.below(attributes.len() + 1));
            if random.one_in(2) {
                attributes.extend(random.octets(6));
            }
            update.bytes_with(&attributes)
        }
        // Octets changed anywhere behind the header.
        11..=13 => {
            let mut octets = update.bytes();
            for _ in 0..=random.below(3) {
                let at = HEADER_LEN + random.below(octets.len() - HEADER_LEN);
                octets[at] = random.u8();
            }
            octets
        }
        14 => message::route_refresh(1, random.pick(&[0, 1, 2, 9]), random.pick(&[1, 2, 70])),
        15 => message::keepalive(),
        // Octets changed in the header, or no message at all: seldom, since that is the end.
        16 if random.one_in(8) => {
            let mut octets = update.bytes();
            let at = random.below(HEADER_LEN);
            octets[at] = random.u8();
            octets
        }
        17 if random.one_in(8) => random.octets(200),
        18 if random.one_in(8) => {
            let kind = random.u8();
            message::message(kind, &random.octets(60))
        }
        _ => update.bytes(),
    }
}

/// An OPEN, sometimes with octets changed.
fn open(random: &mut Random, bench: &Bench, host: u8) -> Vec<u8> {
    let mut open: Open = bench.open(host);
    if random.one_in(4) {
        open = open.without(capability::FOUR_OCTET_AS);
    }
    if random.one_in(4) {
        open = open.with(capability::EXTENDED_MESSAGE, &[]);
    }
    if random.one_in(4) {
        open = open.graceful_restart(random.pick(&[0, 4, 8, 12]), 1, true);
    }
    let mut octets = open.bytes();
    if random.one_in(6) {
        let at = HEADER_LEN + random.below(octets.len() - HEADER_LEN);
        octets[at] = random.u8();
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

/// Reads what came; false at the end.
fn drain(connection: &mut Connection) -> Result<bool, Error> {
    loop {
        match connection.hear(Duration::from_millis(1))? {
            Heard::Silence => return Ok(true),
            Heard::Message(Message::Notification(_)) | Heard::Closed => return Ok(false),
            Heard::Message(_) => {}
        }
    }
}

fn misbehave(random: &mut Random, bench: &mut Bench, host: u8, count: &mut Count) -> Outcome {
    let mut connection = bench.connect(host)?;
    // The other end may close at any time, so a failed send is an end like any other.
    let opened = connection.send(&open(random, bench, host)).is_ok()
        && connection.send(&message::keepalive()).is_ok();
    count.sessions += 1;
    if !opened {
        return Ok(());
    }
    for _ in 0..MESSAGES / BURST {
        let burst: Vec<u8> = (0..BURST)
            .flat_map(|_| message(random, bench, host))
            .collect();
        count.sent += BURST;
        if connection.send(&burst).is_err() || !drain(&mut connection)? {
            count.ended += 1;
            break;
        }
        bench.observer.listen(Duration::from_millis(1))?;
    }
    Ok(())
}

#[test]
fn thousands_of_random_messages_harm_neither_the_speaker_nor_the_other_sessions() -> Outcome {
    let given = std::env::var("RULES_SEED").ok();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = given.map_or(now.as_secs(), |seed| {
        seed.parse().expect("RULES_SEED is a number")
    });
    println!("RULES_SEED={seed}");
    let random = &mut Random(seed);
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
