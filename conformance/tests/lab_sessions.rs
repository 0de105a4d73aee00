//! What a session does beside a real neighbour, one setting at a time.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR or BIRD AS 65002, 10.9.0.2
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Lab, Pair, Release, Requirement, RouteMonitor, frr_side, scenario_beside_others, toward,
};
use serde_json::Value;

const FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

/// FRR that announces three prefixes to us.
fn frr_three() -> String {
    let family = "network 192.0.2.0/24\n  network 198.51.100.0/24\n  network 203.0.113.0/24";
    frr_side(65002, "", family)
}

/// Our side of it with these settings of the family.
fn with_maximum(maximum: &str) -> String {
    let family = format!("ipv4_unicast = {{ maximum_prefixes = {maximum} }}");
    toward("10.9.0.2", 65002, &family)
}

/// A number of `show neighbors --json`.
fn number(neighbor: &Value, name: &str) -> u64 {
    neighbor.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// A network of our own.
const OWN: &str = "[ipv4_unicast]\nnetworks = [\"10.88.0.0/16\"]\n";

fn state_error(seen: impl std::fmt::Display) -> Error {
    Error::State(seen.to_string())
}

#[test]
fn too_many_prefixes_of_frr_end_the_session_as_configured() -> Result<(), Error> {
    scenario_beside_others("maximum-prefixes", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&with_maximum("2"))?;
        let frr = pair.frr(Release::Host, &frr_three())?;

        // For good, and the neighbour is told why.
        pair.until_shown(
            "10.9.0.2",
            &[
                "more than 2 ipv4_unicast prefixes received",
                "rbgpctl clear",
            ],
        )?;
        lab.reach("FRR was told Cease/1", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp neighbors 10.9.0.1"])?.text();
            match seen.contains("Maximum Number of Prefixes Reached") {
                true => Ok(()),
                false => Err(state_error(seen)),
            }
        })?;
        assert_eq!(pair.sessions("10.9.0.2")?, 1);
        let routes = pair.ctl(&["show", "routes", "--json"])?;
        assert!(!routes.contains("192.0.2.0/24"), "{routes}");

        // A raised limit is enough to start again, and a warning says how near it is.
        pair.reload(&with_maximum("3"))?;
        pair.until_established("10.9.0.2")?;
        lab.reach("the summary warns", PATIENCE, || {
            let summary = pair.ctl(&["show", "summary"])?;
            match summary.contains("3 of at most 3 ipv4_unicast prefixes") {
                true => Ok(()),
                false => Err(state_error(summary)),
            }
        })?;

        // A rest comes to an end by itself: with as many prefixes again and again, with fewer for
        // good.
        let before = pair.sessions("10.9.0.2")?;
        pair.reload(&with_maximum("{ limit = 2, restart_after = \"1s\" }"))?;
        lab.reach("two more sessions", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            match number(&neighbor, "established") >= before + 2 {
                true => Ok(()),
                false => Err(state_error(neighbor)),
            }
        })?;
        withdraw_one(lab, &frr)?;
        lab.reach("two routes in an Established session", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let received = neighbor.pointer("/families/ipv4_unicast/received");
            match received.and_then(Value::as_u64) {
                Some(2) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;

        // Said and not done.
        let before = pair.sessions("10.9.0.2")?;
        pair.reload(&with_maximum("{ limit = 1, warning_only = true }"))?;
        lab.reach("the summary warns", PATIENCE, || {
            let summary = pair.ctl(&["show", "summary"])?;
            match summary.contains("2 of at most 1 ipv4_unicast prefixes") {
                true => Ok(()),
                false => Err(state_error(summary)),
            }
        })?;
        pair.until_established("10.9.0.2")?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        Ok(())
    })
}

fn withdraw_one(lab: &Lab, frr: &conformance::lab::Frr) -> Result<(), Error> {
    frr.configure(&[
        "router bgp 65002",
        "address-family ipv4 unicast",
        "no network 203.0.113.0/24",
    ])?;
    lab.step("FRR withdraws one prefix");
    Ok(())
}

