//! Fuzz targets: what must hold for any octets.
//!
//! A target is a plain function over bytes that panics when a promise is broken. [`TARGETS`] lists
//! them by the name of their folder under `corpus/`. `run.sh` drives each with libFuzzer through a
//! small program in `src/bin`; `cargo test` replays the corpus through all of them, so every
//! finding that becomes a seed stays a test.
//!
//! Not panicking is the least of it: a target also checks that what was decoded can be encoded
//! and decodes to the same.

// A broken promise is reported by a panic; that is what libFuzzer looks for.
#![allow(clippy::panic, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use bgp::attributes::{AttributeSet, NextHop};
use bgp::family::PerFamily;
use bgp::message::{Message, Update};
use bgp::nlri::NlriList;
use bgp::wire::{self, Context, EncodeContext};
use bgp::{EvpnTail, Family};
use bytes::BytesMut;

/// A target.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 7] = [
    ("message", message),
    ("update", update),
    ("evpn", evpn),
    ("bfd", bfd),
    ("config", config),
    ("frame", frame),
    ("frr", frr),
];

/// A byte stream of BGP messages, as it comes from a peer. Whatever decodes must encode, and
/// decode to the same again.
pub fn message(bytes: &[u8]) {
    let ctx = Context::default();
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(frame)) = wire::frame(&mut buffer, ctx.message_len_max()) {
        match wire::decode(&frame, &ctx) {
            Ok(message) => check_message(&message, &ctx),
            Err(error) => {
                let _ = (error.to_string(), error.verdict());
                let notification = Message::Notification(error.notification());
                check_message(&notification, &ctx);
            }
        }
    }
}

fn check_message(message: &Message, ctx: &Context) {
    let encoded = match message {
        Message::Open(open) => wire::encode_open(open),
        Message::Notification(notification) => {
            // The last octets of a message as long as the limit may not fit an answer.
            if notification.data.len() > wire::MESSAGE_LEN_MAX - wire::HEADER_LEN - 2 {
                return;
            }
            wire::encode_notification(notification, ctx.extended_message)
        }
        Message::Keepalive => wire::encode_keepalive(),
        Message::RouteRefresh(refresh) => wire::encode_route_refresh(refresh),
        Message::Update(update) => return check_update(update, ctx),
    };
    let again = wire::decode(&encoded, ctx).expect("what was encoded decodes");
    // Names of hosts are cut to 64 octets and capabilities to what an OPEN holds.
    if !matches!(message, Message::Open(_)) {
        assert_eq!(&again, message);
    }
}

/// The body of an UPDATE under a context that the first two octets choose.
pub fn update(bytes: &[u8]) {
    let Some(([bits, families], body)) = bytes.split_first_chunk() else {
        return;
    };
    let ctx = context(*bits, *families);
    let Some(frame) = framed(body) else {
        return;
    };
    match wire::decode(&frame, &ctx) {
        Ok(Message::Update(update)) => check_update(&update, &ctx),
        Ok(other) => panic!("an UPDATE became {other:?}"),
        Err(error) => {
            let _ = (error.to_string(), error.verdict(), error.notification());
        }
    }
}

fn context(bits: u8, families: u8) -> Context {
    let bit = |octet: u8, at: u8| octet & (1 << at) != 0;
    let per_family = |at| PerFamily {
        ipv4_unicast: bit(families, at),
        ipv6_unicast: bit(families, at + 1),
        evpn: bit(families, at + 2),
    };
    Context {
        as4: !bit(bits, 0),
        extended_message: !bit(bits, 1),
        external: bit(bits, 2),
        extended_next_hop: !bit(bits, 3),
        // Families are on unless switched off, so that a seed of zeros reaches the most.
        families: PerFamily {
            ipv4_unicast: !per_family(0).ipv4_unicast,
            ipv6_unicast: !per_family(0).ipv6_unicast,
            evpn: !per_family(0).evpn,
        },
        add_path: per_family(3),
        aigp: !bit(bits, 4),
        unwanted: wire::Unwanted::default(),
        hash_seed: 0,
    }
}

fn framed(body: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(wire::HEADER_LEN + body.len()).ok()?;
    let mut frame = vec![0xff; 16];
    frame.extend(length.to_be_bytes());
    frame.push(2);
    frame.extend(body);
    Some(frame)
}

