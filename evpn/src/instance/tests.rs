//! Sentences about one router; properties are in the two siblings.

use super::*;
use crate::resolve::ip_of;
use crate::{Conflict, Duplicate, Fault, Kind, Outcome, Problem, Reason, Rule};
use bgp::ExtendedCommunity;

mod duplicates;
mod exchange;
mod hostile;
mod mobility;
mod order;
mod own;
mod permutations;
mod unimported;
mod whereabouts;

pub(super) const VNI: u32 = 100;

pub(super) fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

pub(super) fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

pub(super) fn ip(last: u8) -> IpAddr {
    [10, 100, 0, last].into()
}

/// Tunnel address of a site.
pub(super) fn vtep(site: u8) -> IpAddr {
    [10, 10, 0, site].into()
}

/// A router of a site, with its tunnel address and no VNI.
pub(super) fn site(number: u8) -> Instance {
    Instance::new(Config {
        local_as: bgp::Asn(65000 + u32::from(number)),
        router_id: [10, 10, 0, number].into(),
        vtep: Some(vtep(number)),
    })
}

/// The same with a VNI where everything is automatic.
fn site_with_vni(number: u8) -> Instance {
    let mut instance = site(number);
    set_vni(&mut instance, VNI, VniConfig::new("production"));
    drain(&mut instance);
    instance
}

fn set_vni(instance: &mut Instance, number: u32, config: VniConfig) {
    let vni = vni(number);
    instance.handle(now(), Input::SetVni { vni, config });
}

/// A time where none plays a part.
pub(super) fn now() -> Instant {
    Instant::now()
}

pub(super) fn drain(instance: &mut Instance) -> Vec<Output> {
    std::iter::from_fn(|| instance.poll()).collect()
}

fn text(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(describe).collect()
}

/// A tunnel, with its VNI if that is not ours.
fn to(tunnel: Tunnel, own: Vni) -> String {
    match tunnel.downstream(own) {
        Some(_) => tunnel.to_string(),
        None => tunnel.vtep.to_string(),
    }
}

/// One line per output; what an originated route says beside its key stands behind it.
fn describe(output: &Output) -> String {
    match output {
        Output::Originate { key, attributes } => {
            let path = Path::from(&**attributes);
            let sticky = if path.sticky { " sticky" } else { "" };
            format!("+{key} seq {}{sticky}", path.sequence)
        }
        Output::Withdraw { key } => format!("-{key}"),
        Output::SetMac { vni, mac, remote } => {
            let sticky = if remote.sticky { " sticky" } else { "" };
            let RemoteMac {
                tunnel, sequence, ..
            } = remote;
            let to = to(*tunnel, *vni);
            format!("+mac {vni} {mac} {to} seq {sequence}{sticky}")
        }
        Output::RemoveMac { vni, mac } => format!("-mac {vni} {mac}"),
        Output::SetFlood { vni, tunnel } => format!("+flood {vni} {}", to(*tunnel, *vni)),
        Output::RemoveFlood { vni, tunnel } => format!("-flood {vni} {}", to(*tunnel, *vni)),
        Output::SetNeighbour { vni, ip, mac, vtep } => {
            format!("+neighbour {vni} {ip} {mac} {vtep}")
        }
        Output::RemoveNeighbour { vni, ip } => format!("-neighbour {vni} {ip}"),
        Output::Import { vrf, key, via, .. } => format!("+{vrf} {key} {via:?}"),
        Output::Unimport { vrf, key } => format!("-{vrf} {key}"),
        Output::DuplicateFound(found) => {
            let frozen = if found.frozen { " frozen" } else { "" };
            let Duplicate {
                vni,
                address,
                between,
                ..
            } = found;
            format!("duplicate {vni} {address} between {between}{frozen}")
        }
        Output::DuplicateOver { vni, address, why } => {
            format!("no duplicate {vni} {address}: {why}")
        }
    }
}

/// A route of another site as that site's own router would write it, AS numbers apart.
#[derive(Clone)]
struct Remote {
    site: u8,
    vni: u32,
    sequence: u32,
    sticky: bool,
    extra: Vec<ExtendedCommunity>,
}

fn from(site: u8) -> Remote {
    Remote {
        site,
        vni: VNI,
        sequence: 0,
        sticky: false,
        extra: Vec::new(),
    }
}

impl Remote {
    fn sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    fn attributes(&self) -> AttributeSet {
        let mut set = AttributeSet::new(vtep(self.site).into());
        let number = self.vni;
        set.extended_communities = vec![
            format!("{}:{number}", 65000 + u32::from(self.site))
                .parse()
                .unwrap(),
            ExtendedCommunity::ENCAPSULATION_VXLAN,
        ];
        if self.sequence > 0 || self.sticky {
            let mobility = ExtendedCommunity::mac_mobility(self.sequence, self.sticky);
            set.extended_communities.push(mobility);
        }
        set.extended_communities.extend(&self.extra);
        set.evpn = Some(bgp::EvpnTail {
            label: number,
            ..Default::default()
        });
        set
    }

