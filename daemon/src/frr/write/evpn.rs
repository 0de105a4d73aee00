//! EVPN: which VNIs there are, and what is said about each.
//!
//! FRR takes each VXLAN device of the host for a VNI. Here a VNI is one that a device of the host
//! has or that the file has a block for; a block without a device stands for one that rbgpd makes.

use std::collections::{BTreeMap, BTreeSet};

use super::Whole;
use crate::frr::Spot;
use crate::frr::host::Vxlan;
use crate::frr::model::{Family, Put, Router, Vni, quote};

/// What the overlay of the default router is.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Our tunnel endpoint, with `[evpn]`.
    vtep: Option<Put>,
    port: Option<u16>,
    /// With the device that is there, if any.
    vnis: BTreeMap<u32, (Vni, Option<Vxlan>, Spot)>,
    /// Devices of L3 VNIs.
    l3: BTreeMap<u32, Vxlan>,
    /// The L3 VNI of no VRF.
    pub(super) main: Option<Put>,
}

impl Overlay {
    pub(super) fn of(whole: &mut Whole<'_>) -> Self {
        let (site, host) = (whole.site, whole.host);
        let empty = Router::default();
        let router = site.routers.get(&None).unwrap_or(&empty);
        let mut overlay = Self::default();
        let of_vrfs = site.vrfs.values().filter_map(|vrf| vrf.vni.as_ref());
        let mut l3vnis: BTreeSet<u32> = of_vrfs.filter_map(|it| it.text.parse().ok()).collect();
        // FRR's L3 VNI of no VRF has nothing beneath it, and of several the last counts.
        let plain = |block: &Vni| {
            let targets = block.import_targets.iter().chain(&block.export_targets);
            block.keys.is_empty() && targets.count() == 0
        };
        let mains = site.top_vnis.iter().filter(|(_, block)| plain(block));
        let main = mains.max_by_key(|(_, block)| block.spot.map(|spot| spot.line));
        if let Some((id, block)) = main {
            l3vnis.insert(*id);
            overlay.main = Some(Put {
                text: id.to_string(),
                spot: block.spot.unwrap_or_default(),
            });
        }
        for device in &host.vxlans {
            if l3vnis.contains(&device.vni) {
                overlay.l3.insert(device.vni, device.clone());
            }
        }
        let mut blocks: BTreeMap<u32, Vni> = router.evpn.vnis.clone();
        for (id, block) in &site.top_vnis {
            let spot = block.spot.unwrap_or_default();
            if plain(block) {
                if overlay.main.as_ref().is_some_and(|main| main.spot != spot) {
                    let why = "the default router has one L3 VNI, and a later line names another";
                    whole.refuse(spot, why);
                }
                continue;
            }
            whole.differs(
                spot,
                "FRR takes the line for the L3 VNI of no VRF and refuses what stands beneath; it is \
                 read as the block of that VNI in `address-family l2vpn evpn`",
            );
            let merged = blocks.entry(*id).or_insert_with(|| block.clone());
            if merged.spot != block.spot {
                merged.keys.extend(block.keys.clone());
                merged.import_targets.extend(block.import_targets.clone());
                merged.export_targets.extend(block.export_targets.clone());
            }
        }
        let Some(all) = router.evpn.all_vnis else {
            for block in blocks.values() {
                let how = "without `advertise-all-vni` nothing is done about VNIs, as in FRR";
                whole.as_frr(block.spot.unwrap_or_default(), how);
            }
            return overlay.with_endpoint(whole, router, !l3vnis.is_empty());
        };
        for device in host.vxlans.iter().filter(|it| !l3vnis.contains(&it.vni)) {
            if device.vni == 0 {
                let why = format!(
                    "device {} carries several VNIs, and which is found by VLANs: write [evpn] \
                     `single_device` and [[vni]] with `vlan` in TOML",
                    device.name
                );
                whole.refuse(all, why);
            } else if device.bridge.is_some() {
                let vni = blocks.remove(&device.vni).unwrap_or_default();
                let spot = vni.spot.unwrap_or(all);
                overlay
                    .vnis
                    .insert(device.vni, (vni, Some(device.clone()), spot));
            }
        }
        for (id, vni) in blocks {
            let spot = vni.spot.unwrap_or(all);
            if host.adopted.contains(&id) {
                let how = format!(
                    "the VXLAN device of VNI {id} is gone: it is taken up when it comes again"
                );
                whole.as_frr(spot, &how);
                continue;
            }
            // What the line says is done on a host that has the device, and on one that has not.
            whole.as_frr(
                spot,
                format!(
                    "no VXLAN device of this host has VNI {id}: rbgpd makes vxlan{id} and its bridge br{id} here, \
                     where FRR waits for one; a device that is there is used as it is"
                ),
            );
            overlay.vnis.insert(id, (vni, None, spot));
        }
        whole.remark_once(
            "with `advertise-all-vni` the VNIs are those of the VXLAN devices on bridges that are there; while the \
             daemon runs they come and go with the devices",
        );
        let wanted = !overlay.vnis.is_empty() || !l3vnis.is_empty();
        overlay.with_endpoint(whole, router, wanted)
    }

