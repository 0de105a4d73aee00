//! `show bfd`: sessions, a line for each of them, and their packets.

use serde_json::{Map, Value, json};

use super::{Answer, Answered};
use crate::control::Request;
use crate::control::reply::{self, BfdSession, BfdState};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host};

/// What FRR prints of the other side's timers as long as it was not heard: a packet a second.
const UNHEARD_MS: f64 = 1000.0;
const UNHEARD_MULTIPLIER: u8 = 3;

/// The sessions that a line is about. Those of all instances are told by the default one.
async fn sessions(said: &Said, asking: &Asking) -> Result<Vec<BfdSession>, Trouble> {
    let mut all: Vec<BfdSession> = Vec::new();
    for router in asking.routers().await? {
        let bfd: reply::Bfd = router.ask(&Request::Bfd).await?;
        for session in bfd.sessions {
            let same = |it: &BfdSession| {
                (it.peer, &it.local, &it.interface, &it.vrf, it.multihop)
                    == (
                        session.peer,
                        &session.local,
                        &session.interface,
                        &session.vrf,
                        session.multihop,
                    )
            };
            if !all.iter().any(same) {
                all.push(session);
            }
        }
    }
    if let Some(vrf) = said.value(&["NAME"]) {
        all.retain(|session| vrf == "all" || vrf_of(session) == vrf);
    }
    if let Some(word) = said.value(&["A.B.C.D", "X:X::X:X"]) {
        let address = word.parse::<std::net::IpAddr>().ok();
        all.retain(|session| Some(session.peer.ip()) == address);
    }
    // FRR knows the device of each session on a link; here it has the session's own address. Who is in
    // another namespace does not see it.
    if let Ok(host) = Host::now(asking.version().await?.pid) {
        for session in all.iter_mut().filter(|it| !it.multihop) {
            let own = host.addresses.iter();
            let own = own.filter(|it| Some(it.address.ip()) == session.local);
            let in_vrf = |link: &&fib::Link| {
                let vrf = host.vrf_of(link).map_or(DEFAULT, |vrf| vrf.name.as_str());
                vrf == vrf_of(session)
            };
            let device = own.filter_map(|it| host.link(it.index)).find(in_vrf);
            let name = device.map(|link| link.name.to_string());
            session.interface = session.interface.take().or(name);
        }
    }
    let (local, interface) = (said.value(&["LOCAL"]), said.value(&["IFNAME"]));
    let ours = local.and_then(|it| it.parse::<std::net::IpAddr>().ok());
    all.retain(|session| {
        local.is_none_or(|_| session.local == ours)
            && interface.is_none_or(|it| session.interface.as_deref() == Some(it))
            && (session.multihop || !said.has("multihop"))
    });
    match said.value(&["A.B.C.D", "X:X::X:X"]) {
        Some(word) if all.is_empty() => {
            let local = local.map_or(String::new(), |it| format!(" local-address {it}"));
            let interface = interface.map_or(String::new(), |it| format!(" interface {it}"));
            Err(Trouble::Failure(format!(
                "% Unable to find 'peer {word}{local}{interface}'\n"
            )))
        }
        _ => Ok(all),
    }
}

fn vrf_of(session: &BfdSession) -> &str {
    session.vrf.as_deref().unwrap_or(DEFAULT)
}

/// One session alone, where the line names one.
fn json(said: &Said, mut all: Vec<Value>) -> Answer {
    match said.has("peer") && !all.is_empty() {
        true => Answer::Json(all.swap_remove(0)),
        false => Answer::Json(Value::Array(all)),
    }
}

pub(super) async fn peers(said: &Said, asking: &Asking) -> Answered {
    let all = sessions(said, asking).await?;
    if said.has("json") {
        return Ok(json(said, all.iter().map(object).collect()));
    }
    let mut text = heading(said);
    for session in &all {
        text.push_str(&paragraph(session));
    }
    Ok(Answer::Text(text))
}

/// What tells a session from others.
fn identity(session: &BfdSession) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("multihop", json!(session.multihop));
    put("peer", json!(session.peer.ip()));
    if let Some(local) = session.local {
        put("local", json!(local));
    }
    put("vrf", json!(vrf_of(session)));
    if let Some(interface) = &session.interface {
        put("interface", json!(interface));
    }
    object
}