#[test]
fn a_member_of_a_group_comes_up_with_frr_and_follows_the_group() -> Result<(), Error> {
    let group = |password: &str| {
        format!(
            "[[peer_group]]\nname = \"SPINES\"\nremote_as = \"external\"\n\
             password = \"{password}\"\ntimers = {{ connect_retry = \"1s\" }}\n\
             ipv4_unicast = {{}}\n\
             [[neighbor]]\naddress = \"10.9.0.2\"\npeer_group = \"SPINES\"\n"
        )
    };
    scenario_beside_others("peer-group", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&group("one-word"))?;
        let before = pair.neighbor("10.9.0.2")?;
        assert_eq!(before.get("remote_as"), Some(&Value::Null));
        let config = frr_three().replace(
            " neighbor 10.9.0.1 timers connect 1\n",
            " neighbor 10.9.0.1 timers connect 1\n neighbor 10.9.0.1 password one-word\n",
        );
        let _frr = pair.frr(Release::Host, &config)?;
        pair.until_established("10.9.0.2")?;
        let neighbor = pair.neighbor("10.9.0.2")?;
        assert_eq!(number(&neighbor, "remote_as"), 65002);
        lab.reach("three routes are accepted", PATIENCE, || {
            // Both AS numbers are private, which is known once the neighbour has said its own.
            let neighbor = pair.neighbor("10.9.0.2")?;
            let accepted = neighbor.pointer("/families/ipv4_unicast/accepted");
            match accepted.and_then(Value::as_u64) {
                Some(3) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;
        pair.reload(&group("another-word"))?;
        pair.until_shown("10.9.0.2", &["the passwords differ"])?;
        Ok(())
    })
}

/// BIRD with one session from each of these addresses of its own, and one route in each. It has
/// but one session with an address, so each goes to another of ours.
fn bird_from(hosts: &[u8], password: &str) -> String {
    let mut config = String::from("router id 10.9.0.2;\n");
    for host in hosts {
        config += &format!(
            "protocol static routes{host} {{ ipv4; route 10.99.{host}.0/24 blackhole; }}\n\
             protocol bgp from{host} {{\n  local 10.9.0.{host} as 65002;\n  \
             neighbor 10.9.0.1{host} as 65001;\n  password \"{password}\";\n  \
             connect retry time 1; connect delay time 1; error wait time 1, 2;\n  \
             ipv4 {{ import all; export where proto = \"routes{host}\"; }};\n}}\n"
        );
    }
    config
}

const BIRD: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

/// Addresses of the neighbours that the summary has, with their states.
fn summary(pair: &Pair<'_>) -> Result<Vec<(String, String)>, Error> {
    let text = pair.ctl(&["show", "summary", "--json"])?;
    let shown: Value = serde_json::from_str(&text).map_err(state_error)?;
    let neighbors = shown.get("neighbors").and_then(Value::as_array);
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let both = |it: &Value| (text(it, "address"), text(it, "state"));
    Ok(neighbors.into_iter().flatten().map(both).collect())
}

#[test]
fn neighbours_from_a_listen_range_come_and_go_with_bird() -> Result<(), Error> {
    let range = |limit: u8, password: &str| {
        format!(
            "[[listen_range]]\nprefix = \"10.9.0.0/28\"\nlimit = {limit}\n\
             remote_as = \"external\"\npassword = \"{password}\"\nipv4_unicast = {{}}\n"
        )
    };
    scenario_beside_others("listen-range", &BIRD, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&range(2, "one-word"))?;
        assert_eq!(summary(&pair)?, []);
        let mut bird = pair.bird(&bird_from(&[3, 4, 5], "one-word"))?;

        // As many as there is room for, with routes; the third is turned away and says so.
        lab.reach("two of three are Established", PATIENCE, || {
            let seen = summary(&pair)?;
            let up = seen.iter().filter(|(_, state)| state == "Established");
            match (up.count(), seen.len()) {
                (2, 2) => Ok(()),
                _ => Err(state_error(format!("{seen:?}"))),
            }
        })?;
        lab.reach("the summary says that the range is full", PATIENCE, || {
            let seen = pair.ctl(&["show", "summary"])?;
            let full = "listen range 10.9.0.0/28: full with 2 neighbors";
            match seen.contains(full) && seen.contains("* from a listen range") {
                true => Ok(()),
                false => Err(state_error(seen)),
            }
        })?;
        pair.reload(&range(3, "one-word"))?;
        for host in [3, 4, 5] {
            pair.until_established(&format!("10.9.0.{host}"))?;
        }
        let shown = pair.until_shown("10.9.0.4", &["from the listen range 10.9.0.0/28"])?;
        assert!(shown.contains("remote AS 65002"), "{shown}");
        lab.reach("a route of each", PATIENCE, || {
            let routes = pair.ctl(&["show", "routes", "--json"])?;
            let all = [3, 4, 5].iter();
            let mut all = all.map(|host| format!("10.99.{host}.0/24"));
            match all.all(|prefix| routes.contains(&prefix)) {
                true => Ok(()),
                false => Err(state_error(routes)),
            }
        })?;

        // Who goes is forgotten, with his routes.
        bird.ask("disable from4")?;
        lab.reach("10.9.0.4 is gone", PATIENCE, || {
            let seen = summary(&pair)?;
            match seen.iter().any(|(address, _)| address == "10.9.0.4") {
                false => Ok(()),
                true => Err(state_error(format!("{seen:?}"))),
            }
        })?;
        let routes = pair.ctl(&["show", "routes", "--json"])?;
        assert!(!routes.contains("10.99.4.0/24"), "{routes}");
        bird.ask("enable from4")?;
        pair.until_established("10.9.0.4")?;

        // The password of a range stands for everybody in it, from the moment it changes.
        pair.reload(&range(3, "another-word"))?;
        lab.reach("nobody knows the new password", PATIENCE, || {
            let seen = summary(&pair)?;
            match seen.is_empty() {
                true => Ok(()),
                false => Err(state_error(format!("{seen:?}"))),
            }
        })?;
        pair.reload(&range(3, "one-word"))?;
        pair.until_established("10.9.0.3")?;

        // Without the range they are strangers.
        pair.reload("")?;
        assert_eq!(summary(&pair)?, []);
        lab.reach("BIRD was told that it is not configured", PATIENCE, || {
            let seen = bird.ask("show protocols all from3")?.text();
            match seen.contains("Cease: Peer de-configured") || seen.contains("Peer de-configured")
            {
                true => Ok(()),
                false => Err(state_error(seen)),
            }
        })?;
        bird.stop()
    })
}

