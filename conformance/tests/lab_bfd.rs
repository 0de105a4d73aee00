//! BFD with FRR and BIRD: sessions of their own (`[[bfd]]`), authentication, several hops, VRFs, a
//! BGP session that waits for BFD.
//!
//! ```text
//! left: rbgpd 10.9.0.1 ───── right: FRR, BIRD or a second rbgpd, 10.9.0.2
//!   └── 10.8.0.1 ───── third: BIRD 10.8.0.3, two hops from the right
//! ```

#![allow(missing_docs, clippy::indexing_slicing)]

use std::fs;
use std::time::Duration;

use conformance::lab::{
    Bird, Error, Lab, Pair, Release, Requirement, frr_side, scenario, scenario_beside_others,
    toward,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

const WITH_FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

/// The only session of an rbgpd.
fn session(text: &str) -> Result<Value, Error> {
    let shown: Value = serde_json::from_str(text).map_err(|e| Error::State(e.to_string()))?;
    let first = shown.pointer("/sessions/0").cloned();
    first.ok_or_else(|| Error::State(format!("no session: {text}")))
}

fn number(session: &Value, key: &str) -> u64 {
    session.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn text<'a>(session: &'a Value, key: &str) -> &'a str {
    session.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Waits until the session satisfies this.
fn until(
    lab: &Lab,
    what: &str,
    ask: impl Fn() -> Result<String, Error>,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Error> {
    let mut last = Value::Null;
    lab.reach(what, PATIENCE, || {
        last = session(&ask()?)?;
        match wanted(&last) {
            true => Ok(()),
            false => Err(Error::State(last.to_string())),
        }
    })?;
    Ok(last)
}

fn here(pair: &Pair<'_>) -> Result<String, Error> {
    pair.ctl(&["show", "bfd", "--json"])
}

fn is_up(session: &Value) -> bool {
    text(session, "state") == "up"
}

/// BIRD's BFD: options of the interface, and whom it speaks with.
fn bird(options: &str, more: &str) -> String {
    format!(
        "router id 10.9.0.2;\nprotocol bfd {{\n  interface \"eth0\" {{ \
         interval 100 ms; multiplier 3; {options} }};\n  multihop {{ interval 100 ms; multiplier 3; }};\n  {more}\n}}\n"
    )
}

const NEIGHBOR: &str = "neighbor 10.9.0.1 dev \"eth0\" local 10.9.0.2;";

fn signed(method: &str, keys: &[(u8, &str)]) -> String {
    let key = |(id, secret): &(u8, &str)| format!("{{ id = {id}, secret = \"{secret}\" }}");
    let keys: Vec<String> = keys.iter().map(key).collect();
    format!(
        "[[bfd_profile]]\nname = \"lab\"\ninterval = \"100ms\"\nauthentication = {{ method = \
         \"{method}\", keys = [{}] }}\n[[bfd]]\npeer = \"10.9.0.2\"\nprofile = \"lab\"\n",
        keys.join(", ")
    )
}

/// Ten more packets were taken in since, and the session never went down.
fn stays(lab: &Lab, pair: &Pair<'_>, step: &str) -> Result<(), Error> {
    let before = number(&session(&here(pair)?)?, "received");
    let now = until(
        lab,
        step,
        || here(pair),
        |it| number(it, "received") >= before + 10,
    )?;
    match (is_up(&now), number(&now, "flaps")) {
        (true, 0) => Ok(()),
        _ => Err(Error::State(format!("{step}: {now}"))),
    }
}

#[test]
fn bird_and_we_authenticate_by_every_method_and_a_key_changes() -> Result<(), Error> {
    const OLD: (u8, &str) = (1, "the old one");
    const NEW: (u8, &str) = (2, "the new one");
    for (ours, theirs) in [
        ("simple", "simple"),
        ("keyed-md5", "keyed md5"),
        ("meticulous-md5", "meticulous keyed md5"),
        ("keyed-sha1", "keyed sha1"),
        ("meticulous-sha1", "meticulous keyed sha1"),
    ] {
        scenario_beside_others(&format!("bfd-auth-{ours}"), &NEEDS, |lab| {
            let mut pair = Pair::build(lab)?;
            let options = format!(
                "authentication {theirs}; password \"the old one\" {{ id 1; }}; \
                 password \"the new one\" {{ id 2; }};"
            );
            let _bird = pair.bird(&bird(&options, NEIGHBOR))?;
            pair.start(&signed(ours, &[(1, "a wrong one")]))?;
            let refused = |it: &Value| text(it, "refusal").contains("secret for key 1");
            until(lab, "the secret is named", || here(&pair), refused)?;
            let table = pair.ctl(&["show", "bfd"])?;
            assert!(table.contains("the peer's secret for key 1"), "{table}");

            pair.reload(&signed(ours, &[OLD]))?;
            until(lab, "up by the right key", || here(&pair), is_up)?;
            pair.reload(&signed(ours, &[OLD, NEW]))?;
            stays(lab, &pair, "a second key")?;
            pair.reload(&signed(ours, &[NEW, OLD]))?;
            stays(lab, &pair, "the second key signs")?;
            Ok(())
        })?;
    }
    Ok(())
}

/// rbgpd with one session over several hops.
fn far(peer: &str, local: &str, more: &str) -> String {
    format!(
        "[[bfd]]\npeer = \"{peer}\"\nlocal = \"{local}\"\nmultihop = true\ninterval = \"100ms\"\n{more}\n"
    )
}

#[test]
fn frr_and_we_agree_over_several_hops() -> Result<(), Error> {
    const FRR: &str = "bfd\n peer 10.9.0.1 multihop local-address 10.9.0.2\n  \
                       receive-interval 100\n  transmit-interval 100\n exit\n \
                       peer fd09::1 multihop local-address fd09::2\n  receive-interval 100\n  \
                       transmit-interval 100\n exit\nexit\n";
    scenario_beside_others("bfd-multihop-frr", &WITH_FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start("")?;
        let frr = pair.frr(Release::Host, FRR)?;
        for (peer, local) in [("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")] {
            pair.reload(&far(peer, local, ""))?;
            let agreed = |it: &Value| is_up(it) && it["peer"] == peer && it["detect_ms"] == 300.0;
            until(lab, &format!("{peer} is up"), || here(&pair), agreed)?;
        }
        let shown = frr.vtysh(&["show bfd peers json"])?.stdout;
        assert!(shown.contains("\"status\":\"up\""), "{shown}");
        Ok(())
    })
}

#[test]
fn bird_two_hops_away_is_heard_and_one_too_far_is_not() -> Result<(), Error> {
    scenario_beside_others("bfd-multihop-bird", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start("")?;
        // BIRD sends with a TTL of 64 over several hops.
        pair.left.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        let neighbor = "neighbor 10.9.0.2 local 10.8.0.3 multihop;";
        let _bird: Bird = pair.third(&bird("", neighbor))?;
        let second = pair.second(&far("10.8.0.3", "10.9.0.2", "min_ttl = 63"))?;
        let there = || {
            let output = second.ctl(&["show", "bfd", "--json"])?;
            Ok(output.stdout)
        };
        let now = until(lab, "up over a router", there, is_up)?;
        assert_eq!(number(&now, "refused"), 0, "{now}");
        second.reload_to(&far("10.8.0.3", "10.9.0.2", "min_ttl = 64"))?;
        let refused = |it: &Value| !is_up(it) && number(it, "refused") > 0;
        until(lab, "one router is too many", there, refused)?;
        second.reload_to(&far("10.8.0.3", "10.9.0.2", ""))?;
        until(lab, "up again", there, is_up)?;
        Ok(())
    })
}