    fn key(&self, mac: MacAddress, ip: Option<IpAddr>) -> EvpnKey {
        let rd = format!("10.10.0.{}:{}", self.site, self.vni)
            .parse()
            .unwrap();
        EvpnKey::MacIp {
            rd,
            tag: 0,
            mac,
            ip,
        }
    }

    fn announces(&self, instance: &mut Instance, mac: MacAddress, ip: Option<IpAddr>) {
        let path = Path::from(&self.attributes());
        instance.route(self.key(mac, ip), Some(Arc::new(path)));
    }

    fn withdraws(&self, instance: &mut Instance, mac: MacAddress, ip: Option<IpAddr>) {
        instance.route(self.key(mac, ip), None);
    }

    fn wants_floods(&self, instance: &mut Instance) -> EvpnKey {
        let mut set = self.attributes();
        set.evpn = None;
        set.pmsi_tunnel = Some(bgp::attributes::PmsiTunnel {
            flags: 0,
            tunnel_type: 6,
            label: self.vni,
            identifier: Box::new([10, 10, 0, self.site]),
        });
        let key = EvpnKey::InclusiveMulticast {
            rd: format!("10.10.0.{}:{}", self.site, self.vni)
                .parse()
                .unwrap(),
            tag: 0,
            originator: vtep(self.site),
        };
        instance.route(key.clone(), Some(Arc::new(Path::from(&set))));
        key
    }
}

pub(super) fn learns(instance: &mut Instance, last: u8) {
    local(instance, last, true, false);
}

pub(super) fn loses(instance: &mut Instance, last: u8) {
    local(instance, last, false, false);
}

fn local(instance: &mut Instance, last: u8, present: bool, sticky: bool) {
    instance.handle(
        now(),
        Input::LocalMac {
            vni: vni(VNI),
            mac: mac(last),
            present,
            sticky,
        },
    );
}

fn resolves(instance: &mut Instance, address: u8, station: u8, present: bool) {
    instance.handle(
        now(),
        Input::LocalNeighbour {
            vni: vni(VNI),
            ip: ip(address),
            mac: mac(station),
            present,
        },
    );
}

#[test]
fn a_vni_asks_for_flooded_frames_as_soon_as_it_has_a_tunnel_address() {
    let mut a = site(1);
    a.handle(now(), Input::SetVtep(None));
    set_vni(&mut a, VNI, VniConfig::new("production"));
    assert_eq!(drain(&mut a), []);
    assert_eq!(a.vnis()[0].problems, [Problem::NoVtep]);

    a.handle(now(), Input::SetVtep(Some(vtep(1))));
    let [Output::Originate { key, attributes }] = &drain(&mut a)[..] else {
        panic!("one route");
    };
    assert_eq!(key.to_string(), "[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]");
    assert_eq!(attributes.next_hop.addr(), vtep(1));
    let shown: Vec<String> = attributes
        .extended_communities
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["RT:65001:100", "ET:8"]);
    let tunnel = attributes.pmsi_tunnel.as_ref().unwrap();
    assert_eq!((tunnel.tunnel_type, tunnel.label), (6, 100));
    assert_eq!(&*tunnel.identifier, [10, 10, 0, 1]);

    a.handle(now(), Input::SetVtep(Some(vtep(9))));
    let [Output::Originate { .. }, Output::Withdraw { key: old }] = &drain(&mut a)[..] else {
        panic!("the new one, then the old one");
    };
    assert_eq!(old, key);
}

#[test]
fn an_ipv6_tunnel_address_works_like_an_ipv4_one() {
    let mut a = site(1);
    let own: IpAddr = "2001:db8::1".parse().unwrap();
    a.handle(now(), Input::SetVtep(Some(own)));
    set_vni(&mut a, VNI, VniConfig::new("production"));
    let [Output::Originate { attributes, .. }] = &drain(&mut a)[..] else {
        panic!("one route");
    };
    assert_eq!(
        attributes.pmsi_tunnel.as_ref().unwrap().identifier.len(),
        16
    );
    // An IPv4 site cannot be reached from it, and that is said.
    from(2).announces(&mut a, mac(1), None);
    assert_eq!(drain(&mut a), []);
    let fault = a.received().next().unwrap().vnis[0].1;
    assert_eq!(fault, Some(Fault::AddressFamily(vtep(2))));
}

#[test]
fn a_flood_route_makes_one_entry_per_site_until_the_last_one_goes() {
    let mut a = site_with_vni(1);
    let key = from(2).wants_floods(&mut a);
    assert_eq!(text(&drain(&mut a)), ["+flood 100 10.10.0.2"]);
    // The same site under a second distinguisher changes nothing.
    let mut second = key.clone();
    if let EvpnKey::InclusiveMulticast { rd, .. } = &mut second {
        *rd = "10.10.0.2:7".parse().unwrap();
    }
    let path = Arc::clone(&a.facts.routes.get(&key).unwrap().path);
    a.route(second.clone(), Some(path));
    a.route(key, None);
    assert_eq!(drain(&mut a), []);
    a.route(second, None);
    assert_eq!(text(&drain(&mut a)), ["-flood 100 10.10.0.2"]);
    assert!(a.facts.floods.is_empty());
}

