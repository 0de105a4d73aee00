//! WireGuard: wireguard-go for each interface of a site, or the kernel's own, set up through `wg`.
//!
//! Two shapes of the same tunnels. A site that keeps AllowedIPs in step with its routes (rbgpd)
//! has one `wg0` for all peers, each allowed its tunnel addresses only. A site that does not (FRR) has
//! one interface for each peer, where everything is allowed and the routing table decides.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::underlay::{Link, letter, tunnel_address, wan_address};
use super::{Error, Lab, Namespace, Process, command, kernel, wait_until};

/// What WireGuard leaves of 1500 octets when its own transport may be IPv6.
pub(super) const MTU: u16 = 1420;
const PORT: u16 = 51820;

/// How the interfaces of a site are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One interface for all peers.
    Shared,
    /// One interface for each peer.
    PerPeer,
}

/// One interface before it exists.
#[derive(Debug, Clone)]
struct Interface {
    site: u8,
    device: String,
    port: u16,
    peers: Vec<u8>,
    private_key: String,
    public_key: String,
}

/// What an interface is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// wireguard-go.
    Program,
    /// The kernel.
    Kernel,
}

/// Tunnels between all sites.
#[derive(Debug)]
pub(super) struct Mesh {
    /// Each site's ways to the others.
    pub(super) links: Vec<(u8, Link)>,
    served: Vec<Served>,
}

/// An interface that is there; with wireguard-go it goes when that ends.
#[derive(Debug)]
struct Served {
    space: Namespace,
    shape: Shape,
    maker: Maker,
    interface: Interface,
    folder: PathBuf,
    process: Option<Process>,
}

impl Served {
    fn begin(&mut self, lab: &Lab) -> Result<(), Error> {
        let (space, device) = (&self.space, &self.interface.device);
        match self.maker {
            Maker::Program => self.process = Some(serve(lab, space, &self.folder, device)?),
            Maker::Kernel => {
                space.ip(&format!("link add {device} type wireguard"))?;
            }
        }
        let path = self.folder.join(format!("{device}.conf"));
        space.run(&["wg", "setconf", device, &path.to_string_lossy()])?;
        address(space, &self.interface, self.shape)
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.stop().map(drop),
            None => {
                let device = &self.interface.device;
                self.space.ip(&format!("link del {device}")).map(drop)
            }
        }
    }
}

impl Mesh {
    /// Ends what serves a site's interfaces.
    pub(super) fn end(&mut self, site: u8) -> Result<(), Error> {
        let mut served = self.served.iter_mut();
        served.try_for_each(|it| match it.interface.site == site {
            true => it.end(),
            false => Ok(()),
        })
    }

    /// Makes a site's interfaces once more, as their configuration has them.
    pub(super) fn begin(&mut self, lab: &Lab, site: u8) -> Result<(), Error> {
        let mut served = self.served.iter_mut();
        served.try_for_each(|it| match it.interface.site == site {
            true => it.begin(lab),
            false => Ok(()),
        })
    }
}

/// Makes the tunnels of all sites.
pub(super) fn mesh(
    lab: &Lab,
    maker: Maker,
    sites: &[(u8, Namespace, Shape)],
) -> Result<Mesh, Error> {
    let ids: Vec<u8> = sites.iter().map(|(id, ..)| *id).collect();
    let mut interfaces = Vec::new();
    for (id, _, shape) in sites {
        interfaces.extend(plan(*id, &ids, *shape)?);
    }
    let mut links = Vec::new();
    let mut served = Vec::new();
    for (id, space, shape) in sites {
        let folder = lab.folder(&super::underlay::folder(*id))?;
        for interface in interfaces.iter().filter(|i| i.site == *id) {
            write_config(&folder, interface, &interfaces)?;
            let mut one = Served {
                space: space.clone(),
                shape: *shape,
                maker,
                interface: interface.clone(),
                folder: folder.clone(),
                process: None,
            };
            one.begin(lab)?;
            served.push(one);
            let remotes = interface.peers.iter().map(|peer| Link {
                peer: *peer,
                device: interface.device.clone(),
                local: tunnel_address(*id),
                remote: tunnel_address(*peer),
            });
            links.extend(remotes.map(|link| (*id, link)));
        }
    }
    Ok(Mesh { links, served })
}

