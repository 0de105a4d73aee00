//! Why a session is not up: each cause is provoked with a real neighbour, and `show neighbors
//! ADDR` must name it, from which side it is, and what to do.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR AS 65002, 10.9.0.2
//! ```
//!
//! What is wrong in a file (a neighbour there twice, a map that is not defined, ranges that
//! overlap) is said at load: `daemon/src/config/tests/broken.errors` and the tests of
//! `daemon/src/config/accept/`.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::blackbox::{self, Bench, Setup, message};
use conformance::lab::{
    Error, Lab, Pair, Rbgpd, Release, Requirement, scenario_beside_others, toward,
};

const PATIENCE: Duration = Duration::from_secs(60);

const FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

/// Our neighbour with these keys.
fn ours(keys: &str) -> String {
    let family = match keys.contains("_unicast") {
        true => "",
        false => "ipv4_unicast = {}\n",
    };
    let remote_as = match keys.contains("remote_as") {
        true => "",
        false => "remote_as = 65002\n",
    };
    format!(
        "[[neighbor]]\naddress = \"10.9.0.2\"\n{remote_as}\
         timers = {{ hold = \"3s\", connect_retry = \"1s\" }}\n{family}{keys}\n"
    )
}

/// FRR with this neighbour, if any.
fn theirs(asn: u32, router_id: &str, neighbor: &[&str]) -> String {
    let mut text = format!(
        "router bgp {asn}\n bgp router-id {router_id}\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n"
    );
    for line in neighbor {
        text += &format!(" neighbor 10.9.0.1 {line}\n");
    }
    text + " address-family ipv4 unicast\n  network 192.0.2.0/24\n  network 198.51.100.0/24\n"
}

/// The usual words of FRR about us.
const PLAIN: [&str; 2] = ["remote-as 65001", "timers connect 1"];

/// The same with a password.
const SIGNED: [&str; 3] = [
    "remote-as 65001",
    "timers connect 1",
    "password another-word",
];

/// What we and FRR are told, and what our operator reads then.
struct Case<'a> {
    name: &'a str,
    ours: String,
    theirs: String,
    shown: &'a [&'a str],
}

fn play(lab: &Lab, case: &Case<'_>) -> Result<(), Error> {
    let mut pair = Pair::build(lab)?;
    pair.start(&case.ours)?;
    let mut frr = pair.frr(Release::Host, &case.theirs)?;
    let shown = pair.until_shown("10.9.0.2", case.shown).map(drop);
    frr.kill9()?;
    shown
}

