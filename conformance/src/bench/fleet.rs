//! All neighbours of the daemon under test, on one thread.
//!
//! ```text
//! queued bytes ──write──► daemon ──read──► frames ──► View (what this neighbour holds)
//! ```
//!
//! One epoll, sockets that never block, messages encoded beforehand: the two cores are the
//! daemon's. The scenario queues bytes and says until when the fleet shall run; nothing happens in
//! between. A neighbour that loses its session ends the run with an error, because every figure
//! after that would be about something else.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::view::View;
use super::wire::{self, Family};
use super::{Fault, Interrupt};

/// Octets read at once; a message of 4096 always fits behind a partial one.
const BUFFER: usize = 256 * 1024;
/// Reads of one neighbour before the others have their turn.
const TURN: usize = 4;
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Octets written to one neighbour before the others have their turn: what one of them is told
/// meanwhile is not to wait for a daemon that reads as fast as we write.
const FLUSH: usize = 256 * 1024;
/// Between attempts to connect.
const RETRY: Duration = Duration::from_millis(5);
/// How often a condition is looked at when nothing arrives.
const LOOK: u16 = 10;

/// How a neighbour is made.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its AS number.
    pub asn: u32,
}

/// One neighbour.
#[derive(Debug)]
pub struct Peer {
    identity: Identity,
    stream: Option<TcpStream>,
    state: State,
    retry_at: Instant,
    queue: VecDeque<(Arc<[u8]>, usize)>,
    wants_write: bool,
    paused: bool,
    buffer: Vec<u8>,
    filled: usize,
    /// What it holds.
    pub view: View,
    /// When the first route came since the last [`Fleet::mark`].
    pub first_route: Option<Instant>,
    /// UPDATEs received since then.
    pub messages: usize,
    /// Their octets.
    pub octets: usize,
    heard_at: Instant,
    /// Longest time without any message while Established.
    pub silence: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not there: it was never asked, or was told to leave.
    Idle,
    Connecting,
    OpenSent,
    OpenConfirm,
    Established,
}

/// The neighbours and where they connect to.
#[derive(Debug)]
pub struct Fleet<'a> {
    epoll: Epoll,
    target: SocketAddr,
    family: Family,
    /// By number.
    pub peers: Vec<Peer>,
    interrupt: &'a Interrupt,
    keepalive_at: Instant,
    events: Vec<EpollEvent>,
}

