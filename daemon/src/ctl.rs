//! `rbgpctl`: the control socket on the command line.
//!
//! ```text
//! arguments ──args──► Command ──run──► control::Client ──► daemon
//!                                └──► text, or the daemon's own JSON ──► stdout
//! ```
//!
//! It is a client like any other: each command is one [`crate::control::Request`], or several in a
//! row where it waits. What it prints is data on stdout and talk on stderr. Nothing is coloured, so
//! there is nothing for `NO_COLOR` to take away. `check` and `decode` work without a daemon.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not safe or not confirmed in time.

mod args;
pub mod check;
mod decode;
mod explain;
mod network;
mod route_map;
mod run;
mod show;
mod table;
mod wait;

use std::process::ExitCode;

use clap::Parser;

/// The whole program: reads the arguments of the process and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(run::run(arguments)),
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            Exit::FAILED
        }
    };
    ExitCode::from(code.0)
}

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exit(u8);

impl Exit {
    const DONE: Exit = Exit(0);
    const FAILED: Exit = Exit(1);
    const USAGE: Exit = Exit(2);
    const UNCONFIRMED: Exit = Exit(3);
}
