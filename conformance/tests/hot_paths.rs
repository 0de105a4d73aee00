//! Instructions that a route costs on each hot path, against bounds.
//!
//! Wall time on a shared machine says little; the number of instructions is the same to within a
//! percent on every run. A bound stands a third above what was measured when it was set: what goes
//! beyond has made a path dearer by something that can be named. The figures are of optimized code,
//! crate by crate, which is quicker to build than what is delivered, and in one unit for each crate,
//! since what is inlined changes with the cut: `make hotpaths`. Whoever makes
//! a path cheaper lowers its bound.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::lab::{Requirement, missing, note_skip};

/// Runs with so many routes: the difference is what is looked at.
const ROUTES: [u64; 2] = [4_000, 12_000];

/// Built into a folder of its own, so that no other build of it is taken.
fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let mut places = own
        .ancestors()
        .map(|dir| dir.join("hotpaths/release/hotpaths"));
    places.find(|path| path.is_file())
}

/// Instructions for one route more, all included.
fn slope(program: &Path, path: &str) -> u64 {
    let [few, many] = ROUTES.map(|routes| instructions(program, path, routes));
    (many - few) / (ROUTES[1] - ROUTES[0])
}

fn instructions(program: &Path, path: &str, routes: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(path)
        .arg(routes.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.split_whitespace().last());
    number.and_then(|it| it.parse().ok()).expect(&text)
}

#[test]
fn hot_paths_cost_no_more_instructions_than_they_should() {
    if let Some(why) = missing(&[Requirement::Program("valgrind")]) {
        note_skip("hot_paths", &why);
        return;
    }
    let Some(program) = program() else {
        panic!("no optimized program\n\nhint: make hotpaths");
    };
    let of = |path| slope(&program, path);
    let [table, octets, decode, decide, policy, plan] =
        ["table", "octets", "decode", "decide", "policy", "plan"].map(of);
    let [load, import, export] = ["load", "import", "export"].map(of);
    let paths = [
        ("decode", decode - octets, 900),
        ("decide", decide - 2 * decode, 7_700),
        ("policy", policy - table, 4_900),
        ("plan", plan - table, 2_100),
        // Of two edits each.
        ("import", (import - load) / 2, 290),
        ("export", (export - load) / 2, 250),
    ];
    for (path, cost, bound) in paths {
        println!("{path}: {cost} instructions for a route, at most {bound}");
    }
    for (path, cost, bound) in paths {
        assert!(
            cost <= bound,
            "{path}: {cost} instructions for a route, at most {bound}"
        );
    }
}
