//! Words that answers, messages and the client share.

/// `1 entry`, `2 entries`: a number with the noun that fits it.
pub(crate) fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

/// A text from elsewhere, with a mark for whatever would move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_elsewhere_moves_no_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}\r\nü"), "a?[2Jb???ü");
    }

    #[test]
    fn a_number_has_the_noun_that_fits_it() {
        assert_eq!(counted(0_usize, "entry", "entries"), "0 entries");
        assert_eq!(counted(1_usize, "entry", "entries"), "1 entry");
        assert_eq!(counted(2_u64, "entry", "entries"), "2 entries");
    }
}
