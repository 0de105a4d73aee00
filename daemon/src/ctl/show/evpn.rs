//! `show evpn ..`.

use std::io::{self, Write};
use std::net::IpAddr;

use super::routes::route_cells;
use super::yes_no;
use crate::control::reply::*;
use crate::ctl::table::{Table, or_dash, printable};

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
