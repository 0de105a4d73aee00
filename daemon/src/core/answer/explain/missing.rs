//! Why something is not there that an operator has written or sees at a neighbour: a network that is
//! not announced, and a MAC address that no overlay network takes in.

use super::*;
use crate::own_routes::Absent;

impl Core {
    /// Why a network of the configuration is not announced, and what to do. `None` where it is, or
    /// nobody has written it.
    pub(super) fn network_note(&self, prefix: Prefix) -> Option<String> {
        let (family, route) = match prefix {
            Prefix::V4(_) => ("ipv4_unicast", "ip route"),
            Prefix::V6(_) => ("ipv6_unicast", "ip -6 route"),
        };
        let always = "or have it announced always: no `require_route` (FRR: `no bgp network \
                      import-check`)";
        let make = format!("make one, like `{route} add blackhole {prefix}`, {always}");
        let why = match self.own.absent(prefix, &self.install.ground)? {
            Absent::NoRoute => {
                format!("the kernel has no route to exactly this prefix that is not ours; {make}")
            }
            Absent::NoneWithin => format!(
                "the kernel has no route to this prefix, or to one within it, that is not ours; \
                 {make}"
            ),
            Absent::Denied(map) => {
                format!("its route-map `{map}` denies it; `rbgpctl show route-map {map}`")
            }
        };
        Some(format!(
            "one of `networks` in [{family}] (FRR: `network {prefix}`), not announced: {why}"
        ))
    }

    /// Routes to a MAC address that no VNI has taken in, with who told them.
    pub(super) fn explain_unimported(&self, mac: MacAddress) -> Vec<reply::Explained> {
        let keys = self.evpn.received_to(mac).take(NAMED_MAX);
        let explained = keys.filter_map(|key| {
            let route = self.rib.route(&Nlri::Evpn(key.clone()))?;
            let mut explained = self.explained(&route);
            explained.notes.extend(self.import_note(key));
            Some(explained)
        });
        explained.collect()
    }

    /// What keeps a route of another router out of the VNIs.
    fn import_note(&self, key: &EvpnKey) -> Option<String> {
        let received = self.evpn.received_route(key)?;
        if !received.vnis.is_empty() {
            let faults = received.vnis.iter().filter_map(|(vni, fault)| {
                let fault = fault.as_ref()?;
                Some(format!("VNI {vni} imports it and does not use it: {fault}"))
            });
            let faults: Vec<String> = faults.collect();
            return (!faults.is_empty()).then(|| faults.join("; "));
        }
        let targets = received.route.path.targets.iter();
        let targets: Vec<String> = targets.map(ToString::to_string).collect();
        let told = match targets.is_empty() {
            true => "it has no route target".to_owned(),
            false => format!("its route targets are {}", targets.join(", ")),
        };
        let vnis = self.evpn.vnis();
        let ours = vnis.iter().take(NAMED_MAX).map(|status| {
            let targets = status.import_targets.iter();
            let targets: Vec<String> = targets.map(ToString::to_string).collect();
            format!("VNI {} imports {}", status.vni, targets.join(", "))
        });
        let ours: Vec<String> = ours.collect();
        let here = match vnis.len().saturating_sub(NAMED_MAX) {
            _ if ours.is_empty() => "there is no VNI here".to_owned(),
            0 => ours.join("; "),
            more => format!("{}; and {more} more", ours.join("; ")),
        };
        Some(format!(
            "no VNI imports it: {told}, and {here}; put one of its targets into the \
             `import_targets` of a [[vni]] (FRR: `route-target import`), or have it sent with ours"
        ))
    }
}
