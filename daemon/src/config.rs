//! The configuration: from text to a typed, checked value, and from two of those to a difference.
//!
//! ```text
//! text ──file──► File (every value with its place) ──accept──► Config ──diff──► Diff
//!                                                                │
//!                                                              print ──► text
//! ```
//!
//! [`mod@file`] reads TOML into a [`file::File`] and checks one value at a time; [`accept()`] checks
//! what several values mean together, resolves names to route-maps and fills in defaults;
//! [`diff()`] says what changes from one accepted configuration to another, and whether a session
//! restarts for it. Every error of every step is reported at once, each with its place.
//!
//! Nothing here touches the system: whether an interface exists or an address can be bound is
//! found out by those who use it. What the kernel cannot do at all is an error with its place, too,
//! where the caller can ask it ([`parse_here`]). Nothing is applied here either.

mod accept;
pub mod diff;
pub(crate) mod duration;
pub(crate) mod edit;
pub mod error;
pub mod file;
pub mod policy;
mod print;
mod read;
mod types;

use std::io;

use file::File;

pub use accept::accept;
pub(crate) use accept::not_of_hosts;
pub use diff::{Diff, diff};
use error::Span;
pub use error::{ConfigError, Origin, Place, Problem, Report};
pub use policy::{Direction, PolicyKind};
pub use print::print;
pub use types::*;

/// The text of a file in TOML, or the first octet that is none. `file` is the name that the error
/// shows.
pub(crate) fn text(octets: Vec<u8>, file: &str) -> Result<String, Box<ConfigError>> {
    String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let place = Report::new(&before, file).place(Span { start: at, end: at });
        let octet = error.as_bytes().get(at).copied().unwrap_or_default();
        // What it would be where the file comes from an editor of old.
        let latin = match char::from(octet) {
            character if character.is_control() => String::new(),
            character => format!(" (in ISO 8859-1 it is `{character}`)"),
        };
        Box::new(ConfigError {
            file: file.to_owned(),
            place,
            problem: Problem::NotText(octet),
            hint: Some(format!(
                "write the character there anew{latin}, or the whole file: iconv -f ISO-8859-1 -t \
                 UTF-8; is this the right file?"
            )),
        })
    })
}

/// Reads a configuration in TOML as [`parse`] does, and remarks what is in it without effect.
pub fn parse_and_review(
    text: &str,
    file: &str,
) -> Result<(Config, Vec<policy::review::Remark>), Vec<ConfigError>> {
    parse_here(text, file, |_| Ok(()))
}

/// Reads a configuration in TOML for the host on which it is to run, with remarks.
/// `ao_works` asks the kernel whether it signs with an algorithm of TCP-AO.
pub fn parse_here(
    text: &str,
    file: &str,
    ao_works: impl Fn(AoAlgorithm) -> io::Result<()>,
) -> Result<(Config, Vec<policy::review::Remark>), Vec<ConfigError>> {
    understand(text, Report::new(text, file), ao_works)
}

/// The same for a text that was made from another one, to which the report points.
pub(crate) fn understand(
    text: &str,
    mut report: Report,
    ao_works: impl Fn(AoAlgorithm) -> io::Result<()>,
) -> Result<(Config, Vec<policy::review::Remark>), Vec<ConfigError>> {
    let file = file::read(text, &mut report);
    let config = file.as_ref().and_then(|file| accept(file, &mut report));
    if let Some(file) = &file {
        let instances = file.instances.iter().map(|at| &at.value);
        let settings = std::iter::once(file).chain(instances);
        let settings = settings.flat_map(File::settings);
        for keys in settings.filter_map(|settings| settings.tcp_ao.as_ref()) {
            let algorithms = keys.value.iter().map(|key| key.value.algorithm);
            let algorithms = algorithms.map(|it| it.map(|it| it.value).unwrap_or_default());
            let unable = algorithms
                .filter_map(|algorithm| ao_works(algorithm).err())
                .next();
            if let Some(error) = unable {
                let problem = Problem::Kernel {
                    key: "tcp_ao",
                    because: error.to_string(),
                };
                let hint = "use a kernel that has it (Linux 6.7 and later, where it is built in), \
                            or `password` on both sides";
                report.error_with_hint(keys.span, problem, hint);
            }
        }
    }
    let remarks = match (&file, &config) {
        (Some(file), Some(config)) => policy::review::review(file, config, &report),
        (Some(_) | None, _) => Vec::new(),
    };
    report.finish(config).map(|config| (config, remarks))
}

/// Reads a configuration in TOML. `file` is the name that errors show.
///
/// All errors are returned, in the order of the file. Syntax errors hide the rest: the checks
/// that follow would only report their consequences.
pub fn parse(text: &str, file: &str) -> Result<Config, Vec<ConfigError>> {
    let mut report = Report::new(text, file);
    let config = file::read(text, &mut report).and_then(|file| accept(&file, &mut report));
    report.finish(config)
}

#[cfg(test)]
mod tests;
