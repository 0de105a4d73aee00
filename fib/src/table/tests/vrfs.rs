//! VRF devices, and overlays that stand in them.

use super::*;
use crate::overlay::STAMP;

pub(super) fn red() -> Vrf {
    Vrf::new("red", 1001)
}

/// An overlay in `red` with a gateway of both families.
pub(super) fn routed(vni: u32) -> Overlay {
    Overlay::new(vni, IpAddr::from([10, 0, 0, 1]), 1450)
        .gateway(format!("10.100.{vni}.1/24").parse().unwrap())
        .gateway(format!("fd00:{vni}::1/64").parse().unwrap())
        .gateway_mac(Mac([2, 0, 0, 0, 1, 1]))
        .vrf(red())
}

fn want(table: &mut Table, vni: u32, overlay: Overlay) {
    table.set(Entry::Overlay(vni, Arc::new(overlay)));
}

fn link<'a>(model: &'a Model, name: &str) -> Option<&'a Link> {
    model.links.values().find(|link| link.name.as_str() == name)
}

/// The addresses on a device.
fn on<'a>(model: &'a Model, name: &str) -> Vec<&'a str> {
    let index = link(model, name).unwrap().index;
    let on = model.addresses.iter().filter(|(owner, _)| *owner == index);
    on.map(|(_, address)| address.as_str()).collect()
}

/// A device that somebody else made.
fn theirs(model: &mut Model, table: &mut Table, name: &str, kind: LinkKind) -> u32 {
    let index = model.links.keys().max().unwrap() + 1;
    let made = Link {
        kind,
        ..Link::new(index, name)
    };
    model.links.insert(index, made);
    model.tell(table);
    index
}

fn said(table: &mut Table, model: &mut Model, now: Instant) -> Vec<String> {
    settle(table, model, now);
    let told = told_failures(table).into_iter();
    told.map(|(key, error)| format!("{key}: {error}")).collect()
}

#[test]
fn a_bridge_is_in_its_vrf_before_it_is_up_and_has_addresses() {
    let (mut table, mut model, now) = started();
    want(&mut table, 1, routed(1));
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    let made = link(&model, "red").unwrap();
    assert_eq!(made.kind, LinkKind::Vrf { table: 1001 });
    assert_eq!((made.up, made.alias.as_deref()), (true, Some(STAMP)));
    let (vrf, bridge) = (made.index, link(&model, "br1").unwrap());
    assert_eq!((bridge.master, bridge.up), (Some(vrf), true));
    assert!(bridge.filters_sources, "hosts are on it");
    let addresses = ["10.100.1.1/24", "fd00:1::1/64", "fe80::ff:fe00:101/64"];
    assert_eq!(on(&model, "br1"), addresses);
    let at = |what: &str| {
        let of_bridge = |op: &String| op.contains("\"br1\"") && op.contains(what);
        model.log.iter().position(of_bridge).unwrap()
    };
    assert!(at("Master") < at("change: Up"), "{:#?}", model.log);
    assert!(at("change: Up") < at("AddAddress"), "{:#?}", model.log);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
    assert!(table.status(&Key::Overlay(1)).installed);
}

#[test]
fn an_overlay_in_use_moves_between_vrfs_and_keeps_its_addresses() {
    let (mut table, mut model, now) = started();
    let addresses = ["10.100.1.1/24", "fd00:1::1/64", "fe80::ff:fe00:101/64"];
    let none = Overlay {
        vrf: None,
        ..routed(1)
    };
    let blue = routed(1).vrf(Vrf::new("blue", 1002));
    for (overlay, master) in [
        (none.clone(), None),
        (routed(1), Some("red")),
        (blue, Some("blue")),
        (none, None),
    ] {
        want(&mut table, 1, overlay);
        assert_eq!(said(&mut table, &mut model, now), [""; 0]);
        let bridge = link(&model, "br1").unwrap();
        let stands = bridge.master.map(|index| model.links[&index].name.as_str());
        assert_eq!((stands, bridge.up), (master, true));
        assert_eq!(on(&model, "br1"), addresses, "{master:?}");
        assert!(table.verify().is_empty(), "{:?}", table.verify());
        for vrf in ["red", "blue"] {
            assert_eq!(link(&model, vrf).is_some(), Some(vrf) == master, "{vrf}");
        }
    }
}

