//! 1,000 BFD sessions at 300 ms × 3 and 100 at 50 ms × 3, on a machine that is busy.
//!
//! ```text
//! left: who is measured ─────────── right: rbgpd, which counts
//!       10.64.a.b on lo, by 10.9.0.2      10.96.a.b on lo, by 10.9.0.1
//!       BGP 10.9.0.1 ◄──────────────────── 10.9.0.9, a million routes that come and go
//! ```
//!
//! The slow sessions are for one hop and the fast ones for several, since BIRD has one interval for
//! each kind. Meanwhile the daemon that is measured learns a million routes and loses them again, as fast
//! as it can; none of them goes to the kernel. A false down is one that the right sees after all have come up. What is printed: downs,
//! seconds of processor time, how often all routes came and went, the machine's load, how much of the detection
//! time had passed when packets of the left came to the right, and of rbgpd how late it came for its timers.
//! In a run of five minutes and more all routes have to come and go at least three times beside rbgpd.
//!
//! In the suite that is ten seconds of rbgpd and 100,000 routes, beside twice as many processes as there
//! are processors that do nothing but run. All of it, FRR and BIRD too, which are
//! measured and not judged:
//!
//! ```text
//! RBGPD_BFD_SECONDS=600 RBGPD_BFD_OTHERS=1 cargo test --release -p rbgpd-conformance \
//!   --test lab_bfd_scale -- --nocapture --test-threads 1
//! ```

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use conformance::bench::table::{Speaker, Table};
use conformance::blackbox::message::Open;
use conformance::blackbox::{Connection, Session};
use conformance::lab::{
    Error, Frr, Lab, Namespace, Pair, Process, Rbgpd, Release, Requirement, scenario, toward,
};
use serde_json::Value;

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const SLOW: usize = 1_000;
const FAST: usize = 100;

/// How long all may take to come up: until then a packet a second.
const PATIENCE: Duration = Duration::from_secs(90);

/// The last two octets of a session's addresses.
fn host(session: usize) -> String {
    format!("{}.{}", session / 250, session % 250 + 1)
}

fn sessions() -> impl Iterator<Item = (String, bool)> {
    (0..SLOW + FAST).map(|session| (host(session), session >= SLOW))
}

fn addresses(space: &Namespace, own: u8, other: u8, gateway: &str) -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("{}-addresses", space.name()));
    // BIRD has sessions over one hop with neighbours in a network of the interface alone.
    let mut batch = format!(
        "route add 10.{other}.0.0/16 via {gateway}\naddr add 10.127.0.{own}/9 dev eth0 noprefixroute\n"
    );
    for (host, _) in sessions() {
        let _ = writeln!(batch, "addr add 10.{own}.{host}/32 dev lo");
    }
    std::fs::write(&path, batch).map_err(|e| Error::State(e.to_string()))?;
    let file = path.to_string_lossy().into_owned();
    let done = space.run(&["ip", "-batch", &file]);
    let _ = std::fs::remove_file(path);
    done.map(drop)
}

fn rbgpd(own: u8, other: u8) -> String {
    let mut text = String::from("[[bfd_profile]]\nname = \"fast\"\ninterval = \"50ms\"\n");
    for (host, fast) in sessions() {
        let _ = writeln!(
            text,
            "[[bfd]]\npeer = \"10.{other}.{host}\"\nlocal = \"10.{own}.{host}\""
        );
        if fast {
            text.push_str("profile = \"fast\"\nmultihop = true\n");
        }
    }
    text
}

/// Where routes come from, in AS 65002.
const TELLER: [u8; 4] = [10, 9, 0, 9];

const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:9179\"\n";

/// What is in rbgpd's configuration beside its sessions.
fn told() -> String {
    toward("10.9.0.9", 65002, "passive = true\nipv4_unicast = {}") + METRICS
}

const TOLD_FRR: &str = "bgp no-rib\nrouter bgp 65001\n bgp router-id 10.9.0.1\n \
                        no bgp ebgp-requires-policy\n neighbor 10.9.0.9 remote-as 65002\n \
                        neighbor 10.9.0.9 passive\nexit\n";

