//! Which path is best, and what the kernel makes of it, beside FRR with the same paths.
//!
//! ```text
//!                feeder: BIRD as four neighbours, 3 and 4 of AS 65003, 5 and 6 of AS 65005
//!                  │ 10.8.1.3 to 6                                │ 10.8.2.3 to 6
//!                  │ 10.8.1.13 to 16                              │ 10.8.2.13 to 16
//! left: rbgpd AS 65001                            right: FRR AS 65001
//! ```
//!
//! BIRD has one session with an address, hence one for each of the four. rbgpd and FRR hear the same from each of the four, and have no session with each other.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use conformance::lab::{
    Bird, Error, Frr, Lab, Namespace, Pair, Release, Requirement, scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 5] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::Program("bird"),
    Requirement::Program("ping"),
];

const PATIENCE: Duration = Duration::from_secs(60);

const FEEDERS: [u8; 4] = [3, 4, 5, 6];

/// What one feeder announces: prefixes with what BIRD says of each.
type Feed = BTreeMap<String, String>;

/// Addresses and links of the feeder.
fn feeder(lab: &Lab, pair: &Pair<'_>) -> Result<Namespace, Error> {
    let space = lab.namespace("feeder")?;
    for (side, other) in [(1, &pair.left), (2, &pair.right)] {
        let name = other.name();
        space.ip(&format!(
            "link add eth{side} type veth peer name feed netns {name}"
        ))?;
        space.ip(&format!("link set eth{side} up"))?;
        other.ip("link set feed up")?;
        for last in FEEDERS {
            space.ip(&format!("addr add 10.8.{side}.{last}/24 dev eth{side}"))?;
            other.ip(&format!("addr add 10.8.{side}.1{last}/24 dev feed"))?;
        }
    }
    Ok(space)
}

fn asn(feeder: u8) -> u32 {
    match feeder {
        3 | 4 => 65_003,
        _ => 65_005,
    }
}

/// BIRD that announces to both sides, from a table for each feeder.
fn feed(pair: &Pair<'_>, space: &Namespace, feeds: &BTreeMap<u8, Feed>) -> Result<Bird, Error> {
    let mut config = "router id 10.8.0.9;\n".to_owned();
    for (last, feed) in feeds {
        let _ = write!(
            config,
            "ipv4 table t{last};\nprotocol static s{last} {{\n ipv4 {{ table t{last}; }};\n"
        );
        for (prefix, what) in feed {
            let _ = writeln!(config, " route {prefix} blackhole {{ {what} }};");
        }
        config.push_str("}\n");
        for side in [1, 2] {
            let asn = asn(*last);
            let _ = write!(
                config,
                "protocol bgp b{last}x{side} {{\n router id 10.8.0.{last};\n \
                 local 10.8.{side}.{last} as {asn};\n neighbor 10.8.{side}.1{last} as 65001;\n \
                 strict bind on;\n connect delay time 1;\n connect retry time 1;\n \
                 ipv4 {{ table t{last}; import none; export all; next hop self; }};\n}}\n"
            );
        }
    }
    pair.bird_in(space, &config)
}

fn ours(head: &str, family: &str) -> String {
    let mut config = head.to_owned();
    for last in FEEDERS {
        let asn = asn(last);
        let _ = write!(
            config,
            "[[neighbor]]\naddress = \"10.8.1.{last}\"\nremote_as = {asn}\n\
             local_address = \"10.8.1.1{last}\"\ntimers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{ {family} }}\n"
        );
    }
    config
}

fn frrs(router: &str, family: &str) -> String {
    let mut config = format!(
        "router bgp 65001\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
         bgp bestpath compare-routerid\n bgp deterministic-med\n{router}"
    );
    for last in FEEDERS {
        let asn = asn(last);
        let _ = write!(
            config,
            " neighbor 10.8.2.{last} remote-as {asn}\n neighbor 10.8.2.{last} timers connect 1\n \
             neighbor 10.8.2.{last} update-source 10.8.2.1{last}\n"
        );
    }
    let _ = write!(
        config,
        " address-family ipv4 unicast\n{family} exit-address-family\n"
    );
    config
}

/// What one side has heard and chosen.
#[derive(Debug, Default, PartialEq)]
struct Chosen {
    paths: usize,
    /// Of each prefix the feeder of the best path and of all that are used.
    prefixes: BTreeMap<String, (u8, BTreeSet<u8>)>,
}

