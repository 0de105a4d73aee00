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
            assert_eq!(writer.write(&[op]), [Ok(())], "{prefix}");
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
        assert_eq!(writer.write(&[op]), [Ok(())], "{prefix}");
    }
}
