//! Every fault that a peer can put into bytes, made from lists: each ends as RFC 7606, RFC 4271,
//! RFC 5492 and RFC 7313 say, and leaves what two other neighbours hold and were told as it was.
//!
//! ```text
//!   rogues of AS 65002 (.10 and on, a listen range) ─┐               ┌─ observer  .3
//!   an internal rogue (.250)                        ─┴─► speaker .1 ─┴─ bystander .4
//! ```
//!
//! Observer and bystander have routes of all three families. [`World::check`] compares what was
//! told on the wire, what the speaker shows that it holds of them and told them, and its memory.
//! `rfc7606.rs` has the rules one by one, `rfc4271.rs` the messages that do not belong into a state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conformance::blackbox::message::{
    self, HEADER_LEN, NON_TRANSITIVE, Notification, TRANSITIVE, WELL_KNOWN, capability, code,
};
use conformance::blackbox::{
    Attribute, Bench, Connection, Error, Heard, Message, Open, Outcome, Prefix, Random, Session,
    Setup, Update,
};
use serde_json::Value;

const ROGUE_AS: u32 = 65_002;
const INTERNAL: u8 = 250;
/// Hosts from which rogues come, one after the other.
const ROGUES: std::ops::Range<u8> = 10..240;
/// What the speaker may have grown by when all that was sent is gone again.
const GROWTH_MAX_KIB: u64 = 4 * 1024;

/// The healthy neighbours' routes of IPv6 unicast, as in NLRI.
const HEALTHY_IPV6: [[u8; 7]; 2] = [
    [48, 0x20, 1, 0xd, 0xb8, 0xaa, 3],
    [48, 0x20, 1, 0xd, 0xb8, 0xaa, 4],
];

/// An EVPN route of type 3 (RFC 7432 §7.3) that only one neighbour has.
fn evpn_3(number: u8) -> Vec<u8> {
    let mut route = vec![0, 1, 10, 0, 0, number, 0, 100];
    route.extend([0, 0, 0, 0, 32, 10, 0, 0, number]);
    evpn(3, &route)
}

fn evpn(route_type: u8, route: &[u8]) -> Vec<u8> {
    let mut out = vec![route_type, u8::try_from(route.len()).unwrap()];
    out.extend(route);
    out
}

/// AFI and SAFI with a next hop of each family.
const IPV6: ([u8; 3], [u8; 16]) = (
    [0, 2, 1],
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
);
const EVPN: ([u8; 3], [u8; 4]) = ([0, 25, 70], [10, 0, 0, 9]);

fn mp_reach(family: [u8; 3], next_hop: &[u8], nlri: &[u8]) -> Attribute {
    let mut value = family.to_vec();
    value.push(u8::try_from(next_hop.len()).unwrap());
    value.extend(next_hop);
    value.push(0);
    value.extend(nlri);
    Attribute::new(NON_TRANSITIVE, code::MP_REACH, value)
}

/// An UPDATE with these routes in MP_REACH_NLRI, of AS `asn`.
fn multiprotocol(asn: u32, family: [u8; 3], next_hop: &[u8], nlri: &[u8]) -> Update {
    Update::default()
        .and(Attribute::origin(0))
        .and(Attribute::as_path(&[asn]))
        .and(mp_reach(family, next_hop, nlri))
}

/// The speaker, the healthy sessions, and what was so before.
struct World {
    bench: Bench,
    host: u8,
    shown: Vec<BTreeMap<String, Value>>,
    resident_kib: u64,
}

impl World {
    fn start() -> Result<Self, Error> {
        let family = "{ add_path_receive = true }";
        let range = format!(
            "[[listen_range]]\nprefix = \"127.0.0.0/8\"\nlimit = 1000\nremote_as = \"external\"\n\
             ipv4_unicast = {family}\nipv6_unicast = {family}\nevpn = {family}"
        );
        let setup = Setup::new()
            .healthy_with_all_families()
            .peer(INTERNAL, Setup::ASN)
            .tables(&range);
        let mut bench = Bench::start(setup)?;
        for at in 0..2 {
            let asn = [Setup::OBSERVER_AS, Setup::BYSTANDER_AS][at];
            let (ipv6, evpn) = (HEALTHY_IPV6[at], evpn_3([3, 4][at]));
            let one = [&mut bench.observer, &mut bench.bystander].swap(at);
            one.update(&multiprotocol(asn, IPV6.0, &IPV6.1, &ipv6))?;
            one.update(&multiprotocol(asn, EVPN.0, &EVPN.1, &evpn))?;
            let other = [&mut bench.bystander, &mut bench.observer].swap(at);
            other.until("the other's routes", |session| {
                session.said_of(&ipv6).0 == 1 && session.said_of(&evpn).0 == 1
            })?;
        }
        let mut world = Self {
            bench,
            host: ROGUES.start,
            shown: Vec::new(),
            resident_kib: 0,
        };
        world.shown = world.show()?;
        assert!(world.shown.iter().all(|routes| routes.len() >= 3));
        world.resident_kib = world.bench.speaker.resident_kib()?;
        Ok(world)
    }

    /// What the speaker shows that it holds of both healthy neighbours, and told them.
    fn show(&self) -> Result<Vec<BTreeMap<String, Value>>, Error> {
        let [observer, bystander] = self.bench.healthy();
        let asked = [
            (observer, true),
            (observer, false),
            (bystander, true),
            (bystander, false),
        ];
        let shown = asked.iter().map(|(neighbor, received)| {
            let text = self.bench.speaker.routes(*neighbor, *received)?;
            let parsed: Value = serde_json::from_str(&text).expect("JSON");
            let routes = parsed["routes"].as_array().expect("routes").iter();
            let named = routes.map(|route| {
                let name = format!("{} {}", route["prefix"], route["neighbor"]);
                (name, route.clone())
            });
            Ok(named.collect())
        });
        shown.collect()
    }