#[test]
fn a_vrf_goes_with_the_last_that_wants_it_and_after_what_is_in_it() {
    let (mut table, mut model, now) = started();
    want(&mut table, 1, routed(1));
    want(&mut table, 2, routed(2));
    for share in [0, 3] {
        table.set(Entry::Vrf(Share(share), red()));
    }
    settle(&mut table, &mut model, now);
    let created = model.log.iter().filter(|op| op.contains("CreateVrf"));
    assert_eq!(created.count(), 1, "{:#?}", model.log);
    let mut installed = BTreeSet::new();
    while let Some(event) = table.poll_event() {
        let Event::Installed { keys } = event else {
            panic!("{event:?}")
        };
        installed.extend(keys);
    }
    let wished = [0, 3].map(|share| Key::Vrf(Share(share), "red".into()));
    assert!(wished.iter().all(|key| installed.contains(key)));
    for key in [
        Key::Overlay(1),
        Key::Vrf(Share(0), "red".into()),
        Key::Vrf(Share(3), "red".into()),
    ] {
        table.unset(&key);
        settle(&mut table, &mut model, now);
        assert!(link(&model, "red").is_some(), "{key}");
        assert!(table.verify().is_empty());
    }
    model.log.clear();
    table.unset(&Key::Overlay(2));
    settle(&mut table, &mut model, now);
    assert_eq!(model.links.len(), 2, "{:?}", model.links);
    let order: Vec<bool> = model.log.iter().map(|op| op.contains("\"red\"")).collect();
    assert_eq!(order, [false, false, true], "{:#?}", model.log);
}

#[test]
fn a_vrf_of_others_is_used_if_it_fits_and_left_when_it_is_not_wanted() {
    let (mut table, mut model, now) = started();
    let vrf = theirs(&mut model, &mut table, "red", LinkKind::Vrf { table: 1001 });
    let before = model.links[&vrf].clone();
    want(&mut table, 1, routed(1));
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    assert_eq!(link(&model, "br1").unwrap().master, Some(vrf));
    table.unset(&Key::Overlay(1));
    table.sweep(Share::FIRST, Sweep::All);
    settle(&mut table, &mut model, now);
    assert_eq!(model.links.get(&vrf), Some(&before), "unchanged");
    assert!(link(&model, "br1").is_none());

    model.links.get_mut(&vrf).unwrap().up = false;
    model.tell(&mut table);
    table.set(Entry::Vrf(Share::FIRST, red()));
    assert_eq!(
        said(&mut table, &mut model, now),
        ["vrf red: state of `red` is down, but must be up: `ip link set red up`"]
    );
}

#[test]
fn a_device_that_does_not_fit_is_named_and_the_bridge_stays_out_of_use() {
    for (kind, have) in [
        (LinkKind::Vrf { table: 10 }, "a VRF of table 10"),
        (LinkKind::Bridge, "a bridge"),
        (
            LinkKind::Other("dummy".to_owned()),
            "a device of type dummy",
        ),
    ] {
        let (mut table, mut model, now) = started();
        let index = theirs(&mut model, &mut table, "red", kind);
        let before = model.links[&index].clone();
        want(&mut table, 1, routed(1));
        table.set(Entry::Vrf(Share(2), red()));
        let error = format!(
            "`red` is {have}, but must be a VRF of table 1001: `ip link del red`, and it is made as \
             it must be"
        );
        assert_eq!(
            said(&mut table, &mut model, now),
            [format!("vrf red: {error}"), format!("vni 1: {error}")]
        );
        assert_eq!(model.links[&index], before, "unchanged");
        let bridge = link(&model, "br1").unwrap();
        assert_eq!((bridge.master, bridge.up), (None, false));
        assert_eq!(on(&model, "br1"), [""; 0]);
        assert_eq!(table.verify().len(), 2, "{:?}", table.verify());
        assert_eq!(
            table.status(&Key::Vrf(Share(2), "red".into())).error,
            Some(error)
        );

        // It makes room.
        model.drop_link(index);
        model.tell(&mut table);
        assert_eq!(said(&mut table, &mut model, now), [""; 0]);
        assert!(table.verify().is_empty(), "{:?}", table.verify());
        assert_eq!(on(&model, "br1").len(), 3);
    }
}

