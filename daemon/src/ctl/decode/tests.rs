use std::io::Cursor;

use super::*;

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff001304";

fn run(framed: bool, input: &[u8]) -> Vec<Value> {
    run_with(
        &Context {
            extended_message: true,
            ..Context::default()
        },
        framed,
        input,
    )
}

fn run_with(context: &Context, framed: bool, input: &[u8]) -> Vec<Value> {
    let mut out = Vec::new();
    messages(framed, context, &mut Cursor::new(input), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn hex_may_be_written_in_many_ways() {
    let colons = KEEPALIVE
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect::<Vec<_>>()
        .join(":");
    let prefixed = colons.replace(':', " 0x").to_uppercase();
    let text = format!(
        "# a comment\n\n  \t\n{KEEPALIVE}\n0x{KEEPALIVE}\r\n{colons} # another\n0x{prefixed}"
    );
    let values = run(false, text.as_bytes());
    assert_eq!(values, vec![json!({"type": "keepalive"}); 4]);
}

#[test]
fn what_is_no_message_is_an_error_and_the_next_one_is_read() {
    let mut input =
        b"zz\nfff\nff\n\xc3\x28\xff\n0x\nffffffffffffffffffffffffffffffff001309\n".to_vec();
    input.extend(KEEPALIVE.as_bytes());
    input.extend(b"00\n");
    input.extend(KEEPALIVE.as_bytes());
    let values = run(false, &input);
    assert_eq!(values.len(), 8);
    for value in &values[..7] {
        assert!(value["error"].is_string(), "{value}");
        assert!(value.get("type").is_none(), "{value}");
    }
    assert_eq!(values[7], json!({"type": "keepalive"}));
}

#[test]
fn a_line_without_end_is_given_up_and_the_next_one_is_read() {
    let length = usize::try_from(LINE_MAX).unwrap();
    let mut input = vec![b'f'; length + 10];
    input.extend(b"\n");
    input.extend(KEEPALIVE.as_bytes());
    let values = run(false, &input);
    assert_eq!(values.len(), 2);
    assert!(
        values[0]["error"].as_str().unwrap().contains("line"),
        "{}",
        values[0]
    );
    assert_eq!(values[1], json!({"type": "keepalive"}));
}

fn frame(octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).unwrap();
    [&length.to_be_bytes(), octets].concat()
}

#[test]
fn frames_are_read_by_their_length_whatever_is_in_them() {
    let keepalive = hex(KEEPALIVE.as_bytes()).unwrap();
    let input = [
        frame(&keepalive),
        frame(b""),
        frame(b"garbage"),
        frame(&vec![0xff; EXTENDED_MESSAGE_LEN_MAX + 1]),
        frame(&keepalive),
    ]
    .concat();
    let values = run(true, &input);
    assert_eq!(values.len(), 5);
    assert_eq!(values[0], json!({"type": "keepalive"}));
    for value in &values[1..4] {
        assert!(value["error"].is_string(), "{value}");
    }
    assert_eq!(values[4], json!({"type": "keepalive"}));
}

#[test]
fn a_length_that_lies_costs_one_error_and_no_memory() {
    let mut input = u32::MAX.to_be_bytes().to_vec();
    input.extend(b"abc");
    let values = run(true, &input);
    assert_eq!(values.len(), 1);
    assert!(
        values[0]["error"]
            .as_str()
            .unwrap()
            .contains("before the end"),
        "{}",
        values[0]
    );
    assert_eq!(run(true, b"\0\0").len(), 1);
    assert!(run(true, b"").is_empty());
}

/// An UPDATE of 10.0.0.0/8 with AS path 65002, next hop 10.10.0.2 and an optional withdrawal.
fn update(asn_octets: &[u8], withdrawn: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut path = vec![2, 1];
    path.extend(asn_octets);
    let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, u8::try_from(path.len()).unwrap()];
    attributes.extend(&path);
    attributes.extend([0x40, 3, 4, 10, 10, 0, 2]);
    let mut body = u16::try_from(withdrawn.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    body.extend(withdrawn);
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(&attributes);
    body.extend(nlri);
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xff; 16][..], &length.to_be_bytes(), &[2], &body].concat()
}

#[test]
fn an_update_says_what_is_announced_and_what_is_withdrawn() {
    let message = update(&[0, 0, 0xfd, 0xea], &[16, 192, 168], &[8, 10]);
    let values = run(true, &frame(&message));
    assert_eq!(
        values,
        [json!({
            "type": "update",
            "withdrawn": [{"family": "ipv4_unicast", "prefix": "192.168.0.0/16"}],
            "announced": [
                {"family": "ipv4_unicast", "prefix": "10.0.0.0/8", "next_hop": "10.10.0.2"}
            ],
            "attributes": {"origin": "igp", "as_path": [65002], "next_hop": "10.10.0.2"},
        })]
    );
}

#[test]
fn two_octet_as_numbers_have_to_be_asked_for() {
    let message = frame(&update(&[0xfd, 0xea], &[], &[8, 10]));
    let context = Context {
        as4: false,
        ..Context::default()
    };
    let values = run_with(&context, true, &message);
    assert_eq!(values[0]["attributes"]["as_path"], json!([65002]));
    // With four octets the same path is malformed (RFC 7606 §7.2).
    let values = run(true, &message);
    assert_eq!(values[0]["announced"], json!([]));
    assert_eq!(values[0]["withdrawn"][0]["prefix"], "10.0.0.0/8");
    assert_eq!(values[0]["errors"][0]["consequence"], "treat_as_withdraw");
}

#[test]
fn add_path_has_to_be_asked_for() {
    let message = frame(&update(&[0, 0, 0xfd, 0xea], &[], &[0, 0, 0, 7, 8, 10]));
    let options = Decode {
        framed: true,
        as2: false,
        add_path: true,
        file: None,
    };
    let values = run_with(&context(&options), true, &message);
    assert_eq!(values[0]["announced"][0]["path_id"], 7);
    assert_eq!(values[0]["announced"][0]["prefix"], "10.0.0.0/8");
}

proptest::proptest! {
    #[test]
    fn any_octets_give_one_line_a_message(octets: Vec<u8>, body: Vec<u8>, kind in 0_u8..7) {
        run(false, &octets);
        run(true, &octets);
        let length = u16::try_from(19 + body.len()).unwrap();
        let message = [&[0xff; 16][..], &length.to_be_bytes(), &[kind], &body].concat();
        proptest::prop_assert_eq!(run(true, &frame(&message)).len(), 1);
    }
}
