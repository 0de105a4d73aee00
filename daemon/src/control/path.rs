//! Which HTTP path a request has, in both directions.
//!
//! Questions are `GET` with a query, orders are `POST` with a JSON object. [`write()`] is used by
//! the client and [`read`] by the server; a test holds them together. A key nobody knows is an
//! error here as in the configuration: a misspelt `prefx` must not list the whole table.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bgp::{Family, Prefix, ScopedAddr, Vni};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Clear, Drain, ErrorKind, ErrorReply, EvpnRoutes, Gateways, Language, Lines, NetworkCreate,
    NetworkDelete, Page, Request, Routes, Select, SoftReset,
};

/// A request as HTTP sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// JSON of a `POST`, empty for a `GET`.
    pub body: String,
}

/// The two methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks and changes nothing.
    Get,
    /// Changes something.
    Post,
}

/// The HTTP form of a request.
pub fn write(request: &Request) -> Call {
    match request {
        Request::Summary => get("/v1/summary", Query::new()),
        Request::Neighbors { address } => get(
            "/v1/neighbors",
            Query::new().add("address", address.as_ref()),
        ),
        Request::Routes(routes) => get("/v1/routes", routes_query(routes)),
        Request::Explain { target } => {
            get("/v1/explain", Query::new().add("target", Some(target)))
        }
        Request::EvpnVni => get("/v1/evpn/vni", Query::new()),
        Request::EvpnMac { vni, page } => {
            let query = Query::new().add("vni", vni.as_ref());
            get("/v1/evpn/mac", query.page(page))
        }
        Request::EvpnNeighbors { vni, page } => {
            let query = Query::new().add("vni", vni.as_ref());
            get("/v1/evpn/neighbors", query.page(page))
        }
        Request::EvpnVteps => get("/v1/evpn/vteps", Query::new()),
        Request::EvpnNextHops => get("/v1/evpn/next_hops", Query::new()),
        Request::EvpnDuplicates { vni } => {
            get("/v1/evpn/duplicates", Query::new().add("vni", vni.as_ref()))
        }
        Request::ClearDuplicates { vni, address } => {
            let body = DuplicatesBody {
                vni: vni.map(Vni::get),
                address: address.map(|address| address.to_string()),
            };
            post("/v1/evpn/clear_duplicates", &body)
        }
        Request::Arrived { vni, mac, ip } => {
            let body = ArrivedBody {
                vni: Some(vni.get()),
                mac: Some(mac.to_string()),
                ip: ip.map(|ip| ip.to_string()),
            };
            post("/v1/evpn/arrived", &body)
        }
        Request::EvpnRoutes(routes) => {
            let query = Query::new()
                .add("type", routes.route_type.as_ref())
                .add("vni", routes.vni.as_ref())
                .add("rd", routes.rd.as_ref())
                .add("prefix", routes.prefix.as_ref());
            get("/v1/evpn/routes", query.page(&routes.page))
        }
        Request::Bfd => get("/v1/bfd", Query::new()),
        Request::Rpki { prefix, asn } => {
            let query = Query::new().add("prefix", prefix.as_ref());
            get("/v1/rpki", query.add("asn", asn.as_ref()))
        }
        Request::StaticRoutes => get("/v1/static_routes", Query::new()),
        Request::PrefixLists => get("/v1/prefix_lists", Query::new()),
        Request::DrainStatus => get("/v1/drain", Query::new()),
        Request::Drain(drain) => post("/v1/drain", &DrainBody::from(drain)),
        Request::Undrain { neighbor, force } => {
            let (neighbor, force) = (*neighbor, *force);
            post("/v1/undrain", &UndrainBody { neighbor, force })
        }
        Request::Verify => get("/v1/verify", Query::new()),
        Request::Reload { dry_run } => post("/v1/reload", &ReloadBody { dry_run: *dry_run }),
        Request::Running(language) => {
            let query = Query::new().add("language", Some(&language.word()));
            get("/v1/running", query)
        }
        Request::Configure { lines, dry_run } => {
            let (lines, dry_run) = (lines.0.clone(), *dry_run);
            post("/v1/configure", &ConfigureBody { lines, dry_run })
        }
        Request::Debug { words, on } => {
            let (words, on) = (words.clone(), *on);
            post("/v1/debug", &DebugBody { words, on })
        }
        Request::Debugging => get("/v1/debug", Query::new()),
        Request::Write => post("/v1/write", &WriteBody {}),
        Request::Clear(clear) => post("/v1/clear", &ClearBody::from(clear)),
        Request::RouteMaps { name } => {
            get("/v1/route_maps", Query::new().add("name", name.as_ref()))
        }
        Request::Metrics => get("/v1/metrics", Query::new()),
        Request::Memory => get("/v1/memory", Query::new()),
        Request::Version => get("/v1/version", Query::new()),
        Request::Instances => get("/v1/instances", Query::new()),
        Request::Networks => get("/v1/networks", Query::new()),
        Request::NetworkCreate(order) => post("/v1/networks", &CreateBody::from(order)),
        Request::NetworkDelete(order) => {
            let (vni, force, dry_run) = (Some(order.vni.get()), order.force, order.dry_run);
            let body = DeleteBody {
                vni,
                force,
                dry_run,
            };
            post("/v1/networks/delete", &body)
        }
        Request::Of(name, request) => {
            let mut call = write(request);
            call.target.push(match call.target.contains('?') {
                true => '&',
                false => '?',
            });
            call.target.push_str("instance=");
            encode(name, &mut call.target);
            call
        }
    }
}