impl Chosen {
    fn take(&mut self, prefix: &str, feeder: u8, [best, multipath]: [bool; 2]) {
        self.paths += 1;
        let (first, all) = self.prefixes.entry(prefix.to_owned()).or_default();
        if best {
            *first = feeder;
        }
        if best || multipath {
            all.insert(feeder);
        }
    }

    fn best(self) -> Vec<u8> {
        let prefixes = self.prefixes.into_values();
        prefixes.map(|(best, _)| best).collect()
    }
}

fn flag(path: &Value, name: &str) -> bool {
    path.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn last_octet(path: &Value, name: &str) -> Option<u8> {
    let address = path.get(name)?.as_str()?;
    address.rsplit('.').next()?.parse().ok()
}

fn chosen_by_us(pair: &Pair<'_>) -> Result<Chosen, Error> {
    let text = pair.ctl(&["show", "routes", "--json"])?;
    let shown = parsed(&text)?;
    let routes = shown.get("routes").and_then(Value::as_array);
    let mut chosen = Chosen::default();
    for route in routes.into_iter().flatten() {
        let prefix = route.get("prefix").and_then(Value::as_str);
        let feeder = last_octet(route, "neighbor");
        if let (Some(prefix), Some(feeder)) = (prefix, feeder) {
            chosen.take(
                prefix,
                feeder,
                [flag(route, "best"), flag(route, "multipath")],
            );
        }
    }
    Ok(chosen)
}

fn chosen_by_frr(frr: &Frr) -> Result<Chosen, Error> {
    let shown = parsed(&frr.vtysh(&["show bgp ipv4 unicast json"])?.stdout)?;
    let routes = shown.get("routes").and_then(Value::as_object);
    let mut chosen = Chosen::default();
    for (prefix, paths) in routes.into_iter().flatten() {
        for path in paths.as_array().into_iter().flatten() {
            if let Some(feeder) = last_octet(path, "peerId") {
                chosen.take(
                    prefix,
                    feeder,
                    [flag(path, "bestpath"), flag(path, "multipath")],
                );
            }
        }
    }
    Ok(chosen)
}

fn parsed(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::State(format!("{error}: {text}")))
}

/// Prefixes for which one side chose what the other did not.
fn difference(ours: &Chosen, frrs: &Chosen) -> String {
    let (ours, frrs) = (&ours.prefixes, &frrs.prefixes);
    let prefixes: BTreeSet<&String> = ours.keys().chain(frrs.keys()).collect();
    let differing = prefixes
        .into_iter()
        .filter(|it| ours.get(*it) != frrs.get(*it));
    let lines: Vec<String> = differing
        .map(|it| format!("{it}: {:?}, FRR {:?}", ours.get(it), frrs.get(it)))
        .collect();
    lines.join("\n")
}

/// Both sides have heard everything and made the same of it.
fn alike(lab: &Lab, what: &str, pair: &Pair<'_>, frr: &Frr) -> Result<(), Error> {
    let wanted = PREFIXES * FEEDERS.len();
    let reached = lab.reach(what, PATIENCE, || {
        let (ours, frrs) = (chosen_by_us(pair)?, chosen_by_frr(frr)?);
        match ours == frrs && ours.paths == wanted {
            true => Ok(()),
            false => {
                let heard = format!("{} and {} of {wanted} paths", ours.paths, frrs.paths);
                let differing = difference(&ours, &frrs);
                Err(Error::State(format!("{heard}\n{differing}")))
            }
        }
    });
    reached.map(drop)
}

fn configure(frr: &Frr, lines: &[&str]) -> Result<(), Error> {
    frr.configure(&[&["router bgp 65001"], lines].concat())
}

/// Paths of different lengths, origins and MEDs: the same on every run.
fn mixed() -> BTreeMap<u8, Feed> {
    let mut number = 1_u32;
    let mut draw = |below: u32| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 16) % below
    };
    let mut feeds: BTreeMap<u8, Feed> = BTreeMap::new();
    for third in 0..PREFIXES {
        for last in FEEDERS {
            let mut what = String::new();
            (0..draw(2)).for_each(|_| what.push_str("bgp_path.prepend(64999); "));
            if draw(4) == 0 {
                what.push_str("bgp_origin = ORIGIN_INCOMPLETE; ");
            }
            if let med @ 1.. = draw(4) {
                let _ = write!(what, "bgp_med = {}; ", 10 * med);
            }
            feeds
                .entry(last)
                .or_default()
                .insert(format!("203.0.{third}.0/24"), what);
        }
    }
    feeds
}

