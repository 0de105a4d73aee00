//! `rbgpd-rules`: puts the rules of the RFCs to FRR and BIRD and writes what differs into
//! `daemon/docs/rfc-others.md`.
//!
//! The tests run in a network namespace in which all of 10.0.0.0/8 is local, since neither takes a
//! next hop on loopback, and every bench has addresses of its own. It takes ten minutes or more: a
//! test that a speaker does not pass waits its full time, and all run twice. So it is no part of
//! `make test`; the page says with which rules and releases it was made.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use conformance::blackbox::other::{Other, SPEAKER};
use conformance::lab::{Error, Lab, Namespace, Requirement, command, missing};
use conformance::rules;
use conformance::verdicts::{self, Speaker};

/// How long all tests of one speaker may take.
const LIMIT: Duration = Duration::from_secs(1800);

fn main() -> ExitCode {
    if let Some(why) = absent() {
        eprintln!("error: {why}\n\nhint: conformance/setup.sh --test, as root");
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn absent() -> Option<String> {
    missing(&[Requirement::Root]).or_else(|| {
        Other::ALL.into_iter().find_map(|other| {
            let (root, program) = other.program();
            let path = format!("{root}{program}");
            (!Path::new(&path).exists()).then(|| format!("{path} is not there"))
        })
    })
}

fn run() -> Result<(), Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = folder.join("rules.toml");
    let text = fs::read_to_string(&list).map_err(|e| Error::io(list.display(), e))?;
    let rules = rules::read(&text).map_err(|e| Error::State(e.to_string()))?;
    let lab = Lab::new("rules")?;
    let space = lab.namespace("all")?;
    for words in [
        "link add eth0 type veth peer name eth1",
        "link set eth0 up",
        "link set eth1 up",
        "addr add 10.0.0.1/8 dev eth0",
        "route add local 10.0.0.0/8 dev lo",
    ] {
        space.ip(words)?;
    }
    let space = &space;
    let speaker = move |other: Other| {
        let first = verdicts::read(&tests(space, other)?);
        let second = verdicts::read(&tests(space, other)?);
        Ok(Speaker {
            name: version(other)?,
            verdicts: verdicts::merge(first, &second),
        })
    };
    // They wait most of their time.
    let speakers: Result<Vec<Speaker>, Error> = std::thread::scope(|scope| {
        let running = Other::ALL.map(|other| scope.spawn(move || speaker(other)));
        running
            .into_iter()
            .map(|it| {
                it.join()
                    .unwrap_or_else(|_| Err(Error::State("a thread failed".to_owned())))
            })
            .collect()
    });
    let speakers = speakers?;
    let page = folder.join("../daemon/docs/rfc-others.md");
    fs::write(&page, verdicts::render(&rules, &speakers))
        .map_err(|e| Error::io(page.display(), e))?;
    lab.step(format!("{} is written", page.display()));
    Ok(())
}

/// Runs all tests of rules, whatever they say; their output.
fn tests(space: &Namespace, other: Other) -> Result<String, Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = space.command(&cargo);
    command.args(["test", "--locked", "--no-fail-fast"]);
    command.args(["-p", "rbgpd-conformance", "--test", "rfc*"]);
    command.args(["--", "--test-threads=12"]);
    command
        .env(SPEAKER, other.name())
        .env("RUST_BACKTRACE", "0");
    Ok(command::output_within(&mut command, LIMIT)?.stdout)
}

/// What it calls itself, without what a revision of its package adds.
fn version(other: Other) -> Result<String, Error> {
    let (root, program) = other.program();
    let said = command::output(Command::new("chroot").args([root, program, "--version"]))?;
    let number = said.text();
    let number = number
        .split_whitespace()
        .find(|word| word.starts_with(|it: char| it.is_ascii_digit()));
    let make = match other {
        Other::Frr8 | Other::Frr => "FRR",
        Other::Bird2 | Other::Bird => "BIRD",
    };
    Ok(format!("{make} {}", number.unwrap_or("?")))
}