impl<'a> Fleet<'a> {
    /// Neighbours that have not connected yet.
    pub fn new(
        target: SocketAddr,
        family: Family,
        peers: Vec<(Identity, View)>,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Fault> {
        let now = Instant::now();
        let make = |(identity, view)| Peer {
            identity,
            stream: None,
            state: State::Idle,
            retry_at: now,
            queue: VecDeque::new(),
            wants_write: false,
            paused: false,
            buffer: Vec::new(),
            filled: 0,
            view,
            first_route: None,
            messages: 0,
            octets: 0,
            heard_at: now,
            silence: Duration::ZERO,
        };
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            target,
            family,
            peers: peers.into_iter().map(make).collect(),
            interrupt,
            keepalive_at: now + KEEPALIVE,
            events: vec![EpollEvent::empty(); 256],
        })
    }

    /// Lets these connect, and try again until they are Established.
    pub fn begin(&mut self, which: Range<usize>) {
        for peer in self.peers.get_mut(which).unwrap_or_default() {
            peer.state = State::Connecting;
            peer.retry_at = Instant::now();
        }
    }

    /// Whether all of these are Established.
    pub fn up(&self, which: &Range<usize>) -> bool {
        let mut peers = self.peers.get(which.clone()).unwrap_or_default().iter();
        peers.all(|peer| peer.state == State::Established)
    }

    /// Queues octets for a neighbour to send.
    pub fn send(&mut self, peer: usize, octets: &Arc<[u8]>) {
        if let Some(peer) = self.peers.get_mut(peer).filter(|_| !octets.is_empty()) {
            peer.queue.push_back((Arc::clone(octets), 0));
        }
    }

    /// Closes a neighbour's connection without a word.
    pub fn close(&mut self, peer: usize) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.stream = None;
            peer.state = State::Idle;
            peer.queue.clear();
        }
    }

    /// Stops or resumes reading of a neighbour.
    pub fn pause(&mut self, peer: usize, paused: bool) -> Result<(), Fault> {
        let Some(it) = self.peers.get_mut(peer) else {
            return Ok(());
        };
        it.paused = paused;
        it.watch(&self.epoll, peer)
    }

    /// Forgets when routes came first, to measure anew.
    pub fn mark(&mut self) {
        for peer in &mut self.peers {
            peer.first_route = None;
            peer.messages = 0;
            peer.octets = 0;
        }
    }

    /// When the first route came to any neighbour since the mark.
    pub fn first_route(&self) -> Option<Instant> {
        self.peers.iter().filter_map(|peer| peer.first_route).min()
    }

    /// Whether everything queued was handed to the kernel.
    pub fn sent(&self) -> bool {
        self.peers.iter().all(|peer| peer.queue.is_empty())
    }

    /// Works until the condition holds (true) or the time is over (false). The condition is looked
    /// at after every batch of events.
    pub fn run(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Fault> {
        let end = Instant::now() + limit;
        self.flush_all()?;
        while !done(self) {
            let now = Instant::now();
            if self.interrupt.came() {
                return Err("interrupted".into());
            }
            if now >= end {
                return Ok(false);
            }
            self.keep_alive(now)?;
            self.connect(now)?;
            self.wait()?;
        }
        Ok(true)
    }

    fn wait(&mut self) -> Result<(), Fault> {
        let mut events = std::mem::take(&mut self.events);
        let connecting = self.peers.iter().any(|p| p.state == State::Connecting);
        let timeout = if connecting { 1 } else { LOOK };
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(timeout)) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in events.get(..count).unwrap_or_default() {
            let number = usize::try_from(event.data())?;
            let Some(peer) = self.peers.get_mut(number) else {
                continue;
            };
            let flags = event.events();
            if flags.contains(EpollFlags::EPOLLOUT) {
                peer.flush(&self.epoll, number)?;
            }
            if flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR)
            {
                peer.read(self.family)?;
                peer.flush(&self.epoll, number)?;
            }
        }
        self.events = events;
        Ok(())
    }

    fn flush_all(&mut self) -> Result<(), Fault> {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            peer.flush(&self.epoll, number)?;
        }
        Ok(())
    }

    fn keep_alive(&mut self, now: Instant) -> Result<(), Fault> {
        if now < self.keepalive_at {
            return Ok(());
        }
        self.keepalive_at = now + KEEPALIVE;
        let message: Arc<[u8]> = wire::keepalive().into();
        for (number, peer) in self.peers.iter_mut().enumerate() {
            // Behind a long queue one is enough.
            if peer.state == State::Established && peer.queue.len() < 3 {
                peer.queue.push_back((Arc::clone(&message), 0));
                peer.flush(&self.epoll, number)?;
            }
        }
        Ok(())
    }

    fn connect(&mut self, now: Instant) -> Result<(), Fault> {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            if peer.state != State::Connecting || now < peer.retry_at {
                continue;
            }
            match connected(peer.identity.address, self.target) {
                Ok(stream) => {
                    peer.begin(stream, self.family);
                    peer.watch_new(&self.epoll, number)?;
                    peer.flush(&self.epoll, number)?;
                }
                // The daemon does not listen yet.
                Err(_) => peer.retry_at = now + RETRY,
            }
        }
        Ok(())
    }
}

