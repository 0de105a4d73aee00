//! Speakers, the wires between them and a clock.
//!
//! A wire has two ends, each with a queue of what its speaker will learn of it: that it stands,
//! bytes, that it ended. [`Net::step`] delivers one thing of any end's queue, bytes cut where it
//! likes, so that a list of numbers is an interleaving.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use super::*;
use crate::attributes::Attributes;
use crate::session::HoldTime;

pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    wires: Vec<Wire>,
    pub(super) now: Instant,
    /// Bytes get lost.
    pub(super) mute: bool,
}

pub(super) struct Node {
    pub(super) speaker: Speaker,
    pub(super) address: IpAddr,
    /// Tells of written octets.
    pub(super) reports: bool,
    /// Octets to write, ever.
    pub(super) octets: usize,
    pub(super) downs: usize,
    pub(super) told: Vec<Best>,
    pub(super) log: Vec<String>,
}

impl Node {
    /// Prefixes as the outputs told of them.
    pub(super) fn table(&self) -> BTreeSet<Prefix> {
        let mut table = BTreeSet::new();
        for best in &self.told {
            let prefix = best.nlri.prefix().unwrap();
            if best.paths.is_empty() {
                table.remove(&prefix);
            } else {
                table.insert(prefix);
            }
        }
        table
    }
}

#[derive(Debug)]
struct Wire {
    ends: [End; 2],
}

#[derive(Debug)]
struct End {
    node: usize,
    peer: PeerId,
    conn: ConnId,
    open: bool,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum Event {
    Open,
    Bytes(Vec<u8>),
    Written(usize),
    Closed,
}

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

impl Net {
    /// Everybody with everybody.
    pub(super) fn mesh(size: usize) -> Self {
        let pairs: Vec<_> = (0..size)
            .flat_map(|a| (0..a).map(move |b| (b, a)))
            .collect();
        Self::new(&pairs, size, |config| config)
    }

    /// Each with the next.
    pub(super) fn chain(size: usize) -> Self {
        let pairs: Vec<_> = (1..size).map(|a| (a - 1, a)).collect();
        Self::new(&pairs, size, |config| config)
    }

    pub(super) fn new(
        pairs: &[(usize, usize)],
        size: usize,
        change: impl Fn(PeerConfig) -> PeerConfig,
    ) -> Self {
        let asns: Vec<u32> = (65_001..).take(size).collect();
        Self::with(pairs, &asns, change)
    }

    pub(super) fn pair(a: u32, b: u32, change: impl Fn(PeerConfig) -> PeerConfig) -> Self {
        Self::with(&[(0, 1)], &[a, b], change)
    }

    fn with(
        pairs: &[(usize, usize)],
        asns: &[u32],
        change: impl Fn(PeerConfig) -> PeerConfig,
    ) -> Self {
        let address = |at: usize| [10, 0, 0, u8::try_from(at + 1).unwrap()];
        let node = |(at, asn): (usize, &u32)| Node {
            speaker: Speaker::with_seed(*asn, address(at).into(), u64::try_from(at).unwrap()),
            address: address(at).into(),
            reports: true,
            octets: 0,
            downs: 0,
            told: Vec::new(),
            log: Vec::new(),
        };
        let mut nodes: Vec<Node> = asns.iter().enumerate().map(node).collect();
        for (a, b) in pairs {
            for (at, other) in [(*a, *b), (*b, *a)] {
                let config = PeerConfig::new(nodes[other].address, asns[other])
                    .hold_time(HoldTime::secs(90).unwrap());
                nodes[at].speaker.add_peer(change(config)).unwrap();
            }
        }
        Self {
            nodes,
            wires: Vec::new(),
            now: Instant::now(),
            mute: false,
        }
    }

    pub(super) fn best(&self, at: usize, text: &str) -> Option<Attributes> {
        let route = self.nodes[at].speaker.rib().route(&prefix(text).into())?;
        route
            .paths
            .into_iter()
            .find(|path| path.best)
            .map(|path| path.attributes)
    }

    pub(super) fn open_connections(&self, node: usize) -> usize {
        let ends = self.wires.iter().flat_map(|wire| &wire.ends);
        ends.filter(|end| end.open && end.node == node).count()
    }

    pub(super) fn input(&mut self, at: usize, input: Input) {
        self.nodes[at].speaker.handle(self.now, input);
        while let Some(output) = self.nodes[at].speaker.poll() {
            self.output(at, output);
        }
    }

