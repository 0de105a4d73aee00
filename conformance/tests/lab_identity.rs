//! Another router ID and another AS number by a reload, as FRR sees it.
//!
//! ```text
//! left: rbgpd  the default instance, 10.9.0.1  ───── 10.9.0.2 ─ right: FRR AS 65002, which takes any
//!              instance `plane-b`, 10.9.0.13   ───── 10.9.0.3 ─        AS number
//! ```
//!
//! What FRR is told after a reload is compared with what it is told after a start with the same file.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use conformance::lab::{
    Error, Frr, Lab, Pair, Release, Requirement, RouteMonitor, scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

/// Beneath `asn` and `router_id`.
const OURS: &str = r#"
listen = ["10.9.0.1:179"]

[ipv4_unicast]
networks = ["10.88.0.0/16"]
aggregates = ["198.51.100.0/24"]

[evpn]
vtep = "10.9.0.1"

[[vni]]
id = 100
name = "production"

[[neighbor]]
address = "10.9.0.2"
remote_as = 65002
# FRR takes no notice of a NOTIFICATION when the next connection comes first.
passive = true
ipv4_unicast = {}
evpn = {}

[[static_route]]
prefix = "172.20.0.0/14"
next_hops = ["10.9.0.2"]

[[instance]]
name = "plane-b"
asn = 65100
router_id = "10.9.0.13"
listen = ["10.9.0.13:179"]

[instance.kernel]
distance = { external = 30, internal = 30 }

[instance.ipv4_unicast]
networks = ["10.89.0.0/16"]

[[instance.neighbor]]
address = "10.9.0.3"
local_address = "10.9.0.13"
remote_as = 65002
timers = { connect_retry = "1s" }
bfd = true
ipv4_unicast = {}
"#;

const FRR: &str = "\
router bgp 65002
 bgp router-id 10.9.0.2
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.9.0.1 remote-as external
 neighbor 10.9.0.1 timers connect 1
 neighbor 10.9.0.13 remote-as external
 neighbor 10.9.0.13 update-source 10.9.0.3
 neighbor 10.9.0.13 timers connect 1
 neighbor 10.9.0.13 bfd
 address-family ipv4 unicast
  network 198.51.100.0/25
  network 198.51.100.128/25
 exit-address-family
 address-family l2vpn evpn
  neighbor 10.9.0.1 activate
  advertise-all-vni
 exit-address-family
exit
";

fn file(asn: u32, router_id: &str) -> String {
    format!("asn = {asn}\nrouter_id = \"{router_id}\"\n{OURS}")
}

fn state_error(seen: impl std::fmt::Display) -> Error {
    Error::State(seen.to_string())
}

fn frr_json(frr: &Frr, command: &str) -> Result<Value, Error> {
    let output = frr.vtysh(&[command])?;
    serde_json::from_str(&output.stdout).map_err(|error| {
        let text = output.text();
        Error::State(format!("{command}: {error}: {text}"))
    })
}

/// What FRR knows of a neighbour: state, AS number, identifier.
fn as_known(frr: &Frr, address: &str) -> Result<(String, u64, String), Error> {
    let shown = frr_json(frr, &format!("show bgp neighbors {address} json"))?;
    let of = |key: &str| shown.pointer(&format!("/{address}/{key}")).cloned();
    let text = |key| of(key).and_then(|it| Some(it.as_str()?.to_owned()));
    Ok((
        text("bgpState").unwrap_or_default(),
        of("remoteAs").and_then(|it| it.as_u64()).unwrap_or(0),
        text("remoteRouterId").unwrap_or_default(),
    ))
}

fn until_known(lab: &Lab, frr: &Frr, address: &str, asn: u64, id: &str) -> Result<(), Error> {
    let wanted = ("Established".to_owned(), asn, id.to_owned());
    lab.reach(
        &format!("FRR knows {address} as AS {asn}, {id}"),
        PATIENCE,
        || match as_known(frr, address)? {
            seen if seen == wanted => Ok(()),
            seen => Err(state_error(format!("{seen:?}"))),
        },
    )?;
    Ok(())
}

