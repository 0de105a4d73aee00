//! `rbgpd-uml PROGRAM [ARGUMENT...]`: runs a program of the build as root in user-mode Linux, a
//! kernel with VRFs, VLAN filtering and dummy devices that runs as a program itself.
//!
//! The guest has this machine's files, but what it writes is gone with it; `/run` and `/tmp` are its
//! own, the folder of the program is where it is here. What the program writes is printed, its
//! status is the status. Where no such guest can be had the reason is printed and the status is 125.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conformance::lab::{Error, Lab, uml};

/// As `podman run` and `timeout` say that it was not the program that failed.
const NOT_RUN: u8 = 125;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: rbgpd-uml PROGRAM [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(why) = uml::absent() {
        eprintln!("rbgpd-uml: {why}");
        return ExitCode::from(NOT_RUN);
    }
    match run(&on_path(&program), &arguments) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(why) => {
            eprintln!("rbgpd-uml: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: &Path, arguments: &[OsString]) -> Result<i32, Error> {
    let lab = Lab::new("uml")?;
    let ended = uml::run(&lab, program, arguments, |text| {
        print!("{text}");
        // A reader that has gone is told so when everything else is done.
        let _ = std::io::stdout().flush();
    })?;
    Ok(ended.code)
}

/// As a shell finds it.
fn on_path(program: &OsString) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    let found = found.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| std::path::absolute(program).unwrap_or_else(|_| program.into()))
}