#[test]
fn sessions_in_a_vrf_are_of_that_vrf() -> Result<(), Error> {
    let needs = [NEEDS.as_slice(), &[Requirement::Vrf]].concat();
    scenario("bfd-vrf", &needs, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.left.ip("link add red type vrf table 100")?;
        pair.left.ip("link set red up")?;
        pair.left.ip("link set eth0 master red")?;
        let _bird = pair.bird(&bird("", "neighbor 10.9.0.1 local 10.9.0.2 multihop;\n  neighbor 10.9.0.1 dev \"eth0\" local 10.9.0.2;"))?;
        let peer = |more: &str| format!("[[bfd]]\npeer = \"10.9.0.2\"\nvrf = \"red\"\n{more}\n");
        pair.start(&peer(""))?;
        until(lab, "one hop, in the VRF", || here(&pair), is_up)?;
        pair.reload(&peer("interface = \"eth0\""))?;
        until(lab, "on an interface of the VRF", || here(&pair), is_up)?;
        pair.reload(&peer("multihop = true\nlocal = \"10.9.0.1\""))?;
        until(lab, "several hops, in the VRF", || here(&pair), is_up)?;
        pair.reload("[[bfd]]\npeer = \"10.9.0.2\"\nmultihop = true\nlocal = \"10.9.0.1\"\n")?;
        let outside = |it: &Value| !is_up(it);
        until(lab, "not outside of it", || here(&pair), outside)?;
        Ok(())
    })
}

