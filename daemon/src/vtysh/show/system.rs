//! What FRR tells of itself and of the host as a whole: its daemons, their memory, the file they began with,
//! and whether packets are passed on.

use std::fs;

use bgp::Family;

use super::{Answer, Answered, words};
use crate::config::LogLevel;
use crate::control::{Language, Request, reply};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;

/// `show daemons`: those that rbgpd answers for.
pub(super) fn daemons() -> Answer {
    Answer::Text(" mgmtd zebra bgpd staticd bfdd\n".to_owned())
}

/// `show bgp memory`: of FRR's kinds of memory those that are counted.
pub(super) async fn memory(asking: &Asking) -> Answered {
    let memory: reply::Memory = asking.ask(&Request::Memory).await?;
    let sum = |of: &dyn Fn(Family) -> Option<u64>| -> u64 {
        Family::ALL.into_iter().filter_map(of).sum()
    };
    let prefixes = sum(&|family| memory.prefixes.get(family).copied());
    let paths = sum(&|family| memory.paths.get(family).copied());
    let peers = asking.routers().await?;
    let peers: u64 = peers.iter().map(|it| it.instance.neighbors).sum();
    Ok(Answer::Text(format!(
        "{prefixes} RIB nodes, using {} of memory\n{paths} BGP routes, in the memory of the nodes\n\
         {} BGP attributes, using {} of memory\n{peers} peers\n",
        words::memory(memory.table_bytes),
        memory.attribute_sets,
        words::memory(memory.attribute_bytes)
    )))
}

/// `show ip forwarding`, `show ipv6 forwarding`.
pub(super) fn forwarding(said: &Said) -> Answered {
    let (file, words) = match said.has("ipv6") {
        true => (
            "/proc/sys/net/ipv6/conf/all/forwarding",
            "ipv6 forwarding is",
        ),
        false => ("/proc/sys/net/ipv4/ip_forward", "IP forwarding is"),
    };
    match fs::read_to_string(file) {
        Ok(text) => {
            let state = if text.trim() == "0" { "off" } else { "on" };
            Ok(Answer::Text(format!("{words} {state}\n")))
        }
        Err(error) => Err(Trouble::Failure(format!("% {file}: {error}\n"))),
    }
}

/// `show logging`.
pub(super) async fn logging(asking: &Asking) -> Answered {
    let log = asking.running().await?.log;
    let level = |level: LogLevel| match level {
        LogLevel::Error => "errors",
        LogLevel::Warn => "warnings",
        LogLevel::Info => "informational",
        LogLevel::Selected | LogLevel::Debug | LogLevel::Trace => "debugging",
    };
    let syslog = log.syslog.map_or("disabled".to_owned(), |it| {
        let facility = log.facility;
        format!("level {}, facility {facility}, ident rbgpd", level(it))
    });
    let file = log.file.as_ref().map_or("disabled".to_owned(), |it| {
        format!("level {}, filename {}", level(it.level), it.path.display())
    });
    Ok(Answer::Text(format!(
        "Logging configuration for rbgpd:\nSyslog logging: {syslog}\nStdout logging: level {}\n\
         File logging: {file}\nProtocol name: BGP\nRecord priority: disabled\n\
         Timestamp precision: {}\n",
        level(log.level),
        log.time_digits
    )))
}

/// `show startup-config`: the file that the daemon was started with, as it stands.
pub(super) async fn startup_config(asking: &Asking) -> Answered {
    let running: reply::Running = asking.ask(&Request::Running(Language::Frr)).await?;
    let Some(file) = running.file else {
        let why = "% rbgpd was started without a configuration file\n";
        return Err(Trouble::Warning(why.to_owned()));
    };
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Answer::Text(text)),
        Err(error) => Err(Trouble::Failure(format!(
            "% {file}: {error}\nhint: `show running-config` tells what is in force, to whom may not read the file\n"
        ))),
    }
}
