//! Settings of the host that routing between overlay networks needs, and that are not ours to make unless the
//! configuration says so.
//!
//! They are for all of the host's interfaces, so somebody else answers for them: what is off is named
//! with what it leads to and the command that mends it, at the start and in `show summary`.
//!
//! Not here: settings of devices that rbgpd makes, which it sets itself.

use std::path::Path;

use bgp::Family;

use crate::config::{Config, Kernel, Neighbor};

/// What the kernel is to do with packets of networks that have their gateway here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    ipv4: bool,
    ipv6: bool,
    /// Packets come through tunnels whose way back may be another.
    tunnels: bool,
}

impl Needs {
    /// What this configuration needs.
    pub(crate) fn of(config: &Config) -> Self {
        let gateways = || config.vnis.iter().flat_map(|vni| &vni.gateway);
        let tunnels = config.l3vni.is_some();
        // A router of the tenant's that speaks IPv6 sends IPv6 through here.
        let tells = |it: &Neighbor| it.families.get(Family::Ipv6Unicast).is_some();
        let behind = tunnels && config.neighbors.iter().any(tells);
        Self {
            ipv4: tunnels || gateways().any(|it| it.is_ipv4()),
            ipv6: behind || gateways().any(|it| it.is_ipv6()),
            tunnels,
        }
    }
}

/// What the host does; `None` where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    ip_forward: Option<u8>,
    ipv6_forwarding: Option<u8>,
    rp_filter: Option<u8>,
}

impl Settings {
    /// Reads them below `root`, which is `/proc/sys/net`. They are those of our network namespace.
    pub(crate) fn read(root: &Path) -> Self {
        let number = |path: &str| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            text.trim().parse().ok()
        };
        Self {
            ip_forward: number("ipv4/ip_forward"),
            ipv6_forwarding: number("ipv6/conf/all/forwarding"),
            rp_filter: number("ipv4/conf/all/rp_filter"),
        }
    }

    /// The same with what the configuration has us turn on. Where that cannot be done, `verify` says so.
    fn turned_on(self, kernel: &Kernel) -> Self {
        let on = |asked: Option<bool>, have| match asked {
            Some(true) => Some(1),
            Some(false) | None => have,
        };
        Self {
            ip_forward: on(kernel.ipv4_forwarding, self.ip_forward),
            ipv6_forwarding: on(kernel.ipv6_forwarding, self.ipv6_forwarding),
            ..self
        }
    }

    /// What of it stands against what is needed, a line each.
    pub(crate) fn notices(self, needs: Needs) -> Vec<String> {
        let mut notices = Vec::new();
        for (needed, have, key) in [
            (needs.ipv4, self.ip_forward, "net.ipv4.ip_forward"),
            (
                needs.ipv6,
                self.ipv6_forwarding,
                "net.ipv6.conf.all.forwarding",
            ),
        ] {
            if needed && have == Some(0) {
                notices.push(format!(
                    "{key} is 0: packets to and from gateways of overlay networks are dropped; \
                     `sysctl -w {key}=1`"
                ));
            }
        }
        if let Some(filter) = self.rp_filter.filter(|it| needs.tunnels && *it != 0) {
            let key = "net.ipv4.conf.all.rp_filter";
            notices.push(format!(
                "{key} is {filter}: packets of other sites are dropped whose subnet is on this side, \
                 too; `sysctl -w {key}=0`, and 1 or 2 for single interfaces"
            ));
        }
        notices
    }
}

/// The lines for a configuration on this host.
pub(crate) fn notices(config: &Config) -> Vec<String> {
    let needs = Needs::of(config);
    match needs == Needs::default() {
        true => Vec::new(),
        false => {
            let settings = Settings::read(Path::new("/proc/sys/net"));
            settings.turned_on(&config.kernel).notices(needs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Needs = Needs {
        ipv4: true,
        ipv6: true,
        tunnels: true,
    };

    #[test]
    fn what_is_off_is_named_where_it_is_needed() {
        let off = Settings {
            ip_forward: Some(0),
            ipv6_forwarding: Some(0),
            rp_filter: Some(2),
        };
        let lines = off.notices(ALL);
        assert_eq!(
            lines,
            [
                "net.ipv4.ip_forward is 0: packets to and from gateways of overlay networks are \
                 dropped; `sysctl -w net.ipv4.ip_forward=1`",
                "net.ipv6.conf.all.forwarding is 0: packets to and from gateways of overlay networks \
                 are dropped; `sysctl -w net.ipv6.conf.all.forwarding=1`",
                "net.ipv4.conf.all.rp_filter is 2: packets of other sites are dropped whose subnet is \
                 on this side, too; `sysctl -w net.ipv4.conf.all.rp_filter=0`, and 1 or 2 for single \
                 interfaces",
            ]
        );
        assert!(off.notices(Needs::default()).is_empty());
        // What is turned on by us is not to be turned on by hand.
        let asked = Kernel {
            ipv4_forwarding: Some(true),
            ipv6_forwarding: Some(false),
            ..Kernel::default()
        };
        assert_eq!(off.turned_on(&asked).notices(ALL), lines[1..]);
        let on = Settings {
            ip_forward: Some(1),
            ipv6_forwarding: Some(1),
            rp_filter: Some(0),
        };
        assert!(on.notices(ALL).is_empty());
        // A kernel without IPv6.
        let silent = Settings {
            ipv6_forwarding: None,
            ..on
        };
        assert!(silent.notices(ALL).is_empty());
    }

    #[test]
    fn a_host_is_asked_in_its_own_files() {
        let root = std::env::temp_dir().join(format!("rbgpd-forwarding-{}", std::process::id()));
        for (file, text) in [
            ("ipv4/ip_forward", "0\n"),
            ("ipv6/conf/all/forwarding", "1\n"),
            ("ipv4/conf/all/rp_filter", "nonsense"),
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let read = Settings::read(&root);
        std::fs::remove_dir_all(&root).unwrap();
        let expected = Settings {
            ip_forward: Some(0),
            ipv6_forwarding: Some(1),
            rp_filter: None,
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_gateway_needs_forwarding_of_its_own_version() {
        let text = |gateway: &str| {
            format!(
                "asn = 65001\nrouter_id = \"10.0.0.1\"\n[evpn]\nvtep = \"10.0.0.1\"\n[[vni]]\n\
                 id = 100\nname = \"a\"\n{gateway}\n"
            )
        };
        let needs = |gateway: &str| {
            let config = crate::config::parse(&text(gateway), "a.toml").unwrap();
            Needs::of(&config)
        };
        assert_eq!(needs(""), Needs::default());
        let ipv6 = needs("gateway = [\"fd00::1/64\"]");
        assert!(ipv6.ipv6 && !ipv6.ipv4 && !ipv6.tunnels);
        assert!(needs("gateway = [\"10.1.0.1/24\"]").ipv4);
    }
}
