//! A session: one line after the other, the mode they are read in, and how each one ended.
//!
//! Outside of `configure terminal` a line is a command of [`super::table`] and is answered at once.
//! Within, lines are kept until the `end` that closes it, or the `exit` outside of all blocks, or the
//! end of the input, and then put into force together; `do` gives a command meanwhile. Where one of them is refused nothing changes. What
//! is printed for lines that are no commands is what FRR prints.

use std::io::{self, Write};
use std::sync::Arc;

use super::ask::{Asking, Trouble};
use super::filter;
use super::grammar::{Found, Grammar, Token};
use super::show::{self, Answer};
use super::table::{self, COMMANDS, What};
use super::{configure, json};
use crate::control::client::{Client, ClientError};
use crate::frr::Walk;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Done; the next one may come.
    Done,
    /// It failed, and said so.
    Failed,
    /// The session is over.
    Leave,
}

/// What was said since `configure terminal`.
#[derive(Default)]
struct Changes {
    lines: Vec<String>,
    /// Not all of them are comments.
    says_something: bool,
    walk: Walk,
}

/// A session with a daemon.
pub(super) struct Session {
    asking: Asking,
    grammar: Arc<Grammar>,
    hostname: String,
    /// Within `configure terminal`.
    changes: Option<Changes>,
}

impl Session {
    /// Nothing is asked yet.
    pub(super) fn new(client: Client) -> Self {
        Self {
            asking: Asking::new(client),
            grammar: Arc::new(table::grammar()),
            hostname: super::host::name(),
            changes: None,
        }
    }

    /// Whether the daemon is there.
    pub(super) async fn reach(&self) -> Result<(), ClientError> {
        self.asking.version().await.map(drop)
    }

    /// What stands before a line.
    pub(super) fn prompt(&self) -> String {
        match &self.changes {
            None => format!("{}# ", self.hostname),
            Some(changes) => format!("{}({})# ", self.hostname, changes.walk.prompt()),
        }
    }

    /// Carries out a line.
    pub(super) async fn line(&mut self, line: &str, out: &mut dyn Write) -> io::Result<Ending> {
        let text = line.trim();
        if let Some(behind) = text.strip_prefix("do ") {
            return self.command(behind.trim(), out).await;
        }
        let says_nothing = text.is_empty() || text.starts_with(['!', '#']);
        let Some(changes) = &mut self.changes else {
            return match says_nothing {
                true => Ok(Ending::Done),
                false => self.command(text, out).await,
            };
        };
        let exit = matches!(text, "exit" | "quit");
        if text == "end" || exit && changes.walk.is_outside() {
            return self.commit(out).await;
        }
        if changes.lines.len() >= LINES_MAX {
            writeln!(out, "% more than {LINES_MAX} lines: nothing was changed")?;
            self.changes = None;
            return Ok(Ending::Failed);
        }
        let text = if exit { "exit" } else { text };
        changes.walk.line(text);
        // Comments, too, so that an error names the line that was typed.
        changes.lines.push(text.to_owned());
        changes.says_something |= !says_nothing;
        Ok(Ending::Done)
    }

    /// The end of the input, which ends `configure terminal` as `end` does.
    pub(super) async fn close(&mut self, out: &mut dyn Write) -> io::Result<Ending> {
        match self.changes.is_some() {
            true => self.commit(out).await,
            false => Ok(Ending::Done),
        }
    }

    async fn commit(&mut self, out: &mut dyn Write) -> io::Result<Ending> {
        let changes = self.changes.take().unwrap_or_default();
        let lines = match changes.says_something {
            true => changes.lines,
            false => Vec::new(),
        };
        let done = configure::configure(self.asking.client(), &lines).await;
        said(done, out)
    }

    async fn command(&mut self, line: &str, out: &mut dyn Write) -> io::Result<Ending> {
        let filtered = match filter::split(line) {
            Ok(filtered) => filtered,
            Err(why) => {
                // No failure in FRR either.
                writeln!(out, "{why}")?;
                return Ok(Ending::Done);
            }
        };
        let (place, words) = match self.grammar.read(filtered.command) {
            Found::Command(place, words) => (place, words),
            Found::Ambiguous => return refused("Ambiguous command", line, out),
            Found::Incomplete => return refused("Command incomplete", line, out),
            Found::Unknown => return refused("Unknown command", line, out),
        };
        let Some(command) = COMMANDS.get(place) else {
            return refused("Unknown command", line, out);
        };
        let ask = match command.what {
            What::Ask(ask) => ask,
            What::Nothing => return Ok(Ending::Done),
            What::Leave => return Ok(Ending::Leave),
            What::Configure => {
                self.changes.get_or_insert_default();
                return Ok(Ending::Done);
            }
            What::List => {
                let lines = COMMANDS
                    .iter()
                    .map(|it| format!("  {}\n      {}\n", it.words, it.help));
                write!(out, "{}", filtered.apply(lines.collect()))?;
                return Ok(Ending::Done);
            }
            What::Write if !words.has("terminal") => {
                return said(configure::write(self.asking.client()).await, out);
            }
            What::RunningConfig | What::Write => {
                let shown = configure::running_config(self.asking.client()).await;
                return said(shown.map(|text| filtered.apply(text)), out);
            }
        };
        match show::answer(ask, &words, &self.asking).await {
            Ok(Answer::Text(text)) => write!(out, "{}", filtered.apply(text))?,
            Ok(Answer::Json(value)) => write!(out, "{}", filtered.apply(json::text(&value)))?,
            Err(Trouble::Warning(text)) => write!(out, "{}", filtered.apply(text))?,
            Err(Trouble::Failure(text)) => {
                write!(out, "{}", filtered.apply(text))?;
                return Ok(Ending::Failed);
            }
            Err(Trouble::Client(error)) => return refusal(&error, out),
        }
        Ok(Ending::Done)
    }

    /// All commands.
    pub(super) fn grammar(&self) -> Arc<Grammar> {
        Arc::clone(&self.grammar)
    }

    /// Between `configure terminal` and `end`.
    pub(super) fn is_configuring(&self) -> bool {
        self.changes.is_some()
    }

    /// What may stand in place of the last word, and whether the line may end before it.
    pub(super) fn next(&self, line: &str) -> (Vec<Token>, bool) {
        match self.changes {
            None => self.grammar.next(line),
            Some(_) => match line.trim_start().strip_prefix("do ") {
                Some(behind) => self.grammar.next(behind),
                None => (Vec::new(), false),
            },
        }
    }
}

/// Lines between `configure terminal` and `end`: far more than a configuration has.
const LINES_MAX: usize = 200_000;

fn refused(why: &str, line: &str, out: &mut dyn Write) -> io::Result<Ending> {
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    writeln!(out, "% {why}: {line}")?;
    Ok(Ending::Failed)
}

fn said(done: Result<String, ClientError>, out: &mut dyn Write) -> io::Result<Ending> {
    match done {
        Ok(text) => {
            write!(out, "{text}")?;
            Ok(Ending::Done)
        }
        Err(error) => refusal(&error, out),
    }
}

/// What the daemon says no with, or why it does not say anything.
fn refusal(error: &ClientError, out: &mut dyn Write) -> io::Result<Ending> {
    writeln!(out, "% {error}")?;
    if let Some(hint) = error.hint() {
        writeln!(out, "hint: {hint}")?;
    }
    Ok(Ending::Failed)
}
