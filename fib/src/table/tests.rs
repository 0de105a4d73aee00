//! The plan against a model of the kernel.

mod shared;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::model::{Model, PROTOCOL, refuse, settle};
use super::*;
use crate::links::{BridgePort, LinkKind, Vxlan};
use crate::overlay::{DeviceOp, STAMP};
use crate::state::{Mac, NextHop, Overlay, RemoteMac, Route, RouteKind, Segment, Vrf};

mod barred;
mod interfaces;
mod order;
mod vrfs;

fn prefix(number: u8) -> RouteKey {
    let text = match number % 5 {
        0 => "fd00::/16".to_owned(),
        other => format!("10.{other}.0.0/16"),
    };
    RouteKey::main(text.parse().unwrap())
}

fn hops(number: u8, ipv6: bool) -> Vec<NextHop> {
    let gateway = |last: u8| match ipv6 {
        true => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)]),
        false => IpAddr::from([192, 0, 2, last]),
    };
    match number % 6 {
        0 => vec![NextHop::gateway(gateway(1)).dev("wa")],
        1 => vec![NextHop::gateway(gateway(2)).dev("wb")],
        2 => vec![
            NextHop::gateway(gateway(1)).dev("wa"),
            NextHop::gateway(gateway(2)).dev("wb"),
        ],
        3 => vec![
            NextHop::gateway(gateway(1)).dev(1),
            NextHop::gateway(gateway(1)).dev(1),
        ],
        4 => vec![NextHop::gateway(gateway(9))],
        _ => vec![
            NextHop::interface("wb").weight(2),
            NextHop::gateway(gateway(3)).dev("wb"),
        ],
    }
}

#[derive(Clone, Debug)]
enum Step {
    Route {
        number: u8,
        hops: u8,
        metric: u32,
    },
    NoRoute(u8),
    /// In no VRF or one of two.
    Overlay(u8, Option<u8>),
    NoOverlay(u8),
    /// By which of two owners, and with which table.
    Vrf(u8, u8),
    NoVrf(u8),
    Host {
        mac: u8,
        vtep: u8,
        vni: u32,
    },
    NoHost(u8),
    /// The same on shared devices.
    Shared(shared::Step),
    /// The kernel loses something by itself or by hand.
    LoseRoutes,
    LoseObjects,
    LoseVrf,
    Flap(u32),
    LoseLayer2,
    /// The owner says that next hops are lost.
    LoseNextHops(u32),
    /// What was written so far is all read again.
    Read,
    Plan,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u8..5, 0u8..6, prop_oneof![Just(20), Just(30), Just(0)])
            .prop_map(|(number, hops, metric)| Step::Route { number, hops, metric }),
        2 => (0u8..5).prop_map(Step::NoRoute),
        2 => (1u8..3, proptest::option::of(1u8..3))
            .prop_map(|(vni, vrf)| Step::Overlay(vni, vrf)),
        1 => (0u8..2, 1u8..3).prop_map(|(share, table)| Step::Vrf(share, table)),
        1 => (0u8..2).prop_map(Step::NoVrf),
        1 => Just(Step::LoseVrf),
        1 => (1u8..3).prop_map(Step::NoOverlay),
        2 => (1u8..4, 1u8..4, 1u32..3).prop_map(|(mac, vtep, vni)| Step::Host { mac, vtep, vni }),
        1 => (1u8..4).prop_map(Step::NoHost),
        6 => shared::step().prop_map(Step::Shared),
        1 => Just(Step::LoseRoutes),
        1 => Just(Step::LoseObjects),
        1 => (1u32..3).prop_map(Step::Flap),
        1 => Just(Step::LoseLayer2),
        2 => (1u32..4).prop_map(Step::LoseNextHops),
        1 => Just(Step::Read),
        3 => Just(Step::Plan),
    ];
    proptest::collection::vec(step, 0..40)
}

/// The fate of each next hop is the last octet of its gateway; next hops beside it are spare.
fn fated(which: u8, ipv6: bool) -> Route {
    let fate = |hop: NextHop| {
        let last = match hop.gateway {
            Some(IpAddr::V4(gateway)) => gateway.octets()[3],
            Some(IpAddr::V6(gateway)) => gateway.octets()[15],
            None => 0,
        };
        hop.fate(last.into())
    };
    let spare = match which % 6 {
        0 => hops(1, ipv6),
        1 => hops(5, ipv6),
        2 => hops(0, ipv6),
        _ => Vec::new(),
    };
    let hops = hops(which, ipv6).into_iter().map(fate);
    Route::via(hops).spare(spare.into_iter().map(fate))
}

