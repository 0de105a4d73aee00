//! RFC 5880 §6.4 and RFC 5881 §4: the echo function, with FRR 8.4 and 10.3 and with another rbgpd.
//!
//! ```text
//! left: rbgpd 10.9.0.1, fd09::1 ───── right: FRR or a second rbgpd, 10.9.0.2, fd09::2
//!        from and to 10.9.0.1 ────────► its kernel forwards ──► back (IPv4)
//!        to fd09::2, UDP port 3785 ───► its BFD ──────────────► back (IPv6)
//! ```
//!
//! What is dropped is dropped by the right's kernel where it forwards, so control packets go on.
//!
//! Over WireGuard IPv4 packets do not find their way, which is said and costs no session; in a VRF
//! both find it.

#![allow(missing_docs, clippy::indexing_slicing)]

use std::time::Duration;

use conformance::lab::{
    Cloud, Error, Frr, Lab, Namespace, Pair, Plan, Program, Release, Requirement, Underlay,
    scenario, scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const WITH_FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

/// The only session of who is asked.
fn session(text: &str) -> Result<Value, Error> {
    let shown: Value = serde_json::from_str(text).map_err(|e| Error::State(e.to_string()))?;
    let first = shown.pointer("/sessions/0").cloned();
    first.ok_or_else(|| Error::State(format!("no session: {text}")))
}

/// The session with this peer.
fn session_with(text: &str, peer: &str) -> Result<Value, Error> {
    let shown: Value = serde_json::from_str(text).map_err(|e| Error::State(e.to_string()))?;
    let all = shown.get("sessions").and_then(Value::as_array);
    let mut all = all.into_iter().flatten();
    let found = all.find(|it| it["peer"] == peer).cloned();
    found.ok_or_else(|| Error::State(format!("no session with {peer}: {text}")))
}

fn here(pair: &Pair<'_>) -> Result<Value, Error> {
    session(&pair.ctl(&["show", "bfd", "--json"])?)
}

fn number(value: &Value, at: &str) -> u64 {
    value.pointer(at).and_then(Value::as_u64).unwrap_or(0)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or("")
}

fn until(
    lab: &Lab,
    what: &str,
    ask: impl Fn() -> Result<Value, Error>,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Error> {
    let mut last = Value::Null;
    lab.reach(what, PATIENCE, || {
        last = ask()?;
        match wanted(&last) {
            true => Ok(()),
            false => Err(Error::State(last.to_string())),
        }
    })?;
    Ok(last)
}

/// bfdd's only session: what it shows, and its counters.
fn of_frr(frr: &Frr) -> Result<Value, Error> {
    let ask = |words: &str| {
        let shown = frr.vtysh(&[words])?.stdout;
        let shown: Value =
            serde_json::from_str(&shown).map_err(|e| Error::State(e.to_string()))?;
        let first = shown.get(0).cloned();
        first.ok_or_else(|| Error::State(format!("no session: {shown}")))
    };
    let mut session = ask("show bfd peers json")?;
    session["counters"] = ask("show bfd peers counters json")?;
    Ok(session)
}

fn forward(space: &Namespace, on: bool) -> Result<(), Error> {
    let setting = format!("net.ipv4.ip_forward={}", u8::from(on));
    space.run(&["sysctl", "-qw", &setting]).map(drop)
}

/// Our session with a peer; `more` are keys of echo.
fn ours(peer: &str, more: &str) -> String {
    format!("[[bfd]]\npeer = \"{peer}\"\ninterface = \"eth0\"\n{more}\n")
}

const BOTH: &str =
    "echo = true\necho_transmit_interval = \"50ms\"\necho_receive_interval = \"50ms\"";

/// FRR's session with us.
fn theirs(peer: &str, local: &str, echo: &str) -> String {
    format!(
        "bfd\n peer {peer} local-address {local} interface eth0\n  {echo}\n  \
         receive-interval 300\n  transmit-interval 300\n exit\nexit\n"
    )
}

/// So many packets that came back are no accident.
const MANY: u64 = 60;

fn with_frr(lab: &Lab, release: Release, v6: bool) -> Result<(), Error> {
    let name = format!("{release:?}, {}", if v6 { "IPv6" } else { "IPv4" });
    let (left, right) = match v6 {
        false => ("10.9.0.1", "10.9.0.2"),
        true => ("fd09::1", "fd09::2"),
    };
    let mut pair = Pair::build(lab)?;
    forward(&pair.left, true)?;
    forward(&pair.right, true)?;
    // bfdd, which sends IPv6 packets back, has no real-time priority, and the machine may be busy.
    pair.start(&ours(right, &format!("multiplier = 10\n{BOTH}")))?;
    let echo = "echo-mode\n  echo transmit-interval 50\n  echo receive-interval 50";
    let frr = pair.frr(release, &theirs(left, right, echo))?;
    let ready = |it: &Value| it["echo"]["works"] == true && number(it, "/echo/returned") >= MANY;
    let now = until(lab, "ours come back", || here(&pair), ready)?;
    let there = |it: &Value| number(it, "/counters/echo-packet-input") >= MANY;
    let far = until(lab, "FRR's come back", || of_frr(&frr), there)?;
    println!("{name}: here {}; there {}", now["echo"], far["counters"]);
    let (sent, returned) = (number(&now, "/echo/sent"), number(&now, "/echo/returned"));
    assert!(sent <= returned + 20, "{now}");
    assert_eq!(now["echo"]["remote_receive_ms"], 50.0, "{now}");
    assert_eq!(now["echo"]["receive_ms"], 50.0, "{now}");
    assert_eq!(now["echo"]["problem"], Value::Null, "{now}");
    assert_eq!(number(&now, "/flaps"), 0, "{now}");
    assert_eq!(text(&far, "/status"), "up", "{far}");
    // What the kernel does not forward we send back ourselves.
    assert!(!v6 || number(&here(&pair)?, "/echo/looped_back") > 0);
    let shown = pair.ctl(&["vtysh", "-c", "show bfd peers json"])?;
    let shown: Value = serde_json::from_str(&shown).map_err(|e| Error::State(e.to_string()))?;
    for key in ["receive-interval", "transmit-interval"] {
        assert_eq!(shown[0][format!("echo-{key}")], 50, "{shown}");
    }
    assert_eq!(shown[0]["remote-echo-receive-interval"], 50, "{shown}");
    assert!(number(&shown[0], "/rtt-max") >= number(&shown[0], "/rtt-min"));
    assert!(number(&shown[0], "/rtt-max") > 0, "{shown}");
    Ok(())
}

#[test]
fn frr_and_we_have_packets_sent_back_by_ipv4() -> Result<(), Error> {
    for release in [Release::Host, Release::Suite("trixie".to_owned())] {
        let name = format!("rfc5880-echo4-{}", matches!(release, Release::Host));
        scenario_beside_others(&name, &WITH_FRR, |lab| {
            with_frr(lab, release.clone(), false)
        })?;
    }
    Ok(())
}

#[test]
fn frr_and_we_have_packets_sent_back_by_ipv6() -> Result<(), Error> {
    for release in [Release::Host, Release::Suite("trixie".to_owned())] {
        let name = format!("rfc5880-echo6-{}", matches!(release, Release::Host));
        scenario_beside_others(&name, &WITH_FRR, |lab| with_frr(lab, release.clone(), true))?;
    }
    Ok(())
}

#[test]
fn packets_that_stay_away_take_the_session_down_while_control_packets_come() -> Result<(), Error> {
    scenario_beside_others("rfc5880-echo-lost", &WITH_FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        forward(&pair.right, true)?;
        pair.start(&ours("10.9.0.2", "echo = true"))?;
        let frr = Release::Suite("trixie".to_owned());
        let frr = pair.frr(
            frr,
            &theirs("10.9.0.1", "10.9.0.2", "echo receive-interval 50"),
        )?;
        let works = |it: &Value| number(it, "/echo/returned") >= MANY && it["state"] == "up";
        let before = until(lab, "ours come back", || here(&pair), works)?;
        assert_eq!(number(&before, "/flaps"), 0, "{before}");

        // The right forwards nothing more; what is for itself it takes as ever.
        forward(&pair.right, false)?;
        let failed = |it: &Value| {
            text(it, "/diagnostic") == "echo function failed" && number(it, "/flaps") >= 1
        };
        let lost = until(lab, "the session is lost", || here(&pair), failed)?;
        let named = |it: &Value| text(it, "/remote-diagnostic") == "echo function failed";
        until(lab, "FRR is told why", || of_frr(&frr), named)?;
        // It is not lost over and over: a second passes, then two, then four.
        let flaps = |it: &Value| number(it, "/flaps") >= 3;
        let now = until(lab, "and once more", || here(&pair), flaps)?;
        println!("{now}");
        let heard = number(&lost, "/received");
        let goes_on = |it: &Value| number(it, "/received") >= heard + 5;
        let later = until(lab, "control packets come", || here(&pair), goes_on)?;
        println!(
            "after {} echo packets: {later}",
            number(&before, "/echo/sent")
        );

        forward(&pair.right, true)?;
        let returned = number(&here(&pair)?, "/echo/returned");
        let back = |it: &Value| works(it) && number(it, "/echo/returned") >= returned + MANY;
        until(lab, "up again, and packets come back", || here(&pair), back)?;
        Ok(())
    })
}

#[test]
fn none_leave_unless_the_peer_offers_to_send_them_back() -> Result<(), Error> {
    scenario_beside_others("rfc5880-echo-offer", &WITH_FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        forward(&pair.right, true)?;
        pair.start(&ours("10.9.0.2", "echo = true"))?;
        let frr = Release::Suite("trixie".to_owned());
        let disabled = theirs("10.9.0.1", "10.9.0.2", "echo receive-interval disabled");
        let frr = pair.frr(frr, &disabled)?;
        let waits = |it: &Value| {
            text(it, "/echo/problem").contains("does not offer") && it["state"] == "up"
        };
        let now = until(lab, "why none leave", || here(&pair), waits)?;
        assert_eq!(number(&now, "/echo/sent"), 0, "{now}");
        let table = pair.ctl(&["show", "bfd"])?;
        assert!(table.contains("does not offer"), "{table}");
        // RFC 5880 §6.8.9: not faster than the peer says.
        frr.configure(&[
            "bfd",
            "peer 10.9.0.1 local-address 10.9.0.2 interface eth0",
            "echo receive-interval 400",
        ])?;
        let slow = |it: &Value| it["echo"]["interval_ms"] == 400.0 && it["echo"]["works"] == true;
        until(lab, "at the peer's pace", || here(&pair), slow)?;
        assert_eq!(number(&here(&pair)?, "/flaps"), 0);
        Ok(())
    })
}

