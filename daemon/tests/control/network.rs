//! `network create`, `delete` and `list`.

use rbgpd::control::reply::{self, Reply};
use rbgpd::control::{Answer, ErrorKind, ErrorReply, Gateways, NetworkCreate, Request};
use serde_json::{Value, json};

use crate::daemon::Daemon;

fn guests(ready: Option<bool>) -> reply::Network {
    reply::Network {
        instance: None,
        vni: 300,
        name: "guests".to_owned(),
        vrf: None,
        networks: vec!["10.30.0.0/24".to_owned()],
        gateway: vec!["10.30.0.1/24".to_owned()],
        bridge: "br300".to_owned(),
        vxlan: "vxlan300".to_owned(),
        ports: vec!["vnet0".to_owned()],
        local_macs: 1,
        remote_macs: 2,
        sites: vec!["10.10.0.2".parse().unwrap()],
        ready,
        problems: Vec::new(),
    }
}

fn change(changed: bool) -> reply::NetworkChange {
    reply::NetworkChange {
        instance: None,
        vni: 300,
        name: "guests".to_owned(),
        vrf: None,
        networks: vec!["10.30.0.0/24".to_owned()],
        gateway: vec!["10.30.0.1/24".to_owned()],
        bridge: "br300".to_owned(),
        vxlan: "vxlan300".to_owned(),
        changed,
        dry_run: false,
        file: "/etc/rbgpd/rbgpd.toml".to_owned(),
        changes: if changed {
            vec!["vni 300: added".to_owned()]
        } else {
            Vec::new()
        },
        warnings: if changed {
            vec!["10.10.0.2 announces VNI 300 already".to_owned()]
        } else {
            Vec::new()
        },
    }
}

fn networks(rows: Vec<reply::Network>) -> Answer {
    Ok(Reply::Networks(reply::Networks { networks: rows }))
}

const CREATE: [&str; 5] = ["network", "create", "300", "guests", "10.30.0.0/24"];

#[test]
fn create_returns_when_the_devices_are_there() {
    let mut looks = 0;
    let daemon = Daemon::new(move |request| match request {
        Request::NetworkCreate(_) => Ok(Reply::NetworkChange(change(true))),
        _ => {
            looks += 1;
            networks(vec![guests(Some(looks > 2))])
        }
    });
    let ran = daemon.rbgpctl(&CREATE).exits(0);
    assert_eq!(
        ran.out,
        "Network \"guests\" (VNI 300) is created: 10.30.0.0/24, gateway 10.30.0.1\n  \
         vni 300: added\n  written to /etc/rbgpd/rbgpd.toml\nready: br300 and vxlan300 are up\n"
    );
    assert_eq!(ran.talk, "warning: 10.10.0.2 announces VNI 300 already\n");
    let asked = daemon.asked();
    assert_eq!(asked.len(), 4);
    let Request::NetworkCreate(NetworkCreate { gateway, .. }) = &asked[0] else {
        panic!("{asked:?}");
    };
    assert_eq!(*gateway, Gateways::First);
    // As JSON, what the daemon answered and nothing else.
    let json = daemon
        .rbgpctl(&[&CREATE[..], &["--json"]].concat())
        .exits(0)
        .json();
    assert_eq!(json["changed"], true);
    assert_eq!(json["instance"], Value::Null);
}

#[test]
fn gateways_are_asked_for_as_they_are_named() {
    let daemon = Daemon::new(|request| match request {
        Request::NetworkCreate(_) => Ok(Reply::NetworkChange(change(false))),
        _ => networks(vec![guests(None)]),
    });
    for (more, wanted) in [
        (&["--no-gateway"][..], Gateways::None),
        (
            &["--gateway", "10.30.0.254"],
            Gateways::These(vec!["10.30.0.254".parse().unwrap()]),
        ),
    ] {
        let ran = daemon.rbgpctl(&[&CREATE[..], more].concat()).exits(0);
        assert_eq!(
            ran.out,
            "Network \"guests\" (VNI 300) is already there: 10.30.0.0/24, gateway 10.30.0.1\n"
        );
        let asked = daemon.asked();
        let last = asked.iter().rev().find_map(|request| match request {
            Request::NetworkCreate(order) => Some(&order.gateway),
            _ => None,
        });
        assert_eq!(last, Some(&wanted));
    }
}

