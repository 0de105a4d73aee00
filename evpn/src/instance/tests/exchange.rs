//! Several sites that tell each other their routes, in any interleaving.
//!
//! Each site has a kernel that learns addresses and is programmed by the site's instance; each
//! pair has a queue of messages, as a BGP session is. Whatever happens in whatever order, once
//! everybody has heard everything one site has each address, all others send frames there, and
//! that is reached with few messages: nobody plays ping-pong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

type Message = (EvpnKey, Option<Arc<AttributeSet>>);

/// What stands in a kernel for an address.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Entry<T> {
    Local(T),
    Remote(T, IpAddr),
}

/// One site: instance, kernel, and what is under way between them and to others.
pub(super) struct Site {
    pub(super) instance: Instance,
    fdb: BTreeMap<MacAddress, Entry<()>>,
    /// Those of them that are static: no frame moves them.
    fixed: BTreeSet<MacAddress>,
    neighbours: BTreeMap<IpAddr, Entry<MacAddress>>,
    events: VecDeque<Input>,
    told: BTreeMap<EvpnKey, Arc<AttributeSet>>,
}

/// Sites in a full mesh.
pub(super) struct Mesh {
    pub(super) sites: Vec<Site>,
    /// By sender and receiver.
    sessions: BTreeMap<(usize, usize), VecDeque<Message>>,
    /// Whether a kernel says when our own entry replaced a local one.
    reports_replacement: bool,
    delivered: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A frame from this station arrives on a local port of a site.
    Learn(usize, u8),
    /// Somebody writes a static entry for it.
    Fix(usize, u8),
    /// The entry goes: it ages out, or somebody removes it.
    Age(usize, u8),
    /// A host at this site answers for an address.
    Resolve(usize, u8, u8),
    /// The neighbour entry fails.
    Fail(usize, u8),
    /// One message from site to site, or one event of a site's kernel.
    Deliver(usize, usize),
    /// The session from site to site is lost and comes back.
    Flap(usize, usize),
    /// The program at a site is started anew: it knows nothing but what its kernel has.
    Restart(usize),
}

impl Mesh {
    pub(super) fn new(count: usize, reports_replacement: bool) -> Self {
        let mut mesh = Self {
            sites: Vec::new(),
            sessions: BTreeMap::new(),
            reports_replacement,
            delivered: 0,
        };
        for number in 0..count {
            mesh.sites.push(Site {
                instance: site_with_vni(u8::try_from(number).unwrap() + 1),
                fdb: BTreeMap::new(),
                fixed: BTreeSet::new(),
                neighbours: BTreeMap::new(),
                events: VecDeque::new(),
                told: BTreeMap::new(),
            });
            for other in (0..count).filter(|other| *other != number) {
                mesh.sessions.insert((number, other), VecDeque::new());
            }
        }
        mesh
    }

    pub(super) fn step(&mut self, step: Step) {
        let count = self.sites.len();
        match step {
            Step::Learn(at, last) => self.learn(at % count, mac(last)),
            Step::Fix(at, last) => {
                let site = &mut self.sites[at % count];
                site.fdb.insert(mac(last), Entry::Local(()));
                site.fixed.insert(mac(last));
                site.report_mac(mac(last), true);
            }
            Step::Age(at, last) => {
                let site = &mut self.sites[at % count];
                if site.fdb.get(&mac(last)) == Some(&Entry::Local(())) {
                    site.fdb.remove(&mac(last));
                    site.fixed.remove(&mac(last));
                    site.report_mac(mac(last), false);
                }
            }
            Step::Resolve(at, address, last) => {
                let at = at % count;
                // A host that answers is heard.
                self.learn(at, mac(last));
                let site = &mut self.sites[at];
                site.neighbours.insert(ip(address), Entry::Local(mac(last)));
                site.report_neighbour(ip(address), mac(last), true);
            }
            Step::Fail(at, address) => {
                let site = &mut self.sites[at % count];
                if let Some(Entry::Local(bound)) = site.neighbours.get(&ip(address)).copied() {
                    site.neighbours.remove(&ip(address));
                    site.report_neighbour(ip(address), bound, false);
                }
            }
            Step::Deliver(from, to) => {
                let (from, to) = (from % count, to % count);
                if from == to {
                    self.kernel_event(to);
                } else {
                    self.message(from, to);
                }
            }
            Step::Flap(from, to) => self.flap(from % count, to % count),
            Step::Restart(at) => self.restart(at % count),
        }
    }