fn plan(site: u8, ids: &[u8], shape: Shape) -> Result<Vec<Interface>, Error> {
    let peers: Vec<u8> = ids.iter().copied().filter(|id| *id != site).collect();
    match shape {
        Shape::Shared => Ok(vec![interface(site, "wg0".to_owned(), PORT, peers)?]),
        Shape::PerPeer => peers
            .into_iter()
            .map(|p| {
                interface(
                    site,
                    format!("wg-{}", letter(p)),
                    PORT + u16::from(p),
                    vec![p],
                )
            })
            .collect(),
    }
}

fn interface(site: u8, device: String, port: u16, peers: Vec<u8>) -> Result<Interface, Error> {
    let private_key = command::host("wg", &["genkey"])?.trim().to_owned();
    let public_key = public_key(&private_key)?;
    Ok(Interface {
        site,
        device,
        port,
        peers,
        private_key,
        public_key,
    })
}

/// `wg pubkey` reads the private key from its standard input.
fn public_key(private_key: &str) -> Result<String, Error> {
    let failed = |e| Error::io("wg pubkey", e);
    let mut child = Command::new("wg")
        .arg("pubkey")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, private_key.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn serve(lab: &Lab, space: &Namespace, folder: &Path, device: &str) -> Result<Process, Error> {
    let mut command = space.command("wireguard-go");
    command.args(["-f", device]);
    let log = folder.join(format!("{device}.log"));
    let mut process = lab.spawn("wireguard-go", command, &log)?;
    let socket = format!("/var/run/wireguard/{device}.sock");
    // Without the socket `wg` would try the kernel instead and blame the protocol.
    wait_until(
        &format!("{}: {device}", space.name()),
        Duration::from_secs(10),
        || {
            process.must_live().map_err(|e| e.to_string())?;
            let served = space.run(&["test", "-S", &socket]).is_ok();
            if served && kernel::has_device(space, device) {
                Ok(())
            } else {
                Err("no socket".to_owned())
            }
        },
    )?;
    Ok(process)
}

fn write_config(folder: &Path, own: &Interface, all: &[Interface]) -> Result<(), Error> {
    use std::fmt::Write;

    let Interface {
        site,
        device,
        port,
        private_key,
        ..
    } = own;
    let mut text = format!("[Interface]\nPrivateKey = {private_key}\nListenPort = {port}\n");
    for peer in &own.peers {
        let far = all
            .iter()
            .find(|i| i.site == *peer && i.peers.contains(site));
        let Some(Interface {
            public_key, port, ..
        }) = far
        else {
            return Err(Error::State(format!(
                "site {peer} has no interface towards site {site}"
            )));
        };
        let allowed = match own.peers.len() {
            1 if device != "wg0" => "0.0.0.0/0,::/0".to_owned(),
            _ => format!("{}/32,{}/128", tunnel_address(*peer), second_address(*peer)),
        };
        let endpoint = wan_address(*peer);
        let _ = write!(
            text,
            "[Peer]\nPublicKey = {public_key}\nEndpoint = {endpoint}:{port}\n\
             AllowedIPs = {allowed}\nPersistentKeepalive = 5\n"
        );
    }
    let path = folder.join(format!("{device}.conf"));
    fs::write(&path, text).map_err(|e| Error::io(path.display(), e))
}

/// fd10::N: the second address of site N in a tunnel that all share.
fn second_address(site: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, site.into())
}

fn address(space: &Namespace, interface: &Interface, shape: Shape) -> Result<(), Error> {
    let device = &interface.device;
    let local: Ipv4Addr = tunnel_address(interface.site);
    match shape {
        Shape::Shared => {
            let second = second_address(interface.site);
            space.ip(&format!("addr add {local}/24 dev {device}"))?;
            space.ip(&format!("addr add {second}/64 dev {device} nodad"))?
        }
        Shape::PerPeer => {
            let remote = interface.peers.first().copied().map(tunnel_address);
            let remote = remote.unwrap_or(Ipv4Addr::UNSPECIFIED);
            space.ip(&format!(
                "addr add {local}/32 peer {remote}/32 dev {device}"
            ))?
        }
    };
    space
        .ip(&format!("link set {device} mtu {MTU} up"))
        .map(drop)
}