#[test]
fn nothing_is_offered_that_the_host_would_not_send_back() -> Result<(), Error> {
    scenario_beside_others("rfc5880-echo-host", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        for space in [&pair.left, &pair.right] {
            forward(space, false)?;
        }
        pair.start(&ours("10.9.0.2", BOTH))?;
        let second = pair.second(&ours("10.9.0.1", BOTH))?;
        let there = || session(&second.ctl(&["show", "bfd", "--json"])?.stdout);
        let refuses = |it: &Value| {
            text(it, "/echo/problem").contains("net.ipv4.conf.eth0.forwarding is 0")
                && it["state"] == "up"
        };
        let now = until(lab, "the left cannot", || here(&pair), refuses)?;
        assert_eq!(now["echo"]["receive_ms"], Value::Null, "{now}");
        assert_eq!(number(&now, "/echo/sent"), 0, "{now}");
        until(lab, "the right cannot", there, refuses)?;
        // From then on that they forward they offer it, without a session going down.
        forward(&pair.left, true)?;
        forward(&pair.right, true)?;
        let works = |it: &Value| number(it, "/echo/returned") >= MANY;
        for now in [
            until(lab, "the left's come back", || here(&pair), works)?,
            until(lab, "the right's come back", there, works)?,
        ] {
            assert_eq!(number(&now, "/flaps"), 0, "{now}");
            assert_eq!(now["echo"]["problem"], Value::Null, "{now}");
        }
        // By IPv6 the programs do it, also between link-local addresses.
        let link_local = |space: &Namespace| {
            let shown = space.json("ip", "-j -6 addr show dev eth0 scope link")?;
            let all = shown.pointer("/0/addr_info").and_then(Value::as_array);
            let mut all = all.into_iter().flatten();
            let address = all.find_map(|it| it.get("local")?.as_str().map(str::to_owned));
            address.ok_or_else(|| Error::State(shown.to_string()))
        };
        let [left, right] = [link_local(&pair.left)?, link_local(&pair.right)?];
        pair.reload(&ours(&right, BOTH))?;
        second.reload_to(&ours(&left, BOTH))?;
        let both = |it: &Value| works(it) && number(it, "/echo/looped_back") >= MANY;
        until(
            lab,
            "between link-local addresses, left",
            || here(&pair),
            both,
        )?;
        until(lab, "between link-local addresses, right", there, both)?;
        Ok(())
    })
}