/// What FRR was told in IPv4 by a neighbour, with the attributes that depend on who that is, and its EVPN
/// routes from there.
fn told(frr: &Frr) -> Result<BTreeMap<String, String>, Error> {
    let mut told = BTreeMap::new();
    for prefix in ["10.88.0.0/16", "198.51.100.0/24"] {
        let shown = frr_json(frr, &format!("show bgp ipv4 unicast {prefix} json"))?;
        let path = shown.pointer("/paths/0");
        let of = |key: &str| path.and_then(|it| it.pointer(key)).cloned();
        let keys = [
            "/aspath/string",
            "/aggregatorAs",
            "/aggregatorId",
            "/peer/routerId",
        ];
        let said: Vec<Value> = keys.iter().filter_map(|key| of(key)).collect();
        told.insert(prefix.to_owned(), format!("{said:?}"));
    }
    let shown = frr.vtysh(&["show bgp l2vpn evpn route"])?.stdout;
    let lines = shown.lines().map(str::trim);
    let ours = lines.filter(|it| it.starts_with("Route Distinguisher") || it.starts_with("RT:"));
    let ours: Vec<&str> = ours.filter(|it| !it.contains("10.9.0.2:")).collect();
    told.insert("EVPN".to_owned(), ours.join(", "));
    Ok(told)
}

/// Waits until FRR was told all of it.
fn until_told(
    lab: &Lab,
    frr: &Frr,
    asn: u32,
    id: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let mut seen = BTreeMap::new();
    lab.reach(
        &format!("FRR is told the routes of AS {asn}, {id}"),
        PATIENCE,
        || {
            seen = told(frr)?;
            let of = |key: &str| seen.get(key).cloned().unwrap_or_default();
            let (network, aggregate, evpn) =
                (of("10.88.0.0/16"), of("198.51.100.0/24"), of("EVPN"));
            let whole = network.contains(&format!("\"{asn}\""))
                && network.contains(id)
                && aggregate.contains(&format!("Number({asn}), String(\"{id}\")"))
                && evpn.contains(&format!("Route Distinguisher: {id}:100"))
                && evpn.contains(&format!("RT:{asn}:100"))
                && evpn.matches("Route Distinguisher").count() == 1;
            match whole {
                true => Ok(()),
                false => Err(state_error(format!("{seen:#?}"))),
            }
        },
    )?;
    Ok(seen)
}

/// Both sides agree that the kernel has what it is to have.
fn verified(lab: &Lab, pair: &Pair<'_>) -> Result<(), Error> {
    lab.reach("rbgpctl verify finds nothing", PATIENCE, || {
        pair.ctl(&["verify"]).map(drop)
    })?;
    let routes = pair.left.ip("route show")?;
    for wanted in ["198.51.100.0/25 ", "198.51.100.128/25 ", "172.20.0.0/14 "] {
        if !routes.contains(wanted) {
            return Err(state_error(routes));
        }
    }
    Ok(())
}

/// How often FRR was told that our configuration is another one (Cease/6, RFC 4486 §4).
fn notified(lab: &Lab) -> Result<u64, Error> {
    let log = std::fs::read_to_string(lab.dir().join("frr/frr.log")).map_err(state_error)?;
    let said = "received from neighbor 10.9.0.1 6/6 (Cease/Other Configuration Change)";
    let lines = log.lines().filter(|line| line.contains(said));
    Ok(u64::try_from(lines.count()).unwrap_or(u64::MAX))
}

/// How many sessions the other instance has had.
fn of_plane_b(pair: &Pair<'_>) -> Result<u64, Error> {
    let words = ["--instance", "plane-b", "show", "neighbors", "--json"];
    let text = pair.ctl(&words)?;
    let shown: Value = serde_json::from_str(&text).map_err(|_| state_error(&text))?;
    let sessions = shown.pointer("/neighbors/0/established");
    sessions
        .and_then(Value::as_u64)
        .ok_or_else(|| state_error(text))
}

/// For how long BFD with a neighbour has been up.
fn bfd_up_s(pair: &Pair<'_>, peer: &str) -> Result<u64, Error> {
    let text = pair.ctl(&["--instance", "plane-b", "show", "bfd", "--json"])?;
    let shown: Value = serde_json::from_str(&text).map_err(|_| state_error(&text))?;
    let sessions = shown.pointer("/sessions").and_then(Value::as_array);
    let mut sessions = sessions.into_iter().flatten();
    let is =
        |it: &&Value, key: &str, text: &str| it.get(key).and_then(Value::as_str) == Some(text);
    let session = sessions.find(|it| is(it, "peer", peer) && is(it, "state", "up"));
    let uptime = session.and_then(|it| it.get("uptime_s")?.as_u64());
    uptime.ok_or_else(|| state_error(text))
}

