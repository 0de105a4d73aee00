//! Lines and words of FRR's configuration.
//!
//! A line is words with spaces between. Indentation means nothing but to a reader, with one
//! exception: within a block of another daemon a line that is not indented may begin the next one.
//! What begins with `!` or `#` is a comment, wherever it stands. Nothing is quoted.
//!
//! What the words mean is for [`super::grammar`].

/// A line with something in it.
#[derive(Debug, Clone)]
pub(super) struct Line<'t> {
    /// Counted from one.
    pub(super) number: usize,
    /// It does not begin in the first column.
    pub(super) indented: bool,
    /// At least one.
    pub(super) words: Vec<Word<'t>>,
}

/// A word with what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'t> {
    /// The word.
    pub(super) text: &'t str,
    /// From here to the end of the line, without spaces at the end.
    pub(super) rest: &'t str,
    /// In characters, counted from one.
    pub(super) column: usize,
}

/// The lines of a file that say something.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut banner: Option<&str> = None;
    // What some editors put in front of a file, to say that it is UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().filter_map(move |(at, line)| {
        if let Some(mark) = banner {
            if line.contains(mark) {
                banner = None;
            }
            return None;
        }
        let read = read(at + 1, line)?;
        banner = opens_banner(&read);
        Some(read)
    })
}

/// `banner motd ^C` and the text up to the next `^C`, which files from elsewhere have.
fn opens_banner<'t>(line: &Line<'t>) -> Option<&'t str> {
    let [first, _, mark, ..] = line.words.as_slice() else {
        return None;
    };
    let opens = first.text == "banner" && mark.text.starts_with('^');
    let mark = mark.text.get(..2).filter(|_| opens)?;
    let again = line.words.get(2)?.rest.get(2..)?.contains(mark);
    (!again).then_some(mark)
}

fn read(number: usize, line: &str) -> Option<Line<'_>> {
    let line = line.trim_end();
    let start = line.trim_start();
    if start.is_empty() || start.starts_with(['!', '#']) {
        return None;
    }
    let mut words = Vec::new();
    let mut column = 1 + line.chars().take_while(|c| c.is_whitespace()).count();
    let indented = column > 1;
    let mut rest = start;
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end)?;
        words.push(Word { text, rest, column });
        let next = after.trim_start();
        let gap = after.chars().take_while(|c| c.is_whitespace());
        column += text.chars().count() + gap.count();
        rest = next;
    }
    Some(Line {
        number,
        indented,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_columns_and_comments_are_none() {
        let text =
            "! ─── BGP ───\nrouter  bgp 65001\n\n # x\n\tneighbor 10.0.0.1\tdescription to  B \n";
        let lines: Vec<Line<'_>> = lines(text).collect();
        let [router, neighbor] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert_eq!((router.number, router.indented), (2, false));
        let columns: Vec<usize> = router.words.iter().map(|word| word.column).collect();
        assert_eq!(columns, [1, 9, 13]);
        assert_eq!((neighbor.number, neighbor.indented), (5, true));
        let rest = neighbor.words.get(3).map(|word| (word.rest, word.column));
        assert_eq!(rest, Some(("to  B", 32)));
    }

    #[test]
    fn a_banner_ends_where_its_mark_comes_again() {
        let text = "banner motd ^C\nrouter bgp 1\n^C\nhostname a\nbanner motd ^Cx^C\nhostname b\n";
        let firsts: Vec<usize> = lines(text).map(|line| line.number).collect();
        assert_eq!(firsts, [1, 4, 5, 6]);
    }
}
