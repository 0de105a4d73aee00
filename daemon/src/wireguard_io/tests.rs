use super::*;
use fib::wireguard::{Plan, PublicKey};

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn underlay(sync: SyncAllowedIps) -> Underlay {
    Underlay {
        interface: "wg0".to_owned(),
        sync_allowed_ips: sync,
        maximum_allowed_ips: Underlay::MAXIMUM_ALLOWED_IPS,
        wireguard_socket: None,
    }
}

/// One peer with its tunnel address, others with what an operator gives them, and what happens when
/// it is written to.
struct Fake<F> {
    applied: usize,
    read: usize,
    by_hand: Vec<(PublicKey, &'static str)>,
    on_apply: F,
}

impl<F: FnMut(&Plan) -> Result<(), WireguardError>> Device for Fake<F> {
    fn peers(&mut self) -> Result<Vec<Peer>, WireguardError> {
        self.read += 1;
        let given = std::iter::once((PublicKey([1; 32]), "10.10.0.2/32"));
        let given = given.chain(self.by_hand.iter().copied());
        let mut peers: Vec<Peer> = Vec::new();
        for (key, prefix) in given {
            if !peers.iter().any(|peer| peer.public_key == key) {
                peers.push(Peer::new(key));
            }
            let its = peers.iter_mut().find(|peer| peer.public_key == key);
            its.unwrap().allowed_ips.push(net(prefix));
        }
        Ok(peers)
    }

