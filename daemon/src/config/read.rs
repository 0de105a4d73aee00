//! Reads tables of TOML key by key and notes everything that is wrong.
//!
//! A [`Table`] hands out the value of a key if it is what it should be and reports it if not;
//! keys that nobody has asked for are reported at the end, with the nearest key that exists. So
//! one pass finds every wrong type, value and name, where deserialisation stops at the first.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::error::{At, Problem, Report, Span};
use super::types::Keyword;

/// What a value should be, and what to do if it is not.
pub(super) struct Rejection {
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl From<&str> for Rejection {
    fn from(expected: &str) -> Self {
        expected.to_owned().into()
    }
}

impl From<String> for Rejection {
    fn from(expected: String) -> Self {
        Self {
            expected,
            hint: None,
        }
    }
}

impl Rejection {
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Result of reading one value.
pub(super) type Reading<T> = Result<T, Rejection>;

/// A value of TOML with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A table that is being read.
pub(super) struct Table<'a, 'i> {
    table: &'a DeTable<'i>,
    // As errors call it: `the file`, `[evpn]`, `[[neighbor]]`.
    name: String,
    span: Span,
    asked: Vec<&'static str>,
    report: &'a mut Report,
}

impl<'a, 'i> Table<'a, 'i> {
    /// Starts to read a table.
    pub(super) fn new(
        table: &'a DeTable<'i>,
        name: &str,
        span: Span,
        report: &'a mut Report,
    ) -> Self {
        Self {
            table,
            name: name.to_owned(),
            span,
            asked: Vec::new(),
            report,
        }
    }

    /// Reports what has been found out about the table.
    pub(super) fn report(&mut self) -> &mut Report {
        self.report
    }

    /// Reports the keys that were not asked for.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let problem = Problem::UnknownKey {
                key: name.to_owned(),
                table: self.name.clone(),
            };
            let hint = match nearest(name, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys here are {}", self.asked.join(", ")),
            };
            self.report
                .error_with_hint(key.span().into(), problem, hint);
        }
    }

    /// The value of a key, as it stands.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'a Value<'i>> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// Whether a key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Says that a key must be there.
    pub(super) fn missing(&mut self, key: &'static str, expected: &str) {
        let problem = Problem::Missing {
            key: key.to_owned(),
            table: self.name.clone(),
            expected: expected.to_owned(),
        };
        self.report.error(self.span, problem);
    }

    /// Refuses a key that others know and we do not honour, with what to do instead.
    pub(super) fn unsupported(&mut self, key: &'static str, because: &'static str, hint: &str) {
        if let Some((key_span, _)) = self.table.get_key_value(key) {
            self.asked.push(key);
            let problem = Problem::Unsupported { key, because };
            self.report
                .error_with_hint(key_span.span().into(), problem, hint);
        }
    }

    /// The value of a key as `read` takes it; `None` when it is absent or wrong.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'i>) -> Reading<T>,
    ) -> Option<At<T>> {
        let value = self.raw(key)?;
        reading(self.report, key, value, read)
    }

    /// The same for a key that must be there; `expected` says what it is.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'i>) -> Reading<T>,
    ) -> Option<At<T>> {
        if self.table.contains_key(key) {
            return self.get(key, read);
        }
        self.asked.push(key);
        self.missing(key, expected);
        None
    }

    /// A list of values; wrong ones are reported one by one and left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&DeValue<'i>) -> Reading<T>,
    ) -> Option<At<Vec<At<T>>>> {
        let value = self.raw(key)?;
        let items = array(self.report, key, value)?
            .iter()
            .filter_map(|item| reading(self.report, key, item, &mut read))
            .collect();
        Some(At::new(items, value.span().into()))
    }

    /// The same, of a list that says nothing when it is empty; `expected` is what must be in it.
    pub(super) fn some_of<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnMut(&DeValue<'i>) -> Reading<T>,
    ) -> Option<At<Vec<At<T>>>> {
        let value = self.table.get(key);
        if let Some(value) = value
            && value.get_ref().as_array().is_some_and(|it| it.is_empty())
        {
            let problem = Problem::value(key, "[]".to_owned(), expected.to_owned());
            let hint = "leave the key out for all of them";
            self.report
                .error_with_hint(value.span().into(), problem, hint);
        }
        self.list(key, read)
    }

    /// Reads a table beneath a key; `name` is what errors call it.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        name: &str,
        read: impl FnOnce(&mut Table<'_, 'i>) -> T,
    ) -> Option<At<T>> {
        let value = self.raw(key)?;
        table(self.report, key, name, value, read)
    }

    /// Reads a list in which tables and single values, which stand for tables with nothing else in them,
    /// may stand beside each other.
    pub(super) fn tables_or_values<T, V>(
        &mut self,
        key: &'static str,
        name: &str,
        read: impl Fn(&mut Table<'_, 'i>) -> Option<T>,
        value: impl Fn(&DeValue<'i>) -> Reading<V>,
        whole: impl Fn(At<V>) -> T,
    ) -> Vec<At<T>> {
        let Some(list) = self.raw(key) else {
            return Vec::new();
        };
        let Some(items) = array(self.report, key, list) else {
            return Vec::new();
        };
        let read = |item: &Value<'i>| {
            if item.get_ref().is_table() {
                let item = table(self.report, key, name, item, &read)?;
                return item.value.map(|value| At::new(value, item.span));
            }
            let value = reading(self.report, key, item, &value)?;
            let span = value.span;
            Some(At::new(whole(value), span))
        };
        items.iter().filter_map(read).collect()
    }

    /// Reads every table of an array beneath a key.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        name: &str,
        mut read: impl FnMut(&mut Table<'_, 'i>) -> T,
    ) -> Vec<At<T>> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        let Some(items) = array(self.report, key, value) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| table(self.report, key, name, item, &mut read))
            .collect()
    }
}

