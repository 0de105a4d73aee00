//! FRR's language: reads `frr.conf` into the configuration that TOML is read into.
//!
//! ```text
//! text ──text──► lines ──grammar, shapes──► statements ──read──► Site ──write──► TOML, each line
//!                                                                                 │ with its place
//!          Config ◄── accept ◄── file ◄──────────── config::parse ◄───────────────┘
//! ```
//!
//! `shapes` is the one table of commands, `grammar` finds a line in it, `read` keeps track of
//! blocks, `model` is what all lines come to, and `write` puts it into TOML, with FRR's defaults
//! where they are not ours. That TOML is then read like any other, so all checks are those of TOML,
//! and their errors point at the line of FRR's that is behind. `rbgpctl import-frr` prints the same
//! text: what it prints loads to the identical configuration because it is what was loaded.
//!
//! Every line ends as one [`Outcome`], and none is dropped: what rbgpd does not do is refused by name
//! where it is about BGP, EVPN, BFD, policy, interfaces or VRFs, and named otherwise.
//!
//! The other way round, [`running`] shows files as FRR shows what runs, and [`configure`] gives lines
//! to it as one transaction.
//!
//! Not here: commands that ask (`vtysh`). Nothing is read from the host but what FRR itself would take from it ([`Host`]).

mod candidate;
mod document;
mod grammar;
mod host;
mod live;
mod model;
mod order;
mod print;
mod read;
mod shapes;
mod spell;
mod text;
mod write;

use std::fmt;
use std::io;
use std::path::Path;

use crate::config::policy::review::Remark;
use crate::config::{self, AoAlgorithm, Config, ConfigError, Origin, Place, Problem, Report};
pub use candidate::{Candidate, LINES, RUNNING, base, configure, running};
pub use grammar::Next;
pub use host::{Host, Vxlan};
pub use print::print;
pub use read::{Here, Walk};
use write::Note;

/// A file in FRR's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As errors call it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// A place in one of several files. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) file: usize,
    /// Counted from one; zero where no line says it.
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Spot {
    fn in_file(self) -> (usize, Place) {
        let place = Place {
            line: self.line,
            column: self.column,
        };
        (self.file, place)
    }
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done as FRR does it, or so in any case.
    Honoured,
    /// Done as FRR does it, which may not be what somebody expects.
    Noted(String),
    /// Done, with a difference that is named.
    Differs(String),
    /// For another daemon of FRR, which can run beside.
    Elsewhere(&'static str),
    /// Not done, for this reason; the file is refused.
    Refused(String),
    /// In a block that is refused, of the line with this number.
    Within(usize),
    /// Not understood.
    Unknown {
        /// What is missing.
        why: String,
        /// Whether it is about what rbgpd does; the file is refused then.
        ours: bool,
    },
}

/// A line with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineReport {
    /// The file.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// The line without indentation.
    pub text: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl fmt::Display for LineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, place, text) = (&self.file, self.place, &self.text);
        write!(f, "{file}:{place}: `{text}`: ")?;
        match &self.outcome {
            Outcome::Honoured => f.write_str("honoured"),
            Outcome::Noted(how) | Outcome::Differs(how) => f.write_str(how),
            Outcome::Elsewhere(daemon) => {
                write!(f, "not ours; FRR's {daemon} can run beside rbgpd")
            }
            Outcome::Refused(why) => f.write_str(why),
            Outcome::Within(line) => write!(f, "in the block of line {line}, which is refused"),
            Outcome::Unknown { why, .. } => f.write_str(why),
        }
    }
}

impl LineReport {
    /// The error of a line that nobody knows, where a file would be used all the same.
    fn unknown_elsewhere(&self) -> Option<ConfigError> {
        let Outcome::Unknown { why, ours: false } = &self.outcome else {
            return None;
        };
        Some(self.error(why, Some(UNKNOWN)))
    }

    fn error(&self, why: &str, hint: Option<&str>) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            place: self.place,
            problem: Problem::FrrLine {
                line: self.text.chars().take(80).collect(),
                why: why.to_owned(),
            },
            hint: hint.map(str::to_owned),
        }
    }
}

/// What a configuration in FRR's language comes to.
#[derive(Debug, Clone)]
pub struct Translation {
    /// The same in TOML; of use when nothing is refused.
    pub toml: String,
    /// All lines, in order.
    pub lines: Vec<LineReport>,
    /// About the whole.
    pub remarks: Vec<String>,
    /// Lines that refer to what is not there, by their place among all, with what FRR makes of it.
    pub nowhere: Vec<(usize, String)>,
    origin: Origin,
}

/// How many lines ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// As FRR does it.
    pub honoured: usize,
    /// With a named difference.
    pub differing: usize,
    /// For other daemons.
    pub elsewhere: usize,
    /// Not done or not understood, in what rbgpd does.
    pub refused: usize,
    /// Not understood, elsewhere.
    pub unknown: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            honoured,
            differing,
            elsewhere,
            refused,
            unknown,
        } = self;
        write!(
            f,
            "{honoured} lines honoured, {differing} with a difference, {elsewhere} of other daemons, \
             {refused} refused, {unknown} unknown"
        )
    }
}