const OVER_WIREGUARD: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::Tun,
    Requirement::Rbgpd,
];

/// A packet to our own address leaves a WireGuard interface through no peer. By IPv6 packets go to
/// the peer's address, and come back.
#[test]
fn over_wireguard_only_packets_to_the_peers_address_come_back() -> Result<(), Error> {
    scenario("rfc5880-echo-wireguard", &OVER_WIREGUARD, |lab| {
        let plan = Plan::new(Underlay::WireGuard, vec![Program::Rbgpd; 2]).vnis(&[]);
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        lab.reach("BFD is up", PATIENCE, || {
            let a = cloud.at(1)?;
            a.node().bfd_up(a.peer(2))
        })?;
        for (site, other) in [(1, 2), (2, 1)] {
            forward(cloud.at(site)?.space(), true)?;
            let more: Vec<String> = [format!("10.10.0.{other}"), format!("fd10::{other}")]
                .iter()
                .map(|peer| format!("\n[[bfd]]\npeer = \"{peer}\"\n{BOTH}\n"))
                .collect();
            let more = more.concat();
            cloud
                .at(site)?
                .node()
                .reload(|text| text.to_owned() + &more)?;
        }
        for (site, other) in [(1, 2), (2, 1)] {
            let node = cloud.at(site)?.node();
            let shown = |peer: &str| {
                let output = node.ctl(&["show", "bfd", "--json"])?;
                session_with(&output.stdout, peer)
            };
            let [v4, v6] = [format!("10.10.0.{other}"), format!("fd10::{other}")];
            let works = |it: &Value| {
                number(it, "/echo/returned") >= MANY && number(it, "/echo/looped_back") >= MANY
            };
            let now = until(lab, "those of IPv6 come back", || shown(&v6), works)?;
            assert_eq!(now["echo"]["problem"], Value::Null, "{now}");
            assert_eq!(number(&now, "/flaps"), 0, "{now}");

            let refused = |it: &Value| text(it, "/echo/problem").contains("`wg0`");
            let now = until(lab, "those of IPv4 do not leave", || shown(&v4), refused)?;
            for words in ["AllowedIPs", "IPv6"] {
                assert!(text(&now, "/echo/problem").contains(words), "{now}");
            }
            assert_eq!(number(&now, "/echo/sent"), 0, "{now}");
            // Nobody is told to send what would not come back either.
            assert_eq!(now["echo"]["receive_ms"], Value::Null, "{now}");
            assert_eq!(now["state"], "up", "{now}");
            assert_eq!(number(&now, "/flaps"), 0, "{now}");
            let table = node.ctl(&["show", "bfd"])?.stdout;
            assert!(table.contains("AllowedIPs"), "{table}");
            let log = std::fs::read_to_string(cloud.at(site)?.rbgpd()?.log()).unwrap_or_default();
            let line = format!("BFD echo does not work peer={v4}");
            assert_eq!(log.matches(&line).count(), 1, "{log}");
        }
        Ok(())
    })
}

