//! A file in FRR's language that is edited again and again: after each edit the router is as one
//! that has just started with the file, and sessions end only for what was negotiated.
//!
//! ```text
//! File (lines by what there is one of) ──edit──┬─► its whole text ──read──► configuration ─┐ the same
//!                                              └─► a session's lines ─► what runs, with them ─┘
//! ```
//!
//! Each tenth edit makes the router another one, by turns with its identifier and with its AS number: all
//! sessions end, and the neighbour meets the new one.
//!
//! Edits are random; the seed is printed with what is wrong, and `RBGPD_SEED` takes another one. Files
//! with mistakes are made of the corpus of whole files.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use rbgpd::config::{self, Config};
use rbgpd::control::{Language, Lines, Reply, Request, Routes};
use rbgpd::frr::{self, Host, Source};
use rbgpd::{Options, Router};

use crate::ends::{self, End, ends, neighbors, parse, start, summary, until_is};

/// Pseudorandom numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = std::env::var("RBGPD_SEED").ok();
        Self(seed.and_then(|it| it.parse().ok()).unwrap_or(0x9e37_79b9))
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }
}

/// Something that a file says once, or not at all.
#[derive(Clone)]
struct Slot {
    /// The lines that lead there.
    path: String,
    /// What may stand there; an empty text is nothing.
    ways: Vec<String>,
    /// The neighbour with whom it is negotiated.
    with: Option<IpAddr>,
    /// Another way has to be taken back first.
    apart: bool,
}

/// The router's number is put in where the file is written ([`File::asn`]).
const ROUTER: &str = "router bgp 65001";
const V4: &str = "router bgp 65001\naddress-family ipv4 unicast";
const V6: &str = "router bgp 65001\naddress-family ipv6 unicast";

/// What may be in the file; `live` is the neighbour that is there.
fn slots(live: &End) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut add = |path: &str, ways: &[&str], with: Option<IpAddr>| {
        slots.push(Slot {
            path: path.to_owned(),
            ways: ways.iter().map(|it| (*it).to_owned()).collect(),
            with,
            apart: false,
        });
    };
    let live = live.address;
    for number in 0..14 {
        let address = match number {
            0 => live,
            _ => IpAddr::from([192, 0, 2, number]),
        };
        let line = |rest: &str| format!("neighbor {address} {rest}");
        let with = Some(address);
        let ways = |all: &[&str]| -> Vec<String> {
            let all = all.iter().map(|rest| match *rest {
                "" => String::new(),
                rest => line(rest),
            });
            all.collect()
        };
        let mut say = |path: &str, all: &[&str], with: Option<IpAddr>| {
            let all = ways(all);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            add(path, &all, with);
        };
        if number > 0 {
            say(ROUTER, &["remote-as 65100", "remote-as 65101"], with);
            say(ROUTER, &["", "password one", "password two"], with);
            say(ROUTER, &["", "shutdown"], with);
        }
        say(
            ROUTER,
            &["description first", "description another one", ""],
            None,
        );
        say(ROUTER, &["timers 10 30", "timers 20 60"], with);
        say(
            V4,
            &["", "route-map M0 in", "route-map M1 in", "route-map M2 in"],
            None,
        );
        say(V4, &["route-map M3 out", "route-map M4 out", ""], None);
        say(V4, &["", "prefix-list L0 in", "prefix-list L1 in"], None);
        say(V4, &["", "weight 10", "weight 20"], None);
        say(
            V4,
            &["", "maximum-prefix 1000", "maximum-prefix 2000 80"],
            None,
        );
        say(V4, &["", "allowas-in 2"], None);
        say(V6, &["", "activate"], with);
    }
    for number in 0..40 {
        let plain = format!("network 10.50.{number}.0/24");
        let mapped = format!("{plain} route-map M{}", number % 5);
        add(V4, &[&plain, &mapped, ""], None);
    }
    for list in 0..5 {
        for seq in 1..11 {
            let line = |rest: &str| format!("ip prefix-list L{list} seq {} {rest}", seq * 5);
            let prefix = format!("10.{}.0.0/16 le 24", 50 + seq % 3);
            let ways = [
                line(&format!("permit {prefix}")),
                line(&format!("deny {prefix}")),
                String::new(),
            ];
            // One rule of each list stays.
            let most = if seq == 1 { 2 } else { 3 };
            let ways: Vec<&str> = ways.iter().take(most).map(String::as_str).collect();
            add("", &ways, None);
        }
    }
    for map in 0..5 {
        for entry in 1..4 {
            let path = format!("route-map M{map} permit {}", entry * 10);
            let list = format!("match ip address prefix-list L{}", (map + entry) % 5);
            let other = format!("match ip address prefix-list L{}", (map + entry + 1) % 5);
            add(&path, &[&list, &other, ""], None);
            add(&path, &["set metric 10", "set metric 20", ""], None);
            add(
                &path,
                &[
                    "",
                    "set community 65001:1 additive",
                    "set community 65001:2",
                ],
                None,
            );
            add(
                &path,
                &["", "set local-preference 200", "on-match next"],
                None,
            );
        }
    }
    add(ROUTER, &["", "bgp always-compare-med"], None);
    add(ROUTER, &["", "bgp bestpath med missing-as-worst"], None);
    add(V4, &["maximum-paths 8", "maximum-paths 4", ""], None);
    for slot in &mut slots {
        slot.apart = slot.ways.iter().any(|it| it.starts_with("on-match"));
    }
    slots
}

