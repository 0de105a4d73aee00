//! One bridge port's packet socket, and waiting for many of them.
//!
//! The socket is bound to the port and not to the bridge: what comes in here was sent by a station
//! on this side, whatever the bridge thinks of its address, and answers between two stations are
//! seen although they do not concern the host. A filter in the kernel lets nothing through but ARP,
//! RARP and neighbour discovery without a VLAN tag, so other traffic costs a few instructions a
//! frame; what leaves through the port is not looked at.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use socket2::{Domain, SockFilter, Socket, Type};

use super::frame::{ADVERTISEMENT, ARP, ICMPV6, IPV6, RARP, SOLICITATION};

/// Octets of a frame that are read: a solicitation or advertisement has at most a few options.
pub(super) const FRAME_MAX: usize = KEPT as usize;
const KEPT: u32 = 256;

/// Frames of a port that wait in the kernel are worth this much memory at most; more are dropped.
const WAITING_MAX: usize = 128 << 10;

/// `linux/if_packet.h`.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// What has come in on a port.
#[derive(Debug)]
pub(super) struct Port(Socket);

impl Port {
    /// Listens on the device with this number.
    pub(super) fn open(index: u32) -> io::Result<Self> {
        // Protocol 0 hears nothing yet: the filter stands before the first frame comes.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter())?;
        socket.set_recv_buffer_size(WAITING_MAX)?;
        ignore_outgoing(&socket)?;
        bind(&socket, index)?;
        Ok(Self(socket))
    }

