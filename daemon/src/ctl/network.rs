//! `network ..`: overlay networks that come, go and are listed.
//!
//! The daemon edits its file and applies it. What is left for here is to wait until the kernel has
//! the devices, since whoever makes a network attaches machines to its bridge next.

use std::io::{self, Write};

use tokio::time::{Instant, sleep};

use super::Exit;
use super::args::{self, Create, Json};
use super::run::{Console, Stop};
use super::table::{Table, printable};
use crate::control::reply::{Network, NetworkChange, Networks};
use crate::control::words::counted;
use crate::control::{Gateways, NetworkCreate, NetworkDelete, Request};

/// Pause between two looks at the devices, which are there within milliseconds.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Carries out a command.
pub(super) async fn run(console: &mut Console<'_>, order: args::Network) -> Result<Exit, Stop> {
    match order {
        args::Network::Create(options) => create(console, options).await,
        args::Network::Delete {
            vni,
            force,
            dry_run,
            json,
        } => {
            let order = NetworkDelete {
                vni,
                force,
                dry_run,
            };
            let request = Request::NetworkDelete(order);
            let change = console.print_answer(&request, json, deleted).await?;
            warn(console, &change)?;
            Ok(Exit::DONE)
        }
        args::Network::List { json } => {
            console.print(&Request::Networks, json, list).await?;
            Ok(Exit::DONE)
        }
    }
}

async fn create(console: &mut Console<'_>, options: Create) -> Result<Exit, Stop> {
    let until = Instant::now() + options.timeout;
    let order = NetworkCreate {
        vni: options.vni,
        name: options.name,
        networks: options.networks,
        gateway: match (options.no_gateway, options.gateway.is_empty()) {
            (true, _) => Gateways::None,
            (false, true) => Gateways::First,
            (false, false) => Gateways::These(options.gateway),
        },
        vrf: options.vrf,
        force: options.force,
        dry_run: options.dry_run,
    };
    let request = Request::NetworkCreate(order);
    let change: NetworkChange = console
        .print_answer(&request, options.json, created)
        .await?;
    warn(console, &change)?;
    if change.dry_run {
        return Ok(Exit::DONE);
    }
    console.out.flush()?;
    wait(console, &change, until, options.json).await
}

/// Until the network is ready, or will not be.
async fn wait(
    console: &mut Console<'_>,
    change: &NetworkChange,
    until: Instant,
    json: Json,
) -> Result<Exit, Stop> {
    loop {
        // Of all instances, or the one that the client asks: no two have a number.
        let networks: Networks = console.client.ask(&Request::Networks).await?;
        let network = networks.networks.iter().find(|it| it.vni == change.vni);
        let Some(network) = network else {
            console.say(format!("error: VNI {} was taken away again", change.vni))?;
            return Ok(Exit::FAILED);
        };
        let kernel = network.ready;
        if kernel != Some(false) {
            // Of what stands on it: a machine with too large an MTU, an address that two have.
            for problem in &network.problems {
                console.say(format!("warning: {problem}"))?;
            }
            if !json.enabled && kernel == Some(true) {
                writeln!(
                    console.out,
                    "ready: {} and {} are up",
                    change.bridge, change.vxlan
                )?;
            }
            return Ok(Exit::DONE);
        }
        if !network.problems.is_empty() || Instant::now() >= until {
            console.say(format!("error: VNI {} is not ready", change.vni))?;
            for problem in &network.problems {
                console.say(format!("  {problem}"))?;
            }
            console.say("")?;
            let undo = match change.changed {
                true => format!("; `rbgpctl network delete {}` undoes it", change.vni),
                false => String::new(),
            };
            console.say(format!(
                "hint: it stays in {} and is tried again{undo}",
                change.file
            ))?;
            return Ok(Exit::UNCONFIRMED);
        }
        sleep(PAUSE).await;
    }
}

fn warn(console: &mut Console<'_>, change: &NetworkChange) -> Result<(), Stop> {
    for warning in &change.warnings {
        console.say(format!("warning: {warning}"))?;
    }
    Ok(())
}

fn created(change: &NetworkChange, out: &mut dyn Write) -> io::Result<()> {
    let what = match (change.changed, change.dry_run) {
        (false, _) => "is already there",
        (true, false) => "is created",
        (true, true) => "would be created",
    };
    writeln!(out, "{} {what}: {}", titled(change), described(change))?;
    finish(change, out)
}

