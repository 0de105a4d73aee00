//! ExaBGP. What it hears goes, a JSON object a line, to a process of its own, which writes it into
//! a file; what it is to do comes through a pipe.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use super::place::{Place, Runner};
use super::plan::{Family, MANY, THEIR_AS, THEIRS, THEIRS_IPV6, of};
use super::{Attribute, Feature, Neighbor, Purpose, Session};
use crate::lab::{Error, Lab, Namespace, wait_until};

const START: Duration = Duration::from_secs(20);

/// What its process is: orders from the pipe to its output, what it is told into the file.
const PROCESS: &str = "exec 3<>/run/bench/orders\ncat <&3 &\nexec cat > /run/bench/heard\n";

const CAPABILITIES: [(Purpose, &str); 3] = [
    (Purpose::Ipv6NextHops, "    nexthop enable;\n"),
    (Purpose::AddPath, "    add-path send/receive;\n"),
    (Purpose::FirstClient, "    add-path receive;\n"),
];

/// What a session has besides.
const SECTIONS: [(Purpose, &str); 3] = [
    (
        Purpose::Ipv6NextHops,
        "  nexthop {\n    ipv4 unicast ipv6;\n  }\n",
    ),
    (Purpose::AddPath, ADD_PATH),
    (Purpose::FirstClient, ADD_PATH),
];

const ADD_PATH: &str = "  add-path {\n    ipv4 unicast;\n  }\n";

const LACKS: [(Feature, &str); 2] = [
    (Feature::Roles, "ExaBGP has no roles"),
    (Feature::Client, "ExaBGP has no table and reflects nothing"),
];

const UNSEEN: [(Feature, &str); 2] = [
    (
        Feature::Evpn,
        "from rbgpd only: ExaBGP's configuration has no EVPN routes",
    ),
    (
        Feature::GracefulRestart,
        "rbgpd keeps its routes; ExaBGP itself keeps none",
    ),
];

const SIGNS: [(Feature, &[&str]); 4] = [
    (
        Feature::AddPathReceived,
        &["\"add_path\": {\"send\": [\"ipv4 unicast\"]"],
    ),
    (Feature::ExtendedMessages, &["\"message_size\": 65535"]),
    (Feature::RouteRefresh, &["\"refresh\": \"enhanced\""]),
    (
        Feature::Ipv6NextHops,
        &["\"nexthop\": [\"ipv4 unicast ipv6\"]"],
    ),
];

/// One ExaBGP.
pub(super) struct Exabgp {
    runner: Runner,
}

impl Exabgp {
    pub(super) fn new(place: Place) -> Self {
        let runner = Runner::new(place);
        Self { runner }
    }

    /// The lines that it wrote and that contain all of these.
    fn heard(&self, words: &[&str]) -> Result<String, Error> {
        let path = self.runner.outside("heard");
        let text = fs::read_to_string(&path).map_err(|e| Error::io(path.display(), e))?;
        let lines = text.lines();
        let mine = lines.filter(|line| words.iter().all(|word| line.contains(word)));
        Ok(mine.collect::<Vec<_>>().join("\n"))
    }
}

fn config(sessions: &[Session]) -> String {
    let mut out =
        "process log {\n  run /bin/bash /run/bench/process.sh;\n  encoder json;\n}\n".to_owned();
    for session in sessions {
        let _ = write!(
            out,
            "neighbor {} {{\n  router-id 10.9.0.2;\n  local-address {};\n  local-as {THEIR_AS};\n  \
             peer-as {};\n  passive false;\n",
            session.left(),
            session.right(),
            session.left_as()
        );
        if let Some(password) = session.password() {
            let _ = writeln!(
                out,
                "  md5-password '{password}';\n  md5-base64 false;\n  md5-ip {};",
                session.right()
            );
        }
        if session.purpose == Purpose::Gtsm {
            out += "  outgoing-ttl 255;\n  incoming-ttl 255;\n";
        }
        out += "  capability {\n    graceful-restart 60;\n    route-refresh enable;\n    \
                extended-message enable;\n    asn4 enable;\n";
        out += of(&CAPABILITIES, session.purpose).unwrap_or_default();
        let family = match (session.family(), session.purpose) {
            // It has IPv6 next hops only beside IPv6 routes.
            (_, Purpose::Ipv6NextHops) => "ipv4 unicast;\n    ipv6 unicast",
            (Family::Ipv4, _) => "ipv4 unicast",
            (Family::Ipv6, _) => "ipv6 unicast",
            (Family::Evpn, _) => "l2vpn evpn",
        };
        let _ = write!(
            out,
            "  }}\n  family {{\n    {family};\n  }}\n  api {{\n    processes [ log ];\n    \
             neighbor-changes;\n    negotiated;\n    \
             receive {{\n      parsed;\n      update;\n      open;\n      refresh;\n    }}\n  }}\n"
        );
        out += of(&SECTIONS, session.purpose).unwrap_or_default();
        let prefix = match session.family() {
            Family::Ipv4 => THEIRS,
            Family::Ipv6 => THEIRS_IPV6,
            Family::Evpn => "",
        };
        if !prefix.is_empty() {
            let via = session.right();
            let _ = writeln!(
                out,
                "  static {{\n    route {prefix} next-hop {via} community [65002:9] \
                 large-community [65002:9:10] med 99;"
            );
            // It has no table, so what two clients would tell it stands here.
            if session.purpose == Purpose::AddPath {
                for id in 1..=2 {
                    let _ = writeln!(
                        out,
                        "    route {MANY} path-information 0.0.0.{id} next-hop {via} med {id};"
                    );
                }
            }
            out += "  }\n";
        }
        out += "}\n";
    }
    out
}