/// A file: which way each slot has.
struct File {
    slots: Vec<Slot>,
    taken: Vec<usize>,
    /// Lines of the router that never change, but for the identifier.
    session: String,
    maps: String,
    asn: u32,
    /// The last octet of the identifier.
    id: u8,
}

impl File {
    fn new(own: &End, live: &End) -> Self {
        let slots = slots(live);
        let (address, asn, port) = (live.address, live.asn, live.port);
        let session = format!(
            " no bgp ebgp-requires-policy\n no bgp network import-check\n \
             neighbor {address} remote-as {asn}\n neighbor {address} port {port}\n \
             neighbor {address} update-source {}\n neighbor {address} timers connect 1\nexit\n",
            own.address
        );
        let mut maps = String::new();
        for map in 0..5 {
            for entry in 1..4 {
                maps.push_str(&format!("route-map M{map} permit {}\nexit\n", entry * 10));
            }
        }
        Self {
            taken: vec![0; slots.len()],
            slots,
            session,
            maps,
            asn: own.asn,
            id: 1,
        }
    }

    fn numbered(&self, text: &str) -> String {
        text.replace(ROUTER, &format!("router bgp {}", self.asn))
    }

    fn text(&self) -> String {
        let (router, others) = self.parts();
        router + &others
    }

    /// The router and the rest, with the lines of one block together.
    fn parts(&self) -> (String, String) {
        let mut blocks: BTreeMap<&str, String> = BTreeMap::new();
        for (slot, taken) in self.slots.iter().zip(&self.taken) {
            let block = blocks.entry(&slot.path).or_default();
            block.push_str(&format!("  {}\n", slot.ways[*taken]));
        }
        let text = |of_router: bool| -> String {
            let blocks = blocks.iter();
            let blocks = blocks.filter(|(path, _)| path.starts_with(ROUTER) == of_router);
            let blocks = blocks.map(|(path, lines)| format!("{path}\n{lines}end\n"));
            self.numbered(&blocks.collect::<String>())
        };
        let head = format!("{ROUTER}\n bgp router-id 10.0.0.{}\n", self.id);
        let router = format!(
            "{}{}exit\n{}",
            self.numbered(&head),
            self.session,
            text(true)
        );
        (router, format!("{}{}", self.maps, text(false)))
    }

    /// Makes the router another one, which everybody has to negotiate with anew. Returns the lines of a session
    /// that does the same.
    fn turn_into(&mut self, number: usize) -> String {
        if number % 20 < 10 {
            self.id += 10;
            let id = format!("{ROUTER}\nbgp router-id 10.0.0.{}\nend\n", self.id);
            return self.numbered(&id);
        }
        let gone = self.numbered(&format!("no {ROUTER}\n"));
        self.asn += 100;
        gone + &self.parts().0
    }

    /// Changes one thing. Returns the lines of a session that does the same, and with whom that is
    /// negotiated.
    fn edit(&mut self, dice: &mut Dice) -> (String, Option<IpAddr>) {
        let at = dice.below(self.slots.len());
        let slot = &self.slots[at];
        let before = self.taken[at];
        let after = (before + 1 + dice.below(slot.ways.len() - 1)) % slot.ways.len();
        self.taken[at] = after;
        let (old, new) = (&slot.ways[before], &slot.ways[after]);
        let mut lines = format!("{}\n", self.numbered(&slot.path));
        if !old.is_empty() && (new.is_empty() || slot.apart) {
            lines.push_str(&format!("no {old}\n"));
        }
        lines.push_str(&format!("{new}\nend\n"));
        (lines, slot.with)
    }
}

fn source(text: &str) -> Vec<Source> {
    vec![Source {
        name: "frr.conf".to_owned(),
        text: text.to_owned(),
    }]
}