const PREFIXES: usize = 64;

#[test]
fn the_best_path_is_that_of_frr_under_every_rule() -> Result<(), Error> {
    scenario_beside_others("decision", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let space = feeder(lab, &pair)?;
        pair.start_forwarding(&ours("", ""))?;
        let frr = pair.frr(Release::Host, &frrs("", "  maximum-paths 1\n"))?;
        let _bird = feed(&pair, &space, &mixed())?;
        alike(lab, "without a rule", &pair, &frr)?;
        let rules = [
            ("always_compare_med", "bgp always-compare-med"),
            ("missing_med_as_worst", "bgp bestpath med missing-as-worst"),
            ("as_path_ignore", "bgp bestpath as-path ignore"),
        ];
        let mut seen = BTreeSet::new();
        for set in 0..8_usize {
            let on = |at: usize| set & (1 << at) != 0;
            let (mut head, mut lines) = ("[bestpath]\n".to_owned(), Vec::new());
            for (at, (key, line)) in rules.iter().enumerate() {
                let _ = writeln!(head, "{key} = {}", on(at));
                lines.push(if on(at) {
                    (*line).to_owned()
                } else {
                    format!("no {line}")
                });
            }
            pair.reload_forwarding(&ours(&head, ""))?;
            configure(&frr, &lines.iter().map(String::as_str).collect::<Vec<_>>())?;
            alike(lab, &lines.join(", "), &pair, &frr)?;
            seen.insert(chosen_by_us(&pair)?.best());
        }
        assert_eq!(seen.len(), 8, "each set of rules chooses otherwise");
        // Several paths of one prefix.
        let shared = "[ipv4_unicast]\nmultipath = { paths = 4, as_path_relax = true }\n";
        pair.reload_forwarding(&ours(shared, ""))?;
        configure(
            &frr,
            &[
                "no bgp always-compare-med",
                "no bgp bestpath med missing-as-worst",
                "no bgp bestpath as-path ignore",
                "bgp bestpath as-path multipath-relax",
                "address-family ipv4 unicast",
                "maximum-paths 4",
            ],
        )?;
        // FRR compares each path with the best one alone: beside a best path of another AS it also
        // uses one whose MED is higher than that of its own AS' other path, which is in use too.
        let (mut fewer, mut more) = (0, 0);
        lab.reach("up to four paths", PATIENCE, || {
            let (ours, frrs) = (chosen_by_us(&pair)?, chosen_by_frr(&frr)?);
            let differing = difference(&ours, &frrs);
            (fewer, more) = (0, 0);
            for (prefix, (best, used)) in &ours.prefixes {
                let (frrs_best, frrs_used) = frrs
                    .prefixes
                    .get(prefix)
                    .ok_or_else(|| Error::State(format!("FRR has no {prefix}")))?;
                let beaten = frrs_used.difference(used).all(|it| {
                    let other = FEEDERS
                        .into_iter()
                        .find(|of| of != it && asn(*of) == asn(*it));
                    other.is_some_and(|other| used.contains(&other))
                });
                if best != frrs_best || !used.is_subset(frrs_used) || !beaten {
                    return Err(Error::State(differing));
                }
                fewer += usize::from(used.len() < frrs_used.len());
                more += usize::from(used.len() > 1);
            }
            Ok(())
        })?;
        assert!(
            more > 10 && fewer > 0 && fewer < more,
            "{more} shared, {fewer} unlike FRR"
        );
        // The weight goes before all of them, whatever they are.
        let heavy = |config: String| {
            let of_four = "address = \"10.8.1.4\"\nremote_as = 65003\n\
                           local_address = \"10.8.1.14\"\ntimers = { connect_retry = \"1s\" }\nipv4_unicast = { ";
            config.replace(of_four, &format!("{of_four}weight = 10"))
        };
        pair.reload_forwarding(&heavy(ours("", "")))?;
        configure(
            &frr,
            &["address-family ipv4 unicast", "neighbor 10.8.2.4 weight 10"],
        )?;
        frr.vtysh(&["clear bgp ipv4 unicast 10.8.2.4 soft in"])?;
        alike(lab, "neighbor 4 has a weight", &pair, &frr)?;
        assert!(chosen_by_us(&pair)?.best().iter().all(|best| *best == 4));
        let explained = pair.ctl(&["explain", "203.0.1.0/24"])?;
        assert!(explained.contains("lower weight"), "{explained}");
        Ok(())
    })
}

