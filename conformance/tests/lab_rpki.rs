//! Origin validation beside a cache of the RPKI and BIRD.
//!
//! ```text
//! left: StayRTR 127.0.0.1:3323 ── rbgpd AS 65001, 10.9.0.1 ───── right: BIRD AS 65002, 10.9.0.2
//! ```
//!
//! BIRD announces a route that is valid, one that is invalid and one of which nothing is known; rbgpd
//! refuses what is invalid, prefers what is valid and tells BIRD its own valid networks alone.

#![allow(missing_docs, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use conformance::lab::{Error, Pair, Requirement, RtrCache, scenario_beside_others};
use serde_json::Value;

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("bird"),
    RtrCache::REQUIREMENT,
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

const BIRD: &str = "\
router id 10.9.0.2;
protocol static {
  ipv4;
  route 192.0.2.0/24 blackhole;
  route 198.51.100.0/24 blackhole;
  route 203.0.113.0/24 blackhole;
}
protocol bgp rbgpd {
  local 10.9.0.2 as 65002;
  neighbor 10.9.0.1 as 65001;
  connect retry time 1;
  connect delay time 1;
  ipv4 { import all; export all; };
}
";

fn ours(rpki: &str) -> String {
    format!(
        "{rpki}[ipv4_unicast]\nnetworks = [\"10.50.0.0/16\", \"10.60.0.0/16\"]\n\
         [[neighbor]]\naddress = \"10.9.0.2\"\nremote_as = 65002\n\
         timers = {{ connect_retry = \"1s\" }}\n\
         ipv4_unicast = {{ import = \"IN\", export = \"OUT\" }}\n\
         [[route_map]]\nname = \"IN\"\nentry = [\n\
         {{ seq = 10, action = \"deny\", match = {{ rpki = \"invalid\" }} }},\n\
         {{ seq = 20, action = \"permit\", match = {{ rpki = \"valid\" }}, set = {{ local_preference = 200 }} }},\n\
         {{ seq = 30, action = \"permit\" }},\n]\n\
         [[route_map]]\nname = \"OUT\"\n\
         entry = [{{ seq = 10, action = \"permit\", match = {{ rpki = \"valid\" }} }}]\n"
    )
}

const CACHE: &str = "[[rpki]]\naddress = \"127.0.0.1:3323\"\nretry = \"2s\"\n";

/// Of what BIRD announces: prefix, accepted, local preference, state.
type Seen = Vec<(String, bool, Option<u64>, Option<String>)>;

fn seen(pair: &Pair<'_>) -> Result<Seen, Error> {
    let text = pair.ctl(&["show", "routes", "--received", "10.9.0.2", "--json"])?;
    let shown: Value = serde_json::from_str(&text).map_err(|e| Error::State(e.to_string()))?;
    let of_table = pair.ctl(&["show", "routes", "--json"])?;
    let of_table: Value =
        serde_json::from_str(&of_table).map_err(|e| Error::State(e.to_string()))?;
    let rows = |value: &Value| value["routes"].as_array().cloned().unwrap_or_default();
    let table = rows(&of_table);
    let routes = rows(&shown).into_iter().map(|route| {
        let text = |key: &str| route[key].as_str().map(str::to_owned);
        let prefix = text("prefix").unwrap_or_default();
        let chosen = table.iter().find(|it| it["prefix"] == prefix.as_str());
        let local_pref = chosen.and_then(|it| it["local_pref"].as_u64());
        let accepted = route["accepted"] == true;
        (
            prefix,
            accepted,
            local_pref.filter(|_| accepted),
            text("rpki"),
        )
    });
    Ok(routes.collect())
}

/// What is wanted of the three routes, in order.
fn wanted(states: [Option<&str>; 3]) -> Seen {
    let prefixes = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"];
    let routes = prefixes.into_iter().zip(states).map(|(prefix, state)| {
        let accepted = state != Some("invalid");
        let local_pref = (state == Some("valid")).then_some(200);
        let state = state.map(str::to_owned);
        (prefix.to_owned(), accepted, local_pref, state)
    });
    routes.collect()
}

#[test]
fn routes_follow_the_cache_and_outlive_it() -> Result<(), Error> {
    scenario_beside_others("rpki", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let mut cache = RtrCache::new(lab, &pair.left)?;
        cache.say(&[
            ("192.0.2.0/24", 24, 65002),
            ("198.51.100.0/22", 24, 64999),
            ("10.50.0.0/16", 16, 65001),
        ])?;
        cache.start(lab)?;
        pair.start(&ours(CACHE))?;
        let bird = pair.bird(BIRD)?;
        pair.until_established("10.9.0.2")?;
        let until = |what: &str, states: [Option<&str>; 3], told: [bool; 2]| {
            let begin = Instant::now();
            lab.reach(what, PATIENCE, || {
                let (found, wanted) = (seen(&pair)?, wanted(states));
                if found != wanted {
                    return Err(Error::State(format!("{found:?}")));
                }
                let routes = bird.ask("show route protocol rbgpd")?.text();
                let has = ["10.50.0.0/16", "10.60.0.0/16"].map(|it| routes.contains(it));
                match has == told {
                    true => Ok(()),
                    false => Err(Error::State(routes)),
                }
            })?;
            println!("{what}: {:?}", begin.elapsed());
            Ok::<(), Error>(())
        };
        let first = [Some("valid"), Some("invalid"), Some("not_found")];
        until("the first answer", first, [true, false])?;
        let of_prefix = pair.ctl(&["show", "rpki", "198.51.100.0/24", "65002"])?;
        assert!(of_prefix.contains("from AS 65002: invalid"), "{of_prefix}");
        assert!(of_prefix.contains("198.51.100.0/22 up to length 24, AS 64999"));
        let why = pair.ctl(&["explain", "198.51.100.0/24"])?;
        assert!(why.contains("rpki invalid"), "{why}");
        assert!(why.contains("invalid, origin AS 65002"), "{why}");

        // The file changes: every state another one.
        cache.say(&[
            ("192.0.2.0/24", 24, 64999),
            ("203.0.113.0/24", 24, 65002),
            ("10.60.0.0/16", 16, 65001),
        ])?;
        let second = [Some("invalid"), Some("not_found"), Some("valid")];
        until("the second answer", second, [false, true])?;

        // It dies: everything stays as it was.
        cache.kill9()?;
        lab.reach("the loss is said", PATIENCE, || {
            let shown = pair.ctl(&["show", "rpki"])?;
            match shown.contains("lost") {
                true => Ok(()),
                false => Err(Error::State(shown)),
            }
        })?;
        until("data of a lost cache", second, [false, true])?;
        let summary = pair.ctl(&["show", "summary"])?;
        assert!(
            summary.contains("RPKI cache 127.0.0.1:3323 is lost"),
            "{summary}"
        );

        // It comes back, in another session and with other data.
        cache.say(&[("192.0.2.0/24", 24, 65002), ("10.50.0.0/16", 16, 65001)])?;
        cache.start(lab)?;
        let third = [Some("valid"), Some("not_found"), Some("not_found")];
        until("the answer of the next session", third, [true, false])?;

        // Without any cache nothing is known, and nothing is said of it.
        pair.rbgpd.reload(|text| text.replace(CACHE, ""))?;
        until("no cache", [None, None, None], [false, false])
    })
}
