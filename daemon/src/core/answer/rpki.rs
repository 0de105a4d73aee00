//! `show rpki`: the caches as they are, and what their VRPs say.

use bgp::rpki::{State, Vrps};

use super::*;
use crate::control::Timestamp;
use crate::core::rpki::Cache;
use crate::metrics::CacheNumbers;

impl Core {
    pub(super) fn rpki_reply(&self, prefix: Option<Prefix>, asn: Option<Asn>) -> reply::Rpki {
        let used = self.rpki.used.as_ref().map(|it| it.vrps.as_ref());
        reply::Rpki {
            caches: self.caches().collect(),
            vrps: used.map(vrps).unwrap_or_default(),
            lookup: prefix.map(|prefix| lookup(used, prefix, asn)),
        }
    }

    fn caches(&self) -> impl Iterator<Item = reply::RpkiCache> + '_ {
        let all = self.rpki.known.iter();
        all.map(|cache| cache_reply(cache, self.rpki.uses(cache.config.address)))
    }

    pub(super) fn rpki_numbers(&self) -> Vec<CacheNumbers> {
        let numbers = self.caches().map(|cache| CacheNumbers {
            address: cache.address,
            synced: cache.state == SYNCED,
            in_use: cache.in_use,
            vrps_ipv4: cache.vrps.ipv4,
            vrps_ipv6: cache.vrps.ipv6,
            serial: cache.serial,
            age_s: cache.age_s,
            losses: cache.losses,
        });
        numbers.collect()
    }

    /// What validation says of a received route, where routes are validated.
    pub(super) fn validity(&self, nlri: &Nlri, received: &Attributes) -> Option<State> {
        self.rib.validity(nlri, received).map(|found| found.state)
    }
}

const SYNCED: &str = "synced";

fn cache_reply(cache: &Cache, in_use: bool) -> reply::RpkiCache {
    let data = cache.data.as_ref();
    let said = data.map(|data| &data.said);
    let now = Instant::now();
    let state = match (cache.synced, &cache.lost) {
        (true, _) => SYNCED,
        (false, Some(_)) => "lost",
        (false, None) => "connecting",
    };
    reply::RpkiCache {
        address: cache.config.address,
        preference: cache.config.preference,
        state: state.to_owned(),
        in_use,
        version: said.map(|said| said.version),
        session: said.map(|said| said.serial.session),
        serial: said.map(|said| said.serial.serial),
        vrps: said.map(|said| vrps(&said.vrps)).unwrap_or_default(),
        updated: data.map(|data| Timestamp::from(data.time)),
        age_s: data.map(|data| now.saturating_duration_since(data.at).as_secs()),
        expires_in_s: data.map(|data| data.expires().saturating_duration_since(now).as_secs()),
        timers: said.map(|said| reply::RpkiTimers {
            refresh_s: said.timers.refresh.as_secs(),
            retry_s: said.timers.retry.as_secs(),
            expire_s: said.timers.expire.as_secs(),
        }),
        losses: cache.losses,
        error: cache.lost.clone(),
    }
}

fn vrps(vrps: &Vrps) -> reply::RpkiVrps {
    let [ipv4, ipv6] = vrps.by_version().map(number);
    reply::RpkiVrps {
        ipv4,
        ipv6,
        bytes: number(vrps.octets()),
    }
}

fn lookup(used: Option<&Vrps>, prefix: Prefix, asn: Option<Asn>) -> reply::RpkiLookup {
    let covering = used.map(|vrps| vrps.covering(prefix)).unwrap_or_default();
    let state = match (used, asn) {
        (_, _) if covering.is_empty() => Some(State::NotFound),
        (Some(vrps), Some(asn)) => Some(vrps.state(prefix, Some(asn))),
        (Some(_) | None, _) => None,
    };
    let covering = covering.iter().map(|vrp| reply::Vrp {
        prefix: vrp.prefix().to_string(),
        max_length: vrp.max_len(),
        asn: vrp.asn().0,
    });
    reply::RpkiLookup {
        prefix: prefix.to_string(),
        asn: asn.map(|asn| asn.0),
        state: state.map(|state| state.word().to_owned()),
        covering: covering.collect(),
    }
}
