//! Hosts in overlays: remote ones as FDB, flood and neighbour entries, and those learned here.

use std::sync::Arc;
use std::time::Duration;

use fib::{Entry, Event, FdbKey, FloodKey, Key, Neighbour, NeighbourKey, RemoteMac, Sweep};

use crate::entries::{ip, one_of_each, overlay};
use crate::namespace::{enter_namespace, run, underlay, until, until_within};
use crate::single::has_vlans;
use crate::thread::{Heard, start};

#[test]
fn remote_hosts_are_written_as_frr_writes_them() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    let device = fib::Device::from("vx100");
    let mac: fib::Mac = "02:00:00:00:00:01".parse().unwrap();
    let fdb = FdbKey::new(device.clone(), mac);
    let flood = |vtep| FloodKey::new(device.clone(), ip(vtep));
    let host = |text| NeighbourKey {
        device: "br100".into(),
        ip: ip(text),
    };
    // Entries before their device, on purpose.
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            tunnel: ip("10.0.0.2").into(),
            sticky: false,
        },
    ));
    kernel.want(Entry::Flood(flood("10.0.0.2")));
    kernel.want(Entry::Flood(flood("10.0.0.3")));
    for address in ["10.100.0.7", "fd64::7"] {
        kernel.want(Entry::Neighbour(
            host(address),
            Neighbour { mac, router: false },
        ));
    }
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.flush().unwrap();
    until("bridge fdb show; ip neigh; ip -6 neigh", |text| {
        text.contains("02:00:00:00:00:01 dev vx100 extern_learn master br100")
            && text.contains("02:00:00:00:00:01 dev vx100 dst 10.0.0.2 self extern_learn")
            && text.contains("00:00:00:00:00:00 dev vx100 dst 10.0.0.2 self permanent")
            && text.contains("00:00:00:00:00:00 dev vx100 dst 10.0.0.3 self permanent")
            && text.contains("10.100.0.7 dev br100 lladdr 02:00:00:00:00:01 extern_learn NOARP")
            && text.contains("fd64::7 dev br100 lladdr 02:00:00:00:00:01 extern_learn NOARP")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);

    // It moves to another site.
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            tunnel: ip("10.0.0.3").into(),
            sticky: false,
        },
    ));
    until("bridge fdb show dev vx100", |text| {
        text.contains("dst 10.0.0.3 self extern_learn")
            && !text.contains("02:00:00:00:00:01 dst 10.0.0.2")
    });
    // By hand.
    run("bridge fdb del 02:00:00:00:00:01 dev vx100 master");
    run("bridge fdb del 00:00:00:00:00:00 dev vx100 dst 10.0.0.2");
    run("ip neigh del 10.100.0.7 dev br100");
    until("bridge fdb show dev vx100; ip neigh", |text| {
        text.contains("02:00:00:00:00:01 extern_learn master br100")
            && text.contains("00:00:00:00:00:00 dst 10.0.0.2 self")
            && text.contains("10.100.0.7 dev br100 lladdr")
    });
    run("ip link set vx100 down");
    until("bridge fdb show dev vx100", |text| {
        text.contains("dst 10.0.0.3 self extern_learn")
    });

    // The next run takes everything over, keeps it, and sweeps what it does not want.
    kernel.flush().unwrap();
    kernel.stop(true);
    let (kernel, _) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.want(Entry::Flood(flood("10.0.0.2")));
    kernel.flush().unwrap();
    assert!(run("bridge fdb show dev vx100").contains("dst 10.0.0.3 self extern_learn"));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    until("bridge fdb show dev vx100; ip neigh", |text| {
        text.contains("00:00:00:00:00:00 dst 10.0.0.2 self permanent")
            && !text.contains("10.0.0.3")
            && !text.contains("02:00:00:00:00:01")
    });
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
    assert!(!run("bridge fdb show dev vx100").contains("10.0.0.2"));
}

