//! Two planes of WireGuard, an instance of rbgpd each, and FRR at the other end of both.
//!
//! ```text
//! left: rbgpd AS 65001                                  right: FRR AS 65002
//!   default  ─ wg0 10.20.0.1 ═══ ISP A ═══ 10.20.0.2 fa ─┐  192.168.9.0/24 to both planes
//!   plane-b  ─ wg1 10.21.0.1 ═══ ISP B ═══ 10.21.0.2 fb ─┘  192.168.10.0/24 to plane A alone
//! ```
//!
//! Each instance keeps the AllowedIPs of its own interface in step with its own routes.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Frr, Lab, Namespace, Pair, Process, Release, Requirement, scenario_beside_others,
};

const NEEDS: [Requirement; 6] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::Tun,
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
];

const PATIENCE: Duration = Duration::from_secs(60);

/// Name here and there, third octet of the tunnel, addresses of the underlay, port.
const PLANES: [(&str, &str, u8, [&str; 2], u16); 2] = [
    ("wg0", "fa", 20, ["10.9.0.1", "10.9.0.2"], 51820),
    ("wg1", "fb", 21, ["10.9.0.13", "10.9.0.3"], 51821),
];

const FRR: &str = "\
ip prefix-list BOTH seq 5 permit 192.168.9.0/24
route-map B permit 10
 match ip address prefix-list BOTH
router bgp 65002
 bgp router-id 10.20.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.20.0.1 remote-as 65001
 neighbor 10.20.0.1 timers 1 3
 neighbor 10.20.0.1 timers connect 1
 neighbor 10.21.0.1 remote-as 65001
 neighbor 10.21.0.1 timers 1 3
 neighbor 10.21.0.1 timers connect 1
 address-family ipv4 unicast
  network 192.168.9.0/24
  network 192.168.10.0/24
  neighbor 10.21.0.1 route-map B out
 exit-address-family
";

/// One plane: what stands at the top of the file, or beneath `[[instance]]`.
fn plane(of: &str, subnet: u8, interface: &str, network: &str) -> String {
    format!(
        "listen = [\"10.{subnet}.0.1:179\"]\n\
         [{of}underlay]\ninterface = \"{interface}\"\nsync_allowed_ips = true\n\
         [{of}graceful_restart]\nenabled = false\n\
         [{of}ipv4_unicast]\nnetworks = [\"{network}\"]\n\
         [[{of}neighbor]]\naddress = \"10.{subnet}.0.2\"\nremote_as = 65002\n\
         timers = {{ connect_retry = \"1s\", keepalive = \"1s\", hold = \"3s\" }}\n\
         ipv4_unicast = {{}}\n"
    )
}

fn ours() -> String {
    format!(
        "{}[[instance]]\nname = \"plane-b\"\nasn = 65001\nrouter_id = \"10.21.0.1\"\n\
         kernel = {{ distance = {{ external = 30, internal = 30 }} }}\n{}",
        plane("", 20, "wg0", "10.100.0.0/16"),
        plane("instance.", 21, "wg1", "10.101.0.0/16"),
    )
}

/// Makes an interface of WireGuard; its public key.
fn interface(
    lab: &Lab,
    space: &Namespace,
    (device, address, port): (&str, String, u16),
) -> Result<(Process, String), Error> {
    let mut command = space.command("wireguard-go");
    command.args(["-f", device]);
    let log = lab.folder("wireguard")?.join(format!("{device}.log"));
    let process = lab.spawn("wireguard-go", command, &log)?;
    let socket = format!("/var/run/wireguard/{device}.sock");
    lab.reach(&format!("{device} is served"), PATIENCE, || {
        space.run(&["test", "-S", &socket]).map(drop)
    })?;
    let key = lab.folder("wireguard")?.join(format!("{device}.key"));
    let key = key.display();
    let script = format!(
        "wg genkey > {key} && wg set {device} listen-port {port} private-key {key} && \
         wg show {device} public-key"
    );
    let public = space.run(&["sh", "-c", &script])?;
    space.ip(&format!("addr add {address} dev {device}"))?;
    space.ip(&format!("link set {device} mtu 1400 up"))?;
    Ok((process, public.trim().to_owned()))
}

