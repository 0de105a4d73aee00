//! VXLAN devices made by hand that cannot carry an overlay: left alone until they were mended.

use std::collections::BTreeSet;
use std::sync::Arc;

use fib::{Change, Entry, Event, FdbKey, FloodKey, Key, Sweep};

use crate::entries::{ip, one_of_each, overlay};
use crate::namespace::{enter_namespace, run, underlay, until};
use crate::thread::{is_installed, start};

const SHOWN: &str = "bridge fdb show dev vx100";

fn host() -> [Key; 2] {
    let mac = "02:00:00:00:00:01".parse().unwrap();
    [
        Key::Fdb(FdbKey::new("vx100", mac)),
        Key::Flood(FloodKey::new("vx100", ip("10.0.0.2"))),
    ]
}

/// What is on the device.
fn entries() -> BTreeSet<String> {
    let text = run(SHOWN);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The operator's: a flood entry to a site that we know nothing of, one that we want as well, a MAC
/// address with the stamp that ours have.
const THEIRS: &str = "bridge fdb append 00:00:00:00:00:00 dev vx100 dst 10.0.0.9 self permanent; \
     bridge fdb append 00:00:00:00:00:00 dev vx100 dst 10.0.0.2 self permanent; \
     bridge fdb add 02:00:00:00:00:09 dev vx100 dst 10.0.0.9 self extern_learn";

#[test]
fn nothing_is_written_to_a_misfit_and_nothing_on_it_removed_until_it_is_mended() {
    for (made, cause, mended) in [
        (
            "id 100 local 10.0.1.1 dstport 4789 nolearning",
            "local of `vx100` is 10.0.1.1, but must be 10.0.0.1: \
             `ip link set vx100 type vxlan id 100 local 10.0.0.1`",
            "ip link set vx100 type vxlan id 100 local 10.0.0.1",
        ),
        (
            "id 100 local 10.0.0.1 dstport 8472 nolearning",
            "dstport of `vx100` is 8472, but must be 4789: `ip link del vx100`, and it is made as it \
             must be",
            "ip link del vx100",
        ),
        (
            "id 101 local 10.0.0.1 dstport 4789 nolearning",
            "id of `vx100` is 101, but must be 100: `ip link del vx100`, and it is made as it must be",
            "ip link del vx100",
        ),
        (
            "id 100 local 10.0.0.1 remote 10.0.0.8 dstport 4789 nolearning",
            "remote of `vx100` is 10.0.0.8, but must be none: `ip link del vx100`, and it is made as \
             it must be",
            "ip link del vx100",
        ),
    ] {
        if !enter_namespace() {
            return;
        }
        underlay();
        run(&format!("ip link add vx100 mtu 1450 type vxlan {made}"));
        run(
            "ip link add br100 mtu 1450 type bridge; ip link set vx100 master br100; \
             ip link set br100 up; ip link set vx100 up; \
             bridge link set dev vx100 learning off neigh_suppress on",
        );
        run(THEIRS);
        let before = entries();
        let (kernel, heard) = start();
        kernel.changes(one_of_each().into_iter().map(Change::Set));
        kernel.sweep(Sweep::All);
        let why =
            format!("`vx100` cannot carry the overlay as it stands, and is left alone: {cause}");
        for key in host() {
            assert_eq!(heard.failure_of(&key), why, "{key}");
        }
        kernel.flush().unwrap();
        assert_eq!(entries(), before, "{made}");
        let found = kernel.verify().unwrap();
        let of_host = found.iter().filter(|it| host().contains(&it.key));
        let named = of_host.filter(|it| it.error.as_ref() == Some(&why));
        assert_eq!((found.len(), named.count()), (3, 2), "{found:#?}");
        for key in host() {
            let status = kernel.status(key).unwrap();
            assert!(!status.installed && status.error.as_ref() == Some(&why));
        }
        assert_eq!(entries(), before, "{made}");

        let from = heard.count();
        run(mended);
        for key in host() {
            heard.wait_from(from, "an entry", |event| is_installed(event, &key));
        }
        let text = until(SHOWN, |text| {
            text.contains("02:00:00:00:00:01 dst 10.0.0.2 self extern_learn")
                && text.contains("02:00:00:00:00:01 extern_learn master br100")
                && text.contains("00:00:00:00:00:00 dst 10.0.0.2 self permanent")
                && !text.contains("10.0.0.9")
        });
        assert_eq!(kernel.verify().unwrap(), [], "{text}");
    }
}

#[test]
fn a_device_that_becomes_a_misfit_is_left_as_it_is() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip link add br100 mtu 1450 type bridge; \
         ip link add vx100 mtu 1450 type vxlan id 100 local 10.0.0.1 dstport 4789 nolearning; \
         ip link set vx100 master br100; ip link set br100 up; ip link set vx100 up; \
         bridge link set dev vx100 learning off neigh_suppress on");
    let (kernel, heard) = start();
    kernel.changes(one_of_each().into_iter().map(Change::Set));
    kernel.sweep(Sweep::All);
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    let written = entries();
    let from = heard.count();
    run("ip link set vx100 type vxlan id 100 local 10.0.1.1");
    for key in host() {
        heard.wait_from(
            from,
            "a refusal",
            |event| matches!(event, Event::Failed { key: of, .. } if *of == key),
        );
    }
    run("bridge fdb append 00:00:00:00:00:00 dev vx100 dst 10.0.0.9 self permanent");
    kernel.unwant(host()[1].clone());
    let found = kernel.verify().unwrap();
    assert_eq!(
        found.iter().map(|it| &it.key).collect::<Vec<_>>(),
        [&host()[0], &host()[1], &Key::Overlay(100)],
        "{found:#?}"
    );
    let now = entries();
    assert!(now.is_superset(&written), "{now:#?}");
    assert_eq!(now.len(), written.len() + 1, "{now:#?}");
    // Given up: what we had written goes, what came since stays.
    kernel.unwant(host()[0].clone());
    kernel.unwant(Key::Overlay(100));
    let left = until(SHOWN, |text| {
        !text.contains("02:00:00:00:00:01") && !text.contains("dst 10.0.0.2")
    });
    assert!(left.contains("dst 10.0.0.9"), "{left}");
    kernel.flush().unwrap();
    assert!(run(SHOWN).contains("dst 10.0.0.9"));
    kernel.stop(false);
}

#[test]
fn a_device_that_only_learns_is_used() {
    if !enter_namespace() {
        return;
    }
    underlay();
    run("ip link add br100 mtu 1450 type bridge; \
         ip link add vx100 mtu 1450 type vxlan id 100 local 10.0.0.1 dstport 4789 learning; \
         ip link set vx100 master br100; ip link set br100 up; ip link set vx100 up");
    let (kernel, heard) = start();
    kernel.want(Entry::Overlay(100, Arc::new(overlay())));
    kernel.changes(one_of_each().into_iter().map(Change::Set));
    for key in host() {
        heard.wait("an entry", |event| is_installed(event, &key));
    }
    let said = heard.failure_of(&Key::Overlay(100));
    assert!(said.contains("learning of `vx100` is on"), "{said}");
    assert!(run(SHOWN).contains("02:00:00:00:00:01 dst 10.0.0.2 self extern_learn"));
}