    /// Nothing of the healthy neighbours has changed, and the speaker is as it was.
    fn check(&mut self) -> Outcome {
        self.bench.untouched()?;
        for at in 0..2 {
            let other = [&self.bench.bystander, &self.bench.observer][at];
            assert_eq!(other.said_of(&HEALTHY_IPV6[at]), (1, 0), "IPv6 of {at}");
            assert_eq!(other.said_of(&evpn_3([3, 4][at])), (1, 0), "EVPN of {at}");
        }
        let after = self.show()?;
        for (before, after) in self.shown.iter().zip(&after) {
            for (name, route) in before {
                assert_eq!(after.get(name), Some(route), "{name}");
            }
        }
        let resident_kib = self.bench.speaker.resident_kib()?;
        println!("{} to {resident_kib} KiB", self.resident_kib);
        assert!(
            resident_kib < self.resident_kib + GROWTH_MAX_KIB,
            "from {} to {resident_kib} KiB",
            self.resident_kib
        );
        Ok(())
    }

    /// The next rogue's address.
    fn next(&mut self) -> u8 {
        self.host = match self.host + 1 {
            host if ROGUES.contains(&host) => host,
            _ => ROGUES.start,
        };
        self.host
    }

    fn connect(&mut self) -> Result<Connection, Error> {
        let host = self.next();
        self.bench.connect(host)
    }

    /// A session of a rogue with all families.
    fn rogue(&mut self) -> Result<Session, Error> {
        let open = rogue_open().all_families();
        self.connect()?.establish(&open)
    }

    /// Waits until the speaker has dealt with all that the session sent.
    fn pass(&mut self, session: &mut Session, change: impl FnOnce(Update) -> Update) -> Outcome {
        let host = self.host;
        self.bench.pass_with(host, session, |update| {
            change(update.with(Attribute::as_path(&[ROGUE_AS])))
        })
    }
}

/// One of two.
trait Swap<T> {
    fn swap(self, at: usize) -> T;
}

impl<T> Swap<T> for [T; 2] {
    fn swap(self, at: usize) -> T {
        let [one, other] = self;
        if at == 0 { one } else { other }
    }
}

fn rogue_open() -> Open {
    Open::new(ROGUE_AS, Ipv4Addr::new(10, 0, 1, 1))
}

/// What must become of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Treat-as-withdraw.
    Withdrawn,
    /// Attribute discard: the route without the attribute of this code.
    Discarded(u8),
    /// It is none, or the first of two attributes counts.
    Kept,
    /// A session reset with this code and subcode.
    Reset(u8, u8),
}
use Verdict::{Discarded, Kept, Reset, Withdrawn};

/// A fault: its name, its message made of a healthy announcement, and what must become of it.
type Fault = (String, Box<dyn Fn(&Update) -> Vec<u8>>, Verdict);

fn fault(
    name: impl ToString,
    verdict: Verdict,
    spoil: impl Fn(Update) -> Update + 'static,
) -> Fault {
    let spoil = move |update: &Update| spoil(update.clone()).bytes();
    (name.to_string(), Box::new(spoil), verdict)
}

/// An attribute that the speaker knows: flags, code, a good value, and what follows when its
/// length is wrong, its flags are, or it may not come from there at all.
struct Known {
    flags: u8,
    code: u8,
    value: Vec<u8>,
    length: Verdict,
    bits: Verdict,
}

/// RFC 7606 §7, RFC 6793 §6, RFC 7311 §3.2, RFC 8092 §5, RFC 9234 §5, RFC 6514 §5. Those that may
/// only come from inside, or not from a speaker of four octets, are discarded unread.
fn known(external: bool) -> Vec<Known> {
    let one = |flags, code, value: &[u8], length, bits| Known {
        flags,
        code,
        value: value.to_vec(),
        length,
        bits,
    };
    let inside = |code| match external {
        true => Discarded(code),
        false => Withdrawn,
    };
    let unread = |flags, code, value: &[u8]| {
        let verdict = Discarded(code);
        one(flags, code, value, verdict, verdict)
    };
    let strict = |flags, code, value: &[u8]| one(flags, code, value, Withdrawn, Withdrawn);
    let internal = |flags, code, value: &[u8]| {
        let verdict = inside(code);
        one(flags, code, value, verdict, verdict)
    };
    let aigp = [1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9];
    let aggregator = [0, 0, 0xfd, 0xea, 10, 0, 0, 9];
    let path = [2, 1, 0, 0, 0xfd, 0xea];
    vec![
        strict(WELL_KNOWN, code::ORIGIN, &[2]),
        strict(WELL_KNOWN, code::AS_PATH, &path),
        strict(WELL_KNOWN, code::NEXT_HOP, &[10, 0, 0, 9]),
        strict(NON_TRANSITIVE, code::MED, &[0, 0, 0, 1]),
        internal(WELL_KNOWN, code::LOCAL_PREF, &[0, 0, 0, 100]),
        one(
            WELL_KNOWN,
            code::ATOMIC_AGGREGATE,
            &[],
            Discarded(code::ATOMIC_AGGREGATE),
            Withdrawn,
        ),
        one(
            TRANSITIVE,
            code::AGGREGATOR,
            &aggregator,
            Discarded(code::AGGREGATOR),
            Withdrawn,
        ),
        strict(TRANSITIVE, code::COMMUNITIES, &[0xfd, 0xea, 0, 1]),
        internal(NON_TRANSITIVE, code::ORIGINATOR_ID, &[10, 0, 0, 9]),
        internal(NON_TRANSITIVE, code::CLUSTER_LIST, &[10, 0, 0, 9]),
        strict(
            TRANSITIVE,
            code::EXTENDED_COMMUNITIES,
            &[0, 2, 0xfd, 0xea, 0, 0, 0, 1],
        ),
        unread(TRANSITIVE, code::AS4_PATH, &path),
        unread(TRANSITIVE, code::AS4_AGGREGATOR, &aggregator),
        strict(TRANSITIVE, PMSI_TUNNEL, &[0, 6, 0, 0, 0, 10, 0, 0, 9]),
        unread(NON_TRANSITIVE, AIGP, &aigp),
        strict(TRANSITIVE, code::LARGE_COMMUNITIES, &[0; 12]),
        strict(TRANSITIVE, code::ONLY_TO_CUSTOMER, &[0, 0, 0xfd, 0xea]),
    ]
}

