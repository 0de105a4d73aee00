//! What the kernel drops before the BFD thread sees it, while somebody floods its ports.
//!
//! ```text
//! Sessions::unwelcome ──► Watch: too many? ──► Known ──► program ──► SO_ATTACH_FILTER
//!                            └── few for a while ──► SO_DETACH_FILTER
//! ```
//!
//! A datagram that no session takes costs the thread about as much as one that counts. So when they
//! come by the thousand, each receiving socket gets a filter, which runs where the datagram arrives:
//! it passes what has the TTL, the source address and the discriminator of a session, and a
//! discriminator of zero from a peer, which is how sessions begin. Of the rest one in [`ONE_IN`] is
//! passed, so that counters still move and the end of the flood is seen.
//!
//! Without a flood there is no filter of control packets, so every counter is exact and every refusal has its reason.
//! What is not done here: packets that have all the marks of a session's peer are let through,
//! however many there are; only the session can judge those.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bfd::{Config, Discriminator, Domain, Hops};

/// Unwelcome datagrams in a second from which on it is a flood.
const FLOOD: u64 = 10_000;

/// Over which datagrams are counted, at least.
const WINDOW: Duration = Duration::from_millis(100);

/// How long it has to be quiet before the filter goes.
const QUIET: Duration = Duration::from_secs(1);

/// Of those that the filter stops one in so many is passed. A power of two.
const ONE_IN: u32 = 64;

/// Whether it is a flood.
#[derive(Debug)]
pub(super) struct Watch {
    since: Instant,
    seen: u64,
    /// Up since somebody floods, and when that was last so.
    up: Option<Instant>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// So many come in a second.
    Raise(u64),
    Lower,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            seen: 0,
            up: None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    /// When to look again although nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.up.map(|_| self.since + WINDOW)
    }

    /// `all` is how many unwelcome ones there were since the start.
    pub(super) fn look(&mut self, now: Instant, all: u64) -> Option<Change> {
        let time = now.saturating_duration_since(self.since);
        if time < WINDOW {
            return None;
        }
        let seen = u128::from(all.saturating_sub(self.seen)) * 1_000 / time.as_millis().max(1);
        let rate = u64::try_from(seen).unwrap_or(u64::MAX);
        (self.since, self.seen) = (now, all);
        match self.up {
            None if rate >= FLOOD => {
                self.up = Some(now);
                Some(Change::Raise(rate))
            }
            None => None,
            // As few as that, times what was dropped, are still a flood.
            Some(_) if rate.saturating_mul(ONE_IN.into()) >= FLOOD => {
                self.up = Some(now);
                None
            }
            Some(last) if now.saturating_duration_since(last) >= QUIET => {
                self.up = None;
                Some(Change::Lower)
            }
            Some(_) => None,
        }
    }
}

/// The marks of the sessions that receive from one socket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    ttl_min: u8,
    /// The last four octets of the addresses of peers, in order.
    peers: Vec<u32>,
    /// In order.
    discriminators: Vec<u32>,
}

impl Known {
    /// Of these sessions those that are for a socket of this kind.
    pub(super) fn of<'a>(
        sessions: impl Iterator<Item = (Discriminator, &'a Config)>,
        (hops, domain, v6): (Hops, Domain, bool),
    ) -> Self {
        let mut known = Self {
            ttl_min: u8::MAX,
            ..Self::default()
        };
        for (discriminator, config) in sessions {
            let remote = config.remote_address();
            let here = (config.distance(), config.domain_number(), remote.is_ipv6());
            if here != (hops, domain, v6) {
                continue;
            }
            known.ttl_min = known.ttl_min.min(config.ttl_min());
            known.peers.push(last_octets(remote));
            known.discriminators.push(discriminator.get());
        }
        for list in [&mut known.peers, &mut known.discriminators] {
            list.sort_unstable();
            list.dedup();
        }
        known
    }

    /// The filter of a UDP socket of IPv4 or IPv6. It begins at the UDP header.
    ///
    /// The kernel takes 4,096 instructions. What would not fit is not asked: of more than some 1,700
    /// sessions who their peers are, of more than some 3,500 their discriminators either.
    pub(super) fn program(&self, v6: bool) -> Vec<libc::sock_filter> {
        let full = self.written(v6, true, true);
        if full.len() <= INSTRUCTIONS_MAX {
            return full;
        }
        let less = self.written(v6, false, true);
        match less.len() <= INSTRUCTIONS_MAX {
            true => less,
            false => self.written(v6, false, false),
        }
    }

