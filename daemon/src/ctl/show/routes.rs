//! `show routes`, page by page.

use std::io::{self, Write};

use bgp::Prefix;

use crate::control::Select;
use crate::control::reply::*;
use crate::ctl::table::{Table, or_dash};

/// `show routes`, page by page: one table for each family.
#[derive(Debug, Default)]
pub(in crate::ctl) struct RouteTables {
    current: Option<(String, Table)>,
    count: u64,
}

impl RouteTables {
    /// Writes a page.
    pub(in crate::ctl) fn page(
        &mut self,
        routes: &[Route],
        out: &mut dyn Write,
    ) -> io::Result<()> {
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
    pub(in crate::ctl) fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.current.take() {
            Some((_, table)) => table.finish(out),
            None => Ok(()),
        }
    }

    /// Rows so far.
    pub(in crate::ctl) fn rows(&self) -> u64 {
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
pub(in crate::ctl) fn no_route(
    prefix: Prefix,
    select: Select,
    covered_by: Option<&str>,
) -> [String; 3] {
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

pub(super) fn route_cells(route: &Route) -> [String; 8] {
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

/// Who told us, with the identifier where several paths of a prefix may come from there; of our own
/// routes those that were taken over from the kernel say whose they were.
fn who(route: &Route) -> String {
    let neighbor = route.neighbor;
    let own = || route.source.as_deref().unwrap_or("local").to_owned();
    let neighbor = neighbor.map_or_else(own, |address| address.to_string());
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
pub(in crate::ctl) fn as_path(path: &[AsPathItem], empty: &str) -> String {
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