const PMSI_TUNNEL: u8 = 22;
const AIGP: u8 = 26;

/// Each known attribute × flags wrong, too short, too long, none, overrun, twice.
fn known_attributes(external: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for known in known(external) {
        let Known {
            flags,
            code,
            value,
            length,
            bits,
        } = known;
        let with = move |flags: u8, value: Vec<u8>| {
            move |update: Update| update.with(Attribute::new(flags, code, value.clone()))
        };
        for wrong in [0, 0x40, 0x80, 0xc0] {
            if wrong != flags {
                let spoil = with(wrong, value.clone());
                faults.push(fault(format!("{code}: flags {wrong:#x}"), bits, spoil));
            }
        }
        let mut lengths = vec![value.len() + 1];
        lengths.extend(value.len().checked_sub(1));
        // No path at all is a good one within the AS; the first of another AS must be its own.
        if !value.is_empty() && (code != code::AS_PATH || external) {
            lengths.push(0);
        }
        for len in lengths {
            let mut wrong = value.clone();
            wrong.resize(len, 1);
            let spoil = with(flags, wrong);
            faults.push(fault(format!("{code}: {len} octets"), length, spoil));
        }
        // RFC 7606 §4: whatever the attribute is, nothing is known of those behind.
        let tail = [flags, code, u8::try_from(value.len() + 1).unwrap()];
        let tail = [tail.as_slice(), &value].concat();
        let overrun = move |update: &Update| {
            let update = update.clone().without(code);
            let attributes = [update.attribute_bytes(), tail.clone()].concat();
            update.bytes_with(&attributes)
        };
        faults.push((format!("{code}: overrun"), Box::new(overrun), Withdrawn));
        let spoil = move |update: Update| {
            let first = with(flags, value.clone())(update);
            first.and(Attribute::new(flags, code, [7]))
        };
        let verdict = match bits {
            Discarded(code) => Discarded(code),
            Withdrawn | Kept | Reset(..) => Kept,
        };
        faults.push(fault(format!("{code}: twice"), verdict, spoil));
    }
    faults
}

/// Values that no attribute may have, and mandatory ones that are missing.
fn values(external: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for origin in 3..=u8::MAX {
        let spoil = move |update: Update| update.with(Attribute::origin(origin));
        faults.push(fault(format!("ORIGIN {origin}"), Withdrawn, spoil));
    }
    let path = |value: &[u8]| {
        let value = value.to_vec();
        move |update: Update| update.with(Attribute::new(WELL_KNOWN, code::AS_PATH, value.clone()))
    };
    for kind in (0..=u8::MAX).filter(|kind| !matches!(kind, 1 | 2)) {
        // RFC 5065 §5: 3 and 4 are a confederation's; from inside they are taken and go no further.
        let verdict = match kind {
            3 | 4 if !external => Kept,
            _ => Withdrawn,
        };
        let spoil = path(&[kind, 1, 0, 0, 0xfd, 0xea]);
        faults.push(fault(format!("segment type {kind}"), verdict, spoil));
    }
    for value in [
        [2, 2, 0, 0, 0xfd, 0xea].as_slice(),
        &[2, 0],
        &[2, 0, 0, 0, 0xfd, 0xea],
        &[2, 1, 0, 0, 0xfd, 0xea, 2],
        &[2, 1, 0, 0, 0xfd, 0xea, 2, 0],
        &[2, 255, 0, 0, 0xfd, 0xea],
        // RFC 7607 §2.
        &[2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0, 0],
    ] {
        let spoil = path(value);
        faults.push(fault(format!("AS_PATH {value:?}"), Withdrawn, spoil));
    }
    for addr in [
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(224, 0, 0, 1),
    ] {
        let spoil = move |update: Update| update.with(Attribute::next_hop(addr));
        faults.push(fault(format!("NEXT_HOP {addr}"), Withdrawn, spoil));
    }
    let spoil = |update: Update| {
        let zero = [0, 0, 0, 0, 10, 0, 0, 9];
        update.with(Attribute::new(TRANSITIVE, code::AGGREGATOR, zero))
    };
    faults.push(fault("AGGREGATOR AS 0", Discarded(code::AGGREGATOR), spoil));
    for missing in [code::ORIGIN, code::AS_PATH, code::NEXT_HOP] {
        let spoil = move |update: Update| update.without(missing);
        faults.push(fault(format!("{missing} is missing"), Withdrawn, spoil));
    }
    if !external {
        // RFC 7606 §3 d knows of no other that is mandatory.
        let spoil = |update: Update| update.without(code::LOCAL_PREF);
        faults.push(fault("no LOCAL_PREF", Kept, spoil));
    }
    faults
}

/// Attributes that nobody knows: optional ones do no harm, whatever is in them.
fn unknown_attributes() -> Vec<Fault> {
    let mut faults = Vec::new();
    for code in unknown_codes() {
        for (flags, len) in [(0xc0, 0), (0x80, 3), (0xe0, 255), (0xd0, 300)] {
            let spoil =
                move |update: Update| update.with(Attribute::new(flags, code, vec![0xaa; len]));
            faults.push(fault(format!("{code}: flags {flags:#x}"), Kept, spoil));
        }
    }
    faults
}

fn unknown_codes() -> impl Iterator<Item = u8> {
    let known: Vec<u8> = known(true).iter().map(|it| it.code).collect();
    let multiprotocol = [code::MP_REACH, code::MP_UNREACH];
    (0..=u8::MAX).filter(move |code| !known.contains(code) && !multiprotocol.contains(code))
}

/// The route of a fault: a number each.
fn route(number: usize) -> Prefix {
    let [.., high, low] = u32::try_from(number).unwrap().to_be_bytes();
    Prefix::new(Ipv4Addr::new(172, 16 + high, low, 0), 24)
}

