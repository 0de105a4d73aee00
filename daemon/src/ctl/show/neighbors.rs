//! `show neighbors`.

use std::io::{self, Write};

use super::yes_no;
use crate::control::reply::*;
use crate::ctl::table::{Table, or_dash, printable, uptime};

/// `show neighbors`.
pub(in crate::ctl) fn neighbors(neighbors: &Neighbors, out: &mut dyn Write) -> io::Result<()> {
    for (at, neighbor) in neighbors.neighbors.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one_neighbor(neighbor, out)?;
    }
    Ok(())
}

/// The tunnel, in lines.
fn wireguard(peer: &WireguardPeer) -> Vec<String> {
    let handshake = match peer.handshake_age_s {
        Some(age) => format!("{} ago", uptime(age)),
        None => "never".to_owned(),
    };
    let mut lines = vec![
        format!(
            "WireGuard {}, peer {}, endpoint {}",
            peer.interface,
            peer.public_key,
            or_dash(peer.endpoint)
        ),
        format!(
            "  Last handshake {handshake}, {} octets received, {} sent, {} AllowedIPs",
            peer.received_bytes, peer.sent_bytes, peer.allowed_ips
        ),
    ];
    lines.extend(
        peer.overdue
            .as_ref()
            .map(|why| format!("  Handshake is overdue: {why}")),
    );
    lines
}

/// The number, unless the neighbor may have one of several and has not said it yet.
pub(super) fn remote_as(neighbor: &NeighborSummary) -> String {
    match neighbor.remote_as {
        Some(asn) => asn.to_string(),
        None => "unknown".to_owned(),
    }
}

fn one_neighbor(neighbor: &Neighbor, out: &mut dyn Write) -> io::Result<()> {
    let summary = &neighbor.summary;
    let link = if neighbor.internal {
        "internal"
    } else {
        "external"
    };
    writeln!(
        out,
        "BGP neighbor is {}, remote AS {}, {link} link",
        summary.address,
        remote_as(summary)
    )?;
    let mut line = |text: String| writeln!(out, "  {}", printable(text));
    if let Some(description) = &summary.description {
        line(format!("Description: {description}"))?;
    }
    if let Some(asn) = neighbor.local_as {
        line(format!("It knows us as AS {asn} (local_as)"))?;
    }
    for sentence in &neighbor.relation {
        line(sentence.clone())?;
    }
    if let Some(interface) = &summary.interface {
        line(format!("Heard on interface {interface}"))?;
    }
    if let Some(range) = &summary.listen_range {
        line(format!(
            "Not configured itself: from the listen range {range}"
        ))?;
    }
    match summary.uptime_s {
        Some(up) => line(format!(
            "BGP state = {}, up for {}",
            summary.state,
            uptime(up)
        ))?,
        None => line(format!("BGP state = {}", summary.state))?,
    }
    if let Some(why) = &summary.why {
        let from = match summary.side.as_deref() {
            Some("here") => ", from this side",
            Some("neighbor") => ", from the neighbor's side",
            Some("path") => ", on the way",
            Some(_) | None => "",
        };
        line(format!("Not up{from}: {why}"))?;
    }
    if let Some(hint) = &summary.hint {
        line(format!("Remedy: {hint}"))?;
    }
    if let Some(peer) = &neighbor.wireguard_peer {
        wireguard(peer).into_iter().try_for_each(&mut line)?;
    }
    if summary.draining {
        line("Traffic is moved away from this neighbor".to_owned())?;
    }
    line(format!(
        "Remote router ID {}, local address {}",
        or_dash(neighbor.router_id),
        or_dash(neighbor.local_address)
    ))?;
    line(format!(
        "Hold time {} s, keepalive interval {} s",
        neighbor.hold_time_s, neighbor.keepalive_s
    ))?;
    match neighbor.ttl_security {
        Some(hops) => line(format!(
            "Packets from more than {hops} hop(s) away are dropped (RFC 5082); ours have TTL {}",
            neighbor.ttl
        ))?,
        None if neighbor.ttl > 0 => line(format!("TTL of our packets {}", neighbor.ttl))?,
        None => {}
    }
    if neighbor.password {
        line("Password is set (TCP MD5 signatures)".to_owned())?;
    }
    if let [preferred, others @ ..] = neighbor.tcp_ao.as_slice() {
        let others: String = others.iter().map(|id| format!(", {id}")).collect();
        line(format!(
            "TCP-AO signs with keys {preferred} (preferred){others} (RFC 5925)"
        ))?;
    }
    if let Some(bfd) = summary.bfd {
        line(format!("BFD is {}", bfd.word()))?;
    }
    line(format!(
        "Sessions established {}, lost {}",
        neighbor.established, neighbor.flaps
    ))?;
    if let Some(left) = neighbor.kept_s {
        let what = match neighbor.last_resort {
            true => "as a last resort (llgr-stale)",
            false => "as they are (graceful restart)",
        };
        line(format!("Routes kept {what} for {}", uptime(left)))?;
    }
    for (what, failure) in [
        ("Last loss", &neighbor.last_down),
        ("Last error", &neighbor.last_error),
    ] {
        if let Some(failure) = failure {
            let ago = uptime(failure.ago_s);
            line(format!("{what} {ago} ago: {}", failure.reason))?;
        }
    }
    if !neighbor.capabilities.is_empty() {
        line(format!(
            "Capabilities: {}",
            neighbor.capabilities.join(", ")
        ))?;
    }
    if neighbor.malformed_updates > 0 {
        line(format!(
            "Updates with mistakes: {}",
            neighbor.malformed_updates
        ))?;
    }
    writeln!(out)?;
    message_table(&neighbor.received, &neighbor.sent, out)?;
    writeln!(out)?;
    family_table(neighbor, out)
}