/// Closed attributes are canonical, and routes survive being sent on.
fn check_update(update: &Update, ctx: &Context) {
    for error in &update.errors {
        let _ = (error.to_string(), error.verdict(), error.notification());
    }
    for (list, attributes) in &update.announced {
        let again = attributes.thaw().freeze_with(ctx.hash_seed);
        assert_eq!(&again, attributes);
        assert_eq!(again.hash(), attributes.hash());
        let _ = (format!("{attributes:?}"), attributes.origin_as());
        let sender = sender(ctx, list.family());
        let mut out = BytesMut::new();
        if wire::encode_announce_list(attributes, list, &sender, &mut out).is_ok() {
            let sent = decode_all(out, &sender);
            check_same(
                list,
                sent.iter()
                    .flat_map(|one| &one.announced)
                    .map(|(list, _)| list),
            );
            if sender.as4 {
                let all = sent.iter().flat_map(|one| &one.announced);
                all.for_each(|(_, sent)| assert_eq!(sent.wire(), attributes.wire()));
            }
        }
    }
    for list in &update.withdrawn {
        let sender = sender(ctx, list.family());
        let mut out = BytesMut::new();
        wire::encode_withdraw_list(list, &sender, &mut out);
        let sent = decode_all(out, &sender);
        check_same(list, sent.iter().flat_map(|one| &one.withdrawn));
    }
}

fn sender(ctx: &Context, family: Family) -> EncodeContext {
    EncodeContext {
        as4: ctx.as4,
        extended_message: ctx.extended_message,
        add_path: *ctx.add_path.get(family),
    }
}

fn decode_all(mut bytes: BytesMut, sender: &EncodeContext) -> Vec<Update> {
    let add_path = PerFamily {
        ipv4_unicast: sender.add_path,
        ipv6_unicast: sender.add_path,
        evpn: sender.add_path,
    };
    let ctx = Context {
        as4: sender.as4,
        extended_message: sender.extended_message,
        add_path,
        ..Context::default()
    };
    let mut updates = Vec::new();
    while let Some(frame) = wire::frame(&mut bytes, ctx.message_len_max()).expect("own frames") {
        let message = wire::decode(&frame, &ctx).expect("own messages");
        let Message::Update(update) = message else {
            panic!("an UPDATE became {message:?}")
        };
        updates.push(update);
    }
    assert!(bytes.is_empty());
    updates
}

fn check_same<'a>(list: &NlriList, sent: impl Iterator<Item = &'a NlriList>) {
    let sent: Vec<String> = sent.flat_map(routes).collect();
    assert_eq!(sent, routes(list));
}

fn routes(list: &NlriList) -> Vec<String> {
    match list {
        NlriList::V4(list) => list.iter().map(|route| format!("{route:?}")).collect(),
        NlriList::V6(list) => list.iter().map(|route| format!("{route:?}")).collect(),
        NlriList::Evpn(list) => list.iter().map(|route| format!("{route:?}")).collect(),
    }
}

/// EVPN routes in an MP_REACH_NLRI, with path identifiers if the first octet is odd. They are taken
/// into the tables of a VNI and a VRF and out again, and nothing of them stays.
pub fn evpn(bytes: &[u8]) {
    let Some((first, routes)) = bytes.split_first() else {
        return;
    };
    let mut ctx = Context {
        extended_message: true,
        ..Context::default()
    };
    ctx.add_path.evpn = first & 1 == 1;
    let Some(frame) = evpn_frame(routes) else {
        return;
    };
    if let Ok(Message::Update(update)) = wire::decode(&frame, &ctx) {
        for (list, attributes) in &update.announced {
            let tail = attributes.evpn().copied().unwrap_or_default();
            let sent = send_evpn(list, tail, &ctx);
            let tails = sent.iter().flat_map(|one| &one.announced);
            // Types 3 and 4 carry no tail, so theirs is empty on both sides.
            tails.for_each(|(_, sent)| assert_eq!(sent.evpn(), Some(&tail)));
        }
        check_tables(&update);
        check_update(&update, &ctx);
    }
}

/// What comes of the routes is asked, shown and taken back.
fn check_tables(update: &Update) {
    let mut instance = evpn::Instance::new(evpn::Config {
        local_as: bgp::Asn(65001),
        router_id: Ipv4Addr::new(10, 0, 0, 9),
        vtep: Some(Ipv4Addr::new(10, 0, 0, 9).into()),
    });
    let now = Instant::now();
    let vni = |number| bgp::Vni::new(number).expect("24 bits");
    let router_mac = bgp::MacAddress([2, 0, 0, 0, 9, 9]);
    instance.handle(
        now,
        evpn::Input::SetVrf {
            name: "red".into(),
            config: evpn::VrfConfig::new(vni(4001), router_mac),
        },
    );
    let config = evpn::VniConfig::new("net").vrf("red".into());
    let vni = vni(100);
    instance.handle(now, evpn::Input::SetVni { vni, config });
    let keys = |list: &NlriList| match list {
        NlriList::Evpn(list) => list.iter().map(|(_, key)| key.clone()).collect(),
        NlriList::V4(_) | NlriList::V6(_) => Vec::new(),
    };
    let mut taken = Vec::new();
    for (list, attributes) in &update.announced {
        for key in keys(list) {
            let attributes = Some(attributes.clone());
            taken.push(key.clone());
            instance.handle(now, evpn::Input::Route { key, attributes });
        }
    }
    while let Some(output) = instance.poll() {
        let _ = format!("{output:?}");
    }
    for received in instance.received() {
        let faults = received.vnis.iter().filter_map(|(_, fault)| fault.as_ref());
        faults.for_each(|fault| drop(fault.to_string()));
    }
    for status in instance.macs(None) {
        let claims = instance.explain(status.vni, status.mac);
        assert!(!claims.is_empty(), "{status:?}");
    }
    for key in taken {
        let attributes = None;
        instance.handle(now, evpn::Input::Route { key, attributes });
    }
    while instance.poll().is_some() {}
    assert_eq!(instance.received().count(), 0);
    assert_eq!(instance.macs(None), []);
    assert_eq!(instance.remote_macs().count(), 0);
    assert_eq!(instance.neighbours().count(), 0);
    assert_eq!(instance.flood_list().count(), 0);
}

