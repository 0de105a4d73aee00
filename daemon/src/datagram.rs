//! One datagram with what the kernel says of it: TTL, destination and interface, where the socket asks
//! for them; and the same the other way, for one that leaves.
//!
//! Sockets, ports and what a datagram means belong to the caller.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socket2::{MaybeUninitSlice, MsgHdr, MsgHdrMut, SockAddr, Socket};

/// Room for control messages: TTL and interface need a quarter of it.
const CONTROL_MAX: usize = 256;

/// A datagram.
#[derive(Debug)]
pub(crate) struct Datagram<'a> {
    /// Who has sent it.
    pub(crate) from: Option<SocketAddr>,
    /// Its octets, as many as there was room for.
    pub(crate) payload: &'a [u8],
    /// What the kernel says of it.
    pub(crate) told: Told,
}

impl<'a> Datagram<'a> {
    /// The next datagram, or an error of kind `WouldBlock`. The buffer must be made of
    /// `MaybeUninit::new(0)`.
    pub(crate) fn receive<const N: usize>(
        socket: &Socket,
        buffer: &'a mut [MaybeUninit<u8>; N],
    ) -> io::Result<Self> {
        let mut control = [MaybeUninit::new(0); CONTROL_MAX];
        let mut source = SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
        let mut parts = [MaybeUninitSlice::new(buffer)];
        let mut message = MsgHdrMut::new()
            .with_addr(&mut source)
            .with_buffers(&mut parts)
            .with_control(&mut control);
        let length = socket.recvmsg(&mut message, 0)?;
        let control_length = message.control_len();
        Ok(Self {
            told: Told::read(initialized(&control, control_length)),
            from: source.as_socket(),
            payload: initialized(buffer, length),
        })
    }
}

/// The first `length` bytes of a buffer that was zeroed when it was made.
fn initialized<const N: usize>(buffer: &[MaybeUninit<u8>; N], length: usize) -> &[u8] {
    let used = buffer.get(..length).unwrap_or(buffer);
    // SAFETY: every caller's array is made of `MaybeUninit::new(0)` and only ever written by the
    // kernel, so all its bytes are initialized; `MaybeUninit<u8>` has the layout of `u8`.
    unsafe { std::slice::from_raw_parts(used.as_ptr().cast::<u8>(), used.len()) }
}

/// Sends a datagram of which the caller says what the kernel would choose otherwise.
pub(crate) fn send(
    socket: &Socket,
    from: Leaving,
    to: SocketAddr,
    payload: &[u8],
) -> io::Result<()> {
    let (to, control) = (SockAddr::from(to), from.control());
    let parts = [IoSlice::new(payload)];
    let message = MsgHdr::new()
        .with_addr(&to)
        .with_buffers(&parts)
        .with_control(&control);
    socket.sendmsg(&message, 0).map(drop)
}

/// Where a datagram leaves, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    /// Its source.
    pub(crate) source: IpAddr,
    /// The number of the interface.
    pub(crate) interface: u32,
    /// TTL or hop limit.
    pub(crate) ttl: u8,
}

impl Leaving {
    /// As [`Told::read`] reads it: the interface and, twice for IPv4, the source; then the TTL.
    fn control(self) -> Vec<u8> {
        let ttl = i32::from(self.ttl).to_ne_bytes();
        let index = self.interface.to_ne_bytes();
        let (level, kinds, place) = match self.source {
            IpAddr::V4(source) => {
                let source = source.octets();
                let place = [index.as_slice(), &source, &source].concat();
                (libc::IPPROTO_IP, [libc::IP_PKTINFO, libc::IP_TTL], place)
            }
            IpAddr::V6(source) => {
                let kinds = [libc::IPV6_PKTINFO, libc::IPV6_HOPLIMIT];
                let place = [source.octets().as_slice(), &index].concat();
                (libc::IPPROTO_IPV6, kinds, place)
            }
        };
        let [where_, how] = kinds;
        let mut control = message(level, where_, &place);
        control.extend(message(level, how, &ttl));
        control
    }
}

