//! VLANs, bonds, dummy interfaces and those of IPsec are just interfaces: sessions and BFD run over
//! them, routes resolve through them, and when one goes what stands on it goes and comes back with it.
//!
//! ```text
//!  left: rbgpd AS 65001                         right: FRR AS 65002
//!    p0 ─┬ bond0 10.20.0.1 ══════ bond0 10.20.0.2 ┬─ p0    192.168.20.0/24 by this session
//!    p1 ─┘  └ bond0.100 10.30.0.1 ─ 10.30.0.2 ┘   └─ p1    192.168.30.0/24 by this one
//!    dum0 10.255.0.1              dum0 10.255.0.2          192.168.55.0/24 by one between these two
//!         10.254.0.1/24, which is announced
//!
//!    eth0 10.9.0.1 ── ESP ── eth0 10.9.0.2
//!      └ ipsec0 10.40.0.1 ── ipsec0 10.40.0.2              192.168.40.0/24
//! ```
//!
//! The first runs in user-mode Linux where this kernel lacks the devices; the second in an emulated
//! machine (`make test-vm`), since user-mode Linux has no IPsec.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Frr, Lab, Namespace, Pair, Release, Requirement, scenario, toward};

const NEEDS: [Requirement; 6] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::Bond,
    Requirement::Vlan,
    Requirement::Dummy,
];

const NEEDS_IPSEC: [Requirement; 4] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::Xfrm,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// Detection takes 1.2 s: longer than the bond needs, which looks at its links every 50 ms, and long
/// enough for a guest with one processor.
const BFD: &str = "bfd = { interval = \"300ms\", multiplier = 4 }\nipv4_unicast = {}";

/// FRR with a session over each of these: our address there, lines of the session, what it announces.
fn frr(sessions: &[(&str, &str, &str)]) -> String {
    let mut text =
        "ip route 10.255.0.1/32 10.20.0.1\nbfd\n profile lab\n  transmit-interval 300\n  \
                    receive-interval 300\n  detect-multiplier 4\n exit\nexit\n"
            .to_owned();
    for (number, (_, _, network)) in sessions.iter().enumerate() {
        text += &format!(
            "ip prefix-list P{number} permit {network}\nroute-map M{number} permit 10\n \
             match ip address prefix-list P{number}\nexit\n"
        );
    }
    text += "router bgp 65002\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
             no bgp network import-check\n";
    for (peer, lines, _) in sessions {
        text += &format!(
            " neighbor {peer} remote-as 65001\n neighbor {peer} timers connect 1\n \
             neighbor {peer} bfd profile lab\n{lines}"
        );
    }
    text += " address-family ipv4 unicast\n";
    for (number, (peer, _, network)) in sessions.iter().enumerate() {
        text += &format!("  network {network}\n  neighbor {peer} route-map M{number} out\n");
    }
    text + " exit-address-family\n"
}

/// What the kernel on the left says of a prefix.
struct Kernel<'a> {
    lab: &'a Lab,
    pair: &'a Pair<'a>,
}

impl Kernel<'_> {
    fn shows(&self, why: &str, prefix: &str, wanted: Option<&str>) -> Result<(), Error> {
        self.lab.reach(why, PATIENCE, || {
            let seen = self.pair.left.ip(&format!("-4 route show {prefix}"))?;
            match wanted {
                Some(way) if seen.contains(way) => Ok(()),
                None if seen.is_empty() => Ok(()),
                _ => Err(Error::State(format!("{prefix}: {seen:?}, not {wanted:?}"))),
            }
        })?;
        Ok(())
    }

    /// A prefix by way of `peer`, and not by itself: FRR and rbgpd agree that BFD is up.
    fn is_up(&self, frr: &Frr, peer: &str, prefix: &str, way: &str) -> Result<(), Error> {
        self.pair.until_established(peer)?;
        self.lab
            .reach(&format!("BFD with {peer} is up"), PATIENCE, || {
                let shown = self.pair.neighbor(peer)?;
                match shown.get("bfd").and_then(|it| it.as_str()) {
                    Some("up") => Ok(()),
                    _ => Err(Error::State(format!(
                        "{shown}\n{}",
                        frr.vtysh(&["show bfd peers brief"])?.text()
                    ))),
                }
            })?;
        self.shows(&format!("a route by {peer}"), prefix, Some(way))
    }

    fn is_as_wanted(&self) -> Result<(), Error> {
        self.lab.reach("verify finds no difference", PATIENCE, || {
            self.pair.ctl(&["verify"]).map(drop)
        })?;
        Ok(())
    }
}

