//! Instances whose VRF device is not there.
//!
//! At boot the device may come after the daemon, and an operator may make it later or anew: such an
//! instance does not run, the others do. It is looked for every second as long as one is missing, and
//! starts when its device is there, as a reload would start it.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

use super::{Instances, in_words, running};
use crate::config::Config;
use crate::control::{ErrorReply, reply};

/// How often devices are looked for. A new device waits for addresses and links anyway.
const LOOK: Duration = Duration::from_secs(1);

/// An instance that waits.
pub(crate) struct Waiting {
    pub(crate) config: Config,
    /// Why it did not start when its device was there, as it was told last.
    told: Option<String>,
}

impl Waiting {
    /// Says so in the log, once.
    pub(crate) fn new(config: Config) -> Self {
        let waiting = Self { config, told: None };
        tracing::warn!(
            instance = %waiting.name(),
            "there is no VRF device `{}`: the instance starts when it comes",
            waiting.device(),
        );
        waiting
    }

    pub(super) fn name(&self) -> &str {
        self.config.name.as_deref().unwrap_or_default()
    }

    fn device(&self) -> &str {
        self.config.vrf.as_deref().unwrap_or_default()
    }

    /// Its line beside those that run.
    pub(super) fn line(&self) -> reply::Instance {
        reply::Instance {
            name: self.name().to_owned(),
            vrf: self.config.vrf.clone(),
            asn: self.config.asn.0,
            router_id: self.config.router_id,
            table: 0,
            draining: false,
            neighbors: u64::try_from(self.config.neighbors.len()).unwrap_or(u64::MAX),
            established: 0,
            waiting: true,
        }
    }

    /// Why it does not answer.
    pub(super) fn refuses(&self) -> ErrorReply {
        let (name, device) = (self.name(), self.device());
        let why = match &self.told {
            Some(why) => format!("instance `{name}` does not run: {why}"),
            None => {
                format!("instance `{name}` does not run: there is no VRF device `{device}`")
            }
        };
        ErrorReply::not_found(why).hint(format!(
            "`ip link add {device} type vrf table N && ip link set {device} up`, and it starts"
        ))
    }
}

/// When devices are to be looked for.
pub(super) fn times_to_look() -> Interval {
    let mut times = tokio::time::interval(LOOK);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times
}

impl Instances {
    /// Starts those whose device has come.
    pub(super) fn look_for_devices(&mut self) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            match self.start_if_there(&waiting) {
                Ok(true) => continue,
                Ok(false) => waiting.told = None,
                Err(why) => {
                    if waiting.told.as_ref() != Some(&why) {
                        tracing::error!("{why}");
                    }
                    waiting.told = Some(why);
                }
            }
            self.waiting.push(waiting);
        }
    }

    fn start_if_there(&mut self, waiting: &Waiting) -> Result<bool, String> {
        let mut config = waiting.config.clone();
        if !running::find_table(&mut config).map_err(|error| in_words(&error))? {
            return Ok(false);
        }
        let running = self.all().map(|it| &it.config);
        super::no_clash(&config, running).map_err(|error| in_words(&error))?;
        let added = self.prepare(std::slice::from_ref(&config));
        let added = added.map_err(|error| in_words(&error))?;
        let failed = self.launch(added);
        match failed.into_iter().next() {
            None => Ok(true),
            Some(why) => Err(why),
        }
    }
}
