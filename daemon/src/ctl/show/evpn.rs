//! `show evpn ..`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use super::routes::route_cells;
use super::yes_no;
use crate::control::reply::*;
use crate::control::words::counted;
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
    let sites: BTreeSet<IpAddr> = vnis
        .vnis
        .iter()
        .flat_map(|vni| vni.remote_vteps.clone())
        .collect();
    let sum = |of: fn(&Vni) -> u64| vnis.vnis.iter().map(of).sum::<u64>();
    writeln!(
        out,
        "Total: {}, {} here, {} at {}",
        counted(vnis.vnis.len(), "VNI", "VNIs"),
        counted(sum(|vni| vni.local_macs), "MAC address", "MAC addresses"),
        sum(|vni| vni.remote_macs),
        counted(sites.len(), "other site", "other sites"),
    )?;
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

/// `show evpn mac`, page by page.
pub(in crate::ctl) struct MacTable {
    table: Table,
    local: u64,
    remote: u64,
}

impl Default for MacTable {
    fn default() -> Self {
        let names = [
            ">VNI", "MAC", "Type", "VTEP", ">Seq", "Sticky", ">Moves", "Since", "Kernel", "IPs",
        ];
        Self {
            table: Table::new(&names).fit(&["Moves", "Sticky", "Seq"]),
            local: 0,
            remote: 0,
        }
    }
}

impl MacTable {
    pub(in crate::ctl) fn page(&mut self, page: &EvpnMac, out: &mut dyn Write) -> io::Result<()> {
        for mac in &page.macs {
            match mac.kind {
                MacKind::Local => self.local += 1,
                MacKind::Remote => self.remote += 1,
            }
            self.table.row([
                mac.vni.to_string(),
                mac.mac.clone(),
                mac.kind.word().to_owned(),
                or_dash(mac.vtep.map(|vtep| towards(vtep, mac.downstream_vni))),
                mac.sequence.to_string(),
                yes_no(mac.sticky),
                mac.moves.to_string(),
                or_dash(mac.since_s.map(uptime)),
                mac.installed.map_or_else(|| "-".to_owned(), yes_no),
                addresses(&mac.ips),
            ]);
        }
        self.table.write(out)?;
        for mac in &page.macs {
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

    pub(in crate::ctl) fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        let (local, remote) = (self.local, self.remote);
        self.table.finish(out)?;
        let total = counted(local + remote, "MAC address", "MAC addresses");
        writeln!(out, "Total: {total}, {local} local, {remote} remote")
    }
}

/// `show evpn neighbors`, page by page.
pub(in crate::ctl) struct NeighborTable {
    table: Table,
    local: u64,
    remote: u64,
    outside: u64,
}

impl Default for NeighborTable {
    fn default() -> Self {
        let names = [">VNI", "IP", "MAC", "Type", "VTEP", "Since", "Kernel"];
        Self {
            table: Table::new(&names).fit(&["Since"]),
            local: 0,
            remote: 0,
            outside: 0,
        }
    }
}

impl NeighborTable {
    pub(in crate::ctl) fn page(
        &mut self,
        page: &EvpnNeighbors,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for neighbor in &page.neighbors {
            let mark = if neighbor.outside { "!" } else { "" };
            let place = format!("{}{mark}", neighbor.kind.word());
            self.outside += u64::from(neighbor.outside);
            match neighbor.kind {
                MacKind::Local => self.local += 1,
                MacKind::Remote => self.remote += 1,
            }
            self.table.row([
                neighbor.vni.to_string(),
                neighbor.ip.to_string(),
                neighbor.mac.clone(),
                place,
                or_dash(neighbor.vtep),
                or_dash(neighbor.since_s.map(uptime)),
                neighbor.installed.map_or_else(|| "-".to_owned(), yes_no),
            ]);
        }
        self.table.write(out)
    }

    pub(in crate::ctl) fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        let (local, remote) = (self.local, self.remote);
        self.table.finish(out)?;
        let total = counted(local + remote, "IP address", "IP addresses");
        writeln!(out, "Total: {total}, {local} local, {remote} remote")?;
        if self.outside > 0 {
            writeln!(
                out,
                "! {} in none of the subnets of its VNI: told without the L3 VNI, so that no other \
                 site routes it here",
                self.outside
            )?;
        }
        Ok(())
    }
}

/// `show evpn vteps`.
pub(in crate::ctl) fn evpn_vteps(vteps: &EvpnVteps, out: &mut dyn Write) -> io::Result<()> {
    let names = [
        "VTEP", "Neighbor", "Since", ">Routes", ">MACs", "Way", "VNIs",
    ];
    let mut table = Table::new(&names).fit(&["Neighbor", "Way"]);
    for vtep in &vteps.vteps {
        let vnis: Vec<String> = vtep.vnis.iter().map(ToString::to_string).collect();
        table.row([
            vtep.vtep.to_string(),
            or_dash(vtep.neighbor),
            or_dash(vtep.since_s.map(uptime)),
            vtep.routes.to_string(),
            vtep.macs.to_string(),
            or_dash(vtep.underneath.as_ref().map(underneath)),
            list(&vnis),
        ]);
    }
    table.finish(out)?;
    let sum = |of: fn(&Vtep) -> u64| vteps.vteps.iter().map(of).sum::<u64>();
    writeln!(
        out,
        "Total: {}, {}, {}",
        counted(vteps.vteps.len(), "site", "sites"),
        counted(sum(|vtep| vtep.routes), "route", "routes"),
        counted(sum(|vtep| vtep.macs), "MAC address", "MAC addresses"),
    )
}