/// What the kernel thread does when next hops are lost.
fn lose(table: &mut Table, model: &mut Model, fate: u32, now: Instant) {
    let parting = table.part(fate);
    if parting.routes > 0 {
        settle(table, model, now);
    }
    table.switch(parting);
}

/// Takes one step. Wishes are also noted as the final ones.
fn take(
    step: &Step,
    table: &mut Table,
    model: &mut Model,
    last: &mut HashMap<Key, Change>,
    now: Instant,
) {
    let mut wish = |change: Change| {
        last.insert(change.key(), change.clone());
        table.apply(change);
    };
    let device = |vni: u8| Device::from(format!("vx{vni}"));
    match step {
        Step::Route {
            number,
            hops: which,
            metric,
        } => {
            let key = prefix(*number);
            let route = fated(*which, key.prefix().is_ipv6()).metric(*metric);
            wish(Change::Set(Entry::Route(key, Arc::new(route))));
        }
        Step::NoRoute(number) => wish(Change::Unset(Key::Route(prefix(*number)))),
        Step::Overlay(vni, vrf) => {
            let mut overlay = Overlay::new((*vni).into(), IpAddr::from([10, 0, 0, 1]), 1450)
                .gateway(format!("10.100.{vni}.1/24").parse().unwrap())
                .gateway(format!("fd00:{vni}::1/64").parse().unwrap())
                .gateway_mac(Mac([2, 0, 0, 0, 1, *vni]));
            // Both have one name: two overlays may want it with different tables.
            overlay.vrf = vrf.map(|table| Vrf::new("red", table.into()));
            wish(Change::Set(Entry::Overlay(
                (*vni).into(),
                Arc::new(overlay),
            )));
        }
        Step::Vrf(share, table) => {
            let vrf = Vrf::new("red", (*table).into());
            wish(Change::Set(Entry::Vrf(Share(*share), vrf)));
        }
        Step::NoVrf(share) => wish(Change::Unset(Key::Vrf(Share(*share), "red".into()))),
        Step::LoseVrf => {
            let red = model.links.values().find(|it| it.name.as_str() == "red");
            if let Some(index) = red.map(|red| red.index) {
                model.drop_link(index);
            }
        }
        Step::NoOverlay(vni) => wish(Change::Unset(Key::Overlay((*vni).into()))),
        Step::Host { mac, vtep, vni } => {
            let mac = Mac([2, 0, 0, 0, 0, *mac]);
            let tunnel = Tunnel::from(IpAddr::from([10, 0, 0, *vtep])).towards(*vni, 1);
            let ip = IpAddr::from([10, 100, 1, mac.0[5]]);
            let remote = RemoteMac {
                tunnel,
                sticky: false,
            };
            wish(Change::Set(Entry::Fdb(FdbKey::new(device(1), mac), remote)));
            wish(Change::Set(Entry::Flood(FloodKey::new(device(1), tunnel))));
            let neighbour = Neighbour { mac, router: false };
            let key = NeighbourKey {
                device: "br1".into(),
                ip,
            };
            wish(Change::Set(Entry::Neighbour(key, neighbour)));
        }
        Step::NoHost(mac) => {
            let mac = Mac([2, 0, 0, 0, 0, *mac]);
            wish(Change::Unset(Key::Fdb(FdbKey::new(device(1), mac))));
            let ip = IpAddr::from([10, 100, 1, mac.0[5]]);
            wish(Change::Unset(Key::Neighbour(NeighbourKey {
                device: "br1".into(),
                ip,
            })));
        }
        Step::Shared(step) => shared::take(step, table, model, last),
        Step::LoseRoutes => model
            .routes
            .retain(|_, (protocol, _)| *protocol != PROTOCOL),
        Step::LoseObjects => {
            for id in model.objects.keys().copied().collect::<Vec<_>>() {
                model.drop_object(id);
            }
        }
        Step::Flap(index) => model.flush(*index),
        Step::LoseLayer2 => {
            model.tunnels.clear();
            model.flood.clear();
            model.neighbours.clear();
        }
        Step::LoseNextHops(fate) => lose(table, model, *fate, now),
        Step::Read => model.tell(table),
        Step::Plan => settle(table, model, now),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_happened_the_plan_reaches_what_is_wanted(
        steps in steps(),
        leftovers in steps(),
        seed in any::<u64>(),
    ) {
        let now = Instant::now();
        // A previous run left something, and somebody else has routes.
        let mut model = Model::with_links();
        let mut before = Table::new(PROTOCOL);
        model.tell(&mut before);
        for step in &leftovers {
            take(step, &mut before, &mut model, &mut HashMap::new(), now);
        }
        model.tell(&mut before);
        settle(&mut before, &mut model, now);
        let foreign = (prefix(1), 999);
        let shape = RouteShape {
            kind: RouteKind::Blackhole,
            metric: 999,
            source: None,
            via: Via::Nowhere,
            spare: Vec::new(),
        };
        model.routes.insert(foreign, (4, shape));

        let mut table = Table::new(PROTOCOL);
        let mut last = HashMap::new();
        // Objects are known before anything is wished for, as in the kernel thread: a number that is
        // a group's cannot become a single next hop's.
        if seed % 2 == 0 || !model.objects.is_empty() {
            model.tell(&mut table);
        }
        for step in &steps {
            take(step, &mut table, &mut model, &mut last, now);
        }
        // The owner decides anew about everything that was over lost next hops.
        if steps.iter().any(|step| matches!(step, Step::LoseNextHops(_))) {
            last.values().for_each(|wish| table.apply(wish.clone()));
        }
        // Everything is read once after the last disturbance, as the audit does.
        model.tell(&mut table);
        let later = now + Duration::from_secs(600);
        table.retry_due(later);
        table.sweep(Share::FIRST, Sweep::All);
        settle(&mut table, &mut model, later);
        model.tell(&mut table);
        table.retry();
        settle(&mut table, &mut model, later);
        prop_assert_eq!(table.plan(100, later), vec![]);
        model.tell(&mut table);
        prop_assert_eq!(table.plan(100, later), vec![], "a second plan is empty");
        prop_assert!(model.routes.contains_key(&foreign));

        // The same wishes alone, in another order, on an empty kernel, give the same.
        let mut wishes: Vec<Change> = last.into_values().collect();
        wishes.sort_by_key(|change| {
            use std::hash::BuildHasher;
            foldhash::fast::FixedState::with_seed(seed).hash_one(change.key())
        });
        let mut fresh = Table::new(PROTOCOL);
        let mut empty = Model::with_links();
        empty.routes.extend(model.routes.get_key_value(&foreign).map(|(k, v)| (*k, v.clone())));
        for wish in wishes {
            fresh.apply(wish);
        }
        empty.tell(&mut fresh);
        fresh.sweep(Share::FIRST, Sweep::All);
        settle(&mut fresh, &mut empty, now);
        empty.tell(&mut fresh);
        fresh.retry();
        settle(&mut fresh, &mut empty, now);
        prop_assert_eq!(model.contents(), empty.contents());
        prop_assert_eq!(model.idle_objects(), Vec::<u32>::new(), "no object is left over");
        // Objects that were switched may stand for the same.
        let lost = steps.iter().any(|step| matches!(step, Step::LoseNextHops(_)));
        let objects = |model: &Model| model.objects.len();
        prop_assert!(lost || objects(&model) == objects(&empty), "no object stands for another's");
    }
}

fn started() -> (Table, Model, Instant) {
    let model = Model::with_links();
    let mut table = Table::new(PROTOCOL);
    model.tell(&mut table);
    (table, model, Instant::now())
}

fn wish(table: &mut Table, number: u8, which: u8) {
    let key = prefix(number);
    let route = Route::via(hops(which, key.prefix().is_ipv6()));
    table.set(Entry::Route(key, Arc::new(route)));
}

#[test]
fn adds_come_before_deletes() {
    let (mut table, mut model, now) = started();
    wish(&mut table, 1, 0);
    settle(&mut table, &mut model, now);
    model.log.clear();
    table.unset(&Key::Route(prefix(1)));
    wish(&mut table, 2, 1);
    settle(&mut table, &mut model, now);
    let kinds: Vec<&str> = model
        .log
        .iter()
        .map(|op| op.split(['(', ' ']).next().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["SetNextHop", "SetRoute", "UnsetRoute", "UnsetNextHop"]
    );
}

#[test]
fn a_changed_route_is_replaced_in_one_operation() {
    let (mut table, mut model, now) = started();
    wish(&mut table, 1, 0);
    settle(&mut table, &mut model, now);
    model.log.clear();
    wish(&mut table, 1, 1);
    settle(&mut table, &mut model, now);
    let routes: Vec<_> = model.log.iter().filter(|op| op.contains("Route")).collect();
    assert_eq!(routes.len(), 1, "{routes:?}");
    assert!(routes[0].contains("replace: true"));
}

/// Where the routes of a kernel lead, by prefix.
fn forwarding(model: &Model) -> Vec<String> {
    let route = |line: &String| line.starts_with("route");
    model.contents().into_iter().filter(route).collect()
}

fn kinds(model: &Model) -> Vec<&str> {
    let kind = |op: &'static str| move |line: &&String| line.starts_with(op);
    let count = |op| model.log.iter().filter(kind(op)).count();
    let all = ["SetNextHop", "SetRoute", "UnsetRoute"];
    all.into_iter().filter(|op| count(op) > 0).collect()
}

/// Wishes for routes 1 to `count`, all alike.
fn want_all(table: &mut Table, count: u8, hops: &[NextHop], spare: &[NextHop]) {
    for number in 1..=count {
        let route = Route::via(hops.iter().cloned()).spare(spare.iter().cloned());
        let key = RouteKey::main(format!("10.{number}.0.0/16").parse().unwrap());
        table.set(Entry::Route(key, Arc::new(route)));
    }
}

fn by(gateway: u8, device: u32) -> NextHop {
    NextHop::gateway(IpAddr::from([192, 0, 2, gateway]))
        .dev(device)
        .fate(gateway.into())
}

/// Loses fate 1 and returns the messages that took, and where the routes lead then.
fn lost(table: &mut Table, model: &mut Model, now: Instant) -> (Vec<String>, Vec<String>) {
    model.log.clear();
    lose(table, model, 1, now);
    settle(table, model, now);
    (model.log.clone(), forwarding(model))
}

#[test]
fn routes_with_a_spare_way_out_move_with_one_message_and_stay_where_they_are() {
    let (mut table, mut model, now) = started();
    want_all(&mut table, 200, &[by(1, 1)], &[by(2, 2)]);
    settle(&mut table, &mut model, now);
    let (log, forwarding) = lost(&mut table, &mut model, now);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(forwarding.iter().all(|line| line.contains("192.0.2.2")));
    // The owner comes to the same conclusion, one route after the other.
    model.log.clear();
    want_all(&mut table, 200, &[by(2, 2)], &[by(3, 2)]);
    settle(&mut table, &mut model, now);
    assert_eq!(model.log, [""; 0]);
    assert_eq!(table.verify(), []);
    // The lost one returns: nothing but wishes moves routes back, each on its own.
    want_all(&mut table, 100, &[by(1, 1)], &[by(2, 2)]);
    settle(&mut table, &mut model, now);
    let back = self::forwarding(&model);
    let over = |gateway: &str| back.iter().filter(|line| line.contains(gateway)).count();
    assert_eq!((over("192.0.2.1"), over("192.0.2.2")), (100, 100));
    model.tell(&mut table);
    assert_eq!(table.plan(100, now), []);
}

#[test]
fn a_group_loses_a_member_with_one_message_and_its_routes_stay() {
    let (mut table, mut model, now) = started();
    want_all(&mut table, 200, &[by(1, 1), by(2, 2), by(3, 2)], &[]);
    settle(&mut table, &mut model, now);
    let (log, forwarding) = lost(&mut table, &mut model, now);
    let (first, rest) = log.split_first().unwrap();
    assert!(first.starts_with("SetNextHop"), "{first}");
    // What nobody needs any longer goes afterwards.
    assert!(
        rest.iter().all(|op| op.starts_with("UnsetNextHop")),
        "{rest:?}"
    );
    assert!(forwarding.iter().all(|line| !line.contains("192.0.2.1")));
    model.log.clear();
    want_all(&mut table, 200, &[by(2, 2), by(3, 2)], &[]);
    settle(&mut table, &mut model, now);
    assert_eq!(model.log, [""; 0]);
    // Down to one: routes stay on the group of one.
    lose(&mut table, &mut model, 3, now);
    settle(&mut table, &mut model, now);
    model.log.clear();
    want_all(&mut table, 200, &[by(2, 2)], &[]);
    settle(&mut table, &mut model, now);
    assert_eq!(model.log, [""; 0]);
    assert_eq!(table.verify(), []);
}

#[test]
fn routes_name_their_next_hops_where_objects_are_not_wanted() {
    let (mut table, mut model, now) = started();
    assert!(table.do_without_objects());
    assert!(!table.do_without_objects());
    want_all(&mut table, 20, &[by(1, 1), by(2, 2)], &[]);
    settle(&mut table, &mut model, now);
    let asked = model.log.iter().filter(|op| op.starts_with("SetNextHop"));
    assert_eq!(asked.count(), 0, "{:?}", model.log);
    assert!(!model.routes.is_empty());
    assert_eq!(table.verify(), []);
}

#[test]
fn a_kernel_without_nexthop_objects_gets_routes_that_need_none() {
    let (mut table, mut model, now) = started();
    model.no_objects = true;
    want_all(&mut table, 20, &[by(1, 1), by(2, 2)], &[]);
    want_all(&mut table, 10, &[by(1, 1)], &[by(2, 2)]);
    settle(&mut table, &mut model, now);
    let asked = model.log.iter().filter(|op| op.starts_with("SetNextHop"));
    assert!(asked.count() <= 2, "{:?}", model.log);
    let hops = |shape: &RouteShape| match &shape.via {
        Via::Hops(hops) => hops.len(),
        Via::Object(_) | Via::Nowhere => 0,
    };
    let shapes = model.routes.values().map(|(_, shape)| hops(shape));
    let mut counts: Vec<usize> = shapes.collect();
    counts.sort_unstable();
    assert_eq!(counts, [[1; 10], [2; 10]].concat());
    assert_eq!(table.verify(), []);
    // Nothing is lost by objects, and the owner's wishes move routes.
    lose(&mut table, &mut model, 1, now);
    want_all(&mut table, 20, &[by(2, 2)], &[]);
    settle(&mut table, &mut model, now);
    assert!(
        forwarding(&model)
            .iter()
            .all(|line| line.contains("192.0.2.2"))
    );
    model.tell(&mut table);
    assert_eq!(table.plan(100, now), []);
    assert_eq!(table.verify(), []);
}

#[test]
fn nothing_is_sent_to_a_spare_way_out_of_other_routes() {
    let (mut table, mut model, now) = started();
    want_all(&mut table, 200, &[by(1, 1)], &[by(2, 2)]);
    want_all(&mut table, 20, &[by(1, 1)], &[by(3, 2)]);
    want_all(&mut table, 10, &[by(1, 1)], &[]);
    settle(&mut table, &mut model, now);
    let (log, forwarding) = lost(&mut table, &mut model, now);
    let over = |gateway: &str| {
        let lines = forwarding.iter();
        lines.filter(|line| line.contains(gateway)).count()
    };
    assert_eq!(
        (over("192.0.2.1"), over("192.0.2.2"), over("192.0.2.3")),
        (10, 180, 10)
    );
    let last = log
        .iter()
        .rposition(|op| op.starts_with("SetRoute"))
        .unwrap();
    assert_eq!(
        log.iter().filter(|op| op.starts_with("SetRoute")).count(),
        20
    );
    let switch = log
        .iter()
        .rposition(|op| op.starts_with("SetNextHop"))
        .unwrap();
    assert!(last < switch, "{log:?}");
    // Where most have nothing spare, those that have leave.
    want_all(&mut table, 200, &[by(2, 2)], &[]);
    want_all(&mut table, 5, &[by(2, 2)], &[by(1, 1)]);
    settle(&mut table, &mut model, now);
    model.log.clear();
    lose(&mut table, &mut model, 2, now);
    settle(&mut table, &mut model, now);
    assert_eq!(kinds(&model), ["SetNextHop", "SetRoute"]);
    let left = self::forwarding(&model);
    assert_eq!(left.iter().filter(|it| it.contains("192.0.2.1")).count(), 5);
    assert_eq!(table.verify(), []);
}

#[test]
fn an_object_that_the_kernel_will_not_change_is_left_and_wishes_make_a_new_one() {
    let (mut table, mut model, now) = started();
    want_all(&mut table, 20, &[by(1, 1)], &[by(2, 2)]);
    settle(&mut table, &mut model, now);
    model.links.get_mut(&2).unwrap().running = false;
    let (_, forwarding) = lost(&mut table, &mut model, now);
    assert!(forwarding.iter().all(|line| line.contains("192.0.2.1")));
    model.links.get_mut(&2).unwrap().running = true;
    want_all(&mut table, 20, &[by(2, 2)], &[]);
    settle(&mut table, &mut model, now);
    let moved = self::forwarding(&model);
    assert!(
        moved.iter().all(|line| line.contains("192.0.2.2")),
        "{moved:?}"
    );
    assert_eq!(table.verify(), []);
}

#[test]
fn a_host_that_moved_here_is_not_taken_back_before_the_owner_decides() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    let (key, remote) = far_host();
    table.set(Entry::Fdb(key.clone(), remote));
    settle(&mut table, &mut model, now);
    model.tell(&mut table);
    settle(&mut table, &mut model, now);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
    table.fdb_moved(key.clone(), now);
    assert_eq!(table.plan(10, now), []);
    // The host's port comes up, which is no decision.
    table.retry();
    assert_eq!(table.plan(10, now), []);
    // The owner insists.
    table.set(Entry::Fdb(key.clone(), remote));
    assert!(matches!(&table.plan(10, now)[..], [Op::SetFdb { .. }]));
    let op = Op::SetFdb {
        key: key.clone(),
        index: 4,
        remote,
    };
    table.done(&op, Ok(()), now);
    // Or nobody says anything.
    table.fdb_moved(key, now);
    let due = table.deadline().unwrap();
    assert!(due > now);
    table.retry_due(due);
    assert!(matches!(&table.plan(10, due)[..], [Op::SetFdb { .. }]));
}

