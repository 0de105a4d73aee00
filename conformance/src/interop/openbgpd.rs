//! OpenBGPD.

use std::fmt::Write;
use std::time::Duration;

use super::place::{Place, Runner};
use super::plan::{Family, THEIR_AS, THEIRS, THEIRS_IPV6, of};
use super::{Attribute, Feature, Neighbor, Purpose, Session};
use crate::lab::{Error, Lab, Namespace, wait_until};

const START: Duration = Duration::from_secs(20);

/// What a session has besides.
const LINES: [(Purpose, &str); 6] = [
    (Purpose::Ipv6NextHops, "  announce extended nexthop yes\n"),
    (Purpose::Gtsm, "  ttl-security yes\n"),
    (Purpose::Role, "  role provider\n"),
    (
        Purpose::AddPath,
        "  announce add-path recv yes\n  announce add-path send all\n",
    ),
    (
        Purpose::FirstClient,
        "  route-reflector\n  announce add-path recv yes\n",
    ),
    (Purpose::SecondClient, "  route-reflector\n"),
];

const SIGNS: [(Feature, &[&str]); 5] = [
    (
        Feature::AddPathReceived,
        &["Add-path: IPv4 unicast recv", "Add-path: IPv4 unicast send"],
    ),
    (Feature::ExtendedMessages, &["Extended message"]),
    (Feature::RouteRefresh, &["Route Refresh"]),
    (
        Feature::GracefulRestart,
        &["Graceful Restart: timeout: 120"],
    ),
    (
        Feature::Roles,
        &[
            "Role: provider",
            "Open Policy role customer (local provider)",
        ],
    ),
];

/// One OpenBGPD.
pub(super) struct Openbgpd {
    runner: Runner,
}

impl Openbgpd {
    pub(super) fn new(place: Place) -> Self {
        let runner = Runner::new(place);
        Self { runner }
    }

    fn bgpctl(&self, line: &str) -> Result<String, Error> {
        let socket = self.runner.inside("bgpd.sock");
        let mut words = vec!["/usr/sbin/bgpctl", "-s", &socket];
        words.extend(line.split_whitespace());
        self.runner.said(&words)
    }
}

fn config(sessions: &[Session], socket: &str) -> String {
    let marks = "set { community 65002:9 large-community 65002:9:10 metric 99 }";
    let mut out = format!(
        "AS {THEIR_AS}\nrouter-id 10.9.0.2\nlisten on 0.0.0.0\nlisten on ::\n\
         socket \"{socket}\"\nfib-update no\n\
         network {THEIRS} {marks}\nnetwork {THEIRS_IPV6} {marks}\n"
    );
    for session in sessions {
        let _ = write!(
            out,
            "neighbor {} {{\n  remote-as {}\n  passive\n  local-address {}\n  \
             announce restart yes\n  announce refresh yes\n  announce extended message yes\n",
            session.left(),
            session.left_as(),
            session.right()
        );
        out += match session.family() {
            Family::Ipv4 => "  announce IPv4 unicast\n",
            Family::Ipv6 => "  announce IPv6 unicast\n",
            Family::Evpn => "  announce EVPN\n",
        };
        if let Some(password) = session.password() {
            let _ = writeln!(out, "  tcp md5sig password \"{password}\"");
        }
        out += of(&LINES, session.purpose).unwrap_or_default();
        out += "}\n";
    }
    out += "allow from any\nallow to any\n";
    out
}

impl Neighbor for Openbgpd {
    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        // Seen with 9.3, also with `fib-update no`.
        (feature == Feature::Evpn).then_some(
            "OpenBGPD on Linux ends at the first EVPN route: `kr_change: not handled AID`",
        )
    }

    fn unseen(&self, feature: Feature) -> Option<&'static str> {
        (feature == Feature::GracefulRestart)
            .then_some("OpenBGPD keeps routes of rbgpd; it asks nobody to keep its own")
    }

    fn restarts(&self) -> bool {
        false
    }

    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error> {
        self.runner.enter(lab, "neighbor")?;
        let socket = self.runner.inside("bgpd.sock");
        let config = self.runner.file("bgpd.conf", &config(sessions, &socket))?;
        let line = ["/usr/sbin/bgpd", "-d", "-f", &config];
        self.runner.start(lab, space, &line, &[])?;
        wait_until("OpenBGPD answers", START, || {
            self.runner.must_live().map_err(|e| e.to_string())?;
            self.bgpctl("show summary")
                .map(drop)
                .map_err(|e| e.to_string())
        })?;
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.runner.kill()
    }

    fn session(&self, session: &Session) -> Result<String, Error> {
        self.bgpctl(&format!("show neighbor {}", session.left()))
    }

    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error> {
        self.bgpctl(&format!(
            "show rib neighbor {} in detail {prefix}",
            session.left()
        ))
    }

    fn evpn(&self) -> Result<String, Error> {
        self.bgpctl("show rib evpn detail")
    }

    fn spelling(&self, attribute: &Attribute) -> String {
        match *attribute {
            Attribute::AsPath(asn) => format!("\n    {asn}\n"),
            Attribute::Med(med) => format!("metric {med},"),
            Attribute::Community(a, b) => format!("{a}:{b}"),
            Attribute::LargeCommunity(a, b, c) => format!("{a}:{b}:{c}"),
            Attribute::Originator(id) => format!("Originator Id: {id}"),
            Attribute::NextHop(address) => format!("Nexthop {address} "),
        }
    }

    fn signs(&self, feature: Feature) -> &'static [&'static str] {
        of(&SIGNS, feature).unwrap_or_default()
    }

    fn kept(&self) -> Option<&'static str> {
        Some("stale")
    }

    fn evpn_announced(&self) -> &'static [&'static str] {
        &[]
    }

    fn ask_refresh(&self, session: &Session) -> Result<(), Error> {
        self.bgpctl(&format!("neighbor {} refresh", session.left()))
            .map(drop)
    }
}
