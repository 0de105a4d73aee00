//! What tests want in the kernel: routes by their text, an overlay, one entry of each kind.

use std::net::IpAddr;
use std::sync::Arc;

use fib::{
    Entry, FdbKey, FloodKey, Neighbour, NeighbourKey, NextHop, Overlay, RemoteMac, Route,
    RouteKey, RouteKind,
};

pub(crate) fn key(prefix: &str) -> RouteKey {
    RouteKey::main(prefix.parse().unwrap())
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn via(gateway: &str, device: &str) -> NextHop {
    NextHop::gateway(ip(gateway)).dev(device)
}

pub(crate) fn route(hops: impl IntoIterator<Item = NextHop>) -> Arc<Route> {
    Arc::new(Route::via(hops))
}

pub(crate) fn overlay() -> Overlay {
    Overlay::new(100, ip("10.0.0.1"), 1450).gateway("10.100.0.1/24".parse().unwrap())
}

/// One overlay with a remote host, and routes of both families.
pub(crate) fn one_of_each() -> Vec<Entry> {
    let mac = "02:00:00:00:00:01".parse().unwrap();
    let fdb = FdbKey::new("vx100", mac);
    let flood = FloodKey::new("vx100", ip("10.0.0.2"));
    let neighbour = NeighbourKey {
        device: "br100".into(),
        ip: ip("10.100.0.7"),
    };
    let remote = RemoteMac {
        tunnel: ip("10.0.0.2").into(),
        sticky: false,
    };
    let blackhole = Arc::new(Route::refuse(RouteKind::Blackhole));
    vec![
        Entry::Overlay(100, Arc::new(overlay())),
        Entry::Fdb(fdb, remote),
        Entry::Flood(flood),
        Entry::Neighbour(neighbour, Neighbour { mac, router: false }),
        Entry::Route(key("10.9.0.0/16"), route([via("10.0.0.2", "ua")])),
        Entry::Route(key("10.8.0.0/16"), blackhole),
        Entry::Route(key("fd09::/32"), route([via("fd00::2", "ua")])),
    ]
}