fn bond_with_vlan(pair: &Pair<'_>) -> Result<(), Error> {
    let right = pair.right.name();
    for port in ["p0", "p1"] {
        pair.left.ip(&format!(
            "link add {port} type veth peer name {port} netns {right}"
        ))?;
    }
    for (space, host) in [(&pair.left, 1), (&pair.right, 2)] {
        space.ip("link add bond0 type bond mode active-backup miimon 50")?;
        for port in ["p0", "p1"] {
            space.ip(&format!("link set {port} down"))?;
            space.ip(&format!("link set {port} master bond0"))?;
        }
        space.ip("link set bond0 up")?;
        space.ip(&format!("addr add 10.20.0.{host}/24 dev bond0"))?;
        vlan(space, host)?;
        dummy(space, host)?;
    }
    Ok(())
}

fn dummy(space: &Namespace, host: u8) -> Result<(), Error> {
    space.ip("link add dum0 type dummy")?;
    space.ip("link set dum0 up")?;
    space.ip(&format!("addr add 10.255.0.{host}/32 dev dum0"))?;
    space
        .ip(&format!("addr add 10.25{}.0.1/24 dev dum0", 5 - host))
        .map(drop)
}

fn vlan(space: &Namespace, host: u8) -> Result<(), Error> {
    space.ip("link add link bond0 name bond0.100 type vlan id 100")?;
    space.ip("link set bond0.100 up")?;
    space
        .ip(&format!("addr add 10.30.0.{host}/24 dev bond0.100"))
        .map(drop)
}

#[test]
fn a_bond_a_vlan_and_a_dummy_interface_carry_sessions_and_routes() -> Result<(), Error> {
    scenario("interfaces", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        bond_with_vlan(&pair)?;
        // Where the dummy on the right is: over the bond, else over the VLAN.
        pair.left
            .ip("route add 10.255.0.2/32 via 10.20.0.2 metric 10")?;
        pair.left
            .ip("route add 10.255.0.2/32 via 10.30.0.2 metric 20")?;
        let config = [
            "[ipv4_unicast]\nredistribute = [{ source = \"connected\", route_map = \"DUMMY\" }]\n\
             [[prefix_list]]\nname = \"DUMMY\"\nrules = [\"permit 10.254.0.0/24\"]\n\
             [[route_map]]\nname = \"DUMMY\"\nentry = [{ seq = 10, action = \"permit\", \
             match = { prefix_list = \"DUMMY\" } }]\n"
                .to_owned(),
            toward("10.20.0.2", 65002, BFD),
            toward("10.30.0.2", 65002, BFD),
            toward(
                "10.255.0.2",
                65002,
                &format!("multihop = true\nlocal_address = \"10.255.0.1\"\n{BFD}"),
            ),
        ];
        pair.start_forwarding(&config.concat())?;
        let frr = pair.frr(
            Release::Host,
            &frr(&[
                ("10.20.0.1", "", "192.168.20.0/24"),
                ("10.30.0.1", "", "192.168.30.0/24"),
                (
                    "10.255.0.1",
                    " neighbor 10.255.0.1 ebgp-multihop\n \
                     neighbor 10.255.0.1 update-source 10.255.0.2\n",
                    "192.168.55.0/24",
                ),
            ]),
        )?;
        let kernel = Kernel { lab, pair: &pair };
        let by_bond = "via 10.20.0.2 dev bond0";
        let by_vlan = "via 10.30.0.2 dev bond0.100";
        kernel.is_up(&frr, "10.20.0.2", "192.168.20.0/24", by_bond)?;
        kernel.is_up(&frr, "10.30.0.2", "192.168.30.0/24", by_vlan)?;
        kernel.is_up(&frr, "10.255.0.2", "192.168.55.0/24", by_bond)?;
        frr.until_shown(lab, "10.254.0.0/24", &["65001"])?;
        kernel.is_as_wanted()?;

        // One port of the bond loses its carrier: the other takes over, and nobody notices.
        let sessions = ["10.20.0.2", "10.30.0.2", "10.255.0.2"];
        let before: Vec<u64> = sessions
            .iter()
            .map(|peer| pair.sessions(peer))
            .collect::<Result<_, _>>()?;
        let port = active_port(&pair.left)?;
        pair.right.ip(&format!("link set {port} down"))?;
        lab.reach("the bond uses its other port", PATIENCE, || {
            let now = active_port(&pair.left)?;
            match now != port && !now.is_empty() {
                true => Ok(()),
                false => Err(Error::State(now)),
            }
        })?;
        kernel.is_up(&frr, "10.20.0.2", "192.168.20.0/24", by_bond)?;
        lab.reach("packets pass", PATIENCE, || {
            pair.left
                .pings([10, 30, 0, 2].into(), 1000)
                .map_err(Error::State)
        })?;
        for (peer, before) in sessions.iter().zip(&before) {
            assert_eq!(pair.sessions(peer)?, *before, "{peer} did not notice");
        }
        pair.right.ip(&format!("link set {port} up"))?;

        // The better way to the next hop goes: what stands on it moves to the VLAN, and back.
        pair.left.ip("route del 10.255.0.2/32 via 10.20.0.2")?;
        kernel.shows("resolved anew", "192.168.55.0/24", Some(by_vlan))?;
        pair.left
            .ip("route add 10.255.0.2/32 via 10.20.0.2 metric 10")?;
        kernel.shows("and back", "192.168.55.0/24", Some(by_bond))?;

        // The VLAN vanishes, and is made anew under another number.
        pair.left.ip("link del bond0.100")?;
        kernel.shows("no VLAN, no route", "192.168.30.0/24", None)?;
        kernel.shows("the bond stays", "192.168.20.0/24", Some(by_bond))?;
        kernel.is_as_wanted()?;
        vlan(&pair.left, 1)?;
        kernel.is_up(&frr, "10.30.0.2", "192.168.30.0/24", by_vlan)?;

        // So does the dummy, with a session's local address and a prefix of ours.
        pair.left.ip("link del dum0")?;
        lab.reach("its network is withdrawn", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp ipv4 unicast 10.254.0.0/24"])?.text();
            match seen.contains("65001") {
                true => Err(Error::State(seen)),
                false => Ok(()),
            }
        })?;
        kernel.shows("its session ends", "192.168.55.0/24", None)?;
        dummy(&pair.left, 1)?;
        kernel.is_up(&frr, "10.255.0.2", "192.168.55.0/24", by_bond)?;
        frr.until_shown(lab, "10.254.0.0/24", &["65001"])?;

        // The bond with all that is on it.
        pair.left.ip("link del bond0")?;
        for prefix in ["192.168.20.0/24", "192.168.30.0/24", "192.168.55.0/24"] {
            kernel.shows("nothing leads anywhere", prefix, None)?;
        }
        kernel.is_as_wanted()
    })
}

