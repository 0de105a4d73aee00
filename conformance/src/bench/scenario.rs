//! What is measured.
//!
//! A scenario says which neighbours there are, what they send and when that has arrived. All of
//! them check what they count: every distinct route at every neighbour that is told.

mod beside;
mod overlay;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::arena::{Arena, identity, idle_identity, neighbor};
use super::bout::{Bout, Plan, Step, run};
use super::daemon::{Daemon, Job};
use super::edit;
use super::fleet::Fleet;
use super::kernel::{self, Probe};
use super::mrt;
use super::report::Record;
use super::table::{self, Speaker, Table};
use super::view::{Index, View};
use super::wire::{self, Family};
use super::{Fault, Interrupt};
pub(super) use overlay::make_devices;

/// What the user asked for, and what scenarios share.
#[derive(Debug)]
pub struct Context {
    /// Ctrl-C.
    pub interrupt: Interrupt,
    /// All counts of routes are multiplied by this.
    pub scale: f64,
    /// Generated routes to a set of attributes, on average; one at least.
    pub share: u32,
    /// A routing table to use in S11.
    pub mrt: Option<PathBuf>,
    tables: Mutex<HashMap<usize, Indexed>>,
}

impl Context {
    /// With nothing generated yet.
    pub fn new(interrupt: Interrupt, (scale, share): (f64, u32), mrt: Option<PathBuf>) -> Self {
        Self {
            interrupt,
            scale,
            share,
            mrt,
            tables: Mutex::default(),
        }
    }

    /// A count of routes at this scale.
    fn count(&self, full: u32) -> usize {
        let scaled = (f64::from(full) * self.scale).round().max(1000.0);
        // At most four thousand million; the scale is checked where it is read.
        format!("{scaled:.0}").parse().unwrap_or(1000)
    }

    /// The generated table of this size.
    fn table(&self, count: usize) -> Indexed {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, index) = tables.entry(count).or_insert_with(|| {
            let table = Table::sharing(count, self.share);
            let index = Index::new(table.prefixes());
            (Arc::new(table), Arc::new(index))
        });
        (Arc::clone(table), Arc::clone(index))
    }

    fn limit(&self) -> Duration {
        LIMIT.mul_f64(self.scale.max(1.0))
    }
}

/// A table, and the numbers of its prefixes.
type Indexed = (Arc<Table>, Arc<Index>);

/// Longest time for one step at full scale.
const LIMIT: Duration = Duration::from_secs(180);

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name in `--scenario`.
    pub name: &'static str,
    /// What happens.
    pub title: &'static str,
    /// Whether peers can take part.
    pub ours_only: bool,
    /// The job of the daemon.
    job: fn(&Context) -> Job,
    run: fn(&Context, &Daemon) -> Result<Record, Fault>,
}

