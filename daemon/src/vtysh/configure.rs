//! `configure terminal`, `show running-config` and `write`: where a session meets the configuration.
//!
//! The lines since `configure terminal` go to the daemon all at once, and either all of them are in force
//! afterwards or none. What they mean is for [`crate::frr`].

use crate::control::client::{Client, ClientError};
use crate::control::{Language, Lines, Request, reply};

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

/// What is configured, in FRR's language.
pub(super) async fn running_config(client: &Client) -> Result<String, ClientError> {
    let running: reply::Running = client.ask(&Request::Running(Language::Frr)).await?;
    Ok(format!(
        "Building configuration...\n\nCurrent configuration:\n!\n{}",
        running.text
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
