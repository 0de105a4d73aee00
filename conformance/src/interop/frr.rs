//! FRR, as the lab runs it.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::plan::{Family, THEIR_AS, THEIRS, THEIRS_IPV6, of};
use super::{Attribute, Feature, Neighbor, Purpose, Session};
use crate::lab::{self, Error, Lab, Namespace, Release, command};

const START: Duration = Duration::from_secs(20);

/// What a session has besides.
const LINES: [(Purpose, &str); 3] = [
    (Purpose::Gtsm, "ttl-security hops 1"),
    (Purpose::Role, "local-role provider"),
    (Purpose::Ipv6NextHops, "capability extended-nexthop"),
];

/// What its family has besides.
const FAMILY_LINES: [(Purpose, &str); 3] = [
    (Purpose::AddPath, "addpath-tx-all-paths"),
    (Purpose::FirstClient, "route-reflector-client"),
    (Purpose::SecondClient, "route-reflector-client"),
];

const SIGNS: [(Feature, &[&str]); 7] = [
    (
        Feature::AddPathReceived,
        &[
            "RX advertised and received",
            "Advertise all paths via addpath",
        ],
    ),
    (
        Feature::ExtendedMessages,
        &["Extended Message: advertised and received"],
    ),
    (
        Feature::RouteRefresh,
        &["Route refresh: advertised and received"],
    ),
    (
        Feature::GracefulRestart,
        &["Graceful Restart Capability: advertised and received"],
    ),
    (
        Feature::Ipv6NextHops,
        &["Extended nexthop: advertised and received"],
    ),
    (
        Feature::Roles,
        &["Local Role: provider", "Remote Role: customer"],
    ),
    (Feature::Md5, &["Peer Authentication Enabled"]),
];

/// One FRR.
pub(super) struct Frr {
    release: Release,
    running: Option<lab::Frr>,
}

impl Frr {
    pub(super) fn new(release: Release) -> Self {
        Self {
            release,
            running: None,
        }
    }

    fn vtysh(&self, line: &str) -> Result<String, Error> {
        let Some(running) = &self.running else {
            return Err(Error::State("FRR does not run".to_owned()));
        };
        let output = running.vtysh(&[line])?;
        match output.ok() {
            true => Ok(output.stdout),
            false => Err(Error::State(output.text())),
        }
    }
}

fn config(sessions: &[Session]) -> String {
    let mut out = format!(
        "route-map MARK permit 10\n set community 65002:9\n set large-community 65002:9:10\n \
         set metric 99\n\
         router bgp {THEIR_AS}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n no bgp default ipv4-unicast\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n"
    );
    for session in sessions {
        let left = session.left();
        let _ = write!(
            out,
            " neighbor {left} remote-as {}\n neighbor {left} passive\n \
             neighbor {left} timers connect 1\n",
            session.left_as()
        );
        if let Some(password) = session.password() {
            let _ = writeln!(out, " neighbor {left} password {password}");
        }
        if let Some(line) = of(&LINES, session.purpose) {
            let _ = writeln!(out, " neighbor {left} {line}");
        }
    }
    let _ = writeln!(
        out,
        " address-family ipv4 unicast\n  network {THEIRS} route-map MARK"
    );
    for session in sessions.iter().filter(|it| it.family() == Family::Ipv4) {
        let left = session.left();
        let _ = writeln!(out, "  neighbor {left} activate");
        if let Some(line) = of(&FAMILY_LINES, session.purpose) {
            let _ = writeln!(out, "  neighbor {left} {line}");
        }
    }
    let _ = writeln!(
        out,
        " exit-address-family\n address-family ipv6 unicast\n  \
         network {THEIRS_IPV6} route-map MARK\n  neighbor {} activate\n exit-address-family\n \
         address-family l2vpn evpn\n  neighbor {} activate\n  advertise-all-vni\n  vni 100\n   \
         rd 10.9.0.2:100\n   route-target import 65000:100\n   route-target export 65000:100\n  \
         exit-vni\n exit-address-family",
        Session::of(Purpose::Ipv6).left(),
        Session::of(Purpose::Evpn).left(),
    );
    out
}