impl Scenario {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let make = |name, title, job, run| Self {
            name,
            title,
            ours_only: false,
            job,
            run,
        };
        let ours = |scenario| Self {
            ours_only: true,
            ..scenario
        };
        let churn = "10 x 50k routes to two, then a tenth withdrawn and announced";
        let kernel = "500k routes into the kernel, then their next hop is lost";
        let policy = "S1 through a route-map of twenty entries in and out";
        vec![
            make(
                "S1",
                "a million routes from one to one, then withdrawn",
                s1_job,
                s1,
            ),
            make("S2", "10 x 100k routes to one", s2_job, s2),
            make("S3", "10 x the same 200k routes to two", s3_job, s3),
            make("S4", "50 x 10k routes to all 50 and 10 more", s4_job, s4),
            make("S5", "S3, then the best of ten drops", s3_job, s5),
            make("SC", churn, sc_job, sc),
            make(
                "S6",
                "EVPN: 10 x 20k MAC/IP routes in 50 VNIs to 20",
                s6_job,
                s6,
            ),
            make("S7", kernel, s7_job, s7),
            make("S8", "start, and a million routes at once", s1_job, s8),
            make("S9", policy, s9_job, s9),
            make("S10", "200 more peers with 100k routes each", s10_job, s10),
            make(
                "S11",
                "real tables (--mrt FILE) from ten to one",
                s2_job,
                s11,
            ),
            make(
                "STALL",
                "S1 beside a peer that does not read",
                stall_job,
                stall,
            ),
            make(
                "SE",
                "EVPN: 100k MAC/IP routes in 100 VNIs into the kernel, then withdrawn",
                overlay::remote_job,
                overlay::remote,
            ),
            make(
                "SL",
                "EVPN: 10k MAC addresses in 100 VNIs learned and advertised, then forgotten",
                overlay::local_job,
                overlay::local,
            ),
            ours(make(
                "VNI",
                "2000 VNIs with one reload, one more, and all gone",
                overlay::many_job,
                overlay::many,
            )),
            ours(make("LIN", "S1 with 0.25 to 4 million routes", s1_job, lin)),
            ours(make(
                "CTL",
                "rbgpctl show summary while S1 loads",
                s1_job,
                beside::ctl,
            )),
            ours(make(
                "BFD",
                "100 BFD sessions at 50 ms x 3 while S1 loads again and again",
                beside::bfd_job,
                beside::bfd,
            )),
            ours(make(
                "EDIT",
                "S1, then policy is edited for ten of its routes",
                s1_job,
                edit,
            )),
        ]
    }

    /// Why a daemon cannot take part, if it cannot.
    pub fn unable(&self, daemon: &Daemon, context: &Context) -> Option<&'static str> {
        if self.ours_only && !daemon.is_ours() {
            return Some("does not take part: this is about rbgpd alone");
        }
        if self.name == "S11" && context.mrt.is_none() {
            return Some("has no table to load: --mrt FILE");
        }
        daemon.unable(&(self.job)(context))
    }

    /// Runs it once.
    pub fn run(&self, context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
        (self.run)(context, daemon)
    }
}

/// A job of IPv4 neighbours: `silent` ones that are told nothing, then `told` ones.
fn unicast(silent: usize, told: usize) -> Job {
    Job {
        family: Family::Ipv4,
        neighbors: (0..silent + told)
            .map(|number| neighbor(identity(number), number >= silent))
            .collect(),
        kernel: false,
        vnis: 0,
        policy: false,
    }
}

fn plan(context: &Context, job: Job, view: impl Fn(usize) -> View) -> Plan {
    let count = job.neighbors.len();
    Plan {
        job,
        peers: (0..count).map(|n| (identity(n), view(n))).collect(),
        connect: count,
        limit: context.limit(),
    }
}

fn speaker(number: usize, prepend: usize) -> Speaker {
    let identity = identity(number);
    Speaker {
        asn: identity.asn,
        address: identity.address,
        prepend,
    }
}

/// Announcements with End-of-RIB behind them.
fn loaded(announcements: &[u8], family: Family) -> Arc<[u8]> {
    [announcements, &wire::end_of_rib(family)].concat().into()
}

/// Every part of a table, each from one sender.
fn split(table: &Table, senders: usize) -> Vec<(usize, Arc<[u8]>)> {
    let parts = table.parts(senders).into_iter().enumerate();
    parts
        .map(|(number, part)| {
            let bytes = table.announcements(part, speaker(number, 0));
            (number, loaded(&bytes, Family::Ipv4))
        })
        .collect()
}

/// The whole table from every sender; the first one's paths are shorter.
fn repeated(table: &Table, senders: usize) -> Vec<(usize, Arc<[u8]>)> {
    (0..senders)
        .map(|number| {
            let speaker = speaker(number, usize::from(number > 0));
            let bytes = table.announcements(0..table.groups(), speaker);
            (number, loaded(&bytes, Family::Ipv4))
        })
        .collect()
}

/// Whether every neighbour from this number on holds everything.
fn full(first: usize) -> impl Fn(&Fleet<'_>) -> bool {
    holding(first, 0)
}