/// Puts faults that must leave the session up to one session: each route is announced as it should
/// be, then with its fault, and in the end looked at.
fn stays_up(world: &mut World, external: bool, faults: &[Fault]) -> Outcome {
    let (mut session, host) = match external {
        true => (world.rogue()?, world.host),
        false => (world.bench.session(INTERNAL)?, INTERNAL),
    };
    let pass = |world: &mut World, session: &mut Session| match external {
        true => world.pass(session, |update| update),
        false => world.bench.pass(INTERNAL, session),
    };
    let announcement = |world: &World, number| {
        let update = world.bench.announcement(host, &[route(number)]);
        match external {
            true => update.with(Attribute::as_path(&[ROGUE_AS])),
            false => update,
        }
    };
    for number in 0..faults.len() {
        session.update(&announcement(world, number))?;
    }
    pass(world, &mut session)?;
    let before = world.bench.observer.refresh()?;
    for (number, (name, spoil, _)) in faults.iter().enumerate() {
        assert!(before.contains_key(&route(number)), "{name}");
        let healthy = announcement(world, number).with(Attribute::origin(2));
        let sent = session.send(&spoil(&healthy));
        sent.map_err(|error| error.case(name))?;
    }
    pass(world, &mut session)?;
    let after = world.bench.observer.refresh()?;
    for (number, (name, _, verdict)) in faults.iter().enumerate() {
        let seen = after.get(&route(number));
        let origin = seen.and_then(|route| route.attribute(code::ORIGIN));
        let changed = origin.is_some_and(|origin| origin.value == [2]);
        let good = match verdict {
            Withdrawn => seen.is_none(),
            Discarded(code) => changed && seen.is_some_and(|it| it.attribute(*code).is_none()),
            Kept => changed,
            Reset(..) => false,
        };
        assert!(
            good,
            "{name}: expected {verdict:?}, but the route is {seen:?}"
        );
    }
    Ok(())
}

/// Puts faults that must end the session to one each.
fn ends(world: &mut World, faults: &[Fault]) -> Outcome {
    for (name, spoil, verdict) in faults {
        let Reset(code, subcode) = *verdict else {
            panic!("{name}: {verdict:?}");
        };
        let mut run = || {
            let mut session = world.rogue()?;
            let healthy = Update::announce(&[route(0)], &[ROGUE_AS], world.bench.host(world.host));
            session.update(&healthy)?;
            session.send(&spoil(&healthy))?;
            session.expect_notification(code, subcode)
        };
        run().map_err(|error| error.case(name))?;
    }
    world.bench.observer.until_withdrawn(route(0))
}

#[test]
fn every_attribute_of_another_as_with_every_fault_has_its_verdict() -> Outcome {
    let mut world = World::start()?;
    for faults in [known_attributes(true), values(true), unknown_attributes()] {
        println!("{} faults", faults.len());
        stays_up(&mut world, true, &faults)?;
    }
    world.check()
}

#[test]
fn every_attribute_of_the_own_as_with_every_fault_has_its_verdict() -> Outcome {
    let mut world = World::start()?;
    let mut faults = known_attributes(false);
    faults.extend(values(false));
    println!("{} faults", faults.len());
    stays_up(&mut world, false, &faults)?;
    world.check()
}

/// RFC 4271 §6.3, RFC 7606 §3: what ends the session.
#[test]
fn every_fault_of_an_attribute_that_ends_the_session_has_its_code() -> Outcome {
    let mut world = World::start()?;
    let mut faults = Vec::new();
    for code in unknown_codes() {
        for flags in [0x40, 0x00] {
            let spoil = move |update: Update| update.and(Attribute::new(flags, code, [1, 2, 3]));
            faults.push(fault(
                format!("{code}: flags {flags:#x}"),
                Reset(3, 2),
                spoil,
            ));
        }
    }
    let (family, next_hop) = IPV6;
    let unreach = Attribute::new(NON_TRANSITIVE, code::MP_UNREACH, family);
    for attribute in [mp_reach(family, &next_hop, &[]), unreach] {
        let code = attribute.code;
        for flags in [0, 0x40, 0xc0] {
            let spoilt = Attribute::new(flags, code, attribute.value.clone());
            let spoil = move |update: Update| update.and(spoilt.clone());
            faults.push(fault(
                format!("{code}: flags {flags:#x}"),
                Reset(3, 4),
                spoil,
            ));
        }
        let twice = attribute.clone();
        let spoil = move |update: Update| update.and(twice.clone()).and(twice.clone());
        faults.push(fault(format!("{code}: twice"), Reset(3, 1), spoil));
        let least = if code == code::MP_REACH { 5 } else { 3 };
        for len in 0..least {
            let value = attribute.value[..len].to_vec();
            let spoil = move |update: Update| {
                update.and(Attribute::new(NON_TRANSITIVE, code, value.clone()))
            };
            faults.push(fault(format!("{code}: {len} octets"), Reset(3, 9), spoil));
        }
    }
    // RFC 7606 §7.11.
    let lengths: [([u8; 3], &[usize]); 3] = [
        ([0, 1, 1], &[0, 3, 5, 12, 16, 24, 32]),
        ([0, 2, 1], &[0, 4, 15, 17, 24, 31, 33, 48]),
        ([0, 25, 70], &[0, 3, 5, 15, 17, 24, 31, 33]),
    ];
    for (family, lengths) in lengths {
        for len in lengths {
            let attribute = mp_reach(family, &vec![9; *len], &[]);
            let spoil = move |update: Update| update.and(attribute.clone());
            let name = format!("{family:?}: next hop of {len}");
            faults.push(fault(name, Reset(3, 9), spoil));
        }
    }
    // A family cannot be disabled beside routes of another one.
    for spoilt in [vec![129; 18], vec![48, 0x20, 1, 0xd, 0xb8, 0xcc]] {
        let attribute = mp_reach(family, &next_hop, &spoilt);
        let spoil = move |update: Update| update.and(attribute.clone());
        faults.push(fault(format!("NLRI {spoilt:?}"), Reset(3, 9), spoil));
    }
    println!("{} faults", faults.len());
    ends(&mut world, &faults)?;
    world.check()
}