    /// The next frame; an error of kind `WouldBlock` when there is none.
    pub(super) fn receive<'a>(&mut self, buffer: &'a mut [u8; FRAME_MAX]) -> io::Result<&'a [u8]> {
        let length = io::Read::read(&mut self.0, buffer)?;
        Ok(buffer.get(..length).unwrap_or_default())
    }

    /// Sends a frame out of the port.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame).map(drop)
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn ignore_outgoing(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` lives; the value is a C int of that length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            length,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn bind(socket: &Socket, index: u32) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is a plain C struct for which all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    // Before the bridge takes a frame only those hear it that hear everything.
    let all = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?;
    address.sll_protocol = all.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>());
    let length = length.map_err(io::Error::other)?;
    // SAFETY: `address` is a socket address of that length and outlives the call.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An instruction of classic BPF: what to do, how many to skip if so and if not, a value.
type Instruction = (u16, u8, u8, u32);

/// `linux/filter.h`: loads from here on are of what the kernel knows of the frame.
const KNOWN: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = KNOWN + 4;
const HAS_VLAN_TAG: u32 = KNOWN + 48;
/// `linux/if_packet.h`: a frame of our own that leaves.
const OUTGOING: u32 = 4;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const EQUAL: u16 = 0x15;
const KEEP: u16 = 0x06;

/// Classic BPF over an Ethernet frame: how many octets of it to keep.
const FILTER: [Instruction; 15] = [
    (LOAD_HALF, 0, 0, 12),
    (EQUAL, 7, 0, ARP as u32),
    (EQUAL, 6, 0, RARP as u32),
    (EQUAL, 0, 10, IPV6 as u32),
    (LOAD_BYTE, 0, 0, 20),
    (EQUAL, 0, 8, ICMPV6 as u32),
    (LOAD_BYTE, 0, 0, 54),
    (EQUAL, 1, 0, SOLICITATION as u32),
    (EQUAL, 0, 5, ADVERTISEMENT as u32),
    (LOAD_BYTE, 0, 0, HAS_VLAN_TAG),
    (EQUAL, 0, 3, 0),
    (LOAD_BYTE, 0, 0, PACKET_TYPE),
    (EQUAL, 1, 0, OUTGOING),
    (KEEP, 0, 0, KEPT),
    (KEEP, 0, 0, 0),
];

fn filter() -> [SockFilter; FILTER.len()] {
    FILTER.map(|(code, yes, no, value)| SockFilter::new(code, yes, no, value))
}

/// Waits for many descriptors.
#[derive(Debug)]
pub(super) struct Poll(OwnedFd);

/// Descriptors that are looked at after one wait.
const READY_MAX: usize = 64;

impl Poll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor has just been made, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Waits for this one, too, under a number of the caller's. A closed descriptor is forgotten.
    pub(super) fn add(&self, fd: RawFd, number: u64) -> io::Result<()> {
        let events = u32::try_from(libc::EPOLLIN).map_err(io::Error::other)?;
        let mut event = libc::epoll_event {
            events,
            u64: number,
        };
        // SAFETY: `event` outlives the call.
        let result = unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The numbers of those that are readable, after `time` at the latest.
    pub(super) fn wait(&self, time: Option<Duration>) -> io::Result<Vec<u64>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; READY_MAX];
        let time = time.map_or(-1, |time| {
            i32::try_from(time.as_millis().saturating_add(1)).unwrap_or(i32::MAX)
        });
        let count = i32::try_from(READY_MAX).map_err(io::Error::other)?;
        // SAFETY: `events` has room for that many and outlives the call.
        let ready =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), count, time) };
        let ready = usize::try_from(ready).map_err(|_| io::Error::last_os_error())?;
        Ok(events.iter().take(ready).map(|event| event.u64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter keeps of a frame, worked out as the kernel does.
    fn kept(frame: &[u8], tagged: u32, packet_type: u32) -> u32 {
        let octet = |at: usize| frame.get(at).copied().map(u32::from);
        let (mut at, mut value) = (0, 0);
        loop {
            let (code, yes, no, operand) = FILTER[at];
            at += 1;
            match (code, operand) {
                (LOAD_BYTE, HAS_VLAN_TAG) => value = tagged,
                (LOAD_BYTE, PACKET_TYPE) => value = packet_type,
                (LOAD_BYTE, place) => match octet(place as usize) {
                    Some(octet) => value = octet,
                    None => return 0,
                },
                (LOAD_HALF, place) => match (octet(place as usize), octet(place as usize + 1)) {
                    (Some(high), Some(low)) => value = high << 8 | low,
                    _ => return 0,
                },
                (EQUAL, operand) => at += usize::from(if value == operand { yes } else { no }),
                (KEEP, octets) => return octets,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_filter_keeps_arp_and_neighbour_discovery_and_nothing_else() {
        let frame = |kind: u16, next: u8, message: u8| {
            let mut frame = vec![0; 78];
            frame[12..14].copy_from_slice(&kind.to_be_bytes());
            (frame[20], frame[54]) = (next, message);
            frame
        };
        for (kind, next, message, wanted) in [
            (ARP, 0, 0, true),
            (RARP, 0, 0, true),
            (IPV6, ICMPV6, SOLICITATION, true),
            (IPV6, ICMPV6, ADVERTISEMENT, true),
            (IPV6, ICMPV6, 128, false),
            (IPV6, ICMPV6, 134, false),
            (IPV6, 17, SOLICITATION, false),
            (0x0800, ICMPV6, SOLICITATION, false),
            (0x8100, ICMPV6, SOLICITATION, false),
        ] {
            let frame = frame(kind, next, message);
            let expected = if wanted { 256 } else { 0 };
            assert_eq!(kept(&frame, 0, 0), expected, "{kind:#x} {next} {message}");
            assert_eq!(kept(&frame, 0, 2), expected, "{kind:#x} {next} {message}");
            assert_eq!(kept(&frame, 1, 0), 0, "with a VLAN tag");
            assert_eq!(kept(&frame, 0, OUTGOING), 0, "our own");
        }
        assert_eq!(kept(&frame(IPV6, ICMPV6, SOLICITATION)[..54], 0, 0), 0);
    }

    #[test]
    fn the_filter_is_one_that_the_kernel_takes() {
        let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
        socket.attach_filter(&filter()).unwrap();
    }

    #[test]
    fn what_is_readable_is_named_and_what_is_closed_is_forgotten() {
        let poll = Poll::new().unwrap();
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        poll.add(one.as_raw_fd(), 7).unwrap();
        let at_once = Some(Duration::ZERO);
        assert_eq!(poll.wait(at_once).unwrap(), [0; 0]);
        io::Write::write_all(&mut &other, b"x").unwrap();
        assert_eq!(poll.wait(at_once).unwrap(), [7]);
        drop(one);
        assert_eq!(poll.wait(at_once).unwrap(), [0; 0]);
    }
}
