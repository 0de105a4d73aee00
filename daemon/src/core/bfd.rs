//! BFD: which sessions the configuration asks for, and how they stand.
//!
//! A neighbour's session tells its task directly ([`crate::bfd_share`]), that of a static route's
//! router what static routes stand on ([`crate::statics::Paths`]); those of `[[bfd]]` tell nobody, they
//! are there to be shown, counted and logged.

use std::sync::Arc;

use bfd::ParameterError;
use bgp::ScopedAddr;

use super::Core;
use crate::bfd_io::{Params, SessionKey, Settings};
use crate::bfd_share::{Client, Listener, WatchedStatus};
use crate::config::{self, Bfd, BfdPath, BfdPeer};
use crate::control::reply::{self, BfdState};
use crate::metrics::{BfdNumbers, BfdSessionNumbers};

impl Core {
    /// Gives a neighbour the session that it is to have, or other settings to the one it has.
    pub(super) fn set_bfd(&self, neighbor: &config::Neighbor) {
        let Some(settings) = &neighbor.bfd else {
            return;
        };
        let client = Client::Neighbor(neighbor.address);
        let listener = self.hands.bfd.to_neighbor(neighbor.address);
        let _ = self.watch_path(client, &self.bfd_key(neighbor), settings, listener);
    }

    pub(super) fn forget_bfd(&self, neighbor: &config::Neighbor) {
        if neighbor.bfd.is_some() {
            let client = Client::Neighbor(neighbor.address);
            self.hands.bfd.unwatch(&client, &self.bfd_key(neighbor));
        }
    }

    /// What of a neighbour's session has changed. It goes down only if it is another one.
    pub(super) fn change_bfd(&self, old: &config::Neighbor, new: &config::Neighbor) {
        let same_session = new.bfd.is_some() && self.bfd_key(old) == self.bfd_key(new);
        if !same_session {
            self.forget_bfd(old);
        }
        if !same_session || old.bfd != new.bfd {
            self.set_bfd(new);
        }
    }

    /// `[[bfd]]`: sessions that say how they are, and no more.
    pub(super) fn apply_bfd(&self, old: &[BfdPeer], new: &[BfdPeer]) {
        let stays = |peer: &&BfdPeer| new.iter().any(|it| it.path == peer.path);
        for gone in old.iter().filter(|peer| !stays(peer)) {
            let key = path_key(&gone.path);
            self.hands.bfd.unwatch(&Client::Alone(key.clone()), &key);
        }
        for peer in new.iter().filter(|peer| !old.contains(peer)) {
            let key = path_key(&peer.path);
            let listener: Listener = Arc::new(|_| {});
            let client = Client::Alone(key.clone());
            let _ = self.watch_path(client, &key, &peer.settings, listener);
        }
    }

    /// The routers of static routes, as the configuration has them now. Without a kernel nobody asks.
    pub(super) fn watch_statics(&mut self) {
        if self.hands.kernel.is_none() {
            return;
        }
        let (gone, new) = self.statics.rewatch();
        for path in gone {
            let key = path_key(&path);
            self.hands.bfd.unwatch(&Client::Route(key.clone()), &key);
        }
        for (path, settings) in new {
            let key = path_key(&path);
            let listener = self.statics.paths().listener(path.clone());
            let client = Client::Route(key.clone());
            if let Err(error) = self.watch_path(client, &key, &settings, listener) {
                self.statics.paths().fail(&path, error);
            }
        }
    }

    /// An error is logged here.
    fn watch_path(
        &self,
        client: Client,
        key: &SessionKey,
        settings: &Bfd,
        listener: Listener,
    ) -> Result<(), String> {
        let whose = client.to_string();
        let result = bfd_settings(settings)
            .map_err(|error| error.to_string())
            .and_then(|settings| {
                let watched = self.hands.bfd.watch(client, key, settings, listener);
                watched.map_err(|error| error.to_string())
            });
        if let Err(error) = &result {
            tracing::error!(peer = %key.neighbor(), whose, error, "no BFD session");
        }
        result
    }

    fn bfd_key(&self, neighbor: &config::Neighbor) -> SessionKey {
        let mut key = SessionKey::new(neighbor.address.ip());
        key.local = neighbor.local_address;
        key.interface = neighbor.address.zone().map(str::to_owned);
        key.vrf.clone_from(&self.config.vrf);
        key.multihop = neighbor.bfd.as_ref().is_some_and(|bfd| bfd.multihop);
        key
    }

    /// How the sessions of neighbours stand.
    pub(super) fn bfd_states(&self) -> Vec<(ScopedAddr, BfdState)> {
        let states = |it: WatchedStatus| {
            let state = bfd_state(it.status.state);
            let neighbors = it.clients.into_iter().filter_map(|client| match client {
                Client::Neighbor(address) => Some(address),
                Client::Alone(_) | Client::Route(_) => None,
            });
            neighbors
                .map(move |address| (address, state))
                .collect::<Vec<_>>()
        };
        self.hands
            .bfd
            .status()
            .into_iter()
            .flat_map(states)
            .collect()
    }

    pub(super) fn bfd_reply(&self) -> reply::Bfd {
        let report = self.hands.bfd.report();
        let sessions = self.hands.bfd.status().into_iter().map(session);
        let sessions: Vec<reply::BfdSession> = sessions.collect();
        let thread = (!sessions.is_empty()).then(|| reply::BfdThread {
            realtime: report.realtime,
            lateness_max_ms: millis(report.lateness.max()),
            refused: report.refused.malformed
                + report.refused.no_session
                + report.refused.wrong_source
                + report.refused.echo,
            refused_last: report.refused.last_error.map(|error| error.to_string()),
            shielded: report.shielded,
        });
        reply::Bfd { sessions, thread }
    }

