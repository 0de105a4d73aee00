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

/// One peer with its tunnel address, and what happens when it is written to.
struct Fake<F> {
    applied: usize,
    on_apply: F,
}

impl<F: FnMut(&Plan) -> Result<(), WireguardError>> Device for Fake<F> {
    fn peers(&mut self) -> Result<Vec<Peer>, WireguardError> {
        let mut peer = Peer::new(PublicKey([1; 32]));
        peer.allowed_ips = vec![net("10.10.0.2/32")];
        Ok(vec![peer])
    }

    fn apply(&mut self, plan: &Plan) -> Result<(), WireguardError> {
        self.applied += 1;
        (self.on_apply)(plan)
    }
}

fn fake<F: FnMut(&Plan) -> Result<(), WireguardError>>(on_apply: F) -> Fake<F> {
    Fake {
        applied: 0,
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
