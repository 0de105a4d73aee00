//! One daemon in one scenario, once: started, loaded, measured, taken away.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::time::ClockId;

use super::arena::{self, Arena};
use super::daemon::{Daemon, Job, Running};
use super::fleet::{Fleet, Identity};
use super::report::Record;
use super::usage::Usage;
use super::view::View;
use super::{Fault, Interrupt};

/// How long sessions may take to come up.
const UP: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile whether the daemon still runs.
const ALIVE: Duration = Duration::from_millis(500);
/// A daemon that has used less than [`QUIET_CPU`] in each of [`QUIET_LOOKS`] looks is idle.
const LOOK: Duration = Duration::from_millis(100);
const QUIET_CPU: Duration = Duration::from_millis(2);
const QUIET_LOOKS: usize = 3;
/// How long an idle daemon may take to tidy up.
const REST: Duration = Duration::from_secs(2);
/// One that never gets quiet is measured as it is then.
const NEVER_QUIET: Duration = Duration::from_secs(20);

/// A measurement under way.
#[derive(Debug)]
pub struct Bout<'a> {
    /// The neighbours.
    pub fleet: Fleet<'a>,
    /// The daemon.
    pub running: Running,
    /// Where it takes place.
    pub arena: &'a Arena,
    /// When the daemon's process was started.
    pub started: Instant,
    /// What was measured so far.
    pub record: Record,
    limit: Duration,
}

/// What to prepare.
#[derive(Debug)]
pub struct Plan {
    /// What the daemon is configured for.
    pub job: Job,
    /// The neighbours, in the order of the job's.
    pub peers: Vec<(Identity, View)>,
    /// How many of them connect before the measurement begins.
    pub connect: usize,
    /// Longest time for one step.
    pub limit: Duration,
}

