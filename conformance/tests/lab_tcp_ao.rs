//! TCP's authentication option (RFC 5925): sessions, wrong keys, and keys that change under a
//! session that stays.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: rbgpd or BIRD AS 65002, 10.9.0.2
//! ```
//!
//! Skipped where the kernel has no TCP-AO, and with BIRD before 2.19 or 3.2.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Lab, Pair, Requirement, scenario_beside_others};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::Rbgpd, Requirement::TcpAo];

const PATIENCE: Duration = Duration::from_secs(60);

const OLD: &str = "{ id = 1, recv_id = 11, secret = \"the old one\" }";
const NEW: &str =
    "{ id = 2, recv_id = 12, secret = \"the new one\", algorithm = \"aes-128-cmac-96\" }";
const OLD_THERE: &str = "{ id = 11, recv_id = 1, secret = \"the old one\" }";
const NEW_THERE: &str =
    "{ id = 12, recv_id = 2, secret = \"the new one\", algorithm = \"aes-128-cmac-96\" }";

const OWN: &str = "{ id = 5, secret = \"own\", algorithm = \"hmac-sha-256-128\" }";

/// A neighbour with these keys.
fn neighbor(host: u8, remote_as: u32, keys: &str) -> String {
    format!(
        "[[neighbor]]\naddress = \"10.9.0.{host}\"\nremote_as = {remote_as}\n{keys}\n\
         timers = {{ hold = \"3s\", connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
    )
}

fn ours(keys: &str) -> String {
    neighbor(2, 65002, &format!("tcp_ao = [{keys}]"))
}

fn theirs(keys: &str) -> String {
    neighbor(1, 65001, &format!("tcp_ao = [{keys}]"))
}

fn number(neighbor: &Value, path: &str) -> u64 {
    neighbor.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// The first session is still the one, and has heard the neighbour for two hold times.
fn same_session_lives(lab: &Lab, pair: &Pair<'_>, step: &str) -> Result<(), Error> {
    let heard = |it: &Value| number(it, "/received/keepalive");
    let before = heard(&pair.neighbor("10.9.0.2")?);
    lab.reach(&format!("six keepalives: {step}"), PATIENCE, || {
        let neighbor = pair.neighbor("10.9.0.2")?;
        assert_eq!(number(&neighbor, "/established"), 1, "{step}: {neighbor}");
        match heard(&neighbor) >= before + 6 {
            true => Ok(()),
            false => Err(Error::State(neighbor.to_string())),
        }
    })
    .map(drop)
}

#[test]
fn keys_change_under_a_session_that_stays() -> Result<(), Error> {
    scenario_beside_others("tcp-ao", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours(OLD))?;
        let mut second = pair.second(&theirs("{ id = 11, recv_id = 1, secret = \"wrong\" }"))?;
        pair.until_shown(
            "10.9.0.2",
            &["Not up, on the way", "the TCP-AO keys differ"],
        )?;
        let they = |keys: &str| second.reload_to(&theirs(keys));

        they(OLD_THERE)?;
        pair.until_established("10.9.0.2")?;
        pair.until_shown("10.9.0.2", &["TCP-AO signs with keys 1 (preferred)"])?;

        let both = |one: &str, two: &str| format!("{one}, {two}");
        pair.reload(&ours(&both(OLD, NEW)))?;
        same_session_lives(lab, &pair, "a second key here")?;
        they(&both(OLD_THERE, NEW_THERE))?;
        same_session_lives(lab, &pair, "a second key there")?;
        they(&both(NEW_THERE, OLD_THERE))?;
        same_session_lives(lab, &pair, "the new key is preferred there")?;
        pair.reload(&ours(&both(NEW, OLD)))?;
        same_session_lives(lab, &pair, "the new key is preferred here")?;
        pair.reload(&ours(NEW))?;
        same_session_lives(lab, &pair, "the old key is gone here")?;
        they(NEW_THERE)?;
        same_session_lives(lab, &pair, "the old key is gone there")?;
        let shown = pair.ctl(&["show", "neighbors", "10.9.0.2"])?;
        assert!(
            shown.contains("TCP-AO signs with keys 2 (preferred)"),
            "{shown}"
        );

        // Without keys on our side nothing is taken for the neighbour's.
        pair.reload(&neighbor(2, 65002, ""))?;
        pair.until_shown("10.9.0.2", &["Not up, on the way"])?;
        pair.reload(&ours(NEW))?;
        pair.until_established("10.9.0.2")?;
        second.kill9()?;
        Ok(())
    })
}