const TOLD_BIRD: &str = "protocol bgp told { local 10.9.0.1 as 65001; neighbor 10.9.0.9 as 65002; passive; \
                         ipv4 { import all; export none; }; }\n";

fn frr() -> String {
    let profile = |name: &str, interval: u32| {
        format!(
            " profile {name}\n  receive-interval {interval}\n  transmit-interval {interval}\n exit\n"
        )
    };
    let profiles = format!("bfd\n{}{}", profile("slow", 300), profile("fast", 50));
    let mut text = format!("{TOLD_FRR}{profiles}");
    for (host, fast) in sessions() {
        let (multihop, profile) = match fast {
            true => (" multihop", "fast"),
            false => ("", "slow"),
        };
        let _ = writeln!(
            text,
            " peer 10.96.{host}{multihop} local-address 10.64.{host}\n  profile {profile}\n exit"
        );
    }
    text
}

fn bird() -> String {
    let mut text = String::from(
        "router id 10.9.0.1;\n@protocol bfd {\n  interface \"eth0\" { interval 300 ms; \
         multiplier 3; };\n  multihop { interval 50 ms; multiplier 3; };\n",
    );
    for (host, fast) in sessions() {
        let where_ = match fast {
            true => format!("local 10.64.{host} multihop"),
            false => format!("dev \"eth0\" local 10.64.{host}"),
        };
        let _ = writeln!(text, "  neighbor 10.96.{host} {where_};");
    }
    text.replace('@', TOLD_BIRD) + "}\n"
}

/// Sessions that are up, and how often any went down.
fn counted(rbgpd: &Rbgpd) -> Result<(usize, u64), Error> {
    let output = rbgpd.ctl(&["show", "bfd", "--json"])?;
    let shown: Value = serde_json::from_str(&output.stdout)
        .map_err(|e| Error::State(format!("{e}: {}", output.text())))?;
    let sessions = shown["sessions"].as_array().cloned().unwrap_or_default();
    let up = sessions.iter().filter(|it| it["state"] == "up").count();
    let downs = sessions.iter().filter_map(|it| it["flaps"].as_u64()).sum();
    Ok((up, downs))
}

/// Processor time of processes so far and, where it has a thread or process of its own, of BFD.
fn seconds(pids: &[u32]) -> [f64; 2] {
    let time = |path: &std::path::Path| {
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        let (name, fields) = stat.rsplit_once(')')?;
        let is_bfd = name.ends_with("(bfd") || name.ends_with("(bfdd");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let time = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some((time(11)? + time(12)?, is_bfd))
    };
    let (mut all, mut bfd) = (0.0, 0.0);
    for pid in pids {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let Some((ticks, is_bfd)) = time(&task.path()) else {
                continue;
            };
            all += ticks;
            bfd += if is_bfd { ticks } else { 0.0 };
        }
    }
    [all / 100.0, bfd / 100.0]
}

