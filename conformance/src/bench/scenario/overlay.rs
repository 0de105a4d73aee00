//! EVPN down to the kernel: FDB entries and neighbours from routes, routes from what bridges learn,
//! and two thousand networks with one reload.
//!
//! rbgpd makes its devices itself; for peers they are made before they start. Each VNI has a bridge
//! of its own with one VXLAN device in it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::super::Fault;
use super::super::arena::Arena;
use super::super::bout::{Bout, run};
use super::super::daemon::{ADDRESS, Daemon, Job, built};
use super::super::fleet::Fleet;
use super::super::kernel::{self, Entry, EntryProbe};
use super::super::report::Record;
use super::super::table::{self, FIRST_VNI};
use super::super::view::View;
use super::super::wire::Family;
use super::super::{config, edit};
use super::{Context, full, loaded, plan, ready, speaker, unicast};

/// Overlay networks that routes are spread over.
const VNIS: u32 = 100;

/// How many routes are looked for in the kernel while waiting.
const SAMPLES: u32 = 1000;

/// How long devices may take to be made or removed.
const DEVICES: Duration = Duration::from_secs(600);

pub(super) fn remote_job(_: &Context) -> Job {
    Job {
        family: Family::Evpn,
        kernel: true,
        vnis: VNIS,
        ..unicast(1, 0)
    }
}

/// One neighbour's MAC/IP routes into the kernel, then withdrawn.
pub(super) fn remote(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = u32::try_from(context.count(100_000))?;
    let bytes = table::macs(0, count, VNIS, speaker(0, 0));
    let gone = table::mac_withdrawals(0, count, VNIS, speaker(0, 0));
    let sends = [(0, loaded(&bytes, Family::Evpn))];
    let plan = plan(context, remote_job(context), |_| {
        View::evpn(0, table::vni_of_100)
    });
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        let devices = made(bout, VNIS)?;
        bout.settle()?;
        let step = bout.entries_step("load", &sends, &devices, count, true)?;
        bout.record_load(&step.0, usize::try_from(count)?)?;
        bout.record.set("kernel_full_s", step.1.as_secs_f64());
        let there = Entries::count(bout.arena)?;
        let all = usize::try_from(count)?;
        let expected = Entries {
            tunnel: all,
            bridge: all,
            neighbours: all,
        };
        if there != expected {
            return Err(format!("of {count} in the kernel: {there:?}").into());
        }
        let loading = step.0.cpu;
        let step = bout.entries_step("withdraw", &[(0, gone)], &devices, count, false)?;
        bout.record.set("withdraw_s", step.1.as_secs_f64());
        bout.record.set("withdraw_cpu_s", step.0.cpu.as_secs_f64());
        let none = Entries {
            tunnel: 0,
            bridge: 0,
            neighbours: 0,
        };
        let left = Entries::count(bout.arena)?;
        if left != none {
            return Err(format!("left in the kernel: {left:?}").into());
        }
        if daemon.is_ours() {
            // Beside the daemon, which listens as any must.
            let all: Result<Vec<Entry>, Fault> =
                (0..count).map(|id| entry(id, &devices)).collect();
            let (all, vtep) = (all?, speaker(0, 0).address);
            let floor = bout
                .arena
                .dut
                .within(|| kernel::entries_floor(&all, vtep))??;
            bout.record.set("floor_cpu_s", floor.as_secs_f64());
            let times = loading.as_secs_f64() / floor.as_secs_f64();
            bout.record.set("cpu_to_floor", times);
        }
        Ok(())
    })
}

/// What the kernel holds of routes of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entries {
    tunnel: usize,
    bridge: usize,
    neighbours: usize,
}

impl Entries {
    fn count(arena: &Arena) -> Result<Self, Fault> {
        let fdb = arena.dut.run(&["bridge", "fdb", "show"])?;
        let ours = fdb.lines().filter(|line| line.starts_with("02:00:00:"));
        let (mut tunnel, mut bridge) = (0, 0);
        for line in ours.filter(|line| line.contains("extern_learn")) {
            tunnel += usize::from(line.contains(" dst "));
            bridge += usize::from(line.contains(" master "));
        }
        let neighbours = arena.dut.ip("-4 neighbor show nud all")?;
        let neighbours = neighbours.lines().filter(|line| line.starts_with("172."));
        Ok(Self {
            tunnel,
            bridge,
            neighbours: neighbours.count(),
        })
    }
}

