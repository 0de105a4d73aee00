//! What origin validation costs: half a million VRPs beside a million routes, all of them at once and
//! ten that change.
//!
//! ```sh
//! cargo run --release -p rbgpd-bgp --example rpki_bench
//! ```
//!
//! One peer sends the routes, another one is told; the import map of the first, or the export map of
//! the second, asks for the state. Half of the routes are covered, one in fifty of these is invalid.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bgp::attributes::NextHop;
use bgp::family::PerFamily;
use bgp::message::Update;
use bgp::nlri::NlriList;
use bgp::policy::{Action, Entry, Match, Number, Policy, RouteMap, Set};
use bgp::rib::{
    Config, Identity, Input, Multipath, Output, PeerFacts, PeerFamily, PeerId, Rib, Rules,
};
use bgp::rpki::{Affected, Change, State, Validation, Vrp, Vrps};
use bgp::{Asn, AttributeSet, Family, Prefix, Prefix4};

const ROUTES: u32 = 1_000_000;
const VRPS: u32 = 500_000;
const OWN_AS: Asn = Asn(65_001);

fn main() {
    let changes: Vec<Change> = (0..VRPS).map(|at| Change::Announce(vrp(at))).collect();
    let begin = Instant::now();
    let first = Arc::new(Vrps::default().with(changes).unwrap());
    let made = begin.elapsed();
    println!(
        "{} VRPs: made of an answer in {:.0} ms, {:.1} MB",
        first.len(),
        made.as_secs_f64() * 1e3,
        f64::from(u32::try_from(first.octets()).unwrap()) / 1e6
    );
    let begin = Instant::now();
    let ten = (0..5).map(|at| Change::Withdraw(vrp(at * 1000)));
    let ten = ten.chain((0..5).map(|at| Change::Announce(other(at * 1000 + 7))));
    let second = Arc::new(first.with(ten.collect()).unwrap());
    let made = begin.elapsed().as_secs_f64() * 1e3;
    let begin = Instant::now();
    let affected = Affected::between(&first, &second);
    let compared = begin.elapsed().as_secs_f64() * 1e3;
    println!(
        "ten changed: another table in {made:.0} ms, {} prefixes found in {compared:.1} ms",
        affected.prefixes().len()
    );
    let routes: Vec<Prefix4> = (0..ROUTES).map(route).collect();
    let begin = Instant::now();
    let valid = routes
        .iter()
        .filter(|it| first.state(Prefix::V4(**it), Some(origin(it.bits()))) == State::Valid);
    let valid = valid.count();
    let each = begin.elapsed().as_secs_f64() / f64::from(ROUTES) * 1e9;
    println!("state of one route: {each:.0} ns ({valid} of {ROUTES} are valid)");
    for (what, import, export) in [
        ("no map asks", Policy::AcceptAll, Policy::AcceptAll),
        ("the import map asks", usual(), Policy::AcceptAll),
        ("the export map asks", Policy::AcceptAll, usual()),
    ] {
        let mut rib = loaded(import, export, &routes);
        for (load, table) in [("all", &first), ("ten", &second), ("ten back", &first)] {
            let begin = Instant::now();
            rib.handle(begin, Input::Validate(Some(validation(table))));
            let judged = begin.elapsed().as_secs_f64() * 1e3;
            let octets = drain(&mut rib);
            let told = begin.elapsed().as_secs_f64() * 1e3;
            println!(
                "{what}, {load}: judged in {judged:.1} ms, told in {told:.1} ms ({octets} octets)"
            );
        }
    }
}

/// `/20` to `/22` of scattered networks; every second one has VRPs.
fn vrp(at: u32) -> Vrp {
    let prefix = network(at);
    let asn = if at.is_multiple_of(50) {
        Asn(1)
    } else {
        origin(prefix.bits())
    };
    Vrp::new(Prefix::V4(prefix), 24, asn).unwrap()
}

/// A VRP that makes nothing valid.
fn other(at: u32) -> Vrp {
    Vrp::new(Prefix::V4(network(at)), 24, Asn(64_999)).unwrap()
}

fn network(at: u32) -> Prefix4 {
    // Odd multipliers are bijections of the upper 22 bits: no network twice.
    let bits = at.wrapping_mul(0x9e37_79b1) & 0x003f_ffff;
    Prefix4::from_bits(bits << 10, 22).unwrap()
}

/// Two `/24` in each of half a million networks, of which the VRPs cover half.
fn route(at: u32) -> Prefix4 {
    let network = network(at / 2 + VRPS / 2);
    Prefix4::from_bits(network.bits() | (at % 2) << 8, 24).unwrap()
}

fn origin(bits: u32) -> Asn {
    Asn(1000 + (bits >> 10) % 60_000)
}

/// Refuses what is invalid and prefers what is valid.
fn usual() -> Policy {
    let entries = vec![
        Entry::new(10, Action::Deny).when(Match::Rpki(State::Invalid)),
        Entry::new(20, Action::Permit)
            .when(Match::Rpki(State::Valid))
            .set(Set::LocalPref(Number::Replace(200))),
        Entry::new(30, Action::Permit),
    ];
    Policy::Map(Arc::new(RouteMap::new("USUAL", entries).unwrap()))
}

fn validation(vrps: &Arc<Vrps>) -> Arc<Validation> {
    Arc::new(Validation {
        vrps: Arc::clone(vrps),
        own_as: OWN_AS,
    })
}

/// Tables that hold the routes and have told them.
fn loaded(import: Policy, export: Policy, routes: &[Prefix4]) -> Rib {
    let mut rib = Rib::new(Config {
        identity: Identity::new(Ipv4Addr::new(10, 0, 0, 1)),
        default_local_pref: None,
        multipath: PerFamily::<Multipath>::default(),
        rules: Rules::default(),
        seed: 7,
        track: PerFamily::default(),
    });
    let now = Instant::now();
    for (peer, import, export) in [
        (2, import, Policy::AcceptAll),
        (3, Policy::AcceptAll, export),
    ] {
        rib.handle(
            now,
            Input::PeerUp {
                peer: PeerId(peer),
                facts: facts(peer, import, export),
                restarting: false,
            },
        );
    }
    let mut by_origin: BTreeMap<Asn, Vec<(u32, Prefix4)>> = BTreeMap::new();
    for route in routes {
        let origin = origin(route.bits());
        by_origin.entry(origin).or_default().push((0, *route));
    }
    for (origin, list) in by_origin {
        let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(10, 0, 0, 2)));
        for asn in [origin, Asn(65_002)] {
            set.prepend(asn, 1);
        }
        let mut update = Update::default();
        let announced = (NlriList::V4(list.into()), set.freeze_with(7));
        update.announced.push(announced);
        rib.handle(now, Input::Updates(PeerId(2), vec![update]));
        drain(&mut rib);
    }
    rib
}

/// Works everything off; octets for the one who is told.
fn drain(rib: &mut Rib) -> usize {
    let mut octets = 0;
    while let Some(output) = rib.poll() {
        if let Output::Send(peer, batch) = output {
            octets += batch.len();
            rib.handle(Instant::now(), Input::Written(peer, batch.len()));
        }
    }
    octets
}

fn facts(peer: u16, import: Policy, export: Policy) -> PeerFacts {
    let id = Ipv4Addr::new(10, 0, 0, u8::try_from(peer).unwrap());
    let own = (OWN_AS, IpAddr::from([10, 0, 0, 1]));
    let remote = (Asn(65_000 + u32::from(peer)), id.into());
    let family = PeerFamily::new(import, export);
    PeerFacts::new(own, remote, id).family(Family::Ipv4Unicast, family)
}