#[test]
fn another_identity_by_a_reload_is_what_a_start_with_it_is() -> Result<(), Error> {
    scenario_beside_others("identity", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start_whole(&file(65001, "10.9.0.1"))?;
        let frr = pair.frr(Release::Host, FRR)?;
        until_known(lab, &frr, "10.9.0.1", 65001, "10.9.0.1")?;
        until_known(lab, &frr, "10.9.0.13", 65100, "10.9.0.13")?;
        let first = until_told(lab, &frr, 65001, "10.9.0.1")?;
        verified(lab, &pair)?;
        lab.reach("BFD is up", PATIENCE, || {
            bfd_up_s(&pair, "10.9.0.3").map(drop)
        })?;
        let monitor = RouteMonitor::start(lab, &pair.left)?;
        let began = std::time::Instant::now();
        let up_before = bfd_up_s(&pair, "10.9.0.3")?;
        let (mut sessions, others) = (pair.sessions("10.9.0.2")?, of_plane_b(&pair)?);
        let mut notifications = notified(lab)?;
        for (asn, id, line) in [
            (
                65001,
                "10.9.0.71",
                "router_id \"10.9.0.1\" -> \"10.9.0.71\" (sessions restart)",
            ),
            (65011, "10.9.0.71", "asn 65001 -> 65011 (sessions restart)"),
            (65012, "10.9.0.72", "asn 65011 -> 65012 (sessions restart)"),
        ] {
            let wanted = file(asn, id);
            let path = pair.rbgpd.config();
            std::fs::write(&path, &wanted).map_err(state_error)?;
            let plan = pair.ctl(&["reload", "--dry-run"])?;
            assert!(plan.contains(line), "{plan}");
            assert!(
                plan.contains("The session with 10.9.0.2 would restart"),
                "{plan}"
            );
            assert!(!plan.contains("10.9.0.3"), "{plan}");
            pair.ctl(&["reload"])?;
            sessions += 1;
            until_known(lab, &frr, "10.9.0.1", asn.into(), id)?;
            notifications += 1;
            assert_eq!(notified(lab)?, notifications);
            let reloaded = until_told(lab, &frr, asn, id)?;
            assert_ne!(reloaded, first);
            verified(lab, &pair)?;
            assert_eq!(pair.sessions("10.9.0.2")?, sessions);
            assert_eq!(of_plane_b(&pair)?, others, "the other instance's");
            until_known(lab, &frr, "10.9.0.13", 65100, "10.9.0.13")?;
        }
        // Nobody touched what has nothing to do with sessions.
        let passed = began.elapsed().as_secs();
        assert!(bfd_up_s(&pair, "10.9.0.3")? + 2 >= up_before + passed);
        let mine = ["172.20.0.0/14".to_owned(), "10.9.0.0/24".to_owned()];
        let deleted = monitor.deleted(&mine, &["vxlan100".to_owned(), "br100".to_owned()])?;
        assert!(deleted.is_empty(), "{deleted:?}");

        let reloaded = told(&frr)?;
        let routes = pair.left.ip("route show")?;
        pair.rbgpd.stop()?;
        pair.start_whole(&file(65012, "10.9.0.72"))?;
        until_known(lab, &frr, "10.9.0.1", 65012, "10.9.0.72")?;
        assert_eq!(until_told(lab, &frr, 65012, "10.9.0.72")?, reloaded);
        lab.reach("the kernel has what it had", PATIENCE, || {
            match pair.left.ip("route show")? {
                seen if without_objects(&seen) == without_objects(&routes) => Ok(()),
                seen => Err(state_error(seen)),
            }
        })?;
        verified(lab, &pair)
    })
}

/// Routes without the numbers of nexthop objects, which are others in each run.
fn without_objects(routes: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in routes.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some(at) = words.iter().position(|it| *it == "nhid") {
            words.drain(at..(at + 2).min(words.len()));
        }
        lines.push(words.join(" "));
    }
    lines.sort();
    lines
}

const SPOKEN: &str = "\
frr defaults traditional
ip route 172.20.0.0/14 10.9.0.2
router bgp 65001
 bgp router-id 10.9.0.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.9.0.2 remote-as 65002
 neighbor 10.9.0.2 timers connect 1
 address-family ipv4 unicast
  network 10.88.0.0/16
 exit-address-family
exit
";

