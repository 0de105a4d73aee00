//! Keys of TCP's authentication option (RFC 5925), as Linux takes them since 6.7.
//!
//! A socket has several keys for an address. Of those, one signs what we send (*current*) and one
//! is named in each segment as the one that we would like to see (*rnext*). The other side then
//! takes that one if it has it, so naming the preferred key is all that a change of keys needs
//! (RFC 5925 §7.5): the key that signs what we send is the other side's wish in the same way.
//!
//! An accepted connection has copies of the listening socket's keys; what changes there later does
//! not change it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use bgp::Prefix;
use socket2::{Domain, Protocol, Socket, Type};

use super::{counter, explained, storage};
use crate::config::{AoAlgorithm, AoKey, Password, TcpAo};

/// Options of `IPPROTO_TCP` (linux/tcp.h).
const TCP_AO_ADD_KEY: libc::c_int = 38;
const TCP_AO_DEL_KEY: libc::c_int = 39;
const TCP_AO_INFO: libc::c_int = 40;

/// The first bits of the flags of each request: what it says of *current* and *rnext* counts.
const SET_CURRENT: u32 = bit(0);
const SET_RNEXT: u32 = bit(1);

/// C puts bit fields from the lowest bit on where the machine has the lowest octet first, and from
/// the highest on elsewhere.
const fn bit(number: u32) -> u32 {
    if cfg!(target_endian = "little") {
        1 << number
    } else {
        1 << (31 - number)
    }
}

/// Whether the kernel takes a key with this algorithm.
pub(super) fn works(algorithm: AoAlgorithm) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let Some(secret) = Password::new("probe") else {
        return Ok(());
    };
    let key = AoKey {
        id: 0,
        recv_id: 0,
        secret,
        algorithm,
    };
    let nobody = Prefix::host([192, 0, 2, 1].into());
    set(&socket, TCP_AO_ADD_KEY, &AddKey::new(nobody, &key, 0))
}

/// Adds keys; the preferred one signs the first segment.
pub(super) fn add(socket: &impl AsFd, peer: Prefix, keys: &TcpAo) -> io::Result<()> {
    // A listening socket has no connection that one of them could be current of.
    let first = match is_listening(socket)? {
        true => 0,
        false => SET_CURRENT | SET_RNEXT,
    };
    for (at, key) in keys.keys().iter().enumerate() {
        let flags = if at == 0 { first } else { 0 };
        set(socket, TCP_AO_ADD_KEY, &AddKey::new(peer, key, flags))?;
    }
    Ok(())
}

/// Takes keys away from a listening socket.
pub(super) fn forget(socket: &impl AsFd, peer: Prefix, keys: &[AoKey]) -> io::Result<()> {
    for key in keys {
        remove(socket, &DelKey::new(peer, key))?;
    }
    Ok(())
}

/// Other keys on a listening socket.
pub(super) fn replace(
    socket: &impl AsFd,
    peer: Prefix,
    before: &TcpAo,
    after: &TcpAo,
) -> io::Result<()> {
    let (gone, new) = difference(before, after);
    for key in gone {
        remove(socket, &DelKey::new(peer, key))?;
    }
    for key in new {
        set(socket, TCP_AO_ADD_KEY, &AddKey::new(peer, key, 0))?;
    }
    Ok(())
}

