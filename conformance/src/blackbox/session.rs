//! An established session and what the speaker under test told on it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::Error;
use super::connection::{Connection, Heard, LIMIT};
use super::message::{
    self, Attribute, Message, Notification, Open, Prefix, Update, capability, code,
};

/// Attributes the speaker told with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    attributes: Vec<Attribute>,
    four_octet: bool,
}

impl Route {
    /// The attribute of this code.
    pub fn attribute(&self, code: u8) -> Option<&Attribute> {
        self.attributes.iter().find(|one| one.code == code)
    }

    /// The AS numbers of AS_PATH, if it has AS_SEQUENCEs only.
    pub fn as_path(&self) -> Option<Vec<u32>> {
        message::path_numbers(&self.attribute(code::AS_PATH)?.value, self.four_octet)
    }

    /// NEXT_HOP.
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.number(code::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// The octets of the next hop in MP_REACH_NLRI.
    pub fn next_hop_octets(&self) -> Option<&[u8]> {
        let value = &self.attribute(code::MP_REACH)?.value;
        value.get(4..)?.get(..usize::from(*value.get(3)?))
    }

    /// The value of an attribute of four octets.
    pub fn number(&self, code: u8) -> Option<u32> {
        let value = self.attribute(code)?.value.as_slice();
        value.try_into().ok().map(u32::from_be_bytes)
    }

    /// COMMUNITIES.
    pub fn communities(&self) -> Vec<u32> {
        let value = self
            .attribute(code::COMMUNITIES)
            .map(|one| one.value.as_slice());
        let chunks = value.unwrap_or_default().chunks_exact(4);
        chunks
            .filter_map(|one| one.try_into().ok().map(u32::from_be_bytes))
            .collect()
    }
}

/// A session in Established.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    /// The OPEN of the speaker under test.
    pub open: Open,
    four_octet: bool,
    routes: BTreeMap<Prefix, Route>,
    /// All of it where the speaker sends several paths of a prefix, else each under 0.
    paths: BTreeMap<(Prefix, u32), Route>,
    changes: BTreeMap<Prefix, usize>,
    /// MP_REACH_NLRI and MP_UNREACH_NLRI of other families than IPv4 unicast, as they came.
    others: Vec<Attribute>,
    end_of_rib: bool,
    refreshing: Option<BTreeMap<Prefix, Route>>,
    refreshed: Option<BTreeMap<Prefix, Route>>,
    keepalives: Vec<Instant>,
}

impl Session {
    pub(super) fn new(mut connection: Connection, ours: &Open, theirs: Open) -> Self {
        // RFC 7911 §5: it sends them where it says so, and we take them.
        let (they, we) = (theirs.add_path_direction(), ours.add_path_direction());
        connection.numbered = matches!(they, 2 | 3) && matches!(we, 1 | 3);
        let four_octet = |open: &Open| open.capability(capability::FOUR_OCTET_AS).is_some();
        Self {
            connection,
            four_octet: four_octet(ours) && four_octet(&theirs),
            open: theirs,
            routes: BTreeMap::new(),
            paths: BTreeMap::new(),
            changes: BTreeMap::new(),
            others: Vec::new(),
            end_of_rib: false,
            refreshing: None,
            refreshed: None,
            keepalives: Vec::new(),
        }
    }

    /// Sends octets.
    pub fn send(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.connection.send(octets)
    }

    /// Sends an UPDATE.
    pub fn update(&mut self, update: &Update) -> Result<(), Error> {
        self.send(&update.bytes())
    }

    /// Reads until `condition` holds. The end of the session is an error.
    pub fn until(
        &mut self,
        expected: &str,
        condition: impl Fn(&Session) -> bool,
    ) -> Result<(), Error> {
        let until = Instant::now() + LIMIT;
        while !condition(self) {
            let left = until.saturating_duration_since(Instant::now());
            if !self.step(expected, left)? {
                return Err(self.connection.late(expected, LIMIT));
            }
        }
        Ok(())
    }

    /// Reads for this long, or what has arrived. The end of the session is an error.
    pub fn listen(&mut self, time: Duration) -> Result<(), Error> {
        let until = Instant::now() + time;
        while self.step(
            "a session that stays up",
            until.saturating_duration_since(Instant::now()),
        )? {}
        Ok(())
    }

    /// Takes one message; false when none came.
    fn step(&mut self, expected: &str, limit: Duration) -> Result<bool, Error> {
        let got = match self.connection.hear(limit)? {
            Heard::Message(Message::Update(update)) => {
                self.learn(&update);
                return Ok(true);
            }
            Heard::Message(Message::Keepalive) => {
                self.keepalives.push(Instant::now());
                return Ok(true);
            }
            Heard::Message(Message::RouteRefresh { subtype, .. }) => {
                self.mark(subtype);
                return Ok(true);
            }
            Heard::Silence => return Ok(false),
            Heard::Message(other @ (Message::Notification(_) | Message::Open(_))) => {
                format!("got {other:?}")
            }
            Heard::Closed => "the connection ended".to_owned(),
        };
        Err(Error::rule(expected, got))
    }

