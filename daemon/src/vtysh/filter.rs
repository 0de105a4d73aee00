//! What stands behind `|` in a command: `include PATTERN`, as FRR has it and no other.

use regex::Regex;

/// A command with what is done to its output.
#[derive(Debug)]
pub(super) struct Filtered<'t> {
    /// The command.
    pub(super) command: &'t str,
    pattern: Option<Regex>,
}

/// Longest pattern; the memory of a pattern grows with it.
const PATTERN_MAX: usize = 1024;

/// Separates a command from what is behind `|`; an error is what FRR would print.
pub(super) fn split(line: &str) -> Result<Filtered<'_>, String> {
    let Some((command, behind)) = line.split_once('|') else {
        return Ok(Filtered {
            command: line,
            pattern: None,
        });
    };
    let behind = behind.trim();
    let (action, pattern) = behind
        .split_once(char::is_whitespace)
        .unwrap_or((behind, ""));
    if action != "include" {
        return Err(format!("% Unknown action '{action}'"));
    }
    Ok(Filtered {
        command,
        pattern: Some(self::pattern(pattern)?),
    })
}

/// A pattern that was typed.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= PATTERN_MAX;
    let regex = fits.then(|| Regex::new(text).ok()).flatten();
    regex.ok_or_else(|| format!("% Bad regexp '{text}'"))
}

impl Filtered<'_> {
    /// The lines of a text that are let through.
    pub(super) fn apply(&self, text: String) -> String {
        let Some(pattern) = &self.pattern else {
            return text;
        };
        let lines = text.lines().filter(|line| pattern.is_match(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_match_are_let_through() {
        let filtered = split("show bgp | include ^a|c$").unwrap();
        assert_eq!(filtered.command.trim(), "show bgp");
        assert_eq!(filtered.apply("ab\nba\nxc\n".to_owned()), "ab\nxc\n");
        assert_eq!(split("show bgp").unwrap().apply("x".to_owned()), "x");
    }

    #[test]
    fn what_is_no_filter_is_refused_in_the_words_of_frr() {
        assert_eq!(
            split("show | count").unwrap_err(),
            "% Unknown action 'count'"
        );
        assert_eq!(split("show | include (").unwrap_err(), "% Bad regexp '('");
        assert_eq!(split("show | include").unwrap_err(), "% Bad regexp ''");
        assert_eq!(split("show |").unwrap_err(), "% Unknown action ''");
    }
}
