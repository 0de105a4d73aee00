//! `rbgpctl`: the control socket on the command line.
//!
//! ```text
//! arguments ──args──► Command ──run──► control::Client ──► daemon
//!                                └──► text, or the daemon's own JSON ──► stdout
//! ```
//!
//! It is a client like any other: each command is one [`crate::control::Request`], or several in a
//! row where it waits. What it prints is data on stdout and talk on stderr. Nothing is coloured, so
//! there is nothing for `NO_COLOR` to take away. `check`, `decode` and `import-frr` work without a daemon.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not safe or not confirmed in time.

mod args;
pub mod check;
mod decode;
mod explain;
mod import;
mod network;
mod route_map;
mod run;
mod show;
mod table;
mod wait;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

/// The whole program: reads the arguments of the process and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = arguments();
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

/// By whatever name the program was called: a link `vtysh` takes what FRR's takes.
fn arguments() -> args::Arguments {
    let name = std::env::args_os().next();
    let name = name.as_deref().map(Path::new).and_then(Path::file_name);
    if name != Some(OsStr::new("vtysh")) {
        return args::Arguments::parse();
    }
    let args::Vtysh { socket, options } = args::Vtysh::parse();
    args::Arguments {
        socket,
        instance: None,
        command: args::Command::Vtysh(options),
    }
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
