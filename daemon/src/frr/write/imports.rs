//! `[[import]]`: routes of another VRF.
//!
//! FRR imports for each family by itself; here an import has a route-map and the families it is for.

use std::collections::BTreeSet;

use super::{Whole, name_of};
use crate::frr::model::{Family, Put, Router, quote};

impl Whole<'_> {
    /// What a router imports from others.
    pub(super) fn imports(&mut self, of: &str, router: &Router) {
        let (v4, v6) = (
            router.families.of(Family::Ipv4),
            router.families.of(Family::Ipv6),
        );
        for unicast in [v4, v6] {
            if let (Some(map), true) = (&unicast.import_map, unicast.imports.is_empty()) {
                self.differs(map.spot, "there is no `import vrf NAME` in the family");
            }
        }
        let all: BTreeSet<_> = v4.imports.keys().chain(v6.imports.keys()).collect();
        for from in all {
            let (four, six) = (v4.imports.get(from), v6.imports.get(from));
            let Some(spot) = four.or(six).copied() else {
                continue;
            };
            let map = match four {
                Some(_) => v4.import_map.as_ref(),
                None => v6.import_map.as_ref(),
            };
            let text = |map: &Option<Put>| map.as_ref().map(|it| it.text.clone());
            if let (Some(_), Some(second)) = (four, six)
                && text(&v4.import_map) != text(&v6.import_map)
            {
                self.refuse(
                    *second,
                    "one route-map is for what both families import from a VRF; give both the same one \
                     (`import vrf route-map NAME`), with entries for each kind of prefix",
                );
            }
            self.toml.header(spot, &format!("[[{of}import]]"));
            let name = from.as_deref().map_or("default".to_owned(), name_of);
            self.toml.line(spot, &format!("from = {}", quote(&name)));
            if let Some(map) = map {
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
