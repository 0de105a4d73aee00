//! The text of answers, in the layout that people who know FRR expect.
//!
//! Each function writes one reply. A state is always a word; columns are aligned, empty cells are
//! `-`, and nothing is left out for lack of width.

mod evpn;
mod neighbors;
mod routes;
mod rpki;
mod static_routes;

use std::collections::BTreeMap;
use std::io::{self, Write};

use bgp::Family;

pub(super) use evpn::{
    EvpnRouteTable, MacTable, NeighborTable, arrived, duplicates_cleared, evpn_duplicates,
    evpn_next_hops, evpn_vni, evpn_vteps,
};
pub(super) use neighbors::neighbors;
use neighbors::remote_as;
pub(super) use routes::{RouteTables, as_path, no_route};
pub(super) use rpki::rpki;
pub(super) use static_routes::static_routes;

use super::table::{Table, or_dash, printable, uptime};
use crate::control::SoftReset;
use crate::control::reply::{
    Bfd, BfdSession, BfdState, Clear, Configured, Drain, FamilyDrain, Instance, Instances, Memory,
    NeighborDrain, NeighborSummary, Reload, Running, Summary, Verify, Version, Written,
};
use crate::control::words::counted;

/// `show summary`: a table for each family, as FRR has it.
pub(super) fn summary(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "BGP router identifier {}, local AS number {}, up {}",
        summary.router_id,
        summary.asn,
        uptime(summary.uptime_s)
    )?;
    if summary.draining {
        writeln!(out, "This router is draining; see `rbgpctl show drain`")?;
    }
    if !summary.instances.is_empty() {
        let instances = summary.instances.iter().map(|it| {
            let Instance {
                name,
                established,
                neighbors,
                ..
            } = it;
            match (&it.vrf, it.waiting) {
                (Some(device), true) => format!("{name} (there is no VRF device {device})"),
                (_, _) => format!("{name} ({established} of {neighbors} Established)"),
            }
        });
        let instances: Vec<String> = instances.collect();
        let line = format!("Other instances: {}", instances.join(", "));
        writeln!(out, "{}; see `rbgpctl --instance NAME`", printable(line))?;
    }
    for family in Family::ALL {
        let activated = |neighbor: &&NeighborSummary| neighbor.families.get(family).is_some();
        let neighbors: Vec<_> = summary.neighbors.iter().filter(activated).collect();
        if !neighbors.is_empty() {
            let prefixes = summary.prefixes.get(family).copied().unwrap_or(0);
            let prefixes = counted(prefixes, "prefix", "prefixes");
            writeln!(out, "\n{} Summary: {prefixes}", title(family))?;
            summary_table(&neighbors, Some(family), out)?;
        }
    }
    let idle = |neighbor: &&NeighborSummary| neighbor.families.iter().next().is_none();
    let neighbors: Vec<_> = summary.neighbors.iter().filter(idle).collect();
    if !neighbors.is_empty() {
        writeln!(out, "\nNo family activated:")?;
        summary_table(&neighbors, None, out)?;
    }
    writeln!(
        out,
        "\nTotal number of neighbors {}",
        summary.neighbors.len()
    )?;
    summary_remarks(summary, out)
}

/// A family as FRR writes it.
fn title(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "IPv4 Unicast",
        Family::Ipv6Unicast => "IPv6 Unicast",
        Family::Evpn => "L2VPN EVPN",
    }
}

fn summary_table(
    neighbors: &[&NeighborSummary],
    family: Option<Family>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new(&[
        "Neighbor",
        ">V",
        ">AS",
        ">MsgRcvd",
        ">MsgSent",
        ">Up/Down",
        ">State/PfxRcd",
        ">PfxSnt",
        "Desc",
    ])
    .fit(&["V", "MsgSent", "MsgRcvd"]);
    for neighbor in neighbors {
        let counts = family.and_then(|family| neighbor.families.get(family));
        let counts = counts.copied().unwrap_or_default();
        let established = neighbor.state == "Established";
        let cell = |count: u64| match established {
            true => count.to_string(),
            false => neighbor.state.clone(),
        };
        table.row([
            match neighbor.listen_range {
                Some(_) => format!("*{}", neighbor.address),
                None => neighbor.address.to_string(),
            },
            "4".to_owned(),
            remote_as(neighbor),
            neighbor.messages_received.to_string(),
            neighbor.messages_sent.to_string(),
            changed(neighbor),
            cell(counts.accepted),
            if established {
                counts.advertised.to_string()
            } else {
                "-".to_owned()
            },
            or_dash(neighbor.description.as_ref()),
        ]);
    }
    table.finish(out)?;
    match neighbors.iter().any(|it| it.listen_range.is_some()) {
        true => writeln!(out, "* from a listen range"),
        false => Ok(()),
    }
}