/// BIRD with these keys.
fn bird(keys: &str) -> String {
    format!(
        "router id 10.9.0.2;\nprotocol bgp left {{\n  local 10.9.0.2 as 65002;\n  \
         neighbor 10.9.0.1 as 65001;\n  authentication ao;\n  keys {{ {keys} }};\n  \
         connect retry time 1;\n  ipv4 {{ import all; export none; }};\n}}\n"
    )
}

#[test]
fn bird_takes_the_same_keys_of_every_algorithm() -> Result<(), Error> {
    let bird_knows = Requirement::Accepts {
        program: "bird",
        arguments: &["-p", "-c"],
        file: "router id 10.9.0.2;\nprotocol device {}\nprotocol bgp left {\n  \
               local 10.9.0.2 as 65002;\n  neighbor 10.9.0.1 as 65001;\n  authentication ao;\n  \
               keys { key { id 1; secret \"x\"; algorithm hmac sha1; }; };\n  \
               ipv4 { import all; export none; };\n}\n",
    };
    let needs = [NEEDS.as_slice(), &[bird_knows]].concat();
    for (name, here, there) in [
        ("tcp-ao-bird-sha1", "hmac-sha-1-96", "hmac sha1"),
        ("tcp-ao-bird-cmac", "aes-128-cmac-96", "cmac aes128"),
        ("tcp-ao-bird-sha256", "hmac-sha-256-96", "hmac sha256"),
    ] {
        scenario_beside_others(name, &needs, |lab| {
            let mut pair = Pair::build(lab)?;
            pair.start(&ours(&format!(
                "{{ id = 1, recv_id = 2, secret = \"one\", algorithm = \"{here}\" }}"
            )))?;
            let key =
                format!("key {{ send id 2; recv id 1; secret \"one\"; algorithm {there}; }};");
            let _bird = pair.bird(&bird(&key))?;
            pair.until_established("10.9.0.2")
        })?;
    }
    Ok(())
}

#[test]
fn keys_of_a_range_change_as_well() -> Result<(), Error> {
    scenario_beside_others("tcp-ao-range", &NEEDS, |lab| {
        let range = |keys: &str| {
            format!(
                "[[listen_range]]\nprefix = \"10.9.0.0/28\"\nremote_as = \"external\"\n\
                 tcp_ao = [{keys}]\ntimers = {{ hold = \"3s\" }}\nipv4_unicast = {{}}\n"
            )
        };
        let mut pair = Pair::build(lab)?;
        // One host of the range has keys of its own.
        let own = neighbor(3, 65002, &format!("tcp_ao = [{OWN}]"));
        pair.start(&format!("{}{own}", range(OLD)))?;
        let there = |keys: &str, host: u8| {
            theirs(keys).replacen(
                "remote_as",
                &format!("local_address = \"10.9.0.{host}\"\nremote_as"),
                1,
            )
        };
        let mut second = pair.second(&there(OLD_THERE, 2))?;
        pair.until_established("10.9.0.2")?;
        pair.reload(&format!("{}{own}", range(&format!("{NEW}, {OLD}"))))?;
        second.reload_to(&there(&format!("{OLD_THERE}, {NEW_THERE}"), 2))?;
        same_session_lives(lab, &pair, "a second key on both sides")?;
        pair.reload(&format!("{}{own}", range(NEW)))?;
        same_session_lives(lab, &pair, "the old key of the range is gone")?;
        second.reload_to(&there(OWN, 3))?;
        pair.until_established("10.9.0.3")?;
        second.kill9()?;
        Ok(())
    })
}
