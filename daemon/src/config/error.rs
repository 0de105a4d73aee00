//! Errors of a configuration, and the report that collects them.
//!
//! A [`Problem`] says what is wrong in values and expectations; a [`ConfigError`] adds the place.
//! Readers and checks add to one [`Report`] and go on; the configuration is refused at the end if
//! anything was added. Places are byte ranges inside ([`Span`]) and line and column outside.

use std::fmt;
use std::ops::Range;

use bgp::policy::{ListError, RouteMapError, RuleError};

/// A range of bytes in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> At<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// Line and column as editors count them, from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong, and where.
///
/// Its `Display` is the whole message: `error: file:line:column: ...`, then an empty line and
/// `hint: ...` if there is something to advise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// Where.
    pub place: Place,
    /// What.
    #[source]
    pub problem: Problem,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}:{}: {}", self.file, self.place, self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// An octet that belongs to no character: what follows cannot be read.
    #[error("the octet 0x{0:02x} is not UTF-8, but a file in TOML must be")]
    NotText(u8),
    /// The text is not TOML; the words are the parser's.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// A key nobody reads.
    #[error("`{key}` is not a key of {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in.
        table: String,
    },
    /// A key that must be there and is not.
    #[error("{table} has no `{key}`, but must have {expected}")]
    Missing {
        /// The key.
        key: String,
        /// The table it belongs to.
        table: String,
        /// What it should be.
        expected: String,
    },
    /// A value that is not what it should be, by itself.
    #[error("`{key}` is {value}, but must be {expected}")]
    Value {
        /// The key.
        key: String,
        /// The value as written, shortened.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// Something that may be there once.
    #[error("{what} {name} is there twice, first at {first}")]
    Duplicate {
        /// What it is.
        what: &'static str,
        /// What makes it the same.
        name: String,
        /// The other place.
        first: Place,
    },
    /// A reference to something that is not there.
    #[error("{what} `{name}` is not defined")]
    Undefined {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A key that other routing daemons know and we do not honour.
    #[error("`{key}` is not supported: {because}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// What is missing.
        because: &'static str,
    },
    /// What the kernel of this host does not do.
    #[error("`{key}` cannot be used on this host: {because}")]
    Kernel {
        /// The key.
        key: &'static str,
        /// What the kernel is missing.
        because: String,
    },
    /// A line in FRR's language that is not done.
    #[error("`{line}`: {why}")]
    FrrLine {
        /// The line, shortened.
        line: String,
        /// What is the matter with it.
        why: String,
    },
    /// A rule of a list that cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A list that contradicts itself.
    #[error(transparent)]
    List(#[from] ListError),
    /// A route-map that contradicts itself.
    #[error(transparent)]
    RouteMap(#[from] RouteMapError),
    /// Two values that do not go together.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

/// Two values that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The keepalive interval must be shorter than the hold time.
    #[error("`keepalive` is \"{keepalive}\", but must be shorter than `hold`, \"{hold}\"")]
    Keepalive {
        /// Keepalive interval.
        keepalive: String,
        /// Hold time.
        hold: String,
    },
    /// The send hold time must not be shorter than the hold time.
    #[error("`send_hold` is \"{send_hold}\", but must not be shorter than `hold`, \"{hold}\"")]
    SendHold {
        /// Send hold time.
        send_hold: String,
        /// Hold time.
        hold: String,
    },
    /// Nothing is frozen, so no time for it has a meaning.
    #[error("`freeze_time` is \"{freeze_time}\", but `action` is not \"freeze\"")]
    FreezeTime {
        /// How long it would be.
        freeze_time: String,
    },
    /// The kernel's routes have nothing of the kind.
    #[error(
        "`kernel_route_map` leads to entry {entry} of `{map}`, which sets something else than `src` and `distance`"
    )]
    KernelMap {
        /// The map, or one that it calls.
        map: String,
        /// Its entry.
        entry: u32,
    },
    /// Data of a cache would expire before it is asked for again.
    #[error(
        "`expire` is \"{expire}\", but must be longer than `{key}`, \"{value}\" (RFC 8210 §6)"
    )]
    RpkiExpire {
        /// How long data is good.
        expire: String,
        /// The other key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// An address that should be somebody else's is our own.
    #[error("neighbor `{address}` is our own {owner} ({first})")]
    OwnAddress {
        /// The address.
        address: String,
        /// What of ours it is.
        owner: &'static str,
        /// Where that stands.
        first: Place,
    },
    /// Two addresses of different IP versions.
    #[error("`{key}` is {value}, but must be of the IP version of `address`, {address}")]
    IpVersion {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The neighbour's address.
        address: String,
    },
    /// Two keys of which only one may stand.
    #[error("`{one}` and `{two}` ({first}) exclude each other")]
    Together {
        /// The one that is reported.
        one: &'static str,
        /// The other.
        two: &'static str,
        /// Where the other stands.
        first: Place,
    },
    /// An AS number for one session that makes no sense there.
    #[error("`local_as` is {asn}, {because}")]
    LocalAs {
        /// The number.
        asn: u32,
        /// What is wrong with it.
        because: &'static str,
    },
    /// Two ranges share addresses.
    #[error("listen range {one} overlaps with listen range {two} ({first})")]
    ListenRange {
        /// The later one.
        one: String,
        /// The earlier one.
        two: String,
        /// Where the earlier one stands.
        first: Place,
    },
    /// A neighbour without signature where all others must have one.
    #[error("neighbor {address} has no `{key}`, and listen range {range} ({first}) has one")]
    UnsignedInRange {
        /// The neighbour.
        address: String,
        /// The range that it is in.
        range: String,
        /// What the range has.
        key: &'static str,
        /// Where the range stands.
        first: Place,
    },
    /// Keys with one number for the same addresses (RFC 5925 §3.1).
    #[error(
        "key {id} of neighbor {address} has the `{number}` of another key of listen range {range} \
         ({first})"
    )]
    KeyInRange {
        /// The key's `id`.
        id: u8,
        /// The neighbour.
        address: String,
        /// Which of its numbers.
        number: &'static str,
        /// The range that the neighbour is in.
        range: String,
        /// Where the range's key stands.
        first: Place,
    },
    /// A VNI without EVPN.
    #[error("vni {0} needs a tunnel endpoint, and there is no [evpn] `vtep`")]
    NoVtep(u32),
    /// A VLAN without a bridge of VLANs.
    #[error("vni {0} has a `vlan`, and there is no `single_device` in [evpn]")]
    VlanAlone(u32),
    /// A VNI without its place on shared devices.
    #[error("vni {0} has no `vlan`, but `single_device` in [evpn] needs one for each VNI")]
    NoVlan(u32),
    /// A VXLAN device of its own beside the one of all.
    #[error("vni {0} has a `vxlan`, but its device is `single_device` of [evpn]")]
    VxlanBesideSingle(u32),
    /// Devices that others make beside the ones of all.
    #[error("vni {0} has `create = false`, but its device is `single_device` of [evpn]")]
    AwaitedBesideSingle(u32),
    /// The VXLAN device of a VRF beside the one of all.
    #[error(
        "an l3vni needs a VXLAN device of its own, and `single_device` ({first}) has the port"
    )]
    L3VniBesideSingle {
        /// Where `single_device` stands.
        first: Place,
    },
    /// A name made of others that Linux does not take.
    #[error("the VLAN device of vni {vni} would be `{name}`, which is longer than 15 characters")]
    LongVlanDevice {
        /// The VNI.
        vni: u32,
        /// The name.
        name: String,
    },
    /// More than what is below it takes.
    #[error("`mtu` is {mtu}, but `single_device` has {below}")]
    MtuAboveSingle {
        /// That of the VNI.
        mtu: u32,
        /// That of the shared devices.
        below: u32,
    },
    /// The usual route distinguisher has two octets for the VNI, and all numbers are taken.
    #[error(
        "a route distinguisher cannot be made of router_id and vni {0}: all numbers are taken"
    )]
    NoAutomaticRd(u32),
    /// Two VNIs share addresses.
    #[error("{one} overlaps with {two} of {first}")]
    Gateway {
        /// The later one, with its kind.
        one: String,
        /// The earlier one, with its kind.
        two: String,
        /// Where the earlier one stands.
        first: Place,
    },
    /// No machine of an overlay can have such addresses.
    #[error("{kind} {address} is nothing for machines: it has {what} addresses")]
    NotOfHosts {
        /// Gateway or network.
        kind: &'static str,
        /// As it stands there.
        address: String,
        /// What kind of addresses they are.
        what: &'static str,
    },
    /// An address that a host cannot have.
    #[error("gateway {address} is the {what} address of its network")]
    GatewayAddress {
        /// The gateway.
        address: String,
        /// Network or broadcast.
        what: &'static str,
    },
    /// The same with one of our confederation.
    #[error("`{key}` needs an eBGP neighbor, and AS {asn} is of our own confederation")]
    InConfederation {
        /// The key.
        key: &'static str,
        /// The neighbour's AS number.
        asn: u32,
    },
    /// The number of a confederation is that of an AS, too.
    #[error("`confederation_id` is {0}, which is also the AS number of a neighbor outside")]
    ConfederationId(u32),
    /// EVPN without route targets.
    #[error("`send_community` leaves out \"extended\", but EVPN routes need their route targets")]
    EvpnTargets,
    /// A key for neighbours of another AS with one of our own.
    #[error("`{key}` needs an eBGP neighbor, and remote_as is our own AS number {asn}")]
    NotExternal {
        /// The key.
        key: &'static str,
        /// Our AS number.
        asn: u32,
    },
    /// A key for neighbours of our own AS with another one.
    #[error("`{0}` needs an iBGP neighbor, and remote_as is not our own AS number")]
    NotInternal(&'static str),
    /// Maps that call each other in a circle.
    #[error("route_map `{name}` calls itself: {path}")]
    CallLoop {
        /// The map.
        name: String,
        /// The maps on the way round.
        path: String,
    },
    /// A route-map that does on import what only makes sense on export.
    #[error("route_map `{map}` sets `next_hop` to \"{to}\", which has no effect on import")]
    ImportNextHop {
        /// The map.
        map: String,
        /// What it sets.
        to: &'static str,
    },
    /// A key that does nothing because of another one.
    #[error("`{key}` has no effect {because}")]
    NoEffect {
        /// The key.
        key: &'static str,
        /// What makes it so.
        because: &'static str,
    },
    /// Two instances on one listening address.
    #[error("`listen` is {one}, which meets {two} of {whose} ({first})")]
    Listen {
        /// The later one.
        one: String,
        /// The earlier one.
        two: String,
        /// Of which instance that is.
        whose: String,
        /// Where that stands.
        first: Place,
    },
    /// Two instances whose routes the kernel cannot tell apart.
    #[error(
        "`distance` {metric} in routing table {table} is one of {whose} ({first}) too, so the \
         kernel cannot tell their routes apart"
    )]
    Metric {
        /// What both have.
        metric: u32,
        /// Where both write.
        table: u32,
        /// Which instance has it as well.
        whose: String,
        /// Where that stands.
        first: Place,
    },
    /// An import of an instance from its own tables.
    #[error("instance `{0}` cannot import from itself")]
    ImportFromItself(String),
    /// A static route that the kernel could not tell from a learned one.
    #[error(
        "`distance` {distance} is one of learned routes in routing table {table}, so the kernel \
         cannot tell them from this one"
    )]
    StaticDistance {
        /// What both have.
        distance: u8,
        /// Where both are.
        table: u32,
    },
    /// Two static routes ask one router in different ways.
    #[error("BFD with `{router}` is set otherwise for another next hop, first at {first}")]
    StaticBfd {
        /// The router.
        router: std::net::IpAddr,
        /// Where it was said first.
        first: Place,
    },
    /// What we write ourselves is to be taken over from the kernel.
    #[error("routes with protocol number {0} are our own and cannot be redistributed")]
    OwnRoutes(u8),
    /// A name used for two devices.
    #[error("device name `{name}` is used twice, first at {first}")]
    Device {
        /// The name.
        name: String,
        /// The other place.
        first: Place,
    },
}