fn changed(neighbor: &NeighborSummary) -> String {
    neighbor
        .uptime_s
        .or(neighbor.changed_s)
        .map_or_else(|| "never".to_owned(), uptime)
}

/// What the table cannot say: why a session is down, what was refused, what needs attention.
fn summary_remarks(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut lines: Vec<String> = summary.notices.clone();
    for neighbor in &summary.neighbors {
        let address = neighbor.address;
        if let Some(why) = &neighbor.why {
            lines.push(match &neighbor.hint {
                Some(hint) => format!("{address} is {}: {why}; {hint}", neighbor.state),
                None => format!("{address} is {}: {why}", neighbor.state),
            });
        }
        if neighbor.bfd.is_some_and(|state| state != BfdState::Up) {
            let state = or_dash(neighbor.bfd.map(BfdState::word));
            lines.push(match &neighbor.hint {
                // Of a session that is down it is the hint for that.
                Some(hint) if neighbor.why.is_none() => format!("{address}: {hint}"),
                Some(_) | None => format!("{address}: BFD is {state}"),
            });
        }
        if neighbor.draining && !summary.draining {
            lines.push(format!(
                "{address}: traffic is moved away; see `rbgpctl show drain`"
            ));
        }
        for (family, counts) in neighbor.families.iter() {
            // What came back from where it is from is as it should be.
            let let_in = counts.accepted + counts.looped;
            let refused = counts.received.saturating_sub(let_in);
            if refused > 0 {
                lines.push(format!(
                    "{address}: {refused} of {} {family} routes not accepted; \
                     `rbgpctl show routes --received {address}` marks them",
                    counts.received
                ));
            }
        }
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "{}", printable(line))?;
    }
    Ok(())
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// `show bfd`.
pub(super) fn bfd(bfd: &Bfd, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "Peer",
        "Local",
        "Interface",
        "State",
        "Remote",
        ">Interval",
        ">Detect",
        ">Uptime",
        ">Flaps",
        "Remark",
    ])
    .fit(&["Interface", "Remote", "Local"]);
    for session in &bfd.sessions {
        let remark = session.waiting.as_ref().or(session.refusal.as_ref());
        let remark = remark.or(session.echo.problem.as_ref());
        let remark = remark.or(session.diagnostic.as_ref());
        table.row([
            peer_name(session),
            or_dash(session.local),
            or_dash(session.interface.as_ref().or(session.vrf.as_ref())),
            session.state.word().to_owned(),
            or_dash(session.remote_state.map(BfdState::word)),
            format!("{}ms", session.interval_ms),
            format!("{}ms", session.detect_ms),
            session.uptime_s.map_or_else(|| "-".to_owned(), uptime),
            session.flaps.to_string(),
            or_dash(remark),
        ]);
    }
    table.finish(out)?;
    if bfd.thread.as_ref().is_some_and(|thread| !thread.realtime) {
        writeln!(
            out,
            "\nBFD runs without real-time priority: on a busy host short detection times may give \
             false alarms\n\nhint: give the service CAP_SYS_NICE or LimitRTPRIO=10"
        )?;
    }
    if bfd.thread.as_ref().is_some_and(|thread| thread.shielded) {
        writeln!(
            out,
            "\nSomebody floods BFD's ports: the kernel drops what is of no session, and one in 64 \
             of that is counted\n\nhint: `tcpdump -ni any udp port 3784 or udp port 4784` shows who"
        )?;
    }
    Ok(())
}

fn peer_name(session: &BfdSession) -> String {
    match session.multihop {
        true => format!("{} (multihop)", session.peer),
        false => session.peer.to_string(),
    }
}

