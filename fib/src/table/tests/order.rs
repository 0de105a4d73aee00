//! Wishes for a tenant and what is told of devices come in every order: the kernel ends the same.
//!
//! The property in `tests.rs` has long random sequences. These are short, and all of them: which of
//! a router's tables is ready first, and when a device of the underlay shows up, is chance.

use super::vrfs::{red, routed};
use super::*;

/// The overlay of the tenant's L3 VNI.
fn routing() -> Overlay {
    let mac = Mac([2, 0, 0, 0, 0x40, 1]);
    Overlay::layer3(4001, IpAddr::from([10, 0, 0, 1]), 1450, red(), mac)
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The tenant's instance wants its VRF.
    Vrf,
    /// The overlay of its hosts, with a gateway.
    Overlay,
    /// The overlay it routes through, and its other router behind it.
    Routing,
    /// A route through that router.
    Route,
    /// A host of the first overlay at another site.
    Host,
    /// A route of the main table, which leads to a device.
    Main,
    /// That device shows up.
    Device,
}

const EVENTS: [Event; 7] = [
    Event::Vrf,
    Event::Overlay,
    Event::Routing,
    Event::Route,
    Event::Host,
    Event::Main,
    Event::Device,
];

fn take(event: Event, table: &mut Table, model: &mut Model) {
    let vtep = IpAddr::from([10, 0, 0, 2]);
    let station = |table: &mut Table, number: u32, mac: Mac, ip: IpAddr| {
        let remote = RemoteMac {
            tunnel: vtep.into(),
            sticky: false,
        };
        table.set(Entry::Fdb(FdbKey::new(format!("vx{number}"), mac), remote));
        let device = Device::from(format!("br{number}"));
        let neighbour = Neighbour { mac, router: false };
        table.set(Entry::Neighbour(NeighbourKey { device, ip }, neighbour));
    };
    match event {
        Event::Vrf => table.set(Entry::Vrf(Share::FIRST, red())),
        Event::Overlay => table.set(Entry::Overlay(1, Arc::new(routed(1)))),
        Event::Routing => {
            table.set(Entry::Overlay(4001, Arc::new(routing())));
            station(table, 4001, Mac([2, 0, 0, 0, 9, 2]), vtep);
        }
        Event::Route => {
            let key = RouteKey::new(1001, "10.200.0.0/16".parse().unwrap());
            let route = Route::via([NextHop::through("br4001", vtep, false)]);
            table.set(Entry::Route(key, Arc::new(route)));
        }
        Event::Host => {
            station(
                table,
                1,
                Mac([2, 0, 0, 0, 0, 1]),
                IpAddr::from([10, 100, 1, 9]),
            );
            table.set(Entry::Flood(FloodKey::new("vx1", vtep)));
        }
        Event::Main => wish(table, 1, 1),
        Event::Device => {
            let index = model.links.keys().max().unwrap() + 1;
            model.links.insert(index, Link::new(index, "wb"));
            model.given = model.given.max(index);
            model.tell_links(table);
        }
    }
}

/// Calls `each` with every order of these (Heap's algorithm).
fn orders(events: &mut [Event], count: usize, each: &mut impl FnMut(&[Event])) {
    if count <= 1 {
        return each(events);
    }
    for at in 0..count {
        orders(events, count - 1, each);
        events.swap(if count.is_multiple_of(2) { at } else { 0 }, count - 1);
    }
}

/// What is in the kernel after these, with a plan after each one or after the last.
fn after(events: &[Event], each: bool) -> Vec<String> {
    let mut model = Model::with_links();
    model.links.retain(|_, link| link.name.as_str() == "wa");
    let (mut table, now) = (Table::new(PROTOCOL), Instant::now());
    model.tell(&mut table);
    for event in events {
        take(*event, &mut table, &mut model);
        if each {
            settle(&mut table, &mut model, now);
        }
    }
    settle(&mut table, &mut model, now);
    // What was refused for want of a device is tried again when it is there, and not before.
    assert!(
        table.verify().is_empty(),
        "{events:?}: {:?}",
        table.verify()
    );
    model.contents()
}

#[test]
fn every_order_of_a_tenants_wishes_and_devices_gives_the_same_kernel() {
    let mut events = EVENTS;
    let expected = after(&events, true);
    for part in [
        "10.200.0.0/16",
        "br4001",
        "flood",
        "10.100.1.9",
        "red",
        "on br1",
    ] {
        let there = expected.iter().any(|line| line.contains(part));
        assert!(there, "{part} is not in {expected:#?}");
    }
    let mut tried = 0usize;
    orders(&mut events, EVENTS.len(), &mut |order| {
        tried += 1;
        let contents = after(order, tried.is_multiple_of(2));
        assert_eq!(contents, expected, "{order:?}");
    });
    assert_eq!(tried, 5040);
}
