//! Operators: starting, stopping and configuring a session.

use std::sync::Arc;
use std::time::Instant;

use super::link::Attempt;
use super::timers::PeerTimer;
use super::transition::{Event, Step, next};
use super::{Config, DownReason, Phase, Place, ReleaseReason, Session, Side, StopReason};
use crate::family::Family;

impl Session {
    pub(super) fn start(&mut self, now: Instant) {
        match self.phase {
            Phase::Stopped(_) | Phase::Holding => self.run(now),
            Phase::Running => {
                if next(self.outgoing.state(), Event::Start) == Step::Dial {
                    self.dial(now);
                }
            }
        }
    }

    /// Leaves Stopped or Holding, with all delays forgotten.
    pub(super) fn run(&mut self, now: Instant) {
        self.idle_backoff.reset();
        self.resume(now);
    }

    /// Leaves Stopped or Holding.
    pub(super) fn resume(&mut self, now: Instant) {
        self.phase = Phase::Running;
        self.connect_backoff.reset();
        self.short_sessions.reset();
        self.timers.clear(PeerTimer::IdleHold);
        self.dial(now);
    }

    pub(super) fn stop(&mut self, now: Instant, reason: StopReason) {
        let stays_down = reason.stays_down();
        if stays_down {
            self.phase = Phase::Stopped(Some(reason.clone()));
            let rest = reason.restart_after();
            self.timers.set_after(PeerTimer::IdleHold, now, rest);
        }
        self.end_all(now, DownReason::Stopped(reason));
        match self.phase {
            Phase::Stopped(_) => {}
            // An operator who resets a peer does not want to wait for the end of its rest.
            Phase::Holding => self.run(now),
            Phase::Running => {
                if matches!(self.outgoing, Attempt::Idle) {
                    self.dial(now);
                }
            }
        }
    }

    pub(super) fn configure(&mut self, now: Instant, config: Config) {
        let reread = self.config.unwanted != config.unwanted;
        let mut established = self.established.iter();
        let reads_on = !reread || established.all(|it| it.negotiated.route_refresh);
        let restart = self.config.needs_restart(&config).is_some() || !reads_on;
        // What was found out of two AS numbers stays.
        let turned = config.other_as == Some(self.config.local_as)
            && self.config.other_as == Some(config.local_as);
        self.config = match turned {
            true => config.turned(),
            false => config,
        };
        if self.config.bfd.is_none() {
            self.bfd = None;
            self.timers.clear(PeerTimer::BfdAnew);
        }
        self.watch_silence();
        match self.phase {
            Phase::Stopped(_) => {}
            Phase::Holding if restart => self.run(now),
            Phase::Holding => {}
            Phase::Running if restart => {
                self.end_all(
                    now,
                    DownReason::Stopped(StopReason::OtherConfigurationChange),
                );
                if self.is_running() {
                    self.run(now);
                }
            }
            Phase::Running => {
                self.retime(now);
                if reread {
                    self.reread();
                }
                self.insist_on_bfd(now);
                // `passive` and `bfd.strict` change what an idle direction does.
                if matches!(self.outgoing, Attempt::Active) {
                    self.dial(now);
                }
            }
        }
    }

    /// Other attributes are unwanted: what the peer has sent is to be seen with all of them.
    fn reread(&mut self) {
        let Some(established) = &mut self.established else {
            return;
        };
        established.context.unwanted = established.negotiated.unwanted;
        for family in Family::ALL {
            self.request_refresh(family);
        }
    }

    /// Our own timers follow the configuration without a restart.
    fn retime(&mut self, now: Instant) {
        let Some(established) = &mut self.established else {
            return;
        };
        let negotiated = established.negotiated.retimed(&self.config);
        let changed = negotiated.keepalive != established.negotiated.keepalive;
        established.negotiated = Arc::new(negotiated);
        if changed {
            self.schedule_keepalive(now, Place::Established);
        }
    }

    /// Ends every connection for one reason.
    pub(super) fn end_all(&mut self, now: Instant, reason: DownReason) {
        if reason.is_hard() {
            self.release(ReleaseReason::Stopped);
        }
        for side in [Side::Outgoing, Side::Incoming] {
            self.lose(now, Place::Attempt(side), Event::Stop, reason.clone());
        }
        self.lose(now, Place::Established, Event::Stop, reason);
    }
}