#[test]
fn a_neighbour_from_a_range_is_remembered_while_it_rests_or_its_routes_are_kept()
-> Result<(), Error> {
    let range = |maximum: u8| {
        format!(
            "[[listen_range]]\nprefix = \"10.9.0.0/24\"\nremote_as = 65002\n\
             ipv4_unicast = {{ maximum_prefixes = {maximum} }}\n"
        )
    };
    let config = frr_three().replace(
        " no bgp network import-check\n",
        " no bgp network import-check\n bgp graceful-restart\n \
         bgp graceful-restart restart-time 5\n",
    );
    scenario_beside_others("range-memory", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&range(2))?;
        let mut frr = pair.frr(Release::Host, &config)?;

        // Out, and not back as somebody new.
        pair.until_shown("10.9.0.2", &["more than 2 ipv4_unicast prefixes received"])?;
        lab.reach("FRR has lost its session", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp neighbors 10.9.0.1 json"])?;
            let shown: Value = serde_json::from_str(&seen.stdout).map_err(state_error)?;
            let dropped = shown.pointer("/10.9.0.1/connectionsDropped");
            match dropped.and_then(Value::as_u64) {
                Some(dropped) if dropped >= 1 => Ok(()),
                _ => Err(state_error(seen.text())),
            }
        })?;
        assert_eq!(pair.sessions("10.9.0.2")?, 1);
        // Another limit lets it in again.
        pair.reload(&range(3))?;
        pair.until_established("10.9.0.2")?;

        // Killed, it may come back for five seconds.
        lab.reach("all routes are there", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let received = neighbor.pointer("/families/ipv4_unicast/received");
            match received.and_then(Value::as_u64) {
                Some(3) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;
        frr.kill9()?;
        lab.reach("its routes are kept", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let stale = neighbor.pointer("/details/ipv4_unicast/stale");
            match stale.and_then(Value::as_u64) {
                Some(3) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;
        lab.reach("it is forgotten with its routes", PATIENCE, || {
            let seen = summary(&pair)?;
            match seen.is_empty() {
                true => Ok(()),
                false => Err(state_error(format!("{seen:?}"))),
            }
        })?;
        let routes = pair.ctl(&["show", "routes", "--json"])?;
        assert!(!routes.contains("192.0.2.0/24"), "{routes}");
        Ok(())
    })
}

#[test]
fn frr_knows_us_by_another_as_number() -> Result<(), Error> {
    let config = |local_as: &str| {
        let keys = format!("local_as = {local_as}\nipv4_unicast = {{}}");
        OWN.to_owned() + &toward("10.9.0.2", 65002, &keys)
    };
    let frr_config = frr_three().replace("remote-as 65001", "remote-as 64999");
    scenario_beside_others("local-as", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&config("64999"))?;
        let frr = pair.frr(Release::Host, &frr_config)?;
        let cases = [
            ("64999", "64999 65001", "64999 65002"),
            ("{ asn = 64999, no_prepend = true }", "64999 65001", "65002"),
            ("{ asn = 64999, replace_as = true }", "64999", "64999 65002"),
        ];
        for (local_as, told, received) in cases {
            pair.reload(&config(local_as))?;
            lab.reach(&format!("{local_as}: FRR has {told}"), PATIENCE, || {
                let seen = frr.vtysh(&["show bgp ipv4 unicast 10.88.0.0/16 json"])?;
                let shown: Value = serde_json::from_str(&seen.stdout).map_err(state_error)?;
                match shown
                    .pointer("/paths/0/aspath/string")
                    .and_then(Value::as_str)
                {
                    Some(path) if path == told => Ok(()),
                    _ => Err(state_error(seen.text())),
                }
            })?;
            lab.reach(&format!("{local_as}: we have {received}"), PATIENCE, || {
                let text = pair.ctl(&["show", "routes", "192.0.2.0/24", "--json"])?;
                let shown: Value = serde_json::from_str(&text).map_err(state_error)?;
                let path = shown.pointer("/routes/0/as_path").and_then(Value::as_array);
                let asns = path.into_iter().flatten().map(Value::to_string);
                let path = asns.collect::<Vec<_>>().join(" ");
                match path == received {
                    true => Ok(()),
                    false => Err(state_error(text)),
                }
            })?;
        }
        pair.until_shown("10.9.0.2", &["It knows us as AS 64999"])?;
        Ok(())
    })
}