/// Reads one value and reports it if it is not what it should be.
pub(super) fn reading<'i, T>(
    report: &mut Report,
    key: &str,
    value: &Value<'i>,
    read: impl FnOnce(&DeValue<'i>) -> Reading<T>,
) -> Option<At<T>> {
    let span = Span::from(value.span());
    match read(value.get_ref()) {
        Ok(read) => Some(At::new(read, span)),
        Err(Rejection { expected, hint }) => {
            let problem = Problem::value(key, shown(value.get_ref()), expected);
            match hint {
                Some(hint) => report.error_with_hint(span, problem, hint),
                None => report.error(span, problem),
            }
            None
        }
    }
}

/// The items of an array, or a report that it is none.
pub(super) fn array<'a, 'i>(
    report: &mut Report,
    key: &str,
    value: &'a Value<'i>,
) -> Option<&'a toml::de::DeArray<'i>> {
    let items = value.get_ref().as_array();
    if items.is_none() {
        let problem = Problem::value(key, shown(value.get_ref()), "a list");
        report.error(value.span().into(), problem);
    }
    items
}

/// Reads one table, or reports that it is none.
pub(super) fn table<'i, T>(
    report: &mut Report,
    key: &str,
    name: &str,
    value: &Value<'i>,
    read: impl FnOnce(&mut Table<'_, 'i>) -> T,
) -> Option<At<T>> {
    let span = Span::from(value.span());
    let Some(inner) = value.get_ref().as_table() else {
        let problem = Problem::value(key, shown(value.get_ref()), "a table");
        report.error(span, problem);
        return None;
    };
    let mut inner = Table::new(inner, name, span, report);
    let read = read(&mut inner);
    inner.finish();
    Some(At::new(read, span))
}

/// A text that `parse` takes.
pub(super) fn text<'i, T>(
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> impl FnOnce(&DeValue<'i>) -> Reading<T> {
    move |value| {
        value
            .as_str()
            .and_then(parse)
            .ok_or_else(|| expected.into())
    }
}

