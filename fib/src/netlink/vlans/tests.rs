use super::*;
use crate::netlink::message::{HEADER, Message, messages};

fn tagged(tunnel: Option<u32>) -> Vlan {
    Vlan {
        tunnel,
        ..Vlan::default()
    }
}

/// A port as the kernel shows it.
fn port(fill: impl FnOnce(&mut Builder<'_>)) -> Vec<u8> {
    let mut buffer = Vec::new();
    let mut message = Builder::new(&mut buffer, 16, 0, 1);
    let mut header = [0; 16];
    (header[0], header[4]) = (AF_BRIDGE, 9);
    message.bytes(&header);
    message.nested(IFLA_AF_SPEC, fill);
    message.finish();
    buffer.split_off(HEADER)
}

fn info(message: &mut Builder<'_>, flags: u16, vid: u16) {
    let value = [flags.to_ne_bytes(), vid.to_ne_bytes()].concat();
    message.attribute(IFLA_BRIDGE_VLAN_INFO, &value);
}

fn tunnel(message: &mut Builder<'_>, flags: u16, vid: u16, id: u32) {
    message.nested(IFLA_BRIDGE_VLAN_TUNNEL_INFO, |message| {
        message
            .u32(IFLA_BRIDGE_VLAN_TUNNEL_ID, id)
            .attribute(IFLA_BRIDGE_VLAN_TUNNEL_VID, &vid.to_ne_bytes())
            .attribute(IFLA_BRIDGE_VLAN_TUNNEL_FLAGS, &flags.to_ne_bytes());
    });
}

#[test]
fn vlans_are_read_one_by_one_and_as_ranges() {
    let payload = port(|message| {
        info(message, VLAN_PVID | VLAN_UNTAGGED, 1);
        info(message, VLAN_RANGE_BEGIN, 10);
        info(message, VLAN_RANGE_END, 12);
        info(message, 0, 20);
        tunnel(message, VLAN_RANGE_BEGIN, 10, 5010);
        tunnel(message, VLAN_RANGE_END, 11, 5011);
        tunnel(message, 0, 20, 16_777_215);
    });
    let untagged = Vlan {
        pvid: true,
        untagged: true,
        tunnel: None,
    };
    let wanted = Vlans::from([
        (1, untagged),
        (10, tagged(Some(5010))),
        (11, tagged(Some(5011))),
        (12, tagged(None)),
        (20, tagged(Some(16_777_215))),
    ]);
    assert_eq!(vlans(&payload), Some((9, wanted)));
}

#[test]
fn vlans_that_make_no_sense_are_read_without_harm() {
    for payload in [
        port(|message| info(message, VLAN_RANGE_END, 7)),
        port(|message| {
            info(message, VLAN_RANGE_BEGIN, 7);
            info(message, VLAN_RANGE_END, 3);
        }),
        port(|message| {
            tunnel(message, VLAN_RANGE_BEGIN, 0, u32::MAX);
            tunnel(message, VLAN_RANGE_END, u16::MAX, u32::MAX);
        }),
        port(|message| {
            message.attribute(IFLA_BRIDGE_VLAN_INFO, &[1]);
        }),
        vec![0; 7],
        Vec::new(),
    ] {
        let read = vlans(&payload);
        assert!(
            read.is_none_or(|(_, vlans)| vlans.len() <= 1),
            "{payload:?}"
        );
    }
    let mut buffer = Vec::new();
    let mut message = Builder::new(&mut buffer, RTM_NEWTUNNEL, 0, 1);
    message.bytes(&[0; 8]);
    message.nested(VXLAN_VNIFILTER_ENTRY, |message| {
        message
            .u32(VXLAN_VNIFILTER_ENTRY_START, 5)
            .u32(VXLAN_VNIFILTER_ENTRY_END, 3);
    });
    message.nested(VXLAN_VNIFILTER_ENTRY, |message| {
        message.u32(VXLAN_VNIFILTER_ENTRY_START, u32::MAX);
    });
    message.finish();
    let payload = buffer.split_off(HEADER);
    assert_eq!(filter(&payload), Some((0, BTreeSet::new())));
}

#[test]
fn what_is_written_reads_back() {
    let mut buffer = Vec::new();
    vlan(&mut buffer, 1, (9, 10, Of::Port(Some(5010))), true);
    vlan(&mut buffer, 2, (3, 10, Of::Bridge), false);
    vni(&mut buffer, 3, (9, 5010), true);
    let all: Vec<Message<'_>> = messages(&buffer).collect();
    let kinds: Vec<u16> = all.iter().map(|message| message.kind).collect();
    assert_eq!(kinds, [RTM_SETLINK, RTM_DELLINK, RTM_NEWTUNNEL]);
    let mapped = Vlans::from([(10, tagged(Some(5010)))]);
    assert_eq!(vlans(all[0].payload()), Some((9, mapped)));
    let plain = Vlans::from([(10, tagged(None))]);
    assert_eq!(vlans(all[1].payload()), Some((3, plain)));
    assert_eq!(filter(all[2].payload()), Some((9, BTreeSet::from([5010]))));
}