#[test]
fn a_neighbour_entry_of_the_last_run_is_told_until_leftovers_are_swept() {
    let (mut table, mut model, now) = started();
    let overlay = Overlay::new(1, IpAddr::from([10, 0, 0, 1]), 1450);
    table.set(Entry::Overlay(1, Arc::new(overlay)));
    settle(&mut table, &mut model, now);
    let key = |last| NeighbourKey {
        device: "br1".into(),
        ip: IpAddr::from([10, 100, 1, last]),
    };
    let neighbour = Neighbour {
        mac: Mac([2, 0, 0, 0, 0, 1]),
        router: false,
    };
    let told = |table: &mut Table, last| {
        while table.poll_event().is_some() {}
        table.observe(Observation::Neighbour(key(last), Some(neighbour)));
        let told = std::iter::from_fn(|| table.poll_event());
        told.filter(|it| matches!(it, Event::Leftover { .. }))
            .count()
    };
    assert_eq!(told(&mut table, 9), 1);
    // Seen again by an audit, it is no news, and one that is wanted is none that is left over.
    assert_eq!(told(&mut table, 9), 0);
    table.set(Entry::Neighbour(key(8), neighbour));
    assert_eq!(told(&mut table, 8), 0);
    table.sweep(Share::FIRST, Sweep::Layer2);
    assert_eq!(told(&mut table, 7), 0);
}

