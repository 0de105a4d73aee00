//! What of ours is in the kernel, as the kernel thread has told it.
//!
//! For nearly all routes that is a mark on the prefix in the tables, for MAC addresses and neighbours
//! of other sites one on the address in EVPN, which costs nothing there; it goes with the prefix or
//! the wish, a moment before the kernel's entry does. A set is kept of what has no place for a mark:
//! other entries, static routes, routes of other routing tables, and what was there before the tables
//! knew of it.

use std::collections::{HashMap, HashSet};

use bgp::evpn_route::MacAddress;
use bgp::rib::Rib;
use bgp::{Nlri, Prefix, Vni};
use evpn::Address;
use fib::{Device, Key};

/// Names of entries that are in the kernel.
#[derive(Debug)]
pub(super) struct Installed {
    table: u32,
    others: HashSet<Key>,
    /// The overlay network of each device that belongs to one alone.
    overlays: HashMap<Device, Vni, foldhash::fast::RandomState>,
}

/// Where the mark of an entry is.
enum Mark {
    Route(Nlri),
    Station(Vni, Address),
    None,
}

impl Installed {
    /// Routes go into this table.
    pub(super) fn new(table: u32) -> Self {
        Self {
            table,
            others: HashSet::new(),
            overlays: HashMap::default(),
        }
    }

