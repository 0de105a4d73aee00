//! Devices of others that cannot carry an overlay: what is on them stays, and nothing is added.

use super::*;
use crate::links::Bridge;

const VXLAN: u32 = 11;

/// `br1` with `vx1`, made by somebody else, and a host behind another site.
struct Host {
    table: Table,
    model: Model,
    now: Instant,
}

fn vtep(last: u8) -> Tunnel {
    IpAddr::from([10, 0, 0, last]).into()
}

fn neighbour() -> (NeighbourKey, Neighbour) {
    let key = NeighbourKey {
        device: "br1".into(),
        ip: IpAddr::from([10, 100, 0, 7]),
    };
    let mac = far_host().0.mac;
    (key, Neighbour { mac, router: false })
}

impl Host {
    fn new(vni: u32) -> Self {
        let (table, mut model, now) = started();
        let settings = Bridge {
            vlan_filtering: Some(false),
            spanning_tree: false,
            ageing: 30_000,
        };
        model.links.insert(
            10,
            Link {
                kind: LinkKind::Bridge,
                bridge: Some(settings),
                mtu: 1450,
                ..Link::new(10, "br1")
            },
        );
        let port = BridgePort {
            neigh_suppress: true,
            ..BridgePort::default()
        };
        let vxlan = Vxlan {
            vni,
            local: Some(IpAddr::from([10, 0, 0, 1])),
            port: 4789,
            ..Vxlan::default()
        };
        model.links.insert(
            VXLAN,
            Link {
                kind: LinkKind::Vxlan(vxlan),
                master: Some(10),
                port: Some(port),
                mtu: 1450,
                ..Link::new(VXLAN, "vx1")
            },
        );
        let mut host = Self { table, model, now };
        host.model.tell(&mut host.table);
        host
    }

    fn want_all(&mut self) {
        let (key, remote) = far_host();
        self.table.set(overlay_one());
        self.table.set(Entry::Fdb(key, remote));
        self.table.set(Entry::Flood(FloodKey::new("vx1", vtep(2))));
        let (key, neighbour) = neighbour();
        self.table.set(Entry::Neighbour(key, neighbour));
    }

    /// All that is wished for but the overlay, by name.
    fn names() -> [Key; 3] {
        [
            Key::Fdb(far_host().0),
            Key::Flood(FloodKey::new("vx1", vtep(2))),
            Key::Neighbour(neighbour().0),
        ]
    }

    fn settle(&mut self) {
        settle(&mut self.table, &mut self.model, self.now);
        // What the kernel thread does with its eyes on the table.
        while self.table.take_unread_layer2() {
            self.model.tell(&mut self.table);
            settle(&mut self.table, &mut self.model, self.now);
        }
    }

    /// As `ip link set .. type vxlan` changes it.
    fn change(&mut self, change: impl FnOnce(&mut Vxlan)) {
        let link = self.model.links.get_mut(&VXLAN).unwrap();
        if let LinkKind::Vxlan(vxlan) = &mut link.kind {
            change(vxlan);
        }
        self.model.tell(&mut self.table);
        self.settle();
    }

    /// What is on the VXLAN device.
    fn entries(&self) -> Vec<String> {
        let contents = self.model.contents().into_iter();
        contents
            .filter(|line| line.contains(" vx1") && !line.starts_with("vx1"))
            .collect()
    }

    fn installed(&self) -> Vec<bool> {
        let status = |key: &Key| self.table.status(key).installed;
        Self::names().iter().map(status).collect()
    }

    fn sweep(&mut self) {
        self.table.sweep(Share::FIRST, Sweep::All);
        self.settle();
    }
}