/// `show drain`, and the answer to `drain` and `undrain`.
pub(super) fn drain(drain: &Drain, out: &mut dyn Write) -> io::Result<()> {
    let partly = drain.neighbors.iter().any(|neighbor| neighbor.draining);
    let of_map = |neighbor: &&NeighborDrain| neighbor.by_route_map.is_some();
    let by_map = drain.neighbors.iter().filter(of_map).count();
    let by_maps = by_map == drain.neighbors.len();
    if drain.draining && !drain.only.is_empty() {
        let only = printable(drain.only.join(", "));
        writeln!(out, "Drained alone, other instances are not: {only}")?;
    }
    writeln!(
        out,
        "{}",
        match (drain.draining, partly, drain.complete, drain.dry_run) {
            (.., true) => "Dry run: nothing was changed",
            (true, _, true, _) => "This router is drained",
            (true, _, false, _) => "This router is draining",
            (false, true, true, _) => "Single neighbors are drained",
            (false, true, false, _) => "Single neighbors are draining",
            (false, false, true, _) if by_map == 0 => "Not draining",
            (false, false, true, _) if by_maps => "This router is drained by its configuration",
            (false, false, true, _) => "Single neighbors are drained by the configuration",
            (false, false, false, _) => "Traffic is coming back",
        }
    )?;
    let mut line = |text: String| writeln!(out, "{}", printable(text));
    for (map, neighbors) in lengthening(drain) {
        line(format!(
            "Route-map {map} makes all paths longer that {neighbors} are told; it ends with another map"
        ))?;
    }
    if let Some(since) = drain.since {
        line(format!("Since {since}"))?;
    }
    if let Some(reason) = &drain.reason {
        line(format!("Reason: {reason}"))?;
    }
    if let Some(deadline) = drain.deadline {
        line(format!("Ends by itself {deadline}"))?;
    }
    for missing in &drain.overdue {
        line(format!(
            "Its time is over, but traffic cannot return yet: {missing}"
        ))?;
    }
    if let Some(rate) = drain.packets_per_second {
        line(format!("Packets through this router: {rate:.1} per second"))?;
    }
    for risk in &drain.risks {
        line(format!("While away: {risk}"))?;
    }
    for pending in &drain.pending {
        line(format!("Not confirmed: {pending}"))?;
    }
    if drain.neighbors.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    drain_table(drain, out)
}

/// Route-maps by which neighbours are drained, each with those.
fn lengthening(drain: &Drain) -> BTreeMap<&str, String> {
    let mut maps: BTreeMap<&str, String> = BTreeMap::new();
    for neighbor in &drain.neighbors {
        if let Some(map) = &neighbor.by_route_map {
            let neighbors = maps.entry(map).or_default();
            let comma = if neighbors.is_empty() { "" } else { ", " };
            neighbors.push_str(&format!("{comma}{}", neighbor.address));
        }
    }
    maps
}

fn drain_table(drain: &Drain, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "Neighbor",
        "Draining",
        "Confirmed",
        "Family",
        "Told",
        ">Still via us",
        "Desc",
    ])
    .fit(&[]);
    for neighbor in &drain.neighbors {
        let mut row = |family: &str, state: Option<&FamilyDrain>| {
            table.row([
                match &neighbor.instance {
                    Some(instance) => printable(format!("{} ({instance})", neighbor.address)),
                    None => neighbor.address.to_string(),
                },
                match &neighbor.by_route_map {
                    Some(map) if !neighbor.draining => printable(map.clone()),
                    Some(_) | None => yes_no(neighbor.draining),
                },
                yes_no(neighbor.complete),
                family.to_owned(),
                state.map_or_else(|| "-".to_owned(), |state| yes_no(state.told)),
                or_dash(state.map(|state| state.still_preferred_total)),
                or_dash(neighbor.description.as_ref()),
            ]);
        };
        if neighbor.families.iter().next().is_none() {
            row("-", None);
        }
        for (family, state) in neighbor.families.iter() {
            row(family.name(), Some(state));
        }
    }
    table.finish(out)
}

/// `verify`.
pub(super) fn verify(verify: &Verify, out: &mut dyn Write) -> io::Result<()> {
    if !verify.kernel_enabled {
        return writeln!(
            out,
            "The kernel is not written (`[kernel] enabled = false`)"
        );
    }
    if verify.equal {
        writeln!(
            out,
            "Equal: {} be",
            counted(
                verify.checked,
                "kernel entry is as it should",
                "kernel entries are as they should"
            )
        )?;
        return notes(verify, out);
    }
    let different = verify.missing + verify.different + verify.unexpected + verify.pending;
    if different == 0 {
        // What is wanted is not known yet; the note says for whom it waits.
        writeln!(
            out,
            "Not yet: {} so far",
            counted(
                verify.checked,
                "kernel entry is as it should be",
                "kernel entries are as they should be"
            )
        )?;
        return notes(verify, out);
    }
    writeln!(
        out,
        "Different: of {}, missing {}, with other values {}, waiting to be written {}; \
         should not be there {}",
        counted(verify.checked, "kernel entry", "kernel entries"),
        verify.missing,
        verify.different,
        verify.pending,
        verify.unexpected
    )?;
    for difference in &verify.differences {
        writeln!(out, "{}", difference.entry)?;
        writeln!(out, "  want: {}", or_dash(difference.want.as_ref()))?;
        writeln!(out, "  have: {}", or_dash(difference.have.as_ref()))?;
        if let Some(error) = &difference.error {
            writeln!(out, "  refused: {}", printable(error.clone()))?;
        }
    }
    notes(verify, out)
}