#[test]
fn an_address_that_was_resolved_here_is_not_taken_back_before_the_owner_decides() {
    let (mut table, mut model, now) = started();
    let gateway = "10.100.1.1/24".parse().unwrap();
    let overlay = Overlay::new(1, IpAddr::from([10, 0, 0, 1]), 1450).gateway(gateway);
    table.set(Entry::Overlay(1, Arc::new(overlay)));
    let key = NeighbourKey {
        device: "br1".into(),
        ip: IpAddr::from([10, 100, 1, 9]),
    };
    let neighbour = Neighbour {
        mac: Mac([2, 0, 0, 0, 0, 1]),
        router: false,
    };
    table.neighbour_moved(key.clone(), now);
    table.set(Entry::Neighbour(key.clone(), neighbour));
    settle(&mut table, &mut model, now);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
    table.neighbour_moved(key.clone(), now);
    assert_eq!(table.plan(10, now), []);
    assert_eq!(told_failures(&mut table).len(), 1);
    // The owner insists.
    table.set(Entry::Neighbour(key.clone(), neighbour));
    let ops = table.plan(10, now);
    assert!(matches!(&ops[..], [Op::SetNeighbour { .. }]), "{ops:?}");
    table.done(&ops[0], Ok(()), now);
    // Or takes it back.
    table.neighbour_moved(key.clone(), now);
    table.unset(&Key::Neighbour(key));
    assert_eq!(table.plan(10, now), [], "nothing of ours is there");
    assert!(table.verify().is_empty(), "{:?}", table.verify());
}

