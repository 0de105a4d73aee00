//! The command line: every command and flag, its help, and nothing else.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bgp::{Asn, Family, MacAddress, Prefix, RouteDistinguisher, ScopedAddr, Vni};
use clap::{Args, Parser, Subcommand};
use evpn::Address;

use crate::control::{DEFAULT_SOCKET, NetworkCreate, SoftReset};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not safe or not confirmed in time.
Data goes to stdout, everything else to stderr.";

/// Shows what a running rbgpd does, and gives it orders.
#[derive(Debug, Parser)]
#[command(name = "rbgpctl", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Arguments {
    /// Control socket of the daemon.
    #[arg(
        long,
        global = true,
        env = "RBGPD_SOCKET",
        default_value = DEFAULT_SOCKET,
        value_name = "PATH"
    )]
    pub(super) socket: PathBuf,
    /// The instance that is meant, `default` for the one at the top of the file. Without this, `drain`,
    /// `undrain`, `verify` and `network list` are for all instances, `network delete` is for the one
    /// that has the network, and the rest is for the default one.
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) instance: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows what the daemon knows. Changes nothing.
    Show(Show),
    /// Tells why a route is as it is: why this path, why not the others, where it is in the kernel,
    /// who is told. Changes nothing.
    ///
    /// The reasons are those of the decision itself, not worked out again for display.
    Explain {
        /// A prefix or address, a MAC address, or an EVPN route as `show evpn routes` prints it.
        target: String,
        #[command(flatten)]
        json: Json,
    },
    /// Compares what should be in the kernel with what is. Changes nothing itself; differences are
    /// put right by the daemon as soon as it sees them.
    ///
    /// Exits 0 if both are equal, 1 if they differ, and 3 if they still do when --wait is over.
    Verify {
        /// Compare again until both are equal.
        #[arg(long)]
        wait: bool,
        /// Longest time to wait, then exit 3. Implies --wait. [default: 60s]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        json: Json,
    },
    /// Moves traffic away from this router before maintenance, without losing packets.
    ///
    /// On every family, neighbors are asked to use other paths: GRACEFUL_SHUTDOWN (RFC 8326), a
    /// longer AS path, a higher MED; received routes become the last choice here. Sessions and
    /// forwarding stay up, so what is on its way arrives.
    ///
    /// If nobody can be told, or the only other way to something is through a router that is being
    /// drained already, nothing is changed and the exit code is 3; --force drains all the same.
    /// What no other router announces cannot move and is named.
    ///
    /// The drain is kept over restarts and reloads. `rbgpctl undrain` ends it, and so does the
    /// time given with --for.
    Drain(Drain),
    /// Takes traffic back after a drain.
    ///
    /// Routes are advertised as configured again, once sessions, BFD and the kernel are in order.
    /// `rbgpctl drain` drains again.
    Undrain {
        /// Only the neighbor with this address; otherwise the whole router.
        #[arg(long, value_name = "ADDR")]
        neighbor: Option<ScopedAddr>,
        /// Wait until everything is in order and every neighbor is told.
        #[arg(long)]
        wait: bool,
        /// Longest time to wait, then exit 3. Implies --wait. [default: 60s]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        timeout: Option<Duration>,
        /// Return although a session, BFD or the kernel is not in order: traffic that comes back
        /// may be lost.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Checks a configuration file and reports every error at once. Needs no daemon and changes
    /// nothing.
    ///
    /// Exits 2 if the file has errors, as `rbgpd --check` does. A file that is not named *.toml is in
    /// FRR's language: then each line that is not simply honoured is named, too, with counts.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Prints a configuration in FRR's language as TOML, and says on stderr what became of each line
    /// that is not simply honoured. Needs no daemon and changes nothing.
    ///
    /// What is printed loads to the identical configuration. FILE is a frr.conf, or one of the files of
    /// FRR's single daemons (bgpd.conf, zebra.conf, bfdd.conf, staticd.conf) with the others beside it.
    /// Addresses and VXLAN devices that FRR would find on the host are taken from this one. Exits 2 if
    /// the file has errors, as `rbgpctl check` does, which reports the same.
    ImportFrr {
        /// The file.
        file: PathBuf,
    },
    /// Reads the configuration file again and applies what changed.
    ///
    /// Only neighbors whose session parameters changed are restarted; other sessions and traffic
    /// are left alone. A file with errors changes nothing, and neither does one with a change that
    /// needs a restart of the service. To undo it, restore the file and reload again.
    Reload {
        /// Only print what would change, and which sessions would restart. Exits 1 if the reload would
        /// be refused.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Gives lines of FRR's language to what runs, all of them at once or none.
    ///
    /// The lines are those that `vtysh` takes behind `configure terminal`. They are checked as a whole,
    /// and what differs is applied as `reload` does: only neighbors whose session parameters changed are
    /// restarted. The file stays as it is, so a reload takes the lines back; `rbgpctl write` keeps them.
    Configure {
        /// The lines; `-` is standard input.
        file: PathBuf,
        /// Only print what would change.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Puts what runs into the configuration file, and keeps the former one as FILE.sav.
    ///
    /// Traffic is not touched. A file in TOML that has comments stays as it is, with an error that says
    /// so. To undo it, put FILE.sav in its place and reload.
    Write {
        #[command(flatten)]
        json: Json,
    },
    /// Restarts sessions, or only exchanges their routes again with --soft.
    ///
    /// Without --soft the session is closed and opened again: its routes are gone meanwhile and
    /// traffic moves away or is lost. With --soft the session and its traffic stay. There is
    /// nothing to undo.
    Clear {
        /// Address of a neighbor, or `all`.
        #[arg(value_name = "ADDR|all", value_parser = clear_target)]
        target: ClearTarget,
        /// Keep the session: `in` asks the neighbor for its routes again, `out` sends ours again.
        #[arg(long, value_name = "in|out", value_parser = soft_reset)]
        soft: Option<SoftReset>,
        /// Drop all routes on both sides, also where graceful restart would keep them (RFC 8538).
        #[arg(long, conflicts_with = "soft")]
        hard: bool,
        /// Text for the neighbor's operator (RFC 9003), up to 255 octets.
        #[arg(long, value_name = "TEXT", conflicts_with = "soft", value_parser = communication)]
        reason: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Orders about overlay networks.
    Evpn {
        #[command(subcommand)]
        what: EvpnOrder,
    },
    /// Makes overlay networks, takes them away, and lists them.
    ///
    /// They are kept in the daemon's configuration file, whose other lines and comments stay as they
    /// are, and are applied at once. No session restarts, and traffic of other networks is left alone.
    #[command(arg_required_else_help = true)]
    Network {
        #[command(subcommand)]
        order: Network,
    },
    /// Answers FRR's commands as FRR's vtysh does; a link `vtysh` to rbgpctl does the same.
    ///
    /// Without -c or -f commands are read from stdin, or from a terminal with completion and `?`. The
    /// first command that fails is the last, with exit code 1. What is changed between `configure
    /// terminal` and `end` comes into force at `end`, all of it or nothing. `list` prints the commands;
    /// daemon/docs/vtysh.md says how answers differ from FRR's.
    Vtysh(crate::vtysh::Options),
    /// Prints BGP messages as JSON, one object a line for each message. Needs no daemon.
    ///
    /// Reads hex, one message a line with its header; blanks, colons, `0x` and comments after `#`
    /// are skipped. What is not a message becomes {"error": ..}, and the next one is read.
    Decode(Decode),
}

/// Answers FRR's commands by asking a running rbgpd.
#[derive(Debug, Parser)]
#[command(name = "vtysh", version, max_term_width = 100)]
pub(super) struct Vtysh {
    /// Control socket of the daemon.
    #[arg(long, env = "RBGPD_SOCKET", default_value = DEFAULT_SOCKET, value_name = "PATH")]
    pub(super) socket: PathBuf,
    #[command(flatten)]
    pub(super) options: crate::vtysh::Options,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(subcommand)]
    pub(super) what: What,
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Network {
    /// Makes an overlay network: bridge, VXLAN device, anycast gateway, routes.
    ///
    /// Adds a [[vni]] to the configuration file, applies it as `reload` does, and waits until bridge
    /// and VXLAN device are there. What is there already in this way is left alone, with exit code 0;
    /// a number, name or network that another one has is refused. Where other sites have something
    /// else under this number, or this host uses an address in one of the networks, nothing changes
    /// and the exit code is 3; --force makes it all the same. `rbgpctl network delete` undoes it.
    Create(Create),
    /// Takes an overlay network away: routes, gateway, and the devices that rbgpd made.
    ///
    /// Removes the [[vni]] with its own comments from the configuration file and applies that as
    /// `reload` does. If machines are attached, which are ports of its bridge, nothing changes and
    /// the exit code is 3; --force cuts them off. `rbgpctl network create` makes it again.
    Delete {
        /// Its number.
        #[arg(value_name = "VNI", value_parser = network_vni)]
        vni: Vni,
        /// Although machines are attached: they lose the network.
        #[arg(long)]
        force: bool,
        /// Only print what would change.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        json: Json,
    },
    /// The overlay networks: addresses, devices, machines here and at other sites, problems.
    /// Changes nothing.
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its number, the same at every site: 1 to 16777215.
    #[arg(value_name = "VNI", value_parser = network_vni)]
    pub(super) vni: Vni,
    /// What people call it: 1 to 63 characters that no other network has.
    #[arg(value_name = "NAME", value_parser = NetworkCreate::read_name)]
    pub(super) name: String,
    /// Its networks, of either IP version: 10.30.0.0/24 2001:db8:30::/64.
    #[arg(value_name = "CIDR", required = true, value_parser = NetworkCreate::read_network)]
    pub(super) networks: Vec<Prefix>,
    /// Address of the anycast gateway, the same at every site; once for each network. [default: the
    /// first usable address of each network]
    #[arg(long, value_name = "ADDR", conflicts_with = "no_gateway")]
    pub(super) gateway: Vec<IpAddr>,
    /// No gateway on this host: machines reach each other, and nothing else by way of it.
    #[arg(long)]
    pub(super) no_gateway: bool,
    /// VRF device that its bridge is in, and its machines are routed in.
    #[arg(long, value_name = "DEVICE")]
    pub(super) vrf: Option<String>,
    /// Although other sites have something else under this number, or this host uses addresses of
    /// the network.
    #[arg(long)]
    pub(super) force: bool,
    /// Only print what would change.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Longest time to wait for the devices, then exit 3; the network stays in the file.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// The router and one line for each neighbor.
    Summary,
    /// Everything about one neighbor or all.
    #[command(visible_alias = "neighbor")]
    Neighbors {
        /// Only this one.
        #[arg(value_name = "ADDR")]
        address: Option<ScopedAddr>,
    },
    /// Routes, with the path that is used and where they come from.
    Routes(Routes),
    /// Overlay networks: VNIs, MAC addresses, EVPN routes.
    Evpn {
        #[command(subcommand)]
        what: Evpn,
    },
    /// BFD sessions.
    Bfd,
    /// Caches of the RPKI: state, serial number, VRPs, age; or what they say of a prefix.
    ///
    /// With a prefix, the VRPs in use that cover it; with an AS number, whether that AS may
    /// originate it: valid, invalid or not_found (RFC 6811).
    Rpki {
        /// The VRPs that cover this prefix.
        #[arg(value_name = "PREFIX")]
        prefix: Option<Prefix>,
        /// Whether this AS may originate it.
        #[arg(value_name = "AS")]
        asn: Option<Asn>,
    },
    /// Static routes: whether each is in the kernel, where its packets leave, or why it is not used.
    #[command(visible_alias = "static-routes")]
    Static,
    /// How far a drain is, neighbor by neighbor.
    Drain,
    /// Route-maps: where they apply, their entries, and how often each one matched.
    ///
    /// The numbers count evaluations and not routes: routes that share attributes share an answer
    /// where the map does not look at the prefix. They go on over a reload that does not change
    /// the map.
    #[command(visible_alias = "route-maps")]
    RouteMap {
        /// Only this one.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// What the tables hold and how much memory they take.
    Memory,
    /// The instances of the daemon, a line each.
    Instances,
    /// The configuration that runs, in TOML or in FRR's language. Passwords are in the latter alone, as
    /// in FRR.
    RunningConfig {
        /// In FRR's language, in the order and spelling of FRR's own `show running-config`.
        #[arg(long)]
        frr: bool,
    },
    /// Versions of the daemon and of this program.
    Version,
}

#[derive(Debug, Args)]
pub(super) struct Routes {
    /// Only this prefix; an address shows the route that is used for it.
    #[arg(value_name = "PREFIX")]
    pub(super) prefix: Option<Prefix>,
    /// Only this family: ipv4_unicast, ipv6_unicast or evpn.
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    pub(super) family: Option<Family>,
    /// What this neighbor told us, before our import policy.
    #[arg(long, value_name = "ADDR", conflicts_with = "advertised")]
    pub(super) received: Option<ScopedAddr>,
    /// What we tell this neighbor, after our export policy.
    #[arg(long, value_name = "ADDR")]
    pub(super) advertised: Option<ScopedAddr>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Evpn {
    /// Overlay networks with their route targets, devices and remote sites.
    Vni,
    /// Where MAC addresses are, and how often they changed their site (Moves).
    Mac {
        /// Only of this VNI.
        #[arg(long, value_name = "N", value_parser = vni)]
        vni: Option<Vni>,
    },
    /// Addresses that move again and again, since two hosts have them (RFC 7432 §15.1). Moves counts
    /// from the first of those moves.
    Duplicates {
        /// Only of this VNI.
        #[arg(long, value_name = "N", value_parser = vni)]
        vni: Option<Vni>,
    },
    /// Which MAC addresses IP addresses have, where, and since when.
    #[command(visible_alias = "neighbours")]
    Neighbors {
        /// Only of this VNI.
        #[arg(long, value_name = "N", value_parser = vni)]
        vni: Option<Vni>,
    },
    /// The other sites' tunnel endpoints: who told us, VNIs, MAC addresses, routes, since when.
    Vteps,
    /// Where routes of VRFs lead: routers with their MAC addresses, for each L3 VNI.
    NextHops,
    /// EVPN routes with every field.
    Routes {
        /// Only of this type: 2 MAC addresses, 3 flooding, 5 prefixes; 1 and 4 segments.
        #[arg(long = "type", value_name = "T", value_parser = clap::value_parser!(u8).range(1..=5))]
        route_type: Option<u8>,
        /// Only those that name this VNI, or that it takes in.
        #[arg(long, value_name = "N", value_parser = vni)]
        vni: Option<Vni>,
        /// Only with this route distinguisher.
        #[arg(long, value_name = "RD")]
        rd: Option<RouteDistinguisher>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum EvpnOrder {
    /// Says that a machine is at this site from now on: for hypervisors, at the switch-over of a
    /// live migration.
    ///
    /// Other sites are told at once and send its traffic here, before it has sent anything. If the
    /// bridge does not see it within a minute it counts as gone again. A machine that is elsewhere
    /// after all is told of there as soon as it sends something.
    Arrived {
        /// The VNI.
        #[arg(value_name = "VNI", value_parser = vni)]
        vni: Vni,
        /// The machine's MAC address.
        #[arg(value_name = "MAC")]
        mac: MacAddress,
        /// Its IP address. Without it, addresses that other sites knew of it are asked for.
        #[arg(value_name = "IP")]
        ip: Option<IpAddr>,
        #[command(flatten)]
        json: Json,
    },
    /// Lets go of addresses that are duplicates: all of them, those of a VNI, or one.
    ///
    /// What was frozen goes where the best claim to it is, so its traffic may move; moves are
    /// counted from nothing. An address that two hosts still have becomes a duplicate again.
    /// There is nothing to undo.
    ClearDuplicate {
        /// Only this address; exits 1 if it is no duplicate.
        #[arg(value_name = "MAC|IP", value_parser = evpn_address)]
        address: Option<Address>,
        /// Only of this VNI.
        #[arg(long, value_name = "N", value_parser = vni)]
        vni: Option<Vni>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// Only away from the neighbor with this address; otherwise the whole router.
    #[arg(long, value_name = "ADDR")]
    pub(super) neighbor: Option<ScopedAddr>,
    /// Wait until every neighbor is told and traffic has moved.
    #[arg(long)]
    pub(super) wait: bool,
    /// Longest time to wait, then exit 3 and say what is not confirmed. The drain stays. Implies
    /// --wait. [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// End the drain by itself after this time: 30m, 2h. A drain that is ordered again keeps its
    /// end and its reason unless they are given anew.
    #[arg(long = "for", value_name = "TIME", value_parser = whole_seconds)]
    pub(super) duration: Option<Duration>,
    /// Why, for those who look later.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: Option<String>,
    /// Only print what would happen and what would be unreachable; exit 3 if it is not safe or
    /// anything would be unreachable, unless with --force.
    #[arg(long, conflicts_with_all = ["wait", "timeout"])]
    pub(super) dry_run: bool,
    /// Drain although it is not safe: traffic is lost when this router goes.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, Args)]
pub(super) struct Decode {
    /// Read messages as octets, each after its length as 32 bits, big-endian, instead of hex.
    #[arg(long)]
    pub(super) framed: bool,
    /// The session has two-octet AS numbers; otherwise they have four octets.
    #[arg(long)]
    pub(super) as2: bool,
    /// The session has add-path on every family: each route begins with a path identifier. A
    /// message does not tell.
    #[arg(long)]
    pub(super) add_path: bool,
    /// The file; `-` or none is stdin.
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Json {
    /// Print JSON instead of text.
    #[arg(long = "json")]
    pub(super) enabled: bool,
}

/// Whom `clear` reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClearTarget {
    All,
    Neighbor(ScopedAddr),
}

fn clear_target(text: &str) -> Result<ClearTarget, String> {
    if text == "all" {
        return Ok(ClearTarget::All);
    }
    let address = text.parse().map(ClearTarget::Neighbor);
    address.map_err(|_| "expected an IP address or `all`".to_owned())
}

fn communication(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    let text = fits.then(|| text.to_owned());
    text.ok_or_else(|| "expected 1 to 255 octets without control characters".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    let says = !text.trim().is_empty() && !text.chars().any(char::is_control);
    let text = says.then(|| text.to_owned());
    text.ok_or_else(|| "expected a text of 1 character or more on one line".to_owned())
}

fn soft_reset(text: &str) -> Result<SoftReset, String> {
    SoftReset::from_word(text)
        .filter(|soft| *soft != SoftReset::None)
        .ok_or_else(|| "expected `in` or `out`".to_owned())
}

fn family(text: &str) -> Result<Family, String> {
    let family = Family::from_name(text);
    family.ok_or_else(|| "expected `ipv4_unicast`, `ipv6_unicast` or `evpn`".to_owned())
}

fn evpn_address(text: &str) -> Result<Address, evpn::AddressError> {
    text.parse()
}

fn vni(text: &str) -> Result<Vni, String> {
    let vni = text.parse().ok().and_then(Vni::new);
    vni.ok_or_else(|| "expected a number from 0 to 16777215".to_owned())
}

fn network_vni(text: &str) -> Result<Vni, String> {
    let vni = NetworkCreate::read_vni(text);
    vni.ok_or_else(|| "expected a number from 1 to 16777215".to_owned())
}

/// `300ms`, `30s`, `30m`, `2h`, `1d`, as in the configuration.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time with a unit like 300ms, 30s, 30m, 2h or 1d".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(expected)?;
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = |per_unit: u64| number.checked_mul(per_unit).map(Duration::from_secs);
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    };
    duration
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(expected)
}

/// Longer than any wait, and far from where adding to a clock overflows.
const DURATION_MAX: Duration = crate::control::Drain::DURATION_MAX;

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = Duration::from_secs(duration(text)?.as_secs());
    if time.is_zero() {
        return Err("expected at least 1s".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1.5h",
            "1h30m",
            "99999999999999999999s",
            "9999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(whole_seconds("999ms").is_err());
        assert_eq!(whole_seconds("1s"), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn commands_that_do_not_exist_are_not_accepted() {
        for wrong in ["plan x", "rollback", "vtysh -x", "import-frr", "show"] {
            let arguments = std::iter::once("rbgpctl").chain(wrong.split(' '));
            assert!(Arguments::try_parse_from(arguments).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        for (text, usable) in [
            ("new disk", true),
            ("", false),
            (" ", false),
            ("a\nb", false),
        ] {
            let drain = Arguments::try_parse_from(["rbgpctl", "drain", "--reason", text]);
            assert_eq!(drain.is_ok(), usable, "{text:?}");
        }
    }
}
