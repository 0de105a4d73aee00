//! Commands that can wait: `drain`, `undrain` and `verify`.
//!
//! The order is given once; after that only questions are asked, so that ending the wait with
//! Ctrl-C changes nothing. Progress is talk, the last answer is data.

use std::collections::BTreeSet;
use std::time::Duration;

use bgp::ScopedAddr;
use tokio::time::{Instant, sleep, timeout_at};

use super::args::{self, Json};
use super::run::{Console, Stop};
use super::{Exit, show};
use crate::control::client::ClientError;
use crate::control::reply::{Drain, Verify};
use crate::control::{ErrorKind, Request};

/// Longest wait unless `--timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Pause between two questions. A drain takes seconds; the daemon answers in microseconds.
const PAUSE: Duration = Duration::from_millis(250);

/// `rbgpctl drain`.
pub(super) async fn drain(console: &mut Console<'_>, options: args::Drain) -> Result<Exit, Stop> {
    let order = crate::control::Drain {
        neighbor: options.neighbor,
        reason: options.reason,
        duration: options.duration,
        force: options.force,
        dry_run: options.dry_run,
    };
    let until = Instant::now() + options.timeout.unwrap_or(TIMEOUT);
    let answer: Drain = console.client.ask(&Request::Drain(order)).await?;
    if options.dry_run {
        print(console, &answer, options.json)?;
        let safe = options.force || answer.risks.is_empty();
        return Ok(if safe { Exit::DONE } else { Exit::UNCONFIRMED });
    }
    for note in &answer.notes {
        console.say(format!("note: {note}"))?;
    }
    for risk in &answer.risks {
        console.say(format!("warning: {risk}"))?;
    }
    if !options.wait && options.timeout.is_none() {
        print(console, &answer, options.json)?;
        return Ok(Exit::DONE);
    }
    let goal = Goal {
        neighbor: options.neighbor,
        draining: true,
    };
    settle(console, goal, answer, until, options.json).await
}

/// `rbgpctl undrain`.
pub(super) async fn undrain(
    console: &mut Console<'_>,
    neighbor: Option<ScopedAddr>,
    force: bool,
    patience: (bool, Option<Duration>),
    json: Json,
) -> Result<Exit, Stop> {
    let (wait, timeout) = patience;
    let until = Instant::now() + timeout.unwrap_or(TIMEOUT);
    let order = Request::Undrain { neighbor, force };
    let answer = ready(console, &order, wait.then_some(until)).await?;
    if !wait {
        print(console, &answer, json)?;
        return Ok(Exit::DONE);
    }
    let goal = Goal {
        neighbor,
        draining: false,
    };
    settle(console, goal, answer, until, json).await
}

/// The answer to an order that is refused while something is missing: asked again until then, if
/// there is time.
async fn ready(
    console: &mut Console<'_>,
    request: &Request,
    until: Option<Instant>,
) -> Result<Drain, Stop> {
    let mut said = BTreeSet::new();
    loop {
        let refusal = match console.client.ask(request).await {
            Err(ClientError::Refused(refusal)) if refusal.kind == ErrorKind::NotSafe => refusal,
            answer => return Ok(answer?),
        };
        if until.is_none_or(|until| Instant::now() + PAUSE > until) {
            return Err(ClientError::Refused(refusal).into());
        }
        say_awaited(console, &mut said, &refusal.details)?;
        sleep(PAUSE).await;
    }
}

/// What a wait is for.
#[derive(Debug, Clone, Copy)]
struct Goal {
    neighbor: Option<ScopedAddr>,
    draining: bool,
}

/// How far an answer is from the goal.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Reached,
    NotYet,
    /// Somebody gave the opposite order meanwhile, or the drain's time is over.
    Overruled,
}

impl Goal {
    fn progress(self, status: &Drain) -> Progress {
        let (draining, complete) = match self.neighbor {
            None => (status.draining, status.complete),
            Some(address) => {
                let mut neighbors = status.neighbors.iter();
                match neighbors.find(|neighbor| neighbor.address == address) {
                    Some(neighbor) => (neighbor.draining, neighbor.complete),
                    // The neighbour was removed from the configuration.
                    None => return Progress::Overruled,
                }
            }
        };
        match (draining == self.draining, complete) {
            (true, true) => Progress::Reached,
            (true, false) => Progress::NotYet,
            (false, _) => Progress::Overruled,
        }
    }
}