/// Both tunnels. Here a peer is allowed its address and what rbgpd adds, there everything.
fn tunnels(lab: &Lab, pair: &Pair<'_>) -> Result<Vec<Process>, Error> {
    let mut processes = Vec::new();
    for (near, far, subnet, [here, there], port) in PLANES {
        let ends = [(&pair.left, near, 1), (&pair.right, far, 2)];
        let mut keys = Vec::new();
        for (space, device, host) in ends {
            let address = format!("10.{subnet}.0.{host}/24");
            let (process, key) = interface(lab, space, (device, address, port))?;
            processes.push(process);
            keys.push(key);
        }
        let [near_key, far_key] = keys.as_slice() else {
            return Err(Error::State("a tunnel has two ends".to_owned()));
        };
        let allowed = format!("10.{subnet}.0.2/32");
        for (space, device, peer, endpoint, allowed) in [
            (&pair.left, near, far_key, there, allowed.as_str()),
            (&pair.right, far, near_key, here, "0.0.0.0/0"),
        ] {
            let endpoint = format!("{endpoint}:{port}");
            space.run(&[
                "wg",
                "set",
                device,
                "peer",
                peer,
                "endpoint",
                &endpoint,
                "allowed-ips",
                allowed,
                "persistent-keepalive",
                "1",
            ])?;
        }
    }
    Ok(processes)
}

#[test]
fn two_planes_of_wireguard_carry_one_prefix_and_the_second_takes_over() -> Result<(), Error> {
    scenario_beside_others("planes", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let _tunnels = tunnels(lab, &pair)?;
        pair.right.ip("addr add 192.168.9.1/32 dev lo")?;
        pair.start_forwarding(&ours())?;
        let frr = pair.frr(Release::Host, FRR)?;
        let routes = |what: &str, wanted: [bool; 2]| {
            lab.reach(what, PATIENCE, || {
                let seen = pair.left.ip("-4 route show 192.168.9.0/24")?;
                let of = |device: &str, metric: u8| {
                    let mut lines = seen.lines();
                    lines.any(|it| it.contains(device) && it.contains(&format!("metric {metric}")))
                };
                match [of("wg0", 20), of("wg1", 30)] == wanted {
                    true => Ok(()),
                    false => Err(Error::State(seen)),
                }
            })
        };
        let reached = |what: &str| {
            let to = [192, 168, 9, 1].into();
            lab.reach(what, PATIENCE, || {
                pair.left.pings(to, 1000).map_err(Error::State)
            })
        };
        routes("a route through each plane", [true, true])?;
        reached("packets through plane A")?;

        // Each interface has the prefixes of its own instance.
        let allowed = |device: &str| pair.left.run(&["wg", "show", device, "allowed-ips"]);
        lab.reach("AllowedIPs", PATIENCE, || {
            let (a, b) = (allowed("wg0")?, allowed("wg1")?);
            let both = [&a, &b].iter().all(|it| it.contains("192.168.9.0/24"));
            match both && a.contains("192.168.10.0/24") && !b.contains("192.168.10.0/24") {
                true => Ok(()),
                false => Err(Error::State(format!("{a}\n{b}"))),
            }
        })?;
        // FRR has from each plane what that plane announces.
        for (from, own, other) in [
            ("10.20.0.1", "10.100.0.0", "10.101.0.0"),
            ("10.21.0.1", "10.101.0.0", "10.100.0.0"),
        ] {
            let show = format!("show ip bgp neighbors {from} routes");
            lab.reach(&show, PATIENCE, || {
                let seen = frr.vtysh(&[&show])?.text();
                match seen.contains(own) && !seen.contains(other) {
                    true => Ok(()),
                    false => Err(Error::State(seen)),
                }
            })?;
        }

        // What one plane knows the other does not, and each tells of its own tunnel.
        let shown = |words: &[&str]| pair.rbgpd.ctl(words).map(|output| output.text());
        let known = shown(&["show", "routes", "192.168.10.0/24"])?;
        assert!(known.contains("10.20.0.2"), "{known}");
        let b = ["--instance", "plane-b"];
        let unknown = shown(&[&b[..], &["show", "routes", "192.168.10.0/24"]].concat())?;
        assert!(!unknown.contains("10.20.0.2"), "{unknown}");
        let told = shown(&[&b[..], &["show", "routes", "--advertised", "10.21.0.2"]].concat())?;
        assert!(told.contains("10.101.0.0/16"), "{told}");
        assert!(
            !told.contains("10.100.0.0/16") && !told.contains("192.168.10"),
            "{told}"
        );
        for (words, tunnel) in [
            (
                vec!["show", "neighbors", "10.20.0.2"],
                "WireGuard wg0, peer",
            ),
            (
                [&b[..], &["show", "neighbors", "10.21.0.2"]].concat(),
                "WireGuard wg1, peer",
            ),
        ] {
            lab.until_shown("tunnel", &[tunnel, "Last handshake"], || shown(&words))?;
        }

        one_prefix_crosses(lab, &pair, &frr)?;

        pair.right.ip("link set fa down")?;
        routes("plane A is lost", [false, true])?;
        reached("packets through plane B")?;
        pair.right.ip("link set fa up")?;
        routes("plane A is back", [true, true])?;
        let verified = pair.ctl(&["verify"])?;
        assert!(verified.starts_with("Equal"), "{verified}");

        // Without the second plane its interface has what it had.
        pair.rbgpd.reload(|text| {
            let instance = text.find("[[instance]]").unwrap_or(text.len());
            text.get(..instance).unwrap_or(text).to_owned()
        })?;
        routes("plane A alone", [true, false])?;
        lab.reach("AllowedIPs of plane B are given back", PATIENCE, || {
            let b = allowed("wg1")?;
            match b.contains("10.21.0.2/32") && !b.contains("192.168.9.0/24") {
                true => Ok(()),
                false => Err(Error::State(b)),
            }
        })?;
        reached("packets through plane A").map(drop)
    })
}

