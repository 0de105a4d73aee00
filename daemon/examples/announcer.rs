//! Announces a service's address while the service answers, and withdraws it while it does not.
//!
//! ```text
//! announcer --asn 65001 --router-id 10.0.0.1 --neighbor 10.0.0.2=65010 \
//!     --service 192.0.2.1/32 --check 127.0.0.1:8080
//! ```
//!
//! It shows [`rbgpd::Router`]: a configuration made in the program, sessions on tokio, and a new
//! configuration whenever the health of the service changes. The health check is a TCP connection.
//! As with anycast, several hosts may announce the same address; whoever fails drops out.
//!
//! The kernel is left alone, and nothing is learned from the neighbours. It listens only where
//! `--listen` says. SIGINT and SIGTERM end the sessions with a Cease, so that traffic moves at
//! once.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use bgp::family::PerFamily;
use bgp::{Asn, Prefix, ScopedAddr};
use clap::Parser;
use rbgpd::config::{
    BGP_PORT, Config, EbgpRequiresPolicy, Neighbor, NeighborFamily, Network, RequireRoute,
};
use rbgpd::control::{Reply, Request};
use rbgpd::{Options, Router};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Announces a service's address while the service answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Own AS number.
    #[arg(long)]
    asn: Asn,
    /// Own BGP identifier.
    #[arg(long)]
    router_id: Ipv4Addr,
    /// Whom to tell: `ADDRESS=ASN` or `ADDRESS:PORT=ASN`. May be repeated.
    #[arg(long = "neighbor", required = true)]
    neighbors: Vec<Remote>,
    /// Address to connect from; the next hop that neighbours see.
    #[arg(long)]
    local: Option<IpAddr>,
    /// Where to accept connections of neighbours; nowhere by default.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// What to announce, as a /32 or /128.
    #[arg(long)]
    service: Prefix,
    /// Where the service listens.
    #[arg(long)]
    check: SocketAddr,
    /// Pause between checks, in milliseconds. A check that takes longer has failed.
    #[arg(long, default_value_t = 1000)]
    interval_ms: u64,
}

/// A neighbour on the command line.
#[derive(Debug, Clone, Copy)]
struct Remote {
    address: SocketAddr,
    asn: Asn,
}

impl FromStr for Remote {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, asn) = text.split_once('=').ok_or("expected ADDRESS[:PORT]=ASN")?;
        let address = match address.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, BGP_PORT),
            Err(_) => address.parse()?,
        };
        Ok(Self {
            address,
            asn: asn.parse()?,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let pause = Duration::from_millis(arguments.interval_ms.max(1));
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);

    let router = Router::start(config(arguments, false), Options::default())?;
    for address in router.listening() {
        println!("listening on {address}");
    }
    let mut healthy = None;
    let mut sessions = Vec::new();
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = ticks.tick() => {}
        }
        let answers = answers(arguments.check, pause).await;
        if healthy.replace(answers) != Some(answers) {
            println!("{}", describe(arguments, answers));
            router.apply(config(arguments, answers)).await;
        }
        report(&router, &mut sessions).await?;
    }
    println!("stopping");
    router.stop().await;
    Ok(())
}

fn describe(arguments: &Arguments, answers: bool) -> String {
    let Arguments { check, service, .. } = arguments;
    match answers {
        true => format!("{check} answers: announcing {service}"),
        false => format!("{check} does not answer: {service} is not announced"),
    }
}

/// Everything the router is to be, with or without the service.
fn config(arguments: &Arguments, announced: bool) -> Config {
    let mut config = Config::new(arguments.asn, arguments.router_id);
    config.listen = arguments.listen.into_iter().collect();
    config.kernel.enabled = false;
    // Only the one prefix can go out, and with the kernel untouched nothing can come in.
    config.ebgp_requires_policy = EbgpRequiresPolicy::No;
    let networks = match arguments.service {
        Prefix::V4(_) => &mut config.ipv4_unicast.networks,
        Prefix::V6(_) => &mut config.ipv6_unicast.networks,
    };
    if announced {
        networks.push(Network {
            prefix: arguments.service,
            require_route: RequireRoute::No,
            route_map: None,
        });
    }
    config.neighbors = arguments
        .neighbors
        .iter()
        .map(|it| neighbor(it, arguments))
        .collect();
    config
}

fn neighbor(remote: &Remote, arguments: &Arguments) -> Neighbor {
    let family = Some(NeighborFamily::default());
    let families = match arguments.service {
        Prefix::V4(_) => PerFamily {
            ipv4_unicast: family,
            ..PerFamily::default()
        },
        Prefix::V6(_) => PerFamily {
            ipv6_unicast: family,
            ..PerFamily::default()
        },
    };
    Neighbor {
        port: remote.address.port(),
        local_address: arguments.local,
        // A service that is gone must not be kept.
        graceful_restart: None,
        families,
        ..Neighbor::new(remote.address.ip(), remote.asn)
    }
}

/// Whether the service accepts a connection in time.
async fn answers(address: SocketAddr, time: Duration) -> bool {
    matches!(timeout(time, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// Prints the sessions whose state changed since the last look.
async fn report(
    router: &Router,
    seen: &mut Vec<(ScopedAddr, String)>,
) -> Result<(), Box<dyn Error>> {
    let reply = router
        .ask(Request::Summary)
        .await
        .map_err(|error| error.to_string())?;
    let Reply::Summary(summary) = reply else {
        return Ok(());
    };
    let sessions: Vec<_> = summary
        .neighbors
        .iter()
        .map(|it| (it.address, it.state.clone()))
        .collect();
    for (address, state) in sessions.iter().filter(|session| !seen.contains(session)) {
        println!("neighbor {address} is {state}");
    }
    *seen = sessions;
    Ok(())
}
