//! Configurations: the same job in each daemon's language.

use std::fmt::Write;

use super::daemon::{ADDRESS, ASN, Job};
use super::policy;
use super::table::FIRST_VNI;
use super::wire::Family;

/// Appends a line; writing to a `String` cannot fail.
macro_rules! line {
    ($out:ident, $($words:tt)*) => {{
        let _ = writeln!($out, $($words)*);
    }};
}

pub(super) fn rbgpd(job: &Job) -> String {
    let mut out = String::new();
    line!(out, "asn = {ASN}\nrouter_id = \"{ADDRESS}\"");
    line!(
        out,
        "ebgp_requires_policy = false\nlisten = [\"{ADDRESS}:179\"]"
    );
    line!(out, "[log]\nlevel = \"warn\"");
    line!(out, "[kernel]\nenabled = {}", job.kernel);
    for neighbor in &job.neighbors {
        let family = match job.family {
            Family::Ipv4 => "ipv4_unicast",
            Family::Evpn => "evpn",
        };
        let mut maps = Vec::new();
        if job.policy {
            maps.push("import = \"BENCH\"");
        }
        match neighbor.told {
            true if job.policy => maps.push("export = \"BENCH\""),
            true => {}
            false => maps.push("export = \"NOTHING\""),
        }
        line!(out, "[[neighbor]]\naddress = \"{}\"", neighbor.address);
        line!(out, "remote_as = {}\npassive = true", neighbor.asn);
        line!(out, "{family} = {{ {} }}", maps.join(", "));
        if neighbor.watched {
            line!(out, "bfd = {{ interval = \"50ms\", multiplier = 3 }}");
            line!(out, "timers = {{ hold = \"12s\" }}");
        }
    }
    if job.vnis > 0 {
        line!(out, "[evpn]\nvtep = \"{ADDRESS}\"");
    }
    for vni in FIRST_VNI..FIRST_VNI + job.vnis {
        line!(out, "[[vni]]\nid = {vni}\nname = \"net-{vni}\"");
    }
    line!(
        out,
        "[[prefix_list]]\nname = \"NONE\"\nrules = [\"deny any\"]"
    );
    line!(out, "[[route_map]]\nname = \"NOTHING\"");
    line!(out, "entry = [{{ seq = 10, action = \"deny\" }}]");
    if job.policy {
        policy::rbgpd(&mut out);
    }
    out
}

pub(super) fn bird(job: &Job, threads: bool) -> String {
    let mut out = String::new();
    line!(out, "router id {ADDRESS};");
    if threads {
        line!(out, "threads 2;");
    }
    line!(out, "protocol device {{}}");
    if job.policy {
        policy::bird(&mut out);
    }
    if job.kernel {
        line!(
            out,
            "protocol kernel {{ ipv4 {{ import none; export all; }}; }}"
        );
    }
    if job.family == Family::Evpn {
        line!(out, "evpn table evpntab;");
    }
    for (number, neighbor) in job.neighbors.iter().enumerate() {
        line!(out, "protocol bgp p{number} {{");
        line!(out, " local {ADDRESS} as {ASN};");
        line!(out, " neighbor {} as {};", neighbor.address, neighbor.asn);
        line!(out, " passive on;");
        let filter = |told| match (told, job.policy) {
            (false, _) => "none",
            (true, false) => "all",
            (true, true) => "filter bench",
        };
        match job.family {
            Family::Ipv4 => {
                line!(
                    out,
                    " ipv4 {{ import {}; export {}; next hop self; }};",
                    filter(true),
                    filter(neighbor.told)
                );
            }
            Family::Evpn => {
                line!(
                    out,
                    " evpn {{ table evpntab; import all; export {}; next hop keep; }};",
                    filter(neighbor.told)
                );
            }
        }
        line!(out, "}}");
    }
    out
}