#[test]
fn a_vrf_of_ours_with_another_table_is_made_anew() {
    let (mut table, mut model, now) = started();
    want(&mut table, 1, routed(1));
    settle(&mut table, &mut model, now);
    want(&mut table, 1, routed(1).vrf(Vrf::new("red", 1002)));
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    let vrf = link(&model, "red").unwrap();
    assert_eq!(vrf.kind, LinkKind::Vrf { table: 1002 });
    assert_eq!(link(&model, "br1").unwrap().master, Some(vrf.index));
    assert_eq!(on(&model, "br1").len(), 3);
}

#[test]
fn of_two_tables_for_one_vrf_the_first_ones_counts_and_the_other_is_told() {
    let (mut table, mut model, now) = started();
    table.set(Entry::Vrf(Share(1), red()));
    table.set(Entry::Vrf(Share(2), Vrf::new("red", 1002)));
    want(&mut table, 1, routed(1).vrf(Vrf::new("red", 1003)));
    let told = said(&mut table, &mut model, now);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("is a VRF of table 1001, but must be a VRF of table 1002"));
    assert!(told[1].contains("is a VRF of table 1001, but must be a VRF of table 1003"));
    assert_eq!(
        link(&model, "red").unwrap().kind,
        LinkKind::Vrf { table: 1001 }
    );
    assert_eq!(table.verify().len(), 2);
}

#[test]
fn a_table_has_one_vrf_and_those_of_the_kernel_have_none() {
    let (mut table, mut model, now) = started();
    theirs(&mut model, &mut table, "old", LinkKind::Vrf { table: 1001 });
    table.set(Entry::Vrf(Share::FIRST, red()));
    table.set(Entry::Vrf(Share::FIRST, Vrf::new("main", 254)));
    assert_eq!(
        said(&mut table, &mut model, now),
        [
            "vrf main: table 254 is the kernel's own, VRF `main` needs another one",
            "vrf red: VRF `old` has table 1001 already, which `red` needs: `ip link set old down; \
             ip link set old name red`, or another table",
        ]
    );
    assert_eq!(model.log, [""; 0], "nothing was tried");
}

#[test]
fn a_kernel_without_vrfs_is_named_once_and_asked_again() {
    let (mut table, mut model, now) = started();
    model.no_vrfs = true;
    want(&mut table, 1, routed(1));
    let why = "create VRF device `red`: operation not supported (os error 95)";
    assert_eq!(
        said(&mut table, &mut model, now),
        [format!("vni 1: `br1` belongs into VRF `red`: {why}")]
    );
    for _ in 0..3 {
        table.retry();
        assert_eq!(said(&mut table, &mut model, now), [""; 0], "told once");
    }
    assert!(!link(&model, "br1").unwrap().up);
    // The module is loaded.
    model.no_vrfs = false;
    table.retry();
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
}

#[test]
fn a_vrf_with_devices_of_others_in_it_goes_when_they_have_left() {
    let (mut table, mut model, now) = started();
    want(&mut table, 1, routed(1));
    settle(&mut table, &mut model, now);
    let vrf = link(&model, "red").unwrap().index;
    model.links.get_mut(&1).unwrap().master = Some(vrf);
    model.tell(&mut table);
    table.unset(&Key::Overlay(1));
    settle(&mut table, &mut model, now);
    assert!(link(&model, "br1").is_none());
    assert!(link(&model, "red").is_some());
    model.links.get_mut(&1).unwrap().master = None;
    model.tell(&mut table);
    settle(&mut table, &mut model, now);
    assert!(link(&model, "red").is_none());
}

