//! What ties an instance to the overlay as it stands in a file: `[instance.l3vni]`, and `[l3vni]` of
//! the default one.
//!
//! Every value by itself. What the instance needs for it, and what may not be there twice, is for
//! [`accept()`](crate::config::accept()).

use bgp::community::ExtendedCommunity;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::{Family, Vni};
use toml::de::DeValue;

use super::vni::{is_unicast, targets, vni_number};
use crate::config::error::At;
use crate::config::read::{Reading, Table, boolean, name, new_device, number, text};

/// `[l3vni]`, `[instance.l3vni]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct L3VniTable {
    /// `id`.
    pub id: Option<At<Vni>>,
    /// `rd`.
    pub rd: Option<At<RouteDistinguisher>>,
    /// `import_targets`.
    pub import_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `export_targets`.
    pub export_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `router_mac`.
    pub router_mac: Option<At<MacAddress>>,
    /// `bridge`.
    pub bridge: Option<At<String>>,
    /// `vxlan`.
    pub vxlan: Option<At<String>>,
    /// `mtu`.
    pub mtu: Option<At<u32>>,
    /// `import`.
    pub import: Option<At<String>>,
    /// `export`.
    pub export: Option<At<String>>,
    /// `advertise`.
    pub advertise: Option<At<Vec<At<Family>>>>,
    /// `default_originate`.
    pub default_originate: Option<At<Vec<At<Family>>>>,
    /// `gateway_ip`.
    pub gateway_ip: Option<At<bool>>,
    /// `prefix_routes_only`.
    pub prefix_routes_only: Option<At<bool>>,
}

pub(super) fn l3vni(table: &mut Table<'_, '_>) -> L3VniTable {
    L3VniTable {
        id: vni_number(table),
        rd: super::vni::rd(table),
        import_targets: targets(table, "import_targets"),
        export_targets: targets(table, "export_targets"),
        router_mac: table.get("router_mac", |value| {
            let parse = |text: &str| text.parse().ok().filter(is_unicast);
            text("a unicast MAC address like \"02:00:00:00:40:01\"", parse)(value)
        }),
        bridge: table.get("bridge", new_device),
        vxlan: table.get("vxlan", new_device),
        mtu: table.get("mtu", number(1280..=65_535)),
        import: table.get("import", name(63)),
        export: table.get("export", name(63)),
        advertise: table.list("advertise", ip_family),
        default_originate: table.list("default_originate", ip_family),
        gateway_ip: table.get("gateway_ip", boolean),
        prefix_routes_only: table.get("prefix_routes_only", boolean),
    }
}

pub(super) fn ip_family(value: &DeValue<'_>) -> Reading<Family> {
    match value.as_str() {
        Some("ipv4_unicast") => Ok(Family::Ipv4Unicast),
        Some("ipv6_unicast") => Ok(Family::Ipv6Unicast),
        _ => Err("\"ipv4_unicast\" or \"ipv6_unicast\"".into()),
    }
}
