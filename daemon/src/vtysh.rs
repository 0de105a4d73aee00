//! FRR's language at the command line: `rbgpctl vtysh`, and a link `vtysh` to `rbgpctl`.
//!
//! ```text
//! -c, stdin, ─► session ──grammar, table──► command ──show──► control::Client ──► daemon
//! terminal         │ filter, exit code                 └──► text or JSON as FRR prints it ──► stdout
//!                  └─ between `configure terminal` and `end`: lines, all at once ──► configure
//! ```
//!
//! It is a client like the rest of `rbgpctl`: each command is one or several
//! [`crate::control::Request`]s, and what comes back is told in FRR's words and keys. [`table`] is the
//! one list of commands, from which lines are read, completed and documented; [`session`] is what
//! all ways in have in common. What FRR's zebra would tell of the host (devices, routes of others) is
//! read from the kernel of the network namespace that this program runs in.
//!
//! Not here: the meaning of configuration lines ([`crate::frr`]), and anything that has no counterpart in
//! rbgpd: such keys of FRR's JSON are listed with the reason in `docs/vtysh.md`.

mod ask;
mod configure;
mod editor;
mod filter;
mod grammar;
mod host;
mod json;
mod session;
mod show;
mod table;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use crate::control::client::Client;
use session::{Ending, Session};

/// What `rbgpctl vtysh` and `vtysh` take.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A command; several are given with several -c, or with line feeds between them. The first that
    /// fails is the last.
    #[arg(short = 'c', long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// Commands from a file, one a line.
    #[arg(
        short = 'f',
        long = "inputfile",
        value_name = "FILE",
        conflicts_with = "commands"
    )]
    file: Option<PathBuf>,
    /// Print each command behind the prompt before what it prints.
    #[arg(short = 'E', long)]
    echo: bool,
    /// Write the configuration file, as the command `write` does.
    #[arg(short = 'w', long = "writeconfig", conflicts_with_all = ["commands", "file"])]
    write: bool,
    /// Taken for the sake of scripts: one daemon answers for all of FRR's.
    #[arg(short = 'd', long = "daemon", value_name = "NAME")]
    daemon: Option<String>,
}

/// Runs commands from wherever they come, and returns the exit code.
pub(crate) async fn run(
    options: Options,
    client: Client,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> io::Result<u8> {
    if let Some(name) = options
        .daemon
        .filter(|name| !DAEMONS.contains(&name.as_str()))
    {
        writeln!(
            talk,
            "error: `{name}` is none of FRR's daemons\n\nhint: leave -d out"
        )?;
        return Ok(1);
    }
    let mut session = Session::new(client);
    if let Err(error) = session.reach().await {
        // In the place where scripts look for it, and in FRR's words before ours.
        writeln!(talk, "failed to connect to any daemons.\nerror: {error}")?;
        if let Some(hint) = error.hint() {
            writeln!(talk, "\nhint: {hint}")?;
        }
        return Ok(1);
    }
    let mut lines: Vec<String> = Vec::new();
    if options.write {
        lines.push("write".to_owned());
    }
    lines.extend(
        options
            .commands
            .iter()
            .flat_map(|it| it.lines())
            .map(str::to_owned),
    );
    if let Some(path) = &options.file {
        let text = crate::plain_file::read(path);
        match text {
            Ok(octets) => {
                let text = String::from_utf8_lossy(&octets).into_owned();
                return all(
                    &mut session,
                    text.lines().map(|it| Ok(it.to_owned())),
                    options.echo,
                    out,
                )
                .await;
            }
            Err(error) => {
                writeln!(talk, "error: cannot read `{}`: {error}", path.display())?;
                return Ok(1);
            }
        }
    }
    if !lines.is_empty() {
        return all(&mut session, lines.into_iter().map(Ok), options.echo, out).await;
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return editor::run(&mut session, out).await;
    }
    let stdin = io::stdin().lock();
    all(&mut session, Lines(stdin), options.echo, out).await
}

/// Those of FRR that rbgpd stands for.
const DAEMONS: [&str; 6] = ["zebra", "bgpd", "bfdd", "staticd", "mgmtd", "watchfrr"];

/// Runs lines one after the other up to the first that fails.
async fn all(
    session: &mut Session,
    lines: impl Iterator<Item = io::Result<String>>,
    echo: bool,
    out: &mut dyn Write,
) -> io::Result<u8> {
    for line in lines {
        let line = line?;
        if echo {
            writeln!(out, "{}{line}", session.prompt())?;
        }
        match session.line(&line, out).await? {
            Ending::Done => {}
            Ending::Failed => return Ok(1),
            Ending::Leave => break,
        }
        // So that who reads a pipe sees what each command said.
        out.flush()?;
    }
    match session.close(out).await? {
        Ending::Done | Ending::Leave => Ok(0),
        Ending::Failed => Ok(1),
    }
}

/// Longest line of a stream: as long as any command can be.
const LINE_MAX: u64 = 65_536;

/// Lines of a stream, none longer than [`LINE_MAX`], with whatever octets.
struct Lines<R>(R);

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match io::Read::take(&mut self.0, LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                Some(Ok(text.trim_end_matches(['\n', '\r']).to_owned()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests;
