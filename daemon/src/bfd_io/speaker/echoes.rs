//! The speaker's part in echo packets: it sends them, takes in what comes back, sends back what is the
//! peers', and looks once a second what the host can do for each session that wants any.
//!
//! What the host has to do with them is in [`echo`].

use std::collections::{BTreeSet, btree_map};
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use bfd::{InterfaceIndex, Interval, State};

use super::{Entry, Ready, Speaker};
use crate::bfd_io::SessionKey;
use crate::bfd_io::echo::{self, Link, Problem, Way};
use crate::bfd_io::shield::Echoes;
use crate::bfd_io::socket::Port;
use crate::datagram::Leaving;
use crate::debug;
use crate::interface::name_of;

/// With what echo packets are sent back that do not go through the kernel's forwarding: as if they did.
const RETURNED_TTL: u8 = 254;

impl Speaker {
    /// Sends back what peers want back, and takes in what came back.
    pub(super) fn receive_echoes(&mut self, ready: &Ready) {
        let mut many = false;
        let receivers = self.receivers.iter_mut().zip(&ready.receivers);
        let echoes = receivers.filter(|(it, ready)| **ready && it.port() == Port::Echo);
        for (receiver, _) in echoes {
            let mut read = 0;
            while read < echo::BATCH_MAX {
                read += 1;
                let datagram = match receiver.receive() {
                    Ok(Some(datagram)) => datagram,
                    Ok(None) => continue,
                    Err(_) => break,
                };
                if !self.sessions.echo(Instant::now(), datagram) {
                    continue;
                }
                let (to, payload) = (datagram.remote, datagram.payload.to_vec());
                let from = Leaving {
                    source: datagram.local,
                    interface: datagram.interface.0,
                    ttl: RETURNED_TTL,
                };
                if let Err(error) = receiver.send(from, to, &payload) {
                    tracing::debug!(target: debug::BFD_NETWORK, %to, %error, "a BFD echo packet was not sent back");
                }
            }
            many |= read == echo::BATCH_MAX;
        }
        let links = self.links.values_mut().zip(&ready.links);
        for (link, _) in links.filter(|(_, ready)| **ready) {
            let mut read = 0;
            while read < echo::BATCH_MAX {
                read += 1;
                match link.receive() {
                    Ok(Some(datagram)) => {
                        // Nothing that comes here is sent back: its TTL says that it was.
                        let _ = self.sessions.echo(Instant::now(), datagram);
                    }
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
            many |= read == echo::BATCH_MAX;
        }
        let now = Instant::now();
        self.rest_until = match many {
            true => Some(now + echo::REST),
            false => self.rest_until.filter(|until| *until > now),
        };
    }

    /// Looks where echo packets go, and has sessions ask for no more than is possible.
    pub(super) fn look(&mut self, now: Instant) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        let wanting = |entry: &Entry| {
            entry.leaves.is_none()
                && (echo::wanted(&entry.parameters) || entry.way != Way::default())
        };
        let wanting: Vec<SessionKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| wanting(entry))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &wanting {
            let way = self.way(key);
            let Some(entry) = self.entries.get_mut(key) else {
                continue;
            };
            if way.problem != entry.way.problem {
                match &way.problem {
                    Some(problem) => {
                        tracing::warn!(peer = %key.neighbor(), problem, "BFD echo does not work");
                    }
                    None => tracing::info!(peer = %key.neighbor(), "BFD echo works"),
                }
            }
            let before = entry.way.possible(entry.parameters);
            entry.way = way;
            let possible = entry.way.possible(entry.parameters);
            if let Some(session) = entry.session.filter(|_| before != possible) {
                self.tell(session, bfd::Input::Configure(possible));
            }
        }
        let used: BTreeSet<InterfaceIndex> = self
            .entries
            .values()
            .filter_map(|entry| entry.way.interface)
            .collect();
        self.links.retain(|interface, _| used.contains(interface));
        self.close_receivers();
        self.hear_echoes();
        self.look_at = (!wanting.is_empty()).then(|| now + echo::LOOK);
    }

    /// Tells sockets whose packets count.
    fn hear_echoes(&mut self) {
        let sessions = &self.sessions;
        let echoes = Echoes::of(self.entries.values().filter_map(|entry| {
            let session = sessions.get(entry.session?)?;
            let (name, config) = (session.my_discriminator(), session.config());
            Some((name, config, entry.way.sends, entry.way.loops))
        }));
        let receivers = self.receivers.iter_mut();
        let links = self.links.values_mut();
        let heard = receivers
            .map(|it| it.hear_echoes(&echoes))
            .chain(links.map(|it| it.hear(&echoes)));
        for error in heard.filter_map(Result::err) {
            tracing::warn!(%error, "BFD echo packets of some sessions may not be heard");
        }
    }