fn message_table(
    received: &MessageCounts,
    sent: &MessageCounts,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new(&["  Messages", ">Sent", ">Rcvd"]);
    for (name, sent, received) in [
        ("Opens", sent.open, received.open),
        ("Updates", sent.update, received.update),
        ("Notifications", sent.notification, received.notification),
        ("Keepalives", sent.keepalive, received.keepalive),
        (
            "Route refreshes",
            sent.route_refresh,
            received.route_refresh,
        ),
        ("Total", sent.total(), received.total()),
    ] {
        table.row([format!("  {name}"), sent.to_string(), received.to_string()]);
    }
    table.write(out)
}

fn family_table(neighbor: &Neighbor, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "  Family",
        "Negotiated",
        ">Received",
        ">Accepted",
        ">Advertised",
        ">Stale",
        "Import",
        "Export",
        "End-of-RIB",
    ])
    .fit(&["Stale", "Negotiated"]);
    for (family, counts) in neighbor.summary.families.iter() {
        let detail = neighbor.details.get(family).cloned().unwrap_or_default();
        let RouteCounts {
            received,
            accepted,
            advertised,
            looped: _,
        } = *counts;
        table.row([
            format!("  {family}"),
            yes_no(detail.negotiated),
            received.to_string(),
            accepted.to_string(),
            advertised.to_string(),
            detail.stale.to_string(),
            or_dash(detail.import),
            or_dash(detail.export),
            match (detail.end_of_rib_received, detail.end_of_rib_sent) {
                (true, true) => "both".to_owned(),
                (true, false) => "received".to_owned(),
                (false, true) => "sent".to_owned(),
                (false, false) => "-".to_owned(),
            },
        ]);
    }
    table.finish(out)?;
    for (family, detail) in neighbor.details.iter() {
        let Some(several) = &detail.add_path else {
            continue;
        };
        let mut sentences = Vec::new();
        if several.receive && several.receiving {
            sentences.push("taken, and each counts as received".to_owned());
        }
        if let Some(count) = several.send.as_deref().filter(|_| several.sending) {
            sentences.push(match count {
                "all" => "sent, all that take part in the decision".to_owned(),
                count => format!("sent, the best {count}"),
            });
        }
        if !sentences.is_empty() {
            let sentences = sentences.join("; ");
            writeln!(
                out,
                "  {family}: several paths of a prefix (RFC 7911): {sentences}"
            )?;
        }
        if detail.negotiated {
            for sentence in several.not_agreed() {
                writeln!(out, "  {family}: {sentence}")?;
            }
        }
    }
    for (family, detail) in neighbor.details.iter() {
        if let Some(out_limit) = &detail.maximum_out {
            let (limit, beyond) = (out_limit.limit, out_limit.not_told);
            write!(out, "  {family}: told at most {limit} prefixes")?;
            match beyond {
                0 => writeln!(out, ", and there is room for all")?,
                beyond => writeln!(out, ", our own and the lowest ones; not told: {beyond}")?,
            }
        }
        let Some(maximum) = &detail.maximum else {
            continue;
        };
        let then = match (maximum.action.as_str(), maximum.restart_after_s) {
            ("warn", _) => "beyond it too".to_owned(),
            (_, Some(time)) => format!("then the session ends for {time} s"),
            (_, None) => "then the session ends until `rbgpctl clear`".to_owned(),
        };
        writeln!(
            out,
            "  {family}: at most {} prefixes {}, warning from {} % on, {then}",
            maximum.limit, maximum.count, maximum.warn_at
        )?;
    }
    Ok(())
}