impl Problem {
    /// A value that is not what it should be.
    pub fn value(key: impl ToString, value: impl ToString, expected: impl ToString) -> Self {
        Problem::Value {
            key: key.to_string(),
            value: value.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// Collects errors while a configuration is read.
#[derive(Debug)]
pub struct Report {
    file: String,
    text: String,
    // Where each line begins, so that a thousand errors do not count lines a thousand times.
    lines: Vec<usize>,
    errors: Vec<(Span, ConfigError)>,
    // Where the text was made from something else.
    origin: Option<Origin>,
}

/// Where the lines of a text are from that was made of other files.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Those files.
    pub files: Vec<String>,
    /// For each line, the number of the file and the place in it.
    pub places: Vec<(usize, Place)>,
}

impl Report {
    /// An empty report about `text`, which errors call `file`.
    pub fn new(text: &str, file: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            errors: Vec::new(),
            origin: None,
        }
    }

    /// Has errors point at what the text was made of.
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Adds an error.
    pub fn error(&mut self, span: Span, problem: impl Into<Problem>) {
        self.add(span, problem.into(), None);
    }

    /// Adds an error with the next step.
    pub fn error_with_hint(
        &mut self,
        span: Span,
        problem: impl Into<Problem>,
        hint: impl Into<String>,
    ) {
        self.add(span, problem.into(), Some(hint.into()));
    }

    fn add(&mut self, span: Span, problem: Problem, hint: Option<String>) {
        let error = ConfigError {
            file: self.file_at(span).to_owned(),
            place: self.place(span),
            problem,
            hint,
        };
        // What several inherit is checked with each of them.
        let known = (span, error);
        if !self.errors.contains(&known) {
            self.errors.push(known);
        }
    }

    /// True as long as nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// How much is wrong so far.
    pub(super) fn count(&self) -> usize {
        self.errors.len()
    }

    /// What errors call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file of a span.
    pub fn file_at(&self, span: Span) -> &str {
        let file = self
            .origin_of(span)
            .and_then(|(origin, file, _)| origin.files.get(file));
        file.unwrap_or(&self.file)
    }

    /// Line and column of the beginning of a span.
    pub fn place(&self, span: Span) -> Place {
        if let Some((_, _, place)) = self.origin_of(span) {
            return place;
        }
        let line = self.line(span);
        let begin = line.checked_sub(1).and_then(|line| self.lines.get(line));
        let before = self.text.get(begin.copied().unwrap_or(0)..span.start);
        Place {
            line,
            column: before.unwrap_or("").chars().count() + 1,
        }
    }

    fn line(&self, span: Span) -> usize {
        self.lines.partition_point(|begin| *begin <= span.start)
    }

    fn origin_of(&self, span: Span) -> Option<(&Origin, usize, Place)> {
        let origin = self.origin.as_ref()?;
        let (file, place) = *origin.places.get(self.line(span).checked_sub(1)?)?;
        Some((origin, file, place))
    }

    /// The value, or all errors in the order of the text.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Vec<ConfigError>> {
        self.errors.sort_by_key(|(span, _)| *span);
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(self.errors.into_iter().map(|(_, error)| error).collect()),
        }
    }
}
