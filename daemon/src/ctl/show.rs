//! The text of answers, in the layout that people who know FRR expect.
//!
//! Each function writes one reply. A state is always a word; columns are aligned, empty cells are
//! `-`, and nothing is left out for lack of width.

use std::io::{self, Write};
use std::net::IpAddr;

use bgp::{Family, Prefix};

use super::table::{Table, or_dash, printable, uptime};
use crate::control::reply::{
    AsPathItem, Bfd, BfdState, Clear, Drain, EvpnMac, EvpnRoute, EvpnVni, FamilyDrain, Memory,
    MessageCounts, Neighbor, NeighborSummary, Neighbors, Reload, Route, RouteCounts, Summary,
    Verify, Version,
};
use crate::control::words::counted;
use crate::control::{Select, SoftReset};

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

/// `show neighbors`.
pub(super) fn neighbors(neighbors: &Neighbors, out: &mut dyn Write) -> io::Result<()> {
    for (at, neighbor) in neighbors.neighbors.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one_neighbor(neighbor, out)?;
    }
    Ok(())
}

/// The number, or what the configuration says in its place.
fn remote_as(neighbor: &NeighborSummary) -> String {
    match neighbor.remote_as {
        Some(asn) => asn.to_string(),
        None => "external".to_owned(),
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

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// `show routes`, page by page: one table for each family.
#[derive(Debug, Default)]
pub(super) struct RouteTables {
    current: Option<(String, Table)>,
    count: u64,
}

impl RouteTables {
    /// Writes a page.
    pub(super) fn page(&mut self, routes: &[Route], out: &mut dyn Write) -> io::Result<()> {
        if self.count == 0 && !routes.is_empty() {
            writeln!(
                out,
                "Codes: * accepted, > best, = multipath, S stale, x refused by policy,\n       \
                 l own route come back, n next hop leads nowhere;\n       \
                 #N path identifier (RFC 7911);\n       \
                 origin: i igp, e egp, ? incomplete"
            )?;
        }
        for route in routes {
            self.count += 1;
            self.row(route, out)?;
        }
        match &mut self.current {
            Some((_, table)) => table.write(out),
            None => Ok(()),
        }
    }

    /// After the last page: what its table had no place for.
    pub(super) fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.current.take() {
            Some((_, table)) => table.finish(out),
            None => Ok(()),
        }
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.count
    }

    fn row(&mut self, route: &Route, out: &mut dyn Write) -> io::Result<()> {
        let same = self
            .current
            .as_ref()
            .is_some_and(|(family, _)| *family == route.family);
        if !same {
            self.finish(out)?;
            writeln!(out, "\n{}", route.family)?;
            let table = Table::new(&[
                "", "Network", "Next Hop", "Neighbor", ">Metric", ">LocPrf", "Kernel", "Path",
            ])
            .fit(&["LocPrf", "Metric", "Neighbor"]);
            self.current = Some((route.family.clone(), table));
        }
        if let Some((_, table)) = &mut self.current {
            table.row(route_cells(route));
        }
        Ok(())
    }
}

/// What `show routes PREFIX` says when there is nothing to show.
pub(super) fn no_route(prefix: Prefix, select: Select, covered_by: Option<&str>) -> [String; 3] {
    let place = match select {
        Select::All => "in the table".to_owned(),
        Select::Received(address) => format!("among those received from {address}"),
        Select::Advertised(address) => format!("among those advertised to {address}"),
    };
    let more = match covered_by {
        Some(cover) => format!("`{cover}` contains it: rbgpctl show routes {cover}"),
        None => "nothing there contains it, not even a default route".to_owned(),
    };
    [
        format!("error: no route to `{prefix}` {place}"),
        String::new(),
        format!("hint: {more}"),
    ]
}

fn route_cells(route: &Route) -> [String; 8] {
    let hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
    let origin = match route.origin.as_str() {
        "igp" => "i",
        "egp" => "e",
        _ => "?",
    };
    [
        codes(route),
        route.prefix.clone(),
        if hops.is_empty() {
            "-".to_owned()
        } else {
            hops.join(",")
        },
        who(route),
        or_dash(route.med),
        or_dash(route.local_pref),
        if route.installed { "yes" } else { "-" }.to_owned(),
        format!("{} {origin}", as_path(&route.as_path, ""))
            .trim_start()
            .to_owned(),
    ]
}

/// Who told us, with the identifier where several paths of a prefix may come from there.
fn who(route: &Route) -> String {
    let neighbor = route.neighbor;
    let neighbor = neighbor.map_or_else(|| "local".to_owned(), |address| address.to_string());
    match route.path_id {
        0 => neighbor,
        id => format!("{neighbor}#{id}"),
    }
}

fn codes(route: &Route) -> String {
    let accepted = match (route.accepted, route.rejected_by.as_deref()) {
        (true, _) => '*',
        (false, Some("loop")) => 'l',
        (false, Some("next_hop")) => 'n',
        (false, _) => 'x',
    };
    let used = match (route.best, route.multipath) {
        (true, _) => ">",
        (false, true) => "=",
        (false, false) => "",
    };
    let stale = if route.stale { "S" } else { "" };
    format!("{accepted}{used}{stale}")
}

/// An AS path as FRR writes it: sets in braces, confederations in parentheses.
pub(super) fn as_path(path: &[AsPathItem], empty: &str) -> String {
    let join = |numbers: &[u32], by: &str| {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        numbers.join(by)
    };
    let items: Vec<String> = path
        .iter()
        .map(|item| match item {
            AsPathItem::Asn(asn) => asn.to_string(),
            AsPathItem::Set { set } => format!("{{{}}}", join(set, ",")),
            AsPathItem::ConfedSequence { confed_sequence } => {
                format!("({})", join(confed_sequence, " "))
            }
            AsPathItem::ConfedSet { confed_set } => format!("[{}]", join(confed_set, ",")),
        })
        .collect();
    if items.is_empty() {
        empty.to_owned()
    } else {
        items.join(" ")
    }
}

/// `show evpn vni`.
pub(super) fn evpn_vni(vnis: &EvpnVni, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        ">VNI",
        "Name",
        "RD",
        "Import RT",
        "Export RT",
        "VxLAN IF",
        "Bridge",
        ">MTU",
        ">Local",
        ">Remote",
        "Remote VTEPs",
    ])
    .fit(&["Export RT", "Import RT", "MTU", "RD", "Bridge"]);
    for vni in &vnis.vnis {
        table.row([
            vni.vni.to_string(),
            vni.name.clone(),
            or_dash(vni.rd.as_ref()),
            list(&vni.import_targets),
            list(&vni.export_targets),
            or_dash(vni.vxlan.as_ref()),
            or_dash(vni.bridge.as_ref()),
            or_dash(vni.mtu),
            vni.local_macs.to_string(),
            vni.remote_macs.to_string(),
            addresses(&vni.remote_vteps),
        ]);
    }
    table.finish(out)?;
    for vni in &vnis.vnis {
        for problem in &vni.problems {
            writeln!(out, "VNI {}: {}", vni.vni, printable(problem.clone()))?;
        }
    }
    Ok(())
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        "-".to_owned()
    } else {
        items.join(",")
    }
}

