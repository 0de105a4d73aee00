//! A session at a terminal: lines are edited, Tab completes a word, `?` lists what may stand there.
//!
//! Each line goes to the [`Session`], which prints what it does. A line that fails is no end here. What was
//! typed is remembered until the session ends and written nowhere.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext,
    EventHandler, Helper, KeyEvent, RepeatCount,
};

use super::grammar::Token;
use super::session::{Ending, Session, Words};
use super::table;

/// Reads lines until the operator leaves.
pub(super) async fn run(session: &mut Session, out: &mut dyn Write) -> io::Result<u8> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .build();
    let mut editor: Editor<Completion, MemHistory> =
        Editor::with_history(config, MemHistory::new()).map_err(io::Error::other)?;
    let asked = Arc::new(AtomicUsize::new(NOT_ASKED));
    let question = EventHandler::Conditional(Box::new(Question(Arc::clone(&asked))));
    editor.bind_sequence(KeyEvent::from('?'), question);
    let ended = Arc::new(AtomicBool::new(false));
    let end = EventHandler::Conditional(Box::new(End(Arc::clone(&ended))));
    editor.bind_sequence(KeyEvent::ctrl('Z'), end);
    session.at_terminal();
    let mut begun = (String::new(), String::new());
    loop {
        editor.set_helper(Some(Completion(session.words())));
        let initial = std::mem::take(&mut begun);
        let read = editor.readline_with_initial(&session.prompt(), (&initial.0, &initial.1));
        let line = match read {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            // What was typed before stays: a key of another alphabet is no reason to lose it.
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                writeln!(out, "\n% what was typed is no UTF-8: the line is dropped")?;
                out.flush()?;
                continue;
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        // As in FRR, what stands in the line is dropped.
        let line = match ended.swap(false, Ordering::Relaxed) {
            true if session.is_configuring() => "end".to_owned(),
            true => continue,
            false => line,
        };
        let at = asked.swap(NOT_ASKED, Ordering::Relaxed);
        if let Some((before, behind)) = line.split_at_checked(at) {
            list(&session.words().next(before), out)?;
            begun = (before.to_owned(), behind.to_owned());
            out.flush()?;
            continue;
        }
        // Without room in memory it is not remembered, and nothing else.
        let _ = editor.add_history_entry(&line);
        let ending = session.line(&line, out).await?;
        out.flush()?;
        if ending == Ending::Leave {
            return Ok(0);
        }
    }
    // The end of the input is no `end`: what was typed since `configure terminal` is dropped.
    if session.is_configuring() {
        writeln!(out, "% left without `end`: nothing was changed")?;
    }
    Ok(0)
}

/// No position of any line.
const NOT_ASKED: usize = usize::MAX;

/// `?` ends the line as it is, and leaves its position for whoever lists what may stand there.
struct Question(Arc<AtomicUsize>);

impl ConditionalEventHandler for Question {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, line: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(line.pos(), Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// Ctrl-Z ends the line, and with it `configure terminal`.
struct End(Arc<AtomicBool>);

impl ConditionalEventHandler for End {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// A word a line with what it is; `<cr>` where the command may end.
fn list((tokens, ends): &(Vec<Token>, bool), out: &mut dyn Write) -> io::Result<()> {
    let width = tokens
        .iter()
        .map(|token| token.text().len())
        .max()
        .unwrap_or(0);
    for token in tokens {
        let word = token.text();
        let line = format!("  {word:width$}  {}", table::help(word));
        writeln!(out, "{}", line.trim_end())?;
    }
    if *ends {
        writeln!(out, "  <cr>")?;
    }
    if tokens.is_empty() && !ends {
        writeln!(out, "% There is no matched command.")?;
    }
    Ok(())
}

/// Completes words of commands, and of lines of the configuration.
struct Completion(Words);

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..at).unwrap_or(line);
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |blank| blank + 1);
        let (tokens, _) = self.0.next(before);
        let words = tokens.into_iter().filter_map(|token| match token {
            Token::Keyword(word) => Some(Pair {
                display: word.to_owned(),
                replacement: format!("{word} "),
            }),
            Token::Value(_) => None,
        });
        Ok((start, words.collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
