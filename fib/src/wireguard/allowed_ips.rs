//! Which prefixes belong to which peer: want, have, plan.
//!
//! ```text
//! routes ──set──► wishes: prefix → next hop ─┐
//! device ──observe──► have: prefix → peer ───┼─► plan ──► Device::apply ──► applied
//! record ──with_record──► ours ──────────────┘
//! ```
//!
//! A prefix belongs to one peer at a time; WireGuard enforces this, so a prefix that is added to a
//! peer leaves the one that had it in the same moment: a move is one addition, and nothing is in
//! between. What is wished for no more is taken away one by one; the rest of a peer's list is not
//! touched (see [`super::NOBODY`]).
//!
//! **Ours and the operator's.** Every prefix on the device that was not added here is the
//! operator's, whenever it came there. It is never removed and never moved, and it says which peer a
//! next hop leads to: the one whose own prefixes have the longest match. Nothing in WireGuard tells
//! the two apart, so whoever wants to go on after a restart keeps [`AllowedIps::ours`] and hands it
//! in again. What is ours and not wished for again goes at [`AllowedIps::sweep`].
//!
//! A wish is not carried out where its next hop leads to no peer (the prefix stays where it is),
//! where the operator has given the prefix to another peer, and where the peer has as many
//! prefixes as it may have; [`AllowedIps::unmet`] names those.
//!
//! The planner neither reads nor writes; see [`super::Device`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{NOBODY, Peer, Plan, PublicKey};

/// Wished and observed AllowedIPs of one interface.
#[derive(Clone, Debug)]
pub struct AllowedIps {
    wishes: BTreeMap<IpNetwork, IpAddr>,
    have: HashMap<IpNetwork, PublicKey>,
    /// How many prefixes each peer has; all peers are in it.
    counts: BTreeMap<PublicKey, usize>,
    /// Added here, now or by a previous run. More than what is on the device, if in doubt.
    ours: BTreeSet<IpNetwork>,
    /// Ours of a previous run, not spoken of since.
    leftovers: BTreeSet<IpNetwork>,
    /// The operator's, with their peers.
    base: Vec<(IpNetwork, PublicKey)>,
    /// Which peer each next hop in use leads to.
    ways: HashMap<IpAddr, Option<PublicKey>>,
    limit: usize,
    /// Wishes that found no room.
    refused: BTreeSet<IpNetwork>,
    changed: Changed,
    /// The peer that takes prefixes away was left behind.
    nobody_there: bool,
}

/// What the next plan looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Changed {
    All,
    These(BTreeSet<IpNetwork>),
}

/// What is to become of a prefix.
enum Step {
    /// Where it is, or nowhere.
    Stays,
    /// Away.
    Goes,
    /// To this peer, from none or from another.
    Comes(PublicKey),
}

/// What an observation brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Observed {
    /// Anything is different from what was known.
    pub changed: bool,
    /// Prefixes that were put there, are wished for, and are not there any more or at another peer.
    pub lost: usize,
}

/// Why a wish is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// Its next hop is in no peer's own AllowedIPs.
    NoPeer {
        /// The next hop.
        next_hop: IpAddr,
    },
    /// The operator has given the prefix to another peer.
    Held {
        /// The one that has it.
        by: PublicKey,
        /// The one that should have it.
        wanted: PublicKey,
    },
    /// The peer has as many prefixes as it may have.
    Full {
        /// The peer.
        peer: PublicKey,
        /// How many it may have.
        limit: usize,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPeer { next_hop } => write!(
                f,
                "no peer has {next_hop} in its AllowedIPs; give the peer its tunnel address"
            ),
            Self::Held { by, .. } => write!(
                f,
                "was put there at peer {by} by somebody else, which is left alone; take it from \
                 that peer, and it will follow the route"
            ),
            Self::Full { peer, limit } => write!(
                f,
                "peer {peer} has {limit} AllowedIPs, as many as `maximum_allowed_ips` lets it have"
            ),
        }
    }
}

