//! `explain` and `verify` on built programs that write to a kernel, in namespaces.
//!
//! ```text
//!   a (AS 65001) br100 ── wire ── br100 b (AS 65002)      a machine behind a port of a's bridge
//! ```

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

struct Site {
    namespace: String,
    place: PathBuf,
    daemon: Option<Child>,
}

impl Site {
    fn new(letter: char) -> Self {
        let namespace = format!("rbgpd-explain-{}{letter}", std::process::id());
        ip(&format!("netns add {namespace}"));
        let place = std::env::temp_dir().join(&namespace);
        std::fs::create_dir_all(&place).unwrap();
        Self {
            namespace,
            place,
            daemon: None,
        }
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.namespace));
    }

    fn start(&mut self, number: u8, other: u8) {
        let config = self.place.join("rbgpd.toml");
        let text = format!(
            "asn = 6500{number}\nrouter_id = \"10.10.0.{number}\"\n\
             [ipv4_unicast]\nnetworks = [\"10.{number}.0.0/16\"]\n\
             [evpn]\nvtep = \"10.10.0.{number}\"\n\
             [[neighbor]]\naddress = \"10.10.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\n\
             ipv4_unicast = {{ import = \"ALL\", export = \"ALL\" }}\nevpn = {{}}\n\
             [[vni]]\nid = 100\nname = \"production\"\nrd = \"10.10.0.{number}:100\"\n\
             import_targets = [\"65000:100\"]\nexport_targets = [\"65000:100\"]\n\
             [[route_map]]\nname = \"ALL\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .arg(env!("CARGO_BIN_EXE_rbgpd"))
            .arg("--config")
            .arg(config)
            .arg("--socket")
            .arg(self.place.join("socket"))
            .arg("--state-dir")
            .arg(self.place.join("state"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.daemon = Some(child.unwrap());
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_rbgpctl"))
            .arg("--socket")
            .arg(self.place.join("socket"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks until the answer holds what is looked for.
    #[track_caller]
    fn until(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(arguments);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{arguments:?}: {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = Command::new("ip")
            .args(["netns", "del", &self.namespace])
            .status();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn bridge(namespace: &str, arguments: &str) -> bool {
    let output = Command::new("ip")
        .args(["netns", "exec", namespace, "bridge"])
        .args(arguments.split(' '))
        .output();
    output.unwrap().status.success()
}

fn may_run() -> bool {
    let probe = format!("rbgpd-explain-{}p", std::process::id());
    let run = |verb| Command::new("ip").args(["netns", verb, &probe]).output();
    let made = run("add").is_ok_and(|output| output.status.success());
    if made {
        let _ = run("del");
    } else {
        println!("skipped: no right to make namespaces");
    }
    made
}

#[test]
fn macs_and_routes_say_where_they_are_who_is_told_and_who_wins() {
    if !may_run() {
        return;
    }
    let (mut a, mut b) = (Site::new('a'), Site::new('b'));
    ip(&format!(
        "link add wire netns {} type veth peer name wire netns {}",
        a.namespace, b.namespace
    ));
    for (site, number) in [(&a, 1), (&b, 2)] {
        site.ip("link set lo up");
        site.ip(&format!("addr add 10.10.0.{number}/24 dev wire"));
        site.ip("link set wire up");
    }
    a.start(1, 2);
    b.start(2, 1);
    a.until(&["show", "routes", "10.2.0.0/16", "--json"], |it| {
        it.contains("\"installed\":true")
    });

    // A machine behind a port; the bridge learns it, as it would from its first frame.
    a.ip("link add port0 type veth peer name machine");
    a.ip("link set port0 master br100 up");
    a.ip("link set machine up");
    // A port that does not forward yet takes no address.
    let end = Instant::now() + PATIENCE;
    let learn = "fdb add 02:aa:00:00:00:01 dev port0 master dynamic";
    while !bridge(&a.namespace, learn) {
        assert!(Instant::now() < end, "bridge {learn}");
        std::thread::sleep(Duration::from_millis(20));
    }
    a.ip("neigh replace 10.50.0.1 lladdr 02:aa:00:00:00:01 dev br100 nud reachable");
    let here = a.until(&["explain", "02:aa:00:00:00:01"], |it| {
        it.contains("[10.50.0.1]") && it.contains("10.10.0.2: yes")
    });
    assert_eq!(here.matches("from ").count(), 1, "{here}");
    assert!(
        here.contains("> from port port0 of bridge br100, learned "),
        "{here}"
    );
    assert!(
        here.contains("fdb 02:aa:00:00:00:01 dev port0: installed"),
        "{here}"
    );
    let there = b.until(&["explain", "02:aa:00:00:00:01"], |it| {
        it.contains("[10.50.0.1]") && it.contains("dev vxlan100: installed")
    });
    assert_eq!(there.matches("from ").count(), 1, "{there}");
    assert!(
        there.contains("> from tunnel endpoint 10.10.0.1, told by 10.10.0.1: "),
        "{there}"
    );
    assert!(there.contains("10.10.0.1: no: not told: "), "{there}");

    // Another program's route to what we installed.
    a.ip("route add 10.2.0.0/16 via 10.10.0.2 proto static");
    let note = "another program's route with metric 0 wins in the kernel: \
                static via 10.10.0.2 dev wire";
    a.until(&["explain", "10.2.0.0/16"], |it| it.contains(note));
    let verify: Value = serde_json::from_str(&a.ask(&["verify", "--json"])).unwrap();
    assert_eq!(verify["equal"], true, "{verify}");
    assert_eq!(verify["notes"][0], format!("route 10.2.0.0/16: {note}"));
    // With a higher metric ours wins, and there is nothing to say.
    a.ip("route add 10.2.0.0/16 via 10.10.0.2 proto static metric 500");
    a.ip("route del 10.2.0.0/16 via 10.10.0.2 proto static metric 0");
    a.until(&["explain", "10.2.0.0/16"], |it| {
        !it.contains("another program")
    });
}
