//! Why something is not there that an operator has written or sees at a neighbour: a network that is
//! not announced, a MAC address that no overlay network takes in, and a prefix that no VRF does.

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
        self.explain_each(self.evpn.received_to(mac))
    }

    /// Routes of other routers to a prefix that a VRF does not use or that none takes in, with who told
    /// them. Without a VRF nobody here has a use for them.
    pub(super) fn explain_unused(&self, prefix: Prefix) -> Vec<reply::Explained> {
        let unused = |key: &&EvpnKey| {
            let received = self.evpn.received_route(key);
            received.is_some_and(|it| match it.vrfs.is_empty() {
                true => matches!(key, EvpnKey::IpPrefix { .. }),
                false => it.vrfs.iter().any(|(_, fault)| fault.is_some()),
            })
        };
        let mut keys: Vec<&EvpnKey> = self.evpn.received_to_prefix(prefix).collect();
        keys.sort_unstable();
        self.explain_each(keys.into_iter().filter(unused))
    }

    fn explain_each<'k>(&self, keys: impl Iterator<Item = &'k EvpnKey>) -> Vec<reply::Explained> {
        let explained = keys.take(NAMED_MAX).filter_map(|key| {
            let route = self.rib.route(&Nlri::Evpn(key.clone()))?;
            Some(self.explained(&route))
        });
        explained.collect()
    }

    /// What keeps a route of another router out of the VNIs and VRFs.
    pub(super) fn import_note(&self, key: &EvpnKey) -> Option<String> {
        let received = self.evpn.received_route(key)?;
        let vrf_faults = received.vrfs.iter().filter_map(|(vrf, fault)| {
            let (vni, fault) = (self.evpn.l3_vni(vrf)?, fault.as_ref()?);
            Some(format!("VRF {vrf} (L3 VNI {vni}) imports it: {fault}"))
        });
        let vrf_faults: Vec<String> = vrf_faults.collect();
        if matches!(key, EvpnKey::IpPrefix { .. }) {
            return match received.vrfs.is_empty() {
                true => Some(self.no_vrf_note(&received)),
                false => (!vrf_faults.is_empty()).then(|| vrf_faults.join("; ")),
            };
        }
        if !received.vnis.is_empty() || !received.vrfs.is_empty() {
            let faults = received.vnis.iter().filter_map(|(vni, fault)| {
                let fault = fault.as_ref()?;
                Some(format!("VNI {vni} imports it and does not use it: {fault}"))
            });
            let faults: Vec<String> = faults.chain(vrf_faults).collect();
            return (!faults.is_empty()).then(|| faults.join("; "));
        }
        let told = told_targets(&received);
        let vnis = self.evpn.vnis();
        let ours = vnis.iter();
        let ours = ours.map(|it| (format!("VNI {}", it.vni), it.import_targets.as_slice()));
        let here = who_imports(ours).unwrap_or_else(|| "there is no VNI here".to_owned());
        Some(format!(
            "no VNI imports it: {told}, and {here}; put one of its targets into the \
             `import_targets` of a [[vni]] (FRR: `route-target import`), or have it sent with ours"
        ))
    }

    /// A prefix that no VRF takes in.
    fn no_vrf_note(&self, received: &evpn::ReceivedRoute) -> String {
        let vrfs = self.evpn.vrfs();
        let ours = vrfs.iter();
        let ours = ours.map(|it| (format!("VRF {}", it.name), it.import_targets.as_slice()));
        let here = who_imports(ours).unwrap_or_else(|| "there is no L3 VNI here".to_owned());
        let told = told_targets(received);
        format!(
            "no VRF imports it: {told}, and {here}; put one of its targets into the \
             `import_targets` of an [instance.l3vni] (FRR: `route-target import` of the VRF's \
             router), or have it sent with ours"
        )
    }
}

/// Who of ours imports which route targets; `None` where nobody is to import any.
fn who_imports<'t, T: ToString + 't>(
    ours: impl ExactSizeIterator<Item = (String, &'t [T])>,
) -> Option<String> {
    let more = ours.len().saturating_sub(NAMED_MAX);
    let named = ours.take(NAMED_MAX).map(|(who, targets)| {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        format!("{who} imports {}", targets.join(", "))
    });
    let named: Vec<String> = named.collect();
    match more {
        _ if named.is_empty() => None,
        0 => Some(named.join("; ")),
        more => Some(format!("{}; and {more} more", named.join("; "))),
    }
}

fn told_targets(received: &evpn::ReceivedRoute) -> String {
    let targets = received.route.path.targets.iter();
    let targets: Vec<String> = targets.map(ToString::to_string).collect();
    match targets.is_empty() {
        true => "it has no route target".to_owned(),
        false => format!("its route targets are {}", targets.join(", ")),
    }
}