/// The left is in a VRF: its packets leave and come back there, those of the right are forwarded by
/// the VRF's table, or sent back by the socket that is in it.
#[test]
fn packets_come_back_in_a_vrf() -> Result<(), Error> {
    let needs = [NEEDS.as_slice(), &[Requirement::Vrf]].concat();
    scenario("rfc5880-echo-vrf", &needs, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.left.ip("link add red type vrf table 100")?;
        pair.left.ip("link set red up")?;
        pair.left.ip("link set eth0 master red")?;
        // A device that enters a VRF loses the other addresses of IPv6.
        pair.left.ip("addr add fd09::1/64 dev eth0 nodad")?;
        for space in [&pair.left, &pair.right] {
            forward(space, true)?;
        }
        // In a guest there is one processor for all.
        let slower = format!("multiplier = 10\n{BOTH}");
        let of_left = |peer: &str| ours(peer, &format!("vrf = \"red\"\n{slower}"));
        pair.start(&[of_left("10.9.0.2"), of_left("fd09::2")].concat())?;
        let right = [ours("10.9.0.1", &slower), ours("fd09::1", &slower)].concat();
        let right = pair.second(&right)?;
        let here = |peer: &str| session_with(&pair.ctl(&["show", "bfd", "--json"])?, peer);
        let there = |peer: &str| {
            let output = right.ctl(&["show", "bfd", "--json"])?;
            session_with(&output.stdout, peer)
        };
        let works = |it: &Value| number(it, "/echo/returned") >= MANY && it["state"] == "up";
        for host in ["10.9.0.", "fd09::"] {
            let [left, right] = [format!("{host}1"), format!("{host}2")];
            let ours = until(lab, "the VRF's come back", || here(&right), works)?;
            let theirs = until(lab, "the other side's do", || there(&left), works)?;
            for now in [ours, theirs] {
                assert_eq!(now["echo"]["problem"], Value::Null, "{now}");
                let looped_back = number(&now, "/echo/looped_back");
                assert_eq!(looped_back > 0, host == "fd09::", "{now}");
            }
        }
        // The right drops what it should forward there, of which its BFD knows nothing.
        let dropped = "iif eth0 to 10.9.0.1 blackhole";
        pair.right.ip(&format!("rule add {dropped}"))?;
        let failed = |it: &Value| {
            text(it, "/diagnostic") == "echo function failed" && number(it, "/flaps") >= 1
        };
        until(lab, "the session is lost", || here("10.9.0.2"), failed)?;
        pair.right.ip(&format!("rule del {dropped}"))?;
        let up = |it: &Value| it["state"] == "up" && it["echo"]["works"] == true;
        until(lab, "up again", || here("10.9.0.2"), up)?;
        Ok(())
    })
}