    /// What the host can do for a session's echo packets now.
    fn way(&mut self, key: &SessionKey) -> Way {
        let mut way = Way::default();
        let Some(entry) = self.entries.get(key) else {
            return way;
        };
        let session = entry.session.and_then(|it| self.sessions.get(it));
        let (Some(session), true) = (session, echo::wanted(&entry.parameters)) else {
            return way;
        };
        let wanted = entry.parameters;
        let former = entry.way.clone();
        let shown = (session.state(), session.remote().required_min_echo_rx);
        let (counters, works) = (session.counters(), session.echo_works());
        // The device is gone, or nobody was heard yet: the session says so itself.
        let heard_on = session.heard_on();
        let Some((on, device)) = heard_on.and_then(|on| Some((on, name_of(on.0)?))) else {
            return way;
        };
        if let Err(error) = self.open_receivers(key, Port::Echo) {
            // A hint that follows is for the log.
            let text = error.to_string();
            let line = text.lines().next().map(str::to_owned);
            way.problem = line.map(io::Error::other).map(Problem::Port).map(said);
            return way;
        }
        if let IpAddr::V4(peer) = key.peer {
            match echo::is_ethernet(&device) {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    way.problem = Some(said(Problem::NoLinkAddresses(device)));
                    return way;
                }
            }
            way.loops = echo::forwards(&device);
            if wanted.echo_interval().is_some() {
                way.interface = Some(on);
                let known = former.mac.filter(|_| former.interface == Some(on));
                way.mac = echo::link_address(&device, peer).or(known);
                let link = self.open_link(on);
                way.sends = link.is_ok() && way.mac.is_some();
                way.problem = match (link, way.mac) {
                    (Err(error), _) => Some(said(Problem::Socket(device.clone(), error))),
                    (Ok(()), None) => Some(said(Problem::Unresolved(key.peer, device.clone()))),
                    (Ok(()), Some(_)) => None,
                };
            }
            if wanted.echo_receive_interval().is_some() && !way.loops {
                let problem = || said(Problem::NoForwarding(device));
                way.problem.get_or_insert_with(problem);
            }
        } else {
            (way.sends, way.loops) = (true, true);
            way.interface = Some(on);
        }
        let sends = wanted.echo_interval().is_some() && way.sends;
        if sends && way.problem.is_none() {
            let many = u64::from(wanted.multiplier()).max(10);
            way.problem = match shown {
                (State::Up, Interval::ZERO) => Some(said(Problem::NotOffered)),
                (State::Up, _) if works || counters.echo_sent < many => None,
                (State::Up, _) => Some(said(Problem::NoneCameBack)),
                // Nothing new is known of the peer.
                (State::AdminDown | State::Down | State::Init, _) => former.problem,
            };
        }
        way
    }

    fn open_link(&mut self, interface: InterfaceIndex) -> io::Result<()> {
        if let btree_map::Entry::Vacant(place) = self.links.entry(interface) {
            place.insert(Link::open(interface)?);
        }
        Ok(())
    }

    pub(super) fn send_echo(&mut self, key: &SessionKey, payload: &[u8]) {
        let domain = key.vrf.as_ref().and_then(|vrf| self.domains.get(vrf));
        let domain = domain.copied().unwrap_or_default();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let (Some(sender), Some(interface)) = (&entry.sender, entry.way.interface) else {
            return;
        };
        let sent = match (sender.local, entry.way.mac, self.links.get(&interface)) {
            (IpAddr::V4(own), Some(mac), Some(link)) => link.send(mac, own, payload),
            (IpAddr::V4(_), _, _) => return,
            (IpAddr::V6(own), _, _) => {
                let mut all = self.receivers.iter();
                let Some(port) = all.find(|it| it.echoes(domain, true)) else {
                    return;
                };
                let from = Leaving {
                    source: own.into(),
                    interface: interface.0,
                    ttl: u8::MAX,
                };
                port.send(from, key.peer, payload)
            }
        };
        entry.send_errors += u64::from(sent.is_err());
    }
}

/// As it is shown.
fn said(problem: Problem) -> String {
    problem.to_string()
}