#[test]
fn what_keeps_a_network_from_being_ready_is_named() {
    for (problems, talk) in [
        (
            vec!["type of `br300` is dummy"],
            "  type of `br300` is dummy\n",
        ),
        (Vec::new(), ""),
    ] {
        let problems: Vec<String> = problems.into_iter().map(str::to_owned).collect();
        let daemon = Daemon::new(move |request| match request {
            Request::NetworkCreate(_) => Ok(Reply::NetworkChange(change(false))),
            _ => {
                let (guests, problems) = (guests(Some(false)), problems.clone());
                networks(vec![reply::Network { problems, ..guests }])
            }
        });
        let ran = daemon
            .rbgpctl(&[&CREATE[..], &["--timeout", "100ms"]].concat())
            .exits(3);
        assert_eq!(
            ran.talk,
            format!(
                "error: VNI 300 is not ready\n{talk}\nhint: it stays in /etc/rbgpd/rbgpd.toml and \
                 is tried again\n"
            )
        );
    }
}

#[test]
fn what_stands_on_a_network_that_is_ready_is_a_warning() {
    let daemon = Daemon::new(move |request| match request {
        Request::NetworkCreate(_) => Ok(Reply::NetworkChange(change(false))),
        _ => {
            let problems = vec!["ports of br300 take larger packets".to_owned()];
            let guests = guests(Some(true));
            networks(vec![reply::Network { problems, ..guests }])
        }
    });
    let ran = daemon.rbgpctl(&CREATE).exits(0);
    assert_eq!(ran.talk, "warning: ports of br300 take larger packets\n");
    assert!(
        ran.out.ends_with("ready: br300 and vxlan300 are up\n"),
        "{}",
        ran.out
    );
}

#[test]
fn delete_says_who_would_be_cut_off() {
    let daemon = Daemon::new(|request| {
        let Request::NetworkDelete(order) = request else {
            panic!("{request:?}");
        };
        if order.force {
            return Ok(Reply::NetworkChange(change(true)));
        }
        let error = ErrorReply::new(ErrorKind::NotSafe, "1 port would be cut off");
        Err(error.details(["vnet0 is a port of br300".to_owned()]))
    });
    let ran = daemon.rbgpctl(&["network", "delete", "300"]).exits(3);
    assert_eq!(
        ran.talk,
        "error: 1 port would be cut off\n  vnet0 is a port of br300\n"
    );
    let ran = daemon
        .rbgpctl(&["network", "delete", "300", "--force"])
        .exits(0);
    assert!(ran.out.contains("(VNI 300) is deleted"), "{}", ran.out);
}

#[test]
fn networks_are_listed_with_their_problems() {
    let daemon = Daemon::new(|_| {
        let red = reply::Network {
            instance: Some("red".to_owned()),
            vni: 301,
            gateway: Vec::new(),
            ports: Vec::new(),
            sites: Vec::new(),
            problems: vec!["waits for wg1, which is not there".to_owned()],
            ..guests(Some(false))
        };
        networks(vec![guests(Some(true)), red])
    });
    let text = daemon.rbgpctl(&["network", "list"]).exits(0).out;
    assert_eq!(
        text,
        "\
Instance  VNI  Name    Networks      Gateway    Bridge  VxLAN IF  Ports  Local  Remote  Ready  Sites
default   300  guests  10.30.0.0/24  10.30.0.1  br300   vxlan300      1      1       2  yes    10.10.0.2
red       301  guests  10.30.0.0/24  -          br300   vxlan300      0      1       2  no     -
Total: 2 networks, 1 not ready, 2 MAC addresses here, 4 at other sites
VNI 301 of instance red: waits for wg1, which is not there
"
    );
    let json = daemon
        .rbgpctl(&["network", "list", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["networks"][0]["ports"], json!(["vnet0"]));
    assert_eq!(json["networks"][1]["instance"], "red");
}