/// The request that an HTTP request means. Every path takes `instance` in its query.
pub fn read(method: Method, path: &str, query: &str, body: &[u8]) -> Result<Request, ErrorReply> {
    let mut query = Pairs::parse(query)?;
    let instance: Option<String> = query.take("instance", "the name of an instance")?;
    let request = match method {
        Method::Get => read_get(path, query),
        Method::Post => read_post(path, query, body),
    }?;
    Ok(request.of(instance.as_deref()))
}

fn read_get(path: &str, mut query: Pairs) -> Result<Request, ErrorReply> {
    let request = match path {
        "/v1/summary" => Request::Summary,
        "/v1/neighbors" => Request::Neighbors {
            address: query.take("address", "an IP address")?,
        },
        "/v1/routes" => Request::Routes(read_routes(&mut query)?),
        "/v1/explain" => Request::Explain {
            target: query
                .take("target", "a text")?
                .ok_or_else(|| ErrorReply::bad_request("`target` is missing"))?,
        },
        "/v1/evpn/vni" => Request::EvpnVni,
        "/v1/evpn/mac" => Request::EvpnMac {
            vni: query.take_with("vni", VNI_EXPECTED, read_vni)?,
            page: read_page(&mut query)?,
        },
        "/v1/evpn/neighbors" => Request::EvpnNeighbors {
            vni: query.take_with("vni", VNI_EXPECTED, read_vni)?,
            page: read_page(&mut query)?,
        },
        "/v1/evpn/vteps" => Request::EvpnVteps,
        "/v1/evpn/next_hops" => Request::EvpnNextHops,
        "/v1/evpn/duplicates" => Request::EvpnDuplicates {
            vni: query.take_with("vni", VNI_EXPECTED, read_vni)?,
        },
        "/v1/evpn/routes" => Request::EvpnRoutes(EvpnRoutes {
            route_type: query.take_with("type", "a number from 1 to 5", read_route_type)?,
            vni: query.take_with("vni", VNI_EXPECTED, read_vni)?,
            rd: query.take("rd", "a route distinguisher like 10.10.0.1:100")?,
            prefix: query.take("prefix", "a prefix like 10.20.0.0/16")?,
            page: read_page(&mut query)?,
        }),
        "/v1/bfd" => Request::Bfd,
        "/v1/rpki" => read_rpki(&mut query)?,
        "/v1/static_routes" => Request::StaticRoutes,
        "/v1/prefix_lists" => Request::PrefixLists,
        "/v1/drain" => Request::DrainStatus,
        "/v1/running" => {
            let language = query.take_with("language", "`toml` or `frr`", Language::from_word)?;
            Request::Running(language.unwrap_or_default())
        }
        "/v1/debug" => Request::Debugging,
        "/v1/verify" => Request::Verify,
        "/v1/route_maps" => Request::RouteMaps {
            name: query.take("name", "a text")?,
        },
        "/v1/metrics" => Request::Metrics,
        "/v1/memory" => Request::Memory,
        "/v1/version" => Request::Version,
        "/v1/instances" => Request::Instances,
        "/v1/networks" => Request::Networks,
        _ => return Err(not_taken("GET", path)),
    };
    query.finish()?;
    Ok(request)
}