impl Default for AllowedIps {
    fn default() -> Self {
        Self::new()
    }
}

impl AllowedIps {
    /// Knows no peers and no wishes; all that is on the device is the operator's.
    pub fn new() -> Self {
        Self::with_record(BTreeSet::new())
    }

    /// Knows what a previous run has added, by what [`AllowedIps::ours`] said then.
    pub fn with_record(ours: BTreeSet<IpNetwork>) -> Self {
        Self {
            wishes: BTreeMap::new(),
            have: HashMap::new(),
            counts: BTreeMap::new(),
            leftovers: ours.clone(),
            ours,
            base: Vec::new(),
            ways: HashMap::new(),
            limit: usize::MAX,
            refused: BTreeSet::new(),
            changed: Changed::All,
            nobody_there: false,
        }
    }

    /// No peer gets more prefixes than this, its own included. Default: any number.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.doubt();
    }

    /// Packets to this prefix go to the peer that has this next hop; `None` takes the wish back.
    pub fn set(&mut self, prefix: IpNetwork, next_hop: Option<IpAddr>) {
        let prefix = masked(prefix);
        match next_hop {
            Some(next_hop) => {
                self.wishes.insert(prefix, next_hop);
            }
            None if self.wishes.remove(&prefix).is_some() => {
                self.refused.remove(&prefix);
            }
            // Most routes lead through other interfaces, and never concerned this one.
            None if !self.ours.contains(&prefix) => return,
            None => {}
        }
        // Whoever mentions a leftover has taken it over.
        self.leftovers.remove(&prefix);
        if let Changed::These(changed) = &mut self.changed {
            changed.insert(prefix);
        }
    }

    /// Takes all peers of the interface as they are now.
    pub fn observe(&mut self, peers: &[Peer]) -> Observed {
        self.nobody_there = peers.iter().any(|peer| peer.public_key == NOBODY);
        let real = || peers.iter().filter(|peer| peer.public_key != NOBODY);
        let (mut have, mut counts) = (HashMap::with_capacity(self.have.len()), BTreeMap::new());
        for peer in real() {
            counts.insert(peer.public_key, peer.allowed_ips.len());
            let prefixes = peer.allowed_ips.iter().copied().map(masked);
            have.extend(prefixes.map(|prefix| (prefix, peer.public_key)));
        }
        let (wishes, leftovers) = (&self.wishes, &self.leftovers);
        let lost = |(prefix, key): &(&IpNetwork, &PublicKey)| {
            let ours = self.ours.contains(*prefix) && wishes.contains_key(*prefix);
            ours && have.get(*prefix) != Some(*key)
        };
        let lost = self.have.iter().filter(lost).count();
        // What is not there and not wished for is nobody's when it comes, or comes again: it was
        // taken away by hand, or was planned and never written.
        self.ours.retain(|prefix| {
            have.contains_key(prefix) || wishes.contains_key(prefix) || leftovers.contains(prefix)
        });
        if have == self.have && counts == self.counts {
            return Observed::default();
        }
        (self.have, self.counts) = (have, counts);
        let own = self.have.iter().filter(|(it, _)| !self.ours.contains(*it));
        self.base = own.map(|(prefix, key)| (*prefix, *key)).collect();
        self.doubt();
        Observed {
            changed: true,
            lost,
        }
    }

    /// Leftovers of a previous run that nobody wished for since are to be removed.
    pub fn sweep(&mut self) {
        self.leftovers.clear();
        let (have, wishes) = (&self.have, &self.wishes);
        self.ours
            .retain(|prefix| have.contains_key(prefix) || wishes.contains_key(prefix));
        self.doubt();
    }

    /// The next plan looks at everything: something did not go as planned.
    pub fn doubt(&mut self) {
        self.changed = Changed::All;
        self.ways.clear();
    }

    /// What was added here, or is about to be. It contains all that is on the device and ours.
    pub fn ours(&self) -> &BTreeSet<IpNetwork> {
        &self.ours
    }

    /// The peer that an address belongs to: the one whose own prefixes have the longest match.
    pub fn peer_of(&self, address: IpAddr) -> Option<PublicKey> {
        peer_among(&self.base, address)
    }

    /// What the operator has put on the device, with its peers.
    pub fn base(&self) -> &[(IpNetwork, PublicKey)] {
        &self.base
    }

    /// Where a prefix is at the moment.
    pub fn owner(&self, prefix: IpNetwork) -> Option<PublicKey> {
        self.have.get(&masked(prefix)).copied()
    }

    /// How many prefixes on the device are ours.
    pub fn installed(&self) -> usize {
        let there = |prefix: &&IpNetwork| self.have.contains_key(*prefix);
        self.ours.iter().filter(there).count()
    }

    /// The wishes that are not carried out, and why.
    pub fn unmet(&self) -> Vec<(IpNetwork, Unmet)> {
        let mut ways = HashMap::new();
        let unmet = |(prefix, next_hop): (&IpNetwork, &IpAddr)| {
            let way = ways.entry(*next_hop);
            let Some(wanted) = *way.or_insert_with(|| self.peer_of(*next_hop)) else {
                let next_hop = *next_hop;
                return Some((*prefix, Unmet::NoPeer { next_hop }));
            };
            if self.refused.contains(prefix) {
                let (peer, limit) = (wanted, self.limit);
                return Some((*prefix, Unmet::Full { peer, limit }));
            }
            let by = *self.have.get(prefix)?;
            let held = by != wanted && !self.ours.contains(prefix);
            held.then_some((*prefix, Unmet::Held { by, wanted }))
        };
        self.wishes.iter().filter_map(unmet).collect()
    }

    /// The peers that have more prefixes than they may have, with how many: the operator gave them, or the
    /// limit is younger. None is taken away for that, and none comes.
    pub fn beyond(&self) -> impl Iterator<Item = (PublicKey, usize)> {
        let beyond = self.counts.iter().filter(|(_, count)| **count > self.limit);
        beyond.map(|(peer, count)| (*peer, *count))
    }

    /// The next plan adds a prefix that was nobody's when the device was read last, and that we have
    /// never added. Somebody may have given it to a peer since then, so whoever is about to carry out
    /// the plan reads the device once more before.
    pub fn brings_new(&mut self) -> bool {
        let new = |prefix: &IpNetwork| {
            let known = self.have.contains_key(prefix) || self.ours.contains(prefix);
            !known
        };
        let next_hops: BTreeSet<IpAddr> = match &self.changed {
            Changed::All => {
                let wishes = self.wishes.iter().filter(|(prefix, _)| new(prefix));
                wishes.map(|(_, next_hop)| *next_hop).collect()
            }
            Changed::These(changed) => {
                let changed = changed.iter().filter(|prefix| new(prefix));
                changed
                    .filter_map(|prefix| self.wishes.get(prefix))
                    .copied()
                    .collect()
            }
        };
        next_hops.into_iter().any(|it| self.way(it).is_some())
    }

    /// The changes that make the interface as wished, of what has changed since the last plan.
    /// Whoever could not carry it out calls [`AllowedIps::doubt`].
    pub fn plan(&mut self) -> Plan {
        let none = Changed::These(BTreeSet::new());
        let changed = match std::mem::replace(&mut self.changed, none) {
            Changed::These(changed) => changed,
            Changed::All => {
                self.refused.clear();
                self.wishes.keys().chain(&self.ours).copied().collect()
            }
        };
        let plan = self.plan_of(changed);
        let added = plan.add.iter().flat_map(|(_, prefixes)| prefixes);
        self.ours.extend(added.copied());
        plan
    }

    /// All that a plan would change, without making it.
    pub fn pending(&self) -> Plan {
        let mut copy = self.clone();
        copy.doubt();
        copy.plan()
    }

    fn plan_of(&mut self, changed: BTreeSet<IpNetwork>) -> Plan {
        let mut add: BTreeMap<PublicKey, Vec<IpNetwork>> = BTreeMap::new();
        let (mut remove, mut coming) = (Vec::new(), Vec::new());
        let mut counts = self.counts.clone();
        let mut room = false;
        // What goes or moves makes room for what comes, whichever has the lower number.
        for prefix in changed {
            self.refused.remove(&prefix);
            let step = self.step(prefix);
            match step {
                Step::Stays => continue,
                Step::Goes => remove.push(prefix),
                Step::Comes(to) => coming.push((prefix, to)),
            }
            if let Some(from) = self.have.get(&prefix) {
                room = true;
                counts
                    .entry(*from)
                    .and_modify(|it| *it = it.saturating_sub(1));
            }
        }
        if room {
            for prefix in std::mem::take(&mut self.refused) {
                if let Step::Comes(to) = self.step(prefix) {
                    coming.push((prefix, to));
                }
            }
        }
        for (prefix, to) in coming {
            match counts.get_mut(&to) {
                Some(count) if *count < self.limit => {
                    *count = count.saturating_add(1);
                    add.entry(to).or_default().push(prefix);
                }
                Some(_) | None => {
                    self.refused.insert(prefix);
                    // At the old peer its packets would go to the wrong site.
                    remove.extend(self.have.contains_key(&prefix).then_some(prefix));
                }
            }
        }
        Plan {
            add: add.into_iter().collect(),
            remove,
            clear: self.nobody_there,
        }
    }

    /// What is to become of a prefix, limits aside.
    fn step(&mut self, prefix: IpNetwork) -> Step {
        let from = self.have.get(&prefix).copied();
        let ours = self.ours.contains(&prefix);
        let Some(next_hop) = self.wishes.get(&prefix).copied() else {
            let goes = from.is_some() && ours && !self.leftovers.contains(&prefix);
            return if goes { Step::Goes } else { Step::Stays };
        };
        match self.way(next_hop) {
            Some(to) if from != Some(to) && (from.is_none() || ours) => Step::Comes(to),
            Some(_) | None => Step::Stays,
        }
    }

    /// The device has done what the plan says.
    pub fn applied(&mut self, plan: &Plan) {
        for (key, prefixes) in &plan.add {
            for prefix in prefixes {
                let before = self.have.insert(*prefix, *key);
                self.count(before, Some(*key));
            }
        }
        for prefix in &plan.remove {
            let before = self.have.remove(prefix);
            self.count(before, None);
            self.ours.remove(prefix);
        }
        if plan.clear || !plan.remove.is_empty() {
            self.nobody_there = false;
        }
    }

    fn count(&mut self, before: Option<PublicKey>, now: Option<PublicKey>) {
        if let Some(count) = before.and_then(|key| self.counts.get_mut(&key)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = now.and_then(|key| self.counts.get_mut(&key)) {
            *count = count.saturating_add(1);
        }
    }

    fn way(&mut self, next_hop: IpAddr) -> Option<PublicKey> {
        if let Some(way) = self.ways.get(&next_hop) {
            return *way;
        }
        let way = self.peer_of(next_hop);
        self.ways.insert(next_hop, way);
        way
    }
}

/// The peer whose prefixes have the longest match for an address.
pub fn peer_among(base: &[(IpNetwork, PublicKey)], address: IpAddr) -> Option<PublicKey> {
    let matches = base.iter().filter(|(it, _)| it.contains(address));
    let longest = matches.max_by_key(|(prefix, _)| prefix.prefix());
    longest.map(|(_, key)| *key)
}

fn masked(prefix: IpNetwork) -> IpNetwork {
    IpNetwork::new(prefix.network(), prefix.prefix()).unwrap_or(prefix)
}

#[cfg(test)]
mod tests;
