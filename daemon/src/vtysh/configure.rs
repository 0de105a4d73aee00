//! `configure terminal`, `show running-config` and `write`: where a session meets the configuration.
//!
//! The lines since `configure terminal` go to the daemon all at once, and either all of them are in force
//! afterwards or none. What they mean is for [`crate::frr`].

use crate::control::client::{Client, ClientError};
use crate::control::{Language, Lines, Request, reply};
use crate::frr::LINES;

/// Puts lines into force, all of them or none. Returns what is to be said of it: nothing, as FRR does,
/// but for lines that do something else than in FRR.
pub(super) async fn configure(client: &Client, lines: &[String]) -> Result<String, ClientError> {
    if lines.is_empty() {
        return Ok(String::new());
    }
    let request = Request::Configure {
        lines: Lines(lines.join("\n")),
        dry_run: false,
    };
    let done: reply::Configured = client.ask(&request).await?;
    let notes = done.lines.iter().chain(&done.reload.notes);
    Ok(notes.map(|note| format!("note: {note}\n")).collect())
}

/// Puts the lines of a file into force, all of them or none, or only asks whether they could be. What
/// is said of a line names the file. Returns what is to be said of those that do something else than in
/// FRR.
pub(super) async fn file(
    client: &Client,
    name: &str,
    text: &str,
    dry_run: bool,
) -> Result<String, ClientError> {
    let says_nothing = |line: &str| line.trim().is_empty() || line.trim().starts_with(['!', '#']);
    if text.lines().all(says_nothing) {
        return Ok(String::new());
    }
    let request = Request::Configure {
        lines: Lines(text.to_owned()),
        dry_run,
    };
    // The daemon knows lines, and not where they come from.
    let (given, named) = (format!("{LINES}:"), format!("{name}:"));
    let rename = |said: &str| match said.split_once(&given) {
        Some((before @ ("" | "error: "), behind)) => format!("{before}{named}{behind}"),
        Some(_) | None => said.to_owned(),
    };
    match client.ask::<reply::Configured>(&request).await {
        Ok(done) => {
            let lines = done.lines.iter().map(|line| rename(line));
            let notes = lines.chain(done.reload.notes);
            Ok(notes.map(|note| format!("note: {note}\n")).collect())
        }
        Err(ClientError::Refused(mut refusal)) => {
            for detail in &mut refusal.details {
                *detail = rename(detail);
            }
            Err(ClientError::Refused(refusal))
        }
        Err(error) => Err(error),
    }
}

/// What is configured, in FRR's language.
pub(super) async fn running(client: &Client) -> Result<String, ClientError> {
    let running: reply::Running = client.ask(&Request::Running(Language::Frr)).await?;
    Ok(running.text)
}

/// The same as FRR shows it.
pub(super) async fn running_config(client: &Client) -> Result<String, ClientError> {
    let running = running(client).await?;
    Ok(format!(
        "Building configuration...\n\nCurrent configuration:\n!\n{running}"
    ))
}

/// Keeps what is configured over a restart.
pub(super) async fn write(client: &Client) -> Result<String, ClientError> {
    let written: reply::Written = client.ask(&Request::Write).await?;
    let notes = written.notes.iter().map(|note| format!("note: {note}\n"));
    let notes: String = notes.collect();
    Ok(format!(
        "Building Configuration...\nIntegrated configuration saved to {}\n{notes}[OK]\n",
        written.file
    ))
}