    fn learn(&mut self, at: usize, station: MacAddress) {
        let site = &mut self.sites[at];
        if site.fixed.contains(&station) {
            return;
        }
        // A frame that changes nothing is not reported by a kernel.
        if site.fdb.insert(station, Entry::Local(())) != Some(Entry::Local(())) {
            site.report_mac(station, true);
        }
    }

    fn kernel_event(&mut self, at: usize) -> bool {
        let Some(input) = self.sites[at].events.pop_front() else {
            return false;
        };
        self.sites[at].instance.handle(now(), input);
        self.carry_out(at);
        true
    }

    fn message(&mut self, from: usize, to: usize) -> bool {
        let queue = self.sessions.get_mut(&(from, to)).unwrap();
        let Some((key, attributes)) = queue.pop_front() else {
            return false;
        };
        self.delivered += 1;
        let attributes = attributes.map(|attributes| attributes.freeze());
        let route = Input::Route { key, attributes };
        self.sites[to].instance.handle(now(), route);
        self.carry_out(to);
        true
    }

    /// What the sender told is forgotten, and told again.
    fn flap(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let origin = vtep(u8::try_from(from).unwrap() + 1);
        let routes = self.sites[to].instance.facts.routes.iter();
        let lost: Vec<EvpnKey> = routes
            .filter(|route| route.path.vtep == origin)
            .map(|route| route.key.clone())
            .collect();
        for key in lost {
            self.sites[to].instance.route(key, None);
        }
        self.carry_out(to);
        let told = self.sites[from].told.clone();
        let again = told.into_iter().map(|(key, value)| (key, Some(value)));
        self.sessions.insert((from, to), again.collect());
    }

    /// What the program left in its kernel is reported as if it were learned now, and what is not
    /// wanted again is removed. The others lose its routes and have to tell it theirs.
    fn restart(&mut self, at: usize) {
        let number = u8::try_from(at).unwrap() + 1;
        let site = &mut self.sites[at];
        site.instance = site_with_vni(number);
        (site.told, site.events) = (BTreeMap::new(), VecDeque::new());
        site.fdb.retain(|_, entry| *entry == Entry::Local(()));
        let (fdb, fixed) = (&site.fdb, &mut site.fixed);
        fixed.retain(|mac| fdb.contains_key(mac));
        let is_local = |entry: &Entry<MacAddress>| matches!(entry, Entry::Local(_));
        site.neighbours.retain(|_, entry| is_local(entry));
        for mac in site.fdb.keys().copied().collect::<Vec<_>>() {
            site.report_mac(mac, true);
        }
        for (ip, entry) in site.neighbours.clone() {
            if let Entry::Local(mac) = entry {
                site.report_neighbour(ip, mac, true);
            }
        }
        for other in (0..self.sites.len()).filter(|other| *other != at) {
            self.flap(at, other);
            self.flap(other, at);
        }
    }

    /// Somebody clears what is frozen at a site.
    pub(super) fn clear(&mut self, at: usize) {
        let (vni, address) = (None, None);
        let clear = Input::ClearDuplicates { vni, address };
        self.sites[at].instance.handle(now(), clear);
        self.carry_out(at);
    }

    /// Does what the instance asks for.
    fn carry_out(&mut self, at: usize) {
        while let Some(output) = self.sites[at].instance.poll() {
            match output {
                Output::Import { .. } | Output::Unimport { .. } => panic!("no VRF is configured"),
                Output::Originate { key, attributes } => {
                    let site = &mut self.sites[at];
                    site.told.insert(key.clone(), attributes.clone());
                    self.tell(at, &(key, Some(attributes)));
                }
                Output::Withdraw { key } => {
                    self.sites[at].told.remove(&key);
                    self.tell(at, &(key, None));
                }
                Output::SetMac { mac, remote, .. } => {
                    let reports = self.reports_replacement;
                    let site = &mut self.sites[at];
                    match remote.sticky {
                        true => site.fixed.insert(mac),
                        false => site.fixed.remove(&mac),
                    };
                    let entry = Entry::Remote((), remote.tunnel.vtep);
                    let before = site.fdb.insert(mac, entry);
                    if before == Some(Entry::Local(())) && reports {
                        site.report_mac(mac, false);
                    }
                }
                Output::RemoveMac { mac, .. } => {
                    let site = &mut self.sites[at];
                    if matches!(site.fdb.get(&mac), Some(Entry::Remote(..))) {
                        site.fdb.remove(&mac);
                        site.fixed.remove(&mac);
                    }
                }
                Output::SetNeighbour { ip, mac, vtep, .. } => {
                    let reports = self.reports_replacement;
                    let site = &mut self.sites[at];
                    let entry = Entry::Remote(mac, vtep);
                    let before = site.neighbours.insert(ip, entry);
                    if let Some(Entry::Local(bound)) = before.filter(|_| reports) {
                        site.report_neighbour(ip, bound, false);
                    }
                }
                Output::RemoveNeighbour { ip, .. } => {
                    let site = &mut self.sites[at];
                    if matches!(site.neighbours.get(&ip), Some(Entry::Remote(..))) {
                        site.neighbours.remove(&ip);
                    }
                }
                Output::SetFlood { .. }
                | Output::RemoveFlood { .. }
                | Output::DuplicateFound(_)
                | Output::DuplicateOver { .. } => {}
            }
        }
    }

