//! Overlay networks made and taken away while the daemon runs, by an edit of its configuration file.
//!
//! ```text
//! order ─► file read: must be what runs ─► is it safe? ─► text edited, read again, compared
//!       ─► all cores say what would change ─► file replaced ─► applied as a reload applies
//! ```
//!
//! The file stays the one place where the configuration is: what is ordered here and what is
//! written by hand go the same way from there on. So a file that holds changes that do not run yet
//! is refused, an edit that would mean anything but the one network is refused, and what is refused
//! changes nothing. The file is replaced right before the cores apply it: a daemon that breaks off
//! in between starts with the new one, and if they cannot apply it the old one comes back. One
//! order after the other is carried out, since there is one task.
//!
//! Not here: where in the text something stands ([`config::edit`]), and how a file is replaced
//! ([`plain_file::Beside`]).

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use bgp::{Prefix, RouteDistinguisher, Vni};
use ipnetwork::IpNetwork;
use tokio::sync::oneshot;

use super::{Instances, Running};
use crate::config::{self, Config, RouteTargets, VniConfig};
use crate::control::words::counted;
use crate::control::{
    Answer, ErrorKind, ErrorReply, Gateways, NetworkCreate, NetworkDelete, Reply, Request, reply,
};
use crate::core::{self, NetworkFacts};
use crate::plain_file::{self, Beside};

/// The configuration file, which says what runs.
struct Source {
    path: PathBuf,
    text: String,
    config: Config,
}

impl Instances {
    /// Carries out an order for the overlay networks of one instance.
    pub(super) async fn network(&mut self, instance: Option<String>, order: Request) -> Answer {
        let instance = instance.as_deref();
        let done = if let Request::NetworkCreate(order) = order {
            self.create(instance, &order).await
        } else if let Request::NetworkDelete(order) = order {
            self.delete(instance, &order).await
        } else {
            Err(ErrorReply::failed("this is no order for a network"))
        };
        done.map(Reply::NetworkChange)
    }

    async fn create(
        &mut self,
        instance: Option<&str>,
        order: &NetworkCreate,
    ) -> Result<reply::NetworkChange, ErrorReply> {
        let source = self.source().await?;
        let instance = instance.filter(|name| *name != "default");
        let config = self.config_of(&source.config, instance)?;
        let wanted = wanted(order, config)?;
        if let Some((owner, there)) = find(&source.config, order.vni) {
            if owner == instance && same(there, &wanted) {
                return Ok(change(&source, instance, there, order.dry_run));
            }
            return Err(in_use(owner, there));
        }
        apart(&source.config, &wanted)?;
        if config.evpn.is_none() {
            let error = "this router has no tunnel endpoint";
            let hint =
                "add [evpn] with vtep = \"OUR ADDRESS ON THE UNDERLAY\" to the file and reload";
            return Err(ErrorReply::new(ErrorKind::BadConfig, error).hint(hint));
        }
        let facts = self.facts(instance, &wanted).await?;
        let risks = risks(config, &wanted, &facts);
        if !risks.is_empty() && !order.force {
            let error = format!("VNI {} is not safe to create", order.vni);
            return Err(ErrorReply::new(ErrorKind::NotSafe, error)
                .details(risks)
                .hint("another number or network, or --force to create it all the same"));
        }
        let text = config::edit::with_network(&source.text, &source.config, instance, &wanted);
        let mut expected = source.config.clone();
        if let Some(config) = of_mut(&mut expected, instance) {
            config.vnis.push(wanted.clone());
        }
        let reload = self.put(&source, text, &expected, order.dry_run).await?;
        Ok(reply::NetworkChange {
            changed: true,
            changes: reload.changes,
            warnings: risks.into_iter().chain(news(&wanted, &facts)).collect(),
            ..change(&source, instance, &wanted, order.dry_run)
        })
    }