#[test]
fn a_refused_route_is_told_once_and_tried_later_and_later() {
    let (mut table, _, now) = started();
    wish(&mut table, 1, 4);
    let error = || {
        Err(OpError {
            errno: libc::ENETUNREACH,
            explanation: None,
        })
    };
    let mut told = 0;
    let mut when = now;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let ops = table.plan(10, when);
        assert_eq!(ops.len(), 1);
        table.done(&ops[0], error(), when);
        assert_eq!(table.plan(10, when), []);
        while let Some(event) = table.poll_event() {
            told += usize::from(matches!(event, Event::Failed { .. }));
        }
        let due = table.deadline().unwrap();
        pauses.push((due - when).as_secs());
        when = due;
        table.retry_due(when);
    }
    assert_eq!(told, 1);
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

/// Who gave a route up before he heard of its refusal hears of its end, whether or not it is tried again.
#[test]
fn the_end_of_a_refused_wish_is_told_behind_its_refusal() {
    for again in [false, true] {
        let (mut table, _, now) = started();
        wish(&mut table, 1, 4);
        let ops = table.plan(10, now);
        let error = OpError {
            errno: libc::ENETDOWN,
            explanation: None,
        };
        table.done(&ops[0], Err(error), now);
        if again {
            table.retry_due(table.deadline().unwrap());
        }
        let Op::SetRoute { key, .. } = &ops[0] else {
            panic!("{ops:?}")
        };
        let key = Key::Route(*key);
        table.unset(&key);
        let events: Vec<Event> = std::iter::from_fn(|| table.poll_event()).collect();
        let refused = |event: &Event| matches!(event, Event::Failed { key: it, .. } if *it == key);
        assert!(refused(&events[0]), "{events:?}");
        assert_eq!(events[1..], [Event::Removed { key }]);
    }
}

