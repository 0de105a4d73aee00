//! Two sites with a daemon each, in network namespaces with names, and a wire between them.
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)
//! ```
//!
//! Needs root and `ip`. What else is in a namespace, and what is in the configuration beside the
//! session, is the test's.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use crate::daemon::{Daemon, Place, until, until_text};
use crate::skip;

/// One namespace, its folder and its daemon once that is started.
pub(crate) struct Site {
    pub(crate) number: u8,
    place: Place,
    daemon: Option<Daemon>,
}

impl Site {
    fn new(subject: &str, number: u8) -> Self {
        let place = Place::new(subject);
        ip(&format!("netns add {}", place.name()));
        Self {
            number,
            place,
            daemon: None,
        }
    }

    /// The name of its namespace.
    fn namespace(&self) -> &str {
        self.place.name()
    }

    pub(crate) fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.namespace()));
    }

    /// Lays a wire to another site, with these names at its ends.
    pub(crate) fn wire(&self, here: &str, other: &Site, there: &str) {
        ip(&format!(
            "link add {here} netns {} type veth peer name {there} netns {}",
            self.namespace(),
            other.namespace()
        ));
    }

    /// Takes an interface up with this link-local address and no other one.
    pub(crate) fn on_link(&self, interface: &str, address: &str) {
        self.ip(&format!("link set {interface} addrgenmode none"));
        self.ip(&format!("link set {interface} up"));
        self.ip(&format!("addr replace {address}/64 dev {interface} nodad"));
    }

    /// Takes the namespace away, with all that the kernel has there, and makes another one of this name. Nothing
    /// runs in it.
    pub(crate) fn reboot(&self) {
        ip(&format!("netns del {}", self.namespace()));
        ip(&format!("netns add {}", self.namespace()));
        self.ip("link set lo up");
    }

    /// What `ip` prints in the namespace.
    pub(crate) fn seen(&self, arguments: &str) -> String {
        let output = self.run(&format!("ip {arguments}"));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a program in the namespace.
    pub(crate) fn run(&self, line: &str) -> Output {
        Command::new("ip")
            .args(["netns", "exec", self.namespace()])
            .args(line.split(' '))
            .output()
            .unwrap()
    }

    /// A configuration with a session to the other site, whose table `rest` begins in.
    pub(crate) fn config(&self, rest: &str) -> String {
        let (number, other) = (self.number, 3 - self.number);
        format!(
            "asn = 6500{number}\nrouter_id = \"10.10.0.{number}\"\n\
             [[neighbor]]\naddress = \"10.10.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\n{rest}\n"
        )
    }

    /// Writes what the kernel says of devices, addresses and neighbours into a file, a line for each
    /// message.
    pub(crate) fn monitor(&self) -> Monitor {
        let path = self.place.path().join("monitor");
        let child = Command::new("ip")
            .args(["-o", "-n", self.namespace(), "monitor"])
            .args(["link", "address", "neigh"])
            .stdout(File::create(&path).unwrap())
            .spawn()
            .unwrap();
        let monitor = Monitor { path, child };
        // It is not heard from before it listens.
        until("the monitor listens", || {
            self.ip("address replace 127.9.0.1/32 dev lo");
            let seen = monitor.seen();
            let listens = seen.contains("127.9.0.1/32");
            listens.then_some(()).ok_or(seen)
        });
        monitor
    }

    /// Messages since the monitor began, without those about loopback.
    pub(crate) fn heard(&self, monitor: &Monitor) -> Vec<String> {
        self.ip("address replace 127.9.0.2/32 dev lo");
        let seen = until_text(
            "the monitor hears the end",
            || monitor.seen(),
            |seen| seen.contains("127.9.0.2/32"),
        );
        let lines = seen.lines().filter(|line| !line.starts_with("1: lo"));
        lines.map(str::to_owned).collect()
    }

    pub(crate) fn start(&mut self, config: &str) {
        let (namespace, folder) = (Some(self.namespace()), self.place.path());
        self.daemon = Some(Daemon::start_in(namespace, folder, "rbgpd", config));
    }

    /// The one that was started.
    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// The same, to be ended and started again.
    pub(crate) fn daemon_mut(&mut self) -> &mut Daemon {
        self.daemon.as_mut().unwrap()
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.daemon.take().unwrap().breaks_off();
    }

    #[track_caller]
    pub(crate) fn until_seen(&self, arguments: &str, wanted: impl Fn(&str) -> bool) -> String {
        until_text(arguments, || self.seen(arguments), wanted)
    }
}

/// `ip monitor`, ended when dropped.
pub(crate) struct Monitor {
    path: PathBuf,
    child: Child,
}

impl Monitor {
    fn seen(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.daemon.take());
        // One that is left over is in nobody's way.
        let _ = Command::new("ip")
            .args(["netns", "del", self.namespace()])
            .status();
    }
}

/// Sites with nothing but loopback; `None`, after saying why, where there are no namespaces.
pub(crate) fn namespaces(subject: &str, count: u8) -> Option<Vec<Site>> {
    let probe = format!("rbgpd-{subject}-{}p", std::process::id());
    let run = |verb| Command::new("ip").args(["netns", verb, &probe]).output();
    if !run("add").is_ok_and(|output| output.status.success()) {
        skip::note(None, "no right to make namespaces");
        return None;
    }
    let _ = run("del");
    let sites = (1..=count).map(|number| Site::new(subject, number));
    let sites: Vec<Site> = sites.collect();
    for site in &sites {
        site.ip("link set lo up");
    }
    Some(sites)
}

/// Both sites with the wire up, nothing started; `None`, after saying why, where there are no
/// namespaces.
pub(crate) fn sites(subject: &str) -> Option<(Site, Site)> {
    let [a, b] = namespaces(subject, 2)?.try_into().ok()?;
    a.wire("wire", &b, "wire");
    for site in [&a, &b] {
        site.ip(&format!("addr add 10.10.0.{}/24 dev wire", site.number));
        site.ip("link set wire up");
    }
    Some((a, b))
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.unwrap().success(), "ip {arguments}");
}
