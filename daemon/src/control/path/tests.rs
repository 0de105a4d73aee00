use super::*;

fn there_and_back(request: &Request) -> Result<Request, ErrorReply> {
    let call = write(request);
    let (path, query) = call
        .target
        .split_once('?')
        .unwrap_or((call.target.as_str(), ""));
    read(call.method, path, query, call.body.as_bytes())
}

#[test]
fn every_request_survives_the_way_over_http() {
    let address: ScopedAddr = "fe80::2%eth0".parse().unwrap();
    let page = Page {
        limit: Some(7),
        after: Some("a b&c=d%/[2]:[é]+".to_owned()),
    };
    let requests = [
        Request::Summary,
        Request::Neighbors { address: None },
        Request::Neighbors {
            address: Some(address),
        },
        Request::Routes(Routes::default()),
        Request::Routes(Routes {
            family: Some(Family::Ipv6Unicast),
            prefix: Some("10.0.0.0/8".parse().unwrap()),
            select: Select::Received(address),
            page: page.clone(),
        }),
        Request::Routes(Routes {
            select: Select::Advertised(address),
            ..Routes::default()
        }),
        Request::Explain {
            target: "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]".to_owned(),
        },
        Request::EvpnVni,
        Request::EvpnMac {
            vni: None,
            page: Page::default(),
        },
        Request::EvpnMac {
            vni: Vni::new(100),
            page: page.clone(),
        },
        Request::EvpnNeighbors {
            vni: Vni::new(100),
            page: page.clone(),
        },
        Request::EvpnVteps,
        Request::EvpnNextHops,
        Request::EvpnRoutes(EvpnRoutes::default()),
        Request::EvpnDuplicates { vni: None },
        Request::EvpnDuplicates { vni: Vni::new(100) },
        Request::ClearDuplicates {
            vni: None,
            address: None,
        },
        Request::ClearDuplicates {
            vni: Vni::new(100),
            address: Some("02:00:00:00:00:01".parse().unwrap()),
        },
        Request::ClearDuplicates {
            vni: None,
            address: Some("fd00::1".parse().unwrap()),
        },
        Request::Arrived {
            vni: Vni::new(100).unwrap(),
            mac: "02:00:00:00:00:01".parse().unwrap(),
            ip: None,
        },
        Request::Arrived {
            vni: Vni::new(100).unwrap(),
            mac: "02:00:00:00:00:01".parse().unwrap(),
            ip: Some("fd00::1".parse().unwrap()),
        },
        Request::EvpnRoutes(EvpnRoutes {
            route_type: Some(2),
            vni: Vni::new(100),
            rd: Some("10.10.0.1:100".parse().unwrap()),
            prefix: Some("10.20.0.0/16".parse().unwrap()),
            page,
        }),
        Request::Bfd,
        Request::Instances,
        Request::Running(Language::Toml),
        Request::Running(Language::Frr),
        Request::Configure {
            lines: Lines("router bgp 65001\n no neighbor 10.0.0.2\nend\n".to_owned()),
            dry_run: true,
        },
        Request::Debug {
            words: "bgp updates in 10.0.0.2".to_owned(),
            on: true,
        },
        Request::Debugging,
        Request::Write,
        Request::Verify.of(Some("plane-b")),
        Request::Neighbors {
            address: Some(address),
        }
        .of(Some("plane-b")),
        Request::Drain(Drain::default()).of(Some("plane-b")),
        Request::DrainStatus,
        Request::Drain(Drain::default()),
        Request::Drain(Drain {
            neighbor: Some(address),
            reason: Some("new \"switch\"".to_owned()),
            duration: Some(Duration::from_secs(1800)),
            force: true,
            dry_run: true,
        }),
        Request::Undrain {
            neighbor: None,
            force: false,
        },
        Request::Undrain {
            neighbor: Some(address),
            force: true,
        },
        Request::Rpki {
            prefix: None,
            asn: None,
        },
        Request::Rpki {
            prefix: Some("10.0.0.0/8".parse().unwrap()),
            asn: Some(bgp::Asn(65001)),
        },
        Request::Verify,
        Request::Reload { dry_run: true },
        Request::Clear(Clear {
            neighbor: None,
            soft: SoftReset::In,
            ..Clear::default()
        }),
        Request::Clear(Clear {
            neighbor: Some(address),
            soft: SoftReset::None,
            hard: true,
            reason: Some("cable 7".to_owned()),
        }),
        Request::PrefixLists,
        Request::RouteMaps { name: None },
        Request::RouteMaps {
            name: Some("a & b".to_owned()),
        },
        Request::Metrics,
        Request::Memory,
        Request::Version,
        Request::Networks,
        Request::NetworkCreate(create(Gateways::First)),
        Request::NetworkCreate(NetworkCreate {
            vrf: Some("red".to_owned()),
            ..create(Gateways::None)
        })
        .of(Some("plane-b")),
        Request::NetworkCreate(NetworkCreate {
            force: true,
            dry_run: true,
            ..create(Gateways::These(vec![
                "10.30.0.254".parse().unwrap(),
                "2001:db8::9".parse().unwrap(),
            ]))
        }),
        Request::NetworkDelete(NetworkDelete {
            vni: Vni::new(300).unwrap(),
            force: true,
            dry_run: false,
        }),
    ];
    for request in requests {
        assert_eq!(there_and_back(&request), Ok(request));
    }
}

