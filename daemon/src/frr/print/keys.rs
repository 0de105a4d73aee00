//! Keys that are taken away as lines are made of them.

use toml::{Table, Value};

use crate::config::duration;

/// A table of which keys are taken away.
pub(super) struct Keys {
    table: Table,
    /// What it is about, with a space behind it.
    place: String,
}

/// What line a key makes; `{}` stands for its value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Say {
    /// These words, if it is on.
    On(&'static str),
    /// These words, or `no` in front of them.
    Switch(&'static str),
    Value(&'static str),
    /// A time of whole seconds.
    Seconds(&'static str),
    /// All items of a list.
    Words(&'static str),
}

impl Keys {
    pub(super) fn new(table: Table, place: String) -> Self {
        Self { table, place }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn peek(&self, key: &str) -> Option<&Value> {
        self.table.get(key)
    }

    pub(super) fn drop(&mut self, key: &str) {
        self.table.remove(key);
    }

    /// Takes a key that has this value.
    pub(super) fn take_if(&mut self, key: &str, value: &Value) -> bool {
        let fits = self.table.get(key) == Some(value);
        if fits {
            self.table.remove(key);
        }
        fits
    }

    /// A text or a number.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = plain(self.table.get(key)?)?;
        self.table.remove(key);
        Some(text)
    }

    /// Takes a switch out of a table within.
    pub(super) fn switch_within(&mut self, table: &str, key: &str) -> Option<bool> {
        let Some(Value::Table(within)) = self.table.get_mut(table) else {
            return None;
        };
        let on = within.get(key)?.as_bool()?;
        within.remove(key);
        if within.is_empty() {
            self.table.remove(table);
        }
        Some(on)
    }

    pub(super) fn number(&mut self, key: &str) -> Option<i64> {
        let number = self.table.get(key)?.as_integer()?;
        self.table.remove(key);
        Some(number)
    }

    /// A time of whole seconds.
    pub(super) fn seconds(&mut self, key: &str) -> Option<u64> {
        let time = duration::parse(self.table.get(key)?.as_str()?)?;
        (time.subsec_millis() == 0).then(|| self.table.remove(key))?;
        Some(time.as_secs())
    }

    /// Texts and numbers of a list, or the one that stands for it.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        match self.table.remove(key) {
            Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
            Some(value) => plain(&value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Keys> {
        if !matches!(self.table.get(key), Some(Value::Table(_))) {
            return None;
        }
        let Some(Value::Table(table)) = self.table.remove(key) else {
            return None;
        };
        Some(Keys::new(table, format!("{}{key}.", self.place)))
    }

    /// Tables of a kind, each called by its first key.
    pub(super) fn tables(&mut self, key: &str) -> Vec<Keys> {
        self.items(key, "")
    }

    /// Items of a list, of which some are tables and others only one value of theirs.
    pub(super) fn items(&mut self, key: &str, only: &str) -> Vec<Keys> {
        const NAMES: [&str; 8] = [
            "name",
            "address",
            "interface",
            "prefix",
            "peer",
            "id",
            "from",
            "seq",
        ];
        let Some(Value::Array(items)) = self.table.remove(key) else {
            return Vec::new();
        };
        let items = items.into_iter().map(|item| {
            if let Value::Table(table) = item {
                return table;
            }
            Table::from_iter([(only.to_owned(), item)])
        });
        let keys = items.map(|table| {
            let name = NAMES.iter().find_map(|name| plain(table.get(*name)?));
            let name = name.map_or(String::new(), |name| format!("{name}: "));
            let place = format!("{}{key} {name}", self.place);
            Keys::new(table, place)
        });
        keys.collect()
    }

    /// The line of a key, if it makes one.
    pub(super) fn say(&mut self, key: &str, say: Say) -> Option<String> {
        match say {
            Say::On(words) => self
                .take_if(key, &Value::Boolean(true))
                .then(|| words.to_owned()),
            Say::Switch(words) => {
                let on = self.table.get(key)?.as_bool()?;
                self.table.remove(key);
                Some(if on {
                    words.to_owned()
                } else {
                    format!("no {words}")
                })
            }
            Say::Value(words) => Some(words.replace("{}", &self.text(key)?)),
            Say::Seconds(words) => Some(words.replace("{}", &self.seconds(key)?.to_string())),
            Say::Words(words) => {
                let all = self.list(key);
                (!all.is_empty()).then(|| words.replace("{}", &all.join(" ")))
            }
        }
    }

    /// A line with parts for those keys that are there.
    pub(super) fn words(&mut self, begin: &str, parts: &[(&str, &str)]) -> String {
        let mut line = begin.replace("{}", "");
        for (key, words) in parts {
            if let Some(value) = self.text(key) {
                line.push_str(&words.replace("{}", &value));
            }
        }
        line
    }

    /// Notes what is left.
    pub(super) fn finish(self, unsaid: &mut Vec<String>) {
        let place = self.place;
        for (key, value) in self.table {
            if let Value::Table(table) = &value
                && !table.is_empty()
            {
                Keys::new(table.clone(), format!("{place}{key}.")).finish(unsaid);
            } else {
                unsaid.push(format!("{place}{key} = {value}"));
            }
        }
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => None,
    }
}