fn each(cases: &[Case<'_>]) -> Result<(), Error> {
    for case in cases {
        scenario_beside_others(case.name, &FRR, |lab| play(lab, case))?;
    }
    Ok(())
}

#[test]
fn as_numbers_router_ids_and_families_that_do_not_fit() -> Result<(), Error> {
    let frr = |lines: &[&str]| theirs(65002, "10.9.0.2", lines);
    let ipv6_only = frr(&PLAIN)
        .replace(
            " no bgp network",
            " no bgp default ipv4-unicast\n no bgp network",
        )
        .replace(
            " address-family ipv4 unicast\n",
            " address-family ipv6 unicast\n  neighbor 10.9.0.1 activate\n exit-address-family\n \
             address-family ipv4 unicast\n",
        );
    each(&[
        Case {
            name: "why-as-here",
            ours: ours("remote_as = 65009"),
            theirs: frr(&PLAIN),
            shown: &[
                "Not up, from this side: the peer says it is AS 65002, the configuration expects \
                 AS 65009",
                "Remedy: set `remote_as = 65002` for this neighbor",
            ],
        },
        Case {
            name: "why-as-there",
            ours: ours(""),
            theirs: frr(&["remote-as 65009", "timers connect 1"]),
            shown: &[
                "Not up, from the neighbor's side: the peer closed: OPEN Message Error/Bad Peer \
                 AS",
                "Remedy: the peer expects another AS number than ours: compare `asn` here with \
                 the peer's configured remote AS",
            ],
        },
        Case {
            name: "why-router-id",
            ours: ours("remote_as = 65001"),
            theirs: theirs(65001, "10.9.0.1", &PLAIN),
            shown: &[
                "Not up, from this side: the peer's BGP identifier 10.9.0.1 is also ours, in the \
                 same AS",
                "Remedy: give one of the two routers another `router_id` than 10.9.0.1",
            ],
        },
        Case {
            name: "why-family",
            ours: ours(""),
            theirs: ipv6_only,
            shown: &[
                "Not up, from this side: no common address family: here ipv4_unicast; at the \
                 peer ipv6_unicast",
                "Remedy: activate at least one address family on both sides",
            ],
        },
    ])
}

#[test]
fn neighbours_that_do_not_answer_or_do_not_know_us() -> Result<(), Error> {
    let frr = |lines: &[&str]| theirs(65002, "10.9.0.2", lines);
    each(&[
        Case {
            name: "why-unknown-there",
            ours: ours(""),
            theirs: frr(&[]),
            shown: &[
                "Not up, from the neighbor's side: the peer closed the connection in OpenSent \
                 without a NOTIFICATION",
                "Remedy: the peer closed without a word before its OPEN: usually it has no \
                 neighbor configured with our address",
            ],
        },
        Case {
            name: "why-password",
            ours: ours("password = \"one-word\""),
            theirs: frr(&SIGNED),
            shown: &[
                "Not up, on the way: no answer to the connection attempt",
                "Remedy: one of: the passwords differ or the other side has none",
                "with a wrong signature",
            ],
        },
        Case {
            name: "why-password-there",
            ours: ours(""),
            theirs: frr(&SIGNED),
            shown: &[
                "Not up, on the way: no answer to the connection attempt",
                "Remedy: one of: the other side has a password and we have none",
            ],
        },
        // FRR sends with TTL 1 to a neighbour in another AS.
        Case {
            name: "why-ttl",
            ours: ours("ttl_security = 1\npassive = true"),
            theirs: frr(&PLAIN),
            shown: &[
                "Not up, from this side: a connection of the peer was turned away: it came with \
                 TTL 1, and 255 is the least (RFC 5082 §3)",
                "Remedy: the peer is farther away than `ttl_security` says",
            ],
        },
    ])
}

#[test]
fn limits_and_orders() -> Result<(), Error> {
    let frr = |lines: &[&str]| theirs(65002, "10.9.0.2", lines);
    each(&[
        Case {
            name: "why-maximum",
            ours: ours("ipv4_unicast = { maximum_prefixes = 1 }"),
            theirs: frr(&PLAIN),
            shown: &[
                "Not up, from this side: more than 1 ipv4_unicast prefixes received",
                "Remedy: raise `maximum_prefixes`, or filter at the peer and `rbgpctl clear` it",
            ],
        },
        Case {
            name: "why-shutdown",
            ours: ours("shutdown = \"moving house\""),
            theirs: frr(&PLAIN),
            shown: &[
                "Not up, from this side: administrative shutdown",
                "moving house",
            ],
        },
    ])
}

#[test]
fn a_limit_of_the_neighbour() -> Result<(), Error> {
    let needs = [
        Requirement::Root,
        Requirement::Program("bird"),
        Requirement::Rbgpd,
    ];
    scenario_beside_others("why-maximum-there", &needs, |lab| {
        let mut pair = Pair::build(lab)?;
        let networks = "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\", \"10.2.0.0/16\"]\n";
        pair.start(&format!("{networks}{}", ours("")))?;
        let _bird = pair.bird(
            "router id 10.9.0.2;\nprotocol bgp left {\n  local 10.9.0.2 as 65002;\n  \
             neighbor 10.9.0.1 as 65001;\n  connect retry time 1;\n  \
             ipv4 { import all; export none; receive limit 1 action disable; };\n}\n",
        )?;
        let shown = [
            "Not up, from the neighbor's side: the peer closed: Cease/Maximum Number of Prefixes \
             Reached",
            "Remedy: we send more prefixes than the peer allows",
        ];
        pair.until_shown("10.9.0.2", &shown).map(drop)
    })
}

#[test]
fn a_neighbour_that_hangs_and_addresses_that_nobody_has() -> Result<(), Error> {
    scenario_beside_others("why-hold-timer", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        let nobody = ["10.9.0.77", "192.0.2.77"];
        let nobody = nobody.map(|address| toward(address, 65002, "ipv4_unicast = {}"));
        let nobody = nobody.concat();
        pair.start(&format!("{}{nobody}", ours("")))?;
        let mut frr = pair.frr(Release::Host, &theirs(65002, "10.9.0.2", &PLAIN))?;
        pair.until_shown(
            "192.0.2.77",
            &[
                "Not up, from this side: no route to the address",
                "Remedy: this host has no route to the peer: check the interface, its address and \
             `ip route get`",
            ],
        )?;
        pair.until_shown(
            "10.9.0.77",
            &[
                "Not up, on the way:",
                "the address is not reachable (`ping`), or a firewall drops TCP port 179",
            ],
        )?;

        pair.until_established("10.9.0.2")?;
        frr.freeze(true)?;
        let shown = pair.until_shown("10.9.0.2", &[
            "Not up, from this side: no message from the peer for 3 s in Established",
            "Remedy: nothing came from the peer: check the path (MTU, loss) and the peer's load",
        ]);
        frr.freeze(false)?;
        frr.kill9()?;
        shown.map(drop)
    })
}

