//! EVPN in FRR's lines.

use toml::Value;

use super::keys::{Keys, Say};
use super::{Block, Page};
use crate::config::{self, Config};

impl Page<'_> {
    /// `address-family l2vpn evpn`, its VNIs and that of a VRF.
    pub(super) fn evpn(&mut self, config: &Config, head: &str, keys: &mut Keys) {
        let block = Block::Router(head.to_owned(), "l2vpn evpn");
        let vnis = keys.tables("vni");
        if !vnis.is_empty() {
            self.line(block.clone(), "advertise-all-vni".to_owned());
        }
        if let (Some(mut evpn), Some(own)) = (keys.table("evpn"), &config.evpn) {
            let mut devices = self
                .host
                .vxlans
                .iter()
                .filter_map(|it| Some((it.local?, it.port)));
            let (vtep, port) = devices.next().unwrap_or((config.router_id.into(), 4789));
            for (key, same) in [("vtep", own.vtep == vtep), ("port", own.port == port)] {
                if same {
                    evpn.drop(key);
                }
            }
            self.duplicates(&block, &mut evpn);
            evpn.finish(&mut self.unsaid);
        }
        let floods = |it: &config::VniConfig| it.flooding;
        let silent = !config.vnis.is_empty() && !config.vnis.iter().any(floods);
        if silent {
            self.line(block.clone(), "flooding disable".to_owned());
        }
        for mut vni in vnis {
            let id = vni.number("id").unwrap_or(0).to_string();
            let device = self.host.vxlans.iter().find(|it| it.vni.to_string() == id);
            let found = [
                ("vxlan", device.map(|it| it.name.clone())),
                ("bridge", device.and_then(|it| it.bridge.clone())),
                ("vrf", device.and_then(|it| it.vrf.clone())),
                ("name", Some(format!("vni{id}"))),
            ];
            drop_found(&mut vni, &found);
            if silent {
                vni.drop("flooding");
            }
            if device.is_some() {
                vni.drop("create");
            }
            let block = Block::Vni(head.to_owned(), id.clone());
            // The block itself, whatever stands in it.
            self.line(
                Block::Router(head.to_owned(), "l2vpn evpn"),
                format!("vni {id}"),
            );
            self.targets(&block, &mut vni);
            vni.finish(&mut self.unsaid);
        }
        self.l3vni(config, &block, keys);
    }

    fn targets(&mut self, block: &Block, keys: &mut Keys) {
        self.say(block, "", keys, &[("rd", Say::Value("rd {}"))]);
        for (key, word) in [("import_targets", "import"), ("export_targets", "export")] {
            for target in keys.list(key) {
                self.line(block.clone(), format!("route-target {word} {target}"));
            }
        }
    }

    fn duplicates(&mut self, block: &Block, evpn: &mut Keys) {
        if evpn.take_if("duplicate_detection", &Value::Boolean(false)) {
            self.line(block.clone(), "no dup-addr-detection".to_owned());
        }
        let Some(mut keys) = evpn.table("duplicate_detection") else {
            return;
        };
        let usual = config::DuplicateDetection::default();
        let moves = keys.number("moves").unwrap_or(usual.moves.into());
        let window = keys.seconds("window").unwrap_or(usual.window.as_secs());
        let line = format!("dup-addr-detection max-moves {moves} time {window}");
        self.line(block.clone(), line);
        if keys.text("action").is_some() {
            let time = keys.seconds("freeze_time");
            let time = time.map_or("permanent".to_owned(), |it| it.to_string());
            self.line(block.clone(), format!("dup-addr-detection freeze {time}"));
        }
        keys.finish(&mut self.unsaid);
    }

    fn l3vni(&mut self, config: &Config, block: &Block, keys: &mut Keys) {
        let Some(mut l3vni) = keys.table("l3vni") else {
            return;
        };
        let id = l3vni.number("id").unwrap_or(0);
        if let Some(vrf) = &config.vrf {
            let only = l3vni.take_if("prefix_routes_only", &Value::Boolean(true));
            let only = if only { " prefix-routes-only" } else { "" };
            self.line(Block::Vrf(vrf.clone()), format!("vni {id}{only}"));
        }
        self.targets(block, &mut l3vni);
        let device = self.host.vxlans.iter().find(|it| i64::from(it.vni) == id);
        let found = [
            ("vxlan", device.map(|it| it.name.clone())),
            ("bridge", device.and_then(|it| it.bridge.clone())),
        ];
        drop_found(&mut l3vni, &found);
        let map = l3vni.text("export");
        let map = map.map_or(String::new(), |map| format!(" route-map {map}"));
        let gateway = match l3vni.take_if("gateway_ip", &Value::Boolean(true)) {
            true => " gateway-ip",
            false => "",
        };
        let advertised = match l3vni.peek("advertise") {
            Some(_) => l3vni.list("advertise"),
            None => vec!["ipv4_unicast".to_owned(), "ipv6_unicast".to_owned()],
        };
        for family in advertised {
            let family = family.trim_end_matches("_unicast");
            self.line(
                block.clone(),
                format!("advertise {family} unicast{gateway}{map}"),
            );
        }
        for family in l3vni.list("default_originate") {
            let family = family.trim_end_matches("_unicast");
            self.line(block.clone(), format!("default-originate {family}"));
        }
        l3vni.finish(&mut self.unsaid);
    }
}

/// Leaves out what a reader finds on the host.
fn drop_found(keys: &mut Keys, found: &[(&str, Option<String>)]) {
    for (key, value) in found {
        if keys.peek(key).and_then(Value::as_str) == value.as_deref() {
            keys.drop(key);
        }
    }
}
