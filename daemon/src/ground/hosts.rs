//! Own addresses of full length, for which the kernel makes no route that others could look at.
//!
//! An IPv4 address with a network has a route to that network (`proto kernel`), and an IPv6 address of
//! full length one to itself. An IPv4 address of full length, as a loopback has, is in the kernel's
//! local table alone. It is connected all the same and is announced like any network of an interface, as FRR does.
//! Next hops do not stand on it, so it is kept beside the routes of others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp::Prefix;
use fib::{LinkKind, Links, NextHop, RouteKey, RouteKind};

use super::Foreign;
use crate::own_routes::RTPROT_KERNEL;

/// Such addresses, by table.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    routes: BTreeMap<u32, BTreeMap<Prefix, Foreign>>,
    /// What each device has.
    of_device: BTreeMap<u32, BTreeSet<(u32, Prefix)>>,
}

impl Hosts {
    /// Those of a table.
    pub(super) fn within(&self, table: u32) -> Option<&BTreeMap<Prefix, Foreign>> {
        self.routes.get(&table)
    }

    /// Takes a device as it is now. What came and what went.
    pub(super) fn settle(&mut self, index: u32, links: &Links) -> Vec<(u32, Prefix)> {
        let now = hosts(index, links);
        let before = match now.is_empty() {
            true => self.of_device.remove(&index),
            false => self.of_device.insert(index, now.clone()),
        };
        let before = before.unwrap_or_default();
        let changed: Vec<_> = before.symmetric_difference(&now).copied().collect();
        for (table, prefix) in &changed {
            let mut holders = self.of_device.iter();
            let holder = holders.find(|(_, has)| has.contains(&(*table, *prefix)));
            let routes = self.routes.entry(*table).or_default();
            match holder {
                Some((device, _)) => drop(routes.insert(*prefix, route(*device))),
                None => drop(routes.remove(prefix)),
            }
        }
        self.routes.retain(|_, routes| !routes.is_empty());
        changed
    }
}

fn hosts(index: u32, links: &Links) -> BTreeSet<(u32, Prefix)> {
    let Some(link) = links.get(index) else {
        return BTreeSet::new();
    };
    let master = link.master.and_then(|master| links.get(master));
    let table = match master.map(|master| &master.kind) {
        Some(LinkKind::Vrf { table }) => *table,
        _ => RouteKey::MAIN,
    };
    let addresses = links.addresses(index).filter(|it| it.usable);
    let addresses = addresses.map(|it| it.address);
    let alone = addresses.filter(|it| matches!(it.ip(), IpAddr::V4(_)) && it.prefix() == 32);
    alone.map(|it| (table, Prefix::from(it))).collect()
}

fn route(device: u32) -> Foreign {
    Foreign {
        metric: 0,
        protocol: RTPROT_KERNEL,
        kind: RouteKind::Unicast,
        fixed: false,
        next_hops: Arc::from([NextHop::interface(device)]),
    }
}