/// Other keys on a connection that stands. Both must have one in common. A key that goes may also
/// stand for a network `around` the peer, from whose keys the connection has copies.
pub(super) fn roll_over(
    socket: &impl AsFd,
    peer: Prefix,
    around: &[Prefix],
    before: &TcpAo,
    after: &TcpAo,
) -> io::Result<()> {
    let (gone, new) = difference(before, after);
    let mut kept = after
        .keys()
        .iter()
        .filter(|key| before.keys().contains(key));
    let Some(kept) = kept.next() else {
        return Err(io::Error::other("no key is good before and after"));
    };
    let in_use = Info::of(socket)?;
    for key in gone {
        remove_somewhere(peer, around, |place| {
            let request = DelKey::in_use(place, key, &in_use, kept);
            set(socket, TCP_AO_DEL_KEY, &request).map_err(|error| (error, request.flags))
        })?;
    }
    for key in new {
        match set(socket, TCP_AO_ADD_KEY, &AddKey::new(peer, key, 0)) {
            // Accepted in this moment, when the listening socket had it already.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
    }
    prefer(socket, after)
}

/// Asks the other side of a connection to sign with the preferred key.
pub(super) fn prefer(socket: &impl AsFd, keys: &TcpAo) -> io::Result<()> {
    let Some(preferred) = keys.preferred() else {
        return Ok(());
    };
    let request = Info {
        flags: SET_RNEXT,
        rnext: preferred.recv_id,
        ..Info::default()
    };
    set(socket, TCP_AO_INFO, &request).map_err(|error| match error.raw_os_error() {
        // The kernel has no keys there: what came in while there were none is not signed.
        Some(libc::ENOENT) => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is not signed with TCP-AO (RFC 5925)",
        ),
        _ => error,
    })
}

/// Keys of `before` alone, and of `after` alone.
fn difference<'a>(
    before: &'a TcpAo,
    after: &'a TcpAo,
) -> (
    impl Iterator<Item = &'a AoKey>,
    impl Iterator<Item = &'a AoKey>,
) {
    let gone = before
        .keys()
        .iter()
        .filter(|key| !after.keys().contains(key));
    let new = after
        .keys()
        .iter()
        .filter(|key| !before.keys().contains(key));
    (gone, new)
}

fn is_listening(socket: &impl AsFd) -> io::Result<bool> {
    socket2::SockRef::from(socket).is_listener()
}

/// `struct tcp_ao_add` of linux/tcp.h.
#[repr(C, align(8))]
struct AddKey {
    address: libc::sockaddr_storage,
    algorithm: [u8; 64],
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_len: u8,
    send_id: u8,
    receive_id: u8,
    mac_len: u8,
    key_flags: u8,
    key_len: u8,
    key: [u8; Password::LENGTH_MAX],
}

impl AddKey {
    fn new(peer: Prefix, key: &AoKey, flags: u32) -> Self {
        let (name, mac_len) = match key.algorithm {
            AoAlgorithm::HmacSha1 => ("hmac(sha1)", 12),
            // RFC 5926 §3.1.1.2: the kernel makes 128 bits of a secret of any length.
            AoAlgorithm::Aes128Cmac => ("cmac(aes128)", 12),
            AoAlgorithm::HmacSha256 => ("hmac(sha256)", 16),
            AoAlgorithm::HmacSha256Short => ("hmac(sha256)", 12),
        };
        let secret = key.secret.as_bytes();
        let mut request = Self {
            address: storage(peer.addr()),
            algorithm: [0; 64],
            interface: 0,
            flags,
            reserved: 0,
            prefix_len: peer.len(),
            send_id: key.id,
            receive_id: key.recv_id,
            mac_len,
            key_flags: 0,
            // A password has at most as many octets as there is room for.
            key_len: u8::try_from(secret.len()).unwrap_or(u8::MAX),
            key: [0; Password::LENGTH_MAX],
        };
        copy(&mut request.algorithm, name.as_bytes());
        copy(&mut request.key, secret);
        request
    }
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// `struct tcp_ao_del` of linux/tcp.h.
#[repr(C, align(8))]
struct DelKey {
    address: libc::sockaddr_storage,
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_len: u8,
    send_id: u8,
    receive_id: u8,
    current_key: u8,
    rnext: u8,
    key_flags: u8,
}

impl DelKey {
    fn new(peer: Prefix, key: &AoKey) -> Self {
        Self {
            address: storage(peer.addr()),
            interface: 0,
            flags: 0,
            reserved: 0,
            prefix_len: peer.len(),
            send_id: key.id,
            receive_id: key.recv_id,
            current_key: 0,
            rnext: 0,
            key_flags: 0,
        }
    }