/// ORIGIN, an empty AS_PATH, communities that a VNI and a VRF take in, and the routes.
fn evpn_frame(routes: &[u8]) -> Option<Vec<u8>> {
    const COMMUNITIES: [[u8; 8]; 4] = [
        [0x00, 0x02, 0xfd, 0xea, 0, 0, 0, 100],
        [0x00, 0x02, 0xfd, 0xea, 0, 0, 0x0f, 0xa1],
        [0x03, 0x0c, 0, 0, 0, 0, 0, 8],
        [0x06, 0x03, 2, 0, 0, 0, 9, 1],
    ];
    let length = u16::try_from(9 + routes.len()).ok()?;
    let total = length.checked_add(4 + 4 + 3 + 35)?;
    let mut body = vec![0, 0];
    body.extend(total.to_be_bytes());
    body.extend([0x90, 14]);
    body.extend(length.to_be_bytes());
    body.extend([0, 25, 70, 4, 10, 0, 0, 1, 0]);
    body.extend(routes);
    body.extend([0x40, 1, 1, 0, 0x40, 2, 0]);
    body.extend([0xc0, 16, 32]);
    body.extend(COMMUNITIES.concat());
    framed(&body)
}

fn send_evpn(list: &NlriList, tail: EvpnTail, ctx: &Context) -> Vec<Update> {
    let next_hop = NextHop::from(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    let mut set = AttributeSet::new(next_hop);
    set.evpn = Some(tail);
    let sender = sender(ctx, Family::Evpn);
    let mut out = BytesMut::new();
    wire::encode_announce_list(&set.freeze(), list, &sender, &mut out).expect("it has room");
    decode_all(out, &sender)
}

/// A BFD control packet.
pub fn bfd(bytes: &[u8]) {
    match bfd::Packet::decode(bytes) {
        Ok(packet) => {
            let again = bfd::Packet::decode(&packet.encode());
            assert_eq!(again.as_ref(), Ok(&packet));
        }
        Err(error) => drop(error.to_string()),
    }
    match bfd::EchoPacket::decode(bytes) {
        Ok(packet) => {
            let again = bfd::EchoPacket::decode(&packet.encode());
            assert_eq!(again, Ok(packet));
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A configuration file. What is accepted is printed as a file that means the same.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match rbgpd::config::parse_and_review(text, "rbgpd.toml") {
        Ok((config, remarks)) => {
            remarks.iter().for_each(|remark| drop(remark.to_string()));
            let printed = rbgpd::config::print(&config);
            let again = rbgpd::config::parse(&printed, "printed.toml");
            assert_eq!(again, Ok(config), "{printed}");
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| drop(error.to_string()));
        }
    }
}

/// A file in FRR's language. What is accepted is the same in TOML, and what is refused says why.
pub fn frr(bytes: &[u8]) {
    use rbgpd::frr::{Host, Source, parse};

    let source = Source {
        name: "frr.conf".to_owned(),
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    let (translation, read) = parse(&[source], &Host::default(), |_| Ok(()));
    for line in &translation.lines {
        drop(line.to_string());
    }
    match read {
        Ok((config, _)) => {
            let toml = &translation.toml;
            let again = rbgpd::config::parse(toml, "frr.toml");
            assert_eq!(again, Ok(config), "{toml}");
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| drop(error.to_string()));
        }
    }
}

/// A frame that came in on a port of a bridge. What it says is about its sender, and whoever is
/// asked because of it is asked in words that we understand ourselves.
pub fn frame(bytes: &[u8]) {
    use rbgpd::snoop::frame::{Claim, question, read};

    let Some(word) = read(bytes) else {
        return;
    };
    assert_eq!(bytes.get(6..12), Some(&word.mac.0[..]));
    let ip = match word.claim {
        Claim::None => return,
        Claim::Has(ip) => ip,
        Claim::Tries(ip) => ip.into(),
    };
    let asked = question(word.mac, ip, word.mac, None);
    assert_eq!(read(&asked).map(|it| it.mac), Some(word.mac));
}