#[test]
fn lines_of_frrs_language_make_the_router_another_one() -> Result<(), Error> {
    scenario_beside_others("identity-lines", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.rbgpd.start_frr(lab, SPOKEN)?;
        let frr = pair.frr(Release::Host, FRR)?;
        until_known(lab, &frr, "10.9.0.1", 65001, "10.9.0.1")?;
        let configure = |lines: &[&str]| -> Result<String, Error> {
            let mut words = vec!["vtysh", "-c", "configure terminal"];
            words.extend(lines.iter().flat_map(|line| ["-c", *line]));
            pair.ctl(&words)
        };
        configure(&["router bgp 65001", "bgp router-id 10.9.0.71"])?;
        until_known(lab, &frr, "10.9.0.1", 65001, "10.9.0.71")?;
        // As in FRR, one router goes and another one comes; here in one piece.
        configure(&[
            "no router bgp 65001",
            "router bgp 65011",
            "bgp router-id 10.9.0.72",
            "no bgp ebgp-requires-policy",
            "no bgp network import-check",
            "neighbor 10.9.0.2 remote-as 65002",
            "neighbor 10.9.0.2 timers connect 1",
            "address-family ipv4 unicast",
            "network 10.88.0.0/16",
        ])?;
        until_known(lab, &frr, "10.9.0.1", 65011, "10.9.0.72")?;
        // Without the line it is the host's highest address, as FRR has it, and stays that whatever
        // comes.
        configure(&["router bgp 65011", "no bgp router-id"])?;
        until_known(lab, &frr, "10.9.0.1", 65011, "10.9.0.19")?;
        let sessions = pair.sessions("10.9.0.2")?;
        pair.left.ip("addr add 10.200.0.1/24 dev eth0")?;
        configure(&["router bgp 65011", "neighbor 10.9.0.2 description same"])?;
        until_known(lab, &frr, "10.9.0.1", 65011, "10.9.0.19")?;
        assert_eq!(pair.sessions("10.9.0.2")?, sessions);
        // The file says what it said: back to that.
        pair.ctl(&["reload"])?;
        until_known(lab, &frr, "10.9.0.1", 65001, "10.9.0.1")?;
        lab.reach("rbgpctl verify finds nothing", PATIENCE, || {
            pair.ctl(&["verify"]).map(drop)
        })?;
        Ok(())
    })
}

const WITHOUT: &str = "\
frr defaults traditional
ip route 172.20.0.0/14 10.9.0.2
";

#[test]
fn bgp_begins_and_ends_while_the_daemon_runs() -> Result<(), Error> {
    scenario_beside_others("identity-begins", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.rbgpd.start_frr(lab, WITHOUT)?;
        let mut known = FRR.replace("remote-as external", "remote-as 65001");
        // FRR connects: it has to find somebody who listens, and who knows the password.
        known = known.replace(
            " neighbor 10.9.0.1 timers connect 1\n",
            " neighbor 10.9.0.1 timers connect 1\n neighbor 10.9.0.1 password secret\n",
        );
        let frr = pair.frr(Release::Host, &known)?;
        let configure = |lines: &[&str]| -> Result<String, Error> {
            let mut words = vec!["vtysh", "-c", "configure terminal"];
            words.extend(lines.iter().flat_map(|line| ["-c", *line]));
            pair.ctl(&words)
        };
        let monitor = RouteMonitor::start(lab, &pair.left)?;
        for round in 1..=2 {
            configure(&[
                "router bgp 65001",
                "bgp router-id 10.9.0.1",
                "no bgp ebgp-requires-policy",
                "neighbor 10.9.0.2 remote-as 65002",
                "neighbor 10.9.0.2 password secret",
                "neighbor 10.9.0.2 passive",
            ])?;
            until_known(lab, &frr, "10.9.0.1", 65001, "10.9.0.1")?;
            lab.reach("FRR's routes are in the kernel", PATIENCE, || {
                let routes = pair.left.ip("route show")?;
                match routes.contains("198.51.100.0/25 ") {
                    true => Ok(()),
                    false => Err(state_error(routes)),
                }
            })?;
            let gone = configure(&["no router bgp 65001"])?;
            assert!(!gone.contains("new start"), "round {round}: {gone}");
            lab.reach("nobody listens, and no route is left", PATIENCE, || {
                let routes = pair.left.ip("route show")?;
                let listening = pair.left.run(&["ss", "-Hltn", "sport = :179"])?;
                match routes.contains("198.51.100.0/25 ") || !listening.trim().is_empty() {
                    true => Err(state_error(format!("{routes}\n{listening}"))),
                    false => Ok(()),
                }
            })?;
        }
        let deleted = monitor.deleted(&["172.20.0.0/14".to_owned()], &[])?;
        assert!(deleted.is_empty(), "{deleted:?}");
        lab.reach("rbgpctl verify finds nothing", PATIENCE, || {
            pair.ctl(&["verify"]).map(drop)
        })?;
        Ok(())
    })
}
