//! What must go on while tables load: answers to operators, keepalives, BFD.
//!
//! The load is that of S1; what is measured is what happens beside it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::Fault;
use super::super::arena::{identity, idle_identity, neighbor};
use super::super::bout::{Bout, Plan, run};
use super::super::daemon::{Daemon, Job, Neighbor, built};
use super::super::fleet::{Fleet, Identity};
use super::super::report::Record;
use super::super::view::View;
use super::{Context, middle, plan, ready, s1_job, split, unicast};
use crate::lab::{self, Frr};

pub(super) fn ctl(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(1_000_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let plan = plan(context, s1_job(context), |_| View::unicast(&index));
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let (_, wall) = asked_during(bout, |bout| {
            bout.send_until("load", &sends, the_second_holds(count))
        })?;
        bout.record.set("full_s", wall.as_secs_f64());
        Ok(())
    })
}

/// Whether the neighbour that is told holds so many.
fn the_second_holds(count: usize) -> impl Fn(&Fleet<'_>) -> bool {
    move |fleet| {
        let peer = fleet.peers.get(1);
        peer.is_some_and(|peer| peer.view.held() == count)
    }
}

/// An operator asks one question after the other while something happens.
fn asked_during<T>(
    bout: &mut Bout<'_>,
    happens: impl FnOnce(&mut Bout<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let socket = bout.arena.control_socket();
    let over = AtomicBool::new(false);
    let (asked, result) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&socket, &over));
        let result = happens(bout);
        over.store(true, Ordering::Relaxed);
        (asking.join(), result)
    });
    let result = result?;
    let mut times = asked.map_err(|_| "asking failed")??;
    times.sort_by(f64::total_cmp);
    let record = &mut bout.record;
    record.set("asked", times.len() as f64);
    record.set("ctl_max_ms", times.last().copied().unwrap_or(0.0));
    record.set("ctl_median_ms", middle(times));
    Ok(result)
}

/// How long each answer took, in milliseconds.
fn ask(socket: &Path, over: &AtomicBool) -> Result<Vec<f64>, Fault> {
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let mut command = Command::new(built("rbgpctl"));
        command
            .arg("--socket")
            .arg(socket)
            .args(["show", "summary"]);
        lab::command::run(&mut command)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// BFD sessions.
const WATCHED: usize = 100;

/// How long tables load and go.
const ROUNDS: Duration = Duration::from_secs(20);

/// How long BFD may take to come up: before that it sends once a second (RFC 5880 §6.8.3).
const BFD_UP: Duration = Duration::from_secs(20);

fn watched() -> impl Iterator<Item = Identity> {
    (0..WATCHED).map(idle_identity)
}

pub(super) fn bfd_job(_: &Context) -> Job {
    let mut job = unicast(1, 1);
    job.neighbors.extend(watched().map(|identity| Neighbor {
        watched: true,
        ..neighbor(identity, false)
    }));
    job
}

/// A million routes come and go again and again, beside a hundred BFD sessions with FRR at
/// 50 ms × 3, as many neighbours with a hold time of 12 s, and an operator.
pub(super) fn bfd(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = context.count(1_000_000);
    let (table, index) = context.table(count);
    let sends = split(&table, 1);
    let gone = [(0, table.withdrawals(0..table.groups()))];
    let idle: Vec<Identity> = watched().collect();
    let peers = [identity(0), identity(1)].into_iter().chain(watched());
    let plan = Plan {
        peers: peers.map(|it| (it, View::unicast(&index))).collect(),
        job: bfd_job(context),
        connect: 2 + WATCHED,
        limit: context.limit(),
    };
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let mut frr = bout.arena.watch(&idle)?;
        let end = Instant::now() + BFD_UP;
        while up(&frr)? < WATCHED {
            if Instant::now() > end {
                return Err(format!("{} of {WATCHED} BFD sessions are up", up(&frr)?).into());
            }
            bout.fleet.run(Duration::from_millis(100), |_| false)?;
        }
        let before = downs(&frr)?;
        // Until here the fleet had nobody to listen for it all the time.
        bout.fleet.run(Duration::from_millis(100), |_| false)?;
        for peer in &mut bout.fleet.peers {
            peer.silence = Duration::ZERO;
        }
        let rounds = asked_during(bout, |bout| {
            let start = Instant::now();
            let mut rounds = 0_u32;
            while start.elapsed() < ROUNDS {
                bout.send_until("load", &sends, the_second_holds(count))?;
                bout.send_until("withdraw", &gone, the_second_holds(0))?;
                rounds += 1;
            }
            Ok(rounds)
        })?;
        let quiet = bout.fleet.peers.get(2..).unwrap_or_default().iter();
        let silence = quiet.map(|peer| peer.silence).max().unwrap_or_default();
        let record = &mut bout.record;
        record.set("rounds", f64::from(rounds));
        record.set("silence_s", silence.as_secs_f64());
        record.set("bfd_up", up(&frr)? as f64);
        record.set("bfd_downs", (downs(&frr)? - before) as f64);
        frr.kill9()?;
        Ok(())
    })
}

/// How many BFD sessions FRR has up.
fn up(frr: &Frr) -> Result<usize, Fault> {
    let sessions = said(frr, "show bfd peers json")?;
    let up = sessions.iter().filter(|it| it["status"] == "up");
    Ok(up.count())
}

/// How often FRR saw one go down.
fn downs(frr: &Frr) -> Result<u64, Fault> {
    let counters = said(frr, "show bfd peers counters json")?;
    let downs = counters.iter().map(|it| it["session-down"].as_u64());
    downs
        .sum::<Option<u64>>()
        .ok_or_else(|| "FRR does not count".into())
}

fn said(frr: &Frr, command: &str) -> Result<Vec<Value>, Fault> {
    let output = frr.vtysh(&[command])?;
    Ok(serde_json::from_str(&output.text())?)
}
