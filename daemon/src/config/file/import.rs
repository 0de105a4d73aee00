//! `[[import]]` as it stands in a file: routes that an instance takes from another one.
//!
//! Every value by itself. Whether there is such an instance is for
//! [`accept()`](crate::config::accept()).

use bgp::Family;

use super::tenant::ip_family;
use crate::config::error::At;
use crate::config::read::{Table, name};

/// `[[import]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportTable {
    /// `from`.
    pub from: Option<At<String>>,
    /// `route_map`.
    pub route_map: Option<At<String>>,
    /// `families`.
    pub families: Option<At<Vec<At<Family>>>>,
}

pub(super) fn import(table: &mut Table<'_, '_>) -> ImportTable {
    ImportTable {
        from: table.require(
            "from",
            "the name of an instance, or \"default\" for the one at the top",
            name(63),
        ),
        route_map: table.get("route_map", name(63)),
        families: table.some_of("families", "a list of one family or both", ip_family),
    }
}