#[test]
fn a_misfit_keeps_what_is_on_it_and_gets_nothing_until_it_is_mended() {
    let mut host = Host::new(7);
    let theirs = (VXLAN, vtep(9), None);
    host.model.flood.insert(theirs);
    // One that we wish for as well is theirs, too.
    host.model.flood.insert((VXLAN, vtep(2), None));
    host.model
        .tunnels
        .insert((VXLAN, Mac([2, 9, 0, 0, 0, 9]), None), vtep(9));
    host.model.tell(&mut host.table);
    let before = host.entries();
    host.want_all();
    // Read before anything is planned, as by the kernel thread.
    host.model.tell(&mut host.table);
    host.settle();
    host.sweep();
    assert_eq!(host.entries(), before);
    assert_eq!(host.installed(), [false, false, true], "the bridge fits");
    let cause = "`vx1` cannot carry the overlay as it stands, and is left alone: id of `vx1` is 7, \
                 but must be 1: `ip link del vx1`, and it is made as it must be";
    for key in &Host::names()[..2] {
        assert_eq!(host.table.status(key).error.as_deref(), Some(cause));
    }
    let told = told_failures(&mut host.table);
    let causes = told.iter().filter(|(_, error)| error == cause).count();
    assert_eq!((told.len(), causes), (3, 2), "{told:#?}");
    let found = host.table.verify();
    let of_vxlan = found.iter().filter(|it| it.error.as_deref() == Some(cause));
    assert_eq!((found.len(), of_vxlan.count()), (3, 2), "{found:#?}");
    assert!(found.iter().all(|it| !it.occupied));
    // Neither time, nor other devices, nor an audit changes that.
    host.table.retry();
    host.table.retry_due(host.now + Duration::from_secs(600));
    host.model.tell(&mut host.table);
    host.settle();
    assert_eq!(host.entries(), before);
    assert_eq!(told_failures(&mut host.table), []);
    assert_eq!(host.table.deadline(), None);

    host.change(|vxlan| vxlan.vni = 1);
    assert_eq!(host.installed(), [true; 3]);
    assert_eq!(host.table.verify(), []);
    assert_eq!(told_failures(&mut host.table), []);
    assert!(
        !host.model.flood.contains(&theirs),
        "on a device of an overlay every flood entry is ours"
    );
}

#[test]
fn a_device_that_becomes_a_misfit_keeps_what_we_have_written_until_nobody_wants_it() {
    for gives_up in [false, true] {
        let mut host = Host::new(1);
        host.want_all();
        host.settle();
        host.sweep();
        assert_eq!(host.installed(), [true; 3]);
        while host.table.poll_event().is_some() {}
        let written = host.entries();
        host.change(|vxlan| vxlan.local = Some(IpAddr::from([10, 0, 0, 9])));
        assert_eq!(host.installed(), [false, false, true]);
        let told: Vec<Key> = told_failures(&mut host.table)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        let overlay = Key::Overlay(1);
        for key in Host::names()[..2].iter().chain([&overlay]) {
            assert!(told.contains(key), "{told:?}");
            let named = host.table.verify();
            assert!(named.iter().any(|it| it.key == *key), "{named:?}");
        }
        // Somebody uses it for something else now.
        let theirs = (VXLAN, vtep(9), None);
        host.model.flood.insert(theirs);
        host.model.tell(&mut host.table);
        let mut other = far_host();
        other.1.tunnel = vtep(3);
        host.table.set(Entry::Fdb(other.0, other.1));
        host.table.unset(&Key::Flood(FloodKey::new("vx1", vtep(2))));
        host.settle();
        let mut now = host.entries();
        now.retain(|line| !line.contains("10.0.0.9"));
        assert_eq!(now, written);
        let left = host.table.verify();
        let flood = left.iter().find(|it| matches!(it.key, Key::Flood(_)));
        let flood = flood.unwrap();
        assert_eq!(flood.want, None);
        assert!(flood.error.is_some(), "{flood:?}");

        if gives_up {
            host.table.unset(&Key::Fdb(far_host().0));
            host.table.unset(&Key::Overlay(1));
            host.settle();
            assert!(host.model.flood.contains(&theirs));
            assert_eq!(host.entries(), ["flood 10.0.0.9 vx1 None"]);
            continue;
        }
        while host.table.poll_event().is_some() {}
        host.change(|vxlan| vxlan.local = Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(host.table.verify(), []);
        let tunnels: Vec<Tunnel> = host.model.tunnels.values().copied().collect();
        assert_eq!(tunnels, [vtep(3)]);
        assert_eq!(host.model.flood, BTreeSet::new());
        let installed = std::iter::from_fn(|| host.table.poll_event()).any(|event| {
            event
                == Event::Installed {
                    keys: vec![Key::Fdb(far_host().0)],
                }
        });
        assert!(installed, "told again");
    }
}

#[test]
fn what_we_have_written_to_a_misfit_goes_when_everything_of_ours_does() {
    let mut host = Host::new(1);
    host.want_all();
    host.settle();
    host.change(|vxlan| vxlan.port = 8472);
    let theirs = (VXLAN, vtep(9), None);
    host.model.flood.insert(theirs);
    host.model.tell(&mut host.table);
    host.table.withdraw();
    host.settle();
    assert_eq!(host.entries(), ["flood 10.0.0.9 vx1 None"]);
    assert_eq!(host.model.neighbours.len(), 0);
}

#[test]
fn a_fault_with_which_packets_pass_keeps_nothing_back() {
    let mut host = Host::new(1);
    host.change(|vxlan| vxlan.learning = true);
    host.want_all();
    host.settle();
    assert_eq!(host.installed(), [true; 3]);
    let told = told_failures(&mut host.table);
    assert!(
        matches!(&told[..], [(Key::Overlay(1), error)] if error.contains("learning of `vx1` is on")),
        "{told:?}"
    );
}