/// Shares of the ways of a route in the kernel by their feeder, in lowest terms.
fn shares(space: &Namespace, prefix: &str) -> Result<BTreeMap<u8, u64>, Error> {
    let listed = space.json("ip", &format!("-4 route show {prefix}"))?;
    let ways = listed.pointer("/0/nexthops").and_then(Value::as_array);
    let of = |way: &Value| {
        let weight = way.get("weight").and_then(Value::as_u64)?;
        Some((last_octet(way, "gateway")?, weight))
    };
    let shares: BTreeMap<u8, u64> = ways.into_iter().flatten().filter_map(of).collect();
    let least = shares.values().copied().min().unwrap_or(1).max(1);
    Ok(shares
        .into_iter()
        .map(|(at, it)| (at, it / least))
        .collect())
}

/// A transitive link bandwidth of this many megabits a second.
fn bandwidth(mbit_s: u16) -> String {
    let octets_s = f32::from(mbit_s) * 125_000.0;
    let value = octets_s.to_bits();
    format!("bgp_ext_community.add((generic, 0x0004fde9, {value:#x})); ")
}

#[test]
fn link_bandwidths_are_weights_as_in_frr_and_a_blackhole_drops() -> Result<(), Error> {
    scenario_beside_others("bandwidth", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let space = feeder(lab, &pair)?;
        let head = "[ipv4_unicast]\nmultipath = { paths = 4, as_path_relax = true }\n";
        pair.start_forwarding(&ours(head, ""))?;
        let relax = " bgp bestpath as-path multipath-relax\n";
        let frr = pair.frr(Release::Host, &frrs(relax, "  maximum-paths 4\n"))?;
        let says = |mbit_s: [u16; 4]| {
            FEEDERS.into_iter().zip(mbit_s.map(|it| match it {
                0 => String::new(),
                it => bandwidth(it),
            }))
        };
        let mut feeds: BTreeMap<u8, Feed> = BTreeMap::new();
        for (prefix, mbit_s) in [
            ("203.0.0.0/24", [1000, 1000, 2000, 3000]),
            ("203.0.1.0/24", [1000, 1000, 0, 3000]),
            ("203.0.2.0/24", [0, 0, 0, 0]),
        ] {
            for (last, what) in says(mbit_s) {
                feeds
                    .entry(last)
                    .or_default()
                    .insert(prefix.to_owned(), what);
            }
        }
        let dropped = "bgp_community.add((65535, 666)); ".to_owned();
        feeds
            .entry(3)
            .or_default()
            .insert("203.0.3.1/32".to_owned(), dropped);
        let _bird = feed(&pair, &space, &feeds)?;
        let (left, right) = (pair.left.clone(), pair.right.clone());
        let equal = |what: &str, prefix: &str, wanted: [u64; 4]| {
            let wanted: BTreeMap<u8, u64> = FEEDERS
                .into_iter()
                .zip(wanted)
                .filter(|(_, share)| *share > 0)
                .collect();
            let reached = lab.reach(what, PATIENCE, || {
                let (ours, frrs) = (shares(&left, prefix)?, shares(&right, prefix)?);
                match ours == wanted && frrs == wanted {
                    true => Ok(()),
                    false => Err(Error::State(format!("{ours:?}, FRR {frrs:?}"))),
                }
            });
            reached.map(drop)
        };
        equal("all say", "203.0.0.0/24", [1, 1, 2, 3])?;
        equal("one does not", "203.0.1.0/24", [1, 1, 1, 1])?;
        equal("none does", "203.0.2.0/24", [1, 1, 1, 1])?;
        let with = |bandwidth: &str| format!("{head}[bestpath]\nbandwidth = \"{bandwidth}\"\n");
        pair.reload_forwarding(&ours(&with("skip_missing"), ""))?;
        configure(&frr, &["bgp bestpath bandwidth skip-missing"])?;
        equal("who says nothing is left out", "203.0.1.0/24", [1, 1, 0, 3])?;
        pair.reload_forwarding(&ours(&with("ignore"), ""))?;
        configure(&frr, &["bgp bestpath bandwidth ignore"])?;
        equal("nobody is listened to", "203.0.0.0/24", [1, 1, 1, 1])?;

        // RFC 7999 §3.4: not without a word of the operator, and FRR does the same.
        let route = |space: &Namespace| space.ip("-4 route show 203.0.3.1/32");
        lab.reach("the host is forwarded", PATIENCE, || {
            let seen = [route(&pair.left)?, route(&pair.right)?];
            match seen.iter().all(|it| it.contains("via 10.8.")) {
                true => Ok(()),
                false => Err(Error::State(seen.join(""))),
            }
        })?;
        let distance = "[kernel]\ndistance = { external = 30 }\n";
        let honoring = ours(&format!("{head}{distance}"), "honor_blackhole = true");
        pair.reload_forwarding(&honoring)?;
        lab.reach("it is dropped, and the metric is 30", PATIENCE, || {
            let seen = route(&pair.left)? + &pair.left.ip("-4 route show proto bgp")?;
            let dropped = seen.contains("blackhole 203.0.3.1 proto bgp metric 30");
            match dropped && !seen.contains("metric 20") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })?;
        pair.ctl(&["verify"])?;
        let ping = pair.left.output(&["ping", "-c1", "-W1", "203.0.3.1"])?;
        assert!(
            !ping.ok() && ping.text().contains("Invalid argument"),
            "{}",
            ping.text()
        );
        pair.reload_forwarding(&ours(head, ""))?;
        lab.reach("and forwarded again", PATIENCE, || {
            let seen = pair.left.ip("-4 route show proto bgp")?;
            match seen.contains("203.0.3.1 ") && !seen.contains("metric 30") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })?;
        pair.ctl(&["verify"]).map(drop)
    })
}