/// The same with `missing` routes gone.
fn holding(first: usize, missing: usize) -> impl Fn(&Fleet<'_>) -> bool {
    move |fleet| {
        let told = fleet.peers.get(first..).unwrap_or_default();
        told.iter()
            .all(|peer| peer.view.held() + missing == peer.view.all())
    }
}

/// The sessions are up: records how long that took, and waits for the start to be over.
fn ready(bout: &mut Bout<'_>) -> Result<(), Fault> {
    let up = bout.started.elapsed();
    bout.record.set("up_ms", up.as_secs_f64() * 1e3);
    bout.settle().map(drop)
}

fn s1_job(_: &Context) -> Job {
    unicast(1, 1)
}

fn s1(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    one_to_one(context, daemon, context.count(1_000_000), s1_job(context))
}

fn one_to_one(
    context: &Context,
    daemon: &Daemon,
    count: usize,
    job: Job,
) -> Result<Record, Fault> {
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let gone = table.withdrawals(0..table.groups());
    let plan = plan(context, job, |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(1))?;
        bout.record_load(&step, count)?;
        let away = bout.step("withdraw", &[(0, gone)], |fleet| {
            fleet.peers.iter().all(|peer| peer.view.held() == 0)
        })?;
        bout.record.set("withdraw_s", away.wall.as_secs_f64());
        bout.record.set("withdraw_cpu_s", away.cpu.as_secs_f64());
        let emptied = bout.rest()?;
        let grown = emptied.resident as f64 / step.before.resident.max(1) as f64;
        bout.record.set("emptied_to_start", grown);
        Ok(())
    })
}

fn s2_job(_: &Context) -> Job {
    unicast(10, 1)
}

fn s2(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(1_000_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 10);
    let plan = plan(context, s2_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(10))?;
        bout.record_load(&step, count)?;
        Ok(())
    })
}

fn s3_job(_: &Context) -> Job {
    unicast(10, 2)
}

fn s3(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    ten_times_the_same(context, daemon, |_| Ok(()))
}

fn ten_times_the_same(
    context: &Context,
    daemon: &Daemon,
    then: impl FnOnce(&mut Bout<'_>) -> Result<(), Fault> + Send,
) -> Result<Record, Fault> {
    let count = context.count(200_000);
    let (table, index) = context.table(count);
    let sends = repeated(&table, 10);
    let best = identity(0).asn;
    let plan = plan(context, s3_job(context), |_| {
        View::unicast(&index).watching(best)
    });
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(10))?;
        bout.record_load(&step, count * 10)?;
        let told = bout.fleet.peers.get(10..).unwrap_or_default();
        if let Some(peer) = told
            .iter()
            .find(|p| p.view.from_favourite() != p.view.held())
        {
            let (best, held) = (peer.view.from_favourite(), peer.view.held());
            return Err(format!("only {best} of {held} routes are the best ones").into());
        }
        then(bout)
    })
}

fn s5(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    ten_times_the_same(context, daemon, |bout| {
        bout.fleet.close(0);
        let flap = bout.step("flap", &[], |fleet| {
            let told = fleet.peers.get(10..).unwrap_or_default();
            let moved = |view: &View| view.from_favourite() == 0 && view.held() == view.all();
            told.iter().all(|peer| moved(&peer.view))
        })?;
        bout.record.set("flap_s", flap.wall.as_secs_f64());
        bout.record.set("flap_cpu_s", flap.cpu.as_secs_f64());
        Ok(())
    })
}

fn s4_job(_: &Context) -> Job {
    unicast(0, 60)
}

fn s4(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(500_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 50);
    let own: Vec<_> = table.parts(50).iter().map(|p| table.routes(p)).collect();
    let plan = plan(context, s4_job(context), |number| {
        let own = own.get(number).cloned().unwrap_or_default();
        View::unicast(&index).without(own)
    });
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(0))?;
        bout.record_load(&step, count)?;
        Ok(())
    })
}

fn sc_job(_: &Context) -> Job {
    unicast(10, 2)
}