/// Somebody makes a static entry where ours is. It stays as it is, whatever we wish, and ours is
/// back when it goes by the command that the error names.
#[test]
fn static_entries_of_others_are_neither_changed_nor_removed() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (mut kernel, mut heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    for (replace, shown, theirs, ours, place) in [
        (
            "bridge fdb replace 02:00:00:00:00:01 dev vx100 dst 10.9.9.9 self static",
            "bridge fdb show dev vx100",
            "02:00:00:00:00:01 dst 10.9.9.9 self static",
            "02:00:00:00:00:01 dst 10.0.0.2 self extern_learn",
            1,
        ),
        (
            "bridge fdb replace 02:00:00:00:00:01 dev vx100 master static",
            "bridge fdb show dev vx100 | grep master",
            "static",
            "02:00:00:00:00:01 extern_learn master br100",
            1,
        ),
        (
            "ip neigh replace 10.100.0.7 lladdr 02:00:00:00:00:99 dev br100 nud permanent",
            "ip neigh show dev br100",
            "10.100.0.7 lladdr 02:00:00:00:00:99 PERMANENT",
            "10.100.0.7 lladdr 02:00:00:00:00:01 extern_learn",
            3,
        ),
    ] {
        let entry = one_of_each().swap_remove(place);
        let from = heard.count();
        run(replace);
        let refusal = |heard: &Heard, from| {
            let name = entry.key();
            heard.wait_from(
                from,
                replace,
                |event| matches!(event, Event::Failed { key, occupied: true, .. } if *key == name),
            )
        };
        let from = refusal(&heard, from);
        let stands = || {
            let text = run(shown);
            assert!(text.contains(theirs), "{replace}: {text}");
        };
        let found = kernel.verify().unwrap();
        let [difference] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(difference.occupied && difference.key == entry.key());
        stands();
        // Told once, and not again when other circumstances change.
        run("ip link add dm type veth peer name dn; ip link set dm up; ip link del dm");
        kernel.flush().unwrap();
        let name = entry.key();
        let events = heard.events.lock().unwrap();
        let again = |event: &&Event| matches!(event, Event::Failed { key, .. } if *key == name);
        assert_eq!(events[from..].iter().filter(again).count(), 0);
        drop(events);
        // Neither a wish taken back nor a restart touches it.
        kernel.unwant(entry.key());
        kernel.flush().unwrap();
        stands();
        kernel.stop(false);
        stands();
        (kernel, heard) = start();
        kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
        kernel.sweep(Sweep::All);
        kernel.flush().unwrap();
        refusal(&heard, 0);
        stands();

        let error = kernel.status(entry.key()).unwrap().error.unwrap();
        let command = error.split('`').nth(1).unwrap();
        run(command);
        until_within(Duration::from_millis(500), shown, |text| {
            text.contains(ours)
        });
        assert_eq!(kernel.verify().unwrap(), [], "{replace}");
    }
}

/// `bridge fdb replace` on the port of a machine, where our entry for another site stands: the
/// kernel keeps our mark on it, and it is somebody's word that the machine is here.
#[test]
fn an_address_that_is_pinned_to_a_port_where_our_entry_stood_is_here() {
    if !enter_namespace() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.changes(one_of_each().into_iter().map(fib::Change::Set));
    kernel.flush().unwrap();
    run("ip link add p type veth peer name vm; ip link set p master br100 up; ip link set vm up");
    until("bridge link show dev p", |text| {
        text.contains("state forwarding")
    });
    let from = heard.count();
    run("bridge fdb replace 02:00:00:00:00:01 dev p master static");
    let here = |is_present: bool| {
        move |event: &Event| {
            matches!(event, Event::LocalMac { mac, present, sticky: true, .. }
                if *mac == "02:00:00:00:00:01".parse().unwrap() && *present == is_present)
        }
    };
    let from = heard.wait_from(from, "pinned", here(true));
    // Whoever asks for it elsewhere is told no more than that.
    kernel.unwant(one_of_each().swap_remove(1).key());
    kernel.flush().unwrap();
    let shown = run("bridge fdb show dev p");
    assert!(shown.contains("02:00:00:00:00:01"), "{shown}");
    run("bridge fdb del 02:00:00:00:00:01 dev p master");
    heard.wait_from(from, "gone", here(false));
}

