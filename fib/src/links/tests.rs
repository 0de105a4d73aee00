use super::*;

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
            local: None,
            remote: None,
            port: 4789,
            learning: false,
        }),
        ..Link::new(index, "vx1")
    };
    links.insert(Link::new(3, "br1"));
    links.insert(vxlan(9));
    links.insert(vxlan(7));
    assert_eq!(links.vni_of_bridge(3), Some((100, 9)));
    links.remove(7);
    assert_eq!(links.vni_of_bridge(3), Some((100, 9)));
    links.remove(9);
    assert_eq!(links.vni_of_bridge(3), None);
}