#[test]
fn a_local_address_is_told_with_each_ip_bound_to_it() {
    let mut a = site_with_vni(1);
    resolves(&mut a, 5, 1, true);
    assert_eq!(drain(&mut a), [], "the MAC is not here yet");
    learns(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 0",
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5] seq 0",
        ]
    );
    let (_, attributes) = a.originated().next().unwrap();
    assert_eq!(attributes.evpn.unwrap().label, VNI);
    resolves(&mut a, 5, 1, false);
    assert_eq!(
        text(&drain(&mut a)),
        ["-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5]"]
    );
    loses(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        ["-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]"]
    );
    assert!(a.facts.stations.is_empty() && a.facts.hosts.is_empty());
}

#[test]
fn a_remote_address_is_installed_with_its_neighbour_entry() {
    let mut a = site_with_vni(1);
    from(2).announces(&mut a, mac(1), Some(ip(5)));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0",
            "+neighbour 100 10.100.0.5 02:00:00:00:00:01 10.10.0.2",
        ]
    );
    let status = &a.macs(Some(vni(VNI)))[0];
    assert_eq!((status.kind, status.vtep), (Kind::Remote, Some(vtep(2))));
    assert_eq!(status.ips, [ip(5)]);
    assert_eq!(status.reason, Reason::Won(Rule::OnlyClaim));
    from(2).withdraws(&mut a, mac(1), Some(ip(5)));
    assert_eq!(
        text(&drain(&mut a)),
        ["-neighbour 100 10.100.0.5", "-mac 100 02:00:00:00:00:01"]
    );
    assert!(a.facts.stations.is_empty() && a.facts.hosts.is_empty());
}

#[test]
fn learning_a_remote_address_here_goes_one_above_it() {
    let mut a = site_with_vni(1);
    from(2).sequence(4).announces(&mut a, mac(1), None);
    drain(&mut a);
    learns(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 5",
            "-mac 100 02:00:00:00:00:01",
        ]
    );
    // The loser withdraws; falling back to 0 would invite it to return.
    from(2).withdraws(&mut a, mac(1), None);
    assert_eq!(drain(&mut a), []);
    assert_eq!(a.macs(None)[0].sequence, 5);
    assert_eq!(a.macs(None)[0].moves, 1);
}

#[test]
fn hearing_the_same_address_again_changes_nothing() {
    let mut a = site_with_vni(1);
    from(2).sequence(4).announces(&mut a, mac(1), None);
    learns(&mut a, 1);
    resolves(&mut a, 5, 1, true);
    drain(&mut a);
    learns(&mut a, 1);
    resolves(&mut a, 5, 1, true);
    from(2).sequence(4).announces(&mut a, mac(1), None);
    assert_eq!(drain(&mut a), []);
}

#[test]
fn an_address_that_left_and_returns_locally_is_taken_back() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    drain(&mut a);
    from(2).sequence(1).announces(&mut a, mac(1), None);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 1",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
        ]
    );
    // The kernel learns it again on a local port.
    learns(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 2",
            "-mac 100 02:00:00:00:00:01",
        ]
    );
    assert_eq!(a.macs(None)[0].moves, 2);
}

#[test]
fn when_the_winning_route_goes_a_known_local_address_is_told_again() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    from(2).sequence(1).announces(&mut a, mac(1), None);
    drain(&mut a);
    from(2).withdraws(&mut a, mac(1), None);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 0",
            "-mac 100 02:00:00:00:00:01",
        ]
    );
}

#[test]
fn when_the_local_address_goes_a_remote_one_with_a_lower_number_is_installed() {
    let mut a = site_with_vni(1);
    from(2).sequence(3).announces(&mut a, mac(1), Some(ip(5)));
    learns(&mut a, 1);
    drain(&mut a);
    loses(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 3",
            "+neighbour 100 10.100.0.5 02:00:00:00:00:01 10.10.0.2",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
        ]
    );
}

#[test]
fn a_route_that_returns_with_a_lower_number_is_followed() {
    let mut a = site_with_vni(1);
    from(2).sequence(7).announces(&mut a, mac(1), None);
    from(3).sequence(3).announces(&mut a, mac(1), None);
    drain(&mut a);
    // The site with the higher number restarts and starts at 0; the other one is right now.
    from(2).announces(&mut a, mac(1), None);
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:01 10.10.0.3 seq 3"]
    );
    from(3).withdraws(&mut a, mac(1), None);
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0"]
    );
}