async fn settle(
    console: &mut Console<'_>,
    goal: Goal,
    mut status: Drain,
    until: Instant,
    json: Json,
) -> Result<Exit, Stop> {
    let mut said = BTreeSet::new();
    loop {
        match goal.progress(&status) {
            Progress::Reached => {
                print(console, &status, json)?;
                return Ok(Exit::DONE);
            }
            Progress::Overruled => {
                print(console, &status, json)?;
                let what = if goal.draining { "drain" } else { "return" };
                console.say(format!("error: the {what} was ended by another order"))?;
                return Ok(Exit::FAILED);
            }
            Progress::NotYet => {}
        }
        say_awaited(console, &mut said, &status.pending)?;
        match next(console, &Request::DrainStatus, until).await? {
            Some(fresh) => status = fresh,
            None => {
                print(console, &status, json)?;
                return unconfirmed(console, goal, &status);
            }
        }
    }
}

/// Says what is waited for, each line once.
fn say_awaited(
    console: &mut Console<'_>,
    said: &mut BTreeSet<String>,
    lines: &[String],
) -> Result<(), Stop> {
    for line in lines {
        if said.insert(line.clone()) {
            console.say(format!("waiting: {line}"))?;
        }
    }
    Ok(())
}

fn unconfirmed(console: &mut Console<'_>, goal: Goal, status: &Drain) -> Result<Exit, Stop> {
    console.say("error: not confirmed in time:")?;
    for line in &status.pending {
        console.say(format!("  {line}"))?;
    }
    console.say("")?;
    console.say(if goal.draining {
        "hint: the drain stays in effect; `rbgpctl show drain` shows how far it is, \
         `rbgpctl undrain` ends it"
    } else {
        "hint: the return goes on; `rbgpctl show drain` shows how far it is"
    })?;
    Ok(Exit::UNCONFIRMED)
}

/// The next answer, after a pause; `None` when the time is over. A daemon that is busy is asked
/// again, one that is gone is an error.
async fn next<T: serde::de::DeserializeOwned>(
    console: &Console<'_>,
    request: &Request,
    until: Instant,
) -> Result<Option<T>, Stop> {
    loop {
        if Instant::now() + PAUSE > until {
            return Ok(None);
        }
        sleep(PAUSE).await;
        match timeout_at(until, console.client.ask(request)).await {
            Ok(Ok(answer)) => return Ok(Some(answer)),
            Ok(Err(ClientError::Refused(reply)))
                if matches!(reply.kind, ErrorKind::Busy | ErrorKind::Timeout) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        }
    }
}

fn print(console: &mut Console<'_>, status: &Drain, json: Json) -> Result<(), Stop> {
    if json.enabled {
        serde_json::to_writer(&mut *console.out, status).map_err(std::io::Error::from)?;
        writeln!(console.out)?;
    } else {
        show::drain(status, console.out)?;
    }
    console.out.flush()?;
    Ok(())
}

/// `rbgpctl verify`.
pub(super) async fn verify(
    console: &mut Console<'_>,
    wait: bool,
    timeout: Option<Duration>,
    json: Json,
) -> Result<Exit, Stop> {
    let until = Instant::now() + timeout.unwrap_or(TIMEOUT);
    let mut answer: Verify = console.client.ask(&Request::Verify).await?;
    let mut late = false;
    while wait && !answer.equal && !late {
        match next(console, &Request::Verify, until).await? {
            Some(fresh) => answer = fresh,
            None => late = true,
        }
    }
    if json.enabled {
        serde_json::to_writer(&mut *console.out, &answer).map_err(std::io::Error::from)?;
        writeln!(console.out)?;
    } else {
        show::verify(&answer, console.out)?;
    }
    Ok(match (answer.equal, wait) {
        (true, _) => Exit::DONE,
        (false, false) => Exit::FAILED,
        (false, true) => Exit::UNCONFIRMED,
    })
}

#[cfg(test)]
mod tests;