fn object(session: &BfdSession) -> Value {
    let mut object = identity(session);
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("id", json!(session.discriminator.unwrap_or(0)));
    put(
        "remote-id",
        json!(session.remote_discriminator.unwrap_or(0)),
    );
    put("passive-mode", json!(session.passive));
    put("status", json!(status(session)));
    if let Some(uptime) = session.uptime_s {
        put("uptime", json!(uptime));
    }
    if let Some(downtime) = session.downtime_s {
        put("downtime", json!(downtime));
    }
    put(
        "diagnostic",
        json!(diagnostic(session.diagnostic.as_deref())),
    );
    put(
        "remote-diagnostic",
        json!(diagnostic(session.remote_diagnostic.as_deref())),
    );
    put("type", json!(kind(session)));
    put("receive-interval", json!(whole(session.receive_ms)));
    put("transmit-interval", json!(whole(session.transmit_ms)));
    let echo = &session.echo;
    let time = |interval: Option<f64>| json!(interval.map_or(0, whole));
    put("echo-receive-interval", time(echo.receive_ms));
    put("echo-transmit-interval", time(echo.transmit_ms));
    put("detect-multiplier", json!(session.multiplier));
    put(
        "remote-receive-interval",
        json!(whole(session.remote_receive_ms.unwrap_or(UNHEARD_MS))),
    );
    put(
        "remote-transmit-interval",
        json!(whole(session.remote_transmit_ms.unwrap_or(UNHEARD_MS))),
    );
    put("remote-echo-receive-interval", time(echo.remote_receive_ms));
    put(
        "remote-detect-multiplier",
        json!(session.remote_multiplier.unwrap_or(UNHEARD_MULTIPLIER)),
    );
    for (key, time) in [
        ("rtt-min", echo.round_trip_min_us),
        ("rtt-avg", echo.round_trip_mean_us),
        ("rtt-max", echo.round_trip_max_us),
    ] {
        put(key, json!(time.unwrap_or(0)));
    }
    Value::Object(object)
}

/// A session is the operator's own where `[[bfd]]` names it, and dynamic where a neighbour has it.
fn kind(session: &BfdSession) -> &'static str {
    match session.watched_by.iter().any(|it| it == "bfd") {
        true => "configured",
        false => "dynamic",
    }
}

fn status(session: &BfdSession) -> &'static str {
    match session.state {
        BfdState::AdminDown => "shutdown",
        BfdState::Down => "down",
        BfdState::Init => "init",
        BfdState::Up => "up",
    }
}

/// In FRR's words, where it has others.
fn diagnostic(text: Option<&str>) -> String {
    match text {
        None | Some("none") => "ok".to_owned(),
        Some(text) => text.to_owned(),
    }
}

// Milliseconds of a timer, far below where this would lose anything.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(milliseconds: f64) -> u64 {
    milliseconds.round().max(0.0) as u64
}

/// An interval of echo packets.
fn often(interval: Option<f64>) -> String {
    match interval.map(whole) {
        None | Some(0) => "disabled".to_owned(),
        Some(interval) => format!("{interval}ms"),
    }
}

fn heading(said: &Said) -> String {
    match said.has("peer") {
        true => "BFD Peer:\n".to_owned(),
        false => "BFD Peers:\n".to_owned(),
    }
}

/// `peer 10.0.0.2 local-address 10.0.0.1 vrf default interface eth0`.
fn line(session: &BfdSession) -> String {
    let mut text = format!("\tpeer {}", session.peer.ip());
    if session.multihop {
        text.push_str(" multihop");
    }
    if let Some(local) = session.local {
        text.push_str(&format!(" local-address {local}"));
    }
    text.push_str(&format!(" vrf {}", vrf_of(session)));
    if let Some(interface) = &session.interface {
        text.push_str(&format!(" interface {interface}"));
    }
    text.push('\n');
    text
}

