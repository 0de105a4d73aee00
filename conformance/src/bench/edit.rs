//! A policy that is edited for ten of a million routes, import and export.
//!
//! A reload is due to find the ten, tell the other neighbour of them, and of nothing else. The
//! clock runs from the start of `rbgpctl reload` until the neighbour has heard of all ten; then
//! the daemon is left alone until it is idle, and what the neighbour has heard is counted.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::Fault;
use super::bout::Bout;
use super::daemon::built;
use super::table::Table;

/// Routes whose policy is edited.
const EDITED: usize = 10;

/// How often each policy is edited.
const TIMES: u32 = 10;

/// Which policy.
#[derive(Debug, Clone, Copy)]
enum Which {
    Import,
    Export,
}

/// Edits both policies of a loaded daemon; the second neighbour is told.
pub(super) fn measure(bout: &mut Bout<'_>, table: &Table) -> Result<(), Fault> {
    let socket = bout.arena.control_socket();
    let config = socket.with_file_name("rbgpd.toml");
    let plain = fs::read_to_string(&config)?;
    let few = few(table);
    let edit = |import, export| edited(&plain, &few, import, export);
    // What neighbours have no policy for is read anew once.
    fs::write(&config, edit(0, 0))?;
    finish(reload(&socket)?)?;
    bout.settle()?;
    for (which, key) in [
        (Which::Import, "edit_in_ms"),
        (Which::Export, "edit_out_ms"),
    ] {
        let mut slowest = Duration::ZERO;
        for metric in 1..=TIMES {
            let text = match which {
                Which::Import => edit(metric, 0),
                Which::Export => edit(TIMES, metric),
            };
            fs::write(&config, text)?;
            slowest = slowest.max(once(bout, &socket)?);
        }
        bout.record.set(key, slowest.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// One reload: how long until the second neighbour has heard of the few.
fn once(bout: &mut Bout<'_>, socket: &Path) -> Result<Duration, Fault> {
    let heard = |bout: &Bout<'_>| {
        bout.fleet
            .peers
            .get(1)
            .map_or(0, |it| it.view.announcements)
    };
    let before = heard(bout);
    let start = Instant::now();
    let child = reload(socket)?;
    let told = bout.fleet.run(LIMIT, |fleet| {
        let peer = fleet.peers.get(1);
        peer.is_some_and(|peer| peer.view.announcements >= before + EDITED)
    })?;
    let wall = start.elapsed();
    finish(child)?;
    bout.settle()?;
    match heard(bout) - before {
        EDITED if told => Ok(wall),
        other => Err(format!("{other} routes were told after an edit for {EDITED}").into()),
    }
}

const LIMIT: Duration = Duration::from_secs(20);

/// The few, spread over the table.
fn few(table: &Table) -> Vec<String> {
    let all = table.prefixes();
    let every = (all.len() / EDITED).max(1);
    let few = all.iter().step_by(every).take(EDITED);
    few.map(|it| format!("\"permit {}/{}\"", Ipv4Addr::from(it.bits), it.len))
        .collect()
}

/// The daemon's configuration with a map for the one who sends and one for the one who is told.
fn edited(plain: &str, few: &[String], import: u32, export: u32) -> String {
    let map = |name: &str, key: &str, value: u32| {
        format!(
            "[[route_map]]\nname = \"{name}\"\nentry = [\n{{ seq = 10, action = \"permit\", match = \
             {{ prefix_list = \"FEW\" }}, set = {{ {key} = {value} }} }},\n\
             {{ seq = 20, action = \"permit\" }},\n]\n"
        )
    };
    let family = "ipv4_unicast = {";
    let text = plain.replacen(
        &format!("{family} export = \"NOTHING\" }}"),
        &format!("{family} import = \"EDIT-IN\", export = \"NOTHING\" }}"),
        1,
    );
    let text = text.replacen(
        &format!("{family}  }}"),
        &format!("{family} export = \"EDIT-OUT\" }}"),
        1,
    );
    let list = few.join(", ");
    let (import, export) = (
        map("EDIT-IN", "local_preference", 200 + import),
        map("EDIT-OUT", "metric", export),
    );
    format!("{text}[[prefix_list]]\nname = \"FEW\"\nrules = [{list}]\n{import}{export}")
}

pub(super) fn reload(socket: &Path) -> Result<Child, Fault> {
    let mut command = std::process::Command::new(built("rbgpctl"));
    command.arg("--socket").arg(socket).arg("reload");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

pub(super) fn finish(child: Child) -> Result<(), Fault> {
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}
