//! Running other programs: `ip`, `bridge`, `wg`, `vtysh`, `podman`.
//!
//! A command has a time limit, because a test that hangs says less than one that fails.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Error;

/// Long enough for a package download on a slow day.
const LIMIT: Duration = Duration::from_secs(300);

/// What a command left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with 0.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Both streams in one, errors first, for a message.
    pub fn text(&self) -> String {
        format!("{} {}", self.stderr.trim(), self.stdout.trim())
            .trim()
            .to_owned()
    }
}

/// Runs a command to its end, whatever its status.
pub fn output(command: &mut Command) -> Result<Output, Error> {
    output_within(command, LIMIT)
}

/// Runs a command; after `limit` it is killed and an error.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output, Error> {
    let line = describe(command);
    let child = open_signals(command)
        // Away from the terminal's Ctrl-C, which is for the lab to answer.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::io(&line, e))?;
    let pid = i32::try_from(child.id()).map(Pid::from_raw);
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match result.recv_timeout(limit) {
        Ok(Ok(output)) => Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
        Ok(Err(error)) => Err(Error::io(&line, error)),
        Err(_) => {
            // The waiting thread still holds the child, so the number cannot belong to another
            // process.
            if let Ok(pid) = pid {
                let _ = kill(pid, Signal::SIGKILL);
            }
            Err(Error::Stuck {
                command: line,
                limit_s: limit.as_secs(),
            })
        }
    }
}

/// Runs a command that must end with 0 and returns its standard output.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let output = output(command)?;
    if output.ok() {
        return Ok(output.stdout);
    }
    let status = output
        .code
        .map_or_else(|| "a signal".to_owned(), |c| format!("status {c}"));
    Err(Error::Command {
        command: describe(command),
        status,
        text: output.text(),
    })
}

/// Runs a program of the machine itself, outside every namespace.
pub fn host(program: &str, args: &[&str]) -> Result<String, Error> {
    run(Command::new(program).args(args))
}

/// Parses what a command printed; nothing at all counts as an empty list, as `ip -j` means it.
pub fn json(what: &str, text: &str) -> Result<Value, Error> {
    if text.trim().is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    serde_json::from_str(text).map_err(|source| Error::Json {
        what: what.to_owned(),
        source,
    })
}

/// Makes the program start with no signal blocked, whatever its parent blocks
/// ([`super::Interrupt`]). The standard library hands the mask down, and a daemon that never sees
/// SIGTERM cannot be stopped.
pub(super) fn open_signals(command: &mut Command) -> &mut Command {
    let unblock = || {
        SigSet::empty()
            .thread_set_mask()
            .map_err(std::io::Error::from)
    };
    // SAFETY: between fork and exec only what is async-signal-safe may run. The closure makes one
    // system call on a value on its own stack; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) }
}

/// The command line as one would type it.
pub(super) fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_starts_with_no_signal_blocked_although_its_parent_blocks_one() {
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTERM);
        // On a thread of its own: the mask must not outlive the test.
        let status = std::thread::spawn(move || {
            blocked.thread_block().unwrap();
            run(Command::new("grep").args(["SigBlk", "/proc/self/status"])).unwrap()
        });
        assert_eq!(status.join().unwrap().trim(), "SigBlk:\t0000000000000000");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed() {
        let result = output_within(Command::new("sleep").arg("60"), Duration::from_millis(50));
        assert!(matches!(result, Err(Error::Stuck { .. })), "{result:?}");
    }

    #[test]
    fn a_failed_command_is_reported_with_its_words() {
        let error = host("sh", &["-c", "echo reason >&2; exit 3"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh -c echo reason >&2; exit 3` ended with status 3: reason"
        );
    }
}