fn read_post(path: &str, query: Pairs, body: &[u8]) -> Result<Request, ErrorReply> {
    let request = match path {
        "/v1/drain" => Request::Drain(read_body::<DrainBody>(body)?.into()),
        "/v1/undrain" => {
            let UndrainBody { neighbor, force } = read_body(body)?;
            Request::Undrain { neighbor, force }
        }
        "/v1/reload" => Request::Reload {
            dry_run: read_body::<ReloadBody>(body)?.dry_run,
        },
        "/v1/configure" => {
            let ConfigureBody { lines, dry_run } = read_body(body)?;
            let lines = Lines(lines);
            Request::Configure { lines, dry_run }
        }
        "/v1/debug" => {
            let DebugBody { words, on } = read_body(body)?;
            Request::Debug { words, on }
        }
        "/v1/write" => {
            let WriteBody {} = read_body(body)?;
            Request::Write
        }
        "/v1/clear" => Request::Clear(read_body::<ClearBody>(body)?.clear()?),
        "/v1/evpn/clear_duplicates" => read_body::<DuplicatesBody>(body)?.clear()?,
        "/v1/networks" => Request::NetworkCreate(read_body::<CreateBody>(body)?.order()?),
        "/v1/networks/delete" => {
            let DeleteBody {
                vni,
                force,
                dry_run,
            } = read_body(body)?;
            let vni = read_network_vni(vni)?;
            Request::NetworkDelete(NetworkDelete {
                vni,
                force,
                dry_run,
            })
        }
        "/v1/evpn/arrived" => read_body::<ArrivedBody>(body)?.arrived()?,
        _ => return Err(not_taken("POST", path)),
    };
    query.finish()?;
    Ok(request)
}

/// The methods a path takes, as the header `Allow` has them; `None` for a path there is not.
pub fn allowed(path: &str) -> Option<&'static str> {
    match path {
        "/v1/drain" | "/v1/networks" | "/v1/debug" => Some("GET, POST"),
        "/v1/undrain"
        | "/v1/reload"
        | "/v1/configure"
        | "/v1/write"
        | "/v1/clear"
        | "/v1/evpn/clear_duplicates"
        | "/v1/evpn/arrived"
        | "/v1/networks/delete" => Some("POST"),
        "/metrics"
        | "/v1/summary"
        | "/v1/neighbors"
        | "/v1/routes"
        | "/v1/explain"
        | "/v1/evpn/vni"
        | "/v1/evpn/mac"
        | "/v1/evpn/duplicates"
        | "/v1/evpn/neighbors"
        | "/v1/evpn/vteps"
        | "/v1/evpn/next_hops"
        | "/v1/evpn/routes"
        | "/v1/bfd"
        | "/v1/rpki"
        | "/v1/static_routes"
        | "/v1/running"
        | "/v1/verify"
        | "/v1/route_maps"
        | "/v1/metrics"
        | "/v1/memory"
        | "/v1/version"
        | "/v1/instances" => Some("GET"),
        _ => None,
    }
}

/// Why a path does not take a method: there is no such path, or it takes others.
pub fn not_taken(method: &str, path: &str) -> ErrorReply {
    match allowed(path) {
        None => ErrorReply::not_found(format!("there is nothing at `{path}`"))
            .hint("the paths are in docs/commands.md, `/v1/summary` is one"),
        Some(allowed) => {
            let allowed = allowed.replace(", ", " and ");
            let error = format!("`{path}` takes {allowed}, but was asked with {method}");
            ErrorReply::new(ErrorKind::Method, error)
        }
    }
}

fn get(path: &str, query: Query) -> Call {
    Call {
        method: Method::Get,
        target: format!("{path}{query}"),
        body: String::new(),
    }
}

