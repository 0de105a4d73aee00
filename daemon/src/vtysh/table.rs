//! The one table of commands: the words of each, what answers it, and what it is for.
//!
//! From it come the reading of lines with all abbreviations, completion, the list behind `?`, `list`,
//! and the list in `docs/vtysh.md`. How lines are compared with it is in [`super::grammar`]. Commands about what
//! only FRR has stand in [`mod@absent`].

mod absent;

use super::grammar::Grammar;
use absent::ABSENT;

/// A command.
pub(super) struct Command {
    /// Its words, as [`super::grammar`] reads them.
    pub(super) words: &'static str,
    /// Who answers.
    pub(super) what: What,
    /// What it is for.
    pub(super) help: &'static str,
}

#[cfg(test)]
impl Command {
    /// Whether it is about what only FRR has.
    pub(super) fn is_absent(&self) -> bool {
        ABSENT.iter().any(|it| it.words == self.words)
    }
}

/// What becomes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It is asked of the daemon.
    Ask(Ask),
    RunningConfig,
    Write,
    Configure,
    List,
    /// Another program of this host.
    Run,
    /// Does nothing here and hurts nobody: paging, privileges.
    Nothing,
    Leave,
}

impl What {
    /// Whether FRR refuses it to whoever may only look at what is not configuration.
    pub(super) fn is_privileged(self) -> bool {
        match self {
            What::RunningConfig
            | What::Write
            | What::Configure
            | What::Ask(Ask::Clear | Ask::ClearDuplicates | Ask::Debug | Ask::StartupConfig) => {
                true
            }
            What::Ask(_) | What::List | What::Run | What::Nothing | What::Leave => false,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Version,
    Summary,
    Neighbors,
    GracefulRestart,
    NeighborRoutes,
    Prefix,
    Table,
    Tables,
    Detail,
    Selected,
    Vrfs,
    BgpRouter,
    EvpnRoutes,
    BgpVni,
    EvpnTargets,
    Evpn,
    EvpnVni,
    EvpnMac,
    EvpnArp,
    EvpnNextHops,
    EvpnRmac,
    BfdPeers,
    BfdBrief,
    BfdCounters,
    Route,
    RouteSummary,
    NextHops,
    BgpNextHops,
    RpkiCaches,
    RouteMap,
    PrefixList,
    InterfaceBrief,
    Interface,
    InterfaceDescriptions,
    AccessList,
    CommunityLists,
    AsPathLists,
    PeerGroups,
    Statistics,
    Memory,
    Forwarding,
    Daemons,
    Logging,
    StartupConfig,
    Vrf,
    VrfVnis,
    Clear,
    ClearDuplicates,
    Debug,
    Debugging,
    /// Nothing: that daemon of FRR, which may run beside, has the answer.
    Elsewhere(&'static str),
    /// Nothing, for this reason: it is of FRR's inside.
    NotHere(&'static str),
    /// What FRR has where there is none of it: as text, and as JSON.
    NoneOf(&'static str, &'static str),
    /// Nothing is done, for this reason.
    Taken(&'static str),
}

/// The name of a VRF, then the family, and what is behind.
macro_rules! bgp {
    ($rest:literal) => {
        concat!(
            "show [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] ",
            $rest
        )
    };
}

/// The same without EVPN.
macro_rules! unicast {
    ($rest:literal) => {
        concat!(
            "show [ip] bgp [(vrf|view) NAME] [(ipv4|ipv6) [unicast]] ",
            $rest
        )
    };
}

const fn command(words: &'static str, what: What, help: &'static str) -> Command {
    Command { words, what, help }
}

/// Commands that have an answer, in the order in which lists have them.
const COMMANDS: &[Command] = &[
    command("show version", What::Ask(Ask::Version), "versions"),
    command(
        bgp!("summary [(established|failed)] [json]"),
        What::Ask(Ask::Summary),
        "a line for each neighbor",
    ),
    command(
        bgp!("summary [(established|failed)] (terse|wide) [json]"),
        What::Ask(Ask::Summary),
        "the same, with less above the lines, or with longer ones",
    ),
    command(
        bgp!(
            "summary (neighbor (A.B.C.D|X:X::X:X|WORD)|remote-as (<1-4294967295>|internal|external)) [json]"
        ),
        What::Ask(Ask::Summary),
        "a line for one neighbor, or for those of an AS",
    ),
    command(
        unicast!("neighbors [(A.B.C.D|X:X::X:X|WORD)] graceful-restart [json]"),
        What::Ask(Ask::GracefulRestart),
        "what was agreed on for a restart",
    ),
    command(
        bgp!("neighbors [json]"),
        What::Ask(Ask::Neighbors),
        "everything about the neighbors",
    ),
    command(
        bgp!("neighbors (A.B.C.D|X:X::X:X|WORD) [json]"),
        What::Ask(Ask::Neighbors),
        "everything about one neighbor",
    ),
    command(
        bgp!(
            "neighbors (A.B.C.D|X:X::X:X|WORD) (advertised-routes|received-routes|filtered-routes|routes|bestpath-routes|prefix-counts) [json]"
        ),
        What::Ask(Ask::NeighborRoutes),
        "what a neighbor is told; what it told us, before policy, refused by it, after it, and the best of it; numbers",
    ),
    command(
        unicast!(
            "neighbors (A.B.C.D|X:X::X:X|WORD) (advertised-routes|received-routes|filtered-routes) ((A.B.C.D/M|X:X::X:X/M|detail) [wide]|wide) [json]"
        ),
        What::Ask(Ask::NeighborRoutes),
        "the same of one prefix or of all with everything, or with wider columns",
    ),
    command(
        bgp!("(A.B.C.D|A.B.C.D/M|X:X::X:X|X:X::X:X/M) [(bestpath|multipath)] [json]"),
        What::Ask(Ask::Prefix),
        "the paths of a prefix, or of the longest match of an address",
    ),
    command(bgp!("[json]"), What::Ask(Ask::Table), "the table"),
    command(
        "show [ip] bgp [(vrf|view) NAME] [(ipv4|ipv6) [unicast]] all [wide] [json]",
        What::Ask(Ask::Tables),
        "the tables of all families",
    ),
    command(
        unicast!("(wide|json detail)"),
        What::Ask(Ask::Table),
        "the same with wider columns, or with everything",
    ),
    command(
        unicast!("(detail|detail-routes) [json]"),
        What::Ask(Ask::Detail),
        "the table with everything",
    ),
    command(
        bgp!("statistics [json]"),
        What::Ask(Ask::Statistics),
        "numbers of the table",
    ),
    command(
        "show [ip] bgp [(vrf|view) NAME] statistics-all [json]",
        What::Ask(Ask::Statistics),
        "numbers of all tables",
    ),
    command(
        unicast!("(A.B.C.D/M|X:X::X:X/M) longer-prefixes [json]"),
        What::Ask(Ask::Selected),
        "a prefix and those within it",
    ),
    command(
        unicast!("regexp REGEX [json]"),
        What::Ask(Ask::Selected),
        "routes whose AS path matches",
    ),
    command(
        unicast!(
            "(community [AA:NN [exact-match]]|large-community [AA:BB:CC [exact-match]]) [json]"
        ),
        What::Ask(Ask::Selected),
        "routes with communities, any or this one",
    ),
    command(
        unicast!("(community-list|large-community-list) LIST [exact-match] [json]"),
        What::Ask(Ask::Selected),
        "routes that a list of communities permits",
    ),
    command(
        unicast!("(filter-list|prefix-list|access-list) LIST [json]"),
        What::Ask(Ask::Selected),
        "routes that a list of AS paths or prefixes permits",
    ),
    command(
        unicast!("route-map MAP [json]"),
        What::Ask(Ask::Selected),
        "routes that a route-map permits",
    ),
    command(
        unicast!("self-originate [json]"),
        What::Ask(Ask::Selected),
        "our own routes",
    ),
    command(
        unicast!("rpki (valid|invalid|notfound) [json]"),
        What::Ask(Ask::Selected),
        "routes by what origin validation says",
    ),
    command(
        unicast!("cidr-only [json]"),
        What::Ask(Ask::Selected),
        "routes whose prefix is not as long as its class says",
    ),
    command(
        "show [ip] bgp [(vrf|view) NAME] nexthop [(ipv4|ipv6)] [(A.B.C.D|X:X::X:X|detail)] [json]",
        What::Ask(Ask::BgpNextHops),
        "next hops of routes, where packets to them go, and the routes",
    ),
    command(
        "show bgp router [json]",
        What::Ask(Ask::BgpRouter),
        "since when BGP runs, and how many instances there are",
    ),
    command(
        "show [ip] bgp [(vrf|view) NAME] peer-group [GROUP] [json]",
        What::Ask(Ask::PeerGroups),
        "groups of neighbors with their members",
    ),
    command(
        "show [ip] bgp memory",
        What::Ask(Ask::Memory),
        "what the tables hold",
    ),
    command(
        "show [ip] bgp vrfs [INSTANCE] [json]",
        What::Ask(Ask::Vrfs),
        "the instances",
    ),
    command(
        "show bgp evpn summary [json]",
        What::Ask(Ask::Summary),
        "a line for each neighbor with EVPN",
    ),
    command(
        "show bgp [l2vpn] evpn route [detail] [type (ead|1|macip|2|multicast|3|es|4|prefix|5)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes by route distinguisher",
    ),
    command(
        "show bgp [l2vpn] evpn route rd (RD|all) [type (ead|1|macip|2|multicast|3|es|4|prefix|5)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes with a route distinguisher",
    ),
    command(
        "show bgp [l2vpn] evpn route vni <1-16777215> [(type (macip|2|multicast|3|prefix|5)|vtep A.B.C.D)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes that a VNI takes in",
    ),
    command(
        "show bgp [l2vpn] evpn route vni all [detail] [vtep A.B.C.D] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes that each VNI takes in",
    ),
    command(
        "show bgp [l2vpn] evpn route (vni <1-16777215>|rd RD) (mac X:X:X:X:X:X [ip (A.B.C.D|X:X::X:X)]|multicast A.B.C.D) [json]",
        What::Ask(Ask::EvpnRoutes),
        "one EVPN route at length",
    ),
    command(
        "show bgp l2vpn evpn rd (RD|all) [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes with a route distinguisher, a line each",
    ),
    command(
        "show bgp [l2vpn] evpn (import-rt|vrf-import-rt) [json]",
        What::Ask(Ask::EvpnTargets),
        "route targets with who takes them in: VNIs, or VRFs",
    ),
    command(
        "show bgp [l2vpn] evpn vni [<1-16777215>] [json]",
        What::Ask(Ask::BgpVni),
        "VNIs with their route targets",
    ),
    command(
        "show evpn [json]",
        What::Ask(Ask::Evpn),
        "numbers of the overlay",
    ),
    command(
        "show evpn vni [<1-16777215>] [json]",
        What::Ask(Ask::EvpnVni),
        "VNIs with their devices",
    ),
    command(
        "show evpn mac vni (all|<1-16777215>) [json]",
        What::Ask(Ask::EvpnMac),
        "where MAC addresses are",
    ),
    command(
        "show evpn vni detail [json]",
        What::Ask(Ask::EvpnVni),
        "everything about the VNIs",
    ),
    command(
        "show evpn mac vni (all|<1-16777215>) (duplicate|vtep A.B.C.D) [json]",
        What::Ask(Ask::EvpnMac),
        "MAC addresses that are duplicates, or behind a router",
    ),
    command(
        "show evpn mac vni (all|<1-16777215>) detail [json]",
        What::Ask(Ask::EvpnMac),
        "everything about MAC addresses",
    ),
    command(
        "show evpn arp-cache vni <1-16777215> ip (A.B.C.D|X:X::X:X) [json]",
        What::Ask(Ask::EvpnArp),
        "everything about an IP address",
    ),
    command(
        "show evpn arp-cache vni (all [detail]|(all|<1-16777215>) duplicate) [json]",
        What::Ask(Ask::EvpnArp),
        "everything about IP addresses, or those that two hosts have",
    ),
    command(
        "show evpn arp-cache vni <1-16777215> vtep A.B.C.D [json]",
        What::Ask(Ask::EvpnArp),
        "IP addresses behind a router",
    ),
    command(
        "show evpn mac vni <1-16777215> mac X:X:X:X:X:X [json]",
        What::Ask(Ask::EvpnMac),
        "where a MAC address is",
    ),
    command(
        "show evpn arp-cache vni (all|<1-16777215>) [json]",
        What::Ask(Ask::EvpnArp),
        "which MAC addresses IP addresses have",
    ),
    command(
        "show evpn next-hops vni (all|<1-16777215>) [json]",
        What::Ask(Ask::EvpnNextHops),
        "routers that routes of VRFs lead to",
    ),
    command(
        "show evpn rmac vni (all|<1-16777215>) [json]",
        What::Ask(Ask::EvpnRmac),
        "MAC addresses of those routers",
    ),
    command(
        "show evpn next-hops vni <1-16777215> ip (A.B.C.D|X:X::X:X) [json]",
        What::Ask(Ask::EvpnNextHops),
        "one of those routers",
    ),
    command(
        "show evpn rmac vni <1-16777215> mac X:X:X:X:X:X [json]",
        What::Ask(Ask::EvpnRmac),
        "one of those MAC addresses",
    ),
    command(
        "show bfd [vrf NAME] peers [json]",
        What::Ask(Ask::BfdPeers),
        "BFD sessions",
    ),
    command(
        "show bfd [vrf NAME] peer (A.B.C.D|X:X::X:X) [multihop] [local-address LOCAL] [interface IFNAME] [json]",
        What::Ask(Ask::BfdPeers),
        "a BFD session",
    ),
    command(
        "show bfd [vrf NAME] peers brief [json]",
        What::Ask(Ask::BfdBrief),
        "BFD sessions, a line each",
    ),
    command(
        "show bfd [vrf NAME] peers counters [json]",
        What::Ask(Ask::BfdCounters),
        "packets of BFD sessions",
    ),
    command(
        "show bfd [vrf NAME] peer (A.B.C.D|X:X::X:X) [multihop] [local-address LOCAL] [interface IFNAME] counters [json]",
        What::Ask(Ask::BfdCounters),
        "packets of a BFD session",
    ),
    command(
        "show bgp [(vrf|view) NAME] all summary [json]",
        What::Ask(Ask::Summary),
        "a line for each neighbor, by family",
    ),
    command(
        "show (ip|ipv6) (route|fib) [vrf NAME] [(bgp|connected|isis|kernel|local|ospf|rip|static)] [json]",
        What::Ask(Ask::Route),
        "routes of the kernel",
    ),
    command(
        "show (ip|ipv6) (route|fib) [vrf NAME] (table|tag) <1-4294967295> [json]",
        What::Ask(Ask::Route),
        "routes of one of the kernel's tables, or with a tag",
    ),
    command(
        "show ip (route|fib) [vrf NAME] supernets-only [json]",
        What::Ask(Ask::Route),
        "routes shorter than their class says",
    ),
    command(
        "show ip (route|fib) [vrf NAME] A.B.C.D/M longer-prefixes [json]",
        What::Ask(Ask::Route),
        "the routes to a prefix and those within it",
    ),
    command(
        "show ipv6 (route|fib) [vrf NAME] X:X::X:X/M longer-prefixes [json]",
        What::Ask(Ask::Route),
        "the routes to a prefix and those within it",
    ),
    command(
        "show ip (route|fib) [vrf NAME] (A.B.C.D|A.B.C.D/M) [json]",
        What::Ask(Ask::Route),
        "the route to an address or prefix",
    ),
    command(
        "show ipv6 (route|fib) [vrf NAME] (X:X::X:X|X:X::X:X/M) [json]",
        What::Ask(Ask::Route),
        "the route to an address or prefix",
    ),
    command(
        "show (ip|ipv6) route [vrf NAME] summary [prefix] [json]",
        What::Ask(Ask::RouteSummary),
        "numbers of routes",
    ),
    command(
        "show (ip|ipv6) (nht|import-check) [vrf NAME] [(A.B.C.D|X:X::X:X)] [json]",
        What::Ask(Ask::NextHops),
        "next hops, and where packets to them go",
    ),
    command(
        "show rpki cache-connection [vrf NAME] [json]",
        What::Ask(Ask::RpkiCaches),
        "caches of the RPKI, and whether they answer",
    ),
    command(
        "show route-map [NAME] [json]",
        What::Ask(Ask::RouteMap),
        "route-maps with what they have counted",
    ),
    command(
        "show (ip|ipv6) prefix-list [(detail|summary)] [NAME] [json]",
        What::Ask(Ask::PrefixList),
        "prefix lists",
    ),
    command(
        "show (ip|ipv6) prefix-list NAME seq SEQ [json]",
        What::Ask(Ask::PrefixList),
        "a rule of a prefix list",
    ),
    command(
        "show ip prefix-list NAME A.B.C.D/M [(longer|first-match)]",
        What::Ask(Ask::PrefixList),
        "the rules with a prefix, those within it, or the first about it",
    ),
    command(
        "show ipv6 prefix-list NAME X:X::X:X/M [(longer|first-match)]",
        What::Ask(Ask::PrefixList),
        "the rules with a prefix, those within it, or the first about it",
    ),
    command(
        "show (ip|ipv6) access-list [LIST] [json]",
        What::Ask(Ask::AccessList),
        "access lists",
    ),
    command(
        "show bgp (community-list|large-community-list|extcommunity-list) [LIST detail]",
        What::Ask(Ask::CommunityLists),
        "lists of communities",
    ),
    command(
        "show (bgp|ip) as-path-access-list [LIST] [json]",
        What::Ask(Ask::AsPathLists),
        "lists of AS paths",
    ),
    command(
        "show interface [IFNAME] [vrf NAME] [json]",
        What::Ask(Ask::Interface),
        "devices with everything",
    ),
    command(
        "show interface description [vrf NAME]",
        What::Ask(Ask::InterfaceDescriptions),
        "devices with what they are for",
    ),
    command(
        "show interface [vrf NAME] brief [json]",
        What::Ask(Ask::InterfaceBrief),
        "devices with their addresses",
    ),
    command(
        "show vrf [NAME] vni [json]",
        What::Ask(Ask::VrfVnis),
        "VRFs with their VNIs",
    ),
    command("show vrf", What::Ask(Ask::Vrf), "VRF devices"),
    command(
        "show (ip|ipv6) forwarding",
        What::Ask(Ask::Forwarding),
        "whether the host forwards",
    ),
    command(
        "show daemons",
        What::Ask(Ask::Daemons),
        "the daemons of FRR that are answered for",
    ),
    command(
        "show logging",
        What::Ask(Ask::Logging),
        "where log lines go",
    ),
    command(
        "show startup-config",
        What::Ask(Ask::StartupConfig),
        "the configuration file",
    ),
    command(
        "clear [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] \
         (*|external|<1-4294967295>|A.B.C.D|X:X::X:X|peer-group GROUP|WORD) \
         [(soft [(in|out)]|in [prefix-filter]|out)]",
        What::Ask(Ask::Clear),
        "restart sessions, or exchange their routes again",
    ),
    command(
        "clear evpn dup-addr vni (all|<1-16777215>) [(mac X:X:X:X:X:X|ip (A.B.C.D|X:X::X:X))]",
        What::Ask(Ask::ClearDuplicates),
        "let go of addresses that are duplicates",
    ),
    command(
        "[no] debug bgp (neighbor-events|keepalives) [(A.B.C.D|X:X::X:X|WORD)]",
        What::Ask(Ask::Debug),
        "log what happens to sessions, or KEEPALIVEs",
    ),
    command(
        "[no] debug bgp updates [(in|out) [(A.B.C.D|X:X::X:X|WORD)]]",
        What::Ask(Ask::Debug),
        "log routes that come and go",
    ),
    command(
        "[no] debug bgp (updates|zebra) prefix (A.B.C.D/M|X:X::X:X/M)",
        What::Ask(Ask::Debug),
        "log what concerns a prefix",
    ),
    command(
        "[no] debug bgp bestpath (A.B.C.D/M|X:X::X:X/M)",
        What::Ask(Ask::Debug),
        "log why a path is the best one",
    ),
    command(
        "[no] debug bgp (nht|zebra|update-groups|graceful-restart|bfd)",
        What::Ask(Ask::Debug),
        "log what else BGP does",
    ),
    command(
        "[no] debug zebra (events|kernel|vxlan)",
        What::Ask(Ask::Debug),
        "log what the kernel says and is told",
    ),
    command(
        "[no] debug zebra (rib|nht|dplane) [detailed]",
        What::Ask(Ask::Debug),
        "log what the kernel says and is told",
    ),
    command(
        "[no] debug zebra nexthop [detail]",
        What::Ask(Ask::Debug),
        "log what the kernel says and is told",
    ),
    command(
        "[no] debug bfd (peer|network|zebra)",
        What::Ask(Ask::Debug),
        "log what BFD does",
    ),
    command(
        "[no] debug rpki",
        What::Ask(Ask::Debug),
        "log what caches say",
    ),
    command(
        "[no] debug static [(events|route)]",
        What::Ask(Ask::Debug),
        "log what becomes of static routes",
    ),
    command(
        "no debug (bgp|all)",
        What::Ask(Ask::Debug),
        "log none of it any more",
    ),
    command(
        "show debugging",
        What::Ask(Ask::Debugging),
        "which debug messages are logged",
    ),
    command(
        "show running-config [LINE]",
        What::RunningConfig,
        "what is configured",
    ),
    command(
        "write [(memory|file|integrated|terminal [(zebra|bgpd|bfdd|staticd|mgmtd)])]",
        What::Write,
        "keep the configuration, or print it",
    ),
    command(
        "copy running-config startup-config",
        What::Write,
        "keep the configuration",
    ),
    command(
        "configure [terminal [file-lock]]",
        What::Configure,
        "change the configuration, all at once at `end`",
    ),
    command("list [permutations]", What::List, "these commands"),
    command(
        "find LINE",
        What::List,
        "those of these commands that a regular expression matches",
    ),
    command(
        "(ping|traceroute) [(ip|ipv6)] WORD",
        What::Run,
        "whether a host answers, and by which routers",
    ),
    command("enable", What::Nothing, "who may use the socket may do all"),
    command(
        "disable",
        What::Nothing,
        "who may use the socket may do all",
    ),
    command(
        "terminal (length <0-512>|paginate|monitor [LINE]|no LINE)",
        What::Nothing,
        "output is not paged",
    ),
    command(
        "no terminal (length|paginate|monitor [LINE])",
        What::Nothing,
        "output is not paged",
    ),
    command("end", What::Nothing, "out of the configuration"),
    command("exit", What::Leave, "leave"),
    command("quit", What::Leave, "leave"),
];

/// All of it: what is answered, and then what only FRR has.
pub(super) fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().chain(ABSENT)
}

/// The command at a place of it.
pub(super) fn command_at(place: usize) -> Option<&'static Command> {
    commands().nth(place)
}

/// All of it, ready to be compared with lines.
pub(super) fn grammar() -> Grammar {
    Grammar::new(commands().map(|command| command.words))
}

/// What a word of a command is, for the list behind `?`. Values are told by their kind; a word that has no
/// line here stands only in commands about what is not here.
pub(super) fn help(word: &str) -> &'static str {
    let found = WORDS.iter().find(|(of, _)| *of == word);
    found.map_or(NOT_HERE, |(_, help)| help)
}

pub(super) const NOT_HERE: &str = "not here";

const WORDS: &[(&str, &str)] = &[
    ("debug", "log more of what is done"),
    ("debugging", "debug messages"),
    ("dplane", "as kernel"),
    ("events", "what the kernel says"),
    ("keepalives", "KEEPALIVEs"),
    ("neighbor-events", "what happens to sessions"),
    ("network", "packets that are not taken"),
    ("rib", "routes for the kernel"),
    ("update-groups", "who is told the same"),
    ("updates", "routes that come and go"),
    ("vxlan", "overlays"),
    ("detailed", "with more"),
    ("access-list", "access lists"),
    ("as-path-access-list", "lists of AS paths"),
    ("bestpath-routes", "what of it is used"),
    ("daemons", "daemons of FRR"),
    ("description", "what devices are for"),
    ("duplicate", "addresses that two hosts have"),
    ("extcommunity-list", "lists of extended communities"),
    ("first-match", "the first rule about it"),
    ("forwarding", "whether packets are passed on"),
    ("GROUP", "name of a group"),
    ("IFNAME", "name of a device"),
    ("INSTANCE", "name of an instance"),
    ("find", "commands by a pattern"),
    ("graceful-restart", "restarts without loss"),
    ("permutations", "as without"),
    ("ping", "whether a host answers"),
    ("router", "BGP as a whole"),
    ("traceroute", "the way to a host"),
    ("bgpd", "all the same"),
    ("bfdd", "all the same"),
    ("mgmtd", "all the same"),
    ("staticd", "all the same"),
    ("zebra", "all the same"),
    ("internal", "neighbors of our AS"),
    ("invalid", "not from where it may be"),
    ("logging", "where log lines go"),
    ("longer", "the rules within it"),
    ("neighbor", "one neighbor"),
    ("notfound", "nobody says where it may be from"),
    ("remote-as", "neighbors of an AS"),
    ("self-originate", "our own"),
    ("seq", "one rule"),
    ("SEQ", "number of a rule"),
    ("statistics", "numbers"),
    ("statistics-all", "numbers of all tables"),
    ("terse", "with less above it"),
    ("valid", "from where it may be"),
    ("vtep", "behind this router"),
    ("wide", "with wider columns"),
    ("file-lock", "as without"),
    ("isis", "IS-IS, which is not run here"),
    ("length", "output is not paged"),
    ("monitor", "logs are not shown here"),
    ("no", "not"),
    ("paginate", "output is not paged"),
    ("rip", "RIP, which is not run here"),
    ("*", "all neighbors"),
    ("<0-512>", "lines; output is not paged"),
    ("<1-16777215>", "VNI"),
    ("<1-4294967295>", "number of an AS, a table or a tag"),
    ("A.B.C.D", "IPv4 address"),
    ("A.B.C.D/M", "IPv4 prefix"),
    ("AA:NN", "community, by number or name"),
    ("AA:BB:CC", "large community"),
    ("REGEX", "regular expression; `_` is a boundary"),
    ("LIST", "name of a list"),
    ("LOCAL", "address of this host"),
    ("MAP", "name of a route-map"),
    ("local-address", "with this address of ours"),
    ("LINE", "any words"),
    ("NAME", "name"),
    ("RD", "route distinguisher"),
    ("WORD", "neighbor on an interface"),
    ("X:X::X:X", "IPv6 address"),
    ("X:X::X:X/M", "IPv6 prefix"),
    ("X:X:X:X:X:X", "MAC address"),
    ("advertised-routes", "what the neighbor is told"),
    ("all", "all of them"),
    ("arp-cache", "MAC addresses of IP addresses"),
    ("bestpath", "only the path that is used"),
    ("bfd", "BFD"),
    ("bgp", "BGP"),
    ("brief", "a line each"),
    ("cache-connection", "caches"),
    ("cidr-only", "not as long as its class says"),
    ("clear", "begin again"),
    ("community", "routes with communities"),
    ("community-list", "lists of communities"),
    ("configure", "change the configuration"),
    ("connected", "networks of interfaces"),
    ("copy", "keep the configuration"),
    ("counters", "numbers of packets"),
    ("detail", "with everything"),
    ("detail-routes", "with everything"),
    ("disable", "nothing here"),
    ("dup-addr", "addresses that two hosts have"),
    ("ead", "type 1"),
    ("enable", "nothing here"),
    ("end", "out of the configuration"),
    ("es", "type 4, or an Ethernet segment"),
    ("established", "only those that are"),
    ("evpn", "EVPN"),
    ("exact-match", "with no others beside"),
    ("exit", "leave"),
    ("external", "neighbors of other ASes"),
    ("failed", "only those that are not Established"),
    ("fib", "as route"),
    ("file", "into the configuration file"),
    ("filter-list", "lists of AS paths"),
    ("filtered-routes", "what policy did not let in"),
    ("import-rt", "route targets"),
    ("supernets-only", "shorter than their class says"),
    ("table", "one of the kernel's"),
    ("tag", "with this tag"),
    ("vrf-import-rt", "route targets of VRFs"),
    ("import-check", "as nht"),
    ("in", "ask the neighbor for its routes again"),
    ("integrated", "into the configuration file"),
    ("interface", "devices"),
    ("ip", "IPv4"),
    ("ipv4", "IPv4"),
    ("ipv6", "IPv6"),
    ("json", "JSON"),
    ("kernel", "routes that others made"),
    ("l2vpn", "EVPN"),
    ("large-community", "routes with large communities"),
    ("large-community-list", "lists of large communities"),
    ("list", "all commands"),
    ("local", "addresses of this host"),
    ("longer-prefixes", "and those within it"),
    ("mac", "MAC addresses"),
    ("macip", "type 2"),
    ("memory", "the configuration file, or what tables hold"),
    ("multicast", "type 3"),
    ("multihop", "behind routers"),
    ("multipath", "only the paths that are used"),
    ("neighbors", "neighbors"),
    ("next-hops", "routers that routes of VRFs lead to"),
    ("nexthop", "next hops of routes"),
    ("nht", "next hops"),
    ("ospf", "OSPF, which is not run here"),
    ("out", "send our routes again"),
    ("peer", "one session"),
    ("peer-group", "neighbors of a group"),
    ("peers", "sessions"),
    ("prefix", "type 5"),
    ("prefix-counts", "numbers of routes"),
    (
        "prefix-filter",
        "with the neighbor's own filter, if it sent one",
    ),
    ("prefix-list", "prefix lists"),
    ("quit", "leave"),
    ("rd", "with this route distinguisher"),
    (
        "received-routes",
        "what the neighbor told us, before policy",
    ),
    ("regexp", "routes whose AS path matches"),
    ("rmac", "MAC addresses of routers"),
    ("route", "routes"),
    ("route-map", "route-maps"),
    ("routes", "what the neighbor told us and policy let in"),
    ("rpki", "origin validation"),
    ("running-config", "what is configured"),
    ("show", "show"),
    ("soft", "keep the session"),
    ("startup-config", "the configuration file"),
    ("static", "static routes"),
    ("summary", "in short"),
    ("terminal", "this terminal"),
    ("type", "only routes of a type"),
    ("unicast", "unicast"),
    ("version", "versions"),
    ("view", "as vrf"),
    ("vni", "overlay networks"),
    ("vrf", "VRF"),
    ("vrfs", "instances"),
    ("write", "keep the configuration"),
];