#[test]
fn hosts_on_this_side_are_told() {
    if enter_namespace() {
        hosts_come_and_go();
    }
}

/// Where bridges know VLANs the kernel keeps an entry for each VLAN of a port, too.
#[test]
fn hosts_on_this_side_are_told_where_bridges_know_vlans() {
    if enter_namespace() && has_vlans() {
        hosts_come_and_go();
    }
}

fn hosts_come_and_go() {
    underlay();
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.flush().unwrap();
    run("ip link add p type veth peer name vm; ip link set p master br100 up; ip link set vm up");
    // The kernel opens a port a moment after its carrier came.
    until("bridge link show dev p", |text| {
        text.contains("state forwarding")
    });
    run("bridge fdb add 02:00:00:00:00:02 dev p master dynamic");
    run("bridge fdb add 02:00:00:00:00:03 dev p master static");
    let mac = |text: &str, is_present: bool, is_sticky: bool| {
        let wanted: fib::Mac = text.parse().unwrap();
        move |event: &Event| {
            matches!(event, Event::LocalMac { vni: 100, mac, present, sticky, .. }
                if *mac == wanted && *present == is_present && *sticky == is_sticky)
        }
    };
    heard.wait("learned", mac("02:00:00:00:00:02", true, false));
    heard.wait("pinned", mac("02:00:00:00:00:03", true, true));
    run("bridge fdb del 02:00:00:00:00:02 dev p master");
    heard.wait("forgotten", mac("02:00:00:00:00:02", false, false));
    run("ip neigh add 10.100.0.9 lladdr 02:00:00:00:00:02 dev br100");
    let neighbour = |is_present: bool| {
        move |event: &Event| {
            matches!(event, Event::LocalNeighbour { vni: 100, ip: host, present, .. }
                if *host == ip("10.100.0.9") && *present == is_present)
        }
    };
    let from = heard.wait("neighbour", neighbour(true));
    run("ip neigh del 10.100.0.9 dev br100");
    heard.wait_from(from, "no neighbour", neighbour(false));

    // Our own entries are not local.
    let remote: fib::Mac = "02:00:00:00:00:04".parse().unwrap();
    let fdb = FdbKey::new("vx100", remote);
    kernel.want(Entry::Fdb(
        fdb.clone(),
        RemoteMac {
            tunnel: ip("10.0.0.2").into(),
            sticky: false,
        },
    ));
    kernel.flush().unwrap();
    let is_remote = |event: &Event| matches!(event, Event::LocalMac { mac, .. } if *mac == remote);
    assert!(!heard.any(is_remote));
    // The host moves here: told at once, and not taken back before the owner had its say.
    let from = heard.count();
    run("ip link set vm down; ip link set vm address 02:00:00:00:00:04; ip link set vm up");
    heard.wait_from(from, "moved", mac("02:00:00:00:00:04", true, false));
    assert!(run("bridge fdb show dev p").contains("02:00:00:00:00:04"));
    kernel.unwant(Key::Fdb(fdb));
    kernel.flush().unwrap();
    assert!(run("bridge fdb show dev p").contains("02:00:00:00:00:04"));
    assert!(!run("bridge fdb show dev vx100").contains("02:00:00:00:00:04"));

    // Somebody who starts later hears it as well.
    kernel.stop(true);
    let (_kernel, heard) = start();
    let ready = heard.wait("ready", |event| *event == Event::Ready);
    assert!(heard.wait("known", mac("02:00:00:00:00:04", true, false)) < ready);
}