/// What one of two rbgpd is told, and what its operator reads.
struct End<'a> {
    config: String,
    shown: &'a [&'a str],
    /// One line of its log has all of these.
    logged: &'a [&'a str],
}

/// Both ends say why, each from its side.
fn both(name: &str, head: (u32, u8), ends: [End<'_>; 2]) -> Result<(), Error> {
    let needs = [Requirement::Root, Requirement::Rbgpd];
    scenario_beside_others(name, &needs, |lab| {
        let [left, right] = &ends;
        // The one of the two that tests identifiers has the same on both sides.
        let head_of_left = (65001, if head.0 == 65001 { head.1 } else { 1 });
        let mut pair = Pair::build(lab)?;
        pair.start_as(head_of_left, &left.config)?;
        let second = pair.second_as(head, &right.config)?;
        for (end, rbgpd, other) in [
            (left, &pair.rbgpd, "10.9.0.2"),
            (right, &second, "10.9.0.1"),
        ] {
            if end.shown.is_empty() {
                continue;
            }
            shown_by(lab, rbgpd, other, end.shown)?;
            lab.reach("the log says so", PATIENCE, || {
                let log = log_of(rbgpd)?;
                let said = |line: &str| end.logged.iter().all(|text| line.contains(text));
                match log.lines().any(said) {
                    true => Ok(()),
                    false => Err(Error::State(log)),
                }
            })?;
        }
        Ok(())
    })
}

/// Waits until `show neighbors` of one rbgpd has these texts.
fn shown_by(lab: &Lab, rbgpd: &Rbgpd, other: &str, texts: &[&str]) -> Result<(), Error> {
    lab.reach(&texts.join(", "), PATIENCE, || {
        let output = rbgpd.ctl(&["show", "neighbors", other])?;
        let words: Vec<&str> = output.stdout.split_whitespace().collect();
        let shown = words.join(" ");
        match texts.iter().all(|text| shown.contains(text)) {
            true => Ok(()),
            false => Err(Error::State(output.text())),
        }
    })
    .map(drop)
}

/// The neighbour on the other end, with these keys.
fn to(host: u8, remote_as: u32, keys: &str) -> String {
    let family = match keys.contains("_unicast") {
        true => "",
        false => "ipv4_unicast = {}\n",
    };
    format!(
        "[[neighbor]]\naddress = \"10.9.0.{host}\"\nremote_as = {remote_as}\n\
         timers = {{ hold = \"3s\", connect_retry = \"1s\" }}\n{family}{keys}\n"
    )
}

#[test]
fn each_of_two_rbgpd_says_why_from_its_side() -> Result<(), Error> {
    let normal = (65002, 2);
    let nothing = || End {
        config: String::new(),
        shown: &[],
        logged: &[],
    };
    both(
        "why-both-as",
        normal,
        [
            End {
                config: to(2, 65009, ""),
                shown: &[
                    "Not up, from this side: the peer says it is AS 65002, the configuration \
                     expects AS 65009",
                    "Remedy: set `remote_as = 65002` for this neighbor, or correct the peer's own \
                     AS number; the peer must expect AS 65001",
                ],
                logged: &[
                    "WARN",
                    "the peer says it is AS 65002",
                    "hint=\"set `remote_as",
                ],
            },
            End {
                config: to(1, 65001, ""),
                shown: &[
                    "Not up, from the neighbor's side: the peer closed: OPEN Message Error/Bad \
                     Peer AS",
                    "Remedy: the peer expects another AS number than ours",
                ],
                logged: &[
                    "WARN",
                    "Bad Peer AS",
                    "hint=\"the peer expects another AS number",
                ],
            },
        ],
    )?;
    both(
        "why-both-password",
        normal,
        [
            End {
                config: to(2, 65002, "password = \"one\""),
                shown: &[
                    "Not up, on the way: no answer to the connection attempt",
                    "Remedy: one of: the passwords differ or the other side has none",
                    "with a wrong signature",
                ],
                logged: &["WARN", "no answer to the connection attempt", "password"],
            },
            End {
                config: to(1, 65001, "password = \"two\""),
                shown: &["Remedy: one of: the passwords differ or the other side has none"],
                logged: &["WARN", "no answer to the connection attempt"],
            },
        ],
    )?;
    both(
        "why-both-ttl",
        normal,
        [
            End {
                config: to(2, 65002, "ttl_security = 1\npassive = true"),
                shown: &[
                    "Not up, from this side: a connection of the peer was turned away: it came \
                     with TTL 1, and 255 is the least (RFC 5082 §3)",
                    "Remedy: the peer is farther away than `ttl_security` says, or does not send \
                     with TTL 255: set it there too",
                ],
                logged: &["WARN", "connection turned away", "it came with TTL 1"],
            },
            End {
                config: to(1, 65001, ""),
                shown: &[
                    "Not up, from the neighbor's side:",
                    "or counts hops (`ttl_security` there, and then here too)",
                ],
                logged: &["WARN", "in OpenSent", "`ttl_security` there"],
            },
        ],
    )?;
    both(
        "why-both-family",
        normal,
        [
            End {
                config: to(2, 65002, ""),
                shown: &[
                    "Not up, from this side: no common address family: here ipv4_unicast; at the \
                     peer ipv6_unicast",
                    "Remedy: activate at least one address family on both sides",
                ],
                logged: &["WARN", "no common address family: here ipv4_unicast"],
            },
            End {
                config: to(1, 65001, "ipv6_unicast = {}"),
                shown: &["no common address family: here ipv6_unicast; at the peer ipv4_unicast"],
                logged: &["WARN", "no common address family: here ipv6_unicast"],
            },
        ],
    )?;
    let two = "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\", \"10.2.0.0/16\"]\n";
    both(
        "why-both-maximum",
        normal,
        [
            End {
                config: to(2, 65002, "ipv4_unicast = { maximum_prefixes = 1 }"),
                shown: &[
                    "Not up, from this side: more than 1 ipv4_unicast prefixes received",
                    "Remedy: raise `maximum_prefixes`, or filter at the peer and `rbgpctl clear` it",
                ],
                logged: &[
                    "WARN",
                    "session down",
                    "more than 1 ipv4_unicast prefixes received",
                ],
            },
            End {
                config: format!("{two}{}", to(1, 65001, "")),
                shown: &[
                    "Not up, from the neighbor's side: the peer closed: Cease/Maximum Number of \
                     Prefixes Reached",
                    "Remedy: we send more prefixes than the peer allows: filter on export, or \
                     raise its limit",
                ],
                logged: &[
                    "WARN",
                    "Cease/Maximum Number of Prefixes Reached",
                    "hint=\"we send",
                ],
            },
        ],
    )?;
    both(
        "why-both-unknown",
        normal,
        [
            End {
                config: to(2, 65002, ""),
                shown: &[
                    "Not up, from the neighbor's side:",
                    "Remedy: the peer closed without a word before its OPEN: usually it has no \
                     neighbor configured with our address",
                ],
                logged: &[
                    "WARN",
                    "in OpenSent",
                    "usually it has no neighbor configured",
                ],
            },
            nothing(),
        ],
    )?;
    both(
        "why-both-shutdown",
        normal,
        [
            End {
                config: to(2, 65002, "shutdown = \"moving house\""),
                shown: &["Not up, from this side: administrative shutdown: moving house"],
                logged: &["rbgpd runs"],
            },
            End {
                config: to(1, 65001, ""),
                shown: &[
                    "Not up, from the neighbor's side: the peer closed: Cease/Administrative \
                     Shutdown: \"moving house\"",
                    "Remedy: the peer's operator has shut the session down: ask there",
                ],
                logged: &["WARN", "moving house"],
            },
        ],
    )?;
    // The same identifier on both sides, which an address cannot be.
    let same_id =
        |host: u8, other: u8| to(host, 65001, &format!("local_address = \"10.9.0.{other}\""));
    both(
        "why-both-router-id",
        (65001, 9),
        [
            End {
                config: same_id(2, 1),
                shown: &[
                    "Not up, from this side: the peer's BGP identifier 10.9.0.9 is also ours, in \
                     the same AS",
                    "Remedy: give one of the two routers another `router_id` than 10.9.0.9",
                ],
                logged: &["WARN", "10.9.0.9 is also ours"],
            },
            End {
                config: same_id(1, 2),
                shown: &[
                    "10.9.0.9 is also ours, in the same AS",
                    "Remedy: give one of the two routers another `router_id` than 10.9.0.9",
                ],
                logged: &["WARN", "10.9.0.9 is also ours"],
            },
        ],
    )
}

/// Somebody who connects without being a neighbour is named in the log, for those who forgot to
/// configure him.
#[test]
fn a_connection_of_a_stranger_is_said_once() -> Result<(), Error> {
    let needs = [Requirement::Root, Requirement::Rbgpd];
    scenario_beside_others("why-stranger", &needs, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&to(2, 65002, ""))?;
        let second = pair.second("")?;
        let said = |log: &str| {
            let said = "connection from an address that is no neighbor, closed";
            log.lines()
                .filter(|line| line.contains(said) && line.contains("10.9.0.1"))
                .count()
        };
        lab.reach("the stranger is named", PATIENCE, || {
            let log = log_of(&second)?;
            match said(&log) > 0 && log.contains("add it as [[neighbor]]") {
                true => Ok(()),
                false => Err(Error::State(log)),
            }
        })?;
        let tries = |pair: &Pair<'_>| -> Result<u64, Error> {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let sent = neighbor.pointer("/sent/open");
            Ok(sent.and_then(serde_json::Value::as_u64).unwrap_or(0))
        };
        let before = tries(&pair)?;
        lab.reach("two more attempts", PATIENCE, || {
            match tries(&pair)? >= before + 2 {
                true => Ok(()),
                false => Err(Error::State("no more attempts".to_owned())),
            }
        })?;
        assert_eq!(said(&log_of(&second)?), 1);
        Ok(())
    })
}

