//! Changes in words: a line for each, as `reload --dry-run` and the log have them.

use std::fmt;

use super::{
    Diff, FieldChange, Members, NeighborChange, PolicyChange, PolicyDifference, PolicyUse,
};

/// One line for each change; `no changes` when there are none.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        let restart = self.restart_required.iter();
        lines.extend(restart.map(|change| format!("{change} (needs a restart of rbgpd)")));
        let identity = self.identity.iter();
        lines.extend(identity.map(|change| format!("{change} (sessions restart)")));
        lines.extend(self.globals.iter().map(FieldChange::to_string));
        let changed = |lines: &mut Vec<String>, whose: String, change: &NeighborChange| {
            let restarts = match change.session_restart {
                true => " (session restarts)",
                false => "",
            };
            for field in &change.fields {
                lines.push(format!("{whose}: {field}{restarts}"));
            }
        };
        members_lines(
            &mut lines,
            "neighbor",
            &self.neighbors,
            |lines, it, change| {
                changed(lines, format!("neighbor {it}"), change);
            },
        );
        members_lines(
            &mut lines,
            "neighbor",
            &self.interfaces,
            |lines, it, change| {
                changed(lines, format!("neighbor {it}"), change);
            },
        );
        members_lines(
            &mut lines,
            "listen_range",
            &self.listen_ranges,
            |lines, it, change| {
                changed(lines, format!("listen_range {it}"), change);
            },
        );
        members_lines(
            &mut lines,
            "import from",
            &self.imports,
            |lines, from, fields| {
                let changes = fields.iter();
                lines.extend(changes.map(|field| format!("import from {from}: {field}")));
            },
        );
        members_lines(&mut lines, "vni", &self.vnis, |lines, id, fields| {
            lines.extend(fields.iter().map(|field| format!("vni {id}: {field}")));
        });
        members_lines(
            &mut lines,
            "interface",
            &self.host_interfaces,
            |lines, name, fields| {
                let line = |field: &FieldChange| format!("interface {name}: {field}");
                lines.extend(fields.iter().map(line));
            },
        );
        members_lines(
            &mut lines,
            "static_route",
            &self.static_routes,
            |lines, key, fields| {
                let line = |field: &FieldChange| format!("static_route {key}: {field}");
                lines.extend(fields.iter().map(line));
            },
        );
        members_lines(&mut lines, "bfd", &self.bfd, |lines, it, fields| {
            lines.extend(fields.iter().map(|field| format!("bfd {it}: {field}")));
        });
        members_lines(&mut lines, "rpki", &self.rpki, |lines, it, fields| {
            lines.extend(fields.iter().map(|field| format!("rpki {it}: {field}")));
        });
        members_lines(
            &mut lines,
            "network",
            &self.networks,
            |lines, prefix, change| {
                lines.push(format!("network {prefix}: {change}"));
            },
        );
        members_lines(
            &mut lines,
            "aggregate",
            &self.aggregates,
            |lines, prefix, change| {
                lines.push(format!("aggregate {prefix}: {change}"));
            },
        );
        lines.extend(self.policies.iter().map(PolicyChange::to_string));
        match lines.is_empty() {
            true => f.write_str("no changes"),
            false => f.write_str(&lines.join("\n")),
        }
    }
}

fn members_lines<K: fmt::Display, C>(
    lines: &mut Vec<String>,
    what: &str,
    members: &Members<K, C>,
    mut changed: impl FnMut(&mut Vec<String>, &K, &C),
) {
    lines.extend(
        members
            .added
            .iter()
            .map(|key| format!("{what} {key}: added")),
    );
    lines.extend(
        members
            .removed
            .iter()
            .map(|key| format!("{what} {key}: removed")),
    );
    for (key, change) in &members.changed {
        changed(lines, key, change);
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| match value {
            Some(value) => value.clone(),
            None => "default".to_owned(),
        };
        let (before, after) = (shown(&self.before), shown(&self.after));
        write!(f, "{} {before} -> {after}", self.key)
    }
}

impl fmt::Display for PolicyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            PolicyDifference::Added => "added",
            PolicyDifference::Removed => "removed",
            PolicyDifference::Changed => "changed",
        };
        write!(f, "{} {}: {change}", self.kind.word(), self.name)?;
        for (at, used) in self.used_by.iter().enumerate() {
            let comma = if at == 0 { "; affects " } else { ", " };
            write!(f, "{comma}{used}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PolicyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyUse::Neighbor {
                address,
                range,
                family,
                direction,
            } => match range {
                Some(range) => write!(f, "{range} {family} {direction}"),
                None => write!(f, "{address} {family} {direction}"),
            },
            PolicyUse::Network(prefix) => write!(f, "network {prefix}"),
            PolicyUse::Redistribution {
                family,
                source,
                table,
            } => match table {
                Some(table) => write!(f, "{family} redistribute {source} of table {table}"),
                None => write!(f, "{family} redistribute {source}"),
            },
            PolicyUse::Aggregate(prefix) => write!(f, "aggregate {prefix}"),
            PolicyUse::Overlay(direction) => write!(f, "l3vni {direction}"),
            PolicyUse::Instance(name) => write!(f, "import from {name}"),
        }
    }
}