    fn learn(&mut self, update: &Update) {
        self.end_of_rib |= update.is_end_of_rib();
        for code in [code::MP_REACH, code::MP_UNREACH] {
            let of_ipv4 = |it: &&Attribute| it.value.starts_with(&[0, 1, 1]);
            let attribute = update.attribute(code);
            self.others
                .extend(attribute.filter(|it| !of_ipv4(it)).cloned());
        }
        let unreached = update.unreached().unwrap_or_default().into_iter();
        let (_, reached) = update.reached().unwrap_or_default();
        for path in update
            .withdrawn_paths()
            .chain(unreached.map(|prefix| (prefix, 0)))
        {
            let (prefix, _) = path;
            self.paths.remove(&path);
            if self.paths_of(prefix).is_empty() {
                self.routes.remove(&prefix);
            }
            *self.changes.entry(prefix).or_default() += 1;
        }
        let reached = reached.into_iter().map(|prefix| (prefix, 0));
        for path in update.announced_paths().chain(reached) {
            let (prefix, _) = path;
            let route = Route {
                attributes: update.attributes.clone(),
                four_octet: self.four_octet,
            };
            match &mut self.refreshing {
                Some(refreshing) => drop(refreshing.insert(prefix, route.clone())),
                None => *self.changes.entry(prefix).or_default() += 1,
            }
            self.paths.insert(path, route.clone());
            self.routes.insert(prefix, route);
        }
    }

    /// RFC 7313 §3.2.
    fn mark(&mut self, subtype: u8) {
        match subtype {
            1 => self.refreshing = Some(BTreeMap::new()),
            2 => self.refreshed = self.refreshing.take(),
            _ => {}
        }
    }

    /// Waits until the speaker tells the prefix.
    pub fn until_told(&mut self, prefix: Prefix) -> Result<&Route, Error> {
        let expected = format!("an announcement of {prefix}");
        self.until(&expected, |session| session.routes.contains_key(&prefix))?;
        self.told(prefix)
            .ok_or_else(|| Error::rule(expected, "it is gone"))
    }

    /// Waits until the speaker does not tell the prefix any more.
    pub fn until_withdrawn(&mut self, prefix: Prefix) -> Result<(), Error> {
        let expected = format!("a withdrawal of {prefix}");
        self.until(&expected, |session| !session.routes.contains_key(&prefix))
    }

    /// Asks for all routes again (RFC 2918) and returns what the speaker tells between BoRR and
    /// EoRR (RFC 7313): all that it tells at this moment.
    pub fn refresh(&mut self) -> Result<BTreeMap<Prefix, Route>, Error> {
        self.refreshed = None;
        self.send(&message::route_refresh(1, 0, 1))?;
        self.until("BoRR and EoRR", |session| session.refreshed.is_some())?;
        Ok(self.refreshed.take().unwrap_or_default())
    }

    /// A NOTIFICATION with these codes, and then the end.
    pub fn expect_notification(&mut self, code: u8, subcode: u8) -> Result<Notification, Error> {
        self.connection.expect_notification(code, subcode)
    }

    /// The connection below.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// What the speaker tells of a prefix, as far as it was read.
    pub fn told(&self, prefix: Prefix) -> Option<&Route> {
        self.routes.get(&prefix)
    }

    /// The paths of a prefix that the speaker tells, by identifier, as far as they were read.
    pub fn paths_of(&self, prefix: Prefix) -> BTreeMap<u32, &Route> {
        let paths = self.paths.range((prefix, 0)..=(prefix, u32::MAX));
        paths.map(|((_, id), route)| (*id, route)).collect()
    }

    /// How often the speaker announced or withdrew the prefix, answers to refreshes aside.
    pub fn changes(&self, prefix: Prefix) -> usize {
        self.changes.get(&prefix).copied().unwrap_or(0)
    }

    /// How often the speaker announced, and how often it withdrew, a route of another family than
    /// IPv4 unicast, given as the octets of its NLRI. Answers to refreshes count, too.
    pub fn said_of(&self, nlri: &[u8]) -> (usize, usize) {
        let has = |it: &&Attribute| it.value.windows(nlri.len()).any(|part| part == nlri);
        let with = |code| {
            let of_code = self.others.iter().filter(|it| it.code == code);
            of_code.filter(has).count()
        };
        (with(code::MP_REACH), with(code::MP_UNREACH))
    }

    /// The End-of-RIB marker of IPv4 unicast has come (RFC 4724 §2).
    pub fn has_end_of_rib(&self) -> bool {
        self.end_of_rib
    }

    /// The speaker is between BoRR and EoRR, or was since the last [`Session::refresh`].
    pub fn has_refresh_mark(&self) -> bool {
        self.refreshing.is_some() || self.refreshed.is_some()
    }

    /// When KEEPALIVEs came after the first one.
    pub fn keepalives(&self) -> &[Instant] {
        &self.keepalives
    }
}
