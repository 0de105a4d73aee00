//! Orders for overlay networks to routers that have no file to keep them in.

use std::path::PathBuf;

use rbgpd::control::{ErrorKind, ErrorReply, Gateways, NetworkCreate, NetworkDelete, Request};
use rbgpd::{Options, Router};

use crate::ends::{ends, parse};

fn orders() -> [Request; 2] {
    let vni = bgp::Vni::new(300).unwrap();
    [
        Request::NetworkCreate(NetworkCreate {
            vni,
            name: "guests".to_owned(),
            networks: vec!["10.30.0.0/24".parse().unwrap()],
            gateway: Gateways::First,
            vrf: None,
            force: true,
            dry_run: false,
        }),
        Request::NetworkDelete(NetworkDelete {
            vni,
            force: true,
            dry_run: false,
        }),
    ]
}

async fn refused(router: &Router) -> Vec<ErrorReply> {
    let mut errors = Vec::new();
    for order in orders() {
        errors.push(router.ask(order).await.unwrap_err());
    }
    errors
}

#[tokio::test]
async fn a_router_without_a_file_or_with_one_in_another_syntax_refuses() {
    let [end] = ends(7, 1);
    let evpn = format!("{}[evpn]\nvtep = \"10.10.0.1\"\n", end.head());
    let router = Router::start(parse(&evpn), Options::default()).unwrap();
    for error in refused(&router).await {
        assert_eq!(error.error, "this router was started without a file");
    }
    router.stop().await;
    let file = std::env::temp_dir().join(format!("rbgpd-network-{}-frr.conf", std::process::id()));
    let frr = "router bgp 65001\n bgp router-id 10.10.0.1\n";
    std::fs::write(&file, frr).unwrap();
    let options = Options {
        config_file: Some(file.clone()),
        ..Options::default()
    };
    let router = Router::start(parse(&evpn), options).unwrap();
    for error in refused(&router).await {
        assert_eq!(error.kind, ErrorKind::BadConfig);
        let named = format!("`{}` is not in TOML", PathBuf::from(&file).display());
        assert!(error.error.starts_with(&named), "{error}");
    }
    router.stop().await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), frr);
    std::fs::remove_file(file).unwrap();
}