/// A healthy UPDATE that ends after each of its octets, with a header that says so.
#[test]
fn an_update_that_is_cut_anywhere_has_its_verdict() -> Outcome {
    let mut world = World::start()?;
    let withdrawn = Prefix::new(Ipv4Addr::new(192, 0, 2, 0), 24);
    let mut update = Update::announce(&[route(0), route(1)], &[ROGUE_AS], world.bench.host(9));
    update.withdrawn = vec![withdrawn];
    let whole = update.bytes();
    let attributes = update.attribute_bytes().len();
    let routes = HEADER_LEN + 2 + 4 + 2 + attributes;
    let mut faults: Vec<Fault> = Vec::new();
    for len in HEADER_LEN..whole.len() {
        let cut = message::message(message::UPDATE, &whole[HEADER_LEN..len]);
        let verdict = match len {
            len if len < 23 => Reset(1, 2),
            len if len < routes => Reset(3, 1),
            // Whole again: no route, or one.
            len if (len - routes).is_multiple_of(4) => continue,
            _ => Reset(3, 10),
        };
        faults.push((
            format!("{len} octets"),
            Box::new(move |_| cut.clone()),
            verdict,
        ));
    }
    println!("{} faults", faults.len());
    ends(&mut world, &faults)?;
    // The connection ends in the middle of a message.
    for len in 1..whole.len() {
        let mut session = world.rogue()?;
        session.send(&whole[..len])?;
        session.connection().half_close()?;
        let ended = session.connection().expect_end();
        ended.map_err(|error| error.case(format!("ended after {len} octets")))?;
    }
    world.check()
}

/// A routes field of a family: its NLRI, and whether it is a fault.
type Nlri = (String, Vec<u8>, bool);

fn ipv6_nlri() -> Vec<Nlri> {
    let mut out = vec![
        (
            "a host route".to_owned(),
            [vec![128], vec![0x20; 16]].concat(),
            false,
        ),
        (
            "bits behind the prefix".to_owned(),
            vec![9, 0x20, 0xff],
            false,
        ),
    ];
    for len in [129, 130, 200, 255] {
        out.push((
            format!("length {len}"),
            [vec![len], vec![0x20; 32]].concat(),
            true,
        ));
    }
    for len in [1, 8, 9, 48, 64, 128_u8] {
        let octets = usize::from(len.div_ceil(8));
        let short = [vec![len], vec![0x20; octets - 1]].concat();
        out.push((format!("/{len} with an octet less"), short, true));
    }
    out
}

/// Routes of types 1 to 5 (RFC 7432 §7, RFC 9136 §3.1).
fn evpn_routes() -> Vec<(u8, Vec<u8>)> {
    let rd: [u8; 8] = [0, 1, 10, 0, 0, 9, 0, 7];
    let esi = [0; 10];
    let tag = [0, 0, 0, 9];
    let mac = [48, 2, 0, 0, 0, 0, 9];
    let label = [0, 0, 0x64];
    let ip = [32, 10, 0, 0, 9];
    let prefix = [24, 10, 9, 0, 0];
    let gateway = [0; 4];
    vec![
        (1, [&rd[..], &esi, &tag, &label].concat()),
        (2, [&rd[..], &esi, &tag, &mac, &[0], &label].concat()),
        (2, [&rd[..], &esi, &tag, &mac, &ip, &label].concat()),
        (2, [&rd[..], &esi, &tag, &mac, &ip, &label, &label].concat()),
        (3, [&rd[..], &tag, &ip].concat()),
        (4, [&rd[..], &esi, &ip].concat()),
        (5, [&rd[..], &esi, &tag, &prefix, &gateway, &label].concat()),
    ]
}

fn evpn_nlri() -> Vec<Nlri> {
    let mut out = Vec::new();
    for (at, (kind, route)) in evpn_routes().into_iter().enumerate() {
        let name = |what: &str| format!("type {kind} ({at}) {what}");
        out.push((name("as it should be"), evpn(kind, &route), false));
        for (what, len) in [("one less", route.len() - 1), ("one more", route.len() + 1)] {
            let mut other = route.clone();
            other.resize(len, 0);
            out.push((name(what), evpn(kind, &other), true));
        }
        out.push((name("without a field"), evpn(kind, &[]), true));
        out.push((
            name("with half of them"),
            evpn(kind, &route[..route.len() / 2]),
            true,
        ));
        let whole = evpn(kind, &route);
        out.push((name("cut off"), whole[..whole.len() - 1].to_vec(), true));
        out.push((name("without a length"), vec![kind], true));
        let mut longer = whole.clone();
        longer[1] = u8::MAX;
        out.push((name("with a length beyond the attribute"), longer, true));
        // Lengths within the route that say something else.
        let within: &[(usize, &[u8])] = match (kind, at) {
            (2, 1) => &[(22, &[0, 47, 49, 255]), (29, &[1, 32, 128, 255])],
            (2, _) => &[(22, &[0, 47, 49, 255]), (29, &[1, 31, 33, 128, 255])],
            (3, _) => &[(12, &[0, 31, 33, 128, 255])],
            (4, _) => &[(18, &[0, 31, 33, 128, 255])],
            (5, _) => &[(22, &[33, 64, 128, 255])],
            _ => &[],
        };
        for (place, lengths) in within {
            for len in *lengths {
                let mut other = route.clone();
                other[*place] = *len;
                out.push((name(&format!("[{place}] {len}")), evpn(kind, &other), true));
            }
        }
    }
    // RFC 7606 §5.4: types that nobody knows disturb nobody.
    for kind in [0, 6, 11, 128, 255] {
        out.push((format!("type {kind}"), evpn(kind, &[1; 20]), false));
        out.push((format!("type {kind}, empty"), evpn(kind, &[]), false));
    }
    out
}