    async fn delete(
        &mut self,
        instance: Option<&str>,
        order: &NetworkDelete,
    ) -> Result<reply::NetworkChange, ErrorReply> {
        let source = self.source().await?;
        if let Some(name) = instance {
            self.config_of(&source.config, Some(name).filter(|name| *name != "default"))?;
        }
        let missing = || {
            ErrorReply::not_found(format!("there is no network with VNI {}", order.vni))
                .hint("`rbgpctl network list` shows those there are")
        };
        let (owner, there) = find(&source.config, order.vni).ok_or_else(missing)?;
        if instance.is_some_and(|name| name != owner.unwrap_or("default")) {
            let owner = owner.unwrap_or("default");
            return Err(missing().hint(format!("instance {owner} has it: --instance {owner}")));
        }
        let facts = self.facts(owner, there).await?;
        let port = |port: &String| format!("{port} is a port of {}", there.bridge);
        let attached: Vec<String> = facts.ports.iter().map(port).collect();
        if !attached.is_empty() && !order.force {
            let ports = counted(attached.len(), "port", "ports");
            let error = format!(
                "{ports} of bridge {} would be cut off from \"{}\"",
                there.bridge, there.name
            );
            return Err(ErrorReply::new(ErrorKind::NotSafe, error)
                .details(attached)
                .hint("move the machines away, or --force to cut them off"));
        }
        let text = config::edit::without_network(&source.text, &source.config, owner, order.vni);
        let mut expected = source.config.clone();
        if let Some(config) = of_mut(&mut expected, owner) {
            config.vnis.retain(|it| it.id != order.vni);
        }
        let reload = self.put(&source, text, &expected, order.dry_run).await?;
        Ok(reply::NetworkChange {
            changed: true,
            changes: reload.changes,
            warnings: attached,
            ..change(&source, owner, there, order.dry_run)
        })
    }

    /// The file, if it can be edited and says what runs.
    async fn source(&mut self) -> Result<Source, ErrorReply> {
        let (path, text) = self.text()?;
        let name = path.display().to_string();
        if path.extension().is_none_or(|extension| extension != "toml") {
            let error = format!("`{name}` is not in TOML, and only such a file is edited");
            return Err(ErrorReply::new(ErrorKind::BadConfig, error)
                .hint("add the VNI to it by hand in its own syntax, and `rbgpctl reload`"));
        }
        let (config, _) = self.understand(&text, &name)?;
        let would = self.take(config.clone(), true).await?;
        if would.changed {
            let error = format!("`{name}` has changes that are not applied");
            return Err(ErrorReply::new(ErrorKind::BadConfig, error)
                .details(would.changes)
                .hint("`rbgpctl reload` applies them; then order this again"));
        }
        Ok(Source { path, text, config })
    }

    fn config_of<'c>(
        &self,
        config: &'c Config,
        instance: Option<&str>,
    ) -> Result<&'c Config, ErrorReply> {
        let found = match instance {
            None => Some(config),
            Some(name) => {
                let mut instances = config.instances.iter();
                instances.find(|it| it.name.as_deref() == Some(name))
            }
        };
        found.ok_or_else(|| self.no_instance(instance.unwrap_or("default")))
    }

    async fn facts(
        &self,
        instance: Option<&str>,
        network: &VniConfig,
    ) -> Result<NetworkFacts, ErrorReply> {
        let stopping = || ErrorReply::failed("the daemon is stopping");
        let mut running = self.all();
        let running: Option<&Running> = running.find(|it| it.config.name.as_deref() == instance);
        let running = running.ok_or_else(stopping)?;
        let (answer, facts) = oneshot::channel();
        let order = core::Order::LookAt(Box::new(network.clone()), answer);
        running.orders.send(order).await.map_err(|_| stopping())?;
        facts.await.map_err(|_| stopping())
    }

    /// Puts an edited text in the place of the file, and applies it.
    async fn put(
        &mut self,
        source: &Source,
        text: Option<String>,
        expected: &Config,
        dry_run: bool,
    ) -> Result<reply::Reload, ErrorReply> {
        let name = source.path.display().to_string();
        let by_hand = || {
            let error = format!("`{name}` is written in a way that cannot be edited here");
            ErrorReply::new(ErrorKind::BadConfig, error)
                .hint("edit [[vni]] by hand, and `rbgpctl reload`")
        };
        let text = text.ok_or_else(by_hand)?;
        let config = config::parse(&text, &name).map_err(|errors| {
            let line = |error: &config::ConfigError| match &error.hint {
                Some(hint) => format!("{}; {hint}", error.problem),
                None => error.problem.to_string(),
            };
            let error = format!("`{name}` cannot be changed so; it stays as it is");
            ErrorReply::new(ErrorKind::BadConfig, error).details(errors.iter().map(line))
        })?;
        if config != *expected {
            return Err(by_hand());
        }
        let would = self.take(config.clone(), true).await?;
        if !would.restart_required.is_empty() {
            let error = "this needs a new start of the service; nothing was changed";
            return Err(ErrorReply::new(ErrorKind::BadConfig, error)
                .details(would.restart_required)
                .hint("edit the file, then: rbgpctl drain --wait && systemctl restart rbgpd"));
        }
        if dry_run {
            return Ok(would);
        }
        let write = |error: io::Error| {
            let error = format!("cannot write `{name}`: {error}");
            ErrorReply::failed(error).hint(
                "nothing was changed; the daemon needs to write to the file and its folder \
                 (systemd: ReadWritePaths=)",
            )
        };
        replace(source.path.clone(), Some(source.text.clone()), text)
            .await
            .map_err(write)?;
        let applied = self.take(config, false).await;
        let Err(error) = applied else { return applied };
        match replace(source.path.clone(), None, source.text.clone()).await {
            Ok(()) => Err(error),
            Err(why) => Err(error.details([format!(
                "`{name}` keeps the change, since the old file could not be written: {why}"
            )])),
        }
    }
}

