//! `rbgpctl check FILE` and `rbgpd --check`: every error of a configuration at once.

use std::io::{self, Write};
use std::path::Path;

use crate::config;

/// Checks a file and writes every error to `talk`. True if it has none.
pub fn check(file: &Path, talk: &mut dyn Write) -> io::Result<bool> {
    if file.extension().is_none_or(|extension| extension != "toml") {
        writeln!(
            talk,
            "error: `{}` is not named *.toml\n\nhint: only TOML can be checked so far",
            file.display()
        )?;
        return Ok(false);
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            writeln!(talk, "error: cannot read `{}`: {error}", file.display())?;
            return Ok(false);
        }
    };
    match config::parse(&text, &file.display().to_string()) {
        Ok(_) => Ok(true),
        Err(errors) => {
            for error in &errors {
                writeln!(talk, "{error}\n")?;
            }
            let s = if errors.len() == 1 { "" } else { "s" };
            writeln!(talk, "{}: {} error{s}", file.display(), errors.len())?;
            Ok(false)
        }
    }
}