#[test]
fn aigp_of_bird_is_compared_and_told_where_it_is_exchanged() -> Result<(), Error> {
    const NEEDS: [Requirement; 3] = [
        Requirement::Root,
        Requirement::Rbgpd,
        Requirement::Program("bird"),
    ];
    scenario_beside_others("aigp", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let neighbor = |last: u8| {
            format!(
                "[[neighbor]]\naddress = \"10.9.0.{last}\"\nremote_as = 6500{last}\n\
                 local_address = \"10.9.0.1{last}\"\naigp = true\n\
                 timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
            )
        };
        let without = neighbor(5).replace("aigp = true", "aigp = false");
        pair.start(&(neighbor(3) + &neighbor(4) + &without))?;
        let mut config = "router id 10.8.0.9;\n".to_owned();
        for (last, metric, path) in [(3, 20, ""), (4, 10, "bgp_path.prepend(64999);"), (5, 0, "")]
        {
            let _ = write!(
                config,
                "ipv4 table t{last};\nprotocol static {{\n ipv4 {{ table t{last}; }};\n"
            );
            if metric > 0 {
                let _ = writeln!(
                    config,
                    " route 203.0.113.0/24 blackhole {{ igp_metric = {metric}; {path} }};"
                );
            }
            let _ = write!(
                config,
                "}}\nprotocol bgp b{last} {{\n router id 10.8.0.{last};\n \
                 local 10.9.0.{last} as 6500{last};\n neighbor 10.9.0.1{last} as 65001;\n \
                 strict bind on;\n connect delay time 1;\n connect retry time 1;\n ipv4 {{ \
                 table t{last}; import all; export all; next hop self; aigp originate; }};\n}}\n"
            );
        }
        let bird = pair.bird(&config)?;
        lab.reach(
            "the longer path with the lower AIGP is best",
            PATIENCE,
            || {
                let seen = pair.ctl(&["explain", "203.0.113.0/24"])?;
                let lost = seen.contains("higher AIGP");
                let told = bird.ask("show route table t3 203.0.113.0/24 all")?.text();
                let untold = bird.ask("show route table t5 203.0.113.0/24 all")?.text();
                let exchanged =
                    told.contains("BGP.aigp: 10") && told.contains("65001 65004 64999");
                let kept = untold.contains("65001 65004 64999") && !untold.contains("aigp");
                match lost && exchanged && kept {
                    true => Ok(()),
                    false => Err(Error::State(format!("{seen}{told}{untold}"))),
                }
            },
        )?;
        Ok(())
    })
}
