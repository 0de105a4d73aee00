//! Measures the codec: nanoseconds for each prefix, decoding and encoding.
//!
//! `cargo run --release -p rbgpd-bgp --example decode_bench [UPDATES]`
//!
//! The input is like a full table: seven prefixes in an UPDATE, attributes of about 70 octets, no
//! two sets equal.

use std::hint::black_box;
use std::time::Instant;

use bgp::attributes::{AttributeSet, NextHop};
use bgp::message::{Message, Update};
use bgp::wire::{self, Context, EncodeContext};
use bgp::{Asn, Community, Prefix4};
use bytes::BytesMut;

const PREFIXES: u32 = 7;

fn main() {
    let updates: u32 = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(143_000);
    let sender = EncodeContext {
        as4: true,
        extended_message: false,
        add_path: false,
    };
    let sets: Vec<_> = (0..updates).map(|at| set(at).freeze()).collect();
    let mut wire = BytesMut::new();
    let started = Instant::now();
    for (at, set) in (0..).zip(&sets) {
        let routes: Vec<_> = (0..PREFIXES).filter_map(|one| prefix(at, one)).collect();
        let encoded = wire::encode_announce(set, &routes, &sender, &mut wire);
        assert_eq!(encoded, Ok(1));
    }
    report("encode", started, updates);
    println!("{} octets in an UPDATE", wire.len() / sets.len().max(1));

    let ctx = Context {
        external: true,
        hash_seed: 42,
        ..Context::default()
    };
    for round in ["decode", "decode", "decode and keep"] {
        let mut buffer = wire.clone();
        let mut kept: Vec<Update> = Vec::new();
        let started = Instant::now();
        while let Ok(Some(frame)) = wire::frame(&mut buffer, wire::MESSAGE_LEN_MAX) {
            match wire::decode(&frame, &ctx) {
                Ok(Message::Update(update)) if round == "decode and keep" => kept.push(update),
                other => drop(black_box(other)),
            }
        }
        report(round, started, updates);
    }

    let started = Instant::now();
    for set in &sets {
        let mut open = set.thaw();
        open.prepend(Asn(65_000), 1);
        black_box(open.freeze_with(42));
    }
    let each = started.elapsed().as_nanos() / u128::from(updates.max(1));
    println!("{:<20} {each:>6} ns for each set", "thaw and freeze");
}

fn report(what: &str, started: Instant, updates: u32) {
    let elapsed = started.elapsed().as_nanos();
    let (all, each) = (u128::from(updates.max(1)), u128::from(PREFIXES));
    println!(
        "{what:<20} {:>6} ns for each UPDATE, {:>4} ns for each prefix",
        elapsed / all,
        elapsed / all / each
    );
}

fn prefix(at: u32, one: u32) -> Option<(u32, Prefix4)> {
    Some((0, Prefix4::from_bits((at * PREFIXES + one) << 8, 24)?))
}

fn set(at: u32) -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4([10, 0, 0, 1].into()));
    for asn in [3356 + at % 7, 174, 1299, 65_001 + at % 500] {
        set.prepend(Asn(asn), 1);
    }
    set.med = Some(at);
    set.communities = (0..5)
        .map(|low| Community(3356 << 16 | (low + at % 900)))
        .collect();
    set
}