/// Plane B takes one prefix of plane A, by policy: it alone crosses, leads through the tunnel of plane
/// A, and is nothing that the tunnel of plane B is told of. Without the policy it is gone again.
fn one_prefix_crosses(lab: &Lab, pair: &Pair<'_>, frr: &Frr) -> Result<(), Error> {
    const IMPORT: &str = "[[instance.import]]\nfrom = \"default\"\nroute_map = \"ONE\"\n";
    const POLICY: &str = "[[prefix_list]]\nname = \"ONE\"\nrules = [\"permit 192.168.10.0/24\"]\n\
                          [[route_map]]\nname = \"ONE\"\nentry = [{ seq = 10, action = \"permit\", \
                          match = { prefix_list = \"ONE\" } }]\n";
    let in_b = |what: &[&str]| {
        let words = [&["--instance", "plane-b"], what].concat();
        Ok::<_, Error>(pair.rbgpd.ctl(&words)?.text())
    };
    let allowed = |device: &str| pair.left.run(&["wg", "show", device, "allowed-ips"]);
    let before = allowed("wg1")?;
    pair.rbgpd.reload(|text| {
        let at = text.find("[[instance]]").unwrap_or(text.len());
        let (top, instance) = text.split_at(at);
        format!("{top}{POLICY}{instance}{IMPORT}")
    })?;
    let shown = |what: &str, texts: &[&str], words: &[&str]| {
        lab.until_shown(what, texts, || in_b(words)).map(drop)
    };
    let crossing = ["show", "routes", "192.168.10.0/24"];
    shown("the prefix crosses", &["10.20.0.2"], &crossing)?;
    lab.reach("it leads through the tunnel of plane A", PATIENCE, || {
        let seen = pair.left.ip("-4 route show 192.168.10.0/24")?;
        let mut lines = seen.lines();
        let of_b = lines.any(|it| it.contains("dev wg0") && it.contains("metric 30"));
        match of_b && !seen.contains("wg1") {
            true => Ok(()),
            false => Err(Error::State(seen)),
        }
    })?;
    // What the policy refuses is shown as that, and used for nothing.
    for prefix in ["192.168.9.0/24", "10.100.0.0/16"] {
        let shown = in_b(&["show", "routes", prefix])?;
        let mut of_a = shown.lines().filter(|it| it.contains("instance default"));
        assert!(of_a.all(|line| line.starts_with("x ")), "{shown}");
    }
    let back = pair.ctl(&["show", "routes"])?;
    assert!(
        !back.contains("instance plane-b"),
        "nothing goes back: {back}"
    );
    // What plane B tells is its own and what it has imported; AllowedIPs follow devices.
    let told = in_b(&["show", "routes", "--advertised", "10.21.0.2"])?;
    assert!(!told.contains("10.100.0.0/16"), "{told}");
    assert_eq!(sorted(&allowed("wg1")?), sorted(&before));
    let a = allowed("wg0")?;
    assert!(a.contains("192.168.10.0/24"), "{a}");
    let seen = frr
        .vtysh(&["show ip bgp neighbors 10.21.0.1 routes"])?
        .text();
    assert!(!seen.contains("10.100.0.0"), "{seen}");

    pair.rbgpd.reload(|text| text.replace(IMPORT, ""))?;
    lab.reach("and is gone without the import", PATIENCE, || {
        let (seen, known) = (
            pair.left.ip("-4 route show 192.168.10.0/24")?,
            in_b(&crossing)?,
        );
        match seen.contains("metric 30") || known.contains("10.20.0.2") {
            true => Err(Error::State(format!("{seen}\n{known}"))),
            false => Ok(()),
        }
    })?;
    pair.rbgpd.reload(|text| text.replace(POLICY, "")).map(drop)
}

/// Peers with their prefixes, in any order.
fn sorted(allowed: &str) -> Vec<Vec<&str>> {
    let peer = |line| {
        let mut words: Vec<&str> = str::split_whitespace(line).collect();
        words.sort_unstable();
        words
    };
    allowed.lines().map(peer).collect()
}
