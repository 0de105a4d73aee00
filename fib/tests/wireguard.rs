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

use fib::wireguard::{AllowedIps, Device, NOBODY, PublicKey, Userspace};
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

/// Says something about a peer, whose key begins it.
fn set(peer: &str) {
    use std::io::{Read, Write};
    let socket = "/var/run/wireguard/wgt0.sock";
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let request = format!("set=1\npublic_key={peer}\n\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).unwrap();
    assert_eq!(&answer[..count], b"errno=0\n\n");
}

fn hex(key: PublicKey) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let key = number.repeat(64);
        set(&format!("{key}\nallowed_ip=10.10.0.{number}/32"));
    }
    let mut wanted = AllowedIps::new();
    wanted.observe(&device.peers().unwrap());
    let mut go = |wanted: &mut AllowedIps| {
        let plan = wanted.plan();
        device.apply(&plan).unwrap();
        wanted.applied(&plan);
        // As it was thought to be.
        assert!(!wanted.observe(&device.peers().unwrap()).changed);
        assert!(wanted.plan().is_empty());
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
    // To the other peer.
    wanted.set("10.1.0.0/16".parse().unwrap(), hop(2));
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
    // The next run knows what is its own, and sweeps it.
    let mut next = AllowedIps::with_record(wanted.ours().clone());
    let mut again = Userspace::new("wgt0");
    next.observe(&again.peers().unwrap());
    assert!(next.plan().is_empty());
    next.sweep();
    again.apply(&next.plan()).unwrap();
    assert_eq!(prefixes(&mut again), [["10.10.0.1/32"], ["10.10.0.2/32"]]);
    // One that broke off in the middle left the peer that takes prefixes away.
    let left = format!("{}\n{}", hex(NOBODY), "allowed_ip=10.9.0.0/16");
    set(&left);
    let peers = again.peers().unwrap();
    assert!(peers.iter().any(|peer| peer.public_key == NOBODY));
    next.observe(&peers);
    again.apply(&next.plan()).unwrap();
    assert_eq!(prefixes(&mut again), [["10.10.0.1/32"], ["10.10.0.2/32"]]);
}
