//! A test that needs another kernel than this machine's, run once more in user-mode Linux.
//!
//! For tests of other crates, which take this file and `skip` in by their paths, since they do not
//! depend on this crate. It asks the program `rbgpd-uml`, which must have been built.

use std::process::Command;

use crate::skip;

/// The status of `rbgpd-uml` where there is no guest.
const NOT_RUN: i32 = 125;

/// Runs the test of this thread in a guest, and fails where it fails there. Where no guest can be
/// had it is skipped; `why` says what this kernel lacks.
#[track_caller]
pub(crate) fn run_this_test(why: &str) {
    let thread = std::thread::current();
    let (Some(test), Ok(program)) = (thread.name(), std::env::current_exe()) else {
        return skip::note(None, why);
    };
    let mut folders = program.ancestors().skip(1);
    let Some(uml) = folders.find_map(|it| Some(it.join("rbgpd-uml")).filter(|it| it.is_file()))
    else {
        let build = "cargo build -p rbgpd-conformance --bin rbgpd-uml";
        return skip::note(None, &format!("{why}, or user-mode Linux ({build})"));
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(uml).arg(&program);
    let output = command.args(["--exact", test, "--nocapture"]).output();
    let (status, out, err) = match output {
        Ok(it) => (it.status.code(), it.stdout, it.stderr),
        Err(error) => return skip::note(None, &format!("{why}, and setpriv: {error}")),
    };
    let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    if status == Some(NOT_RUN) {
        return skip::note(None, &format!("{why}; {}", err.trim()));
    }
    // A name that no test has passes, too.
    let passed = status == Some(0) && out.contains("test result: ok. 1 passed");
    // Not at the beginning of a line: those are counted as results of tests.
    let said = format!("\n{err}{out}").replace('\n', "\numl| ");
    assert!(passed, "{test} in user-mode Linux: {status:?}{said}");
}
