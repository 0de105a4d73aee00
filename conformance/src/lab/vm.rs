//! Virtual machines, as namespaces on a bridge of a site.
//!
//! A machine can move: it is unplugged from one site and plugged in at another with the same
//! addresses, as a live migration does.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Error, Lab, Namespace, command, kernel, wait_until};

/// A machine in one overlay network.
#[derive(Debug)]
pub struct Vm {
    space: Namespace,
    vni: u32,
    number: u8,
    mtu: u16,
}

impl Vm {
    /// Makes a machine that is plugged in nowhere yet. `mtu` is what fits through the overlay.
    pub fn create(lab: &Lab, vni: u32, number: u8, mtu: u16) -> Result<Self, Error> {
        let space = lab.namespace(&format!("vm{vni}-{number}"))?;
        Ok(Self {
            space,
            vni,
            number,
            mtu,
        })
    }

    /// Plugs the machine into the overlay's bridge at a site, once that bridge is there, and lets
    /// the machine say a word so that the site learns where it is.
    pub fn attach(&self, site: &Namespace) -> Result<(), Error> {
        let bridge = format!("br{}", self.vni);
        wait_until(
            &format!("{}: {bridge}", site.name()),
            Duration::from_secs(20),
            || kernel::has_device(site, &bridge),
        )?;
        let (vm, port) = (self.space.name(), self.port());
        let (mac, mtu, host) = (self.mac(), self.mtu, site.name());
        let words = format!(
            "link add eth0 netns {vm} mtu {mtu} address {mac} \
             type veth peer name {port} netns {host}"
        );
        command::host("ip", &words.split_whitespace().collect::<Vec<_>>())?;
        site.ip(&format!("link set {port} mtu {mtu} master {bridge} up"))?;
        self.space
            .ip(&format!("addr add {}/24 dev eth0", self.address()))?;
        self.space.ip("link set eth0 up")?;
        self.announce()
    }

    /// Unplugs the machine.
    pub fn detach(&self, site: &Namespace) -> Result<(), Error> {
        site.ip(&format!("link del {}", self.port())).map(drop)
    }

    /// Sends something that every switch on the way learns from; nobody has to answer.
    pub fn announce(&self) -> Result<(), Error> {
        let nobody = Ipv4Addr::from((u32::from(self.address()) & 0xffff_ff00) | 254).to_string();
        self.space
            .output(&["ping", "-n", "-q", "-c", "1", "-W", "0.1", &nobody])
            .map(drop)
    }

    /// The machine's own namespace.
    pub fn space(&self) -> &Namespace {
        &self.space
    }

    /// The overlay network it is in.
    pub fn vni(&self) -> u32 {
        self.vni
    }

    /// Its number, which is that of the site it was made for.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Its hardware address: 02:00, the network in three octets, the number.
    pub fn mac(&self) -> String {
        let [_, a, b, c] = self.vni.to_be_bytes();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{:02x}", self.number)
    }

    /// Its address, 10.VNI.0.1N.
    pub fn address(&self) -> Ipv4Addr {
        let [.., net] = self.vni.to_be_bytes();
        Ipv4Addr::new(10, net, 0, 10u8.saturating_add(self.number))
    }

    /// The largest packet it can send.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    fn port(&self) -> String {
        format!("vm{}-{}", self.vni, self.number)
    }
}
