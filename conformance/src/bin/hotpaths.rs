//! The hot paths, each run a given number of times: for a profiler that counts instructions.
//!
//! ```text
//! hotpaths table|octets|decode|decide|load|import|export|policy|plan ROUTES
//! ```
//!
//! Two runs with different numbers give the cost of one route: the difference by the difference.
//! `tests/hot_paths.rs` does that, takes off what a path stands on, and holds the rest against
//! bounds; how long the same work takes on a clock is what `rbgpd-bench` is for.
//!
//! | path | one unit of work | stands on |
//! |---|---|---|
//! | `table` | a prefix of the benchmark's table | |
//! | `octets` | its share in the message that announces it | |
//! | `decode` | that share, from octets to prefix and closed attributes | `octets` |
//! | `decide` | a route of each of two neighbours: table, decision, what the third is told | twice `decode` |
//! | `load` | a route of a neighbour with policy: table, what another one with policy is told | `decode` |
//! | `import` | a route that is there when the import policy is edited for ten others, and back | `load` |
//! | `export` | the same for the export policy | `load` |
//! | `policy` | a route through a route-map of twenty entries, a verdict for each | `table` |
//! | `plan` | a route from wish to kernel operation and its answer | `table` |

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bgp::attributes::NextHop;
use bgp::family::PerFamily;
use bgp::message::{Message, Update};
use bgp::policy::communities;
use bgp::policy::{
    Action, Communities, Entry, Extent, Match, Number, OnMatch, Policy, PrefixList, RouteMap, Set,
};
use bgp::rib::{Config, Input, PeerFacts, PeerFamily, PeerId, Rib};
use bgp::wire::{self, Context};
use bgp::{Asn, AttributeSet, Attributes, Family, Nlri, Prefix, Prefix4};
use bytes::BytesMut;
use conformance::bench::table::{Speaker, Table};
use fib::{Entry as Want, Interface, Link, NextHop as Hop, Observation, Route, RouteKey};

type Fault = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [path, count] => run(path, count),
        _ => Err("two words are needed".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!(
                "error: {fault}\n\nhint: hotpaths table|octets|decode|decide|load|import|export|policy|plan ROUTES"
            );
            ExitCode::from(2)
        }
    }
}

fn run(path: &str, count: &str) -> Result<(), Fault> {
    let count: usize = count.parse()?;
    match path {
        "table" => drop(black_box(Table::generate(count))),
        "octets" => drop(black_box(octets(count, speaker(2)))),
        "decode" => drop(black_box(updates(count, speaker(2))?)),
        "decide" => decide(count)?,
        "load" => drop(load(count)?),
        "import" => edit(count, Edit::Import)?,
        "export" => edit(count, Edit::Export)?,
        "policy" => policy(count)?,
        "plan" => plan(count)?,
        _ => return Err(format!("`{path}` is no path").into()),
    }
    Ok(())
}

fn speaker(host: u8) -> Speaker {
    Speaker {
        asn: 65000 + u32::from(host),
        address: Ipv4Addr::new(10, 10, 0, host),
        prepend: 0,
    }
}

fn context() -> Context {
    let families = PerFamily {
        ipv4_unicast: true,
        ..PerFamily::default()
    };
    Context {
        as4: true,
        families,
        external: true,
        ..Context::default()
    }
}

/// The messages in which a speaker says the table.
fn octets(count: usize, speaker: Speaker) -> BytesMut {
    let table = Table::generate(count);
    let octets = table.announcements(0..table.groups(), speaker);
    BytesMut::from(&octets[..])
}

/// The same, decoded.
fn updates(count: usize, speaker: Speaker) -> Result<Vec<Update>, Fault> {
    let mut octets = octets(count, speaker);
    let mut updates = Vec::new();
    while let Some(frame) = wire::frame(&mut octets, 4096)? {
        if let Message::Update(update) = wire::decode(&frame, &context())? {
            updates.push(update);
        }
    }
    Ok(updates)
}

