//! Durations as text: a whole number and a unit, such as `300ms`, `30s`, `2m`, `1h`.

use std::time::Duration;

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration; `None` if it is none or does not fit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*milliseconds).map(Duration::from_millis)
}

/// Writes a duration of whole milliseconds with the largest unit that divides it, other than
/// minutes: people write `90s` and `120s`. Nothing is `0s`.
pub(crate) fn format(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let unit = UNITS
        .iter()
        .filter(|(name, _)| *name != "m")
        .find(|(_, unit)| milliseconds.is_multiple_of(u128::from(*unit)));
    match unit {
        Some((name, unit)) if milliseconds > 0 => {
            format!("{}{name}", milliseconds / u128::from(*unit))
        }
        Some(_) | None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, milliseconds) in [
            ("300ms", 300),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "30", "s", "-1s", "1.5s", "30 s", "1d", "1m30s", "١s"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("{}h", u64::MAX)), None);
    }

    #[test]
    fn a_duration_is_written_as_briefly_as_it_can_be() {
        for text in ["300ms", "90s", "120s", "24h", "0s", "1500ms"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }
}
