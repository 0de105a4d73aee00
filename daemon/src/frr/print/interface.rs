//! `[[interface]]` and forwarding in FRR's lines.

use toml::Value;

use super::keys::Keys;
use super::{Block, Page};

impl Page<'_> {
    /// What of the file is the host's.
    pub(super) fn host(&mut self, keys: &mut Keys) {
        for (key, words) in [
            ("ipv4_forwarding", "ip forwarding"),
            ("ipv6_forwarding", "ipv6 forwarding"),
        ] {
            if let Some(on) = keys.switch_within("kernel", key) {
                let no = if on { "" } else { "no " };
                self.line(Block::Top, format!("{no}{words}"));
            }
        }
        if keys.switch_within("kernel", "nexthop_objects") == Some(false) {
            self.line(Block::Top, "no zebra nexthop kernel enable".to_owned());
        }
        for mut interface in keys.tables("interface") {
            let block = Block::Interface(interface.text("name").unwrap_or_default());
            if let Some(description) = interface.text("description") {
                self.line(block.clone(), format!("description {description}"));
            }
            for (up, line) in [(true, "no shutdown"), (false, "shutdown")] {
                if interface.take_if("up", &Value::Boolean(up)) {
                    self.line(block.clone(), line.to_owned());
                }
            }
            if interface.take_if("link_detect", &Value::Boolean(false)) {
                self.line(block.clone(), "no link-detect".to_owned());
            }
            for mut address in interface.items("addresses", "address") {
                self.address(&block, &mut address);
                address.finish(&mut self.unsaid);
            }
            interface.finish(&mut self.unsaid);
        }
    }

    /// The language has peers for IPv4 alone.
    fn address(&mut self, block: &Block, keys: &mut Keys) {
        let own = keys.peek("address").and_then(Value::as_str).unwrap_or("");
        let (own, v6) = (own.to_owned(), own.contains(':'));
        let version = if v6 { "ipv6" } else { "ip" };
        let (Some((address, length)), true) = (own.split_once('/'), keys.peek("peer").is_some())
        else {
            let label = keys.text("label");
            let label = label.map_or(String::new(), |label| format!(" label {label}"));
            keys.drop("address");
            return self.line(block.clone(), format!("{version} address {own}{label}"));
        };
        if v6 {
            return;
        }
        keys.drop("address");
        let peer = keys.text("peer").unwrap_or_default();
        let line = match keys.text("label") {
            Some(label) => format!("ip address {own} label {label} peer {peer}/{length}"),
            None => format!("ip address {address} peer {peer}/{length}"),
        };
        self.line(block.clone(), line);
    }
}