    /// What the sessions of this instance have counted.
    pub(super) fn bfd_session_numbers(&self) -> Vec<BfdSessionNumbers> {
        let numbers = |WatchedStatus { status, .. }: WatchedStatus| BfdSessionNumbers {
            peer: status.key.neighbor(),
            vrf: status.key.vrf,
            multihop: status.key.multihop,
            up: status.state == bfd::State::Up,
            received: status.counters.received,
            sent: status.counters.sent,
            refused: [
                ("ttl", status.counters.refused_ttl),
                ("discriminator", status.counters.refused_discriminator),
                ("authentication", status.counters.refused_authentication),
            ]
            .map(|(reason, count)| (reason.to_owned(), count))
            .to_vec(),
            echo: [
                ("sent", status.counters.echo_sent),
                ("returned", status.counters.echo_returned),
                ("looped_back", status.counters.echo_looped_back),
            ]
            .map(|(what, count)| (what.to_owned(), count))
            .to_vec(),
            flaps: status.counters.losses,
            stalls: status.counters.stalls,
            send_errors: status.send_errors,
        };
        self.hands.bfd.status().into_iter().map(numbers).collect()
    }

    /// What the thread has counted, which all instances have together; told by the default one.
    pub(super) fn bfd_numbers(&self) -> Option<BfdNumbers> {
        let report = self.hands.bfd.report();
        let runs = self.config.name.is_none() && report.lateness.count() > 0;
        runs.then(|| BfdNumbers::of(&report))
    }
}

fn session(WatchedStatus { status, clients }: WatchedStatus) -> reply::BfdSession {
    let parameters = status.parameters;
    let counters = status.counters;
    let heard = status.names.map(|(_, remote)| remote);
    let heard = heard.filter(|remote| remote.discriminator.is_some());
    reply::BfdSession {
        peer: status.key.neighbor(),
        state: bfd_state(status.state),
        interval_ms: millis(status.interval.unwrap_or_else(|| parameters.interval())),
        detect_ms: millis(status.detection_time),
        uptime_s: status.uptime.map(|uptime| uptime.as_secs()),
        downtime_s: status.downtime.map(|downtime| downtime.as_secs()),
        local: status.local,
        interface: status.key.interface,
        vrf: status.key.vrf,
        multihop: status.key.multihop,
        multiplier: parameters.multiplier(),
        passive: parameters.is_passive(),
        authentication: status.authentication.map(|method| method.to_string()),
        diagnostic: Some(status.diagnostic.to_string()),
        remote_state: Some(bfd_state(status.remote_state)),
        remote_diagnostic: Some(status.remote_diagnostic.to_string()),
        control_plane_independent: status.control_plane_independent,
        flaps: counters.losses,
        received: counters.received,
        sent: counters.sent,
        refused: counters.refused_ttl
            + counters.refused_discriminator
            + counters.refused_authentication,
        refusal: status.refusal.map(|refusal| refusal.to_string()),
        stalls: counters.stalls,
        waiting: status.waiting,
        watched_by: clients.iter().map(Client::to_string).collect(),
        discriminator: status.names.map(|(name, _)| name.get()),
        remote_discriminator: heard.and_then(|it| it.discriminator).map(|it| it.get()),
        transmit_ms: millis(parameters.interval()),
        receive_ms: millis(parameters.receive_interval()),
        remote_transmit_ms: heard.map(|it| millis(it.desired_min_tx.duration())),
        remote_receive_ms: heard.map(|it| millis(it.required_min_rx.duration())),
        remote_multiplier: heard.map(|it| it.detect_multiplier),
        echo: {
            let [shortest, mean, longest] = match status.echo.round_trips {
                Some(times) => times.map(|it| u64::try_from(it.as_micros()).ok()),
                None => [None; 3],
            };
            reply::BfdEcho {
                transmit_ms: parameters.echo_interval().map(millis),
                interval_ms: status.echo.interval.map(millis),
                works: status.echo.works,
                receive_ms: status.echo.offered.map(millis),
                remote_receive_ms: heard.map(|it| millis(it.required_min_echo_rx.duration())),
                sent: counters.echo_sent,
                returned: counters.echo_returned,
                looped_back: counters.echo_looped_back,
                round_trip_min_us: shortest,
                round_trip_mean_us: mean,
                round_trip_max_us: longest,
                problem: status.echo.problem,
            }
        },
    }
}

fn path_key(path: &BfdPath) -> SessionKey {
    let mut key = SessionKey::new(path.peer);
    key.local = path.local;
    key.interface.clone_from(&path.interface);
    key.vrf.clone_from(&path.vrf);
    key.multihop = path.multihop;
    key
}

/// Settings of the protocol, from the configuration.
fn bfd_settings(bfd: &Bfd) -> Result<Settings, ParameterError> {
    let parameters = Params::default()
        .desired_min_tx(bfd.transmit_interval)?
        .required_min_rx(bfd.receive_interval)?
        .detect_multiplier(bfd.multiplier)?
        .echo(bfd.echo)?
        .echo_receive(bfd.echo_receive)?
        .passive(bfd.passive)
        .ttl_min(bfd.min_ttl);
    Ok(Settings {
        parameters,
        authentication: bfd.authentication.clone(),
        admin_down: bfd.shutdown,
    })
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn bfd_state(state: bfd::State) -> BfdState {
    match state {
        bfd::State::AdminDown => BfdState::AdminDown,
        bfd::State::Down => BfdState::Down,
        bfd::State::Init => BfdState::Init,
        bfd::State::Up => BfdState::Up,
    }
}
