//! `rbgpctl check FILE` and `rbgpd --check`: every error of a configuration at once, and remarks
//! about what is in it without effect.

use std::io::{self, Write};
use std::path::Path;

use super::import;
use crate::config;
use crate::control::words::counted;
use crate::peer_io::transport;
use crate::{frr, plain_file};

/// Checks a file and writes every error to `talk`. True if it has none. Remarks are written too
/// and change nothing about that.
pub fn check(file: &Path, talk: &mut dyn Write) -> io::Result<bool> {
    if frr::is_frr(file) {
        return import::check(file, talk);
    }
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => {
            writeln!(talk, "{error}")?;
            return Ok(false);
        }
    };
    match config::parse_here(&text, &file.display().to_string(), transport::ao_works) {
        Ok((_, remarks)) => {
            for remark in &remarks {
                writeln!(talk, "{remark}\n")?;
            }
            Ok(true)
        }
        Err(errors) => {
            for error in &errors {
                writeln!(talk, "{error}\n")?;
            }
            let count = counted(errors.len(), "error", "errors");
            writeln!(talk, "{}: {count}", file.display())?;
            Ok(false)
        }
    }
}

/// Why a file cannot be read and what to do.
pub(super) fn unreadable(file: &Path, error: &io::Error) -> String {
    let name = file.display();
    let known = READ_HINTS.iter().find(|(kind, ..)| *kind == error.kind());
    match known {
        Some((_, why, hint)) => format!("error: `{name}` {why}\n\nhint: {hint}"),
        None if error.kind() == io::ErrorKind::InvalidInput => {
            format!("error: `{name}` {error}\n\nhint: write the text into a file and name that")
        }
        None => format!("error: cannot read `{name}`: {error}"),
    }
}

/// The text of a file, or why there is none and what to do.
fn read(file: &Path) -> Result<String, String> {
    let name = file.display();
    let octets = plain_file::read(file).map_err(|error| unreadable(file, &error))?;
    config::text(octets, &name.to_string()).map_err(|error| error.to_string())
}

/// Why a file cannot be read, and what to do.
const READ_HINTS: [(io::ErrorKind, &str, &str); 3] = [
    (
        io::ErrorKind::NotFound,
        "does not exist",
        "the service reads /etc/rbgpd/rbgpd.toml unless --config names another file",
    ),
    (
        io::ErrorKind::IsADirectory,
        "is a directory, but must be a file",
        "name the file in it: rbgpd.toml or frr.conf is the usual one",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "may not be read by this user",
        "use sudo, or give the file to a group you are in",
    ),
];