impl Neighbor for Exabgp {
    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        of(&LACKS, feature)
    }

    fn unseen(&self, feature: Feature) -> Option<&'static str> {
        of(&UNSEEN, feature)
    }

    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error> {
        self.runner.enter(lab, "neighbor")?;
        let config = self.runner.file("exabgp.conf", &config(sessions))?;
        self.runner.file("process.sh", PROCESS)?;
        self.runner.file("heard", "")?;
        let orders = self.runner.outside("orders");
        if !orders.exists() {
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
            nix::unistd::mkfifo(&orders, mode)
                .map_err(|e| Error::io(orders.display(), e.into()))?;
        }
        // A shell on the way leaves out names with dots.
        let environment = [
            ("exabgp_daemon_user", "root"),
            ("exabgp_api_cli", "false"),
            ("exabgp_api_ack", "false"),
            ("exabgp_log_level", "INFO"),
            ("exabgp_log_destination", "stderr"),
        ];
        let line = ["/usr/sbin/python3-exabgp", "server", &config];
        self.runner.start(lab, space, &line, &environment)?;
        wait_until("ExaBGP has started its process", START, || {
            self.runner.must_live().map_err(|e| e.to_string())?;
            self.heard(&["exabgp"]).map(drop).map_err(|e| e.to_string())
        })?;
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.runner.kill()
    }

    fn session(&self, session: &Session) -> Result<String, Error> {
        let peer = format!("\"peer\": \"{}\"", session.left());
        self.heard(&[&peer, "\"negotiated\""])
    }

    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error> {
        let peer = format!("\"peer\": \"{}\"", session.left());
        self.heard(&[&peer, "\"announce\"", prefix])
    }

    fn evpn(&self) -> Result<String, Error> {
        self.heard(&["\"l2vpn evpn\""])
    }

    fn spelling(&self, attribute: &Attribute) -> String {
        match *attribute {
            Attribute::AsPath(asn) => format!("\"value\": [{asn}]"),
            Attribute::Med(med) => format!("\"med\": {med}"),
            Attribute::Community(a, b) => format!("[ {a}, {b} ]"),
            Attribute::LargeCommunity(a, b, c) => format!("[ {a}, {b} , {c} ]"),
            Attribute::Originator(id) => format!("\"originator-id\": \"{id}\""),
            Attribute::NextHop(address) => format!("\"{address}\": ["),
        }
    }

    fn signs(&self, feature: Feature) -> &'static [&'static str] {
        of(&SIGNS, feature).unwrap_or_default()
    }

    fn kept(&self) -> Option<&'static str> {
        None
    }

    fn evpn_announced(&self) -> &'static [&'static str] {
        &[]
    }

    fn ask_refresh(&self, session: &Session) -> Result<(), Error> {
        let path = self.runner.outside("orders");
        let failed = |e| Error::io(path.display(), e);
        let mut pipe = fs::File::options()
            .write(true)
            .open(&path)
            .map_err(failed)?;
        writeln!(
            pipe,
            "neighbor {} announce route-refresh ipv4 unicast",
            session.left()
        )
        .map_err(failed)
    }
}
