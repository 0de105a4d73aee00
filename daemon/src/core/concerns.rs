//! What two machines or routers have and only one can have: said once in the log, and shown as long
//! as it lasts.
//!
//! Claims of other sites are EVPN's to find ([`evpn::Concern`]); machines here that use an address of
//! this router, the gateway's or its own, are heard on the bridge's ports ([`super::stations`]), where
//! what they say counts for nothing. Both are lines of `show summary` and of the VNI in
//! `show evpn vni`, with the next step. What EVPN is told may change the answer; it is asked a moment
//! later, so that a route that is replaced by another is no line, and not at all while nothing happens.
//!
//! A line is written when its text is new, and again if it was away for [`PAUSE`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bgp::{MacAddress, Vni};
use evpn::Address;

use super::Core;

/// After a change, EVPN is asked once the rest of it has come.
const GATHER: Duration = Duration::from_secs(1);

/// A machine that uses our address says something of it once in a few minutes, its neighbours' ARP
/// caches being what they are. After this it is taken to have another.
const HEARD: Duration = Duration::from_secs(10 * 60);

/// What was away for so long is said again.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Lines that are remembered, and shown in `show summary`; beyond that a number is.
const LINES_MAX: usize = 64;
const SHOWN_MAX: usize = 5;

/// What was said, and who was heard.
#[derive(Debug, Default)]
pub(super) struct Concerns {
    look_at: Option<Instant>,
    /// When each line was last true.
    said: BTreeMap<String, Instant>,
    /// Machines here by the address of ours that they use; as many as we have addresses.
    squatters: BTreeMap<(Vni, Address), Squatter>,
}

/// A machine here that uses an address of ours.
#[derive(Debug)]
struct Squatter {
    mac: MacAddress,
    port: String,
    heard: Instant,
}

impl Concerns {
    /// EVPN was told something.
    pub(super) fn look(&mut self, now: Instant) {
        self.look_at.get_or_insert(now + GATHER);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Which of these lines have to be said.
    fn news(&mut self, now: Instant, lines: Vec<String>) -> Vec<String> {
        self.said
            .retain(|_, last| now.saturating_duration_since(*last) < PAUSE);
        let mut news = Vec::new();
        for line in lines {
            let room = self.said.len() < LINES_MAX;
            match self.said.get_mut(&line) {
                Some(last) => *last = now,
                None if room => {
                    self.said.insert(line.clone(), now);
                    news.push(line);
                }
                None => {}
            }
        }
        news
    }
}

impl Core {
    /// A machine on a port here uses an address of this router.
    pub(super) fn squats(
        &mut self,
        now: Instant,
        vni: Vni,
        address: Address,
        mac: MacAddress,
        port: u32,
    ) {
        let link = self.install.ground.links.get(port);
        let port = link.map_or_else(|| format!("if{port}"), |link| link.name.to_string());
        let squatter = Squatter {
            mac,
            port,
            heard: now,
        };
        self.concerns.squatters.insert((vni, address), squatter);
        self.concerns.look(now);
    }

    /// Says what is new.
    pub(super) fn concerns_timeout(&mut self, now: Instant) {
        if self.concerns.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.concerns.look_at = None;
        let fresh = |it: &Squatter| now.saturating_duration_since(it.heard) < HEARD;
        self.concerns.squatters.retain(|_, it| fresh(it));
        let lines = self.concern_lines(now);
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        for line in self.concerns.news(now, lines) {
            tracing::warn!("{line}");
        }
    }

    /// Everything there is to say, with the VNI that it is about.
    fn concern_lines(&self, now: Instant) -> Vec<(Option<Vni>, String)> {
        let squatters = self.concerns.squatters.iter();
        let squatters = squatters.filter(|((vni, address), it)| {
            let fresh = now.saturating_duration_since(it.heard) < HEARD;
            fresh && self.is_ours(*vni, *address)
        });
        let here = squatters.map(|((vni, address), it)| {
            let line = squatter_line(*vni, *address, it);
            (Some(*vni), line)
        });
        let elsewhere = self.evpn.concerns();
        let elsewhere = elsewhere
            .iter()
            .map(|it| (it.vni(), format!("{it}; {}", it.remedy())));
        here.chain(elsewhere).collect()
    }

