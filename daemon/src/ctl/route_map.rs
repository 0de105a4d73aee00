//! `show route-map`: entries in the words of the configuration, and how often each one matched.

use std::io::{self, Write};

use super::table::printable;
use crate::control::reply::{RouteMap, RouteMapEntry, RouteMaps};

/// Writes the maps, a blank line between them.
pub(super) fn show(maps: &RouteMaps, out: &mut dyn Write) -> io::Result<()> {
    for (at, map) in maps.route_maps.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        write_map(map, out)?;
    }
    Ok(())
}

fn write_map(map: &RouteMap, out: &mut dyn Write) -> io::Result<()> {
    let name = printable(map.name.clone());
    writeln!(out, "{name}, evaluated {} times", map.evaluations)?;
    match map.used_by.as_slice() {
        [] => writeln!(out, "  not used")?,
        used => writeln!(out, "  used by {}", printable(used.join(", ")))?,
    }
    map.entries
        .iter()
        .try_for_each(|entry| write_entry(entry, out))
}

fn write_entry(entry: &RouteMapEntry, out: &mut dyn Write) -> io::Result<()> {
    let RouteMapEntry {
        seq, action, hits, ..
    } = entry;
    write!(
        out,
        "  {seq} {}, matched {hits} times",
        printable(action.clone())
    )?;
    match &entry.description {
        Some(description) => writeln!(out, ": {}", printable(description.clone()))?,
        None => writeln!(out)?,
    }
    for condition in &entry.matches {
        writeln!(out, "    match {}", printable(condition.clone()))?;
    }
    for change in &entry.set {
        writeln!(out, "    set {}", printable(change.clone()))?;
    }
    if let Some(call) = &entry.call {
        writeln!(out, "    call {}", printable(call.clone()))?;
    }
    if entry.on_match != "exit" {
        writeln!(out, "    on_match {}", printable(entry.on_match.clone()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_shown_with_what_they_do_and_how_often_they_did_it() {
        let entry = RouteMapEntry {
            seq: 10,
            action: "permit".to_owned(),
            description: Some("ours".to_owned()),
            matches: vec!["prefix_list = \"INTERNAL\"".to_owned()],
            set: vec!["metric = 100".to_owned()],
            call: Some("OTHER".to_owned()),
            on_match: "next".to_owned(),
            hits: 7,
        };
        let plain = RouteMapEntry {
            seq: 20,
            action: "deny".to_owned(),
            description: None,
            matches: Vec::new(),
            set: Vec::new(),
            call: None,
            on_match: "exit".to_owned(),
            hits: 0,
        };
        let map = |name: &str, used_by, entries| RouteMap {
            name: name.to_owned(),
            evaluations: 9,
            used_by,
            entries,
        };
        let used = vec!["10.10.0.2 ipv4_unicast export".to_owned()];
        let route_maps = vec![
            map("OUT", used, vec![entry, plain]),
            map("IDLE", Vec::new(), Vec::new()),
        ];
        let mut out = Vec::new();
        show(&RouteMaps { route_maps }, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "OUT, evaluated 9 times\n  \
             used by 10.10.0.2 ipv4_unicast export\n  \
             10 permit, matched 7 times: ours\n    \
             match prefix_list = \"INTERNAL\"\n    \
             set metric = 100\n    \
             call OTHER\n    \
             on_match next\n  \
             20 deny, matched 0 times\n\
             \n\
             IDLE, evaluated 9 times\n  \
             not used\n"
        );
    }
}
