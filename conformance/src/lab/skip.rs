//! Saying that a test cannot be had on this machine, and having it counted.
//!
//! A skipped test prints `skipped: NAME: why` and, when `RBGPD_SKIP_LOG` names a file, adds the
//! line to it, so that a run can count what it did not do. Tests of other crates take this file in
//! by its path, since they do not depend on this crate.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Prints and counts a test that is skipped; without a name it is the one of this thread.
pub(crate) fn note(name: Option<&str>, why: &str) {
    let thread = std::thread::current();
    let name = name.or(thread.name()).unwrap_or("a test");
    count(&format!("skipped: {name}: {why}"));
}

/// Prints and counts a line that says so.
pub(crate) fn count(line: &str) {
    println!("{line}");
    let Some(path) = std::env::var_os("RBGPD_SKIP_LOG") else {
        return;
    };
    let written = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut log| writeln!(log, "{line}"));
    if let Err(error) = written {
        eprintln!("{}: {error}", Path::new(&path).display());
    }
}