/// Rounds of withdrawing and announcing.
const ROUNDS: usize = 4;

fn sc(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(500_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 10);
    let parts = table.parts(10);
    let plan = plan(context, sc_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(10))?;
        bout.record_load(&step, count)?;
        let (mut out, mut back, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let some = |part: &std::ops::Range<usize>| part.clone().skip(round).step_by(10);
            let missing = parts.iter().map(|part| table.count(some(part))).sum();
            let each = parts.iter().enumerate();
            let gone: Vec<_> = each
                .clone()
                .map(|(number, part)| (number, table.withdrawals(some(part))))
                .collect();
            let again: Vec<_> = each
                .map(|(n, part)| (n, table.announcements(some(part), speaker(n, 0))))
                .collect();
            let before = bout.running.usage();
            let (_, wall) = bout.send_until("withdraw", &gone, holding(10, missing))?;
            out.push(wall.as_secs_f64() * 1e3);
            let (_, wall) = bout.send_until("announce", &again, full(10))?;
            back.push(wall.as_secs_f64() * 1e3);
            let after = bout.settle()?;
            cpu.push(after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e3);
        }
        bout.record.set("withdraw_ms", middle(out));
        bout.record.set("announce_ms", middle(back));
        bout.record.set("round_cpu_ms", middle(cpu));
        Ok(())
    })
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = values.len().saturating_sub(1) / 2;
    values.get(at).copied().unwrap_or(0.0)
}

fn s6_job(_: &Context) -> Job {
    Job {
        family: Family::Evpn,
        ..unicast(0, 20)
    }
}

fn s6(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let each = u32::try_from(context.count(200_000) / 10)?;
    let own = |number: u32| (number * each)..((number + 1) * each);
    let sends: Vec<_> = (0..10u32)
        .map(|number| {
            let at = usize::try_from(number).unwrap_or(0);
            let bytes = table::macs(own(number).start, each, 50, speaker(at, 0));
            (at, loaded(&bytes, Family::Evpn))
        })
        .collect();
    let count = usize::try_from(each)? * 10;
    let plan = plan(context, s6_job(context), |number| {
        let view = View::evpn(count, table::vni_of_50);
        match u32::try_from(number) {
            Ok(number) if number < 10 => {
                let own = own(number);
                let at = |n| usize::try_from(n).unwrap_or(0);
                view.without(at(own.start)..at(own.end))
            }
            _ => view,
        }
    });
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(0))?;
        bout.record_load(&step, count)?;
        Ok(())
    })
}

fn s7_job(_: &Context) -> Job {
    Job {
        kernel: true,
        ..unicast(2, 1)
    }
}

fn s7(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(500_000);
    let (table, index) = context.table(count);
    let floor = match daemon.is_ours() {
        true => Some(kernel_floor(context, &table)?),
        false => None,
    };
    let [first, second] = [0, 1].map(|number| {
        let bytes = table.announcements(0..table.groups(), speaker(number, number));
        loaded(&bytes, Family::Ipv4)
    });
    let plan = plan(context, s7_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let before = bout.arena.dut.within(kernel::count)??;
        let wall = bout.fib_step("load", &[(0, first)], &table, 0, |fleet| full(2)(fleet))?;
        let step = wall.step;
        bout.record_load(&step, count)?;
        bout.record.set("fib_full_s", wall.fib.as_secs_f64());
        if let Some(floor) = floor {
            bout.record.set("floor_s", floor.as_secs_f64());
            let times = wall.fib.as_secs_f64() / floor.as_secs_f64();
            bout.record.set("fib_to_floor", times);
        }
        let written = bout.arena.dut.within(kernel::count)??;
        if written != before + count {
            return Err(format!("{} of {count} routes in the kernel", written - before).into());
        }
        bout.step("second", &[(1, second)], full(2))?;
        bout.fleet.close(0);
        let moved = bout.fib_step("move", &[], &table, 1, |_| true)?;
        bout.record.set("moved_s", moved.fib.as_secs_f64());
        bout.record.set("moved_cpu_s", moved.step.cpu.as_secs_f64());
        let kept = bout.arena.dut.within(kernel::count)??;
        match kept == before + count {
            true => Ok(()),
            false => Err(format!("{} of {count} routes after the move", kept - before).into()),
        }
    })
}