fn overlay_one() -> Entry {
    let overlay = Overlay::new(1, IpAddr::from([10, 0, 0, 1]), 1450);
    Entry::Overlay(1, Arc::new(overlay))
}

/// A host of that overlay, behind another tunnel endpoint.
fn far_host() -> (FdbKey, RemoteMac) {
    let key = FdbKey::new("vx1", Mac([2, 0, 0, 0, 0, 1]));
    let remote = RemoteMac {
        tunnel: IpAddr::from([10, 0, 0, 2]).into(),
        sticky: false,
    };
    (key, remote)
}

fn told_failures(table: &mut Table) -> Vec<(Key, String)> {
    std::iter::from_fn(|| table.poll_event())
        .filter_map(|event| {
            if let Event::Failed { key, error, .. } = event {
                return Some((key, error));
            }
            None
        })
        .collect()
}

#[test]
fn late_news_of_a_deleted_device_do_not_touch_the_one_made_after_it() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    let (key, remote) = far_host();
    table.set(Entry::Fdb(key, remote));
    settle(&mut table, &mut model, now);
    for name in ["br1", "vx1"] {
        let old = model.links.values().find(|link| link.name.as_str() == name);
        let old = old.unwrap().clone();
        model.drop_link(old.index);
        table.observe(Observation::LinkRemoved(old.index));
        // The plan that makes it anew. Directly after it everything is read, and then the rest
        // of the old one's end is heard.
        for op in table.plan(100, now) {
            let result = model.apply(&op);
            table.done(&op, result, now);
        }
        model.tell(&mut table);
        table.observe(Observation::Link(old.clone()));
        table.observe(Observation::LinkRemoved(old.index));
        settle(&mut table, &mut model, now);
        assert!(table.verify().is_empty(), "{:?}", table.verify());
        let new = table.links().named(&name.into()).unwrap();
        assert!(new.index != old.index && new.up, "{new:?}");
        assert_eq!((new.mtu, new.alias.as_deref()), (1450, Some(STAMP)));
        assert_eq!(told_failures(&mut table), []);
    }
    let written = model.log.iter().filter(|op| op.starts_with("SetFdb"));
    let why = "at first, with the bridge, and with the device";
    assert_eq!(written.count(), 3, "{why}");
}

