//! The kernel's WireGuard, through generic netlink (`linux/wireguard.h`, family `wireguard`
//! version 1).
//!
//! The encoding follows the header's layout and is tested against bytes laid out by hand; labs run it
//! against a kernel with WireGuard. The kernel carries a message out under its lock, prefix by
//! prefix, and each of them as one step for packets: a prefix that moves is at one peer or at the
//! other. What is to go is given to [`NOBODY`], since kernels before 6.16 take no single prefix away.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use ipnetwork::IpNetwork;
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_GENERIC};

use super::{Device, NOBODY, Peer, Plan, PublicKey, WireguardError};
use crate::netlink::message::{
    Builder, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    attributes, messages, u16_at, u32_at,
};

/// The controller's family, and its request for another's number.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const WG_CMD_GET_DEVICE: u8 = 0;
const WG_CMD_SET_DEVICE: u8 = 1;
const WG_VERSION: u8 = 1;

const WGDEVICE_A_IFNAME: u16 = 2;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_PUBLIC_KEY: u16 = 1;
const WGPEER_A_FLAGS: u16 = 3;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: u16 = 5;
const WGPEER_A_LAST_HANDSHAKE_TIME: u16 = 6;
const WGPEER_A_RX_BYTES: u16 = 7;
const WGPEER_A_TX_BYTES: u16 = 8;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const WGALLOWEDIP_A_FAMILY: u16 = 1;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;
const WGPEER_F_REMOVE_ME: u32 = 1 << 0;
const WGPEER_F_UPDATE_ONLY: u32 = 1 << 2;

const NLA_F_NESTED: u16 = 0x8000;

/// A nested attribute's length has 16 bits; an IPv6 prefix takes 40 bytes of it.
const PREFIXES_PER_MESSAGE: usize = 1000;

/// Somebody who changes the device does so for a moment.
const READINGS_MAX: usize = 5;

/// An interface of the kernel's.
pub struct InKernel {
    interface: String,
    socket: Socket,
    family: u16,
    sequence: u32,
}

impl InKernel {
    /// Opens a socket and asks for the family's number.
    ///
    /// # Errors
    ///
    /// [`WireguardError::NoFamily`] when the kernel has no WireGuard.
    pub fn open(interface: &str) -> Result<Self, WireguardError> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&NetlinkAddr::new(0, 0))?;
        let mut device = Self {
            interface: interface.to_owned(),
            socket,
            family: 0,
            sequence: 0,
        };
        device.family = device.find_family()?;
        Ok(device)
    }

    fn find_family(&mut self) -> Result<u16, WireguardError> {
        let mut request = Vec::new();
        self.sequence = self.sequence.wrapping_add(1);
        Builder::new(
            &mut request,
            GENL_ID_CTRL,
            NLM_F_REQUEST | NLM_F_ACK,
            self.sequence,
        )
        .bytes(&[CTRL_CMD_GETFAMILY, 1, 0, 0])
        .attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0")
        .finish();
        let mut family = None;
        let answer = self.ask(&request, |payload| {
            let found = attributes(payload).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID);
            family = family.or(found.and_then(|(_, value)| u16_at(value, 0)));
        });
        match answer {
            Ok(_) => family.ok_or(WireguardError::NoFamily),
            Err(WireguardError::Refused(libc::ENOENT)) => Err(WireguardError::NoFamily),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and gives each answer's payload, without the generic header. Whether the
    /// answers belong together: a dump is no picture of one moment when somebody changes the device
    /// meanwhile.
    fn ask(&self, request: &[u8], mut each: impl FnMut(&[u8])) -> Result<bool, WireguardError> {
        let mut whole = true;
        self.socket.send(request, 0)?;
        let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
        loop {
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            for message in messages(&buffer).filter(|m| m.sequence == self.sequence) {
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE | NLMSG_ERROR => {
                        let code = u32_at(message.payload(), 0).unwrap_or(0).cast_signed();
                        return match code.saturating_neg() {
                            0 => Ok(whole),
                            errno => Err(WireguardError::Refused(errno)),
                        };
                    }
                    _ => each(message.payload().get(4..).unwrap_or_default()),
                }
            }
        }
    }
}

impl Device for InKernel {
    fn peers(&mut self) -> Result<Vec<Peer>, WireguardError> {
        // What moves while it is read is with two peers or with none, and would be taken for the
        // operator's doing.
        for _ in 0..READINGS_MAX {
            self.sequence = self.sequence.wrapping_add(1);
            let request = get_request(self.family, self.sequence, &self.interface);
            let mut peers = Vec::new();
            if self.ask(&request, |payload| read_peers(payload, &mut peers))? {
                return Ok(peers);
            }
        }
        let error = format!("changes of somebody else in each of {READINGS_MAX} readings");
        Err(WireguardError::Answer(error))
    }

    fn apply(&mut self, plan: &Plan) -> Result<(), WireguardError> {
        for (key, prefixes) in &plan.add {
            self.set(*key, WGPEER_F_UPDATE_ONLY, prefixes)?;
        }
        self.set(NOBODY, 0, &plan.remove)?;
        if plan.clear || !plan.remove.is_empty() {
            self.set_peer(NOBODY, WGPEER_F_REMOVE_ME, &[])?;
        }
        Ok(())
    }
}

impl InKernel {
    fn set(
        &mut self,
        key: PublicKey,
        flags: u32,
        prefixes: &[IpNetwork],
    ) -> Result<(), WireguardError> {
        let mut parts = prefixes.chunks(PREFIXES_PER_MESSAGE);
        parts.try_for_each(|part| self.set_peer(key, flags, part))
    }

