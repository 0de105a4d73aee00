//! `show static`.

use std::io::{self, Write};

use crate::control::reply::StaticRoutes;
use crate::ctl::table::{Table, printable};

/// A line a route; reasons below.
pub(in crate::ctl) fn static_routes(reply: &StaticRoutes, out: &mut dyn Write) -> io::Result<()> {
    if reply.routes.is_empty() {
        return writeln!(out, "No static route is configured ([[static_route]])");
    }
    let mut table = Table::new(&["Prefix", ">Table", ">Dist", "State", "Leaves"]).fit(&["Table"]);
    for route in &reply.routes {
        let ways = match (route.kind.as_str(), route.ways.is_empty()) {
            ("unicast", true) => route.next_hops.join(", "),
            ("unicast", false) => route.ways.join(", "),
            (kind, _) => kind.to_owned(),
        };
        table.row([
            route.prefix.clone(),
            route.table.to_string(),
            route.distance.to_string(),
            route.state.clone(),
            ways,
        ]);
    }
    table.finish(out)?;
    for route in &reply.routes {
        if let Some(why) = &route.why {
            let line = format!("{} distance {}: {why}", route.prefix, route.distance);
            writeln!(out, "{}", printable(line))?;
        }
    }
    Ok(())
}