    fn written(&self, v6: bool, peers: bool, discriminators: bool) -> Vec<libc::sock_filter> {
        let (ttl_at, source_at) = places(v6);
        // UDP's header has 8 octets, and Your Discriminator stands behind 8 of the packet.
        const YOURS_AT: u32 = 16;
        let mut program = Program::default();
        program.load_octet(NETWORK_HEADER.wrapping_add(ttl_at));
        program.unless_at_least(self.ttl_min.into(), Label::Sample);
        if peers {
            program.load_word(NETWORK_HEADER.wrapping_add(source_at));
            program.find(&self.peers, Label::Peer, Label::Sample);
            program.place(Label::Peer);
        }
        if discriminators {
            program.load_word(YOURS_AT);
            program.when(0, Label::Pass);
            program.find(&self.discriminators, Label::Pass, Label::Sample);
        }
        program.place(Label::Pass);
        program.end(u32::MAX);
        program.place(Label::Sample);
        program.load_word(RANDOM);
        program.when_any_of(ONE_IN - 1, Label::Drop);
        program.end(u32::MAX);
        program.place(Label::Drop);
        program.end(0);
        program.finish()
    }
}

fn last_octets(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    }
}

/// A filter that passes nothing, for sockets that only send.
pub(super) fn nothing() -> Vec<libc::sock_filter> {
    let mut program = Program::default();
    program.end(0);
    program.finish()
}

/// Whose echo packets count. Unlike with control packets the filter is always there: nothing else is
/// of interest, and nobody who does not know a session's name pushes its packets out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Echoes {
    /// The last four octets of the addresses of those whose packets we send back, in order.
    peers: Vec<u32>,
    /// The sessions whose packets come back, in order.
    discriminators: Vec<u32>,
}

impl Echoes {
    /// Of sessions: name, configuration, whether its packets come back and whether the peer's are
    /// sent back.
    pub(super) fn of<'a>(
        sessions: impl Iterator<Item = (Discriminator, &'a Config, bool, bool)>,
    ) -> Self {
        let mut echoes = Self::default();
        for (name, config, sends, loops) in sessions {
            echoes.discriminators.extend(sends.then_some(name.get()));
            let peer = last_octets(config.remote_address());
            echoes.peers.extend(loops.then_some(peer));
        }
        for list in [&mut echoes.peers, &mut echoes.discriminators] {
            list.sort_unstable();
            list.dedup();
        }
        echoes
    }

    /// A filter of a UDP socket, which begins at the UDP header. It passes what has crossed no router
    /// from who has it sent back, and what has crossed one with the name of a session.
    pub(super) fn near(&self, v6: bool) -> Vec<libc::sock_filter> {
        let (ttl_at, source_at) = places(v6);
        // Behind the header of UDP and four octets of the packet.
        const NAME_AT: u32 = 12;
        self.written(|these, program| {
            program.load_octet(NETWORK_HEADER.wrapping_add(ttl_at));
            program.when(255, Label::Peer);
            program.unless_equal(254, Label::Drop);
            program.load_word(NAME_AT);
            these.find(&self.discriminators, program);
            program.place(Label::Peer);
            program.load_word(NETWORK_HEADER.wrapping_add(source_at));
            these.find(&self.peers, program);
        })
    }

    /// A filter of a packet socket that begins at the IPv4 header: it passes echo packets of this host
    /// that a neighbour has sent back. Whatever else comes in on the interface costs four
    /// instructions.
    pub(super) fn sent_back(&self, own_port: u16) -> Vec<libc::sock_filter> {
        let port = u32::from(own_port);
        const NAME_AT: u32 = 20 + 12;
        self.written(|these, program| {
            // Ports stand behind a header without options: UDP, TTL 254, from port 3785 to port 3785.
            program.load_octet(9);
            program.unless_equal(17, Label::Drop);
            program.load_word(20);
            program.unless_equal(port << 16 | port, Label::Drop);
            program.load_octet(0);
            program.unless_equal(0x45, Label::Drop);
            program.load_octet(8);
            program.unless_equal(254, Label::Drop);
            program.load_word(NAME_AT);
            these.find(&self.discriminators, program);
        })
    }

    /// Of more sessions than the kernel takes instructions for it is not asked whose packets they are.
    fn written(&self, body: impl Fn(These, &mut Program)) -> Vec<libc::sock_filter> {
        let program = |these| {
            let mut program = Program::default();
            body(these, &mut program);
            program.place(Label::Pass);
            program.end(u32::MAX);
            program.place(Label::Drop);
            program.end(0);
            program.finish()
        };
        let listed = program(These::Listed);
        match listed.len() <= INSTRUCTIONS_MAX {
            true => listed,
            false => program(These::All),
        }
    }
}

