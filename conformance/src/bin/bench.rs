//! `rbgpd-bench`: what the daemon costs, beside what its peers cost.
//!
//! Needs root, for namespaces of its own. Everything it starts it also ends, also after Ctrl-C.
//! Standard output is the result; progress goes to standard error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use conformance::bench::daemon::Daemon;
use conformance::bench::report::{Outcome, Sheet};
use conformance::bench::scenario::{Context, Scenario};
use conformance::bench::table::SHARE;
use conformance::bench::{Fault, Interrupt};
use conformance::lab::{Requirement, missing};
use serde_json::json;

const USAGE: &str = "\
usage: rbgpd-bench [OPTION...]

Starts rbgpd and every peer daemon that is there, one after the other, loads each with the
same routes and prints time, CPU seconds and memory: the median of the runs, the least in
parentheses, and the ratio of rbgpd to the best peer.

  --scenario S1,S2,...   these only (default: all)
  --daemon rbgpd,bird2   these only (default: all that are there)
  --runs N               how often each daemon runs each scenario (default: 3)
  --scale X              multiplies the number of routes (default: 1)
  --share N              generated routes to a set of attributes, on average (default: 7)
  --mrt FILE             a table dump (RFC 6396, also gzipped) for S11
  --json FILE            every figure of every run
  --list                 scenarios and daemons
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\nhint: rbgpd-bench --help");
            return ExitCode::from(2);
        }
    };
    let done = match options.action {
        Action::Help => {
            print!("{USAGE}");
            Ok(true)
        }
        Action::List => {
            list();
            Ok(true)
        }
        Action::Measure => measure(options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Action {
    Measure,
    List,
    Help,
}

struct Options {
    action: Action,
    scenarios: Vec<Scenario>,
    daemons: Vec<Daemon>,
    runs: usize,
    scale: f64,
    share: u32,
    mrt: Option<PathBuf>,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Fault> {
        let mut options = Self {
            action: Action::Measure,
            scenarios: Scenario::all(),
            daemons: Daemon::all(),
            runs: 3,
            scale: 1.0,
            share: SHARE,
            mrt: None,
            json: None,
        };
        let mut left = arguments.iter();
        while let Some(name) = left.next() {
            match name.as_str() {
                "--list" => options.action = Action::List,
                "--help" | "-h" => options.action = Action::Help,
                "--scenario" | "--daemon" | "--runs" | "--scale" | "--share" | "--mrt"
                | "--json" => {
                    let missing = || format!("`{name}` needs a value");
                    let value = left.next().ok_or_else(missing)?;
                    options.set(name, value)?;
                }
                _ => return Err(format!("`{name}` is not an option").into()),
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let number = |what: &str| format!("`{name}` is `{value}`, expected {what}");
        match name {
            "--scenario" => {
                let all = Scenario::all();
                let names: Vec<&str> = all.iter().map(|it| it.name).collect();
                let chosen = chosen(name, value, &names)?;
                self.scenarios = pick(all, &chosen);
            }
            "--daemon" => {
                let all = Daemon::all();
                let names: Vec<&str> = all.iter().map(|it| it.name).collect();
                let chosen = chosen(name, value, &names)?;
                self.daemons = pick(all, &chosen);
            }
            "--runs" => {
                let runs = value.parse().ok().filter(|runs| (1..=100).contains(runs));
                self.runs = runs.ok_or_else(|| number("1 to 100"))?;
            }
            "--scale" => {
                let scale = value.parse().ok();
                let scale = scale.filter(|scale| (0.001..=10.0).contains(scale));
                self.scale = scale.ok_or_else(|| number("0.001 to 10"))?;
            }
            "--share" => {
                let share = value.parse().ok().filter(|share| (1..=100).contains(share));
                self.share = share.ok_or_else(|| number("1 to 100"))?;
            }
            "--mrt" => self.mrt = Some(value.into()),
            _ => self.json = Some(value.into()),
        }
        Ok(())
    }
}

/// Positions of the named ones, in the order in which they are named.
fn chosen(option: &str, value: &str, names: &[&str]) -> Result<Vec<usize>, Fault> {
    let find = |name: &str| {
        let at = names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        at.ok_or_else(|| {
            let names = names.join(", ");
            format!("`{option}` names `{name}`, expected one of {names}").into()
        })
    };
    value.split(',').map(|name| find(name.trim())).collect()
}

fn pick<T: Clone>(all: Vec<T>, positions: &[usize]) -> Vec<T> {
    let found = positions.iter().filter_map(|at| all.get(*at));
    found.cloned().collect()
}

fn list() {
    for scenario in Scenario::all() {
        println!("{:6} {}", scenario.name, scenario.title);
    }
    println!();
    for daemon in Daemon::all() {
        let state = daemon.absent().unwrap_or_else(|| daemon.version());
        println!("{:10} {state}", daemon.name);
    }
}

fn measure(options: Options) -> Result<bool, Fault> {
    if let Some(why) = missing(&[Requirement::Root]) {
        return Err(format!("{why}\n\nhint: sudo make bench").into());
    }
    // Before the first thread: see `Interrupt::install`.
    let interrupt = Interrupt::install()?;
    let (mut there, mut skipped) = (Vec::new(), Vec::new());
    for daemon in &options.daemons {
        match daemon.absent() {
            None => there.push(daemon),
            Some(why) => skipped.push(format!("{}: {why}", daemon.name)),
        }
    }
    for line in machine() {
        println!("{line}");
    }
    println!();
    let versions: Vec<(&str, String)> = there.iter().map(|d| (d.name, d.version())).collect();
    for (name, version) in &versions {
        println!("{name:10} {version}");
    }
    for line in &skipped {
        println!("skipped    {line}");
    }
    println!();
    let context = Context::new(interrupt, (options.scale, options.share), options.mrt);
    let mut sheets = Vec::new();
    for scenario in &options.scenarios {
        let sheet = measured(scenario, &there, &context, options.runs)?;
        println!("{}", sheet.table());
        sheets.push(sheet);
    }
    let ratios: Vec<_> = sheets.iter().flat_map(Sheet::ratios).collect();
    let missed: Vec<_> = ratios.iter().filter(|r| r.holds() == Some(false)).collect();
    let held = ratios.iter().filter(|r| r.holds() == Some(true)).count();
    println!("targets: {held} hold, {} missed", missed.len());
    for ratio in &missed {
        println!("  missed: {}", ratio.line());
    }
    if let Some(path) = options.json {
        let sheets: Vec<_> = sheets.iter().map(Sheet::json).collect();
        let all = json!({
            "machine": machine(),
            "scale": context.scale,
            "share": context.share,
            "versions": versions.iter().map(|(name, version)| json!({"daemon": name, "version": version})).collect::<Vec<_>>(),
            "skipped": skipped,
            "scenarios": sheets,
        });
        std::fs::write(&path, format!("{all:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let failed = sheets.iter().flat_map(|sheet| &sheet.rows);
    let failed = failed.filter(|(name, outcome)| *name == OURS && outcome.failure.is_some());
    Ok(failed.count() == 0)
}

const OURS: &str = "rbgpd";

/// One scenario with every daemon, in turns.
fn measured(
    scenario: &Scenario,
    daemons: &[&Daemon],
    context: &Context,
    runs: usize,
) -> Result<Sheet, Fault> {
    let mut rows: Vec<(&Daemon, Outcome)> = Vec::new();
    for daemon in daemons {
        match scenario.unable(daemon, context) {
            None => rows.push((daemon, Outcome::default())),
            Some(why) => eprintln!("{}: {} {why}", scenario.name, daemon.name),
        }
    }
    for run in 1..=runs {
        for (daemon, outcome) in &mut rows {
            // Once is enough to know that it fails.
            if outcome.failure.is_some() {
                continue;
            }
            let start = Instant::now();
            let result = scenario.run(context, daemon);
            if context.interrupt.came() {
                return Err("interrupted; everything was taken down".into());
            }
            let took = start.elapsed().as_secs_f64();
            let name = daemon.name;
            eprint!(
                "{} {name} run {run} of {runs}, {took:.1} s: ",
                scenario.name
            );
            match result {
                Ok(record) => {
                    eprintln!("{}", record.line());
                    outcome.records.push(record);
                }
                Err(error) => {
                    eprintln!("FAILED: {error}");
                    outcome.failure = Some(error.to_string());
                }
            }
        }
    }
    Ok(Sheet {
        scenario: scenario.name,
        title: scenario.title.to_owned(),
        rows: rows
            .into_iter()
            .map(|(d, outcome)| (d.name, outcome))
            .collect(),
        ours: OURS,
    })
}

/// What the figures depend on.
fn machine() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("?", |it| it.trim_start_matches([' ', '\t', ':']));
    let cores = cpus.lines().filter(|line| line.starts_with("processor"));
    let load = read("/proc/loadavg");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    vec![
        format!("{} x {model}", cores.count()),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("load before: {}", load.trim()),
        format!("seconds since 1970: {}", now.map_or(0, |it| it.as_secs())),
    ]
}