/// What we do about an address that is here with some number when another site claims it.
#[test]
fn the_table_of_mobility_outcomes() {
    use Rule::{HigherSequence, LowerVtep, Sticky};
    struct Case(u32, bool, u8, u32, bool, Kind, Rule);
    // our number, our static; their site, number, static; outcome. We are site 2.
    let table = [
        Case(0, false, 1, 0, false, Kind::Remote, LowerVtep),
        Case(0, false, 3, 0, false, Kind::Local, LowerVtep),
        Case(0, false, 3, 1, false, Kind::Remote, HigherSequence),
        Case(0, false, 1, 1, false, Kind::Remote, HigherSequence),
        Case(2, false, 1, 1, false, Kind::Local, HigherSequence),
        Case(2, false, 1, 2, false, Kind::Remote, LowerVtep),
        Case(2, false, 3, 2, false, Kind::Local, LowerVtep),
        Case(0, true, 1, 9, false, Kind::Local, Sticky),
        Case(9, false, 3, 0, true, Kind::Remote, Sticky),
        Case(0, true, 3, 0, true, Kind::Local, LowerVtep),
        Case(0, true, 1, 0, true, Kind::Remote, LowerVtep),
        Case(0, true, 3, 1, true, Kind::Remote, HigherSequence),
    ];
    for Case(ours, static_here, their_site, theirs, static_there, kind, rule) in table {
        let mut a = site_with_vni(2);
        if let Some(before) = ours.checked_sub(1) {
            from(9).sequence(before).announces(&mut a, mac(1), None);
        }
        local(&mut a, 1, true, static_here);
        from(9).withdraws(&mut a, mac(1), None);
        let mut remote = from(their_site).sequence(theirs);
        remote.sticky = static_there;
        remote.announces(&mut a, mac(1), None);
        let status = &a.macs(None)[0];
        let name = format!("{ours} {static_here} against {their_site} {theirs} {static_there}");
        assert_eq!(
            (status.kind, status.reason),
            (kind, Reason::Won(rule)),
            "{name}"
        );
        let told = a.originated().count() == 2;
        let installed = a.remote_macs().count() == 1;
        let here = kind == Kind::Local;
        assert_eq!((told, installed), (here, !here), "{name}");
    }
}

#[test]
fn learning_an_address_that_is_static_elsewhere_does_not_move_it() {
    let mut a = site_with_vni(1);
    from(2).sticky().announces(&mut a, mac(1), None);
    drain(&mut a);
    learns(&mut a, 1);
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0 sticky"],
        "put back where the kernel learned over it"
    );
    let status = &a.macs(None)[0];
    assert_eq!(status.conflict, Some(Conflict::StaticElsewhere(vtep(2))));
    assert!(status.sticky);
    let claims = a.explain(vni(VNI), mac(1));
    assert_eq!(claims[0].outcome, Outcome::Beaten(Rule::Sticky));
    assert_eq!(claims[1].outcome, Outcome::Chosen(Rule::Sticky));
}

#[test]
fn a_static_address_is_told_as_such_and_a_claim_to_it_is_reported() {
    let mut a = site_with_vni(1);
    local(&mut a, 1, true, true);
    assert_eq!(
        text(&drain(&mut a)),
        ["+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 0 sticky"]
    );
    from(2).sequence(3).announces(&mut a, mac(1), None);
    assert_eq!(drain(&mut a), []);
    let conflict = a.macs(None)[0].conflict;
    assert_eq!(conflict, Some(Conflict::StaticHere(vtep(2))));
}

fn concerns(instance: &Instance) -> Vec<String> {
    let concerns = instance.concerns().into_iter();
    concerns.map(|concern| concern.to_string()).collect()
}

#[test]
fn a_static_address_that_two_sites_have_is_a_concern_until_one_gives_it_up() {
    // Static here, learned there.
    let mut a = site_with_vni(1);
    local(&mut a, 1, true, true);
    assert_eq!(concerns(&a), [""; 0]);
    from(2).sequence(3).announces(&mut a, mac(1), None);
    let line = "VNI 100: 02:00:00:00:00:01 is static at 10.10.0.1, and 10.10.0.2 has learned it; \
                frames go to 10.10.0.1";
    assert_eq!(concerns(&a), [line]);
    // With an IP address, too: one claim.
    from(2).sequence(3).announces(&mut a, mac(1), Some(ip(5)));
    assert_eq!(concerns(&a), [line]);
    from(2).withdraws(&mut a, mac(1), None);
    from(2).withdraws(&mut a, mac(1), Some(ip(5)));
    assert_eq!(concerns(&a), [""; 0]);
    // Static at both, and learned here besides.
    let mut a = site_with_vni(1);
    from(3).sticky().announces(&mut a, mac(1), None);
    assert_eq!(concerns(&a), [""; 0]);
    from(2).sticky().announces(&mut a, mac(1), None);
    let line = "VNI 100: 02:00:00:00:00:01 is static at 10.10.0.2 and at 10.10.0.3; frames go to \
                10.10.0.2";
    assert_eq!(concerns(&a), [line]);
    learns(&mut a, 1);
    assert_eq!(concerns(&a), [line]);
    from(3).withdraws(&mut a, mac(1), None);
    let line = "VNI 100: 02:00:00:00:00:01 is static at 10.10.0.2, and 10.10.0.1 has learned it; \
                frames go to 10.10.0.2";
    assert_eq!(concerns(&a), [line]);
    a.handle(now(), Input::RemoveVni(vni(VNI)));
    assert_eq!((concerns(&a).len(), a.contested.len()), (0, 0));
}

