//! Tables for people: aligned columns, two blanks apart, nothing at the end of a line.
//!
//! On a terminal a table that is wider than that leaves out columns it can spare, in an order of
//! its own, then cuts the last one short, and says so below. Into a pipe or file everything goes.

use std::io::{self, IsTerminal, Write};

/// Which side the cells of a column stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table whose rows may come in several parts, as the pages of a long answer do.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    header_due: bool,
    /// Widest line; `None` is no limit.
    width: Option<usize>,
    /// Names of columns that are left out if need be, the first one first.
    spare: Vec<&'static str>,
    /// A cell of the last column was cut short.
    cut: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    align: Align,
    width: usize,
    left_out: bool,
}

/// Narrower than this, what is left of the last column says nothing.
const LAST_MIN: usize = 8;

impl Table {
    /// A table with these columns and no rows. A name that begins with `>` makes the column's
    /// cells stand on the right, as numbers do.
    pub(super) fn new(names: &[&str]) -> Self {
        let column = |name: &&str| {
            let (name, align) = match name.strip_prefix('>') {
                Some(name) => (name, Align::Right),
                None => (*name, Align::Left),
            };
            Column {
                name: name.to_owned(),
                align,
                width: name.chars().count(),
                left_out: false,
            }
        };
        Self {
            columns: names.iter().map(column).collect(),
            rows: Vec::new(),
            header_due: true,
            width: None,
            spare: Vec::new(),
            cut: false,
        }
    }

    /// Fits the table to the terminal, if that is where it goes: these columns are left out as
    /// far as needed, the first one first.
    pub(super) fn fit(self, spare: &[&'static str]) -> Self {
        self.within(terminal_width(), spare)
    }

    fn within(mut self, width: Option<usize>, spare: &[&'static str]) -> Self {
        self.width = width;
        self.spare = spare.to_vec();
        self
    }

    /// Adds a row; missing cells are empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(printable).collect();
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.width = column.width.max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    /// Width of all columns that are shown, but the last.
    fn width_before_last(&self) -> usize {
        let before = self
            .columns
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        let shown = before.iter().filter(|column| !column.left_out);
        shown.map(|column| column.width + 2).sum()
    }

    /// Leaves out what can be spared until the rest fits.
    fn leave_out(&mut self) {
        let Some(width) = self.width else { return };
        for name in self.spare.clone() {
            let last = self.columns.last().map_or(0, |column| column.width);
            if self.width_before_last() + last <= width {
                return;
            }
            if let Some(column) = self.columns.iter_mut().find(|column| column.name == name) {
                column.left_out = true;
            }
        }
    }

    /// Writes the rest of a table, and what was left out.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write(out)?;
        self.remark(out)
    }

    /// What was left out of what has been written, in one line; nothing if all is there.
    pub(super) fn remark(&self, out: &mut dyn Write) -> io::Result<()> {
        let left_out = self.columns.iter().filter(|column| column.left_out);
        let mut what: Vec<String> = left_out.map(|column| column.name.clone()).collect();
        if self.cut {
            let last = self.columns.last();
            what.extend(last.map(|column| format!("the rest of {}", column.name)));
        }
        match what.is_empty() {
            true => Ok(()),
            false => writeln!(
                out,
                "(to fit: without {}; `| cat` has all)",
                what.join(", ")
            ),
        }
    }

    /// Writes the rows added since the last time, the first time below the names of the columns.
    pub(super) fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            self.leave_out();
            let names: Vec<String> = self.columns.iter().map(|it| it.name.clone()).collect();
            self.line(out, &names)?;
        }
        for row in std::mem::take(&mut self.rows) {
            self.line(out, &row)?;
        }
        Ok(())
    }

    fn line(&mut self, out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            if column.left_out {
                continue;
            }
            let padding = " ".repeat(column.width.saturating_sub(cell.chars().count()));
            match column.align {
                Align::Left => line.extend([cell, padding.as_str()]),
                Align::Right => line.extend([padding.as_str(), cell]),
            }
            line.push_str("  ");
        }
        let mut line = line.trim_end().to_owned();
        // The last column is text; where cutting it is not enough, the terminal wraps.
        let most = self.width.filter(|width| {
            *width >= self.width_before_last() + LAST_MIN && line.chars().count() > *width
        });
        if let Some(most) = most {
            self.cut = true;
            line = line.chars().take(most - 2).collect();
            line.push_str("..");
        }
        writeln!(out, "{line}")
    }
}

/// Columns of the terminal that stdout is; `None` if it is none.
fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request fills in a `winsize`, which `size` is and outlives the call.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    let known = done == 0 && size.ws_col > 0;
    // A terminal that does not say, as over some serial lines, is as wide as ever.
    Some(if known { usize::from(size.ws_col) } else { 80 })
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

    fn written(width: Option<usize>) -> String {
        let table = Table::new(&["Name", ">Metric", "Kernel", "Path"]);
        let mut table = table.within(width, &["Kernel", "Metric"]);
        let mut out = Vec::new();
        for path in ["65001", "65001 65002 65003 65004"] {
            let cells = ["10.0.0.0/8", "100", "yes", path];
            table.row(cells.map(str::to_owned));
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_that_is_too_wide_leaves_out_what_it_can_spare_and_then_cuts_the_last_column() {
        let whole = "\
Name        Metric  Kernel  Path
10.0.0.0/8     100  yes     65001
10.0.0.0/8     100  yes     65001 65002 65003 65004
";
        assert_eq!(written(None), whole);
        assert_eq!(written(Some(51)), whole);
        assert_eq!(
            written(Some(50)),
            "\
Name        Metric  Path
10.0.0.0/8     100  65001
10.0.0.0/8     100  65001 65002 65003 65004
(to fit: without Kernel; `| cat` has all)
"
        );
        assert_eq!(
            written(Some(30)),
            "\
Name        Path
10.0.0.0/8  65001
10.0.0.0/8  65001 65002 6500..
(to fit: without Metric, Kernel, the rest of Path; `| cat` has all)
"
        );
        // Too narrow for anything: the terminal wraps, nothing is lost.
        assert!(written(Some(12)).contains("65004"));
    }

    #[test]
    fn spans_of_time_read_as_operators_know_them() {
        assert_eq!(uptime(0), "00:00:00");
        assert_eq!(uptime(86_399), "23:59:59");
        assert_eq!(uptime(93_780), "1d02h03m");
        assert_eq!(uptime(7 * 86_400), "01w0d00h");
    }
}