#[test]
fn a_device_of_others_under_the_name_of_one_we_made_is_not_ours() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    for op in table.plan(100, now) {
        let result = model.apply(&op);
        table.done(&op, result, now);
    }
    model.tell(&mut table);
    let ours = table.links().named(&"br1".into()).unwrap().index;
    model.drop_link(ours);
    let other = Link {
        kind: LinkKind::Bridge,
        ..Link::new(ours + 10, "br1")
    };
    model.links.insert(other.index, other.clone());
    model.tell(&mut table);
    settle(&mut table, &mut model, now);
    assert_eq!(model.links[&other.index], other, "unchanged");
    assert_eq!(told_failures(&mut table).len(), 1);
}

#[test]
fn a_place_that_is_somebody_elses_is_left_to_them_and_taken_when_they_go() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    let (key, remote) = far_host();
    let host = NeighbourKey {
        device: "br1".into(),
        ip: IpAddr::from([10, 100, 0, 7]),
    };
    let neighbour = Neighbour {
        mac: key.mac,
        router: false,
    };
    table.set(Entry::Fdb(key.clone(), remote));
    table.set(Entry::Neighbour(host.clone(), neighbour));
    settle(&mut table, &mut model, now);
    model.tell(&mut table);
    told_failures(&mut table);
    let take = |table: &mut Table| {
        let theirs = Theirs::Remote(Some(IpAddr::from([10, 9, 9, 9])));
        table.observe(Observation::FdbTunnel(key.clone(), None));
        table.observe(Observation::Occupied(
            Place::Tunnel(key.clone()),
            Some(theirs),
        ));
        let theirs = Theirs::Lladdr(Mac([2, 0, 0, 0, 0, 9]));
        table.observe(Observation::Neighbour(host.clone(), None));
        table.observe(Observation::Occupied(
            Place::Neighbour(host.clone()),
            Some(theirs),
        ));
    };
    take(&mut table);
    let mut later = now;
    for _ in 0..3 {
        assert_eq!(table.plan(10, later), []);
        table.retry();
        later += Duration::from_secs(600);
        table.retry_due(later);
        take(&mut table);
    }
    assert_eq!(table.deadline(), None, "nothing is tried by time");
    let told = told_failures(&mut table);
    assert_eq!(
        told,
        [
            (
                Key::Fdb(key.clone()),
                "somebody's static entry (dst 10.9.9.9) is in its place; \
                 `bridge fdb del 02:00:00:00:00:01 dev vx1 self` removes it"
                    .to_owned()
            ),
            (
                Key::Neighbour(host.clone()),
                "somebody's static entry (lladdr 02:00:00:00:00:09) is in its place; \
                 `ip neigh del 10.100.0.7 dev br1` removes it"
                    .to_owned()
            ),
        ]
    );
    let found = table.verify();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it.occupied), "{found:?}");

    // They go, noticed at once or by the next complete read.
    table.observe(Observation::Occupied(Place::Tunnel(key.clone()), None));
    assert!(matches!(&table.plan(10, later)[..], [Op::SetFdb { .. }]));
    let scope = AuditScope {
        routes: false,
        layer2: true,
    };
    table.begin_audit(scope);
    table.end_audit(scope);
    let ops = table.plan(10, later);
    assert!(
        ops.iter().any(|op| matches!(op, Op::SetNeighbour { .. })),
        "{ops:?}"
    );

    // A wish that is taken back takes only what is ours.
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    table.set(Entry::Fdb(key.clone(), remote));
    settle(&mut table, &mut model, now);
    model.tell(&mut table);
    take(&mut table);
    table.unset(&Key::Fdb(key.clone()));
    let index = table.links().named(&key.device).unwrap().index;
    let bridge_half = Op::UnsetFdb {
        key,
        index,
        tunnel: None,
        master: true,
    };
    assert_eq!(table.plan(10, now), [bridge_half]);
}

