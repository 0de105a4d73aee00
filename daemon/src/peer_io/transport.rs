//! How a neighbour's TCP connections are made: source, TTL and shared secret.
//!
//! A [`Transport`] is applied to the socket that connects and to each connection that was
//! accepted. The keys of TCP's MD5 signature (RFC 2385) and of its authentication option (RFC 5925)
//! also stand on the listening sockets: the kernel checks them before there is a connection, so a
//! neighbour with a wrong one gets no answer at all. What the kernel dropped for that reason it only
//! counts for the whole host ([`md5_drops`], [`ao_drops`]).
//!
//! Nothing here knows a session.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use bgp::Prefix;
use bgp::session::Side;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::config::{AoAlgorithm, Password, Signing};

mod ao;

pub(crate) use ao::AoDrops;

/// How the connections of one neighbour are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transport {
    /// The address we connect from.
    pub(crate) local: Option<IpAddr>,
    /// The interface whose address we connect from.
    pub(crate) interface: Option<String>,
    /// The VRF device that we connect in.
    pub(crate) vrf: Option<String>,
    /// TTL of our packets.
    pub(crate) ttl: u8,
    /// Packets with less are not the neighbour's (RFC 5082 §3).
    pub(crate) min_ttl: Option<u8>,
    /// What signs segments.
    pub(crate) signing: Option<Signing>,
    /// Whom the keys of a connection that was accepted stand for: a host, or the whole network
    /// that it is from.
    pub(crate) signed: Prefix,
    /// The network around a host whose keys such a connection has as well.
    pub(crate) within: Option<Prefix>,
}

impl Transport {
    /// Readies a socket that is to connect to `remote`, and says from which address.
    pub(crate) fn prepare(
        &self,
        socket: &impl AsFd,
        remote: IpAddr,
    ) -> io::Result<Option<SocketAddr>> {
        self.limit(socket, remote.is_ipv4())?;
        if let Some(vrf) = &self.vrf {
            SockRef::from(socket).bind_device(Some(vrf.as_bytes()))?;
        }
        sign(socket, Prefix::host(remote), None, self.signing.as_ref())?;
        let local = match (&self.local, &self.interface) {
            (Some(local), _) => Some(*local),
            (None, Some(interface)) => Some(address_of(interface, remote.is_ipv4())?),
            (None, None) => None,
        };
        Ok(local.map(|local| SocketAddr::new(local, 0)))
    }

