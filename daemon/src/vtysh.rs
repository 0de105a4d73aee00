//! FRR's language at the command line: `rbgpctl vtysh`, and a link `vtysh` to `rbgpctl`.
//!
//! ```text
//! -f ────────────────────────────────────────────────── lines, all at once ──► configure
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

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::control::client::Client;
use crate::control::server::BODY_MAX;
use crate::frr::{Source, Walk};
use session::{Ending, Session};

/// What `rbgpctl vtysh` and `vtysh` take.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A command; several are given with several -c, or with line feeds between them. The first that
    /// fails is the last.
    #[arg(
        short = 'c',
        long = "command",
        value_name = "COMMAND",
        short_alias = 'e',
        alias = "eval"
    )]
    commands: Vec<String>,
    #[command(flatten)]
    file: FileOptions,
    /// Print each command behind the prompt before what it prints.
    #[arg(short = 'E', long)]
    echo: bool,
    /// Write the configuration file, as the command `write` does.
    #[arg(short = 'w', long = "writeconfig", conflicts_with_all = ["commands", "file"])]
    write: bool,
    /// Only what FRR lets everybody do: nothing is changed, and the configuration is not shown.
    #[arg(short = 'u', long = "user")]
    unprivileged: bool,
    #[command(flatten)]
    taken: Taken,
}

/// Configuration from a file.
#[derive(Debug, Args)]
struct FileOptions {
    /// Lines of configuration from a file, as behind `configure terminal`: all of them come into force
    /// together, or none. `-` is standard input.
    #[arg(
        short = 'f',
        long = "inputfile",
        value_name = "FILE",
        conflicts_with = "commands"
    )]
    file: Option<PathBuf>,
    /// The same with the file `frr.conf`.
    #[arg(short = 'b', long = "boot", conflicts_with_all = ["commands", "file", "mark"])]
    boot: bool,
    /// Only check the lines of the file, which is `frr.conf` without -f.
    #[arg(short = 'C', long = "dryrun", conflicts_with_all = ["commands", "mark"])]
    dry_run: bool,
    /// Print the file with an `exit` behind each block that has none.
    #[arg(short = 'm', long = "markfile", requires = "file")]
    mark: bool,
    /// Where `frr.conf` is, for -b and -C.
    #[arg(long = "config_dir", value_name = "DIR", default_value = "/etc/frr")]
    config_dir: PathBuf,
}

/// What else scripts give to FRR's vtysh.
#[derive(Debug, Args)]
struct Taken {
    /// Taken for the sake of scripts: one daemon answers for all of FRR's.
    #[arg(short = 'd', long = "daemon", value_name = "NAME")]
    daemon: Option<String>,
    /// No daemon that answers is no failure: it is said, and the exit code is 0.
    #[arg(short = 'n', long = "noerror")]
    no_error: bool,
    /// Taken for the sake of scripts: what is typed is written nowhere.
    #[arg(short = 'H', long = "histfile", value_name = "FILE")]
    history: Option<PathBuf>,
    /// Refused: say which daemon with --socket or RBGPD_SOCKET.
    #[arg(long = "vty_socket", value_name = "DIR")]
    vty_socket: Option<PathBuf>,
    /// Refused: say which daemon with --socket or RBGPD_SOCKET.
    #[arg(short = 'N', long = "pathspace", value_name = "NAME")]
    path_space: Option<String>,
    /// Refused: no command prints the time.
    #[arg(short = 't', long = "timestamp")]
    timestamp: bool,
}

impl Taken {
    /// Why it cannot be done, and what can.
    fn refused(&self) -> Option<(String, &'static str)> {
        const SOCKET: &str = "rbgpd has one socket; name it: --socket PATH, or RBGPD_SOCKET=PATH before the command";
        if let Some(name) = &self.daemon
            && !DAEMONS.contains(&name.as_str())
        {
            let why = format!("`{name}` is none of FRR's daemons that rbgpd stands for");
            return Some((why, "leave -d out"));
        }
        if let Some(directory) = &self.vty_socket {
            let why = format!(
                "--vty_socket {}: no daemon of FRR is asked",
                directory.display()
            );
            return Some((why, SOCKET));
        }
        if let Some(name) = &self.path_space {
            return Some((format!("-N {name}: no daemon of FRR is asked"), SOCKET));
        }
        self.timestamp.then(|| {
            let why = "-t: no time is printed before what a command prints".to_owned();
            (why, "`date` before the command prints it")
        })
    }
}

/// FRR's exit codes of -f: a line is refused; the file cannot be read.
const LINE_REFUSED: u8 = 2;
const NO_FILE: u8 = 11;

