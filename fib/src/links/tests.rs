use super::*;
use crate::state::Segment;

fn named(links: &Links, name: &str) -> Option<u32> {
    links.named(&name.into()).map(|link| link.index)
}

#[test]
fn late_news_of_a_removed_device_leave_its_successor_the_name() {
    let mut links = Links::default();
    links.insert(Link::new(7, "br1"));
    links.remove(7);
    links.insert(Link::new(9, "br1"));
    links.insert(Link::new(7, "br1"));
    assert_eq!(named(&links, "br1"), Some(9));
    assert_eq!(links.current(7), None);
    links.remove(7);
    assert_eq!(named(&links, "br1"), Some(9));
    links.remove(9);
    assert_eq!(named(&links, "br1"), None);
}

#[test]
fn a_name_goes_back_to_whoever_else_has_it() {
    let mut links = Links::default();
    links.insert(Link::new(5, "br1"));
    links.insert(Link::new(9, "br1"));
    assert_eq!(named(&links, "br1"), Some(9));
    links.insert(Link::new(9, "br2"));
    assert_eq!(named(&links, "br1"), Some(5));
    links.insert(Link::new(9, "br1"));
    links.remove(9);
    assert_eq!(named(&links, "br1"), Some(5));
    assert_eq!(links.resolve(&"br1".into()), Some(5));
}

#[test]
fn late_news_of_a_vxlan_device_leave_the_bridge_to_its_successor() {
    let mut links = Links::default();
    let vxlan = |index| Link {
        master: Some(3),
        kind: LinkKind::Vxlan(Vxlan {
            vni: 100,
            port: 4789,
            ..Vxlan::default()
        }),
        ..Link::new(index, "vx1")
    };
    let member = |links: &Links| links.member(3, 0).map(|it| (it.vni, it.port));
    links.insert(Link {
        kind: LinkKind::Bridge,
        ..Link::new(3, "br1")
    });
    links.insert(vxlan(9));
    links.insert(vxlan(7));
    assert_eq!(member(&links), Some((100, 9)));
    links.remove(7);
    assert_eq!(member(&links), Some((100, 9)));
    links.remove(9);
    assert_eq!(member(&links), None);
}

/// Bridge 3 with the VXLAN ports 8 (all VNIs) and 9 (VNI 200).
fn vlan_aware() -> Links {
    let mut links = Links::default();
    let bridge = Bridge {
        vlan_filtering: Some(true),
        spanning_tree: false,
        ageing: 30_000,
    };
    links.insert(Link {
        kind: LinkKind::Bridge,
        bridge: Some(bridge),
        ..Link::new(3, "br")
    });
    for (index, vni, external) in [(8, 0, true), (9, 200, false)] {
        links.insert(Link {
            master: Some(3),
            kind: LinkKind::Vxlan(Vxlan {
                vni,
                external,
                ..Vxlan::default()
            }),
            ..Link::new(index, "vx")
        });
    }
    links
}

fn vlan(tunnel: Option<u32>) -> Vlan {
    Vlan {
        tunnel,
        ..Vlan::default()
    }
}

#[test]
fn a_vlan_belongs_to_the_vni_it_is_mapped_to_or_to_that_of_the_port_whose_untagged_frames_it_has()
{
    let mut links = vlan_aware();
    let untagged = Vlan {
        pvid: true,
        untagged: true,
        tunnel: None,
    };
    let all = Vlans::from([(1, untagged), (10, vlan(Some(100))), (11, vlan(None))]);
    let one = Vlans::from([(20, untagged), (21, vlan(None))]);
    assert_eq!(
        links.set_vlans(HashMap::from([(8, all.clone())])),
        News::Added
    );
    assert_eq!(
        links.set_vlans(HashMap::from([(8, all.clone()), (9, one.clone())])),
        News::Added
    );
    assert_eq!(
        links.set_vlans(HashMap::from([(8, all), (9, one.clone())])),
        News::None
    );
    let vni = |links: &Links, vlan| links.member(3, vlan).map(|it| it.vni);
    let found = [0, 1, 10, 11, 20, 21].map(|vlan| vni(&links, vlan));
    assert_eq!(found, [None, None, Some(100), None, Some(200), None]);
    let segment = Segment { vni: 100, vlan: 10 };
    assert_eq!(links.member(3, 10).unwrap().segment, Some(segment));
    assert_eq!(links.member(3, 20).unwrap().segment, None);
    assert_eq!(links.segment(8, 100), segment);
    assert_eq!(links.segment(8, 101).vlan, 0);
    // Mapped elsewhere, then not at all.
    let moved = HashMap::from([(8, Vlans::from([(12, vlan(Some(100)))])), (9, one)]);
    assert_eq!(links.set_vlans(moved), News::Lost);
    assert_eq!([10, 12].map(|vlan| vni(&links, vlan)), [None, Some(100)]);
    links.set_vlans(HashMap::new());
    assert_eq!(links.members().count(), 0);
    assert_eq!(links.segment(8, 100).vlan, 0);
}

#[test]
fn a_bridge_that_tells_vlans_apart_no_more_belongs_to_the_vni_of_its_port() {
    let mut links = vlan_aware();
    links.remove(8);
    let untagged = Vlan {
        pvid: true,
        ..Vlan::default()
    };
    links.set_vlans(HashMap::from([(9, Vlans::from([(20, untagged)]))]));
    let mut bridge = links.get(3).unwrap().clone();
    bridge.bridge = Some(Bridge {
        vlan_filtering: Some(false),
        spanning_tree: false,
        ageing: 30_000,
    });
    links.insert(bridge);
    let places: Vec<(u32, u16)> = links.members().map(|(place, _)| place).collect();
    assert_eq!(places, [(3, 0)]);
}

#[test]
fn neighbours_of_a_vlan_device_are_in_that_vlan_of_the_bridge() {
    let mut links = vlan_aware();
    let svi = Link {
        kind: LinkKind::Vlan { id: 10 },
        parent: Some(3),
        ..Link::new(12, "br.10")
    };
    let bridge = links.get(3).unwrap().clone();
    assert_eq!(links.place_of_neighbours(&svi), Some((3, 10)));
    assert_eq!(
        links.place_of_neighbours(&bridge),
        None,
        "in no VLAN itself"
    );
    let untagged = Vlan {
        pvid: true,
        ..Vlan::default()
    };
    links.set_vlans(HashMap::from([(3, Vlans::from([(1, untagged)]))]));
    assert_eq!(links.place_of_neighbours(&bridge), Some((3, 1)));
    assert_eq!(links.place_of_neighbours(&Link::new(5, "eth0")), None);
}
