//! Against the real kernel, in a namespace of its own, step by step: somebody does something between
//! our last look and our write.

use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Mutex;

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::skip;
use crate::state::{
    Change, Entry, FdbKey, Key, Mac, Neighbour, NeighbourKey, Overlay, RemoteMac, Tunnel,
};

const MAC: &str = "02:00:00:00:00:01";
const MACHINE: &str = "10.100.0.7";

fn run(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}`: {text}");
    text
}

fn mac() -> Mac {
    MAC.parse().unwrap()
}

fn site() -> IpAddr {
    [10, 0, 0, 2].into()
}

fn fdb() -> FdbKey {
    FdbKey::new("vx100", mac())
}

fn neighbour() -> NeighbourKey {
    NeighbourKey {
        device: "br100".into(),
        ip: MACHINE.parse().unwrap(),
    }
}

fn wishes() -> [Entry; 2] {
    let remote = RemoteMac {
        tunnel: Tunnel::from(site()),
        sticky: false,
    };
    let there = Neighbour {
        mac: mac(),
        router: false,
    };
    [
        Entry::Fdb(fdb(), remote),
        Entry::Neighbour(neighbour(), there),
    ]
}

impl Driver {
    fn wish(&mut self, changes: impl IntoIterator<Item = Change>) {
        let mut inbox = self.shared.inbox();
        changes
            .into_iter()
            .for_each(|change| inbox.pending.push(change));
    }

    /// What was wished for is written, without a look at what happened meanwhile.
    fn write_blindly(&mut self) {
        self.take_wishes();
        while self.apply_plan() {}
    }

    fn steps(&mut self) {
        for _ in 0..10 {
            self.step();
        }
        self.deliver();
    }
}

/// A host with an overlay and a machine's port `p` on its bridge, and what is told.
fn driver() -> Option<(Driver, Arc<Mutex<Vec<Event>>>)> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        skip::note(None, &format!("cannot make a network namespace ({error})"));
        return None;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        skip::note(None, "no `ip` command");
        return None;
    }
    run("ip link set lo up; ip link add u type veth peer name w; \
         ip addr add 10.0.0.1/24 dev u; ip link set u up; ip link set w up");
    let (waker, wake) = UnixStream::pair().unwrap();
    waker.set_nonblocking(true).unwrap();
    wake.set_nonblocking(true).unwrap();
    let shared = Arc::new(Shared {
        inbox: Mutex::default(),
        waker,
    });
    let options = Options {
        audit: Duration::ZERO,
        ..Options::default()
    };
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let tell = Box::new(move |event| told.lock().unwrap().push(event));
    let mut driver = Driver::open(options, shared, wake, tell).unwrap();
    let overlay = Overlay::new(100, [10, 0, 0, 1].into(), 1450);
    driver.wish([Change::Set(Entry::Overlay(100, Arc::new(overlay)))]);
    driver.steps();
    run("ip link add p type veth peer name q; ip link set p master br100 up; ip link set q up");
    driver.steps();
    Some((driver, events))
}

/// Somebody's static entry comes before ours is written and after we have looked for it: what is
/// shown, what they say (with marks of ours in between, which the kernel leaves there), and what ours
/// would say instead.
const CASES: [[&str; 4]; 4] = [
    [
        "bridge fdb add 02:00:00:00:00:01 dev p master static",
        "bridge fdb show br br100 | grep -v self",
        "02:00:00:00:00:01 dev p .. static",
        "02:00:00:00:00:01 dev vx100",
    ],
    [
        "bridge fdb add 02:00:00:00:00:01 dev p master sticky static",
        "bridge fdb show br br100 | grep -v self",
        "02:00:00:00:00:01 dev p .. sticky .. static",
        "02:00:00:00:00:01 dev vx100",
    ],
    [
        "bridge fdb add 02:00:00:00:00:01 dev vx100 dst 10.9.9.9 self static",
        "bridge fdb show dev vx100",
        "02:00:00:00:00:01 dst 10.9.9.9 self static",
        "dst 10.0.0.2",
    ],
    [
        "ip neigh add 10.100.0.7 lladdr 02:00:00:00:00:99 dev br100 nud permanent",
        "ip neigh show dev br100",
        "10.100.0.7 lladdr 02:00:00:00:00:99 PERMANENT",
        "lladdr 02:00:00:00:00:01",
    ],
];

/// A line has these parts one after the other.
fn has(shown: &str, parts: &str) -> bool {
    shown.lines().any(|line| {
        let mut rest = Some(line);
        for part in parts.split(" .. ") {
            rest = rest.and_then(|it| Some(it.split_once(part)?.1));
        }
        rest.is_some()
    })
}

/// The command that takes it away again.
fn end_of(theirs: &str) -> String {
    let words = theirs
        .split(' ')
        .filter(|word| !["sticky", "static"].contains(word));
    let words: Vec<&str> = words.collect();
    let end = words.join(" ").replace(" add ", " del ");
    end.replace(" nud permanent", "")
}

#[test]
fn static_entries_that_come_as_ours_are_written_stand() {
    let Some((mut driver, events)) = driver() else {
        return;
    };
    for [theirs, show, stands, instead] in CASES {
        run(theirs);
        driver.wish(wishes().map(Change::Set));
        driver.write_blindly();
        let shown = run(show);
        assert!(has(&shown, instead), "not the race it is: {shown}");
        driver.steps();
        let shown = run(show);
        assert!(has(&shown, stands), "{theirs}: {shown}");
        assert!(!has(&shown, instead), "{theirs}: {shown}");
        // Nor is it taken later: not by a complete read, nor when we want nothing any more.
        driver.stale.all = true;
        driver.steps();
        assert!(has(&run(show), stands), "{theirs}: {}", run(show));
        driver.wish([
            Change::Unset(Key::Fdb(fdb())),
            Change::Unset(Key::Neighbour(neighbour())),
        ]);
        driver.steps();
        assert!(has(&run(show), stands), "{theirs}: {}", run(show));
        run(&end_of(theirs));
        driver.steps();
    }
    // The owner hears that the machine is here, as when it is pinned at any other time.
    let pinned = |event: &&Event| matches!(event, Event::LocalMac { mac: it, sticky: true, .. } if *it == mac());
    let told = events.lock().unwrap();
    // That it came and that it went, of the two that were pinned to the port.
    assert_eq!(told.iter().filter(pinned).count(), 4, "{told:#?}");
}

#[test]
fn what_its_owner_took_away_again_is_not_put_back() {
    let Some((mut driver, _)) = driver() else {
        return;
    };
    for [theirs, show, stands, instead] in CASES {
        run(theirs);
        run(&end_of(theirs));
        driver.wish(wishes().map(Change::Set));
        driver.write_blindly();
        driver.steps();
        let shown = run(show);
        assert!(has(&shown, instead) && !has(&shown, stands), "{shown}");
        driver.wish([
            Change::Unset(Key::Fdb(fdb())),
            Change::Unset(Key::Neighbour(neighbour())),
        ]);
        driver.steps();
        assert!(!has(&run(show), instead), "{}", run(show));
    }
    assert!(driver.contested.is_empty(), "nothing is kept");
}

#[test]
fn a_machine_that_moved_here_by_itself_is_no_static_entry() {
    let Some((mut driver, _)) = driver() else {
        return;
    };
    run("bridge fdb add 02:00:00:00:00:01 dev p master dynamic");
    driver.wish(wishes().map(Change::Set));
    driver.write_blindly();
    driver.steps();
    let shown = run("bridge fdb show br br100 | grep -v self");
    assert!(shown.contains("02:00:00:00:00:01 dev vx100"), "{shown}");
}
