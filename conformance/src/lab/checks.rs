//! The questions that every scenario asks of a cloud, and the sequence in which they come true.
//!
//! Each returns what it saw instead when the answer is no, so that a timeout says why.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Cloud, Error, Family, Site, kernel};

/// The longest a step may take; most take a few seconds on a quiet machine.
const STEP: Duration = Duration::from_secs(60);

impl Cloud<'_> {
    /// Waits until everything a working cloud has is there, and prints each step with its time.
    pub fn converge(&self) -> Result<(), Error> {
        let lab = self.lab;
        let sites = self.sites().len();
        let sessions = sites * sites.saturating_sub(1);
        let routes = self.expected_routes();
        let vnis = self.plan.overlay_networks().len();
        let tunnels = sessions * vnis;
        lab.reach(
            &format!("BGP Established: {sessions} of {sessions}, IPv4 and EVPN"),
            STEP,
            || self.sessions_up(),
        )?;
        lab.reach(&format!("BFD up: {sessions} of {sessions}"), STEP, || {
            self.bfd_up()
        })?;
        lab.reach(
            &format!("routes in the kernels: {routes} of {routes}"),
            STEP,
            || self.routes_installed(),
        )?;
        lab.reach(
            &format!("site to site ping: {sessions} of {sessions}"),
            STEP,
            || self.sites_ping(),
        )?;
        lab.reach(
            &format!("flood entries: {tunnels} of {tunnels}"),
            STEP,
            || self.flood_entries(),
        )?;
        lab.reach(
            &format!("VM to VM ping: {tunnels} of {tunnels} pairs"),
            STEP,
            || self.vms_ping(false),
        )?;
        lab.reach(
            &format!("remote MACs in the kernels: {tunnels} of {tunnels}"),
            STEP,
            || self.remote_macs(),
        )?;
        lab.reach(
            &format!("full-size packets, not fragmented: {tunnels} of {tunnels}"),
            STEP,
            || self.vms_ping(true),
        )?;
        self.isolated()?;
        lab.step("overlay networks do not see each other");
        Ok(())
    }

    /// Every session is Established and carries both families, seen from both ends.
    pub fn sessions_up(&self) -> Result<(), Error> {
        self.each_link(|site, other| {
            let peer = site.peer(other.id());
            site.node().established(peer, Family::Ipv4)?;
            site.node().established(peer, Family::Evpn)
        })
    }

    /// Every BFD session is up, seen from both ends.
    pub fn bfd_up(&self) -> Result<(), Error> {
        self.each_link(|site, other| site.node().bfd_up(site.peer(other.id())))
    }

    /// Every site's kernel has every other site's networks, one of the ways leading straight
    /// there.
    pub fn routes_installed(&self) -> Result<(), Error> {
        self.each_link(|site, other| {
            let routes = kernel::routes(site.space())?;
            for network in other
                .networks()
                .iter()
                .filter(|n| !site.networks().contains(n))
            {
                let bare = network.strip_suffix("/32").unwrap_or(network);
                let found = routes
                    .iter()
                    .find(|r| r.prefix == bare && r.protocol != "kernel");
                let service = bare == super::SERVICE.to_string();
                let straight = found.is_some_and(|r| r.leads_to(site.peer(other.id())));
                if found.is_none() || !(straight || service) {
                    return Err(Error::State(format!("route to {network} is {found:?}")));
                }
            }
            Ok(())
        })
    }

    /// Every site reaches an address in every other site's network, from its own.
    pub fn sites_ping(&self) -> Result<(), Error> {
        self.each_link(|site, other| {
            let (from, to) = (
                site.own_address().to_string(),
                other.own_address().to_string(),
            );
            let line = ["ping", "-n", "-q", "-c", "1", "-W", "1", "-I", &from, &to];
            if site.space().output(&line)?.ok() {
                return Ok(());
            }
            Err(Error::State(format!("no answer from {to} to {from}")))
        })
    }

    /// In every VNI, every site floods to every other site.
    pub fn flood_entries(&self) -> Result<(), Error> {
        self.each_link(|site, other| {
            for vni in self.plan.overlay_networks() {
                let flood = kernel::flood_list(site.space(), *vni)?;
                if !flood.contains(&other.tunnel_end().to_string()) {
                    return Err(Error::State(format!("VNI {vni} floods to {flood:?}")));
                }
            }
            Ok(())
        })
    }

    /// Every machine's MAC is known at every other site, behind the right tunnel end.
    pub fn remote_macs(&self) -> Result<(), Error> {
        self.each_link(|site, other| {
            for vm in self.vms().iter().filter(|vm| vm.number() == other.id()) {
                let known = kernel::remote_macs(site.space(), vm.vni())?;
                if known.get(&vm.mac()) != Some(&other.tunnel_end().to_string()) {
                    let (mac, vni) = (vm.mac(), vm.vni());
                    return Err(Error::State(format!("{mac} not in VNI {vni}: {known:?}")));
                }
            }
            Ok(())
        })
    }

    /// Every machine reaches every other one of its network; `full_size` with the largest packet.
    pub fn vms_ping(&self, full_size: bool) -> Result<(), String> {
        for a in self.vms() {
            for b in self
                .vms()
                .iter()
                .filter(|b| b.vni() == a.vni() && b.number() != a.number())
            {
                let size = if full_size { a.mtu() } else { 84 };
                a.space().pings(b.address(), size)?;
            }
        }
        Ok(())
    }

    /// A machine that is given an address of another overlay network cannot be reached there.
    pub fn isolated(&self) -> Result<(), Error> {
        let [first, second, ..] = self.plan.overlay_networks() else {
            return Ok(());
        };
        let [near, far, ..] = self.sites() else {
            return Ok(());
        };
        let (asking, intruder) = (self.vm(*first, near.id())?, self.vm(*second, far.id())?);
        let [a, b, c, _] = asking.address().octets();
        let stolen = Ipv4Addr::new(a, b, c, 99);
        intruder
            .space()
            .ip(&format!("addr add {stolen}/24 dev eth0"))?;
        let answered = asking.space().pings(stolen, 84);
        intruder
            .space()
            .ip(&format!("addr del {stolen}/24 dev eth0"))?;
        match answered {
            Ok(()) => Err(Error::State(format!("{stolen} answered from VNI {second}"))),
            Err(_) => Ok(()),
        }
    }

    /// `rbgpctl verify` finds nothing to correct at any of our sites.
    pub fn verified(&self) -> Result<(), Error> {
        for site in self.sites().iter().filter(|s| s.node().is_rbgpd()) {
            let output = site.node().ctl(&["verify"])?;
            if !output.ok() {
                let (name, text) = (site.name(), output.text());
                return Err(Error::State(format!("verify at {name}: {text}")));
            }
        }
        Ok(())
    }

    /// Asks a question of every site about every other one, and names both in a bad answer.
    fn each_link(&self, ask: impl Fn(&Site, &Site) -> Result<(), Error>) -> Result<(), Error> {
        for site in self.sites() {
            for other in self.sites().iter().filter(|o| o.id() != site.id()) {
                let answer = ask(site, other);
                let (from, to) = (site.name(), other.name());
                answer.map_err(|e| Error::State(format!("{from} about {to}: {e}")))?;
            }
        }
        Ok(())
    }

    fn expected_routes(&self) -> usize {
        let foreign = |site: &Site| {
            let others = self.sites().iter().filter(|o| o.id() != site.id());
            let networks = others
                .flat_map(Site::networks)
                .filter(|n| !site.networks().contains(n));
            networks.collect::<std::collections::BTreeSet<_>>().len()
        };
        self.sites().iter().map(foreign).sum()
    }
}
