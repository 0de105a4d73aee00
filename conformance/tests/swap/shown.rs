//! What FRR and rbgpd show of one file, compared line by line in their blocks.

use std::collections::BTreeSet;

use conformance::lab::Error;

/// Both have shown the same, but for what has a reason.
pub(super) fn shown_alike(theirs: &str, ours: &str) -> Result<(), Error> {
    let (theirs, ours) = (blocks(theirs), blocks(ours));
    let named = |line: &&String| !SHOWN_OTHERWISE.iter().any(|(it, _)| line.contains(it));
    let only: Vec<_> = theirs.difference(&ours).filter(named).collect();
    let more: Vec<_> = ours.difference(&theirs).filter(named).collect();
    match only.is_empty() && more.is_empty() {
        true => Ok(()),
        false => Err(Error::State(format!(
            "only FRR shows {only:#?}\nonly rbgpd shows {more:#?}"
        ))),
    }
}

/// Lines with the blocks they stand in, as indentation and `exit` tell.
fn blocks(text: &str) -> BTreeSet<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        let is_end = line.starts_with("exit") || line == "end" || line.starts_with('!');
        let talk = line.starts_with("Building") || line.starts_with("Current");
        if line.is_empty() || is_end || talk {
            continue;
        }
        open.truncate(depth);
        all.insert(format!("{} / {line}", open.join(" / ")));
        open.push(line);
    }
    all
}

/// What one shows and the other does not, and why; the rest is the same.
const SHOWN_OTHERWISE: &[(&str, &str)] = &[
    (" / frr version", "rbgpd is no FRR"),
    (" / log ", "the lab's own"),
    (" / hostname", "FRR shows the host's own"),
    (
        " / service integrated-vtysh-config",
        "8.4 does not show it here",
    ),
    (
        " / no bgp ebgp-requires-policy",
        "FRR leaves it out where it is the default, with `frr defaults datacenter`",
    ),
    (" / no ip forwarding", "zebra shows what the kernel does"),
    (" / no ipv6 forwarding", "zebra shows what the kernel does"),
];