fn post(path: &str, body: &impl Serialize) -> Call {
    Call {
        method: Method::Post,
        target: path.to_owned(),
        // A struct of plain fields always has a JSON form; an empty body means the defaults.
        body: serde_json::to_string(body).unwrap_or_default(),
    }
}

fn routes_query(routes: &Routes) -> Query {
    let query = Query::new()
        .add("family", routes.family.as_ref())
        .add("prefix", routes.prefix.as_ref());
    let query = match &routes.select {
        Select::All => query,
        Select::Received(address) => query.add("received", Some(address)),
        Select::Advertised(address) => query.add("advertised", Some(address)),
    };
    query.page(&routes.page)
}

fn read_rpki(query: &mut Pairs) -> Result<Request, ErrorReply> {
    let prefix = query.take("prefix", "a prefix like 10.0.0.0/8")?;
    let asn = query.take("asn", "an AS number")?;
    if asn.is_some() && prefix.is_none() {
        return Err(ErrorReply::bad_request("`asn` needs a `prefix`"));
    }
    Ok(Request::Rpki { prefix, asn })
}

fn read_routes(query: &mut Pairs) -> Result<Routes, ErrorReply> {
    let received = query.take("received", "an IP address")?;
    let advertised = query.take("advertised", "an IP address")?;
    let select = match (received, advertised) {
        (None, None) => Select::All,
        (Some(address), None) => Select::Received(address),
        (None, Some(address)) => Select::Advertised(address),
        (Some(_), Some(_)) => {
            let error = "`received` and `advertised` do not go together";
            return Err(ErrorReply::bad_request(error));
        }
    };
    Ok(Routes {
        family: query.take_with("family", FAMILY_EXPECTED, Family::from_name)?,
        prefix: query.take::<Prefix>("prefix", "a prefix like 10.0.0.0/8")?,
        select,
        page: read_page(query)?,
    })
}

/// Names of the families, for messages.
const FAMILY_EXPECTED: &str = "`ipv4_unicast`, `ipv6_unicast` or `evpn`";

fn read_page(query: &mut Pairs) -> Result<Page, ErrorReply> {
    Ok(Page {
        limit: query.take_with("limit", &limit_expected(), read_limit)?,
        after: query.take("after", "a text")?,
    })
}

fn limit_expected() -> String {
    format!("a number from 1 to {}", Page::MAX)
}

fn read_limit(text: &str) -> Option<u32> {
    let limit = text.parse().ok()?;
    (1..=Page::MAX).contains(&limit).then_some(limit)
}

/// What a VNI is, for messages.
const VNI_EXPECTED: &str = "a number up to 16777215";

fn read_route_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| (1..=5).contains(number))
}

fn read_vni(text: &str) -> Option<Vni> {
    text.parse().ok().and_then(Vni::new)
}

/// Body of `POST /v1/drain`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DrainBody {
    neighbor: Option<ScopedAddr>,
    reason: Option<String>,
    for_s: Option<u64>,
    force: bool,
    dry_run: bool,
}

impl From<&Drain> for DrainBody {
    fn from(drain: &Drain) -> Self {
        Self {
            neighbor: drain.neighbor,
            reason: drain.reason.clone(),
            for_s: drain.duration.map(|duration| duration.as_secs()),
            force: drain.force,
            dry_run: drain.dry_run,
        }
    }
}

impl From<DrainBody> for Drain {
    fn from(body: DrainBody) -> Self {
        Self {
            neighbor: body.neighbor,
            reason: body.reason,
            duration: body.for_s.map(Duration::from_secs),
            force: body.force,
            dry_run: body.dry_run,
        }
    }
}

/// Body of `POST /v1/undrain`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UndrainBody {
    neighbor: Option<ScopedAddr>,
    force: bool,
}

/// Body of `POST /v1/reload`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReloadBody {
    dry_run: bool,
}

/// Body of `POST /v1/configure`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigureBody {
    lines: String,
    dry_run: bool,
}

/// Body of `POST /v1/debug`. Without words nothing is asked for or taken back.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DebugBody {
    words: String,
    on: bool,
}

/// Body of `POST /v1/write`, which has no keys.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WriteBody {}

