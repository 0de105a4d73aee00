//! What operators do to a running cloud, each under traffic and with a figure at the end.
//!
//! Every drill starts and ends with a working cloud, so that several can follow each other.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::{
    Cloud, Error, Lab, Namespace, PingReport, Pinger, RouteMonitor, SERVICE, Site, Vm, kernel,
    wait_until,
};

/// Between two requests of a stream.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long a change may take before a drill gives up; the figures say how long it took.
const STEP: Duration = Duration::from_secs(60);

/// What a drill measured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drill {
    /// From the event to the new next hop (or place of a MAC) in the watcher's kernel.
    pub moved_after: Duration,
    /// What the stream met.
    pub traffic: PingReport,
}

impl std::fmt::Display for Drill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "moved after {} ms; {}",
            self.moved_after.as_millis(),
            self.traffic
        )
    }
}

impl Cloud<'_> {
    /// The site that a watcher's traffic for [`SERVICE`] goes to now.
    pub fn carrier(&self, watcher: u8) -> Result<u8, Error> {
        let site = self.at(watcher)?;
        let hop = kernel::next_hop(site.space(), SERVICE)?;
        let link = site.links().iter().find(|l| Some(l.remote) == hop);
        link.map(|l| l.peer)
            .ok_or_else(|| Error::State(format!("{}: {SERVICE} goes to {hop:?}", site.name())))
    }

    /// Drains the site that carries the service, stops it, starts it and takes the drain back,
    /// while the watcher asks the service every 10 ms.
    pub fn drain_drill(&mut self, site: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        let name = self.at(site)?.name();
        self.wait_for_carrier(site, watcher)?;
        let pinger = self.service_stream(watcher)?;
        let start = Instant::now();
        self.at(site)?.node().drain(super::config::asn(site))?;
        lab.step(format!(
            "{name} drained, in {} ms",
            start.elapsed().as_millis()
        ));
        lab.wait_until("the service has moved", STEP, || {
            self.moved_from(site, watcher)
        })?;
        let moved_after = start.elapsed();
        self.at_mut(site)?.node_mut().stop()?;
        lab.step(format!("{name} stopped"));
        more(lab, &pinger, 100)?;
        self.start_again(site)?;
        self.at(site)?.node().undrain(super::config::asn(site))?;
        lab.step(format!("{name} undrained"));
        // A watcher of ours may find the two ways equal and stay where it is.
        if !self.at(watcher)?.node().is_rbgpd() {
            self.wait_for_carrier(site, watcher)?;
            lab.step(format!("the service is back at {name}"));
        }
        more(lab, &pinger, 50)?;
        lab.wait_until("the cloud is whole", STEP, || self.whole())?;
        Ok(Drill {
            moved_after,
            traffic: pinger.stop()?,
        })
    }

    /// Kills a site's daemon with traffic through it, goes on for two seconds (more than BFD
    /// waits), and starts it again. Nobody may lose a route over it. Needs
    /// [`super::Plan::graceful_restart`].
    pub fn kill_drill(&mut self, site: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        let name = self.at(site)?.name();
        let networks: Vec<String> = self
            .sites()
            .iter()
            .flat_map(|s| s.networks().iter().cloned())
            .collect();
        // Of FRR less can be asked: a killed zebra flushes at its next start, and FRR does not
        // keep the EVPN routes of a restarting neighbor (its RFC 4724 covers SAFI 1 to 128 without
        // 70).
        let ours: Vec<u8> = self
            .sites()
            .iter()
            .filter(|s| s.node().is_rbgpd())
            .map(Site::id)
            .collect();
        let friend = ours
            .iter()
            .copied()
            .find(|id| *id != site && ours.contains(&site));
        let mut watched = vec![watcher];
        watched.extend(ours.contains(&site).then_some(site));
        watched.extend(friend.filter(|id| *id != watcher));
        let mut monitors = Vec::new();
        for id in watched {
            monitors.push((id, RouteMonitor::start(lab, self.at(id)?.space())?));
        }
        self.wait_for_carrier(site, watcher)?;
        let pinger = self.service_stream(watcher)?;
        let overlay = friend.map(|id| self.overlay_stream(site, id)).transpose()?;
        self.at_mut(site)?.node_mut().kill9()?;
        let start = Instant::now();
        lab.step(format!("{name} killed (SIGKILL)"));
        more(lab, &pinger, 200)?;
        self.start_again(site)?;
        lab.reach("the cloud is whole", STEP, || self.whole())?;
        let moved_after = start.elapsed();
        more(lab, &pinger, 50)?;
        let traffic = pinger.stop()?;
        if let Some(overlay) = overlay.map(Pinger::stop).transpose()? {
            lab.step(format!("machine to machine meanwhile: {overlay}"));
            if overlay.lost > 0 {
                return Err(Error::State(format!("machine to machine: {overlay}")));
            }
        }
        for (id, monitor) in monitors {
            let at = self.at(id)?;
            let tunnels = match at.node().is_rbgpd() {
                true => self.plan.overlay_networks(),
                false => &[],
            };
            let tunnels: Vec<String> = tunnels.iter().map(|vni| format!("vxlan{vni}")).collect();
            let deleted = monitor.deleted(&networks, &tunnels)?;
            if !deleted.is_empty() {
                return Err(Error::State(format!(
                    "entries flapped at {}: {}",
                    at.name(),
                    deleted.join("; ")
                )));
            }
        }
        lab.step("no route and no entry of a tunnel was deleted meanwhile");
        Ok(Drill {
            moved_after,
            traffic,
        })
    }

    /// Stops the carrying site in order, without a drain: its neighbors must move traffic at once.
    pub fn stop_drill(&mut self, site: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        self.wait_for_carrier(site, watcher)?;
        let pinger = self.service_stream(watcher)?;
        let start = Instant::now();
        let moved_after = self.stop_and_look(site, watcher)?.duration_since(start);
        let traffic = pinger.stop()?;
        self.restart(site)?;
        lab.wait_until("the cloud is whole", STEP, || self.whole())?;
        Ok(Drill {
            moved_after,
            traffic,
        })
    }

    /// Kills the carrying site's daemon, sees that the watcher keeps sending there (RFC 4724), and
    /// then takes the site off the net: a watcher that helps a restart must still believe BFD once
    /// the address itself stops answering.
    pub fn vanish_drill(&mut self, site: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        let name = self.at(site)?.name();
        self.wait_for_carrier(site, watcher)?;
        let pinger = self.service_stream(watcher)?;
        self.at_mut(site)?.node_mut().kill9()?;
        // Longer than BFD takes to notice.
        more(lab, &pinger, 150)?;
        if self.carrier(watcher)? != site {
            return Err(Error::State(
                "routes of a restarting peer were not kept".to_owned(),
            ));
        }
        lab.step(format!("{name} killed (SIGKILL), its routes are kept"));
        self.fabric_mut().cut(site, watcher)?;
        let drill = self.measure(pinger, Instant::now(), "the service has moved", || {
            self.moved_from(site, watcher)
        })?;
        self.fabric_mut().heal()?;
        self.restart(site)?;
        lab.wait_until("the cloud is whole", STEP, || self.whole())?;
        Ok(drill)
    }

    /// Cuts the path between the carrying site and the watcher without telling either.
    ///
    /// Not together with [`super::Plan::graceful_restart`]: FRR then takes a BFD session that
    /// fails for a daemon that restarts, and keeps the routes.
    pub fn cut_drill(&mut self, site: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        self.wait_for_carrier(site, watcher)?;
        let pinger = self.service_stream(watcher)?;
        self.fabric_mut().cut(site, watcher)?;
        let drill = self.measure(pinger, Instant::now(), "the service has moved", || {
            self.moved_from(site, watcher)
        })?;
        self.fabric_mut().heal()?;
        lab.wait_until("the cloud is whole", STEP, || self.whole())?;
        Ok(drill)
    }

    /// Cuts the direct path between two sites that also reach each other through a third: their
    /// traffic must go that way, that of the sites and that of their machines.
    pub fn detour_drill(&mut self, a: u8, b: u8, over: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        let (from, to) = (self.at(a)?.own_address(), self.at(b)?.own_address());
        let pinger = Pinger::start_from(self.at(a)?.space(), from, to, INTERVAL)?;
        more(lab, &pinger, 50)?;
        self.fabric_mut().cut(a, b)?;
        let start = Instant::now();
        let (site, detour) = (self.at(a)?, self.at(a)?.peer(over));
        let takes_it = || match kernel::next_hop(site.space(), to)? {
            Some(hop) if hop == detour => Ok(()),
            hop => Err(Error::State(format!("next hop {hop:?}"))),
        };
        let drill = self.measure(pinger, start, "the route takes the detour", takes_it)?;
        lab.wait_until("the machines reach each other", STEP, || {
            self.vms_ping(true)
        })?;
        self.fabric_mut().heal()?;
        lab.wait_until("the cloud is whole", STEP, || self.whole())?;
        Ok(drill)
    }

    /// Moves a machine from its site to another, with a stream to it from the watcher's machine.
    pub fn move_drill(&mut self, vni: u32, from: u8, to: u8, watcher: u8) -> Result<Drill, Error> {
        let lab = self.lab;
        let vm = self.vm(vni, from)?;
        let (old, new) = (self.at(from)?.space(), self.at(to)?.space());
        let away = self.vm(vni, watcher)?;
        let pinger = stream(lab, away.space(), vm.address())?;
        vm.detach(old)?;
        let start = Instant::now();
        vm.attach(new)?;
        let drill = self.measure(pinger, start, "the MAC has moved", || {
            self.mac_is_at(vm, watcher, to)
        })?;
        lab.wait_until("the old site knows", STEP, || self.mac_is_at(vm, from, to))?;
        vm.detach(new)?;
        vm.attach(old)?;
        lab.wait_until("the MAC has come back", STEP, || {
            self.mac_is_at(vm, watcher, from)
        })?;
        Ok(drill)
    }

    /// Sessions, BFD, routes, flood lists, MACs and the audit of our own sites.
    pub fn whole(&self) -> Result<(), Error> {
        self.sessions_up()?;
        self.bfd_up()?;
        self.routes_installed()?;
        self.flood_entries()?;
        self.remote_macs()?;
        self.verified()
    }

    /// Waits until what has begun at `start` has changed the way of the stream, and ends the stream
    /// half a second later.
    fn measure(
        &self,
        pinger: Pinger,
        start: Instant,
        what: &str,
        moved: impl Fn() -> Result<(), Error>,
    ) -> Result<Drill, Error> {
        self.lab.wait_until(what, STEP, moved)?;
        let moved_after = start.elapsed();
        more(self.lab, &pinger, 50)?;
        Ok(Drill {
            moved_after,
            traffic: pinger.stop()?,
        })
    }

    /// Starts a site's daemon and waits until the sessions of all are Established.
    fn start_again(&mut self, site: u8) -> Result<(), Error> {
        self.restart(site)?;
        let name = self.at(site)?.name();
        let what = format!("{name} started, sessions Established");
        self.lab.reach(&what, STEP, || self.sessions_up()).map(drop)
    }

    /// Waits until the watcher's kernel sends the service's traffic to this site.
    fn wait_for_carrier(&self, site: u8, watcher: u8) -> Result<(), Error> {
        let what = format!("{SERVICE} goes to {}", self.at(site)?.name());
        let waited = self.lab.wait_until(&what, STEP, || {
            let carrier = self.carrier(watcher)?;
            if carrier == site {
                Ok(())
            } else {
                Err(Error::State(format!("site {carrier}")))
            }
        });
        waited.map(drop)
    }

    fn moved_from(&self, site: u8, watcher: u8) -> Result<(), Error> {
        match self.carrier(watcher)? {
            carrier if carrier == site => Err(Error::State("not moved".to_owned())),
            _ => Ok(()),
        }
    }

    /// Stops a site's daemon; another thread notes the moment the traffic moves, which may well be
    /// before the daemon has ended.
    fn stop_and_look(&mut self, site: u8, watcher: u8) -> Result<Instant, Error> {
        let space = self.at(watcher)?.space().clone();
        let old = self.at(watcher)?.peer(site);
        let node = self.at_mut(site)?.node_mut();
        std::thread::scope(|scope| {
            let look = scope.spawn(|| {
                let moved = || match kernel::next_hop(&space, SERVICE)? {
                    Some(hop) if hop != old => Ok(()),
                    hop => Err(Error::State(format!("next hop {hop:?}"))),
                };
                wait_until("the service has moved", STEP, moved).map(|_| Instant::now())
            });
            node.stop()?;
            let looked = look
                .join()
                .map_err(|_| Error::State("the watch failed".to_owned()))?;
            Ok(looked?)
        })
    }

    fn service_stream(&self, watcher: u8) -> Result<Pinger, Error> {
        stream(self.lab, self.at(watcher)?.space(), SERVICE)
    }

    /// From one site's machine to another's in the first overlay network.
    fn overlay_stream(&self, site: u8, from: u8) -> Result<Pinger, Error> {
        let vni = self
            .plan
            .overlay_networks()
            .first()
            .copied()
            .unwrap_or_default();
        let to = self.vm(vni, site)?.address();
        stream(self.lab, self.vm(vni, from)?.space(), to)
    }

    /// A site's kernel has the machine behind the tunnel end of another site.
    fn mac_is_at(&self, vm: &Vm, observer: u8, place: u8) -> Result<(), Error> {
        let known = kernel::remote_macs(self.at(observer)?.space(), vm.vni())?;
        let end = self.at(place)?.tunnel_end().to_string();
        match known.get(&vm.mac()) {
            Some(found) if *found == end => Ok(()),
            other => Err(Error::State(format!("{} is at {other:?}", vm.mac()))),
        }
    }
}

/// A stream that has been answered for half a second.
fn stream(lab: &Lab, space: &Namespace, to: Ipv4Addr) -> Result<Pinger, Error> {
    let pinger = Pinger::start(space, to, INTERVAL)?;
    more(lab, &pinger, 50)?;
    Ok(pinger)
}

/// Waits for so many more answers.
fn more(lab: &Lab, pinger: &Pinger, count: u64) -> Result<(), Error> {
    let goal = pinger.received() + count;
    lab.wait_until(&format!("{count} more answers"), STEP, || {
        let seen = pinger.received();
        if seen >= goal {
            Ok(())
        } else {
            Err(format!("{seen} of {goal}"))
        }
    })?;
    Ok(())
}
