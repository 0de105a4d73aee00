//! `[[rpki]]`: each cache with the times of all.

use super::Whole;
use crate::frr::model::quote;

impl Whole<'_> {
    pub(super) fn rpki(&mut self) {
        let rpki = &self.site.rpki;
        for (address, preference) in &rpki.caches {
            self.toml.header(preference.spot, "[[rpki]]");
            let address = quote(&address.to_string());
            self.toml
                .line(preference.spot, &format!("address = {address}"));
            self.toml.value("preference", preference);
            self.toml.keys("", &rpki.times);
        }
        if rpki.caches.is_empty() {
            for put in rpki.times.values() {
                self.as_frr(
                    put.spot,
                    "there is no `rpki cache`, so the line has no effect, as in FRR",
                );
            }
        }
    }
}
