//! Our codec of UPDATEs beside one that others wrote, netgauze-bgp-pkt.
//!
//! ```text
//! octets ─► our decoder ────────► Facts ┐
//!       └─► the other decoder ──► Facts ┴─ must be equal
//!               └─► the other encoder ─► octets ─► our decoder ─► Facts, equal too
//! ```
//!
//! The octets come from real routing tables, and from our encoder given random attributes and
//! routes. [`Facts`] is what a message says, in words that neither codec owns. Besides, what our
//! encoder makes of what our decoder read is read as the same again.
//!
//! Where the two differ and the RFC is on our side, [`exceptions`] shows both, so that an
//! exception that is none any more is noticed. What the other codec does not know it keeps as
//! octets, and these are compared.
//!
//! Sessions with two-octet AS numbers are compared with tables of 2002, before AS4_PATH; merging
//! AS4_PATH is not the other codec's business.

#![allow(missing_docs)]
// A test ends at the first surprise, also in its helpers; and of the other codec's many variants
// few are ours.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::collections::{BTreeMap, BTreeSet};

mod exceptions;
mod generated;
mod ours;
mod tables;
mod theirs;

/// What an UPDATE says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Facts {
    /// Routes that are there, each with everything that belongs to it alone.
    announced: BTreeSet<String>,
    /// Routes that are gone.
    withdrawn: BTreeSet<String>,
    /// Attributes by type code, in words.
    attributes: BTreeMap<u8, String>,
}

/// Lower-case hexadecimal digits.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Compares everything about one message of a session with these AS numbers.
fn agree(message: &[u8], as4: bool) -> Result<Facts, String> {
    let ours = ours::facts(message, as4)?;
    let (mut theirs, again) = theirs::facts(message, as4)?;
    for code in ours::left_out(&ours::decode(message, as4)?) {
        theirs.attributes.remove(&code);
    }
    same("the other decoder", &ours, &theirs)?;
    let from_theirs = ours::facts(&again, as4)?;
    same(
        "our decoder, of what the other encoder wrote",
        &ours,
        &from_theirs,
    )?;
    Ok(ours)
}

fn same(who: &str, ours: &Facts, other: &Facts) -> Result<(), String> {
    match ours == other {
        true => Ok(()),
        false => Err(format!("{who} says\n{other:#?}\nwe say\n{ours:#?}")),
    }
}