    /// Devices have the endpoint; where there is none it is the router's identifier.
    fn with_endpoint(mut self, whole: &mut Whole<'_>, router: &Router, wanted: bool) -> Self {
        if !wanted {
            return self;
        }
        let devices = self.vnis.values().filter_map(|it| it.1.as_ref());
        let mut devices = devices.chain(self.l3.values());
        let spot = router
            .evpn
            .all_vnis
            .or(router.asn.as_ref().map(|it| it.spot));
        let spot = spot.unwrap_or_default();
        match devices.find_map(|it| Some((it.local?, it.port))) {
            Some((local, port)) => {
                let text = quote(&local.to_string());
                self.vtep = Some(Put { text, spot });
                self.port = Some(port);
            }
            None => {
                let id = whole.router_id(router);
                whole.remark_once(
                    "no VXLAN device says our tunnel endpoint: it is the router's identifier",
                );
                self.vtep = Some(Put {
                    text: id.text,
                    spot,
                });
            }
        }
        self
    }
}

impl Whole<'_> {
    /// `[evpn]`, as keys at the top.
    pub(super) fn evpn(&mut self, overlay: &Overlay) {
        let Some(vtep) = &overlay.vtep else {
            return;
        };
        self.toml.value("evpn.vtep", vtep);
        if let Some(port) = overlay.port.filter(|port| *port != 4789) {
            self.toml.line(vtep.spot, &format!("evpn.port = {port}"));
        }
        let empty = Router::default();
        let site = self.site;
        let evpn = &site.routers.get(&None).unwrap_or(&empty).evpn;
        match evpn.duplicates_off {
            Some(spot) => self.toml.line(spot, "evpn.duplicate_detection = false"),
            None => self
                .toml
                .keys("evpn.duplicate_detection.", &evpn.duplicates),
        }
    }

    pub(super) fn vnis(&mut self, overlay: &Overlay) {
        let empty = Router::default();
        let site = self.site;
        let router = site.routers.get(&None).unwrap_or(&empty);
        let id = self.router_id(router);
        for (number, (vni, device, spot)) in &overlay.vnis {
            self.toml.header(*spot, "[[vni]]");
            self.toml.line(*spot, &format!("id = {number}"));
            self.toml.line(*spot, &format!("name = \"vni{number}\""));
            if *number > 0xffff && !vni.keys.contains_key("rd") {
                let id = id.text.trim_matches('"');
                self.toml
                    .line(*spot, &format!("rd = \"{id}:{}\"", number & 0xffff));
            }
            self.toml.keys("", &vni.keys);
            self.toml.list("import_targets", &vni.import_targets);
            match (&router.evpn.autort_as, vni.export_targets.as_slice()) {
                // Automatic ones are imported from any AS anyway.
                (Some(asn), []) => {
                    let target = format!("export_targets = [\"{}:{number}\"]", asn.text);
                    self.toml.line(asn.spot, &target);
                }
                (_, targets) => self.toml.list("export_targets", targets),
            }
            if let Some(device) = device {
                self.devices(*spot, "", device);
                self.toml.line(*spot, "create = false");
                if let Some(vrf) = &device.vrf {
                    self.toml.line(*spot, &format!("vrf = {}", quote(vrf)));
                }
            }
            let of_all = [
                ("advertise_svi", router.evpn.svi),
                ("advertise_gateway", router.evpn.gateway),
            ];
            for (key, spot) in of_all {
                if let Some(spot) = spot.filter(|_| !vni.keys.contains_key(key)) {
                    self.toml.line(spot, &format!("{key} = true"));
                }
            }
            if let Some(spot) = router.evpn.no_flooding {
                self.toml.line(spot, "flooding = false");
            }
        }
    }

    /// What a router says about an L3 VNI that it does not have; FRR does nothing about it either.
    pub(super) fn evpn_without_l3vni(&mut self, router: &Router) {
        let evpn = &router.evpn;
        let targets = evpn.import_targets.iter().chain(&evpn.export_targets);
        let families = evpn
            .advertise
            .values()
            .chain(evpn.default_originate.values());
        for put in evpn.keys.values().chain(targets).chain(families) {
            let how = "this router has no L3 VNI (`vrf NAME`, `vni N`), so the line has no effect, as in FRR";
            self.as_frr(put.spot, how);
        }
    }

    /// VNIs are the default router's.
    pub(super) fn evpn_of_a_vrf(&mut self, router: &Router) {
        let blocks = router.evpn.vnis.values().filter_map(|vni| vni.spot);
        for spot in router.evpn.all_vnis.into_iter().chain(blocks) {
            self.refuse(
                spot,
                "VNIs are those of the router without VRF; write the line there",
            );
        }
    }

    fn devices(&mut self, spot: Spot, of: &str, device: &Vxlan) {
        self.toml
            .line(spot, &format!("{of}vxlan = {}", quote(&device.name)));
        if let Some(bridge) = &device.bridge {
            self.toml
                .line(spot, &format!("{of}bridge = {}", quote(bridge)));
        }
    }

    /// `[instance.l3vni]`, as keys of the instance.
    pub(super) fn l3vni(&mut self, l3vni: &Put, router: &Router, overlay: &Overlay) {
        self.toml.value("l3vni.id", l3vni);
        let evpn = &router.evpn;
        self.toml.keys("l3vni.", &evpn.keys);
        let [v4, v6] = [Family::Ipv4, Family::Ipv6].map(|it| evpn.advertise_maps.of(it));
        let told = |family: Family| evpn.advertise.contains_key(family.key());
        let export = match (told(Family::Ipv4), told(Family::Ipv6)) {
            (true, true) => {
                let maps = [(Family::Ipv4, v4.as_ref()), (Family::Ipv6, v6.as_ref())];
                self.by_family("advertise", maps)
            }
            (false, true) => v6.clone(),
            (_, false) => v4.clone(),
        };
        if let Some(export) = export {
            self.toml.value("l3vni.export", &export);
        }
        self.toml.list("l3vni.import_targets", &evpn.import_targets);
        self.toml.list("l3vni.export_targets", &evpn.export_targets);
        for (key, families) in [
            ("advertise", &evpn.advertise),
            ("default_originate", &evpn.default_originate),
        ] {
            // FRR tells nothing unless it is asked to.
            let spot = families.values().next().map_or(l3vni.spot, |it| it.spot);
            let names: Vec<&str> = families.values().map(|it| it.text.as_str()).collect();
            self.toml
                .line(spot, &format!("l3vni.{key} = [{}]", names.join(", ")));
        }
        if let Some(device) = l3vni
            .text
            .parse()
            .ok()
            .and_then(|id: u32| overlay.l3.get(&id))
        {
            self.devices(l3vni.spot, "l3vni.", device);
        }
    }
}
