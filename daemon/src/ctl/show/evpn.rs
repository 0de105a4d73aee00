//! `show evpn ..`.

use std::io::{self, Write};
use std::net::IpAddr;

use super::routes::route_cells;
use super::yes_no;
use crate::control::reply::*;
use crate::ctl::table::{Table, or_dash, printable, uptime};

/// `show evpn vni`.
pub(in crate::ctl) fn evpn_vni(vnis: &EvpnVni, out: &mut dyn Write) -> io::Result<()> {
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
pub(in crate::ctl) fn evpn_mac(macs: &EvpnMac, out: &mut dyn Write) -> io::Result<()> {
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
        if mac.duplicate {
            let held = if mac.frozen {
                ", frozen where it is"
            } else {
                ""
            };
            writeln!(
                out,
                "VNI {} {}: a duplicate{held} (show evpn duplicates)",
                mac.vni, mac.mac
            )?;
        }
    }
    Ok(())
}

/// `show evpn duplicates`.
pub(in crate::ctl) fn evpn_duplicates(
    duplicates: &EvpnDuplicates,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new(&[
        ">VNI", "Address", ">Moves", "Since", "State", "Left", "Between",
    ])
    .fit(&["Since"]);
    for duplicate in &duplicates.duplicates {
        let state = if duplicate.frozen { "frozen" } else { "warned" };
        table.row([
            duplicate.vni.to_string(),
            printable(duplicate.address.clone()),
            duplicate.moves.to_string(),
            uptime(duplicate.since_s),
            state.to_owned(),
            or_dash(duplicate.left_s.map(uptime)),
            printable(duplicate.between.clone()),
        ]);
    }
    table.finish(out)
}

/// `evpn clear-duplicate`.
pub(in crate::ctl) fn duplicates_cleared(
    cleared: &EvpnDuplicates,
    out: &mut dyn Write,
) -> io::Result<()> {
    for duplicate in &cleared.duplicates {
        let address = printable(duplicate.address.clone());
        writeln!(
            out,
            "VNI {} {address}: no longer a duplicate",
            duplicate.vni
        )?;
    }
    if cleared.duplicates.is_empty() {
        writeln!(out, "there are no duplicates")?;
    }
    Ok(())
}

/// An empty table for [`evpn_routes`].
pub(in crate::ctl) fn evpn_routes_table() -> Table {
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
pub(in crate::ctl) fn evpn_routes(
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

/// What became of a machine that has arrived.
pub(in crate::ctl) fn arrived(arrived: &Arrived, out: &mut dyn Write) -> io::Result<()> {
    let Arrived {
        vni, mac, sequence, ..
    } = arrived;
    let ip = arrived.ip.map_or(String::new(), |ip| format!(" with {ip}"));
    write!(
        out,
        "vni {vni}: {mac}{ip} is here, sequence number {sequence}"
    )?;
    match arrived.limit_s {
        Some(seconds) => writeln!(out, ", for {seconds} s unless the bridge sees it"),
        None => writeln!(out, "; the bridge has seen it"),
    }
}
