//! One frr.conf with the addresses of its host in it: FRR sets them, rbgpd takes over and none ever
//! leaves, and on a host that has just been switched on rbgpd sets them itself.
//!
//! ```text
//!  left: FRR, then rbgpd            right: FRR
//!  eth0 ───────────────────────── eth0      10.9.0.N/24, fd09::N/64
//!  lo 192.0.2.1/32, 2001:db8::1/128         .2, told by `redistribute connected`
//! ```
//!
//! Nothing of it is on the hosts before: eth0 and lo are down and bare.

#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use conformance::lab::{
    Error, Frr, Namespace, Pair, Release, Requirement, RouteMonitor, scenario_beside_others,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

const PATIENCE: Duration = Duration::from_secs(60);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn file(id: u8) -> String {
    let other = 3 - id;
    format!(
        "frr defaults traditional\nip forwarding\nipv6 forwarding\n!\ninterface lo\n \
         ip address 192.0.2.{id}/32\n ipv6 address 2001:db8::{id}/128\nexit\n!\ninterface eth0\n \
         description To the other\n ip address 10.9.0.{id}/24\n ipv6 address fd09::{id}/64\nexit\n!\n\
         router bgp 6500{id}\n no bgp ebgp-requires-policy\n neighbor 10.9.0.{other} remote-as 6500{other}\n \
         neighbor 10.9.0.{other} timers connect 1\n address-family ipv4 unicast\n  \
         redistribute connected\n exit-address-family\nexit\n"
    )
}

/// As a host is before anybody has set it up.
fn bare(space: &Namespace) -> Result<(), Error> {
    for device in ["eth0", "lo"] {
        space.ip(&format!("addr flush dev {device}"))?;
        space.ip(&format!("link set {device} down"))?;
    }
    for setting in ["net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"] {
        space.run(&["sysctl", "-qw", setting])?;
    }
    Ok(())
}

/// Addresses with their devices, without those of links and the loopback device's own.
fn addresses(space: &Namespace) -> Result<BTreeSet<String>, Error> {
    let shown = space.ip("-o address show")?;
    let words = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (device, address) = (words.next()?, words.nth(1)?);
        Some(format!("{device} {address}"))
    };
    let own =
        |it: &String| !it.contains(" fe80:") && !it.contains(" 127.") && !it.ends_with(" ::1/128");
    Ok(shown.lines().filter_map(words).filter(own).collect())
}

fn wanted() -> BTreeSet<String> {
    let all = [
        "eth0 10.9.0.1/24",
        "eth0 fd09::1/64",
        "lo 192.0.2.1/32",
        "lo 2001:db8::1/128",
    ];
    all.map(str::to_owned).into()
}

#[test]
fn addresses_of_one_file_are_set_by_whoever_reads_it_and_never_leave() -> Result<(), Error> {
    scenario_beside_others("addresses", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        for space in [&pair.left, &pair.right] {
            bare(space)?;
        }
        let mut right = Frr::new(Release::Host, pair.right.clone(), lab.folder("right")?);
        right.start(lab, &file(2))?;
        let mut before = Frr::new(Release::Host, pair.left.clone(), lab.folder("before")?);
        before.start(lab, &file(1))?;
        lab.reach("two FRR reach each other", PATIENCE, || {
            pair.left.pings(FAR, 84)
        })?;
        let seen = addresses(&pair.left)?;
        expect("what zebra sets", &seen, &wanted())?;

        let monitor = RouteMonitor::start(lab, &pair.left)?;
        before.stop()?;
        pair.rbgpd.start_frr(lab, &file(1))?;
        lab.reach("rbgpd has taken over", PATIENCE, || {
            pair.left.pings(FAR, 84)
        })?;
        verified(&pair)?;
        let networks = ["10.9.0.0/24", "fd09::/64"].map(str::to_owned);
        let mut gone = monitor.deleted(&networks, &["lo".to_owned()])?;
        // Nexthop objects of zebra's own, which it takes along.
        gone.retain(|line| !line.starts_with("Deleted id "));
        expect("what was deleted", &gone, &Vec::new())?;
        expect("what is left of zebra's", &addresses(&pair.left)?, &seen)?;

        // Nobody has asked rbgpd for anything: it takes nothing away.
        pair.rbgpd.stop()?;
        expect("what a stop leaves", &addresses(&pair.left)?, &seen)?;

        // A host that was switched on.
        bare(&pair.left)?;
        pair.rbgpd.start_frr(lab, &file(1))?;
        lab.reach("a bare host reaches the other", PATIENCE, || {
            pair.left.pings(FAR, 84)
        })?;
        expect("what rbgpd sets", &addresses(&pair.left)?, &seen)?;
        right.until_shown(lab, "192.0.2.1/32", &["10.9.0.1", "65001"])?;
        let forwards = pair.left.run(&["sysctl", "-n", "net.ipv4.ip_forward"])?;
        expect("net.ipv4.ip_forward", &forwards.trim(), &"1")?;
        verified(&pair)?;
        let id = pair.ctl(&["show", "summary"])?;
        if !id.contains("192.0.2.1") {
            return Err(Error::State(format!("the identifier is another one: {id}")));
        }
        let shown = pair.ctl(&["show", "running-config", "--frr"])?;
        for line in [
            " description To the other\n",
            " ip address 10.9.0.1/24\n",
            "ip forwarding\n",
        ] {
            if !shown.contains(line) {
                return Err(Error::State(format!("no `{line}` in {shown}")));
            }
        }

        // Higher addresses of the loopback device, by hand and by the file, make no other router.
        let sessions = pair.sessions("10.9.0.2")?;
        pair.left.ip("address add 192.0.2.200/32 dev lo")?;
        pair.rbgpd.reload(|file| {
            let more = " ip address 192.0.2.1/32\n ip address 192.0.2.201/32\n";
            file.replace(" ip address 192.0.2.1/32\n", more)
        })?;
        right.until_shown(lab, "192.0.2.201/32", &["10.9.0.1", "65001"])?;
        pair.ctl(&["vtysh", "-c", "configure terminal", "-c", "no interface lo"])?;
        right.until_shown(lab, "192.0.2.200/32", &["10.9.0.1", "65001"])?;
        let line = "ip prefix-list NEXT permit any";
        pair.ctl(&["vtysh", "-c", "configure terminal", "-c", line])?;
        expect("sessions", &pair.sessions("10.9.0.2")?, &sessions)?;
        let id = pair.ctl(&["show", "summary"])?;
        match id.contains("192.0.2.1 ") || id.contains("192.0.2.1\n") || id.contains("192.0.2.1,")
        {
            true => Ok(()),
            false => Err(Error::State(format!("the identifier is another one: {id}"))),
        }
    })
}

fn verified(pair: &Pair<'_>) -> Result<(), Error> {
    let verify = pair.rbgpd.ctl(&["verify", "--wait"])?;
    match verify.ok() {
        true => Ok(()),
        false => Err(Error::State(verify.text())),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, have: &T, want: &T) -> Result<(), Error> {
    match have == want {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{what}: {have:#?}, expected {want:#?}"
        ))),
    }
}