fn create(gateway: Gateways) -> NetworkCreate {
    NetworkCreate {
        vni: Vni::new(300).unwrap(),
        name: "guests \"2\"".to_owned(),
        networks: vec![
            "10.30.0.0/24".parse().unwrap(),
            "2001:db8::/64".parse().unwrap(),
        ],
        gateway,
        vrf: None,
        force: false,
        dry_run: false,
    }
}

fn kind(method: Method, path: &str, query: &str, body: &str) -> ErrorKind {
    read(method, path, query, body.as_bytes()).unwrap_err().kind
}

#[test]
fn what_makes_no_sense_is_refused_with_the_kind_that_says_why() {
    use ErrorKind::{BadRequest, Method as WrongMethod, NotFound};
    use Method::{Get, Post};
    for (method, path, query, body, expected) in [
        (Get, "/", "", "", NotFound),
        (Get, "/v1/nothing", "", "", NotFound),
        (Post, "/v1/nothing", "", "", NotFound),
        (Post, "/v1/summary", "", "", WrongMethod),
        (Post, "/v1/explain", "", "", WrongMethod),
        (Get, "/v1/reload", "", "", WrongMethod),
        (Get, "/v1/summary", "x=1", "", BadRequest),
        (Get, "/v1/evpn/routes", "type=6", "", BadRequest),
        (Get, "/v1/evpn/routes", "rd=100", "", BadRequest),
        (Get, "/v1/evpn/vteps", "vni=100", "", BadRequest),
        (Post, "/v1/networks", "", "{\"vni\": 300}", BadRequest),
        (
            Post,
            "/v1/networks",
            "",
            "{\"vni\": 300, \"name\": \"a\"}",
            BadRequest,
        ),
        (Post, "/v1/networks/delete", "", "", BadRequest),
        (Get, "/v1/rpki", "asn=1", "", BadRequest),
        (Get, "/v1/rpki", "prefix=10.0.0.0/33", "", BadRequest),
        (Get, "/v1/routes", "prefx=10.0.0.0/8", "", BadRequest),
        (Get, "/v1/routes", "prefix=10.0.0.0/33", "", BadRequest),
        (Get, "/v1/routes", "family=ipv5", "", BadRequest),
        (Get, "/v1/routes", "limit=-1", "", BadRequest),
        (Get, "/v1/routes", "limit=1&limit=2", "", BadRequest),
        (
            Get,
            "/v1/routes",
            "received=10.0.0.1&advertised=10.0.0.1",
            "",
            BadRequest,
        ),
        (Get, "/v1/routes", "after=%zz", "", BadRequest),
        (Get, "/v1/routes", "after=%f", "", BadRequest),
        (Get, "/v1/routes", "after=%ff", "", BadRequest),
        (Get, "/v1/explain", "", "", BadRequest),
        (Get, "/v1/evpn/mac", "vni=16777216", "", BadRequest),
        (Get, "/v1/neighbors", "address=site-b", "", BadRequest),
        (Post, "/v1/drain", "", "{", BadRequest),
        (Post, "/v1/drain", "", "[]", BadRequest),
        (Post, "/v1/drain", "", r#"{"fore": true}"#, BadRequest),
        (Post, "/v1/drain", "force=true", "", BadRequest),
        (Post, "/v1/clear", "", "", BadRequest),
        (
            Post,
            "/v1/clear",
            "",
            r#"{"all": true, "neighbor": "10.0.0.1"}"#,
            BadRequest,
        ),
        (
            Post,
            "/v1/clear",
            "",
            r#"{"all": true, "soft": "maybe"}"#,
            BadRequest,
        ),
    ] {
        assert_eq!(
            kind(method, path, query, body),
            expected,
            "{path}?{query} {body}"
        );
    }
}

#[test]
fn an_empty_body_of_an_order_means_its_defaults() {
    assert_eq!(
        read(Method::Post, "/v1/drain", "", b" \n"),
        Ok(Request::Drain(Drain::default()))
    );
}
