//! Lines of FRR's language given to what runs, as one transaction.
//!
//! ```text
//! what runs ─┐
//!            ├─read─► candidate ─accept─► configuration, and the text that runs from then on
//! the lines ─┘
//! ```
//!
//! The lines stand behind what runs, as if they were typed at the end of its file; only the end
//! counts. A route-map may go and come back in between, and a reference to something that is not
//! there at the end is an error with the line that makes it. Nothing is applied here: whoever asks
//! does that, in one step, or not at all.

use std::io;

use super::{Host, LineReport, Source, document, parse, print};
use crate::config::{AoAlgorithm, Config, ConfigError, VniConfig};

/// What errors call the configuration that runs.
pub const RUNNING: &str = "running-config";
/// What errors call the lines given to it.
pub const LINES: &str = "configure terminal";

/// What runs, with lines given to it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What is to run.
    pub config: Config,
    /// The same in FRR's language.
    pub running: Source,
    /// What became of each of the lines.
    pub lines: Vec<LineReport>,
}

/// What files come to, as FRR shows it: reading the text gives what reading the files gives.
pub fn running(sources: &[Source], host: &Host) -> Source {
    let text = document::text(sources);
    let shown = Source {
        name: RUNNING.to_owned(),
        text,
    };
    let one = std::slice::from_ref(&shown);
    match same(read(sources, host), read(one, host)) {
        true => shown,
        false => whole(sources),
    }
}

/// Gives lines to what runs. `ao_works` is as for [`parse`].
pub fn configure(
    running: &[Source],
    lines: &str,
    host: &Host,
    ao_works: impl Fn(AoAlgorithm) -> io::Result<()>,
) -> Result<Candidate, Vec<ConfigError>> {
    let sources = [
        self::running(running, host),
        Source {
            name: LINES.to_owned(),
            text: lines.to_owned(),
        },
    ];
    let (translation, read) = parse(&sources, host, ao_works);
    let of_lines = |line: &LineReport| line.file == LINES;
    // A file may have lines that nobody knows; whoever types one is told.
    let unknown = translation.lines.iter().filter(|line| of_lines(line));
    let unknown = unknown.filter_map(LineReport::unknown_elsewhere);
    let mut errors: Vec<ConfigError> = unknown.collect();
    // A file may refer to what is not there; whoever makes it so is told.
    let before = super::translate(running, host).nowhere;
    let new = |how: &String| !before.iter().any(|(_, known)| known == how);
    let nowhere = translation.nowhere.iter().filter(|(_, how)| new(how));
    errors.extend(nowhere.filter_map(|(at, how)| {
        let line = translation.lines.get(*at)?;
        Some(line.error(
            how,
            Some("define it in the same session, or take the line out"),
        ))
    }));
    let config = match read {
        Ok((config, _)) if errors.is_empty() => config,
        Ok(_) => return Err(errors),
        Err(found) => {
            errors.extend(found);
            return Err(errors);
        }
    };
    Ok(Candidate {
        config,
        running: self::running(&sources, host),
        lines: translation.lines.into_iter().filter(of_lines).collect(),
    })
}

/// What lines are given to where what runs was not read from FRR's language.
///
/// # Errors
///
/// What that language does not say of it, which would be lost.
pub fn base(config: &Config, host: &Host) -> Result<Source, Vec<String>> {
    let (source, unsaid) = print::whole(config, host);
    if !unsaid.is_empty() {
        return Err(unsaid);
    }
    let again = read(std::slice::from_ref(&source), host);
    // A device that is there is the one that is used, whoever would make it if it were not.
    let mut meant = config.clone();
    let there = |vni: &VniConfig| host.vxlans.iter().any(|it| it.vni == vni.id.get());
    for vni in meant.vnis.iter_mut().filter(|it| there(it)) {
        vni.create = false;
    }
    match same(again, Some(meant)) {
        true => Ok(source),
        false => Err(vec!["something that FRR's lines mean otherwise".to_owned()]),
    }
}

/// All files behind each other as they are, which means the same in any case.
fn whole(sources: &[Source]) -> Source {
    let texts: Vec<&str> = sources.iter().map(|it| it.text.as_str()).collect();
    Source {
        name: RUNNING.to_owned(),
        text: texts.join("\nend\n"),
    }
}

fn read(sources: &[Source], host: &Host) -> Option<Config> {
    let (_, read) = parse(sources, host, |_| Ok(()));
    read.ok().map(|(config, _)| config)
}

/// Whether both are there and the same but for the order of neighbours, on which nothing depends.
fn same(one: Option<Config>, other: Option<Config>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => ordered(one) == ordered(other),
        (None, _) | (_, None) => false,
    }
}

/// The configuration with its neighbours in an order of their own, and so the maps that stand for
/// their filters.
pub(super) fn ordered(mut config: Config) -> Config {
    config.neighbors.sort_by_key(|it| it.address);
    config
        .interfaces
        .sort_by(|one, other| one.interface.cmp(&other.interface));
    config
        .host_interfaces
        .sort_by(|one, other| one.name.cmp(&other.name));
    config
        .route_maps
        .sort_by(|one, other| one.name().cmp(other.name()));
    let instances = std::mem::take(&mut config.instances);
    config.instances = instances.into_iter().map(ordered).collect();
    config
}