#[test]
fn a_machine_that_gave_way_to_a_static_address_stays_a_concern_until_that_is_settled() {
    let line = "VNI 100: 02:00:00:00:00:01 is static at 10.10.0.2, and 10.10.0.1 has learned it; \
                frames go to 10.10.0.2";
    let cut_off = || {
        let mut a = site_with_vni(1);
        learns(&mut a, 1);
        from(2).sticky().announces(&mut a, mac(1), None);
        // The entry replaces what the kernel has learned, and the kernel says so.
        local(&mut a, 1, false, false);
        assert_eq!(concerns(&a), [line]);
        a
    };
    let mut a = cut_off();
    let status = &a.macs(None)[0];
    assert_eq!(status.conflict, Some(Conflict::StaticElsewhere(vtep(2))));
    assert_eq!(status.reason, Reason::Won(Rule::Sticky));
    let claims = a.explain(vni(VNI), mac(1));
    assert_eq!(
        (claims[0].key.as_ref(), claims[0].vtep),
        (None, Some(vtep(1)))
    );
    assert_eq!(claims[0].outcome, Outcome::Beaten(Rule::Sticky));
    assert_eq!(claims[1].outcome, Outcome::Chosen(Rule::Sticky));
    // Another change of configuration is no end of it.
    set_vni(&mut a, VNI, VniConfig::new("renamed"));
    assert_eq!(concerns(&a), [line]);
    // The other site gives it up.
    from(2).withdraws(&mut a, mac(1), None);
    assert_eq!((concerns(&a).len(), a.displaced.len()), (0, 0));
    // It is no longer static there.
    let mut a = cut_off();
    from(2).announces(&mut a, mac(1), None);
    assert_eq!((concerns(&a).len(), a.displaced.len()), (0, 0));
    // Somebody says that the machine has moved.
    let mut a = cut_off();
    let clear = |last| Input::ClearDuplicates {
        vni: None,
        address: Some(Address::Mac(mac(last))),
    };
    a.handle(now(), clear(2));
    assert_eq!(concerns(&a), [line]);
    a.handle(now(), clear(1));
    assert_eq!((concerns(&a).len(), a.displaced.len()), (0, 0));
    // It is still here, and says something.
    let (vni, mac) = (vni(VNI), mac(1));
    a.handle(now(), Input::Heard { vni, mac });
    assert_eq!(concerns(&a), [line]);
    a.handle(now(), Input::RemoveVni(vni));
    assert_eq!((concerns(&a).len(), a.displaced.len()), (0, 0));
    // One that is not static elsewhere is for the kernel to learn.
    let mut a = site_with_vni(1);
    from(2).announces(&mut a, mac, None);
    a.handle(now(), Input::Heard { vni, mac });
    assert_eq!((concerns(&a).len(), a.displaced.len()), (0, 0));
}

#[test]
fn gateways_and_virtual_routers_may_be_static_at_several_sites() {
    let mut a = site_with_vni(1);
    let router = MacAddress([0, 0, 0x5e, 0, 1, 7]);
    for site in [2, 3] {
        from(site).sticky().announces(&mut a, router, None);
        let mut gateway = from(site).sticky();
        gateway.extra = vec![ExtendedCommunity::DEFAULT_GATEWAY];
        gateway.announces(&mut a, mac(9), Some(ip(1)));
    }
    assert_eq!(concerns(&a), [""; 0]);
    // A machine's address is at one.
    from(2).sticky().announces(&mut a, mac(1), None);
    from(3).announces(&mut a, mac(1), None);
    assert_eq!(concerns(&a).len(), 1);
}

#[test]
fn an_ipv4_mapped_address_is_no_hosts() {
    let mut a = site_with_vni(1);
    let mapped = "::ffff:10.10.0.2".parse().unwrap();
    from(2).announces(&mut a, mac(1), Some(mapped));
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0"]
    );
    assert_eq!(a.neighbours_of(mapped).count(), 0);
    from(2).announces(&mut a, mac(1), Some(ip(5)));
    let found: Vec<_> = a.neighbours_of(ip(5)).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].mac, found[0].vtep), (mac(1), Some(vtep(2))));
    assert_eq!(a.mac(vni(VNI), mac(1)).unwrap().vtep, Some(vtep(2)));
    assert_eq!(a.mac(vni(VNI), mac(2)), None);
}

#[test]
fn routes_with_and_without_ip_are_claims_of_one_site() {
    let mut a = site_with_vni(1);
    from(2).sequence(1).announces(&mut a, mac(1), Some(ip(5)));
    from(3).announces(&mut a, mac(1), None);
    drain(&mut a);
    let status = &a.macs(None)[0];
    assert_eq!(
        status.vtep,
        Some(vtep(2)),
        "the number on the route with IP counts"
    );
    from(2).announces(&mut a, mac(1), None);
    let claims = a.explain(vni(VNI), mac(1));
    let outcomes: Vec<Outcome> = claims.iter().map(|claim| claim.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Chosen(Rule::HigherSequence),
            Outcome::SameSite,
            Outcome::Beaten(Rule::HigherSequence),
        ],
        "best first"
    );
}