/// Which of the values that are looked for count.
#[derive(Clone, Copy)]
enum These {
    Listed,
    All,
}

impl These {
    fn find(self, values: &[u32], program: &mut Program) {
        match self {
            Self::Listed => program.find(values, Label::Pass, Label::Drop),
            Self::All => program.jump(Label::Pass),
        }
    }
}

/// Where TTL and the last four octets of the source stand in the IP header.
fn places(v6: bool) -> (u32, u32) {
    match v6 {
        false => (8, 12),
        true => (7, 20),
    }
}

/// `BPF_MAXINSNS`.
const INSTRUCTIONS_MAX: usize = 4096;
/// `SKF_NET_OFF`: offsets from here count from the IP header.
const NETWORK_HEADER: u32 = 0xfff0_0000;
/// `SKF_AD_OFF + SKF_AD_RANDOM`: a random number.
const RANDOM: u32 = 0xffff_f000 + 56;
/// Values that are compared one by one. The jump behind the last of them has to be within 255.
const LEAF: usize = 32;

// Of linux/bpf_common.h.
const LOAD_WORD: u16 = 0x20;
const LOAD_OCTET: u16 = 0x30;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY_OF: u16 = 0x45;
const RETURN: u16 = 0x06;

/// A place in a program that stands ahead of those who jump there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Peer,
    Pass,
    Sample,
    Drop,
    /// Within a search.
    Upper(usize),
}

/// Instructions, some of them jumps to a place that is not known yet. Conditional jumps reach 255
/// instructions, so each only skips the unconditional one behind it.
#[derive(Debug, Default)]
struct Program {
    written: Vec<libc::sock_filter>,
    jumps: Vec<(usize, Label)>,
    uppers: usize,
}

impl Program {
    fn add(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        self.written.push(libc::sock_filter { code, jt, jf, k });
    }

    fn load_octet(&mut self, at: u32) {
        self.add(LOAD_OCTET, 0, 0, at);
    }

    fn load_word(&mut self, at: u32) {
        self.add(LOAD_WORD, 0, 0, at);
    }

    fn end(&mut self, octets: u32) {
        self.add(RETURN, 0, 0, octets);
    }

    fn jump(&mut self, to: Label) {
        self.jumps.push((self.written.len(), to));
        self.add(JUMP, 0, 0, 0);
    }

    fn when(&mut self, value: u32, to: Label) {
        self.add(JUMP_IF_EQUAL, 0, 1, value);
        self.jump(to);
    }

    fn unless_equal(&mut self, value: u32, to: Label) {
        self.add(JUMP_IF_EQUAL, 1, 0, value);
        self.jump(to);
    }

    fn when_any_of(&mut self, bits: u32, to: Label) {
        self.add(JUMP_IF_ANY_OF, 0, 1, bits);
        self.jump(to);
    }

    fn unless_at_least(&mut self, value: u32, to: Label) {
        self.add(JUMP_IF_AT_LEAST, 1, 0, value);
        self.jump(to);
    }

    /// Goes to one place or the other by whether the loaded word is among these, which are in order.
    fn find(&mut self, values: &[u32], found: Label, missing: Label) {
        let (lower, upper) = values.split_at(values.len() / 2);
        match upper.first() {
            Some(middle) if values.len() > LEAF => {
                self.uppers += 1;
                let there = Label::Upper(self.uppers);
                self.add(JUMP_IF_AT_LEAST, 0, 1, *middle);
                self.jump(there);
                self.find(lower, found, missing);
                self.place(there);
                self.find(upper, found, missing);
            }
            Some(_) | None => {
                for (at, value) in values.iter().enumerate() {
                    // Over the values that are left and the jump for none of them.
                    let over = u8::try_from(values.len().saturating_sub(at)).unwrap_or(u8::MAX);
                    self.add(JUMP_IF_EQUAL, over, 0, *value);
                }
                self.jump(missing);
                self.jump(found);
            }
        }
    }

    /// Those who jump to this place come here.
    fn place(&mut self, label: Label) {
        let here = self.written.len();
        for (from, _) in self.jumps.extract_if(.., |(_, to)| *to == label) {
            if let Some(jump) = self.written.get_mut(from) {
                let over = here.saturating_sub(from).saturating_sub(1);
                jump.k = u32::try_from(over).unwrap_or(u32::MAX);
            }
        }
    }

    fn finish(self) -> Vec<libc::sock_filter> {
        debug_assert!(self.jumps.is_empty(), "{:?}", self.jumps);
        self.written
    }
}

#[cfg(test)]
mod tests;