    fn output(&mut self, at: usize, output: Output) {
        let node = &mut self.nodes[at];
        match output {
            Output::Connect { peer, conn, addr } => self.connect(at, peer, conn, addr.ip()),
            Output::Send { peer, conn, bytes } => {
                assert!(!bytes.is_empty());
                node.octets += bytes.len();
                let (wire, side) = self.find(at, peer, conn);
                let wire = &mut self.wires[wire];
                assert!(wire.ends[side].open, "sent on a closed connection");
                if self.nodes[at].reports {
                    wire.ends[side]
                        .events
                        .push_back(Event::Written(bytes.len()));
                }
                if wire.ends[1 - side].open && !self.mute {
                    wire.ends[1 - side]
                        .events
                        .push_back(Event::Bytes(bytes.to_vec()));
                }
            }
            Output::Close { peer, conn } => {
                let (wire, side) = self.find(at, peer, conn);
                let ends = &mut self.wires[wire].ends;
                assert!(ends[side].open, "closed twice");
                ends[side].open = false;
                ends[side].events.clear();
                if ends[1 - side].open {
                    ends[1 - side].events.push_back(Event::Closed);
                }
            }
            Output::Established { .. } => node.log.push("established".to_owned()),
            Output::Down { .. } => {
                node.downs += 1;
                node.log.push("down".to_owned());
            }
            Output::Best(best) => {
                node.log.push(format!("best {}", best.nlri));
                node.told.push(best);
            }
            Output::EndOfRib { family, .. } => node.log.push(format!("end of {family}")),
            Output::AttemptFailed { .. } => {}
            Output::Malformed { error, .. } | Output::FamilyDisabled { error, .. } => {
                panic!("{error}")
            }
        }
    }

    fn connect(&mut self, at: usize, peer: PeerId, conn: ConnId, to: IpAddr) {
        let own = self.nodes[at].address;
        let other = self
            .nodes
            .iter()
            .position(|node| node.address == to)
            .unwrap();
        let mut peers = self.nodes[other].speaker.peers();
        let back = peers
            .find(|(_, config)| config.address() == own)
            .map(|(id, _)| id);
        let open = |node, peer, conn| End {
            node,
            peer,
            conn,
            open: true,
            events: VecDeque::from([Event::Open]),
        };
        let number = u32::try_from(self.wires.len()).unwrap();
        // A peer that was removed: its speaker closes the connection.
        let back = back.unwrap_or(PeerId(u16::MAX));
        let incoming = open(other, back, ConnId::Incoming(number));
        self.wires.push(Wire {
            ends: [open(at, peer, conn), incoming],
        });
    }

    fn find(&self, node: usize, peer: PeerId, conn: ConnId) -> (usize, usize) {
        let is = |end: &End| (end.node, end.peer, end.conn) == (node, peer, conn);
        let mut wires = self.wires.iter().enumerate();
        wires
            .find_map(|(at, wire)| Some((at, wire.ends.iter().position(is)?)))
            .expect("a connection that was opened")
    }

    /// Ends with something in their queues.
    fn ready(&self) -> Vec<(usize, usize)> {
        let all = (0..self.wires.len()).flat_map(|wire| [(wire, 0), (wire, 1)]);
        all.filter(|(wire, side)| !self.wires[*wire].ends[*side].events.is_empty())
            .collect()
    }

    /// Delivers one thing.
    pub(super) fn step(&mut self, choice: usize) {
        let ready = self.ready();
        if ready.is_empty() {
            return self.tick();
        }
        let (wire, side) = ready[choice % ready.len()];
        self.deliver(wire, side, choice / ready.len());
    }

    fn deliver(&mut self, wire: usize, side: usize, cut: usize) {
        let end = &mut self.wires[wire].ends[side];
        let (at, peer, conn) = (end.node, end.peer, end.conn);
        let local = self.nodes[at].address;
        let input = match end.events.pop_front().unwrap() {
            Event::Open if side == 0 => Input::Connected { peer, conn, local },
            Event::Open => Input::Accepted { peer, conn, local },
            Event::Bytes(mut bytes) => {
                let rest = bytes.split_off(bytes.len().min(1 + cut));
                if !rest.is_empty() {
                    end.events.push_front(Event::Bytes(rest));
                }
                Input::Received {
                    peer,
                    conn,
                    bytes: (&*bytes).into(),
                }
            }
            Event::Written(octets) => Input::Written { peer, conn, octets },
            Event::Closed => Input::Closed {
                peer,
                conn,
                error: None,
            },
        };
        self.input(at, input);
    }

    /// Delivers everything that is on its way, and what follows from it.
    pub(super) fn deliver_all(&mut self) {
        while let Some((wire, side)) = self.ready().first().copied() {
            self.deliver(wire, side, usize::MAX - 1);
        }
    }

    /// Breaks a wire: what is on it is lost.
    pub(super) fn cut(&mut self, choice: usize) {
        let whole = |wire: &&mut Wire| wire.ends.iter().all(|end| end.open);
        let mut wires: Vec<_> = self.wires.iter_mut().filter(whole).collect();
        if wires.is_empty() {
            return;
        }
        let at = choice % wires.len();
        for end in &mut wires[at].ends {
            // Of an end that has not heard of it yet, opening and end follow each other.
            end.events.retain(|event| matches!(event, Event::Open));
            end.events.push_back(Event::Closed);
        }
    }

    /// Lets time pass to the next deadline.
    pub(super) fn tick(&mut self) {
        let deadlines = self.nodes.iter().filter_map(|node| node.speaker.deadline());
        self.now = deadlines
            .min()
            .map_or(self.now, |deadline| deadline.max(self.now));
        for at in 0..self.nodes.len() {
            self.input(at, Input::Timeout);
        }
    }

    /// Lets time pass until sessions are up and long enough for nothing more to come.
    pub(super) fn settle(&mut self) {
        let until = self.now + Duration::from_secs(40);
        loop {
            self.deliver_all();
            self.tick();
            if self.now >= until {
                return self.deliver_all();
            }
        }
    }
}