#[test]
fn a_neighbour_entry_the_kernel_resolved_over_is_made_again() {
    let mut a = site_with_vni(1);
    from(2).announces(&mut a, mac(1), Some(ip(5)));
    drain(&mut a);
    // The bridge asked through the tunnel and got the same answer.
    resolves(&mut a, 5, 1, true);
    assert_eq!(
        text(&drain(&mut a)),
        ["+neighbour 100 10.100.0.5 02:00:00:00:00:01 10.10.0.2"]
    );
    resolves(&mut a, 5, 1, false);
    assert_eq!(drain(&mut a), []);
}

#[test]
fn an_ip_that_moves_to_a_mac_here_raises_the_number_of_that_mac() {
    let mut a = site_with_vni(1);
    from(2).sequence(4).announces(&mut a, mac(1), Some(ip(5)));
    learns(&mut a, 2);
    drain(&mut a);
    resolves(&mut a, 5, 2, true);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:02] seq 5",
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:02]:[32]:[10.100.0.5] seq 5",
            "-neighbour 100 10.100.0.5",
        ]
    );
    // The other MAC itself has not moved.
    assert_eq!(a.remote_macs().count(), 1);
}

#[test]
fn an_ip_that_moves_to_a_mac_elsewhere_is_no_longer_told() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    resolves(&mut a, 5, 1, true);
    drain(&mut a);
    from(2).sequence(1).announces(&mut a, mac(2), Some(ip(5)));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:02 10.10.0.2 seq 1",
            "+neighbour 100 10.100.0.5 02:00:00:00:00:02 10.10.0.2",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5]",
        ]
    );
}

#[test]
fn an_ip_that_changes_its_mac_here_takes_its_old_route_back() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    learns(&mut a, 2);
    resolves(&mut a, 5, 1, true);
    drain(&mut a);
    resolves(&mut a, 5, 2, true);
    // The late report about the old binding says nothing about the new one.
    resolves(&mut a, 5, 1, false);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:02]:[32]:[10.100.0.5] seq 0",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5]",
        ]
    );
}

#[test]
fn a_binding_follows_its_mac_to_another_site_and_back() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    resolves(&mut a, 5, 1, true);
    drain(&mut a);
    from(2).sequence(1).announces(&mut a, mac(1), None);
    let gone = "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5]";
    assert!(text(&drain(&mut a)).contains(&gone.to_owned()));
    assert!(a.macs(None)[0].ips.is_empty(), "nobody says so any more");
    learns(&mut a, 1);
    let back = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.5] seq 2";
    assert!(text(&drain(&mut a)).contains(&back.to_owned()));
}

fn with_gateway() -> VniConfig {
    VniConfig::new("production").gateway(Some(mac(0xfe)), vec![ip(1)])
}

#[test]
fn the_gateway_is_neither_told_nor_taken_from_others() {
    let mut a = site(1);
    set_vni(&mut a, VNI, with_gateway());
    drain(&mut a);
    learns(&mut a, 0xfe);
    resolves(&mut a, 1, 0xfe, true);
    from(2).announces(&mut a, mac(0xfe), Some(ip(1)));
    assert_eq!(drain(&mut a), []);
    assert_eq!(a.macs(None)[0].reason, Reason::Gateway);
    let claims = a.explain(vni(VNI), mac(0xfe));
    assert_eq!(claims[0].outcome, Outcome::Gateway);
    assert_eq!(claims[1].outcome, Outcome::Faulty(Fault::OwnGateway));
    // Nor is our gateway's address bound to somebody else's MAC.
    from(2).announces(&mut a, mac(1), Some(ip(1)));
    let outputs = text(&drain(&mut a));
    assert_eq!(outputs, ["+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0"]);
}

#[test]
fn the_gateway_is_told_when_asked_with_its_community() {
    let mut a = site(1);
    set_vni(&mut a, VNI, with_gateway().advertise_gateway(true));
    learns(&mut a, 0xfe);
    resolves(&mut a, 1, 0xfe, true);
    resolves(&mut a, 1, 0xfe, false);
    let told: Vec<_> = a
        .originated()
        .filter(|(key, _)| key.route_type() == 2)
        .collect();
    let [(key, attributes)] = &told[..] else {
        panic!("one route");
    };
    let wanted = "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:fe]:[32]:[10.100.0.1]";
    assert_eq!(key.to_string(), wanted);
    let communities = &attributes.extended_communities;
    assert!(communities.contains(&ExtendedCommunity::DEFAULT_GATEWAY));

    let nameless = VniConfig::new("b")
        .gateway(None, vec![ip(1)])
        .advertise_gateway(true);
    set_vni(&mut a, 200, nameless);
    assert_eq!(a.vnis()[1].problems, [Problem::NoGatewayMac]);
}

#[test]
fn a_route_can_be_taken_into_several_vnis() {
    let mut a = site(1);
    for number in [100, 200] {
        let config = VniConfig::new("x").import_target("65002:100".parse().unwrap());
        set_vni(&mut a, number, config);
    }
    drain(&mut a);
    from(2).announces(&mut a, mac(1), None);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0",
            "+mac 200 02:00:00:00:00:01 10.10.0.2 VNI 100 seq 0",
        ]
    );
    let vnis = a.macs(None).into_iter().map(|mac| mac.downstream_vni);
    assert_eq!(vnis.collect::<Vec<_>>(), [None, Some(100)]);
}

