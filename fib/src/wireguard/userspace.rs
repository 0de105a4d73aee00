//! The text protocol of userspace implementations (wireguard-go, boringtun): one request per
//! connection to a unix socket, `key=value` lines, ended by an empty line.
//!
//! Older wireguard-go cannot remove a single prefix, so a removal replaces the peer's whole list.
//! An addition alone adds, and moves the prefix from the peer that had it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Device, Peer, PeerChange, WireguardError};

/// A stuck implementation must not hold up the caller for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than any list of peers takes (a thousand peers with a thousand prefixes are 32 MiB).
const ANSWER_MAX: u64 = 64 << 20;

/// An interface run by a userspace program.
#[derive(Clone, Debug)]
pub struct Userspace {
    socket: PathBuf,
}

impl Userspace {
    /// The interface's socket in its usual place, `/var/run/wireguard/<interface>.sock`.
    pub fn new(interface: &str) -> Self {
        Self::at(Path::new("/var/run/wireguard").join(format!("{interface}.sock")))
    }

    /// A socket elsewhere.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// There is such a socket.
    pub fn exists(&self) -> bool {
        self.socket.exists()
    }

    fn ask(&self, request: &str) -> Result<String, WireguardError> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut part = [0; 16 << 10];
        // The connection stays open for further requests; an empty line ends the answer.
        while !answer.ends_with(b"\n\n") {
            let count = (&mut stream).take(ANSWER_MAX).read(&mut part)?;
            answer.extend_from_slice(part.get(..count).unwrap_or_default());
            if count == 0 {
                break;
            }
            if u64::try_from(answer.len()).unwrap_or(u64::MAX) > ANSWER_MAX {
                return Err(WireguardError::Answer("more than 64 MiB".to_owned()));
            }
        }
        String::from_utf8(answer)
            .map_err(|_| WireguardError::Answer("something that is no text".to_owned()))
    }
}

impl Device for Userspace {
    fn peers(&mut self) -> Result<Vec<Peer>, WireguardError> {
        parse(&self.ask("get=1\n\n")?)
    }

    fn apply(&mut self, change: &PeerChange) -> Result<(), WireguardError> {
        parse(&self.ask(&request(change))?).map(drop)
    }
}

fn request(change: &PeerChange) -> String {
    let key: String = change
        .public_key
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut text = format!("set=1\npublic_key={key}\nupdate_only=true\n");
    let list = if change.remove.is_empty() {
        &change.add
    } else {
        text.push_str("replace_allowed_ips=true\n");
        &change.result
    };
    for prefix in list {
        text.push_str(&format!(
            "allowed_ip={}/{}\n",
            prefix.network(),
            prefix.prefix()
        ));
    }
    text.push('\n');
    text
}

/// Reads an answer: the interface's lines, each peer begun by its key, `errno` last.
fn parse(answer: &str) -> Result<Vec<Peer>, WireguardError> {
    let mut peers: Vec<Peer> = Vec::new();
    let mut handshake = Duration::ZERO;
    let mut errno = None;
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let wrong = || WireguardError::Answer(format!("`{line}`"));
        let (key, value) = line.split_once('=').ok_or_else(wrong)?;
        let number = || value.parse::<u64>().map_err(|_| wrong());
        if key == "public_key" {
            peers.push(Peer::new(value.parse()?));
            handshake = Duration::ZERO;
            continue;
        }
        if key == "errno" {
            errno = Some(value.parse::<i32>().map_err(|_| wrong())?);
            continue;
        }
        let Some(peer) = peers.last_mut() else {
            continue;
        };
        match key {
            "endpoint" => peer.endpoint = value.parse().ok(),
            "allowed_ip" => peer.allowed_ips.push(value.parse().map_err(|_| wrong())?),
            "last_handshake_time_sec" => handshake = Duration::from_secs(number()?),
            "last_handshake_time_nsec" => {
                let nanos = Duration::from_nanos(number()?);
                let since = handshake.saturating_add(nanos);
                let there = SystemTime::UNIX_EPOCH.checked_add(since);
                peer.last_handshake = there.filter(|_| !since.is_zero());
            }
            "rx_bytes" => peer.received = number()?,
            "tx_bytes" => peer.sent = number()?,
            // Keys and settings that are none of our business.
            _ => {}
        }
    }
    match errno {
        Some(0) => Ok(peers),
        Some(errno) => Err(WireguardError::Refused(errno.saturating_abs())),
        None => Err(WireguardError::Answer(
            "nothing that ends with `errno`".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "listen_port=51821\n\
        listen_port=51820\n\
        public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n\
        endpoint=[2001:db8::1]:51820\n\
        last_handshake_time_sec=1700000000\n\
        last_handshake_time_nsec=500\n\
        tx_bytes=38333\n\
        rx_bytes=2224\n\
        persistent_keepalive_interval=0\n\
        allowed_ip=10.10.0.2/32\n\
        allowed_ip=fd00::/64\n\
        protocol_version=1\n\
        public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n\
        last_handshake_time_sec=0\n\
        last_handshake_time_nsec=0\n\
        errno=0\n\n";

    #[test]
    fn an_answer_is_read() {
        let peers = parse(ANSWER).unwrap();
        assert_eq!(peers.len(), 2);
        assert_eq!(
            peers[0].endpoint,
            Some("[2001:db8::1]:51820".parse().unwrap())
        );
        let prefixes = ["10.10.0.2/32", "fd00::/64"].map(|text| text.parse().unwrap());
        assert_eq!(peers[0].allowed_ips, prefixes);
        assert_eq!((peers[0].received, peers[0].sent), (2224, 38333));
        let since = peers[0]
            .last_handshake
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(since.unwrap(), Duration::new(1_700_000_000, 500));
        assert_eq!(peers[1].last_handshake, None);
    }

    #[test]
    fn a_refusal_and_nonsense_are_errors() {
        assert!(matches!(
            parse("errno=-22\n\n"),
            Err(WireguardError::Refused(22))
        ));
        for wrong in ["", "errno=x\n\n", "hello\n\n", "public_key=12\nerrno=0\n\n"] {
            assert!(
                matches!(parse(wrong), Err(WireguardError::Answer(_))),
                "{wrong:?}"
            );
        }
        let wrong = ANSWER.replace("10.10.0.2/32", "10.10.0.2/33");
        assert!(parse(&wrong).is_err());
    }

    #[test]
    fn an_addition_adds_and_a_removal_replaces_the_list() {
        let prefix = |text: &str| text.parse::<ipnetwork::IpNetwork>().unwrap();
        let mut change = PeerChange {
            public_key: super::super::PublicKey([0xab; 32]),
            add: vec![prefix("10.1.0.0/16")],
            remove: Vec::new(),
            result: vec![prefix("10.10.0.2/32"), prefix("10.1.0.0/16")],
        };
        let head = format!("set=1\npublic_key={}\nupdate_only=true\n", "ab".repeat(32));
        assert_eq!(
            request(&change),
            format!("{head}allowed_ip=10.1.0.0/16\n\n")
        );
        change.remove = vec![prefix("10.2.0.0/16")];
        assert_eq!(
            request(&change),
            format!(
                "{head}replace_allowed_ips=true\n\
                 allowed_ip=10.10.0.2/32\nallowed_ip=10.1.0.0/16\n\n"
            )
        );
    }
}