/// Routes that cannot be read end their family (RFC 7606 §5.3), the session and its other families
/// go on; those that can do no harm. With path identifiers in front where `numbered`.
fn routes_of_family(
    world: &mut World,
    family: [u8; 3],
    next_hop: &[u8],
    first: &[u8],
    cases: &[Nlri],
    numbered: bool,
) -> Outcome {
    let with_id = |nlri: &[u8]| match numbered {
        true => [&[0, 0, 0, 7], nlri].concat(),
        false => nlri.to_vec(),
    };
    for (at, (name, nlri, is_fault)) in cases.iter().enumerate() {
        // A route that is there before, of a number of its own.
        let mut first = first.to_vec();
        *first.last_mut().unwrap() = u8::try_from(at).unwrap();
        let open = rogue_open().all_families();
        let open = match numbered {
            true => open.with(capability::ADD_PATH, &[family.as_slice(), &[2]].concat()),
            false => open,
        };
        for withdraws in [false, true] {
            let mut run = || {
                let mut session = world.connect()?.establish(&open)?;
                let healthy = multiprotocol(ROGUE_AS, family, next_hop, &with_id(&first));
                session.update(&healthy)?;
                let (told, gone) = world.bench.observer.said_of(&first);
                let observer = &mut world.bench.observer;
                observer.until("the route", |it| it.said_of(&first).0 > told)?;
                let nlri = with_id(nlri);
                let update = match withdraws {
                    true => {
                        let value = [family.as_slice(), &nlri].concat();
                        let unreach = Attribute::new(NON_TRANSITIVE, code::MP_UNREACH, value);
                        Update::default().and(unreach)
                    }
                    false => multiprotocol(ROGUE_AS, family, next_hop, &nlri),
                };
                session.update(&update)?;
                world.pass(&mut session, |update| update)?;
                let observer = &mut world.bench.observer;
                match *is_fault {
                    true => observer.until("the family's end", |it| it.said_of(&first).1 > gone),
                    false if observer.said_of(&first).1 == gone => Ok(()),
                    false => Err(Error::rule("the family to go on", "its routes are gone")),
                }
            };
            run().map_err(|error| error.case(format!("{name}, withdrawn: {withdraws}")))?;
            // Its end takes the route away again.
            let (told, _) = world.bench.observer.said_of(&first);
            let observer = &mut world.bench.observer;
            observer.until("the end of its routes", |it| it.said_of(&first).1 >= told)?;
        }
    }
    Ok(())
}

#[test]
fn routes_of_ipv6_and_evpn_that_cannot_be_read_end_their_family_only() -> Outcome {
    let mut world = World::start()?;
    let first = [64, 0x20, 1, 0xd, 0xb8, 0xbb, 1, 0, 0];
    routes_of_family(&mut world, IPV6.0, &IPV6.1, &first, &ipv6_nlri(), false)?;
    let cases = evpn_nlri();
    println!("{} EVPN routes", cases.len());
    routes_of_family(&mut world, EVPN.0, &EVPN.1, &evpn_3(8), &cases, false)?;
    world.check()
}

#[test]
fn routes_with_identifiers_that_cannot_be_read_end_their_family_only() -> Outcome {
    let mut world = World::start()?;
    let first = [64, 0x20, 1, 0xd, 0xb8, 0xbb, 1, 0, 0];
    routes_of_family(&mut world, IPV6.0, &IPV6.1, &first, &ipv6_nlri(), true)?;
    routes_of_family(&mut world, EVPN.0, &EVPN.1, &evpn_3(8), &evpn_nlri(), true)?;
    // IPv4: in the fields of the message itself, where an identifier may be cut off, too.
    let open = rogue_open().all_families().add_path(2);
    for nlri in [
        vec![0, 0, 0],
        vec![0, 0, 0, 7],
        vec![0, 0, 0, 7, 24],
        vec![0, 0, 0, 7, 24, 192, 0],
        vec![0, 0, 0, 7, 33, 192, 0, 2, 1, 1],
        vec![0, 0, 0, 7, 24, 192, 0, 2, 0, 0],
        vec![24, 192, 0, 2],
    ] {
        let attributes = Update::announce(&[], &[ROGUE_AS], Ipv4Addr::new(10, 0, 0, 9));
        let announced = [attributes.bytes(), nlri.clone()].concat();
        let len = u16::try_from(nlri.len()).unwrap().to_be_bytes();
        let withdrawn = [&len[..], &nlri, &[0, 0]].concat();
        for body in [&announced[HEADER_LEN..], &withdrawn] {
            let mut session = world.connect()?.establish(&open)?;
            session.send(&message::message(message::UPDATE, body))?;
            let ended = session.expect_notification(3, 10);
            ended.map_err(|error| error.case(format!("{nlri:?}")))?;
        }
    }
    world.check()
}

/// States of a session in which a message can come.
#[derive(Debug, Clone, Copy)]
enum State {
    OpenSent,
    OpenConfirm,
    Established,
}
use State::{Established, OpenConfirm, OpenSent};

/// A connection in that state.
fn in_state(world: &mut World, state: State) -> Result<Connection, Error> {
    let mut connection = world.connect()?;
    let open = rogue_open().all_families().bytes();
    match state {
        OpenSent => drop(connection.expect_open()?),
        OpenConfirm => {
            connection.send(&open)?;
            connection.expect_open()?;
            connection.expect_keepalive()?;
        }
        Established => {
            connection.send(&open)?;
            connection.expect_open()?;
            connection.expect_keepalive()?;
            connection.send(&message::keepalive())?;
            // Established for sure: it answers.
            connection.send(&message::route_refresh(1, 0, 1))?;
            loop {
                let heard = connection.expect_message("EoRR")?;
                if matches!(heard, Message::RouteRefresh { subtype: 2, .. }) {
                    break;
                }
            }
        }
    }
    Ok(connection)
}

/// RFC 4271 §6.1, and lengths of RFC 7313 §5.
fn headers() -> Vec<(String, Vec<u8>, u8, u8)> {
    let mut out = Vec::new();
    for at in 0..16 {
        for octet in [0, 0xfe] {
            let mut marker = [0xff; 16];
            marker[at] = octet;
            let octets = message::raw_message(marker, 19, message::KEEPALIVE, &[]);
            out.push((format!("marker [{at}] {octet:#x}"), octets, 1, 1));
        }
    }
    for kind in [0, 6, 7, 100, 128, 255] {
        out.push((format!("type {kind}"), message::message(kind, &[]), 1, 3));
    }
    let least = [
        (message::OPEN, 29),
        (message::UPDATE, 23),
        (message::NOTIFICATION, 21),
        (message::KEEPALIVE, 19),
        (message::ROUTE_REFRESH, 23),
    ];
    for (kind, least) in least {
        let mut lengths = vec![0, 1, 18, least - 1, 4097, u16::MAX];
        if kind == message::KEEPALIVE {
            lengths.push(20);
        }
        lengths.dedup();
        for len in lengths {
            let body = vec![0; usize::from(len).saturating_sub(HEADER_LEN)];
            let octets = message::raw_message([0xff; 16], len, kind, &body);
            out.push((format!("type {kind} of {len}"), octets, 1, 2));
        }
    }
    out
}