/// RFC 8365 §5.1.1: the number is the receiver's choice.
#[test]
fn frames_go_out_with_the_number_that_the_other_site_has() {
    let mut a = site(1);
    let shared: ExtendedCommunity = "64512:1".parse().unwrap();
    set_vni(
        &mut a,
        VNI,
        VniConfig::new("x").import_target(shared.into()),
    );
    drain(&mut a);
    let mut other = from(2);
    other.vni = 200;
    other.extra.push(shared);
    other.announces(&mut a, mac(1), None);
    let key = other.wants_floods(&mut a);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+flood 100 10.10.0.2 VNI 200",
            "+mac 100 02:00:00:00:00:01 10.10.0.2 VNI 200 seq 0",
        ]
    );
    assert_eq!(a.vnis()[0].remote_vteps[0].downstream_vni, Some(200));
    assert_eq!(a.macs(None)[0].downstream_vni, Some(200));

    // Two networks of one site, which both belong to ours: each has its own copy.
    let mut third = other.clone();
    third.vni = 300;
    let third_key = third.wants_floods(&mut a);
    assert_eq!(text(&drain(&mut a)), ["+flood 100 10.10.0.2 VNI 300"]);
    a.route(key, None);
    assert_eq!(text(&drain(&mut a)), ["-flood 100 10.10.0.2 VNI 200"]);
    a.route(third_key, None);
    assert_eq!(text(&drain(&mut a)), ["-flood 100 10.10.0.2 VNI 300"]);

    // The site gives it another number.
    let key = other.key(mac(1), None);
    other.vni = 201;
    let path = Path::from(&other.attributes());
    a.route(key, Some(Arc::new(path)));
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:01 10.10.0.2 VNI 201 seq 0"]
    );
    // And no number at all means ours.
    other.vni = 0;
    other.announces(&mut a, mac(7), None);
    assert_eq!(
        text(&drain(&mut a)),
        ["+mac 100 02:00:00:00:00:07 10.10.0.2 seq 0"]
    );
}

#[test]
fn switching_a_vni_off_takes_everything_back_and_on_again_restores_it() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    from(2).announces(&mut a, mac(2), Some(ip(2)));
    from(2).wants_floods(&mut a);
    drain(&mut a);
    let off = VniConfig::new("production").enabled(false);
    set_vni(&mut a, VNI, off);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
            "-[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]",
            "-neighbour 100 10.100.0.2",
            "-mac 100 02:00:00:00:00:02",
            "-flood 100 10.10.0.2",
        ]
    );
    assert_eq!(a.macs(None)[0].reason, Reason::Idle(Problem::Disabled));
    set_vni(&mut a, VNI, VniConfig::new("production"));
    assert_eq!(drain(&mut a).len(), 5);
    a.handle(now(), Input::RemoveVni(vni(VNI)));
    assert_eq!(drain(&mut a).len(), 5);
    assert!(a.vnis().is_empty() && a.macs(None).is_empty());
}

#[test]
fn a_new_distinguisher_replaces_every_route_of_the_vni() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    drain(&mut a);
    let config = VniConfig::new("production").rd("10.10.0.1:7".parse().unwrap());
    set_vni(&mut a, VNI, config);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+[2]:[10.10.0.1:7]:[0]:[48]:[02:00:00:00:00:01] seq 0",
            "+[3]:[10.10.0.1:7]:[0]:[32]:[10.10.0.1] seq 0",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
            "-[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]",
        ]
    );
}

#[test]
fn two_vnis_with_one_distinguisher_do_not_overwrite_each_other() {
    let mut a = site(1);
    let same = |name| VniConfig::new(name).rd("1:1".parse().unwrap());
    set_vni(&mut a, 200, same("b"));
    drain(&mut a);
    set_vni(&mut a, 100, same("a"));
    let [Output::Originate { attributes, .. }] = &drain(&mut a)[..] else {
        panic!("the same key with other attributes");
    };
    assert_eq!(attributes.pmsi_tunnel.as_ref().unwrap().label, 100);
    assert_eq!(a.vnis()[1].problems, [Problem::RdInUse(vni(100))]);
    a.handle(now(), Input::RemoveVni(vni(100)));
    let [Output::Originate { attributes, .. }] = &drain(&mut a)[..] else {
        panic!("the other one's again");
    };
    assert_eq!(attributes.pmsi_tunnel.as_ref().unwrap().label, 200);
}

#[test]
fn what_the_vni_imports_decides_which_claims_a_learned_address_answered() {
    // Learned while nothing was configured; the claim of the VNI configured later counts, that of
    // another VNI does not.
    let mut a = site(1);
    from(2).sequence(4).announces(&mut a, mac(1), None);
    let mut other = from(3).sequence(8);
    other.vni = 200;
    other.announces(&mut a, mac(1), None);
    learns(&mut a, 1);
    from(2).withdraws(&mut a, mac(1), None);
    set_vni(&mut a, VNI, VniConfig::new("production"));
    assert_eq!(a.macs(None)[0].sequence, 5);
}

