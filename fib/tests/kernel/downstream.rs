//! Tunnels whose other end has another number for the network (RFC 8365 §5.1.1).
//!
//! The kernel keeps the VNI of an entry beside its address and says nothing of one that is the
//! device's own. That both are written, read and told apart is the same on a device with one VNI and
//! on one that carries several.

use std::sync::Arc;

use fib::{Entry, FdbKey, FloodKey, KernelHandle, Key, Mac, RemoteMac, Segment, Sweep, Tunnel};

use crate::entries::{ip, overlay};
use crate::namespace::{enter_namespace, run, underlay, until};
use crate::single;
use crate::thread::start;

/// A network on a device: VNI 100.
struct Place {
    device: &'static str,
    segment: Option<Segment>,
    overlay: fib::Overlay,
}

const OWN: u32 = 100;

impl Place {
    fn to(&self, end: &str, vni: u32) -> Tunnel {
        Tunnel::from(ip(end)).towards(vni, OWN)
    }

    fn host(&self, tunnel: Tunnel) -> Entry {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let sticky = false;
        Entry::Fdb(
            FdbKey::new(self.device, mac).within(self.segment),
            RemoteMac { tunnel, sticky },
        )
    }

    fn flood(&self, tunnel: Tunnel) -> Entry {
        Entry::Flood(FloodKey::new(self.device, tunnel).within(self.segment))
    }

    /// A line of [`ends`], on a device that spells out its own VNI or does not.
    fn line(&self, rest: &str) -> String {
        let own = self
            .segment
            .map_or(String::new(), |_| format!(" src_vni {OWN}"));
        format!("{rest}{own}")
    }

    fn show(&self) -> String {
        format!("bridge fdb show dev {}", self.device)
    }

    fn settles(&self, kernel: &KernelHandle, lines: &[&str]) {
        kernel.flush().unwrap();
        let mut wanted: Vec<String> = lines.iter().map(|line| self.line(line)).collect();
        wanted.sort();
        until(&self.show(), |text| ends(text) == wanted);
        assert_eq!(kernel.verify().unwrap(), []);
    }
}

/// The remote ends that `bridge` shows, a line each: the start of the address, the endpoint, VNIs.
fn ends(shown: &str) -> Vec<String> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let mut line = format!("{} {}", words.first()?.get(..2)?, after("dst")?);
        for name in ["vni", "src_vni"] {
            line += &after(name).map_or(String::new(), |vni| format!(" {name} {vni}"));
        }
        Some(line)
    };
    let mut lines: Vec<String> = shown.lines().filter_map(line).collect();
    lines.sort();
    lines
}

fn entries_name_the_vni_of_the_other_end(place: &Place) {
    let (kernel, _) = start();
    kernel.sweep(Sweep::All);
    kernel.want(Entry::Overlay(OWN, Arc::new(place.overlay.clone())));
    kernel.want(place.host(place.to("10.0.0.2", 200)));
    kernel.want(place.flood(place.to("10.0.0.2", 200)));
    kernel.want(place.flood(place.to("10.0.0.2", 300)));
    kernel.want(place.flood(place.to("10.0.0.3", OWN)));
    let floods = ["00 10.0.0.2 vni 200", "00 10.0.0.2 vni 300", "00 10.0.0.3"];
    let with = |host| [&floods[..], &[host]].concat();
    place.settles(&kernel, &with("02 10.0.0.2 vni 200"));

    // Another number at the same end, ours, and that of before; each replaces the other.
    kernel.want(place.host(place.to("10.0.0.2", 201)));
    place.settles(&kernel, &with("02 10.0.0.2 vni 201"));
    kernel.want(place.host(place.to("10.0.0.2", OWN)));
    place.settles(&kernel, &with("02 10.0.0.2"));
    kernel.want(place.host(place.to("10.0.0.2", 200)));
    place.settles(&kernel, &with("02 10.0.0.2 vni 200"));

    // Changed by hand: seen from the notification, and found by an audit alike.
    let (device, source) = (place.device, place.line(""));
    run(&format!(
        "bridge fdb replace 02:00:00:00:00:01 dev {device} self extern_learn dst 10.0.0.2 vni 7\
         {source}"
    ));
    run(&format!(
        "bridge fdb del 00:00:00:00:00:00 dev {device} dst 10.0.0.2 vni 300{source}"
    ));
    place.settles(&kernel, &with("02 10.0.0.2 vni 200"));

    // Our own number written out is another entry to the kernel, and none that is wanted.
    if place.segment.is_some() {
        run(&format!(
            "bridge fdb append 00:00:00:00:00:00 dev {device} dst 10.0.0.4 vni {OWN}{source}"
        ));
        let shown = place.line("00 10.0.0.4 vni 100");
        until(&place.show(), |text| !ends(text).contains(&shown));
    }

    // The next run knows what is there by its number.
    kernel.flush().unwrap();
    kernel.stop(true);
    let (kernel, _) = start();
    kernel.want(Entry::Overlay(OWN, Arc::new(place.overlay.clone())));
    kernel.want(place.host(place.to("10.0.0.2", 200)));
    kernel.want(place.flood(place.to("10.0.0.2", 300)));
    kernel.flush().unwrap();
    kernel.sweep(Sweep::All);
    place.settles(&kernel, &["00 10.0.0.2 vni 300", "02 10.0.0.2 vni 200"]);
    kernel.unwant(place.host(place.to("10.0.0.2", 200)).key());
    let flood = FloodKey::new(place.device, place.to("10.0.0.2", 300));
    kernel.unwant(Key::Flood(flood.within(place.segment)));
    place.settles(&kernel, &[]);
    kernel.stop(false);
}

#[test]
fn entries_of_a_device_name_the_vni_of_the_other_end() {
    if !enter_namespace() {
        return;
    }
    underlay();
    entries_name_the_vni_of_the_other_end(&Place {
        device: "vx100",
        segment: None,
        overlay: overlay(),
    });
}

#[test]
fn entries_of_a_shared_device_name_the_vni_of_the_other_end() {
    if !enter_namespace() || !single::has_vlans() {
        return;
    }
    underlay();
    entries_name_the_vni_of_the_other_end(&Place {
        device: "vxlan0",
        segment: Some(Segment { vni: OWN, vlan: 10 }),
        overlay: single::overlay(OWN, 10),
    });
}