/// Replaces a file, beside the tasks of the runtime since disks may be slow; if `expected` is given
/// only while that is in it.
async fn replace(path: PathBuf, expected: Option<String>, text: String) -> io::Result<()> {
    let write = move || {
        let beside = Beside::write(&path, &text)?;
        if let Some(expected) = expected
            && plain_file::read(&path)? != expected.as_bytes()
        {
            let error = "somebody else has just changed it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        beside.replace()
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or_else(|_| Err(io::Error::other("the writer was cut short")))
}

fn of_mut<'c>(config: &'c mut Config, instance: Option<&str>) -> Option<&'c mut Config> {
    if instance.is_none() {
        return Some(config);
    }
    let mut instances = config.instances.iter_mut();
    instances.find(|it| it.name.as_deref() == instance)
}

/// All overlay networks with the instances they are of.
fn all(config: &Config) -> impl Iterator<Item = (Option<&str>, &VniConfig)> {
    let configs = std::iter::once(config).chain(&config.instances);
    configs.flat_map(|config| {
        let vnis = config.vnis.iter();
        vnis.map(|vni| (config.name.as_deref(), vni))
    })
}

fn find(config: &Config, id: Vni) -> Option<(Option<&str>, &VniConfig)> {
    all(config).find(|(_, network)| network.id == id)
}

/// The network as it stands in a configuration.
fn wanted(order: &NetworkCreate, config: &Config) -> Result<VniConfig, ErrorReply> {
    for network in &order.networks {
        if let Some(what) = no_network_of_hosts(*network) {
            let error = format!("{network} is no network of machines: it has {what} addresses");
            return Err(ErrorReply::bad_request(error));
        }
    }
    let gateway = gateways(order)?;
    let has_gateway = |network: &Prefix| gateway.iter().any(|it| Prefix::from(*it) == *network);
    let networks = order.networks.iter().copied();
    let id = order.vni;
    // On shared devices it gets a VLAN that no other one has, its own number where that is one.
    let single = config.single_device.as_ref();
    let vlan = match single {
        Some(_) => Some(free_vlan(id, config).ok_or_else(|| {
            let error = "all 4094 VLANs of single_device have a VNI";
            ErrorReply::bad_request(error.to_owned())
        })?),
        None => None,
    };
    let shared = single.zip(vlan);
    Ok(VniConfig {
        id,
        name: order.name.clone(),
        rd: distinguisher(id, config),
        import_targets: RouteTargets::Auto,
        export_targets: RouteTargets::Auto,
        networks: networks.filter(|it| !has_gateway(it)).collect(),
        gateway,
        vrf: order.vrf.clone(),
        gateway_mac: None,
        advertise_gateway: false,
        advertise_svi: false,
        bridge: shared.map_or_else(|| format!("br{id}"), |(it, vlan)| it.vlan_device(vlan)),
        vxlan: shared.map_or_else(|| format!("vxlan{id}"), |(it, _)| it.vxlan.clone()),
        vlan,
        mtu: None,
        suppress: true,
        flooding: true,
        create: true,
    })
}

fn free_vlan(id: Vni, config: &Config) -> Option<u16> {
    let is_free = |vlan: &u16| !config.vnis.iter().any(|vni| vni.vlan == Some(*vlan));
    let own = u16::try_from(id.get()).ok().filter(|vlan| *vlan < 4095);
    // Ports have the first one without being asked.
    let others = (2..4095).chain([1]);
    own.into_iter().chain(others).find(is_free)
}

fn gateways(order: &NetworkCreate) -> Result<Vec<IpNetwork>, ErrorReply> {
    let with_length = |address: IpAddr, network: Prefix| {
        let of_network = IpNetwork::new(address, network.len());
        of_network.map_err(|error| ErrorReply::bad_request(error.to_string()))
    };
    let addresses = match &order.gateway {
        Gateways::None => return Ok(Vec::new()),
        Gateways::First => {
            let networks = order.networks.iter();
            return networks
                .map(|it| with_length(first_usable(*it), *it))
                .collect();
        }
        Gateways::These(addresses) => addresses,
    };
    let gateway = |address: &IpAddr| {
        let mut networks = order.networks.iter();
        let network = networks.find(|network| network.contains_addr(*address));
        let network = network.ok_or_else(|| {
            let networks: Vec<String> = order.networks.iter().map(ToString::to_string).collect();
            let error = format!("gateway {address} is not in {}", networks.join(" or "));
            ErrorReply::bad_request(error)
        })?;
        with_length(*address, *network)
    };
    addresses.iter().map(gateway).collect()
}

