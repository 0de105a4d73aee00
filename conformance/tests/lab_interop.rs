//! What rbgpd does together with each other daemon, feature by feature.

#![allow(missing_docs)]

use std::io::Write;

use conformance::interop::{Daemon, Feature, Outcome, check, document};
use conformance::lab::{Error, note_skip, scenario_beside_others};

/// Makes the cells of a daemon, prints them and compares them with `daemon/docs/interop.md`.
fn cells(daemon: Daemon) -> Result<(), Error> {
    let name = format!("interop-{daemon:?}").to_lowercase();
    if let Some(why) = daemon.absent() {
        note_skip(&name, &why);
        return Ok(());
    }
    scenario_beside_others(&name, &[], |lab| {
        let cells = check::column(lab, daemon)?;
        let mut table = format!("{} ({})\n", daemon.name(), daemon.version());
        for (feature, cell) in Feature::ALL.iter().zip(&cells) {
            table += &format!("  {:<38}{cell}\n", feature.to_string());
        }
        // Past what the test runner holds back: the table is the result.
        let _ = std::io::stdout().write_all(table.as_bytes());
        let failed: Vec<String> = Feature::ALL
            .iter()
            .zip(&cells)
            .filter(|(_, cell)| matches!(cell, Outcome::Failed(_)))
            .map(|(feature, cell)| format!("{feature}: {cell}"))
            .collect();
        match failed.is_empty() {
            true => document::agree(daemon, &cells),
            false => Err(Error::State(failed.join("\n"))),
        }
    })
}

#[test]
fn frr_8() -> Result<(), Error> {
    cells(Daemon::Frr8)
}

#[test]
fn frr_10() -> Result<(), Error> {
    cells(Daemon::Frr10)
}

#[test]
fn bird_2_0() -> Result<(), Error> {
    cells(Daemon::Bird2)
}

#[test]
fn bird_2() -> Result<(), Error> {
    cells(Daemon::Bird2New)
}

#[test]
fn bird_3() -> Result<(), Error> {
    cells(Daemon::Bird3)
}

#[test]
fn gobgp() -> Result<(), Error> {
    cells(Daemon::Gobgp)
}

#[test]
fn openbgpd() -> Result<(), Error> {
    cells(Daemon::Openbgpd)
}

#[test]
fn exabgp() -> Result<(), Error> {
    cells(Daemon::Exabgp)
}
