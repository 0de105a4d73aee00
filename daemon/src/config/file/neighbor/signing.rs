//! What signs a neighbour's TCP connection, as it stands in a file: `password` (RFC 2385) and the
//! keys of `tcp_ao` (RFC 5925).
//!
//! Unlike any other value, a secret never shows in an error: not one that is refused, and not
//! what stands where one belongs. That a neighbour has one kind of signature, and each key
//! numbers of its own, is for [`accept()`](crate::config::accept()).

use crate::config::error::{At, Problem, Span};
use crate::config::read::{self, Table, keyword, number};
use crate::config::types::{AoAlgorithm, Password};

/// A key of `tcp_ao`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AoKeyTable {
    /// `id`.
    pub id: Option<At<u8>>,
    /// `recv_id`.
    pub recv_id: Option<At<u8>>,
    /// `secret`.
    pub secret: Option<At<Password>>,
    /// `algorithm`.
    pub algorithm: Option<At<AoAlgorithm>>,
}

/// At least one key. What stands in place of one may be a secret, so it is not shown either.
pub(super) fn tcp_ao(table: &mut Table<'_, '_>) -> Option<At<Vec<At<AoKeyTable>>>> {
    const KEY: &str = "tcp_ao";
    let value = table.raw(KEY)?;
    let span = Span::from(value.span());
    let items = value.get_ref().as_array();
    let tables = |items: &&toml::de::DeArray<'_>| {
        !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
    };
    let Some(items) = items.filter(tables) else {
        let expected = "a list of one key or more";
        let problem = Problem::value(KEY, "something else", expected);
        let hint = "tcp_ao = [{ id = 1, secret = \"..\" }]";
        table.report().error_with_hint(span, problem, hint);
        return None;
    };
    let keys = items.iter().filter_map(|item| {
        read::table(table.report(), KEY, "a key of `tcp_ao`", item, |table| {
            AoKeyTable {
                id: table.require("id", "a number from 0 to 255", number(0..=255)),
                recv_id: table.get("recv_id", number(0..=255)),
                secret: {
                    if !table.has("secret") {
                        table.missing("secret", "what both sides know");
                    }
                    secret(table, "secret", "both sides must have the same (RFC 5925)")
                },
                algorithm: table.get("algorithm", keyword),
            }
        })
    });
    Some(At::new(keys.collect(), span))
}

/// Unlike other values, a secret that is refused is not shown.
pub(in crate::config::file) fn secret(
    table: &mut Table<'_, '_>,
    key: &'static str,
    hint: &'static str,
) -> Option<At<Password>> {
    let value = table.raw(key)?;
    let span = Span::from(value.span());
    let text = value.get_ref().as_str();
    if let Some(password) = text.and_then(Password::new) {
        return Some(At::new(password, span));
    }
    let what = match text {
        Some(Password::HIDDEN) => "the stand-in for a password that is not shown".to_owned(),
        Some(text) => format!("a text of {} octets", text.len()),
        None => "not a text".to_owned(),
    };
    let expected = format!(
        "a text of 1 to {} octets without control characters",
        Password::LENGTH_MAX
    );
    let problem = Problem::value(key, what, expected);
    table.report().error_with_hint(span, problem, hint);
    None
}