impl Translation {
    /// How many lines ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for line in &self.lines {
            *match &line.outcome {
                Outcome::Honoured | Outcome::Noted(_) => &mut counts.honoured,
                Outcome::Differs(_) => &mut counts.differing,
                Outcome::Elsewhere(_) => &mut counts.elsewhere,
                Outcome::Refused(_) | Outcome::Within(_) | Outcome::Unknown { ours: true, .. } => {
                    &mut counts.refused
                }
                Outcome::Unknown { ours: false, .. } => &mut counts.unknown,
            } += 1;
        }
        counts
    }

    /// An error for each line because of which the file is refused.
    fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for line in &self.lines {
            let (why, hint) = match &line.outcome {
                Outcome::Refused(why) => (why, None),
                Outcome::Unknown { why, ours: true } => (why, Some(UNKNOWN)),
                Outcome::Honoured
                | Outcome::Noted(_)
                | Outcome::Differs(_)
                | Outcome::Elsewhere(_)
                | Outcome::Within(_)
                | Outcome::Unknown { ours: false, .. } => continue,
            };
            errors.push(line.error(why, hint));
        }
        errors
    }
}

const UNKNOWN: &str = "daemon/docs/migrating-from-frr.md lists the commands that are known; take the line out if it is not needed";

/// Translates files in FRR's language, of which there may be one for each daemon.
pub fn translate(sources: &[Source], host: &Host) -> Translation {
    let (site, read) = read::read(sources);
    let whole = write::write(&site, host);
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let mut lines: Vec<(Spot, LineReport)> = read
        .into_iter()
        .map(|line| {
            let report = LineReport {
                file: names.get(line.spot.file).cloned().unwrap_or_default(),
                place: line.spot.in_file().1,
                text: line.text,
                outcome: line.outcome,
            };
            (line.spot, report)
        })
        .collect();
    let place = |spot: &Spot| lines.binary_search_by_key(spot, |(spot, _)| *spot).ok();
    let nowhere = whole.nowhere.iter();
    let nowhere = nowhere.filter_map(|(spot, how)| Some((place(spot)?, how.clone())));
    let nowhere = nowhere.collect();
    for (spot, note) in whole.notes {
        let Ok(at) = lines.binary_search_by_key(&spot, |(spot, _)| *spot) else {
            continue;
        };
        let Some((_, line)) = lines.get_mut(at) else {
            continue;
        };
        line.outcome = match (note, &line.outcome) {
            (Note::AsFrr(how), Outcome::Honoured) => Outcome::Noted(how),
            (Note::AsFrr(how), Outcome::Noted(before)) if !before.contains(&how) => {
                Outcome::Noted(format!("{before}; {how}"))
            }
            (Note::Differs(how), Outcome::Honoured) => Outcome::Differs(how),
            (
                Note::Differs(how) | Note::AsFrr(how),
                Outcome::Differs(before) | Outcome::Noted(before),
            ) if !before.contains(&how) => Outcome::Differs(format!("{before}; {how}")),
            (Note::Refused(why), _) => Outcome::Refused(why),
            (Note::AsFrr(_) | Note::Differs(_), _) => continue,
        };
    }
    Translation {
        toml: whole.toml.text,
        lines: lines.into_iter().map(|(_, line)| line).collect(),
        remarks: whole.remarks,
        nowhere,
        origin: Origin {
            files: names,
            places: whole.toml.spots.into_iter().map(Spot::in_file).collect(),
        },
    }
}

/// What is accepted: the configuration, and remarks about what is in it without effect.
pub type Accepted = (Config, Vec<Remark>);

/// Translates, and reads the outcome for the host it is to run on, with all errors at once.
/// `ao_works` is as for [`config::parse_here`].
pub fn parse(
    sources: &[Source],
    host: &Host,
    ao_works: impl Fn(AoAlgorithm) -> io::Result<()>,
) -> (Translation, Result<Accepted, Vec<ConfigError>>) {
    let translation = translate(sources, host);
    let name = sources.first().map_or("", |source| source.name.as_str());
    let mut errors = translation.errors();
    let report = Report::new(&translation.toml, name).from_origin(translation.origin.clone());
    let read = config::understand(&translation.toml, report, ao_works);
    if errors.is_empty() {
        return (translation, read);
    }
    errors.extend(read.err().into_iter().flatten());
    errors.sort_by_key(|error| (error.file.clone(), error.place.line, error.place.column));
    (translation, Err(errors))
}

/// Whether a configuration in FRR's language says the identifier of its default router, and does not leave it to
/// the host.
pub fn names_router_id(sources: &[Source]) -> bool {
    let (site, _) = read::read(sources);
    let default = site.routers.get(&None);
    let written = default.and_then(|router| router.keys.get("router_id"));
    written.or(site.router_id.as_ref()).is_some()
}

/// Whether a file is in FRR's language: all are but those that are named `*.toml`.
pub fn is_frr(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "toml")
}

/// The file, and where it is one of those of FRR's single daemons the others beside it. Octets that
/// are not text stand in comments and descriptions only, if anywhere.
pub fn sources(path: &Path) -> io::Result<Vec<Source>> {
    const SPLIT: [&str; 5] = [
        "zebra.conf",
        "bgpd.conf",
        "bfdd.conf",
        "staticd.conf",
        "mgmtd.conf",
    ];
    let read = |path: &Path| -> io::Result<Source> {
        let octets = crate::plain_file::read(path)?;
        Ok(Source {
            name: path.display().to_string(),
            text: String::from_utf8_lossy(&octets).into_owned(),
        })
    };
    let mut all = vec![read(path)?];
    let name = path.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| SPLIT.contains(&name)) {
        for other in SPLIT.iter().filter(|other| Some(**other) != name) {
            match read(&path.with_file_name(other)) {
                Ok(source) => all.push(source),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