/// Body of `POST /v1/clear`. There is no default: clearing everything has to be said.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClearBody {
    neighbor: Option<ScopedAddr>,
    all: bool,
    soft: Option<String>,
    hard: bool,
    reason: Option<String>,
}

impl From<&Clear> for ClearBody {
    fn from(clear: &Clear) -> Self {
        Self {
            neighbor: clear.neighbor,
            all: clear.neighbor.is_none(),
            soft: Some(clear.soft.word().to_owned()),
            hard: clear.hard,
            reason: clear.reason.clone(),
        }
    }
}

impl ClearBody {
    fn clear(self) -> Result<Clear, ErrorReply> {
        if self.neighbor.is_some() == self.all {
            let error = "either `neighbor` or `\"all\": true` must be given";
            return Err(ErrorReply::bad_request(error));
        }
        let soft = match self.soft.as_deref().map(SoftReset::from_word) {
            None => SoftReset::None,
            Some(Some(soft)) => soft,
            Some(None) => {
                let error = "`soft` must be `in`, `out` or `none`";
                return Err(ErrorReply::bad_request(error));
            }
        };
        if soft != SoftReset::None && (self.hard || self.reason.is_some()) {
            let error = "`hard` and `reason` are for a session that ends, not with `soft`";
            return Err(ErrorReply::bad_request(error));
        }
        Ok(Clear {
            neighbor: self.neighbor,
            soft,
            hard: self.hard,
            reason: self.reason,
        })
    }
}

/// Body of `POST /v1/evpn/clear_duplicates`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DuplicatesBody {
    vni: Option<u32>,
    address: Option<String>,
}

impl DuplicatesBody {
    fn clear(self) -> Result<Request, ErrorReply> {
        let wrong = |key, value: &dyn fmt::Display, expected: &dyn fmt::Display| {
            let error = format!("`{key}` is `{value}`, but must be {expected}");
            ErrorReply::bad_request(error)
        };
        let vni = self.vni.map(|number| {
            let vni = Vni::new(number);
            vni.ok_or_else(|| wrong("vni", &number, &VNI_EXPECTED))
        });
        let address = self.address.map(|text| {
            let address = text.parse();
            address.map_err(|_| wrong("address", &text, &"a MAC address or an IP address"))
        });
        Ok(Request::ClearDuplicates {
            vni: vni.transpose()?,
            address: address.transpose()?,
        })
    }
}

/// Body of `POST /v1/evpn/arrived`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ArrivedBody {
    vni: Option<u32>,
    mac: Option<String>,
    ip: Option<String>,
}

impl ArrivedBody {
    fn arrived(self) -> Result<Request, ErrorReply> {
        let missing = |key: &str| ErrorReply::bad_request(format!("`{key}` is missing"));
        let wrong = |key, value: &dyn fmt::Display, expected: &str| {
            let error = format!("`{key}` is `{value}`, but must be {expected}");
            ErrorReply::bad_request(error)
        };
        let number = self.vni.ok_or_else(|| missing("vni"))?;
        let mac = self.mac.ok_or_else(|| missing("mac"))?;
        let ip = self.ip.map(|text| {
            let ip = text.parse();
            ip.map_err(|_| wrong("ip", &text, "an IP address"))
        });
        Ok(Request::Arrived {
            vni: Vni::new(number).ok_or_else(|| wrong("vni", &number, VNI_EXPECTED))?,
            mac: mac
                .parse()
                .map_err(|_| wrong("mac", &mac, "a MAC address"))?,
            ip: ip.transpose()?,
        })
    }
}

/// Body of `POST /v1/networks`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CreateBody {
    vni: Option<u32>,
    name: Option<String>,
    networks: Vec<String>,
    /// Absent for the first usable addresses, empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Vec<IpAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vrf: Option<String>,
    force: bool,
    dry_run: bool,
}

impl From<&NetworkCreate> for CreateBody {
    fn from(order: &NetworkCreate) -> Self {
        Self {
            vni: Some(order.vni.get()),
            name: Some(order.name.clone()),
            networks: order.networks.iter().map(ToString::to_string).collect(),
            gateway: match &order.gateway {
                Gateways::First => None,
                Gateways::These(addresses) => Some(addresses.clone()),
                Gateways::None => Some(Vec::new()),
            },
            vrf: order.vrf.clone(),
            force: order.force,
            dry_run: order.dry_run,
        }
    }
}