/// A control message as the kernel lays it out.
fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let length = size_of::<libc::cmsghdr>() + data.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(length.next_multiple_of(size_of::<usize>()), 0);
    bytes
}

/// What control messages tell of a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// TTL or hop limit.
    pub(crate) ttl: Option<u8>,
    /// Number of the interface.
    pub(crate) interface: Option<u32>,
    /// The destination.
    pub(crate) local: Option<IpAddr>,
}

impl Told {
    /// Walks over the control messages, each a header (length, level, type) and its data, aligned
    /// to a machine word (cmsg(3)).
    fn read(mut control: &[u8]) -> Self {
        const HEADER: usize = size_of::<libc::cmsghdr>();
        let mut told = Self::default();
        while let Some((length, level, kind)) = header(control) {
            let Some(data) = control.get(HEADER..length) else {
                break;
            };
            match (level, kind) {
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    told.ttl = i32_at(data, 0).and_then(|ttl| u8::try_from(ttl).ok());
                }
                // struct in_pktinfo starts with the interface, the address to answer from and that
                // of the packet; struct in6_pktinfo has the interface after the address.
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    told.interface = interface_at(data, 0);
                    told.local = octets_at::<4>(data, 8).map(IpAddr::from);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    told.interface = interface_at(data, 16);
                    told.local = octets_at::<16>(data, 0).map(IpAddr::from);
                }
                _ => {}
            }
            let Some(rest) = control.get(length.next_multiple_of(size_of::<usize>())..) else {
                break;
            };
            control = rest;
        }
        told
    }
}

fn header(control: &[u8]) -> Option<(usize, i32, i32)> {
    const WORD: usize = size_of::<usize>();
    let length = usize::from_ne_bytes(*control.first_chunk::<WORD>()?);
    let level = i32_at(control, WORD)?;
    let kind = i32_at(control, WORD + 4)?;
    Some((length, level, kind))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    octets_at(bytes, at).map(i32::from_ne_bytes)
}

fn octets_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn interface_at(data: &[u8], at: usize) -> Option<u32> {
    i32_at(data, at).and_then(|index| u32::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::message as control;

    #[test]
    fn what_is_said_of_a_datagram_that_leaves_is_what_is_read() {
        for source in ["192.0.2.1", "2001:db8::1"].map(|it| it.parse::<IpAddr>().unwrap()) {
            let leaving = Leaving {
                source,
                interface: 7,
                ttl: 254,
            };
            let told = Told {
                ttl: Some(254),
                interface: Some(7),
                local: Some(source),
            };
            assert_eq!(Told::read(&leaving.control()), told);
        }
    }

    #[test]
    fn control_messages_tell_ttl_interface_and_destination() {
        let mut v4 = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
        let mut info = 7i32.to_ne_bytes().to_vec();
        info.extend([192, 0, 2, 9, 192, 0, 2, 1]);
        v4.extend(control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info));
        let mut v6 = control(
            libc::IPPROTO_IPV6,
            libc::IPV6_HOPLIMIT,
            &255i32.to_ne_bytes(),
        );
        let mut info = vec![0xfe; 16];
        info.extend(7i32.to_ne_bytes());
        v6.extend(control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info));
        let told = |local: &str| Told {
            ttl: Some(255),
            interface: Some(7),
            local: Some(local.parse().unwrap()),
        };
        assert_eq!(Told::read(&v4), told("192.0.2.1"));
        let same = "fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe";
        assert_eq!(Told::read(&v6), told(same));
    }

    #[test]
    fn broken_control_messages_tell_nothing() {
        let whole = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
        for length in 0..20 {
            assert_eq!(
                Told::read(&whole[..length]),
                Told::default(),
                "{length} bytes"
            );
        }
        let zero_length = [0u8; 64];
        assert_eq!(Told::read(&zero_length), Told::default());
        let huge = [0xffu8; 64];
        assert_eq!(Told::read(&huge), Told::default());
    }
}