/// The same routes without a daemon.
fn kernel_floor(context: &Context, table: &Table) -> Result<Duration, Fault> {
    let arena = Arena::new(&context.interrupt)?;
    let gateway = identity(0).address;
    let write = || kernel::floor(table.prefixes(), gateway);
    let took = arena.dut.within(write)?;
    let left = arena.teardown();
    match left.is_empty() {
        true => took,
        false => Err(format!("left behind: {}", left.join(", ")).into()),
    }
}

/// A step that ends in the kernel.
struct FibStep {
    step: Step,
    /// From the first octet to the last route in its place.
    fib: Duration,
}

impl Bout<'_> {
    /// Like [`Bout::step`], and all routes lead to neighbour `to` in the kernel.
    fn fib_step(
        &mut self,
        what: &str,
        sends: &[(usize, Arc<[u8]>)],
        table: &Table,
        to: usize,
        done: impl Fn(&Fleet<'_>) -> bool,
    ) -> Result<FibStep, Fault> {
        let gateway = identity(to).address;
        let open = || Probe::new(table.prefixes(), gateway);
        let probe = RefCell::new(self.arena.dut.within(open)??);
        let told: Cell<Option<Instant>> = Cell::new(None);
        let start = Instant::now();
        let fib: Cell<Duration> = Cell::new(Duration::ZERO);
        let mut step = self.step(what, sends, |fleet| {
            let all = done(fleet);
            if all && told.get().is_none() {
                told.set(Some(Instant::now()));
            }
            let written = all && probe.borrow_mut().ready();
            if written && fib.get().is_zero() {
                fib.set(start.elapsed());
            }
            written
        })?;
        if let Some(told) = told.get() {
            step.wall = told - start;
        }
        match probe.borrow().astray(table.prefixes()) {
            0 => Ok(FibStep {
                step,
                fib: fib.get(),
            }),
            astray => Err(format!("{what}: {astray} routes do not lead to {gateway}").into()),
        }
    }
}

fn s8(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(1_000_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let plan = plan(context, s1_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        let before = bout.running.usage();
        let (start, wall) = bout.send_until("load", &sends, full(1))?;
        let launch = start + wall - bout.started;
        bout.record.set("launch_to_full_s", launch.as_secs_f64());
        bout.settle()?;
        let after = bout.rest()?;
        // From the process's first instruction on.
        bout.record.set("full_s", wall.as_secs_f64());
        bout.record.set("cpu_s", after.cpu.as_secs_f64());
        let grown = after.resident.saturating_sub(before.resident);
        bout.record
            .set("bytes_per_path", grown as f64 / count as f64);
        Ok(())
    })
}

fn s9_job(context: &Context) -> Job {
    Job {
        policy: true,
        ..s1_job(context)
    }
}

fn s9(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    one_to_one(context, daemon, context.count(1_000_000), s9_job(context))
}

/// Peers that come later and only listen.
const IDLE: usize = 200;

fn s10_job(_: &Context) -> Job {
    let mut job = unicast(1, 1);
    let idle = (0..IDLE).map(|number| neighbor(idle_identity(number), true));
    job.neighbors.extend(idle);
    job
}

