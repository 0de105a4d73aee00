use super::*;
use bfd::Parameters;

fn after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn it_goes_up_with_a_flood_and_down_when_it_was_quiet_for_a_second() {
    let start = Instant::now();
    let mut watch = Watch::new(start);
    assert_eq!(watch.look(after(start, 99), 50_000), None, "too soon");
    assert_eq!(watch.look(after(start, 100), 999), None);
    // A thousand of them, but in all the time since.
    assert_eq!(watch.look(after(start, 202), 1_998), None);
    assert_eq!(
        watch.look(after(start, 302), 2_998),
        Some(Change::Raise(10_000))
    );
    assert!(watch.is_up());
    // What is passed of a flood of 10,000 in a second.
    let mut all = 2_998;
    for window in 5..=20 {
        all += 17;
        assert_eq!(watch.look(after(start, window * 100), all), None);
    }
    for window in 21..30 {
        all += 15;
        assert_eq!(watch.look(after(start, window * 100), all), None);
    }
    assert_eq!(
        watch.look(after(start, 3_100), all + 15),
        Some(Change::Lower)
    );
    assert!(!watch.is_up());
    assert_eq!(watch.deadline(), None);
}

/// What the kernel does with a program, of which only what is written here.
fn run(program: &[libc::sock_filter], ip: &[u8], udp: &[u8], random: u32) -> bool {
    let (mut at, mut accumulator) = (0, 0u32);
    loop {
        let step = program[at];
        at += 1;
        let octets = |length: usize| {
            let (from, at) = match step.k {
                RANDOM => return Some(random),
                k if k >= NETWORK_HEADER => (ip, k - NETWORK_HEADER),
                k => (udp, k),
            };
            let read = from.get(usize::try_from(at).unwrap()..)?.get(..length)?;
            Some(read.iter().fold(0, |all, it| all << 8 | u32::from(*it)))
        };
        let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
        match step.code {
            LOAD_WORD | LOAD_OCTET => {
                let length = if step.code == LOAD_WORD { 4 } else { 1 };
                match octets(length) {
                    Some(value) => accumulator = value,
                    None => return false,
                }
            }
            JUMP => at += usize::try_from(step.k).unwrap(),
            JUMP_IF_EQUAL => at += jump(accumulator == step.k),
            JUMP_IF_AT_LEAST => at += jump(accumulator >= step.k),
            JUMP_IF_ANY_OF => at += jump(accumulator & step.k != 0),
            RETURN => return step.k > 0,
            code => panic!("{code:#x}"),
        }
    }
}

/// An IPv4 header and a UDP datagram with a control packet.
fn datagram(ttl: u8, source: u32, yours: u32) -> (Vec<u8>, Vec<u8>) {
    let mut ip = vec![0; 20];
    ip[8] = ttl;
    ip[12..16].copy_from_slice(&source.to_be_bytes());
    let mut udp = vec![0; 32];
    udp[16..20].copy_from_slice(&yours.to_be_bytes());
    (ip, udp)
}

fn known(sessions: u32) -> (Known, Vec<(u32, u32)>) {
    let marks: Vec<(u32, u32)> = (0..sessions)
        .map(|it| (0x0a00_0000 + it * 3, (it + 1).wrapping_mul(0x9e37_79b1)))
        .collect();
    let configs: Vec<(Discriminator, Config)> = marks
        .iter()
        .map(|(peer, name)| {
            let config = Config::new(IpAddr::V4((*peer).into()), Parameters::default());
            (Discriminator::new(*name).unwrap(), config)
        })
        .collect();
    let sessions = configs.iter().map(|(name, config)| (*name, config));
    let kind = (Hops::Single, Domain::default(), false);
    (Known::of(sessions, kind), marks)
}

#[test]
fn what_a_session_may_take_is_passed_and_the_rest_is_not() {
    for sessions in [1, 2, 31, 32, 33, 64, 65, 1_100] {
        let (known, marks) = known(sessions);
        let program = known.program(false);
        assert!(program.len() <= INSTRUCTIONS_MAX);
        // Not one of the one in 64.
        let passes = |ttl, source, yours| {
            let (ip, udp) = datagram(ttl, source, yours);
            run(&program, &ip, &udp, 1)
        };
        for (peer, name) in &marks {
            assert!(passes(255, *peer, *name), "{sessions}: {peer:x} {name:x}");
            assert!(passes(255, *peer, 0), "{sessions}: {peer:x}, which begins");
            assert!(!passes(254, *peer, *name), "{sessions}: a router");
            assert!(!passes(255, peer + 1, *name), "{sessions}: a stranger");
            assert!(!passes(255, *peer, name ^ 2), "{sessions}: no session");
        }
        let (ip, udp) = datagram(254, 1, 1);
        assert!(run(&program, &ip, &udp, 64), "one in 64 is counted");
        let (ip, udp) = datagram(255, marks[0].0, marks[0].1);
        assert!(!run(&program, &ip, &udp[..19], 1), "cut short");
    }
}

#[test]
fn what_would_be_too_long_for_the_kernel_asks_for_less() {
    let (many, marks) = known(3_000);
    let program = many.program(false);
    assert!(program.len() <= INSTRUCTIONS_MAX);
    let (ip, udp) = datagram(255, 1, marks[7].1);
    assert!(run(&program, &ip, &udp, 1), "any source");
    let (ip, udp) = datagram(255, marks[7].0, marks[7].1 ^ 2);
    assert!(!run(&program, &ip, &udp, 1), "a discriminator of ours");
    let (more, marks) = known(9_000);
    let program = more.program(false);
    assert!(program.len() <= INSTRUCTIONS_MAX);
    let (ip, udp) = datagram(255, 1, 7);
    assert!(run(&program, &ip, &udp, 1), "any packet of a neighbour");
    let (ip, udp) = datagram(254, marks[7].0, marks[7].1);
    assert!(!run(&program, &ip, &udp, 1));
}

