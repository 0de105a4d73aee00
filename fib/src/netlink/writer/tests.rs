//! Against the real kernel, in a namespace of its own: what is written without nexthop objects is
//! shown as it was written, so that a comparison finds nothing to do.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::netlink::dump::Dump;
use crate::netlink::notice::Notice;
use crate::skip;
use crate::state::{NextHop, RouteKey, RouteKind};
use crate::table::{RouteShape, Via};

#[test]
fn routes_by_themselves_to_tunnel_endpoints_are_shown_as_they_were_written() {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        return skip::note(None, &format!("cannot make a network namespace ({error})"));
    }
    let made = Command::new("sh")
        .args([
            "-c",
            "ip link set lo up; ip link add br0 type bridge; ip link add p type veth peer name q; \
             ip link set p master br0 up; ip link set q up; ip link set br0 up; \
             cat /sys/class/net/br0/ifindex",
        ])
        .output();
    let text = made.map(|made| String::from_utf8_lossy(&made.stdout).into_owned());
    let Some(index) = text.ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
        return skip::note(None, "no `ip` command");
    };
    let mut writer = Writer::open(186).unwrap();
    for (prefix, gateways) in [
        ("10.2.0.0/24", &["10.0.0.2"][..]),
        ("10.3.0.0/24", &["10.0.0.2", "10.0.0.3"]),
        ("10.4.0.0/24", &["fd00::2"]),
        ("10.5.0.0/24", &["fd00::2", "fd00::3"]),
        ("fd02::/64", &["::ffff:10.0.0.2"]),
        ("fd03::/64", &["::ffff:10.0.0.2", "::ffff:10.0.0.3"]),
        ("fd04::/64", &["fd00::2"]),
        ("fd05::/64", &["fd00::2", "fd00::3"]),
    ] {
        let key = RouteKey::new(1001, prefix.parse().unwrap());
        let gateways = gateways.iter().map(|it| it.parse::<IpAddr>().unwrap());
        let hops = gateways.map(|it| NextHop::gateway(it).dev(index).onlink());
        let hops: Vec<NextHop> = hops.collect();
        let shape = Arc::new(RouteShape {
            kind: RouteKind::Unicast,
            metric: 20,
            source: None,
            via: Via::Hops(hops.clone()),
            spare: Vec::new(),
        });
        for replace in [false, true] {
            let op = Op::SetRoute {
                key,
                shape: shape.clone(),
                replace,
            };
            assert_eq!(writer.write(&[op], || 0), [Ok(())], "{prefix}");
            let mut seen = Vec::new();
            Dump::open()
                .unwrap()
                .routes(|notice| {
                    if let Notice::Route { route, .. } = notice
                        && route.key == key
                    {
                        seen.push((route.protocol, route.metric, route.hops));
                    }
                })
                .unwrap();
            assert_eq!(seen, [(186, 20, hops.clone())], "{prefix}");
        }
        let op = Op::UnsetRoute { key, shape };
        assert_eq!(writer.write(&[op], || 0), [Ok(())], "{prefix}");
    }
}

#[test]
fn devices_that_are_removed_together_are_gone_and_no_others() {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        return skip::note(None, &format!("cannot make a network namespace ({error})"));
    }
    let made = Command::new("sh")
        .args([
            "-c",
            "for name in one two three four; do ip link add $name type bridge; done; \
             ip link add port type veth peer name other; ip link set port master one; \
             ip link del three",
        ])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skip::note(None, "no `ip` command");
    }
    let links = || Dump::open().unwrap().links().unwrap();
    let index = |name: &str| {
        let found = links().into_iter().find(|link| link.name.as_str() == name);
        found.map(|link| link.index)
    };
    let gone = links().iter().map(|link| link.index).max().unwrap() + 1;
    let delete = |name: &str, index: u32| {
        let name = name.into();
        Op::Device(None, crate::overlay::DeviceOp::Delete { index, name })
    };
    let ops = [
        delete("one", index("one").unwrap()),
        delete("three", gone),
        delete("two", index("two").unwrap()),
    ];
    let mut writer = Writer::open(186).unwrap();
    let results = writer.write(&ops, || 77);
    let [one, three, two] = results.as_slice() else {
        panic!("{results:?}");
    };
    assert_eq!((one, two), (&Ok(()), &Ok(())));
    assert_eq!(three.as_ref().unwrap_err().errno, libc::ENODEV);
    let left = ["one", "two", "four", "port", "other"].map(|name| index(name).is_some());
    assert_eq!(left, [false, false, true, true, true]);
    assert!(links().iter().all(|link| link.group == 0));
    // One is removed alone, and what is not there is said to be so.
    let four = delete("four", index("four").unwrap());
    assert_eq!(writer.write(std::slice::from_ref(&four), || 77), [Ok(())]);
    let results = writer.write(&[four.clone(), four], || 77);
    let absent = results
        .iter()
        .all(|it| it.as_ref().is_err_and(|it| it.errno == libc::ENODEV));
    assert!(absent, "{results:?}");
}