#[test]
fn a_leftover_goes_with_the_sweep_and_one_made_later_waits_for_its_wish() {
    let (mut table, mut model, now) = started();
    let ours = |model: &mut Model, table: &mut Table, name: &str, number| {
        let index = theirs(model, table, name, LinkKind::Vrf { table: number });
        model.links.get_mut(&index).unwrap().alias = Some(STAMP.to_owned());
        model.tell(table);
    };
    ours(&mut model, &mut table, "red", 1001);
    ours(&mut model, &mut table, "blue", 1002);
    settle(&mut table, &mut model, now);
    assert!(link(&model, "blue").is_some(), "not before the sweep");
    table.set(Entry::Vrf(Share::FIRST, red()));
    table.sweep(Share::FIRST, Sweep::All);
    settle(&mut table, &mut model, now);
    assert!(link(&model, "blue").is_none() && link(&model, "red").is_some());
    ours(&mut model, &mut table, "green", 1003);
    settle(&mut table, &mut model, now);
    assert!(link(&model, "green").is_some());
    table.set(Entry::Vrf(Share(1), Vrf::new("green", 1003)));
    settle(&mut table, &mut model, now);
    table.unset(&Key::Vrf(Share(1), "green".into()));
    settle(&mut table, &mut model, now);
    assert!(link(&model, "green").is_none());
    // The next start of an owner sweeps again.
    ours(&mut model, &mut table, "green", 1003);
    let claim = crate::state::Claim {
        tables: vec![1003],
        metrics: vec![20],
        beside: Vec::new(),
    };
    table.join(Share(1), claim);
    settle(&mut table, &mut model, now);
    table.sweep(Share(1), Sweep::All);
    settle(&mut table, &mut model, now);
    assert!(link(&model, "green").is_none());
}

#[test]
fn a_vrf_that_was_renamed_or_removed_by_hand_is_there_again() {
    let (mut table, mut model, now) = started();
    want(&mut table, 1, routed(1));
    settle(&mut table, &mut model, now);
    let index = link(&model, "red").unwrap().index;
    model.links.get_mut(&index).unwrap().name = "lost".into();
    model.tell(&mut table);
    settle(&mut table, &mut model, now);
    assert_eq!(link(&model, "red").unwrap().index, index);
    assert!(table.verify().is_empty());
    model.drop_link(index);
    model.tell(&mut table);
    settle(&mut table, &mut model, now);
    let vrf = link(&model, "red").unwrap();
    assert_eq!(link(&model, "br1").unwrap().master, Some(vrf.index));
    assert_eq!(on(&model, "br1").len(), 3);
    assert!(table.verify().is_empty());
    assert!(table.take_repaired().missing > 0);
    assert_eq!(told_failures(&mut table), []);
}

#[test]
fn a_bridge_of_others_is_not_moved() {
    let (mut table, mut model, now) = started();
    let blue = theirs(
        &mut model,
        &mut table,
        "blue",
        LinkKind::Vrf { table: 1002 },
    );
    let bridge = theirs(&mut model, &mut table, "br1", LinkKind::Bridge);
    let it = model.links.get_mut(&bridge).unwrap();
    (it.master, it.mtu, it.address) = (Some(blue), 1450, Some(Mac([2, 0, 0, 0, 1, 1])));
    let before = it.clone();
    model.tell(&mut table);
    want(&mut table, 1, routed(1));
    assert_eq!(
        said(&mut table, &mut model, now),
        ["vni 1: master of `br1` is blue, but must be red: `ip link set br1 master red`"]
    );
    assert_eq!(model.links[&bridge], before);
    assert_eq!(on(&model, "br1"), [""; 0]);
    // Where no VRF is asked for it may be where it is.
    let overlay = Overlay {
        vrf: None,
        ..routed(1)
    };
    want(&mut table, 1, overlay);
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    assert_eq!(model.links[&bridge], before);
    assert_eq!(on(&model, "br1").len(), 3);
}

