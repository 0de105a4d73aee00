//! What is measured.
//!
//! A scenario says which neighbours there are, what they send and when that has arrived. All of
//! them check what they count: every distinct route at every neighbour that is told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::arena::{identity, neighbor};
use super::bout::{Bout, Plan, run};
use super::daemon::{Daemon, Job};
use super::fleet::Fleet;
use super::report::Record;
use super::table::{self, Speaker, Table};
use super::view::{Index, View};
use super::wire::{self, Family};
use super::{Fault, Interrupt};

/// What the user asked for, and what scenarios share.
#[derive(Debug)]
pub struct Context {
    /// Ctrl-C.
    pub interrupt: Interrupt,
    /// All counts of routes are multiplied by this.
    pub scale: f64,
    /// A routing table to use in S11.
    pub mrt: Option<PathBuf>,
    tables: Mutex<HashMap<usize, Indexed>>,
}

impl Context {
    /// With nothing generated yet.
    pub fn new(interrupt: Interrupt, scale: f64, mrt: Option<PathBuf>) -> Self {
        Self {
            interrupt,
            scale,
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
            let table = Table::generate(count);
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
            make(
                "SC",
                "10 x 50k routes to two, then a tenth withdrawn and announced",
                sc_job,
                sc,
            ),
            make(
                "S6",
                "EVPN: 10 x 20k MAC/IP routes in 50 VNIs to 20",
                s6_job,
                s6,
            ),
        ]
    }

    /// Why a daemon cannot take part, if it cannot.
    pub fn unable(&self, daemon: &Daemon, context: &Context) -> Option<&'static str> {
        if self.ours_only && !daemon.is_ours() {
            return Some("is about rbgpd alone");
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
        bout.record_load(&step, count);
        let away = bout.step("withdraw", &[(0, gone)], |fleet| {
            fleet.peers.iter().all(|peer| peer.view.held() == 0)
        })?;
        bout.record.set("withdraw_s", away.wall.as_secs_f64());
        bout.record.set("withdraw_cpu_s", away.cpu.as_secs_f64());
        let grown = away.after.resident as f64 / step.before.resident.max(1) as f64;
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
        bout.record_load(&step, count);
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
        bout.record_load(&step, count * 10);
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
        bout.record_load(&step, count);
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
        bout.record_load(&step, count);
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
            let bytes = table::macs(own(number).start, each, speaker(at, 0));
            (at, loaded(&bytes, Family::Evpn))
        })
        .collect();
    let count = usize::try_from(each)? * 10;
    let plan = plan(context, s6_job(context), |number| {
        let view = View::evpn(count, table::vni);
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
        bout.record_load(&step, count);
        Ok(())
    })
}