/// Numbers of the devices in the kernel by name, once all are there.
fn made(bout: &mut Bout<'_>, vnis: u32) -> Result<HashMap<String, u32>, Fault> {
    let wanted = 2 * usize::try_from(vnis)?;
    let end = Instant::now() + DEVICES;
    loop {
        let mut devices = HashMap::new();
        for link in bout
            .arena
            .dut
            .json("ip", "link show up")?
            .as_array()
            .into_iter()
            .flatten()
        {
            let (name, index) = (link["ifname"].as_str(), link["ifindex"].as_u64());
            if let (Some(name), Some(index)) = (name, index) {
                devices.insert(name.to_owned(), u32::try_from(index)?);
            }
        }
        let overlay = |name: &&String| name.starts_with("br") || name.starts_with("vxlan");
        if devices.keys().filter(overlay).count() == wanted {
            return Ok(devices);
        }
        if Instant::now() > end {
            return Err(format!("{} devices, {wanted} wanted", devices.len()).into());
        }
        bout.fleet.run(Duration::from_millis(50), |_| false)?;
    }
}

/// Where a MAC/IP route of the benchmark is to be.
fn entry(id: u32, devices: &HashMap<String, u32>) -> Result<Entry, Fault> {
    let vni = table::vni_of_100(id);
    let index = |name: String| devices.get(&name).copied().ok_or("a device is gone");
    Ok(Entry {
        id,
        bridge: index(format!("br{vni}"))?,
        vxlan: index(format!("vxlan{vni}"))?,
    })
}

impl Bout<'_> {
    /// Like [`Bout::step`], until a sample of the routes is in the kernel or gone from it: what it
    /// cost, and how long that took.
    fn entries_step(
        &mut self,
        what: &str,
        sends: &[(usize, std::sync::Arc<[u8]>)],
        devices: &HashMap<String, u32>,
        count: u32,
        there: bool,
    ) -> Result<(super::Step, Duration), Fault> {
        let every = (count / SAMPLES).max(1);
        let mut sample = Vec::new();
        for id in (0..count).rev().step_by(usize::try_from(every)?) {
            sample.push(entry(id, devices)?);
        }
        let probe = RefCell::new(self.arena.dut.within(|| EntryProbe::new(sample, there))??);
        let start = Instant::now();
        let ready: Cell<Option<Duration>> = Cell::new(None);
        let step = self.step(what, sends, |_| {
            if ready.get().is_none() && probe.borrow_mut().ready() {
                ready.set(Some(start.elapsed()));
            }
            ready.get().is_some()
        })?;
        let took = ready.get().ok_or("no sample")?;
        Ok((step, took))
    }
}

pub(super) fn local_job(_: &Context) -> Job {
    Job {
        family: Family::Evpn,
        kernel: true,
        vnis: VNIS,
        ..unicast(0, 1)
    }
}

/// MAC addresses that bridges learn, all at once, until the neighbour has heard of each.
pub(super) fn local(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let count = u32::try_from(context.count(10_000))?;
    let all = usize::try_from(count)?;
    let plan = plan(context, local_job(context), |_| {
        View::evpn(all, table::vni_of_100)
    });
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        made(bout, VNIS)?;
        ports(bout.arena)?;
        let (mut learned, mut forgotten) = (String::new(), String::new());
        for id in 0..count {
            let [_, a, b, c] = id.to_be_bytes();
            let (mac, vni) = (
                format!("02:00:00:{a:02x}:{b:02x}:{c:02x}"),
                table::vni_of_100(id),
            );
            writeln!(learned, "fdb add {mac} dev port{vni} master dynamic")?;
            writeln!(forgotten, "fdb del {mac} dev port{vni} master")?;
        }
        let folder = bout.arena.folder()?;
        let (add, del) = (folder.join("learned"), folder.join("forgotten"));
        fs::write(&add, learned)?;
        fs::write(&del, forgotten)?;
        bout.settle()?;
        let batch = |bout: &Bout<'_>, file: &std::path::Path| -> Result<Child, Fault> {
            let mut command = bout.arena.dut.command("bridge");
            command.arg("-batch").arg(file);
            Ok(command.stderr(Stdio::piped()).spawn()?)
        };
        let before = bout.running.usage();
        let start = Instant::now();
        let child = batch(bout, &add)?;
        bout.send_until("learn", &[], full(0))?;
        bout.record.set("learned_s", start.elapsed().as_secs_f64());
        edit::finish(child)?;
        let after = bout.settle()?;
        let cpu = after.cpu.saturating_sub(before.cpu);
        bout.record.set("cpu_s", cpu.as_secs_f64());
        let grown = after.resident.saturating_sub(before.resident);
        bout.record
            .set("bytes_per_mac", grown as f64 / f64::from(count));
        let start = Instant::now();
        let child = batch(bout, &del)?;
        bout.send_until("forget", &[], |fleet: &Fleet<'_>| {
            fleet.peers.iter().all(|peer| peer.view.held() == 0)
        })?;
        bout.record
            .set("forgotten_s", start.elapsed().as_secs_f64());
        edit::finish(child)
    })
}