#[test]
fn every_broken_header_in_every_state_ends_its_connection_only() -> Outcome {
    let mut world = World::start()?;
    for state in [OpenSent, OpenConfirm, Established] {
        for (name, octets, code, subcode) in headers() {
            let mut run = || {
                let mut connection = in_state(&mut world, state)?;
                // It may have ended before all of a long one is there.
                let _ = connection.send(&octets);
                connection.expect_notification(code, subcode)
            };
            run().map_err(|error| error.case(format!("{name} in {state:?}")))?;
        }
    }
    world.check()
}

/// RFC 4271 §6.4: nobody answers a NOTIFICATION, not even a strange one.
#[test]
fn every_notification_in_every_state_ends_its_connection_without_an_answer() -> Outcome {
    let mut world = World::start()?;
    for state in [OpenSent, OpenConfirm, Established] {
        for (code, subcode, data) in (0..=9)
            .map(|code| (code, 0, 0))
            .chain((0..=12).map(|subcode| (6, subcode, 0)))
            .chain([(6, 2, 1), (6, 2, 200), (6, 9, 1), (6, 9, 2), (6, 9, 300)])
            .chain([(2, 7, 3), (3, 11, 4000), (255, 255, 1)])
        {
            let data: Vec<u8> = vec![0xff; data];
            let mut connection = in_state(&mut world, state)?;
            connection.send(&message::notification(code, subcode, &data))?;
            let ended = connection.expect_end();
            ended.map_err(|error| error.case(format!("{code}/{subcode} in {state:?}")))?;
        }
    }
    world.check()
}

/// RFC 7313 §5, RFC 2918 §4.
#[test]
fn every_route_refresh_that_means_nothing_is_ignored() -> Outcome {
    let mut world = World::start()?;
    let mut session = world.rogue()?;
    for subtype in 0..=u8::MAX {
        for (afi, safi) in [
            (1, 1),
            (1, 2),
            (2, 1),
            (25, 70),
            (0, 0),
            (u16::MAX, u8::MAX),
        ] {
            session.send(&message::route_refresh(afi, subtype, safi))?;
        }
        session.listen(Duration::ZERO)?;
    }
    // Marks in any order, also without their other half.
    for subtype in [2, 1, 1, 0, 2, 2, 1] {
        session.send(&message::route_refresh(1, subtype, 1))?;
    }
    world.pass(&mut session, |update| update)?;
    for subtype in [1, 2] {
        for len in [5, 6, 40] {
            let mut body = vec![0, 1, subtype, 1];
            body.resize(len, 0);
            let sent = message::message(message::ROUTE_REFRESH, &body);
            let mut session = world.rogue()?;
            session.send(&sent)?;
            let Notification { data, .. } = session.expect_notification(7, 1)?;
            assert_eq!(data, sent);
        }
    }
    world.check()
}

/// RFC 5492 §3: capabilities that cannot be understood are not there. RFC 4271 §6.2: parameters
/// that overrun are no OPEN.
#[test]
fn every_broken_open_ends_or_begins_a_session_as_it_should() -> Outcome {
    let mut world = World::start()?;
    let capabilities: [(u8, &[u8]); 11] = [
        (1, &[0, 2, 0, 1]),
        (2, &[]),
        (5, &[0, 1, 0, 1, 0, 2]),
        (6, &[]),
        (9, &[3]),
        (64, &[0, 120, 0, 1, 1, 128]),
        (65, &[0, 0, 0xfd, 0xea]),
        (69, &[0, 1, 1, 3]),
        (70, &[]),
        (71, &[0, 1, 1, 0, 0, 0, 9]),
        (73, &[1, b'a', 1, b'b']),
    ];
    let mut opens = Vec::new();
    for (code, value) in capabilities {
        for len in (0..=value.len() + 2).chain([40]) {
            let mut value = value.to_vec();
            value.resize(len, 0xff);
            let kept = rogue_open();
            // Four-octet AS numbers would count once more, and rightly.
            let kept = match code {
                capability::FOUR_OCTET_AS => kept.without(code),
                _ => kept,
            };
            opens.push((
                format!("capability {code} of {len}"),
                kept.with(code, &value),
            ));
        }
    }
    let unknown = |code: &u8| capabilities.iter().all(|(known, _)| known != code);
    for code in (0..=u8::MAX).filter(unknown) {
        let open = rogue_open().with(code, &[]).with(code, &[1, 2, 3]);
        opens.push((format!("capability {code}"), open));
    }
    println!("{} OPENs", opens.len());
    for (name, open) in opens {
        let mut run = || {
            let mut session = world.connect()?.establish(&open)?;
            let four_octet = open.capability(capability::FOUR_OCTET_AS);
            let add_path = open.capability(capability::ADD_PATH);
            let numbered = add_path.is_some_and(|value| value.len() == 4);
            world.pass(&mut session, |update| {
                let update = match four_octet.is_some_and(|value| value.len() == 4) {
                    true => update,
                    false => update.with(Attribute::as_path_2(&[65_002])),
                };
                match numbered {
                    true => update.under(&[1]),
                    false => update,
                }
            })
        };
        run().map_err(|error| error.case(name))?;
    }
    let whole = rogue_open().all_families().bytes();
    for len in HEADER_LEN..whole.len() {
        let cut = message::message(message::OPEN, &whole[HEADER_LEN..len]);
        let (code, subcode) = if len < 29 { (1, 2) } else { (2, 0) };
        let mut connection = world.connect()?;
        connection.send(&cut)?;
        let ended = connection.expect_notification(code, subcode);
        ended.map_err(|error| error.case(format!("OPEN of {len} octets")))?;
    }
    world.check()
}

