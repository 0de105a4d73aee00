//! Tables for people: aligned columns, two blanks apart, nothing at the end of a line.

use std::io::{self, Write};

/// Which side the cells of a column stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table whose rows may come in several parts, as the pages of a long answer do.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Align, usize)>,
    rows: Vec<Vec<String>>,
    header_due: bool,
}

impl Table {
    /// A table with these columns and no rows. A name that begins with `>` makes the column's
    /// cells stand on the right, as numbers do.
    pub(super) fn new(names: &[&str]) -> Self {
        let column = |name: &&str| match name.strip_prefix('>') {
            Some(name) => (name.to_owned(), Align::Right, name.chars().count()),
            None => ((*name).to_owned(), Align::Left, name.chars().count()),
        };
        Self {
            columns: names.iter().map(column).collect(),
            rows: Vec::new(),
            header_due: true,
        }
    }

    /// Adds a row; missing cells are empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(printable).collect();
        for ((_, _, width), cell) in self.columns.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    /// Writes the rows added since the last time, the first time below the names of the columns.
    pub(super) fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            let names: Vec<String> = self.columns.iter().map(|(name, ..)| name.clone()).collect();
            self.line(out, &names)?;
        }
        for row in std::mem::take(&mut self.rows) {
            self.line(out, &row)?;
        }
        Ok(())
    }

    fn line(&self, out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for ((_, align, width), cell) in self.columns.iter().zip(cells) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => line.extend([cell, padding.as_str()]),
                Align::Right => line.extend([padding.as_str(), cell]),
            }
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A description or an error text from elsewhere must not move the cursor of a terminal.
pub(super) fn printable(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    } else {
        text
    }
}

/// `-` for what is not there.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A span of time as FRR prints it: `00:02:10`, `1d02h03m`, `03w1d04h`.
pub(super) fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (second, minute, hour) = (seconds % 60, minutes % 60, hours % 24);
    match days {
        0 => format!("{hour:02}:{minute:02}:{second:02}"),
        1..=6 => format!("{days}d{hour:02}h{minute:02}m"),
        _ => format!("{:02}w{}d{hour:02}h", days / 7, days % 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_in_characters() {
        let mut table = Table::new(&["Name", ">N", "Rest"]);
        table.row(["é\u{1b}[31m".to_owned(), "7".to_owned(), String::new()]);
        table.row(["b".to_owned(), "123".to_owned(), "x".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        table.row(["c".to_owned()]);
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "Name      N  Rest\né [31m    7\nb       123  x\nc\n");
    }

    #[test]
    fn spans_of_time_read_as_operators_know_them() {
        assert_eq!(uptime(0), "00:00:00");
        assert_eq!(uptime(86_399), "23:59:59");
        assert_eq!(uptime(93_780), "1d02h03m");
        assert_eq!(uptime(7 * 86_400), "01w0d00h");
    }
}