/// A port in each bridge, with carrier and silent.
fn ports(arena: &Arena) -> Result<(), Fault> {
    // A host with IPv6 says something at once, which its bridge learns from.
    let quiet = || fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    arena.dut.within(quiet)??;
    let mut batch = String::new();
    for vni in FIRST_VNI..FIRST_VNI + VNIS {
        writeln!(batch, "link add port{vni} type veth peer name host{vni}")?;
        for end in ["port", "host"] {
            writeln!(batch, "link set {end}{vni} addrgenmode none")?;
        }
        writeln!(batch, "link set port{vni} master br{vni}")?;
        for end in ["port", "host"] {
            writeln!(batch, "link set {end}{vni} up")?;
        }
    }
    arena.batch(&batch)
}

/// Overlay networks that one reload adds and one removes.
const MANY: u32 = 2000;

pub(super) fn many_job(_: &Context) -> Job {
    Job {
        family: Family::Evpn,
        kernel: true,
        ..unicast(0, 1)
    }
}

/// Two thousand networks with one reload, one more, and all of them gone.
pub(super) fn many(context: &Context, daemon: &Daemon) -> Result<Record, Fault> {
    let plan = plan(context, many_job(context), |_| {
        View::evpn(0, table::vni_of_100)
    });
    let scaled = u32::try_from(context.count(MANY * 1000) / 1000)?;
    run(daemon, &context.interrupt, plan, |bout| {
        ready(bout)?;
        bout.settle()?;
        for (vnis, wall, cpu) in [
            (scaled, "add_s", "add_cpu_s"),
            (scaled + 1, "one_more_s", "one_more_cpu_s"),
            (0, "remove_s", "remove_cpu_s"),
        ] {
            let before = bout.running.usage();
            let took = reloaded(bout, context, vnis)?;
            let after = bout.settle()?;
            bout.record.set(wall, took.as_secs_f64());
            let spent = after.cpu.saturating_sub(before.cpu);
            bout.record.set(cpu, spent.as_secs_f64());
            if vnis == scaled {
                bout.record.set("settled_mb", after.resident as f64 / 1e6);
            }
        }
        Ok(())
    })
}

/// A reload with so many networks: how long until the kernel has their devices and no others.
fn reloaded(bout: &mut Bout<'_>, context: &Context, vnis: u32) -> Result<Duration, Fault> {
    let socket = bout.arena.control_socket();
    let job = Job {
        vnis,
        ..many_job(context)
    };
    fs::write(socket.with_file_name("rbgpd.toml"), config::rbgpd(&job))?;
    // The wire and loopback stay.
    let wanted = 2 + 2 * usize::try_from(vnis)?;
    let start = Instant::now();
    let child = edit::reload(&socket)?;
    let end = start + DEVICES;
    let arena = bout.arena;
    let done = |_: &Fleet<'_>| {
        let devices = || fs::read_to_string("/proc/thread-self/net/dev");
        let text = arena.dut.within(devices).ok().and_then(Result::ok);
        text.is_some_and(|text| text.lines().filter(|line| line.contains(':')).count() == wanted)
    };
    while !bout.fleet.run(Duration::from_millis(500), done)? {
        if Instant::now() > end {
            return Err(format!("the kernel does not have {wanted} devices").into());
        }
    }
    let mut verify = std::process::Command::new(built("rbgpctl"));
    verify.arg("--socket").arg(&socket);
    verify.args(["verify", "--wait", "--timeout", "600s"]);
    edit::finish(
        verify
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?,
    )?;
    let took = start.elapsed();
    edit::finish(child)?;
    Ok(took)
}

/// Devices for those that do not make their own.
pub(in super::super) fn make_devices(arena: &Arena, job: &Job) -> Result<(), Fault> {
    let mut batch = String::new();
    for vni in FIRST_VNI..FIRST_VNI + job.vnis {
        writeln!(batch, "link add br{vni} type bridge")?;
        writeln!(
            batch,
            "link add vxlan{vni} type vxlan id {vni} local {ADDRESS} dstport 4789 nolearning"
        )?;
        for device in ["br", "vxlan"] {
            writeln!(batch, "link set {device}{vni} addrgenmode none")?;
        }
        writeln!(batch, "link set vxlan{vni} master br{vni}")?;
        writeln!(
            batch,
            "link set vxlan{vni} type bridge_slave neigh_suppress on learning off"
        )?;
        for device in ["br", "vxlan"] {
            writeln!(batch, "link set {device}{vni} up")?;
        }
    }
    arena.batch(&batch)
}