/// Runs a scenario once in namespaces of its own.
pub fn run(
    daemon: &Daemon,
    interrupt: &Interrupt,
    plan: Plan,
    measure: impl FnOnce(&mut Bout<'_>) -> Result<(), Fault> + Send,
) -> Result<Record, Fault> {
    let arena = Arena::new(interrupt)?;
    let measured = arena
        .generator
        .within(|| inside(&arena, daemon, interrupt, plan, measure));
    let measured = measured.map_err(Fault::from).and_then(|it| it);
    if measured.is_err() {
        arena.keep_logs();
    }
    let left = arena.teardown();
    let record = measured?;
    match left.is_empty() {
        true => Ok(record),
        false => Err(format!("left behind: {}", left.join(", ")).into()),
    }
}

fn inside(
    arena: &Arena,
    daemon: &Daemon,
    interrupt: &Interrupt,
    plan: Plan,
    measure: impl FnOnce(&mut Bout<'_>) -> Result<(), Fault>,
) -> Result<Record, Fault> {
    let fleet = arena::fleet(&plan.job, plan.peers, interrupt)?;
    let started = Instant::now();
    let running = arena.start(daemon, &plan.job)?;
    let mut bout = Bout {
        fleet,
        running,
        arena,
        started,
        record: Record::default(),
        limit: plan.limit,
    };
    let measured = bout
        .establish(0..plan.connect)
        .and_then(|()| measure(&mut bout));
    // That the daemon died says more than that a session did.
    let alive = bout.running.must_live();
    bout.running.kill();
    alive?;
    measured?;
    let strangers: usize = bout.fleet.peers.iter().map(|p| p.view.strangers).sum();
    match strangers {
        0 => Ok(bout.record),
        _ => Err(format!("{strangers} routes came out that nobody had sent").into()),
    }
}

/// What one step took.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// From the first octet to the condition.
    pub wall: Duration,
    /// Until the first route came out.
    pub first: Option<Duration>,
    /// Of the daemon, until it was idle.
    pub cpu: Duration,
    /// Of the neighbours, which is this program.
    pub tool: Duration,
    /// Before the step.
    pub before: Usage,
    /// When the daemon was idle again.
    pub after: Usage,
}

fn own_cpu() -> Result<Duration, Fault> {
    Ok(ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into())
}

impl Bout<'_> {
    /// Brings sessions up; a daemon that ends at once is not waited for.
    pub fn establish(&mut self, which: Range<usize>) -> Result<(), Fault> {
        let end = Instant::now() + UP;
        self.fleet.begin(which.clone());
        while !self.fleet.run(ALIVE, |fleet| fleet.up(&which))? {
            self.running.must_live()?;
            if Instant::now() > end {
                return Err(format!("not all {} sessions came up in {UP:?}", which.len()).into());
            }
        }
        Ok(())
    }

    /// Sends, waits for the condition and then for the daemon to be idle.
    pub fn step(
        &mut self,
        what: &str,
        sends: &[(usize, Arc<[u8]>)],
        done: impl Fn(&Fleet<'_>) -> bool,
    ) -> Result<Step, Fault> {
        let before = self.running.usage();
        let tool = own_cpu()?;
        let (start, wall) = self.send_until(what, sends, &done)?;
        let first = self.fleet.first_route();
        let after = self.settle()?;
        if !done(&self.fleet) {
            return Err(format!("{what}: reached, and then lost: {}", self.holdings()).into());
        }
        Ok(Step {
            wall,
            first: first.map(|at| at.saturating_duration_since(start)),
            cpu: after.cpu.saturating_sub(before.cpu),
            tool: own_cpu()?.saturating_sub(tool),
            before,
            after,
        })
    }

    /// Sends and waits for the condition: when it began and how long it took.
    pub fn send_until(
        &mut self,
        what: &str,
        sends: &[(usize, Arc<[u8]>)],
        done: impl Fn(&Fleet<'_>) -> bool,
    ) -> Result<(Instant, Duration), Fault> {
        self.fleet.mark();
        for (peer, octets) in sends {
            self.fleet.send(*peer, octets);
        }
        let start = Instant::now();
        if !self.fleet.run(self.limit, done)? {
            return Err(format!(
                "{what}: not within {} s: {}",
                self.limit.as_secs(),
                self.holdings()
            )
            .into());
        }
        Ok((start, start.elapsed()))
    }

    /// Runs the fleet until the daemon is idle.
    pub fn settle(&mut self) -> Result<Usage, Fault> {
        let end = Instant::now() + NEVER_QUIET;
        let mut quiet = 0;
        let mut last = self.running.usage();
        while quiet < QUIET_LOOKS && Instant::now() < end {
            self.fleet.run(LOOK, |_| false)?;
            let now = self.running.usage();
            quiet = match now.cpu.saturating_sub(last.cpu) < QUIET_CPU {
                true => quiet + 1,
                false => 0,
            };
            last = now;
        }
        Ok(last)
    }

    /// Gives an idle daemon the time to tidy up, which some do: what it costs and holds after that.
    pub fn rest(&mut self) -> Result<Usage, Fault> {
        self.fleet.run(REST, |_| false)?;
        Ok(self.running.usage())
    }

    /// Who does not hold everything, for a message.
    fn holdings(&self) -> String {
        let peers = self.fleet.peers.iter().enumerate();
        let short: Vec<String> = peers
            .filter(|(_, peer)| peer.view.held() != peer.view.all())
            .map(|(number, peer)| format!("{number}: {} of {}", peer.view.held(), peer.view.all()))
            .collect();
        let first = short
            .get(..short.len().min(15))
            .unwrap_or_default()
            .join(", ");
        format!(
            "{} neighbours do not hold every route ({first})",
            short.len()
        )
    }

    /// The usual figures of loading a table of which the daemon received `paths`.
    pub fn record_load(&mut self, step: &Step, paths: usize) -> Result<(), Fault> {
        let after = self.rest()?;
        let record = &mut self.record;
        record.set("full_s", step.wall.as_secs_f64());
        let cpu = after.cpu.saturating_sub(step.before.cpu);
        record.set("cpu_s", cpu.as_secs_f64());
        if let Some(first) = step.first {
            record.set("first_ms", first.as_secs_f64() * 1e3);
        }
        let grown = after.resident.saturating_sub(step.before.resident);
        record.set("peak_mb", after.peak as f64 / 1e6);
        record.set("settled_mb", after.resident as f64 / 1e6);
        record.set("bytes_per_path", grown as f64 / paths.max(1) as f64);
        // More than once: a neighbour was told of a route and then of a better one.
        let views = || self.fleet.peers.iter().map(|peer| &peer.view);
        let told: usize = views().map(|view| view.announcements).sum();
        let held: usize = views().map(View::held).sum();
        record.set("told_times", told as f64 / held.max(1) as f64);
        let messages: usize = self.fleet.peers.iter().map(|peer| peer.messages).sum();
        record.set("updates_out", messages as f64);
        record.set("tool_cpu_s", step.tool.as_secs_f64());
        record.set(
            "peak_to_settled",
            after.peak as f64 / after.resident.max(1) as f64,
        );
        Ok(())
    }
}
