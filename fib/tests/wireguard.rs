//! AllowedIPs on a running wireguard-go, in a network and mount namespace of its own.
//!
//! Needs root and the program `wireguard-go`; says so otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../conformance/src/lab/skip.rs"]
mod skip;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fib::wireguard::{AllowedIps, Device, Userspace};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both namespaces belong to this thread, and end with it.
fn start() -> Option<Daemon> {
    let namespaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS;
    if let Err(error) = unshare(namespaces) {
        skip::note(None, &format!("cannot make namespaces ({error})"));
        return None;
    }
    let none = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).unwrap();
    std::fs::create_dir_all("/var/run/wireguard").unwrap();
    mount(
        Some("tmpfs"),
        "/var/run/wireguard",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )
    .unwrap();
    let spawned = Command::new("wireguard-go")
        .args(["-f", "wgt0"])
        .env("WG_PROCESS_FOREGROUND", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match spawned {
        Ok(child) => Some(Daemon(child)),
        Err(error) => {
            skip::note(None, &format!("no wireguard-go ({error})"));
            None
        }
    }
}

fn prefixes(device: &mut Userspace) -> Vec<Vec<String>> {
    let mut peers = device.peers().unwrap();
    peers.sort_by_key(|peer| peer.public_key);
    let text = |peer: &fib::wireguard::Peer| {
        let mut text: Vec<String> = peer.allowed_ips.iter().map(ToString::to_string).collect();
        text.sort();
        text
    };
    peers.iter().map(text).collect()
}

#[test]
fn allowed_ips_follow_routes_on_a_running_interface() {
    let Some(mut daemon) = start() else { return };
    let mut device = Userspace::new("wgt0");
    let begin = Instant::now();
    while device.peers().is_err() {
        if let Some(status) = daemon.0.try_wait().unwrap() {
            skip::note(
                None,
                &format!("wireguard-go ended with {status} (no /dev/net/tun?)"),
            );
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "no socket");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Two peers, as `wg setconf` would make them.
    for number in ["1", "2"] {
        let request = format!(
            "set=1\npublic_key={}\nallowed_ip=10.10.0.{number}/32\n\n",
            number.repeat(64)
        );
        use std::io::{Read, Write};
        let socket = "/var/run/wireguard/wgt0.sock";
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 64];
        let count = stream.read(&mut answer).unwrap();
        assert_eq!(&answer[..count], b"errno=0\n\n");
    }
    let mut wanted = AllowedIps::new();
    wanted.observe(&device.peers().unwrap());
    let mut go = |wanted: &mut AllowedIps| {
        for change in wanted.plan() {
            device.apply(&change).unwrap();
        }
        wanted.observe(&device.peers().unwrap());
        assert_eq!(wanted.plan(), []);
        prefixes(&mut device)
    };
    let hop = |number: u8| Some([10, 10, 0, number].into());
    wanted.set("10.1.0.0/16".parse().unwrap(), hop(1));
    wanted.set("fd01::/32".parse().unwrap(), hop(1));
    assert_eq!(
        go(&mut wanted),
        [
            vec!["10.1.0.0/16", "10.10.0.1/32", "fd01::/32"],
            vec!["10.10.0.2/32"]
        ]
    );
    // To the other peer, in one step.
    wanted.set("10.1.0.0/16".parse().unwrap(), hop(2));
    assert_eq!(wanted.plan().len(), 1);
    assert_eq!(
        go(&mut wanted),
        [
            vec!["10.10.0.1/32", "fd01::/32"],
            vec!["10.1.0.0/16", "10.10.0.2/32"]
        ]
    );
    wanted.set("fd01::/32".parse().unwrap(), None);
    assert_eq!(
        go(&mut wanted),
        [vec!["10.10.0.1/32"], vec!["10.1.0.0/16", "10.10.0.2/32"]]
    );
    // The next run finds a leftover and sweeps it.
    let mut wanted = AllowedIps::new();
    let mut again = Userspace::new("wgt0");
    wanted.observe(&again.peers().unwrap());
    assert_eq!(wanted.plan(), []);
    wanted.sweep();
    for change in wanted.plan() {
        again.apply(&change).unwrap();
    }
    assert_eq!(prefixes(&mut again), [["10.10.0.1/32"], ["10.10.0.2/32"]]);
}
