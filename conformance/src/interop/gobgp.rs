//! GoBGP.

use std::fmt::Write;
use std::time::Duration;

use super::place::{Place, Runner};
use super::plan::{Family, THEIR_AS, THEIRS, THEIRS_IPV6, of};
use super::{Attribute, Feature, Neighbor, Purpose, Session};
use crate::lab::{Error, Lab, Namespace, wait_until};

const START: Duration = Duration::from_secs(20);

/// Routes are added by its client, one line each, after `gobgp global rib add`.
const EVPN: [&str; 5] = [
    "-a evpn macadv 02:00:00:00:00:72 10.172.0.2 etag 0 label 100 rd 10.9.0.2:100 rt 65000:100 \
     encap vxlan",
    "-a evpn multicast 10.9.4.2 etag 0 rd 10.9.0.2:100 rt 65000:100 encap vxlan \
     pmsi ingress-repl 100 10.9.4.2",
    "-a evpn prefix 10.172.0.0/24 etag 0 gw 0.0.0.0 label 100 rd 10.9.0.2:100 rt 65000:100 \
     encap vxlan",
    "-a evpn a-d esi arbitrary 11:22:33:44:55:66:77:88:99 etag 7 label 100 rd 10.9.0.2:100 \
     rt 65000:100",
    "-a evpn esi 10.9.4.2 esi arbitrary 11:22:33:44:55:66:77:88:99 rd 10.9.0.2:100 rt 65000:100",
];

/// What a session has besides.
const LINES: [(Purpose, &str); 3] = [
    (
        Purpose::Gtsm,
        "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n",
    ),
    (Purpose::FirstClient, CLIENT),
    (Purpose::SecondClient, CLIENT),
];

/// What its family has besides.
const ADD_PATHS: [(Purpose, &str); 2] = [
    (
        Purpose::AddPath,
        "[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 8\n",
    ),
    (
        Purpose::FirstClient,
        "[neighbors.afi-safis.add-paths.config]\nreceive = true\n",
    ),
];

const CLIENT: &str = "[neighbors.route-reflector.config]\nroute-reflector-client = true\n\
                      route-reflector-cluster-id = \"10.9.0.2\"\n";

const SIGNS: [(Feature, &[&str]); 5] = [
    (
        Feature::AddPathReceived,
        &["add-path:\tadvertised and received"],
    ),
    (
        Feature::ExtendedMessages,
        &["extended-message:\tadvertised and received"],
    ),
    (
        Feature::RouteRefresh,
        &["route-refresh:\tadvertised and received"],
    ),
    (
        Feature::GracefulRestart,
        &["graceful-restart:\tadvertised and received"],
    ),
    (
        Feature::Ipv6NextHops,
        &["extended-nexthop:\tadvertised and received"],
    ),
];

/// One GoBGP.
pub(super) struct Gobgp {
    runner: Runner,
}

impl Gobgp {
    pub(super) fn new(place: Place) -> Self {
        let runner = Runner::new(place);
        Self { runner }
    }

    fn gobgp(&self, line: &str) -> Result<String, Error> {
        let mut words = vec!["/usr/bin/gobgp"];
        words.extend(line.split_whitespace());
        self.runner.said(&words)
    }
}

fn config(sessions: &[Session]) -> String {
    let mut out = format!("[global.config]\nas = {THEIR_AS}\nrouter-id = \"10.9.0.2\"\n");
    for session in sessions {
        let _ = write!(
            out,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{}\"\npeer-as = {}\n",
            session.left(),
            session.left_as()
        );
        if let Some(password) = session.password() {
            let _ = writeln!(out, "auth-password = \"{password}\"");
        }
        let _ = write!(
            out,
            "[neighbors.transport.config]\npassive-mode = true\nlocal-address = \"{}\"\n\
             [neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 60\n",
            session.right()
        );
        out += of(&LINES, session.purpose).unwrap_or_default();
        let family = match session.family() {
            Family::Ipv4 => "ipv4-unicast",
            Family::Ipv6 => "ipv6-unicast",
            Family::Evpn => "l2vpn-evpn",
        };
        let _ = write!(
            out,
            "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n\
             [neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n"
        );
        out += of(&ADD_PATHS, session.purpose).unwrap_or_default();
    }
    out
}

impl Neighbor for Gobgp {
    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        (feature == Feature::Roles).then_some("GoBGP has no roles")
    }

    fn unseen(&self, feature: Feature) -> Option<&'static str> {
        (feature == Feature::RouteRefresh).then_some("asked by rbgpd only: GoBGP never asks")
    }

    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error> {
        self.runner.enter(lab, "neighbor")?;
        let config = self.runner.file("gobgpd.toml", &config(sessions))?;
        let line = [
            "/usr/bin/gobgpd",
            "-f",
            &config,
            "--api-hosts",
            "127.0.0.1:50051",
        ];
        self.runner.start(lab, space, &line, &[])?;
        wait_until("GoBGP answers", START, || {
            self.runner.must_live().map_err(|e| e.to_string())?;
            self.gobgp("global").map(drop).map_err(|e| e.to_string())
        })?;
        let marks = "community 65002:9 large-community 65002:9:10 med 99";
        self.gobgp(&format!("global rib add {THEIRS} {marks}"))?;
        self.gobgp(&format!("global rib add -a ipv6 {THEIRS_IPV6} {marks}"))?;
        for route in EVPN {
            self.gobgp(&format!("global rib add {route}"))?;
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.runner.kill()
    }

    fn session(&self, session: &Session) -> Result<String, Error> {
        self.gobgp(&format!("neighbor {}", session.left()))
    }

    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error> {
        let family = match session.family() {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
            Family::Evpn => "evpn",
        };
        let all = self.gobgp(&format!("neighbor {} adj-in -a {family}", session.left()))?;
        let mine = all.lines().filter(|line| line.contains(prefix));
        Ok(mine.collect::<Vec<_>>().join("\n"))
    }

    fn evpn(&self) -> Result<String, Error> {
        self.gobgp("global rib -a evpn")
    }

    fn spelling(&self, attribute: &Attribute) -> String {
        match *attribute {
            Attribute::AsPath(asn) => format!(" {asn} "),
            Attribute::Med(med) => format!("{{Med: {med}}}"),
            Attribute::Community(a, b) => format!("{a}:{b}"),
            Attribute::LargeCommunity(a, b, c) => format!("{a}:{b}:{c}"),
            Attribute::Originator(id) => format!("{{Originator: {id}}}"),
            Attribute::NextHop(address) => format!(" {address} "),
        }
    }

    fn signs(&self, feature: Feature) -> &'static [&'static str] {
        of(&SIGNS, feature).unwrap_or_default()
    }

    fn kept(&self) -> Option<&'static str> {
        Some("S  ")
    }

    fn evpn_announced(&self) -> &'static [&'static str] {
        &[
            "[1]:[10.9.0.2:100]:[7]:",
            "[2]:[10.9.0.2:100]:[0]:[48]:[02:00:00:00:00:72]:[32]:[10.172.0.2]",
            "[3]:[10.9.0.2:100]:[0]:[32]:[10.9.4.2]",
            "[4]:[10.9.0.2:100]:",
            "[5]:[10.9.0.2:100]:[0]:[24]:[10.172.0.0]",
        ]
    }

    fn ask_refresh(&self, session: &Session) -> Result<(), Error> {
        self.gobgp(&format!("neighbor {} softresetin", session.left()))
            .map(drop)
    }
}