/// The first address that a host can have. Networks of one or two addresses have no others (RFC
/// 3021, RFC 6164); elsewhere the first one is the network's, in IPv6 that of all its routers.
fn first_usable(network: Prefix) -> IpAddr {
    let first = network.addr();
    match (first, network) {
        (IpAddr::V4(first), _) if network.len() < 31 => {
            IpAddr::from((u32::from(first) + 1).to_be_bytes())
        }
        (IpAddr::V6(first), _) if network.len() < 127 => {
            IpAddr::from((u128::from(first) + 1).to_be_bytes())
        }
        (first, _) => first,
    }
}

fn no_network_of_hosts(network: Prefix) -> Option<&'static str> {
    let of_link = match network.addr() {
        IpAddr::V4(first) => first.is_link_local(),
        IpAddr::V6(first) => first.is_unicast_link_local(),
    };
    config::not_of_hosts(network).or(of_link.then_some("link-local"))
}

/// The usual one (RFC 7432 §7.9). A VNI beyond two octets, or whose number another one took, has the
/// next number that is free.
fn distinguisher(id: Vni, config: &Config) -> RouteDistinguisher {
    let [_, _, high, low] = id.get().to_be_bytes();
    let first = u16::from_be_bytes([high, low]);
    let usual = RouteDistinguisher::of_address(config.router_id, first);
    let numbers = (0..=u16::MAX).map(|step| first.wrapping_add(step));
    let mut rds = numbers.map(|number| RouteDistinguisher::of_address(config.router_id, number));
    let free = rds.find(|rd| config.vnis.iter().all(|other| other.rd != *rd));
    free.unwrap_or(usual)
}

/// What is there is what was asked for; what the order does not say may be anything.
fn same(there: &VniConfig, wanted: &VniConfig) -> bool {
    let sorted = |network: &VniConfig| {
        let mut gateway = network.gateway.clone();
        gateway.sort_unstable();
        (gateway, network.all_networks())
    };
    let named = |network: &VniConfig| (network.name.clone(), network.vrf.clone());
    named(there) == named(wanted) && sorted(there) == sorted(wanted)
}

fn in_use(owner: Option<&str>, there: &VniConfig) -> ErrorReply {
    let instance = owner.map_or_else(String::new, |name| format!(" in instance {name}"));
    let error = format!("VNI {} is in use{instance}: {}", there.id, described(there));
    ErrorReply::new(ErrorKind::BadConfig, error).hint(format!(
        "take another number, or `rbgpctl network delete {}` first",
        there.id
    ))
}

/// `"production", 10.100.0.0/24, gateway 10.100.0.1`.
fn described(network: &VniConfig) -> String {
    let networks = network.all_networks().into_iter();
    let networks = networks.map(|network| network.to_string());
    let gateways = network.gateway.iter();
    let gateways = gateways.map(|gateway| format!("gateway {}", gateway.ip()));
    let name = std::iter::once(format!("\"{}\"", network.name));
    let vrf = network.vrf.iter().map(|vrf| format!("VRF {vrf}"));
    let words: Vec<String> = name.chain(networks).chain(gateways).chain(vrf).collect();
    words.join(", ")
}

/// Names and networks are those of one VNI.
fn apart(config: &Config, wanted: &VniConfig) -> Result<(), ErrorReply> {
    for (_, other) in all(config) {
        let refuse = |what: String| {
            let error = format!("{what} VNI {}: {}", other.id, described(other));
            ErrorReply::new(ErrorKind::BadConfig, error)
        };
        if other.name == wanted.name {
            let what = format!("the name \"{}\" is that of", wanted.name);
            return Err(refuse(what).hint("take another name"));
        }
        // Tenants may have the same addresses.
        let theirs = match other.vrf == wanted.vrf {
            true => other.all_networks(),
            false => Vec::new(),
        };
        let overlaps = |ours: &Prefix| {
            let meets = |it: &&Prefix| it.contains(*ours) || ours.contains(**it);
            theirs.iter().find(meets).map(|theirs| (*ours, *theirs))
        };
        if let Some((ours, theirs)) = wanted.all_networks().iter().find_map(overlaps) {
            let what = match ours == theirs {
                true => format!("{ours} is a network of"),
                false => format!("{ours} overlaps with {theirs} of"),
            };
            return Err(refuse(what).hint("take another network"));
        }
    }
    Ok(())
}

