//! Which caches of the RPKI are there, and whose data routes are validated by.
//!
//! Each cache has a task that keeps in step with it and reports ([`crate::rpki_io`]). Of those with
//! data the lowest `preference` is used, where a cache that we are in step with comes before one
//! that is lost; caches of one preference count together. A lost cache's data stays in use until it
//! expires or another one has an answer (RFC 8210 §6, §10). Then, and until the first answer after a
//! start, nothing is known of any route: each is `not_found`, and a line in the log, `show rpki` and
//! the metrics say so.
//!
//! What is used is one table, handed to the routing tables whenever it becomes another one; they
//! look again at the routes that it is about.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bgp::rib;
use bgp::rpki::{Validation, Vrps};

use super::Core;
use crate::config::{Config, RpkiCache};
use crate::debug;
use crate::rpki_io::{CacheId, Report, Synced};
use crate::tasks::CacheTask;

/// The caches of the configuration, in its order.
#[derive(Debug, Default)]
pub(super) struct Caches {
    pub(super) known: Vec<Cache>,
    /// What routes are validated by; none without any cache in the configuration.
    pub(super) used: Option<Arc<Validation>>,
    last_id: u64,
}

/// One cache.
#[derive(Debug)]
pub(super) struct Cache {
    id: CacheId,
    pub(super) config: RpkiCache,
    /// Ends with this.
    _task: CacheTask,
    pub(super) data: Option<CacheData>,
    /// In step: the last thing that was heard is an answer.
    pub(super) synced: bool,
    /// Why there is no connection.
    pub(super) lost: Option<String>,
    /// How often a cache was lost that was in step.
    pub(super) losses: u64,
}

/// What a cache said last.
#[derive(Debug)]
pub(super) struct CacheData {
    pub(super) said: Synced,
    /// When it was last in step.
    pub(super) at: Instant,
    pub(super) time: SystemTime,
}

impl CacheData {
    /// When it is of no use any more, without another answer.
    pub(super) fn expires(&self) -> Instant {
        self.at + self.said.timers.expire
    }
}

impl Caches {
    /// Those that are used.
    pub(super) fn chosen(&self) -> impl Iterator<Item = &Cache> {
        let with_data = || self.known.iter().filter(|cache| cache.data.is_some());
        let lowest = |synced: bool| {
            let alike = with_data().filter(|cache| cache.synced == synced);
            alike.map(|cache| cache.config.preference).min()
        };
        let in_step = lowest(true);
        let preference = in_step.or_else(|| lowest(false));
        with_data().filter(move |cache| {
            Some(cache.config.preference) == preference && cache.synced == in_step.is_some()
        })
    }

    /// True if this one is used.
    pub(super) fn uses(&self, address: SocketAddr) -> bool {
        self.chosen().any(|cache| cache.config.address == address)
    }

    /// When the first data expires that is not renewed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let data = self.known.iter().filter_map(|cache| cache.data.as_ref());
        data.map(CacheData::expires).min()
    }

    /// A line for each cache that is lost.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = self.known.iter().filter_map(Cache::notice).collect();
        if !self.known.is_empty() && self.chosen().next().is_none() {
            let line = "no RPKI cache has data: origin validation finds no route (not_found)";
            notices.push(line.to_owned());
        }
        notices
    }
}

impl Cache {
    fn notice(&self) -> Option<String> {
        let why = self.lost.as_ref()?;
        let address = self.config.address;
        Some(match &self.data {
            Some(data) => format!(
                "RPKI cache {address} is lost: {why}; what it said is good for {} s more",
                data.expires()
                    .saturating_duration_since(Instant::now())
                    .as_secs()
            ),
            None => format!("RPKI cache {address} is lost: {why}"),
        })
    }
}

impl Core {
    /// Starts the caches of the first configuration.
    pub(super) fn begin_rpki(&mut self) {
        for cache in self.config.rpki.clone() {
            self.add_cache(cache);
        }
        self.validate();
    }

    /// Adds, removes and changes caches. One with other intervals is asked anew, and what it said
    /// stays meanwhile.
    pub(super) fn apply_rpki(&mut self, old: &Config, new: &Config) {
        if old.rpki == new.rpki && old.public_asn() == new.public_asn() {
            return;
        }
        let former = std::mem::take(&mut self.rpki.known);
        let mut former: Vec<Cache> = former
            .into_iter()
            .filter(|cache| {
                let stays = |it: &RpkiCache| it.address == cache.config.address;
                new.rpki.iter().any(stays)
            })
            .collect();
        for config in &new.rpki {
            let known = former
                .iter()
                .position(|it| it.config.address == config.address);
            let Some(mut cache) = known.map(|at| former.swap_remove(at)) else {
                self.add_cache(*config);
                continue;
            };
            let intervals = |it: &RpkiCache| (it.refresh, it.retry, it.expire);
            if intervals(&cache.config) == intervals(config) {
                cache.config = *config;
                self.rpki.known.push(cache);
                continue;
            }
            self.add_cache(*config);
            if let Some(anew) = self.rpki.known.last_mut() {
                anew.data = cache.data.map(|mut data| {
                    if let Some(expire) = config.expire {
                        data.said.timers.expire = expire;
                    }
                    data
                });
                anew.losses = cache.losses;
            }
        }
        self.validate();
    }