    /// Whether an address is still one of this router.
    fn is_ours(&self, vni: Vni, address: Address) -> bool {
        match address {
            Address::Mac(mac) => self.is_bridge_mac(vni, mac),
            Address::Ip(ip) => self.is_gateway(vni, ip),
        }
    }

    /// For `show summary`.
    pub(super) fn concern_notices(&self) -> Vec<String> {
        let lines = self.concern_lines(Instant::now());
        let more = lines.len().saturating_sub(SHOWN_MAX);
        let mut notices: Vec<String> = lines
            .into_iter()
            .map(|(_, line)| line)
            .take(SHOWN_MAX)
            .collect();
        if more > 0 {
            notices.push(format!(
                "{more} more addresses are claimed by two; rbgpctl show evpn vni names them"
            ));
        }
        notices
    }

    /// For `show evpn vni`, which says of which VNI it speaks.
    pub(super) fn concerns_by_vni(&self) -> BTreeMap<Vni, Vec<String>> {
        let mut by_vni: BTreeMap<Vni, Vec<String>> = BTreeMap::new();
        for (vni, line) in self.concern_lines(Instant::now()) {
            if let Some(vni) = vni {
                let said = format!("VNI {vni}: ");
                let line = line.strip_prefix(&said).unwrap_or(&line).to_owned();
                by_vni.entry(vni).or_default().push(line);
            }
        }
        by_vni
    }
}

fn squatter_line(vni: Vni, address: Address, squatter: &Squatter) -> String {
    let Squatter { mac, port, .. } = squatter;
    match address {
        Address::Ip(ip) => format!(
            "VNI {vni}: {ip} is this router's, and the machine {mac} on port {port} uses it, too; its \
             neighbors may take it for their gateway; give that machine another address"
        ),
        Address::Mac(own) => format!(
            "VNI {vni}: {own} is this router's, and a machine on port {port} uses it, too; nothing \
             reaches that machine; give it another address, or look for a loop behind the port"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_once_and_again_when_it_was_away() {
        let start = Instant::now();
        let mut concerns = Concerns::default();
        let line = || vec!["a gateway's address is used twice".to_owned()];
        assert_eq!(concerns.news(start, line()), line());
        let mut now = start;
        for _ in 0..5 {
            now += PAUSE / 2;
            assert!(concerns.news(now, line()).is_empty(), "it never stopped");
        }
        concerns.news(now + PAUSE, Vec::new());
        assert_eq!(concerns.news(now + PAUSE, line()), line());
    }

    #[test]
    fn memory_of_what_was_said_is_bounded() {
        let now = Instant::now();
        let mut concerns = Concerns::default();
        let lines = (0..LINES_MAX + 10).map(|it| it.to_string()).collect();
        assert_eq!(concerns.news(now, lines).len(), LINES_MAX);
        assert_eq!(concerns.said.len(), LINES_MAX);
    }

    #[test]
    fn a_line_names_the_machine_its_port_and_what_to_do() {
        let squatter = Squatter {
            mac: "02:00:00:00:00:07".parse().unwrap(),
            port: "tap7".to_owned(),
            heard: Instant::now(),
        };
        let vni = Vni::new(100).unwrap();
        let address = Address::Ip([10, 100, 0, 1].into());
        assert_eq!(
            squatter_line(vni, address, &squatter),
            "VNI 100: 10.100.0.1 is this router's, and the machine 02:00:00:00:00:07 on port tap7 uses \
             it, too; its neighbors may take it for their gateway; give that machine another address"
        );
        let own = Address::Mac("02:00:5e:00:00:64".parse().unwrap());
        assert!(squatter_line(vni, own, &squatter).contains("a machine on port tap7 uses it"));
    }
}
