//! What ties an instance to the overlay, as keys with values.

use bgp::Family;
use bgp::family::PerFamily;

use super::{Fields, list, quote, target};
use crate::config::types::{Config, L3Vni, RouteTargets};

pub(super) fn l3vni_fields(config: &Config) -> Fields {
    let mut fields = Fields::default();
    let Some(l3vni) = &config.l3vni else {
        return fields;
    };
    fields.add("id", l3vni.id);
    let automatic = u16::try_from(l3vni.id.get())
        .map(|id| bgp::RouteDistinguisher::of_address(config.router_id, id));
    if automatic != Ok(l3vni.rd) {
        fields.add("rd", quote(l3vni.rd));
    }
    for (key, targets) in [
        ("import_targets", &l3vni.import_targets),
        ("export_targets", &l3vni.export_targets),
    ] {
        if let RouteTargets::Listed(targets) = targets {
            fields.add(key, list(targets.iter().map(target)));
        }
    }
    if let Some(mac) = l3vni.router_mac {
        fields.add("router_mac", quote(mac));
    }
    devices(&mut fields, l3vni);
    for (key, map) in [("import", &l3vni.import), ("export", &l3vni.export)] {
        if let Some(map) = map {
            fields.add(key, quote(map.name()));
        }
    }
    let usual = PerFamily {
        evpn: false,
        ..PerFamily::all(true)
    };
    for (key, families, usual) in [
        ("advertise", l3vni.advertise, usual),
        (
            "default_originate",
            l3vni.default_originate,
            PerFamily::default(),
        ),
    ] {
        if families != usual {
            let named = Family::ALL.into_iter().filter(|it| *families.get(*it));
            fields.add(key, list(named));
        }
    }
    fields.add_unless_default("gateway_ip", l3vni.gateway_ip, false);
    fields.add_unless_default("prefix_routes_only", l3vni.prefix_routes_only, false);
    fields
}

fn devices(fields: &mut Fields, l3vni: &L3Vni) {
    for (key, name, kind) in [
        ("bridge", &l3vni.bridge, "br"),
        ("vxlan", &l3vni.vxlan, "vxlan"),
    ] {
        fields.add_unless_default(key, quote(name), quote(format!("{kind}{}", l3vni.id)));
    }
    if let Some(mtu) = l3vni.mtu {
        fields.add("mtu", mtu);
    }
}