/// Runs commands from wherever they come, and returns the exit code.
pub(crate) async fn run(
    options: Options,
    client: Client,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> io::Result<u8> {
    if let Some((why, hint)) = options.taken.refused() {
        writeln!(talk, "error: {why}\n\nhint: {hint}")?;
        return Ok(1);
    }
    let source = match options.file.source() {
        None => None,
        Some(Ok(source)) => Some(source),
        Some(Err((path, error))) => {
            writeln!(talk, "error: cannot read `{}`: {error}", path.display())?;
            return Ok(NO_FILE);
        }
    };
    if let Some(source) = &source
        && options.file.mark
    {
        return mark(source, out, talk);
    }
    let mut session = Session::new(client).unprivileged(options.unprivileged);
    let reached = session.reach().await;
    if let (Err(_), Some(source), true) = (&reached, &source, options.file.dry_run) {
        return check_alone(source, talk);
    }
    if let Err(error) = reached {
        // In the place where scripts look for it, and in FRR's words before ours.
        writeln!(talk, "failed to connect to any daemons.\nerror: {error}")?;
        if let Some(hint) = error.hint() {
            writeln!(talk, "\nhint: {hint}")?;
        }
        return Ok(u8::from(!options.taken.no_error));
    }
    if let Some(source) = &source {
        if options.unprivileged {
            writeln!(talk, "error: -u changes nothing\n\nhint: leave -u out")?;
            return Ok(LINE_REFUSED);
        }
        let (name, text, dry_run) = (&source.name, &source.text, options.file.dry_run);
        return match configure::file(session.client(), name, text, dry_run).await {
            Ok(notes) => write!(out, "{notes}").map(|()| 0),
            Err(error) => {
                writeln!(talk, "% {error}")?;
                if let Some(hint) = error.hint() {
                    writeln!(talk, "hint: {hint}")?;
                }
                Ok(LINE_REFUSED)
            }
        };
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
    if !lines.is_empty() {
        return all(&mut session, lines.into_iter().map(Ok), options.echo, out).await;
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return editor::run(&mut session, out).await;
    }
    let stdin = io::stdin().lock();
    all(&mut session, Lines(stdin), options.echo, out).await
}

impl FileOptions {
    /// The file that is meant, if one is.
    fn source(&self) -> Option<Result<Source, (PathBuf, io::Error)>> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None if self.boot || self.dry_run => self.config_dir.join("frr.conf"),
            None => return None,
        };
        Some(read(&path).map_err(|error| (path, error)))
    }
}

/// A file, or standard input. It may be a pipe, which the operator's shell has made.
fn read(path: &Path) -> io::Result<Source> {
    let mut octets = Vec::new();
    let most = u64::try_from(BODY_MAX).unwrap_or(u64::MAX);
    match path == Path::new("-") {
        true => io::stdin().lock().take(most).read_to_end(&mut octets)?,
        false => File::open(path)?.take(most).read_to_end(&mut octets)?,
    };
    if octets.len() == BODY_MAX {
        let why = format!("it has more than {BODY_MAX} octets");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    Ok(Source {
        name,
        text: String::from_utf8_lossy(&octets).into_owned(),
    })
}

/// Prints a file with the `exit` that each block ends with, from which programs that compare
/// configurations see where one ends.
fn mark(source: &Source, out: &mut dyn Write, talk: &mut dyn Write) -> io::Result<u8> {
    let mut walk = Walk::new();
    for line in source.text.lines() {
        let left = match walk.line(line) {
            Ok(left) => left,
            Err(report) => {
                let (place, text) = (report.place.line, &report.text);
                writeln!(talk, "line {place}: % Unknown command: {text}")?;
                return Ok(LINE_REFUSED);
            }
        };
        for _ in 0..left {
            writeln!(out, "exit")?;
        }
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nend")?;
    Ok(0)
}

/// Checks each line of a file for itself, as FRR's -C does: what they mean together and for what runs is
/// known to the daemon, which does not answer.
fn check_alone(source: &Source, talk: &mut dyn Write) -> io::Result<u8> {
    let mut walk = Walk::new();
    let mut code = 0;
    for line in source.text.lines() {
        if let Err(mut report) = walk.line(line) {
            report.file.clone_from(&source.name);
            writeln!(talk, "error: {report}")?;
            code = LINE_REFUSED;
        }
    }
    writeln!(
        talk,
        "note: no daemon answers, so each line was checked for itself; `rbgpctl check FILE` checks a whole \
         configuration"
    )?;
    Ok(code)
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
