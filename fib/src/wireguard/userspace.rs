//! The text protocol of userspace implementations (wireguard-go, boringtun): one request per
//! connection to a unix socket, `key=value` lines, ended by an empty line.
//!
//! An addition moves the prefix from the peer that had it. Older wireguard-go cannot remove a single
//! prefix; [`NOBODY`] takes it. A plan is one request, which the program carries out as a whole
//! while others wait.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ipnetwork::IpNetwork;

use super::{Device, NOBODY, Peer, Plan, PublicKey, WireguardError};

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

    /// There is such a socket, and somebody behind it: a program that was killed leaves one behind,
    /// and the interface of that name may be the kernel's now.
    pub fn is_served(&self) -> bool {
        match UnixStream::connect(&self.socket) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ),
        }
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

    fn apply(&mut self, plan: &Plan) -> Result<(), WireguardError> {
        if plan.is_empty() {
            return Ok(());
        }
        parse(&self.ask(&request(plan))?).map(drop)
    }
}

fn request(plan: &Plan) -> String {
    let mut text = "set=1\n".to_owned();
    for (key, prefixes) in &plan.add {
        peer(&mut text, *key);
        text.push_str("update_only=true\n");
        allowed_ips(&mut text, prefixes);
    }
    if !plan.remove.is_empty() {
        peer(&mut text, NOBODY);
        allowed_ips(&mut text, &plan.remove);
    }
    if plan.clear || !plan.remove.is_empty() {
        peer(&mut text, NOBODY);
        text.push_str("remove=true\n");
    }
    text.push('\n');
    text
}

fn peer(text: &mut String, key: PublicKey) {
    text.push_str("public_key=");
    for byte in key.0 {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
}

fn allowed_ips(text: &mut String, prefixes: &[IpNetwork]) {
    for prefix in prefixes {
        let _ = writeln!(text, "allowed_ip={}/{}", prefix.network(), prefix.prefix());
    }
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
            "persistent_keepalive_interval" => {
                let interval = Duration::from_secs(number()?);
                peer.keepalive = Some(interval).filter(|it| !it.is_zero());
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
        persistent_keepalive_interval=25\n\
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
        assert_eq!(peers[0].keepalive, Some(Duration::from_secs(25)));
        assert_eq!(peers[1].keepalive, None);
        let since = peers[0]
            .last_handshake
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(since.unwrap(), Duration::new(1_700_000_000, 500));
        assert_eq!(peers[1].last_handshake, None);
    }

    #[test]
    fn a_socket_that_was_left_behind_is_served_by_nobody() {
        let folder = std::env::temp_dir().join(format!("rbgpd-wg-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("wg0.sock");
        let device = Userspace::at(&path);
        assert!(!device.is_served(), "there is none");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(device.is_served());
        drop(listener);
        assert!(path.exists() && !device.is_served());
        std::fs::remove_dir_all(&folder).unwrap();
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
    fn an_addition_adds_and_what_goes_is_given_to_nobody() {
        let prefix = |text: &str| text.parse::<IpNetwork>().unwrap();
        let mut plan = Plan {
            add: vec![(PublicKey([0xab; 32]), vec![prefix("10.1.0.0/16")])],
            ..Plan::default()
        };
        let head = format!("set=1\npublic_key={}\nupdate_only=true\n", "ab".repeat(32));
        let added = format!("{head}allowed_ip=10.1.0.0/16\n");
        assert_eq!(request(&plan), format!("{added}\n"));
        plan.remove = vec![prefix("10.2.0.0/16"), prefix("fd00::/8")];
        let nobody: String = NOBODY.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            request(&plan),
            format!(
                "{added}public_key={nobody}\nallowed_ip=10.2.0.0/16\nallowed_ip=fd00::/8\n\
                 public_key={nobody}\nremove=true\n\n"
            )
        );
    }
}