fn s10(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(100_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let job = s10_job(context);
    let idle = (0..IDLE).map(idle_identity);
    let peers = [identity(0), identity(1)].into_iter().chain(idle);
    let plan = Plan {
        peers: peers.map(|it| (it, View::unicast(&index))).collect(),
        job,
        connect: 2,
        limit: context.limit(),
    };
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let has_all = |fleet: &Fleet<'_>| {
            let peer = fleet.peers.get(1);
            peer.is_some_and(|peer| peer.view.held() == count)
        };
        let alone = bout.step("load", &sends, has_all)?.after;
        let start = Instant::now();
        bout.establish(2..2 + IDLE)?;
        bout.send_until("200 more", &[], full(1))?;
        bout.record.set("all_told_s", start.elapsed().as_secs_f64());
        let together = bout.settle()?;
        let each = |total: f64| total / IDLE as f64;
        let grown = together.resident.saturating_sub(alone.resident);
        bout.record.set("kb_per_peer", each(grown as f64 / 1e3));
        let cpu = together.cpu.saturating_sub(alone.cpu);
        bout.record
            .set("cpu_ms_per_peer", each(cpu.as_secs_f64() * 1e3));
        bout.fleet.run(REST, |_| false)?;
        let cpu = bout.running.usage().cpu.saturating_sub(together.cpu);
        let per_second = cpu.as_secs_f64() / REST.as_secs_f64();
        bout.record
            .set("idle_us_per_peer_and_s", each(per_second * 1e6));
        Ok(())
    })
}

/// How long idle peers are watched: each sends at least one KEEPALIVE.
const REST: Duration = Duration::from_secs(12);

fn s11(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let path = context.mrt.as_deref().ok_or("no --mrt FILE")?;
    let tables = mrt::read(path)?;
    let mut seen = HashSet::new();
    let all = tables.iter().flat_map(Table::prefixes).copied();
    let all: Vec<_> = all.filter(|prefix| seen.insert(prefix.key())).collect();
    let index = Arc::new(Index::new(&all));
    let senders = tables.len();
    let sends: Vec<_> = tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            let bytes = table.announcements(0..table.groups(), speaker(number, 0));
            (number, loaded(&bytes, Family::Ipv4))
        })
        .collect();
    let paths = tables.iter().map(|table| table.prefixes().len()).sum();
    let plan = plan(context, unicast(senders, 1), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let step = bout.step("load", &sends, full(senders))?;
        bout.record_load(&step, paths)?;
        bout.record.set("prefixes", all.len() as f64);
        bout.record.set("paths", paths as f64);
        Ok(())
    })
}

fn stall_job(_: &Context) -> Job {
    unicast(1, 2)
}

fn stall(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(1_000_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let plan = plan(context, stall_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        bout.fleet.pause(2, true)?;
        let reads = |fleet: &Fleet<'_>| {
            let peer = fleet.peers.get(1);
            peer.is_some_and(|peer| peer.view.held() == count)
        };
        let step = bout.step("load", &sends, reads)?;
        bout.record_load(&step, count)?;
        bout.fleet.pause(2, false)?;
        let (_, wall) = bout.send_until("reading again", &[], full(1))?;
        bout.record.set("caught_up_s", wall.as_secs_f64());
        let after = bout.settle()?;
        bout.record.set("caught_up_mb", after.resident as f64 / 1e6);
        Ok(())
    })
}

fn lin(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let mut record = Record::default();
    let mut ends = Vec::new();
    for (million, cpu, bytes) in [
        (250_000, "us_250k", "bytes_250k"),
        (500_000, "us_500k", "bytes_500k"),
        (1_000_000, "us_1m", "bytes_1m"),
        (2_000_000, "us_2m", "bytes_2m"),
        (4_000_000, "us_4m", "bytes_4m"),
    ] {
        let count = context.count(million);
        let one = one_to_one(context, daemon, count, s1_job(context))?;
        let spent = one.get("cpu_s").unwrap_or(0.0) * 1e6 / count as f64;
        record.set(cpu, spent);
        record.set(bytes, one.get("bytes_per_path").unwrap_or(0.0));
        ends.push(spent);
    }
    if let [first, .., last] = ends.as_slice() {
        record.set("us_4m_to_250k", last / first);
    }
    Ok(record)
}

fn edit(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let (table, index) = context.table(context.count(1_000_000));
    let sends = split(&table, 1);
    let plan = plan(context, s1_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        bout.step("load", &sends, full(1))?;
        edit::measure(bout, &table)
    })
}