#[test]
fn a_device_of_ours_that_was_renamed_gets_its_name_back() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    settle(&mut table, &mut model, now);
    table.sweep(Share::FIRST, Sweep::All);
    let numbers = |model: &Model| model.links.keys().copied().collect::<Vec<_>>();
    let before = numbers(&model);
    for live in [true, false] {
        model.log.clear();
        for link in model.links.values_mut().filter(|it| it.alias.is_some()) {
            link.name = format!("lost{}", link.index).into();
        }
        model.tell(&mut table);
        if !live {
            // A kernel that renames no device that is up.
            for op in table.plan(100, now) {
                table.done(&op, refuse(libc::EBUSY), now);
            }
        }
        settle(&mut table, &mut model, now);
        assert!(table.verify().is_empty(), "{:?}", table.verify());
        assert_eq!(numbers(&model), before);
        let down = model.log.iter().any(|op| op.contains("Down"));
        assert_eq!(down, !live, "{:?}", model.log);
        assert_eq!(told_failures(&mut table), []);
    }
}

#[test]
fn a_refused_device_is_told_once_and_tried_again_when_another_one_goes() {
    let (mut table, mut model, now) = started();
    table.set(overlay_one());
    let other = Link {
        kind: LinkKind::Vxlan(Vxlan {
            vni: 1,
            port: 4789,
            learning: true,
            ..Vxlan::default()
        }),
        ..Link::new(50, "other")
    };
    model.links.insert(50, other);
    model.tell(&mut table);
    let step = |table: &mut Table, model: &mut Model| {
        for _ in 0..20 {
            let ops = table.plan(100, now);
            if ops.is_empty() {
                break;
            }
            for op in ops {
                let create = matches!(op, Op::Device(_, DeviceOp::CreateVxlan { .. }));
                let result = match create && model.links.contains_key(&50) {
                    true => refuse(libc::EEXIST),
                    false => model.apply(&op),
                };
                table.done(&op, result, now);
            }
            model.tell(table);
        }
    };
    step(&mut table, &mut model);
    table.retry();
    step(&mut table, &mut model);
    let said = "create VXLAN device `vx1`: `other` has VNI 1 on port 4789 already; \
                `ip link del other` makes room, \
                    or `vxlan = \"other\"` of the VNI takes it over";
    assert_eq!(
        told_failures(&mut table),
        [(Key::Overlay(1), said.to_owned())]
    );
    model.drop_link(50);
    model.tell(&mut table);
    step(&mut table, &mut model);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
}
