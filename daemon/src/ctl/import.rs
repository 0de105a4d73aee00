//! `rbgpctl import-frr FILE`, and what `check` says about files in FRR's language: what became of
//! each line.
//!
//! TOML goes to stdout, everything about lines to stderr. Nothing is asked of the daemon.

use std::io::{self, Write};
use std::path::Path;

use crate::config::ConfigError;
use crate::control::words::counted;
use crate::frr::{self, Host, LineReport, Outcome, Translation};
use crate::peer_io::transport;

/// Prints a file in FRR's language as TOML, and reports its lines. True if all of it can be used.
pub(super) fn import(
    file: &Path,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<bool, io::Error> {
    let Some((translation, errors)) = read(file, talk)? else {
        return Ok(false);
    };
    writeln!(out, "# Made from {} by rbgpctl import-frr.", file.display())?;
    out.write_all(translation.toml.as_bytes())?;
    report(file, &translation, &errors, talk)
}

/// Checks a file in FRR's language. True if it can be used.
pub(super) fn check(file: &Path, talk: &mut dyn Write) -> io::Result<bool> {
    match read(file, talk)? {
        Some((translation, errors)) => report(file, &translation, &errors, talk),
        None => Ok(false),
    }
}

fn read(file: &Path, talk: &mut dyn Write) -> io::Result<Option<(Translation, Vec<ConfigError>)>> {
    let sources = match frr::sources(file) {
        Ok(sources) => sources,
        Err(error) => {
            writeln!(talk, "{}", super::check::unreadable(file, &error))?;
            return Ok(None);
        }
    };
    let (translation, read) = frr::parse(&sources, &Host::now(), transport::ao_works);
    let mut errors = Vec::new();
    match read {
        Ok((_, remarks)) => {
            for remark in remarks {
                writeln!(talk, "{remark}\n")?;
            }
        }
        Err(found) => errors = found,
    }
    Ok(Some((translation, errors)))
}

/// Whether a line ended so.
type Is = fn(&Outcome) -> bool;

/// Lines that are not simply honoured, by what became of them; then all errors, and counts.
fn report(
    file: &Path,
    translation: &Translation,
    errors: &[ConfigError],
    talk: &mut dyn Write,
) -> io::Result<bool> {
    for remark in &translation.remarks {
        writeln!(talk, "note: {remark}\n")?;
    }
    let groups: [(&str, Is); 4] = [
        ("note", |it| matches!(it, Outcome::Noted(_))),
        ("differs", |it| matches!(it, Outcome::Differs(_))),
        ("elsewhere", |it| matches!(it, Outcome::Elsewhere(_))),
        ("unknown", |it| {
            matches!(it, Outcome::Unknown { ours: false, .. })
        }),
    ];
    for (word, is) in groups {
        let mut lines: Vec<&LineReport> = translation.lines.iter().collect();
        lines.retain(|line| is(&line.outcome));
        for line in &lines {
            writeln!(talk, "{word}: {line}")?;
        }
        if !lines.is_empty() {
            writeln!(talk)?;
        }
    }
    for error in errors {
        writeln!(talk, "{error}\n")?;
    }
    writeln!(talk, "{}: {}", file.display(), translation.counts())?;
    if !errors.is_empty() {
        let count = counted(errors.len(), "error", "errors");
        writeln!(talk, "{}: {count}", file.display())?;
    }
    Ok(errors.is_empty())
}