fn addresses(items: &[IpAddr]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    list(&items)
}

/// `show evpn mac`.
pub(super) fn evpn_mac(macs: &EvpnMac, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        ">VNI", "MAC", "Type", "VTEP", ">Seq", "Sticky", ">Moves", "Kernel", "IPs",
    ])
    .fit(&["Moves", "Sticky", "Seq"]);
    for mac in &macs.macs {
        table.row([
            mac.vni.to_string(),
            mac.mac.clone(),
            mac.kind.word().to_owned(),
            or_dash(mac.vtep),
            mac.sequence.to_string(),
            yes_no(mac.sticky),
            mac.moves.to_string(),
            mac.installed.map_or_else(|| "-".to_owned(), yes_no),
            addresses(&mac.ips),
        ]);
    }
    table.finish(out)?;
    for mac in &macs.macs {
        if let Some(conflict) = &mac.conflict {
            let conflict = printable(conflict.clone());
            writeln!(out, "VNI {} {}: {conflict}", mac.vni, mac.mac)?;
        }
    }
    Ok(())
}

/// An empty table for [`evpn_routes`].
pub(super) fn evpn_routes_table() -> Table {
    Table::new(&[
        "",
        "Route",
        "Next Hop",
        "Neighbor",
        ">LocPrf",
        "VNIs",
        "Communities",
        "Path",
    ])
    .fit(&["Communities", "LocPrf", "Neighbor", "VNIs"])
}

/// `show evpn routes`, page by page.
pub(super) fn evpn_routes(
    table: &mut Table,
    routes: &[EvpnRoute],
    out: &mut dyn Write,
) -> io::Result<()> {
    for EvpnRoute { route, vnis, .. } in routes {
        let vnis: Vec<String> = vnis
            .iter()
            .map(|import| match import.fault {
                None => import.vni.to_string(),
                Some(_) => format!("{}(unused)", import.vni),
            })
            .collect();
        let [codes, network, next_hop, neighbor, _, local_pref, _, path] = route_cells(route);
        let communities = list(&route.extended_communities);
        table.row([
            codes,
            network,
            next_hop,
            neighbor,
            local_pref,
            list(&vnis),
            communities,
            path,
        ]);
    }
    table.write(out)?;
    for EvpnRoute { route, vnis, .. } in routes {
        for import in vnis {
            if let Some(fault) = &import.fault {
                let fault = printable(fault.clone());
                writeln!(out, "{} in VNI {}: {fault}", route.prefix, import.vni)?;
            }
        }
    }
    Ok(())
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
        let remark = session.waiting.as_ref().or(session.diagnostic.as_ref());
        table.row([
            session.peer.to_string(),
            or_dash(session.local),
            or_dash(session.interface.as_ref()),
            session.state.word().to_owned(),
            or_dash(session.remote_state.map(BfdState::word)),
            format!("{}ms", session.interval_ms),
            format!("{}ms", session.detect_ms),
            session.uptime_s.map_or_else(|| "-".to_owned(), uptime),
            session.flaps.to_string(),
            or_dash(remark),
        ]);
    }
    table.finish(out)
}

/// `show drain`, and the answer to `drain` and `undrain`.
pub(super) fn drain(drain: &Drain, out: &mut dyn Write) -> io::Result<()> {
    let partly = drain.neighbors.iter().any(|neighbor| neighbor.draining);
    writeln!(
        out,
        "{}",
        match (drain.draining, partly, drain.complete, drain.dry_run) {
            (.., true) => "Dry run: nothing was changed",
            (true, _, true, _) => "This router is drained",
            (true, _, false, _) => "This router is draining",
            (false, true, true, _) => "Single neighbors are drained",
            (false, true, false, _) => "Single neighbors are draining",
            (false, false, true, _) => "Not draining",
            (false, false, false, _) => "Traffic is coming back",
        }
    )?;
    let mut line = |text: String| writeln!(out, "{}", printable(text));
    if let Some(since) = drain.since {
        line(format!("Since {since}"))?;
    }
    if let Some(reason) = &drain.reason {
        line(format!("Reason: {reason}"))?;
    }
    if let Some(deadline) = drain.deadline {
        line(format!("Ends by itself {deadline}"))?;
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
                neighbor.address.to_string(),
                yes_no(neighbor.draining),
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