#[test]
fn the_overlay_of_an_l3vni_has_the_routers_mac_address_and_nothing_else() {
    let (mut table, mut model, now) = started();
    let mac = Mac([2, 0, 0, 0, 0x40, 1]);
    let overlay = Overlay::layer3(4001, IpAddr::from([10, 0, 0, 1]), 1450, red(), mac);
    want(&mut table, 4001, overlay);
    assert_eq!(said(&mut table, &mut model, now), [""; 0]);
    let vrf = link(&model, "red").unwrap().index;
    let bridge = link(&model, "br4001").unwrap();
    assert_eq!((bridge.address, bridge.master), (Some(mac), Some(vrf)));
    assert!(!bridge.generates_addresses && !bridge.filters_sources && bridge.up);
    let vxlan = link(&model, "vx4001").unwrap();
    let port = BridgePort::default();
    assert_eq!((vxlan.master, vxlan.port), (Some(bridge.index), Some(port)));
    assert_eq!(on(&model, "br4001"), [""; 0]);
    assert!(table.verify().is_empty(), "{:?}", table.verify());
}

/// The routes that a table has.
fn routes(model: &Model, table: u32) -> Vec<String> {
    let of = model
        .routes
        .iter()
        .filter(|((key, _), _)| key.table() == table);
    of.map(|((key, metric), (_, shape))| format!("{} {} {metric}", shape.kind, key.prefix()))
        .collect()
}

const ENDS: [&str; 2] = [
    "unreachable 0.0.0.0/0 4278198272",
    "unreachable ::/0 4278198272",
];

#[test]
fn the_table_of_a_vrf_of_ours_has_an_end_as_long_as_an_owner_wants_it() {
    let (mut table, mut model, now) = started();
    // An overlay says nothing of it, and an owner's own default route stands before it.
    want(&mut table, 1, routed(1));
    settle(&mut table, &mut model, now);
    assert_eq!(routes(&model, 1001), [""; 0]);
    table.set(Entry::Vrf(Share::FIRST, red()));
    let default = RouteKey::new(1001, "0.0.0.0/0".parse().unwrap());
    let hop = NextHop::gateway([192, 0, 2, 1].into()).dev("wa");
    table.set(Entry::Route(default, Arc::new(Route::via([hop]))));
    settle(&mut table, &mut model, now);
    let both = ["unicast 0.0.0.0/0 20", ENDS[0], ENDS[1]];
    assert_eq!(routes(&model, 1001), both);
    assert!(table.verify().is_empty(), "{:?}", table.verify());

    // The next run finds it, and neither sweeps it nor writes it again.
    let before = model.log.len();
    let mut next = Table::new(PROTOCOL);
    model.tell(&mut next);
    next.set(Entry::Overlay(1, Arc::new(routed(1))));
    next.set(Entry::Vrf(Share::FIRST, red()));
    next.sweep(Share::FIRST, Sweep::All);
    settle(&mut next, &mut model, now);
    assert_eq!(routes(&model, 1001), ENDS, "{:#?}", &model.log[before..]);
    assert_eq!(
        model.log.len(),
        before + 2,
        "the last default route and its hop go"
    );

    // It may be without, goes to another table with its VRF, and with the wish.
    next.set(Entry::Vrf(Share::FIRST, red().closed(false)));
    settle(&mut next, &mut model, now);
    assert_eq!(routes(&model, 1001), [""; 0]);
    next.set(Entry::Vrf(Share::FIRST, red()));
    settle(&mut next, &mut model, now);
    assert_eq!(routes(&model, 1001), ENDS);
    next.unset(&Key::Overlay(1));
    next.unset(&Key::Vrf(Share::FIRST, "red".into()));
    settle(&mut next, &mut model, now);
    assert_eq!(routes(&model, 1001), [""; 0]);
    assert!(link(&model, "red").is_none());
}

#[test]
fn a_vrf_of_others_keeps_its_table_as_it_is() {
    let (mut table, mut model, now) = started();
    theirs(&mut model, &mut table, "red", LinkKind::Vrf { table: 1001 });
    table.set(Entry::Vrf(Share::FIRST, red()));
    settle(&mut table, &mut model, now);
    assert!(
        table
            .status(&Key::Vrf(Share::FIRST, "red".into()))
            .installed
    );
    assert_eq!(routes(&model, 1001), [""; 0]);
}