/// An overlay network with one machine: FRR announces what the kernel has.
fn overlay(lab: &Lab, space: &Namespace) -> Result<(), Error> {
    for words in [
        "link add br100 type bridge",
        "link add vxlan100 type vxlan id 100 local 10.9.4.2 dstport 4789 nolearning",
        "link set vxlan100 master br100",
        "link add vm0 type veth peer name vm1",
        "link set vm0 master br100",
        "link set br100 up",
        "link set vxlan100 up",
        "link set vm0 up",
        "link set vm1 up",
    ] {
        space.ip(words)?;
    }
    let line = "bridge fdb add 02:00:00:00:00:72 dev vm0 master dynamic";
    let words: Vec<&str> = line.split_whitespace().collect();
    // The port takes no entry before the bridge forwards.
    lab.wait_until("a machine behind br100", START, || {
        space.run(&words).map(drop)
    })?;
    Ok(())
}

impl Neighbor for Frr {
    fn lacks(&self, _feature: Feature) -> Option<&'static str> {
        None
    }

    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error> {
        self.release.prepare()?;
        if self.running.is_none() && sessions.iter().any(|it| it.purpose == Purpose::Evpn) {
            overlay(lab, space)?;
        }
        let mut frr = lab::Frr::new(self.release.clone(), space.clone(), lab.folder("neighbor")?);
        let log = frr.log_name();
        let config = format!(
            "frr defaults traditional\nlog file {log}\n{}",
            config(sessions)
        );
        let started = frr.start(lab, &config);
        self.running = Some(frr);
        started
    }

    fn kill(&mut self) -> Result<(), Error> {
        match &mut self.running {
            Some(running) => running.kill9(),
            None => Ok(()),
        }
    }

    fn session(&self, session: &Session) -> Result<String, Error> {
        self.vtysh(&format!("show bgp neighbors {}", session.left()))
    }

    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error> {
        let family = match session.family() {
            Family::Ipv4 => "ipv4 unicast",
            Family::Ipv6 => "ipv6 unicast",
            Family::Evpn => "l2vpn evpn",
        };
        let text = self.vtysh(&format!("show bgp {family} {prefix} json"))?;
        let shown = command::json("show bgp", &text)?;
        let from = session.left().to_string();
        let paths = shown.get("paths").and_then(Value::as_array);
        let mine = paths.into_iter().flatten().filter(|path| {
            path.pointer("/peer/peerId").and_then(Value::as_str) == Some(from.as_str())
        });
        Ok(mine.map(Value::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn evpn(&self) -> Result<String, Error> {
        self.vtysh("show bgp l2vpn evpn route")
    }

    fn spelling(&self, attribute: &Attribute) -> String {
        match *attribute {
            Attribute::AsPath(asn) => {
                format!("\"aspath\":{{\"length\":1,\"segments\":[{{\"list\":[{asn}]")
            }
            Attribute::Med(med) => format!("\"metric\":{med}"),
            Attribute::Community(a, b) => format!("\"{a}:{b}\""),
            Attribute::LargeCommunity(a, b, c) => format!("\"{a}:{b}:{c}\""),
            Attribute::Originator(id) => format!("\"originatorId\":\"{id}\""),
            Attribute::NextHop(address) => format!("\"ip\":\"{address}\""),
        }
    }

    fn signs(&self, feature: Feature) -> &'static [&'static str] {
        of(&SIGNS, feature).unwrap_or_default()
    }

    fn kept(&self) -> Option<&'static str> {
        Some("\"stale\":true")
    }

    fn evpn_announced(&self) -> &'static [&'static str] {
        &[
            "[2]:[10.9.0.2:100]:[0]:[48]:[02:00:00:00:00:72]",
            "[3]:[10.9.0.2:100]:[0]:[32]:[10.9.4.2]",
        ]
    }

    fn ask_refresh(&self, session: &Session) -> Result<(), Error> {
        self.vtysh(&format!(
            "clear bgp ipv4 unicast {} soft in",
            session.left()
        ))
        .map(drop)
    }
}