fn log_of(rbgpd: &Rbgpd) -> Result<String, Error> {
    let path = rbgpd.log();
    std::fs::read_to_string(&path).map_err(|e| Error::State(format!("{}: {e}", path.display())))
}

/// No program at hand decides a collision against RFC 4271 §6.8, so the bench plays one.
#[test]
fn a_neighbour_that_keeps_the_other_one_of_two_connections() -> Result<(), blackbox::Error> {
    let setup = Setup::new().peer(2, 65_002);
    let bench = Bench::start(setup.change(2, |neighbor| neighbor.active = true))?;
    let listener = bench.listen(2)?;
    let mut ours = bench.accept(&listener)?;
    let mut theirs = bench.connect(2)?;
    for connection in [&mut ours, &mut theirs] {
        connection.expect_open()?;
        connection.send(&bench.open(2).bytes())?;
    }
    // The identifier of the peer is the higher one, so the connection that it made is kept.
    ours.expect_notification(6, 7)?;
    theirs.send(&message::notification(6, 7, &[]))?;
    theirs.expect_end()?;
    let shown = bench.speaker.shown(bench.host(2))?;
    let reason = "Not up, from the neighbor's side: the peer closed: Cease/Connection Collision \
                  Resolution";
    assert!(shown.contains(reason), "{shown}");
    assert!(
        shown.contains("set `passive = true` on one of them"),
        "{shown}"
    );
    Ok(())
}
