//! A session: one line after the other, the mode they are read in, and how each one ended.
//!
//! Outside of `configure terminal` a line is a command of [`super::table`] and is answered at once.
//! Within, lines are kept until the `end` that closes it, or the `exit` outside of all blocks, or the
//! end of the input, and then put into force together; `do` gives a command meanwhile. Where one of them is refused nothing changes. What
//! is printed for lines that are no commands is what FRR prints.
//!
//! At a terminal a line that is refused or not understood is told at once and not kept, and where only
//! the end shows that something is wrong, nothing that was typed is lost: the session stays where it is.

use std::io::{self, Write};
use std::sync::Arc;

use super::ask::{Asking, Trouble};
use super::filter;
use super::grammar::{Found, Grammar, Token};
use super::host;
use super::show::{self, Answer};
use super::table::{self, Command, What};
use super::{configure, json};
use crate::control::client::{Client, ClientError};
use crate::frr::{self, LineReport, Outcome, Walk};

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
    /// Somebody types, who is told of a mistake when it is made.
    at_terminal: bool,
    /// Nothing is changed, and what is configured is not shown.
    unprivileged: bool,
}

impl Session {
    /// Nothing is asked yet.
    pub(super) fn new(client: Client) -> Self {
        Self {
            asking: Asking::new(client),
            grammar: Arc::new(table::grammar()),
            hostname: host::name(),
            changes: None,
            at_terminal: false,
            unprivileged: false,
        }
    }

    /// The same with somebody at a terminal.
    pub(super) fn at_terminal(&mut self) {
        self.at_terminal = true;
    }

    /// The same with what FRR allows everybody.
    pub(super) fn unprivileged(mut self, unprivileged: bool) -> Self {
        self.unprivileged = unprivileged;
        self
    }

    /// What a file of lines and a session are given to.
    pub(super) fn client(&self) -> &Client {
        self.asking.client()
    }

    /// Whether the daemon is there.
    pub(super) async fn reach(&mut self) -> Result<(), ClientError> {
        let version = self.asking.version().await?;
        if !version.hostname.is_empty() {
            self.hostname = version.hostname;
        }
        Ok(())
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
        if self.at_terminal && text == "abort" {
            self.changes = None;
            return Ok(Ending::Done);
        }
        let text = if exit { "exit" } else { text };
        match self.at_terminal {
            true => {
                if let Err(line) = changes.walk.accept(text) {
                    return mistyped(&line, out);
                }
            }
            // What is said of it is said at the end.
            false => drop(changes.walk.line(text)),
        }
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
        let mut changes = self.changes.take().unwrap_or_default();
        let lines = match changes.says_something {
            true => &changes.lines[..],
            false => &[],
        };
        let done = configure::configure(self.asking.client(), lines).await;
        let refused = done.is_err();
        let ending = said(done, out)?;
        if refused && self.at_terminal {
            writeln!(out, "{KEPT}")?;
            // What follows stands outside of all blocks, as it would in the next session.
            drop(changes.walk.line("end"));
            changes.lines.push("end".to_owned());
            self.changes = Some(changes);
        }
        Ok(ending)
    }

    /// Begins `configure terminal`. At a terminal lines are looked at as they come, behind what runs.
    async fn configure(&mut self, out: &mut dyn Write) -> io::Result<Ending> {
        let mut changes = Changes::default();
        if self.at_terminal {
            match configure::running(self.asking.client()).await {
                Ok(running) => changes.walk = Walk::behind(&running),
                Err(error) => return refusal(&error, out),
            }
        }
        self.changes.get_or_insert(changes);
        Ok(Ending::Done)
    }

