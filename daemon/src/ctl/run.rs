//! Carries out a command: asks, prints, and says with which code to exit.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::args::{self, Arguments, ClearTarget, Command, Evpn, EvpnOrder, Json, What};
use super::table::printable;
use super::{Exit, check, decode, explain, import, network, route_map, show, wait};
use crate::control::client::{Client, ClientError};
use crate::control::{
    Clear, EvpnRoutes, Language, Lines, Page, Request, Routes, Select, SoftReset, reply,
};
use crate::plain_file;
use crate::vtysh;

/// Runs a command with the streams of the process.
pub(super) async fn run(arguments: Arguments) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut console = Console {
        client: Client::new(arguments.socket).instance(arguments.instance),
        out: &mut out,
        talk: &mut io::stderr(),
    };
    let done = console.command(arguments.command).await;
    let flushed = done.and_then(|exit| console.out.flush().map(|()| exit).map_err(Stop::Output));
    match flushed {
        Ok(exit) => exit,
        Err(stop) => stop.report(console.talk),
    }
}

/// What ends a command early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The daemon did not give what was asked for.
    Client(ClientError),
    /// Our own output or input failed.
    Output(io::Error),
}

/// Lines for `configure`; octets that are no text are refused by the daemon with the line.
fn lines_of(file: &Path) -> io::Result<String> {
    let octets = match file.as_os_str() == "-" {
        true => {
            let mut octets = Vec::new();
            io::stdin().lock().read_to_end(&mut octets)?;
            octets
        }
        false => plain_file::read(file)?,
    };
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Stop::Client(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

impl Stop {
    fn report(self, talk: &mut dyn Write) -> Exit {
        // Nothing can be done about a failing stderr.
        match self {
            // `rbgpctl show routes | head` is not a failure.
            Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::DONE,
            Stop::Output(error) => {
                let _ = writeln!(talk, "error: {error}");
                Exit::FAILED
            }
            Stop::Client(error) => {
                let _ = writeln!(talk, "error: {error}");
                if let Some(hint) = error.hint() {
                    let _ = writeln!(talk, "\nhint: {hint}");
                }
                Exit(error.exit_code())
            }
        }
    }
}

/// The daemon on one side, the operator on the other.
pub(super) struct Console<'a> {
    pub(super) client: Client,
    pub(super) out: &'a mut dyn Write,
    pub(super) talk: &'a mut dyn Write,
}

impl Console<'_> {
    async fn command(&mut self, command: Command) -> Result<Exit, Stop> {
        match command {
            Command::Show(args::Show { what, json }) => {
                self.show(what, Json { enabled: json }).await
            }
            Command::Explain { target, json } => {
                let request = Request::Explain { target };
                self.print(&request, json, explain::explain).await?;
                Ok(Exit::DONE)
            }
            Command::Verify {
                wait,
                timeout,
                json,
            } => wait::verify(self, wait || timeout.is_some(), timeout, json).await,
            Command::Drain(drain) => wait::drain(self, drain).await,
            Command::Undrain {
                neighbor,
                wait,
                timeout,
                force,
                json,
            } => {
                let patience = (wait || timeout.is_some(), timeout);
                wait::undrain(self, neighbor, force, patience, json).await
            }
            Command::Check { file } => {
                let clean = check::check(&file, self.talk)?;
                if clean {
                    writeln!(self.talk, "{}: no errors", file.display())?;
                }
                Ok(if clean { Exit::DONE } else { Exit::USAGE })
            }
            Command::ImportFrr { file } => {
                let clean = import::import(&file, self.out, self.talk)?;
                Ok(if clean { Exit::DONE } else { Exit::USAGE })
            }
            Command::Reload { dry_run, json } => {
                let request = Request::Reload { dry_run };
                let reload: reply::Reload =
                    self.print_answer(&request, json, show::reload).await?;
                Ok(match reload.restart_required.is_empty() {
                    true => Exit::DONE,
                    false => Exit::FAILED,
                })
            }
            Command::Configure {
                file,
                dry_run,
                json,
            } => {
                let lines = Lines(lines_of(&file)?);
                let request = Request::Configure { lines, dry_run };
                let done: reply::Configured =
                    self.print_answer(&request, json, show::configured).await?;
                Ok(match done.reload.restart_required.is_empty() {
                    true => Exit::DONE,
                    false => Exit::FAILED,
                })
            }
            Command::Write { json } => {
                self.print(&Request::Write, json, show::written).await?;
                Ok(Exit::DONE)
            }
            Command::Clear {
                target,
                soft,
                hard,
                reason,
                json,
            } => {
                let neighbor = match target {
                    ClearTarget::All => None,
                    ClearTarget::Neighbor(address) => Some(address),
                };
                let soft = soft.unwrap_or(SoftReset::None);
                let request = Request::Clear(Clear {
                    neighbor,
                    soft,
                    hard,
                    reason,
                });
                self.print(&request, json, |clear, out| show::clear(clear, soft, out))
                    .await?;
                Ok(Exit::DONE)
            }
            Command::Evpn {
                what: EvpnOrder::ClearDuplicate { vni, address, json },
            } => {
                let request = Request::ClearDuplicates { vni, address };
                self.print(&request, json, show::duplicates_cleared).await?;
                Ok(Exit::DONE)
            }
            Command::Network { order } => network::run(self, order).await,
            Command::Evpn {
                what: EvpnOrder::Arrived { vni, mac, ip, json },
            } => {
                let request = Request::Arrived { vni, mac, ip };
                self.print(&request, json, show::arrived).await?;
                Ok(Exit::DONE)
            }
            Command::Vtysh(options) => {
                let client = self.client.clone();
                let code = vtysh::run(options, client, self.out, self.talk).await?;
                Ok(Exit(code))
            }
            Command::Decode(options) => {
                decode::decode(&options, self.out)?;
                Ok(Exit::DONE)
            }
        }
    }

    async fn show(&mut self, what: What, json: Json) -> Result<Exit, Stop> {
        if let What::Routes(routes) = what {
            return self.routes(routes, json).await;
        }
        self.table(what, json).await.map(|()| Exit::DONE)
    }

    async fn table(&mut self, what: What, json: Json) -> Result<(), Stop> {
        match what {
            What::Summary => self.print(&Request::Summary, json, show::summary).await,
            What::Neighbors { address } => {
                let request = Request::Neighbors { address };
                self.print(&request, json, show::neighbors).await
            }
            What::Routes(routes) => self.routes(routes, json).await.map(drop),
            What::Evpn { what: Evpn::Vni } => {
                self.print(&Request::EvpnVni, json, show::evpn_vni).await
            }
            What::Evpn {
                what: Evpn::Mac { vni },
            } => {
                let request = |page| Request::EvpnMac { vni, page };
                if json.enabled {
                    return self.json_pages("macs", request).await.map(drop);
                }
                let mut table = show::MacTable::default();
                self.pages(request, |page: &reply::EvpnMac, out| {
                    table.page(page, out)?;
                    Ok(page.next.clone())
                })
                .await?;
                Ok(table.finish(self.out)?)
            }
            What::Evpn {
                what: Evpn::Neighbors { vni },
            } => {
                let request = |page| Request::EvpnNeighbors { vni, page };
                if json.enabled {
                    return self.json_pages("neighbors", request).await.map(drop);
                }
                let mut table = show::NeighborTable::default();
                self.pages(request, |page: &reply::EvpnNeighbors, out| {
                    table.page(page, out)?;
                    Ok(page.next.clone())
                })
                .await?;
                Ok(table.finish(self.out)?)
            }
            What::Evpn { what: Evpn::Vteps } => {
                let request = Request::EvpnVteps;
                self.print(&request, json, show::evpn_vteps).await
            }
            What::Evpn {
                what: Evpn::NextHops,
            } => {
                let request = Request::EvpnNextHops;
                self.print(&request, json, show::evpn_next_hops).await
            }
            What::Evpn {
                what: Evpn::Duplicates { vni },
            } => {
                let request = Request::EvpnDuplicates { vni };
                self.print(&request, json, show::evpn_duplicates).await
            }
            What::Evpn {
                what:
                    Evpn::Routes {
                        route_type,
                        vni,
                        rd,
                    },
            } => {
                let wanted = EvpnRoutes {
                    prefix: None,
                    route_type,
                    vni,
                    rd,
                    page: Page::default(),
                };
                self.evpn_routes(&wanted, json).await
            }
            What::Bfd => self.print(&Request::Bfd, json, show::bfd).await,
            What::Rpki { prefix, asn } => {
                let request = Request::Rpki { prefix, asn };
                self.print(&request, json, show::rpki).await
            }
            What::Static => {
                let request = Request::StaticRoutes;
                self.print(&request, json, show::static_routes).await
            }
            What::Drain => self.print(&Request::DrainStatus, json, show::drain).await,
            What::RouteMap { name } => {
                let request = Request::RouteMaps { name };
                self.print(&request, json, route_map::show).await
            }
            What::Memory => self.print(&Request::Memory, json, show::memory).await,
            What::Instances => self.print(&Request::Instances, json, show::instances).await,
            What::RunningConfig { frr } => {
                let language = if frr { Language::Frr } else { Language::Toml };
                let request = Request::Running(language);
                self.print(&request, json, show::running).await
            }
            What::Version => self.print(&Request::Version, json, show::version).await,
        }
    }

    /// Asks once and prints the answer.
    pub(super) async fn print<T: DeserializeOwned>(
        &mut self,
        request: &Request,
        json: Json,
        show: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Stop> {
        if json.enabled {
            let answer = self.client.raw(request).await?;
            self.out.write_all(&answer)?;
        } else {
            let answer = self.client.ask(request).await?;
            show(&answer, self.out)?;
        }
        Ok(())
    }

    /// The same, for those who need the answer to say how it went.
    pub(super) async fn print_answer<T: DeserializeOwned>(
        &mut self,
        request: &Request,
        json: Json,
        show: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
    ) -> Result<T, Stop> {
        let text = self.client.raw(request).await?;
        let answer = serde_json::from_slice(&text).map_err(ClientError::Unexpected)?;
        match json.enabled {
            true => self.out.write_all(&text)?,
            false => show(&answer, self.out)?,
        }
        Ok(answer)
    }

    async fn routes(&mut self, routes: args::Routes, json: Json) -> Result<Exit, Stop> {
        let select = match (routes.received, routes.advertised) {
            (Some(address), _) => Select::Received(address),
            (None, Some(address)) => Select::Advertised(address),
            (None, None) => Select::All,
        };
        let request = |page| {
            Request::Routes(Routes {
                family: routes.family,
                prefix: routes.prefix,
                select,
                page,
            })
        };
        let (rows, covered_by) = if json.enabled {
            self.json_pages("routes", request).await?
        } else {
            let (mut tables, mut covered_by) = (show::RouteTables::default(), None);
            self.pages(request, |page: &reply::Routes, out| {
                tables.page(&page.routes, out)?;
                covered_by.clone_from(&page.covered_by);
                Ok(page.next.clone())
            })
            .await?;
            tables.finish(self.out)?;
            (tables.rows(), covered_by)
        };
        match routes.prefix.filter(|_| rows == 0) {
            None => Ok(Exit::DONE),
            Some(prefix) => {
                for line in show::no_route(prefix, select, covered_by.as_deref()) {
                    self.say(line)?;
                }
                Ok(Exit::FAILED)
            }
        }
    }

    async fn evpn_routes(&mut self, wanted: &EvpnRoutes, json: Json) -> Result<(), Stop> {
        let request = |page| {
            Request::EvpnRoutes(EvpnRoutes {
                page,
                ..wanted.clone()
            })
        };
        if json.enabled {
            return self.json_pages("routes", request).await.map(drop);
        }
        let mut table = show::EvpnRouteTable::default();
        self.pages(request, |page: &reply::EvpnRoutes, out| {
            table.page(&page.routes, out)?;
            Ok(page.next.clone())
        })
        .await?;
        Ok(table.finish(self.out)?)
    }

    /// Asks for one page after the other; `print` returns where the next one begins.
    async fn pages<T: DeserializeOwned>(
        &mut self,
        request: impl Fn(Page) -> Request,
        mut print: impl FnMut(&T, &mut dyn Write) -> io::Result<Option<String>>,
    ) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = Page {
                limit: Some(Page::USUAL),
                after,
            };
            let answer = self.client.ask(&request(page)).await?;
            after = print(&answer, self.out)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// One object out of all pages, with whatever keys the daemon's routes have.
    /// Returns how many rows there were, and what contains a prefix that has no route.
    async fn json_pages(
        &mut self,
        key: &str,
        request: impl Fn(Page) -> Request,
    ) -> Result<(u64, Option<String>), Stop> {
        // Begins with the first answer: a refusal leaves stdout empty.
        let mut before = format!("{{\"{key}\":[");
        let (mut rows, mut covered_by) = (0_u64, None);
        self.pages(request, |page: &JsonPage, out| {
            out.write_all(std::mem::take(&mut before).as_bytes())?;
            for route in page.rows(key) {
                if rows > 0 {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(&mut *out, route)?;
                rows += 1;
            }
            covered_by.clone_from(&page.covered_by);
            Ok(page.next.clone())
        })
        .await?;
        self.out.write_all(b"]}\n")?;
        Ok((rows, covered_by))
    }

    /// A line on stderr.
    pub(super) fn say(&mut self, line: impl Into<String>) -> Result<(), Stop> {
        writeln!(self.talk, "{}", printable(line.into()))?;
        Ok(())
    }
}

/// A page of whatever rows the daemon has.
#[derive(Debug, Deserialize)]
struct JsonPage {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    covered_by: Option<String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

impl JsonPage {
    fn rows(&self, key: &str) -> &[Value] {
        let rows = self.rest.get(key).and_then(Value::as_array);
        rows.map_or(&[], Vec::as_slice)
    }
}
