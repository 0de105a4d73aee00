//! Sessions of `bfd`, and what neighbours have of them.

use super::*;

fn same(lines: &str, ours: &str) {
    let config = config(&format!(
        "router bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n"
    ));
    let multipath = "ipv4_unicast = { multipath = { paths = 256 } }\n\
                     ipv6_unicast = { multipath = { paths = 256 } }\n";
    let head = format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n{multipath}");
    assert_eq!(config, toml(&format!("{head}{ours}")), "{lines}");
}

#[test]
fn peers_without_a_neighbor_have_sessions_of_their_own() {
    same(
        "bfd\n profile FAST\n  transmit-interval 50\n  receive-interval 50\n  passive-mode\n  minimum-ttl 250\n \
         peer 10.0.0.9 interface eth1\n  profile FAST\n  detect-multiplier 5\n \
         peer 10.0.0.9 local-address 10.0.0.1 multihop vrf red\n  shutdown\n \
         peer 10.0.0.8 multihop local-address 10.0.0.1\n  profile FAST\n peer 10.0.0.7\n no peer 10.0.0.7\n",
        "[[bfd]]\npeer = \"10.0.0.8\"\nlocal = \"10.0.0.1\"\nmultihop = true\ninterval = \"50ms\"\npassive = true\nmin_ttl = 250\n\
         [[bfd]]\npeer = \"10.0.0.9\"\ninterface = \"eth1\"\ninterval = \"50ms\"\npassive = true\nmultiplier = 5\n\
         [[bfd]]\npeer = \"10.0.0.9\"\nlocal = \"10.0.0.1\"\nvrf = \"red\"\nmultihop = true\nmin_ttl = 254\nshutdown = true\n",
    );
}

#[test]
fn a_neighbor_shares_the_session_of_its_path() {
    let timers = "timers = { hold = \"180s\", keepalive = \"60s\" }\nipv4_unicast = { add_path_receive = true }\n";
    let ours = format!(
        "[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65001\n{timers}\
         bfd = {{ multihop = true, interval = \"100ms\", multiplier = 5, min_ttl = 250, strict = true }}\n\
         [[bfd]]\npeer = \"10.0.0.2\"\nlocal = \"10.0.0.1\"\nmultihop = true\nmin_ttl = 250\ninterval = \"100ms\"\nmultiplier = 5\n"
    );
    same(
        " neighbor 10.0.0.2 remote-as 65001\n neighbor 10.0.0.2 bfd 5 100 100\n neighbor 10.0.0.2 bfd strict\n\
         bfd\n peer 10.0.0.2 multihop local-address 10.0.0.1\n  minimum-ttl 250\n",
        &ours,
    );
    // On the link of another AS those are two sessions.
    let apart = format!(
        "[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n{timers}bfd = true\n\
         [[bfd]]\npeer = \"10.0.0.2\"\nlocal = \"10.0.0.1\"\nmultihop = true\nmin_ttl = 254\nmultiplier = 9\n"
    );
    same(
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 bfd\n\
         bfd\n peer 10.0.0.2 multihop local-address 10.0.0.1\n  detect-multiplier 9\n",
        &apart,
    );
}

#[test]
fn echo_is_offered_where_something_is_said_of_it() {
    same(
        "bfd\n profile LOOPS\n  echo-mode\n  echo transmit-interval 70\n \
         profile TIMES\n  echo transmit-interval 90\n  echo receive-interval disabled\n \
         peer 10.0.0.5\n  echo transmit-interval 80\n peer 10.0.0.6\n  echo-interval 60\n  echo-mode\n \
         peer 10.0.0.7\n  profile TIMES\n  echo-mode\n peer 10.0.0.8\n  profile LOOPS\n \
         peer 10.0.0.9\n  echo-mode\n  no echo-mode\n  echo receive-interval 200\n \
         peer 10.0.0.10 multihop local-address 10.0.0.1\n  profile LOOPS\n",
        "[[bfd]]\npeer = \"10.0.0.10\"\nlocal = \"10.0.0.1\"\nmultihop = true\nmin_ttl = 254\n\
         [[bfd]]\npeer = \"10.0.0.5\"\n\
         [[bfd]]\npeer = \"10.0.0.6\"\necho = true\necho_transmit_interval = \"60ms\"\necho_receive_interval = \"60ms\"\n\
         [[bfd]]\npeer = \"10.0.0.7\"\necho = true\necho_transmit_interval = \"90ms\"\n\
         [[bfd]]\npeer = \"10.0.0.8\"\necho = true\necho_transmit_interval = \"70ms\"\necho_receive_interval = \"50ms\"\n\
         [[bfd]]\npeer = \"10.0.0.9\"\necho_receive_interval = \"200ms\"\n",
    );
}

#[test]
fn echo_over_several_hops_is_refused_by_its_line() {
    let text = "router bgp 65001\n bgp router-id 10.0.0.1\nbfd\n \
                peer 10.0.0.9 multihop local-address 10.0.0.1\n  echo-mode\n";
    let (_, read) = parsed(text, &Host::default());
    let errors = read.unwrap_err();
    assert_eq!(errors.len(), 1, "{}", all(&errors));
    assert_eq!(errors[0].place.line, 5);
    assert!(
        all(&errors).contains("echo is for a peer on the link"),
        "{}",
        all(&errors)
    );
}

#[test]
fn a_minimum_ttl_on_the_link_is_refused_by_its_line() {
    let text =
        "router bgp 65001\n bgp router-id 10.0.0.1\nbfd\n peer 10.0.0.9\n  minimum-ttl 250\n";
    let (_, read) = parsed(text, &Host::default());
    let errors = read.unwrap_err();
    assert_eq!(errors.len(), 1, "{}", all(&errors));
    assert_eq!(errors[0].place.line, 5);
    assert!(
        all(&errors).contains("without `multihop` is on the link"),
        "{}",
        all(&errors)
    );
}