pub(super) fn frr(job: &Job, long_queues: bool) -> String {
    let mut out = String::new();
    line!(out, "frr defaults traditional\nhostname bench");
    if long_queues {
        line!(out, "bgp input-queue-limit 10000000");
        line!(out, "bgp output-queue-limit 10000000");
    }
    if job.policy {
        policy::frr(&mut out);
    }
    line!(out, "route-map NOTHING deny 10\nexit");
    line!(out, "router bgp {ASN}\n bgp router-id {ADDRESS}");
    line!(
        out,
        " no bgp ebgp-requires-policy\n no bgp default ipv4-unicast"
    );
    for neighbor in &job.neighbors {
        let address = neighbor.address;
        line!(out, " neighbor {address} remote-as {}", neighbor.asn);
        line!(out, " neighbor {address} passive");
    }
    match job.family {
        Family::Ipv4 => line!(out, " address-family ipv4 unicast"),
        Family::Evpn => line!(out, " address-family l2vpn evpn"),
    }
    for neighbor in &job.neighbors {
        let address = neighbor.address;
        line!(out, "  neighbor {address} activate");
        if job.family == Family::Ipv4 {
            line!(out, "  neighbor {address} next-hop-self");
        }
        if job.policy {
            line!(out, "  neighbor {address} route-map BENCH in");
        }
        match neighbor.told {
            true if job.policy => line!(out, "  neighbor {address} route-map BENCH out"),
            true => {}
            false => line!(out, "  neighbor {address} route-map NOTHING out"),
        }
    }
    if job.vnis > 0 {
        line!(out, "  advertise-all-vni");
    }
    line!(out, " exit-address-family\nexit");
    out
}

pub(super) fn gobgp(job: &Job) -> String {
    let mut out = String::new();
    line!(
        out,
        "[global.config]\nas = {ASN}\nrouter-id = \"{ADDRESS}\""
    );
    line!(out, "local-address-list = [\"{ADDRESS}\"]");
    // What goes to whom is one policy of the whole daemon.
    let quiet: Vec<String> = job
        .neighbors
        .iter()
        .filter(|neighbor| !neighbor.told)
        .map(|neighbor| format!("\"{}/32\"", neighbor.address))
        .collect();
    if !quiet.is_empty() {
        line!(
            out,
            "[global.apply-policy.config]\nexport-policy-list = [\"told\"]"
        );
        line!(out, "default-export-policy = \"accept-route\"");
        line!(
            out,
            "[[defined-sets.neighbor-sets]]\nneighbor-set-name = \"quiet\""
        );
        line!(out, "neighbor-info-list = [{}]", quiet.join(", "));
        line!(out, "[[policy-definitions]]\nname = \"told\"");
        line!(out, "[[policy-definitions.statements]]\nname = \"quiet\"");
        line!(
            out,
            "[policy-definitions.statements.conditions.match-neighbor-set]"
        );
        line!(out, "neighbor-set = \"quiet\"");
        line!(out, "[policy-definitions.statements.actions]");
        line!(out, "route-disposition = \"reject-route\"");
    }
    for neighbor in &job.neighbors {
        line!(out, "[[neighbors]]\n[neighbors.config]");
        line!(out, "neighbor-address = \"{}\"", neighbor.address);
        line!(out, "peer-as = {}", neighbor.asn);
        line!(out, "[neighbors.transport.config]\npassive-mode = true");
        line!(out, "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]");
        let family = match job.family {
            Family::Ipv4 => "ipv4-unicast",
            Family::Evpn => "l2vpn-evpn",
        };
        line!(out, "afi-safi-name = \"{family}\"");
    }
    out
}

pub(super) fn openbgpd(job: &Job, socket: &str) -> String {
    let mut out = String::new();
    line!(out, "AS {ASN}\nrouter-id {ADDRESS}\nlisten on {ADDRESS}");
    line!(out, "socket \"{socket}\"\nfib-update no");
    for neighbor in &job.neighbors {
        line!(out, "neighbor {} {{", neighbor.address);
        line!(
            out,
            "  remote-as {}\n  passive\n  announce IPv4 unicast",
            neighbor.asn
        );
        line!(out, "  set nexthop self\n}}");
    }
    line!(out, "allow from any");
    for neighbor in &job.neighbors {
        let verb = if neighbor.told { "allow" } else { "deny" };
        line!(out, "{verb} to {}", neighbor.address);
    }
    out
}