    /// Readies a connection that was accepted. Its first packet came before the limit on TTL
    /// stood, so it is looked at here.
    pub(crate) fn adopt(&self, socket: &impl AsFd, remote: IpAddr) -> io::Result<()> {
        self.limit(socket, remote.is_ipv4())?;
        self.adopt_keys(socket, remote)?;
        let Some(least) = self.min_ttl else {
            return Ok(());
        };
        match first_ttl(socket)? {
            Some(ttl) if ttl < least => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("it came with TTL {ttl}, and {least} is the least (RFC 5082 §3)"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Has a connection that was accepted be signed as it is to be now. The kernel gave it the keys
    /// of the listening socket at its handshake, which may have been before they changed: with a
    /// password that is no longer the one it falls silent, and the neighbour's next one takes its
    /// place.
    fn adopt_keys(&self, socket: &impl AsFd, remote: IpAddr) -> io::Result<()> {
        let host = Prefix::host(remote);
        match &self.signing {
            Some(Signing::Ao(keys)) => ao::prefer(socket, keys),
            Some(Signing::Md5(password)) => set_md5_key(socket, host, Some(password)),
            None => set_md5_key(socket, host, None),
        }
    }

    /// Whether a connection that was made like this may stand when the next ones are made like
    /// `other`: only keys have come or gone, and one is in both.
    pub(crate) fn carries_over(&self, other: &Self) -> bool {
        let unsigned = |it: &Self| Self {
            signing: None,
            ..it.clone()
        };
        // Only keys of TCP-AO know for whom they stand.
        let place = |it: &Self| matches!(it.signing, Some(Signing::Ao(_))).then_some(it.signed);
        let (before, after) = (unsigned(self), unsigned(other));
        let same = Self {
            signed: after.signed,
            within: after.within,
            ..before
        } == after;
        same && place(self) == place(other)
            && Signing::rolls_over(self.signing.as_ref(), other.signing.as_ref())
    }

    /// Whether a socket that connects is made alike for both: it knows nothing of networks.
    pub(crate) fn connects_like(&self, other: &Self) -> bool {
        let apart = |it: &Self| Self {
            signed: other.signed,
            within: None,
            ..it.clone()
        };
        apart(self) == apart(other)
    }

    /// Gives a connection that stands the keys of the next ones ([`Transport::carries_over`]).
    pub(crate) fn roll_over(
        &self,
        socket: &impl AsFd,
        side: Side,
        remote: IpAddr,
        next: &Self,
    ) -> io::Result<()> {
        let (Some(Signing::Ao(before)), Some(Signing::Ao(after))) = (&self.signing, &next.signing)
        else {
            return Ok(());
        };
        let (of, around) = self.places(side, remote, next);
        ao::roll_over(socket, of, &around, before, after)
    }

    /// For whom keys are added on a connection, and the networks for which some may stand there.
    fn places(&self, side: Side, remote: IpAddr, next: &Self) -> (Prefix, Vec<Prefix>) {
        match side {
            Side::Outgoing => (Prefix::host(remote), Vec::new()),
            Side::Incoming => {
                let around = self.within.into_iter().chain(next.within);
                (self.signed, around.collect())
            }
        }
    }

    fn limit(&self, socket: &impl AsFd, v4: bool) -> io::Result<()> {
        set_ttl(socket, v4, self.ttl)?;
        match self.min_ttl {
            Some(ttl) if v4 => set_int(socket, libc::IPPROTO_IP, libc::IP_MINTTL, ttl.into()),
            Some(ttl) => set_int(
                socket,
                libc::IPPROTO_IPV6,
                libc::IPV6_MINHOPCOUNT,
                ttl.into(),
            ),
            None => Ok(()),
        }
    }
}

/// TTL, or hop limit, of what a socket sends.
pub(crate) fn set_ttl(socket: &impl AsFd, v4: bool, ttl: u8) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if v4 {
        socket.set_ttl_v4(ttl.into())
    } else {
        socket.set_unicast_hops_v6(ttl.into())
    }
}

/// Has the kernel keep the first packet of every connection until it is accepted.
pub(crate) fn keep_first_packets(listener: &impl AsFd) -> io::Result<()> {
    set_int(listener, libc::IPPROTO_TCP, libc::TCP_SAVE_SYN, 1)
}

/// TTL of the first packet of a connection that was accepted, if it was kept.
fn first_ttl(socket: &impl AsFd) -> io::Result<Option<u8>> {
    // Both IP versions have it within the first nine octets (RFC 791 §3.1, RFC 8200 §3).
    let mut packet = [0_u8; 128];
    let mut length = libc::socklen_t::try_from(packet.len()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel writes at most
    // `length` octets to the buffer and the number of them to `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SAVED_SYN,
            (&raw mut packet).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let written = usize::try_from(length).unwrap_or(0);
    let packet = packet.get(..written).unwrap_or(&[]);
    let at = match packet.first().map(|first| first >> 4) {
        Some(4) => 8,
        Some(6) => 7,
        _ => return Ok(None),
    };
    Ok(packet.get(at).copied())
}

/// Changes what signs the segments of a host or, on a listening socket, of a whole network.
pub(crate) fn sign(
    socket: &impl AsFd,
    peer: Prefix,
    before: Option<&Signing>,
    after: Option<&Signing>,
) -> io::Result<()> {
    match (before, after) {
        (Some(Signing::Ao(before)), Some(Signing::Ao(after))) => {
            ao::replace(socket, peer, before, after)
        }
        (before, after) => {
            match before {
                // Another password takes the place of the one that stands.
                Some(Signing::Md5(_)) if matches!(after, Some(Signing::Md5(_))) => {}
                Some(Signing::Md5(_)) => set_md5_key(socket, peer, None)?,
                Some(Signing::Ao(keys)) => ao::forget(socket, peer, keys.keys())?,
                None => {}
            }
            match after {
                Some(Signing::Md5(password)) => set_md5_key(socket, peer, Some(password)),
                Some(Signing::Ao(keys)) => ao::add(socket, peer, keys),
                None => Ok(()),
            }
        }
    }
}

/// Whether the kernel knows TCP's authentication option (RFC 5925), with this algorithm.
pub(crate) fn ao_works(algorithm: AoAlgorithm) -> io::Result<()> {
    ao::works(algorithm)
}

/// Whether the kernel knows TCP's MD5 signature at all.
pub(crate) fn md5_works() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let nobody = Prefix::host(IpAddr::from([192, 0, 2, 1]));
    match Password::new("probe") {
        Some(password) => set_md5_key(&socket, nobody, Some(&password)),
        None => Ok(()),
    }
}

/// Sets the key for connections with a host or, on a listening socket, a whole network; `None`
/// takes it away.
fn set_md5_key(socket: &impl AsFd, peer: Prefix, password: Option<&Password>) -> io::Result<()> {
    let key = password.map_or(&[][..], Password::as_bytes);
    let whole = peer.len() == if peer.addr().is_ipv4() { 32 } else { 128 };
    let mut request = Md5Sig {
        address: storage(peer.addr()),
        flags: if whole { 0 } else { FLAG_PREFIX },
        prefix_len: if whole { 0 } else { peer.len() },
        key_len: u16::try_from(key.len()).map_err(io::Error::other)?,
        interface: 0,
        key: [0; Password::LENGTH_MAX],
    };
    for (to, from) in request.key.iter_mut().zip(key) {
        *to = *from;
    }
    // The older option does not know networks (Linux before 4.13).
    let option = if whole {
        libc::TCP_MD5SIG
    } else {
        libc::TCP_MD5SIG_EXT
    };
    let length = libc::socklen_t::try_from(size_of::<Md5Sig>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the value is a
    // `struct tcp_md5sig` (linux/tcp.h) of that length, of which every octet is initialised.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            (&raw const request).cast(),
            length,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // There was none to take away, or there can be none.
        Some(libc::ENOENT | libc::ENOPROTOOPT) if password.is_none() => Ok(()),
        Some(libc::ENOPROTOOPT) => Err(explained(
            &error,
            "this kernel has no TCP MD5 signatures (CONFIG_TCP_MD5SIG)",
        )),
        Some(libc::ENOMEM) => Err(explained(
            &error,
            "the kernel takes no more keys: raise net.core.optmem_max",
        )),
        _ => Err(error),
    }
}

/// An address without port as the kernel takes it.
fn storage(address: IpAddr) -> libc::sockaddr_storage {
    let address = SockAddr::from(SocketAddr::new(address, 0));
    // SAFETY: `SockAddr` keeps any address in a whole `sockaddr_storage`, of which its storage
    // type is a transparent wrapper.
    unsafe { address.as_ptr().cast::<libc::sockaddr_storage>().read() }
}

fn explained(error: &io::Error, why: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{why}: {error}"))
}

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct Md5Sig {
    address: libc::sockaddr_storage,
    flags: u8,
    prefix_len: u8,
    key_len: u16,
    interface: libc::c_int,
    key: [u8; Password::LENGTH_MAX],
}

/// `TCP_MD5SIG_FLAG_PREFIX`.
const FLAG_PREFIX: u8 = 1;

fn set_int(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the value is a C int of
    // that length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The first address of an interface that is valid beyond its link.
fn address_of(interface: &str, v4: bool) -> io::Result<IpAddr> {
    let version = if v4 { "IPv4" } else { "IPv6" };
    addresses()?
        .into_iter()
        .filter(|(name, address)| name == interface && address.is_ipv4() == v4)
        .map(|(_, address)| address)
        .find(|address| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
        .ok_or_else(|| {
            let text = format!("interface `{interface}` has no {version} address to connect from");
            io::Error::new(io::ErrorKind::AddrNotAvailable, text)
        })
}

/// Every address of this host with the name of its interface.
fn addresses() -> io::Result<Vec<(String, IpAddr)>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `list` is a place for the pointer that the function gives out.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: the function gives a list of valid nodes that ends with null; they live until
    // `freeifaddrs`, which is called once, behind the last use.
    while let Some(node) = unsafe { next.as_ref() } {
        next = node.ifa_next;
        // SAFETY: the name is a C string of the node.
        let name = unsafe { CStr::from_ptr(node.ifa_name) };
        // SAFETY: the address is null or a socket address as its family says, of the node.
        let address = unsafe { node.ifa_addr.as_ref() }.and_then(|it| unsafe { ip_address(it) });
        if let Some(address) = address {
            found.push((name.to_string_lossy().into_owned(), address));
        }
    }
    // SAFETY: made by `getifaddrs` above and not freed before.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// # Safety
///
/// `address` must be the beginning of a whole socket address of its family.
unsafe fn ip_address(address: &libc::sockaddr) -> Option<IpAddr> {
    match i32::from(address.sa_family) {
        libc::AF_INET => {
            let address: *const libc::sockaddr_in = std::ptr::from_ref(address).cast();
            // SAFETY: the caller says that the address is whole, and the family that it is this.
            let address = unsafe { address.read_unaligned() };
            Some(IpAddr::from(address.sin_addr.s_addr.to_ne_bytes()))
        }
        libc::AF_INET6 => {
            let address: *const libc::sockaddr_in6 = std::ptr::from_ref(address).cast();
            // SAFETY: the caller says that the address is whole, and the family that it is this.
            let address = unsafe { address.read_unaligned() };
            Some(IpAddr::from(address.sin6_addr.s6_addr))
        }
        _ => None,
    }
}

/// Segments that this host has dropped since it was started, because of their MD5 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Md5Drops {
    /// The signature was there and wrong.
    pub(crate) wrong: u64,
    /// There was none where we have a password.
    pub(crate) missing: u64,
    /// There was one where we have no password.
    pub(crate) unexpected: u64,
}

/// What the kernel has counted; `None` where it does not tell.
pub(crate) fn md5_drops() -> Option<Md5Drops> {
    parse_md5_drops(&counters()?)
}

/// The same for TCP-AO.
pub(crate) fn ao_drops() -> Option<AoDrops> {
    ao::parse_drops(&counters()?)
}

fn counters() -> Option<String> {
    std::fs::read_to_string("/proc/net/netstat").ok()
}

fn parse_md5_drops(text: &str) -> Option<Md5Drops> {
    Some(Md5Drops {
        wrong: counter(text, "TCPMD5Failure")?,
        missing: counter(text, "TCPMD5NotFound")?,
        unexpected: counter(text, "TCPMD5Unexpected")?,
    })
}

/// Two lines for each protocol: names, then values.
fn counter(text: &str, wanted: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
}

#[cfg(test)]
mod tests;
