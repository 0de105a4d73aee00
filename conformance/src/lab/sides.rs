//! What each side of a session says in its configuration: rbgpd of a neighbour, FRR and BIRD of
//! rbgpd.
//!
//! The addresses are those of [`Pair`](super::Pair). What a test is about it passes in: keys of the
//! neighbour, lines of the session, of the family or of the channel. That a lost session is tried
//! again within a second is said for all.

/// rbgpd's table of a neighbour, and its keys.
pub fn toward(address: &str, asn: u32, keys: &str) -> String {
    format!(
        "[[neighbor]]\naddress = \"{address}\"\nremote_as = {asn}\n\
         timers = {{ connect_retry = \"1s\" }}\n{keys}\n"
    )
}

/// FRR of this AS on the right, with lines of its session to rbgpd in AS 65001 and of the family
/// IPv4 unicast.
pub fn frr_side(asn: u32, session: &str, family: &str) -> String {
    format!(
        "router bgp {asn}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n neighbor 10.9.0.1 remote-as 65001\n \
         neighbor 10.9.0.1 timers connect 1\n {session}\n address-family ipv4 unicast\n  \
         {family}\n exit-address-family\n"
    )
}

/// BIRD of this AS at the third place, with lines of its session to rbgpd in AS 65001 and what it
/// exports.
pub fn bird_side(asn: u32, session: &str, export: &str) -> String {
    format!(
        "router id 10.8.0.3;\n\
         protocol bgp rbgpd {{\n  local 10.8.0.3 as {asn};\n  \
         neighbor 10.8.0.1 as 65001;\n  {session}\n  \
         connect retry time 1; connect delay time 1; error wait time 1, 2;\n  \
         ipv4 {{ import all; export {export}; }};\n}}\n"
    )
}