fn read(text: &str) -> Config {
    let (_, read) = frr::parse(&source(text), &Host::default(), |_| Ok(()));
    read.map(|(config, _)| config).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", errors.join("\n"))
    })
}

/// Without the kernel, and with neighbours in an order of their own.
fn here(mut config: Config, own: &End) -> Config {
    config.kernel.enabled = false;
    config.listen = vec![(own.address, own.port).into()];
    config.neighbors.sort_by_key(|it| it.address);
    config
        .route_maps
        .sort_by(|one, other| one.name().cmp(other.name()));
    config
}

/// Everything that a router says of itself and of its own routes.
async fn state(router: &Router) -> Vec<String> {
    let running = router.ask(Request::Running(Language::Toml)).await.unwrap();
    let Reply::Running(running) = running else {
        panic!("{running:?}");
    };
    let routes = ends::routes(router, Routes::default()).await.routes;
    let own = routes.into_iter().filter(|it| it.neighbor.is_none());
    let own = own.map(|it| format!("{} {:?} {:?}", it.prefix, it.communities, it.med));
    let families = neighbors(router, None).await.into_iter().map(|it| {
        let families: Vec<_> = it
            .summary
            .families
            .iter()
            .map(|(family, _)| family)
            .collect();
        format!("{} {:?}", it.summary.address, families)
    });
    let mut state: Vec<String> = own.chain(families).collect();
    state.sort();
    state.push(running.text);
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_edits_come_to_what_a_start_with_the_file_comes_to() {
    let [own, other] = ends::<2>(9, 1);
    let mut dice = Dice::new();
    let seed = dice.0;
    let mut file = File::new(&own, &other);
    assert!(file.text().lines().count() > 290);
    let mut config = here(read(&file.text()), &own);
    let mut running = frr::running(&source(&file.text()), &Host::default());
    let router = start(config.clone());
    let toward = other.neighbor(&own, "ipv4_unicast = {}");
    // It takes us whoever we are.
    let toward = toward.replace("remote_as = 65001", "remote_as = \"external\"");
    let peer = start(parse(&(other.head() + &toward)));
    let up = || async { summary(&router).await.neighbors };
    until_is("the session is up", up, |all| {
        let live = all.iter().find(|it| it.address.ip() == other.address);
        live.is_some_and(|it| it.uptime_s.is_some())
    })
    .await;
    let mut bounced = 0;
    for number in 0..50 {
        let another = number % 10 == 4;
        let (lines, with) = match another {
            true => (file.turn_into(number), None),
            false => file.edit(&mut dice),
        };
        let of_file = here(read(&file.text()), &own);
        let host = Host::default();
        let given = frr::configure(&[running], &lines, &host, |_| Ok(()));
        let given =
            given.unwrap_or_else(|errors| panic!("seed {seed}, edit {number}: {lines}{errors:?}"));
        running = given.running;
        let said = format!("seed {seed}, edit {number}:\n{lines}");
        assert_eq!(here(given.config, &own), of_file, "{said}");
        let diff = config::diff(&config, &of_file);
        for (address, change) in &diff.neighbors.changed {
            assert!(
                !change.session_restart || with == Some(address.ip()),
                "{said}{address}"
            );
        }
        bounced += u64::from(another || with == Some(other.address));
        router.apply(of_file.clone()).await;
        config = of_file;
        if another {
            let meets = || async { neighbors(&peer, Some(own.address)).await.remove(0) };
            let (asn, id) = (Some(file.asn), Some([10, 0, 0, file.id].into()));
            until_is("the neighbour meets another router", meets, |it| {
                (it.summary.remote_as, it.router_id) == (asn, id) && it.summary.uptime_s.is_some()
            })
            .await;
        }
        if number % 10 == 9 {
            let mut fresh = Config {
                listen: Vec::new(),
                ..config.clone()
            };
            // To the neighbour it would be the router that runs, back from a restart.
            for neighbor in &mut fresh.neighbors {
                neighbor.passive = true;
            }
            let fresh = Router::start(fresh, Options::default()).unwrap();
            let mut wanted = state(&fresh).await;
            let mut seen = state(&router).await;
            // Where it listens, and that it does not connect.
            let own = ["listen", "passive"];
            for text in wanted.iter_mut().chain(&mut seen) {
                *text = text
                    .lines()
                    .filter(|it| !own.iter().any(|key| it.starts_with(key)))
                    .collect();
            }
            assert_eq!(seen, wanted, "{said}");
            fresh.stop().await;
        }
    }
    let live = neighbors(&router, Some(other.address)).await.remove(0);
    let established = live.established;
    assert!(
        established <= 1 + bounced,
        "seed {seed}: {established} sessions for {bounced} edits"
    );
    router.stop().await;
    peer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_lines_counts_as_a_whole_or_not_at_all() {
    let [own] = ends::<1>(9, 2);
    let text = format!(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = [\"{}:{}\"]\n[kernel]\nenabled = false\n",
        own.address, own.port
    );
    let router = start(parse(&text));
    let ask = |lines: &str| {
        let lines = Lines(lines.to_owned());
        let dry_run = false;
        router.ask(Request::Configure { lines, dry_run })
    };
    // `listen` and `enabled` have no lines in FRR's language, so none can be added.
    let error = ask("router bgp 65001\n network 10.9.0.0/16\n")
        .await
        .unwrap_err();
    let details = error.details.join("\n");
    assert!(details.contains("kernel.enabled = false"), "{error}");
    let Reply::Running(shown) = router.ask(Request::Running(Language::Frr)).await.unwrap() else {
        panic!("no text");
    };
    assert!(
        shown.text.contains("! rbgpd: kernel.enabled = false\n"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("router bgp 65001\n"), "{}", shown.text);
    router.stop().await;
}

/// A file with some mistakes: octets changed, lines gone, twice, or cut off.
fn mutated(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(4) {
        if lines.is_empty() {
            break;
        }
        let at = dice.below(lines.len());
        match dice.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines[at] = lines[at].chars().rev().collect(),
            3 => {
                let keep = dice.below(lines[at].chars().count() + 1);
                lines[at] = lines[at].chars().take(keep).collect();
            }
            4 => {
                let other = dice.below(lines.len());
                lines.swap(at, other);
            }
            _ => {
                const ODD: [char; 8] = ['\0', 'é', '9', '/', ':', ' ', '"', '\u{202e}'];
                let place = dice.below(lines[at].chars().count() + 1);
                let mut all: Vec<char> = lines[at].chars().collect();
                all.insert(place, ODD[dice.below(ODD.len())]);
                lines[at] = all.into_iter().collect();
            }
        }
    }
    lines.join("\n")
}

/// `RBGPD_MUTATIONS` makes more of them.
#[test]
fn files_with_mistakes_are_errors_with_their_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frr/corpus");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let files: Vec<String> = files
        .iter()
        .map(|it| std::fs::read_to_string(it).unwrap())
        .collect();
    let count = std::env::var("RBGPD_MUTATIONS").ok();
    let count: usize = count.and_then(|it| it.parse().ok()).unwrap_or(400);
    let (mut dice, mut refused) = (Dice::new(), 0);
    for _ in 0..count {
        let text = mutated(&files[dice.below(files.len())], &mut dice);
        let sources = source(&text);
        let (translation, read) = frr::parse(&sources, &Host::default(), |_| Ok(()));
        let said = text.lines().count();
        assert!(translation.lines.len() <= said);
        let Err(errors) = read else {
            // What is shown of it reads again.
            let shown = frr::running(&sources, &Host::default());
            assert!(
                frr::parse(&[shown], &Host::default(), |_| Ok(())).1.is_ok(),
                "{text}"
            );
            continue;
        };
        refused += 1;
        assert!(!errors.is_empty());
        for error in errors {
            let place = error.place;
            assert!(
                error.file == "frr.conf" && place.column > 0,
                "{error}\n{text}"
            );
            assert!((1..=said).contains(&place.line), "{error}\n{text}");
        }
    }
    assert!(refused > count / 4, "{refused} of {count}");
}

/// A hundred thousand lines take 1 s of a processor where this is compiled with optimization; here
/// the bound is that of a build without, beside other tests.
#[test]
fn a_long_file_is_read_in_time_that_grows_with_its_length() {
    let file = |routes: usize| -> String {
        let head =
            "router bgp 65001\n bgp router-id 10.0.0.1\n no bgp network import-check\n".to_owned();
        let networks =
            (0..routes).map(|it| format!(" network 10.{}.{}.0/24\n", it / 256, it % 256));
        let rules = (0..routes).map(|it| {
            format!(
                "ip prefix-list L{} permit 10.{}.{}.0/24\n",
                it % 50,
                it / 256,
                it % 256
            )
        });
        head + &networks.collect::<String>() + &rules.collect::<String>()
    };
    let time = |routes: usize| {
        let text = file(routes);
        let begin = std::time::Instant::now();
        let config = read(&text);
        assert_eq!(config.ipv4_unicast.networks.len(), routes);
        begin.elapsed()
    };
    let (short, long) = (time(1_000), time(8_000));
    assert!(
        long < short * 40,
        "{short:?} for 2,000 lines, {long:?} for 16,000"
    );
}
