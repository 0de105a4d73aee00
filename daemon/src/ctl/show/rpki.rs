//! `show rpki`.

use std::io::{self, Write};

use crate::control::reply::{Rpki, RpkiCache, RpkiLookup};
use crate::control::words::counted;
use crate::ctl::table::{Table, or_dash, printable, uptime};

use super::yes_no;

/// The caches, or what is said of a prefix.
pub(in crate::ctl) fn rpki(rpki: &Rpki, out: &mut dyn Write) -> io::Result<()> {
    if let Some(found) = &rpki.lookup {
        lookup(found, out)?;
        return match rpki.caches.is_empty() {
            true => no_cache(out),
            false => Ok(()),
        };
    }
    if rpki.caches.is_empty() {
        return no_cache(out);
    }
    let all = rpki.vrps.ipv4 + rpki.vrps.ipv6;
    writeln!(
        out,
        "Routes are validated by {} ({} IPv4, {} IPv6)\n",
        counted(all, "VRP", "VRPs"),
        rpki.vrps.ipv4,
        rpki.vrps.ipv6
    )?;
    let mut table = Table::new(&[
        "Cache", ">Pref", "State", "Used", ">Ver", ">Session", ">Serial", ">VRPs", ">Age",
        ">Expires", ">Lost",
    ])
    .fit(&["Session", "Ver", "Lost"]);
    for cache in &rpki.caches {
        table.row([
            cache.address.to_string(),
            cache.preference.to_string(),
            cache.state.clone(),
            yes_no(cache.in_use),
            or_dash(cache.version),
            or_dash(cache.session),
            or_dash(cache.serial),
            (cache.vrps.ipv4 + cache.vrps.ipv6).to_string(),
            or_dash(cache.age_s.map(uptime)),
            or_dash(cache.expires_in_s.map(uptime)),
            cache.losses.to_string(),
        ]);
    }
    table.finish(out)?;
    rpki.caches.iter().try_for_each(|cache| remark(cache, out))
}

fn remark(cache: &RpkiCache, out: &mut dyn Write) -> io::Result<()> {
    match &cache.error {
        Some(error) => writeln!(out, "{}: {}", cache.address, printable(error.clone())),
        None => Ok(()),
    }
}

fn no_cache(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "No RPKI cache is configured ([[rpki]]): routes are not validated"
    )
}

fn lookup(found: &RpkiLookup, out: &mut dyn Write) -> io::Result<()> {
    let whose = match found.asn {
        Some(asn) => format!(" from AS {asn}"),
        None => String::new(),
    };
    match &found.state {
        Some(state) => writeln!(out, "{}{whose}: {state}", found.prefix)?,
        None => writeln!(
            out,
            "{}: covered by {}",
            found.prefix,
            counted(found.covering.len(), "VRP", "VRPs")
        )?,
    }
    for vrp in &found.covering {
        writeln!(
            out,
            "  {} up to length {}, AS {}",
            vrp.prefix, vrp.max_length, vrp.asn
        )?;
    }
    Ok(())
}