#[test]
fn sessions_of_other_sockets_do_not_count() {
    let with = |address: &str, parameters| Config::new(address.parse().unwrap(), parameters);
    let config = |address| with(address, Parameters::default());
    let far = |ttl| with("10.0.0.3", Parameters::default().ttl_min(ttl)).hops(Hops::Multi);
    let all = [
        (1, config("10.0.0.1")),
        (2, config("2001:db8::2")),
        (3, far(250)),
        (4, far(64)),
        (5, config("10.0.0.5").domain(Domain(1))),
    ];
    let of = |kind| {
        let sessions = all
            .iter()
            .map(|(name, config)| (Discriminator::new(*name).unwrap(), config));
        Known::of(sessions, kind)
    };
    let near = of((Hops::Single, Domain(0), false));
    assert_eq!((near.ttl_min, &near.discriminators[..]), (255, &[1][..]));
    assert_eq!(near.peers, [0x0a00_0001]);
    let v6 = of((Hops::Single, Domain(0), true));
    assert_eq!((v6.ttl_min, &v6.peers[..]), (255, &[2][..]));
    let far = of((Hops::Multi, Domain(0), false));
    assert_eq!((far.ttl_min, &far.discriminators[..]), (64, &[3, 4][..]));
    let vrf = of((Hops::Single, Domain(1), false));
    assert_eq!(vrf.discriminators, [5]);
}

/// Sessions of these numbers: those whose packets come back, and those that have theirs sent back.
fn echoes(sends: &[u32], loops: &[u32]) -> Echoes {
    let most = sends.iter().chain(loops).max().copied().unwrap_or(0);
    let config = |number: u32| {
        let [.., high, low] = number.to_be_bytes();
        Config::new([10, 9, high, low].into(), Parameters::default())
    };
    let all: Vec<(u32, Config)> = (1..=most).map(|it| (it, config(it))).collect();
    Echoes::of(all.iter().map(|(number, config)| {
        let name = Discriminator::new(*number).unwrap();
        let (sends, loops) = (sends.contains(number), loops.contains(number));
        (name, config, sends, loops)
    }))
}

#[test]
fn echo_packets_come_from_a_peer_or_name_a_session_and_have_crossed_one_router_at_most() {
    let echoes = echoes(&[1, 2, 7], &[3, 4]);
    for (v6, ttl_at, source_at) in [(false, 8, 12), (true, 7, 20)] {
        for (ttl, source, name, passes) in [
            (255, 3, 0, true),
            (255, 4, 1, true),
            (255, 1, 1, false),
            (255, 9, 7, false),
            (254, 9, 7, true),
            (254, 3, 1, true),
            (254, 3, 3, false),
            (254, 3, 0, false),
            (253, 3, 1, false),
            (64, 3, 1, false),
        ] {
            let mut ip = vec![0; 40];
            ip[ttl_at] = ttl;
            ip[source_at..source_at + 4].copy_from_slice(&[10, 9, 0, source]);
            let mut udp = vec![0; 32];
            udp[15] = name;
            let passed = run(&echoes.near(v6), &ip, &udp, 0);
            assert_eq!(passed, passes, "{v6} {ttl} {source} {name}");
        }
    }
    // Before anybody is known, nobody is heard.
    let mut ip = vec![0; 40];
    for ttl in [254, 255] {
        ip[8] = ttl;
        assert!(!run(&Echoes::default().near(false), &ip, &[0; 32], 0));
    }
}

#[test]
fn only_echo_packets_that_were_sent_back_come_through_a_packet_socket() {
    let program = echoes(&[5], &[6]).sent_back(3785);
    let mut whole = vec![0; 52];
    (whole[0], whole[8], whole[9]) = (0x45, 254, 17);
    whole[20..24].copy_from_slice(&[0x0e, 0xc9, 0x0e, 0xc9]);
    whole[35] = 5;
    let passes = |packet: &[u8]| run(&program, &[], packet, 0);
    assert!(passes(&whole));
    for (at, octet) in [
        (0, 0x46),
        (8, 255),
        (9, 6),
        (21, 0xc8),
        (23, 0xc8),
        (35, 6),
        (34, 1),
    ] {
        let mut other = whole.clone();
        other[at] = octet;
        assert!(!passes(&other), "{at}");
    }
    assert!(!passes(&whole[..34]));
}

#[test]
fn of_too_many_sessions_echo_packets_are_told_by_their_ttl_alone() {
    let many: Vec<u32> = (1..=5_000).collect();
    for (count, listed) in [(1_000, true), (5_000, false)] {
        let echoes = echoes(&many[..count], &many[..count]);
        for (program, at) in [(echoes.near(false), 12), (echoes.sent_back(3785), 32)] {
            assert!(
                program.len() <= INSTRUCTIONS_MAX,
                "{count}: {}",
                program.len()
            );
            let (mut ip, mut packet) = (vec![0; 40], vec![0; 52]);
            ip[8] = 254;
            (packet[0], packet[8], packet[9]) = (0x45, 254, 17);
            packet[20..24].copy_from_slice(&[0x0e, 0xc9, 0x0e, 0xc9]);
            packet[at..at + 4].copy_from_slice(&1_000_u32.to_be_bytes());
            assert!(run(&program, &ip, &packet, 0), "{count}");
            packet[at..at + 4].copy_from_slice(&70_000_u32.to_be_bytes());
            assert_eq!(run(&program, &ip, &packet, 0), !listed, "{count}");
        }
    }
}