/// The port that the bond uses.
fn active_port(space: &Namespace) -> Result<String, Error> {
    let shown = space.ip("-d link show dev bond0")?;
    let mut words = shown.split_whitespace();
    let active = words
        .find(|word| *word == "active_slave")
        .and_then(|_| words.next());
    Ok(active.unwrap_or_default().to_owned())
}

/// A tunnel of IPsec between the addresses of eth0, and an interface for it.
fn ipsec(space: &Namespace, host: u8) -> Result<(), Error> {
    let key = "0x000102030405060708090a0b0c0d0e0f10111213";
    for from in [1, 2] {
        let (to, spi) = (3 - from, 0x1000 + u16::from(from));
        let ends = format!("src 10.9.0.{from} dst 10.9.0.{to}");
        space.ip(&format!(
            "xfrm state add {ends} proto esp spi {spi:#x} reqid 7 mode tunnel if_id 7 \
             aead rfc4106(gcm(aes)) {key} 128"
        ))?;
        for way in match from == host {
            true => ["out"].as_slice(),
            false => &["in", "fwd"],
        } {
            space.ip(&format!(
                "xfrm policy add dir {way} src 0.0.0.0/0 dst 0.0.0.0/0 if_id 7 \
                 tmpl {ends} proto esp reqid 7 mode tunnel"
            ))?;
        }
    }
    ipsec_interface(space, host)
}

fn ipsec_interface(space: &Namespace, host: u8) -> Result<(), Error> {
    space.ip("link add ipsec0 type xfrm dev eth0 if_id 7")?;
    space.ip("link set ipsec0 mtu 1400 up")?;
    space
        .ip(&format!("addr add 10.40.0.{host}/24 dev ipsec0"))
        .map(drop)
}

#[test]
fn an_interface_of_ipsec_carries_a_session_and_routes() -> Result<(), Error> {
    scenario("interfaces-ipsec", &NEEDS_IPSEC, |lab| {
        let mut pair = Pair::build(lab)?;
        for (space, host) in [(&pair.left, 1), (&pair.right, 2)] {
            ipsec(space, host)?;
        }
        pair.start_forwarding(&toward("10.40.0.2", 65002, BFD))?;
        let frr = pair.frr(Release::Host, &frr(&[("10.40.0.1", "", "192.168.40.0/24")]))?;
        let kernel = Kernel { lab, pair: &pair };
        let by_ipsec = "via 10.40.0.2 dev ipsec0";
        kernel.is_up(&frr, "10.40.0.2", "192.168.40.0/24", by_ipsec)?;
        kernel.is_as_wanted()?;

        // It goes down and comes up, and is made anew.
        pair.left.ip("link set ipsec0 down")?;
        kernel.shows("down", "192.168.40.0/24", None)?;
        pair.left.ip("link set ipsec0 up")?;
        kernel.is_up(&frr, "10.40.0.2", "192.168.40.0/24", by_ipsec)?;
        pair.left.ip("link del ipsec0")?;
        kernel.shows("gone", "192.168.40.0/24", None)?;
        kernel.is_as_wanted()?;
        ipsec_interface(&pair.left, 1)?;
        kernel.is_up(&frr, "10.40.0.2", "192.168.40.0/24", by_ipsec)?;
        kernel.is_as_wanted()
    })
}
