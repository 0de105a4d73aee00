//! The text of `rbgpctl explain`.

use std::io::{self, Write};

use super::show::as_path;
use super::table::{or_dash, printable};
use crate::control::reply::{Explain, Explained, ExplainedPath, KernelEntry, Route, Told};

/// Writes an explanation.
pub(super) fn explain(explain: &Explain, out: &mut dyn Write) -> io::Result<()> {
    if explain.entries.is_empty() {
        return writeln!(out, "{}: nothing is known about it", explain.target);
    }
    for (at, entry) in explain.entries.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one(entry, out)?;
    }
    Ok(())
}

fn one(entry: &Explained, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({})", entry.subject, entry.family)?;
    for note in &entry.notes {
        writeln!(out, "  note: {}", printable(note.clone()))?;
    }
    writeln!(out, "  paths:{}", none_if(entry.paths.is_empty()))?;
    for path in &entry.paths {
        one_path(path, out)?;
    }
    writeln!(out, "  kernel:{}", none_if(entry.kernel.is_empty()))?;
    for kernel in &entry.kernel {
        one_kernel_entry(kernel, out)?;
    }
    writeln!(out, "  told:{}", none_if(entry.told.is_empty()))?;
    for told in &entry.told {
        one_told(told, out)?;
    }
    Ok(())
}

fn none_if(empty: bool) -> &'static str {
    if empty { " none" } else { "" }
}

fn one_path(path: &ExplainedPath, out: &mut dyn Write) -> io::Result<()> {
    let mark = if path.chosen { '>' } else { ' ' };
    let verdict = printable(path.verdict.clone());
    let id = path.route.as_ref().map_or(0, |route| route.path_id);
    let id = match id {
        0 => String::new(),
        id => format!(", path identifier {id}"),
    };
    writeln!(out, "  {mark} from {}{id}: {verdict}", path.from)?;
    if let Some(route) = &path.route {
        writeln!(out, "      {}", details(route))?;
    }
    for key in &path.routes {
        writeln!(out, "      route: {}", printable(key.clone()))?;
    }
    steps(&path.policy, out)
}

fn steps(policy: &[String], out: &mut dyn Write) -> io::Result<()> {
    for step in policy {
        writeln!(out, "      policy: {}", printable(step.clone()))?;
    }
    Ok(())
}

/// Everything the decision may have looked at, in one line.
fn details(route: &Route) -> String {
    let hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "next hop {}, AS path {}, origin {}, local pref {}, MED {}",
        if hops.is_empty() {
            "-".to_owned()
        } else {
            hops.join(" ")
        },
        as_path(&route.as_path, "empty"),
        route.origin,
        or_dash(route.local_pref),
        or_dash(route.med),
    );
    for (name, list) in [
        ("communities", &route.communities),
        ("large communities", &route.large_communities),
        ("extended communities", &route.extended_communities),
    ] {
        if !list.is_empty() {
            text.push_str(&format!(", {name} {}", list.join(" ")));
        }
    }
    if let Some(state) = &route.rpki {
        text.push_str(&format!(", rpki {state}"));
    }
    if route.stale {
        text.push_str(", stale");
    }
    text
}

fn one_kernel_entry(entry: &KernelEntry, out: &mut dyn Write) -> io::Result<()> {
    let state = match (entry.installed, &entry.want) {
        (true, _) => "installed",
        (false, Some(_)) => "NOT installed",
        (false, None) => "should not be there",
    };
    writeln!(out, "    {}: {state}", entry.entry)?;
    if entry.want == entry.have {
        if let Some(have) = &entry.have {
            writeln!(out, "      {have}")?;
        }
    } else {
        writeln!(out, "      want: {}", or_dash(entry.want.as_ref()))?;
        writeln!(out, "      have: {}", or_dash(entry.have.as_ref()))?;
    }
    match &entry.error {
        Some(error) => writeln!(out, "      refused: {}", printable(error.clone())),
        None => Ok(()),
    }
}

fn one_told(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let answer = if told.advertised { "yes" } else { "no" };
    let why = printable(told.why.clone());
    writeln!(out, "    {}: {answer}: {why}", told.neighbor)?;
    steps(&told.policy, out)
}