/// A text of at least one and at most `max` characters, none of them a control character.
pub(super) fn name<'i>(max: usize) -> impl FnMut(&DeValue<'i>) -> Reading<String> {
    move |value| {
        value
            .as_str()
            .filter(|text| (1..=max).contains(&text.chars().count()))
            .filter(|text| !text.chars().any(char::is_control))
            .map(str::to_owned)
            .ok_or_else(|| format!("a text of 1 to {max} characters on one line").into())
    }
}

/// A name that a network device can have (Linux: 1 to 15 bytes, no space, no slash).
pub(super) fn device(value: &DeValue<'_>) -> Reading<String> {
    value
        .as_str()
        .filter(|text| (1..=15).contains(&text.len()) && !matches!(*text, "." | ".."))
        .filter(|text| {
            text.bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%'))
        })
        .map(str::to_owned)
        .ok_or_else(|| {
            "a device name of 1 to 15 characters, without space, `/`, `:` or `%`".into()
        })
}

/// The name of a device that is made if it is not there. Linux refuses some, which stand for all
/// devices in `/proc/sys/net`, and the loopback device is there always.
pub(super) fn new_device(value: &DeValue<'_>) -> Reading<String> {
    match device(value)? {
        name if matches!(&*name, "all" | "default" | "lo") => {
            Err("a name that Linux has no use of its own for".into())
        }
        name => Ok(name),
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Reading<bool> {
    value.as_bool().ok_or_else(|| "true or false".into())
}

/// A whole number in a range.
pub(super) fn number<'i, T: TryFrom<i64>>(
    range: RangeInclusive<i64>,
) -> impl FnMut(&DeValue<'i>) -> Reading<T> {
    move |value| {
        integer(value)
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                format!("a number from {low} to {high}").into()
            })
    }
}

/// A whole number.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}

/// A duration in a range.
pub(super) fn duration<'i>(
    range: RangeInclusive<Duration>,
) -> impl FnOnce(&DeValue<'i>) -> Reading<Duration> {
    move |value| {
        value
            .as_str()
            .and_then(duration::parse)
            .filter(|duration| range.contains(duration))
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                let rejection = Rejection::from(format!(
                    "a duration from {} to {}",
                    duration::format(*low),
                    duration::format(*high)
                ));
                match integer(value) {
                    Some(number) => rejection.hint(format!(
                        "durations have a unit: \"{number}s\", \"{number}ms\""
                    )),
                    None => rejection,
                }
            })
    }
}

/// One word of several.
pub(super) fn keyword<T: Keyword>(value: &DeValue<'_>) -> Reading<T> {
    value
        .as_str()
        .and_then(T::from_word)
        .ok_or_else(|| one_of(T::WORDS.iter().map(|(_, word)| *word)).into())
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// An address with a port.
pub(super) fn socket_address(value: &DeValue<'_>) -> Reading<SocketAddr> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "an address with a port like \"0.0.0.0:179\" or \"[::]:179\"".into())
}

/// A value as messages show it.
pub(super) fn shown(value: &DeValue<'_>) -> String {
    const LONGEST: usize = 60;
    match value {
        DeValue::String(text) if text.chars().count() > LONGEST => {
            let start: String = text.chars().take(LONGEST).collect();
            format!("\"{}...\"", start.escape_debug())
        }
        DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
        DeValue::Integer(_) => match integer(value) {
            Some(number) => number.to_string(),
            None => "a number beyond 64 bits".to_owned(),
        },
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The known word that is most like this one, if one is like it at all.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .min()
        .filter(|(distance, _)| *distance <= word.chars().count().max(4) / 3)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements that make one word of the other.
fn distance(one: &str, two: &str) -> usize {
    let mut row: Vec<usize> = (0..=two.chars().count()).collect();
    for (at, left) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut previous = at + 1;
        if let Some(first) = row.first_mut() {
            *first = previous;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(two.chars()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = replaced.min(*cell + 1).min(previous + 1);
            previous = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}
