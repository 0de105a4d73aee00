//! `[[import]]`: routes of another VRF.
//!
//! FRR imports for each family by itself; here an import has a route-map and the families it is for. Where each family has
//! its own map, one calls both.

use std::collections::BTreeSet;

use super::{Whole, name_of};
use crate::frr::model::{Family, Router, quote};

impl Whole<'_> {
    /// What a router imports from others.
    pub(super) fn imports(&mut self, of: &str, router: &Router) {
        let (v4, v6) = (
            router.families.of(Family::Ipv4),
            router.families.of(Family::Ipv6),
        );
        for unicast in [v4, v6] {
            if let (Some(map), true) = (&unicast.import_map, unicast.imports.is_empty()) {
                self.as_frr(
                    map.spot,
                    "there is no `import vrf NAME` in the family, so the line has no effect, as in FRR",
                );
            }
        }
        let all: BTreeSet<_> = v4.imports.keys().chain(v6.imports.keys()).collect();
        for from in all {
            let (four, six) = (v4.imports.get(from), v6.imports.get(from));
            let Some(spot) = four.or(six).copied() else {
                continue;
            };
            let maps = [
                (Family::Ipv4, v4.import_map.as_ref()),
                (Family::Ipv6, v6.import_map.as_ref()),
            ];
            let map = match (four, six) {
                (Some(_), Some(_)) => self.by_family("import", maps),
                (Some(_), None) => v4.import_map.clone(),
                (None, _) => v6.import_map.clone(),
            };
            self.toml.header(spot, &format!("[[{of}import]]"));
            let name = from.as_deref().map_or("default".to_owned(), name_of);
            self.toml.line(spot, &format!("from = {}", quote(&name)));
            if let Some(map) = &map {
                self.toml.value("route_map", map);
            }
            let families = match (four, six) {
                (Some(_), None) => "families = [\"ipv4_unicast\"]",
                (None, _) => "families = [\"ipv6_unicast\"]",
                (Some(_), Some(_)) => continue,
            };
            self.toml.line(spot, families);
        }
    }
}