    /// The kernel does not part with a key in use unless it is told of another one.
    fn in_use(peer: Prefix, key: &AoKey, in_use: &Info, kept: &AoKey) -> Self {
        let mut request = Self::new(peer, key);
        if in_use.current_key == key.id {
            request.flags |= SET_CURRENT;
            request.current_key = kept.id;
        }
        if in_use.rnext == key.recv_id {
            request.flags |= SET_RNEXT;
            request.rnext = kept.recv_id;
        }
        request
    }
}

/// `struct tcp_ao_info_opt` of linux/tcp.h.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy, Default)]
struct Info {
    flags: u32,
    reserved: u16,
    /// Number of the key that signs what we send.
    current_key: u8,
    /// Number of the key that we ask for.
    rnext: u8,
    counters: [u64; 5],
}

impl Info {
    /// Which keys a connection uses.
    fn of(socket: &impl AsFd) -> io::Result<Self> {
        let mut info = Self::default();
        let mut length = libc::socklen_t::try_from(size_of::<Self>()).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel reads and
        // writes a `struct tcp_ao_info_opt` of at most `length` octets, of which any are valid.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                TCP_AO_INFO,
                (&raw mut info).cast(),
                &raw mut length,
            )
        };
        match result {
            0 => Ok(info),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// A request of linux/tcp.h: made of numbers and addresses alone, without padding.
trait Request {}
impl Request for AddKey {}
impl Request for DelKey {}
impl Request for Info {}

/// A key that is not there is as good as one that was taken away.
fn remove(socket: &impl AsFd, request: &DelKey) -> io::Result<()> {
    match set(socket, TCP_AO_DEL_KEY, request) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Takes a key away where it stands first. That it stands nowhere is an error only if the request
/// also says what is to be used in its place: then that was not done either.
fn remove_somewhere(
    peer: Prefix,
    around: &[Prefix],
    mut remove: impl FnMut(Prefix) -> Result<(), (io::Error, u32)>,
) -> io::Result<()> {
    let mut missing = None;
    for place in std::iter::once(peer).chain(around.iter().copied()) {
        match remove(place) {
            Ok(()) => return Ok(()),
            Err((error, flags)) if error.raw_os_error() == Some(libc::ENOENT) => {
                missing = Some((error, flags));
            }
            Err((error, _)) => return Err(error),
        }
    }
    match missing {
        Some((error, flags)) if flags & (SET_CURRENT | SET_RNEXT) != 0 => Err(explained(
            &error,
            "a key in use is not among those that the connection was made with",
        )),
        Some(_) | None => Ok(()),
    }
}

fn set<R: Request>(socket: &impl AsFd, option: libc::c_int, request: &R) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<R>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the value is one of the
    // kernel's requests of that length, of which every octet is initialised.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            std::ptr::from_ref(request).cast(),
            length,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => explained(&error, "this kernel has no TCP-AO (CONFIG_TCP_AO)"),
        Some(libc::ENOENT) if option == TCP_AO_ADD_KEY => {
            explained(&error, "this kernel does not have the algorithm of a key")
        }
        Some(libc::EEXIST) if option == TCP_AO_ADD_KEY => explained(
            &error,
            "a key with the same `id` or `recv_id` stands for this address already, or for a \
             network that it is in (RFC 5925 §3.1)",
        ),
        Some(libc::ENOMEM) => explained(
            &error,
            "the kernel takes no more keys: raise net.core.optmem_max",
        ),
        _ => error,
    })
}

/// Segments that this host has dropped since it was started, because of TCP-AO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AoDrops {
    /// The signature was there and wrong.
    pub(crate) wrong: u64,
    /// Signed with a key that we do not have.
    pub(crate) unknown: u64,
    /// There was none where we have keys.
    pub(crate) missing: u64,
}

pub(super) fn parse_drops(text: &str) -> Option<AoDrops> {
    Some(AoDrops {
        wrong: counter(text, "TCPAOBad")?,
        unknown: counter(text, "TCPAOKeyNotFound")?,
        missing: counter(text, "TCPAORequired")?,
    })
}

#[cfg(test)]
mod tests;
