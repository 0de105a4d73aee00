//! One TCP connection: octets in, octets out, and an end that loses nothing.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bgp::session::ConnId;
use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;

/// Octets read at a time: some two thousand routes, half a millisecond. With twice as much a tenth
/// more memory stays behind in the holes between what the tables keep; with half of it the tables
/// have less to pack.
const READ_SIZE: usize = 32 * 1024;

/// Octets of the first read of a burst, doubled with each one that is full: when ten neighbours
/// begin at once, an eleventh hears of the first route after ten of these.
const READ_FIRST: usize = 4 * 1024;

/// Pieces written by one system call.
const SLICES: usize = 64;

/// How long a closed connection may take to get its last octets (a NOTIFICATION) across.
const LINGER: Duration = Duration::from_secs(1);

/// What waits to be written.
#[derive(Debug)]
enum Outgoing {
    Bytes(Bytes),
    /// All of a batch stands before this mark.
    EndOfBatch {
        octets: usize,
        messages: usize,
    },
}

/// What a write achieved.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Octets handed to the kernel.
    pub(super) octets: usize,
    /// Size and number of messages of each batch that is out.
    pub(super) batches: Vec<(usize, usize)>,
    /// The connection is broken.
    pub(super) error: Option<io::Error>,
}

#[derive(Debug)]
pub(super) struct Connection {
    id: ConnId,
    stream: TcpStream,
    read_size: usize,
    outgoing: VecDeque<Outgoing>,
    waiting: usize,
    /// Set when closed: until then the rest may go out.
    give_up_at: Option<Instant>,
    half_closed: bool,
}

impl Connection {
    pub(super) fn new(id: ConnId, stream: TcpStream) -> Self {
        // Messages leave at once; packing is done in the tables. Without it they are only later.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        Self {
            id,
            stream,
            read_size: READ_FIRST,
            outgoing: VecDeque::new(),
            waiting: 0,
            give_up_at: None,
            half_closed: false,
        }
    }

    pub(super) fn id(&self) -> ConnId {
        self.id
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Our own end, and the neighbour's.
    pub(super) fn ends(&self) -> Option<[SocketAddr; 2]> {
        let local = self.stream.local_addr().ok()?;
        Some([local, self.stream.peer_addr().ok()?])
    }

    /// Octets not yet with the kernel.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.waiting += bytes.len();
        self.outgoing.push_back(Outgoing::Bytes(bytes));
    }

    /// `octets` is what the batch counts against the window, also where less is written.
    pub(super) fn push_batch(
        &mut self,
        pieces: impl Iterator<Item = Bytes>,
        octets: usize,
        messages: usize,
    ) {
        pieces.for_each(|piece| self.push(piece));
        self.outgoing
            .push_back(Outgoing::EndOfBatch { octets, messages });
    }

    /// Octets that have arrived; empty at the end of the stream, `None` if there is nothing now.
    pub(super) fn read(&mut self) -> io::Result<Option<BytesMut>> {
        let mut buffer = BytesMut::with_capacity(self.read_size);
        match self.stream.try_read_buf(&mut buffer) {
            Ok(octets) => {
                self.read_size = match octets < self.read_size {
                    true => READ_FIRST,
                    false => (self.read_size * 2).min(READ_SIZE),
                };
                Ok(Some(buffer))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes as much as the kernel takes.
    pub(super) fn write(&mut self) -> Progress {
        let mut progress = Progress::default();
        loop {
            self.pass_marks(&mut progress);
            if self.waiting == 0 {
                return progress;
            }
            let slices: Vec<IoSlice<'_>> = self
                .outgoing
                .iter()
                .filter_map(|outgoing| match outgoing {
                    Outgoing::Bytes(bytes) => Some(IoSlice::new(bytes)),
                    Outgoing::EndOfBatch { .. } => None,
                })
                .take(SLICES)
                .collect();
            match self.stream.try_write_vectored(&slices) {
                Ok(count) => {
                    progress.octets += count;
                    self.waiting -= count;
                    self.advance(count, &mut progress);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return progress,
                Err(error) => {
                    progress.error = Some(error);
                    return progress;
                }
            }
        }
    }

    /// Takes `count` written octets off the queue.
    fn advance(&mut self, mut count: usize, progress: &mut Progress) {
        while count > 0 {
            self.pass_marks(progress);
            let Some(Outgoing::Bytes(bytes)) = self.outgoing.front_mut() else {
                return;
            };
            let taken = bytes.len().min(count);
            bytes.advance(taken);
            count -= taken;
            if bytes.is_empty() {
                self.outgoing.pop_front();
            }
        }
    }

    fn pass_marks(&mut self, progress: &mut Progress) {
        while let Some(Outgoing::EndOfBatch { octets, messages }) = self.outgoing.front() {
            progress.batches.push((*octets, *messages));
            self.outgoing.pop_front();
        }
    }

    /// Ends the sending side once everything is out. Closing at once would let the kernel reset
    /// the connection while the neighbour still has octets on the way to us, and with it lose our
    /// NOTIFICATION. True if there is nothing to wait for.
    pub(super) fn start_closing(&mut self, now: Instant) -> bool {
        self.give_up_at = Some(now + LINGER);
        self.finish(now)
    }

    /// Goes on closing; true when done.
    pub(super) fn finish(&mut self, now: Instant) -> bool {
        if self.give_up_at() <= now || self.write().error.is_some() {
            return true;
        }
        if self.waiting == 0 && !self.half_closed {
            self.half_closed = true;
            let shutdown =
                socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write);
            if shutdown.is_err() {
                return true;
            }
        }
        loop {
            match self.read() {
                // What a neighbour still says on a closed connection is of no interest.
                Ok(Some(bytes)) if !bytes.is_empty() => {}
                Ok(None) => return false,
                Ok(Some(_)) | Err(_) => return true,
            }
        }
    }

    pub(super) fn give_up_at(&self) -> Instant {
        self.give_up_at.unwrap_or_else(Instant::now)
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }
}