/// What would break, or be another network than at other sites, a line each.
fn risks(config: &Config, wanted: &VniConfig, facts: &NetworkFacts) -> Vec<String> {
    let mut risks = Vec::new();
    let on_bridge = |address: IpAddr| {
        let mut gateways = wanted.gateway.iter().map(|it| Prefix::from(*it));
        gateways.find(|network| network.contains_addr(address))
    };
    let outside = wanted.vrf.is_none();
    let vtep = config.evpn.map(|evpn| (evpn.vtep, "our tunnel endpoint"));
    let neighbors = config
        .neighbors
        .iter()
        .map(|it| (it.address.ip(), "neighbor"));
    // The underlay is outside of VRFs.
    let underlay = vtep.into_iter().chain(neighbors);
    for (address, what) in underlay.filter(|_| outside) {
        if let Some(network) = on_bridge(address) {
            risks.push(format!(
                "{what} {address} is in {network}: packets to the underlay would go to {}",
                wanted.bridge
            ));
        }
    }
    for (device, address) in &facts.addresses {
        let theirs = Prefix::from(*address);
        let mut ours = wanted.gateway.iter().map(|it| Prefix::from(*it));
        let meets = |ours: &Prefix| ours.contains(theirs) || theirs.contains(*ours);
        if let Some(network) = ours.find(meets) {
            risks.push(format!(
                "{device} of this host has {address}, which meets {network}"
            ));
        }
    }
    let networks = wanted.all_networks();
    for site in &facts.announcers {
        // Of an IP version that is not wanted here, others may have what they like.
        let foreign = |address: &&IpAddr| {
            let mut same_version = networks
                .iter()
                .filter(|it| it.addr().is_ipv4() == address.is_ipv4());
            let link_local = match address {
                IpAddr::V4(address) => address.is_link_local(),
                IpAddr::V6(address) => address.is_unicast_link_local(),
            };
            let known = same_version.clone().next().is_some() && !link_local;
            known && !same_version.any(|network| network.contains_addr(**address))
        };
        for gateway in site.gateways.iter().filter(foreign) {
            risks.push(format!(
                "{} announces gateway {gateway} in VNI {}, which is in none of the networks",
                site.vtep, wanted.id
            ));
        }
        let mut ips = site.ips.iter().filter(foreign);
        if let Some(first) = ips.next() {
            let more = match ips.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            risks.push(format!(
                "{} announces {first}{more} in VNI {}, which is in none of the networks",
                site.vtep, wanted.id
            ));
        }
    }
    risks
}

/// What other sites have under this number, a line each.
fn news(wanted: &VniConfig, facts: &NetworkFacts) -> Vec<String> {
    let mut news = Vec::new();
    for site in &facts.announcers {
        let macs = counted(site.macs, "MAC address", "MAC addresses");
        let gateways: Vec<String> = site.gateways.iter().map(ToString::to_string).collect();
        let gateways = match gateways.is_empty() {
            true => String::new(),
            false => format!(", gateway {}", gateways.join(" and ")),
        };
        news.push(format!(
            "{} announces VNI {} already: {macs}{gateways}; its machines are in this network now",
            site.vtep, wanted.id
        ));
        for theirs in &site.gateways {
            let ours = |it: &&IpNetwork| Prefix::from(**it).contains_addr(*theirs);
            if let Some(ours) = wanted.gateway.iter().find(ours)
                && ours.ip() != *theirs
            {
                news.push(format!(
                    "{} has gateway {theirs}, ours is {}: a machine that moves loses its gateway",
                    site.vtep,
                    ours.ip()
                ));
            }
        }
    }
    news
}

/// The answer where nothing changes.
fn change(
    source: &Source,
    instance: Option<&str>,
    network: &VniConfig,
    dry_run: bool,
) -> reply::NetworkChange {
    let networks = network.all_networks();
    reply::NetworkChange {
        instance: instance.map(str::to_owned),
        vni: network.id.get(),
        name: network.name.clone(),
        vrf: network.vrf.clone(),
        networks: networks.iter().map(ToString::to_string).collect(),
        gateway: network.gateway.iter().map(ToString::to_string).collect(),
        bridge: network.bridge.clone(),
        vxlan: network.vxlan.clone(),
        changed: false,
        dry_run,
        file: source.path.display().to_string(),
        changes: Vec::new(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