/// Valid messages of each kind, to be changed.
fn templates() -> Vec<Vec<u8>> {
    let announce = |last: u8, numbered: bool| {
        let prefixes = [9, 8].map(|len| Prefix::new(Ipv4Addr::new(100, last, 0, 0), len));
        let update = Update::announce(&prefixes, &[ROGUE_AS, 65_077], Ipv4Addr::new(10, 0, 0, 9));
        let update = known(true).into_iter().fold(update, |update, known| {
            match update.attribute(known.code) {
                Some(_) => update,
                None => update.and(Attribute::new(known.flags, known.code, known.value)),
            }
        });
        match numbered {
            true => update.under(&[7, 8]).bytes(),
            false => update.bytes(),
        }
    };
    let withdraw = Update::withdraw(&[Prefix::new(Ipv4Addr::new(100, 1, 0, 0), 16)]);
    let mut out = vec![
        announce(1, false),
        announce(2, false),
        announce(3, true),
        withdraw.bytes(),
        Update::default().bytes(),
        message::keepalive(),
        message::route_refresh(1, 0, 1),
        message::route_refresh(2, 1, 1),
        multiprotocol(
            ROGUE_AS,
            IPV6.0,
            &IPV6.1,
            &[64, 0x20, 1, 0xd, 0xb8, 0xcc, 0, 0, 1],
        )
        .bytes(),
    ];
    for (kind, route) in evpn_routes() {
        let route = evpn(kind, &route);
        out.push(multiprotocol(ROGUE_AS, EVPN.0, &EVPN.1, &route).bytes());
        let value = [EVPN.0.as_slice(), &route].concat();
        let unreach = Attribute::new(NON_TRANSITIVE, code::MP_UNREACH, value);
        out.push(Update::default().and(unreach).bytes());
    }
    out
}

/// A valid message with a few octets changed, one taken out or put in, or its end cut off; mostly
/// behind a header that still says its length.
fn mutated(random: &mut Random, templates: &[Vec<u8>]) -> Vec<u8> {
    let whole = &templates[random.below(templates.len())];
    let mut body = whole[HEADER_LEN..].to_vec();
    for _ in 0..=random.below(2) {
        let at = random.below(body.len() + 1);
        match random.below(30) {
            0 => body.insert(at, random.u8()),
            1 if at < body.len() => drop(body.remove(at)),
            2 => body.truncate(at),
            _ if at < body.len() => body[at] = random.u8(),
            _ => {}
        }
    }
    let mut out = message::message(whole[HEADER_LEN - 1], &body);
    if random.below(100) == 0 {
        let at = random.below(HEADER_LEN);
        out[at] = random.u8();
    }
    out
}

/// How many of them.
const MUTATIONS: usize = 20_000;
/// Those that misbehave at a time, and messages of each between two looks at what came back.
const AT_A_TIME: u8 = 4;
const BURST: usize = 2;

/// Sends mutations from one address until enough of them were read; how many sessions it took.
fn misbehave(
    from: Ipv4Addr,
    to: SocketAddr,
    seed: u64,
    read: &AtomicUsize,
) -> Result<usize, Error> {
    let random = &mut Random::new(seed);
    let templates = templates();
    let mut sessions = 0;
    while read.load(Ordering::Relaxed) < MUTATIONS / 2 {
        let mut open = rogue_open().all_families();
        if random.below(2) == 0 {
            open = open.with(
                capability::ADD_PATH,
                &[0, 1, 1, 2, 0, 2, 1, 2, 0, 25, 70, 2],
            );
        }
        // The session before may not be forgotten yet; then it is the next one that counts.
        let Ok(mut session) = Connection::open(from.into(), to).and_then(|it| it.establish(&open))
        else {
            continue;
        };
        sessions += 1;
        loop {
            let mut burst: Vec<u8> = (0..BURST)
                .flat_map(|_| mutated(random, &templates))
                .collect();
            burst.extend(message::route_refresh(1, 0, 1));
            if session.send(&burst).is_err() || !answers(session.connection())? {
                // At least the one was read that ended it.
                read.fetch_add(1, Ordering::Relaxed);
                break;
            }
            read.fetch_add(BURST, Ordering::Relaxed);
        }
    }
    Ok(sessions)
}

/// Reads up to the answer to a ROUTE-REFRESH; false when the session ended, or IPv4 in it.
fn answers(connection: &mut Connection) -> Result<bool, Error> {
    loop {
        match connection.hear(Duration::from_secs(1))? {
            Heard::Message(Message::RouteRefresh { subtype: 2, .. }) => return Ok(true),
            Heard::Message(Message::Notification(_)) | Heard::Closed | Heard::Silence => {
                return Ok(false);
            }
            Heard::Message(_) => {}
        }
    }
}

#[test]
fn twenty_thousand_mutations_of_valid_messages_touch_nobody_else() -> Outcome {
    let seed = Random::seed_of_run()?;
    let mut world = World::start()?;
    let to = SocketAddr::from((world.bench.address(), 1790));
    // The first half warms the speaker's memory up, the second must not need more.
    for half in 0..2 {
        let read = AtomicUsize::new(0);
        let sessions = std::thread::scope(|scope| {
            let workers = (0..AT_A_TIME).map(|worker| {
                let from = world.bench.host(ROGUES.start + worker);
                let seed = seed.wrapping_add(half << 32 | u64::from(worker) << 16);
                let read = &read;
                scope.spawn(move || misbehave(from, to, seed, read))
            });
            let workers: Vec<_> = workers.collect();
            let mut sessions = 0;
            while !workers.iter().all(|worker| worker.is_finished()) {
                world.bench.observer.listen(Duration::from_millis(10))?;
                world.bench.bystander.listen(Duration::ZERO)?;
            }
            for worker in workers {
                sessions += worker.join().expect("a worker")?;
            }
            Ok::<usize, Error>(sessions)
        });
        let sessions = sessions.map_err(|error| error.case(format!("RULES_SEED={seed}")))?;
        println!("{} messages on {sessions} sessions", read.into_inner());
        world
            .check()
            .map_err(|error| error.case(format!("RULES_SEED={seed}")))?;
        world.resident_kib = world.bench.speaker.resident_kib()?;
    }
    Ok(())
}