/// How packets get to a tunnel endpoint.
fn underneath(by: &Underneath) -> String {
    let way = |way: &UnderneathWay| match way.gateway {
        Some(gateway) => format!("via {gateway} dev {}", way.interface),
        None => format!("dev {}", way.interface),
    };
    let list = |ways: &[UnderneathWay]| ways.iter().map(way).collect::<Vec<_>>().join(", ");
    match by {
        Underneath::Route(ways) => list(ways),
        Underneath::Default(ways) => format!("default route {}", list(ways)),
        Underneath::Nothing => "no route".to_owned(),
    }
}

/// A tunnel endpoint, with the VNI that it takes frames with if that is not ours.
fn towards(vtep: IpAddr, vni: Option<u32>) -> String {
    match vni {
        Some(vni) => format!("{vtep} (VNI {vni})"),
        None => vtep.to_string(),
    }
}

/// `show evpn next-hops`.
pub(in crate::ctl) fn evpn_next_hops(hops: &EvpnNextHops, out: &mut dyn Write) -> io::Result<()> {
    let names = [
        "VRF",
        ">L3 VNI",
        "Next Hop",
        "Router MAC",
        "VTEP",
        ">Routes",
    ];
    let mut table = Table::new(&names).fit(&["VTEP"]);
    for hop in &hops.next_hops {
        table.row([
            hop.vrf.clone(),
            hop.l3_vni.to_string(),
            hop.next_hop.to_string(),
            hop.mac.clone(),
            towards(hop.vtep, hop.downstream_vni),
            hop.routes.to_string(),
        ]);
    }
    table.finish(out)?;
    let routes: u64 = hops.next_hops.iter().map(|hop| hop.routes).sum();
    writeln!(
        out,
        "Total: {}, {}",
        counted(hops.next_hops.len(), "next hop", "next hops"),
        counted(routes, "route", "routes"),
    )
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
    table.finish(out)?;
    let frozen = duplicates.duplicates.iter().filter(|it| it.frozen).count();
    let total = counted(duplicates.duplicates.len(), "duplicate", "duplicates");
    writeln!(out, "Total: {total}, {frozen} frozen")?;
    for line in &duplicates.conflicts {
        writeln!(out, "{}", printable(line.clone()))?;
    }
    Ok(())
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
    for line in &cleared.conflicts {
        writeln!(out, "forgotten: {}", printable(line.clone()))?;
    }
    if cleared.duplicates.is_empty() && cleared.conflicts.is_empty() {
        writeln!(out, "there are no duplicates")?;
    }
    Ok(())
}

/// `show evpn routes`, page by page.
pub(in crate::ctl) struct EvpnRouteTable {
    table: Table,
    routes: BTreeMap<u64, u64>,
    paths: u64,
}

impl Default for EvpnRouteTable {
    fn default() -> Self {
        let names = [
            "",
            "Route",
            "Next Hop",
            "Neighbor",
            ">LocPrf",
            "Since",
            "VNIs",
            "Communities",
            "Path",
        ];
        Self {
            table: Table::new(&names).fit(&["Communities", "LocPrf", "Neighbor", "VNIs", "Since"]),
            routes: BTreeMap::new(),
            paths: 0,
        }
    }
}

impl EvpnRouteTable {
    pub(in crate::ctl) fn page(
        &mut self,
        routes: &[EvpnRoute],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for row in routes {
            self.paths += 1;
            if row.route.best {
                let number = row.evpn.get("type").and_then(serde_json::Value::as_u64);
                *self.routes.entry(number.unwrap_or(0)).or_default() += 1;
            }
            let vnis = row.vnis.iter().map(|import| match import.fault {
                None => import.vni.to_string(),
                Some(_) => format!("{}(unused)", import.vni),
            });
            let l3_vnis = row.vrfs.iter().map(|import| match import.fault {
                None => import.l3_vni.to_string(),
                Some(_) => format!("{}(unused)", import.l3_vni),
            });
            let vnis: Vec<String> = vnis.chain(l3_vnis).collect();
            let [codes, network, next_hop, neighbor, _, local_pref, _, path] =
                route_cells(&row.route);
            let communities = list(&row.route.extended_communities);
            self.table.row([
                codes,
                network,
                next_hop,
                neighbor,
                local_pref,
                or_dash(row.since_s.map(uptime)),
                list(&vnis),
                communities,
                path,
            ]);
        }
        self.table.write(out)?;
        for EvpnRoute {
            route, vnis, vrfs, ..
        } in routes
        {
            for import in vnis {
                if let Some(fault) = &import.fault {
                    let fault = printable(fault.clone());
                    writeln!(out, "{} in VNI {}: {fault}", route.prefix, import.vni)?;
                }
            }
            for EvpnVrfImport { vrf, fault, .. } in vrfs {
                if let Some(fault) = fault {
                    let (vrf, fault) = (printable(vrf.clone()), printable(fault.clone()));
                    writeln!(out, "{} in VRF {vrf}: {fault}", route.prefix)?;
                }
            }
        }
        Ok(())
    }

    pub(in crate::ctl) fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            table,
            routes,
            paths,
        } = self;
        table.finish(out)?;
        let of_type = |(number, count): (&u64, &u64)| format!(", {count} of type {number}");
        let types: String = routes.iter().map(of_type).collect();
        let used = counted(routes.values().sum::<u64>(), "route", "routes");
        writeln!(
            out,
            "Total: {used} in {}{types}",
            counted(paths, "path", "paths")
        )
    }
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