/// Routes that come and go until it is dropped.
struct Churn {
    over: Arc<AtomicBool>,
    /// In percent of one.
    rounds: Arc<AtomicU32>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Churn {
    fn start(lab: &Lab, pair: &Pair<'_>, routes: usize) -> Result<Self, Error> {
        let mut session = None;
        lab.reach("a BGP session", PATIENCE, || {
            let connected = pair
                .right
                .within(|| Connection::open(TELLER.into(), ([10, 9, 0, 1], 179).into()))?;
            let established =
                connected.and_then(|it| it.establish(&Open::new(65002, Ipv4Addr::from(TELLER))));
            session = Some(established.map_err(|e| Error::State(e.to_string()))?);
            Ok::<(), Error>(())
        })?;
        let session = session.ok_or_else(|| Error::State("no session".to_owned()))?;
        let (over, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (ends, counts) = (Arc::clone(&over), Arc::clone(&rounds));
        let thread = std::thread::spawn(move || tell(session, routes, &ends, &counts));
        Ok(Self {
            over,
            rounds,
            thread: Some(thread),
        })
    }

    /// How often all of them came and went.
    fn end(mut self) -> Result<f64, Error> {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        let result = thread.map(JoinHandle::join);
        match result {
            Some(Ok(told)) => {
                told.map(|()| f64::from(self.rounds.load(Ordering::Relaxed)) / 100.0)
            }
            _ => Err(Error::State("who tells routes panicked".to_owned())),
        }
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn tell(
    mut session: Session,
    routes: usize,
    over: &AtomicBool,
    rounds: &AtomicU32,
) -> Result<(), Error> {
    let table = Table::generate(routes);
    let speaker = Speaker {
        asn: 65002,
        address: Ipv4Addr::from(TELLER),
        prepend: 0,
    };
    let all = || 0..table.groups();
    let steps = [
        table.announcements(all(), speaker),
        table.withdrawals(all()),
    ];
    let part_octets = 1 << 16;
    let whole: usize = steps.iter().map(|it| it.len().div_ceil(part_octets)).sum();
    let mut parts = 0;
    loop {
        for octets in &steps {
            for part in octets.chunks(part_octets) {
                if over.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let sent = session.send(part);
                let heard = sent.and_then(|()| session.listen(Duration::ZERO));
                heard.map_err(|e| Error::State(e.to_string()))?;
                parts += 1;
                let percent = u32::try_from(parts * 100 / whole).unwrap_or(u32::MAX);
                rounds.store(percent, Ordering::Relaxed);
            }
            digested(&mut session, over)?;
        }
    }
}

/// Waits until all that was told has been worked off: a refresh is answered after that. FRR would otherwise
/// take more and more into its memory.
fn digested(session: &mut Session, over: &AtomicBool) -> Result<(), Error> {
    while !over.load(Ordering::Relaxed) && session.refresh().is_err() {
        // It takes long, or the session has ended.
        let lives = session.listen(Duration::ZERO);
        lives.map_err(|e| Error::State(e.to_string()))?;
    }
    Ok(())
}

/// A histogram of rbgpd: upper ends, and how many were not above.
fn histogram(space: &Namespace, name: &str) -> Result<Vec<(f64, f64)>, Error> {
    let metrics = space.run(&["curl", "-s", "http://127.0.0.1:9179/metrics"])?;
    let start = format!("{name}_bucket{{le=\"");
    let class = |line: &str| {
        let (end, count) = line.strip_prefix(&start)?.split_once("\"} ")?;
        let end = end.parse().unwrap_or(f64::INFINITY);
        Some((end, count.trim().parse().ok()?))
    };
    Ok(metrics.lines().filter_map(class).collect())
}

/// The class that so many parts of all are in, from one look to the next.
fn percentiles(before: &[(f64, f64)], after: &[(f64, f64)]) -> String {
    let counts: Vec<(f64, f64)> = after
        .iter()
        .enumerate()
        .map(|(at, (end, count))| (*end, count - before.get(at).map_or(0.0, |it| it.1)))
        .collect();
    let all = counts.last().map_or(0.0, |it| it.1);
    let text = [0.5, 0.9, 0.99, 0.999, 0.9999, 1.0].map(|part| {
        let found = counts.iter().find(|(_, count)| *count >= all * part);
        format!("p{} ≤ {}", part * 100.0, found.map_or(f64::NAN, |it| it.0))
    });
    format!("{all} packets or timers: {}", text.join(", "))
}

/// Processes that run and do nothing, until they are dropped.
fn load(lab: &Lab, pair: &Pair<'_>) -> Result<Vec<Process>, Error> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let spin = |number: usize| {
        let mut command = pair.left.command("sh");
        command.args(["-c", "while :; do :; done"]);
        let log = lab.folder("load")?.join(format!("{number}.log"));
        lab.spawn("load", command, &log)
    };
    (0..2 * processors).map(spin).collect()
}

/// How long is measured, if that is said.
fn seconds_wanted() -> Option<u64> {
    std::env::var("RBGPD_BFD_SECONDS").ok()?.parse().ok()
}

/// Processes that run or want to, in the mean of the last minute, five minutes and fifteen.
fn machine_load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Downs that the right saw in the time that is measured, and how often all routes came and went.
fn measure(lab: &Lab, pair: &Pair<'_>, name: &str, pids: &[u32]) -> Result<(u64, f64), Error> {
    let time = seconds_wanted();
    let routes = if time.is_some() { 1_000_000 } else { 100_000 };
    let time = Duration::from_secs(time.unwrap_or(10));
    let right = pair.second(&format!("{}{METRICS}", rbgpd(96, 64)))?;
    lab.reach("all sessions are up", PATIENCE, || match counted(&right)? {
        (up, _) if up == SLOW + FAST => Ok(()),
        (up, _) => Err(Error::State(format!("{name}: {up} are up"))),
    })?;
    let load = match routes {
        1_000_000 => Vec::new(),
        _ => load(lab, pair)?,
    };
    let churn = Churn::start(lab, pair, routes)?;
    let gaps = || histogram(&pair.right, "rbgpd_bfd_gap_ratio");
    let (before, first, cpu, start) = (counted(&right)?.1, gaps()?, seconds(pids), Instant::now());
    while start.elapsed() < time {
        std::thread::park_timeout(time.saturating_sub(start.elapsed()));
    }
    let (after, wall) = (seconds(pids), start.elapsed().as_secs_f64());
    let downs = counted(&right)?.1 - before;
    let came = percentiles(&first, &gaps()?);
    let rounds = churn.end();
    drop(load);
    let [all, bfd] = [0, 1].map(|at| after[at] - cpu[at]);
    println!(
        "{name}: {downs} downs in {wall:.0} s; {all:.1} s of a processor ({:.1} %), {bfd:.1} s of them BFD's own \
         ({:.1} %); {routes} routes came and went {} times; load {}; part of the detection time, {came}",
        all * 100.0 / wall,
        bfd * 100.0 / wall,
        rounds
            .as_ref()
            .map_or_else(ToString::to_string, ToString::to_string),
        machine_load(),
    );
    Ok((downs, rounds.unwrap_or(0.0)))
}

fn build(lab: &Lab) -> Result<Pair<'_>, Error> {
    let pair = Pair::build(lab)?;
    addresses(&pair.left, 64, 96, "10.9.0.2")?;
    addresses(&pair.right, 96, 64, "10.9.0.1")?;
    Ok(pair)
}

#[test]
fn no_session_of_eleven_hundred_is_lost_on_a_busy_machine() -> Result<(), Error> {
    scenario("bfd-scale", &NEEDS, |lab| {
        let mut pair = build(lab)?;
        pair.start(&format!("{}{}", rbgpd(64, 96), told()))?;
        let pids: Vec<u32> = pair.rbgpd.pid().into_iter().collect();
        let (downs, rounds) = measure(lab, &pair, "rbgpd", &pids)?;
        let late = histogram(&pair.left, "rbgpd_bfd_lateness_seconds")?;
        println!("rbgpd: seconds late, {}", percentiles(&[], &late));
        assert_eq!(downs, 0, "false downs");
        let long = seconds_wanted().is_some_and(|it| it >= 300);
        assert!(!long || rounds >= 3.0, "all routes came {rounds} times");
        Ok(())
    })
}

#[test]
fn frr_and_bird_are_measured_in_the_same_way() -> Result<(), Error> {
    if std::env::var_os("RBGPD_BFD_OTHERS").is_none() {
        println!("not asked for: RBGPD_BFD_OTHERS=1");
        return Ok(());
    }
    let needs = [
        NEEDS.as_slice(),
        &[Requirement::HostFrr, Requirement::Program("bird")],
    ]
    .concat();
    scenario("bfd-scale-frr", &needs, |lab| {
        let pair = build(lab)?;
        let mut bfdd = Frr::new(Release::Host, pair.left.clone(), lab.folder("frr")?);
        bfdd.start(lab, &format!("frr defaults traditional\n{}", frr()))?;
        measure(lab, &pair, "FRR", &bfdd.pids()).map(drop)
    })?;
    scenario("bfd-scale-bird", &needs, |lab| {
        let pair = build(lab)?;
        let bird = pair.bird_in(&pair.left, &bird())?;
        let pids: Vec<u32> = bird.pid().into_iter().collect();
        measure(lab, &pair, "BIRD", &pids).map(drop)
    })
}