#[test]
fn other_types_are_kept_and_listed_and_nothing_is_installed_for_them() {
    let mut a = site_with_vni(1);
    let rd = "10.10.0.2:100".parse().unwrap();
    let prefix = EvpnKey::IpPrefix {
        rd,
        tag: 0,
        prefix: "10.200.0.0/16".parse().unwrap(),
    };
    let segment = EvpnKey::EthernetSegment {
        rd,
        esi: bgp::Esi([1; 10]),
        originator: vtep(2),
    };
    let path = Arc::new(Path::from(&from(2).attributes()));
    for key in [&prefix, &segment] {
        a.route(key.clone(), Some(Arc::clone(&path)));
    }
    assert_eq!(drain(&mut a), []);
    assert_eq!(a.received().count(), 2);
    let fault = |a: &Instance, key: &EvpnKey| a.received_route(key).unwrap().vnis[0].1;
    // Each says why, and a type that nobody knows does, too.
    assert_eq!(fault(&a, &prefix), Some(Fault::NoVrf));
    assert_eq!(fault(&a, &segment), Some(Fault::RouteType(4)));
    let unknown = EvpnKey::Unknown {
        route_type: 11,
        bytes: [1, 2, 3].into(),
    };
    a.route(unknown.clone(), Some(path));
    assert_eq!(fault(&a, &unknown), Some(Fault::RouteType(11)));
    a.route(prefix, None);
    assert_eq!(a.received().count(), 2);
}

#[test]
fn an_address_that_no_host_has_is_named_and_its_mac_address_is_used() {
    let mut a = site_with_vni(1);
    for ip in [
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.5",
        "255.255.255.255",
        "::1",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        from(2).announces(&mut a, mac(1), Some(ip));
        let received = a.received().find(|it| ip_of(&it.route.key) == Some(ip));
        assert_eq!(
            received.unwrap().vnis,
            [(vni(VNI), Some(Fault::NotAHost(ip)))]
        );
    }
    assert_eq!(a.macs(None).len(), 1);
    assert_eq!(a.macs(None)[0].ips, Vec::<IpAddr>::new());
    let ip = "10.100.0.5".parse().unwrap();
    from(2).announces(&mut a, mac(1), Some(ip));
    let received = a.received().find(|it| ip_of(&it.route.key) == Some(ip));
    assert_eq!(received.unwrap().vnis, [(vni(VNI), None)]);
}

#[test]
fn group_addresses_and_impossible_ips_are_never_told() {
    let mut a = site_with_vni(1);
    for address in [[0xff; 6], [1, 0, 0x5e, 0, 0, 1], [0; 6]] {
        a.handle(
            now(),
            Input::LocalMac {
                vni: vni(VNI),
                mac: MacAddress(address),
                present: true,
                sticky: false,
            },
        );
    }
    assert_eq!(drain(&mut a), []);
    learns(&mut a, 1);
    drain(&mut a);
    for address in ["0.0.0.0", "224.0.0.1", "127.0.0.1", "ff02::1", "::"] {
        a.handle(
            now(),
            Input::LocalNeighbour {
                vni: vni(VNI),
                ip: address.parse().unwrap(),
                mac: mac(1),
                present: true,
            },
        );
    }
    assert_eq!(drain(&mut a), []);
}

#[test]
fn counts_of_a_vni_say_what_is_where() {
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    from(2).announces(&mut a, mac(2), None);
    from(3).announces(&mut a, mac(3), None);
    from(2).wants_floods(&mut a);
    let status = &a.vnis()[0];
    assert_eq!((status.local_macs, status.remote_macs), (1, 2));
    assert_eq!(status.remote_vteps[0].vtep, vtep(2));
    assert_eq!(status.remote_vteps[0].downstream_vni, None);
    let imports: Vec<String> = status
        .import_targets
        .iter()
        .map(|rt| rt.to_string())
        .collect();
    assert_eq!(imports, ["RT:*:100", "RT:*:268435556"]);
    assert_eq!(status.export_targets[0].to_string(), "RT:65001:100");
    assert!(status.problems.is_empty());
}

#[test]
fn a_route_arrives_as_the_table_keeps_it() {
    let mut a = site_with_vni(1);
    let attributes = from(2).sequence(3).attributes().freeze();
    for last in [1, 2] {
        a.handle(
            now(),
            Input::Route {
                key: from(2).key(mac(last), None),
                attributes: Some(attributes.clone()),
            },
        );
    }
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 3",
            "+mac 100 02:00:00:00:00:02 10.10.0.2 seq 3",
        ]
    );
    let paths: Vec<_> = a.facts.routes.iter().map(|route| &route.path).collect();
    assert!(Arc::ptr_eq(paths[0], paths[1]), "decoded once");
    a.handle(
        now(),
        Input::Route {
            key: from(2).key(mac(1), None),
            attributes: None,
        },
    );
    assert_eq!(text(&drain(&mut a)), ["-mac 100 02:00:00:00:00:01"]);
}