    fn add_cache(&mut self, config: RpkiCache) {
        self.rpki.last_id += 1;
        let id = CacheId(self.rpki.last_id);
        self.rpki.known.push(Cache {
            id,
            config,
            _task: self.hands.spawner.rpki(config, id),
            data: None,
            synced: false,
            lost: None,
            losses: 0,
        });
    }

    pub(super) fn rpki_report(&mut self, id: CacheId, report: Report) {
        let Some(cache) = self.rpki.known.iter_mut().find(|cache| cache.id == id) else {
            // Of one that is no longer configured.
            return;
        };
        let address = cache.config.address;
        match report {
            Report::Synced(said) => {
                tracing::debug!(
                    target: debug::RPKI, cache = %address, session = said.serial.session,
                    serial = said.serial.serial, vrps = said.vrps.len(), "end of data"
                );
                if !cache.synced {
                    tracing::info!(
                        cache = %address,
                        version = said.version,
                        session = said.serial.session,
                        serial = said.serial.serial,
                        vrps = said.vrps.len(),
                        "RPKI cache in step"
                    );
                }
                (cache.synced, cache.lost) = (true, None);
                cache.data = Some(CacheData {
                    said,
                    at: Instant::now(),
                    time: SystemTime::now(),
                });
            }
            Report::Lost {
                why,
                flush,
                again_in,
            } => {
                tracing::debug!(
                    target: debug::RPKI, cache = %address, %why, flush, again_in_s = again_in.as_secs(),
                    "cache does not answer"
                );
                if flush {
                    cache.data = None;
                }
                let kept_s = cache.data.as_ref().map(|data| {
                    let left = data.expires().saturating_duration_since(Instant::now());
                    left.as_secs()
                });
                cache.losses += u64::from(cache.synced);
                // The same once; an attempt that fails like the one before is no news.
                if cache.lost.as_ref() != Some(&why) {
                    tracing::warn!(
                        cache = %address,
                        %why,
                        again_in_s = again_in.as_secs(),
                        data_good_for_s = kept_s.unwrap_or(0),
                        "RPKI cache lost"
                    );
                }
                (cache.synced, cache.lost) = (false, Some(why));
            }
        }
        self.validate();
    }

    /// Drops data that nobody has confirmed in time (RFC 8210 §6).
    pub(super) fn rpki_timeout(&mut self, now: Instant) {
        let mut expired = false;
        for cache in &mut self.rpki.known {
            if cache.data.take_if(|data| data.expires() <= now).is_some() {
                expired = true;
                cache.synced = false;
                tracing::warn!(
                    cache = %cache.config.address,
                    "data of the RPKI cache has expired and is not used any more"
                );
            }
        }
        if expired {
            self.validate();
        }
    }

    /// Has routes validated by what the caches in use say now, if that is news.
    fn validate(&mut self) {
        let own_as = self.config.public_asn();
        let tables = self.rpki.chosen();
        let tables = tables.filter_map(|cache| cache.data.as_ref());
        let vrps = Vrps::union(tables.map(|data| &data.said.vrps));
        let validation = (!self.rpki.known.is_empty()).then_some(Validation { vrps, own_as });
        let same = match (&self.rpki.used, &validation) {
            (Some(old), Some(new)) => {
                let table = Arc::ptr_eq(&old.vrps, &new.vrps) || old.vrps == new.vrps;
                table && old.own_as == new.own_as
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same {
            return;
        }
        let begin = Instant::now();
        let count = |of: &Option<Arc<Validation>>| of.as_ref().map_or(0, |it| it.vrps.len());
        let before = count(&self.rpki.used);
        self.rpki.used = validation.map(Arc::new);
        let now = count(&self.rpki.used);
        self.hand_in(rib::Input::Validate(self.rpki.used.clone()));
        self.validate_own();
        // The former table, and what the routes were before.
        self.freed.add(begin, before.max(now), 0);
        if now == 0 && before == 0 {
            return;
        }
        tracing::info!(
            vrps = now,
            before,
            took_ms = milliseconds(begin.elapsed()),
            "routes are validated by other VRPs"
        );
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
