//! WireGuard underlay: AllowedIPs follow the routes learned through each peer.
//!
//! WireGuard sends a packet to the peer whose AllowedIPs contain its destination, and accepts one
//! only from the peer whose AllowedIPs contain its source. A route through a tunnel is therefore
//! worth nothing until its prefix stands in the peer's AllowedIPs. [`AllowedIps`] (pure) plans the
//! changes; a [`Device`] carries them out:
//!
//! - [`Userspace`]: the text protocol of wireguard-go and boringtun on a unix socket;
//! - [`InKernel`]: generic netlink, family `wireguard`.
//!
//! The caller owns the loop: read the peers, call [`AllowedIps::observe`], apply
//! [`AllowedIps::plan`] with [`Device::apply`], say so with [`AllowedIps::applied`]. What is read serves
//! [`Handshakes`] as well, which says whose handshake is overdue. Nothing here opens a tunnel or
//! touches keys.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use ipnetwork::IpNetwork;

mod allowed_ips;
mod handshakes;
mod in_kernel;
mod userspace;

pub use allowed_ips::{AllowedIps, Observed, Unmet, peer_among};
pub use handshakes::{Handshakes, Overdue};
pub use in_kernel::InKernel;
pub use userspace::Userspace;

/// A peer's public key (Curve25519), its only name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    /// Base64, as `wg show` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |bits: u32| {
            let place = usize::try_from(bits & 63).unwrap_or(0);
            char::from(ALPHABET.get(place).copied().unwrap_or(b'='))
        };
        for chunk in self.0.chunks(3) {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
            let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
            let digits = [
                digit(bits >> 18),
                digit(bits >> 12),
                digit(bits >> 6),
                digit(bits),
            ];
            for place in 0..4 {
                let digit = if place <= chunk.len() {
                    digits.get(place)
                } else {
                    Some(&'=')
                };
                write!(f, "{}", digit.copied().unwrap_or('='))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = WireguardError;

    /// Base64 as in `wg show`, or 64 hexadecimal digits as on the userspace socket.
    fn from_str(text: &str) -> Result<Self, WireguardError> {
        let wrong = || WireguardError::Answer(format!("`{text}` is no public key"));
        let bytes = if text.len() == 64 {
            from_hex(text)
        } else {
            from_base64(text)
        };
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(wrong)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::try_from((digit(pair.first()?)? << 4) | digit(pair.get(1)?)?).ok())
        .collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix('=').filter(|text| text.len() == 43)?;
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// A peer as the interface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub public_key: PublicKey,
    /// Where its packets go, if known.
    pub endpoint: Option<SocketAddr>,
    /// What may come from it and goes to it.
    pub allowed_ips: Vec<IpNetwork>,
    /// When the last handshake was, if there was one.
    pub last_handshake: Option<SystemTime>,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// How often an empty packet goes to it whatever else does; `None` for not at all.
    pub keepalive: Option<Duration>,
}

impl Peer {
    /// A peer of which only the name is known.
    pub fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            endpoint: None,
            allowed_ips: Vec::new(),
            last_handshake: None,
            received: 0,
            sent: 0,
            keepalive: None,
        }
    }
}

/// What is to change on an interface. Additions come first, so that nothing that moves is ever
/// nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    /// Prefixes that peers get. One that another peer has moves in the same moment.
    pub add: Vec<(PublicKey, Vec<IpNetwork>)>,
    /// Prefixes that no peer has afterwards.
    pub remove: Vec<IpNetwork>,
    /// [`NOBODY`] was left on the device by a run that broke off.
    pub clear: bool,
}

impl Plan {
    /// Nothing is to change.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && !self.clear
    }

    /// How many prefixes come, move or go.
    pub fn len(&self) -> usize {
        let added: usize = self.add.iter().map(|(_, prefixes)| prefixes.len()).sum();
        added.saturating_add(self.remove.len())
    }
}

/// A peer that exists for a moment. A device takes no single prefix away (the kernel does since 6.16, wireguard-go
/// since 2025): it replaces a peer's whole list, and while it does that packets to the rest of the list
/// find no peer. What is to go is therefore given to this peer, which takes it from the one that
/// had it and touches nothing else, and then the peer is removed. There is no endpoint, and no
/// private key that anybody knows: these are 32 letters.
pub const NOBODY: PublicKey = PublicKey(*b"nobody has this public key rbgpd");

/// A WireGuard interface.
pub trait Device {
    /// Its peers.
    ///
    /// # Errors
    ///
    /// When the interface cannot be asked or its answer not be understood.
    fn peers(&mut self) -> Result<Vec<Peer>, WireguardError>;

    /// Changes AllowedIPs.
    ///
    /// # Errors
    ///
    /// When the interface cannot be asked or refuses.
    fn apply(&mut self, plan: &Plan) -> Result<(), WireguardError>;
}

/// Why a WireGuard interface does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireguardError {
    /// It cannot be reached.
    #[error("cannot reach the WireGuard interface")]
    Io(#[from] std::io::Error),
    /// Its answer makes no sense.
    #[error("the WireGuard interface answered: {0}")]
    Answer(String),
    /// It refused.
    #[error("the WireGuard interface refused (errno {0})")]
    Refused(i32),
    /// The kernel has no WireGuard.
    #[error("the kernel has no generic netlink family `wireguard`")]
    NoFamily,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_reads_in_both_spellings() {
        let text = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.parse::<PublicKey>().unwrap(), key);
        for wrong in ["", "xTIB", &text.replace('x', "!"), &hex.replace('c', "g")] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }
}
