//! What an instance imports from others, as keys with values.

use super::{Fields, list, quote};
use crate::config::types::Import;

pub(in crate::config) fn import_fields(import: &Import) -> Fields {
    let mut fields = Fields::default();
    fields.add("from", quote(&import.from));
    if let Some(map) = &import.route_map {
        fields.add("route_map", quote(map.name()));
    }
    if import.families != Import::FAMILIES {
        fields.add("families", list(import.named()));
    }
    fields
}