fn facts(host: u8) -> PeerFacts {
    let own = (Asn(65001), Ipv4Addr::new(10, 10, 0, 1).into());
    let speaker = speaker(host);
    let remote = (Asn(speaker.asn), speaker.address.into());
    let settings = PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll);
    PeerFacts::new(own, remote, speaker.address).family(Family::Ipv4Unicast, settings)
}

fn config() -> Config {
    Config {
        identity: bgp::rib::Identity::new(Ipv4Addr::new(10, 10, 0, 1)),
        default_local_pref: None,
        multipath: PerFamily::default(),
        rules: bgp::rib::Rules::default(),
        seed: 7,
        track: PerFamily::default(),
    }
}

fn decide(count: usize) -> Result<(), Fault> {
    let now = Instant::now();
    let mut rib = Rib::new(config());
    for host in [2, 3, 4] {
        rib.handle(
            now,
            Input::PeerUp {
                peer: PeerId(u16::from(host)),
                facts: facts(host),
                restarting: false,
            },
        );
    }
    for host in [2, 3] {
        let updates = updates(count, speaker(host))?;
        rib.handle(now, Input::Updates(PeerId(u16::from(host)), updates));
        while let Some(output) = rib.poll() {
            if let bgp::rib::Output::Send(peer, batch) = output {
                rib.handle(now, Input::Written(peer, batch.len()));
            }
        }
    }
    black_box(rib.attribute_sets());
    Ok(())
}

/// A table with the routes of one neighbour, of which another one was told.
struct Loaded {
    rib: Rib,
    now: Instant,
    /// Ten of the prefixes.
    few: Vec<Prefix>,
}

fn load(count: usize) -> Result<Loaded, Fault> {
    let table = Table::generate(count);
    let every = (count / EDITED).max(1);
    let few = table.prefixes().iter().step_by(every).take(EDITED);
    let few = few.map(|it| Prefix4::from_bits(it.bits, it.len).map(Prefix::V4));
    let few: Vec<Prefix> = few.collect::<Option<_>>().ok_or("no prefix")?;
    let mut loaded = Loaded {
        rib: Rib::new(config()),
        now: Instant::now(),
        few,
    };
    for host in [2, 3] {
        let peer = PeerId(u16::from(host));
        let mut facts = facts(host);
        facts.families.ipv4_unicast = Some(loaded.settings(host, 1)?);
        let up = Input::PeerUp {
            peer,
            facts,
            restarting: false,
        };
        loaded.rib.handle(loaded.now, up);
    }
    let updates = updates(count, speaker(2))?;
    let received = Input::Updates(PeerId(2), updates);
    loaded.rib.handle(loaded.now, received);
    loaded.sent()?;
    Ok(loaded)
}

/// Prefixes whose policy is edited.
const EDITED: usize = 10;

impl Loaded {
    /// Settings with maps in which the few prefixes get a MED of their own.
    fn settings(&self, host: u8, med: u32) -> Result<PeerFamily, Fault> {
        let rules = self
            .few
            .iter()
            .map(|prefix| format!("permit {prefix}").parse());
        let list = PrefixList::new("FEW", rules.collect::<Result<_, _>>()?)?;
        let map = RouteMap::new(
            "MAP",
            vec![
                Entry::new(10, Action::Permit)
                    .when(Match::PrefixList(Arc::new(list)))
                    .set(Set::Metric(Number::Replace(med))),
                Entry::new(20, Action::Permit).set(Set::LocalPref(Number::Replace(200))),
            ],
        )?;
        let mut settings = facts(host).families.ipv4_unicast.ok_or("no family")?;
        match host {
            2 => settings.import = Policy::Map(Arc::new(map)),
            _ => settings.export = Policy::Map(Arc::new(map)),
        }
        Ok(settings)
    }