fn deleted(change: &NetworkChange, out: &mut dyn Write) -> io::Result<()> {
    let what = match change.dry_run {
        false => "is deleted",
        true => "would be deleted",
    };
    writeln!(out, "{} {what}: {}", titled(change), described(change))?;
    finish(change, out)
}

fn titled(change: &NetworkChange) -> String {
    let name = printable(change.name.clone());
    let instance = change.instance.as_ref();
    let instance = instance.map_or_else(String::new, |name| format!(" in instance {name}"));
    format!("Network \"{name}\" (VNI {}){instance}", change.vni)
}

fn described(change: &NetworkChange) -> String {
    let networks = match change.networks.is_empty() {
        true => "no network of its own".to_owned(),
        false => change.networks.join(" and "),
    };
    let gateway = match change.gateway.is_empty() {
        true => "no gateway".to_owned(),
        false => format!("gateway {}", without_length(&change.gateway)),
    };
    let vrf = change.vrf.as_ref();
    let vrf = vrf.map_or_else(String::new, |vrf| format!(", VRF {vrf}"));
    format!("{networks}, {gateway}{vrf}")
}

fn without_length(gateways: &[String]) -> String {
    let address = |gateway: &String| gateway.split('/').next().unwrap_or_default().to_owned();
    let addresses: Vec<String> = gateways.iter().map(address).collect();
    addresses.join(" and ")
}

fn finish(change: &NetworkChange, out: &mut dyn Write) -> io::Result<()> {
    for line in &change.changes {
        writeln!(out, "  {}", printable(line.clone()))?;
    }
    match (change.dry_run, change.changed) {
        (true, _) => writeln!(out, "Dry run: nothing was changed"),
        (false, true) => writeln!(out, "  written to {}", printable(change.file.clone())),
        (false, false) => Ok(()),
    }
}

/// `network list`.
fn list(networks: &Networks, out: &mut dyn Write) -> io::Result<()> {
    let several = networks.networks.iter().any(|it| it.instance.is_some());
    let instance = several.then_some("Instance");
    let names = [">VNI", "Name", "Networks", "Gateway", "Bridge", "VxLAN IF"];
    let counts = [">Ports", ">Local", ">Remote", "Ready", "Sites"];
    let columns: Vec<&str> = instance.into_iter().chain(names).chain(counts).collect();
    let mut table = Table::new(&columns).fit(&["VxLAN IF", "Bridge", "Ports"]);
    for network in &networks.networks {
        let instance = network.instance.as_deref().unwrap_or("default");
        let ready = match network.ready {
            None => "-",
            Some(true) => "yes",
            Some(false) => "no",
        };
        let sites: Vec<String> = network.sites.iter().map(ToString::to_string).collect();
        let cells = [
            network.vni.to_string(),
            network.name.clone(),
            or_none(network.networks.join(",")),
            or_none(without_length(&network.gateway).replace(" and ", ",")),
            network.bridge.clone(),
            network.vxlan.clone(),
            network.ports.len().to_string(),
            network.local_macs.to_string(),
            network.remote_macs.to_string(),
            ready.to_owned(),
            or_none(sites.join(",")),
        ];
        let instance = several.then(|| instance.to_owned());
        table.row(instance.into_iter().chain(cells));
    }
    table.finish(out)?;
    let unready = networks.networks.iter();
    let unready = unready.filter(|it| it.ready == Some(false)).count();
    let sum = |of: fn(&Network) -> u64| networks.networks.iter().map(of).sum::<u64>();
    let total = counted(networks.networks.len(), "network", "networks");
    let macs = counted(sum(|it| it.local_macs), "MAC address", "MAC addresses");
    let elsewhere = sum(|it| it.remote_macs);
    writeln!(
        out,
        "Total: {total}, {unready} not ready, {macs} here, {elsewhere} at other sites"
    )?;
    for network in &networks.networks {
        for problem in &network.problems {
            let problem = printable(problem.clone());
            writeln!(
                out,
                "VNI {}{}: {problem}",
                network.vni,
                of_instance(network)
            )?;
        }
    }
    Ok(())
}

fn of_instance(network: &Network) -> String {
    let instance = network.instance.as_ref();
    instance.map_or_else(String::new, |name| format!(" of instance {name}"))
}

fn or_none(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
