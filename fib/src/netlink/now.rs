//! The routes and devices of this host as they are now, for who only looks once.
//!
//! Nothing is watched and nothing is written; the local table is left out as everywhere here.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::dump::Dump;
use super::notice::Notice;
use crate::event::ForeignRoute;
use crate::state::{Interface, NextHop};
use crate::table::Object;

/// All routes of all tables, whoever made them, with their ways out in words: interfaces by number,
/// nexthop objects spelled out.
pub fn routes_now() -> io::Result<Vec<ForeignRoute>> {
    let mut dump = Dump::open()?;
    let mut objects: HashMap<u32, Object> = HashMap::new();
    for notice in dump.next_hops()? {
        if let Notice::NextHop {
            id,
            object: Some(object),
            ..
        } = notice
        {
            objects.insert(id, object);
        }
    }
    let mut routes = Vec::new();
    dump.routes(|notice| {
        if let Notice::Route { route, .. } = notice {
            let hops = match route.object.filter(|_| route.hops.is_empty()) {
                Some(id) => ways(&objects, id),
                None => route.hops,
            };
            routes.push(ForeignRoute {
                key: route.key,
                protocol: route.protocol,
                metric: route.metric,
                kind: route.kind,
                next_hops: Arc::from(hops),
            });
        }
    })?;
    Ok(routes)
}

/// What of a device only people ask for, in the kernel's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The device.
    pub index: u32,
    /// `IFF_` bits of `linux/if.h`.
    pub flags: u32,
    /// `ARPHRD_` number of its sort of link.
    pub link_type: u16,
    /// Packets that its queue takes.
    pub queue: u32,
    /// How often its carrier came, and went.
    pub carrier: [u32; 2],
}

/// The same of all devices.
pub fn devices_now() -> io::Result<Vec<DeviceFacts>> {
    Dump::open()?.facts()
}

fn ways(objects: &HashMap<u32, Object>, id: u32) -> Vec<NextHop> {
    let way = |id: &u32, weight: u16| match objects.get(id)? {
        Object::Single(hop) => Some(NextHop {
            gateway: hop.gateway,
            interface: Some(Interface::Index(hop.index)),
            onlink: hop.onlink,
            weight,
            fate: 0,
        }),
        Object::Group(_) => None,
    };
    match objects.get(&id) {
        Some(Object::Group(members)) => members
            .iter()
            .filter_map(|(id, weight)| way(id, *weight))
            .collect(),
        Some(Object::Single(_)) => way(&id, 1).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Hop;

    #[test]
    fn objects_are_spelled_out() {
        let hop = Hop {
            ipv6: false,
            gateway: Some([10, 0, 0, 1].into()),
            index: 7,
            onlink: true,
        };
        let objects = HashMap::from([
            (1, Object::Single(hop)),
            (2, Object::Group(vec![(1, 5), (9, 1)])),
        ]);
        let all = ways(&objects, 2);
        let [only] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!((only.weight, only.onlink), (5, true));
        assert_eq!(ways(&objects, 1).len(), 1);
        assert_eq!(ways(&objects, 9), []);
    }

    #[test]
    fn the_loopback_is_known_by_its_sort_and_flags() {
        const IFF_LOOPBACK: u32 = 0x8;
        const ARPHRD_LOOPBACK: u16 = 772;
        let all = devices_now().unwrap();
        let loopback = all.iter().find(|it| it.index == 1).unwrap();
        assert_eq!(loopback.link_type, ARPHRD_LOOPBACK, "{loopback:?}");
        assert_ne!(loopback.flags & IFF_LOOPBACK, 0, "{loopback:?}");
    }
}