impl CreateBody {
    fn order(self) -> Result<NetworkCreate, ErrorReply> {
        let wrong = |key: &str, why: String| ErrorReply::bad_request(format!("`{key}`: {why}"));
        let missing = || ErrorReply::bad_request("`name` is missing");
        let name = NetworkCreate::read_name(&self.name.ok_or_else(missing)?);
        let networks = self.networks.iter();
        let networks: Result<Vec<Prefix>, String> = networks
            .map(|text| NetworkCreate::read_network(text))
            .collect();
        let networks = networks.map_err(|why| wrong("networks", why))?;
        if networks.is_empty() {
            let error = "`networks` is empty, but must have a network like \"10.30.0.0/24\"";
            return Err(ErrorReply::bad_request(error));
        }
        Ok(NetworkCreate {
            vni: read_network_vni(self.vni)?,
            name: name.map_err(|why| wrong("name", why))?,
            networks,
            gateway: match self.gateway {
                None => Gateways::First,
                Some(addresses) if addresses.is_empty() => Gateways::None,
                Some(addresses) => Gateways::These(addresses),
            },
            vrf: self.vrf,
            force: self.force,
            dry_run: self.dry_run,
        })
    }
}

/// Body of `POST /v1/networks/delete`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeleteBody {
    vni: Option<u32>,
    force: bool,
    dry_run: bool,
}

fn read_network_vni(number: Option<u32>) -> Result<Vni, ErrorReply> {
    let vni = number.and_then(Vni::new).filter(|vni| vni.get() > 0);
    vni.ok_or_else(|| {
        let shown = number.map_or_else(|| "missing".to_owned(), |number| number.to_string());
        let error = format!("`vni` is {shown}, but must be a number from 1 to 16777215");
        ErrorReply::bad_request(error)
    })
}

fn read_body<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ErrorReply> {
    match body.trim_ascii().first() {
        None => return Ok(T::default()),
        Some(b'{') => {}
        // A list would be taken for the values in the order of the fields.
        Some(_) => return Err(ErrorReply::bad_request("the body is not a JSON object")),
    }
    serde_json::from_slice(body)
        .map_err(|error| ErrorReply::bad_request(format!("the body is not understood: {error}")))
}

/// A query being written.
#[derive(Default)]
struct Query(String);

impl Query {
    fn new() -> Self {
        Self::default()
    }

    fn add(mut self, key: &str, value: Option<&impl fmt::Display>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(key);
            self.0.push('=');
            encode(&value.to_string(), &mut self.0);
        }
        self
    }

    fn page(self, page: &Page) -> Self {
        self.add("limit", page.limit.as_ref())
            .add("after", page.after.as_ref())
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986 §2: everything but letters, digits and what a query may hold unencoded.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
                u8::try_from(value).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// A query being read.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn parse(query: &str) -> Result<Self, ErrorReply> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(key), Some(value)) = (decode(key), decode(value)) else {
                let error = format!("`{part}` has an escape that is not `%` and two hex digits");
                return Err(ErrorReply::bad_request(error));
            };
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(ErrorReply::bad_request(format!("`{key}` is there twice")));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    fn take<T: FromStr>(&mut self, key: &str, expected: &str) -> Result<Option<T>, ErrorReply> {
        self.take_with(key, expected, |text| text.parse().ok())
    }

    fn take_with<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ErrorReply> {
        let Some(at) = self.0.iter().position(|(known, _)| known == key) else {
            return Ok(None);
        };
        let (_, text) = self.0.swap_remove(at);
        let value = parse(&text);
        let wrong =
            || ErrorReply::bad_request(format!("`{key}` is `{text}`, but must be {expected}"));
        value.ok_or_else(wrong).map(Some)
    }

    fn finish(self) -> Result<(), ErrorReply> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => {
                let error = format!("`{key}` is not known here");
                Err(ErrorReply::bad_request(error))
            }
        }
    }
}

#[cfg(test)]
mod tests;