    fn set_peer(
        &mut self,
        key: PublicKey,
        flags: u32,
        prefixes: &[IpNetwork],
    ) -> Result<(), WireguardError> {
        self.sequence = self.sequence.wrapping_add(1);
        let name = (self.family, self.sequence, self.interface.as_str());
        let request = set_request(name, key, flags, prefixes);
        self.ask(&request, |_| {}).map(drop)
    }
}

fn interface_name(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn get_request(family: u16, sequence: u32, interface: &str) -> Vec<u8> {
    let mut request = Vec::new();
    Builder::new(&mut request, family, NLM_F_REQUEST | NLM_F_DUMP, sequence)
        .bytes(&[WG_CMD_GET_DEVICE, WG_VERSION, 0, 0])
        .attribute(WGDEVICE_A_IFNAME, &interface_name(interface))
        .finish();
    request
}

fn set_request(
    (family, sequence, interface): (u16, u32, &str),
    public_key: PublicKey,
    flags: u32,
    prefixes: &[IpNetwork],
) -> Vec<u8> {
    let mut request = Vec::new();
    Builder::new(&mut request, family, NLM_F_REQUEST | NLM_F_ACK, sequence)
        .bytes(&[WG_CMD_SET_DEVICE, WG_VERSION, 0, 0])
        .attribute(WGDEVICE_A_IFNAME, &interface_name(interface))
        .nested(WGDEVICE_A_PEERS | NLA_F_NESTED, |message| {
            message.nested(NLA_F_NESTED, |message| {
                message.attribute(WGPEER_A_PUBLIC_KEY, &public_key.0);
                message.u32(WGPEER_A_FLAGS, flags);
                message.nested(WGPEER_A_ALLOWEDIPS | NLA_F_NESTED, |message| {
                    for prefix in prefixes {
                        allowed_ip(message, *prefix);
                    }
                });
            });
        })
        .finish();
    request
}

fn allowed_ip(message: &mut Builder<'_>, prefix: IpNetwork) {
    let family = if prefix.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let family = u16::try_from(family).unwrap_or(0);
    message.nested(NLA_F_NESTED, |message| {
        message.attribute(WGALLOWEDIP_A_FAMILY, &family.to_ne_bytes());
        message.address(WGALLOWEDIP_A_IPADDR, prefix.network());
        message.attribute(WGALLOWEDIP_A_CIDR_MASK, &[prefix.prefix()]);
    });
}

/// Reads one message of a dump. A peer with many prefixes continues in the next message.
fn read_peers(payload: &[u8], peers: &mut Vec<Peer>) {
    for (kind, value) in attributes(payload) {
        if kind != WGDEVICE_A_PEERS {
            continue;
        }
        for peer in attributes(value).filter_map(|(_, value)| read_peer(value)) {
            match peers
                .last_mut()
                .filter(|last| last.public_key == peer.public_key)
            {
                Some(last) => last.allowed_ips.extend(peer.allowed_ips),
                None => peers.push(peer),
            }
        }
    }
}

fn read_peer(bytes: &[u8]) -> Option<Peer> {
    let mut key = None;
    let mut peer = Peer::new(PublicKey([0; 32]));
    for (kind, value) in attributes(bytes) {
        match kind {
            WGPEER_A_PUBLIC_KEY => key = value.first_chunk::<32>().copied(),
            WGPEER_A_ENDPOINT => peer.endpoint = socket_address(value),
            WGPEER_A_LAST_HANDSHAKE_TIME => peer.last_handshake = time(value),
            WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL => {
                let seconds = u16_at(value, 0).filter(|seconds| *seconds > 0);
                peer.keepalive = seconds.map(|it| Duration::from_secs(it.into()));
            }
            WGPEER_A_RX_BYTES => peer.received = u64_at(value, 0).unwrap_or(0),
            WGPEER_A_TX_BYTES => peer.sent = u64_at(value, 0).unwrap_or(0),
            WGPEER_A_ALLOWEDIPS => {
                let prefixes = attributes(value).filter_map(|(_, value)| read_allowed_ip(value));
                peer.allowed_ips.extend(prefixes);
            }
            _ => {}
        }
    }
    peer.public_key = PublicKey(key?);
    Some(peer)
}

fn read_allowed_ip(bytes: &[u8]) -> Option<IpNetwork> {
    let find = |wanted| {
        attributes(bytes)
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, v)| v)
    };
    let address = find(WGALLOWEDIP_A_IPADDR)?;
    let address = match address.len() {
        4 => IpAddr::from(*address.first_chunk::<4>()?),
        _ => IpAddr::from(*address.first_chunk::<16>()?),
    };
    IpNetwork::new(address, *find(WGALLOWEDIP_A_CIDR_MASK)?.first()?).ok()
}

/// `struct sockaddr_in` or `sockaddr_in6`.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let port = bytes
        .get(2..)?
        .first_chunk()
        .map(|port| u16::from_be_bytes(*port))?;
    match i32::from(u16_at(bytes, 0)?) {
        libc::AF_INET => Some((*bytes.get(4..)?.first_chunk::<4>()?, port).into()),
        libc::AF_INET6 => Some((*bytes.get(8..)?.first_chunk::<16>()?, port).into()),
        _ => None,
    }
}

/// `struct __kernel_timespec`: seconds and nanoseconds of 64 bits; zero is never.
fn time(bytes: &[u8]) -> Option<SystemTime> {
    let nanos = Duration::from_nanos(u64_at(bytes, 8)?);
    let since = Duration::from_secs(u64_at(bytes, 0)?).checked_add(nanos)?;
    let there = SystemTime::UNIX_EPOCH.checked_add(since);
    there.filter(|_| !since.is_zero())
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests;