/// Lines of a log that say that a session came up while BFD was down for longer than it may take until
/// that is known everywhere.
fn established_without_bfd(log: &str) -> Vec<&str> {
    const KNOWN: Duration = Duration::from_millis(100);
    let mut down_since = None;
    let mut found = Vec::new();
    for line in log.lines() {
        let at = time_of_day(line);
        if line.contains(" BFD peer=") {
            down_since = at.filter(|_| line.contains("state=Down"));
        } else if line.contains("session Established")
            && let (Some(since), Some(at)) = (down_since, at)
            && at.saturating_sub(since) > KNOWN
        {
            found.push(line);
        }
    }
    found
}

/// `2026-01-31T12:34:56.789012Z` at the begin of a line, without the day.
fn time_of_day(line: &str) -> Option<Duration> {
    let time = line.split_once('T')?.1.split_once('Z')?.0;
    let mut parts = time.split(':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    Some(Duration::from_secs((hours * 60 + minutes) * 60) + Duration::from_secs_f64(seconds))
}

#[test]
fn a_strict_session_waits_for_bfd_and_is_there_at_once_with_it() -> Result<(), Error> {
    scenario_beside_others("bfd-strict", &WITH_FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        let keys = "bfd = { strict = true, interval = \"100ms\" }\nipv4_unicast = {}";
        pair.start(&toward("10.9.0.2", 65002, keys))?;
        let frr = pair.frr(Release::Host, &frr_side(65002, "! bfd comes later", ""))?;
        pair.until_shown("10.9.0.2", &["waits for BFD to come up"])?;
        assert_eq!(pair.sessions("10.9.0.2")?, 0);
        frr.configure(&["router bgp 65002", "neighbor 10.9.0.1 bfd"])?;
        pair.until_established("10.9.0.2")?;
        // FRR makes its BFD session anew when its BGP comes up by an address that its BFD was not told
        // before, and may end the first session because of that.
        let now = until(lab, "BFD is up under it", || here(&pair), is_up)?;
        pair.until_established("10.9.0.2")?;
        let log = fs::read_to_string(pair.rbgpd.log()).map_err(|e| Error::State(e.to_string()))?;
        assert_eq!(established_without_bfd(&log), [""; 0], "{log}");
        assert_eq!(now["watched_by"][0], "neighbor 10.9.0.2");
        Ok(())
    })
}

#[test]
fn a_session_without_bfd_is_found_in_a_log() {
    let log = "2026-11-23T05:55:24.463193Z  INFO rbgpd::bfd_share: BFD peer=10.9.0.2 state=Up\n\
               2026-11-23T05:55:24.471023Z  INFO rbgpd::core: session Established\n\
               2026-11-23T05:55:24.473782Z  INFO rbgpd::bfd_share: BFD peer=10.9.0.2 state=Down\n\
               2026-11-23T05:55:24.475000Z  INFO rbgpd::core: session Established\n";
    assert_eq!(established_without_bfd(log), [""; 0]);
    let late = "2026-11-23T05:55:25.275375Z  INFO rbgpd::core: session Established";
    assert_eq!(established_without_bfd(&format!("{log}{late}\n")), [late]);
}
