//! The configuration that runs: shown, changed by lines of FRR's language, and put into the file.
//!
//! ```text
//! lines ─► candidate (what runs, with the lines) ─► accepted? ─► applied as a reload applies
//!                                                        │
//!                                     what runs ─► file ◄┘ only when it is ordered
//! ```
//!
//! All lines of an order count together or not at all: what is refused changes nothing, and until
//! the answer everything forwards as before. The file stays as it is until `Write`, so a reload in
//! between takes the lines back, as in FRR.
//!
//! Not here: what lines mean ([`frr::configure`]), and how a file is replaced
//! ([`plain_file::Beside`]).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Instances;
use crate::config::{self, ConfigError};
use crate::control::words::counted;
use crate::control::{Answer, ErrorKind, ErrorReply, Language, Reply, reply};
use crate::frr::{self, LineReport, Outcome};
use crate::peer_io::transport;
use crate::plain_file::{self, Beside};

impl Instances {
    /// What runs, in one of both languages.
    pub(super) fn running(&self, language: Language) -> Answer {
        let text = match language {
            Language::Toml => config::print(&self.in_effect.config),
            Language::Frr => self.in_frr(),
        };
        let file = self.config_file.as_ref();
        Ok(Reply::Running(reply::Running {
            language: language.word().to_owned(),
            file: file.map(|it| it.display().to_string()),
            text,
        }))
    }

    fn in_frr(&self) -> String {
        let host = self.host();
        let source = match &self.in_effect.frr {
            Some(sources) => frr::running(sources, &host),
            None => frr::print(&self.in_effect.config, &host),
        };
        source.text
    }

    /// Gives lines to what runs.
    pub(super) async fn configure(
        &mut self,
        lines: &str,
        dry_run: bool,
    ) -> Result<reply::Configured, ErrorReply> {
        let host = self.host();
        let base = match &self.in_effect.frr {
            Some(sources) => sources.clone(),
            None => {
                let base = frr::base(&self.in_effect.config, &host);
                vec![base.map_err(unsaid)?]
            }
        };
        let candidate = frr::configure(&base, lines, &host, transport::ao_works);
        let candidate = candidate.map_err(|errors| refused(&errors))?;
        let reload = self.take(candidate.config, dry_run).await?;
        if !dry_run {
            self.in_effect.frr = Some(vec![candidate.running]);
        }
        let lines = candidate.lines.iter().filter(|it| is_worth_a_word(it));
        Ok(reply::Configured {
            reload,
            lines: lines.map(ToString::to_string).collect(),
        })
    }

    /// Puts what runs into the file that was read.
    pub(super) async fn write(&self) -> Result<reply::Written, ErrorReply> {
        let path = self.config_file.clone().ok_or_else(|| {
            ErrorReply::failed("this router was started without a file")
                .hint("`rbgpctl show running-config` shows what runs")
        })?;
        let name = path.display().to_string();
        let text = match frr::is_frr(&path) {
            true => self.new_frr(&path)?,
            false => self.new_toml(&path)?,
        };
        let Some(text) = text else {
            return Ok(reply::Written {
                file: name,
                changed: false,
                backup: None,
                notes: Vec::new(),
            });
        };
        let saved = save(path, text).await;
        let backup = saved.map_err(|error| unwritable(&name, &error))?;
        let backup = backup.display().to_string();
        Ok(reply::Written {
            notes: vec![format!(
                "what the file was before, with its comments, is in {backup}"
            )],
            file: name,
            changed: true,
            backup: Some(backup),
        })
    }

    /// What is to be in a file in FRR's language; nothing if it says so already.
    fn new_frr(&self, path: &Path) -> Result<Option<String>, ErrorReply> {
        let name = path.display().to_string();
        let there = frr::sources(path).map_err(|error| unwritable(&name, &error))?;
        if there.len() > 1 {
            let names: Vec<&str> = there.iter().map(|it| it.name.as_str()).collect();
            let error = format!(
                "the configuration is in several files: {}",
                names.join(", ")
            );
            return Err(ErrorReply::failed(error).hint(
                "put all into one: rbgpctl show running-config --frr > /etc/frr/frr.conf, and start \
                 rbgpd with that",
            ));
        }
        let running = self.in_frr();
        let same = frr::running(&there, &self.host()).text == running;
        Ok((!same).then_some(running))
    }

    /// The same of a file in TOML. Comments there are an operator's own, and secrets are not
    /// printed: a file that has them is not written anew.
    fn new_toml(&self, path: &Path) -> Result<Option<String>, ErrorReply> {
        let name = path.display().to_string();
        let octets = plain_file::read(path).map_err(|error| unwritable(&name, &error))?;
        let there = String::from_utf8_lossy(&octets);
        let running = &self.in_effect.config;
        if config::parse(&there, &name).as_ref() == Ok(running) {
            return Ok(None);
        }
        let text = config::print(running);
        let why = match config::parse(&text, &name).as_ref() == Ok(running) {
            _ if there.contains('#') => "has comments, which would be lost",
            true => return Ok(Some(text)),
            false => "has secrets, which are not printed",
        };
        let error = format!("`{name}` {why}; it stays as it is");
        Err(ErrorReply::failed(error).hint(
            "`rbgpctl show running-config` prints what runs: put the difference into the file",
        ))
    }
}

fn unsaid(keys: Vec<String>) -> ErrorReply {
    let error = "what runs cannot be said in FRR's language, so no lines of it can be added";
    ErrorReply::failed(error)
        .details(keys)
        .hint("change the file, and `rbgpctl reload`")
}

fn refused(errors: &[ConfigError]) -> ErrorReply {
    let count = counted(errors.len(), "error", "errors");
    let error = format!("{count}; the running configuration stays as it is");
    ErrorReply::new(ErrorKind::BadConfig, error).details(errors.iter().map(ToString::to_string))
}

fn unwritable(name: &str, error: &io::Error) -> ErrorReply {
    ErrorReply::failed(format!("cannot write `{name}`: {error}"))
        .hint("the daemon needs to write to the file and its folder (systemd: ReadWritePaths=)")
}

fn is_worth_a_word(line: &LineReport) -> bool {
    match line.outcome {
        Outcome::Honoured | Outcome::Within(_) => false,
        Outcome::Noted(_)
        | Outcome::Differs(_)
        | Outcome::Elsewhere(_)
        | Outcome::Refused(_)
        | Outcome::Unknown { .. } => true,
    }
}

/// Replaces the file, beside the tasks of the runtime since disks may be slow. Returns where its
/// content before is, as FRR keeps it.
async fn save(path: PathBuf, text: String) -> io::Result<PathBuf> {
    let write = move || {
        let backup = beside(&path, ".sav");
        let former = plain_file::read(&path)?;
        let new = Beside::write(&path, &text)?;
        let kept = beside(&path, ".sav.new");
        // With the mode of the file, since there may be passwords in it.
        fs::copy(&path, &kept)?;
        fs::write(&kept, former)?;
        fs::File::open(&kept)?.sync_all()?;
        fs::rename(&kept, &backup)?;
        new.replace()?;
        Ok(backup)
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or_else(|_| Err(io::Error::other("the writer was cut short")))
}

/// The file of the same name with something behind.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(end);
    PathBuf::from(name)
}