/// FRR expects one of our two numbers, in another AS or in the same one.
#[test]
fn frr_knows_us_by_either_of_two_as_numbers() -> Result<(), Error> {
    let config = |remote_as: u32, local_as: &str| {
        let keys = format!("local_as = {local_as}\nipv4_unicast = {{}}");
        OWN.to_owned() + &toward("10.9.0.2", remote_as, &keys)
    };
    let dual = "{ asn = 64999, replace_as = true, dual_as = true }";
    let frr_config = |asn: &str, remote_as: &str| {
        frr_three()
            .replace("remote-as 65001", remote_as)
            .replace("router bgp 65002", asn)
    };
    let (other, same) = ("router bgp 65002", "router bgp 64999");
    for (name, ours, theirs, path, preference) in [
        (
            "dual-as-other",
            config(65002, dual),
            frr_config(other, "remote-as 64999"),
            "64999",
            None,
        ),
        (
            "dual-as-own",
            config(65002, dual),
            frr_config(other, "remote-as 65001"),
            "65001",
            None,
        ),
        (
            "local-as-internal",
            config(64999, "64999"),
            frr_config(same, "remote-as 64999"),
            "",
            Some(100),
        ),
    ] {
        scenario_beside_others(name, &FRR, |lab| {
            let mut pair = Pair::build(lab)?;
            pair.start(&ours)?;
            let frr = pair.frr(Release::Host, &theirs)?;
            pair.until_established("10.9.0.2")?;
            lab.reach(&format!("FRR has the path `{path}`"), PATIENCE, || {
                let seen = frr.vtysh(&["show bgp ipv4 unicast 10.88.0.0/16 json"])?;
                let shown: Value = serde_json::from_str(&seen.stdout).map_err(state_error)?;
                let first = shown.pointer("/paths/0");
                let of = |pointer: &str| first.and_then(|path| path.pointer(pointer));
                let has = of("/aspath/string").and_then(Value::as_str).unwrap_or("");
                let has = if has == "Local" { "" } else { has };
                let preferred = of("/locPrf").and_then(Value::as_u64);
                match first.is_some()
                    && has == path
                    && (preference.is_none() || preferred == preference)
                {
                    true => Ok(()),
                    false => Err(state_error(seen.text())),
                }
            })?;
            let neighbor = pair.neighbor("10.9.0.2")?;
            assert_eq!(number(&neighbor, "established"), 1);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn the_operators_of_both_sides_read_what_the_other_one_says() -> Result<(), Error> {
    let config = |shutdown: &str| {
        toward(
            "10.9.0.2",
            65002,
            &format!("ipv4_unicast = {{}}\n{shutdown}"),
        )
    };
    scenario_beside_others("shutdown-text", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&config(""))?;
        let config_of_frr =
            frr_three().replace(" neighbor", " bgp log-neighbor-changes\n neighbor");
        let frr = pair.frr(Release::Host, &config_of_frr)?;
        // FRR 8.4 has the text in its log, and shows the reason only.
        let log = lab.folder("frr")?.join("frr.log");
        let frr_says = |text: &str| {
            lab.reach(&format!("FRR reads `{text}`"), PATIENCE, || {
                let read = std::fs::read_to_string(&log).map_err(state_error)?;
                match read.contains(text) {
                    true => Ok(()),
                    false => Err(state_error(read)),
                }
            })
        };
        pair.until_established("10.9.0.2")?;
        pair.reload(&config("shutdown = \"moving to rack 7\"\n"))?;
        frr_says("moving to rack 7")?;
        // Whenever it connects it hears that again, so it does not show anything else later.
        lab.reach("FRR was told twice", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp neighbors 10.9.0.1 json"])?;
            let shown: Value = serde_json::from_str(&seen.stdout).map_err(state_error)?;
            let received = shown.pointer("/10.9.0.1/messageStats/notificationsRecv");
            match received.and_then(Value::as_u64) {
                Some(count) if count >= 2 => Ok(()),
                _ => Err(state_error(seen.text())),
            }
        })?;
        let shown = frr.vtysh(&["show bgp neighbors 10.9.0.1"])?.text();
        let reason = "Notification received (Cease/Administrative Shutdown";
        assert!(shown.contains(reason), "{shown}");
        pair.reload(&config(""))?;
        pair.until_established("10.9.0.2")?;
        pair.ctl(&["clear", "10.9.0.2", "--reason", "new cable", "--hard"])?;
        frr_says("new cable")?;
        pair.until_established("10.9.0.2")?;
        frr.configure(&[
            "router bgp 65002",
            "neighbor 10.9.0.1 shutdown message power is off until six",
        ])?;
        pair.until_shown("10.9.0.2", &["power is off until six"])?;
        Ok(())
    })
}

/// FRR with a session on each of two interfaces, announcing two prefixes, and one of IPv6.
const FRR_UNNUMBERED: &str = "\
router bgp 65002
 bgp router-id 10.9.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 neighbor eth0 interface remote-as external
 neighbor eth0 timers connect 1
 neighbor eth0 bfd
 neighbor eth1 interface remote-as external
 neighbor eth1 timers connect 1
 neighbor eth1 password one-word
 neighbor eth1 ttl-security hops 1
 address-family ipv4 unicast
  network 192.0.2.0/24
  network 198.51.100.0/24
 exit-address-family
 address-family ipv6 unicast
  neighbor eth0 activate
  neighbor eth1 activate
  network 2001:db8:2::/48
 exit-address-family
";

#[test]
fn bgp_unnumbered_with_frr_over_link_local_addresses() -> Result<(), Error> {
    unnumbered("unnumbered", Release::Host)
}

#[test]
fn bgp_unnumbered_with_frr_10_3() -> Result<(), Error> {
    let suite = Release::Suite("trixie".to_owned());
    unnumbered("unnumbered10", suite)
}

/// Two links without addresses, one of them signed and with TTL security.
fn unnumbered(name: &str, release: Release) -> Result<(), Error> {
    let neighbor = |interface: &str, more: &str| {
        format!(
            "[[neighbor]]\ninterface = \"{interface}\"\nremote_as = \"external\"\n{more}\
             timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\nipv6_unicast = {{}}\n"
        )
    };
    let networks = "[ipv4_unicast]\nnetworks = [\"10.88.0.0/16\"]\nmultipath = { paths = 2 }\n\
                    [ipv6_unicast]\nnetworks = [\"2001:db8:1::/48\"]\nmultipath = { paths = 2 }\n";
    let guarded = "password = \"one-word\"\nttl_security = 1\n";
    let config =
        networks.to_owned() + &neighbor("eth0", "bfd = true\n") + &neighbor("eth1", guarded);
    // The package of another release is downloaded once.
    let needs = [&FRR[..], &[Requirement::Program("apt-get")]].concat();
    scenario_beside_others(name, &needs, |lab| {
        let mut pair = Pair::build(lab)?;
        let right = pair.right.name().to_owned();
        pair.left.ip(&format!(
            "link add eth1 type veth peer name eth1 netns {right}"
        ))?;
        // Nothing but link-local addresses.
        for space in [&pair.left, &pair.right] {
            space.ip("link set eth1 up")?;
            space.ip("-4 addr flush dev eth0")?;
            space.ip("-6 addr flush dev eth0 scope global")?;
        }
        pair.start_forwarding(&config)?;
        let alone = pair.ctl(&["show", "summary"])?;
        assert!(
            alone.contains("interface eth1: no router was heard"),
            "{alone}"
        );
        let frr = pair.frr(release, FRR_UNNUMBERED)?;
        let mut found = Vec::new();
        lab.reach("both neighbours are Established", PATIENCE, || {
            found = summary(&pair)?;
            match found
                .iter()
                .filter(|(_, state)| state == "Established")
                .count()
            {
                2 => Ok(()),
                _ => Err(state_error(format!("{found:?}"))),
            }
        })?;
        // Which is which is what they are shown with.
        let mut ways = Vec::new();
        for (address, _) in &found {
            assert!(address.starts_with("fe80::"), "{address}");
            let neighbor = pair.neighbor(address)?;
            let interface = neighbor.get("interface").and_then(Value::as_str);
            let interface = interface.unwrap_or_default().to_owned();
            let bfd = if interface == "eth0" { "BFD is up" } else { "" };
            let heard = format!("Heard on interface {interface}");
            pair.until_shown(address, &[&heard, "remote AS 65002", bfd])?;
            let (host, zone) = address.split_once('%').unwrap_or_default();
            assert_eq!(zone, interface);
            ways.push(format!("via {host} dev {interface}"));
        }
        assert_ne!(ways.first(), ways.last());
        for (family, prefix) in [("-4", "192.0.2.0/24"), ("-6", "2001:db8:2::/48")] {
            lab.reach(&format!("{prefix} leaves by both"), PATIENCE, || {
                let route = pair.left.ip(&format!("{family} route show {prefix}"))?;
                // Through a nexthop object: what that is stands beside it.
                let objects = pair.left.ip("nexthop show")?;
                let by = |way: &String| {
                    let v6 = way.replace("via ", "via inet6 ");
                    [&route, &objects]
                        .iter()
                        .any(|it| it.contains(way) || it.contains(&v6))
                };
                match !route.is_empty() && ways.iter().all(by) {
                    true => Ok(()),
                    false => Err(state_error(format!("{route}{objects}"))),
                }
            })?;
        }
        lab.reach("FRR has our routes and uses them", PATIENCE, || {
            let v4 = frr.vtysh(&["show ip route 10.88.0.0/16"])?.text();
            let v6 = frr.vtysh(&["show ipv6 route 2001:db8:1::/48"])?.text();
            match [&v4, &v6]
                .iter()
                .all(|it| it.contains("fe80::") && it.contains("via eth0"))
            {
                true => Ok(()),
                false => Err(state_error(format!("{v4}{v6}"))),
            }
        })?;
        // What is forwarded goes on while we are away, until they have sent their routes again.
        let monitor = RouteMonitor::start(lab, &pair.left)?;
        pair.rbgpd.kill9()?;
        pair.start_forwarding(&config)?;
        lab.reach("routes are received again", PATIENCE, || {
            let found = summary(&pair)?;
            let mut up = 0;
            for (address, _) in &found {
                let neighbor = pair.neighbor(address)?;
                let received = neighbor.pointer("/families/ipv4_unicast/received");
                // FRR tells us our own route too, over the other link.
                up += usize::from(received.and_then(Value::as_u64) >= Some(2));
            }
            match up {
                2 => Ok(()),
                _ => Err(state_error(format!("{found:?}"))),
            }
        })?;
        lab.reach("restart is over", PATIENCE, || {
            let seen = pair.ctl(&["show", "summary"])?;
            match seen.contains("restarted: routes are held back") {
                false => Ok(()),
                true => Err(state_error(seen)),
            }
        })?;
        let deleted = monitor.deleted(
            &["192.0.2.0/24".to_owned(), "2001:db8:2::/48".to_owned()],
            &[],
        )?;
        assert!(deleted.is_empty(), "{deleted:?}");

        // A device that is taken away and made anew, with other addresses at both ends: the session
        // over the former one is not waited for, although its hold time is long.
        let former: Vec<String> = summary(&pair)?.into_iter().map(|(it, _)| it).collect();
        pair.left.ip("link del eth1")?;
        pair.left.ip(&format!(
            "link add eth1 type veth peer name eth1 netns {right}"
        ))?;
        for space in [&pair.left, &pair.right] {
            space.ip("link set eth1 up")?;
        }
        lab.reach("the new device has a session", PATIENCE, || {
            let found = summary(&pair)?;
            let up = |(address, state): &&(String, String)| {
                state == "Established" && !former.contains(address)
            };
            match (found.len(), found.iter().filter(up).count()) {
                (2, 1) => Ok(()),
                _ => Err(state_error(format!("{found:?}, before {former:?}"))),
            }
        })?;

        // Two that become one.
        let one = networks.to_owned() + &neighbor("eth1", guarded);
        pair.reload_forwarding(&one)?;
        lab.reach("one neighbour is left", PATIENCE, || {
            let left = summary(&pair)?;
            match left.len() {
                1 => Ok(()),
                _ => Err(state_error(format!("{left:?}"))),
            }
        })?;
        let left = summary(&pair)?;
        let neighbor = pair.neighbor(left.first().map_or("", |(address, _)| address))?;
        let interface = neighbor.get("interface").and_then(Value::as_str);
        assert_eq!(interface, Some("eth1"));
        Ok(())
    })
}