    fn tell(&mut self, from: usize, message: &Message) {
        for ((sender, _), queue) in &mut self.sessions {
            if *sender == from {
                queue.push_back(message.clone());
            }
        }
    }

    /// Delivers everything, in the order that `choices` gives and then in turn.
    pub(super) fn settle(&mut self, choices: &[(usize, usize)]) {
        for (from, to) in choices {
            self.step(Step::Deliver(*from, *to));
        }
        let count = self.sites.len();
        for _ in 0..1000 {
            let mut moved = false;
            for from in 0..count {
                for to in 0..count {
                    moved |= if from == to {
                        self.kernel_event(to)
                    } else {
                        self.message(from, to)
                    };
                }
            }
            if !moved {
                return;
            }
        }
        panic!("the sites never come to rest");
    }

    /// Everybody agrees on every address, and every kernel has what its instance wants.
    pub(super) fn check(&self) {
        for last in 1..=3 {
            self.check_mac(mac(last));
        }
        for last in 1..=2 {
            let tellers = self.tellers(
                |key| matches!(key, EvpnKey::MacIp { ip: Some(other), .. } if *other == ip(last)),
            );
            assert!(tellers.len() <= 1, "{} is told by {tellers:?}", ip(last));
        }
        for site in &self.sites {
            let wanted: BTreeMap<IpAddr, Entry<MacAddress>> = site
                .instance
                .facts
                .hosts
                .iter()
                .filter_map(|((_, ip), host)| Some((*ip, host.neighbour()?)))
                .map(|(ip, (mac, vtep))| (ip, Entry::Remote(mac, vtep)))
                .collect();
            let remote =
                |(_, entry): &(&IpAddr, &Entry<MacAddress>)| matches!(entry, Entry::Remote(..));
            let have: BTreeMap<IpAddr, Entry<MacAddress>> = site
                .neighbours
                .iter()
                .filter(remote)
                .map(|(ip, entry)| (*ip, *entry))
                .collect();
            assert_eq!(have, wanted, "neighbour entries");
        }
    }

    fn check_mac(&self, station: MacAddress) {
        let tellers = self
            .tellers(|key| matches!(key, EvpnKey::MacIp { mac, ip: None, .. } if *mac == station));
        let holders: Vec<usize> = (0..self.sites.len())
            .filter(|at| self.sites[*at].fdb.get(&station) == Some(&Entry::Local(())))
            .collect();
        if self.reports_replacement {
            assert_eq!(tellers, holders, "who has {station} tells it");
        }
        assert!(tellers.len() <= 1, "{station} is told by {tellers:?}");
        for at in &holders {
            assert_eq!(tellers, [*at], "{station} is held by {holders:?}");
        }
        let entries = self.sites.iter().map(|site| site.fdb.get(&station));
        for (at, entry) in entries.enumerate() {
            let wanted = tellers.first().map(|teller| {
                if *teller == at {
                    Entry::Local(())
                } else {
                    Entry::Remote((), vtep(u8::try_from(*teller).unwrap() + 1))
                }
            });
            // Without reports an entry of ours may have erased a local one before it went itself.
            if self.reports_replacement || wanted != Some(Entry::Local(())) {
                assert_eq!(entry.copied(), wanted, "{station} at site {at}");
            }
        }
    }

    /// The site that tells a MAC address, and that all send its frames to.
    pub(super) fn place(&self, last: u8) -> Option<usize> {
        let of_mac = |key: &EvpnKey| matches!(key, EvpnKey::MacIp { mac: of, ip: None, .. } if *of == mac(last));
        self.tellers(of_mac).first().copied()
    }

