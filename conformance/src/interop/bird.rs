//! BIRD, both generations.

use std::fmt::Write;
use std::time::Duration;

use super::place::{Place, Runner};
use super::plan::{Family, THEIR_AS, THEIRS, THEIRS_IPV6, of};
use super::{Attribute, Feature, Neighbor, Purpose, Session};
use crate::lab::{Error, Lab, Namespace, wait_until};

const START: Duration = Duration::from_secs(20);

/// What a session has besides.
const LINES: [(Purpose, &str); 4] = [
    (Purpose::Gtsm, " ttl security on;\n"),
    (Purpose::Role, " local role provider;\n"),
    (Purpose::FirstClient, " rr client;\n"),
    (Purpose::SecondClient, " rr client;\n"),
];

/// What its channel has besides.
const CHANNEL: [(Purpose, &str); 3] = [
    (Purpose::Ipv6NextHops, " extended next hop on;"),
    (Purpose::AddPath, " add paths on;"),
    (Purpose::FirstClient, " add paths on;"),
];

const SIGNS: [(Feature, &[&str]); 6] = [
    (
        Feature::AddPathReceived,
        &["        RX: ipv4\n        TX:\n"],
    ),
    (Feature::ExtendedMessages, &["Extended message"]),
    (Feature::RouteRefresh, &["Route refresh"]),
    (Feature::GracefulRestart, &["Graceful restart"]),
    (Feature::Ipv6NextHops, &["Extended next hop"]),
    (Feature::Roles, &["Role: provider", "Role: customer"]),
];

/// One BIRD.
pub(super) struct Bird {
    runner: Runner,
    evpn: bool,
}

impl Bird {
    pub(super) fn new(place: Place, evpn: bool) -> Self {
        let runner = Runner::new(place);
        Self { runner, evpn }
    }

    fn birdc(&self, line: &str) -> Result<String, Error> {
        let socket = self.runner.inside("bird.ctl");
        let mut words = vec!["/usr/sbin/birdc", "-s", &socket];
        words.extend(line.split_whitespace());
        self.runner.said(&words)
    }

    fn config(&self, sessions: &[Session]) -> String {
        let marks = "bgp_community.add((65002,9)); bgp_large_community.add((65002,9,10));";
        let mut out = format!(
            "log stderr all;\nrouter id 10.9.0.2;\nprotocol device {{}}\n\
             protocol static own4 {{ ipv4; route {THEIRS} blackhole {{ {marks} }}; }}\n\
             protocol static own6 {{ ipv6; route {THEIRS_IPV6} blackhole {{ {marks} }}; }}\n"
        );
        if self.evpn {
            out += "evpn table evpntab;\nprotocol static own_evpn {\n evpn { table evpntab; };\n \
                    route evpn imet 10.9.0.2:100 0 10.9.4.2 blackhole {\n  \
                    bgp_ext_community.add((rt, 65000, 100));\n };\n \
                    route evpn mac 10.9.0.2:100 0 02:00:00:00:00:72 10.172.0.2 blackhole {\n  \
                    bgp_ext_community.add((rt, 65000, 100));\n };\n}\n";
        }
        for session in sessions {
            out += &protocol(session);
        }
        out
    }
}

/// One session. BIRD waits for the connection.
fn protocol(session: &Session) -> String {
    let mut out = format!(
        "protocol bgp {} {{\n local {} as {THEIR_AS};\n neighbor {} as {};\n passive on;\n \
         enable extended messages on;\n graceful restart on;\n",
        session.name(),
        session.right(),
        session.left(),
        session.left_as()
    );
    if let Some(password) = session.password() {
        let _ = writeln!(out, " password \"{password}\";");
    }
    // A metric that was there before the export does not go to another AS.
    let mut channel = "import all; export filter { bgp_med = 99; accept; };".to_owned();
    out += of(&LINES, session.purpose).unwrap_or_default();
    channel += of(&CHANNEL, session.purpose).unwrap_or_default();
    let channel = match session.family() {
        Family::Ipv4 => format!("ipv4 {{ {channel} }};"),
        Family::Ipv6 => format!("ipv6 {{ {channel} }};"),
        Family::Evpn => format!("evpn {{ table evpntab; {channel} }};"),
    };
    let _ = writeln!(out, " {channel}\n}}");
    out
}

impl Neighbor for Bird {
    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        let old = feature == Feature::Evpn && !self.evpn;
        old.then_some("BIRD speaks EVPN from 2.19 on")
    }

    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error> {
        self.runner.enter(lab, "neighbor")?;
        let config = self.runner.file("bird.conf", &self.config(sessions))?;
        let socket = self.runner.inside("bird.ctl");
        let pid = self.runner.inside("bird.pid");
        let line = [
            "/usr/sbin/bird",
            "-f",
            "-c",
            &config,
            "-s",
            &socket,
            "-P",
            &pid,
        ];
        self.runner.start(lab, space, &line, &[])?;
        wait_until("BIRD answers", START, || {
            self.runner.must_live().map_err(|e| e.to_string())?;
            self.birdc("show status")
                .map(drop)
                .map_err(|e| e.to_string())
        })?;
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.runner.kill()
    }

    fn session(&self, session: &Session) -> Result<String, Error> {
        self.birdc(&format!("show protocols all {}", session.name()))
    }

    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error> {
        let question = format!("show route {prefix} all protocol {}", session.name());
        // "Network not found" is an answer with status 1.
        Ok(self.birdc(&question).unwrap_or_default())
    }

    fn evpn(&self) -> Result<String, Error> {
        self.birdc("show route table evpntab all")
    }

    fn spelling(&self, attribute: &Attribute) -> String {
        match *attribute {
            Attribute::AsPath(asn) => format!("path: {asn}\n"),
            Attribute::Med(med) => format!("med: {med}\n"),
            Attribute::Community(a, b) => format!("({a},{b})"),
            Attribute::LargeCommunity(a, b, c) => format!("({a}, {b}, {c})"),
            Attribute::Originator(id) => format!("originator_id: {id}"),
            Attribute::NextHop(address) => format!("next_hop: {address}"),
        }
    }

    fn signs(&self, feature: Feature) -> &'static [&'static str] {
        of(&SIGNS, feature).unwrap_or_default()
    }

    fn kept(&self) -> Option<&'static str> {
        Some("Neighbor graceful restart active")
    }

    fn evpn_announced(&self) -> &'static [&'static str] {
        &[
            "[2]:[10.9.0.2:100]:[0]:[48]:[02:00:00:00:00:72]",
            "[3]:[10.9.0.2:100]:[0]:[32]:[10.9.4.2]",
        ]
    }

    fn ask_refresh(&self, session: &Session) -> Result<(), Error> {
        // BIRD 3 has another word for it.
        let old = self.birdc(&format!("reload in {}", session.name()));
        old.or_else(|_| self.birdc(&format!("reload bgp in {}", session.name())))
            .map(drop)
    }
}