    fn allows(&self, what: What) -> bool {
        !self.unprivileged || !what.is_privileged()
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
        let command = table::command_at(place).filter(|it| self.allows(it.what));
        let Some(command) = command else {
            return refused("Unknown command", line, out);
        };
        let ask = match command.what {
            What::Ask(ask) => ask,
            What::Nothing => return Ok(Ending::Done),
            What::Leave => return Ok(Ending::Leave),
            What::Configure => return self.configure(out).await,
            What::Run => {
                out.flush()?;
                if let Err((program, error)) = host::run(&words, self.at_terminal) {
                    writeln!(out, "Can't execute {program}: {error}")?;
                }
                return Ok(Ending::Done);
            }
            What::List => {
                match list(words.value(&["LINE"])) {
                    Ok(text) => write!(out, "{}", filtered.apply(text))?,
                    Err(why) => writeln!(out, "{why}")?,
                }
                return Ok(Ending::Done);
            }
            What::Write if !words.has("terminal") => {
                return said(configure::write(self.asking.client()).await, out);
            }
            What::RunningConfig | What::Write => {
                // `no-header` is what programs read that compare it with a file.
                let bare = words.value(&["LINE"]).is_some_and(|said| {
                    said.split_whitespace()
                        .any(|word| word.len() > 1 && "no-header".starts_with(word))
                });
                let shown = match bare {
                    true => configure::running(self.asking.client()).await,
                    false => configure::running_config(self.asking.client()).await,
                };
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

    /// Between `configure terminal` and `end`.
    pub(super) fn is_configuring(&self) -> bool {
        self.changes.is_some()
    }

    /// What may be typed where the session is.
    pub(super) fn words(&self) -> Words {
        Words {
            grammar: Arc::clone(&self.grammar),
            configuring: self.changes.as_ref().map(|it| it.walk.here()),
        }
    }
}

/// What may be typed at one place of a session.
#[derive(Clone)]
pub(super) struct Words {
    grammar: Arc<Grammar>,
    configuring: Option<frr::Here>,
}

impl Words {
    /// What may stand in place of the last word, and whether the line may end before it.
    pub(super) fn next(&self, line: &str) -> (Vec<Token>, bool) {
        let Some(here) = &self.configuring else {
            return self.grammar.next(line);
        };
        let line = line.trim_start();
        if let Some(behind) = line.strip_prefix("do ") {
            return self.grammar.next(behind);
        }
        let (next, ends) = here.next(line);
        let mut tokens: Vec<Token> = next
            .into_iter()
            .map(|next| match next {
                frr::Next::Keyword(word) => Token::Keyword(word),
                frr::Next::Value(name) => Token::Value(name),
            })
            .collect();
        if !line.contains(char::is_whitespace) {
            let own = OWN.into_iter().filter(|word| word.starts_with(line));
            tokens.extend(own.map(Token::Keyword));
            tokens.sort_by_key(|token| token.text());
        }
        (tokens, ends)
    }
}

/// The commands with what they are for; those that a pattern matches, where there is one.
fn list(pattern: Option<&str>) -> Result<String, String> {
    let pattern = match pattern {
        Some(text) => Some(filter::pattern(text)?),
        None => None,
    };
    let wanted = |it: &&Command| {
        pattern
            .as_ref()
            .is_none_or(|it_is| it_is.is_match(it.words))
    };
    let lines = table::commands().filter(wanted);
    Ok(lines
        .map(|it| format!("  {}\n      {}\n", it.words, it.help))
        .collect())
}

/// Words of a session between `configure terminal` and `end` that are no configuration.
const OWN: [&str; 2] = ["abort", "do"];

/// What becomes of what was typed where the end of it is refused.
const KEPT: &str = "hint: what was typed is kept: mend it (`no ...` takes a line back) and `end` again, or \
     `abort` to drop it";

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

/// A line that is not taken at a terminal: FRR's words where it has some, and the reason that `end`
/// would give.
fn mistyped(line: &LineReport, out: &mut dyn Write) -> io::Result<Ending> {
    match &line.outcome {
        Outcome::Unknown { why, .. } => {
            let ending = refused("Unknown command", &line.text, out)?;
            writeln!(out, "{why}")?;
            Ok(ending)
        }
        Outcome::Refused(why) => refused(why, &line.text, out),
        Outcome::Honoured
        | Outcome::Noted(_)
        | Outcome::Differs(_)
        | Outcome::Elsewhere(_)
        | Outcome::Within(_) => refused("Refused", &line.text, out),
    }
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
