//! The one table of commands: the words of each, what answers it, and what it is for.
//!
//! From it come the reading of lines with all abbreviations, completion, the list behind `?`, `list`,
//! and the list in `docs/vtysh.md`. How lines are compared with it is in [`super::grammar`].

use super::grammar::Grammar;

/// A command.
pub(super) struct Command {
    /// Its words, as [`super::grammar`] reads them.
    pub(super) words: &'static str,
    /// Who answers.
    pub(super) what: What,
    /// What it is for.
    pub(super) help: &'static str,
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
            | What::Ask(Ask::Clear | Ask::ClearDuplicates | Ask::StartupConfig) => true,
            What::Ask(_) | What::List | What::Nothing | What::Leave => false,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Version,
    Summary,
    Neighbors,
    NeighborRoutes,
    Prefix,
    Table,
    Detail,
    Selected,
    Vrfs,
    EvpnRoutes,
    BgpVni,
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
    Clear,
    ClearDuplicates,
    /// Nothing: that daemon of FRR, which may run beside, has the answer.
    Elsewhere(&'static str),
    /// Nothing, for this reason: it is of FRR's inside.
    NotHere(&'static str),
}

const NO_SEGMENTS: &str = "there are no Ethernet segments with several routers here";

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

/// All commands, in the order in which lists have them.
pub(super) const COMMANDS: &[Command] = &[
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
        bgp!("(A.B.C.D|A.B.C.D/M|X:X::X:X|X:X::X:X/M) [(bestpath|multipath)] [json]"),
        What::Ask(Ask::Prefix),
        "the paths of a prefix, or of the longest match of an address",
    ),
    command(bgp!("[json]"), What::Ask(Ask::Table), "the table"),
    command(
        unicast!("(wide|json detail)"),
        What::Ask(Ask::Table),
        "the same with wider columns, or with everything",
    ),
    command(
        unicast!("detail [json]"),
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
        "show [ip] bgp [(vrf|view) NAME] nexthop [json]",
        What::Ask(Ask::BgpNextHops),
        "next hops of routes, and where packets to them go",
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
        "show [ip] bgp vrfs [json]",
        What::Ask(Ask::Vrfs),
        "the instances",
    ),
    command(
        "show bgp l2vpn evpn route [detail] [type (ead|1|macip|2|multicast|3|es|4|prefix|5)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes by route distinguisher",
    ),
    command(
        "show bgp l2vpn evpn route rd RD [type (ead|1|macip|2|multicast|3|es|4|prefix|5)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes with a route distinguisher",
    ),
    command(
        "show bgp l2vpn evpn route vni <1-16777215> [type (macip|2|multicast|3|prefix|5)] [json]",
        What::Ask(Ask::EvpnRoutes),
        "EVPN routes that a VNI takes in",
    ),
    command(
        "show bgp l2vpn evpn vni [<1-16777215>] [json]",
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
        "show bfd [vrf NAME] peers [json]",
        What::Ask(Ask::BfdPeers),
        "BFD sessions",
    ),
    command(
        "show bfd [vrf NAME] peer (A.B.C.D|X:X::X:X) [json]",
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
        "show bfd [vrf NAME] peer (A.B.C.D|X:X::X:X) counters [json]",
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
        "show (ip|ipv6) route [vrf NAME] summary [json]",
        What::Ask(Ask::RouteSummary),
        "numbers of routes",
    ),
    command(
        "show (ip|ipv6) nht [vrf NAME] [json]",
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
        "show ip ospf [LINE]",
        What::Ask(Ask::Elsewhere("ospfd")),
        "not run here",
    ),
    command(
        "show ipv6 ospf6 [LINE]",
        What::Ask(Ask::Elsewhere("ospf6d")),
        "not run here",
    ),
    command(
        "show isis [LINE]",
        What::Ask(Ask::Elsewhere("isisd")),
        "not run here",
    ),
    command(
        "show ip pim [LINE]",
        What::Ask(Ask::Elsewhere("pimd")),
        "not run here",
    ),
    command(
        "show ip igmp [LINE]",
        What::Ask(Ask::Elsewhere("pimd")),
        "not run here",
    ),
    command(
        "show ip rip [LINE]",
        What::Ask(Ask::Elsewhere("ripd")),
        "not run here",
    ),
    command(
        "show mpls [LINE]",
        What::Ask(Ask::Elsewhere("ldpd")),
        "not run here",
    ),
    command(
        "show vrrp [LINE]",
        What::Ask(Ask::Elsewhere("vrrpd")),
        "not run here",
    ),
    command(
        "show memory",
        What::Ask(Ask::NotHere(
            "memory is counted as a whole: `rbgpctl show memory`",
        )),
        "not here",
    ),
    command(
        "show event (cpu|poll|timers) [LINE]",
        What::Ask(Ask::NotHere(
            "there is no event loop that takes its own time: `top -H` has the threads",
        )),
        "not here",
    ),
    command(
        "show (work-queues|modules|watchfrr|zebra) [LINE]",
        What::Ask(Ask::NotHere(
            "there is one program, without modules, queues between daemons, or a daemon that watches \
             others: systemd does that",
        )),
        "not here",
    ),
    command(
        "show history",
        What::Ask(Ask::NotHere(
            "what is typed is kept by the terminal, until the session ends",
        )),
        "not here",
    ),
    command(
        "show nexthop-group rib [LINE]",
        What::Ask(Ask::NotHere("`ip nexthop` lists the kernel's objects")),
        "not here",
    ),
    command(
        "show [ip] bgp (attribute-info|community-info|large-community-info|paths|listeners|peerhash|import-check-table)",
        What::Ask(Ask::NotHere(
            "it is of the inside of FRR's bgpd: `rbgpctl show memory` tells what the tables hold",
        )),
        "not here",
    ),
    command(
        bgp!("update-groups [LINE]"),
        What::Ask(Ask::NotHere(
            "neighbors that are told the same share the work, and such a group has no number",
        )),
        "not here",
    ),
    command(
        "show evpn (es|es-evi|l2-nh|access-vlan) [LINE]",
        What::Ask(Ask::NotHere(NO_SEGMENTS)),
        "not here",
    ),
    command(
        "show bgp l2vpn evpn (es|es-evi|es-vrf) [LINE]",
        What::Ask(Ask::NotHere(NO_SEGMENTS)),
        "not here",
    ),
    command(
        "clear [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] \
         (*|external|<1-4294967295>|A.B.C.D|X:X::X:X|peer-group NAME|WORD) \
         [(soft [(in|out)]|in|out)]",
        What::Ask(Ask::Clear),
        "restart sessions, or exchange their routes again",
    ),
    command(
        "clear evpn dup-addr vni (all|<1-16777215>) [(mac X:X:X:X:X:X|ip (A.B.C.D|X:X::X:X))]",
        What::Ask(Ask::ClearDuplicates),
        "let go of addresses that are duplicates",
    ),
    command(
        "show running-config [LINE]",
        What::RunningConfig,
        "what is configured",
    ),
    command(
        "write [(memory|file|integrated|terminal)]",
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
    command("list", What::List, "these commands"),
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
    command("end", What::Nothing, "out of the configuration"),
    command("exit", What::Leave, "leave"),
    command("quit", What::Leave, "leave"),
];

/// All of it, ready to be compared with lines.
pub(super) fn grammar() -> Grammar {
    Grammar::new(COMMANDS.iter().map(|command| command.words))
}

/// What a word of a command is, for the list behind `?`. Values are told by their kind.
pub(super) fn help(word: &str) -> &'static str {
    let found = WORDS.iter().find(|(of, _)| *of == word);
    found.map_or("", |(_, help)| help)
}

const WORDS: &[(&str, &str)] = &[
    ("access-list", "access lists"),
    ("access-vlan", "not here"),
    ("as-path-access-list", "lists of AS paths"),
    ("attribute-info", "not here"),
    ("bestpath-routes", "what of it is used"),
    ("community-info", "not here"),
    ("cpu", "not here"),
    ("daemons", "daemons of FRR"),
    ("description", "what devices are for"),
    ("es-evi", "not here"),
    ("es-vrf", "not here"),
    ("duplicate", "addresses that two hosts have"),
    ("event", "not here"),
    ("extcommunity-list", "lists of extended communities"),
    ("first-match", "the first rule about it"),
    ("forwarding", "whether packets are passed on"),
    ("GROUP", "name of a group"),
    ("IFNAME", "name of a device"),
    ("history", "not here"),
    ("import-check-table", "not here"),
    ("internal", "neighbors of our AS"),
    ("invalid", "not from where it may be"),
    ("l2-nh", "not here"),
    ("large-community-info", "not here"),
    ("listeners", "not here"),
    ("logging", "where log lines go"),
    ("longer", "the rules within it"),
    ("modules", "not here"),
    ("neighbor", "one neighbor"),
    ("nexthop-group", "not here"),
    ("notfound", "nobody says where it may be from"),
    ("paths", "not here"),
    ("peerhash", "not here"),
    ("poll", "not here"),
    ("remote-as", "neighbors of an AS"),
    ("rib", "not here"),
    ("self-originate", "our own"),
    ("seq", "one rule"),
    ("SEQ", "number of a rule"),
    ("statistics", "numbers"),
    ("statistics-all", "numbers of all tables"),
    ("terse", "with less above it"),
    ("timers", "not here"),
    ("update-groups", "not here"),
    ("valid", "from where it may be"),
    ("vtep", "behind this router"),
    ("watchfrr", "not here"),
    ("wide", "with wider columns"),
    ("work-queues", "not here"),
    ("zebra", "not here"),
    ("file-lock", "as without"),
    ("igmp", "not run here"),
    ("isis", "IS-IS, which is not run here"),
    ("length", "output is not paged"),
    ("monitor", "logs are not shown here"),
    ("mpls", "not run here"),
    ("no", "not"),
    ("ospf6", "not run here"),
    ("paginate", "output is not paged"),
    ("pim", "not run here"),
    ("rip", "RIP, which is not run here"),
    ("vrrp", "not run here"),
    ("*", "all neighbors"),
    ("<0-512>", "lines; output is not paged"),
    ("<1-16777215>", "VNI"),
    ("<1-4294967295>", "neighbors of this AS"),
    ("A.B.C.D", "IPv4 address"),
    ("A.B.C.D/M", "IPv4 prefix"),
    ("AA:NN", "community, by number or name"),
    ("AA:BB:CC", "large community"),
    ("REGEX", "regular expression; `_` is a boundary"),
    ("LIST", "name of a list"),
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