fn paragraph(session: &BfdSession) -> String {
    let mode = if session.passive { "Passive" } else { "Active" };
    let mut lines = vec![
        format!("ID: {}", session.discriminator.unwrap_or(0)),
        format!("Remote ID: {}", session.remote_discriminator.unwrap_or(0)),
        format!("{mode} mode"),
        format!("Status: {}", status(session)),
    ];
    lines.extend(session.uptime_s.map(|it| format!("Uptime: {it} second(s)")));
    let downtime = session.downtime_s;
    lines.extend(downtime.map(|it| format!("Downtime: {it} second(s)")));
    lines.extend([
        format!("Diagnostics: {}", diagnostic(session.diagnostic.as_deref())),
        format!(
            "Remote diagnostics: {}",
            diagnostic(session.remote_diagnostic.as_deref())
        ),
        format!("Peer Type: {}", kind(session)),
        format!(
            "RTT min/avg/max: {}/{}/{} usec",
            session.echo.round_trip_min_us.unwrap_or(0),
            session.echo.round_trip_mean_us.unwrap_or(0),
            session.echo.round_trip_max_us.unwrap_or(0)
        ),
        "Local timers:".to_owned(),
        format!("\tDetect-multiplier: {}", session.multiplier),
        format!("\tReceive interval: {}ms", whole(session.receive_ms)),
        format!("\tTransmission interval: {}ms", whole(session.transmit_ms)),
        format!(
            "\tEcho receive interval: {}",
            often(session.echo.receive_ms)
        ),
        format!(
            "\tEcho transmission interval: {}",
            often(session.echo.transmit_ms)
        ),
        "Remote timers:".to_owned(),
        format!(
            "\tDetect-multiplier: {}",
            session.remote_multiplier.unwrap_or(UNHEARD_MULTIPLIER)
        ),
        format!(
            "\tReceive interval: {}ms",
            whole(session.remote_receive_ms.unwrap_or(UNHEARD_MS))
        ),
        format!(
            "\tTransmission interval: {}ms",
            whole(session.remote_transmit_ms.unwrap_or(UNHEARD_MS))
        ),
        format!(
            "\tEcho receive interval: {}",
            often(session.echo.remote_receive_ms)
        ),
    ]);
    let problem = session.echo.problem.as_ref();
    lines.extend(problem.map(|it| format!("Echo does not work: {it}")));
    lines.extend(
        session
            .waiting
            .as_ref()
            .map(|it| format!("Waiting for: {it}")),
    );
    let lines: String = lines.iter().map(|it| format!("\t\t{it}\n")).collect();
    format!("{}{lines}\n", line(session))
}

pub(super) async fn brief(said: &Said, asking: &Asking) -> Answered {
    let all = sessions(said, asking).await?;
    if said.has("json") {
        return Ok(json(said, all.iter().map(object).collect()));
    }
    let mut text = format!(
        "Session count: {}\n{:<10} {:<40} {:<39} {:<15}\n{:<10} {:<40} {:<39} {:<15}\n",
        all.len(),
        "SessionId",
        "LocalAddress",
        "PeerAddress",
        "Status",
        "=========",
        "============",
        "===========",
        "======"
    );
    for session in &all {
        let local = session
            .local
            .map_or("n/a".to_owned(), |local| local.to_string());
        text.push_str(&format!(
            "{:<10} {local:<40} {:<39} {:<15}\n",
            session.discriminator.unwrap_or(0),
            session.peer.ip().to_string(),
            status(session)
        ));
    }
    Ok(Answer::Text(text))
}

pub(super) async fn counters(said: &Said, asking: &Asking) -> Answered {
    let all = sessions(said, asking).await?;
    if said.has("json") {
        return Ok(json(said, all.iter().map(numbers).collect()));
    }
    let mut text = heading(said);
    for session in &all {
        text.push_str(&format!(
            "{}\t\tControl packet input: {} packets\n\t\tControl packet output: {} packets\n\
             \t\tEcho packet input: {} packets\n\t\tEcho packet output: {} packets\n\
             \t\tSession up events: {}\n\t\tSession down events: {}\n\n",
            line(session),
            session.received,
            session.sent,
            session.echo.returned,
            session.echo.sent,
            ups(session),
            session.flaps
        ));
    }
    Ok(Answer::Text(text))
}

/// It went down as often as it came up, but for the last time while it is up.
fn ups(session: &BfdSession) -> u64 {
    session.flaps + u64::from(session.state == BfdState::Up)
}

fn numbers(session: &BfdSession) -> Value {
    let mut object = identity(session);
    for (key, value) in [
        ("control-packet-input", session.received),
        ("control-packet-output", session.sent),
        ("echo-packet-input", session.echo.returned),
        ("echo-packet-output", session.echo.sent),
        ("session-up", ups(session)),
        ("session-down", session.flaps),
    ] {
        object.insert(key.to_owned(), json!(value));
    }
    Value::Object(object)
}