    /// The site that tells an IP address, and the MAC address it tells it with.
    pub(super) fn binding(&self, last: u8) -> Option<(usize, MacAddress)> {
        (0..self.sites.len()).find_map(|at| {
            let mut told = self.sites[at].told.keys();
            let bound = told.find(|key| crate::resolve::ip_of(key) == Some(ip(last)));
            Some((at, mac_of(bound?)?))
        })
    }

    pub(super) fn tellers(&self, select: impl Fn(&EvpnKey) -> bool) -> Vec<usize> {
        (0..self.sites.len())
            .filter(|at| self.sites[*at].told.keys().any(&select))
            .collect()
    }
}

impl Site {
    fn report_mac(&mut self, mac: MacAddress, present: bool) {
        self.events.push_back(Input::LocalMac {
            vni: vni(VNI),
            mac,
            present,
            sticky: present && self.fixed.contains(&mac),
        });
    }

    fn report_neighbour(&mut self, ip: IpAddr, mac: MacAddress, present: bool) {
        self.events.push_back(Input::LocalNeighbour {
            vni: vni(VNI),
            ip,
            mac,
            present,
        });
    }
}

#[test]
fn a_move_takes_one_message_each_way() {
    let mut mesh = Mesh::new(2, true);
    mesh.step(Step::Learn(0, 1));
    mesh.settle(&[]);
    mesh.check();
    let before = mesh.delivered;
    mesh.step(Step::Learn(1, 1));
    mesh.settle(&[]);
    mesh.check();
    assert_eq!(
        mesh.delivered - before,
        2,
        "the new claim, the old one withdrawn"
    );
    assert_eq!(mesh.tellers(|key| key.route_type() == 2), [1]);
}

#[test]
fn learning_at_both_sites_at_once_is_settled_by_one_withdrawal() {
    for order in [[(0, 1), (1, 0)], [(1, 0), (0, 1)]] {
        let mut mesh = Mesh::new(2, true);
        for step in [Step::Learn(0, 1), Step::Learn(1, 1)] {
            mesh.step(step);
        }
        mesh.kernel_event(0);
        mesh.kernel_event(1);
        mesh.settle(&order);
        mesh.check();
        assert_eq!(
            mesh.tellers(|key| key.route_type() == 2),
            [0],
            "lower address"
        );
        assert_eq!(mesh.delivered, 3, "two claims, one withdrawal");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..3usize;
    prop_oneof![
        4 => (at.clone(), 1..=3u8).prop_map(|(at, mac)| Step::Learn(at, mac)),
        2 => (at.clone(), 1..=3u8).prop_map(|(at, mac)| Step::Age(at, mac)),
        2 => (at.clone(), 1..=2u8, 1..=3u8).prop_map(|(at, ip, mac)| Step::Resolve(at, ip, mac)),
        1 => (at.clone(), 1..=2u8).prop_map(|(at, ip)| Step::Fail(at, ip)),
        12 => (at.clone(), at.clone()).prop_map(|(from, to)| Step::Deliver(from, to)),
        1 => (at.clone(), at.clone()).prop_map(|(from, to)| Step::Flap(from, to)),
        1 => at.prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sites_agree_after_any_interleaving(
        count in 2..=3usize,
        reports_replacement in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
        choices in prop::collection::vec((0..3usize, 0..3usize), 0..60),
        next in 0..3usize,
    ) {
        let mut mesh = Mesh::new(count, reports_replacement);
        let local = |step: &&Step| !matches!(step, Step::Deliver(..) | Step::Flap(..));
        let flaps = steps.iter().filter(|step| matches!(step, Step::Flap(..))).count();
        let learned = steps.iter().filter(local).count();
        for step in &steps {
            mesh.step(*step);
        }
        mesh.settle(&choices);
        mesh.check();
        // Each thing that happens at a site costs a bounded number of messages.
        let bound = (learned + flaps + 1) * 10 * count;
        prop_assert!(mesh.delivered <= bound, "{} messages", mesh.delivered);

        // And nothing is stuck: whoever hears a station next has it. A kernel that does not report
        // what our entries replaced leaves old claims behind, which can win once more after the
        // station was forgotten for a moment; its next frame settles that.
        let at = next % count;
        mesh.step(Step::Age(at, 1));
        let frames = if reports_replacement { 1 } else { 2 };
        for _ in 0..frames {
            mesh.step(Step::Learn(at, 1));
            mesh.settle(&[]);
        }
        mesh.check();
        let tellers = mesh.tellers(|key| {
            matches!(key, EvpnKey::MacIp { mac: of, ip: None, .. } if *of == mac(1))
        });
        prop_assert_eq!(tellers, [at]);
    }
}