    /// What was sent since the last time: prefixes.
    fn sent(&mut self) -> Result<usize, Fault> {
        let mut prefixes = 0;
        while let Some(output) = self.rib.poll() {
            let bgp::rib::Output::Send(peer, batch) = output else {
                continue;
            };
            self.rib.handle(self.now, Input::Written(peer, batch.len()));
            for piece in batch.pieces(peer) {
                let mut octets = BytesMut::from(&piece[..]);
                while let Some(frame) = wire::frame(&mut octets, 4096)? {
                    if let Message::Update(update) = wire::decode(&frame, &context())? {
                        prefixes += update.len();
                    }
                }
            }
        }
        Ok(prefixes)
    }
}

#[derive(Clone, Copy)]
enum Edit {
    Import,
    Export,
}

/// Another MED for the few, and back: of all others nobody hears.
fn edit(count: usize, edit: Edit) -> Result<(), Fault> {
    let mut loaded = load(count)?;
    for med in [2, 1] {
        let host = match edit {
            Edit::Import => 2,
            Edit::Export => 3,
        };
        let settings = loaded.settings(host, med)?;
        let families = PerFamily {
            ipv4_unicast: Some(settings),
            ..PerFamily::default()
        };
        let configure = Input::Configure(PeerId(u16::from(host)), families);
        loaded.rib.handle(loaded.now, configure);
        let sent = loaded.sent()?;
        if sent != EDITED {
            return Err(format!("{sent} prefixes were told and not {EDITED}").into());
        }
    }
    Ok(())
}

/// Twenty entries: half ask for the prefix, the others for attributes.
fn policy(count: usize) -> Result<(), Fault> {
    let mut entries = Vec::new();
    for number in 1..=8_u32 {
        let rules = (0..16).map(|item| format!("permit 10.{number}.{item}.0/24").parse());
        let list = PrefixList::new(format!("L{number}"), rules.collect::<Result<_, _>>()?)?;
        let condition = Match::PrefixList(Arc::new(list));
        entries.push(Entry::new(number, Action::Deny).when(condition));
    }
    for number in 9..=12_u32 {
        let condition = Match::Community {
            communities: Communities::Literal(communities(&format!(
                "{}:{number}",
                number * 1000
            ))?),
            extent: Extent::All,
        };
        entries.push(permit(number, condition));
    }
    for number in 13..=19_u32 {
        entries.push(permit(
            number,
            Match::AsPathContains(Asn(number * 1000 + 7)),
        ));
    }
    entries.push(Entry::new(20, Action::Permit));
    let map = RouteMap::new("HOT", entries)?;
    let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    set.prepend(Asn(65002), 4);
    set.communities = vec!["65002:1".parse()?, "65002:2".parse()?];
    let attributes: Attributes = set.freeze();
    for prefix in Table::generate(count).prefixes() {
        let prefix = Prefix4::from_bits(prefix.bits, prefix.len).ok_or("no prefix")?;
        let verdict = map.evaluate(&Nlri::V4(prefix), &attributes, None);
        black_box(verdict.is_accepted());
    }
    Ok(())
}

fn permit(seq: u32, condition: Match) -> Entry {
    let entry = Entry::new(seq, Action::Permit).when(condition);
    entry
        .set(Set::Metric(Number::Replace(seq)))
        .on_match(OnMatch::Next)
}

fn plan(count: usize) -> Result<(), Fault> {
    const PROTOCOL: u8 = 186;
    let now = Instant::now();
    let mut table = fib::Table::new(PROTOCOL);
    table.observe(Observation::Link(Link::new(1, "eth0")));
    table.links_read();
    let gateway = IpAddr::from([10, 10, 0, 2]);
    let route = Arc::new(Route::via(vec![
        Hop::gateway(gateway).dev(Interface::Index(1)),
    ]));
    for prefix in Table::generate(count).prefixes() {
        let prefix = Prefix::V4(Prefix4::from_bits(prefix.bits, prefix.len).ok_or("no prefix")?);
        table.set(Want::Route(
            RouteKey::new(254, prefix.into()),
            Arc::clone(&route),
        ));
    }
    loop {
        let ops = table.plan(4096, now);
        if ops.is_empty() {
            return Ok(());
        }
        for op in &ops {
            table.done(op, Ok(()), now);
        }
    }
}
