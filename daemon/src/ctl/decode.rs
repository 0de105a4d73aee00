//! `rbgpctl decode`: BGP messages to JSON lines.
//!
//! One message in, one line out, whatever the message is: octets that are none become an object
//! with `error`, and reading goes on behind them. Input is read message by message, so a stream
//! without an end is shown as it comes and memory stays bounded by the longest message.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use bgp::family::PerFamily;
use bgp::wire::{self, Context, EXTENDED_MESSAGE_LEN_MAX};
use serde_json::{Value, json};

use super::args::Decode;
use crate::control::message_json;

/// Decodes everything the options name.
pub(super) fn decode(options: &Decode, out: &mut dyn Write) -> io::Result<()> {
    let context = context(options);
    match &options.file {
        Some(path) if path.as_path() != Path::new("-") => {
            let file = File::open(path).map_err(|error| named(path, &error))?;
            // Opening a directory works, reading it does not.
            messages(options.framed, &context, &mut BufReader::new(file), out)
                .map_err(|error| named(path, &error))
        }
        Some(_) | None => messages(options.framed, &context, &mut io::stdin().lock(), out),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn context(options: &Decode) -> Context {
    let add_path = options.add_path;
    Context {
        as4: !options.as2,
        extended_message: true,
        add_path: PerFamily {
            ipv4_unicast: add_path,
            ipv6_unicast: add_path,
            evpn: add_path,
        },
        ..Context::default()
    }
}

fn messages(
    framed: bool,
    context: &Context,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<()> {
    loop {
        let message = if framed {
            next_frame(input)?
        } else {
            next_line(input)?
        };
        let Some(message) = message else {
            return Ok(());
        };
        let value = match message {
            Ok(octets) => value(&octets, context),
            Err(error) => json!({"error": error}),
        };
        serde_json::to_writer(&mut *out, &value)?;
        out.write_all(b"\n")?;
    }
}

fn value(octets: &[u8], context: &Context) -> Value {
    match wire::decode(octets, context) {
        Ok(message) => message_json::message(&message),
        Err(error) => message_json::error(&error),
    }
}

/// The octets of a message, or why there are none.
type Octets = Result<Vec<u8>, String>;

/// Octets of a line: the longest message with blanks and `0x` between any two digits, and room.
const LINE_MAX: u64 = 1024 * 1024;

/// The next line that is more than a comment; `None` at the end.
fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Octets>> {
    loop {
        let mut line = Vec::new();
        let read = (&mut *input).take(LINE_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let whole = line.ends_with(b"\n") || u64::try_from(read).is_ok_and(|read| read < LINE_MAX);
        if !whole {
            skip_line(input)?;
            return Ok(Some(Err(format!("a line has more than {LINE_MAX} octets"))));
        }
        let code = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        if !code.trim_ascii().is_empty() {
            return Ok(Some(hex(code)));
        }
    }
}

fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let skipped = end.map_or(buffer.len(), |at| at + 1);
        input.consume(skipped);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// The octets of hex digits; blanks and colons may stand between them, `0x` before any group.
fn hex(line: &[u8]) -> Octets {
    let groups = line.split(|byte| byte.is_ascii_whitespace() || *byte == b':');
    let mut digits = Vec::with_capacity(line.len());
    for group in groups {
        let group = group
            .strip_prefix(b"0x")
            .or_else(|| group.strip_prefix(b"0X"))
            .unwrap_or(group);
        for byte in group {
            let shown = byte.escape_ascii();
            let digit = char::from(*byte)
                .to_digit(16)
                .and_then(|n| u8::try_from(n).ok());
            digits.push(digit.ok_or_else(|| format!("`{shown}` is not a hex digit"))?);
        }
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} hex digits, but an octet has two", digits.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The next message behind its length; `None` at the end.
fn next_frame(input: &mut dyn BufRead) -> io::Result<Option<Octets>> {
    let mut length = Vec::new();
    (&mut *input).take(4).read_to_end(&mut length)?;
    let length = match <[u8; 4]>::try_from(length.as_slice()) {
        Ok(length) => u32::from_be_bytes(length),
        Err(_) if length.is_empty() => return Ok(None),
        Err(_) => {
            let rest = length.len();
            return Ok(Some(Err(format!(
                "{rest} octets at the end, but a length has 4"
            ))));
        }
    };
    let mut frame = (&mut *input).take(length.into());
    let mut octets = Vec::new();
    let limit = u64::try_from(EXTENDED_MESSAGE_LEN_MAX).unwrap_or(u64::MAX);
    (&mut frame).take(limit).read_to_end(&mut octets)?;
    // What is beyond the longest message is read past, so that the next frame is found.
    let beyond = io::copy(&mut frame, &mut io::sink())?;
    let missing = frame.limit();
    Ok(Some(if missing > 0 {
        Err(format!(
            "the input ends {missing} octets before the end of a message of {length}"
        ))
    } else if beyond > 0 {
        Err(format!(
            "a message of {length} octets, but the longest has {limit}"
        ))
    } else {
        Ok(octets)
    }))
}

#[cfg(test)]
mod tests;