/// A connection from one of our addresses. Both ends are on this machine, so connecting takes
/// microseconds or is refused at once; a full backlog is left to the next attempt.
fn connected(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_millis(200))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Peer {
    fn begin(&mut self, stream: TcpStream, family: Family) {
        self.stream = Some(stream);
        self.state = State::OpenSent;
        self.filled = 0;
        self.buffer.resize(BUFFER, 0);
        let open = wire::open(self.identity.asn, self.identity.address, family);
        self.queue.clear();
        self.queue.push_back((open.into(), 0));
    }

    fn interest(&self) -> EpollFlags {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, !self.paused);
        flags.set(EpollFlags::EPOLLOUT, self.wants_write);
        flags
    }

    fn watch_new(&self, epoll: &Epoll, number: usize) -> Result<(), Fault> {
        if let Some(stream) = &self.stream {
            let number = u64::try_from(number)?;
            epoll.add(stream, EpollEvent::new(self.interest(), number))?;
        }
        Ok(())
    }

    fn watch(&self, epoll: &Epoll, number: usize) -> Result<(), Fault> {
        if let Some(stream) = &self.stream {
            let mut event = EpollEvent::new(self.interest(), u64::try_from(number)?);
            epoll.modify(stream, &mut event)?;
        }
        Ok(())
    }

    /// Writes as much as the kernel takes, up to [`FLUSH`].
    fn flush(&mut self, epoll: &Epoll, number: usize) -> Result<(), Fault> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let (mut blocked, mut left) = (false, FLUSH);
        while let Some((octets, done)) = self.queue.front_mut() {
            if left == 0 {
                blocked = true;
                break;
            }
            let end = octets.len().min(*done + left);
            match stream.write(octets.get(*done..end).unwrap_or_default()) {
                Ok(count) => {
                    *done += count;
                    left -= count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked = true;
                    break;
                }
                Err(error) => return Err(self.lost(&error.to_string())),
            }
            if *done >= octets.len() {
                self.queue.pop_front();
            }
        }
        if blocked != self.wants_write {
            self.wants_write = blocked;
            self.watch(epoll, number)?;
        }
        Ok(())
    }

    fn read(&mut self, family: Family) -> Result<(), Fault> {
        for _ in 0..TURN {
            let Some(stream) = self.stream.as_mut().filter(|_| !self.paused) else {
                return Ok(());
            };
            let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let room = free.len();
            match stream.read(free) {
                Ok(0) => return self.ended("the daemon closed it"),
                Ok(count) => {
                    self.filled += count;
                    self.take_messages(family)?;
                    if count < room {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return self.ended(&error.to_string()),
            }
        }
        Ok(())
    }

    /// A session that was never up is tried again: the daemon may not be ready.
    fn ended(&mut self, why: &str) -> Result<(), Fault> {
        if self.state == State::Established {
            return Err(self.lost(why));
        }
        self.stream = None;
        self.state = State::Connecting;
        self.retry_at = Instant::now() + RETRY;
        Ok(())
    }

    fn lost(&self, why: &str) -> Fault {
        format!("session of {} lost: {why}", self.identity.address).into()
    }

    fn take_messages(&mut self, family: Family) -> Result<(), Fault> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut start = 0;
        while let Some(rest) = buffer.get(start..self.filled)
            && let Some((length, kind)) = wire::header(rest)
        {
            if length < wire::HEADER {
                return Err(self.lost("it sent no BGP message"));
            }
            let Some(body) = rest.get(wire::HEADER..length) else {
                break;
            };
            start += length;
            self.message(kind, body, family)?;
        }
        self.buffer = buffer;
        self.buffer.copy_within(start..self.filled, 0);
        self.filled -= start;
        Ok(())
    }

    fn message(&mut self, kind: u8, body: &[u8], family: Family) -> Result<(), Fault> {
        let now = Instant::now();
        if self.state == State::Established {
            self.silence = self.silence.max(now - self.heard_at);
        }
        self.heard_at = now;
        match kind {
            wire::OPEN => {
                self.state = State::OpenConfirm;
                self.queue.push_back((wire::keepalive().into(), 0));
            }
            wire::KEEPALIVE if self.state == State::OpenConfirm => {
                self.state = State::Established;
                self.queue.push_back((wire::end_of_rib(family).into(), 0));
            }
            wire::NOTIFICATION => {
                let code = body.get(..2).unwrap_or_default();
                if self.state == State::Established {
                    return Err(self.lost(&format!("NOTIFICATION {code:?}")));
                }
            }
            wire::UPDATE => {
                let before = self.view.announcements;
                wire::update(body, &mut self.view)
                    .map_err(|_| self.lost("an UPDATE is malformed"))?;
                if self.first_route.is_none() && self.view.announcements > before {
                    self.first_route = Some(now);
                }
                self.messages += 1;
                self.octets += body.len() + wire::HEADER;
            }
            _ => {}
        }
        Ok(())
    }
}