fn notes(verify: &Verify, out: &mut dyn Write) -> io::Result<()> {
    for note in &verify.notes {
        writeln!(out, "note: {}", printable(note.clone()))?;
    }
    Ok(())
}

/// `show running-config`.
pub(super) fn running(running: &Running, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(running.text.as_bytes())
}

/// `configure`: what is to be said of single lines, then as `reload`.
pub(super) fn configured(configured: &Configured, out: &mut dyn Write) -> io::Result<()> {
    for line in &configured.lines {
        writeln!(out, "note: {}", printable(line.clone()))?;
    }
    reload(&configured.reload, out)
}

/// `write`.
pub(super) fn written(written: &Written, out: &mut dyn Write) -> io::Result<()> {
    let file = printable(written.file.clone());
    if !written.changed {
        return writeln!(out, "{file} says so already");
    }
    writeln!(out, "{file} is written")?;
    for note in &written.notes {
        writeln!(out, "note: {}", printable(note.clone()))?;
    }
    Ok(())
}

/// `reload`.
pub(super) fn reload(reload: &Reload, out: &mut dyn Write) -> io::Result<()> {
    if !reload.changed {
        return writeln!(out, "Nothing is different");
    }
    for change in &reload.changes {
        writeln!(out, "{}", printable(change.clone()))?;
    }
    let would = if reload.dry_run {
        "would restart"
    } else {
        "restarts"
    };
    for address in &reload.restarts {
        writeln!(out, "The session with {address} {would}")?;
    }
    for note in &reload.notes {
        writeln!(out, "note: {}", printable(note.clone()))?;
    }
    if !reload.restart_required.is_empty() {
        writeln!(
            out,
            "A reload would be refused as a whole: {} a restart of rbgpd",
            match reload.restart_required.len() {
                1 => "one of the changes needs".to_owned(),
                several => format!("{several} of the changes need"),
            }
        )?;
    }
    if reload.dry_run {
        writeln!(out, "Dry run: nothing was changed")?;
    }
    Ok(())
}

/// `clear`.
pub(super) fn clear(clear: &Clear, soft: SoftReset, out: &mut dyn Write) -> io::Result<()> {
    let what = match soft {
        SoftReset::None => "session restarted",
        SoftReset::In => "asked for its routes again",
        SoftReset::Out => "our routes are sent again",
    };
    for address in &clear.cleared {
        writeln!(out, "{address}: {what}")?;
    }
    Ok(())
}

/// `show memory`.
pub(super) fn memory(memory: &Memory, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["Of", ">Count", ">Bytes"]);
    for (family, count) in memory.prefixes.iter() {
        table.row([
            format!("{family} prefixes"),
            count.to_string(),
            String::new(),
        ]);
    }
    for (family, count) in memory.paths.iter() {
        table.row([format!("{family} paths"), count.to_string(), String::new()]);
    }
    for (name, count, bytes) in [
        (
            "attribute sets",
            memory.attribute_sets.to_string(),
            memory.attribute_bytes,
        ),
        ("tables", String::new(), memory.table_bytes),
        ("process, resident", String::new(), memory.resident_bytes),
    ] {
        table.row([name.to_owned(), count, bytes.to_string()]);
    }
    table.write(out)
}

/// `show instances`.
pub(super) fn instances(instances: &Instances, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "Instance",
        "VRF",
        ">AS",
        "Identifier",
        ">Table",
        ">Neighbors",
        ">Established",
        "Draining",
    ])
    .fit(&["VRF", "Identifier"]);
    for it in &instances.instances {
        table.row([
            it.name.clone(),
            or_dash(it.vrf.as_ref()),
            it.asn.to_string(),
            it.router_id.to_string(),
            or_dash((!it.waiting).then_some(it.table)),
            it.neighbors.to_string(),
            it.established.to_string(),
            yes_no(it.draining),
        ]);
    }
    table.finish(out)
}

/// `show version`.
pub(super) fn version(version: &Version, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "rbgpd {}, process {}, up {}",
        printable(version.version.clone()),
        version.pid,
        uptime(version.uptime_s)
    )?;
    writeln!(out, "rbgpctl {}", env!("CARGO_PKG_VERSION"))
}