    fn apply(&mut self, plan: &Plan) -> Result<(), WireguardError> {
        self.applied += 1;
        (self.on_apply)(plan)
    }
}

fn fake<F: FnMut(&Plan) -> Result<(), WireguardError>>(on_apply: F) -> Fake<F> {
    Fake {
        applied: 0,
        read: 0,
        by_hand: Vec::new(),
        on_apply,
    }
}

/// A state directory of a test's own.
fn scratch(name: &str) -> StateDir {
    let name = format!("rbgpd-wireguard-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    drop(std::fs::remove_dir_all(&path));
    StateDir::open(&path).unwrap()
}

fn wish(follower: &mut Follower, device: &mut dyn Device, prefix: &str) {
    follower.look(device).unwrap();
    follower
        .table
        .set(net(prefix), Some(IpAddr::from([10, 10, 0, 2])));
}

#[test]
fn what_is_ours_is_on_record_before_the_device_is_asked() {
    let state = scratch("record");
    let theirs = state.clone();
    let mut device = fake(|plan| {
        let record = theirs.allowed_ips("wg0").unwrap();
        let mut added = plan.add.iter().flat_map(|(_, prefixes)| prefixes);
        assert!(added.all(|prefix| record.contains(prefix)), "{record:?}");
        Ok(())
    });
    let mut follower = Follower::new(underlay(SyncAllowedIps::Yes), Some(state.clone()));
    wish(&mut follower, &mut device, "10.1.0.0/16");
    follower.change(&mut device).unwrap();
    follower.change(&mut device).unwrap();
    assert_eq!(device.applied, 1, "what is written is not written again");
    // The next run knows it from the operator's.
    let next = Follower::new(underlay(SyncAllowedIps::Yes), Some(state.clone()));
    assert!(next.table.ours().contains(&net("10.1.0.0/16")));
    std::fs::remove_dir_all(state.path()).unwrap();
}

#[test]
fn a_record_that_cannot_be_written_is_a_notice_and_the_device_is_written_all_the_same() {
    let state = scratch("unwritable");
    std::fs::create_dir(state.path().join("allowed-ips-wg0.json.new")).unwrap();
    let mut device = fake(|_| Ok(()));
    let mut follower = Follower::new(underlay(SyncAllowedIps::Yes), Some(state.clone()));
    wish(&mut follower, &mut device, "10.1.0.0/16");
    follower.change(&mut device).unwrap();
    assert_eq!(device.applied, 1);
    let notices = follower.told.notices();
    assert!(
        notices.iter().any(|it| it.contains("cannot be written")),
        "{notices:?}"
    );
    std::fs::remove_dir_all(state.path()).unwrap();
}

#[test]
fn nothing_is_written_where_nothing_is_asked_for() {
    for sync in [SyncAllowedIps::No, SyncAllowedIps::DryRun] {
        let mut device = fake(|_| Ok(()));
        let mut follower = Follower::new(underlay(sync), None);
        wish(&mut follower, &mut device, "10.1.0.0/16");
        follower.change(&mut device).unwrap();
        assert_eq!(device.applied, 0);
        let differences = follower.differences(None);
        match sync {
            SyncAllowedIps::DryRun => assert_eq!(differences.len(), 1, "{differences:?}"),
            SyncAllowedIps::No | SyncAllowedIps::Yes => {
                assert!(differences.is_empty(), "{differences:?}")
            }
        }
        // A reload that asks for it finds everything still to be done.
        follower.set(Settings {
            sync: SyncAllowedIps::Yes,
            ..follower.settings
        });
        follower.change(&mut device).unwrap();
        assert_eq!(device.applied, 1);
    }
}

#[test]
fn a_refusal_is_told_and_forgotten_with_the_setting_that_led_to_it() {
    let mut device = fake(|_| Err(WireguardError::Refused(22)));
    let mut follower = Follower::new(underlay(SyncAllowedIps::Yes), None);
    wish(&mut follower, &mut device, "10.1.0.0/16");
    let refused = follower.change(&mut device);
    follower.told.complain(refused.as_ref().err());
    assert_eq!(follower.told.notices().len(), 1);
    follower.set(Settings {
        sync: SyncAllowedIps::No,
        ..follower.settings
    });
    assert!(follower.told.notices().is_empty());
}

#[test]
fn what_an_operator_gave_to_a_peer_since_the_last_look_stays_there() {
    for (to, unmet) in [(2, 1), (1, 0)] {
        let mut device = fake(|_| Ok(()));
        let mut follower = Follower::new(underlay(SyncAllowedIps::Yes), None);
        wish(&mut follower, &mut device, "10.1.0.0/16");
        device.by_hand = vec![(PublicKey([to; 32]), "10.1.0.0/16")];
        assert!(follower.look_before_new(&mut device).unwrap());
        follower.change(&mut device).unwrap();
        assert_eq!(device.applied, 0, "at peer {to}");
        let found = follower.table.unmet();
        assert_eq!(found.len(), unmet, "at peer {to}: {found:?}");
        // It is the operator's, also where it is at the right peer.
        assert!(follower.table.ours().is_empty(), "at peer {to}");
    }
}

#[test]
fn a_device_is_read_before_a_first_write_and_not_before_a_move() {
    let mut device = fake(|_| Ok(()));
    device.by_hand = vec![(PublicKey([2; 32]), "10.10.0.3/32")];
    let mut follower = Follower::new(underlay(SyncAllowedIps::Yes), None);
    wish(&mut follower, &mut device, "10.1.0.0/16");
    let before = device.read;
    assert!(follower.look_before_new(&mut device).unwrap());
    assert_eq!(device.read, before + 1);
    follower.change(&mut device).unwrap();
    let to = Some(IpAddr::from([10, 10, 0, 3]));
    follower.table.set(net("10.1.0.0/16"), to);
    assert!(!follower.look_before_new(&mut device).unwrap());
    follower.change(&mut device).unwrap();
    assert_eq!((device.read, device.applied), (before + 1, 2));
    // Nor where it leads to no peer, or nothing is written.
    let nowhere = Some(IpAddr::from([192, 0, 2, 1]));
    follower.table.set(net("10.2.0.0/16"), nowhere);
    assert!(!follower.look_before_new(&mut device).unwrap());
    follower.settings.sync = SyncAllowedIps::DryRun;
    follower.table.set(net("10.3.0.0/16"), to);
    assert!(!follower.look_before_new(&mut device).unwrap());
}