    /// These devices are an overlay network's.
    pub(super) fn overlay<'a>(&mut self, vni: Vni, devices: impl IntoIterator<Item = &'a Device>) {
        let devices = devices.into_iter().cloned();
        self.overlays.extend(devices.map(|device| (device, vni)));
    }

    /// They are this overlay network's no more, but perhaps another's.
    pub(super) fn no_overlay<'a>(
        &mut self,
        vni: Vni,
        devices: impl IntoIterator<Item = &'a Device>,
    ) {
        for device in devices {
            if self.overlay_of(device) == Some(vni) {
                self.overlays.remove(device);
            }
        }
    }

    /// The overlay network that a device belongs to.
    pub(super) fn overlay_of(&self, device: &Device) -> Option<Vni> {
        self.overlays.get(device).copied()
    }

    pub(super) fn insert(&mut self, (rib, evpn): (&mut Rib, &mut evpn::Instance), key: Key) {
        let marked = match self.mark(&key) {
            Mark::Route(nlri) => rib.mark(&nlri, true),
            Mark::Station(vni, address) => evpn.mark(vni, address, true),
            Mark::None => false,
        };
        if !marked {
            self.others.insert(key);
        } else if !self.others.is_empty() {
            // Told before the tables had it, maybe.
            self.others.remove(&key);
        }
    }

    pub(super) fn remove(&mut self, (rib, evpn): (&mut Rib, &mut evpn::Instance), key: &Key) {
        match self.mark(key) {
            Mark::Route(nlri) => {
                rib.mark(&nlri, false);
            }
            Mark::Station(vni, address) => {
                evpn.mark(vni, address, false);
            }
            Mark::None => {}
        }
        self.others.remove(key);
    }

    pub(super) fn contains(&self, (rib, evpn): (&Rib, &evpn::Instance), key: &Key) -> bool {
        let marked = match self.mark(key) {
            Mark::Route(nlri) => rib.is_marked(&nlri),
            Mark::Station(vni, address) => evpn.is_marked(vni, address),
            Mark::None => false,
        };
        marked || self.others.contains(key)
    }

    pub(super) fn len(&self, (rib, evpn): (&Rib, &evpn::Instance)) -> usize {
        rib.marked() + evpn.marked() + self.others.len()
    }

    fn mark(&self, key: &Key) -> Mark {
        match key {
            Key::Route(route) if route.table() == self.table && !route.is_beside() => {
                Mark::Route(Nlri::from(Prefix::from(route.prefix())))
            }
            Key::Fdb(key) => {
                // A device that all share is none of these.
                let shared = || key.segment.and_then(|segment| Vni::new(segment.vni));
                let mac = Address::Mac(MacAddress(key.mac.0));
                let vni = self.overlay_of(&key.device).or_else(shared);
                vni.map_or(Mark::None, |vni| Mark::Station(vni, mac))
            }
            Key::Neighbour(key) => {
                let ip = Address::Ip(key.ip);
                self.overlay_of(&key.device)
                    .map_or(Mark::None, |vni| Mark::Station(vni, ip))
            }
            Key::Route(_)
            | Key::Flood(_)
            | Key::Overlay(_)
            | Key::Vrf(..)
            | Key::Addressing(_)
            | Key::Forwarding { .. } => Mark::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Instant;

    use bgp::attributes::NextHop;
    use bgp::family::PerFamily;
    use bgp::rib;
    use bgp::{AttributeSet, ExtendedCommunity, RouteDistinguisher};

    use super::*;

    fn rib() -> Rib {
        let mut rib = Rib::new(bgp::rib::Config {
            identity: bgp::rib::Identity::new(Ipv4Addr::new(10, 0, 0, 1)),
            default_local_pref: None,
            multipath: PerFamily::default(),
            rules: bgp::rib::Rules::default(),
            seed: 1,
            track: PerFamily::default(),
        });
        for prefix in ["10.0.0.0/24", "10.0.0.0/25", "::/0"] {
            originate(&mut rib, prefix);
        }
        rib
    }

    fn originate(rib: &mut Rib, prefix: &str) {
        let set = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
        rib.handle(Instant::now(), rib::Input::Originate(nlri(prefix), set));
    }

    fn nlri(prefix: &str) -> Nlri {
        Nlri::from(prefix.parse::<Prefix>().unwrap())
    }

    fn evpn() -> evpn::Instance {
        let vni = Vni::new(5).unwrap();
        let vtep = |last| IpAddr::from([10, 0, 0, last]);
        let mut evpn = evpn::Instance::new(evpn::Config {
            local_as: bgp::Asn(65001),
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            vtep: Some(vtep(1)),
        });
        let config = evpn::VniConfig::new("five");
        evpn.handle(Instant::now(), evpn::Input::SetVni { vni, config });
        let mut set = AttributeSet::new(NextHop::from(vtep(2)));
        set.extended_communities = vec![ExtendedCommunity::route_target(bgp::Asn(7), 5).unwrap()];
        let key = bgp::EvpnKey::MacIp {
            rd: RouteDistinguisher::of_address(Ipv4Addr::new(10, 0, 0, 2), 5),
            tag: 0,
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            ip: Some(vtep(200)),
        };
        let attributes = Some(set.freeze());
        evpn.handle(Instant::now(), evpn::Input::Route { key, attributes });
        while evpn.poll().is_some() {}
        evpn
    }

    fn fdb(device: &str, last: u8, segment: Option<fib::Segment>) -> Key {
        Key::Fdb(fib::FdbKey::new(device, fib::Mac([2, 0, 0, 0, 0, last])).within(segment))
    }

    fn neighbour(device: &str, last: u8) -> Key {
        let (device, ip) = (device.into(), [10, 0, 0, last].into());
        Key::Neighbour(fib::NeighbourKey { device, ip })
    }

    #[test]
    fn what_other_sites_have_is_marked_in_evpn_and_nothing_is_kept_of_it_here() {
        let (mut rib, mut evpn, mut installed) = (rib(), evpn(), Installed::new(254));
        let vni = Vni::new(5).unwrap();
        installed.overlay(vni, &["vx5".into(), "br5".into()]);
        let segment = Some(fib::Segment { vni: 5, vlan: 50 });
        let marked = [fdb("vx5", 1, None), neighbour("br5", 200)];
        let kept = [
            fdb("vx5", 9, None),
            neighbour("br5", 9),
            fdb("vx6", 1, None),
        ];
        for (number, key) in marked.iter().chain(&kept).enumerate() {
            assert!(!installed.contains((&rib, &evpn), key), "{key}");
            installed.insert((&mut rib, &mut evpn), key.clone());
            installed.insert((&mut rib, &mut evpn), key.clone());
            assert!(installed.contains((&rib, &evpn), key), "{key}");
            assert_eq!(installed.len((&rib, &evpn)), number + 1);
        }
        assert_eq!((evpn.marked(), installed.others.len()), (2, 3));
        assert!(installed.contains((&rib, &evpn), &fdb("vx", 1, segment)));
        for key in marked.iter().chain(&kept) {
            installed.remove((&mut rib, &mut evpn), key);
            assert!(!installed.contains((&rib, &evpn), key), "{key}");
        }
        assert_eq!(installed.len((&rib, &evpn)), 0);
        installed.insert((&mut rib, &mut evpn), marked[0].clone());
        // The wish goes, and the mark with it.
        evpn.handle(Instant::now(), evpn::Input::SetVtep(None));
        assert_eq!(installed.len((&rib, &evpn)), 0);
        assert!(!installed.contains((&rib, &evpn), &marked[0]));
    }

    fn route(table: u32, prefix: &str) -> Key {
        Key::Route(fib::RouteKey::new(table, prefix.parse().unwrap()))
    }

    fn beside(table: u32, prefix: &str) -> Key {
        Key::Route(fib::RouteKey::new(table, prefix.parse().unwrap()).beside())
    }

    #[test]
    fn an_entry_is_there_under_its_own_name_only() {
        let (mut rib, mut evpn, mut installed) = (rib(), evpn(), Installed::new(254));
        let keys = [
            route(254, "10.0.0.0/24"),
            route(254, "10.0.0.0/25"),
            route(7, "10.0.0.0/24"),
            route(254, "::/0"),
            route(254, "192.0.2.0/24"),
            beside(254, "10.0.0.0/24"),
            Key::Overlay(5),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!installed.contains((&rib, &evpn), key));
            installed.insert((&mut rib, &mut evpn), key.clone());
            installed.insert((&mut rib, &mut evpn), key.clone());
            assert_eq!(installed.len((&rib, &evpn)), number + 1);
        }
        assert_eq!(rib.marked(), 3);
        for (number, key) in keys.iter().enumerate() {
            assert!(installed.contains((&rib, &evpn), key));
            installed.remove((&mut rib, &mut evpn), key);
            assert!(!installed.contains((&rib, &evpn), key));
            assert_eq!(installed.len((&rib, &evpn)), keys.len() - number - 1);
        }
    }

    #[test]
    fn what_was_there_before_the_tables_had_it_is_counted_once() {
        let (mut rib, mut evpn, mut installed) = (rib(), evpn(), Installed::new(254));
        let early = route(254, "192.0.2.0/24");
        installed.insert((&mut rib, &mut evpn), early.clone());
        originate(&mut rib, "192.0.2.0/24");
        assert!(installed.contains((&rib, &evpn), &early));
        installed.insert((&mut rib, &mut evpn), early.clone());
        assert_eq!(installed.len((&rib, &evpn)), 1);
        rib.handle(Instant::now(), rib::Input::Retract(nlri("192.0.2.0/24")));
        while rib.poll().is_some() {}
        assert!(!installed.contains((&rib, &evpn), &early));
        assert_eq!(installed.len((&rib, &evpn)), 0);
    }
}
